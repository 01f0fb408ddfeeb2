/* SPDX-License-Identifier: MIT */
/* Whose balloon is it: by what was asked for, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vmtop/balloon_watch.h"

enum { SLACK = 16 };
static const int64_t s = 1000000000;

static void nothing_asked(void **state)
{
	(void)state;
	struct balloon_watch w = {0};
	assert_false(balloon_watch_asks(&w));
	assert_false(balloon_watch_ours(&w, 1000, SLACK));
	balloon_watch_seen(&w, 1000, 100 * s);
	balloon_watch_shift(&w, 500);
	assert_false(balloon_watch_asks(&w));
}

static void on_its_way(void **state)
{
	(void)state;
	struct balloon_watch w = {0};
	balloon_watch_asked(&w, 1000, 700, 1 * s, false);
	for (int64_t kib = 700 - SLACK; kib <= 1000 + SLACK; kib++)
		assert_true(balloon_watch_ours(&w, kib, SLACK));
	assert_false(balloon_watch_ours(&w, 699 - SLACK, SLACK));
	assert_false(balloon_watch_ours(&w, 1001 + SLACK, SLACK));
	balloon_watch_seen(&w, 700, 20 * s);
	assert_true(balloon_watch_ours(&w, 700, SLACK));
	assert_false(balloon_watch_ours(&w, 750, SLACK)); /* it had arrived */
}

/* It went on while the target was set to where it had been seen; then it comes back. */
static void given_up_while_it_moves(void **state)
{
	(void)state;
	struct balloon_watch w = {0};
	balloon_watch_asked(&w, 1000, 700, 1 * s, false);
	balloon_watch_seen(&w, 900, 2 * s);
	balloon_watch_asked(&w, 900, 900, 2 * s, false);
	assert_true(balloon_watch_ours(&w, 800, SLACK));
	balloon_watch_seen(&w, 800, 13 * s);
	assert_true(balloon_watch_ours(&w, 850, SLACK));
	assert_false(balloon_watch_ours(&w, 750, SLACK));
	assert_int_equal(w.target_kib, 900);
}

/* A guest that pauses for an hour goes on when it likes. */
static void stuck_for_long(void **state)
{
	(void)state;
	struct balloon_watch w = {0};
	balloon_watch_asked(&w, 1000, 700, 1 * s, false);
	for (int64_t t = 1; t < 3600; t += 60)
		balloon_watch_seen(&w, 950, t * s);
	assert_true(balloon_watch_ours(&w, 720, SLACK));
	assert_false(balloon_watch_ours(&w, 1000, SLACK));
}

static void no_answer(void **state)
{
	(void)state;
	struct balloon_watch w = {0};
	balloon_watch_asked(&w, 1000, 700, 1 * s, false);
	balloon_watch_seen(&w, 700, 20 * s);
	balloon_watch_asked(&w, 700, 1200, 20 * s, true);
	balloon_watch_seen(&w, 700, 60 * s);
	assert_true(balloon_watch_ours(&w, 700, SLACK));
	assert_true(balloon_watch_ours(&w, 1200, SLACK));
	balloon_watch_asked(&w, 1200, 1300, 61 * s, false); /* known again */
	balloon_watch_seen(&w, 1300, 80 * s);
	assert_false(balloon_watch_ours(&w, 700, SLACK));
}

static void memory_is_plugged(void **state)
{
	(void)state;
	struct balloon_watch w = {0};
	balloon_watch_asked(&w, 1000, 700, 1 * s, false);
	balloon_watch_shift(&w, 256);
	assert_int_equal(w.target_kib, 956);
	assert_true(balloon_watch_ours(&w, 1256, 0));
	assert_false(balloon_watch_ours(&w, 955, 0));
	balloon_watch_shift(&w, -956);
	assert_false(balloon_watch_asks(&w));
}

static void plugged_or_pushed(void **state)
{
	(void)state;
	struct balloon_watch w = {0};
	assert_true(balloon_watch_plugged(
		&w, 1000, 1256, 256, SLACK)); /* nothing asked: it went with its maximum */
	assert_false(balloon_watch_plugged(&w, 1000, 1256, 0, SLACK));
	assert_false(balloon_watch_plugged(&w, 1000, 1000, 256, SLACK)); /* the maximum alone */
	assert_false(balloon_watch_plugged(&w, 0, 256, 256, SLACK));     /* never seen before */
	balloon_watch_asked(&w, 1000, 700, 1 * s, false);
	assert_true(balloon_watch_plugged(&w, 1000, 1106, 256, SLACK)); /* on its way meanwhile */
	assert_true(balloon_watch_plugged(&w, 900, 600, -300, SLACK));
	assert_false(balloon_watch_plugged(&w, 1000, 300, 256, SLACK));
}

/* A guest whose balloon was not read when it was asked: only what was asked for is ours. */
static void not_read_when_asked(void **state)
{
	(void)state;
	for (int64_t at = -1; at <= 0; at++) {
		struct balloon_watch w = {0};
		balloon_watch_asked(&w, at, 700, 1 * s, false);
		assert_true(balloon_watch_ours(&w, 700, SLACK));
		assert_false(balloon_watch_ours(&w, 600, SLACK));
		assert_false(balloon_watch_ours(&w, 800, SLACK));
	}
}

static void small_changes(void **state)
{
	(void)state;
	assert_int_equal(balloon_small_kib(0), 16 << 10);
	assert_int_equal(balloon_small_kib(INT64_C(64) << 20), (INT64_C(64) << 20) / 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_asked),
		cmocka_unit_test(on_its_way),
		cmocka_unit_test(given_up_while_it_moves),
		cmocka_unit_test(stuck_for_long),
		cmocka_unit_test(no_answer),
		cmocka_unit_test(memory_is_plugged),
		cmocka_unit_test(plugged_or_pushed),
		cmocka_unit_test(not_read_when_asked),
		cmocka_unit_test(small_changes),
	};
	return cmocka_run_group_tests_name("balloon watch", tests, NULL, NULL);
}
