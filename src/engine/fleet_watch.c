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
#include "vmtop/minmax.h"
#include "vmtop/prom.h"
#include "vmtop/text.h"
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

static void publish(struct source *source, struct fleet *part)
{
	fleet_free(atomic_exchange(&source->slot, part));
	if (write(source->wake, "", 1) < 0)
		return; /* full: the reader has been woken already */
}

/* false: the end was asked for. */
static bool nap(const struct source *source, long ms)
{
	struct pollfd fds = {.fd = source->quit, .events = POLLIN};
	int n;
	do
		n = poll(&fds, 1, (int)ms);
	while (n < 0 && errno == EINTR);
	return n == 0;
}

/* As a person would start it who only looks. */
static struct engine *source_open(const struct source *source, struct err *err)
{
	struct config *cfg = malloc(sizeof *cfg);
	if (!cfg) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	*cfg = *source->cfg;
	snprintf(cfg->uri, sizeof cfg->uri, "%.*s", (int)sizeof cfg->uri - 1, source->uri);
	cfg->readonly = cfg->batch = cfg->never_ask = true;
	cfg->auto_cpu = cfg->auto_memory = false;
	cfg->iterations = 0;
	cfg->stats_period_s = 0;
	cfg->end_after_s = cfg->open_deadline_s = 0;
	cfg->record[0] = cfg->replay[0] = '\0';
	cfg->on_exit = ON_EXIT_KEEP;
	struct backend *backend = backend_open(cfg, err);
	struct engine *engine = backend ? engine_new(cfg, backend, err) : NULL;
	free(cfg);
	return engine;
}

static void tell_lost(struct source *source, const struct err *err)
{
	struct fleet *part = fleet_new();
	struct fleet_host *host = part ? fleet_add_host(part) : NULL;
	if (!host) {
		fleet_free(part);
		return;
	}
	/* The row says already which URI it is; and what ssh said is worth more than that it said so. */
	static const char heard[] = "Cannot recv data: ";
	size_t n = strlen(source->uri);
	const char *why =
		strncmp(err->msg, source->uri, n) == 0 && err->msg[n] == ':' ? err->msg + n + 2 : err->msg;
	why += strncmp(why, heard, sizeof heard - 1) == 0 ? sizeof heard - 1 : 0;
	host->state = FLEET_LOST;
	snprintf(host->trouble, sizeof host->trouble, "%.*s", (int)sizeof host->trouble - 1, why);
	publish(source, part);
}

static void tell_state(struct source *source, const struct engine *engine, bool read)
{
	struct snapshot *snap = engine_snapshot(engine);
	source->readings += read && snap && snap->cpu.why.code != REASON_FIRST;
	struct fleet *part = snap ? fleet_new() : NULL;
	if (part && fleet_fold(part, snap, clock_ns()) == 0) {
		part->hosts[0].readings = source->readings;
		publish(source, part);
	} else {
		fleet_free(part);
	}
	snapshot_free(snap);
}

static void follow(struct source *source, struct engine *engine)
{
	source->readings = 0;
	do {
		struct err err = ERR_INIT;
		bool read = engine_step(engine, &err) == 0; /* what failed is in the snapshot */
		tell_state(source, engine, read);
	} while (engine_wait(engine, source->quit));
}

/* ---- a Prometheus ---- */

/* A part without hosts says why there is none. */
static void tell_trouble(struct source *source, const struct err *err)
{
	struct fleet *part = fleet_new();
	if (!part)
		return;
	snprintf(part->trouble, sizeof part->trouble, "%.60s: %.90s", source->uri, err->msg);
	publish(source, part);
}

/* Until nobody has news: each answer is shown as it comes. How long it took, in seconds. */
static double prom_round(struct source *source, struct prom *prom, struct err *err)
{
	int64_t from = clock_ns();
	bool more = true;
	while (more) {
		struct fleet *part = prom ? prom_fetch(prom, clock_ns(), clock_wall_ns(), err) : NULL;
		more = part && prom_more(prom);
		if (part)
			publish(source, part);
		else
			tell_trouble(source, err);
		more = more && nap(source, 0);
	}
	return (double)(clock_ns() - from) / 1e9;
}

