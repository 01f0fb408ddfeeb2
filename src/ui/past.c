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
	return v->past ? v->past : s;
}

void past_events(struct view *v, const struct snapshot *s)
{
	struct timeline_event e;
	for (size_t i = 0; i < s->n_log; i++) {
		if (s->log[i].seq > v->events_seq && log_line_event(&s->log[i], &e))
			timeline_add(&v->timeline, &e);
		v->events_seq = max_of(s->log[i].seq, v->events_seq);
	}
}

/* Not one that is shown again. */
static bool is_new(const struct view *v, const struct snapshot *s)
{
	bool any = v->tape && tape_end(v->tape) > tape_first(v->tape);
	return !any || s->sample.time_ns != tape_time_ns(v->tape, tape_end(v->tape) - 1);
}

void view_keep(struct view *v, const struct snapshot *s)
{
	if (s->first || s->moment != MOMENT_NOW || !is_new(v, s))
		return;
	if (!v->tape)
		v->tape = tape_new(HISTORY_POINTS, TAPE_BYTES);
	if (v->tape)
		tape_feed(v->tape, s);
}

static void look_again(struct view *v)
{
	v->rows_stale = v->units_stale = true;
	v->log_seq = 0;
}

void past_leave(struct view *v)
{
	snapshot_free(v->past);
	free(v->past_log);
	v->past = NULL;
	v->past_log = NULL;
	v->hist.back = 0;
	look_again(v);
}

/* Lines up to the sample after it: what was decided on it. */
static size_t lines_until(const struct view *v, int64_t wall_ns)
{
	size_t n = v->n_past_log;
	while (n > 0 && v->past_log[n - 1].wall_ns >= wall_ns)
		n--;
	return n;
}

/* The log is that of the moment at which one went back. */
static void keep_log(struct view *v, const struct snapshot *live)
{
	size_t bytes = live->n_log * sizeof *live->log;
	v->past_log = malloc(bytes ? bytes : 1);
	v->n_past_log = v->past_log ? live->n_log : 0;
	if (v->n_past_log)
		memcpy(v->past_log, live->log, bytes);
}

static void past_to(struct view *v, const struct snapshot *s, uint64_t i)
{
	struct snapshot *p = tape_read(v->tape, i);
	if (!p) {
		view_say(v, "out of memory: what was then cannot be shown");
		return;
	}
	if (!v->past)
		keep_log(v, s);
	snapshot_free(v->past);
	v->past = p;
	v->past_at = i;
	int64_t next = tape_time_ns(v->tape, i + 1) - p->sample.time_ns;
	p->log = v->past_log;
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
	if (v->tape && tape_end(v->tape) > tape_first(v->tape))
		return true;
	view_say(v, "nothing is kept yet");
	return false;
}

static void go(struct view *v, const struct snapshot *s, uint64_t to)
{
	if (to + 1 >= tape_end(v->tape)) {
		if (v->past)
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
	uint64_t at = v->past ? v->past_at : tape_end(v->tape) - 1, first = tape_first(v->tape);
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
	double from =
		from_start ? (double)tape_time_ns(v->tape, tape_first(v->tape)) : (double)s->sample.time_ns;
	double to = from + seconds * 1e9, last = (double)tape_time_ns(v->tape, tape_end(v->tape) - 1);
	go(v, s, frame_at(v->tape, to > last ? (int64_t)last : to > 0 ? (int64_t)to : 0));
}
