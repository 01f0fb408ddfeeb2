/* SPDX-License-Identifier: MIT */
/* Takes changes back, a step's at a time, newest first. Invariant: nothing is put back over a change that
 * somebody else made since; what was put back is not undone again. */
#include <string.h>

#include "changes.h"
#include "vmtop/text.h"

static int undo_one(struct changes *changes, const struct undo_entry *undo)
{
	const struct vm_sample *vm = changes_vm(changes, undo->uuid);
	if (!vm)
		return 0;
	const struct vm_record *rec = ledger_find(&changes->ledger, undo->uuid);
	if (undo->kind == ACTION_SHARES) {
		if (!rec || !kept_ours(&rec->shares, undo->after_shares))
			return 0;
		asked_hold(changes, vm);
		return asked_shares(changes, vm, undo->after_shares, undo->before_shares, REASON_UNDO);
	}
	if (undo->kind == ACTION_BALLOON) {
		if (!rec || rec->memo.balloon.target_kib != undo->after_kib)
			return 0;
		asked_hold(changes, vm);
		return asked_balloon(changes, vm, undo->before_kib, REASON_UNDO);
	}
	const struct vcpu_sample *vcpu = sample_vcpu(changes->sample, vm, undo->vcpu);
	if (!vcpu || vcpu->affinity_avail != AVAIL_OK || !cpuset_equal(&vcpu->affinity, &undo->after))
		return 0;
	asked_hold(changes, vm);
	return asked_pin(changes, vm, vcpu, &undo->before, REASON_UNDO);
}

/* Takes back the last group of changes, newest first. */
int undo_last(struct changes *changes)
{
	if (!changes->undo_n) {
		talk_notice(changes->talk, "nothing to undo");
		return 0;
	}
	uint64_t group = changes->undo[(changes->undo_first + changes->undo_n - 1) % UNDO_MAX].group;
	int planned = 0, passed = 0;
	while (changes->undo_n) {
		const struct undo_entry *undo =
			&changes->undo[(changes->undo_first + changes->undo_n - 1) % UNDO_MAX];
		if (undo->group != group)
			break;
		int n = undo_one(changes, undo);
		if (n < 0)
			return -1;
		planned += n;
		passed += !n;
		changes->undo_n--;
	}
	talk_event(changes->talk, LOG_EVENT, "undo: %d change%s put back%s%s", planned,
		text_s((size_t)planned), text_if(planned, ", their VMs are held until released"),
		text_if(passed, "; some were changed by somebody else since, or their VM is gone, and stay"));
	return 0;
}

int undo_count(const struct changes *changes)
{
	int n = 0;
	const struct undo_entry *last =
		&changes->undo[(changes->undo_first + changes->undo_n + UNDO_MAX - 1) % UNDO_MAX];
	for (size_t i = 0; i < changes->undo_n; i++)
		n += changes->undo[(changes->undo_first + i) % UNDO_MAX].group == last->group;
	return n;
}

void undo_push(struct changes *changes, const struct action *action)
{
	if (action->kind == ACTION_PERIOD || action->why.code == REASON_UNDO ||
		action->why.code == REASON_RESTORE)
		return;
	if (changes->undo_n == UNDO_MAX) {
		changes->undo_first = (changes->undo_first + 1) % UNDO_MAX;
		changes->undo_n--;
	}
	struct undo_entry *undo = &changes->undo[(changes->undo_first + changes->undo_n++) % UNDO_MAX];
	*undo = (struct undo_entry){.group = changes->undo_group,
		.kind = action->kind,
		.vcpu = action->vcpu,
		.before = action->from,
		.after = action->to,
		.before_kib = action->from_kib,
		.after_kib = action->to_kib,
		.before_shares = action->from_shares,
		.after_shares = action->to_shares};
	memcpy(undo->uuid, action->uuid, UUID_BYTES);
}
