/* SPDX-License-Identifier: MIT */
/* From a whole placement to the steps that lead there: in which order, which of them together, and without
 * those that do not pay. Invariant: the steps there are lead from home[] to at[]. Knows no goals. */
#include <math.h>
#include <string.h>

#include "place.h"

/* Tasks that still have to go are in tmp[]; one that has gone in the meantime is dropped. Which of them gains
 * most; UINT32_MAX: none is left. */
static uint32_t step_best(struct place_work *work, const int *unit, size_t *n, double *gain)
{
	uint32_t best = UINT32_MAX;
	size_t kept = 0;
	*gain = -INFINITY;
	for (size_t i = 0; i < *n; i++) {
		uint32_t task = work->tmp[i];
		if (unit[task] == work->at[task])
			continue;
		work->tmp[kept++] = task;
		double g = place_gain(work, work->demand[task], work->at[task], unit[task]);
		if (g > *gain) {
			*gain = g;
			best = task;
		}
	}
	*n = kept;
	return best;
}

/* The task that goes the opposite way, if that is how task pays. */
static uint32_t step_partner(const struct place_work *work, const int *unit, size_t n, uint32_t task)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t u = work->tmp[i];
		if (u != task && unit[u] == work->at[task] && work->at[u] == unit[task])
			return u;
	}
	return UINT32_MAX;
}

/* Those that are not at home in `unit`, into tmp[]. */
static size_t moved_find(struct place_work *work, const int *unit)
{
	size_t n = 0;
	for (uint32_t task = 0; task < work->n_tasks; task++)
		if (unit[task] != work->home[task] && unit[task] >= 0 && work->home[task] >= 0)
			work->tmp[n++] = task;
	return n;
}

void place_steps_to(struct place_work *work, const int *unit)
{
	double gain;
	memcpy(work->other, unit, work->n_tasks * sizeof(*unit));
	place_reset(work);
	size_t n = moved_find(work, work->other);
	for (uint32_t task; (task = step_best(work, work->other, &n, &gain)) != UINT32_MAX;) {
		uint32_t u = gain > 0 ? UINT32_MAX : step_partner(work, work->other, n, task);
		int from = work->at[task], to = work->other[task];
		place_take(work, task, to, u == UINT32_MAX ? -1 : (int)work->n_steps + 1);
		if (u != UINT32_MAX)
			place_take(work, u, from, (int)work->n_steps - 1);
	}
}

/* Sends tasks back home, the one first that F misses least for its cost, while that is less than min_score.
 * Returns whether there was any. */
static bool send_back(struct place_work *work, int *unit, double min_score)
{
	size_t n = moved_find(work, unit), was = n;
	while (n) {
		double least = INFINITY;
		size_t at = 0;
		for (size_t i = 0; i < n; i++) {
			uint32_t task = work->tmp[i];
			double back = -place_gain(work, work->demand[task], unit[task], work->home[task]);
			double worth = back / place_cost(work, task, work->home[task], unit[task]);
			if (worth < least) {
				least = worth;
				at = i;
			}
		}
		if (least >= min_score)
			break;
		uint32_t task = work->tmp[at];
		place_add(work, unit[task], -work->demand[task]);
		place_add(work, work->home[task], work->demand[task]);
		unit[task] = work->home[task];
		work->tmp[at] = work->tmp[--n];
	}
	return n < was;
}

void place_steps_worth(struct place_work *work, int *unit, double min_score)
{
	place_set(work, unit);
	send_back(work, unit, min_score);
	place_steps_to(work, unit);
}

void place_prune(struct place_work *work, double min_score)
{
	memcpy(work->best, work->at, work->n_tasks * sizeof(*work->best));
	if (send_back(work, work->best, min_score))
		place_steps_to(work, work->best);
}

void place_cut(struct place_work *work, size_t steps)
{
	if (steps >= work->n_steps)
		return;
	if (steps > 0 && work->steps[steps - 1].partner >= (int)steps)
		steps--;
	memcpy(work->best, work->home, work->n_tasks * sizeof(*work->best));
	for (size_t i = 0; i < steps; i++)
		work->best[work->steps[i].task] = work->steps[i].to;
	place_steps_to(work, work->best);
}
