/* SPDX-License-Identifier: MIT */
/* Keys while an overlay is open: questions, typed lines, lists. Invariant: only y answers a question with
 * yes; any overlay ends with Esc and changes nothing then. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "vmtop/err.h"
#include "vmtop/quantity.h"

#include "view_private.h"

static void question_key(struct view *view, int key, const struct snapshot *snap)
{
	bool yes = key == 'y' || key == 'Y', no = key == 'n' || key == 'N';
	if (view->ask_exit && (yes || no)) {
		view->ask.on = yes;
		view_send(view, &view->ask);
	} else if (yes && view->ask.kind == CMD_HOLD) { /* asked of all VMs alone */
		steer_release_all(view, snap);
	} else if (yes) {
		view->asked_cpu = view->asked_cpu || view->ask.kind == CMD_AUTO_CPU;
		view->asked_memory = view->asked_memory || view->ask.kind == CMD_AUTO_MEMORY;
		setup_took(view, &view->ask);
		view_send(view, &view->ask);
	}
	view->over.kind = view->over.under; /* the setup, if that asked */
	view->over.under = OVER_NONE;
}

static void line_interval(struct view *view, const struct snapshot *snap)
{
	double x;
	(void)snap;
	if (!quantity_seconds(view->line.text, &x) || !(x >= 0.2 && x <= 3600)) {
		view_say(view, "the interval must be 0.2 to 3600 seconds");
		return;
	}
	view_send(view, &(struct command){.kind = CMD_INTERVAL, .number = x});
}

static void line_search(struct view *view, const struct snapshot *snap)
{
	rows_look_for(view, snap, view->line.text);
}

static void line_filter(struct view *view, const struct snapshot *snap)
{
	rows_filter(view, snap, view->line.text);
}

static void line_note(struct view *view, const struct snapshot *snap)
{
	struct command cmd = {.kind = CMD_MARK};
	(void)snap;
	snprintf(cmd.text, sizeof cmd.text, "%.*s", (int)sizeof cmd.text - 1, view->line.text);
	if (cmd.text[0])
		view_send(view, &cmd);
}

static void line_balloon(struct view *view, const struct snapshot *snap)
{
	struct command cmd = {.kind = CMD_BALLOON};
	double kib;
	if (!quantity_kib(view->line.text, &kib) || kib <= 0)
		view_say(view, "not a size: %.60s (4G, 512M, or KiB)", view->line.text);
	else {
		cmd.number = kib;
		steer_each(view, snap, &cmd);
	}
}

static void line_cpus(struct view *view, const struct snapshot *snap)
{
	struct cpuset to, may;
	struct err err = ERR_INIT;
	size_t vm;
	const struct vcpu_sample *vcpu = edit_vcpu(view, snap, &vm);
	if (!vcpu)
		return;
	if (cpuset_parse(&to, view->line.text, &err) < 0) {
		view_say(view, "%.180s", err.msg);
		return;
	}
	edit_allowed(snap, vcpu, &may);
	if (!cpuset_subset(&to, &may))
		view_say(view, "vCPU %d may not run on all of %.60s", vcpu->id, view->line.text);
	else
		edit_set(view, snap->sample.vms[vm].uuid, vcpu->id, &to);
}

/* Seconds by the clock from the place shown to h:m:s, on the nearer side. */
static bool clock_distance(const char *text, int64_t wall_ns, double *s)
{
	int h, m, sec = 0, used = 0;
	struct tm now;
	time_t t = (time_t)(wall_ns / 1000000000);
	if (sscanf(text, "%2d:%2d%n:%2d%n", &h, &m, &used, &sec, &used) < 2 || text[used] || h < 0 ||
		h > 23 || m < 0 || m > 59 || sec < 0 || sec > 60 || !localtime_r(&t, &now))
		return false;
	*s = (h - now.tm_hour) * 3600 + (m - now.tm_min) * 60 + (sec - now.tm_sec);
	*s -= (double)(wall_ns % 1000000000) / 1e9;
	*s += *s > 43200 ? -86400 : *s < -43200 ? 86400 : 0;
	return true;
}

