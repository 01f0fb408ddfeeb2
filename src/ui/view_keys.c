/* SPDX-License-Identifier: MIT */
/* Keys to commands. Invariant: a key that steers many guests asks first, turning off never asks, and in
 * read-only mode no key that steers exists at all. One handler per group of actions, found through the key
 * table. */
#include <stdio.h>
#include <string.h>

#include "vmtop/text.h"

#include "view_private.h"

enum { FEW_PINS = 8 }; /* `b` moves so many without asking */

void view_send(struct view *v, const struct command *c)
{
	if (v->n_queue < QUEUE_MAX)
		v->queue[v->n_queue++] = *c;
}

bool view_more(struct view *v, struct command *c)
{
	if (v->queue_at == v->n_queue) {
		v->queue_at = v->n_queue = 0;
		return false;
	}
	*c = v->queue[v->queue_at++];
	return true;
}

static void send_kind(struct view *v, enum command_kind kind, bool on)
{
	view_send(v, &(struct command){.kind = kind, .on = on});
}

/* ---- steering ---- */

/* While a filter limits the view, say that it does not limit the action. */
static const char *filter_note(const struct view *v)
{
	return v->has_filter ? " The filter limits only the view: this is about all VMs." : "";
}

static void key_rebalance(struct view *v, const struct snapshot *s)
{
	struct command c = {.kind = CMD_REBALANCE};
	int n = s->n_rebalance_pins, most = n < 0 ? (int)s->sample.n_vcpus : n;
	if (v->yes || most <= FEW_PINS)
		view_send(v, &c);
	else if (n < 0)
		ask_question(v, &c, "Rebalance now: up to %d vCPUs may move (the number is not known yet).%s",
			most, filter_note(v));
	else
		ask_question(v, &c, "Rebalance now: %d vCPUs will move.%s", n, filter_note(v));
}

static void key_auto(struct view *v, const struct snapshot *s, bool memory)
{
	bool on = memory ? s->auto_memory : s->auto_cpu, asked = memory ? v->asked_memory : v->asked_cpu;
	int n = memory ? s->n_eligible_memory : s->n_eligible_cpu, all = (int)s->sample.n_vms;
	struct command c = {.kind = memory ? CMD_AUTO_MEMORY : CMD_AUTO_CPU, .on = !on};
	if (on || asked || v->yes)
		view_send(v, &c);
	else
		ask_question(v, &c, "AUTO %s: %d guest%s eligible, %d not.%s%s", memory ? "memory" : "CPU", n,
			n == 1 ? "" : "s", all > n ? all - n : 0,
			memory ? " Guest statistics are turned on where they are off." : "", filter_note(v));
}

static void key_restore(struct view *v, const struct snapshot *s)
{
	ask_question(v, &(struct command){.kind = CMD_RESTORE},
		"Put everything back as found: %d change%s. The VMs it touches are held until released.",
		s->n_changed, s->n_changed == 1 ? "" : "s");
}

static void key_stats(struct view *v, const struct snapshot *s)
{
	int off = 0;
	for (size_t i = 0; i < s->sample.n_vms; i++) {
		struct vi64 p = s->sample.vms[i].mem.period_s;
		off += s->sample.vms[i].state == VM_RUNNING && s->sample.vms[i].mem.balloon_device &&
		       !(vi64_has(p) && p.v > 0);
	}
	struct command c = {.kind = CMD_STATS_PERIOD, .on = off > 0};
	if (off > 0)
		ask_question(v, &c,
			"Turn on guest memory statistics for %d guest%s? This changes their live definition "
			"and is put "
			"back on exit.",
			off, off == 1 ? "" : "s");
	else
		ask_question(v, &c, "Put the guest memory statistics back as they were found?");
}

static void key_balloon(struct view *v, const struct snapshot *s)
{
	size_t vm;
	char text[16] = "";
	if (!rows_selected(v, s, &vm)) {
		view_say(v, "no VM is selected");
		return;
	}
	if (vi64_has(s->sample.vms[vm].mem.balloon_kib))
		text_kib(text, sizeof text, s->sample.vms[vm].mem.balloon_kib.v);
	ask_line(v, PROMPT_BALLOON, text);
}

static bool vm_held(const struct snapshot *s, size_t vm, enum command_kind kind)
{
	enum reason r = s->vm_status[vm].cpu;
	return kind == CMD_EXCLUDE ? r == REASON_EXCLUDED : r == REASON_HELD || r == REASON_FOREIGN;
}

