/* SPDX-License-Identifier: MIT */
/* The pCPUs of the simulated host: what each thread wants, where the kernel puts it, what it gets. Invariant:
 * a thread that wants to run is on the list of exactly one online pCPU. Must not know of samples and
 * scenarios' text. */
#include <math.h>

#include "sim.h"

static const double backlog_max_ns = 2e9;

static double curve_steps(const struct curve *c, int64_t t)
{
	double level = 0;
	if (c->period_ns)
		t %= c->period_ns;
	for (size_t i = 0; i < c->n_steps && c->steps[i].at_ns <= t; i++)
		level = c->steps[i].level;
	return level;
}

/* High and low parts of exponential length, drawn one after the other. */
static double curve_bursts(const struct sim *s, struct sim_thread *t, const struct curve *c)
{
	while (s->t_ns >= t->burst_until_ns) {
		if (t->bursts)
			t->burst_on = !t->burst_on;
		double mean = (double)(t->burst_on ? c->on_ns : c->period_ns - c->on_ns);
		double length = -mean * log(1 - sim_random(s, t->key ^ 0xb0, ++t->bursts));
		t->burst_until_ns += (int64_t)fmax(length, (double)SIM_GRID_NS);
	}
	return t->burst_on ? c->hi : c->lo;
}

static double curve_level(const struct sim *s, struct sim_thread *t)
{
	const struct curve *c = t->curve;
	int64_t since = s->t_ns - t->curve_since_ns + c->phase_ns;
	switch (c->kind) {
	case CURVE_STEADY:
		return c->hi;
	case CURVE_STEPS:
		return curve_steps(c, since);
	case CURVE_SQUARE:
		return since % c->period_ns < c->on_ns ? c->hi : c->lo;
	case CURVE_WAVE:
		return c->lo + (c->hi - c->lo) * (.5 - .5 * cos(2 * M_PI * (double)(since % c->period_ns) /
								    (double)c->period_ns));
	case CURVE_BURSTS:
		return curve_bursts(s, t, c);
	case CURVE_TRACE:
		return (double)c->trace[s->trace_at];
	}
	return 0;
}

/* Drawn each second. */
static double noise_of(const struct sim *s, struct sim_thread *t)
{
	int64_t second = s->t_ns / 1000000000;
	if (t->noise_second != second) {
		t->noise_second = second;
		t->noise = sim_normal(s, t->key, (uint64_t)second);
	}
	return t->noise;
}

static double thread_want(const struct sim *s, struct sim_thread *t)
{
	if (!t->live || !t->curve)
		return 0;
	double level = curve_level(s, t);
	if (t->curve->noise > 0)
		level *= 1 + t->curve->noise * noise_of(s, t);
	return fmin(1, fmax(0, level));
}

void cpu_start_curve(struct sim *s, struct sim_thread *t, const struct curve *c)
{
	t->curve = c;
	t->curve_since_ns = t->burst_until_ns = s->t_ns;
	t->bursts = 0;
	t->burst_on = false;
	t->want = thread_want(s, t);
	if (t->pcpu >= 0)
		s->pcpus[t->pcpu].dirty = true;
}

double cpu_wants(const struct sim *s, const struct sim_thread *t)
{
	return t->pcpu < 0 ? t->want : fmin(1, t->want / s->pcpus[t->pcpu].capacity);
}

/* What a thread adds to the load of its pCPU in the eyes of the kernel. */
double cpu_load(const struct sim *s, const struct sim_thread *t)
{
	if (!t->live)
		return 0;
	return t->backlog_ns > POOL_BACKLOG_NS ? t->quota : fmin(cpu_wants(s, t), t->quota);
}

void cpu_put(struct sim *s, int thread, int pcpu)
{
	struct sim_thread *t = &s->threads[thread];
	if (t->pcpu == pcpu)
		return;
	s->regroup |= !t->floating || t->pcpu < 0 || pcpu < 0;
	if (t->pcpu >= 0) {
		struct sim_pcpu *old = &s->pcpus[t->pcpu];
		int *link = &old->first;
		while (*link != thread)
			link = &s->threads[*link].next;
		*link = t->next;
		old->dirty = true;
		old->load -= cpu_load(s, t);
	}
	t->pcpu = pcpu;
	t->next = -1;
	if (pcpu >= 0) {
		struct sim_pcpu *p = &s->pcpus[pcpu];
		t->next = p->first;
		p->first = thread;
		p->dirty = true;
		p->load += cpu_load(s, t);
	}
}

