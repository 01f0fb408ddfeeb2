/* SPDX-License-Identifier: MIT */
/* The decision log, newest at the bottom, and the verdict of the last rounds. Invariant: once scrolled back
 * it stays where it is while new lines come. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "view_private.h"
#include "vmtop/text.h"

static enum style line_style(const struct log_line *l)
{
	if (l->kind == LOG_ERROR)
		return STYLE_BAD;
	if (l->kind == LOG_MARK)
		return STYLE_TITLE;
	if (l->kind == LOG_ROUND)
		return STYLE_DIM;
	if (l->kind != LOG_ACTION)
		return STYLE_NORMAL;
	return l->outcome == OUTCOME_FAILED    ? STYLE_BAD
	       : l->outcome == OUTCOME_UNKNOWN ? STYLE_WARN
	       : l->outcome == OUTCOME_DONE    ? STYLE_NORMAL
					       : STYLE_DIM;
}

static bool wanted(const struct log_line *l, const uint8_t *uuid)
{
	return !uuid || (l->vm[0] && !uuid_compare(l->uuid, uuid));
}

static int line_draw(const struct log_line *l, bool wrap, struct screen *to, struct rect at)
{
	char when[16] = "", text[600];
	time_t t = (time_t)(l->wall_ns / 1000000000);
	struct tm tm;
	if (localtime_r(&t, &tm))
		strftime(when, sizeof when, at.cols >= 40 ? "%H:%M:%S " : "", &tm);
	int used = at.cols >= 40 ? 9 : 0;
	bool odd = l->kind == LOG_ACTION && l->outcome != OUTCOME_DONE;
	snprintf(text, sizeof text, "%s%s%s", l->kind == LOG_MARK ? "MARK " : "", l->text, "");
	if (odd && !strstr(text, outcome_text(l->outcome))) {
		size_t n = strlen(text);
		snprintf(text + n, sizeof text - n, " (%s)", outcome_text(l->outcome));
	}
	screen_text(to, at.row, at.col, used, STYLE_DIM, when);
	struct rect body = {at.row, at.col + used, at.rows, at.cols - used};
	if (wrap)
		return draw_wrapped(to, body, line_style(l), text);
	draw_cut(to, at.row, body.col, body.cols, line_style(l), text);
	return 1;
}

/* Index after the last line to show. */
static size_t log_end(const struct view *v, const struct snapshot *s)
{
	size_t end = s->n_log;
	if (v->log_seq)
		while (end > 1 && s->log[end - 1].seq > v->log_seq)
			end--;
	return end;
}

void log_draw(
	struct view *v, const struct snapshot *s, struct screen *to, struct rect at, const uint8_t *uuid)
{
	if (at.rows < 2 || at.cols < 10)
		return;
	char part[64] = "";
	size_t end = log_end(v, s), shown = 0, from = end;
	int rows = at.rows - 1;
	v->log_page = rows;
	if (end < s->n_log)
		snprintf(part, sizeof part, "%zu newer below", s->n_log - end);
	draw_title(to, at, view_focus(v) == FOCUS_LOG, uuid ? "Decisions about it" : "Decisions",
		part[0] ? part : NULL);
	while (from > 0 && shown < (size_t)rows)
		shown += wanted(&s->log[--from], uuid);
	int row = 0;
	for (size_t i = from; i < end && row < rows; i++)
		if (wanted(&s->log[i], uuid))
			row += line_draw(
				&s->log[i], false, to, (struct rect){at.row + 1 + row, at.col, 1, at.cols});
	if (!row)
		screen_text(to, at.row + 1, at.col + 1, at.cols - 1, STYLE_DIM, "nothing decided yet");
}

static int verdict(const char *what, const struct why *w, struct screen *to, struct rect at)
{
	char text[240];
	screen_text(to, at.row, at.col, 8, STYLE_DIM, what);
	snprintf(text, sizeof text, "%s", w->text[0] ? w->text : reason_text(w->code));
	return draw_wrapped(to, (struct rect){at.row, at.col + 8, at.rows, at.cols - 8}, STYLE_NORMAL, text);
}

void verdicts_draw(const struct snapshot *s, struct screen *to, struct rect at)
{
	int rows = at.rows / 2;
	if (rows < 1 || at.cols < 20)
		return;
	verdict("CPU", &s->cpu.why, to, (struct rect){at.row, at.col, rows, at.cols});
	verdict("memory", &s->memory.why, to, (struct rect){at.row + rows, at.col, rows, at.cols});
}
