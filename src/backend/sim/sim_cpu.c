/* SPDX-License-Identifier: MIT */
/* The pCPUs of the simulated host: what each thread wants, where the kernel puts it, what it gets. Invariant:
 * a thread that wants to run is on the list of exactly one online pCPU. Must not know of samples and
 * scenarios' text. */
#include <math.h>

#include "sim.h"

static const double backlog_max_ns = 2e9;

static double curve_steps(const struct curve *curve, int64_t t)
{
	double level = 0;
	if (curve->period_ns)
		t %= curve->period_ns;
	for (size_t i = 0; i < curve->n_steps && curve->steps[i].at_ns <= t; i++)
		level = curve->steps[i].level;
	return level;
}

/* High and low parts of exponential length, drawn one after the other. */
static double curve_bursts(const struct sim *sim, struct sim_thread *thread, const struct curve *curve)
{
	while (sim->t_ns >= thread->burst_until_ns) {
		if (thread->bursts)
			thread->burst_on = !thread->burst_on;
		double mean = (double)(thread->burst_on ? curve->on_ns : curve->period_ns - curve->on_ns);
		double length = -mean * log(1 - sim_random(sim, thread->key ^ 0xb0, ++thread->bursts));
		thread->burst_until_ns += (int64_t)fmax(length, (double)SIM_GRID_NS);
	}
	return thread->burst_on ? curve->hi : curve->lo;
}

static double curve_level(const struct sim *sim, struct sim_thread *thread)
{
	const struct curve *curve = thread->curve;
	int64_t since = sim->t_ns - thread->curve_since_ns + curve->phase_ns;
	switch (curve->kind) {
	case CURVE_STEADY:
		return curve->hi;
	case CURVE_STEPS:
		return curve_steps(curve, since);
	case CURVE_SQUARE:
		return since % curve->period_ns < curve->on_ns ? curve->hi : curve->lo;
	case CURVE_WAVE:
		return curve->lo + (curve->hi - curve->lo) *
					   (.5 - .5 * cos(2 * M_PI * (double)(since % curve->period_ns) /
							      (double)curve->period_ns));
	case CURVE_BURSTS:
		return curve_bursts(sim, thread, curve);
	case CURVE_TRACE:
		return (double)curve->trace[sim->trace_at];
	}
	return 0;
}

/* Drawn each second. */
static double noise_of(const struct sim *sim, struct sim_thread *thread)
{
	int64_t second = sim->t_ns / 1000000000;
	if (thread->noise_second != second) {
		thread->noise_second = second;
		thread->noise = sim_normal(sim, thread->key, (uint64_t)second);
	}
	return thread->noise;
}

static double thread_want(const struct sim *sim, struct sim_thread *thread)
{
	if (!thread->live || !thread->curve)
		return 0;
	double level = curve_level(sim, thread);
	if (thread->curve->noise > 0)
		level *= 1 + thread->curve->noise * noise_of(sim, thread);
	return fmin(1, fmax(0, level));
}

void cpu_start_curve(struct sim *sim, struct sim_thread *thread, const struct curve *curve)
{
	thread->curve = curve;
	thread->curve_since_ns = thread->burst_until_ns = sim->t_ns;
	thread->bursts = 0;
	thread->burst_on = false;
	thread->want = thread_want(sim, thread);
	if (thread->pcpu >= 0)
		sim->pcpus[thread->pcpu].dirty = true;
}

double cpu_wants(const struct sim *sim, const struct sim_thread *thread)
{
	return thread->pcpu < 0 ? thread->want : fmin(1, thread->want / sim->pcpus[thread->pcpu].capacity);
}

/* What a thread adds to the load of its pCPU in the eyes of the kernel. */
double cpu_load(const struct sim *sim, const struct sim_thread *thread)
{
	if (!thread->live)
		return 0;
	return thread->backlog_ns > POOL_BACKLOG_NS ? thread->quota
						    : fmin(cpu_wants(sim, thread), thread->quota);
}

void cpu_put(struct sim *sim, int thread, int pcpu)
{
	struct sim_thread *t = &sim->threads[thread];
	if (t->pcpu == pcpu)
		return;
	sim->regroup |= !t->floating || t->pcpu < 0 || pcpu < 0;
	if (t->pcpu >= 0) {
		struct sim_pcpu *old = &sim->pcpus[t->pcpu];
		int *link = &old->first;
		while (*link != thread)
			link = &sim->threads[*link].next;
		*link = t->next;
		old->dirty = true;
		old->load -= cpu_load(sim, t);
	}
	t->pcpu = pcpu;
	t->next = -1;
	if (pcpu >= 0) {
		struct sim_pcpu *p = &sim->pcpus[pcpu];
		t->next = p->first;
		p->first = thread;
		p->dirty = true;
		p->load += cpu_load(sim, t);
	}
}

/* Where the kernel lets it run: its affinity, without isolated pCPUs unless there are no others; all pCPUs
 * when the affinity went offline as a whole. */
