/* SPDX-License-Identifier: MIT */
/* Which threads share which pCPUs. The kernel spreads a thread that may float within milliseconds, much
 * faster than loads change here: the pCPUs that it may use serve it together, as one pool. The pools form
 * trees: a leaf is one pCPU with what is bound to it, above it are the sets that threads float over, each
 * within the next larger one. What a set serves of its own threads enters the set above as busy pCPUs.
 * Invariant: every placed thread is in exactly one pool. Must not know of samples and scenarios' text. */
#include <math.h>
#include <string.h>

#include "sim.h"

static bool crosses(const struct cpuset *a, const struct cpuset *b)
{
	return cpuset_intersects(a, b) && !cpuset_subset(a, b) && !cpuset_subset(b, a);
}

static int find_pool(const struct sim *sim, const struct cpuset *room)
{
	for (int i = sim->n_pools - 1; i >= (int)sim->n_pcpus; i--)
		if (cpuset_equal(&sim->pools[i].cpus, room))
			return i;
	return -1;
}

/* Sets that overlap without one lying within the other make no tree: the later one is widened. */
static int pool_of_room(struct sim *sim, struct cpuset room)
{
	int at = find_pool(sim, &room);
	if (at >= 0)
		return at;
	for (int i = (int)sim->n_pcpus; i < sim->n_pools; i++)
		if (crosses(&sim->pools[i].cpus, &room)) {
			cpuset_or(&room, &sim->pools[i].cpus);
			i = (int)sim->n_pcpus - 1;
		}
	at = find_pool(sim, &room);
	if (at >= 0)
		return at;
	sim->pools[sim->n_pools] =
		(struct sim_pool){.cpus = room, .servers = cpuset_count(&room), .first = -1, .parent = -1};
	return sim->n_pools++;
}

static void add_thread(struct sim *sim, int thread)
{
	struct sim_thread *t = &sim->threads[thread];
	int at = t->pcpu;
	if (t->floating) {
		struct cpuset room = cpu_room(sim, t);
		at = pool_of_room(sim, room);
	}
	t->pool = at;
	t->pool_next = sim->pools[at].first;
	sim->pools[at].first = thread;
}

/* Small sets first, so that each is served before those that hold it. */
static void sort_pools(struct sim *sim)
{
	int n = 0;
	for (int i = 0; i < sim->n_pools; i++) {
		int at = n++;
		for (; at > 0 && sim->pools[sim->by_size[at - 1]].servers > sim->pools[i].servers; at--)
			sim->by_size[at] = sim->by_size[at - 1];
		sim->by_size[at] = i;
	}
}

static void find_parents(struct sim *sim)
{
	for (int k = 0; k < sim->n_pools; k++) {
		struct sim_pool *pool = &sim->pools[sim->by_size[k]];
		int above = pool->servers > 1 ? k + 1 : (int)sim->n_pcpus;
		for (; pool->parent < 0 && above < sim->n_pools; above++)
			if (cpuset_subset(&pool->cpus, &sim->pools[sim->by_size[above]].cpus))
				pool->parent = sim->by_size[above];
	}
	for (int k = sim->n_pools - 1; k >= 0; k--) {
		struct sim_pool *pool = &sim->pools[sim->by_size[k]];
		pool->root = pool->parent < 0 ? sim->by_size[k] : sim->pools[pool->parent].root;
	}
}

static void regroup(struct sim *sim)
{
	sim->n_pools = (int)sim->n_pcpus;
	for (size_t i = 0; i < sim->n_pcpus; i++) {
		sim->pools[i] = (struct sim_pool){.servers = 1, .first = -1, .parent = -1};
		cpuset_add(&sim->pools[i].cpus, sim->pcpus[i].is->id);
		sim->pcpus[i].dirty = true;
	}
	for (size_t i = 0; i < sim->n_threads; i++)
		if (sim->threads[i].pcpu >= 0)
			add_thread(sim, (int)i);
	sort_pools(sim);
	find_parents(sim);
	sim->regroup = false;
}

/* Takes the sources of a pool off its list, into the scratch arrays. A source is what may want one pCPU: a
 * thread, or threads of a smaller pool that take turns on a pCPU of that pool; it goes by its first thread.
 */
