/* SPDX-License-Identifier: MIT */
/* What a memory cycle says of itself: the status of each guest and the verdict of the round. Invariant: words
 * and numbers come from the very values that the orders were made from; nothing is decided here. */
#include <stdio.h>
#include <string.h>

#include "mem_priv.h"
#include "vmtop/text.h"

static void explain_moving(const struct mem_ctl *c, struct mem_guest *g)
{
	char to[16], at[16];
	int64_t now = c->r->sample->time_ns;
	bool moves = now - g->m.moved_ns < (int64_t)(c->cycle_s * 1e9) && g->m.moved_ns > g->m.asked_ns;
	text_kib(to, sizeof to, g->m.asked_kib);
	text_kib(at, sizeof at, g->balloon);
	const char *state = now > g->m.asked_ns ? ", not moving" : "";
	if (moves)
		state = ", moving";
	why_set(&g->why, g->m.asked_why, "asked %s %.0f s ago, at %s%s", to,
		(double)(now - g->m.asked_ns) / 1e9, at, state);
}

void mem_tell_guest(const struct mem_ctl *c, struct mem_guest *g, struct mem_status *st)
{
	memset(st, 0, sizeof *st);
	if (g->eligible && g->moving && !g->called && !g->let_go)
		explain_moving(c, g);
	st->why = g->why;
	if (c->r->mode == ROUND_WATCH && !c->r->cfg->auto_memory && mem_would_act(c, g))
		why_set(&st->why, g->why.code, "if AUTO: %.240s", g->why.text);
	st->eligible = g->eligible;
	st->foreign = g->grow_only;
	st->used_kib = g->rate->used_kib;
	if (vi64_has(g->vm->mem.max_kib))
		st->floor_kib = vi64_ok(g->floor);
	if (!g->eligible)
		return;
	st->lo_kib = vi64_ok(g->lo);
	st->hi_kib = vi64_ok(g->hi);
	st->want_kib = vi64_ok(g->tgt);
}

struct changes {
	size_t n;
	int64_t grow, shrink;
};

static void changes_add(struct changes *s, int64_t from, int64_t to)
{
	s->n++;
	s->grow += max_of(to - from, 0);
	s->shrink += max_of(from - to, 0);
}

/* What was ordered; when nobody may be touched, what would be. */
static struct changes changes_of(const struct mem_ctl *c, const struct plan *plan, size_t first)
{
	struct changes s = {0};
	for (size_t i = first; i < plan->n; i++)
		changes_add(&s, plan->actions[i].from_kib, plan->actions[i].to_kib);
	for (size_t i = 0; c->r->mode == ROUND_WATCH && i < c->n; i++)
		if (mem_would_act(c, &c->guest[i]))
			changes_add(&s, c->guest[i].target, mem_target(c, &c->guest[i]));
	return s;
}

static void changes_text(const struct changes *s, char *buf, size_t len)
{
	char up[16], down[16];
	text_kib(up, sizeof up, s->grow);
	text_kib(down, sizeof down, s->shrink);
	if (s->grow && s->shrink)
		snprintf(buf, len, "%s given and %s taken, %zu guest%s in all", up, down, s->n, text_s(s->n));
	else if (s->grow || s->shrink)
		snprintf(buf, len, "%s %s %zu guest%s", s->grow ? up : down,
			s->grow ? "given to" : "taken from", s->n, text_s(s->n));
	else
		snprintf(buf, len, "%zu balloon%s asked for again", s->n, text_s(s->n));
}

static void sum_up(struct mem_ctl *c, const struct plan *plan, size_t first, struct mem_verdict *v)
{
	struct changes sum = changes_of(c, plan, first);
	size_t able = 0;
	char text[80];
	for (size_t i = 0; i < c->n; i++)
		able += c->guest[i].eligible;
	changes_text(&sum, text, sizeof text);
	if (!c->n)
		why_set(&v->why, REASON_NO_VMS, NULL);
	else if (!c->host_known)
		why_set(&v->why, REASON_NO_DATA, "the memory of the host is not known");
	else if (sum.n && c->r->mode == ROUND_WATCH)
		why_set(&v->why, REASON_MANUAL, "AUTO is off; on, it would do this: %s", text);
	else if (sum.n)
		why_set(&v->why, sum.grow ? REASON_GIVE : REASON_CLAIM, "%s", text);
	else
		why_set(&v->why, REASON_MEM_OK, "%s",
			able ? "no guest needs a change" : "no guest is eligible");
}

void mem_tell_round(struct mem_ctl *c, const struct plan *plan, size_t first, struct mem_verdict *v)
{
	memset(v, 0, sizeof *v);
	v->state = c->next_state;
	if (c->host_known) {
		v->reserve_kib = vi64_ok(c->levels.reserve);
		v->free_kib = vi64_ok(max_of(c->free_kib - c->levels.reserve, 0));
	}
	sum_up(c, plan, first, v);
	v->new_line = v->why.code != c->last_why || v->state != c->state || c->r->mode == ROUND_FORCED;
}
