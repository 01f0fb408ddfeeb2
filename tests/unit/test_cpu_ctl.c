/* SPDX-License-Identifier: MIT */
/* The CPU controller: the problem it states, the pins it makes of moves, who is left alone, what it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "../../src/core/cpu_problem.h"
#include "support/fixture.h"
#include "support/plan_check.h"

#define assert_near(a, b) assert_float_equal(a, b, 0.05)

/* Eight VMs of one vCPU on pCPU 0 of four, each as busy as that allows. */
static void stacked(struct fixture *f)
{
	fx_init(f, &(struct fx_host){.pcpus = 4});
	for (unsigned i = 1; i <= 8; i++) {
		fx_vm(f, i, 1);
		fx_pin(f, i, 0, "0");
		fx_load(f, i, 0, 12.5, 87.5);
	}
	fx_start(f);
}

static struct cpu_verdict plan_round(struct cpu_ctl *c, struct fixture *f, enum round_mode mode)
{
	struct cpu_verdict v;
	const struct round *r = fx_round(f, mode);
	assert_int_equal(cpu_ctl_plan(c, r, &f->plan, &v, &f->e), 0);
	const char *broken = plan_check(&f->plan, &f->s);
	if (broken)
		fail_msg("policy %d: %s", (int)f->cfg.cpu_policy, broken);
	return v;
}

static void carry_out(struct cpu_ctl *c, struct fixture *f)
{
	fx_apply(f);
	cpu_ctl_applied(c, &f->round, &f->plan);
}

static struct cpu_ctl *controller(struct fixture *f, enum cpu_policy_id id)
{
	f->cfg.cpu_policy = id;
	struct cpu_ctl *c = cpu_ctl_new(&f->cfg, &f->e);
	assert_non_null(c);
	return c;
}

static const struct action *pin_of(const struct fixture *f, unsigned number, int vcpu)
{
	size_t vm = fx_vm_index(f, number);
	for (size_t i = 0; i < f->plan.n; i++)
		if (f->plan.actions[i].vm == vm && f->plan.actions[i].vcpu == vcpu)
			return &f->plan.actions[i];
	return NULL;
}

static const char *cpus(const struct cpuset *s)
{
	static char text[64];
	cpuset_format(s, text, sizeof text);
	return text;
}

static void first_sample_plans_nothing(void **state)
{
	(void)state;
	struct fixture f;
	stacked(&f);
	struct cpu_ctl *c = controller(&f, CPU_POLICY_ORIGIN_C);
	struct cpu_verdict v = plan_round(c, &f, ROUND_FORCED);
	assert_int_equal(v.why.code, REASON_FIRST);
	assert_int_equal(f.plan.n, 0);
	assert_false(vf64_has(v.stddev_pct));
	cpu_ctl_free(c);
	fx_done(&f);
}

static void six_moves_are_enough(void **state)
{
	(void)state;
	struct fixture f;
	stacked(&f);
	struct cpu_ctl *c = controller(&f, CPU_POLICY_ORIGIN_C);
	fx_advance(&f, 1);
	struct cpu_verdict v = plan_round(c, &f, ROUND_AUTO);
	assert_int_equal(f.plan.n, 6);
	assert_int_equal(v.why.code, REASON_GREEDY);
	assert_string_equal(v.why.text, "sd 43.3 % > 1.2 % (5 % of the mean 25.0 %): 6 moves, 0.0 % after");
	assert_true(v.new_line);
	assert_near(v.stddev_pct.v, 43.3);
	assert_near(v.after_pct.v, 0);
	carry_out(c, &f);
	for (int i = 0; i < 4; i++)
		assert_int_equal(fx_on_pcpu(&f, i), 2);
	for (unsigned i = 1; i <= 8; i++)
		fx_load(&f, i, 0, 50, 50);
	for (int k = 0; k < 5; k++) {
		fx_advance(&f, 1);
		v = plan_round(c, &f, ROUND_AUTO);
		assert_int_equal(f.plan.n, 0);
		assert_int_equal(v.why.code, REASON_BALANCED);
		assert_int_equal(v.new_line, k == 0);
	}
	cpu_ctl_free(c);
	fx_done(&f);
}

static void pin_says_from_and_to(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 2});
	fx_vm(&f, 1, 2);
	fx_load(&f, 1, 0, 60, 0);
	fx_load(&f, 1, 1, 40, 0);
	fx_pin(&f, 1, 1, "0");
	fx_start(&f);
	fx_advance(&f, 1);
	struct cpu_ctl *c = controller(&f, CPU_POLICY_ORIGIN_C);
	plan_round(c, &f, ROUND_AUTO);
	/* vCPU 0 is pinned where it runs, vCPU 1 goes to the other pCPU. */
	assert_int_equal(f.plan.n, 2);
	assert_string_equal(cpus(&pin_of(&f, 1, 0)->to), "0");
	assert_string_equal(cpus(&pin_of(&f, 1, 0)->from), "0-1");
	assert_false(pin_of(&f, 1, 0)->from_pinned);
	assert_string_equal(cpus(&pin_of(&f, 1, 1)->to), "1");
	assert_string_equal(cpus(&pin_of(&f, 1, 1)->from), "0");
	assert_true(pin_of(&f, 1, 1)->from_pinned);
	assert_string_equal(pin_of(&f, 1, 1)->why.text, "usage 40.0 %, from pCPU 0 at 100.0 % to pCPU 1");
	cpu_ctl_free(c);
	fx_done(&f);
}

