/* SPDX-License-Identifier: MIT */
/* minmove as it is by default, on the acceptance cases and on hosts where somebody else left pins behind:
 * what the guests wait beside MANUAL, by how many changes, and that it rests then. The waiting is the
 * simulator's own, not what was read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run_scenario.h"

enum { SECONDS = 600 };

/* Waiting in vCPU-seconds; pins, and when the last of them was made. */
static double waited_by(
	const char *scenario, enum granularity by, double delay_s, bool act, int *pins, double *last_s)
{
	struct config cfg;
	struct run r;
	run_config(&cfg, act, false, delay_s);
	cfg.granularity = by;
	run_scenario(&r, &(struct run_options){.scenario = scenario, .cfg = &cfg, .seconds = SECONDS});
	assert_string_equal(r.broken, "");
	double waiting = r.report.waiting_vcpu_s;
	*pins = r.pins;
	*last_s = r.last_pin_s;
	run_done(&r);
	return waiting;
}

static double waited(const char *scenario, double delay_s, bool act, int *pins, double *last_s)
{
	return waited_by(scenario, GRAN_AUTO, delay_s, act, pins, last_s);
}

struct row {
	const char *scenario;
	double delay_s;
	double part; /* of what they wait in MANUAL, at most */
	int pins;    /* at most */
	double last_pin_s;
};

static void check(const struct row *x)
{
	int pins, none;
	double last_s, unused;
	double manual = waited(x->scenario, x->delay_s, false, &none, &unused);
	double relief = waited(x->scenario, x->delay_s, true, &pins, &last_s);
	assert_int_equal(none, 0);
	if (relief > x->part * manual + 1)
		fail_msg("%.40s: waits %.0f s, in MANUAL %.0f s", x->scenario, relief, manual);
	if (pins > x->pins || last_s > x->last_pin_s)
		fail_msg("%.40s: %d pins, the last at %.0f s", x->scenario, pins, last_s);
}

static void acceptance_cases(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"cpu1", 1, .3, 8, 30},
		{"cpu2", 1, .4, 8, 30},
		{"cpu3", 1, 1, 0, -1},
		{"cpu4", 1, .72, 2, 25}, /* its kernel does not balance: two have to be led out */
		{"cpu5", 1, .85, 2, 25},
		{"cpu6", 1, 1, 0, -1},
		{"cpu7", 1, .5, 8, SECONDS},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check(&rows[i]);
}

static void what_others_left_is_cured(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"nodes", 2, .1, 8, 60},
		{"sparse", 2, .1, 8, 60},
		{"cpuset3", 2, .2, 8, 120},
		{"multi", 2, .3, 40, 120},
		{"square", 2, .65, 12, SECONDS},
		{"churn", 2, .5, 12, SECONDS},
		{"demo", 2, .15, 20, SECONDS},
		/* All pCPUs are wanted by more than they have: the same waiting, shared out more evenly. */
		{"hidden", 2, 1.001, 3, 120},
		{"overload", 2, 1.01, 8, SECONDS},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check(&rows[i]);
}

/* Pins that each cost somebody something, and loads that do not last. */
static void pinned_loads_that_change(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"seed 1\nhost\n\tpcpus 8\n\tbackground 0-3 square 80% 5% every 90s noise 10%\n"
		 "\tbackground 4-7 square 80% 5% every 90s shift 45s noise 10%\n"
		 "vm web x8\n\tload 45% noise 10%\n\tpin each 0-7\n",
			2, .5, 8, 200},
		{"seed 2\nhost\n\tpcpus 4\nvm web x12\n\tload bursts 100% 2% every 6s for 1s\n\tpin each "
		 "0-3\n",
			2, .6, 12, SECONDS},
		{"seed 3\nhost\n\tpcpus 4\nvm a x4\n\tload square 95% 5% every 8s\n\tpin each 0-3\n"
		 "vm b x4\n\tload square 95% 5% every 8s shift 2.7s\n\tpin each 0-3\n"
		 "vm c x4\n\tload square 95% 5% every 8s shift 5.3s\n\tpin each 0-3\n",
			2, 1, 12, SECONDS},
		/* Half a minute is short for this noise: what helped is not taken back for what chance did
		 * to the others. */
		{"seed 5\nhost\n\tpcpus 4\nvm web x11\n\tload bursts 100% 3% every 7s for 1s\n\tpin each "
		 "0-3\n",
			2, .7, 12, SECONDS},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check(&rows[i]);
}

