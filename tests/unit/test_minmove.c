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
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
