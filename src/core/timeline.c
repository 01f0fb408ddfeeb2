/* SPDX-License-Identifier: MIT */
/* Which lines of the decision log are events of the timeline. Knows nothing of where they are shown. */
#include "vmtop/timeline.h"

#include <string.h>

#include "vmtop/snapshot.h"

static bool ends_with(const char *text, const char *tail)
{
	size_t n = strlen(text), m = strlen(tail);
	return n >= m && strcmp(text + n - m, tail) == 0;
}

static bool event_of_action(const struct log_line *line, enum timeline_kind *to)
{
	bool undone = line->reason == REASON_UNDO || line->reason == REASON_RESTORE;
	bool failed = line->outcome == OUTCOME_FAILED || line->outcome == OUTCOME_UNKNOWN;
	*to = line->memory ? SIGN_BALLOON : SIGN_PIN;
	if (undone)
		*to = SIGN_UNDO;
	if (failed)
		*to = SIGN_FAULT;
	return failed || line->outcome == OUTCOME_DONE;
}

/* A line about an event is text only; these are the texts of the engine. */
static bool event_of_text(const char *text, enum timeline_kind *to)
{
	bool came = ends_with(text, " appeared"), gone = ends_with(text, " is gone");
	bool mode = (!strncmp(text, "CPU: ", 5) || !strncmp(text, "memory: ", 8)) &&
		    (ends_with(text, ": AUTO") || ends_with(text, ": MANUAL"));
	*to = gone ? SIGN_GONE : SIGN_AUTO;
	if (came)
		*to = SIGN_CAME;
	return came || gone || mode;
}

bool log_line_event(const struct log_line *line, struct timeline_event *to)
{
	to->wall_ns = line->wall_ns;
	to->kind = line->kind == LOG_MARK ? SIGN_MARK : SIGN_FAULT;
	if (line->kind == LOG_ACTION)
		return event_of_action(line, &to->kind);
	if (line->kind == LOG_EVENT)
		return event_of_text(line->text, &to->kind);
	return line->kind == LOG_MARK || line->kind == LOG_ERROR;
}

void timeline_add(struct timeline *timeline, const struct timeline_event *event)
{
	if (timeline->n_events == TIMELINE_EVENTS)
		memmove(timeline->events, timeline->events + 1,
			(size_t)--timeline->n_events * sizeof *timeline->events);
	timeline->events[timeline->n_events++] = *event;
}

char timeline_sign(enum timeline_kind k)
{
	static const char signs[] = {
#define TIMELINE_SIGN(kind, sign, name) [kind] = sign,
		TIMELINE_TABLE(TIMELINE_SIGN)
#undef TIMELINE_SIGN
	};
	return (unsigned)k < TIMELINE_KINDS ? signs[k] : '?';
}

const char *timeline_name(enum timeline_kind k)
{
	static const char *const names[] = {
#define TIMELINE_NAME(kind, sign, name) [kind] = name,
		TIMELINE_TABLE(TIMELINE_NAME)
#undef TIMELINE_NAME
	};
	return (unsigned)k < TIMELINE_KINDS ? names[k] : "?";
}
