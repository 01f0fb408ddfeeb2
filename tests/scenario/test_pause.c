/* SPDX-License-Identifier: MIT */
/* AUTO and faults that pass: it stops for them, comes back by itself, and says so both times; a hypervisor
 * that does not answer, or late, is said once; a service that cannot steer for long ends with an error. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "support/run_scenario.h"
#include "support/spy.h"
#include "support/state_home.h"

static struct spy host;
static struct config cfg;

#define CROWD "host\n\tpcpus 4\n\tmemory 16G\nvm a x4\n\tload 60%\n\tpin 0\n\tmemory 512M max 2G\n\tstats 2\n"

static struct engine *begin(const char *scenario)
{
	spy_open(&host, scenario);
	run_config(&cfg, true, true, 1);
	cfg.cpu_policy = CPU_POLICY_ORIGIN_C; /* acts at once */
	return spy_engine(&host, &cfg);
}

static void end(struct engine *en)
{
	host.down_until_s = 0;
	host.denied = false;
	spy_run(en, 2);
	assert_int_equal(engine_leave(en, true), 0);
	engine_free(en);
	spy_free(&host);
}

static void down(double for_s)
{
	host.down_from_s = spy_now_s(&host);
	host.down_until_s = host.down_from_s + for_s;
}

static int count(struct engine *en, const char *part)
{
	struct snapshot *s = engine_snapshot(en);
	int n = 0;
	for (size_t i = 0; i < s->n_log; i++)
		n += strstr(s->log[i].text, part) != NULL;
	snapshot_free(s);
	return n;
}

static bool is_auto(struct engine *en, bool cpu, bool memory)
{
	struct snapshot *s = engine_snapshot(en);
	bool same = s->auto_cpu == cpu && s->auto_memory == memory;
	snapshot_free(s);
	return same;
}

/* The one that stopped is named, and the other not. */
static void which_auto_has_stopped_is_said(void **state)
{
	(void)state;
	struct rlimit was, none;
	struct engine *en = begin(CROWD);
	engine_command(en, &(struct command){.kind = CMD_AUTO_MEMORY});
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	none = (struct rlimit){0, was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	spy_run(en, 4);
	setrlimit(RLIMIT_FSIZE, &was);
	assert_int_equal(count(en, "CPU: MANUAL for now: cannot write the journal"), 1);
	assert_int_equal(count(en, "memory: MANUAL for now"), 0);
	spy_run(en, 4); /* not at every tick is it tried */
	assert_true(is_auto(en, false, false));
	spy_run(en, 8);
	assert_true(is_auto(en, true, false));
	end(en);
}

/* A disk that is full for a while. */
static void a_journal_that_fails_for_a_while(void **state)
{
	(void)state;
	struct rlimit was, none;
	struct engine *en = begin(CROWD);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	none = (struct rlimit){0, was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	spy_run(en, 8);
	assert_true(is_auto(en, false, false));
	assert_int_equal(count(en, "MANUAL for now: cannot write the journal"), 2);
	assert_string_equal(spy_pin(&host, "a-4", 0), "0");
	spy_run(en, 60);
	assert_true(is_auto(en, false, false));
	assert_int_equal(count(en, "MANUAL for now"), 2);
	setrlimit(RLIMIT_FSIZE, &was);
	spy_run(en, 200);
	assert_true(is_auto(en, true, true));
	assert_int_equal(count(en, "CPU: AUTO again"), 1);
	assert_int_equal(count(en, "memory: AUTO again"), 1);
	assert_string_not_equal(spy_pin(&host, "a-4", 0), "0");
	end(en);
}

static void rights_that_come_back(void **state)
{
	(void)state;
	struct engine *en = begin(CROWD);
	spy_run(en, 5);
	host.denied = true;
	spy_run(en, 5);
	assert_true(is_auto(en, false, false));
	assert_int_equal(count(en, "MANUAL for now: the connection is read-only now"), 2);
	host.denied = false;
	spy_run(en, 5);
	assert_true(is_auto(en, true, true));
	assert_int_equal(count(en, "AUTO again: changes are allowed"), 2);
	end(en);
}

/* What a person says ends the pause: off stays off. */
static void a_person_has_the_last_word(void **state)
{
	(void)state;
	struct engine *en = begin(CROWD);
	spy_run(en, 5);
	host.denied = true;
	spy_run(en, 5);
	engine_command(en, &(struct command){.kind = CMD_AUTO_CPU});
	host.denied = false;
	spy_run(en, 5);
	assert_true(is_auto(en, false, true));
	end(en);
}

/* Every other sample comes too late: one line, and one when it is over. */
static void slowness_is_said_once(void **state)
{
	(void)state;
	struct engine *en = begin(CROWD);
	spy_run(en, 5);
	for (int i = 0; i < 50; i++) {
		host.slow = true;
		host.down_from_s = spy_now_s(&host) + 0.5;
		host.down_until_s = host.down_from_s + 1;
		spy_run(en, 2);
	}
	assert_int_equal(count(en, "is slow"), 1);
	assert_int_equal(count(en, "answers again"), 0);
	host.slow = false;
	spy_run(en, 6);
	assert_int_equal(count(en, "answers again; it did not, or late, for"), 1);
	spy_run(en, 20);
	assert_int_equal(count(en, "is slow") + count(en, "answers again"), 2);
	end(en);
}

/* systemd sees a service that is of no use. */
static void what_cannot_steer_for_long_ends(void **state)
{
	(void)state;
	for (int readonly = 0; readonly < 2; readonly++) {
		struct err e = ERR_INIT;
		struct engine *en = begin(CROWD);
		double begun = spy_now_s(&host);
		host.denied = readonly;
		if (!readonly)
			down(1e6);
		do
			engine_step(en, &e);
		while (engine_wait(en, -1) && spy_now_s(&host) < 1e4);
		assert_true(spy_now_s(&host) - begun >= cfg.give_up_s);
		assert_true(spy_now_s(&host) - begun < cfg.give_up_s + 5);
		assert_int_equal(err_exit_status(engine_failed(en)), 1);
		assert_non_null(strstr(engine_failed(en)->msg, "could not steer for 900 s: "));
		engine_free(en);
		spy_free(&host);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(which_auto_has_stopped_is_said),
		cmocka_unit_test(a_journal_that_fails_for_a_while),
		cmocka_unit_test(rights_that_come_back),
		cmocka_unit_test(a_person_has_the_last_word),
		cmocka_unit_test(slowness_is_said_once),
		cmocka_unit_test(what_cannot_steer_for_long_ends),
	};
	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, state_home_make, state_home_remove);
}
