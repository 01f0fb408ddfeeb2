/* SPDX-License-Identifier: MIT */
/* Memory that not everybody may have: of a node that guests are bound to, under a guest's own limit, in a
 * control group with a limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/core/mem_priv.h"
#include "support/mem_toy.h"

static struct toy t;

#define M(x) ((int64_t)(x)*TOY_MIB)

/* 16 GiB in two nodes, 1 GiB of the host's own. */
static void host(int nodes)
{
	toy_init(&t, M(16384), M(1024));
	t.nodes = nodes;
}

static struct toy_guest *guest(int64_t has_mib, int64_t wants_mib, int node)
{
	struct toy_guest *g = toy_add(&t, M(6144), M(has_mib), M(wants_mib));
	g->touched = g->balloon; /* memory that it once used */
	g->node = node;
	return g;
}

static int64_t node_free(int node)
{
	return t.sample.host.nodes[node - 1].free_kib.v;
}

static void a_node_feeds_its_guests_down_to_its_part_of_the_reserve(void **state)
{
	(void)state;
	host(2);
	for (int i = 0; i < 3; i++)
		guest(1024, 5000, 1);
	toy_run(&t, 120, NULL);
	assert_string_equal(t.broken, "");
	assert_in_range(node_free(1), M(400), M(600)); /* half of 1 GiB */
	for (int i = 0; i < 3; i++)
		assert_int_equal(t.status[i].why.code, REASON_NODE_LOW);
	assert_non_null(strstr(t.status[0].why.text, "node 0"));
	assert_in_range(t.g[0].balloon - t.g[2].balloon + M(100), 0, M(200)); /* alike */
	toy_done(&t);
}

static void guests_elsewhere_give_nothing_for_it(void **state)
{
	(void)state;
	host(2);
	guest(4096, 300, 2);
	guest(3072, 300, 1);
	guest(3072, 6000, 1);
	toy_run(&t, 120, NULL);
	assert_int_equal(t.g[0].calls, 0);
	assert_true(t.g[1].balloon < M(2200)); /* its neighbour on the node does */
	assert_true(t.g[2].balloon > M(4500));
	toy_done(&t);
}

/* Not known: as if nobody were bound. */
static void a_host_that_tells_no_nodes_bounds_nobody(void **state)
{
	(void)state;
	host(0);
	guest(1024, 5000, 1);
	guest(1024, 5000, 1);
	toy_run(&t, 60, NULL);
	assert_int_equal(t.g[0].starved_s > 30 || t.g[1].starved_s > 30, false);
	toy_done(&t);
}

static void a_limit_of_its_own_is_its_maximum(void **state)
{
	(void)state;
	host(0);
	guest(1024, 5000, 0)->limit = M(2560);
	toy_run(&t, 60, NULL);
	assert_in_range(t.g[0].highest, M(2400), M(2560 - 64));
	assert_int_equal(t.status[0].why.code, REASON_AT_MAX);
	assert_non_null(strstr(t.status[0].why.text, "limit"));
	toy_done(&t);
}

/* A limit below what it has takes nothing away. */
static void a_limit_that_is_exceeded_already_shrinks_nobody(void **state)
{
	(void)state;
	host(0);
	guest(3072, 2500, 0)->limit = M(1024);
	toy_run(&t, 60, NULL);
	assert_int_equal(t.g[0].calls, 0);
	toy_done(&t);
}

static void a_group_never_gets_more_than_its_limit(void **state)
{
	(void)state;
	host(0);
	guest(2048, 300, 0); /* outside */
	for (int i = 0; i < 3; i++)
		guest(1024, i ? 4000 : 300, 0)->group_limit = M(5120);
	for (int s = 0; s < 240; s++) {
		toy_second(&t);
		toy_beat(&t);
		int64_t sum = 0;
		for (int i = 1; i < 4; i++)
			sum += (t.g[i].balloon > t.g[i].target ? t.g[i].balloon : t.g[i].target) + M(64);
		assert_true(sum <= M(5120));
	}
	assert_int_equal(t.g[0].calls, 0);
	assert_true(t.g[1].balloon < M(1010)); /* gave to its own */
	assert_int_equal(t.status[2].why.code, REASON_LIMIT_LOW);
	assert_in_range(t.g[2].balloon - t.g[3].balloon + M(100), 0, M(200));
	toy_done(&t);
}

static void one_shares_order_holds_on_a_node(void **state)
{
	(void)state;
	host(2);
	guest(1024, 5000, 1)->rule.mem_shares = 4;
	guest(1024, 5000, 1);
	toy_run(&t, 300, NULL);
	int64_t least = mem_floor_kib(&t.cfg, &t.sample.vms[0], NULL, vi64_absent(AVAIL_NONE));
	double ratio = (double)(t.g[0].balloon - least) / (double)(t.g[1].balloon - least);
	assert_in_range((int)(ratio * 10), 30, 60);
	toy_done(&t);
}

