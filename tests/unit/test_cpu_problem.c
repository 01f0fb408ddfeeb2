/* SPDX-License-Identifier: MIT */
/* The placement problem: units of many pCPUs, hosts that tell little or nonsense of their nodes, sets that
 * change all the time, vCPUs that have to leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "../../src/core/cpu_problem.h"
#include "support/fixture.h"

static struct fixture f;
static struct cpu_problem b;

static void build(enum granularity g)
{
	assert_int_equal(cpu_problem_build(&b, fx_round(&f, ROUND_AUTO), g, true), 0);
}

static void done(void)
{
	cpu_problem_done(&b);
	fx_done(&f);
}

static const char *cpus(const struct cpuset *s)
{
	static char text[64];
	cpuset_format(s, text, sizeof text);
	return text;
}

/* Busy is the mean of a unit's pCPUs and unknown when one is; fixed loads add up. */
static void a_unit_is_the_sum_of_its_pcpus(void **state)
{
	(void)state;
	fx_init(&f, &(struct fx_host){.pcpus = 8, .llc_cpus = 4});
	for (int cpu = 0; cpu < 8; cpu++)
		fx_background(&f, cpu, 10 + cpu);
	fx_start(&f);
	fx_advance(&f, 1);
	fx_advance(&f, 1);
	build(GRAN_LLC);
	assert_int_equal(b.place.n_units, 2);
	assert_float_equal(b.units[0].busy_pct, 11.5, 0.01);
	assert_float_equal(b.units[1].busy_pct, 15.5, 0.01);
	assert_float_equal(b.units[0].background_pct, 46, 0.01);
	for (int unknown = 4; unknown < 8; unknown += 3) { /* the first of a unit, the last of it */
		f.m.pcpus[unknown].busy_pct = vf64_absent(AVAIL_UNSUPPORTED);
		build(GRAN_LLC);
		assert_float_equal(b.units[1].busy_pct, -1, 0);
		assert_float_equal(b.units[0].busy_pct, 11.5, 0.01);
		f.m.pcpus[unknown].busy_pct = vf64_ok(10 + unknown);
	}
	done();
}

/* A unit of several cores, LLCs or nodes is in none of them. */
static void a_unit_is_where_all_its_pcpus_are(void **state)
{
	(void)state;
	fx_init(&f, &(struct fx_host){.pcpus = 8, .nodes = 2, .llc_cpus = 2, .smt = 2});
	fx_start(&f);
	fx_advance(&f, 1);
	build(GRAN_NODE);
	assert_int_equal(b.place.n_units, 2);
	assert_int_equal(b.units[1].node, 1);
	assert_int_equal(b.units[1].llc, -1);
	assert_int_equal(b.units[1].core, -1);
	build(GRAN_LLC);
	assert_int_equal(b.place.n_units, 4);
	assert_int_equal(b.units[2].llc, 2);
	assert_int_equal(b.units[2].node, 1);
	f.s.host.pcpus[5].node = 0; /* one LLC on two nodes */
	build(GRAN_LLC);
	assert_int_equal(b.units[2].node, -1);
	f.s.host.pcpus[5].llc = -1; /* unknown: a unit of its own */
	build(GRAN_LLC);
	assert_int_equal(b.place.n_units, 5);
	done();
}

static void impossible_nodes_are_unknown(void **state)
{
	(void)state;
	fx_init(&f, &(struct fx_host){.pcpus = 4, .nodes = 2});
	fx_vm(&f, 1, 1);
	fx_pin(&f, 1, 0, "0");
	f.s.host.pcpus[1].node = MAX_NODES;
	f.s.host.pcpus[3].node = -7;
	fx_start(&f);
	fx_advance(&f, 1);
	build(GRAN_CPU);
	assert_int_equal(b.node_of[0], 0);
	assert_int_equal(b.node_of[1], -1);
	assert_int_equal(b.node_of[2], 1);
	assert_int_equal(b.node_of[3], -1);
	assert_int_equal(b.nodes, 3);
	assert_string_equal(cpus(b.tasks[0].allowed), "0");
	done();
}

/* A vCPU that is to stay on its node, on a pCPU of no known node: where its memory is. One of which nobody
 * knows where it runs may go anywhere. */
