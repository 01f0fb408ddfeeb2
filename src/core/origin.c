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
	struct origin *origin = state;
	if (!origin)
		return;
	free(origin->load);
	free(origin->assigned);
	free(origin->open);
	free(origin->items);
	free(origin->to);
	free(origin->moves);
	free(origin);
}

double origin_stddev(const struct origin *origin, double *mean)
{
	double sum = 0, squares = 0;
	for (size_t i = 0; i < origin->n_open; i++)
		sum += origin->load[origin->open[i]];
	*mean = origin->n_open ? sum / (double)origin->n_open : 0;
	for (size_t i = 0; i < origin->n_open; i++)
		squares += (origin->load[origin->open[i]] - *mean) * (origin->load[origin->open[i]] - *mean);
	return origin->n_open ? sqrt(squares / (double)origin->n_open) : 0;
}

/* Where nobody may go nothing can be evened out. Where nobody may be moved at all, all units count. */
static void find_open(struct origin *origin, const struct place_problem *prob)
{
	origin->n_open = 0;
	for (size_t unit = 0; unit < prob->n_units; unit++)
		if (!prob->units[unit].shut)
			origin->open[origin->n_open++] = unit;
	for (size_t unit = 0; !origin->n_open && unit < prob->n_units; unit++)
		origin->open[unit] = unit;
	if (!origin->n_open)
		origin->n_open = prob->n_units;
}

static bool has_unit(const struct place_problem *prob, int unit)
{
	return unit >= 0 && (size_t)unit < prob->n_units;
}

bool origin_allowed(const struct place_task *task, size_t unit)
{
	return !task->allowed || cpuset_has(task->allowed, (int)unit);
}

int origin_begin(
	struct origin *origin, const struct place_problem *prob, struct place_result *out, double *mean)
{
	if (!array_grow(&origin->load, &origin->cap_load, prob->n_units, sizeof *origin->load) ||
		!array_grow(
			&origin->assigned, &origin->cap_assigned, prob->n_units, sizeof *origin->assigned) ||
		!array_grow(&origin->open, &origin->cap_open, prob->n_units, sizeof *origin->open) ||
		!array_grow(&origin->items, &origin->cap_items, prob->n_tasks, sizeof *origin->items) ||
		!array_grow(&origin->to, &origin->cap_to, prob->n_tasks, sizeof *origin->to) ||
		!array_grow(&origin->moves, &origin->cap_moves, prob->n_tasks, sizeof *origin->moves))
		return -1;
	origin->n_items = origin->n_moves = 0;
	for (size_t i = 0; i < prob->n_units; i++)
		origin->load[i] = 0;
	for (size_t i = 0; i < prob->n_tasks; i++) {
		origin->to[i] = -1;
		if (has_unit(prob, prob->tasks[i].unit))
			origin->load[prob->tasks[i].unit] += prob->tasks[i].usage_pct;
	}
	find_open(origin, prob);
	double sd = origin_stddev(origin, mean);
	*out = (struct place_result){
		.moves = origin->moves, .stddev_pct = sd, .after_pct = sd, .found_pct = -1, .bound_pct = -1};
	return 0;
}

static int by_usage(const void *a, const void *b)
{
	const struct origin_item *x = a, *y = b;
	if (x->usage_pct != y->usage_pct)
		return x->usage_pct > y->usage_pct ? -1 : 1;
	return (x->first > y->first) - (x->first < y->first);
}

void origin_sort(struct origin *origin)
{
	if (origin->n_items)
		qsort(origin->items, origin->n_items, sizeof *origin->items, by_usage);
}

static bool item_allowed(const struct place_problem *prob, const struct origin_item *it, size_t unit)
{
	for (size_t i = it->first; i < it->first + it->n; i++)
		if (!origin_allowed(&prob->tasks[i], unit))
			return false;
	return true;
}

