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

static bool *mode_of(struct engine *en, enum pause_of what)
{
	return what == PAUSE_CPU ? &en->cfg.auto_cpu : &en->cfg.auto_memory;
}

static const char *name_of(enum pause_of what)
{
	return what == PAUSE_CPU ? "CPU" : "memory";
}

/* How long until it is looked at again: longer each time that it came back in vain. */
static int64_t next_look(const struct engine *en, const struct pause *p)
{
	int64_t wait_s = PROBE_S;
	for (int i = 0; i < p->times && wait_s < PROBE_MOST_S; i++)
		wait_s *= 2;
	return en->b->ops->now(en->b) + min_of(wait_s, PROBE_MOST_S) * SECOND;
}

static void pause_one(struct engine *en, enum pause_of what, enum pause_cause cause, const char *why)
{
	struct pause *p = &en->pauses.of[what];
	bool *mode = mode_of(en, what);
	if (!*mode)
		return;
	*mode = false;
	p->cause = cause;
	p->again_ns = next_look(en, p);
	p->times++;
	snprintf(en->pauses.last, sizeof en->pauses.last, "%.199s", why);
	talk_event(&en->talk, LOG_ERROR, "%s: MANUAL for now: %.200s; AUTO comes back %s", name_of(what), why,
		causes[cause].until);
	talk_notice(&en->talk, "%s AUTO stopped for now: %.150s", name_of(what), why);
}

void auto_pause_all(struct engine *en, enum pause_cause cause, const char *why)
{
	en->pauses.stats |= en->stats_on && !en->cfg.auto_memory;
	pause_one(en, PAUSE_CPU, cause, why);
	pause_one(en, PAUSE_MEMORY, cause, why);
	en->stats_on = false;
}

void auto_settled(struct engine *en, enum pause_of what)
{
	memset(&en->pauses.of[what], 0, sizeof en->pauses.of[what]);
}

bool auto_wanted(const struct engine *en)
{
	return en->cfg.auto_cpu || en->cfg.auto_memory || en->pauses.of[PAUSE_CPU].cause ||
	       en->pauses.of[PAUSE_MEMORY].cause;
}

/* A journal that could not be written is tried by writing it. */
static bool is_over(struct engine *en, const struct pause *p)
{
	struct err e = ERR_INIT;
	if (p->cause == PAUSE_READONLY)
		return !en->status.readonly;
	if (en->b->ops->now(en->b) < p->again_ns)
		return false;
	if (apply_journal(&en->changes, &e) < 0)
		return false;
	return !en->changes.journal ||
	       journal_compact(en->changes.journal, &en->changes.ledger, true, &e) == 0;
}

static void look(struct engine *en, enum pause_of what)
{
	struct pause *p = &en->pauses.of[what];
	if (!p->cause)
		return;
	if (!is_over(en, p)) {
		if (p->cause == PAUSE_JOURNAL && en->b->ops->now(en->b) >= p->again_ns) {
			p->again_ns = next_look(en, p);
			p->times++;
		}
		return;
	}
	talk_event(&en->talk, LOG_EVENT, "%s: AUTO again: %s", name_of(what), causes[p->cause].over);
	p->cause = PAUSE_NONE;
	*mode_of(en, what) = true;
	if (what == PAUSE_MEMORY)
		en->pace.next_memory_ns = en->b->ops->now(en->b);
}

/* Ends a run without a screen when AUTO has been wanted, and nothing could be steered, for give_up. */
static void give_up(struct engine *en, bool sampled, const char *why)
{
	int64_t now = en->b->ops->now(en->b);
	bool paused = en->pauses.of[PAUSE_CPU].cause || en->pauses.of[PAUSE_MEMORY].cause;
	bool runs = sampled && !paused;
	if (runs || !auto_wanted(en) || !en->cfg.batch || en->cfg.give_up_s <= 0)
		en->pauses.idle_since_ns = 0;
	else if (!en->pauses.idle_since_ns)
		en->pauses.idle_since_ns = now;
	else if (now - en->pauses.idle_since_ns >= (int64_t)(en->cfg.give_up_s * (double)SECOND)) {
		err_set(&en->failed, ERR_RUNTIME, "could not steer for %.0f s: %.200s", en->cfg.give_up_s,
			paused ? en->pauses.last : why);
		en->quit = true;
	}
}

void auto_step(struct engine *en, const struct err *e)
{
	if (!e) {
		look(en, PAUSE_CPU);
		look(en, PAUSE_MEMORY);
		if (!en->pauses.of[PAUSE_CPU].cause && !en->pauses.of[PAUSE_MEMORY].cause &&
			en->pauses.stats) {
			en->stats_on = true;
			en->pauses.stats = false;
		}
	}
	give_up(en, !e, e ? e->msg : "");
}
