/* SPDX-License-Identifier: MIT */
/* Stories of the memory controller: guests that eat, free, reboot, stall, lie, hang and are set by others, on
 * a host that runs short, told order by order with the reasons. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/mem_toy.h"
#include "support/story.h"

#define M(x) ((int64_t)(x)*TOY_MIB)

static struct toy t;

enum what { WANT, SET, REBOOT, MANNER, PERIOD, HUNG, GONE, STATE, RULE, BY_HAND, SWAP, HOST_USED, PSI, MODE };

struct event {
	int64_t at_s;
	int guest;
	enum what what;
	int64_t value;
};

static const struct event events[] = {
	{40, 0, WANT, 1800},
	{60, 1, WANT, 3000},
	{80, 2, SET, 1500}, /* somebody else */
	{100, 3, MANNER, TOY_STUCK},
	{120, 0, WANT, 300},
	{140, 4, WANT, 1900},
	{150, 5, SWAP, 4096}, /* begins to swap, whatever its figures say */
	{160, 5, SWAP, 8192},
	{170, 3, MANNER, TOY_HONEST},
	{180, 1, WANT, 400},
	{200, -1, HOST_USED, 9500},
	{240, -1, PSI, 12},
	{260, -1, PSI, 1206},
	{280, -1, PSI, 0},
	{300, -1, HOST_USED, 2500},
	{320, 4, REBOOT, 0},
	{340, 4, WANT, 700},
	{360, 1, PERIOD, 0},
	{380, 1, PERIOD, 2},
	{400, 2, HUNG, 1},
	{420, 2, HUNG, 0},
	{430, 3, STATE, VM_PAUSED},
	{450, 3, STATE, VM_RUNNING},
	{460, 0, GONE, 1},
	{480, 0, GONE, 0},
	{490, 3, RULE, REASON_HELD},
	{500, 3, WANT, 1500},
	{520, 3, RULE, REASON_NONE},
	{540, 5, BY_HAND, 1700},
	{560, 4, MANNER, TOY_LIAR},
	{600, 4, MANNER, TOY_SILENT},
	{640, 4, MANNER, TOY_HONEST},
	{660, -1, MODE, ROUND_WATCH},
	{670, 1, WANT, 2000},
	{700, -1, MODE, ROUND_AUTO},
	{740, 1, MANNER, TOY_REFUSE},
	{750, 1, WANT, 200},
	{800, 1, MANNER, TOY_HONEST},
	{820, -1, HOST_USED, 11500},
	{840, 0, WANT, 2400},
	{845, 5, WANT, 2400},
	{900, -1, HOST_USED, 2500},
	{930, -1, MODE, ROUND_FORCED},
	{940, -1, MODE, ROUND_AUTO},
	{960, 0, WANT, 250},
	{965, 5, WANT, 250},
};

static void begin(void)
{
	toy_init(&t, M(16384), M(2500));
	t.cfg.mem_boot_s = 30;
	for (int i = 0; i < 6; i++) {
		struct toy_guest *g = toy_add(&t, M(4096), M(1024 + 256 * i), M(300 + 50 * i));
		g->speed = M(64 << i % 3);
		g->cache_rate = M(i % 2 * 4);
	}
	t.g[1].rule.mem_max_kib = M(2500);
	t.g[2].rule.mem_min_kib = M(700);
	t.g[4].rule.mem_shares = 2;
	t.g[5].min_guarantee = M(900);
}

