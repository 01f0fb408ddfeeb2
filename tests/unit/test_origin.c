/* SPDX-License-Identifier: MIT */
/* The three designs of the origin, rule by rule, on the placement problem alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "support/fixture.h"
#include "vmtop/placement.h"

enum { MAX_UNITS = 16, MAX_TASKS = 64 };

/* A problem of single pCPUs; tasks are added in the order of (vm, vcpu). */
struct made {
	struct config cfg;
	struct place_unit units[MAX_UNITS];
	struct place_task tasks[MAX_TASKS];
	struct cpuset sets[MAX_TASKS];
	struct place_problem p;
	struct place_result res;
	const struct cpu_policy_ops *ops;
	void *policy;
};

static void make(struct made *m, const struct cpu_policy_ops *ops, size_t units)
{
	memset(m, 0, sizeof *m);
	fx_config(&m->cfg);
	for (size_t i = 0; i < units; i++)
		m->units[i] = (struct place_unit){
			.cpu = (int)i, .n_cpus = 1, .core = (int)i, .llc = -1, .node = 0, .busy_pct = -1};
	m->p = (struct place_problem){.units = m->units,
		.n_units = units,
		.tasks = m->tasks,
		.n_slots = MAX_TASKS,
		.now_ns = 1,
		.elapsed_s = 1,
		.cfg = &m->cfg};
	m->ops = ops;
	m->policy = ops->create(&m->cfg);
	assert_non_null(m->policy);
}

static void unmake(struct made *m)
{
	m->ops->destroy(m->policy);
}

static struct place_task *task(struct made *m, uint32_t vm, int vcpu, double usage, int unit)
{
	size_t i = m->p.n_tasks++;
	cpuset_fill(&m->sets[i], (int)m->p.n_units);
	m->tasks[i] = (struct place_task){.demand_pct = usage,
		.usage_pct = usage,
		.wait_pct = -1,
		.unit = unit,
		.pinned = true,
		.allowed = &m->sets[i],
		.vm = vm,
		.vcpu = vcpu,
		.slot = (uint32_t)i,
		.birth = 1,
		.weight = 1};
	return &m->tasks[i];
}

static void plan(struct made *m, bool act)
{
	m->p.now_ns += 1000000000;
	assert_int_equal(m->ops->plan(m->policy, &m->p, act, &m->res), 0);
}

/* Unit of a task after the plan. */
static int goes(const struct made *m, size_t t)
{
	for (size_t i = 0; i < m->res.n_moves; i++)
		if (m->res.moves[i].task == t)
			return m->res.moves[i].to;
	return m->tasks[t].unit;
}

static void carry_out(struct made *m)
{
	for (size_t i = 0; i < m->res.n_moves; i++) {
		m->tasks[m->res.moves[i].task].unit = m->res.moves[i].to;
		m->tasks[m->res.moves[i].task].pinned = true;
	}
}

#define assert_goes(m, ...)                                                                                  \
	do {                                                                                                 \
		const int want[] = {__VA_ARGS__};                                                            \
		for (size_t i_ = 0; i_ < sizeof want / sizeof *want; i_++)                                   \
			assert_int_equal(goes(m, i_), want[i_]);                                             \
	} while (0)

static void c_triggers_above_a_share_of_the_mean(void **state)
{
	(void)state;
	struct made m;
	make(&m, &cpu_policy_origin_c, 2);
	task(&m, 0, 0, 52.5, 0);
	task(&m, 1, 0, 47.5, 1);
	plan(&m, true); /* sd 2.5 is 5 % of 50: not above it */
	assert_int_equal(m.res.why.code, REASON_BALANCED);
	assert_float_equal(m.res.limit_pct, 2.5, 1e-9);
	m.tasks[0].usage_pct = 52.6;
	plan(&m, true);
	assert_int_not_equal(m.res.why.code, REASON_BALANCED);
	m.cfg.origin_c_sd_pct = 6;
	plan(&m, true);
	assert_int_equal(m.res.why.code, REASON_BALANCED);
	unmake(&m);
}

