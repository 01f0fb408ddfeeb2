/* SPDX-License-Identifier: MIT */
/* Keys to commands. Invariant: a key that steers many guests asks first, turning off never asks, and in
 * read-only mode no key that steers exists at all. One handler per group of actions, found through the key
 * table. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "vmtop/minmax.h"
#include "vmtop/text.h"

#include "view_private.h"

static void key_view(struct view *view, enum view_id id)
{
	if (view->id != id)
		view->came_from = view->id >= VIEW_VM ? view->came_from : view->id;
	view->id = id;
	view->rows_stale = true;
}

/* Which of those that suffer comes after the selected one; the worst when it is not among them. */
static size_t next_sick(const struct view *view, const struct snapshot *snap)
{
	size_t row;
	for (size_t n = 0; view->id == VIEW_WHY && alert_worst(view, snap, n, &row); n++)
		if (row == view->sel_row)
			return alert_worst(view, snap, n + 1, &row) ? n + 1 : 0;
	return 0;
}

static void key_why(struct view *view, const struct snapshot *snap)
{
	size_t row;
	bool here = view->id == VIEW_VM;
	if (!here && alert_worst(view, snap, next_sick(view, snap), &row))
		rows_select(view, snap, row);
	else if (!here && !alert_any(snap))
		view_say(view, "no VM suffers as far as is known; this is the selected one");
	else if (!here)
		view_say(view, "who suffers is not among the rows shown: \\ changes the filter");
	key_view(view, VIEW_WHY);
}

static void key_back(struct view *view, const struct snapshot *snap)
{
	if (view->id == VIEW_VM || view->id == VIEW_WHY)
		view->id = view->came_from;
	else if (view->id != VIEW_OVERVIEW)
		view->id = VIEW_OVERVIEW;
	else if (view->focus[VIEW_OVERVIEW])
		view->focus[VIEW_OVERVIEW] = 0;
	else if (view->n_marks) {
		view_say(view, "%zu mark%s taken off", view->n_marks, text_s(view->n_marks));
		view->n_marks = 0;
	} else if (view->esc_quits) {
		view_quit(view, snap);
	}
	view->rows_stale = true;
}

/* To the next panel that is on the screen. */
static void key_panel(struct view *view, int by)
{
	enum focus before = view_focus(view);
	int at = view->focus[view->id];
	for (int i = 0; i < 3; i++) {
		view->focus[view->id] = (view->focus[view->id] + by + 3) % 3;
		if (view_focus(view) != before && (!view->sight || view->sight & 1U << view_focus(view)))
			return;
	}
	view->focus[view->id] = at;
}

static void sort_by(struct view *view, const char *key)
{
	struct table *table = view_table(view);
	int column = column_find(key);
	table->reverse = table->sort == column && !table->reverse;
	table->sort = column;
	table->sorted = true;
	view->rows_stale = true;
	view->top = 0;
}

static void sort_step(struct view *view, int by)
{
	struct table *table = view_table(view);
	int at = 0;
	for (int i = 0; i < table->n_cols; i++)
		if (table->cols[i] == table->sort)
			at = i + by;
	at = clamp(at, 0, table->n_cols - 1);
	table->sort = table->cols[at];
	table->sorted = true;
	table->reverse = false;
	view->rows_stale = true;
	view_say(view, "sorted by %s: %s", column_at((size_t)table->sort)->head,
		column_at((size_t)table->sort)->help);
}

static void key_merge(struct view *view, const struct snapshot *snap)
{
	view->units.merge = (view->units.merge + 1) % MERGE_COUNT;
	units_update(&view->units, snap);
	view->map.left = 0;
	view_say(view, "pCPUs shown per %s", merge_text(view->units.merge));
}

static void key_mark(struct view *view, const struct snapshot *snap)
{
	size_t vm;
	if (!rows_selected(view, snap, &vm))
		return;
	rows_mark(view, view->sel);
	rows_move(view, snap, 1);
}

static void open_list(struct view *view, enum overlay over, int row)
{
	view->over.kind = over;
	view->over.row = max_of(row, 0);
	view->over.top = 0;
}

static void key_next(struct view *view, const struct snapshot *snap)
{
	if (!view->has_search)
		view_say(view, "nothing to search for yet: / starts a search");
	else if (!rows_search(view, snap, true))
		view_say(view, "no VM matches %.100s", view->search);
}

