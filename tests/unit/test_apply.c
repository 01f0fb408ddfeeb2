/* SPDX-License-Identifier: MIT */
/* What carrying out leaves behind, in ledger, journal and log, over a hypervisor that answers as it is told
 * to. The same through the whole program: tests/scenario/test_restore.c, test_killed.c. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../../src/changes/changes.h"
#include "support/fixture.h"
#include "support/state_home.h"

static struct fixture fix;
static struct changes ch;
static struct talk talk;
static struct config cfg;
static struct backend_status status;
static struct undo_entry undo[UNDO_MAX];
static enum outcome answer;    /* of every call */
static const char *full_after; /* a disk that is full once the call was made: this file cannot grow */

static int64_t now(struct backend *b)
{
	(void)b;
	return fix.s.time_ns;
}

static void limit(rlim_t bytes)
{
	struct rlimit was;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){bytes, was.rlim_max}), 0);
}

static long size_of(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? (long)st.st_size : -1;
}

static void apply(struct backend *b, struct action *actions, size_t n)
{
	(void)b;
	for (size_t i = 0; i < n; i++)
		actions[i].outcome = answer;
	if (full_after)
		limit((rlim_t)size_of(full_after));
}

static enum known knows; /* of whatever VM it is asked about */
static int asked;

static enum known known_to_it(struct backend *b, const uint8_t uuid[UUID_BYTES])
{
	(void)b, (void)uuid;
	asked++;
	return knows;
}

static const struct backend_ops ops = {
	.source = SOURCE_LIBVIRT, .now = now, .apply = apply, .known = known_to_it, .lasting = true};
static struct backend backend = {&ops};

/* Two VMs with a vCPU each on pCPU 0 of four; a journal of its own. */
static int begin(void **state)
{
	(void)state;
	fx_init(&fix, &(struct fx_host){.pcpus = 4});
	for (unsigned vm = 1; vm <= 2; vm++) {
		fx_vm(&fix, vm, 1);
		fx_pin(&fix, vm, 0, "0");
		struct vm_memory *m = &fx_vm_sample(&fix, vm)->mem;
		m->balloon_kib = vi64_ok(1 << 20);
		m->max_kib = vi64_ok(2 << 20);
	}
	fx_start(&fix);
	fx_load(&fix, 1, 0, 50, 50);
	fx_load(&fix, 2, 0, 50, 50);
	fx_advance(&fix, 2);
	fx_round(&fix, ROUND_AUTO);
	cfg = fix.cfg;
	status = (struct backend_status){.uri = "test:///apply"};
	assert_int_equal(talk_init(&talk, &backend), 0);
	talk_clock(&talk, &fix.s);
	ch = (struct changes){
		.backend = &backend, .core = &backend, .talk = &talk, .cfg = &cfg, .status = &status};
	ch.sample = &fix.s;
	ch.model = &fix.m;
	ch.rules = &fix.rules;
	ch.plan = &fix.plan;
	ch.undo = undo;
	answer = OUTCOME_DONE;
	full_after = NULL;
	return 0;
}

static int end(void **state)
{
	(void)state;
	journal_close(ch.journal, true);
	plan_done(&ch.last_dry);
	ledger_done(&ch.ledger);
	talk_done(&talk);
	fx_done(&fix);
	return 0;
}

static struct vm_sample *vm(unsigned number)
{
	return fx_vm_sample(&fix, number);
}

static void pin(unsigned number, const char *to)
{
	struct cpuset cpus;
	assert_int_equal(cpuset_parse(&cpus, to, NULL), 0);
	assert_int_equal(asked_pin(&ch, vm(number), fx_vcpu(&fix, number, 0), &cpus, REASON_USER), 1);
}

static void balloon(unsigned number, int64_t mib)
{
	assert_int_equal(asked_balloon(&ch, vm(number), mib << 10, REASON_USER), 1);
}

/* Carries out what was asked for, and empties the plan. */
static void carry_out(enum outcome to)
{
	struct steering on = {0};
	struct err e = ERR_INIT;
	answer = to;
	assert_int_equal(changes_carry_out(&ch, &on, &e), CARRIED);
	plan_reset(ch.plan);
}

static const struct vm_record *record(unsigned number)
{
	return ledger_find(&ch.ledger, vm(number)->uuid);
}

/* What a vmtop that starts now would read of this VM. */
static int journal_has(unsigned number)
{
	struct ledger l = {0};
	struct journal_doubts doubts;
	struct err e = ERR_INIT;
	int n = journal_load(status.uri, &l, &doubts, &e) == 1 ? 0 : -1;
	const struct vm_record *r = ledger_find(&l, vm(number)->uuid);
	n += r ? record_changes(r) : 0;
	ledger_done(&l);
	return n;
}

