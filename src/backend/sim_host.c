/* SPDX-License-Identifier: MIT */
/* The simulated host as a whole: built from a scenario, moved on in time, and what happens to it on the way.
 * Invariant: between two points of the grid nothing changes but the counters and what is asked for from
 * outside. */
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

static void live_sets(struct sim *s)
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
	vm->id = ++s->next_vm_id;
	vm->hung_ns = vm->gone_ns = -1;
	vm->io_s = 0;
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
	s->changed = true;
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
	live_sets(s);
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

static void set_background(struct sim *s, const struct cpuset *cpus, const struct curve *c)
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
		set_background(s, &s->scn->sets[ev->set], &s->scn->curves[ev->index]);
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
		if (vm->is->start_ns <= s->t_ns && vm->is->start_ns > before)
			start_vm(s, vm);
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

static void grid_tick(struct sim *s)
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
		cpu_share(s);
		int64_t to = s->grid_ns < t_ns ? s->grid_ns : t_ns;
		cpu_run(s, (double)(to - s->t_ns));
		s->t_ns = to;
		if (to == s->grid_ns) {
			s->grid_ns += SIM_GRID_NS;
			grid_tick(s);
		}
	}
	cpu_share(s);
	s->report.time_s = (double)s->t_ns / 1e9;
}

/* vCPU numbers that a VM may have at any time of the run. */
static int count_slots(const struct scenario *scn, const struct scn_vm *vm)
{
	int top = -1;
	CPUSET_EACH(id, &vm->vcpu_ids)
	top = id;
	for (size_t i = 0; i < scn->n_ev; i++)
		if (scn->ev[i].kind == EV_VCPUS && fnmatch(scn->ev[i].pattern, vm->name, 0) == 0)
			CPUSET_EACH(id, &scn->sets[scn->ev[i].index])
	top = id > top ? id : top;
	return top + 1;
}

static int build_pcpus(struct sim *s, struct err *e)
{
	s->n_pcpus = s->scn->n_pcpus;
	s->pcpus = calloc(s->n_pcpus, sizeof *s->pcpus);
	if (!s->pcpus)
		return err_set(e, ERR_NOMEM, "out of memory for the simulated host");
	for (int i = 0; i < CPUSET_CPUS; i++)
		s->by_id[i] = -1;
	for (size_t i = 0; i < s->n_pcpus; i++) {
		const struct scn_pcpu *is = &s->scn->pcpus[i];
		s->pcpus[i] = (struct sim_pcpu){.is = is, .online = !is->offline, .first = -1};
		s->by_id[is->id] = (int)i;
		cpuset_add(&s->all, is->id);
	}
	live_sets(s);
	return 0;
}

static void thread_init(struct sim_thread *t, enum thread_kind kind, int id, uint64_t key)
{
	*t = (struct sim_thread){
		.kind = kind, .id = id, .pcpu = -1, .next = -1, .quota = 1, .foreign_ns = -1};
	t->key = key * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)id + 1;
	t->moved_ns = -(INT64_C(1) << 60);
}

static uint64_t vm_key(const struct scn_vm *vm)
{
	uint64_t key;
	memcpy(&key, vm->uuid, sizeof key);
	return key;
}

static int build_threads(struct sim *s, struct err *e)
{
	size_t n = s->n_pcpus, max = s->n_threads;
	s->threads = calloc(max, sizeof *s->threads);
	s->duty = calloc(max * 3, sizeof *s->duty);
	s->on = calloc(max, sizeof *s->on);
	if (!s->threads || !s->duty || !s->on)
		return err_set(e, ERR_NOMEM, "out of memory for the simulated host");
	s->run = s->duty + max;
	s->wait = s->run + max;
	for (size_t i = 0; i < s->n_pcpus; i++)
		thread_init(&s->threads[i], THREAD_HOST, (int)i, 0x405);
	for (size_t v = 0; v < s->n_vms; v++) {
		struct sim_vm *vm = &s->vms[v];
		vm->first_thread = (int)n;
		for (int i = 0; i <= vm->n_slots; i++, n++) {
			thread_init(&s->threads[n], i < vm->n_slots ? THREAD_VCPU : THREAD_EMULATOR, i,
				vm_key(vm->is));
			s->threads[n].quota = i < vm->n_slots ? vm->is->quota : 1;
		}
	}
	return 0;
}

static int build_vms(struct sim *s, struct err *e)
{
	s->n_vms = s->scn->n_vms;
	s->vms = calloc(s->n_vms + 1, sizeof *s->vms);
	s->next_event = calloc(s->scn->n_ev + 1, sizeof *s->next_event);
	if (!s->vms || !s->next_event)
		return err_set(e, ERR_NOMEM, "out of memory for the simulated host");
	s->n_threads = s->n_pcpus;
	for (size_t v = 0; v < s->n_vms; v++) {
		s->vms[v] = (struct sim_vm){.is = &s->scn->vms[v], .hung_ns = -1, .gone_ns = -1};
		s->vms[v].n_slots = count_slots(s->scn, s->vms[v].is);
		s->n_threads += (size_t)s->vms[v].n_slots + 1;
	}
	if (s->n_threads > 4 * SCN_VCPUS)
		return err_set(e, ERR_USAGE, "%s: the vCPU numbers of its VMs are too sparse", s->scn->name);
	for (size_t i = 0; i < s->scn->n_ev; i++)
		s->next_event[i] = s->scn->ev[i].at_ns;
	return build_threads(s, e);
}

static void build_background(struct sim *s)
{
	for (size_t i = 0; i < s->n_pcpus; i++) {
		s->pcpus[i].host_thread = (int)i;
		cpuset_add(&s->threads[i].affinity, s->pcpus[i].is->id);
		cpu_put(s, (int)i, (int)i);
		s->threads[i].live = s->pcpus[i].online;
	}
	for (size_t i = 0; i < s->scn->n_background; i++) {
		const struct scn_background *b = &s->scn->background[i];
		set_background(s, &s->scn->sets[b->set], &s->scn->curves[b->curve]);
	}
}

int sim_build(struct sim *s, struct err *e)
{
	if (build_pcpus(s, e) < 0 || build_vms(s, e) < 0)
		return -1;
	s->host_used = (double)s->scn->used_kib;
	s->report.min_available_kib = s->report.min_usable_kib = INT64_MAX;
	build_background(s);
	s->grid_ns = SIM_GRID_NS;
	grid_tick(s);
	cpu_share(s);
	s->changed = false;
	return 0;
}
