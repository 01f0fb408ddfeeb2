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

static int64_t head_of(const struct mem_guest *g, const struct config *cfg)
{
	return max_of(kib_pct(g->used, cfg->mem_head_pct), min_of(HEAD_MOST, g->max / 20));
}

/* From a rise in the guest to more memory in it: its statistics, our tick, its balloon. */
static double react_s(const struct mem_ctl *c)
{
	return STATS_S + fmin(c->r->cfg->delay_s, c->cycle_s) + 1;
}

/* A rise within the noise that the band tolerates is not growth. */
static void growth_update(struct mem_guest *g, const struct config *cfg, double s)
{
	struct mem_memo *m = &g->m;
	double rise = (double)(g->used - m->used_kib);
	double rate = s > 0 && rise > (double)g->head / 4 ? rise / s : 0;
	m->growth_kib_s = fmax(rate, m->growth_kib_s * half_life(s, cfg->mem_growth_s));
	if (rise < -(double)g->head) { /* the burst is over */
		m->growth_kib_s = 0;
		m->top_kib = fmax(m->top_kib, (double)m->used_kib);
	}
	m->surge_kib_s = fmax(rate, m->surge_kib_s * half_life(s, cfg->mem_peak_s));
	m->rate_kib_s = rate;
}

static double fade(double from, int64_t to, double s, double half_s)
{
	return fmax((double)to, (double)to + (from - (double)to) * half_life(s, half_s));
}

/* The most that it used in the last hours; only what has not come again for so long fades. */
static double seen(struct mem_guest *g, const struct config *cfg, double s, int64_t now_ns)
{
	struct mem_memo *m = &g->m;
	if ((double)(g->used + g->head) >= m->seen_kib)
		m->seen_ns = now_ns;
	bool lately = (double)(now_ns - m->seen_ns) / 1e9 < cfg->mem_peak_s;
	return lately ? fmax(m->seen_kib, (double)g->used) : fade(m->seen_kib, g->used, s, cfg->mem_peak_s);
}

static void history_update(struct mem_guest *g, const struct config *cfg, int64_t now_ns)
{
	struct mem_memo *m = &g->m;
	double s = m->need_ns ? (double)(now_ns - m->need_ns) / 1e9 : 0;
	if (m->need_ns)
		growth_update(g, cfg, s);
	m->demand_kib = fade(m->need_ns ? m->demand_kib : 0, g->used, s, cfg->mem_decay_s);
	/* What it was found with may be needed, for all that is known. */
	bool new = !m->need_ns || !m->settled;
	m->peak_kib = fade(
		new ? fmax(m->peak_kib, (double)mem_found(g)) : m->peak_kib, g->used, s, cfg->mem_peak_s);
	m->seen_kib = seen(g, cfg, s, now_ns);
	m->top_kib = fmin(m->top_kib, m->seen_kib);
	/* What did not save it is tried once more after hours. */
	if ((double)(now_ns - m->died_ns) / 1e9 >= cfg->mem_peak_s)
		m->died_kib = 0;
	m->dry_kib = m->dry_kib > (double)g->used ? fade(m->dry_kib, g->used, s, cfg->mem_peak_s) : 0;
	m->need_ns = now_ns;
}

static bool swaps(const struct mem_guest *g)
{
	const struct vf64 in = g->rate->swap_in_kib_s;
	return vf64_has(in) && in.v >= HARM_SWAP_KIB_S;
}

static bool dry(const struct mem_guest *g)
{
	return g->usable < g->head / 4;
}

/* It was about to fill its memory and has let go of much since: killed, or given up. No counter tells. */
static bool fell(const struct mem_ctl *c, const struct mem_guest *g, int64_t now_ns)
{
	const struct mem_memo *m = &g->m;
	double s = fmin((double)(now_ns - m->need_ns) / 1e9, 2 * react_s(c));
	if (!m->need_ns || m->used_kib - g->used < max_of(g->head, m->used_kib / 5))
		return false;
	return (double)m->used_kib + m->rate_kib_s * s > (double)(g->balloon - g->head / 4);
}

/* A guest that suffers with less than it was found with, whenever that is, suffers from us: it gets that size
 * back, and is not shrunk below it, for longer each time. */
static void harm_notice(struct mem_guest *g, const struct config *cfg, int64_t now_ns)
{
	struct mem_memo *m = &g->m;
	if (!m->before_shrink_kib || g->balloon >= mem_found(g) || m->harm_until_ns > now_ns)
		return;
	bool again = m->harm_until_ns && (double)(now_ns - m->harm_until_ns) / 1e9 < m->harm_hold_s;
	m->harm_hold_s = again ? fmin(m->harm_hold_s * 2, HARM_HOLD_MOST * cfg->mem_harm_hold_s)
			       : cfg->mem_harm_hold_s;
	m->harm_until_ns = now_ns + (int64_t)(m->harm_hold_s * 1e9);
}

