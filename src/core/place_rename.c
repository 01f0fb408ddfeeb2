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

static bool names_are_free(const struct place_work *work)
{
	if (work->n_units > PLACE_RENAME_UNITS || work->n_tasks > UINT16_MAX || work->smt || !work->equal)
		return false;
	for (uint32_t task = 0; task < work->n_tasks; task++)
		if (!work->wide[task] || work->node_bound[task])
			return false;
	return true;
}

static bool interchangeable(const struct place_work *work, int a, int b)
{
	return work->llc_lo[a] == work->llc_lo[b] && fabs(work->fixed[a] - work->fixed[b]) < 0.5;
}

static void best_find(const struct place_work *work, struct names *names, int a)
{
	int best = PLACE_NONE;
	for (int b = 0; b < (int)work->n_units; b++)
		if (!names->taken[b] && (best < 0 || names->common[a][b] > names->common[a][best]) &&
			interchangeable(work, a, b))
			best = b;
	names->best[a] = best;
}

/* Gives the best free name that some unit can have; false: all have one. */
static bool name_next(const struct place_work *work, struct names *names)
{
	int from = PLACE_NONE;
	for (int a = 0; a < (int)work->n_units; a++)
		if (names->name[a] < 0 && names->best[a] >= 0 &&
			(from < 0 ||
				names->common[a][names->best[a]] > names->common[from][names->best[from]]))
			from = a;
	if (from < 0)
		return false;
	int to = names->name[from] = names->best[from];
	names->taken[to] = true;
	for (int a = 0; a < (int)work->n_units; a++)
		if (names->name[a] < 0 && names->best[a] == to)
			best_find(work, names, a);
	return true;
}

static void names_begin(const struct place_work *work, struct names *names, const int *unit)
{
	for (size_t j = 0; j < work->n_units; j++) {
		memset(names->common[j], 0, work->n_units * sizeof(names->common[j][0]));
		names->name[j] = PLACE_NONE;
		names->taken[j] = false;
	}
	for (uint32_t task = 0; task < work->n_tasks; task++)
		if (unit[task] >= 0 && work->home[task] >= 0)
			names->common[unit[task]][work->home[task]]++;
	for (size_t j = 0; j < work->n_units; j++)
		best_find(work, names, (int)j);
}

void place_rename(struct place_work *work, int *unit)
{
	struct names names;
	if (!names_are_free(work))
		return;
	names_begin(work, &names, unit);
	for (size_t j = 0; j < work->n_units; j++)
		if (!name_next(work, &names))
			return;
	for (uint32_t task = 0; task < work->n_tasks; task++)
		if (unit[task] >= 0)
			unit[task] = names.name[unit[task]];
}