static const char *log_line(enum log_kind kind, size_t nth)
{
	for (size_t i = 0; i < talk.log.n; i++) {
		const struct log_line *line = &talk.log.lines[(talk.log.first + i) % SNAPSHOT_LOG];
		if (line->kind == kind && nth-- == 0)
			return line->text;
	}
	return NULL;
}

/* A call that failed leaves nothing behind: neither here nor in the journal, and nothing is to be undone. */
static void what_was_not_done_is_not_remembered(void **state)
{
	(void)state;
	for (int skipped = 0; skipped < 2; skipped++) {
		pin(1, "2");
		balloon(2, 1500);
		carry_out(skipped ? OUTCOME_SKIPPED : OUTCOME_FAILED);
		assert_int_equal(record_changes(record(1)), 0);
		assert_int_equal(record_changes(record(2)), 0);
		assert_int_equal(journal_has(1), 0);
		assert_int_equal(journal_has(2), 0);
		assert_int_equal(ch.undo_n, 0);
		assert_int_equal(record(1)->fails, 1); /* to be refused is no failure */
	}
	assert_null(log_line(LOG_ERROR, 0));
}

/* The second target failed: the first one is in force, and what was found is still known. */
static void the_target_before_stays(void **state)
{
	(void)state;
	balloon(1, 1500);
	carry_out(OUTCOME_DONE);
	balloon(1, 1800);
	carry_out(OUTCOME_FAILED);
	assert_int_equal(record(1)->wrote_kib, 1500 << 10);
	assert_int_equal(record(1)->found_kib, 1 << 20);
	assert_int_equal(journal_has(1), 1);
	/* Put back to what was found, which fails: nothing is forgotten before it is done. */
	vm(1)->mem.balloon_kib = vi64_ok(1500 << 10);
	balloon(1, 1024);
	carry_out(OUTCOME_FAILED);
	assert_int_equal(record_changes(record(1)), 1);
	balloon(1, 1024);
	carry_out(OUTCOME_DONE);
	assert_int_equal(record_changes(record(1)), 0);
	assert_int_equal(journal_has(1), 0);
}

/* No answer: it may be so or so, and is kept for both. */
static void without_an_answer_it_is_remembered(void **state)
{
	(void)state;
	pin(1, "2");
	balloon(2, 1500);
	carry_out(OUTCOME_UNKNOWN);
	assert_int_equal(record_changes(record(1)), 1);
	assert_int_equal(record_changes(record(2)), 1);
	assert_true(record(2)->memo.balloon.unsure);
	assert_int_equal(journal_has(1) + journal_has(2), 2);
	assert_int_equal(ch.undo_n, 2);
}

/* After a change it is too late to refuse it: that the journal could not be written is said, once. */
static void a_full_disk_after_the_change_is_said(void **state)
{
	char path[JOURNAL_PATH];
	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(journal_path(path, sizeof path, status.uri), 0);
	pin(1, "2");
	carry_out(OUTCOME_DONE);
	assert_null(log_line(LOG_ERROR, 0));
	cpuset_clear(&fx_vcpu(&fix, 1, 0)->affinity);
	cpuset_add(&fx_vcpu(&fix, 1, 0)->affinity, 2);
	pin(1, "0"); /* as found: the journal may forget it */
	full_after = path;
	carry_out(OUTCOME_DONE);
	limit(RLIM_INFINITY);
	assert_non_null(log_line(LOG_ERROR, 0));
	assert_non_null(strstr(log_line(LOG_ERROR, 0), "cannot write the journal"));
	assert_null(log_line(LOG_ERROR, 1));
	assert_int_equal(
		journal_has(1), 1); /* it reads as if it were still to be put back, which does no harm */
	signal(SIGXFSZ, SIG_DFL);
}

/* What a dry run says of a line is about that line. */
static void a_dry_run_says_what_each_pin_would_do(void **state)
{
	(void)state;
	balloon(1, 1500);
	pin(2, "3");
	changes_dry(&ch);
	assert_non_null(strstr(log_line(LOG_ACTION, 1), "deviation"));
	assert_null(strstr(log_line(LOG_ACTION, 0), "deviation"));
	changes_dry(&ch);
	assert_null(log_line(LOG_ACTION, 2)); /* the same again is not said again */
	assert_null(record(1));
}

