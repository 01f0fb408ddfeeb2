/* SPDX-License-Identifier: MIT */
/* The placement problem: which vCPU on which unit, without libvirt, VMs or names. core/cpu_ctl.c builds it
 * from sample, model and rules, and turns the answer into pins; policies and solvers see only this.
 *
 * A unit is what the granularity balances over: a pCPU, a core, an LLC or a node. Units are numbered 0 .. n-1
 * in the order of their smallest pCPU id. Loads are in percent of one pCPU; L of a unit = background + sum of
 * the demands of the tasks on it, divided by the pCPUs in it (so sigma is always percent of a pCPU). Where
 * pCPUs are not equal, demands and background are in percent of the largest, and divided by the capacity. */
#ifndef VMTOP_PLACEMENT_H
#define VMTOP_PLACEMENT_H

#include "vmtop/config.h"
#include "vmtop/cpuset.h"
#include "vmtop/why.h"

struct place_unit {
	int cpu;               /* smallest pCPU id in it */
	int n_cpus;            /* online pCPUs in it; >= 1 */
	double capacity;       /* of those together, in largest pCPUs; 0: they are equal */
	int core, llc, node;   /* for the distance between units; -1 unknown */
	double background_pct; /* fixed load: host, emulator threads, vCPUs that nobody may move */
	double busy_pct;       /* as the host measured it; < 0 unknown */
	bool alone;            /* the kernel does not balance it with others (isolated) */
	bool shut;             /* of those who may be moved nobody is here or may come */
};

struct place_task {
	double demand_pct;  /* what it would use on an idle pCPU */
	double usage_pct;   /* what it used */
	double wait_pct;    /* run-queue delay; < 0 unknown */
	double scatter_pct; /* usual change of demand between samples */
	int unit;           /* where it counts now; -1: nowhere known (then it is assigned, at no cost) */
	/* Its affinity lies inside `unit`, or the kernel moves it nowhere; false: first assignment is where
	 * it runs. */
	bool pinned;
	bool capped; /* it runs into its quota: its waiting is none for a pCPU */
	const struct cpuset
		*room;     /* units that its affinity touches now; NULL unknown. Shared, as `allowed` */
	enum reason fixed; /* REASON_NONE: may be moved; else it stays and counts as load of its unit */
	const struct cpuset *allowed; /* set of unit numbers (not pCPU ids); shared, not owned */
	uint32_t vm; /* tasks of one VM share this; for whole-VM policies and stable ties (UUID order) */
	int vcpu;    /* id, for stable ties */
	uint32_t slot, birth; /* stable identity over rounds (model.h) */
	double weight;        /* its moves cost this much more; 1 */
	uint64_t mem_nodes;   /* bit n: its memory lies on node n; 0 unknown */
	bool stay_on_node;
};

struct place_problem {
	const struct place_unit *units;
	size_t n_units;
	const struct place_task *tasks; /* sorted by (vm, vcpu) */
	size_t n_tasks;
	size_t n_slots; /* every task.slot is below */
	int64_t now_ns;
	double elapsed_s; /* the window the rates come from */
	const struct config *cfg;
	bool forced; /* no trigger, no confirmation, no cool-down, no dwell */
	bool relief; /* no granularity was asked for: bind nobody, cure waiting (minmove alone) */
};

/* Which pCPUs a move means. */
enum place_aim {
	PLACE_UNIT,    /* those of unit `to` that it may use */
	PLACE_ALLOWED, /* all that it may use */
	PLACE_NODE,    /* those in the node of `to` */
	PLACE_LLC,     /* those that share the last-level cache of `to` */
	PLACE_ASIDE,   /* all but those of `from` */
	PLACE_BACK,    /* those on which it was before its last move */
};

struct place_move {
	size_t task;
	int from, to; /* unit numbers; from may be -1 */
	int partner;  /* index in moves[] of the other half of a swap, -1 */
	enum place_aim aim;
	struct why why;
};

struct place_result {
	struct place_move *moves; /* owned by the policy object, good until its next call */
	size_t n_moves;
	double stddev_pct;           /* sigma before */
	double after_pct;            /* sigma predicted after the moves */
	double found_pct, bound_pct; /* < 0: this policy does not work them out */
	double limit_pct;
	struct why why; /* of the round */
};

/* What every CPU policy offers. State is per policy object. */
struct cpu_policy_ops {
	void *(*create)(const struct config *cfg);
	void (*destroy)(void *state);
	/* act: false = verdict only (MANUAL), no moves and nothing remembered as done. -1: out of memory. */
	int (*plan)(void *state, const struct place_problem *p, bool act, struct place_result *out);
	/* done[i]: moves[i] of the last plan was carried out. */
	void (*applied)(void *state, const struct place_problem *p, const bool *done);
	/* Makes `to` plan a forced round as `from` would now: a preview is planned on an object of its own,
	 * so that it leaves no trace. NULL: nothing that is remembered matters to a forced round. */
	void (*mirror)(void *to, const void *from);
	bool any_unit; /* places on whatever cfg->granularity says; else on pCPUs */
	bool whole_vm; /* one unit for all vCPUs of a VM */
	bool crosses;  /* knows no nodes: only bound memory and the user's wish keep a vCPU on one */
	bool relieves; /* vCPUs whose memory is bound to no node may leave one that is overloaded for one that
			* has room, also when moves across nodes were not asked for */
};

#define CPU_POLICY_EXTERN(id, name, ops, help) extern const struct cpu_policy_ops ops;
CPU_POLICY_TABLE(CPU_POLICY_EXTERN)
#undef CPU_POLICY_EXTERN

#endif
