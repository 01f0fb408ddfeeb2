/* SPDX-License-Identifier: MIT */
/* Moves between hosts: which VMs should migrate where, so that nobody suffers for want of room on his host,
 * by as few migrations as can be found. Only against suffering: a host whose guests get what they want keeps
 * them, however uneven the hosts are. Pure: proposes, carries nothing out.
 *
 * A host is overloaded when its guests want more CPU than it has, or have more memory than it can back. A
 * plan takes it below its limit, and leaves every host that receives below its own limit even when each of
 * its guests wants as much as it ever did, and every vCPU fits on a pCPU: no guest of the target may wait who
 * did not. */
#ifndef VMTOP_FLEET_PLAN_H
#define VMTOP_FLEET_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FLEET_GROUP_NONE = 0, FLEET_DOMAIN_NONE = -1 };

struct fleet_unit {     /* a host */
	double cpu;     /* pCPUs that guests may use */
	double own;     /* of them used by the host itself */
	double mem_mib; /* that guests may have: all, less what the host needs and its reserve */
	int domain;     /* rack, power feed, ...; FLEET_DOMAIN_NONE: not known, alone */
	uint64_t has;   /* bits of what VMs may need of it: CPU model, network, storage */
	uint32_t pcpus; /* their highest number and 1; 0: not known */
	bool closed;    /* takes none: maintenance, not reachable, of another kind of hypervisor */
};

struct fleet_task {          /* a VM */
	uint32_t unit;       /* where it is */
	uint32_t apart;      /* VMs of one number, not 0, never share a host */
	uint32_t together;   /* VMs of one number, not 0, go together or stay */
	bool apart_domain;   /* nor a failure domain */
	bool fixed;          /* may not move: a passed-through device, a local disk, a job, a rule */
	double cpu;          /* pCPUs that it wants now */
	double cpu_peak;     /* the most that it wanted of late; at least cpu */
	uint32_t vcpus;      /* that share cpu_peak; none runs on two pCPUs at once; 0: as fine as sand */
	bool takes_pins;     /* and on the host that it moves to as well */
	uint64_t pins;       /* where it is now they run on these pCPUs only; 0: on all, or not known */
	double mem_mib;      /* memory that it has now */
	double mem_peak_mib; /* that it may need; at least mem_mib */
	double cost_mib;     /* what a migration has to send: memory that is used, and written meanwhile */
	bool endless;        /* writes faster than is sent: goes only where nothing else helps */
	uint64_t needs;      /* bits that its host must have */
	uint32_t pcpus;      /* the highest pCPU that its pins name, and 1; 0: it has none */
};

struct fleet_move {
	uint32_t task, from, to;
};

struct fleet_limits {
	double cpu_part;  /* of a host's CPU that wants fill at most: above it guests wait */
	double keep_part; /* of a receiving host's CPU that stays free beyond all peaks */
};
extern const struct fleet_limits fleet_limits_default;

struct fleet_plan {
	struct fleet_move *moves; /* in an order in which each may be carried out after those before it */
	size_t n, cap;
	size_t overloaded, cured; /* hosts: before, and of these below their limit after the plan */
	double cost_mib;
};

/* Works the plan out. -1: out of memory, or an index is out of range. The plan is the caller's, zeroed before
 * the first use; its array is used again. */
int fleet_plan_make(const struct fleet_unit *units, size_t n_units, const struct fleet_task *tasks,
	size_t n_tasks, const struct fleet_limits *limits, struct fleet_plan *to);
void fleet_plan_done(struct fleet_plan *plan);

struct fleet_part {
	double cpu;    /* that a vCPU wants */
	uint64_t pins; /* 0: anywhere */
};
/* Whether vCPUs find room on so many pCPUs, each of which has `own` to do and is filled up to `most`. Sorts
 * them. */
bool fleet_fits(struct fleet_part *parts, size_t n, size_t pcpus, double own, double most);

/* NULL: each rule holds after every move of the plan; else what is broken. For tests and before acting. */
const char *fleet_plan_check(const struct fleet_unit *units, size_t n_units, const struct fleet_task *tasks,
	size_t n_tasks, const struct fleet_limits *limits, const struct fleet_plan *plan);

#endif
