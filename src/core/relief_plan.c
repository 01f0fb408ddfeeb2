/* SPDX-License-Identifier: MIT */
/* Who is helped, and how: as few as possible, those first for whom it takes away the most waiting. A wider
 * affinity leaves the rest to the kernel; on pCPUs that it does not balance, a vCPU is moved to one.
 * Invariant: by the loads as they are, no change makes all together wait longer. Knows nothing of what comes
 * after. */
#include <math.h>
#include <stdlib.h>

#include "minmove.h"
#include "relief.h"
#include "vmtop/config.h"
#include "vmtop/minmax.h"

/* A second of waiting that need not have been, and at least this part of the time; several samples, so that
 * one odd reading moves nobody. */
static const double owed_s = 2, gain_least = .01;
enum { SAMPLES_LEAST = 3 };

/* What those at a pCPU wait together; long waits weigh more, so that the starved come first. */
static double weigh(double wait)
{
	return wait * (1 + wait);
}

static bool rests(const struct relief_memory *mem, const struct place_problem *prob)
{
	return mem->in_trial || (!prob->forced && prob->now_ns < mem->rest_until_ns);
}

static bool may_pick(const struct relief *relief, const struct place_work *work, uint32_t task)
{
	const struct relief_memory *mem = relief_memory_of(relief, work, task);
	if (!relief_curable(relief, work, task) || rests(mem, work->prob))
		return false;
	return mem->owed_s >= owed_s / 4 || (work->prob->forced && mem->spare > 0);
}

/* One of them at least has waited long enough for a change. */
static bool anyone_ripe(const struct relief *relief, const struct place_work *work)
{
	for (uint32_t task = 0; task < work->n_tasks; task++) {
		const struct relief_memory *mem = relief_memory_of(relief, work, task);
		double seen_s = (double)(work->prob->now_ns - mem->since_ns) / (double)S_NS;
		bool ripe = work->prob->forced
				    ? mem->spare > 0
				    : mem->owed_s >= owed_s &&
					      seen_s >= (SAMPLES_LEAST - 1.25) * work->prob->elapsed_s;
		if (ripe && may_pick(relief, work, task))
			return true;
	}
	return false;
}

/* What all on unit unit wait together, with `t` counted in or left out. The fixed load counts as one of them.
 */
static double pain_at(
	const struct relief *relief, const struct place_work *work, int unit, uint32_t task, bool with)
{
	double own = relief_part(work, task, unit),
	       fixed = fmin(1, work->fixed[unit] * work->inv[unit] / 100);
	bool there = relief->at[task] == unit;
	double load = work->load[unit] * work->inv[unit] / 100;
	if (with && !there)
		load += own;
	if (!with && there)
		load -= own;
	double sum = weigh(relief_wait(fixed, load - fixed));
	for (int32_t i = relief->first[unit]; i >= 0; i = relief->next[i])
		if ((uint32_t)i != task)
			sum += weigh(relief_wait(relief_part(work, (uint32_t)i, unit),
				load - relief_part(work, (uint32_t)i, unit)));
	return sum + (with ? weigh(relief_wait(own, load - own)) : 0);
}

/* What is won when task leaves its unit for `to`. */
static double gain_of(const struct relief *relief, const struct place_work *work, uint32_t task, int to)
{
	int from = relief->at[task];
	double won = pain_at(relief, work, from, task, true) - pain_at(relief, work, from, task, false);
	double lost = pain_at(relief, work, to, task, true) - pain_at(relief, work, to, task, false);
	return (won - lost) / work->weight[task];
}

/* The same as those that float already let one hope. The model knows pCPUs, not how well the kernel uses all
 * of them together. */
static double hope_of(const struct relief *relief, const struct place_work *work, uint32_t task, int to)
{
	double free = relief_part(work, task, to) * relief->float_share,
	       wait = relief_memory_of(relief, work, task)->wait;
	if (work->prob->units[to].alone || free > .75 * wait) /* less would not count as help afterwards */
		return 0;
	if (work->load[to] * work->inv[to] >= 100) /* where all is taken others would wait for it */
		return 0;
	return (weigh(wait) - weigh(free)) / 2 / work->weight[task];
}

static void link_in(struct relief *relief, uint32_t task, int unit)
{
	relief->at[task] = unit;
	relief->next[task] = relief->first[unit];
	relief->first[unit] = (int32_t)task;
}

static void units_fill(struct relief *relief, const struct place_work *work)
{
	for (size_t unit = 0; unit < work->n_units; unit++)
		relief->first[unit] = -1;
	for (uint32_t task = 0; task < work->n_tasks; task++)
		if (relief->at[task] >= 0)
			link_in(relief, task, relief->at[task]);
}

