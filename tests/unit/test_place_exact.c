/* SPDX-License-Identifier: MIT */
/* What is attainable, and at what cost, against all placements there are: with threads, zones, weights,
 * memory on nodes, large units, tasks that must stay; and the heuristics against what they promise. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/core/place.h"
#include "support/place_gen.h"

#define EPS 1e-6

static struct place_work w;
static struct place_case c;

/* Walks through all placements of the free tasks. */
struct walk {
	bool plan; /* from where they are */
	double goal_f;
	size_t max_moves;
	int at[8];
	double best_f;                   /* of all */
	double least_cost, least_cost_f; /* of those that reach the goal; lowest F at that cost */
};

static void walk_leaf(struct walk *x)
{
	size_t moves = 0;
	double cost = 0;
	bool may = true;
	place_set(&w, x->at);
	double f = place_f(&w);
	x->best_f = fmin(x->best_f, f);
	for (uint32_t t = 0; t < w.n_tasks; t++) {
		if (x->at[t] == w.home[t])
			continue;
		may &= !w.still[t];
		moves++;
		cost += x->plan ? place_cost(&w, t, w.home[t], x->at[t]) : 0;
	}
	if (!may || moves > x->max_moves || f > x->goal_f + EPS)
		return;
	if (cost < x->least_cost - EPS) {
		x->least_cost = cost;
		x->least_cost_f = f;
	} else if (cost < x->least_cost + EPS) {
		x->least_cost_f = fmin(x->least_cost_f, f);
	}
}

static void walk_on(struct walk *x, uint32_t t)
{
	if (t == w.n_tasks) {
		walk_leaf(x);
		return;
	}
	if (x->plan && w.home[t] < 0) {
		x->at[t] = PLACE_NONE; /* a plan moves those that are somewhere */
		walk_on(x, t + 1);
		return;
	}
	for (int u = 0; u < (int)w.n_units; u++)
		if (place_ok(&w, t, u)) {
			x->at[t] = u;
			walk_on(x, t + 1);
		}
}

static struct walk walk_all(bool plan, double goal_f, size_t max_moves)
{
	struct walk x = {.plan = plan,
		.goal_f = goal_f,
		.max_moves = max_moves,
		.best_f = INFINITY,
		.least_cost = INFINITY,
		.least_cost_f = INFINITY};
	walk_on(&x, 0);
	place_reset(&w);
	return x;
}

static bool placed(void)
{
	for (uint32_t t = 0; t < w.n_tasks; t++)
		if (w.home[t] < 0)
			return false;
	return w.n_tasks > 0;
}

static void the_best_placement_is_found(void **unused)
{
	(void)unused;
	size_t proofs = 0;
	for (uint64_t seed = 1; seed <= 150; seed++) {
		place_case_wild(&c, seed, 6, 4, seed % 2);
		assert_int_equal(place_load(&w, &c.p), 0);
		struct walk all = walk_all(false, 0, w.n_tasks);
		bool proven = false;
		double rough = place_found(&w, &(struct place_enough){0}),
		       f = place_exact_found(&w, rough, 0, &proven);
		assert_true(rough >= all.best_f - EPS);
		assert_float_equal(f, all.best_f, 1e-4);
		place_set(&w, w.best);
		assert_float_equal(place_f(&w), f, 1e-4);
		for (uint32_t t = 0; t < w.n_tasks; t++)
			assert_true(place_ok(&w, t, w.best[t]));
		proofs += proven;
		if (!w.smt)
			assert_true(place_bound_q(&w) <= f + 1e-4);
		place_exact_found(&w, rough, rough + 1, &proven); /* good enough already */
		assert_false(proven);
		place_case_done(&c);
	}
	assert_true(proofs > 100);
	place_done(&w);
}