static void c_with_a_mean_of_zero_is_balanced(void **state)
{
	(void)state;
	struct made m;
	make(&m, &cpu_policy_origin_c, 4);
	task(&m, 0, 0, 0, 0);
	task(&m, 1, 0, 0, 0);
	plan(&m, true);
	assert_int_equal(m.res.why.code, REASON_BALANCED);
	assert_int_equal(m.res.n_moves, 0);
	unmake(&m);
}

static void c_largest_first_to_the_least_assigned(void **state)
{
	(void)state;
	struct made m;
	make(&m, &cpu_policy_origin_c, 2);
	task(&m, 0, 0, 10, 0);
	task(&m, 0, 1, 50, 0);
	task(&m, 1, 0, 30, 0);
	task(&m, 2, 0, 20, 0);
	plan(&m, true); /* 50 -> 0, 30 -> 1, 20 -> 1, 10 -> 0 (50 = 50, the lower pCPU) */
	assert_goes(&m, 0, 0, 1, 1);
	assert_int_equal(m.res.n_moves, 2);
	assert_float_equal(m.res.after_pct, 5, 1e-9);
	assert_int_equal(m.res.moves[0].why.code, REASON_GREEDY);
	assert_int_equal(m.res.why.code, REASON_GREEDY);
	unmake(&m);
}

static void c_ties_by_vm_and_vcpu(void **state)
{
	(void)state;
	struct made m;
	make(&m, &cpu_policy_origin_c, 4);
	for (uint32_t i = 0; i < 8; i++)
		task(&m, i / 2, (int)(i % 2), 12.5, 0);
	plan(&m, true);
	assert_goes(&m, 0, 1, 2, 3, 0, 1, 2, 3);
	assert_int_equal(m.res.n_moves, 6);
	carry_out(&m);
	m.p.forced = true;
	plan(&m, true);
	assert_int_equal(m.res.n_moves, 0);
	assert_int_equal(m.res.why.code, REASON_NO_BETTER);
	unmake(&m);
}

static void c_what_is_fixed_counts_as_assigned(void **state)
{
	(void)state;
	struct made m;
	make(&m, &cpu_policy_origin_c, 2);
	task(&m, 0, 0, 60, 0)->fixed = REASON_HELD;
	task(&m, 1, 0, 30, 0);
	task(&m, 2, 0, 20, 0);
	plan(&m, true);
	assert_goes(&m, 0, 1, 1);
	unmake(&m);
}

static void c_pins_where_it_runs_when_it_has_no_pin(void **state)
{
	(void)state;
	struct made m;
	make(&m, &cpu_policy_origin_c, 2);
	task(&m, 0, 0, 60, 0)->pinned = false;
	task(&m, 1, 0, 30, 0);
	task(&m, 2, 0, 30, -1)->pinned = false;
	plan(&m, true);
	assert_int_equal(m.res.n_moves, 3);
	assert_goes(&m, 0, 1, 1);
	assert_int_equal(m.res.moves[0].from, 0);
	unmake(&m);
}

static void a_acts_at_five_points(void **state)
{
	(void)state;
	struct made m;
	make(&m, &cpu_policy_origin_a, 2);
	task(&m, 0, 0, 59.9, 0);
	task(&m, 1, 0, 50, 1);
	plan(&m, true); /* sd 4.95 */
	assert_int_equal(m.res.why.code, REASON_BALANCED);
	m.tasks[0].usage_pct = 60;
	plan(&m, true); /* sd 5.0: at the limit it acts */
	assert_int_not_equal(m.res.why.code, REASON_BALANCED);
	unmake(&m);
}