static enum round_mode happen(const struct event *e, enum round_mode mode)
{
	struct toy_guest *g = e->guest >= 0 ? &t.g[e->guest] : NULL;
	switch (e->what) {
	case WANT:
		g->want = M(e->value);
		break;
	case SET:
		toy_foreign(&t, (size_t)e->guest, M(e->value));
		break;
	case REBOOT:
		toy_reboot(&t, (size_t)e->guest);
		break;
	case MANNER:
		g->manner = (enum toy_manner)e->value;
		break;
	case PERIOD:
		g->period = (int)e->value;
		break;
	case HUNG:
		g->hung = e->value;
		break;
	case GONE:
		g->gone = e->value;
		break;
	case STATE:
		g->state = (enum vm_state)e->value;
		break;
	case RULE:
		g->rule.memory = (enum reason)e->value;
		break;
	case BY_HAND:
		toy_by_hand(&t, (size_t)e->guest, M(e->value));
		break;
	case SWAP:
		g->swap_in += e->value;
		break;
	case HOST_USED:
		t.base = M(e->value);
		break;
	case PSI:
		t.psi_some = e->value % 100;
		t.psi_full = e->value / 100;
		break;
	case MODE:
		return (enum round_mode)e->value;
	}
	return mode;
}

/* --- what is told --- */

static void tell_orders(void)
{
	for (size_t i = 0; i < t.plan.n; i++) {
		const struct action *a = &t.plan.actions[i];
		story_line("%4" PRId64 " s  toy%d  %" PRId64 " -> %" PRId64 "  %s", t.now_s, a->uuid[15],
			a->from_kib / TOY_MIB, a->to_kib / TOY_MIB, a->why.text);
	}
}

static void tell_guests(enum reason *last)
{
	for (size_t i = 0; i < t.sample.n_vms; i++) {
		const struct mem_status *s = &t.status[i];
		int n = t.sample.vms[i].uuid[15];
		if (s->why.code == last[n])
			continue;
		last[n] = s->why.code;
		story_line("%4" PRId64 " s  toy%d  [%s] %s (%" PRId64 " .. %" PRId64 ", floor %" PRId64 ")",
			t.now_s, n, reason_key(s->why.code), s->why.text,
			vi64_has(s->lo_kib) ? s->lo_kib.v / TOY_MIB : -1,
			vi64_has(s->hi_kib) ? s->hi_kib.v / TOY_MIB : -1,
			vi64_has(s->floor_kib) ? s->floor_kib.v / TOY_MIB : -1);
	}
}

static void tell_host(void)
{
	static const char *const state[] = {"ok", "soft", "hard"};
	const struct mem_verdict *v = &t.verdict;
	if (v->new_line)
		story_line("%4" PRId64 " s  host  %s, %" PRId64 " free: [%s] %s", t.now_s, state[v->state],
			v->free_kib.v / TOY_MIB, reason_key(v->why.code), v->why.text);
}

static void tell(const char *name, int64_t seconds)
{
	enum { N = sizeof events / sizeof *events };
	enum reason last[TOY_GUESTS] = {REASON_NONE};
	enum round_mode mode = ROUND_AUTO;
	int64_t cycle = (int64_t)mem_cycle_s(&t.cfg);
	story_begin(name);
	for (size_t next = 0; t.now_s < seconds;) {
		for (; next < N && events[next].at_s <= t.now_s; next++)
			mode = happen(&events[next], mode);
		toy_second(&t);
		if (t.now_s % cycle)
			continue;
		toy_sample(&t);
		toy_cycle(&t, mode);
		tell_orders();
		tell_guests(last);
		tell_host();
	}
	story_end();
	toy_done(&t);
}

static void watermark(void **state)
{
	(void)state;
	begin();
	t.cfg.reclaim = RECLAIM_PROACTIVE;
	tell("memory-watermark", 1100);
}

static void watermark_under_pressure_only(void **state)
{
	(void)state;
	begin();
	tell("memory-pressure", 1100);
}

static void origin_c(void **state)
{
	(void)state;
	begin();
	t.cfg.mem_policy = MEM_POLICY_ORIGIN_C;
	t.cfg.memory_cycle_s = 2;
	tell("memory-origin-c", 240);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(watermark),
		cmocka_unit_test(watermark_under_pressure_only),
		cmocka_unit_test(origin_c),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
