/* SPDX-License-Identifier: MIT */
/* Moves by libvirt: peer-to-peer live migration, the source's libvirtd talking to the target's. Invariant: no
 * connection is made but to the two hosts of the move at hand; no call is waited for longer than its
 * deadline, but for the migration, which is polled. */
#include "vmtop/mover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../host/pacemaker.h"
#include "mover_calls.h"
#include "vmtop/clock.h"
#include "vmtop/control.h"
#include "vmtop/text.h"

#define SECOND INT64_C(1000000000)

enum { OPEN_S = 30, LOOK_S = 10, STATS_S = 3, ABORT_S = 5, CLOSE_S = 1 };

/* The source twice: one connection is taken by the migration for as long as that lasts. */
enum { SIDE_FROM, SIDE_TO, SIDE_MIGRATE, SIDES };
struct side {
	char uri[FLEET_URI];
	struct link *link;
};

struct hands {
	struct mover base;
	const struct config *cfg;
	int notify;
	struct side sides[SIDES];
	struct ask *running; /* the migration, */
	bool by_cluster;     /* unless Pacemaker makes it */
	struct pacemaker_move cluster;
};

/* ---- connections ---- */

static void side_close(struct side *s)
{
	link_free(s->link, clock_ns() + CLOSE_S * SECOND);
	s->link = NULL;
}

static int side_refuse(struct side *s, const char *host, const char *why, char *error)
{
	char name[160];
	text_escape(name, sizeof name, host);
	snprintf(error, MOVE_TEXT, "%s: %s", name, why);
	side_close(s);
	return -1;
}

static int side_start(struct hands *h, struct side *s, const struct move_host *host, char *error)
{
	struct connect_wish wish = {.readonly = false, .ask = false};
	struct err e = ERR_INIT;
	snprintf(wish.uri, sizeof wish.uri, "%s", host->uri);
	snprintf(s->uri, sizeof s->uri, "%s", host->uri);
	s->link = link_start(&wish, false, h->notify, &e);
	if (!s->link)
		return side_refuse(s, host->name, e.msg, error);
	enum link_phase phase = link_wait_open(s->link, clock_ns() + OPEN_S * SECOND, &e);
	if (phase == PHASE_OPENING)
		return side_refuse(s, host->name, "its libvirtd does not answer", error);
	if (phase != PHASE_OPEN)
		return side_refuse(s, host->name, e.msg, error);
	if (link_result(s->link)->readonly)
		return side_refuse(s, host->name, link_result(s->link)->readonly_why, error);
	return 0;
}

static int side_open(struct hands *h, int which, const struct move_host *host, char *error)
{
	struct side *s = &h->sides[which];
	if (s->link && strcmp(s->uri, host->uri) == 0 && link_phase(s->link, NULL) == PHASE_OPEN)
		return 0;
	side_close(s);
	if (!strstr(host->uri, "://") || strncmp(host->uri, "prom:", 5) == 0)
		return side_refuse(s, host->name, "no libvirt URI of it is known", error);
	return side_start(h, s, host, error);
}

/* ---- questions ---- */

static void ask_drop(struct request *r)
{
	free(r);
}

static struct ask *ask_new(const struct move *m, void (*run)(struct request *r, virConnectPtr c))
{
	struct ask *q = calloc(1, sizeof *q);
	if (!q)
		return NULL;
	q->r.run = run;
	q->r.drop = ask_drop;
	memcpy(q->uuid, m->uuid, UUID_BYTES);
	memcpy(q->vm, m->vm, sizeof q->vm);
	snprintf(q->peer, sizeof q->peer, "%s", m->to.peer);
	connect_no_tty(q->peer, sizeof q->peer);
	q->persistent = m->persistent;
	q->autostart = m->autostart;
	return q;
}

