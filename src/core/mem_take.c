/* SPDX-License-Identifier: MIT */
/* Taking memory from guests that do not use it: who gives, how far down, and how the need is split among
 * them. Invariant: nobody is asked below the depth that the need is worth, and what one has needed in the
 * last hours goes last. Wishes only. */
#include <stdlib.h>

#include "mem_priv.h"
#include "vmtop/text.h"

static double seconds_left(const struct mem_ctl *c, int64_t until_ns)
{
	return (double)(until_ns - c->r->sample->time_ns) / 1e9;
}

bool mem_may_give(const struct mem_ctl *c, const struct mem_guest *g)
{
	return g->eligible && !g->grow_only && !g->hungry && g->to_kib <= g->target &&
	       seconds_left(c, g->m.no_donor_until_ns) <= 0;
}

double mem_shares_of(const struct mem_guest *g)
{
	return g->rule && g->rule->mem_shares > 0 ? g->rule->mem_shares : 1;
}

/* Taking from one that grows to give to another that grows moves memory to and fro. */
bool mem_growing(const struct mem_guest *g)
{
	return g->growth > g->head / 4;
}

/* Where it is going, this cycle's wish included. */
static int64_t down_at(const struct mem_guest *g)
{
	return g->to_kib >= 0 ? g->to_kib : g->target;
}

/* Shares per page that it could give, idle pages counting more (idle tax): who is worth least gives first. */
static double page_worth(const struct mem_ctl *c, const struct mem_guest *g, int64_t slack)
{
	double tax = c->r->cfg->mem_idle_tax, pages = (double)max_of(g->balloon, 1);
	double active = (double)min_of(g->used, g->balloon) / pages;
	return mem_shares_of(g) / ((double)slack * (active + (1 - active) / (1 - tax)));
}

static int by_worth(const void *a, const void *b)
{
	const struct mem_guest *x = *(struct mem_guest *const *)a, *y = *(struct mem_guest *const *)b;
	if (x->worth < y->worth || x->worth > y->worth)
		return x->worth < y->worth ? -1 : 1;
	return uuid_compare(x->vm->uuid, y->vm->uuid);
}

/* One that has not been seen to swap is killed when it is squeezed too far, and nobody knows what it was
 * given its size for: as long as no killer threatens the host it keeps half of the difference. On a host that
 * cannot hold what all were found with nobody could give it back in time: there it keeps all of it. */
static int64_t lowest_of(const struct mem_ctl *c, const struct mem_guest *g, enum mem_depth depth)
{
	bool spared = c->next_crisis != CRISIS_DIRE && !mem_can_swap(g) &&
		      c->r->cfg->reclaim == RECLAIM_PRESSURE && depth > DEPTH_PAST;
	int64_t had = clamp(mem_found(g), g->least[DEPTH_NOW], g->least[DEPTH_PAST]);
	if (!spared)
		return g->least[depth];
	return c->fits ? (g->least[DEPTH_NOW] + had) / 2 : had;
}

static size_t donors(struct mem_ctl *c, enum mem_depth depth, struct mem_scope scope)
{
	size_t n = 0;
	for (size_t i = 0; i < c->n; i++) {
		struct mem_guest *g = &c->guest[i];
		int64_t slack = down_at(g) - lowest_of(c, g, depth);
		if (!mem_may_give(c, g) || !mem_scope_has(scope, g) || slack < mem_small_kib(g->max) ||
			g->target < g->balloon || (c->next_crisis != CRISIS_DIRE && mem_growing(g)))
			continue;
		g->worth = page_worth(c, g, slack);
		c->list[n++] = g;
	}
	if (n)
		qsort(c->list, n, sizeof *c->list, by_worth);
	return n;
}

static int64_t take(struct mem_guest *g, enum mem_depth depth, int64_t lowest, int64_t need, const char *whom)
{
	static const char *const what[DEPTHS] = {
		[DEPTH_GIFT] = "of what it was given",
		[DEPTH_PAST] = "beyond what it needed in the last hours",
		[DEPTH_SEEN] = "it was not seen to need",
		[DEPTH_NOW] = "it does not need now",
		[DEPTH_USED] = "it does not use",
	};
	int64_t from = down_at(g), small = mem_small_kib(g->max);
	int64_t to = max_of(lowest, from - max_of(need, small));
	char part[16];
	if (from - to < small)
		return 0;
	g->to_kib = to;
	text_kib(part, sizeof part, g->target - to);
	why_set(&g->why, REASON_PRESSURE, "gives %s %s: %s needs memory", part, what[depth], whom);
	return from - to;
}

int64_t mem_supply(const struct mem_ctl *c, struct mem_scope s)
{
	int64_t sum = 0;
	for (size_t i = 0; i < c->n; i++) {
		const struct mem_guest *g = &c->guest[i];
		int64_t moving = g->moving ? max_of(g->balloon - g->m.asked_kib, 0) : 0;
		if (mem_scope_has(s, g))
			sum += moving + (g->to_kib >= 0 ? max_of(g->target - g->to_kib, 0) : 0);
	}
	return sum;
}

int64_t mem_could_take(const struct mem_ctl *c, enum mem_depth depth)
{
	int64_t sum = 0;
	for (size_t i = 0; i < c->n; i++)
		if (mem_may_give(c, &c->guest[i]))
			sum += max_of(down_at(&c->guest[i]) - lowest_of(c, &c->guest[i], depth), 0);
	return sum;
}

/* In proportion to what each could give, then in order whatever the small parts left. */
int64_t mem_take(struct mem_ctl *c, const struct mem_need *need)
{
	size_t n = need->kib > 0 ? donors(c, need->depth, need->scope) : 0;
	double all = 0;
	int64_t sum = 0;
	for (size_t i = 0; i < n; i++)
		all += 1 / c->list[i]->worth;
	for (int rest = 0; rest < 2; rest++)
		for (size_t i = 0; i < n && sum < need->kib; i++) {
			struct mem_guest *g = c->list[i];
			double part = (double)need->kib / g->worth / all;
			int64_t most = rest ? need->kib - sum : (int64_t)part;
			int64_t step = g->balloon - kib_pct(g->balloon, need->pct);
			sum += take(g, need->depth, max_of(lowest_of(c, g, need->depth), step),
				min_of(most, need->kib - sum), need->whom);
		}
	return sum;
}
