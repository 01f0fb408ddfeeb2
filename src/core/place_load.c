/* SPDX-License-Identifier: MIT */
/* Reads a problem into the workspace of the placement solvers: memory, units by node, LLC and core, tasks
 * with the sets they may go to. Invariant: what is not a number or points nowhere is made harmless here,
 * once. Knows no policy and no thresholds. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/minmax.h"

#include "place.h"

/* One array of the workspace: where it is, size of an element, how many more than tasks or units. */
struct array_row {
	size_t offset, size, factor, extra;
};
#define ROW(field, factor, extra)                                                                            \
	{                                                                                                    \
		offsetof(struct place_work, field), sizeof(*((struct place_work *)0)->field), factor, extra  \
	}

static const struct array_row task_rows[] = {
	ROW(raw, 1, 0),
	ROW(unsure, 1, 0),
	ROW(d, 1, 0),
	ROW(weight, 1, 0),
	ROW(id, 1, 0),
	ROW(home, 1, 0),
	ROW(at, 1, 0),
	ROW(wide, 1, 0),
	ROW(lo, 1, 0),
	ROW(hi, 1, 0),
	ROW(exact, 1, 0),
	ROW(allowed, 1, 0),
	ROW(few, 1, 0),
	ROW(node_bound, 1, 0),
	ROW(still, 1, 0),
	ROW(order, 1, 0),
	ROW(seg, 1, 0),
	ROW(key, 2, 0),
	ROW(tmp, 1, 0),
	ROW(best, 1, 0),
	ROW(other, 1, 0),
	ROW(try, 1, 0),
	ROW(start, 1, 0),
	ROW(steps, 1, 0),
};
static const struct array_row unit_rows[] = {
	ROW(fixed, 1, 0),
	ROW(s, 1, 0),
	ROW(s0, 1, 0),
	ROW(ic, 1, 0),
	ROW(h, 1, 0),
	ROW(core, 1, 0),
	ROW(sc, 1, 0),
	ROW(icc, 1, 0),
	ROW(first, 1, 1),
	ROW(pos, 1, 0),
	ROW(unit_at, 1, 0),
	ROW(llc_lo, 1, 0),
	ROW(llc_hi, 1, 0),
	ROW(node_lo, 1, 0),
	ROW(node_hi, 1, 0),
	ROW(tree, 4, 4),
	ROW(score, 1, 0),
	ROW(heap, 1, 0),
	ROW(heap_at, 1, 0),
	ROW(sorted, 2, 0),
};

static int rows_grow(
	struct place_work *w, const struct array_row *row, size_t n_rows, size_t *cap, size_t need)
{
	if (need <= *cap)
		return 0;
	size_t n = max_of(*cap * 2, need);
	if (n < 16)
		n = 16;
	for (size_t i = 0; i < n_rows; i++) {
		void **at = (void **)((char *)w + row[i].offset);
		void *more = realloc(*at, (n * row[i].factor + row[i].extra) * row[i].size);
		if (!more)
			return -1;
		*at = more;
	}
	*cap = n;
	return 0;
}

static void rows_free(struct place_work *w, const struct array_row *row, size_t n_rows)
{
	for (size_t i = 0; i < n_rows; i++)
		free(*(void **)((char *)w + row[i].offset));
}

enum { SPANS_SEEN = 16 };

#define N_ROWS(t) (sizeof(t) / sizeof((t)[0]))

void place_done(struct place_work *w)
{
	rows_free(w, task_rows, N_ROWS(task_rows));
	rows_free(w, unit_rows, N_ROWS(unit_rows));
	memset(w, 0, sizeof(*w));
}

static int unit_compare(const struct place_unit *a, const struct place_unit *b)
{
	int d = (a->node > b->node) - (a->node < b->node);
	if (!d)
		d = (a->llc > b->llc) - (a->llc < b->llc);
	if (!d)
		d = (a->core > b->core) - (a->core < b->core);
	return d;
}

/* Stable insertion sort: units come nearly in this order. */
static void units_sort(struct place_work *w)
{
	const struct place_unit *u = w->p->units;
	for (uint32_t i = 0; i < w->m; i++) {
		uint32_t j = i;
		for (; j && unit_compare(&u[w->unit_at[j - 1]], &u[i]) > 0; j--)
			w->unit_at[j] = w->unit_at[j - 1];
		w->unit_at[j] = i;
	}
	w->in_order = true;
	for (uint32_t i = 0; i < w->m; i++) {
		w->pos[w->unit_at[i]] = i;
		w->in_order &= w->unit_at[i] == i;
	}
}

static bool same_node(const struct place_unit *a, const struct place_unit *b)
{
	return a->node == b->node;
}
static bool same_llc(const struct place_unit *a, const struct place_unit *b)
{
	return a->node == b->node && a->llc == b->llc;
}
static bool same_core(const struct place_unit *a, const struct place_unit *b)
{
	return same_llc(a, b) && a->core == b->core && a->core >= 0 && a->n_cpus == 1 && b->n_cpus == 1;
}