/* NULL: no answer in time, and error says so. guest: what the source has told of it, for the target. */
static struct ask *ask_with(struct hands *h, int which, const struct move *m,
	void (*run)(struct request *r, virConnectPtr c), int deadline_s, const struct ask *guest, char *error)
{
	const struct move_host *host = which == SIDE_TO ? &m->to : &m->from;
	struct side *s = &h->sides[which];
	if (side_open(h, which, host, error) < 0)
		return NULL;
	struct ask *q = ask_new(m, run);
	if (!q) {
		snprintf(error, MOVE_TEXT, "out of memory");
		return NULL;
	}
	q->local = link_result(s->link)->local;
	if (guest) {
		q->cpu = guest->cpu;
		q->look.needs = guest->look.needs;
	}
	link_submit(s->link, &q->r);
	if (link_await(s->link, &q->r, clock_ns() + deadline_s * SECOND))
		return q;
	if (link_give_up(s->link, &q->r) == GAVE_UP_DONE)
		return q;
	side_refuse(s, host->name, "its libvirtd does not answer", error);
	return NULL;
}

static struct ask *ask(struct hands *h, int which, const struct move *m,
	void (*run)(struct request *r, virConnectPtr c), int deadline_s, char *error)
{
	return ask_with(h, which, m, run, deadline_s, NULL, error);
}

/* Of a side's answer what is its own: the error names its host. */
static void name_error(char *to, const char *host, const char *error)
{
	char name[160];
	text_escape(name, sizeof name, host);
	if (*error)
		snprintf(to, MOVE_TEXT, "%s: %.800s", name, error);
}

/* ---- the five ---- */

static bool excluded(const struct config *cfg, const struct move *m)
{
	struct vm_sample vm;
	memset(&vm, 0, sizeof vm);
	memcpy(vm.uuid, m->uuid, UUID_BYTES);
	memcpy(vm.name, m->vm, sizeof vm.name);
	return rules_forbid(cfg, &vm) != REASON_NONE;
}

/* Whose it is, as far as the guest's definition does not say so itself. */
static void look_at_cluster(const struct hands *h, const struct move *m, struct move_look *to)
{
	struct pacemaker_question q = {.vm = m->vm,
		.uuid = m->uuid,
		.target = m->to.name,
		.target_host = link_result(h->sides[SIDE_TO].link)->hostname,
		.root = "",
		.local = link_result(h->sides[SIDE_FROM].link)->local};
	if (!*to->owner && !*to->error)
		pacemaker_look(&q, to);
}

static void hands_look(struct mover *mv, const struct move *m, struct move_look *to)
{
	struct hands *h = (struct hands *)mv;
	memset(to, 0, sizeof *to);
	struct ask *from = ask(h, SIDE_FROM, m, ask_source, LOOK_S, to->error);
	struct ask *target = from ? ask_with(h, SIDE_TO, m, ask_target, LOOK_S, from, to->error) : NULL;
	if (from && target) {
		*to = from->look;
		to->exists = target->look.exists;
		to->room_kib = target->look.room_kib;
		to->total_kib = target->look.total_kib;
		to->needs = target->look.needs;
		to->excluded = excluded(h->cfg, m);
		name_error(to->error, m->to.name, target->error);
		name_error(to->error, m->from.name, from->error);
		look_at_cluster(h, m, to);
	}
	free(from);
	free(target);
}

static void hands_begin(struct mover *mv, const struct move *m)
{
	struct hands *h = (struct hands *)mv;
	char error[MOVE_TEXT] = "";
	h->by_cluster = *m->resource;
	if (h->by_cluster) {
		pacemaker_begin(&h->cluster, m->resource, m->node);
		return;
	}
	h->running = ask_new(m, ask_migrate);
	if (h->running && side_open(h, SIDE_MIGRATE, &m->from, error) == 0)
		link_submit(h->sides[SIDE_MIGRATE].link, &h->running->r);
	else if (h->running)
		snprintf(h->running->error, sizeof h->running->error, "%s", error);
}

