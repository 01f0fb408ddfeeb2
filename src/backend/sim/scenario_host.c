/* SPDX-License-Identifier: MIT */
/* The host block of a scenario: pCPUs, topology, memory, what the host does itself. Invariant: a pCPU that is
 * named exists by then. Must not know how anything is simulated. */
#include <stdio.h>
#include <string.h>

#include "scenario_text.h"

static bool read_pcpus(struct reader *r)
{
	struct scenario *s = r->s;
	struct cpuset set;
	const char *w = reader_peek(r);
	int n;
	if (w && !strpbrk(w, "-,")) {
		if (!want_int(r, &n, 1, CPUSET_CPUS))
			return false;
		cpuset_fill(&set, n);
	} else if (!want_cpus(r, &set)) {
		return false;
	}
	s->n_pcpus = 0;
	CPUSET_EACH(cpu, &set)
	s->pcpus[s->n_pcpus++] = (struct scn_pcpu){.id = cpu, .core = -1, .llc = -1};
	return true;
}

static struct scn_pcpu *find_pcpu(struct scenario *s, int id)
{
	for (size_t i = 0; i < s->n_pcpus; i++)
		if (s->pcpus[i].id == id)
			return &s->pcpus[i];
	return NULL;
}

/* Calls put(pcpu, value) for each pCPU of the list that comes next. */
static bool for_pcpus(struct reader *r, void (*put)(struct scn_pcpu *p, int v), int value)
{
	struct cpuset set;
	if (!want_cpus(r, &set))
		return false;
	CPUSET_EACH(cpu, &set)
	{
		struct scn_pcpu *p = find_pcpu(r->s, cpu);
		if (!p)
			return reader_fail(r, "the host has no pCPU %d (put the line `pcpus` first)", cpu);
		put(p, value);
	}
	return true;
}

static void put_node(struct scn_pcpu *p, int v)
{
	p->node = v;
}

static void put_llc(struct scn_pcpu *p, int v)
{
	p->llc = v;
}

static void put_core(struct scn_pcpu *p, int v)
{
	p->core = v;
}

static void put_offline(struct scn_pcpu *p, int v)
{
	p->offline = v;
}

static void put_isolated(struct scn_pcpu *p, int v)
{
	p->isolated = v;
}

static void put_nohz_full(struct scn_pcpu *p, int v)
{
	p->nohz_full = v;
}

static bool read_nodes(struct reader *r)
{
	return want_int(r, &r->nodes, 1, MAX_NODES);
}

static bool read_node(struct reader *r)
{
	int node;
	if (!want_int(r, &node, 0, MAX_NODES - 1) || !for_pcpus(r, put_node, node))
		return false;
	r->node_lists = true;
	if ((size_t)node >= r->s->n_nodes)
		r->s->n_nodes = (size_t)node + 1;
	return !reader_accept(r, "memory") || want_size(r, &r->s->node_total_kib[node]);
}

static bool read_sockets(struct reader *r)
{
	return want_int(r, &r->sockets, 1, MAX_NODES);
}

static bool read_llc(struct reader *r)
{
	int n;
	if (!want_int(r, &n, 1, CPUSET_CPUS))
		return false;
	r->per_llc = n;
	return true;
}

static bool read_smt(struct reader *r)
{
	if (!want_int(r, &r->threads, 1, 8))
		return false;
	r->threads_apart = reader_accept(r, "apart");
	return true;
}

static bool read_core(struct reader *r)
{
	int core;
	return want_int(r, &core, 0, CPUSET_CPUS - 1) && for_pcpus(r, put_core, core);
}

static bool read_cache(struct reader *r)
{
	int llc;
	return want_int(r, &llc, 0, CPUSET_CPUS - 1) && for_pcpus(r, put_llc, llc);
}

static bool read_offline(struct reader *r)
{
	return for_pcpus(r, put_offline, 1);
}

static bool read_isolated(struct reader *r)
{
	return for_pcpus(r, put_isolated, 1);
}

static bool read_nohz_full(struct reader *r)
{
	return for_pcpus(r, put_nohz_full, 1);
}

static void put_capacity(struct scn_pcpu *p, int v)
{
	p->capacity = v;
}

