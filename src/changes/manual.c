/* SPDX-License-Identifier: MIT */
/* What is done by hand: pins and balloons of one VM, statistics periods. Invariant: the rules of a VM hold
 * here too, a refusal is said, and the VMs touched are held out of AUTO. */
#include <string.h>

#include "changes.h"
#include "vmtop/text.h"

/* Not even by hand: VMs that were not named, that say so themselves, or that are on the move. */
static bool refused(struct changes *changes, const struct vm_sample *vm, const char *what)
{
	enum reason why = rules_forbid(changes->cfg, vm);
	if (why == REASON_NONE && vm->flags & VM_FLAG_JOB)
		why = REASON_JOB;
	if (why == REASON_EXCLUDED)
		talk_notice(changes->talk, "%s: this VM is not among those that may be steered", what);
	else if (why != REASON_NONE)
		talk_notice(changes->talk, "%s: %s", what, reason_text(why));
	return why != REASON_NONE;
}

static int manual_pin(struct changes *changes, const struct command *cmd)
{
	const struct vm_sample *vm = changes_vm(changes, cmd->uuid);
	const struct vcpu_sample *vcpu = vm ? sample_vcpu(changes->sample, vm, cmd->vcpu) : NULL;
	struct cpuset online;
	sample_online(changes->sample, &online);
	if (!vcpu) {
		talk_notice(changes->talk,
			"not pinned: the VM or vCPU is not there any more, or its monitor does not answer");
		return 0;
	}
	if (refused(changes, vm, "not pinned"))
		return 0;
	if (vcpu->affinity_avail != AVAIL_OK) {
		talk_notice(changes->talk, "not pinned: how it is pinned now is not known (%s)",
			avail_text(vcpu->affinity_avail));
		return 0;
	}
	if (!cpuset_intersects(&cmd->cpus, &online) || !cpuset_subset(&cmd->cpus, &vcpu->allowed)) {
		talk_notice(changes->talk,
			"not pinned: the list must hold an online pCPU and stay inside the VM's allowed set");
		return 0;
	}
	asked_hold(changes, vm);
	return asked_pin(changes, vm, vcpu, &cmd->cpus, REASON_USER);
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

static int manual_balloon(struct changes *changes, const struct command *cmd)
{
	const struct vm_sample *vm = changes_vm(changes, cmd->uuid);
	const char *cannot = why_no_balloon(vm);
	if (cannot) {
		talk_notice(changes->talk, "balloon not set: %s", cannot);
		return 0;
	}
	if (refused(changes, vm, "balloon not set"))
		return 0;
	asked_hold(changes, vm);
	return asked_balloon(changes, vm, (int64_t)cmd->number, REASON_USER);
}

/* Turns statistics on where they are off; never fights a period that somebody set, asks each VM once. */
static int periods_plan(struct changes *changes, bool wanted)
{
	if (!wanted)
		return 0;
	int period = changes->cfg->stats_period_s > 0 ? changes->cfg->stats_period_s : 2;
	for (size_t i = 0; i < changes->sample->n_vms; i++) {
		const struct vm_sample *vm = &changes->sample->vms[i];
		if (changes->rules->vms[i].memory != REASON_NONE || !vm->mem.balloon_device ||
			!vi64_has(vm->mem.period_s) || vm->mem.period_s.v != 0)
			continue;
		struct vm_record *rec = ledger_get(&changes->ledger, vm->uuid, vm->name);
		if (!rec)
			return -1;
		if (rec->period.wrote < 0 && asked_period(changes, vm, period, REASON_STATS_ON) < 0)
			return -1;
	}
	return 0;
}

bool manual_ask(struct changes *changes, const struct command *cmd)
{
	if (changes->n_asked == ASKED_MAX)
		return false;
	changes->asked[changes->n_asked++] = *cmd;
	return true;
}

static int manual_one(struct changes *changes, const struct command *cmd)
{
	switch (cmd->kind) {
	case CMD_PIN:
		return manual_pin(changes, cmd);
	case CMD_BALLOON:
		return manual_balloon(changes, cmd);
	case CMD_UNDO:
		return undo_last(changes);
	case CMD_RESTORE:
		return restore_all(changes);
	case CMD_STATS_PERIOD:
		return cmd->on ? 0 : restore_periods(changes);
	default:
		return 0;
	}
}

/* To put back what is only being asked for takes a step of its own, after it. */
static bool must_wait(const struct changes *changes, size_t i)
{
	enum command_kind kind = changes->asked[i].kind;
	return i > 0 && (kind == CMD_UNDO || kind == CMD_RESTORE);
}

int manual_plan(struct changes *changes, bool periods)
{
	int bad = 0;
	size_t n = 0;
	for (; n < changes->n_asked && !must_wait(changes, n); n++)
		bad |= manual_one(changes, &changes->asked[n]) < 0;
	changes->n_asked -= n;
	memmove(changes->asked, changes->asked + n, changes->n_asked * sizeof *changes->asked);
	bad |= periods_plan(changes, periods) < 0;
	return bad ? -1 : 0;
}
