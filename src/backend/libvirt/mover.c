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

static void side_close(struct side *side)
{
	link_free(side->link, clock_ns() + CLOSE_S * SECOND);
	side->link = NULL;
}

static int side_refuse(struct side *side, const char *host, const char *why, char *error)
{
	char name[160];
	text_escape(name, sizeof name, host);
	snprintf(error, MOVE_TEXT, "%s: %s", name, why);
	side_close(side);
	return -1;
}

static int side_start(struct hands *hands, struct side *side, const struct move_host *host, char *error)
{
	struct connect_wish wish = {.readonly = false, .ask = false};
	struct err err = ERR_INIT;
	snprintf(wish.uri, sizeof wish.uri, "%s", host->uri);
	snprintf(side->uri, sizeof side->uri, "%s", host->uri);
	side->link = link_start(&wish, false, hands->notify, &err);
	if (!side->link)
		return side_refuse(side, host->name, err.msg, error);
	enum link_phase phase = link_wait_open(side->link, clock_ns() + OPEN_S * SECOND, &err);
	if (phase == PHASE_OPENING)
		return side_refuse(side, host->name, "its libvirtd does not answer", error);
	if (phase != PHASE_OPEN)
		return side_refuse(side, host->name, err.msg, error);
	if (link_result(side->link)->readonly)
		return side_refuse(side, host->name, link_result(side->link)->readonly_why, error);
	return 0;
}

static int side_open(struct hands *hands, int which, const struct move_host *host, char *error)
{
	struct side *side = &hands->sides[which];
	if (side->link && strcmp(side->uri, host->uri) == 0 && link_phase(side->link, NULL) == PHASE_OPEN)
		return 0;
	side_close(side);
	if (!strstr(host->uri, "://") || strncmp(host->uri, "prom:", 5) == 0)
		return side_refuse(side, host->name, "no libvirt URI of it is known", error);
	return side_start(hands, side, host, error);
}

/* ---- questions ---- */

static void ask_drop(struct request *req)
{
	free(req);
}

static struct ask *ask_new(const struct move *move, void (*run)(struct request *req, virConnectPtr conn))
{
	struct ask *ask = calloc(1, sizeof *ask);
	if (!ask)
		return NULL;
	ask->r.run = run;
	ask->r.drop = ask_drop;
	memcpy(ask->uuid, move->uuid, UUID_BYTES);
	memcpy(ask->vm, move->vm, sizeof ask->vm);
	snprintf(ask->peer, sizeof ask->peer, "%s", move->to.peer);
	connect_no_tty(ask->peer, sizeof ask->peer);
	ask->persistent = move->persistent;
	ask->autostart = move->autostart;
	return ask;
}

/* NULL: no answer in time, and error says so. guest: what the source has told of it, for the target. */
static struct ask *ask_with(struct hands *hands, int which, const struct move *move,
	void (*run)(struct request *req, virConnectPtr conn), int deadline_s, const struct ask *guest,
	char *error)
{
	const struct move_host *host = which == SIDE_TO ? &move->to : &move->from;
	struct side *side = &hands->sides[which];
	if (side_open(hands, which, host, error) < 0)
		return NULL;
	struct ask *ask = ask_new(move, run);
	if (!ask) {
		snprintf(error, MOVE_TEXT, "out of memory");
		return NULL;
	}
	ask->local = link_result(side->link)->local;
	if (guest) {
		ask->cpu = guest->cpu;
		ask->look.needs = guest->look.needs;
	}
	link_submit(side->link, &ask->r);
	if (link_await(side->link, &ask->r, clock_ns() + deadline_s * SECOND))
		return ask;
	if (link_give_up(side->link, &ask->r) == GAVE_UP_DONE)
		return ask;
	side_refuse(side, host->name, "its libvirtd does not answer", error);
	return NULL;
}