static void watching_says_and_does_nothing(void **state)
{
	(void)state;
	struct fixture f;
	stacked(&f);
	struct cpu_ctl *c = controller(&f, CPU_POLICY_ORIGIN_C);
	fx_advance(&f, 1);
	struct cpu_verdict v = plan_round(c, &f, ROUND_WATCH);
	assert_int_equal(f.plan.n, 0);
	assert_int_equal(v.why.code, REASON_MANUAL);
	assert_string_equal(v.why.text, "sd 43.3 % > 1.2 % (5 % of the mean 25.0 %); AUTO is off");
	assert_false(vf64_has(v.after_pct));
	cpu_ctl_free(c);
	fx_done(&f);
}

/* The dealing of origin-b moves on each time it acts; previews must not make it. */
static void preview_leaves_no_trace(void **state)
{
	(void)state;
	struct fixture f;
	stacked(&f);
	struct cpu_ctl *c = controller(&f, CPU_POLICY_ORIGIN_B);
	fx_advance(&f, 1);
	plan_round(c, &f, ROUND_AUTO);
	carry_out(c, &f);
	fx_advance(&f, 1);
	struct plan seen;
	plan_init(&seen);
	for (int i = 0; i < 3; i++) {
		struct cpu_verdict v = plan_round(c, &f, ROUND_PREVIEW);
		assert_false(v.new_line);
		if (i == 0)
			for (size_t k = 0; k < f.plan.n; k++)
				*plan_add(&seen, ACTION_PIN) = f.plan.actions[k];
	}
	plan_round(c, &f, ROUND_FORCED);
	assert_int_equal(f.plan.n, 8); /* dealt from position 1 */
	assert_int_equal(seen.n, f.plan.n);
	for (size_t k = 0; k < f.plan.n; k++)
		assert_true(cpuset_equal(&seen.actions[k].to, &f.plan.actions[k].to));
	/* A preview between a round and its outcome takes nothing away from the outcome. */
	const struct plan kept = f.plan;
	plan_init(&f.plan);
	plan_round(c, &f, ROUND_PREVIEW);
	plan_done(&f.plan);
	f.plan = kept;
	carry_out(c, &f);
	plan_done(&seen);
	cpu_ctl_free(c);
	fx_done(&f);
}

static void forced_round_says_why_there_is_no_pin(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 2});
	for (unsigned i = 1; i <= 2; i++) {
		fx_vm(&f, i, 1);
		fx_pin(&f, i, 0, i == 1 ? "0" : "1");
		fx_load(&f, i, 0, 50, 0);
	}
	fx_start(&f);
	fx_advance(&f, 1);
	struct cpu_ctl *c = controller(&f, CPU_POLICY_ORIGIN_C);
	for (int i = 0; i < 2; i++) {
		struct cpu_verdict v = plan_round(c, &f, ROUND_FORCED);
		assert_int_equal(f.plan.n, 0);
		assert_int_equal(v.why.code, REASON_NO_BETTER);
		assert_string_equal(v.why.text,
			"sd 0.0 % <= 2.5 % (5 % of the mean 50.0 %): every vCPU is where this "
			"policy puts it");
		assert_true(v.new_line);
	}
	cpu_ctl_free(c);
	fx_done(&f);
}

static void left_alone(void **state)
{
	(void)state;
	static const enum reason reasons[] = {REASON_HELD, REASON_FOREIGN, REASON_EXCLUDED, REASON_REALTIME,
		REASON_FORBIDDEN, REASON_JOB, REASON_FAILED};
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
		struct fixture f;
		stacked(&f);
		struct cpu_ctl *c = controller(&f, CPU_POLICY_ORIGIN_C);
		fx_advance(&f, 1);
		f.rules.vms[fx_vm_index(&f, 3)].cpu = reasons[i];
		f.rules.vcpus[fx_vcpu_index(&f, 5, 0)].cpu = reasons[i];
		plan_round(c, &f, ROUND_FORCED);
		assert_null(pin_of(&f, 3, 0));
		assert_null(pin_of(&f, 5, 0));
		assert_int_equal(f.plan.n, 6); /* the two count as the two that stay */
		cpu_ctl_free(c);
		fx_done(&f);
	}
}

