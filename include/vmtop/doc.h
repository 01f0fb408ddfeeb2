/* SPDX-License-Identifier: MIT */
/* Manuals and shell completions from the tables. A template is copied line by line; a line that is only
 * @NAME@ is replaced by what the generator of that name writes. Not linked into vmtop itself. */
#ifndef VMTOP_DOC_H
#define VMTOP_DOC_H

#include <stdio.h>

#include "vmtop/err.h"

/* Fails when a line names no generator; err then says which. */
int doc_expand(FILE *from, FILE *out, struct err *err);

#endif