/* The cheapest plan to a goal; at that cost, the one that ends lowest. */
static void the_cheapest_plan_is_found(void **unused)
{
	(void)unused;
	size_t plans = 0;
	for (uint64_t seed = 1; seed <= 300; seed++) {
		uint64_t r = seed;
		place_case_wild(&c, seed, 6, 4, seed % 2);
		for (size_t t = 0; t < c.p.n_tasks; t++) /* only what is idle is nowhere */
			c.tasks[t].demand_pct = c.tasks[t].unit < 0 ? 0 : c.tasks[t].demand_pct;
		assert_int_equal(place_load(&w, &c.p), 0);
		for (uint32_t t = 0; t < w.n_tasks; t++)
			w.still[t] = place_random(&r) < 0.15;
		struct walk all = walk_all(true, 0, w.n_tasks);
		struct place_goal g = {.f = all.best_f + place_random(&r) * (place_f(&w) - all.best_f),
			.min_score = 1,
			.max_steps = seed % 5 ? w.n_tasks : 2};
		all = walk_all(true, g.f, g.max_steps);
		bool better = place_exact_plan(&w, &g);
		assert_int_equal(better, isfinite(all.least_cost) && all.least_cost > 0);
		if (better) {
			assert_float_equal(place_steps_cost(&w), all.least_cost, 1e-4);
			assert_float_equal(place_f(&w), all.least_cost_f, 1e-3);
			plans += w.n_steps > 0;
			size_t n = w.n_steps; /* nothing beats what is there now */
			assert_false(place_exact_plan(&w, &g));
			assert_int_equal(w.n_steps, n);
			assert_float_equal(place_f(&w), all.least_cost_f, 1e-3);
		}
		place_case_done(&c);
	}
	assert_true(plans > 80);
	place_done(&w);
}

/* A fixed load of 90, a task of 80 and two of 30 on four units: the two large ones sit alone, and the bound
 * knows. */
static void what_is_large_sits_alone(void **unused)
{
	(void)unused;
	static const double pct[] = {80, 30, 30};
	place_case_init(&c, 3, 4);
	c.units[2].background_pct = 90;
	for (int t = 0; t < 3; t++)
		c.tasks[t].demand_pct = pct[t];
	assert_int_equal(place_load(&w, &c.p), 0);
	double q = 32.5 * 32.5 + 22.5 * 22.5 + 2 * 27.5 * 27.5;
	assert_float_equal(place_bound_q(&w), q, EPS);
	assert_float_equal(place_found(&w, &(struct place_enough){0}), q, EPS);
	c.units[2].background_pct = 0; /* 80 30 30 0 */
	assert_int_equal(place_load(&w, &c.p), 0);
	assert_float_equal(place_bound_q(&w), 45.0 * 45 + 2 * 5 * 5 + 35 * 35, EPS);
	place_case_done(&c);
	place_done(&w);
}

/* VMs that are all alike are the usual case: that there is nothing better is proven, not guessed, and the
 * fewest moves are found, on up to twelve pCPUs. */
static void equal_tasks_are_no_riddle(void **unused)
{
	(void)unused;
	for (size_t m = 3; m <= 12; m++)
		for (size_t n = m + 1; n <= m + 5 && n <= 16; n++) {
			bool proven = false;
			place_case_init(&c, n, m);
			for (size_t i = 0; i < n; i++)
				c.tasks[i].demand_pct = 60;
			assert_int_equal(place_load(&w, &c.p), 0);
			double f = place_exact_found(
				&w, place_found(&w, &(struct place_enough){0}), 0.001, &proven);
			assert_int_equal(proven, n % m != 0);
			assert_float_equal(f, 3600.0 * (double)(n % m * (m - n % m)) / (double)m, 0.01);
			place_reset(&w);
			struct place_goal g = {.f = f + 0.001, .min_score = 1, .max_steps = n};
			assert_true(place_exact_plan(&w, &g));
			assert_int_equal(w.n_steps, n - (n + m - 1) / m);
			place_case_done(&c);
		}
	place_done(&w);
}

/* No plan of fewer moves than the certificate says reaches the goal. */
static void fewer_moves_cannot_do(void **unused)
{
	(void)unused;
	size_t tight = 0;
	for (uint64_t seed = 1; seed <= 150; seed++) {
		place_case_wild(&c, seed, 6, 4, true);
		assert_int_equal(place_load(&w, &c.p), 0);
		if (placed() && !w.smt && w.one_zone) {
			double best = walk_all(true, 0, w.n_tasks).best_f, goal = (best + place_f(&w)) / 2;
			size_t least = place_bound_moves(&w, goal), k = 0;
			while (!isfinite(walk_all(true, goal, k).least_cost) && k < w.n_tasks)
				k++;
			assert_true(least <= k);
			tight += least == k;
		}
		place_case_done(&c);
	}
	assert_true(tight > 10);
	place_done(&w);
}

