/* SPDX-License-Identifier: MIT */
/* What the control groups above a machine of this host leave it: where it may run, and how much. Version 1,
 * version 2 and both at once; a limit at any level counts. */
#ifndef VMTOP_BACKEND_CGROUP_H
#define VMTOP_BACKEND_CGROUP_H

#include <sys/types.h>

#include "vmtop/sample.h"

enum { CGROUP_PATH = 768 };

/* The group of a machine in one hierarchy: above its vCPUs, below everybody else. */
struct cgroup_dir {
	char path[CGROUP_PATH]; /* empty: there is none */
	size_t top;             /* length of the part that is the mount */
	bool v2;
};
struct cgroup_dirs {
	struct cgroup_dir cpuset, cpu, memory;
};

/* Where the process is; `root` is put in front of every path. */
void cgroup_find(const char *root, pid_t pid, struct cgroup_dirs *to);
/* The pCPUs that are left. False: it cannot be told, and nothing is known to be forbidden. */
bool cgroup_cpus(const struct cgroup_dir *dir, struct cpuset *cpus);
/* The tightest quota at or above the group, in percent of a pCPU, for all that is in that group together;
 * *group tells it from others. Absent: none. */
struct vf64 cgroup_quota(const struct cgroup_dir *dir, uint64_t *group);

/* How much memory it leaves: the machine's own groups, and the tightest of those around it for all that is in
 * that group together. Absent: no limit. */
struct cgroup_memory {
	struct vi64 own_kib, around_kib;
	uint64_t group;
};
void cgroup_memory(const struct cgroup_dir *dir, struct cgroup_memory *to);

/* How long the machine's vCPUs were held by a quota of their own or of the groups below and at its own:
 * a total. Absent: no such group has one. */
struct vi64 cgroup_throttled_ns(const struct cgroup_dir *dir);
/* cpu.weight of the outermost of the machine's own groups, which is what counts against other machines: 100
 * is the rule (version 1: of 1024 shares). And as it stands there, which is libvirt's cpu_shares. */
void cgroup_weight(const struct cgroup_dir *dir, struct vi64 *weight, struct vi64 *shares);
/* How much of the last ten seconds something in the group stood still for want of "cpu", "memory" or "io",
 * in percent. Absent: the kernel does not tell. */
struct vf64 cgroup_pressure(const struct cgroup_dir *dir, const char *of);
/* Threads of the kernel that work for the machine are in its groups too: their ids, at most `most`. */
size_t cgroup_processes(const struct cgroup_dir *dir, pid_t *pids, size_t most);

#endif
