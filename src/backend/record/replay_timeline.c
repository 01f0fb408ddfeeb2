/* SPDX-License-Identifier: MIT */
/* All of a recording in short, read at once: its deviation, and what happened when. Read anew now and then
 * while the file grows. Of events of one kind that share a place one is kept. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay_priv.h"

enum { AGAIN_S = 10 };

static int cell_of(const struct timeline *t, int64_t wall_ns)
{
	double span = (double)(t->to_ns - t->from_ns), at = (double)(wall_ns - t->from_ns);
	return span > 0 && at >= 0 && at <= span ? (int)(at * (TIMELINE_CELLS - 1) / span) : -1;
}

static int64_t wall_of(struct replay *r, int64_t tick)
{
	sqlite3_stmt *st = replay_ask(r, Q_WALL, tick, 0);
	int64_t wall = sqlite3_step(st) == SQLITE_ROW ? rec_int(st, 0) : 0;
	sqlite3_reset(st);
	return wall;
}

static void read_levels(struct replay *r, struct timeline *t)
{
	sqlite3_stmt *st = replay_ask(r, Q_DEVIATIONS, 0, 0);
	memset(t->level, TIMELINE_NOTHING, sizeof t->level);
	while (sqlite3_step(st) == SQLITE_ROW) {
		int cell = cell_of(t, rec_int(st, 0));
		if (cell >= 0 && sqlite3_column_type(st, 1) != SQLITE_NULL)
			t->level[cell] = (uint8_t)lround(fmin(fmax(rec_real(st, 1) * 2, 0), 100));
	}
	sqlite3_reset(st);
}

static void read_events(struct replay *r, struct timeline *t)
{
	bool seen[TIMELINE_CELLS][TIMELINE_KINDS] = {{false}};
	sqlite3_stmt *st = replay_ask(r, Q_LINES, 0, 0);
	while (sqlite3_step(st) == SQLITE_ROW) {
		struct log_line line;
		struct timeline_event e;
		rec_line_read(st, &line);
		int cell = cell_of(t, line.wall_ns);
		if (cell < 0 || !log_line_event(&line, &e) || seen[cell][e.kind])
			continue;
		seen[cell][e.kind] = true;
		timeline_add(t, &e);
	}
	sqlite3_reset(st);
}

const struct timeline *replay_timeline(struct backend *b)
{
	struct replay *r = (struct replay *)b;
	int64_t now = backend_real_now(b);
	if (r->hurry)
		return NULL;
	if (r->timeline &&
		(r->timeline_tick == r->last_tick || now - r->timeline_ns < AGAIN_S * INT64_C(1000000000)))
		return r->timeline;
	if (!r->timeline && !(r->timeline = malloc(sizeof *r->timeline)))
		return NULL;
	memset(r->timeline, 0, sizeof *r->timeline);
	r->timeline->from_ns = wall_of(r, r->first_tick);
	r->timeline->to_ns = wall_of(r, r->last_tick);
	read_levels(r, r->timeline);
	read_events(r, r->timeline);
	r->timeline_tick = r->last_tick;
	r->timeline_ns = now;
	return r->timeline;
}
