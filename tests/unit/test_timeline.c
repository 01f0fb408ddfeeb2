/* SPDX-License-Identifier: MIT */
/* Which lines of the log the timeline shows, and as what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "vmtop/snapshot.h"
#include "vmtop/timeline.h"

/* -1: it is not shown. */
static int sign_of(const char *text)
{
	struct log_line l = {.kind = LOG_EVENT, .wall_ns = 7};
	struct timeline_event e = {0};
	snprintf(l.text, sizeof l.text, "%s", text);
	if (!log_line_event(&l, &e))
		return -1;
	assert_int_equal(e.wall_ns, 7);
	return e.kind;
}

static void texts_of_the_engine_are_told_apart(void **state)
{
	(void)state;
	assert_int_equal(sign_of("web-1 appeared"), SIGN_CAME);
	assert_int_equal(sign_of("web-1 is gone"), SIGN_GONE);
	assert_int_equal(sign_of("CPU: minmove: AUTO"), SIGN_AUTO);
	assert_int_equal(sign_of("CPU: minmove: MANUAL"), SIGN_AUTO);
	assert_int_equal(sign_of("memory: watermark: AUTO"), SIGN_AUTO);
	assert_int_equal(sign_of("memory: watermark: MANUAL"), SIGN_AUTO);
	assert_int_equal(sign_of("CPU: minmove"), -1);
	assert_int_equal(sign_of("disks: AUTO"), -1);
	assert_int_equal(sign_of("web-1 appeared twice"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_of_the_engine_are_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
