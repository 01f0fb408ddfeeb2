/* SPDX-License-Identifier: MIT */
/* The workspace of the placement solvers against the plain way to say the same: loads, measures, gains,
 * costs, allowed sets and the lowest unit of a range, on random hosts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/core/place.h"
#include "support/place_gen.h"

enum { CASES = 300 };

static struct place_work w;
static struct place_case c;

static const struct place_task *task_of(uint32_t t)
{
	return &c.tasks[w.id[t]];
}

static double per_cpu(int u)
{
	return w.load[u] / c.units[u].n_cpus;
}

static bool siblings(int a, int b)
{
	const struct place_unit *x = &c.units[a], *y = &c.units[b];
	return x->core >= 0 && x->core == y->core && x->llc == y->llc && x->node == y->node &&
	       x->n_cpus == 1 && y->n_cpus == 1;
}

static void naive_measures(double *q, double *q_core)
{
	double mean = 0, pcpus = 0;
	bool smt = false;
	*q = *q_core = 0;
	for (int u = 0; u < (int)w.n_units; u++) {
		mean += w.load[u];
		pcpus += c.units[u].n_cpus;
	}
	mean /= pcpus;
	for (int u = 0; u < (int)w.n_units; u++) {
		double load = w.load[u], threads = 1;
		*q += c.units[u].n_cpus * (per_cpu(u) - mean) * (per_cpu(u) - mean);
		for (int v = 0; v < (int)w.n_units; v++)
			if (v != u && siblings(u, v)) {
				load += w.load[v];
				threads++;
				smt = true;
			}
		*q_core += (load / threads - mean) * (load / threads - mean);
	}
	if (!smt)
		*q_core = 0;
}

/* Loads are fixed ones, those of the held, and those of free tasks where they are. */
static void loads_are_sums(void)
{
	double sum[64];
	for (size_t j = 0; j < w.n_units; j++)
		sum[j] = c.units[j].background_pct;
	for (size_t i = 0; i < c.p.n_tasks; i++)
		if (c.tasks[i].unit >= 0)
			sum[c.tasks[i].unit] += c.tasks[i].demand_pct;
	for (size_t j = 0; j < w.n_units; j++)
		assert_float_equal(w.load[j], sum[j], 1e-6);
}

static void measures_and_gains(void **unused)
{
	(void)unused;
	for (uint64_t seed = 1; seed <= CASES; seed++) {
		place_case_wild(&c, seed, 40, 20, seed % 3 != 0);
		assert_int_equal(place_load(&w, &c.p), 0);
		loads_are_sums();
		double q, core;
		naive_measures(&q, &core);
		assert_float_equal(place_q(&w), q, 1e-6 * (1 + q));
		assert_float_equal(place_q_core(&w), core, 1e-6 * (1 + core));
		assert_float_equal(place_f(&w), q + core, 1e-6 * (1 + q + core));
		for (uint32_t t = 0; t < w.n_tasks; t++) {
			int a = w.home[t], z = (int)((seed + t) % w.n_units);
			if (a < 0 || a == z)
				continue;
			double f = place_f(&w), before = place_q(&w), la = per_cpu(a);
			double gain = place_gain(&w, w.demand[t], a, z);
			bool safe = place_safe(&w, w.demand[t], a, z);
			place_add(&w, a, -w.demand[t]);
			place_add(&w, z, w.demand[t]);
			assert_float_equal(gain, f - place_f(&w), 1e-6 * (1 + f));
			if (fabs(per_cpu(z) - la) > 1e-6)
				assert_int_equal(
					safe, per_cpu(z) < la && (!w.smt || place_q(&w) <= before + 1e-6));
			place_add(&w, z, -w.demand[t]);
			place_add(&w, a, w.demand[t]);
		}
		place_case_done(&c);
	}
	place_done(&w);
}

static bool may_be(uint32_t t, int u)
{
	const struct place_task *k = task_of(t);
	if (!cpuset_has(k->allowed, u))
		return false;
	return !k->stay_on_node || k->unit < 0 || c.units[k->unit].node == c.units[u].node;
}

