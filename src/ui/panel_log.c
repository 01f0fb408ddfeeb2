/* SPDX-License-Identifier: MIT */
/* The decision log, newest at the bottom, and the verdict of the last rounds. Invariant: once scrolled back
 * it stays where it is while new lines come. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "view_private.h"
#include "vmtop/minmax.h"
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
	if (l->outcome == OUTCOME_FAILED)
		return STYLE_BAD;
	if (l->outcome == OUTCOME_UNKNOWN)
		return STYLE_WARN;
	return l->outcome == OUTCOME_DONE ? STYLE_NORMAL : STYLE_DIM;
}

static bool wanted(const struct log_line *l, const uint8_t *uuid)
{
	return !uuid || (l->vm[0] && !uuid_compare(l->uuid, uuid));
}

enum { STAMP = 9, WRAP_MOST = 4, ROOMY = 5 };

static void line_text(const struct log_line *l, char *buf, size_t len)
{
	bool odd = l->kind == LOG_ACTION && l->outcome != OUTCOME_DONE;
	int n = snprintf(buf, len, "%s%s", l->kind == LOG_MARK ? "MARK " : "", l->text);
	if (odd && !strstr(buf, outcome_text(l->outcome)) && n > 0 && (size_t)n < len)
		snprintf(buf + n, len - (size_t)n, " (%s)", outcome_text(l->outcome));
}

static int stamp_width(int cols)
{
	return cols >= 40 ? STAMP : 0;
}

/* At most so many rows. */
static int line_rows(const struct log_line *l, int most, const struct screen *to, int cols)
{
	char text[760];
	if (most <= 1)
		return 1;
	line_text(l, text, sizeof text);
	int n = draw_wrapped_rows(to, cols - stamp_width(cols), text);
	return clamp(n, 1, most);
}

static void line_draw(const struct log_line *l, struct screen *to, struct rect at)
{
	char when[16] = "", text[760];
	time_t t = (time_t)(l->wall_ns / 1000000000);
	struct tm tm;
	int used = stamp_width(at.cols);
	if (used && localtime_r(&t, &tm))
		strftime(when, sizeof when, "%H:%M:%S ", &tm);
	line_text(l, text, sizeof text);
	screen_text(to, at.row, at.col, used, STYLE_DIM, when);
	struct rect body = {at.row, at.col + used, at.rows, at.cols - used};
	if (at.rows > 1)
		draw_wrapped(to, body, line_style(l), text);
	else
		draw_cut(to, at.row, body.col, body.cols, line_style(l), text);
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

/* Rows that lines may take beyond one each: all in the view of the log; else those that would be empty, and
 * one for the newest, which says what was decided now. */
static int spare_rows(const struct view *v, const struct snapshot *s, const uint8_t *uuid, int rows)
{
	int lines = 0;
	if (v->id == VIEW_LOG)
		return rows;
	for (size_t i = log_end(v, s); i > 0 && lines < rows; i--)
		lines += wanted(&s->log[i - 1], uuid);
	return rows - lines > 0 ? rows - lines : rows >= ROOMY;
}

void log_draw(
	struct view *v, const struct snapshot *s, struct screen *to, struct rect at, const uint8_t *uuid)
{
	if (at.rows < 2 || at.cols < 10)
		return;
	view_sight(v, FOCUS_LOG, at);
	char part[64] = "";
	uint8_t need_of[SNAPSHOT_LOG]; /* rows, the newest first */
	size_t end = log_end(v, s), from = end;
	int rows = at.rows - 1, used = 0, row = at.row + 1;
	int spare = spare_rows(v, s, uuid, rows);
	v->log_page = rows;
	if (end < s->n_log)
		snprintf(part, sizeof part, "%zu newer below", s->n_log - end);
	draw_title(to, at, view_focus(v) == FOCUS_LOG, uuid ? "Decisions about it" : "Decisions",
		part[0] ? part : NULL);
	while (from > 0) { /* from the newest back, as many as fit whole */
		const struct log_line *l = &s->log[from - 1];
		int most = spare < WRAP_MOST ? spare + 1 : WRAP_MOST;
		int need = wanted(l, uuid) ? line_rows(l, most, to, at.cols) : 0;
		if (used + need > rows)
			break;
		used += need;
		spare -= need > 1 ? need - 1 : 0;
		need_of[end - from] = (uint8_t)need;
		from--;
	}
	for (size_t i = from; i < end; i++) {
		int n = need_of[end - 1 - i];
		if (n)
			line_draw(&s->log[i], to, (struct rect){row, at.col, n, at.cols});
		row += n;
	}
	if (!used)
		screen_text(to, at.row + 1, at.col + 1, at.cols - 1, STYLE_DIM, "nothing decided yet");
}

static int verdict(const char *what, const struct why *w, struct screen *to, struct rect at)
{
	char text[sizeof w->text];
	screen_text(to, at.row, at.col, 8, STYLE_DIM, what);
	snprintf(text, sizeof text, "%s", w->text[0] ? w->text : reason_text(w->code));
	return draw_wrapped(to, (struct rect){at.row, at.col + 8, at.rows, at.cols - 8}, STYLE_NORMAL, text);
}

/* Rows used; room for a blank line after it is not counted. */
int verdicts_draw(const struct snapshot *s, struct screen *to, struct rect at)
{
	int most = at.rows / 2;
	if (most < 1 || at.cols < 20)
		return 0;
	int n = verdict("CPU", &s->cpu.why, to, (struct rect){at.row, at.col, most, at.cols});
	n = max_of(n, 1);
	int m = verdict("memory", &s->memory.why, to, (struct rect){at.row + n, at.col, most, at.cols});
	return n + max_of(m, 1);
}
