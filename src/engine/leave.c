/* SPDX-License-Identifier: MIT */
/* What the engine lends to the way out: samples, and whoever waits for it. What is put back, and what is said
 * of it, is decided in src/changes/leave.c. */
#include <unistd.h>

#include "priv.h"

bool engine_wants_restore(const struct engine *en)
{
	if (en->quit_restore || en->cfg.on_exit == ON_EXIT_RESTORE)
		return true;
	return en->cfg.on_exit == ON_EXIT_DEFAULT && en->cfg.batch;
}

void engine_watch(struct engine *en, const struct leave_watch *w)
{
	en->watch = *w;
}

const struct err *engine_failed(const struct engine *en)
{
	return &en->failed;
}

const struct err *engine_left(const struct engine *en)
{
	return &en->changes.left;
}

bool engine_any_journal(void)
{
	return journal_any();
}

static int look_afresh(void *arg, struct err *e)
{
	struct engine *en = arg;
	en->want_fresh = true;
	return engine_look(en, e);
}

/* Somebody asked once more for the end, or is gone. */
static bool hurried(void *arg)
{
	const struct engine *en = arg;
	struct command c;
	ssize_t n = 1;
	if (en->watch.fd < 0)
		return false;
	while ((n = read(en->watch.fd, &c, sizeof c)) == (ssize_t)sizeof c)
		if (c.kind == CMD_QUIT)
			return true;
	return n == 0;
}

static void tell(void *arg)
{
	struct engine *en = arg;
	if (en->watch.tell)
		en->watch.tell(en->watch.arg, en);
}

static struct leave_hands hands_of(struct engine *en)
{
	return (struct leave_hands){en, look_afresh, hurried, tell, en->watch.fd};
}

/* What an earlier run left is not for one that came to look: it was told of U and --restore. */
static bool only_looked(const struct engine *en)
{
	return en->changes.inherited && !en->changes.journal && !en->quit_restore &&
	       en->cfg.on_exit == ON_EXIT_DEFAULT && !auto_wanted(en);
}

int engine_leave(struct engine *en, bool restore)
{
	const struct leave_hands hands = hands_of(en);
	plan_reset(&en->plan);
	if (!changes_in_force(&en->changes) || only_looked(en) || en->cfg.dry_run || !en->course->live)
		return 0;
	en->leave_seq = en->talk.log.seq + 1;
	return leave(&en->changes, &hands, restore);
}

/* Progress for whoever waits, as lines of the log. */
static void tell_aloud(void *arg, struct engine *en)
{
	const struct log_ring *l = &en->talk.log;
	fprintf(arg, "%s\n", l->lines[(l->first + l->n - 1) % SNAPSHOT_LOG].text);
	fflush(arg);
}

int engine_restore_journal(
	const struct config *cfg, struct backend *b, const char *pattern, FILE *out, int fd, struct err *e)
{
	struct engine *en = engine_new(cfg, b, e);
	if (!en)
		return -1;
	en->cfg.auto_cpu = en->cfg.auto_memory = en->stats_on = false;
	engine_watch(en, &(struct leave_watch){fd, tell_aloud, out});
	const struct leave_hands hands = hands_of(en);
	int rc = leave_aloud(&en->changes, &hands, pattern, out, e);
	engine_free(en);
	return rc;
}
