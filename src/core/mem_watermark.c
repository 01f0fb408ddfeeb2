/* SPDX-License-Identifier: MIT */
/* The default memory policy: two watermarks per guest. Below the low one it grows, from what the host has
 * above its reserve; above the high one it may give back; who gives when others or the host need it is
 * settled by shares and idleness. Invariant: no global direction; a guest never shrinks and grows in one
 * cycle. Wishes only: the guards of mem_ctl.c hold below it. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem_priv.h"
#include "vmtop/text.h"

enum { LEVEL_STEPS = 40 }; /* halvings of a size: below 1 KiB for any */

static double seconds_left(const struct mem_ctl *c, int64_t until_ns)
{
	return (double)(until_ns - c->r->sample->time_ns) / 1e9;
}

static int by_short(const void *a, const void *b)
{
	const struct mem_guest *x = *(struct mem_guest *const *)a, *y = *(struct mem_guest *const *)b;
	if (x->short_kib != y->short_kib)
		return x->short_kib < y->short_kib ? -1 : 1;
	return uuid_compare(x->vm->uuid, y->vm->uuid);
}

/* --- growing --- */

/* In a crisis of the host a guest gets its head room and no more, unless it suffers for what it gave. */
static int64_t grow_to(const struct mem_ctl *c, const struct mem_guest *g)
{
	int64_t to = g->give_back ? max_of(g->back_kib, g->tgt) : g->tgt;
	if (c->next_state == HOST_MEM_HARD && !g->give_back)
		to = min_of(to, g->used + g->head);
	if (g->lost || c->pool_kib < c->owed_kib)
		to = min_of(to, max_of(g->promised, mem_found(g)));
	return min_of(to, g->max);
}

/* The same as far as its nodes and its group have memory. */
static int64_t may_grow_to(const struct mem_ctl *c, const struct mem_guest *g)
{
	return min_of(grow_to(c, g), g->room_to);
}

static bool wants_to_grow(const struct mem_ctl *c, const struct mem_guest *g)
{
	if (g->target >= g->lo && !g->give_back)
		return false;
	return grow_to(c, g) - g->target >= mem_small_kib(g->max);
}

static void explain_lack(struct mem_guest *g, const char *want, const char *used)
{
	char nodes[64] = "", died[16];
	text_kib(died, sizeof died, g->m.died_kib);
	for (int i = 0; i < MAX_NODES && g->scope.nodes != UINT64_MAX; i++) {
		size_t at = strlen(nodes);
		if (g->scope.nodes >> i & 1)
			snprintf(nodes + at, sizeof nodes - at, "%s%d", at ? ", " : "", i);
	}
	if (g->lost)
		why_set(&g->why, REASON_HOST_LOW,
			"uses %s, and was killed with %s: the host has not enough to save it", used, died);
	else if (mem_scope_any(g->scope))
		why_set(&g->why, REASON_HOST_LOW,
			"wants %s, but the host has nothing above its reserve; uses %s", want, used);
	else if (g->scope.group)
		why_set(&g->why, REASON_LIMIT_LOW,
			"wants %s, but its control group is at its memory limit; uses %s", want, used);
	else
		why_set(&g->why, REASON_NODE_LOW,
			"wants %s, but node %s, which it is bound to, has nothing above its reserve; uses %s",
			want, nodes, used);
}

static void explain_grow(const struct mem_ctl *c, struct mem_guest *g, int64_t to)
{
	char used[16], low[16], want[16], got[16];
	text_kib(used, sizeof used, g->used);
	text_kib(low, sizeof low, g->lo);
	text_kib(want, sizeof want, grow_to(c, g));
	text_kib(got, sizeof got, to);
	if (g->to_kib < 0)
		explain_lack(g, want, used);
	else if (g->give_back)
		why_set(&g->why, REASON_GIVE_BACK, "back to %s: suffers since its last shrink", got);
	else
		why_set(&g->why, REASON_GIVE, "gets %s: uses %s, low watermark %s, wants %s", got, used, low,
			want);
}

