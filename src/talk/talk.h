/* SPDX-License-Identifier: MIT */
/* What is said: lines of the decision log, and the one notice that the user must see now. Owned by the
 * engine; single-threaded like it. Every line goes to whoever records, too. */
#ifndef VMTOP_TALK_H
#define VMTOP_TALK_H

#include "vmtop/snapshot.h"

struct backend;

struct log_ring {
	struct log_line *lines; /* SNAPSHOT_LOG of them */
	size_t first, n;
	uint64_t seq;
};

struct talk {
	struct backend *backend; /* not ours: its clock, and whoever records */
	bool silent;             /* a recording is shown: its own lines are, and nothing of ours */
	bool has_clock;
	int64_t wall_ahead_ns; /* of the clock of b; with has_clock */
	struct log_ring log;
	char notice[200];
	int64_t notice_until_ns;
	char said_last[320]; /* by talk_once(); "": may be said again */
};

/* -1: out of memory. */
int talk_init(struct talk *talk, struct backend *backend);
void talk_done(struct talk *talk);
/* From now on lines carry the time of this sample's clock; before, the backend's clock on the wall
 * serves. */
void talk_clock(struct talk *talk, const struct sample *sample);
struct log_line *talk_line(struct talk *talk, enum log_kind kind); /* never NULL: the oldest goes */
/* Texts from outside must have been escaped. */
void talk_event(struct talk *talk, enum log_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Not when it is what was said so last. */
void talk_once(struct talk *talk, enum log_kind kind, const char *text);
/* What became of an action on the VM of this name (raw). more: why it was not done, or what it would do; "":
 * nothing. */
void talk_action(struct talk *talk, const struct action *action, const char *vm, const char *more);
void talk_notice(struct talk *talk, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
