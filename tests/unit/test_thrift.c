/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../../src/ui/thrift.h"

static void expect(const char *given, const char *want)
{
	char bytes[200];
	size_t n = strlen(given);
	memcpy(bytes, given, n);
	n = thrift(bytes, n);
	bytes[n] = 0;
	assert_string_equal(bytes, want);
}

static void test_back_to_plain_in_three_bytes(void **state)
{
	(void)state;
	expect("\033[38;5;71m64%\033[39m\033(B\033[m next", "\033[38;5;71m64%\033[m next");
	expect("\033[39;49m\033(B\033[m", "\033[m");
	expect("a\033(B\033[mb\033(B\033[m", "a\033[mb\033[m");
	expect("\033[39m\033[m\017x", "\033[mx");
	expect("\033(B\033[0m\033[38;5;244m5", "\033[0m\033[38;5;244m5");
	expect("\033(B\033[0;1mbold", "\033[0;1mbold");
}

/* A colour that goes and attributes that stay are no way back to plain text; nor is half a sequence. */
static void test_all_else_stays(void **state)
{
	static const char *const kept[] = {"", "plain", "\033[39;49m\033[38;5;178m1", "\033[39m\033[1;5H",
		"\033(0q\033(B\033[5;1H", "\033[?2026h\033[1;48H\033[38;5;244m2\033[?2026l", "\033[39m\033(B",
		"\033(B\033[", "\033", "\033[m\016"};
	(void)state;
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		expect(kept[i], kept[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_back_to_plain_in_three_bytes),
		cmocka_unit_test(test_all_else_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