/* In the model alone: the affinity is not changed here. */
static void relocate(struct relief *relief, struct place_work *work, uint32_t task, int to)
{
	int32_t *link = &relief->first[relief->at[task]];
	while (*link != (int32_t)task)
		link = &relief->next[*link];
	*link = relief->next[task];
	place_add(work, relief->at[task], -work->demand[task]);
	place_add(work, to, work->demand[task]);
	link_in(relief, task, to);
}

static int by_gain(const void *a, const void *b)
{
	const struct relief_pick *x = a, *y = b;
	if (x->gain != y->gain)
		return x->gain < y->gain ? 1 : -1;
	return (x->task > y->task) - (x->task < y->task);
}

static void picks_find(struct relief *relief, const struct place_work *work)
{
	relief->n_picks = 0;
	for (uint32_t task = 0; task < work->n_tasks; task++) {
		if (!may_pick(relief, work, task))
			continue;
		int larger = relief_larger(relief, work, task);
		if (larger >= 0) {
			double lost = 1 - work->inv[larger] / work->inv[relief->at[task]];
			relief->picks[relief->n_picks++] =
				(struct relief_pick){task, relief->at[task], larger, lost, false, true};
			continue;
		}
		int to = place_lowest_ok(work, task, 0, (uint32_t)work->n_units);
		if (to < 0)
			continue;
		double sure = to == relief->at[task] ? 0 : gain_of(relief, work, task, to),
		       gain = fmax(sure, hope_of(relief, work, task, to));
		if (gain >= gain_least)
			relief->picks[relief->n_picks++] = (struct relief_pick){
				task, relief->at[task], to, gain, sure < gain_least, false};
	}
	qsort(relief->picks, relief->n_picks, sizeof *relief->picks, by_gain);
}

static void move_add(struct relief *relief, const struct place_work *work, const struct relief_pick *pick)
{
	const struct place_unit *unit = work->prob->units;
	const struct relief_memory *mem = relief_memory_of(relief, work, pick->task);
	struct place_move *move = &relief->moves[relief->n_moves++];
	bool one = unit[pick->to].alone;
	*move = (struct place_move){.task = work->id[pick->task],
		.from = pick->from,
		.to = pick->to,
		.partner = PLACE_NONE,
		.aim = one ? PLACE_UNIT : PLACE_ALLOWED};
	int from_load = (int)lrint(work->load[pick->from] * work->inv[pick->from]),
	    to_load = (int)lrint(work->load[pick->to] * work->inv[pick->to]);
	if (pick->larger)
		why_set(&move->why, one ? REASON_MOVE : REASON_FREE,
			"has all of pCPU %d, which does %.0f %% of what pCPU %d does, and that is at %d %%: %s",
			unit[pick->from].cpu, 100 * unit[pick->from].capacity / unit[pick->to].capacity,
			unit[pick->to].cpu, to_load,
			one ? "so it goes there" : "all that it may use, and the kernel chooses");
	else if (one)
		why_set(&move->why, REASON_MOVE,
			"waited %.0f %% of the last minute; the kernel does not balance pCPU %d at %d %%, so to pCPU %d at %d %%",
			100 * mem->wait, unit[pick->from].cpu, from_load, unit[pick->to].cpu, to_load);
	else
		why_set(&move->why, REASON_FREE,
			"waited %.0f %% of the last minute on pCPU %d at %d %% while pCPU %d was at %d %%: all that it may use, and the kernel chooses",
			100 * mem->wait, unit[pick->from].cpu, from_load, unit[pick->to].cpu, to_load);
}

static size_t moves_most(const struct place_problem *prob)
{
	size_t n = prob->cfg->max_moves > 0 ? (size_t)prob->cfg->max_moves : max_of(prob->n_units / 4, 8);
	return min_of(n, RELIEF_TOUCHED);
}

/* After those before it in the plan. One hope a pCPU at a time: when one has left, the others may be well. */
static bool still_worth(struct relief *relief, const struct place_work *work, const struct relief_pick *pick)
{
	if (!pick->hope)
		return pick->to != pick->from && gain_of(relief, work, pick->task, pick->to) >= gain_least;
	for (size_t i = 0; i < relief->n_moves; i++)
		if (relief->moves[i].from == pick->from)
			return false;
	return true;
}

void relief_plan(struct relief *relief, struct place_work *work)
{
	size_t most = moves_most(work->prob);
	relief->n_moves = 0;
	relief_stuck_plan(relief, work, most);
	if (!anyone_ripe(relief, work))
		return;
	units_fill(relief, work);
	picks_find(relief, work);
	for (size_t i = 0; i < relief->n_picks && relief->n_moves < most; i++) {
		struct relief_pick *pick = &relief->picks[i];
		pick->to = pick->larger ? relief_larger(relief, work, pick->task)
					: place_lowest_ok(work, pick->task, 0, (uint32_t)work->n_units);
		if (pick->to < 0 || (!pick->larger && !still_worth(relief, work, pick)))
			continue;
		move_add(relief, work, pick);
		relocate(relief, work, pick->task, pick->to);
	}
}