static void shares_that_are_so_need_no_call(void **state)
{
	(void)state;
	assert_int_equal(asked_shares(&ch, vm(1), 100, 100, REASON_RESTORE), 0);
	assert_int_equal(ch.plan->n, 0);
	assert_int_equal(asked_shares(&ch, vm(1), 100, 200, REASON_RESTORE), 1);
	assert_int_equal(ch.plan->n, 1);
}

static void period(unsigned number, int found, int before, int wrote, int is)
{
	struct vm_record *r = ledger_get(&ch.ledger, vm(number)->uuid, "x");
	r->period = (struct kept){.found = found, .before = before, .wrote = wrote};
	vm(number)->mem.period_s = vi64_ok(is);
}

/* At every end statistics go off that we switched on, and no others. */
static void statistics_that_we_switched_on_go_off(void **state)
{
	static const struct {
		int found, before, wrote, is;
		bool off;
	} rows[] = {
		{0, 0, 2, 2, true},    /* we did */
		{0, 2, 0, 2, true},    /* we tried to put it back, and nobody answered */
		{5, 0, 0, 0, false},   /* it was on, and somebody asked us to switch it off */
		{0, 0, 2, 7, false},   /* somebody else did since */
		{-1, -1, -1, 2, false} /* never touched */
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		period(1, rows[i].found, rows[i].before, rows[i].wrote, rows[i].is);
		assert_int_equal(restore_periods(&ch), 0);
		assert_int_equal(ch.plan->n, rows[i].off);
		if (rows[i].off)
			assert_int_equal(ch.plan->actions[0].to_s, rows[i].found);
		plan_reset(ch.plan);
	}
	/* One that is not there is passed over, and the others are not. */
	period(1, 0, 0, 2, 2);
	period(2, 0, 0, 2, 2);
	vm(1)->id = -1;
	assert_int_equal(restore_periods(&ch), 0);
	assert_int_equal(ch.plan->n, 1);
	assert_memory_equal(ch.plan->actions[0].uuid, vm(2)->uuid, UUID_BYTES);
}

/* ---- what a sample tells ---- */

static struct vm_record *known(unsigned number)
{
	struct vm_record *r = ledger_get(&ch.ledger, vm(number)->uuid, vm(number)->name);
	assert_non_null(r);
	return r;
}

/* As if vmtop had pinned it from one place to another. */
static void pinned(unsigned number, int vcpu, const char *from, const char *to)
{
	struct cpuset found, wrote;
	struct vcpu_record *v = record_vcpu_get(known(number), vcpu);
	assert_int_equal(cpuset_parse(&found, from, NULL), 0);
	assert_int_equal(cpuset_parse(&wrote, to, NULL), 0);
	vcpu_found(v, &found, true);
	vcpu_is(v, &wrote);
}

/* It has started again, with the pins of its definition: what is still as we wrote it is ours, no other. */
static void another_life_has_its_own_pins(void **state)
{
	(void)state;
	static const struct {
		const char *wrote;
		int left;
	} rows[] = {{"0", 1}, {"3", 0}}; /* it is on 0 */
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		pinned(1, 0, "2", rows[i].wrote);
		known(1)->life = 99;
		changes_watch(&ch, i == 0);
		assert_int_equal(record_changes(record(1)), rows[i].left);
		assert_int_equal(record(1)->life, vm(1)->id);
	}
	/* As long as its pins are not known, it is looked at again. */
	pinned(1, 0, "2", "3");
	known(1)->life = 99;
	fx_vcpu(&fix, 1, 0)->affinity_avail = AVAIL_DENIED;
	changes_watch(&ch, false);
	assert_int_equal(record_changes(record(1)), 1);
	assert_int_equal(record(1)->life, 99);
}

/* Found on pCPUs that this host has not: there is nothing to put back, and the next vCPU is not meant. */
static void what_cannot_be_put_back_is_left(void **state)
{
	(void)state;
	fx_vm(&fix, 3, 2);
	fx_pin(&fix, 3, 0, "1");
	fx_pin(&fix, 3, 1, "1");
	fx_advance(&fix, 2);
	fx_round(&fix, ROUND_AUTO);
	pinned(3, 0, "900", "1");
	pinned(3, 1, "2", "1");
	struct settled settled = restore_settle(&ch, NULL);
	assert_int_equal(settled.foreign + settled.back, 0);
	assert_null(record_vcpu(record(3), 0));
	assert_non_null(record_vcpu(record(3), 1));
	assert_non_null(strstr(log_line(LOG_ERROR, 0), "found on pCPU 900, which this host does not have"));
}

