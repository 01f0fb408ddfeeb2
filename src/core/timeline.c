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

static bool event_of_action(const struct log_line *l, enum timeline_kind *to)
{
	bool undone = l->reason == REASON_UNDO || l->reason == REASON_RESTORE;
	bool failed = l->outcome == OUTCOME_FAILED || l->outcome == OUTCOME_UNKNOWN;
	*to = l->memory ? SIGN_BALLOON : SIGN_PIN;
	if (undone)
		*to = SIGN_UNDO;
	if (failed)
		*to = SIGN_FAULT;
	return failed || l->outcome == OUTCOME_DONE;
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

bool log_line_event(const struct log_line *l, struct timeline_event *to)
{
	to->wall_ns = l->wall_ns;
	to->kind = l->kind == LOG_MARK ? SIGN_MARK : SIGN_FAULT;
	if (l->kind == LOG_ACTION)
		return event_of_action(l, &to->kind);
	if (l->kind == LOG_EVENT)
		return event_of_text(l->text, &to->kind);
	return l->kind == LOG_MARK || l->kind == LOG_ERROR;
}

void timeline_add(struct timeline *t, const struct timeline_event *e)
{
	if (t->n_events == TIMELINE_EVENTS)
		memmove(t->events, t->events + 1, (size_t)--t->n_events * sizeof *t->events);
	t->events[t->n_events++] = *e;
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
