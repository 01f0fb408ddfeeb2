/* SPDX-License-Identifier: MIT */
/* Proven optima of small placement problems, by other means than the program's: enumeration, and cbc (an
 * integer program solver, from coinor-cbc) where it is installed. One LLC, units of one pCPU, no distances.
 */
#ifndef TESTS_PLACE_ORACLE_H
#define TESTS_PLACE_ORACLE_H

#include "place_gen.h"

/* Lowest sigma of all placements. n_units ^ n_tasks must stay below some millions. */
double oracle_best_sigma(const struct place_case *c);
/* Fewest moves from where the tasks are to a sigma at or below `target`; -1: no placement has it. */
int oracle_fewest_moves(const struct place_case *c, double target);

bool oracle_have_cbc(void);
struct oracle_moves {
	int least; /* no plan has fewer; above the number of tasks: there is no plan */
	int known; /* a plan with so many is known; < 0: none */
};

/* The same by cbc, of which one run takes so long at most; `known` moves are enough (< 0: not known).
 * Proven: both numbers are the same. */
struct oracle_moves oracle_cbc_moves(const struct place_case *c, double target, int known, double seconds);

#endif
