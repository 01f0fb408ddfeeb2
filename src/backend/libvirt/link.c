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

static void notify(struct link *l)
{
	uint64_t one = 1;
	if (write(l->notify_fd, &one, sizeof one) < 0)
		return; /* the counter is full: a wake-up is pending anyway */
}

static struct link_event *inbox_slot(struct link *l)
{
	struct link_event *slot = array_more(&l->inbox, &l->n_inbox, &l->cap_inbox, INBOX_MOST, sizeof *slot);
	if (slot)
		return slot;
	if (l->n_inbox)
		l->inbox[l->n_inbox - 1].kind = EVENT_OVERFLOW;
	return NULL;
}

static void inbox_put(struct link *l, virDomainPtr dom, struct link_event ev)
{
	ev.time_ns = clock_ns();
	if (virDomainGetUUID(dom, ev.uuid) < 0)
		return;
	pthread_mutex_lock(&l->lock);
	struct link_event *slot = inbox_slot(l);
	if (slot)
		*slot = ev;
	pthread_mutex_unlock(&l->lock);
	notify(l);
}

static int on_lifecycle(virConnectPtr c, virDomainPtr dom, int event, int detail, void *l)
{
	(void)c;
	bool stopped = event == VIR_DOMAIN_EVENT_STOPPED;
	bool saved = stopped && (detail == VIR_DOMAIN_EVENT_STOPPED_SAVED ||
					detail == VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT);
	enum link_event_kind kind = stopped ? EVENT_ENDED : EVENT_LIFECYCLE;
	if (saved || event == VIR_DOMAIN_EVENT_STARTED)
		kind = EVENT_RETURNS;
	inbox_put(l, dom, (struct link_event){.kind = kind, .vcpu = -1});
	return 0;
}

