/* SPDX-License-Identifier: MIT */
/* The container of a round's actions. */
#include "vmtop/plan.h"
#include "vmtop/array.h"

#include <stdlib.h>
#include <string.h>

void plan_init(struct plan *p)
{
	memset(p, 0, sizeof *p);
}

void plan_done(struct plan *p)
{
	free(p->actions);
	memset(p, 0, sizeof *p);
}

void plan_reset(struct plan *p)
{
	p->n = 0;
}

struct action *plan_add(struct plan *p, enum action_kind kind)
{
	struct action *a = array_more(&p->actions, &p->n, &p->cap, SIZE_MAX, sizeof *a);
	if (!a)
		return NULL;
	a->kind = kind;
	a->vcpu = -1;
	return a;
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

const char *action_kind_text(enum action_kind k)
{
	static const char *const text[] = {[ACTION_PIN] = "pin",
		[ACTION_BALLOON] = "balloon",
		[ACTION_PERIOD] = "period",
		[ACTION_SHARES] = "shares"};
	return (unsigned)k <= ACTION_SHARES ? text[k] : "?";
}

const char *outcome_text(enum outcome o)
{
	static const char *const text[] = {
		[OUTCOME_PLANNED] = "planned",
		[OUTCOME_DONE] = "done",
		[OUTCOME_FAILED] = "failed",
		[OUTCOME_SKIPPED] = "skipped",
		[OUTCOME_UNKNOWN] = "unknown",
	};
	return (unsigned)o <= OUTCOME_UNKNOWN ? text[o] : "?";
}
