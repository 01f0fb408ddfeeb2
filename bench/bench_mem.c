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

#include "../tests/support/mem_peers.h"

enum { HOURS = 6, SEEDS = 5, GUESTS = PEER_GUESTS, TOTAL_MIB = 16384, BASE_MIB = 1024 };
#define MIBS(x) ((int64_t)(x)*TOY_MIB)

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
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
	if (!c->decide) {
		toy_beat(&t);
		return;
	}
	if (t.now_s % 5)
		return;
	toy_sample(&t);
	plan_reset(&t.plan);
	c->decide(&t);
	toy_apply(&t);
}

static void contender_run(const struct contender *c, uint64_t seed, struct figures *f)
{
	toy_init(&t, MIBS(TOTAL_MIB), MIBS(BASE_MIB));
	t.seed = seed;
	t.cfg.mem_policy = c->policy;
	t.cfg.reclaim = c->reclaim;
	t.cfg.host_reserve_kib = c->reserve;
	for (int i = 0; i < GUESTS; i++) {
		toy_add(&t, MIBS(4096), MIBS(1536), MIBS(512));
		t.g[i].cache_rate = c->cache_rate;
	}
	peers_begin();
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
		{.name = "watermark", .reclaim = RECLAIM_PRESSURE, .cache_rate = cache_rate},
		{.name = "watermark, proactive", .reclaim = RECLAIM_PROACTIVE, .cache_rate = cache_rate},
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

/* --- traces, each with a trap of its own, beside nobody at all -------------------------------------------
 */

static int64_t square(int64_t now_s, int64_t every_s, int64_t after_s, int64_t rate_mib, int64_t idle_mib_,
	int64_t peak_mib)
{
	int64_t s = (now_s + every_s - after_s % every_s) % every_s, up = (peak_mib - idle_mib_) / rate_mib;
	bool on = now_s >= after_s && s < up + 40;
	return MIBS(!on ? idle_mib_ : s < up ? idle_mib_ + s * rate_mib : peak_mib);
}

static void want_plenty(struct toy *x)
{
	for (size_t i = 0; i < x->n; i++)
		x->g[i].want = square(x->now_s, 600, 300, 100, 600, 2200);
}

static void want_fast(struct toy *x)
{
	for (size_t i = 0; i < x->n; i++)
		x->g[i].want = square(x->now_s, 600, 300, 400, 600, 2200);
}

static void set_plenty(struct toy *x)
{
	x->total = x->lowest_free = MIBS(24576);
	for (int i = 0; i < 5; i++)
		toy_add(x, MIBS(3072), MIBS(3072), MIBS(600))->swapless = true;
}

/* Two with four times the shares come a minute late. */
static void want_shares(struct toy *x)
{
	for (size_t i = 0; i < x->n; i++) {
		int64_t since = x->now_s - (i < 2 ? 60 : 0);
		x->g[i].want = MIBS(least(300 + (since > 0 ? since : 0) * 20, 2500));
	}
}

static void set_shares(struct toy *x)
{
	x->total = x->lowest_free = MIBS(8192);
	for (int i = 0; i < 6; i++)
		toy_add(x, MIBS(4096), MIBS(512), MIBS(300))->rule.mem_shares = i < 2 ? 4 : 1;
}

/* Bound to one node of two, which feeds two bursts of four. */
static void want_strict(struct toy *x)
{
	for (size_t i = 0; i < x->n; i++)
		x->g[i].want = square(x->now_s, 480, 60 + 120 * (int64_t)i, 40, 600, 2800);
}

static void set_strict(struct toy *x)
{
	x->nodes = 2;
	for (int i = 0; i < 4; i++)
		toy_add(x, MIBS(4096), MIBS(1024), MIBS(600))->node = 1;
}

/* Half of what they may have was plugged, and no target reaches it. */
static void want_plugged(struct toy *x)
{
	for (size_t i = 0; i < x->n; i++)
		x->g[i].want = square(x->now_s, 600, 60 + 100 * (int64_t)i, 40, 600, 3300);
}

static void set_plugged(struct toy *x)
{
	for (int i = 0; i < 6; i++) {
		toy_add(x, MIBS(2048), MIBS(1024), MIBS(600))->plugged = MIBS(1536);
		x->g[i].touched = MIBS(600);
	}
}

static void set_bursts(struct toy *x)
{
	for (int i = 0; i < GUESTS; i++)
		toy_add(x, MIBS(4096), MIBS(1536), MIBS(512));
	trace_begin(x);
}

static void set_liars(struct toy *x)
{
	set_bursts(x);
	x->g[0].manner = x->g[1].manner = TOY_LIAR;
}

static void set_sticky(struct toy *x)
{
	set_bursts(x);
	for (int i = 0; i < 3; i++)
		x->g[i].manner = TOY_STUCK;
}

static const struct trace {
	const char *name;
	void (*set)(struct toy *x);
	void (*want)(struct toy *x);
} traces[] = {
	{"plenty: room for all, no swap, 100 MiB/s", set_plenty, want_plenty},
	{"plenty, faster: 400 MiB/s", set_plenty, want_fast},
	{"shares: six hogs, two with 4 shares late", set_shares, want_shares},
	{"strict: four on one node of 8 GiB", set_strict, want_strict},
	{"virtio-mem: 1.5 GiB of each plugged", set_plugged, want_plugged},
	{"liars: two of eight", set_liars, trace_want},
	{"sticky: three of eight", set_sticky, trace_want},
};

static void nobody(struct toy *x)
{
	(void)x;
}

/* Memory on the node that guests are bound to, short of what they were given there. */
static bool node_over(const struct toy *x)
{
	int64_t left = (x->total - x->base) / 2;
	for (size_t i = 0; i < x->n && x->nodes; i++)
		left -= x->g[i].touched;
	return left < 0;
}

static void trace_run(const struct trace *trace, const struct contender *c)
{
	double starved = 0, kills = 0, calls = 0, over = 0;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		toy_init(&t, MIBS(TOTAL_MIB), MIBS(BASE_MIB));
		t.seed = seed * 7919;
		t.cfg.mem_policy = c->policy;
		t.cfg.reclaim = c->reclaim;
		peers_begin();
		trace->set(&t);
		while (t.now_s < 3600) {
			trace->want(&t);
			contender_second(c);
			over += node_over(&t);
		}
		for (size_t i = 0; i < t.n; i++) {
			starved += (double)t.g[i].starved_s;
			kills += (double)t.g[i].kills;
			calls += (double)t.g[i].calls;
		}
		over += (double)t.over_s;
		if (t.broken[0])
			printf("  invariant broken: %s\n", t.broken);
		toy_done(&t);
	}
	printf("    %-24s %12.1f %10.1f %10.1f %10.1f\n", c->name, starved / SEEDS, kills / SEEDS,
		over / SEEDS, calls / SEEDS);
}

