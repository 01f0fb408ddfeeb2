/* SPDX-License-Identifier: MIT */
/* What a guest needs: from use, growth and past use to its low and high watermark, and whether the last
 * shrink hurt it. Invariant: everything decays by time, never by cycle, so that another interval gives the
 * same need. Knows one guest; nothing of the host. */
#include <math.h>

#include "mem_priv.h"

enum { HEAD_MOST = 256 * MIB, HARM_SWAP_KIB_S = 64 };

static double half_life(double s, double half_s)
{
	return half_s > 0 ? exp2(-s / half_s) : 0;
}

static int64_t head_of(const struct mem_guest *g, const struct config *cfg)
{
	return kib_max(kib_pct(g->used, cfg->mem_head_pct), kib_min(HEAD_MOST, g->max / 20));
}

/* A rise within the noise that the band tolerates is not growth. */
static void history_update(struct mem_guest *g, const struct config *cfg, int64_t now_ns)
{
	struct mem_memo *m = &g->m;
	if (!m->need_ns) {
		m->growth_kib_s = 0;
		m->demand_kib = (double)g->used;
	} else {
		double s = (double)(now_ns - m->need_ns) / 1e9;
		double rise = (double)(g->used - m->used_kib);
		double rate = s > 0 && rise > (double)g->head / 4 ? rise / s : 0;
		m->growth_kib_s = fmax(rate, m->growth_kib_s * half_life(s, cfg->mem_growth_s));
		if (rise < -(double)g->head) /* the burst is over */
			m->growth_kib_s = 0;
		m->demand_kib = fmax((double)g->used,
			(double)g->used + (m->demand_kib - (double)g->used) * half_life(s, cfg->mem_decay_s));
	}
	m->used_kib = g->used;
	m->need_ns = now_ns;
}

static bool suffers(const struct mem_guest *g)
{
	const struct vf64 in = g->rate->swap_in_kib_s;
	return (vf64_has(in) && in.v >= HARM_SWAP_KIB_S) || g->usable < g->head / 4;
}

/* A shrink after which the guest suffers was a mistake: it is undone, and the guest is left alone for longer
 * each time. */
static void harm_notice(struct mem_guest *g, const struct config *cfg, int64_t now_ns)
{
	struct mem_memo *m = &g->m;
	if (!m->before_shrink_kib)
		return;
	double since = (double)(now_ns - m->shrunk_ns) / 1e9;
	if (since > HARM_WINDOW_S) {
		m->before_shrink_kib = 0;
		return;
	}
	if (!suffers(g))
		return;
	g->give_back = m->before_shrink_kib > g->target;
	/* Memory that it wants for itself now says nothing against the shrink. */
	if (g->used > m->used_at_shrink_kib + g->head / 2)
		return;
	bool again = m->harm_until_ns && (double)(now_ns - m->harm_until_ns) / 1e9 < m->harm_hold_s;
	m->harm_hold_s = again ? fmin(m->harm_hold_s * 2, HARM_HOLD_MOST * cfg->mem_harm_hold_s)
			       : cfg->mem_harm_hold_s;
	m->harm_until_ns = now_ns + (int64_t)(m->harm_hold_s * 1e9);
}

void mem_need_fill(const struct mem_ctl *c, struct mem_guest *g)
{
	const struct config *cfg = c->r->cfg;
	int64_t now = c->r->sample->time_ns;
	g->head = head_of(g, cfg);
	if (g->fresh || !g->m.need_ns) {
		history_update(g, cfg, now);
		if (mem_guarded(c, MEM_GUARD_HARM))
			harm_notice(g, cfg, now);
	}
	double s = (double)(now - g->m.need_ns) / 1e9;
	double rate = g->m.growth_kib_s * half_life(s, cfg->mem_growth_s);
	double past = (g->m.demand_kib - (double)g->used) * half_life(s, cfg->mem_decay_s);
	int64_t demand = g->used + (int64_t)fmax(past, 0);
	int64_t least = kib_min(g->floor, g->max);
	g->growth = (int64_t)(rate * (g->age_s + cfg->memory_cycle_s));
	g->lo = kib_clamp(g->used + g->head * 3 / 4 + g->growth, least, g->max);
	g->tgt = kib_clamp(g->used + g->head * 3 / 2 + 2 * g->growth, least, g->max);
	g->hi = kib_max(kib_clamp(kib_max(demand + 2 * g->head, g->tgt), least, g->max), g->floor);
}
