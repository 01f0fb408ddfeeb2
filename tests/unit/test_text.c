/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/text.h"

static void escapes_to(const char *raw, const char *want)
{
	char buf[128];
	assert_int_equal(text_escape(buf, sizeof buf, raw), strlen(want));
	assert_string_equal(buf, want);
}

static void test_escape(void **state)
{
	(void)state;
	escapes_to("", "");
	escapes_to("web-1", "web-1");
	escapes_to("caf\xc3\xa9 \xe4\xb8\xad", "caf\xc3\xa9 \xe4\xb8\xad");
	escapes_to("\x1b[31mred\n", "\\x1b[31mred\\x0a");
	escapes_to("a\xff"
		   "b",
		"a\\xffb");
	escapes_to("\xc0\xaf", "\\xc0\\xaf");          /* overlong */
	escapes_to("\xed\xa0\x80", "\\xed\\xa0\\x80"); /* surrogate */
	escapes_to("\xe4\xb8", "\\xe4\\xb8");          /* cut off */
	escapes_to("\xa4\xa0", "\\xa4\\xa0");          /* none that begins a character */
	escapes_to("\xf8\x90\x80\x80", "\\xf8\\x90\\x80\\x80");
	escapes_to("\xe2\x80\xae"
		   "evil",
		"\\u{202e}evil");            /* right-to-left override */
	escapes_to("\xc2\x85", "\\u{0085}"); /* C1 control */
	escapes_to("\x7f", "\\x7f");
}

/* The ends of each range of characters that hide or rearrange, and their neighbours, which do not. */
static void test_what_deceives(void **state)
{
	(void)state;
	static const uint32_t bad[] = {0x1f, 0x7f, 0x9f, 0xad, 0x61c, 0xa0, 0x2000, 0x200b, 0x200f, 0x2028,
		0x202f, 0x205f, 0x206f, 0x3000, 0xfe0f, 0xfeff, 0xfff9, 0xfffb, 0xe0000, 0xe0001, 0xe0fff};
	static const uint32_t good[] = {0x20, 0x7e, 0xa1, 0xac, 0xae, 0x61b, 0x61d, 0x1fff, 0x2010, 0x2027,
		0x2030, 0x205e, 0x2070, 0x3001, 0xfefe, 0xff00, 0xfff8, 0xfffc, 0xdffff, 0xe1000};
	for (size_t i = 0; i < sizeof bad / sizeof *bad + sizeof good / sizeof *good; i++) {
		bool deceives = i < sizeof bad / sizeof *bad;
		uint32_t c = deceives ? bad[i] : good[i - sizeof bad / sizeof *bad];
		char raw[5] = {0}, word[8], out[32];
		if (c < 0x80)
			snprintf(raw, sizeof raw, "%c", (int)c);
		else if (c < 0x800)
			snprintf(raw, sizeof raw, "%c%c", (int)(0xc0 | c >> 6), (int)(0x80 | (c & 0x3f)));
		else if (c < 0x10000)
			snprintf(raw, sizeof raw, "%c%c%c", (int)(0xe0 | c >> 12),
				(int)(0x80 | (c >> 6 & 0x3f)), (int)(0x80 | (c & 0x3f)));
		else
			snprintf(raw, sizeof raw, "%c%c%c%c", (int)(0xf0 | c >> 18),
				(int)(0x80 | (c >> 12 & 0x3f)), (int)(0x80 | (c >> 6 & 0x3f)),
				(int)(0x80 | (c & 0x3f)));
		snprintf(word, sizeof word, "a%sb", raw);
		text_escape(out, sizeof out, word);
		if ((out[1] == '\\') != deceives)
			fail_msg("U+%04X becomes %s", c, out);
	}
}