static void traces_measure(void)
{
	static const struct contender ours[] = {
		{.name = "MANUAL", .decide = nobody},
		{.name = "watermark", .reclaim = RECLAIM_PRESSURE},
		{.name = "watermark, proactive", .reclaim = RECLAIM_PROACTIVE},
	};
	printf("\nTraces with a trap, %d x 1 h\n    %-24s %12s %10s %10s %10s\n", SEEDS, "policy",
		"starved s/h", "kills/h", "over s/h", "calls/h");
	idle_mib = 450;
	for (size_t i = 0; i < sizeof traces / sizeof *traces; i++) {
		printf("  %s\n", traces[i].name);
		for (size_t k = 0; k < sizeof ours / sizeof *ours; k++)
			trace_run(&traces[i], &ours[k]);
		for (size_t k = 0; k < sizeof peers / sizeof *peers; k++)
			trace_run(&traces[i], &peers[k]);
	}
}

/* --- what nobody can beat: balloons that move at once, by one who knows what each guest wants ------------
 */

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* Guests that must starve in this second: the smallest are served first, the others kept at their floor.
 * With `head` each keeps the head room that no guest is squeezed below. */
static int starving_least(const struct toy *x, int64_t reserve, bool head)
{
	int64_t want[GUESTS], left = x->total - x->base - reserve - GUESTS * x->g[0].max / 8;
	int n = GUESTS;
	for (int i = 0; i < GUESTS; i++) {
		int64_t room = x->g[i].want * 15 / 100, least_room = x->g[i].max / 20;
		want[i] = x->g[i].want - x->g[i].max / 8;
		want[i] += !head ? 0 : room > least_room ? room : least_room;
	}
	qsort(want, GUESTS, sizeof *want, by_size);
	for (int i = 0; i < GUESTS && (want[i] <= 0 || left >= want[i]); i++, n--)
		left -= want[i] > 0 ? want[i] : 0;
	return n;
}

