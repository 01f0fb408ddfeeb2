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

static int find_pool(const struct sim *s, const struct cpuset *room)
{
	for (int i = s->n_pools - 1; i >= (int)s->n_pcpus; i--)
		if (cpuset_equal(&s->pools[i].cpus, room))
			return i;
	return -1;
}

/* Sets that overlap without one lying within the other make no tree: the later one is widened. */
static int pool_of_room(struct sim *s, struct cpuset room)
{
	int at = find_pool(s, &room);
	if (at >= 0)
		return at;
	for (int i = (int)s->n_pcpus; i < s->n_pools; i++)
		if (crosses(&s->pools[i].cpus, &room)) {
			cpuset_or(&room, &s->pools[i].cpus);
			i = (int)s->n_pcpus - 1;
		}
	at = find_pool(s, &room);
	if (at >= 0)
		return at;
	s->pools[s->n_pools] =
		(struct sim_pool){.cpus = room, .servers = cpuset_count(&room), .first = -1, .parent = -1};
	return s->n_pools++;
}

static void add_thread(struct sim *s, int thread)
{
	struct sim_thread *t = &s->threads[thread];
	int at = t->pcpu;
	if (t->floating) {
		struct cpuset room = cpu_room(s, t);
		at = pool_of_room(s, room);
	}
	t->pool = at;
	t->pool_next = s->pools[at].first;
	s->pools[at].first = thread;
}

/* Small sets first, so that each is served before those that hold it. */
static void sort_pools(struct sim *s)
{
	int n = 0;
	for (int i = 0; i < s->n_pools; i++) {
		int at = n++;
		for (; at > 0 && s->pools[s->by_size[at - 1]].servers > s->pools[i].servers; at--)
			s->by_size[at] = s->by_size[at - 1];
		s->by_size[at] = i;
	}
}

static void find_parents(struct sim *s)
{
	for (int k = 0; k < s->n_pools; k++) {
		struct sim_pool *p = &s->pools[s->by_size[k]];
		int above = p->servers > 1 ? k + 1 : (int)s->n_pcpus;
		for (; p->parent < 0 && above < s->n_pools; above++)
			if (cpuset_subset(&p->cpus, &s->pools[s->by_size[above]].cpus))
				p->parent = s->by_size[above];
	}
	for (int k = s->n_pools - 1; k >= 0; k--) {
		struct sim_pool *p = &s->pools[s->by_size[k]];
		p->root = p->parent < 0 ? s->by_size[k] : s->pools[p->parent].root;
	}
}

static void regroup(struct sim *s)
{
	s->n_pools = (int)s->n_pcpus;
	for (size_t i = 0; i < s->n_pcpus; i++) {
		s->pools[i] = (struct sim_pool){.servers = 1, .first = -1, .parent = -1};
		cpuset_add(&s->pools[i].cpus, s->pcpus[i].is->id);
		s->pcpus[i].dirty = true;
	}
	for (size_t i = 0; i < s->n_threads; i++)
		if (s->threads[i].pcpu >= 0)
			add_thread(s, (int)i);
	sort_pools(s);
	find_parents(s);
	s->regroup = false;
}

/* Takes the sources of a pool off its list, into the scratch arrays. A source is what may want one pCPU: a
 * thread, or threads of a smaller pool that take turns on a pCPU of that pool; it goes by its first thread.
 */
static int gather(struct sim *s, struct sim_pool *p)
{
	int n = 0;
	for (int i = p->first; i >= 0; i = s->threads[i].pool_next) {
		struct sim_thread *t = &s->threads[i];
		t->turn_next = -1;
		t->turn_last = i;
		t->run = t->source = t->live ? t->duty : 0;
		if (t->source > 0)
			s->on[n++] = i;
	}
	for (int i = p->from_below; i >= 0; i = s->threads[i].source_next)
		s->on[n++] = i;
	for (int i = 0; i < n; i++)
		s->duty[i] = s->threads[s->on[i]].source;
	return n;
}

