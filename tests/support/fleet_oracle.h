/* SPDX-License-Identifier: MIT */
/* Fleets to plan for, drawn by number, and the fewest migrations that cure one: enumerated, or proven by cbc.
 */
#ifndef TESTS_FLEET_ORACLE_H
#define TESTS_FLEET_ORACLE_H

#include "vmtop/fleet_plan.h"

struct fleet_case {
	struct fleet_unit *units;
	struct fleet_task *tasks;
	size_t n_units, n_tasks;
};

/* rules: some VMs are fixed, apart, together, need what not every host has. part: of the hosts' CPU that
 * guests want on average; every tenth host, one at least, has twice as much to do. */
void fleet_case_draw(
	struct fleet_case *c, unsigned number, size_t n_units, size_t per_unit, double part, bool rules);
void fleet_case_done(struct fleet_case *c);

struct fleet_best {
	long moves; /* fewest of all plans that cure most hosts; < 0: not known */
	long cured;
};
/* By trying all: n_units to the power of n_tasks. */
struct fleet_best fleet_enumerate(const struct fleet_case *c, const struct fleet_limits *l);
/* cured is all or -1: no plan cures all, or cbc did not tell in that time. No rules but fixed and needs. */
struct fleet_best fleet_cbc(const struct fleet_case *c, const struct fleet_limits *l, double seconds);

#endif
