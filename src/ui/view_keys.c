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

void view_quit(struct view *v, const struct snapshot *s)
{
	struct command c = {.kind = CMD_QUIT, .on = v->on_exit == ON_EXIT_RESTORE};
	bool ask = v->on_exit == ON_EXIT_ASK || v->on_exit == ON_EXIT_DEFAULT;
	int stay = s->n_changed - s->n_periods;
	if (ask && stay > 0 && !s->readonly && !s->over)
		ask_question(v, &c, "%d change%s made from here %s in force. Put everything back as found?",
			stay, text_s(stay), stay == 1 ? "is" : "are");
	else
		view_send(v, &c);
}

static void key_view(struct view *v, enum view_id id)
{
	if (v->id != id)
		v->came_from = v->id >= VIEW_VM ? v->came_from : v->id;
	v->id = id;
	v->rows_stale = true;
}

/* Which of those that suffer comes after the selected one; the worst when it is not among them. */
static size_t next_sick(const struct view *v, const struct snapshot *s)
{
	size_t row;
	for (size_t n = 0; v->id == VIEW_WHY && alert_worst(v, s, n, &row); n++)
		if (row == v->sel_row)
			return alert_worst(v, s, n + 1, &row) ? n + 1 : 0;
	return 0;
}

static void key_why(struct view *v, const struct snapshot *s)
{
	size_t row;
	bool here = v->id == VIEW_VM;
	if (!here && alert_worst(v, s, next_sick(v, s), &row))
		rows_select(v, s, row);
	else if (!here && !alert_any(s))
		view_say(v, "no VM suffers as far as is known; this is the selected one");
	else if (!here)
		view_say(v, "who suffers is not among the rows shown: \\ changes the filter");
	key_view(v, VIEW_WHY);
}

static void key_back(struct view *v, const struct snapshot *s)
{
	if (v->id == VIEW_VM || v->id == VIEW_WHY)
		v->id = v->came_from;
	else if (v->id != VIEW_OVERVIEW)
		v->id = VIEW_OVERVIEW;
	else if (v->focus[VIEW_OVERVIEW])
		v->focus[VIEW_OVERVIEW] = 0;
	else if (v->n_marks) {
		view_say(v, "%zu mark%s taken off", v->n_marks, text_s(v->n_marks));
		v->n_marks = 0;
	} else if (v->esc_quits) {
		view_quit(v, s);
	}
	v->rows_stale = true;
}

/* To the next panel that is on the screen. */
static void key_panel(struct view *v, int by)
{
	enum focus before = view_focus(v);
	int at = v->focus[v->id];
	for (int i = 0; i < 3; i++) {
		v->focus[v->id] = (v->focus[v->id] + by + 3) % 3;
		if (view_focus(v) != before && (!v->sight || v->sight & 1U << view_focus(v)))
			return;
	}
	v->focus[v->id] = at;
}

static void sort_by(struct view *v, const char *key)
{
	struct table *t = view_table(v);
	int column = column_find(key);
	t->reverse = t->sort == column && !t->reverse;
	t->sort = column;
	t->sorted = true;
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
	at = clamp(at, 0, t->n_cols - 1);
	t->sort = t->cols[at];
	t->sorted = true;
	t->reverse = false;
	v->rows_stale = true;
	view_say(v, "sorted by %s: %s", column_at((size_t)t->sort)->head, column_at((size_t)t->sort)->help);
}

static void key_merge(struct view *v, const struct snapshot *s)
{
	v->units.merge = (v->units.merge + 1) % MERGE_COUNT;
	units_update(&v->units, s);
	v->map.left = 0;
	view_say(v, "pCPUs shown per %s", merge_text(v->units.merge));
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
	v->over.kind = over;
	v->over.row = max_of(row, 0);
	v->over.top = 0;
}

static void key_next(struct view *v, const struct snapshot *s)
{
	if (!v->has_search)
		view_say(v, "nothing to search for yet: / starts a search");
	else if (!rows_search(v, s, true))
		view_say(v, "no VM matches %.100s", v->search);
}

