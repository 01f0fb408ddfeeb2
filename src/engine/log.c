/* SPDX-License-Identifier: MIT */
/* The decision log: a ring of lines. Invariant: every action carried out, refused or failed leaves one line;
 * names from outside are escaped before they get into a line's text. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "priv.h"
#include "vmtop/text.h"

enum { NOTICE_S = 15 };

int log_init(struct log_ring *l)
{
	l->lines = calloc(SNAPSHOT_LOG, sizeof *l->lines);
	return l->lines ? 0 : -1;
}

void log_done(struct log_ring *l)
{
	free(l->lines);
	memset(l, 0, sizeof *l);
}

/* Before the first sample there is no sample time; the wall clock of the machine serves. */
static int64_t log_time(const struct engine *en)
{
	if (en->have_sample)
		return en->sample.wall_ns + en->b->ops->now(en->b) - en->sample.time_ns;
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

struct log_line *log_add(struct engine *en, enum log_kind kind)
{
	struct log_ring *l = &en->log;
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
	line->wall_ns = log_time(en);
	return line;
}

void log_event(struct engine *en, enum log_kind kind, const char *fmt, ...)
{
	if (replay_shows(en))
		return;
	struct log_line *line = log_add(en, kind);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(line->text, sizeof line->text, fmt, ap);
	va_end(ap);
	backend_note(en->b, line);
}

void log_event_once(struct engine *en, enum log_kind kind, const char *text)
{
	if (strcmp(en->last_error, text) == 0)
		return;
	snprintf(en->last_error, sizeof en->last_error, "%s", text);
	log_event(en, kind, "%s", text);
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

void log_action(struct engine *en, const struct action *a)
{
	if (replay_shows(en))
		return;
	const struct vm_sample *vm = sample_vm_by_uuid(&en->sample, a->uuid);
	const struct vm_record *r = ledger_find(&en->ledger, a->uuid);
	struct log_line *line = log_add(en, LOG_ACTION);
	char name[101], change[160];
	memcpy(line->uuid, a->uuid, UUID_BYTES);
	snprintf(line->vm, sizeof line->vm, "%s", vm ? vm->name : r ? r->name : "");
	text_escape(name, sizeof name, line->vm);
	change_text(a, change, sizeof change);
	line->memory = a->kind == ACTION_BALLOON || a->kind == ACTION_PERIOD;
	line->vcpu = a->vcpu;
	line->reason = a->why.code;
	line->outcome = a->outcome;
	if (a->outcome == OUTCOME_DONE)
		snprintf(line->text, sizeof line->text, "%s%s, %.279s", name, change, a->why.text);
	else
		snprintf(line->text, sizeof line->text, "%s: %s%s, %.60s%s%.300s", outcome_text(a->outcome),
			name, change, a->why.text, *a->error ? ": " : "", a->error);
	backend_note(en->b, line);
}

void notice_set(struct engine *en, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(en->notice, sizeof en->notice, fmt, ap);
	va_end(ap);
	en->notice_until_ns = en->b->ops->now(en->b) + NOTICE_S * INT64_C(1000000000);
}
