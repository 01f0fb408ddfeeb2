/* SPDX-License-Identifier: MIT */
/* The bounds of what a sample may say. Guests write their own statistics and a recording may hold anything,
 * so a number that cannot be true is taken for absent here, once, instead of at each use. Invariant: numbers
 * in a bounded sample can be added and subtracted, thousands of them, without overflow. */
#include <math.h>

#include "vmtop/minmax.h"
#include "vmtop/sample.h"

enum { UNIT_MOST = 65535 }; /* sockets, cores, caches, vCPU ids */

static void bound(struct vi64 *v, int64_t most)
{
	if (vi64_has(*v) && (v->v < 0 || v->v > most))
		*v = vi64_absent(AVAIL_ABSURD);
}

static void bound_real(struct vf64 *v, double most)
{
	if (vf64_has(*v) && !(v->v >= 0 && v->v <= most))
		*v = vf64_absent(AVAIL_ABSURD);
}

static void bound_all(struct vi64 *const *fields, size_t n, int64_t most)
{
	for (size_t i = 0; i < n; i++)
		bound(fields[i], most);
}
#define BOUND_ALL(fields, most) bound_all(fields, sizeof(fields) / sizeof *(fields), most)

static int64_t bound_time(int64_t ns)
{
	return clamp(ns, 0, SAMPLE_NS_MOST);
}

static int unit_or_unknown(int unit, int most)
{
	return unit >= 0 && unit <= most ? unit : -1;
}

static void bound_host(struct host_sample *host)
{
	struct vi64 *const kib[] = {&host->total_kib, &host->available_kib, &host->free_kib, &host->arc_kib,
		&host->swap_free_kib, &host->swap_used_kib};
	size_t n = 0;
	BOUND_ALL(kib, SAMPLE_KIB_MOST);
	bound_real(&host->psi_some_avg10, 100);
	bound_real(&host->psi_full_avg10, 100);
	for (size_t i = 0; i < host->n_nodes; i++) {
		struct node_sample *node = &host->nodes[i];
		bound(&node->total_kib, SAMPLE_KIB_MOST);
		bound(&node->free_kib, SAMPLE_KIB_MOST);
		if (node->id >= 0 && node->id < MAX_NODES)
			host->nodes[n++] = *node;
	}
	host->n_nodes = n;
	for (size_t i = 0; i < host->n_pcpus; i++) {
		struct pcpu_sample *pcpu = &host->pcpus[i];
		pcpu->node = unit_or_unknown(pcpu->node, MAX_NODES - 1);
		pcpu->socket = unit_or_unknown(pcpu->socket, UNIT_MOST);
		pcpu->core = unit_or_unknown(pcpu->core, UNIT_MOST);
		pcpu->llc = unit_or_unknown(pcpu->llc, UNIT_MOST);
		if (pcpu->capacity < 0 || pcpu->capacity > PCPU_LARGEST)
			pcpu->capacity = 0;
		bound(&pcpu->busy_ns, SAMPLE_NS_MOST);
		bound(&pcpu->idle_ns, SAMPLE_NS_MOST);
		bound(&pcpu->steal_ns, SAMPLE_NS_MOST);
		bound_real(&pcpu->speed_pct, 200);
	}
}

static void bound_facts(struct vm_facts *facts)
{
	struct vi64 *const counters[] = {&facts->helper_ns, &facts->helper_delay_ns, &facts->throttled_ns,
		&facts->exits, &facts->polled_ns, &facts->disk_ns, &facts->disk_reqs};
	BOUND_ALL(counters, SAMPLE_COUNT_MOST);
	bound(&facts->helper_pcpu, CPUSET_CPUS - 1);
	bound(&facts->swapped_kib, SAMPLE_KIB_MOST);
	bound(&facts->weight, 1000000);
	bound(&facts->cpu_shares, CPU_SHARES_MOST);
	bound_real(&facts->psi_cpu, 100);
	bound_real(&facts->psi_memory, 100);
	bound_real(&facts->psi_io, 100);
	facts->helper[sizeof facts->helper - 1] = '\0';
}

static void bound_vm(struct vm_sample *vm)
{
	struct vm_memory *mem = &vm->mem;
	struct vm_io *io = &vm->io;
	struct vi64 *const kib[] = {&mem->max_kib, &mem->balloon_kib, &mem->unused_kib, &mem->usable_kib,
		&mem->available_kib, &mem->caches_kib, &mem->rss_kib, &mem->min_guarantee_kib,
		&mem->plugged_kib, &mem->limit_kib, &mem->group_limit_kib};
	struct vi64 *const ns[] = {&vm->cpu_time_ns, &mem->last_update_ns};
	struct vi64 *const counters[] = {&mem->swap_in_kib, &mem->swap_out_kib, &mem->major_faults,
		&io->rd_reqs, &io->wr_reqs, &io->rd_bytes, &io->wr_bytes, &io->rx_bytes, &io->tx_bytes,
		&io->rx_pkts, &io->tx_pkts};
	BOUND_ALL(kib, SAMPLE_KIB_MOST);
	BOUND_ALL(ns, SAMPLE_NS_MOST);
	BOUND_ALL(counters, SAMPLE_COUNT_MOST);
	bound(&mem->period_s, INT32_MAX);
	bound_real(&vm->quota_pct, 1e6);
	bound_real(&vm->group_quota_pct, 1e9);
	bound_facts(&vm->facts);
	vm->hung_since_ns = bound_time(vm->hung_since_ns);
	vm->id = max_of(vm->id, -1);
}

static void bound_vcpu(struct vcpu_sample *vcpu)
{
	bound(&vcpu->time_ns, SAMPLE_NS_MOST);
	bound(&vcpu->delay_ns, SAMPLE_NS_MOST);
	bound(&vcpu->foreign_pin_ns, SAMPLE_NS_MOST);
	bound(&vcpu->pcpu, CPUSET_CPUS - 1);
}

void sample_bound(struct sample *sample)
{
	sample->time_ns = bound_time(sample->time_ns);
	sample->wall_ns = bound_time(sample->wall_ns);
	sample->took_ns = bound_time(sample->took_ns);
	bound_host(&sample->host);
	for (size_t i = 0; i < sample->n_vms; i++)
		bound_vm(&sample->vms[i]);
	for (size_t i = 0; i < sample->n_vcpus; i++)
		bound_vcpu(&sample->vcpus[i]);
}
