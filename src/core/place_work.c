/* SPDX-License-Identifier: MIT */
/* The loads of the placement solvers: set, change, find the lowest. Invariant: s, sc, h and tree always
 * describe the same placement. Knows no policy and no thresholds. */
#include <string.h>

#include "vmtop/minmax.h"

#include "place.h"

static uint32_t tree_winner(const struct place_work *work, uint32_t a, uint32_t b)
{
	if (a >= work->n_units || b >= work->n_units)
		return min_of(a, b);
	double ha = work->level[work->unit_at[a]], hb = work->level[work->unit_at[b]];
	return hb < ha || (hb == ha && b < a) ? b : a;
}

static void tree_build(struct place_work *work)
{
	for (uint32_t i = 0; i < work->leaves; i++)
		work->tree[work->leaves + i] = i;
	for (size_t i = work->leaves - 1; i > 0; i--)
		work->tree[i] = tree_winner(work, work->tree[2 * i], work->tree[2 * i + 1]);
}

/* Up to where somebody else wins, as before. */
static void tree_update(struct place_work *work, uint32_t position)
{
	for (size_t i = (work->leaves + position) / 2; i > 0; i /= 2) {
		uint32_t was = work->tree[i];
		work->tree[i] = tree_winner(work, work->tree[2 * i], work->tree[2 * i + 1]);
		if (work->tree[i] == was && was != position)
			break;
	}
}

static void unit_weigh(struct place_work *work, int unit)
{
	work->level[unit] = work->load[unit] * work->inv[unit] +
			    work->core_load[work->core[unit]] * work->core_inv[work->core[unit]];
}

void place_set(struct place_work *work, const int *unit)
{
	memcpy(work->load, work->fixed, work->n_units * sizeof(*work->load));
	for (size_t i = 0; i < work->n_tasks; i++)
		if (unit[i] >= 0)
			work->load[unit[i]] += work->demand[i];
	memset(work->core_load, 0, work->n_units * sizeof(*work->core_load));
	for (size_t j = 0; j < work->n_units; j++)
		work->core_load[work->core[j]] += work->load[j];
	for (size_t j = 0; j < work->n_units; j++)
		unit_weigh(work, (int)j);
	tree_build(work);
}

void place_add(struct place_work *work, int unit, double p)
{
	work->load[unit] += p;
	int core = work->core[unit];
	work->core_load[core] += p;
	if (!work->smt) {
		unit_weigh(work, unit);
		tree_update(work, work->pos[unit]);
		return;
	}
	uint32_t i = work->pos[unit];
	while (i > 0 && work->core[work->unit_at[i - 1]] == core)
		i--;
	for (; i < work->n_units && work->core[work->unit_at[i]] == core; i++) {
		unit_weigh(work, (int)work->unit_at[i]);
		tree_update(work, i);
	}
}

void place_take(struct place_work *work, uint32_t task, int z, int partner)
{
	if (work->at[task] >= 0)
		place_add(work, work->at[task], -work->demand[task]);
	place_add(work, z, work->demand[task]);
	work->steps[work->n_steps++] = (struct place_step){task, work->at[task], z, partner};
	work->at[task] = z;
}

int place_lowest(const struct place_work *work, uint32_t lo, uint32_t hi)
{
	if (lo >= hi)
		return PLACE_NONE;
	if (lo == 0 && hi == work->n_units)
		return (int)work->unit_at[work->tree[1]];
	uint32_t best = UINT32_MAX;
	for (size_t l = lo + work->leaves, r = hi + work->leaves; l < r; l /= 2, r /= 2) {
		if (l & 1)
			best = tree_winner(work, best, work->tree[l++]);
		if (r & 1)
			best = tree_winner(work, best, work->tree[--r]);
	}
	return (int)work->unit_at[best];
}

/* Of a set with few units: one by one. */
static int lowest_of_few(const struct place_work *work, uint32_t task, uint32_t lo, uint32_t hi)
{
	const struct cpuset *set = work->allowed[task];
	uint32_t best = UINT32_MAX;
	for (int unit = cpuset_first(set); unit >= 0 && unit < (int)work->n_units;
		unit = cpuset_next(set, unit))
		if (work->pos[unit] >= lo && work->pos[unit] < hi)
			best = tree_winner(work, best, work->pos[unit]);
	return best < work->n_units ? (int)work->unit_at[best] : PLACE_NONE;
}

/* Of a short range: one position after the other. */
static int lowest_in_range(const struct place_work *work, uint32_t task, uint32_t lo, uint32_t hi)
{
	const struct cpuset *set = work->allowed[task];
	uint32_t best = UINT32_MAX;
	for (uint32_t i = lo; i < hi; i++)
		if (cpuset_has(set, (int)work->unit_at[i]))
			best = tree_winner(work, best, i);
	return best < work->n_units ? (int)work->unit_at[best] : PLACE_NONE;
}

/* Of a set with holes: down the tree, leaving out subtrees whose lowest is not below the best so far. */
static int lowest_in_tree(const struct place_work *work, uint32_t task, uint32_t lo, uint32_t hi)
{
	const struct cpuset *set = work->allowed[task];
	uint32_t best = UINT32_MAX;
	struct {
		uint32_t node, first, span;
	} stack[2 * 32], x;
	size_t n = 1;
	stack[0].node = 1;
	stack[0].first = 0;
	stack[0].span = (uint32_t)work->leaves;
	while (n) {
		x = stack[--n];
		uint32_t top = work->tree[x.node];
		if (x.first >= hi || x.first + x.span <= lo || tree_winner(work, best, top) == best)
			continue;
		if (top >= lo && top < hi && cpuset_has(set, (int)work->unit_at[top])) {
			best = top;
			continue;
		}
		if (x.span == 1)
			continue;
		uint32_t half = x.span / 2, right = work->tree[2 * x.node] == top;
		for (int k = 0; k < 2; k++, right ^= 1) { /* the half with the lowest is looked at first */
			stack[n].node = 2 * x.node + right;
			stack[n].first = x.first + right * half;
			stack[n++].span = half;
		}
	}
	return best < work->n_units ? (int)work->unit_at[best] : PLACE_NONE;
}

int place_lowest_ok(const struct place_work *work, uint32_t task, uint32_t lo, uint32_t hi)
{
	enum { SHORT = 24 };
	lo = max_of(work->lo[task], lo);
	hi = min_of(work->hi[task], hi);
	if (work->node_bound[task] && work->node_lo[work->home[task]] > lo)
		lo = work->node_lo[work->home[task]];
	if (work->node_bound[task] && work->node_hi[work->home[task]] < hi)
		hi = work->node_hi[work->home[task]];
	if (lo >= hi)
		return PLACE_NONE;
	if (work->exact[task])
		return place_lowest(work, lo, hi);
	if (hi - lo <= SHORT)
		return lowest_in_range(work, task, lo, hi);
	return work->few[task] ? lowest_of_few(work, task, lo, hi) : lowest_in_tree(work, task, lo, hi);
}
