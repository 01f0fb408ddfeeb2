/* SPDX-License-Identifier: MIT */
/* What no placement can beat. Both bounds relax the problem, so they hold whatever the allowed sets are:
 * one pours all demands as a liquid over the fixed loads; the other lets fixed loads wander like demands, but
 * keeps each whole: what exceeds a fair share of what is left sits alone. The larger of the two counts. */
#include <stdlib.h>

#include "place.h"

static int level_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* sorted[] = fixed load per pCPU and size of the unit, lowest first. */
static void levels_sort(struct place_work *w)
{
	for (size_t j = 0; j < w->m; j++) {
		w->sorted[2 * j] = w->fixed[j] * w->ic[j];
		w->sorted[2 * j + 1] = 1 / w->ic[j];
	}
	qsort(w->sorted, w->m, 2 * sizeof(double), level_compare);
}

static double bound_liquid(const struct place_work *w, double liquid)
{
	const double *lv = w->sorted;
	double size = 0, volume = liquid, q = 0;
	size_t j = 0;
	while (j < w->m && (size == 0 || lv[2 * j] * size < volume)) {
		size += lv[2 * j + 1];
		volume += lv[2 * j] * lv[2 * j + 1];
		j++;
	}
	double dev = volume / size - w->mean;
	q = size * dev * dev;
	for (; j < w->m; j++) {
		dev = lv[2 * j] - w->mean;
		q += dev * dev * lv[2 * j + 1];
	}
	return q;
}

/* Fixed loads as loads of whole units, tasks by demand, both from the largest: those above the fair share of
 * what is left sit alone. */
static double bound_whole(const struct place_work *w, double largest_unit)
{
	double left = w->total, room = w->pcpus, q = 0;
	size_t t = 0, j = w->m;
	for (;;) {
		double task = t < w->n ? w->d[w->order[t]] : 0;
		double load = j > 0 ? w->sorted[2 * (j - 1)] * w->sorted[2 * j - 1] : 0;
		bool is_load = load > task;
		double top = is_load ? load : task;
		if (top <= 0 || room <= largest_unit || top * room <= left * largest_unit)
			break;
		double dev = top / largest_unit - w->mean;
		q += dev * dev * largest_unit;
		left -= top;
		room -= largest_unit;
		if (is_load)
			j--;
		else
			t++;
	}
	double dev = left / room - w->mean;
	return q + dev * dev * room;
}

double place_bound_q(struct place_work *w)
{
	double liquid = 0, largest = 0;
	for (size_t i = 0; i < w->n; i++)
		liquid += w->d[i];
	for (size_t j = 0; j < w->m; j++)
		largest = 1 / w->ic[j] > largest ? 1 / w->ic[j] : largest;
	levels_sort(w);
	double a = bound_liquid(w, liquid), b = bound_whole(w, largest);
	return a > b ? a : b;
}

/* Largest first. */
static int square_compare(const void *a, const void *b)
{
	return level_compare(b, a);
}

size_t place_bound_moves(struct place_work *w, double q)
{
	double *over = w->sorted, *under = w->sorted + w->m, rest = 0;
	size_t n_over = 0, n_under = 0, k = 0;
	for (size_t j = 0; j < w->m; j++) {
		double dev = w->s0[j] * w->ic[j] - w->mean, sq = dev * dev / w->ic[j];
		rest += sq;
		if (dev > 0)
			over[n_over++] = sq;
		else
			under[n_under++] = sq;
	}
	qsort(over, n_over, sizeof(*over), square_compare);
	qsort(under, n_under, sizeof(*under), square_compare);
	for (; rest > q * (1 + 1e-9) + 1e-9 && k < n_over + n_under; k++)
		rest -= (k < n_over ? over[k] : 0) + (k < n_under ? under[k] : 0);
	return k;
}
