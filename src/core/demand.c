/* SPDX-License-Identifier: MIT */
/* The estimator of what a vCPU wants. Invariant: the estimate of a reading, last_pct, lies between what the
 * vCPU ran and demand_upper_pct(), and never above its cap; smooth_pct never above the cap either.
 * Must not know: VMs, pCPUs, clocks. */
#include "vmtop/demand.h"
#include "vmtop/minmax.h"

#include <math.h>

enum {
	QUIET_WAIT_PCT = 2,    /* below this a vCPU counts as not waiting */
	JUMP_SCATTERS = 4,     /* a change beyond so many scatters is a change of load, not noise */
	JUMP_FLOOR_PCT = 5,    /* counters advance in steps: smaller changes are never worth a jump */
	LEAST_SCATTER_PCT = 5, /* of the estimate: a calm stretch does not make noise a jump */
	PRIOR_SCATTER_PCT = 6, /* of the first estimate: what noise to expect before any was seen */
	SCATTER_RISE = 4,      /* time constants of the scatter, in those of the smoothing: */
	SCATTER_FALL = 8,      /* it is forgotten slowly, or a calm stretch makes jumps of noise */
};
/* Time constant with which a waiting vCPU's history creeps towards its upper bound: 10 % a second. */
static const double creep_s = 9.5;

/* Share of the way that an exponential average goes in `window` seconds. */
static double step(double window, double constant)
{
	return constant > 0 ? 1 - exp(-window / constant) : 1;
}

void demand_reset(struct demand *demand)
{
	*demand = (struct demand){0};
}

static double capped(double pct, double cap)
{
	return clamp(pct, 0, min_of(cap, 100));
}

double demand_upper_pct(const struct demand_reading *reading)
{
	double t = capped(reading->ran_pct, reading->cap_pct) / 100,
	       w = clamp(reading->wait_pct, 0, 100) / 100;
	double room = fmax(1 - w, t);
	/* Never ran and waited all the time: it may want a whole pCPU. */
	return capped(room > 0 ? 100 * t / room : 100, reading->cap_pct);
}

static double jump_limit(const struct demand *demand)
{
	double scatter = fmax(demand->scatter_pct, demand->smooth_pct * LEAST_SCATTER_PCT / 100);
	return fmax(JUMP_SCATTERS * scatter, JUMP_FLOOR_PCT);
}

/* Updates the history and gives the estimate of this reading alone. */
static double estimate(struct demand *demand, const struct demand_reading *reading, double smooth_s)
{
	double t = capped(reading->ran_pct, reading->cap_pct), up = demand_upper_pct(reading);
	if (!demand->known)
		return demand->calm_pct = up;
	bool quiet = reading->wait_pct < QUIET_WAIT_PCT;
	if (t > demand->calm_pct + jump_limit(demand))
		/* It runs more than it ever wanted in peace: the history is of another load. */
		demand->calm_pct = quiet ? t : up;
	else if (quiet)
		demand->calm_pct += step(reading->window_s, smooth_s) * (t - demand->calm_pct);
	else
		demand->calm_pct += step(reading->window_s, creep_s) * (up - demand->calm_pct);
	return clamp(demand->calm_pct, t, up);
}

void demand_update(struct demand *demand, const struct demand_reading *reading, double smooth_s)
{
	bool first = !demand->known;
	double now = estimate(demand, reading, smooth_s);
	double off = fabs(now - demand->smooth_pct), change = fabs(now - demand->last_pct);
	if (first) {
		demand->scatter_pct = now * PRIOR_SCATTER_PCT / 100;
		demand->smooth_pct = now;
	} else if (off > jump_limit(demand)) {
		demand->smooth_pct = now; /* the jump itself is no scatter */
	} else {
		demand->smooth_pct += step(reading->window_s, smooth_s) * (now - demand->smooth_pct);
		double memory = (change > demand->scatter_pct ? SCATTER_RISE : SCATTER_FALL) * smooth_s;
		demand->scatter_pct += step(reading->window_s, memory) * (change - demand->scatter_pct);
	}
	demand->smooth_pct = capped(demand->smooth_pct, reading->cap_pct);
	demand->last_pct = now;
	demand->known = true;
}
