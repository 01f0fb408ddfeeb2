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

static struct vi64 rounded_if(bool known, double v, enum avail why)
{
	return known ? rounded(v) : vi64_absent(why);
}

static int fill_pcpus(const struct sim *sim, struct sample *to)
{
	to->host.has_isolation = true;
	for (size_t i = 0; i < sim->n_pcpus; i++) {
		const struct sim_pcpu *from = &sim->pcpus[i];
		struct pcpu_sample *pcpu = sample_add_pcpu(to, from->is->id);
		if (!pcpu)
			return -1;
		pcpu->online = from->online;
		pcpu->isolated = from->is->isolated;
		pcpu->nohz_full = from->is->nohz_full;
		pcpu->node = from->is->node;
		pcpu->socket = from->is->socket;
		pcpu->core = from->is->core;
		pcpu->llc = from->is->llc;
		pcpu->capacity = from->is->capacity;
		pcpu->busy_ns = rounded_if(from->online, from->busy_ns, AVAIL_OFFLINE);
		pcpu->steal_ns = rounded_if(from->online, from->steal_ns, AVAIL_OFFLINE);
		pcpu->speed_pct = vf64_ok(from->speed_pct);
		pcpu->idle_ns = rounded_if(from->online, fmax(0, from->idle_ns), AVAIL_OFFLINE);
	}
	return 0;
}

/* A VM's memory lies on its nodes in equal parts; that of the host and of the others everywhere. */
static double node_use(const struct sim *sim, size_t node)
{
	double use = sim->host_used / (double)sim->scn->n_nodes;
	for (size_t v = 0; v < sim->n_vms; v++) {
		const struct sim_vm *vm = &sim->vms[v];
		uint64_t nodes = vm->is->nodes;
		if (vm->life == LIFE_NONE)
			continue;
		if (!nodes)
			use += mem_resident(vm) / (double)sim->scn->n_nodes;
		else if (nodes >> node & 1)
			use += mem_resident(vm) / __builtin_popcountll(nodes);
	}
	return use;
}

static void fill_host(const struct sim *sim, struct sample *to)
{
	struct host_sample *host = &to->host;
	double out = sim->swap_kib - swap_free(sim);
	double available = fmax(0, mem_available(sim) + out);
	snprintf(host->hostname, sizeof host->hostname, "%s", sim->scn->hostname);
	snprintf(host->hypervisor, sizeof host->hypervisor, "sim");
	host->has_llc = sim->scn->has_llc;
	host->total_kib = vi64_ok(sim->scn->total_kib);
	host->available_kib = rounded(available);
	host->free_kib = rounded(available * .8); /* the rest is page cache */
	host->swap_free_kib = rounded(swap_free(sim));
	host->swap_used_kib = rounded(sim->swap_kib - swap_free(sim));
	host->psi_some_avg10 = vf64_ok(fmax(sim->psi_some, sim->stall_some));
	host->psi_full_avg10 = vf64_ok(fmax(sim->psi_full, sim->stall_full));
	for (size_t i = 0; i < sim->scn->n_nodes; i++) {
		struct node_sample *n = &host->nodes[host->n_nodes++];
		n->id = (int)i;
		n->total_kib = vi64_ok(sim->scn->node_total_kib[i]);
		n->free_kib = rounded(fmax(0, (double)sim->scn->node_total_kib[i] - node_use(sim, i)));
	}
}

