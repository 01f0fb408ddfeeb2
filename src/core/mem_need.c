/* SPDX-License-Identifier: MIT */
/* What a guest needs: from use, growth and past use to its low and high watermark, to what it may need again,
 * and whether the last shrink hurt it. Invariant: everything decays by time, never by cycle, so that another
 * interval gives the same need. Knows one guest; nothing of the host. */
#include <math.h>

#include "mem_priv.h"

enum { HEAD_MOST = 256 * MIB, HARM_SWAP_KIB_S = 64, STATS_S = 2 };

static double half_life(double s, double half_s)
{
	return half_s > 0 ? exp2(-s / half_s) : 0;
}

static int64_t head_of(const struct mem_guest *guest, const struct config *cfg)
{
	return max_of(kib_pct(guest->used, cfg->mem_head_pct), min_of(HEAD_MOST, guest->max / 20));
}

/* From a rise in the guest to more memory in it: its statistics, our tick, its balloon. */
static double react_s(const struct mem_ctl *ctl)
{
	return STATS_S + fmin(ctl->r->cfg->delay_s, ctl->cycle_s) + 1;
}

/* A rise within the noise that the band tolerates is not growth. */
static void growth_update(struct mem_guest *guest, const struct config *cfg, double s)
{
	struct mem_memo *memo = &guest->m;
	double rise = (double)(guest->used - memo->used_kib);
	double rate = s > 0 && rise > (double)guest->head / 4 ? rise / s : 0;
	memo->growth_kib_s = fmax(rate, memo->growth_kib_s * half_life(s, cfg->mem_growth_s));
	if (rise < -(double)guest->head) { /* the burst is over */
		memo->growth_kib_s = 0;
		memo->top_kib = fmax(memo->top_kib, (double)memo->used_kib);
	}
	memo->surge_kib_s = fmax(rate, memo->surge_kib_s * half_life(s, cfg->mem_peak_s));
	memo->rate_kib_s = rate;
}

static double fade(double from, int64_t to, double s, double half_s)
{
	return fmax((double)to, (double)to + (from - (double)to) * half_life(s, half_s));
}

/* The most that it used in the last hours; only what has not come again for so long fades. */
static double seen(struct mem_guest *guest, const struct config *cfg, double s, int64_t now_ns)
{
	struct mem_memo *memo = &guest->m;
	if ((double)(guest->used + guest->head) >= memo->seen_kib)
		memo->seen_ns = now_ns;
	bool lately = (double)(now_ns - memo->seen_ns) / 1e9 < cfg->mem_peak_s;
	return lately ? fmax(memo->seen_kib, (double)guest->used)
		      : fade(memo->seen_kib, guest->used, s, cfg->mem_peak_s);
}

static void history_update(struct mem_guest *guest, const struct config *cfg, int64_t now_ns)
{
	struct mem_memo *memo = &guest->m;
	double s = memo->need_ns ? (double)(now_ns - memo->need_ns) / 1e9 : 0;
	if (memo->need_ns)
		growth_update(guest, cfg, s);
	memo->demand_kib = fade(memo->need_ns ? memo->demand_kib : 0, guest->used, s, cfg->mem_decay_s);
	/* What it was found with may be needed, for all that is known. */
	bool new = !memo->need_ns || !memo->settled;
	memo->peak_kib = fade(new ? fmax(memo->peak_kib, (double)mem_found(guest)) : memo->peak_kib,
		guest->used, s, cfg->mem_peak_s);
	memo->seen_kib = seen(guest, cfg, s, now_ns);
	memo->top_kib = fmin(memo->top_kib, memo->seen_kib);
	/* What did not save it is tried once more after hours. */
	if ((double)(now_ns - memo->died_ns) / 1e9 >= cfg->mem_peak_s)
		memo->died_kib = 0;
	memo->dry_kib = memo->dry_kib > (double)guest->used
				? fade(memo->dry_kib, guest->used, s, cfg->mem_peak_s)
				: 0;
	memo->need_ns = now_ns;
}

static bool swaps(const struct mem_guest *guest)
{
	const struct vf64 in = guest->rate->swap_in_kib_s;
	return vf64_has(in) && in.v >= HARM_SWAP_KIB_S;
}

static bool dry(const struct mem_guest *guest)
{
	return guest->usable < guest->head / 4;
}

/* It was about to fill its memory and has let go of much since: killed, or given up. No counter tells. */
static bool fell(const struct mem_ctl *ctl, const struct mem_guest *guest, int64_t now_ns)
{
	const struct mem_memo *memo = &guest->m;
	double s = fmin((double)(now_ns - memo->need_ns) / 1e9, 2 * react_s(ctl));
	if (!memo->need_ns || memo->used_kib - guest->used < max_of(guest->head, memo->used_kib / 5))
		return false;
	return (double)memo->used_kib + memo->rate_kib_s * s > (double)(guest->balloon - guest->head / 4);
}

/* A guest that suffers with less than it was found with, whenever that is, suffers from us: it gets that size
 * back, and is not shrunk below it, for longer each time. */
static void harm_notice(struct mem_guest *guest, const struct config *cfg, int64_t now_ns)
{
	struct mem_memo *memo = &guest->m;
	if (!memo->before_shrink_kib || guest->balloon >= mem_found(guest) || memo->harm_until_ns > now_ns)
		return;
	bool again = memo->harm_until_ns && (double)(now_ns - memo->harm_until_ns) / 1e9 < memo->harm_hold_s;
	memo->harm_hold_s = again ? fmin(memo->harm_hold_s * 2, HARM_HOLD_MOST * cfg->mem_harm_hold_s)
				  : cfg->mem_harm_hold_s;
	memo->harm_until_ns = now_ns + (int64_t)(memo->harm_hold_s * 1e9);
}

