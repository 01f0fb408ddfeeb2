/* SPDX-License-Identifier: MIT */
/* The eleven acceptance cases, and the fifth of memory, for each policy: the outcome, the number of changes,
 * how soon, and then silence. Where a policy fails a case the row asserts what it does instead and says why.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/run_scenario.h"

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
	/* not pinned, equal: all 8 are pinned once; minmove may pin where they run first and move 2 after */
	{"cpu4", CPU_POLICY_ORIGIN_A, 8, 8, 1},
	{"cpu4", CPU_POLICY_ORIGIN_B, 8, 8, 1},
	{"cpu4", CPU_POLICY_ORIGIN_C, 8, 8, 1},
	{"cpu4", CPU_POLICY_MINMOVE, 8, 10, 3},
	/* not pinned, heavy with heavy and light with light: 4 of 8 have to move */
	{"cpu5", CPU_POLICY_ORIGIN_A, 8, 8, 1},
	{"cpu5", CPU_POLICY_ORIGIN_B, 8, 8, 1},
	{"cpu5", CPU_POLICY_ORIGIN_C, 8, 8, 1},
	{"cpu5", CPU_POLICY_MINMOVE, 8, 12, 3},
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

/* The settings of the course. */
static void mem_config(struct config *cfg, enum mem_policy_id policy)
{
	run_config(cfg, false, true, 2);
	cfg->mem_policy = policy;
	cfg->memory_cycle_s = 2;
	cfg->host_reserve_kib = 200 * 1024;
	cfg->mem_hold_s = 20;
	cfg->mem_decay_s = 13;
	cfg->mem_boot_s = 0;
}

/* What every memory run owes: no kill, no call that fails, the host's reserve, gentle steps, then silence. */
static void check_guards(const struct run *r, const char *what)
{
	if (r->report.oom_kills)
		fail_msg("%s: %ld out-of-memory kills", what, r->report.oom_kills);
	if (r->report.min_available_kib < 200 * 1024)
		fail_msg("%s: the host had %ld KiB available", what, (long)r->report.min_available_kib);
	assert_int_equal(r->failed, 0);
	for (size_t i = 0; i < r->n_vms; i++) {
		const struct run_vm *v = &r->vms[i];
		if (v->biggest_cut_pct > 25)
			fail_msg("%s: %s was cut by %.1f %% at once", what, v->name, v->biggest_cut_pct);
		if (v->least_usable_at_cut_kib < 100 * 1024)
			fail_msg("%s: %s was to have %ld KiB usable", what, v->name,
				(long)v->least_usable_at_cut_kib);
	}
	if (r->last_balloon_s > 300)
		fail_msg("%s: a change at %.0f s", what, r->last_balloon_s);
}

/* A consumer: reaches its peak, ends at 450 MiB or less within 45 cycles of 2 s (and 12 s that it holds),
 * without a step up on the way. */
static void check_eater(
	const struct run *r, const char *what, const char *name, double peak_least, double peak_most)
{
	const struct run_vm *v = run_vm(r, name);
	if (v->peak < peak_least || v->peak > peak_most)
		fail_msg("%s: %s peaked at %.0f MiB", what, name, v->peak);
	if (v->t_fell_s < 0 || v->t_fell_s - v->t_peak_s > 102)
		fail_msg("%s: %s peaked at %.0f s and fell at %.0f s", what, name, v->t_peak_s, v->t_fell_s);
	if (v->rose_again)
		fail_msg("%s: %s was given memory on its way down", what, name);
	if (v->end > 450 || v->end < 350)
		fail_msg("%s: %s ends at %.0f MiB", what, name, v->end);
}

static void check_idle(const struct run *r, const char *what, const char *name)
{
	const struct run_vm *v = run_vm(r, name);
	if (v->ups || v->peak > 512 || v->end < 512 - 128)
		fail_msg("%s: idle %s: %d up, peak %.0f MiB, end %.0f MiB", what, name, v->ups, v->peak,
			v->end);
}

struct mem_case {
	const char *scenario;
	const char *eaters[5], *shorts[3], *idle[4];
	int changes_least, changes_most;
};

static const struct mem_case mem_cases[] = {
	{"mem1", {"eater"}, {NULL}, {"idle-1", "idle-2", "idle-3"}, 40, 80},
	{"mem2", {"eater-1", "eater-2", "eater-3", "eater-4"}, {NULL}, {NULL}, 120, 230},
	{"mem3", {"long-1", "long-2"}, {"short-1", "short-2"}, {NULL}, 80, 160},
	{"mem4", {"long"}, {"short"}, {"idle-1", "idle-2"}, 50, 100},
};

static void check_mem_run(const struct mem_case *c, const struct run *r, const char *what)
{
	check_guards(r, what);
	for (size_t i = 0; c->eaters[i]; i++)
		check_eater(r, what, c->eaters[i], 1948, 2048);
	for (size_t i = 0; c->shorts[i]; i++)
		check_eater(r, what, c->shorts[i], 560, 760);
	for (size_t i = 0; c->idle[i]; i++)
		check_idle(r, what, c->idle[i]);
	if (r->balloons < c->changes_least || r->balloons > c->changes_most)
		fail_msg("%s: %d changes, expected %d to %d", what, r->balloons, c->changes_least,
			c->changes_most);
}

static void check_mem_case(const struct mem_case *c, enum mem_policy_id policy)
{
	struct config cfg;
	struct run r;
	char what[80];
	mem_config(&cfg, policy);
	run_scenario(&r, &(struct run_options){.scenario = c->scenario, .cfg = &cfg, .seconds = 500});
	snprintf(what, sizeof what, "%s, %s", c->scenario, mem_policy_name(policy));
	check_mem_run(c, &r, what);
	run_done(&r);
}

