/* SPDX-License-Identifier: MIT */
/* CPU shares in virtual time: a guest that starves on a full host because its group counts no more than that
 * of a guest with one vCPU gets its due, nobody gets less than it for that, and all is as found when the
 * reason is gone and at the end. Without the setting, in MANUAL and beside somebody else nothing is done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/changes/journal.h"
#include "support/run_scenario.h"
#include "support/spy.h"
#include "support/state_home.h"
#include "vmtop/engine.h"

#define HOST    "host\n pcpus 8\n cpu-shares\n"
#define CROWDED "vm big\n vcpus 8\n load 100%\nvm small x8\n load 100%\n"

/* CPU AUTO, with shares. */
static void sharing(struct config *cfg)
{
	run_config(cfg, true, false, 2);
	cfg->granularity = GRAN_AUTO;
	cfg->shares = true;
}

/* What was seen of "big" and the others. */
struct seen {
	int lifts, lowers, backs, failed, others; /* others: changes of anybody else */
	int shares;                               /* at the last tick */
	double got_pct, least_pct;                /* of a vCPU of its, and of the small one that gets least */
	bool said;
	char why[280];
	double until_s; /* got_pct and least_pct are of then */
	char log[64];   /* said: a line of the log that holds this */
};

static void count(struct seen *x, const struct action *a, const char *name)
{
	if (a->kind != ACTION_SHARES)
		return;
	x->others += strcmp(name, "big") != 0;
	x->failed += a->outcome == OUTCOME_FAILED;
	if (a->outcome != OUTCOME_DONE)
		return;
	x->lifts += a->why.code == REASON_LIFT;
	x->lowers += a->why.code == REASON_LOWER;
	x->backs += a->why.code == REASON_TAKE_BACK;
	snprintf(x->why, sizeof x->why, "%s", a->why.text);
}

static void look(void *arg, const struct snapshot *s)
{
	struct seen *x = arg;
	for (size_t i = 0; i < s->n_actions; i++)
		count(x, &s->actions[i], s->sample.vms[s->actions[i].vm].name);
	for (size_t i = 0; i < s->n_log; i++)
		x->said |= *x->log && strstr(s->log[i].text, x->log);
	bool now = x->until_s <= 0 || (double)s->sample.time_ns / 1e9 - 1000 < x->until_s;
	x->least_pct = now ? 1e9 : x->least_pct;
	for (size_t i = 0; i < s->sample.n_vms; i++) {
		const struct vm_sample *vm = &s->sample.vms[i];
		double pct = s->vm_rates[i].cpu_pct.v / (double)(vm->n_vcpus ? vm->n_vcpus : 1);
		if (strcmp(vm->name, "big") == 0)
			x->shares = (int)vm->facts.weight.v;
		if (now && strcmp(vm->name, "big") == 0)
			x->got_pct = pct;
		else if (now && pct < x->least_pct)
			x->least_pct = pct;
	}
}

static void run(struct seen *x, const char *scenario, bool on, bool act, double seconds)
{
	struct config cfg;
	struct run r;
	run_config(&cfg, act, false, 2);
	cfg.granularity = GRAN_AUTO;
	cfg.shares = on;
	run_scenario(
		&r, &(struct run_options){
			    .scenario = scenario, .cfg = &cfg, .seconds = seconds, .look = look, .arg = x});
	assert_string_equal(r.broken, "");
	assert_int_equal(r.pins, 0);
	run_done(&r);
}

static void the_starved_gets_its_due(void **state)
{
	(void)state;
	struct seen x = {0}, off = {0}, manual = {0};
	run(&off, HOST CROWDED, false, true, 300);
	assert_int_equal(off.lifts + off.lowers + off.backs + off.failed, 0);
	assert_true(off.got_pct < 15 && off.least_pct > 85);
	run(&manual, HOST CROWDED, true, false, 300);
	assert_int_equal(manual.lifts + manual.lowers + manual.backs + manual.failed, 0);
	run(&x, HOST CROWDED, true, true, 300);
	assert_int_equal(x.lifts, 2); /* to 400, looked again, to 800 */
	assert_int_equal(x.lowers + x.backs + x.failed + x.others, 0);
	assert_int_equal(x.shares, 800);
	assert_true(x.got_pct > 48 && x.least_pct > 48);
	assert_non_null(strstr(x.why, "as equals it would have 800 shares"));
}

static void as_found_when_the_reason_is_gone(void **state)
{
	(void)state;
	struct seen x = {0};
	run(&x, HOST CROWDED "at 300s load small-* 5%\nat 300s load big 50%\n", true, true, 600);
	assert_int_equal(x.lifts, 2);
	assert_true(x.lowers >= 1);
	assert_int_equal(x.shares, 100);
	assert_int_equal(x.others, 0);
	assert_non_null(strstr(x.why, "as found"));
}

