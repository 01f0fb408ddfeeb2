/* SPDX-License-Identifier: MIT */
/* The table of subcommands and their command lines. Invariant: what a subcommand takes is in its row. */
#include "vmtop/subcommand.h"

#include <stdio.h>
#include <string.h>

#include "vmtop/settings.h"
#include "vmtop/snapshot.h"
#include "vmtop/text.h"

static const char *cpu_policies(int i)
{
	return i == CPU_POLICY_COUNT ? "none" : cpu_policy_name((enum cpu_policy_id)i);
}

static const char *memory_policies(int i)
{
	return i == MEM_POLICY_COUNT ? "none" : mem_policy_name((enum mem_policy_id)i);
}

static const char *granularities(int i)
{
	return setting_by_key("granularity")->choice(i);
}

static const char *fleet_autos(int i)
{
	return i == 0 ? "fleet" : "?";
}

static const struct subcommand commands[] = {
	{"compare", "FILE ...",
		"run policies on a simulated host: a scenario's (a file or sim:NAME), or the demand of a recording",
		1, SUB_WORDS,
		{{"cpu-policy", 0, "POLICY", "CPU policy to run; may be given several times", cpu_policies},
			{"memory-policy", 0, "POLICY", "memory policy to run; may be given several times",
				memory_policies},
			{"granularity", 0, "UNIT", "what a vCPU is pinned to", granularities},
			{"seed", 0, "N",
				"seed of the simulated host; may be given several times, the scenario's own when not",
				NULL},
			{"end-time", 0, "+SECS",
				"end of each run; that of the scenario, else 600, and never after a recording's",
				NULL},
			{"set", 's', "KEY=VALUE", "set any key of vmtop.conf(5) for all runs", NULL},
			{"json", 0, NULL, "print JSON", NULL}},
		compare_run},
	{"why", "[VM ...]", "say which VMs suffer and why, or why the ones named do; nothing is changed", 0,
		SUB_WORDS,
		{{"connect", 'c', "URI", "libvirt connection, or sim:NAME", NULL},
			{"delay", 'd', "SECS", "seconds between samples, 1 when not given", NULL},
			{"samples", 'n', "N", "how many, 4 when not given", NULL},
			{"json", 0, NULL, "print JSON Lines, one for each VM", NULL}},
		why_run},
	{"fleet", "[HOST ...]",
		"watch many hosts: those named ([NAME=]URI, prom:URL of a Prometheus, or a name of section [fleet] of vmtop.conf), or all of that section",
		0, SUB_WORDS,
		{{"delay", 'd', "SECS", "seconds between samples, 2 when not given", NULL},
			{"iterations", 'n', "N", "end after N outputs; the first one waits for the hosts",
				NULL},
			{"batch", 'b', NULL, "print text, also on a terminal", NULL},
			{"json", 0, NULL, "print JSON Lines, one object an output", NULL},
			{"csv", 0, NULL, "print CSV, a row an output and host", NULL},
			{"vms", 0, NULL, "the VMs of all hosts; JSON: these too", NULL},
			{"plan", 0, NULL, "print also which VMs should move where, once", NULL},
			{"carry-out", 0, NULL,
				"with --plan: migrate these VMs, one after another, once yes was typed; ^C aborts",
				NULL},
			{"yes", 0, NULL, "with --carry-out: do not ask", NULL},
			{"auto", 0, "WHAT",
				"let Pacemaker move guests that wait, by utilization written as needed; with --plan only what it would do",
				fleet_autos},
			{"sort", 'o', "COLUMN", "column that rows are sorted by; help lists them", NULL},
			{"config", 0, "FILE", "read this file instead of the user's and the system's", NULL},
			{"set", 's', "KEY=VALUE", "set any key of vmtop.conf(5)", NULL}},
		fleet_run},
	{"report", "FILE DIR", "draw figures of a recording and a page that holds them, in a folder", 2, 2,
		{{NULL, 0, NULL, NULL, NULL}}, report_run},
	{"mark", "TEXT", "put a mark into the log and the recording of every running vmtop of this user", 1,
		SUB_WORDS, {{NULL, 0, NULL, NULL, NULL}}, mark_run},
	{"hook", "GUEST OPERATION PHASE EXTRA",
		"what libvirt's hook calls: take vmtop's pins out of the definition of a guest that arrives",
		3, 4, {{NULL, 0, NULL, NULL, NULL}}, hook_run},
	{"log", "FILE", "print the decision log of a recording", 1, 1,
		{{"json", 0, NULL, "print JSON Lines", NULL}}, logcat_run},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

const struct subcommand *subcommand_at(size_t i)
{
	return i < N_COMMANDS ? &commands[i] : NULL;
}

const struct subcommand *subcommand_find(const char *name)
{
	for (size_t i = 0; name && i < N_COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static size_t option_count(const struct subcommand *c)
{
	size_t n = 0;
	while (n < SUB_OPTIONS && c->options[n].option)
		n++;
	return n;
}

static void print_help(const struct subcommand *c)
{
	printf("Usage: vmtop %s %s%s\n%s.\n", c->name, option_count(c) ? "[option ...] " : "", c->args,
		c->help);
	for (size_t i = 0; i < option_count(c); i++) {
		const struct sub_option *o = &c->options[i];
		char left[64];
		snprintf(left, sizeof left, "--%s%s%s", o->option, o->arg ? " " : "", o->arg ? o->arg : "");
		printf("  %-26s %s", left, o->help);
		for (int k = 0; o->choice && strcmp(o->choice(k), "?") != 0; k++)
			printf("%s%s", k ? ", " : ": ", o->choice(k));
		printf("\n");
	}
}

/* Index of the option that arg is, and its value when it is written with "="; n: none. */
static size_t option_find(const struct subcommand *c, const char *arg, const char **value)
{
	size_t n = option_count(c);
	*value = NULL;
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(c->options[i].option);
		if (c->options[i].letter && arg[1] == c->options[i].letter && !arg[2])
			return i;
		if (strncmp(arg, "--", 2) != 0 || strncmp(arg + 2, c->options[i].option, len) != 0)
			continue;
		if (!arg[2 + len])
			return i;
		if (arg[2 + len] == '=' && c->options[i].arg) {
			*value = arg + 3 + len;
			return i;
		}
	}
	return n;
}

static int check_choice(
	const struct subcommand *c, const struct sub_option *o, const char *value, struct err *e)
{
	char shown[64], all[200] = "";
	for (int i = 0; o->choice && strcmp(o->choice(i), "?") != 0; i++) {
		if (strcmp(o->choice(i), value) == 0)
			return 0;
		size_t n = strlen(all);
		snprintf(all + n, sizeof all - n, "%s%s", n ? ", " : "", o->choice(i));
	}
	if (!o->choice)
		return 0;
	text_escape(shown, sizeof shown, value);
	return err_set(e, ERR_USAGE, "%s: option --%s: bad value '%s', expected one of %s", c->name,
		o->option, shown, all);
}

static int take_option(
	const struct subcommand *c, struct sub_line *l, int argc, char **argv, int *at, struct err *e)
{
	const char *value;
	char shown[64];
	size_t i = option_find(c, argv[*at], &value);
	text_escape(shown, sizeof shown, argv[*at]);
	if (i == option_count(c))
		return err_set(e, ERR_USAGE, "%s: unknown option '%s'; try 'vmtop %s --help'", c->name, shown,
			c->name);
	if (c->options[i].arg && !value) {
		if (*at + 1 >= argc)
			return err_set(e, ERR_USAGE, "%s: option --%s needs a value (%s)", c->name,
				c->options[i].option, c->options[i].arg);
		value = argv[++*at];
	}
	if (l->n_values == SUB_WORDS)
		return err_set(e, ERR_USAGE, "%s: more than %d options", c->name, SUB_WORDS);
	if (value && check_choice(c, &c->options[i], value, e) < 0)
		return -1;
	l->values[l->n_values].option = i;
	l->values[l->n_values++].value = value;
	return 0;
}

int subcommand_run(const struct subcommand *c, int argc, char **argv, struct err *e)
{
	struct sub_line l = {.n_words = 0};
	bool dashes = false;
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i];
		if (!dashes && (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)) {
			print_help(c);
			return 0;
		}
		if (!dashes && strcmp(arg, "--") == 0)
			dashes = true;
		else if (!dashes && arg[0] == '-' && arg[1]) {
			if (take_option(c, &l, argc, argv, &i, e) < 0)
				return -1;
		} else if (l.n_words == c->most || l.n_words == SUB_WORDS) {
			return err_set(e, ERR_USAGE, "%s: too many words; expected: vmtop %s %s", c->name,
				c->name, c->args);
		} else {
			l.words[l.n_words++] = arg;
		}
	}
	if (l.n_words < c->least)
		return err_set(e, ERR_USAGE, "expected: vmtop %s %s", c->name, c->args);
	return c->run(&l, e);
}
