/* SPDX-License-Identifier: MIT */
/* Parts of manuals and completions that are written from tables. Private to doc.c and doc_shell.c. */
#ifndef VMTOP_CLI_DOC_SHELL_H
#define VMTOP_CLI_DOC_SHELL_H

#include <stdio.h>

struct doc_part {
	const char *name; /* as between the @ of a template; NULL ends the table */
	void (*write)(FILE *to);
};

extern const struct doc_part doc_shell_parts[];

#endif
