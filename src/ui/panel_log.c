/* SPDX-License-Identifier: MIT */
/* The decision log, newest at the bottom, and the verdict of the last rounds. Invariant: once scrolled back
 * it stays where it is while new lines come. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "view_private.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

static enum style line_style(const struct log_line *line)
{
	if (line->kind == LOG_ERROR)
		return STYLE_BAD;
	if (line->kind == LOG_MARK)
		return STYLE_TITLE;
	if (line->kind == LOG_ROUND)
		return STYLE_DIM;
	if (line->kind != LOG_ACTION)
		return STYLE_NORMAL;
	if (line->outcome == OUTCOME_FAILED)
		return STYLE_BAD;
	if (line->outcome == OUTCOME_UNKNOWN)
		return STYLE_WARN;
	return line->outcome == OUTCOME_DONE ? STYLE_NORMAL : STYLE_DIM;
}

static bool wanted(const struct log_line *line, const uint8_t *uuid)
{
	return !uuid || (line->vm[0] && !uuid_compare(line->uuid, uuid));
}

enum { STAMP = 9, WRAP_MOST = 4, ROOMY = 5 };

static void line_text(const struct log_line *line, char *buf, size_t len)
{
	bool odd = line->kind == LOG_ACTION && line->outcome != OUTCOME_DONE;
	int n = snprintf(buf, len, "%s%s", text_if(line->kind == LOG_MARK, "MARK "), line->text);
	if (odd && !strstr(buf, outcome_text(line->outcome)) && n > 0 && (size_t)n < len)
		snprintf(buf + n, len - (size_t)n, " (%s)", outcome_text(line->outcome));
}

static int stamp_width(int cols)
{
	return cols >= 40 ? STAMP : 0;
}

/* At most so many rows. */
static int line_rows(const struct log_line *line, int most, const struct screen *scr, int cols)
{
	char text[760];
	if (most <= 1)
		return 1;
	line_text(line, text, sizeof text);
	int n = draw_wrapped_rows(scr, cols - stamp_width(cols), text);
	return clamp(n, 1, most);
}

static void line_draw(const struct log_line *line, struct screen *scr, struct rect area)
{
	char when[16] = "", text[760];
	time_t t = (time_t)(line->wall_ns / 1000000000);
	struct tm tm;
	int used = stamp_width(area.cols);
	if (used && localtime_r(&t, &tm))
		strftime(when, sizeof when, "%H:%M:%S ", &tm);
	line_text(line, text, sizeof text);
	screen_text(scr, area.row, area.col, used, STYLE_DIM, when);
	struct rect body = {area.row, area.col + used, area.rows, area.cols - used};
	if (area.rows > 1)
		draw_wrapped(scr, body, line_style(line), text);
	else
		draw_cut(scr, area.row, body.col, body.cols, line_style(line), text);
}

/* Index after the last line to show. */
static size_t log_end(const struct view *view, const struct snapshot *snap)
{
	size_t end = snap->n_log;
	if (view->log_seq)
		while (end > 1 && snap->log[end - 1].seq > view->log_seq)
			end--;
	return end;
}

/* Rows that lines may take beyond one each: all in the view of the log; else those that would be empty, and
 * one for the newest, which says what was decided now. */
static int spare_rows(const struct view *view, const struct snapshot *snap, const uint8_t *uuid, int rows)
{
	int lines = 0;
	if (view->id == VIEW_LOG)
		return rows;
	for (size_t i = log_end(view, snap); i > 0 && lines < rows; i--)
		lines += wanted(&snap->log[i - 1], uuid);
	return rows - lines > 0 ? rows - lines : rows >= ROOMY;
}

void log_draw(struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area,
	const uint8_t *uuid)
{
	if (area.rows < 2 || area.cols < 10)
		return;
	view_sight(view, FOCUS_LOG, area);
	char part[64] = "";
	uint8_t need_of[SNAPSHOT_LOG]; /* rows, the newest first */
	size_t end = log_end(view, snap), from = end;
	int rows = area.rows - 1, used = 0, row = area.row + 1;
	int spare = spare_rows(view, snap, uuid, rows);
	view->log_page = rows;
	if (end < snap->n_log)
		snprintf(part, sizeof part, "%zu newer below", snap->n_log - end);
	draw_title(scr, area, view_focus(view) == FOCUS_LOG, uuid ? "Decisions about it" : "Decisions",
		text_or(part, NULL));
	while (from > 0) { /* from the newest back, as many as fit whole */
		const struct log_line *line = &snap->log[from - 1];
		int most = spare < WRAP_MOST ? spare + 1 : WRAP_MOST;
		int need = wanted(line, uuid) ? line_rows(line, most, scr, area.cols) : 0;
		if (used + need > rows)
			break;
		used += need;
		spare -= excess(need, 1);
		need_of[end - from] = (uint8_t)need;
		from--;
	}
	for (size_t i = from; i < end; i++) {
		int n = need_of[end - 1 - i];
		if (n)
			line_draw(&snap->log[i], scr, (struct rect){row, area.col, n, area.cols});
		row += n;
	}
	if (!used)
		screen_text(scr, area.row + 1, area.col + 1, area.cols - 1, STYLE_DIM, "nothing decided yet");
}

static int verdict(const char *what, const struct why *why, struct screen *scr, struct rect area)
{
	char text[sizeof why->text];
	screen_text(scr, area.row, area.col, 8, STYLE_DIM, what);
	snprintf(text, sizeof text, "%s", text_or(why->text, reason_text(why->code)));
	return draw_wrapped(
		scr, (struct rect){area.row, area.col + 8, area.rows, area.cols - 8}, STYLE_NORMAL, text);
}

/* Rows used; room for a blank line after it is not counted. */
int verdicts_draw(const struct snapshot *snap, struct screen *scr, struct rect area)
{
	int most = area.rows / 2;
	if (most < 1 || area.cols < 20)
		return 0;
	int n = verdict("CPU", &snap->cpu.why, scr, (struct rect){area.row, area.col, most, area.cols});
	n = max_of(n, 1);
	int m = verdict(
		"memory", &snap->memory.why, scr, (struct rect){area.row + n, area.col, most, area.cols});
	return n + max_of(m, 1);
}
