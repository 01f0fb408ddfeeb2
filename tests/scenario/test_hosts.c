/* SPDX-License-Identifier: MIT */
/* Hosts that are harder than the acceptance cases: overload that usage does not show, balance that cannot be
 * had, numbers with holes, rules to obey, things that happen in mid-run, calls that fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/run_scenario.h"

static const enum cpu_policy_id last_policy = CPU_POLICY_COUNT - 1;

static void run_cpu(struct run *r, const char *scenario, enum cpu_policy_id policy, double seconds,
	void (*look)(void *arg, const struct snapshot *s), void *arg)
{
	struct config cfg;
	run_config(&cfg, true, false, 2);
	cfg.cpu_policy = policy;
	run_scenario(
		r, &(struct run_options){
			   .scenario = scenario, .cfg = &cfg, .seconds = seconds, .look = look, .arg = arg});
}

/* All pCPUs read 100 %: who looks at usage sees balance and does nothing, for ever. (origin-c is saved here
 * by the quiet minute before: 5 % of next to nothing is a strict limit.) */
static void test_hidden_overload(void **state)
{
	(void)state;
	struct run r;
	for (enum cpu_policy_id p = CPU_POLICY_ORIGIN_A; p <= CPU_POLICY_ORIGIN_B; p++) {
		run_cpu(&r, "hidden", p, 200, NULL, NULL);
		assert_int_equal(r.pins, 0);
		assert_int_equal(r.ticks[r.n - 1].cpu, REASON_BALANCED);
		assert_true(r.ticks[r.n - 1].load_pct.v < .1);
		assert_true(r.ticks[r.n - 1].true_pct > 170);
		run_done(&r);
	}
	run_cpu(&r, "hidden", CPU_POLICY_MINMOVE, 200, NULL, NULL);
	assert_int_equal(r.pins, 3);
	assert_true(run_settled_s(&r, 5) > 60 && run_settled_s(&r, 5) < 75);
	run_done(&r);
}

/* 60 % five times on four: minmove sees that it is as good as can be; origin-c repacks once; origin-b, which
 * acts whenever the deviation has not fallen, never stops. */
static void test_indivisible(void **state)
{
	(void)state;
	struct run r;
	run_cpu(&r, "indivisible", CPU_POLICY_MINMOVE, 300, NULL, NULL);
	assert_int_equal(r.pins, 0);
	assert_true(r.ticks[r.n - 1].cpu == REASON_NO_BETTER || r.ticks[r.n - 1].cpu == REASON_UNATTAINABLE ||
		    r.ticks[r.n - 1].cpu == REASON_BALANCED);
	run_done(&r);
	run_cpu(&r, "indivisible", CPU_POLICY_ORIGIN_C, 300, NULL, NULL);
	assert_int_equal(r.pins, 5);
	assert_int_equal(r.ticks[r.n - 1].cpu, REASON_NO_BETTER);
	run_done(&r);
	run_cpu(&r, "indivisible", CPU_POLICY_ORIGIN_B, 300, NULL, NULL);
	assert_true(r.pins > 300);
	assert_int_equal(r.ticks[r.n - 1].cpu, REASON_ZIGZAG);
	run_done(&r);
}

/* 20 minutes of waves, 8 vCPUs, a dwell of 30 s: 320 pins is what the rules allow; far fewer are needed. */
static void test_square_waves(void **state)
{
	(void)state;
	struct run r;
	run_cpu(&r, "square", CPU_POLICY_MINMOVE, 1200, NULL, NULL);
	assert_true(r.pins >= 4 && r.pins <= 32);
	assert_true(r.last_pin_s < 600);
	run_done(&r);
}

/* Whole VMs cannot be balanced when two of them are half of the load. */
static void test_multi_vcpu(void **state)
{
	(void)state;
	struct run r;
	run_cpu(&r, "multi", CPU_POLICY_MINMOVE, 300, NULL, NULL);
	assert_true(r.ticks[r.n - 1].true_pct < 10);
	assert_true(r.pins < 45);
	assert_true(r.last_pin_s < 150);
	run_done(&r);
	run_cpu(&r, "multi", CPU_POLICY_ORIGIN_C, 300, NULL, NULL);
	assert_true(r.ticks[r.n - 1].true_pct < 10);
	run_done(&r);
	run_cpu(&r, "multi", CPU_POLICY_ORIGIN_A, 300, NULL, NULL);
	assert_true(r.ticks[r.n - 1].true_pct > 100);
	run_done(&r);
}

/* pCPU 65 is offline and 1001 isolated: nothing ever runs there. */
static void look_sparse(void *arg, const struct snapshot *s)
{
	(void)arg;
	for (size_t i = 0; i < s->sample.n_vcpus; i++) {
		assert_int_not_equal(s->sample.vcpus[i].pcpu.v, 65);
		assert_int_not_equal(s->sample.vcpus[i].pcpu.v, 1001);
	}
}

