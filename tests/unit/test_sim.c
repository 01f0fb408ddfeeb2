/* SPDX-License-Identifier: MIT */
/* The simulated host tells the truth: shares and waits as on hardware, memory that moves when balloons move.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "../../src/backend/sim/sim.h"

static struct backend *open_text(const char *text)
{
	struct err e = ERR_INIT;
	struct scenario *s = scenario_parse("t", text, strlen(text), &e);
	if (!s)
		fail_msg("%s", e.msg);
	struct backend *b = backend_sim_new(s, true, &e);
	assert_non_null(b);
	return b;
}

static void advance(struct backend *b, double s)
{
	assert_int_equal(b->ops->wait(b, b->ops->now(b) + (int64_t)(s * 1e9), -1), WAKE_TIMER);
}

static void take(struct backend *b, struct sample *to)
{
	struct err e = ERR_INIT;
	if (b->ops->sample(b, SAMPLE_BALLOON, to, &e) < 0)
		fail_msg("%s", e.msg);
}

static const struct vm_sample *named(const struct sample *s, const char *name)
{
	for (size_t i = 0; i < s->n_vms; i++)
		if (strcmp(s->vms[i].name, name) == 0)
			return &s->vms[i];
	return NULL;
}

/* Usage and wait of vCPU 0 of a VM in percent over the next `s` seconds. */
static void measure(struct backend *b, const char *vm, double s, double *t, double *w)
{
	struct sample a, z;
	sample_init(&a);
	sample_init(&z);
	take(b, &a);
	advance(b, s);
	take(b, &z);
	assert_non_null(named(&a, vm));
	assert_non_null(named(&z, vm));
	const struct vcpu_sample *from = &a.vcpus[named(&a, vm)->first_vcpu],
				 *to = &z.vcpus[named(&z, vm)->first_vcpu];
	*t = (double)(to->time_ns.v - from->time_ns.v) / s / 1e7;
	*w = (double)(to->delay_ns.v - from->delay_ns.v) / s / 1e7;
	sample_done(&a);
	sample_done(&z);
}