/* Nobody is bound who was not: these end as they would have without vmtop, to the last millisecond. */
static void floating_loads_are_not_touched(void **state)
{
	(void)state;
	static const char *const loads[] = {
		"seed 1\nhost\n\tpcpus 4\nvm web x12\n\tload bursts 100% 2% every 6s for 1s\n",
		"seed 2\nhost\n\tpcpus 8\nvm web x10\n\tload 60% noise 15%\n",
		"seed 3\nhost\n\tpcpus 24\n\tllc 8\nvm big\n\tvcpus 8\n\tload 70% noise 10%\nvm mid "
		"x3\n\tvcpus 4\n"
		"\tload 50% noise 10%\nvm small x10\n\tload bursts 90% 5% every 30s for 10s\n",
		"seed 4\nhost\n\tpcpus 8\n\tnodes 2\nvm web x20\n\tload 80% noise 20%\n",
		"seed 5\nhost\n\tpcpus 4\nvm web x8\n\tload square 100% 5% every 20s\n",
		"seed 6\nhost\n\tpcpus 32\nvm huge\n\tvcpus 64\n\tload 35% noise 10%\n",
	};
	for (size_t i = 0; i < sizeof loads / sizeof *loads; i++) {
		int pins, none;
		double last_s, manual = waited(loads[i], 2, false, &none, &last_s);
		assert_float_equal(waited(loads[i], 2, true, &pins, &last_s), manual, 1e-6);
		assert_int_equal(pins, 0);
	}
}

/* Placing what floats and bursts on single pCPUs makes it wait: what is seen to is taken back, said with the
 * numbers, and rests. The designs of the origin do as they do. */
static void placed_and_worse_is_taken_back(void **state)
{
	(void)state;
	for (int policy = 0; policy < CPU_POLICY_COUNT; policy++) {
		struct config cfg;
		struct run r;
		int back = 0;
		run_config(&cfg, true, false, 2);
		cfg.granularity = GRAN_CPU;
		cfg.cpu_policy = (enum cpu_policy_id)policy;
		run_scenario(&r, &(struct run_options){.scenario = "seed 1\nhost\n\tpcpus 4\n"
								   "vm a x10\n\tload bursts 90% 2% "
								   "every 8s for 3s\nvm b x2\n\tload 60%\n",
					 .cfg = &cfg,
					 .seconds = 1200});
		assert_string_equal(r.broken, "");
		for (size_t i = 0; i < r.n; i++) {
			if (r.ticks[i].cpu != REASON_TAKE_BACK)
				continue;
			back++;
			assert_true(r.ticks[i].pins > 0);
			assert_non_null(strstr(r.ticks[i].cpu_text, "made it worse: waits"));
		}
		if (policy == CPU_POLICY_MINMOVE)
			assert_true(back > 0 && r.pins < 200);
		else
			assert_int_equal(back, 0);
		run_done(&r);
	}
}

/* Whose load comes and goes has no place that is right for long, whatever was asked for: who floated is left
 * to the kernel again, and it stays at that. */
static void restless_floaters_are_left(void **state)
{
	(void)state;
	static const char *const loads[] = {
		"host\n\tpcpus 4\nvm web x11\n\tload bursts 100% 3% every 7s for 1s\n",
		"host\n\tpcpus 8\nvm web x14\n\tload bursts 95% 2% every 10s for 3s noise 10%\n",
	};
	for (size_t i = 0; i < 2; i++)
		for (int seed = 1; seed <= 3; seed++) {
			int pins, none;
			double last_s, unused;
			char scn[160];
			snprintf(scn, sizeof scn, "seed %d\n%s", seed, loads[i]);
			double manual = waited(scn, 2, false, &none, &unused);
			double bound = waited_by(scn, GRAN_CPU, 2, true, &pins, &last_s);
			if (bound > 1.5 * manual + 40 || last_s > 420)
				fail_msg("load %zu, seed %d: waits %.0f s, in MANUAL %.0f s; %d pins, the "
					 "last at "
					 "%.0f s",
					i, seed, bound, manual, pins, last_s);
		}
}

