/* SPDX-License-Identifier: MIT */
/* Begin and end of what is changed on a host: the journal of an earlier run is read, and who steers is
 * known, before anything else; at the end the journal says what is left. */
#include "changes.h"

#include <stdlib.h>

#include "vmtop/text.h"

int changes_init(struct changes *ch)
{
	ch->undo = calloc(UNDO_MAX, sizeof *ch->undo);
	ch->asked = calloc(ASKED_MAX, sizeof *ch->asked);
	return ch->undo && ch->asked ? 0 : -1;
}

void changes_done(struct changes *ch)
{
	struct err ignored = ERR_INIT;
	bool left = changes_in_force(ch) > 0;
	if (ch->journal && left) /* ages as they are now; else as they were */
		journal_compact(ch->journal, &ch->ledger, true, &ignored);
	journal_close(ch->journal, !left);
	plan_done(&ch->last_dry);
	plan_done(&ch->preview.plan);
	ledger_done(&ch->ledger);
	free(ch->undo);
	free(ch->asked);
}

bool changes_allowed(struct changes *ch)
{
	if (!ch->cfg->readonly && !ch->status->readonly)
		return true;
	talk_notice(ch->talk, "read-only: %s",
		*ch->status->readonly_why ? ch->status->readonly_why : "asked for by --readonly");
	return false;
}

const char *changes_host(const struct changes *ch)
{
	return *ch->status->host ? ch->status->host : ch->status->uri;
}

size_t changes_in_force(const struct changes *ch)
{
	size_t n = 0;
	for (size_t i = 0; i < ch->ledger.n; i++)
		n += (size_t)record_changes(&ch->ledger.vms[i]);
	return n;
}

const struct vm_sample *changes_vm(const struct changes *ch, const uint8_t uuid[UUID_BYTES])
{
	const struct vm_sample *vm = sample_vm_by_uuid(ch->sample, uuid);
	return vm && vm->id >= 0 && !vm->hung_since_ns ? vm : NULL;
}

int changes_read_journal(struct changes *ch, struct err *e)
{
	struct journal_doubts d;
	int rc = journal_load(changes_host(ch), &ch->ledger, &d, e);
	for (size_t i = 0; rc > 0 && i < d.n && i < JOURNAL_DOUBTS && !ch->said_doubts; i++)
		talk_event(
			ch->talk, LOG_ERROR, "line %zu of the journal is not used: %s", d.lines[i], d.why[i]);
	if (rc > 0 && d.n > JOURNAL_DOUBTS && !ch->said_doubts)
		talk_event(ch->talk, LOG_ERROR, "nor are %zu more", d.n - JOURNAL_DOUBTS);
	ch->said_doubts |= rc > 0 && d.n > 0;
	return rc;
}

/* Its notes become ours, so that "as found" stays what it was before any vmtop. */
static void inherit(struct changes *ch)
{
	struct err e = ERR_INIT;
	size_t vms = 0;
	if (changes_read_journal(ch, &e) < 0) {
		talk_event(ch->talk, LOG_ERROR, "%s", e.msg);
		ch->unread = e;
	}
	for (size_t i = 0; i < ch->ledger.n; i++)
		vms += record_changes(&ch->ledger.vms[i]) > 0;
	ch->inherited = vms > 0;
	if (vms)
		talk_event(ch->talk, LOG_EVENT,
			"an earlier vmtop left its changes on up to %zu VM%s; U or vmtop --restore puts them back",
			vms, text_s(vms));
}

void changes_begin(struct changes *ch)
{
	if (!ch->core->ops->lasting)
		return;
	long owner = journal_owner(changes_host(ch));
	ch->watches = owner != 0;
	owner_begin(ch);
	enum log_kind kind = ch->cfg->auto_cpu || ch->cfg->auto_memory ? LOG_ERROR : LOG_EVENT;
	if (ch->said_other)
		;
	else if (owner > 0)
		talk_event(ch->talk, kind, "vmtop with process id %ld steers this host; this one watches",
			owner);
	else if (owner < 0)
		talk_event(ch->talk, kind, "another vmtop steers this host; this one watches");
	if (!ch->watches)
		inherit(ch);
}
