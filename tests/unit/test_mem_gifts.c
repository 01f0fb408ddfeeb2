/* SPDX-License-Identifier: MIT */
/* What guests are given beyond the size at which they were found: for a rise that goes on, not for one that
 * ends where it always ended; never for a death that it does not prevent; never from memory that the host
 * owes to pages which it has swapped out; and back at once when the host is short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/mem_toy.h"

#define M(x) ((int64_t)(x)*TOY_MIB)

static struct toy t;

static int teardown(void **state)
{
	(void)state;
	toy_done(&t);
	return 0;
}

static void host_of(int64_t mib)
{
	toy_init(&t, M(mib), M(1024));
	t.cfg.mem_policy = MEM_POLICY_WATERMARK;
}

/* 100 MiB/s up to 900 MiB, kept for 30 s, once every two minutes. */
static void bursts(struct toy *x)
{
	struct toy_guest *g = &x->g[0];
	int64_t at = x->now_s % 120;
	if (at < 50)
		g->want = M(300);
	else if (at < 80)
		g->want = g->want + M(100) < M(900) ? g->want + M(100) : M(900);
	else
		g->want = M(300);
}

static int64_t highest_low_watermark(int64_t seconds)
{
	int64_t most = 0;
	for (int64_t i = 0; i < seconds; i++) {
		toy_run(&t, 1, bursts);
		most = t.status[0].lo_kib.v > most ? t.status[0].lo_kib.v : most;
	}
	return most;
}

static void a_rise_ends_where_the_last_ones_ended(void **state)
{
	(void)state;
	host_of(16384);
	toy_add(&t, M(4096), M(1024), M(300));
	int64_t first = highest_low_watermark(120), later = highest_low_watermark(600);
	assert_true(first > M(1300)); /* nobody knew then */
	assert_in_range(later, M(900), M(1200));
	assert_int_equal(t.g[0].starved_s, 0);
}

/* Seconds of 200 MiB more each; one that is killed begins anew. */
static void rises(struct toy *x)
{
	struct toy_guest *g = &x->g[0];
	if (x->now_s % 60 == 0)
		g->want = M(200);
	else
		g->want = g->killed ? M(200) : g->want + M(40);
}

static int64_t largest_with(int64_t host_mib, int64_t swapped_mib)
{
	host_of(host_mib);
	t.swap_used = M(swapped_mib);
	toy_add(&t, M(4096), M(512), M(200))->swapless = true;
	toy_run(&t, 300, rises);
	return t.g[0].highest;
}

static void what_the_host_has_swapped_out_is_owed(void **state)
{
	(void)state;
	assert_true(largest_with(8192, 0) > M(1200));
	toy_done(&t);
	assert_true(largest_with(8192, 1000) > M(1200));
	toy_done(&t);
	assert_int_equal(largest_with(8192, 8000), M(512));
}

/* Who lets idle memory be taken always wants all guests to get the same from what there is now. */
static void taking_idle_memory_always_gives_it_always(void **state)
{
	(void)state;
	host_of(8192);
	t.cfg.reclaim = RECLAIM_PROACTIVE;
	t.swap_used = M(8000);
	toy_add(&t, M(4096), M(512), M(200))->swapless = true;
	toy_run(&t, 300, rises);
	assert_true(t.g[0].highest > M(1200));
}

/* On 3 GiB, of which 1 are the host's and 410 MiB its reserve, nothing makes room for 3 GiB. */
static void what_saved_nobody_is_not_given_again(void **state)
{
	(void)state;
	host_of(3072);
	t.cfg.host_reserve_kib = M(800);
	toy_add(&t, M(4096), M(512), M(200))->swapless = true;
	toy_run(&t, 600, rises);
	assert_true(t.g[0].kills > 3);
	assert_true(t.g[0].highest > M(512)); /* it was tried */
	t.g[0].want = M(200);
	toy_by_hand(&t, 0, M(512));
	toy_run(&t, 60, NULL);
	t.g[0].up_steps = 0;
	t.g[0].kills = 0;
	char said[sizeof t.status[0].why.text] = "";
	for (int i = 0; i < 120; i++) {
		toy_run(&t, 5, rises);
		if (strstr(t.status[0].why.text, "was killed with"))
			memcpy(said, t.status[0].why.text, sizeof said);
	}
	assert_true(t.g[0].kills > 3); /* it lives as it would by hand, and dies as often */
	assert_int_equal(t.g[0].up_steps, 0);
	assert_non_null(strstr(said, "the host has not enough to save it"));
	t.cfg.mem_peak_s = 5; /* it is forgotten, and tried once more */
	toy_run(&t, 120, rises);
	assert_in_range(t.g[0].balloon, M(1000), M(1300));
}

static void gifts_come_back_between_two_cycles(void **state)
{
	(void)state;
	host_of(8192);
	t.cfg.memory_cycle_s = 60;
	toy_add(&t, M(4096), M(512), M(200));
	toy_run(&t, 300, rises);
	t.g[0].want = M(200);
	toy_run(&t, 61, NULL);
	int64_t had = t.g[0].balloon;
	assert_true(had > M(1024));
	assert_true(mem_ctl_watchful(t.ctl));
	t.base = t.total - M(1024) - t.g[0].touched; /* the host takes it all */
	for (int i = 0; i < 20; i++) {
		t.early = true;
		toy_second(&t);
		toy_sample(&t);
		toy_cycle(&t, ROUND_AUTO);
	}
	assert_true(t.g[0].balloon < had - M(300));
	assert_true(t.g[0].balloon >= M(512));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_rise_ends_where_the_last_ones_ended, teardown),
		cmocka_unit_test_teardown(what_the_host_has_swapped_out_is_owed, teardown),
		cmocka_unit_test_teardown(taking_idle_memory_always_gives_it_always, teardown),
		cmocka_unit_test_teardown(what_saved_nobody_is_not_given_again, teardown),
		cmocka_unit_test_teardown(gifts_come_back_between_two_cycles, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
