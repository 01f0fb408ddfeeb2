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
	uint32_t flags;             /* enum vm_flag, without JOB and PERSISTENT */
	char title[VM_TITLE_BYTES]; /* nova's name, else <title>; cut to what fits */
	bool has_cpuset;
	struct cpuset cpuset;   /* <vcpu cpuset>, or what numad chose in its place */
	struct dom_rule *rules; /* <vcpupin> of the inactive XML, sorted by vCPU */
	size_t n_rules;
	struct dom_rule *pins; /* <vcpupin> of the live XML, sorted by vCPU */
	size_t n_pins;
	bool asks_cpus;  /* numad chose the pCPUs: what came of it is not in the XML */
	bool asks_nodes; /* the same of <numatune><memory> */
	bool balloon_device;
	int64_t period_s;
	/* <memory>, <currentMemory>: the hypervisor's own books, less what a balloon has no part in:
	 * virtio-mem, NVDIMM and the like. Absent when that leaves nothing. */
	struct vi64 max_kib, current_kib;
	bool apart, virtio_mem; /* there is some of that; some of it virtio-mem */
	int64_t plugged_kib;    /* by virtio-mem now */
	struct vi64 min_guarantee_kib, hard_limit_kib;
	struct vf64 quota_pct;
	struct vf64 global_quota_pct; /* of the whole VM */
	uint64_t mem_nodes;           /* bit n: bound to node n */
	bool mem_nodes_strict;
	uint64_t cell_nodes; /* of the guest cells that have a <memnode> of their own */
	bool cells_bound;    /* and all have */
	bool cells_strict;
};

void dom_facts_init(struct dom_facts *facts);
void dom_facts_done(struct dom_facts *facts);
/* Reads the live XML and, for a persistent domain, the inactive one (else NULL). On failure facts is
 * untouched.
 */
int domxml_parse(struct dom_facts *facts, const char *live, const char *inactive, struct err *err);
/* What is in force in place of <vcpu cpuset>, and of <numatune><memory>: libvirt's answers where asks_* say
 * so. */
void dom_place(struct dom_facts *facts, const struct cpuset *cpus);
void dom_bind(struct dom_facts *facts, uint64_t nodes, bool strict);
/* Newer facts of the same run of the same domain, which are moved from. A live pin that only became narrower
 * was narrowed by a balancer: the wider one stays what the vCPU was given. */
void dom_facts_renew(struct dom_facts *facts, struct dom_facts *newer);
/* Where the rules let this vCPU run; full when there is none. As libvirt means them: <vcpupin> stands in
 * place of <vcpu cpuset>. One of the definition counts while the guest runs with a pin, else it is for the
 * next start; a live pin that leads out of all this is somebody's will too. */
void dom_allowed(const struct dom_facts *facts, int vcpu, struct cpuset *allowed);

#endif