/* Whatever of two values is in force is what its shares are put back from. */
static void shares_go_back_from_what_is_in_force(void **state)
{
	(void)state;
	static const struct {
		int is, from;
	} rows[] = {{200, 200}, {400, 400}, {-1, 400}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t back = 0;
		known(1)->shares = (struct kept){.found = 100, .before = 200, .wrote = 400};
		vm(1)->facts.cpu_shares = rows[i].is < 0 ? vi64_absent(AVAIL_DENIED) : vi64_ok(rows[i].is);
		assert_int_equal(restore_plan(&ch, NULL, true, &back), 0);
		assert_int_equal(ch.plan->n, 1);
		assert_int_equal(ch.plan->actions[0].from_shares, rows[i].from);
		assert_int_equal(ch.plan->actions[0].to_shares, 100);
		plan_reset(ch.plan);
	}
	/* It was not made, and it is as found: the last word was ours all the same. */
	size_t back = 0;
	known(1)->shares = (struct kept){.found = 100, .before = 100, .wrote = 400};
	vm(1)->facts.cpu_shares = vi64_ok(100);
	assert_int_equal(restore_plan(&ch, NULL, true, &back), 0);
	assert_int_equal(ch.plan->actions[0].from_shares, 400);
}

/* Pinned by somebody else, and then by us once more: theirs came before ours, and is no fight. */
static void pins_before_ours_are_no_fight(void **state)
{
	(void)state;
	fx_vcpu(&fix, 1, 0)->foreign_pin_ns = vi64_ok(7);
	pin(1, "2");
	carry_out(OUTCOME_DONE);
	assert_int_equal(record_vcpu(record(1), 0)->foreign_ns, 7);
	fx_pin(&fix, 1, 0, "1"); /* somebody else, and when is not known */
	fx_vcpu(&fix, 1, 0)->foreign_pin_ns = vi64_absent(AVAIL_NONE);
	pin(1, "3");
	carry_out(OUTCOME_DONE);
	assert_int_equal(record_vcpu(record(1), 0)->foreign_ns, 7);
	assert_true(cpuset_has(&record_vcpu(record(1), 0)->found, 1));
}

static size_t said(const char *words)
{
	size_t n = 0;
	for (size_t i = 0; log_line(LOG_EVENT, i); i++)
		n += strstr(log_line(LOG_EVENT, i), words) != NULL;
	return n;
}

static void who_is_here_is_said_once(void **state)
{
	(void)state;
	fix.s.host.others = OTHER_MOM;
	snprintf(vm(1)->name, sizeof vm(1)->name, "first");
	changes_watch(&ch, true);
	changes_watch(&ch, false);
	assert_int_equal(said("MoM runs"), 1);
	assert_int_equal(said("appeared"), 0); /* they were here when it began */
	assert_int_equal(said("OpenStack"), 0);
	fix.s.host.others |= OTHER_NUMAD;
	vm(1)->flags |= VM_FLAG_OPENSTACK;
	fx_vm(&fix, 3, 1);
	changes_watch(&ch, false);
	changes_watch(&ch, false);
	assert_int_equal(said("MoM runs"), 1);
	assert_int_equal(said("numad runs"), 1);
	assert_int_equal(said("appeared"), 1);
	assert_int_equal(said("1 VM is of OpenStack"), 1);
	fx_remove_vm(&fix, 1);
	changes_watch(&ch, false);
	changes_watch(&ch, false);
	assert_int_equal(said("first is gone"), 1);
}

/* Somebody else's shares are believed when they have come several times in a row. */
static void shares_of_somebody_else_stay(void **state)
{
	(void)state;
	known(1)->shares = (struct kept){.found = 100, .before = 400, .wrote = 400};
	known(1)->life = vm(1)->id;
	changes_watch(&ch, true);
	for (int i = 1; i < SHARES_ASTRAY; i++) {
		vm(1)->facts.cpu_shares = vi64_ok(700);
		changes_watch(&ch, false);
		assert_int_equal(record(1)->shares.wrote, 400);
	}
	vm(1)->facts.cpu_shares = vi64_ok(400); /* an old reading, then: ours is in force */
	changes_watch(&ch, false);
	vm(1)->facts.cpu_shares = vi64_ok(700);
	for (int i = 0; i < SHARES_ASTRAY; i++)
		changes_watch(&ch, false);
	assert_int_equal(record(1)->shares.wrote, -1);
	assert_int_equal(said("somebody else set its CPU shares"), 1);
}

/* Two that have been away for a week: forgotten when the hypervisor has no image of them. When it does not
 * answer it is asked once in a step, and both are kept. */
