/* SPDX-License-Identifier: MIT */
/* vmtop hook: what libvirt's hook calls for a guest that arrives. Invariant: whatever is wrong, nothing is
 * printed and the guest arrives as it was sent; libvirt is not called (it waits for this). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/array.h"
#include "vmtop/migrate.h"
#include "vmtop/subcommand.h"

enum { DEFINITION_MOST = 16 << 20, PIECE = 64 << 10 };

static char *read_all(FILE *in)
{
	size_t len = 0, cap = 0;
	char *text = NULL;
	while (array_grow(&text, &cap, len + PIECE, 1)) {
		size_t n = fread(text + len, 1, cap - len - 1, in);
		len += n;
		text[len] = '\0';
		if (!n || len >= DEFINITION_MOST)
			return text;
	}
	free(text);
	return NULL;
}

static bool arrives(const struct sub_line *line)
{
	const char *what = line->words[1];
	return (strcmp(what, "migrate") == 0 || strcmp(what, "restore") == 0) &&
	       strcmp(line->words[2], "begin") == 0;
}

int hook_run(const struct sub_line *line, struct err *err)
{
	char *out = NULL;
	if (!arrives(line))
		return 0;
	char *text = read_all(stdin);
	if (!text)
		return err_set(err, ERR_NOMEM, "out of memory for a definition");
	int rc = migrate_strip(text, &out, err);
	if (out)
		fputs(out, stdout);
	free(out);
	free(text);
	return rc;
}
