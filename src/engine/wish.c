/* SPDX-License-Identifier: MIT */
/* What was asked by key and waits for a sample. Invariant: nothing is done later than a few seconds after its
 * key, or after it was dropped; what is not done is said. What needs no hypervisor (modes, holds) has no age.
 */
#include "wish.h"

#include <unistd.h>

#include "vmtop/clock.h"
#include "vmtop/minmax.h"

enum { WISH_S = 5 };

bool wish_any(const struct wishes *wishes)
{
	return wishes->rebalance || wishes->memory || wishes->preview || wishes->apply;
}

static void read_drops(struct wishes *wishes)
{
	int64_t at;
	while (wishes->drops >= 0 && read(wishes->drops, &at, sizeof at) == (ssize_t)sizeof at)
		wishes->dropped_ns = max_of(at, wishes->dropped_ns);
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

bool wish_heard(struct wishes *wishes, struct talk *talk, const struct command *cmd)
{
	if (!cmd->at_ns)
		return true;
	wishes->heard_ns = max_of(cmd->at_ns, wishes->heard_ns);
	if (!command_ages(cmd))
		return true;
	read_drops(wishes);
	bool dropped = cmd->at_ns <= wishes->dropped_ns;
	if (dropped || too_old(cmd->at_ns)) {
		say_why(talk, dropped);
		return false;
	}
	wishes->asked_ns = cmd->at_ns;
	return true;
}

/* A round that waits for the second sample is not late as long as samples come. */
bool wish_over(struct wishes *wishes, struct talk *talk, bool changes, bool sampled)
{
	read_drops(wishes);
	if ((!wish_any(wishes) && !changes) || !wishes->asked_ns)
		return false;
	bool dropped = wishes->asked_ns <= wishes->dropped_ns;
	if (!dropped && (!too_old(wishes->asked_ns) || (sampled && wishes->said_waiting)))
		return false;
	wishes->rebalance = wishes->memory = wishes->preview = wishes->apply = wishes->said_waiting = false;
	wishes->asked_ns = 0;
	say_why(talk, dropped);
	return true;
}
