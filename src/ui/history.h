/* SPDX-License-Identifier: MIT */
/* The last minutes of usage, per VM and vCPU, for sparklines. Private to src/ui. */
#ifndef UI_HISTORY_H
#define UI_HISTORY_H

#include "draw.h"
#include "vmtop/snapshot.h"

enum { HISTORY_POINTS = 200 };

/* Levels 0..100, DRAW_NO_LEVEL where nothing is known. */
struct history_line {
	uint8_t at[HISTORY_POINTS];
};
struct history_vm {
	uint8_t uuid[UUID_BYTES];
	size_t first, n; /* its vCPUs in history.lines, by position */
};
struct history {
	struct history_vm *vms;     /* sorted by UUID as in the sample */
	struct history_line *lines; /* of vCPUs */
	struct history_line *cpu;   /* of VMs: CPU per vCPU; parallel to vms */
	struct history_line *mem;   /* of VMs: used of max */
	size_t n_vms, n_lines;
	struct history_line busy, deviation; /* host */
	size_t newest;                       /* the point filled last, in all lines */
	uint64_t count;                      /* points ever filled */
	int64_t time_ns; /* of the sample fed last; snapshots between ticks carry the same */
};

void history_done(struct history *h);
/* Adds one point. Out of memory: the history is as before. */
void history_feed(struct history *h, const struct snapshot *s);
struct series history_series(const struct history *h, const struct history_line *l);
const struct history_vm *history_find(const struct history *h, const uint8_t uuid[UUID_BYTES]);

#endif
