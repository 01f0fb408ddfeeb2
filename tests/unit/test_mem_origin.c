/* SPDX-License-Identifier: MIT */
/* The memory coordinator of the origin: its four cases, and that its wishes are what the design says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/mem_toy.h"

static struct toy t;

/* Four guests of 512 MiB, 2 GiB at most, on a host with room for two that are full. */
static void course(int64_t host_mib)
{
	toy_init(&t, host_mib * TOY_MIB, 1024 * TOY_MIB);
	t.cfg.mem_policy = MEM_POLICY_ORIGIN_C;
	t.cfg.memory_cycle_s = 2;
	for (int i = 0; i < 4; i++)
		toy_add(&t, 2048 * TOY_MIB, 512 * TOY_MIB, 150 * TOY_MIB);
}

static int teardown(void **state)
{
	(void)state;
	toy_done(&t);
	return 0;
}

static int64_t eat_until[4]; /* MiB at which each stops; 0 never begins */
static const int64_t eat_rate[4] = {16, 18, 20, 21};
static int64_t free_at_s;

static void eat(struct toy *x)
{
	for (size_t i = 0; i < 4; i++) {
		struct toy_guest *g = &x->g[i];
		if (x->now_s >= free_at_s)
			g->want = 150 * TOY_MIB;
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
	assert_true(t.lowest_free >= 200 * TOY_MIB);
	for (size_t i = 0; i < t.n; i++)
		assert_true(t.g[i].largest_drop_pct <= 25);
}

static void case1_one_consumer_grows_and_gives_back(void **state)
{
	(void)state;
	course(8192);
	eaters(1900, 0, 0, 0, 240);
	toy_run(&t, 240, eat);
	assert_in_range(balloon_mib(0), 1948, 2048);
	toy_run(&t, 300, eat);
	assert_in_range(balloon_mib(0), 256, 460);
	for (size_t i = 1; i < 4; i++) {
		assert_int_equal(t.g[i].up_steps, 0);
		assert_in_range(balloon_mib(i), 340, 512);
	}
	nobody_harmed();
}

static void case2_all_grow_alike(void **state)
{
	(void)state;
	course(12288);
	eaters(1900, 1900, 1900, 1900, 300);
	toy_run(&t, 300, eat);
	for (size_t i = 0; i < 4; i++)
		assert_in_range(balloon_mib(i), 1948, 2048);
	toy_run(&t, 300, eat);
	for (size_t i = 0; i < 4; i++)
		assert_in_range(balloon_mib(i), 256, 460);
	nobody_harmed();
}

static void case3_memory_moves_to_those_who_go_on(void **state)
{
	(void)state;
	course(1024 + 200 + 2 * 2048 + 2 * 600);
	eaters(512, 512, 1900, 1900, 400);
	toy_run(&t, 400, eat);
	assert_in_range(balloon_mib(2), 1900, 2048);
	assert_in_range(balloon_mib(3), 1900, 2048);
	assert_in_range(balloon_mib(0), 590, 760);
	assert_in_range(balloon_mib(1), 590, 760);
	nobody_harmed();
}

static void case4_one_stops_one_goes_on_two_idle(void **state)
{
	(void)state;
	course(1024 + 200 + 2048 + 600 + 2 * 420);
	eaters(512, 1900, 0, 0, 400);
	toy_run(&t, 400, eat);
	assert_in_range(balloon_mib(1), 1900, 2048);
	assert_in_range(balloon_mib(0), 590, 760);
	for (size_t i = 2; i < 4; i++) {
		assert_in_range(balloon_mib(i), 256, 512);
		assert_int_equal(t.g[i].up_steps, 0);
	}
	nobody_harmed();
}

/* The design's sentence by sentence, on one cycle. */
static void claims_a_tenth_of_what_is_unused(void **state)
{
	(void)state;
	course(8192);
	t.g[0].want = 150 * TOY_MIB; /* 362 unused: above twice the threshold */
	t.g[1].want = 330 * TOY_MIB; /* 182 unused: below it */
	toy_run(&t, 2, NULL);
	assert_int_equal(t.plan.n, 3);
	assert_int_equal(t.plan.actions[0].vm, 0);
	assert_int_equal(t.plan.actions[0].why.code, REASON_CLAIM);
	assert_int_equal(t.plan.actions[0].from_kib, 512 * TOY_MIB);
	assert_int_equal(t.plan.actions[0].to_kib, 476 * TOY_MIB); /* 10 % of 362, up to whole MiB */
	assert_int_equal(t.plan.actions[1].vm, 2);
	assert_int_equal(t.status[1].why.code, REASON_MEM_OK);
}

static void needs_what_fell_below_the_threshold(void **state)
{
	(void)state;
	course(8192);
	t.g[0].want = 400 * TOY_MIB;
	t.g[1].want = 432 * TOY_MIB; /* 80 unused from the start: low, but not falling */
	toy_run(&t, 2, NULL);
	t.g[0].want = 452 * TOY_MIB; /* 60 unused */
	toy_run(&t, 2, NULL);
	const struct action *a = &t.plan.actions[t.plan.n - 1];
	assert_int_equal(a->vm, 0);
	assert_int_equal(a->why.code, REASON_GIVE);
	assert_int_equal(a->to_kib, (512 + 80) * TOY_MIB);
	assert_int_equal(t.status[1].why.code, REASON_MEM_OK);
}

static void a_crunch_shares_alike_what_is_there(void **state)
{
	(void)state;
	/* 60 MiB above the 200 that stay; two guests need 80 each, then 160 between them. */
	course(1024 + 200 + 60 + 452 + 452 + 150 + 150);
	t.g[0].want = t.g[1].want = 400 * TOY_MIB;
	toy_run(&t, 2, NULL);
	for (size_t i = 2; i < 4; i++)
		t.g[i].touched = 150 * TOY_MIB;
	t.g[0].want = t.g[1].want = 452 * TOY_MIB;
	toy_run(&t, 2, NULL);
	int64_t given = 0;
	for (size_t i = 0; i < t.plan.n; i++)
		if (t.plan.actions[i].why.code == REASON_GIVE) {
			int64_t add = t.plan.actions[i].to_kib - t.plan.actions[i].from_kib;
			assert_in_range(add, 29 * TOY_MIB, 30 * TOY_MIB);
			given += add;
		}
	assert_in_range(given, 58 * TOY_MIB, 60 * TOY_MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(case1_one_consumer_grows_and_gives_back, teardown),
		cmocka_unit_test_teardown(case2_all_grow_alike, teardown),
		cmocka_unit_test_teardown(case3_memory_moves_to_those_who_go_on, teardown),
		cmocka_unit_test_teardown(case4_one_stops_one_goes_on_two_idle, teardown),
		cmocka_unit_test_teardown(claims_a_tenth_of_what_is_unused, teardown),
		cmocka_unit_test_teardown(needs_what_fell_below_the_threshold, teardown),
		cmocka_unit_test_teardown(a_crunch_shares_alike_what_is_there, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
