/* SPDX-License-Identifier: MIT */
/* Moving about: cursor keys, in whatever panel has the focus. Invariant: changes what is looked
 * at, never a guest. */

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

void view_move(struct view *view, const struct snapshot *snap, long by)
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
		view_move(view, snap, -1);
		return true;
	case KEY_DOWN:
		view_move(view, snap, 1);
		return true;
	case KEY_PAGE_UP:
		view_move(view, snap, -page_of(view));
		return true;
	case KEY_PAGE_DOWN:
		view_move(view, snap, page_of(view));
		return true;
	case KEY_FIRST:
		view_move(view, snap, view_focus(view) == FOCUS_MAP ? -(long)snap->sample.n_vcpus : -all);
		return true;
	case KEY_LAST:
		view_move(view, snap, view_focus(view) == FOCUS_MAP ? (long)snap->sample.n_vcpus : all);
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