static void line_go(struct view *view, const struct snapshot *snap)
{
	struct command cmd = {.kind = CMD_REPLAY};
	bool by_clock = clock_distance(view->line.text, snap->sample.wall_ns, &cmd.number);
	bool sign = view->line.text[0] == '+' || view->line.text[0] == '-';
	bool by_time = !by_clock && quantity_seconds(view->line.text + sign, &cmd.number);
	snprintf(cmd.text, sizeof cmd.text, by_clock || sign ? "go" : "at");
	cmd.number *= by_time && view->line.text[0] == '-' ? -1 : 1;
	bool ok = by_clock || by_time;
	if (ok && snap->moment == MOMENT_PLAYED)
		view_send(view, &cmd);
	else if (ok)
		past_go(view, snap, cmd.number, !strcmp(cmd.text, "at"));
	else
		view_say(view, "not a time: %.60s (90 or 2m from the start, -3m or +30s from here, 14:05)",
			view->line.text);
}

static void line_record(struct view *view, const struct snapshot *snap)
{
	struct command cmd = {.kind = CMD_RECORD, .on = true};
	(void)snap;
	snprintf(cmd.text, sizeof cmd.text, "%.*s", (int)sizeof cmd.text - 1, view->line.text);
	if (cmd.text[0])
		view_send(view, &cmd);
}

static void line_done(struct view *view, const struct snapshot *snap)
{
	static void (*const done[])(struct view *, const struct snapshot *) = {
		[PROMPT_INTERVAL] = line_interval,
		[PROMPT_SEARCH] = line_search,
		[PROMPT_FILTER] = line_filter,
		[PROMPT_NOTE] = line_note,
		[PROMPT_BALLOON] = line_balloon,
		[PROMPT_CPUS] = line_cpus,
		[PROMPT_GO] = line_go,
		[PROMPT_RECORD] = line_record,
		[PROMPT_COMMAND] = line_run,
	};
	view->over.kind = OVER_NONE;
	done[view->prompt](view, snap);
}

static void line_key(struct view *view, int key, const struct snapshot *snap)
{
	if (key == VK_ENTER) {
		line_done(view, snap);
		return;
	}
	if (key == VK_ESC) {
		view->over.kind = OVER_NONE;
		return;
	}
	if (key == VK_TAB && view->prompt == PROMPT_COMMAND) {
		line_complete(view);
		return;
	}
	if (!typed_edit(&view->line, key))
		return;
	if (view->prompt == PROMPT_SEARCH &&
		pattern_set(&view->search_re, &view->has_search, view->search, view->line.text))
		rows_search(view, snap, false);
}

static void sort_key(struct view *view, const struct key_row *key, const struct snapshot *snap)
{
	struct table *table = view_table(view);
	if (!key || list_key(view, key, (int)column_count()))
		return;
	if (key->action == KEY_CHOOSE) {
		table->sort = view->over.row;
		table->sorted = true;
		table->reverse = false;
		view->rows_stale = true;
		rows_update(view, snap);
	} else if (key->action != KEY_CLOSE) {
		view_no_action(view, key);
		return;
	}
	view->over.kind = OVER_NONE;
}

/* Help over a list goes back to it. */
static void help_key(struct view *view, int key)
{
	if (list_key(view, key_find(key, IN_SORT, false), 10000))
		return;
	view->over.kind = view->over.under;
	view->over.under = OVER_NONE;
	view->over.row = view->over.under_row;
	view->over.top = 0;
}

void ask_key(struct view *view, int key, const struct snapshot *snap)
{
	enum key_place place = view_place(view, snap);
	const struct key_row *k = place & IN_LISTS ? key_find(key, place, snap->readonly) : NULL;
	if (k && k->action == KEY_HELP) {
		view->over.under = view->over.kind;
		view->over.under_row = view->over.row;
		view->over.kind = OVER_HELP;
		view->over.row = view->over.top = 0;
		return;
	}
	switch (view->over.kind) {
	case OVER_NONE:
		break;
	case OVER_COST:
		view->over.kind = OVER_NONE;
		break;
	case OVER_HELP:
		help_key(view, key);
		break;
	case OVER_QUESTION:
		question_key(view, key, snap);
		break;
	case OVER_PROMPT:
		line_key(view, key, snap);
		break;
	case OVER_SORT:
		sort_key(view, k, snap);
		break;
	case OVER_SETUP:
		setup_key(view, k, key, snap);
		break;
	}
}
