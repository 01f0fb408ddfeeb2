/* SPDX-License-Identifier: MIT */
/* How fast guests write their memory, measured by QEMU for a second. */
#ifndef VMTOP_DIRTYRATE_H
#define VMTOP_DIRTYRATE_H

#include "vmtop/fleet.h"

struct dirty_ask {
	char uri[FLEET_URI]; /* of its host */
	uint8_t uuid[UUID_BYTES];
	struct vf64 mib_s; /* the answer; absent: libvirt (7.2) or QEMU (5.2) is too old, or did not tell in
			      time */
};

/* Asks all hosts at once, over connections of its own that may change a guest, for libvirt lets nobody else
 * ask; they change nothing. Blocks for the second that it takes, and no longer than this. */
void dirty_rates(struct dirty_ask *asks, size_t n, double timeout_s);

/* Of the guests that a plan for this fleet might move: into their rows. A few of each host. */
void fleet_measure(struct fleet *fleet);

#endif
