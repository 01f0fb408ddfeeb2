/* SPDX-License-Identifier: MIT */
/* Every guard of the memory controller: a scenario in which it keeps a guest or the host from harm, and in
 * which the harm is done when the guard is off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/core/mem_priv.h"
#include "support/mem_toy.h"

static struct toy t;

#define M(x) ((int64_t)(x)*TOY_MIB)

/* One guest of 4 GiB that uses 500 MiB: it has a lot to give. */
static struct toy_guest *one_idle(unsigned guards)
{
	toy_init(&t, M(16384), M(1024));
	t.cfg.mem_policy = MEM_POLICY_WATERMARK;
	t.cfg.reclaim = RECLAIM_PROACTIVE;
	mem_ctl_guards(t.ctl, guards);
	return toy_add(&t, M(4096), M(4096), M(500));
}

static bool harm_user(unsigned guards)
{
	one_idle(guards)->rule.memory = REASON_EXCLUDED;
	toy_run(&t, 30, NULL);
	return t.g[0].calls > 0;
}

static bool harm_state(unsigned guards)
{
	one_idle(guards);
	toy_second(&t);
	toy_second(&t);
	t.g[0].state = VM_PAUSED;
	toy_sample(&t);
	t.rules.vms[0].memory = REASON_NONE;
	toy_cycle(&t, ROUND_AUTO);
	return t.plan.n > 0;
}

static bool harm_facts(unsigned guards)
{
	one_idle(guards)->flags = VM_FLAG_VFIO;
	toy_run(&t, 30, NULL);
	return t.g[0].calls > 0;
}

static bool harm_stale(unsigned guards)
{
	one_idle(guards);
	toy_run(&t, 5, NULL);
	t.g[0].manner = TOY_SILENT;
	toy_run(&t, 60, NULL);
	return t.g[0].calls > 4;
}

static bool harm_boot(unsigned guards)
{
	one_idle(guards);
	t.cfg.mem_boot_s = 30;
	t.g[0].gone = true;
	toy_run(&t, 10, NULL);
	t.g[0].gone = false;
	toy_run(&t, 25, NULL);
	return t.g[0].calls > 0;
}

static bool harm_floor(unsigned guards)
{
	one_idle(guards)->rule.mem_min_kib = M(3000);
	toy_run(&t, 300, NULL);
	return t.g[0].balloon < M(3000);
}

static bool harm_unused(unsigned guards)
{
	one_idle(guards);
	t.cfg.mem_policy = MEM_POLICY_ORIGIN_C;
	t.cfg.mem_threshold_kib = M(30);
	t.g[0].balloon = t.g[0].target = M(1000);
	t.g[0].cache = M(300);
	toy_run(&t, 300, NULL);
	return t.g[0].s_unused < M(100);
}

static bool harm_max(unsigned guards)
{
	one_idle(guards)->rule.mem_max_kib = M(1000);
	t.g[0].balloon = t.g[0].target = M(900);
	t.g[0].want = M(2000);
	toy_run(&t, 60, NULL);
	return t.g[0].balloon > M(1000);
}

static bool harm_host(unsigned guards)
{
	one_idle(guards);
	t.base = t.total - M(2048);
	t.g[0].balloon = t.g[0].target = M(600);
	t.g[0].want = M(3000);
	toy_run(&t, 120, NULL);
	return t.lowest_free < M(900);
}

/* A guest that is granted memory and touches it late: meanwhile the host looks as if it were free. */
static bool harm_flight(unsigned guards)
{
	one_idle(guards);
	toy_add(&t, M(4096), M(600), M(550));
	t.base = t.total - M(2700);
	for (int i = 0; i < 2; i++) {
		t.g[i].balloon = t.g[i].target = M(600);
		t.g[i].touched = M(600);
		t.g[i].speed = M(20);
	}
	for (int i = 0; i < 30; i++) {
		t.g[1].want += M(25);
		t.g[0].want = t.g[1].want;
		toy_run(&t, 5, NULL);
	}
	t.g[0].want = t.g[1].want = M(4000);
	toy_run(&t, 100, NULL);
	return t.lowest_free < M(1000);
}

static bool harm_step(unsigned guards)
{
	one_idle(guards);
	t.cfg.mem_step_pct = 60;
	toy_run(&t, 60, NULL);
	return t.g[0].largest_drop_pct > 25;
}

/* A hungry guest whose balloon does not move is promised all there is; the other one must not wait for it. */
static bool harm_progress(unsigned guards)
{
	one_idle(guards)->manner = TOY_STUCK;
	toy_add(&t, M(4096), M(600), M(300));
	t.base = t.total - M(1024 + 750 + 890);
	t.g[0].balloon = t.g[0].target = M(600);
	t.g[0].want = M(590);
	toy_run(&t, 5, NULL);
	t.g[1].want = M(1000);
	toy_run(&t, 60, NULL);
	return t.g[1].used < M(1000);
}

