/* SPDX-License-Identifier: MIT */
/* Memory that is short, divided by shares: what each guest is entitled to above its floor, and the taking
 * back from those who hold more, in use or not, for one with more shares who holds less. Invariant: with
 * equal shares nothing in use is ever taken; nobody without swap is squeezed below its use. */
#include <math.h>
#include <stdlib.h>

#include "mem_priv.h"
#include "vmtop/text.h"

enum { LEVEL_STEPS = 60, LEAST_SHARES_INVERSE = 200 };

static int64_t above(const struct mem_guest *guest, double level)
{
	double part = level * mem_shares_of(guest), most = (double)max_of(guest->want - guest->base, 0);
	return (int64_t)fmin(part, most);
}

static bool takes_part(const struct mem_ctl *ctl, const struct mem_guest *guest)
{
	return guest->eligible && mem_scope_has(ctl->sharing, guest);
}

/* What each may have when all are lifted alike, a share, above their floors; what one does not want is the
 * others'. False: there is enough for all. */
static bool entitle(struct mem_ctl *ctl, int64_t all)
{
	const double most = ((double)all + 1) * LEAST_SHARES_INVERSE;
	double low = 0, high = most;
	for (int step = 0; step < LEVEL_STEPS; step++) {
		double level = (low + high) / 2;
		int64_t sum = 0;
		for (size_t i = 0; i < ctl->n; i++)
			if (takes_part(ctl, &ctl->guest[i]))
				sum += above(&ctl->guest[i], level);
		*(sum <= all ? &low : &high) = level;
	}
	for (size_t i = 0; i < ctl->n; i++)
		ctl->guest[i].due = ctl->guest[i].base + above(&ctl->guest[i], low);
	return low < most / 2;
}

/* Memory above floors that there is for all, and what each wants of it. */
static int64_t wants_fill(struct mem_ctl *ctl)
{
	int64_t all = ctl->pool_kib, held = 0;
	for (size_t i = 0; i < ctl->n; i++) {
		struct mem_guest *guest = &ctl->guest[i];
		if (!takes_part(ctl, guest))
			continue;
		if (guest->hungry && mem_scope_same(guest->scope, ctl->sharing))
			all = min_of(all, mem_scope_room(ctl, guest, ctl->levels.reserve));
		guest->want = max_of(guest->hungry ? guest->tgt : guest->used + guest->head, guest->base);
		held += guest->promised - guest->base;
	}
	return max_of(all + held, 0);
}

/* What the guests with most shares lack of their due, and those shares. */
static int64_t lack_of(const struct mem_ctl *ctl, double *shares)
{
	int64_t sum = 0;
	for (size_t i = 0; i < ctl->n; i++) {
		const struct mem_guest *guest = &ctl->guest[i];
		int64_t lack = min_of(guest->due, guest->want) - max_of(guest->promised, guest->to_kib);
		if (!guest->hungry || !mem_scope_same(guest->scope, ctl->sharing) ||
			lack < mem_small_kib(guest->max) || mem_shares_of(guest) < *shares)
			continue;
		sum = mem_shares_of(guest) > *shares ? lack : sum + lack;
		*shares = mem_shares_of(guest);
	}
	return sum;
}

/* Only one that has been seen to swap out has somewhere to put what it uses. */
bool mem_can_swap(const struct mem_guest *guest)
{
	return vi64_has(guest->vm->mem.swap_out_kib) && guest->vm->mem.swap_out_kib.v > 0;
}

static int64_t lowest_of(const struct mem_guest *guest)
{
	return guest->hungry ? guest->due : max_of(guest->due, mem_found(guest));
}

static int by_use(const void *a, const void *b)
{
	const struct mem_guest *x = *(struct mem_guest *const *)a, *y = *(struct mem_guest *const *)b;
	if (x->worth < y->worth || x->worth > y->worth)
		return x->worth < y->worth ? -1 : 1;
	return uuid_compare(x->vm->uuid, y->vm->uuid);
}

static size_t holders(struct mem_ctl *ctl, double shares)
{
	size_t n = 0;
	for (size_t i = 0; i < ctl->n; i++) {
		struct mem_guest *guest = &ctl->guest[i];
		if (!takes_part(ctl, guest) || guest->grow_only || guest->to_kib >= 0 || guest->moving ||
			mem_shares_of(guest) >= shares || !mem_can_swap(guest) ||
			guest->m.no_donor_until_ns > ctl->r->sample->time_ns ||
			guest->target - lowest_of(guest) < mem_small_kib(guest->max))
			continue;
		guest->worth = (double)guest->used / (double)guest->balloon;
		ctl->list[n++] = guest;
	}
	if (n)
		qsort(ctl->list, n, sizeof *ctl->list, by_use);
	return n;
}

int64_t mem_shares_take(struct mem_ctl *ctl, int64_t need, struct mem_scope scope)
{
	ctl->sharing = scope;
	double shares = 0, pct = ctl->r->cfg->mem_step_pct;
	int64_t sum = 0, all = wants_fill(ctl);
	char part[16], due[16];
	if (need <= 0 || !entitle(ctl, all))
		return 0;
	need = min_of(need, lack_of(ctl, &shares));
	size_t n = need > 0 ? holders(ctl, shares) : 0;
	for (size_t i = 0; i < n && sum < need; i++) {
		struct mem_guest *guest = ctl->list[i];
		int64_t step =
			min_of(kib_pct(guest->balloon, pct), max_of(need - sum, mem_small_kib(guest->max)));
		guest->to_kib = max_of(guest->target - step, lowest_of(guest));
		guest->forced = true;
		sum += guest->target - guest->to_kib;
		text_kib(part, sizeof part, guest->target - guest->to_kib);
		text_kib(due, sizeof due, guest->due);
		why_set(&guest->why, REASON_SHARES,
			"gives %s: a guest with more shares is short, its own leave it %s", part, due);
	}
	return sum;
}