/* For the marked VMs, or the selected one when none is marked. */
static void key_each(struct view *v, const struct snapshot *s, enum command_kind kind)
{
	size_t vm;
	if (!rows_selected(v, s, &vm)) {
		view_say(v, "no VM is selected");
		return;
	}
	struct command c = {.kind = kind, .on = !vm_held(s, vm, kind)};
	if (!v->n_marks) {
		memcpy(c.uuid, v->sel, UUID_BYTES);
		view_send(v, &c);
	}
	for (size_t i = 0; i < v->n_marks; i++) {
		memcpy(c.uuid, v->marks[i], UUID_BYTES);
		view_send(v, &c);
	}
}

static void key_edit(struct view *v, const struct snapshot *s)
{
	size_t vm;
	const struct vcpu_sample *c = edit_vcpu(v, s, &vm);
	if (!c || !v->n_units) {
		view_say(v, "no vCPU is selected");
		return;
	}
	v->edit = true;
	v->map_vcpu = c->id;
	if (v->map_cpu < 0)
		v->map_cpu = vi64_has(c->pcpu) ? (int)c->pcpu.v : v->units[0].first;
	if (v->id != VIEW_OVERVIEW)
		v->id = VIEW_PCPUS;
	view_say(v, "pin editor: arrows choose, Space toggles, Enter types a CPU list; y applies, Esc drops");
}

static void key_quit(struct view *v, const struct snapshot *s)
{
	struct command c = {.kind = CMD_QUIT, .on = v->on_exit == ON_EXIT_RESTORE};
	bool ask = v->on_exit == ON_EXIT_ASK || v->on_exit == ON_EXIT_DEFAULT;
	if (ask && s->n_changed > 0 && !s->readonly && !s->over)
		ask_question(v, &c, "%d change%s made from here %s in force. Put everything back as found?",
			s->n_changed, s->n_changed == 1 ? "" : "s", s->n_changed == 1 ? "is" : "are");
	else
		view_send(v, &c);
}

/* ---- moving ---- */

static void move_vcpu(struct view *v, const struct snapshot *s, long by)
{
	size_t vm;
	const struct vcpu_sample *c = edit_vcpu(v, s, &vm);
	if (!c)
		return;
	const struct vm_sample *m = &s->sample.vms[vm];
	long k = c - &s->sample.vcpus[m->first_vcpu] + by;
	k = k < 0 ? 0 : k >= (long)m->n_vcpus ? (long)m->n_vcpus - 1 : k;
	v->map_vcpu = s->sample.vcpus[m->first_vcpu + (size_t)k].id;
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
		v->map_vcpu = s->sample.vcpus[m->first_vcpu + (size_t)k].id;
		return;
	}
	for (long at = name_place(v, vm) + by; at >= 0 && at < (long)v->n_rows; at += by) {
		m = &s->sample.vms[v->names[at]];
		if (!m->n_vcpus)
			continue;
		select_vm(v, s, v->names[at]);
		v->map_vcpu = s->sample.vcpus[m->first_vcpu + (by < 0 ? m->n_vcpus - 1 : 0)].id;
		return;
	}
}

static void map_side(struct view *v, int by)
{
	if (!v->n_units)
		return;
	long i = units_find(v, v->map_cpu);
	i = i < 0 ? 0 : i + by;
	i = i < 0 ? 0 : i >= (long)v->n_units ? (long)v->n_units - 1 : i;
	v->map_cpu = v->units[i].first;
}

static void log_move(struct view *v, const struct snapshot *s, long by)
{
	if (!s->n_log)
		return;
	size_t end = s->n_log;
	while (v->log_seq && end > 1 && s->log[end - 1].seq > v->log_seq)
		end--;
	long to = (long)end + by;
	to = to < 1 ? 1 : to;
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
		t->left = t->left + by < 0 ? 0 : t->left + by >= t->n_cols - 1 ? t->left : t->left + by;
		break;
	case FOCUS_MAP:
		map_side(v, by);
		break;
	case FOCUS_VCPUS:
		rows_move(v, s, by);
		break;
	case FOCUS_LOG:
		break;
	}
}

static long page_of(const struct view *v)
{
	enum focus f = view_focus(v);
	long page = f == FOCUS_LOG ? v->log_page : f == FOCUS_TABLE ? v->page : 10;
	return page > 1 ? page - 1 : 1;
}

static bool move_key(struct view *v, const struct snapshot *s, enum key_action a)
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
	default:
		return false;
	}
}

