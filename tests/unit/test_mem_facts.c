/* SPDX-License-Identifier: MIT */
/* What is known of one guest's memory, sample by sample: how old its figures are, whose its balloon is,
 * whether it may be touched, and why not. In stories: test_mem_guards. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/core/mem_priv.h"
#include "support/fixture.h"

#define M(x) ((int64_t)(x)*1024)
#define S    INT64_C(1000000000)

static struct config cfg;
static struct sample sample;
static struct round now;
static struct vm_sample vm;
static struct vm_rate rate;
static struct vm_rule rule;
static struct mem_ctl c;
static struct mem_guest g;

/* 4,000 MiB at most, 2,000 of them now, 1,000 used; statistics every 2 s. It was there before we were. */
static int begin(void **state)
{
	(void)state;
	fx_config(&cfg);
	cfg.mem_boot_s = 60;
	cfg.foreign_hold_s = 600;
	memset(&rate, 0, sizeof rate);
	memset(&rule, 0, sizeof rule);
	now = (struct round){.sample = &sample, .cfg = &cfg, .mode = ROUND_AUTO};
	sample.time_ns = 1000 * S;
	vm = (struct vm_sample){.id = 7, .state = VM_RUNNING};
	vm.mem = (struct vm_memory){.balloon_device = true,
		.max_kib = vi64_ok(M(4000)),
		.balloon_kib = vi64_ok(M(2000)),
		.unused_kib = vi64_ok(M(900)),
		.usable_kib = vi64_ok(M(1000)),
		.period_s = vi64_ok(2),
		.last_update_ns = vi64_ok(5 * S),
		.major_faults = vi64_ok(100)};
	rule.target_kib = -1;
	rate.used_kib = vi64_ok(M(1000));
	rate.age_s = vf64_ok(1);
	rate.first_seen_ns = 900 * S;
	c = (struct mem_ctl){
		.r = &now, .guards = MEM_GUARD_ALL, .born_ns = 950 * S, .cycle_s = mem_cycle_s(&cfg)};
	g = (struct mem_guest){.vm = &vm, .rate = &rate, .rule = &rule};
	mem_guest_observe(&c, &g, false);
	return 0;
}

/* The next sample, so many seconds later, with new statistics or those of before. */
static void look(double after_s, bool fresh)
{
	struct mem_memo kept = g.m;
	sample.time_ns += (int64_t)(after_s * 1e9);
	if (fresh)
		vm.mem.last_update_ns.v += (int64_t)(after_s * 1e9);
	g = (struct mem_guest){.m = kept, .vm = &vm, .rate = &rate, .rule = &rule};
	mem_guest_observe(&c, &g, true);
}

static void is(enum reason why)
{
	assert_int_equal(g.eligible, why == REASON_NONE);
	if (why != REASON_NONE)
		assert_int_equal(g.why.code, why);
}

static void figures(void **state)
{
	(void)state;
	is(REASON_NONE);
	assert_int_equal(g.used, M(1000));
	assert_int_equal(g.unused, M(900));
	assert_int_equal(g.usable, M(1000));
	assert_int_equal(g.balloon, M(2000));
	assert_int_equal(g.target, M(2000));
	assert_int_equal(g.m.first_kib, M(2000));
	vm.mem.usable_kib = vi64_absent(AVAIL_NONE); /* an older driver: what is free at least */
	look(2, true);
	assert_int_equal(g.usable, M(900));
}

/* By our own clock from the second statistics on; those that are read again get older. */
static void ages(void **state)
{
	(void)state;
	assert_true(g.age_s == 1);
	assert_true(g.fresh);
	look(3, false);
	assert_false(g.fresh);
	assert_true(g.age_s == 4);
	rate.age_s = vf64_ok(500); /* a clock that jumped: they came within the last three seconds */
	look(3, true);
	assert_true(g.fresh);
	assert_true(g.age_s == 3);
	rate.age_s = vf64_ok(-5);
	look(2, true);
	assert_true(g.age_s == 0);
	rate.age_s = vf64_absent(AVAIL_STALE);
	begin(state);
	rate.age_s = vf64_absent(AVAIL_STALE);
	g = (struct mem_guest){.vm = &vm, .rate = &rate, .rule = &rule};
	mem_guest_observe(&c, &g, false);
	assert_true(isinf(g.age_s));
	is(REASON_STALE);
}

