/* SPDX-License-Identifier: MIT */
/* Properties of the memory controller over thousands of random hosts: whatever guests do (eat, free, stall,
 * lie, hang, reboot, refuse, come and go), the orders of every cycle keep the invariants. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/core/mem_priv.h"
#include "support/mem_toy.h"

#define M(x) ((int64_t)(x)*TOY_MIB)

static struct toy t, twin;

/* --- random hosts --- */

static enum toy_manner any_manner(struct toy *x)
{
	static const enum toy_manner some[] = {TOY_STUCK, TOY_REFUSE, TOY_SILENT, TOY_LIAR};
	return toy_random(x, 3) ? TOY_HONEST : some[toy_random(x, 4)];
}

static void any_guest(struct toy *x, bool honest)
{
	static const uint32_t flags[] = {
		VM_FLAG_VFIO, VM_FLAG_SEV, VM_FLAG_LOCKED, VM_FLAG_HUGEPAGES, VM_FLAG_JOB};
	int64_t max = M(256 + toy_random(x, 8000)), balloon = max - (int64_t)toy_random(x, (uint32_t)max / 2);
	struct toy_guest *g = toy_add(x, max, balloon, (int64_t)toy_random(x, (uint32_t)balloon));
	g->rule.mem_shares = 1 + toy_random(x, 4);
	g->cache_rate = M(toy_random(x, 8));
	g->speed = M(8 + toy_random(x, 512));
	if (!toy_random(x, 6))
		g->rule.mem_min_kib = (int64_t)toy_random(x, (uint32_t)max);
	if (!toy_random(x, 6))
		g->rule.mem_max_kib = (int64_t)toy_random(x, (uint32_t)max) + M(64);
	if (!toy_random(x, 6))
		g->min_guarantee = (int64_t)toy_random(x, (uint32_t)max);
	if (honest)
		return;
	g->manner = any_manner(x);
	if (!toy_random(x, 8))
		g->flags = flags[toy_random(x, 5)];
	g->no_device = !toy_random(x, 12);
	g->period = toy_random(x, 10) ? 2 : 0;
	if (!toy_random(x, 10))
		g->rule.memory = REASON_EXCLUDED;
}

static void any_host(struct toy *x, uint64_t seed, bool honest)
{
	toy_init(x, M(4096), M(512));
	x->seed = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	x->total = M(1024 + toy_random(x, 32768));
	x->base = M(200 + toy_random(x, 600));
	x->cfg.mem_policy = toy_random(x, 4) ? MEM_POLICY_WATERMARK : MEM_POLICY_ORIGIN_C;
	x->cfg.reclaim = toy_random(x, 2) ? RECLAIM_PROACTIVE : RECLAIM_PRESSURE;
	x->cfg.memory_cycle_s = 1 + toy_random(x, 6);
	x->cfg.mem_boot_s = 30;
	for (uint32_t n = 1 + toy_random(x, 6); n > 0; n--)
		any_guest(x, honest);
}

static void any_event(struct toy *x)
{
	size_t i = toy_random(x, (uint32_t)x->n);
	struct toy_guest *g = &x->g[i];
	switch (toy_random(x, 10)) {
	case 0:
		toy_reboot(x, i);
		break;
	case 1:
		g->hung = !g->hung;
		break;
	case 2:
		g->gone = !g->gone;
		break;
	case 3:
		g->state = g->state == VM_RUNNING ? VM_PAUSED : VM_RUNNING;
		break;
	case 4:
		toy_foreign(x, i, (int64_t)toy_random(x, (uint32_t)g->max) + 1);
		break;
	case 5:
		x->psi_full = toy_random(x, 12);
		break;
	default:
		g->want = (int64_t)toy_random(x, (uint32_t)g->max);
	}
}

/* --- what every order owes --- */

static int64_t user_max(const struct toy_guest *g)
{
	return g->rule.mem_max_kib > 0 && g->rule.mem_max_kib < g->max ? g->rule.mem_max_kib : g->max;
}

static int64_t head_of(const struct toy *x, const struct vm_rate *rate, const struct toy_guest *g)
{
	int64_t max = user_max(g), least = max / 20 < M(256) ? max / 20 : M(256);
	int64_t part = (int64_t)((double)rate->used_kib.v * x->cfg.mem_head_pct / 100);
	return part > least ? part : least;
}