/* By search instead: never dearer than what is there, as low, and mostly the cheapest there is. */
static void the_search_is_nearly_as_good(void **unused)
{
	(void)unused;
	double exact = 0, searched = 0, greedy = 0;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		place_case_wild(&c, seed, 14, 6, true);
		assert_int_equal(place_load(&w, &c.p), 0);
		struct place_goal g = {.f = 9 * w.pcpus, .min_score = 1, .max_steps = w.n_tasks};
		for (uint32_t t = 0; t < w.n_tasks; t++)
			w.still[t] = t % 7 == 3;
		place_greedy(&w, &g);
		double cost = place_steps_cost(&w), f = fmax(g.f, place_f(&w));
		greedy += cost;
		bool better = place_search(&w, &g, 20000);
		assert_int_equal(better, place_steps_cost(&w) < cost - EPS);
		assert_true(place_steps_cost(&w) <= cost + EPS && place_f(&w) <= f + 1e-4);
		for (size_t i = 0; i < w.n_steps; i++) {
			const struct place_step *x = &w.steps[i];
			assert_true(!w.still[x->task] && place_ok(&w, x->task, x->to));
			assert_int_equal(x->from, w.home[x->task]);
		}
		searched += place_steps_cost(&w);
		g.f = f;
		place_exact_plan(&w, &g);
		exact += place_steps_cost(&w);
		place_case_done(&c);
	}
	assert_true(searched < greedy);
	assert_true(searched <= 1.03 * exact);
	place_done(&w);
}

/* --- heuristics --- */

/* Longest first, each where F rises least. */
static void lpt_is_lpt(void **unused)
{
	(void)unused;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		int unit[40], none[40];
		place_case_wild(&c, seed, 30, 12, seed % 2);
		assert_int_equal(place_load(&w, &c.p), 0);
		double f = place_lpt(&w, unit);
		for (uint32_t t = 0; t < w.n_tasks; t++)
			none[t] = PLACE_NONE;
		place_set(&w, none);
		for (uint32_t i = 0; i < w.n_tasks; i++) {
			uint32_t t = w.order[i];
			double before = place_f(&w), least = INFINITY, rise = INFINITY;
			for (int u = 0; u < (int)w.n_units; u++) {
				if (!place_ok(&w, t, u))
					continue;
				double h =
					w.demand[t] *
					(2 * w.level[u] + w.demand[t] * (w.inv[u] + w.core_inv[w.core[u]]));
				least = fmin(least, h);
				rise = u == unit[t] ? h : rise;
			}
			assert_true(place_ok(&w, t, unit[t]));
			assert_true((w.equal && w.smt) || rise <= least + EPS * (1 + before));
			place_add(&w, unit[t], w.demand[t]);
		}
		assert_float_equal(place_f(&w), f, EPS * (1 + f));
		place_case_done(&c);
	}
	place_done(&w);
}

static double highest(const int *unit)
{
	double top = 0;
	place_set(&w, unit);
	for (size_t j = 0; j < w.n_units; j++)
		top = fmax(top, w.load[j] * w.inv[j]);
	return top;
}

/* MULTIFIT never raises the roof, and often lowers it; its answer is a placement. */
static void multifit_lowers_the_roof(void **unused)
{
	(void)unused;
	size_t lower = 0;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		int unit[40];
		place_case_wild(&c, seed, 30, 8, seed % 2);
		assert_int_equal(place_load(&w, &c.p), 0);
		for (uint32_t t = 0; t < w.n_tasks; t++)
			unit[t] = place_lowest_ok(&w, t, 0, (uint32_t)w.n_units);
		double before = highest(unit), f = place_multifit(&w, unit);
		assert_float_equal(place_f(&w), f, EPS * (1 + f));
		double after = highest(unit);
		assert_true(after <= before + EPS);
		lower += after < before - 1;
		for (uint32_t t = 0; t < w.n_tasks; t++)
			assert_true(place_ok(&w, t, unit[t]));
		place_case_done(&c);
	}
	assert_true(lower > 100);
	place_case_init(&c, 6, 3); /* 40 40 30 30 30 30 on three: first fit under 70 has it */
	for (int t = 0; t < 6; t++)
		c.tasks[t].demand_pct = t < 2 ? 40 : 30;
	int unit[6] = {0, 0, 1, 1, 2, 2};
	assert_int_equal(place_load(&w, &c.p), 0);
	place_multifit(&w, unit);
	assert_float_equal(highest(unit), 70, 0.1);
	place_case_done(&c);
	place_done(&w);
}

