/* SPDX-License-Identifier: MIT */
/* Facts of the host from a made-up /proc and /sys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/backend/host/localhost.h"
#include "../support/proctree.h"

#define ROOT "tests/unit/data/host"

static const int64_t tick_ms = 10; /* the tree's numbers are in clock ticks of 10 ms */

static void test_host(void **state)
{
	(void)state;
	struct sample s;
	sample_init(&s);
	assert_int_equal(sysconf(_SC_CLK_TCK), 1000 / tick_ms);
	assert_int_equal(localhost_host(ROOT, &s), 0);
	assert_int_equal(sample_finish(&s, NULL), 0);
	/* 0 and 2 are online; 1 and 3 are present; 5000 and the cut line are not taken */
	assert_int_equal(s.host.n_pcpus, 4);
	const struct pcpu_sample *p = s.host.pcpus;
	assert_true(p[0].online && !p[1].online && p[2].online && !p[3].online);
	assert_int_equal(p[0].busy_ns.v, (500 + 10 + 200 + 3 + 7) * tick_ms * 1000000);
	assert_int_equal(p[0].idle_ns.v, (4000 + 50) * tick_ms * 1000000);
	assert_int_equal(p[0].steal_ns.v, 5 * tick_ms * 1000000);
	assert_int_equal(p[2].steal_ns.v, 0);
	assert_int_equal(p[1].busy_ns.avail, AVAIL_OFFLINE);
	assert_int_equal(p[1].steal_ns.avail, AVAIL_OFFLINE);
	assert_false(p[0].isolated);
	assert_true(p[2].isolated);
	assert_true(p[0].nohz_full && !p[2].nohz_full); /* which is no isolation */
	assert_int_equal(p[0].node, 0);
	assert_int_equal(p[3].node, 1);
	assert_int_equal(s.host.total_kib.v, 16384000);
	assert_int_equal(s.host.available_kib.v, 8192000);
	assert_int_equal(s.host.swap_free_kib.v, 1500000);
	assert_int_equal(s.host.swap_used_kib.v, 548000);
	assert_int_equal(s.host.free_kib.v, 1024000);
	assert_float_equal(s.host.psi_some_avg10.v, 12.5, 0.001);
	assert_float_equal(s.host.psi_full_avg10.v, 3.25, 0.001);
	assert_int_equal(s.host.n_nodes, 2);
	assert_int_equal(s.host.nodes[1].free_kib.v, 524000);
	sample_done(&s);
}

/* The cache of ZFS counts as available down to its minimum: 3 GiB, 1 GiB of which stay. */
static void test_zfs(void **state)
{
	(void)state;
	struct sample s;
	sample_init(&s);
	assert_int_equal(localhost_host(ROOT "-zfs", &s), 0);
	assert_int_equal(s.host.available_kib.v, 8192000 + 2 * 1024 * 1024);
	assert_false(vi64_has(s.host.swap_used_kib)); /* free is not told: nor is used */
	assert_int_equal(s.host.arc_kib.v, 2 * 1024 * 1024);
	sample_done(&s);
}

static void put_khz(const char *root, int cpu, const char *name, const char *text)
{
	char path[100];
	snprintf(path, sizeof path, "sys/devices/system/cpu/cpu%d/cpufreq/%s", cpu, name);
	proctree_write(root, path, text, -1);
}

static double speed(const char *root, struct localhost_speeds *k, struct sample *s, size_t i)
{
	localhost_speed(root, k, s);
	return vf64_has(s->host.pcpus[i].speed_pct) ? s->host.pcpus[i].speed_pct.v : -1;
}

/* Of what it holds with all cores at work where that is told; a machine that tells nothing is not asked
 * again. */
static void test_speed(void **state)
{
	(void)state;
	static struct localhost_speeds k, none;
	char root[200];
	struct sample s;
	sample_init(&s);
	assert_int_equal(proctree_begin(root, sizeof root), 0);
	assert_int_equal(localhost_host(ROOT, &s), 0);
	assert_float_equal(speed(root, &none, &s, 0), -1, 0);
	assert_int_equal(s.host.pcpus[0].speed_pct.avail, AVAIL_UNSUPPORTED);
	put_khz(root, 0, "cpuinfo_max_freq", "4000000\n");
	put_khz(root, 0, "scaling_cur_freq", "1000000\n");
	put_khz(root, 2, "cpuinfo_max_freq", "4000000\n");
	put_khz(root, 2, "base_frequency", "2000000\n");
	put_khz(root, 2, "scaling_cur_freq", "1000000\n");
	assert_float_equal(speed(root, &none, &s, 0), -1, 0);
	assert_float_equal(speed(root, &k, &s, 0), 25, 1e-9);
	assert_int_equal(s.host.pcpus[1].id, 2); /* in the order of /proc/stat */
	assert_float_equal(s.host.pcpus[1].speed_pct.v, 50, 1e-9);
	put_khz(root, 0, "scaling_cur_freq", "<unknown>\n");
	assert_float_equal(speed(root, &k, &s, 0), -1, 0);
	put_khz(root, 0, "scaling_cur_freq", "2000000\n");
	assert_float_equal(speed(root, &k, &s, 0), 50, 1e-9);
	proctree_end(root);
	sample_done(&s);
}

static void test_no_proc(void **state)
{
	(void)state;
	struct sample s;
	sample_init(&s);
	assert_int_equal(localhost_host("tests/unit/data/nowhere", &s), -1);
	assert_int_equal(s.host.n_pcpus, 0);
	sample_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_zfs),
		cmocka_unit_test(test_speed),
		cmocka_unit_test(test_no_proc),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
