/* SPDX-License-Identifier: MIT */
/* Builds the simulated host from a scenario, as it is at the start of the run. Invariant: all memory that a
 * run needs is had here. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/minmax.h"

#include "sim.h"

/* vCPU numbers that a VM may have at any time of the run. */
static int count_slots(const struct scenario *scn, const struct scn_vm *vm)
{
	int top = -1;
	CPUSET_EACH(id, &vm->vcpu_ids)
	top = id;
	for (size_t i = 0; i < scn->n_ev; i++)
		if (scn->ev[i].kind == EV_VCPUS && fnmatch(scn->ev[i].pattern, vm->name, 0) == 0)
			CPUSET_EACH(id, &scn->sets[scn->ev[i].index])
	top = max_of(id, top);
	return top + 1;
}

static bool one_core(const struct scn_pcpu *a, const struct scn_pcpu *b)
{
	return a->node == b->node && a->socket == b->socket && a->core == b->core;
}

/* The threads of each core become a ring. */
static void build_cores(struct sim *sim)
{
	for (size_t i = 0; i < sim->n_pcpus; i++) {
		size_t next = (i + 1) % sim->n_pcpus;
		while (!one_core(sim->pcpus[next].is, sim->pcpus[i].is))
			next = (next + 1) % sim->n_pcpus;
		sim->pcpus[i].sibling = (int)next;
	}
}

static int build_pcpus(struct sim *sim, struct err *err)
{
	sim->n_pcpus = sim->scn->n_pcpus;
	sim->pcpus = calloc(sim->n_pcpus, sizeof *sim->pcpus);
	if (!sim->pcpus)
		return err_set(err, ERR_NOMEM, "out of memory for the simulated host");
	for (int i = 0; i < CPUSET_CPUS; i++)
		sim->by_id[i] = -1;
	for (size_t i = 0; i < sim->n_pcpus; i++) {
		const struct scn_pcpu *is = &sim->scn->pcpus[i];
		sim->pcpus[i] = (struct sim_pcpu){.is = is,
			.online = !is->offline,
			.first = -1,
			.speed_pct = 100,
			.capacity = is->capacity ? is->capacity / (double)PCPU_LARGEST : 1};
		sim->by_id[is->id] = (int)i;
		cpuset_add(&sim->all, is->id);
	}
	build_cores(sim);
	host_sets(sim);
	return 0;
}

static void thread_init(struct sim_thread *thread, enum thread_kind kind, int id, uint64_t key)
{
	*thread = (struct sim_thread){
		.kind = kind, .id = id, .pcpu = -1, .next = -1, .quota = 1, .foreign_ns = -1};
	thread->key = key * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)id + 1;
	thread->noise_second = -1;
}

static uint64_t vm_key(const struct scn_vm *vm)
{
	uint64_t key;
	memcpy(&key, vm->uuid, sizeof key);
	return key;
}

static int build_threads(struct sim *sim, struct err *err)
{
	size_t n = sim->n_pcpus, max = sim->n_threads;
	sim->threads = calloc(max, sizeof *sim->threads);
	sim->duty = calloc(max * 5 + 3, sizeof *sim->duty);
	sim->on = calloc(max * 2 + n, sizeof *sim->on);
	sim->pools = calloc(max + n, sizeof *sim->pools);
	if (!sim->threads || !sim->duty || !sim->on || !sim->pools)
		return err_set(err, ERR_NOMEM, "out of memory for the simulated host");
	sim->run = sim->duty + max;
	sim->wait = sim->run + max;
	sim->by_size = sim->on + max;
	sim->regroup = true;
	for (size_t i = 0; i < sim->n_pcpus; i++)
		thread_init(&sim->threads[i], THREAD_HOST, (int)i, 0x405);
	for (size_t v = 0; v < sim->n_vms; v++) {
		struct sim_vm *vm = &sim->vms[v];
		vm->first_thread = (int)n;
		for (int i = 0; i <= vm->n_slots; i++, n++) {
			thread_init(&sim->threads[n], i < vm->n_slots ? THREAD_VCPU : THREAD_EMULATOR, i,
				vm_key(vm->is));
			sim->threads[n].quota = i < vm->n_slots ? vm->is->quota : 1;
		}
	}
	return 0;
}

static int build_vms(struct sim *sim, struct err *err)
{
	sim->n_vms = sim->scn->n_vms;
	sim->vms = calloc(sim->n_vms + 1, sizeof *sim->vms);
	sim->next_event = calloc(sim->scn->n_ev + 1, sizeof *sim->next_event);
	if (!sim->vms || !sim->next_event)
		return err_set(err, ERR_NOMEM, "out of memory for the simulated host");
	sim->n_threads = sim->n_pcpus;
	for (size_t v = 0; v < sim->n_vms; v++) {
		sim->vms[v] = (struct sim_vm){.is = &sim->scn->vms[v], .hung_ns = -1, .gone_ns = -1};
		sim->vms[v].n_slots = count_slots(sim->scn, sim->vms[v].is);
		sim->n_threads += (size_t)sim->vms[v].n_slots + 1;
	}
	if (sim->n_threads > 4 * SCN_VCPUS)
		return err_set(
			err, ERR_USAGE, "%s: the vCPU numbers of its VMs are too sparse", sim->scn->name);
	for (size_t i = 0; i < sim->scn->n_ev; i++)
		sim->next_event[i] = sim->scn->ev[i].at_ns;
	return build_threads(sim, err);
}

static void build_background(struct sim *sim)
{
	for (size_t i = 0; i < sim->n_pcpus; i++) {
		sim->pcpus[i].host_thread = (int)i;
		cpuset_add(&sim->threads[i].affinity, sim->pcpus[i].is->id);
		cpu_put(sim, (int)i, (int)i);
		sim->threads[i].live = sim->pcpus[i].online;
	}
	for (size_t i = 0; i < sim->scn->n_background; i++) {
		const struct scn_background *background = &sim->scn->background[i];
		host_background(sim, &sim->scn->sets[background->set], &sim->scn->curves[background->curve]);
	}
}

/* 4 GiB, as installers make it, and room for every page of every guest, unless told otherwise. */
static double swap_of(const struct scenario *scn)
{
	double kib = 4.0 * 1024 * 1024;
	for (size_t i = 0; i < scn->n_vms; i++)
		kib += (double)scn->vms[i].max_kib;
	return scn->swap_kib >= 0 ? (double)scn->swap_kib : kib;
}

int sim_build(struct sim *sim, struct err *err)
{
	if (build_pcpus(sim, err) < 0 || build_vms(sim, err) < 0)
		return -1;
	sim->host_used = (double)sim->scn->used_kib;
	sim->swap_kib = swap_of(sim->scn);
	sim->report.min_available_kib = sim->report.min_usable_kib = INT64_MAX;
	build_background(sim);
	sim->grid_ns = SIM_GRID_NS;
	host_tick(sim);
	pool_share(sim);
	sim->changed = false;
	return 0;
}