static void all_held(void **state)
{
	(void)state;
	struct fixture f;
	stacked(&f);
	struct cpu_ctl *c = controller(&f, CPU_POLICY_ORIGIN_C);
	fx_advance(&f, 1);
	for (size_t i = 0; i < f.rules.n_vms; i++)
		f.rules.vms[i].cpu = REASON_HELD;
	struct cpu_verdict v = plan_round(c, &f, ROUND_FORCED);
	assert_int_equal(v.why.code, REASON_HELD);
	assert_string_equal(v.why.text, "all 8 vCPUs are held");
	cpu_ctl_free(c);
	fx_done(&f);
}

static void paused_and_hung_contribute_nothing(void **state)
{
	(void)state;
	struct fixture f;
	stacked(&f);
	struct cpu_ctl *c = controller(&f, CPU_POLICY_ORIGIN_C);
	fx_vm_sample(&f, 1)->state = VM_PAUSED;
	fx_vm_sample(&f, 2)->hung_since_ns = 1;
	fx_advance(&f, 1);
	plan_round(c, &f, ROUND_AUTO);
	assert_null(pin_of(&f, 1, 0));
	assert_null(pin_of(&f, 2, 0));
	assert_int_equal(f.plan.n, 4); /* of six, two stay */
	cpu_ctl_free(c);
	fx_done(&f);
}

static void no_vms(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 2});
	fx_start(&f);
	fx_advance(&f, 1);
	struct cpu_ctl *c = controller(&f, CPU_POLICY_MINMOVE);
	assert_int_equal(plan_round(c, &f, ROUND_FORCED).why.code, REASON_NO_VMS);
	cpu_ctl_free(c);
	fx_done(&f);
}

static void driver_without_vcpu_times(void **state)
{
	(void)state;
	struct fixture f;
	stacked(&f);
	for (unsigned i = 1; i <= 8; i++)
		fx_vcpu(&f, i, 0)->time_ns = vi64_absent(AVAIL_UNSUPPORTED);
	fx_advance(&f, 1);
	struct cpu_ctl *c = controller(&f, CPU_POLICY_ORIGIN_A);
	assert_int_equal(plan_round(c, &f, ROUND_FORCED).why.code, REASON_NO_DATA);
	cpu_ctl_free(c);
	fx_done(&f);
}

static void newcomer_waits_for_its_rates(void **state)
{
	(void)state;
	struct fixture f;
	stacked(&f);
	fx_advance(&f, 1);
	fx_vm(&f, 9, 1);
	fx_load(&f, 9, 0, 50, 0);
	fx_advance(&f, 1);
	struct cpu_ctl *c = controller(&f, CPU_POLICY_ORIGIN_C);
	plan_round(c, &f, ROUND_FORCED);
	assert_null(pin_of(&f, 9, 0));
	fx_advance(&f, 1);
	plan_round(c, &f, ROUND_FORCED);
	assert_non_null(pin_of(&f, 9, 0));
	cpu_ctl_free(c);
	fx_done(&f);
}

static void allowed_set_is_obeyed(void **state)
{
	(void)state;
	struct fixture f;
	stacked(&f);
	for (unsigned i = 1; i <= 8; i++)
		fx_allow(&f, i, 0, i <= 4 ? "0" : "0-1");
	fx_advance(&f, 1);
	struct cpu_ctl *c = controller(&f, CPU_POLICY_ORIGIN_C);
	plan_round(c, &f, ROUND_AUTO);
	assert_int_equal(f.plan.n, 4);
	carry_out(c, &f);
	assert_int_equal(fx_on_pcpu(&f, 0), 4);
	assert_int_equal(fx_on_pcpu(&f, 1), 4);
	cpu_ctl_free(c);
	fx_done(&f);
}

static void nothing_allowed(void **state)
{
	(void)state;
	struct fixture f;
	stacked(&f);
	for (unsigned i = 1; i <= 8; i++)
		fx_allow(&f, i, 0, "0");
	fx_advance(&f, 1);
	struct cpu_ctl *c = controller(&f, CPU_POLICY_ORIGIN_C);
	struct cpu_verdict v = plan_round(c, &f, ROUND_AUTO);
	assert_int_equal(f.plan.n, 0);
	assert_int_equal(v.why.code, REASON_NOTHING_ALLOWED);
	cpu_ctl_free(c);
	fx_done(&f);
}

