/* SPDX-License-Identifier: MIT */
/* What memory policies cost their guests: starved seconds, over-commit, calls, reversals, on the same traces
 * of bursting guests for watermark, origin-c and bench-only re-implementations of two peers' rules (oVirt
 * MoM's mom-balloon.policy, Proxmox VE's auto-ballooning), and the frontier over the reserve of the host.
 * Virtual time; the only thing taken from this machine is its name. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../tests/support/mem_toy.h"

enum { HOURS = 6, SEEDS = 5, GUESTS = 8, WINDOW = 10, GUEST_LEAST_MIB = 1024 };
#define MIBS(x) ((int64_t)(x)*TOY_MIB)

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}
static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* --- traces: each guest idles at some size and bursts now and then ------------------------------------ */

struct burst {
	int64_t idle, peak, rate, until_s, next_s;
};

static struct burst bursts[GUESTS];
static int64_t idle_mib; /* least size of an idle guest in this table */

static void burst_plan(struct toy *t, struct burst *b)
{
	b->next_s = t->now_s + 200 + toy_random(t, 1400);
	b->until_s = b->next_s + 60 + toy_random(t, 300);
	b->peak = MIBS(1400 + toy_random(t, 2000));
	b->rate = MIBS(20 + toy_random(t, 60));
}

static void trace_begin(struct toy *t)
{
	for (int i = 0; i < GUESTS; i++) {
		bursts[i].idle = MIBS(idle_mib + toy_random(t, 450));
		t->g[i].want = t->g[i].used = t->g[i].touched = bursts[i].idle;
		burst_plan(t, &bursts[i]);
	}
}

/* What a program wants does not depend on what it gets: every policy sees the same trace. */
static void trace_want(struct toy *t)
{
	for (int i = 0; i < GUESTS; i++) {
		struct burst *b = &bursts[i];
		struct toy_guest *g = &t->g[i];
		if (t->now_s >= b->until_s)
			burst_plan(t, b);
		bool on = t->now_s >= b->next_s && t->now_s < b->until_s;
		int64_t noise = MIBS(toy_random(t, 20));
		int64_t ramp = b->idle + (t->now_s - b->next_s) * b->rate;
		g->want = (on ? least(ramp, b->peak) : b->idle) + noise;
	}
}

/* --- peers --------------------------------------------------------------------------------------------- */

static int64_t samples[GUESTS][2][WINDOW], host_samples[WINDOW];
static int n_samples;

static void order(struct toy *t, size_t i, int64_t to)
{
	struct toy_guest *g = &t->g[i];
	to = least(most(to, MIBS(64)), g->max);
	if (to == g->target)
		return;
	struct action *a = plan_add(&t->plan, ACTION_BALLOON);
	if (!a)
		abort();
	memcpy(a->uuid, t->sample.vms[i].uuid, sizeof a->uuid);
	a->vm = i;
	a->from_kib = g->target;
	a->to_kib = to;
}

static double mean(const int64_t *v)
{
	int n = n_samples < WINDOW ? n_samples : WINDOW;
	double sum = 0;
	for (int i = 0; i < n; i++)
		sum += (double)v[i];
	return n ? sum / n : 0;
}

/* MoM samples every 5 s, decides every 10 s on the mean of its last ten samples, one direction for all. */
static void mom_sample(struct toy *t)
{
	int k = n_samples++ % WINDOW;
	host_samples[k] = most(toy_available(t), 0);
	for (int i = 0; i < GUESTS; i++) {
		samples[i][0][k] = t->g[i].balloon;
		samples[i][1][k] = t->g[i].s_unused;
	}
}

static void mom_guest(struct toy *t, size_t i, double host_free)
{
	struct toy_guest *g = &t->g[i];
	double cur = (double)g->balloon, used = mean(samples[i][0]) - mean(samples[i][1]), to;
	if (host_free < 0.20) {
		double keep = host_free <= 0.05 ? host_free - 0.05 : 0.20 * host_free / 0.20;
		to = cur * 0.95 > used + keep * cur ? cur * 0.95 : used + keep * cur;
		if (to < (double)MIBS(GUEST_LEAST_MIB))
			to = (double)MIBS(GUEST_LEAST_MIB);
		if (to > cur)
			return;
	} else {
		if (g->balloon >= g->max)
			return;
		to = cur * 1.05 < (double)g->max ? cur * 1.05 : (double)g->max;
		if (to < used + 0.20 * (double)g->max)
			to = used + 0.20 * (double)g->max;
	}
	if (to - cur > 0.0025 * cur || cur - to > 0.0025 * cur)
		order(t, i, (int64_t)to);
}

