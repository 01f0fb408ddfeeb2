/* SPDX-License-Identifier: MIT */
/* What the scheduler's side of the libvirt backend keeps of each VM across links: since when it hangs, which
 * change has no answer, which pins were ours and which were not. */
#ifndef VMTOP_BACKEND_LIBVIRT_NOTES_H
#define VMTOP_BACKEND_LIBVIRT_NOTES_H

#include "vmtop/sample.h"

/* A TUNABLE event this long after our own request for the same map, or before its answer, is its echo. */
#define ECHO_NS (INT64_C(5) * 1000000000)

/* A target that was refused is left out for so long, unless the host's own limits tell sooner why. */
#define REFUSED_NS (INT64_C(600) * 1000000000)

struct pin_note {
	int vcpu;
	struct cpuset asked;
	int64_t asked_ns;   /* 0: never */
	int64_t foreign_ns; /* 0: never */
	struct cpuset refused;
	int64_t refused_ns; /* 0: never */
	/* As the last sample showed it; seen_ns 0: not known. */
	struct cpuset seen, allowed;
	int64_t seen_ns;
	int still; /* samples in which neither its limits nor, but for the last, its affinity changed */
};
struct vm_note {
	uint8_t uuid[UUID_BYTES];
	int id;                   /* libvirt's: of the life that was seen */
	int64_t hung_ns;          /* since; 0: answers */
	const void *unknown_call; /* the parked link whose change has no answer yet; NULL: none */
	struct pin_note *pins;
	size_t n_pins, cap_pins;
};
struct notes {
	struct vm_note *vms; /* sorted by UUID */
	size_t n, cap;
	struct cpuset online; /* of the last sample */
};

void notes_done(struct notes *notes);
/* NULL: nothing is noted. */
struct vm_note *note_find(const struct notes *notes, const uint8_t uuid[UUID_BYTES]);
/* Finds or makes; NULL: out of memory. */
struct vm_note *note_get(struct notes *notes, const uint8_t uuid[UUID_BYTES]);
/* Before our own pin call. */
void note_asked(struct notes *notes, const uint8_t uuid[UUID_BYTES], int vcpu, const struct cpuset *map,
	int64_t now_ns);
/* The hypervisor refused this map for the vCPU, and its affinity may have been touched on the way. */
void note_refused(struct notes *notes, const uint8_t uuid[UUID_BYTES], int vcpu, const struct cpuset *map,
	int64_t now_ns);
/* A pin event. True: somebody else's. */
bool note_pin_event(struct notes *notes, const uint8_t uuid[UUID_BYTES], int vcpu, const struct cpuset *map,
	int64_t time_ns);
/* Writes hung and foreign into a finished sample, takes refused targets out of its allowed sets, and takes
 * from it who answers again and whose affinity is another one, though neither we nor the host's limits
 * changed it. VMs that are not in the sample are forgotten. */
void notes_apply(struct notes *notes, struct sample *sample);

#endif
