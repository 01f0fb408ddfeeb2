/* SPDX-License-Identifier: MIT */
/* What a vCPU wants: an estimate from how long it ran and how long it waited for a pCPU. Pure, one small
 * object per vCPU. Percent is percent of one pCPU.
 *
 * With t = ran and w = waited in percent of the window, the truth lies between t (load that comes at set
 * times whatever happens) and t / (1 - w) (load that goes on as soon as it gets the pCPU). Which of the two
 * it is, is told by what the vCPU ran when it did not have to wait. All memory is per second, so the interval
 * between readings does not change the outcome. */
#ifndef VMTOP_DEMAND_H
#define VMTOP_DEMAND_H

#include <stdbool.h>

struct demand {
	bool known;         /* a reading was given since the last reset */
	double calm_pct;    /* what it ran while it did not wait; creeps up while it waits */
	double last_pct;    /* estimate of the last reading, before smoothing */
	double smooth_pct;  /* the answer */
	double scatter_pct; /* absolute change of last_pct from reading to reading: its mean, leaning to the
			       large ones */
};

struct demand_reading {
	double window_s; /* > 0 */
	double ran_pct;  /* 0 .. 100 */
	double wait_pct; /* 0 .. 100; < 0: not reported, then the demand is what it ran */
	double cap_pct;  /* quota; >= 100 when there is none */
};

/* Forgets everything: restart, migration, hot-plug. A zeroed object is the same. */
void demand_reset(struct demand *demand);
/* The most that it can have wanted in this window: min(100, cap, t / max(1 - w, t)). */
double demand_upper_pct(const struct demand_reading *reading);
/* Takes a reading. smooth_s: time constant of the smoothing. */
void demand_update(struct demand *demand, const struct demand_reading *reading, double smooth_s);

#endif
