/* SPDX-License-Identifier: MIT */
/* The libvirt backend over drivers with gaps and over a host of 512 pCPUs: whatever cannot be had carries its
 * reason, and nothing else is the worse for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/backend/libvirt/libvirt_priv.h"
#include "support/driver.h"

static struct driver d;

static int setup(void **state)
{
	(void)state;
	driver_open_file(&d, "node512.xml");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	driver_close(&d);
	return 0;
}

static void pin(const char *vm, int vcpu, const char *cpus)
{
	struct action a = {.kind = ACTION_PIN, .vcpu = vcpu};
	memcpy(a.uuid, driver_vm(&d, vm)->uuid, UUID_BYTES);
	assert_int_equal(cpuset_parse(&a.to, cpus, NULL), 0);
	d.b->ops->apply(d.b, &a, 1);
	if (a.outcome != OUTCOME_DONE)
		fail_msg("%s: %s", outcome_text(a.outcome), a.error);
}

static void expect_affinity(const char *vm, int vcpu, const char *cpus, bool pinned)
{
	struct cpuset want;
	driver_take(&d, 0);
	const struct vcpu_sample *v = sample_vcpu(&d.s, driver_vm(&d, vm), vcpu);
	assert_non_null(v);
	assert_int_equal(v->affinity_avail, AVAIL_OK);
	assert_int_equal(cpuset_parse(&want, cpus, NULL), 0);
	assert_true(cpuset_equal(&v->affinity, &want));
	assert_int_equal(v->pinned, pinned);
}

static void test_512_pcpus(void **state)
{
	(void)state;
	driver_take(&d, SAMPLE_BALLOON | SAMPLE_PCPUS);
	assert_int_equal(d.s.host.n_pcpus, 512);
	assert_int_equal(d.s.host.pcpus[511].id, 511);
	assert_true(d.s.host.pcpus[511].online);
	assert_int_equal(driver_vm(&d, "wide")->n_vcpus, 64);
	pin("wide", 63, "511");
	expect_affinity("wide", 63, "511", true);
	expect_affinity("wide", 62, "0-511", false);
	pin("wide", 63, "0-1023");
	expect_affinity("wide", 63, "0-511", false);
	pin("wide", 0, "1,63-65,127,128,511");
	expect_affinity("wide", 0, "1,63-65,127,128,511", true);
}

static void test_rules_beyond_64(void **state)
{
	struct cpuset want;
	(void)state;
	driver_take(&d, 0);
	assert_int_equal(cpuset_parse(&want, "500-511", NULL), 0);
	assert_true(cpuset_equal(&sample_vcpu(&d.s, driver_vm(&d, "far"), 1)->allowed, &want));
	assert_int_equal(cpuset_count(&sample_vcpu(&d.s, driver_vm(&d, "wide"), 1)->allowed), CPUSET_CPUS);
	assert_int_equal(driver_vm(&d, "sparse")->n_vcpus, 1);
}

static void has_reason(const char *what, enum avail a)
{
	if (a == AVAIL_NONE || avail_text(a) == NULL)
		fail_msg("%s is absent without a reason", what);
}

static void vm_has_reasons(const struct vm_sample *vm)
{
	const struct vm_memory *m = &vm->mem;
	const struct vm_io *io = &vm->io;
	const struct vi64 mem[] = {m->max_kib, m->balloon_kib, m->unused_kib, m->usable_kib, m->available_kib,
		m->caches_kib, m->rss_kib, m->swap_in_kib, m->swap_out_kib, m->major_faults,
		m->last_update_ns, m->period_s};
	const struct vi64 dev[] = {io->rd_reqs, io->wr_reqs, io->rd_bytes, io->wr_bytes, io->rx_bytes,
		io->tx_bytes, io->rx_pkts, io->tx_pkts};
	for (size_t i = 0; i < sizeof mem / sizeof *mem; i++)
		has_reason("memory", mem[i].avail);
	for (size_t i = 0; i < sizeof dev / sizeof *dev; i++)
		has_reason("I/O", dev[i].avail);
	for (size_t i = 0; i < vm->n_vcpus; i++) {
		const struct vcpu_sample *v = &d.s.vcpus[vm->first_vcpu + i];
		has_reason("run time", v->time_ns.avail);
		has_reason("delay", v->delay_ns.avail);
		has_reason("pCPU", v->pcpu.avail);
		has_reason("affinity", v->affinity_avail);
	}
	has_reason("CPU time", vm->cpu_time_ns.avail);
}

static void all_have_reasons(void)
{
	for (size_t i = 0; i < d.s.host.n_pcpus; i++) {
		has_reason("busy", d.s.host.pcpus[i].busy_ns.avail);
		has_reason("idle", d.s.host.pcpus[i].idle_ns.avail);
	}
	has_reason("host memory", d.s.host.total_kib.avail);
	has_reason("host memory available", d.s.host.available_kib.avail);
	has_reason("host memory free", d.s.host.free_kib.avail);
	has_reason("memory pressure", d.s.host.psi_some_avg10.avail);
	assert_true(d.s.n_vms > 0);
	for (size_t i = 0; i < d.s.n_vms; i++)
		vm_has_reasons(&d.s.vms[i]);
}

static void test_gaps_have_reasons(void **state)
{
	static const unsigned groups[] = {0, SAMPLE_BALLOON, SAMPLE_PCPUS, SAMPLE_BLOCK | SAMPLE_NET,
		SAMPLE_BALLOON | SAMPLE_BLOCK | SAMPLE_NET | SAMPLE_PCPUS};
	(void)state;
	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
		driver_take(&d, groups[i]);
		all_have_reasons();
	}
}

static void test_default_has_reasons(void **state)
{
	(void)state;
	driver_open(&d, "test:///default");
	for (int i = 0; i < 3; i++) {
		driver_take(&d, SAMPLE_BALLOON | SAMPLE_PCPUS);
		all_have_reasons();
	}
	teardown(state);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {T(test_512_pcpus), T(test_rules_beyond_64),
		T(test_gaps_have_reasons), cmocka_unit_test(test_default_has_reasons)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
