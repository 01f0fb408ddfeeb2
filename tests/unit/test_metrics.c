/* SPDX-License-Identifier: MIT */
/* What the series of the metrics say, of a host and a guest made by hand: rules go by them, so a 1 has to be
 * a 1 where it is meant, and what is not known has no series. How they are written: test_csv, tests/metrics.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "vmtop/metrics.h"

static struct snapshot s;
static struct tally t;
static struct vm_sample vm;
static struct vm_rate vm_rate;
static struct vm_status vm_status;
static struct vm_tally vm_tally;

static int begin(void **state)
{
	(void)state;
	memset(&s, 0, sizeof s);
	memset(&t, 0, sizeof t);
	memset(&vm, 0, sizeof vm);
	memset(&vm_status, 0, sizeof vm_status);
	memset(&vm_tally, 0, sizeof vm_tally);
	s.sample.vms = &vm;
	s.sample.n_vms = 1;
	s.vm_rates = &vm_rate;
	s.vm_status = &vm_status;
	t.vms = &vm_tally;
	t.n_vms = 1;
	return 0;
}

static const struct metric_set *set_of(const char *key, const struct field **f)
{
	for (size_t i = 0; i < n_metric_sets; i++)
		for (size_t k = 0; k < metric_sets[i].rows.n; k++) {
			*f = &metric_sets[i].rows.fields[k];
			if (strcmp((*f)->key, key) == 0)
				return &metric_sets[i];
		}
	fail_msg("no metric %s", key);
	return NULL;
}

/* -1: no such series. */
static double number(const char *key, size_t index)
{
	const struct field *f;
	const struct field_at at = {&s, index, &t};
	double v;
	set_of(key, &f);
	return metric_value(f, &at, &v) ? v : -1;
}

/* The value of that label of a series; it stays good until the next call. */
static const char *label(const char *key, size_t index, const char *name)
{
	static struct metric_labels l;
	const struct field *f;
	const struct metric_set *set = set_of(key, &f);
	memset(&l, 0, sizeof l);
	set->label(&(struct field_at){&s, index, &t}, &l);
	for (int i = 0; i < l.n; i++)
		if (strcmp(l.of[i].name, name) == 0)
			return l.of[i].raw ? l.of[i].raw : l.of[i].buf;
	return NULL;
}

static size_t series(const char *key)
{
	const struct field *f;
	return set_of(key, &f)->count(&(struct field_at){&s, 0, &t});
}

/* Of a set of states exactly one is 1, and its label is the state. */
static void only(const char *key, const char *label_name, const char *want)
{
	size_t n = series(key), ones = 0;
	for (size_t i = 0; i < n; i++) {
		double v = number(key, i);
		assert_true(v == 0 || v == 1);
		if (v == 1)
			assert_string_equal(label(key, i, label_name), want);
		ones += v == 1;
	}
	assert_int_equal(ones, 1);
}

static void one_state_of_several(void **state)
{
	(void)state;
	for (int i = 0; i <= HOST_MEM_HARD; i++) {
		s.memory.state = (enum host_mem_state)i;
		only("vmtop_host_memory_state", "state", memory_state_name(s.memory.state));
	}
	for (int i = 0; i <= CLAIM_DENIED; i++) {
		s.backend.claim.state = (enum claim_state)i;
		only("vmtop_host_claim", "state", claim_state_name(s.backend.claim.state));
	}
}

/* Programs can be seen on this machine only: of another one it is not known, and that is no 0. */
static void other_programs(void **state)
{
	(void)state;
	s.sample.host.others = OTHER_MOM;
	for (size_t i = 0; i < series("vmtop_host_other_controller"); i++)
		assert_true(number("vmtop_host_other_controller", i) < 0);
	s.sample.host.local = true;
	only("vmtop_host_other_controller", "program", "mom");
	s.sample.host.others = OTHER_NOVA;
	only("vmtop_host_other_controller", "program", "nova-compute");
	s.sample.host.others = 0;
	for (size_t i = 0; i < series("vmtop_host_other_controller"); i++)
		assert_true(number("vmtop_host_other_controller", i) == 0);
}

static void the_host(void **state)
{
	(void)state;
	for (int i = LINK_OK; i <= LINK_SLOW; i++) {
		s.backend.link = (enum link_state)i;
		assert_true(number("vmtop_host_connected", 0) == (i == LINK_OK));
	}
	for (int i = 0; i < 4; i++) {
		s.waits_cpu = i & 1;
		s.waits_memory = i >> 1;
		assert_true(number("vmtop_host_auto_waits", 0) == (i > 0));
	}
	s.n_changed = 3;
	assert_true(number("vmtop_host_changes_in_force", 0) == 3);
	assert_true(number("vmtop_host_changes_left_behind", 0) == 0);
	s.left_behind = true;
	assert_true(number("vmtop_host_changes_left_behind", 0) == 3);
	s.age_s = 1.5;
	t.late_s = 2;
	assert_true(number("vmtop_host_sample_age_seconds", 0) == 3.5);
	t.late_s = -9; /* a clock that was set back */
	assert_true(number("vmtop_host_sample_age_seconds", 0) == 0);
	struct pcpu_sample pcpus[3] = {{.online = true}, {.online = false}, {.online = true}};
	s.sample.host.pcpus = pcpus;
	s.sample.host.n_pcpus = 3;
	assert_true(number("vmtop_host_pcpus", 0) == 2);
}

