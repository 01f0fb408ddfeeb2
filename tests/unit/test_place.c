/* SPDX-License-Identifier: MIT */
/* The placement solvers on problems small enough to know the truth: bound <= exact <= found, plans as cheap
 * as enumeration proves, sets kept, nothing made worse. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/core/place.h"
#include "support/place_gen.h"
#include "support/place_oracle.h"

static double bound_sigma(struct place_work *w)
{
	return place_sigma(w, place_bound_q(w));
}

static double found_sigma(struct place_work *w, double enough)
{
	double enough_f = enough * enough * w->pcpus,
	       f = place_found(w, &(struct place_enough){.f = enough_f});
	bool proven;
	if (f > enough_f && place_exact_fits(w))
		f = place_exact_found(w, f, enough_f, &proven);
	place_set(w, w->best);
	assert_float_equal(place_f(w), f, 1e-6);
	for (uint32_t t = 0; t < w->n_tasks; t++)
		assert_true(place_ok(w, t, w->best[t]));
	place_reset(w);
	return place_sigma(w, f);
}

/* A host whose size, demands, fixed loads and allowed sets all come from the seed. */
static void any_case(struct place_case *c, uint64_t seed, size_t max_n, size_t max_m)
{
	uint64_t r = seed * 1000003;
	size_t n = 2 + (size_t)(place_random(&r) * (double)(max_n - 1));
	size_t m = 2 + (size_t)(place_random(&r) * (double)(max_m - 1));
	place_case_init(c, n, m);
	place_case_random(c, seed, (enum place_shape)(place_random(&r) * 3), 20 + 60 * place_random(&r));
	for (size_t j = 0; j < m; j++)
		c->units[j].background_pct = place_random(&r) < 0.3 ? 80 * place_random(&r) : 0;
	for (size_t t = 0; t < n; t++) {
		int lo = (int)(place_random(&r) * (double)m),
		    hi = lo + 1 + (int)(place_random(&r) * (double)m);
		hi = hi > (int)m ? (int)m : hi;
		if (place_random(&r) > 0.2)
			continue;
		place_case_restrict(c, t, lo, hi);
		c->tasks[t].unit = lo;
	}
}

static void bound_exact_found(void **unused)
{
	(void)unused;
	struct place_work w = {0};
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct place_case c;
		any_case(&c, seed, 8, 4);
		assert_int_equal(place_load(&w, &c.p), 0);
		double exact = oracle_best_sigma(&c), bound = bound_sigma(&w), found = found_sigma(&w, 0);
		assert_true(bound <= exact + 1e-6);
		assert_float_equal(found, exact, 1e-6);
		place_case_done(&c);
	}
	place_done(&w);
}

static void known_bounds(void **unused)
{
	(void)unused;
	struct place_work w = {0};
	struct place_case c;
	place_case_init(&c, 6, 8); /* six equal on eight */
	for (int i = 0; i < 6; i++)
		c.tasks[i].demand_pct = 87.5;
	place_load(&w, &c.p);
	assert_float_equal(bound_sigma(&w), 37.889, 0.001);
	assert_float_equal(found_sigma(&w, 0), 37.889, 0.001);
	place_case_done(&c);

	place_case_init(&c, 4, 4); /* a fixed load that cannot be levelled */
	c.units[2].background_pct = 90;
	for (int i = 0; i < 4; i++)
		c.tasks[i].demand_pct = 15;
	place_load(&w, &c.p);
	assert_float_equal(bound_sigma(&w), sqrt((52.5 * 52.5 + 3 * 17.5 * 17.5) / 4), 0.001);
	place_case_done(&c);

	place_case_init(&c, 20, 8); /* LPT alone stays at 10 */
	for (int i = 0; i < 20; i++)
		c.tasks[i].demand_pct = i < 8 ? 30 : 20;
	place_load(&w, &c.p);
	double lpt = place_lpt(&w, w.best);
	assert_float_equal(place_sigma(&w, lpt), 10, 0.001);
	place_reset(&w);
	assert_float_equal(found_sigma(&w, 0), 0, 0.001);
	place_case_done(&c);
	place_done(&w);
}

static void bound_by_part(void **unused)
{
	(void)unused;
	struct place_work w = {0};
	struct place_case c;
	place_case_init(&c, 8, 4); /* six may only use the first two units, two the others */
	for (size_t i = 0; i < 8; i++) {
		c.tasks[i].demand_pct = 20;
		c.tasks[i].unit = i < 6 ? 0 : 2;
		place_case_restrict(&c, i, i < 6 ? 0 : 2, i < 6 ? 2 : 4);
	}
	place_load(&w, &c.p);
	assert_float_equal(bound_sigma(&w), 20, 0.001); /* 60 60 20 20 */
	assert_float_equal(found_sigma(&w, 0), 20, 0.001);
	place_case_done(&c);
	place_done(&w);
}

