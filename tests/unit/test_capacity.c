/* SPDX-License-Identifier: MIT */
/* What pCPUs do beside the largest, from the sysfs of made-up machines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/backend/host/capacity.h"
#include "support/proctree.h"

enum { CPUS_MOST = 32 };
static char root[256];
static struct topology_cpu cpus[CPUS_MOST];
static struct topology topology = {.cpus = cpus};

static void machine(int n)
{
	assert_int_equal(proctree_begin(root, sizeof root), 0);
	topology.n_cpus = (size_t)n;
	for (int i = 0; i < n; i++)
		cpus[i] = (struct topology_cpu){.id = i, .capacity = 77};
}

static void put(int first, int last, const char *file, const char *text)
{
	char path[128];
	for (int i = first; i <= last; i++) {
		snprintf(path, sizeof path, "sys/devices/system/cpu/cpu%d/%s", i, file);
		proctree_write(root, path, text, -1);
	}
}

#define MAX_FREQ "cpufreq/cpuinfo_max_freq"

static void read_now(void)
{
	capacity_read(root, &topology);
	proctree_end(root);
}

static void expect(int first, int last, int least, int most)
{
	for (int i = first; i <= last; i++)
		if (cpus[i].capacity < least || cpus[i].capacity > most)
			fail_msg("pCPU %d: %d", i, cpus[i].capacity);
}

/* 8 P-cores of two threads, two of them preferred, and 8 E-cores. */
static void intel_hybrid(void **state)
{
	(void)state;
	machine(24);
	put(0, 15, MAX_FREQ, "5400000\n");
	put(8, 11, MAX_FREQ, "5800000\n");
	put(16, 23, MAX_FREQ, "4300000\n");
	proctree_write(root, "sys/devices/cpu_core/cpus", "0-15\n", -1);
	proctree_write(root, "sys/devices/cpu_atom/cpus", "16-23\n", -1);
	read_now();
	expect(0, 15, 1024, 1024);
	expect(16, 23, 759, 759);
}

/* Of two kinds that run alike the one that is named the lesser is not equal. */
static void intel_hybrid_alike(void **state)
{
	(void)state;
	machine(12);
	put(0, 11, MAX_FREQ, "4600000\n");
	proctree_write(root, "sys/devices/cpu_core/cpus", "0-7\n", -1);
	proctree_write(root, "sys/devices/cpu_atom/cpus", "8-11\n", -1);
	read_now();
	expect(0, 7, 1024, 1024);
	expect(8, 11, 922, 922);
}

static void arm_big_little(void **state)
{
	(void)state;
	machine(8);
	put(0, 3, "cpu_capacity", "446\n");
	put(4, 6, "cpu_capacity", "871\n");
	put(7, 7, "cpu_capacity", "1024\n");
	put(0, 7, MAX_FREQ, "1800000\n"); /* the rating counts */
	read_now();
	expect(0, 3, 446, 446);
	expect(4, 6, 871, 871);
	expect(7, 7, 1024, 1024);
}

static void amd_preferred_cores_are_equal(void **state)
{
	(void)state;
	static const char *const khz[] = {"5881000\n", "5600000\n", "5400000\n", "5137000\n"};
	machine(16);
	for (int i = 0; i < 16; i++)
		put(i, i, MAX_FREQ, khz[i % 4]);
	read_now();
	expect(0, 15, 1024, 1024);
}

static void amd_dense_cores_are_not(void **state)
{
	(void)state;
	machine(12);
	put(0, 3, MAX_FREQ, "4900000\n");
	put(4, 11, MAX_FREQ, "3500000\n");
	read_now();
	expect(0, 3, 1024, 1024);
	expect(4, 11, 731, 732);
}

static void nothing_told_is_not_known(void **state)
{
	(void)state;
	machine(4);
	read_now();
	expect(0, 3, 0, 0);
	for (int i = 0; i < 4; i++)
		assert_true(pcpu_capacity(&(struct pcpu_sample){.capacity = cpus[i].capacity}) == 1);
}

/* Of offline pCPUs there is no frequency, and files may hold anything. */
static void odd_files(void **state)
{
	(void)state;
	static const char *const odd[] = {
		"", "-5\n", "0\n", "abc\n", "99999999999999999999999\n", "\n\n4000000"};
	machine(8);
	for (int i = 0; i < 6; i++)
		put(i, i, MAX_FREQ, odd[i]);
	put(6, 6, MAX_FREQ, "4000000\n");
	read_now();
	expect(0, 7, 1024, 1024);
	machine(2);
	put(0, 0, "cpu_capacity", "1\n");
	put(1, 1, "cpu_capacity", "2000000000\n");
	read_now();
	expect(0, 0, 1, 1);
	expect(1, 1, 1024, 1024);
}

/* A remote host's numbers are not this machine's. */
static void only_of_this_machine(void **state)
{
	(void)state;
	struct sample s;
	machine(2);
	put(0, 0, "cpu_capacity", "500\n");
	put(1, 1, "cpu_capacity", "1000\n");
	read_now();
	sample_init(&s);
	sample_add_pcpu(&s, 0);
	sample_add_pcpu(&s, 1);
	topology_apply(&topology, &s);
	assert_int_equal(s.host.pcpus[0].capacity, 0);
	s.host.local = true;
	topology_apply(&topology, &s);
	assert_int_equal(s.host.pcpus[0].capacity, 512);
	assert_int_equal(s.host.pcpus[1].capacity, 1024);
	sample_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(intel_hybrid),
		cmocka_unit_test(intel_hybrid_alike),
		cmocka_unit_test(arm_big_little),
		cmocka_unit_test(amd_preferred_cores_are_equal),
		cmocka_unit_test(amd_dense_cores_are_not),
		cmocka_unit_test(nothing_told_is_not_known),
		cmocka_unit_test(odd_files),
		cmocka_unit_test(only_of_this_machine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
