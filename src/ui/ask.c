/* SPDX-License-Identifier: MIT */
/* Keys while an overlay is open: questions, typed lines, lists. Invariant: only y answers a question with
 * yes; any overlay ends with Esc and changes nothing then. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmtop/err.h"
#include "vmtop/minmax.h"
#include "vmtop/quantity.h"
#include "vmtop/text.h"

#include "view_private.h"

void ask_question(struct view *v, const struct command *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(v->question, sizeof v->question, fmt, ap);
	va_end(ap);
	v->ask = *c;
	v->ask_exit = c->kind == CMD_QUIT;
	v->over.kind = OVER_QUESTION;
	v->n_asked++;
}

void typed_fill(struct typed *t, const char *text)
{
	snprintf(t->text, sizeof t->text, "%s", text);
	t->len = strlen(t->text);
	t->filled = t->len > 0;
}

void ask_line(struct view *v, enum prompt p, const char *text)
{
	typed_fill(&v->line, text);
	v->prompt = p;
	v->over.kind = OVER_PROMPT;
	v->n_asked++;
}

static void question_key(struct view *v, int key, const struct snapshot *s)
{
	bool yes = key == 'y' || key == 'Y', no = key == 'n' || key == 'N';
	if (v->ask_exit && (yes || no)) {
		v->ask.on = yes;
		view_send(v, &v->ask);
	} else if (yes && v->ask.kind == CMD_HOLD) { /* asked of all VMs alone */
		steer_release_all(v, s);
	} else if (yes) {
		v->asked_cpu = v->asked_cpu || v->ask.kind == CMD_AUTO_CPU;
		v->asked_memory = v->asked_memory || v->ask.kind == CMD_AUTO_MEMORY;
		setup_took(v, &v->ask);
		view_send(v, &v->ask);
	}
	v->over.kind = v->over.under; /* the setup, if that asked */
	v->over.under = OVER_NONE;
}

static void line_interval(struct view *v, const struct snapshot *s)
{
	double x;
	(void)s;
	if (!quantity_seconds(v->line.text, &x) || !(x >= 0.2 && x <= 3600)) {
		view_say(v, "the interval must be 0.2 to 3600 seconds");
		return;
	}
	view_send(v, &(struct command){.kind = CMD_INTERVAL, .number = x});
}

void rows_look_for(struct view *v, const struct snapshot *s, const char *pattern)
{
	if (!pattern_set(&v->search_re, &v->has_search, v->search, pattern))
		view_say(v, "not a regular expression that can be used: %.100s", pattern);
	else if (v->has_search && !rows_search(v, s, false))
		view_say(v, "no VM matches %.100s", pattern);
}

static void line_search(struct view *v, const struct snapshot *s)
{
	rows_look_for(v, s, v->line.text);
}

void rows_filter(struct view *v, const struct snapshot *s, const char *pattern)
{
	if (!pattern_set(&v->filter_re, &v->has_filter, v->filter, pattern)) {
		view_say(v, "not a regular expression that can be used: %.100s", pattern);
		return;
	}
	v->n_patterns = 0;
	v->rows_stale = true;
	rows_update(v, s);
}

static void line_filter(struct view *v, const struct snapshot *s)
{
	rows_filter(v, s, v->line.text);
}

static void line_note(struct view *v, const struct snapshot *s)
{
	struct command c = {.kind = CMD_MARK};
	(void)s;
	snprintf(c.text, sizeof c.text, "%.*s", (int)sizeof c.text - 1, v->line.text);
	if (c.text[0])
		view_send(v, &c);
}

static void line_balloon(struct view *v, const struct snapshot *s)
{
	struct command c = {.kind = CMD_BALLOON};
	double kib;
	if (!quantity_kib(v->line.text, &kib) || kib <= 0)
		view_say(v, "not a size: %.60s (4G, 512M, or KiB)", v->line.text);
	else {
		c.number = kib;
		steer_each(v, s, &c);
	}
}

static void line_cpus(struct view *v, const struct snapshot *s)
{
	struct cpuset to, may;
	struct err e = ERR_INIT;
	size_t vm;
	const struct vcpu_sample *c = edit_vcpu(v, s, &vm);
	if (!c)
		return;
	if (cpuset_parse(&to, v->line.text, &e) < 0) {
		view_say(v, "%.180s", e.msg);
		return;
	}
	edit_allowed(s, c, &may);
	if (!cpuset_subset(&to, &may))
		view_say(v, "vCPU %d may not run on all of %.60s", c->id, v->line.text);
	else
		edit_set(v, s->sample.vms[vm].uuid, c->id, &to);
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

static void line_go(struct view *v, const struct snapshot *s)
{
	struct command c = {.kind = CMD_REPLAY};
	bool by_clock = clock_distance(v->line.text, s->sample.wall_ns, &c.number);
	bool sign = v->line.text[0] == '+' || v->line.text[0] == '-';
	bool by_time = !by_clock && quantity_seconds(v->line.text + sign, &c.number);
	snprintf(c.text, sizeof c.text, by_clock || sign ? "go" : "at");
	c.number *= by_time && v->line.text[0] == '-' ? -1 : 1;
	bool ok = by_clock || by_time;
	if (ok && s->moment == MOMENT_PLAYED)
		view_send(v, &c);
	else if (ok)
		past_go(v, s, c.number, !strcmp(c.text, "at"));
	else
		view_say(v, "not a time: %.60s (90 or 2m from the start, -3m or +30s from here, 14:05)",
			v->line.text);
}

static void line_record(struct view *v, const struct snapshot *s)
{
	struct command c = {.kind = CMD_RECORD, .on = true};
	(void)s;
	snprintf(c.text, sizeof c.text, "%.*s", (int)sizeof c.text - 1, v->line.text);
	if (c.text[0])
		view_send(v, &c);
}

static void line_done(struct view *v, const struct snapshot *s)
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
	v->over.kind = OVER_NONE;
	done[v->prompt](v, s);
}

