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
	int fd;
	enum output_how {
		OUTPUT_ANEW,    /* the file begins empty */
		OUTPUT_ADD,     /* what is in it stays: a log */
		OUTPUT_REPLACE, /* each output is the whole file */
	} how;
};

int output_open(struct output *output, const char *path, enum output_how how, struct err *err);
/* A file that was moved away: what follows goes into a new one, or, where it was not, to the end of it. 1: it
 * is empty; -1: failed, and goes on into the one from before. */
int output_reopen(struct output *output, struct err *err);
void output_close(struct output *output);
/* 1: all written, 0: the reader has gone, -1: failed. */
int output_write(const struct output *output, const char *text, size_t len, struct err *err);

/* Text: a column is not made wider than this for one long name. */
enum { OUT_WIDTH_MAX = 40 };
int out_columns(const char *text);
/* Adds a cell to a line. Pads on the side that is not aligned; text wider than the column pushes the rest to
 * the right. */
void out_cell(char *line, size_t len, const char *text, int width, bool left, bool last);
void out_line(FILE *out, const char *line); /* without blanks at its end */

struct value;
void csv_value(FILE *out, const struct value *val); /* quoted where it is text; unknown is empty */

#endif
