/* SPDX-License-Identifier: MIT */
/* Metrics over HTTP, with libmicrohttpd, which no other file knows. Invariant: a page has one owner at any
 * time; the engine hands it over through one atomic pointer, and the thread that answers keeps it. Every
 * connection is bounded in time, in memory and in number, and ends with its answer. */
#include "vmtop/listen.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exposition.h"
#include "listen_at.h"
#include "vmtop/clock.h"
#include "vmtop/thread.h"

enum {
	CONNECTIONS = 64,
	IDLE_S = 5,
	LIFE_S = 30,           /* of a connection in all: a reader of one byte a second is no reader */
	REQUEST_BYTES = 16384, /* of a connection: its head and buffers */
	FRESH_NS = 1000000000, /* so long a text that was made answers again */
	FORMATS = 2,
};

/* What the engine published at one step. */
struct page {
	struct snapshot *s;
	struct tally *t;
	int64_t at_ns;
};

struct text {
	struct MHD_Response *made; /* NULL: none */
	int64_t at_ns;
};

struct listener {
	struct MHD_Daemon *daemon;
	struct tally *tally; /* the engine's thread's */
	_Atomic(struct page *) fresh;
	/* the answering thread's */
	struct page *page; /* NULL: no sample yet */
	struct text text[FORMATS];
	size_t vcpus_most;
	/* connections that are open, by who looks after them */
	pthread_mutex_t lock;
	struct open {
		int fd; /* -1: none */
		int64_t since_ns;
	} open[CONNECTIONS];
};

static void page_free(struct page *p)
{
	if (!p)
		return;
	snapshot_free(p->s);
	tally_free(p->t);
	free(p);
}

/* --- the engine's thread -------------------------------------------------------------------------------- */

/* Whoever holds a connection for too long loses it, however it behaves. */
static void end_old_connections(struct listener *l)
{
	int64_t now = clock_ns();
	pthread_mutex_lock(&l->lock);
	for (int i = 0; i < CONNECTIONS; i++)
		if (l->open[i].fd >= 0 && now - l->open[i].since_ns > LIFE_S * INT64_C(1000000000))
			shutdown(l->open[i].fd, SHUT_RDWR);
	pthread_mutex_unlock(&l->lock);
}

/* Out of memory the page before stays, and ages. */
static void publish(struct listener *l, const struct engine *en)
{
	struct page *p = calloc(1, sizeof *p);
	if (p)
		p->s = engine_snapshot(en);
	if (p && p->s && tally_see(l->tally, p->s) == 0)
		p->t = tally_copy(l->tally);
	if (!p || !p->t || p->s->first) {
		page_free(p);
		return;
	}
	p->at_ns = clock_ns();
	page_free(atomic_exchange(&l->fresh, p));
}

static void step_seen(void *arg, const struct engine *en)
{
	publish(arg, en);
	end_old_connections(arg);
}

void listener_follow(struct listener *l, struct engine *en)
{
	engine_seen_by(en, step_seen, l);
}

/* --- the answering thread ------------------------------------------------------------------------------- */

static void drop_texts(struct listener *l)
{
	for (int i = 0; i < FORMATS; i++) {
		if (l->text[i].made)
			MHD_destroy_response(l->text[i].made);
		l->text[i].made = NULL;
	}
}

static void take_page(struct listener *l)
{
	struct page *p = atomic_exchange(&l->fresh, NULL);
	if (!p)
		return;
	drop_texts(l);
	page_free(l->page);
	l->page = p;
}

static void head_of(struct MHD_Response *r, const char *type)
{
	if (!r)
		return;
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
	MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
}

static struct MHD_Response *write_text(struct listener *l, bool openmetrics)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);
	struct tally t = *l->page->t; /* with what is of now */
	t.late_s = (double)(clock_ns() - l->page->at_ns) / 1e9;
	exposition_own(&t.own);
	struct exposition x = {l->page->s, &t, openmetrics, l->vcpus_most};
	bool good = to && exposition_write(to, &x) == 0;
	if (to && fclose(to) != 0)
		good = false;
	struct MHD_Response *r =
		good ? MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE) : NULL;
	if (!r)
		free(text);
	head_of(r, openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
			       : "text/plain; version=0.0.4; charset=utf-8");
	return r;
}

