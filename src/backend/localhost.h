/* SPDX-License-Identifier: MIT */
/* Facts of this machine from /proc and /sys, for hypervisors that run here. Cheap, and never blocked by a
 * hung guest. `root` is put in front of every path: empty, or a made-up tree in tests. */
#ifndef VMTOP_BACKEND_LOCALHOST_H
#define VMTOP_BACKEND_LOCALHOST_H

#include <sys/types.h>

#include "vmtop/sample.h"

/* pCPUs (present, online, isolated, busy and idle time), memory, memory pressure, nodes. Returns -1 when
 * there is no usable /proc/stat; other missing files are absent values. */
int localhost_host(const char *root, struct sample *s);

/* The process of one VM and its vCPU threads. */
struct local_vcpu {
	int id;
	pid_t tid;
};
struct local_vm {
	pid_t pid;      /* 0: not found */
	uint64_t start; /* of the process, in clock ticks since boot: tells a reused pid */
	struct local_vcpu *vcpus;
	size_t n_vcpus;
	struct cpuset cgroup; /* effective cpuset of the parent cgroup */
	bool has_cgroup;
};
void local_vm_done(struct local_vm *vm);

/* Looks once through all processes for the command lines that carry one of these UUIDs ("-uuid UUID") and
 * fills vms[i] for uuids[i] where it is found. Returns how many were. */
size_t localhost_find(const char *root, uint8_t (*uuids)[UUID_BYTES], struct local_vm **vms, size_t n);
/* Reads the threads again (hot-plug). -1: the process is gone or another one. */
int localhost_threads(const char *root, struct local_vm *vm);
/* 'R', 'S', 'T' ...; 0: gone or another process by now. 'T' and 't' mean stopped. */
char localhost_state(const char *root, const struct local_vm *vm);
/* pCPU on which a thread ran last; -1 unknown. */
int localhost_pcpu(const char *root, const struct local_vm *vm, pid_t tid);
/* True affinity of a thread; -1 unknown. */
int localhost_affinity(pid_t tid, struct cpuset *s);
/* Thread of vCPU id, 0 unknown. */
pid_t local_vm_tid(const struct local_vm *vm, int id);

#endif
