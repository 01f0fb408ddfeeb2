/* SPDX-License-Identifier: MIT */
/* What is drawn by chance in the simulator. Invariant: the same arguments and seed draw the same, in any
 * order. */
#include <math.h>

#include "sim.h"

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* A hash and no stream: what is drawn does not depend on what else was. */
double sim_random(const struct sim *sim, uint64_t key, uint64_t index)
{
	uint64_t h = mix(sim->scn->seed * UINT64_C(0x9e3779b97f4a7c15) + key);
	h = mix(h + index * UINT64_C(0xd1342543de82ef95));
	return (double)(h >> 11) / 9007199254740992.0;
}

double sim_normal(const struct sim *sim, uint64_t key, uint64_t index)
{
	double u = 1 - sim_random(sim, key ^ 0x51, index), v = sim_random(sim, key ^ 0x52, index);
	return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}
