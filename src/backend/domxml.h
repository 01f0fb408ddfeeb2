/* SPDX-License-Identifier: MIT */
/* What a domain's XML says that matters to steering: rules of the administrator, and facts that forbid it. */
#ifndef VMTOP_BACKEND_DOMXML_H
#define VMTOP_BACKEND_DOMXML_H

#include "vmtop/sample.h"

/* <vmtop:steer xmlns:vmtop="urn:vmtop:1">no</vmtop:steer> in a domain's <metadata> forbids steering it. */
#define DOMXML_METADATA_URI "urn:vmtop:1"

struct dom_rule {
	int vcpu;
	struct cpuset cpus;
};

struct dom_facts {
	uint32_t flags; /* enum vm_flag, without JOB and PERSISTENT */
	bool has_cpuset;
	struct cpuset cpuset;   /* <vcpu cpuset> */
	struct dom_rule *rules; /* <vcpupin> of the inactive XML, sorted by vCPU */
	size_t n_rules;
	bool balloon_device;
	int64_t period_s;
	struct vi64 max_kib, current_kib; /* <memory>, <currentMemory>: the hypervisor's own books */
	struct vi64 min_guarantee_kib;
	struct vf64 quota_pct;
	uint64_t mem_nodes;
	bool mem_nodes_strict;
};

void dom_facts_init(struct dom_facts *f);
void dom_facts_done(struct dom_facts *f);
/* Reads the live XML and, for a persistent domain, the inactive one (else NULL). On failure f is untouched.
 */
int domxml_parse(struct dom_facts *f, const char *live, const char *inactive, struct err *e);
/* Where the rules let this vCPU run; full when there is none. */
void dom_allowed(const struct dom_facts *f, int vcpu, struct cpuset *allowed);

#endif
