/* SPDX-License-Identifier: MIT */
/* The threads of a fleet. Invariant: a part has one owner at any time and moves through one atomic pointer,
 * as a snapshot does; an engine that is made here is read-only and in MANUAL, whatever the settings say. */
#include "vmtop/fleet_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmtop/clock.h"
#include "vmtop/engine.h"
#include "vmtop/prom.h"
#include "vmtop/thread.h"

enum { RETRY_MS = 3000 };
/* A Prometheus has nothing new before it has asked its targets again. */
static const double PROM_LEAST_S = 5;
/* And it has others to answer: so many times what an answer took it is left alone. */
enum { PROM_REST = 4 };

struct source {
	const struct config *cfg; /* of the watch */
	char name[FLEET_NAME], uri[FLEET_URI];
	long begin_ms; /* connections and readings do not all come at once */
	int quit, wake;
	int done[2]; /* hung up when the thread is through */
	pthread_t thread;
	bool started, ended, prom; /* prom: of many hosts */
	long readings;             /* of the thread */
	_Atomic(struct fleet *) slot;
	struct fleet *known; /* of the reader */
	int64_t asked_ns;
};

struct fleet_watch {
	struct config cfg;
	int quit[2], wake[2];
	struct source *sources;
	size_t n;
};

static void publish(struct source *s, struct fleet *part)
{
	fleet_free(atomic_exchange(&s->slot, part));
	if (write(s->wake, "", 1) < 0)
		return; /* full: the reader has been woken already */
}

/* false: the end was asked for. */
static bool nap(const struct source *s, long ms)
{
	struct pollfd p = {.fd = s->quit, .events = POLLIN};
	int n;
	do
		n = poll(&p, 1, (int)ms);
	while (n < 0 && errno == EINTR);
	return n == 0;
}

/* As a person would start it who only looks. */
static struct engine *source_open(const struct source *s, struct err *e)
{
	struct config *cfg = malloc(sizeof *cfg);
	if (!cfg) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	*cfg = *s->cfg;
	snprintf(cfg->uri, sizeof cfg->uri, "%.*s", (int)sizeof cfg->uri - 1, s->uri);
	cfg->readonly = cfg->batch = cfg->never_ask = true;
	cfg->auto_cpu = cfg->auto_memory = false;
	cfg->iterations = 0;
	cfg->stats_period_s = 0;
	cfg->end_after_s = cfg->open_deadline_s = 0;
	cfg->record[0] = cfg->replay[0] = '\0';
	cfg->on_exit = ON_EXIT_KEEP;
	struct backend *b = backend_open(cfg, e);
	struct engine *en = b ? engine_new(cfg, b, e) : NULL;
	free(cfg);
	return en;
}

static void tell_lost(struct source *s, const struct err *e)
{
	struct fleet *part = fleet_new();
	struct fleet_host *h = part ? fleet_add_host(part) : NULL;
	if (!h) {
		fleet_free(part);
		return;
	}
	/* The row says already which URI it is; and what ssh said is worth more than that it said so. */
	static const char heard[] = "Cannot recv data: ";
	size_t n = strlen(s->uri);
	const char *why = strncmp(e->msg, s->uri, n) == 0 && e->msg[n] == ':' ? e->msg + n + 2 : e->msg;
	why += strncmp(why, heard, sizeof heard - 1) == 0 ? sizeof heard - 1 : 0;
	h->state = FLEET_LOST;
	snprintf(h->trouble, sizeof h->trouble, "%.*s", (int)sizeof h->trouble - 1, why);
	publish(s, part);
}

static void tell_state(struct source *s, const struct engine *en, bool read)
{
	struct snapshot *snap = engine_snapshot(en);
	s->readings += read && snap && snap->cpu.why.code != REASON_FIRST;
	struct fleet *part = snap ? fleet_new() : NULL;
	if (part && fleet_fold(part, snap, clock_ns()) == 0) {
		part->hosts[0].readings = s->readings;
		publish(s, part);
	} else {
		fleet_free(part);
	}
	snapshot_free(snap);
}

static void follow(struct source *s, struct engine *en)
{
	s->readings = 0;
	do {
		struct err e = ERR_INIT;
		bool read = engine_step(en, &e) == 0; /* what failed is in the snapshot */
		tell_state(s, en, read);
	} while (engine_wait(en, s->quit));
}

/* ---- a Prometheus ---- */

/* A part without hosts says why there is none. */
static void tell_trouble(struct source *s, const struct err *e)
{
	struct fleet *part = fleet_new();
	if (!part)
		return;
	snprintf(part->trouble, sizeof part->trouble, "%.60s: %.90s", s->uri, e->msg);
	publish(s, part);
}

