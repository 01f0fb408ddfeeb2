/* SPDX-License-Identifier: MIT */
/* Properties of minmove's plans: they do not depend on numbering, are done once they are done, move a task
 * once, come from the best placement known where single moves get stuck, and leave restless tasks alone. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/core/place.h"
#include "support/place_gen.h"

static const struct cpu_policy_ops *const P = &cpu_policy_minmove;

static bool all_done[4096];

static size_t round_run(void *state, struct place_case *c, struct place_result *r, double seconds)
{
	assert_int_equal(P->plan(state, &c->p, true, r), 0);
	memset(all_done, 1, sizeof(all_done));
	P->applied(state, &c->p, all_done);
	return place_case_apply(c, r, seconds);
}

/* Where each task is after one forced round. */
static void forced_round(struct place_case *c, int *at)
{
	struct place_result r;
	void *s = P->create(&c->cfg);
	c->p.forced = true;
	round_run(s, c, &r, 1);
	for (size_t i = 0; i < c->p.n_tasks; i++)
		at[i] = c->tasks[i].unit;
	P->destroy(s);
}

/* Tasks in another order, units by other numbers: the same tasks end with the same companions. */
static void numbering_does_not_matter(void **unused)
{
	(void)unused;
	enum { N = 40, M = 8 };
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct place_case a, b;
		int task_of[N], unit_of[M], at_a[N], at_b[N];
		uint64_t random = seed;
		place_case_init(&a, N, M);
		place_case_init(&b, N, M);
		place_case_random(&a, seed, SHAPE_UNIFORM, 60);
		for (int i = 0; i < N; i++)
			task_of[i] = i;
		for (int i = N - 1; i > 0; i--) {
			int j = (int)(place_random(&random) * (i + 1)), t = task_of[i];
			task_of[i] = task_of[j];
			task_of[j] = t;
		}
		for (int j = 0; j < M; j++)
			unit_of[j] = (j * 3 + (int)seed) % M;
		for (int i = 0; i < N; i++) {
			b.tasks[task_of[i]].demand_pct = a.tasks[i].demand_pct;
			b.tasks[task_of[i]].unit = unit_of[a.tasks[i].unit];
		}
		forced_round(&a, at_a);
		forced_round(&b, at_b);
		assert_float_equal(place_case_sigma(&a), place_case_sigma(&b), 1e-6);
		for (int i = 0; i < N; i++)
			assert_int_equal(unit_of[at_a[i]], at_b[task_of[i]]);
		place_case_done(&a);
		place_case_done(&b);
	}
}

/* The same demands twice: the second plan is empty, and what was reached is no better than what was known. */
static void second_plan_is_empty(void **unused)
{
	(void)unused;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct place_case c;
		struct place_result r;
		place_case_init(&c, 4 + seed, 3 + seed / 5);
		place_case_random(&c, seed, (enum place_shape)(seed % 3), 55);
		c.cfg.max_moves = 1000;
		c.p.forced = true;
		void *s = P->create(&c.cfg);
		round_run(s, &c, &r, 1);
		assert_true(r.bound_pct <= r.found_pct + 1e-6);
		assert_int_equal(P->plan(s, &c.p, true, &r), 0);
		assert_int_equal(r.n_moves, 0);
		assert_true(r.found_pct <= r.stddev_pct + 1e-6);
		P->destroy(s);
		place_case_done(&c);
	}
}

/* A task that is where it must not be is led out and placed well in one move. */
static void one_move_a_task(void **unused)
{
	(void)unused;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct place_case c;
		struct place_result r;
		int seen[30] = {0};
		place_case_init(&c, 30, 6);
		place_case_random(&c, seed, SHAPE_UNIFORM, 70);
		for (size_t t = 0; t < 30; t += 3) {
			place_case_restrict(&c, t, 2, 6);
			c.tasks[t].unit = t % 2 ? -1 : 0;
			c.tasks[t].pinned = false;
			c.tasks[t].demand_pct += 2; /* an idle one nowhere is left there */
		}
		c.p.forced = true;
		void *s = P->create(&c.cfg);
		assert_int_equal(P->plan(s, &c.p, true, &r), 0);
		for (size_t i = 0; i < r.n_moves; i++) {
			const struct place_move *m = &r.moves[i];
			assert_int_equal(seen[m->task]++, 0);
			assert_int_equal(m->from, c.tasks[m->task].unit);
			if (m->partner >= 0)
				assert_int_equal(r.moves[m->partner].partner, i);
			if (m->task % 3 == 0)
				assert_int_equal(m->why.code, m->task % 2 ? REASON_ASSIGN : REASON_LEAVE);
		}
		place_case_apply(&c, &r, 1);
		for (size_t t = 0; t < 30; t += 3)
			assert_in_range(c.tasks[t].unit, 2, 5);
		P->destroy(s);
		place_case_done(&c);
	}
}