/* Where the kernel lets it run: its affinity, without isolated pCPUs unless there are no others; all pCPUs
 * when the affinity went offline as a whole. */
struct cpuset cpu_room(const struct sim *s, const struct sim_thread *t)
{
	struct cpuset room = t->affinity;
	cpuset_and(&room, &s->usable);
	if (cpuset_empty(&room)) {
		room = t->affinity;
		cpuset_and(&room, &s->online);
	}
	return cpuset_empty(&room) ? s->usable : room;
}

struct cpuset sim_affinity(const struct sim *s, const struct sim_thread *t)
{
	struct cpuset cpus = t->affinity;
	cpuset_and(&cpus, &s->online);
	return cpuset_empty(&cpus) ? s->online : cpus;
}

static double core_load(const struct sim *s, int pcpu)
{
	double sum = s->pcpus[pcpu].load;
	for (int i = s->pcpus[pcpu].sibling; i != pcpu; i = s->pcpus[i].sibling)
		sum += s->pcpus[i].load;
	return sum;
}

/* A larger pCPU before a lesser one, and an idle core before an idle thread of a busy one. */
static bool idler(const struct sim *s, int a, int b)
{
	double x = s->pcpus[a].load, y = s->pcpus[b].load;
	if (x > y + 1e-9 || x < y - 1e-9)
		return x < y;
	double larger = s->pcpus[a].capacity - s->pcpus[b].capacity;
	return larger > 0 || (larger >= 0 && core_load(s, a) < core_load(s, b) - 1e-9);
}

