/* SPDX-License-Identifier: MIT */
/* What a reader of /proc, of control groups and of KVM's counters would see of a simulated VM, and the faults
 * that show there alone. Must not know what is made of them. */
#include <math.h>
#include <stdio.h>

#include "vmtop/minmax.h"

#include "sim.h"

static const int at_rest[] = {
#define REST(code, word, text, rest) [code] = rest,
	FAULT_TABLE(REST)
#undef REST
};

static struct sim_thread *emulator_of(const struct sim *s, const struct sim_vm *vm)
{
	return &s->threads[vm->first_thread + vm->n_slots];
}

void fault_start(struct sim_vm *vm)
{
	for (int i = 0; i < FAULT_COUNT; i++)
		vm->fault[i] = at_rest[i];
	if (vm->is->quota < 1)
		vm->fault[FAULT_QUOTA] = (int)lround(vm->is->quota * 100);
	vm->throttled_ns = vm->exits = vm->polled_ns = vm->disk_ns = vm->disk_reqs = 0;
}

static void run_vm(struct sim *s, struct sim_vm *vm, double dt_ns)
{
	vm->exits += vm->fault[FAULT_EXITS] * dt_ns / 1e9;
	vm->polled_ns += vm->fault[FAULT_POLLED] * dt_ns / 100;
	vm->disk_reqs += vm->fault[FAULT_DISK_REQS] * dt_ns / 1e9;
	vm->disk_ns += vm->fault[FAULT_DISK_REQS] * dt_ns / 1e9 * vm->fault[FAULT_DISK_MS] * 1e6;
	for (int i = 0; i < vm->n_slots && vm->fault[FAULT_QUOTA] < 100; i++) {
		const struct sim_thread *t = &s->threads[vm->first_thread + i];
		if (t->live && t->pcpu >= 0)
			vm->throttled_ns += fmax(0, cpu_wants(s, t) - t->quota) * dt_ns;
	}
}

void fault_run(struct sim *s, double dt_ns)
{
	for (size_t i = 0; i < s->n_pcpus; i++)
		if (s->pcpus[i].online)
			s->pcpus[i].steal_ns += s->pcpus[i].steal_pct * dt_ns / 100;
	for (size_t v = 0; v < s->n_vms; v++)
		if (s->vms[v].life == LIFE_RUNNING)
			run_vm(s, &s->vms[v], dt_ns);
}

static void set_quota(struct sim *s, struct sim_vm *vm, double quota)
{
	for (int i = 0; i < vm->n_slots; i++) {
		struct sim_thread *t = &s->threads[vm->first_thread + i];
		t->quota = quota;
		if (t->pcpu >= 0)
			s->pcpus[t->pcpu].dirty = true;
	}
	s->changed = true;
}

void sim_weigh(struct sim *s, struct sim_vm *vm, int weight)
{
	vm->fault[FAULT_WEIGHT] = max_of(weight, 1);
	for (size_t i = 0; i < s->n_pcpus; i++)
		s->pcpus[i].dirty = true;
	s->changed = true;
}

void fault_event(struct sim *s, struct sim_vm *vm, const struct scn_event *ev)
{
	struct sim_thread *t = emulator_of(s, vm);
	if (ev->kind == EV_FAULT) {
		vm->fault[ev->index] = ev->number;
		if (ev->index == FAULT_WEIGHT)
			sim_weigh(s, vm, ev->number);
		if (ev->index == FAULT_QUOTA)
			set_quota(s, vm, fmin(1, fmax(.01, ev->number / 100.)));
		return;
	}
	t->live = vm->life == LIFE_RUNNING;
	cpu_start_curve(s, t, &s->scn->curves[ev->index]);
	t->affinity = ev->set >= 0 ? s->scn->sets[ev->set] : s->all;
	cpu_place(s, (int)(t - s->threads));
}

void fault_fill(const struct sim *s, const struct sim_vm *vm, unsigned groups, struct vm_facts *f)
{
	const struct sim_thread *t = emulator_of(s, vm);
	struct vi64 hidden = vi64_absent(AVAIL_NOT_ASKED);
	f->helper_ns = vi64_ok(llround(t->time_ns));
	f->helper_delay_ns = vi64_ok(llround(t->delay_ns));
	f->helper_pcpu = t->pcpu >= 0 ? vi64_ok(s->pcpus[t->pcpu].is->id) : vi64_absent(AVAIL_NONE);
	snprintf(f->helper, sizeof f->helper, "%s", t->pcpu >= 0 ? "emulator" : "");
	f->swapped_kib = vi64_ok(llround(vm->mem.out) + vm->fault[FAULT_SWAPPED] * INT64_C(1024));
	f->throttled_ns = vi64_ok(llround(vm->throttled_ns));
	f->weight = vi64_ok(vm->fault[FAULT_WEIGHT]);
	f->cpu_shares = s->scn->cpu_shares ? f->weight : vi64_absent(AVAIL_UNSUPPORTED);
	f->psi_cpu = vf64_absent(AVAIL_UNSUPPORTED);
	f->psi_memory = vf64_ok(vm->fault[FAULT_PSI_MEMORY]);
	f->psi_io = vf64_ok(vm->fault[FAULT_PSI_IO]);
	f->exits = vi64_ok(llround(vm->exits));
	f->polled_ns = vi64_ok(llround(vm->polled_ns));
	f->disk_ns = groups & SAMPLE_BLOCK ? vi64_ok(llround(vm->disk_ns)) : hidden;
	f->disk_reqs = groups & SAMPLE_BLOCK ? vi64_ok(llround(vm->disk_reqs)) : hidden;
}
