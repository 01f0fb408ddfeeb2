/* SPDX-License-Identifier: MIT */
/* Changes that were asked for, as actions of the plan: pins, balloons, statistics periods, CPU shares.
 * Invariant: one action an object and step, the last word counts; what is there already, or could not be put
 * back, makes none. */
#include <string.h>

#include "changes.h"
#include "vmtop/text.h"

void asked_hold(struct changes *ch, const struct vm_sample *vm)
{
	struct vm_record *r = ledger_get(&ch->ledger, vm->uuid, vm->name);
	if (r)
		r->memo.held = true;
}

static struct action *action_for(
	struct changes *ch, enum action_kind kind, const struct vm_sample *vm, int vcpu, enum reason why)
{
	for (size_t i = 0; i < ch->plan->n;
		i++) { /* act at most once per object and step: the last word counts */
		struct action *a = &ch->plan->actions[i];
		if (a->kind == kind && a->vcpu == vcpu && uuid_compare(a->uuid, vm->uuid) == 0)
			return a;
	}
	struct action *a = plan_add(ch->plan, kind);
	if (!a)
		return NULL;
	memcpy(a->uuid, vm->uuid, UUID_BYTES);
	a->vm = (size_t)(vm - ch->sample->vms);
	a->vcpu = vcpu;
	why_set(&a->why, why, NULL);
	return a;
}

int asked_pin(struct changes *ch, const struct vm_sample *vm, const struct vcpu_sample *v,
	const struct cpuset *to, enum reason why)
{
	/* A pin whose present value is not known could not be put back later: it is not made. */
	if (v->affinity_avail != AVAIL_OK || cpuset_equal(&v->affinity, to))
		return 0;
	struct action *a = action_for(ch, ACTION_PIN, vm, v->id, why);
	if (!a)
		return -1;
	a->from = v->affinity;
	a->from_pinned = v->pinned;
	a->to = *to;
	return 1;
}

static int64_t clamp_balloon(const struct changes *ch, const struct vm_sample *vm, int64_t kib)
{
	size_t i = (size_t)(vm - ch->sample->vms);
	int64_t floor = mem_floor_kib(ch->cfg, vm, &ch->rules->vms[i], ch->model->vms[i].used_kib);
	if (kib < floor)
		kib = floor;
	if (vi64_has(vm->mem.max_kib) && kib > vm->mem.max_kib.v)
		kib = vm->mem.max_kib.v;
	return kib;
}

static int64_t going(const struct changes *ch, const struct vm_sample *vm)
{
	const struct vm_record *r = ledger_find(&ch->ledger, vm->uuid);
	return r ? balloon_going(r, &vm->mem, ch->sample->time_ns) : vm->mem.balloon_kib.v;
}

/* A balloon of the right size may still be on its way to another target. */
static bool balloon_settled(const struct changes *ch, const struct vm_sample *vm, int64_t to_kib)
{
	return vm->mem.balloon_kib.v == to_kib && going(ch, vm) == to_kib;
}

int asked_balloon(struct changes *ch, const struct vm_sample *vm, int64_t to_kib, enum reason why)
{
	int64_t to = clamp_balloon(ch, vm, to_kib);
	if (!vi64_has(vm->mem.balloon_kib) || balloon_settled(ch, vm, to))
		return 0;
	struct action *a = action_for(ch, ACTION_BALLOON, vm, -1, why);
	if (!a)
		return -1;
	a->from_kib = going(ch, vm);
	a->to_kib = to;
	if (to != to_kib) {
		char want[16], got[16];
		text_kib(want, sizeof want, to_kib);
		text_kib(got, sizeof got, to);
		why_set(&a->why, why, "%s; %s is outside its floor and maximum, so %s", reason_text(why),
			want, got);
	}
	return 1;
}

int asked_shares(struct changes *ch, const struct vm_sample *vm, int from, int to, enum reason why)
{
	if (from == to)
		return 0;
	struct action *a = action_for(ch, ACTION_SHARES, vm, -1, why);
	if (!a)
		return -1;
	a->from_shares = from;
	a->to_shares = to;
	return 1;
}

int asked_period(struct changes *ch, const struct vm_sample *vm, int to_s, enum reason why)
{
	struct action *a = action_for(ch, ACTION_PERIOD, vm, -1, why);
	if (!a)
		return -1;
	a->from_s = (int)vm->mem.period_s.v;
	a->to_s = to_s;
	return 1;
}
