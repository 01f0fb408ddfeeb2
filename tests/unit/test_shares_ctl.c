/* SPDX-License-Identifier: MIT */
/* CPU shares by hand-made numbers: who is lifted, when and how far, what is taken back, and for how long it
 * is left alone then. The same on a whole simulated host: tests/scenario/test_shares.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/fixture.h"

enum { BIG = 1, TICK_S = 2 };

static struct fixture f;
static struct shares_ctl *c;
static struct why why;
static bool calls_fail;
static bool pins_too; /* placement moves something in each round */
static enum round_mode mode;

/* One big VM with four vCPUs, four small ones, four pCPUs that are full. */
static void load(unsigned vm, double run_pct, double wait_pct)
{
	const struct vm_sample *v = fx_vm_sample(&f, vm);
	for (size_t i = 0; i < v->n_vcpus; i++)
		fx_load(&f, vm, (int)i, run_pct, wait_pct);
}

static void weigh(unsigned vm, int shares)
{
	fx_vm_sample(&f, vm)->facts.cpu_shares = vi64_ok(shares);
	fx_vm_sample(&f, vm)->facts.weight = vi64_ok(shares);
}

static void all_busy(double pct)
{
	for (int i = 0; i < 4; i++)
		fx_background(&f, i, pct);
}

static int begin(void **state)
{
	(void)state;
	fx_init(&f, &(struct fx_host){.pcpus = 4});
	fx_vm(&f, BIG, 4);
	for (unsigned vm = 2; vm <= 5; vm++)
		fx_vm(&f, vm, 1);
	for (unsigned vm = 1; vm <= 5; vm++)
		weigh(vm, 100);
	f.cfg.shares = f.cfg.auto_cpu = true;
	fx_start(&f);
	load(BIG, 20, 80);
	for (unsigned vm = 2; vm <= 5; vm++)
		load(vm, 80, 20);
	all_busy(100);
	c = shares_ctl_new();
	assert_non_null(c);
	pins_too = calls_fail = false;
	mode = ROUND_AUTO;
	return 0;
}

static int end(void **state)
{
	(void)state;
	shares_ctl_free(c);
	fx_done(&f);
	return 0;
}

static struct vm_rule *rule(unsigned vm)
{
	return &f.rules.vms[fx_vm_index(&f, vm)];
}

static void carried_out(struct action *a)
{
	struct vm_rule *r = &f.rules.vms[a->vm];
	a->outcome = calls_fail ? OUTCOME_FAILED : OUTCOME_DONE;
	if (calls_fail || a->kind != ACTION_SHARES)
		return;
	r->shares_found = r->shares_found > 0 ? r->shares_found : a->from_shares;
	r->shares_now = a->to_shares == r->shares_found ? 0 : a->to_shares;
	f.s.vms[a->vm].facts.cpu_shares = f.s.vms[a->vm].facts.weight = vi64_ok(a->to_shares);
}

/* One tick; how many changes it made. The last one is in *last. */
static size_t tick(struct action *last)
{
	struct err e = ERR_INIT;
	fx_advance(&f, TICK_S);
	const struct round *r = fx_round(&f, mode);
	if (pins_too)
		plan_add(&f.plan, ACTION_PIN);
	size_t before = f.plan.n;
	assert_int_equal(shares_ctl_plan(c, r, &f.plan, &why, &e), 0);
	for (size_t i = before; i < f.plan.n; i++)
		*last = f.plan.actions[i];
	for (size_t i = 0; i < f.plan.n; i++)
		carried_out(&f.plan.actions[i]);
	shares_ctl_applied(c, r, &f.plan);
	return f.plan.n - before;
}

/* After how many seconds something is changed; < 0: nothing for so long. */
static int until_change(int most_s, struct action *a)
{
	for (int s = TICK_S; s <= most_s; s += TICK_S)
		if (tick(a))
			return s;
	return -1;
}

static void expect(const struct action *a, enum reason code, int from, int to, const char *words)
{
	assert_int_equal(a->why.code, code);
	assert_int_equal(a->from_shares, from);
	assert_int_equal(a->to_shares, to);
	if (!strstr(a->why.text, words))
		fail_msg("\"%s\" is not said: %s", words, a->why.text);
}

static void lifted(struct action *a)
{
	assert_in_range(until_change(30, a), 20, 22);
	expect(a, REASON_LIFT, 100, 400, "as equals it would have 400 shares");
	assert_int_equal(a->vm, fx_vm_index(&f, BIG));
}

/* ---- lifts ---- */

static void lifted_when_it_lasts(void **state)
{
	(void)state;
	struct action a;
	lifted(&a);
}

