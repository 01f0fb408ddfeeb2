/* SPDX-License-Identifier: MIT */
/* Back in time on a running host: the view shows a snapshot of the tape instead of the newest. Invariant:
 * what is shown then can steer nothing, and taking in what is new goes on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view_private.h"
#include "vmtop/minmax.h"

void past_events(struct back *back, const struct snapshot *snap)
{
	struct timeline_event event;
	for (size_t i = 0; i < snap->n_log; i++) {
		if (snap->log[i].seq > back->events_seq && log_line_event(&snap->log[i], &event))
			timeline_add(&back->timeline, &event);
		back->events_seq = max_of(snap->log[i].seq, back->events_seq);
	}
}

/* Not one that is shown again. */
static bool is_new(const struct view *view, const struct snapshot *snap)
{
	bool any = view->back.tape && tape_end(view->back.tape) > tape_first(view->back.tape);
	return !any || snap->sample.time_ns != tape_time_ns(view->back.tape, tape_end(view->back.tape) - 1);
}

void view_keep(struct view *view, const struct snapshot *snap)
{
	if (snap->first || snap->moment != MOMENT_NOW || !is_new(view, snap))
		return;
	if (!view->back.tape)
		view->back.tape = tape_new(HISTORY_POINTS, TAPE_BYTES);
	if (view->back.tape)
		tape_feed(view->back.tape, snap);
}

static void look_again(struct view *view)
{
	view->rows_stale = view->units.stale = true;
	view->log_seq = 0;
}

void past_leave(struct view *view)
{
	snapshot_free(view->back.shown);
	free(view->back.log);
	view->back.shown = NULL;
	view->back.log = NULL;
	view->hist.back = 0;
	look_again(view);
}

/* Lines up to the sample after it: what was decided on it. */
static size_t lines_until(const struct view *view, int64_t wall_ns)
{
	size_t n = view->back.n_log;
	while (n > 0 && view->back.log[n - 1].wall_ns >= wall_ns)
		n--;
	return n;
}

/* The log is that of the moment at which one went back. */
static void keep_log(struct view *view, const struct snapshot *live)
{
	size_t bytes = live->n_log * sizeof *live->log;
	view->back.log = malloc(max_of(bytes, 1));
	view->back.n_log = view->back.log ? live->n_log : 0;
	if (view->back.n_log)
		memcpy(view->back.log, live->log, bytes);
}

static void past_to(struct view *view, const struct snapshot *s, uint64_t i)
{
	struct snapshot *p = tape_read(view->back.tape, i);
	if (!p) {
		view_say(view, "out of memory: what was then cannot be shown");
		return;
	}
	if (!view->back.shown)
		keep_log(view, s);
	snapshot_free(view->back.shown);
	view->back.shown = p;
	view->back.at = i;
	int64_t next = tape_time_ns(view->back.tape, i + 1) - p->sample.time_ns;
	p->log = view->back.log;
	p->n_log = lines_until(view, p->sample.wall_ns + (next > 0 ? next : INT64_C(2000000000)));
	p->moment = MOMENT_KEPT;
	p->readonly = true;
	snprintf(
		p->backend.readonly_why, sizeof p->backend.readonly_why, "this is past; Esc returns to LIVE");
	struct history *hist = &view->hist;
	for (hist->back = 0; hist->back + 1 < hist->count - hist->first; hist->back++)
		if (hist->at_ns[(hist->count - 1 - hist->back) % HISTORY_POINTS] <= p->sample.time_ns)
			break;
	look_again(view);
}

/* The last that is not later. */
static uint64_t frame_at(const struct tape *tape, int64_t time_ns)
{
	uint64_t lo = tape_first(tape), hi = tape_end(tape) - 1;
	while (lo < hi) {
		uint64_t mid = lo + (hi - lo + 1) / 2;
		if (tape_time_ns(tape, mid) <= time_ns)
			lo = mid;
		else
			hi = mid - 1;
	}
	return lo;
}

static bool kept(struct view *view)
{
	if (view->back.tape && tape_end(view->back.tape) > tape_first(view->back.tape))
		return true;
	view_say(view, "nothing is kept yet");
	return false;
}

static void go(struct view *view, const struct snapshot *snap, uint64_t to)
{
	if (to + 1 >= tape_end(view->back.tape)) {
		if (view->back.shown)
			past_leave(view);
		else
			view_say(view, "this is LIVE; [ goes back");
	} else {
		past_to(view, snap, to);
	}
}

void past_step(struct view *view, const struct snapshot *snap, int by)
{
	view_keep(view, snap); /* a key may come before the frame */
	if (!kept(view))
		return;
	uint64_t at = view->back.shown ? view->back.at : tape_end(view->back.tape) - 1,
		 first = tape_first(view->back.tape);
	if (by < 0 && at <= first)
		view_say(view, "nothing older is kept");
	else
		go(view, snap, by < 0 ? at - 1 : max_of(at + 1, first));
}

void past_go(struct view *view, const struct snapshot *snap, double seconds, bool from_start)
{
	view_keep(view, snap);
	if (!kept(view))
		return;
	double from = from_start ? (double)tape_time_ns(view->back.tape, tape_first(view->back.tape))
				 : (double)snap->sample.time_ns;
	double to = from + seconds * 1e9,
	       last = (double)tape_time_ns(view->back.tape, tape_end(view->back.tape) - 1);
	go(view, snap, frame_at(view->back.tape, (int64_t)min_of(max_of(to, 0), last)));
}
