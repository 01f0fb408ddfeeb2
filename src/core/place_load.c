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
	ROW(demand, 1, 0),
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
	ROW(load, 1, 0),
	ROW(start_load, 1, 0),
	ROW(inv, 1, 0),
	ROW(level, 1, 0),
	ROW(core, 1, 0),
	ROW(core_load, 1, 0),
	ROW(core_inv, 1, 0),
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
	struct place_work *work, const struct array_row *row, size_t n_rows, size_t *cap, size_t need)
{
	if (need <= *cap)
		return 0;
	size_t n = max_of(*cap * 2, need);
	if (n < 16)
		n = 16;
	for (size_t i = 0; i < n_rows; i++) {
		void **at = (void **)((char *)work + row[i].offset);
		void *more = realloc(*at, (n * row[i].factor + row[i].extra) * row[i].size);
		if (!more)
			return -1;
		*at = more;
	}
	*cap = n;
	return 0;
}

static void rows_free(struct place_work *work, const struct array_row *row, size_t n_rows)
{
	for (size_t i = 0; i < n_rows; i++)
		free(*(void **)((char *)work + row[i].offset));
}

enum { SPANS_SEEN = 16 };

#define N_ROWS(t) (sizeof(t) / sizeof((t)[0]))

void place_done(struct place_work *work)
{
	rows_free(work, task_rows, N_ROWS(task_rows));
	rows_free(work, unit_rows, N_ROWS(unit_rows));
	memset(work, 0, sizeof(*work));
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
static void units_sort(struct place_work *work)
{
	const struct place_unit *unit = work->prob->units;
	for (uint32_t i = 0; i < work->n_units; i++) {
		uint32_t j = i;
		for (; j && unit_compare(&unit[work->unit_at[j - 1]], &unit[i]) > 0; j--)
			work->unit_at[j] = work->unit_at[j - 1];
		work->unit_at[j] = i;
	}
	work->in_order = true;
	for (uint32_t i = 0; i < work->n_units; i++) {
		work->pos[work->unit_at[i]] = i;
		work->in_order &= work->unit_at[i] == i;
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
static void ranges_find(struct place_work *work, uint32_t *lo, uint32_t *hi,
	bool (*same)(const struct place_unit *, const struct place_unit *))
{
	const struct place_unit *unit = work->prob->units;
	for (uint32_t i = 0, j; i < work->n_units; i = j) {
		for (j = i + 1; j < work->n_units && same(&unit[work->unit_at[i]], &unit[work->unit_at[j]]);)
			j++;
		for (uint32_t k = i; k < j; k++) {
			lo[work->unit_at[k]] = i;
			hi[work->unit_at[k]] = j;
		}
	}
}

/* In largest pCPUs. */
static double unit_size(const struct place_unit *unit)
{
	return unit->capacity > 0 ? unit->capacity : max_of(unit->n_cpus, 1);
}

/* Of one of its pCPUs. */
static double unit_mean(const struct place_unit *unit)
{
	return unit->capacity > 0 && unit->n_cpus > 0 ? unit->capacity / unit->n_cpus : 1;
}

static void cores_find(struct place_work *work)
{
	const struct place_unit *unit = work->prob->units;
	work->smt = false;
	for (uint32_t i = 0, j, core = 0; i < work->n_units; i = j, core++) {
		double size = 0;
		for (j = i + 1;
			j < work->n_units && same_core(&unit[work->unit_at[i]], &unit[work->unit_at[j]]);)
			j++;
		for (uint32_t k = i; k < j; k++)
			work->core[work->unit_at[k]] = (int)core;
		for (uint32_t k = i; k < j; k++)
			size += unit_mean(&unit[work->unit_at[k]]);
		work->core_inv[core] = 1.0 / size;
		work->smt |= j - i > 1;
	}
	if (!work->smt)
		memset(work->core_inv, 0, work->n_units * sizeof(*work->core_inv));
}

static void units_load(struct place_work *work)
{
	const struct place_problem *prob = work->prob;
	work->pcpus = 0;
	work->widest = 1;
	work->equal = true;
	for (size_t j = 0; j < work->n_units; j++) {
		double n = unit_size(&prob->units[j]);
		double bg = prob->units[j].background_pct;
		work->pcpus += n;
		work->inv[j] = 1.0 / n;
		work->fixed[j] = bg > 0 && isfinite(bg) ? bg : 0;
		work->equal &= n == unit_size(&prob->units[0]);
		work->widest = max_of(n, work->widest);
	}
	units_sort(work);
	ranges_find(work, work->llc_lo, work->llc_hi, same_llc);
	ranges_find(work, work->node_lo, work->node_hi, same_node);
	cores_find(work);
	work->one_zone = work->n_units == 0 || (work->llc_lo[0] == 0 && work->llc_hi[0] == work->n_units);
	for (work->leaves = 1; work->leaves < work->n_units;)
		work->leaves *= 2;
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
static void span_search(const struct place_work *work, struct span *span)
{
	span->lo = 0;
	span->hi = (uint32_t)work->n_units;
	while (!cpuset_has(span->set, (int)work->unit_at[span->lo]))
		span->lo++;
	while (!cpuset_has(span->set, (int)work->unit_at[span->hi - 1]))
		span->hi--;
}

static struct span span_of(const struct place_work *work, const struct cpuset *set)
{
	enum { FEW = 24 };
	struct span span = {.set = set};
	uint32_t last = 0;
	if (!set)
		return (struct span){NULL, 0, (uint32_t)work->n_units, true, false};
	uint32_t n = set_measure(set, work->n_units, &span.lo, &last);
	if (n && work->in_order)
		span.hi = last + 1;
	else if (n)
		span_search(work, &span);
	span.exact = n == span.hi - span.lo;
	span.few = n <= FEW;
	return span;
}

/* Sets are shared by many tasks: the last few are remembered, by the address. */
static struct span span_get(const struct place_work *work, struct span *seen, const struct cpuset *set)
{
	struct span *span = &seen[((uintptr_t)set / sizeof(*set)) % SPANS_SEEN];
	if (span->hi == 0 || span->set != set)
		*span = span_of(work, set);
	return *span;
}

static void tasks_load(struct place_work *work)
{
	const struct place_problem *prob = work->prob;
	struct span seen[SPANS_SEEN] = {{0}};
	work->n_tasks = 0;
	work->total = 0;
	work->min_weight = 1;
	for (size_t i = 0; i < prob->n_tasks; i++) {
		const struct place_task *task = &prob->tasks[i];
		double d = task->demand_pct > 0 && isfinite(task->demand_pct) ? task->demand_pct : 0;
		int unit = task->unit >= 0 && (size_t)task->unit < work->n_units ? task->unit : PLACE_NONE;
		struct span set = span_get(work, seen, task->allowed);
		bool only = set.hi - set.lo == 1 && unit >= 0 && work->pos[unit] == set.lo;
		if (task->fixed != REASON_NONE || set.hi == set.lo || only) {
			if (unit >= 0)
				work->fixed[unit] += d;
			continue;
		}
		size_t f = work->n_tasks++;
		work->demand[f] = work->raw[f] = d;
		work->unsure[f] = 0;
		work->id[f] = (uint32_t)i;
		work->home[f] = unit;
		work->lo[f] = set.lo;
		work->hi[f] = set.hi;
		work->exact[f] = set.exact;
		work->allowed[f] = task->allowed;
		work->few[f] = set.few;
		work->wide[f] = set.exact && set.hi - set.lo == work->n_units;
		work->node_bound[f] = task->stay_on_node && unit >= 0;
		work->still[f] = 0;
		work->total += d;
		work->weight[f] = task->weight > 0 ? task->weight : 1;
		work->min_weight = fmin(work->min_weight, work->weight[f]);
	}
	for (size_t j = 0; j < work->n_units; j++)
		work->total += work->fixed[j];
	work->mean = work->pcpus > 0 ? work->total / work->pcpus : 0;
}

/* Radix sort by the bits of the demand as a float, which for numbers >= 0 sort like the numbers. Stable. */
static void keys_sort(struct place_work *work)
{
	uint32_t *from = work->order, *to = work->tmp;
	for (int shift = 0; shift < 33; shift += 11) {
		uint32_t count[2048] = {0};
		for (size_t i = 0; i < work->n_tasks; i++)
			count[2047 - (work->key[i] >> shift & 2047)]++;
		for (uint32_t k = 0, sum = 0; k < 2048; k++) {
			uint32_t c = count[k];
			count[k] = sum;
			sum += c;
		}
		for (size_t i = 0; i < work->n_tasks; i++)
			to[count[2047 - (work->key[from[i]] >> shift & 2047)]++] = from[i];
		uint32_t *swap = from;
		from = to;
		to = swap;
	}
	if (from != work->order)
		memcpy(work->order, from, work->n_tasks * sizeof(*from));
}

/* The same for few, where clearing the counts would take longer. */
static void keys_insert(struct place_work *work)
{
	for (uint32_t i = 1; i < work->n_tasks; i++) {
		uint32_t j = i;
		for (; j && work->key[work->order[j - 1]] < work->key[i]; j--)
			work->order[j] = work->order[j - 1];
		work->order[j] = i;
	}
}

static void tasks_sort(struct place_work *work)
{
	enum { FEW = 128 };
	for (size_t i = 0; i < work->n_tasks; i++) {
		float f = (float)work->demand[i];
		memcpy(&work->key[i], &f, sizeof(f));
		work->order[i] = (uint32_t)i;
	}
	if (work->n_tasks <= FEW)
		keys_insert(work);
	else
		keys_sort(work);
}

static void segments_find(struct place_work *work)
{
	memset(work->first, 0, (work->n_units + 1) * sizeof(*work->first));
	for (size_t i = 0; i < work->n_tasks; i++)
		if (work->home[i] >= 0)
			work->first[work->home[i] + 1]++;
	for (size_t j = 0; j < work->n_units; j++)
		work->first[j + 1] += work->first[j];
	for (size_t i = work->n_tasks; i-- > 0;) {
		uint32_t task = work->order[i];
		if (work->home[task] >= 0)
			work->seg[work->first[work->home[task]]++] = task;
	}
	for (size_t j = work->n_units; j > 0; j--)
		work->first[j] = work->first[j - 1];
	work->first[0] = 0;
}

int place_load(struct place_work *work, const struct place_problem *prob)
{
	if (rows_grow(work, task_rows, N_ROWS(task_rows), &work->cap_n, prob->n_tasks) < 0 ||
		rows_grow(work, unit_rows, N_ROWS(unit_rows), &work->cap_m, prob->n_units) < 0)
		return -1;
	work->prob = prob;
	work->n_units = prob->n_units;
	units_load(work);
	tasks_load(work);
	tasks_sort(work);
	place_reset(work);
	return 0;
}

void place_demands(struct place_work *work)
{
	work->total = 0;
	for (size_t i = 0; i < work->n_tasks; i++)
		work->total += work->demand[i] = work->raw[i];
	for (size_t j = 0; j < work->n_units; j++)
		work->total += work->fixed[j];
	work->mean = work->pcpus > 0 ? work->total / work->pcpus : 0;
	tasks_sort(work);
	place_reset(work);
}

void place_reset(struct place_work *work)
{
	work->n_steps = 0;
	segments_find(work);
	memcpy(work->at, work->home, work->n_tasks * sizeof(*work->at));
	place_set(work, work->home);
	memcpy(work->start_load, work->load, work->n_units * sizeof(*work->load));
}