static double starved_bound(int64_t reserve, bool head)
{
	double sum = 0;
	for (uint64_t s = 1; s <= SEEDS; s++) {
		toy_init(&t, MIBS(TOTAL_MIB), MIBS(BASE_MIB));
		t.seed = s * 7919;
		for (int i = 0; i < GUESTS; i++)
			toy_add(&t, MIBS(4096), MIBS(1536), MIBS(512));
		trace_begin(&t);
		while (t.now_s < HOURS * 3600) {
			trace_want(&t);
			t.now_s++;
			sum += starving_least(&t, reserve, head);
		}
		toy_done(&t);
	}
	return sum / (HOURS * SEEDS);
}

/* --- the frontier -----------------------------------------------------------------------------------------
 */

static struct figures with_reserve(enum reclaim_mode reclaim, int64_t reserve_mib, int64_t cache_rate)
{
	struct contender c = {.policy = MEM_POLICY_WATERMARK,
		.reclaim = reclaim,
		.reserve = MIBS(reserve_mib),
		.cache_rate = cache_rate};
	return contender_measure(&c);
}

/* The smallest reserve, in steps of 16 MiB, with which the host is below 5 % free no longer than that. */
static int64_t reserve_matching(enum reclaim_mode reclaim, double below5, int64_t cache_rate)
{
	int64_t lo = 256, hi = 2048;
	while (hi - lo > 16) {
		int64_t mid = (lo + hi) / 2;
		*(with_reserve(reclaim, mid, cache_rate).below5 <= below5 ? &hi : &lo) = mid;
	}
	return hi;
}

static void target_print(const char *what, double got, double target)
{
	printf("    %-56s %5.2f  target %.2f  %s\n", what, got, target, got <= target ? "met" : "MISSED");
}

static void frontier(
	enum reclaim_mode reclaim, int64_t cache_rate, const struct figures *mom, const struct figures *pve)
{
	const int64_t reserve_mib[] = {512, 1024, 2048, 3072};
	char title[100];
	const struct figures *best = mom->below5 < pve->below5 ? mom : pve;
	double starved = mom->starved < pve->starved ? mom->starved : pve->starved;
	snprintf(title, sizeof title, "Frontier over the reserve, reclaim %s, %s page cache",
		reclaim == RECLAIM_PROACTIVE ? "proactive" : "pressure (the default)",
		cache_rate ? "with" : "without");
	header_print(title);
	for (size_t i = 0; i < sizeof reserve_mib / sizeof *reserve_mib; i++) {
		struct figures f = with_reserve(reclaim, reserve_mib[i], cache_rate);
		char name[40];
		snprintf(name, sizeof name, "reserve %" PRId64 " MiB", reserve_mib[i]);
		figures_print(name, &f);
	}
	int64_t match = reserve_matching(reclaim, best->below5, cache_rate);
	struct figures f = with_reserve(reclaim, match, cache_rate);
	double bound = starved_bound(MIBS(match), false), gentle = starved_bound(MIBS(match), true);
	printf("  At a reserve of %" PRId64
	       " MiB the host is below 5 %% free for %.1f s/h, the best peer's %.1f:\n",
		match, f.below5, best->below5);
	target_print("starved, against the peer that starves least", f.starved / starved, 0.20);
	target_print("calls, against MoM's", f.calls / mom->calls, 1.30);
	target_print("reversals, against MoM's", f.reversals / mom->reversals, 0.50);
	printf("    with balloons that move at once and all known beforehand: %.0f s/h (%.2f of that "
	       "peer's); when "
	       "each\n    guest keeps its head room: %.0f s/h (%.2f)\n",
		bound, bound / starved, gentle, gentle / starved);
}

static void trace_measure(int64_t idle, const char *what)
{
	struct figures mom = {0}, pve = {0}, mom_cache = {0}, pve_cache = {0};
	idle_mib = idle;
	printf("\n%s\n", what);
	table(0, "Guests without page cache (kind to rules that look at MemFree)", &mom, &pve);
	table(MIBS(2), "Guests whose free memory turns into page cache, 2 MiB a second", &mom_cache,
		&pve_cache);
	for (int reclaim = 0; reclaim < 2; reclaim++) {
		frontier((enum reclaim_mode)reclaim, 0, &mom, &pve);
		frontier((enum reclaim_mode)reclaim, MIBS(2), &mom_cache, &pve_cache);
	}
}

int main(void)
{
	struct utsname u;
	uname(&u);
	printf("memory policies: %d guests of 4 GiB on 16 GiB, bursts, %d x %d h of virtual time; %ld CPUs, "
	       "%s %s\n",
		GUESTS, SEEDS, HOURS, sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release);
	traces_measure();
	trace_measure(450, "Idle guests use 450 to 900 MiB: all fit, when memory follows need");
	trace_measure(900, "Idle guests use 900 to 1350 MiB: several bursts at once do not fit");
	return 0;
}
