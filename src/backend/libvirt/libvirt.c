/* SPDX-License-Identifier: MIT */
/* The libvirt backend: opening, waiting, events, topology, status, closing. Invariant: the thread that calls
 * these functions makes no libvirt call itself, so nothing here blocks beyond its deadline; only the very
 * first opening waits as long as it takes, because a password may be asked for. Must not know: policies. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../host/capacity.h"
#include "libvirt_priv.h"
#include "vmtop/clock.h"
#include "vmtop/config.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

#define SECOND INT64_C(1000000000)

enum { EVENTS_AT_ONCE = 32 };

/* ---- topology: may take libvirtd seconds, so on a link of its own and after the first sample ---- */

static void topology_run(struct request *r, virConnectPtr conn)
{
	struct topology_request *q = (struct topology_request *)r;
	char *xml = virConnectGetCapabilities(conn);
	r->rc = xml ? topology_parse(&q->topology, xml, &r->err)
		    : connect_err(&r->err, "reading the capabilities");
	free(xml);
}

static void topology_drop(struct request *r)
{
	struct topology_request *q = (struct topology_request *)r;
	topology_done(&q->topology);
	free(q);
}

static void topology_start(struct lv *lv)
{
	struct err err;
	struct topology_request *req = calloc(1, sizeof *req);
	if (!req)
		return;
	req->r.run = topology_run;
	req->r.drop = topology_drop;
	lv->topology_link = link_start(&lv->wish, false, lv->notify_fd, &err);
	if (!lv->topology_link) {
		free(req);
		return;
	}
	lv->topology_request = req;
	link_submit(lv->topology_link, &req->r);
	lv->fresh = false;
}

static bool topology_collect(struct lv *lv)
{
	struct topology_request *req = lv->topology_request;
	if (!req || !link_finished(lv->topology_link, &req->r))
		return false;
	if (req->r.rc == 0) {
		topology_done(&lv->topology);
		lv->topology = req->topology;
		memset(&req->topology, 0, sizeof req->topology);
		capacity_read("", &lv->topology);
	}
	topology_drop(&req->r);
	lv->topology_request = NULL;
	link_free(lv->topology_link, 0);
	lv->topology_link = NULL;
	return true;
}

void lv_topology_step(struct lv *lv)
{
	topology_collect(lv);
	if (lv->fresh && !lv->topology_request)
		topology_start(lv);
}

/* ---- events ---- */

static uint8_t *find_ended(struct lv *lv, const uint8_t uuid[UUID_BYTES])
{
	for (size_t i = 0; i < ENDED_MOST; i++)
		if (uuid_compare(lv->ended[i], uuid) == 0)
			return lv->ended[i];
	return NULL;
}

bool lv_ended(struct lv *lv, const uint8_t uuid[UUID_BYTES])
{
	return find_ended(lv, uuid) != NULL;
}

static void note_ended(struct lv *lv, const struct link_event *event)
{
	uint8_t *at = find_ended(lv, event->uuid);
	if (event->kind == EVENT_ENDED && !at)
		memcpy(lv->ended[lv->ended_at++ % ENDED_MOST], event->uuid, UUID_BYTES);
	else if (event->kind == EVENT_RETURNS && at)
		memset(at, 0, UUID_BYTES);
}

static bool take_event(struct lv *lv, const struct link_event *event)
{
	bool foreign = event->kind == EVENT_PIN &&
		       note_pin_event(&lv->notes, event->uuid, event->vcpu, &event->map, event->time_ns);
	if (event->kind == EVENT_PIN) {
		/* Somebody's pin may be a new rule; ours never is. */
		lv_reader_dirty(lv->reader, event->uuid, foreign ? DIRTY_FACTS | DIRTY_VCPUS : DIRTY_VCPUS);
		return foreign;
	}
	if (event->kind == EVENT_BALLOON) {
		lv_reader_balloon(lv->reader, event->uuid, event->kib);
		return false;
	}
	note_ended(lv, event);
	lv_reader_dirty(
		lv->reader, event->kind == EVENT_OVERFLOW ? NULL : event->uuid, DIRTY_FACTS | DIRTY_VCPUS);
	return true;
}

bool lv_events(struct lv *lv)
{
	struct link_event event[EVENTS_AT_ONCE];
	bool worth = false;
	/* While a request has the reader they wait: the reader must hear of them. */
	for (size_t n = EVENTS_AT_ONCE; lv->link && lv->reader && n == EVENTS_AT_ONCE;) {
		n = link_events(lv->link, event, EVENTS_AT_ONCE);
		for (size_t i = 0; i < n; i++)
			worth = take_event(lv, &event[i]) || worth;
	}
	return worth;
}

/* Something of ours happened: is it worth a sample? */
static bool drain(struct lv *lv)
{
	uint64_t count;
	if (read(lv->notify_fd, &count, sizeof count) < 0)
		return false;
	bool worth = lv_events(lv);
	worth = topology_collect(lv) || worth;
	worth = lv_claim_step(lv) || worth;
	if (lv->link && lv->state == LINK_OK && link_phase(lv->link, NULL) == PHASE_LOST) {
		lv_trouble(lv, LINK_LOST, "the connection was lost; trying again");
		worth = true;
	}
	return worth;
}

