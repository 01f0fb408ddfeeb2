/* SPDX-License-Identifier: MIT */
/* The engine: sample -> model -> plan -> apply -> snapshot, one call a step. It owns the backend, the model,
 * the controllers, holds, undo and the journal. engine_step() is single-threaded and is all that batch mode,
 * scenarios and tests need; scheduler_* runs it in a thread of its own and hands snapshots to the UI. */
#ifndef VMTOP_ENGINE_H
#define VMTOP_ENGINE_H

#include <stdio.h>

#include "vmtop/command.h"
#include "vmtop/snapshot.h"

struct engine;

/* Takes ownership of the backend, also on failure. */
struct engine *engine_new(const struct config *cfg, struct backend *backend, struct err *err);
void engine_free(struct engine *engine);
/* Between steps. */
void engine_command(struct engine *engine, const struct command *cmd);
/* New settings, between steps. What belongs to the connection and the output stays as it was at the start. */
void engine_configure(struct engine *engine, const struct config *cfg);
void engine_announce(struct engine *engine, const char *what); /* a line for the log: "WHAT: CPU AUTO ..." */
/* A line for the log about something outside the engine. */
void engine_complain(struct engine *engine, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* One tick: returns 0, or -1 when no sample could be had (the snapshot then shows the old one ageing). */
int engine_step(struct engine *engine, struct err *err);
/* The state after the last step, in one block; the caller frees it. NULL: out of memory. */
struct snapshot *engine_snapshot(const struct engine *engine);
/* Once after a jump in a recording: what snapshot.run_up holds. The caller's from now on; NULL: there is
 * none. */
struct snapshot *engine_run_up(struct engine *engine);
/* Sleeps to the next tick; reads whole struct commands from fd (-1: none) and obeys them. Returns false at
 * the end. In batch mode a signal handler may write commands into that pipe. */
bool engine_wait(struct engine *engine, int fd);
/* Who follows the way out. */
struct leave_watch {
	int fd; /* a CMD_QUIT in it, or its end: nobody waits any longer for what is left; -1: none */
	void (*tell)(void *arg, struct engine *en); /* the log has new lines; may be NULL */
	void *arg;
};
void engine_watch(struct engine *engine, const struct leave_watch *watch);
/* Puts back the statistics periods that are still ours, and with restore also pins and balloons as found;
 * what fails is tried again until cfg->restore_deadline_s. Called once before engine_free() on every orderly
 * end. 0: nothing of it is left. -1: engine_left() says what is, and how to mend it. */
int engine_leave(struct engine *engine, bool restore);
const struct err *engine_failed(const struct engine *engine); /* why the run ended by itself, or no error */
const struct err *engine_left(const struct engine *engine);
/* What engine_leave() is to do by cfg->on_exit: asked on screen (CMD_QUIT with on), restore in batch. */
bool engine_wants_restore(const struct engine *engine);
/* see() is told after each step, in the thread that steps; it only looks. */
void engine_seen_by(struct engine *engine, void (*see)(void *arg, const struct engine *engine), void *arg);
/* fd, not to block: int64_t times (CLOCK_MONOTONIC, ns) at which the user dropped what was asked by key
 * before then. Looked at after each sample, so that it counts for a step that has begun already. */
void engine_drops_from(struct engine *engine, int fd);
/* Opens the socket that `vmtop mark` talks to. Without a place for it nobody can; that is no error. */
void engine_listen(struct engine *engine);
/* vmtop --restore and --release: puts back what the journal says, of VMs that match the pattern (NULL: all),
 * one line per object on out; tried again like engine_leave(), fd as in its watch. With a pattern it works
 * beside a vmtop that steers. Takes ownership of the backend. Returns 0, or -1 when something could not be
 * put back. */
int engine_restore_journal(const struct config *cfg, struct backend *backend, const char *pattern, FILE *out,
	int fd, struct err *err);
/* Whether there is a journal of any host: else there is nothing to wait for. */
bool engine_any_journal(void);

/* The scheduler thread. */
struct scheduler;
struct scheduler *scheduler_start(struct engine *engine, struct err *err); /* takes the engine */
int scheduler_wake_fd(const struct scheduler *sched);                      /* readable: a snapshot waits */
/* The newest snapshot not taken yet, or NULL. The caller owns it. */
struct snapshot *scheduler_take(struct scheduler *sched);
/* Never blocks: a full pipe drops the command and returns -1. */
int scheduler_send(struct scheduler *sched, const struct command *cmd);
/* Asks it to end: it leaves as engine_leave() does, and its snapshots say how that goes. */
void scheduler_end(struct scheduler *sched);
void scheduler_hurry(struct scheduler *sched);        /* nobody waits for the rest any longer */
int scheduler_done_fd(const struct scheduler *sched); /* readable: the thread is through */
/* What was asked by key before now and has not been done is dropped. */
void scheduler_drop(struct scheduler *sched, int64_t now_ns);
/* Asks it to end and waits up to timeout_s. -1: it hangs over a dead hypervisor; the caller restores the
 * terminal, flushes and _exit()s. */
int scheduler_stop(struct scheduler *sched, double timeout_s);

#endif
