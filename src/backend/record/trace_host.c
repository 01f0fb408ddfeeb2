/* SPDX-License-Identifier: MIT */
/* A trace as a scenario of the simulator: the recorded host with its topology, its VMs as they began, loads
 * and memory by interval. What other people did meanwhile (pins, balloons) is not repeated. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace_priv.h"
#include "vmtop/err.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

enum { DAY_S = 86400, MOST_S = 31 * DAY_S };

int trace_runs(const struct trace *trace, const char *path, struct err *err)
{
	if (trace->facts.seconds > MOST_S)
		return err_set(err, ERR_RUNTIME,
			"%.200s is too long: %.1f days, and at most %d can be run again", path,
			trace->facts.seconds / DAY_S, MOST_S / DAY_S);
	for (size_t i = 0; i < trace->n_pcpus; i++)
		if (trace->pcpus[i].first.online && !trace->pcpus[i].first.isolated)
			return 0;
	return err_set(err, ERR_RUNTIME, "%.200s holds no pCPU that VMs may use", path);
}

static int add_set(struct scenario *scn, const struct cpuset *set)
{
	for (size_t i = scn->n_sets; i > 0 && i + 64 > scn->n_sets; i--)
		if (cpuset_equal(&scn->sets[i - 1], set))
			return (int)(i - 1);
	scn->sets[scn->n_sets] = *set;
	return (int)scn->n_sets++;
}

static int add_curve(struct scenario *scn, const float *level)
{
	scn->curves[scn->n_curves] = (struct curve){.kind = CURVE_TRACE, .trace = level};
	return (int)scn->n_curves++;
}

static void add_host(const struct trace *trace, struct scenario *scn)
{
	snprintf(scn->hostname, sizeof scn->hostname, "%.60s", trace->host.hostname);
	scn->total_kib = vi64_has(trace->host.total_kib) ? trace->host.total_kib.v : INT64_C(1) << 40;
	scn->used_kib = (int64_t)trace->host_kib[0];
	scn->n_nodes = max_of(trace->host.n_nodes, 1);
	for (size_t i = 0; i < scn->n_nodes; i++) {
		const struct node_sample *n = &trace->host.nodes[i];
		bool known = trace->host.n_nodes && vi64_has(n->total_kib);
		scn->node_total_kib[i] = known ? n->total_kib.v : scn->total_kib / (int64_t)scn->n_nodes;
	}
	for (size_t i = 0; i < trace->n_pcpus && i < CPUSET_CPUS; i++) {
		const struct pcpu_sample *pcpu = &trace->pcpus[i].first;
		struct cpuset one;
		scn->pcpus[scn->n_pcpus++] = (struct scn_pcpu){pcpu->id, pcpu->node, pcpu->socket, pcpu->core,
			pcpu->llc, !pcpu->online, pcpu->isolated, pcpu->nohz_full, pcpu->capacity};
		scn->has_llc |= pcpu->llc >= 0;
		cpuset_clear(&one);
		cpuset_add(&one, pcpu->id);
		scn->background[scn->n_background++] = (struct scn_background){
			add_set(scn, &one), add_curve(scn, trace->pcpus[i].background)};
	}
}

static enum balloon_mode balloon_of(const struct vm_memory *mem)
{
	if (!mem->balloon_device)
		return BALLOON_NO_DEVICE;
	return mem->usable_kib.avail == AVAIL_NO_DRIVER ? BALLOON_NO_DRIVER : BALLOON_FOLLOW;
}

static void add_vm(const struct trace *trace, struct scenario *scn, size_t i)
{
	const struct trace_vm *from = &trace->vms[i];
	const struct vm_memory *mem = &from->first.mem;
	struct scn_vm *vm = &scn->vms[scn->n_vms++];
	memset(vm, 0, sizeof *vm);
	memcpy(vm->name, from->first.name, sizeof vm->name);
	memcpy(vm->uuid, from->first.uuid, UUID_BYTES);
	vm->allowed = vm->place = vm->emulator = -1;
	vm->quota = vf64_has(from->first.quota_pct) ? fmin(1, fmax(.01, from->first.quota_pct.v / 100)) : 1;
	vm->max_kib = vi64_has(mem->max_kib) && mem->max_kib.v > 0 ? mem->max_kib.v : 1 << 20;
	vm->memory_kib =
		vi64_has(mem->balloon_kib) && mem->balloon_kib.v > 0 ? mem->balloon_kib.v : vm->max_kib;
	vm->base_kib = (int64_t)from->base_kib;
	vm->cache_kib = vi64_or(mem->caches_kib, 0);
	vm->swap_kib = vm->max_kib; /* how much it had is not known: nobody is killed */
	vm->guarantee_kib = vi64_or(mem->min_guarantee_kib, 0);
	vm->speed_kib_s = 256 * 1024;
	vm->balloon = balloon_of(mem);
	vm->period_s = vi64_has(mem->period_s) && mem->period_s.v > 0 && mem->period_s.v <= 3600
			       ? (int)mem->period_s.v
			       : 0;
	vm->nodes = from->first.mem_nodes;
	vm->nodes_strict = from->first.mem_nodes_strict;
	vm->flags = from->first.flags & ~(uint32_t)(VM_FLAG_JOB | VM_FLAG_BUSY);
	vm->trace = &from->is;
}

/* The layout by number is the trace's own: filled anew for each host, to the same values. */
static void add_vcpus(const struct trace *trace, struct scenario *scn)
{
	for (size_t i = 0; i < trace->n_vcpus; i++) {
		const struct trace_vcpu *from = &trace->vcpus[i];
		struct scn_vcpu_trace *to = &trace->vms[from->vm].vcpus[from->id];
		struct cpuset pin = from->pin;
		if (cpuset_empty(&pin))
			cpuset_fill(&pin, CPUSET_CPUS);
		cpuset_add(&scn->vms[from->vm].vcpu_ids, from->id);
		*to = (struct scn_vcpu_trace){.curve = add_curve(scn, from->want),
			.pin = add_set(scn, &pin),
			.allowed = cpuset_empty(&from->allowed) ? -1 : add_set(scn, &from->allowed),
			.pcpu = from->pcpu};
		scn->n_vcpus++;
	}
}

static struct scenario *make_scenario(const struct trace *trace)
{
	struct scenario *scn = calloc(1, sizeof *scn);
	size_t most = trace->n_vcpus * 2 + trace->n_pcpus + 1;
	if (!scn)
		return NULL;
	scn->vms = calloc(trace->n_vms + 1, sizeof *scn->vms);
	scn->curves = calloc(most, sizeof *scn->curves);
	scn->sets = calloc(most, sizeof *scn->sets);
	if (!scn->vms || !scn->curves || !scn->sets) {
		scenario_free(scn);
		return NULL;
	}
	snprintf(scn->name, sizeof scn->name, "recording");
	scn->balance_ns = 100000000; /* the kernel's, as in scenarios */
	scn->trace_ns = trace->at_ns;
	scn->trace_host_kib = trace->host_kib;
	scn->n_trace = trace->n;
	add_host(trace, scn);
	for (size_t i = 0; i < trace->n_vms; i++)
		add_vm(trace, scn, i);
	add_vcpus(trace, scn);
	return scn;
}

struct backend *trace_backend(const struct trace *trace, uint64_t seed, double seconds, struct err *err)
{
	struct scenario *scn = make_scenario(trace);
	if (!scn) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	scn->seed = seed;
	scn->end_ns = (int64_t)(fmin(seconds, trace->facts.seconds) * 1e9);
	return backend_sim_new(scn, true, err);
}
