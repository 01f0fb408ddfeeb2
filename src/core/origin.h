/* SPDX-License-Identifier: MIT */
/* Private to the presets origin-a, origin-b and origin-c: what the three designs have in common. */
#ifndef VMTOP_ORIGIN_H
#define VMTOP_ORIGIN_H

#include "vmtop/placement.h"

/* A task, or in origin-a a VM: what is placed as one. */
struct origin_item {
	double usage_pct;
	size_t first, n; /* its tasks */
};

struct origin {
	double *load;     /* by unit: now, percent of a pCPU */
	double *assigned; /* by unit: given out so far in this round */
	size_t *open;     /* units that count: where somebody who may be moved is or may go */
	struct origin_item *items;
	int *to; /* by task: where it is to be; -1: left alone */
	struct place_move *moves;
	size_t cap_load, cap_assigned, cap_open, cap_items, cap_to, cap_moves;
	size_t n_items, n_moves, n_open;
	/* origin-b alone */
	size_t position;            /* where dealing starts */
	double now_sd, previous_sd; /* of the sample at now_ns, and of the one before */
	int64_t now_ns;
};

void *origin_create(const struct config *cfg);
void origin_destroy(void *state);
/* Makes room and works out load by mapped usage; `out` gets deviation, mean goes to *mean. -1: out of memory.
 */
int origin_begin(
	struct origin *origin, const struct place_problem *prob, struct place_result *out, double *mean);
/* Population standard deviation of load[] over the open units, and the mean. */
double origin_stddev(const struct origin *origin, double *mean);
/* Largest usage first; equal ones in the order of VM and vCPU. */
void origin_sort(struct origin *origin);
/* When it may act: items largest first, each to the unit with the least assigned so far; what is fixed counts
 * as assigned. Says what was done by `measure`, or what would be. */
void origin_greedy_round(struct origin *origin, const struct place_problem *prob, bool act,
	const char *measure, struct place_result *out);
/* Turns to[] into moves (only what changes) with this reason, and fills `out` but for its reason. */
void origin_moves(
	struct origin *origin, const struct place_problem *prob, enum reason why, struct place_result *out);
/* The reason of a round that acted: `measure` says what was above what. */
void origin_acted(
	const struct origin *origin, enum reason why, const char *measure, struct place_result *out);
bool origin_allowed(const struct place_task *task, size_t unit);

#endif