/* Where a task may be, and which of those has the lowest load in a range of places. */
static void the_lowest_allowed_is_found(void **unused)
{
	(void)unused;
	for (uint64_t seed = 1; seed <= CASES; seed++) {
		place_case_wild(&c, seed, 30, seed % 2 ? 200 : 40, true);
		assert_int_equal(place_load(&w, &c.p), 0);
		uint64_t r = seed;
		for (uint32_t t = 0; t < w.n_tasks; t++) {
			uint32_t lo = (uint32_t)(place_random(&r) * (double)w.n_units),
				 hi = lo + 1 + (uint32_t)(place_random(&r) * (double)(w.n_units - lo));
			if (t % 3 == 0)
				lo = 0, hi = (uint32_t)w.n_units;
			int best = PLACE_NONE, lowest = PLACE_NONE;
			for (uint32_t i = lo; i < hi; i++) {
				int u = (int)w.unit_at[i];
				assert_int_equal(w.pos[u], i);
				assert_int_equal(place_ok(&w, t, u), may_be(t, u));
				if (lowest < 0 || w.level[u] < w.level[lowest])
					lowest = u;
				if (may_be(t, u) && (best < 0 || w.level[u] < w.level[best]))
					best = u;
			}
			assert_int_equal(place_lowest(&w, lo, hi), lowest);
			assert_int_equal(place_lowest_ok(&w, t, lo, hi), best);
			int to = place_lowest_ok(
				&w, t, 0, (uint32_t)w.n_units); /* loads change, the answer with them */
			if (to >= 0)
				place_take(&w, t, to, -1);
		}
		assert_int_equal(place_lowest(&w, 3, 3), PLACE_NONE);
		place_case_done(&c);
	}
	place_done(&w);
}

/* Units of a node stand together, and in it those of an LLC, whatever their numbers are. */
static void neighbours_stand_together(void **unused)
{
	(void)unused;
	for (uint64_t seed = 1; seed <= CASES; seed++) {
		place_case_wild(&c, seed, 5, 30, true);
		assert_int_equal(place_load(&w, &c.p), 0);
		bool one = true;
		for (size_t a = 0; a < w.n_units; a++)
			for (size_t b = 0; b < w.n_units; b++) {
				bool node = c.units[a].node == c.units[b].node,
				     llc = node && c.units[a].llc == c.units[b].llc;
				uint32_t at = w.pos[b];
				assert_int_equal(at >= w.node_lo[a] && at < w.node_hi[a], node);
				assert_int_equal(at >= w.llc_lo[a] && at < w.llc_hi[a], llc);
				assert_int_equal(w.core[a] == w.core[b], a == b || siblings((int)a, (int)b));
				one &= llc;
			}
		assert_int_equal(w.one_zone, one);
		place_case_done(&c);
	}
	place_done(&w);
}

/* Tasks of one unit stand together, the smallest first; the order of all is by demand, the largest first. */
static void tasks_are_sorted(void **unused)
{
	(void)unused;
	for (uint64_t seed = 1; seed <= CASES; seed++) {
		place_case_wild(&c, seed, 60, 20, true);
		assert_int_equal(place_load(&w, &c.p), 0);
		size_t placed = 0;
		for (uint32_t i = 1; i < w.n_tasks; i++)
			assert_true((float)w.demand[w.order[i - 1]] >= (float)w.demand[w.order[i]]);
		for (uint32_t u = 0; u < w.n_units; u++)
			for (uint32_t i = w.first[u]; i < w.first[u + 1]; i++, placed++) {
				assert_int_equal(w.home[w.seg[i]], u);
				if (i > w.first[u])
					assert_true(
						(float)w.demand[w.seg[i - 1]] <= (float)w.demand[w.seg[i]]);
			}
		for (uint32_t t = 0; t < w.n_tasks; t++)
			placed += w.home[t] < 0;
		assert_int_equal(placed, w.n_tasks);
		place_case_done(&c);
	}
	place_done(&w);
}

