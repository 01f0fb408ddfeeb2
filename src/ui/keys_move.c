/* SPDX-License-Identifier: MIT */
/* Moving about: cursor keys and the mouse, in whatever panel has the focus. Invariant: changes what is looked
 * at, never a guest. */
#include <string.h>

#include "vmtop/minmax.h"

#include "view_private.h"

static void move_vcpu(struct view *v, const struct snapshot *s, long by)
{
	size_t vm;
	const struct vcpu_sample *c = edit_vcpu(v, s, &vm);
	if (!c)
		return;
	const struct vm_sample *m = &s->sample.vms[vm];
	long k = c - &s->sample.vcpus[m->first_vcpu] + by;
	k = clamp(k, 0, (long)m->n_vcpus - 1);
	v->map.vcpu = s->sample.vcpus[m->first_vcpu + (size_t)k].id;
}

static long name_place(const struct view *v, size_t vm)
{
	for (size_t i = 0; i < v->n_rows; i++)
		if (v->names[i] == vm)
			return (long)i;
	return -1;
}

static void select_vm(struct view *v, const struct snapshot *s, size_t vm)
{
	for (size_t i = 0; i < v->n_rows; i++)
		if (v->rows[i] == vm)
			rows_select(v, s, i);
}

/* One vCPU up or down in the map, on into the next VM. */
static void map_step(struct view *v, const struct snapshot *s, int by)
{
	size_t vm;
	const struct vcpu_sample *c = edit_vcpu(v, s, &vm);
	if (!c) {
		rows_move(v, s, 0);
		return;
	}
	const struct vm_sample *m = &s->sample.vms[vm];
	long k = c - &s->sample.vcpus[m->first_vcpu] + by;
	if (k >= 0 && k < (long)m->n_vcpus) {
		v->map.vcpu = s->sample.vcpus[m->first_vcpu + (size_t)k].id;
		return;
	}
	for (long at = name_place(v, vm) + by; at >= 0 && at < (long)v->n_rows; at += by) {
		m = &s->sample.vms[v->names[at]];
		if (!m->n_vcpus)
			continue;
		select_vm(v, s, v->names[at]);
		v->map.vcpu = s->sample.vcpus[m->first_vcpu + (by < 0 ? m->n_vcpus - 1 : 0)].id;
		return;
	}
}

static void map_side(struct view *v, int by)
{
	if (!v->units.n)
		return;
	long i = units_find(&v->units, v->map.cpu);
	i = i < 0 ? 0 : i + by;
	i = clamp(i, 0, (long)v->units.n - 1);
	v->map.cpu = v->units.list[i].first;
}

static void log_move(struct view *v, const struct snapshot *s, long by)
{
	if (!s->n_log)
		return;
	size_t end = s->n_log;
	while (v->log_seq && end > 1 && s->log[end - 1].seq > v->log_seq)
		end--;
	long to = (long)end + by;
	to = max_of(to, 1);
	v->log_seq = to >= (long)s->n_log ? 0 : s->log[to - 1].seq;
}

static void move(struct view *v, const struct snapshot *s, long by)
{
	switch (view_focus(v)) {
	case FOCUS_TABLE:
		rows_move(v, s, by);
		break;
	case FOCUS_LOG:
		log_move(v, s, by);
		break;
	case FOCUS_VCPUS:
		move_vcpu(v, s, by);
		break;
	case FOCUS_WHY:
		rows_move(v, s, by);
		break;
	case FOCUS_PLAN:
		plan_move(&v->plan, by);
		break;
	case FOCUS_MAP:
		for (long i = by < 0 ? -by : by; i > 0 && i < 100000; i--)
			map_step(v, s, by < 0 ? -1 : 1);
		break;
	}
}

static void key_side(struct view *v, const struct snapshot *s, int by)
{
	struct table *t = view_table(v);
	switch (view_focus(v)) {
	case FOCUS_TABLE:
		if (t->left + by < t->n_cols - 1)
			t->left = max_of(t->left + by, 0);
		break;
	case FOCUS_MAP:
		map_side(v, by);
		break;
	case FOCUS_VCPUS:
	case FOCUS_WHY:
		rows_move(v, s, by);
		break;
	case FOCUS_LOG:
		if (v->id == VIEW_VM)
			rows_move(v, s, by);
		break;
	case FOCUS_PLAN:
		break;
	}
}

static long page_of(const struct view *v)
{
	enum focus f = view_focus(v);
	long page = f == FOCUS_LOG     ? v->log_page
		    : f == FOCUS_TABLE ? v->page
		    : f == FOCUS_PLAN  ? v->plan.page
				       : 10;
	return page > 1 ? page - 1 : 1;
}

