/* SPDX-License-Identifier: MIT */
/* What one guest needs, by hand-made numbers: watermarks, growth, running dry, harm. The same in stories:
 * tests/scenario/test_story_memory.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/core/mem_priv.h"
#include "support/fixture.h"

#define M(x) ((int64_t)(x)*1024)

static struct config cfg;
static struct sample sample;
static struct round now;
static struct vm_rate rate;
static struct mem_ctl c;
static struct mem_guest g;

/* 4,000 MiB at most, 2,000 of them now; it was found with 3,000. Its head room is 200 MiB. */
static int begin(void **state)
{
	(void)state;
	fx_config(&cfg);
	cfg.mem_peak_s = 3600;
	cfg.mem_harm_hold_s = 600;
	cfg.reclaim = RECLAIM_PRESSURE;
	memset(&rate, 0, sizeof rate);
	now = (struct round){.sample = &sample, .cfg = &cfg, .mode = ROUND_AUTO};
	sample.time_ns = INT64_C(1000000000000);
	c = (struct mem_ctl){.r = &now, .guards = MEM_GUARD_ALL, .cycle_s = mem_cycle_s(&cfg)};
	g = (struct mem_guest){.rate = &rate, .balloon = M(2000), .max = M(4000), .target = M(2000)};
	g.m.first_kib = M(3000);
	g.m.settled = true;
	return 0;
}

/* Its next statistics, so many seconds later. */
static void uses(int64_t used_mib, double after_s)
{
	sample.time_ns += (int64_t)(after_s * 1e9);
	g.fresh = true;
	g.used = M(used_mib);
	g.usable = g.balloon - g.used;
	mem_need_fill(&c, &g);
}

static void watermarks(void **state)
{
	(void)state;
	uses(1000, 0);
	assert_int_equal(g.head, M(200));
	assert_int_equal(g.lo, M(1150));
	assert_int_equal(g.tgt, M(1300));
	assert_int_equal(g.hi, M(1400));
	assert_int_equal(g.growth, 0);
	assert_false(g.dry || g.urgent);
	g.floor = M(1200);
	uses(1000, 5);
	assert_int_equal(g.lo, M(1200));
	uses(2000, 0); /* 15 % */
	assert_int_equal(g.head, M(300));
}

/* How far down it gives, by how much others need it; the past counts unless idle memory is taken always. */
static void depths(void **state)
{
	(void)state;
	uses(1000, 0);
	assert_int_equal(g.least[DEPTH_USED], M(1200));
	assert_int_equal(g.least[DEPTH_NOW], M(1400));
	assert_int_equal(g.least[DEPTH_SEEN], M(1400));
	assert_int_equal(g.least[DEPTH_PAST], M(3200)); /* what it was found with may be needed */
	assert_int_equal(g.least[DEPTH_GIFT], M(3000));
	assert_int_equal(g.keep, M(3000));
	cfg.reclaim = RECLAIM_PROACTIVE;
	uses(1000, 0);
	assert_int_equal(g.least[DEPTH_USED], M(1200));
	assert_int_equal(g.least[DEPTH_NOW], M(1200));
	assert_int_equal(g.least[DEPTH_SEEN], M(1400));
	assert_int_equal(g.least[DEPTH_PAST], M(1400));
	assert_int_equal(g.least[DEPTH_GIFT], M(3000));
	assert_int_equal(g.keep, 0);
}

/* What rises by more than a quarter of the head room grows, and is given for the time until it can be seen.
 */
static void growth(void **state)
{
	(void)state;
	uses(1000, 0);
	uses(1040, 5);
	assert_int_equal(g.growth, 0);
	uses(1140, 5);
	assert_int_equal(g.growth, M(100)); /* 20 MiB/s for a cycle of 5 s */
	assert_int_equal(g.lo, M(1390));
	uses(1140, 15);
	assert_int_equal(g.growth, M(50));
	uses(1000, 0.001); /* a little less is no end of it, */
	assert_true(g.growth > M(49));
	uses(799, 0.001); /* but this is */
	assert_int_equal(g.growth, 0);
	uses(999, 0); /* no time, no rate */
	assert_int_equal(g.growth, 0);
}

