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

static void page_free(struct page *page)
{
	if (!page)
		return;
	snapshot_free(page->s);
	tally_free(page->t);
	free(page);
}

/* --- the engine's thread -------------------------------------------------------------------------------- */

/* Whoever holds a connection for too long loses it, however it behaves. */
static void end_old_connections(struct listener *listener)
{
	int64_t now = clock_ns();
	pthread_mutex_lock(&listener->lock);
	for (int i = 0; i < CONNECTIONS; i++)
		if (listener->open[i].fd >= 0 &&
			now - listener->open[i].since_ns > LIFE_S * INT64_C(1000000000))
			shutdown(listener->open[i].fd, SHUT_RDWR);
	pthread_mutex_unlock(&listener->lock);
}

/* Out of memory the page before stays, and ages. */
static void publish(struct listener *listener, const struct engine *engine)
{
	struct page *page = calloc(1, sizeof *page);
	if (page)
		page->s = engine_snapshot(engine);
	if (page && page->s && tally_see(listener->tally, page->s) == 0)
		page->t = tally_copy(listener->tally);
	if (!page || !page->t || page->s->first) {
		page_free(page);
		return;
	}
	page->at_ns = clock_ns();
	page_free(atomic_exchange(&listener->fresh, page));
}

static void step_seen(void *arg, const struct engine *engine)
{
	publish(arg, engine);
	end_old_connections(arg);
}

void listener_follow(struct listener *listener, struct engine *engine)
{
	engine_seen_by(engine, step_seen, listener);
}

/* --- the answering thread ------------------------------------------------------------------------------- */

static void drop_texts(struct listener *listener)
{
	for (int i = 0; i < FORMATS; i++) {
		if (listener->text[i].made)
			MHD_destroy_response(listener->text[i].made);
		listener->text[i].made = NULL;
	}
}

static void take_page(struct listener *listener)
{
	struct page *page = atomic_exchange(&listener->fresh, NULL);
	if (!page)
		return;
	drop_texts(listener);
	page_free(listener->page);
	listener->page = page;
}

static void head_of(struct MHD_Response *resp, const char *type)
{
	if (!resp)
		return;
	MHD_add_response_header(resp, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(resp, MHD_HTTP_HEADER_CONNECTION, "close");
	MHD_add_response_header(resp, "X-Content-Type-Options", "nosniff");
}

static struct MHD_Response *write_text(struct listener *listener, bool openmetrics)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct tally tally = *listener->page->t; /* with what is of now */
	tally.late_s = (double)(clock_ns() - listener->page->at_ns) / 1e9;
	exposition_own(&tally.own);
	struct exposition expo = {listener->page->s, &tally, openmetrics, listener->vcpus_most};
	bool good = out && exposition_write(out, &expo) == 0;
	if (out && fclose(out) != 0)
		good = false;
	struct MHD_Response *resp =
		good ? MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE) : NULL;
	if (!resp)
		free(text);
	head_of(resp, openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
				  : "text/plain; version=0.0.4; charset=utf-8");
	return resp;
}

/* A crowd of readers costs one text. */
static struct MHD_Response *metrics_text(struct listener *listener, bool openmetrics)
{
	struct text *text = &listener->text[openmetrics];
	if (text->made && clock_ns() - text->at_ns < FRESH_NS)
		return text->made;
	struct MHD_Response *resp = write_text(listener, openmetrics);
	if (!resp)
		return NULL;
	if (text->made)
		MHD_destroy_response(text->made);
	*text = (struct text){resp, clock_ns()};
	return resp;
}

