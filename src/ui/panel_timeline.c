/* SPDX-License-Identifier: MIT */
/* The timeline: the deviation over all that one can go back to, and below it what happened when, with a sign
 * a kind. The same for a running host and for a recording. */
#include <stdio.h>
#include <string.h>

#include "view_private.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

/* Of a running host: what the history and the tape have. */
static bool live_timeline(const struct view *view, const struct snapshot *snap, struct timeline *timeline)
{
	if (!view->back.tape || tape_end(view->back.tape) < tape_first(view->back.tape) + 2)
		return false;
	int64_t wall = snap->sample.wall_ns - snap->sample.time_ns,
		first = tape_time_ns(view->back.tape, tape_first(view->back.tape));
	int64_t last = tape_time_ns(view->back.tape, tape_end(view->back.tape) - 1);
	*timeline = view->back.timeline;
	timeline->from_ns = first + wall;
	timeline->to_ns = last + wall;
	memset(timeline->level, TIMELINE_NOTHING, sizeof timeline->level);
	struct history hist = view->hist;
	hist.back = 0;
	struct series found = history_of_host(&hist, HOST_FOUND),
		      excess = history_of_host(&hist, HOST_EXCESS);
	for (uint64_t i = found.first; i < found.end && last > first; i++) {
		int64_t at = hist.at_ns[i % HISTORY_POINTS];
		uint8_t a = found.levels[i % found.n * found.stride];
		uint8_t b = excess.levels[i % excess.n * excess.stride];
		if (at < first || at > last || b == DRAW_NO_LEVEL)
			continue;
		int cell = (int)((double)(at - first) * (TIMELINE_CELLS - 1) / (double)(last - first));
		int half_pct = 2 * (b + (a == DRAW_NO_LEVEL ? 0 : a));
		timeline->level[cell] = (uint8_t)min_of(half_pct, 100);
	}
	return true;
}

/* Cells without a value show that of the one before: a short span has fewer points than cells. */
static void draw_levels(const struct timeline *timeline, struct screen *scr, int row, int col, int cols)
{
	uint8_t last = TIMELINE_NOTHING;
	for (int i = 0; i < cols; i++) {
		int from = i * TIMELINE_CELLS / cols, end = (i + 1) * TIMELINE_CELLS / cols;
		uint8_t most = TIMELINE_NOTHING;
		for (int k = from; k < end || k == from; k++)
			if (timeline->level[k] != TIMELINE_NOTHING &&
				(most == TIMELINE_NOTHING || timeline->level[k] > most))
				most = timeline->level[k];
		last = most == TIMELINE_NOTHING ? last : most;
		if (last != TIMELINE_NOTHING)
			screen_fill(scr, row, col + i, 1, draw_load_style(last), draw_level(scr, last));
	}
}

static int column_of(const struct timeline *timeline, int64_t wall_ns, int cols)
{
	double span = (double)(timeline->to_ns - timeline->from_ns),
	       at = (double)(wall_ns - timeline->from_ns);
	if (span <= 0 || at < 0 || at > span)
		return -1;
	return (int)(at * (cols - 1) / span);
}

static enum style event_style(enum timeline_kind kind)
{
	if (kind == SIGN_FAULT)
		return STYLE_BAD;
	if (kind == SIGN_MARK)
		return STYLE_TITLE;
	return kind >= SIGN_AUTO ? STYLE_WARN : STYLE_NORMAL;
}

static void draw_events(const struct timeline *timeline, struct screen *scr, int row, int col, int cols)
{
	for (int kind = 0; kind < TIMELINE_KINDS; kind++)
		for (int i = 0; i < timeline->n_events; i++) {
			int at = column_of(timeline, timeline->events[i].wall_ns, cols);
			if (at >= 0 && (int)timeline->events[i].kind == kind)
				screen_fill(scr, row, col + at, 1, event_style(timeline->events[i].kind),
					(uint32_t)timeline_sign(timeline->events[i].kind));
		}
}

static void clock_text(char buf[16], int64_t wall_ns)
{
	char text[64];
	text_time(text, sizeof text, wall_ns);
	const char *clock = strchr(text, 'T');
	snprintf(buf, 16, "%.8s", clock ? clock + 1 : text);
}

static void title(
	const struct snapshot *snap, const struct timeline *timeline, struct screen *scr, struct rect area)
{
	char from[16], end[16], text[120], ago[24], right[48];
	clock_text(from, timeline->from_ns);
	clock_text(end, timeline->to_ns);
	snprintf(text, sizeof text, "Timeline %s to %s: deviation, events", from, end);
	graph_age(ago, sizeof ago, (double)(timeline->to_ns - snap->sample.wall_ns) / 1e9);
	if (snap->moment == MOMENT_KEPT)
		snprintf(right, sizeof right, "PAST, %s ago", ago);
	else
		snprintf(right, sizeof right, "%s", text_if(snap->moment != MOMENT_PLAYED, "LIVE"));
	draw_title(scr, (struct rect){area.row, area.col, 1, area.cols}, false, text, text_or(right, NULL));
}

void timeline_draw(const struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area)
{
	struct timeline live;
	const struct timeline *timeline = snap->timeline;
	if (area.rows < TIMELINE_ROWS || area.cols < 20 || (!timeline && !live_timeline(view, snap, &live)))
		return;
	if (!timeline)
		timeline = &live;
	title(snap, timeline, scr, area);
	draw_levels(timeline, scr, area.row + 1, area.col, area.cols);
	draw_events(timeline, scr, area.row + 2, area.col, area.cols);
	int cursor = column_of(timeline, snap->sample.wall_ns, area.cols);
	if (cursor < 0 || snap->moment == MOMENT_NOW)
		return;
	for (int i = 1; i < TIMELINE_ROWS; i++)
		screen_style(scr, area.row + i, area.col + cursor, 1, STYLE_SELECTED);
	if (scr->cells[(area.row + 2) * scr->cols + area.col + cursor].ch == ' ')
		screen_fill(scr, area.row + 2, area.col + cursor, 1, STYLE_SELECTED, '^');
}
