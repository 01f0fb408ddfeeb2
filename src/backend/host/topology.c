/* SPDX-License-Identifier: MIT */
/* The shape of a host from libvirt's capabilities XML. Invariant: core and llc numbers are dense and
 * host-wide, whatever numbering the XML has (core ids repeat per socket, bank ids per level). Must not know:
 * connections. */
#include "topology.h"

#include <stdlib.h>
#include <string.h>

#include "../xml.h"
#include "vmtop/err.h"
#include "vmtop/minmax.h"

enum { LEVEL_MOST = 9 };

void topology_done(struct topology *topo)
{
	free(topo->cpus);
	memset(topo, 0, sizeof *topo);
}

static bool read_list(xmlNodePtr node, const char *attr, struct cpuset *set)
{
	return xml_cpus(node, attr, set) && !cpuset_empty(set);
}

static int read_num(xmlNodePtr node, const char *attr)
{
	int64_t v;
	return xml_attr_num(node, attr, INT32_MAX, &v) ? (int)v : -1;
}

static size_t count_cpus(xmlNodePtr cells)
{
	size_t n = 0;
	XML_EACH(cell, cells, "cell")
	{
		xmlNodePtr cpus = xml_child(cell, "cpus");
		XML_EACH(cpu, cpus, "cpu")
		n++;
	}
	return n;
}

static void read_cpu(struct topology *topo, xmlNodePtr cpu, int node)
{
	struct topology_cpu *c = &topo->cpus[topo->n_cpus];
	struct cpuset siblings;
	*c = (struct topology_cpu){.id = read_num(cpu, "id"),
		.node = node,
		.socket = read_num(cpu, "socket_id"),
		.core = -1,
		.llc = -1};
	if (c->id < 0 || c->id >= CPUSET_CPUS)
		return;
	/* For now the lowest sibling stands for the core. */
	if (read_list(cpu, "siblings", &siblings))
		c->core = min_of(cpuset_first(&siblings), c->id);
	topo->n_cpus++;
}

static void read_cell(struct topology *topo, xmlNodePtr cell)
{
	int id = read_num(cell, "id");
	int64_t kib;
	xmlNodePtr cpus = xml_child(cell, "cpus");
	if (id >= 0 && id < MAX_NODES && topo->n_nodes < MAX_NODES) {
		bool has = xml_kib(xml_child(cell, "memory"), &kib);
		topo->nodes[topo->n_nodes++] =
			(struct topology_node){id, vi64_if(has, kib, AVAIL_UNSUPPORTED)};
	}
	XML_EACH(cpu, cpus, "cpu")
	read_cpu(topo, cpu, id < MAX_NODES ? id : -1);
}

static int by_id(const void *a, const void *b)
{
	const struct topology_cpu *x = a, *y = b;
	return (x->id > y->id) - (x->id < y->id);
}

static void sort_cpus(struct topology *topo)
{
	size_t n = 0;
	if (topo->n_cpus)
		qsort(topo->cpus, topo->n_cpus, sizeof *topo->cpus, by_id);
	for (size_t i = 0; i < topo->n_cpus; i++)
		if (!n || topo->cpus[n - 1].id != topo->cpus[i].id)
			topo->cpus[n++] = topo->cpus[i];
	topo->n_cpus = n;
}

/* From the lowest sibling to a dense number, in order of id. */
static void number_cores(struct topology *topo)
{
	int dense[CPUSET_CPUS], next = 0;
	memset(dense, -1, sizeof dense);
	for (size_t i = 0; i < topo->n_cpus; i++) {
		int *core = &topo->cpus[i].core;
		if (*core < 0)
			continue;
		if (dense[*core] < 0)
			dense[*core] = next++;
		*core = dense[*core];
	}
}

static int last_level(xmlNodePtr cache)
{
	int most = 0;
	XML_EACH(bank, cache, "bank")
	{
		int level = read_num(bank, "level");
		if (level > most && level <= LEVEL_MOST)
			most = level;
	}
	return most;
}

static void read_llc(struct topology *topo, xmlNodePtr cache)
{
	int level = last_level(cache), next = 0;
	XML_EACH(bank, cache, "bank")
	{
		struct cpuset cpus;
		if (level == 0 || read_num(bank, "level") != level || !read_list(bank, "cpus", &cpus))
			continue;
		bool any = false;
		for (size_t i = 0; i < topo->n_cpus; i++)
			if (cpuset_has(&cpus, topo->cpus[i].id) && topo->cpus[i].llc < 0) {
				topo->cpus[i].llc = next;
				any = true;
			}
		next += any; /* not for one of code beside one of data, or for pCPUs that are not here */
	}
	topo->has_llc = next > 0;
	for (size_t i = 0; i < topo->n_cpus; i++)
		if (topo->cpus[i].core >= 0 && topo->cpus[i].llc < 0)
			topo->has_llc = false;
}

int topology_parse(struct topology *topo, const char *capabilities, struct err *err)
{
	struct topology fresh = {0};
	xmlDocPtr doc = xml_read(capabilities, "capabilities", err);
	if (!doc)
		return -1;
	xmlNodePtr host = xml_child(xmlDocGetRootElement(doc), "host"),
		   cells = xml_path(host, "topology/cells");
	fresh.cpus = calloc(count_cpus(cells) + 1, sizeof *fresh.cpus);
	if (fresh.cpus) {
		XML_EACH(cell, cells, "cell")
		read_cell(&fresh, cell);
		sort_cpus(&fresh);
		number_cores(&fresh);
		read_llc(&fresh, xml_child(host, "cache"));
	}
	if (!xml_done(doc) || !fresh.cpus) {
		topology_done(&fresh);
		return err_set(err, ERR_NOMEM, "out of memory for the topology");
	}
	topology_done(topo);
	*topo = fresh;
	return 0;
}

static const struct topology_cpu *find_cpu(const struct topology *topo, int id)
{
	struct topology_cpu key = {.id = id};
	return topo->n_cpus ? bsearch(&key, topo->cpus, topo->n_cpus, sizeof key, by_id) : NULL;
}

void topology_apply(const struct topology *topo, struct sample *sample)
{
	for (size_t i = 0; i < sample->host.n_pcpus; i++) {
		struct pcpu_sample *pcpu = &sample->host.pcpus[i];
		const struct topology_cpu *cpu = find_cpu(topo, pcpu->id);
		if (!cpu)
			continue;
		pcpu->node = cpu->node;
		pcpu->socket = cpu->socket;
		pcpu->core = cpu->core;
		pcpu->llc = cpu->llc;
		pcpu->capacity = sample->host.local ? cpu->capacity : 0;
	}
	sample->host.has_llc = topo->has_llc;
	if (sample->host.n_nodes)
		return;
	for (size_t i = 0; i < topo->n_nodes; i++)
		sample->host.nodes[sample->host.n_nodes++] = (struct node_sample){
			topo->nodes[i].id, topo->nodes[i].total_kib, vi64_absent(AVAIL_REMOTE)};
}