/* 5 x 60 % on 4: an exact search that ended is a proof. */
static void exact_search_is_a_proof(void **unused)
{
	(void)unused;
	struct place_case c;
	struct place_result r;
	place_case_init(&c, 5, 4);
	for (int i = 0; i < 5; i++) {
		c.tasks[i].demand_pct = 60;
		c.tasks[i].unit = i % 4;
	}
	void *s = P->create(&c.cfg);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(round_run(s, &c, &r, 2), 0);
		assert_int_equal(r.why.code, REASON_UNATTAINABLE);
		assert_float_equal(r.found_pct, sqrt(675), 1e-6);
		assert_float_equal(r.bound_pct, sqrt(675), 1e-6);
	}
	P->destroy(s);
	place_case_done(&c);
}

/* Many equal sizes: single moves get stuck at 6 %, a placement of 3.7 % is known and worth its moves. */
static void best_known_is_reached(void **unused)
{
	(void)unused;
	static const struct {
		int n;
		double pct;
	} sizes[] = {{2, 90}, {14, 50}, {12, 35}, {6, 20}};
	struct place_case c;
	struct place_result r;
	size_t moves = 0, t = 0;
	place_case_init(&c, 34, 12);
	for (size_t k = 0; k < 4; k++)
		for (int i = 0; i < sizes[k].n; i++, t++) {
			c.tasks[t].demand_pct = sizes[k].pct;
			c.tasks[t].unit = (int)t % 4;
		}
	void *s = P->create(&c.cfg);
	for (int i = 0; i < 100; i++)
		moves += round_run(s, &c, &r, 2);
	assert_true(place_case_sigma(&c) < 5);
	assert_in_range(moves, 20, 30);
	assert_int_equal(r.why.code, REASON_BALANCED);
	P->destroy(s);
	place_case_done(&c);
}

/* The names of units from scratch are chosen so that most tasks are at home. */
static void units_are_renamed(void **unused)
{
	(void)unused;
	struct place_work w = {0};
	struct place_case c;
	int unit[8];
	place_case_init(&c, 8, 4);
	for (int i = 0; i < 8; i++) {
		c.tasks[i].demand_pct = 10 + i;
		c.tasks[i].unit = i / 2;
	}
	assert_int_equal(place_load(&w, &c.p), 0);
	for (int i = 0; i < 8; i++)
		unit[i] = 3 - (i == 7 ? 0 : i / 2); /* the same pairs, but for one task */
	place_rename(&w, unit);
	for (int i = 0; i < 7; i++)
		assert_int_equal(unit[i], i / 2);
	assert_int_equal(unit[7], 0);
	c.units[1].background_pct = 30; /* not like the others: keeps its name */
	assert_int_equal(place_load(&w, &c.p), 0);
	for (int i = 0; i < 8; i++)
		unit[i] = 3 - i / 2;
	place_rename(&w, unit);
	assert_int_equal(unit[4], 1);
	place_done(&w);
	place_case_done(&c);
}

/* Two loads that change places every two minutes: at first they are followed, and then less and less, to a
 * move an hour. */
static void restless_tasks_rest(void **unused)
{
	(void)unused;
	enum { HOURS = 8 };
	struct place_case c;
	struct place_result r;
	size_t moves[HOURS] = {0};
	place_case_init(&c, 6, 3);
	c.cfg.dwell_max_s = 3600;
	for (int i = 0; i < 6; i++)
		c.tasks[i].unit = i / 2;
	void *s = P->create(&c.cfg);
	for (int i = 0; i < HOURS * 1800; i++) {
		bool swapped = i / 60 % 2;
		static const double pct[6] = {90, 20, 70, 20, 20, 20}, other[6] = {20, 90, 20, 70, 20, 80};
		for (int t = 0; t < 6; t++)
			c.tasks[t].demand_pct = swapped ? other[t] : pct[t];
		moves[i / 1800] += round_run(s, &c, &r, 2);
	}
	assert_true(moves[0] <= 6 * 6);
	for (int h = 2; h < HOURS; h++)
		assert_in_range(moves[h], 0, 12); /* six tasks, a move and a waived one each */
	P->destroy(s);
	place_case_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbering_does_not_matter),
		cmocka_unit_test(second_plan_is_empty),
		cmocka_unit_test(one_move_a_task),
		cmocka_unit_test(exact_search_is_a_proof),
		cmocka_unit_test(best_known_is_reached),
		cmocka_unit_test(units_are_renamed),
		cmocka_unit_test(restless_tasks_rest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
