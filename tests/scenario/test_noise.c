/* SPDX-License-Identifier: MIT */
/* The seven CPU cases by minmove: the moves that enumeration proves necessary and no more, by the second
 * reading with rates. Then the same with each vCPU's demand times 1 + N(0, .05), drawn every second, in 20
 * runs of 1,000 readings each: at most one move more, and then silence to the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/place_gen.h"
#include "support/place_oracle.h"
#include "support/situations.h"

enum { SEEDS = 20, READINGS = 1000, NOISE_PCT = 5 };

struct cpu_case {
	const char *scenario;
	int moves;     /* without noise */
	double from_s; /* the change that has to be answered; rates show it a second later */
	int unit[8];   /* where the vCPUs are then, and what they want */
	double pct[8];
};

static const struct cpu_case cases[] = {
	{"cpu1", 6, 0, {0}, {60, 60, 60, 60, 60, 60, 60, 60}},
	{"cpu2", 4, 0, {0, 0, 0, 0, 1, 1, 1, 1}, {60, 60, 60, 60, 60, 60, 60, 60}},
	{"cpu3", 0, 0, {0, 0, 1, 1, 2, 2, 3, 3}, {45, 45, 45, 45, 45, 45, 45, 45}},
	{"cpu4", 2, 0, {0, 0, 0, 1, 1, 1, 2, 3}, {45, 45, 45, 45, 45, 45, 45, 45}},
	{"cpu5", 4, 0, {0, 0, 1, 1, 2, 2, 3, 3}, {70, 70, 70, 70, 20, 20, 20, 20}},
	{"cpu6", 0, 0, {0, 0, 1, 1, 2, 2, 3, 3}, {1, 1, 1, 1, 1, 1, 1, 1}},
	{"cpu7", 4, 14, {0, 0, 1, 1, 2, 2, 3, 3}, {80, 80, 80, 80, 20, 20, 20, 20}},
};

struct watch {
	int moves;
};

/* First assignments change nothing: the vCPU stays where it runs. */
static void count_moves(void *arg, const struct snapshot *s)
{
	struct watch *w = arg;
	for (size_t i = 0; i < s->n_actions; i++)
		w->moves += s->actions[i].kind == ACTION_PIN && s->actions[i].why.code != REASON_ASSIGN;
}

static struct run run_case(const struct cpu_case *c, unsigned seed, int noise_pct, int *moves)
{
	struct config cfg;
	struct run r;
	struct watch w = {0};
	char *text = situation_text(c->scenario, seed, noise_pct);
	run_config(&cfg, true, false, 1);
	run_scenario(&r,
		&(struct run_options){
			.scenario = text, .cfg = &cfg, .seconds = READINGS, .look = count_moves, .arg = &w});
	free(text);
	*moves = w.moves;
	return r;
}

static int moves_proven(const struct cpu_case *c)
{
	struct place_case k;
	place_case_init(&k, 8, 4);
	for (int i = 0; i < 8; i++) {
		k.tasks[i].unit = c->unit[i];
		k.tasks[i].demand_pct = c->pct[i];
	}
	int least = oracle_fewest_moves(&k, 5);
	place_case_done(&k);
	return least;
}

static void test_exact(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct cpu_case *c = &cases[i];
		int moves;
		struct run r = run_case(c, 1, 0, &moves);
		assert_int_equal(moves_proven(c), c->moves);
		if (moves != c->moves)
			fail_msg("%s: %d moves, %d are enough", c->scenario, moves, c->moves);
		/* Readings with rates come at 1 and 2 s after the start or the change. */
		if (r.last_pin_s > c->from_s + 2.01)
			fail_msg("%s: a pin at %.0f s", c->scenario, r.last_pin_s);
		double settled = run_settled_s(&r, 5);
		if (settled < 0 || settled > c->from_s + 2.01)
			fail_msg("%s: settled at %.0f s", c->scenario, settled);
		run_done(&r);
	}
}

static void run_noisy(const struct cpu_case *c, unsigned seed)
{
	int moves;
	struct run r = run_case(c, seed, NOISE_PCT, &moves);
	char what[40];
	snprintf(what, sizeof what, "%s, seed %u", c->scenario, seed);
	/* The reading at 0 s has no rates: the fifth that has them is at 5 s. */
	if (r.last_pin_s > c->from_s + 4.5)
		fail_msg("%s: a pin at %.0f s", what, r.last_pin_s);
	if (moves < c->moves || moves > c->moves + 1)
		fail_msg("%s: %d moves, %d are enough", what, moves, c->moves);
	double sum = 0;
	size_t from = (size_t)c->from_s + 5;
	for (size_t i = from; i < r.n; i++)
		sum += r.ticks[i].true_pct;
	if (sum / (double)(r.n - from) > 5)
		fail_msg("%s: the deviation is %.1f %% on average", what, sum / (double)(r.n - from));
	run_done(&r);
}

static void test_noise(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (unsigned seed = 1; seed <= SEEDS; seed++)
			run_noisy(&cases[i], seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_noise),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
