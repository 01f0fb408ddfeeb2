/* SPDX-License-Identifier: MIT */
/* Faults put into a simulated host, one at a time, and what is said of the guest that has it and of those
 * beside it that have none. */
#ifndef TESTS_WHY_FAULTS_H
#define TESTS_WHY_FAULTS_H

#include "vmtop/suffer.h"

enum { WHY_NOTHING = CAUSE_COUNT, WHY_ROW };

/* named[true cause][cause named first, or WHY_NOTHING] */
struct why_matrix {
	int named[CAUSE_COUNT][WHY_ROW];
	int faults, right;
	int healthy, accused;  /* guests beside; of them, those that were ever accused of anything */
	char first_wrong[400]; /* for the reader of a failed test */
};

/* Injects the n-th fault of a kind: another host, other sizes, another seed each. */
void why_inject(struct why_matrix *m, enum cause kind, unsigned n);
void why_print(const struct why_matrix *m);

#endif
