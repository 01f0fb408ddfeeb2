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

void relief_done(struct relief *r)
{
	free(r->slots);
	free(r->moves);
	free(r->at);
	free(r->by_busy);
	free(r->first);
	free(r->next);
	free(r->picks);
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
static size_t count_resting(const struct relief *r, const struct place_work *w, double *longest_s)
{
	size_t n = 0;
	*longest_s = 0;
	for (uint32_t t = 0; t < w->n; t++) {
		const struct relief_memory *m = relief_memory_of(r, w, t);
		double left_s = (double)(m->rest_until_ns - w->p->now_ns) / (double)S_NS;
		if (m->spare < RELIEF_SPARE || left_s <= 0)
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

static void say_quiet(
	const struct relief *r, const struct place_work *w, const char *numbers, bool within, struct why *why)
{
	double rest_s;
	size_t rest = count_resting(r, w, &rest_s);
	if (rest)
		why_set(why, REASON_RESTING,
			"%s; %zu vCPU%s for up to %.0f s more: the last change did not help", numbers, rest,
			text_s(rest), rest_s);
	else if (r->n_slow && r->worst_wait < RELIEF_SPARE)
		why_set(why, REASON_CONFIRM,
			"%s; of %zu vCPU%s %zu ha%s all of a lesser pCPU beside larger ones that idle: "
			"watching whether it lasts",
			numbers, w->p->n_tasks, text_s(w->p->n_tasks), r->n_slow,
			r->n_slow == 1 ? "s" : "ve");
	else if (r->n_curable)
		why_set(why, REASON_CONFIRM,
			"%s; %zu of %zu vCPU%s wait%s, up to %.0f %%, beside pCPUs with room: "
			"watching whether it lasts",
			numbers, r->n_curable, w->p->n_tasks, text_s(w->p->n_tasks), ends(r->n_curable),
			100 * r->worst_wait);
	else if (r->n_stuck)
		why_set(why, REASON_CONFIRM,
			"%s; %zu of %zu vCPU%s float%s and wait%s beside pCPUs with room: watching whether the kernel leaves it so",
			numbers, r->n_stuck, w->p->n_tasks, text_s(w->p->n_tasks), ends(r->n_stuck),
			ends(r->n_stuck));
	else if (r->n_waiting)
		why_set(why, within ? REASON_BALANCED : REASON_NO_WAIT,
			"%s; %zu vCPU%s wait%s, up to %.0f %%: no pCPU with more room is allowed", numbers,
			r->n_waiting, text_s(r->n_waiting), ends(r->n_waiting), 100 * r->worst_wait);
	else if (within)
		why_set(why, REASON_BALANCED, "%s", numbers);
	else
		why_set(why, REASON_NO_WAIT, "%s; nobody waits, %zu of %zu float%s: left to the kernel",
			numbers, r->n_float, w->p->n_tasks, ends(r->n_float));
}

static void say_plan(const struct relief *r, const struct place_work *w, const char *numbers, struct why *why)
{
	size_t n = r->n_moves;
	if (r->moves[0].aim == PLACE_BACK) {
		why_set(why, REASON_FREE, "%zu of %zu vCPU%s may run where they were found again; %s", n,
			w->p->n_tasks, text_s(w->p->n_tasks), numbers);
		return;
	}
	const char *how = r->moves[0].why.code == REASON_MOVE ? "moved" : "freed for the kernel to spread";
	if (!r->n_waiting && r->n_slow) {
		why_set(why, r->moves[0].why.code, "%zu of %zu vCPU%s %s, off lesser pCPUs; %s", n,
			w->p->n_tasks, text_s(w->p->n_tasks), how, numbers);
		return;
	}
	why_set(why, r->moves[0].why.code, "%zu of %zu vCPU%s %s, as %zu waited up to %.0f %%; %s", n,
		w->p->n_tasks, text_s(w->p->n_tasks), how, r->n_waiting, 100 * r->worst_wait, numbers);
}

int relief_round(struct relief *r, struct place_work *w, const char *numbers, bool within, bool act,
	struct place_result *out)
{
	const struct place_problem *p = w->p;
	r->n_moves = 0;
	if (relief_room(r, w) < 0)
		return -1;
	relief_model(r, w);
	double dt_s = relief_watch(r, w);
	if (!p->forced && relief_review(r, w, act, dt_s, &out->why))
		return 0;
	if (p->forced || !relief_settling(r, p->now_ns))
		relief_plan(r, w);
	if (r->n_moves) {
		out->after_pct = place_sigma(w, place_q(w));
		say_plan(r, w, numbers, &out->why);
	} else {
		say_quiet(r, w, numbers, within, &out->why);
	}
	if (!act)
		r->n_moves = 0;
	return 0;
}