static void where_nothing_is_known_memory_tells(void **state)
{
	(void)state;
	fx_init(&f, &(struct fx_host){.pcpus = 5, .nodes = 2});
	f.s.host.pcpus[4].node = -1;
	for (unsigned i = 1; i <= 2; i++)
		fx_vm(&f, i, 1);
	fx_runs_on(&f, 1, 0, 4);
	fx_vm_sample(&f, 1)->mem_nodes = 1;
	f.rules.vms[fx_vm_index(&f, 1)].stay_on_node = true;
	fx_vcpu(&f, 2, 0)->pcpu = vi64_absent(AVAIL_UNSUPPORTED);
	fx_start(&f);
	fx_advance(&f, 1);
	f.rules.vms[fx_vm_index(&f, 1)].stay_on_node = true;
	build(GRAN_CPU);
	assert_string_equal(cpus(b.tasks[0].allowed), cpus(&b.node_cpus[0]));
	assert_int_equal(cpuset_count(b.tasks[1].allowed), 5);
	done();
}

/* A vCPU counts to the node that holds all its pCPUs, wherever it ran last; else to where it ran. */
static void demand_counts_to_the_node_of_the_pin(void **state)
{
	(void)state;
	fx_init(&f, &(struct fx_host){.pcpus = 8, .nodes = 2});
	for (unsigned i = 1; i <= 6; i++) {
		fx_vm(&f, i, 1);
		fx_pin(&f, i, 0, "0-3");
		fx_runs_on(&f, i, 0, 5); /* on its way back */
		fx_load(&f, i, 0, 90, 0);
	}
	fx_start(&f);
	fx_advance(&f, 1);
	build(GRAN_CPU);
	assert_int_equal(b.short_nodes, 1); /* 540 % on four pCPUs */
	assert_int_equal(b.roomy_nodes, 2);
	for (unsigned i = 1; i <= 6; i++)
		fx_pin(&f, i, 0, "3-4"), fx_runs_on(&f, i, 0, 5);
	fx_advance(&f, 1);
	build(GRAN_CPU);
	assert_int_equal(b.short_nodes, 2);
	assert_int_equal(b.roomy_nodes, 1);
	f.cfg.cross_node = true; /* then nobody has to ask */
	build(GRAN_CPU);
	assert_int_equal(b.short_nodes | b.roomy_nodes, 0);
	done();
}

/* Where its memory is bound it stays, even if that node is short and another one has room; memory on several
 * nodes lets it go among those. */
static void memory_binds_where_a_node_is_short(void **state)
{
	static const struct {
		uint64_t mem_nodes;
		const char *allowed;
	} rows[] = {{1, "0-3"}, {2, "4-7"}, {3, "0-7"}, {0, "0-7"}};
	(void)state;
	for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
		fx_init(&f, &(struct fx_host){.pcpus = 8, .nodes = 2});
		for (unsigned i = 1; i <= 6; i++) {
			fx_vm(&f, i, 1);
			fx_pin(&f, i, 0, "0-3");
			fx_load(&f, i, 0, 90, 0);
			fx_vm_sample(&f, i)->mem_nodes = rows[k].mem_nodes;
		}
		fx_start(&f);
		fx_advance(&f, 1);
		build(GRAN_CPU);
		assert_int_equal(b.short_nodes, 1);
		assert_string_equal(cpus(b.tasks[0].allowed), rows[k].allowed);
		done();
	}
}

/* It runs on a node where none of its memory is: it is to go to where that is. Whoever may cross stays
 * anywhere, unless its memory is bound strictly. */
static void memory_that_is_elsewhere_calls(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		fx_init(&f, &(struct fx_host){.pcpus = 12, .nodes = 3});
		fx_vm(&f, 1, 1);
		fx_pin(&f, 1, 0, "0-3");
		fx_load(&f, 1, 0, 10, 0);
		fx_vm_sample(&f, 1)->mem_nodes = 6;
		fx_vm_sample(&f, 1)->mem_nodes_strict = i == 2;
		f.cfg.cross_node = i > 0;
		fx_start(&f);
		fx_advance(&f, 1);
		build(GRAN_CPU);
		assert_string_equal(cpus(b.tasks[0].allowed), i == 1 ? "0-11" : "4-11");
		done();
	}
}