/* In AUTO, balanced and without a trigger: a pin outside the rule is left all the same. */
static void leaves_what_is_not_allowed_any_more(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 4});
	for (unsigned i = 1; i <= 4; i++) {
		char cpu[4];
		snprintf(cpu, sizeof cpu, "%u", i - 1);
		fx_vm(&f, i, 1);
		fx_pin(&f, i, 0, cpu);
		fx_load(&f, i, 0, 10 * i, 0);
	}
	fx_start(&f);
	fx_advance(&f, 1);
	f.s.host.pcpus[3].online = false;
	fx_allow(&f, 3, 0, "0-1");
	fx_advance(&f, 1);
	struct cpu_ctl *c = controller(&f, CPU_POLICY_ORIGIN_A);
	f.cfg.origin_a_sd_points = 100;
	struct cpu_verdict v = plan_round(c, &f, ROUND_WATCH);
	assert_int_equal(f.plan.n, 0);
	v = plan_round(c, &f, ROUND_AUTO);
	assert_int_equal(f.plan.n, 2);
	assert_int_equal(pin_of(&f, 3, 0)->why.code, REASON_LEAVE);
	assert_string_equal(cpus(&pin_of(&f, 4, 0)->to), "2"); /* which VM 3 leaves */
	assert_string_equal(cpus(&pin_of(&f, 3, 0)->to), "0"); /* 10 % there, 20 % on pCPU 1 */
	assert_int_equal(v.why.code, REASON_LEAVE);
	carry_out(c, &f);
	fx_advance(&f, 1);
	plan_round(c, &f, ROUND_AUTO);
	assert_int_equal(f.plan.n, 0);
	cpu_ctl_free(c);
	fx_done(&f);
}

/* A rule that changes for many: they go by and by, largest first, and are spread. */
static void few_leave_in_a_round(void **state)
{
	(void)state;
	enum { VMS = 20, FEW = 8 };
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 4});
	for (unsigned i = 1; i <= VMS; i++) {
		fx_vm(&f, i, 1);
		fx_pin(&f, i, 0, "0");
		fx_load(&f, i, 0, i, 0);
		fx_allow(&f, i, 0, "1-3");
	}
	fx_start(&f);
	fx_advance(&f, 1);
	struct cpu_ctl *c = controller(&f, CPU_POLICY_MINMOVE);
	for (int round = 0; round < 3; round++) {
		plan_round(c, &f, ROUND_AUTO);
		assert_int_equal(f.plan.n, round < 2 ? FEW : VMS - 2 * FEW);
		for (size_t i = 0; i < f.plan.n; i++)
			assert_int_equal(f.plan.actions[i].why.code, REASON_LEAVE);
		carry_out(c, &f);
		assert_int_equal(pin_of(&f, VMS, 0) != NULL, round == 0);
		fx_advance(&f, 1);
	}
	for (int cpu = 1; cpu < 4; cpu++)
		assert_in_range(fx_on_pcpu(&f, cpu), VMS / 3 - 2, VMS / 3 + 2);
	cpu_ctl_free(c);
	fx_done(&f);
}

static void isolated_pcpu_is_no_target(void **state)
{
	(void)state;
	struct fixture f;
	stacked(&f);
	f.s.host.pcpus[1].isolated = true;
	fx_advance(&f, 1);
	struct cpu_ctl *c = controller(&f, CPU_POLICY_ORIGIN_C);
	plan_round(c, &f, ROUND_FORCED);
	carry_out(c, &f);
	assert_int_equal(fx_on_pcpu(&f, 1), 0);
	assert_int_equal(fx_on_pcpu(&f, 0) + fx_on_pcpu(&f, 2) + fx_on_pcpu(&f, 3), 8);
	cpu_ctl_free(c);
	fx_done(&f);
}

static void dedicated_pcpus_leave_the_pool(void **state)
{
	(void)state;
	struct fixture f;
	stacked(&f);
	fx_vm(&f, 9, 1);
	fx_pin(&f, 9, 0, "3");
	fx_allow(&f, 9, 0, "3");
	fx_vm_sample(&f, 9)->flags |= VM_FLAG_DEDICATED;
	f.rules.vms[fx_vm_index(&f, 9)].cpu = REASON_DEDICATED;
	f.rules.vms[fx_vm_index(&f, 9)].dedicated = true;
	fx_advance(&f, 1);
	fx_advance(&f, 1);
	struct cpu_ctl *c = controller(&f, CPU_POLICY_ORIGIN_C);
	plan_round(c, &f, ROUND_FORCED);
	carry_out(c, &f);
	assert_int_equal(fx_on_pcpu(&f, 3), 1);
	cpu_ctl_free(c);
	fx_done(&f);
}

static struct cpu_problem problem_of(struct fixture *f, enum granularity g)
{
	struct cpu_problem b;
	memset(&b, 0, sizeof b);
	assert_int_equal(cpu_problem_build(&b, fx_round(f, ROUND_AUTO), g, true), 0);
	return b;
}

