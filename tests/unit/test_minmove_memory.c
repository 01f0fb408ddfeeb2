/* SPDX-License-Identifier: MIT */
/* What minmove remembers from round to round: who dwells and for how long, whether its plans helped, what a
 * preview takes over, and that tasks which have gone leave nothing behind. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/place_gen.h"

static const struct cpu_policy_ops *const P = &cpu_policy_minmove;

static struct place_case c;
static struct place_result r;
static void *s;

static void begin(size_t n, size_t m)
{
	place_case_init(&c, n, m);
	s = P->create(&c.cfg);
}

static void end(void)
{
	P->destroy(s);
	place_case_done(&c);
}

/* One round, after which `seconds` pass. Returns the moves that it made. */
static size_t look(double seconds, bool carried_out)
{
	bool done[64];
	assert_int_equal(P->plan(s, &c.p, true, &r), 0);
	memset(done, carried_out, sizeof done);
	P->applied(s, &c.p, done);
	size_t n = r.n_moves;
	if (!carried_out)
		r.n_moves = 0;
	place_case_apply(&c, &r, seconds);
	return n;
}

/* Rounds of 2 s until the first one that moves something; gives the time that this took. */
static double until_moved(double most_s)
{
	int64_t from = c.p.now_ns;
	while ((double)(c.p.now_ns - from) / 1e9 < most_s)
		if (look(2, true))
			return (double)(c.p.now_ns - from) / 1e9 - 2;
	return -1;
}

/* A task that has moved waits: 30 s within an LLC, 60 s to another one, 300 s to another node. */
static void the_dwell_is_longer_the_farther_it_went(void **unused)
{
	(void)unused;
	static const struct {
		int to;
		double dwell_s;
	} rows[] = {{1, 30}, {2, 60}, {4, 300}};
	for (size_t i = 0; i < 3; i++) {
		begin(2, 8);
		place_case_topology(&c, 0, 2, 4);
		for (int t = 0; t < 2; t++) {
			c.tasks[t].demand_pct = 50;
			place_case_restrict(&c, (size_t)t, 0, 1);
			cpuset_add(&c.sets[t], rows[i].to);
		}
		assert_int_equal(look(2, true), 0);
		assert_int_equal(look(2, true), 1); /* one of them goes */
		assert_int_equal(r.moves[0].to, rows[i].to);
		size_t moved = r.moves[0].task;
		/* Its place is taken by another load: it would go back at once. */
		c.tasks[1 - moved].fixed = REASON_HELD;
		c.tasks[1 - moved].unit = rows[i].to;
		double t = until_moved(400) + 2;
		assert_in_range((int)t, (int)rows[i].dwell_s - 2, (int)rows[i].dwell_s + 26);
		assert_int_equal(c.tasks[moved].unit, 0);
		end();
	}
}

/* To be pinned where it runs is no move: nobody dwells after that. */
static void a_first_assignment_starts_no_dwell(void **unused)
{
	(void)unused;
	begin(4, 4);
	for (int t = 0; t < 4; t++) {
		c.tasks[t].demand_pct = 45;
		c.tasks[t].unit = t < 2 ? 0 : t - 1;
		c.tasks[t].pinned = false;
	}
	look(2, true);
	assert_int_equal(look(2, true), 4); /* one of the first two moves, three are pinned where they are */
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(r.moves[i].why.code, i < 3 ? REASON_ASSIGN : REASON_MOVE);
	size_t moved = r.moves[3].task;
	for (int t = 0; t < 4; t++) { /* those that were only pinned change places at once */
		c.tasks[t].fixed = (size_t)t == moved ? REASON_HELD : REASON_NONE;
		c.tasks[t].unit = (size_t)t == moved ? 3 : 0;
	}
	double t = until_moved(60);
	assert_in_range((int)t, 0, 10);
	assert_int_equal(r.n_moves, 2);
	end();
}

/* What was asked and did not happen starts no dwell and no check: it is asked again after the cool-down. */
static void what_did_not_happen_is_asked_again(void **unused)
{
	(void)unused;
	begin(2, 2);
	for (int t = 0; t < 2; t++)
		c.tasks[t].demand_pct = 50;
	look(2, true);
	for (int i = 0; i < 12; i++)
		assert_int_equal(look(2, false), i % 4 == 0); /* three rounds of cool-down between */
	end();
}

