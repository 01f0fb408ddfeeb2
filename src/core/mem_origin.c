/* SPDX-License-Identifier: MIT */
/* The memory coordinator of the origin: a threshold of unused memory; a cycle claims, then gives.
 * Invariant: one decision per guest and sample of statistics. Knows no balloon and no libvirt; the guards of
 * mem_ctl.c hold below it. */
#include <inttypes.h>

#include "mem_priv.h"
#include "vmtop/text.h"

static int64_t need_of(const struct mem_ctl *ctl, const struct mem_guest *guest)
{
	int64_t threshold = ctl->r->cfg->mem_threshold_kib;
	/* A guest that has nothing left cannot fall any lower. */
	bool dry = guest->usable < threshold / 2;
	if ((!guest->m.falling && !dry) || guest->unused >= threshold)
		return 0;
	return clamp(2 * (threshold - guest->unused), 0, max_of(guest->max - guest->promised, 0));
}

static bool decided_already(const struct mem_guest *guest)
{
	return guest->m.acted_update_ns == guest->m.update_ns;
}

static void levels_fill(const struct mem_ctl *ctl, struct mem_guest *guest)
{
	int64_t threshold = ctl->r->cfg->mem_threshold_kib, used = max_of(guest->balloon - guest->unused, 0);
	guest->lo = min_of(used + threshold, guest->max);
	guest->hi = min_of(used + 2 * threshold, guest->max);
	guest->tgt = guest->target;
	guest->short_kib = decided_already(guest) ? 0 : need_of(ctl, guest);
}

static void claim(const struct mem_ctl *ctl, struct mem_guest *guest, bool crunch)
{
	int64_t threshold = ctl->r->cfg->mem_threshold_kib, above = crunch ? threshold : 2 * threshold;
	char unused[16], part[16];
	if (guest->grow_only || guest->unused <= above || decided_already(guest) ||
		guest->target < guest->balloon)
		return;
	int64_t take = min_of(kib_pct(guest->unused, ctl->r->cfg->mem_claim_pct), guest->unused - threshold);
	text_kib(unused, sizeof unused, guest->unused);
	text_kib(part, sizeof part, take);
	guest->to_kib = guest->balloon - take;
	why_set(&guest->why, REASON_CLAIM, "gives back %s: %s unused%s", part, unused,
		crunch ? ", and the host is short" : "");
}

static void give(struct mem_ctl *ctl, struct mem_guest *guest)
{
	char unused[16], add[16];
	text_kib(unused, sizeof unused, guest->unused);
	text_kib(add, sizeof add, guest->give_kib);
	if (guest->give_kib < MIB) {
		text_kib(add, sizeof add, guest->short_kib);
		why_set(&guest->why, REASON_HOST_LOW,
			"%s unused and falling: needs %s, the host has none to give", unused, add);
		return;
	}
	guest->to_kib = guest->promised + guest->give_kib;
	why_set(&guest->why, REASON_GIVE, "gets %s more: %s unused and falling, threshold %" PRId64 "M", add,
		unused, ctl->r->cfg->mem_threshold_kib / MIB);
}

static void explain_rest(const struct mem_ctl *ctl, struct mem_guest *guest)
{
	char unused[16];
	text_kib(unused, sizeof unused, guest->unused);
	if (guest->unused < ctl->r->cfg->mem_threshold_kib && guest->promised >= guest->max)
		why_set(&guest->why, REASON_AT_MAX, "%s unused, at its maximum", unused);
	else
		why_set(&guest->why, guest->grow_only ? REASON_FOREIGN_BALLOON : REASON_MEM_OK, "%s unused%s",
			unused,
			guest->grow_only ? "; somebody else set its balloon, nothing is claimed for a while"
					 : "");
}

static void decide(struct mem_ctl *ctl)
{
	int64_t needs = 0;
	for (size_t i = 0; i < ctl->n; i++)
		if (ctl->guest[i].eligible) {
			levels_fill(ctl, &ctl->guest[i]);
			needs += ctl->guest[i].short_kib;
		}
	bool crunch = needs > ctl->pool_kib;
	struct mem_guest **hungry = ctl->list;
	size_t n = 0;
	for (size_t i = 0; i < ctl->n; i++) {
		struct mem_guest *guest = &ctl->guest[i];
		if (!guest->eligible)
			continue;
		explain_rest(ctl, guest);
		if (guest->short_kib > 0)
			hungry[n++] = guest;
		else
			claim(ctl, guest, crunch);
	}
	mem_share(hungry, n, ctl->pool_kib);
	for (size_t i = 0; i < n; i++)
		give(ctl, hungry[i]);
}

/* It gives what a threshold of 100 MiB is worth of: five seconds of a guest that eats 20 MiB/s. */
const struct mem_policy_ops mem_policy_origin_c = {
	.decide = decide, .cycle_s = 2, .unused_only = true, .least_reserve = true};
