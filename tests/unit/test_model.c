/* SPDX-License-Identifier: MIT */
/* Rates, identity over time, windows, background, memory figures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <malloc.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/fixture.h"

#define assert_near(a, b) assert_float_equal(a, b, 0.01)

static int64_t ms(int64_t n)
{
	return n * 1000000;
}

static void first_sample_has_no_rates(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 2});
	fx_vm(&f, 1, 1);
	fx_start(&f);
	assert_int_equal(fx_vcpu_rate(&f, 1, 0)->usage_pct.avail, AVAIL_FIRST);
	assert_int_equal(fx_vcpu_rate(&f, 1, 0)->demand_pct.avail, AVAIL_FIRST);
	assert_int_equal(f.m.pcpus[0].load_pct.avail, AVAIL_FIRST);
	assert_int_equal(f.m.load_stddev_pct.avail, AVAIL_FIRST);
	assert_int_equal(f.m.samples, 1);
	fx_done(&f);
}

static void rates_use_measured_time(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 4});
	fx_vm(&f, 1, 2);
	fx_pin(&f, 1, 0, "1");
	fx_pin(&f, 1, 1, "3");
	fx_start(&f);
	fx_load(&f, 1, 0, 40, 20);
	fx_load(&f, 1, 1, 10, 0);
	fx_advance(&f, 2.7);
	assert_near(fx_vcpu_rate(&f, 1, 0)->usage_pct.v, 40);
	assert_near(fx_vcpu_rate(&f, 1, 0)->wait_pct.v, 20);
	assert_near(f.m.vms[0].cpu_pct.v, 50);
	assert_near(f.m.vms[0].wait_pct.v, 20);
	assert_near(f.m.pcpus[1].load_pct.v, 40);
	assert_near(f.m.pcpus[3].load_pct.v, 10);
	assert_near(f.m.pcpus[0].load_pct.v, 0);
	assert_near(f.m.pcpus[1].demand_pct.v, 50); /* 40 / (1 - .2) */
	assert_near(f.m.busy_pct.v, 12.5);
	/* loads 0 40 0 10: mean 12.5, squares 156.25 756.25 156.25 6.25 */
	assert_near(f.m.load_stddev_pct.v, 16.3936);
	assert_near(f.m.elapsed_s, 2.7);
	assert_near(f.m.window_s, 2.7);
	assert_int_equal(f.m.pcpus[1].n_vcpus, 1);
	fx_done(&f);
}

static void usage_never_exceeds_a_pcpu(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 1});
	fx_vm(&f, 1, 1);
	fx_start(&f);
	fx_load(&f, 1, 0, 101, 0); /* a step of 10 ms too many in a second */
	fx_advance(&f, 1);
	assert_near(fx_vcpu_rate(&f, 1, 0)->usage_pct.v, 100);
	fx_done(&f);
}

static void sample_not_later_is_refused(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 1});
	fx_start(&f);
	assert_int_equal(model_update(&f.m, &f.s, &f.e), -1);
	assert_int_equal(f.e.code, ERR_RUNTIME);
	assert_int_equal(f.m.samples, 1);
	fx_done(&f);
}

static void counter_that_goes_back_discards_the_reading(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 2});
	fx_vm(&f, 1, 2);
	fx_start(&f);
	fx_load(&f, 1, 0, 50, 0);
	fx_load(&f, 1, 1, 50, 0);
	fx_advance(&f, 1);
	uint32_t birth0 = fx_vcpu_rate(&f, 1, 0)->birth, birth1 = fx_vcpu_rate(&f, 1, 1)->birth;
	fx_vcpu(&f, 1, 1)->time_ns = vi64_ok(-ms(2000)); /* ends below where it was, and at its own id only */
	fx_advance(&f, 1);
	assert_int_equal(fx_vcpu_rate(&f, 1, 1)->usage_pct.avail, AVAIL_RESET);
	assert_int_equal(fx_vcpu_rate(&f, 1, 1)->wait_pct.avail, AVAIL_RESET);
	assert_int_equal(fx_vcpu_rate(&f, 1, 1)->demand_pct.avail, AVAIL_RESET);
	assert_int_not_equal(fx_vcpu_rate(&f, 1, 1)->birth, birth1);
	assert_int_equal(fx_vcpu_rate(&f, 1, 0)->birth, birth0);
	assert_near(fx_vcpu_rate(&f, 1, 0)->usage_pct.v, 50);
	fx_advance(&f, 1);
	assert_near(fx_vcpu_rate(&f, 1, 1)->usage_pct.v, 50);
	fx_done(&f);
}

