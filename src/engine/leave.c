/* SPDX-License-Identifier: MIT */
/* What the engine lends to the way out: samples, and whoever waits for it. What is put back, and what is said
 * of it, is decided in src/changes/leave.c. */
#include <unistd.h>

#include "priv.h"

bool engine_wants_restore(const struct engine *engine)
{
	if (engine->quit_restore || engine->cfg.on_exit == ON_EXIT_RESTORE)
		return true;
	return engine->cfg.on_exit == ON_EXIT_DEFAULT && engine->cfg.batch;
}

void engine_watch(struct engine *engine, const struct leave_watch *watch)
{
	engine->watch = *watch;
}

const struct err *engine_failed(const struct engine *engine)
{
	return &engine->failed;
}

const struct err *engine_left(const struct engine *engine)
{
	return &engine->changes.left;
}

bool engine_any_journal(void)
{
	return journal_any();
}

static int look_afresh(void *arg, struct err *err)
{
	struct engine *engine = arg;
	engine->want_fresh = true;
	return engine_look(engine, err);
}

/* Somebody asked once more for the end, or is gone. */
static bool hurried(void *arg)
{
	const struct engine *engine = arg;
	struct command cmd;
	ssize_t n = 1;
	if (engine->watch.fd < 0)
		return false;
	while ((n = read(engine->watch.fd, &cmd, sizeof cmd)) == (ssize_t)sizeof cmd)
		if (cmd.kind == CMD_QUIT)
			return true;
	return n == 0;
}

static void tell(void *arg)
{
	struct engine *engine = arg;
	if (engine->watch.tell)
		engine->watch.tell(engine->watch.arg, engine);
}

static struct leave_hands hands_of(struct engine *engine)
{
	return (struct leave_hands){engine, look_afresh, hurried, tell, engine->watch.fd};
}

/* What an earlier run left is not for one that came to look: it was told of U and --restore. */
static bool only_looked(const struct engine *engine)
{
	return engine->changes.inherited && !engine->changes.journal && !engine->quit_restore &&
	       engine->cfg.on_exit == ON_EXIT_DEFAULT && !auto_wanted(engine);
}

int engine_leave(struct engine *engine, bool restore)
{
	const struct leave_hands hands = hands_of(engine);
	plan_reset(&engine->plan);
	if (!changes_in_force(&engine->changes) || only_looked(engine) || engine->cfg.dry_run ||
		!engine->course->live)
		return 0;
	engine->leave_seq = engine->talk.log.seq + 1;
	return leave(&engine->changes, &hands, restore);
}

/* Progress for whoever waits, as lines of the log. */
static void tell_aloud(void *arg, struct engine *engine)
{
	const struct log_ring *ring = &engine->talk.log;
	fprintf(arg, "%s\n", ring->lines[(ring->first + ring->n - 1) % SNAPSHOT_LOG].text);
	fflush(arg);
}

int engine_restore_journal(const struct config *cfg, struct backend *backend, const char *pattern, FILE *out,
	int fd, struct err *err)
{
	struct engine *engine = engine_new(cfg, backend, err);
	if (!engine)
		return -1;
	engine->cfg.auto_cpu = engine->cfg.auto_memory = engine->stats_on = false;
	engine_watch(engine, &(struct leave_watch){fd, tell_aloud, out});
	const struct leave_hands hands = hands_of(engine);
	int rc = leave_aloud(&engine->changes, &hands, pattern, out, err);
	engine_free(engine);
	return rc;
}