/* Three periods and a cycle, or what was set. */
static void old_figures(void **state)
{
	(void)state;
	double limit = 3 * 2 + mem_cycle_s(&cfg);
	look(limit - 1, false);
	is(REASON_NONE);
	look(.5, false);
	is(REASON_STALE);
	vm.flags = VM_FLAG_BUSY;
	look(.5, false);
	is(REASON_BUSY);
	vm.flags = 0;
	cfg.mem_stale_s = 100;
	look(.5, false);
	is(REASON_NONE);
	look(100, false);
	is(REASON_STALE);
}

static void figures_that_make_no_sense(void **state)
{
	(void)state;
	vm.mem.unused_kib = vi64_ok(0);
	look(2, true);
	is(REASON_NONE); /* full, and some of it can be had back */
	vm.mem.usable_kib = vi64_ok(0);
	look(2, true);
	is(REASON_NO_STATS);
	vm.mem.usable_kib = vi64_absent(AVAIL_NONE);
	look(2, true);
	is(REASON_NO_STATS);
	vm.mem.unused_kib = vi64_ok(M(4000) + 1);
	look(2, true);
	is(REASON_NO_STATS);
	vm.mem.unused_kib = vi64_ok(M(4000));
	look(2, true);
	is(REASON_NONE);
	rate.used_kib = vi64_ok(-1);
	look(2, true);
	is(REASON_NO_STATS);
}

/* Each fact that keeps hands off it, alone. */
static void who_may_not_be_touched(void **state)
{
	static const struct {
		uint32_t flag;
		enum reason why;
	} flags[] = {{VM_FLAG_JOB, REASON_JOB}, {VM_FLAG_VFIO, REASON_VFIO}, {VM_FLAG_SEV, REASON_SEV},
		{VM_FLAG_LOCKED, REASON_LOCKED}, {VM_FLAG_HUGEPAGES, REASON_HUGEPAGES},
		{VM_FLAG_NO_STEER, REASON_FORBIDDEN}};
	(void)state;
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		vm.flags = flags[i].flag;
		look(2, true);
		is(flags[i].why);
	}
	vm.flags = 0;
	vm.mem.balloon_device = false;
	look(2, true);
	is(REASON_NO_DEVICE);
	vm.mem.balloon_device = true;
	static const enum vm_state states[] = {VM_RUNNING, VM_BLOCKED, VM_PAUSED, VM_CRASHED, VM_NOSTATE};
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		vm.state = states[i];
		look(2, true);
		is(i < 2 ? REASON_NONE : REASON_NOT_RUNNING);
	}
	vm.state = VM_RUNNING;
	vm.hung_since_ns = 1;
	look(2, true);
	is(REASON_HUNG);
	vm.hung_since_ns = 0;
	rule.memory = REASON_HELD;
	look(2, true);
	is(REASON_HELD);
	assert_null(strstr(g.why.text, "hands off"));
	rule.held_for_s = 30;
	look(2, true);
	assert_non_null(strstr(g.why.text, "hands off for another 30 s"));
}

static void what_is_missing_is_told(void **state)
{
	(void)state;
	vm.mem.max_kib = vi64_absent(AVAIL_DENIED);
	look(2, true);
	is(REASON_NO_DATA);
	assert_non_null(strstr(g.why.text, avail_text(AVAIL_DENIED)));
	begin(state);
	vm.mem.balloon_kib = vi64_absent(AVAIL_HUNG);
	look(2, true);
	is(REASON_NO_DATA);
	assert_non_null(strstr(g.why.text, avail_text(AVAIL_HUNG)));
	assert_int_equal(g.balloon, M(2000)); /* as it was */
	begin(state);
	vm.mem.balloon_kib = vi64_ok(0);
	look(2, true);
	assert_non_null(strstr(g.why.text, "makes no sense"));
	begin(state);
	vm.mem.period_s = vi64_ok(0);
	look(2, true);
	is(REASON_NO_STATS);
	assert_string_equal(g.why.text, avail_text(AVAIL_NO_PERIOD));
	begin(state);
	vm.mem.period_s = vi64_absent(AVAIL_NONE); /* not told: statistics are there all the same */
	look(2, true);
	is(REASON_NONE);
	static const struct {
		enum avail lack;
		enum reason why;
	} rows[] = {{AVAIL_NO_DRIVER, REASON_NO_DRIVER}, {AVAIL_BUSY, REASON_BUSY},
		{AVAIL_NONE, REASON_NO_STATS}};
	for (size_t i = 0; i < 9; i++) {
		begin(state);
		struct vi64 none = vi64_absent(rows[i % 3].lack);
		*(i < 3 ? &vm.mem.last_update_ns : i < 6 ? &vm.mem.unused_kib : &rate.used_kib) = none;
		look(2, false);
		is(rows[i % 3].why);
	}
}

