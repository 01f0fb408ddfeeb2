/* SPDX-License-Identifier: MIT */
/* Parser of scenarios: the lines that stand alone, the host block, and the checks of the whole. Invariant:
 * what scenario_parse() returns names only pCPUs, nodes and VMs that exist, within the bounds of scenario.h.
 * Must not know how anything is simulated. */
#include "vmtop/scenario.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario_text.h"

static bool read_title(struct reader *r)
{
	const char *w = "";
	struct scenario *s = r->s;
	s->title[0] = '\0';
	while (r->at < r->n) {
		size_t used = strlen(s->title);
		if (!want_word(r, &w, "text"))
			return false;
		snprintf(s->title + used, sizeof s->title - used, "%s%s", used ? " " : "", w);
	}
	return true;
}

static bool read_seed(struct reader *r)
{
	int n;
	if (!want_int(r, &n, 0, 2000000000))
		return false;
	r->s->seed = (uint64_t)n;
	return true;
}

static bool read_end(struct reader *r)
{
	return want_time(r, &r->s->end_ns, false);
}

static bool read_events(struct reader *r)
{
	r->s->events = true;
	return true;
}

static bool read_fail(struct reader *r)
{
	static const struct {
		const char *word;
		enum fail_kind kind;
	} kinds[] = {{"sample", FAIL_SAMPLE}, {"apply", FAIL_APPLY}, {"pin", FAIL_PIN},
		{"balloon", FAIL_BALLOON}, {"period", FAIL_PERIOD}};
	struct scenario *s = r->s;
	size_t k = 0;
	int n;
	while (k < sizeof kinds / sizeof *kinds && !reader_accept(r, kinds[k].word))
		k++;
	if (k == sizeof kinds / sizeof *kinds)
		return reader_fail(r, "no such call");
	do {
		if (s->n_fails == SCN_FAILS)
			return reader_fail(r, "more than %d failures", SCN_FAILS);
		if (!want_int(r, &n, 1, 1000000000))
			return false;
		s->fails[s->n_fails++] = (struct scn_fail){kinds[k].kind, n, reader_accept(r, "unknown")};
	} while (reader_peek(r));
	return true;
}

static bool read_host(struct reader *r)
{
	r->in_host = true;
	r->n_group = 0;
	return true;
}

static void vm_defaults(struct scn_vm *vm)
{
	cpuset_fill(&vm->vcpu_ids, 1);
	vm->allowed = vm->place = vm->emulator = -1;
	vm->quota = 1;
	vm->memory_kib = vm->max_kib = 512 * 1024;
	vm->base_kib = 200 * 1024;
	vm->speed_kib_s = 256 * 1024;
	vm->flags = VM_FLAG_PERSISTENT;
}

/* "x8": how many VMs the block makes. */
static bool read_count(struct reader *r, int *count)
{
	const char *w = reader_peek(r);
	*count = 0;
	if (!w)
		return true;
	if (w[0] != 'x')
		return reader_fail(r, "\"%.40s\" is not a count", w);
	if (w[1])
		r->word[r->at] = w + 1;
	else
		r->at++;
	return want_int(r, count, 1, SCN_VMS);
}

static struct scn_vm *add_vm(struct reader *r)
{
	struct scenario *s = r->s;
	void *items = s->vms;
	struct scn_vm *vm = reader_grow(r, &items, &s->n_vms, &s->cap_vms, SCN_VMS, sizeof *vm, "VMs");
	s->vms = items;
	if (vm)
		vm_defaults(vm);
	return vm;
}

/* The lines of a block fill in its first VM; at the end of the block the others become copies of it. */
static void close_group(struct reader *r)
{
	struct scn_vm *vms = r->n_group ? r->s->vms + r->first_vm : NULL;
	for (size_t i = 1; i < r->n_group; i++) {
		struct scn_vm copy = vms[0];
		memcpy(copy.name, vms[i].name, sizeof copy.name);
		copy.rank = (int)i;
		vms[i] = copy;
	}
	r->n_group = 0;
	r->in_host = false;
}

static bool read_vm(struct reader *r)
{
	const char *name;
	int count;
	close_group(r);
	if (!want_word(r, &name, "the name") || !read_count(r, &count))
		return false;
	if (!*name || strlen(name) > VM_NAME_BYTES - 16)
		return reader_fail(r, "a name has 1 to %d bytes", VM_NAME_BYTES - 16);
	r->first_vm = r->s->n_vms;
	for (int i = 0; i < (count ? count : 1); i++) {
		struct scn_vm *vm = add_vm(r);
		if (!vm)
			return false;
		if (count)
			snprintf(vm->name, sizeof vm->name, "%.*s-%d", VM_NAME_BYTES - 16, name, i + 1);
		else
			snprintf(vm->name, sizeof vm->name, "%s", name);
	}
	r->n_group = r->s->n_vms - r->first_vm;
	return true;
}

