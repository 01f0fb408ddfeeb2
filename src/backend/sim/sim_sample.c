/* SPDX-License-Identifier: MIT */
/* What a management program gets to see of the simulated host: the same numbers, gaps and delays that libvirt
 * shows of a real one. Must not change anything. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sim.h"

static struct vi64 rounded(double v)
{
	return vi64_ok(llround(v));
}

static int fill_pcpus(const struct sim *s, struct sample *to)
{
	to->host.has_isolation = true;
	for (size_t i = 0; i < s->n_pcpus; i++) {
		const struct sim_pcpu *from = &s->pcpus[i];
		struct pcpu_sample *p = sample_add_pcpu(to, from->is->id);
		if (!p)
			return -1;
		p->online = from->online;
		p->isolated = from->is->isolated;
		p->nohz_full = from->is->nohz_full;
		p->node = from->is->node;
		p->socket = from->is->socket;
		p->core = from->is->core;
		p->llc = from->is->llc;
		p->capacity = from->is->capacity;
		p->busy_ns = from->online ? rounded(from->busy_ns) : vi64_absent(AVAIL_OFFLINE);
		p->steal_ns = from->online ? rounded(from->steal_ns) : vi64_absent(AVAIL_OFFLINE);
		p->speed_pct = vf64_ok(from->speed_pct);
		p->idle_ns = from->online ? rounded(fmax(0, from->idle_ns)) : vi64_absent(AVAIL_OFFLINE);
	}
	return 0;
}

/* A VM's memory lies on its nodes in equal parts; that of the host and of the others everywhere. */
static double node_use(const struct sim *s, size_t node)
{
	double use = s->host_used / (double)s->scn->n_nodes;
	for (size_t v = 0; v < s->n_vms; v++) {
		const struct sim_vm *vm = &s->vms[v];
		uint64_t nodes = vm->is->nodes;
		if (vm->life == LIFE_NONE)
			continue;
		if (!nodes)
			use += mem_resident(vm) / (double)s->scn->n_nodes;
		else if (nodes >> node & 1)
			use += mem_resident(vm) / __builtin_popcountll(nodes);
	}
	return use;
}

static void fill_host(const struct sim *s, struct sample *to)
{
	struct host_sample *h = &to->host;
	double out = s->swap_kib - swap_free(s);
	double available = fmax(0, mem_available(s) + out);
	snprintf(h->hostname, sizeof h->hostname, "%s", s->scn->hostname);
	snprintf(h->hypervisor, sizeof h->hypervisor, "sim");
	h->has_llc = s->scn->has_llc;
	h->total_kib = vi64_ok(s->scn->total_kib);
	h->available_kib = rounded(available);
	h->free_kib = rounded(available * .8); /* the rest is page cache */
	h->swap_free_kib = rounded(swap_free(s));
	h->psi_some_avg10 = vf64_ok(fmax(s->psi_some, s->stall_some));
	h->psi_full_avg10 = vf64_ok(fmax(s->psi_full, s->stall_full));
	for (size_t i = 0; i < s->scn->n_nodes; i++) {
		struct node_sample *n = &h->nodes[h->n_nodes++];
		n->id = (int)i;
		n->total_kib = vi64_ok(s->scn->node_total_kib[i]);
		n->free_kib = rounded(fmax(0, (double)s->scn->node_total_kib[i] - node_use(s, i)));
	}
}

static void fill_vcpu(
	const struct sim *s, const struct sim_vm *vm, const struct sim_thread *t, struct vcpu_sample *v)
{
	bool hung = vm->hung_ns >= 0;
	v->online = true;
	v->time_ns = hung ? vi64_absent(AVAIL_HUNG) : rounded(t->time_ns);
	v->delay_ns = hung ? vi64_absent(AVAIL_HUNG) : rounded(t->delay_ns);
	v->pcpu = vi64_ok(s->pcpus[t->pcpu].is->id);
	v->affinity = sim_affinity(s, t);
	v->affinity_avail = AVAIL_OK;
	v->pinned = t->was_pinned;
	int traced = vm->is->trace ? vm->is->trace->vcpus[t->id].allowed : -1;
	if (traced >= 0)
		v->allowed = s->scn->sets[traced];
	else if (vm->is->allowed >= 0)
		v->allowed = s->scn->sets[vm->is->allowed];
	else
		cpuset_fill(&v->allowed, CPUSET_CPUS);
	v->foreign_pin_ns = vi64_absent(AVAIL_NONE);
	if (t->foreign_ns >= 0)
		v->foreign_pin_ns = vi64_ok(to_clock(s, t->foreign_ns));
}

/* Why a guest says nothing about its memory; AVAIL_OK: it does. */
static enum avail report_avail(const struct sim_vm *vm)
{
	if (vm->is->balloon == BALLOON_NO_DEVICE)
		return AVAIL_NO_DEVICE;
	if (vm->hung_ns >= 0)
		return AVAIL_HUNG;
	if (vm->is->balloon == BALLOON_NO_DRIVER || vm->is->no_stats)
		return vm->mem.period_s ? AVAIL_NO_DRIVER : AVAIL_NO_PERIOD;
	if (!vm->mem.period_s)
		return AVAIL_NO_PERIOD;
	/* The first report after the period was set is all zero: it says nothing, as over libvirt. */
	return vm->mem.reported && !vm->mem.zero ? AVAIL_OK : AVAIL_FIRST;
}

