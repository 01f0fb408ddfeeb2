/* SPDX-License-Identifier: MIT */
/* Which links the libvirt backend has: one that works, at times a second to look at the first from outside,
 * and those parked over a stuck call. Invariant: never more than PARKED_MOST parked; a link that merely is
 * slow is waited for, only one with a stuck monitor behind it is parked. Must not know: how a sample is read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libvirt_priv.h"
#include "vmtop/clock.h"
#include "vmtop/text.h"

#define MS     INT64_C(1000000)
#define SECOND INT64_C(1000000000)

enum { CLOSE_MS = 200, CROWDED_S = 30, STUCK_MS = 400 };

void lv_trouble(struct lv *lv, enum link_state state, const char *text)
{
	if (state == LINK_OK)
		lv->trouble_ns = 0;
	else if (!lv->trouble_ns)
		lv->trouble_ns = clock_ns();
	lv->state = state;
	snprintf(lv->trouble, sizeof lv->trouble, "%s", text);
}

void lv_reap(struct lv *lv)
{
	size_t n = 0;
	for (size_t i = 0; i < lv->n_parked; i++)
		if (!link_reap(lv->parked[i]))
			lv->parked[n++] = lv->parked[i];
	lv->n_parked = n;
}

static void forget_late(struct lv *lv)
{
	struct sample_request *req = lv->late;
	lv->late = NULL;
	lv_claim_forget(lv);
	if (req && lv->link && link_give_up(lv->link, &req->r) == GAVE_UP_DONE)
		req->r.drop(&req->r);
}

void lv_park(struct lv *lv)
{
	struct link *link = lv->link;
	forget_late(lv);
	lv->link = NULL;
	link_leave(link);
	if (lv->n_parked < PARKED_MOST) {
		lv->parked[lv->n_parked++] = link;
		return;
	}
	/* Crowded: let it end by itself, and do not pile up more. */
	link_free(link, 0);
	lv->no_link_until_ns = clock_ns() + CROWDED_S * SECOND;
}

bool lv_ask(struct lv *lv, struct request *req, int64_t until_ns)
{
	link_submit(lv->link, req);
	if (link_await(lv->link, req, until_ns))
		return true;
	enum give_up how = link_give_up(lv->link, req);
	if (how == GAVE_UP_BEGUN) {
		lv_park(lv);
		lv->wake = true;
	}
	return how == GAVE_UP_DONE;
}

void lv_drop_link(struct lv *lv)
{
	forget_late(lv);
	link_free(lv->link, clock_ns() + CLOSE_MS * MS);
	lv->link = NULL;
	link_free(lv->side, clock_ns());
	lv->side = NULL;
}

/* After a change of link nothing that was remembered is trusted. */
static int adopt(struct lv *lv, struct err *err)
{
	lv->host = *link_result(lv->link);
	lv_reader_free(lv->reader);
	lv->reader = lv_reader_new(&lv->host, err);
	lv->fresh = lv->adopted = lv->reader != NULL;
	return lv->reader ? 0 : -1;
}

static int not_open(struct lv *lv, enum link_phase phase, const struct err *why, struct err *err)
{
	char text[160];
	if (phase == PHASE_OPENING) {
		lv_trouble(lv, LINK_CONNECTING, "");
		snprintf(text, sizeof text, "no answer from %.60s for %d s; waiting for it", lv->host.uri,
			(int)((clock_ns() - lv->trouble_ns) / SECOND));
		lv_trouble(lv, LINK_CONNECTING, text);
		return err_set(err, ERR_TIMEOUT, "no answer from %.200s; waiting for it", lv->host.uri);
	}
	snprintf(text, sizeof text, "%.120s; trying again", text_or(why->msg, "no connection"));
	lv_trouble(lv, LINK_LOST, text);
	lv_drop_link(lv);
	return err_set(err, ERR_CONNECT, "%s", text);
}

static int crowded(struct lv *lv, struct err *err)
{
	static const char text[] = "too many calls have no answer; waiting for one of them";
	lv_trouble(lv, LINK_SLOW, text);
	return err_set(err, ERR_TIMEOUT, "%s", text);
}

int lv_ensure_link(struct lv *lv, int64_t until_ns, struct err *err)
{
	struct err why = ERR_INIT;
	/* Twice at most: a link found lost is opened again at once. */
	for (int attempt = 0; attempt < 2; attempt++) {
		bool is_new = !lv->link;
		if (is_new && clock_ns() < lv->no_link_until_ns)
			return crowded(lv, err);
		if (is_new)
			lv->link = link_start(&lv->wish, true, lv->notify_fd, err);
		lv->adopted = lv->adopted && !is_new;
		if (!lv->link)
			return -1;
		enum link_phase phase = link_wait_open(lv->link, until_ns, &why);
		if (phase == PHASE_OPEN)
			return lv->adopted ? 0 : adopt(lv, err);
		if (not_open(lv, phase, &why, err) < 0 && (is_new || phase == PHASE_OPENING))
			return -1;
		lv_reader_free(lv->reader);
		lv->reader = NULL;
	}
	return -1;
}

static void stuck_run(struct request *r, virConnectPtr conn)
{
	struct stuck_request *q = (struct stuck_request *)r;
	q->n = lv_reader_stuck(conn, q->min_ms, q->uuids, READ_HUNG_MOST, &r->err);
	r->rc = q->n;
}

static void plain_drop(struct request *req)
{
	free(req);
}

static void note_stuck(struct lv *lv, const struct stuck_request *req)
{
	for (int i = 0; i < req->n; i++) {
		struct vm_note *note = note_get(&lv->notes, req->uuids[i]);
		if (note && !note->hung_ns)
			note->hung_ns = lv->late_since_ns;
	}
}

/* The answer of the second link: how many VMs are stuck, -1 unknown. */
static int ask_side(struct lv *lv, int64_t until_ns)
{
	struct stuck_request *req = calloc(1, sizeof *req);
	if (!req)
		return -1;
	req->r.run = stuck_run;
	req->r.drop = plain_drop;
	req->min_ms = STUCK_MS;
	link_submit(lv->side, &req->r);
	if (!link_await(lv->side, &req->r, until_ns) && link_give_up(lv->side, &req->r) != GAVE_UP_DONE) {
		link_free(lv->side, 0);
		lv->side = NULL;
		return -1;
	}
	int n = req->n;
	note_stuck(lv, req);
	free(req);
	return n;
}

int lv_hunt(struct lv *lv, int64_t until_ns)
{
	struct err why = ERR_INIT;
	if (!lv->side)
		lv->side = link_start(&lv->wish, true, lv->notify_fd, &why);
	enum link_phase phase = lv->side ? link_wait_open(lv->side, until_ns, &why) : PHASE_FAILED;
	if (phase == PHASE_FAILED || phase == PHASE_LOST) {
		link_free(lv->side, clock_ns() + CLOSE_MS * MS);
		lv->side = NULL;
	}
	if (phase != PHASE_OPEN)
		return -1;
	int n = ask_side(lv, until_ns);
	if (n <= 0)
		return n;
	lv_park(lv);
	lv->link = lv->side;
	lv->side = NULL;
	return adopt(lv, &why) < 0 ? -1 : 1;
}
