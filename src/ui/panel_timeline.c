/* SPDX-License-Identifier: MIT */
/* The timeline: the deviation over all that one can go back to, and below it what happened when, with a sign
 * a kind. The same for a running host and for a recording. */
#include <stdio.h>
#include <string.h>

#include "view_private.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

/* Of a running host: what the history and the tape have. */
static bool live_timeline(const struct view *v, const struct snapshot *s, struct timeline *t)
{
	if (!v->back.tape || tape_end(v->back.tape) < tape_first(v->back.tape) + 2)
		return false;
	int64_t wall = s->sample.wall_ns - s->sample.time_ns,
		first = tape_time_ns(v->back.tape, tape_first(v->back.tape));
	int64_t last = tape_time_ns(v->back.tape, tape_end(v->back.tape) - 1);
	*t = v->back.timeline;
	t->from_ns = first + wall;
	t->to_ns = last + wall;
	memset(t->level, TIMELINE_NOTHING, sizeof t->level);
	struct history h = v->hist;
	h.back = 0;
	struct series found = history_of_host(&h, HOST_FOUND), excess = history_of_host(&h, HOST_EXCESS);
	for (uint64_t i = found.first; i < found.end && last > first; i++) {
		int64_t at = h.at_ns[i % HISTORY_POINTS];
		uint8_t a = found.levels[i % found.n * found.stride];
		uint8_t b = excess.levels[i % excess.n * excess.stride];
		if (at < first || at > last || b == DRAW_NO_LEVEL)
			continue;
		int cell = (int)((double)(at - first) * (TIMELINE_CELLS - 1) / (double)(last - first));
		int half_pct = 2 * (b + (a == DRAW_NO_LEVEL ? 0 : a));
		t->level[cell] = (uint8_t)min_of(half_pct, 100);
	}
	return true;
}

/* Cells without a value show that of the one before: a short span has fewer points than cells. */
static void draw_levels(const struct timeline *t, struct screen *to, int row, int col, int cols)
{
	uint8_t last = TIMELINE_NOTHING;
	for (int i = 0; i < cols; i++) {
		int from = i * TIMELINE_CELLS / cols, end = (i + 1) * TIMELINE_CELLS / cols;
		uint8_t most = TIMELINE_NOTHING;
		for (int k = from; k < end || k == from; k++)
			if (t->level[k] != TIMELINE_NOTHING &&
				(most == TIMELINE_NOTHING || t->level[k] > most))
				most = t->level[k];
		last = most == TIMELINE_NOTHING ? last : most;
		if (last != TIMELINE_NOTHING)
			screen_fill(to, row, col + i, 1, draw_load_style(last), draw_level(to, last));
	}
}

static int column_of(const struct timeline *t, int64_t wall_ns, int cols)
{
	double span = (double)(t->to_ns - t->from_ns), at = (double)(wall_ns - t->from_ns);
	if (span <= 0 || at < 0 || at > span)
		return -1;
	return (int)(at * (cols - 1) / span);
}

static enum style event_style(enum timeline_kind k)
{
	if (k == SIGN_FAULT)
		return STYLE_BAD;
	if (k == SIGN_MARK)
		return STYLE_TITLE;
	return k >= SIGN_AUTO ? STYLE_WARN : STYLE_NORMAL;
}

static void draw_events(const struct timeline *t, struct screen *to, int row, int col, int cols)
{
	for (int kind = 0; kind < TIMELINE_KINDS; kind++)
		for (int i = 0; i < t->n_events; i++) {
			int at = column_of(t, t->events[i].wall_ns, cols);
			if (at >= 0 && (int)t->events[i].kind == kind)
				screen_fill(to, row, col + at, 1, event_style(t->events[i].kind),
					(uint32_t)timeline_sign(t->events[i].kind));
		}
}

static void clock_text(char buf[16], int64_t wall_ns)
{
	char text[64];
	text_time(text, sizeof text, wall_ns);
	const char *clock = strchr(text, 'T');
	snprintf(buf, 16, "%.8s", clock ? clock + 1 : text);
}

static void title(const struct snapshot *s, const struct timeline *t, struct screen *to, struct rect at)
{
	char from[16], end[16], text[120], ago[24], right[48];
	clock_text(from, t->from_ns);
	clock_text(end, t->to_ns);
	snprintf(text, sizeof text, "Timeline %s to %s: deviation, events", from, end);
	graph_age(ago, sizeof ago, (double)(t->to_ns - s->sample.wall_ns) / 1e9);
	if (s->moment == MOMENT_KEPT)
		snprintf(right, sizeof right, "PAST, %s ago", ago);
	else
		snprintf(right, sizeof right, "%s", s->moment == MOMENT_PLAYED ? "" : "LIVE");
	draw_title(to, (struct rect){at.row, at.col, 1, at.cols}, false, text, right[0] ? right : NULL);
}

void timeline_draw(const struct view *v, const struct snapshot *s, struct screen *to, struct rect at)
{
	struct timeline live;
	const struct timeline *t = s->timeline;
	if (at.rows < TIMELINE_ROWS || at.cols < 20 || (!t && !live_timeline(v, s, &live)))
		return;
	t = t ? t : &live;
	title(s, t, to, at);
	draw_levels(t, to, at.row + 1, at.col, at.cols);
	draw_events(t, to, at.row + 2, at.col, at.cols);
	int cursor = column_of(t, s->sample.wall_ns, at.cols);
	if (cursor < 0 || s->moment == MOMENT_NOW)
		return;
	for (int i = 1; i < TIMELINE_ROWS; i++)
		screen_style(to, at.row + i, at.col + cursor, 1, STYLE_SELECTED);
	if (to->cells[(at.row + 2) * to->cols + at.col + cursor].ch == ' ')
		screen_fill(to, at.row + 2, at.col + cursor, 1, STYLE_SELECTED, '^');
}
