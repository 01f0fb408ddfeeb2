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
static void publish(struct scheduler *sched, struct snapshot *snap)
{
	if (!snap)
		return;
	struct snapshot *old = atomic_exchange(&sched->slot, NULL);
	if (old && !snap->run_up) {
		snap->run_up = old->run_up;
		old->run_up = NULL;
	}
	snapshot_free(old);
	atomic_store(&sched->slot, snap);
	/* A full pipe means that the UI has been woken already. */
	if (write(sched->wake[1], "", 1) < 0 && errno != EAGAIN)
		return;
}

static void tell_way_out(void *arg, struct engine *engine)
{
	publish(arg, engine_snapshot(engine));
}

static void publish_step(struct scheduler *sched)
{
	struct snapshot *snap = engine_snapshot(sched->en);
	if (snap)
		snap->run_up = engine_run_up(sched->en);
	publish(sched, snap);
}

static void *scheduler_main(void *arg)
{
	struct scheduler *sched = arg;
	do {
		struct err err = ERR_INIT;
		engine_step(sched->en, &err); /* what failed is in the snapshot */
		publish_step(sched);
	} while (engine_wait(sched->en, sched->commands[0]));
	engine_watch(sched->en, &(struct leave_watch){sched->patience[0], tell_way_out, sched});
	int left = engine_leave(sched->en, engine_wants_restore(sched->en));
	struct snapshot *last = engine_snapshot(sched->en);
	if (last) {
		last->over = true;
		last->exit_status = left < 0;
		snprintf(
			last->notice, sizeof last->notice, "%s", left < 0 ? engine_left(sched->en)->msg : "");
	}
	publish(sched, last);
	engine_free(sched->en);
	sched->en = NULL;
	close(sched->done[1]);
	sched->done[1] = -1;
	return NULL;
}

static int open_pipes(struct scheduler *sched)
{
	int *pipes[] = {sched->wake, sched->commands, sched->patience, sched->drops, sched->done};
	for (int i = 0; i < 5; i++)
		pipes[i][0] = pipes[i][1] = -1;
	for (int i = 0; i < 5; i++)
		if (pipe2(pipes[i], O_CLOEXEC | O_NONBLOCK) < 0)
			return -1;
	/* So that what is asked of a thousand VMs goes in at once; where it may not grow it goes in parts. */
	fcntl(sched->commands[1], F_SETPIPE_SZ, 1 << 20);
	return 0;
}

static void scheduler_free(struct scheduler *sched)
{
	pipe_close(sched->wake);
	pipe_close(sched->commands);
	pipe_close(sched->patience);
	pipe_close(sched->drops);
	pipe_close(sched->done);
	snapshot_free(atomic_exchange(&sched->slot, NULL));
	free(sched);
}

struct scheduler *scheduler_start(struct engine *engine, struct err *err)
{
	struct scheduler *sched = calloc(1, sizeof *sched);
	if (!sched || open_pipes(sched) < 0) {
		err_set(err, ERR_RUNTIME, "cannot start the scheduler: %s", strerror(errno));
		engine_free(engine);
		if (sched)
			scheduler_free(sched);
		return NULL;
	}
	sched->en = engine;
	engine_drops_from(engine, sched->drops[0]);
	publish(sched, engine_snapshot(engine)); /* the screen shows at once, before the first sample */
	int rc = thread_create(&sched->thread, scheduler_main, sched); /* signals are the UI's alone */
	if (rc) {
		err_set(err, ERR_RUNTIME, "cannot start the scheduler: %s", strerror(rc));
		engine_free(engine);
		scheduler_free(sched);
		return NULL;
	}
	return sched;
}

int scheduler_wake_fd(const struct scheduler *sched)
{
	return sched->wake[0];
}

struct snapshot *scheduler_take(struct scheduler *sched)
{
	char drain[64];
	while (read(sched->wake[0], drain, sizeof drain) > 0)
		;
	return atomic_exchange(&sched->slot, NULL);
}

int scheduler_send(struct scheduler *sched, const struct command *cmd)
{
	return write(sched->commands[1], cmd, sizeof *cmd) == (ssize_t)sizeof *cmd ? 0 : -1;
}

void scheduler_drop(struct scheduler *sched, int64_t now_ns)
{
	if (write(sched->drops[1], &now_ns, sizeof now_ns) < 0)
		return; /* it is full of drops that the thread has not looked at yet */
}

/* The end of a pipe is heard even when the pipe is full. */
static void hang_up(int *end)
{
	if (*end >= 0)
		close(*end);
	*end = -1;
}

void scheduler_end(struct scheduler *sched)
{
	hang_up(&sched->commands[1]);
}

void scheduler_hurry(struct scheduler *sched)
{
	hang_up(&sched->patience[1]);
}

int scheduler_done_fd(const struct scheduler *sched)
{
	return sched->done[0];
}

int scheduler_stop(struct scheduler *sched, double timeout_s)
{
	scheduler_end(sched);
	if (!thread_ends(sched->thread, sched->done[0], clock_ns() + (int64_t)(timeout_s * 1e9)))
		return -1;
	scheduler_free(sched);
	return 0;
}
