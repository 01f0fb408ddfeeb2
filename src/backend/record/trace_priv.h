/* SPDX-License-Identifier: MIT */
/* Inside the trace: shared by trace.c (reading) and trace_host.c (the simulated host). */
#ifndef VMTOP_TRACE_PRIV_H
#define VMTOP_TRACE_PRIV_H

#include "vmtop/scenario.h"
#include "vmtop/trace.h"

struct trace_vcpu {
	size_t vm;
	int id;
	float *want; /* by interval, 0..1 */
	struct cpuset pin, allowed;
	int pcpu;
};
struct trace_vm {
	struct vm_sample first; /* as it was seen first, with statistics as soon as there were any */
	double base_kib;        /* least use; < 0: unknown */
	float *present, *used_kib;
	int top_vcpu;
	struct scn_vcpu_trace *vcpus; /* by number, top_vcpu + 1 */
	struct scn_vm_trace is;
};
struct trace_pcpu {
	struct pcpu_sample first;
	float *background;
};

struct trace {
	struct trace_facts facts;
	int64_t *at_ns; /* start of each interval, since the first tick */
	float *host_kib;
	size_t n; /* intervals */
	struct trace_vm *vms;
	struct trace_vcpu *vcpus;
	struct trace_pcpu *pcpus;
	size_t n_vms, n_vcpus, n_pcpus, cap_vms, cap_vcpus, cap_pcpus;
	struct host_sample host; /* arrays NULL */
	size_t bytes;            /* of series */
};

/* trace_host.c: whether the simulator can make a host of it, with an end that can be waited for. */
int trace_runs(const struct trace *trace, const char *path, struct err *err);

#endif