static void slow_down(struct sim *s, int source, double factor)
{
	for (int i = source; i >= 0; i = s->threads[i].turn_next)
		s->threads[i].run *= factor;
}

static int by_source(const struct sim *s, int a, int b)
{
	double x = s->threads[a].source, y = s->threads[b].source;
	return x != y ? (x > y ? -1 : 1) : a - b;
}

static void sort_sources(struct sim *s, int n)
{
	for (int i = 1; i < n; i++) {
		int thread = s->on[i], at = i;
		for (; at > 0 && by_source(s, thread, s->on[at - 1]) < 0; at--)
			s->on[at] = s->on[at - 1];
		s->on[at] = thread;
	}
}

/* More sources than pCPUs: dealt to the pCPUs, the largest first, each to the one with the least. */
static int take_turns(struct sim *s, int n, int servers)
{
	if (n <= servers)
		return n;
	sort_sources(s, n);
	for (int i = servers; i < n; i++) {
		int least = 0;
		for (int k = 1; k < servers; k++)
			if (s->threads[s->on[k]].source < s->threads[s->on[least]].source)
				least = k;
		struct sim_thread *to = &s->threads[s->on[least]], *t = &s->threads[s->on[i]];
		to->source = fmin(1, to->source + t->source);
		s->threads[to->turn_last].turn_next = s->on[i];
		to->turn_last = t->turn_last;
	}
	return servers;
}

static void pass_up(struct sim *s, struct sim_pool *p, int n)
{
	if (p->parent < 0)
		return;
	struct sim_pool *up = &s->pools[p->parent];
	n = take_turns(s, n, p->servers);
	for (int i = 0; i < n; i++) {
		s->threads[s->on[i]].source_next = up->from_below;
		up->from_below = s->on[i];
	}
}

static void by_weight(struct sim *s, int n)
{
	for (int i = 0; i < n; i++)
		s->wait[i] = s->threads[s->on[i]].weight;
	share_weighted(s->duty, s->wait, s->run, s->wait + n, n);
}

static void serve(struct sim *s, struct sim_pool *p)
{
	int n = gather(s, p);
	if (n > p->servers) {
		share_pool(s->duty, s->run, n, p->servers, s->wait);
		if (s->scn->cpu_shares)
			by_weight(s, n);
		for (int i = 0; i < n; i++) {
			slow_down(s, s->on[i], s->run[i] / s->duty[i]);
			s->threads[s->on[i]].source = s->run[i];
		}
	}
	pass_up(s, p, n);
}

static bool open_loop(const struct sim_thread *t)
{
	return t->curve->open && t->backlog_ns <= POOL_BACKLOG_NS;
}

/* An open loop without backlog runs exactly what it wants; the closed loop that stands for it is found by
 * iteration, from below. Returns the largest change. */
static double adjust_open(struct sim *s, const struct sim_pool *p)
{
	double change = 0;
	for (int i = p->first; i >= 0; i = s->threads[i].pool_next) {
		struct sim_thread *t = &s->threads[i];
		if (!t->live || t->duty <= 0 || !open_loop(t))
			continue;
		double gets = fmax(1e-6, t->run / t->duty);
		double duty = fmin(t->quota, fmin(cpu_wants(s, t), t->quota) / gets);
		change = fmax(change, fabs(duty - t->duty));
		t->duty = duty;
	}
	return change;
}

/* All trees that changed, once; those whose open loops are settled are done. */
static bool serve_changed(struct sim *s)
{
	bool again = false;
	for (int k = 0; k < s->n_pools; k++)
		s->pools[k].from_below = -1;
	for (int k = 0; k < s->n_pools; k++) {
		struct sim_pool *p = &s->pools[s->by_size[k]];
		if (s->pools[p->root].changed)
			serve(s, p);
	}
	for (int k = 0; k < s->n_pools; k++)
		s->pools[k].unsettled = false;
	for (int k = 0; k < s->n_pools; k++)
		if (s->pools[s->pools[k].root].changed && adjust_open(s, &s->pools[k]) > 1e-5)
			again = s->pools[s->pools[k].root].unsettled = true;
	for (int k = 0; k < s->n_pools; k++)
		s->pools[k].changed = s->pools[k].unsettled;
	return again;
}

