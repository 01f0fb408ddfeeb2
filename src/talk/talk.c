/* SPDX-License-Identifier: MIT */
/* The decision log: a ring of lines. Invariant: every action carried out, refused or failed leaves one line;
 * names from outside are escaped before they get into a line's text. */
#include "talk.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/backend.h"
#include "vmtop/text.h"

enum { NOTICE_S = 15 };

int talk_init(struct talk *talk, struct backend *backend)
{
	*talk = (struct talk){.backend = backend};
	talk->log.lines = calloc(SNAPSHOT_LOG, sizeof *talk->log.lines);
	return talk->log.lines ? 0 : -1;
}

void talk_done(struct talk *talk)
{
	free(talk->log.lines);
	memset(talk, 0, sizeof *talk);
}

void talk_clock(struct talk *talk, const struct sample *sample)
{
	talk->wall_ahead_ns = sample->wall_ns - sample->time_ns;
	talk->has_clock = true;
}

static int64_t log_time(const struct talk *talk)
{
	return talk->has_clock ? talk->wall_ahead_ns + talk->backend->ops->now(talk->backend)
			       : backend_wall(talk->backend);
}

struct log_line *talk_line(struct talk *talk, enum log_kind kind)
{
	struct log_ring *ring = &talk->log;
	size_t at = (ring->first + ring->n) % SNAPSHOT_LOG;
	if (ring->n == SNAPSHOT_LOG)
		ring->first = (ring->first + 1) % SNAPSHOT_LOG;
	else
		ring->n++;
	struct log_line *line = &ring->lines[at];
	memset(line, 0, sizeof *line);
	line->kind = kind;
	line->vcpu = -1;
	line->seq = ++ring->seq;
	line->wall_ns = log_time(talk);
	return line;
}

void talk_event(struct talk *talk, enum log_kind kind, const char *fmt, ...)
{
	if (talk->silent)
		return;
	struct log_line *line = talk_line(talk, kind);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(line->text, sizeof line->text, fmt, ap);
	va_end(ap);
	backend_note(talk->backend, line);
}

void talk_once(struct talk *talk, enum log_kind kind, const char *text)
{
	if (strcmp(talk->said_last, text) == 0)
		return;
	snprintf(talk->said_last, sizeof talk->said_last, "%s", text);
	talk_event(talk, kind, "%s", text);
}

static void change_text(const struct action *action, char *buf, size_t len)
{
	char from[64], to[64];
	switch (action->kind) {
	case ACTION_PIN:
		if (cpuset_format(&action->from, from, sizeof from) >= sizeof from)
			snprintf(from, sizeof from, "%d pCPU%s", cpuset_count(&action->from),
				text_s((size_t)cpuset_count(&action->from)));
		if (cpuset_format(&action->to, to, sizeof to) >= sizeof to)
			snprintf(to, sizeof to, "%d pCPU%s", cpuset_count(&action->to),
				text_s((size_t)cpuset_count(&action->to)));
		snprintf(buf, len, " vCPU %d: %s -> %s", action->vcpu, text_or(from, "?"), to);
		break;
	case ACTION_BALLOON:
		text_kib(from, sizeof from, action->from_kib);
		text_kib(to, sizeof to, action->to_kib);
		snprintf(buf, len, " balloon: %s -> %s", from, to);
		break;
	case ACTION_PERIOD:
		snprintf(buf, len, " statistics period: %d s -> %d s", action->from_s, action->to_s);
		break;
	case ACTION_SHARES:
		snprintf(buf, len, " CPU shares: %d -> %d", action->from_shares, action->to_shares);
		break;
	}
}

void talk_action(struct talk *talk, const struct action *action, const char *vm, const char *more)
{
	if (talk->silent)
		return;
	struct log_line *line = talk_line(talk, LOG_ACTION);
	char name[101], change[160];
	memcpy(line->uuid, action->uuid, UUID_BYTES);
	snprintf(line->vm, sizeof line->vm, "%s", vm);
	text_escape(name, sizeof name, line->vm);
	change_text(action, change, sizeof change);
	line->memory = action->kind == ACTION_BALLOON || action->kind == ACTION_PERIOD;
	line->vcpu = action->vcpu;
	line->reason = action->why.code;
	line->outcome = action->outcome;
	if (action->outcome == OUTCOME_DONE)
		snprintf(line->text, sizeof line->text, "%s%s, %.279s", name, change, action->why.text);
	else
		snprintf(line->text, sizeof line->text, "%s: %s%s, %.100s%s%.240s",
			outcome_text(action->outcome), name, change, action->why.text, text_if(*more, ": "),
			more);
	backend_note(talk->backend, line);
}

void talk_notice(struct talk *talk, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(talk->notice, sizeof talk->notice, fmt, ap);
	va_end(ap);
	talk->notice_until_ns = talk->backend->ops->now(talk->backend) + NOTICE_S * INT64_C(1000000000);
}