/* Rules that are other ones each round: what nobody has any more is forgotten in time. */
static void sets_do_not_pile_up(void **state)
{
	(void)state;
	enum { N = 10 };
	fx_init(&f, &(struct fx_host){.pcpus = 64});
	for (unsigned i = 1; i <= N; i++)
		fx_vm(&f, i, 1);
	fx_start(&f);
	for (int round = 0; round < 60; round++) {
		for (unsigned i = 1; i <= N; i++) {
			cpuset_clear(&fx_vcpu(&f, i, 0)->allowed);
			cpuset_add(&fx_vcpu(&f, i, 0)->allowed, (int)(i + (unsigned)round) % 64);
			cpuset_add(&fx_vcpu(&f, i, 0)->allowed, round);
		}
		fx_advance(&f, 1);
		build(GRAN_CPU);
		assert_true(b.n_sets <= 4 * N);
		for (unsigned i = 0; i < N; i++)
			assert_true(cpuset_equal(b.tasks[i].allowed, &fx_vcpu(&f, i + 1, 0)->allowed));
	}
	done();
}

/* The same sets are right for other units: they are made anew when a pCPU goes or the granularity changes. */
static void sets_follow_the_units(void **state)
{
	(void)state;
	fx_init(&f, &(struct fx_host){.pcpus = 8, .llc_cpus = 2});
	for (unsigned i = 1; i <= 20; i++)
		fx_vm(&f, i, 1);
	fx_allow(&f, 1, 0, "2-5");
	fx_start(&f);
	fx_advance(&f, 1);
	build(GRAN_CPU);
	assert_string_equal(cpus(b.tasks[0].allowed), "2-5");
	build(GRAN_LLC);
	assert_string_equal(cpus(b.tasks[0].allowed), "1-2");
	build(GRAN_CPU);
	f.s.host.pcpus[0].online = false; /* unit 0 is pCPU 1 now */
	fx_advance(&f, 1);
	build(GRAN_CPU);
	assert_string_equal(cpus(b.tasks[0].allowed), "1-4");
	assert_false(b.same_numbers);
	done();
}

/* A weight that says nothing, and no rules at all: 1. */
static void weights(void **state)
{
	(void)state;
	fx_init(&f, &(struct fx_host){.pcpus = 2});
	for (unsigned i = 1; i <= 2; i++)
		fx_vm(&f, i, 1);
	fx_start(&f);
	fx_advance(&f, 1);
	f.rules.vms[0].cpu_weight = 0;
	f.rules.vms[1].cpu_weight = 2.5;
	build(GRAN_CPU);
	assert_float_equal(b.tasks[0].weight, 1, 0);
	assert_float_equal(b.tasks[1].weight, 2.5, 0);
	f.round.rules = NULL;
	assert_int_equal(cpu_problem_build(&b, &f.round, GRAN_CPU, true), 0);
	assert_float_equal(b.tasks[1].weight, 1, 0);
	assert_int_equal(b.tasks[1].fixed, REASON_NONE);
	done();
}

/* Held, excluded, without figures, with one place to be: each is there as load, and says why it stays. */
static void those_that_stay_say_why(void **state)
{
	(void)state;
	fx_init(&f, &(struct fx_host){.pcpus = 4});
	for (unsigned i = 1; i <= 7; i++) {
		fx_vm(&f, i, 1);
		fx_pin(&f, i, 0, "2");
		fx_load(&f, i, 0, 10, 0);
	}
	fx_allow(&f, 1, 0, "2");
	fx_allow(&f, 2, 0, "1"); /* one place, but not the one where it is */
	fx_start(&f);
	cpuset_clear(&fx_vcpu(&f, 3, 0)->allowed);
	fx_vcpu(&f, 4, 0)->online = false;
	fx_vcpu(&f, 5, 0)->time_ns = vi64_absent(AVAIL_DENIED);
	fx_advance(&f, 1);
	f.rules.vcpus[fx_vcpu_index(&f, 6, 0)].cpu = REASON_HELD;
	f.rules.vms[fx_vm_index(&f, 7)].cpu = REASON_EXCLUDED;
	build(GRAN_CPU);
	assert_int_equal(b.place.n_tasks, 6); /* unplugged: not there at all */
	static const enum reason why[] = {REASON_SINGLE, REASON_NONE, REASON_NOTHING_ALLOWED, REASON_NO_DATA,
		REASON_HELD, REASON_EXCLUDED};
	for (int i = 0; i < 6; i++)
		assert_int_equal(b.tasks[i].fixed, why[i]);
	assert_int_equal(b.n_leaving, 1);
	assert_true(b.origins[1].leaving);
	done();
}