/* What is in use is taken for one with more shares only, from one that can swap, never below its minimum. */
static const char *bad_share(const struct toy *x, const struct action *a, const struct toy_guest *g)
{
	double most = 0;
	for (size_t i = 0; i < x->n; i++)
		if (x->status[i].eligible && x->rules.vms[i].mem_shares > most)
			most = x->rules.vms[i].mem_shares;
	if (x->rules.vms[a->vm].mem_shares >= most)
		return "memory taken by shares for nobody with more";
	if (!g->swap_in)
		return "memory in use taken from one that has never swapped";
	return a->to_kib < x->ctl->guest[a->vm].base ? "a shrink below the minimum" : NULL;
}

static const char *bad_target(const struct toy *x, const struct action *a, const struct toy_guest *g)
{
	const struct vm_sample *vm = &x->sample.vms[a->vm];
	const struct mem_status *st = &x->status[a->vm];
	if (!st->eligible || g->flags || g->no_device || !g->period || g->hung ||
		g->rule.memory != REASON_NONE)
		return "an ineligible guest was called";
	if (vm->state != VM_RUNNING)
		return "a guest that does not run was called";
	if (a->to_kib > vm->mem.max_kib.v)
		return "a target above the maximum";
	if (a->why.code == REASON_STOP_TARGET)
		return a->to_kib == g->balloon ? NULL : "a stop that moves the balloon";
	if ((double)(x->now_s - g->s_time_s) > 6 + mem_cycle_s(&x->cfg))
		return "a target from stale statistics";
	if (a->why.code == REASON_SHARES)
		return bad_share(x, a, g);
	if (a->to_kib < g->balloon && a->to_kib < st->floor_kib.v)
		return "a shrink below the floor";
	return NULL;
}

static const char *bad_shrink(const struct toy *x, const struct action *a, const struct toy_guest *g)
{
	const struct vm_rate *rate = &x->model.vms[a->vm];
	if (a->to_kib >= g->balloon || a->why.code == REASON_STOP_TARGET)
		return NULL;
	if (a->why.code == REASON_SHARES)
		return a->to_kib < g->balloon - g->balloon / 10 - TOY_MIB ? "more than a step by shares"
									  : NULL;
	int64_t spare = x->cfg.mem_policy == MEM_POLICY_ORIGIN_C ? g->s_unused : g->s_usable;
	if (g->manner == TOY_HONEST && spare - (g->s_balloon - a->to_kib) < M(100))
		return "a shrink that leaves less than 100 MiB";
	if (a->to_kib < g->balloon - g->balloon / 4 - 1)
		return "a shrink of more than a quarter";
	if (x->cfg.mem_policy == MEM_POLICY_WATERMARK && x->verdict.state != HOST_MEM_HARD &&
		a->from_kib <= g->balloon && a->to_kib < user_max(g) &&
		a->to_kib < rate->used_kib.v + head_of(x, rate, g))
		return "a shrink below the head room outside a crisis";
	return NULL;
}

/* The size that a guest had by itself or by somebody else. */
static int64_t found_of(const struct toy *x, const struct toy_guest *g)
{
	const struct mem_ctl *c = x->ctl;
	for (size_t i = 0; i < c->n_memo; i++)
		if (c->memo[i].uuid[15] == (size_t)(g - x->g))
			return c->memo[i].found_kib ? c->memo[i].found_kib : c->memo[i].first_kib;
	return 0;
}

static void check_orders(struct toy *x, uint64_t seed)
{
	int64_t granted = 0, beyond = 0;
	for (size_t i = 0; i < x->plan.n; i++) {
		const struct action *a = &x->plan.actions[i];
		const struct toy_guest *g = &x->g[a->uuid[15]];
		const char *bad = bad_target(x, a, g);
		bad = bad ? bad : bad_shrink(x, a, g);
		if (bad)
			fail_msg("host %" PRIu64 ", %" PRId64 " s: %s (%s: %" PRId64 " -> %" PRId64
				 " KiB, %s)",
				seed, x->now_s, bad, reason_key(a->why.code), a->from_kib, a->to_kib,
				a->why.text);
		int64_t base = a->from_kib > g->balloon ? a->from_kib : g->balloon;
		granted += a->to_kib > base ? a->to_kib - base : 0;
		base = base > found_of(x, g) ? base : found_of(x, g);
		beyond += a->to_kib > base ? a->to_kib - base : 0;
	}
	/* What was theirs comes out of the reserve too, down to 200 MiB. */
	int64_t reserve = x->verdict.reserve_kib.v - M(200);
	if (beyond > x->verdict.free_kib.v || granted > x->verdict.free_kib.v + reserve)
		fail_msg("host %" PRIu64 ", %" PRId64 " s: %" PRId64 " KiB granted, %" PRId64 " there", seed,
			x->now_s, granted, x->verdict.free_kib.v);
	if (x->broken[0])
		fail_msg("host %" PRIu64 ": %s", seed, x->broken);
}

