/* SPDX-License-Identifier: MIT */
/* Host facts through libvirt, for hosts whose /proc is not ours. There is no call for all pCPUs at once: on a
 * slow line several threads ask, so that no call waits for another's answer. Invariant: a driver without a
 * call gives absent values with the reason. Must not know: domains. */
#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "libvirt_reader.h"
#include "link.h"
#include "vmtop/clock.h"
#include "vmtop/minmax.h"

enum { PARAMS_MOST = 32, CREW_MOST = 32, CREW_STACK = 512 << 10 };
/* Below this the calls are made one after another: threads would cost more. */
#define CREW_WORTH_NS 1000000

static enum avail why_absent(void)
{
	return connect_unsupported() ? AVAIL_UNSUPPORTED : AVAIL_NONE;
}

/* Returns how long one call takes. */
static int64_t add_pcpus(virConnectPtr c, struct host_known *k, struct sample *s)
{
	unsigned char *map = NULL;
	unsigned online;
	virNodeInfo info;
	int64_t start = clock_ns();
	int in_map = virNodeGetCPUMap(c, &map, &online, 0), n = in_map;
	int64_t took = clock_ns() - start;
	/* The map may be missing, or (test driver) narrower than the host. */
	if (!k->max_cpus && virNodeGetInfo(c, &info) == 0)
		k->max_cpus = (int)VIR_NODEINFO_MAXCPUS(info);
	n = max_of(k->max_cpus, n);
	for (int i = 0; i < n && i < CPUSET_CPUS; i++) {
		struct pcpu_sample *p = sample_add_pcpu(s, i);
		if (p)
			p->online = !map || i >= in_map || VIR_CPU_USED(map, i);
	}
	free(map);
	return took;
}

static void sum_times(struct pcpu_sample *p, const virNodeCPUStats *st, int n)
{
	static const struct {
		const char *name;
		bool idle;
	} rows[] = {
		{VIR_NODE_CPU_STATS_KERNEL, false},
		{VIR_NODE_CPU_STATS_USER, false},
		{VIR_NODE_CPU_STATS_INTR, false},
		{VIR_NODE_CPU_STATS_IDLE, true},
		{VIR_NODE_CPU_STATS_IOWAIT, true},
	};
	int64_t busy = 0, idle = 0;
	for (int i = 0; i < n; i++)
		for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
			if (strcmp(rows[r].name, st[i].field) == 0 && st[i].value < INT64_MAX / 8)
				*(rows[r].idle ? &idle : &busy) += (int64_t)st[i].value;
	p->busy_ns = vi64_ok(busy);
	p->idle_ns = vi64_ok(idle);
}

/* Those who ask: each takes the next pCPU that nobody has taken. */
struct crew {
	virConnectPtr c;
	struct sample *s;
	int params;
	atomic_size_t next;
};

static void *crew_run(void *arg)
{
	struct crew *w = arg;
	virNodeCPUStats st[PARAMS_MOST];
	for (size_t i; (i = atomic_fetch_add(&w->next, 1)) < w->s->host.n_pcpus;) {
		struct pcpu_sample *p = &w->s->host.pcpus[i];
		int n = w->params;
		if (!p->online)
			continue;
		if (virNodeGetCPUStats(w->c, p->id, st, &n, 0) == 0)
			sum_times(p, st, n);
		else /* it went away between two calls: of an offline one there are none */
			p->busy_ns = p->idle_ns = vi64_absent(AVAIL_OFFLINE);
	}
	return NULL;
}

static void crew_ask(struct crew *w, size_t hands)
{
	pthread_t threads[CREW_MOST];
	pthread_attr_t attr;
	size_t n = 0;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, CREW_STACK);
	while (n + 1 < hands && pthread_create(&threads[n], &attr, crew_run, w) == 0)
		n++;
	pthread_attr_destroy(&attr);
	crew_run(w);
	while (n > 0)
		pthread_join(threads[--n], NULL);
}

/* The driver wants exactly as many parameters as it announces. */
static bool knows_times(virConnectPtr c, struct host_known *k)
{
	int want = 0;
	if (!k->cpu_params) {
		bool can = virNodeGetCPUStats(c, VIR_NODE_CPU_STATS_ALL_CPUS, NULL, &want, 0) == 0;
		k->no_times = can ? AVAIL_NONE : why_absent();
		k->cpu_params = can && want > 0 && want <= PARAMS_MOST ? want : -1;
	}
	return k->cpu_params > 0;
}