static void death_notice(struct mem_guest *g, int64_t now_ns)
{
	g->m.died_kib = max_of(g->m.died_kib, g->balloon);
	g->m.died_ns = now_ns;
}

/* A guest that ran dry needs more than it has; how much more nobody knows. */
static void dry_notice(struct mem_guest *g)
{
	if (g->balloon < g->max)
		g->m.dry_kib = fmax(g->m.dry_kib, (double)min_of(g->balloon + g->balloon / 2, g->max));
}

static void past_fill(const struct mem_ctl *c, struct mem_guest *g)
{
	const struct config *cfg = c->r->cfg;
	int64_t now = c->r->sample->time_ns;
	bool was_killed = fell(c, g, now);
	history_update(g, cfg, now);
	/* Where idle memory is taken anyway, running dry while it grows is no reason to leave it. */
	if ((dry(g) || was_killed) &&
		(cfg->reclaim == RECLAIM_PRESSURE || g->balloon < g->m.before_shrink_kib))
		dry_notice(g);
	if (dry(g) || swaps(g)) {
		g->m.seen_kib = fmax(g->m.seen_kib, (double)g->balloon);
		g->m.seen_ns = now;
	}
	if (was_killed)
		death_notice(g, now);
	if (mem_guarded(c, MEM_GUARD_HARM) && (was_killed || dry(g) || swaps(g)))
		harm_notice(g, cfg, now);
	if (g->balloon >= mem_found(g))
		g->m.before_shrink_kib = 0;
	g->m.used_kib = g->used;
}

/* A rise ends where earlier ones ended, or goes on for nobody knows how long. */
static int64_t foreseen(const struct mem_guest *g)
{
	int64_t most = (int64_t)fmax(g->m.top_kib, g->m.dry_kib) + g->head / 4;
	return g->m.top_kib > 0 && g->used < most ? most - g->used : INT64_MAX;
}

static void depths_fill(const struct mem_ctl *c, struct mem_guest *g, int64_t now_ns)
{
	const struct config *cfg = c->r->cfg;
	int64_t used = g->used + g->head, room = (int64_t)(g->m.surge_kib_s * react_s(c));
	int64_t seen = (int64_t)fmax(g->m.seen_kib, g->m.dry_kib) + g->head;
	int64_t past = max_of((int64_t)g->m.peak_kib + g->head, seen);
	int64_t held = g->m.harm_until_ns > now_ns ? mem_found(g) : 0;
	g->least[DEPTH_USED] = max_of(max_of(used, g->lo), held);
	g->least[DEPTH_NOW] = max_of(max_of(g->hi, used + room), held);
	g->least[DEPTH_SEEN] = max_of(g->least[DEPTH_NOW], seen);
	g->least[DEPTH_PAST] = max_of(g->least[DEPTH_NOW], past);
	/* Whoever lets idle memory be taken always has said that the past does not count. */
	if (cfg->reclaim == RECLAIM_PROACTIVE) {
		g->least[DEPTH_NOW] = g->least[DEPTH_USED];
		g->least[DEPTH_PAST] = g->least[DEPTH_SEEN] = max_of(g->hi, held);
	}
	g->least[DEPTH_GIFT] = max_of(g->least[DEPTH_USED], mem_found(g));
	g->back_kib = held;
	g->give_back = held > g->target;
	int64_t keep = cfg->reclaim == RECLAIM_PROACTIVE ? 0 : min_of(mem_found(g), past);
	if (g->m.dry_kib > 0)
		keep = max_of(keep, (int64_t)g->m.dry_kib + g->head);
	g->keep = min_of(keep, g->max);
}

void mem_need_fill(const struct mem_ctl *c, struct mem_guest *g)
{
	const struct config *cfg = c->r->cfg;
	int64_t now = c->r->sample->time_ns;
	g->head = head_of(g, cfg);
	if (g->fresh || !g->m.need_ns)
		past_fill(c, g);
	double s = (double)(now - g->m.need_ns) / 1e9;
	double rate = g->m.growth_kib_s * half_life(s, cfg->mem_growth_s);
	double past = (g->m.demand_kib - (double)g->used) * half_life(s, cfg->mem_decay_s);
	int64_t demand = g->used + (int64_t)fmax(past, 0);
	int64_t least = min_of(g->floor, g->max);
	g->growth = min_of((int64_t)(rate * (g->age_s + c->cycle_s)), foreseen(g));
	g->lo = clamp(g->used + g->head * 3 / 4 + g->growth, least, g->max);
	g->tgt = clamp(g->used + g->head * 3 / 2 + 2 * g->growth, least, g->max);
	g->hi = max_of(clamp(max_of(demand + 2 * g->head, g->tgt), least, g->max), g->floor);
	g->dry = dry(g) || swaps(g);
	g->urgent = g->dry || (double)g->usable < rate * (g->age_s + react_s(c));
	depths_fill(c, g, now);
}
