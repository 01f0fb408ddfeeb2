/* SPDX-License-Identifier: MIT */
/* Facts of the host from a made-up /proc and /sys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/backend/localhost.h"

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
	assert_int_equal(p[1].busy_ns.avail, AVAIL_OFFLINE);
	assert_false(p[0].isolated);
	assert_true(p[2].isolated);
	assert_true(p[0].nohz_full && !p[2].nohz_full); /* which is no isolation */
	assert_int_equal(p[0].node, 0);
	assert_int_equal(p[3].node, 1);
	assert_int_equal(s.host.total_kib.v, 16384000);
	assert_int_equal(s.host.available_kib.v, 8192000);
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
	assert_int_equal(s.host.arc_kib.v, 2 * 1024 * 1024);
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
		cmocka_unit_test(test_no_proc),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
