/* SPDX-License-Identifier: MIT */
/* Where the outputs of batch mode go. */
#ifndef VMTOP_CLI_OUTPUT_H
#define VMTOP_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

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

/* Text: a column is not made wider than this for one long name. */
enum { OUT_WIDTH_MAX = 40 };
int out_columns(const char *text);
/* Adds a cell to a line. Pads on the side that is not aligned; text wider than the column pushes the rest to
 * the right. */
void out_cell(char *line, size_t len, const char *text, int width, bool left, bool last);
void out_line(FILE *to, const char *line); /* without blanks at its end */

struct value;
void csv_value(FILE *to, const struct value *v); /* quoted where it is text; unknown is empty */

#endif
