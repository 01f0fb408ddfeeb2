/* SPDX-License-Identifier: MIT */
/* The host block of a scenario: pCPUs, topology, memory, what the host does itself. Invariant: a pCPU that is
 * named exists by then. Must not know how anything is simulated. */
#include <stdio.h>
#include <string.h>

#include "scenario_text.h"

static bool read_pcpus(struct reader *reader)
{
	struct scenario *scn = reader->scn;
	struct cpuset set;
	const char *w = reader_peek(reader);
	int n;
	if (w && !strpbrk(w, "-,")) {
		if (!want_int(reader, &n, 1, CPUSET_CPUS))
			return false;
		cpuset_fill(&set, n);
	} else if (!want_cpus(reader, &set)) {
		return false;
	}
	scn->n_pcpus = 0;
	CPUSET_EACH(cpu, &set)
	scn->pcpus[scn->n_pcpus++] = (struct scn_pcpu){.id = cpu, .core = -1, .llc = -1};
	return true;
}

static struct scn_pcpu *find_pcpu(struct scenario *scn, int id)
{
	for (size_t i = 0; i < scn->n_pcpus; i++)
		if (scn->pcpus[i].id == id)
			return &scn->pcpus[i];
	return NULL;
}

/* Calls put(pcpu, value) for each pCPU of the list that comes next. */
static bool for_pcpus(struct reader *reader, void (*put)(struct scn_pcpu *pcpu, int v), int value)
{
	struct cpuset set;
	if (!want_cpus(reader, &set))
		return false;
	CPUSET_EACH(cpu, &set)
	{
		struct scn_pcpu *pcpu = find_pcpu(reader->scn, cpu);
		if (!pcpu)
			return reader_fail(
				reader, "the host has no pCPU %d (put the line `pcpus` first)", cpu);
		put(pcpu, value);
	}
	return true;
}

static void put_node(struct scn_pcpu *pcpu, int v)
{
	pcpu->node = v;
}

static void put_llc(struct scn_pcpu *pcpu, int v)
{
	pcpu->llc = v;
}

static void put_core(struct scn_pcpu *pcpu, int v)
{
	pcpu->core = v;
}

static void put_offline(struct scn_pcpu *pcpu, int v)
{
	pcpu->offline = v;
}

static void put_isolated(struct scn_pcpu *pcpu, int v)
{
	pcpu->isolated = v;
}

static void put_nohz_full(struct scn_pcpu *pcpu, int v)
{
	pcpu->nohz_full = v;
}

static bool read_nodes(struct reader *reader)
{
	return want_int(reader, &reader->nodes, 1, MAX_NODES);
}

static bool read_node(struct reader *reader)
{
	int node;
	if (!want_int(reader, &node, 0, MAX_NODES - 1) || !for_pcpus(reader, put_node, node))
		return false;
	reader->node_lists = true;
	if ((size_t)node >= reader->scn->n_nodes)
		reader->scn->n_nodes = (size_t)node + 1;
	return !reader_accept(reader, "memory") || want_size(reader, &reader->scn->node_total_kib[node]);
}

static bool read_sockets(struct reader *reader)
{
	return want_int(reader, &reader->sockets, 1, MAX_NODES);
}

static bool read_llc(struct reader *reader)
{
	int n;
	if (!want_int(reader, &n, 1, CPUSET_CPUS))
		return false;
	reader->per_llc = n;
	return true;
}

static bool read_smt(struct reader *reader)
{
	if (!want_int(reader, &reader->threads, 1, 8))
		return false;
	reader->threads_apart = reader_accept(reader, "apart");
	return true;
}

static bool read_core(struct reader *reader)
{
	int core;
	return want_int(reader, &core, 0, CPUSET_CPUS - 1) && for_pcpus(reader, put_core, core);
}

static bool read_cache(struct reader *reader)
{
	int llc;
	return want_int(reader, &llc, 0, CPUSET_CPUS - 1) && for_pcpus(reader, put_llc, llc);
}