/* It runs dry before anybody could see and help: 20 MiB/s for five seconds. */
static void urgent(void **state)
{
	(void)state;
	uses(1780, 0);
	uses(1880, 5);
	assert_true(g.usable > g.head / 4);
	assert_false(g.urgent); /* 120 MiB */
	uses(1910, 0);
	assert_true(g.urgent && !g.dry); /* 90 MiB */
}

static void dry(void **state)
{
	(void)state;
	uses(1920, 0);
	assert_false(g.dry); /* 80 MiB left, a quarter of the head room is 72 */
	uses(1940, 100);
	assert_true(g.dry && g.urgent);
	uses(1000, 100);
	assert_false(g.dry);
	rate.swap_in_kib_s = vf64_ok(63);
	uses(1000, 5);
	assert_false(g.dry);
	rate.swap_in_kib_s = vf64_ok(64);
	uses(1000, 5);
	assert_true(g.dry && g.urgent);
}

/* Who ran dry should have half as much again, in the hours after it. */
static void dry_is_remembered(void **state)
{
	(void)state;
	uses(1960, 0);
	assert_int_equal((int64_t)g.m.dry_kib, M(3000));
	assert_int_equal(g.keep, M(3000) + g.head);
	begin(state);
	cfg.reclaim = RECLAIM_PROACTIVE; /* its growth is its own */
	uses(1960, 0);
	assert_int_equal((int64_t)g.m.dry_kib, 0);
	begin(state);
	cfg.reclaim = RECLAIM_PROACTIVE;
	g.m.before_shrink_kib = M(2500); /* but this comes from us */
	uses(1960, 0);
	assert_int_equal((int64_t)g.m.dry_kib, M(3000));
	begin(state);
	g.max = g.balloon; /* it has all that it can have */
	uses(1960, 0);
	assert_int_equal((int64_t)g.m.dry_kib, 0);
	begin(state);
	uses(1000, 0);
	assert_int_equal((int64_t)g.m.dry_kib, 0);
}

/* It was about to fill what it has, and lets go of most of it: somebody was killed. */
static void killed_is_dry(void **state)
{
	(void)state;
	uses(1700, 0);
	uses(1900, 10);
	uses(300, 5);
	assert_int_equal((int64_t)g.m.dry_kib, M(3000));
	begin(state);
	uses(1700, 0);
	uses(1900, 10);
	uses(1600, 5); /* not so much */
	assert_int_equal((int64_t)g.m.dry_kib, 0);
	begin(state);
	uses(1000, 0);
	uses(1010, 10);
	uses(300, 5); /* far from full */
	assert_int_equal((int64_t)g.m.dry_kib, 0);
}

static double held_s(void)
{
	double s = (double)(g.m.harm_until_ns - sample.time_ns) / 1e9;
	return g.m.harm_until_ns ? s : -1;
}

/* Who suffers with less than it was found with gets that back, and for longer each time. */
static void harm(void **state)
{
	(void)state;
	g.m.before_shrink_kib = M(3000);
	uses(1000, 0);
	assert_true(held_s() < 0);
	assert_false(g.give_back);
	uses(1960, 100);
	assert_true(held_s() == 600);
	assert_true(g.give_back);
	assert_int_equal(g.back_kib, M(3000));
	uses(1960, 100); /* it is being helped */
	assert_true(held_s() == 500);
	uses(1960, 600); /* over for 100 s, and again */
	assert_true(held_s() == 1200);
	uses(1000, 1000);
	uses(1960, 2000); /* over for half an hour */
	assert_true(held_s() == 600);
}

static void no_harm(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		begin(state);
		g.m.before_shrink_kib = i == 0 ? 0 : M(3000); /* we did not shrink it */
		g.m.first_kib = i == 1 ? M(2000) : M(3000);   /* it has what it had */
		c.guards = i == 2 ? 0 : MEM_GUARD_ALL;
		uses(1960, 0);
		assert_true(held_s() < 0);
		assert_false(g.give_back);
		assert_int_equal(g.m.before_shrink_kib, i == 2 ? M(3000) : 0);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
	const struct CMUnitTest tests[] = {TEST(watermarks), TEST(depths), TEST(growth), TEST(urgent),
		TEST(dry), TEST(dry_is_remembered), TEST(killed_is_dry), TEST(harm), TEST(no_harm)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
