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

static void bound_host(struct host_sample *h)
{
	struct vi64 *const kib[] = {
		&h->total_kib, &h->available_kib, &h->free_kib, &h->arc_kib, &h->swap_free_kib};
	size_t n = 0;
	BOUND_ALL(kib, SAMPLE_KIB_MOST);
	bound_real(&h->psi_some_avg10, 100);
	bound_real(&h->psi_full_avg10, 100);
	for (size_t i = 0; i < h->n_nodes; i++) {
		struct node_sample *node = &h->nodes[i];
		bound(&node->total_kib, SAMPLE_KIB_MOST);
		bound(&node->free_kib, SAMPLE_KIB_MOST);
		if (node->id >= 0 && node->id < MAX_NODES)
			h->nodes[n++] = *node;
	}
	h->n_nodes = n;
	for (size_t i = 0; i < h->n_pcpus; i++) {
		struct pcpu_sample *p = &h->pcpus[i];
		p->node = unit_or_unknown(p->node, MAX_NODES - 1);
		p->socket = unit_or_unknown(p->socket, UNIT_MOST);
		p->core = unit_or_unknown(p->core, UNIT_MOST);
		p->llc = unit_or_unknown(p->llc, UNIT_MOST);
		p->capacity = p->capacity < 0 || p->capacity > PCPU_LARGEST ? 0 : p->capacity;
		bound(&p->busy_ns, SAMPLE_NS_MOST);
		bound(&p->idle_ns, SAMPLE_NS_MOST);
		bound(&p->steal_ns, SAMPLE_NS_MOST);
		bound_real(&p->speed_pct, 200);
	}
}

static void bound_facts(struct vm_facts *f)
{
	struct vi64 *const counters[] = {&f->helper_ns, &f->helper_delay_ns, &f->throttled_ns, &f->exits,
		&f->polled_ns, &f->disk_ns, &f->disk_reqs};
	BOUND_ALL(counters, SAMPLE_COUNT_MOST);
	bound(&f->helper_pcpu, CPUSET_CPUS - 1);
	bound(&f->swapped_kib, SAMPLE_KIB_MOST);
	bound(&f->weight, 1000000);
	bound(&f->cpu_shares, CPU_SHARES_MOST);
	bound_real(&f->psi_cpu, 100);
	bound_real(&f->psi_memory, 100);
	bound_real(&f->psi_io, 100);
	f->helper[sizeof f->helper - 1] = '\0';
}

static void bound_vm(struct vm_sample *vm)
{
	struct vm_memory *m = &vm->mem;
	struct vm_io *io = &vm->io;
	struct vi64 *const kib[] = {&m->max_kib, &m->balloon_kib, &m->unused_kib, &m->usable_kib,
		&m->available_kib, &m->caches_kib, &m->rss_kib, &m->min_guarantee_kib, &m->plugged_kib,
		&m->limit_kib, &m->group_limit_kib};
	struct vi64 *const ns[] = {&vm->cpu_time_ns, &m->last_update_ns};
	struct vi64 *const counters[] = {&m->swap_in_kib, &m->swap_out_kib, &m->major_faults, &io->rd_reqs,
		&io->wr_reqs, &io->rd_bytes, &io->wr_bytes, &io->rx_bytes, &io->tx_bytes, &io->rx_pkts,
		&io->tx_pkts};
	BOUND_ALL(kib, SAMPLE_KIB_MOST);
	BOUND_ALL(ns, SAMPLE_NS_MOST);
	BOUND_ALL(counters, SAMPLE_COUNT_MOST);
	bound(&m->period_s, INT32_MAX);
	bound_real(&vm->quota_pct, 1e6);
	bound_real(&vm->group_quota_pct, 1e9);
	bound_facts(&vm->facts);
	vm->hung_since_ns = bound_time(vm->hung_since_ns);
	vm->id = max_of(vm->id, -1);
}

static void bound_vcpu(struct vcpu_sample *v)
{
	bound(&v->time_ns, SAMPLE_NS_MOST);
	bound(&v->delay_ns, SAMPLE_NS_MOST);
	bound(&v->foreign_pin_ns, SAMPLE_NS_MOST);
	bound(&v->pcpu, CPUSET_CPUS - 1);
}

void sample_bound(struct sample *s)
{
	s->time_ns = bound_time(s->time_ns);
	s->wall_ns = bound_time(s->wall_ns);
	s->took_ns = bound_time(s->took_ns);
	bound_host(&s->host);
	for (size_t i = 0; i < s->n_vms; i++)
		bound_vm(&s->vms[i]);
	for (size_t i = 0; i < s->n_vcpus; i++)
		bound_vcpu(&s->vcpus[i]);
}