/* For every unit the range of positions that shares its node or LLC. */
static void ranges_find(struct place_work *w, uint32_t *lo, uint32_t *hi,
	bool (*same)(const struct place_unit *, const struct place_unit *))
{
	const struct place_unit *u = w->p->units;
	for (uint32_t i = 0, j; i < w->m; i = j) {
		for (j = i + 1; j < w->m && same(&u[w->unit_at[i]], &u[w->unit_at[j]]);)
			j++;
		for (uint32_t k = i; k < j; k++) {
			lo[w->unit_at[k]] = i;
			hi[w->unit_at[k]] = j;
		}
	}
}

/* In largest pCPUs. */
static double unit_size(const struct place_unit *u)
{
	return u->capacity > 0 ? u->capacity : max_of(u->n_cpus, 1);
}

/* Of one of its pCPUs. */
static double unit_mean(const struct place_unit *u)
{
	return u->capacity > 0 && u->n_cpus > 0 ? u->capacity / u->n_cpus : 1;
}

static void cores_find(struct place_work *w)
{
	const struct place_unit *u = w->p->units;
	w->smt = false;
	for (uint32_t i = 0, j, core = 0; i < w->m; i = j, core++) {
		double size = 0;
		for (j = i + 1; j < w->m && same_core(&u[w->unit_at[i]], &u[w->unit_at[j]]);)
			j++;
		for (uint32_t k = i; k < j; k++)
			w->core[w->unit_at[k]] = (int)core;
		for (uint32_t k = i; k < j; k++)
			size += unit_mean(&u[w->unit_at[k]]);
		w->icc[core] = 1.0 / size;
		w->smt |= j - i > 1;
	}
	if (!w->smt)
		memset(w->icc, 0, w->m * sizeof(*w->icc));
}

static void units_load(struct place_work *w)
{
	const struct place_problem *p = w->p;
	w->pcpus = 0;
	w->widest = 1;
	w->equal = true;
	for (size_t j = 0; j < w->m; j++) {
		double n = unit_size(&p->units[j]);
		double bg = p->units[j].background_pct;
		w->pcpus += n;
		w->ic[j] = 1.0 / n;
		w->fixed[j] = bg > 0 && isfinite(bg) ? bg : 0;
		w->equal &= n == unit_size(&p->units[0]);
		w->widest = max_of(n, w->widest);
	}
	units_sort(w);
	ranges_find(w, w->llc_lo, w->llc_hi, same_llc);
	ranges_find(w, w->node_lo, w->node_hi, same_node);
	cores_find(w);
	w->one_zone = w->m == 0 || (w->llc_lo[0] == 0 && w->llc_hi[0] == w->m);
	for (w->leaves = 1; w->leaves < w->m;)
		w->leaves *= 2;
}

/* What an allowed set covers, in positions. */
struct span {
	const struct cpuset *set;
	uint32_t lo, hi;
	bool exact, few;
};

/* Its units below m; the first and the last of them. */
static uint32_t set_measure(const struct cpuset *set, size_t m, uint32_t *first, uint32_t *last)
{
	uint32_t n = 0;
	for (size_t i = 0; i < CPUSET_WORDS && i * 64 < m; i++) {
		uint64_t word = set->w[i];
		if (m - i * 64 < 64)
			word &= (UINT64_C(1) << (m - i * 64)) - 1;
		if (!word)
			continue;
		if (!n)
			*first = (uint32_t)(i * 64) + (uint32_t)__builtin_ctzll(word);
		*last = (uint32_t)(i * 64) + 63 - (uint32_t)__builtin_clzll(word);
		n += (uint32_t)__builtin_popcountll(word);
	}
	return n;
}

/* Units are not in the order of their positions: from both ends to the first that is in the set. */
static void span_search(const struct place_work *w, struct span *x)
{
	x->lo = 0;
	x->hi = (uint32_t)w->m;
	while (!cpuset_has(x->set, (int)w->unit_at[x->lo]))
		x->lo++;
	while (!cpuset_has(x->set, (int)w->unit_at[x->hi - 1]))
		x->hi--;
}

static struct span span_of(const struct place_work *w, const struct cpuset *set)
{
	enum { FEW = 24 };
	struct span x = {.set = set};
	uint32_t last = 0;
	if (!set)
		return (struct span){NULL, 0, (uint32_t)w->m, true, false};
	uint32_t n = set_measure(set, w->m, &x.lo, &last);
	if (n && w->in_order)
		x.hi = last + 1;
	else if (n)
		span_search(w, &x);
	x.exact = n == x.hi - x.lo;
	x.few = n <= FEW;
	return x;
}

/* Sets are shared by many tasks: the last few are remembered, by the address. */
static struct span span_get(const struct place_work *w, struct span *seen, const struct cpuset *set)
{
	struct span *x = &seen[((uintptr_t)set / sizeof(*set)) % SPANS_SEEN];
	if (x->hi == 0 || x->set != set)
		*x = span_of(w, set);
	return *x;
}

