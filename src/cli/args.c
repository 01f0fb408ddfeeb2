/* SPDX-License-Identifier: MIT */
/* One reader of command lines: "--delay 5", "--delay=5", "-d5", "-bn 5", "--". Invariant: what an option does
 * is its caller's; nothing is printed here. Not getopt_long(): its messages and its abbreviations are not
 * ours. */
#include "args.h"

#include <stdio.h>
#include <string.h>

#include "vmtop/minmax.h"
#include "vmtop/settings.h"
#include "vmtop/text.h"

struct walk {
	const struct args *a;
	int argc, at;
	char **argv;
	struct err *e;
};

/* Edit distance for short words, to guess what was meant. */
static size_t distance(const char *a, size_t n, const char *b)
{
	size_t row[40], m = strlen(b);
	if (n >= 32 || m >= 39)
		return 99;
	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t corner = row[0];
		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t change = corner + (a[i - 1] != b[j - 1]);
			size_t gap = min_of(row[j], row[j - 1]) + 1;
			corner = row[j];
			row[j] = min_of(change, gap);
		}
	}
	return row[m];
}

static int unknown(const struct walk *walk, const char *arg, size_t len)
{
	const struct args *args = walk->a;
	char shown[64], meant[48] = "";
	size_t best = 3;
	text_escape(shown, sizeof shown, arg);
	for (size_t i = 0; i < args->n && strncmp(arg, "--", 2) == 0; i++) {
		const char *option = args->at(args->arg, i).option;
		size_t d = option ? distance(arg + 2, len, option) : 99;
		if (d < best) {
			best = d;
			snprintf(meant, sizeof meant, ", did you mean --%s?", option);
		}
	}
	return err_set(walk->e, ERR_USAGE, "%sunknown option '%s'%s try '%s'", args->who, shown,
		text_or(meant, ";"), args->help);
}

static int take(struct walk *walk, size_t i, const char *name, const char *value)
{
	const struct args *args = walk->a;
	struct arg_option opt = args->at(args->arg, i);
	if (opt.arg && !opt.may && !value) {
		if (walk->at + 1 >= walk->argc)
			return err_set(walk->e, ERR_USAGE, "%soption %s needs a value (%s); try '%s'",
				args->who, name, opt.arg, args->help);
		value = walk->argv[++walk->at];
	}
	return args->option(args->arg, i, name, value, walk->e);
}

static int take_long(struct walk *walk, const char *arg)
{
	const struct args *args = walk->a;
	size_t len = strcspn(arg + 2, "=");
	const char *value = arg[2 + len] ? arg + 2 + len + 1 : NULL;
	char name[48];
	for (size_t i = 0; i < args->n; i++) {
		struct arg_option opt = args->at(args->arg, i);
		if (!setting_called(opt.option, arg + 2, len))
			continue;
		snprintf(name, sizeof name, "--%s", opt.option);
		if (value && !opt.arg)
			return err_set(walk->e, ERR_USAGE, "%soption %s takes no value; try '%s'", args->who,
				name, args->help);
		return take(walk, i, name, value);
	}
	return unknown(walk, arg, len);
}

/* "-b", "-bn5", "-n 5". */
static int take_letters(struct walk *walk, const char *arg)
{
	const struct args *args = walk->a;
	int rc = 0;
	for (const char *p = arg + 1; *p && rc == 0; p++) {
		const char name[] = {'-', *p, '\0'};
		size_t i = 0;
		while (i < args->n && args->at(args->arg, i).letter != *p)
			i++;
		if (i == args->n)
			return unknown(walk, arg, 0);
		struct arg_option opt = args->at(args->arg, i);
		bool value_follows = opt.arg && !opt.may && p[1];
		rc = take(walk, i, name, value_follows ? p + 1 : NULL);
		if (value_follows)
			break;
	}
	return rc;
}

int args_read(const struct args *args, int argc, char **argv, struct err *err)
{
	struct walk walk = {.a = args, .argc = argc, .argv = argv, .e = err};
	bool dashes = false;
	int rc = 0;
	for (walk.at = 1; walk.at < argc && rc == 0; walk.at++) {
		const char *arg = argv[walk.at];
		if (dashes || arg[0] != '-' || !arg[1])
			rc = args->word(args->arg, arg, dashes, err);
		else if (strcmp(arg, "--") == 0)
			dashes = true;
		else
			rc = arg[1] == '-' ? take_long(&walk, arg) : take_letters(&walk, arg);
	}
	return rc < 0 ? -1 : 0;
}
