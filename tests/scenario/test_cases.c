/* SPDX-License-Identifier: MIT */
/* The acceptance cases of CPU balancing, for each policy: the outcome, the number of changes, how soon, and
 * then silence. Where a policy fails a case the row asserts what it does instead and says why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/run_scenario.h"
#include "vmtop/err.h"
#include "vmtop/options.h"

/* The first sample is at 0 s, the first rates are there at 1 s. */
struct cpu_case {
	const char *scenario;
	enum cpu_policy_id policy;
	int pins_least, pins_most;
	double last_pin_s; /* at the latest; with no pins: -1 */
};

static const struct cpu_case cpu_cases[] = {
	/* all pinned on pCPU 0: 6 moves are enough */
	{"cpu1", CPU_POLICY_ORIGIN_A, 6, 6, 1},
	{"cpu1", CPU_POLICY_ORIGIN_B, 6, 6, 1},
	{"cpu1", CPU_POLICY_ORIGIN_C, 6, 6, 1},
	{"cpu1", CPU_POLICY_MINMOVE, 6, 6, 2},
	/* half on 0, half on 1: 4 moves are enough; origin-b deals without looking at where the vCPUs are */
	{"cpu2", CPU_POLICY_ORIGIN_A, 4, 4, 1},
	{"cpu2", CPU_POLICY_ORIGIN_B, 6, 6, 1},
	{"cpu2", CPU_POLICY_ORIGIN_C, 4, 4, 1},
	{"cpu2", CPU_POLICY_MINMOVE, 4, 4, 2},
	/* balanced already */
	{"cpu3", CPU_POLICY_ORIGIN_A, 0, 0, -1},
	{"cpu3", CPU_POLICY_ORIGIN_B, 0, 0, -1},
	{"cpu3", CPU_POLICY_ORIGIN_C, 0, 0, -1},
	{"cpu3", CPU_POLICY_MINMOVE, 0, 0, -1},
	/* not pinned, equal: all 8 are pinned once, 6 of them where they run */
	{"cpu4", CPU_POLICY_ORIGIN_A, 8, 8, 1},
	{"cpu4", CPU_POLICY_ORIGIN_B, 8, 8, 1},
	{"cpu4", CPU_POLICY_ORIGIN_C, 8, 8, 1},
	{"cpu4", CPU_POLICY_MINMOVE, 8, 8, 2},
	/* not pinned, heavy with heavy and light with light: 4 of 8 have to move */
	{"cpu5", CPU_POLICY_ORIGIN_A, 8, 8, 1},
	{"cpu5", CPU_POLICY_ORIGIN_B, 8, 8, 1},
	{"cpu5", CPU_POLICY_ORIGIN_C, 8, 8, 1},
	{"cpu5", CPU_POLICY_MINMOVE, 8, 8, 2},
	/* balanced, idle */
	{"cpu6", CPU_POLICY_ORIGIN_A, 0, 0, -1},
	{"cpu6", CPU_POLICY_ORIGIN_B, 0, 0, -1},
	{"cpu6", CPU_POLICY_ORIGIN_C, 0, 0, -1},
	{"cpu6", CPU_POLICY_MINMOVE, 0, 0, -1},
	/* half turn heavy at 14 s: 4 moves are enough, the presets need 5 */
	{"cpu7", CPU_POLICY_ORIGIN_A, 5, 5, 15},
	{"cpu7", CPU_POLICY_ORIGIN_B, 5, 5, 15},
	{"cpu7", CPU_POLICY_ORIGIN_C, 5, 5, 15},
	{"cpu7", CPU_POLICY_MINMOVE, 4, 4, 16},
};

