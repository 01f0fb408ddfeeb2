/* SPDX-License-Identifier: MIT */
/* A made-up /proc in a folder of its own, for tests and benches. */
#ifndef VMTOP_TESTS_PROCTREE_H
#define VMTOP_TESTS_PROCTREE_H

#include <stddef.h>
#include <stdint.h>

/* Makes the folder; its path goes into root. -1: it cannot be made. */
int proctree_begin(char *root, size_t len);
void proctree_end(const char *root);
/* Writes ROOT/PATH, folders included; n bytes, or (n < 0) text up to its NUL. */
void proctree_write(const char *root, const char *path, const char *text, long n);

struct proctree_vcpu {
	int64_t time_ns, delay_ns;
	int pcpu;
	const char *allowed; /* list */
};
struct proctree_vm {
	int pid;
	const char *uuid;
	const char *comm; /* NULL: "qemu-system-x86" */
	char state;
	int vcpus; /* threads pid+1 .. pid+vcpus, "CPU n/KVM" */
	int64_t start, user, system, rss_pages;
	const struct proctree_vcpu *each; /* NULL: as proctree_vm() is told */
};
/* A QEMU process with its threads. vCPU n: time_ns + n, delay_ns + n, pCPU n % 4, allowed "0-3", unless its
 * own are told. */
void proctree_vm(const char *root, const struct proctree_vm *vm, int64_t time_ns, int64_t delay_ns);

/* libvirt's pid file of a VM. */
void proctree_pid(const char *root, const char *name, int pid);

/* UUID of the i-th VM of proctree_host(). */
void proctree_uuid(int i, char text[40]);
/* A whole host of 4 pCPUs: ROOT/node.xml for libvirt's test driver (its URI goes into uri), and a /proc with
 * one process for each of its VMs: pid 1000 + i * (vcpus + extra + 1), run time (i + 1) ms. Each may have
 * `extra` more vCPUs plugged in. */
void proctree_host(const char *root, int vms, int vcpus, int extra, char *uri, size_t len);

#endif