/* Somebody puts back whatever is moved, under another name. Plans that do not help, twice: from then on it
 * waits between plans, 30 s and longer each time, at most an hour; one that helps ends that. */
static void plans_that_do_not_help_become_rare(void **unused)
{
	(void)unused;
	enum { PLANS = 12 };
	double at[PLANS];
	int n = 0;
	begin(2, 2);
	c.tasks[0].demand_pct = c.tasks[1].demand_pct = 50;
	while (n < PLANS && c.p.now_ns < INT64_C(40000000000000)) {
		double now = (double)c.p.now_ns / 1e9;
		if (look(2, true))
			at[n++] = now;
		for (int t = 0; t < 2; t++) {
			c.tasks[t].birth += c.tasks[t].unit != 0;
			c.tasks[t].unit = 0;
		}
	}
	assert_int_equal(n, PLANS);
	assert_true(at[1] - at[0] < 12 && at[2] - at[1] < 40);
	for (int i = 3; i < 9; i++)
		assert_in_range((int)(at[i] - at[i - 1]), 1.8 * (at[i - 1] - at[i - 2]),
			2.2 * (at[i - 1] - at[i - 2]) + 8);
	assert_in_range((int)(at[PLANS - 1] - at[PLANS - 2]), 3600, 3610);
	while (c.tasks[0].unit == c.tasks[1].unit) /* now it is left where it went */
		look(2, true);
	for (int i = 0; i < 20; i++)
		look(2, true);
	c.tasks[0].unit = c.tasks[1].unit = 0;
	c.tasks[0].birth = c.tasks[1].birth = 1000;
	assert_in_range((int)until_moved(100), 0, 10);
	end();
}

/* 60 and 40 could be 50 and 50, but a move costs a hundred times the usual: not worth it, and that is said
 * once in a while; those that dwell are another reason. */
static void too_dear_is_not_worth_it(void **unused)
{
	(void)unused;
	begin(10, 2);
	for (int t = 0; t < 10; t++) {
		c.tasks[t].demand_pct = 10;
		c.tasks[t].unit = t >= 6;
		c.tasks[t].weight = 100;
	}
	look(2, true);
	for (int i = 0; i < 22; i++) {
		assert_int_equal(look(2, true), 0);
		assert_int_equal(r.why.code, i % 11 ? REASON_COOLDOWN : REASON_NOT_WORTH);
	}
	end();
	begin(2, 2);
	c.tasks[0].demand_pct = c.tasks[1].demand_pct = 50;
	look(2, true);
	assert_int_equal(look(2, true), 1);
	size_t moved = r.moves[0].task;
	c.tasks[moved].unit = 0; /* back again; the other one must stay */
	c.tasks[1 - moved].fixed = REASON_HELD;
	for (int i = 0; i < 4; i++)
		assert_int_equal(look(2, true), 0);
	assert_int_equal(r.why.code, REASON_DWELL);
	end();
}

/* A preview is what b would do: it takes over how long tasks have been seen, which of them are alike as far
 * as one can know, and the best placement that was found. */
static void a_preview_plans_as_the_rounds_do(void **unused)
{
	(void)unused;
	static const double pct[] = {52, 50, 48, 46, 30, 28, 26, 24};
	begin(8, 4);
	for (int t = 0; t < 8; t++) {
		c.tasks[t].demand_pct = pct[t];
		c.tasks[t].scatter_pct = 3;
		c.tasks[t].unit = t / 2;
	}
	for (int i = 0; i < 12; i++) {
		assert_int_equal(P->plan(s, &c.p, false, &r), 0);
		c.p.now_ns += INT64_C(2000000000);
	}
	c.p.forced = true;
	void *fresh = P->create(&c.cfg), *mirror = P->create(&c.cfg);
	struct place_result f, m;
	P->mirror(mirror, s);
	assert_int_equal(P->plan(fresh, &c.p, true, &f), 0);
	assert_int_equal(P->plan(mirror, &c.p, true, &m), 0);
	assert_int_equal(P->plan(s, &c.p, true, &r), 0);
	assert_int_equal(m.n_moves, r.n_moves);
	assert_float_equal(m.after_pct, r.after_pct, 1e-9);
	assert_float_equal(m.found_pct, r.found_pct, 1e-9);
	for (size_t i = 0; i < r.n_moves; i++) {
		assert_int_equal(m.moves[i].task, r.moves[i].task);
		assert_int_equal(m.moves[i].to, r.moves[i].to);
	}
	assert_true(fabs(f.stddev_pct - r.stddev_pct) > .01); /* it knows less */
	P->mirror(mirror, s);                                 /* and again, into one that is large enough */
	P->destroy(fresh);
	P->destroy(mirror);
	end();
}

