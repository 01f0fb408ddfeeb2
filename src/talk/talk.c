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

int talk_init(struct talk *t, struct backend *b)
{
	*t = (struct talk){.b = b};
	t->log.lines = calloc(SNAPSHOT_LOG, sizeof *t->log.lines);
	return t->log.lines ? 0 : -1;
}

void talk_done(struct talk *t)
{
	free(t->log.lines);
	memset(t, 0, sizeof *t);
}

void talk_clock(struct talk *t, const struct sample *s)
{
	t->wall_ahead_ns = s->wall_ns - s->time_ns;
	t->has_clock = true;
}

static int64_t log_time(const struct talk *t)
{
	return t->has_clock ? t->wall_ahead_ns + t->b->ops->now(t->b) : backend_wall(t->b);
}

struct log_line *talk_line(struct talk *t, enum log_kind kind)
{
	struct log_ring *l = &t->log;
	size_t at = (l->first + l->n) % SNAPSHOT_LOG;
	if (l->n == SNAPSHOT_LOG)
		l->first = (l->first + 1) % SNAPSHOT_LOG;
	else
		l->n++;
	struct log_line *line = &l->lines[at];
	memset(line, 0, sizeof *line);
	line->kind = kind;
	line->vcpu = -1;
	line->seq = ++l->seq;
	line->wall_ns = log_time(t);
	return line;
}

void talk_event(struct talk *t, enum log_kind kind, const char *fmt, ...)
{
	if (t->silent)
		return;
	struct log_line *line = talk_line(t, kind);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(line->text, sizeof line->text, fmt, ap);
	va_end(ap);
	backend_note(t->b, line);
}

void talk_once(struct talk *t, enum log_kind kind, const char *text)
{
	if (strcmp(t->said_last, text) == 0)
		return;
	snprintf(t->said_last, sizeof t->said_last, "%s", text);
	talk_event(t, kind, "%s", text);
}

static void change_text(const struct action *a, char *buf, size_t len)
{
	char from[64], to[64];
	switch (a->kind) {
	case ACTION_PIN:
		if (cpuset_format(&a->from, from, sizeof from) >= sizeof from)
			snprintf(from, sizeof from, "%d pCPU%s", cpuset_count(&a->from),
				text_s((size_t)cpuset_count(&a->from)));
		if (cpuset_format(&a->to, to, sizeof to) >= sizeof to)
			snprintf(to, sizeof to, "%d pCPU%s", cpuset_count(&a->to),
				text_s((size_t)cpuset_count(&a->to)));
		snprintf(buf, len, " vCPU %d: %s -> %s", a->vcpu, *from ? from : "?", to);
		break;
	case ACTION_BALLOON:
		text_kib(from, sizeof from, a->from_kib);
		text_kib(to, sizeof to, a->to_kib);
		snprintf(buf, len, " balloon: %s -> %s", from, to);
		break;
	case ACTION_PERIOD:
		snprintf(buf, len, " statistics period: %d s -> %d s", a->from_s, a->to_s);
		break;
	case ACTION_SHARES:
		snprintf(buf, len, " CPU shares: %d -> %d", a->from_shares, a->to_shares);
		break;
	}
}

void talk_action(struct talk *t, const struct action *a, const char *vm, const char *more)
{
	if (t->silent)
		return;
	struct log_line *line = talk_line(t, LOG_ACTION);
	char name[101], change[160];
	memcpy(line->uuid, a->uuid, UUID_BYTES);
	snprintf(line->vm, sizeof line->vm, "%s", vm);
	text_escape(name, sizeof name, line->vm);
	change_text(a, change, sizeof change);
	line->memory = a->kind == ACTION_BALLOON || a->kind == ACTION_PERIOD;
	line->vcpu = a->vcpu;
	line->reason = a->why.code;
	line->outcome = a->outcome;
	if (a->outcome == OUTCOME_DONE)
		snprintf(line->text, sizeof line->text, "%s%s, %.279s", name, change, a->why.text);
	else
		snprintf(line->text, sizeof line->text, "%s: %s%s, %.100s%s%.240s", outcome_text(a->outcome),
			name, change, a->why.text, *more ? ": " : "", more);
	backend_note(t->b, line);
}

void talk_notice(struct talk *t, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(t->notice, sizeof t->notice, fmt, ap);
	va_end(ap);
	t->notice_until_ns = t->b->ops->now(t->b) + NOTICE_S * INT64_C(1000000000);
}
