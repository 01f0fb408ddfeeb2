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

static size_t option_count(const struct subcommand *sub)
{
	size_t n = 0;
	while (n < SUB_OPTIONS && sub->options[n].option)
		n++;
	return n;
}

static void print_help(const struct subcommand *sub)
{
	printf("Usage: vmtop %s %s%s\n%s.\n", sub->name, text_if(option_count(sub), "[option ...] "),
		sub->args, sub->help);
	for (size_t i = 0; i < option_count(sub); i++) {
		const struct sub_option *opt = &sub->options[i];
		char left[64];
		snprintf(left, sizeof left, "--%s%s%s", opt->option, text_if(opt->arg, " "),
			text_or(opt->arg, ""));
		printf("  %-26s %s", left, opt->help);
		for (int k = 0; opt->choice && strcmp(opt->choice(k), "?") != 0; k++)
			printf("%s%s", k ? ", " : ": ", opt->choice(k));
		printf("\n");
	}
}

static int check_choice(
	const struct subcommand *sub, const struct sub_option *opt, const char *value, struct err *err)
{
	char shown[64], all[200] = "";
	for (int i = 0; opt->choice && strcmp(opt->choice(i), "?") != 0; i++) {
		if (strcmp(opt->choice(i), value) == 0)
			return 0;
		size_t n = strlen(all);
		snprintf(all + n, sizeof all - n, "%s%s", text_if(n, ", "), opt->choice(i));
	}
	if (!opt->choice)
		return 0;
	text_escape(shown, sizeof shown, value);
	return err_set(err, ERR_USAGE, "%s: option --%s: bad value '%s', expected one of %s", sub->name,
		opt->option, shown, all);
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
	const struct reading *reading = arg;
	const struct sub_option *opt = &reading->c->options[i];
	if (i == option_count(reading->c))
		return (struct arg_option){"help", 'h', NULL, false};
	return (struct arg_option){opt->option, opt->letter, opt->arg, false};
}

static int on_option(void *arg, size_t i, const char *name, const char *value, struct err *err)
{
	struct reading *reading = arg;
	struct sub_line *line = &reading->line;
	(void)name;
	if (i == option_count(reading->c)) {
		reading->help = true;
		return 1;
	}
	if (line->n_values == SUB_WORDS)
		return err_set(err, ERR_USAGE, "%s: more than %d options", reading->c->name, SUB_WORDS);
	if (value && check_choice(reading->c, &reading->c->options[i], value, err) < 0)
		return -1;
	line->values[line->n_values].option = i;
	line->values[line->n_values++].value = value;
	return 0;
}

static int on_word(void *arg, const char *word, bool after_dashes, struct err *err)
{
	struct reading *reading = arg;
	struct sub_line *line = &reading->line;
	(void)after_dashes;
	if (line->n_words == reading->c->most || line->n_words == SUB_WORDS)
		return err_set(err, ERR_USAGE, "%s: too many words; expected: vmtop %s %s", reading->c->name,
			reading->c->name, reading->c->args);
	line->words[line->n_words++] = word;
	return 0;
}

int subcommand_run(const struct subcommand *sub, int argc, char **argv, struct err *err)
{
	char who[32], help[48];
	struct reading reading = {.c = sub};
	const struct args args = {.who = who,
		.help = help,
		.n = option_count(sub) + 1,
		.at = option_at,
		.option = on_option,
		.word = on_word,
		.arg = &reading};
	snprintf(who, sizeof who, "%s: ", sub->name);
	snprintf(help, sizeof help, "vmtop %s --help", sub->name);
	if (args_read(&args, argc, argv, err) < 0)
		return -1;
	if (reading.help) {
		print_help(sub);
		return 0;
	}
	if (reading.line.n_words < sub->least)
		return err_set(err, ERR_USAGE, "expected: vmtop %s %s", sub->name, sub->args);
	return sub->run(&reading.line, err);
}
