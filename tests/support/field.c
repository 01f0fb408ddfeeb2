/* SPDX-License-Identifier: MIT */
/* From a row to a machine, and from that to what is told of it. Invariant: ids, nodes, cores and caches are
 * computed here alone, so that sysfs, capabilities and scenario are of one machine. */
#include "support/field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/proctree.h"

enum { LIST_BYTES = CPUSET_CPUS * 5, NODE_GIB = 32 };

/* ---- the machine ---- */

static int by_id(const void *a, const void *b)
{
	const struct field_cpu *x = a, *y = b;
	return (x->id > y->id) - (x->id < y->id);
}

static int step(const struct field_kind *k)
{
	return k->node_step ? k->node_step : 1;
}

static void add_core(struct field *f, int socket, int core)
{
	const struct field_kind *k = f->kind;
	int cores = k->cores + k->lesser, threads = core < k->cores ? k->threads : 1;
	int per_socket = k->cores * k->threads + k->lesser, stride = k->stride ? k->stride : per_socket;
	int in_socket = core < k->cores ? core * threads : k->cores * k->threads + core - k->cores;
	for (int t = 0; t < threads; t++) {
		int id = k->apart ? t * k->sockets * cores + socket * cores + core
				  : socket * stride + in_socket + t;
		f->cpus[f->n_cpus++] = (struct field_cpu){.id = k->first + id,
			.node = (socket * k->nodes + core * k->nodes / cores) * step(k),
			.socket = socket,
			.core = socket * cores + core,
			.cache = k->caches ? socket * k->caches + core * k->caches / cores : -1,
			.thread = t,
			.online = !k->threads_on || t < k->threads_on,
			.lesser = core >= k->cores};
	}
}

static void parse(struct cpuset *s, const char *list)
{
	cpuset_clear(s);
	if (list)
		assert_int_equal(cpuset_parse(s, list, NULL), 0);
}

void field_make(struct field *f, const struct field_kind *kind)
{
	struct cpuset off;
	memset(f, 0, sizeof *f);
	f->kind = kind;
	for (int s = 0; s < kind->sockets; s++)
		for (int c = 0; c < kind->cores + kind->lesser; c++)
			add_core(f, s, c);
	f->cores = kind->sockets * (kind->cores + kind->lesser);
	f->caches = kind->sockets * kind->caches;
	f->nodes = kind->nodes ? kind->sockets * kind->nodes : 1;
	qsort(f->cpus, f->n_cpus, sizeof *f->cpus, by_id);
	parse(&off, kind->offline);
	for (size_t i = 0; i < f->n_cpus; i++)
		f->cpus[i].online &= !cpuset_has(&off, f->cpus[i].id);
}

void field_usable(const struct field *f, struct cpuset *s)
{
	struct cpuset away, group;
	cpuset_clear(s);
	for (size_t i = 0; i < f->n_cpus; i++)
		if (f->cpus[i].online)
			cpuset_add(s, f->cpus[i].id);
	parse(&away, f->kind->isolated);
	cpuset_andnot(s, &away);
	parse(&away, f->kind->isolated_by_group);
	cpuset_andnot(s, &away);
	parse(&group, f->kind->group_cpus);
	if (!cpuset_empty(&group))
		cpuset_and(s, &group);
}

int field_place(const struct field *f, const struct field_guest *g, int vcpu)
{
	struct cpuset s;
	int nth = 0, n;
	if (g->on)
		parse(&s, g->on);
	else
		field_usable(f, &s);
	n = cpuset_count(&s);
	vcpu = g->on ? vcpu % n : n - 1 - vcpu % n;
	CPUSET_EACH(cpu, &s)
	if (nth++ == vcpu)
		return cpu;
	return -1;
}

/* pCPUs that pick() takes, as a list. */
static const char *list_of(const struct field *f, bool (*pick)(const struct field_cpu *c, int of), int of)
{
	static char text[LIST_BYTES];
	struct cpuset s;
	cpuset_clear(&s);
	for (size_t i = 0; i < f->n_cpus; i++)
		if (pick(&f->cpus[i], of))
			cpuset_add(&s, f->cpus[i].id);
	cpuset_format(&s, text, sizeof text);
	return text;
}

static bool of_core(const struct field_cpu *c, int core)
{
	return c->core == core && c->online;
}

static bool of_cache(const struct field_cpu *c, int cache)
{
	return c->cache == cache && c->online;
}

static bool of_node(const struct field_cpu *c, int node)
{
	return c->node == node;
}

/* The kernel leaves out what is offline, and so does libvirt. */
static bool on_node(const struct field_cpu *c, int node)
{
	return c->node == node && c->online;
}