static void check_cpu_case(const struct cpu_case *c)
{
	struct config cfg;
	struct run r;
	char per_pcpu[64], what[80];
	run_config(&cfg, true, false, 1);
	cfg.cpu_policy = c->policy;
	run_scenario(&r, &(struct run_options){.scenario = c->scenario, .cfg = &cfg, .seconds = 200});
	snprintf(what, sizeof what, "%s, %s", c->scenario, cpu_policy_name(c->policy));
	if (strcmp(run_per_pcpu(&r, per_pcpu, sizeof per_pcpu), "2 2 2 2") != 0)
		fail_msg("%s: vCPUs per pCPU are %s", what, per_pcpu);
	if (r.pins < c->pins_least || r.pins > c->pins_most)
		fail_msg("%s: %d pins, expected %d to %d", what, r.pins, c->pins_least, c->pins_most);
	if (r.last_pin_s > c->last_pin_s + .01)
		fail_msg(
			"%s: a pin at %.1f s, expected none after %.1f s", what, r.last_pin_s, c->last_pin_s);
	double settled = run_settled_s(&r, 5);
	if (settled < 0 || settled > 25)
		fail_msg("%s: settled at %.1f s", what, settled);
	if (r.ticks[r.n - 1].cpu != REASON_BALANCED)
		fail_msg("%s: the last reason is %s", what, reason_key(r.ticks[r.n - 1].cpu));
	assert_int_equal(r.failed, 0);
	run_done(&r);
}

static void test_cpu_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cpu_cases / sizeof *cpu_cases; i++)
		check_cpu_case(&cpu_cases[i]);
}

/* The course's own harness sets pins and balloons at its fifth reading, beside a vmtop that steers since the
 * first: what it sets is what is balanced, and nothing is switched off. */
static void test_a_harness_at_work_beside_vmtop(void **state)
{
	(void)state;
	static const char text[] = "host\n pcpus 4\nvm guest x8\n load 50%\n memory 512M max 2G\n stats 2\n"
				   "at 10s pin guest-* 0\nat 10s balloon guest-* 512M\n";
	for (size_t p = 0; p < CPU_POLICY_COUNT; p++) {
		struct config cfg;
		struct run r;
		struct err e = ERR_INIT;
		char per_pcpu[64];
		run_config(&cfg, true, true, 2);
		if (conf_read(&cfg, "packaging/examples/course.conf", false, &e) < 0)
			fail_msg("%s", e.msg);
		cfg.cpu_policy = (enum cpu_policy_id)p;
		run_scenario(&r, &(struct run_options){.scenario = text, .cfg = &cfg, .seconds = 120});
		assert_string_equal(run_per_pcpu(&r, per_pcpu, sizeof per_pcpu), "2 2 2 2");
		assert_true(r.last->auto_cpu && r.last->auto_memory);
		assert_in_range((long)r.last_pin_s, 10, 60); /* 25 readings later it is quiet */
		assert_int_equal(r.failed, 0);
		assert_int_equal(r.report.oom_kills, 0);
		run_done(&r);
	}
}

/* Each reason carries the numbers that led to it. */
static void test_reasons(void **state)
{
	(void)state;
	struct config cfg;
	struct run r;
	run_config(&cfg, true, false, 1);
	cfg.cpu_policy = CPU_POLICY_ORIGIN_C;
	run_scenario(&r, &(struct run_options){.scenario = "cpu1", .cfg = &cfg, .seconds = 5});
	assert_int_equal(r.ticks[0].cpu, REASON_FIRST);
	size_t acted = 0;
	while (acted + 1 < r.n && !r.ticks[acted].pins)
		acted++;
	assert_int_equal(r.ticks[acted].cpu, REASON_GREEDY);
	assert_non_null(strstr(r.ticks[acted].cpu_text, "6 moves"));
	assert_int_equal(r.ticks[acted + 1].cpu, REASON_BALANCED);
	run_done(&r);
}

/* `b` in MANUAL: one round at once, and no more after it. */
static void test_by_hand(void **state)
{
	(void)state;
	static const int pins[] = {[CPU_POLICY_MINMOVE] = 6,
		[CPU_POLICY_ORIGIN_A] = 6,
		[CPU_POLICY_ORIGIN_B] = 6,
		[CPU_POLICY_ORIGIN_C] = 6};
	for (enum cpu_policy_id p = CPU_POLICY_MINMOVE; p <= CPU_POLICY_ORIGIN_C; p++) {
		struct config cfg;
		struct run r;
		run_config(&cfg, false, false, 1);
		cfg.cpu_policy = p;
		run_scenario(&r, &(struct run_options){
					 .scenario = "cpu1", .cfg = &cfg, .seconds = 30, .press_b_s = 10});
		assert_int_equal(r.pins, pins[p]);
		assert_true(r.last_pin_s > 9.9 && r.last_pin_s < 11.1);
		assert_true(run_settled_s(&r, 5) > 9);
		run_done(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpu_cases),
		cmocka_unit_test(test_a_harness_at_work_beside_vmtop),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_by_hand),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
