/* SPDX-License-Identifier: MIT */
/* Who steers this host: this vmtop or another one, of whatever user and machine. Invariant: nothing but our
 * own changes is undone while another one holds the claim; AUTO waits for its end and says so both times. */
#include <stdio.h>

#include "priv.h"

/* Whether there is anything to hold. */
static bool claims(const struct engine *en)
{
	return en->core->ops->claim && !en->cfg.dry_run && !en->cfg.readonly && !en->status.readonly &&
	       !en->status.replay;
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

static bool wants_auto(const struct engine *en)
{
	return en->cfg.auto_cpu || en->cfg.auto_memory;
}

/* 0: ours, or none is kept here. */
static int take(struct engine *en, struct err *e)
{
	int rc = 0;
	if (en->status.claim.state != CLAIM_NONE) {
		rc = en->core->ops->claim(en->core, true, e);
		en->b->ops->status(en->b, &en->status);
	}
	if (en->status.claim.state == CLAIM_NONE && !en->said_unclaimed) {
		en->said_unclaimed = true;
		log_event(en, LOG_EVENT,
			"this libvirt keeps no secrets: vmtops of other users and machines are not noticed here");
	}
	return rc;
}

/* What another one changes from now on is not for us to judge, and what we asked for has to wait. */
static void stand_back(struct engine *en, const char *why)
{
	bool waits = en->status.claim.state != CLAIM_DENIED;
	if (wants_auto(en))
		log_event(en, LOG_ERROR, "%s; AUTO %s", why, waits ? "waits until it ends" : "stays off");
	en->waits.cpu = waits && (en->waits.cpu || en->cfg.auto_cpu);
	en->waits.memory = waits && (en->waits.memory || en->cfg.auto_memory);
	en->waits.stats = waits && (en->waits.stats || en->stats_on);
	en->cfg.auto_cpu = en->cfg.auto_memory = en->stats_on = false;
}

static void go_on(struct engine *en)
{
	bool any = en->waits.cpu || en->waits.memory;
	en->cfg.auto_cpu |= en->waits.cpu;
	en->cfg.auto_memory |= en->waits.memory;
	en->stats_on |= en->waits.stats;
	en->waits = (struct auto_waits){0};
	if (any)
		engine_announce(en, "nobody else steers this host any more");
}

/* Once for each holder. */
static void say_holder(struct engine *en)
{
	const struct claim_status *c = &en->status.claim;
	bool other = c->state == CLAIM_OTHER;
	if (other == en->said_other)
		return;
	en->said_other = other;
	if (other && !wants_auto(en))
		log_event(en, LOG_EVENT, "%s steers this host; this one watches", c->who);
	else if (!other && !en->waits.cpu && !en->waits.memory)
		log_event(en, LOG_EVENT, "nobody else steers this host any more");
}

int owner_take(struct engine *en, struct err *e)
{
	if (!claims(en))
		return 0;
	if (puts_back_only(&en->plan)) {
		if (en->status.claim.state == CLAIM_OTHER)
			en->core->ops->claim(en->core, false, NULL);
		return 0;
	}
	if (take(en, e) == 0)
		return 0;
	if (e->code == ERR_DENIED)
		stand_back(en, e->msg);
	return -1;
}

void owner_step(struct engine *en)
{
	struct err e = ERR_INIT;
	enum claim_state state = en->status.claim.state;
	if (!claims(en))
		return;
	say_holder(en);
	if (state == CLAIM_FREE || state == CLAIM_LEFT || state == CLAIM_OURS)
		go_on(en);
	if (wants_auto(en) && state != CLAIM_OURS && take(en, &e) < 0 && e.code == ERR_DENIED)
		stand_back(en, e.msg);
}

void owner_begin(struct engine *en)
{
	const struct claim_status *c = &en->status.claim;
	if (c->state != CLAIM_OTHER)
		return;
	en->said_other = true;
	if (!wants_auto(en)) /* else the first step says that AUTO waits */
		log_event(en, LOG_EVENT, "%s steers this host; this one watches", c->who);
}