static void a_places_whole_vms(void **state)
{
	(void)state;
	struct made m;
	make(&m, &cpu_policy_origin_a, 2);
	task(&m, 0, 0, 20, 0);
	task(&m, 0, 1, 20, 1);
	task(&m, 1, 0, 50, 0);
	task(&m, 2, 0, 15, 0);
	task(&m, 2, 1, 15, 0);
	plan(&m, true); /* VM 1 (50) -> 0, VM 0 (40) -> 1, VM 2 (30) -> 1 */
	assert_goes(&m, 1, 1, 0, 1, 1);
	assert_true(m.ops->whole_vm);
	unmake(&m);
}

static void a_leaves_alone_what_cannot_move_as_a_whole(void **state)
{
	(void)state;
	struct made m;
	make(&m, &cpu_policy_origin_a, 2);
	task(&m, 0, 0, 30, 0)->fixed = REASON_FOREIGN;
	task(&m, 0, 1, 30, 0);
	task(&m, 1, 0, 20, 0);
	task(&m, 1, 1, 20, 0);
	cpuset_del(&m.sets[2], 0); /* the two vCPUs of VM 1 have no pCPU in common */
	cpuset_del(&m.sets[3], 1);
	plan(&m, true);
	assert_int_equal(m.res.n_moves, 0);
	assert_int_equal(m.res.why.code, REASON_NOTHING_ALLOWED);
	task(&m, 2, 0, 10, 0);
	plan(&m, true);
	assert_int_equal(m.res.n_moves, 1);
	assert_goes(&m, 0, 0, 0, 0, 1);
	unmake(&m);
}

static void busy(struct made *m, double a, double b)
{
	m->units[0].busy_pct = a;
	m->units[1].busy_pct = b;
}

/* The deviation of two pCPUs at 50 + x and 50 - x is x. */
static void b_acts_unless_the_deviation_falls(void **state)
{
	(void)state;
	struct made m;
	make(&m, &cpu_policy_origin_b, 2);
	for (uint32_t i = 0; i < 4; i++)
		task(&m, i, 0, 10, 0);
	static const struct {
		double sd;
		enum reason why;
	} rows[] = {{20, REASON_ZIGZAG}, {10, REASON_FALLING}, {12, REASON_ZIGZAG}, {12, REASON_ZIGZAG},
		{4, REASON_BALANCED}, {5, REASON_BALANCED}, {4.9, REASON_BALANCED}, {5.1, REASON_ZIGZAG}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		busy(&m, 50 + rows[i].sd, 50 - rows[i].sd);
		plan(&m, true);
		assert_float_equal(m.res.stddev_pct, rows[i].sd, 1e-9);
		assert_int_equal(m.res.why.code, rows[i].why);
		carry_out(&m);
	}
	unmake(&m);
}

static void b_deals_in_a_zig_zag_from_a_position_that_moves_on(void **state)
{
	(void)state;
	struct made m;
	make(&m, &cpu_policy_origin_b, 4);
	for (uint32_t i = 0; i < 8; i++)
		task(&m, i, 0, 80 - (double)i, 0); /* already in the order of usage */
	m.p.forced = true;
	plan(&m, true);
	assert_goes(&m, 0, 1, 2, 3, 3, 2, 1, 0);
	plan(&m, false); /* watching does not move the position on */
	plan(&m, true);
	assert_goes(&m, 1, 2, 3, 0, 0, 3, 2, 1);
	plan(&m, true);
	assert_goes(&m, 2, 3, 0, 1, 1, 0, 3, 2);
	plan(&m, true);
	plan(&m, true); /* position 4 is position 0 */
	assert_goes(&m, 0, 1, 2, 3, 3, 2, 1, 0);
	assert_int_equal(m.res.moves[0].why.code, REASON_ZIGZAG);
	unmake(&m);
}