static void mom_decide(struct toy *t)
{
	mom_sample(t);
	if (n_samples % 2)
		return;
	for (size_t i = 0; i < GUESTS; i++)
		mom_guest(t, i, mean(host_samples) / (double)t->total);
}

/* Proxmox steers the host to 80 % used, 100 MiB a guest and 10 s at most: first those under pressure grow,
 * first those with free memory shrink, in proportion to shares above the minimum. */
static int64_t pve_change(struct toy *t, const bool *in, int64_t *res, int64_t bytes)
{
	const int64_t step = MIBS(100), minimum = MIBS(GUEST_LEAST_MIB);
	int64_t rest = bytes;
	bool done[GUESTS] = {false}, again = true;
	while (rest && again) {
		int64_t alloc = rest, shares = 0, changes = 0;
		for (int i = 0; i < GUESTS; i++)
			if (in[i] && !done[i]) {
				alloc += res[i] - minimum;
				shares++;
			}
		for (int i = 0; i < GUESTS; i++) {
			if (!in[i] || done[i])
				continue;
			int64_t cur = t->g[i].balloon;
			int64_t want = least(most(minimum + alloc / shares, minimum), t->g[i].max);
			if ((want > cur && bytes <= 0) || want == cur) {
				done[i] = true;
				continue;
			}
			int64_t to = want > cur ? least(cur + step, want) : most(cur - step, want);
			changes += to - res[i];
			res[i] = to;
		}
		again = changes != 0;
		rest -= changes;
	}
	return rest;
}

static void pve_decide(struct toy *t)
{
	if (t->now_s % 10)
		return;
	bool all[GUESTS], pressed[GUESTS], free[GUESTS];
	int64_t res[GUESTS], goal = most(toy_available(t), 0) - t->total / 5;
	for (int i = 0; i < GUESTS; i++) {
		const struct toy_guest *g = &t->g[i];
		all[i] = true;
		res[i] = g->balloon;
		free[i] = g->s_unused > MIBS(GUEST_LEAST_MIB) / 4 && g->balloon >= MIBS(GUEST_LEAST_MIB);
		pressed[i] = !free[i];
	}
	if (goal > MIBS(10)) {
		if (pve_change(t, pressed, res, goal) >= goal)
			pve_change(t, all, res, goal);
	} else if (goal < -MIBS(10)) {
		if (pve_change(t, free, res, goal) <= goal)
			pve_change(t, all, res, goal);
	}
	for (size_t i = 0; i < GUESTS; i++)
		order(t, i, res[i]);
}

/* --- runs ---------------------------------------------------------------------------------------------- */

struct figures {
	double starved, over, below5, calls, reversals, lowest;
};

struct contender {
	const char *name;
	enum mem_policy_id policy;
	enum reclaim_mode reclaim;
	int64_t reserve;
	void (*decide)(struct toy *t); /* a peer's rules, or NULL */
	int64_t cache_rate;
};

static struct toy t; /* too large for the stack */

static void contender_second(const struct contender *c)
{
	toy_second(&t);
	if (t.now_s % 5)
		return;
	toy_sample(&t);
	if (!c->decide) {
		toy_cycle(&t, ROUND_AUTO);
		return;
	}
	plan_reset(&t.plan);
	c->decide(&t);
	toy_apply(&t);
}

static void contender_run(const struct contender *c, uint64_t seed, struct figures *f)
{
	toy_init(&t, MIBS(16384), MIBS(1024));
	t.seed = seed;
	t.cfg.mem_policy = c->policy;
	t.cfg.reclaim = c->reclaim;
	t.cfg.host_reserve_kib = c->reserve;
	for (int i = 0; i < GUESTS; i++) {
		toy_add(&t, MIBS(4096), MIBS(1536), MIBS(512));
		t.g[i].cache_rate = c->cache_rate;
	}
	n_samples = 0;
	trace_begin(&t);
	while (t.now_s < HOURS * 3600) {
		trace_want(&t);
		contender_second(c);
	}
	for (int i = 0; i < GUESTS; i++) {
		f->starved += (double)t.g[i].starved_s;
		f->calls += (double)t.g[i].calls;
		f->reversals += (double)t.g[i].reversals;
	}
	f->over += (double)t.over_s;
	f->below5 += (double)t.below5_s;
	f->lowest = f->lowest < (double)t.lowest_free ? f->lowest : (double)t.lowest_free;
	if (t.broken[0])
		printf("  invariant broken: %s\n", t.broken);
	toy_done(&t);
}