struct cpuset cpu_room(const struct sim *sim, const struct sim_thread *thread)
{
	struct cpuset room = thread->affinity;
	cpuset_and(&room, &sim->usable);
	if (cpuset_empty(&room)) {
		room = thread->affinity;
		cpuset_and(&room, &sim->online);
	}
	return cpuset_empty(&room) ? sim->usable : room;
}

struct cpuset sim_affinity(const struct sim *sim, const struct sim_thread *thread)
{
	struct cpuset cpus = thread->affinity;
	cpuset_and(&cpus, &sim->online);
	return cpuset_empty(&cpus) ? sim->online : cpus;
}

static double core_load(const struct sim *sim, int pcpu)
{
	double sum = sim->pcpus[pcpu].load;
	for (int i = sim->pcpus[pcpu].sibling; i != pcpu; i = sim->pcpus[i].sibling)
		sum += sim->pcpus[i].load;
	return sum;
}

/* A larger pCPU before a lesser one, and an idle core before an idle thread of a busy one. */
static bool idler(const struct sim *sim, int a, int b)
{
	double x = sim->pcpus[a].load, y = sim->pcpus[b].load;
	if (x > y + 1e-9 || x < y - 1e-9)
		return x < y;
	double larger = sim->pcpus[a].capacity - sim->pcpus[b].capacity;
	return larger > 0 || (larger >= 0 && core_load(sim, a) < core_load(sim, b) - 1e-9);
}

static int idlest(const struct sim *sim, const struct cpuset *room)
{
	int best = -1;
	CPUSET_EACH(cpu, room)
	{
		int i = sim->by_id[cpu];
		if (best < 0 || idler(sim, i, best))
			best = i;
	}
	return best;
}

static int nth_cpu(const struct cpuset *set, int n)
{
	int cpu = cpuset_first(set);
	while (n-- > 0)
		cpu = cpuset_next(set, cpu);
	return cpu;
}

/* On isolated pCPUs the kernel balances nothing. A new thread begins where its parent runs, on the first;
 * threads that are sent there by their affinity are dealt out one after the other, and stay. */
static int unbalanced(struct sim *sim, const struct sim_thread *thread, const struct cpuset *room)
{
	int n = thread->pcpu < 0 ? 0 : sim->dealt++ % cpuset_count(room);
	return sim->by_id[nth_cpu(room, n)];
}

void cpu_place(struct sim *sim, int thread)
{
	struct sim_thread *t = &sim->threads[thread];
	struct cpuset room = cpu_room(sim, t);
	bool balanced = cpuset_subset(&room, &sim->usable);
	sim->regroup = true;
	t->floating = sim->scn->balance_ns && balanced && t->kind != THREAD_HOST && cpuset_count(&room) > 1;
	if (t->pcpu < 0 || !cpuset_has(&room, sim->pcpus[t->pcpu].is->id))
		cpu_put(sim, thread, balanced ? idlest(sim, &room) : unbalanced(sim, t, &room));
}

/* Where a thread that floats was seen last: it moves now and then without need, as after a wake-up, and all
 * the time where it waits. */
static void drift(struct sim *sim, int thread)
{
	struct sim_thread *t = &sim->threads[thread];
	uint64_t tick = (uint64_t)(sim->t_ns / SIM_GRID_NS);
	if (sim_random(sim, t->key ^ 0xd1, tick) > .01 + fmin(.4, 4 * t->wait))
		return;
	struct cpuset room = cpu_room(sim, t);
	int n = (int)(sim_random(sim, t->key ^ 0xd2, tick) * cpuset_count(&room));
	int to = sim->by_id[nth_cpu(&room, n)];
	double there = sim->pcpus[to].load + cpu_load(sim, t);
	bool fits = sim->pcpus[to].capacity >= sim->pcpus[t->pcpu].capacity || cpu_load(sim, t) < .5;
	if (fits && (there <= .9 || there <= sim->pcpus[t->pcpu].load))
		cpu_put(sim, thread, to);
}

/* Who needs all of a lesser pCPU gets a larger one that is idle. */
static bool pull_up(struct sim *sim, int thread)
{
	struct sim_thread *t = &sim->threads[thread];
	const struct sim_pcpu *here = &sim->pcpus[t->pcpu];
	if (here->capacity >= 1 || cpu_load(sim, t) < .8)
		return false;
	struct cpuset room = cpu_room(sim, t);
	int to = idlest(sim, &room);
	if (to < 0 || sim->pcpus[to].capacity <= here->capacity || sim->pcpus[to].load > .1)
		return false;
	cpu_put(sim, thread, to);
	return true;
}

/* One thread, if its pCPU is clearly busier than the best one it may use. */
static bool pull(struct sim *sim, int thread, double least)
{
	struct sim_thread *t = &sim->threads[thread];
	double here = sim->pcpus[t->pcpu].load, own = cpu_load(sim, t);
	if (here - least - own <= .1)
		return false;
	struct cpuset room = cpu_room(sim, t);
	int to = idlest(sim, &room);
	if (to < 0 || here - sim->pcpus[to].load - own <= .1)
		return false;
	cpu_put(sim, thread, to);
	return true;
}

