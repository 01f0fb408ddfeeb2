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
	struct parts p = {.word = line + strspn(line, " ")};
	p.n_word = strcspn(p.word, " ");
	p.arg = p.word + p.n_word;
	p.arg += strspn(p.arg, " ");
	return p;
}

/* The value that is being typed: of a list only its last part. */
static const char *last_part(const char *arg)
{
	const char *comma = strrchr(arg, ',');
	return comma ? comma + 1 : arg;
}

/* The i-th host of [fleet]: its name, or its URI where it has none. */
static const char *host_name(const struct view *v, size_t i, char buf[FLEET_NAME])
{
	const char *p = v->hosts ? v->hosts : "";
	for (; *p && i; i--) {
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
	snprintf(buf, FLEET_NAME, "%.*s", (int)strcspn(p, " \n"), p);
	return *p ? buf : NULL;
}

/* The i-th word that could be meant now, NULL: no more. */
static const char *candidate(const struct view *v, const struct parts *p, size_t i, char buf[FLEET_NAME])
{
	const struct line_row *r = *p->arg || p->word[p->n_word] ? line_find(p->word, p->n_word) : NULL;
	if (!*p->arg && !p->word[p->n_word])
		return i < line_count() ? line_at(i)->word : NULL;
	if (r && r->action == LINE_HOST)
		return host_name(v, i, buf);
	if (r && r->action == LINE_LAYOUT)
		return i < v->n_layouts ? v->layouts[i].name : i == v->n_layouts ? "save" : NULL;
	return r ? line_value(r, i) : NULL;
}

/* What is typed of it; the rest of the word follows. */
static const char *typed_part(const struct parts *p)
{
	return *p->arg || p->word[p->n_word] ? last_part(p->arg) : p->word;
}

/* Candidates that begin as typed: how many, the first of them, and how many bytes they have in common. */
static size_t matching(const struct view *v, const struct parts *p, char first[FLEET_NAME], size_t *common)
{
	const char *typed = typed_part(p), *c;
	char buf[FLEET_NAME];
	size_t n = 0;
	for (size_t i = 0; (c = candidate(v, p, i, buf)); i++) {
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

void line_complete(struct view *v)
{
	struct parts p = parts_of(v->line.text);
	char first[FLEET_NAME];
	size_t common = 0, n = matching(v, &p, first, &common), typed = strlen(typed_part(&p));
	bool at_word = !*p.arg && !p.word[p.n_word];
	v->line.filled = false;
	if (!n || v->line.len + common - typed + 1 >= sizeof v->line.text)
		return;
	memcpy(v->line.text + v->line.len, first + typed, common - typed);
	v->line.len += common - typed;
	if (n == 1 && at_word)
		v->line.text[v->line.len++] = ' ';
	v->line.text[v->line.len] = '\0';
}

/* Over the line: what could stand where one types, or what the word does. */
void line_hint(const struct view *v, char *buf, size_t len)
{
	struct parts p = parts_of(v->line.text);
	const struct line_row *r = line_find(p.word, p.n_word);
	bool at_word = !*p.arg && !p.word[p.n_word];
	const char *typed = typed_part(&p), *c;
	char name[FLEET_NAME];
	size_t n = 0;
	bool whole = r && (!at_word || strlen(r->word) == p.n_word);
	buf[0] = '\0';
	for (size_t i = 0; !(whole && at_word) && (c = candidate(v, &p, i, name)); i++)
		if (strncmp(c, typed, strlen(typed)) == 0 && n + strlen(c) + 8 < len)
			n += (size_t)snprintf(buf + n, len - n, "%s%s", n ? " " : "", c);
	if (whole)
		snprintf(buf + n, len - n, "%s%s %s: %s", n ? " · " : "", r->word, line_arg(r), line_help(r));
	else if (!n)
		snprintf(buf, len, "no such command; Esc closes");
}

static bool is_past(struct view *v, const struct snapshot *s)
{
	if (s->moment == MOMENT_NOW)
		return false;
	view_say(v, "what is shown is %s: nothing can be asked of it",
		s->moment == MOMENT_KEPT ? "past" : "a recording");
	return true;
}

/* Another program on this terminal, for the loop. */
static void run_aside(struct view *v, const char *what, const char *arg)
{
	struct command c = {.kind = CMD_ASIDE};
	snprintf(c.text, sizeof c.text, "%s %.*s", what, (int)sizeof c.text - 8, arg);
	view_send(v, &c);
}

static void do_host(struct view *v, const struct snapshot *s, const char *arg)
{
	(void)s;
	if (*arg)
		run_aside(v, "host", arg);
	else
		view_say(v, "host wants a name of [fleet] in the configuration, or a URI");
}

static void do_record(struct view *v, const struct snapshot *s, const char *arg)
{
	struct command c = {.kind = CMD_RECORD, .on = *arg != '\0'};
	snprintf(c.text, sizeof c.text, "%.*s", (int)sizeof c.text - 1, arg);
	if (is_past(v, s))
		return;
	if (c.on || s->backend.recording[0])
		view_send(v, &c);
	else
		view_say(v, "nothing is being recorded; record FILE begins");
}

static void do_mark(struct view *v, const struct snapshot *s, const char *arg)
{
	struct command c = {.kind = CMD_MARK};
	snprintf(c.text, sizeof c.text, "%.*s", (int)sizeof c.text - 1, arg);
	if (is_past(v, s))
		return;
	if (*arg)
		view_send(v, &c);
	else
		view_say(v, "mark wants a text");
}

void line_layout(struct view *v, const char *name)
{
	const struct named_layout *l = layout_find(v->layouts, v->n_layouts, name);
	struct config *now = calloc(1, sizeof *now);
	struct err e = ERR_INIT;
	if (now)
		view_setup(v, now);
	if (!l)
		view_say(v, "there is no layout %.40s; \"layout save %.40s\" makes one", name, name);
	else if (now && layout_apply(now, l->text, &e) < 0)
		view_say(v, "layout %s: %.150s", name, e.msg);
	else if (now)
		view_take(v, now, NULL);
	free(now);
}

/* Into the file, and at hand at once. */
static void save_layout(struct view *v, const char *name)
{
	struct config *now = calloc(1, sizeof *now);
	struct command c = {.kind = CMD_SAVE};
	char text[LAYOUT_TEXT];
	size_t at = 0;
	while (at < v->n_layouts && strcmp(v->layouts[at].name, name) != 0)
		at++;
	if (now)
		view_setup(v, now);
	if (!layout_name_ok(name))
		view_say(v, "a layout has a name of at most 31 letters, digits and . _ -");
	else if (at == CFG_LAYOUTS)
		view_say(v, "there are %d layouts, no more are kept", CFG_LAYOUTS);
	else if (now && !layout_format(now, text))
		view_say(v, "too many columns for a line of the config file");
	else if (now) {
		v->n_layouts += at == v->n_layouts;
		snprintf(v->layouts[at].name, LAYOUT_NAME, "%s", name);
		snprintf(v->layouts[at].text, LAYOUT_TEXT, "%s", text);
		snprintf(c.text, sizeof c.text, "%s", name);
		view_send(v, &c);
	}
	free(now);
}

static void do_layout(struct view *v, const struct snapshot *s, const char *arg)
{
	(void)s;
	if (!strncmp(arg, "save", 4) && (!arg[4] || arg[4] == ' '))
		save_layout(v, arg + 4 + strspn(arg + 4, " "));
	else if (*arg)
		line_layout(v, arg);
	else
		view_say(v, v->n_layouts ? "layout wants a name; Tab lists them"
					 : "no layout is kept yet: \"layout save NAME\" makes one");
}

static void do_filter(struct view *v, const struct snapshot *s, const char *arg)
{
	rows_filter(v, s, arg);
}

static void do_search(struct view *v, const struct snapshot *s, const char *arg)
{
	rows_look_for(v, s, arg);
}

static void do_man(struct view *v, const struct snapshot *s, const char *arg)
{
	(void)s;
	run_aside(v, "man", *arg ? arg : "vmtop");
}

static void do_help(struct view *v, const struct snapshot *s, const char *arg)
{
	(void)s;
	(void)arg;
	v->over.kind = OVER_HELP;
	v->over.row = v->over.top = 0;
}

static void do_quit(struct view *v, const struct snapshot *s, const char *arg)
{
	(void)arg;
	view_quit(v, s);
}

/* As a line of the configuration would set it, and seen at once. A flag without a value is turned round. */
static void do_setting(struct view *v, const struct snapshot *s, const struct line_row *r, const char *value)
{
	const struct setting *set = line_setting(r);
	struct config *now = calloc(1, sizeof *now);
	struct err e = ERR_INIT;
	char is[CFG_TEXT];
	(void)s;
	if (!now)
		return;
	view_setup(v, now);
	setting_format(now, set, is, sizeof is);
	if (!*value && set->type == SET_FLAG)
		value = strcmp(is, "yes") != 0 ? "yes" : "no";
	bool sort = !strcmp(set->key, "sort"), list = strstr(set->key, "columns") != NULL;
	uint8_t cols[64];
	if (!*value && !list)
		view_say(v, "%s is %s", r->word, is);
	else if ((sort && column_find(value) < 0) ||
		 (list && *value && column_parse(value, cols, sizeof cols, &e) < 0))
		view_say(v, "%s: there is no column %.60s; Tab lists them", r->word, e.code ? e.msg : value);
	else if (setting_apply(now, set, value, &e) < 0)
		view_say(v, "%s: %.180s", r->word, e.msg);
	else
		view_take(v, now, set);
	free(now);
}

void line_run(struct view *v, const struct snapshot *s)
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
	snprintf(line, sizeof line, "%s", v->line.text); /* a question or a line may begin anew */
	struct parts p = parts_of(line);
	const struct line_row *r = line_find(p.word, p.n_word);
	for (size_t n = strlen(line); n && line[n - 1] == ' ';)
		line[--n] = '\0';
	if (!p.n_word)
		return;
	if (!r)
		view_say(v, "no command %.*s; Tab lists them after :", (int)min_of(p.n_word, 60), p.word);
	else if (r->action == LINE_SETTING)
		do_setting(v, s, r, p.arg);
	else
		act[r->action](v, s, p.arg);
}
