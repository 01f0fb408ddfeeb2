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

static int unknown(const struct walk *w, const char *arg, size_t len)
{
	const struct args *a = w->a;
	char shown[64], meant[48] = "";
	size_t best = 3;
	text_escape(shown, sizeof shown, arg);
	for (size_t i = 0; i < a->n && strncmp(arg, "--", 2) == 0; i++) {
		const char *option = a->at(a->arg, i).option;
		size_t d = option ? distance(arg + 2, len, option) : 99;
		if (d < best) {
			best = d;
			snprintf(meant, sizeof meant, ", did you mean --%s?", option);
		}
	}
	return err_set(w->e, ERR_USAGE, "%sunknown option '%s'%s try '%s'", a->who, shown,
		*meant ? meant : ";", a->help);
}

static int take(struct walk *w, size_t i, const char *name, const char *value)
{
	const struct args *a = w->a;
	struct arg_option o = a->at(a->arg, i);
	if (o.arg && !o.may && !value) {
		if (w->at + 1 >= w->argc)
			return err_set(w->e, ERR_USAGE, "%soption %s needs a value (%s); try '%s'", a->who,
				name, o.arg, a->help);
		value = w->argv[++w->at];
	}
	return a->option(a->arg, i, name, value, w->e);
}

static int take_long(struct walk *w, const char *arg)
{
	const struct args *a = w->a;
	size_t len = strcspn(arg + 2, "=");
	const char *value = arg[2 + len] ? arg + 2 + len + 1 : NULL;
	char name[48];
	for (size_t i = 0; i < a->n; i++) {
		struct arg_option o = a->at(a->arg, i);
		if (!setting_called(o.option, arg + 2, len))
			continue;
		snprintf(name, sizeof name, "--%s", o.option);
		if (value && !o.arg)
			return err_set(w->e, ERR_USAGE, "%soption %s takes no value; try '%s'", a->who, name,
				a->help);
		return take(w, i, name, value);
	}
	return unknown(w, arg, len);
}

/* "-b", "-bn5", "-n 5". */
static int take_letters(struct walk *w, const char *arg)
{
	const struct args *a = w->a;
	int rc = 0;
	for (const char *p = arg + 1; *p && rc == 0; p++) {
		const char name[] = {'-', *p, '\0'};
		size_t i = 0;
		while (i < a->n && a->at(a->arg, i).letter != *p)
			i++;
		if (i == a->n)
			return unknown(w, arg, 0);
		struct arg_option o = a->at(a->arg, i);
		bool value_follows = o.arg && !o.may && p[1];
		rc = take(w, i, name, value_follows ? p + 1 : NULL);
		if (value_follows)
			break;
	}
	return rc;
}

int args_read(const struct args *a, int argc, char **argv, struct err *e)
{
	struct walk w = {.a = a, .argc = argc, .argv = argv, .e = e};
	bool dashes = false;
	int rc = 0;
	for (w.at = 1; w.at < argc && rc == 0; w.at++) {
		const char *arg = argv[w.at];
		if (dashes || arg[0] != '-' || !arg[1])
			rc = a->word(a->arg, arg, dashes, e);
		else if (strcmp(arg, "--") == 0)
			dashes = true;
		else
			rc = arg[1] == '-' ? take_long(&w, arg) : take_letters(&w, arg);
	}
	return rc < 0 ? -1 : 0;
}
