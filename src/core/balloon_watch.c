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

bool balloon_watch_asks(const struct balloon_watch *watch)
{
	return watch->target_kib > 0;
}

static void widen(struct balloon_watch *watch, int64_t kib)
{
	watch->lo_kib = min_of(kib, watch->lo_kib);
	watch->hi_kib = max_of(kib, watch->hi_kib);
}

void balloon_watch_asked(
	struct balloon_watch *watch, int64_t at_kib, int64_t to_kib, int64_t now_ns, bool unsure)
{
	if (!balloon_watch_asks(watch))
		watch->lo_kib = watch->hi_kib = at_kib > 0 ? at_kib : to_kib;
	if (at_kib > 0)
		widen(watch, at_kib);
	widen(watch, to_kib);
	watch->target_kib = to_kib;
	watch->asked_ns = now_ns;
	watch->unsure = unsure;
}

bool balloon_watch_ours(const struct balloon_watch *watch, int64_t kib, int64_t slack_kib)
{
	return balloon_watch_asks(watch) && kib >= watch->lo_kib - slack_kib &&
	       kib <= watch->hi_kib + slack_kib;
}

void balloon_watch_seen(struct balloon_watch *watch, int64_t kib, int64_t now_ns)
{
	if (watch->unsure || now_ns - watch->asked_ns < LATE_S * INT64_C(1000000000))
		return;
	watch->lo_kib = watch->hi_kib = watch->target_kib;
	widen(watch, kib);
}

bool balloon_watch_plugged(
	const struct balloon_watch *watch, int64_t was_kib, int64_t kib, int64_t by_kib, int64_t slack_kib)
{
	int64_t off = kib - was_kib - by_kib;
	if (!by_kib || !was_kib)
		return false;
	if (off >= -slack_kib && off <= slack_kib)
		return true;
	return balloon_watch_ours(watch, kib - by_kib, slack_kib);
}

void balloon_watch_shift(struct balloon_watch *watch, int64_t by_kib)
{
	if (!balloon_watch_asks(watch))
		return;
	watch->target_kib += by_kib;
	watch->lo_kib += by_kib;
	watch->hi_kib += by_kib;
	if (watch->target_kib <= 0)
		balloon_watch_drop(watch);
}

void balloon_watch_drop(struct balloon_watch *watch)
{
	memset(watch, 0, sizeof *watch);
}