static struct figures contender_measure(const struct contender *c)
{
	struct figures f = {.lowest = 1e18};
	for (uint64_t s = 1; s <= SEEDS; s++)
		contender_run(c, s * 7919, &f);
	double per_hour = 1.0 / (HOURS * SEEDS);
	return (struct figures){f.starved * per_hour, f.over * per_hour, f.below5 * per_hour,
		f.calls * per_hour, f.reversals * per_hour, f.lowest / TOY_MIB};
}

static void figures_print(const char *name, const struct figures *f)
{
	printf("  %-26s %12.1f %12.1f %12.1f %10.1f %10.2f %12.0f\n", name, f->starved, f->over, f->below5,
		f->calls, f->reversals, f->lowest);
}

static void header_print(const char *what)
{
	printf("\n%s\n  %-26s %12s %12s %12s %10s %10s %12s\n", what, "policy", "starved s/h", "over s/h",
		"below 5%/h", "calls/h", "revers./h", "lowest MiB");
}

static const struct contender peers[] = {
	{.name = "origin-c", .policy = MEM_POLICY_ORIGIN_C},
	{.name = "MoM's rules", .decide = mom_decide},
	{.name = "Proxmox's rules", .decide = pve_decide},
};

static void table(int64_t cache_rate, const char *what, struct figures *mom, struct figures *pve)
{
	struct contender ours[] = {
		{.name = "watermark", .policy = MEM_POLICY_WATERMARK, .cache_rate = cache_rate},
		{.name = "watermark, pressure", .reclaim = RECLAIM_PRESSURE, .cache_rate = cache_rate},
	};
	header_print(what);
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
		struct figures f = contender_measure(&ours[i]);
		figures_print(ours[i].name, &f);
	}
	for (size_t i = 0; i < sizeof peers / sizeof *peers; i++) {
		struct contender c = peers[i];
		c.cache_rate = cache_rate;
		struct figures f = contender_measure(&c);
		figures_print(c.name, &f);
		*(c.decide == mom_decide ? mom : pve) = f;
	}
}

static void frontier(int64_t cache_rate, const struct figures *mom, const struct figures *pve)
{
	const int64_t reserve_mib[] = {512, 768, 1024, 1536, 2048, 3072};
	const struct figures *best = mom->below5 < pve->below5 ? mom : pve;
	double starved = mom->starved < pve->starved ? mom->starved : pve->starved;
	bool met = false;
	header_print(cache_rate ? "Frontier over the reserve, with page cache"
				: "Frontier over the reserve, without page cache");
	for (size_t i = 0; i < sizeof reserve_mib / sizeof *reserve_mib; i++) {
		struct contender c = {.policy = MEM_POLICY_WATERMARK,
			.reserve = MIBS(reserve_mib[i]),
			.cache_rate = cache_rate};
		struct figures f = contender_measure(&c);
		char name[40];
		snprintf(name, sizeof name, "reserve %" PRId64 " MiB", reserve_mib[i]);
		figures_print(name, &f);
		if (met || f.below5 > best->below5)
			continue;
		met = true;
		printf("  ^ not longer below 5 %% than the best peer (%.1f s/h): starved %.2f of the best "
		       "peer's (target 0.20),"
		       " calls %.2f of MoM's (1.30), reversals %.2f of MoM's (0.50)\n",
			best->below5, f.starved / starved, f.calls / mom->calls,
			f.reversals / mom->reversals);
	}
}

static void trace_measure(int64_t idle, const char *what)
{
	struct figures mom = {0}, pve = {0}, mom_cache = {0}, pve_cache = {0};
	idle_mib = idle;
	printf("\n%s\n", what);
	table(0, "Guests without page cache (kind to rules that look at MemFree)", &mom, &pve);
	table(MIBS(2), "Guests whose free memory turns into page cache, 2 MiB a second", &mom_cache,
		&pve_cache);
	frontier(0, &mom, &pve);
	frontier(MIBS(2), &mom_cache, &pve_cache);
}

int main(void)
{
	struct utsname u;
	uname(&u);
	printf("memory policies: %d guests of 4 GiB on 16 GiB, bursts, %d x %d h of virtual time; %ld CPUs, "
	       "%s %s\n",
		GUESTS, SEEDS, HOURS, sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release);
	trace_measure(450, "Idle guests use 450 to 900 MiB: all fit, when memory follows need");
	trace_measure(900, "Idle guests use 900 to 1350 MiB: several bursts at once do not fit");
	return 0;
}
