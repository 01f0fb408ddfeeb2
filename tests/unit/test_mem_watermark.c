/* SPDX-License-Identifier: MIT */
/* The watermark policy: the five memory cases, with the settings of the course and with the defaults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/mem_toy.h"

enum { IDLE_MIB = 200 };

static struct toy t;
static int64_t eat_until[4]; /* MiB at which each stops; 0 never begins */
static const int64_t eat_rate[4] = {16, 18, 20, 21};
static int64_t free_at_s;

static void guests(int64_t host_mib)
{
	toy_init(&t, host_mib * TOY_MIB, 1024 * TOY_MIB);
	t.cfg.mem_policy = MEM_POLICY_WATERMARK;
	t.cfg.reclaim = RECLAIM_PROACTIVE;
	for (int i = 0; i < 4; i++)
		toy_add(&t, 2048 * TOY_MIB, 512 * TOY_MIB, IDLE_MIB * TOY_MIB);
}

static void course(int64_t host_mib)
{
	guests(host_mib);
	t.cfg.memory_cycle_s = 2;
	t.cfg.mem_decay_s = 13;
	t.cfg.mem_hold_s = 20;
}

static int teardown(void **state)
{
	(void)state;
	toy_done(&t);
	return 0;
}

static void eat(struct toy *x)
{
	for (size_t i = 0; i < 4; i++) {
		struct toy_guest *g = &x->g[i];
		if (x->now_s >= free_at_s)
			g->want = IDLE_MIB * TOY_MIB;
		else if (eat_until[i] && g->want < eat_until[i] * TOY_MIB && g->used == g->want)
			g->want += eat_rate[i] * TOY_MIB;
	}
}

static void eaters(int64_t a, int64_t b, int64_t c, int64_t d, int64_t end_s)
{
	const int64_t to[4] = {a, b, c, d};
	memcpy(eat_until, to, sizeof to);
	free_at_s = end_s;
}

static int64_t balloon_mib(size_t i)
{
	return t.g[i].balloon / TOY_MIB;
}

static void nobody_harmed(void)
{
	assert_string_equal(t.broken, "");
	assert_true(t.lowest_free >= t.verdict.reserve_kib.v);
	for (size_t i = 0; i < t.n; i++)
		assert_true(t.g[i].largest_drop_pct <= 25);
}

static void idle_ones_stay(size_t from)
{
	for (size_t i = from; i < 4; i++) {
		assert_int_equal(t.g[i].up_steps, 0);
		assert_in_range(balloon_mib(i), 384, 512);
	}
}

/* After the end: 450 MiB or less within 45 cycles of 2 s, without a step up. */
static void gives_back(size_t i, int64_t limit_mib)
{
	assert_in_range(balloon_mib(i), 256, limit_mib);
}

static void case1_one_consumer_grows_and_gives_back(void **state)
{
	(void)state;
	course(8192);
	eaters(1900, 0, 0, 0, 200);
	toy_run(&t, 200, eat);
	assert_in_range(balloon_mib(0), 1948, 2048);
	t.g[0].up_steps = 0;
	toy_run(&t, 90, eat);
	gives_back(0, 450);
	assert_int_equal(t.g[0].up_steps, 0);
	idle_ones_stay(1);
	nobody_harmed();
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(t.g[i].starved_s, 0);
}

static void case2_all_grow_alike(void **state)
{
	(void)state;
	course(12288);
	eaters(1900, 1900, 1900, 1900, 250);
	toy_run(&t, 250, eat);
	for (size_t i = 0; i < 4; i++) {
		assert_in_range(balloon_mib(i), 1948, 2048);
		t.g[i].up_steps = 0;
	}
	toy_run(&t, 90, eat);
	for (size_t i = 0; i < 4; i++) {
		gives_back(i, 450);
		assert_int_equal(t.g[i].up_steps, 0);
	}
	nobody_harmed();
}

static void case3_memory_moves_to_those_who_go_on(void **state)
{
	(void)state;
	course(1024 + 820 + 2 * 2048 + 2 * 700);
	eaters(512, 512, 1900, 1900, 400);
	toy_run(&t, 400, eat);
	assert_in_range(balloon_mib(2), 1948, 2048);
	assert_in_range(balloon_mib(3), 1948, 2048);
	assert_in_range(balloon_mib(0), 612, 740);
	assert_in_range(balloon_mib(1), 612, 740);
	nobody_harmed();
}