void view_no_action(struct view *v, const struct key_row *k)
{
	view_say(v, "nothing is done by this key yet: %s", k->help);
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
	case KEY_SORT_SUFFERS:
		sort_by(v, "suffers");
		return true;
	case KEY_SORT_WAIT:
		sort_by(v, "wait");
		return true;
	case KEY_SORT_LEFT:
		sort_step(v, -1);
		return true;
	case KEY_SORT_RIGHT:
		sort_step(v, 1);
		return true;
	case KEY_REVERSE:
		view_table(v)->reverse = !view_table(v)->reverse;
		view_table(v)->sorted = true;
		v->rows_stale = true;
		return true;
	case KEY_SORT_PICK:
		open_list(v, OVER_SORT, view_table(v)->sort);
		return true;
	default:
		return false;
	}
}

/* Which rows are shown, found and marked. */
static bool rows_key(struct view *v, const struct snapshot *s, enum key_action a)
{
	switch (a) {
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
	case KEY_MARK_ROW:
		key_mark(v, s);
		return true;
	case KEY_MARK_ALL:
		rows_mark_all(v, s);
		view_say(v, "%zu VM%s marked", v->n_marks, text_s(v->n_marks));
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
		key_back(v, s);
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
	case KEY_PAUSE:
		v->paused = !v->paused;
		return true;
	case KEY_TALL:
		v->tall = !v->tall;
		return true;
	case KEY_MERGE:
		key_merge(v, s);
		return true;
	case KEY_SETUP:
		setup_open(v, s);
		return true;
	case KEY_SAVE:
		view_send_kind(v, CMD_SAVE, true);
		return true;
	case KEY_HELP:
		open_list(v, OVER_HELP, 0);
		return true;
	case KEY_COST:
		v->over.kind = OVER_COST;
		return true;
	default:
		return false;
	}
}

/* A name that sorts by time, in the folder where vmtop was started, as with --record. */
static void key_record(struct view *v, const struct snapshot *s)
{
	char name[40] = "";
	time_t t = (time_t)(s->sample.wall_ns / 1000000000);
	struct tm tm;
	if (s->backend.recording[0])
		view_send_kind(v, CMD_RECORD, false);
	else {
		if (localtime_r(&t, &tm))
			strftime(name, sizeof name, "vmtop-%Y%m%d-%H%M%S.rec", &tm);
		ask_line(v, PROMPT_RECORD, name);
	}
}

static bool other_key(struct view *v, const struct snapshot *s, enum key_action a)
{
	char text[32];
	switch (a) {
	case KEY_WHY:
		key_why(v, s);
		return true;
	case KEY_QUIT:
		view_quit(v, s);
		return true;
	case KEY_SAMPLE:
		view_send_kind(v, CMD_SAMPLE, true);
		return true;
	case KEY_INTERVAL:
		snprintf(text, sizeof text, "%g", v->delay_s);
		ask_line(v, PROMPT_INTERVAL, text);
		return true;
	case KEY_NOTE:
		ask_line(v, PROMPT_NOTE, "");
		return true;
	case KEY_RECORD:
		key_record(v, s);
		return true;
	case KEY_LINE:
		ask_line(v, PROMPT_COMMAND, "");
		return true;
	case KEY_REDRAW: /* by the loop */
		return true;
	default:
		return false;
	}
}

static void send_replay(struct view *v, const char *what, double number)
{
	struct command c = {.kind = CMD_REPLAY, .number = number};
	snprintf(c.text, sizeof c.text, "%s", what);
	view_send(v, &c);
}

/* On a running host the same keys go back in time. */
static bool past_key(struct view *v, const struct snapshot *s, enum key_action a)
{
	switch (a) {
	case KEY_STEP:
		past_step(v, s, 1);
		return true;
	case KEY_STEP_BACK:
		past_step(v, s, -1);
		return true;
	case KEY_GO:
		ask_line(v, PROMPT_GO, "");
		return true;
	case KEY_LIVE:
		past_leave(v);
		return true;
	default:
		return false;
	}
}