/* Older than vmtop: it may be touched at once. One that came later is left alone for a while, and so is one
 * that starts again under the same name. */
static void who_just_started(void **state)
{
	(void)state;
	rate.first_seen_ns = 990 * S;
	look(2, true);
	is(REASON_BOOTING);
	look(49, true); /* 61 s after it came */
	is(REASON_NONE);
	vm.mem.major_faults = vi64_ok(99);
	look(2, true);
	is(REASON_BOOTING);
	assert_int_equal(g.m.first_kib, M(2000));
	vm.mem.major_faults = vi64_absent(AVAIL_NONE); /* that says nothing */
	look(61, true);
	is(REASON_NONE);
	vm.id = 8;
	look(2, true);
	is(REASON_BOOTING);
}

/* Settles it as ours: asked for, and arrived. */
static void settle(void)
{
	for (int i = 0; i < 30; i++)
		look(2, true);
	assert_true(g.m.settled);
}

static void somebody_else_sets_it(void **state)
{
	(void)state;
	settle();
	vm.mem.balloon_kib = vi64_ok(M(1500));
	look(2, true);
	assert_true(g.grow_only);
	assert_int_equal(g.m.found_kib, M(1500));
	look(500, true);
	assert_true(g.grow_only);
	rule.released_ns = sample.time_ns; /* the user says that it may be touched */
	look(2, true);
	assert_false(g.grow_only);
	rule.released_ns = 0;
	look(2, true);
	assert_true(g.grow_only);
	look(200, true);
	assert_false(g.grow_only);
	/* What is hardly a change is none; nor is what moves before it has settled. */
	begin(state);
	settle();
	vm.mem.balloon_kib = vi64_ok(M(2000) - mem_small_kib(M(4000)));
	look(2, true);
	assert_false(g.grow_only);
	begin(state);
	vm.mem.balloon_kib = vi64_ok(M(1500));
	look(2, true);
	assert_false(g.grow_only);
	assert_int_equal(g.m.first_kib, M(1500));
}

/* Up to its maximum at once: it reboots, perhaps. It stays there: somebody sent it. */
static void up_to_its_maximum(void **state)
{
	(void)state;
	settle();
	vm.mem.balloon_kib = vi64_ok(M(4000));
	look(2, true);
	is(REASON_BOOTING);
	assert_true(g.m.perhaps_reboot);
	vm.mem.balloon_kib = vi64_ok(M(2000)); /* it comes down by itself */
	look(30, true);
	assert_false(g.m.perhaps_reboot);
	look(60, true);
	assert_false(g.grow_only);
	begin(state);
	settle();
	vm.mem.balloon_kib = vi64_ok(M(4000));
	for (int i = 0; i < 40; i++)
		look(2, true);
	assert_false(g.m.perhaps_reboot);
	assert_int_equal(g.m.found_kib, M(4000));
	assert_true(g.grow_only);
}

/* A DIMM takes all sizes along that are known, and those that are not known stay so. */
static void a_dimm_is_plugged(void **state)
{
	(void)state;
	settle();
	rule.target_kib = M(1500);
	rule.target_age_ns = 0;
	look(2, true);
	assert_int_equal(g.m.asked_kib, M(1500));
	assert_true(g.moving);
	assert_int_equal(g.target, M(1500));
	rule.target_age_ns = 2 * S;
	vm.mem.max_kib.v += M(512);
	vm.mem.balloon_kib.v += M(512);
	look(2, true);
	assert_int_equal(g.m.asked_kib, M(2012));
	assert_int_equal(g.m.moved_kib, M(2512));
	assert_int_equal(g.m.balloon_kib, M(2512));
	assert_false(g.grow_only);
	begin(state);
	settle();
	vm.mem.max_kib.v += M(512);
	vm.mem.balloon_kib.v += M(512);
	look(2, true);
	assert_int_equal(g.m.asked_kib, -1);
	assert_int_equal(g.m.asked_from_kib, 0);
	assert_false(g.grow_only);
}

