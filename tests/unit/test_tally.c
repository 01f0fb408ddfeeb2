/* SPDX-License-Identifier: MIT */
/* The tally: counters that only grow and largest values that nobody misses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "support/snap.h"
#include "vmtop/tally.h"

static struct fixture f;
static struct snap p;
static struct tally *t;

#define NEAR(is, want) assert_true(fabs((double)(is) - (double)(want)) < 1e-3)

static void see(void)
{
	p.s.seq++;
	p.s.sample = f.s;
	p.s.vcpu_rates = f.m.vcpus;
	p.s.vm_rates = f.m.vms;
	p.s.pcpu_rates = f.m.pcpus;
	assert_int_equal(tally_see(t, &p.s), 0);
}

static void step(double seconds)
{
	fx_advance(&f, seconds);
	see();
}

/* The other VM runs quietly; this one's vCPU 0 waits so much. */
static void wait_pct(double pct)
{
	fx_load(&f, 1, 0, 100 - pct, pct);
}

static double starved_s(void)
{
	return (double)t->vms[0].starved_ns.v / 1e9;
}

/* What a reader sees is there at the next minute, and at the one after it, and then no more. */
static void test_two_seconds_of_starving_are_seen_by_all_who_look_once_a_minute(void **state)
{
	(void)state;
	wait_pct(0);
	for (int i = 0; i < 10; i++)
		step(2);
	NEAR(starved_s(), 0);
	double before = (double)t->vms[0].wait_ns.v;
	wait_pct(90);
	step(2);
	wait_pct(0);
	for (int i = 0; i < 29; i++)
		step(2);
	for (int reader = 0; reader < 2; reader++) {
		NEAR(t->vms[0].wait.most.v, 90);
		NEAR(t->vcpus[0].wait_most.most.v, 90);
		NEAR(t->vcpus[1].wait_most.most.v, 0);
		NEAR(starved_s(), 2);
		NEAR(((double)t->vms[0].wait_ns.v - before) / 1e9, 1.8);
	}
	for (int i = 0; i < 30; i++)
		step(2);
	NEAR(t->vms[0].wait.most.v, 90);
	for (int i = 0; i < 5; i++)
		step(2);
	NEAR(t->vms[0].wait.most.v, 0);
	NEAR(starved_s(), 2);
}

/* What both of its vCPUs ran and waited: of the first samples nothing, for what they ran before is not of
 * now. */
static void test_the_most_that_a_vm_wanted(void **state)
{
	(void)state;
	f.s.vcpus[0].time_ns = vi64_ok(5000000000);
	tally_free(t);
	t = tally_new();
	see();
	assert_false(vf64_has(t->vms[0].wanted.most));
	fx_load(&f, 1, 0, 30, 10);
	fx_load(&f, 1, 1, 20, 0);
	step(2);
	NEAR(t->vms[0].wanted.most.v, 60);
	fx_load(&f, 1, 0, 50, 50);
	step(2);
	NEAR(t->vms[0].wanted.most.v, 120);
	fx_load(&f, 1, 0, 0, 0);
	step(2);
	NEAR(t->vms[0].wanted.most.v, 120);
	f.s.vcpus[1].delay_ns = vi64_absent(AVAIL_NONE);
	for (int i = 0; i < 70; i++)
		step(2);
	assert_false(vf64_has(t->vms[0].wanted.most)); /* one of them is not known: neither is the sum */
}

/* Two seconds that lie across three samples count as well. */
static void test_starving_across_samples_counts(void **state)
{
	(void)state;
	wait_pct(0);
	step(2);
	wait_pct(100);
	step(1);
	wait_pct(0);
	step(1);
	wait_pct(45);
	step(2);
	assert_true(starved_s() >= 2);
}

/* Guests that went between two samples are gone at once: nobody reads beyond those that are there. */
static void test_who_went_between_samples(void **state)
{
	(void)state;
	step(2);
	size_t vcpus = t->n_vcpus, pcpus = t->n_pcpus;
	assert_int_equal(t->n_vms, f.s.n_vms);
	f.s.host.n_pcpus--;
	see();
	assert_int_equal(t->n_pcpus, pcpus - 1);
	f.s.host.n_pcpus++;
	see();
	assert_int_equal(t->n_pcpus, pcpus);
	f.s.n_vcpus--;
	f.s.vms[f.s.n_vms - 1].n_vcpus--;
	see();
	assert_int_equal(t->n_vcpus, vcpus - 1);
	f.s.vms[f.s.n_vms - 1].n_vcpus++;
	f.s.n_vcpus++;
	see();
	f.s.n_vms--;
	see();
	assert_int_equal(t->n_vms, f.s.n_vms);
	f.s.n_vms++;
}

