/* SPDX-License-Identifier: MIT */
/* The simulated host as a whole: moved on in time, and what happens to it on the way. Invariant: between two
 * points of the grid nothing changes but the counters and what is asked for from outside. */
#include <fnmatch.h>
#include <math.h>
#include <string.h>

#include "vmtop/minmax.h"

#include "sim.h"

void host_sets(struct sim *sim)
{
	cpuset_clear(&sim->online);
	cpuset_clear(&sim->usable);
	for (size_t i = 0; i < sim->n_pcpus; i++) {
		if (!sim->pcpus[i].online)
			continue;
		cpuset_add(&sim->online, sim->pcpus[i].is->id);
		if (!sim->pcpus[i].is->isolated)
			cpuset_add(&sim->usable, sim->pcpus[i].is->id);
	}
}

static int nth_of(const struct cpuset *set, int n)
{
	int cpu = cpuset_first(set);
	for (n %= cpuset_count(set); n > 0; n--)
		cpu = cpuset_next(set, cpu);
	return cpu;
}

static const struct vcpu_pick *pick_for(const struct vcpu_pick *picks, size_t n, int vcpu)
{
	for (size_t i = n; i > 0; i--)
		if (picks[i - 1].vcpu < 0 || picks[i - 1].vcpu == vcpu)
			return &picks[i - 1];
	return NULL;
}

void sim_pin(struct sim *sim, struct sim_thread *thread, const struct cpuset *to)
{
	thread->affinity = *to;
	thread->was_pinned = !cpuset_equal(to, &sim->all);
	cpu_place(sim, (int)(thread - sim->threads));
}

/* `order`: its number among the vCPUs of its group, by which lists are dealt. */
static void start_affinity(struct sim *sim, const struct sim_vm *vm, struct sim_thread *thread, int order)
{
	const struct vcpu_pick *pin = pick_for(vm->is->pins, vm->is->n_pins, thread->id);
	struct cpuset to = vm->is->allowed >= 0 ? sim->scn->sets[vm->is->allowed] : sim->all;
	if (pin && pin->vcpu == PICK_EACH) {
		cpuset_clear(&to);
		cpuset_add(&to, nth_of(&sim->scn->sets[pin->index], order));
	} else if (pin) {
		to = sim->scn->sets[pin->index];
	}
	sim_pin(sim, thread, &to);
	if (vm->is->place < 0)
		return;
	int at = sim->by_id[nth_of(&sim->scn->sets[vm->is->place], order)];
	if (sim->pcpus[at].online && cpuset_has(&to, sim->pcpus[at].is->id))
		cpu_put(sim, (int)(thread - sim->threads), at);
}

static void start_traced(struct sim *sim, struct sim_thread *thread, const struct scn_vcpu_trace *trace)
{
	int at = trace->pcpu >= 0 && trace->pcpu < CPUSET_CPUS ? sim->by_id[trace->pcpu] : -1;
	cpu_start_curve(sim, thread, &sim->scn->curves[trace->curve]);
	sim_pin(sim, thread, &sim->scn->sets[trace->pin]);
	if (at >= 0 && sim->pcpus[at].online && cpuset_has(&thread->affinity, trace->pcpu))
		cpu_put(sim, (int)(thread - sim->threads), at);
}

static void start_vcpu(struct sim *sim, struct sim_vm *vm, int id, int order)
{
	struct sim_thread *thread = &sim->threads[vm->first_thread + id];
	const struct vcpu_pick *load = pick_for(vm->is->loads, vm->is->n_loads, id);
	thread->live = true;
	thread->time_ns = thread->delay_ns = thread->backlog_ns = thread->want = 0;
	thread->foreign_ns = -1;
	if (vm->is->trace) {
		start_traced(sim, thread, &vm->is->trace->vcpus[id]);
		return;
	}
	cpu_start_curve(sim, thread, load ? &sim->scn->curves[load->index] : NULL);
	start_affinity(sim, vm, thread, order);
}

