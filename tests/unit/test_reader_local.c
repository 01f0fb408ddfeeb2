/* SPDX-License-Identifier: MIT */
/* A reader whose VMs are of libvirt's test driver and whose processes are in a made-up /proc: everything that
 * can go wrong between the two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libvirt/virterror.h>

#include <cmocka.h>

#include "../../src/backend/libvirt/libvirt_rows.h"
#include "../support/proctree.h"
#include "vmtop/err.h"

enum { VMS = 5, VCPUS = 2, EXTRA = 1, PIDS = VCPUS + EXTRA + 1 };

static char root[200];
static virConnectPtr conn;
static struct lv_reader *rd;
static const struct sample *s;

static int setup(void **state)
{
	char uri[300];
	struct connect_result host = {.driver = "QEMU", .hostname = "here", .local = true};
	(void)state;
	if (proctree_begin(root, sizeof root) < 0)
		return -1;
	proctree_host(root, VMS, VCPUS, EXTRA, uri, sizeof uri);
	conn = virConnectOpen(uri);
	rd = lv_reader_new(&host, NULL);
	if (!conn || !rd)
		return -1;
	local_root_init(&rd->proc, root);
	s = lv_reader_sample(rd);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lv_reader_free(rd);
	virConnectClose(conn);
	proctree_end(root);
	return 0;
}

static void take(unsigned groups)
{
	struct err e = ERR_INIT;
	struct read_order o = {.groups = groups, .budget_ns = INT64_C(2000000000), .use_proc = true};
	if (lv_reader_run(rd, conn, &o, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(s->n_vms, VMS);
}

static int pid_of(int i)
{
	return 1000 + i * PIDS;
}

static const struct vm_sample *vm(int i)
{
	char text[40];
	uint8_t uuid[UUID_BYTES];
	proctree_uuid(i, text);
	assert_int_equal(uuid_parse(uuid, text), 0);
	const struct vm_sample *v = sample_vm_by_uuid(s, uuid);
	assert_non_null(v);
	return v;
}

static const struct vcpu_sample *vcpu(int i, int id)
{
	const struct vcpu_sample *v = sample_vcpu(s, vm(i), id);
	assert_non_null(v);
	return v;
}

static void change(int i, const char *file, const char *text)
{
	char path[200], full[400];
	snprintf(path, sizeof path, "proc/%d/%s", pid_of(i), file);
	snprintf(full, sizeof full, "%s/%s", root, path);
	if (text)
		proctree_write(root, path, text, -1);
	else
		assert_int_equal(unlink(full), 0);
}

static struct proctree_vm process(int i, char uuid[40], int vcpus)
{
	proctree_uuid(i, uuid);
	return (struct proctree_vm){.pid = pid_of(i),
		.uuid = uuid,
		.vcpus = vcpus,
		.start = 5000 + i,
		.user = 30,
		.system = 10,
		.rss_pages = 256};
}

static void test_all_local(void **state)
{
	(void)state;
	take(SAMPLE_BALLOON | SAMPLE_PCPUS);
	assert_true(s->host.local);
	assert_int_equal(s->cost.n_local, VMS);
	assert_int_equal(s->cost.n_bulk, 0);
	for (int i = 0; i < VMS; i++) {
		assert_int_equal(vm(i)->n_vcpus, VCPUS);
		assert_int_equal(vcpu(i, 1)->time_ns.v, 1000000 * (i + 1) + 1);
		assert_int_equal(vcpu(i, 1)->delay_ns.v, 5001);
		assert_int_equal(vcpu(i, 1)->pcpu.v, 1);
		assert_int_equal(cpuset_count(&vcpu(i, 0)->affinity), 4);
		assert_false(vcpu(i, 0)->pinned);
		assert_int_equal(vm(i)->cpu_time_ns.v, 40 * (INT64_C(1000000000) / sysconf(_SC_CLK_TCK)));
		/* without statistics all that there is to know costs no call */
		assert_int_equal(vm(i)->mem.max_kib.v, 1048576);
		assert_int_equal(vm(i)->mem.balloon_kib.v, 524288);
		assert_int_equal(vm(i)->mem.rss_kib.v, 256 * (sysconf(_SC_PAGESIZE) / 1024));
		assert_int_equal(vm(i)->mem.usable_kib.avail, AVAIL_NO_PERIOD);
	}
	int first = s->cost.calls;
	take(0);
	assert_int_equal(s->cost.n_local, VMS);
	/* the list of VMs alone */
	assert_int_equal(s->cost.calls, 1);
	assert_true(first > VMS);
}

static void test_balloon_event(void **state)
{
	(void)state;
	take(0);
	lv_reader_balloon(rd, vm(2)->uuid, 400000);
	take(0);
	assert_int_equal(vm(2)->mem.balloon_kib.v, 400000);
	assert_int_equal(vm(1)->mem.balloon_kib.v, 524288);
}

static void test_one_without_process(void **state)
{
	(void)state;
	change(3, "cmdline", "some\n");
	take(0);
	assert_true(s->host.local);
	assert_int_equal(s->cost.n_local, VMS - 1);
	assert_int_equal(s->cost.n_bulk, 1);
	/* the others are as before, and this one is as the driver has it */
	assert_int_equal(vcpu(2, 0)->time_ns.v, 3000000);
	assert_int_equal(vm(3)->n_vcpus, VCPUS);
	assert_int_equal(vcpu(3, 0)->affinity_avail, AVAIL_OK);
	assert_false(vi64_has(vcpu(3, 0)->delay_ns));
}

