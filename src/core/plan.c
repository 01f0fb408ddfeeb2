/* SPDX-License-Identifier: MIT */
/* The container of a round's actions. */
#include "vmtop/plan.h"
#include "vmtop/array.h"

#include <stdlib.h>
#include <string.h>

void plan_init(struct plan *plan)
{
	memset(plan, 0, sizeof *plan);
}

void plan_done(struct plan *plan)
{
	free(plan->actions);
	memset(plan, 0, sizeof *plan);
}

void plan_reset(struct plan *plan)
{
	plan->n = 0;
}

struct action *plan_add(struct plan *plan, enum action_kind kind)
{
	struct action *action = array_more(&plan->actions, &plan->n, &plan->cap, SIZE_MAX, sizeof *action);
	if (!action)
		return NULL;
	action->kind = kind;
	action->vcpu = -1;
	return action;
}

bool action_same(const struct action *a, const struct action *b)
{
	if (a->kind != b->kind || a->vcpu != b->vcpu || uuid_compare(a->uuid, b->uuid) != 0)
		return false;
	if (a->kind == ACTION_PIN)
		return cpuset_equal(&a->to, &b->to);
	return a->kind == ACTION_BALLOON ? a->to_kib == b->to_kib : a->to_s == b->to_s;
}

bool plan_same(const struct plan *a, const struct plan *b)
{
	for (size_t i = 0; a->n == b->n && i < a->n; i++)
		if (!action_same(&a->actions[i], &b->actions[i]))
			return false;
	return a->n == b->n;
}

const char *action_kind_text(enum action_kind kind)
{
	static const char *const text[] = {[ACTION_PIN] = "pin",
		[ACTION_BALLOON] = "balloon",
		[ACTION_PERIOD] = "period",
		[ACTION_SHARES] = "shares"};
	return (unsigned)kind <= ACTION_SHARES ? text[kind] : "?";
}

const char *outcome_text(enum outcome outcome)
{
	static const char *const text[] = {
		[OUTCOME_PLANNED] = "planned",
		[OUTCOME_DONE] = "done",
		[OUTCOME_FAILED] = "failed",
		[OUTCOME_SKIPPED] = "skipped",
		[OUTCOME_UNKNOWN] = "unknown",
	};
	return (unsigned)outcome <= OUTCOME_UNKNOWN ? text[outcome] : "?";
}
