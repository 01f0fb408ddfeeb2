/* SPDX-License-Identifier: MIT */
/* What a plan of pins would do, for who is to decide on it: moves first, then pins in place, each with what
 * it does to both pCPUs, to its vCPU's waiting and to the deviation. Pure; an estimate that shares a pCPU
 * evenly. What is not known is absent. */
#ifndef VMTOP_EFFECT_H
#define VMTOP_EFFECT_H

#include "vmtop/model.h"
#include "vmtop/plan.h"
#include "vmtop/suffer.h"

/* Pairs are before and after: of the pCPUs and of waiting with the whole plan, of the deviation with this
 * line, after those above it. */
struct effect {
	size_t action, vm, vcpu; /* indices: in the plan, in the sample */
	bool moves;              /* it leaves its pCPU, or may; else it is pinned where it runs */
	bool out;                /* taken out of the plan (OUTCOME_SKIPPED): moves nothing */
	int from_cpu, to_cpu;    /* ids; -1: not known */
	struct vf64 from_pct[2], to_pct[2], wait_pct[2], deviation_pct[2];
};

/* Fills room for n effects; those of the plan's pins whose vCPU is still here. Returns how many. */
size_t effects_of(const struct suffer_look *look, const struct action *actions, size_t n, struct effect *to);
/* "it waits 48 -> 0 %, deviation 68.9 -> 20.1 %, pCPU 3: 180 -> 90 %, pCPU 5: 20 -> 110 %" */
void effect_text(const struct effect *effect, char *buf, size_t len);
/* "0 -> 5", "any -> 0-3": from which pCPUs to which; of a pin in place "5". */
void effect_where(const struct suffer_look *look, const struct effect *effect, const struct action *action,
	char *buf, size_t len);

#endif