/* What does not run is no load and nobody's task, whether the rules say so or the figures. */
static void what_does_not_run_is_not_there(void **state)
{
	(void)state;
	fx_init(&f, &(struct fx_host){.pcpus = 2});
	for (unsigned i = 1; i <= 5; i++)
		fx_vm(&f, i, 1);
	fx_start(&f);
	fx_vm_sample(&f, 1)->state = VM_PAUSED;
	fx_vm_sample(&f, 2)->hung_since_ns = 1;
	fx_advance(&f, 1);
	f.rules.vms[2].cpu = REASON_NOT_RUNNING;
	f.rules.vms[3].cpu = REASON_HUNG;
	build(GRAN_CPU);
	assert_int_equal(b.place.n_tasks, 1);
	assert_int_equal(b.origins[0].vm, 4);
	done();
}

/* Four whose pCPU goes offline: each to the pCPU that has least by then, the emptiest first. */
static void those_that_leave_spread(void **state)
{
	(void)state;
	fx_init(&f, &(struct fx_host){.pcpus = 4});
	for (unsigned i = 1; i <= 4; i++) {
		fx_vm(&f, i, 1);
		fx_pin(&f, i, 0, "3");
		fx_load(&f, i, 0, 20, 0);
	}
	fx_vm(&f, 9, 1);
	fx_pin(&f, 9, 0, "1");
	fx_load(&f, 9, 0, 30, 0);
	fx_start(&f);
	fx_advance(&f, 1);
	f.s.host.pcpus[3].online = false;
	fx_advance(&f, 1);
	struct cpu_verdict v;
	struct cpu_ctl *c = cpu_ctl_new(&f.cfg, &f.e);
	assert_int_equal(cpu_ctl_plan(c, fx_round(&f, ROUND_AUTO), &f.plan, &v, &f.e), 0);
	assert_int_equal(v.why.code, REASON_LEAVE);
	assert_int_equal(f.plan.n, 4);
	assert_string_equal(f.plan.actions[0].why.text,
		"none of its pCPUs is online and allowed; to the least loaded, pCPU 0");
	fx_apply(&f);
	cpu_ctl_applied(c, &f.round, &f.plan);
	assert_int_equal(fx_on_pcpu(&f, 0), 2); /* 20 20 | 30 | 20 20 */
	assert_int_equal(fx_on_pcpu(&f, 1), 1);
	assert_int_equal(fx_on_pcpu(&f, 2), 2);
	cpu_ctl_free(c);
	fx_done(&f);
}

/* --- the pool ----------------------------------------------------------------------------------------- */

static void set(struct cpuset *s, const char *list)
{
	assert_int_equal(cpuset_parse(s, list, NULL), 0);
}

static void isolate(const char *list)
{
	struct cpuset s;
	set(&s, list);
	for (size_t i = 0; i < f.s.host.n_pcpus; i++)
		f.s.host.pcpus[i].isolated = cpuset_has(&s, f.s.host.pcpus[i].id);
}

static const char *allowed(size_t task)
{
	return cpus(b.tasks[task].allowed);
}

/* Isolated pCPUs are there for whoever names them, by rule or pin, and for nobody else. */
static void isolated_pcpus_are_theirs_who_name_them(void **state)
{
	(void)state;
	fx_init(&f, &(struct fx_host){.pcpus = 8});
	for (unsigned i = 1; i <= 5; i++)
		fx_vm(&f, i, 2);
	isolate("4-7");
	fx_allow(&f, 1, 0, "4-7"); /* by rule */
	fx_allow(&f, 1, 1, "4-7");
	fx_runs_on(&f, 1, 0, 4);
	fx_pin(&f, 2, 0, "5"); /* by pin: its VM may be on both */
	fx_pin(&f, 2, 1, "6");
	fx_allow(&f, 3, 0, "0-7"); /* all of them is no name */
	fx_pin(&f, 4, 0, "2-4");   /* some of these */
	fx_start(&f);
	fx_advance(&f, 1);
	build(GRAN_CPU);
	assert_int_equal(b.place.n_units, 8); /* all count */
	assert_string_equal(allowed(0), "4-7");
	assert_string_equal(allowed(1), "4-7");
	assert_string_equal(allowed(2), "5-6"); /* and it is not mixed with the others */
	assert_string_equal(allowed(3), "5-6");
	assert_string_equal(allowed(4), "0-3");
	assert_string_equal(allowed(6), "0-4");
	assert_string_equal(allowed(8), "0-3");
	assert_int_equal(b.n_leaving, 0);
	done();
}