static void test_sparse_numbers(void **state)
{
	(void)state;
	for (enum cpu_policy_id p = CPU_POLICY_MINMOVE; p <= last_policy; p++) {
		struct run r;
		run_cpu(&r, "sparse", p, 200, look_sparse, NULL);
		assert_true(r.pins >= 5);
		assert_int_equal(r.failed, 0);
		assert_int_equal(r.last->sample.vcpus[r.last->sample.n_vcpus - 1].affinity_avail, AVAIL_OK);
		run_done(&r);
	}
}

static void look_tied(void *arg, const struct snapshot *s)
{
	int *seen = arg;
	for (size_t i = 0; i < s->sample.n_vms; i++) {
		const struct vm_sample *vm = &s->sample.vms[i];
		if (strcmp(vm->name, "tied") != 0)
			continue;
		for (size_t k = 0; k < vm->n_vcpus; k++, ++*seen)
			assert_true(s->sample.vcpus[vm->first_vcpu + k].pcpu.v <= 1);
	}
}

static void test_allowed_set(void **state)
{
	(void)state;
	for (enum cpu_policy_id p = CPU_POLICY_MINMOVE; p <= last_policy; p++) {
		struct run r;
		int seen = 0;
		run_cpu(&r, "cpuset3", p, 200, look_tied, &seen);
		assert_true(seen >= 300);
		assert_true(r.pins >= 4);
		run_done(&r);
	}
}

static void test_two_nodes(void **state)
{
	(void)state;
	for (enum cpu_policy_id p = CPU_POLICY_MINMOVE; p <= last_policy; p++) {
		struct run r;
		run_cpu(&r, "nodes", p, 200, NULL, NULL);
		double settled = run_settled_s(&r, 5);
		assert_true(settled >= 0 && settled <= (p == CPU_POLICY_ORIGIN_B ? 40 : 10));
		run_done(&r);
	}
}

/* Somebody else pins steady-1 at 140 s: hands off for ten minutes. */
static void look_churn(void *arg, const struct snapshot *s)
{
	int *appeared = arg;
	for (size_t i = 0; i < s->n_actions; i++) {
		const struct action *a = &s->actions[i];
		const char *name = s->sample.vms[a->vm].name;
		if (a->kind == ACTION_PIN && strcmp(name, "steady-1") == 0 &&
			s->sample.time_ns > INT64_C(1141000000000))
			fail_msg("steady-1 was pinned in spite of the foreign pin");
		if (a->kind == ACTION_PIN && strcmp(name, "guest-2") == 0 &&
			s->sample.vms[a->vm].hung_since_ns)
			fail_msg("guest-2 was pinned while its monitor hung");
	}
	for (size_t i = 0; i < s->n_log; i++)
		*appeared += s->log[i].seq == s->log[s->n_log - 1].seq &&
			     strstr(s->log[i].text, "visitor appeared") != NULL;
}

static void test_churn(void **state)
{
	(void)state;
	for (enum cpu_policy_id p = CPU_POLICY_MINMOVE; p <= last_policy; p++) {
		struct config cfg;
		struct run r;
		int appeared = 0;
		run_config(&cfg, true, true, 2);
		cfg.cpu_policy = p;
		run_scenario(&r, &(struct run_options){.scenario = "churn",
					 .cfg = &cfg,
					 .seconds = 600,
					 .look = look_churn,
					 .arg = &appeared});
		assert_int_equal(r.report.oom_kills, 0);
		assert_true(r.n >= 295);
		assert_true(r.pins >= 8);
		run_done(&r);
	}
}

static void look_pin_of_others(void *arg, const struct snapshot *s)
{
	int *pins = arg;
	for (size_t i = 0; i < s->n_actions; i++)
		*pins += strcmp(s->sample.vms[s->actions[i].vm].name, "wanted") == 0 &&
			 s->sample.time_ns > INT64_C(1040000000000);
}

/* One pin by somebody else, held for ten seconds; afterwards the policy moves that vCPU to and fro, also back
 * to where it was found. That is one pin of others all the same, and AUTO stays on. */
static void test_one_foreign_pin_is_no_rival(void **state)
{
	(void)state;
	struct config cfg;
	struct run r;
	int pins = 0;
	run_config(&cfg, true, false, 1);
	cfg.cpu_policy = CPU_POLICY_ORIGIN_C;
	cfg.foreign_hold_s = 10;
	run_scenario(
		&r, &(struct run_options){.scenario = "host\n pcpus 2\nvm other x4\n load 40% noise 20%\n"
						      "vm wanted\n load 40% noise 20%\n"
						      "at 20s pin wanted 0\n",
			    .cfg = &cfg,
			    .seconds = 200,
			    .look = look_pin_of_others,
			    .arg = &pins});
	assert_true(pins > 20);
	assert_true(r.last->auto_cpu);
	run_done(&r);
}

