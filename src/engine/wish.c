/* SPDX-License-Identifier: MIT */
/* What was asked by key and waits for a sample. Invariant: nothing is done later than a few seconds after its
 * key, or after it was dropped; what is not done is said. What needs no hypervisor (modes, holds) has no age.
 */
#include <unistd.h>

#include "priv.h"
#include "vmtop/clock.h"
#include "vmtop/minmax.h"

enum { WISH_S = 5 };

bool wish_any(const struct engine *en)
{
	return en->want_rebalance || en->want_memory || en->want_preview || en->want_apply ||
	       en->changes.n_asked;
}

void engine_drops_from(struct engine *en, int fd)
{
	en->drops = fd;
}

static void read_drops(struct engine *en)
{
	int64_t at;
	while (en->drops >= 0 && read(en->drops, &at, sizeof at) == (ssize_t)sizeof at)
		en->dropped_ns = max_of(at, en->dropped_ns);
}

static bool too_old(int64_t at_ns)
{
	return clock_ns() - at_ns > WISH_S * INT64_C(1000000000);
}

static void say_why(struct engine *en, bool dropped)
{
	if (dropped)
		talk_notice(&en->talk, "dropped: what the key asked for is not done");
	else
		talk_notice(&en->talk,
			"not done: libvirt did not answer within %d s of the key; press it again", WISH_S);
	talk_event(&en->talk, LOG_EVENT, "%s", en->talk.notice);
}

bool wish_heard(struct engine *en, const struct command *c)
{
	if (!c->at_ns)
		return true;
	en->heard_ns = max_of(c->at_ns, en->heard_ns);
	if (!command_ages(c))
		return true;
	read_drops(en);
	bool dropped = c->at_ns <= en->dropped_ns;
	if (dropped || too_old(c->at_ns)) {
		say_why(en, dropped);
		return false;
	}
	en->wish_ns = c->at_ns;
	return true;
}

static void forget(struct engine *en)
{
	for (size_t i = 0; i < en->changes.n_asked; i++)
		if (en->changes.asked[i].kind == CMD_STATS_PERIOD && en->changes.asked[i].on)
			en->stats_on = false;
	en->changes.n_asked = 0;
	en->want_rebalance = en->want_memory = en->want_preview = en->want_apply = en->said_waiting = false;
	en->wish_ns = 0;
}

/* A round that waits for the second sample is not late as long as samples come. */
void wish_check(struct engine *en, bool sampled)
{
	read_drops(en);
	if (!wish_any(en) || !en->wish_ns)
		return;
	bool dropped = en->wish_ns <= en->dropped_ns;
	if (!dropped && (!too_old(en->wish_ns) || (sampled && en->said_waiting)))
		return;
	forget(en);
	say_why(en, dropped);
}