/* It has less to do: what it had for eight busy vCPUs would now be at the cost of the others. */
static void lowered_with_its_need(void **state)
{
	(void)state;
	struct seen x = {0};
	run(&x, HOST CROWDED "at 300s load big vcpu 0 100%\nat 300s load big 20%\n", true, true, 500);
	assert_true(x.lowers >= 1);
	assert_in_range(x.shares, 100, 300);
	assert_true(x.least_pct > 70);
}

/* Everybody alike: what one is lifted by, all would have to give. And who has the vCPUs' worth of shares
 * already, as OpenStack used to give them, is not lifted. */
static void nobody_above_the_others(void **state)
{
	(void)state;
	static const char *const hosts[] = {
		HOST "vm big\n vcpus 2\n load 100%\nvm small x8\n vcpus 2\n load 100%\n",
		HOST CROWDED "at 1s fault big weight 800\n",
		HOST "vm big\n vcpus 8\n load 100%\n", /* alone */
		HOST "vm big\n vcpus 8\n load 50%\nvm small x8\n load 20%\n",
	};
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		struct seen x = {0};
		run(&x, hosts[i], true, true, 300);
		assert_int_equal(x.lifts + x.lowers + x.backs + x.failed + x.others, 0);
	}
}

/* Who was given half of the rule gets half of what equals would have. */
static void what_was_given_counts(void **state)
{
	(void)state;
	struct seen x = {0};
	run(&x, HOST CROWDED "at 1s fault big weight 50\n", true, true, 400);
	assert_in_range(x.shares, 390, 400);
	assert_int_equal(x.others, 0);
}

static void somebody_elses_stay(void **state)
{
	(void)state;
	struct seen x = {.log = "somebody else set its CPU shares"};
	run(&x, HOST CROWDED "at 200s fault big weight 120\n", true, true, 600);
	assert_int_equal(x.lifts, 2);
	assert_int_equal(x.shares, 120);
	assert_true(x.said);
}

static void no_controller(void **state)
{
	(void)state;
	struct seen x = {.log = "CPU shares: not available"};
	run(&x, "host\n pcpus 1\nvm big\n vcpus 4\n load 100%\n pin 0\nvm small\n load 50%\n", true, true,
		300);
	assert_int_equal(x.lifts + x.lowers + x.backs + x.failed, 0);
	struct seen y = {0};
	run(&y, "fail shares 1 2\n" HOST CROWDED, true, true, 300);
	assert_int_equal(y.failed, 2);
	assert_int_equal(y.lifts, 2);
}

static void steps(struct engine *en, int n)
{
	struct err e = ERR_INIT;
	for (int i = 0; i < n; i++) {
		assert_true(engine_wait(en, -1));
		assert_int_equal(engine_step(en, &e), 0);
	}
}

static int shares_after(struct engine *en, struct command c)
{
	engine_command(en, &c);
	steps(en, 3);
	struct snapshot *s = engine_snapshot(en);
	assert_non_null(s);
	const struct vm_sample *big = NULL;
	for (size_t i = 0; i < s->sample.n_vms; i++)
		if (strcmp(s->sample.vms[i].name, "big") == 0)
			big = &s->sample.vms[i];
	int now = (int)big->facts.cpu_shares.v;
	snapshot_free(s);
	return now;
}

/* By hand: undo takes back the last step, restore all; in MANUAL what is in force stays. */
static void undo_and_restore(void **state)
{
	(void)state;
	struct config cfg;
	struct err e = ERR_INIT;
	sharing(&cfg);
	struct engine *en = engine_new(&cfg, run_open(HOST CROWDED), &e);
	assert_non_null(en);
	steps(en, 80);
	assert_int_equal(shares_after(en, (struct command){.kind = CMD_AUTO_CPU, .on = false}), 800);
	assert_int_equal(shares_after(en, (struct command){.kind = CMD_UNDO}), 400);
	assert_int_equal(shares_after(en, (struct command){.kind = CMD_RESTORE}), 100);
	assert_int_equal(engine_leave(en, true), 0);
	engine_free(en);
}

/* What somebody else set since is not undone, and that is said. */
static void undo_leaves_what_somebody_set(void **state)
{
	(void)state;
	struct spy host;
	struct config cfg;
	sharing(&cfg);
	spy_open(&host, HOST CROWDED "at 170s fault big weight 120\n");
	struct engine *en = spy_engine(&host, &cfg);
	steps(en, 80);
	assert_int_equal(shares_after(en, (struct command){.kind = CMD_AUTO_CPU, .on = false}), 800);
	steps(en, 10);
	assert_int_equal(shares_after(en, (struct command){.kind = CMD_UNDO}), 120);
	assert_non_null(spy_logged(en, "undo: 0 changes put back; some were changed by somebody else since"));
	assert_int_equal(engine_leave(en, true), 0);
	engine_free(en);
	spy_free(&host);
}

