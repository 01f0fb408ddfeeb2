/* SPDX-License-Identifier: MIT */
/* One text for Prometheus, from a snapshot and its tally. Private to src/cli. */
#ifndef VMTOP_CLI_EXPOSITION_H
#define VMTOP_CLI_EXPOSITION_H

#include <stdio.h>

#include "vmtop/metrics.h"

struct exposition {
	const struct snapshot *s;
	const struct tally *t; /* it has seen s */
	bool openmetrics;      /* else the older format of Prometheus */
	size_t vcpus_most;     /* vCPUs that have series of their own */
};

/* -1: out of memory. What the stream says is the caller's to check. */
int exposition_write(FILE *out, const struct exposition *expo);
void exposition_own(struct tally_own *own); /* what this process costs by now */

#endif
