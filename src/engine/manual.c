/* SPDX-License-Identifier: MIT */
/* What is done by hand: pins and balloons of one VM, statistics periods, a preview that is taken. Invariant:
 * the rules of a VM hold here too, a refusal is said, and the VMs touched are held out of AUTO. */
#include <string.h>

#include "priv.h"
#include "vmtop/text.h"

/* Not even by hand: VMs that were not named, that say so themselves, or that are on the move. */
static bool refused(struct engine *en, const struct vm_sample *vm, const char *what)
{
	enum reason why = rules_forbid(&en->cfg, vm);
	if (why == REASON_NONE && vm->flags & VM_FLAG_JOB)
		why = REASON_JOB;
	if (why == REASON_EXCLUDED)
		talk_notice(&en->talk, "%s: this VM is not among those that may be steered", what);
	else if (why != REASON_NONE)
		talk_notice(&en->talk, "%s: %s", what, reason_text(why));
	return why != REASON_NONE;
}

static int manual_pin(struct engine *en, const struct command *c)
{
	const struct vm_sample *vm = changes_vm(&en->changes, c->uuid);
	const struct vcpu_sample *v = vm ? sample_vcpu(&en->sample, vm, c->vcpu) : NULL;
	struct cpuset online;
	sample_online(&en->sample, &online);
	if (!v) {
		talk_notice(&en->talk,
			"not pinned: the VM or vCPU is not there any more, or its monitor does not answer");
		return 0;
	}
	if (refused(en, vm, "not pinned"))
		return 0;
	if (v->affinity_avail != AVAIL_OK) {
		talk_notice(&en->talk, "not pinned: how it is pinned now is not known (%s)",
			avail_text(v->affinity_avail));
		return 0;
	}
	if (!cpuset_intersects(&c->cpus, &online) || !cpuset_subset(&c->cpus, &v->allowed)) {
		talk_notice(&en->talk,
			"not pinned: the list must hold an online pCPU and stay inside the VM's allowed set");
		return 0;
	}
	asked_hold(&en->changes, vm);
	return asked_pin(&en->changes, vm, v, &c->cpus, REASON_USER);
}

static int manual_balloon(struct engine *en, const struct command *c)
{
	const struct vm_sample *vm = changes_vm(&en->changes, c->uuid);
	const char *cannot = !vm                             ? "the VM is not there any more"
			     : !vm->mem.balloon_device       ? avail_text(AVAIL_NO_DEVICE)
			     : vi64_has(vm->mem.balloon_kib) ? NULL
							     : avail_text(vm->mem.balloon_kib.avail);
	if (cannot) {
		talk_notice(&en->talk, "balloon not set: %s", cannot);
		return 0;
	}
	if (refused(en, vm, "balloon not set"))
		return 0;
	asked_hold(&en->changes, vm);
	return asked_balloon(&en->changes, vm, (int64_t)c->number, REASON_USER);
}

/* Turns statistics on where they are off; never fights a period that somebody set, asks each VM once. */
static int periods_plan(struct engine *en)
{
	if ((!en->stats_on && !en->cfg.auto_memory) || en->cfg.readonly || en->status.readonly)
		return 0;
	int period = en->cfg.stats_period_s > 0 ? en->cfg.stats_period_s : 2;
	for (size_t i = 0; i < en->sample.n_vms; i++) {
		const struct vm_sample *vm = &en->sample.vms[i];
		if (en->rules.vms[i].memory != REASON_NONE || !vm->mem.balloon_device ||
			!vi64_has(vm->mem.period_s) || vm->mem.period_s.v != 0)
			continue;
		struct vm_record *r = ledger_get(&en->changes.ledger, vm->uuid, vm->name);
		if (!r)
			return -1;
		if (r->period.wrote < 0 && asked_period(&en->changes, vm, period, REASON_STATS_ON) < 0)
			return -1;
	}
	return 0;
}

static int manual_one(struct engine *en, const struct command *c)
{
	switch (c->kind) {
	case CMD_PIN:
		return manual_pin(en, c);
	case CMD_BALLOON:
		return manual_balloon(en, c);
	case CMD_UNDO:
		return undo_last(&en->changes);
	case CMD_RESTORE:
		return restore_all(&en->changes);
	case CMD_STATS_PERIOD:
		return c->on ? 0 : restore_periods(&en->changes);
	default:
		return 0;
	}
}

/* To put back what is only being asked for takes a step of its own, after it. */
static bool must_wait(const struct engine *en, size_t i)
{
	enum command_kind k = en->asked[i].kind;
	return i > 0 && (k == CMD_UNDO || k == CMD_RESTORE);
}

int manual_plan(struct engine *en)
{
	int bad = 0;
	size_t n = 0;
	for (; n < en->n_asked && !must_wait(en, n); n++)
		bad |= manual_one(en, &en->asked[n]) < 0;
	en->n_asked -= n;
	memmove(en->asked, en->asked + n, en->n_asked * sizeof *en->asked);
	bad |= periods_plan(en) < 0;
	return bad ? -1 : 0;
}

/* The ghosts become actions if the world is still as it was when they were planned. */
static bool still_good(const struct engine *en, const struct action *p, const struct vm_sample *vm,
	const struct vcpu_sample *v)
{
	struct cpuset online;
	sample_online(&en->sample, &online);
	return vm && v && v->affinity_avail == AVAIL_OK && cpuset_equal(&v->affinity, &p->from) &&
	       en->rules.vcpus[v - en->sample.vcpus].cpu == REASON_NONE && cpuset_subset(&p->to, &online) &&
	       cpuset_subset(&p->to, &v->allowed);
}

int preview_apply(struct engine *en)
{
	size_t stale = 0;
	for (size_t i = 0; i < en->preview.n; i++) {
		const struct action *p = &en->preview.actions[i];
		if (p->outcome == OUTCOME_SKIPPED)
			continue;
		const struct vm_sample *vm = changes_vm(&en->changes, p->uuid);
		const struct vcpu_sample *v = vm ? sample_vcpu(&en->sample, vm, p->vcpu) : NULL;
		if (!still_good(en, p, vm, v)) {
			stale++;
			continue;
		}
		int n = asked_pin(&en->changes, vm, v, &p->to, p->why.code);
		if (n < 0)
			return -1;
		if (n)
			en->plan.actions[en->plan.n - 1].why = p->why;
	}
	if (stale)
		talk_event(&en->talk, LOG_EVENT,
			"preview: %zu of %zu move%s left out, their vCPU changed since", stale, en->preview.n,
			text_s(en->preview.n));
	plan_reset(&en->preview);
	en->previewing = false;
	return 0;
}
