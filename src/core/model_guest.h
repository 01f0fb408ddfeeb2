/* SPDX-License-Identifier: MIT */
/* What the model remembers of a guest's memory between samples. Private to src/core/model*.c. */
#ifndef VMTOP_CORE_MODEL_GUEST_H
#define VMTOP_CORE_MODEL_GUEST_H

#include "vmtop/model.h"

/* A zeroed one is that of a guest never seen. Sizes are as of the last sample. */
struct guest_past {
	struct vi64 balloon_kib, last_update_ns, used_kib;
	struct vi64 gap_kib; /* balloon less the guest's own total, learned while the balloon stood still */
	bool total_fixed;    /* that total does not follow the balloon (deflate-on-oom) */
	struct vi64 swap_kib[2];   /* counters in and out as of last_update_ns */
	struct vf64 swap_kib_s[2]; /* between that one and the one before */
	int64_t wall_ns, moved_ns;
	int64_t heard_ns;   /* sample time of the first sight of last_update_ns */
	double heard_age_s; /* how old it was then */
};

/* Fills age, used, movement and swapping in rate and takes the sample in. */
void guest_rates(struct guest_past *past, struct vm_rate *rate, const struct vm_memory *mem, int64_t time_ns,
	int64_t wall_ns);

#endif
