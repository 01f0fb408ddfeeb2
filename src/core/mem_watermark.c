/* SPDX-License-Identifier: MIT */
/* The default memory policy: two watermarks per guest. Below the low one it grows, from what the host has
 * above its reserve; above the high one it may give back; who gives when others or the host need it is
 * settled by shares and idleness. Invariant: no global direction; a guest never shrinks and grows in one
 * cycle. Wishes only: the guards of mem_ctl.c hold below it. */
#include <inttypes.h>
#include <stdlib.h>

#include "mem_priv.h"
#include "vmtop/text.h"

enum { LEVEL_STEPS = 40 }; /* halvings of a size: below 1 KiB for any */

static double seconds_left(const struct mem_ctl *c, int64_t until_ns)
{
	return (double)(until_ns - c->r->sample->time_ns) / 1e9;
}

/* --- growing --- */

/* In a crisis of the host a guest gets its head room and no more. */
static int64_t grow_to(const struct mem_ctl *c, const struct mem_guest *g)
{
	int64_t to = g->give_back ? kib_max(g->m.before_shrink_kib, g->tgt) : g->tgt;
	if (c->next_state == HOST_MEM_HARD)
		to = kib_min(to, g->used + g->head);
	return kib_min(to, g->max);
}

static bool wants_to_grow(const struct mem_ctl *c, const struct mem_guest *g)
{
	if (g->target >= g->lo && !g->give_back)
		return false;
	return grow_to(c, g) - g->target >= mem_small_kib(g->max);
}

static void explain_grow(const struct mem_ctl *c, struct mem_guest *g, int64_t to)
{
	char used[16], low[16], want[16], got[16];
	text_kib(used, sizeof used, g->used);
	text_kib(low, sizeof low, g->lo);
	text_kib(want, sizeof want, grow_to(c, g));
	text_kib(got, sizeof got, to);
	if (g->to_kib < 0)
		why_set(&g->why, REASON_HOST_LOW,
			"wants %s, but the host has nothing above its reserve; uses %s", want, used);
	else if (g->give_back)
		why_set(&g->why, REASON_GIVE_BACK, "back to %s: suffers since its last shrink", got);
	else
		why_set(&g->why, REASON_GIVE, "gets %s: uses %s, low watermark %s, wants %s", got, used, low,
			want);
}

static void grant(struct mem_ctl *c, struct mem_guest *g)
{
	int64_t to = kib_min(grow_to(c, g), g->promised + g->give_kib);
	if (to - g->target >= mem_small_kib(g->max))
		g->to_kib = to;
	explain_grow(c, g, to);
}

static double shares_of(const struct mem_guest *g)
{
	return g->rule && g->rule->mem_shares > 0 ? g->rule->mem_shares : 1;
}

/* What a guest gets when all hungry ones are lifted to `level`, in KiB a share. */
static int64_t lifted(const struct mem_guest *g, double level)
{
	double up = level * shares_of(g) - (double)(g->promised + g->first_kib);
	return up <= 0 ? 0 : up >= (double)g->short_kib ? g->short_kib : (int64_t)up;
}

static int64_t lift(struct mem_guest **g, size_t n, double level)
{
	int64_t sum = 0;
	for (size_t i = 0; i < n; i++) {
		g[i]->give_kib = lifted(g[i], level);
		sum += g[i]->give_kib;
	}
	return sum;
}

/* Fills short_kib of all from the pool. When it does not reach, the smallest are lifted first, up to the same
 * size a share: hungry guests end alike, whoever began to eat first. Returns what was given. */
static int64_t fill(struct mem_guest **g, size_t n, int64_t pool)
{
	double low = 0, high = 0;
	for (size_t i = 0; i < n; i++) {
		double full = (double)(g[i]->promised + g[i]->first_kib + g[i]->short_kib) / shares_of(g[i]);
		high = full > high ? full : high;
	}
	int64_t all = lift(g, n, high + 1);
	if (all <= pool)
		return all;
	for (int step = 0; step < LEVEL_STEPS; step++) {
		double level = (low + high) / 2;
		*(lift(g, n, level) <= pool ? &low : &high) = level;
	}
	return lift(g, n, low);
}

/* First to the low watermark, then what is left up to the wish. Those who grow but are not hungry yet keep
 * their part, or the first to ask would end larger than the others. list[0 .. hungry) are hungry, up to n
 * growing. Returns what could not be met. */
