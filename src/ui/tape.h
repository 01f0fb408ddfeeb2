/* SPDX-License-Identifier: MIT */
/* The last hour of snapshots, so that the screen can show again what it showed. Private to src/ui. Each is
 * kept as what differs from the one before; now and then one is whole. The oldest go when it gets too large.
 */
#ifndef UI_TAPE_H
#define UI_TAPE_H

#include "vmtop/snapshot.h"

struct tape;
enum { TAPE_BYTES = 64 << 20 };
/* At most so many snapshots and, but for a whole one and what differs from it, bytes. NULL: out of memory. */
struct tape *tape_new(size_t frames, size_t bytes);
void tape_free(struct tape *tape);
/* Out of memory: this one is left out. */
void tape_feed(struct tape *tape, const struct snapshot *snap);
/* The snapshots kept are number first to end - 1, counted since it began. */
uint64_t tape_first(const struct tape *tape);
uint64_t tape_end(const struct tape *tape);
size_t tape_bytes(const struct tape *tape);
int64_t tape_time_ns(const struct tape *tape, uint64_t i); /* of the sample */
/* Without log, actions, preview and totals of counters; percentages in hundredths. One block: the
 * caller frees it with snapshot_free(). NULL: out of memory, or not kept. */
struct snapshot *tape_read(const struct tape *tape, uint64_t i);

#endif