/* The figure belongs to the balloon of its time, which may have been the larger one. */
static void what_is_free_and_of_what(void **state)
{
	(void)state;
	assert_int_equal(g.m.unused_kib, M(900));
	vm.mem.balloon_kib = vi64_ok(M(1900));
	vm.mem.unused_kib = vi64_ok(M(800));
	look(2, true);
	assert_true(g.m.falling);
	assert_int_equal(g.m.unused_base_kib, M(2000));
	look(2, true);
	assert_false(g.m.falling);
	assert_int_equal(g.m.unused_base_kib, M(1900));
	vm.mem.unused_kib = vi64_ok(M(700)); /* not new: nothing is learned from it */
	look(2, false);
	assert_int_equal(g.m.unused_kib, M(800));
	vm.mem.unused_kib = vi64_absent(AVAIL_NONE);
	look(2, true);
	assert_int_equal(g.m.unused_kib, M(800));
}

/* A grant counts until the host shows it used. */
static void what_is_in_flight(void **state)
{
	(void)state;
	settle();
	assert_int_equal(mem_guest_in_flight(&g), 0);
	g.m.asked_kib = M(2500);
	assert_int_equal(mem_guest_in_flight(&g), M(500));
	g.m.given_up = true;
	assert_int_equal(mem_guest_in_flight(&g), 0);
	g.m.given_up = false;
	g.m.asked_kib = M(1500); /* on its way down */
	assert_int_equal(mem_guest_in_flight(&g), 0);
	g.m.asked_kib = -1;
	g.m.unseen_kib = M(300);
	g.m.grant_ns = sample.time_ns;
	assert_int_equal(mem_guest_in_flight(&g), M(300));
	vm.mem.rss_kib = vi64_ok(M(1000));
	look(1, true); /* the first resident size tells no difference */
	assert_int_equal(g.m.unseen_kib, M(300));
	vm.mem.rss_kib = vi64_ok(M(1100));
	look(1, true);
	assert_int_equal(g.m.unseen_kib, M(200));
	vm.mem.rss_kib = vi64_ok(M(900)); /* what it gave back is no use of it */
	look(1, true);
	assert_int_equal(g.m.unseen_kib, M(200));
	vm.mem.rss_kib = vi64_absent(AVAIL_DENIED);
	look(1, true);
	assert_int_equal(g.m.unseen_kib, M(200));
	look(mem_cycle_s(&cfg), true); /* without one: for a cycle */
	assert_int_equal(g.m.unseen_kib, 0);
}

/* It follows a target as long as it comes nearer by some MiB, up or down; there it is at rest. */
static void how_a_balloon_follows(void **state)
{
	static const struct {
		int64_t asked_mib, steps_mib[4];
		bool moved[4];
	} rows[] = {{1500, {1800, 1800, 1700, 1760}, {true, false, true, false}},
		{2500, {2100, 2100, 2200, 2140}, {true, false, true, false}}};
	for (size_t i = 0; i < 2; i++) {
		begin(state);
		settle();
		rule.target_kib = M(rows[i].asked_mib);
		rule.target_age_ns = 0;
		look(2, true);
		assert_true(g.moving);
		assert_int_equal(g.m.moved_kib, M(2000));
		for (int k = 0; k < 4; k++) {
			int64_t before = g.m.moved_ns;
			rule.target_age_ns += 2 * S;
			vm.mem.balloon_kib = vi64_ok(M(rows[i].steps_mib[k]));
			look(2, true);
			assert_true(g.moving);
			assert_int_equal(g.m.moved_ns > before, rows[i].moved[k]);
			assert_int_equal(g.target, M(rows[i].asked_mib));
		}
		g.m.strikes = 2;
		rule.target_age_ns += 2 * S;
		vm.mem.balloon_kib = vi64_ok(M(rows[i].asked_mib));
		look(2, true);
		assert_false(g.moving);
		assert_int_equal(g.m.strikes, 0);
		assert_int_equal(g.m.moved_kib, M(rows[i].asked_mib));
		assert_int_equal(g.target, M(rows[i].asked_mib));
	}
}

/* Statistics that come seldom may be older. */
static void seldom_figures(void **state)
{
	(void)state;
	vm.mem.period_s = vi64_ok(10);
	look(3 * 10 + mem_cycle_s(&cfg) - 1, false);
	is(REASON_NONE);
	look(2, false);
	is(REASON_STALE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
	const struct CMUnitTest tests[] = {TEST(figures), TEST(ages), TEST(old_figures),
		TEST(figures_that_make_no_sense), TEST(who_may_not_be_touched), TEST(what_is_missing_is_told),
		TEST(who_just_started), TEST(somebody_else_sets_it), TEST(up_to_its_maximum),
		TEST(a_dimm_is_plugged), TEST(what_is_free_and_of_what), TEST(what_is_in_flight),
		TEST(how_a_balloon_follows), TEST(seldom_figures)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
