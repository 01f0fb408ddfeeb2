/* SPDX-License-Identifier: MIT */
/* Private to the CPU controller: the placement problem of a round and the way back from units to pCPUs. */
#ifndef VMTOP_CPU_PROBLEM_H
#define VMTOP_CPU_PROBLEM_H

#include "pool.h"
#include "vmtop/control.h"
#include "vmtop/placement.h"

/* Who may leave his node: cpu_policy_ops.relieves, cpu_policy_ops.crosses. */
enum node_reach { NODES_STAY, NODES_RELIEF, NODES_CROSS };

/* A set of pCPUs on which some vCPUs may be, and the units that it touches; shared by all of them. */
struct allowed_set {
	struct cpuset cpus, units;
	int n_units;
};

/* Where a task comes from. */
struct task_origin {
	size_t vm, vcpu; /* indices in the sample */
	uint32_t set;    /* index in sets[] */
	uint32_t room;   /* the same, of its affinity; UINT32_MAX: unknown */
	bool leaving;    /* each pCPU of its affinity is offline or forbidden by rule */
};

struct cpu_problem {
	struct place_problem place;
	struct place_unit *units;
	struct cpuset *unit_cpus; /* online pCPUs of each unit */
	double *unit_load;        /* room for a load per unit */
	struct place_task *tasks;
	struct task_origin *origins; /* parallel to tasks */
	struct allowed_set *sets;
	uint32_t *buckets; /* open hash of sets by their cpus; index + 1, 0 empty */
	size_t n_sets, cap_units, cap_unit_cpus, cap_unit_load, cap_tasks, cap_origins, cap_sets, cap_buckets;
	size_t n_leaving;
	struct pool pool;
	struct cpuset online;
	struct cpuset node_cpus[MAX_NODES]; /* online */
	uint64_t nodes;                     /* that have any */
	uint64_t short_nodes;               /* whose vCPUs want more than there is */
	uint64_t roomy_nodes;               /* with room for more */
	int unit_of[CPUSET_CPUS];           /* -1: not online */
	double capacity[CPUSET_CPUS];       /* of the online ones, in largest pCPUs */
	int sets_for[CPUSET_CPUS];          /* unit_of[] for which sets[] are good */
	bool same_numbers;                  /* each online pCPU is the unit of its own id */
	int node_of[CPUSET_CPUS];           /* -1: unknown */
	enum node_reach reach;
};

/* Builds the problem; allocates only when something was added. -1: out of memory. */
int cpu_problem_build(struct cpu_problem *prob, const struct round *round, enum granularity granularity,
	enum node_reach reach);
void cpu_problem_done(struct cpu_problem *prob);
/* pCPUs that the move means, of those on which its task may be; empty: it must not be there. Not for
 * PLACE_BACK.
 */
void cpu_problem_target(const struct cpu_problem *prob, const struct place_move *move, struct cpuset *to);

#endif