static void units_by_granularity(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 16, .nodes = 2, .llc_cpus = 4, .smt = 2, .id_step = 3});
	fx_start(&f);
	fx_advance(&f, 1);
	static const struct {
		enum granularity g;
		size_t units;
		int cpus;
		const char *second;
	} rows[] = {
		{GRAN_CPU, 16, 1, "3"},
		{GRAN_CORE, 8, 2, "6,9"},
		{GRAN_LLC, 4, 4, "12,15,18,21"},
		{GRAN_NODE, 2, 8, "24,27,30,33,36,39,42,45"},
	};
	for (size_t i = 0; i < 4; i++) {
		struct cpu_problem b = problem_of(&f, rows[i].g);
		assert_int_equal(b.place.n_units, rows[i].units);
		assert_int_equal(b.units[1].n_cpus, rows[i].cpus);
		assert_string_equal(cpus(&b.unit_cpus[1]), rows[i].second);
		assert_int_equal(b.units[0].core, rows[i].cpus <= 2 ? 0 : -1);
		assert_int_equal(b.units[rows[i].units - 1].node, 1);
		cpu_problem_done(&b);
	}
	fx_done(&f);
}

static void granularity_in_force(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 16, .llc_cpus = 8});
	struct cpu_ctl *c = controller(&f, CPU_POLICY_MINMOVE);
	f.cfg.granularity = GRAN_AUTO;
	assert_int_equal(cpu_ctl_granularity(c, &f.cfg), GRAN_AUTO);
	f.cfg.granularity = GRAN_NODE;
	assert_int_equal(cpu_ctl_granularity(c, &f.cfg), GRAN_NODE);
	cpu_ctl_free(c);
	c = controller(&f, CPU_POLICY_ORIGIN_B);
	assert_int_equal(cpu_ctl_granularity(c, &f.cfg), GRAN_CPU);
	cpu_ctl_free(c);
	fx_done(&f);
}

static const char *allowed_units(const struct cpu_problem *b, size_t task)
{
	return cpus(b->tasks[task].allowed);
}

static void nodes_limit_where_a_vcpu_may_go(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 4, .nodes = 2});
	for (unsigned i = 1; i <= 4; i++) {
		fx_vm(&f, i, 1);
		fx_pin(&f, i, 0, "1");
	}
	fx_vm_sample(&f, 2)->mem_nodes = 2; /* on node 1 */
	fx_vm_sample(&f, 3)->mem_nodes = 2;
	fx_vm_sample(&f, 3)->mem_nodes_strict = true;
	f.rules.vms[fx_vm_index(&f, 4)].stay_on_node = true;
	fx_start(&f);
	fx_advance(&f, 1);
	struct cpu_problem b = problem_of(&f, GRAN_CPU);
	assert_string_equal(allowed_units(&b, 0), "0-1"); /* memory unknown: where it is */
	assert_string_equal(allowed_units(&b, 1), "2-3");
	assert_string_equal(allowed_units(&b, 2), "2-3");
	assert_string_equal(allowed_units(&b, 3), "0-1");
	assert_int_equal(b.n_leaving, 0); /* a wish, not a rule */
	cpu_problem_done(&b);
	f.cfg.cross_node = true;
	b = problem_of(&f, GRAN_CPU);
	assert_string_equal(allowed_units(&b, 0), "0-3");
	assert_string_equal(allowed_units(&b, 1), "0-3");
	assert_string_equal(allowed_units(&b, 2), "2-3");
	assert_string_equal(allowed_units(&b, 3), "0-1");
	cpu_problem_done(&b);
	fx_allow(&f, 3, 0, "0-1"); /* the rule wins over where the memory is */
	fx_advance(&f, 1);
	b = problem_of(&f, GRAN_CPU);
	assert_string_equal(allowed_units(&b, 2), "0-1");
	cpu_problem_done(&b);
	fx_done(&f);
}

/* Eight busy VMs on pCPU 0 of two nodes of four pCPUs each: twice what their node has, while the other idles.
 */
static void two_nodes_stacked(struct fixture *f, int vms)
{
	fx_init(f, &(struct fx_host){.pcpus = 8, .nodes = 2});
	for (unsigned i = 1; i <= (unsigned)vms; i++) {
		fx_vm(f, i, 1);
		fx_pin(f, i, 0, "0");
		fx_load(f, i, 0, 100.0 / vms, 100 - 100.0 / vms);
	}
	fx_start(f);
	fx_advance(f, 1);
}

static int on_node_1(const struct fixture *f)
{
	int n = 0;
	for (int cpu = 4; cpu < 8; cpu++)
		n += fx_on_pcpu(f, cpu);
	return n;
}

static void overloaded_node_is_relieved(void **state)
{
	(void)state;
	struct fixture f;
	two_nodes_stacked(&f, 8);
	struct cpu_ctl *c = controller(&f, CPU_POLICY_MINMOVE);
	plan_round(c, &f, ROUND_FORCED);
	assert_int_equal(f.plan.n, 7);
	carry_out(c, &f);
	for (int cpu = 0; cpu < 8; cpu++)
		assert_int_equal(fx_on_pcpu(&f, cpu), 1);
	/* Where all are served they stay, and none is called back. */
	for (unsigned i = 1; i <= 8; i++)
		fx_load(&f, i, 0, i < 5 ? 50 : 95, 0);
	fx_advance(&f, 400);
	struct cpu_problem b = problem_of(&f, GRAN_CPU);
	for (size_t t = 0; t < b.place.n_tasks; t++)
		assert_string_equal(allowed_units(&b, t), b.tasks[t].unit < 4 ? "0-3" : "4-7");
	cpu_problem_done(&b);
	cpu_ctl_free(c);
	fx_done(&f);
}

