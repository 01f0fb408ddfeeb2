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

#include "../../src/backend/libvirt_priv.h"
#include "vmtop/config.h"

static struct config cfg;
static struct backend *b;
static struct sample s;

static void open_uri(const char *uri)
{
	struct err e = ERR_INIT;
	config_defaults(&cfg);
	cfg.sample_deadline_s = 10;
	snprintf(cfg.uri, sizeof cfg.uri, "%s", uri);
	b = backend_libvirt_open(&cfg, &e);
	if (!b)
		fail_msg("%s", e.msg);
	sample_init(&s);
}

static int setup(void **state)
{
	char cwd[300], uri[400];
	(void)state;
	assert_non_null(getcwd(cwd, sizeof cwd));
	snprintf(uri, sizeof uri, "test://%s/tests/unit/data/node512.xml", cwd);
	open_uri(uri);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sample_done(&s);
	b->ops->close(b);
	return 0;
}

static void take(unsigned groups)
{
	struct err e = ERR_INIT;
	if (b->ops->sample(b, groups, &s, &e) < 0)
		fail_msg("%s", e.msg);
}

static const struct vm_sample *vm_named(const char *name)
{
	for (size_t i = 0; i < s.n_vms; i++)
		if (strcmp(s.vms[i].name, name) == 0)
			return &s.vms[i];
	fail_msg("no VM %s", name);
	return NULL;
}

static void pin(const char *vm, int vcpu, const char *cpus)
{
	struct action a = {.kind = ACTION_PIN, .vcpu = vcpu};
	memcpy(a.uuid, vm_named(vm)->uuid, UUID_BYTES);
	assert_int_equal(cpuset_parse(&a.to, cpus, NULL), 0);
	b->ops->apply(b, &a, 1);
	if (a.outcome != OUTCOME_DONE)
		fail_msg("%s: %s", outcome_text(a.outcome), a.error);
}

static void expect_affinity(const char *vm, int vcpu, const char *cpus, bool pinned)
{
	struct cpuset want;
	take(0);
	const struct vcpu_sample *v = sample_vcpu(&s, vm_named(vm), vcpu);
	assert_non_null(v);
	assert_int_equal(v->affinity_avail, AVAIL_OK);
	assert_int_equal(cpuset_parse(&want, cpus, NULL), 0);
	assert_true(cpuset_equal(&v->affinity, &want));
	assert_int_equal(v->pinned, pinned);
}

static void test_512_pcpus(void **state)
{
	(void)state;
	take(SAMPLE_BALLOON | SAMPLE_PCPUS);
	assert_int_equal(s.host.n_pcpus, 512);
	assert_int_equal(s.host.pcpus[511].id, 511);
	assert_true(s.host.pcpus[511].online);
	assert_int_equal(vm_named("wide")->n_vcpus, 64);
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
	take(0);
	assert_int_equal(cpuset_parse(&want, "500-511", NULL), 0);
	assert_true(cpuset_equal(&sample_vcpu(&s, vm_named("far"), 1)->allowed, &want));
	assert_int_equal(cpuset_count(&sample_vcpu(&s, vm_named("wide"), 1)->allowed), CPUSET_CPUS);
	assert_int_equal(vm_named("sparse")->n_vcpus, 1);
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
		const struct vcpu_sample *v = &s.vcpus[vm->first_vcpu + i];
		has_reason("run time", v->time_ns.avail);
		has_reason("delay", v->delay_ns.avail);
		has_reason("pCPU", v->pcpu.avail);
		has_reason("affinity", v->affinity_avail);
	}
	has_reason("CPU time", vm->cpu_time_ns.avail);
}

static void all_have_reasons(void)
{
	for (size_t i = 0; i < s.host.n_pcpus; i++) {
		has_reason("busy", s.host.pcpus[i].busy_ns.avail);
		has_reason("idle", s.host.pcpus[i].idle_ns.avail);
	}
	has_reason("host memory", s.host.total_kib.avail);
	has_reason("host memory available", s.host.available_kib.avail);
	has_reason("host memory free", s.host.free_kib.avail);
	has_reason("memory pressure", s.host.psi_some_avg10.avail);
	assert_true(s.n_vms > 0);
	for (size_t i = 0; i < s.n_vms; i++)
		vm_has_reasons(&s.vms[i]);
}

static void test_gaps_have_reasons(void **state)
{
	static const unsigned groups[] = {0, SAMPLE_BALLOON, SAMPLE_PCPUS, SAMPLE_BLOCK | SAMPLE_NET,
		SAMPLE_BALLOON | SAMPLE_BLOCK | SAMPLE_NET | SAMPLE_PCPUS};
	(void)state;
	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
		take(groups[i]);
		all_have_reasons();
	}
}

static void test_default_has_reasons(void **state)
{
	(void)state;
	open_uri("test:///default");
	for (int i = 0; i < 3; i++) {
		take(SAMPLE_BALLOON | SAMPLE_PCPUS);
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