#define near(a, b, tolerance)                                                                                \
	do {                                                                                                 \
		double a_ = (a), b_ = (b);                                                                   \
		if (fabs(a_ - b_) > (tolerance))                                                             \
			fail_msg("%s is %.4f, expected %.4f", #a, a_, b_);                                   \
	} while (0)

static void test_share_two(void **state)
{
	(void)state;
	double duty[2] = {.43, .43}, run[2], wait[2];
	share_closed(duty, run, wait, 2);
	near(wait[0], .156, .001);
	near(run[0] / (1 - wait[0]), .43, 1e-9);
	near(run[0], run[1], 1e-12);
}

static void test_share_conserves_work(void **state)
{
	(void)state;
	double duty[5] = {1, .5, .2, .9, 0}, run[5], wait[5], sum = 0;
	share_closed(duty, run, wait, 5);
	for (int i = 0; i < 5; i++) {
		sum += run[i];
		near(run[i] / (1 - wait[i]), duty[i], 1e-9);
	}
	near(sum, 1, 1e-9);
	near(run[4] + wait[4], 0, 1e-12);
}

static void test_share_many(void **state)
{
	(void)state;
	enum { N = 200 };
	double duty[N], run[N], scratch[3 * N + 3];
	for (int i = 0; i < N; i++)
		duty[i] = 1;
	share_pool(duty, run, N, 1, scratch);
	near(run[0], 1. / N, 1e-6);
	for (int i = 0; i < N; i++)
		duty[i] = .001;
	share_pool(duty, run, N, 1, scratch);
	assert_true(run[7] < .001 && run[7] > .0009);
	for (int i = 0; i < N; i++)
		duty[i] = .02; /* four times what there is: most of them wait */
	share_pool(duty, run, N, 1, scratch);
	near(run[7], 1. / N, 1e-6);
}

static void test_closed_loop(void **state)
{
	(void)state;
	struct backend *b = open_text("host\n pcpus 2\nvm a x3\n load 60%\n pin 0\n");
	double t, w;
	measure(b, "a-1", 4, &t, &w);
	near(100 * t / (100 - w), 60, .01);
	assert_true(w > 30 && t < 34);
	b->ops->close(b);
}

static void test_open_loop(void **state)
{
	(void)state;
	struct backend *b = open_text("host\n pcpus 2\nvm a x2\n load 40% open\n pin 0\n");
	double t, w;
	measure(b, "a-1", 4, &t, &w);
	near(t, 40, .1); /* what it wants, though it waits */
	assert_true(w > 10);
	b->ops->close(b);
}

static void test_open_backlog(void **state)
{
	(void)state;
	/* for 4 s it wants 80 % and gets half; the backlog of 1.2 s is run when the other one sleeps */
	struct backend *b = open_text(
		"host\n pcpus 1\nvm a\n load steps 0s:80% 4s:10% open\nvm hog\n load steps 0s:100% 4s:0%\n");
	double t, w;
	measure(b, "a", 4, &t, &w);
	near(t, 50, 2);
	near(w, 50, 2);
	measure(b, "a", 1, &t, &w);
	near(t, 100, 1);
	measure(b, "a", 8, &t, &w);
	measure(b, "a", 4, &t, &w);
	near(t, 10, .1);
	b->ops->close(b);
}

static void test_background(void **state)
{
	(void)state;
	struct backend *b = open_text("host\n pcpus 2\n background 0 30%\nvm a\n load 100%\n pin 0\n");
	double t, w;
	struct sample s;
	measure(b, "a", 4, &t, &w);
	near(t, 70, .2);
	near(w, 30, .2);
	sample_init(&s);
	take(b, &s);
	near((double)s.host.pcpus[0].busy_ns.v / 4e7, 100, .1);
	near((double)s.host.pcpus[1].busy_ns.v / 4e7, 0, .1);
	sample_done(&s);
	b->ops->close(b);
}

static void test_quota(void **state)
{
	(void)state;
	struct backend *b = open_text("vm a\n load 100%\n quota 40%\n pin 0\n");
	double t, w;
	measure(b, "a", 2, &t, &w);
	near(t, 40, .01);
	near(w, 60, .01);
	b->ops->close(b);
}

static void test_kernel_spreads(void **state)
{
	(void)state;
	struct backend *b = open_text("host\n pcpus 4\nvm a x4\n load 100%\n place 0\n");
	struct sim_report r;
	advance(b, 5);
	assert_int_equal(sim_report_get(b, &r), 0);
	near(r.stddev_pct, 0, .01);
	b->ops->close(b);
}

static void pin_action(struct backend *b, const char *vm, const char *cpus, struct action *a)
{
	struct sample s;
	sample_init(&s);
	take(b, &s);
	*a = (struct action){.kind = ACTION_PIN, .vcpu = 0};
	memcpy(a->uuid, named(&s, vm)->uuid, UUID_BYTES);
	assert_int_equal(cpuset_parse(&a->to, cpus, NULL), 0);
	b->ops->apply(b, a, 1);
	sample_done(&s);
}

static void test_pin(void **state)
{
	(void)state;
	struct backend *b =
		open_text("host\n pcpus 4\n offline 3\nvm a\n load 50%\nfail pin 4\nfail apply 5 unknown\n");
	struct action a;
	struct sample s;
	pin_action(b, "a", "2", &a);
	assert_int_equal(a.outcome, OUTCOME_DONE);
	pin_action(b, "a", "2", &a);
	assert_int_equal(a.outcome, OUTCOME_SKIPPED);
	pin_action(b, "a", "3", &a);
	assert_int_equal(a.outcome, OUTCOME_FAILED);
	assert_string_equal(a.error, "none of these pCPUs is online");
	pin_action(b, "a", "1", &a);
	assert_int_equal(a.outcome, OUTCOME_FAILED);
	pin_action(b, "a", "0", &a);
	assert_int_equal(a.outcome, OUTCOME_UNKNOWN);
	sample_init(&s);
	take(b, &s);
	assert_int_equal(s.vcpus[0].pcpu.v, 0); /* the answer was lost, the pin was not */
	assert_true(s.vcpus[0].pinned);
	assert_false(s.host.pcpus[3].online);
	assert_int_equal(s.host.pcpus[3].busy_ns.avail, AVAIL_OFFLINE);
	sample_done(&s);
	b->ops->close(b);
}

/* The same run seen every 0.3 s and every 5 s ends in the same state. */
static void test_interval_independent(void **state)
{
	(void)state;
	const char *text = "seed 3\nhost\n pcpus 4\nvm a x6\n load bursts 90% 5% every 9s for 3s noise 10%\n "
			   "memory 512M max 2G\n"
			   " eat 20M/s to 400M every 30s\nvm o x2\n load wave 80% 20% every 20s open\n";
	struct backend *x = open_text(text), *y = open_text(text);
	struct sample a, z;
	sample_init(&a);
	sample_init(&z);
	for (int i = 0; i < 200; i++)
		advance(x, .3);
	for (int i = 0; i < 12; i++)
		advance(y, 5);
	take(x, &a);
	take(y, &z);
	assert_int_equal(a.time_ns, z.time_ns);
	for (size_t i = 0; i < a.n_vcpus; i++) {
		assert_int_equal(a.vcpus[i].pcpu.v, z.vcpus[i].pcpu.v);
		assert_true(llabs(a.vcpus[i].time_ns.v - z.vcpus[i].time_ns.v) < 1000);
		assert_true(llabs(a.vcpus[i].delay_ns.v - z.vcpus[i].delay_ns.v) < 1000);
	}
	sample_done(&a);
	sample_done(&z);
	x->ops->close(x);
	y->ops->close(y);
}

static int64_t act(struct backend *b, enum action_kind kind, const char *vm, int64_t v, enum outcome want)
{
	struct sample s;
	sample_init(&s);
	take(b, &s);
	struct action a = {.kind = kind, .to_kib = v * 1024, .to_s = (int)v, .vcpu = -1};
	memcpy(a.uuid, named(&s, vm)->uuid, UUID_BYTES);
	b->ops->apply(b, &a, 1);
	assert_int_equal(a.outcome, want);
	int64_t available = s.host.available_kib.v / 1024;
	sample_done(&s);
	return available;
}

static struct vm_memory memory_of(struct backend *b, const char *vm)
{
	struct sample s;
	sample_init(&s);
	take(b, &s);
	struct vm_memory m = named(&s, vm)->mem;
	sample_done(&s);
	return m;
}

static void test_statistics_period(void **state)
{
	(void)state;
	struct backend *b =
		open_text("vm a\n memory 512M max 1G\n base 200M\n cache 100M\nvm mute\n stats never\n");
	assert_int_equal(memory_of(b, "a").usable_kib.avail, AVAIL_NO_PERIOD);
	act(b, ACTION_PERIOD, "a", 2, OUTCOME_DONE);
	act(b, ACTION_PERIOD, "mute", 2, OUTCOME_DONE);
	assert_int_equal(memory_of(b, "a").usable_kib.avail, AVAIL_FIRST);
	assert_int_equal(memory_of(b, "mute").usable_kib.avail, AVAIL_NO_DRIVER);
	advance(b, 2);
	struct vm_memory m = memory_of(b, "a");
	assert_int_equal(m.usable_kib.avail, AVAIL_FIRST); /* the first report is all zero */
	assert_int_equal(m.available_kib.avail, AVAIL_FIRST);
	assert_int_equal(m.last_update_ns.avail, AVAIL_FIRST);
	advance(b, 3);
	m = memory_of(b, "a");
	assert_int_equal(m.usable_kib.v, 312 * 1024);
	assert_int_equal(m.unused_kib.v, 212 * 1024);
	assert_int_equal(m.last_update_ns.v - SIM_WALL_NS, 4000000000);
	b->ops->close(b);
}

static void test_balloon_follows(void **state)
{
	(void)state;
	struct backend *b =
		open_text("host\n memory 8G\nvm a\n memory 1G max 2G\n base 200M\n balloon speed 100M/s\n"
			  "vm stuck\n memory 1G max 2G\n balloon stuck 900M\nvm no\n balloon refuses\nvm "
			  "none\n balloon no-device\n"
			  "vm dumb\n memory 1G max 2G\n balloon no-driver\n");
	int64_t before = act(b, ACTION_BALLOON, "a", 500, OUTCOME_DONE);
	assert_int_equal(
		act(b, ACTION_BALLOON, "stuck", 500, OUTCOME_DONE), before); /* nothing is back yet */
	act(b, ACTION_BALLOON, "no", 400, OUTCOME_FAILED);
	act(b, ACTION_BALLOON, "none", 400, OUTCOME_FAILED);
	act(b, ACTION_BALLOON, "dumb", 500, OUTCOME_DONE);
	advance(b, 2);
	assert_int_equal(memory_of(b, "a").balloon_kib.v / 1024, 824);
	advance(b, 8);
	assert_int_equal(memory_of(b, "a").balloon_kib.v / 1024, 500);
	assert_int_equal(memory_of(b, "stuck").balloon_kib.v / 1024, 900);
	assert_int_equal(memory_of(b, "dumb").balloon_kib.v / 1024, 1024);
	assert_int_equal(act(b, ACTION_BALLOON, "a", 600, OUTCOME_DONE), before + 524 + 124);
	b->ops->close(b);
}

static void test_out_of_memory(void **state)
{
	(void)state;
	struct backend *b = open_text(
		"vm a\n memory 512M max 1G\n base 200M\n eat 50M/s to 900M\nvm swaps\n memory 512M max 1G\n"
		" base 200M\n stats 2\n swap 1G\n eat 50M/s to 900M hold 60s\n");
	struct sim_report r;
	advance(b, 20);
	sim_report_get(b, &r);
	assert_int_equal(r.oom_kills, 1);
	assert_true(memory_of(b, "swaps").swap_in_kib.v > 100 * 1024);
	assert_true(r.starved_guest_s > 5);
	b->ops->close(b);
}

/* Two guests of 3 GiB on a host of 4: what they have and do not use goes out first, and hurts nobody; what
 * they grow into has to come back, at the speed of the swap device. */
static void a_host_that_is_too_small_swaps(void **state)
{
	(void)state;
	struct backend *b =
		open_text("host\n memory 4G\n used 512M\nvm a x2\n memory 3G\n base 1G\n stats 2\n"
			  "at 30s eat a-1 200M/s to 2800M hold 1min\n");
	struct sim_report r;
	struct sample s;
	sample_init(&s);
	advance(b, 29);
	sim_report_get(b, &r);
	assert_true(r.starved_guest_s < 0.01);
	take(b, &s);
	assert_int_equal(s.host.available_kib.v, 0);
	assert_true(s.host.psi_some_avg10.v < 1);
	advance(b, 11);
	sim_report_get(b, &r);
	assert_true(r.starved_guest_s > 5);
	take(b, &s);
	assert_true(s.host.psi_some_avg10.v > 20);
	assert_int_equal(r.oom_kills, 0);
	assert_true(named(&s, "a-1")->mem.usable_kib.v > 200 * 1024); /* it does not get there in 10 s */
	sample_done(&s);
	b->ops->close(b);
}

static void without_swap_the_largest_is_killed_and_comes_back(void **state)
{
	(void)state;
	struct backend *b =
		open_text("host\n memory 4G\n used 512M\n swap 256M\nvm small\n memory 1G\n base 500M\n"
			  "vm large\n memory 2G\n base 500M\nat 10s used 1300M\n");
	struct sim_report r;
	struct sample s;
	sample_init(&s);
	advance(b, 9);
	sim_report_get(b, &r);
	assert_int_equal(r.oom_kills, 0);
	advance(b, 11);
	sim_report_get(b, &r);
	assert_int_equal(r.oom_kills, 1);
	take(b, &s);
	assert_null(named(&s, "large"));
	assert_non_null(named(&s, "small"));
	advance(b, 60);
	take(b, &s);
	assert_non_null(named(&s, "large"));
	sim_report_get(b, &r);
	assert_int_equal(r.oom_kills, 1); /* what it has not touched yet takes no memory */
	assert_true(r.starved_guest_s > 55);
	sample_done(&s);
	b->ops->close(b);
}

/* Bound to a node that cannot hold them, beside an empty one. */
static void bound_guests_must_fit_on_their_node(void **state)
{
	(void)state;
	for (int strict = 0; strict < 2; strict++) {
		char text[300];
		snprintf(text, sizeof text,
			"host\n pcpus 4\n nodes 2\n memory 8G\n used 512M\n swap 1G\nvm a x4\n memory 1536M\n"
			" base 500M\n node 0%s\n",
			strict ? " strict" : "");
		struct backend *b = open_text(text);
		struct sim_report r;
		advance(b, 5);
		sim_report_get(b, &r);
		assert_int_equal(r.oom_kills, strict);
		b->ops->close(b);
	}
}

static long sleeps(void)
{
	struct rusage u;
	getrusage(RUSAGE_THREAD, &u);
	return u.ru_nvcsw;
}

/* A change is told once, in either kind of time: else whoever waits on would spin. Real time is slept through
 * from one change to the next, not looked at ten times a second. */
static void test_event_once(void **state)
{
	(void)state;
	static const char text[] = "events\nvm a\n load 50%\nvm late\n start 1s\n load 10%\n";
	for (int virtual_time = 0; virtual_time < 2; virtual_time++) {
		struct err e = ERR_INIT;
		struct backend *b =
			backend_sim_new(scenario_parse("t", text, strlen(text), &e), virtual_time, &e);
		assert_non_null(b);
		int64_t begin = b->ops->now(b), until = begin + 1300000000;
		long slept = sleeps();
		assert_int_equal(b->ops->wait(b, until, -1), WAKE_EVENT);
		assert_int_equal(b->ops->wait(b, until, -1), WAKE_TIMER);
		assert_true(b->ops->now(b) >= until);
		assert_in_range(sleeps() - slept, 0, 7);
		b->ops->close(b);
	}
}

/* Nothing that an event would tell of comes before it is due. */
static void test_changes_are_foreseen(void **state)
{
	(void)state;
	static const char *const names[] = {"churn", "demo"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct err e = ERR_INIT;
		struct backend *b = backend_sim_new(scenario_open(names[i], &e), true, &e);
		struct sim *s = (struct sim *)(void *)b;
		int changes = 0, quiet = 0;
		while (s->t_ns < INT64_C(200000000000)) {
			int64_t next = sim_next_change(s);
			assert_true(next > s->t_ns && next % SIM_GRID_NS == 0);
			s->changed = false;
			sim_advance(s, s->t_ns + SIM_GRID_NS / 3);
			if (s->changed)
				assert_true(next <= s->t_ns);
			changes += s->changed;
			quiet += next > s->t_ns;
		}
		assert_in_range(changes, 3, 1000);
		assert_in_range(quiet, 5000, 6000);
		b->ops->close(b);
	}
}

static void test_lives(void **state)
{
	(void)state;
	struct backend *b = open_text(
		"events\nvm a\n load 50%\n stop 20s\nvm late\n start 3s\n load 10%\nvm g\n load 5%\n"
		"at 5s pause a\nat 8s resume a\nat 10s hang g\nat 12s migrate late takes 2s\n");
	struct sample s;
	sample_init(&s);
	int64_t begin = b->ops->now(b);
	assert_int_equal(b->ops->wait(b, begin + 4000000000, -1), WAKE_EVENT);
	assert_int_equal(b->ops->now(b) - begin, 3000000000);
	take(b, &s);
	assert_non_null(named(&s, "late"));
	b->ops->wait(b, begin + 6000000000, -1);
	take(b, &s);
	assert_int_equal(named(&s, "a")->state, VM_PAUSED);
	b->ops->wait(b, begin + 8000000000, -1);
	take(b, &s);
	advance(b, 4.5);
	take(b, &s);
	assert_true(named(&s, "g")->hung_since_ns > 0);
	assert_int_equal(s.vcpus[named(&s, "g")->first_vcpu].time_ns.avail, AVAIL_HUNG);
	assert_true(named(&s, "late")->flags & VM_FLAG_JOB);
	b->ops->wait(b, begin + 15000000000, -1);
	take(b, &s);
	assert_null(named(&s, "late"));
	sample_done(&s);
	b->ops->close(b);
}

static void test_foreign_pin(void **state)
{
	(void)state;
	struct backend *b = open_text("vm a\n load 50%\nat 2s pin a 3\n");
	struct sample s;
	sample_init(&s);
	take(b, &s);
	assert_false(vi64_has(s.vcpus[0].foreign_pin_ns));
	advance(b, 3);
	take(b, &s);
	assert_int_equal(s.vcpus[0].foreign_pin_ns.v, SIM_EPOCH_NS + 2000000000);
	assert_int_equal(s.vcpus[0].pcpu.v, 3);
	sample_done(&s);
	b->ops->close(b);
}

static void test_end(void **state)
{
	(void)state;
	struct backend *b = open_text("end 5s\nvm a\n");
	advance(b, 4);
	assert_int_equal(b->ops->wait(b, b->ops->now(b) + 4000000000, -1), WAKE_END);
	b->ops->close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_share_two),
		cmocka_unit_test(test_share_conserves_work),
		cmocka_unit_test(test_share_many),
		cmocka_unit_test(test_closed_loop),
		cmocka_unit_test(test_open_loop),
		cmocka_unit_test(test_open_backlog),
		cmocka_unit_test(test_background),
		cmocka_unit_test(test_quota),
		cmocka_unit_test(test_kernel_spreads),
		cmocka_unit_test(test_pin),
		cmocka_unit_test(test_interval_independent),
		cmocka_unit_test(test_statistics_period),
		cmocka_unit_test(test_balloon_follows),
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(a_host_that_is_too_small_swaps),
		cmocka_unit_test(without_swap_the_largest_is_killed_and_comes_back),
		cmocka_unit_test(bound_guests_must_fit_on_their_node),
		cmocka_unit_test(test_event_once),
		cmocka_unit_test(test_changes_are_foreseen),
		cmocka_unit_test(test_lives),
		cmocka_unit_test(test_foreign_pin),
		cmocka_unit_test(test_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
