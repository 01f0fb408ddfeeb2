/* SPDX-License-Identifier: MIT */
/* Who steers this host: this vmtop or another one, of whatever user and machine. Invariant: nothing but our
 * own changes is undone while another one holds the claim; AUTO waits for its end and says so both times. */
#include <stdio.h>

#include "changes.h"

/* Whether this run needs the claim: it may change guests, and the backend can hold one. */
static bool claims(const struct changes *changes)
{
	return changes->core->ops->claim && !changes->cfg->dry_run && !changes->cfg->readonly &&
	       !changes->status->readonly;
}

static bool puts_back_only(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		enum reason why = plan->actions[i].why.code;
		if (why != REASON_RESTORE && why != REASON_STATS_OFF)
			return false;
	}
	return true;
}

/* Takes the claim. 0: it is ours, or this libvirt cannot keep one. */
static int take(struct changes *changes, struct err *err)
{
	int rc = 0;
	if (changes->status->claim.state != CLAIM_NONE) {
		rc = changes->core->ops->claim(changes->core, true, err);
		changes->backend->ops->status(changes->backend, changes->status);
	}
	if (changes->status->claim.state == CLAIM_NONE && !changes->said_unclaimed) {
		changes->said_unclaimed = true;
		talk_event(changes->talk, LOG_EVENT,
			"this libvirt keeps no secrets: see that no vmtop of another user or machine steers this host too");
	}
	return rc;
}

/* AUTO stands back before another vmtop that holds the claim, and waits for it to end; where no claim is
 * allowed here, AUTO stays off. */
static void stand_back(struct changes *changes, struct steering *on, const char *why)
{
	bool waits = changes->status->claim.state != CLAIM_DENIED;
	if (on->cpu || on->memory)
		talk_event(changes->talk, LOG_ERROR, "%s; AUTO %s", why,
			waits ? "waits until it ends" : "stays off");
	changes->waits.cpu = waits && (changes->waits.cpu || on->cpu);
	changes->waits.memory = waits && (changes->waits.memory || on->memory);
	changes->waits.stats = waits && (changes->waits.stats || on->stats);
	*on = (struct steering){false, false, false};
}

static bool go_on(struct changes *changes, struct steering *on)
{
	bool any = changes->waits.cpu || changes->waits.memory;
	on->cpu |= changes->waits.cpu;
	on->memory |= changes->waits.memory;
	on->stats |= changes->waits.stats;
	changes->waits = (struct steering){false, false, false};
	return any;
}

/* Once for each holder. */
static void say_holder(struct changes *changes, const struct steering *on)
{
	const struct claim_status *status = &changes->status->claim;
	bool other = status->state == CLAIM_OTHER;
	if (other == changes->said_other)
		return;
	changes->said_other = other;
	if (other && !on->cpu && !on->memory)
		talk_event(changes->talk, LOG_EVENT, "%s steers this host; this one watches", status->who);
	else if (!other && !changes->waits.cpu && !changes->waits.memory)
		talk_event(changes->talk, LOG_EVENT, "nobody else steers this host any more");
}

int owner_take(struct changes *changes, struct steering *on, struct err *err)
{
	if (!claims(changes))
		return 0;
	if (puts_back_only(changes->plan)) {
		if (changes->status->claim.state == CLAIM_OTHER)
			changes->core->ops->claim(changes->core, false, NULL);
		return 0;
	}
	if (take(changes, err) == 0)
		return 0;
	if (err->code == ERR_DENIED)
		stand_back(changes, on, err->msg);
	return -1;
}

bool owner_step(struct changes *changes, struct steering *on)
{
	struct err err = ERR_INIT;
	enum claim_state state = changes->status->claim.state;
	bool again = false;
	if (!claims(changes))
		return false;
	say_holder(changes, on);
	if (state == CLAIM_FREE || state == CLAIM_LEFT || state == CLAIM_OURS)
		again = go_on(changes, on);
	if ((on->cpu || on->memory) && state != CLAIM_OURS && take(changes, &err) < 0 &&
		err.code == ERR_DENIED)
		stand_back(changes, on, err.msg);
	return again && (on->cpu || on->memory);
}

void owner_begin(struct changes *changes)
{
	const struct claim_status *status = &changes->status->claim;
	if (status->state != CLAIM_OTHER)
		return;
	changes->said_other = true;
	if (!changes->cfg->auto_cpu &&
		!changes->cfg->auto_memory) /* else the first step says that AUTO waits */
		talk_event(changes->talk, LOG_EVENT, "%s steers this host; this one watches", status->who);
}