static void start_vm(struct sim *sim, struct sim_vm *vm)
{
	if (vm->life != LIFE_NONE)
		return;
	vm->life = LIFE_RUNNING;
	vm->again_ns = 0;
	vm->id = ++sim->next_vm_id;
	vm->hung_ns = vm->gone_ns = -1;
	vm->io_s = 0;
	fault_start(vm);
	int order = vm->is->rank * cpuset_count(&vm->is->vcpu_ids);
	CPUSET_EACH(id, &vm->is->vcpu_ids)
	start_vcpu(sim, vm, id, order++);
	struct sim_thread *emulator = &sim->threads[vm->first_thread + vm->n_slots];
	emulator->live = vm->is->emulator >= 0;
	emulator->time_ns = emulator->delay_ns = 0;
	if (emulator->live) {
		cpu_start_curve(sim, emulator, &sim->scn->curves[vm->is->emulator]);
		sim_pin(sim, emulator, &sim->all);
	}
	mem_boot(sim, vm, true);
	sim->changed = true;
}

static void set_paused(struct sim *sim, struct sim_vm *vm, bool paused)
{
	if (vm->life == LIFE_NONE || (vm->life == LIFE_PAUSED) == paused)
		return;
	vm->life = paused ? LIFE_PAUSED : LIFE_RUNNING;
	for (int i = 0; i <= vm->n_slots; i++) {
		struct sim_thread *thread = &sim->threads[vm->first_thread + i];
		if (thread->pcpu < 0)
			continue;
		thread->live = !paused;
		sim->pcpus[thread->pcpu].dirty = true;
	}
	sim->changed = true;
}

static void set_vcpus(struct sim *sim, struct sim_vm *vm, const struct cpuset *ids)
{
	if (vm->life == LIFE_NONE)
		return;
	for (int id = 0; id < vm->n_slots; id++) {
		struct sim_thread *thread = &sim->threads[vm->first_thread + id];
		bool there = thread->pcpu >= 0;
		if (there && !cpuset_has(ids, id))
			cpu_stop(sim, thread);
		else if (!there && cpuset_has(ids, id))
			start_vcpu(sim, vm, id, id);
	}
	sim->changed = true;
}

static void set_online(struct sim *sim, const struct cpuset *cpus, bool online)
{
	struct cpuset left = sim->usable;
	cpuset_andnot(&left, cpus);
	if (!online && cpuset_empty(&left))
		return; /* the last one never goes offline */
	CPUSET_EACH(cpu, cpus)
	sim->pcpus[sim->by_id[cpu]].online = online;
	host_sets(sim);
	for (size_t i = 0; i < sim->n_threads; i++)
		if (sim->threads[i].kind != THREAD_HOST && sim->threads[i].pcpu >= 0)
			cpu_place(sim, (int)i);
	for (size_t i = 0; i < sim->n_pcpus; i++) {
		struct sim_thread *thread = &sim->threads[sim->pcpus[i].host_thread];
		thread->live = sim->pcpus[i].online;
		sim->pcpus[i].dirty = true;
	}
	sim->changed = true;
}

void host_background(struct sim *sim, const struct cpuset *cpus, const struct curve *curve)
{
	CPUSET_EACH(cpu, cpus)
	cpu_start_curve(sim, &sim->threads[sim->pcpus[sim->by_id[cpu]].host_thread], curve);
}

static void event_load(struct sim *sim, struct sim_vm *vm, const struct scn_event *event)
{
	for (int i = 0; i < vm->n_slots; i++) {
		struct sim_thread *thread = &sim->threads[vm->first_thread + i];
		if (thread->pcpu >= 0 && (event->vcpu < 0 || event->vcpu == thread->id))
			cpu_start_curve(sim, thread, &sim->scn->curves[event->index]);
	}
}