/* A guest that has not told its state runs for all that is known; one that is paused or off does not. */
static void who_runs(void **state)
{
	static const bool runs[] = {[VM_NOSTATE] = true,
		[VM_RUNNING] = true,
		[VM_BLOCKED] = true,
		[VM_PAUSED] = false,
		[VM_SHUTDOWN] = false,
		[VM_SHUTOFF] = false,
		[VM_CRASHED] = false,
		[VM_SUSPENDED] = false};
	(void)state;
	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
		vm.state = (enum vm_state)i;
		assert_true(number("vmtop_vm_running", 0) == runs[i]);
	}
	assert_true(number("vmtop_vm_hung", 0) == 0);
	vm.hung_since_ns = 5;
	assert_true(number("vmtop_vm_hung", 0) == 1);
}

/* A guest has a cause while it suffers, and only then. */
static void who_suffers(void **state)
{
	(void)state;
	assert_true(number("vmtop_host_vms_suffering", 0) == 0);
	assert_true(number("vmtop_vm_cause_info", 0) < 0);
	assert_null(label("vmtop_vm_cause_info", 0, "cause"));
	vm_status.suffer.n = 1;
	vm_status.suffer.found[0].cause = CAUSE_QUOTA;
	assert_true(number("vmtop_host_vms_suffering", 0) == 1);
	assert_true(number("vmtop_vm_cause_info", 0) == 1);
	assert_string_equal(label("vmtop_vm_cause_info", 0, "cause"), cause_key(CAUSE_QUOTA));
	assert_string_equal(label("vmtop_vm_cause_info", 0, "alarm"), "throttled");
}

/* Alarms are words of a label: no capital, no blank. */
static void alarms_are_words(void **state)
{
	(void)state;
	vm_tally.alarm_ns[ALARM_SHORT] = 2000000000;
	assert_int_equal(series("vmtop_vm_alarm_seconds_total"), ALARM_COUNT);
	assert_string_equal(label("vmtop_vm_alarm_seconds_total", ALARM_SHORT, "alarm"), "short-of-memory");
	assert_true(number("vmtop_vm_alarm_seconds_total", ALARM_SHORT) == 2);
	assert_true(number("vmtop_vm_alarm_seconds_total", ALARM_HUNG) == 0);
}

/* A reason appears with its first change, or tick; each in its own place. */
static void reasons_appear_with_their_first(void **state)
{
	size_t n = (size_t)TALLY_KINDS * REASON_COUNT, at = ACTION_BALLOON * REASON_COUNT + REASON_UNDO;
	(void)state;
	t.reasons[ACTION_BALLOON][REASON_UNDO] = 4;
	t.rounds[1][REASON_HELD] = 7;
	assert_int_equal(series("vmtop_host_change_reasons_total"), n);
	for (size_t i = 0; i < n; i++)
		assert_true(number("vmtop_host_change_reasons_total", i) == (i == at ? 4 : -1));
	assert_string_equal(label("vmtop_host_change_reasons_total", at, "kind"), "balloon");
	assert_string_equal(label("vmtop_host_change_reasons_total", at, "reason"), reason_key(REASON_UNDO));
	n = (size_t)2 * REASON_COUNT;
	at = REASON_COUNT + REASON_HELD;
	for (size_t i = 0; i < n; i++)
		assert_true(number("vmtop_host_rounds_total", i) == (i == at ? 7 : -1));
	assert_string_equal(label("vmtop_host_rounds_total", at, "policy"), "memory");
	assert_string_equal(label("vmtop_host_rounds_total", REASON_HELD, "policy"), "cpu");
}

static void changes_of_a_guest(void **state)
{
	(void)state;
	vm_tally.changes[ACTION_PIN][OUTCOME_DONE] = 1;
	vm_tally.changes[ACTION_BALLOON][OUTCOME_DONE] = 2;
	vm_tally.changes[ACTION_PIN][OUTCOME_SKIPPED] = 4;
	vm_tally.changes[ACTION_SHARES][OUTCOME_SKIPPED] = 8;
	vm_tally.changes[ACTION_PERIOD][OUTCOME_FAILED] = 16;
	vm_tally.changes[ACTION_SHARES][OUTCOME_UNKNOWN] = 32;
	assert_true(number("vmtop_vm_pins_total", 0) == 1);
	assert_true(number("vmtop_vm_balloons_total", 0) == 2);
	assert_true(number("vmtop_vm_changes_refused_total", 0) == 12);
	assert_true(number("vmtop_vm_changes_failed_total", 0) == 48);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
	const struct CMUnitTest tests[] = {TEST(one_state_of_several), TEST(other_programs), TEST(the_host),
		TEST(who_runs), TEST(who_suffers), TEST(alarms_are_words),
		TEST(reasons_appear_with_their_first), TEST(changes_of_a_guest)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
