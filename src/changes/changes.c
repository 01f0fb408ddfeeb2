/* SPDX-License-Identifier: MIT */
/* Begin and end of what is changed on a host: the journal of an earlier run is read, and who steers is
 * known, before anything else; at the end the journal says what is left. */
#include "changes.h"

#include <stdlib.h>

#include "vmtop/text.h"

int changes_init(struct changes *changes)
{
	changes->undo = calloc(UNDO_MAX, sizeof *changes->undo);
	changes->asked = calloc(ASKED_MAX, sizeof *changes->asked);
	return changes->undo && changes->asked ? 0 : -1;
}

void changes_done(struct changes *changes)
{
	struct err ignored = ERR_INIT;
	bool left = changes_in_force(changes) > 0;
	if (changes->journal && left) /* ages as they are now; else as they were */
		journal_compact(changes->journal, &changes->ledger, true, &ignored);
	journal_close(changes->journal, !left);
	plan_done(&changes->last_dry);
	plan_done(&changes->preview.plan);
	ledger_done(&changes->ledger);
	free(changes->undo);
	free(changes->asked);
}

bool changes_allowed(struct changes *changes)
{
	if (!changes->cfg->readonly && !changes->status->readonly)
		return true;
	talk_notice(changes->talk, "read-only: %s",
		text_or(changes->status->readonly_why, "asked for by --readonly"));
	return false;
}

const char *changes_host(const struct changes *changes)
{
	return text_or(changes->status->host, changes->status->uri);
}

size_t changes_in_force(const struct changes *changes)
{
	size_t n = 0;
	for (size_t i = 0; i < changes->ledger.n; i++)
		n += (size_t)record_changes(&changes->ledger.vms[i]);
	return n;
}

const struct vm_sample *changes_vm(const struct changes *changes, const uint8_t uuid[UUID_BYTES])
{
	const struct vm_sample *vm = sample_vm_by_uuid(changes->sample, uuid);
	return vm && vm->id >= 0 && !vm->hung_since_ns ? vm : NULL;
}

int changes_read_journal(struct changes *changes, struct err *err)
{
	struct journal_doubts doubts;
	int rc = journal_load(changes_host(changes), &changes->ledger, &doubts, err);
	for (size_t i = 0; rc > 0 && i < doubts.n && i < JOURNAL_DOUBTS && !changes->said_doubts; i++)
		talk_event(changes->talk, LOG_ERROR, "line %zu of the journal is not used: %s",
			doubts.lines[i], doubts.why[i]);
	if (rc > 0 && doubts.n > JOURNAL_DOUBTS && !changes->said_doubts)
		talk_event(changes->talk, LOG_ERROR, "nor are %zu more", doubts.n - JOURNAL_DOUBTS);
	changes->said_doubts |= rc > 0 && doubts.n > 0;
	return rc;
}

/* Its notes become ours, so that "as found" stays what it was before any vmtop. */
static void inherit(struct changes *changes)
{
	struct err err = ERR_INIT;
	size_t vms = 0;
	if (changes_read_journal(changes, &err) < 0) {
		talk_event(changes->talk, LOG_ERROR, "%s", err.msg);
		changes->unread = err;
	}
	for (size_t i = 0; i < changes->ledger.n; i++)
		vms += record_changes(&changes->ledger.vms[i]) > 0;
	changes->inherited = vms > 0;
	if (vms)
		talk_event(changes->talk, LOG_EVENT,
			"an earlier vmtop left its changes on up to %zu VM%s; U or vmtop --restore puts them back",
			vms, text_s(vms));
}

void changes_begin(struct changes *changes)
{
	if (!changes->core->ops->lasting)
		return;
	long owner = journal_owner(changes_host(changes));
	changes->watches = owner != 0;
	owner_begin(changes);
	enum log_kind kind = changes->cfg->auto_cpu || changes->cfg->auto_memory ? LOG_ERROR : LOG_EVENT;
	if (changes->said_other)
		;
	else if (owner > 0)
		talk_event(changes->talk, kind,
			"vmtop with process id %ld steers this host; this one watches", owner);
	else if (owner < 0)
		talk_event(changes->talk, kind, "another vmtop steers this host; this one watches");
	if (!changes->watches)
		inherit(changes);
}