/* Names and sockets may say that it is here: no process, no belief. */
static void test_nobody_here(void **state)
{
	(void)state;
	for (int i = 0; i < VMS; i++)
		change(i, "cmdline", "some\n");
	take(SAMPLE_PCPUS);
	assert_false(s->host.local);
	assert_int_equal(s->cost.n_local, 0);
	assert_int_equal(s->cost.n_bulk, VMS);
	assert_int_equal(s->host.psi_full_avg10.avail, AVAIL_REMOTE);
}

static void test_other_memory(void **state)
{
	(void)state;
	proctree_write(root, "proc/meminfo", "nothing here\n", -1);
	take(0);
	assert_false(s->host.local);
	assert_int_equal(s->cost.n_local, 0);
}

static void test_thread_ends(void **state)
{
	char file[64];
	(void)state;
	take(0);
	snprintf(file, sizeof file, "task/%d/schedstat", pid_of(1) + 2);
	change(1, file, NULL);
	take(0);
	assert_int_equal(s->cost.n_local, VMS - 1);
	assert_int_equal(vm(1)->n_vcpus, VCPUS); /* from the driver for once */
	assert_int_equal(vcpu(0, 1)->time_ns.v, 1000001);
	change(1, file, "77 88 1\n");
	take(0);
	assert_int_equal(s->cost.n_local, VMS);
	assert_int_equal(vcpu(1, 1)->time_ns.v, 77);
}

static void test_plugged(void **state)
{
	char uuid[40];
	(void)state;
	take(0);
	struct proctree_vm more = process(4, uuid, VCPUS + EXTRA);
	proctree_vm(root, &more, 900, 900);
	virDomainPtr dom = virDomainLookupByUUIDString(conn, uuid);
	assert_int_equal(virDomainSetVcpus(dom, VCPUS + EXTRA), 0);
	virDomainFree(dom);
	vm_cache_find(&rd->caches, vm(4)->uuid)->scanned_ns = 0; /* a while ago */
	take(0);
	assert_int_equal(s->cost.n_local, VMS);
	assert_int_equal(vm(4)->n_vcpus, VCPUS + EXTRA);
	assert_int_equal(vcpu(4, 2)->time_ns.v, 902);
	assert_int_equal(vm(3)->n_vcpus, VCPUS);
}

/* Threads that libvirt does not know of: its own numbers count. */
static void test_disagreement(void **state)
{
	char uuid[40];
	(void)state;
	struct proctree_vm more = process(0, uuid, VCPUS + EXTRA);
	proctree_vm(root, &more, 900, 900);
	take(0);
	take(0);
	assert_int_equal(s->cost.n_local, VMS - 1);
	assert_int_equal(vm(0)->n_vcpus, VCPUS);
}

/* The pid is another process's by now. */
static void test_reused_pid(void **state)
{
	char uuid[40];
	(void)state;
	take(0);
	struct proctree_vm other = process(2, uuid, VCPUS);
	other.uuid = "12345678-0000-4000-8000-000000000000";
	other.start = 999999;
	proctree_vm(root, &other, 1, 1);
	take(0);
	assert_int_equal(s->cost.n_local, VMS - 1);
	assert_int_equal(vm(2)->n_vcpus, VCPUS);
	assert_false(vi64_has(vcpu(2, 0)->delay_ns));
}

static void test_stopped(void **state)
{
	char uuid[40];
	(void)state;
	take(0);
	struct proctree_vm still = process(2, uuid, VCPUS);
	still.state = 'T';
	proctree_vm(root, &still, 1, 1);
	take(SAMPLE_BALLOON);
	assert_true(vm(2)->hung_since_ns > 0);
	assert_int_equal(vm(1)->hung_since_ns, 0);
	assert_int_equal(vcpu(2, 0)->time_ns.v, 1);
}

/* A driver without the bulk call: the list alone, and each VM asked for its state. */
static void test_no_bulk_call(void **state)
{
	(void)state;
	rd->no_bulk = true;
	take(SAMPLE_BALLOON);
	assert_int_equal(s->cost.n_local, VMS);
	assert_int_equal(vm(1)->state, VM_RUNNING);
	rd->host.local = false;
	take(SAMPLE_BALLOON);
	assert_int_equal(s->cost.n_bulk, VMS);
	assert_int_equal(vm(1)->state, VM_RUNNING);
	assert_int_equal(vm(1)->n_vcpus, VCPUS);
	assert_int_equal(vm(1)->mem.max_kib.v, 1048576);
	assert_true(vi64_has(vcpu(1, 0)->time_ns));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void silent(void *data, virErrorPtr error)
{
	(void)data;
	(void)error;
}

int main(void)
{
	virSetErrorFunc(NULL, silent);
	const struct CMUnitTest tests[] = {T(test_all_local), T(test_balloon_event),
		T(test_one_without_process), T(test_nobody_here), T(test_other_memory), T(test_thread_ends),
		T(test_plugged), T(test_disagreement), T(test_reused_pid), T(test_stopped),
		T(test_no_bulk_call)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
