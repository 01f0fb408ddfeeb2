/* SPDX-License-Identifier: MIT */
/* ops->sample of the libvirt backend: asks the link's worker and waits no longer than the deadline. When the
 * answer is late it is found out from outside whether a guest's monitor is stuck; then that guest is set
 * aside and the others are sampled through the second link, within the same call. Otherwise the hypervisor is
 * slow: the request stays and the next call waits on. Must not know: what a sample holds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libvirt_priv.h"

#define SECOND INT64_C(1000000000)

static void sample_run(struct request *r, virConnectPtr c)
{
	struct sample_request *q = (struct sample_request *)r;
	r->rc = lv_reader_run(q->reader, c, &q->order, &r->err);
}

static void sample_drop(struct request *r)
{
	struct sample_request *q = (struct sample_request *)r;
	lv_reader_free(q->reader);
	free(q);
}

static void order_fill(const struct lv *lv, struct read_order *o, unsigned groups)
{
	o->groups = groups;
	o->budget_ns = lv->sample_limit_ns / 3;
	o->use_proc = lv->use_proc;
	o->safe_only = lv->n_parked == PARKED_MOST;
	for (size_t i = 0; i < lv->notes.n && o->n_hung < READ_HUNG_MOST; i++)
		if (lv->notes.vms[i].hung_ns)
			memcpy(o->hung[o->n_hung++], lv->notes.vms[i].uuid, UUID_BYTES);
}

static int ask(struct lv *lv, unsigned groups, struct err *e)
{
	struct sample_request *q = calloc(1, sizeof *q);
	if (!q)
		return err_set(e, ERR_NOMEM, "out of memory for a request");
	q->r.run = sample_run;
	q->r.drop = sample_drop;
	order_fill(lv, &q->order, groups);
	q->reader = lv->reader;
	lv->reader = NULL;
	lv->late = q;
	lv->late_since_ns = clock_ns();
	link_submit(lv->link, &q->r);
	return 0;
}

/* The answer is there: takes reader and result back. */
static int collect(struct lv *lv, struct sample *to, struct err *e)
{
	struct sample_request *q = lv->late;
	int rc = q->r.rc;
	lv->late = NULL;
	lv->reader = q->reader;
	if (rc == 0) {
		struct sample t = *to;
		*to = *lv_reader_sample(lv->reader);
		*lv_reader_sample(lv->reader) = t;
	} else {
		*e = q->r.err;
	}
	free(q);
	return rc;
}

/* Waits for the answer; halfway it looks why there is none. 0: it is there. */
static int await(struct lv *lv, unsigned groups, int64_t until_ns, struct err *e)
{
	int64_t half = until_ns - lv->sample_limit_ns / 2;
	for (int hunts = 0;; hunts++) {
		if (link_await(lv->link, &lv->late->r, hunts ? until_ns : half))
			return 0;
		if (hunts > PARKED_MOST || clock_ns() >= until_ns)
			break;
		if (lv_hunt(lv, until_ns) == 1 && ask(lv, groups, e) < 0)
			return -1;
	}
	char text[160];
	snprintf(text, sizeof text, "%.60s is slow: no answer for %.1f s", lv->host.uri,
		(double)(clock_ns() - lv->late_since_ns) / SECOND);
	lv_trouble(lv, LINK_SLOW, text);
	return err_set(e, ERR_TIMEOUT, "%s", text);
}

static void count_cpus(struct lv *lv, const struct sample *s)
{
	if (s->host.n_pcpus)
		lv->n_cpus = s->host.pcpus[s->host.n_pcpus - 1].id + 1;
}

static bool is_parked(const struct lv *lv, const void *link)
{
	for (size_t i = 0; i < lv->n_parked; i++)
		if (lv->parked[i] == link)
			return true;
	return false;
}

/* A change without an answer has been read back once its call has ended, so that it can no longer land, and a
 * sample taken since holds its VM's true state. */
static void settle_unknown(struct lv *lv)
{
	for (size_t i = 0; i < lv->notes.n; i++)
		if (!is_parked(lv, lv->notes.vms[i].unknown_call))
			lv->notes.vms[i].unknown_call = NULL;
}

static int take(struct lv *lv, struct sample *to, struct err *e)
{
	if (collect(lv, to, e) < 0) {
		if (link_phase(lv->link, NULL) == PHASE_LOST) {
			lv_trouble(lv, LINK_LOST, e->msg);
			lv_drop_link(lv);
			lv_reader_free(lv->reader);
			lv->reader = NULL;
			lv->wake = true;
		}
		return -1;
	}
	topology_apply(&lv->topology, to);
	if (sample_finish(to, e) < 0)
		return -1;
	notes_apply(&lv->notes, to);
	settle_unknown(lv);
	count_cpus(lv, to);
	link_free(lv->side, 0); /* it has told what it could */
	lv->side = NULL;
	lv_trouble(lv, LINK_OK, "");
	return 0;
}

int lv_sample(struct backend *b, unsigned groups, struct sample *to, struct err *e)
{
	struct lv *lv = (struct lv *)b;
	int64_t until = clock_ns() + lv->sample_limit_ns;
	lv_reap(lv);
	lv_events(lv);
	lv_claim_step(lv);
	if (lv_ensure_link(lv, until, e) < 0)
		return -1;
	if (!lv->late && ask(lv, groups, e) < 0)
		return -1;
	if (await(lv, groups, until, e) < 0)
		return -1;
	int rc = take(lv, to, e);
	if (rc == 0)
		lv_topology_step(lv);
	lv_claim_step(lv);
	return rc;
}
