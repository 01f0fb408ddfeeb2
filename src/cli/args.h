/* SPDX-License-Identifier: MIT */
/* Reads a command line: that of the program and those of its subcommands. */
#ifndef VMTOP_CLI_ARGS_H
#define VMTOP_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "vmtop/err.h"

struct arg_option {
	const char *option; /* without dashes; NULL: none, there is no way to write it */
	char letter;        /* 0: none */
	const char *arg;    /* what its value is called; NULL: it takes none */
	bool may;           /* its value may be left out: only "--option=VALUE" gives one */
};

/* What may stand on a command line, and who takes it. Callbacks return -1 with e set to end the reading, 1 to
 * end it without an error. */
struct args {
	const char *who;  /* before messages: "fleet: ", or "" */
	const char *help; /* the command that prints the help: "vmtop fleet --help" */
	size_t n;         /* options */
	struct arg_option (*at)(const void *arg, size_t i);
	/* name: as it was written, "--delay" or "-d"; value NULL: it has none */
	int (*option)(void *arg, size_t i, const char *name, const char *value, struct err *e);
	int (*word)(void *arg, const char *word, bool after_dashes, struct err *e);
	void *arg;
};

/* argv[0] is not looked at. 0, or -1 with err set. */
int args_read(const struct args *args, int argc, char **argv, struct err *err);

#endif