/* ---- what is shown ---- */

static void key_view(struct view *v, enum view_id id)
{
	if (v->id != id)
		v->came_from = v->id == VIEW_VM ? v->came_from : v->id;
	v->id = id;
	v->rows_stale = true;
}

static void key_back(struct view *v)
{
	if (v->id == VIEW_VM)
		v->id = v->came_from;
	else if (v->id != VIEW_OVERVIEW)
		v->id = VIEW_OVERVIEW;
	else
		v->focus[VIEW_OVERVIEW] = 0;
	v->rows_stale = true;
}

static void key_panel(struct view *v, int by)
{
	enum focus before = view_focus(v);
	for (int i = 0; i < 3 && view_focus(v) == before; i++)
		v->focus[v->id] = (v->focus[v->id] + by + 3) % 3;
}

static void sort_by(struct view *v, const char *key)
{
	struct table *t = view_table(v);
	int column = column_find(key);
	t->reverse = t->sort == column && !t->reverse;
	t->sort = column;
	v->rows_stale = true;
	v->top = 0;
}

static void sort_step(struct view *v, int by)
{
	struct table *t = view_table(v);
	int at = 0;
	for (int i = 0; i < t->n_cols; i++)
		if (t->cols[i] == t->sort)
			at = i + by;
	at = at < 0 ? 0 : at >= t->n_cols ? t->n_cols - 1 : at;
	t->sort = t->cols[at];
	t->reverse = false;
	v->rows_stale = true;
	view_say(v, "sorted by %s: %s", column_at((size_t)t->sort)->head, column_at((size_t)t->sort)->help);
}

static void key_merge(struct view *v, const struct snapshot *s)
{
	v->merge = (v->merge + 1) % MERGE_COUNT;
	units_update(v, s);
	v->map_left = 0;
	view_say(v, "pCPUs shown per %s", merge_text(v->merge));
}

static void key_mark(struct view *v, const struct snapshot *s)
{
	size_t vm;
	if (!rows_selected(v, s, &vm))
		return;
	rows_mark(v, v->sel);
	rows_move(v, s, 1);
}

static void open_list(struct view *v, enum overlay over, int row)
{
	v->over = over;
	v->over_row = row > 0 ? row : 0;
	v->over_top = 0;
}

static void key_next(struct view *v, const struct snapshot *s)
{
	if (!v->has_search)
		view_say(v, "nothing to search for yet: / starts a search");
	else if (!rows_search(v, s, true))
		view_say(v, "no VM matches %.100s", v->search);
}

static bool sort_key(struct view *v, enum key_action a)
{
	switch (a) {
	case KEY_SORT_CPU:
		sort_by(v, "cpu");
		return true;
	case KEY_SORT_MEMORY:
		sort_by(v, "balloon");
		return true;
	case KEY_SORT_TIME:
		sort_by(v, "time");
		return true;
	case KEY_SORT_ID:
		sort_by(v, "id");
		return true;
	case KEY_SORT_LEFT:
		sort_step(v, -1);
		return true;
	case KEY_SORT_RIGHT:
		sort_step(v, 1);
		return true;
	case KEY_REVERSE:
		view_table(v)->reverse = !view_table(v)->reverse;
		v->rows_stale = true;
		return true;
	case KEY_SORT_PICK:
		open_list(v, OVER_SORT, view_table(v)->sort);
		return true;
	default:
		return false;
	}
}

static bool show_key(struct view *v, const struct snapshot *s, enum key_action a, int key)
{
	switch (a) {
	case KEY_VIEW:
		key_view(v, (enum view_id)(key - '0'));
		return true;
	case KEY_OPEN:
		key_view(v, VIEW_VM);
		return true;
	case KEY_BACK:
		key_back(v);
		return true;
	case KEY_PANEL:
		key_panel(v, 1);
		return true;
	case KEY_PANEL_BACK:
		key_panel(v, -1);
		return true;
	case KEY_OF_HOST:
		v->of_host = !v->of_host;
		view_say(v, "percent of %s", v->of_host ? "the whole host" : "one pCPU");
		return true;
	case KEY_SEARCH:
		ask_line(v, PROMPT_SEARCH, "");
		return true;
	case KEY_FILTER:
		ask_line(v, PROMPT_FILTER, v->filter);
		return true;
	case KEY_NEXT:
		key_next(v, s);
		return true;
	case KEY_FOLLOW:
		v->follow = !v->follow;
		rows_show(v);
		view_say(v, v->follow ? "following the selected VM" : "not following");
		return true;
	case KEY_PAUSE:
		v->paused = !v->paused;
		return true;
	case KEY_MARK_ROW:
		key_mark(v, s);
		return true;
	case KEY_MERGE:
		key_merge(v, s);
		return true;
	case KEY_SETUP:
		open_list(v, OVER_SETUP, 0);
		return true;
	case KEY_HELP:
		open_list(v, OVER_HELP, 0);
		return true;
	default:
		return false;
	}
}