/* At the end of a run all is as found. */
static void put_back_at_the_end(void **state)
{
	(void)state;
	struct config cfg;
	struct err e = ERR_INIT;
	sharing(&cfg);
	struct engine *en = engine_new(&cfg, run_open(HOST CROWDED "at 1s fault big weight 90\n"), &e);
	assert_non_null(en);
	steps(en, 80);
	assert_int_equal(engine_leave(en, true), 0);
	struct snapshot *s = engine_snapshot(en);
	assert_int_equal(s->n_actions, 1);
	assert_int_equal(s->actions[0].kind, ACTION_SHARES);
	assert_int_equal(s->actions[0].to_shares, 90);
	assert_int_equal(s->actions[0].outcome, OUTCOME_DONE);
	snapshot_free(s);
	engine_free(en);
}

/* What an earlier vmtop left is put back by one that does not use shares. */
static void put_back_without_the_setting(void **state)
{
	(void)state;
	struct spy host;
	struct config cfg;
	sharing(&cfg);
	spy_open(&host, HOST CROWDED);
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 60);
	assert_non_null(spy_logged(en, "big CPU shares: 100"));
	engine_free(en); /* it was killed */
	cfg.shares = cfg.auto_cpu = false;
	en = spy_engine(&host, &cfg);
	spy_run(en, 5);
	engine_command(en, &(struct command){.kind = CMD_RESTORE});
	spy_run(en, 5);
	assert_non_null(spy_logged(en, "put back as found"));
	engine_leave(en, true);
	engine_free(en);
	spy_free(&host);
}

/* Readings that are not there yet at the end. */
struct blur {
	int foreign, missing; /* so many readings of "big" show 120, then so many show nothing */
	bool on;
};

static void blurred(void *arg, struct sample *s)
{
	struct blur *b = arg;
	for (size_t i = 0; i < s->n_vms && b->on; i++) {
		if (strcmp(s->vms[i].name, "big") != 0)
			continue;
		if (b->foreign > 0)
			s->vms[i].facts.cpu_shares = vi64_ok(120);
		else if (b->missing > 0)
			s->vms[i].facts.cpu_shares = vi64_absent(AVAIL_HUNG);
		b->missing -= b->foreign <= 0;
		b->foreign--;
	}
}

/* Shares are not read at every tick, so one or two readings of others prove nothing; the third at the end
 * does, and one that is missing is no third. What is not proven is put back. */
static void the_third_reading_at_the_end_counts(void **state)
{
	static const struct {
		int foreign, ticks; /* readings of others, ticks before the end */
		size_t put_back;
	} cases[] = {{9, 1, 1}, {9, 2, 0}, {3, 3, 1}};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct spy host;
		struct config cfg;
		struct blur blur = {.foreign = cases[i].foreign, .missing = 9};
		sharing(&cfg);
		spy_open(&host, HOST CROWDED);
		host.sampled = blurred;
		host.arg = &blur;
		struct engine *en = spy_engine(&host, &cfg);
		steps(en, 80);
		shares_after(en, (struct command){.kind = CMD_AUTO_CPU, .on = false});
		blur.on = true;
		steps(en, cases[i].ticks);
		assert_int_equal(engine_leave(en, true), 0);
		struct snapshot *s = engine_snapshot(en);
		assert_int_equal(s->n_actions, cases[i].put_back);
		snapshot_free(s);
		assert_string_equal(spy_logged(en, "end: "),
			cases[i].put_back
				? "end: 1 change put back"
				: "end: 0 changes put back; 1 changed by somebody else since, left so");
		engine_free(en);
		spy_free(&host);
	}
}

/* Four in a row are needed: one that is ours begins the count anew. */
static void readings_are_counted_in_a_row(void **state)
{
	(void)state;
	struct spy host;
	struct config cfg;
	struct blur blur = {.on = true};
	sharing(&cfg);
	spy_open(&host, HOST CROWDED);
	host.sampled = blurred;
	host.arg = &blur;
	struct engine *en = spy_engine(&host, &cfg);
	steps(en, 80);
	shares_after(en, (struct command){.kind = CMD_AUTO_CPU, .on = false});
	for (int i = 0; i < 3; i++) {
		blur.foreign = 3;
		steps(en, 4);
		assert_null(spy_logged(en, "somebody else set its CPU shares"));
	}
	blur.foreign = 4;
	steps(en, 4);
	assert_non_null(spy_logged(en, "somebody else set its CPU shares"));
	engine_leave(en, true);
	engine_free(en);
	spy_free(&host);
}

