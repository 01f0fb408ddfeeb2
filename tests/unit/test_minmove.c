/* SPDX-License-Identifier: MIT */
/* The policy minmove on hand-made and random problems: how many moves, when, and when none. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/place_gen.h"

static const struct cpu_policy_ops *const P = &cpu_policy_minmove;

static bool all_done[100000];

/* One round a second, carried out. Returns moves that are not first assignments. */
static size_t round_run(void *state, struct place_case *c, struct place_result *r)
{
	assert_int_equal(P->plan(state, &c->p, true, r), 0);
	memset(all_done, 1, r->n_moves);
	P->applied(state, &c->p, all_done);
	return place_case_apply(c, r, 1);
}

struct demand {
	int unit;
	double pct;
};

static void set_tasks(struct place_case *c, const struct demand *d)
{
	for (size_t i = 0; i < c->p.n_tasks; i++) {
		c->tasks[i].unit = d[i].unit;
		c->tasks[i].demand_pct = d[i].pct;
	}
}

/* Runs to the end; returns all moves, checks that none came after round 2 (counted from 0, switch included).
 */
static size_t settle(struct place_case *c, int rounds, int quiet_from)
{
	void *s = P->create(&c->cfg);
	struct place_result r;
	size_t moves = 0;
	for (int i = 0; i < rounds; i++) {
		size_t n = round_run(s, c, &r);
		if (i >= quiet_from)
			assert_int_equal(n + r.n_moves, 0);
		moves += n;
	}
	P->destroy(s);
	return moves;
}

static void case_1_stacked(void **unused)
{
	(void)unused;
	struct place_case c;
	place_case_init(&c, 8, 4);
	for (int i = 0; i < 8; i++)
		c.tasks[i].demand_pct = 45;
	assert_int_equal(settle(&c, 30, 2), 6);
	assert_float_equal(place_case_sigma(&c), 0, 1e-9);
	place_case_done(&c);
}

static void case_2_halves(void **unused)
{
	(void)unused;
	struct place_case c;
	place_case_init(&c, 8, 4);
	for (int i = 0; i < 8; i++) {
		c.tasks[i].demand_pct = 45;
		c.tasks[i].unit = i < 4 ? 0 : 2;
	}
	assert_int_equal(settle(&c, 30, 2), 4);
	assert_float_equal(place_case_sigma(&c), 0, 1e-9);
	place_case_done(&c);
}

static void case_3_and_6_balanced(void **unused)
{
	(void)unused;
	struct place_case c;
	place_case_init(&c, 8, 4);
	for (int i = 0; i < 8; i++) {
		c.tasks[i].demand_pct = 45;
		c.tasks[i].unit = i / 2;
	}
	assert_int_equal(settle(&c, 30, 0), 0);
	for (int i = 0; i < 8; i++)
		c.tasks[i].demand_pct = 0.4;
	assert_int_equal(settle(&c, 30, 0), 0);
	place_case_done(&c);
}

static void case_5_heavy_and_light(void **unused)
{
	(void)unused;
	static const struct demand d[] = {
		{0, 80}, {0, 80}, {1, 80}, {1, 80}, {2, 15}, {2, 15}, {3, 15}, {3, 15}};
	struct place_case c;
	place_case_init(&c, 8, 4);
	set_tasks(&c, d);
	for (int i = 0; i < 8; i++)
		c.tasks[i].pinned = false;
	assert_int_equal(settle(&c, 30, 2), 4); /* one heavy leaves each of two, two light come back */
	assert_float_equal(place_case_sigma(&c), 0, 1e-9);
	for (int i = 0; i < 8; i++)
		assert_true(c.tasks[i].pinned);
	place_case_done(&c);
}

static void case_7_half_turn_heavy(void **unused)
{
	(void)unused;
	struct place_case c;
	place_case_init(&c, 8, 4);
	for (int i = 0; i < 8; i++) {
		c.tasks[i].demand_pct = 10;
		c.tasks[i].unit = i / 2;
	}
	void *s = P->create(&c.cfg);
	struct place_result r;
	size_t moves = 0;
	for (int i = 0; i < 60; i++) {
		for (int t = 0; t < 4; t++)
			c.tasks[t].demand_pct = i < 14 ? 10 : 80;
		size_t n = round_run(s, &c, &r);
		if (i != 15)
			assert_int_equal(r.n_moves, 0);
		moves += n;
	}
	assert_int_equal(moves, 4);
	assert_float_equal(place_case_sigma(&c), 0, 1e-9);
	P->destroy(s);
	place_case_done(&c);
}

