/* SPDX-License-Identifier: MIT */
/* Balloons go back as found, whenever the end comes: at each tenth of a second after a shrink, after an undo,
 * after a target that was given up, after U, for short and long memory cycles. The simulated host hears of a
 * balloon once a second, as a real one does, and guests follow slowly, hardly or in part. */
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

enum { MIB = 1024, VMS = 4 };

/* Found at 1000 MiB each. */
static const char four[] = "host\n\tpcpus 4\n\tmemory 16G\n"
			   "vm quick\n\tmemory 1000M max 2G\n\tbase 200M\n\tstats 1\n\tballoon speed 500M/s\n"
			   "vm slow\n\tmemory 1000M max 2G\n\tbase 200M\n\tstats 1\n\tballoon speed 6M/s\n"
			   "vm lame\n\tmemory 1000M max 2G\n\tbase 200M\n\tstats 1\n\tballoon speed 1M/s\n"
			   "vm stuck\n\tmemory 1000M max 2G\n\tbase 200M\n\tstats 1\n\tballoon stuck 950M\n";
static const char *const names[VMS] = {"quick", "slow", "lame", "stuck"};

static struct spy host;
static struct config cfg;
static int64_t target_kib[VMS]; /* what the hypervisor was told last; 0: nothing */
static size_t shrinks;

static void made(void *arg, const struct action *a)
{
	(void)arg;
	if (a->kind != ACTION_BALLOON)
		return;
	target_kib[a->vm] = a->to_kib;
	shrinks += a->to_kib < a->from_kib;
}

/* VMs of a sample are sorted by UUID, and those of a scenario by their place in it. */
static void begin(double delay_s, double cycle_s)
{
	spy_open(&host, four);
	host.made = made;
	memset(target_kib, 0, sizeof target_kib);
	shrinks = 0;
	run_config(&cfg, false, true, delay_s);
	cfg.memory_cycle_s = cycle_s;
	cfg.mem_boot_s = 0;
	cfg.reclaim = RECLAIM_PROACTIVE;
}

static void pass(double seconds)
{
	host.base.ops->wait(&host.base, host.base.ops->now(&host.base) + (int64_t)(seconds * 1e9), -1);
}

static void send(struct engine *en, enum command_kind kind)
{
	engine_command(en, &(struct command){.kind = kind});
}

/* The end came now; what is not as found then is in the journal. */
static void end_and_check(struct engine *en, const char *how, double cycle_s, double after_s)
{
	char path[JOURNAL_PATH];
	engine_leave(en, true);
	for (size_t i = 0; i < VMS; i++)
		if (target_kib[i] && target_kib[i] != 1000 * MIB) {
			spy_logged(en, "end");
			fail_msg("%s, cycle %.1f s, %.1f s after: %s was left at %g MiB", how, cycle_s,
				after_s, names[i], (double)target_kib[i] / MIB);
		}
	engine_free(en);
	assert_int_equal(journal_path(path, sizeof path, "sim:test"), 0);
	assert_int_equal(access(path, F_OK), -1);
	spy_free(&host);
}

/* Runs until AUTO has shrunk some, so many times, then goes on for the rest; the steps go on meanwhile. */
static struct engine *shrunk(double cycle_s, size_t times, double after_s)
{
	double delay_s = cycle_s < 1 ? cycle_s : 1;
	begin(delay_s, cycle_s);
	struct engine *en = spy_engine(&host, &cfg);
	for (int i = 0; i < 200 && shrinks < times; i++)
		spy_run(en, delay_s);
	assert_true(shrinks >= times);
	double whole = (double)(int)(after_s / delay_s) * delay_s;
	if (whole > 0)
		spy_run(en, whole);
	pass(after_s - whole + 0.05);
	return en;
}

static const double cycles[] = {0.5, 1, 5};

static void at_each_tenth(const char *how, void (*then)(struct engine *en), size_t times, double most_s)
{
	for (size_t c = 0; c < sizeof cycles / sizeof *cycles; c++)
		for (int tenth = 0; tenth <= (int)(most_s * 10); tenth++) {
			struct engine *en = shrunk(cycles[c], times, tenth / 10.0);
			then(en);
			end_and_check(en, how, cycles[c], tenth / 10.0);
		}
}

static void nothing(struct engine *en)
{
	(void)en;
}

static void undo(struct engine *en)
{
	send(en, CMD_UNDO);
	spy_run(en, 0.2);
}

static void undo_twice_and_wait(struct engine *en)
{
	undo(en);
	spy_run(en, 3);
	undo(en);
	spy_run(en, 12);
}

static void restore_and_again(struct engine *en)
{
	send(en, CMD_RESTORE);
	spy_run(en, 1);
	for (size_t i = 0; i < VMS; i++) {
		struct command c = {.kind = CMD_HOLD, .on = false};
		struct snapshot *s = engine_snapshot(en);
		memcpy(c.uuid, s->sample.vms[i].uuid, UUID_BYTES);
		snapshot_free(s);
		engine_command(en, &c);
	}
	spy_run(en, 7); /* AUTO goes on from balloons that still move */
}