static void on_tunable(virConnectPtr c, virDomainPtr dom, virTypedParameterPtr params, int n, void *l)
{
	(void)c;
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

static void on_balloon(virConnectPtr c, virDomainPtr dom, unsigned long long actual, void *l)
{
	(void)c;
	if (actual <= INT64_MAX)
		inbox_put(l, dom,
			(struct link_event){.kind = EVENT_BALLOON, .vcpu = -1, .kib = (int64_t)actual});
}

static void on_device(virConnectPtr c, virDomainPtr dom, const char *alias, void *l)
{
	(void)c;
	(void)alias;
	inbox_put(l, dom, (struct link_event){.kind = EVENT_DEFINITION, .vcpu = -1});
}

static void on_metadata(virConnectPtr c, virDomainPtr dom, int type, const char *uri, void *l)
{
	(void)c;
	(void)type;
	if (uri && strcmp(uri, PINMARK_URI) == 0)
		return; /* our own mark tells nothing new */
	inbox_put(l, dom, (struct link_event){.kind = EVENT_DEFINITION, .vcpu = -1});
}

/* libvirt will not call this callback again. */
static void let_go(void *arg)
{
	struct link *l = arg;
	pthread_mutex_lock(&l->lock);
	l->held--;
	pthread_cond_broadcast(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

static void hold(struct link *l, int by)
{
	pthread_mutex_lock(&l->lock);
	l->held += by;
	pthread_mutex_unlock(&l->lock);
}

static void set_phase(struct link *l, enum link_phase phase, const struct err *why)
{
	pthread_mutex_lock(&l->lock);
	l->phase = phase;
	if (why)
		l->why = *why;
	pthread_cond_broadcast(&l->answer);
	pthread_mutex_unlock(&l->lock);
	notify(l);
}

static void on_close(virConnectPtr c, int reason, void *arg)
{
	static const char *const text[] = {
		[VIR_CONNECT_CLOSE_REASON_ERROR] = "the connection broke",
		[VIR_CONNECT_CLOSE_REASON_EOF] = "the hypervisor daemon closed the connection",
		[VIR_CONNECT_CLOSE_REASON_KEEPALIVE] = "the hypervisor daemon stopped answering",
		[VIR_CONNECT_CLOSE_REASON_CLIENT] = "closed",
	};
	struct err why;
	(void)c;
	err_set(&why, ERR_CONNECT, "%s",
		reason >= 0 && reason <= VIR_CONNECT_CLOSE_REASON_CLIENT ? text[reason] : text[0]);
	set_phase(arg, PHASE_LOST, &why);
}

static void register_event(struct link *l, int id, virConnectDomainEventGenericCallback fn)
{
	hold(l, 1);
	int cb = virConnectDomainEventRegisterAny(l->conn, NULL, id, fn, l, let_go);
	if (cb < 0)
		hold(l, -1); /* a driver without this event: the slow round finds the change */
	else
		l->callback_ids[l->n_callbacks++] = cb;
}

static void register_all(struct link *l)
{
	/* Unregistering waits for a call under way, and some drivers take the callback without ever letting
	 * go of it. */
	virConnectRegisterCloseCallback(l->conn, on_close, l, NULL);
	virConnectSetKeepAlive(l->conn, KEEPALIVE_S, KEEPALIVE_COUNT); /* drivers without a line refuse it */
	if (!l->want_events)
		return;
	register_event(l, VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle));
	register_event(l, VIR_DOMAIN_EVENT_ID_TUNABLE, VIR_DOMAIN_EVENT_CALLBACK(on_tunable));
	register_event(l, VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE, VIR_DOMAIN_EVENT_CALLBACK(on_balloon));
	register_event(l, VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, VIR_DOMAIN_EVENT_CALLBACK(on_device));
	register_event(l, VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, VIR_DOMAIN_EVENT_CALLBACK(on_device));
	register_event(l, VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, VIR_DOMAIN_EVENT_CALLBACK(on_metadata));
}

/* ---- the worker ---- */

static void disconnect(struct link *l)
{
	if (!l->conn)
		return;
	virConnectUnregisterCloseCallback(l->conn, on_close);
	for (int i = 0; i < l->n_callbacks; i++)
		virConnectDomainEventDeregisterAny(l->conn, l->callback_ids[i]);
	virConnectClose(l->conn);
	l->conn = NULL;
}

static struct request *next_request(struct link *l)
{
	pthread_mutex_lock(&l->lock);
	while (!l->queue && !l->leaving)
		pthread_cond_wait(&l->wake, &l->lock);
	struct request *r = l->leaving ? NULL : l->queue;
	if (r) {
		l->queue = r->next;
		if (!l->queue)
			l->tail = &l->queue;
		r->state = REQ_RUNNING;
	}
	pthread_mutex_unlock(&l->lock);
	return r;
}

static void finish(struct link *l, struct request *r)
{
	pthread_mutex_lock(&l->lock);
	bool given_up = r->state == REQ_GIVEN_UP;
	if (!given_up) {
		r->state = REQ_DONE;
		pthread_cond_broadcast(&l->answer);
	}
	pthread_mutex_unlock(&l->lock);
	if (given_up)
		r->drop(r);
	else
		notify(l);
}

static void drop_queue(struct link *l)
{
	pthread_mutex_lock(&l->lock);
	struct request *r = l->queue;
	l->queue = NULL;
	l->tail = &l->queue;
	pthread_mutex_unlock(&l->lock);
	while (r) {
		struct request *next = r->next;
		r->drop(r);
		r = next;
	}
}

/* A connection that died in a strange way may keep a callback: then the link stays in memory rather than
 * being pulled from under it. */
static void link_destroy(struct link *l)
{
	pthread_mutex_lock(&l->lock);
	bool held = l->held > 0;
	pthread_mutex_unlock(&l->lock);
	if (held)
		return;
	close(l->notify_fd);
	pthread_mutex_destroy(&l->lock);
	pthread_cond_destroy(&l->wake);
	pthread_cond_destroy(&l->answer);
	free(l->inbox);
	free(l);
}

/* The loop thread lets go of the callbacks a moment after the connection was closed. */
static void await_callbacks(struct link *l)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += 1;
	while (l->held > 0)
		if (pthread_cond_timedwait(&l->wake, &l->lock, &until) != 0)
			return;
}

static void worker_end(struct link *l)
{
	disconnect(l);
	drop_queue(l);
	pthread_mutex_lock(&l->lock);
	await_callbacks(l);
	l->ended = true;
	bool orphan = l->orphan;
	pthread_cond_broadcast(&l->answer);
	pthread_mutex_unlock(&l->lock);
	if (orphan)
		link_destroy(l);
}

static void *worker_main(void *arg)
{
	struct link *l = arg;
	struct err why = ERR_INIT;
	l->conn = connect_open(&l->wish, &l->result, &why);
	if (l->conn) {
		register_all(l);
		set_phase(l, PHASE_OPEN, NULL);
	} else {
		set_phase(l, PHASE_FAILED, &why);
	}
	for (struct request *r; (r = next_request(l));) {
		r->run(r, l->conn);
		finish(l, r);
	}
	worker_end(l);
	return NULL;
}

/* ---- the caller's side ---- */

static struct link *link_new(const struct connect_wish *wish, bool events, int notify_fd)
{
	struct link *l = calloc(1, sizeof *l);
	if (!l)
		return NULL;
	l->notify_fd = dup(notify_fd);
	if (l->notify_fd < 0) {
		free(l);
		return NULL;
	}
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->wake, &attr);
	pthread_cond_init(&l->answer, &attr);
	pthread_condattr_destroy(&attr);
	l->tail = &l->queue;
	l->wish = *wish;
	l->want_events = events;
	return l;
}

