/* SPDX-License-Identifier: MIT */
/* minmove as it is by default: who is left to the kernel, who is freed and when, what is taken back, and what
 * is said. The loads are given by hand, reading by reading. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/core/relief.h"
#include "support/fixture.h"
#include "support/plan_check.h"

static struct fixture f;
static struct cpu_ctl *c;
static struct cpu_verdict v;

static void host(const struct fx_host *h)
{
	fx_init(&f, h);
	f.cfg.granularity = GRAN_AUTO;
	f.cfg.cpu_policy = CPU_POLICY_MINMOVE;
	c = cpu_ctl_new(&f.cfg, &f.e);
	assert_non_null(c);
}

static void done(void)
{
	cpu_ctl_free(c);
	fx_done(&f);
}

/* One reading after `s` seconds; the pins of the round are carried out. Returns how many. */
static size_t reading(double s, enum round_mode mode)
{
	fx_advance(&f, s);
	const struct round *r = fx_round(&f, mode);
	assert_int_equal(cpu_ctl_plan(c, r, &f.plan, &v, &f.e), 0);
	const char *broken = plan_check(&f.plan, &f.s);
	if (broken)
		fail_msg("%s", broken);
	if (mode == ROUND_AUTO || mode == ROUND_FORCED) {
		fx_apply(&f);
		cpu_ctl_applied(c, &f.round, &f.plan);
	}
	return f.plan.n;
}

static size_t readings(int n, double s)
{
	size_t pins = 0;
	for (int i = 0; i < n; i++)
		pins += reading(s, ROUND_AUTO);
	return pins;
}

static const char *to_text(size_t i)
{
	static char text[64];
	cpuset_format(&f.plan.actions[i].to, text, sizeof text);
	return text;
}

/* n VMs of one busy vCPU, all pinned to pCPU 0. */
static void stack(unsigned n)
{
	for (unsigned i = 1; i <= n; i++) {
		fx_vm(&f, i, 1);
		fx_pin(&f, i, 0, "0");
		fx_load(&f, i, 0, 100.0 / n, 100 - 100.0 / n);
	}
	fx_start(&f);
}

static void a_stack_is_freed_once_it_has_lasted(void **state)
{
	(void)state;
	int idle = 0;
	host(&(struct fx_host){.pcpus = 4});
	stack(4);
	assert_int_equal(reading(2, ROUND_AUTO), 0);
	assert_int_equal(v.why.code, REASON_CONFIRM);
	assert_non_null(strstr(v.why.text, "4 of 4 vCPUs wait, up to 75 %, beside pCPUs with room"));
	assert_int_equal(reading(2, ROUND_AUTO), 0);
	assert_int_equal(reading(2, ROUND_AUTO), 3);
	assert_int_equal(v.why.code, REASON_FREE);
	assert_non_null(
		strstr(v.why.text, "3 of 4 vCPUs freed for the kernel to spread, as 4 waited up to 75 %"));
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(f.plan.actions[i].why.code, REASON_FREE);
		assert_string_equal(to_text(i), "0-3");
	}
	assert_non_null(
		strstr(f.plan.actions[0].why.text, "waited 75 % of the last minute on pCPU 0 at 400 %"));
	/* The kernel spreads them: nobody waits, nothing is done any more. */
	for (unsigned i = 1; i <= 4; i++) {
		fx_load(&f, i, 0, 100, 0);
		if (cpuset_count(&fx_vcpu(&f, i, 0)->affinity) > 1)
			fx_runs_on(&f, i, 0, ++idle);
	}
	assert_int_equal(readings(600, 2), 0);
	assert_int_equal(v.why.code, REASON_BALANCED);
	done();
}

static void b_does_it_at_once_and_says_so(void **state)
{
	(void)state;
	host(&(struct fx_host){.pcpus = 4});
	stack(4);
	assert_int_equal(reading(2, ROUND_PREVIEW), 3);
	assert_int_equal(reading(2, ROUND_FORCED), 3);
	done();
}

