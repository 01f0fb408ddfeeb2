/* SPDX-License-Identifier: MIT */
/* Typed parameters into a sample: sparse vCPUs, sums over devices, hostile values, reasons for what is
 * absent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/backend/libvirt/libvirt_stats.h"

static struct sample s;
static virTypedParameter params[64];
static int n;
static const uint8_t uuid[UUID_BYTES] = {9};

static int setup(void **state)
{
	(void)state;
	sample_init(&s);
	sample_add_vm(&s, uuid);
	n = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sample_done(&s);
	return 0;
}

static void add(const char *field, unsigned long long v)
{
	virTypedParameter *p = &params[n++];
	memset(p, 0, sizeof *p);
	snprintf(p->field, sizeof p->field, "%s", field);
	p->type = VIR_TYPED_PARAM_ULLONG;
	p->value.ul = v;
}

static void add_int(const char *field, int v)
{
	add(field, 0);
	params[n - 1].type = VIR_TYPED_PARAM_INT;
	params[n - 1].value.i = v;
}

static void test_sparse_vcpus(void **state)
{
	(void)state;
	add_int("state.state", VIR_DOMAIN_RUNNING);
	add("vcpu.current", 2);
	add("vcpu.maximum", 4);
	add_int("vcpu.0.state", VIR_VCPU_RUNNING);
	add("vcpu.0.time", 100);
	add("vcpu.0.delay", 7);
	add_int("vcpu.3.state", VIR_VCPU_OFFLINE);
	add("vcpu.3.time", 50);
	assert_int_equal(stats_fill(&s, params, n), SEEN_VCPU | SEEN_DELAY);
	assert_int_equal(s.vms[0].state, VM_RUNNING);
	assert_int_equal(s.vms[0].n_vcpus, 2);
	assert_int_equal(s.vcpus[0].id, 0);
	assert_true(s.vcpus[0].online);
	assert_int_equal(s.vcpus[0].time_ns.v, 100);
	assert_int_equal(s.vcpus[0].delay_ns.v, 7);
	assert_int_equal(s.vcpus[1].id, 3);
	assert_false(s.vcpus[1].online);
	assert_false(vi64_has(s.vcpus[1].delay_ns));
}

static void test_sums(void **state)
{
	(void)state;
	add("net.count", 2);
	add("net.0.rx.bytes", 10);
	add("net.1.rx.bytes", 5);
	add("net.1.rx.errs", 99);
	add("block.0.wr.reqs", 3);
	add("block.12.wr.reqs", 4);
	stats_fill(&s, params, n);
	assert_int_equal(s.vms[0].io.rx_bytes.v, 15);
	assert_int_equal(s.vms[0].io.wr_reqs.v, 7);
	assert_false(vi64_has(s.vms[0].io.tx_bytes));
}

/* Of all disks, and of all vCPUs; what they are made of stays as it was. */
static void test_facts(void **state)
{
	(void)state;
	add("block.0.rd.reqs", 10);
	add("block.0.rd.times", 5000);
	add("block.1.fl.reqs", 2);
	add("block.1.fl.times", 7000);
	add("vcpu.0.time", 100);
	add("vcpu.0.exits.sum", 40);
	add("vcpu.1.exits.sum", 2);
	add("vcpu.1.halt_poll_success_ns.sum", 30);
	add("vcpu.1.halt_poll_fail_ns.sum", 12);
	add("vcpu.1.exits.cur", 99);
	stats_fill(&s, params, n);
	const struct vm_facts *f = &s.vms[0].facts;
	assert_int_equal(f->disk_reqs.v, 12);
	assert_int_equal(f->disk_ns.v, 12000);
	assert_int_equal(f->exits.v, 42);
	assert_int_equal(f->polled_ns.v, 42);
	assert_int_equal(s.vms[0].io.rd_reqs.v, 10);
	assert_int_equal(s.vms[0].n_vcpus, 1);
	assert_false(vi64_has(f->helper_ns) || vi64_has(f->swapped_kib) || vf64_has(f->psi_cpu));
}