static void restart_forgets_the_vm(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 2});
	fx_vm(&f, 1, 2);
	fx_start(&f);
	fx_advance(&f, 1);
	uint32_t birth = f.m.vms[0].birth, vbirth = fx_vcpu_rate(&f, 1, 1)->birth;
	fx_vm_sample(&f, 1)->id = 77; /* the counters did not go back, the domain id changed */
	fx_load(&f, 1, 0, 50, 0);
	fx_advance(&f, 1);
	assert_int_not_equal(f.m.vms[0].birth, birth);
	assert_int_not_equal(fx_vcpu_rate(&f, 1, 1)->birth, vbirth);
	assert_int_equal(fx_vcpu_rate(&f, 1, 0)->usage_pct.avail, AVAIL_RESET);
	assert_true(f.m.vms[0].first_seen_ns == f.s.time_ns);
	assert_int_equal(f.m.n_slots, 2); /* the old numbers are used again */
	fx_done(&f);
}

static void restart_by_vcpu_0(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 2});
	fx_vm(&f, 1, 2);
	fx_load(&f, 1, 0, 50, 0);
	fx_load(&f, 1, 1, 50, 0);
	fx_start(&f);
	fx_advance(&f, 4);
	fx_vcpu(&f, 1, 0)->time_ns = vi64_ok(0);
	fx_advance(&f, 1);
	assert_int_equal(fx_vcpu_rate(&f, 1, 0)->usage_pct.avail, AVAIL_RESET);
	assert_int_equal(fx_vcpu_rate(&f, 1, 1)->usage_pct.avail, AVAIL_RESET);
	fx_done(&f);
}

static void slots_stay_and_are_reused_with_another_birth(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 2});
	fx_vm(&f, 10, 2);
	fx_vm(&f, 20, 1);
	fx_start(&f);
	uint32_t slot10 = fx_vcpu_rate(&f, 10, 0)->slot, slot20 = fx_vcpu_rate(&f, 20, 0)->slot;
	uint32_t birth10 = fx_vcpu_rate(&f, 10, 0)->birth, birth20 = fx_vcpu_rate(&f, 20, 0)->birth;
	assert_int_not_equal(slot10, slot20);
	fx_vm(&f, 5, 1); /* sorts before the others */
	fx_advance(&f, 1);
	assert_int_equal(fx_vcpu_rate(&f, 10, 0)->slot, slot10);
	assert_int_equal(fx_vcpu_rate(&f, 20, 0)->slot, slot20);
	assert_int_equal(fx_vcpu_rate(&f, 20, 0)->birth, birth20);
	assert_int_equal(f.m.n_slots, 4);
	fx_remove_vm(&f, 10);
	fx_vm(&f, 30, 2);
	fx_advance(&f, 1);
	assert_int_equal(f.m.n_slots, 4);
	assert_int_equal(fx_vcpu_rate(&f, 20, 0)->slot, slot20);
	assert_true(fx_vcpu_rate(&f, 30, 0)->birth != birth10 && fx_vcpu_rate(&f, 30, 1)->birth != birth10);
	fx_remove_vm(&f, 30);
	fx_advance(&f, 1);
	fx_vm(&f, 10, 2); /* back again: nothing is known of it */
	fx_advance(&f, 1);
	assert_int_not_equal(fx_vcpu_rate(&f, 10, 0)->birth, birth10);
	assert_int_equal(fx_vcpu_rate(&f, 10, 0)->usage_pct.avail, AVAIL_FIRST);
	fx_done(&f);
}