static bool read_at(struct reader *r)
{
	struct scenario *s = r->s;
	const char *w = "";
	close_group(r);
	void *items = s->ev;
	r->event = reader_grow(r, &items, &s->n_ev, &s->cap_ev, SCN_EVENTS, sizeof *s->ev, "events");
	s->ev = items;
	if (!r->event)
		return false;
	r->event->line = r->line;
	if (!want_time(r, &r->event->at_ns, true))
		return false;
	if (reader_accept(r, "every") && !want_time(r, &r->event->every_ns, false))
		return false;
	if (r->event->every_ns && r->event->every_ns < 1000000000)
		return reader_fail(r, "events repeat at most once a second");
	return want_word(r, &w, "what happens") &&
	       scenario_reader_run(r, scenario_event_statements, w, "known after `at TIME`");
}

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

static bool read_memory(struct reader *r)
{
	return want_size(r, &r->s->total_kib) &&
	       (r->s->total_kib >= 65536 || reader_fail(r, "less than 64M"));
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
	{"memory", "memory SIZE", read_memory},
	{"used", "used SIZE", read_used},
	{"background", "background CPULIST CURVE", read_background},
	{"balancer", "balancer off | TIME", read_balancer},
	{NULL, NULL, NULL},
};

const struct statement scenario_top_statements[] = {
	{"title", "title TEXT", read_title},
	{"seed", "seed NUMBER", read_seed},
	{"end", "end TIME", read_end},
	{"events", "events", read_events},
	{"fail", "fail sample | apply | pin | balloon | period NUMBER [unknown] ...", read_fail},
	{"host", "host", read_host},
	{"vm", "vm NAME [xNUMBER]", read_vm},
	{"at", NULL, read_at},
	{NULL, NULL, NULL},
};

static bool is_top(const char *word)
{
	for (const struct statement *t = scenario_top_statements; t->word; t++)
		if (strcmp(t->word, word) == 0)
			return true;
	return false;
}

static bool read_line(struct reader *r, const char *line, size_t len)
{
	const char *word;
	if (!reader_split(r, line, len))
		return false;
	if (!r->n)
		return true;
	want_word(r, &word, "a word");
	if (is_top(word)) {
		close_group(r);
		return scenario_reader_run(r, scenario_top_statements, word, "known");
	}
	if (r->in_host)
		return scenario_reader_run(r, scenario_host_statements, word, "known in host");
	if (r->n_group)
		return scenario_reader_run(r, scenario_vm_statements, word, "known in a vm block");
	return scenario_reader_run(r, scenario_top_statements, word, "known outside a block");
}

/* Topology that was given as numbers: contiguous and even shares, in the order of the ids. */
static void spread_topology(struct reader *r)
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

static uint64_t hash_text(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return h;
}

/* The same name is the same UUID in every run. */
static void make_uuid(struct scn_vm *vm)
{
	uint64_t a = hash_text(UINT64_C(0xcbf29ce484222325), vm->name),
		 b = hash_text(a ^ UINT64_C(0x9e3779b97f4a7c15), vm->name);
	for (int i = 0; i < 8; i++) {
		vm->uuid[i] = (uint8_t)(a >> (8 * i));
		vm->uuid[8 + i] = (uint8_t)(b >> (8 * i));
	}
	vm->uuid[6] = (uint8_t)((vm->uuid[6] & 0x0f) | 0x40);
	vm->uuid[8] = (uint8_t)((vm->uuid[8] & 0x3f) | 0x80);
}

static bool whole_fail(struct reader *r, const char *what, const char *name, const char *why)
{
	r->usage = NULL;
	err_set(r->e, ERR_USAGE, "%s: %s \"%.60s\" %s", r->name, what, name, why);
	return false;
}

static bool set_exists(const struct scenario *s, int set)
{
	struct cpuset host;
	cpuset_clear(&host);
	for (size_t i = 0; i < s->n_pcpus; i++)
		cpuset_add(&host, s->pcpus[i].id);
	return set < 0 || cpuset_subset(&s->sets[set], &host);
}

static bool check_vm(struct reader *r, struct scn_vm *vm)
{
	static const uint8_t none[UUID_BYTES];
	struct scenario *s = r->s;
	if (memcmp(vm->uuid, none, UUID_BYTES) == 0)
		make_uuid(vm);
	bool exist = set_exists(s, vm->allowed) && set_exists(s, vm->place);
	for (size_t i = 0; i < vm->n_pins; i++)
		exist = exist && set_exists(s, vm->pins[i].index);
	if (!exist)
		return whole_fail(r, "VM", vm->name, "is put on a pCPU that the host does not have");
	if (vm->base_kib > vm->memory_kib - 16 * 1024)
		return whole_fail(
			r, "VM", vm->name, "uses more memory from the start (base) than it has, less 16M");
	if (vm->nodes >> (s->n_nodes < 64 ? s->n_nodes : 63) >> (s->n_nodes < 64 ? 0 : 1))
		return whole_fail(r, "VM", vm->name, "is put on a NUMA node that the host does not have");
	s->n_vcpus += (size_t)cpuset_count(&vm->vcpu_ids);
	if (s->n_vcpus > SCN_VCPUS)
		return whole_fail(r, "VM", vm->name, "exceeds the bound of 20000 vCPUs");
	return true;
}