static int64_t grow_all(struct mem_ctl *c, size_t hungry, size_t n)
{
	struct mem_guest **g = c->list;
	int64_t unmet = 0;
	for (size_t i = 0; i < n; i++) {
		int64_t soon = g[i]->lo + (i < hungry ? 0 : g[i]->growth);
		g[i]->short_kib = kib_max(kib_min(soon, grow_to(c, g[i])) - g[i]->promised, 0);
	}
	int64_t left = c->pool_kib - fill(g, n, c->pool_kib);
	for (size_t i = 0; i < n; i++) {
		g[i]->first_kib = g[i]->give_kib;
		g[i]->short_kib = kib_max(grow_to(c, g[i]) - g[i]->promised - g[i]->first_kib, 0);
	}
	fill(g, n, left);
	for (size_t i = 0; i < hungry; i++) {
		unmet += g[i]->short_kib - g[i]->give_kib;
		g[i]->give_kib += g[i]->first_kib;
		grant(c, g[i]);
	}
	return unmet;
}

/* --- shrinking --- */

/* Takes down to `limit`, at most `pct` of the balloon and at most `need`. Returns what was ordered. */
static int64_t take(struct mem_guest *g, int64_t limit, double pct, int64_t need)
{
	int64_t step = kib_min(kib_min(g->target - limit, kib_pct(g->balloon, pct)), need);
	if (g->target < g->balloon || step < mem_small_kib(g->max))
		return 0;
	g->to_kib = g->target - step;
	return step;
}

static bool may_give(const struct mem_ctl *c, const struct mem_guest *g)
{
	return g->eligible && !g->hungry && g->to_kib < 0 && seconds_left(c, g->m.no_donor_until_ns) <= 0 &&
	       (!mem_guarded(c, MEM_GUARD_HARM) || seconds_left(c, g->m.harm_until_ns) <= 0);
}

static bool on_hold(const struct mem_ctl *c, const struct mem_guest *g)
{
	double since = (double)(c->r->sample->time_ns - g->m.grew_ns) / 1e9;
	return mem_guarded(c, MEM_GUARD_HOLD) && c->r->mode != ROUND_FORCED && c->r->mode != ROUND_PREVIEW &&
	       g->m.grew_ns && since < c->r->cfg->mem_hold_s;
}

/* What is above the high watermarks; `need` bounds it under pressure. Returns what was ordered. */
static int64_t reclaim_idle(struct mem_ctl *c, int64_t need, enum reason why)
{
	int64_t sum = 0;
	char part[16], high[16];
	for (size_t i = 0; i < c->n && sum < need; i++) {
		struct mem_guest *g = &c->guest[i];
		if (!may_give(c, g) || on_hold(c, g))
			continue;
		/* In plenty there is no hurry: not a call for every bit that the high watermark comes down.
		 */
		if (why == REASON_RECLAIM &&
			g->target - g->hi < kib_pct(g->balloon, c->r->cfg->mem_step_pct / 2))
			continue;
		int64_t got = take(g, g->hi, c->r->cfg->mem_step_pct, need - sum);
		if (!got)
			continue;
		sum += got;
		text_kib(part, sizeof part, got);
		text_kib(high, sizeof high, g->hi);
		why_set(&g->why, why, "gives back %s: above its high watermark %s%s", part, high,
			why == REASON_PRESSURE ? ", and the host runs short" : "");
	}
	return sum;
}

/* What a page of this guest is worth: shares per page, idle pages counting more (idle tax). */
static double page_worth(const struct mem_ctl *c, const struct mem_guest *g)
{
	double tax = c->r->cfg->mem_idle_tax;
	double pages = (double)kib_max(g->balloon, 1);
	double active = (double)kib_min(g->used, g->balloon) / pages;
	return shares_of(g) / (pages * (active + (1 - active) / (1 - tax)));
}

static int by_worth(const void *a, const void *b)
{
	const struct mem_guest *x = *(struct mem_guest *const *)a, *y = *(struct mem_guest *const *)b;
	if (x->worth < y->worth || x->worth > y->worth)
		return x->worth < y->worth ? -1 : 1;
	return uuid_compare(x->vm->uuid, y->vm->uuid);
}

/* Taking from one that grows to give to another that grows moves memory to and fro. */
static bool growing(const struct mem_guest *g)
{
	return g->growth > g->head / 4;
}