/* A key pressed 50 ms after the last sample: a step of 10 ms must not read as 20 %. */
static void short_window_reaches_back(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 1});
	fx_vm(&f, 1, 1);
	fx_start(&f);
	fx_advance(&f, 0.05);
	assert_int_equal(fx_vcpu_rate(&f, 1, 0)->usage_pct.avail, AVAIL_FIRST);
	assert_near(f.m.window_s, 0);
	fx_load(&f, 1, 0, 10, 0);
	fx_advance(&f, 1.95); /* 2 s since the first */
	assert_near(fx_vcpu_rate(&f, 1, 0)->usage_pct.v, 9.75);
	fx_load(&f, 1, 0, 100, 0);
	fx_advance(&f, 0.05);
	assert_near(f.m.window_s, 2.05);
	assert_near(f.m.elapsed_s, 0.05);
	assert_near(fx_vcpu_rate(&f, 1, 0)->usage_pct.v, (195 + 50) / 20.5);
	assert_near(fx_vcpu_rate(&f, 1, 0)->demand_pct.v, 9.75); /* the estimator takes each moment once */
	fx_load(&f, 1, 0, 0, 0);
	fx_advance(&f, 1.95);
	assert_near(f.m.window_s, 2.0); /* from the base that stayed */
	assert_near(fx_vcpu_rate(&f, 1, 0)->usage_pct.v, 2.5);
	fx_done(&f);
}

static void window_is_four_readings_at_least(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 1});
	fx_start(&f);
	f.s.took_ns = ms(300);
	fx_advance(&f, 1.0);
	assert_near(f.m.window_s, 0);
	fx_advance(&f, 0.3);
	assert_near(f.m.window_s, 1.3);
	fx_done(&f);
}

static void absent_stays_absent(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 2});
	fx_vm(&f, 1, 1);
	fx_vm(&f, 2, 1);
	fx_vm(&f, 3, 1);
	fx_vcpu(&f, 1, 0)->delay_ns = vi64_absent(AVAIL_UNSUPPORTED);
	f.s.host.pcpus[1].busy_ns = f.s.host.pcpus[1].idle_ns = vi64_absent(AVAIL_UNSUPPORTED);
	fx_load(&f, 1, 0, 30, 0);
	fx_start(&f);
	fx_vm_sample(&f, 2)->hung_since_ns = 1;
	fx_vm_sample(&f, 3)->state = VM_PAUSED;
	fx_advance(&f, 1);
	assert_int_equal(fx_vcpu_rate(&f, 1, 0)->wait_pct.avail, AVAIL_UNSUPPORTED);
	assert_near(fx_vcpu_rate(&f, 1, 0)->demand_pct.v, 30);
	assert_int_equal(fx_vcpu_rate(&f, 2, 0)->usage_pct.avail, AVAIL_HUNG);
	assert_int_equal(f.m.vms[1].cpu_pct.avail, AVAIL_HUNG);
	assert_near(fx_vcpu_rate(&f, 3, 0)->usage_pct.v, 0);
	assert_int_equal(fx_vcpu_rate(&f, 3, 0)->demand_pct.avail, AVAIL_PAUSED);
	assert_int_equal(f.m.pcpus[1].busy_pct.avail, AVAIL_UNSUPPORTED);
	assert_int_equal(f.m.pcpus[1].background_pct.avail, AVAIL_UNSUPPORTED);
	assert_int_equal(f.m.vms[0].rd_reqs_s.avail, AVAIL_NONE);
	fx_done(&f);
}

/* A cap on several vCPUs together, or on several VMs: they want no more than that, and wait for it. */
static void wants_end_at_a_common_cap(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 8});
	for (unsigned i = 1; i <= 4; i++) {
		fx_vm(&f, i, 2);
		for (int k = 0; k < 2; k++) {
			char cpu[8];
			snprintf(cpu, sizeof cpu, "%u", 2 * (i - 1) + (unsigned)k);
			fx_pin(&f, i, k, cpu);
			fx_load(&f, i, k, 10, 80);
		}
	}
	fx_vm_sample(&f, 1)->group_quota_pct = vf64_ok(20);
	for (unsigned i = 2; i <= 3; i++) {
		fx_vm_sample(&f, i)->group_quota_pct = vf64_ok(40);
		fx_vm_sample(&f, i)->quota_group = 77;
	}
	fx_load(&f, 3, 1, 10, 0);
	fx_start(&f);
	fx_advance(&f, 1);
	assert_near(f.m.vms[0].demand_pct.v, 20);
	assert_near(fx_vcpu_rate(&f, 1, 0)->demand_pct.v, 10);
	assert_near(f.m.pcpus[0].demand_pct.v, 10);
	assert_near(f.m.vms[1].demand_pct.v + f.m.vms[2].demand_pct.v, 40);
	assert_true(fx_vcpu_rate(&f, 2, 0)->demand_pct.v > 2 * fx_vcpu_rate(&f, 3, 1)->demand_pct.v);
	assert_true(fx_vcpu_rate(&f, 1, 0)->capped && fx_vcpu_rate(&f, 3, 0)->capped);
	assert_true(f.m.vms[3].demand_pct.v > 90); /* without a cap */
	assert_false(fx_vcpu_rate(&f, 4, 0)->capped);
	fx_vm_sample(&f, 1)->group_quota_pct = vf64_ok(2000);
	fx_advance(&f, 1);
	assert_true(f.m.vms[0].demand_pct.v > 90);
	assert_false(fx_vcpu_rate(&f, 1, 0)->capped);
	fx_done(&f);
}