/* One good reading among many bad ones is no reason to wait longer, and one bad among good none to act: it is
 * the mean that counts. */
static void one_reading_is_none(void **state)
{
	struct action a;
	for (int bad = 0; bad < 2; bad++) {
		int at_s = 0;
		for (int s = 0; s < 60 && !at_s; s += TICK_S) {
			bool good = (s == 14) != bad;
			load(BIG, good ? 98 : 20, good ? 2 : 80);
			if (tick(&a))
				at_s = s + TICK_S;
		}
		if (bad)
			assert_int_equal(at_s, 0);
		else
			assert_in_range(at_s, 20, 28);
		end(state);
		begin(state);
	}
}

/* For a moment nobody told how it waits: it goes by what was known. */
static void waiting_not_told_for_a_moment(void **state)
{
	(void)state;
	struct action a;
	int at_s = 0;
	for (int s = 0; s < 60 && !at_s; s += TICK_S) {
		const struct vm_sample *v = fx_vm_sample(&f, BIG);
		bool told = s < 10 || s > 16;
		fx_advance(&f, TICK_S);
		for (size_t i = 0; i < v->n_vcpus && !told; i++)
			f.m.vms[fx_vm_index(&f, BIG)].wait_pct = vf64_absent(AVAIL_DENIED);
		const struct round *r = fx_round(&f, mode);
		struct err e = ERR_INIT;
		assert_int_equal(shares_ctl_plan(c, r, &f.plan, &why, &e), 0);
		if (f.plan.n) {
			a = f.plan.actions[0];
			at_s = s + TICK_S;
		}
		shares_ctl_applied(c, r, &f.plan);
	}
	assert_in_range(at_s, 20, 30);
	expect(&a, REASON_LIFT, 100, 400, "80 %");
}

static void not_to_be_steered(void)
{
	rule(BIG)->cpu = REASON_EXCLUDED;
}

static void rests(void)
{
	rule(BIG)->shares_rest = true;
}

static void there_is_room(void)
{
	for (unsigned vm = 1; vm <= 5; vm++)
		for (size_t i = 0; i < fx_vm_sample(&f, vm)->n_vcpus; i++)
			fx_runs_on(&f, vm, (int)i, 0);
	all_busy(80);
}

static void waits_little(void)
{
	load(BIG, 20, 4);
}

static void others_want_as_much(void)
{
	for (unsigned vm = 2; vm <= 5; vm++)
		load(vm, 20, 80);
}

static void others_rest(void)
{
	for (unsigned vm = 2; vm <= 5; vm++)
		load(vm, 0, 0);
}

static void others_are_elsewhere(void)
{
	for (int i = 0; i < 4; i++)
		fx_pin(&f, BIG, i, "0-1");
	for (unsigned vm = 2; vm <= 5; vm++)
		fx_pin(&f, vm, 0, "2-3");
}

static void has_its_due(void)
{
	weigh(BIG, 350);
}

static void setting_is_off(void)
{
	f.cfg.shares = false;
}

static void only_watched(void)
{
	mode = ROUND_WATCH;
}

static void placement_is_at_work(void)
{
	pins_too = true;
}

static void own_is_unknown(void)
{
	fx_vm_sample(&f, BIG)->facts.weight = vi64_absent(AVAIL_DENIED);
}

static void shares_are_unknown(void)
{
	fx_vm_sample(&f, BIG)->facts.cpu_shares = vi64_absent(AVAIL_DENIED);
}

static void one_of_others_is_unknown(void)
{
	fx_vm_sample(&f, 3)->facts.weight = vi64_absent(AVAIL_DENIED);
}

static void nobody_is_lifted_where_that_is_no_help(void **state)
{
	static void (*const cases[])(void) = {not_to_be_steered, rests, there_is_room, waits_little,
		others_want_as_much, others_rest, others_are_elsewhere, has_its_due, setting_is_off,
		only_watched, placement_is_at_work, own_is_unknown, shares_are_unknown,
		one_of_others_is_unknown};
	struct action a;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cases[i]();
		if (until_change(100, &a) >= 0)
			fail_msg("case %zu: %d -> %d: %s", i, a.from_shares, a.to_shares, a.why.text);
		bool unknown = i + 3 >= sizeof cases / sizeof *cases;
		assert_int_equal(why.code, unknown ? REASON_NO_DATA : REASON_NONE);
		end(state);
		begin(state);
	}
}