static void test_a_new_tally_knows_nothing(void **state)
{
	(void)state;
	struct tally *fresh = tally_new();
	assert_non_null(fresh);
	assert_false(vf64_has(fresh->step.most) || vf64_has(fresh->age.most));
	assert_false(vi64_has(fresh->busy_ns) || vi64_has(fresh->steal_ns));
	assert_int_equal(fresh->n_vms, 0);
	tally_free(fresh);
	tally_free(NULL);
}

static void test_counters_begin_with_the_guests_own(void **state)
{
	(void)state;
	f.s.vms[0].facts.exits = vi64_ok(1000);
	f.s.vcpus[0].time_ns = vi64_ok(5000000000);
	f.s.vcpus[1].time_ns = vi64_ok(1000000000);
	tally_free(t);
	t = tally_new();
	see();
	assert_int_equal(t->vms[0].count[COUNT_EXITS].total.v, 1000);
	assert_int_equal(t->vms[0].run_ns.v, 6000000000);
	assert_int_equal(t->vcpus[0].run.total.v, 5000000000);
	assert_false(vf64_has(t->vcpus[0].wait_most.most)); /* one sample has no rate */
}

static void feed_exits(struct vi64 exits)
{
	f.s.vms[0].facts.exits = exits;
	step(2);
}

static void test_a_counter_only_grows(void **state)
{
	(void)state;
	const struct vi64 *is = &t->vms[0].count[COUNT_EXITS].total;
	assert_false(vi64_has(*is));
	static const int64_t fed[][2] = {{1000, 1000}, {1500, 1500}, {1490, 1500}, {1495, 1500}, {1510, 1510},
		{-1, 1510}, {1520, 1520}, {20, 1540}, {0, 1540}, {7, 1547}};
	for (size_t i = 0; i < sizeof fed / sizeof *fed; i++) {
		feed_exits(fed[i][0] < 0 ? vi64_absent(AVAIL_HUNG) : vi64_ok(fed[i][0]));
		is = &t->vms[0].count[COUNT_EXITS].total;
		assert_int_equal(is->v, fed[i][1]);
	}
}

static void test_a_hostile_counter_does_not_overflow(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		f.s.vms[0].facts.throttled_ns = vi64_ok(i % 2 ? SAMPLE_NS_MOST : 0);
		step(2);
		assert_true(t->vms[0].count[COUNT_THROTTLED].total.v >= 0);
	}
}

static void test_unplugged_vcpus_stay_in_the_total(void **state)
{
	(void)state;
	wait_pct(0);
	fx_load(&f, 1, 1, 100, 0);
	for (int i = 0; i < 5; i++)
		step(2);
	int64_t before = t->vms[0].run_ns.v;
	assert_int_equal(t->vms[0].n_vcpus, 2);
	memmove(&f.s.vcpus[1], &f.s.vcpus[2], sizeof f.s.vcpus[0]);
	memmove(&f.load[1], &f.load[2], sizeof f.load[0]);
	f.s.vms[0].n_vcpus--;
	f.s.vms[1].first_vcpu--;
	f.s.n_vcpus--;
	step(2);
	assert_int_equal(t->vms[0].n_vcpus, 1);
	NEAR((double)(t->vms[0].run_ns.v - before) / 1e9, 2);
}

/* Another number of libvirt is another life: a counter begins anew, which is what a reader expects of one. */
static void test_a_restarted_vm_begins_anew(void **state)
{
	(void)state;
	f.s.vms[0].id = 7;
	wait_pct(50);
	for (int i = 0; i < 10; i++)
		step(2);
	assert_true(t->vms[0].run_ns.v > INT64_C(10000000000));
	assert_true(starved_s() > 10);
	f.s.vms[0].id = 8;
	f.s.time_ns += 1000000;
	for (int i = 0; i < 2; i++)
		f.s.vcpus[i].time_ns = f.s.vcpus[i].delay_ns = vi64_ok(1000);
	see();
	assert_int_equal(t->vms[0].run_ns.v, 2000);
	NEAR(starved_s(), 0);
}

static void test_vms_come_and_go(void **state)
{
	(void)state;
	step(2);
	int64_t second = t->vms[1].run_ns.v;
	fx_remove_vm(&f, 1);
	memcpy(&p.vm_status[0], &p.vm_status[1], sizeof p.vm_status[0]);
	step(2);
	assert_int_equal(t->n_vms, 1);
	assert_true(t->vms[0].run_ns.v > second);
	fx_remove_vm(&f, 2);
	step(2);
	assert_int_equal(t->n_vms, 0);
	assert_int_equal(t->n_vcpus, 0);
}