static void offline_pcpu_and_target(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 4});
	fx_vm(&f, 1, 1);
	fx_allow(&f, 1, 0, "1-3");
	f.s.host.pcpus[1].online = false;
	f.s.host.pcpus[2].isolated = true;
	fx_start(&f);
	fx_advance(&f, 1);
	char text[32];
	cpuset_format(&fx_vcpu_rate(&f, 1, 0)->target, text, sizeof text);
	assert_string_equal(text, "2-3"); /* which of those are for it is another matter */
	assert_int_equal(f.m.pcpus[1].busy_pct.avail, AVAIL_OFFLINE);
	assert_int_equal(f.m.pcpus[1].load_pct.avail, AVAIL_OFFLINE);
	fx_done(&f);
}

static void background_is_what_vcpus_do_not_explain(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 2});
	fx_vm(&f, 1, 1);
	fx_pin(&f, 1, 0, "0");
	fx_load(&f, 1, 0, 40, 0);
	fx_background(&f, 0, 15);
	fx_background(&f, 1, 5);
	fx_start(&f);
	fx_advance(&f, 1);
	fx_advance(&f, 1);
	assert_near(f.m.pcpus[0].background_pct.v, 15);
	assert_near(f.m.pcpus[1].background_pct.v, 5);
	assert_near(f.m.pcpus[0].demand_pct.v, 55);
	fx_done(&f);
}

/* A vCPU that wandered: pCPU 0 was busy with it, it counts to pCPU 1. That is no background load. */
static void wandering_vcpu_is_no_background(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 2});
	fx_vm(&f, 1, 1);
	fx_load(&f, 1, 0, 60, 0);
	fx_start(&f);
	fx_advance(&f, 1);
	f.s.host.pcpus[0].busy_ns.v += ms(300); /* of the next second: 300 ms here, 300 ms there */
	f.s.host.pcpus[0].idle_ns.v -= ms(300);
	f.s.host.pcpus[1].busy_ns.v -= ms(300);
	f.s.host.pcpus[1].idle_ns.v += ms(300);
	fx_runs_on(&f, 1, 0, 1);
	fx_advance(&f, 1);
	assert_near(f.m.pcpus[0].busy_pct.v, 30);
	assert_near(f.m.pcpus[0].background_pct.v, 0);
	assert_near(f.m.pcpus[1].background_pct.v, 0);
	fx_done(&f);
}

/* One that may float and was seen on pCPU 0 both times, but ran half of the time on pCPU 1. */
static void floating_vcpu_is_no_background(void **state)
{
	(void)state;
	for (int known = 0; known < 2; known++) {
		struct fixture f;
		fx_init(&f, &(struct fx_host){.pcpus = 2});
		fx_vm(&f, 1, 1);
		fx_load(&f, 1, 0, 60, 0);
		fx_vcpu(&f, 1, 0)->affinity_avail = known ? AVAIL_OK : AVAIL_DENIED;
		fx_start(&f);
		f.s.host.pcpus[0].busy_ns.v -= ms(300);
		f.s.host.pcpus[0].idle_ns.v += ms(300);
		f.s.host.pcpus[1].busy_ns.v += known ? ms(300) : 0;
		f.s.host.pcpus[1].idle_ns.v -= known ? ms(300) : 0;
		fx_advance(&f, 1);
		assert_near(f.m.pcpus[0].busy_pct.v, 30);
		assert_near(f.m.pcpus[0].background_pct.v, 0);
		assert_near(f.m.pcpus[1].background_pct.v, 0);
		fx_done(&f);
	}
}

