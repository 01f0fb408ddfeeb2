/* SPDX-License-Identifier: MIT */
/* Few moves: always the move or swap that lowers F most for its cost, until the goal is met or nothing pays.
 *
 * For a given task the best target is the lowest unit it may go to, and the lowest unit never sinks while
 * moves improve; so what a source can still gain only falls, and a heap of stale values, looked at again when
 * they come to the top, finds the best move exactly. A task moves at most once. */
#include <math.h>
#include <string.h>

#include "vmtop/minmax.h"

#include "place.h"

enum { NEAR = 4, TOP = 16, SWAP_BUDGET = 20000 };

struct pick {
	uint32_t t, u; /* u UINT32_MAX: a move; else swapped with u */
	int to;
	double score; /* gain per cost; 0: none */
};
#define PICK_NONE ((struct pick){UINT32_MAX, UINT32_MAX, PLACE_NONE, 0})

/* Not to be moved in this round, or moved already. */
static bool rests(const struct place_work *work, uint32_t task)
{
	return work->still[task] || work->at[task] != work->home[task];
}

/* Overload goes away, and not just elsewhere: p fits on z and leaves it well below what a had. */
static bool cures(const struct place_work *work, double p, int a, int z)
{
	double after = (work->load[z] + p) * work->inv[z];
	return after <= 100 && after <= work->load[a] * work->inv[a] - 10;
}

static void move_try(
	const struct place_work *work, const struct place_goal *goal, uint32_t task, int z, struct pick *best)
{
	int a = work->at[task];
	double p = work->demand[task];
	if (z < 0 || z == a || rests(work, task))
		return;
	double score = place_gain(work, p, a, z) / place_cost(work, task, a, z);
	if (score < goal->min_score || score <= best->score || !place_safe(work, p, a, z))
		return;
	if (goal->overload && !cures(work, p, a, z))
		return;
	*best = (struct pick){task, UINT32_MAX, z, score};
}