/* Plans first and looks at the orders before they are carried out. */
static void checked_cycle(struct toy *x, uint64_t seed)
{
	struct toy_guest before[TOY_GUESTS];
	toy_sample(x);
	memcpy(before, x->g, sizeof before);
	toy_cycle(x, ROUND_AUTO);
	check_orders(x, seed);
}

static void random_hosts_keep_the_invariants(void **state)
{
	(void)state;
	int64_t orders = 0;
	for (uint64_t seed = 1; seed <= 4000; seed++) {
		any_host(&t, seed, false);
		for (int i = 0; i < 100; i++) {
			if (!toy_random(&t, 4))
				any_event(&t);
			toy_second(&t);
			if (t.now_s % (int64_t)t.cfg.memory_cycle_s)
				continue;
			checked_cycle(&t, seed);
			orders += (int64_t)t.plan.n;
		}
		toy_done(&t);
	}
	if (orders < 20000)
		fail_msg("only %" PRId64 " orders: the hosts are too dull", orders);
}

/* --- looking leaves no trace --- */

static void same_plans(uint64_t seed)
{
	assert_int_equal(t.plan.n, twin.plan.n);
	for (size_t i = 0; i < t.plan.n; i++)
		if (t.plan.actions[i].to_kib != twin.plan.actions[i].to_kib)
			fail_msg("host %" PRIu64 ": watching changed a target", seed);
}

static void watching_and_previewing_change_nothing(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 300; seed++) {
		any_host(&t, seed, false);
		any_host(&twin, seed, false);
		for (int i = 0; i < 60; i++) {
			if (!toy_random(&t, 4)) {
				toy_random(&twin, 4);
				any_event(&t);
				any_event(&twin);
			} else {
				toy_random(&twin, 4);
			}
			twin.seed = t.seed;
			toy_second(&t);
			toy_second(&twin);
			toy_sample(&t);
			toy_sample(&twin);
			toy_cycle(&twin, i % 2 ? ROUND_WATCH : ROUND_PREVIEW);
			if (i % 5)
				continue;
			toy_cycle(&t, ROUND_AUTO);
			toy_cycle(&twin, ROUND_AUTO);
			same_plans(seed);
		}
		toy_done(&t);
		toy_done(&twin);
	}
}

/* --- quiet --- */

static int64_t calls_of(const struct toy *x)
{
	int64_t sum = 0;
	for (size_t i = 0; i < x->n; i++)
		sum += x->g[i].calls;
	return sum;
}

static void constant_demand_ends_in_silence(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		any_host(&t, seed, true);
		t.cfg.mem_policy = MEM_POLICY_WATERMARK;
		toy_run(&t, 1500, NULL);
		int64_t calls = calls_of(&t);
		toy_run(&t, 300, NULL);
		if (calls_of(&t) != calls)
			fail_msg("host %" PRIu64 ": %" PRId64 " calls in the last five of thirty minutes",
				seed, calls_of(&t) - calls);
		toy_done(&t);
	}
}

static int64_t quiet_want[TOY_GUESTS];

static void wobble(struct toy *x)
{
	for (size_t i = 0; i < x->n; i++) {
		int64_t head = quiet_want[i] * 15 / 100 > x->g[i].max / 20 ? quiet_want[i] * 15 / 100
									   : x->g[i].max / 20;
		head = head < M(256) || head == quiet_want[i] * 15 / 100 ? head : M(256);
		x->g[i].want = quiet_want[i] + (int64_t)toy_random(x, (uint32_t)(head / 4));
	}
}

static void noise_never_changes_direction(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		toy_init(&t, M(65536), M(1024));
		t.seed = seed;
		t.cfg.mem_policy = MEM_POLICY_WATERMARK;
		for (size_t i = 0; i < 6; i++) {
			int64_t max = M(512 + toy_random(&t, 7000));
			quiet_want[i] = max / 8 + (int64_t)toy_random(&t, (uint32_t)(max / 2));
			toy_add(&t, max, max - (int64_t)toy_random(&t, (uint32_t)(max / 8)), quiet_want[i]);
		}
		toy_run(&t, 1200, wobble);
		for (size_t i = 0; i < t.n; i++)
			if (t.g[i].reversals)
				fail_msg("host %" PRIu64 ": guest %zu changed direction %" PRId64 " times",
					seed, i, t.g[i].reversals);
		toy_done(&t);
	}
}

