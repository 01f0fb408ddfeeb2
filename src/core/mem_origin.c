/* SPDX-License-Identifier: MIT */
/* The memory coordinator of the origin: a threshold of unused memory; a cycle claims, then gives.
 * Invariant: one decision per guest and sample of statistics. Knows no balloon and no libvirt; the guards of
 * mem_ctl.c hold below it. */
#include <inttypes.h>

#include "mem_priv.h"
#include "vmtop/text.h"

static int64_t need_of(const struct mem_ctl *c, const struct mem_guest *g)
{
	int64_t threshold = c->r->cfg->mem_threshold_kib;
	/* A guest that has nothing left cannot fall any lower. */
	bool dry = g->usable < threshold / 2;
	if ((!g->m.falling && !dry) || g->unused >= threshold)
		return 0;
	return clamp(2 * (threshold - g->unused), 0, max_of(g->max - g->promised, 0));
}

static bool decided_already(const struct mem_guest *g)
{
	return g->m.acted_update_ns == g->m.update_ns;
}

static void levels_fill(const struct mem_ctl *c, struct mem_guest *g)
{
	int64_t threshold = c->r->cfg->mem_threshold_kib, used = max_of(g->balloon - g->unused, 0);
	g->lo = min_of(used + threshold, g->max);
	g->hi = min_of(used + 2 * threshold, g->max);
	g->tgt = g->target;
	g->short_kib = decided_already(g) ? 0 : need_of(c, g);
}

static void claim(const struct mem_ctl *c, struct mem_guest *g, bool crunch)
{
	int64_t threshold = c->r->cfg->mem_threshold_kib, above = crunch ? threshold : 2 * threshold;
	char unused[16], part[16];
	if (g->grow_only || g->unused <= above || decided_already(g) || g->target < g->balloon)
		return;
	int64_t take = min_of(kib_pct(g->unused, c->r->cfg->mem_claim_pct), g->unused - threshold);
	text_kib(unused, sizeof unused, g->unused);
	text_kib(part, sizeof part, take);
	g->to_kib = g->balloon - take;
	why_set(&g->why, REASON_CLAIM, "gives back %s: %s unused%s", part, unused,
		crunch ? ", and the host is short" : "");
}

static void give(struct mem_ctl *c, struct mem_guest *g)
{
	char unused[16], add[16];
	text_kib(unused, sizeof unused, g->unused);
	text_kib(add, sizeof add, g->give_kib);
	if (g->give_kib < MIB) {
		text_kib(add, sizeof add, g->short_kib);
		why_set(&g->why, REASON_HOST_LOW,
			"%s unused and falling: needs %s, the host has none to give", unused, add);
		return;
	}
	g->to_kib = g->promised + g->give_kib;
	why_set(&g->why, REASON_GIVE, "gets %s more: %s unused and falling, threshold %" PRId64 "M", add,
		unused, c->r->cfg->mem_threshold_kib / MIB);
}

static void explain_rest(const struct mem_ctl *c, struct mem_guest *g)
{
	char unused[16];
	text_kib(unused, sizeof unused, g->unused);
	if (g->unused < c->r->cfg->mem_threshold_kib && g->promised >= g->max)
		why_set(&g->why, REASON_AT_MAX, "%s unused, at its maximum", unused);
	else
		why_set(&g->why, g->grow_only ? REASON_FOREIGN_BALLOON : REASON_MEM_OK, "%s unused%s", unused,
			g->grow_only ? "; somebody else set its balloon, nothing is claimed for a while"
				     : "");
}

static void decide(struct mem_ctl *c)
{
	int64_t needs = 0;
	for (size_t i = 0; i < c->n; i++)
		if (c->guest[i].eligible) {
			levels_fill(c, &c->guest[i]);
			needs += c->guest[i].short_kib;
		}
	bool crunch = needs > c->pool_kib;
	struct mem_guest **hungry = c->list;
	size_t n = 0;
	for (size_t i = 0; i < c->n; i++) {
		struct mem_guest *g = &c->guest[i];
		if (!g->eligible)
			continue;
		explain_rest(c, g);
		if (g->short_kib > 0)
			hungry[n++] = g;
		else
			claim(c, g, crunch);
	}
	mem_share(hungry, n, c->pool_kib);
	for (size_t i = 0; i < n; i++)
		give(c, hungry[i]);
}

/* It gives what a threshold of 100 MiB is worth of: five seconds of a guest that eats 20 MiB/s. */
const struct mem_policy_ops mem_policy_origin_c = {
	.decide = decide, .cycle_s = 2, .unused_only = true, .least_reserve = true};