static void event_pin(struct sim *sim, struct sim_vm *vm, const struct scn_event *event)
{
	for (int i = 0; i < vm->n_slots; i++) {
		struct sim_thread *thread = &sim->threads[vm->first_thread + i];
		if (thread->pcpu < 0 || (event->vcpu >= 0 && event->vcpu != thread->id))
			continue;
		sim_pin(sim, thread, &sim->scn->sets[event->index]);
		thread->foreign_ns = sim->t_ns;
	}
	sim->changed = true;
}

static void vm_event(struct sim *sim, struct sim_vm *vm, const struct scn_event *event)
{
	switch (event->kind) {
	case EV_START:
		start_vm(sim, vm);
		return;
	case EV_STOP:
		cpu_stop_vm(sim, vm);
		return;
	case EV_PAUSE:
	case EV_RESUME:
		set_paused(sim, vm, event->kind == EV_PAUSE);
		return;
	case EV_VCPUS:
		set_vcpus(sim, vm, &sim->scn->sets[event->index]);
		return;
	default:
		break;
	}
	if (vm->life == LIFE_NONE)
		return;
	switch (event->kind) {
	case EV_REBOOT:
		mem_boot(sim, vm, false);
		return;
	case EV_MIGRATE:
		vm->gone_ns = sim->t_ns + event->ns;
		return;
	case EV_HANG:
		vm->hung_ns = sim->t_ns;
		return;
	case EV_ANSWER:
		vm->hung_ns = -1;
		return;
	case EV_LOAD:
		event_load(sim, vm, event);
		return;
	case EV_PIN:
		event_pin(sim, vm, event);
		return;
	case EV_BALLOON:
		vm->mem.target = fmin((double)event->kib, (double)vm->is->max_kib);
		return;
	case EV_PERIOD:
		mem_period(sim, vm, event->number);
		return;
	case EV_EAT:
		mem_eat(sim, vm, &event->eat);
		return;
	case EV_FAULT:
	case EV_EMULATOR:
		fault_event(sim, vm, event);
		return;
	default:
		return;
	}
}

static void host_event(struct sim *sim, const struct scn_event *event)
{
	switch (event->kind) {
	case EV_OFFLINE:
	case EV_ONLINE:
		set_online(sim, &sim->scn->sets[event->index], event->kind == EV_ONLINE);
		return;
	case EV_BACKGROUND:
		host_background(sim, &sim->scn->sets[event->set], &sim->scn->curves[event->index]);
		return;
	case EV_PCPU_FAULT:
		CPUSET_EACH(cpu, &sim->scn->sets[event->set])
		{
			struct sim_pcpu *pcpu = &sim->pcpus[sim->by_id[cpu]];
			*(event->index == PCPU_FAULT_STEAL ? &pcpu->steal_pct : &pcpu->speed_pct) =
				event->number;
		}
		return;
	case EV_PRESSURE:
		sim->psi_some = event->some;
		sim->psi_full = event->full;
		return;
	case EV_HOST_USE:
		sim->host_used = (double)event->kib;
		return;
	case EV_DISCONNECT:
	case EV_CONNECT:
		sim->disconnected = event->kind == EV_DISCONNECT;
		sim->changed = true;
		return;
	default:
		return;
	}
}

static void run_event(struct sim *sim, size_t i)
{
	const struct scn_event *event = &sim->scn->ev[i];
	sim->next_event[i] = event->every_ns ? sim->next_event[i] + event->every_ns : INT64_MAX;
	if (!event->pattern[0]) {
		host_event(sim, event);
		return;
	}
	for (size_t v = 0; v < sim->n_vms; v++)
		if (fnmatch(event->pattern, sim->vms[v].is->name, 0) == 0)
			vm_event(sim, &sim->vms[v], event);
}

