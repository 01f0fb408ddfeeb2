/* SPDX-License-Identifier: MIT */
/* Back in time on a running host: the view shows a snapshot of the tape instead of the newest. Invariant:
 * what is shown then can steer nothing, and taking in what is new goes on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view_private.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

const struct snapshot *view_seen(const struct view *v, const struct snapshot *s)
{
	return v->back.shown ? v->back.shown : s;
}

void past_events(struct back *b, const struct snapshot *s)
{
	struct timeline_event e;
	for (size_t i = 0; i < s->n_log; i++) {
		if (s->log[i].seq > b->events_seq && log_line_event(&s->log[i], &e))
			timeline_add(&b->timeline, &e);
		b->events_seq = max_of(s->log[i].seq, b->events_seq);
	}
}

/* Not one that is shown again. */
static bool is_new(const struct view *v, const struct snapshot *s)
{
	bool any = v->back.tape && tape_end(v->back.tape) > tape_first(v->back.tape);
	return !any || s->sample.time_ns != tape_time_ns(v->back.tape, tape_end(v->back.tape) - 1);
}

void view_keep(struct view *v, const struct snapshot *s)
{
	if (s->first || s->moment != MOMENT_NOW || !is_new(v, s))
		return;
	if (!v->back.tape)
		v->back.tape = tape_new(HISTORY_POINTS, TAPE_BYTES);
	if (v->back.tape)
		tape_feed(v->back.tape, s);
}

static void look_again(struct view *v)
{
	v->rows_stale = v->units.stale = true;
	v->log_seq = 0;
}

void past_leave(struct view *v)
{
	snapshot_free(v->back.shown);
	free(v->back.log);
	v->back.shown = NULL;
	v->back.log = NULL;
	v->hist.back = 0;
	look_again(v);
}

/* Lines up to the sample after it: what was decided on it. */
static size_t lines_until(const struct view *v, int64_t wall_ns)
{
	size_t n = v->back.n_log;
	while (n > 0 && v->back.log[n - 1].wall_ns >= wall_ns)
		n--;
	return n;
}

/* The log is that of the moment at which one went back. */
static void keep_log(struct view *v, const struct snapshot *live)
{
	size_t bytes = live->n_log * sizeof *live->log;
	v->back.log = malloc(bytes ? bytes : 1);
	v->back.n_log = v->back.log ? live->n_log : 0;
	if (v->back.n_log)
		memcpy(v->back.log, live->log, bytes);
}

static void past_to(struct view *v, const struct snapshot *s, uint64_t i)
{
	struct snapshot *p = tape_read(v->back.tape, i);
	if (!p) {
		view_say(v, "out of memory: what was then cannot be shown");
		return;
	}
	if (!v->back.shown)
		keep_log(v, s);
	snapshot_free(v->back.shown);
	v->back.shown = p;
	v->back.at = i;
	int64_t next = tape_time_ns(v->back.tape, i + 1) - p->sample.time_ns;
	p->log = v->back.log;
	p->n_log = lines_until(v, p->sample.wall_ns + (next > 0 ? next : INT64_C(2000000000)));
	p->moment = MOMENT_KEPT;
	p->readonly = true;
	snprintf(
		p->backend.readonly_why, sizeof p->backend.readonly_why, "this is past; Esc returns to LIVE");
	struct history *h = &v->hist;
	for (h->back = 0; h->back + 1 < h->count - h->first; h->back++)
		if (h->at_ns[(h->count - 1 - h->back) % HISTORY_POINTS] <= p->sample.time_ns)
			break;
	look_again(v);
}

/* The last that is not later. */
static uint64_t frame_at(const struct tape *t, int64_t time_ns)
{
	uint64_t lo = tape_first(t), hi = tape_end(t) - 1;
	while (lo < hi) {
		uint64_t mid = lo + (hi - lo + 1) / 2;
		if (tape_time_ns(t, mid) <= time_ns)
			lo = mid;
		else
			hi = mid - 1;
	}
	return lo;
}

static bool kept(struct view *v)
{
	if (v->back.tape && tape_end(v->back.tape) > tape_first(v->back.tape))
		return true;
	view_say(v, "nothing is kept yet");
	return false;
}

static void go(struct view *v, const struct snapshot *s, uint64_t to)
{
	if (to + 1 >= tape_end(v->back.tape)) {
		if (v->back.shown)
			past_leave(v);
		else
			view_say(v, "this is LIVE; [ goes back");
	} else {
		past_to(v, s, to);
	}
}

void past_step(struct view *v, const struct snapshot *s, int by)
{
	view_keep(v, s); /* a key may come before the frame */
	if (!kept(v))
		return;
	uint64_t at = v->back.shown ? v->back.at : tape_end(v->back.tape) - 1,
		 first = tape_first(v->back.tape);
	if (by < 0 && at <= first)
		view_say(v, "nothing older is kept");
	else
		go(v, s, by < 0 ? at - 1 : max_of(at + 1, first));
}

void past_go(struct view *v, const struct snapshot *s, double seconds, bool from_start)
{
	view_keep(v, s);
	if (!kept(v))
		return;
	double from = from_start ? (double)tape_time_ns(v->back.tape, tape_first(v->back.tape))
				 : (double)s->sample.time_ns;
	double to = from + seconds * 1e9,
	       last = (double)tape_time_ns(v->back.tape, tape_end(v->back.tape) - 1);
	go(v, s, frame_at(v->back.tape, (int64_t)min_of(max_of(to, 0), last)));
}