/* Rates of a thread once its pool is served; returns what it runs. */
static double rate(const struct sim *s, struct sim_thread *t)
{
	double want = cpu_wants(s, t);
	t->wait = t->duty > 0 ? fmax(0, 1 - t->run / t->duty) : 0;
	if (!t->live || t->duty <= 0)
		return t->run = t->wait = 0;
	if (open_loop(t) && t->run > want - POOL_TOLERANCE)
		t->run = want;
	if (want > t->quota) /* throttled time counts as waiting */
		t->wait = fmax(t->wait, 1 - t->run / (t->curve->open ? 1 : want));
	return t->run;
}

/* A pCPU runs what was last seen there, until it is full; the rest ran where there was room. */
static void spread(struct sim *s, const struct cpuset *cpus)
{
	double over = 0, room = 0;
	CPUSET_EACH(cpu, cpus)
	{
		double busy = s->pcpus[s->by_id[cpu]].busy;
		over += fmax(0, busy - 1);
		room += fmax(0, 1 - busy);
	}
	if (over <= 0 || room <= 0)
		return;
	double part = fmin(1, over / room), kept = fmax(0, over - room) / over;
	CPUSET_EACH(cpu, cpus)
	{
		struct sim_pcpu *p = &s->pcpus[s->by_id[cpu]];
		p->busy += p->busy > 1 ? (kept - 1) * (p->busy - 1) : part * (1 - p->busy);
	}
}

static bool touched(const struct sim *s, size_t thread)
{
	return s->pools[s->pools[s->threads[thread].pool].root].touched;
}

static void settle(struct sim *s)
{
	for (size_t i = 0; i < s->n_pcpus; i++)
		s->pcpus[i].busy = 0;
	for (size_t i = 0; i < s->n_threads; i++)
		if (s->threads[i].pcpu >= 0)
			s->pcpus[s->threads[i].pcpu].busy +=
				touched(s, i) ? rate(s, &s->threads[i]) : s->threads[i].run;
	for (int k = (int)s->n_pcpus; k < s->n_pools; k++)
		spread(s, &s->pools[s->by_size[k]].cpus);
}

/* The weight of a VM's group is that of its runnable vCPUs together. */
static void weigh_groups(struct sim *s)
{
	for (size_t i = 0; i < s->n_threads; i++)
		s->threads[i].weight = 100;
	for (size_t v = 0; v < s->n_vms; v++) {
		const struct sim_vm *vm = &s->vms[v];
		struct sim_thread *t = &s->threads[vm->first_thread];
		double busy = 0;
		for (int i = 0; i <= vm->n_slots; i++)
			busy += t[i].pcpu >= 0 ? cpu_load(s, &t[i]) : 0;
		for (int i = 0; i <= vm->n_slots; i++)
			t[i].weight = vm->fault[FAULT_WEIGHT] / fmax(1, busy);
	}
}

void pool_share(struct sim *s)
{
	bool any = s->regroup;
	int rounds = 0;
	if (s->regroup)
		regroup(s);
	for (int i = 0; i < s->n_pools; i++)
		s->pools[i].changed = s->pools[i].touched = false;
	for (size_t i = 0; i < s->n_pcpus; i++) {
		struct sim_pool *root = &s->pools[s->pools[i].root];
		any |= s->pcpus[i].dirty;
		root->touched = root->changed |= s->pcpus[i].dirty;
		s->pcpus[i].dirty = false;
	}
	if (!any)
		return;
	if (s->scn->cpu_shares) {
		weigh_groups(s);
		for (int i = 0; i < s->n_pools; i++)
			s->pools[i].touched = s->pools[i].changed = s->pools[i].root == i;
	}
	for (size_t i = 0; i < s->n_threads; i++)
		if (s->threads[i].pcpu >= 0 && touched(s, i))
			s->threads[i].duty = cpu_load(s, &s->threads[i]);
	while (serve_changed(s) && ++rounds < 60)
		;
	settle(s);
}