/* Room where it may not run, or that nobody may use, is none. */
static void room_of_others_is_none(void **state)
{
	struct action a;
	for (int isolated = 0; isolated < 2; isolated++) {
		for (unsigned vm = 1; vm <= 5; vm++)
			for (size_t i = 0; i < fx_vm_sample(&f, vm)->n_vcpus; i++)
				if (isolated)
					fx_runs_on(&f, vm, (int)i, 0);
				else
					fx_pin(&f, vm, (int)i, "0-2");
		f.s.host.pcpus[3].isolated = isolated;
		fx_background(&f, 3, 0);
		lifted(&a);
		end(state);
		begin(state);
	}
}

/* What its user gave it is not ours to take, however much it is. */
static void what_was_given_stays(void **state)
{
	(void)state;
	struct action a;
	not_to_be_steered();
	weigh(3, 2000);
	assert_int_equal(until_change(200, &a), -1);
}

/* Who was given half of the rule gets half of what equals would have. */
static void what_was_given_counts(void **state)
{
	(void)state;
	struct action a;
	weigh(BIG, 50);
	assert_in_range(until_change(30, &a), 20, 22);
	expect(&a, REASON_LIFT, 50, 200, "");
}

/* No more than four times at once, and the next step after the trial. */
static void in_steps(void **state)
{
	(void)state;
	struct action a;
	for (unsigned vm = 2; vm <= 5; vm++)
		weigh(vm, 200);
	assert_in_range(until_change(30, &a), 20, 22);
	expect(&a, REASON_LIFT, 100, 400, "as equals it would have 800 shares");
	load(BIG, 40, 60);
	for (unsigned vm = 2; vm <= 5; vm++)
		load(vm, 60, 40);
	assert_in_range(until_change(200, &a), 62, 90);
	expect(&a, REASON_LIFT, 400, 800, "as equals it would have 800 shares");
	assert_int_equal(a.vm, fx_vm_index(&f, BIG));
}

/* ---- trials ---- */

static void what_did_not_help_is_taken_back(void **state)
{
	(void)state;
	struct action a;
	lifted(&a);
	assert_in_range(until_change(100, &a), 60, 62);
	expect(&a, REASON_TAKE_BACK, 400, 100, "it did not help: it gets 20 % of what it wants, before 20 %");
	/* Ten minutes' rest, and twice as long after it was in vain again. */
	assert_in_range(until_change(1000, &a), 600, 624);
	expect(&a, REASON_LIFT, 100, 400, "");
	assert_in_range(until_change(100, &a), 60, 62);
	expect(&a, REASON_TAKE_BACK, 400, 100, "");
	assert_in_range(until_change(2000, &a), 1200, 1224);
	expect(&a, REASON_LIFT, 100, 400, "");
}

static void held(void)
{
	rule(BIG)->cpu = REASON_HELD;
}

static void set_by_somebody_else(void)
{
	rule(BIG)->shares_now = 0;
}

static void as_before_the_lift(void)
{
	rule(BIG)->shares_now = 100;
}

/* It did not help, but there is nothing of ours to take back, or it must not be touched. */
static void only_what_is_ours_is_taken_back(void **state)
{
	static void (*const cases[])(void) = {held, own_is_unknown, set_by_somebody_else, as_before_the_lift};
	struct action a;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		lifted(&a);
		cases[i]();
		rule(BIG)->shares_rest = true; /* nor is it lifted again */
		if (until_change(100, &a) >= 0)
			fail_msg("case %zu: %d -> %d: %s", i, a.from_shares, a.to_shares, a.why.text);
		end(state);
		begin(state);
	}
}

/* A lift that was not made is on no trial, and is asked for again. */
static void a_failed_lift_is_none(void **state)
{
	(void)state;
	struct action a;
	calls_fail = true;
	assert_in_range(until_change(30, &a), 20, 22);
	calls_fail = false;
	assert_int_equal(until_change(10, &a), TICK_S);
	expect(&a, REASON_LIFT, 100, 400, "");
}

static void what_helped_stays(void **state)
{
	(void)state;
	struct action a;
	lifted(&a);
	load(BIG, 50, 50);
	for (unsigned vm = 2; vm <= 5; vm++)
		load(vm, 60, 40); /* less than before, and still more than it */
	assert_int_equal(until_change(300, &a), -1);
}

static void at_the_cost_of_others_is_taken_back(void **state)
{
	(void)state;
	struct action a;
	lifted(&a);
	load(BIG, 60, 40);
	load(3, 30, 70);
	assert_in_range(until_change(100, &a), 60, 62);
	expect(&a, REASON_TAKE_BACK, 400, 100, "another guest got less than this one for it");
}

/* Who hardly waits pays nothing. */
static void who_wants_less_pays_nothing(void **state)
{
	(void)state;
	struct action a;
	lifted(&a);
	load(BIG, 60, 40);
	load(3, 3, 7);
	assert_int_equal(until_change(300, &a), -1);
}