static void *prom_main(void *arg)
{
	struct source *source = arg;
	struct err err = ERR_INIT;
	double least = max_of(source->cfg->delay_s, PROM_LEAST_S), rest;
	struct prom *prom = prom_open(source->uri, source->cfg, &err);
	do
		rest = PROM_REST * prom_round(source, prom, &err);
	while (nap(source, (long)(max_of(rest, least) * 1e3)));
	prom_close(prom);
	close(source->done[1]);
	return NULL;
}

static void *source_main(void *arg)
{
	struct source *source = arg;
	if (nap(source, source->begin_ms))
		do {
			struct err err = ERR_INIT;
			struct engine *engine = source_open(source, &err);
			if (engine)
				follow(source, engine);
			else
				tell_lost(source, &err);
			engine_free(engine);
		} while (nap(source, RETRY_MS));
	close(source->done[1]);
	return NULL;
}

/* ---- the reader ---- */

/* From `*likely` on, which is then the next one: one that comes or goes does not have all the others searched
 * for from the beginning to the end. */
static bool has_host(const struct fleet *fleet, size_t n, const struct fleet_host *h, size_t *likely)
{
	for (size_t i = 0; i < n; i++) {
		const struct fleet_host *x = &fleet->hosts[(*likely + i) % n];
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
		const struct fleet_host *host = &was->hosts[i];
		struct fleet_host *kept = has_host(part, n, host, &likely) ? NULL : fleet_add_host(part);
		if (!kept)
			continue;
		size_t first = kept->first_vm;
		*kept = *host;
		kept->first_vm = first;
		kept->n_vms = 0;
		kept->state = FLEET_LOST;
		snprintf(kept->trouble, sizeof kept->trouble, "Prometheus knows nothing new of it");
	}
}

static void take_many(struct source *source, struct fleet *part)
{
	if (part->trouble[0] && source->known) { /* no answer: what was known ages */
		memcpy(source->known->trouble, part->trouble, sizeof part->trouble);
		fleet_free(part);
		return;
	}
	if (source->known)
		keep_gone(part, source->known);
	fleet_free(source->known);
	source->known = part;
}

/* The row of a source that has none: its name, since when it is waited for. What was known before it was lost
 * stays, and ages. */
static void take_part(struct source *source)
{
	struct fleet *part = atomic_exchange(&source->slot, NULL);
	if (!part)
		return;
	if (source->prom) {
		take_many(source, part);
		return;
	}
	struct fleet_host *was = source->known ? &source->known->hosts[0] : NULL, *now = &part->hosts[0];
	if (now->state == FLEET_LOST && !now->seen_ns && was && was->seen_ns) {
		was->state = FLEET_LOST;
		memcpy(was->trouble, now->trouble, sizeof was->trouble);
		fleet_free(part);
		return;
	}
	if (source->known)
		fleet_keep_peaks(part, source->known, clock_ns());
	fleet_free(source->known);
	source->known = part;
}

static int put_source(struct fleet *fleet, struct source *source)
{
	take_part(source);
	size_t i = fleet->n_hosts;
	if (source->prom) {
		if (source->known) /* 30,000 rows are not copied each second in the screen's thread */
			return fleet->n_hosts ? fleet_put(fleet, source->known)
					      : fleet_share(fleet, source->known);
		fleet->waiting++;
		snprintf(fleet->trouble, sizeof fleet->trouble, "%.120s: no answer yet", source->uri);
		return 0;
	}
	if (source->known ? fleet_put(fleet, source->known) < 0 : !fleet_add_host(fleet))
		return -1;
	struct fleet_host *host = &fleet->hosts[i];
	host->asked_ns = source->asked_ns;
	host->delay_s = source->cfg->delay_s;
	snprintf(host->uri, sizeof host->uri, "%s", source->uri);
	if (*source->name || !*host->name)
		snprintf(host->name, sizeof host->name, "%.*s", (int)sizeof host->name - 1,
			text_or(source->name, source->uri));
	return 0;
}

struct fleet *fleet_watch_take(struct fleet_watch *watch)
{
	char drain[256];
	struct fleet *fleet = fleet_new();
	while (read(watch->wake[0], drain, sizeof drain) > 0)
		;
	for (size_t i = 0; fleet && i < watch->n; i++)
		if (put_source(fleet, &watch->sources[i]) < 0) {
			fleet_free(fleet);
			fleet = NULL;
		}
	if (fleet)
		fleet->link_mib_s = (double)watch->cfg.fleet_link_kib / 1024;
	if (fleet)
		fleet_settle(fleet, clock_ns(), clock_wall_ns());
	return fleet;
}

