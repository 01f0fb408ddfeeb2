/* SPDX-License-Identifier: MIT */
/* What would cure a VM, as commands that somebody may copy: they name the VM and a pCPU that has room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "support/fixture.h"
#include "vmtop/suffer.h"

static struct fixture f;
static char said[400];

static int setup(void **state)
{
	(void)state;
	fx_init(&f, &(struct fx_host){.pcpus = 4});
	fx_vm(&f, 1, 1);
	fx_start(&f);
	fx_advance(&f, 2);
	for (size_t i = 0; i < 4; i++)
		f.m.pcpus[i].busy_pct = vf64_ok(90);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fx_done(&f);
	return 0;
}

static const char *cure(enum cause c, int pcpu)
{
	struct suffer_look look = {&f.s, f.m.vcpus, f.m.vms, f.m.pcpus};
	struct finding x = {.cause = c, .weight_pct = 50, .pcpu = pcpu, .other = -1};
	suffer_cure(&look, 0, &x, said, sizeof said);
	return said;
}

static bool names(const char *name)
{
	snprintf(f.s.vms[0].name, sizeof f.s.vms[0].name, "%s", name);
	char command[200];
	snprintf(command, sizeof command, "virsh vcpupin %s VCPU LIST", name);
	return strstr(cure(CAUSE_PINS, 0), command) != NULL;
}

static void a_command_names_the_vm_by_a_word_or_its_uuid(void **state)
{
	(void)state;
	static const char *const plain[] = {"a", "z", "A", "Z", "0", "9", "aZ0-._+", "Web-9.LAN"};
	static const char *const odd[] = {"a b", "a;b", "$(x)", "`x`", "a'b", "a\"b", "a\nb", "-x", "", "a|b",
		"a&b", "a/b", "a:b", "a@b", "a[b", "a`b", "a{b", "\303\244"};
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (!names(plain[i]))
			fail_msg("%s: %s", plain[i], said);
	char uuid[UUID_TEXT];
	uuid_format(f.s.vms[0].uuid, uuid);
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		if (names(odd[i]) && odd[i][0])
			fail_msg("%s: %s", odd[i], said);
		assert_non_null(strstr(said, uuid));
	}
}

static bool leads_to(int cpu)
{
	char command[100];
	snprintf(f.s.vms[0].name, sizeof f.s.vms[0].name, "a");
	snprintf(command, sizeof command, "virsh emulatorpin a %d --live", cpu);
	return strstr(cure(CAUSE_EMULATOR, 0), command) != NULL;
}

/* Among pCPUs that idle the one that idles most, and none that is its own, offline, isolated or not known. */
static void other_threads_are_led_to_an_idle_pcpu(void **state)
{
	(void)state;
	assert_false(leads_to(1) || leads_to(2) || leads_to(3));
	f.m.pcpus[0].busy_pct = vf64_ok(1);
	assert_non_null(strstr(cure(CAUSE_EMULATOR, 0), "LIST")); /* where it is already */
	f.m.pcpus[1].busy_pct = vf64_ok(30);
	f.m.pcpus[2].busy_pct = vf64_ok(10);
	assert_true(leads_to(2));
	f.s.host.pcpus[2].isolated = true;
	assert_true(leads_to(1));
	f.s.host.pcpus[2].isolated = false;
	f.s.host.pcpus[2].online = false;
	assert_true(leads_to(1));
	f.s.host.pcpus[2].online = true;
	f.m.pcpus[2].busy_pct = vf64_absent(AVAIL_REMOTE);
	assert_true(leads_to(1));
	f.m.pcpus[1].busy_pct = vf64_ok(41);
	assert_non_null(strstr(cure(CAUSE_EMULATOR, 0), "LIST"));
}

/* The score after a sample at this load. */
static double score(struct suffer *x, double ran_pct, double waited_pct)
{
	fx_load(&f, 1, 0, ran_pct, waited_pct);
	fx_advance(&f, 2);
	struct suffer_look look = {&f.s, f.m.vcpus, f.m.vms, f.m.pcpus};
	const struct suffering *now = suffer_update(x, &look, f.m.n_vm_slots);
	assert_non_null(now);
	return now[0].n ? now[0].score_pct : 0;
}