static bool is_online(const struct field_cpu *c, int on)
{
	return c->online == on;
}

static bool is_lesser(const struct field_cpu *c, int lesser)
{
	return c->lesser == lesser;
}

static bool is_any(const struct field_cpu *c, int of)
{
	(void)c;
	(void)of;
	return true;
}

/* ---- where guests may be ---- */

int field_plan_fits(const struct field *f, const struct snapshot *s, const char *room)
{
	struct cpuset may, mine;
	int n = 0;
	field_usable(f, &may);
	parse(&mine, room);
	for (size_t i = 0; i < s->n_actions; i++) {
		const struct action *a = &s->actions[i];
		const char *name = s->sample.vms[a->vm].name;
		bool db = strcmp(name, "db") == 0;
		char to[200];
		if (a->kind != ACTION_PIN)
			continue;
		cpuset_format(&a->to, to, sizeof to);
		if (cpuset_empty(&a->to) || !cpuset_subset(&a->to, &may) ||
			(db && !cpuset_subset(&a->to, &mine)))
			fail_msg("%s: %s is pinned to %s: %s", f->kind->name, name, to, a->why.text);
		n += db;
	}
	return n;
}

static int core_of(const struct field *f, int cpu)
{
	for (size_t i = 0; i < f->n_cpus; i++)
		if (f->cpus[i].id == cpu)
			return f->cpus[i].core;
	return -1;
}

void field_cores_apart(const struct field *f, const struct sample *s, const char *guest)
{
	int taken[CPUSET_CPUS] = {0};
	for (size_t i = 0; i < s->n_vms; i++)
		for (size_t v = 0; strcmp(s->vms[i].name, guest) == 0 && v < s->vms[i].n_vcpus; v++) {
			int cpu = (int)s->vcpus[s->vms[i].first_vcpu + v].pcpu.v, core = core_of(f, cpu);
			if (core < 0 || taken[core]++)
				fail_msg("%s: pCPU %d has a vCPU of %s beside another", f->kind->name, cpu,
					guest);
		}
}

/* ---- what libvirt tells ---- */

static void put_cells(const struct field *f, FILE *to)
{
	struct cpuset far;
	parse(&far, f->kind->far_nodes);
	fprintf(to, "<topology><cells num='%d'>", f->nodes + cpuset_count(&far));
	for (int n = 0; n < f->nodes; n++) {
		fprintf(to, "<cell id='%d'><memory unit='KiB'>%d</memory><cpus>\n", n * step(f->kind),
			NODE_GIB << 20);
		for (size_t i = 0; i < f->n_cpus; i++) {
			const struct field_cpu *c = &f->cpus[i];
			if (c->node == n * step(f->kind) && c->online)
				fprintf(to,
					"<cpu id='%d' socket_id='%d' die_id='0' core_id='%d' siblings='%s'/>\n",
					c->id, c->socket, c->core % (f->cores / f->kind->sockets),
					list_of(f, of_core, c->core));
		}
		fputs("</cpus></cell>\n", to);
	}
	CPUSET_EACH(id, &far)
	fprintf(to, "<cell id='%d'><memory unit='KiB'>%d</memory><cpus num='0'></cpus></cell>\n", id,
		NODE_GIB << 20);
	fputs("</cells></topology>\n", to);
}

char *field_capabilities(const struct field *f)
{
	char *text = NULL;
	size_t n;
	FILE *to = open_memstream(&text, &n);
	assert_non_null(to);
	fprintf(to, "<capabilities><host><cpu><arch>%s</arch></cpu>", f->kind->arch);
	put_cells(f, to);
	fputs("<cache>", to);
	for (int c = 0; c < f->caches; c++)
		fprintf(to, "<bank id='%d' level='3' type='both' size='32' unit='MiB' cpus='%s'/>\n", c,
			list_of(f, of_cache, c));
	fputs("</cache></host></capabilities>\n", to);
	fclose(to);
	return text;
}

char *field_node_xml(const struct field *f)
{
	char *text = NULL;
	size_t n;
	FILE *to = open_memstream(&text, &n);
	assert_non_null(to);
	fprintf(to,
		"<node><cpu><mhz>2000</mhz><model>%s</model><active>%zu</active><nodes>1</nodes>"
		"<sockets>1</sockets><cores>%zu</cores><threads>1</threads></cpu><memory>8388608</memory>\n",
		f->kind->arch, f->n_cpus, f->n_cpus);
	for (int i = 0; i < FIELD_GUESTS && f->kind->guests[i].name; i++)
		fprintf(to,
			"<domain type='test'><name>%s</name><uuid>%08x-0000-4000-8000-00000000000%d</uuid>"
			"<memory>1048576</memory><vcpu>%d</vcpu><os><type>hvm</type></os></domain>\n",
			f->kind->guests[i].name, i + 1, i, f->kind->guests[i].vcpus);
	fputs("</node>\n", to);
	fclose(to);
	return text;
}