static int gather(struct sim *sim, struct sim_pool *pool)
{
	int n = 0;
	for (int i = pool->first; i >= 0; i = sim->threads[i].pool_next) {
		struct sim_thread *thread = &sim->threads[i];
		thread->turn_next = -1;
		thread->turn_last = i;
		thread->run = thread->source = thread->live ? thread->duty : 0;
		if (thread->source > 0)
			sim->on[n++] = i;
	}
	for (int i = pool->from_below; i >= 0; i = sim->threads[i].source_next)
		sim->on[n++] = i;
	for (int i = 0; i < n; i++)
		sim->duty[i] = sim->threads[sim->on[i]].source;
	return n;
}

static void slow_down(struct sim *sim, int source, double factor)
{
	for (int i = source; i >= 0; i = sim->threads[i].turn_next)
		sim->threads[i].run *= factor;
}

static int by_source(const struct sim *sim, int a, int b)
{
	double x = sim->threads[a].source, y = sim->threads[b].source;
	return x != y ? (x > y ? -1 : 1) : a - b;
}

static void sort_sources(struct sim *sim, int n)
{
	for (int i = 1; i < n; i++) {
		int thread = sim->on[i], at = i;
		for (; at > 0 && by_source(sim, thread, sim->on[at - 1]) < 0; at--)
			sim->on[at] = sim->on[at - 1];
		sim->on[at] = thread;
	}
}

/* More sources than pCPUs: dealt to the pCPUs, the largest first, each to the one with the least. */
static int take_turns(struct sim *sim, int n, int servers)
{
	if (n <= servers)
		return n;
	sort_sources(sim, n);
	for (int i = servers; i < n; i++) {
		int least = 0;
		for (int k = 1; k < servers; k++)
			if (sim->threads[sim->on[k]].source < sim->threads[sim->on[least]].source)
				least = k;
		struct sim_thread *to = &sim->threads[sim->on[least]], *thread = &sim->threads[sim->on[i]];
		to->source = fmin(1, to->source + thread->source);
		sim->threads[to->turn_last].turn_next = sim->on[i];
		to->turn_last = thread->turn_last;
	}
	return servers;
}

static void pass_up(struct sim *sim, struct sim_pool *pool, int n)
{
	if (pool->parent < 0)
		return;
	struct sim_pool *up = &sim->pools[pool->parent];
	n = take_turns(sim, n, pool->servers);
	for (int i = 0; i < n; i++) {
		sim->threads[sim->on[i]].source_next = up->from_below;
		up->from_below = sim->on[i];
	}
}

static void by_weight(struct sim *sim, int n)
{
	for (int i = 0; i < n; i++)
		sim->wait[i] = sim->threads[sim->on[i]].weight;
	share_weighted(sim->duty, sim->wait, sim->run, sim->wait + n, n);
}

static void serve(struct sim *sim, struct sim_pool *pool)
{
	int n = gather(sim, pool);
	if (n > pool->servers) {
		share_pool(sim->duty, sim->run, n, pool->servers, sim->wait);
		if (sim->scn->cpu_shares)
			by_weight(sim, n);
		for (int i = 0; i < n; i++) {
			slow_down(sim, sim->on[i], sim->run[i] / sim->duty[i]);
			sim->threads[sim->on[i]].source = sim->run[i];
		}
	}
	pass_up(sim, pool, n);
}

static bool open_loop(const struct sim_thread *thread)
{
	return thread->curve->open && thread->backlog_ns <= POOL_BACKLOG_NS;
}

/* An open loop without backlog runs exactly what it wants; the closed loop that stands for it is found by
 * iteration, from below. Returns the largest change. */
static double adjust_open(struct sim *sim, const struct sim_pool *pool)
{
	double change = 0;
	for (int i = pool->first; i >= 0; i = sim->threads[i].pool_next) {
		struct sim_thread *thread = &sim->threads[i];
		if (!thread->live || thread->duty <= 0 || !open_loop(thread))
			continue;
		double gets = fmax(1e-6, thread->run / thread->duty);
		double duty = fmin(thread->quota, fmin(cpu_wants(sim, thread), thread->quota) / gets);
		change = fmax(change, fabs(duty - thread->duty));
		thread->duty = duty;
	}
	return change;
}

/* All trees that changed, once; those whose open loops are settled are done. */
static bool serve_changed(struct sim *sim)
{
	bool again = false;
	for (int k = 0; k < sim->n_pools; k++)
		sim->pools[k].from_below = -1;
	for (int k = 0; k < sim->n_pools; k++) {
		struct sim_pool *pool = &sim->pools[sim->by_size[k]];
		if (sim->pools[pool->root].changed)
			serve(sim, pool);
	}
	for (int k = 0; k < sim->n_pools; k++)
		sim->pools[k].unsettled = false;
	for (int k = 0; k < sim->n_pools; k++)
		if (sim->pools[sim->pools[k].root].changed && adjust_open(sim, &sim->pools[k]) > 1e-5)
			again = sim->pools[sim->pools[k].root].unsettled = true;
	for (int k = 0; k < sim->n_pools; k++)
		sim->pools[k].changed = sim->pools[k].unsettled;
	return again;
}