/* Two hold all there is, one of them uses nearly all of it; then comes one with more shares. What is taken
 * back is taken in steps, and first from the one that uses less of what it holds. */
static void shares_take_in_steps_from_what_is_used_least(void **state)
{
	(void)state;
	int first = -1;
	toy_init(&t, M(6144), M(512));
	toy_add(&t, M(6144), M(512), M(3200));
	toy_add(&t, M(6144), M(512), M(3200));
	toy_add(&t, M(4096), M(512), M(200))->rule.mem_shares = 8;
	toy_run(&t, 200, NULL);
	for (int i = 0; i < 2; i++) {
		assert_true(t.g[i].starved_s > 0); /* seen to swap */
		t.g[i].largest_drop_pct = 0;
	}
	t.g[1].want = M(1300);
	t.g[2].want = M(3000);
	int64_t had[2] = {t.g[0].target, t.g[1].target};
	for (int s = 0; s < 300; s++) {
		toy_second(&t);
		toy_beat(&t);
		for (int i = 0; i < 2 && first < 0; i++)
			if (t.g[i].target < had[i])
				first = i;
	}
	assert_int_equal(first, 1);
	assert_true(t.g[0].balloon < had[0] - M(200)); /* in use, and taken all the same */
	assert_in_range(t.g[0].largest_drop_pct, 1, (int)t.cfg.mem_hard_step_pct);
	assert_true(t.g[2].balloon > M(2500));
	assert_true(t.g[2].up_steps >= 3);
	assert_string_equal(t.broken, "");
	toy_done(&t);
}

/* What is not known of the balloon makes nothing of QEMU's memory. */
static void a_limit_leaves_room_for_qemu_itself(void **state)
{
	(void)state;
	struct vm_memory m = {.limit_kib = vi64_ok(M(1024)),
		.rss_kib = vi64_ok(M(1000)),
		.balloon_kib = vi64_absent(AVAIL_NONE),
		.plugged_kib = vi64_absent(AVAIL_NONE)};
	int64_t least = mem_limit_kib(&m);
	assert_in_range(least, M(900), M(1023));
	m.balloon_kib = vi64_ok(M(600)); /* 400 MiB beside it */
	assert_int_equal(mem_limit_kib(&m), M(624));
	m.rss_kib = vi64_absent(AVAIL_NONE);
	assert_int_equal(mem_limit_kib(&m), least);
	m.limit_kib = vi64_absent(AVAIL_NONE);
	assert_int_equal(mem_limit_kib(&m), SAMPLE_KIB_MOST);
}

/* Where memory is lacked is listed once, the narrowest first; those that lack nothing are not asked, and
 * there is an end to it. */
static void where_it_is_lacked(void **state)
{
	enum { MANY = MEM_SCOPES + 8 };
	struct mem_guest guests[MANY] = {{.hungry = false}};
	struct mem_scope to[MEM_SCOPES];
	struct mem_ctl c = {.guest = guests, .n = MANY};
	(void)state;
	assert_int_equal(mem_scopes_list(&c, to), 0);
	for (int i = 0; i < 6; i++) {
		guests[i].hungry = true;
		guests[i].scope = i % 3 == 0   ? MEM_ANYWHERE
				  : i % 3 == 1 ? (struct mem_scope){3, 0}
					       : (struct mem_scope){4, 0};
	}
	assert_int_equal(mem_scopes_list(&c, to), 3);
	assert_true(to[0].nodes == 4 && to[1].nodes == 3 && mem_scope_any(to[2]));
	guests[6].hungry = true;
	guests[6].scope = (struct mem_scope){UINT64_MAX, 7};
	assert_int_equal(mem_scopes_list(&c, to), 4);
	assert_int_equal(to[0].group, 7);
	for (int i = 0; i < MANY; i++) {
		guests[i].hungry = true;
		guests[i].scope = (struct mem_scope){UINT64_MAX, (uint64_t)i + 1};
	}
	assert_int_equal(mem_scopes_list(&c, to), MEM_SCOPES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_it_is_lacked),
		cmocka_unit_test(a_node_feeds_its_guests_down_to_its_part_of_the_reserve),
		cmocka_unit_test(guests_elsewhere_give_nothing_for_it),
		cmocka_unit_test(a_host_that_tells_no_nodes_bounds_nobody),
		cmocka_unit_test(a_limit_of_its_own_is_its_maximum),
		cmocka_unit_test(a_limit_leaves_room_for_qemu_itself),
		cmocka_unit_test(a_limit_that_is_exceeded_already_shrinks_nobody),
		cmocka_unit_test(a_group_never_gets_more_than_its_limit),
		cmocka_unit_test(one_shares_order_holds_on_a_node),
		cmocka_unit_test(shares_take_in_steps_from_what_is_used_least),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
