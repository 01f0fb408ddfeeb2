/* SPDX-License-Identifier: MIT */
/* docgen TEMPLATE: writes a manual or a completion to stdout. Used while building only. */
#include <stdio.h>

#include "vmtop/doc.h"

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	FILE *f = argc == 2 ? fopen(argv[1], "r") : NULL;
	if (!f) {
		fprintf(stderr, "docgen: cannot read the template %s\n", argc == 2 ? argv[1] : "");
		return 2;
	}
	int r = doc_expand(f, stdout, &e);
	fclose(f);
	if (r < 0)
		fprintf(stderr, "docgen: %s: %s\n", argv[1], e.msg);
	return r < 0 || fflush(stdout) != 0;
}