static void death_notice(struct mem_guest *guest, int64_t now_ns)
{
	guest->m.died_kib = max_of(guest->m.died_kib, guest->balloon);
	guest->m.died_ns = now_ns;
}

/* A guest that ran dry needs more than it has; how much more nobody knows. */
static void dry_notice(struct mem_guest *guest)
{
	if (guest->balloon < guest->max)
		guest->m.dry_kib = fmax(
			guest->m.dry_kib, (double)min_of(guest->balloon + guest->balloon / 2, guest->max));
}

static void past_fill(const struct mem_ctl *ctl, struct mem_guest *guest)
{
	const struct config *cfg = ctl->r->cfg;
	int64_t now = ctl->r->sample->time_ns;
	bool was_killed = fell(ctl, guest, now);
	history_update(guest, cfg, now);
	/* Where idle memory is taken anyway, running dry while it grows is no reason to leave it. */
	if ((dry(guest) || was_killed) &&
		(cfg->reclaim == RECLAIM_PRESSURE || guest->balloon < guest->m.before_shrink_kib))
		dry_notice(guest);
	if (dry(guest) || swaps(guest)) {
		guest->m.seen_kib = fmax(guest->m.seen_kib, (double)guest->balloon);
		guest->m.seen_ns = now;
	}
	if (was_killed)
		death_notice(guest, now);
	if (mem_guarded(ctl, MEM_GUARD_HARM) && (was_killed || dry(guest) || swaps(guest)))
		harm_notice(guest, cfg, now);
	if (guest->balloon >= mem_found(guest))
		guest->m.before_shrink_kib = 0;
	guest->m.used_kib = guest->used;
}

/* A rise ends where earlier ones ended, or goes on for nobody knows how long. */
static int64_t foreseen(const struct mem_guest *guest)
{
	int64_t most = (int64_t)fmax(guest->m.top_kib, guest->m.dry_kib) + guest->head / 4;
	return guest->m.top_kib > 0 && guest->used < most ? most - guest->used : INT64_MAX;
}

static void depths_fill(const struct mem_ctl *ctl, struct mem_guest *guest, int64_t now_ns)
{
	const struct config *cfg = ctl->r->cfg;
	int64_t used = guest->used + guest->head, room = (int64_t)(guest->m.surge_kib_s * react_s(ctl));
	int64_t seen = (int64_t)fmax(guest->m.seen_kib, guest->m.dry_kib) + guest->head;
	int64_t past = max_of((int64_t)guest->m.peak_kib + guest->head, seen);
	int64_t held = guest->m.harm_until_ns > now_ns ? mem_found(guest) : 0;
	guest->least[DEPTH_USED] = max_of(max_of(used, guest->lo), held);
	guest->least[DEPTH_NOW] = max_of(max_of(guest->hi, used + room), held);
	guest->least[DEPTH_SEEN] = max_of(guest->least[DEPTH_NOW], seen);
	guest->least[DEPTH_PAST] = max_of(guest->least[DEPTH_NOW], past);
	/* Whoever lets idle memory be taken always has said that the past does not count. */
	if (cfg->reclaim == RECLAIM_PROACTIVE) {
		guest->least[DEPTH_NOW] = guest->least[DEPTH_USED];
		guest->least[DEPTH_PAST] = guest->least[DEPTH_SEEN] = max_of(guest->hi, held);
	}
	guest->least[DEPTH_GIFT] = max_of(guest->least[DEPTH_USED], mem_found(guest));
	guest->back_kib = held;
	guest->give_back = held > guest->target;
	int64_t keep = cfg->reclaim == RECLAIM_PROACTIVE ? 0 : min_of(mem_found(guest), past);
	if (guest->m.dry_kib > 0)
		keep = max_of(keep, (int64_t)guest->m.dry_kib + guest->head);
	guest->keep = min_of(keep, guest->max);
}

void mem_need_fill(const struct mem_ctl *ctl, struct mem_guest *guest)
{
	const struct config *cfg = ctl->r->cfg;
	int64_t now = ctl->r->sample->time_ns;
	guest->head = head_of(guest, cfg);
	if (guest->fresh || !guest->m.need_ns)
		past_fill(ctl, guest);
	double s = (double)(now - guest->m.need_ns) / 1e9;
	double rate = guest->m.growth_kib_s * half_life(s, cfg->mem_growth_s);
	double past = (guest->m.demand_kib - (double)guest->used) * half_life(s, cfg->mem_decay_s);
	int64_t demand = guest->used + (int64_t)fmax(past, 0);
	int64_t least = min_of(guest->floor, guest->max);
	guest->growth = min_of((int64_t)(rate * (guest->age_s + ctl->cycle_s)), foreseen(guest));
	guest->lo = clamp(guest->used + guest->head * 3 / 4 + guest->growth, least, guest->max);
	guest->tgt = clamp(guest->used + guest->head * 3 / 2 + 2 * guest->growth, least, guest->max);
	guest->hi =
		max_of(clamp(max_of(demand + 2 * guest->head, guest->tgt), least, guest->max), guest->floor);
	guest->dry = dry(guest) || swaps(guest);
	guest->urgent = guest->dry || (double)guest->usable < rate * (guest->age_s + react_s(ctl));
	depths_fill(ctl, guest, now);
}