/* Pinned from pCPU 0 to 1 in the middle of the window. */
static void a_pin_that_moves_is_no_background(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 2});
	fx_vm(&f, 1, 1);
	fx_pin(&f, 1, 0, "0");
	fx_load(&f, 1, 0, 60, 0);
	fx_start(&f);
	fx_advance(&f, 1);
	fx_pin(&f, 1, 0, "1");
	f.s.host.pcpus[0].busy_ns.v += ms(300);
	f.s.host.pcpus[0].idle_ns.v -= ms(300);
	f.s.host.pcpus[1].busy_ns.v -= ms(300);
	f.s.host.pcpus[1].idle_ns.v += ms(300);
	fx_advance(&f, 1);
	assert_near(f.m.pcpus[0].busy_pct.v, 30);
	assert_near(f.m.pcpus[0].background_pct.v, 0);
	assert_near(f.m.pcpus[1].background_pct.v, 0);
	fx_done(&f);
}

static void newcomer_is_no_background(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 2});
	fx_start(&f);
	fx_background(&f, 0, 10);
	fx_advance(&f, 1);
	fx_vm(&f, 1, 1);
	fx_pin(&f, 1, 0, "0");
	fx_load(&f, 1, 0, 50, 0);
	fx_advance(&f, 1);
	assert_near(f.m.pcpus[0].background_pct.v, 10);
	fx_advance(&f, 1);
	assert_near(f.m.pcpus[0].background_pct.v, 10);
	fx_done(&f);
}

static void mapping_of_a_vcpu(void **state)
{
	(void)state;
	struct vcpu_sample v = {.affinity_avail = AVAIL_OK, .pcpu = {2, AVAIL_OK}};
	cpuset_add(&v.affinity, 5);
	assert_int_equal(model_vcpu_pcpu(&v), 5); /* the pin counts, it may not have moved yet */
	cpuset_add(&v.affinity, 6);
	assert_int_equal(model_vcpu_pcpu(&v), 2);
	v.pcpu = vi64_absent(AVAIL_UNSUPPORTED);
	assert_int_equal(model_vcpu_pcpu(&v), -1);
	v.pcpu = vi64_ok(-1);
	assert_int_equal(model_vcpu_pcpu(&v), -1);
	v.pcpu = vi64_ok(INT64_MAX);
	assert_int_equal(model_vcpu_pcpu(&v), -1);
}

static void hot_plug_forgets_what_the_others_wanted(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 2});
	fx_vm(&f, 1, 2);
	fx_start(&f);
	for (int i = 0; i < 20; i++)
		fx_advance(&f, 1);
	/* Starved, and quiet before: history says little. */
	fx_load(&f, 1, 0, 4, 60);
	fx_advance(&f, 1);
	assert_true(fx_vcpu_rate(&f, 1, 0)->demand_pct.v < 6);
	f.s.vcpus[1].id = 7; /* vCPU 1 unplugged, 7 plugged */
	uint32_t birth = fx_vcpu_rate(&f, 1, 0)->birth;
	fx_advance(&f, 1);
	assert_near(fx_vcpu_rate(&f, 1, 0)->demand_pct.v, 10); /* 4 / (1 - .6) */
	assert_int_equal(fx_vcpu_rate(&f, 1, 0)->birth, birth);
	assert_int_equal(fx_vcpu_rate(&f, 1, 7)->usage_pct.avail, AVAIL_FIRST);
	assert_int_equal(f.m.n_slots, 2);
	fx_done(&f);
}

/* vCPU 3 comes between 0 and 5, and 7 behind them: both are new, the others stay who they were. */
static void hot_plug_between_two(void **state)
{
	(void)state;
	static const int ids[] = {0, 3, 5, 7};
	struct fixture f, g;
	fx_init(&f, &(struct fx_host){.pcpus = 2});
	fx_init(&g, &(struct fx_host){.pcpus = 2});
	fx_vm(&f, 1, 2);
	fx_vm(&g, 1, 4);
	f.s.vcpus[1].id = 5;
	for (int i = 0; i < 4; i++)
		g.s.vcpus[i].id = ids[i];
	fx_start(&f);
	uint32_t zero = f.m.vcpus[0].birth, five = f.m.vcpus[1].birth;
	g.s.time_ns = f.s.time_ns + ms(1000);
	assert_int_equal(model_update(&f.m, &g.s, &f.e), 0);
	assert_int_equal(f.m.vcpus[0].birth, zero);
	assert_int_equal(f.m.vcpus[2].birth, five);
	for (int i = 1; i < 4; i += 2) {
		assert_int_equal(f.m.vcpus[i].usage_pct.avail, AVAIL_FIRST);
		assert_true(f.m.vcpus[i].birth != zero && f.m.vcpus[i].birth != five);
	}
	assert_int_equal(f.m.n_slots, 4);
	fx_done(&f);
	fx_done(&g);
}

