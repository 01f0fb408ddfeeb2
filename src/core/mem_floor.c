/* SPDX-License-Identifier: MIT */
/* The numbers that protect: floor and maximum of a guest, reserve and levels of the host.
 * Invariant: neither libvirt nor QEMU has a floor (a target of 1 KiB is accepted), so whatever sets a balloon
 * takes it from here. Knows no policy and no history but the size at which a guest was first seen. */
#include "mem_priv.h"

enum { GUEST_LEAST = 100 * MIB };

int64_t mem_guest_max(const struct vm_sample *vm, const struct vm_rule *rule)
{
	int64_t max = vi64_has(vm->mem.max_kib) ? max_of(vm->mem.max_kib.v, 0) : 0;
	max = min_of(max, mem_limit_kib(&vm->mem));
	return rule && rule->mem_max_kib > 0 ? min_of(max, rule->mem_max_kib) : max;
}

/* first_kib 0: the size at which it was first seen is not known. */
static int64_t floor_of(const struct config *cfg, const struct vm_sample *vm, const struct vm_rule *rule,
	struct vi64 used, int64_t first_kib)
{
	int64_t max = mem_guest_max(vm, rule);
	int64_t least = max_of(kib_pct(max, cfg->mem_min_pct), cfg->mem_min_kib);
	if (first_kib > 0)
		least = min_of(least, first_kib);
	if (rule)
		least = max_of(least, rule->mem_min_kib);
	if (vi64_has(vm->mem.min_guarantee_kib))
		least = max_of(least, vm->mem.min_guarantee_kib.v);
	least = min_of(least, max);
	/* A maximum that the user set later does not take away what is in use. */
	if (vi64_has(used))
		least = max_of(least, used.v + max_of(GUEST_LEAST, kib_pct(used.v, 8)));
	return min_of(least, mem_guest_max(vm, NULL));
}

int64_t mem_floor_kib(const struct config *cfg, const struct vm_sample *vm, const struct vm_rule *rule,
	struct vi64 used_kib)
{
	return floor_of(cfg, vm, rule, used_kib, 0);
}

int64_t mem_guest_floor(const struct mem_guest *guest, const struct config *cfg)
{
	return floor_of(cfg, guest->vm, guest->rule, vi64_ok(guest->used), guest->m.first_kib);
}

int64_t mem_guest_least(const struct mem_guest *guest, const struct config *cfg)
{
	return floor_of(cfg, guest->vm, guest->rule, vi64_absent(AVAIL_NONE), guest->m.first_kib);
}

int64_t mem_small_kib(int64_t max_kib)
{
	return balloon_small_kib(max_kib);
}

/* Rounds of equal shares: who needs less than a share frees the rest of it for the others. */
void mem_share(struct mem_guest **g, size_t n, int64_t pool)
{
	for (size_t i = 0; i < n; i++)
		g[i]->give_kib = 0;
	for (size_t left = n; left > 0 && pool >= (int64_t)left;) {
		int64_t share = pool / (int64_t)left;
		left = 0;
		for (size_t i = 0; i < n; i++) {
			int64_t add = min_of(share, g[i]->short_kib - g[i]->give_kib);
			g[i]->give_kib += max_of(add, 0);
			pool -= max_of(add, 0);
			left += g[i]->give_kib < g[i]->short_kib;
		}
	}
}