static void unequal_units(void **unused)
{
	(void)unused;
	struct place_work w = {0};
	struct place_case c;
	place_case_init(&c, 6, 2); /* 4 pCPUs and 2 */
	c.units[0].n_cpus = 4;
	c.units[1].n_cpus = 2;
	for (int i = 0; i < 6; i++)
		c.tasks[i].demand_pct = 60;
	place_load(&w, &c.p);
	assert_float_equal(place_sigma(&w, place_q(&w)), sqrt((4 * 30.0 * 30 + 2 * 60 * 60) / 6), 1e-6);
	assert_float_equal(bound_sigma(&w), 0, 1e-6);
	assert_float_equal(found_sigma(&w, 0), 0, 1e-6);
	struct place_goal g = {.f = 1, .min_score = 1, .max_steps = 6};
	place_greedy(&w, &g);
	assert_int_equal(w.n_steps, 2);
	assert_float_equal(place_q(&w), 0, 1e-6);
	place_case_done(&c);
	place_done(&w);
}

/* Cores before threads: four busy on two cores of four spread over all four, though no thread is above
 * another. */
static void cores_before_threads(void **unused)
{
	(void)unused;
	struct place_work w = {0};
	struct place_case c;
	place_case_init(&c, 4, 8);
	place_case_topology(&c, 2, 8, 8);
	for (int i = 0; i < 4; i++) {
		c.tasks[i].demand_pct = 90;
		c.tasks[i].unit = i;
	}
	place_load(&w, &c.p);
	assert_true(w.smt);
	double q = place_q(&w);
	struct place_goal g = {.f = 0, .min_score = 12.5, .max_steps = 4};
	place_greedy(&w, &g);
	assert_int_equal(w.n_steps, 2);
	assert_float_equal(place_q(&w), q, 1e-6);
	assert_float_equal(place_q_core(&w), 0, 1e-6);
	place_case_done(&c);
	place_done(&w);
}

static void exact_plan_is_cheapest(void **unused)
{
	(void)unused;
	struct place_work w = {0};
	for (uint64_t seed = 1; seed <= 150; seed++) {
		struct place_case c;
		any_case(&c, seed, 8, 4);
		place_load(&w, &c.p);
		double target = fmax(3, found_sigma(&w, 0)) + 1e-6;
		struct place_goal g = {
			.f = target * target * w.pcpus, .min_score = 0.5, .max_steps = w.n_tasks};
		place_greedy(&w, &g);
		place_exact_plan(&w, &g);
		assert_true(place_q(&w) <= g.f + 1e-6);
		assert_int_equal(w.n_steps, oracle_fewest_moves(&c, target));
		place_case_done(&c);
	}
	place_done(&w);
}

/* What every plan must keep, whoever made it. */
static void plan_holds(struct place_work *w, double before_q, double before_top)
{
	double top = 0;
	for (size_t j = 0; j < w->n_units; j++)
		top = fmax(top, w->load[j] * w->inv[j]);
	assert_true(place_q(w) <= before_q + 1e-6);
	assert_true(top <= before_top + 1e-6);
	for (size_t i = 0; i < w->n_steps; i++) {
		const struct place_step *x = &w->steps[i];
		assert_int_equal(x->from, w->home[x->task]);
		assert_int_equal(x->to, w->at[x->task]);
		assert_true(place_ok(w, x->task, x->to));
		assert_true(x->from != x->to);
		for (size_t k = 0; k < i; k++)
			assert_true(w->steps[k].task != x->task);
		if (x->partner >= 0)
			assert_int_equal(w->steps[x->partner].partner, i);
	}
}

static double top_load(const struct place_work *w)
{
	double top = 0;
	for (size_t j = 0; j < w->n_units; j++)
		top = fmax(top, w->load[j] * w->inv[j]);
	return top;
}

static void greedy_never_makes_worse(void **unused)
{
	(void)unused;
	struct place_work w = {0};
	for (uint64_t seed = 1; seed <= 150; seed++) {
		struct place_case c;
		any_case(&c, seed, 200, 48);
		place_case_topology(&c, seed % 3 == 0 ? 2 : 0, seed % 2 ? 8 : 0, seed % 5 ? 16 : 0);
		place_load(&w, &c.p);
		double q = place_q(&w), top = top_load(&w), f = place_f(&w);
		struct place_goal g = {.f = 0, .min_score = 12.5, .max_steps = w.n_tasks};
		place_greedy(&w, &g);
		plan_holds(&w, q, top);
		assert_true(f - place_f(&w) >= 12.5 * place_steps_cost(&w) - 1e-6);
		assert_true(w.n_steps >= place_bound_moves(&w, place_q(&w)));
		place_case_done(&c);
	}
	place_done(&w);
}

static void search_is_cheaper_and_as_low(void **unused)
{
	(void)unused;
	struct place_work w = {0};
	size_t greedy = 0, searched = 0;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct place_case c;
		place_case_init(&c, 64, 16);
		place_case_random(&c, seed, SHAPE_UNIFORM, 60);
		place_load(&w, &c.p);
		double q = place_q(&w), top = top_load(&w);
		struct place_goal g = {.f = 9 * w.pcpus, .min_score = 1, .max_steps = w.n_tasks};
		place_greedy(&w, &g);
		double reached = fmax(g.f, place_f(&w));
		greedy += w.n_steps;
		size_t before = w.n_steps;
		bool cheaper = place_search(&w, &g, 200000);
		assert_true(cheaper ? w.n_steps < before : w.n_steps == before);
		assert_true(place_f(&w) <= reached + 1e-5);
		plan_holds(&w, q, top + 100); /* only Q is promised here */
		searched += w.n_steps;
		place_case_done(&c);
	}
	assert_true(searched < greedy);
	place_done(&w);
}

