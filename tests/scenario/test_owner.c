/* SPDX-License-Identifier: MIT */
/* One owner per host: what AUTO, changes by hand and putting back do while another vmtop holds the claim, and
 * when it comes or goes in the middle. */
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

#define CROWD "host\n\tpcpus 4\n\tmemory 16G\nvm a x4\n\tload 60%\n\tpin 0\n\tmemory 512M max 2G\n\tstats 2\n"
#define WHO   "eve@elsewhere, process 7, since 2026-01-01 00:00"

static struct spy host;
static struct config cfg;

static void begin(bool automatic)
{
	spy_open(&host, CROWD);
	run_config(&cfg, automatic, false, 1);
	cfg.cpu_policy = CPU_POLICY_ORIGIN_C; /* acts at once */
}

static void another_comes(void)
{
	host.claim = (struct claim_status){CLAIM_OTHER, WHO};
}

static void it_goes(enum claim_state to)
{
	host.claim = (struct claim_status){.state = to};
}

static bool moved(void)
{
	return strcmp(spy_pin(&host, "a-4", 0), "0") != 0;
}

static int said(struct engine *en, const char *text)
{
	struct snapshot *s = engine_snapshot(en);
	int n = 0;
	for (size_t i = 0; i < s->n_log; i++)
		n += strstr(s->log[i].text, text) != NULL;
	snapshot_free(s);
	return n;
}

static void modes(struct engine *en, bool automatic, bool waits)
{
	struct snapshot *s = engine_snapshot(en);
	assert_int_equal(s->auto_cpu, automatic);
	assert_int_equal(s->waits_cpu, waits);
	assert_false(s->auto_memory || s->waits_memory); /* nobody asked for it */
	snapshot_free(s);
}

static void end(struct engine *en)
{
	engine_leave(en, true);
	engine_free(en);
	assert_string_equal(spy_pin(&host, "a-4", 0), "0");
	spy_free(&host);
}

static void auto_claims_at_once(void **state)
{
	(void)state;
	begin(true);
	struct engine *en = spy_engine(&host, &cfg);
	assert_int_equal(host.claimed, 0); /* to come is not to steer */
	struct err e = ERR_INIT;
	engine_step(en, &e);
	assert_int_equal(host.claim.state, CLAIM_OURS);
	spy_run(en, 5);
	assert_true(moved());
	engine_leave(en, true);
	assert_int_equal(host.claim.state, CLAIM_OURS); /* until the very end */
	engine_free(en);
	assert_int_equal(host.claim.state, CLAIM_FREE);
	spy_free(&host);
}

static void manual_and_dry_runs_claim_nothing(void **state)
{
	(void)state;
	for (int dry = 0; dry < 2; dry++) {
		begin(dry);
		cfg.dry_run = dry;
		struct engine *en = spy_engine(&host, &cfg);
		spy_run(en, 5);
		assert_int_equal(host.claimed, 0);
		end(en);
	}
}

static void auto_waits_for_the_other(void **state)
{
	static const enum claim_state ends[] = {CLAIM_FREE, CLAIM_LEFT, CLAIM_OURS};
	(void)state;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		begin(true);
		another_comes();
		struct engine *en = spy_engine(&host, &cfg);
		spy_run(en, 10);
		assert_false(moved());
		assert_int_equal(host.changes, 0);
		assert_int_equal(said(en, WHO " steers this host; AUTO waits until it ends"), 1);
		modes(en, false, true);
		it_goes(ends[i]);
		spy_run(en, 5);
		assert_true(moved());
		modes(en, true, false);
		assert_int_equal(said(en, "nobody else steers this host any more: CPU AUTO"), 1);
		assert_int_equal(said(en, "nobody else steers this host any more"), 1);
		end(en);
	}
}

/* What comes back is what waited: here memory alone. */
static void memory_waits_alone(void **state)
{
	(void)state;
	begin(false);
	cfg.auto_memory = true;
	another_comes();
	struct engine *en = spy_engine(&host, &cfg);
	for (int waits = 1; waits >= 0; waits--) {
		spy_run(en, 5);
		struct snapshot *s = engine_snapshot(en);
		assert_int_equal(s->auto_memory, !waits);
		assert_int_equal(s->waits_memory, waits);
		assert_false(s->auto_cpu || s->waits_cpu);
		snapshot_free(s);
		it_goes(CLAIM_FREE);
	}
	assert_int_equal(said(en, "nobody else steers this host any more"), 1);
	end(en);
}

