/* SPDX-License-Identifier: MIT */
/* What was asked by key and waits for a sample. Invariant: nothing is done later than a few seconds after its
 * key, or after it was dropped; what is not done is said. What needs no hypervisor (modes, holds) has no age.
 */
#include "wish.h"

#include <unistd.h>

#include "vmtop/clock.h"
#include "vmtop/minmax.h"

enum { WISH_S = 5 };

bool wish_any(const struct wishes *w)
{
	return w->rebalance || w->memory || w->preview || w->apply;
}

static void read_drops(struct wishes *w)
{
	int64_t at;
	while (w->drops >= 0 && read(w->drops, &at, sizeof at) == (ssize_t)sizeof at)
		w->dropped_ns = max_of(at, w->dropped_ns);
}

static bool too_old(int64_t at_ns)
{
	return clock_ns() - at_ns > WISH_S * INT64_C(1000000000);
}

static void say_why(struct talk *talk, bool dropped)
{
	if (dropped)
		talk_notice(talk, "dropped: what the key asked for is not done");
	else
		talk_notice(talk, "not done: libvirt did not answer within %d s of the key; press it again",
			WISH_S);
	talk_event(talk, LOG_EVENT, "%s", talk->notice);
}

bool wish_heard(struct wishes *w, struct talk *talk, const struct command *c)
{
	if (!c->at_ns)
		return true;
	w->heard_ns = max_of(c->at_ns, w->heard_ns);
	if (!command_ages(c))
		return true;
	read_drops(w);
	bool dropped = c->at_ns <= w->dropped_ns;
	if (dropped || too_old(c->at_ns)) {
		say_why(talk, dropped);
		return false;
	}
	w->asked_ns = c->at_ns;
	return true;
}

/* A round that waits for the second sample is not late as long as samples come. */
bool wish_over(struct wishes *w, struct talk *talk, bool changes, bool sampled)
{
	read_drops(w);
	if ((!wish_any(w) && !changes) || !w->asked_ns)
		return false;
	bool dropped = w->asked_ns <= w->dropped_ns;
	if (!dropped && (!too_old(w->asked_ns) || (sampled && w->said_waiting)))
		return false;
	w->rebalance = w->memory = w->preview = w->apply = w->said_waiting = false;
	w->asked_ns = 0;
	say_why(talk, dropped);
	return true;
}
