/* SPDX-License-Identifier: MIT */
/* The table of subcommands and their command lines. Invariant: what a subcommand takes is in its row. */
#include "vmtop/subcommand.h"

#include <stdio.h>
#include <string.h>

#include "args.h"
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

/* A command line that is being read. */
struct reading {
	const struct subcommand *c;
	struct sub_line line;
	bool help;
};

/* Behind its own options: the one that every subcommand has. */
static struct arg_option option_at(const void *arg, size_t i)
{
	const struct reading *r = arg;
	const struct sub_option *o = &r->c->options[i];
	if (i == option_count(r->c))
		return (struct arg_option){"help", 'h', NULL, false};
	return (struct arg_option){o->option, o->letter, o->arg, false};
}

static int on_option(void *arg, size_t i, const char *name, const char *value, struct err *e)
{
	struct reading *r = arg;
	struct sub_line *l = &r->line;
	(void)name;
	if (i == option_count(r->c)) {
		r->help = true;
		return 1;
	}
	if (l->n_values == SUB_WORDS)
		return err_set(e, ERR_USAGE, "%s: more than %d options", r->c->name, SUB_WORDS);
	if (value && check_choice(r->c, &r->c->options[i], value, e) < 0)
		return -1;
	l->values[l->n_values].option = i;
	l->values[l->n_values++].value = value;
	return 0;
}

static int on_word(void *arg, const char *word, bool after_dashes, struct err *e)
{
	struct reading *r = arg;
	struct sub_line *l = &r->line;
	(void)after_dashes;
	if (l->n_words == r->c->most || l->n_words == SUB_WORDS)
		return err_set(e, ERR_USAGE, "%s: too many words; expected: vmtop %s %s", r->c->name,
			r->c->name, r->c->args);
	l->words[l->n_words++] = word;
	return 0;
}

int subcommand_run(const struct subcommand *c, int argc, char **argv, struct err *e)
{
	char who[32], help[48];
	struct reading r = {.c = c};
	const struct args args = {.who = who,
		.help = help,
		.n = option_count(c) + 1,
		.at = option_at,
		.option = on_option,
		.word = on_word,
		.arg = &r};
	snprintf(who, sizeof who, "%s: ", c->name);
	snprintf(help, sizeof help, "vmtop %s --help", c->name);
	if (args_read(&args, argc, argv, e) < 0)
		return -1;
	if (r.help) {
		print_help(c);
		return 0;
	}
	if (r.line.n_words < c->least)
		return err_set(e, ERR_USAGE, "expected: vmtop %s %s", c->name, c->args);
	return c->run(&r.line, e);
}