static void cut_and_prune(void **unused)
{
	(void)unused;
	struct place_work w = {0};
	struct place_case c;
	place_case_init(&c, 8, 4);
	for (int i = 0; i < 8; i++)
		c.tasks[i].demand_pct = 45;
	place_load(&w, &c.p);
	struct place_goal g = {.f = 0, .min_score = 1, .max_steps = 8};
	place_greedy(&w, &g);
	assert_int_equal(w.n_steps, 6);
	place_prune(&w, 12.5);
	assert_int_equal(w.n_steps, 6);
	place_cut(&w, 2);
	assert_int_equal(w.n_steps, 2);
	assert_float_equal(w.load[0], 6 * 45, 1e-9);
	place_prune(&w, 1e9);
	assert_int_equal(w.n_steps, 0);
	assert_float_equal(w.load[0], 8 * 45, 1e-9);
	place_case_done(&c);
	place_done(&w);
}

static bool cbc_is_here(void)
{
	if (!oracle_have_cbc())
		print_message("cbc (coinor-cbc) is not installed: compared with enumeration only\n");
	return oracle_have_cbc();
}

/* What cbc proves is what enumeration finds, also when no plan there is. */
static void cbc_agrees_with_enumeration(void **unused)
{
	(void)unused;
	int impossible = 0;
	if (!cbc_is_here())
		skip();
	for (uint64_t seed = 1; seed <= 24; seed++) {
		struct place_case c;
		place_case_init(&c, 6 + seed % 4, 2 + seed % 3);
		place_case_random(&c, seed, SHAPE_UNIFORM, 60);
		c.units[seed % 2].background_pct = seed % 3 ? 0 : 30;
		if (seed % 4 == 0)
			place_case_restrict(&c, 2, 0, 2);
		int least = oracle_fewest_moves(&c, 8);
		struct oracle_moves x = oracle_cbc_moves(&c, 8, -1, 10);
		assert_int_equal(x.known, least);
		assert_int_equal(x.least, least < 0 ? (int)c.p.n_tasks + 1 : least);
		impossible += least < 0;
		place_case_done(&c);
	}
	assert_in_range(impossible, 1, 12);
}

/* The exact search needs as many as cbc proves necessary, and the step-wise one never fewer. */
static void cbc_agrees_with_the_solvers(void **unused)
{
	(void)unused;
	struct place_work w = {0};
	if (!cbc_is_here())
		skip();
	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct place_case c;
		bool small = seed % 2;
		place_case_init(&c, small ? 16 : 32, small ? 4 : 8);
		place_case_random(&c, seed, SHAPE_UNIFORM, 60);
		place_load(&w, &c.p);
		struct place_goal g = {.f = 25 * w.pcpus, .min_score = 0.5, .max_steps = w.n_tasks};
		place_greedy(&w, &g);
		assert_true(place_f(&w) <= g.f);
		size_t steps = w.n_steps;
		struct oracle_moves x = oracle_cbc_moves(&c, 5, (int)steps, 10);
		assert_int_equal(x.least, x.known);
		assert_in_range(x.least, place_bound_moves(&w, g.f), steps);
		if (small) {
			place_exact_plan(&w, &g);
			assert_int_equal(w.n_steps, x.least);
		}
		place_case_done(&c);
	}
	place_done(&w);
}

static void hostile_numbers(void **unused)
{
	(void)unused;
	struct place_work w = {0};
	struct place_case c;
	place_case_init(&c, 5, 2);
	c.tasks[0].demand_pct = NAN;
	c.tasks[1].demand_pct = -5;
	c.tasks[2].demand_pct = INFINITY;
	c.tasks[3].unit = 17;
	c.tasks[4].unit = -9;
	c.units[0].background_pct = NAN;
	c.units[1].n_cpus = 0;
	assert_int_equal(place_load(&w, &c.p), 0);
	assert_float_equal(place_q(&w), 0, 0);
	assert_true(isfinite(place_bound_q(&w)));
	place_case_done(&c);
	place_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bound_exact_found),
		cmocka_unit_test(known_bounds),
		cmocka_unit_test(bound_by_part),
		cmocka_unit_test(unequal_units),
		cmocka_unit_test(cores_before_threads),
		cmocka_unit_test(exact_plan_is_cheapest),
		cmocka_unit_test(greedy_never_makes_worse),
		cmocka_unit_test(search_is_cheaper_and_as_low),
		cmocka_unit_test(cut_and_prune),
		cmocka_unit_test(cbc_agrees_with_enumeration),
		cmocka_unit_test(cbc_agrees_with_the_solvers),
		cmocka_unit_test(hostile_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
