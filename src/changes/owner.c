/* SPDX-License-Identifier: MIT */
/* Who steers this host: this vmtop or another one, of whatever user and machine. Invariant: nothing but our
 * own changes is undone while another one holds the claim; AUTO waits for its end and says so both times. */
#include <stdio.h>

#include "changes.h"

/* Whether this run needs the claim: it may change guests, and the backend can hold one. */
static bool claims(const struct changes *ch)
{
	return ch->core->ops->claim && !ch->cfg->dry_run && !ch->cfg->readonly && !ch->status->readonly;
}

static bool puts_back_only(const struct plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		enum reason why = p->actions[i].why.code;
		if (why != REASON_RESTORE && why != REASON_STATS_OFF)
			return false;
	}
	return true;
}

/* Takes the claim. 0: it is ours, or this libvirt cannot keep one. */
static int take(struct changes *ch, struct err *e)
{
	int rc = 0;
	if (ch->status->claim.state != CLAIM_NONE) {
		rc = ch->core->ops->claim(ch->core, true, e);
		ch->b->ops->status(ch->b, ch->status);
	}
	if (ch->status->claim.state == CLAIM_NONE && !ch->said_unclaimed) {
		ch->said_unclaimed = true;
		talk_event(ch->talk, LOG_EVENT,
			"this libvirt keeps no secrets: see that no vmtop of another user or machine steers this host too");
	}
	return rc;
}

/* AUTO stands back before another vmtop that holds the claim, and waits for it to end; where no claim is
 * allowed here, AUTO stays off. */
static void stand_back(struct changes *ch, struct steering *on, const char *why)
{
	bool waits = ch->status->claim.state != CLAIM_DENIED;
	if (on->cpu || on->memory)
		talk_event(
			ch->talk, LOG_ERROR, "%s; AUTO %s", why, waits ? "waits until it ends" : "stays off");
	ch->waits.cpu = waits && (ch->waits.cpu || on->cpu);
	ch->waits.memory = waits && (ch->waits.memory || on->memory);
	ch->waits.stats = waits && (ch->waits.stats || on->stats);
	*on = (struct steering){false, false, false};
}

static bool go_on(struct changes *ch, struct steering *on)
{
	bool any = ch->waits.cpu || ch->waits.memory;
	on->cpu |= ch->waits.cpu;
	on->memory |= ch->waits.memory;
	on->stats |= ch->waits.stats;
	ch->waits = (struct steering){false, false, false};
	return any;
}

/* Once for each holder. */
static void say_holder(struct changes *ch, const struct steering *on)
{
	const struct claim_status *c = &ch->status->claim;
	bool other = c->state == CLAIM_OTHER;
	if (other == ch->said_other)
		return;
	ch->said_other = other;
	if (other && !on->cpu && !on->memory)
		talk_event(ch->talk, LOG_EVENT, "%s steers this host; this one watches", c->who);
	else if (!other && !ch->waits.cpu && !ch->waits.memory)
		talk_event(ch->talk, LOG_EVENT, "nobody else steers this host any more");
}

int owner_take(struct changes *ch, struct steering *on, struct err *e)
{
	if (!claims(ch))
		return 0;
	if (puts_back_only(ch->plan)) {
		if (ch->status->claim.state == CLAIM_OTHER)
			ch->core->ops->claim(ch->core, false, NULL);
		return 0;
	}
	if (take(ch, e) == 0)
		return 0;
	if (e->code == ERR_DENIED)
		stand_back(ch, on, e->msg);
	return -1;
}

bool owner_step(struct changes *ch, struct steering *on)
{
	struct err e = ERR_INIT;
	enum claim_state state = ch->status->claim.state;
	bool again = false;
	if (!claims(ch))
		return false;
	say_holder(ch, on);
	if (state == CLAIM_FREE || state == CLAIM_LEFT || state == CLAIM_OURS)
		again = go_on(ch, on);
	if ((on->cpu || on->memory) && state != CLAIM_OURS && take(ch, &e) < 0 && e.code == ERR_DENIED)
		stand_back(ch, on, e.msg);
	return again && (on->cpu || on->memory);
}

void owner_begin(struct changes *ch)
{
	const struct claim_status *c = &ch->status->claim;
	if (c->state != CLAIM_OTHER)
		return;
	ch->said_other = true;
	if (!ch->cfg->auto_cpu && !ch->cfg->auto_memory) /* else the first step says that AUTO waits */
		talk_event(ch->talk, LOG_EVENT, "%s steers this host; this one watches", c->who);
}
