/* SPDX-License-Identifier: MIT */
/* Taking memory from guests that do not use it: who gives, how far down, and how the need is split among
 * them. Invariant: nobody is asked below the depth that the need is worth, and what one has needed in the
 * last hours goes last. Wishes only. */
#include <stdlib.h>

#include "mem_priv.h"
#include "vmtop/text.h"

static double seconds_left(const struct mem_ctl *ctl, int64_t until_ns)
{
	return (double)(until_ns - ctl->r->sample->time_ns) / 1e9;
}

bool mem_may_give(const struct mem_ctl *ctl, const struct mem_guest *guest)
{
	return guest->eligible && !guest->grow_only && !guest->hungry && guest->to_kib <= guest->target &&
	       seconds_left(ctl, guest->m.no_donor_until_ns) <= 0;
}

double mem_shares_of(const struct mem_guest *guest)
{
	return guest->rule && guest->rule->mem_shares > 0 ? guest->rule->mem_shares : 1;
}

/* Taking from one that grows to give to another that grows moves memory to and fro. */
bool mem_growing(const struct mem_guest *guest)
{
	return guest->growth > guest->head / 4;
}

/* Where it is going, this cycle's wish included. */
static int64_t down_at(const struct mem_guest *guest)
{
	return guest->to_kib >= 0 ? guest->to_kib : guest->target;
}

/* Shares per page that it could give, idle pages counting more (idle tax): who is worth least gives first. */
static double page_worth(const struct mem_ctl *ctl, const struct mem_guest *guest, int64_t slack)
{
	double tax = ctl->r->cfg->mem_idle_tax, pages = (double)max_of(guest->balloon, 1);
	double active = (double)min_of(guest->used, guest->balloon) / pages;
	return mem_shares_of(guest) / ((double)slack * (active + (1 - active) / (1 - tax)));
}

static int by_worth(const void *a, const void *b)
{
	const struct mem_guest *x = *(struct mem_guest *const *)a, *y = *(struct mem_guest *const *)b;
	if (x->worth < y->worth || x->worth > y->worth)
		return x->worth < y->worth ? -1 : 1;
	return uuid_compare(x->vm->uuid, y->vm->uuid);
}

/* One that has not been seen to swap is killed when it is squeezed too far, and nobody knows what it was
 * given its size for: as long as no killer threatens the host it keeps half of the difference. On a host that
 * cannot hold what all were found with nobody could give it back in time: there it keeps all of it. */
static int64_t lowest_of(const struct mem_ctl *ctl, const struct mem_guest *guest, enum mem_depth depth)
{
	bool spared = ctl->next_crisis != CRISIS_DIRE && !mem_can_swap(guest) &&
		      ctl->r->cfg->reclaim == RECLAIM_PRESSURE && depth > DEPTH_PAST;
	int64_t had = clamp(mem_found(guest), guest->least[DEPTH_NOW], guest->least[DEPTH_PAST]);
	if (!spared)
		return guest->least[depth];
	return ctl->fits ? (guest->least[DEPTH_NOW] + had) / 2 : had;
}

static size_t donors(struct mem_ctl *ctl, enum mem_depth depth, struct mem_scope scope)
{
	size_t n = 0;
	for (size_t i = 0; i < ctl->n; i++) {
		struct mem_guest *guest = &ctl->guest[i];
		int64_t slack = down_at(guest) - lowest_of(ctl, guest, depth);
		if (!mem_may_give(ctl, guest) || !mem_scope_has(scope, guest) ||
			slack < mem_small_kib(guest->max) || guest->target < guest->balloon ||
			(ctl->next_crisis != CRISIS_DIRE && mem_growing(guest)))
			continue;
		guest->worth = page_worth(ctl, guest, slack);
		ctl->list[n++] = guest;
	}
	if (n)
		qsort(ctl->list, n, sizeof *ctl->list, by_worth);
	return n;
}

static int64_t take(
	struct mem_guest *guest, enum mem_depth depth, int64_t lowest, int64_t need, const char *whom)
{
	static const char *const what[DEPTHS] = {
		[DEPTH_GIFT] = "of what it was given",
		[DEPTH_PAST] = "beyond what it needed in the last hours",
		[DEPTH_SEEN] = "it was not seen to need",
		[DEPTH_NOW] = "it does not need now",
		[DEPTH_USED] = "it does not use",
	};
	int64_t from = down_at(guest), small = mem_small_kib(guest->max);
	int64_t to = max_of(lowest, from - max_of(need, small));
	char part[16];
	if (from - to < small)
		return 0;
	guest->to_kib = to;
	text_kib(part, sizeof part, guest->target - to);
	why_set(&guest->why, REASON_PRESSURE, "gives %s %s: %s needs memory", part, what[depth], whom);
	return from - to;
}

int64_t mem_supply(const struct mem_ctl *ctl, struct mem_scope scope)
{
	int64_t sum = 0;
	for (size_t i = 0; i < ctl->n; i++) {
		const struct mem_guest *guest = &ctl->guest[i];
		int64_t moving = guest->moving ? max_of(guest->balloon - guest->m.asked_kib, 0) : 0;
		if (mem_scope_has(scope, guest))
			sum += moving + (guest->to_kib >= 0 ? max_of(guest->target - guest->to_kib, 0) : 0);
	}
	return sum;
}

int64_t mem_could_take(const struct mem_ctl *ctl, enum mem_depth depth)
{
	int64_t sum = 0;
	for (size_t i = 0; i < ctl->n; i++)
		if (mem_may_give(ctl, &ctl->guest[i]))
			sum += max_of(down_at(&ctl->guest[i]) - lowest_of(ctl, &ctl->guest[i], depth), 0);
	return sum;
}

/* In proportion to what each could give, then in order whatever the small parts left. */
int64_t mem_take(struct mem_ctl *ctl, const struct mem_need *need)
{
	size_t n = need->kib > 0 ? donors(ctl, need->depth, need->scope) : 0;
	double all = 0;
	int64_t sum = 0;
	for (size_t i = 0; i < n; i++)
		all += 1 / ctl->list[i]->worth;
	for (int rest = 0; rest < 2; rest++)
		for (size_t i = 0; i < n && sum < need->kib; i++) {
			struct mem_guest *guest = ctl->list[i];
			double part = (double)need->kib / guest->worth / all;
			int64_t most = rest ? need->kib - sum : (int64_t)part;
			int64_t step = guest->balloon - kib_pct(guest->balloon, need->pct);
			sum += take(guest, need->depth, max_of(lowest_of(ctl, guest, need->depth), step),
				min_of(most, need->kib - sum), need->whom);
		}
	return sum;
}