/* Stopped and started again it has the shares of its definition: none are ours. */
static void another_life_has_its_own(void **state)
{
	(void)state;
	struct spy host;
	struct config cfg;
	sharing(&cfg);
	spy_open(&host, HOST CROWDED "at 170s stop big\nat 172s start big\nat 172s fault big weight 100\n");
	struct engine *en = spy_engine(&host, &cfg);
	steps(en, 80);
	assert_int_equal(shares_after(en, (struct command){.kind = CMD_AUTO_CPU, .on = false}), 800);
	steps(en, 4);
	struct snapshot *s = engine_snapshot(en);
	assert_int_equal(s->n_changed, 0);
	snapshot_free(s);
	assert_null(spy_logged(en, "somebody else set its CPU shares"));
	engine_free(en);
	spy_free(&host);
}

static char killed[JOURNAL_PATH + 8];

/* The journal as it is in the call that gives 800 shares; the call fails. */
static void killed_in_the_second(void *arg, const struct action *a, size_t n)
{
	struct spy *host = arg;
	char path[JOURNAL_PATH];
	if (n != 1 || a->kind != ACTION_SHARES || a->to_shares != 800)
		return;
	host->fail_at = host->calls + 1;
	assert_int_equal(journal_path(path, sizeof path, "sim:test"), 0);
	snprintf(killed, sizeof killed, "%s.killed", path);
	assert_int_equal(link(path, killed), 0);
	assert_int_equal(unlink(path), 0);
}

/* Killed in the second of two changes, which was not made: both journal and host say what is in force now. */
static void put_back_from_what_is_in_force(void **state)
{
	(void)state;
	struct spy host;
	struct config cfg;
	struct err e = ERR_INIT;
	char path[JOURNAL_PATH], *text = NULL;
	size_t len;
	sharing(&cfg);
	spy_open(&host, HOST CROWDED);
	host.before = killed_in_the_second;
	host.arg = &host;
	struct engine *en = spy_engine(&host, &cfg);
	for (int i = 0; i < 200 && !*killed; i++)
		steps(en, 1);
	engine_free(en);
	assert_int_equal(journal_path(path, sizeof path, "sim:test"), 0);
	assert_int_equal(rename(killed, path), 0);
	host.before = NULL;
	cfg.shares = cfg.auto_cpu = false;
	en = spy_engine(&host, &cfg);
	steps(en, 2);
	assert_int_equal(shares_after(en, (struct command){.kind = CMD_RESTORE}), 100);
	assert_non_null(spy_logged(en, "big CPU shares: 400 -> 100"));
	engine_free(en);
	FILE *out = open_memstream(&text, &len);
	assert_int_equal(engine_restore_journal(&cfg, &host.base, NULL, out, -1, &e), 0);
	fclose(out);
	assert_non_null(strstr(text, "nothing to put back"));
	free(text);
	spy_free(&host);
}

/* --restore says to how many. */
static void restore_names_the_shares(void **state)
{
	(void)state;
	struct spy host;
	struct config cfg;
	struct err e = ERR_INIT;
	char *text = NULL;
	size_t len;
	sharing(&cfg);
	spy_open(&host, HOST CROWDED "at 1s fault big weight 90\n");
	struct engine *en = spy_engine(&host, &cfg);
	steps(en, 80);
	engine_free(en);
	cfg.auto_cpu = false;
	FILE *out = open_memstream(&text, &len);
	assert_int_equal(engine_restore_journal(&cfg, &host.base, NULL, out, -1, &e), 0);
	fclose(out);
	if (!strstr(text, "big: shares back to 90, done\n1 change put back\n"))
		fail_msg("%s", text);
	free(text);
	spy_free(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_starved_gets_its_due),
		cmocka_unit_test(as_found_when_the_reason_is_gone),
		cmocka_unit_test(lowered_with_its_need),
		cmocka_unit_test(nobody_above_the_others),
		cmocka_unit_test(what_was_given_counts),
		cmocka_unit_test(somebody_elses_stay),
		cmocka_unit_test(no_controller),
		cmocka_unit_test(undo_and_restore),
		cmocka_unit_test(undo_leaves_what_somebody_set),
		cmocka_unit_test(put_back_at_the_end),
		cmocka_unit_test(the_third_reading_at_the_end_counts),
		cmocka_unit_test(put_back_without_the_setting),
		cmocka_unit_test(readings_are_counted_in_a_row),
		cmocka_unit_test(another_life_has_its_own),
		cmocka_unit_test(put_back_from_what_is_in_force),
		cmocka_unit_test(restore_names_the_shares),
	};
	return cmocka_run_group_tests(tests, state_home_make, state_home_remove);
}