static void tasks_load(struct place_work *w)
{
	const struct place_problem *p = w->p;
	struct span seen[SPANS_SEEN] = {{0}};
	w->n = 0;
	w->total = 0;
	w->min_weight = 1;
	for (size_t i = 0; i < p->n_tasks; i++) {
		const struct place_task *t = &p->tasks[i];
		double d = t->demand_pct > 0 && isfinite(t->demand_pct) ? t->demand_pct : 0;
		int unit = t->unit >= 0 && (size_t)t->unit < w->m ? t->unit : PLACE_NONE;
		struct span set = span_get(w, seen, t->allowed);
		bool only = set.hi - set.lo == 1 && unit >= 0 && w->pos[unit] == set.lo;
		if (t->fixed != REASON_NONE || set.hi == set.lo || only) {
			if (unit >= 0)
				w->fixed[unit] += d;
			continue;
		}
		size_t f = w->n++;
		w->d[f] = w->raw[f] = d;
		w->unsure[f] = 0;
		w->id[f] = (uint32_t)i;
		w->home[f] = unit;
		w->lo[f] = set.lo;
		w->hi[f] = set.hi;
		w->exact[f] = set.exact;
		w->allowed[f] = t->allowed;
		w->few[f] = set.few;
		w->wide[f] = set.exact && set.hi - set.lo == w->m;
		w->node_bound[f] = t->stay_on_node && unit >= 0;
		w->still[f] = 0;
		w->total += d;
		w->weight[f] = t->weight > 0 ? t->weight : 1;
		w->min_weight = fmin(w->min_weight, w->weight[f]);
	}
	for (size_t j = 0; j < w->m; j++)
		w->total += w->fixed[j];
	w->mean = w->pcpus > 0 ? w->total / w->pcpus : 0;
}

/* Radix sort by the bits of the demand as a float, which for numbers >= 0 sort like the numbers. Stable. */
static void keys_sort(struct place_work *w)
{
	uint32_t *from = w->order, *to = w->tmp;
	for (int shift = 0; shift < 33; shift += 11) {
		uint32_t count[2048] = {0};
		for (size_t i = 0; i < w->n; i++)
			count[2047 - (w->key[i] >> shift & 2047)]++;
		for (uint32_t k = 0, sum = 0; k < 2048; k++) {
			uint32_t c = count[k];
			count[k] = sum;
			sum += c;
		}
		for (size_t i = 0; i < w->n; i++)
			to[count[2047 - (w->key[from[i]] >> shift & 2047)]++] = from[i];
		uint32_t *swap = from;
		from = to;
		to = swap;
	}
	if (from != w->order)
		memcpy(w->order, from, w->n * sizeof(*from));
}

/* The same for few, where clearing the counts would take longer. */
static void keys_insert(struct place_work *w)
{
	for (uint32_t i = 1; i < w->n; i++) {
		uint32_t j = i;
		for (; j && w->key[w->order[j - 1]] < w->key[i]; j--)
			w->order[j] = w->order[j - 1];
		w->order[j] = i;
	}
}

static void tasks_sort(struct place_work *w)
{
	enum { FEW = 128 };
	for (size_t i = 0; i < w->n; i++) {
		float f = (float)w->d[i];
		memcpy(&w->key[i], &f, sizeof(f));
		w->order[i] = (uint32_t)i;
	}
	if (w->n <= FEW)
		keys_insert(w);
	else
		keys_sort(w);
}

static void segments_find(struct place_work *w)
{
	memset(w->first, 0, (w->m + 1) * sizeof(*w->first));
	for (size_t i = 0; i < w->n; i++)
		if (w->home[i] >= 0)
			w->first[w->home[i] + 1]++;
	for (size_t j = 0; j < w->m; j++)
		w->first[j + 1] += w->first[j];
	for (size_t i = w->n; i-- > 0;) {
		uint32_t t = w->order[i];
		if (w->home[t] >= 0)
			w->seg[w->first[w->home[t]]++] = t;
	}
	for (size_t j = w->m; j > 0; j--)
		w->first[j] = w->first[j - 1];
	w->first[0] = 0;
}

int place_load(struct place_work *w, const struct place_problem *p)
{
	if (rows_grow(w, task_rows, N_ROWS(task_rows), &w->cap_n, p->n_tasks) < 0 ||
		rows_grow(w, unit_rows, N_ROWS(unit_rows), &w->cap_m, p->n_units) < 0)
		return -1;
	w->p = p;
	w->m = p->n_units;
	units_load(w);
	tasks_load(w);
	tasks_sort(w);
	place_reset(w);
	return 0;
}

void place_demands(struct place_work *w)
{
	w->total = 0;
	for (size_t i = 0; i < w->n; i++)
		w->total += w->d[i] = w->raw[i];
	for (size_t j = 0; j < w->m; j++)
		w->total += w->fixed[j];
	w->mean = w->pcpus > 0 ? w->total / w->pcpus : 0;
	tasks_sort(w);
	place_reset(w);
}

void place_reset(struct place_work *w)
{
	w->n_steps = 0;
	segments_find(w);
	memcpy(w->at, w->home, w->n * sizeof(*w->at));
	place_set(w, w->home);
	memcpy(w->s0, w->s, w->m * sizeof(*w->s));
}