/* Case 3 on a host so small that, above 200 MiB, the two long ones cannot reach their maximum unless the two
 * short ones give back what they had at their peak. */
static void check_tight_host(enum mem_policy_id policy)
{
	struct config cfg;
	struct run r;
	const char *text = NULL;
	size_t len = 0;
	for (size_t i = 0; scenario_name(i); i++)
		if (strcmp(scenario_name(i), "mem3") == 0)
			text = scenario_text(i, &len);
	assert_non_null(text);
	char *tight = strndup(text, len), *size = strstr(tight, "6400M");
	assert_non_null(size);
	memcpy(size, "5888M", 5);
	mem_config(&cfg, policy);
	run_scenario(&r, &(struct run_options){.scenario = tight, .cfg = &cfg, .seconds = 500});
	check_mem_run(&mem_cases[2], &r, "mem3, tight");
	double both = run_vm(&r, "short-1")->peak + run_vm(&r, "short-2")->peak;
	assert_true(2 * 1948 + both + 4 * 32 + 512 + 200 > 5888 - 100); /* it really was tight */
	run_done(&r);
	free(tight);
}

static void test_tight_host(void **state)
{
	(void)state;
	check_tight_host(MEM_POLICY_ORIGIN_C);
	check_tight_host(MEM_POLICY_WATERMARK);
}

static void test_mem_origin_c(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof mem_cases / sizeof *mem_cases; i++)
		check_mem_case(&mem_cases[i], MEM_POLICY_ORIGIN_C);
}

static void test_mem_watermark(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof mem_cases / sizeof *mem_cases; i++)
		check_mem_case(&mem_cases[i], MEM_POLICY_WATERMARK);
}

/* Four hungry guests and 1 GiB above the reserve: how far apart they end. */
static double hungry_spread(struct run *r, const struct config *cfg)
{
	double least = 1e9, most = 0;
	run_scenario(r, &(struct run_options){.scenario = "mem5", .cfg = cfg, .seconds = 600});
	for (size_t i = 0; i < r->n_vms; i++) {
		least = r->vms[i].end < least ? r->vms[i].end : least;
		most = r->vms[i].end > most ? r->vms[i].end : most;
	}
	assert_int_equal(r->report.oom_kills, 0);
	return most - least;
}

static void test_hungry_watermark(void **state)
{
	(void)state;
	struct config cfg;
	struct run r;
	run_config(&cfg, false, true, 2);
	cfg.mem_policy = MEM_POLICY_WATERMARK;
	cfg.memory_cycle_s = 2;
	assert_true(hungry_spread(&r, &cfg) <= 64);
	assert_true(r.report.min_available_kib >= 768 * 1024); /* the reserve of a host of 6 GiB */
	assert_true(r.report.min_available_kib < 900 * 1024);  /* and the rest was given */
	run_done(&r);
}

/* origin-c serves whoever asks first: it keeps the host's 200 MiB and kills nobody, but its guests end
 * further apart. */
static void test_hungry_origin_c(void **state)
{
	(void)state;
	struct config cfg;
	struct run r;
	mem_config(&cfg, MEM_POLICY_ORIGIN_C);
	double spread = hungry_spread(&r, &cfg);
	assert_true(spread > 64 && spread < 200);
	assert_true(r.report.min_available_kib >= 200 * 1024);
	run_done(&r);
}

/* With the other settings as they are from the start the peaks are the same; the way down is slower, and ends
 * within ten minutes. */
static void test_mem_defaults(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof mem_cases / sizeof *mem_cases; i++) {
		const struct mem_case *c = &mem_cases[i];
		struct config cfg;
		struct run r;
		run_config(&cfg, false, true, 2);
		cfg.mem_policy = MEM_POLICY_WATERMARK;
		run_scenario(
			&r, &(struct run_options){.scenario = c->scenario, .cfg = &cfg, .seconds = 1000});
		assert_int_equal(r.report.oom_kills, 0);
		assert_true(r.report.min_available_kib >= 768 * 1024);
		for (size_t k = 0; c->eaters[k]; k++) {
			const struct run_vm *v = run_vm(&r, c->eaters[k]);
			assert_true(v->peak >= 1948);
			assert_true(v->end <= 450 && v->t_fell_s - v->t_peak_s < 600);
			assert_false(v->rose_again);
		}
		for (size_t k = 0; c->idle[k]; k++)
			check_idle(&r, c->scenario, c->idle[k]);
		assert_true(r.last_balloon_s < 800);
		run_done(&r);
	}
}

/* Without the coordinator a consumer dies: the scenario can fail. */
static void test_mem_manual(void **state)
{
	(void)state;
	struct config cfg;
	struct run r;
	mem_config(&cfg, MEM_POLICY_ORIGIN_C);
	cfg.auto_memory = false;
	run_scenario(&r, &(struct run_options){.scenario = "mem2", .cfg = &cfg, .seconds = 200});
	assert_int_equal(r.report.oom_kills, 4);
	assert_int_equal(r.balloons, 0);
	run_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpu_cases),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_mem_origin_c),
		cmocka_unit_test(test_mem_watermark),
		cmocka_unit_test(test_tight_host),
		cmocka_unit_test(test_mem_defaults),
		cmocka_unit_test(test_hungry_watermark),
		cmocka_unit_test(test_hungry_origin_c),
		cmocka_unit_test(test_mem_manual),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