static void b_not_allowed_goes_to_the_next_in_dealing_order(void **state)
{
	(void)state;
	struct made m;
	make(&m, &cpu_policy_origin_b, 3);
	for (uint32_t i = 0; i < 6; i++)
		task(&m, i, 0, 80 - (double)i, 0);
	cpuset_del(&m.sets[1], 1); /* turn 1 is pCPU 1, turn 2 pCPU 2 */
	cpuset_clear(&m.sets[4]);
	cpuset_add(&m.sets[4], 2); /* turn 4 is pCPU 1, 5: 0, 6: 0, 7: 1, 8: 2 */
	m.p.forced = true;
	plan(&m, true);
	assert_goes(&m, 0, 2, 2, 2, 2, 0);
	unmake(&m);
}

static void b_without_measured_load_takes_usage_and_says_so(void **state)
{
	(void)state;
	struct made m;
	make(&m, &cpu_policy_origin_b, 2);
	task(&m, 0, 0, 40, 0);
	task(&m, 1, 0, 40, 0);
	plan(&m, true);
	assert_float_equal(m.res.stddev_pct, 40, 1e-9);
	assert_string_equal(m.res.why.text,
		"sd 40.0 % > 5.0 % by usage (the host measures no pCPU load): 1 move, 0.0 % after");
	unmake(&m);
}

static void b_a_second_round_on_one_sample_is_no_iteration(void **state)
{
	(void)state;
	struct made m;
	make(&m, &cpu_policy_origin_b, 2);
	task(&m, 0, 0, 40, 0);
	busy(&m, 70, 30);
	plan(&m, false);
	busy(&m, 65, 35);
	plan(&m, true);
	assert_int_equal(m.res.why.code, REASON_FALLING);
	assert_int_equal(m.ops->plan(m.policy, &m.p, true, &m.res), 0);
	assert_int_equal(m.res.why.code, REASON_FALLING);
	unmake(&m);
}

static void limits_come_from_the_settings(void **state)
{
	(void)state;
	struct made m;
	make(&m, &cpu_policy_origin_a, 2);
	task(&m, 0, 0, 40, 0);
	m.cfg.origin_a_sd_points = 20.5;
	plan(&m, true);
	assert_int_equal(m.res.why.code, REASON_BALANCED);
	unmake(&m);
	make(&m, &cpu_policy_origin_b, 2);
	task(&m, 0, 0, 40, 0);
	m.cfg.origin_b_sd_points = 20;
	plan(&m, true);
	assert_int_equal(m.res.why.code, REASON_BALANCED);
	unmake(&m);
}

static void nothing_to_place(void **state)
{
	(void)state;
	const struct cpu_policy_ops *all[] = {
		&cpu_policy_origin_a, &cpu_policy_origin_b, &cpu_policy_origin_c};
	for (int i = 0; i < 3; i++) {
		struct made m;
		make(&m, all[i], 0);
		m.p.forced = true;
		plan(&m, true);
		assert_int_equal(m.res.n_moves, 0);
		assert_int_equal(m.res.why.code, REASON_NOTHING_ALLOWED);
		unmake(&m);
	}
}

static void random_problem(struct made *m, struct fx_random *r)
{
	uint32_t vms = 1 + fx_random(r, 10);
	for (uint32_t vm = 0; vm < vms; vm++)
		for (int k = (int)fx_random(r, 4); k >= 0; k--) {
			int unit = (int)fx_random(r, (uint32_t)m->p.n_units + 1) - 1;
			struct place_task *t = task(m, vm, k, fx_random(r, 100000) / 1000.0, unit);
			t->pinned = unit >= 0 && fx_random(r, 3);
			if (fx_random(r, 5) == 0)
				t->fixed = REASON_HELD;
			if (fx_random(r, 4) == 0)
				for (int j = 0; j < 3; j++)
					cpuset_del(&m->sets[m->p.n_tasks - 1], (int)fx_random(r, MAX_UNITS));
			if (cpuset_empty(&m->sets[m->p.n_tasks - 1]))
				t->fixed = REASON_NOTHING_ALLOWED;
		}
	for (size_t i = 0; i < m->p.n_units; i++)
		m->units[i].busy_pct = fx_random_real(r, 0, 100);
}

