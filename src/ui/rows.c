/* SPDX-License-Identifier: MIT */
/* Which VMs are shown and in which order. Invariant: rows[] and names[] hold indices of the snapshot whose
 * number is rows_seq; the selection is a UUID, so it stays on its VM whatever the order does. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view_private.h"
#include "vmtop/array.h"
#include "vmtop/control.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

struct table *view_table(struct view *view)
{
	return view->id == VIEW_MEMORY ? &view->memory : &view->main;
}

const struct table *view_table_of(const struct view *view)
{
	return view->id == VIEW_MEMORY ? &view->memory : &view->main;
}

/* Who suffers stands first, the worst of them on top, whatever the direction. */
static int by_first(const struct row_key *a, const struct row_key *b)
{
	return (a->first < b->first) - (a->first > b->first);
}

static int by_value(const struct row_key *a, const struct row_key *b)
{
	if (a->has != b->has)
		return a->has - b->has;
	if (a->num != b->num)
		return a->num < b->num ? -1 : 1;
	return strcmp(a->text, b->text);
}

/* qsort has no argument for the direction: two functions. Ties stay in the order of the UUIDs. */
static int key_up(const void *x, const void *y)
{
	const struct row_key *a = x, *b = y;
	int c = by_first(a, b);
	if (!c)
		c = by_value(a, b);
	return c ? c : (a->vm > b->vm) - (a->vm < b->vm);
}

static int key_down(const void *x, const void *y)
{
	const struct row_key *a = x, *b = y;
	int c = by_first(a, b);
	if (!c)
		c = by_value(b, a);
	return c ? c : (a->vm > b->vm) - (a->vm < b->vm);
}

/* As it is shown; and those who rest do not change places, which would only draw their rows anew. */
static double ordered_as(const struct value *val)
{
	const double rests_pct = 1;
	if (val->type != VALUE_PCT)
		return val->num;
	return val->num < rests_pct ? 0 : round(val->num * 10) / 10;
}

static void key_fill(
	struct row_key *key, const struct column *column, const struct column_env *env, size_t vm)
{
	struct value val;
	*key = (struct row_key){.vm = vm};
	if (!column)
		return;
	column_get(column, env, vm, &val);
	key->has = val.avail == AVAIL_OK;
	key->num = ordered_as(&val);
	if (val.type == VALUE_TEXT)
		snprintf(key->text, sizeof key->text, "%.47s", val.text);
}

static void sort_rows(
	struct view *view, const struct snapshot *snap, size_t *rows, int column, bool reverse, bool sick)
{
	const struct column *c = column < 0 ? NULL : column_at((size_t)column);
	struct column_env env = {.snap = snap, .of_host = false};
	for (size_t i = 0; i < view->n_rows; i++) {
		key_fill(&view->keys[i], c, &env, rows[i]);
		view->keys[i].first = sick ? snap->vm_status[rows[i]].suffer.score_pct : 0;
	}
	bool up = (!c || c->ascending) != reverse;
	if (view->n_rows)
		qsort(view->keys, view->n_rows, sizeof *view->keys, up ? key_up : key_down);
	for (size_t i = 0; i < view->n_rows; i++)
		rows[i] = view->keys[i].vm;
}

/* Names seldom change: whether the order of the snapshot before holds for this one too. It can only be asked
 * of all VMs, for a filter may let others through than before. */
static bool names_in_order(const struct view *view, const struct snapshot *snap)
{
	if (view->n_names != view->n_rows || view->n_rows != snap->sample.n_vms)
		return false;
	for (size_t i = 1; i < view->n_rows; i++) {
		size_t a = view->names[i - 1], b = view->names[i];
		int c = strcmp(snap->sample.vms[a].name, snap->sample.vms[b].name);
		if (c > 0 || (c == 0 && a > b))
			return false;
	}
	return true;
}

static void sort_names(struct view *view, const struct snapshot *snap)
{
	if (names_in_order(view, snap))
		return;
	memcpy(view->names, view->rows, view->n_rows * sizeof *view->names);
	sort_rows(view, snap, view->names, column_find("name"), false, false);
	view->n_names = view->n_rows == snap->sample.n_vms ? view->n_rows : 0;
}

static bool rows_room(struct view *view, size_t n)
{
	if (n <= view->cap_rows)
		return true;
	size_t cap = 0, cap_names = 0, cap_keys = 0;
	bool ok = array_grow(&view->rows, &cap, n, sizeof *view->rows) &&
		  array_grow(&view->names, &cap_names, n, sizeof *view->names) &&
		  array_grow(&view->keys, &cap_keys, n, sizeof *view->keys);
	if (ok)
		view->cap_rows = cap;
	return ok;
}

/* The filter typed last counts; before one was typed, the patterns of the command line. */
static bool shown(const struct view *view, const struct vm_sample *vm)
{
	if (view->has_filter)
		return regexec(&view->filter_re, vm->name, 0, NULL, 0) == 0;
	for (size_t i = 0; i < view->n_patterns; i++)
		if (rules_match(view->patterns[i], vm))
			return true;
	return !view->n_patterns;
}

static bool matches(const regex_t *re, const char *name)
{
	return regexec(re, name, 0, NULL, 0) == 0;
}

/* The VM of the row sel_row, and its first vCPU when the VM is another one than before. */
static void take_selection(struct view *view, const struct snapshot *snap)
{
	const struct vm_sample *vm = &snap->sample.vms[view->rows[view->sel_row]];
	if (uuid_compare(view->sel, vm->uuid) && vm->n_vcpus)
		view->map.vcpu = snap->sample.vcpus[vm->first_vcpu].id;
	view->has_sel = true;
	memcpy(view->sel, vm->uuid, UUID_BYTES);
}

