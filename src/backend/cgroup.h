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
bool cgroup_cpus(const struct cgroup_dir *d, struct cpuset *cpus);
/* The tightest quota at or above the group, in percent of a pCPU, for all that is in that group together;
 * *group tells it from others. Absent: none. */
struct vf64 cgroup_quota(const struct cgroup_dir *d, uint64_t *group);

/* How much memory it leaves: the machine's own groups, and the tightest of those around it for all that is in
 * that group together. Absent: no limit. */
struct cgroup_memory {
	struct vi64 own_kib, around_kib;
	uint64_t group;
};
void cgroup_memory(const struct cgroup_dir *d, struct cgroup_memory *to);

#endif
