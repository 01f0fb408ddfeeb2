/* SPDX-License-Identifier: MIT */
/* The command line: what is typed after a colon. Invariant: a word that is not understood changes nothing and
 * gets one line that says what would be; what asks a guest or the engine for something goes through the same
 * functions as its key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/fleet.h"
#include "vmtop/layout.h"
#include "vmtop/line.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

#include "view_private.h"

/* What is typed, in parts. */
struct parts {
	const char *word, *arg;
	size_t n_word;
};

static struct parts parts_of(const char *line)
{
	struct parts parts = {.word = line + strspn(line, " ")};
	parts.n_word = strcspn(parts.word, " ");
	parts.arg = parts.word + parts.n_word;
	parts.arg += strspn(parts.arg, " ");
	return parts;
}

/* The value that is being typed: of a list only its last part. */
static const char *last_part(const char *arg)
{
	const char *comma = strrchr(arg, ',');
	return comma ? comma + 1 : arg;
}

/* The i-th host of [fleet]: its name, or its URI where it has none. */
static const char *host_name(const struct view *view, size_t i, char buf[FLEET_NAME])
{
	const char *p = text_or(view->hosts, "");
	for (; *p && i; i--) {
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
	snprintf(buf, FLEET_NAME, "%.*s", (int)strcspn(p, " \n"), p);
	return *p ? buf : NULL;
}

/* The i-th word that could be meant now, NULL: no more. */
static const char *candidate(
	const struct view *view, const struct parts *parts, size_t i, char buf[FLEET_NAME])
{
	const struct line_row *row =
		*parts->arg || parts->word[parts->n_word] ? line_find(parts->word, parts->n_word) : NULL;
	if (!*parts->arg && !parts->word[parts->n_word])
		return i < line_count() ? line_at(i)->word : NULL;
	if (row && row->action == LINE_HOST)
		return host_name(view, i, buf);
	if (row && row->action == LINE_LAYOUT)
		return i < view->n_layouts ? view->layouts[i].name : i == view->n_layouts ? "save" : NULL;
	return row ? line_value(row, i) : NULL;
}

/* What is typed of it; the rest of the word follows. */
static const char *typed_part(const struct parts *parts)
{
	return *parts->arg || parts->word[parts->n_word] ? last_part(parts->arg) : parts->word;
}

/* Candidates that begin as typed: how many, the first of them, and how many bytes they have in common. */
static size_t matching(
	const struct view *view, const struct parts *parts, char first[FLEET_NAME], size_t *common)
{
	const char *typed = typed_part(parts), *c;
	char buf[FLEET_NAME];
	size_t n = 0;
	for (size_t i = 0; (c = candidate(view, parts, i, buf)); i++) {
		if (strncmp(c, typed, strlen(typed)) != 0)
			continue;
		if (!n++) {
			snprintf(first, FLEET_NAME, "%s", c);
			*common = strlen(first);
		}
		while (strncmp(first, c, *common) != 0)
			--*common;
	}
	return n;
}

void line_complete(struct view *view)
{
	struct parts parts = parts_of(view->line.text);
	char first[FLEET_NAME];
	size_t common = 0, n = matching(view, &parts, first, &common), typed = strlen(typed_part(&parts));
	bool at_word = !*parts.arg && !parts.word[parts.n_word];
	view->line.filled = false;
	if (!n || view->line.len + common - typed + 1 >= sizeof view->line.text)
		return;
	memcpy(view->line.text + view->line.len, first + typed, common - typed);
	view->line.len += common - typed;
	if (n == 1 && at_word)
		view->line.text[view->line.len++] = ' ';
	view->line.text[view->line.len] = '\0';
}

/* Over the line: what could stand where one types, or what the word does. */
void line_hint(const struct view *view, char *buf, size_t len)
{
	struct parts parts = parts_of(view->line.text);
	const struct line_row *row = line_find(parts.word, parts.n_word);
	bool at_word = !*parts.arg && !parts.word[parts.n_word];
	const char *typed = typed_part(&parts), *c;
	char name[FLEET_NAME];
	size_t n = 0;
	bool whole = row && (!at_word || strlen(row->word) == parts.n_word);
	buf[0] = '\0';
	for (size_t i = 0; !(whole && at_word) && (c = candidate(view, &parts, i, name)); i++)
		if (strncmp(c, typed, strlen(typed)) == 0 && n + strlen(c) + 8 < len)
			n += (size_t)snprintf(buf + n, len - n, "%s%s", text_if(n, " "), c);
	if (whole)
		snprintf(buf + n, len - n, "%s%s %s: %s", text_if(n, " · "), row->word, line_arg(row),
			line_help(row));
	else if (!n)
		snprintf(buf, len, "no such command; Esc closes");
}

static bool is_past(struct view *view, const struct snapshot *snap)
{
	if (snap->moment == MOMENT_NOW)
		return false;
	view_say(view, "what is shown is %s: nothing can be asked of it",
		snap->moment == MOMENT_KEPT ? "past" : "a recording");
	return true;
}

/* Another program on this terminal, for the loop. */
static void run_aside(struct view *view, const char *what, const char *arg)
{
	struct command cmd = {.kind = CMD_ASIDE};
	snprintf(cmd.text, sizeof cmd.text, "%s %.*s", what, (int)sizeof cmd.text - 8, arg);
	view_send(view, &cmd);
}

static void do_host(struct view *view, const struct snapshot *snap, const char *arg)
{
	(void)snap;
	if (*arg)
		run_aside(view, "host", arg);
	else
		view_say(view, "host wants a name of [fleet] in the configuration, or a URI");
}

static void do_record(struct view *view, const struct snapshot *snap, const char *arg)
{
	struct command cmd = {.kind = CMD_RECORD, .on = *arg != '\0'};
	snprintf(cmd.text, sizeof cmd.text, "%.*s", (int)sizeof cmd.text - 1, arg);
	if (is_past(view, snap))
		return;
	if (cmd.on || snap->backend.recording[0])
		view_send(view, &cmd);
	else
		view_say(view, "nothing is being recorded; record FILE begins");
}

static void do_mark(struct view *view, const struct snapshot *snap, const char *arg)
{
	struct command cmd = {.kind = CMD_MARK};
	snprintf(cmd.text, sizeof cmd.text, "%.*s", (int)sizeof cmd.text - 1, arg);
	if (is_past(view, snap))
		return;
	if (*arg)
		view_send(view, &cmd);
	else
		view_say(view, "mark wants a text");
}

void line_layout(struct view *view, const char *name)
{
	const struct named_layout *layout = layout_find(view->layouts, view->n_layouts, name);
	struct config *now = calloc(1, sizeof *now);
	struct err err = ERR_INIT;
	if (now)
		view_setup(view, now);
	if (!layout)
		view_say(view, "there is no layout %.40s; \"layout save %.40s\" makes one", name, name);
	else if (now && layout_apply(now, layout->text, &err) < 0)
		view_say(view, "layout %s: %.150s", name, err.msg);
	else if (now)
		view_take(view, now, NULL);
	free(now);
}

/* Into the file, and at hand at once. */
static void save_layout(struct view *view, const char *name)
{
	struct config *now = calloc(1, sizeof *now);
	struct command cmd = {.kind = CMD_SAVE};
	char text[LAYOUT_TEXT];
	size_t at = 0;
	while (at < view->n_layouts && strcmp(view->layouts[at].name, name) != 0)
		at++;
	if (now)
		view_setup(view, now);
	if (!layout_name_ok(name))
		view_say(view, "a layout has a name of at most 31 letters, digits and . _ -");
	else if (at == CFG_LAYOUTS)
		view_say(view, "there are %d layouts, no more are kept", CFG_LAYOUTS);
	else if (now && !layout_format(now, text))
		view_say(view, "too many columns for a line of the config file");
	else if (now) {
		view->n_layouts += at == view->n_layouts;
		snprintf(view->layouts[at].name, LAYOUT_NAME, "%s", name);
		snprintf(view->layouts[at].text, LAYOUT_TEXT, "%s", text);
		snprintf(cmd.text, sizeof cmd.text, "%s", name);
		view_send(view, &cmd);
	}
	free(now);
}

static void do_layout(struct view *view, const struct snapshot *snap, const char *arg)
{
	(void)snap;
	if (!strncmp(arg, "save", 4) && (!arg[4] || arg[4] == ' '))
		save_layout(view, arg + 4 + strspn(arg + 4, " "));
	else if (*arg)
		line_layout(view, arg);
	else
		view_say(view, view->n_layouts ? "layout wants a name; Tab lists them"
					       : "no layout is kept yet: \"layout save NAME\" makes one");
}

static void do_filter(struct view *view, const struct snapshot *snap, const char *arg)
{
	rows_filter(view, snap, arg);
}

static void do_search(struct view *view, const struct snapshot *snap, const char *arg)
{
	rows_look_for(view, snap, arg);
}

static void do_man(struct view *view, const struct snapshot *snap, const char *arg)
{
	(void)snap;
	run_aside(view, "man", text_or(arg, "vmtop"));
}

static void do_help(struct view *view, const struct snapshot *snap, const char *arg)
{
	(void)snap;
	(void)arg;
	view->over.kind = OVER_HELP;
	view->over.row = view->over.top = 0;
}

static void do_quit(struct view *view, const struct snapshot *snap, const char *arg)
{
	(void)arg;
	view_quit(view, snap);
}

/* As a line of the configuration would set it, and seen at once. A flag without a value is turned round. */
static void do_setting(
	struct view *view, const struct snapshot *snap, const struct line_row *row, const char *value)
{
	const struct setting *set = line_setting(row);
	struct config *now = calloc(1, sizeof *now);
	struct err err = ERR_INIT;
	char is[CFG_TEXT];
	(void)snap;
	if (!now)
		return;
	view_setup(view, now);
	setting_format(now, set, is, sizeof is);
	if (!*value && set->type == SET_FLAG)
		value = strcmp(is, "yes") != 0 ? "yes" : "no";
	bool sort = !strcmp(set->key, "sort"), list = strstr(set->key, "columns") != NULL;
	uint8_t cols[64];
	if (!*value && !list)
		view_say(view, "%s is %s", row->word, is);
	else if ((sort && column_find(value) < 0) ||
		 (list && *value && column_parse(value, cols, sizeof cols, &err) < 0))
		view_say(view, "%s: there is no column %.60s; Tab lists them", row->word,
			err.code ? err.msg : value);
	else if (setting_apply(now, set, value, &err) < 0)
		view_say(view, "%s: %.180s", row->word, err.msg);
	else
		view_take(view, now, set);
	free(now);
}

void line_run(struct view *view, const struct snapshot *snap)
{
	static void (*const act[LINE_ACTIONS])(struct view *, const struct snapshot *, const char *) = {
		[LINE_HOST] = do_host,
		[LINE_RECORD] = do_record,
		[LINE_MARK] = do_mark,
		[LINE_LAYOUT] = do_layout,
		[LINE_FILTER] = do_filter,
		[LINE_SEARCH] = do_search,
		[LINE_MAN] = do_man,
		[LINE_HELP] = do_help,
		[LINE_QUIT] = do_quit,
	};
	char line[LINE_MAX_BYTES];
	snprintf(line, sizeof line, "%s", view->line.text); /* a question or a line may begin anew */
	struct parts parts = parts_of(line);
	const struct line_row *row = line_find(parts.word, parts.n_word);
	for (size_t n = strlen(line); n && line[n - 1] == ' ';)
		line[--n] = '\0';
	if (!parts.n_word)
		return;
	if (!row)
		view_say(view, "no command %.*s; Tab lists them after :", (int)min_of(parts.n_word, 60),
			parts.word);
	else if (row->action == LINE_SETTING)
		do_setting(view, snap, row, parts.arg);
	else
		act[row->action](view, snap, parts.arg);
}
