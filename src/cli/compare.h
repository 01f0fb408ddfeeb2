/* SPDX-License-Identifier: MIT */
/* Inside vmtop compare: what was run, and how it is told. */
#ifndef VMTOP_COMPARE_H
#define VMTOP_COMPARE_H

#include "vmtop/config.h"
#include "vmtop/err.h"
#include "vmtop/scenario.h"
#include "vmtop/trace.h"

enum { /* options, in the order of the row of subcommand.c */
	COMPARE_CPU,
	COMPARE_MEMORY,
	COMPARE_GRANULARITY,
	COMPARE_SEED,
	COMPARE_END,
	COMPARE_SET,
	COMPARE_JSON,
};
enum { COMPARE_NONE = -1 }; /* in the place of a policy: nothing is steered */

struct run {
	size_t input;
	int cpu, memory; /* policy, COMPARE_NONE */
	uint64_t seed;
	double mean_pct, final_pct, balanced_s;
	struct sim_report is; /* at the end */
	bool recorded;        /* the recording itself: only deviation, pins and balloons are known */
};

struct input {
	const char *name;    /* as on the command line */
	const char *what;    /* scenarios: a shipped name or a path */
	struct trace *trace; /* NULL: a scenario */
	struct config cfg;
	struct trace_facts is;
	uint64_t seed; /* its own */
};

struct comparison {
	struct input *inputs;
	size_t n_inputs;
	struct run *runs; /* by input, policies and seed */
	size_t n, cap;
	size_t n_seeds; /* of each policy and input */
	bool json;
};

void compare_print(const struct comparison *cmp);
int compare_print_json(const struct comparison *cmp, struct err *err);

#endif