int fleet_watch_fd(const struct fleet_watch *watch)
{
	return watch->wake[0];
}

/* ---- life ---- */

/* Its guests would count twice, and be moved to where they are. Each simulator and test driver is its own. */
static bool seen_before(const struct fleet_watch *watch, const char *uri)
{
	bool found = false;
	for (size_t i = 0; i < watch->n; i++)
		found |= strcmp(watch->sources[i].uri, uri) == 0;
	return found && strncmp(uri, "sim:", 4) != 0 && strncmp(uri, "test:", 5) != 0;
}

static int read_targets(struct fleet_watch *watch, struct err *err)
{
	const char *lines = watch->cfg.fleet_hosts;
	size_t n = 0;
	for (const char *p = lines; *p; p++)
		n += *p == '\n';
	watch->sources = calloc(n + 1, sizeof *watch->sources);
	if (!watch->sources)
		return err_set(err, ERR_NOMEM, "out of memory");
	for (const char *p = lines; *p; p += strcspn(p, "\n") + 1) {
		char line[FLEET_NAME + FLEET_URI];
		struct source *source = &watch->sources[watch->n];
		snprintf(line, sizeof line, "%.*s", (int)strcspn(p, "\n"), p);
		if (fleet_target(line, source->name, source->uri) < 0)
			return err_set(err, ERR_USAGE, "not a host of a fleet: %.200s", line);
		if (seen_before(watch, source->uri))
			return err_set(err, ERR_USAGE, "fleet: %.200s is in the list twice", source->uri);
		source->prom = strncmp(source->uri, "prom:", 5) == 0;
		source->done[0] = source->done[1] = -1;
		source->cfg = &watch->cfg;
		source->begin_ms = (long)(watch->cfg.delay_s * 1e3 * (double)watch->n / (double)n);
		watch->n++;
	}
	return 0;
}

static int start_source(struct fleet_watch *watch, struct source *source)
{
	source->quit = watch->quit[0];
	source->wake = watch->wake[1];
	source->asked_ns = clock_ns() + source->begin_ms * 1000000;
	if (pipe2(source->done, O_CLOEXEC | O_NONBLOCK) < 0)
		return errno;
	int rc = thread_create(&source->thread, source->prom ? prom_main : source_main, source);
	source->started = rc == 0;
	return rc;
}

struct fleet_watch *fleet_watch_start(const struct config *cfg, struct err *err)
{
	struct fleet_watch *watch = calloc(1, sizeof *watch);
	if (!watch) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	watch->cfg = *cfg;
	watch->quit[0] = watch->quit[1] = watch->wake[0] = watch->wake[1] = -1;
	int rc = read_targets(watch, err);
	if (rc == 0 && (pipe2(watch->quit, O_CLOEXEC | O_NONBLOCK) < 0 ||
			       pipe2(watch->wake, O_CLOEXEC | O_NONBLOCK) < 0))
		rc = err_set(err, ERR_RUNTIME, "cannot make a pipe: %s", strerror(errno));
	for (size_t i = 0; rc == 0 && i < watch->n; i++) {
		int bad = start_source(watch, &watch->sources[i]);
		if (bad)
			rc = err_set(err, ERR_RUNTIME, "cannot watch %zu hosts: %s", watch->n, strerror(bad));
	}
	if (rc == 0)
		return watch;
	if (fleet_watch_stop(watch, 5) < 0)
		err_prefix(err, "a host hangs");
	return NULL;
}

int fleet_watch_stop(struct fleet_watch *watch, double timeout_s)
{
	int64_t until = clock_ns() + (int64_t)(timeout_s * 1e9);
	if (watch->quit[1] >= 0)
		close(watch->quit[1]);
	watch->quit[1] = -1;
	size_t left = 0;
	for (size_t i = 0; i < watch->n; i++) {
		struct source *source = &watch->sources[i];
		source->ended = source->ended || !source->started ||
				thread_ends(source->thread, source->done[0], until);
		left += !source->ended;
	}
	if (left)
		return -1;
	for (size_t i = 0; i < watch->n; i++) {
		struct source *source = &watch->sources[i];
		if (source->started)
			source->done[1] = -1; /* closed by its thread */
		pipe_close(source->done);
		fleet_free(atomic_exchange(&source->slot, NULL));
		fleet_free(source->known);
	}
	pipe_close(watch->quit);
	pipe_close(watch->wake);
	free(watch->sources);
	free(watch);
	return 0;
}
