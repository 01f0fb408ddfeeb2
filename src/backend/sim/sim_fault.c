/* SPDX-License-Identifier: MIT */
/* What a reader of /proc, of control groups and of KVM's counters would see of a simulated VM, and the faults
 * that show there alone. Must not know what is made of them. */
#include <math.h>
#include <stdio.h>

#include "vmtop/minmax.h"
#include "vmtop/text.h"

#include "sim.h"

static const int at_rest[] = {
#define REST(code, word, text, rest) [code] = rest,
	FAULT_TABLE(REST)
#undef REST
};

static struct sim_thread *emulator_of(const struct sim *sim, const struct sim_vm *vm)
{
	return &sim->threads[vm->first_thread + vm->n_slots];
}

void fault_start(struct sim_vm *vm)
{
	for (int i = 0; i < FAULT_COUNT; i++)
		vm->fault[i] = at_rest[i];
	if (vm->is->quota < 1)
		vm->fault[FAULT_QUOTA] = (int)lround(vm->is->quota * 100);
	vm->throttled_ns = vm->exits = vm->polled_ns = vm->disk_ns = vm->disk_reqs = 0;
}

static void run_vm(struct sim *sim, struct sim_vm *vm, double dt_ns)
{
	vm->exits += vm->fault[FAULT_EXITS] * dt_ns / 1e9;
	vm->polled_ns += vm->fault[FAULT_POLLED] * dt_ns / 100;
	vm->disk_reqs += vm->fault[FAULT_DISK_REQS] * dt_ns / 1e9;
	vm->disk_ns += vm->fault[FAULT_DISK_REQS] * dt_ns / 1e9 * vm->fault[FAULT_DISK_MS] * 1e6;
	for (int i = 0; i < vm->n_slots && vm->fault[FAULT_QUOTA] < 100; i++) {
		const struct sim_thread *thread = &sim->threads[vm->first_thread + i];
		if (thread->live && thread->pcpu >= 0)
			vm->throttled_ns += fmax(0, cpu_wants(sim, thread) - thread->quota) * dt_ns;
	}
}

void fault_run(struct sim *sim, double dt_ns)
{
	for (size_t i = 0; i < sim->n_pcpus; i++)
		if (sim->pcpus[i].online)
			sim->pcpus[i].steal_ns += sim->pcpus[i].steal_pct * dt_ns / 100;
	for (size_t v = 0; v < sim->n_vms; v++)
		if (sim->vms[v].life == LIFE_RUNNING)
			run_vm(sim, &sim->vms[v], dt_ns);
}

static void set_quota(struct sim *sim, struct sim_vm *vm, double quota)
{
	for (int i = 0; i < vm->n_slots; i++) {
		struct sim_thread *thread = &sim->threads[vm->first_thread + i];
		thread->quota = quota;
		if (thread->pcpu >= 0)
			sim->pcpus[thread->pcpu].dirty = true;
	}
	sim->changed = true;
}

void sim_weigh(struct sim *sim, struct sim_vm *vm, int weight)
{
	vm->fault[FAULT_WEIGHT] = max_of(weight, 1);
	for (size_t i = 0; i < sim->n_pcpus; i++)
		sim->pcpus[i].dirty = true;
	sim->changed = true;
}

void fault_event(struct sim *sim, struct sim_vm *vm, const struct scn_event *event)
{
	struct sim_thread *thread = emulator_of(sim, vm);
	if (event->kind == EV_FAULT) {
		vm->fault[event->index] = event->number;
		if (event->index == FAULT_WEIGHT)
			sim_weigh(sim, vm, event->number);
		if (event->index == FAULT_QUOTA)
			set_quota(sim, vm, fmin(1, fmax(.01, event->number / 100.)));
		return;
	}
	thread->live = vm->life == LIFE_RUNNING;
	cpu_start_curve(sim, thread, &sim->scn->curves[event->index]);
	thread->affinity = event->set >= 0 ? sim->scn->sets[event->set] : sim->all;
	cpu_place(sim, (int)(thread - sim->threads));
}

void fault_fill(const struct sim *sim, const struct sim_vm *vm, unsigned groups, struct vm_facts *facts)
{
	const struct sim_thread *thread = emulator_of(sim, vm);
	struct vi64 hidden = vi64_absent(AVAIL_NOT_ASKED);
	facts->helper_ns = vi64_ok(llround(thread->time_ns));
	facts->helper_delay_ns = vi64_ok(llround(thread->delay_ns));
	facts->helper_pcpu =
		thread->pcpu >= 0 ? vi64_ok(sim->pcpus[thread->pcpu].is->id) : vi64_absent(AVAIL_NONE);
	snprintf(facts->helper, sizeof facts->helper, "%s", text_if(thread->pcpu >= 0, "emulator"));
	facts->swapped_kib = vi64_ok(llround(vm->mem.out) + vm->fault[FAULT_SWAPPED] * INT64_C(1024));
	facts->throttled_ns = vi64_ok(llround(vm->throttled_ns));
	facts->weight = vi64_ok(vm->fault[FAULT_WEIGHT]);
	facts->cpu_shares = sim->scn->cpu_shares ? facts->weight : vi64_absent(AVAIL_UNSUPPORTED);
	facts->psi_cpu = vf64_absent(AVAIL_UNSUPPORTED);
	facts->psi_memory = vf64_ok(vm->fault[FAULT_PSI_MEMORY]);
	facts->psi_io = vf64_ok(vm->fault[FAULT_PSI_IO]);
	facts->exits = vi64_ok(llround(vm->exits));
	facts->polled_ns = vi64_ok(llround(vm->polled_ns));
	facts->disk_ns = groups & SAMPLE_BLOCK ? vi64_ok(llround(vm->disk_ns)) : hidden;
	facts->disk_reqs = groups & SAMPLE_BLOCK ? vi64_ok(llround(vm->disk_reqs)) : hidden;
}
