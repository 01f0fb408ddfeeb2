/* SPDX-License-Identifier: MIT */
/* From a whole placement to the steps that lead there: in which order, which of them together, and without
 * those that do not pay. Invariant: the steps there are lead from home[] to at[]. Knows no goals. */
#include <math.h>
#include <string.h>

#include "place.h"

/* Tasks that still have to go are in tmp[]; one that has gone in the meantime is dropped. Which of them gains
 * most; UINT32_MAX: none is left. */
static uint32_t step_best(struct place_work *w, const int *unit, size_t *n, double *gain)
{
	uint32_t best = UINT32_MAX;
	size_t kept = 0;
	*gain = -INFINITY;
	for (size_t i = 0; i < *n; i++) {
		uint32_t t = w->tmp[i];
		if (unit[t] == w->at[t])
			continue;
		w->tmp[kept++] = t;
		double g = place_gain(w, w->d[t], w->at[t], unit[t]);
		if (g > *gain) {
			*gain = g;
			best = t;
		}
	}
	*n = kept;
	return best;
}

/* The task that goes the opposite way, if that is how t pays. */
static uint32_t step_partner(const struct place_work *w, const int *unit, size_t n, uint32_t t)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t u = w->tmp[i];
		if (u != t && unit[u] == w->at[t] && w->at[u] == unit[t])
			return u;
	}
	return UINT32_MAX;
}

/* Those that are not at home in `unit`, into tmp[]. */
static size_t moved_find(struct place_work *w, const int *unit)
{
	size_t n = 0;
	for (uint32_t t = 0; t < w->n; t++)
		if (unit[t] != w->home[t] && unit[t] >= 0 && w->home[t] >= 0)
			w->tmp[n++] = t;
	return n;
}

void place_steps_to(struct place_work *w, const int *unit)
{
	double gain;
	memcpy(w->other, unit, w->n * sizeof(*unit));
	place_reset(w);
	size_t n = moved_find(w, w->other);
	for (uint32_t t; (t = step_best(w, w->other, &n, &gain)) != UINT32_MAX;) {
		uint32_t u = gain > 0 ? UINT32_MAX : step_partner(w, w->other, n, t);
		int from = w->at[t], to = w->other[t];
		place_take(w, t, to, u == UINT32_MAX ? -1 : (int)w->n_steps + 1);
		if (u != UINT32_MAX)
			place_take(w, u, from, (int)w->n_steps - 1);
	}
}

/* Sends tasks back home, the one first that F misses least for its cost, while that is less than min_score.
 * Returns whether there was any. */
static bool send_back(struct place_work *w, int *unit, double min_score)
{
	size_t n = moved_find(w, unit), was = n;
	while (n) {
		double least = INFINITY;
		size_t at = 0;
		for (size_t i = 0; i < n; i++) {
			uint32_t t = w->tmp[i];
			double back = -place_gain(w, w->d[t], unit[t], w->home[t]);
			double worth = back / place_cost(w, t, w->home[t], unit[t]);
			if (worth < least) {
				least = worth;
				at = i;
			}
		}
		if (least >= min_score)
			break;
		uint32_t t = w->tmp[at];
		place_add(w, unit[t], -w->d[t]);
		place_add(w, w->home[t], w->d[t]);
		unit[t] = w->home[t];
		w->tmp[at] = w->tmp[--n];
	}
	return n < was;
}

void place_steps_worth(struct place_work *w, int *unit, double min_score)
{
	place_set(w, unit);
	send_back(w, unit, min_score);
	place_steps_to(w, unit);
}

void place_prune(struct place_work *w, double min_score)
{
	memcpy(w->best, w->at, w->n * sizeof(*w->best));
	if (send_back(w, w->best, min_score))
		place_steps_to(w, w->best);
}

void place_cut(struct place_work *w, size_t steps)
{
	if (steps >= w->n_steps)
		return;
	if (steps > 0 && w->steps[steps - 1].partner >= (int)steps)
		steps--;
	memcpy(w->best, w->home, w->n * sizeof(*w->best));
	for (size_t i = 0; i < steps; i++)
		w->best[w->steps[i].task] = w->steps[i].to;
	place_steps_to(w, w->best);
}
