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

static double seconds_left(const struct mem_ctl *ctl, int64_t until_ns)
{
	return (double)(until_ns - ctl->r->sample->time_ns) / 1e9;
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
static int64_t grow_to(const struct mem_ctl *ctl, const struct mem_guest *guest)
{
	int64_t to = guest->give_back ? max_of(guest->back_kib, guest->tgt) : guest->tgt;
	if (ctl->next_state == HOST_MEM_HARD && !guest->give_back)
		to = min_of(to, guest->used + guest->head);
	if (guest->lost || ctl->pool_kib < ctl->owed_kib)
		to = min_of(to, max_of(guest->promised, mem_found(guest)));
	return min_of(to, guest->max);
}

/* The same as far as its nodes and its group have memory. */
static int64_t may_grow_to(const struct mem_ctl *ctl, const struct mem_guest *guest)
{
	return min_of(grow_to(ctl, guest), guest->room_to);
}

static bool wants_to_grow(const struct mem_ctl *ctl, const struct mem_guest *guest)
{
	if (guest->target >= guest->lo && !guest->give_back)
		return false;
	return grow_to(ctl, guest) - guest->target >= mem_small_kib(guest->max);
}

static void explain_lack(struct mem_guest *guest, const char *want, const char *used)
{
	char nodes[64] = "", died[16];
	text_kib(died, sizeof died, guest->m.died_kib);
	for (int i = 0; i < MAX_NODES && guest->scope.nodes != UINT64_MAX; i++) {
		size_t at = strlen(nodes);
		if (guest->scope.nodes >> i & 1)
			snprintf(nodes + at, sizeof nodes - at, "%s%d", at ? ", " : "", i);
	}
	if (guest->lost)
		why_set(&guest->why, REASON_HOST_LOW,
			"uses %s, and was killed with %s: the host has not enough to save it", used, died);
	else if (mem_scope_any(guest->scope))
		why_set(&guest->why, REASON_HOST_LOW,
			"wants %s, but the host has nothing above its reserve; uses %s", want, used);
	else if (guest->scope.group)
		why_set(&guest->why, REASON_LIMIT_LOW,
			"wants %s, but its control group is at its memory limit; uses %s", want, used);
	else
		why_set(&guest->why, REASON_NODE_LOW,
			"wants %s, but node %s, which it is bound to, has nothing above its reserve; uses %s",
			want, nodes, used);
}

static void explain_grow(const struct mem_ctl *ctl, struct mem_guest *guest, int64_t to)
{
	char used[16], low[16], want[16], got[16];
	text_kib(used, sizeof used, guest->used);
	text_kib(low, sizeof low, guest->lo);
	text_kib(want, sizeof want, grow_to(ctl, guest));
	text_kib(got, sizeof got, to);
	if (guest->to_kib < 0)
		explain_lack(guest, want, used);
	else if (guest->give_back)
		why_set(&guest->why, REASON_GIVE_BACK, "back to %s: suffers since its last shrink", got);
	else
		why_set(&guest->why, REASON_GIVE, "gets %s: uses %s, low watermark %s, wants %s", got, used,
			low, want);
}

/* What was its own before is given back also from the reserve. */
static void repay(struct mem_ctl *ctl, struct mem_guest *guest)
{
	int64_t room = guest->promised + mem_scope_room(ctl, guest, MEM_HOST_LEAST);
	int64_t to = min_of(min_of(grow_to(ctl, guest), mem_found(guest)), room);
	int64_t add =
		min_of(to - guest->promised - guest->give_kib, mem_own_kib(ctl, guest) - ctl->granted_kib);
	guest->give_kib += max_of(add, 0);
	ctl->granted_kib += max_of(add, 0);
}

static void grant(struct mem_ctl *ctl, struct mem_guest *guest)
{
	int64_t to = min_of(grow_to(ctl, guest), guest->promised + guest->give_kib);
	if (to - guest->target >= mem_small_kib(guest->max))
		guest->to_kib = to;
	explain_grow(ctl, guest, to);
}

/* What a guest gets when all hungry ones are lifted to `level` above their floors, in KiB a share. */
static int64_t lifted(const struct mem_guest *guest, double level)
{
	double up = level * mem_shares_of(guest) - (double)(guest->promised + guest->first_kib - guest->base);
	if (up <= 0)
		return 0;
	return up >= (double)guest->short_kib ? guest->short_kib : (int64_t)up;
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
static void share_one(struct mem_ctl *ctl, struct mem_guest *first, size_t n, bool group)
{
	size_t m = 0;
	for (size_t i = 0; i < n; i++) {
		struct mem_guest *guest = ctl->list[i];
		bool same =
			group ? guest->vm->mem.limit_group == first->vm->mem.limit_group
			      : guest->vm->mem_nodes_strict && guest->vm->mem_nodes == first->vm->mem_nodes;
		if (!same)
			continue;
		if (m == 0 && guest != first)
			return;
		guest->first_kib = 0;
		guest->short_kib = max_of(may_grow_to(ctl, guest) - guest->promised, 0);
		ctl->few[m++] = guest;
	}
	fill(ctl->few, m, mem_scope_room(ctl, first, ctl->levels.reserve));
	for (size_t i = 0; i < m; i++)
		ctl->few[i]->room_to = ctl->few[i]->promised + ctl->few[i]->give_kib;
}

static void share_scopes(struct mem_ctl *ctl, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct mem_guest *guest = ctl->list[i];
		if (guest->vm->mem_nodes_strict && guest->vm->mem_nodes)
			share_one(ctl, guest, n, false);
		if (guest->vm->mem.limit_group)
			share_one(ctl, guest, n, true);
	}
}

/* --- those who are killed all the same --- */

/* What it would take, when what it was killed with is not enough; 0: it has not been killed with more than it
 * was found with, or has outgrown that. */
static int64_t to_save(const struct mem_guest *guest)
{
	int64_t to = min_of((int64_t)guest->m.dry_kib + guest->head, guest->max);
	return guest->m.died_kib >= mem_found(guest) && guest->promised <= guest->m.died_kib
		       ? max_of(to - guest->promised, 0)
		       : 0;
}

static int64_t asked_by_others(const struct mem_ctl *ctl)
{
	int64_t sum = 0;
	for (size_t i = 0; i < ctl->n; i++)
		if (ctl->guest[i].hungry && !to_save(&ctl->guest[i]))
			sum += max_of(grow_to(ctl, &ctl->guest[i]) - ctl->guest[i].promised, 0);
	return sum;
}

/* A guest that is killed with what it gets has been given it for nothing, and whoever gave it lacks it. So
 * one that was killed before is lifted above what it was found with only where there is as much as may save
 * it; the smallest lack first. */
static void give_up_lost(struct mem_ctl *ctl)
{
	int64_t left = ctl->pool_kib + mem_could_take(ctl, DEPTH_USED) - asked_by_others(ctl);
	size_t n = 0;
	if (ctl->r->cfg->reclaim == RECLAIM_PROACTIVE) /* all get the same, whatever comes of it */
		return;
	for (size_t i = 0; i < ctl->n; i++) {
		struct mem_guest *guest = &ctl->guest[i];
		guest->short_kib = to_save(guest);
		if (guest->hungry && guest->short_kib > 0)
			ctl->list[n++] = guest;
	}
	if (n)
		qsort(ctl->list, n, sizeof *ctl->list, by_short);
	for (size_t i = 0; i < n; i++) {
		left -= ctl->list[i]->short_kib;
		ctl->list[i]->lost = left < 0;
	}
}

/* --- all who grow --- */

/* First to the low watermark, then what is left up to the wish. Those who grow but are not hungry yet keep
 * their part, or the first to ask would end larger than the others. list[0 .. hungry) are hungry, up to n
 * growing. Returns what could not be met. */
static int64_t grow_all(struct mem_ctl *ctl, size_t hungry, size_t n)
{
	struct mem_guest **g = ctl->list;
	int64_t unmet = 0;
	share_scopes(ctl, n);
	for (size_t i = 0; i < n; i++) {
		int64_t soon = g[i]->lo + (i < hungry ? 0 : g[i]->growth);
		g[i]->short_kib = max_of(min_of(soon, may_grow_to(ctl, g[i])) - g[i]->promised, 0);
	}
	int64_t left = ctl->pool_kib - fill(g, n, ctl->pool_kib);
	for (size_t i = 0; i < n; i++) {
		g[i]->first_kib = g[i]->give_kib;
		g[i]->short_kib = max_of(may_grow_to(ctl, g[i]) - g[i]->promised - g[i]->first_kib, 0);
	}
	fill(g, n, left);
	for (size_t i = 0; i < hungry; i++)
		ctl->granted_kib += g[i]->give_kib + g[i]->first_kib;
	for (size_t i = 0; i < hungry; i++) {
		int64_t all = max_of(grow_to(ctl, g[i]) - g[i]->promised, 0);
		g[i]->give_kib += g[i]->first_kib;
		repay(ctl, g[i]);
		g[i]->unmet_kib = g[i]->grow_only ? 0 : max_of(all - g[i]->give_kib, 0);
		unmet += g[i]->unmet_kib;
		grant(ctl, g[i]);
	}
	return unmet;
}

/* --- plenty --- */

static void refill_one(struct mem_guest *guest, int64_t add)
{
	char to[16];
	guest->to_kib = guest->promised + add;
	text_kib(to, sizeof to, guest->to_kib);
	why_set(&guest->why, REASON_GIVE, "gets %s: %s", to,
		guest->to_kib > mem_found(guest) ? "it ran dry with less, and the host has plenty"
						 : "it had so much when it was found");
}

/* Lifts guests to `most`, found size or what they should have in plenty; the smallest lack first. What is
 * beyond the found size comes whole or not at all: half of what a guest needs to live is lost on it. Returns
 * what is left. */
static int64_t refill(struct mem_ctl *ctl, int64_t left, bool own)
{
	size_t n = 0;
	for (size_t i = 0; i < ctl->n; i++) {
		struct mem_guest *guest = &ctl->guest[i];
		int64_t most = min_of(guest->keep, guest->room_to);
		guest->short_kib = (own ? min_of(most, mem_found(guest)) : most) - guest->promised;
		if (guest->eligible && guest->to_kib < 0 && guest->target >= guest->balloon &&
			guest->short_kib >= 2 * mem_small_kib(guest->max))
			ctl->list[n++] = guest;
	}
	if (n)
		qsort(ctl->list, n, sizeof *ctl->list, by_short);
	for (size_t i = 0; i < n; i++) {
		int64_t add = min_of(ctl->list[i]->short_kib, own ? left : INT64_MAX);
		if (add > left || add < 2 * mem_small_kib(ctl->list[i]->max))
			break;
		left -= add;
		refill_one(ctl->list[i], add);
	}
	return left;
}

/* The host has not been short for a while. */
static bool calm(const struct mem_ctl *ctl)
{
	double since = (double)(ctl->r->sample->time_ns - ctl->calm_ns) / 1e9;
	double rest = fmax(ctl->rest_s, ctl->r->cfg->mem_hold_s);
	return ctl->next_state != HOST_MEM_HARD && ctl->calm_ns && since >= rest;
}

/* --- taking what is idle --- */

static bool on_hold(const struct mem_ctl *ctl, const struct mem_guest *guest)
{
	double since = (double)(ctl->r->sample->time_ns - guest->m.grew_ns) / 1e9;
	return mem_guarded(ctl, MEM_GUARD_HOLD) && ctl->r->mode != ROUND_FORCED &&
	       ctl->r->mode != ROUND_PREVIEW && guest->m.grew_ns && since < ctl->r->cfg->mem_hold_s;
}

/* What is above the high watermarks, and above what guests ran dry with, though nobody needs it. There is no
 * hurry: not a call for every bit that the high watermark comes down. */
static void reclaim_idle(struct mem_ctl *ctl)
{
	char part[16], high[16];
	for (size_t i = 0; i < ctl->n; i++) {
		struct mem_guest *guest = &ctl->guest[i];
		int64_t down = max_of(max_of(guest->hi, guest->keep), guest->back_kib),
			step = kib_pct(guest->balloon, ctl->r->cfg->mem_step_pct);
		if (!mem_may_give(ctl, guest) || guest->to_kib >= 0 || guest->target < guest->balloon ||
			on_hold(ctl, guest) ||
			guest->target - down < max_of(step / 2, mem_small_kib(guest->max)))
			continue;
		guest->to_kib = max_of(down, guest->target - step);
		text_kib(part, sizeof part, guest->target - guest->to_kib);
		text_kib(high, sizeof high, down);
		why_set(&guest->why, REASON_RECLAIM, "gives back %s: above its high watermark %s", part,
			high);
	}
}

/* --- the round --- */

static void explain_foreign(const struct mem_ctl *ctl, struct mem_guest *guest)
{
	why_set(&guest->why, REASON_FOREIGN_BALLOON,
		"somebody else set its balloon; it may grow, and is not shrunk for another %.0f s",
		seconds_left(ctl, guest->m.foreign_until_ns));
}

static void explain_rest(const struct mem_ctl *ctl, struct mem_guest *guest)
{
	char used[16], low[16], high[16];
	text_kib(used, sizeof used, guest->used);
	text_kib(low, sizeof low, guest->lo);
	text_kib(high, sizeof high, guest->hi);
	double harm = seconds_left(ctl, guest->m.harm_until_ns),
	       let_go = seconds_left(ctl, guest->m.no_donor_until_ns);
	if (guest->target >= guest->max && guest->used + guest->head > guest->max)
		why_set(&guest->why, REASON_AT_MAX, "uses %s and has %s", used,
			mem_limit_kib(&guest->vm->mem) == guest->max
				? "all that its process's memory limit leaves"
				: "its maximum");
	else if (guest->target > guest->hi && let_go > 0)
		why_set(&guest->why, REASON_HOLD_TIME,
			"its balloon did not follow; nothing is asked of it for %.0f s", let_go);
	else if (guest->target > guest->hi && harm > 0)
		why_set(&guest->why, REASON_HOLD_TIME, "suffered from a shrink; no other for %.0f s", harm);
	else if (guest->target > guest->hi && on_hold(ctl, guest))
		why_set(&guest->why, REASON_HOLD_TIME, "above its high watermark %s, grew a moment ago",
			high);
	else if (guest->target > guest->hi && ctl->r->cfg->reclaim == RECLAIM_PRESSURE &&
		 ctl->next_state == HOST_MEM_OK)
		why_set(&guest->why, REASON_MEM_OK, "above its high watermark %s, nobody needs it", high);
	else if (guest->balloon <= guest->floor && guest->hi <= guest->floor)
		why_set(&guest->why, REASON_FLOOR, "uses %s, at its floor", used);
	else
		why_set(&guest->why, REASON_MEM_OK, "uses %s, watermarks %s to %s", used, low, high);
}

static void needs_fill(struct mem_ctl *ctl)
{
	for (size_t i = 0; i < ctl->n; i++) {
		struct mem_guest *guest = &ctl->guest[i];
		if (!guest->eligible)
			continue;
		mem_need_fill(ctl, guest);
		guest->room_to = guest->promised + mem_scope_room(ctl, guest, ctl->levels.reserve);
		guest->scope = mem_scope_of(ctl, guest);
		guest->base = mem_guest_least(guest, ctl->r->cfg);
		explain_rest(ctl, guest);
		if (guest->grow_only)
			explain_foreign(ctl, guest);
		guest->hungry = wants_to_grow(ctl, guest);
	}
}

/* Appends to the list those that are hungry, or those that grow and are not. */
static size_t list_add(struct mem_ctl *ctl, size_t n, bool hungry)
{
	for (size_t i = 0; i < ctl->n; i++) {
		struct mem_guest *guest = &ctl->guest[i];
		if (guest->eligible && guest->hungry == hungry && (hungry || mem_growing(guest)))
			ctl->list[n++] = guest;
	}
	return n;
}

/* How deep donors go for this hungry one. That it grows towards what it always had is no reason to take from
 * others what they may need; that it is dry, or is about to be with all that it was found with, is. */
static enum mem_depth depth_for(const struct mem_ctl *ctl, const struct mem_guest *guest)
{
	if (guest->dry)
		return DEPTH_USED;
	if (ctl->r->cfg->reclaim == RECLAIM_PROACTIVE)
		return DEPTH_NOW;
	if (guest->urgent && guest->used + guest->growth > mem_found(guest) &&
		(!ctl->fits || guest->usable < 2 * guest->head))
		return DEPTH_NOW;
	return guest->give_back ? DEPTH_SEEN : DEPTH_PAST;
}

/* What those lack, of one scope, for whom donors go so deep or deeper. */
static int64_t unmet_at(const struct mem_ctl *ctl, enum mem_depth depth, struct mem_scope scope)
{
	int64_t sum = 0;
	for (size_t i = 0; i < ctl->n; i++)
		if (ctl->guest[i].hungry && mem_scope_same(ctl->guest[i].scope, scope) &&
			depth_for(ctl, &ctl->guest[i]) >= depth)
			sum += ctl->guest[i].unmet_kib;
	return sum;
}

/* The lack of scope i less what is on its way; what comes to narrower scopes goes to these first. */
static int64_t lack_at(
	const struct mem_ctl *ctl, enum mem_depth depth, const struct mem_scope *scope, size_t i)
{
	int64_t lack = unmet_at(ctl, depth, scope[i]) - mem_supply(ctl, scope[i]);
	for (size_t k = 0; k < i; k++)
		if (mem_scope_inside(scope[k], scope[i]))
			lack += min_of(unmet_at(ctl, DEPTH_PAST, scope[k]), mem_supply(ctl, scope[k]));
	return lack;
}

static bool anybody_urgent(const struct mem_ctl *ctl)
{
	for (size_t i = 0; i < ctl->n; i++)
		if (ctl->guest[i].hungry && ctl->guest[i].urgent && ctl->guest[i].fresh)
			return true;
	return false;
}

/* From the gentlest depth on, each for those who are worth it. */
static void take_for_guests(struct mem_ctl *ctl, const struct mem_scope *scope, size_t n)
{
	const struct config *cfg = ctl->r->cfg;
	for (int d = DEPTH_PAST; d < DEPTHS; d++)
		for (size_t i = 0; i < n; i++) {
			double pct = d == DEPTH_USED ? cfg->mem_hard_step_pct : cfg->mem_step_pct;
			enum mem_depth depth = (enum mem_depth)d;
			mem_take(ctl, &(struct mem_need){lack_at(ctl, depth, scope, i), depth, scope[i], pct,
					      "another guest"});
		}
}

static void take_for_host(struct mem_ctl *ctl, int64_t want, enum mem_depth deepest, double pct)
{
	for (int d = DEPTH_PAST; d <= (int)deepest; d++) {
		int64_t lack = want - ctl->free_kib - mem_supply(ctl, MEM_ANYWHERE);
		mem_take(ctl, &(struct mem_need){lack, (enum mem_depth)d, MEM_ANYWHERE, pct, "the host"});
	}
}

/* A host that is short, or has swapped out, would not be or have without what it gave, or less so: that comes
 * back before anybody swaps for it, whatever the guest may need again. By hand it would not have had it. */
static void take_gifts(struct mem_ctl *ctl)
{
	if (ctl->next_state != HOST_MEM_HARD && ctl->owed_kib == 0)
		return;
	int64_t lack = ctl->levels.hard_out + ctl->owed_kib - ctl->free_kib - mem_supply(ctl, MEM_ANYWHERE);
	mem_take(ctl, &(struct mem_need){
			      lack, DEPTH_GIFT, MEM_ANYWHERE, ctl->r->cfg->mem_hard_step_pct, "the host"});
}

static void take_for_need(struct mem_ctl *ctl, int64_t unmet)
{
	struct mem_scope scope[MEM_SCOPES];
	size_t n = mem_scopes_list(ctl, scope);
	take_gifts(ctl);
	if (ctl->next_crisis)
		take_for_host(ctl, ctl->levels.hard_out + unmet,
			ctl->next_crisis == CRISIS_DIRE ? DEPTH_USED : DEPTH_SEEN,
			ctl->r->cfg->mem_hard_step_pct);
	take_for_guests(ctl, scope, n);
	for (size_t i = 0; i < n && !ctl->r->early; i++)
		mem_shares_take(ctl, lack_at(ctl, DEPTH_PAST, scope, i), scope[i]);
}

static void decide(struct mem_ctl *ctl)
{
	const struct config *cfg = ctl->r->cfg;
	needs_fill(ctl);
	if (ctl->r->early && !anybody_urgent(ctl)) {
		take_gifts(ctl);
		return;
	}
	give_up_lost(ctl);
	size_t hungry = list_add(ctl, 0, true);
	int64_t unmet = grow_all(ctl, hungry, list_add(ctl, hungry, false));
	take_for_need(ctl, unmet);
	if (ctl->r->early)
		return;
	if (cfg->reclaim == RECLAIM_PROACTIVE)
		reclaim_idle(ctl);
	if (ctl->next_state != HOST_MEM_OK)
		take_for_host(ctl, ctl->levels.soft_out, DEPTH_PAST, cfg->mem_step_pct);
	if (!calm(ctl))
		return;
	int64_t left = refill(ctl, ctl->free_kib - ctl->granted_kib - ctl->levels.reserve, true);
	refill(ctl, left + ctl->levels.reserve - ctl->levels.soft_out - ctl->owed_kib, false);
}

const struct mem_policy_ops mem_policy_watermark = {.decide = decide, .cycle_s = 5, .between = true};
