/* SPDX-License-Identifier: MIT */
/* The plan that is shown before it is made: ghosts on the map, of which some may be left out. Invariant: what
 * becomes an action is what was seen, and only where the world is still as it was then. */
#include "changes.h"
#include "vmtop/text.h"

void preview_begin(struct changes *ch, struct plan *ghosts, struct vf64 after_pct)
{
	struct preview *p = &ch->preview;
	struct plan swap = p->plan;
	p->plan = *ghosts;
	*ghosts = swap;
	p->shown = p->plan.n > 0;
	p->after_pct = after_pct;
}

void preview_drop(struct changes *ch)
{
	ch->preview.shown = false;
	plan_reset(&ch->preview.plan);
}

/* What the whole plan would lead to says nothing of a part of it. */
void preview_leave_out(struct changes *ch, const uint8_t uuid[UUID_BYTES], int vcpu, bool out)
{
	struct preview *p = &ch->preview;
	for (size_t i = 0; i < p->plan.n; i++) {
		struct action *a = &p->plan.actions[i];
		if (a->kind != ACTION_PIN || a->vcpu != vcpu || uuid_compare(a->uuid, uuid) != 0)
			continue;
		a->outcome = out ? OUTCOME_SKIPPED : OUTCOME_PLANNED;
		p->after_pct = vf64_absent(AVAIL_NONE);
	}
}

static bool still_good(const struct changes *ch, const struct action *p, const struct vm_sample *vm,
	const struct vcpu_sample *v)
{
	struct cpuset online;
	sample_online(ch->sample, &online);
	return vm && v && v->affinity_avail == AVAIL_OK && cpuset_equal(&v->affinity, &p->from) &&
	       ch->rules->vcpus[v - ch->sample->vcpus].cpu == REASON_NONE && cpuset_subset(&p->to, &online) &&
	       cpuset_subset(&p->to, &v->allowed);
}

int preview_apply(struct changes *ch)
{
	const struct plan *ghosts = &ch->preview.plan;
	size_t stale = 0;
	for (size_t i = 0; i < ghosts->n; i++) {
		const struct action *p = &ghosts->actions[i];
		if (p->outcome == OUTCOME_SKIPPED)
			continue;
		const struct vm_sample *vm = changes_vm(ch, p->uuid);
		const struct vcpu_sample *v = vm ? sample_vcpu(ch->sample, vm, p->vcpu) : NULL;
		if (!still_good(ch, p, vm, v)) {
			stale++;
			continue;
		}
		int n = asked_pin(ch, vm, v, &p->to, p->why.code);
		if (n < 0)
			return -1;
		if (n)
			ch->plan->actions[ch->plan->n - 1].why = p->why;
	}
	if (stale)
		talk_event(ch->talk, LOG_EVENT,
			"preview: %zu of %zu move%s left out, their vCPU changed since", stale, ghosts->n,
			text_s(ghosts->n));
	preview_drop(ch);
	return 0;
}