/* What was its own before is given back also from the reserve. */
static void repay(struct mem_ctl *c, struct mem_guest *g)
{
	int64_t room = g->promised + mem_scope_room(c, g, MEM_HOST_LEAST);
	int64_t to = min_of(min_of(grow_to(c, g), mem_found(g)), room);
	int64_t add = min_of(to - g->promised - g->give_kib, mem_own_kib(c, g) - c->granted_kib);
	g->give_kib += max_of(add, 0);
	c->granted_kib += max_of(add, 0);
}

static void grant(struct mem_ctl *c, struct mem_guest *g)
{
	int64_t to = min_of(grow_to(c, g), g->promised + g->give_kib);
	if (to - g->target >= mem_small_kib(g->max))
		g->to_kib = to;
	explain_grow(c, g, to);
}

/* What a guest gets when all hungry ones are lifted to `level` above their floors, in KiB a share. */
static int64_t lifted(const struct mem_guest *g, double level)
{
	double up = level * mem_shares_of(g) - (double)(g->promised + g->first_kib - g->base);
	if (up <= 0)
		return 0;
	return up >= (double)g->short_kib ? g->short_kib : (int64_t)up;
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

/* Fills short_kib of all from the pool. When it does not reach, those are lifted first who have least above
 * their floor, up to the same a share: hungry guests end alike, whoever began to eat first. Returns what was
 * given. */
static int64_t fill(struct mem_guest **g, size_t n, int64_t pool)
{
	double low = 0, high = 0;
	for (size_t i = 0; i < n; i++) {
		double full = (double)(g[i]->promised + g[i]->first_kib + g[i]->short_kib - g[i]->base);
		high = fmax(full / mem_shares_of(g[i]), high);
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

/* Guests on the same nodes share what these have as all share what the host has, and so do those in one
 * group. `first`: of them; others before it have been seen to. */
static void share_one(struct mem_ctl *c, struct mem_guest *first, size_t n, bool group)
{
	size_t m = 0;
	for (size_t i = 0; i < n; i++) {
		struct mem_guest *g = c->list[i];
		bool same = group ? g->vm->mem.limit_group == first->vm->mem.limit_group
				  : g->vm->mem_nodes_strict && g->vm->mem_nodes == first->vm->mem_nodes;
		if (!same)
			continue;
		if (m == 0 && g != first)
			return;
		g->first_kib = 0;
		g->short_kib = max_of(may_grow_to(c, g) - g->promised, 0);
		c->few[m++] = g;
	}
	fill(c->few, m, mem_scope_room(c, first, c->levels.reserve));
	for (size_t i = 0; i < m; i++)
		c->few[i]->room_to = c->few[i]->promised + c->few[i]->give_kib;
}

static void share_scopes(struct mem_ctl *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct mem_guest *g = c->list[i];
		if (g->vm->mem_nodes_strict && g->vm->mem_nodes)
			share_one(c, g, n, false);
		if (g->vm->mem.limit_group)
			share_one(c, g, n, true);
	}
}

/* --- those who are killed all the same --- */

/* What it would take, when what it was killed with is not enough; 0: it has not been killed with more than it
 * was found with, or has outgrown that. */
static int64_t to_save(const struct mem_guest *g)
{
	int64_t to = min_of((int64_t)g->m.dry_kib + g->head, g->max);
	return g->m.died_kib >= mem_found(g) && g->promised <= g->m.died_kib ? max_of(to - g->promised, 0)
									     : 0;
}

static int64_t asked_by_others(const struct mem_ctl *c)
{
	int64_t sum = 0;
	for (size_t i = 0; i < c->n; i++)
		if (c->guest[i].hungry && !to_save(&c->guest[i]))
			sum += max_of(grow_to(c, &c->guest[i]) - c->guest[i].promised, 0);
	return sum;
}

/* A guest that is killed with what it gets has been given it for nothing, and whoever gave it lacks it. So
 * one that was killed before is lifted above what it was found with only where there is as much as may save
 * it; the smallest lack first. */
static void give_up_lost(struct mem_ctl *c)
{
	int64_t left = c->pool_kib + mem_could_take(c, DEPTH_USED) - asked_by_others(c);
	size_t n = 0;
	if (c->r->cfg->reclaim == RECLAIM_PROACTIVE) /* all get the same, whatever comes of it */
		return;
	for (size_t i = 0; i < c->n; i++) {
		struct mem_guest *g = &c->guest[i];
		g->short_kib = to_save(g);
		if (g->hungry && g->short_kib > 0)
			c->list[n++] = g;
	}
	if (n)
		qsort(c->list, n, sizeof *c->list, by_short);
	for (size_t i = 0; i < n; i++) {
		left -= c->list[i]->short_kib;
		c->list[i]->lost = left < 0;
	}
}

/* --- all who grow --- */

/* First to the low watermark, then what is left up to the wish. Those who grow but are not hungry yet keep
 * their part, or the first to ask would end larger than the others. list[0 .. hungry) are hungry, up to n
 * growing. Returns what could not be met. */
static int64_t grow_all(struct mem_ctl *c, size_t hungry, size_t n)
{
	struct mem_guest **g = c->list;
	int64_t unmet = 0;
	share_scopes(c, n);
	for (size_t i = 0; i < n; i++) {
		int64_t soon = g[i]->lo + (i < hungry ? 0 : g[i]->growth);
		g[i]->short_kib = max_of(min_of(soon, may_grow_to(c, g[i])) - g[i]->promised, 0);
	}
	int64_t left = c->pool_kib - fill(g, n, c->pool_kib);
	for (size_t i = 0; i < n; i++) {
		g[i]->first_kib = g[i]->give_kib;
		g[i]->short_kib = max_of(may_grow_to(c, g[i]) - g[i]->promised - g[i]->first_kib, 0);
	}
	fill(g, n, left);
	for (size_t i = 0; i < hungry; i++)
		c->granted_kib += g[i]->give_kib + g[i]->first_kib;
	for (size_t i = 0; i < hungry; i++) {
		int64_t all = max_of(grow_to(c, g[i]) - g[i]->promised, 0);
		g[i]->give_kib += g[i]->first_kib;
		repay(c, g[i]);
		g[i]->unmet_kib = g[i]->grow_only ? 0 : max_of(all - g[i]->give_kib, 0);
		unmet += g[i]->unmet_kib;
		grant(c, g[i]);
	}
	return unmet;
}

/* --- plenty --- */

static void refill_one(struct mem_guest *g, int64_t add)
{
	char to[16];
	g->to_kib = g->promised + add;
	text_kib(to, sizeof to, g->to_kib);
	why_set(&g->why, REASON_GIVE, "gets %s: %s", to,
		g->to_kib > mem_found(g) ? "it ran dry with less, and the host has plenty"
					 : "it had so much when it was found");
}

/* Lifts guests to `most`, found size or what they should have in plenty; the smallest lack first. What is
 * beyond the found size comes whole or not at all: half of what a guest needs to live is lost on it. Returns
 * what is left. */
static int64_t refill(struct mem_ctl *c, int64_t left, bool own)
{
	size_t n = 0;
	for (size_t i = 0; i < c->n; i++) {
		struct mem_guest *g = &c->guest[i];
		int64_t most = min_of(g->keep, g->room_to);
		g->short_kib = (own ? min_of(most, mem_found(g)) : most) - g->promised;
		if (g->eligible && g->to_kib < 0 && g->target >= g->balloon &&
			g->short_kib >= 2 * mem_small_kib(g->max))
			c->list[n++] = g;
	}
	if (n)
		qsort(c->list, n, sizeof *c->list, by_short);
	for (size_t i = 0; i < n; i++) {
		int64_t add = min_of(c->list[i]->short_kib, own ? left : INT64_MAX);
		if (add > left || add < 2 * mem_small_kib(c->list[i]->max))
			break;
		left -= add;
		refill_one(c->list[i], add);
	}
	return left;
}

/* The host has not been short for a while. */
static bool calm(const struct mem_ctl *c)
{
	double since = (double)(c->r->sample->time_ns - c->calm_ns) / 1e9;
	double rest = fmax(c->rest_s, c->r->cfg->mem_hold_s);
	return c->next_state != HOST_MEM_HARD && c->calm_ns && since >= rest;
}

/* --- taking what is idle --- */

static bool on_hold(const struct mem_ctl *c, const struct mem_guest *g)
{
	double since = (double)(c->r->sample->time_ns - g->m.grew_ns) / 1e9;
	return mem_guarded(c, MEM_GUARD_HOLD) && c->r->mode != ROUND_FORCED && c->r->mode != ROUND_PREVIEW &&
	       g->m.grew_ns && since < c->r->cfg->mem_hold_s;
}

/* What is above the high watermarks, and above what guests ran dry with, though nobody needs it. There is no
 * hurry: not a call for every bit that the high watermark comes down. */
static void reclaim_idle(struct mem_ctl *c)
{
	char part[16], high[16];
	for (size_t i = 0; i < c->n; i++) {
		struct mem_guest *g = &c->guest[i];
		int64_t down = max_of(max_of(g->hi, g->keep), g->back_kib),
			step = kib_pct(g->balloon, c->r->cfg->mem_step_pct);
		if (!mem_may_give(c, g) || g->to_kib >= 0 || g->target < g->balloon || on_hold(c, g) ||
			g->target - down < max_of(step / 2, mem_small_kib(g->max)))
			continue;
		g->to_kib = max_of(down, g->target - step);
		text_kib(part, sizeof part, g->target - g->to_kib);
		text_kib(high, sizeof high, down);
		why_set(&g->why, REASON_RECLAIM, "gives back %s: above its high watermark %s", part, high);
	}
}

/* --- the round --- */

static void explain_foreign(const struct mem_ctl *c, struct mem_guest *g)
{
	why_set(&g->why, REASON_FOREIGN_BALLOON,
		"somebody else set its balloon; it may grow, and is not shrunk for another %.0f s",
		seconds_left(c, g->m.foreign_until_ns));
}

static void explain_rest(const struct mem_ctl *c, struct mem_guest *g)
{
	char used[16], low[16], high[16];
	text_kib(used, sizeof used, g->used);
	text_kib(low, sizeof low, g->lo);
	text_kib(high, sizeof high, g->hi);
	double harm = seconds_left(c, g->m.harm_until_ns), let_go = seconds_left(c, g->m.no_donor_until_ns);
	if (g->target >= g->max && g->used + g->head > g->max)
		why_set(&g->why, REASON_AT_MAX, "uses %s and has %s", used,
			mem_limit_kib(&g->vm->mem) == g->max ? "all that its process's memory limit leaves"
							     : "its maximum");
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
		g->room_to = g->promised + mem_scope_room(c, g, c->levels.reserve);
		g->scope = mem_scope_of(c, g);
		g->base = mem_guest_least(g, c->r->cfg);
		explain_rest(c, g);
		if (g->grow_only)
			explain_foreign(c, g);
		g->hungry = wants_to_grow(c, g);
	}
}

/* Appends to the list those that are hungry, or those that grow and are not. */
static size_t list_add(struct mem_ctl *c, size_t n, bool hungry)
{
	for (size_t i = 0; i < c->n; i++) {
		struct mem_guest *g = &c->guest[i];
		if (g->eligible && g->hungry == hungry && (hungry || mem_growing(g)))
			c->list[n++] = g;
	}
	return n;
}

/* How deep donors go for this hungry one. That it grows towards what it always had is no reason to take from
 * others what they may need; that it is dry, or is about to be with all that it was found with, is. */
static enum mem_depth depth_for(const struct mem_ctl *c, const struct mem_guest *g)
{
	if (g->dry)
		return DEPTH_USED;
	if (c->r->cfg->reclaim == RECLAIM_PROACTIVE)
		return DEPTH_NOW;
	if (g->urgent && g->used + g->growth > mem_found(g) && (!c->fits || g->usable < 2 * g->head))
		return DEPTH_NOW;
	return g->give_back ? DEPTH_SEEN : DEPTH_PAST;
}

/* What those lack, of one scope, for whom donors go so deep or deeper. */
static int64_t unmet_at(const struct mem_ctl *c, enum mem_depth depth, struct mem_scope scope)
{
	int64_t sum = 0;
	for (size_t i = 0; i < c->n; i++)
		if (c->guest[i].hungry && mem_scope_same(c->guest[i].scope, scope) &&
			depth_for(c, &c->guest[i]) >= depth)
			sum += c->guest[i].unmet_kib;
	return sum;
}

/* The lack of scope i less what is on its way; what comes to narrower scopes goes to these first. */
static int64_t lack_at(const struct mem_ctl *c, enum mem_depth depth, const struct mem_scope *s, size_t i)
{
	int64_t lack = unmet_at(c, depth, s[i]) - mem_supply(c, s[i]);
	for (size_t k = 0; k < i; k++)
		if (mem_scope_inside(s[k], s[i]))
			lack += min_of(unmet_at(c, DEPTH_PAST, s[k]), mem_supply(c, s[k]));
	return lack;
}

static bool anybody_urgent(const struct mem_ctl *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->guest[i].hungry && c->guest[i].urgent && c->guest[i].fresh)
			return true;
	return false;
}

