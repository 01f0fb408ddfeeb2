/* SPDX-License-Identifier: MIT */
/* Which unit is which in a placement from scratch is arbitrary. Names are given so that few tasks have to
 * move: pairs of old and new unit that have most tasks in common first. Knows no goals and costs. */
#include <math.h>
#include <string.h>

#include "place.h"

/* in common[a][b]: tasks that the placement has on a and that are at home on b. */
struct names {
	uint16_t common[PLACE_RENAME_UNITS][PLACE_RENAME_UNITS];
	int name[PLACE_RENAME_UNITS];
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

/* Gives the best free name that some unit can have; false: all have one. */
static bool name_next(const struct place_work *w, struct names *x)
{
	int best = -1, from = -1, to = -1;
	for (int a = 0; a < (int)w->m; a++) {
		if (x->name[a] >= 0)
			continue;
		for (int b = 0; b < (int)w->m; b++) {
			if (x->taken[b] || x->common[a][b] <= best || !interchangeable(w, a, b))
				continue;
			best = x->common[a][b];
			from = a;
			to = b;
		}
	}
	if (from < 0)
		return false;
	x->name[from] = to;
	x->taken[to] = true;
	return true;
}

void place_rename(struct place_work *w, int *unit)
{
	struct names x;
	if (!names_are_free(w))
		return;
	memset(&x, 0, sizeof(x));
	for (size_t j = 0; j < w->m; j++)
		x.name[j] = PLACE_NONE;
	for (uint32_t t = 0; t < w->n; t++)
		if (unit[t] >= 0 && w->home[t] >= 0)
			x.common[unit[t]][w->home[t]]++;
	for (size_t j = 0; j < w->m; j++)
		if (!name_next(w, &x))
			return;
	for (uint32_t t = 0; t < w->n; t++)
		if (unit[t] >= 0)
			unit[t] = x.name[unit[t]];
}