static bool sort_key(struct view *view, enum key_action action)
{
	switch (action) {
	case KEY_SORT_CPU:
		sort_by(view, "cpu");
		return true;
	case KEY_SORT_MEMORY:
		sort_by(view, "balloon");
		return true;
	case KEY_SORT_TIME:
		sort_by(view, "time");
		return true;
	case KEY_SORT_ID:
		sort_by(view, "id");
		return true;
	case KEY_SORT_SUFFERS:
		sort_by(view, "suffers");
		return true;
	case KEY_SORT_WAIT:
		sort_by(view, "wait");
		return true;
	case KEY_SORT_LEFT:
		sort_step(view, -1);
		return true;
	case KEY_SORT_RIGHT:
		sort_step(view, 1);
		return true;
	case KEY_REVERSE:
		view_table(view)->reverse = !view_table(view)->reverse;
		view_table(view)->sorted = true;
		view->rows_stale = true;
		return true;
	case KEY_SORT_PICK:
		open_list(view, OVER_SORT, view_table(view)->sort);
		return true;
	default:
		return false;
	}
}

/* Which rows are shown, found and marked. */
static bool rows_key(struct view *view, const struct snapshot *snap, enum key_action action)
{
	switch (action) {
	case KEY_SEARCH:
		ask_line(view, PROMPT_SEARCH, "");
		return true;
	case KEY_FILTER:
		ask_line(view, PROMPT_FILTER, view->filter);
		return true;
	case KEY_NEXT:
		key_next(view, snap);
		return true;
	case KEY_FOLLOW:
		view->follow = !view->follow;
		rows_show(view);
		view_say(view, view->follow ? "following the selected VM" : "not following");
		return true;
	case KEY_MARK_ROW:
		key_mark(view, snap);
		return true;
	case KEY_MARK_ALL:
		rows_mark_all(view, snap);
		view_say(view, "%zu VM%s marked", view->n_marks, text_s(view->n_marks));
		return true;
	default:
		return false;
	}
}

static bool show_key(struct view *view, const struct snapshot *snap, enum key_action action, int key)
{
	switch (action) {
	case KEY_VIEW:
		key_view(view, (enum view_id)(key - '0'));
		return true;
	case KEY_OPEN:
		key_view(view, VIEW_VM);
		return true;
	case KEY_BACK:
		key_back(view, snap);
		return true;
	case KEY_PANEL:
		key_panel(view, 1);
		return true;
	case KEY_PANEL_BACK:
		key_panel(view, -1);
		return true;
	case KEY_OF_HOST:
		view->of_host = !view->of_host;
		view_say(view, "percent of %s", view->of_host ? "the whole host" : "one pCPU");
		return true;
	case KEY_PAUSE:
		view->paused = !view->paused;
		return true;
	case KEY_TALL:
		view->tall = !view->tall;
		return true;
	case KEY_MERGE:
		key_merge(view, snap);
		return true;
	case KEY_SETUP:
		setup_open(view, snap);
		return true;
	case KEY_SAVE:
		view_send_kind(view, CMD_SAVE, true);
		return true;
	case KEY_HELP:
		open_list(view, OVER_HELP, 0);
		return true;
	case KEY_COST:
		view->over.kind = OVER_COST;
		return true;
	default:
		return false;
	}
}

/* A name that sorts by time, in the folder where vmtop was started, as with --record. */
static void key_record(struct view *view, const struct snapshot *snap)
{
	char name[40] = "";
	time_t t = (time_t)(snap->sample.wall_ns / 1000000000);
	struct tm tm;
	if (snap->backend.recording[0])
		view_send_kind(view, CMD_RECORD, false);
	else {
		if (localtime_r(&t, &tm))
			strftime(name, sizeof name, "vmtop-%Y%m%d-%H%M%S.rec", &tm);
		ask_line(view, PROMPT_RECORD, name);
	}
}

static bool other_key(struct view *view, const struct snapshot *snap, enum key_action action)
{
	char text[32];
	switch (action) {
	case KEY_WHY:
		key_why(view, snap);
		return true;
	case KEY_QUIT:
		view_quit(view, snap);
		return true;
	case KEY_SAMPLE:
		view_send_kind(view, CMD_SAMPLE, true);
		return true;
	case KEY_INTERVAL:
		snprintf(text, sizeof text, "%g", view->delay_s);
		ask_line(view, PROMPT_INTERVAL, text);
		return true;
	case KEY_NOTE:
		ask_line(view, PROMPT_NOTE, "");
		return true;
	case KEY_RECORD:
		key_record(view, snap);
		return true;
	case KEY_LINE:
		ask_line(view, PROMPT_COMMAND, "");
		return true;
	case KEY_REDRAW: /* by the loop */
		return true;
	default:
		return false;
	}
}

static void send_replay(struct view *view, const char *what, double number)
{
	struct command cmd = {.kind = CMD_REPLAY, .number = number};
	snprintf(cmd.text, sizeof cmd.text, "%s", what);
	view_send(view, &cmd);
}

