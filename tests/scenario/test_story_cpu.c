/* SPDX-License-Identifier: MIT */
/* Stories of the policy minmove: loads that come, go and swing on four kinds of hosts, told move by move with
 * the reasons. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/place_gen.h"
#include "support/story.h"

static const struct cpu_policy_ops *const P = &cpu_policy_minmove;

static struct place_case c;
static void *policy;
static enum reason last;
static bool act, deaf; /* deaf: what is asked is not carried out */
static int moves_told; /* of a round; the others are counted */

static void open_story(const char *name, size_t tasks, size_t units)
{
	place_case_init(&c, tasks, units);
	policy = P->create(&c.cfg);
	last = REASON_NONE;
	act = true;
	deaf = false;
	moves_told = 40;
	story_begin(name);
}

static void close_story(void)
{
	story_end();
	P->destroy(policy);
	place_case_done(&c);
}

static void tell_moves(const struct place_result *r)
{
	for (size_t i = 0; i < r->n_moves && i < (size_t)moves_told; i++) {
		const struct place_move *m = &r->moves[i];
		story_line("%6.0f s  task %zu  %d -> %d  [%s] %s", (double)c.p.now_ns / 1e9, m->task, m->from,
			m->to, reason_key(m->why.code), m->why.text);
	}
	if (r->n_moves > (size_t)moves_told)
		story_line("          %zu moves in all", r->n_moves);
}

static void rounds(int n, double seconds)
{
	static bool done[1000];
	struct place_result r;
	for (int i = 0; i < n; i++) {
		assert_int_equal(P->plan(policy, &c.p, act, &r), 0);
		if (r.n_moves || r.why.code != last)
			story_line("%6.0f s  [%s] %s (%.1f %%, then %.1f %%)", (double)c.p.now_ns / 1e9,
				reason_key(r.why.code), r.why.text, r.stddev_pct, r.after_pct);
		last = r.why.code;
		tell_moves(&r);
		memset(done, !deaf, sizeof done);
		P->applied(policy, &c.p, done);
		if (deaf)
			r.n_moves = 0;
		place_case_apply(&c, &r, seconds);
	}
}

static void demand(size_t from, size_t to, double pct)
{
	for (size_t t = from; t < to; t++)
		c.tasks[t].demand_pct = pct;
}

/* Eight vCPUs on four pCPUs. */
static void small_host(void **state)
{
	(void)state;
	open_story("cpu-small", 8, 4);
	rounds(3, 2);
	story_line("- all want 45 %%, all on pCPU 0");
	demand(0, 8, 45);
	rounds(10, 2);
	story_line("- two of one pCPU want 90 %%");
	c.tasks[0].demand_pct = c.tasks[3].demand_pct = 90;
	rounds(30, 2);
	story_line("- AUTO off, and two of another pCPU want 90 %%");
	act = false;
	demand(0, 8, 45);
	c.tasks[1].demand_pct = c.tasks[4].demand_pct = 90;
	rounds(20, 2);
	act = true;
	story_line("- AUTO on, but nothing that is asked happens");
	deaf = true;
	rounds(20, 2);
	deaf = false;
	story_line("- now it does");
	rounds(30, 2);
	story_line("- one is held, one is new, one may only use pCPUs 2 and 3");
	c.tasks[0].fixed = REASON_HELD;
	c.tasks[1].birth++;
	c.tasks[1].unit = -1;
	c.tasks[1].pinned = false;
	place_case_restrict(&c, 2, 2, 4);
	rounds(40, 2);
	story_line("- all are held");
	for (int t = 0; t < 8; t++)
		c.tasks[t].fixed = REASON_HELD;
	rounds(3, 2);
	story_line("- some must not be touched, the others neither");
	for (int t = 0; t < 8; t++)
		c.tasks[t].fixed = t % 2 ? REASON_SINGLE : REASON_FOREIGN;
	rounds(2, 2);
	for (int t = 0; t < 8; t++)
		c.tasks[t].fixed = REASON_SINGLE;
	rounds(2, 2);
	story_line("- all are free and on pCPU 3, and b is pressed");
	for (int t = 0; t < 8; t++) {
		c.tasks[t].fixed = REASON_NONE;
		c.tasks[t].unit = 3;
	}
	c.p.forced = true;
	rounds(3, 2);
	c.p.forced = false;
	story_line("- four busy ones move about, a minute each");
	for (int i = 0; i < 12; i++) {
		demand(0, 8, 10);
		for (int t = 0; t < 4; t++)
			c.tasks[(t * (1 + i % 3) + i) % 8].demand_pct = 80;
		rounds(30, 2);
	}
	story_line("- no VMs");
	c.p.n_tasks = 0;
	rounds(2, 2);
	close_story();
}

