/* SPDX-License-Identifier: MIT */
/* One libvirt connection: a worker thread that makes its calls one after another, and an inbox of its events.
 *
 * virEventRegisterDefaultImpl() is one per process, so one loop thread serves all links: it starts with the
 * first and runs until the process ends, because connections hand it their last clean-up after they closed.
 * It makes no call of its own and callbacks only copy into an inbox, so a hung connection cannot block it.
 *
 * Invariant: a request is either the caller's or the worker's, never both; the mutex guards only that and the
 * inbox, and is never held over a libvirt call. Knows nothing of samples. */
#include "link.h"

#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "pinmark.h"
#include "vmtop/array.h"
#include "vmtop/clock.h"
#include "vmtop/minmax.h"
#include "vmtop/thread.h"

enum { REQ_IDLE, REQ_QUEUED, REQ_RUNNING, REQ_DONE, REQ_GIVEN_UP };
enum { INBOX_MOST = 8192, CALLBACKS = 8 };
enum { KEEPALIVE_S = 5, KEEPALIVE_COUNT = 3 };

struct link {
	pthread_mutex_t lock;
	pthread_cond_t wake;   /* to the worker: work waits */
	pthread_cond_t answer; /* to the caller: a request or the opening has finished */
	pthread_t thread;
	struct connect_wish wish;
	struct connect_result result;
	bool want_events;
	int notify_fd;

	/* guarded by lock */
	enum link_phase phase;
	struct err why;
	struct request *queue, **tail;
	bool leaving, ended, orphan;
	int held; /* callbacks that libvirt has not let go of yet */
	struct link_event *inbox;
	size_t n_inbox, cap_inbox;

	/* the worker's */
	virConnectPtr conn;
	int callback_ids[CALLBACKS];
	int n_callbacks;
};

/* ---- the loop thread ---- */

static void *loop_main(void *arg)
{
	(void)arg;
	while (virEventRunDefaultImpl() == 0)
		;
	return NULL;
}

static void silent(void *data, virErrorPtr error)
{
	(void)data;
	(void)error;
}

static void nothing(int timer, void *arg)
{
	(void)timer;
	(void)arg;
}

static void loop_once(void)
{
	pthread_t t;
	/* A connection cut in mid-write must be an error, not the end of the process. */
	signal(SIGPIPE, SIG_IGN);
	virSetErrorFunc(NULL, silent);
	/* The library's own log goes to stderr, into the screen, unless somebody wants it somewhere. */
	if (!getenv("LIBVIRT_DEBUG"))
		setenv("LIBVIRT_LOG_OUTPUTS", "1:file:/dev/null", 0);
	if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0)
		return;
	/* With nothing at all registered the loop would return at once and spin. */
	virEventAddTimeout(-1, nothing, NULL, NULL);
	if (thread_create(&t, loop_main, NULL) == 0)
		pthread_detach(t);
}

static void loop_start(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, loop_once);
}

/* ---- events ---- */

static void notify(struct link *link)
{
	uint64_t one = 1;
	if (write(link->notify_fd, &one, sizeof one) < 0)
		return; /* the counter is full: a wake-up is pending anyway */
}

static struct link_event *inbox_slot(struct link *link)
{
	struct link_event *slot =
		array_more(&link->inbox, &link->n_inbox, &link->cap_inbox, INBOX_MOST, sizeof *slot);
	if (slot)
		return slot;
	if (link->n_inbox)
		link->inbox[link->n_inbox - 1].kind = EVENT_OVERFLOW;
	return NULL;
}

static void inbox_put(struct link *link, virDomainPtr dom, struct link_event event)
{
	event.time_ns = clock_ns();
	if (virDomainGetUUID(dom, event.uuid) < 0)
		return;
	pthread_mutex_lock(&link->lock);
	struct link_event *slot = inbox_slot(link);
	if (slot)
		*slot = event;
	pthread_mutex_unlock(&link->lock);
	notify(link);
}

static int on_lifecycle(virConnectPtr conn, virDomainPtr dom, int event, int detail, void *l)
{
	(void)conn;
	bool stopped = event == VIR_DOMAIN_EVENT_STOPPED;
	bool saved = stopped && (detail == VIR_DOMAIN_EVENT_STOPPED_SAVED ||
					detail == VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT);
	enum link_event_kind kind = stopped ? EVENT_ENDED : EVENT_LIFECYCLE;
	if (saved || event == VIR_DOMAIN_EVENT_STARTED)
		kind = EVENT_RETURNS;
	inbox_put(l, dom, (struct link_event){.kind = kind, .vcpu = -1});
	return 0;
}

