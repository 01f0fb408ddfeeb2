/* SPDX-License-Identifier: MIT */
/* What the files that judge who suffers share. Private to src/core/suffer*.c. */
#ifndef VMTOP_CORE_SUFFER_PRIV_H
#define VMTOP_CORE_SUFFER_PRIV_H

#include "vmtop/suffer.h"

enum { CROWD = 2 };

/* Who uses each pCPU, and which have room; by pCPU id. */
struct ground {
	struct {
		int vm[CROWD]; /* the two VMs that run most there, -1 none */
		double pct[CROWD];
	} crowd[CPUSET_CPUS];
	struct cpuset usable, idle;
};

/* One cause at one VM, as this sample shows it. */
struct seen {
	double weight_pct;
	double num[3];
	int pcpu, other;
};

/* suffer_see.c: what speaks for each cause; weight 0 where nothing does. */
void suffer_ground(struct ground *ground, const struct suffer_look *look);
void suffer_see(const struct ground *ground, const struct suffer_look *look, size_t vm,
	struct seen seen[CAUSE_COUNT], struct vf64 *got_pct);

#endif