/* Gains that do not last: what was won is lost again, so it waits longer. */
static void plans_that_do_not_help(void **state)
{
	(void)state;
	open_story("cpu-no-help", 6, 3);
	for (int t = 0; t < 6; t++)
		c.tasks[t].unit = t / 2;
	for (int i = 0; i < 300; i++) {
		for (int t = 0; t < 6; t++)
			c.tasks[t].demand_pct = (t + 2 * (i / 3)) % 6 < 2 ? 60 + t : 12 + t;
		rounds(1, 10);
	}
	close_story();
}

/* Noise that the estimates know of, on eight pCPUs with a fixed load on one of them. */
static void noisy_host(void **state)
{
	(void)state;
	open_story("cpu-noise", 14, 8);
	c.units[5].background_pct = 35;
	c.seed = 11;
	for (int i = 0; i < 600; i++) {
		for (int t = 0; t < 14; t++) {
			struct place_task *k = &c.tasks[t];
			double want = i > 300 && t < 4 ? 75 : 15 + 4 * t,
			       now = want * (1 + 0.06 * place_random_normal(&c.seed));
			k->unit = i ? k->unit : t % 4;
			k->demand_pct += (i ? 0.3 : 1) * (now - k->demand_pct);
			k->scatter_pct = 0.06 * want;
		}
		rounds(1, 1);
	}
	close_story();
}

/* Threads, LLCs and nodes; weights, memory on nodes, some bound to theirs. */
static void large_machine(void **state)
{
	(void)state;
	open_story("cpu-zones", 36, 16);
	place_case_topology(&c, 2, 4, 8);
	for (uint64_t step = 1; step <= 6; step++) {
		story_line("- other loads");
		for (size_t t = 0; t < 36; t++) {
			c.tasks[t].mem_nodes = t % 4 == 1 ? 1 : t % 4 == 2 ? 2 : 0;
			c.tasks[t].weight = t % 5 ? 1 : 2.5;
			c.tasks[t].stay_on_node = t % 9 == 0;
			c.tasks[t].demand_pct = 10 + (double)((t * 37 + step * (t % 7) * 29) % 60);
			c.tasks[t].unit = step == 1 ? (int)(t % 11) : c.tasks[t].unit;
			c.tasks[t].pinned |= step > 1;
		}
		rounds(60, 2);
	}
	close_story();
}

/* Four LLCs of four pCPUs. */
static void by_llc(void **state)
{
	(void)state;
	open_story("cpu-llc", 20, 4);
	for (int j = 0; j < 4; j++) {
		c.units[j].n_cpus = j == 3 ? 2 : 4;
		c.units[j].llc = j;
		c.units[j].node = j / 2;
	}
	c.cfg.granularity = GRAN_LLC;
	for (int t = 0; t < 20; t++) {
		c.tasks[t].demand_pct = 20 + 3 * t;
		c.tasks[t].unit = t % 5 ? 0 : 1;
		c.tasks[t].pinned = t % 2;
	}
	rounds(100, 2);
	story_line("- one LLC wants more than it has");
	for (int t = 0; t < 20; t++)
		c.tasks[t].demand_pct = c.tasks[t].unit == 2 ? 95 : 15;
	rounds(100, 2);
	close_story();
}

/* More than 512 vCPUs: step by step only, and a bounded number of moves a round. */
static void hundreds(void **state)
{
	(void)state;
	open_story("cpu-hundreds", 600, 64);
	moves_told = 4;
	place_case_random(&c, 3, SHAPE_HEAVY, 55);
	rounds(40, 2);
	story_line("- a fifth of them are busy");
	for (size_t t = 0; t < 600; t += 5)
		c.tasks[t].demand_pct = fmin(100, c.tasks[t].demand_pct + 30);
	rounds(60, 2);
	close_story();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_host),
		cmocka_unit_test(plans_that_do_not_help),
		cmocka_unit_test(noisy_host),
		cmocka_unit_test(large_machine),
		cmocka_unit_test(by_llc),
		cmocka_unit_test(hundreds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
