/* SPDX-License-Identifier: MIT */
/* Placements from scratch, to know what is attainable: longest first (LPT), MULTIFIT, and descent by moves
 * and swaps. Where the tasks are now plays no part; allowed sets and fixed loads do. Leaves the loads of the
 * best one set; the caller resets. */
#include <math.h>
#include <string.h>

#include "vmtop/minmax.h"

#include "place.h"

static void loads_clear(struct place_work *work)
{
	for (size_t i = 0; i < work->n_tasks; i++)
		work->try[i] = PLACE_NONE;
	place_set(work, work->try);
}

/* Where F rises least. With equal units that is the lowest h. */
static int unit_cheapest(const struct place_work *work, uint32_t task)
{
	if (work->equal)
		return place_lowest_ok(work, task, 0, (uint32_t)work->n_units);
	int best = PLACE_NONE;
	double least = INFINITY, p = work->demand[task];
	for (int unit = 0; unit < (int)work->n_units; unit++) {
		double rise = 2 * p * work->level[unit] +
			      p * p * (work->inv[unit] + work->core_inv[work->core[unit]]);
		if (rise < least && place_ok(work, task, unit)) {
			least = rise;
			best = unit;
		}
	}
	return best;
}

double place_lpt(struct place_work *work, int *unit)
{
	loads_clear(work);
	for (size_t i = 0; i < work->n_tasks; i++) {
		uint32_t task = work->order[i];
		unit[task] = unit_cheapest(work, task);
		if (unit[task] >= 0)
			place_add(work, unit[task], work->demand[task]);
	}
	return place_f(work);
}

/* First unit, in order, that stays at or below `roof` with task on it. */
static int unit_first_fit(const struct place_work *work, uint32_t task, double roof)
{
	for (uint32_t i = 0; i < work->n_units; i++) {
		int unit = (int)work->unit_at[i];
		if ((work->load[unit] + work->demand[task]) * work->inv[unit] <= roof &&
			place_ok(work, task, unit))
			return unit;
	}
	return PLACE_NONE;
}

/* First fit, largest first, under a roof; the loads need no tree while it runs. */
static bool first_fit(struct place_work *work, int *unit, double roof)
{
	memcpy(work->load, work->fixed, work->n_units * sizeof(*work->load));
	for (size_t i = 0; i < work->n_tasks; i++) {
		uint32_t task = work->order[i];
		int u = unit_first_fit(work, task, roof);
		if (u < 0)
			return false;
		unit[task] = u;
		work->load[u] += work->demand[task];
	}
	return true;
}

/* unit[] must hold a placement: it is replaced when one with a lower roof is found. */
double place_multifit(struct place_work *work, int *unit)
{
	place_set(work, unit);
	double lo = work->mean, hi = 0;
	for (size_t j = 0; j < work->n_units; j++)
		hi = fmax(hi, work->load[j] * work->inv[j]);
	for (int round = 0; round < 12 && hi - lo > 1e-3 * hi; round++) {
		double roof = (lo + hi) / 2;
		if (first_fit(work, work->try, roof)) {
			hi = roof;
			memcpy(unit, work->try, work->n_tasks * sizeof(*unit));
		} else {
			lo = roof;
		}
	}
	place_set(work, unit);
	return place_f(work);
}

struct exchange {
	uint32_t a, b; /* b UINT32_MAX: a plain move */
	int to;
	double gain;
};

static void exchange_try(
	const struct place_work *work, const int *unit, uint32_t a, uint32_t b, struct exchange *exchange)
{
	int ua = unit[a], ub = unit[b];
	double g = place_gain(work, work->demand[a] - work->demand[b], ua, ub);
	if (g > exchange->gain && place_ok(work, a, ub) && place_ok(work, b, ua))
		*exchange = (struct exchange){a, b, ub, g};
}

/* By unit: no move or swap with the unit `from` gains more. Returns whether any may gain more than `least`.
 */
static bool hopes_find(struct place_work *work, int from, double least)
{
	bool any = false;
	for (int unit = 0; unit < (int)work->n_units; unit++) {
		work->score[unit] = unit == from ? 0 : place_gain_most(work, from, unit);
		any |= work->score[unit] > least;
	}
	return any;
}

/* Best move or swap of task a that gains more than `least`. */
static struct exchange exchange_best(struct place_work *work, const int *unit, uint32_t a, double least)
{
	struct exchange exchange = {a, UINT32_MAX, PLACE_NONE, least};
	if (unit[a] < 0 || !hopes_find(work, unit[a], exchange.gain))
		return exchange;
	for (int u = 0; u < (int)work->n_units; u++) {
		double g = work->score[u] > exchange.gain ? place_gain(work, work->demand[a], unit[a], u) : 0;
		if (g > exchange.gain && place_ok(work, a, u))
			exchange = (struct exchange){a, UINT32_MAX, u, g};
	}
	for (uint32_t b = 0; b < work->n_tasks; b++)
		if (unit[b] >= 0 && work->score[unit[b]] > exchange.gain)
			exchange_try(work, unit, a, b, &exchange);
	return exchange;
}

static void exchange_do(struct place_work *work, int *unit, const struct exchange *exchange)
{
	int from = unit[exchange->a];
	double p = work->demand[exchange->a];
	if (exchange->b != UINT32_MAX) {
		p -= work->demand[exchange->b];
		unit[exchange->b] = from;
	}
	unit[exchange->a] = exchange->to;
	place_add(work, from, -p);
	place_add(work, exchange->to, p);
}

double place_descend(struct place_work *work, int *unit, const struct place_enough *enough, size_t budget)
{
	place_set(work, unit);
	double f = place_f(work);
	bool better = true;
	while (better && budget) {
		better = false;
		for (size_t i = 0; i < work->n_tasks && budget && f > enough->f; i++) {
			struct exchange exchange =
				exchange_best(work, unit, work->order[i], fmax(enough->gain, 1e-6));
			budget -= min_of(budget, work->n_tasks + work->n_units);
			if (exchange.to < 0)
				continue;
			exchange_do(work, unit, &exchange);
			f -= exchange.gain;
			better = true;
		}
	}
	return place_f(work);
}

double place_found(struct place_work *work, const struct place_enough *enough)
{
	enum { DESCENT = 1 << 18 };
	double f = place_lpt(work, work->best);
	if (f <= enough->f)
		return f;
	f = place_descend(work, work->best, enough, DESCENT);
	if (f <= enough->f || work->n_tasks * work->n_units > DESCENT)
		return f;
	memcpy(work->other, work->best, work->n_tasks * sizeof(*work->other));
	place_multifit(work, work->other);
	if (memcmp(work->other, work->best, work->n_tasks * sizeof(*work->other)) == 0)
		return f;
	double g = place_descend(work, work->other, enough, DESCENT);
	if (g < f)
		memcpy(work->best, work->other, work->n_tasks * sizeof(*work->best));
	return fmin(f, g);
}