static void who_was_away_for_too_long(void **state)
{
	static const struct {
		enum known knows;
		int asked, left;
	} rows[] = {{KNOWN_ENDED, 2, 0}, {KNOWN_NOT, 2, 0}, {KNOWN_SAVED, 2, 2}, {KNOWN_UNSURE, 1, 2}};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (uint8_t k = 0; k < 2; k++) {
			const uint8_t uuid[UUID_BYTES] = {0xfe, k};
			struct vm_record *r = ledger_get(&ch.ledger, uuid, "away");
			assert_non_null(record_vcpu_get(r, 0));
			r->here = false;
			r->away_ns = LEDGER_GONE_S * INT64_C(1000000000);
		}
		knows = rows[i].knows;
		asked = 0;
		restore_saved(&ch);
		assert_int_equal(asked, rows[i].asked);
		assert_int_equal(changes_in_force(&ch), rows[i].left);
	}
}

/* What of a balloon is settled before it is put back: where somebody else set it, it stays; one that cannot
 * be read, or that was never ours, is nobody's yet. */
static void whose_balloon_it_is(void **state)
{
	static const struct {
		bool ours;
		int64_t is_mib; /* -1: not known */
		size_t foreign;
		int left;
	} rows[] = {{true, 1500, 0, 1}, {true, 700, 1, 0}, {true, -1, 0, 1}, {false, 700, 0, 0},
		{false, -1, 0, 0}};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct vm_record *r = known(1);
		record_drop_all(r);
		r->life = vm(1)->id;
		if (rows[i].ours) {
			r->found_kib = 1 << 20;
			balloon_will(r, 1500 << 10);
			balloon_watch_asked(&r->memo.balloon, 1 << 20, 1500 << 10, fix.s.time_ns, false);
			balloon_watch_seen(&r->memo.balloon, 1500 << 10, fix.s.time_ns);
		}
		r->seen_kib = r->seen_max_kib = 0;
		vm(1)->mem.balloon_kib =
			rows[i].is_mib < 0 ? vi64_absent(AVAIL_HUNG) : vi64_ok(rows[i].is_mib << 10);
		assert_int_equal(restore_settle(&ch, NULL).foreign, rows[i].foreign);
		assert_int_equal(record_changes(record(1)), rows[i].left);
	}
}

static int looks(void *arg, struct err *e)
{
	(void)arg, (void)e;
	return 0;
}

static bool in_a_hurry(void *arg)
{
	(void)arg;
	return true;
}

static void tells_nobody(void *arg)
{
	(void)arg;
}

/* What cannot be put back is named, with the command that does it later, for the host that it is about. */
static void what_is_left_at_the_end_is_said(void **state)
{
	const struct leave_hands by = {.look = looks, .hurried = in_a_hurry, .tell = tells_nobody, .fd = -1};
	(void)state;
	pin(1, "2");
	carry_out(OUTCOME_DONE);
	fx_pin(&fix, 1, 0, "2");
	known(1)->life = vm(1)->id;
	answer = OUTCOME_FAILED;
	assert_int_equal(leave(&ch, &by, true), -1);
	assert_non_null(strstr(ch.left.msg, "1 change could not be put back"));
	assert_non_null(strstr(ch.left.msg, "; vmtop --restore does it later"));
	snprintf(cfg.uri, sizeof cfg.uri, "qemu+ssh://h/system");
	assert_int_equal(leave(&ch, &by, true), -1);
	assert_non_null(strstr(ch.left.msg, "; vmtop -c qemu+ssh://h/system --restore does it later"));
	answer = OUTCOME_DONE;
	if (leave(&ch, &by, true) < 0)
		fail_msg("%s", ch.left.msg);
	assert_int_equal(changes_in_force(&ch), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {TEST(what_was_not_done_is_not_remembered),
		TEST(the_target_before_stays), TEST(without_an_answer_it_is_remembered),
		TEST(a_full_disk_after_the_change_is_said), TEST(a_dry_run_says_what_each_pin_would_do),
		TEST(shares_that_are_so_need_no_call), TEST(statistics_that_we_switched_on_go_off),
		TEST(another_life_has_its_own_pins), TEST(what_cannot_be_put_back_is_left),
		TEST(shares_go_back_from_what_is_in_force), TEST(pins_before_ours_are_no_fight),
		TEST(who_was_away_for_too_long), TEST(whose_balloon_it_is),
		TEST(what_is_left_at_the_end_is_said), TEST(who_is_here_is_said_once),
		TEST(shares_of_somebody_else_stay)};
	return cmocka_run_group_tests_name("apply", tests, state_home_make, state_home_remove);
}
