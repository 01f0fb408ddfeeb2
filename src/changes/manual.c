/* SPDX-License-Identifier: MIT */
/* What is done by hand: pins and balloons of one VM, statistics periods. Invariant: the rules of a VM hold
 * here too, a refusal is said, and the VMs touched are held out of AUTO. */
#include <string.h>

#include "changes.h"
#include "vmtop/text.h"

/* Not even by hand: VMs that were not named, that say so themselves, or that are on the move. */
static bool refused(struct changes *ch, const struct vm_sample *vm, const char *what)
{
	enum reason why = rules_forbid(ch->cfg, vm);
	if (why == REASON_NONE && vm->flags & VM_FLAG_JOB)
		why = REASON_JOB;
	if (why == REASON_EXCLUDED)
		talk_notice(ch->talk, "%s: this VM is not among those that may be steered", what);
	else if (why != REASON_NONE)
		talk_notice(ch->talk, "%s: %s", what, reason_text(why));
	return why != REASON_NONE;
}

static int manual_pin(struct changes *ch, const struct command *c)
{
	const struct vm_sample *vm = changes_vm(ch, c->uuid);
	const struct vcpu_sample *v = vm ? sample_vcpu(ch->sample, vm, c->vcpu) : NULL;
	struct cpuset online;
	sample_online(ch->sample, &online);
	if (!v) {
		talk_notice(ch->talk,
			"not pinned: the VM or vCPU is not there any more, or its monitor does not answer");
		return 0;
	}
	if (refused(ch, vm, "not pinned"))
		return 0;
	if (v->affinity_avail != AVAIL_OK) {
		talk_notice(ch->talk, "not pinned: how it is pinned now is not known (%s)",
			avail_text(v->affinity_avail));
		return 0;
	}
	if (!cpuset_intersects(&c->cpus, &online) || !cpuset_subset(&c->cpus, &v->allowed)) {
		talk_notice(ch->talk,
			"not pinned: the list must hold an online pCPU and stay inside the VM's allowed set");
		return 0;
	}
	asked_hold(ch, vm);
	return asked_pin(ch, vm, v, &c->cpus, REASON_USER);
}

/* NULL: it can be set. */
static const char *why_no_balloon(const struct vm_sample *vm)
{
	if (!vm)
		return "the VM is not there any more";
	if (!vm->mem.balloon_device)
		return avail_text(AVAIL_NO_DEVICE);
	return vi64_has(vm->mem.balloon_kib) ? NULL : avail_text(vm->mem.balloon_kib.avail);
}

static int manual_balloon(struct changes *ch, const struct command *c)
{
	const struct vm_sample *vm = changes_vm(ch, c->uuid);
	const char *cannot = why_no_balloon(vm);
	if (cannot) {
		talk_notice(ch->talk, "balloon not set: %s", cannot);
		return 0;
	}
	if (refused(ch, vm, "balloon not set"))
		return 0;
	asked_hold(ch, vm);
	return asked_balloon(ch, vm, (int64_t)c->number, REASON_USER);
}

/* Turns statistics on where they are off; never fights a period that somebody set, asks each VM once. */
static int periods_plan(struct changes *ch, bool wanted)
{
	if (!wanted)
		return 0;
	int period = ch->cfg->stats_period_s > 0 ? ch->cfg->stats_period_s : 2;
	for (size_t i = 0; i < ch->sample->n_vms; i++) {
		const struct vm_sample *vm = &ch->sample->vms[i];
		if (ch->rules->vms[i].memory != REASON_NONE || !vm->mem.balloon_device ||
			!vi64_has(vm->mem.period_s) || vm->mem.period_s.v != 0)
			continue;
		struct vm_record *r = ledger_get(&ch->ledger, vm->uuid, vm->name);
		if (!r)
			return -1;
		if (r->period.wrote < 0 && asked_period(ch, vm, period, REASON_STATS_ON) < 0)
			return -1;
	}
	return 0;
}

bool manual_ask(struct changes *ch, const struct command *c)
{
	if (ch->n_asked == ASKED_MAX)
		return false;
	ch->asked[ch->n_asked++] = *c;
	return true;
}

static int manual_one(struct changes *ch, const struct command *c)
{
	switch (c->kind) {
	case CMD_PIN:
		return manual_pin(ch, c);
	case CMD_BALLOON:
		return manual_balloon(ch, c);
	case CMD_UNDO:
		return undo_last(ch);
	case CMD_RESTORE:
		return restore_all(ch);
	case CMD_STATS_PERIOD:
		return c->on ? 0 : restore_periods(ch);
	default:
		return 0;
	}
}

/* To put back what is only being asked for takes a step of its own, after it. */
static bool must_wait(const struct changes *ch, size_t i)
{
	enum command_kind k = ch->asked[i].kind;
	return i > 0 && (k == CMD_UNDO || k == CMD_RESTORE);
}

int manual_plan(struct changes *ch, bool periods)
{
	int bad = 0;
	size_t n = 0;
	for (; n < ch->n_asked && !must_wait(ch, n); n++)
		bad |= manual_one(ch, &ch->asked[n]) < 0;
	ch->n_asked -= n;
	memmove(ch->asked, ch->asked + n, ch->n_asked * sizeof *ch->asked);
	bad |= periods_plan(ch, periods) < 0;
	return bad ? -1 : 0;
}
