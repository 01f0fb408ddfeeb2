/* SPDX-License-Identifier: MIT */
/* What the presets origin-a, origin-b and origin-c have in common. Invariants: a task that is fixed is never
 * moved; nobody is placed outside its allowed set; a plan holds only what changes. Must not know: pins, VMs
 * by name, libvirt. Where the presets differ from the designs, and why, is listed in
 * man/origin-deviations.txt and at the head of each preset. */
#include "origin.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/array.h"
#include "vmtop/config.h"
#include "vmtop/text.h"

void *origin_create(const struct config *cfg)
{
	(void)cfg;
	return calloc(1, sizeof(struct origin));
}

void origin_destroy(void *state)
{
	struct origin *o = state;
	if (!o)
		return;
	free(o->load);
	free(o->assigned);
	free(o->open);
	free(o->items);
	free(o->to);
	free(o->moves);
	free(o);
}

double origin_stddev(const struct origin *o, double *mean)
{
	double sum = 0, squares = 0;
	for (size_t i = 0; i < o->n_open; i++)
		sum += o->load[o->open[i]];
	*mean = o->n_open ? sum / (double)o->n_open : 0;
	for (size_t i = 0; i < o->n_open; i++)
		squares += (o->load[o->open[i]] - *mean) * (o->load[o->open[i]] - *mean);
	return o->n_open ? sqrt(squares / (double)o->n_open) : 0;
}

/* Where nobody may go nothing can be evened out. Where nobody may be moved at all, all units count. */
static void find_open(struct origin *o, const struct place_problem *p)
{
	o->n_open = 0;
	for (size_t u = 0; u < p->n_units; u++)
		if (!p->units[u].shut)
			o->open[o->n_open++] = u;
	for (size_t u = 0; !o->n_open && u < p->n_units; u++)
		o->open[u] = u;
	o->n_open = o->n_open ? o->n_open : p->n_units;
}

static bool has_unit(const struct place_problem *p, int unit)
{
	return unit >= 0 && (size_t)unit < p->n_units;
}

bool origin_allowed(const struct place_task *t, size_t unit)
{
	return !t->allowed || cpuset_has(t->allowed, (int)unit);
}

int origin_begin(struct origin *o, const struct place_problem *p, struct place_result *out, double *mean)
{
	if (!array_grow(&o->load, &o->cap_load, p->n_units, sizeof *o->load) ||
		!array_grow(&o->assigned, &o->cap_assigned, p->n_units, sizeof *o->assigned) ||
		!array_grow(&o->open, &o->cap_open, p->n_units, sizeof *o->open) ||
		!array_grow(&o->items, &o->cap_items, p->n_tasks, sizeof *o->items) ||
		!array_grow(&o->to, &o->cap_to, p->n_tasks, sizeof *o->to) ||
		!array_grow(&o->moves, &o->cap_moves, p->n_tasks, sizeof *o->moves))
		return -1;
	o->n_items = o->n_moves = 0;
	for (size_t i = 0; i < p->n_units; i++)
		o->load[i] = 0;
	for (size_t i = 0; i < p->n_tasks; i++) {
		o->to[i] = -1;
		if (has_unit(p, p->tasks[i].unit))
			o->load[p->tasks[i].unit] += p->tasks[i].usage_pct;
	}
	find_open(o, p);
	double sd = origin_stddev(o, mean);
	*out = (struct place_result){
		.moves = o->moves, .stddev_pct = sd, .after_pct = sd, .found_pct = -1, .bound_pct = -1};
	return 0;
}

static int by_usage(const void *a, const void *b)
{
	const struct origin_item *x = a, *y = b;
	if (x->usage_pct != y->usage_pct)
		return x->usage_pct > y->usage_pct ? -1 : 1;
	return (x->first > y->first) - (x->first < y->first);
}

void origin_sort(struct origin *o)
{
	if (o->n_items)
		qsort(o->items, o->n_items, sizeof *o->items, by_usage);
}

