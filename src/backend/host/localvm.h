/* SPDX-License-Identifier: MIT */
/* The process of a VM that runs on this machine, and the threads of its vCPUs: found once, read from /proc.
 * Costs a few microseconds a vCPU, asks nobody and is never blocked by a hung guest. */
#ifndef VMTOP_BACKEND_LOCALVM_H
#define VMTOP_BACKEND_LOCALVM_H

#include <sys/types.h>

#include "cgroup.h"
#include "vmtop/sample.h"

/* Which /proc: `root` is put in front of every path, empty or a made-up tree in tests. */
struct local_root {
	const char *root;
	bool own_pids;  /* the ids in it are those of system calls: no other PID namespace's /proc */
	char pids[256]; /* where libvirt keeps its pid files, below root */
};
/* Pid files of the system's libvirt, unless told otherwise. */
void local_root_init(struct local_root *lr, const char *root);
/* Those of a user's session, whose libvirt keeps its files in `runtime` (XDG_RUNTIME_DIR). */
void local_root_session(struct local_root *root, const char *runtime);

struct local_vcpu {
	int id;
	pid_t tid;
	int64_t start; /* of the thread, in clock ticks since boot: tells a reused id */
};
/* A thread of QEMU that is no vCPU (main loop, iothread, worker, vhost), or one of the kernel that works for
 * it.
 */
struct local_helper {
	pid_t pid, tid; /* its process: QEMU, or itself */
	int64_t start;
	char name[16];
	bool read;                 /* what follows is known */
	int64_t time_ns, delay_ns; /* as read last */
};
enum { HELPERS_MOST = 64, LIST_AGAIN = -1 };
struct local_vm {
	pid_t pid; /* 0: not found */
	int64_t start;
	struct local_vcpu *vcpus; /* sorted by id */
	size_t n_vcpus, cap_vcpus;
	/* Of the process when vcpus were listed: another number may mean hot-plug. LIST_AGAIN: one has gone.
	 */
	int64_t threads;
	struct cgroup_dirs groups;
	struct cpuset cgroup; /* what the groups leave it, as read last */
	bool has_cgroup;
	struct vf64 quota_pct; /* of the group `quota_group`, for all in it together */
	uint64_t quota_group;
	struct cgroup_memory memory;
	unsigned looks; /* at its limits */

	struct local_helper *helpers;
	size_t n_helpers;
	int64_t helper_ns, helper_delay_ns;     /* of all of them, the gone included, since it was found */
	int64_t others_ns, waited_ns, watch_ns; /* by which it is told whether they are worth a look */
	bool watch;
	bool throttles;        /* it has a quota of its own */
	struct vm_facts facts; /* those that are not read each time */
	char kvm[160];         /* its folder of KVM's counters; empty: none, or not readable */
};
void local_vm_done(struct local_vm *vm);

struct local_wanted {
	uint8_t uuid[UUID_BYTES];
	const char *name;    /* libvirt's, hostile */
	struct local_vm *vm; /* filled where it is found */
};
/* Finds the processes that libvirt started for these VMs, and their threads. A command line can be made up by
 * anybody, so the process is the one that libvirt's pid file names, and it must be the very one: it holds the
 * lock on that file, belongs to the file's owner unless that is root, and carries the UUID ("-uuid UUID").
 * Returns how many were found. */
size_t local_find(const struct local_root *root, struct local_wanted *want, size_t n);
/* Reads again what the control groups leave it: they change without a word. */
void local_limits(struct local_vm *vm);
/* Lists the threads again (hot-plug). -1: the process is gone or another one, or it has no vCPU threads. */
int local_threads(const struct local_root *root, struct local_vm *vm);

/* What tells why it is slow, as far as this machine tells it. helpers: look at those too, which costs a
 * reading each. */
void local_facts(const struct local_root *root, struct local_vm *vm, bool helpers, struct vm_facts *to);

/* QEMU sends its memory away: a migration, save, dump or snapshot. */
bool local_sends(const struct local_root *root, const struct local_vm *vm);

struct local_process {
	char state;     /* 'R', 'S', ...; 'T' and 't' mean stopped */
	int64_t cpu_ns; /* all threads; steps of a clock tick */
	int64_t rss_kib;
	int64_t threads;
};
/* -1: gone, or another process by now. */
int local_process(const struct local_root *root, const struct local_vm *vm, struct local_process *to);

struct local_thread {
	int64_t time_ns, delay_ns; /* ran; was runnable and did not run */
	int pcpu;                  /* where it ran last */
	struct cpuset affinity;
};
/* -1: gone, another thread by now, or something of it cannot be read here. */
int local_thread(const struct local_root *root, const struct local_vm *vm, const struct local_vcpu *vcpu,
	struct local_thread *to);

#endif
