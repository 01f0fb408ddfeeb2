/* SPDX-License-Identifier: MIT */
/* Placements from scratch, to know what is attainable: longest first (LPT), MULTIFIT, and descent by moves
 * and swaps. Where the tasks are now plays no part; allowed sets and fixed loads do. Leaves the loads of the
 * best one set; the caller resets. */
#include <math.h>
#include <string.h>

#include "vmtop/minmax.h"

#include "place.h"

static void loads_clear(struct place_work *w)
{
	for (size_t i = 0; i < w->n; i++)
		w->try[i] = PLACE_NONE;
	place_set(w, w->try);
}

/* Where F rises least. With equal units that is the lowest h. */
static int unit_cheapest(const struct place_work *w, uint32_t t)
{
	if (w->equal)
		return place_lowest_ok(w, t, 0, (uint32_t)w->m);
	int best = PLACE_NONE;
	double least = INFINITY, p = w->d[t];
	for (int u = 0; u < (int)w->m; u++) {
		double rise = 2 * p * w->h[u] + p * p * (w->ic[u] + w->icc[w->core[u]]);
		if (rise < least && place_ok(w, t, u)) {
			least = rise;
			best = u;
		}
	}
	return best;
}

double place_lpt(struct place_work *w, int *unit)
{
	loads_clear(w);
	for (size_t i = 0; i < w->n; i++) {
		uint32_t t = w->order[i];
		unit[t] = unit_cheapest(w, t);
		if (unit[t] >= 0)
			place_add(w, unit[t], w->d[t]);
	}
	return place_f(w);
}

/* First unit, in order, that stays at or below `roof` with t on it. */
static int unit_first_fit(const struct place_work *w, uint32_t t, double roof)
{
	for (uint32_t i = 0; i < w->m; i++) {
		int u = (int)w->unit_at[i];
		if ((w->s[u] + w->d[t]) * w->ic[u] <= roof && place_ok(w, t, u))
			return u;
	}
	return PLACE_NONE;
}

/* First fit, largest first, under a roof; the loads need no tree while it runs. */
static bool first_fit(struct place_work *w, int *unit, double roof)
{
	memcpy(w->s, w->fixed, w->m * sizeof(*w->s));
	for (size_t i = 0; i < w->n; i++) {
		uint32_t t = w->order[i];
		int u = unit_first_fit(w, t, roof);
		if (u < 0)
			return false;
		unit[t] = u;
		w->s[u] += w->d[t];
	}
	return true;
}

/* unit[] must hold a placement: it is replaced when one with a lower roof is found. */
double place_multifit(struct place_work *w, int *unit)
{
	place_set(w, unit);
	double lo = w->mean, hi = 0;
	for (size_t j = 0; j < w->m; j++)
		hi = fmax(hi, w->s[j] * w->ic[j]);
	for (int round = 0; round < 12 && hi - lo > 1e-3 * hi; round++) {
		double roof = (lo + hi) / 2;
		if (first_fit(w, w->try, roof)) {
			hi = roof;
			memcpy(unit, w->try, w->n * sizeof(*unit));
		} else {
			lo = roof;
		}
	}
	place_set(w, unit);
	return place_f(w);
}

struct exchange {
	uint32_t a, b; /* b UINT32_MAX: a plain move */
	int to;
	double gain;
};

static void exchange_try(
	const struct place_work *w, const int *unit, uint32_t a, uint32_t b, struct exchange *x)
{
	int ua = unit[a], ub = unit[b];
	double g = place_gain(w, w->d[a] - w->d[b], ua, ub);
	if (g > x->gain && place_ok(w, a, ub) && place_ok(w, b, ua))
		*x = (struct exchange){a, b, ub, g};
}

/* By unit: no move or swap with the unit `from` gains more. Returns whether any may gain more than `least`.
 */
static bool hopes_find(struct place_work *w, int from, double least)
{
	bool any = false;
	for (int u = 0; u < (int)w->m; u++) {
		w->score[u] = u == from ? 0 : place_gain_most(w, from, u);
		any |= w->score[u] > least;
	}
	return any;
}

/* Best move or swap of task a that gains more than `least`. */
static struct exchange exchange_best(struct place_work *w, const int *unit, uint32_t a, double least)
{
	struct exchange x = {a, UINT32_MAX, PLACE_NONE, least};
	if (unit[a] < 0 || !hopes_find(w, unit[a], x.gain))
		return x;
	for (int u = 0; u < (int)w->m; u++) {
		double g = w->score[u] > x.gain ? place_gain(w, w->d[a], unit[a], u) : 0;
		if (g > x.gain && place_ok(w, a, u))
			x = (struct exchange){a, UINT32_MAX, u, g};
	}
	for (uint32_t b = 0; b < w->n; b++)
		if (unit[b] >= 0 && w->score[unit[b]] > x.gain)
			exchange_try(w, unit, a, b, &x);
	return x;
}

static void exchange_do(struct place_work *w, int *unit, const struct exchange *x)
{
	int from = unit[x->a];
	double p = w->d[x->a];
	if (x->b != UINT32_MAX) {
		p -= w->d[x->b];
		unit[x->b] = from;
	}
	unit[x->a] = x->to;
	place_add(w, from, -p);
	place_add(w, x->to, p);
}

double place_descend(struct place_work *w, int *unit, const struct place_enough *e, size_t budget)
{
	place_set(w, unit);
	double f = place_f(w);
	bool better = true;
	while (better && budget) {
		better = false;
		for (size_t i = 0; i < w->n && budget && f > e->f; i++) {
			struct exchange x = exchange_best(w, unit, w->order[i], fmax(e->gain, 1e-6));
			budget -= min_of(budget, w->n + w->m);
			if (x.to < 0)
				continue;
			exchange_do(w, unit, &x);
			f -= x.gain;
			better = true;
		}
	}
	return place_f(w);
}

double place_found(struct place_work *w, const struct place_enough *e)
{
	enum { DESCENT = 1 << 18 };
	double f = place_lpt(w, w->best);
	if (f <= e->f)
		return f;
	f = place_descend(w, w->best, e, DESCENT);
	if (f <= e->f || w->n * w->m > DESCENT)
		return f;
	memcpy(w->other, w->best, w->n * sizeof(*w->other));
	place_multifit(w, w->other);
	if (memcmp(w->other, w->best, w->n * sizeof(*w->other)) == 0)
		return f;
	double g = place_descend(w, w->other, e, DESCENT);
	if (g < f)
		memcpy(w->best, w->other, w->n * sizeof(*w->best));
	return fmin(f, g);
}