/* First place in the segment of a whose demand is at least p. */
static uint32_t segment_at(const struct place_work *work, int a, double p)
{
	uint32_t lo = work->first[a], hi = work->first[a + 1];
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (work->demand[work->seg[mid]] < p)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The tasks of a whose demand is nearest to what would level a and the lowest unit of a range. */
static void range_try(const struct place_work *work, const struct place_goal *goal, int a, uint32_t lo,
	uint32_t hi, struct pick *best)
{
	int z = place_lowest(work, lo, hi);
	if (z == a || work->level[z] >= work->level[a])
		return;
	double k =
		work->inv[a] + work->inv[z] + work->core_inv[work->core[a]] + work->core_inv[work->core[z]];
	uint32_t mid = segment_at(work, a, (work->level[a] - work->level[z]) / k), end = work->first[a + 1],
		 seen = 0;
	for (uint32_t i = mid; i < end && seen < NEAR; i++) {
		uint32_t task = work->seg[i];
		if (rests(work, task))
			continue;
		seen++;
		move_try(work, goal, task, place_ok(work, task, z) ? z : place_lowest_ok(work, task, lo, hi),
			best);
	}
	seen = 0;
	for (uint32_t i = mid; i-- > work->first[a] && seen < NEAR;) {
		uint32_t task = work->seg[i];
		if (rests(work, task))
			continue;
		seen++;
		move_try(work, goal, task, place_ok(work, task, z) ? z : place_lowest_ok(work, task, lo, hi),
			best);
	}
}

static struct pick source_best(const struct place_work *work, const struct place_goal *goal, int a)
{
	struct pick best = PICK_NONE;
	if (work->first[a] == work->first[a + 1] || (goal->overload && work->load[a] * work->inv[a] <= 100))
		return best;
	range_try(work, goal, a, 0, (uint32_t)work->n_units, &best);
	if (work->one_zone)
		return best;
	if (work->node_hi[a] - work->node_lo[a] < work->n_units)
		range_try(work, goal, a, work->node_lo[a], work->node_hi[a], &best);
	if (work->llc_hi[a] - work->llc_lo[a] < work->node_hi[a] - work->node_lo[a])
		range_try(work, goal, a, work->llc_lo[a], work->llc_hi[a], &best);
	return best;
}

static bool heap_before(const struct place_work *work, uint32_t a, uint32_t b)
{
	return work->score[a] > work->score[b] || (work->score[a] == work->score[b] && a < b);
}

static void heap_put(struct place_work *work, size_t i, uint32_t unit)
{
	work->heap[i] = unit;
	work->heap_at[unit] = (uint32_t)i;
}

static void heap_sink(struct place_work *work, size_t i)
{
	uint32_t unit = work->heap[i];
	for (size_t c; (c = 2 * i + 1) < work->n_units; i = c) {
		if (c + 1 < work->n_units && heap_before(work, work->heap[c + 1], work->heap[c]))
			c++;
		if (!heap_before(work, work->heap[c], unit))
			break;
		heap_put(work, i, work->heap[c]);
	}
	heap_put(work, i, unit);
}

static void heap_rise(struct place_work *work, size_t i)
{
	uint32_t unit = work->heap[i];
	for (; i > 0 && heap_before(work, unit, work->heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap_put(work, i, work->heap[(i - 1) / 2]);
	heap_put(work, i, unit);
}

static void heap_build(struct place_work *work)
{
	double low = work->level[place_lowest(work, 0, (uint32_t)work->n_units)];
	double cheapest = (work->one_zone ? 1 : 0.5) * work->min_weight;
	for (size_t j = 0; j < work->n_units; j++) {
		double d = work->level[j] - low, k = work->inv[j] + work->core_inv[work->core[j]];
		work->score[j] = d * d / k / cheapest; /* no move from here has more */
		heap_put(work, j, (uint32_t)j);
	}
	for (size_t i = work->n_units / 2; i-- > 0;)
		heap_sink(work, i);
}

/* The best move there is; the source stays on top of the heap. */
static struct pick best_move(struct place_work *work, const struct place_goal *goal)
{
	for (;;) {
		uint32_t a = work->heap[0];
		if (work->score[a] <= 0)
			return PICK_NONE;
		struct pick pick = source_best(work, goal, (int)a);
		work->score[a] = pick.score;
		heap_sink(work, 0);
		if (work->heap[0] == a)
			return pick;
	}
}

/* The TOP units with the highest (sign 1) or lowest (-1) h, in order. */
static size_t units_extreme(const struct place_work *work, double sign, int *out)
{
	size_t n = 0;
	double h[TOP];
	for (int unit = 0; unit < (int)work->n_units; unit++) {
		double x = sign * work->level[unit];
		size_t i = n < TOP ? n : TOP - 1;
		if (n == TOP && x <= h[TOP - 1])
			continue;
		for (; i > 0 && h[i - 1] < x; i--) {
			out[i] = out[i - 1];
			h[i] = h[i - 1];
		}
		out[i] = unit;
		h[i] = x;
		n += n < TOP;
	}
	return n;
}

static void swap_try(const struct place_work *work, const struct place_goal *goal, uint32_t task,
	uint32_t other, struct pick *best)
{
	int a = work->at[task], z = work->at[other];
	double p = work->demand[task] - work->demand[other], gain = place_gain(work, p, a, z);
	if (p <= 0 || gain <= 0 || rests(work, other))
		return;
	double score = gain / (place_cost(work, task, a, z) + place_cost(work, other, z, a));
	if (score < goal->min_score || score <= best->score || !place_safe(work, p, a, z))
		return;
	if (goal->overload && !cures(work, p, a, z))
		return;
	if (place_ok(work, task, z) && place_ok(work, other, a))
		*best = (struct pick){task, other, z, score};
}

/* For each task of a the task of z that is smaller by what levels the two. Returns pairs looked at. */
static size_t pair_swaps(
	const struct place_work *work, const struct place_goal *goal, int a, int z, struct pick *best)
{
	double k =
		work->inv[a] + work->inv[z] + work->core_inv[work->core[a]] + work->core_inv[work->core[z]];
	double want = (work->level[a] - work->level[z]) / k;
	uint32_t j = work->first[z], end = work->first[z + 1];
	for (uint32_t i = work->first[a]; i < work->first[a + 1]; i++) {
		uint32_t task = work->seg[i];
		if (rests(work, task))
			continue;
		while (j < end && work->demand[work->seg[j]] < work->demand[task] - want)
			j++;
		if (j < end)
			swap_try(work, goal, task, work->seg[j], best);
		if (j > work->first[z])
			swap_try(work, goal, task, work->seg[j - 1], best);
	}
	return work->first[a + 1] - work->first[a] + end - work->first[z];
}

/* The best swap between high and low units that beats `best`. */
static void best_swap(
	const struct place_work *work, const struct place_goal *goal, size_t *budget, struct pick *best)
{
	int high[TOP], low[TOP];
	size_t n_high = units_extreme(work, 1, high), n_low = units_extreme(work, -1, low);
	for (size_t i = 0; i < n_high; i++) {
		for (size_t j = 0; j < n_low; j++) {
			double d = work->level[high[i]] - work->level[low[j]];
			double most = d * d / (work->inv[high[i]] + work->inv[low[j]]) / 2;
			if (d <= 0 || most <= best->score || most < goal->min_score)
				break;
			if (goal->overload && work->load[high[i]] * work->inv[high[i]] <= 100)
				break;
			size_t used = pair_swaps(work, goal, high[i], low[j], best);
			if (used >= *budget) {
				*budget = 0;
				return;
			}
			*budget -= used;
		}
	}
}

static void pick_do(struct place_work *work, const struct pick *pick)
{
	int a = work->at[pick->t];
	if (pick->u == UINT32_MAX) {
		place_take(work, pick->t, pick->to, -1);
	} else {
		place_take(work, pick->t, pick->to, (int)work->n_steps + 1);
		place_take(work, pick->u, a, (int)work->n_steps - 1);
	}
}

/* The load of unit has changed, and with it what it can give. */
static void source_update(struct place_work *work, const struct place_goal *goal, int unit)
{
	work->score[unit] = source_best(work, goal, unit).score;
	heap_rise(work, work->heap_at[unit]);
	heap_sink(work, work->heap_at[unit]);
}

static double highest(const struct place_work *work)
{
	double top = -INFINITY;
	for (size_t j = 0; j < work->n_units; j++)
		top = max_of(work->level[j], top);
	return top;
}

/* Could any swap be worth more than `score`, and enough? */
static bool swap_hope(const struct place_work *work, const struct place_goal *goal, double score)
{
	double d = highest(work) - work->level[place_lowest(work, 0, (uint32_t)work->n_units)];
	double most = d * d * work->widest / 4 / ((work->one_zone ? 1 : 0.5) * work->min_weight);
	return most > score && most >= goal->min_score;
}

void place_greedy(struct place_work *work, const struct place_goal *goal)
{
	size_t budget = SWAP_BUDGET;
	double f = place_f(work);
	heap_build(work);
	while (work->n_steps < goal->max_steps && (goal->overload || f > goal->f)) {
		struct pick pick = best_move(work, goal);
		if (budget && work->n_steps + 2 <= goal->max_steps && swap_hope(work, goal, pick.score))
			best_swap(work, goal, &budget, &pick);
		if (pick.to < 0)
			break;
		int a = work->at[pick.t];
		double p = work->demand[pick.t] - (pick.u == UINT32_MAX ? 0 : work->demand[pick.u]);
		f -= place_gain(work, p, a, pick.to);
		pick_do(work, &pick);
		source_update(work, goal, pick.to);
		source_update(work, goal, a);
	}
}
