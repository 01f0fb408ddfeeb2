/* SPDX-License-Identifier: MIT */
/* Where the outputs of batch mode go. */
#ifndef VMTOP_CLI_OUTPUT_H
#define VMTOP_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "vmtop/err.h"

struct output {
	const char *path; /* empty: standard output; not owned */
	bool replace;     /* each output is the whole file */
	int fd;
};

int output_open(struct output *o, const char *path, bool replace, struct err *e);
void output_close(struct output *o);
/* 1: all written, 0: the reader has gone, -1: failed. */
int output_write(const struct output *o, const char *text, size_t len, struct err *e);

#endif
