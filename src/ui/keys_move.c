/* SPDX-License-Identifier: MIT */
/* Moving about: cursor keys and the mouse, in whatever panel has the focus. Invariant: changes what is looked
 * at, never a guest. */
#include <string.h>

#include "vmtop/minmax.h"

#include "view_private.h"

static void move_vcpu(struct view *view, const struct snapshot *snap, long by)
{
	size_t vm;
	const struct vcpu_sample *vcpu = edit_vcpu(view, snap, &vm);
	if (!vcpu)
		return;
	const struct vm_sample *m = &snap->sample.vms[vm];
	long k = vcpu - &snap->sample.vcpus[m->first_vcpu] + by;
	k = clamp(k, 0, (long)m->n_vcpus - 1);
	view->map.vcpu = snap->sample.vcpus[m->first_vcpu + (size_t)k].id;
}

static long name_place(const struct view *view, size_t vm)
{
	for (size_t i = 0; i < view->n_rows; i++)
		if (view->names[i] == vm)
			return (long)i;
	return -1;
}

static void select_vm(struct view *view, const struct snapshot *snap, size_t vm)
{
	for (size_t i = 0; i < view->n_rows; i++)
		if (view->rows[i] == vm)
			rows_select(view, snap, i);
}

/* One vCPU up or down in the map, on into the next VM. */
static void map_step(struct view *view, const struct snapshot *snap, int by)
{
	size_t vm;
	const struct vcpu_sample *vcpu = edit_vcpu(view, snap, &vm);
	if (!vcpu) {
		rows_move(view, snap, 0);
		return;
	}
	const struct vm_sample *m = &snap->sample.vms[vm];
	long k = vcpu - &snap->sample.vcpus[m->first_vcpu] + by;
	if (k >= 0 && k < (long)m->n_vcpus) {
		view->map.vcpu = snap->sample.vcpus[m->first_vcpu + (size_t)k].id;
		return;
	}
	for (long at = name_place(view, vm) + by; at >= 0 && at < (long)view->n_rows; at += by) {
		m = &snap->sample.vms[view->names[at]];
		if (!m->n_vcpus)
			continue;
		select_vm(view, snap, view->names[at]);
		view->map.vcpu = snap->sample.vcpus[m->first_vcpu + (by < 0 ? m->n_vcpus - 1 : 0)].id;
		return;
	}
}

static void map_side(struct view *view, int by)
{
	if (!view->units.n)
		return;
	long i = units_find(&view->units, view->map.cpu);
	i = i < 0 ? 0 : i + by;
	i = clamp(i, 0, (long)view->units.n - 1);
	view->map.cpu = view->units.list[i].first;
}

static void log_move(struct view *view, const struct snapshot *snap, long by)
{
	if (!snap->n_log)
		return;
	size_t end = snap->n_log;
	while (view->log_seq && end > 1 && snap->log[end - 1].seq > view->log_seq)
		end--;
	long to = (long)end + by;
	to = max_of(to, 1);
	view->log_seq = to >= (long)snap->n_log ? 0 : snap->log[to - 1].seq;
}

static void move(struct view *view, const struct snapshot *snap, long by)
{
	switch (view_focus(view)) {
	case FOCUS_TABLE:
		rows_move(view, snap, by);
		break;
	case FOCUS_LOG:
		log_move(view, snap, by);
		break;
	case FOCUS_VCPUS:
		move_vcpu(view, snap, by);
		break;
	case FOCUS_WHY:
		rows_move(view, snap, by);
		break;
	case FOCUS_PLAN:
		plan_move(&view->plan, by);
		break;
	case FOCUS_MAP:
		for (long i = by < 0 ? -by : by; i > 0 && i < 100000; i--)
			map_step(view, snap, by < 0 ? -1 : 1);
		break;
	}
}

static void key_side(struct view *view, const struct snapshot *snap, int by)
{
	struct table *table = view_table(view);
	switch (view_focus(view)) {
	case FOCUS_TABLE:
		if (table->left + by < table->n_cols - 1)
			table->left = max_of(table->left + by, 0);
		break;
	case FOCUS_MAP:
		map_side(view, by);
		break;
	case FOCUS_VCPUS:
	case FOCUS_WHY:
		rows_move(view, snap, by);
		break;
	case FOCUS_LOG:
		if (view->id == VIEW_VM)
			rows_move(view, snap, by);
		break;
	case FOCUS_PLAN:
		break;
	}
}

static long page_of(const struct view *view)
{
	enum focus focus = view_focus(view);
	long page = focus == FOCUS_LOG     ? view->log_page
		    : focus == FOCUS_TABLE ? view->page
		    : focus == FOCUS_PLAN  ? view->plan.page
					   : 10;
	return page > 1 ? page - 1 : 1;
}

bool move_key(struct view *view, const struct snapshot *snap, enum key_action action)
{
	long all = 1 << 16;
	switch (action) {
	case KEY_UP:
		move(view, snap, -1);
		return true;
	case KEY_DOWN:
		move(view, snap, 1);
		return true;
	case KEY_PAGE_UP:
		move(view, snap, -page_of(view));
		return true;
	case KEY_PAGE_DOWN:
		move(view, snap, page_of(view));
		return true;
	case KEY_FIRST:
		move(view, snap, view_focus(view) == FOCUS_MAP ? -(long)snap->sample.n_vcpus : -all);
		return true;
	case KEY_LAST:
		move(view, snap, view_focus(view) == FOCUS_MAP ? (long)snap->sample.n_vcpus : all);
		return true;
	case KEY_LEFT:
		key_side(view, snap, -1);
		return true;
	case KEY_RIGHT:
		key_side(view, snap, 1);
		return true;
	case KEY_FAR_LEFT:
	case KEY_FAR_RIGHT:
		if (view_focus(view) == FOCUS_MAP)
			map_side(view, (action == KEY_FAR_LEFT ? -1 : 1) * max_of(view->map.cols, 1));
		return true;
	default:
		return false;
	}
}

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
	size_t unit = view->map.left +
		      (size_t)(col - cells.col) / (size_t)(view->hit.cell > 0 ? view->hit.cell : 1);
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
		move(view, snap, 3 * by);
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
