/* SPDX-License-Identifier: MIT */
#include "plan_check.h"

#include <stdlib.h>

static const char *check_pin(const struct action *a, const struct sample *s)
{
	const struct vm_sample *vm = &s->vms[a->vm];
	const struct vcpu_sample *v = sample_vcpu(s, vm, a->vcpu);
	struct cpuset online;
	sample_online(s, &online);
	if (!v)
		return "pin of a vCPU that is not in the sample";
	if (cpuset_empty(&a->to))
		return "pin to no pCPU";
	if (v->affinity_avail == AVAIL_OK && cpuset_equal(&a->to, &v->affinity))
		return "pin that changes nothing";
	/* Putting back what was found may be wider than what is online; a policy's pin may not. */
	bool put_back = a->why.code == REASON_UNDO || a->why.code == REASON_RESTORE ||
			a->why.code == REASON_TAKE_BACK;
	if (!put_back && !cpuset_subset(&a->to, &online))
		return "pin to a pCPU that is not online";
	if (!put_back && a->why.code != REASON_USER && !cpuset_subset(&a->to, &v->allowed))
		return "pin outside the allowed set";
	return NULL;
}

static const char *check_balloon(const struct action *a, const struct sample *s)
{
	const struct vm_memory *m = &s->vms[a->vm].mem;
	if (a->to_kib <= 0)
		return "balloon target of nothing";
	if (vi64_has(m->max_kib) && a->to_kib > m->max_kib.v)
		return "balloon target above the maximum";
	/* One that is put back may be on its way to another target. */
	if (a->from_kib == a->to_kib && a->why.code != REASON_UNDO && a->why.code != REASON_RESTORE)
		return "balloon target that changes nothing";
	return NULL;
}

static const char *check_shares(const struct action *a)
{
	if (a->to_shares < CPU_SHARES_LEAST || a->to_shares > CPU_SHARES_MOST)
		return "CPU shares that no group can have";
	return a->from_shares == a->to_shares ? "CPU shares that change nothing" : NULL;
}

static int by_object(const void *a, const void *b)
{
	const struct action *x = *(const struct action *const *)a, *y = *(const struct action *const *)b;
	if (x->vm != y->vm)
		return x->vm < y->vm ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return (x->vcpu > y->vcpu) - (x->vcpu < y->vcpu);
}

static const char *check_once(const struct plan *p)
{
	const struct action **order = calloc(p->n, sizeof *order);
	if (!order)
		return NULL;
	for (size_t i = 0; i < p->n; i++)
		order[i] = &p->actions[i];
	qsort(order, p->n, sizeof *order, by_object);
	const char *broken = NULL;
	for (size_t i = 1; i < p->n && !broken; i++)
		if (by_object(&order[i - 1], &order[i]) == 0)
			broken = "two actions on one object in one plan";
	free(order);
	return broken;
}

const char *plan_check(const struct plan *p, const struct sample *s)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct action *a = &p->actions[i];
		if (a->vm >= s->n_vms || uuid_compare(a->uuid, s->vms[a->vm].uuid) != 0)
			return "action on a VM that is not in the sample";
		if (a->why.code == REASON_NONE)
			return "action without a reason";
		const char *broken = a->kind == ACTION_PIN       ? check_pin(a, s)
				     : a->kind == ACTION_BALLOON ? check_balloon(a, s)
				     : a->kind == ACTION_SHARES  ? check_shares(a)
								 : NULL;
		if (broken)
			return broken;
	}
	return check_once(p);
}