/* Until nobody has news: each answer is shown as it comes. How long it took, in seconds. */
static double prom_round(struct source *s, struct prom *p, struct err *e)
{
	int64_t from = clock_ns();
	bool more = true;
	while (more) {
		struct fleet *part = p ? prom_fetch(p, clock_ns(), clock_wall_ns(), e) : NULL;
		more = part && prom_more(p);
		if (part)
			publish(s, part);
		else
			tell_trouble(s, e);
		more = more && nap(s, 0);
	}
	return (double)(clock_ns() - from) / 1e9;
}

static void *prom_main(void *arg)
{
	struct source *s = arg;
	struct err e = ERR_INIT;
	double least = s->cfg->delay_s > PROM_LEAST_S ? s->cfg->delay_s : PROM_LEAST_S, rest;
	struct prom *p = prom_open(s->uri, s->cfg, &e);
	do
		rest = PROM_REST * prom_round(s, p, &e);
	while (nap(s, (long)((rest > least ? rest : least) * 1e3)));
	prom_close(p);
	close(s->done[1]);
	return NULL;
}

static void *source_main(void *arg)
{
	struct source *s = arg;
	if (nap(s, s->begin_ms))
		do {
			struct err e = ERR_INIT;
			struct engine *en = source_open(s, &e);
			if (en)
				follow(s, en);
			else
				tell_lost(s, &e);
			engine_free(en);
		} while (nap(s, RETRY_MS));
	close(s->done[1]);
	return NULL;
}

/* ---- the reader ---- */

/* From `*likely` on, which is then the next one: one that comes or goes does not have all the others searched
 * for from the beginning to the end. */
static bool has_host(const struct fleet *f, size_t n, const struct fleet_host *h, size_t *likely)
{
	for (size_t i = 0; i < n; i++) {
		const struct fleet_host *x = &f->hosts[(*likely + i) % n];
		if (strcmp(x->name, h->name) != 0 || strcmp(x->uri, h->uri) != 0)
			continue;
		*likely = (*likely + i + 1) % n;
		return true;
	}
	return false;
}

/* A host that Prometheus knows no longer keeps its row, which ages; its VMs may be elsewhere. */
static void keep_gone(struct fleet *part, const struct fleet *was)
{
	size_t n = part->n_hosts, likely = 0;
	for (size_t i = 0; i < was->n_hosts; i++) {
		const struct fleet_host *h = &was->hosts[i];
		struct fleet_host *kept = has_host(part, n, h, &likely) ? NULL : fleet_add_host(part);
		if (!kept)
			continue;
		size_t first = kept->first_vm;
		*kept = *h;
		kept->first_vm = first;
		kept->n_vms = 0;
		kept->state = FLEET_LOST;
		snprintf(kept->trouble, sizeof kept->trouble, "Prometheus knows nothing new of it");
	}
}

static void take_many(struct source *s, struct fleet *part)
{
	if (part->trouble[0] && s->known) { /* no answer: what was known ages */
		memcpy(s->known->trouble, part->trouble, sizeof part->trouble);
		fleet_free(part);
		return;
	}
	if (s->known)
		keep_gone(part, s->known);
	fleet_free(s->known);
	s->known = part;
}

/* The row of a source that has none: its name, since when it is waited for. What was known before it was lost
 * stays, and ages. */
static void take_part(struct source *s)
{
	struct fleet *part = atomic_exchange(&s->slot, NULL);
	if (!part)
		return;
	if (s->prom) {
		take_many(s, part);
		return;
	}
	struct fleet_host *was = s->known ? &s->known->hosts[0] : NULL, *now = &part->hosts[0];
	if (now->state == FLEET_LOST && !now->seen_ns && was && was->seen_ns) {
		was->state = FLEET_LOST;
		memcpy(was->trouble, now->trouble, sizeof was->trouble);
		fleet_free(part);
		return;
	}
	if (s->known)
		fleet_keep_peaks(part, s->known, clock_ns());
	fleet_free(s->known);
	s->known = part;
}

static int put_source(struct fleet *f, struct source *s)
{
	take_part(s);
	size_t i = f->n_hosts;
	if (s->prom) {
		if (s->known) /* 30,000 rows are not copied each second in the screen's thread */
			return f->n_hosts ? fleet_put(f, s->known) : fleet_share(f, s->known);
		f->waiting++;
		snprintf(f->trouble, sizeof f->trouble, "%.120s: no answer yet", s->uri);
		return 0;
	}
	if (s->known ? fleet_put(f, s->known) < 0 : !fleet_add_host(f))
		return -1;
	struct fleet_host *h = &f->hosts[i];
	h->asked_ns = s->asked_ns;
	h->delay_s = s->cfg->delay_s;
	snprintf(h->uri, sizeof h->uri, "%s", s->uri);
	if (*s->name || !*h->name)
		snprintf(h->name, sizeof h->name, "%.*s", (int)sizeof h->name - 1,
			*s->name ? s->name : s->uri);
	return 0;
}