static void look_fight(void *arg, const struct snapshot *s)
{
	int *pins = arg;
	for (size_t i = 0; i < s->n_actions; i++)
		pins[strcmp(s->sample.vms[s->actions[i].vm].name, "wanted") == 0]++;
}

/* Somebody who pins the same vCPU whenever it was moved gets the VM, for longer each time; the others are
 * steered all the while. */
static void test_a_rival_gets_the_vm_alone(void **state)
{
	(void)state;
	struct config cfg;
	struct run r;
	int pins[2] = {0};
	run_config(&cfg, true, false, 1);
	cfg.cpu_policy = CPU_POLICY_ORIGIN_C;
	cfg.foreign_hold_s = 5;
	run_scenario(
		&r, &(struct run_options){.scenario = "host\n pcpus 2\nvm other x4\n load 40% noise 20%\n"
						      "vm wanted\n load 40% noise 20%\n"
						      "at 20s every 10s pin wanted 0\n",
			    .cfg = &cfg,
			    .seconds = 600,
			    .look = look_fight,
			    .arg = pins});
	assert_true(r.last->auto_cpu);
	assert_true(pins[0] > 200);
	assert_in_range(pins[1], 1, 60); /* otherwise hundreds */
	bool said = false;
	for (size_t i = 0; i < r.last->n_log; i++)
		said |= strstr(r.last->log[i].text,
				"wanted: somebody else pins the same vCPUs again and again") != NULL;
	assert_true(said || r.last->n_log == SNAPSHOT_LOG);
	run_done(&r);
}

/* The n-th change fails, or its answer is lost, for each n of a short run: in the end all is done all the
 * same. */
static void test_failing_changes(void **state)
{
	(void)state;
	for (enum cpu_policy_id p = CPU_POLICY_MINMOVE; p <= last_policy; p++)
		for (int n = 1; n <= 7; n++)
			for (int lost = 0; lost < 2; lost++) {
				char text[200], per_pcpu[64];
				struct run r;
				snprintf(text, sizeof text, "fail apply %d%s\nvm vm x8\n load 60%%\n pin 0\n",
					n, lost ? " unknown" : "");
				run_cpu(&r, text, p, 200, NULL, NULL);
				assert_string_equal(run_per_pcpu(&r, per_pcpu, sizeof per_pcpu), "2 2 2 2");
				assert_int_equal(r.failed, n <= 6);
				run_done(&r);
			}
}

static void test_failing_samples(void **state)
{
	(void)state;
	struct run r;
	char per_pcpu[64];
	run_cpu(&r, "fail sample 2 3 9\nvm vm x8\n load 60%\n pin 0\n", CPU_POLICY_ORIGIN_C, 60, NULL, NULL);
	assert_string_equal(run_per_pcpu(&r, per_pcpu, sizeof per_pcpu), "2 2 2 2");
	assert_int_equal(r.pins, 6);
	run_done(&r);
}

/* A pCPU goes offline under its vCPUs and comes back. */
static void test_offline(void **state)
{
	(void)state;
	struct run r;
	char per_pcpu[64];
	run_cpu(&r, "vm vm x8\n load 45%\n pin each 0-3\nat 20s offline 3\nat 60s online 3\n",
		CPU_POLICY_ORIGIN_C, 120, NULL, NULL);
	assert_string_equal(run_per_pcpu(&r, per_pcpu, sizeof per_pcpu), "2 2 2 2");
	assert_int_equal(r.failed, 0);
	assert_true(run_settled_s(&r, 5) > 59 && run_settled_s(&r, 5) < 80);
	run_done(&r);
}

/* A thousand VMs: one simulated minute in a blink, and every plan keeps the invariants. */
static void test_big_host(void **state)
{
	(void)state;
	struct run r;
	run_cpu(&r, "big512", CPU_POLICY_MINMOVE, 60, NULL, NULL);
	assert_int_equal(r.last->sample.n_vms, 1000);
	assert_int_equal(r.last->sample.host.n_pcpus, 512);
	assert_true(r.ticks[r.n - 1].true_pct < r.ticks[0].true_pct);
	run_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hidden_overload),
		cmocka_unit_test(test_indivisible),
		cmocka_unit_test(test_square_waves),
		cmocka_unit_test(test_multi_vcpu),
		cmocka_unit_test(test_sparse_numbers),
		cmocka_unit_test(test_allowed_set),
		cmocka_unit_test(test_two_nodes),
		cmocka_unit_test(test_churn),
		cmocka_unit_test(test_one_foreign_pin_is_no_rival),
		cmocka_unit_test(test_a_rival_gets_the_vm_alone),
		cmocka_unit_test(test_failing_changes),
		cmocka_unit_test(test_failing_samples),
		cmocka_unit_test(test_offline),
		cmocka_unit_test(test_big_host),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
