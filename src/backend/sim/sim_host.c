/* SPDX-License-Identifier: MIT */
/* The simulated host as a whole: moved on in time, and what happens to it on the way. Invariant: between two
 * points of the grid nothing changes but the counters and what is asked for from outside. */
#include <fnmatch.h>
#include <math.h>
#include <string.h>

#include "vmtop/minmax.h"

#include "sim.h"

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* A hash and no stream: what is drawn does not depend on what else was. */
double sim_random(const struct sim *s, uint64_t key, uint64_t index)
{
	uint64_t h = mix(s->scn->seed * UINT64_C(0x9e3779b97f4a7c15) + key);
	h = mix(h + index * UINT64_C(0xd1342543de82ef95));
	return (double)(h >> 11) / 9007199254740992.0;
}

double sim_normal(const struct sim *s, uint64_t key, uint64_t index)
{
	double u = 1 - sim_random(s, key ^ 0x51, index), v = sim_random(s, key ^ 0x52, index);
	return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

void host_sets(struct sim *s)
{
	cpuset_clear(&s->online);
	cpuset_clear(&s->usable);
	for (size_t i = 0; i < s->n_pcpus; i++) {
		if (!s->pcpus[i].online)
			continue;
		cpuset_add(&s->online, s->pcpus[i].is->id);
		if (!s->pcpus[i].is->isolated)
			cpuset_add(&s->usable, s->pcpus[i].is->id);
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

void sim_pin(struct sim *s, struct sim_thread *t, const struct cpuset *to)
{
	t->affinity = *to;
	t->was_pinned = !cpuset_equal(to, &s->all);
	cpu_place(s, (int)(t - s->threads));
}

/* `order`: its number among the vCPUs of its group, by which lists are dealt. */
static void start_affinity(struct sim *s, const struct sim_vm *vm, struct sim_thread *t, int order)
{
	const struct vcpu_pick *pin = pick_for(vm->is->pins, vm->is->n_pins, t->id);
	struct cpuset to = vm->is->allowed >= 0 ? s->scn->sets[vm->is->allowed] : s->all;
	if (pin && pin->vcpu == PICK_EACH) {
		cpuset_clear(&to);
		cpuset_add(&to, nth_of(&s->scn->sets[pin->index], order));
	} else if (pin) {
		to = s->scn->sets[pin->index];
	}
	sim_pin(s, t, &to);
	if (vm->is->place < 0)
		return;
	int at = s->by_id[nth_of(&s->scn->sets[vm->is->place], order)];
	if (s->pcpus[at].online && cpuset_has(&to, s->pcpus[at].is->id))
		cpu_put(s, (int)(t - s->threads), at);
}

static void start_traced(struct sim *s, struct sim_thread *t, const struct scn_vcpu_trace *v)
{
	int at = v->pcpu >= 0 && v->pcpu < CPUSET_CPUS ? s->by_id[v->pcpu] : -1;
	cpu_start_curve(s, t, &s->scn->curves[v->curve]);
	sim_pin(s, t, &s->scn->sets[v->pin]);
	if (at >= 0 && s->pcpus[at].online && cpuset_has(&t->affinity, v->pcpu))
		cpu_put(s, (int)(t - s->threads), at);
}

static void start_vcpu(struct sim *s, struct sim_vm *vm, int id, int order)
{
	struct sim_thread *t = &s->threads[vm->first_thread + id];
	const struct vcpu_pick *load = pick_for(vm->is->loads, vm->is->n_loads, id);
	t->live = true;
	t->time_ns = t->delay_ns = t->backlog_ns = t->want = 0;
	t->foreign_ns = -1;
	if (vm->is->trace) {
		start_traced(s, t, &vm->is->trace->vcpus[id]);
		return;
	}
	cpu_start_curve(s, t, load ? &s->scn->curves[load->index] : NULL);
	start_affinity(s, vm, t, order);
}

static void stop_thread(struct sim *s, struct sim_thread *t)
{
	if (t->live || t->pcpu >= 0)
		cpu_put(s, (int)(t - s->threads), -1);
	t->live = false;
}

static void start_vm(struct sim *s, struct sim_vm *vm)
{
	if (vm->life != LIFE_NONE)
		return;
	vm->life = LIFE_RUNNING;
	vm->again_ns = 0;
	vm->id = ++s->next_vm_id;
	vm->hung_ns = vm->gone_ns = -1;
	vm->io_s = 0;
	fault_start(vm);
	int order = vm->is->rank * cpuset_count(&vm->is->vcpu_ids);
	CPUSET_EACH(id, &vm->is->vcpu_ids)
	start_vcpu(s, vm, id, order++);
	struct sim_thread *emulator = &s->threads[vm->first_thread + vm->n_slots];
	emulator->live = vm->is->emulator >= 0;
	emulator->time_ns = emulator->delay_ns = 0;
	if (emulator->live) {
		cpu_start_curve(s, emulator, &s->scn->curves[vm->is->emulator]);
		sim_pin(s, emulator, &s->all);
	}
	mem_boot(s, vm, true);
	s->changed = true;
}

static void stop_vm(struct sim *s, struct sim_vm *vm)
{
	if (vm->life == LIFE_NONE)
		return;
	for (int i = 0; i <= vm->n_slots; i++)
		stop_thread(s, &s->threads[vm->first_thread + i]);
	vm->life = LIFE_NONE;
	vm->again_ns = 0;
	s->changed = true;
}

void host_kill(struct sim *s, struct sim_vm *vm, int64_t for_ns)
{
	stop_vm(s, vm);
	vm->again_ns = s->t_ns + for_ns;
}

static void set_paused(struct sim *s, struct sim_vm *vm, bool paused)
{
	if (vm->life == LIFE_NONE || (vm->life == LIFE_PAUSED) == paused)
		return;
	vm->life = paused ? LIFE_PAUSED : LIFE_RUNNING;
	for (int i = 0; i <= vm->n_slots; i++) {
		struct sim_thread *t = &s->threads[vm->first_thread + i];
		if (t->pcpu < 0)
			continue;
		t->live = !paused;
		s->pcpus[t->pcpu].dirty = true;
	}
	s->changed = true;
}

static void set_vcpus(struct sim *s, struct sim_vm *vm, const struct cpuset *ids)
{
	if (vm->life == LIFE_NONE)
		return;
	for (int id = 0; id < vm->n_slots; id++) {
		struct sim_thread *t = &s->threads[vm->first_thread + id];
		bool there = t->pcpu >= 0;
		if (there && !cpuset_has(ids, id))
			stop_thread(s, t);
		else if (!there && cpuset_has(ids, id))
			start_vcpu(s, vm, id, id);
	}
	s->changed = true;
}

static void set_online(struct sim *s, const struct cpuset *cpus, bool online)
{
	struct cpuset left = s->usable;
	cpuset_andnot(&left, cpus);
	if (!online && cpuset_empty(&left))
		return; /* the last one never goes offline */
	CPUSET_EACH(cpu, cpus)
	s->pcpus[s->by_id[cpu]].online = online;
	host_sets(s);
	for (size_t i = 0; i < s->n_threads; i++)
		if (s->threads[i].kind != THREAD_HOST && s->threads[i].pcpu >= 0)
			cpu_place(s, (int)i);
	for (size_t i = 0; i < s->n_pcpus; i++) {
		struct sim_thread *t = &s->threads[s->pcpus[i].host_thread];
		t->live = s->pcpus[i].online;
		s->pcpus[i].dirty = true;
	}
	s->changed = true;
}

void host_background(struct sim *s, const struct cpuset *cpus, const struct curve *c)
{
	CPUSET_EACH(cpu, cpus)
	cpu_start_curve(s, &s->threads[s->pcpus[s->by_id[cpu]].host_thread], c);
}

static void event_load(struct sim *s, struct sim_vm *vm, const struct scn_event *ev)
{
	for (int i = 0; i < vm->n_slots; i++) {
		struct sim_thread *t = &s->threads[vm->first_thread + i];
		if (t->pcpu >= 0 && (ev->vcpu < 0 || ev->vcpu == t->id))
			cpu_start_curve(s, t, &s->scn->curves[ev->index]);
	}
}

static void event_pin(struct sim *s, struct sim_vm *vm, const struct scn_event *ev)
{
	for (int i = 0; i < vm->n_slots; i++) {
		struct sim_thread *t = &s->threads[vm->first_thread + i];
		if (t->pcpu < 0 || (ev->vcpu >= 0 && ev->vcpu != t->id))
			continue;
		sim_pin(s, t, &s->scn->sets[ev->index]);
		t->foreign_ns = s->t_ns;
	}
	s->changed = true;
}

static void vm_event(struct sim *s, struct sim_vm *vm, const struct scn_event *ev)
{
	switch (ev->kind) {
	case EV_START:
		start_vm(s, vm);
		return;
	case EV_STOP:
		stop_vm(s, vm);
		return;
	case EV_PAUSE:
	case EV_RESUME:
		set_paused(s, vm, ev->kind == EV_PAUSE);
		return;
	case EV_VCPUS:
		set_vcpus(s, vm, &s->scn->sets[ev->index]);
		return;
	default:
		break;
	}
	if (vm->life == LIFE_NONE)
		return;
	switch (ev->kind) {
	case EV_REBOOT:
		mem_boot(s, vm, false);
		return;
	case EV_MIGRATE:
		vm->gone_ns = s->t_ns + ev->ns;
		return;
	case EV_HANG:
		vm->hung_ns = s->t_ns;
		return;
	case EV_ANSWER:
		vm->hung_ns = -1;
		return;
	case EV_LOAD:
		event_load(s, vm, ev);
		return;
	case EV_PIN:
		event_pin(s, vm, ev);
		return;
	case EV_BALLOON:
		vm->mem.target = fmin((double)ev->kib, (double)vm->is->max_kib);
		return;
	case EV_PERIOD:
		mem_period(s, vm, ev->number);
		return;
	case EV_EAT:
		mem_eat(s, vm, &ev->eat);
		return;
	case EV_FAULT:
	case EV_EMULATOR:
		fault_event(s, vm, ev);
		return;
	default:
		return;
	}
}

static void host_event(struct sim *s, const struct scn_event *ev)
{
	switch (ev->kind) {
	case EV_OFFLINE:
	case EV_ONLINE:
		set_online(s, &s->scn->sets[ev->index], ev->kind == EV_ONLINE);
		return;
	case EV_BACKGROUND:
		host_background(s, &s->scn->sets[ev->set], &s->scn->curves[ev->index]);
		return;
	case EV_PCPU_FAULT:
		CPUSET_EACH(cpu, &s->scn->sets[ev->set])
		{
			struct sim_pcpu *p = &s->pcpus[s->by_id[cpu]];
			*(ev->index == PCPU_FAULT_STEAL ? &p->steal_pct : &p->speed_pct) = ev->number;
		}
		return;
	case EV_PRESSURE:
		s->psi_some = ev->some;
		s->psi_full = ev->full;
		return;
	case EV_HOST_USE:
		s->host_used = (double)ev->kib;
		return;
	case EV_DISCONNECT:
	case EV_CONNECT:
		s->disconnected = ev->kind == EV_DISCONNECT;
		s->changed = true;
		return;
	default:
		return;
	}
}

static void run_event(struct sim *s, size_t i)
{
	const struct scn_event *ev = &s->scn->ev[i];
	s->next_event[i] = ev->every_ns ? s->next_event[i] + ev->every_ns : INT64_MAX;
	if (!ev->pattern[0]) {
		host_event(s, ev);
		return;
	}
	for (size_t v = 0; v < s->n_vms; v++)
		if (fnmatch(ev->pattern, s->vms[v].is->name, 0) == 0)
			vm_event(s, &s->vms[v], ev);
}

/* What the VM's own lines say about coming and going. */
static void run_lifetimes(struct sim *s)
{
	for (size_t v = 0; v < s->n_vms; v++) {
		struct sim_vm *vm = &s->vms[v];
		int64_t before = s->t_ns - SIM_GRID_NS;
		if (vm->is->trace && vm->is->trace->present[s->trace_at] > 0)
			start_vm(s, vm);
		else if (vm->is->trace)
			stop_vm(s, vm);
		if (vm->is->trace)
			continue;
		bool again = vm->again_ns && vm->again_ns <= s->t_ns;
		if (again || (vm->is->start_ns <= s->t_ns && vm->is->start_ns > before))
			start_vm(s, vm);
		if (again)
			vm->mem.virgin = fmax(0, vm->mem.cur - mem_used(vm));
		if (vm->is->stop_ns && vm->is->stop_ns <= s->t_ns && vm->is->stop_ns > before)
			stop_vm(s, vm);
		if (vm->life != LIFE_NONE && vm->gone_ns >= 0 && vm->gone_ns <= s->t_ns)
			stop_vm(s, vm);
		if (vm->life == LIFE_RUNNING)
			for (int i = 0; i < vm->n_slots; i++)
				vm->io_s += s->threads[vm->first_thread + i].run * (double)SIM_GRID_NS / 1e9;
	}
}

static void follow_trace(struct sim *s)
{
	const struct scenario *scn = s->scn;
	while (s->trace_at + 1 < scn->n_trace && scn->trace_ns[s->trace_at + 1] <= s->t_ns)
		s->trace_at++;
	if (scn->n_trace)
		s->host_used = (double)scn->trace_host_kib[s->trace_at];
}

void host_tick(struct sim *s)
{
	follow_trace(s);
	run_lifetimes(s);
	for (size_t i = 0; i < s->scn->n_ev; i++)
		if (s->next_event[i] <= s->t_ns)
			run_event(s, i);
	cpu_tick(s);
	mem_tick(s);
}

void sim_advance(struct sim *s, int64_t t_ns)
{
	while (s->t_ns < t_ns) {
		pool_share(s);
		int64_t to = min_of(s->grid_ns, t_ns);
		cpu_run(s, (double)(to - s->t_ns));
		s->t_ns = to;
		if (to == s->grid_ns) {
			s->grid_ns += SIM_GRID_NS;
			host_tick(s);
		}
	}
	pool_share(s);
	s->report.time_s = (double)s->t_ns / 1e9;
}

/* Lives begin and end by the VM's own lines, by a migration, or by the trace. */
static int64_t next_lifetime(const struct sim *s, const struct sim_vm *vm)
{
	const int64_t times[] = {vm->is->start_ns, vm->is->stop_ns, vm->gone_ns, vm->again_ns};
	int64_t next = INT64_MAX, done = s->grid_ns - SIM_GRID_NS;
	for (size_t i = 0; i < sizeof times / sizeof *times; i++)
		if (times[i] > done && times[i] < next)
			next = times[i];
	return next;
}

int64_t sim_next_change(const struct sim *s)
{
	int64_t next = INT64_MAX;
	for (size_t i = 0; i < s->scn->n_ev; i++)
		next = min_of(s->next_event[i], next);
	for (size_t v = 0; v < s->n_vms; v++) {
		int64_t life = next_lifetime(s, &s->vms[v]);
		next = min_of(life, next);
	}
	if (s->trace_at + 1 < s->scn->n_trace && s->scn->trace_ns[s->trace_at + 1] < next)
		next = s->scn->trace_ns[s->trace_at + 1];
	/* It happens at the first point of the grid that is not before. */
	return next > INT64_MAX - SIM_GRID_NS ? INT64_MAX
					      : (next + SIM_GRID_NS - 1) / SIM_GRID_NS * SIM_GRID_NS;
}
