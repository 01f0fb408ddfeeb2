/* SPDX-License-Identifier: MIT */
/* The loads of the placement solvers: set, change, find the lowest. Invariant: s, sc, h and tree always
 * describe the same placement. Knows no policy and no thresholds. */
#include <string.h>

#include "vmtop/minmax.h"

#include "place.h"

static uint32_t tree_winner(const struct place_work *w, uint32_t a, uint32_t b)
{
	if (a >= w->m || b >= w->m)
		return min_of(a, b);
	double ha = w->h[w->unit_at[a]], hb = w->h[w->unit_at[b]];
	return hb < ha || (hb == ha && b < a) ? b : a;
}

static void tree_build(struct place_work *w)
{
	for (uint32_t i = 0; i < w->leaves; i++)
		w->tree[w->leaves + i] = i;
	for (size_t i = w->leaves - 1; i > 0; i--)
		w->tree[i] = tree_winner(w, w->tree[2 * i], w->tree[2 * i + 1]);
}

/* Up to where somebody else wins, as before. */
static void tree_update(struct place_work *w, uint32_t position)
{
	for (size_t i = (w->leaves + position) / 2; i > 0; i /= 2) {
		uint32_t was = w->tree[i];
		w->tree[i] = tree_winner(w, w->tree[2 * i], w->tree[2 * i + 1]);
		if (w->tree[i] == was && was != position)
			break;
	}
}

static void unit_weigh(struct place_work *w, int u)
{
	w->h[u] = w->s[u] * w->ic[u] + w->sc[w->core[u]] * w->icc[w->core[u]];
}

void place_set(struct place_work *w, const int *unit)
{
	memcpy(w->s, w->fixed, w->m * sizeof(*w->s));
	for (size_t i = 0; i < w->n; i++)
		if (unit[i] >= 0)
			w->s[unit[i]] += w->d[i];
	memset(w->sc, 0, w->m * sizeof(*w->sc));
	for (size_t j = 0; j < w->m; j++)
		w->sc[w->core[j]] += w->s[j];
	for (size_t j = 0; j < w->m; j++)
		unit_weigh(w, (int)j);
	tree_build(w);
}

void place_add(struct place_work *w, int u, double p)
{
	w->s[u] += p;
	int core = w->core[u];
	w->sc[core] += p;
	if (!w->smt) {
		unit_weigh(w, u);
		tree_update(w, w->pos[u]);
		return;
	}
	uint32_t i = w->pos[u];
	while (i > 0 && w->core[w->unit_at[i - 1]] == core)
		i--;
	for (; i < w->m && w->core[w->unit_at[i]] == core; i++) {
		unit_weigh(w, (int)w->unit_at[i]);
		tree_update(w, i);
	}
}

void place_take(struct place_work *w, uint32_t t, int z, int partner)
{
	if (w->at[t] >= 0)
		place_add(w, w->at[t], -w->d[t]);
	place_add(w, z, w->d[t]);
	w->steps[w->n_steps++] = (struct place_step){t, w->at[t], z, partner};
	w->at[t] = z;
}

int place_lowest(const struct place_work *w, uint32_t lo, uint32_t hi)
{
	if (lo >= hi)
		return PLACE_NONE;
	if (lo == 0 && hi == w->m)
		return (int)w->unit_at[w->tree[1]];
	uint32_t best = UINT32_MAX;
	for (size_t l = lo + w->leaves, r = hi + w->leaves; l < r; l /= 2, r /= 2) {
		if (l & 1)
			best = tree_winner(w, best, w->tree[l++]);
		if (r & 1)
			best = tree_winner(w, best, w->tree[--r]);
	}
	return (int)w->unit_at[best];
}

/* Of a set with few units: one by one. */
static int lowest_of_few(const struct place_work *w, uint32_t t, uint32_t lo, uint32_t hi)
{
	const struct cpuset *set = w->allowed[t];
	uint32_t best = UINT32_MAX;
	for (int u = cpuset_first(set); u >= 0 && u < (int)w->m; u = cpuset_next(set, u))
		if (w->pos[u] >= lo && w->pos[u] < hi)
			best = tree_winner(w, best, w->pos[u]);
	return best < w->m ? (int)w->unit_at[best] : PLACE_NONE;
}

/* Of a short range: one position after the other. */
static int lowest_in_range(const struct place_work *w, uint32_t t, uint32_t lo, uint32_t hi)
{
	const struct cpuset *set = w->allowed[t];
	uint32_t best = UINT32_MAX;
	for (uint32_t i = lo; i < hi; i++)
		if (cpuset_has(set, (int)w->unit_at[i]))
			best = tree_winner(w, best, i);
	return best < w->m ? (int)w->unit_at[best] : PLACE_NONE;
}

/* Of a set with holes: down the tree, leaving out subtrees whose lowest is not below the best so far. */
static int lowest_in_tree(const struct place_work *w, uint32_t t, uint32_t lo, uint32_t hi)
{
	const struct cpuset *set = w->allowed[t];
	uint32_t best = UINT32_MAX;
	struct {
		uint32_t node, first, span;
	} stack[2 * 32], x;
	size_t n = 1;
	stack[0].node = 1;
	stack[0].first = 0;
	stack[0].span = (uint32_t)w->leaves;
	while (n) {
		x = stack[--n];
		uint32_t top = w->tree[x.node];
		if (x.first >= hi || x.first + x.span <= lo || tree_winner(w, best, top) == best)
			continue;
		if (top >= lo && top < hi && cpuset_has(set, (int)w->unit_at[top])) {
			best = top;
			continue;
		}
		if (x.span == 1)
			continue;
		uint32_t half = x.span / 2, right = w->tree[2 * x.node] == top;
		for (int k = 0; k < 2; k++, right ^= 1) { /* the half with the lowest is looked at first */
			stack[n].node = 2 * x.node + right;
			stack[n].first = x.first + right * half;
			stack[n++].span = half;
		}
	}
	return best < w->m ? (int)w->unit_at[best] : PLACE_NONE;
}

int place_lowest_ok(const struct place_work *w, uint32_t t, uint32_t lo, uint32_t hi)
{
	enum { SHORT = 24 };
	lo = max_of(w->lo[t], lo);
	hi = min_of(w->hi[t], hi);
	if (w->node_bound[t] && w->node_lo[w->home[t]] > lo)
		lo = w->node_lo[w->home[t]];
	if (w->node_bound[t] && w->node_hi[w->home[t]] < hi)
		hi = w->node_hi[w->home[t]];
	if (lo >= hi)
		return PLACE_NONE;
	if (w->exact[t])
		return place_lowest(w, lo, hi);
	if (hi - lo <= SHORT)
		return lowest_in_range(w, t, lo, hi);
	return w->few[t] ? lowest_of_few(w, t, lo, hi) : lowest_in_tree(w, t, lo, hi);
}
