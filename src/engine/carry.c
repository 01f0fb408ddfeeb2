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
#include "vmtop/text.h"
#include "vmtop/thread.h"

enum { TURN_MS = 200 };

/* ---- from a plan ---- */

/* What the other hosts call this one: as the config says, else by the URI that is used here. */
static void find_peer(struct move_host *host, const char *lines)
{
	char name[FLEET_NAME], uri[FLEET_URI], line[FLEET_NAME + FLEET_URI];
	snprintf(host->peer, sizeof host->peer, "%s", move_uri_travels(host->uri) ? host->uri : "");
	for (const char *p = lines; *p; p += strcspn(p, "\n") + 1) {
		snprintf(line, sizeof line, "%.*s", (int)strcspn(p, "\n"), p);
		if (fleet_target(line, name, uri) == 0 && strcmp(name, host->name) == 0)
			memcpy(host->peer, uri, sizeof host->peer);
	}
}

static void fill_host(struct move_host *to, const struct fleet_host *host, const char *peers)
{
	memcpy(to->name, host->name, sizeof to->name);
	memcpy(to->uri, host->uri, sizeof to->uri);
	find_peer(to, peers);
}

bool carry_moves(
	struct moves *to, const struct fleet *fleet, const struct fleet_proposal *proposal, const char *peers)
{
	if (!moves_init(to, proposal->plan.n))
		return false;
	for (size_t i = 0; i < to->n; i++) {
		const struct fleet_move *move = &proposal->plan.moves[i];
		const struct fleet_vm *vm = &fleet->vms[move->task];
		memcpy(to->list[i].uuid, vm->uuid, UUID_BYTES);
		memcpy(to->list[i].vm, vm->name, sizeof to->list[i].vm);
		fill_host(&to->list[i].from, &fleet->hosts[move->from], peers);
		fill_host(&to->list[i].to, &fleet->hosts[move->to], peers);
	}
	return true;
}

/* ---- one turn ---- */

static void look(struct moves *moves, struct mover *by, int64_t now_ns)
{
	struct move_look seen;
	by->ops->look(by, moves_now(moves), &seen);
	moves_looked(moves, &seen, now_ns);
	const struct move *move = moves_now(moves);
	if (move && move->state == MOVE_RUNS)
		by->ops->begin(by, move);
}

static void follow(struct moves *moves, struct mover *by, int64_t now_ns)
{
	const struct move *move = moves_now(moves);
	char said[MOVE_TEXT];
	if (!move || move->state != MOVE_RUNS)
		return;
	struct move_progress progress = move->progress;
	if (by->ops->poll(by, move, &progress, said))
		moves_ended(moves, text_or(said, NULL), now_ns);
	else
		moves_progress(moves, &progress);
}

int carry_turn(struct moves *moves, struct mover *by, int64_t now_ns)
{
	struct move_found found;
	switch (moves_next(moves, now_ns)) {
	case ORDER_END:
		return -1;
	case ORDER_TELL:
		return 0;
	case ORDER_LOOK:
		look(moves, by, now_ns);
		return 0;
	case ORDER_ABORT:
		by->ops->abort(by, moves_now(moves));
		break;
	case ORDER_FIND:
		by->ops->find(by, moves_now(moves), &found);
		moves_found(moves, &found, now_ns);
		return 0;
	case ORDER_WAIT:
		break;
	}
	follow(moves, by, now_ns);
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

static void wake_up(struct carry *carry)
{
	if (write(carry->wake[1], "", 1) < 0)
		return; /* full: the reader has been woken already */
}

static void publish(struct carry *carry)
{
	struct moves *copy = malloc(sizeof *copy);
	if (copy && moves_copy(copy, &carry->ms)) {
		copy_free(atomic_exchange(&carry->slot, copy));
		wake_up(carry);
	} else {
		free(copy);
	}
}

static void nap(const struct carry *carry, int ms)
{
	struct pollfd fds = {.fd = carry->quit[0], .events = POLLIN};
	char drain[16];
	if (ms > 0 && poll(&fds, 1, ms) > 0 && read(carry->quit[0], drain, sizeof drain) < 0)
		return;
}

static void *carry_main(void *arg)
{
	struct carry *carry = arg;
	for (int ms = 0; ms >= 0;) {
		if (atomic_load(&carry->abort))
			moves_abort(&carry->ms);
		ms = carry_turn(&carry->ms, carry->by, clock_ns());
		publish(carry);
		nap(carry, ms);
	}
	atomic_store(&carry->over, true);
	wake_up(carry);
	close(carry->done[1]);
	return NULL;
}

static void carry_free(struct carry *carry)
{
	carry->by->ops->close(carry->by);
	pipe_close(carry->wake);
	pipe_close(carry->quit);
	pipe_close(carry->done);
	copy_free(atomic_exchange(&carry->slot, NULL));
	moves_done(&carry->ms);
	moves_done(&carry->shown);
	free(carry);
}

struct carry *carry_start(struct moves *moves, struct mover *by, struct err *err)
{
	struct carry *carry = calloc(1, sizeof *carry);
	int bad = ENOMEM;
	if (!carry) {
		by->ops->close(by);
		moves_done(moves);
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	carry->by = by;
	carry->ms = *moves;
	*moves = (struct moves){.list = NULL};
	carry->wake[0] = carry->wake[1] = carry->quit[0] = carry->quit[1] = carry->done[0] = carry->done[1] =
		-1;
	if (moves_copy(&carry->shown, &carry->ms))
		bad = pipe2(carry->wake, O_CLOEXEC | O_NONBLOCK) < 0 ||
				      pipe2(carry->quit, O_CLOEXEC | O_NONBLOCK) < 0 ||
				      pipe2(carry->done, O_CLOEXEC) < 0
			      ? errno
			      : thread_create(&carry->thread, carry_main, carry);
	if (!bad)
		return carry;
	carry_free(carry);
	err_set(err, ERR_RUNTIME, "cannot carry moves out: %s", strerror(bad));
	return NULL;
}

int carry_fd(const struct carry *carry)
{
	return carry->wake[0];
}

bool carry_look(struct carry *carry, const struct moves **ms, bool *over)
{
	char drain[64];
	while (read(carry->wake[0], drain, sizeof drain) > 0)
		;
	*over = atomic_load(&carry->over); /* before the copy: what is over is told whole */
	struct moves *copy = atomic_exchange(&carry->slot, NULL);
	if (copy) {
		moves_done(&carry->shown);
		carry->shown = *copy;
		free(copy);
	}
	*ms = &carry->shown;
	return copy != NULL;
}

void carry_abort(struct carry *carry)
{
	atomic_store(&carry->abort, true);
	if (write(carry->quit[1], "", 1) < 0)
		return; /* full: it is awake */
}

bool carry_end(struct carry *carry, double timeout_s)
{
	if (!thread_ends(carry->thread, carry->done[0], clock_ns() + (int64_t)(timeout_s * 1e9)))
		return false;
	carry->done[1] = -1; /* closed by its thread */
	carry_free(carry);
	return true;
}
