/* SPDX-License-Identifier: MIT */
/* What a reader remembers of one VM between samples. */
#ifndef VMTOP_BACKEND_LIBVIRT_VMCACHE_H
#define VMTOP_BACKEND_LIBVIRT_VMCACHE_H

#include "../host/localvm.h"
#include "domxml.h"

struct vcpu_seen {
	int id;
	struct vi64 pcpu, time_ns;
	struct cpuset affinity;
	enum avail affinity_avail;
};

struct vm_cache {
	uint8_t uuid[UUID_BYTES];
	int id;         /* libvirt's: changes when the VM restarts */
	uint64_t round; /* when it was last in a sample */

	struct dom_facts facts;
	bool have_facts, dirty, persistent;
	int64_t facts_ns;

	struct local_vm local;
	int64_t local_tried_ns, scanned_ns;
	int local_tries;
	bool scan;   /* its threads must be listed again */
	bool agreed; /* libvirt names the same vCPUs as the threads do */

	struct vcpu_seen *vcpus; /* what virDomainGetVcpus said last */
	size_t n_vcpus;
	int vcpus_most;
	enum avail vcpus_avail;
	bool vcpus_dirty;
	int64_t vcpus_ns;

	struct vm_memory mem;    /* as read last from the hypervisor */
	bool have_mem, busy;     /* busy: another client held its job since */
	struct vi64 balloon_kib; /* the newest that is known: statistics, XML or an event */

	bool job;
	int64_t job_ns;
};

/* Sorted by UUID. */
struct vm_caches {
	struct vm_cache **vms;
	size_t n, cap;
};

struct vm_cache *vm_cache_find(const struct vm_caches *caches, const uint8_t uuid[UUID_BYTES]);
/* Finds or makes; a VM that restarted (other id) begins anew. NULL: out of memory. */
struct vm_cache *vm_cache_get(struct vm_caches *caches, const uint8_t uuid[UUID_BYTES], int id);
/* Drops those not seen in this round. */
void vm_cache_prune(struct vm_caches *caches, uint64_t round);
void vm_cache_done(struct vm_caches *caches);

#endif