/* Rates of a thread once its pool is served; returns what it runs. */
static double rate(const struct sim *sim, struct sim_thread *thread)
{
	double want = cpu_wants(sim, thread);
	thread->wait = thread->duty > 0 ? fmax(0, 1 - thread->run / thread->duty) : 0;
	if (!thread->live || thread->duty <= 0)
		return thread->run = thread->wait = 0;
	if (open_loop(thread) && thread->run > want - POOL_TOLERANCE)
		thread->run = want;
	if (want > thread->quota) /* throttled time counts as waiting */
		thread->wait = fmax(thread->wait, 1 - thread->run / (thread->curve->open ? 1 : want));
	return thread->run;
}

/* A pCPU runs what was last seen there, until it is full; the rest ran where there was room. */
static void spread(struct sim *sim, const struct cpuset *cpus)
{
	double over = 0, room = 0;
	CPUSET_EACH(cpu, cpus)
	{
		double busy = sim->pcpus[sim->by_id[cpu]].busy;
		over += fmax(0, busy - 1);
		room += fmax(0, 1 - busy);
	}
	if (over <= 0 || room <= 0)
		return;
	double part = fmin(1, over / room), kept = fmax(0, over - room) / over;
	CPUSET_EACH(cpu, cpus)
	{
		struct sim_pcpu *pcpu = &sim->pcpus[sim->by_id[cpu]];
		pcpu->busy += pcpu->busy > 1 ? (kept - 1) * (pcpu->busy - 1) : part * (1 - pcpu->busy);
	}
}

static bool touched(const struct sim *sim, size_t thread)
{
	return sim->pools[sim->pools[sim->threads[thread].pool].root].touched;
}

static void settle(struct sim *sim)
{
	for (size_t i = 0; i < sim->n_pcpus; i++)
		sim->pcpus[i].busy = 0;
	for (size_t i = 0; i < sim->n_threads; i++)
		if (sim->threads[i].pcpu >= 0)
			sim->pcpus[sim->threads[i].pcpu].busy +=
				touched(sim, i) ? rate(sim, &sim->threads[i]) : sim->threads[i].run;
	for (int k = (int)sim->n_pcpus; k < sim->n_pools; k++)
		spread(sim, &sim->pools[sim->by_size[k]].cpus);
}

/* The weight of a VM's group is that of its runnable vCPUs together. */
static void weigh_groups(struct sim *sim)
{
	for (size_t i = 0; i < sim->n_threads; i++)
		sim->threads[i].weight = 100;
	for (size_t v = 0; v < sim->n_vms; v++) {
		const struct sim_vm *vm = &sim->vms[v];
		struct sim_thread *thread = &sim->threads[vm->first_thread];
		double busy = 0;
		for (int i = 0; i <= vm->n_slots; i++)
			busy += thread[i].pcpu >= 0 ? cpu_load(sim, &thread[i]) : 0;
		for (int i = 0; i <= vm->n_slots; i++)
			thread[i].weight = vm->fault[FAULT_WEIGHT] / fmax(1, busy);
	}
}

void pool_share(struct sim *sim)
{
	bool any = sim->regroup;
	int rounds = 0;
	if (sim->regroup)
		regroup(sim);
	for (int i = 0; i < sim->n_pools; i++)
		sim->pools[i].changed = sim->pools[i].touched = false;
	for (size_t i = 0; i < sim->n_pcpus; i++) {
		struct sim_pool *root = &sim->pools[sim->pools[i].root];
		any |= sim->pcpus[i].dirty;
		root->touched = root->changed |= sim->pcpus[i].dirty;
		sim->pcpus[i].dirty = false;
	}
	if (!any)
		return;
	if (sim->scn->cpu_shares) {
		weigh_groups(sim);
		for (int i = 0; i < sim->n_pools; i++)
			sim->pools[i].touched = sim->pools[i].changed = sim->pools[i].root == i;
	}
	for (size_t i = 0; i < sim->n_threads; i++)
		if (sim->threads[i].pcpu >= 0 && touched(sim, i))
			sim->threads[i].duty = cpu_load(sim, &sim->threads[i]);
	while (serve_changed(sim) && ++rounds < 60)
		;
	settle(sim);
}