static void line_add(struct typed *t, uint32_t ch)
{
	char b[4];
	size_t n = ch < 0x80 ? 1 : ch < 0x800 ? 2 : ch < 0x10000 ? 3 : 4;
	if (t->len + n >= sizeof t->text)
		return;
	for (size_t i = n; i-- > 1; ch >>= 6)
		b[i] = (char)(0x80 | (ch & 0x3f));
	b[0] = (char)(n == 1 ? ch : (0xf00U >> n & 0xffU) | ch);
	memcpy(t->text + t->len, b, n);
	t->len += n;
}

/* What a line was filled with is there to be taken by Enter, or corrected from its end; a character begins
 * anew. */
bool typed_edit(struct typed *t, int key)
{
	if (key == VK_CTRL('U'))
		t->len = 0;
	else if (key == VK_BACKSPACE || key == VK_DELETE || key == 0x7f || key == VK_CTRL('H'))
		while (t->len > 0 && ((unsigned char)t->text[--t->len] & 0xc0) == 0x80)
			;
	else if (key >= 0x20 && key < VK_BASE && text_width((uint32_t)key) >= 0) {
		t->len = t->filled ? 0 : t->len;
		line_add(t, (uint32_t)key);
	} else {
		return false;
	}
	t->filled = false;
	t->text[t->len] = '\0';
	return true;
}

static void line_key(struct view *v, int key, const struct snapshot *s)
{
	if (key == VK_ENTER) {
		line_done(v, s);
		return;
	}
	if (key == VK_ESC) {
		v->over.kind = OVER_NONE;
		return;
	}
	if (key == VK_TAB && v->prompt == PROMPT_COMMAND) {
		line_complete(v);
		return;
	}
	if (!typed_edit(&v->line, key))
		return;
	if (v->prompt == PROMPT_SEARCH && pattern_set(&v->search_re, &v->has_search, v->search, v->line.text))
		rows_search(v, s, false);
}

bool list_key(struct view *v, const struct key_row *k, int n)
{
	int page = v->over.page > 1 ? v->over.page - 1 : 10;
	const struct {
		enum key_action a;
		int by;
	} steps[] = {{KEY_UP, -1}, {KEY_DOWN, 1}, {KEY_PAGE_UP, -page}, {KEY_PAGE_DOWN, page},
		{KEY_FIRST, -100000}, {KEY_LAST, 100000}};
	for (size_t i = 0; k && i < sizeof steps / sizeof steps[0]; i++)
		if (steps[i].a == k->action) {
			int to = v->over.row + steps[i].by;
			v->over.row = clamp(to, 0, n - 1);
			return true;
		}
	return false;
}

static void sort_key(struct view *v, const struct key_row *k, const struct snapshot *s)
{
	struct table *t = view_table(v);
	if (!k || list_key(v, k, (int)column_count()))
		return;
	if (k->action == KEY_CHOOSE) {
		t->sort = v->over.row;
		t->sorted = true;
		t->reverse = false;
		v->rows_stale = true;
		rows_update(v, s);
	} else if (k->action != KEY_CLOSE) {
		view_no_action(v, k);
		return;
	}
	v->over.kind = OVER_NONE;
}

/* Help over a list goes back to it. */
static void help_key(struct view *v, int key)
{
	if (list_key(v, key_find(key, IN_SORT, false), 10000))
		return;
	v->over.kind = v->over.under;
	v->over.under = OVER_NONE;
	v->over.row = v->over.under_row;
	v->over.top = 0;
}

void ask_key(struct view *v, int key, const struct snapshot *s)
{
	enum key_place place = view_place(v, s);
	const struct key_row *k = place & IN_LISTS ? key_find(key, place, s->readonly) : NULL;
	if (k && k->action == KEY_HELP) {
		v->over.under = v->over.kind;
		v->over.under_row = v->over.row;
		v->over.kind = OVER_HELP;
		v->over.row = v->over.top = 0;
		return;
	}
	switch (v->over.kind) {
	case OVER_NONE:
		break;
	case OVER_COST:
		v->over.kind = OVER_NONE;
		break;
	case OVER_HELP:
		help_key(v, key);
		break;
	case OVER_QUESTION:
		question_key(v, key, s);
		break;
	case OVER_PROMPT:
		line_key(v, key, s);
		break;
	case OVER_SORT:
		sort_key(v, k, s);
		break;
	case OVER_SETUP:
		setup_key(v, k, key, s);
		break;
	}
}
