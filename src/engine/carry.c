/* SPDX-License-Identifier: MIT */
/* The thread that carries moves out. Invariant: the moves are that thread's; what others see is a copy that
 * changes hands through one atomic pointer. */
#include "vmtop/carry.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmtop/clock.h"
#include "vmtop/fleet_propose.h"
#include "vmtop/thread.h"

enum { TURN_MS = 200 };

/* ---- from a plan ---- */

/* What the other hosts call this one: as the config says, else by the URI that is used here. */
static void find_peer(struct move_host *h, const char *lines)
{
	char name[FLEET_NAME], uri[FLEET_URI], line[FLEET_NAME + FLEET_URI];
	snprintf(h->peer, sizeof h->peer, "%s", move_uri_travels(h->uri) ? h->uri : "");
	for (const char *p = lines; *p; p += strcspn(p, "\n") + 1) {
		snprintf(line, sizeof line, "%.*s", (int)strcspn(p, "\n"), p);
		if (fleet_target(line, name, uri) == 0 && strcmp(name, h->name) == 0)
			memcpy(h->peer, uri, sizeof h->peer);
	}
}

static void fill_host(struct move_host *to, const struct fleet_host *h, const char *peers)
{
	memcpy(to->name, h->name, sizeof to->name);
	memcpy(to->uri, h->uri, sizeof to->uri);
	find_peer(to, peers);
}

bool carry_moves(struct moves *to, const struct fleet *f, const struct fleet_proposal *p, const char *peers)
{
	if (!moves_init(to, p->plan.n))
		return false;
	for (size_t i = 0; i < to->n; i++) {
		const struct fleet_move *m = &p->plan.moves[i];
		const struct fleet_vm *vm = &f->vms[m->task];
		memcpy(to->list[i].uuid, vm->uuid, UUID_BYTES);
		memcpy(to->list[i].vm, vm->name, sizeof to->list[i].vm);
		fill_host(&to->list[i].from, &f->hosts[m->from], peers);
		fill_host(&to->list[i].to, &f->hosts[m->to], peers);
	}
	return true;
}

/* ---- one turn ---- */

static void look(struct moves *ms, struct mover *by, int64_t now_ns)
{
	struct move_look seen;
	by->ops->look(by, moves_now(ms), &seen);
	moves_looked(ms, &seen, now_ns);
	const struct move *m = moves_now(ms);
	if (m && m->state == MOVE_RUNS)
		by->ops->begin(by, m);
}

static void follow(struct moves *ms, struct mover *by, int64_t now_ns)
{
	const struct move *m = moves_now(ms);
	char said[MOVE_TEXT];
	if (!m || m->state != MOVE_RUNS)
		return;
	struct move_progress p = m->progress;
	if (by->ops->poll(by, m, &p, said))
		moves_ended(ms, *said ? said : NULL, now_ns);
	else
		moves_progress(ms, &p);
}

int carry_turn(struct moves *ms, struct mover *by, int64_t now_ns)
{
	struct move_found found;
	switch (moves_next(ms, now_ns)) {
	case ORDER_END:
		return -1;
	case ORDER_TELL:
		return 0;
	case ORDER_LOOK:
		look(ms, by, now_ns);
		return 0;
	case ORDER_ABORT:
		by->ops->abort(by, moves_now(ms));
		break;
	case ORDER_FIND:
		by->ops->find(by, moves_now(ms), &found);
		moves_found(ms, &found, now_ns);
		return 0;
	case ORDER_WAIT:
		break;
	}
	follow(ms, by, now_ns);
	return TURN_MS;
}

/* ---- the thread ---- */

struct carry {
	struct moves ms, shown;
	struct mover *by;
	pthread_t thread;
	int wake[2], quit[2], done[2];
	atomic_bool abort, over;
	_Atomic(struct moves *) slot;
};

static void copy_free(struct moves *copy)
{
	if (copy)
		moves_done(copy);
	free(copy);
}

static void wake_up(struct carry *c)
{
	if (write(c->wake[1], "", 1) < 0)
		return; /* full: the reader has been woken already */
}

static void publish(struct carry *c)
{
	struct moves *copy = malloc(sizeof *copy);
	if (copy && moves_copy(copy, &c->ms)) {
		copy_free(atomic_exchange(&c->slot, copy));
		wake_up(c);
	} else {
		free(copy);
	}
}

static void nap(const struct carry *c, int ms)
{
	struct pollfd p = {.fd = c->quit[0], .events = POLLIN};
	char drain[16];
	if (ms > 0 && poll(&p, 1, ms) > 0 && read(c->quit[0], drain, sizeof drain) < 0)
		return;
}

static void *carry_main(void *arg)
{
	struct carry *c = arg;
	for (int ms = 0; ms >= 0;) {
		if (atomic_load(&c->abort))
			moves_abort(&c->ms);
		ms = carry_turn(&c->ms, c->by, clock_ns());
		publish(c);
		nap(c, ms);
	}
	atomic_store(&c->over, true);
	wake_up(c);
	close(c->done[1]);
	return NULL;
}

static void carry_free(struct carry *c)
{
	c->by->ops->close(c->by);
	pipe_close(c->wake);
	pipe_close(c->quit);
	pipe_close(c->done);
	copy_free(atomic_exchange(&c->slot, NULL));
	moves_done(&c->ms);
	moves_done(&c->shown);
	free(c);
}

struct carry *carry_start(struct moves *ms, struct mover *by, struct err *e)
{
	struct carry *c = calloc(1, sizeof *c);
	int bad = ENOMEM;
	if (!c) {
		by->ops->close(by);
		moves_done(ms);
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	c->by = by;
	c->ms = *ms;
	*ms = (struct moves){.list = NULL};
	c->wake[0] = c->wake[1] = c->quit[0] = c->quit[1] = c->done[0] = c->done[1] = -1;
	if (moves_copy(&c->shown, &c->ms))
		bad = pipe2(c->wake, O_CLOEXEC | O_NONBLOCK) < 0 ||
				      pipe2(c->quit, O_CLOEXEC | O_NONBLOCK) < 0 ||
				      pipe2(c->done, O_CLOEXEC) < 0
			      ? errno
			      : thread_create(&c->thread, carry_main, c);
	if (!bad)
		return c;
	carry_free(c);
	err_set(e, ERR_RUNTIME, "cannot carry moves out: %s", strerror(bad));
	return NULL;
}

int carry_fd(const struct carry *c)
{
	return c->wake[0];
}

bool carry_look(struct carry *c, const struct moves **ms, bool *over)
{
	char drain[64];
	while (read(c->wake[0], drain, sizeof drain) > 0)
		;
	*over = atomic_load(&c->over); /* before the copy: what is over is told whole */
	struct moves *copy = atomic_exchange(&c->slot, NULL);
	if (copy) {
		moves_done(&c->shown);
		c->shown = *copy;
		free(copy);
	}
	*ms = &c->shown;
	return copy != NULL;
}

void carry_abort(struct carry *c)
{
	atomic_store(&c->abort, true);
	if (write(c->quit[1], "", 1) < 0)
		return; /* full: it is awake */
}

bool carry_end(struct carry *c, double timeout_s)
{
	if (!thread_ends(c->thread, c->done[0], clock_ns() + (int64_t)(timeout_s * 1e9)))
		return false;
	c->done[1] = -1; /* closed by its thread */
	carry_free(c);
	return true;
}
