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
static void levels_sort(struct place_work *w, const struct part *p)
{
	size_t n = 0;
	for (uint32_t i = p->lo; i < p->hi; i++) {
		uint32_t u = w->unit_at[i];
		w->sorted[n++] = w->fixed[u] * w->ic[u];
		w->sorted[n++] = 1 / w->ic[u];
	}
	qsort(w->sorted, p->hi - p->lo, 2 * sizeof(double), level_compare);
}

static double bound_liquid(const struct place_work *w, const struct part *p)
{
	const double *lv = w->sorted;
	size_t m = p->hi - p->lo, j = 0;
	double size = 0, volume = 0;
	for (size_t i = 0; i < p->n; i++)
		volume += w->d[p->task[i]];
	for (; j < m && (size == 0 || lv[2 * j] * size < volume); j++) {
		size += lv[2 * j + 1];
		volume += lv[2 * j] * lv[2 * j + 1];
	}
	double dev = volume / size - w->mean, q = size * dev * dev;
	for (; j < m; j++) {
		dev = lv[2 * j] - w->mean;
		q += dev * dev * lv[2 * j + 1];
	}
	return q;
}

/* Fixed loads as loads of whole units, tasks by demand, both from the largest: those above the fair share of
 * what is left sit alone. */
static double bound_whole(const struct place_work *w, const struct part *p)
{
	const double *lv = w->sorted;
	size_t m = p->hi - p->lo, t = 0, j = m;
	double left = 0, room = 0, largest = 0, q = 0, dev;
	for (size_t i = 0; i < p->n; i++)
		left += w->d[p->task[i]];
	for (size_t i = 0; i < m; i++) {
		left += lv[2 * i] * lv[2 * i + 1];
		room += lv[2 * i + 1];
		largest = max_of(lv[2 * i + 1], largest);
	}
	for (;;) {
		double task = t < p->n ? w->d[p->task[t]] : 0;
		double load = j > 0 ? lv[2 * (j - 1)] * lv[2 * j - 1] : 0;
		double top = max_of(load, task);
		if (top <= 0 || room <= largest || top * room <= left * largest)
			break;
		dev = top / largest - w->mean;
		q += dev * dev * largest;
		left -= top;
		room -= largest;
		if (load > task)
			j--;
		else
			t++;
	}
	dev = left / room - w->mean;
	return q + dev * dev * room;
}

/* heap[] by position: number of the part it belongs to. Returns how many there are. */
static uint32_t parts_find(struct place_work *w)
{
	uint32_t *part = w->heap, parts = 0;
	uint32_t reach = 0; /* positions below belong together with some before */
	memset(part, 0, w->m * sizeof(*part));
	for (size_t i = 0; i < w->n; i++) /* how far the sets that begin here reach */
		part[w->lo[i]] = max_of(w->hi[i], part[w->lo[i]]);
	for (uint32_t i = 0; i < w->m; i++) {
		uint32_t to = part[i];
		parts += i >= reach;
		reach = max_of(to, reach);
		reach = reach > i ? reach : i + 1;
		part[i] = parts - 1;
	}
	return parts;
}

/* Tasks by part, largest first within each, into tmp[]; first task of each part into heap_at[]. */
static void parts_fill(struct place_work *w, uint32_t parts)
{
	uint32_t *start = w->heap_at, sum = 0;
	memset(start, 0, parts * sizeof(*start));
	for (size_t i = 0; i < w->n; i++)
		start[w->heap[w->lo[i]]]++;
	for (uint32_t k = 0; k < parts; k++) {
		uint32_t n = start[k];
		start[k] = sum;
		sum += n;
	}
	for (size_t i = 0; i < w->n; i++)
		w->tmp[start[w->heap[w->lo[w->order[i]]]]++] = w->order[i];
}

double place_bound_q(struct place_work *w)
{
	uint32_t parts = parts_find(w), done = 0;
	double q = 0;
	parts_fill(w, parts);
	struct part p = {0};
	for (uint32_t k = 0; k < parts; k++, p.lo = p.hi) {
		while (p.hi < w->m && w->heap[p.hi] == k)
			p.hi++;
		p.task = w->tmp + done;
		p.n = w->heap_at[k] - done;
		done = w->heap_at[k];
		levels_sort(w, &p);
		double a = bound_liquid(w, &p), b = bound_whole(w, &p);
		q += max_of(a, b);
	}
	return q;
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
