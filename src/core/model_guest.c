/* SPDX-License-Identifier: MIT */
/* What a guest uses of its memory, and whether its balloon moves. Invariant: what is used is worked out for
 * the moment at which the guest filled in its statistics, never from a balloon of another moment: a moving
 * balloon would look like a growing guest. Knows no policy and no clock. */
#include "model_guest.h"

#include <math.h>

#include "vmtop/minmax.h"

enum {
	AGE_MOST_S = 366 * 86400,
	STILL_KIB = 1024,
	STILL_S = 3, /* the balloon's size is told at most once a second, so it may seem to stand still */
};

static int64_t distance(int64_t a, int64_t b)
{
	return a > b ? a - b : b - a;
}

/* The guest's own total comes with the same statistics and follows the balloon, at a distance (what its
 * kernel took at boot) that is learned at rest. Where it does not follow, time tells: the balloon moved
 * evenly between this sample and the last one. */
static double balloon_then(const struct guest_past *past, const struct vm_memory *mem, int64_t wall_ns)
{
	int64_t now = mem->balloon_kib.v, was = vi64_or(past->balloon_kib, now);
	if (vi64_has(past->gap_kib) && vi64_has(mem->available_kib) && !past->total_fixed) {
		int64_t lo = min_of(now, was), hi = max_of(now, was), most = hi / 4;
		int64_t then = mem->available_kib.v + past->gap_kib.v;
		if (then < lo - most)
			return (double)lo;
		return (double)(then > hi + most ? hi : then);
	}
	double span = (double)(wall_ns - past->wall_ns);
	if (span <= 0)
		return (double)now;
	double ago = (double)(wall_ns - mem->last_update_ns.v) / span;
	ago = clamp(ago, 0, 1);
	return (double)now + ago * (double)(was - now);
}

static void gap_learn(struct guest_past *past, const struct vm_memory *mem, int64_t time_ns)
{
	if (!vi64_has(past->balloon_kib) || !vi64_has(mem->available_kib) ||
		distance(past->balloon_kib.v, mem->balloon_kib.v) >= STILL_KIB ||
		time_ns - past->moved_ns < STILL_S * INT64_C(1000000000))
		return;
	int64_t gap = mem->balloon_kib.v - mem->available_kib.v;
	/* It moved and the guest's total did not: the distance is another one now. */
	if (vi64_has(past->gap_kib) && distance(gap, past->gap_kib.v) >= 8 * STILL_KIB)
		past->total_fixed = true;
	past->gap_kib = vi64_ok(gap);
}

static struct vi64 memory_used(
	struct guest_past *past, const struct vm_memory *mem, int64_t time_ns, int64_t wall_ns)
{
	struct vi64 left = vi64_has(mem->usable_kib) ? mem->usable_kib : mem->unused_kib;
	if (!vi64_has(left))
		return vi64_absent(left.avail);
	if (!vi64_has(mem->balloon_kib))
		return vi64_absent(mem->balloon_kib.avail);
	if (!vi64_has(mem->last_update_ns))
		return vi64_ok(excess(mem->balloon_kib.v, left.v));
	/* The balloon moves on while the guest's figures stand still. */
	if (vi64_has(past->used_kib) && vi64_has(past->last_update_ns) &&
		past->last_update_ns.v == mem->last_update_ns.v)
		return past->used_kib;
	gap_learn(past, mem, time_ns);
	double used = balloon_then(past, mem, wall_ns) - (double)left.v;
	return vi64_ok((int64_t)max_of(used, 0));
}

/* A time of many years ago was never written by a guest that runs now. The wall clock is asked once for each
 * update, and a later one is younger than the one before it; from then on the clock counts that does not
 * jump. */
static struct vf64 statistics_age(
	struct guest_past *past, const struct vm_memory *mem, int64_t time_ns, int64_t wall_ns)
{
	if (!vi64_has(mem->last_update_ns))
		return vf64_absent(mem->last_update_ns.avail);
	bool seen = vi64_has(past->last_update_ns);
	bool later = seen && mem->last_update_ns.v > past->last_update_ns.v;
	double since_s = past->heard_age_s + (double)(time_ns - past->heard_ns) / 1e9;
	if (!seen || past->last_update_ns.v != mem->last_update_ns.v) {
		double s = fmax(0, (double)(wall_ns - mem->last_update_ns.v) / 1e9);
		past->heard_age_s = since_s = later ? fmin(s, since_s) : s;
		past->heard_ns = time_ns;
	}
	return since_s > AGE_MOST_S ? vf64_absent(AVAIL_STALE) : vf64_ok(since_s);
}

static struct vf64 balloon_still(struct guest_past *past, const struct vm_memory *mem, int64_t time_ns)
{
	if (!vi64_has(mem->balloon_kib))
		return vf64_absent(mem->balloon_kib.avail);
	if (!vi64_has(past->balloon_kib) || distance(past->balloon_kib.v, mem->balloon_kib.v) >= STILL_KIB)
		past->moved_ns = time_ns;
	return vf64_ok((double)(time_ns - past->moved_ns) / 1e9);
}

/* Over the time between the guest's own updates: between them its counters stand still, and an update that is
 * read late would look like a burst. Without a time of update the rates stay those of the sample's window. */
static void swap_rates(struct guest_past *past, struct vm_rate *rate, const struct vm_memory *mem)
{
	const struct vi64 now[] = {mem->swap_in_kib, mem->swap_out_kib};
	struct vf64 *to[] = {&rate->swap_in_kib_s, &rate->swap_out_kib_s};
	bool both = vi64_has(mem->last_update_ns) && vi64_has(past->last_update_ns);
	double s = both ? (double)(mem->last_update_ns.v - past->last_update_ns.v) / 1e9 : 0;
	for (int i = 0; i < 2; i++) {
		bool grew =
			vi64_has(now[i]) && vi64_has(past->swap_kib[i]) && now[i].v >= past->swap_kib[i].v;
		if (s > 0 && grew)
			past->swap_kib_s[i] = vf64_ok((double)(now[i].v - past->swap_kib[i].v) / s);
		else if (!both || s != 0 || !grew)
			past->swap_kib_s[i] = vf64_absent(AVAIL_FIRST);
		if (vf64_has(past->swap_kib_s[i]))
			*to[i] = past->swap_kib_s[i];
		past->swap_kib[i] = now[i];
	}
}

void guest_rates(struct guest_past *past, struct vm_rate *rate, const struct vm_memory *mem, int64_t time_ns,
	int64_t wall_ns)
{
	rate->age_s = statistics_age(past, mem, time_ns, wall_ns);
	rate->used_kib = memory_used(past, mem, time_ns, wall_ns);
	rate->balloon_still_s = balloon_still(past, mem, time_ns);
	swap_rates(past, rate, mem);
	past->used_kib = rate->used_kib;
	past->balloon_kib = mem->balloon_kib;
	past->last_update_ns = mem->last_update_ns;
	past->wall_ns = wall_ns;
}
