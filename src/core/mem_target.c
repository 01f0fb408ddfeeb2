/* SPDX-License-Identifier: MIT */
/* From what a policy wishes to the target that a guest may have now: guards, and what the host can pay. */
#include "mem_priv.h"
#include "vmtop/minmax.h"

/* A page cache may be taken by whoever knows what is usable. */
static int64_t spare(const struct mem_ctl *c, const struct mem_guest *g)
{
	return c->unused_only ? g->unused : g->usable;
}

/* The lowest target that a shrink may have now. */
static int64_t shrink_limit(const struct mem_ctl *c, const struct mem_guest *g)
{
	int64_t limit = g->forced ? g->base : g->floor;
	if (mem_guarded(c, MEM_GUARD_UNUSED) && !g->forced)
		limit = max_of(limit, g->m.unused_base_kib - spare(c, g) + 100 * MIB);
	if (mem_guarded(c, MEM_GUARD_STEP))
		limit = max_of(limit, g->balloon - g->balloon / 4);
	return limit;
}

/* --- from wish to order --- */

static int64_t whole_mib(int64_t kib)
{
	return (kib + MIB - 1) / MIB * MIB;
}

int64_t mem_own_kib(const struct mem_ctl *c, const struct mem_guest *g)
{
	return max_of(c->own_kib + (g->urgent || g->give_back ? c->spill_kib : 0), 0);
}

/* What it had when it was found is given back also from the reserve. */
static int64_t granted_most(const struct mem_ctl *c, const struct mem_guest *g)
{
	int64_t own = min_of(mem_found(g) - g->promised, mem_own_kib(c, g));
	int64_t most = min_of(c->pool_kib, mem_scope_room(c, g, c->levels.reserve));
	return max_of(most, min_of(own, mem_scope_room(c, g, MEM_HOST_LEAST)));
}

int64_t mem_target(const struct mem_ctl *c, const struct mem_guest *g)
{
	int64_t to = g->to_kib;
	if (g->let_go)
		return to;
	to = min_of(to, max_of(g->max, g->balloon));
	if (to < g->balloon)
		to = min_of(whole_mib(max_of(to, shrink_limit(c, g))), g->balloon);
	else if (to > g->promised)
		to = min_of(to, g->promised + granted_most(c, g));
	return to;
}

bool mem_would_act(const struct mem_ctl *c, const struct mem_guest *g)
{
	if (!g->eligible || g->to_kib < 0)
		return false;
	int64_t to = mem_target(c, g);
	if (to == g->target || (to < g->balloon && g->to_kib > g->balloon))
		return false;
	return g->let_go || to <= g->target - MIB || to >= g->target + MIB;
}
