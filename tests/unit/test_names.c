/* SPDX-License-Identifier: MIT */
/* Two names that differ never read alike, whatever the terminal can show: every string of up to three pieces
 * that are easily taken for each other, in each character set; and on the screen at 80x24, view by view. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/dump.h"
#include "support/seat.h"
#include "vmtop/text.h"

static const char *const pieces[] = {"", "a", "b", "\\", "x", "u", "{", "00b7", "}", "5c", " ", "-", "~", "?",
	">", "·", "→", "…", "×", "é", "ü", "е", "数", "主", "备", "\xcc\x81", "\xcc\xa7", "\xff", "\x85",
	"\xc2\x85", "\xc2\xa0", "\xe2\x80\x8d", "\xe2\x80\x8b", "\xef\xb8\x8f", "\xf0\x9f\x98\x80", "\x1b",
	"\n"};
enum { PIECES = sizeof pieces / sizeof *pieces, SHOWN = 80 };

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void check_shown(const char *shown, enum text_charset set)
{
	char again[SHOWN];
	text_safe(again, sizeof again, shown);
	assert_string_equal(again, shown); /* a second look changes nothing */
	for (const char *p = shown; *p && set == TEXT_ASCII; p++)
		assert_in_range((unsigned char)*p, 0x20, 0x7e);
}

/* Pieces run together, so that the same string may come twice: those are left out. */
static void test_each_string(void **state)
{
	(void)state;
	size_t n = 0, most = (size_t)PIECES * PIECES * PIECES;
	char(*raw)[16] = calloc(most, sizeof *raw), (*shown)[SHOWN] = calloc(most, sizeof *shown);
	for (size_t i = 0; i < PIECES; i++)
		for (size_t k = 0; k < PIECES; k++)
			for (size_t m = 0; m < PIECES; m++, n++)
				snprintf(raw[n], sizeof *raw, "%s%s%s", pieces[i], pieces[k], pieces[m]);
	qsort(raw, n, sizeof *raw, compare);
	size_t different = 1;
	for (size_t i = 1; i < n; i++)
		different += strcmp(raw[i], raw[i - 1]) != 0;
	for (enum text_charset set = TEXT_UTF8; set <= TEXT_ASCII; set++) {
		text_charset_set(set);
		for (size_t i = 0; i < n; i++) {
			text_escape(shown[i], sizeof *shown, raw[i]);
			check_shown(shown[i], set);
		}
		qsort(shown, n, sizeof *shown, compare);
		size_t apart = 1;
		for (size_t i = 1; i < n; i++)
			apart += strcmp(shown[i], shown[i - 1]) != 0;
		assert_int_equal(apart, different);
	}
	text_charset_set(TEXT_UTF8);
	free(raw);
	free(shown);
}

/* The two ends stay where there is little room. */
static void test_little_room(void **state)
{
	(void)state;
	char a[40], b[40];
	text_charset_set(TEXT_ASCII);
	text_escape(a, sizeof a, "数据库-主-数据库-主");
	text_escape(b, sizeof b, "数据库-主-数据库-备");
	assert_string_equal(a, "\\u{6570}\\u{636e}~\\u{5e93}-\\u{4e3b}");
	assert_string_not_equal(a, b);
	text_charset_set(TEXT_UTF8);
	assert_int_equal(text_escape(a, 8, "abcdefghij"), 7);
	assert_string_equal(a, "abcdefg");
}

static const char *const twins[] = {"数据库-主", "数据库-备", "a\xcc\x81", "a", "a\xcc\xa7",
	"\xcc\x81"
	"a",
	"a·b", "a-b", "web\\x41", "webA", "a ",
	"\xef\xbb\xbf"
	"a"};
enum { TWINS = sizeof twins / sizeof *twins };

/* The screen with one VM of that name, and the cursor on it. */
static void draw(const char *name, int view, enum text_charset set, char *buf, size_t len)
{
	struct screen to;
	struct snapshot *s = bigsnap_new(2, 4);
	for (size_t i = 0; i < 2; i++)
		snprintf(s->sample.vms[i].name, sizeof s->sample.vms[i].name, "%s", name);
	struct view *v = view_new(&(struct config){.delay_s = 2});
	struct command c;
	view_feed(v, s);
	if (view != 'E')
		view_key(v, view, s, &c);
	screen_init(&to, 24, 80);
	to.ascii = set == TEXT_ASCII;
	to.console = set == TEXT_CONSOLE;
	view_draw(v, s, &to, 0, 0);
	char *text = screen_dump(&to);
	snprintf(buf, len, "%s", text);
	free(text);
	screen_done(&to);
	view_free(v);
	bigsnap_free(s);
}

static void test_each_view(void **state)
{
	(void)state;
	static char shown[TWINS][24 * 80 * 8];
	for (enum text_charset set = TEXT_UTF8; set <= TEXT_ASCII; set++)
		for (const char *view = "0124"; *view; view++) {
			text_charset_set(set);
			for (size_t i = 0; i < TWINS; i++) {
				draw(twins[i], *view, set, shown[i], sizeof shown[i]);
				for (const char *p = shown[i]; set == TEXT_ASCII && *p; p++)
					assert_true((unsigned char)*p < 0x80);
				for (size_t k = 0; k < i; k++)
					if (strcmp(shown[i], shown[k]) == 0)
						fail_msg("view %c, set %d: %zu and %zu", *view, set, i, k);
			}
		}
	text_charset_set(TEXT_UTF8);
}

/* In UTF-8 a name stays as it is, marks and all, and takes as many columns as it has letters. */
static void test_marks_stay(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		int columns;
	} rows[] = {{"áb̧c", 3}, {"ế", 1}, {"数据库-主", 9}, {"col·lecció → x", 14}, {"é\xcc\x81\xcc\x81", 1}};
	struct screen s;
	char name[80];
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		text_escape(name, sizeof name, rows[i].name);
		assert_string_equal(name, rows[i].name);
		screen_init(&s, 1, 30);
		assert_int_equal(screen_text(&s, 0, 0, 30, STYLE_NORMAL, name), rows[i].columns);
		assert_int_equal(screen_columns(&s, name), rows[i].columns);
		char *text = screen_dump(&s);
		assert_int_equal(strlen(text), strlen(name) + 1);
		assert_memory_equal(text, name, strlen(name));
		free(text);
		screen_done(&s);
	}
	text_escape(name, sizeof name, "a\xcc\x81\xcc\x81\xcc\x81"); /* no room for a third */
	assert_string_equal(name, "a\xcc\x81\xcc\x81\\u{0301}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_string),
		cmocka_unit_test(test_little_room),
		cmocka_unit_test(test_each_view),
		cmocka_unit_test(test_marks_stay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
