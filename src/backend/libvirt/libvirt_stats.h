/* SPDX-License-Identifier: MIT */
/* From libvirt's lists of typed parameters to fields of a sample. */
#ifndef VMTOP_BACKEND_LIBVIRT_STATS_H
#define VMTOP_BACKEND_LIBVIRT_STATS_H

#include <libvirt/libvirt.h>

#include "vmtop/sample.h"

/* What a record held, to tell "not reported by this driver" from "missing now". */
enum stats_seen {
	SEEN_VCPU = 1 << 0,
	SEEN_BALLOON = 1 << 1,
	SEEN_DELAY = 1 << 2,
	SEEN_CPU = 1 << 3,
	SEEN_RSS = 1 << 4
};

/* Fills the VM that was added last from one record of the bulk call; adds its vCPUs. Returns enum stats_seen.
 */
unsigned stats_fill(struct sample *sample, const virTypedParameter *params, int n);
/* The same memory fields from virDomainMemoryStats(). */
void stats_memory(struct vm_memory *mem, const virDomainMemoryStatStruct *stats, int n);
enum vm_state stats_state(int libvirt_state);

/* Gives each absent memory value its reason. */
struct stats_why {
	bool asked, hung, running, reported, has_period;
	bool busy; /* the hypervisor would have had to wait for another client */
	int64_t period_s;
};
void stats_memory_reasons(struct vm_memory *mem, const struct stats_why *why);

#endif