static struct ask *ask(struct hands *hands, int which, const struct move *move,
	void (*run)(struct request *req, virConnectPtr conn), int deadline_s, char *error)
{
	return ask_with(hands, which, move, run, deadline_s, NULL, error);
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

static bool excluded(const struct config *cfg, const struct move *move)
{
	struct vm_sample vm;
	memset(&vm, 0, sizeof vm);
	memcpy(vm.uuid, move->uuid, UUID_BYTES);
	memcpy(vm.name, move->vm, sizeof vm.name);
	return rules_forbid(cfg, &vm) != REASON_NONE;
}

/* Whose it is, as far as the guest's definition does not say so itself. */
static void look_at_cluster(const struct hands *hands, const struct move *move, struct move_look *to)
{
	struct pacemaker_question ask = {.vm = move->vm,
		.uuid = move->uuid,
		.target = move->to.name,
		.target_host = link_result(hands->sides[SIDE_TO].link)->hostname,
		.root = "",
		.local = link_result(hands->sides[SIDE_FROM].link)->local};
	if (!*to->owner && !*to->error)
		pacemaker_look(&ask, to);
}

static void hands_look(struct mover *mover, const struct move *move, struct move_look *to)
{
	struct hands *hands = (struct hands *)mover;
	memset(to, 0, sizeof *to);
	struct ask *from = ask(hands, SIDE_FROM, move, ask_source, LOOK_S, to->error);
	struct ask *target =
		from ? ask_with(hands, SIDE_TO, move, ask_target, LOOK_S, from, to->error) : NULL;
	if (from && target) {
		*to = from->look;
		to->exists = target->look.exists;
		to->room_kib = target->look.room_kib;
		to->total_kib = target->look.total_kib;
		to->needs = target->look.needs;
		to->excluded = excluded(hands->cfg, move);
		name_error(to->error, move->to.name, target->error);
		name_error(to->error, move->from.name, from->error);
		look_at_cluster(hands, move, to);
	}
	free(from);
	free(target);
}

static void hands_begin(struct mover *mover, const struct move *move)
{
	struct hands *hands = (struct hands *)mover;
	char error[MOVE_TEXT] = "";
	hands->by_cluster = *move->resource;
	if (hands->by_cluster) {
		pacemaker_begin(&hands->cluster, move->resource, move->node);
		return;
	}
	hands->running = ask_new(move, ask_migrate);
	if (hands->running && side_open(hands, SIDE_MIGRATE, &move->from, error) == 0)
		link_submit(hands->sides[SIDE_MIGRATE].link, &hands->running->r);
	else if (hands->running)
		snprintf(hands->running->error, sizeof hands->running->error, "%s", error);
}

static bool running_over(struct hands *hands, char said[MOVE_TEXT])
{
	struct ask *ask = hands->running;
	struct link *link = hands->sides[SIDE_MIGRATE].link;
	if (hands->by_cluster) {
		bool over = pacemaker_poll(&hands->cluster);
		snprintf(said, MOVE_TEXT, "%s", hands->cluster.said);
		return over;
	}
	said[0] = '\0';
	if (ask && link && !link_finished(link, &ask->r))
		return false;
	snprintf(said, MOVE_TEXT, "%s", ask ? ask->error : "out of memory");
	free(ask);
	hands->running = NULL;
	return true;
}

static bool hands_poll(
	struct mover *mover, const struct move *move, struct move_progress *progress, char said[MOVE_TEXT])
{
	struct hands *hands = (struct hands *)mover;
	char error[MOVE_TEXT];
	if (running_over(hands, said))
		return true;
	struct ask *q = ask(hands, SIDE_FROM, move, ask_progress, STATS_S, error);
	if (q && !*q->error && q->busy)
		*progress = q->progress;
	free(q);
	return running_over(hands, said);
}

/* What Pacemaker has begun is let end: a migration that fails under it is a guest that is started anew. */
static void hands_abort(struct mover *mover, const struct move *move)
{
	char error[MOVE_TEXT];
	if (*move->resource)
		return;
	free(ask((struct hands *)mover, SIDE_FROM, move, ask_abort, ABORT_S, error));
}

static void note_add(struct move_found *to, const char *text)
{
	size_t n = strlen(to->note);
	char safe[MOVE_TEXT];
	text_safe(safe, sizeof safe, text);
	if (*text)
		snprintf(to->note + n, sizeof to->note - n, "%s%s", text_if(n, "; "), safe);
}

static void find_arrived(struct hands *hands, const struct move *move, bool left, struct move_found *to)
{
	char error[MOVE_TEXT] = "", text[400], name[160];
	struct ask *q = ask(hands, SIDE_TO, move, ask_arrived, LOOK_S, error);
	if (q)
		to->progress = q->progress;
	note_add(to, q ? q->error : error);
	text_escape(name, sizeof name, move->from.name);
	snprintf(text, sizeof text, "its definition is still at %s: virsh undefine removes it there", name);
	note_add(to, left ? text : "");
	free(q);
}

static void hands_find(struct mover *mover, const struct move *move, struct move_found *to)
{
	struct hands *hands = (struct hands *)mover;
	char error[MOVE_TEXT];
	memset(to, 0, sizeof *to);
	struct ask *from = ask(hands, SIDE_FROM, move, ask_place, LOOK_S, error),
		   *target = ask(hands, SIDE_TO, move, ask_place, LOOK_S, error);
	to->from = from ? from->place : PLACE_UNKNOWN;
	to->to = target ? target->place : PLACE_UNKNOWN;
	to->busy = from && from->place == PLACE_ACTIVE && from->busy;
	if (to->from == PLACE_ABSENT && to->to == PLACE_ACTIVE)
		find_arrived(hands, move, from->defined && move->persistent, to);
	free(from);
	free(target);
}

/* A migration that still runs is libvirt's from here on. */
static void hands_close(struct mover *mover)
{
	struct hands *hands = (struct hands *)mover;
	struct link *link = hands->sides[SIDE_MIGRATE].link;
	if (hands->by_cluster)
		pacemaker_done(&hands->cluster);
	if (hands->running && (!link || link_give_up(link, &hands->running->r) == GAVE_UP_DONE))
		free(hands->running);
	for (int i = 0; i < SIDES; i++)
		side_close(&hands->sides[i]);
	close(hands->notify);
	free(hands);
}

struct mover *mover_libvirt(const struct config *cfg, struct err *err)
{
	static const struct mover_ops ops = {
		hands_look, hands_begin, hands_poll, hands_abort, hands_find, hands_close};
	struct hands *hands = calloc(1, sizeof *hands);
	int notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!hands || notify < 0) {
		err_set(err, ERR_NOMEM, "out of memory");
		free(hands);
		if (notify >= 0)
			close(notify);
		return NULL;
	}
	hands->base.ops = &ops;
	hands->cfg = cfg;
	hands->notify = notify;
	return &hands->base;
}