static bool steer_key(struct view *v, const struct snapshot *s, enum key_action a)
{
	switch (a) {
	case KEY_REBALANCE:
		key_rebalance(v, s);
		return true;
	case KEY_AUTO_CPU:
		key_auto(v, s, false);
		return true;
	case KEY_AUTO_MEMORY:
		key_auto(v, s, true);
		return true;
	case KEY_MEMORY_CYCLE:
		send_kind(v, CMD_MEMORY_CYCLE, true);
		return true;
	case KEY_PREVIEW:
		send_kind(v, CMD_PREVIEW, true);
		return true;
	case KEY_UNDO:
		send_kind(v, CMD_UNDO, true);
		return true;
	case KEY_RESTORE:
		key_restore(v, s);
		return true;
	case KEY_BALLOON:
		key_balloon(v, s);
		return true;
	case KEY_HOLD:
		key_each(v, s, CMD_HOLD);
		return true;
	case KEY_EXCLUDE:
		key_each(v, s, CMD_EXCLUDE);
		return true;
	case KEY_STATS:
		key_stats(v, s);
		return true;
	default:
		return false;
	}
}

static bool edit_key(struct view *v, const struct snapshot *s, enum key_action a)
{
	switch (a) {
	case KEY_EDIT:
		key_edit(v, s);
		return true;
	case KEY_TOGGLE:
		edit_toggle(v, s);
		return true;
	case KEY_LIST:
		ask_line(v, PROMPT_CPUS, "");
		return true;
	case KEY_APPLY:
		if (v->edit)
			edit_apply(v);
		else
			send_kind(v, CMD_PREVIEW_APPLY, true);
		return true;
	case KEY_DROP:
		if (v->edit)
			edit_drop(v);
		else
			send_kind(v, CMD_PREVIEW_DROP, true);
		return true;
	default:
		return false;
	}
}

static bool other_key(struct view *v, const struct snapshot *s, enum key_action a)
{
	char text[32];
	switch (a) {
	case KEY_QUIT:
		key_quit(v, s);
		return true;
	case KEY_SAMPLE:
		send_kind(v, CMD_SAMPLE, true);
		return true;
	case KEY_INTERVAL:
		snprintf(text, sizeof text, "%g", v->delay_s);
		ask_line(v, PROMPT_INTERVAL, text);
		return true;
	case KEY_NOTE:
		ask_line(v, PROMPT_NOTE, "");
		return true;
	default:
		return false;
	}
}

bool view_key(struct view *v, int key, const struct snapshot *s, struct command *c)
{
	rows_update(v, s);
	v->message[0] = '\0';
	if (v->over != OVER_NONE) {
		ask_key(v, key, s);
		return view_more(v, c);
	}
	const struct key_row *k = key_find(key, view_place(v, s), s->readonly);
	enum key_action a = k ? k->action : KEY_NOTHING;
	bool quiet = s->first && a != KEY_QUIT && a != KEY_HELP; /* nothing to act on yet */
	if (!k && s->readonly && key_find(key, view_place(v, s), false))
		view_say(v, "read-only: %s",
			s->backend.readonly_why[0] ? s->backend.readonly_why : "nothing can be changed");
	else if (!quiet && !move_key(v, s, a) && !sort_key(v, a) && !show_key(v, s, a, key) &&
		 !steer_key(v, s, a) && !edit_key(v, s, a))
		other_key(v, s, a);
	else if (quiet)
		return false;
	rows_update(v, s);
	return view_more(v, c);
}

void view_mouse(struct view *v, int row, int col, int key, const struct snapshot *s)
{
	(void)col;
	if (v->over != OVER_NONE || s->first)
		return;
	if (key == VK_WHEEL_UP || key == VK_WHEEL_DOWN)
		move(v, s, key == VK_WHEEL_UP ? -3 : 3);
	else if (view_focus(v) == FOCUS_TABLE && row >= v->table_row && row < v->table_row + v->page)
		rows_select(v, s, v->top + (size_t)(row - v->table_row));
}