/* ---- the simulator ---- */

static void put_topology(const struct field *f, FILE *to)
{
	const struct field_kind *k = f->kind;
	fprintf(to, "title %s\nhost\n\tpcpus %s\n", k->what, list_of(f, is_any, 0));
	fprintf(to, "\tmemory %dG\n\tsockets %d\n", f->nodes * NODE_GIB, k->sockets);
	for (int n = 0; n < f->nodes; n++)
		fprintf(to, "\tnode %d %s memory %dG\n", n * step(f->kind),
			list_of(f, of_node, n * step(f->kind)), NODE_GIB);
	for (int c = 0; c < f->cores; c++)
		if (*list_of(f, of_core, c))
			fprintf(to, "\tcore %d %s\n", c, list_of(f, of_core, c));
	for (int c = 0; c < f->caches; c++)
		fprintf(to, "\tcache %d %s\n", c, list_of(f, of_cache, c));
	if (k->threads_on || k->offline)
		fprintf(to, "\toffline %s\n", list_of(f, is_online, false));
	if (k->isolated)
		fprintf(to, "\tisolated %s\n", k->isolated);
	if (k->isolated_by_group)
		fprintf(to, "\tisolated %s\n", k->isolated_by_group);
	if (k->nohz_full && *k->nohz_full)
		fprintf(to, "\tnohz_full %s\n", k->nohz_full);
	if (k->lesser)
		fprintf(to, "\tcapacity %d%% %s\n",
			k->rating ? 100 * k->lesser_rating / k->rating : 100 * k->lesser_khz / k->khz,
			list_of(f, is_lesser, true));
}

char *field_scenario(const struct field *f)
{
	char *text = NULL;
	size_t n;
	FILE *to = open_memstream(&text, &n);
	assert_non_null(to);
	put_topology(f, to);
	for (int i = 0; i < FIELD_GUESTS && f->kind->guests[i].name; i++) {
		const struct field_guest *g = &f->kind->guests[i];
		fprintf(to, "vm %s\n\tvcpus %d\n\tload %d%%\n", g->name, g->vcpus, g->load_pct);
		if (f->kind->group_cpus)
			fprintf(to, "\tcpuset %s\n", f->kind->group_cpus);
		for (int v = 0; g->on && v < g->vcpus; v++)
			fprintf(to, "\tpin vcpu %d %d\n", v, field_place(f, g, v));
	}
	fclose(to);
	return text;
}

/* ---- the machine itself ---- */

__attribute__((format(printf, 3, 4))) static void put(
	const struct field *f, const char *text, const char *path, ...)
{
	char file[300], line[LIST_BYTES + 2];
	va_list args;
	va_start(args, path);
	vsnprintf(file, sizeof file, path, args);
	va_end(args);
	snprintf(line, sizeof line, "%s\n", text);
	proctree_write(f->root, file, line, -1);
}

static const char *number(int v)
{
	static char text[16];
	snprintf(text, sizeof text, "%d", v);
	return text;
}

#define CPU  "sys/devices/system/cpu"
#define NODE "sys/devices/system/node"

static void write_cpu(const struct field *f, const struct field_cpu *c)
{
	const struct field_kind *k = f->kind;
	int khz = c->lesser ? k->lesser_khz : k->khz, rating = c->lesser ? k->lesser_rating : k->rating;
	if (!c->online)
		return;
	if (khz)
		put(f, number(khz), CPU "/cpu%d/cpufreq/cpuinfo_max_freq", c->id);
	if (khz)
		put(f, number(khz / 10 * 9), CPU "/cpu%d/cpufreq/scaling_cur_freq", c->id);
	if (rating)
		put(f, number(rating), CPU "/cpu%d/cpu_capacity", c->id);
}

static void write_node(const struct field *f, int id, const char *cpus)
{
	char text[200];
	put(f, cpus, NODE "/node%d/cpulist", id);
	snprintf(text, sizeof text, "Node %d MemTotal: %d kB\nNode %d MemFree: %d kB", id, NODE_GIB << 20, id,
		NODE_GIB << 19);
	put(f, text, NODE "/node%d/meminfo", id);
}