static void on_tunable(virConnectPtr conn, virDomainPtr dom, virTypedParameterPtr params, int n, void *l)
{
	(void)conn;
	for (int i = 0; i < n; i++) {
		struct cpuset map;
		unsigned vcpu;
		int end = 0;
		if (params[i].type == VIR_TYPED_PARAM_STRING && params[i].value.s &&
			sscanf(params[i].field, "cputune.vcpupin%5u%n", &vcpu, &end) == 1 &&
			!params[i].field[end] && cpuset_parse_clipped(&map, params[i].value.s) == 0)
			inbox_put(l, dom,
				(struct link_event){.kind = EVENT_PIN, .vcpu = (int)vcpu, .map = map});
		else
			inbox_put(l, dom, (struct link_event){.kind = EVENT_TUNABLE, .vcpu = -1});
	}
}

static void on_balloon(virConnectPtr conn, virDomainPtr dom, unsigned long long actual, void *l)
{
	(void)conn;
	if (actual <= INT64_MAX)
		inbox_put(l, dom,
			(struct link_event){.kind = EVENT_BALLOON, .vcpu = -1, .kib = (int64_t)actual});
}

static void on_device(virConnectPtr conn, virDomainPtr dom, const char *alias, void *l)
{
	(void)conn;
	(void)alias;
	inbox_put(l, dom, (struct link_event){.kind = EVENT_DEFINITION, .vcpu = -1});
}

static void on_metadata(virConnectPtr conn, virDomainPtr dom, int type, const char *uri, void *l)
{
	(void)conn;
	(void)type;
	if (uri && strcmp(uri, PINMARK_URI) == 0)
		return; /* our own mark tells nothing new */
	inbox_put(l, dom, (struct link_event){.kind = EVENT_DEFINITION, .vcpu = -1});
}

/* libvirt will not call this callback again. */
static void let_go(void *arg)
{
	struct link *link = arg;
	pthread_mutex_lock(&link->lock);
	link->held--;
	pthread_cond_broadcast(&link->wake);
	pthread_mutex_unlock(&link->lock);
}

static void hold(struct link *link, int by)
{
	pthread_mutex_lock(&link->lock);
	link->held += by;
	pthread_mutex_unlock(&link->lock);
}

static void set_phase(struct link *link, enum link_phase phase, const struct err *why)
{
	pthread_mutex_lock(&link->lock);
	link->phase = phase;
	if (why)
		link->why = *why;
	pthread_cond_broadcast(&link->answer);
	pthread_mutex_unlock(&link->lock);
	notify(link);
}

static void on_close(virConnectPtr conn, int reason, void *arg)
{
	static const char *const text[] = {
		[VIR_CONNECT_CLOSE_REASON_ERROR] = "the connection broke",
		[VIR_CONNECT_CLOSE_REASON_EOF] = "the hypervisor daemon closed the connection",
		[VIR_CONNECT_CLOSE_REASON_KEEPALIVE] = "the hypervisor daemon stopped answering",
		[VIR_CONNECT_CLOSE_REASON_CLIENT] = "closed",
	};
	struct err why;
	(void)conn;
	err_set(&why, ERR_CONNECT, "%s",
		reason >= 0 && reason <= VIR_CONNECT_CLOSE_REASON_CLIENT ? text[reason] : text[0]);
	set_phase(arg, PHASE_LOST, &why);
}

static void register_event(struct link *link, int id, virConnectDomainEventGenericCallback fn)
{
	hold(link, 1);
	int cb = virConnectDomainEventRegisterAny(link->conn, NULL, id, fn, link, let_go);
	if (cb < 0)
		hold(link, -1); /* a driver without this event: the slow round finds the change */
	else
		link->callback_ids[link->n_callbacks++] = cb;
}

static void register_all(struct link *link)
{
	/* Unregistering waits for a call under way, and some drivers take the callback without ever letting
	 * go of it. */
	virConnectRegisterCloseCallback(link->conn, on_close, link, NULL);
	virConnectSetKeepAlive(
		link->conn, KEEPALIVE_S, KEEPALIVE_COUNT); /* drivers without a line refuse it */
	if (!link->want_events)
		return;
	register_event(link, VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle));
	register_event(link, VIR_DOMAIN_EVENT_ID_TUNABLE, VIR_DOMAIN_EVENT_CALLBACK(on_tunable));
	register_event(link, VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE, VIR_DOMAIN_EVENT_CALLBACK(on_balloon));
	register_event(link, VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, VIR_DOMAIN_EVENT_CALLBACK(on_device));
	register_event(link, VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, VIR_DOMAIN_EVENT_CALLBACK(on_device));
	register_event(link, VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, VIR_DOMAIN_EVENT_CALLBACK(on_metadata));
}

