/* SPDX-License-Identifier: MIT */
/* A snapshot over a fixture, for tests of what prints one. Its arrays belong to the fixture and to it. */
#ifndef TESTS_SNAP_H
#define TESTS_SNAP_H

#include "fixture.h"
#include "vmtop/snapshot.h"

struct snap {
	struct snapshot s;
	struct vm_status *vm_status;
	struct vcpu_status *vcpu_status;
	struct action actions[4];
	struct log_line log[4];
};

/* Two VMs: "web-1" (2 vCPUs, with memory statistics) and one with a hostile name (1 vCPU, none), on 2 pCPUs;
 * two samples, 2 s apart; one pin done, one balloon failed. */
void snap_init(struct snap *p, struct fixture *f);
void snap_done(struct snap *p, struct fixture *f);

extern const char snap_hostile[]; /* quotes, comma, line break, escape, invalid byte */

#endif
