/* SPDX-License-Identifier: MIT */
/* Takes changes back, a step's at a time, newest first. Invariant: nothing is put back over a change that
 * somebody else made since; what was put back is not undone again. */
#include <string.h>

#include "changes.h"
#include "vmtop/text.h"

static int undo_one(struct changes *ch, const struct undo_entry *u)
{
	const struct vm_sample *vm = changes_vm(ch, u->uuid);
	if (!vm)
		return 0;
	const struct vm_record *r = ledger_find(&ch->ledger, u->uuid);
	if (u->kind == ACTION_SHARES) {
		if (!r || !kept_ours(&r->shares, u->after_shares))
			return 0;
		asked_hold(ch, vm);
		return asked_shares(ch, vm, u->after_shares, u->before_shares, REASON_UNDO);
	}
	if (u->kind == ACTION_BALLOON) {
		if (!r || r->memo.balloon.target_kib != u->after_kib)
			return 0;
		asked_hold(ch, vm);
		return asked_balloon(ch, vm, u->before_kib, REASON_UNDO);
	}
	const struct vcpu_sample *v = sample_vcpu(ch->sample, vm, u->vcpu);
	if (!v || v->affinity_avail != AVAIL_OK || !cpuset_equal(&v->affinity, &u->after))
		return 0;
	asked_hold(ch, vm);
	return asked_pin(ch, vm, v, &u->before, REASON_UNDO);
}

/* Takes back the last group of changes, newest first. */
int undo_last(struct changes *ch)
{
	if (!ch->undo_n) {
		talk_notice(ch->talk, "nothing to undo");
		return 0;
	}
	uint64_t group = ch->undo[(ch->undo_first + ch->undo_n - 1) % UNDO_MAX].group;
	int planned = 0, passed = 0;
	while (ch->undo_n) {
		const struct undo_entry *u = &ch->undo[(ch->undo_first + ch->undo_n - 1) % UNDO_MAX];
		if (u->group != group)
			break;
		int n = undo_one(ch, u);
		if (n < 0)
			return -1;
		planned += n;
		passed += !n;
		ch->undo_n--;
	}
	talk_event(ch->talk, LOG_EVENT, "undo: %d change%s put back%s%s", planned, text_s((size_t)planned),
		planned ? ", their VMs are held until released" : "",
		passed ? "; some were changed by somebody else since, or their VM is gone, and stay" : "");
	return 0;
}

int undo_count(const struct changes *ch)
{
	int n = 0;
	const struct undo_entry *last = &ch->undo[(ch->undo_first + ch->undo_n + UNDO_MAX - 1) % UNDO_MAX];
	for (size_t i = 0; i < ch->undo_n; i++)
		n += ch->undo[(ch->undo_first + i) % UNDO_MAX].group == last->group;
	return n;
}

void undo_push(struct changes *ch, const struct action *a)
{
	if (a->kind == ACTION_PERIOD || a->why.code == REASON_UNDO || a->why.code == REASON_RESTORE)
		return;
	if (ch->undo_n == UNDO_MAX) {
		ch->undo_first = (ch->undo_first + 1) % UNDO_MAX;
		ch->undo_n--;
	}
	struct undo_entry *u = &ch->undo[(ch->undo_first + ch->undo_n++) % UNDO_MAX];
	*u = (struct undo_entry){.group = ch->undo_group,
		.kind = a->kind,
		.vcpu = a->vcpu,
		.before = a->from,
		.after = a->to,
		.before_kib = a->from_kib,
		.after_kib = a->to_kib,
		.before_shares = a->from_shares,
		.after_shares = a->to_shares};
	memcpy(u->uuid, a->uuid, UUID_BYTES);
}