/* What vmtop narrowed is remembered as it was found: an isolated pCPU can be come back to. */
static void what_was_found_is_named_too(void **state)
{
	(void)state;
	struct cpuset found;
	fx_init(&f, &(struct fx_host){.pcpus = 8});
	fx_vm(&f, 1, 1);
	isolate("4-7");
	fx_pin(&f, 1, 0, "5");
	fx_start(&f);
	fx_advance(&f, 1);
	build(GRAN_CPU);
	assert_string_equal(allowed(0), "5");
	assert_int_equal(b.tasks[0].fixed, REASON_SINGLE);
	set(&found, "4-6");
	f.rules.vcpus[0].found = &found;
	build(GRAN_CPU);
	assert_string_equal(allowed(0), "4-6");
	assert_int_equal(b.tasks[0].fixed, REASON_NONE);
	done();
}

/* The kernel leaves a thread on isolated pCPUs where it is, however many it may use: it is as good as pinned,
 * and each is a unit of its own. */
static void the_kernel_moves_nobody_on_isolated_pcpus(void **state)
{
	(void)state;
	fx_init(&f, &(struct fx_host){.pcpus = 8, .llc_cpus = 4});
	fx_vm(&f, 1, 1);
	fx_vm(&f, 2, 1);
	isolate("6-7");
	fx_allow(&f, 1, 0, "6-7");
	fx_pin(&f, 1, 0, "6-7");
	fx_start(&f);
	fx_advance(&f, 1);
	build(GRAN_LLC);
	assert_int_equal(b.place.n_units, 4); /* 0-3, 4-5, 6, 7 */
	assert_string_equal(cpus(&b.unit_cpus[1]), "4-5");
	assert_string_equal(allowed(0), "2-3");
	assert_true(b.tasks[0].pinned);
	assert_int_equal(b.tasks[0].unit, 2);
	assert_string_equal(allowed(1), "0-1");
	assert_false(b.tasks[1].pinned);
	done();
}

/* Where it runs it may stay: nobody is driven to the one pCPU that is not isolated. */
static void who_floats_on_an_isolated_pcpu_may_stay(void **state)
{
	(void)state;
	fx_init(&f, &(struct fx_host){.pcpus = 8});
	for (unsigned i = 1; i <= 3; i++) {
		fx_vm(&f, i, 1);
		fx_runs_on(&f, i, 0, (int)i);
	}
	isolate("1-7");
	fx_start(&f);
	fx_advance(&f, 1);
	build(GRAN_CPU);
	for (size_t i = 0; i < 3; i++) {
		assert_true(cpuset_has(b.tasks[i].allowed, (int)i + 1));
		assert_int_equal(cpuset_count(b.tasks[i].allowed), 2);
	}
	assert_int_equal(b.n_leaving, 0);
	for (size_t i = 0; i < f.s.host.n_pcpus; i++) /* and nohz_full is no isolation */
		f.s.host.pcpus[i].nohz_full = f.s.host.pcpus[i].isolated;
	isolate("");
	build(GRAN_CPU);
	assert_string_equal(allowed(0), "0-7");
	done();
}