static enum MHD_Result say(struct MHD_Connection *conn, unsigned status, const char *line)
{
	union {
		const char *in;
		void *out;
	} text = {.in = line}; /* it is only read */
	struct MHD_Response *resp =
		MHD_create_response_from_buffer(strlen(line), text.out, MHD_RESPMEM_PERSISTENT);
	head_of(resp, "text/plain; charset=utf-8");
	if (resp && status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(resp, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	enum MHD_Result done = resp ? MHD_queue_response(conn, status, resp) : MHD_NO;
	if (resp)
		MHD_destroy_response(resp);
	return done;
}

static bool wants_openmetrics(struct MHD_Connection *conn)
{
	const char *accept = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
	return accept && strstr(accept, "application/openmetrics-text");
}

static enum MHD_Result answer_metrics(struct listener *listener, struct MHD_Connection *conn)
{
	take_page(listener);
	if (!listener->page)
		return say(conn, MHD_HTTP_SERVICE_UNAVAILABLE, "vmtop has no sample yet\n");
	struct MHD_Response *resp = metrics_text(listener, wants_openmetrics(conn));
	return resp ? MHD_queue_response(conn, MHD_HTTP_OK, resp)
		    : say(conn, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
}

static enum MHD_Result answer(void *arg, struct MHD_Connection *conn, const char *url, const char *method,
	const char *version, const char *body, size_t *body_len, void **of_connection)
{
	(void)version, (void)body, (void)body_len, (void)of_connection;
	bool get = strcmp(method, MHD_HTTP_METHOD_GET) == 0, head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
	if (!get && !head)
		return say(conn, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are answered\n");
	if (strcmp(url, "/metrics") == 0)
		return answer_metrics(arg, conn);
	if (strcmp(url, "/") == 0)
		return say(
			conn, MHD_HTTP_OK, "vmtop " VMTOP_VERSION ": what Prometheus reads is at /metrics\n");
	return say(conn, MHD_HTTP_NOT_FOUND, "nothing here: the metrics are at /metrics\n");
}

static void note_connection(
	void *arg, struct MHD_Connection *conn, void **of_socket, enum MHD_ConnectionNotificationCode what)
{
	struct listener *listener = arg;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
	int fd = info ? info->connect_fd : -1;
	bool begins = what == MHD_CONNECTION_NOTIFY_STARTED;
	(void)of_socket;
	pthread_mutex_lock(&listener->lock);
	for (int i = 0; i < CONNECTIONS && fd >= 0; i++)
		if (listener->open[i].fd == (begins ? -1 : fd)) {
			listener->open[i] = (struct open){begins ? fd : -1, clock_ns()};
			break;
		}
	pthread_mutex_unlock(&listener->lock);
}

/* --- life ----------------------------------------------------------------------------------------------- */

static bool start(struct listener *listener, int fd)
{
	sigset_t old;
	thread_signals_off(&old); /* they are not the business of its thread */
	listener->daemon = MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, answer,
		listener, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)REQUEST_BYTES, MHD_OPTION_NOTIFY_CONNECTION, note_connection, listener,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return listener->daemon != NULL;
}

struct listener *listener_open(const struct config *cfg, struct err *err)
{
	struct listen_at at;
	int fd = listen_parse(&at, cfg->listen, err) == 0 ? listen_socket(&at, cfg->listen, err) : -1;
	if (fd < 0)
		return NULL;
	struct listener *listener = calloc(1, sizeof *listener);
	if (listener)
		listener->tally = tally_new();
	if (listener && listener->tally) {
		pthread_mutex_init(&listener->lock, NULL);
		for (int i = 0; i < CONNECTIONS; i++)
			listener->open[i].fd = -1;
		listener->vcpus_most = (size_t)cfg->vcpu_metrics;
		if (start(listener, fd))
			return listener;
	}
	err_set(err, ERR_RUNTIME, "cannot listen on %.80s: no thread or no memory for it", cfg->listen);
	close(fd);
	listener_close(listener);
	return NULL;
}

void listener_close(struct listener *listener)
{
	if (!listener)
		return;
	if (listener->daemon)
		MHD_stop_daemon(listener->daemon); /* ends its connections too, and closes the socket */
	drop_texts(listener);
	page_free(listener->page);
	page_free(atomic_exchange(&listener->fresh, NULL));
	tally_free(listener->tally);
	pthread_mutex_destroy(&listener->lock);
	free(listener);
}