/* A crowd of readers costs one text. */
static struct MHD_Response *metrics_text(struct listener *l, bool openmetrics)
{
	struct text *t = &l->text[openmetrics];
	if (t->made && clock_ns() - t->at_ns < FRESH_NS)
		return t->made;
	struct MHD_Response *r = write_text(l, openmetrics);
	if (!r)
		return NULL;
	if (t->made)
		MHD_destroy_response(t->made);
	*t = (struct text){r, clock_ns()};
	return r;
}

static enum MHD_Result say(struct MHD_Connection *c, unsigned status, const char *line)
{
	union {
		const char *in;
		void *out;
	} text = {.in = line}; /* it is only read */
	struct MHD_Response *r =
		MHD_create_response_from_buffer(strlen(line), text.out, MHD_RESPMEM_PERSISTENT);
	head_of(r, "text/plain; charset=utf-8");
	if (r && status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	enum MHD_Result done = r ? MHD_queue_response(c, status, r) : MHD_NO;
	if (r)
		MHD_destroy_response(r);
	return done;
}

static bool wants_openmetrics(struct MHD_Connection *c)
{
	const char *accept = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
	return accept && strstr(accept, "application/openmetrics-text");
}

static enum MHD_Result answer_metrics(struct listener *l, struct MHD_Connection *c)
{
	take_page(l);
	if (!l->page)
		return say(c, MHD_HTTP_SERVICE_UNAVAILABLE, "vmtop has no sample yet\n");
	struct MHD_Response *r = metrics_text(l, wants_openmetrics(c));
	return r ? MHD_queue_response(c, MHD_HTTP_OK, r)
		 : say(c, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
}

static enum MHD_Result answer(void *arg, struct MHD_Connection *c, const char *url, const char *method,
	const char *version, const char *body, size_t *body_len, void **of_connection)
{
	(void)version, (void)body, (void)body_len, (void)of_connection;
	bool get = strcmp(method, MHD_HTTP_METHOD_GET) == 0, head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
	if (!get && !head)
		return say(c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are answered\n");
	if (strcmp(url, "/metrics") == 0)
		return answer_metrics(arg, c);
	if (strcmp(url, "/") == 0)
		return say(c, MHD_HTTP_OK, "vmtop " VMTOP_VERSION ": what Prometheus reads is at /metrics\n");
	return say(c, MHD_HTTP_NOT_FOUND, "nothing here: the metrics are at /metrics\n");
}

static void note_connection(
	void *arg, struct MHD_Connection *c, void **of_socket, enum MHD_ConnectionNotificationCode what)
{
	struct listener *l = arg;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	int fd = info ? info->connect_fd : -1;
	bool begins = what == MHD_CONNECTION_NOTIFY_STARTED;
	(void)of_socket;
	pthread_mutex_lock(&l->lock);
	for (int i = 0; i < CONNECTIONS && fd >= 0; i++)
		if (l->open[i].fd == (begins ? -1 : fd)) {
			l->open[i] = (struct open){begins ? fd : -1, clock_ns()};
			break;
		}
	pthread_mutex_unlock(&l->lock);
}

/* --- life ----------------------------------------------------------------------------------------------- */

static bool start(struct listener *l, int fd)
{
	sigset_t old;
	thread_signals_off(&old); /* they are not the business of its thread */
	l->daemon = MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, answer, l,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)REQUEST_BYTES, MHD_OPTION_NOTIFY_CONNECTION, note_connection, l,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return l->daemon != NULL;
}

struct listener *listener_open(const struct config *cfg, struct err *e)
{
	struct listen_at at;
	int fd = listen_parse(&at, cfg->listen, e) == 0 ? listen_socket(&at, cfg->listen, e) : -1;
	if (fd < 0)
		return NULL;
	struct listener *l = calloc(1, sizeof *l);
	if (l)
		l->tally = tally_new();
	if (l && l->tally) {
		pthread_mutex_init(&l->lock, NULL);
		for (int i = 0; i < CONNECTIONS; i++)
			l->open[i].fd = -1;
		l->vcpus_most = (size_t)cfg->vcpu_metrics;
		if (start(l, fd))
			return l;
	}
	err_set(e, ERR_RUNTIME, "cannot listen on %.80s: no thread or no memory for it", cfg->listen);
	close(fd);
	listener_close(l);
	return NULL;
}

void listener_close(struct listener *l)
{
	if (!l)
		return;
	if (l->daemon)
		MHD_stop_daemon(l->daemon); /* ends its connections too, and closes the socket */
	drop_texts(l);
	page_free(l->page);
	page_free(atomic_exchange(&l->fresh, NULL));
	tally_free(l->tally);
	pthread_mutex_destroy(&l->lock);
	free(l);
}