/* The wall clock jumps while the same statistics stand, and between an update and its reading. */
static void age_of_statistics_by_a_clock_that_does_not_jump(void **state)
{
	(void)state;
	static const int64_t jumps_s[] = {86400 * 9, -86400 * 20, 86400 * 900, 0};
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 1});
	fx_vm(&f, 1, 0);
	struct vm_memory *m = &fx_vm_sample(&f, 1)->mem;
	int64_t wall = f.s.wall_ns;
	m->balloon_kib = vi64_ok(1000);
	m->usable_kib = vi64_ok(300);
	m->last_update_ns = vi64_ok(wall);
	fx_start(&f);
	for (size_t i = 0; i < sizeof jumps_s / sizeof *jumps_s; i++) {
		f.s.wall_ns = wall + jumps_s[i] * ms(1000);
		fx_advance(&f, 2);
		assert_near(f.m.vms[0].age_s.v, 2 * (double)(i + 1));
	}
	m->last_update_ns = vi64_ok(f.s.wall_ns);
	f.s.wall_ns += jumps_s[0] * ms(1000);
	fx_advance(&f, 2);
	assert_true(f.m.vms[0].age_s.v <= 10);
	fx_done(&f);
}

static void memory_used_is_of_the_moment_of_the_statistics(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 1});
	fx_vm(&f, 1, 0);
	struct vm_memory *m = &fx_vm_sample(&f, 1)->mem;
	m->balloon_kib = vi64_ok(1000);
	m->usable_kib = vi64_ok(300);
	m->unused_kib = vi64_ok(100);
	m->last_update_ns = vi64_ok(f.s.wall_ns);
	fx_start(&f);
	assert_int_equal(f.m.vms[0].used_kib.v, 700);
	assert_near(f.m.vms[0].age_s.v, 0);
	m->balloon_kib = vi64_ok(600); /* the balloon shrinks, the guest's figures are still the old ones */
	fx_advance(&f, 2);
	assert_int_equal(f.m.vms[0].used_kib.v, 700);
	assert_near(f.m.vms[0].age_s.v, 2);
	m->balloon_kib = vi64_ok(400);
	m->usable_kib = vi64_absent(AVAIL_NO_DRIVER);
	m->last_update_ns = vi64_ok(f.s.wall_ns + ms(1000)); /* half-way to the next sample: 500 then */
	fx_advance(&f, 2);
	assert_int_equal(f.m.vms[0].used_kib.v, 400);
	m->unused_kib = vi64_absent(AVAIL_NO_PERIOD);
	fx_advance(&f, 2);
	assert_int_equal(f.m.vms[0].used_kib.avail, AVAIL_NO_PERIOD);
	fx_done(&f);
}

/* A guest that uses 300 of what its balloon leaves, and whose own total is 40 less: while the balloon moves,
 * whether the statistics are from before or after, it still uses 300. */
static void a_moving_balloon_is_no_growth(void **state)
{
	(void)state;
	for (int fixed = 0; fixed < 2; fixed++) { /* a total that stays with deflate-on-oom */
		struct fixture f;
		fx_init(&f, &(struct fx_host){.pcpus = 1});
		fx_vm(&f, 1, 0);
		struct vm_memory *m = &fx_vm_sample(&f, 1)->mem;
		const int64_t mib = 1024;
		int64_t size[] = {1000, 1000, 1000, 900, 900, 900, 900, 700, 600, 600, 600, 600};
		int64_t then[] = {1000, 1000, 1000, 1000, 900, 900, 900, 900, 600, 600, 600, 600};
		for (int i = 0; i < 12; i++) {
			m->balloon_kib = vi64_ok(size[i] * mib);
			m->available_kib = vi64_ok(((fixed ? 1000 : then[i]) - 40) * mib);
			m->usable_kib = vi64_ok((then[i] - 300) * mib);
			m->last_update_ns = vi64_ok(f.s.wall_ns + ms(i < 6 ? 0 : 1900));
			if (i)
				fx_advance(&f, 2);
			else
				fx_start(&f);
			int64_t used = f.m.vms[0].used_kib.v / mib;
			if (!fixed || i < 3 || i == 5 || i == 6 || i > 10)
				assert_int_equal(used, 300);
			assert_in_range(used, 0, 420);
			assert_near(f.m.vms[0].balloon_still_s.v, i < 3   ? 2 * i
								  : i < 7 ? 2 * (i - 3)
								  : i < 9 ? 0
									  : 2 * (i - 8));
		}
		fx_done(&f);
	}
}

