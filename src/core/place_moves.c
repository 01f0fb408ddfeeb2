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
static bool rests(const struct place_work *w, uint32_t t)
{
	return w->still[t] || w->at[t] != w->home[t];
}

/* Overload goes away, and not just elsewhere: p fits on z and leaves it well below what a had. */
static bool cures(const struct place_work *w, double p, int a, int z)
{
	double after = (w->s[z] + p) * w->ic[z];
	return after <= 100 && after <= w->s[a] * w->ic[a] - 10;
}

static void move_try(
	const struct place_work *w, const struct place_goal *g, uint32_t t, int z, struct pick *best)
{
	int a = w->at[t];
	double p = w->d[t];
	if (z < 0 || z == a || rests(w, t))
		return;
	double score = place_gain(w, p, a, z) / place_cost(w, t, a, z);
	if (score < g->min_score || score <= best->score || !place_safe(w, p, a, z))
		return;
	if (g->overload && !cures(w, p, a, z))
		return;
	*best = (struct pick){t, UINT32_MAX, z, score};
}

/* First place in the segment of a whose demand is at least p. */
static uint32_t segment_at(const struct place_work *w, int a, double p)
{
	uint32_t lo = w->first[a], hi = w->first[a + 1];
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (w->d[w->seg[mid]] < p)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The tasks of a whose demand is nearest to what would level a and the lowest unit of a range. */
static void range_try(const struct place_work *w, const struct place_goal *g, int a, uint32_t lo, uint32_t hi,
	struct pick *best)
{
	int z = place_lowest(w, lo, hi);
	if (z == a || w->h[z] >= w->h[a])
		return;
	double k = w->ic[a] + w->ic[z] + w->icc[w->core[a]] + w->icc[w->core[z]];
	uint32_t mid = segment_at(w, a, (w->h[a] - w->h[z]) / k), end = w->first[a + 1], seen = 0;
	for (uint32_t i = mid; i < end && seen < NEAR; i++) {
		uint32_t t = w->seg[i];
		if (rests(w, t))
			continue;
		seen++;
		move_try(w, g, t, place_ok(w, t, z) ? z : place_lowest_ok(w, t, lo, hi), best);
	}
	seen = 0;
	for (uint32_t i = mid; i-- > w->first[a] && seen < NEAR;) {
		uint32_t t = w->seg[i];
		if (rests(w, t))
			continue;
		seen++;
		move_try(w, g, t, place_ok(w, t, z) ? z : place_lowest_ok(w, t, lo, hi), best);
	}
}

static struct pick source_best(const struct place_work *w, const struct place_goal *g, int a)
{
	struct pick best = PICK_NONE;
	if (w->first[a] == w->first[a + 1] || (g->overload && w->s[a] * w->ic[a] <= 100))
		return best;
	range_try(w, g, a, 0, (uint32_t)w->m, &best);
	if (w->one_zone)
		return best;
	if (w->node_hi[a] - w->node_lo[a] < w->m)
		range_try(w, g, a, w->node_lo[a], w->node_hi[a], &best);
	if (w->llc_hi[a] - w->llc_lo[a] < w->node_hi[a] - w->node_lo[a])
		range_try(w, g, a, w->llc_lo[a], w->llc_hi[a], &best);
	return best;
}

static bool heap_before(const struct place_work *w, uint32_t a, uint32_t b)
{
	return w->score[a] > w->score[b] || (w->score[a] == w->score[b] && a < b);
}

static void heap_put(struct place_work *w, size_t i, uint32_t u)
{
	w->heap[i] = u;
	w->heap_at[u] = (uint32_t)i;
}

static void heap_sink(struct place_work *w, size_t i)
{
	uint32_t u = w->heap[i];
	for (size_t c; (c = 2 * i + 1) < w->m; i = c) {
		if (c + 1 < w->m && heap_before(w, w->heap[c + 1], w->heap[c]))
			c++;
		if (!heap_before(w, w->heap[c], u))
			break;
		heap_put(w, i, w->heap[c]);
	}
	heap_put(w, i, u);
}

static void heap_rise(struct place_work *w, size_t i)
{
	uint32_t u = w->heap[i];
	for (; i > 0 && heap_before(w, u, w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap_put(w, i, w->heap[(i - 1) / 2]);
	heap_put(w, i, u);
}

static void heap_build(struct place_work *w)
{
	double low = w->h[place_lowest(w, 0, (uint32_t)w->m)];
	double cheapest = (w->one_zone ? 1 : 0.5) * w->min_weight;
	for (size_t j = 0; j < w->m; j++) {
		double d = w->h[j] - low, k = w->ic[j] + w->icc[w->core[j]];
		w->score[j] = d * d / k / cheapest; /* no move from here has more */
		heap_put(w, j, (uint32_t)j);
	}
	for (size_t i = w->m / 2; i-- > 0;)
		heap_sink(w, i);
}

/* The best move there is; the source stays on top of the heap. */
static struct pick best_move(struct place_work *w, const struct place_goal *g)
{
	for (;;) {
		uint32_t a = w->heap[0];
		if (w->score[a] <= 0)
			return PICK_NONE;
		struct pick x = source_best(w, g, (int)a);
		w->score[a] = x.score;
		heap_sink(w, 0);
		if (w->heap[0] == a)
			return x;
	}
}

/* The TOP units with the highest (sign 1) or lowest (-1) h, in order. */
static size_t units_extreme(const struct place_work *w, double sign, int *out)
{
	size_t n = 0;
	double h[TOP];
	for (int u = 0; u < (int)w->m; u++) {
		double x = sign * w->h[u];
		size_t i = n < TOP ? n : TOP - 1;
		if (n == TOP && x <= h[TOP - 1])
			continue;
		for (; i > 0 && h[i - 1] < x; i--) {
			out[i] = out[i - 1];
			h[i] = h[i - 1];
		}
		out[i] = u;
		h[i] = x;
		n += n < TOP;
	}
	return n;
}

static void swap_try(
	const struct place_work *w, const struct place_goal *g, uint32_t t, uint32_t u, struct pick *best)
{
	int a = w->at[t], z = w->at[u];
	double p = w->d[t] - w->d[u], gain = place_gain(w, p, a, z);
	if (p <= 0 || gain <= 0 || rests(w, u))
		return;
	double score = gain / (place_cost(w, t, a, z) + place_cost(w, u, z, a));
	if (score < g->min_score || score <= best->score || !place_safe(w, p, a, z))
		return;
	if (g->overload && !cures(w, p, a, z))
		return;
	if (place_ok(w, t, z) && place_ok(w, u, a))
		*best = (struct pick){t, u, z, score};
}

/* For each task of a the task of z that is smaller by what levels the two. Returns pairs looked at. */
static size_t pair_swaps(
	const struct place_work *w, const struct place_goal *g, int a, int z, struct pick *best)
{
	double k = w->ic[a] + w->ic[z] + w->icc[w->core[a]] + w->icc[w->core[z]];
	double want = (w->h[a] - w->h[z]) / k;
	uint32_t j = w->first[z], end = w->first[z + 1];
	for (uint32_t i = w->first[a]; i < w->first[a + 1]; i++) {
		uint32_t t = w->seg[i];
		if (rests(w, t))
			continue;
		while (j < end && w->d[w->seg[j]] < w->d[t] - want)
			j++;
		if (j < end)
			swap_try(w, g, t, w->seg[j], best);
		if (j > w->first[z])
			swap_try(w, g, t, w->seg[j - 1], best);
	}
	return w->first[a + 1] - w->first[a] + end - w->first[z];
}

/* The best swap between high and low units that beats `best`. */
static void best_swap(
	const struct place_work *w, const struct place_goal *g, size_t *budget, struct pick *best)
{
	int high[TOP], low[TOP];
	size_t n_high = units_extreme(w, 1, high), n_low = units_extreme(w, -1, low);
	for (size_t i = 0; i < n_high; i++) {
		for (size_t j = 0; j < n_low; j++) {
			double d = w->h[high[i]] - w->h[low[j]];
			double most = d * d / (w->ic[high[i]] + w->ic[low[j]]) / 2;
			if (d <= 0 || most <= best->score || most < g->min_score)
				break;
			if (g->overload && w->s[high[i]] * w->ic[high[i]] <= 100)
				break;
			size_t used = pair_swaps(w, g, high[i], low[j], best);
			if (used >= *budget) {
				*budget = 0;
				return;
			}
			*budget -= used;
		}
	}
}

static void pick_do(struct place_work *w, const struct pick *x)
{
	int a = w->at[x->t];
	if (x->u == UINT32_MAX) {
		place_take(w, x->t, x->to, -1);
	} else {
		place_take(w, x->t, x->to, (int)w->n_steps + 1);
		place_take(w, x->u, a, (int)w->n_steps - 1);
	}
}

/* The load of u has changed, and with it what it can give. */
static void source_update(struct place_work *w, const struct place_goal *g, int u)
{
	w->score[u] = source_best(w, g, u).score;
	heap_rise(w, w->heap_at[u]);
	heap_sink(w, w->heap_at[u]);
}

static double highest(const struct place_work *w)
{
	double top = -INFINITY;
	for (size_t j = 0; j < w->m; j++)
		top = max_of(w->h[j], top);
	return top;
}

/* Could any swap be worth more than `score`, and enough? */
static bool swap_hope(const struct place_work *w, const struct place_goal *g, double score)
{
	double d = highest(w) - w->h[place_lowest(w, 0, (uint32_t)w->m)];
	double most = d * d * w->widest / 4 / ((w->one_zone ? 1 : 0.5) * w->min_weight);
	return most > score && most >= g->min_score;
}

void place_greedy(struct place_work *w, const struct place_goal *g)
{
	size_t budget = SWAP_BUDGET;
	double f = place_f(w);
	heap_build(w);
	while (w->n_steps < g->max_steps && (g->overload || f > g->f)) {
		struct pick x = best_move(w, g);
		if (budget && w->n_steps + 2 <= g->max_steps && swap_hope(w, g, x.score))
			best_swap(w, g, &budget, &x);
		if (x.to < 0)
			break;
		int a = w->at[x.t];
		double p = w->d[x.t] - (x.u == UINT32_MAX ? 0 : w->d[x.u]);
		f -= place_gain(w, p, a, x.to);
		pick_do(w, &x);
		source_update(w, g, x.to);
		source_update(w, g, a);
	}
}