/* Seen twice it is named; then it goes half of the way with each sample, so that it does not flicker. */
static void a_score_goes_half_of_the_way(void **state)
{
	(void)state;
	struct suffer *x = suffer_new();
	assert_non_null(x);
	assert_float_equal(score(x, 50, 50), 0, 0);
	double high = score(x, 50, 50);
	for (int i = 0; i < 10; i++)
		high = score(x, 50, 50);
	assert_true(high > 40);
	double first = score(x, 65, 35), second = score(x, 65, 35), low = second;
	for (int i = 0; i < 20; i++)
		low = score(x, 65, 35);
	assert_true(low > 20 && low < high);
	assert_float_equal(first, (high + low) / 2, 1);
	assert_float_equal(second, (first + low) / 2, 1);
	suffer_free(x);
}

/* The cause of the first VM, which waits for half of a pCPU, after two samples beside one with twice its
 * weight. */
static enum cause named_beside(double other_pct)
{
	struct suffer *x = suffer_new();
	const struct suffering *now = NULL;
	assert_non_null(x);
	for (int i = 0; i < 3; i++) {
		fx_load(&f, 1, 0, 50, 50);
		fx_load(&f, 2, 0, other_pct, 0);
		fx_advance(&f, 2);
		f.s.vms[0].facts.weight = vi64_ok(100);
		f.s.vms[1].facts.weight = vi64_ok(200);
		struct suffer_look look = {&f.s, f.m.vcpus, f.m.vms, f.m.pcpus};
		now = suffer_update(x, &look, f.m.n_vm_slots);
	}
	assert_true(now && now[0].n > 0);
	enum cause c = now[0].found[0].cause;
	suffer_free(x);
	return c;
}

/* Shares are to blame where somebody uses what they give; a neighbour that rests takes nothing. */
static void who_rests_takes_nothing_by_its_shares(void **state)
{
	(void)state;
	fx_vm(&f, 2, 1);
	fx_runs_on(&f, 1, 0, 0);
	fx_runs_on(&f, 2, 0, 0);
	assert_int_equal(named_beside(50), CAUSE_SHARES);
	assert_int_equal(named_beside(2), CAUSE_WAIT);
}

/* The kernel counts what a quota held back: that is no waiting for a pCPU, even before the quota itself is
 * known. */
static void what_was_throttled_is_the_quota(void **state)
{
	struct suffer *x = suffer_new();
	const struct suffering *now = NULL;
	(void)state;
	assert_non_null(x);
	for (int i = 0; i < 4; i++) {
		fx_load(&f, 1, 0, 40, 60);
		f.s.vms[0].facts.throttled_ns = vi64_ok(INT64_C(1100000000) * i); /* 55 % of two seconds */
		fx_advance(&f, 2);
		struct suffer_look look = {&f.s, f.m.vcpus, f.m.vms, f.m.pcpus};
		now = suffer_update(x, &look, f.m.n_vm_slots);
	}
	assert_true(now && now[0].n == 1);
	assert_int_equal(now[0].found[0].cause, CAUSE_QUOTA);
	assert_float_equal(now[0].found[0].num[0], 60, 1);
	suffer_free(x);
}

/* Whoever uses more of the pCPU is named: the VM beside it, or what the host itself runs. */
static void the_heavier_neighbour_is_named(void **state)
{
	struct suffer_look look = {&f.s, f.m.vcpus, f.m.vms, f.m.pcpus};
	struct finding x = {.cause = CAUSE_WAIT, .weight_pct = 50, .num = {50, 50, 8}, .pcpu = 1, .other = 0};
	(void)state;
	snprintf(f.s.vms[0].name, sizeof f.s.vms[0].name, "web");
	f.m.pcpus[1].background_pct = vf64_ok(3);
	suffer_evidence(&look, 0, &x, said, sizeof said);
	assert_non_null(strstr(said, "on pCPU 1 web runs 8 %"));
	f.m.pcpus[1].background_pct = vf64_ok(46);
	suffer_evidence(&look, 0, &x, said, sizeof said);
	assert_non_null(strstr(said, "on pCPU 1 programs of the host run 46 %"));
	suffer_cure(&look, 0, &x, said, sizeof said);
	assert_non_null(strstr(said, "top on the host names them"));
	f.m.pcpus[1].background_pct = vf64_ok(3);
	suffer_cure(&look, 0, &x, said, sizeof said);
	assert_non_null(strstr(said, "less for the neighbours"));
	x.other = -1;
	f.m.pcpus[1].background_pct = vf64_absent(AVAIL_REMOTE);
	suffer_evidence(&look, 0, &x, said, sizeof said);
	assert_non_null(strstr(said, "on pCPU 1 it is with programs of the host"));
}

