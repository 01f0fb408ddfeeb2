/* SPDX-License-Identifier: MIT */
/* All of a recording in short, read at once: its deviation, and what happened when. Read anew now and then
 * while the file grows. Of events of one kind that share a place one is kept. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay_priv.h"

enum { AGAIN_S = 10 };

static int cell_of(const struct timeline *timeline, int64_t wall_ns)
{
	double span = (double)(timeline->to_ns - timeline->from_ns),
	       at = (double)(wall_ns - timeline->from_ns);
	return span > 0 && at >= 0 && at <= span ? (int)(at * (TIMELINE_CELLS - 1) / span) : -1;
}

static int64_t wall_of(struct replay *replay, int64_t tick)
{
	sqlite3_stmt *stmt = replay_ask(replay, Q_WALL, tick, 0);
	int64_t wall = sqlite3_step(stmt) == SQLITE_ROW ? rec_int(stmt, 0) : 0;
	sqlite3_reset(stmt);
	return wall;
}

static void read_levels(struct replay *replay, struct timeline *timeline)
{
	sqlite3_stmt *stmt = replay_ask(replay, Q_DEVIATIONS, 0, 0);
	memset(timeline->level, TIMELINE_NOTHING, sizeof timeline->level);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		int cell = cell_of(timeline, rec_int(stmt, 0));
		if (cell >= 0 && sqlite3_column_type(stmt, 1) != SQLITE_NULL)
			timeline->level[cell] = (uint8_t)lround(fmin(fmax(rec_real(stmt, 1) * 2, 0), 100));
	}
	sqlite3_reset(stmt);
}

static void read_events(struct replay *replay, struct timeline *timeline)
{
	bool seen[TIMELINE_CELLS][TIMELINE_KINDS] = {{false}};
	sqlite3_stmt *stmt = replay_ask(replay, Q_LINES, 0, 0);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		struct log_line line;
		struct timeline_event event;
		rec_line_read(stmt, &line);
		int cell = cell_of(timeline, line.wall_ns);
		if (cell < 0 || !log_line_event(&line, &event) || seen[cell][event.kind])
			continue;
		seen[cell][event.kind] = true;
		timeline_add(timeline, &event);
	}
	sqlite3_reset(stmt);
}

const struct timeline *replay_timeline(struct backend *backend)
{
	struct replay *replay = (struct replay *)backend;
	int64_t now = backend_real_now(backend);
	if (replay->hurry)
		return NULL;
	if (replay->timeline && (replay->timeline_tick == replay->last_tick ||
					now - replay->timeline_ns < AGAIN_S * INT64_C(1000000000)))
		return replay->timeline;
	if (!replay->timeline && !(replay->timeline = malloc(sizeof *replay->timeline)))
		return NULL;
	memset(replay->timeline, 0, sizeof *replay->timeline);
	replay->timeline->from_ns = wall_of(replay, replay->first_tick);
	replay->timeline->to_ns = wall_of(replay, replay->last_tick);
	read_levels(replay, replay->timeline);
	read_events(replay, replay->timeline);
	replay->timeline_tick = replay->last_tick;
	replay->timeline_ns = now;
	return replay->timeline;
}