static bool harm_foreign(unsigned guards)
{
	one_idle(guards);
	toy_run(&t, 100, NULL);
	toy_foreign(&t, 0, M(3000));
	toy_run(&t, 400, NULL);
	return t.g[0].balloon < M(3000);
}

/* The guest begins to swap after a shrink although its figures say that it has enough. */
static bool harm_harm(unsigned guards)
{
	one_idle(guards);
	toy_run(&t, 10, NULL);
	int64_t calls = t.g[0].calls;
	for (int i = 0; i < 20; i++) {
		t.g[0].swap_in += 4096;
		toy_run(&t, 5, NULL);
	}
	return calls && t.g[0].balloon < M(3000);
}

static bool harm_hold(unsigned guards)
{
	one_idle(guards);
	t.cfg.mem_decay_s = 1;
	t.g[0].balloon = t.g[0].target = M(800);
	t.g[0].want = M(1500);
	toy_run(&t, 15, NULL);
	t.g[0].want = M(500);
	int64_t calls = t.g[0].calls;
	toy_run(&t, 40, NULL);
	return t.g[0].calls > calls;
}

static const struct {
	enum mem_guard guard;
	bool (*harm)(unsigned guards);
	const char *name;
} rows[] = {
	{MEM_GUARD_USER, harm_user, "user"},
	{MEM_GUARD_STATE, harm_state, "state"},
	{MEM_GUARD_FACTS, harm_facts, "facts"},
	{MEM_GUARD_STALE, harm_stale, "stale"},
	{MEM_GUARD_BOOT, harm_boot, "boot"},
	{MEM_GUARD_FLOOR, harm_floor, "floor"},
	{MEM_GUARD_UNUSED, harm_unused, "unused"},
	{MEM_GUARD_MAX, harm_max, "max"},
	{MEM_GUARD_HOST, harm_host, "host"},
	{MEM_GUARD_FLIGHT, harm_flight, "flight"},
	{MEM_GUARD_STEP, harm_step, "step"},
	{MEM_GUARD_PROGRESS, harm_progress, "progress"},
	{MEM_GUARD_FOREIGN, harm_foreign, "foreign"},
	{MEM_GUARD_HARM, harm_harm, "harm"},
	{MEM_GUARD_HOLD, harm_hold, "hold"},
};

static void each_guard_keeps_from_harm(void **state)
{
	(void)state;
	unsigned seen = 0;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool with = rows[i].harm(MEM_GUARD_ALL);
		toy_done(&t);
		bool without = rows[i].harm(MEM_GUARD_ALL & ~(unsigned)rows[i].guard);
		toy_done(&t);
		if (with || !without)
			fail_msg("guard %s: harm with it %d, without it %d", rows[i].name, with, without);
		seen |= rows[i].guard;
	}
	assert_int_equal(seen, MEM_GUARD_ALL);
}

static void flag_is(struct toy_guest *g, uint32_t flag, enum reason why)
{
	g->flags = flag;
	if (g->s_time_s >= 0)
		g->s_time_s = t.now_s;
	toy_sample(&t);
	toy_cycle(&t, ROUND_WATCH);
	assert_int_equal(t.status[0].why.code, why);
	assert_false(t.status[0].eligible);
	g->flags = 0;
}

/* The last figures have grown old: because another client holds its job, or for no such reason. */
static void old_figures_of_a_busy_guest(void **state)
{
	(void)state;
	struct toy_guest *g = one_idle(MEM_GUARD_ALL);
	toy_run(&t, 4, NULL);
	t.now_s += 600;
	g->flags = VM_FLAG_BUSY;
	toy_sample(&t);
	toy_cycle(&t, ROUND_WATCH);
	assert_int_equal(t.status[0].why.code, REASON_BUSY);
	assert_non_null(strstr(t.status[0].why.text, "another client"));
	assert_non_null(strstr(t.status[0].why.text, "s old"));
	t.now_s++;
	g->flags = 0;
	toy_sample(&t);
	toy_cycle(&t, ROUND_WATCH);
	assert_int_equal(t.status[0].why.code, REASON_STALE);
	toy_done(&t);
}