static void relief_is_for_those_with_unbound_memory(void **state)
{
	(void)state;
	struct fixture f;
	two_nodes_stacked(&f, 8);
	fx_vm_sample(&f, 1)->mem_nodes = 1;
	f.rules.vms[fx_vm_index(&f, 2)].stay_on_node = true;
	struct cpu_problem b = problem_of(&f, GRAN_CPU);
	assert_string_equal(allowed_units(&b, 0), "0-3");
	assert_string_equal(allowed_units(&b, 1), "0-3");
	assert_string_equal(allowed_units(&b, 2), "0-7");
	cpu_problem_done(&b);
	/* The designs of the origin know no nodes: only bound memory and the user keep a vCPU on one. */
	fx_vm_sample(&f, 1)->mem_nodes_strict = true;
	struct cpu_ctl *c = controller(&f, CPU_POLICY_ORIGIN_C);
	plan_round(c, &f, ROUND_FORCED);
	carry_out(c, &f);
	assert_int_equal(on_node_1(&f), 4);
	assert_true(cpuset_first(&fx_vcpu(&f, 1, 0)->affinity) < 4);
	assert_true(cpuset_first(&fx_vcpu(&f, 2, 0)->affinity) < 4);
	cpu_ctl_free(c);
	fx_done(&f);
}

/* Memory that is bound to both nodes is no leave to cross from one that serves all. */
static void bound_to_both_nodes_is_no_freedom(void **state)
{
	(void)state;
	struct fixture f;
	two_nodes_stacked(&f, 4);
	fx_vm_sample(&f, 1)->mem_nodes = 3;
	fx_vm_sample(&f, 1)->mem_nodes_strict = true;
	struct cpu_problem b = problem_of(&f, GRAN_CPU);
	assert_string_equal(allowed_units(&b, 0), "0-3");
	cpu_problem_done(&b);
	fx_done(&f);
}

/* A node that is only busy, or one beside another that has no room either, keeps its VMs. */
static void relief_needs_need_and_room(void **state)
{
	(void)state;
	struct fixture f;
	two_nodes_stacked(&f, 4);
	struct cpu_problem b = problem_of(&f, GRAN_CPU); /* 100 % of its pCPUs */
	assert_string_equal(allowed_units(&b, 0), "0-3");
	cpu_problem_done(&b);
	fx_done(&f);
	fx_init(&f, &(struct fx_host){.pcpus = 8, .nodes = 2});
	for (unsigned i = 1; i <= 12; i++) {
		fx_vm(&f, i, 1);
		fx_pin(&f, i, 0, i <= 8 ? "0-3" : "4-7");
		fx_load(&f, i, 0, i <= 8 ? 50 : 90, i <= 8 ? 50 : 0);
	}
	fx_start(&f);
	fx_advance(&f, 1);
	b = problem_of(&f, GRAN_CPU);
	assert_string_equal(allowed_units(&b, 0), "0-3");
	cpu_problem_done(&b);
	fx_done(&f);
}

static void allowed_sets_are_shared(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 8});
	for (unsigned i = 1; i <= 30; i++) {
		fx_vm(&f, i, 1);
		fx_allow(&f, i, 0, i % 3 ? "0-3" : "2-5");
	}
	fx_start(&f);
	fx_advance(&f, 1);
	struct cpu_problem b = problem_of(&f, GRAN_CPU);
	assert_int_equal(b.n_sets, 2);
	assert_ptr_equal(b.tasks[0].allowed, b.tasks[1].allowed);
	assert_ptr_equal(b.tasks[0].allowed, b.tasks[29 - 1].allowed);
	assert_ptr_not_equal(b.tasks[0].allowed, b.tasks[2].allowed);
	cpu_problem_done(&b);
	fx_done(&f);
}

static void unit_and_pinned(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 8, .llc_cpus = 4});
	fx_vm(&f, 1, 3);
	fx_pin(&f, 1, 0, "5-6");
	fx_pin(&f, 1, 1, "3-4");
	fx_vcpu(&f, 1, 2)->pcpu = vi64_absent(AVAIL_UNSUPPORTED);
	fx_start(&f);
	fx_advance(&f, 1);
	struct cpu_problem b = problem_of(&f, GRAN_LLC);
	assert_int_equal(b.tasks[0].unit, 1);
	assert_true(b.tasks[0].pinned);
	assert_int_equal(b.tasks[1].unit, 0);
	assert_false(b.tasks[1].pinned);
	assert_int_equal(b.tasks[2].unit, -1);
	assert_false(b.tasks[2].pinned);
	cpu_problem_done(&b);
	b = problem_of(&f, GRAN_CPU);
	assert_int_equal(b.tasks[0].unit, 5);
	assert_false(b.tasks[0].pinned);
	cpu_problem_done(&b);
	fx_done(&f);
}