/* 4 units: LLCs {0,1} {2} {3}, nodes {0,1,2} {3}. */
static void distances_and_costs(void **unused)
{
	(void)unused;
	static const struct {
		int from, to;
		uint64_t mem_nodes;
		double weight, cost;
	} rows[] = {
		{0, 1, 0, 1, 1}, {0, 2, 0, 1, 2}, {0, 3, 0, 1, 4}, {0, 3, 0, 2.5, 10},
		{0, 3, 1, 1, 8}, /* leaves its memory */
		{3, 0, 1, 1, 2}, /* comes home */
		{0, 3, 3, 1, 4}, /* memory on both */
		{0, 2, 2, 1, 2}, /* on neither */
		{0, 1, 0, 0, 1}, /* no weight is 1 */
	};
	place_case_init(&c, 1, 4);
	for (int u = 0; u < 4; u++) {
		c.units[u].llc = u < 2 ? 0 : u - 1;
		c.units[u].node = u == 3;
	}
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		c.tasks[0].mem_nodes = rows[i].mem_nodes;
		c.tasks[0].weight = rows[i].weight;
		assert_int_equal(place_load(&w, &c.p), 0);
		assert_float_equal(place_cost(&w, 0, rows[i].from, rows[i].to), rows[i].cost, 1e-9);
	}
	c.units[3].node = -1; /* of an unknown node: only the LLCs differ */
	assert_float_equal(place_distance(&w, 0, 3), 2, 0);
	c.tasks[0].mem_nodes = 2; /* which may be there: it comes home */
	c.tasks[0].weight = 1;
	assert_int_equal(place_load(&w, &c.p), 0);
	assert_float_equal(place_cost_far(&w, 0, 0, 3), 1, 1e-9);
	c.units[3].llc = -1;
	assert_float_equal(place_distance(&w, 0, 3), 1, 0);
	for (int u = 0; u < 4; u++)
		c.units[u].llc = c.units[u].node = 0;
	assert_int_equal(place_load(&w, &c.p), 0);
	assert_float_equal(place_cost(&w, 0, 0, 3), 1, 0);
	place_case_done(&c);
	place_done(&w);
}

/* A task that may be on one unit only and is there is load that stays; one that may be nowhere too. */
static void tasks_that_cannot_move_are_load(void **unused)
{
	(void)unused;
	place_case_init(&c, 4, 3);
	for (int t = 0; t < 4; t++) {
		c.tasks[t].demand_pct = 10 * (t + 1);
		c.tasks[t].unit = 1;
	}
	place_case_restrict(&c, 0, 1, 2);
	place_case_restrict(&c, 1, 2, 3); /* not there yet: has to go */
	place_case_restrict(&c, 2, 1, 1);
	assert_int_equal(place_load(&w, &c.p), 0);
	assert_int_equal(w.n_tasks, 2);
	assert_int_equal(w.id[0], 1);
	assert_int_equal(w.id[1], 3);
	assert_float_equal(w.fixed[1], 40, 1e-9);
	assert_float_equal(w.load[1], 100, 1e-9);
	assert_float_equal(w.total, 100, 1e-9);
	assert_float_equal(w.mean, 100 / 3.0, 1e-9);
	place_case_done(&c);
	place_done(&w);
}

/* ---- names of units ---- */

enum { NAMED_TASKS = 6, NAMED_UNITS = 3 };

enum { NAMED_MOST = UINT16_MAX + 1 };

/* A placement by hand, and what tasks and units are like; all alike at first. */
struct naming {
	int home[NAMED_MOST], unit[NAMED_MOST];
	uint8_t wide[NAMED_MOST], node_bound[NAMED_MOST];
	uint32_t llc[PLACE_RENAME_UNITS + 1];
	double fixed[PLACE_RENAME_UNITS + 1];
	struct place_work w;
};

static struct naming named;

static void naming_begin(struct naming *x, const int home[NAMED_TASKS], const int unit[NAMED_TASKS])
{
	*x = (struct naming){.w = {.n_tasks = NAMED_TASKS, .n_units = NAMED_UNITS, .equal = true}};
	memcpy(x->home, home, NAMED_TASKS * sizeof *home);
	memcpy(x->unit, unit, NAMED_TASKS * sizeof *unit);
	memset(x->wide, 1, sizeof x->wide);
	x->w.home = x->home;
	x->w.wide = x->wide;
	x->w.node_bound = x->node_bound;
	x->w.llc_lo = x->llc;
	x->w.fixed = x->fixed;
}

static void becomes(struct naming *x, const int want[NAMED_TASKS])
{
	place_rename(&x->w, x->unit);
	assert_memory_equal(x->unit, want, NAMED_TASKS * sizeof *want);
}

static const int at_home[] = {0, 0, 0, 1, 1, 2}, swapped[] = {2, 2, 2, 0, 0, 1};

