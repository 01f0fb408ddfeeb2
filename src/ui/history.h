/* SPDX-License-Identifier: MIT */
/* The last hour of the host, of each VM and each vCPU, as levels for graphs. Private to src/ui. */
#ifndef UI_HISTORY_H
#define UI_HISTORY_H

#include "graph.h"
#include "vmtop/snapshot.h"

/* An hour and eight minutes at an interval of 2 s; a byte a row and point. */
enum { HISTORY_POINTS = 2048 };

enum { DEVIATION_MOST = 250 }; /* percent: more is drawn as this */

/* Levels are 0..100 but for the deviation, DRAW_NO_LEVEL where nothing is known. What stands above another in
 * a graph is what comes on top of it. */
enum history_host {
	HOST_BUSY, /* mean over pCPUs */
	HOST_WAIT, /* all waiting of vCPUs by pCPUs, above BUSY */
	HOST_FOUND,
	HOST_EXCESS, /* deviation, above the best found; both up to DEVIATION_MOST */
	HOST_USED,   /* memory */
	HOST_ROWS
};
enum history_vm_row {
	VM_RUN,     /* mean over its vCPUs */
	VM_WAIT,    /* above RUN */
	VM_USED,    /* of its maximum */
	VM_BALLOON, /* what it has and does not use, above USED */
	VM_ROWS
};
enum history_vcpu { VCPU_RUN, VCPU_WAIT, VCPU_ROWS };

struct history_vm {
	uint8_t uuid[UUID_BYTES];
	size_t first, n; /* its vCPUs, by position */
};
struct history {
	struct history_vm *vms; /* sorted by UUID as in the sample */
	size_t n_vms, n_vcpus;
	uint8_t *levels; /* n_rows a point: those of the host, the VMs, the vCPUs */
	size_t n_rows;
	int64_t at_ns[HISTORY_POINTS]; /* of the samples */
	uint64_t first, count;         /* points first to count - 1 are there; i is at i % HISTORY_POINTS */
	int64_t time_ns;               /* of the sample fed last; snapshots between ticks carry the same */
	size_t back;                   /* points before the newest at which graphs end */
};

void history_done(struct history *hist);
/* Adds one point. Out of memory: the history is as before. */
void history_feed(struct history *hist, const struct snapshot *snap);
const struct history_vm *history_find(const struct history *hist, const uint8_t uuid[UUID_BYTES]);
struct series history_of_host(const struct history *hist, enum history_host row);
struct series history_of_vm(const struct history *hist, const struct history_vm *vm, enum history_vm_row row);
struct series history_of_vcpu(
	const struct history *hist, const struct history_vm *vm, size_t k, enum history_vcpu row);
/* The level at the point where graphs end. */
uint8_t history_now(const struct series *series);
/* Seconds that the last so many points span; what is not filled yet counts with the interval. */
double history_span_s(const struct history *hist, size_t points, double delay_s);

#endif