/* What a VM has for itself takes nobody in; whoever is there already is not driven out. */
static void dedicated_pcpus_block_newcomers_only(void **state)
{
	(void)state;
	fx_init(&f, &(struct fx_host){.pcpus = 4});
	for (unsigned i = 1; i <= 4; i++)
		fx_vm(&f, i, 1);
	fx_pin(&f, 1, 0, "0");
	fx_pin(&f, 2, 0, "0");
	fx_runs_on(&f, 3, 0, 0);
	fx_runs_on(&f, 4, 0, 2);
	fx_start(&f);
	fx_advance(&f, 1);
	f.rules.vms[0].cpu = REASON_DEDICATED;
	f.rules.vms[0].dedicated = true;
	build(GRAN_CPU);
	assert_int_equal(b.place.n_units, 4);
	assert_int_equal(b.tasks[0].fixed, REASON_DEDICATED);
	assert_string_equal(allowed(1), "0-3");
	assert_string_equal(allowed(2), "0-3");
	assert_string_equal(allowed(3), "1-3");
	assert_int_equal(b.n_leaving, 0);
	assert_false(b.units[0].shut);
	fx_pin(&f, 2, 0, "1");
	fx_runs_on(&f, 3, 0, 1);
	fx_advance(&f, 1);
	build(GRAN_CPU);
	assert_true(b.units[0].shut && !b.units[1].shut); /* it counts, and nothing is to be done there */
	done();
}

/* The user's pool: nobody is put outside, whoever is outside may stay. */
static void the_users_pool(void **state)
{
	(void)state;
	fx_init(&f, &(struct fx_host){.pcpus = 8, .llc_cpus = 4});
	for (unsigned i = 1; i <= 3; i++)
		fx_vm(&f, i, 1);
	fx_pin(&f, 1, 0, "7");
	fx_runs_on(&f, 2, 0, 1);
	isolate("6");
	fx_allow(&f, 3, 0, "1,3,6");
	fx_runs_on(&f, 3, 0, 1);
	set(&f.cfg.cpus, "0-5");
	set(&f.cfg.exclude_cpus, "3-4");
	fx_start(&f);
	fx_advance(&f, 1);
	build(GRAN_CPU);
	assert_string_equal(allowed(0), "0-2,5,7");
	assert_string_equal(allowed(1), "0-2,5");
	assert_string_equal(allowed(2), "1");
	build(GRAN_LLC);
	struct cpuset to;
	cpu_problem_target(&b, &(struct place_move){.task = 1, .to = 0, .aim = PLACE_UNIT}, &to);
	assert_string_equal(cpus(&to), "0-2");
	done();
}

/* Only what is offline or forbidden by rule is left at once. */
static void who_has_to_leave(void **state)
{
	(void)state;
	fx_init(&f, &(struct fx_host){.pcpus = 8});
	for (unsigned i = 1; i <= 4; i++)
		fx_vm(&f, i, 1);
	isolate("4-7");
	set(&f.cfg.exclude_cpus, "2");
	fx_pin(&f, 1, 0, "4");
	fx_pin(&f, 2, 0, "2");
	fx_pin(&f, 3, 0, "1");
	fx_allow(&f, 3, 0, "0,3");
	fx_pin(&f, 4, 0, "6-7");
	fx_allow(&f, 4, 0, "0-6");
	fx_start(&f);
	fx_advance(&f, 1);
	build(GRAN_CPU);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(b.origins[i].leaving, i == 2);
	assert_string_equal(allowed(3), "4-6");
	done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_unit_is_the_sum_of_its_pcpus),
		cmocka_unit_test(a_unit_is_where_all_its_pcpus_are),
		cmocka_unit_test(impossible_nodes_are_unknown),
		cmocka_unit_test(where_nothing_is_known_memory_tells),
		cmocka_unit_test(demand_counts_to_the_node_of_the_pin),
		cmocka_unit_test(memory_binds_where_a_node_is_short),
		cmocka_unit_test(memory_that_is_elsewhere_calls),
		cmocka_unit_test(sets_do_not_pile_up),
		cmocka_unit_test(sets_follow_the_units),
		cmocka_unit_test(weights),
		cmocka_unit_test(those_that_stay_say_why),
		cmocka_unit_test(what_does_not_run_is_not_there),
		cmocka_unit_test(those_that_leave_spread),
		cmocka_unit_test(isolated_pcpus_are_theirs_who_name_them),
		cmocka_unit_test(what_was_found_is_named_too),
		cmocka_unit_test(the_kernel_moves_nobody_on_isolated_pcpus),
		cmocka_unit_test(who_floats_on_an_isolated_pcpu_may_stay),
		cmocka_unit_test(dedicated_pcpus_block_newcomers_only),
		cmocka_unit_test(the_users_pool),
		cmocka_unit_test(who_has_to_leave),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