static bool running_over(struct hands *h, char said[MOVE_TEXT])
{
	struct ask *q = h->running;
	struct link *l = h->sides[SIDE_MIGRATE].link;
	if (h->by_cluster) {
		bool over = pacemaker_poll(&h->cluster);
		snprintf(said, MOVE_TEXT, "%s", h->cluster.said);
		return over;
	}
	said[0] = '\0';
	if (q && l && !link_finished(l, &q->r))
		return false;
	snprintf(said, MOVE_TEXT, "%s", q ? q->error : "out of memory");
	free(q);
	h->running = NULL;
	return true;
}

static bool hands_poll(struct mover *mv, const struct move *m, struct move_progress *p, char said[MOVE_TEXT])
{
	struct hands *h = (struct hands *)mv;
	char error[MOVE_TEXT];
	if (running_over(h, said))
		return true;
	struct ask *q = ask(h, SIDE_FROM, m, ask_progress, STATS_S, error);
	if (q && !*q->error && q->busy)
		*p = q->progress;
	free(q);
	return running_over(h, said);
}

/* What Pacemaker has begun is let end: a migration that fails under it is a guest that is started anew. */
static void hands_abort(struct mover *mv, const struct move *m)
{
	char error[MOVE_TEXT];
	if (*m->resource)
		return;
	free(ask((struct hands *)mv, SIDE_FROM, m, ask_abort, ABORT_S, error));
}

static void note_add(struct move_found *to, const char *text)
{
	size_t n = strlen(to->note);
	char safe[MOVE_TEXT];
	text_safe(safe, sizeof safe, text);
	if (*text)
		snprintf(to->note + n, sizeof to->note - n, "%s%s", n ? "; " : "", safe);
}

static void find_arrived(struct hands *h, const struct move *m, bool left, struct move_found *to)
{
	char error[MOVE_TEXT] = "", text[400], name[160];
	struct ask *q = ask(h, SIDE_TO, m, ask_arrived, LOOK_S, error);
	if (q)
		to->progress = q->progress;
	note_add(to, q ? q->error : error);
	text_escape(name, sizeof name, m->from.name);
	snprintf(text, sizeof text, "its definition is still at %s: virsh undefine removes it there", name);
	note_add(to, left ? text : "");
	free(q);
}

static void hands_find(struct mover *mv, const struct move *m, struct move_found *to)
{
	struct hands *h = (struct hands *)mv;
	char error[MOVE_TEXT];
	memset(to, 0, sizeof *to);
	struct ask *from = ask(h, SIDE_FROM, m, ask_place, LOOK_S, error),
		   *target = ask(h, SIDE_TO, m, ask_place, LOOK_S, error);
	to->from = from ? from->place : PLACE_UNKNOWN;
	to->to = target ? target->place : PLACE_UNKNOWN;
	to->busy = from && from->place == PLACE_ACTIVE && from->busy;
	if (to->from == PLACE_ABSENT && to->to == PLACE_ACTIVE)
		find_arrived(h, m, from->defined && m->persistent, to);
	free(from);
	free(target);
}

/* A migration that still runs is libvirt's from here on. */
static void hands_close(struct mover *mv)
{
	struct hands *h = (struct hands *)mv;
	struct link *l = h->sides[SIDE_MIGRATE].link;
	if (h->by_cluster)
		pacemaker_done(&h->cluster);
	if (h->running && (!l || link_give_up(l, &h->running->r) == GAVE_UP_DONE))
		free(h->running);
	for (int i = 0; i < SIDES; i++)
		side_close(&h->sides[i]);
	close(h->notify);
	free(h);
}

struct mover *mover_libvirt(const struct config *cfg, struct err *e)
{
	static const struct mover_ops ops = {
		hands_look, hands_begin, hands_poll, hands_abort, hands_find, hands_close};
	struct hands *h = calloc(1, sizeof *h);
	int notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!h || notify < 0) {
		err_set(e, ERR_NOMEM, "out of memory");
		free(h);
		if (notify >= 0)
			close(notify);
		return NULL;
	}
	h->base.ops = &ops;
	h->cfg = cfg;
	h->notify = notify;
	return &h->base;
}