static void test_hostile(void **state)
{
	(void)state;
	add("cpu.time", UINT64_MAX);
	add("vcpu.99999999999999999999.time", 1);
	add("vcpu.70000.time", 1);
	add("vcpu.-1.time", 1);
	add("vcpu..time", 1);
	add("vcpu.1.", 1);
	add("balloon.last-update", (unsigned long long)INT64_MAX);
	add_int("balloon.current", -5);
	add_int("state.state", 4711);
	add("", 1);
	add("vcpu.0.time", 1);
	params[n - 1].type = VIR_TYPED_PARAM_STRING;
	params[n - 1].value.s = NULL;
	stats_fill(&s, params, n);
	assert_int_equal(s.vms[0].n_vcpus, 0);
	assert_int_equal(s.vms[0].state, VM_NOSTATE);
	assert_false(vi64_has(s.vms[0].cpu_time_ns));
	assert_false(vi64_has(s.vms[0].mem.balloon_kib));
	assert_false(vi64_has(s.vms[0].mem.last_update_ns));
}

static void test_memory_complete(void **state)
{
	(void)state;
	struct vm_memory *m = &s.vms[0].mem;
	struct stats_why w = {
		.asked = true, .running = true, .reported = true, .has_period = true, .period_s = 2};
	add("balloon.current", 4096);
	add("balloon.maximum", 8192);
	add("balloon.unused", 1000);
	add("balloon.usable", 2000);
	add("balloon.available", 4000);
	add("balloon.last-update", 1700000000);
	assert_int_equal(stats_fill(&s, params, n), SEEN_BALLOON);
	stats_memory_reasons(m, &w);
	assert_int_equal(m->balloon_kib.v, 4096);
	assert_int_equal(m->max_kib.v, 8192);
	assert_int_equal(m->usable_kib.v, 2000);
	assert_true(m->last_update_ns.v == INT64_C(1700000000000000000));
	assert_int_equal(m->swap_in_kib.avail, AVAIL_NO_DRIVER);
}

static void test_all_zero_is_absent(void **state)
{
	(void)state;
	struct vm_memory *m = &s.vms[0].mem;
	struct stats_why w = {
		.asked = true, .running = true, .reported = true, .has_period = true, .period_s = 2};
	add("balloon.unused", 0);
	add("balloon.available", 0);
	add("balloon.usable", 0);
	add("balloon.last-update", 1700000000);
	stats_fill(&s, params, n);
	stats_memory_reasons(m, &w);
	assert_int_equal(m->unused_kib.avail, AVAIL_FIRST);
	assert_int_equal(m->usable_kib.avail, AVAIL_FIRST);
	assert_int_equal(m->last_update_ns.avail, AVAIL_FIRST);
}

static void test_reasons(void **state)
{
	(void)state;
	static const struct {
		struct stats_why w;
		bool device;
		enum avail guest, host;
	} rows[] = {
		{{.asked = false}, true, AVAIL_NOT_ASKED, AVAIL_NOT_ASKED},
		{{.asked = true, .hung = true}, true, AVAIL_HUNG, AVAIL_HUNG},
		{{.asked = true, .reported = true, .has_period = true}, false, AVAIL_NO_DEVICE, AVAIL_NONE},
		{{.asked = true, .has_period = true}, true, AVAIL_UNSUPPORTED, AVAIL_UNSUPPORTED},
		{{.asked = true, .reported = true}, true, AVAIL_NONE, AVAIL_NONE},
		{{.asked = true, .reported = true, .has_period = true, .running = true}, true,
			AVAIL_NO_PERIOD, AVAIL_NONE},
		{{.asked = true, .reported = true, .has_period = true, .period_s = 5, .running = true}, true,
			AVAIL_NO_DRIVER, AVAIL_NONE},
		{{.asked = true,
			 .busy = true,
			 .reported = true,
			 .has_period = true,
			 .period_s = 5,
			 .running = true},
			true, AVAIL_BUSY, AVAIL_NONE},
		{{.asked = true, .reported = true, .has_period = true, .period_s = 5}, true, AVAIL_PAUSED,
			AVAIL_NONE},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct vm_memory m = {.balloon_device = rows[i].device};
		stats_memory_reasons(&m, &rows[i].w);
		assert_int_equal(m.unused_kib.avail, rows[i].guest);
		assert_int_equal(m.balloon_kib.avail, rows[i].host);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {T(test_sparse_vcpus), T(test_sums), T(test_facts), T(test_hostile),
		T(test_memory_complete), T(test_all_zero_is_absent), T(test_reasons)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