/* What the VM's own lines say about coming and going. */
static void run_lifetimes(struct sim *sim)
{
	for (size_t v = 0; v < sim->n_vms; v++) {
		struct sim_vm *vm = &sim->vms[v];
		int64_t before = sim->t_ns - SIM_GRID_NS;
		if (vm->is->trace && vm->is->trace->present[sim->trace_at] > 0)
			start_vm(sim, vm);
		else if (vm->is->trace)
			cpu_stop_vm(sim, vm);
		if (vm->is->trace)
			continue;
		bool again = vm->again_ns && vm->again_ns <= sim->t_ns;
		if (again || (vm->is->start_ns <= sim->t_ns && vm->is->start_ns > before))
			start_vm(sim, vm);
		if (again)
			vm->mem.virgin = fmax(0, vm->mem.cur - mem_used(vm));
		if (vm->is->stop_ns && vm->is->stop_ns <= sim->t_ns && vm->is->stop_ns > before)
			cpu_stop_vm(sim, vm);
		if (vm->life != LIFE_NONE && vm->gone_ns >= 0 && vm->gone_ns <= sim->t_ns)
			cpu_stop_vm(sim, vm);
		if (vm->life == LIFE_RUNNING)
			for (int i = 0; i < vm->n_slots; i++)
				vm->io_s +=
					sim->threads[vm->first_thread + i].run * (double)SIM_GRID_NS / 1e9;
	}
}

static void follow_trace(struct sim *sim)
{
	const struct scenario *scn = sim->scn;
	while (sim->trace_at + 1 < scn->n_trace && scn->trace_ns[sim->trace_at + 1] <= sim->t_ns)
		sim->trace_at++;
	if (scn->n_trace)
		sim->host_used = (double)scn->trace_host_kib[sim->trace_at];
}

void host_tick(struct sim *sim)
{
	follow_trace(sim);
	run_lifetimes(sim);
	for (size_t i = 0; i < sim->scn->n_ev; i++)
		if (sim->next_event[i] <= sim->t_ns)
			run_event(sim, i);
	cpu_tick(sim);
	mem_tick(sim);
}

void sim_advance(struct sim *sim, int64_t t_ns)
{
	while (sim->t_ns < t_ns) {
		pool_share(sim);
		int64_t to = min_of(sim->grid_ns, t_ns);
		fault_run(sim, (double)(to - sim->t_ns));
		cpu_run(sim, (double)(to - sim->t_ns));
		sim->t_ns = to;
		if (to == sim->grid_ns) {
			sim->grid_ns += SIM_GRID_NS;
			host_tick(sim);
		}
	}
	pool_share(sim);
	sim->report.time_s = (double)sim->t_ns / 1e9;
}

/* Lives begin and end by the VM's own lines, by a migration, or by the trace. */
static int64_t next_lifetime(const struct sim *sim, const struct sim_vm *vm)
{
	const int64_t times[] = {vm->is->start_ns, vm->is->stop_ns, vm->gone_ns, vm->again_ns};
	int64_t next = INT64_MAX, done = sim->grid_ns - SIM_GRID_NS;
	for (size_t i = 0; i < sizeof times / sizeof *times; i++)
		if (times[i] > done && times[i] < next)
			next = times[i];
	return next;
}

int64_t sim_next_change(const struct sim *sim)
{
	int64_t next = INT64_MAX;
	for (size_t i = 0; i < sim->scn->n_ev; i++)
		next = min_of(sim->next_event[i], next);
	for (size_t v = 0; v < sim->n_vms; v++) {
		int64_t life = next_lifetime(sim, &sim->vms[v]);
		next = min_of(life, next);
	}
	if (sim->trace_at + 1 < sim->scn->n_trace && sim->scn->trace_ns[sim->trace_at + 1] < next)
		next = sim->scn->trace_ns[sim->trace_at + 1];
	/* It happens at the first point of the grid that is not before. */
	return next > INT64_MAX - SIM_GRID_NS ? INT64_MAX
					      : (next + SIM_GRID_NS - 1) / SIM_GRID_NS * SIM_GRID_NS;
}