/* ---- the worker ---- */

static void disconnect(struct link *link)
{
	if (!link->conn)
		return;
	virConnectUnregisterCloseCallback(link->conn, on_close);
	for (int i = 0; i < link->n_callbacks; i++)
		virConnectDomainEventDeregisterAny(link->conn, link->callback_ids[i]);
	virConnectClose(link->conn);
	link->conn = NULL;
}

static struct request *next_request(struct link *link)
{
	pthread_mutex_lock(&link->lock);
	while (!link->queue && !link->leaving)
		pthread_cond_wait(&link->wake, &link->lock);
	struct request *req = link->leaving ? NULL : link->queue;
	if (req) {
		link->queue = req->next;
		if (!link->queue)
			link->tail = &link->queue;
		req->state = REQ_RUNNING;
	}
	pthread_mutex_unlock(&link->lock);
	return req;
}

static void finish(struct link *link, struct request *req)
{
	pthread_mutex_lock(&link->lock);
	bool given_up = req->state == REQ_GIVEN_UP;
	if (!given_up) {
		req->state = REQ_DONE;
		pthread_cond_broadcast(&link->answer);
	}
	pthread_mutex_unlock(&link->lock);
	if (given_up)
		req->drop(req);
	else
		notify(link);
}

static void drop_queue(struct link *link)
{
	pthread_mutex_lock(&link->lock);
	struct request *req = link->queue;
	link->queue = NULL;
	link->tail = &link->queue;
	pthread_mutex_unlock(&link->lock);
	while (req) {
		struct request *next = req->next;
		req->drop(req);
		req = next;
	}
}

/* A connection that died in a strange way may keep a callback: then the link stays in memory rather than
 * being pulled from under it. */
static void link_destroy(struct link *link)
{
	pthread_mutex_lock(&link->lock);
	bool held = link->held > 0;
	pthread_mutex_unlock(&link->lock);
	if (held)
		return;
	close(link->notify_fd);
	pthread_mutex_destroy(&link->lock);
	pthread_cond_destroy(&link->wake);
	pthread_cond_destroy(&link->answer);
	free(link->inbox);
	free(link);
}

/* The loop thread lets go of the callbacks a moment after the connection was closed. */
static void await_callbacks(struct link *link)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += 1;
	while (link->held > 0)
		if (pthread_cond_timedwait(&link->wake, &link->lock, &until) != 0)
			return;
}

static void worker_end(struct link *link)
{
	disconnect(link);
	drop_queue(link);
	pthread_mutex_lock(&link->lock);
	await_callbacks(link);
	link->ended = true;
	bool orphan = link->orphan;
	pthread_cond_broadcast(&link->answer);
	pthread_mutex_unlock(&link->lock);
	if (orphan)
		link_destroy(link);
}

static void *worker_main(void *arg)
{
	struct link *link = arg;
	struct err why = ERR_INIT;
	link->conn = connect_open(&link->wish, &link->result, &why);
	if (link->conn) {
		register_all(link);
		set_phase(link, PHASE_OPEN, NULL);
	} else {
		set_phase(link, PHASE_FAILED, &why);
	}
	for (struct request *req; (req = next_request(link));) {
		req->run(req, link->conn);
		finish(link, req);
	}
	worker_end(link);
	return NULL;
}

/* ---- the caller's side ---- */

static struct link *link_new(const struct connect_wish *wish, bool events, int notify_fd)
{
	struct link *link = calloc(1, sizeof *link);
	if (!link)
		return NULL;
	link->notify_fd = dup(notify_fd);
	if (link->notify_fd < 0) {
		free(link);
		return NULL;
	}
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&link->lock, NULL);
	pthread_cond_init(&link->wake, &attr);
	pthread_cond_init(&link->answer, &attr);
	pthread_condattr_destroy(&attr);
	link->tail = &link->queue;
	link->wish = *wish;
	link->want_events = events;
	return link;
}

struct link *link_start(const struct connect_wish *wish, bool events, int notify_fd, struct err *err)
{
	loop_start();
	struct link *link = link_new(wish, events, notify_fd);
	if (!link) {
		err_set(err, ERR_NOMEM, "out of memory for a connection");
		return NULL;
	}
	if (thread_create(&link->thread, worker_main, link) != 0) {
		link_destroy(link);
		err_set(err, ERR_RUNTIME, "cannot start a thread for a connection");
		return NULL;
	}
	return link;
}

