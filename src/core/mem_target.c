/* SPDX-License-Identifier: MIT */
/* From what a policy wishes to the target that a guest may have now: guards, and what the host can pay. */
#include "mem_priv.h"
#include "vmtop/minmax.h"

/* A page cache may be taken by whoever knows what is usable. */
static int64_t spare(const struct mem_ctl *ctl, const struct mem_guest *guest)
{
	return ctl->unused_only ? guest->unused : guest->usable;
}

/* The lowest target that a shrink may have now. */
static int64_t shrink_limit(const struct mem_ctl *ctl, const struct mem_guest *guest)
{
	int64_t limit = guest->forced ? guest->base : guest->floor;
	if (mem_guarded(ctl, MEM_GUARD_UNUSED) && !guest->forced)
		limit = max_of(limit, guest->m.unused_base_kib - spare(ctl, guest) + 100 * MIB);
	if (mem_guarded(ctl, MEM_GUARD_STEP))
		limit = max_of(limit, guest->balloon - guest->balloon / 4);
	return limit;
}

/* --- from wish to order --- */

static int64_t whole_mib(int64_t kib)
{
	return (kib + MIB - 1) / MIB * MIB;
}

int64_t mem_own_kib(const struct mem_ctl *ctl, const struct mem_guest *guest)
{
	return max_of(ctl->own_kib + (guest->urgent || guest->give_back ? ctl->spill_kib : 0), 0);
}

/* What it had when it was found is given back also from the reserve. */
static int64_t granted_most(const struct mem_ctl *ctl, const struct mem_guest *guest)
{
	int64_t own = min_of(mem_found(guest) - guest->promised, mem_own_kib(ctl, guest));
	int64_t most = min_of(ctl->pool_kib, mem_scope_room(ctl, guest, ctl->levels.reserve));
	return max_of(most, min_of(own, mem_scope_room(ctl, guest, MEM_HOST_LEAST)));
}

int64_t mem_target(const struct mem_ctl *ctl, const struct mem_guest *guest)
{
	int64_t to = guest->to_kib;
	if (guest->let_go)
		return to;
	to = min_of(to, max_of(guest->max, guest->balloon));
	if (to < guest->balloon)
		to = min_of(whole_mib(max_of(to, shrink_limit(ctl, guest))), guest->balloon);
	else if (to > guest->promised)
		to = min_of(to, guest->promised + granted_most(ctl, guest));
	return to;
}

bool mem_would_act(const struct mem_ctl *ctl, const struct mem_guest *guest)
{
	if (!guest->eligible || guest->to_kib < 0)
		return false;
	int64_t to = mem_target(ctl, guest);
	if (to == guest->target || (to < guest->balloon && guest->to_kib > guest->balloon))
		return false;
	return guest->let_go || to <= guest->target - MIB || to >= guest->target + MIB;
}