static void write_nodes(const struct field *f)
{
	struct cpuset all;
	char text[LIST_BYTES];
	parse(&all, f->kind->far_nodes);
	CPUSET_EACH(id, &all)
	write_node(f, id, "");
	for (int n = 0; n < f->nodes; n++) {
		cpuset_add(&all, n * step(f->kind));
		write_node(f, n * step(f->kind), list_of(f, on_node, n * step(f->kind)));
	}
	cpuset_format(&all, text, sizeof text);
	put(f, text, NODE "/online");
	put(f, text, NODE "/possible");
	put(f, text, NODE "/has_memory");
}

static void write_memory(const struct field *f)
{
	char text[200];
	snprintf(text, sizeof text, "MemTotal: %d kB\nMemFree: %d kB\nMemAvailable: %d kB\nSwapFree: 0 kB",
		f->nodes * (NODE_GIB << 20), f->nodes * (NODE_GIB << 19), f->nodes * (NODE_GIB << 19));
	put(f, text, "proc/meminfo");
	put(f, "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0",
		"proc/pressure/memory");
}

void field_write(const struct field *f)
{
	const struct field_kind *k = f->kind;
	put(f, list_of(f, is_any, 0), CPU "/present");
	put(f, list_of(f, is_any, 0), CPU "/possible");
	put(f, list_of(f, is_online, true), CPU "/online");
	put(f, k->isolated ? k->isolated : "", CPU "/isolated");
	put(f, k->nohz_full ? k->nohz_full : "(null)", CPU "/nohz_full"); /* as kernels without it say */
	if (k->lesser_khz) {
		put(f, list_of(f, is_lesser, false), "sys/devices/cpu_core/cpus");
		put(f, list_of(f, is_lesser, true), "sys/devices/cpu_atom/cpus");
	}
	if (k->isolated_by_group)
		put(f, k->isolated_by_group, "sys/fs/cgroup/cpuset.cpus.isolated");
	for (size_t i = 0; i < f->n_cpus; i++)
		write_cpu(f, &f->cpus[i]);
	for (int i = 0; i < FIELD_FILES && k->files[i][0]; i++)
		put(f, k->files[i][1], "sys/fs/cgroup/%s", k->files[i][0]);
	write_nodes(f);
	write_memory(f);
}

static void write_cache(const struct field *f, const struct field_cpu *c)
{
	put(f, number(c->cache), CPU "/cpu%d/cache/index3/id", c->id);
	put(f, "3", CPU "/cpu%d/cache/index3/level", c->id);
	put(f, "Unified", CPU "/cpu%d/cache/index3/type", c->id);
	put(f, "32768K", CPU "/cpu%d/cache/index3/size", c->id);
	put(f, list_of(f, of_cache, c->cache), CPU "/cpu%d/cache/index3/shared_cpu_list", c->id);
}

/* As the kernel writes it: words of 32 pCPUs in hex, the last first, up to the last that may be. */
static void write_map(const struct field *f, int id, bool any)
{
	char text[CPUSET_CPUS / 32 * 9 + 1], *at = text;
	for (int word = f->cpus[f->n_cpus - 1].id / 32; word >= 0; word--) {
		uint32_t bits = 0;
		for (size_t i = 0; any && i < f->n_cpus; i++)
			if (f->cpus[i].node == id && f->cpus[i].online && f->cpus[i].id / 32 == word)
				bits |= UINT32_C(1) << f->cpus[i].id % 32;
		at += sprintf(at, "%08x%s", bits, word ? "," : "");
	}
	put(f, text, NODE "/node%d/cpumap", id);
}

static void write_maps(const struct field *f)
{
	struct cpuset far;
	parse(&far, f->kind->far_nodes);
	CPUSET_EACH(id, &far)
	write_map(f, id, false);
	for (int n = 0; n < f->nodes; n++)
		write_map(f, n * step(f->kind), true);
}

void field_write_more(const struct field *f)
{
	write_maps(f);
	for (size_t i = 0; i < f->n_cpus; i++) {
		const struct field_cpu *c = &f->cpus[i];
		put(f, number(c->online), CPU "/cpu%d/online", c->id);
		if (!c->online)
			continue;
		put(f, number(c->socket), CPU "/cpu%d/topology/physical_package_id", c->id);
		put(f, number(c->core % (f->cores / f->kind->sockets)), CPU "/cpu%d/topology/core_id", c->id);
		put(f, "0", CPU "/cpu%d/topology/die_id", c->id);
		put(f, list_of(f, of_core, c->core), CPU "/cpu%d/topology/thread_siblings_list", c->id);
		if (c->cache >= 0)
			write_cache(f, c);
	}
}

const struct field_kind *field_kind(const char *name)
{
	for (size_t i = 0; i < n_field_kinds; i++)
		if (strcmp(field_kinds[i].name, name) == 0)
			return &field_kinds[i];
	fail_msg("no host of the kind %s", name);
	return NULL;
}
