/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "support/dump.h"
#include "vmtop/screen.h"

static void expect(struct screen *s, const char *want)
{
	char *got = screen_dump(s);
	assert_string_equal(got, want);
	free(got);
}

static void test_clips_at_edges(void **state)
{
	struct screen s;
	(void)state;
	assert_int_equal(screen_init(&s, 2, 5), 0);
	assert_int_equal(screen_text(&s, 0, 2, 10, STYLE_NORMAL, "abcdef"), 6);
	screen_text(&s, 7, 0, 5, STYLE_NORMAL, "below");
	screen_text(&s, 1, -2, 5, STYLE_NORMAL, "left");
	screen_fill(&s, -1, 0, 5, STYLE_NORMAL, '#');
	expect(&s, "  abc\nft\n");
	screen_done(&s);
}

static void test_wide_characters_stay_whole(void **state)
{
	struct screen s;
	(void)state;
	assert_int_equal(screen_init(&s, 1, 5), 0);
	/* Two columns each: the third would stand half over the edge. */
	assert_int_equal(screen_text(&s, 0, 0, 5, STYLE_NORMAL, "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"), 4);
	assert_int_equal(s.cells[1].ch, 0);
	screen_text(&s, 0, 1, 1, STYLE_NORMAL, "x"); /* over a right half: its left half goes */
	expect(&s, " x\xe6\x9c\xac\n");
	screen_text(&s, 0, 2, 1, STYLE_NORMAL, "y"); /* over a left half: its right half goes */
	expect(&s, " xy\n");
	screen_done(&s);
}

static void test_nothing_that_steers_a_terminal(void **state)
{
	struct screen s;
	(void)state;
	assert_int_equal(screen_init(&s, 3, 30), 0);
	screen_text(&s, 0, 0, 30, STYLE_NORMAL, "a\033[2J\n\x9b\xff");
	screen_text(&s, 1, 0, 30, STYLE_NORMAL, "rtl\xe2\x80\xaegpj");
	screen_text(&s, 2, 0, 30, STYLE_NORMAL, "e\xcc\x81!");
	expect(&s, "a\\x1b[2J\\x0a\\x9b\\xff\nrtl\\u{202e}gpj\ne\xcc\x81!\n");
	screen_done(&s);
}

static void test_ascii_has_stand_ins(void **state)
{
	struct screen s;
	(void)state;
	assert_int_equal(screen_init(&s, 1, 30), 0);
	s.ascii = true;
	screen_text(&s, 0, 0, 30, STYLE_NORMAL, "0-3 → 1 · é…");
	expect(&s, "0-3 -> 1 - \\u{00e9}~\n");
	assert_int_equal(screen_columns(&s, "→"), 2);
	screen_done(&s);
}

static void test_right_and_blit(void **state)
{
	struct screen s, over;
	(void)state;
	assert_int_equal(screen_init(&s, 3, 8), 0);
	assert_int_equal(screen_init(&over, 1, 3), 0);
	screen_right(&s, 0, 0, 8, STYLE_NORMAL, "12.5");
	screen_right(&s, 1, 0, 3, STYLE_NORMAL, "12345");
	screen_text(&over, 0, 0, 3, STYLE_BOLD, "abc");
	over.cursor_row = 0;
	over.cursor_col = 2;
	screen_blit(&s, &over, 2, 6);
	expect(&s, "    12.5\n123\n      ab\n");
	assert_int_equal(s.cursor_row, 2);
	assert_int_equal(s.cursor_col, 8);
	screen_done(&s);
	screen_done(&over);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clips_at_edges),
		cmocka_unit_test(test_wide_characters_stay_whole),
		cmocka_unit_test(test_nothing_that_steers_a_terminal),
		cmocka_unit_test(test_ascii_has_stand_ins),
		cmocka_unit_test(test_right_and_blit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