/* On a running host the same keys go back in time. */
static bool past_key(struct view *view, const struct snapshot *snap, enum key_action action)
{
	switch (action) {
	case KEY_STEP:
		past_step(view, snap, 1);
		return true;
	case KEY_STEP_BACK:
		past_step(view, snap, -1);
		return true;
	case KEY_GO:
		ask_line(view, PROMPT_GO, "");
		return true;
	case KEY_LIVE:
		past_leave(view);
		return true;
	default:
		return false;
	}
}

static bool replay_key(struct view *view, const struct snapshot *snap, enum key_action action)
{
	if (snap->moment != MOMENT_PLAYED)
		return past_key(view, snap, action);
	switch (action) {
	case KEY_PLAY:
		send_replay(view, "play", 0);
		return true;
	case KEY_STEP:
		send_replay(view, "step", 1);
		return true;
	case KEY_STEP_BACK:
		send_replay(view, "step", -1);
		return true;
	case KEY_FASTER:
		send_replay(view, "speed", 2);
		return true;
	case KEY_SLOWER:
		send_replay(view, "speed", .5);
		return true;
	case KEY_LOOP:
		send_replay(view, "loop", 0);
		return true;
	case KEY_GO:
		ask_line(view, PROMPT_GO, "");
		return true;
	default:
		return false;
	}
}

/* By the place and the table of keys, when nothing is open over them. */
static bool row_sends(const struct view *view, const struct key_row *key, const struct snapshot *snap)
{
	if (!key)
		return false;
	if (key->action == KEY_QUIT)
		return view->on_exit == ON_EXIT_RESTORE && snap->n_changed > 0;
	return key->steers || key->action == KEY_PREVIEW || key->action == KEY_SAMPLE ||
	       key->action == KEY_SAVE || key->action == KEY_RECORD;
}

bool view_sends(const struct view *view, int key, const struct snapshot *snap)
{
	if (key == VK_CTRL('L') || (key >= VK_CLICK && key <= VK_WHEEL_DOWN))
		return false;
	snap = view_seen(view, snap);
	const struct key_row *k = key_find(key, view_place(view, snap), snap->readonly);
	switch (view->over.kind) {
	case OVER_QUESTION:
		return key != VK_ESC;
	case OVER_PROMPT:
		return key == VK_ENTER && view->prompt != PROMPT_SEARCH && view->prompt != PROMPT_FILTER &&
		       view->prompt != PROMPT_GO;
	case OVER_SETUP:
		return k && k->action == KEY_SAVE;
	case OVER_NONE:
		return row_sends(view, k, snap);
	default:
		return false;
	}
}

unsigned view_asked(const struct view *view, const struct snapshot *snap)
{
	bool line = view->over.kind == OVER_PROMPT &&
		    (view->prompt == PROMPT_BALLOON || view->prompt == PROMPT_CPUS);
	bool ghosts = view->over.kind == OVER_NONE && view_place(view, snap) == IN_PREVIEW;
	return view->over.kind == OVER_QUESTION || line || ghosts ? view->n_asked : 0;
}

/* Why a key does nothing here that does something on a running host. */
static void say_off(struct view *view, int key, const struct snapshot *snap)
{
	const struct key_row *k = key_find(key, IN_VIEWS, false);
	if (!k)
		return;
	if (snap->moment == MOMENT_KEPT)
		view_say(view, "this is past: nothing can be asked of it; Esc returns to LIVE");
	else if (snap->moment == MOMENT_PLAYED && !k->steers)
		view_say(view, "what is shown is a recording: nothing can be asked of it");
	else if (snap->readonly)
		view_say(
			view, "read-only: %s", text_or(snap->backend.readonly_why, "nothing can be changed"));
}

void view_press(struct view *view, int key, const struct snapshot *newest)
{
	const struct snapshot *snap = view_seen(view, newest);
	rows_update(view, snap);
	view->message[0] = '\0';
	if (view->over.kind != OVER_NONE) {
		ask_key(view, key, snap);
		return;
	}
	const struct key_row *k = key_find(key, view_place(view, snap), snap->readonly);
	enum key_action action = k ? k->action : KEY_NOTHING;
	bool quiet = snap->first && action != KEY_QUIT && action != KEY_HELP; /* nothing to act on yet */
	if (!k)
		say_off(view, key, snap);
	else if (quiet)
		return;
	else if (!move_key(view, snap, action) && !sort_key(view, action) &&
		 !show_key(view, snap, action, key) && !rows_key(view, snap, action) &&
		 !steer_key(view, snap, action) && !edit_key(view, snap, action) &&
		 !replay_key(view, snap, action) && !other_key(view, snap, action))
		view_no_action(view, k);
	rows_update(view, view_seen(view, newest)); /* what was shown may be gone */
}

bool view_key(struct view *view, int key, const struct snapshot *newest, struct command *cmd)
{
	view_press(view, key, newest);
	return view_more(view, cmd);
}
