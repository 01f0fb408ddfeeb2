/* SPDX-License-Identifier: MIT */
/* ops->apply of the libvirt backend: each change is one request with a deadline. Invariant: a change whose
 * answer did not come is unknown, and nothing else is done to that VM until its state was read back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libvirt_change.h"
#include "libvirt_priv.h"
#include "vmtop/clock.h"

#define MS INT64_C(1000000)

static void set(struct action *a, enum outcome o, const char *text)
{
	a->outcome = o;
	snprintf(a->error, sizeof a->error, "%s", text);
}

static void change_run(struct request *r, virConnectPtr c)
{
	struct change_request *q = (struct change_request *)r;
	struct claim *k = q->guarded ? &q->claim : NULL;
	if (k && claim_clock_ns() - k->beat_ns > CLAIM_RECHECK_MS * MS && claim_take(c, k, &r->err) < 0)
		set(&q->action, OUTCOME_SKIPPED, r->err.msg);
	else
		q->refused = change_apply(c, &q->action, q->n_cpus, k);
}

static void ping_run(struct request *r, virConnectPtr c)
{
	unsigned long version;
	(void)r;
	virConnectGetLibVersion(c, &version);
}

static void change_drop(struct request *r)
{
	free(r);
}

static const char *why_not(const struct lv *lv, const uint8_t uuid[UUID_BYTES])
{
	const struct vm_note *note = note_find(&lv->notes, uuid);
	if (lv->host.readonly)
		return lv->host.readonly_why[0] ? lv->host.readonly_why : "opened read-only";
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

static void no_answer(struct lv *lv, struct action *a)
{
	struct vm_note *note = note_get(&lv->notes, a->uuid);
	if (note)
		note->unknown_call = lv->link;
	set(a, OUTCOME_UNKNOWN, "no answer within the deadline");
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
static void remember(struct lv *lv, const struct action *a)
{
	struct cpuset map = cut_to_host(lv, &a->to);
	if (a->kind == ACTION_PIN)
		note_asked(&lv->notes, a->uuid, a->vcpu, &map, clock_ns());
}

/* It was put back as it was before: that is ours too. */
static void remember_refused(struct lv *lv, const struct action *a)
{
	struct cpuset map = cut_to_host(lv, &a->to), was = cut_to_host(lv, &a->from);
	note_refused(&lv->notes, a->uuid, a->vcpu, &map, clock_ns());
	note_asked(&lv->notes, a->uuid, a->vcpu, &was, clock_ns());
}

static void finish(struct lv *lv, struct action *a, struct change_request *q)
{
	set(a, q->action.outcome, q->action.error);
	if (q->refused)
		remember_refused(lv, a);
	if (q->guarded)
		lv_claim_merge(lv, &q->claim);
	a->to_kib = q->action.to_kib;
	free(q);
	/* When the line broke in the middle, the change may have been made all the same. */
	if (a->outcome == OUTCOME_FAILED && link_phase(lv->link, NULL) == PHASE_LOST)
		a->outcome = OUTCOME_UNKNOWN;
	if (lv->reader && a->kind != ACTION_BALLOON)
		lv_reader_dirty(lv->reader, a->uuid, a->kind == ACTION_PIN ? DIRTY_VCPUS : DIRTY_FACTS);
}

static struct change_request *change_new(const struct lv *lv, const struct action *a)
{
	struct change_request *q = calloc(1, sizeof *q);
	if (!q)
		return NULL;
	q->r.run = change_run;
	q->r.drop = change_drop;
	q->action = *a;
	q->n_cpus = lv->n_cpus;
	q->guarded = lv->claim_wanted && lv->claim.status.state != CLAIM_NONE;
	q->claim = lv->claim;
	return q;
}

/* False: no connection can be had. */
static bool apply_one(struct lv *lv, struct action *a)
{
	struct err e = ERR_INIT;
	int64_t until = clock_ns() + lv->change_limit_ns;
	bool linked = lv_ensure_link(lv, until, &e) == 0;
	struct change_request *q = NULL;
	if (linked && lv_claim_settle(lv, until, &e) == 0)
		q = change_new(lv, a);
	if (!q) {
		set(a, OUTCOME_SKIPPED, e.msg[0] ? e.msg : "out of memory");
		return linked;
	}
	remember(lv, a);
	link_submit(lv->link, &q->r);
	enum give_up how = link_await(lv->link, &q->r, until) ? GAVE_UP_DONE : link_give_up(lv->link, &q->r);
	if (how == GAVE_UP_DONE)
		finish(lv, a, q);
	else if (how == GAVE_UP_QUEUED)
		set(a, OUTCOME_SKIPPED, "the hypervisor is slow; not tried");
	else
		no_answer(lv, a);
	return how != GAVE_UP_QUEUED;
}

/* What is sent to a libvirtd that hangs is done when it wakes up, long after anybody wants it: so it is asked
 * for a sign of life first. */
static bool alive(struct lv *lv)
{
	struct err e = ERR_INIT;
	int64_t until = clock_ns() + lv->change_limit_ns;
	struct request *r = lv_ensure_link(lv, until, &e) == 0 ? calloc(1, sizeof *r) : NULL;
	if (!r)
		return false;
	r->run = ping_run;
	r->drop = change_drop;
	link_submit(lv->link, r);
	enum give_up how = link_await(lv->link, r, until) ? GAVE_UP_DONE : link_give_up(lv->link, r);
	if (how == GAVE_UP_DONE) {
		free(r);
		return true;
	}
	lv_park(lv);
	lv->wake = true;
	return false;
}

/* Where one change waits for the whole hypervisor in vain, the others would too. */
void lv_apply(struct backend *b, struct action *actions, size_t n)
{
	struct lv *lv = (struct lv *)b;
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

static void disown_run(struct request *r, virConnectPtr c)
{
	const struct disown_request *q = (const struct disown_request *)r;
	r->rc = change_disown(c, q->uuid, q->vcpu);
}

int lv_disown(struct backend *b, const uint8_t uuid[UUID_BYTES], int vcpu)
{
	struct lv *lv = (struct lv *)b;
	struct err e = ERR_INIT;
	int64_t until = clock_ns() + lv->change_limit_ns;
	if (why_not(lv, uuid) || lv_ensure_link(lv, until, &e) < 0)
		return -1;
	struct disown_request *q = calloc(1, sizeof *q);
	if (!q)
		return -1;
	q->r.run = disown_run;
	q->r.drop = change_drop;
	q->vcpu = vcpu;
	memcpy(q->uuid, uuid, UUID_BYTES);
	if (!lv_ask(lv, &q->r, until))
		return -1;
	int rc = q->r.rc;
	free(q);
	return rc;
}