/* Down to use and head room, the cheapest pages first, until `need` is met. Returns what was ordered. */
static int64_t squeeze(struct mem_ctl *c, int64_t need, double pct, const char *whom)
{
	size_t n = 0;
	int64_t sum = 0;
	char part[16];
	for (size_t i = 0; i < c->n; i++)
		if (may_give(c, &c->guest[i]) && (c->next_state == HOST_MEM_HARD || !growing(&c->guest[i]))) {
			c->guest[i].worth = page_worth(c, &c->guest[i]);
			c->list[n++] = &c->guest[i];
		}
	if (n)
		qsort(c->list, n, sizeof *c->list, by_worth);
	for (size_t i = 0; i < n && sum < need; i++) {
		struct mem_guest *g = c->list[i];
		int64_t got = take(g, kib_max(g->used + g->head, g->lo), pct,
			kib_max(need - sum, mem_small_kib(g->max)));
		if (!got)
			continue;
		sum += got;
		text_kib(part, sizeof part, got);
		why_set(&g->why, REASON_PRESSURE, "gives %s it does not use: %s needs memory", part, whom);
	}
	return sum;
}

/* --- the round --- */

static void explain_rest(const struct mem_ctl *c, struct mem_guest *g)
{
	char used[16], low[16], high[16];
	text_kib(used, sizeof used, g->used);
	text_kib(low, sizeof low, g->lo);
	text_kib(high, sizeof high, g->hi);
	double harm = seconds_left(c, g->m.harm_until_ns), let_go = seconds_left(c, g->m.no_donor_until_ns);
	if (g->target >= g->max && g->used + g->head > g->max)
		why_set(&g->why, REASON_AT_MAX, "uses %s and has its maximum", used);
	else if (g->target > g->hi && let_go > 0)
		why_set(&g->why, REASON_HOLD_TIME,
			"its balloon did not follow; nothing is asked of it for %.0f s", let_go);
	else if (g->target > g->hi && harm > 0)
		why_set(&g->why, REASON_HOLD_TIME, "suffered from a shrink; no other for %.0f s", harm);
	else if (g->target > g->hi && on_hold(c, g))
		why_set(&g->why, REASON_HOLD_TIME, "above its high watermark %s, grew a moment ago", high);
	else if (g->target > g->hi && c->r->cfg->reclaim == RECLAIM_PRESSURE && c->next_state == HOST_MEM_OK)
		why_set(&g->why, REASON_MEM_OK, "above its high watermark %s, nobody needs it", high);
	else if (g->balloon <= g->floor && g->hi <= g->floor)
		why_set(&g->why, REASON_FLOOR, "uses %s, at its floor", used);
	else
		why_set(&g->why, REASON_MEM_OK, "uses %s, watermarks %s to %s", used, low, high);
}

static void needs_fill(struct mem_ctl *c)
{
	for (size_t i = 0; i < c->n; i++) {
		struct mem_guest *g = &c->guest[i];
		if (!g->eligible)
			continue;
		mem_need_fill(c, g);
		explain_rest(c, g);
		g->hungry = wants_to_grow(c, g);
	}
}

/* Appends to the list those that are hungry, or those that grow and are not. */
static size_t list_add(struct mem_ctl *c, size_t n, bool hungry)
{
	for (size_t i = 0; i < c->n; i++) {
		struct mem_guest *g = &c->guest[i];
		if (g->eligible && g->hungry == hungry && (hungry || growing(g)))
			c->list[n++] = g;
	}
	return n;
}

static bool starving(const struct mem_ctl *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->guest[i].hungry && c->guest[i].usable < c->guest[i].head / 4)
			return true;
	return false;
}

void mem_watermark_decide(struct mem_ctl *c)
{
	const struct config *cfg = c->r->cfg;
	needs_fill(c);
	size_t hungry = list_add(c, 0, true);
	int64_t unmet = grow_all(c, hungry, list_add(c, hungry, false));
	int64_t have = c->free_kib + c->coming_kib;
	/* First what others wait for: a guest that gave a little of what it has above its high watermark
	 * would be spared more. */
	if (c->next_state == HOST_MEM_HARD)
		have += squeeze(c, c->levels.reserve + unmet - have, cfg->mem_hard_step_pct, "the host");
	else if (unmet > 0)
		have += squeeze(c, unmet - c->coming_kib,
			starving(c) ? cfg->mem_hard_step_pct : cfg->mem_step_pct, "another guest");
	if (cfg->reclaim == RECLAIM_PROACTIVE)
		have += reclaim_idle(c, INT64_MAX, REASON_RECLAIM);
	if (c->next_state != HOST_MEM_OK && have < c->levels.soft_out)
		reclaim_idle(c, c->levels.soft_out - have, REASON_PRESSURE);
}