struct fleet *fleet_watch_take(struct fleet_watch *w)
{
	char drain[256];
	struct fleet *f = fleet_new();
	while (read(w->wake[0], drain, sizeof drain) > 0)
		;
	for (size_t i = 0; f && i < w->n; i++)
		if (put_source(f, &w->sources[i]) < 0) {
			fleet_free(f);
			f = NULL;
		}
	if (f)
		f->link_mib_s = (double)w->cfg.fleet_link_kib / 1024;
	if (f)
		fleet_settle(f, clock_ns(), clock_wall_ns());
	return f;
}

int fleet_watch_fd(const struct fleet_watch *w)
{
	return w->wake[0];
}

/* ---- life ---- */

/* Its guests would count twice, and be moved to where they are. Each simulator and test driver is its own. */
static bool seen_before(const struct fleet_watch *w, const char *uri)
{
	bool found = false;
	for (size_t i = 0; i < w->n; i++)
		found |= strcmp(w->sources[i].uri, uri) == 0;
	return found && strncmp(uri, "sim:", 4) != 0 && strncmp(uri, "test:", 5) != 0;
}

static int read_targets(struct fleet_watch *w, struct err *e)
{
	const char *lines = w->cfg.fleet_hosts;
	size_t n = 0;
	for (const char *p = lines; *p; p++)
		n += *p == '\n';
	w->sources = calloc(n + 1, sizeof *w->sources);
	if (!w->sources)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (const char *p = lines; *p; p += strcspn(p, "\n") + 1) {
		char line[FLEET_NAME + FLEET_URI];
		struct source *s = &w->sources[w->n];
		snprintf(line, sizeof line, "%.*s", (int)strcspn(p, "\n"), p);
		if (fleet_target(line, s->name, s->uri) < 0)
			return err_set(e, ERR_USAGE, "not a host of a fleet: %.200s", line);
		if (seen_before(w, s->uri))
			return err_set(e, ERR_USAGE, "fleet: %.200s is in the list twice", s->uri);
		s->prom = strncmp(s->uri, "prom:", 5) == 0;
		s->done[0] = s->done[1] = -1;
		s->cfg = &w->cfg;
		s->begin_ms = (long)(w->cfg.delay_s * 1e3 * (double)w->n / (double)n);
		w->n++;
	}
	return 0;
}

static int start_source(struct fleet_watch *w, struct source *s)
{
	s->quit = w->quit[0];
	s->wake = w->wake[1];
	s->asked_ns = clock_ns() + s->begin_ms * 1000000;
	if (pipe2(s->done, O_CLOEXEC | O_NONBLOCK) < 0)
		return errno;
	int rc = thread_create(&s->thread, s->prom ? prom_main : source_main, s);
	s->started = rc == 0;
	return rc;
}

struct fleet_watch *fleet_watch_start(const struct config *cfg, struct err *e)
{
	struct fleet_watch *w = calloc(1, sizeof *w);
	if (!w) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	w->cfg = *cfg;
	w->quit[0] = w->quit[1] = w->wake[0] = w->wake[1] = -1;
	int rc = read_targets(w, e);
	if (rc == 0 &&
		(pipe2(w->quit, O_CLOEXEC | O_NONBLOCK) < 0 || pipe2(w->wake, O_CLOEXEC | O_NONBLOCK) < 0))
		rc = err_set(e, ERR_RUNTIME, "cannot make a pipe: %s", strerror(errno));
	for (size_t i = 0; rc == 0 && i < w->n; i++) {
		int bad = start_source(w, &w->sources[i]);
		if (bad)
			rc = err_set(e, ERR_RUNTIME, "cannot watch %zu hosts: %s", w->n, strerror(bad));
	}
	if (rc == 0)
		return w;
	if (fleet_watch_stop(w, 5) < 0)
		err_prefix(e, "a host hangs");
	return NULL;
}

int fleet_watch_stop(struct fleet_watch *w, double timeout_s)
{
	int64_t until = clock_ns() + (int64_t)(timeout_s * 1e9);
	if (w->quit[1] >= 0)
		close(w->quit[1]);
	w->quit[1] = -1;
	size_t left = 0;
	for (size_t i = 0; i < w->n; i++) {
		struct source *s = &w->sources[i];
		s->ended = s->ended || !s->started || thread_ends(s->thread, s->done[0], until);
		left += !s->ended;
	}
	if (left)
		return -1;
	for (size_t i = 0; i < w->n; i++) {
		struct source *s = &w->sources[i];
		s->done[1] = s->started ? -1 : s->done[1]; /* closed by its thread */
		pipe_close(s->done);
		fleet_free(atomic_exchange(&s->slot, NULL));
		fleet_free(s->known);
	}
	pipe_close(w->quit);
	pipe_close(w->wake);
	free(w->sources);
	free(w);
	return 0;
}