static void counters_of_a_vm_become_rates(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 1});
	fx_vm(&f, 1, 0);
	struct vm_sample *vm = fx_vm_sample(&f, 1);
	vm->mem.swap_in_kib = vi64_ok(100);
	vm->io.tx_pkts = vi64_ok(50);
	vm->io.rd_reqs = vi64_absent(AVAIL_NOT_ASKED);
	fx_start(&f);
	vm->mem.swap_in_kib.v += 80;
	vm->io.tx_pkts.v = 10;
	fx_advance(&f, 4);
	assert_near(f.m.vms[0].swap_in_kib_s.v, 20);
	assert_int_equal(f.m.vms[0].tx_pkts_s.avail, AVAIL_RESET);
	assert_int_equal(f.m.vms[0].rd_reqs_s.avail, AVAIL_NOT_ASKED);
	vm->io.tx_pkts.v = 30;
	fx_advance(&f, 4);
	assert_near(f.m.vms[0].tx_pkts_s.v, 5);
	fx_done(&f);
}

/* Statistics are read once a memory cycle: a rate is over the guest's own updates, and stays between them. */
static void swapping_is_over_the_guests_updates(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 1});
	fx_vm(&f, 1, 0);
	struct vm_sample *vm = fx_vm_sample(&f, 1);
	vm->mem.swap_in_kib = vi64_ok(100);
	vm->mem.last_update_ns = vi64_ok(INT64_C(1000000000));
	fx_start(&f);
	fx_advance(&f, 2);
	vm->mem.swap_in_kib.v += 600;
	vm->mem.last_update_ns.v += INT64_C(6000000000);
	fx_advance(&f, 2);
	assert_near(f.m.vms[0].swap_in_kib_s.v, 100);
	fx_advance(&f, 2); /* the same figures again */
	assert_near(f.m.vms[0].swap_in_kib_s.v, 100);
	vm->mem.last_update_ns.v += INT64_C(4000000000);
	fx_advance(&f, 2);
	assert_near(f.m.vms[0].swap_in_kib_s.v, 0);
	/* Without a time of update before, or now, there is no time to divide by. */
	for (int now = 0; now < 2; now++) {
		struct vi64 known = vm->mem.last_update_ns;
		vm->mem.last_update_ns = vi64_absent(AVAIL_NONE);
		fx_advance(&f, 2);
		fx_advance(&f, 2);
		vm->mem.swap_in_kib.v += 60;
		if (now)
			vm->mem.last_update_ns = vi64_ok(known.v + INT64_C(6000000000));
		fx_advance(&f, 2);
		if (vf64_has(f.m.vms[0].swap_in_kib_s)) /* of the sample's own window, then */
			assert_true(f.m.vms[0].swap_in_kib_s.v > 5 && f.m.vms[0].swap_in_kib_s.v < 60);
		vm->mem.last_update_ns = vi64_ok(known.v + INT64_C(9000000000));
	}
	fx_done(&f);
}

static void forget_starts_anew(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 1});
	fx_vm(&f, 1, 1);
	fx_start(&f);
	fx_advance(&f, 1);
	uint32_t birth = fx_vcpu_rate(&f, 1, 0)->birth;
	model_forget(&f.m);
	assert_int_equal(f.m.samples, 0);
	fx_advance(&f, 1);
	assert_int_equal(fx_vcpu_rate(&f, 1, 0)->usage_pct.avail, AVAIL_FIRST);
	assert_int_not_equal(fx_vcpu_rate(&f, 1, 0)->birth, birth);
	assert_int_equal(f.m.n_slots, 1);
	fx_done(&f);
}