static void test_escape_never_cuts_a_character(void **state)
{
	(void)state;
	static const char raw[] = "\xe4\xb8\xad\x1b\xf0\x9f\x98\x80z";
	for (size_t len = 1; len < 20; len++) {
		char buf[32];
		memset(buf, '#', sizeof buf);
		size_t n = text_escape(buf, len, raw), i = 0, step;
		uint32_t ch;
		assert_true(n < len);
		assert_int_equal(strlen(buf), n);
		assert_int_equal(buf[len], '#');
		for (; (step = text_decode(buf + i, &ch)) > 0; i += step)
			assert_int_not_equal(ch, UINT32_MAX);
	}
}

static void test_utf8_keeps_all_but_the_invalid(void **state)
{
	(void)state;
	char buf[64];
	text_utf8(buf, sizeof buf, "a\n\xff\xc3\xa9\xe4\xb8");
	assert_string_equal(buf, "a\n\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd");
	assert_int_equal(text_utf8(buf, 3, "\xff"), 0); /* no room for three bytes and the end */
	assert_string_equal(buf, "");
}

static void test_decode(void **state)
{
	(void)state;
	uint32_t ch;
	assert_int_equal(text_decode("", &ch), 0);
	assert_int_equal(text_decode("\xf4\x8f\xbf\xbf", &ch), 4);
	assert_int_equal(ch, 0x10ffff);
	assert_int_equal(text_decode("\xf4\x90\x80\x80", &ch), 1);
	assert_int_equal(ch, UINT32_MAX);
	assert_int_equal(text_decode("\x80", &ch), 1);
	assert_int_equal(ch, UINT32_MAX);
}

static void test_width(void **state)
{
	(void)state;
	assert_int_equal(text_width('a'), 1);
	assert_int_equal(text_width(0x1b), -1);
	assert_int_equal(text_width(0x9f), -1);
	assert_int_equal(text_width(0xe9), 1);
	assert_int_equal(text_width(0x301), 0);   /* combining acute */
	assert_int_equal(text_width(0x200d), 0);  /* joiner */
	assert_int_equal(text_width(0x4e2d), 2);  /* CJK */
	assert_int_equal(text_width(0xac00), 2);  /* Hangul */
	assert_int_equal(text_width(0xff21), 2);  /* full width A */
	assert_int_equal(text_width(0x1f600), 2); /* emoji */
	assert_int_equal(text_width(0x2588), 1);  /* block */
	assert_int_equal(text_width(0x28ff), 1);  /* braille */
	assert_int_equal(text_width(0x2500), 1);  /* line */
	assert_int_equal(text_width(0xb7), 1);
	assert_int_equal(text_width(0x5d0), 1); /* Hebrew */
	assert_int_equal(text_width(0x110000), -1);
}

static void kib_is(int64_t kib, const char *want)
{
	char buf[16];
	assert_int_equal(text_kib(buf, sizeof buf, kib), strlen(want));
	assert_string_equal(buf, want);
}

static void test_kib(void **state)
{
	(void)state;
	kib_is(0, "0K");
	kib_is(1023, "1023K");
	kib_is(1024, "1.0M");
	kib_is(512 * 1024, "512M");
	kib_is(4 * 1024 * 1024, "4.0G");
	kib_is(INT64_C(1) << 30, "1.0T");
	kib_is(INT64_C(200) << 20, "200G");
	kib_is(1048575, "1.0G");
	for (int64_t k = 1; k > 0 && k < INT64_C(1) << 60; k = k * 3 / 2 + 1) {
		char buf[16];
		assert_in_range(text_kib(buf, sizeof buf, k), 2, 5);
	}
}

static void test_time(void **state)
{
	(void)state;
	char buf[64];
	text_time(buf, sizeof buf, INT64_C(1700000000123456789));
	assert_string_equal(buf, "2023-11-14T22:13:20.123+00:00");
	assert_int_equal(text_time(buf, 5, INT64_C(1700000000123456789)), 4);
	assert_string_equal(buf, "2023");
}

int main(void)
{
	setenv("TZ", "UTC0", 1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_what_deceives),
		cmocka_unit_test(test_escape_never_cuts_a_character),
		cmocka_unit_test(test_utf8_keeps_all_but_the_invalid),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_kib),
		cmocka_unit_test(test_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