static bool check_event(struct reader *r, const struct scn_event *ev)
{
	struct scenario *s = r->s;
	bool about_cpus = ev->kind == EV_PIN || ev->kind == EV_OFFLINE || ev->kind == EV_ONLINE;
	if ((about_cpus && !set_exists(s, ev->index)) ||
		(ev->kind == EV_BACKGROUND && !set_exists(s, ev->set)))
		return whole_fail(r, "an event", ev->pattern[0] ? ev->pattern : "host",
			"names a pCPU that the host does not have");
	if (!ev->pattern[0])
		return true;
	for (size_t i = 0; i < s->n_vms; i++)
		if (fnmatch(ev->pattern, s->vms[i].name, 0) == 0)
			return true;
	return whole_fail(r, "an event names", ev->pattern, "and no VM fits");
}

static int by_vm_uuid(const void *a, const void *b)
{
	return uuid_compare(
		(*(const struct scn_vm *const *)a)->uuid, (*(const struct scn_vm *const *)b)->uuid);
}

static bool check_doubles(struct reader *r)
{
	struct scenario *s = r->s;
	const struct scn_vm **order = calloc(s->n_vms + 1, sizeof *order);
	bool ok = order != NULL;
	if (!ok)
		err_set(r->e, ERR_NOMEM, "out of memory for the scenario");
	for (size_t i = 0; ok && i < s->n_vms; i++)
		order[i] = &s->vms[i];
	if (ok && s->n_vms)
		qsort(order, s->n_vms, sizeof(*order), by_vm_uuid);
	for (size_t i = 1; ok && i < s->n_vms; i++)
		if (by_vm_uuid(&order[i - 1], &order[i]) == 0)
			ok = whole_fail(r, "VM", order[i]->name, "is there twice");
	free(order);
	return ok;
}

static int by_time(const void *a, const void *b)
{
	const struct scn_event *x = a, *y = b;
	if (x->at_ns != y->at_ns)
		return x->at_ns < y->at_ns ? -1 : 1;
	return (x->line > y->line) - (x->line < y->line);
}

static bool check_host(struct reader *r)
{
	struct scenario *s = r->s;
	for (size_t i = 0; i < s->n_background; i++)
		if (!set_exists(s, s->background[i].set))
			return whole_fail(
				r, "background", "host", "is put on a pCPU that the host does not have");
	for (size_t i = 0; i < s->n_pcpus; i++)
		if (!s->pcpus[i].offline && !s->pcpus[i].isolated)
			return s->used_kib < s->total_kib ||
			       whole_fail(r, "memory of", "host", "is less than what it uses itself");
	return whole_fail(r, "all pCPUs of", "host", "are offline or isolated");
}

static bool finish(struct reader *r)
{
	struct scenario *s = r->s;
	close_group(r);
	spread_topology(r);
	if (!check_host(r))
		return false;
	for (size_t i = 0; i < s->n_vms; i++)
		if (!check_vm(r, &s->vms[i]))
			return false;
	for (size_t i = 0; i < s->n_ev; i++)
		if (!check_event(r, &s->ev[i]))
			return false;
	if (s->n_ev)
		qsort(s->ev, s->n_ev, sizeof *s->ev, by_time);
	return check_doubles(r);
}

static bool read_all(struct reader *r, const char *text, size_t len)
{
	const char *end = text + len;
	for (const char *p = text; p < end; r->line++) {
		const char *eol = memchr(p, '\n', (size_t)(end - p));
		if (!eol)
			eol = end;
		if (!read_line(r, p, (size_t)(eol - p)))
			return false;
		p = eol + 1;
	}
	return finish(r);
}

static void scenario_defaults(struct scenario *s, const char *name)
{
	snprintf(s->name, sizeof s->name, "%s", name);
	snprintf(s->hostname, sizeof s->hostname, "sim");
	s->seed = 1;
	s->n_pcpus = 4;
	for (int i = 0; i < 4; i++)
		s->pcpus[i] = (struct scn_pcpu){.id = i, .core = -1, .llc = -1};
	s->total_kib = INT64_C(16) << 20;
	s->used_kib = INT64_C(1) << 20;
	s->balance_ns = 100000000;
}

struct scenario *scenario_parse(const char *name, const char *text, size_t len, struct err *e)
{
	struct err own = ERR_INIT;
	struct scenario *s = calloc(1, sizeof *s);
	struct reader *r = calloc(1, sizeof *r);
	if (!e)
		e = &own;
	bool ok = false;
	if (!s || !r)
		err_set(e, ERR_NOMEM, "out of memory for the scenario");
	else if (len > SCN_BYTES)
		err_set(e, ERR_USAGE, "%s: larger than %d bytes", name, SCN_BYTES);
	else {
		scenario_defaults(s, name);
		*r = (struct reader){.s = s, .e = e, .name = name, .line = 1};
		ok = read_all(r, text, len);
	}
	free(r);
	if (ok)
		return s;
	scenario_free(s);
	return NULL;
}

void scenario_free(struct scenario *s)
{
	if (!s)
		return;
	free(s->vms);
	free(s->ev);
	free(s->curves);
	free(s->sets);
	free(s);
}
