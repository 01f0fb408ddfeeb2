/* SPDX-License-Identifier: MIT */
/* Lines are kept in memory until the end, so that a test that fails on the way writes nothing. */
#include "story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *text;
static size_t len;
static FILE *lines;
static char path[200];

void story_begin(const char *name)
{
	snprintf(path, sizeof path, "tests/scenario/golden/%s.txt", name);
	lines = open_memstream(&text, &len);
	assert_non_null(lines);
}

void story_line(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(lines, format, args);
	va_end(args);
	fputc('\n', lines);
}

static void story_write(void)
{
	FILE *f = fopen(path, "w");
	if (!f || fwrite(text, 1, len, f) != len || fclose(f) != 0)
		fail_msg("cannot write %s", path);
}

static void story_compare(void)
{
	FILE *f = fopen(path, "r");
	char was[600];
	const char *is = text;
	if (!f)
		fail_msg("no %s: make golden writes it", path);
	for (int n = 1; fgets(was, sizeof was, f) || *is; n++) {
		size_t length = strcspn(is, "\n") + 1;
		if (strncmp(was, is, length) != 0)
			fail_msg("%s:%d\n was %s is  %.*s", path, n, was, (int)length, is);
		is += length;
		was[0] = '\0';
	}
	fclose(f);
}

void story_end(void)
{
	const char *mode = getenv("VMTOP_GOLDEN");
	fclose(lines);
	if (mode && strcmp(mode, "write") == 0)
		story_write();
	else
		story_compare();
	free(text);
	text = NULL;
}
