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

void topology_done(struct topology *t)
{
	free(t->cpus);
	memset(t, 0, sizeof *t);
}

static bool read_list(xmlNodePtr node, const char *attr, struct cpuset *s)
{
	return xml_cpus(node, attr, s) && !cpuset_empty(s);
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

static void read_cpu(struct topology *t, xmlNodePtr cpu, int node)
{
	struct topology_cpu *c = &t->cpus[t->n_cpus];
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
	t->n_cpus++;
}

static void read_cell(struct topology *t, xmlNodePtr cell)
{
	int id = read_num(cell, "id");
	int64_t kib;
	xmlNodePtr cpus = xml_child(cell, "cpus");
	if (id >= 0 && id < MAX_NODES && t->n_nodes < MAX_NODES) {
		bool has = xml_kib(xml_child(cell, "memory"), &kib);
		t->nodes[t->n_nodes++] =
			(struct topology_node){id, has ? vi64_ok(kib) : vi64_absent(AVAIL_UNSUPPORTED)};
	}
	XML_EACH(cpu, cpus, "cpu")
	read_cpu(t, cpu, id < MAX_NODES ? id : -1);
}

static int by_id(const void *a, const void *b)
{
	const struct topology_cpu *x = a, *y = b;
	return (x->id > y->id) - (x->id < y->id);
}

static void sort_cpus(struct topology *t)
{
	size_t n = 0;
	if (t->n_cpus)
		qsort(t->cpus, t->n_cpus, sizeof *t->cpus, by_id);
	for (size_t i = 0; i < t->n_cpus; i++)
		if (!n || t->cpus[n - 1].id != t->cpus[i].id)
			t->cpus[n++] = t->cpus[i];
	t->n_cpus = n;
}

/* From the lowest sibling to a dense number, in order of id. */
static void number_cores(struct topology *t)
{
	int dense[CPUSET_CPUS], next = 0;
	memset(dense, -1, sizeof dense);
	for (size_t i = 0; i < t->n_cpus; i++) {
		int *core = &t->cpus[i].core;
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

static void read_llc(struct topology *t, xmlNodePtr cache)
{
	int level = last_level(cache), next = 0;
	XML_EACH(bank, cache, "bank")
	{
		struct cpuset cpus;
		if (level == 0 || read_num(bank, "level") != level || !read_list(bank, "cpus", &cpus))
			continue;
		bool any = false;
		for (size_t i = 0; i < t->n_cpus; i++)
			if (cpuset_has(&cpus, t->cpus[i].id) && t->cpus[i].llc < 0) {
				t->cpus[i].llc = next;
				any = true;
			}
		next += any; /* not for one of code beside one of data, or for pCPUs that are not here */
	}
	t->has_llc = next > 0;
	for (size_t i = 0; i < t->n_cpus; i++)
		if (t->cpus[i].core >= 0 && t->cpus[i].llc < 0)
			t->has_llc = false;
}

int topology_parse(struct topology *t, const char *capabilities, struct err *e)
{
	struct topology fresh = {0};
	xmlDocPtr doc = xml_read(capabilities, "capabilities", e);
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
	xmlFreeDoc(doc);
	if (!fresh.cpus)
		return err_set(e, ERR_NOMEM, "out of memory for the topology");
	topology_done(t);
	*t = fresh;
	return 0;
}

static const struct topology_cpu *find_cpu(const struct topology *t, int id)
{
	struct topology_cpu key = {.id = id};
	return t->n_cpus ? bsearch(&key, t->cpus, t->n_cpus, sizeof key, by_id) : NULL;
}

void topology_apply(const struct topology *t, struct sample *s)
{
	for (size_t i = 0; i < s->host.n_pcpus; i++) {
		struct pcpu_sample *p = &s->host.pcpus[i];
		const struct topology_cpu *c = find_cpu(t, p->id);
		if (!c)
			continue;
		p->node = c->node;
		p->socket = c->socket;
		p->core = c->core;
		p->llc = c->llc;
		p->capacity = s->host.local ? c->capacity : 0;
	}
	s->host.has_llc = t->has_llc;
	if (s->host.n_nodes)
		return;
	for (size_t i = 0; i < t->n_nodes; i++)
		s->host.nodes[s->host.n_nodes++] = (struct node_sample){
			t->nodes[i].id, t->nodes[i].total_kib, vi64_absent(AVAIL_REMOTE)};
}
