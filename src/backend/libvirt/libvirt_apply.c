/* SPDX-License-Identifier: MIT */
/* ops->apply of the libvirt backend: each change is one request with a deadline. Invariant: a change whose
 * answer did not come is unknown, and nothing else is done to that VM until its state was read back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libvirt_change.h"
#include "libvirt_priv.h"
#include "vmtop/clock.h"
#include "vmtop/text.h"

#define MS INT64_C(1000000)

static void set(struct action *action, enum outcome outcome, const char *text)
{
	action->outcome = outcome;
	snprintf(action->error, sizeof action->error, "%s", text);
}

static void change_run(struct request *r, virConnectPtr conn)
{
	struct change_request *q = (struct change_request *)r;
	struct claim *claim = q->guarded ? &q->claim : NULL;
	if (claim && claim_clock_ns() - claim->beat_ns > CLAIM_RECHECK_MS * MS &&
		claim_take(conn, claim, &r->err) < 0)
		set(&q->action, OUTCOME_SKIPPED, r->err.msg);
	else
		q->refused = change_apply(conn, &q->action, q->n_cpus, claim);
}

static void ping_run(struct request *req, virConnectPtr conn)
{
	unsigned long version;
	(void)req;
	virConnectGetLibVersion(conn, &version);
}

static void change_drop(struct request *req)
{
	free(req);
}

static const char *why_not(const struct lv *lv, const uint8_t uuid[UUID_BYTES])
{
	const struct vm_note *note = note_find(&lv->notes, uuid);
	if (lv->host.readonly)
		return text_or(lv->host.readonly_why, "opened read-only");
	if (!lv->n_cpus)
		return "the host has not been read yet";
	if (lv->late)
		return "the hypervisor is slow; not tried";
	if (note && note->hung_ns)
		return "its monitor does not answer";
	if (note && note->unknown_call)
		return "the outcome of the last change is not known yet";
	return NULL;
}

static void no_answer(struct lv *lv, struct action *action)
{
	struct vm_note *note = note_get(&lv->notes, action->uuid);
	if (note)
		note->unknown_call = lv->link;
	set(action, OUTCOME_UNKNOWN, "no answer within the deadline");
	lv_park(lv);
	lv->wake = true;
}

static struct cpuset cut_to_host(const struct lv *lv, const struct cpuset *cpus)
{
	struct cpuset all, map = *cpus;
	cpuset_fill(&all, lv->n_cpus);
	cpuset_and(&map, &all);
	return map;
}

/* Our own pins must be known before the hypervisor tells of them. */
static void remember(struct lv *lv, const struct action *action)
{
	struct cpuset map = cut_to_host(lv, &action->to);
	if (action->kind == ACTION_PIN)
		note_asked(&lv->notes, action->uuid, action->vcpu, &map, clock_ns());
}

/* It was put back as it was before: that is ours too. */
static void remember_refused(struct lv *lv, const struct action *action)
{
	struct cpuset map = cut_to_host(lv, &action->to), was = cut_to_host(lv, &action->from);
	note_refused(&lv->notes, action->uuid, action->vcpu, &map, clock_ns());
	note_asked(&lv->notes, action->uuid, action->vcpu, &was, clock_ns());
}

static void finish(struct lv *lv, struct action *action, struct change_request *req)
{
	set(action, req->action.outcome, req->action.error);
	if (req->refused)
		remember_refused(lv, action);
	if (req->guarded)
		lv_claim_merge(lv, &req->claim);
	action->to_kib = req->action.to_kib;
	free(req);
	/* When the line broke in the middle, the change may have been made all the same. */
	if (action->outcome == OUTCOME_FAILED && link_phase(lv->link, NULL) == PHASE_LOST)
		action->outcome = OUTCOME_UNKNOWN;
	if (lv->reader && action->kind != ACTION_BALLOON)
		lv_reader_dirty(
			lv->reader, action->uuid, action->kind == ACTION_PIN ? DIRTY_VCPUS : DIRTY_FACTS);
}