static void steady_round_does_not_allocate(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 16});
	for (unsigned i = 1; i <= 100; i++)
		fx_vm(&f, i, 4);
	fx_start(&f);
	fx_advance(&f, 1); /* both halves of the history have their size */
	const void *before[] = {f.m.vcpus, f.m.vms, f.m.pcpus};
	struct mallinfo2 a = mallinfo2();
	for (int i = 0; i < 10; i++)
		fx_advance(&f, 1);
	struct mallinfo2 b = mallinfo2();
	assert_int_equal(a.uordblks + a.hblkhd, b.uordblks + b.hblkhd);
	assert_ptr_equal(f.m.vcpus, before[0]);
	assert_ptr_equal(f.m.vms, before[1]);
	assert_ptr_equal(f.m.pcpus, before[2]);
	fx_done(&f);
}

/* VMs come, go, restart and plug at random: slots are unique and dense, births tell runs apart. */
static void identity_under_churn(void **state)
{
	(void)state;
	struct fx_random r = {7};
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 4});
	fx_start(&f);
	size_t most = 0;
	for (int round = 0; round < 300; round++) {
		unsigned n = 1 + fx_random(&r, 12);
		uint8_t uuid[UUID_BYTES] = {0, 0, 0, (uint8_t)n};
		if (sample_vm_by_uuid(&f.s, uuid))
			fx_remove_vm(&f, n);
		else
			fx_vm(&f, n, (int)fx_random(&r, 5));
		fx_advance(&f, 1);
		if (f.s.n_vcpus > most)
			most = f.s.n_vcpus;
		assert_true(f.m.n_slots <= most + 4);
		bool seen[64] = {false};
		for (size_t i = 0; i < f.m.n_vcpus; i++) {
			assert_true(f.m.vcpus[i].slot < f.m.n_slots);
			assert_false(seen[f.m.vcpus[i].slot]);
			seen[f.m.vcpus[i].slot] = true;
		}
	}
	fx_done(&f);
}

/* A VM that is named twice leaves vCPUs without an owner: nobody counts them. */
static void a_vcpu_without_a_vm_has_no_rates(void **state)
{
	(void)state;
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 2});
	fx_vm(&f, 1, 2);
	fx_start(&f);
	fx_load(&f, 1, 1, 50, 0);
	fx_advance(&f, 1);
	assert_near(f.m.vcpus[1].usage_pct.v, 50);
	f.s.vms[0].n_vcpus = 1;
	fx_advance(&f, 1);
	assert_int_equal(f.m.n_vcpus, 2);
	assert_false(vf64_has(f.m.vcpus[1].usage_pct) || vf64_has(f.m.vcpus[1].demand_pct));
	assert_true(cpuset_empty(&f.m.vcpus[1].target));
	fx_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_sample_has_no_rates),
		cmocka_unit_test(rates_use_measured_time),
		cmocka_unit_test(usage_never_exceeds_a_pcpu),
		cmocka_unit_test(sample_not_later_is_refused),
		cmocka_unit_test(counter_that_goes_back_discards_the_reading),
		cmocka_unit_test(restart_forgets_the_vm),
		cmocka_unit_test(restart_by_vcpu_0),
		cmocka_unit_test(slots_stay_and_are_reused_with_another_birth),
		cmocka_unit_test(short_window_reaches_back),
		cmocka_unit_test(window_is_four_readings_at_least),
		cmocka_unit_test(absent_stays_absent),
		cmocka_unit_test(wants_end_at_a_common_cap),
		cmocka_unit_test(offline_pcpu_and_target),
		cmocka_unit_test(background_is_what_vcpus_do_not_explain),
		cmocka_unit_test(wandering_vcpu_is_no_background),
		cmocka_unit_test(floating_vcpu_is_no_background),
		cmocka_unit_test(a_pin_that_moves_is_no_background),
		cmocka_unit_test(newcomer_is_no_background),
		cmocka_unit_test(mapping_of_a_vcpu),
		cmocka_unit_test(hot_plug_forgets_what_the_others_wanted),
		cmocka_unit_test(hot_plug_between_two),
		cmocka_unit_test(age_of_statistics_by_a_clock_that_does_not_jump),
		cmocka_unit_test(memory_used_is_of_the_moment_of_the_statistics),
		cmocka_unit_test(a_moving_balloon_is_no_growth),
		cmocka_unit_test(counters_of_a_vm_become_rates),
		cmocka_unit_test(swapping_is_over_the_guests_updates),
		cmocka_unit_test(forget_starts_anew),
		cmocka_unit_test(steady_round_does_not_allocate),
		cmocka_unit_test(identity_under_churn),
		cmocka_unit_test(a_vcpu_without_a_vm_has_no_rates),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
