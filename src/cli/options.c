/* SPDX-License-Identifier: MIT */
/* The command line, and the order in which settings are put on top of one another.
 * Invariant: every option is a row of the settings table; nothing is printed here, and on failure the
 * caller's config is untouched. How a command line is read: args.c. */
#include "vmtop/options.h"
#include "vmtop/minmax.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "vmtop/columns.h"
#include "vmtop/layout.h"
#include "vmtop/listen.h"
#include "vmtop/record.h"
#include "vmtop/settings.h"
#include "vmtop/text.h"

/* What one walk over argv is for: first what decides where settings come from, then the settings. */
enum options_pass { PASS_FIND, PASS_APPLY };

struct options_walk {
	enum options_pass pass;
	struct config *c;
	struct options_action *what;
	bool number_seen, patterns_seen;
	enum options_do then; /* what to do once all settings are read */
	struct err *e;
};

static int option_set_key(struct options_walk *w, const char *text)
{
	char key[48], shown[64];
	size_t n = strcspn(text, "=");
	text_escape(shown, sizeof shown, text);
	if (!text[n] || n == 0)
		return err_set(w->e, ERR_USAGE, "--set: bad value '%s', expected KEY=VALUE", shown);
	snprintf(key, sizeof key, "%.*s", (int)min_of(n, sizeof key), text);
	const struct setting *s = n < sizeof key ? setting_by_key(key) : NULL;
	if (!s)
		return err_set(w->e, ERR_USAGE, "--set: unknown key in '%s', see vmtop.conf(5)", shown);
	if (w->pass == PASS_FIND)
		return 0;
	if (s->type == SET_STEER)
		w->c->n_patterns = 0;
	if (setting_apply(w->c, s, text + n + 1, w->e) < 0)
		return err_prefix(w->e, "--set %s", key);
	return 0;
}

/* `--release --all` is every VM: what follows the option is its value. */
static int option_release(struct options_walk *w, const char *value)
{
	const char *pattern = strcmp(value, "--all") == 0 ? "*" : value;
	if (!*pattern || (*pattern == '-' && pattern[1] == '-') || strlen(pattern) >= sizeof w->what->release)
		return err_set(w->e, ERR_USAGE, "--release: bad value, expected a VM, a pattern or --all");
	memcpy(w->what->release, pattern, strlen(pattern) + 1);
	w->then = OPTIONS_RESTORE;
	return 0;
}

/* Options that are no settings. */
static int option_act(struct options_walk *w, const struct setting *s, const char *value)
{
	if (strcmp(s->option, "set") == 0)
		return option_set_key(w, value);
	if (strcmp(s->option, "help") == 0)
		w->what->what = OPTIONS_HELP;
	else if (strcmp(s->option, "version") == 0)
		w->what->what = OPTIONS_VERSION;
	else if (strcmp(s->option, "restore") == 0)
		w->then = OPTIONS_RESTORE;
	else if (strcmp(s->option, "release") == 0)
		return option_release(w, value);
	else if (strcmp(s->option, "check") == 0)
		w->then = OPTIONS_CHECK;
	else if (strcmp(s->option, "no-config") == 0)
		w->c->no_config = true;
	else if (strlen(value) < sizeof w->c->config_file && *value)
		memcpy(w->c->config_file, value, strlen(value) + 1);
	else
		return err_set(w->e, ERR_USAGE, "--config: bad value, expected a file name");
	return 0;
}

static int option_take(struct options_walk *w, const struct setting *s, const char *name, const char *value)
{
	if (s->type == SET_ACTION)
		return option_act(w, s, value);
	if (w->pass == PASS_FIND && (strcmp(s->option, "sort") == 0 || strcmp(s->option, "columns") == 0) &&
		strcmp(value, "help") == 0)
		w->what->what = OPTIONS_COLUMNS;
	if (w->pass == PASS_FIND && strcmp(s->option, "replay") == 0)
		return setting_apply(w->c, s, value, w->e);
	if (w->pass == PASS_FIND)
		return 0;
	const char *none = s->type == SET_AUTO ? "cpu,memory" : "yes";
	if (setting_apply(w->c, s, value ? value : none, w->e) < 0)
		return err_prefix(w->e, "option %s", name);
	w->c->listen_asked |= s == setting_by_key("listen");
	return 0;
}

/* The first bare number is the interval; everything else names VMs. */
static int option_word(struct options_walk *w, const char *arg, bool after_dashes)
{
	bool number = *arg && strspn(arg, "0123456789.") == strlen(arg);
	if (number && !after_dashes && !w->number_seen) {
		w->number_seen = true;
		if (w->pass == PASS_FIND)
			return 0;
		if (setting_apply(w->c, setting_by_key("delay"), arg, w->e) < 0)
			return err_prefix(w->e, "interval");
		return 0;
	}
	if (w->pass == PASS_FIND)
		return 0;
	if (!w->patterns_seen) /* patterns replace `steer` of the config */
		w->c->n_patterns = 0;
	w->patterns_seen = w->c->show_patterns = true;
	return setting_add_pattern(w->c, arg, strlen(arg), w->e);
}

static struct arg_option setting_option(const void *arg, size_t i)
{
	const struct setting *s = &settings[i];
	(void)arg;
	return (struct arg_option){s->option, s->letter, s->arg, !setting_takes_value(s)};
}

static int on_option(void *arg, size_t i, const char *name, const char *value, struct err *e)
{
	struct options_walk *w = arg;
	(void)e;
	int rc = option_take(w, &settings[i], name, value);
	return rc < 0 ? -1 : w->what->what != OPTIONS_RUN;
}