/* Threads: two busy ones on one core are parted although no thread is above another; where no core can be
 * better off, that is said instead of trying. */
static void cores_are_a_trigger_when_they_can_be_better_off(void **unused)
{
	(void)unused;
	begin(3, 8);
	place_case_topology(&c, 2, 8, 8);
	for (int t = 0; t < 3; t++) {
		c.tasks[t].demand_pct = 90;
		c.tasks[t].unit = 2 * t;
	}
	for (int i = 0; i < 5; i++) {
		assert_int_equal(look(2, true), 0);
		assert_int_equal(r.why.code, REASON_UNATTAINABLE);
	}
	c.tasks[1].unit = 1; /* beside task 0 */
	assert_int_equal(look(2, true), 0);
	assert_int_equal(r.why.code, REASON_CONFIRM);
	assert_int_equal(look(2, true), 1);
	assert_true(c.tasks[0].unit / 2 != c.tasks[1].unit / 2);
	assert_true(c.tasks[1].unit / 2 != 2 && c.tasks[0].unit / 2 != 2);
	end();
}

/* A host without units says so, and is planned again as soon as it has some. */
static void a_host_without_pcpus(void **unused)
{
	(void)unused;
	begin(2, 2);
	for (int t = 0; t < 2; t++)
		c.tasks[t].demand_pct = 50;
	c.p.n_units = 0;
	assert_int_equal(P->plan(s, &c.p, true, &r), 0);
	assert_int_equal(r.why.code, REASON_NO_DATA);
	assert_int_equal(r.n_moves, 0);
	assert_float_equal(r.found_pct, -1, 0);
	c.p.n_units = 2;
	look(2, true);
	assert_int_equal(look(2, true), 1);
	end();
}

/* Slots above what the problem says are made room for; a reused slot knows nothing of who had it. */
static void slots_grow_and_forget(void **unused)
{
	(void)unused;
	begin(2, 2);
	for (int t = 0; t < 2; t++) {
		c.tasks[t].demand_pct = 50;
		c.tasks[t].slot = (uint32_t)(900 + t * 5000);
	}
	c.p.n_slots = 0;
	look(2, true);
	assert_int_equal(look(2, true), 1);
	size_t moved = r.moves[0].task;
	c.tasks[moved].unit = 1 - c.tasks[moved].unit; /* somebody put it back: it dwells */
	for (int i = 0; i < 6; i++)
		assert_int_equal(look(2, true) && r.moves[0].task == moved, 0);
	c.tasks[0].unit = c.tasks[1].unit = 0;
	c.tasks[0].birth = c.tasks[1].birth = 77; /* others in their slots: nobody dwells */
	assert_true(until_moved(60) <= 26);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_dwell_is_longer_the_farther_it_went),
		cmocka_unit_test(a_first_assignment_starts_no_dwell),
		cmocka_unit_test(what_did_not_happen_is_asked_again),
		cmocka_unit_test(plans_that_do_not_help_become_rare),
		cmocka_unit_test(too_dear_is_not_worth_it),
		cmocka_unit_test(a_preview_plans_as_the_rounds_do),
		cmocka_unit_test(cores_are_a_trigger_when_they_can_be_better_off),
		cmocka_unit_test(a_host_without_pcpus),
		cmocka_unit_test(slots_grow_and_forget),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
