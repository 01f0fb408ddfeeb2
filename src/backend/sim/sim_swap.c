/* SPDX-License-Identifier: MIT */
/* A simulated host that runs out of memory, as Linux does it. What does not fit is swapped out: pages that a
 * guest has and does not use first, which costs nobody anything until the guest grows into them; then pages
 * in use, which their guests want back at once: they crawl. What swap does not hold ends in the host's
 * killer, which takes the largest QEMU; somebody starts that guest again a minute later. Guests that are
 * bound to nodes must fit there. Invariant: what is resident fits, and swap holds the rest. */
#include <math.h>

#include "sim.h"

static const double step_s = (double)SIM_GRID_NS / 1e9;
static const double speed_kib_s = 100 * 1024; /* of the swap device, in and out alike */
static const double cache_kib_s = 2 * 1024;   /* with which a guest's page cache fills what it has */
static const double stall_memory_s = 10;      /* of pressure averages */
static const int64_t restart_ns = INT64_C(60000000000);

/* Resident or swapped, not in use by its guest. */
static double cold(const struct sim_vm *vm)
{
	return fmax(0, vm->mem.cur - mem_used(vm));
}

/* In use, and out. */
static double hot_out(const struct sim_vm *vm)
{
	return fmax(0, vm->mem.out - cold(vm));
}

static bool lies_on(const struct sim_vm *vm, int node)
{
	return vm->life != LIFE_NONE &&
	       (node < 0 || (vm->is->nodes_strict && vm->is->nodes == UINT64_C(1) << node));
}

static double swapped_out(const struct sim *sim)
{
	double sum = 0;
	for (size_t i = 0; i < sim->n_vms; i++)
		sum += sim->vms[i].life == LIFE_NONE ? 0 : sim->vms[i].mem.out;
	return sum;
}

double swap_free(const struct sim *sim)
{
	return fmax(0, sim->swap_kib - swapped_out(sim));
}

/* Memory that does not fit on the host, or on one node what must be there; negative: room. */
static double deficit(const struct sim *sim, int node)
{
	double parts = node < 0 ? 1 : (double)sim->scn->n_nodes;
	double total = node < 0 ? (double)sim->scn->total_kib : (double)sim->scn->node_total_kib[node];
	double need = sim->host_used / parts;
	for (size_t i = 0; i < sim->n_vms; i++)
		if (lies_on(&sim->vms[i], node))
			need += mem_resident(&sim->vms[i]);
	return need - total;
}

static double pages_of(const struct sim_vm *vm, bool hot)
{
	double in = vm->mem.out + vm->mem.virgin;
	return fmax(0, hot ? vm->mem.cur - in : cold(vm) - in);
}

/* From all alike, by what each has of this kind. Returns what is left to do. */
static double push(struct sim *sim, int node, double kib, bool hot)
{
	double all = 0;
	for (size_t i = 0; i < sim->n_vms; i++)
		all += lies_on(&sim->vms[i], node) ? pages_of(&sim->vms[i], hot) : 0;
	double part = all > 0 ? fmin(1, kib / all) : 0;
	for (size_t i = 0; i < sim->n_vms; i++)
		if (lies_on(&sim->vms[i], node))
			sim->vms[i].mem.out += part * pages_of(&sim->vms[i], hot);
	return kib - part * all;
}

static void kill_largest(struct sim *sim, int node)
{
	struct sim_vm *worst = NULL;
	for (size_t i = 0; i < sim->n_vms; i++)
		if (lies_on(&sim->vms[i], node) && (!worst || sim->vms[i].mem.cur > worst->mem.cur))
			worst = &sim->vms[i];
	if (!worst)
		return;
	sim->report.oom_kills++;
	cpu_stop_vm(sim, worst);
	worst->again_ns = sim->t_ns + restart_ns;
}

static void make_room(struct sim *sim, int node)
{
	double lack = deficit(sim, node), left = swap_free(sim);
	if (lack <= 0)
		return;
	double rest = push(sim, node, fmin(lack, left), false);
	push(sim, node, rest, true);
	if (lack > left && !sim->scn->n_trace)
		kill_largest(sim, node);
}

/* What a running guest wants in: what it grows into, and what it uses. */
static double wants_in(struct sim_vm *vm)
{
	struct sim_guest *guest = &vm->mem;
	double used = mem_used(vm), grown = fmax(0, used - guest->used_before);
	double was_cold = fmax(1, cold(vm) + grown);
	guest->used_before = used;
	guest->virgin -= guest->virgin * fmin(1, grown / was_cold);
	guest->virgin = fmin(fmax(0, guest->virgin - cache_kib_s * step_s), cold(vm));
	guest->touch = grown * fmin(1, guest->out / was_cold);
	guest->out -= guest->touch;
	return guest->touch / guest->pace + hot_out(vm);
}

/* Shared by all when the device is too slow. */
static void bring_in(struct sim *sim)
{
	double most = speed_kib_s * step_s, wanted = 0, room = fmax(0, -deficit(sim, -1));
	for (size_t i = 0; i < sim->n_vms; i++)
		if (sim->vms[i].life == LIFE_RUNNING)
			wanted += wants_in(&sim->vms[i]);
	for (size_t i = 0; i < sim->n_vms; i++) {
		struct sim_guest *guest = &sim->vms[i].mem;
		if (sim->vms[i].life != LIFE_RUNNING)
			continue;
		double hot = hot_out(&sim->vms[i]), part = wanted > most ? most / wanted : 1;
		guest->stalled = (hot > 0 || guest->touch > 0) && wanted > most;
		guest->pace = guest->stalled ? fmax(0.01, part) : 1;
		double in = fmin(hot * part, room);
		guest->out -= in;
		room -= in;
	}
}

static void note_pressure(struct sim *sim)
{
	size_t running = 0, stalled = 0;
	double keep = exp(-step_s / stall_memory_s);
	for (size_t i = 0; i < sim->n_vms; i++) {
		running += sim->vms[i].life == LIFE_RUNNING;
		stalled += sim->vms[i].life == LIFE_RUNNING && sim->vms[i].mem.stalled;
	}
	sim->stall_some = sim->stall_some * keep + (1 - keep) * 100 * (stalled > 0);
	sim->stall_full = sim->stall_full * keep + (1 - keep) * 100 * (running > 0 && stalled == running);
}

/* The balloon takes what the guest does not use, in memory or out. */
void swap_ballooned(struct sim_vm *vm, double before)
{
	struct sim_guest *guest = &vm->mem;
	double was_cold = fmax(1, before - mem_used(vm)), taken = before - guest->cur;
	double part = taken > 0 ? fmin(1, taken / was_cold) : 0;
	guest->out -= part * fmin(guest->out, was_cold);
	guest->virgin -= part * guest->virgin;
	guest->out = fmin(fmax(guest->out, 0), guest->cur);
}

void swap_tick(struct sim *sim)
{
	bring_in(sim);
	for (size_t node = 0; node < sim->scn->n_nodes && sim->scn->n_nodes > 1; node++)
		make_room(sim, (int)node);
	make_room(sim, -1);
	note_pressure(sim);
}