/* --- numbers of the host --- */

static void levels_are_in_order_on_any_host(void **state)
{
	(void)state;
	struct mem_levels l;
	config_defaults(&t.cfg);
	t.cfg.mem_policy = MEM_POLICY_WATERMARK;
	for (int64_t gib = 1; gib <= 4096; gib++) {
		mem_levels_fill(&l, &t.cfg, gib * 1024 * MIB);
		assert_true(l.hard_in >= 200 * MIB);
		assert_true(l.hard_in < l.hard_out && l.hard_out <= l.reserve);
		assert_true(l.hard_in < l.reserve && l.reserve < l.soft_in && l.soft_in < l.soft_out);
	}
	mem_levels_fill(&l, &t.cfg, 16 * 1024 * MIB);
	assert_int_equal(l.reserve, 1024 * MIB);
	mem_levels_fill(&l, &t.cfg, 1024 * 1024 * MIB);
	assert_int_equal(l.reserve, 16 * 1024 * MIB);
	t.cfg.host_reserve_kib = 50 * MIB;
	mem_levels_fill(&l, &t.cfg, 1024 * 1024 * MIB);
	assert_int_equal(l.reserve, 200 * MIB);
}

/* In and out of a state at different levels, and by memory pressure alone. */
static void host_states_have_hysteresis(void **state)
{
	(void)state;
	static const struct {
		int64_t available_mib, psi_some, psi_full;
		enum host_mem_state expect;
	} rows[] = {
		{3000, -1, -1, HOST_MEM_OK},
		{2000, -1, -1, HOST_MEM_SOFT},
		{2300, -1, -1, HOST_MEM_SOFT},
		{2500, -1, -1, HOST_MEM_OK},
		{500, -1, -1, HOST_MEM_HARD},
		{700, -1, -1, HOST_MEM_HARD},
		{800, -1, -1, HOST_MEM_SOFT},
		{700, -1, -1, HOST_MEM_SOFT},
		{3000, -1, -1, HOST_MEM_OK},
		{3000, 9, 4, HOST_MEM_OK},
		{3000, 12, 1, HOST_MEM_SOFT},
		{3000, 12, 5, HOST_MEM_HARD},
		{3000, 0, 0, HOST_MEM_OK},
	};
	toy_init(&t, M(16384), 0);
	t.cfg.mem_policy = MEM_POLICY_WATERMARK;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		t.base = t.total - M(rows[i].available_mib);
		t.psi_some = rows[i].psi_some;
		t.psi_full = rows[i].psi_full;
		t.now_s++;
		toy_sample(&t);
		toy_cycle(&t, ROUND_AUTO);
		if (t.verdict.state != rows[i].expect)
			fail_msg("row %zu: state %d, expected %d", i, (int)t.verdict.state,
				(int)rows[i].expect);
	}
	toy_done(&t);
}

static void shares_divide_what_is_scarce_above_the_floors(void **state)
{
	(void)state;
	toy_init(&t, M(8192), 0);
	t.cfg.mem_policy = MEM_POLICY_WATERMARK;
	t.base = t.total - M(1024 + 1000 + 150);
	for (int i = 0; i < 2; i++) {
		toy_add(&t, M(4096), M(500), M(480));
		t.g[i].touched = M(500);
		t.g[i].want = M(4000);
	}
	t.g[1].rule.mem_shares = 2;
	toy_run(&t, 300, NULL);
	assert_in_range(t.g[0].balloon, M(546), M(554)); /* above their floors 50 to 100 */
	assert_in_range(t.g[1].balloon, M(596), M(604));
	toy_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_hosts_keep_the_invariants),
		cmocka_unit_test(watching_and_previewing_change_nothing),
		cmocka_unit_test(constant_demand_ends_in_silence),
		cmocka_unit_test(noise_never_changes_direction),
		cmocka_unit_test(levels_are_in_order_on_any_host),
		cmocka_unit_test(host_states_have_hysteresis),
		cmocka_unit_test(shares_divide_what_is_scarce_above_the_floors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