static bool item_allowed(const struct place_problem *p, const struct origin_item *it, size_t unit)
{
	for (size_t i = it->first; i < it->first + it->n; i++)
		if (!origin_allowed(&p->tasks[i], unit))
			return false;
	return true;
}

static int least_assigned(const struct origin *o, const struct place_problem *p, const struct origin_item *it)
{
	int best = -1;
	for (size_t u = 0; u < p->n_units; u++)
		if ((best < 0 || o->assigned[u] < o->assigned[best]) && item_allowed(p, it, u))
			best = (int)u;
	return best;
}

static void greedy(struct origin *o, const struct place_problem *p)
{
	for (size_t i = 0; i < p->n_units; i++)
		o->assigned[i] = o->load[i];
	/* From zero, but for what stays where it is. */
	for (size_t k = 0; k < o->n_items; k++)
		for (size_t i = o->items[k].first; i < o->items[k].first + o->items[k].n; i++)
			if (has_unit(p, p->tasks[i].unit))
				o->assigned[p->tasks[i].unit] -= p->tasks[i].usage_pct;
	for (size_t i = 0; i < p->n_units; i++)
		if (o->assigned[i] < 1e-9)
			o->assigned[i] = 0; /* what rounding left must not decide a tie */
	origin_sort(o);
	for (size_t k = 0; k < o->n_items; k++) {
		const struct origin_item *it = &o->items[k];
		int u = least_assigned(o, p, it);
		if (u < 0)
			continue;
		o->assigned[u] += it->usage_pct;
		for (size_t i = it->first; i < it->first + it->n; i++)
			o->to[i] = u;
	}
}

static void add_move(struct origin *o, const struct place_problem *p, size_t task, enum reason why)
{
	const struct place_task *t = &p->tasks[task];
	struct place_move *m = &o->moves[o->n_moves++];
	int to = o->to[task];
	*m = (struct place_move){.task = task, .from = t->unit, .to = to, .partner = -1};
	if (has_unit(p, t->unit))
		why_set(&m->why, why, "usage %.1f %%, from pCPU %d at %.1f %% to pCPU %d", t->usage_pct,
			p->units[t->unit].cpu, o->load[t->unit], p->units[to].cpu);
	else
		why_set(&m->why, why, "usage %.1f %%, to pCPU %d", t->usage_pct, p->units[to].cpu);
}

void origin_moves(struct origin *o, const struct place_problem *p, enum reason why, struct place_result *out)
{
	double mean;
	for (size_t i = 0; i < p->n_tasks; i++)
		if (o->to[i] >= 0 && (o->to[i] != p->tasks[i].unit || !p->tasks[i].pinned))
			add_move(o, p, i, why);
	/* The loads as they will be: in place, they are not needed any more. */
	for (size_t k = 0; k < o->n_moves; k++) {
		const struct place_move *m = &o->moves[k];
		if (has_unit(p, m->from))
			o->load[m->from] -= p->tasks[m->task].usage_pct;
		o->load[m->to] += p->tasks[m->task].usage_pct;
	}
	out->after_pct = origin_stddev(o, &mean);
	out->moves = o->moves;
	out->n_moves = o->n_moves;
}

void origin_acted(const struct origin *o, enum reason why, const char *measure, struct place_result *out)
{
	if (o->n_moves)
		why_set(&out->why, why, "%s: %zu move%s, %.1f %% after", measure, o->n_moves,
			text_s(o->n_moves), out->after_pct);
	else
		why_set(&out->why, REASON_NO_BETTER, "%s: every vCPU is where this policy puts it", measure);
}

void origin_greedy_round(struct origin *o, const struct place_problem *p, bool act, const char *measure,
	struct place_result *out)
{
	if (!act) {
		why_set(&out->why, REASON_GREEDY, "%s", measure);
		return;
	}
	greedy(o, p);
	origin_moves(o, p, REASON_GREEDY, out);
	origin_acted(o, REASON_GREEDY, measure, out);
}
