/* SPDX-License-Identifier: MIT */
/* What no placement can beat. Both bounds relax the problem, so they hold whatever the allowed sets are:
 * one pours all demands as a liquid over the fixed loads; the other lets fixed loads wander like demands, but
 * keeps each whole: what exceeds a fair share of what is left sits alone. The larger of the two counts. */
#include <stdlib.h>
#include <string.h>

#include "vmtop/minmax.h"

#include "place.h"

static int level_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Units that no allowed set connects with others: positions lo .. hi-1, and the tasks that may be there. */
struct part {
	uint32_t lo, hi;
	const uint32_t *task; /* largest first */
	size_t n;
};

/* sorted[] = fixed load per pCPU and size of the units, lowest first. */
static void levels_sort(struct place_work *work, const struct part *part)
{
	size_t n = 0;
	for (uint32_t i = part->lo; i < part->hi; i++) {
		uint32_t unit = work->unit_at[i];
		work->sorted[n++] = work->fixed[unit] * work->inv[unit];
		work->sorted[n++] = 1 / work->inv[unit];
	}
	qsort(work->sorted, part->hi - part->lo, 2 * sizeof(double), level_compare);
}

static double bound_liquid(const struct place_work *work, const struct part *part)
{
	const double *lv = work->sorted;
	size_t m = part->hi - part->lo, j = 0;
	double size = 0, volume = 0;
	for (size_t i = 0; i < part->n; i++)
		volume += work->demand[part->task[i]];
	for (; j < m && (size == 0 || lv[2 * j] * size < volume); j++) {
		size += lv[2 * j + 1];
		volume += lv[2 * j] * lv[2 * j + 1];
	}
	double dev = volume / size - work->mean, q = size * dev * dev;
	for (; j < m; j++) {
		dev = lv[2 * j] - work->mean;
		q += dev * dev * lv[2 * j + 1];
	}
	return q;
}

/* Fixed loads as loads of whole units, tasks by demand, both from the largest: those above the fair share of
 * what is left sit alone. */
static double bound_whole(const struct place_work *work, const struct part *part)
{
	const double *lv = work->sorted;
	size_t m = part->hi - part->lo, t = 0, j = m;
	double left = 0, room = 0, largest = 0, q = 0, dev;
	for (size_t i = 0; i < part->n; i++)
		left += work->demand[part->task[i]];
	for (size_t i = 0; i < m; i++) {
		left += lv[2 * i] * lv[2 * i + 1];
		room += lv[2 * i + 1];
		largest = max_of(lv[2 * i + 1], largest);
	}
	for (;;) {
		double task = t < part->n ? work->demand[part->task[t]] : 0;
		double load = j > 0 ? lv[2 * (j - 1)] * lv[2 * j - 1] : 0;
		double top = max_of(load, task);
		if (top <= 0 || room <= largest || top * room <= left * largest)
			break;
		dev = top / largest - work->mean;
		q += dev * dev * largest;
		left -= top;
		room -= largest;
		if (load > task)
			j--;
		else
			t++;
	}
	dev = left / room - work->mean;
	return q + dev * dev * room;
}

/* heap[] by position: number of the part it belongs to. Returns how many there are. */
static uint32_t parts_find(struct place_work *work)
{
	uint32_t *part = work->heap, parts = 0;
	uint32_t reach = 0; /* positions below belong together with some before */
	memset(part, 0, work->n_units * sizeof(*part));
	for (size_t i = 0; i < work->n_tasks; i++) /* how far the sets that begin here reach */
		part[work->lo[i]] = max_of(work->hi[i], part[work->lo[i]]);
	for (uint32_t i = 0; i < work->n_units; i++) {
		uint32_t to = part[i];
		parts += i >= reach;
		reach = max_of(to, reach);
		if (reach <= i)
			reach = i + 1;
		part[i] = parts - 1;
	}
	return parts;
}

/* Tasks by part, largest first within each, into tmp[]; first task of each part into heap_at[]. */
static void parts_fill(struct place_work *work, uint32_t parts)
{
	uint32_t *start = work->heap_at, sum = 0;
	memset(start, 0, parts * sizeof(*start));
	for (size_t i = 0; i < work->n_tasks; i++)
		start[work->heap[work->lo[i]]]++;
	for (uint32_t k = 0; k < parts; k++) {
		uint32_t n = start[k];
		start[k] = sum;
		sum += n;
	}
	for (size_t i = 0; i < work->n_tasks; i++)
		work->tmp[start[work->heap[work->lo[work->order[i]]]]++] = work->order[i];
}

double place_bound_q(struct place_work *work)
{
	uint32_t parts = parts_find(work), done = 0;
	double q = 0;
	parts_fill(work, parts);
	struct part part = {0};
	for (uint32_t k = 0; k < parts; k++, part.lo = part.hi) {
		while (part.hi < work->n_units && work->heap[part.hi] == k)
			part.hi++;
		part.task = work->tmp + done;
		part.n = work->heap_at[k] - done;
		done = work->heap_at[k];
		levels_sort(work, &part);
		double a = bound_liquid(work, &part), b = bound_whole(work, &part);
		q += max_of(a, b);
	}
	return q;
}

/* Largest first. */
static int square_compare(const void *a, const void *b)
{
	return level_compare(b, a);
}

size_t place_bound_moves(struct place_work *work, double q)
{
	double *over = work->sorted, *under = work->sorted + work->n_units, rest = 0;
	size_t n_over = 0, n_under = 0, k = 0;
	for (size_t j = 0; j < work->n_units; j++) {
		double dev = work->start_load[j] * work->inv[j] - work->mean, sq = dev * dev / work->inv[j];
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
