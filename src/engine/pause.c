/* SPDX-License-Identifier: MIT */
/* AUTO steps back before a fault that passes, and comes back when it is over; both are said. A run without a
 * screen that cannot steer for long ends with an error. Invariant: what a person switched stays as that
 * person wants it; a pause is over as soon as somebody does so. Must not know: policies. */
#include <stdio.h>
#include <string.h>

#include "vmtop/minmax.h"

#include "priv.h"

#define SECOND INT64_C(1000000000)

enum { PROBE_S = 10, PROBE_MOST_S = 300 };

static const struct {
	const char *until; /* AUTO comes back ... */
	const char *over;
} causes[] = {
	[PAUSE_JOURNAL] = {"when changes can be journalled", "changes can be journalled"},
	[PAUSE_READONLY] = {"when changes are allowed", "changes are allowed"},
};

static bool *mode_of(struct engine *engine, enum pause_of what)
{
	return what == PAUSE_CPU ? &engine->cfg.auto_cpu : &engine->cfg.auto_memory;
}

static const char *name_of(enum pause_of what)
{
	return what == PAUSE_CPU ? "CPU" : "memory";
}

/* How long until it is looked at again: longer each time that it came back in vain. */
static int64_t next_look(const struct engine *engine, const struct pause *pause)
{
	int64_t wait_s = PROBE_S;
	for (int i = 0; i < pause->times && wait_s < PROBE_MOST_S; i++)
		wait_s *= 2;
	return engine->backend->ops->now(engine->backend) + min_of(wait_s, PROBE_MOST_S) * SECOND;
}

static void pause_one(struct engine *engine, enum pause_of what, enum pause_cause cause, const char *why)
{
	struct pause *pause = &engine->pauses.of[what];
	bool *mode = mode_of(engine, what);
	if (!*mode)
		return;
	*mode = false;
	pause->cause = cause;
	pause->again_ns = next_look(engine, pause);
	pause->times++;
	snprintf(engine->pauses.last, sizeof engine->pauses.last, "%.199s", why);
	talk_event(&engine->talk, LOG_ERROR, "%s: MANUAL for now: %.200s; AUTO comes back %s", name_of(what),
		why, causes[cause].until);
	talk_notice(&engine->talk, "%s AUTO stopped for now: %.150s", name_of(what), why);
}

void auto_pause_all(struct engine *engine, enum pause_cause cause, const char *why)
{
	engine->pauses.stats |= engine->stats_on && !engine->cfg.auto_memory;
	pause_one(engine, PAUSE_CPU, cause, why);
	pause_one(engine, PAUSE_MEMORY, cause, why);
	engine->stats_on = false;
}

void auto_settled(struct engine *engine, enum pause_of what)
{
	memset(&engine->pauses.of[what], 0, sizeof engine->pauses.of[what]);
}

bool auto_wanted(const struct engine *engine)
{
	return engine->cfg.auto_cpu || engine->cfg.auto_memory || engine->pauses.of[PAUSE_CPU].cause ||
	       engine->pauses.of[PAUSE_MEMORY].cause;
}

/* A journal that could not be written is tried by writing it. */
static bool is_over(struct engine *engine, const struct pause *pause)
{
	struct err err = ERR_INIT;
	if (pause->cause == PAUSE_READONLY)
		return !engine->status.readonly;
	if (engine->backend->ops->now(engine->backend) < pause->again_ns)
		return false;
	if (apply_journal(&engine->changes, &err) < 0)
		return false;
	return !engine->changes.journal ||
	       journal_compact(engine->changes.journal, &engine->changes.ledger, true, &err) == 0;
}

static void look(struct engine *engine, enum pause_of what)
{
	struct pause *pause = &engine->pauses.of[what];
	if (!pause->cause)
		return;
	if (!is_over(engine, pause)) {
		if (pause->cause == PAUSE_JOURNAL &&
			engine->backend->ops->now(engine->backend) >= pause->again_ns) {
			pause->again_ns = next_look(engine, pause);
			pause->times++;
		}
		return;
	}
	talk_event(&engine->talk, LOG_EVENT, "%s: AUTO again: %s", name_of(what), causes[pause->cause].over);
	pause->cause = PAUSE_NONE;
	*mode_of(engine, what) = true;
	if (what == PAUSE_MEMORY)
		engine->pace.next_memory_ns = engine->backend->ops->now(engine->backend);
}

/* Ends a run without a screen when AUTO has been wanted, and nothing could be steered, for give_up. */
static void give_up(struct engine *engine, bool sampled, const char *why)
{
	int64_t now = engine->backend->ops->now(engine->backend);
	bool paused = engine->pauses.of[PAUSE_CPU].cause || engine->pauses.of[PAUSE_MEMORY].cause;
	bool runs = sampled && !paused;
	if (runs || !auto_wanted(engine) || !engine->cfg.batch || engine->cfg.give_up_s <= 0)
		engine->pauses.idle_since_ns = 0;
	else if (!engine->pauses.idle_since_ns)
		engine->pauses.idle_since_ns = now;
	else if (now - engine->pauses.idle_since_ns >= (int64_t)(engine->cfg.give_up_s * (double)SECOND)) {
		err_set(&engine->failed, ERR_RUNTIME, "could not steer for %.0f s: %.200s",
			engine->cfg.give_up_s, paused ? engine->pauses.last : why);
		engine->quit = true;
	}
}

void auto_step(struct engine *engine, const struct err *err)
{
	if (!err) {
		look(engine, PAUSE_CPU);
		look(engine, PAUSE_MEMORY);
		if (!engine->pauses.of[PAUSE_CPU].cause && !engine->pauses.of[PAUSE_MEMORY].cause &&
			engine->pauses.stats) {
			engine->stats_on = true;
			engine->pauses.stats = false;
		}
	}
	give_up(engine, !err, err ? err->msg : "");
}