static void balance(struct sim *sim)
{
	size_t start = (size_t)(sim->t_ns / SIM_GRID_NS) % sim->n_threads;
	int best = idlest(sim, &sim->usable);
	for (size_t k = 0; k < sim->n_threads; k++) {
		size_t i = (start + k) % sim->n_threads;
		struct sim_thread *thread = &sim->threads[i];
		if (!thread->live || !thread->floating || thread->pcpu < 0)
			continue;
		if (pull_up(sim, (int)i) || pull(sim, (int)i, sim->pcpus[best].load))
			best = idlest(sim, &sim->usable);
		else
			drift(sim, (int)i);
	}
}

void cpu_tick(struct sim *sim)
{
	for (size_t i = 0; i < sim->n_pcpus; i++)
		sim->pcpus[i].load = 0;
	for (size_t i = 0; i < sim->n_threads; i++) {
		struct sim_thread *thread = &sim->threads[i];
		double want = thread_want(sim, thread);
		if (thread->pcpu >= 0 && want != thread->want)
			sim->pcpus[thread->pcpu].dirty = true;
		thread->want = want;
		if (thread->pcpu >= 0)
			sim->pcpus[thread->pcpu].load += cpu_load(sim, thread);
	}
	if (sim->scn->balance_ns && sim->t_ns >= sim->balance_ns) {
		sim->balance_ns = sim->t_ns + sim->scn->balance_ns;
		balance(sim);
	}
}

/* Serves an open loop; returns the time it ran. */
static double run_open(struct sim *sim, struct sim_thread *thread, double dt_ns)
{
	double work = thread->backlog_ns + cpu_wants(sim, thread) * dt_ns,
	       ran = fmin(work, thread->run * dt_ns);
	double left = fmin(work - ran, thread->kind == THREAD_VCPU ? backlog_max_ns : 0);
	if ((left > POOL_BACKLOG_NS) != (thread->backlog_ns > POOL_BACKLOG_NS))
		sim->pcpus[thread->pcpu].dirty = true;
	thread->backlog_ns = left;
	return ran;
}

void cpu_run(struct sim *sim, double dt_ns)
{
	for (size_t i = 0; i < sim->n_pcpus; i++)
		if (sim->pcpus[i].online) {
			sim->pcpus[i].busy_ns += sim->pcpus[i].busy * dt_ns;
			sim->pcpus[i].idle_ns += (1 - sim->pcpus[i].busy) * dt_ns;
		}
	for (size_t i = 0; i < sim->n_threads; i++) {
		struct sim_thread *thread = &sim->threads[i];
		if (!thread->live || thread->pcpu < 0 || (thread->run <= 0 && thread->wait <= 0))
			continue;
		struct sim_pcpu *pcpu = &sim->pcpus[thread->pcpu];
		double ran = thread->curve->open ? run_open(sim, thread, dt_ns) : thread->run * dt_ns;
		thread->time_ns += ran;
		thread->delay_ns += thread->wait * dt_ns;
		pcpu->busy_ns += ran - thread->run * dt_ns; /* the end of a backlog */
		pcpu->idle_ns -= ran - thread->run * dt_ns;
		if (thread->kind == THREAD_VCPU) {
			sim->report.work_vcpu_s += ran * pcpu->capacity / 1e9;
			sim->report.waiting_vcpu_s += thread->wait * dt_ns / 1e9;
			if (thread->run < .9 * fmin(cpu_wants(sim, thread), thread->quota))
				sim->report.starved_vcpu_s += dt_ns / 1e9;
		}
	}
}

double cpu_stddev_pct(const struct sim *sim)
{
	double sum = 0, squares = 0;
	int n = 0;
	CPUSET_EACH(cpu, &sim->usable)
	{
		double load = 0;
		for (int i = sim->pcpus[sim->by_id[cpu]].first; i >= 0; i = sim->threads[i].next)
			if (sim->threads[i].live)
				load += 100 * fmin(cpu_wants(sim, &sim->threads[i]), sim->threads[i].quota);
		sum += load;
		squares += load * load;
		n++;
	}
	return n ? sqrt(fmax(0, squares / n - sum / n * (sum / n))) : 0;
}

void cpu_stop(struct sim *sim, struct sim_thread *thread)
{
	if (thread->live || thread->pcpu >= 0)
		cpu_put(sim, (int)(thread - sim->threads), -1);
	thread->live = false;
}

void cpu_stop_vm(struct sim *sim, struct sim_vm *vm)
{
	if (vm->life == LIFE_NONE)
		return;
	for (int i = 0; i <= vm->n_slots; i++)
		cpu_stop(sim, &sim->threads[vm->first_thread + i]);
	vm->life = LIFE_NONE;
	vm->again_ns = 0;
	sim->changed = true;
}