/* From the gentlest depth on, each for those who are worth it. */
static void take_for_guests(struct mem_ctl *c, const struct mem_scope *s, size_t n)
{
	const struct config *cfg = c->r->cfg;
	for (int d = DEPTH_PAST; d < DEPTHS; d++)
		for (size_t i = 0; i < n; i++) {
			double pct = d == DEPTH_USED ? cfg->mem_hard_step_pct : cfg->mem_step_pct;
			enum mem_depth depth = (enum mem_depth)d;
			mem_take(c, &(struct mem_need){
					    lack_at(c, depth, s, i), depth, s[i], pct, "another guest"});
		}
}

static void take_for_host(struct mem_ctl *c, int64_t want, enum mem_depth deepest, double pct)
{
	for (int d = DEPTH_PAST; d <= (int)deepest; d++) {
		int64_t lack = want - c->free_kib - mem_supply(c, MEM_ANYWHERE);
		mem_take(c, &(struct mem_need){lack, (enum mem_depth)d, MEM_ANYWHERE, pct, "the host"});
	}
}

/* A host that is short, or has swapped out, would not be or have without what it gave, or less so: that comes
 * back before anybody swaps for it, whatever the guest may need again. By hand it would not have had it. */
static void take_gifts(struct mem_ctl *c)
{
	int64_t lack = c->levels.hard_out + c->owed_kib - c->free_kib - mem_supply(c, MEM_ANYWHERE);
	mem_take(c,
		&(struct mem_need){lack, DEPTH_GIFT, MEM_ANYWHERE, c->r->cfg->mem_hard_step_pct, "the host"});
}

