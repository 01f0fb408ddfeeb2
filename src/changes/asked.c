/* SPDX-License-Identifier: MIT */
/* Changes that were asked for, as actions of the plan: pins, balloons, statistics periods, CPU shares.
 * Invariant: one action an object and step, the last word counts; what is there already, or could not be put
 * back, makes none. */
#include <string.h>

#include "changes.h"
#include "vmtop/text.h"

void asked_hold(struct changes *changes, const struct vm_sample *vm)
{
	struct vm_record *rec = ledger_get(&changes->ledger, vm->uuid, vm->name);
	if (rec)
		rec->memo.held = true;
}

static struct action *action_for(
	struct changes *changes, enum action_kind kind, const struct vm_sample *vm, int vcpu, enum reason why)
{
	for (size_t i = 0; i < changes->plan->n;
		i++) { /* act at most once per object and step: the last word counts */
		struct action *action = &changes->plan->actions[i];
		if (action->kind == kind && action->vcpu == vcpu && uuid_compare(action->uuid, vm->uuid) == 0)
			return action;
	}
	struct action *action = plan_add(changes->plan, kind);
	if (!action)
		return NULL;
	memcpy(action->uuid, vm->uuid, UUID_BYTES);
	action->vm = (size_t)(vm - changes->sample->vms);
	action->vcpu = vcpu;
	why_set(&action->why, why, NULL);
	return action;
}

int asked_pin(struct changes *changes, const struct vm_sample *vm, const struct vcpu_sample *vcpu,
	const struct cpuset *to, enum reason why)
{
	/* A pin whose present value is not known could not be put back later: it is not made. */
	if (vcpu->affinity_avail != AVAIL_OK || cpuset_equal(&vcpu->affinity, to))
		return 0;
	struct action *action = action_for(changes, ACTION_PIN, vm, vcpu->id, why);
	if (!action)
		return -1;
	action->from = vcpu->affinity;
	action->from_pinned = vcpu->pinned;
	action->to = *to;
	return 1;
}

static int64_t clamp_balloon(const struct changes *changes, const struct vm_sample *vm, int64_t kib)
{
	size_t i = (size_t)(vm - changes->sample->vms);
	int64_t floor =
		mem_floor_kib(changes->cfg, vm, &changes->rules->vms[i], changes->model->vms[i].used_kib);
	if (kib < floor)
		kib = floor;
	if (vi64_has(vm->mem.max_kib) && kib > vm->mem.max_kib.v)
		kib = vm->mem.max_kib.v;
	return kib;
}

static int64_t going(const struct changes *changes, const struct vm_sample *vm)
{
	const struct vm_record *rec = ledger_find(&changes->ledger, vm->uuid);
	return rec ? balloon_going(rec, &vm->mem, changes->sample->time_ns) : vm->mem.balloon_kib.v;
}

/* A balloon of the right size may still be on its way to another target. */
static bool balloon_settled(const struct changes *changes, const struct vm_sample *vm, int64_t to_kib)
{
	return vm->mem.balloon_kib.v == to_kib && going(changes, vm) == to_kib;
}

int asked_balloon(struct changes *changes, const struct vm_sample *vm, int64_t to_kib, enum reason why)
{
	int64_t to = clamp_balloon(changes, vm, to_kib);
	if (!vi64_has(vm->mem.balloon_kib) || balloon_settled(changes, vm, to))
		return 0;
	struct action *action = action_for(changes, ACTION_BALLOON, vm, -1, why);
	if (!action)
		return -1;
	action->from_kib = going(changes, vm);
	action->to_kib = to;
	if (to != to_kib) {
		char want[16], got[16];
		text_kib(want, sizeof want, to_kib);
		text_kib(got, sizeof got, to);
		why_set(&action->why, why, "%s; %s is outside its floor and maximum, so %s", reason_text(why),
			want, got);
	}
	return 1;
}

int asked_shares(struct changes *changes, const struct vm_sample *vm, int from, int to, enum reason why)
{
	if (from == to)
		return 0;
	struct action *action = action_for(changes, ACTION_SHARES, vm, -1, why);
	if (!action)
		return -1;
	action->from_shares = from;
	action->to_shares = to;
	return 1;
}

int asked_period(struct changes *changes, const struct vm_sample *vm, int to_s, enum reason why)
{
	struct action *action = action_for(changes, ACTION_PERIOD, vm, -1, why);
	if (!action)
		return -1;
	action->from_s = (int)vm->mem.period_s.v;
	action->to_s = to_s;
	return 1;
}