/* Each unit gets the name under which most of its tasks are at home; most of all first. */
static void most_in_common_first(void **state)
{
	(void)state;
	struct naming *x = &named;
	naming_begin(x, at_home, swapped);
	becomes(x, at_home);
	/* Both 0 and 1 have tasks of 0: 1 has more, so 0 gets what is left and best. */
	naming_begin(x, (const int[]){0, 0, 0, 1, 2, 2}, (const int[]){0, 1, 1, 0, 2, 2});
	becomes(x, (const int[]){1, 0, 0, 1, 2, 2});
	/* Whose name is gone gets another one before its turn comes. */
	naming_begin(x, (const int[]){0, 0, 0, 0, 0, 2}, (const int[]){1, 1, 1, 0, 0, 2});
	becomes(x, (const int[]){0, 0, 0, 1, 1, 2});
	/* Nobody's home, and nowhere placed. */
	naming_begin(x, (const int[]){PLACE_NONE, 0, 0, 1, 1, 2}, (const int[]){2, 2, PLACE_NONE, 0, 0, 1});
	becomes(x, (const int[]){0, 0, PLACE_NONE, 1, 1, 2});
}

/* Units that are not alike, and tasks that may not go everywhere, keep their names. */
static void names_that_matter_stay(void **state)
{
	(void)state;
	struct naming *x = &named;
	for (int i = 0; i < 6; i++) {
		naming_begin(x, at_home, swapped);
		x->w.smt = i == 0;
		x->w.equal = i != 1;
		x->wide[5] = i != 2;
		x->node_bound[0] = i == 3;
		x->w.n_units = i == 4 ? PLACE_RENAME_UNITS + 1 : NAMED_UNITS;
		x->w.n_tasks = i == 5 ? (size_t)UINT16_MAX + 1 : NAMED_TASKS;
		becomes(x, swapped);
	}
}

/* More than can be counted: nothing is renamed by half a count. */
static void too_many_keep_their_names(void **state)
{
	(void)state;
	struct naming *x = &named;
	naming_begin(x, at_home, swapped);
	for (int t = 0; t < NAMED_MOST; t++) { /* more of unit 2 at home on 0 than of unit 0 on 1 */
		x->home[t] = t < 40000 ? 0 : 1;
		x->unit[t] = t < 40000 ? 2 : 0;
	}
	x->w.n_tasks = NAMED_MOST;
	place_rename(&x->w, x->unit);
	assert_int_equal(x->unit[0], 2);
	x->w.n_tasks = NAMED_MOST - 1;
	place_rename(&x->w, x->unit);
	assert_int_equal(x->unit[0], 0);
	assert_int_equal(x->unit[NAMED_MOST - 2], 1);
}

/* Tasks that are at home nowhere say nothing of names. */
static void who_is_nowhere_names_nothing(void **state)
{
	(void)state;
	struct naming *x = &named;
	naming_begin(x, (const int[]){PLACE_NONE, PLACE_NONE, PLACE_NONE, PLACE_NONE, PLACE_NONE, PLACE_NONE},
		(const int[]){0, 0, 1, 1, 2, 2});
	x->w.n_units = PLACE_RENAME_UNITS;
	becomes(x, (const int[]){0, 0, 1, 1, 2, 2});
}

/* Within an LLC, and where what nobody moves is about the same. */
static void names_are_of_equals(void **state)
{
	(void)state;
	struct naming *x = &named;
	naming_begin(x, at_home, swapped);
	x->llc[2] = 1;
	becomes(x, (const int[]){2, 2, 2, 1, 1, 0}); /* 0 and 1 change names, 2 stays */
	naming_begin(x, at_home, swapped);
	x->fixed[2] = .6;
	becomes(x, (const int[]){2, 2, 2, 1, 1, 0});
	naming_begin(x, at_home, swapped);
	x->fixed[2] = .4;
	becomes(x, at_home);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(measures_and_gains),
		cmocka_unit_test(the_lowest_allowed_is_found),
		cmocka_unit_test(neighbours_stand_together),
		cmocka_unit_test(tasks_are_sorted),
		cmocka_unit_test(distances_and_costs),
		cmocka_unit_test(tasks_that_cannot_move_are_load),
		cmocka_unit_test(most_in_common_first),
		cmocka_unit_test(names_that_matter_stay),
		cmocka_unit_test(too_many_keep_their_names),
		cmocka_unit_test(who_is_nowhere_names_nothing),
		cmocka_unit_test(names_are_of_equals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
