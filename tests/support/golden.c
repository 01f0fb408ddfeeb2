/* SPDX-License-Identifier: MIT */
#include "support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 1 << 20 };

static void put(const char *path, const char *now)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(now, f);
	assert_int_equal(fclose(f), 0);
}

void golden_is(const char *path, const char *now)
{
	const char *mode = getenv("VMTOP_GOLDEN");
	if (mode && !strcmp(mode, "write")) {
		put(path, now);
		return;
	}
	char *then = calloc(1, MOST);
	FILE *f = fopen(path, "r");
	assert_non_null(then);
	if (f) {
		then[fread(then, 1, MOST - 1, f)] = '\0';
		fclose(f);
	}
	if (strcmp(now, then))
		fail_msg("%s differs (make golden writes it anew). Now:\n%s", path, now);
	free(then);
}