struct link *link_start(const struct connect_wish *wish, bool events, int notify_fd, struct err *e)
{
	loop_start();
	struct link *l = link_new(wish, events, notify_fd);
	if (!l) {
		err_set(e, ERR_NOMEM, "out of memory for a connection");
		return NULL;
	}
	if (thread_create(&l->thread, worker_main, l) != 0) {
		link_destroy(l);
		err_set(e, ERR_RUNTIME, "cannot start a thread for a connection");
		return NULL;
	}
	return l;
}

enum link_phase link_phase(struct link *l, struct err *why)
{
	pthread_mutex_lock(&l->lock);
	enum link_phase phase = l->phase;
	if (why && (phase == PHASE_FAILED || phase == PHASE_LOST))
		*why = l->why;
	pthread_mutex_unlock(&l->lock);
	return phase;
}

/* One wait for the worker; false when the time is up. The lock is held. */
static bool wait_answer(struct link *l, int64_t until_ns)
{
	struct timespec t = {until_ns / 1000000000, until_ns % 1000000000};
	return pthread_cond_timedwait(&l->answer, &l->lock, &t) == 0;
}

enum link_phase link_wait_open(struct link *l, int64_t until_ns, struct err *why)
{
	pthread_mutex_lock(&l->lock);
	while (l->phase == PHASE_OPENING && wait_answer(l, until_ns))
		;
	pthread_mutex_unlock(&l->lock);
	return link_phase(l, why);
}

const struct connect_result *link_result(const struct link *l)
{
	return &l->result;
}

void link_submit(struct link *l, struct request *r)
{
	pthread_mutex_lock(&l->lock);
	r->rc = 0;
	r->err = (struct err)ERR_INIT;
	r->next = NULL;
	r->state = REQ_QUEUED;
	*l->tail = r;
	l->tail = &r->next;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

static void unqueue(struct link *l, struct request *r)
{
	struct request **p = &l->queue;
	while (*p && *p != r)
		p = &(*p)->next;
	if (*p)
		*p = r->next;
	l->tail = &l->queue;
	while (*l->tail)
		l->tail = &(*l->tail)->next;
}

bool link_await(struct link *l, struct request *r, int64_t until_ns)
{
	pthread_mutex_lock(&l->lock);
	while (r->state != REQ_DONE && wait_answer(l, until_ns))
		;
	bool done = r->state == REQ_DONE;
	pthread_mutex_unlock(&l->lock);
	return done;
}

enum give_up link_give_up(struct link *l, struct request *r)
{
	pthread_mutex_lock(&l->lock);
	enum give_up how = r->state == REQ_QUEUED ? GAVE_UP_QUEUED : GAVE_UP_BEGUN;
	if (r->state == REQ_DONE)
		how = GAVE_UP_DONE;
	if (how == GAVE_UP_QUEUED)
		unqueue(l, r);
	else if (how == GAVE_UP_BEGUN)
		r->state = REQ_GIVEN_UP;
	pthread_mutex_unlock(&l->lock);
	if (how == GAVE_UP_QUEUED)
		r->drop(r);
	return how;
}

bool link_finished(struct link *l, struct request *r)
{
	pthread_mutex_lock(&l->lock);
	bool done = r->state == REQ_DONE;
	pthread_mutex_unlock(&l->lock);
	return done;
}

size_t link_events(struct link *l, struct link_event *out, size_t max)
{
	pthread_mutex_lock(&l->lock);
	size_t n = min_of(l->n_inbox, max);
	if (n)
		memcpy(out, l->inbox, n * sizeof *out);
	l->n_inbox -= n;
	if (l->n_inbox)
		memmove(l->inbox, l->inbox + n, l->n_inbox * sizeof *out);
	pthread_mutex_unlock(&l->lock);
	return n;
}

void link_leave(struct link *l)
{
	pthread_mutex_lock(&l->lock);
	l->leaving = true;
	pthread_cond_broadcast(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

bool link_reap(struct link *l)
{
	pthread_mutex_lock(&l->lock);
	bool ended = l->ended;
	pthread_mutex_unlock(&l->lock);
	if (!ended)
		return false;
	pthread_join(l->thread, NULL);
	link_destroy(l);
	return true;
}

void link_free(struct link *l, int64_t until_ns)
{
	if (!l)
		return;
	link_leave(l);
	pthread_mutex_lock(&l->lock);
	while (!l->ended && wait_answer(l, until_ns))
		;
	bool ended = l->ended;
	l->orphan = !ended;
	pthread_t thread = l->thread;
	pthread_mutex_unlock(&l->lock);
	if (ended) {
		pthread_join(thread, NULL);
		link_destroy(l);
	} else {
		pthread_detach(thread);
	}
}