/* Inside allowed sets, nobody fixed, each at most once, and the greedy ones are at rest after one round. */
static void random_plans(void **state)
{
	(void)state;
	const struct cpu_policy_ops *all[] = {
		&cpu_policy_origin_a, &cpu_policy_origin_b, &cpu_policy_origin_c};
	struct fx_random r = {99};
	for (int trial = 0; trial < 900; trial++) {
		struct made m;
		make(&m, all[trial % 3], 1 + fx_random(&r, MAX_UNITS));
		random_problem(&m, &r);
		m.p.forced = true;
		plan(&m, true);
		bool moved[MAX_TASKS] = {false};
		for (size_t i = 0; i < m.res.n_moves; i++) {
			const struct place_move *x = &m.res.moves[i];
			const struct place_task *t = &m.tasks[x->task];
			assert_int_equal(t->fixed, REASON_NONE);
			assert_true(cpuset_has(t->allowed, x->to));
			assert_false(moved[x->task]);
			assert_true(x->to != t->unit || !t->pinned);
			assert_true(x->why.code != REASON_NONE);
			moved[x->task] = true;
		}
		carry_out(&m);
		if (m.ops != &cpu_policy_origin_b) {
			plan(&m, true);
			assert_int_equal(m.res.n_moves, 0);
		}
		unmake(&m);
	}
}

/* Other numbers for VMs that are otherwise the same give the same plan for each: usages all differ. */
static void order_of_vms_does_not_matter(void **state)
{
	(void)state;
	const struct cpu_policy_ops *all[] = {
		&cpu_policy_origin_a, &cpu_policy_origin_b, &cpu_policy_origin_c};
	struct fx_random r = {123};
	for (int trial = 0; trial < 150; trial++) {
		struct made m, back;
		size_t n = 2 + fx_random(&r, 20);
		make(&m, all[trial % 3], 2 + fx_random(&r, 6));
		for (size_t i = 0; i < n; i++)
			task(&m, (uint32_t)i, 0, (double)i + fx_random_real(&r, 0, .9),
				(int)fx_random(&r, 2));
		make(&back, m.ops, m.p.n_units);
		for (size_t i = n; i > 0; i--)
			task(&back, (uint32_t)(n - i), 0, m.tasks[i - 1].usage_pct, m.tasks[i - 1].unit);
		m.p.forced = back.p.forced = true;
		plan(&m, true);
		plan(&back, true);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(goes(&m, i), goes(&back, n - 1 - i));
		unmake(&m);
		unmake(&back);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c_triggers_above_a_share_of_the_mean),
		cmocka_unit_test(c_with_a_mean_of_zero_is_balanced),
		cmocka_unit_test(c_largest_first_to_the_least_assigned),
		cmocka_unit_test(c_ties_by_vm_and_vcpu),
		cmocka_unit_test(c_what_is_fixed_counts_as_assigned),
		cmocka_unit_test(c_pins_where_it_runs_when_it_has_no_pin),
		cmocka_unit_test(a_acts_at_five_points),
		cmocka_unit_test(a_places_whole_vms),
		cmocka_unit_test(a_leaves_alone_what_cannot_move_as_a_whole),
		cmocka_unit_test(b_acts_unless_the_deviation_falls),
		cmocka_unit_test(b_deals_in_a_zig_zag_from_a_position_that_moves_on),
		cmocka_unit_test(b_not_allowed_goes_to_the_next_in_dealing_order),
		cmocka_unit_test(b_without_measured_load_takes_usage_and_says_so),
		cmocka_unit_test(b_a_second_round_on_one_sample_is_no_iteration),
		cmocka_unit_test(limits_come_from_the_settings),
		cmocka_unit_test(nothing_to_place),
		cmocka_unit_test(random_plans),
		cmocka_unit_test(order_of_vms_does_not_matter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