static bool read_offline(struct reader *reader)
{
	return for_pcpus(reader, put_offline, 1);
}

static bool read_isolated(struct reader *reader)
{
	return for_pcpus(reader, put_isolated, 1);
}

static bool read_nohz_full(struct reader *reader)
{
	return for_pcpus(reader, put_nohz_full, 1);
}

static void put_capacity(struct scn_pcpu *pcpu, int v)
{
	pcpu->capacity = v;
}

/* Who is not named is as large as there is. */
static bool read_capacity(struct reader *reader)
{
	double level;
	if (!want_level(reader, &level, 1) || (level < .01 && !reader_fail(reader, "less than 1 %%")) ||
		!for_pcpus(reader, put_capacity, (int)(level * PCPU_LARGEST + .5)))
		return false;
	for (size_t i = 0; i < reader->scn->n_pcpus; i++)
		if (!reader->scn->pcpus[i].capacity)
			reader->scn->pcpus[i].capacity = PCPU_LARGEST;
	return true;
}

static bool read_memory(struct reader *reader)
{
	return want_size(reader, &reader->scn->total_kib) &&
	       (reader->scn->total_kib >= 65536 || reader_fail(reader, "less than 64M"));
}

static bool read_swap(struct reader *reader)
{
	return want_size(reader, &reader->scn->swap_kib);
}

static bool read_used(struct reader *reader)
{
	return want_size(reader, &reader->scn->used_kib);
}

static bool read_background(struct reader *reader)
{
	struct scenario *scn = reader->scn;
	struct scn_background background;
	if (scn->n_background == SCN_BACKGROUNDS)
		return reader_fail(reader, "more than %d such lines", SCN_BACKGROUNDS);
	if (!want_set(reader, &background.set) || !want_open_curve(reader, &background.curve))
		return false;
	scn->background[scn->n_background++] = background;
	return true;
}

static bool read_balancer(struct reader *reader)
{
	if (reader_accept(reader, "off")) {
		reader->scn->balance_ns = 0;
		return true;
	}
	return want_time(reader, &reader->scn->balance_ns, false);
}

static bool read_cpu_shares(struct reader *reader)
{
	reader->scn->cpu_shares = true;
	return true;
}

static bool read_name(struct reader *reader)
{
	const char *w = "";
	if (!want_word(reader, &w, "a name"))
		return false;
	snprintf(reader->scn->hostname, sizeof reader->scn->hostname, "%s", w);
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
void scenario_spread(struct reader *reader)
{
	struct scenario *scn = reader->scn;
	int m = (int)scn->n_pcpus, threads = reader->threads ? reader->threads : 1,
	    cores = (m + threads - 1) / threads;
	int sockets = reader->sockets ? reader->sockets : reader->nodes ? reader->nodes : 1;
	if (!reader->node_lists)
		scn->n_nodes = reader->nodes ? (size_t)reader->nodes : 1;
	for (int i = 0; i < m; i++) {
		struct scn_pcpu *pcpu = &scn->pcpus[i];
		int core = reader->threads_apart ? i % cores : i / threads;
		/* Whatever is shared is shared by whole cores. */
		int pos = reader->threads_apart ? core * threads : i;
		if (pcpu->core < 0)
			pcpu->core = core;
		if (!reader->node_lists)
			pcpu->node = (int)((int64_t)pos * (int64_t)scn->n_nodes / m);
		pcpu->socket = (int)((int64_t)pos * sockets / m);
		if (pcpu->llc < 0 && reader->per_llc)
			pcpu->llc = pos / (int)reader->per_llc;
		scn->has_llc = scn->has_llc || pcpu->llc >= 0;
	}
	for (size_t i = 0; i < scn->n_nodes; i++)
		if (!scn->node_total_kib[i])
			scn->node_total_kib[i] = scn->total_kib / (int64_t)scn->n_nodes;
}