static void take_for_need(struct mem_ctl *c, int64_t unmet)
{
	struct mem_scope s[MEM_SCOPES];
	size_t n = mem_scopes_list(c, s);
	take_gifts(c);
	if (c->next_crisis)
		take_for_host(c, c->levels.hard_out + unmet,
			c->next_crisis == CRISIS_DIRE ? DEPTH_USED : DEPTH_SEEN,
			c->r->cfg->mem_hard_step_pct);
	take_for_guests(c, s, n);
	for (size_t i = 0; i < n && !c->r->early; i++)
		mem_shares_take(c, lack_at(c, DEPTH_PAST, s, i), s[i]);
}

static void decide(struct mem_ctl *c)
{
	const struct config *cfg = c->r->cfg;
	needs_fill(c);
	if (c->r->early && !anybody_urgent(c)) {
		take_gifts(c);
		return;
	}
	give_up_lost(c);
	size_t hungry = list_add(c, 0, true);
	int64_t unmet = grow_all(c, hungry, list_add(c, hungry, false));
	take_for_need(c, unmet);
	if (c->r->early)
		return;
	if (cfg->reclaim == RECLAIM_PROACTIVE)
		reclaim_idle(c);
	if (c->next_state != HOST_MEM_OK)
		take_for_host(c, c->levels.soft_out, DEPTH_PAST, cfg->mem_step_pct);
	if (!calm(c))
		return;
	int64_t left = refill(c, c->free_kib - c->granted_kib - c->levels.reserve, true);
	refill(c, left + c->levels.reserve - c->levels.soft_out - c->owed_kib, false);
}

const struct mem_policy_ops mem_policy_watermark = {.decide = decide, .cycle_s = 5, .between = true};
