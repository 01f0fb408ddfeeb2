/* SPDX-License-Identifier: MIT */
/* What control groups leave a machine: versions 1 and 2, both at once, limits at every level. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/backend/host/cgroup.h"
#include "../support/proctree.h"

#define SCOPE "machine.slice/machine-qemu\\x2d1\\x2da.scope"

static char root[200];
static struct cgroup_dirs dirs;

static int setup(void **state)
{
	(void)state;
	return proctree_begin(root, sizeof root);
}

static int teardown(void **state)
{
	(void)state;
	proctree_end(root);
	return 0;
}

static void put(const char *path, const char *text)
{
	char full[300];
	snprintf(full, sizeof full, "sys/fs/cgroup/%s", path);
	proctree_write(root, full, text, -1);
}

static void find(const char *cgroup)
{
	proctree_write(root, "proc/300/cgroup", cgroup, -1);
	cgroup_find(root, 300, &dirs);
}

static const char *cpus(void)
{
	static char text[64];
	struct cpuset s;
	if (!cgroup_cpus(&dirs.cpuset, &s))
		return "-";
	cpuset_format(&s, text, sizeof text);
	return text;
}

static double quota(uint64_t *group)
{
	struct vf64 q = cgroup_quota(&dirs.cpu, group);
	return vf64_has(q) ? q.v : -1;
}

static void version_2(void **state)
{
	(void)state;
	find("0::/" SCOPE "/libvirt/emulator\n");
	assert_string_equal(cpus(), "-");
	put("cpuset.cpus.effective", "0-7\n");
	assert_string_equal(cpus(), "0-7");
	put("machine.slice/cpuset.cpus.effective", "0-5\n");
	assert_string_equal(cpus(), "0-5");
	put(SCOPE "/cpuset.cpus.effective", "0-3\n"); /* AllowedCPUs of this machine */
	assert_string_equal(cpus(), "0-3");
	put(SCOPE "/libvirt/emulator/cpuset.cpus.effective", "2\n"); /* its emulatorpin is no limit */
	assert_string_equal(cpus(), "0-3");
	put(SCOPE "/cpuset.cpus.effective", "1\n"); /* narrowed while it runs */
	assert_string_equal(cpus(), "1");
	/* A session's QEMU lives in libvirtd's own group; only a slice far above has the controller. */
	find("0::/user.slice/user-1000.slice/user@1000.service/app.slice/libvirtd.service\n");
	put("user.slice/cpuset.cpus.effective", "0-1\n");
	assert_string_equal(cpus(), "0-1");
	find("0::/\n");
	assert_string_equal(cpus(), "0-7");
}

static void version_1(void **state)
{
	(void)state;
	find("12:cpuset:/" SCOPE "/emulator\n4:memory:/other\n1:name=systemd:/" SCOPE "\n");
	put("cpuset/" SCOPE "/emulator/cpuset.cpus", "1\n");
	assert_string_equal(cpus(), "-");
	put("cpuset/machine.slice/cpuset.cpus", "0-3,1030\n");
	assert_string_equal(cpus(), "0-3");
	put("cpuset/" SCOPE "/cpuset.cpus", "\n"); /* nobody has been in it yet */
	assert_string_equal(cpus(), "0-3");
	put("cpuset/" SCOPE "/cpuset.cpus", "2-3\n");
	assert_string_equal(cpus(), "2-3");
	find("3:cpuset:/machine/qemu-1-a.libvirt-qemu/vcpu12\n");
	put("cpuset/cpuset.cpus", "0-7\n");
	put("cpuset/machine/cpuset.cpus", "4-7\n");
	assert_string_equal(cpus(), "4-7");
}

/* The tree of version 2 has what no hierarchy of version 1 has taken. */
static void both_at_once(void **state)
{
	(void)state;
	put("unified/machine.slice/cpuset.cpus.effective", "5\n");
	put("cpuset/machine.slice/cpuset.cpus", "0-3\n");
	find("12:cpuset:/" SCOPE "/libvirt/emulator\n0::/" SCOPE "\n");
	assert_string_equal(cpus(), "0-3");
	find("12:pids,cpusetx:/" SCOPE "\n0::/" SCOPE "\n");
	assert_string_equal(cpus(), "5");
	find("0::/" SCOPE "\n7:cpu,cpuacct,cpuset:/\n");
	put("cpuset/cpuset.cpus", "0-6\n");
	assert_string_equal(cpus(), "0-6");
}

static void what_cannot_be_told_forbids_nothing(void **state)
{
	(void)state;
	static const char *const odd[] = {"", "\n", "0:", "0::", "0::x/y\n", "0::/../../other\n", "cpuset",
		"9:cpuset:", "0::/a\n12:cpuset:/..\n"};
	put("cpuset.cpus.effective", "0-3\n");
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		find(odd[i]);
		assert_string_equal(cpus(), "-");
	}
	char longest[2000];
	memset(longest, 'a', sizeof longest - 1);
	memcpy(longest, "0::/", 4);
	longest[sizeof longest - 1] = '\0';
	find(longest);
	assert_string_equal(cpus(), "-");
	find("0::/" SCOPE "\n");
	put("machine.slice/cpuset.cpus.effective", "0-,x\n");
	assert_string_equal(cpus(), "0-3");
	cgroup_find(root, 301, &dirs); /* no such process */
	assert_string_equal(cpus(), "-");
}

