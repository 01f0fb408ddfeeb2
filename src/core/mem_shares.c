/* SPDX-License-Identifier: MIT */
/* Memory that is short, divided by shares: what each guest is entitled to above its floor, and the taking
 * back from those who hold more, in use or not, for one with more shares who holds less. Invariant: with
 * equal shares nothing in use is ever taken; nobody without swap is squeezed below its use. */
#include <math.h>
#include <stdlib.h>

#include "mem_priv.h"
#include "vmtop/text.h"

enum { LEVEL_STEPS = 60, LEAST_SHARES_INVERSE = 200 };

static int64_t above(const struct mem_guest *g, double level)
{
	double part = level * mem_shares_of(g), most = (double)max_of(g->want - g->base, 0);
	return (int64_t)fmin(part, most);
}

static bool takes_part(const struct mem_ctl *c, const struct mem_guest *g)
{
	return g->eligible && mem_scope_has(c->sharing, g);
}

/* What each may have when all are lifted alike, a share, above their floors; what one does not want is the
 * others'. False: there is enough for all. */
static bool entitle(struct mem_ctl *c, int64_t all)
{
	const double most = ((double)all + 1) * LEAST_SHARES_INVERSE;
	double low = 0, high = most;
	for (int step = 0; step < LEVEL_STEPS; step++) {
		double level = (low + high) / 2;
		int64_t sum = 0;
		for (size_t i = 0; i < c->n; i++)
			if (takes_part(c, &c->guest[i]))
				sum += above(&c->guest[i], level);
		*(sum <= all ? &low : &high) = level;
	}
	for (size_t i = 0; i < c->n; i++)
		c->guest[i].due = c->guest[i].base + above(&c->guest[i], low);
	return low < most / 2;
}

/* Memory above floors that there is for all, and what each wants of it. */
static int64_t wants_fill(struct mem_ctl *c)
{
	int64_t all = c->pool_kib, held = 0;
	for (size_t i = 0; i < c->n; i++) {
		struct mem_guest *g = &c->guest[i];
		if (!takes_part(c, g))
			continue;
		if (g->hungry && mem_scope_same(g->scope, c->sharing))
			all = min_of(all, mem_scope_room(c, g, c->levels.reserve));
		g->want = max_of(g->hungry ? g->tgt : g->used + g->head, g->base);
		held += g->promised - g->base;
	}
	return max_of(all + held, 0);
}

/* What the guests with most shares lack of their due, and those shares. */
static int64_t lack_of(const struct mem_ctl *c, double *shares)
{
	int64_t sum = 0;
	for (size_t i = 0; i < c->n; i++) {
		const struct mem_guest *g = &c->guest[i];
		int64_t lack = min_of(g->due, g->want) - max_of(g->promised, g->to_kib);
		if (!g->hungry || !mem_scope_same(g->scope, c->sharing) || lack < mem_small_kib(g->max) ||
			mem_shares_of(g) < *shares)
			continue;
		sum = mem_shares_of(g) > *shares ? lack : sum + lack;
		*shares = mem_shares_of(g);
	}
	return sum;
}

/* Only one that has been seen to swap out has somewhere to put what it uses. */
bool mem_can_swap(const struct mem_guest *g)
{
	return vi64_has(g->vm->mem.swap_out_kib) && g->vm->mem.swap_out_kib.v > 0;
}

static int64_t lowest_of(const struct mem_guest *g)
{
	return g->hungry ? g->due : max_of(g->due, mem_found(g));
}

static int by_use(const void *a, const void *b)
{
	const struct mem_guest *x = *(struct mem_guest *const *)a, *y = *(struct mem_guest *const *)b;
	if (x->worth < y->worth || x->worth > y->worth)
		return x->worth < y->worth ? -1 : 1;
	return uuid_compare(x->vm->uuid, y->vm->uuid);
}

static size_t holders(struct mem_ctl *c, double shares)
{
	size_t n = 0;
	for (size_t i = 0; i < c->n; i++) {
		struct mem_guest *g = &c->guest[i];
		if (!takes_part(c, g) || g->grow_only || g->to_kib >= 0 || g->moving ||
			mem_shares_of(g) >= shares || !mem_can_swap(g) ||
			g->m.no_donor_until_ns > c->r->sample->time_ns ||
			g->target - lowest_of(g) < mem_small_kib(g->max))
			continue;
		g->worth = (double)g->used / (double)g->balloon;
		c->list[n++] = g;
	}
	if (n)
		qsort(c->list, n, sizeof *c->list, by_use);
	return n;
}

int64_t mem_shares_take(struct mem_ctl *c, int64_t need, struct mem_scope scope)
{
	c->sharing = scope;
	double shares = 0, pct = c->r->cfg->mem_step_pct;
	int64_t sum = 0, all = wants_fill(c);
	char part[16], due[16];
	if (need <= 0 || !entitle(c, all))
		return 0;
	need = min_of(need, lack_of(c, &shares));
	size_t n = need > 0 ? holders(c, shares) : 0;
	for (size_t i = 0; i < n && sum < need; i++) {
		struct mem_guest *g = c->list[i];
		int64_t step = min_of(kib_pct(g->balloon, pct), max_of(need - sum, mem_small_kib(g->max)));
		g->to_kib = max_of(g->target - step, lowest_of(g));
		g->forced = true;
		sum += g->target - g->to_kib;
		text_kib(part, sizeof part, g->target - g->to_kib);
		text_kib(due, sizeof due, g->due);
		why_set(&g->why, REASON_SHARES,
			"gives %s: a guest with more shares is short, its own leave it %s", part, due);
	}
	return sum;
}
