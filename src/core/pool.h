/* SPDX-License-Identifier: MIT */
/* Which pCPUs there are for guests, and for which. Private to src/core. */
#ifndef VMTOP_CORE_POOL_H
#define VMTOP_CORE_POOL_H

#include "vmtop/control.h"

struct pool {
	struct cpuset online;
	struct cpuset isolated; /* online: where the kernel does not balance */
	struct cpuset shared;   /* any guest may be put there, and the kernel balances */
	struct cpuset apart;    /* isolated ones for guests that name them */
};

void pool_find(struct pool *pool, const struct round *round);
/* Isolated pCPUs that the VM may be put on, because a rule or a pin of it names them. */
void pool_named(
	const struct pool *pool, const struct round *round, const struct vm_sample *vm, struct cpuset *named);
/* Where the vCPU may be put: by its rule, among the shared pCPUs and those that its VM names. */
void pool_of_vcpu(const struct pool *pool, const struct cpuset *named, const struct vcpu_sample *vcpu,
	struct cpuset *to);
/* Does it run only where the kernel moves it nowhere? */
bool pool_is_apart(const struct pool *pool, const struct vcpu_sample *vcpu);

#endif