static struct change_request *change_new(const struct lv *lv, const struct action *action)
{
	struct change_request *req = calloc(1, sizeof *req);
	if (!req)
		return NULL;
	req->r.run = change_run;
	req->r.drop = change_drop;
	req->action = *action;
	req->n_cpus = lv->n_cpus;
	req->guarded = lv->claim_wanted && lv->claim.status.state != CLAIM_NONE;
	req->claim = lv->claim;
	return req;
}

/* False: no connection can be had. */
static bool apply_one(struct lv *lv, struct action *action)
{
	struct err err = ERR_INIT;
	int64_t until = clock_ns() + lv->change_limit_ns;
	bool linked = lv_ensure_link(lv, until, &err) == 0;
	struct change_request *req = NULL;
	if (linked && lv_claim_settle(lv, until, &err) == 0)
		req = change_new(lv, action);
	if (!req) {
		set(action, OUTCOME_SKIPPED, text_or(err.msg, "out of memory"));
		return linked;
	}
	remember(lv, action);
	link_submit(lv->link, &req->r);
	enum give_up how =
		link_await(lv->link, &req->r, until) ? GAVE_UP_DONE : link_give_up(lv->link, &req->r);
	if (how == GAVE_UP_DONE)
		finish(lv, action, req);
	else if (how == GAVE_UP_QUEUED)
		set(action, OUTCOME_SKIPPED, "the hypervisor is slow; not tried");
	else
		no_answer(lv, action);
	return how != GAVE_UP_QUEUED;
}

/* What is sent to a libvirtd that hangs is done when it wakes up, long after anybody wants it: so it is asked
 * for a sign of life first. */
static bool alive(struct lv *lv)
{
	struct err err = ERR_INIT;
	int64_t until = clock_ns() + lv->change_limit_ns;
	struct request *req = lv_ensure_link(lv, until, &err) == 0 ? calloc(1, sizeof *req) : NULL;
	if (!req)
		return false;
	req->run = ping_run;
	req->drop = change_drop;
	link_submit(lv->link, req);
	enum give_up how = link_await(lv->link, req, until) ? GAVE_UP_DONE : link_give_up(lv->link, req);
	if (how == GAVE_UP_DONE) {
		free(req);
		return true;
	}
	lv_park(lv);
	lv->wake = true;
	return false;
}

/* Where one change waits for the whole hypervisor in vain, the others would too. */
void lv_apply(struct backend *backend, struct action *actions, size_t n)
{
	struct lv *lv = (struct lv *)backend;
	bool answers = !n || lv->host.readonly || lv->late || alive(lv);
	for (size_t i = 0; i < n; i++) {
		const char *why = why_not(lv, actions[i].uuid);
		if (why || !answers)
			set(&actions[i], OUTCOME_SKIPPED,
				why ? why : "the hypervisor does not answer; not tried");
		else
			answers = apply_one(lv, &actions[i]);
	}
}

/* ---- marks of pins that are ours no more ---- */

struct disown_request {
	struct request r;
	uint8_t uuid[UUID_BYTES];
	int vcpu;
};

static void disown_run(struct request *r, virConnectPtr conn)
{
	const struct disown_request *q = (const struct disown_request *)r;
	r->rc = change_disown(conn, q->uuid, q->vcpu);
}

int lv_disown(struct backend *backend, const uint8_t uuid[UUID_BYTES], int vcpu)
{
	struct lv *lv = (struct lv *)backend;
	struct err err = ERR_INIT;
	int64_t until = clock_ns() + lv->change_limit_ns;
	if (why_not(lv, uuid) || lv_ensure_link(lv, until, &err) < 0)
		return -1;
	struct disown_request *req = calloc(1, sizeof *req);
	if (!req)
		return -1;
	req->r.run = disown_run;
	req->r.drop = change_drop;
	req->vcpu = vcpu;
	memcpy(req->uuid, uuid, UUID_BYTES);
	if (!lv_ask(lv, &req->r, until))
		return -1;
	int rc = req->r.rc;
	free(req);
	return rc;
}
