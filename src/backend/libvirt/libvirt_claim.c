/* SPDX-License-Identifier: MIT */
/* ops->claim of the libvirt backend: requests on the link like all others, so that nothing here waits longer
 * than it was told. Invariant: the claim as known here is never fresher than it is in truth; one request at a
 * time. Must not know: how the claim is kept in libvirt. */
#include <stdlib.h>

#include "libvirt_priv.h"
#include "vmtop/clock.h"

#define SECOND INT64_C(1000000000)

static void claim_request_run(struct request *r, virConnectPtr conn)
{
	struct claim_request *q = (struct claim_request *)r;
	if (q->op == CLAIM_TAKE)
		r->rc = claim_take(conn, &q->claim, &r->err);
	else if (q->op == CLAIM_DROP)
		claim_drop(conn, &q->claim);
	else
		claim_look(conn, &q->claim, &r->err);
}

static void claim_request_drop(struct request *req)
{
	free(req);
}

static int submit(struct lv *lv, enum claim_op op, struct err *err)
{
	struct claim_request *req = calloc(1, sizeof *req);
	if (!req)
		return err_set(err, ERR_NOMEM, "out of memory for a request");
	req->r.run = claim_request_run;
	req->r.drop = claim_request_drop;
	req->op = op;
	req->claim = lv->claim;
	lv->claim_request = req;
	lv->claim_due_ns = clock_ns() + CLAIM_BEAT_S * SECOND;
	link_submit(lv->link, &req->r);
	return 0;
}

void lv_claim_merge(struct lv *lv, const struct claim *as_known)
{
	lv->claim = *as_known;
}

/* The answer is there. */
static int collect(struct lv *lv, struct err *err)
{
	struct claim_request *req = lv->claim_request;
	int rc = req->r.rc;
	lv->claim_request = NULL;
	lv_claim_merge(lv, &req->claim);
	if (rc < 0 && err)
		*err = req->r.err;
	free(req);
	return rc;
}

void lv_claim_forget(struct lv *lv)
{
	struct claim_request *req = lv->claim_request;
	lv->claim_request = NULL;
	if (req && lv->link && link_give_up(lv->link, &req->r) == GAVE_UP_DONE)
		req->r.drop(&req->r);
	lv->claim_due_ns = 0;
}

static bool is_open(const struct lv *lv)
{
	return lv->link && link_phase(lv->link, NULL) == PHASE_OPEN;
}

int64_t lv_claim_due(const struct lv *lv)
{
	/* Whoever only watches looks when a sample is taken. */
	return lv->claim_wanted && !lv->claim_request && is_open(lv) ? lv->claim_due_ns : INT64_MAX;
}

/* A claim that is lost is not taken back here: whoever asked for it decides again. */
static enum claim_op due_op(const struct lv *lv)
{
	enum claim_state state = lv->claim.status.state;
	return lv->claim_wanted && (state == CLAIM_OURS || state == CLAIM_UNKNOWN) ? CLAIM_TAKE : CLAIM_LOOK;
}

bool lv_claim_step(struct lv *lv)
{
	enum claim_state before = lv->claim.status.state;
	if (lv->claim_request && link_finished(lv->link, &lv->claim_request->r))
		collect(lv, NULL);
	if (is_open(lv) && !lv->claim_request && clock_ns() >= lv->claim_due_ns)
		submit(lv, due_op(lv), NULL);
	return lv->claim.status.state != before;
}

int lv_claim_settle(struct lv *lv, int64_t until_ns, struct err *err)
{
	if (!lv->claim_request)
		return 0;
	if (!link_await(lv->link, &lv->claim_request->r, until_ns))
		return err_set(
			err, ERR_TIMEOUT, "libvirt does not answer who steers this host: nothing was tried");
	collect(lv, NULL); /* what became of it is in the claim */
	return 0;
}

int lv_claim_now(struct lv *lv, enum claim_op op, int64_t until_ns, struct err *err)
{
	if (lv_ensure_link(lv, until_ns, err) < 0 || lv_claim_settle(lv, until_ns, err) < 0 ||
		submit(lv, op, err) < 0)
		return -1;
	if (!link_await(lv->link, &lv->claim_request->r, until_ns))
		return err_set(err, ERR_TIMEOUT, "libvirt does not answer who steers this host");
	return collect(lv, err);
}

int lv_claim(struct backend *backend, bool take, struct err *err)
{
	struct lv *lv = (struct lv *)backend;
	int64_t until = clock_ns() + lv->change_limit_ns;
	bool held = lv->claim_wanted;
	lv->claim_wanted = take;
	if (take && claim_clock_ns() - lv->claim.beat_ns < CLAIM_RECHECK_MS * (SECOND / 1000) &&
		lv->claim.beat_ns)
		return 0;
	if (!take && !held)
		return 0;
	int rc = lv_claim_now(lv, take ? CLAIM_TAKE : CLAIM_DROP, until, err);
	/* Whoever was refused decides again before the next change; nothing is taken behind its back. */
	if (rc < 0 && lv->claim.status.state == CLAIM_OTHER)
		lv->claim_wanted = false;
	return rc;
}