static void quotas(void **state)
{
	(void)state;
	uint64_t own, slice, none;
	find("0::/" SCOPE "/libvirt/emulator\n");
	assert_float_equal(quota(&none), -1, 0);
	assert_int_equal(none, 0);
	put("machine.slice/cpu.max", "60000 100000\n");
	assert_float_equal(quota(&slice), 60, 1e-9);
	put(SCOPE "/cpu.max", "max 100000\n");
	put(SCOPE "/libvirt/cpu.max", "100000 50000\n");
	assert_float_equal(quota(&own), 60, 1e-9);
	assert_true(own == slice && slice != 0);
	put(SCOPE "/libvirt/cpu.max", "20000 100000\n");
	assert_float_equal(quota(&own), 20, 1e-9);
	assert_true(own != slice && own != 0);
	put(SCOPE "/libvirt/cpu.max", "0 0\n");
	assert_float_equal(quota(&own), 60, 1e-9);
	find("5:cpu,cpuacct:/machine/qemu-1-a.libvirt-qemu/emulator\n");
	put("cpu/machine/cpu.cfs_quota_us", "-1\n");
	put("cpu/machine/cpu.cfs_period_us", "100000\n");
	assert_float_equal(quota(&none), -1, 0);
	put("cpu/machine/cpu.cfs_quota_us", "150000\n");
	assert_float_equal(quota(&own), 150, 1e-9);
}

static void memory_is(int64_t own_kib, int64_t around_kib)
{
	struct cgroup_memory m;
	cgroup_memory(&dirs.memory, &m);
	assert_int_equal(vi64_has(m.own_kib) ? m.own_kib.v : -1, own_kib);
	assert_int_equal(vi64_has(m.around_kib) ? m.around_kib.v : -1, around_kib);
	assert_int_equal(m.group != 0, around_kib >= 0);
}

static void memory_limits(void **state)
{
	(void)state;
	find("0::/" SCOPE "/libvirt/emulator\n");
	memory_is(-1, -1);
	put("machine.slice/memory.max", "max\n");
	put(SCOPE "/memory.max", "max\n");
	memory_is(-1, -1);
	put(SCOPE "/memory.max", "4294967296\n");
	memory_is(4 << 20, -1);
	put(SCOPE "/libvirt/memory.high", "3221225472\n");
	memory_is(3 << 20, -1);
	put("machine.slice/memory.max", "8589934592\n");
	memory_is(3 << 20, 8 << 20);
	put("machine.slice/memory.high", "nonsense\n");
	memory_is(3 << 20, 8 << 20);
	put("memory.max", "1073741824\n"); /* the tightest of all around */
	memory_is(3 << 20, 1 << 20);
	/* Version 1, and its way to say "none". */
	find("5:memory:/machine/qemu-1-a.libvirt-qemu/emulator\n");
	put("memory/machine/memory.limit_in_bytes", "9223372036854771712\n");
	memory_is(-1, -1);
	put("memory/machine/qemu-1-a.libvirt-qemu/memory.limit_in_bytes", "1048576\n");
	put("memory/machine/memory.limit_in_bytes", "2097152\n");
	memory_is(1024, 2048);
	/* A session's guests share their service's group. */
	find("0::/user.slice/app.slice/libvirtd.service\n");
	put("user.slice/app.slice/libvirtd.service/memory.high", "524288000\n");
	memory_is(-1, 512000);
}

static int64_t throttled(void)
{
	struct vi64 ns = cgroup_throttled_ns(&dirs.cpu);
	return vi64_has(ns) ? ns.v : -1;
}

/* Of the groups that have a quota, those of the machine alone. */
static void time_without_quota_left(void **state)
{
	(void)state;
	find("0::/" SCOPE "/libvirt/emulator\n");
	assert_int_equal(throttled(), -1);
	put("machine.slice/cpu.max", "60000 100000\n");
	put("machine.slice/cpu.stat", "usage_usec 9\nthrottled_usec 7\n");
	put(SCOPE "/libvirt/vcpu0/cpu.max", "max 100000\n");
	put(SCOPE "/libvirt/vcpu0/cpu.stat", "nr_throttled 4\nthrottled_usec 1000\n");
	assert_int_equal(throttled(), -1);
	put(SCOPE "/libvirt/vcpu0/cpu.max", "20000 100000\n");
	put(SCOPE "/libvirt/vcpu1/cpu.max", "20000 100000\n");
	put(SCOPE "/libvirt/vcpu1/cpu.stat", "throttled_usec 500\n");
	assert_int_equal(throttled(), 1500000);
	put(SCOPE "/libvirt/vcpu2/cpu.max", "20000 100000\n"); /* and no figures */
	put(SCOPE "/libvirt/vcpux/cpu.max", "20000 100000\n");
	put(SCOPE "/cpu.max", "20000 100000\n");
	put(SCOPE "/cpu.stat", "throttled_usec 1\n");
	assert_int_equal(throttled(), 1501000);
	put(SCOPE "/libvirt/vcpu1/cpu.stat", "throttled_usec 99999999999999999999\n");
	assert_int_equal(throttled(), 1001000);
	find("5:cpu,cpuacct:/machine/qemu-1-a.libvirt-qemu/emulator\n");
	put("cpu/machine/qemu-1-a.libvirt-qemu/vcpu0/cpu.cfs_quota_us", "5000\n");
	put("cpu/machine/qemu-1-a.libvirt-qemu/vcpu0/cpu.cfs_period_us", "10000\n");
	put("cpu/machine/qemu-1-a.libvirt-qemu/vcpu0/cpu.stat", "nr_throttled 1\nthrottled_time 77\n");
	assert_int_equal(throttled(), 77);
}