static void manual_says_what_auto_would_do(void **state)
{
	(void)state;
	host(&(struct fx_host){.pcpus = 4});
	stack(4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(reading(2, ROUND_WATCH), 0);
	assert_int_equal(v.why.code, REASON_MANUAL);
	assert_non_null(strstr(v.why.text, "3 of 4 vCPUs"));
	assert_non_null(strstr(v.why.text, "AUTO is off"));
	done();
}

static void those_that_float_are_left_to_the_kernel(void **state)
{
	(void)state;
	host(&(struct fx_host){.pcpus = 4});
	for (unsigned i = 1; i <= 6; i++) {
		fx_vm(&f, i, 2);
		for (int k = 0; k < 2; k++) {
			fx_runs_on(&f, i, k, (int)i % 4);
			fx_load(&f, i, k, 40, 20);
		}
	}
	fx_start(&f);
	assert_int_equal(readings(200, 2), 0);
	assert_int_equal(reading(2, ROUND_FORCED), 0);
	assert_int_equal(v.why.code, REASON_NO_WAIT);
	for (unsigned i = 1; i <= 6; i++)
		for (int k = 0; k < 2; k++)
			fx_load(&f, i, k, 30, 0);
	assert_int_equal(reading(2, ROUND_FORCED), 0);
	assert_non_null(strstr(v.why.text, "nobody waits, 12 of 12 float: left to the kernel"));
	done();
}

static void evenly_pinned_ones_stay(void **state)
{
	(void)state;
	host(&(struct fx_host){.pcpus = 4});
	for (unsigned i = 1; i <= 8; i++) {
		char cpu[8];
		snprintf(cpu, sizeof cpu, "%u", i % 4);
		fx_vm(&f, i, 1);
		fx_pin(&f, i, 0, cpu);
		fx_load(&f, i, 0, 38, 17);
	}
	fx_start(&f);
	assert_int_equal(readings(500, 2), 0);
	assert_int_equal(reading(2, ROUND_FORCED), 0);
	assert_int_equal(v.why.code, REASON_BALANCED);
	done();
}

/* Usage is 100 % everywhere: five share one pCPU, seven have one each. */
static void the_starved_are_freed_also_where_nothing_is_idle(void **state)
{
	(void)state;
	host(&(struct fx_host){.pcpus = 8});
	for (unsigned i = 1; i <= 12; i++) {
		char cpu[8];
		snprintf(cpu, sizeof cpu, "%u", i <= 5 ? 0 : i - 5);
		fx_vm(&f, i, 1);
		fx_pin(&f, i, 0, cpu);
		fx_load(&f, i, 0, i <= 5 ? 20 : 100, i <= 5 ? 80 : 0);
	}
	fx_start(&f);
	size_t pins = readings(20, 2);
	assert_true(pins == 3);
	done();
}

/* The kernel did not do what was hoped for: those that were freed wait as long as before. */
static void what_does_not_help_is_taken_back_and_rests(void **state)
{
	(void)state;
	static const int rests_s[] = {590, 1190, 2390};
	host(&(struct fx_host){.pcpus = 4});
	stack(4);
	for (size_t k = 0; k < 3; k++) {
		size_t pins = 0;
		double waited_s = 0;
		while (!(pins = reading(2, ROUND_AUTO)))
			waited_s += 2;
		assert_int_equal(pins, 3);
		assert_int_equal(v.why.code, REASON_FREE);
		if (k)
			assert_in_range((int)waited_s, rests_s[k - 1], rests_s[k - 1] + 20);
		for (waited_s = 0; !(pins = reading(2, ROUND_AUTO));)
			waited_s += 2;
		assert_int_equal(pins, 3);
		assert_true(waited_s >= 30 && waited_s < 50);
		assert_int_equal(v.why.code, REASON_TAKE_BACK);
		assert_non_null(strstr(v.why.text,
			"3 of 3 changes taken back: the change did not help: waits 75 % of "
			"what it wants, before 75 %"));
		assert_string_equal(to_text(0), "0");
	}
	reading(2, ROUND_AUTO);
	assert_int_equal(v.why.code, REASON_RESTING);
	/* A person who asks knows better. */
	assert_int_equal(reading(2, ROUND_FORCED), 3);
	done();
}

/* It waits more than before, but so would it where it was. */
static void nobody_goes_back_into_a_worse_place(void **state)
{
	(void)state;
	host(&(struct fx_host){.pcpus = 2});
	stack(2);
	assert_int_equal(readings(3, 2), 1);
	unsigned freed = f.plan.actions[0].vm == 0 ? 1 : 2;
	fx_load(&f, freed, 0, 50, 50);
	fx_runs_on(&f, freed, 0, 1);
	fx_load(&f, 3 - freed, 0, 50, 50);
	fx_background(&f, 0, 50);
	fx_background(&f, 1, 50);
	for (unsigned i = 3; i <= 5; i++) { /* and pCPU 0 filled up since */
		fx_vm(&f, i, 1);
		fx_pin(&f, i, 0, "0");
		fx_load(&f, i, 0, 20, 80);
		f.rules.vcpus[fx_vcpu_index(&f, i, 0)].cpu = REASON_HELD;
	}
	assert_int_equal(readings(200, 2), 0);
	done();
}

static void waiting_for_a_quota_is_none_for_a_pcpu(void **state)
{
	(void)state;
	host(&(struct fx_host){.pcpus = 4});
	stack(2);
	for (unsigned i = 1; i <= 2; i++) {
		fx_load(&f, i, 0, 20, 80);
		fx_vm_sample(&f, i)->quota_pct = vf64_ok(20);
	}
	assert_int_equal(readings(100, 2), 0);
	done();
}

/* A vCPU that wants 2 % is not worth a pin because the host's own work comes and goes. */
static void tiny_demands_move_nobody(void **state)
{
	(void)state;
	struct fx_random r = {7};
	host(&(struct fx_host){.pcpus = 4});
	for (unsigned i = 1; i <= 4; i++) {
		fx_vm(&f, i, 1);
		fx_pin(&f, i, 0, i % 2 ? "0" : "1");
	}
	fx_start(&f);
	size_t pins = 0;
	for (int k = 0; k < 500; k++) {
		for (unsigned i = 1; i <= 4; i++)
			fx_load(&f, i, 0, 2, fx_random_real(&r, 0, 1.5));
		fx_background(&f, 0, fx_random_real(&r, 0, 70));
		pins += reading(2, ROUND_AUTO);
	}
	assert_int_equal(pins, 0);
	done();
}

/* Rhythms of any length: each vCPU is freed once at most, and then there is nothing left to do. */
static void rhythms_cost_one_pin_a_vcpu(void **state)
{
	(void)state;
	static const int periods[] = {2, 8, 45, 200};
	for (size_t p = 0; p < sizeof periods / sizeof *periods; p++) {
		size_t pins = 0;
		host(&(struct fx_host){.pcpus = 4});
		for (unsigned i = 1; i <= 8; i++) {
			fx_vm(&f, i, 1);
			fx_pin(&f, i, 0, i <= 4 ? "0" : "1");
		}
		fx_start(&f);
		for (int k = 0; k < 500; k++) {
			bool low = k / periods[p] % 2;
			for (unsigned i = 1; i <= 8; i++) {
				bool on = low == (i <= 4);
				bool bound = cpuset_count(&fx_vcpu(&f, i, 0)->affinity) == 1;
				fx_load(&f, i, 0, on ? (bound ? 25 : 90) : 2, on && bound ? 70 : 0);
			}
			pins += reading(2, ROUND_AUTO);
		}
		if (pins > 8)
			fail_msg("period of %d readings: %zu pins", periods[p], pins);
		done();
	}
}

static void those_that_may_not_be_touched_count_and_stay(void **state)
{
	(void)state;
	host(&(struct fx_host){.pcpus = 4});
	stack(4);
	f.rules.vcpus[fx_vcpu_index(&f, 1, 0)].cpu = REASON_HELD;
	f.rules.vcpus[fx_vcpu_index(&f, 2, 0)].cpu = REASON_FOREIGN;
	assert_int_equal(readings(3, 2), 2);
	for (size_t i = 0; i < 2; i++)
		assert_true(f.plan.actions[i].vm >= 2);
	done();
}

/* Whatever the host: who floats is not touched, nobody loses a pCPU, and a preview leaves no trace. */
static void random_hosts_lose_no_freedom(void **state)
{
	(void)state;
	struct fx_random r = {11};
	for (int trial = 0; trial < 60; trial++) {
		host(&(struct fx_host){
			.pcpus = 1 + (int)fx_random(&r, 12), .smt = 1 + (int)fx_random(&r, 2)});
		int pcpus = (int)f.s.host.n_pcpus;
		for (unsigned i = 1; i <= 8; i++) {
			fx_vm(&f, i, 1 + (int)fx_random(&r, 3));
			for (int k = 0; k < (int)fx_vm_sample(&f, i)->n_vcpus; k++) {
				char cpu[8];
				snprintf(cpu, sizeof cpu, "%u", fx_random(&r, (uint32_t)pcpus));
				if (fx_random(&r, 2))
					fx_pin(&f, i, k, cpu);
			}
		}
		fx_start(&f);
		for (int round = 0; round < 25; round++) {
			for (size_t k = 0; k < f.s.n_vcpus; k++)
				f.load[k] = (struct fx_vcpu){
					fx_random_real(&r, 0, 60), fx_random_real(&r, 0, 40)};
			reading(2, fx_random(&r, 4) ? ROUND_AUTO : ROUND_FORCED);
			for (size_t i = 0; i < f.plan.n; i++) {
				const struct action *a = &f.plan.actions[i];
				if (a->why.code != REASON_FREE)
					continue;
				assert_true(cpuset_subset(&a->from, &a->to));
				assert_true(cpuset_count(&a->from) < pcpus);
			}
		}
		done();
	}
}

/* The kernel leaves two on pCPU 0, whose cpuset it does not balance, while node 1 idles. */
static void where_the_kernel_fails_there_is_a_way_out_and_back(void **state)
{
	(void)state;
	host(&(struct fx_host){.pcpus = 4, .nodes = 2});
	f.cfg.cross_node = true;
	for (unsigned i = 1; i <= 2; i++) {
		fx_vm(&f, i, 1);
		fx_runs_on(&f, i, 0, 0);
		fx_load(&f, i, 0, 50, 50);
	}
	fx_background(&f, 1, 95);
	fx_start(&f);
	assert_int_equal(readings(4, 2), 0);
	assert_int_equal(v.why.code, REASON_CONFIRM);
	assert_int_equal(readings(2, 2), 1); /* one is enough */
	unsigned out = cpuset_count(&fx_vcpu(&f, 1, 0)->affinity) == 2 ? 1 : 2;
	assert_true(cpuset_has(&fx_vcpu(&f, out, 0)->affinity, 2));
	fx_runs_on(&f, out, 0, 2);
	for (unsigned i = 1; i <= 2; i++)
		fx_load(&f, i, 0, 100, 0);
	assert_int_equal(readings(295, 2), 0);
	assert_int_equal(readings(10, 2), 1); /* ten minutes later it is as found */
	assert_int_equal(cpuset_count(&fx_vcpu(&f, out, 0)->affinity), 4);
	assert_int_equal(readings(300, 2), 0);
	done();
}

static void waiting_by_the_loads(void **state)
{
	(void)state;
	/* As measured: two of 43 % wait 16 % each; n busy ones wait (n - 1) / n. */
	assert_float_equal(relief_wait(.43, .43), .156, .005);
	assert_float_equal(relief_wait(1, 4), .8, 1e-9);
	assert_float_equal(relief_wait(1, 0), 0, 0);
	assert_float_equal(relief_wait(0, 3), 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stack_is_freed_once_it_has_lasted),
		cmocka_unit_test(b_does_it_at_once_and_says_so),
		cmocka_unit_test(manual_says_what_auto_would_do),
		cmocka_unit_test(those_that_float_are_left_to_the_kernel),
		cmocka_unit_test(evenly_pinned_ones_stay),
		cmocka_unit_test(the_starved_are_freed_also_where_nothing_is_idle),
		cmocka_unit_test(what_does_not_help_is_taken_back_and_rests),
		cmocka_unit_test(nobody_goes_back_into_a_worse_place),
		cmocka_unit_test(waiting_for_a_quota_is_none_for_a_pcpu),
		cmocka_unit_test(tiny_demands_move_nobody),
		cmocka_unit_test(rhythms_cost_one_pin_a_vcpu),
		cmocka_unit_test(those_that_may_not_be_touched_count_and_stay),
		cmocka_unit_test(random_hosts_lose_no_freedom),
		cmocka_unit_test(where_the_kernel_fails_there_is_a_way_out_and_back),
		cmocka_unit_test(waiting_by_the_loads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
