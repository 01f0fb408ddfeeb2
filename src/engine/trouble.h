/* SPDX-License-Identifier: MIT */
/* A hypervisor that does not answer, or too late. Private to src/engine. */
#ifndef ENGINE_TROUBLE_H
#define ENGINE_TROUBLE_H

#include "../talk/talk.h"
#include "vmtop/backend.h"

struct trouble {
	int64_t since_ns; /* 0: all is well */
	int good;         /* samples in a row since */
	unsigned told;    /* bits of enum link_state: said already */
};

/* After the attempt at start_ns to take a sample; failed: why there is none, or NULL. */
void trouble_step(struct trouble *trouble, struct talk *talk, const struct backend_status *status,
	int64_t start_ns, const struct err *failed);

#endif