bool move_key(struct view *v, const struct snapshot *s, enum key_action a)
{
	long all = 1 << 16;
	switch (a) {
	case KEY_UP:
		move(v, s, -1);
		return true;
	case KEY_DOWN:
		move(v, s, 1);
		return true;
	case KEY_PAGE_UP:
		move(v, s, -page_of(v));
		return true;
	case KEY_PAGE_DOWN:
		move(v, s, page_of(v));
		return true;
	case KEY_FIRST:
		move(v, s, view_focus(v) == FOCUS_MAP ? -(long)s->sample.n_vcpus : -all);
		return true;
	case KEY_LAST:
		move(v, s, view_focus(v) == FOCUS_MAP ? (long)s->sample.n_vcpus : all);
		return true;
	case KEY_LEFT:
		key_side(v, s, -1);
		return true;
	case KEY_RIGHT:
		key_side(v, s, 1);
		return true;
	case KEY_FAR_LEFT:
	case KEY_FAR_RIGHT:
		if (view_focus(v) == FOCUS_MAP)
			map_side(v, (a == KEY_FAR_LEFT ? -1 : 1) * max_of(v->map.cols, 1));
		return true;
	default:
		return false;
	}
}

static bool inside(struct rect r, int row, int col)
{
	return row >= r.row && row < r.row + r.rows && col >= r.col && col < r.col + r.cols;
}

/* A row selects its VM, a head sorts by its column, once more the other way round. */
static void click_table(struct view *v, const struct snapshot *s, int row, int col)
{
	struct table *t = view_table(v);
	if (inside(v->hit.rows, row, col)) {
		rows_select(v, s, v->top + (size_t)(row - v->hit.rows.row));
		return;
	}
	if (row != v->hit.panel[FOCUS_TABLE].row)
		return;
	for (int i = 0; i < v->hit.n_heads; i++)
		if (col < v->hit.head_end[i]) {
			t->reverse = t->sort == v->hit.heads[i] && !t->reverse;
			t->sort = v->hit.heads[i];
			t->sorted = true;
			v->rows_stale = true;
			return;
		}
}

static void click_map(struct view *v, const struct snapshot *s, int row, int col)
{
	struct rect cells = v->hit.cells;
	if (row < cells.row || row >= cells.row + cells.rows)
		return;
	map_select(v, s, v->map.top + (size_t)(row - cells.row));
	size_t unit = v->map.left + (size_t)(col - cells.col) / (size_t)(v->hit.cell > 0 ? v->hit.cell : 1);
	if (inside(cells, row, col) && unit < v->units.n)
		v->map.cpu = v->units.list[unit].first;
}

/* A key of the footer does what it says; what would change a guest asks first, since nobody can tell a click
 * from one that a pasted text holds. */
static void click_footer(struct view *v, const struct snapshot *s, int col)
{
	int i = 0;
	while (i < v->hit.n_foot && col >= v->hit.foot_end[i])
		i++;
	if (i == v->hit.n_foot)
		return;
	size_t before = v->n_queue;
	view_press(v, v->hit.foot[i], s);
	if (v->n_queue == before || !command_ages(&v->queue[before]))
		return;
	struct command c = v->queue[before];
	const struct key_row *k = key_find(v->hit.foot[i], view_place(v, s), s->readonly);
	bool many = v->n_queue > before + 1;
	v->n_queue = before;
	if (many || !k)
		view_say(v, "press the key for that: it is about several VMs");
	else
		ask_question(v, &c, "%s: %s?", k->label, k->help);
}

static void wheel(struct view *v, const struct snapshot *s, int by)
{
	if (v->over.kind == OVER_HELP || v->over.kind == OVER_SETUP || v->over.kind == OVER_SORT)
		for (int i = 0; i < 3; i++)
			ask_key(v, by < 0 ? VK_UP : VK_DOWN, s);
	else if (v->over.kind == OVER_NONE)
		move(v, s, 3 * by);
}

void view_mouse(struct view *v, int row, int col, int key, const struct snapshot *s)
{
	s = view_seen(v, s);
	if (s->first)
		return;
	rows_update(v, s);
	if (key == VK_CLICK && v->over.kind == OVER_NONE && v->hit.n_foot && row == v->hit.foot_row) {
		click_footer(v, s, col);
		return;
	}
	for (unsigned f = FOCUS_TABLE; f < FOCUS_COUNT && v->over.kind == OVER_NONE; f++)
		if (v->sight & 1U << f && inside(v->hit.panel[f], row, col))
			view_focus_on(v, (enum focus)f);
	if (key == VK_WHEEL_UP || key == VK_WHEEL_DOWN)
		wheel(v, s, key == VK_WHEEL_UP ? -1 : 1);
	else if (v->over.kind != OVER_NONE)
		return;
	else if (view_focus(v) == FOCUS_TABLE)
		click_table(v, s, row, col);
	else if (view_focus(v) == FOCUS_MAP)
		click_map(v, s, row, col);
	rows_update(v, s);
}