/* At the granularity of an LLC a pin is all of its pCPUs that the rule allows. */
static void pin_to_an_llc(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 16, .llc_cpus = 8});
	for (unsigned i = 1; i <= 16; i++) {
		fx_vm(&f, i, 1);
		fx_pin(&f, i, 0, "0-7");
		fx_allow(&f, i, 0, "0-11");
		fx_load(&f, i, 0, 50, 50);
	}
	f.cfg.granularity = GRAN_LLC;
	fx_start(&f);
	struct cpu_ctl *c = controller(&f, CPU_POLICY_MINMOVE);
	for (int i = 0; i < 3; i++) {
		fx_advance(&f, 1);
		plan_round(c, &f, ROUND_FORCED);
		if (f.plan.n)
			break;
	}
	assert_true(f.plan.n > 0);
	for (size_t i = 0; i < f.plan.n; i++)
		assert_string_equal(cpus(&f.plan.actions[i].to), "8-11");
	cpu_ctl_free(c);
	fx_done(&f);
}

static void unknown_policy_is_refused(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	struct config cfg;
	fx_config(&cfg);
	cfg.cpu_policy = (enum cpu_policy_id)99;
	assert_null(cpu_ctl_new(&cfg, &e));
	assert_int_equal(e.code, ERR_USAGE);
	cpu_ctl_free(NULL);
}

static void steady_round_does_not_allocate(void **state)
{
	(void)state;
	for (int id = CPU_POLICY_MINMOVE; id < CPU_POLICY_COUNT; id++) {
		struct fixture f;
		fx_init(&f, &(struct fx_host){.pcpus = 32});
		for (unsigned i = 1; i <= 100; i++) {
			fx_vm(&f, i, 2);
			fx_load(&f, i, 0, i % 7 * 3, 0);
			fx_load(&f, i, 1, i % 5 * 3, 0);
			fx_pin(&f, i, 0, i % 2 ? "0" : "1");
			fx_pin(&f, i, 1, i % 3 ? "2" : "3");
		}
		fx_start(&f);
		struct cpu_ctl *c = controller(&f, (enum cpu_policy_id)id);
		for (int k = 0; k < 4; k++) {
			fx_advance(&f, 1);
			plan_round(c, &f, ROUND_FORCED);
			plan_round(c, &f, ROUND_PREVIEW);
		}
		struct cpu_verdict v;
		struct mallinfo2 a = mallinfo2();
		for (int k = 0; k < 4; k++) {
			fx_advance(&f, 1);
			cpu_ctl_plan(c, fx_round(&f, ROUND_FORCED), &f.plan, &v, &f.e);
			cpu_ctl_plan(c, fx_round(&f, ROUND_PREVIEW), &f.plan, &v, &f.e);
		}
		struct mallinfo2 b = mallinfo2();
		assert_int_equal(a.uordblks + a.hblkhd, b.uordblks + b.hblkhd);
		cpu_ctl_free(c);
		fx_done(&f);
	}
}

static void random_host(struct fixture *f, struct fx_random *r)
{
	fx_init(f, &(struct fx_host){
			   .pcpus = 1 + (int)fx_random(r, 12),
			   .nodes = 1 + (int)fx_random(r, 2),
			   .llc_cpus = (int)fx_random(r, 5),
			   .smt = 1 + (int)fx_random(r, 2),
			   .id_step = 1 + (int)fx_random(r, 3),
		   });
	f->cfg.cross_node = fx_random(r, 2);
	f->cfg.granularity = (enum granularity)fx_random(r, 5);
	for (unsigned i = 1; i <= fx_random(r, 12); i++) {
		int n = (int)fx_random(r, 5);
		fx_vm(f, i, n);
		fx_vm_sample(f, i)->mem_nodes = fx_random(r, 4);
		fx_vm_sample(f, i)->mem_nodes_strict = fx_random(r, 2);
		for (int k = 0; k < n; k++) {
			fx_load(f, i, k, fx_random(r, 100), fx_random(r, 60));
			struct vcpu_sample *v = fx_vcpu(f, i, k);
			if (fx_random(r, 3) == 0)
				for (int w = 0; w < 4; w++)
					v->allowed.w[0] &= ~(UINT64_C(1) << fx_random(r, 30));
			if (fx_random(r, 8) == 0)
				cpuset_clear(&v->allowed);
			if (fx_random(r, 2)) {
				cpuset_clear(&v->affinity);
				cpuset_add(&v->affinity,
					f->s.host.pcpus[fx_random(r, (uint32_t)f->s.host.n_pcpus)].id);
			}
			if (fx_random(r, 6) == 0)
				v->affinity_avail = AVAIL_DENIED;
			if (fx_random(r, 6) == 0)
				f->rules.vcpus[fx_vcpu_index(f, i, k)].cpu = REASON_HELD;
		}
		if (fx_random(r, 8) == 0)
			f->rules.vms[fx_vm_index(f, i)].cpu = REASON_EXCLUDED;
	}
	for (size_t i = 0; i < f->s.host.n_pcpus; i++) {
		f->s.host.pcpus[i].online = fx_random(r, 8) != 0;
		f->s.host.pcpus[i].isolated = fx_random(r, 10) == 0;
	}
}

