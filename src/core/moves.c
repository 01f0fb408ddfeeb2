/* SPDX-License-Identifier: MIT */
/* The sequence of moves between hosts. Invariant: at most one move is under way; none begins after one that
 * was not done, or after an abort was asked for; none ends before it is known where its guest is, or that
 * this cannot be learnt. Knows no clock: time is told. */
#include "vmtop/moves.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/text.h"

#define SECOND INT64_C(1000000000)

/* How long it is asked where a guest is, and how often; an abort may come too early to be taken. */
enum { AGAIN_S = 1, CHECKS_S = 60 };

bool moves_init(struct moves *ms, size_t n)
{
	*ms = (struct moves){.list = calloc(n + 1, sizeof *ms->list), .n = n};
	return ms->list != NULL;
}

void moves_done(struct moves *ms)
{
	free(ms->list);
	*ms = (struct moves){.list = NULL};
}

bool moves_copy(struct moves *to, const struct moves *from)
{
	struct moves copy = *from;
	copy.list = calloc(from->n + 1, sizeof *copy.list);
	if (!copy.list)
		return false;
	memcpy(copy.list, from->list, from->n * sizeof *copy.list);
	*to = copy;
	return true;
}

const struct move *moves_now(const struct moves *ms)
{
	return ms->at < ms->n ? &ms->list[ms->at] : NULL;
}

static struct move *in_state(struct moves *ms, enum move_state s)
{
	return ms->at < ms->n && ms->list[ms->at].state == s ? &ms->list[ms->at] : NULL;
}

/* The rest is left as it is. */
static void stop(struct moves *ms)
{
	for (; ms->at < ms->n; ms->at++)
		if (ms->list[ms->at].state == MOVE_WAITS)
			ms->list[ms->at].state = MOVE_NOT_BEGUN;
}

static void settle(struct moves *ms, struct move *m, enum move_state s, const char *why)
{
	m->state = s;
	snprintf(m->why, sizeof m->why, "%s", why);
	ms->at++;
	if (s != MOVE_DONE)
		stop(ms);
}

enum moves_order moves_next(struct moves *ms, int64_t now_ns)
{
	struct move *m = ms->at < ms->n ? &ms->list[ms->at] : NULL;
	if (m && m->state == MOVE_WAITS) {
		if (ms->abort)
			stop(ms);
		else
			m->state = MOVE_LOOKS;
		return ms->abort ? ORDER_END : ORDER_TELL;
	}
	if (m && m->state == MOVE_LOOKS)
		return ORDER_LOOK;
	bool acts = m && (m->state == MOVE_CHECKS || (m->state == MOVE_RUNS && ms->abort));
	if (!acts || now_ns < ms->due_ns)
		return m ? ORDER_WAIT : ORDER_END;
	if (m->state == MOVE_CHECKS && ms->abort && ms->goes_on) {
		ms->goes_on = false; /* told, and looked at again */
		return ORDER_ABORT;
	}
	ms->due_ns = now_ns + AGAIN_S * SECOND;
	return m->state == MOVE_RUNS ? ORDER_ABORT : ORDER_FIND;
}

void moves_looked(struct moves *ms, const struct move_look *look, int64_t now_ns)
{
	struct move *m = in_state(ms, MOVE_LOOKS);
	char why[MOVE_TEXT];
	if (!m)
		return;
	if (ms->abort) {
		m->state = MOVE_WAITS;
		stop(ms);
	} else if (move_refusal(m, look, why, sizeof why)) {
		settle(ms, m, MOVE_FAILED, why);
	} else {
		m->state = MOVE_RUNS;
		m->began_ns = now_ns;
		m->persistent = look->persistent;
		m->autostart = look->autostart;
		memcpy(m->resource, look->resource, sizeof m->resource);
		memcpy(m->node, look->node, sizeof m->node);
		ms->due_ns = 0;
	}
}

void moves_progress(struct moves *ms, const struct move_progress *p)
{
	struct move *m = in_state(ms, MOVE_RUNS);
	if (m)
		m->progress = *p;
}

void moves_ended(struct moves *ms, const char *error, int64_t now_ns)
{
	struct move *m = in_state(ms, MOVE_RUNS);
	if (!m)
		return;
	m->state = MOVE_CHECKS;
	m->ended_ns = ms->checks_ns = now_ns;
	ms->goes_on = false;
	ms->due_ns = 0;
	snprintf(ms->said, sizeof ms->said, "%s", error ? error : "");
}

void moves_abort(struct moves *ms)
{
	if (!ms->abort)
		ms->due_ns = 0;
	ms->abort = true;
}

/* ---- what came of it ---- */

/* Names in the words below, and an error as one line that a terminal may see. */
struct names {
	char from[160], to[160], said[MOVE_TEXT];
};

static void names_of(struct names *x, const struct moves *ms, const struct move *m)
{
	text_escape(x->from, sizeof x->from, m->from.name);
	text_escape(x->to, sizeof x->to, m->to.name);
	text_safe(x->said, sizeof x->said, ms->said);
}

static void stays(struct moves *ms, struct move *m, const struct names *x, const char *note)
{
	char why[MOVE_TEXT], advice[140];
	if (ms->abort) {
		snprintf(why, sizeof why, "the guest runs on at %.150s%s%.300s", x->from, *note ? "; " : "",
			note);
		settle(ms, m, MOVE_ABORTED, why);
		return;
	}
	move_advice(m, ms->said, advice, sizeof advice);
	snprintf(why, sizeof why, "%.500s; the guest runs on at %.150s%s%.150s%s%s",
		*x->said ? x->said : "the migration ended without moving it", x->from, *note ? "; " : "",
		note, *advice ? ": " : "", advice);
	settle(ms, m, MOVE_FAILED, why);
}

static void arrived(struct moves *ms, struct move *m, const struct move_found *f, const struct names *x)
{
	char why[MOVE_TEXT] = "";
	m->progress = f->progress;
	if (*x->said)
		snprintf(why, sizeof why, "it said \"%.500s\", but the guest runs at %.150s", x->said, x->to);
	size_t n = strlen(why);
	snprintf(why + n, sizeof why - n, "%s%.300s", n && *f->note ? "; " : "", f->note);
	settle(ms, m, MOVE_DONE, why);
}

static void lost(struct moves *ms, struct move *m, const struct move_found *f, const struct names *x)
{
	static const char *const words[] = {[PLACE_UNKNOWN] = "does not tell",
		[PLACE_ABSENT] = "does not have it",
		[PLACE_ACTIVE] = "has it"};
	char why[MOVE_TEXT];
	snprintf(why, sizeof why,
		"%.150s %s, %.150s %s%s%.300s: look there (virsh list --all) before anything is started by hand",
		x->from, words[f->from], x->to, words[f->to], *x->said ? "; " : "", x->said);
	settle(ms, m, MOVE_UNKNOWN, why);
}

void moves_found(struct moves *ms, const struct move_found *f, int64_t now_ns)
{
	struct move *m = in_state(ms, MOVE_CHECKS);
	struct names x;
	if (!m)
		return;
	names_of(&x, ms, m);
	ms->goes_on = f->busy;
	bool known = f->from != PLACE_UNKNOWN && f->to != PLACE_UNKNOWN, one = f->from != f->to;
	if (known && one && !f->busy && f->to == PLACE_ACTIVE)
		arrived(ms, m, f, &x);
	else if (known && one && !f->busy)
		stays(ms, m, &x, f->note);
	else if (now_ns - ms->checks_ns >= CHECKS_S * SECOND)
		lost(ms, m, f, &x);
}
