/* SPDX-License-Identifier: MIT */
/* Subcommands: the first word of the command line. One table; help, manual and completions come from it. */
#ifndef VMTOP_SUBCOMMAND_H
#define VMTOP_SUBCOMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "vmtop/err.h"

struct sub_option {
	const char *option; /* without dashes */
	char letter;        /* 0: none */
	const char *arg;    /* NULL: takes none */
	const char *help;   /* one sentence without full stop */
	const char *(*choice)(int);
};

enum { SUB_OPTIONS = 16, SUB_WORDS = 64 };

/* The command line of a subcommand, taken apart. values: by option, in the order given. */
struct sub_line {
	const char *words[SUB_WORDS];
	size_t n_words;
	struct {
		size_t option; /* index of the subcommand's options */
		const char *value;
	} values[SUB_WORDS];
	size_t n_values;
};

struct subcommand {
	const char *name, *args, *help;
	size_t least, most; /* words */
	struct sub_option options[SUB_OPTIONS];
	int (*run)(const struct sub_line *line, struct err *e);
};

const struct subcommand *subcommand_at(size_t i); /* NULL past the last */
const struct subcommand *subcommand_find(const char *name);
/* argv[0] is its name. Returns 0, or -1 with err set. */
int subcommand_run(const struct subcommand *sub, int argc, char **argv, struct err *err);

int compare_run(const struct sub_line *line, struct err *err);
int report_run(const struct sub_line *line, struct err *err);
int mark_run(const struct sub_line *line, struct err *err);
int hook_run(const struct sub_line *line, struct err *err);
int why_run(const struct sub_line *line, struct err *err);
int logcat_run(const struct sub_line *line, struct err *err);
int fleet_run(const struct sub_line *line, struct err *err);

#endif
