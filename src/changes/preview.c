/* SPDX-License-Identifier: MIT */
/* The plan that is shown before it is made: ghosts on the map, of which some may be left out. Invariant: what
 * becomes an action is what was seen, and only where the world is still as it was then. */
#include "changes.h"
#include "vmtop/text.h"

void preview_begin(struct changes *changes, struct plan *ghosts, struct vf64 after_pct)
{
	struct preview *preview = &changes->preview;
	struct plan swap = preview->plan;
	preview->plan = *ghosts;
	*ghosts = swap;
	preview->shown = preview->plan.n > 0;
	preview->after_pct = after_pct;
}

void preview_drop(struct changes *changes)
{
	changes->preview.shown = false;
	plan_reset(&changes->preview.plan);
}

/* What the whole plan would lead to says nothing of a part of it. */
void preview_leave_out(struct changes *changes, const uint8_t uuid[UUID_BYTES], int vcpu, bool out)
{
	struct preview *preview = &changes->preview;
	for (size_t i = 0; i < preview->plan.n; i++) {
		struct action *action = &preview->plan.actions[i];
		if (action->kind != ACTION_PIN || action->vcpu != vcpu ||
			uuid_compare(action->uuid, uuid) != 0)
			continue;
		action->outcome = out ? OUTCOME_SKIPPED : OUTCOME_PLANNED;
		preview->after_pct = vf64_absent(AVAIL_NONE);
	}
}

static bool still_good(const struct changes *changes, const struct action *action, const struct vm_sample *vm,
	const struct vcpu_sample *vcpu)
{
	struct cpuset online;
	sample_online(changes->sample, &online);
	return vm && vcpu && vcpu->affinity_avail == AVAIL_OK &&
	       cpuset_equal(&vcpu->affinity, &action->from) &&
	       changes->rules->vcpus[vcpu - changes->sample->vcpus].cpu == REASON_NONE &&
	       cpuset_subset(&action->to, &online) && cpuset_subset(&action->to, &vcpu->allowed);
}

int preview_apply(struct changes *changes)
{
	const struct plan *ghosts = &changes->preview.plan;
	size_t stale = 0;
	for (size_t i = 0; i < ghosts->n; i++) {
		const struct action *action = &ghosts->actions[i];
		if (action->outcome == OUTCOME_SKIPPED)
			continue;
		const struct vm_sample *vm = changes_vm(changes, action->uuid);
		const struct vcpu_sample *vcpu = vm ? sample_vcpu(changes->sample, vm, action->vcpu) : NULL;
		if (!still_good(changes, action, vm, vcpu)) {
			stale++;
			continue;
		}
		int n = asked_pin(changes, vm, vcpu, &action->to, action->why.code);
		if (n < 0)
			return -1;
		if (n)
			changes->plan->actions[changes->plan->n - 1].why = action->why;
	}
	if (stale)
		talk_event(changes->talk, LOG_EVENT,
			"preview: %zu of %zu move%s left out, their vCPU changed since", stale, ghosts->n,
			text_s(ghosts->n));
	preview_drop(changes);
	return 0;
}
