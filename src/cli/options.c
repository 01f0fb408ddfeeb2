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
	struct config *cfg;
	struct options_action *what;
	bool number_seen, patterns_seen;
	enum options_do then; /* what to do once all settings are read */
	struct err *err;
};

static int option_set_key(struct options_walk *walk, const char *text)
{
	char key[48], shown[64];
	size_t n = strcspn(text, "=");
	text_escape(shown, sizeof shown, text);
	if (!text[n] || n == 0)
		return err_set(walk->err, ERR_USAGE, "--set: bad value '%s', expected KEY=VALUE", shown);
	snprintf(key, sizeof key, "%.*s", (int)min_of(n, sizeof key), text);
	const struct setting *setting = n < sizeof key ? setting_by_key(key) : NULL;
	if (!setting)
		return err_set(walk->err, ERR_USAGE, "--set: unknown key in '%s', see vmtop.conf(5)", shown);
	if (walk->pass == PASS_FIND)
		return 0;
	if (setting->type == SET_STEER)
		walk->cfg->n_patterns = 0;
	if (setting_apply(walk->cfg, setting, text + n + 1, walk->err) < 0)
		return err_prefix(walk->err, "--set %s", key);
	return 0;
}

/* `--release --all` is every VM: what follows the option is its value. */
static int option_release(struct options_walk *walk, const char *value)
{
	const char *pattern = strcmp(value, "--all") == 0 ? "*" : value;
	if (!*pattern || (*pattern == '-' && pattern[1] == '-') ||
		strlen(pattern) >= sizeof walk->what->release)
		return err_set(
			walk->err, ERR_USAGE, "--release: bad value, expected a VM, a pattern or --all");
	memcpy(walk->what->release, pattern, strlen(pattern) + 1);
	walk->then = OPTIONS_RESTORE;
	return 0;
}

/* Options that are no settings. */
static int option_act(struct options_walk *walk, const struct setting *setting, const char *value)
{
	if (strcmp(setting->option, "set") == 0)
		return option_set_key(walk, value);
	if (strcmp(setting->option, "help") == 0)
		walk->what->what = OPTIONS_HELP;
	else if (strcmp(setting->option, "version") == 0)
		walk->what->what = OPTIONS_VERSION;
	else if (strcmp(setting->option, "restore") == 0)
		walk->then = OPTIONS_RESTORE;
	else if (strcmp(setting->option, "release") == 0)
		return option_release(walk, value);
	else if (strcmp(setting->option, "check") == 0)
		walk->then = OPTIONS_CHECK;
	else if (strcmp(setting->option, "no-config") == 0)
		walk->cfg->no_config = true;
	else if (strlen(value) < sizeof walk->cfg->config_file && *value)
		memcpy(walk->cfg->config_file, value, strlen(value) + 1);
	else
		return err_set(walk->err, ERR_USAGE, "--config: bad value, expected a file name");
	return 0;
}

static int option_take(
	struct options_walk *walk, const struct setting *setting, const char *name, const char *value)
{
	if (setting->type == SET_ACTION)
		return option_act(walk, setting, value);
	if (walk->pass == PASS_FIND &&
		(strcmp(setting->option, "sort") == 0 || strcmp(setting->option, "columns") == 0) &&
		strcmp(value, "help") == 0)
		walk->what->what = OPTIONS_COLUMNS;
	if (walk->pass == PASS_FIND && strcmp(setting->option, "replay") == 0)
		return setting_apply(walk->cfg, setting, value, walk->err);
	if (walk->pass == PASS_FIND)
		return 0;
	const char *none = setting->type == SET_AUTO ? "cpu,memory" : "yes";
	if (setting_apply(walk->cfg, setting, value ? value : none, walk->err) < 0)
		return err_prefix(walk->err, "option %s", name);
	walk->cfg->listen_asked |= setting == setting_by_key("listen");
	return 0;
}

/* The first bare number is the interval; everything else names VMs. */
static int option_word(struct options_walk *walk, const char *arg, bool after_dashes)
{
	bool number = *arg && strspn(arg, "0123456789.") == strlen(arg);
	if (number && !after_dashes && !walk->number_seen) {
		walk->number_seen = true;
		if (walk->pass == PASS_FIND)
			return 0;
		if (setting_apply(walk->cfg, setting_by_key("delay"), arg, walk->err) < 0)
			return err_prefix(walk->err, "interval");
		return 0;
	}
	if (walk->pass == PASS_FIND)
		return 0;
	if (!walk->patterns_seen) /* patterns replace `steer` of the config */
		walk->cfg->n_patterns = 0;
	walk->patterns_seen = walk->cfg->show_patterns = true;
	return setting_add_pattern(walk->cfg, arg, strlen(arg), walk->err);
}

static struct arg_option setting_option(const void *arg, size_t i)
{
	const struct setting *setting = &settings[i];
	(void)arg;
	return (struct arg_option){
		setting->option, setting->letter, setting->arg, !setting_takes_value(setting)};
}

static int on_option(void *arg, size_t i, const char *name, const char *value, struct err *err)
{
	struct options_walk *walk = arg;
	(void)err;
	int rc = option_take(walk, &settings[i], name, value);
	return rc < 0 ? -1 : walk->what->what != OPTIONS_RUN;
}

static int on_word(void *arg, const char *word, bool after_dashes, struct err *err)
{
	(void)err;
	return option_word(arg, word, after_dashes);
}

