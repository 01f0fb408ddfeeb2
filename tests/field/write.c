/* SPDX-License-Identifier: MIT */
/* write: the names of the kinds of hosts. write KIND FOLDER: its /sys and /proc below FOLDER, and what
 * libvirt should tell of it in FOLDER/capabilities.xml. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/field.h"
#include "support/proctree.h"

int main(int argc, char **argv)
{
	static struct field f;
	if (argc != 3) {
		for (size_t i = 0; i < n_field_kinds; i++)
			puts(field_kinds[i].name);
		return 0;
	}
	field_make(&f, field_kind(argv[1]));
	snprintf(f.root, sizeof f.root, "%s", argv[2]);
	field_write(&f);
	field_write_more(&f);
	char *text = field_capabilities(&f);
	proctree_write(f.root, "capabilities.xml", text, -1);
	free(text);
	return 0;
}