static int64_t weight(void)
{
	struct vi64 w, shares;
	cgroup_weight(&dirs.cpu, &w, &shares);
	assert_int_equal(vi64_has(w), vi64_has(shares));
	return vi64_has(w) ? w.v : -1;
}

static int64_t shares(void)
{
	struct vi64 w, s;
	cgroup_weight(&dirs.cpu, &w, &s);
	return vi64_has(s) ? s.v : -1;
}

static double pressure(const char *of)
{
	struct vf64 p = cgroup_pressure(&dirs.cpu, of);
	return vf64_has(p) ? p.v : -1;
}

static void weight_and_pressure(void **state)
{
	(void)state;
	find("0::/" SCOPE "/libvirt/emulator\n");
	assert_int_equal(weight(), -1);
	put("machine.slice/cpu.weight", "10\n"); /* of all machines together */
	put(SCOPE "/cpu.weight", "50\n");
	put(SCOPE "/libvirt/cpu.weight", "100\n");
	assert_int_equal(weight(), 50);
	put(SCOPE "/cpu.weight", "800\n"); /* what counts against other machines */
	assert_int_equal(weight(), 800);
	assert_int_equal(shares(), 800);
	put(SCOPE "/cpu.weight", "50\n");
	assert_float_equal(pressure("cpu"), -1, 0);
	put("machine.slice/cpu.pressure", "some avg10=99.00 avg60=0.00 avg300=0.00 total=1\n");
	assert_float_equal(pressure("cpu"), -1, 0);
	put(SCOPE "/cpu.pressure", "some avg10=12.50 avg60=1.00 avg300=0.00 total=1\nfull avg10=0.00\n");
	put(SCOPE "/libvirt/io.pressure", "some avg10=oops\n");
	assert_float_equal(pressure("cpu"), 12.5, 1e-9);
	assert_float_equal(pressure("io"), -1, 0);
	find("5:cpu,cpuacct:/machine/qemu-1-a.libvirt-qemu/emulator\n");
	put("cpu/machine/qemu-1-a.libvirt-qemu/cpu.shares", "512\n");
	assert_int_equal(weight(), 50);
	put("cpu/machine/qemu-1-a.libvirt-qemu/cpu.shares", "2\n");
	assert_int_equal(weight(), 1);
	assert_int_equal(shares(), 2); /* as libvirt knows it */
	put("cpu/machine/qemu-1-a.libvirt-qemu/cpu.shares", "262145\n");
	assert_int_equal(weight(), -1);
}

static void processes(void **state)
{
	(void)state;
	pid_t pids[3];
	find("0::/" SCOPE "/libvirt/emulator\n");
	assert_int_equal(cgroup_processes(&dirs.cpu, pids, 3), 0);
	put(SCOPE "/libvirt/emulator/cgroup.procs", "300\n301\n302\n303\n");
	assert_int_equal(cgroup_processes(&dirs.cpu, pids, 3), 3);
	assert_int_equal(pids[2], 302);
	put(SCOPE "/libvirt/emulator/cgroup.procs", "300\nx\n");
	assert_int_equal(cgroup_processes(&dirs.cpu, pids, 3), 1);
	put(SCOPE "/libvirt/emulator/cgroup.procs", "-1\n99999999999\n0\n");
	assert_int_equal(cgroup_processes(&dirs.cpu, pids, 3), 0);
	find("0::/user.slice/app.slice/libvirtd.service\n"); /* of more than one machine */
	put("user.slice/app.slice/libvirtd.service/cgroup.procs", "300\n301\n");
	assert_int_equal(cgroup_processes(&dirs.cpu, pids, 3), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(version_2, setup, teardown),
		cmocka_unit_test_setup_teardown(version_1, setup, teardown),
		cmocka_unit_test_setup_teardown(both_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_told_forbids_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(quotas, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(time_without_quota_left, setup, teardown),
		cmocka_unit_test_setup_teardown(weight_and_pressure, setup, teardown),
		cmocka_unit_test_setup_teardown(processes, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