static void case4_one_stops_one_goes_on_two_idle(void **state)
{
	(void)state;
	course(1024 + 700 + 2048 + 700 + 2 * 420);
	eaters(512, 1900, 0, 0, 400);
	toy_run(&t, 400, eat);
	assert_in_range(balloon_mib(1), 1948, 2048);
	assert_in_range(balloon_mib(0), 612, 740);
	assert_int_equal(t.g[2].up_steps + t.g[3].up_steps, 0);
	nobody_harmed();
}

/* 1 GiB above the reserve for four hungry guests. */
static void case5_the_scarce_is_shared_alike(void **state)
{
	(void)state;
	course(8192);
	/* All they were given is in use by their caches, the reserve of 8 GiB is 1 GiB. */
	t.base = t.total - (1024 + 1024 + 4 * 512) * TOY_MIB;
	for (size_t i = 0; i < 4; i++)
		t.g[i].touched = 512 * TOY_MIB;
	eaters(1900, 1900, 1900, 1900, 400);
	toy_run(&t, 400, eat);
	int64_t low = 1 << 30, high = 0;
	for (size_t i = 0; i < 4; i++) {
		low = balloon_mib(i) < low ? balloon_mib(i) : low;
		high = balloon_mib(i) > high ? balloon_mib(i) : high;
	}
	assert_in_range(high - low, 0, 64);
	assert_true(low > 300);
	nobody_harmed();
}

static void proactive_mode_the_same_in_ten_minutes(void **state)
{
	(void)state;
	guests(8192);
	eaters(1900, 0, 0, 0, 300);
	toy_run(&t, 300, eat);
	assert_in_range(balloon_mib(0), 1948, 2048);
	t.g[0].up_steps = 0;
	toy_run(&t, 600, eat);
	gives_back(0, t.status[0].hi_kib.v / TOY_MIB * 110 / 100);
	assert_int_equal(t.g[0].up_steps, 0);
	idle_ones_stay(1);
	nobody_harmed();
}

/* A guest that was large a moment ago comes down with its high watermark, a little each cycle; when another
 * one starves it gives what it does not use. */
static void what_is_idle_goes_to_those_who_starve(void **state)
{
	(void)state;
	guests(8192);
	t.n = 2;
	t.g[0].max = t.g[1].max = 4096 * TOY_MIB;
	t.g[0].balloon = t.g[0].target = t.g[0].touched = 3000 * TOY_MIB;
	t.g[0].want = 2600 * TOY_MIB;
	t.base = t.total - (1024 + 200 + 3000 + 512) * TOY_MIB;
	toy_run(&t, 10, NULL);
	t.g[0].want = 600 * TOY_MIB;
	t.g[1].want = 2000 * TOY_MIB;
	toy_run(&t, 30, NULL);
	assert_true(t.g[0].balloon < 1300 * TOY_MIB);
	assert_true(t.g[1].balloon > 1800 * TOY_MIB);
	nobody_harmed();
}

static void pressure_mode_leaves_idle_memory_alone(void **state)
{
	(void)state;
	guests(8192);
	t.cfg.reclaim = RECLAIM_PRESSURE;
	toy_run(&t, 600, NULL);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(t.g[i].calls, 0);
	assert_int_equal(t.status[0].why.code, REASON_MEM_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(case1_one_consumer_grows_and_gives_back, teardown),
		cmocka_unit_test_teardown(case2_all_grow_alike, teardown),
		cmocka_unit_test_teardown(case3_memory_moves_to_those_who_go_on, teardown),
		cmocka_unit_test_teardown(case4_one_stops_one_goes_on_two_idle, teardown),
		cmocka_unit_test_teardown(case5_the_scarce_is_shared_alike, teardown),
		cmocka_unit_test_teardown(proactive_mode_the_same_in_ten_minutes, teardown),
		cmocka_unit_test_teardown(what_is_idle_goes_to_those_who_starve, teardown),
		cmocka_unit_test_teardown(pressure_mode_leaves_idle_memory_alone, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