/* MANUAL in the middle of a trial: what is in force is the user's, and nothing is taken back. */
static void manual_ends_the_trial(void **state)
{
	(void)state;
	struct action a;
	lifted(&a);
	f.cfg.auto_cpu = false;
	mode = ROUND_WATCH;
	assert_int_equal(until_change(10, &a), -1);
	f.cfg.auto_cpu = true;
	mode = ROUND_AUTO;
	assert_int_equal(until_change(200, &a), -1);
}

/* ---- and down again ---- */

static void helped(struct action *a)
{
	lifted(a);
	load(BIG, 50, 50);
	for (unsigned vm = 2; vm <= 5; vm++)
		load(vm, 50, 50);
	assert_int_equal(until_change(80, a), -1);
}

static void as_found_when_there_is_room(void **state)
{
	(void)state;
	struct action a;
	helped(&a);
	there_is_room();
	all_busy(30);
	assert_in_range(until_change(100, &a), 60, 62);
	expect(&a, REASON_LOWER, 400, 100, "as found: pCPUs that it may use have had room for a minute");
	/* Two minutes' rest. */
	load(BIG, 20, 80);
	for (unsigned vm = 2; vm <= 5; vm++)
		load(vm, 80, 20);
	all_busy(100);
	assert_in_range(until_change(300, &a), 120, 146);
	expect(&a, REASON_LIFT, 100, 400, "");
}

static void less_when_it_needs_less(void **state)
{
	(void)state;
	struct action a;
	helped(&a);
	fx_load(&f, BIG, 2, 0, 0);
	fx_load(&f, BIG, 3, 0, 0);
	assert_in_range(until_change(200, &a), 20, 100);
	assert_int_equal(a.why.code, REASON_LOWER);
	assert_in_range(a.to_shares, 200, 320);
	assert_non_null(strstr(a.why.text, "are due less than that by now"));
}

static void as_found_when_switched_off(void **state)
{
	(void)state;
	struct action a;
	helped(&a);
	f.cfg.shares = false;
	assert_int_equal(until_change(10, &a), TICK_S);
	expect(&a, REASON_LOWER, 400, 100, "as found: shares are switched off");
}

/* Nobody else is there whose shares are as found. */
static void as_found_when_all_are_ours(void **state)
{
	(void)state;
	struct action a;
	helped(&a);
	for (unsigned vm = 2; vm <= 5; vm++)
		fx_remove_vm(&f, vm);
	f.cfg.shares = false;
	assert_int_equal(until_change(10, &a), TICK_S);
	expect(&a, REASON_LOWER, 400, 100, "as found: shares are switched off");
	shares_ctl_free(NULL);
}

static void left_alone_where_it_may_not_be_steered(void **state)
{
	(void)state;
	struct action a;
	helped(&a);
	rule(BIG)->cpu = REASON_HELD;
	f.cfg.shares = false;
	assert_int_equal(until_change(100, &a), -1);
	rule(BIG)->cpu = REASON_NONE;
	own_is_unknown();
	assert_int_equal(until_change(100, &a), -1);
}

/* ---- many ---- */

/* At most eight in one round; the others after their trial. */
static void eight_at_once(void **state)
{
	(void)state;
	struct action a;
	not_to_be_steered();
	for (unsigned vm = 11; vm <= 19; vm++) {
		fx_vm(&f, vm, 4);
		weigh(vm, 100);
	}
	for (unsigned vm = 11; vm <= 19; vm++)
		load(vm, 20, 80);
	size_t n = 0;
	for (int s = 0; s < 40 && !n; s += TICK_S)
		n = tick(&a);
	assert_int_equal(n, 8);
	assert_int_equal(until_change(50, &a), -1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {TEST(lifted_when_it_lasts), TEST(one_reading_is_none),
		TEST(waiting_not_told_for_a_moment), TEST(nobody_is_lifted_where_that_is_no_help),
		TEST(what_was_given_counts), TEST(room_of_others_is_none), TEST(what_was_given_stays),
		TEST(only_what_is_ours_is_taken_back), TEST(a_failed_lift_is_none),
		TEST(as_found_when_all_are_ours), TEST(in_steps), TEST(what_did_not_help_is_taken_back),
		TEST(what_helped_stays), TEST(at_the_cost_of_others_is_taken_back),
		TEST(who_wants_less_pays_nothing), TEST(manual_ends_the_trial),
		TEST(as_found_when_there_is_room), TEST(less_when_it_needs_less),
		TEST(as_found_when_switched_off), TEST(left_alone_where_it_may_not_be_steered),
		TEST(eight_at_once)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