/* Whoever is bound to lesser pCPUs while larger ones idle does as much as can be done, and once is enough. */
static void lesser_pcpus_are_left(void **state)
{
	(void)state;
	static const char *const hosts[] = {
		"host\n\tpcpus 8\n\tcapacity 60% 4-7\nvm a x4\n\tload 100%\n\tpin each 4-7\n",
		"host\n\tpcpus 8\n\tcapacity 60% 4-7\nvm a x4\n\tload 95% noise 5%\n\tpin each 4-7\n"
		"vm b x4\n\tload 10%\n\tpin each 0-3\n",
		"host\n\tpcpus 24\n\tsmt 2\n\tcapacity 75% 16-23\nvm a x4\n\tload 100%\n\tpin each 16-19\n"
		"vm b x4\n\tload 30%\n",
	};
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
		for (int by = GRAN_AUTO; by <= GRAN_CPU; by++) {
			struct config cfg;
			struct run r;
			run_config(&cfg, true, false, 2);
			cfg.granularity = (enum granularity)by;
			run_scenario(&r,
				&(struct run_options){.scenario = hosts[i], .cfg = &cfg, .seconds = SECONDS});
			assert_string_equal(r.broken, "");
			int large = 0;
			for (size_t v = 0; v < r.last->sample.n_vcpus; v++) {
				const struct vcpu_sample *c = &r.last->sample.vcpus[v];
				int first = cpuset_first(&c->affinity);
				bool busy = r.last->vcpu_rates[v].usage_pct.v > 80;
				large += busy && !pcpu_lesser(sample_pcpu(&r.last->sample, first));
			}
			/* Of those that are free the kernel may keep one on a lesser pCPU. */
			double work = by == GRAN_AUTO ? .75 : .95;
			if (large < 4 || r.report.work_vcpu_s < work * 4 * (SECONDS - 10))
				fail_msg("host %zu, by %d: %d may use large ones, work %.0f s", i, by, large,
					r.report.work_vcpu_s);
			if (r.pins > 12 || r.last_pin_s > 60)
				fail_msg("host %zu, by %d: %d pins, the last at %.0f s", i, by, r.pins,
					r.last_pin_s);
			run_done(&r);
		}
}

/* Noise moves nobody, by default and where each vCPU is placed on a pCPU: as many pins in 20 seeds. */
static void noise_moves_nobody(void **state)
{
	(void)state;
	static const struct {
		const char *load;
		int pins;
	} rows[] = {
		/* The host's own work comes and goes, and nobody wants more than 2 %. */
		{"host\n\tpcpus 4\n\tbackground 0-3 bursts 60% 2% every 20s for 6s\n"
		 "vm a x4\n\tload 2%\n\tpin 0\nvm b x4\n\tload 2% noise 30%\n\tpin each 0-3\n",
			0},
		{"host\n\tpcpus 4\n\tbackground 0-1 square 50% 5% every 60s noise 20%\n"
		 "vm a x6\n\tload 2% noise 20%\n\tpin each 0-3\n",
			0},
		/* Two have to share whatever is done. */
		{"host\n\tpcpus 4\nvm a x5\n\tload 60% noise 8%\n\tpin each 0-3\n", 0},
		/* Quiet at first, then all wait on one pCPU while each other has one: three are moved. */
		{"host\n\tpcpus 4\nvm a x5\n\tload steps 0s:2% 60s:97% noise 10%\n\tpin 0\n"
		 "vm b x3\n\tload steps 0s:2% 60s:97% noise 10%\n\tpin each 1-3\n",
			3},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (int seed = 1; seed <= 20; seed++) {
			char text[400];
			int free, placed;
			double last_s;
			snprintf(text, sizeof text, "seed %d\n%s", seed, rows[i].load);
			waited_by(text, GRAN_AUTO, 2, true, &free, &last_s);
			waited_by(text, GRAN_CPU, 2, true, &placed, &last_s);
			if (free != rows[i].pins || placed != rows[i].pins)
				fail_msg("row %zu, seed %d: %d pins, %d by pCPU", i, seed, free, placed);
		}
}

/* Five of 60 % on four pCPUs: two have to share whatever is done, so nothing is, whatever the noise. */
static void what_cannot_be_divided_stays(void **state)
{
	(void)state;
	for (int seed = 1; seed <= 20; seed++) {
		char text[200];
		int pins;
		double last_s;
		snprintf(text, sizeof text,
			"seed %d\nhost\n\tpcpus 4\nvm a\n\tload 60%% noise 10%%\n\tpin 0\n"
			"vm b x4\n\tload 60%% noise 10%%\n\tpin each 0-3\n",
			seed);
		waited(text, 2, true, &pins, &last_s);
		if (pins)
			fail_msg("seed %d: %d pins", seed, pins);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(acceptance_cases),
		cmocka_unit_test(what_others_left_is_cured),
		cmocka_unit_test(pinned_loads_that_change),
		cmocka_unit_test(floating_loads_are_not_touched),
		cmocka_unit_test(what_cannot_be_divided_stays),
		cmocka_unit_test(noise_moves_nobody),
		cmocka_unit_test(restless_floaters_are_left),
		cmocka_unit_test(lesser_pcpus_are_left),
		cmocka_unit_test(placed_and_worse_is_taken_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