/* Fixed numbers of the last sample as findings are made of them. */
static const struct suffering *judged(struct suffer *x, int samples)
{
	const struct suffering *now = NULL;
	for (int i = 0; i < samples; i++) {
		fx_advance(&f, 2);
		struct suffer_look look = {&f.s, f.m.vcpus, f.m.vms, f.m.pcpus};
		now = suffer_update(x, &look, f.m.n_vm_slots);
	}
	assert_non_null(now);
	return now;
}

/* What is over is named once more, so that it does not flicker, and then no more. */
static void what_is_over_is_forgotten(void **state)
{
	struct suffer *x = suffer_new();
	(void)state;
	assert_non_null(x);
	fx_load(&f, 1, 0, 50, 50);
	judged(x, 1);
	int64_t since_ns = f.s.time_ns;
	assert_int_equal(judged(x, 2)[0].n, 1);
	assert_int_equal(judged(x, 1)[0].found[0].since_ns, since_ns);
	fx_load(&f, 1, 0, 50, 0);
	assert_int_equal(judged(x, 1)[0].n, 1);
	fx_load(&f, 1, 0, 50, 50); /* one good sample is no end of it */
	assert_int_equal(judged(x, 1)[0].found[0].since_ns, since_ns);
	fx_load(&f, 1, 0, 50, 0);
	assert_int_equal(judged(x, 2)[0].n, 0);
	f.s.vms[0].hung_since_ns = 1; /* that is named, and over, at once */
	assert_int_equal(judged(x, 1)[0].n, 1);
	f.s.vms[0].hung_since_ns = 0;
	assert_int_equal(judged(x, 1)[0].n, 0);
	suffer_free(x);
}

/* Its helpers run so much in each sample, wait so much, and were seen last on that pCPU. */
static enum cause named_with_helpers(double ran_pct, double waited_pct, int at, double other_pct)
{
	struct suffer *x = suffer_new();
	const struct suffering *now = NULL;
	assert_non_null(x);
	fx_load(&f, 1, 0, 50, 50);
	fx_load(&f, 2, 0, other_pct, 0);
	for (int i = 0; i < 4; i++) {
		struct vm_facts *facts = &f.s.vms[0].facts;
		facts->helper_ns = vi64_ok((int64_t)(2e7 * ran_pct) * i);
		facts->helper_delay_ns = vi64_ok((int64_t)(2e7 * waited_pct) * i);
		facts->helper_pcpu = at < 0 ? vi64_absent(AVAIL_REMOTE) : vi64_ok(at);
		now = judged(x, 1);
	}
	assert_true(now[0].n > 0);
	enum cause c = now[0].found[0].cause;
	suffer_free(x);
	return c;
}

/* Threads of its own QEMU are to blame where they run on its pCPU, and more than anybody else does there. */
static void helpers_that_crowd(void **state)
{
	(void)state;
	fx_vm(&f, 2, 1);
	fx_runs_on(&f, 1, 0, 1);
	fx_runs_on(&f, 2, 0, 1);
	assert_int_equal(named_with_helpers(40, 0, 1, 10), CAUSE_EMULATOR);
	assert_int_equal(named_with_helpers(40, 0, 3, 10), CAUSE_WAIT);  /* elsewhere */
	assert_int_equal(named_with_helpers(40, 0, -1, 10), CAUSE_WAIT); /* nobody knows where */
	assert_int_equal(named_with_helpers(40, 0, 1, 49), CAUSE_WAIT);  /* the other one more */
	assert_int_equal(named_with_helpers(10, 0, 1, 2), CAUSE_WAIT);   /* not worth a word */
	fx_pin(&f, 1, 0, "1-2"); /* to where it may be: pinned to both */
	fx_runs_on(&f, 1, 0, 1);
	assert_int_equal(named_with_helpers(40, 0, 2, 10), CAUSE_EMULATOR);
	assert_int_equal(named_with_helpers(40, 0, 3, 10), CAUSE_WAIT);
}

static bool capped;

static bool helpers_named(struct suffer *x)
{
	bool named = false;
	const struct suffering *now = NULL;
	fx_load(&f, 1, 0, 50, 0);
	for (int i = 0; i < 4; i++) {
		struct vm_facts *facts = &f.s.vms[0].facts;
		facts->helper_ns = vi64_ok(INT64_C(400000000) * i);
		facts->helper_delay_ns = vi64_ok(INT64_C(800000000) * i);
		fx_advance(&f, 2);
		f.m.vcpus[0].capped = capped;
		struct suffer_look look = {&f.s, f.m.vcpus, f.m.vms, f.m.pcpus};
		now = suffer_update(x, &look, f.m.n_vm_slots);
	}
	for (int i = 0; i < now[0].n; i++)
		named |= now[0].found[i].cause == CAUSE_EMULATOR;
	return named;
}