static void every_ineligible_guest_has_its_reason(void **state)
{
	(void)state;
	struct toy_guest *g = one_idle(MEM_GUARD_ALL);
	const struct toy_guest plain = *g;
	toy_run(&t, 4, NULL);
	const struct toy_guest fed = *g;
	const struct {
		uint32_t flag;
		enum reason why;
	} flags[] = {
		{VM_FLAG_VFIO, REASON_VFIO},
		{VM_FLAG_SEV, REASON_SEV},
		{VM_FLAG_LOCKED, REASON_LOCKED},
		{VM_FLAG_HUGEPAGES, REASON_HUGEPAGES},
		{VM_FLAG_JOB, REASON_JOB},
		{VM_FLAG_NO_STEER, REASON_FORBIDDEN},
	};
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		t.now_s++;
		flag_is(g, flags[i].flag, flags[i].why);
	}
	*g = fed;
	g->no_device = true;
	t.now_s++;
	flag_is(g, 0, REASON_NO_DEVICE);
	*g = fed;
	g->period = 0;
	t.now_s++;
	flag_is(g, 0, REASON_NO_STATS);
	assert_non_null(strstr(t.status[0].why.text, "statistics are off"));
	*g = plain; /* no figures yet */
	t.now_s++;
	flag_is(g, 0, REASON_NO_DRIVER);
	*g = fed;
	g->hung = true;
	t.now_s++;
	flag_is(g, 0, REASON_HUNG);
	*g = fed;
	g->state = VM_PAUSED;
	t.now_s++;
	flag_is(g, 0, REASON_NOT_RUNNING);
	*g = fed;
	g->s_unused = g->s_usable = 0;
	t.now_s++;
	flag_is(g, 0, REASON_NO_STATS);
	*g = fed;
	g->rule.memory = REASON_HELD;
	t.now_s++;
	flag_is(g, 0, REASON_HELD);
	toy_done(&t);
}

static void a_guest_that_refuses_is_asked_again_and_harms_nobody(void **state)
{
	(void)state;
	one_idle(MEM_GUARD_ALL)->manner = TOY_REFUSE;
	toy_add(&t, M(4096), M(2000), M(500));
	toy_run(&t, 300, NULL);
	assert_int_equal(t.g[0].balloon, M(4096));
	assert_true(t.g[1].balloon < M(1000));
	assert_string_equal(t.broken, "");
	toy_done(&t);
}

static void a_stuck_balloon_is_told_in_plain_words_then_let_go(void **state)
{
	(void)state;
	one_idle(MEM_GUARD_ALL)->manner = TOY_STUCK;
	toy_run(&t, 10, NULL);
	assert_int_equal(t.g[0].calls, 1);
	assert_string_equal(t.status[0].why.text, "asked 3.6G 5 s ago, at 4.0G, not moving");
	toy_run(&t, 5, NULL);
	assert_int_equal(t.plan.n, 1);
	assert_int_equal(t.plan.actions[0].why.code, REASON_STOP_TARGET);
	assert_int_equal(t.plan.actions[0].to_kib, M(4096));
	toy_run(&t, 50, NULL);
	assert_int_equal(t.g[0].calls, 2); /* not a donor for 60 s */
	assert_int_equal(t.status[0].why.code, REASON_HOLD_TIME);
	assert_non_null(
		strstr(t.status[0].why.text, "its balloon did not follow; nothing is asked of it for"));
	toy_run(&t, 60, NULL);
	assert_int_equal(t.status[0].why.code, REASON_UNCOOPERATIVE);
	toy_done(&t);
}

static void a_reboot_is_not_somebody_elses_change(void **state)
{
	(void)state;
	one_idle(MEM_GUARD_ALL);
	t.cfg.mem_boot_s = 30;
	toy_run(&t, 200, NULL);
	int64_t target = t.g[0].target, calls = t.g[0].calls;
	assert_true(target < M(1100));
	toy_reboot(&t, 0);
	toy_run(&t, 5, NULL);
	assert_int_equal(t.status[0].why.code, REASON_BOOTING);
	toy_run(&t, 20, NULL);
	assert_int_equal(t.g[0].calls, calls);
	toy_done(&t);
}

/* Its driver comes 20 s after the start and takes the balloon down to what the VM was defined with, in steps;
 * the same movement later is somebody else's. */
static void settling_after_a_start_is_nobodys_change(void **state)
{
	(void)state;
	one_idle(MEM_GUARD_ALL);
	t.cfg.reclaim = RECLAIM_PRESSURE;
	t.g[0].manner = TOY_STUCK; /* no driver yet, so no statistics either */
	t.g[0].period = 0;
	toy_run(&t, 20, NULL);
	t.g[0].manner = TOY_HONEST;
	t.g[0].period = 2;
	t.g[0].target = M(1500);
	t.g[0].speed = M(100);
	for (int i = 0; i < 12; i++) {
		toy_run(&t, 5, NULL);
		assert_int_equal(
			t.status[0].why.code, i || t.status[0].eligible ? REASON_MEM_OK : REASON_NO_DRIVER);
	}
	assert_int_equal(t.g[0].balloon, M(1500));
	assert_int_equal(t.g[0].calls, 0);
	toy_foreign(&t, 0, M(1300));
	toy_run(&t, 5, NULL);
	assert_int_equal(t.status[0].why.code, REASON_FOREIGN_BALLOON);
	toy_done(&t);
}