/* Keeps the cursor on its VM; when that is gone, on the row where it was. */
static void find_selection(struct view *view, const struct snapshot *snap)
{
	if (!view->moved) /* nobody has chosen yet: the first row, whoever that is */
		view->has_sel = false;
	for (size_t i = 0; view->has_sel && i < view->n_rows; i++)
		if (!uuid_compare(snap->sample.vms[view->rows[i]].uuid, view->sel)) {
			view->sel_row = i;
			return;
		}
	if (view->sel_row >= view->n_rows)
		view->sel_row = view->n_rows ? view->n_rows - 1 : 0;
	view->has_sel = view->n_rows > 0;
	if (view->has_sel)
		take_selection(view, snap);
}

void rows_update(struct view *view, const struct snapshot *snap)
{
	if (!view->rows_stale && view->rows_seq == snap->seq && view->rows_time == snap->sample.time_ns)
		return;
	view->n_rows = 0;
	if (!rows_room(view, snap->sample.n_vms))
		return;
	for (size_t i = 0; i < snap->sample.n_vms; i++)
		if (shown(view, &snap->sample.vms[i]))
			view->rows[view->n_rows++] = i;
	if (view->n_rows)
		sort_names(view, snap);
	const struct table *table = view_table(view);
	sort_rows(view, snap, view->rows, table->sort, table->reverse, !table->sorted);
	view->rows_seq = snap->seq;
	view->rows_time = snap->sample.time_ns;
	view->rows_stale = false;
	find_selection(view, snap);
	if (view->follow)
		rows_show(view);
}

bool rows_selected(const struct view *view, const struct snapshot *snap, size_t *vm)
{
	const struct vm_sample *m =
		view->has_sel && view->n_rows ? sample_vm_by_uuid(&snap->sample, view->sel) : NULL;
	if (!m)
		return false;
	*vm = (size_t)(m - snap->sample.vms);
	return true;
}

void rows_show(struct view *view)
{
	size_t page = (size_t)max_of(view->page, 1);
	if (view->sel_row < view->top)
		view->top = view->sel_row;
	else if (view->sel_row >= view->top + page)
		view->top = view->sel_row - page + 1;
}

void rows_select(struct view *view, const struct snapshot *snap, size_t row)
{
	if (!view->n_rows)
		return;
	view->moved = true;
	view->sel_row = row < view->n_rows ? row : view->n_rows - 1;
	take_selection(view, snap);
	rows_show(view);
}

void rows_move(struct view *view, const struct snapshot *snap, long by)
{
	long to = (long)view->sel_row + by;
	rows_select(view, snap, (size_t)max_of(to, 0));
}

bool rows_search(struct view *view, const struct snapshot *snap, bool next)
{
	if (!view->has_search)
		return false;
	for (size_t i = next ? 1 : 0; i <= view->n_rows && view->n_rows; i++) {
		size_t row = (view->sel_row + i) % view->n_rows;
		if (!matches(&view->search_re, snap->sample.vms[view->rows[row]].name))
			continue;
		rows_select(view, snap, row);
		return true;
	}
	return false;
}

bool rows_marked(const struct view *view, const uint8_t uuid[UUID_BYTES])
{
	for (size_t i = 0; i < view->n_marks; i++)
		if (!uuid_compare(view->marks[i], uuid))
			return true;
	return false;
}

void rows_unmark_gone(struct view *view, const struct snapshot *snap)
{
	size_t n = 0;
	for (size_t i = 0; i < view->n_marks; i++)
		if (sample_vm_by_uuid(&snap->sample, view->marks[i]))
			memmove(view->marks[n++], view->marks[i], UUID_BYTES);
	view->n_marks = n;
}

void rows_mark_all(struct view *view, const struct snapshot *snap)
{
	size_t n = view->n_marks;
	for (size_t i = 0; i < view->n_rows; i++)
		if (!rows_marked(view, snap->sample.vms[view->rows[i]].uuid))
			rows_mark(view, snap->sample.vms[view->rows[i]].uuid);
	if (view->n_marks <= n)
		view->n_marks = 0;
}

void rows_mark(struct view *view, const uint8_t uuid[UUID_BYTES])
{
	for (size_t i = 0; i < view->n_marks; i++)
		if (!uuid_compare(view->marks[i], uuid)) {
			memcpy(view->marks[i], view->marks[--view->n_marks], UUID_BYTES);
			return;
		}
	if (view->n_marks < MARKS_MAX)
		memcpy(view->marks[view->n_marks++], uuid, UUID_BYTES);
}

void rows_look_for(struct view *view, const struct snapshot *snap, const char *pattern)
{
	if (!pattern_set(&view->search_re, &view->has_search, view->search, pattern))
		view_say(view, "not a regular expression that can be used: %.100s", pattern);
	else if (view->has_search && !rows_search(view, snap, false))
		view_say(view, "no VM matches %.100s", pattern);
}

void rows_filter(struct view *view, const struct snapshot *snap, const char *pattern)
{
	if (!pattern_set(&view->filter_re, &view->has_filter, view->filter, pattern)) {
		view_say(view, "not a regular expression that can be used: %.100s", pattern);
		return;
	}
	view->n_patterns = 0;
	view->rows_stale = true;
	rows_update(view, snap);
}
