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
#include "vmtop/text.h"

struct table *view_table(struct view *v)
{
	return v->id == VIEW_MEMORY ? &v->memory : &v->main;
}

const struct table *view_table_of(const struct view *v)
{
	return v->id == VIEW_MEMORY ? &v->memory : &v->main;
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
	c = c ? c : by_value(a, b);
	return c ? c : (a->vm > b->vm) - (a->vm < b->vm);
}

static int key_down(const void *x, const void *y)
{
	const struct row_key *a = x, *b = y;
	int c = by_first(a, b);
	c = c ? c : by_value(b, a);
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

static void key_fill(struct row_key *k, const struct column *c, const struct column_env *env, size_t vm)
{
	struct value val;
	*k = (struct row_key){.vm = vm};
	if (!c)
		return;
	column_get(c, env, vm, &val);
	k->has = val.avail == AVAIL_OK;
	k->num = ordered_as(&val);
	if (val.type == VALUE_TEXT)
		snprintf(k->text, sizeof k->text, "%.47s", val.text);
}

static void sort_rows(
	struct view *v, const struct snapshot *s, size_t *rows, int column, bool reverse, bool sick)
{
	const struct column *c = column < 0 ? NULL : column_at((size_t)column);
	struct column_env env = {.snap = s, .of_host = false};
	for (size_t i = 0; i < v->n_rows; i++) {
		key_fill(&v->keys[i], c, &env, rows[i]);
		v->keys[i].first = sick ? s->vm_status[rows[i]].suffer.score_pct : 0;
	}
	bool up = (!c || c->ascending) != reverse;
	if (v->n_rows)
		qsort(v->keys, v->n_rows, sizeof *v->keys, up ? key_up : key_down);
	for (size_t i = 0; i < v->n_rows; i++)
		rows[i] = v->keys[i].vm;
}

/* Names seldom change: whether the order of the snapshot before holds for this one too. It can only be asked
 * of all VMs, for a filter may let others through than before. */
static bool names_in_order(const struct view *v, const struct snapshot *s)
{
	if (v->n_names != v->n_rows || v->n_rows != s->sample.n_vms)
		return false;
	for (size_t i = 1; i < v->n_rows; i++) {
		size_t a = v->names[i - 1], b = v->names[i];
		int c = strcmp(s->sample.vms[a].name, s->sample.vms[b].name);
		if (c > 0 || (c == 0 && a > b))
			return false;
	}
	return true;
}

static void sort_names(struct view *v, const struct snapshot *s)
{
	if (names_in_order(v, s))
		return;
	memcpy(v->names, v->rows, v->n_rows * sizeof *v->names);
	sort_rows(v, s, v->names, column_find("name"), false, false);
	v->n_names = v->n_rows == s->sample.n_vms ? v->n_rows : 0;
}

static bool rows_room(struct view *v, size_t n)
{
	if (n <= v->cap_rows)
		return true;
	size_t cap = 0, cap_names = 0, cap_keys = 0;
	bool ok = array_grow(&v->rows, &cap, n, sizeof *v->rows) &&
		  array_grow(&v->names, &cap_names, n, sizeof *v->names) &&
		  array_grow(&v->keys, &cap_keys, n, sizeof *v->keys);
	v->cap_rows = ok ? cap : v->cap_rows;
	return ok;
}

/* The filter typed last counts; before one was typed, the patterns of the command line. */
static bool shown(const struct view *v, const struct vm_sample *vm)
{
	if (v->has_filter)
		return regexec(&v->filter_re, vm->name, 0, NULL, 0) == 0;
	for (size_t i = 0; i < v->n_patterns; i++)
		if (rules_match(v->patterns[i], vm))
			return true;
	return !v->n_patterns;
}

static bool matches(const regex_t *re, const char *name)
{
	return regexec(re, name, 0, NULL, 0) == 0;
}

/* The VM of the row sel_row, and its first vCPU when the VM is another one than before. */
static void take_selection(struct view *v, const struct snapshot *s)
{
	const struct vm_sample *m = &s->sample.vms[v->rows[v->sel_row]];
	if (uuid_compare(v->sel, m->uuid) && m->n_vcpus)
		v->map.vcpu = s->sample.vcpus[m->first_vcpu].id;
	v->has_sel = true;
	memcpy(v->sel, m->uuid, UUID_BYTES);
}

/* Keeps the cursor on its VM; when that is gone, on the row where it was. */
static void find_selection(struct view *v, const struct snapshot *s)
{
	if (!v->moved) /* nobody has chosen yet: the first row, whoever that is */
		v->has_sel = false;
	for (size_t i = 0; v->has_sel && i < v->n_rows; i++)
		if (!uuid_compare(s->sample.vms[v->rows[i]].uuid, v->sel)) {
			v->sel_row = i;
			return;
		}
	if (v->sel_row >= v->n_rows)
		v->sel_row = v->n_rows ? v->n_rows - 1 : 0;
	v->has_sel = v->n_rows > 0;
	if (v->has_sel)
		take_selection(v, s);
}

void rows_update(struct view *v, const struct snapshot *s)
{
	if (!v->rows_stale && v->rows_seq == s->seq && v->rows_time == s->sample.time_ns)
		return;
	v->n_rows = 0;
	if (!rows_room(v, s->sample.n_vms))
		return;
	for (size_t i = 0; i < s->sample.n_vms; i++)
		if (shown(v, &s->sample.vms[i]))
			v->rows[v->n_rows++] = i;
	if (v->n_rows)
		sort_names(v, s);
	const struct table *t = view_table(v);
	sort_rows(v, s, v->rows, t->sort, t->reverse, !t->sorted);
	v->rows_seq = s->seq;
	v->rows_time = s->sample.time_ns;
	v->rows_stale = false;
	find_selection(v, s);
	if (v->follow)
		rows_show(v);
}

bool rows_selected(const struct view *v, const struct snapshot *s, size_t *vm)
{
	const struct vm_sample *m = v->has_sel && v->n_rows ? sample_vm_by_uuid(&s->sample, v->sel) : NULL;
	if (!m)
		return false;
	*vm = (size_t)(m - s->sample.vms);
	return true;
}

void rows_show(struct view *v)
{
	size_t page = v->page > 0 ? (size_t)v->page : 1;
	if (v->sel_row < v->top)
		v->top = v->sel_row;
	else if (v->sel_row >= v->top + page)
		v->top = v->sel_row - page + 1;
}

void rows_select(struct view *v, const struct snapshot *s, size_t row)
{
	if (!v->n_rows)
		return;
	v->moved = true;
	v->sel_row = row < v->n_rows ? row : v->n_rows - 1;
	take_selection(v, s);
	rows_show(v);
}

void rows_move(struct view *v, const struct snapshot *s, long by)
{
	long to = (long)v->sel_row + by;
	rows_select(v, s, to < 0 ? 0 : (size_t)to);
}

bool rows_search(struct view *v, const struct snapshot *s, bool next)
{
	if (!v->has_search)
		return false;
	for (size_t i = next ? 1 : 0; i <= v->n_rows && v->n_rows; i++) {
		size_t row = (v->sel_row + i) % v->n_rows;
		if (!matches(&v->search_re, s->sample.vms[v->rows[row]].name))
			continue;
		rows_select(v, s, row);
		return true;
	}
	return false;
}

bool rows_marked(const struct view *v, const uint8_t uuid[UUID_BYTES])
{
	for (size_t i = 0; i < v->n_marks; i++)
		if (!uuid_compare(v->marks[i], uuid))
			return true;
	return false;
}

void rows_unmark_gone(struct view *v, const struct snapshot *s)
{
	size_t n = 0;
	for (size_t i = 0; i < v->n_marks; i++)
		if (sample_vm_by_uuid(&s->sample, v->marks[i]))
			memmove(v->marks[n++], v->marks[i], UUID_BYTES);
	v->n_marks = n;
}

void rows_mark_all(struct view *v, const struct snapshot *s)
{
	size_t n = v->n_marks;
	for (size_t i = 0; i < v->n_rows; i++)
		if (!rows_marked(v, s->sample.vms[v->rows[i]].uuid))
			rows_mark(v, s->sample.vms[v->rows[i]].uuid);
	v->n_marks = v->n_marks > n ? v->n_marks : 0;
}

void rows_mark(struct view *v, const uint8_t uuid[UUID_BYTES])
{
	for (size_t i = 0; i < v->n_marks; i++)
		if (!uuid_compare(v->marks[i], uuid)) {
			memcpy(v->marks[i], v->marks[--v->n_marks], UUID_BYTES);
			return;
		}
	if (v->n_marks < MARKS_MAX)
		memcpy(v->marks[v->n_marks++], uuid, UUID_BYTES);
}