static void manual(struct engine *en)
{
	send(en, CMD_AUTO_MEMORY);
	spy_run(en, 15);
}

static void the_end_at_each_tenth(void **state)
{
	(void)state;
	at_each_tenth("end", nothing, 1, 12);
}

/* By then targets were given up. */
static void a_late_end(void **state)
{
	(void)state;
	at_each_tenth("late end", nothing, 12, 3);
}

static void undo_at_each_tenth(void **state)
{
	(void)state;
	at_each_tenth("undo", undo, 1, 6);
}

static void undo_of_what_was_given_up(void **state)
{
	(void)state;
	at_each_tenth("two undos", undo_twice_and_wait, 6, 2);
}

static void restore_while_it_moves(void **state)
{
	(void)state;
	at_each_tenth("restore, and AUTO again", restore_and_again, 3, 3);
}

static void manual_while_it_moves(void **state)
{
	(void)state;
	at_each_tenth("AUTO off", manual, 3, 3);
}

/* AUTO never takes its own change for somebody else's. */
static void nobody_else_is_blamed(void **state)
{
	(void)state;
	for (size_t c = 0; c < sizeof cycles / sizeof *cycles; c++) {
		struct engine *en = shrunk(cycles[c], 1, 180);
		if (spy_logged(en, "somebody else"))
			fail_msg("cycle %.1f s: %s", cycles[c], spy_logged(en, "somebody else"));
		end_and_check(en, "three minutes", cycles[c], 180);
	}
}

/* Somebody else's balloon stays, also when the target was reached long ago, and when it is one that ours came
 * by. AUTO looks at each tick, and knows it before the ledger does, or it is off. */
static void theirs_is_left(int mib, bool automatic)
{
	char text[200];
	snprintf(text, sizeof text,
		"host\n\tpcpus 4\n\tmemory 16G\nvm a\n\tmemory 1000M max 2G\n\tbase 200M\n\tstats 1\n"
		"at 70s balloon a %dM\n",
		mib);
	spy_open(&host, text);
	host.made = made;
	run_config(&cfg, false, true, 1);
	cfg.mem_boot_s = 0;
	cfg.memory_cycle_s = 1;
	cfg.reclaim = RECLAIM_PROACTIVE;
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 60);
	assert_true(spy_balloon_mib(&host, "a") < 700);
	if (!automatic)
		send(en, CMD_AUTO_MEMORY);
	spy_run(en, 20);
	assert_non_null(spy_logged(en, "a: somebody else set its balloon"));
	engine_leave(en, true);
	engine_free(en);
	pass(30);
	assert_int_equal((int)spy_balloon_mib(&host, "a"), mib);
	spy_free(&host);
}

static void theirs_stays(void **state)
{
	(void)state;
	theirs_is_left(1500, false);
	theirs_is_left(800, false);
	theirs_is_left(1500, true);
	theirs_is_left(800, true);
}

/* vmtop switches the statistics on, and shrinks. */
static struct engine *unwatched(void)
{
	spy_open(&host, "host\n\tpcpus 4\n\tmemory 16G\nvm a x2\n\tmemory 1000M max 2G\n\tbase 200M\n"
			"\tballoon speed 2G/s\n");
	run_config(&cfg, false, true, 1);
	cfg.mem_boot_s = 0;
	cfg.reclaim = RECLAIM_PROACTIVE;
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 60);
	return en;
}

/* An answer that is lost at the end does not make the count too small: what is as found again was put back.
 */
static void lost_answers_count(void **state)
{
	(void)state;
	char whole[120] = "";
	for (long k = 0; !k || host.failed; k++) {
		assert_true(k < 100);
		if (k)
			spy_free(&host);
		struct engine *en = unwatched();
		host.fail_at = k ? host.calls + k : 0;
		host.unknown = true;
		assert_int_equal(engine_leave(en, true), 0);
		const char *said = spy_logged(en, " put back");
		assert_non_null(said);
		if (!k)
			snprintf(whole, sizeof whole, "%s", said);
		if (strcmp(said, whole) != 0)
			fail_msg("call %ld of the end is lost: \"%s\", not \"%s\"", k, said, whole);
		engine_free(en);
		if (!k)
			host.failed = true;
	}
	spy_free(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_end_at_each_tenth),
		cmocka_unit_test(a_late_end),
		cmocka_unit_test(undo_at_each_tenth),
		cmocka_unit_test(undo_of_what_was_given_up),
		cmocka_unit_test(restore_while_it_moves),
		cmocka_unit_test(manual_while_it_moves),
		cmocka_unit_test(nobody_else_is_blamed),
		cmocka_unit_test(theirs_stays),
		cmocka_unit_test(lost_answers_count),
	};
	return cmocka_run_group_tests_name("balloon back", tests, state_home_make, state_home_remove);
}
