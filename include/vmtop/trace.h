/* SPDX-License-Identifier: MIT */
/* A recording as a workload: what each vCPU and guest wanted over time, on which host, and how it all began.
 * A simulated host driven by it shows what another policy would have made of the same demand. */
#ifndef VMTOP_TRACE_H
#define VMTOP_TRACE_H

#include "vmtop/backend.h"
#include "vmtop/config.h"

struct trace;

struct trace_facts {
	char host[128], uri[256];
	double seconds;
	size_t ticks, vms, vcpus, pcpus;
	/* What the recording itself shows. */
	double mean_pct, final_pct; /* deviation of demand per usable pCPU */
	double balanced_s;          /* from then on for 10 s within limit_pct; < 0 never */
	long pins, balloons;
	bool has_memory; /* some guest reports its memory */
};

/* Reads cfg->replay; the other settings say how demand is estimated. NULL with err set on failure. */
struct trace *trace_read(const struct config *cfg, double limit_pct, struct err *err);
void trace_free(struct trace *trace);
const struct trace_facts *trace_facts(const struct trace *trace);
/* A simulated host in virtual time that ends after so many seconds, or with the trace; trace must live
 * longer. */
struct backend *trace_backend(const struct trace *trace, uint64_t seed, double seconds, struct err *err);

/* The time from which a deviation stays within a limit for at least 10 s; feed it with every tick. */
struct settle {
	double since_s, found_s; /* < 0: not yet */
};
void settle_feed(struct settle *settle, double at_s, bool within);

#endif