static int idlest(const struct sim *s, const struct cpuset *room)
{
	int best = -1;
	CPUSET_EACH(cpu, room)
	{
		int i = s->by_id[cpu];
		if (best < 0 || idler(s, i, best))
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
static int unbalanced(struct sim *s, const struct sim_thread *t, const struct cpuset *room)
{
	int n = t->pcpu < 0 ? 0 : s->dealt++ % cpuset_count(room);
	return s->by_id[nth_cpu(room, n)];
}

void cpu_place(struct sim *s, int thread)
{
	struct sim_thread *t = &s->threads[thread];
	struct cpuset room = cpu_room(s, t);
	bool balanced = cpuset_subset(&room, &s->usable);
	s->regroup = true;
	t->floating = s->scn->balance_ns && balanced && t->kind != THREAD_HOST && cpuset_count(&room) > 1;
	if (t->pcpu < 0 || !cpuset_has(&room, s->pcpus[t->pcpu].is->id))
		cpu_put(s, thread, balanced ? idlest(s, &room) : unbalanced(s, t, &room));
}

/* Where a thread that floats was seen last: it moves now and then without need, as after a wake-up, and all
 * the time where it waits. */
static void drift(struct sim *s, int thread)
{
	struct sim_thread *t = &s->threads[thread];
	uint64_t tick = (uint64_t)(s->t_ns / SIM_GRID_NS);
	if (sim_random(s, t->key ^ 0xd1, tick) > .01 + fmin(.4, 4 * t->wait))
		return;
	struct cpuset room = cpu_room(s, t);
	int n = (int)(sim_random(s, t->key ^ 0xd2, tick) * cpuset_count(&room));
	int to = s->by_id[nth_cpu(&room, n)];
	double there = s->pcpus[to].load + cpu_load(s, t);
	bool fits = s->pcpus[to].capacity >= s->pcpus[t->pcpu].capacity || cpu_load(s, t) < .5;
	if (fits && (there <= .9 || there <= s->pcpus[t->pcpu].load))
		cpu_put(s, thread, to);
}

/* Who needs all of a lesser pCPU gets a larger one that is idle. */
static bool pull_up(struct sim *s, int thread)
{
	struct sim_thread *t = &s->threads[thread];
	const struct sim_pcpu *here = &s->pcpus[t->pcpu];
	if (here->capacity >= 1 || cpu_load(s, t) < .8)
		return false;
	struct cpuset room = cpu_room(s, t);
	int to = idlest(s, &room);
	if (to < 0 || s->pcpus[to].capacity <= here->capacity || s->pcpus[to].load > .1)
		return false;
	cpu_put(s, thread, to);
	return true;
}

/* One thread, if its pCPU is clearly busier than the best one it may use. */
static bool pull(struct sim *s, int thread, double least)
{
	struct sim_thread *t = &s->threads[thread];
	double here = s->pcpus[t->pcpu].load, own = cpu_load(s, t);
	if (here - least - own <= .1)
		return false;
	struct cpuset room = cpu_room(s, t);
	int to = idlest(s, &room);
	if (to < 0 || here - s->pcpus[to].load - own <= .1)
		return false;
	cpu_put(s, thread, to);
	return true;
}

static void balance(struct sim *s)
{
	size_t start = (size_t)(s->t_ns / SIM_GRID_NS) % s->n_threads;
	int best = idlest(s, &s->usable);
	for (size_t k = 0; k < s->n_threads; k++) {
		size_t i = (start + k) % s->n_threads;
		struct sim_thread *t = &s->threads[i];
		if (!t->live || !t->floating || t->pcpu < 0)
			continue;
		if (pull_up(s, (int)i) || pull(s, (int)i, s->pcpus[best].load))
			best = idlest(s, &s->usable);
		else
			drift(s, (int)i);
	}
}

void cpu_tick(struct sim *s)
{
	for (size_t i = 0; i < s->n_pcpus; i++)
		s->pcpus[i].load = 0;
	for (size_t i = 0; i < s->n_threads; i++) {
		struct sim_thread *t = &s->threads[i];
		double want = thread_want(s, t);
		if (t->pcpu >= 0 && want != t->want)
			s->pcpus[t->pcpu].dirty = true;
		t->want = want;
		if (t->pcpu >= 0)
			s->pcpus[t->pcpu].load += cpu_load(s, t);
	}
	if (s->scn->balance_ns && s->t_ns >= s->balance_ns) {
		s->balance_ns = s->t_ns + s->scn->balance_ns;
		balance(s);
	}
}

/* Serves an open loop; returns the time it ran. */
static double run_open(struct sim *s, struct sim_thread *t, double dt_ns)
{
	double work = t->backlog_ns + cpu_wants(s, t) * dt_ns, ran = fmin(work, t->run * dt_ns);
	double left = fmin(work - ran, t->kind == THREAD_VCPU ? backlog_max_ns : 0);
	if ((left > POOL_BACKLOG_NS) != (t->backlog_ns > POOL_BACKLOG_NS))
		s->pcpus[t->pcpu].dirty = true;
	t->backlog_ns = left;
	return ran;
}

void cpu_run(struct sim *s, double dt_ns)
{
	for (size_t i = 0; i < s->n_pcpus; i++)
		if (s->pcpus[i].online) {
			s->pcpus[i].busy_ns += s->pcpus[i].busy * dt_ns;
			s->pcpus[i].idle_ns += (1 - s->pcpus[i].busy) * dt_ns;
		}
	fault_run(s, dt_ns);
	for (size_t i = 0; i < s->n_threads; i++) {
		struct sim_thread *t = &s->threads[i];
		if (!t->live || t->pcpu < 0 || (t->run <= 0 && t->wait <= 0))
			continue;
		struct sim_pcpu *p = &s->pcpus[t->pcpu];
		double ran = t->curve->open ? run_open(s, t, dt_ns) : t->run * dt_ns;
		t->time_ns += ran;
		t->delay_ns += t->wait * dt_ns;
		p->busy_ns += ran - t->run * dt_ns; /* the end of a backlog */
		p->idle_ns -= ran - t->run * dt_ns;
		if (t->kind == THREAD_VCPU) {
			s->report.work_vcpu_s += ran * p->capacity / 1e9;
			s->report.waiting_vcpu_s += t->wait * dt_ns / 1e9;
			if (t->run < .9 * fmin(cpu_wants(s, t), t->quota))
				s->report.starved_vcpu_s += dt_ns / 1e9;
		}
	}
}

double cpu_stddev_pct(const struct sim *s)
{
	double sum = 0, squares = 0;
	int n = 0;
	CPUSET_EACH(cpu, &s->usable)
	{
		double load = 0;
		for (int i = s->pcpus[s->by_id[cpu]].first; i >= 0; i = s->threads[i].next)
			if (s->threads[i].live)
				load += 100 * fmin(cpu_wants(s, &s->threads[i]), s->threads[i].quota);
		sum += load;
		squares += load * load;
		n++;
	}
	return n ? sqrt(fmax(0, squares / n - sum / n * (sum / n))) : 0;
}