/* Where the descent ends no move and no swap lowers F. */
static void the_descent_ends_at_the_bottom(void **unused)
{
	(void)unused;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		int unit[40];
		place_case_wild(&c, seed, 20, 8, seed % 2);
		assert_int_equal(place_load(&w, &c.p), 0);
		place_lpt(&w, unit);
		for (uint32_t t = 0; t < w.n_tasks; t += 2)
			unit[t] = place_lowest_ok(&w, t, 0, (uint32_t)w.n_units);
		double f = place_descend(&w, unit, &(struct place_enough){0}, 1 << 20);
		place_set(&w, unit);
		assert_float_equal(place_f(&w), f, EPS * (1 + f));
		for (uint32_t t = 0; t < w.n_tasks; t++)
			for (int u = 0; u < (int)w.n_units; u++)
				if (u != unit[t] && place_ok(&w, t, u))
					assert_true(place_gain(&w, w.demand[t], unit[t], u) < 1e-4);
		for (uint32_t a = 0; a < w.n_tasks; a++)
			for (uint32_t b = 0; b < w.n_tasks; b++)
				if (unit[a] != unit[b] && place_ok(&w, a, unit[b]) &&
					place_ok(&w, b, unit[a]))
					assert_true(place_gain(&w, w.demand[a] - w.demand[b], unit[a],
							    unit[b]) < 1e-4);
		place_case_done(&c);
	}
	place_done(&w);
}

/* Of two ways from scratch the better one counts: never worse than longest first and the descent from there,
 * and now and then better. */
static void the_better_way_counts(void **unused)
{
	(void)unused;
	size_t better = 0;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		int unit[60];
		place_case_init(&c, 24, 8);
		place_case_random(&c, seed, SHAPE_UNIFORM, 60);
		assert_int_equal(place_load(&w, &c.p), 0);
		place_lpt(&w, unit);
		double one = place_descend(&w, unit, &(struct place_enough){0}, 1 << 18);
		double f = place_found(&w, &(struct place_enough){0});
		assert_true(f <= one + EPS);
		better += f < one - EPS;
		place_case_done(&c);
	}
	assert_true(better > 20);
	place_done(&w);
}

/* --- names of units --- */

static size_t at_home(const int *unit)
{
	size_t n = 0;
	for (uint32_t t = 0; t < w.n_tasks; t++)
		n += unit[t] == w.home[t];
	return n;
}

/* Units of one size, without threads; all tasks may go everywhere. */
static void easy_case(uint64_t seed)
{
	place_case_done(&c);
	place_case_init(&c, 30, 8);
	place_case_random(&c, seed, SHAPE_UNIFORM, 60);
	place_case_topology(&c, 0, seed % 2 ? 4 : 0, 0);
	c.units[seed % 8].background_pct = seed % 3 ? 0 : 20;
}

/* Another name is given only to units that are alike, the loads stay the same ones, and none loses by it. */
static void new_names_change_nothing_but_names(void **unused)
{
	(void)unused;
	size_t gained = 0;
	for (uint64_t seed = 1; seed <= 300; seed++) {
		int unit[40], to[40];
		place_case_wild(&c, seed, 30, 8, seed % 3 != 0);
		if (seed % 4)
			easy_case(seed);
		assert_int_equal(place_load(&w, &c.p), 0);
		place_lpt(&w, unit);
		memcpy(to, unit, sizeof to);
		place_set(&w, unit);
		double f = place_f(&w);
		place_rename(&w, to);
		place_set(&w, to);
		if (memcmp(to, unit, w.n_tasks * sizeof *to) != 0)
			assert_true(!w.smt && w.equal);
		assert_true(fabs(place_f(&w) - f) < 0.01 * (1 + f) + 50);
		for (uint32_t t = 0; t < w.n_tasks; t++) {
			assert_true(place_ok(&w, t, to[t]));
			assert_true(w.llc_lo[to[t]] == w.llc_lo[unit[t]]);
			assert_true(fabs(w.fixed[to[t]] - w.fixed[unit[t]]) < 0.5);
			for (uint32_t k = 0; k < t; k++)
				assert_int_equal(to[k] == to[t], unit[k] == unit[t]);
		}
		gained += at_home(to) > at_home(unit);
		place_case_done(&c);
	}
	assert_true(gained > 150);
	place_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_best_placement_is_found),
		cmocka_unit_test(the_cheapest_plan_is_found),
		cmocka_unit_test(what_is_large_sits_alone),
		cmocka_unit_test(equal_tasks_are_no_riddle),
		cmocka_unit_test(fewer_moves_cannot_do),
		cmocka_unit_test(the_search_is_nearly_as_good),
		cmocka_unit_test(lpt_is_lpt),
		cmocka_unit_test(multifit_lowers_the_roof),
		cmocka_unit_test(the_descent_ends_at_the_bottom),
		cmocka_unit_test(the_better_way_counts),
		cmocka_unit_test(new_names_change_nothing_but_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