/* Who is not named is as large as there is. */
static bool read_capacity(struct reader *r)
{
	double level;
	if (!want_level(r, &level, 1) || (level < .01 && !reader_fail(r, "less than 1 %%")) ||
		!for_pcpus(r, put_capacity, (int)(level * PCPU_LARGEST + .5)))
		return false;
	for (size_t i = 0; i < r->s->n_pcpus; i++)
		if (!r->s->pcpus[i].capacity)
			r->s->pcpus[i].capacity = PCPU_LARGEST;
	return true;
}

static bool read_memory(struct reader *r)
{
	return want_size(r, &r->s->total_kib) &&
	       (r->s->total_kib >= 65536 || reader_fail(r, "less than 64M"));
}

static bool read_swap(struct reader *r)
{
	return want_size(r, &r->s->swap_kib);
}

static bool read_used(struct reader *r)
{
	return want_size(r, &r->s->used_kib);
}

static bool read_background(struct reader *r)
{
	struct scenario *s = r->s;
	struct scn_background b;
	if (s->n_background == SCN_BACKGROUNDS)
		return reader_fail(r, "more than %d such lines", SCN_BACKGROUNDS);
	if (!want_set(r, &b.set) || !want_open_curve(r, &b.curve))
		return false;
	s->background[s->n_background++] = b;
	return true;
}

static bool read_balancer(struct reader *r)
{
	if (reader_accept(r, "off")) {
		r->s->balance_ns = 0;
		return true;
	}
	return want_time(r, &r->s->balance_ns, false);
}

static bool read_cpu_shares(struct reader *r)
{
	r->s->cpu_shares = true;
	return true;
}

static bool read_name(struct reader *r)
{
	const char *w = "";
	if (!want_word(r, &w, "a name"))
		return false;
	snprintf(r->s->hostname, sizeof r->s->hostname, "%s", w);
	return true;
}

const struct statement scenario_host_statements[] = {
	{"name", "name HOSTNAME", read_name},
	{"pcpus", "pcpus NUMBER | CPULIST", read_pcpus},
	{"nodes", "nodes NUMBER", read_nodes},
	{"node", "node NUMBER CPULIST [memory SIZE]", read_node},
	{"sockets", "sockets NUMBER", read_sockets},
	{"llc", "llc NUMBER (of pCPUs that share a last-level cache)", read_llc},
	{"cache", "cache NUMBER CPULIST", read_cache},
	{"smt", "smt THREADS [apart]", read_smt},
	{"core", "core NUMBER CPULIST", read_core},
	{"offline", "offline CPULIST", read_offline},
	{"isolated", "isolated CPULIST", read_isolated},
	{"nohz_full", "nohz_full CPULIST", read_nohz_full},
	{"capacity", "capacity PERCENT CPULIST (of what the largest pCPUs do)", read_capacity},
	{"memory", "memory SIZE", read_memory},
	{"used", "used SIZE", read_used},
	{"swap", "swap SIZE", read_swap},
	{"background", "background CPULIST CURVE", read_background},
	{"balancer", "balancer off | TIME", read_balancer},
	{"cpu-shares", "cpu-shares", read_cpu_shares},
	{NULL, NULL, NULL},
};

/* Topology that was given as numbers: contiguous and even shares, in the order of the ids. */
void scenario_spread(struct reader *r)
{
	struct scenario *s = r->s;
	int m = (int)s->n_pcpus, threads = r->threads ? r->threads : 1, cores = (m + threads - 1) / threads;
	int sockets = r->sockets ? r->sockets : r->nodes ? r->nodes : 1;
	if (!r->node_lists)
		s->n_nodes = r->nodes ? (size_t)r->nodes : 1;
	for (int i = 0; i < m; i++) {
		struct scn_pcpu *p = &s->pcpus[i];
		int core = r->threads_apart ? i % cores : i / threads;
		/* Whatever is shared is shared by whole cores. */
		int pos = r->threads_apart ? core * threads : i;
		if (p->core < 0)
			p->core = core;
		if (!r->node_lists)
			p->node = (int)((int64_t)pos * (int64_t)s->n_nodes / m);
		p->socket = (int)((int64_t)pos * sockets / m);
		if (p->llc < 0 && r->per_llc)
			p->llc = pos / (int)r->per_llc;
		s->has_llc = s->has_llc || p->llc >= 0;
	}
	for (size_t i = 0; i < s->n_nodes; i++)
		if (!s->node_total_kib[i])
			s->node_total_kib[i] = s->total_kib / (int64_t)s->n_nodes;
}