/* Its statistics are of another century: what they say is not acted on. */
static void statistics_of_another_age_are_stale(void **state)
{
	(void)state;
	one_idle(MEM_GUARD_ALL);
	toy_second(&t);
	toy_second(&t);
	toy_sample(&t);
	t.sample.vms[0].mem.last_update_ns = vi64_ok(INT64_C(627319920000000000));
	struct err e = ERR_INIT;
	t.sample.time_ns += 1000000;
	assert_int_equal(model_update(&t.model, &t.sample, &e), 0);
	toy_cycle(&t, ROUND_AUTO);
	assert_int_equal(t.model.vms[0].age_s.avail, AVAIL_STALE);
	assert_int_equal(t.status[0].why.code, REASON_STALE);
	assert_string_equal(t.status[0].why.text, "guest statistics are years old, or their clock is wrong");
	assert_int_equal(t.plan.n, 0);
	toy_done(&t);
}

static void a_target_set_by_hand_is_ours(void **state)
{
	(void)state;
	one_idle(MEM_GUARD_ALL);
	t.cfg.reclaim = RECLAIM_PRESSURE;
	toy_run(&t, 20, NULL);
	toy_by_hand(&t, 0, M(2500));
	toy_run(&t, 10, NULL);
	assert_int_equal(t.status[0].why.code, REASON_MEM_OK);
	toy_done(&t);
}

/* With a DIMM its balloon and its maximum jump together; somebody else's target moves the balloon alone. */
static void a_dimm_is_nobody(void **state)
{
	(void)state;
	for (int alone = 0; alone < 2; alone++) {
		one_idle(MEM_GUARD_ALL);
		t.cfg.reclaim = RECLAIM_PRESSURE;
		toy_run(&t, 20, NULL);
		toy_by_hand(&t, 0, M(2500));
		toy_run(&t, 60, NULL);
		assert_int_equal(t.g[0].balloon, M(2500));
		t.g[0].balloon += M(600);
		t.g[0].target += M(600);
		t.g[0].rule.target_kib += M(600);
		t.g[0].max += alone ? 0 : M(600);
		toy_run(&t, 10, NULL);
		assert_int_equal(t.status[0].why.code == REASON_FOREIGN_BALLOON, alone);
		toy_done(&t);
	}
}

static void floors_are_in_one_place(void **state)
{
	(void)state;
	struct vm_sample vm = {.mem = {.max_kib = vi64_ok(M(4096))}};
	struct vm_rule rule = {.mem_shares = 1};
	struct config *cfg = &t.cfg;
	config_defaults(cfg);
	assert_int_equal(mem_floor_kib(cfg, &vm, &rule, vi64_absent(AVAIL_NO_DRIVER)), M(512));
	assert_int_equal(mem_floor_kib(cfg, &vm, &rule, vi64_ok(M(500))), M(600));
	assert_int_equal(mem_floor_kib(cfg, &vm, &rule, vi64_ok(M(2000))), M(2160));
	assert_int_equal(mem_floor_kib(cfg, &vm, &rule, vi64_ok(M(4090))), M(4096));
	rule.mem_min_kib = M(700);
	assert_int_equal(mem_floor_kib(cfg, &vm, &rule, vi64_ok(M(500))), M(700));
	vm.mem.min_guarantee_kib = vi64_ok(M(900));
	assert_int_equal(mem_floor_kib(cfg, &vm, NULL, vi64_ok(M(500))), M(900));
	rule.mem_max_kib = M(800);
	assert_int_equal(mem_floor_kib(cfg, &vm, &rule, vi64_ok(M(500))), M(800));
	vm.mem.max_kib = vi64_ok(M(512));
	vm.mem.min_guarantee_kib = vi64_absent(AVAIL_UNSUPPORTED);
	assert_int_equal(mem_floor_kib(cfg, &vm, NULL, vi64_absent(AVAIL_STALE)), M(128));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_guard_keeps_from_harm),
		cmocka_unit_test(old_figures_of_a_busy_guest),
		cmocka_unit_test(every_ineligible_guest_has_its_reason),
		cmocka_unit_test(a_guest_that_refuses_is_asked_again_and_harms_nobody),
		cmocka_unit_test(a_stuck_balloon_is_told_in_plain_words_then_let_go),
		cmocka_unit_test(a_reboot_is_not_somebody_elses_change),
		cmocka_unit_test(settling_after_a_start_is_nobodys_change),
		cmocka_unit_test(statistics_of_another_age_are_stale),
		cmocka_unit_test(a_target_set_by_hand_is_ours),
		cmocka_unit_test(a_dimm_is_nobody),
		cmocka_unit_test(floors_are_in_one_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