static enum wake lv_wait(struct backend *backend, int64_t until_ns, int fd)
{
	struct lv *lv = (struct lv *)backend;
	struct pollfd fds[2] = {{lv->notify_fd, POLLIN, 0}, {fd, POLLIN, 0}};
	for (;;) {
		if (clock_ns() >= lv_claim_due(lv) && lv_claim_step(lv))
			return WAKE_EVENT;
		int64_t due = lv_claim_due(lv), left = min_of(due, until_ns) - clock_ns();
		struct timespec t = {left > 0 ? left / SECOND : 0, left > 0 ? left % SECOND : 0};
		if (lv->wake) {
			lv->wake = false;
			return WAKE_EVENT;
		}
		int n = ppoll(fds, 2, &t, NULL);
		if (n > 0 && fds[1].revents)
			return WAKE_INPUT;
		if (n > 0 && fds[0].revents && drain(lv))
			return WAKE_EVENT;
		if ((n == 0 && clock_ns() >= until_ns) || (n < 0 && errno != EINTR))
			return WAKE_TIMER;
	}
}

/* ---- the rest ---- */

static void lv_status(struct backend *backend, struct backend_status *status)
{
	const struct lv *lv = (const struct lv *)backend;
	memset(status, 0, sizeof *status);
	status->link = lv->state;
	snprintf(status->text, sizeof status->text, "%s", lv->trouble);
	status->readonly = lv->host.readonly;
	snprintf(status->readonly_why, sizeof status->readonly_why, "%s", lv->host.readonly_why);
	snprintf(status->uri, sizeof status->uri, "%.255s", lv->host.uri);
	snprintf(status->host, sizeof status->host, "%.255s", lv->host.host);
	status->claim = lv->claim.status;
	/* What was ours when it was last heard of may be another's by now. */
	if (status->claim.state == CLAIM_OURS && !claim_fresh(&lv->claim))
		status->claim.state = CLAIM_UNKNOWN;
}

static void lv_close(struct backend *backend)
{
	struct lv *lv = (struct lv *)backend;
	int64_t until = clock_ns() + SECOND;
	if (lv->topology_request && link_give_up(lv->topology_link, &lv->topology_request->r) == GAVE_UP_DONE)
		topology_drop(&lv->topology_request->r);
	link_free(lv->topology_link, until);
	if (lv->claim.beat_ns && lv->link && link_phase(lv->link, NULL) == PHASE_OPEN)
		lv_claim_now(lv, CLAIM_DROP, until, NULL);
	if (lv->link)
		lv_drop_link(lv);
	lv_reap(lv);
	for (size_t i = 0; i < lv->n_parked; i++)
		link_free(lv->parked[i], until);
	lv_reader_free(lv->reader);
	topology_done(&lv->topology);
	standin_done(&lv->standin);
	notes_done(&lv->notes);
	close(lv->notify_fd);
	free(lv);
}

static struct lv *lv_new(const struct config *cfg)
{
	static const struct backend_ops ops = {
		.source = SOURCE_LIBVIRT,
		.lasting = true,
		.sample = lv_sample,
		.apply = lv_apply,
		.wait = lv_wait,
		.close = lv_close,
		.now = backend_real_now,
		.status = lv_status,
		.claim = lv_claim,
		.known = lv_known,
		.disown = lv_disown,
	};
	struct lv *lv = calloc(1, sizeof *lv);
	if (!lv)
		return NULL;
	lv->b.ops = &ops;
	lv->sample_limit_ns = (int64_t)(cfg->sample_deadline_s * (double)SECOND);
	lv->change_limit_ns = (int64_t)(cfg->change_deadline_s * (double)SECOND);
	lv->use_proc = true;
	claim_init(&lv->claim);
	standin_init(&lv->standin);
	lv->notify_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return lv;
}

static void set_wish(struct lv *lv, const struct config *cfg)
{
	const char *given = *cfg->uri ? cfg->uri : getenv("LIBVIRT_DEFAULT_URI");
	snprintf(lv->wish.uri, sizeof lv->wish.uri, "%s", text_or(given, ""));
	lv->wish.readonly = cfg->readonly;
	lv->wish.ask = !cfg->never_ask && isatty(STDIN_FILENO);
	/* The default search takes what is there and starts no empty session daemon. */
	if (!*lv->wish.uri)
		setenv("LIBVIRT_AUTOSTART", "0", 0);
}

/* As long as it takes where a password may be asked for. */
static int64_t first_wait(const struct lv *lv, const struct config *cfg)
{
	bool asks = lv->wish.ask && *lv->wish.uri && !connect_uri_local(lv->wish.uri);
	return cfg->open_deadline_s > 0 && !asks
		       ? clock_ns() + (int64_t)(cfg->open_deadline_s * (double)SECOND)
		       : INT64_MAX;
}

struct backend *backend_libvirt_open(const struct config *cfg, struct err *err)
{
	struct lv *lv = lv_new(cfg);
	if (!lv || lv->notify_fd < 0) {
		free(lv);
		err_set(err, ERR_NOMEM, "out of memory for a connection");
		return NULL;
	}
	set_wish(lv, cfg);
	struct err why = ERR_INIT;
	lv->link = link_start(&lv->wish, true, lv->notify_fd, &why);
	enum link_phase phase = lv->link ? link_wait_open(lv->link, first_wait(lv, cfg), &why) : PHASE_FAILED;
	if (phase == PHASE_OPENING)
		err_set(&why, ERR_CONNECT, "%.200s: no answer for %.0f s", lv->wish.uri,
			cfg->open_deadline_s);
	if (phase != PHASE_OPEN || lv_ensure_link(lv, clock_ns() + SECOND, &why) < 0) {
		lv_close(&lv->b);
		*err = why;
		return NULL;
	}
	lv->wish.ask = false;
	lv_claim_now(lv, CLAIM_LOOK, clock_ns() + lv->sample_limit_ns, NULL);
	return &lv->b;
}