static void test_hung_and_alarms(void **state)
{
	(void)state;
	step(2);
	f.s.vms[1].hung_since_ns = f.s.time_ns;
	p.vm_status[1].suffer =
		(struct suffering){.score_pct = 100, .n = 1, .found = {{.cause = CAUSE_HUNG}}};
	for (int i = 0; i < 5; i++)
		step(2);
	f.s.vms[1].hung_since_ns = 0;
	p.vm_status[1].suffer = (struct suffering){.got_pct = vf64_ok(100)};
	step(2);
	NEAR(t->vms[1].hung_s.v, 0);
	NEAR(t->vms[1].hung.most.v, 10);
	NEAR((double)t->vms[1].hung_ns.v / 1e9, 10);
	NEAR((double)t->vms[1].alarm_ns[ALARM_HUNG] / 1e9, 10);
	NEAR((double)t->vms[1].alarm_ns[ALARM_STARVING] / 1e9, 0);
	NEAR(t->vms[1].score.most.v, 100);
	NEAR(t->vms[1].score_pct.v, 0);
}

/* A snapshot that comes twice is one step, and its actions are counted once. */
static void test_changes_are_counted_once(void **state)
{
	(void)state;
	int64_t pins = t->changes[ACTION_PIN][OUTCOME_DONE];
	assert_int_equal(pins, 1);
	assert_int_equal(tally_see(t, &p.s), 0);
	assert_int_equal(t->changes[ACTION_PIN][OUTCOME_DONE], pins);
	step(2);
	assert_int_equal(t->changes[ACTION_PIN][OUTCOME_DONE], pins + 1);
	assert_int_equal(t->changes[ACTION_BALLOON][OUTCOME_FAILED], pins + 1);
	assert_int_equal(t->vms[0].changes[ACTION_PIN][OUTCOME_DONE], pins + 1);
	assert_int_equal(t->vms[1].changes[ACTION_BALLOON][OUTCOME_FAILED], pins + 1);
	assert_int_equal(t->reasons[ACTION_PIN][REASON_GREEDY], pins + 1);
	assert_int_equal(t->rounds[0][REASON_MANUAL], pins + 1);
}

static void test_a_short_crisis_of_the_host_is_counted(void **state)
{
	(void)state;
	p.s.memory.state = HOST_MEM_HARD;
	step(2);
	p.s.memory.state = HOST_MEM_OK;
	step(2);
	NEAR((double)t->memory_ns[HOST_MEM_HARD] / 1e9, 2);
	NEAR((double)t->memory_ns[HOST_MEM_OK] / 1e9, 2);
}

/* A gap of an hour is not an hour of what is seen at its end. */
static void test_a_gap_is_no_evidence(void **state)
{
	(void)state;
	wait_pct(50);
	step(3600);
	assert_true(starved_s() <= 60);
	NEAR(t->age.most.v, 3600);
}

static void test_a_recording_may_go_back(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		step(2);
	struct sample *s = &f.s;
	s->time_ns -= INT64_C(8000000000);
	for (size_t i = 0; i < s->n_vcpus; i++)
		s->vcpus[i].time_ns = s->vcpus[i].delay_ns = vi64_ok(5);
	see();
	assert_int_equal(t->vms[0].run_ns.v, 10);
	assert_false(vf64_has(t->vcpus[0].wait_most.most));
}

static void test_a_copy_is_whole(void **state)
{
	(void)state;
	struct tally *c = tally_copy(t);
	assert_non_null(c);
	assert_int_equal(c->n_vms, t->n_vms);
	assert_memory_equal(c->vms, t->vms, t->n_vms * sizeof *t->vms);
	assert_memory_equal(c->vcpus, t->vcpus, t->n_vcpus * sizeof *t->vcpus);
	assert_ptr_not_equal(c->vms, t->vms);
	tally_free(c);
}

static int setup(void **state)
{
	(void)state;
	snap_init(&p, &f);
	t = tally_new();
	see();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tally_free(t);
	snap_done(&p, &f);
	return 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_two_seconds_of_starving_are_seen_by_all_who_look_once_a_minute),
		cmocka_unit_test(test_a_new_tally_knows_nothing),
		TEST(test_who_went_between_samples),
		TEST(test_the_most_that_a_vm_wanted),
		TEST(test_starving_across_samples_counts),
		TEST(test_counters_begin_with_the_guests_own),
		TEST(test_a_counter_only_grows),
		TEST(test_a_hostile_counter_does_not_overflow),
		TEST(test_unplugged_vcpus_stay_in_the_total),
		TEST(test_a_restarted_vm_begins_anew),
		TEST(test_vms_come_and_go),
		TEST(test_hung_and_alarms),
		TEST(test_changes_are_counted_once),
		TEST(test_a_short_crisis_of_the_host_is_counted),
		TEST(test_a_gap_is_no_evidence),
		TEST(test_a_recording_may_go_back),
		TEST(test_a_copy_is_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
