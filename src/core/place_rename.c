/* SPDX-License-Identifier: MIT */
/* Which unit is which in a placement from scratch is arbitrary. Names are given so that few tasks have to
 * move: pairs of old and new unit that have most tasks in common first. Knows no goals and costs. */
#include <math.h>
#include <string.h>

#include "place.h"

/* in common[a][b]: tasks that the placement has on a and that are at home on b. */
struct names {
	uint16_t common[PLACE_RENAME_UNITS][PLACE_RENAME_UNITS];
	int name[PLACE_RENAME_UNITS],
		best[PLACE_RENAME_UNITS]; /* PLACE_NONE; of a: free b with most in common */
	bool taken[PLACE_RENAME_UNITS];
};

static bool names_are_free(const struct place_work *w)
{
	if (w->m > PLACE_RENAME_UNITS || w->n > UINT16_MAX || w->smt || !w->equal)
		return false;
	for (uint32_t t = 0; t < w->n; t++)
		if (!w->wide[t] || w->node_bound[t])
			return false;
	return true;
}

static bool interchangeable(const struct place_work *w, int a, int b)
{
	return w->llc_lo[a] == w->llc_lo[b] && fabs(w->fixed[a] - w->fixed[b]) < 0.5;
}

static void best_find(const struct place_work *w, struct names *x, int a)
{
	int best = PLACE_NONE;
	for (int b = 0; b < (int)w->m; b++)
		if (!x->taken[b] && (best < 0 || x->common[a][b] > x->common[a][best]) &&
			interchangeable(w, a, b))
			best = b;
	x->best[a] = best;
}

/* Gives the best free name that some unit can have; false: all have one. */
static bool name_next(const struct place_work *w, struct names *x)
{
	int from = PLACE_NONE;
	for (int a = 0; a < (int)w->m; a++)
		if (x->name[a] < 0 && x->best[a] >= 0 &&
			(from < 0 || x->common[a][x->best[a]] > x->common[from][x->best[from]]))
			from = a;
	if (from < 0)
		return false;
	int to = x->name[from] = x->best[from];
	x->taken[to] = true;
	for (int a = 0; a < (int)w->m; a++)
		if (x->name[a] < 0 && x->best[a] == to)
			best_find(w, x, a);
	return true;
}

static void names_begin(const struct place_work *w, struct names *x, const int *unit)
{
	for (size_t j = 0; j < w->m; j++) {
		memset(x->common[j], 0, w->m * sizeof(x->common[j][0]));
		x->name[j] = PLACE_NONE;
		x->taken[j] = false;
	}
	for (uint32_t t = 0; t < w->n; t++)
		if (unit[t] >= 0 && w->home[t] >= 0)
			x->common[unit[t]][w->home[t]]++;
	for (size_t j = 0; j < w->m; j++)
		best_find(w, x, (int)j);
}

void place_rename(struct place_work *w, int *unit)
{
	struct names x;
	if (!names_are_free(w))
		return;
	names_begin(w, &x, unit);
	for (size_t j = 0; j < w->m; j++)
		if (!name_next(w, &x))
			return;
	for (uint32_t t = 0; t < w->n; t++)
		if (unit[t] >= 0)
			unit[t] = x.name[unit[t]];
}
