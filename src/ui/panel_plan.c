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

void plan_show(struct view *view)
{
	if (view->id != VIEW_PLAN)
		view->plan.from = view->id;
	view->id = VIEW_PLAN;
}

void plan_feed(struct view *view, const struct snapshot *snap)
{
	struct suffer_look look = snapshot_look(snap);
	bool begins = snap->preview && !view->previewing && snap->n_ghosts && snap->moment == MOMENT_NOW &&
		      !view->back.shown;
	view->plan.n = 0;
	if (!array_grow(&view->plan.list, &view->plan.cap, snap->n_ghosts, sizeof *view->plan.list))
		return; /* the ghosts in the map still tell */
	if (snap->n_ghosts)
		view->plan.n = effects_of(&look, snap->ghosts, snap->n_ghosts, view->plan.list);
	if (begins) {
		plan_show(view);
		view->plan.row = view->plan.top = 0;
	}
	if (!snap->n_ghosts && view->id == VIEW_PLAN)
		view->id = view->plan.from;
	if (view->plan.row >= view->plan.n)
		view->plan.row = view->plan.n ? view->plan.n - 1 : 0;
}

void plan_move(struct plan_list *list, long by)
{
	long to = (long)list->row + by, last = (long)list->n - 1;
	list->row = (size_t)(to < 0 || last < 0 ? 0 : min_of(to, last));
}

void plan_leave_out(struct view *view, const struct snapshot *snap)
{
	if (view->id != VIEW_PLAN || view->plan.row >= view->plan.n || snap->moment == MOMENT_KEPT ||
		!snap->n_ghosts) {
		view_say(view, "v shows the plan; x leaves out the line under the cursor there");
		return;
	}
	const struct effect *effect = &view->plan.list[view->plan.row];
	struct command cmd = {
		.kind = CMD_PREVIEW_LEAVE, .on = !effect->out, .vcpu = snap->ghosts[effect->action].vcpu};
	memcpy(cmd.uuid, snap->ghosts[effect->action].uuid, UUID_BYTES);
	view_send(view, &cmd);
	plan_move(&view->plan, 1);
}

static int name_width(
	const struct plan_list *list, const struct snapshot *snap, const struct screen *scr, int cols)
{
	int widest = NAME_LEAST, most = max_of(cols / 3, NAME_LEAST);
	for (size_t i = 0; i < list->n; i++) {
		char name[VM_NAME_BYTES];
		text_escape(name, sizeof name, snap->sample.vms[list->list[i].vm].name);
		int n = screen_columns(scr, name);
		widest = max_of(n, widest);
	}
	return min_of(widest, most);
}

static void draw_line(const struct plan_list *list, const struct snapshot *snap, struct screen *scr,
	struct rect area, size_t i, int name_cols)
{
	const struct effect *effect = &list->list[i];
	struct suffer_look look = snapshot_look(snap);
	char text[300], name[VM_NAME_BYTES];
	bool here = i == list->row;
	enum style rest = here ? STYLE_SELECTED : effect->out || !effect->moves ? STYLE_DIM : STYLE_NORMAL;
	enum style kind = here ? rest : effect->out ? STYLE_DIM : effect->moves ? STYLE_GHOST : STYLE_PIN;
	int col = area.col + 1, end = area.col + area.cols;
	if (here)
		screen_fill(scr, area.row, area.col, area.cols, rest, ' ');
	screen_text(scr, area.row, col, KIND, kind, effect->out ? "out" : effect->moves ? "MOVE" : "pin");
	col += KIND;
	text_escape(name, sizeof name, snap->sample.vms[effect->vm].name);
	draw_name(scr, area.row, col, min_of(name_cols, end - col), rest, name);
	col += name_cols + 1;
	snprintf(text, sizeof text, "vCPU %d", snap->ghosts[effect->action].vcpu);
	screen_text(scr, area.row, col, end - col, rest, text);
	col += VCPU;
	effect_where(&look, effect, &snap->ghosts[effect->action], text, sizeof text);
	draw_cut(scr, area.row, col, min_of(end - col, WHERE), kind, text);
	col += WHERE + 1;
	effect_text(effect, text, sizeof text);
	if (col < end)
		draw_cut(scr, area.row, col, end - col, rest, text);
}

static void draw_reason(
	const struct plan_list *list, const struct snapshot *snap, struct screen *scr, struct rect area)
{
	const struct effect *e = &list->list[list->row];
	char effect[300], text[800];
	effect_text(e, effect, sizeof effect);
	snprintf(text, sizeof text, "%s · %s", effect, snap->ghosts[e->action].why.text);
	draw_wrapped(scr, area, STYLE_NORMAL, text);
}

void plan_draw(struct plan_list *list, const struct snapshot *snap, struct screen *scr, struct rect area)
{
	size_t moves = 0, out = 0;
	char title[120];
	if (snap->moment == MOMENT_KEPT ||
		!snap->n_ghosts) { /* what is listed is of now, and so are its numbers */
		screen_text(scr, area.row, area.col + 1, area.cols - 1, STYLE_DIM,
			"a plan is of now: Esc goes there");
		return;
	}
	for (size_t i = 0; i < list->n; i++) {
		moves += list->list[i].moves && !list->list[i].out;
		out += list->list[i].out;
	}
	snprintf(title, sizeof title, "Plan: %zu move%s, %zu pin%s in place, %zu left out", moves,
		text_s(moves), list->n - moves - out, text_s(list->n - moves - out), out);
	draw_title(scr, (struct rect){area.row, area.col, 1, area.cols}, true, title,
		text_if(area.cols >= 100, "y does it · x leaves a line out · Esc drops it"));
	int foot = area.rows >= 8 && list->n ? FOOT : 0, page = area.rows - 1 - foot;
	list->page = page;
	if (page < 1)
		return;
	if (list->row < list->top)
		list->top = list->row;
	if (list->row >= list->top + (size_t)page)
		list->top = list->row - (size_t)page + 1;
	int name_cols = name_width(list, snap, scr, area.cols);
	for (int i = 0; i < page && list->top + (size_t)i < list->n; i++)
		draw_line(list, snap, scr, (struct rect){area.row + 1 + i, area.col, 1, area.cols},
			list->top + (size_t)i, name_cols);
	if (foot)
		draw_reason(list, snap, scr,
			(struct rect){area.row + area.rows - foot, area.col + 1, foot, area.cols - 1});
}
