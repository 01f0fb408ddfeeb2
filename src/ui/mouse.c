/* SPDX-License-Identifier: MIT */
/* The mouse: what is clicked is selected, the wheel moves. Invariant: a click changes no guest before a
 * question is answered. */
#include "view_private.h"
#include "vmtop/minmax.h"

static bool inside(struct rect rect, int row, int col)
{
	return row >= rect.row && row < rect.row + rect.rows && col >= rect.col && col < rect.col + rect.cols;
}

/* A row selects its VM, a head sorts by its column, once more the other way round. */
static void click_table(struct view *view, const struct snapshot *snap, int row, int col)
{
	struct table *table = view_table(view);
	if (inside(view->hit.rows, row, col)) {
		rows_select(view, snap, view->top + (size_t)(row - view->hit.rows.row));
		return;
	}
	if (row != view->hit.panel[FOCUS_TABLE].row)
		return;
	for (int i = 0; i < view->hit.n_heads; i++)
		if (col < view->hit.head_end[i]) {
			table->reverse = table->sort == view->hit.heads[i] && !table->reverse;
			table->sort = view->hit.heads[i];
			table->sorted = true;
			view->rows_stale = true;
			return;
		}
}

static void click_map(struct view *view, const struct snapshot *snap, int row, int col)
{
	struct rect cells = view->hit.cells;
	if (row < cells.row || row >= cells.row + cells.rows)
		return;
	map_select(view, snap, view->map.top + (size_t)(row - cells.row));
	size_t unit = view->map.left + (size_t)(col - cells.col) / (size_t)max_of(view->hit.cell, 1);
	if (inside(cells, row, col) && unit < view->units.n)
		view->map.cpu = view->units.list[unit].first;
}

/* A key of the footer does what it says; what would change a guest asks first, since nobody can tell a click
 * from one that a pasted text holds. */
static void click_footer(struct view *view, const struct snapshot *snap, int col)
{
	int i = 0;
	while (i < view->hit.n_foot && col >= view->hit.foot_end[i])
		i++;
	if (i == view->hit.n_foot)
		return;
	size_t before = view->n_queue;
	view_press(view, view->hit.foot[i], snap);
	if (view->n_queue == before || !command_ages(&view->queue[before]))
		return;
	struct command cmd = view->queue[before];
	const struct key_row *key = key_find(view->hit.foot[i], view_place(view, snap), snap->readonly);
	bool many = view->n_queue > before + 1;
	view->n_queue = before;
	if (many || !key)
		view_say(view, "press the key for that: it is about several VMs");
	else
		ask_question(view, &cmd, "%s: %s?", key->label, key->help);
}

static void wheel(struct view *view, const struct snapshot *snap, int by)
{
	if (view->over.kind == OVER_HELP || view->over.kind == OVER_SETUP || view->over.kind == OVER_SORT)
		for (int i = 0; i < 3; i++)
			ask_key(view, by < 0 ? VK_UP : VK_DOWN, snap);
	else if (view->over.kind == OVER_NONE)
		view_move(view, snap, 3 * by);
}

void view_mouse(struct view *view, int row, int col, int key, const struct snapshot *snap)
{
	snap = view_seen(view, snap);
	if (snap->first)
		return;
	rows_update(view, snap);
	if (key == VK_CLICK && view->over.kind == OVER_NONE && view->hit.n_foot &&
		row == view->hit.foot_row) {
		click_footer(view, snap, col);
		return;
	}
	for (unsigned f = FOCUS_TABLE; f < FOCUS_COUNT && view->over.kind == OVER_NONE; f++)
		if (view->sight & 1U << f && inside(view->hit.panel[f], row, col))
			view_focus_on(view, (enum focus)f);
	if (key == VK_WHEEL_UP || key == VK_WHEEL_DOWN)
		wheel(view, snap, key == VK_WHEEL_UP ? -1 : 1);
	else if (view->over.kind != OVER_NONE)
		return;
	else if (view_focus(view) == FOCUS_TABLE)
		click_table(view, snap, row, col);
	else if (view_focus(view) == FOCUS_MAP)
		click_map(view, snap, row, col);
	rows_update(view, snap);
}