static int on_word(void *arg, const char *word, bool after_dashes, struct err *e)
{
	(void)e;
	return option_word(arg, word, after_dashes);
}

static int options_walk(struct options_walk *w, enum options_pass pass, int argc, char **argv)
{
	const struct args args = {.who = "",
		.help = "vmtop --help",
		.n = n_settings,
		.at = setting_option,
		.option = on_option,
		.word = on_word,
		.arg = w};
	w->pass = pass;
	w->number_seen = false;
	return args_read(&args, argc, argv, w->e);
}

static int options_files(struct config *c, struct err *e)
{
	char paths[CONF_PATHS][CFG_TEXT];
	if (c->config_file[0])
		return conf_read(c, c->config_file, false, e);
	size_t n = c->no_config ? 0 : conf_paths(paths);
	for (size_t i = 0; i < n; i++)
		if (conf_read(c, paths[i], true, e) < 0)
			return -1;
	return 0;
}

static int options_environment(struct config *c, struct err *e)
{
	const char *uri = getenv("LIBVIRT_DEFAULT_URI"), *no_color = getenv("NO_COLOR");
	if (no_color && *no_color)
		c->no_color = true;
	if (uri && *uri && setting_apply(c, setting_by_key("uri"), uri, e) < 0)
		return err_prefix(e, "environment variable LIBVIRT_DEFAULT_URI");
	return 0;
}

static int layout_check(const struct config *c, struct err *e)
{
	char shown[64], known[160] = "";
	if (!*c->layout || layout_find(c->layouts, c->n_layouts, c->layout))
		return 0;
	for (size_t i = 0, n = 0; i < c->n_layouts && n < sizeof known; i++)
		n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", c->layouts[i].name);
	text_escape(shown, sizeof shown, c->layout);
	return err_set(e, ERR_USAGE,
		"layout: there is no [layout %s] section in the configuration; it has %s", shown,
		*known ? known : "none");
}

static int options_check(const struct config *c, struct err *e)
{
	uint8_t columns[64];
	char shown[64];
	text_escape(shown, sizeof shown, c->sort);
	if (column_find(c->sort) < 0)
		return err_set(
			e, ERR_USAGE, "sort: no column is called '%s', vmtop -o help lists them", shown);
	if (c->columns[0] && column_parse(c->columns, columns, sizeof columns, e) < 0)
		return err_prefix(e, "columns");
	if (c->memory_columns[0] && column_parse(c->memory_columns, columns, sizeof columns, e) < 0)
		return err_prefix(e, "memory_columns");
	if (layout_check(c, e) < 0 || (*c->listen && listen_check(c->listen, e) < 0))
		return -1;
	if (c->readonly && !*c->replay && (c->auto_cpu || c->auto_memory))
		return err_set(e, ERR_USAGE,
			"AUTO and --readonly exclude each other: --auto=none leaves AUTO off, --dry-run shows plans");
	if (c->stop_at_pct > c->act_above_pct)
		return err_set(e, ERR_USAGE,
			"stop_at_pct %g is above act_above_pct %g, expected at most that", c->stop_at_pct,
			c->act_above_pct);
	for (size_t i = 0; i < c->n_vm; i++)
		if (c->vm[i].mem_max_kib && c->vm[i].mem_min_kib > c->vm[i].mem_max_kib)
			return err_set(e, ERR_USAGE, "[vm %s]: mem_min is above mem_max", c->vm[i].pattern);
	return 0;
}

int options_settle(struct config *c, bool terminal, const char *term, struct err *e)
{
	if (c->format != OUT_SCREEN || *c->output)
		c->batch = true;
	if (!terminal)
		c->batch = true;
	if (c->batch && c->format == OUT_SCREEN)
		c->format = OUT_TEXT;
	if (!c->batch && (!term || !*term || strcmp(term, "dumb") == 0))
		return err_set(e, ERR_USAGE,
			"the terminal cannot show a screen (TERM is %.60s); use --batch, or set TERM",
			term && *term ? term : "not set");
	return 0;
}

static int options_into(struct options_walk *w, int argc, char **argv)
{
	config_defaults(w->c);
	if (options_walk(w, PASS_FIND, argc, argv) < 0)
		return -1;
	if (w->what->what != OPTIONS_RUN)
		return 0;
	if (options_files(w->c, w->e) < 0 || options_environment(w->c, w->e) < 0 ||
		(*w->c->replay && recording_config(w->c->replay, w->c, w->e) < 0) ||
		options_walk(w, PASS_APPLY, argc, argv) < 0 || options_check(w->c, w->e) < 0)
		return -1;
	w->what->what = w->then;
	if (w->then != OPTIONS_RUN) {
		w->c->batch = true;
		w->c->dry_run |= w->then == OPTIONS_CHECK;
		return 0;
	}
	return options_settle(w->c, isatty(STDOUT_FILENO), getenv("TERM"), w->e);
}

int options_parse(int argc, char **argv, struct config *cfg, struct options_action *what, struct err *e)
{
	struct config *c = malloc(sizeof *c);
	if (!c)
		return err_set(e, ERR_NOMEM, "out of memory");
	*what = (struct options_action){.what = OPTIONS_RUN};
	struct options_walk w = {.c = c, .what = what, .e = e};
	int r = options_into(&w, argc, argv);
	if (r == 0)
		*cfg = *c;
	free(c);
	return r;
}
