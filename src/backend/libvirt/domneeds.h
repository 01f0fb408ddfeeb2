/* SPDX-License-Identifier: MIT */
/* What a guest's definition asks of a host that it goes to. */
#ifndef VMTOP_BACKEND_DOMNEEDS_H
#define VMTOP_BACKEND_DOMNEEDS_H

#include "vmtop/err.h"
#include "vmtop/moves.h"

struct dom_cpu {
	char xml[16384]; /* <cpu>, for libvirt to compare; empty: there is nothing to compare */
	bool host;       /* the whole CPU of its host: that one's is to be compared */
	char virt[16];   /* of the domain: "kvm", "qemu" */
	char arch[32];
};

/* Of a live definition. Disks are judged by what stands there, and, where mounts names a table of mounts
 * (storage.h), by this machine's. -1: it cannot be read. */
int domneeds_read(
	struct move_needs *n, struct dom_cpu *cpu, const char *xml, const char *mounts, struct err *err);
/* Of it what a row of a VM tells, as its flags (enum vm_flag): disks that tie it, pins that go with it. */
uint32_t domneeds_flags(const char *xml, const char *mounts);
/* The CPU of a host, from libvirt's capabilities. */
void domneeds_host_cpu(struct dom_cpu *cpu, const char *capabilities);

#endif