static bool replay_key(struct view *v, const struct snapshot *s, enum key_action a)
{
	if (s->moment != MOMENT_PLAYED)
		return past_key(v, s, a);
	switch (a) {
	case KEY_PLAY:
		send_replay(v, "play", 0);
		return true;
	case KEY_STEP:
		send_replay(v, "step", 1);
		return true;
	case KEY_STEP_BACK:
		send_replay(v, "step", -1);
		return true;
	case KEY_FASTER:
		send_replay(v, "speed", 2);
		return true;
	case KEY_SLOWER:
		send_replay(v, "speed", .5);
		return true;
	case KEY_LOOP:
		send_replay(v, "loop", 0);
		return true;
	case KEY_GO:
		ask_line(v, PROMPT_GO, "");
		return true;
	default:
		return false;
	}
}

/* By the place and the table of keys, when nothing is open over them. */
static bool row_sends(const struct view *v, const struct key_row *k, const struct snapshot *s)
{
	if (!k)
		return false;
	if (k->action == KEY_QUIT)
		return v->on_exit == ON_EXIT_RESTORE && s->n_changed > 0;
	return k->steers || k->action == KEY_PREVIEW || k->action == KEY_SAMPLE || k->action == KEY_SAVE ||
	       k->action == KEY_RECORD;
}

bool view_sends(const struct view *v, int key, const struct snapshot *s)
{
	if (key == VK_CTRL('L') || (key >= VK_CLICK && key <= VK_WHEEL_DOWN))
		return false;
	s = view_seen(v, s);
	const struct key_row *k = key_find(key, view_place(v, s), s->readonly);
	switch (v->over.kind) {
	case OVER_QUESTION:
		return key != VK_ESC;
	case OVER_PROMPT:
		return key == VK_ENTER && v->prompt != PROMPT_SEARCH && v->prompt != PROMPT_FILTER &&
		       v->prompt != PROMPT_GO;
	case OVER_SETUP:
		return k && k->action == KEY_SAVE;
	case OVER_NONE:
		return row_sends(v, k, s);
	default:
		return false;
	}
}

unsigned view_asked(const struct view *v, const struct snapshot *s)
{
	bool line = v->over.kind == OVER_PROMPT && (v->prompt == PROMPT_BALLOON || v->prompt == PROMPT_CPUS);
	bool ghosts = v->over.kind == OVER_NONE && view_place(v, s) == IN_PREVIEW;
	return v->over.kind == OVER_QUESTION || line || ghosts ? v->n_asked : 0;
}

/* Why a key does nothing here that does something on a running host. */
static void say_off(struct view *v, int key, const struct snapshot *s)
{
	const struct key_row *k = key_find(key, IN_VIEWS, false);
	if (!k)
		return;
	if (s->moment == MOMENT_KEPT)
		view_say(v, "this is past: nothing can be asked of it; Esc returns to LIVE");
	else if (s->moment == MOMENT_PLAYED && !k->steers)
		view_say(v, "what is shown is a recording: nothing can be asked of it");
	else if (s->readonly)
		view_say(v, "read-only: %s",
			s->backend.readonly_why[0] ? s->backend.readonly_why : "nothing can be changed");
}

void view_press(struct view *v, int key, const struct snapshot *newest)
{
	const struct snapshot *s = view_seen(v, newest);
	rows_update(v, s);
	v->message[0] = '\0';
	if (v->over.kind != OVER_NONE) {
		ask_key(v, key, s);
		return;
	}
	const struct key_row *k = key_find(key, view_place(v, s), s->readonly);
	enum key_action a = k ? k->action : KEY_NOTHING;
	bool quiet = s->first && a != KEY_QUIT && a != KEY_HELP; /* nothing to act on yet */
	if (!k)
		say_off(v, key, s);
	else if (quiet)
		return;
	else if (!move_key(v, s, a) && !sort_key(v, a) && !show_key(v, s, a, key) && !rows_key(v, s, a) &&
		 !steer_key(v, s, a) && !edit_key(v, s, a) && !replay_key(v, s, a) && !other_key(v, s, a))
		view_no_action(v, k);
	rows_update(v, view_seen(v, newest)); /* what was shown may be gone */
}

bool view_key(struct view *v, int key, const struct snapshot *newest, struct command *c)
{
	view_press(v, key, newest);
	return view_more(v, c);
}