static void fill_report(const struct sim *s, const struct sim_vm *vm, struct vm_memory *m)
{
	const struct sim_guest *g = &vm->mem;
	enum avail why = report_avail(vm);
	struct vi64 none = vi64_absent(why);
	bool ok = why == AVAIL_OK;
	m->unused_kib = ok ? rounded(g->r_unused) : none;
	m->usable_kib = ok ? rounded(g->r_usable) : none;
	m->available_kib = ok ? rounded(g->r_available) : none;
	m->caches_kib = ok ? rounded(g->r_caches) : none;
	m->swap_in_kib = ok ? rounded(g->r_swap_in) : none;
	m->swap_out_kib = ok ? rounded(g->r_swap_out) : none;
	m->major_faults = ok ? rounded(g->r_faults) : none;
	/* whole seconds, as QEMU tells them */
	m->last_update_ns = ok ? vi64_ok(to_wall(s, g->report_ns) / 1000000000 * 1000000000) : none;
}

static void fill_memory(const struct sim *s, const struct sim_vm *vm, struct vm_memory *m)
{
	bool hung = vm->hung_ns >= 0;
	m->balloon_device = vm->is->balloon != BALLOON_NO_DEVICE;
	m->max_kib = vi64_ok(vm->is->max_kib);
	m->balloon_kib = hung ? vi64_absent(AVAIL_HUNG) : rounded(vm->mem.shown);
	m->rss_kib = hung ? vi64_absent(AVAIL_HUNG) : rounded(mem_resident(vm));
	m->period_s = m->balloon_device ? vi64_ok(vm->mem.period_s) : vi64_absent(AVAIL_NO_DEVICE);
	m->min_guarantee_kib =
		vm->is->guarantee_kib ? vi64_ok(vm->is->guarantee_kib) : vi64_absent(AVAIL_NONE);
	fill_report(s, vm, m);
}

static void fill_io(const struct sim_vm *vm, unsigned groups, struct vm_io *io)
{
	const double request = 16384, packet = 900;
	struct vi64 hidden = vi64_absent(AVAIL_NOT_ASKED);
	bool block = groups & SAMPLE_BLOCK, net = groups & SAMPLE_NET;
	io->rd_bytes = block ? rounded(vm->is->rd_bytes_s * vm->io_s) : hidden;
	io->wr_bytes = block ? rounded(vm->is->wr_bytes_s * vm->io_s) : hidden;
	io->rd_reqs = block ? rounded(vm->is->rd_bytes_s * vm->io_s / request) : hidden;
	io->wr_reqs = block ? rounded(vm->is->wr_bytes_s * vm->io_s / request) : hidden;
	io->rx_bytes = net ? rounded(vm->is->rx_bytes_s * vm->io_s) : hidden;
	io->tx_bytes = net ? rounded(vm->is->tx_bytes_s * vm->io_s) : hidden;
	io->rx_pkts = net ? rounded(vm->is->rx_bytes_s * vm->io_s / packet) : hidden;
	io->tx_pkts = net ? rounded(vm->is->tx_bytes_s * vm->io_s / packet) : hidden;
}

static int fill_vm(const struct sim *s, const struct sim_vm *vm, unsigned groups, struct sample *to)
{
	struct vm_sample *v = sample_add_vm(to, vm->is->uuid);
	if (!v)
		return -1;
	double time = s->threads[vm->first_thread + vm->n_slots].time_ns;
	v->id = vm->id;
	memcpy(v->name, vm->is->name, sizeof v->name);
	v->state = vm->life == LIFE_PAUSED ? VM_PAUSED : VM_RUNNING;
	v->flags = vm->is->flags | (vm->gone_ns >= 0 ? VM_FLAG_JOB : 0);
	v->hung_since_ns = vm->hung_ns >= 0 ? to_clock(s, vm->hung_ns) : 0;
	v->quota_pct =
		vm->fault[FAULT_QUOTA] < 100 ? vf64_ok(vm->fault[FAULT_QUOTA]) : vf64_absent(AVAIL_NONE);
	v->mem_nodes = vm->is->nodes;
	v->mem_nodes_strict = vm->is->nodes_strict;
	fill_memory(s, vm, &v->mem);
	fill_io(vm, groups, &v->io);
	fault_fill(s, vm, groups, &v->facts);
	for (int i = 0; i < vm->n_slots; i++) {
		const struct sim_thread *t = &s->threads[vm->first_thread + i];
		if (t->pcpu < 0)
			continue;
		struct vcpu_sample *c = sample_add_vcpu(to, t->id);
		if (!c)
			return -1;
		time += t->time_ns;
		fill_vcpu(s, vm, t, c);
	}
	v = &to->vms[to->n_vms - 1];
	v->cpu_time_ns = vm->hung_ns >= 0 ? vi64_absent(AVAIL_HUNG) : rounded(time);
	return 0;
}

int sim_sample_fill(struct sim *s, unsigned groups, struct sample *to, struct err *e)
{
	sample_reset(to);
	to->time_ns = to_clock(s, s->t_ns);
	to->wall_ns = to_wall(s, s->t_ns);
	to->took_ns = 1000000;
	fill_host(s, to);
	if (fill_pcpus(s, to) < 0)
		return err_set(e, ERR_NOMEM, "out of memory for a sample");
	for (size_t v = 0; v < s->n_vms; v++)
		if (s->vms[v].life != LIFE_NONE && fill_vm(s, &s->vms[v], groups, to) < 0)
			return err_set(e, ERR_NOMEM, "out of memory for a sample");
	return sample_finish(to, e);
}