static int least_assigned(
	const struct origin *origin, const struct place_problem *prob, const struct origin_item *it)
{
	int best = -1;
	for (size_t unit = 0; unit < prob->n_units; unit++)
		if ((best < 0 || origin->assigned[unit] < origin->assigned[best]) &&
			item_allowed(prob, it, unit))
			best = (int)unit;
	return best;
}

static void greedy(struct origin *origin, const struct place_problem *prob)
{
	for (size_t i = 0; i < prob->n_units; i++)
		origin->assigned[i] = origin->load[i];
	/* From zero, but for what stays where it is. */
	for (size_t k = 0; k < origin->n_items; k++)
		for (size_t i = origin->items[k].first; i < origin->items[k].first + origin->items[k].n; i++)
			if (has_unit(prob, prob->tasks[i].unit))
				origin->assigned[prob->tasks[i].unit] -= prob->tasks[i].usage_pct;
	for (size_t i = 0; i < prob->n_units; i++)
		if (origin->assigned[i] < 1e-9)
			origin->assigned[i] = 0; /* what rounding left must not decide a tie */
	origin_sort(origin);
	for (size_t k = 0; k < origin->n_items; k++) {
		const struct origin_item *it = &origin->items[k];
		int unit = least_assigned(origin, prob, it);
		if (unit < 0)
			continue;
		origin->assigned[unit] += it->usage_pct;
		for (size_t i = it->first; i < it->first + it->n; i++)
			origin->to[i] = unit;
	}
}

static void add_move(struct origin *origin, const struct place_problem *prob, size_t task, enum reason why)
{
	const struct place_task *t = &prob->tasks[task];
	struct place_move *move = &origin->moves[origin->n_moves++];
	int to = origin->to[task];
	*move = (struct place_move){.task = task, .from = t->unit, .to = to, .partner = -1};
	if (has_unit(prob, t->unit))
		why_set(&move->why, why, "usage %.1f %%, from pCPU %d at %.1f %% to pCPU %d", t->usage_pct,
			prob->units[t->unit].cpu, origin->load[t->unit], prob->units[to].cpu);
	else
		why_set(&move->why, why, "usage %.1f %%, to pCPU %d", t->usage_pct, prob->units[to].cpu);
}

void origin_moves(
	struct origin *origin, const struct place_problem *prob, enum reason why, struct place_result *out)
{
	double mean;
	for (size_t i = 0; i < prob->n_tasks; i++)
		if (origin->to[i] >= 0 && (origin->to[i] != prob->tasks[i].unit || !prob->tasks[i].pinned))
			add_move(origin, prob, i, why);
	/* The loads as they will be: in place, they are not needed any more. */
	for (size_t k = 0; k < origin->n_moves; k++) {
		const struct place_move *move = &origin->moves[k];
		if (has_unit(prob, move->from))
			origin->load[move->from] -= prob->tasks[move->task].usage_pct;
		origin->load[move->to] += prob->tasks[move->task].usage_pct;
	}
	out->after_pct = origin_stddev(origin, &mean);
	out->moves = origin->moves;
	out->n_moves = origin->n_moves;
}

void origin_acted(const struct origin *origin, enum reason why, const char *measure, struct place_result *out)
{
	if (origin->n_moves)
		why_set(&out->why, why, "%s: %zu move%s, %.1f %% after", measure, origin->n_moves,
			text_s(origin->n_moves), out->after_pct);
	else
		why_set(&out->why, REASON_NO_BETTER, "%s: every vCPU is where this policy puts it", measure);
}

void origin_greedy_round(struct origin *origin, const struct place_problem *prob, bool act,
	const char *measure, struct place_result *out)
{
	if (!act) {
		why_set(&out->why, REASON_GREEDY, "%s", measure);
		return;
	}
	greedy(origin, prob);
	origin_moves(origin, prob, REASON_GREEDY, out);
	origin_acted(origin, REASON_GREEDY, measure, out);
}
