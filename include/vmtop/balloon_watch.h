/* SPDX-License-Identifier: MIT */
/* Whose balloon is it? What we asked of one guest's balloon and when, and which sizes follow from that.
 * A guest follows at its own pace, its size is told late, and a target may be replaced or given up while the
 * balloon still moves: for a while after a target was set every size between all those asked for and all
 * those seen is ours. Then only the way from where it is to the target counts. A zeroed one has asked
 * nothing. */
#ifndef VMTOP_BALLOON_WATCH_H
#define VMTOP_BALLOON_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct balloon_watch {
	int64_t target_kib; /* what we asked for last, and it is in force; 0: nothing */
	int64_t asked_ns;
	int64_t lo_kib, hi_kib; /* sizes that come from us */
	bool unsure;            /* whether the last target was taken is not known */
};

/* Changes below this are not worth a call, and no sign that somebody was there. */
int64_t balloon_small_kib(int64_t max_kib);

bool balloon_watch_asks(const struct balloon_watch *watch);
/* A target was set while the balloon was at at_kib (0: not known). unsure: there was no answer. */
void balloon_watch_asked(
	struct balloon_watch *watch, int64_t at_kib, int64_t to_kib, int64_t now_ns, bool unsure);
/* Whether a balloon of this size comes from what we asked for. */
bool balloon_watch_ours(const struct balloon_watch *watch, int64_t kib, int64_t slack_kib);
/* It is ours and has this size now: once the figures cannot be old any more, what lies behind it is not. */
void balloon_watch_seen(struct balloon_watch *watch, int64_t kib, int64_t now_ns);
/* Whether a balloon went from was_kib to kib because memory was plugged or taken away: its maximum changed
 * by by_kib, and it with it. A hypervisor keeps what it withholds; all sizes asked for move too. */
bool balloon_watch_plugged(
	const struct balloon_watch *watch, int64_t was_kib, int64_t kib, int64_t by_kib, int64_t slack_kib);
void balloon_watch_shift(struct balloon_watch *watch, int64_t by_kib);
/* Somebody else set it, or it is another guest's now. */
void balloon_watch_drop(struct balloon_watch *watch);

#endif
