/* SPDX-License-Identifier: MIT */
/* A round of relief: who waits, were the last changes any good, who is helped now, and what is said about it.
 * Invariant: a vCPU that nobody bound to fewer pCPUs than it may use is not touched where the kernel
 * balances. Knows no VMs, pins or hosts. */
#include "relief.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "minmove.h"
#include "vmtop/array.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

void relief_done(struct relief *relief)
{
	free(relief->slots);
	free(relief->moves);
	free(relief->at);
	free(relief->by_busy);
	free(relief->first);
	free(relief->next);
	free(relief->picks);
}

int relief_mirror(struct relief *to, const struct relief *from)
{
	if (!array_grow(&to->slots, &to->cap_slots, from->cap_slots, sizeof *to->slots))
		return -1;
	if (from->cap_slots)
		memcpy(to->slots, from->slots, from->cap_slots * sizeof *to->slots);
	memset(to->slots + from->cap_slots, 0, (to->cap_slots - from->cap_slots) * sizeof *to->slots);
	to->last_ns = from->last_ns;
	return 0;
}

/* Of those that wait and could be helped, how many are left alone because help was of no use lately. */
static size_t count_resting(const struct relief *relief, const struct place_work *work, double *longest_s)
{
	size_t n = 0;
	*longest_s = 0;
	for (uint32_t task = 0; task < work->n_tasks; task++) {
		const struct relief_memory *mem = relief_memory_of(relief, work, task);
		double left_s = (double)(mem->rest_until_ns - work->prob->now_ns) / (double)S_NS;
		if (mem->spare < RELIEF_SPARE || left_s <= 0)
			continue;
		n++;
		*longest_s = max_of(left_s, *longest_s);
	}
	return n;
}

/* Of a verb whose subject is so many. */
static const char *ends(size_t n)
{
	return n == 1 ? "s" : "";
}

static void say_quiet(const struct relief *relief, const struct place_work *work, const char *numbers,
	bool within, struct why *why)
{
	double rest_s;
	size_t rest = count_resting(relief, work, &rest_s);
	if (rest)
		why_set(why, REASON_RESTING,
			"%s; %zu vCPU%s for up to %.0f s more: the last change did not help", numbers, rest,
			text_s(rest), rest_s);
	else if (relief->n_slow && relief->worst_wait < RELIEF_SPARE)
		why_set(why, REASON_CONFIRM,
			"%s; of %zu vCPU%s %zu ha%s all of a lesser pCPU beside larger ones that idle: "
			"watching whether it lasts",
			numbers, work->prob->n_tasks, text_s(work->prob->n_tasks), relief->n_slow,
			relief->n_slow == 1 ? "s" : "ve");
	else if (relief->n_curable)
		why_set(why, REASON_CONFIRM,
			"%s; %zu of %zu vCPU%s wait%s, up to %.0f %%, beside pCPUs with room: "
			"watching whether it lasts",
			numbers, relief->n_curable, work->prob->n_tasks, text_s(work->prob->n_tasks),
			ends(relief->n_curable), 100 * relief->worst_wait);
	else if (relief->n_stuck)
		why_set(why, REASON_CONFIRM,
			"%s; %zu of %zu vCPU%s float%s and wait%s beside pCPUs with room: watching whether the kernel leaves it so",
			numbers, relief->n_stuck, work->prob->n_tasks, text_s(work->prob->n_tasks),
			ends(relief->n_stuck), ends(relief->n_stuck));
	else if (relief->n_waiting)
		why_set(why, within ? REASON_BALANCED : REASON_NO_WAIT,
			"%s; %zu vCPU%s wait%s, up to %.0f %%: no pCPU with more room is allowed", numbers,
			relief->n_waiting, text_s(relief->n_waiting), ends(relief->n_waiting),
			100 * relief->worst_wait);
	else if (within)
		why_set(why, REASON_BALANCED, "%s", numbers);
	else
		why_set(why, REASON_NO_WAIT, "%s; nobody waits, %zu of %zu float%s: left to the kernel",
			numbers, relief->n_float, work->prob->n_tasks, ends(relief->n_float));
}

static void say_plan(
	const struct relief *relief, const struct place_work *work, const char *numbers, struct why *why)
{
	size_t n = relief->n_moves;
	if (relief->moves[0].aim == PLACE_BACK) {
		why_set(why, REASON_FREE, "%zu of %zu vCPU%s may run where they were found again; %s", n,
			work->prob->n_tasks, text_s(work->prob->n_tasks), numbers);
		return;
	}
	const char *how =
		relief->moves[0].why.code == REASON_MOVE ? "moved" : "freed for the kernel to spread";
	if (!relief->n_waiting && relief->n_slow) {
		why_set(why, relief->moves[0].why.code, "%zu of %zu vCPU%s %s, off lesser pCPUs; %s", n,
			work->prob->n_tasks, text_s(work->prob->n_tasks), how, numbers);
		return;
	}
	why_set(why, relief->moves[0].why.code, "%zu of %zu vCPU%s %s, as %zu waited up to %.0f %%; %s", n,
		work->prob->n_tasks, text_s(work->prob->n_tasks), how, relief->n_waiting,
		100 * relief->worst_wait, numbers);
}

int relief_round(struct relief *relief, struct place_work *work, const char *numbers, bool within, bool act,
	struct place_result *out)
{
	const struct place_problem *prob = work->prob;
	relief->n_moves = 0;
	if (relief_room(relief, work) < 0)
		return -1;
	relief_model(relief, work);
	double dt_s = relief_watch(relief, work);
	if (!prob->forced && relief_review(relief, work, act, dt_s, &out->why))
		return 0;
	if (prob->forced || !relief_settling(relief, prob->now_ns))
		relief_plan(relief, work);
	if (relief->n_moves) {
		out->after_pct = place_sigma(work, place_q(work));
		say_plan(relief, work, numbers, &out->why);
	} else {
		say_quiet(relief, work, numbers, within, &out->why);
	}
	if (!act)
		relief->n_moves = 0;
	return 0;
}
