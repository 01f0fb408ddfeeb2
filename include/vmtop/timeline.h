/* SPDX-License-Identifier: MIT */
/* What happened when, in short: for the timeline under the screen. Pure. */
#ifndef VMTOP_TIMELINE_H
#define VMTOP_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

/* Kind, its sign, its name; where several share a place the last of them is shown. */
#define TIMELINE_TABLE(X)                                                                                    \
	X(SIGN_BALLOON, 'm', "balloon")                                                                      \
	X(SIGN_PIN, 'b', "pin")                                                                              \
	X(SIGN_CAME, '+', "VM came")                                                                         \
	X(SIGN_GONE, '-', "VM went")                                                                         \
	X(SIGN_AUTO, 'a', "AUTO on or off")                                                                  \
	X(SIGN_UNDO, 'u', "undone")                                                                          \
	X(SIGN_MARK, '\'', "mark")                                                                           \
	X(SIGN_FAULT, '!', "fault")

enum timeline_kind {
#define TIMELINE_ENUM(kind, sign, name) kind,
	TIMELINE_TABLE(TIMELINE_ENUM)
#undef TIMELINE_ENUM
		TIMELINE_KINDS
};

enum { TIMELINE_CELLS = 256, TIMELINE_EVENTS = 1024, TIMELINE_NOTHING = 255 };

struct timeline_event {
	int64_t wall_ns;
	enum timeline_kind kind;
};
struct timeline {
	int64_t from_ns, to_ns;        /* by the clock on the wall */
	uint8_t level[TIMELINE_CELLS]; /* deviation in half percent, 0..100, or TIMELINE_NOTHING; evenly
					  spread */
	struct timeline_event events[TIMELINE_EVENTS]; /* in order */
	int n_events;
};

struct log_line;
/* False: nothing that a timeline shows. */
bool log_line_event(const struct log_line *line, struct timeline_event *to);
/* The oldest goes when it is full. */
void timeline_add(struct timeline *timeline, const struct timeline_event *event);
char timeline_sign(enum timeline_kind kind);
const char *timeline_name(enum timeline_kind kind);

#endif