enum link_phase link_phase(struct link *link, struct err *why)
{
	pthread_mutex_lock(&link->lock);
	enum link_phase phase = link->phase;
	if (why && (phase == PHASE_FAILED || phase == PHASE_LOST))
		*why = link->why;
	pthread_mutex_unlock(&link->lock);
	return phase;
}

/* One wait for the worker; false when the time is up. The lock is held. */
static bool wait_answer(struct link *link, int64_t until_ns)
{
	struct timespec t = {until_ns / 1000000000, until_ns % 1000000000};
	return pthread_cond_timedwait(&link->answer, &link->lock, &t) == 0;
}

enum link_phase link_wait_open(struct link *link, int64_t until_ns, struct err *why)
{
	pthread_mutex_lock(&link->lock);
	while (link->phase == PHASE_OPENING && wait_answer(link, until_ns))
		;
	pthread_mutex_unlock(&link->lock);
	return link_phase(link, why);
}

const struct connect_result *link_result(const struct link *link)
{
	return &link->result;
}

void link_submit(struct link *link, struct request *req)
{
	pthread_mutex_lock(&link->lock);
	req->rc = 0;
	req->err = (struct err)ERR_INIT;
	req->next = NULL;
	req->state = REQ_QUEUED;
	*link->tail = req;
	link->tail = &req->next;
	pthread_cond_signal(&link->wake);
	pthread_mutex_unlock(&link->lock);
}

static void unqueue(struct link *link, struct request *req)
{
	struct request **p = &link->queue;
	while (*p && *p != req)
		p = &(*p)->next;
	if (*p)
		*p = req->next;
	link->tail = &link->queue;
	while (*link->tail)
		link->tail = &(*link->tail)->next;
}

bool link_await(struct link *link, struct request *req, int64_t until_ns)
{
	pthread_mutex_lock(&link->lock);
	while (req->state != REQ_DONE && wait_answer(link, until_ns))
		;
	bool done = req->state == REQ_DONE;
	pthread_mutex_unlock(&link->lock);
	return done;
}

enum give_up link_give_up(struct link *link, struct request *req)
{
	pthread_mutex_lock(&link->lock);
	enum give_up how = req->state == REQ_QUEUED ? GAVE_UP_QUEUED : GAVE_UP_BEGUN;
	if (req->state == REQ_DONE)
		how = GAVE_UP_DONE;
	if (how == GAVE_UP_QUEUED)
		unqueue(link, req);
	else if (how == GAVE_UP_BEGUN)
		req->state = REQ_GIVEN_UP;
	pthread_mutex_unlock(&link->lock);
	if (how == GAVE_UP_QUEUED)
		req->drop(req);
	return how;
}

bool link_finished(struct link *link, struct request *req)
{
	pthread_mutex_lock(&link->lock);
	bool done = req->state == REQ_DONE;
	pthread_mutex_unlock(&link->lock);
	return done;
}

size_t link_events(struct link *link, struct link_event *out, size_t max)
{
	pthread_mutex_lock(&link->lock);
	size_t n = min_of(link->n_inbox, max);
	if (n)
		memcpy(out, link->inbox, n * sizeof *out);
	link->n_inbox -= n;
	if (link->n_inbox)
		memmove(link->inbox, link->inbox + n, link->n_inbox * sizeof *out);
	pthread_mutex_unlock(&link->lock);
	return n;
}

void link_leave(struct link *link)
{
	pthread_mutex_lock(&link->lock);
	link->leaving = true;
	pthread_cond_broadcast(&link->wake);
	pthread_mutex_unlock(&link->lock);
}

bool link_reap(struct link *link)
{
	pthread_mutex_lock(&link->lock);
	bool ended = link->ended;
	pthread_mutex_unlock(&link->lock);
	if (!ended)
		return false;
	pthread_join(link->thread, NULL);
	link_destroy(link);
	return true;
}

void link_free(struct link *link, int64_t until_ns)
{
	if (!link)
		return;
	link_leave(link);
	pthread_mutex_lock(&link->lock);
	while (!link->ended && wait_answer(link, until_ns))
		;
	bool ended = link->ended;
	link->orphan = !ended;
	pthread_t thread = link->thread;
	pthread_mutex_unlock(&link->lock);
	if (ended) {
		pthread_join(thread, NULL);
		link_destroy(link);
	} else {
		pthread_detach(thread);
	}
}
