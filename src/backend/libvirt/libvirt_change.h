/* SPDX-License-Identifier: MIT */
/* One change to one VM through a libvirt connection: looks again, acts, reads back. In the worker. */
#ifndef VMTOP_BACKEND_LIBVIRT_CHANGE_H
#define VMTOP_BACKEND_LIBVIRT_CHANGE_H

#include <libvirt/libvirt.h>

#include "claim.h"
#include "vmtop/plan.h"

/* Writes a->outcome and a->error, and the size of a balloon that could be had only in part. n_cpus: all CPUs
 * of the host, offline ones included. claim: nothing is done unless it is fresh; NULL: nobody has to hold it.
 * True: the host does not take this target, now or later. */
bool change_apply(virConnectPtr conn, struct action *action, int n_cpus, const struct claim *claim);
/* Takes away the mark that says that the pin of this vCPU is ours. 0: there is none (now); -1: it could not
 * be read or written, or a job holds the VM. */
int change_disown(virConnectPtr conn, const uint8_t uuid[UUID_BYTES], int vcpu);

#endif
