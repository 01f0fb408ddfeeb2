/* SPDX-License-Identifier: MIT */
/* The scheduler thread and its hand-off. Invariant: a snapshot has one owner at any time; it moves through
 * one atomic pointer. Commands come back through a pipe. No mutex, no shared flag. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vmtop/clock.h"
#include "vmtop/engine.h"
#include "vmtop/thread.h"

struct scheduler {
	struct engine *en; /* of the thread, once it runs */
	pthread_t thread;
	_Atomic(struct snapshot *) slot;
	int wake[2];     /* thread -> UI: one byte, a snapshot waits */
	int commands[2]; /* UI -> thread; its end asks the thread to end */
	int patience[2]; /* UI -> thread: its end tells that nobody waits for what is left */
	int drops[2];    /* UI -> thread: times */
	int done[2];     /* thread -> UI: hung up when the thread is through */
};

/* What was not taken makes room, but for the samples before it: no other will bring them. */
static void publish(struct scheduler *s, struct snapshot *snap)
{
	if (!snap)
		return;
	struct snapshot *old = atomic_exchange(&s->slot, NULL);
	if (old && !snap->run_up) {
		snap->run_up = old->run_up;
		old->run_up = NULL;
	}
	snapshot_free(old);
	atomic_store(&s->slot, snap);
	/* A full pipe means that the UI has been woken already. */
	if (write(s->wake[1], "", 1) < 0 && errno != EAGAIN)
		return;
}

static void tell_way_out(void *arg, struct engine *en)
{
	publish(arg, engine_snapshot(en));
}

static void publish_step(struct scheduler *s)
{
	struct snapshot *snap = engine_snapshot(s->en);
	if (snap)
		snap->run_up = engine_run_up(s->en);
	publish(s, snap);
}

static void *scheduler_main(void *arg)
{
	struct scheduler *s = arg;
	do {
		struct err e = ERR_INIT;
		engine_step(s->en, &e); /* what failed is in the snapshot */
		publish_step(s);
	} while (engine_wait(s->en, s->commands[0]));
	engine_watch(s->en, &(struct leave_watch){s->patience[0], tell_way_out, s});
	int left = engine_leave(s->en, engine_wants_restore(s->en));
	struct snapshot *last = engine_snapshot(s->en);
	if (last) {
		last->over = true;
		last->exit_status = left < 0;
		snprintf(last->notice, sizeof last->notice, "%s", left < 0 ? engine_left(s->en)->msg : "");
	}
	publish(s, last);
	engine_free(s->en);
	s->en = NULL;
	close(s->done[1]);
	s->done[1] = -1;
	return NULL;
}

static int open_pipes(struct scheduler *s)
{
	int *pipes[] = {s->wake, s->commands, s->patience, s->drops, s->done};
	for (int i = 0; i < 5; i++)
		pipes[i][0] = pipes[i][1] = -1;
	for (int i = 0; i < 5; i++)
		if (pipe2(pipes[i], O_CLOEXEC | O_NONBLOCK) < 0)
			return -1;
	/* So that what is asked of a thousand VMs goes in at once; where it may not grow it goes in parts. */
	fcntl(s->commands[1], F_SETPIPE_SZ, 1 << 20);
	return 0;
}

static void scheduler_free(struct scheduler *s)
{
	pipe_close(s->wake);
	pipe_close(s->commands);
	pipe_close(s->patience);
	pipe_close(s->drops);
	pipe_close(s->done);
	snapshot_free(atomic_exchange(&s->slot, NULL));
	free(s);
}

struct scheduler *scheduler_start(struct engine *en, struct err *e)
{
	struct scheduler *s = calloc(1, sizeof *s);
	if (!s || open_pipes(s) < 0) {
		err_set(e, ERR_RUNTIME, "cannot start the scheduler: %s", strerror(errno));
		engine_free(en);
		if (s)
			scheduler_free(s);
		return NULL;
	}
	s->en = en;
	engine_drops_from(en, s->drops[0]);
	publish(s, engine_snapshot(en)); /* the screen shows at once, before the first sample */
	int rc = thread_create(&s->thread, scheduler_main, s); /* signals are the UI's alone */
	if (rc) {
		err_set(e, ERR_RUNTIME, "cannot start the scheduler: %s", strerror(rc));
		engine_free(en);
		scheduler_free(s);
		return NULL;
	}
	return s;
}

int scheduler_wake_fd(const struct scheduler *s)
{
	return s->wake[0];
}

struct snapshot *scheduler_take(struct scheduler *s)
{
	char drain[64];
	while (read(s->wake[0], drain, sizeof drain) > 0)
		;
	return atomic_exchange(&s->slot, NULL);
}

int scheduler_send(struct scheduler *s, const struct command *c)
{
	return write(s->commands[1], c, sizeof *c) == (ssize_t)sizeof *c ? 0 : -1;
}

void scheduler_drop(struct scheduler *s, int64_t now_ns)
{
	if (write(s->drops[1], &now_ns, sizeof now_ns) < 0)
		return; /* it is full of drops that the thread has not looked at yet */
}

/* The end of a pipe is heard even when the pipe is full. */
static void hang_up(int *end)
{
	if (*end >= 0)
		close(*end);
	*end = -1;
}

void scheduler_end(struct scheduler *s)
{
	hang_up(&s->commands[1]);
}

void scheduler_hurry(struct scheduler *s)
{
	hang_up(&s->patience[1]);
}

int scheduler_done_fd(const struct scheduler *s)
{
	return s->done[0];
}

int scheduler_stop(struct scheduler *s, double timeout_s)
{
	scheduler_end(s);
	if (!thread_ends(s->thread, s->done[0], clock_ns() + (int64_t)(timeout_s * 1e9)))
		return -1;
	scheduler_free(s);
	return 0;
}