/* Of a guest whose whole group is held by a quota, helpers wait for the quota; a quota alone holds nobody. */
static void helpers_that_wait(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct suffer *x = suffer_new();
		assert_non_null(x);
		capped = i & 1;
		f.s.vms[0].group_quota_pct = i & 2 ? vf64_ok(100) : vf64_absent(AVAIL_NONE);
		assert_int_equal(helpers_named(x), i != 3);
		suffer_free(x);
	}
}

/* Where it was seen it was alone by chance: whoever is heaviest where it may run is named. */
static void the_neighbour_of_where_it_may_run(void **state)
{
	(void)state;
	fx_vm(&f, 2, 1);
	fx_vm(&f, 3, 1);
	fx_pin(&f, 1, 0, "0-2");
	fx_runs_on(&f, 1, 0, 0);
	fx_runs_on(&f, 2, 0, 1);
	fx_runs_on(&f, 3, 0, 2);
	fx_load(&f, 1, 0, 50, 50);
	fx_load(&f, 2, 0, 60, 0);
	fx_load(&f, 3, 0, 40, 0);
	for (int i = 0; i < 3; i++) {
		struct suffer *x = suffer_new();
		assert_non_null(x);
		if (i == 1)
			fx_runs_on(&f, 3, 0, 0); /* beside it, though another one is heavier */
		if (i == 2) {
			fx_runs_on(&f, 3, 0, 2);
			fx_vcpu(&f, 1, 0)->affinity_avail = AVAIL_DENIED;
		}
		const struct suffering *now = judged(x, 3);
		assert_true(now[0].n > 0);
		assert_int_equal(now[0].found[0].other, i == 0 ? 1 : i == 1 ? 2 : -1);
		suffer_free(x);
	}
}

/* What its control group stalls for, each by itself. */
static void pressure(void **state)
{
	static const struct {
		double memory, io;
		bool named;
	} rows[] = {{0, 0, false}, {90, 0, true}, {0, 90, true}, {90, 90, true}, {1, 1, false}};
	(void)state;
	fx_load(&f, 1, 0, 50, 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct suffer *x = suffer_new();
		bool named = false;
		assert_non_null(x);
		f.s.vms[0].facts.psi_memory = vf64_ok(rows[i].memory);
		f.s.vms[0].facts.psi_io = vf64_ok(rows[i].io);
		const struct suffering *now = judged(x, 3);
		for (int k = 0; k < now[0].n; k++)
			named |= now[0].found[k].cause == CAUSE_PRESSURE;
		assert_int_equal(named, rows[i].named);
		suffer_free(x);
	}
}

static void what_is_left_of_its_memory_is_told(void **state)
{
	struct suffer_look look = {&f.s, f.m.vcpus, f.m.vms, f.m.pcpus};
	struct finding x = {.cause = CAUSE_SHORT, .weight_pct = 50, .num = {50 << 10, 1 << 20, 2 << 20}};
	(void)state;
	suffer_evidence(&look, 0, &x, said, sizeof said);
	assert_non_null(strstr(said, "its balloon holds back what it may have: 2.0G"));
	x.num[2] = x.num[1];
	suffer_evidence(&look, 0, &x, said, sizeof said);
	assert_non_null(strstr(said, "50M of 1.0G left"));
	assert_null(strstr(said, "holds back"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_over_is_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(helpers_that_crowd, setup, teardown),
		cmocka_unit_test_setup_teardown(helpers_that_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(the_neighbour_of_where_it_may_run, setup, teardown),
		cmocka_unit_test_setup_teardown(pressure, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_left_of_its_memory_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_command_names_the_vm_by_a_word_or_its_uuid, setup, teardown),
		cmocka_unit_test_setup_teardown(who_rests_takes_nothing_by_its_shares, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_throttled_is_the_quota, setup, teardown),
		cmocka_unit_test_setup_teardown(the_heavier_neighbour_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(a_score_goes_half_of_the_way, setup, teardown),
		cmocka_unit_test_setup_teardown(other_threads_are_led_to_an_idle_pcpu, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