static void fill_vcpu(const struct sim *sim, const struct sim_vm *vm, const struct sim_thread *thread,
	struct vcpu_sample *vcpu)
{
	bool hung = vm->hung_ns >= 0;
	vcpu->online = true;
	vcpu->time_ns = rounded_if(!hung, thread->time_ns, AVAIL_HUNG);
	vcpu->delay_ns = rounded_if(!hung, thread->delay_ns, AVAIL_HUNG);
	vcpu->pcpu = vi64_ok(sim->pcpus[thread->pcpu].is->id);
	vcpu->affinity = sim_affinity(sim, thread);
	vcpu->affinity_avail = AVAIL_OK;
	vcpu->pinned = thread->was_pinned;
	int traced = vm->is->trace ? vm->is->trace->vcpus[thread->id].allowed : -1;
	if (traced >= 0)
		vcpu->allowed = sim->scn->sets[traced];
	else if (vm->is->allowed >= 0)
		vcpu->allowed = sim->scn->sets[vm->is->allowed];
	else
		cpuset_fill(&vcpu->allowed, CPUSET_CPUS);
	vcpu->foreign_pin_ns = vi64_absent(AVAIL_NONE);
	if (thread->foreign_ns >= 0)
		vcpu->foreign_pin_ns = vi64_ok(to_clock(sim, thread->foreign_ns));
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

static void fill_report(const struct sim *sim, const struct sim_vm *vm, struct vm_memory *mem)
{
	const struct sim_guest *guest = &vm->mem;
	enum avail why = report_avail(vm);
	bool ok = why == AVAIL_OK;
	mem->unused_kib = rounded_if(ok, guest->r_unused, why);
	mem->usable_kib = rounded_if(ok, guest->r_usable, why);
	mem->available_kib = rounded_if(ok, guest->r_available, why);
	mem->caches_kib = rounded_if(ok, guest->r_caches, why);
	mem->swap_in_kib = rounded_if(ok, guest->r_swap_in, why);
	mem->swap_out_kib = rounded_if(ok, guest->r_swap_out, why);
	mem->major_faults = rounded_if(ok, guest->r_faults, why);
	/* whole seconds, as QEMU tells them */
	mem->last_update_ns = vi64_if(ok, to_wall(sim, guest->report_ns) / 1000000000 * 1000000000, why);
}

static void fill_memory(const struct sim *sim, const struct sim_vm *vm, struct vm_memory *mem)
{
	bool hung = vm->hung_ns >= 0;
	mem->balloon_device = vm->is->balloon != BALLOON_NO_DEVICE;
	mem->max_kib = vi64_ok(vm->is->max_kib);
	mem->balloon_kib = rounded_if(!hung, vm->mem.shown, AVAIL_HUNG);
	mem->rss_kib = rounded_if(!hung, mem_resident(vm), AVAIL_HUNG);
	mem->period_s = vi64_if(mem->balloon_device, vm->mem.period_s, AVAIL_NO_DEVICE);
	mem->min_guarantee_kib = vi64_if(vm->is->guarantee_kib, vm->is->guarantee_kib, AVAIL_NONE);
	fill_report(sim, vm, mem);
}

static void fill_io(const struct sim_vm *vm, unsigned groups, struct vm_io *io)
{
	const double request = 16384, packet = 900;
	const enum avail hidden = AVAIL_NOT_ASKED;
	bool block = groups & SAMPLE_BLOCK, net = groups & SAMPLE_NET;
	io->rd_bytes = rounded_if(block, vm->is->rd_bytes_s * vm->io_s, hidden);
	io->wr_bytes = rounded_if(block, vm->is->wr_bytes_s * vm->io_s, hidden);
	io->rd_reqs = rounded_if(block, vm->is->rd_bytes_s * vm->io_s / request, hidden);
	io->wr_reqs = rounded_if(block, vm->is->wr_bytes_s * vm->io_s / request, hidden);
	io->rx_bytes = rounded_if(net, vm->is->rx_bytes_s * vm->io_s, hidden);
	io->tx_bytes = rounded_if(net, vm->is->tx_bytes_s * vm->io_s, hidden);
	io->rx_pkts = rounded_if(net, vm->is->rx_bytes_s * vm->io_s / packet, hidden);
	io->tx_pkts = rounded_if(net, vm->is->tx_bytes_s * vm->io_s / packet, hidden);
}

static int fill_vm(const struct sim *sim, const struct sim_vm *vm, unsigned groups, struct sample *to)
{
	struct vm_sample *v = sample_add_vm(to, vm->is->uuid);
	if (!v)
		return -1;
	double time = sim->threads[vm->first_thread + vm->n_slots].time_ns;
	v->id = vm->id;
	memcpy(v->name, vm->is->name, sizeof v->name);
	v->state = vm->life == LIFE_PAUSED ? VM_PAUSED : VM_RUNNING;
	v->flags = vm->is->flags | (vm->gone_ns >= 0 ? VM_FLAG_JOB : 0);
	v->hung_since_ns = vm->hung_ns >= 0 ? to_clock(sim, vm->hung_ns) : 0;
	v->quota_pct = vf64_if(vm->fault[FAULT_QUOTA] < 100, vm->fault[FAULT_QUOTA], AVAIL_NONE);
	v->mem_nodes = vm->is->nodes;
	v->mem_nodes_strict = vm->is->nodes_strict;
	fill_memory(sim, vm, &v->mem);
	fill_io(vm, groups, &v->io);
	fault_fill(sim, vm, groups, &v->facts);
	for (int i = 0; i < vm->n_slots; i++) {
		const struct sim_thread *thread = &sim->threads[vm->first_thread + i];
		if (thread->pcpu < 0)
			continue;
		struct vcpu_sample *vcpu = sample_add_vcpu(to, thread->id);
		if (!vcpu)
			return -1;
		time += thread->time_ns;
		fill_vcpu(sim, vm, thread, vcpu);
	}
	v = &to->vms[to->n_vms - 1];
	v->cpu_time_ns = rounded_if(vm->hung_ns < 0, time, AVAIL_HUNG);
	return 0;
}

int sim_sample_fill(struct sim *sim, unsigned groups, struct sample *to, struct err *err)
{
	sample_reset(to);
	to->time_ns = to_clock(sim, sim->t_ns);
	to->wall_ns = to_wall(sim, sim->t_ns);
	to->took_ns = 1000000;
	fill_host(sim, to);
	if (fill_pcpus(sim, to) < 0)
		return err_set(err, ERR_NOMEM, "out of memory for a sample");
	for (size_t v = 0; v < sim->n_vms; v++)
		if (sim->vms[v].life != LIFE_NONE && fill_vm(sim, &sim->vms[v], groups, to) < 0)
			return err_set(err, ERR_NOMEM, "out of memory for a sample");
	return sample_finish(to, err);
}
