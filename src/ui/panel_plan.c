/* SPDX-License-Identifier: MIT */
/* The plan of a preview, a line a pin: moves first, then pins in place. Lines can be left out before it is
 * carried out. Invariant: what is listed is what y does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view_private.h"
#include "vmtop/array.h"
#include "vmtop/effect.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

enum { NAME_LEAST = 8, KIND = 5, VCPU = 9, WHERE = 16, FOOT = 3 };

void plan_show(struct view *v)
{
	if (v->id != VIEW_PLAN)
		v->plan.from = v->id;
	v->id = VIEW_PLAN;
}

void plan_feed(struct view *v, const struct snapshot *s)
{
	struct suffer_look look = snapshot_look(s);
	bool begins =
		s->preview && !v->previewing && s->n_ghosts && s->moment == MOMENT_NOW && !v->back.shown;
	v->plan.n = 0;
	if (!array_grow(&v->plan.list, &v->plan.cap, s->n_ghosts, sizeof *v->plan.list))
		return; /* the ghosts in the map still tell */
	if (s->n_ghosts)
		v->plan.n = effects_of(&look, s->ghosts, s->n_ghosts, v->plan.list);
	if (begins) {
		plan_show(v);
		v->plan.row = v->plan.top = 0;
	}
	if (!s->n_ghosts && v->id == VIEW_PLAN)
		v->id = v->plan.from;
	if (v->plan.row >= v->plan.n)
		v->plan.row = v->plan.n ? v->plan.n - 1 : 0;
}

void plan_move(struct plan_list *p, long by)
{
	long to = (long)p->row + by, last = (long)p->n - 1;
	p->row = (size_t)(to < 0 || last < 0 ? 0 : min_of(to, last));
}

void plan_leave_out(struct view *v, const struct snapshot *s)
{
	if (v->id != VIEW_PLAN || v->plan.row >= v->plan.n || s->moment == MOMENT_KEPT || !s->n_ghosts) {
		view_say(v, "v shows the plan; x leaves out the line under the cursor there");
		return;
	}
	const struct effect *e = &v->plan.list[v->plan.row];
	struct command c = {.kind = CMD_PREVIEW_LEAVE, .on = !e->out, .vcpu = s->ghosts[e->action].vcpu};
	memcpy(c.uuid, s->ghosts[e->action].uuid, UUID_BYTES);
	view_send(v, &c);
	plan_move(&v->plan, 1);
}

static int name_width(const struct plan_list *p, const struct snapshot *s, const struct screen *to, int cols)
{
	int widest = NAME_LEAST, most = max_of(cols / 3, NAME_LEAST);
	for (size_t i = 0; i < p->n; i++) {
		char name[VM_NAME_BYTES];
		text_escape(name, sizeof name, s->sample.vms[p->list[i].vm].name);
		int n = screen_columns(to, name);
		widest = max_of(n, widest);
	}
	return min_of(widest, most);
}

static void draw_line(const struct plan_list *p, const struct snapshot *s, struct screen *to, struct rect at,
	size_t i, int name_cols)
{
	const struct effect *e = &p->list[i];
	struct suffer_look look = snapshot_look(s);
	char text[300], name[VM_NAME_BYTES];
	bool here = i == p->row;
	enum style rest = here ? STYLE_SELECTED : e->out || !e->moves ? STYLE_DIM : STYLE_NORMAL;
	enum style kind = here ? rest : e->out ? STYLE_DIM : e->moves ? STYLE_GHOST : STYLE_PIN;
	int col = at.col + 1, end = at.col + at.cols;
	if (here)
		screen_fill(to, at.row, at.col, at.cols, rest, ' ');
	screen_text(to, at.row, col, KIND, kind, e->out ? "out" : e->moves ? "MOVE" : "pin");
	col += KIND;
	text_escape(name, sizeof name, s->sample.vms[e->vm].name);
	draw_name(to, at.row, col, min_of(name_cols, end - col), rest, name);
	col += name_cols + 1;
	snprintf(text, sizeof text, "vCPU %d", s->ghosts[e->action].vcpu);
	screen_text(to, at.row, col, end - col, rest, text);
	col += VCPU;
	effect_where(&look, e, &s->ghosts[e->action], text, sizeof text);
	draw_cut(to, at.row, col, min_of(end - col, WHERE), kind, text);
	col += WHERE + 1;
	effect_text(e, text, sizeof text);
	if (col < end)
		draw_cut(to, at.row, col, end - col, rest, text);
}

static void draw_reason(
	const struct plan_list *p, const struct snapshot *s, struct screen *to, struct rect at)
{
	const struct effect *e = &p->list[p->row];
	char effect[300], text[800];
	effect_text(e, effect, sizeof effect);
	snprintf(text, sizeof text, "%s · %s", effect, s->ghosts[e->action].why.text);
	draw_wrapped(to, at, STYLE_NORMAL, text);
}

void plan_draw(struct plan_list *p, const struct snapshot *s, struct screen *to, struct rect at)
{
	size_t moves = 0, out = 0;
	char title[120];
	if (s->moment == MOMENT_KEPT || !s->n_ghosts) { /* what is listed is of now, and so are its numbers */
		screen_text(
			to, at.row, at.col + 1, at.cols - 1, STYLE_DIM, "a plan is of now: Esc goes there");
		return;
	}
	for (size_t i = 0; i < p->n; i++) {
		moves += p->list[i].moves && !p->list[i].out;
		out += p->list[i].out;
	}
	snprintf(title, sizeof title, "Plan: %zu move%s, %zu pin%s in place, %zu left out", moves,
		text_s(moves), p->n - moves - out, text_s(p->n - moves - out), out);
	draw_title(to, (struct rect){at.row, at.col, 1, at.cols}, true, title,
		at.cols >= 100 ? "y does it · x leaves a line out · Esc drops it" : "");
	int foot = at.rows >= 8 && p->n ? FOOT : 0, page = at.rows - 1 - foot;
	p->page = page;
	if (page < 1)
		return;
	if (p->row < p->top)
		p->top = p->row;
	if (p->row >= p->top + (size_t)page)
		p->top = p->row - (size_t)page + 1;
	int name_cols = name_width(p, s, to, at.cols);
	for (int i = 0; i < page && p->top + (size_t)i < p->n; i++)
		draw_line(p, s, to, (struct rect){at.row + 1 + i, at.col, 1, at.cols}, p->top + (size_t)i,
			name_cols);
	if (foot)
		draw_reason(p, s, to, (struct rect){at.row + at.rows - foot, at.col + 1, foot, at.cols - 1});
}