/* Whatever the host: pins lie in allowed sets and change something, nobody who is held is touched, and what
 * the greedy presets have done they do not do again. */
static void random_hosts_keep_the_invariants(void **state)
{
	(void)state;
	struct fx_random r = {42};
	for (int trial = 0; trial < 600; trial++) {
		struct fixture f;
		random_host(&f, &r);
		fx_start(&f);
		enum cpu_policy_id id = (enum cpu_policy_id)(trial % 4);
		struct cpu_ctl *c = controller(&f, id);
		struct cpu_verdict v;
		for (int round = 0; round < 3; round++) {
			fx_advance(&f, 1);
			v = plan_round(c, &f, fx_random(&r, 2) ? ROUND_FORCED : ROUND_AUTO);
			assert_true(v.why.code != REASON_NONE && v.why.text[0]);
			for (size_t i = 0; i < f.plan.n; i++) {
				const struct action *a = &f.plan.actions[i];
				const struct vm_sample *vm = &f.s.vms[a->vm];
				size_t k = (size_t)(sample_vcpu(&f.s, vm, a->vcpu) - f.s.vcpus);
				assert_int_equal(f.rules.vms[a->vm].cpu, REASON_NONE);
				assert_int_equal(f.rules.vcpus[k].cpu, REASON_NONE);
				assert_true(cpuset_subset(&a->to, &f.m.vcpus[k].target));
			}
			carry_out(c, &f);
			plan_round(c, &f, ROUND_PREVIEW);
		}
		if (id == CPU_POLICY_ORIGIN_A || id == CPU_POLICY_ORIGIN_C) {
			plan_round(c, &f, ROUND_FORCED);
			carry_out(c, &f);
			v = plan_round(c, &f, ROUND_FORCED);
			for (size_t i = 0; i < f.plan.n;
				i++) /* where nothing can be read back it is asked again */
				assert_int_not_equal(sample_vcpu(&f.s, &f.s.vms[f.plan.actions[i].vm],
							     f.plan.actions[i].vcpu)
							     ->affinity_avail,
					AVAIL_OK);
		}
		cpu_ctl_free(c);
		fx_done(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_sample_plans_nothing),
		cmocka_unit_test(six_moves_are_enough),
		cmocka_unit_test(pin_says_from_and_to),
		cmocka_unit_test(watching_says_and_does_nothing),
		cmocka_unit_test(preview_leaves_no_trace),
		cmocka_unit_test(forced_round_says_why_there_is_no_pin),
		cmocka_unit_test(left_alone),
		cmocka_unit_test(all_held),
		cmocka_unit_test(paused_and_hung_contribute_nothing),
		cmocka_unit_test(no_vms),
		cmocka_unit_test(driver_without_vcpu_times),
		cmocka_unit_test(newcomer_waits_for_its_rates),
		cmocka_unit_test(allowed_set_is_obeyed),
		cmocka_unit_test(nothing_allowed),
		cmocka_unit_test(leaves_what_is_not_allowed_any_more),
		cmocka_unit_test(few_leave_in_a_round),
		cmocka_unit_test(isolated_pcpu_is_no_target),
		cmocka_unit_test(dedicated_pcpus_leave_the_pool),
		cmocka_unit_test(units_by_granularity),
		cmocka_unit_test(granularity_in_force),
		cmocka_unit_test(nodes_limit_where_a_vcpu_may_go),
		cmocka_unit_test(overloaded_node_is_relieved),
		cmocka_unit_test(relief_is_for_those_with_unbound_memory),
		cmocka_unit_test(bound_to_both_nodes_is_no_freedom),
		cmocka_unit_test(relief_needs_need_and_room),
		cmocka_unit_test(allowed_sets_are_shared),
		cmocka_unit_test(unit_and_pinned),
		cmocka_unit_test(pin_to_an_llc),
		cmocka_unit_test(unknown_policy_is_refused),
		cmocka_unit_test(steady_round_does_not_allocate),
		cmocka_unit_test(random_hosts_keep_the_invariants),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
