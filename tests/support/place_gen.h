/* SPDX-License-Identifier: MIT */
/* Placement problems for tests and benches: built by hand or at random, and carried on from round to round.
 */
#ifndef TESTS_PLACE_GEN_H
#define TESTS_PLACE_GEN_H

#include "vmtop/config.h"
#include "vmtop/placement.h"

enum place_shape { SHAPE_UNIFORM, SHAPE_BIMODAL, SHAPE_HEAVY, SHAPE_EQUAL };

struct place_case {
	struct config cfg;
	struct place_problem p;
	struct place_unit *units;
	struct place_task *tasks;
	struct cpuset *sets; /* one a task, for those that are restricted */
	uint64_t seed;
};

/* n tasks of demand 0 on unit 0 of m single-pCPU units in one LLC; the defaults of minmove. */
void place_case_init(struct place_case *c, size_t n, size_t m);
void place_case_done(struct place_case *c);
/* Sizes: one LLC of `llc` units, nodes of `node` units, cores of `threads` units (0: unknown). */
void place_case_topology(struct place_case *c, int threads, int llc, int node);
/* Demands of a shape with the given mean load per unit, and a unit for each at random. */
void place_case_random(struct place_case *c, uint64_t seed, enum place_shape shape, double mean_load);
/* Only units lo .. hi-1 for task t. */
void place_case_restrict(struct place_case *c, size_t t, int lo, int hi);
/* At most max_n tasks on max_m units, with everything that can be: nodes, LLCs and threads dealt out of
 * order, fixed loads, sets with holes, weights, memory on nodes, tasks that are nowhere, held or bound to a
 * node. one_cpu: all units are single pCPUs. */
void place_case_wild(struct place_case *c, uint64_t seed, size_t max_n, size_t max_m, bool one_cpu);
/* Carries the moves out and lets `seconds` pass. Returns how many were not first assignments. */
size_t place_case_apply(struct place_case *c, const struct place_result *r, double seconds);
double place_case_sigma(const struct place_case *c);
double place_case_highest(const struct place_case *c);
double place_random(uint64_t *seed);        /* [0, 1) */
double place_random_normal(uint64_t *seed); /* N(0, 1) */

#endif
