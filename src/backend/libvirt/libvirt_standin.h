/* SPDX-License-Identifier: MIT */
/* Samples of this machine while libvirt does not answer: the VMs that it told of last, read from /proc. */
#ifndef VMTOP_BACKEND_LIBVIRT_STANDIN_H
#define VMTOP_BACKEND_LIBVIRT_STANDIN_H

#include "../host/localvm.h"
#include "../host/topology.h"
#include "libvirt_reader.h"

struct standin_vm {
	uint8_t uuid[UUID_BYTES];
	struct local_vm vm; /* its vcpus are a part of the pool */
};

struct standin {
	bool ready;         /* there is something to go on from */
	struct sample last; /* what libvirt told */
	struct standin_vm *vms;
	size_t n, cap;
	struct local_vcpu *pool;
	size_t cap_pool;
	struct local_root proc;
};

void standin_init(struct standin *standin);
void standin_done(struct standin *standin);
/* After each sample that was had from libvirt. */
void standin_learn(struct standin *standin, const struct lv_reader *reader, const struct sample *from);
/* All VMs known, as they are now. One that is stopped or dies is set aside as hung since then; what /proc
 * does not tell is as it was. -1: it cannot be had. */
int standin_sample(const struct standin *standin, const struct topology *topo, int64_t since_ns,
	struct sample *to, struct err *err);

#endif