static int options_walk(struct options_walk *walk, enum options_pass pass, int argc, char **argv)
{
	const struct args args = {.who = "",
		.help = "vmtop --help",
		.n = n_settings,
		.at = setting_option,
		.option = on_option,
		.word = on_word,
		.arg = walk};
	walk->pass = pass;
	walk->number_seen = false;
	return args_read(&args, argc, argv, walk->err);
}

static int options_files(struct config *cfg, struct err *err)
{
	char paths[CONF_PATHS][CFG_TEXT];
	if (cfg->config_file[0])
		return conf_read(cfg, cfg->config_file, false, err);
	size_t n = cfg->no_config ? 0 : conf_paths(paths);
	for (size_t i = 0; i < n; i++)
		if (conf_read(cfg, paths[i], true, err) < 0)
			return -1;
	return 0;
}

static int options_environment(struct config *cfg, struct err *err)
{
	const char *uri = getenv("LIBVIRT_DEFAULT_URI"), *no_color = getenv("NO_COLOR");
	if (no_color && *no_color)
		cfg->no_color = true;
	if (uri && *uri && setting_apply(cfg, setting_by_key("uri"), uri, err) < 0)
		return err_prefix(err, "environment variable LIBVIRT_DEFAULT_URI");
	return 0;
}

static int layout_check(const struct config *cfg, struct err *err)
{
	char shown[64], known[160] = "";
	if (!*cfg->layout || layout_find(cfg->layouts, cfg->n_layouts, cfg->layout))
		return 0;
	for (size_t i = 0, n = 0; i < cfg->n_layouts && n < sizeof known; i++)
		n += (size_t)snprintf(
			known + n, sizeof known - n, "%s%s", text_if(i, ", "), cfg->layouts[i].name);
	text_escape(shown, sizeof shown, cfg->layout);
	return err_set(err, ERR_USAGE,
		"layout: there is no [layout %s] section in the configuration; it has %s", shown,
		text_or(known, "none"));
}

static int options_check(const struct config *cfg, struct err *err)
{
	uint8_t columns[64];
	char shown[64];
	text_escape(shown, sizeof shown, cfg->sort);
	if (column_find(cfg->sort) < 0)
		return err_set(
			err, ERR_USAGE, "sort: no column is called '%s', vmtop -o help lists them", shown);
	if (cfg->columns[0] && column_parse(cfg->columns, columns, sizeof columns, err) < 0)
		return err_prefix(err, "columns");
	if (cfg->memory_columns[0] && column_parse(cfg->memory_columns, columns, sizeof columns, err) < 0)
		return err_prefix(err, "memory_columns");
	if (layout_check(cfg, err) < 0 || (*cfg->listen && listen_check(cfg->listen, err) < 0))
		return -1;
	if (cfg->readonly && !*cfg->replay && (cfg->auto_cpu || cfg->auto_memory))
		return err_set(err, ERR_USAGE,
			"AUTO and --readonly exclude each other: --auto=none leaves AUTO off, --dry-run shows plans");
	if (cfg->stop_at_pct > cfg->act_above_pct)
		return err_set(err, ERR_USAGE,
			"stop_at_pct %g is above act_above_pct %g, expected at most that", cfg->stop_at_pct,
			cfg->act_above_pct);
	for (size_t i = 0; i < cfg->n_vm; i++)
		if (cfg->vm[i].mem_max_kib && cfg->vm[i].mem_min_kib > cfg->vm[i].mem_max_kib)
			return err_set(
				err, ERR_USAGE, "[vm %s]: mem_min is above mem_max", cfg->vm[i].pattern);
	return 0;
}

int options_settle(struct config *cfg, bool terminal, const char *term, struct err *err)
{
	if (cfg->format != OUT_SCREEN || *cfg->output)
		cfg->batch = true;
	if (!terminal)
		cfg->batch = true;
	if (cfg->batch && cfg->format == OUT_SCREEN)
		cfg->format = OUT_TEXT;
	if (!cfg->batch && (!term || !*term || strcmp(term, "dumb") == 0))
		return err_set(err, ERR_USAGE,
			"the terminal cannot show a screen (TERM is %.60s); use --batch, or set TERM",
			term && *term ? term : "not set");
	return 0;
}

static int options_into(struct options_walk *walk, int argc, char **argv)
{
	config_defaults(walk->cfg);
	if (options_walk(walk, PASS_FIND, argc, argv) < 0)
		return -1;
	if (walk->what->what != OPTIONS_RUN)
		return 0;
	if (options_files(walk->cfg, walk->err) < 0 || options_environment(walk->cfg, walk->err) < 0 ||
		(*walk->cfg->replay && recording_config(walk->cfg->replay, walk->cfg, walk->err) < 0) ||
		options_walk(walk, PASS_APPLY, argc, argv) < 0 || options_check(walk->cfg, walk->err) < 0)
		return -1;
	walk->what->what = walk->then;
	if (walk->then != OPTIONS_RUN) {
		walk->cfg->batch = true;
		walk->cfg->dry_run |= walk->then == OPTIONS_CHECK;
		return 0;
	}
	return options_settle(walk->cfg, isatty(STDOUT_FILENO), getenv("TERM"), walk->err);
}

int options_parse(int argc, char **argv, struct config *cfg, struct options_action *what, struct err *err)
{
	struct config *c = malloc(sizeof *c);
	if (!c)
		return err_set(err, ERR_NOMEM, "out of memory");
	*what = (struct options_action){.what = OPTIONS_RUN};
	struct options_walk walk = {.cfg = c, .what = what, .err = err};
	int r = options_into(&walk, argc, argv);
	if (r == 0)
		*cfg = *c;
	free(c);
	return r;
}