/* Stopped, or cut off, for so long that another one took over. */
static void it_is_lost_on_the_way(void **state)
{
	(void)state;
	begin(true);
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 5);
	long before = host.changes;
	another_comes();
	spy_run(en, 10);
	assert_int_equal(host.changes, before);
	assert_int_equal(said(en, WHO " steers this host; AUTO waits"), 1);
	modes(en, false, true);
	it_goes(CLAIM_FREE);
	spy_run(en, 5);
	modes(en, true, false);
	end(en);
}

/* A hypervisor that does not answer for a while takes nothing away. */
static void no_answer_is_no_loss(void **state)
{
	(void)state;
	begin(true);
	it_goes(CLAIM_UNKNOWN);
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 5);
	assert_int_equal(host.changes, 0);
	modes(en, true, false);
	it_goes(CLAIM_FREE);
	spy_run(en, 5);
	assert_true(moved());
	end(en);
}

static void without_the_right_auto_stays_off(void **state)
{
	(void)state;
	begin(true);
	it_goes(CLAIM_DENIED);
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 5);
	assert_int_equal(host.changes, 0);
	assert_int_equal(said(en, "no right to claim this host; AUTO stays off"), 1);
	modes(en, false, false);
	end(en);
}

static void a_host_without_claims_says_so(void **state)
{
	(void)state;
	begin(true);
	it_goes(CLAIM_NONE);
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 5);
	assert_true(moved());
	assert_int_equal(said(en, "this libvirt keeps no secrets"), 1);
	end(en);
}

static void by_hand(struct engine *en)
{
	struct command c = {.kind = CMD_REBALANCE};
	engine_command(en, &c);
	spy_run(en, 5);
}

static void changes_by_hand_wait_for_nobody(void **state)
{
	(void)state;
	begin(false);
	another_comes();
	struct engine *en = spy_engine(&host, &cfg);
	assert_int_equal(said(en, WHO " steers this host; this one watches"), 1);
	by_hand(en);
	assert_int_equal(host.changes, 0);
	assert_int_equal(said(en, "nothing was changed: " WHO " steers this host"), 1);
	it_goes(CLAIM_FREE);
	spy_run(en, 5);
	assert_int_equal(host.changes, 0); /* it is not made up for */
	assert_int_equal(said(en, "nobody else steers this host any more"), 1);
	by_hand(en);
	assert_true(moved());
	end(en);
}

/* Our own changes go back whoever steers by now: at the end, by U, and after a crash. */
static void putting_back_needs_no_claim(void **state)
{
	struct err e = ERR_INIT;
	(void)state;
	begin(true);
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 5);
	assert_true(moved());
	another_comes();
	spy_run(en, 2);
	end(en);

	begin(true);
	en = spy_engine(&host, &cfg);
	spy_run(en, 5);
	another_comes();
	engine_command(en, &(struct command){.kind = CMD_RESTORE});
	spy_run(en, 2);
	assert_false(moved());
	end(en);

	begin(true);
	en = spy_engine(&host, &cfg);
	spy_run(en, 5);
	engine_leave(en, false);
	engine_free(en);
	assert_true(moved());
	another_comes();
	FILE *out = fopen("/dev/null", "w");
	assert_int_equal(engine_restore_journal(&cfg, &host.base, NULL, out, -1, &e), 0);
	fclose(out);
	assert_false(moved());
	assert_int_equal(host.claim.state, CLAIM_OTHER);
	spy_free(&host);
}

/* The key that turned it on turns waiting off. */
static void waiting_can_be_ended(void **state)
{
	(void)state;
	begin(true);
	another_comes();
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 3);
	modes(en, false, true);
	engine_command(en, &(struct command){.kind = CMD_AUTO_CPU});
	it_goes(CLAIM_FREE);
	spy_run(en, 3);
	modes(en, false, false);
	assert_int_equal(host.changes, 0);
	end(en);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(auto_claims_at_once),
		cmocka_unit_test(manual_and_dry_runs_claim_nothing),
		cmocka_unit_test(auto_waits_for_the_other),
		cmocka_unit_test(memory_waits_alone),
		cmocka_unit_test(it_is_lost_on_the_way),
		cmocka_unit_test(no_answer_is_no_loss),
		cmocka_unit_test(without_the_right_auto_stays_off),
		cmocka_unit_test(a_host_without_claims_says_so),
		cmocka_unit_test(changes_by_hand_wait_for_nobody),
		cmocka_unit_test(putting_back_needs_no_claim),
		cmocka_unit_test(waiting_can_be_ended),
	};
	return cmocka_run_group_tests_name("owner", tests, state_home_make, state_home_remove);
}