/* Times of all pCPUs, or of none with the reason. call_ns: what a call takes. */
static int read_times(
	virConnectPtr c, struct host_known *k, struct sample *s, int64_t call_ns, const struct host_order *o)
{
	size_t n = s->host.n_pcpus;
	int64_t all_ns = call_ns * (int64_t)n, hands = all_ns / CREW_WORTH_NS + 1;
	hands = min_of(hands, CREW_MOST);
	bool late = all_ns / hands > o->budget_ns;
	bool ask = o->times && !late && knows_times(c, k);
	enum avail why = !o->times ? AVAIL_NOT_ASKED : late ? AVAIL_REMOTE : k->no_times;
	for (size_t i = 0; i < n; i++) {
		struct pcpu_sample *p = &s->host.pcpus[i];
		p->busy_ns = p->idle_ns = vi64_absent(p->online ? why : AVAIL_OFFLINE);
		p->steal_ns = vi64_absent(AVAIL_REMOTE);
		p->speed_pct = vf64_absent(AVAIL_REMOTE);
	}
	if (!ask)
		return 0;
	struct crew w = {.c = c, .s = s, .params = k->cpu_params};
	crew_ask(&w, (size_t)hands);
	return (int)n;
}

static int64_t memory_of(const virNodeMemoryStats *st, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (strcmp(st[i].field, name) == 0 && st[i].value < INT64_MAX / 8)
			return (int64_t)st[i].value;
	return -1;
}

bool host_memory(virConnectPtr c, struct host_known *k, struct host_sample *h)
{
	virNodeMemoryStats st[PARAMS_MOST];
	int all = VIR_NODE_MEMORY_STATS_ALL_CELLS, n = 0;
	if (!k->mem_params) {
		bool can = virNodeGetMemoryStats(c, all, NULL, &n, 0) == 0;
		k->mem_params = can && n > 0 && n <= PARAMS_MOST ? n : -1;
	}
	n = k->mem_params;
	if (n < 0 || virNodeGetMemoryStats(c, all, st, &n, 0) < 0)
		return false;
	int64_t total = memory_of(st, n, VIR_NODE_MEMORY_STATS_TOTAL),
		spare = memory_of(st, n, VIR_NODE_MEMORY_STATS_FREE);
	int64_t buffers = memory_of(st, n, VIR_NODE_MEMORY_STATS_BUFFERS),
		cached = memory_of(st, n, VIR_NODE_MEMORY_STATS_CACHED);
	if (total < 0 || spare < 0)
		return false;
	h->total_kib = vi64_ok(total);
	h->free_kib = vi64_ok(spare);
	/* The nearest that libvirt has; it counts shared memory as available. */
	h->available_kib = vi64_ok(spare + max_of(buffers, 0) + max_of(cached, 0));
	return true;
}

/* Drivers without memory statistics: less exact, but something. */
static void memory_plain(virConnectPtr c, struct host_sample *h)
{
	virNodeInfo info;
	if (virNodeGetInfo(c, &info) == 0 && info.memory <= INT64_MAX)
		h->total_kib = vi64_ok((int64_t)info.memory);
	else
		h->total_kib = vi64_absent(why_absent());
	unsigned long long spare = virNodeGetFreeMemory(c);
	/* Bytes, says its manual; the test driver gives KiB all the same. */
	const char *type = virConnectGetType(c);
	unsigned unit = type && strcasecmp(type, "test") == 0 ? 1 : 1024;
	/* Nothing at all is what a driver says that does not know. */
	h->free_kib = spare ? vi64_ok((int64_t)(spare / unit)) : vi64_absent(AVAIL_UNSUPPORTED);
	h->available_kib = h->free_kib;
}

int host_read(virConnectPtr c, struct host_known *k, struct sample *s, const struct host_order *o)
{
	int64_t call_ns = add_pcpus(c, k, s);
	int calls = 2 + read_times(c, k, s, call_ns, o);
	if (!host_memory(c, k, &s->host))
		memory_plain(c, &s->host);
	s->host.psi_some_avg10 = s->host.psi_full_avg10 = vf64_absent(AVAIL_REMOTE);
	return calls;
}
