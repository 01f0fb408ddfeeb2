/* SPDX-License-Identifier: MIT */
/* Which sizes of a balloon come from us. Invariant: with a target, lo <= target <= hi. Knows no guest, no
 * policy and no clock. */
#include "vmtop/balloon_watch.h"
#include "vmtop/minmax.h"

#include <string.h>

enum {
	SMALL_KIB = 16 << 10,
	/* QEMU tells a balloon's size once a second, libvirt's figures are those of its last word, and a
	 * guest on a busy host takes seconds to notice a target. */
	LATE_S = 10
};

int64_t balloon_small_kib(int64_t max_kib)
{
	return max_of(max_kib / 200, SMALL_KIB);
}

bool balloon_watch_asks(const struct balloon_watch *w)
{
	return w->target_kib > 0;
}

static void widen(struct balloon_watch *w, int64_t kib)
{
	w->lo_kib = min_of(kib, w->lo_kib);
	w->hi_kib = max_of(kib, w->hi_kib);
}

void balloon_watch_asked(struct balloon_watch *w, int64_t at_kib, int64_t to_kib, int64_t now_ns, bool unsure)
{
	if (!balloon_watch_asks(w))
		w->lo_kib = w->hi_kib = at_kib > 0 ? at_kib : to_kib;
	if (at_kib > 0)
		widen(w, at_kib);
	widen(w, to_kib);
	w->target_kib = to_kib;
	w->asked_ns = now_ns;
	w->unsure = unsure;
}

bool balloon_watch_ours(const struct balloon_watch *w, int64_t kib, int64_t slack_kib)
{
	return balloon_watch_asks(w) && kib >= w->lo_kib - slack_kib && kib <= w->hi_kib + slack_kib;
}

void balloon_watch_seen(struct balloon_watch *w, int64_t kib, int64_t now_ns)
{
	if (w->unsure || now_ns - w->asked_ns < LATE_S * INT64_C(1000000000))
		return;
	w->lo_kib = w->hi_kib = w->target_kib;
	widen(w, kib);
}

bool balloon_watch_plugged(
	const struct balloon_watch *w, int64_t was_kib, int64_t kib, int64_t by_kib, int64_t slack_kib)
{
	int64_t off = kib - was_kib - by_kib;
	if (!by_kib || !was_kib)
		return false;
	if (off >= -slack_kib && off <= slack_kib)
		return true;
	return balloon_watch_ours(w, kib - by_kib, slack_kib);
}

void balloon_watch_shift(struct balloon_watch *w, int64_t by_kib)
{
	if (!balloon_watch_asks(w))
		return;
	w->target_kib += by_kib;
	w->lo_kib += by_kib;
	w->hi_kib += by_kib;
	if (w->target_kib <= 0)
		balloon_watch_drop(w);
}

void balloon_watch_drop(struct balloon_watch *w)
{
	memset(w, 0, sizeof *w);
}
