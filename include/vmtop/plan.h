/* SPDX-License-Identifier: MIT */
/* A plan: actions in the order in which they are to be carried out, each with its reason. apply() writes
 * the outcome on each. What a controller decided not to do is in its verdict. */
#ifndef VMTOP_PLAN_H
#define VMTOP_PLAN_H

#include <stddef.h>

#include "vmtop/sample.h"
#include "vmtop/why.h"

enum action_kind {
	ACTION_PIN,     /* from, to */
	ACTION_BALLOON, /* from_kib, to_kib */
	ACTION_PERIOD,  /* statistics period: from_s, to_s */
	ACTION_SHARES,  /* CPU shares: from_shares, to_shares */
};

enum outcome {
	OUTCOME_PLANNED, /* not tried: dry run, preview */
	OUTCOME_DONE,
	OUTCOME_FAILED,
	OUTCOME_SKIPPED, /* looked again and left it alone */
	OUTCOME_UNKNOWN, /* no answer in time */
};

struct action {
	enum action_kind kind;
	uint8_t uuid[UUID_BYTES];
	size_t vm; /* index in the sample planned on */
	int vcpu;  /* id, -1 when not about a vCPU */
	struct cpuset from, to;
	bool from_pinned; /* false: the vCPU had never been pinned */
	int64_t from_kib, to_kib;
	union {
		int from_s, from_shares;
	};
	union {
		int to_s, to_shares;
	};
	struct why why;
	enum outcome outcome;
	char error[320]; /* with FAILED, SKIPPED and UNKNOWN: what happened */
};

/* What a CPU round saw and why it did what it did. Absent numbers are unknown, not zero. */
struct cpu_verdict {
	struct vf64 stddev_pct; /* of load by demand, the policy's own measure */
	struct vf64 limit_pct;
	struct vf64 found_pct; /* best placement known */
	struct vf64 bound_pct; /* no placement is below this */
	struct vf64 after_pct; /* predicted after this plan */
	struct why why;        /* of the round as a whole */
	bool new_line;         /* worth a line in the log: the reason changed or a round was forced */
};

enum host_mem_state { HOST_MEM_OK, HOST_MEM_SOFT, HOST_MEM_HARD };

struct mem_verdict {
	enum host_mem_state state;
	struct vi64 reserve_kib;
	struct vi64 free_kib; /* what may be given now */
	struct why why;
	bool new_line;
};

struct plan {
	struct action *actions;
	size_t n, cap;
};

void plan_init(struct plan *plan);
void plan_done(struct plan *plan);
void plan_reset(struct plan *plan);
struct action *plan_add(struct plan *plan, enum action_kind kind); /* zeroed; NULL: out of memory */
/* The same is done to the same, whatever the reason. */
bool action_same(const struct action *a, const struct action *b);
bool plan_same(const struct plan *a, const struct plan *b); /* in the same order */
const char *action_kind_text(enum action_kind kind);        /* "pin", "balloon", ... */
const char *outcome_text(enum outcome outcome);             /* "done", ... */

#endif