static void reasons_of_quiet_rounds(void **unused)
{
	(void)unused;
	struct place_case c;
	struct place_result r;
	place_case_init(&c, 6, 8);
	void *s = P->create(&c.cfg);
	for (int i = 0; i < 6; i++) {
		c.tasks[i].demand_pct = 87.5;
		c.tasks[i].unit = i;
	}
	assert_int_equal(P->plan(s, &c.p, true, &r), 0);
	assert_int_equal(r.why.code, REASON_UNATTAINABLE);
	assert_float_equal(r.stddev_pct, 37.9, 0.05);
	assert_float_equal(r.bound_pct, 37.9, 0.05);
	c.tasks[5].unit = 0;
	assert_int_equal(P->plan(s, &c.p, false, &r), 0);
	assert_int_equal(r.why.code, REASON_MANUAL);
	assert_int_equal(P->plan(s, &c.p, true, &r), 0);
	assert_int_equal(r.n_moves, 1);
	c.p.n_tasks = 0;
	assert_int_equal(P->plan(s, &c.p, true, &r), 0);
	assert_int_equal(r.why.code, REASON_NO_VMS);
	c.p.n_tasks = 6;
	for (int i = 0; i < 6; i++)
		c.tasks[i].fixed = REASON_HELD;
	assert_int_equal(P->plan(s, &c.p, true, &r), 0);
	assert_int_equal(r.why.code, REASON_HELD);
	P->destroy(s);
	place_case_done(&c);
}

static void forced_acts_at_once(void **unused)
{
	(void)unused;
	struct place_case c;
	struct place_result r;
	place_case_init(&c, 8, 8);
	for (int i = 0; i < 8; i++)
		c.tasks[i].demand_pct = 100;
	void *s = P->create(&c.cfg);
	assert_int_equal(P->plan(s, &c.p, true, &r), 0);
	assert_int_equal(r.n_moves, 0);
	assert_int_equal(r.why.code, REASON_CONFIRM);
	c.p.forced = true;
	assert_int_equal(P->plan(s, &c.p, true, &r), 0);
	assert_int_equal(r.n_moves, 7);
	assert_float_equal(r.after_pct, 0, 1e-9);
	P->destroy(s);
	place_case_done(&c);
}

/* Where the tasks start and what they want, for the runs with noise. */
struct start {
	int unit[8];
	double pct[8];
	size_t least; /* moves that are enough without noise */
};

/* 1000 readings a second apart, each demand times 1 + N(0, .05), smoothed as the estimator does. */
static void noisy_run(const struct start *b, uint64_t seed)
{
	struct place_case c;
	struct place_result r;
	size_t moves = 0;
	place_case_init(&c, 8, 4);
	c.seed = seed;
	void *s = P->create(&c.cfg);
	for (int i = 0; i < 1000; i++) {
		for (int t = 0; t < 8; t++) {
			double now = fmin(100, b->pct[t] * (1 + 0.05 * place_random_normal(&c.seed)));
			struct place_task *k = &c.tasks[t];
			k->unit = i ? k->unit : b->unit[t];
			k->demand_pct += (i ? 0.16 : 1) * (now - k->demand_pct);
			k->scatter_pct = 0.06 * b->pct[t]; /* what the estimator expects, and will see */
		}
		size_t n = round_run(s, &c, &r);
		if (i >= 4)
			assert_int_equal(r.n_moves, 0);
		moves += n;
	}
	assert_in_range(moves, b->least, b->least + 1);
	assert_true(place_case_sigma(&c) <= 5);
	P->destroy(s);
	place_case_done(&c);
}

static void noise_costs_at_most_one_move(void **unused)
{
	(void)unused;
	static const struct start starts[] = {
		{{0, 0, 0, 0, 0, 0, 0, 0}, {45, 45, 45, 45, 45, 45, 45, 45}, 6},
		{{0, 0, 0, 0, 2, 2, 2, 2}, {45, 45, 45, 45, 45, 45, 45, 45}, 4},
		{{0, 0, 1, 1, 2, 2, 3, 3}, {45, 45, 45, 45, 45, 45, 45, 45}, 0},
		{{0, 0, 1, 1, 2, 2, 3, 3}, {80, 80, 80, 80, 15, 15, 15, 15}, 4},
		{{0, 0, 1, 1, 2, 2, 3, 3}, {1, 1, 1, 1, 1, 1, 1, 1}, 0},
	};
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		for (uint64_t seed = 1; seed <= 20; seed++)
			noisy_run(&starts[i], seed * 77 + i);
}

/* A square wave of any period costs a vCPU no more than a pin per dwell (and the two that begin it). */
static void square_waves_are_bounded(void **unused)
{
	(void)unused;
	enum { SECONDS = 3000 };
	for (int period = 2; period <= 400; period = period * 3 / 2 + 1) {
		struct place_case c;
		struct place_result r;
		int pins[8] = {0};
		place_case_init(&c, 8, 4);
		void *s = P->create(&c.cfg);
		for (int i = 0; i < SECONDS; i++) {
			bool high = i % period < period / 2;
			for (int t = 0; t < 8; t++) {
				c.tasks[t].demand_pct = (t < 4) == high ? 70 : 10;
				c.tasks[t].unit = i ? c.tasks[t].unit : t / 2;
			}
			round_run(s, &c, &r);
			for (size_t m = 0; m < r.n_moves; m++)
				pins[r.moves[m].task]++;
		}
		for (int t = 0; t < 8; t++)
			assert_in_range(pins[t], 0, SECONDS / 30 + 2);
		P->destroy(s);
		place_case_done(&c);
	}
}

/* Random hosts: every round keeps the sets and lowers sigma, and constant demand ends in silence with an
 * empty plan. */
