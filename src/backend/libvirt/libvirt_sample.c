/* SPDX-License-Identifier: MIT */
/* ops->sample of the libvirt backend: asks the link's worker and waits no longer than the deadline. When the
 * answer is late it is found out from outside whether a guest's monitor is stuck; then that guest is set
 * aside and the others are sampled through the second link, within the same call. Otherwise the hypervisor is
 * slow: the request stays and the next call waits on. Must not know: what a sample holds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libvirt_priv.h"
#include "vmtop/clock.h"

#define SECOND INT64_C(1000000000)

enum { GLANCE_MS = 100, PATIENT_S = 5 };

static void sample_run(struct request *r, virConnectPtr conn)
{
	struct sample_request *q = (struct sample_request *)r;
	r->rc = lv_reader_run(q->reader, conn, &q->order, &r->err);
}

static void sample_drop(struct request *r)
{
	struct sample_request *q = (struct sample_request *)r;
	lv_reader_free(q->reader);
	free(q);
}

static void order_fill(const struct lv *lv, struct read_order *order, unsigned groups)
{
	order->groups = groups;
	order->budget_ns = lv->sample_limit_ns / 3;
	order->use_proc = lv->use_proc;
	order->safe_only = lv->n_parked == PARKED_MOST;
	for (size_t i = 0; i < lv->notes.n && order->n_hung < READ_HUNG_MOST; i++)
		if (lv->notes.vms[i].hung_ns)
			memcpy(order->hung[order->n_hung++], lv->notes.vms[i].uuid, UUID_BYTES);
}

static int ask(struct lv *lv, unsigned groups, struct err *err)
{
	struct sample_request *req = calloc(1, sizeof *req);
	if (!req)
		return err_set(err, ERR_NOMEM, "out of memory for a request");
	req->r.run = sample_run;
	req->r.drop = sample_drop;
	order_fill(lv, &req->order, groups);
	req->reader = lv->reader;
	lv->reader = NULL;
	lv->late = req;
	lv->late_since_ns = clock_ns();
	link_submit(lv->link, &req->r);
	return 0;
}

/* The answer is there: takes reader and result back. */
static int collect(struct lv *lv, struct sample *to, struct err *err)
{
	struct sample_request *req = lv->late;
	int rc = req->r.rc;
	lv->late = NULL;
	lv->reader = req->reader;
	if (rc == 0) {
		struct sample sample = *to;
		*to = *lv_reader_sample(lv->reader);
		*lv_reader_sample(lv->reader) = sample;
	} else {
		*err = req->r.err;
	}
	free(req);
	return rc;
}

/* Waits for the answer; halfway it looks why there is none. 0: it is there. */
static int await(struct lv *lv, unsigned groups, int64_t until_ns, struct err *err)
{
	int64_t half = until_ns - lv->sample_limit_ns / 2;
	for (int hunts = 0;; hunts++) {
		if (link_await(lv->link, &lv->late->r, hunts || lv->glance ? until_ns : half))
			return 0;
		if (lv->glance || hunts > PARKED_MOST || clock_ns() >= until_ns)
			break;
		if (lv_hunt(lv, until_ns) == 1 && ask(lv, groups, err) < 0)
			return -1;
	}
	char text[160];
	snprintf(text, sizeof text, "%.60s is slow: no answer for %.1f s", lv->host.uri,
		(double)(clock_ns() - lv->late_since_ns) / SECOND);
	lv_trouble(lv, LINK_SLOW, text);
	return err_set(err, ERR_TIMEOUT, "%.200s is slow: no answer yet", lv->host.uri);
}

static void count_cpus(struct lv *lv, const struct sample *sample)
{
	if (sample->host.n_pcpus)
		lv->n_cpus = sample->host.pcpus[sample->host.n_pcpus - 1].id + 1;
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

static int take(struct lv *lv, struct sample *to, struct err *err)
{
	if (collect(lv, to, err) < 0) {
		if (link_phase(lv->link, NULL) == PHASE_LOST) {
			lv_trouble(lv, LINK_LOST, err->msg);
			lv_drop_link(lv);
			lv_reader_free(lv->reader);
			lv->reader = NULL;
			lv->wake = true;
		}
		return -1;
	}
	topology_apply(&lv->topology, to);
	if (sample_finish(to, err) < 0)
		return -1;
	notes_apply(&lv->notes, to);
	settle_unknown(lv);
	count_cpus(lv, to);
	standin_learn(&lv->standin, lv->reader, to);
	link_free(lv->side, 0); /* it has told what it could */
	lv->side = NULL;
	lv_trouble(lv, LINK_OK, "");
	return 0;
}

/* An answer to what was asked in an earlier call tells what was true then: it is worth nothing where newer
 * figures have been shown since. */
static int ask_anew(struct lv *lv, unsigned groups, int64_t until_ns, struct sample *to, struct err *err)
{
	if (collect(lv, to, err) < 0)
		return -1;
	if (ask(lv, groups, err) < 0 || await(lv, groups, until_ns, err) < 0)
		return -1;
	return 0;
}

static int from_libvirt(struct lv *lv, unsigned groups, int64_t until_ns, struct sample *to, struct err *err)
{
	if (lv_ensure_link(lv, until_ns, err) < 0)
		return -1;
	bool old = lv->late && lv->standin.ready;
	if (!lv->late && ask(lv, groups, err) < 0)
		return -1;
	if (await(lv, groups, until_ns, err) < 0)
		return -1;
	if (old && lv->late->r.rc == 0 && ask_anew(lv, groups, until_ns, to, err) < 0)
		return -1;
	int rc = take(lv, to, err);
	if (rc == 0)
		lv_topology_step(lv);
	lv_claim_step(lv);
	return rc;
}

/* On this machine only news of VMs are missed while libvirt does not answer. So it is waited for, and
 * searched for a culprit, now and then; else it is only looked whether the answer has come. */
static void choose_patience(struct lv *lv, int64_t now_ns)
{
	bool tried =
		lv->standin.ready && lv->state != LINK_OK && now_ns - lv->patient_ns < PATIENT_S * SECOND;
	lv->glance = tried;
	if (!tried)
		lv->patient_ns = now_ns;
}

int lv_sample(struct backend *backend, unsigned groups, struct sample *to, struct err *err)
{
	struct lv *lv = (struct lv *)backend;
	int64_t now = clock_ns();
	choose_patience(lv, now);
	int64_t until = now + (lv->glance ? GLANCE_MS * (SECOND / 1000) : lv->sample_limit_ns);
	lv_reap(lv);
	lv_events(lv);
	lv_claim_step(lv);
	if (from_libvirt(lv, groups, until, to, err) == 0)
		return 0;
	if (!lv->standin.ready || lv->state == LINK_OK ||
		standin_sample(&lv->standin, &lv->topology, lv->trouble_ns, to, err) < 0)
		return -1;
	notes_apply(&lv->notes, to);
	return 0;
}
