/* SPDX-License-Identifier: MIT */
#include "support/commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char dir[] = "/tmp/vmtop-commands.XXXXXX", path_was[4096];

int commands_begin(void **state)
{
	(void)state;
	snprintf(path_was, sizeof path_was, "%s", getenv("PATH"));
	return mkdtemp(dir) ? 0 : -1;
}

int commands_end(void **state)
{
	(void)state;
	char line[600];
	commands_real();
	snprintf(line, sizeof line, "rm -rf %s", dir);
	return system(line);
}

const char *commands_dir(void)
{
	return dir;
}

void commands_put(const char *name, const char *text)
{
	char path[512];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, 0700), 0);
}

const char *commands_left(const char *name)
{
	static char text[8192];
	char path[512];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
	text[n] = '\0';
	if (f)
		fclose(f);
	return text;
}

void commands_real(void)
{
	setenv("PATH", path_was, 1);
}
