/* SPDX-License-Identifier: MIT */
/* Rounds that were asked for by key and wait for a sample. Private to src/engine. */
#ifndef ENGINE_WISH_H
#define ENGINE_WISH_H

#include "../talk/talk.h"
#include "vmtop/command.h"

struct wishes {
	bool rebalance, memory, preview, apply;
	size_t rebalance_most;                  /* pins that a forced round may make unasked; 0: any */
	int64_t heard_ns, asked_ns, dropped_ns; /* newest key heard of, asking, dropping; CLOCK_MONOTONIC */
	int drops;                              /* where the last come from; -1: nowhere */
	bool said_waiting;                      /* "b waits for the second sample" is in the log */
};

bool wish_any(const struct wishes *wishes);
/* A command from the pipe: false, and said, when it is too old or was dropped. */
bool wish_heard(struct wishes *wishes, struct talk *talk, const struct command *cmd);
/* After the attempt to take a sample: true, and said, when what waits was dropped or waited too long; these
 * rounds are forgotten, and so must be the changes that wait as well, if there are any. */
bool wish_over(struct wishes *wishes, struct talk *talk, bool changes, bool sampled);

#endif