static void constant_demand_ends_in_silence(void **unused)
{
	(void)unused;
	for (uint64_t seed = 1; seed <= 25; seed++) {
		struct place_case c;
		struct place_result r;
		place_case_init(&c, 20 + seed * 7, 6 + seed);
		place_case_random(&c, seed, (enum place_shape)(seed % 3), 55);
		place_case_topology(&c, seed % 4 == 0 ? 2 : 0, 8, 16);
		for (size_t t = 0; t < c.p.n_tasks; t += 5) {
			place_case_restrict(&c, t, 0, 3);
			c.tasks[t].unit = (int)(t % 3);
		}
		void *s = P->create(&c.cfg);
		for (int i = 0; i < 400; i++) {
			double before = place_case_sigma(&c), top = place_case_highest(&c);
			round_run(s, &c, &r);
			assert_true(place_case_sigma(&c) <= before + 1e-6);
			assert_true(c.p.n_tasks > 512 || place_case_highest(&c) <= top + 1e-6);
			assert_true(r.bound_pct <= r.found_pct + 1e-6 && r.found_pct <= before + 1e-6);
			assert_float_equal(place_case_sigma(&c), r.after_pct, 1e-6);
			for (size_t t = 0; t < c.p.n_tasks; t++)
				assert_true(cpuset_has(c.tasks[t].allowed, c.tasks[t].unit));
			if (i >= 360)
				assert_int_equal(r.n_moves, 0);
		}
		P->destroy(s);
		place_case_done(&c);
	}
}

/* Demands, fixed loads and thresholds times the same factor: the same plan. */
static void scale_changes_nothing(void **unused)
{
	(void)unused;
	struct place_case c;
	struct place_result r;
	int to[40], scaled[40];
	place_case_init(&c, 40, 10);
	place_case_random(&c, 5, SHAPE_UNIFORM, 60);
	c.p.forced = true;
	for (int pass = 0; pass < 2; pass++) {
		void *s = P->create(&c.cfg);
		int *at = pass ? scaled : to;
		memset(at, -1, sizeof(to));
		assert_int_equal(P->plan(s, &c.p, true, &r), 0);
		for (size_t i = 0; i < r.n_moves; i++)
			at[r.moves[i].task] = r.moves[i].to;
		P->destroy(s);
		for (size_t t = 0; t < 40; t++)
			c.tasks[t].demand_pct /= 2;
		c.cfg.act_above_pct /= 2;
		c.cfg.stop_at_pct /= 2;
		c.cfg.min_gain_pct /= 2;
	}
	assert_memory_equal(to, scaled, sizeof(to));
	place_case_done(&c);
}

/* Two nodes: local moves are preferred, and a VM comes home to its memory at half the price. */
static void distance_counts(void **unused)
{
	(void)unused;
	struct place_case c;
	struct place_result r;
	place_case_init(&c, 4, 4);
	place_case_topology(&c, 0, 2, 2);
	for (int t = 0; t < 4; t++) {
		c.tasks[t].demand_pct = 50;
		c.tasks[t].unit = 0;
		c.tasks[t].mem_nodes = t < 2 ? 1 : 2;
	}
	c.p.forced = true;
	void *s = P->create(&c.cfg);
	assert_int_equal(round_run(s, &c, &r), 3);
	assert_float_equal(place_case_sigma(&c), 0, 1e-9);
	for (int t = 0; t < 4; t++)
		assert_int_equal(c.units[c.tasks[t].unit].node, t < 2 ? 0 : 1);
	P->destroy(s);
	place_case_done(&c);
}

/* One pCPU above 100 % on a large host whose deviation is small. */
static void overload_is_a_trigger(void **unused)
{
	(void)unused;
	struct place_case c;
	struct place_result r;
	place_case_init(&c, 128, 128);
	for (int t = 0; t < 128; t++) {
		c.tasks[t].unit = t == 127 ? 0 : t;
		c.tasks[t].demand_pct = t == 0 ? 60 : t == 127 ? 45 : 70;
	}
	c.units[127].background_pct = 40;
	void *s = P->create(&c.cfg);
	round_run(s, &c, &r);
	assert_true(r.stddev_pct < 5);
	assert_int_equal(r.why.code, REASON_CONFIRM);
	assert_int_equal(round_run(s, &c, &r), 1);
	assert_true(place_case_highest(&c) <= 95);
	P->destroy(s);
	place_case_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(case_1_stacked),
		cmocka_unit_test(case_2_halves),
		cmocka_unit_test(case_3_and_6_balanced),
		cmocka_unit_test(case_5_heavy_and_light),
		cmocka_unit_test(case_7_half_turn_heavy),
		cmocka_unit_test(reasons_of_quiet_rounds),
		cmocka_unit_test(forced_acts_at_once),
		cmocka_unit_test(noise_costs_at_most_one_move),
		cmocka_unit_test(square_waves_are_bounded),
		cmocka_unit_test(constant_demand_ends_in_silence),
		cmocka_unit_test(scale_changes_nothing),
		cmocka_unit_test(distance_counts),
		cmocka_unit_test(overload_is_a_trigger),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
