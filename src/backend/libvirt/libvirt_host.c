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
static int64_t add_pcpus(virConnectPtr conn, struct host_known *known, struct sample *sample)
{
	unsigned char *map = NULL;
	unsigned online;
	virNodeInfo info;
	int64_t start = clock_ns();
	int in_map = virNodeGetCPUMap(conn, &map, &online, 0), n = in_map;
	int64_t took = clock_ns() - start;
	/* The map may be missing, or (test driver) narrower than the host. */
	if (!known->max_cpus && virNodeGetInfo(conn, &info) == 0)
		known->max_cpus = (int)VIR_NODEINFO_MAXCPUS(info);
	n = max_of(known->max_cpus, n);
	for (int i = 0; i < n && i < CPUSET_CPUS; i++) {
		struct pcpu_sample *pcpu = sample_add_pcpu(sample, i);
		if (pcpu)
			pcpu->online = !map || i >= in_map || VIR_CPU_USED(map, i);
	}
	free(map);
	return took;
}

static void sum_times(struct pcpu_sample *pcpu, const virNodeCPUStats *st, int n)
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
	pcpu->busy_ns = vi64_ok(busy);
	pcpu->idle_ns = vi64_ok(idle);
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
	struct crew *crew = arg;
	virNodeCPUStats st[PARAMS_MOST];
	for (size_t i; (i = atomic_fetch_add(&crew->next, 1)) < crew->s->host.n_pcpus;) {
		struct pcpu_sample *pcpu = &crew->s->host.pcpus[i];
		int n = crew->params;
		if (!pcpu->online)
			continue;
		if (virNodeGetCPUStats(crew->c, pcpu->id, st, &n, 0) == 0)
			sum_times(pcpu, st, n);
		else /* it went away between two calls: of an offline one there are none */
			pcpu->busy_ns = pcpu->idle_ns = vi64_absent(AVAIL_OFFLINE);
	}
	return NULL;
}

static void crew_ask(struct crew *crew, size_t hands)
{
	pthread_t threads[CREW_MOST];
	pthread_attr_t attr;
	size_t n = 0;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, CREW_STACK);
	while (n + 1 < hands && pthread_create(&threads[n], &attr, crew_run, crew) == 0)
		n++;
	pthread_attr_destroy(&attr);
	crew_run(crew);
	while (n > 0)
		pthread_join(threads[--n], NULL);
}

/* The driver wants exactly as many parameters as it announces. */
static bool knows_times(virConnectPtr conn, struct host_known *known)
{
	int want = 0;
	if (!known->cpu_params) {
		bool can = virNodeGetCPUStats(conn, VIR_NODE_CPU_STATS_ALL_CPUS, NULL, &want, 0) == 0;
		known->no_times = can ? AVAIL_NONE : why_absent();
		known->cpu_params = can && want > 0 && want <= PARAMS_MOST ? want : -1;
	}
	return known->cpu_params > 0;
}

/* Times of all pCPUs, or of none with the reason. call_ns: what a call takes. */
static int read_times(virConnectPtr conn, struct host_known *known, struct sample *sample, int64_t call_ns,
	const struct host_order *order)
{
	size_t n = sample->host.n_pcpus;
	int64_t all_ns = call_ns * (int64_t)n, hands = all_ns / CREW_WORTH_NS + 1;
	hands = min_of(hands, CREW_MOST);
	bool late = all_ns / hands > order->budget_ns;
	bool ask = order->times && !late && knows_times(conn, known);
	enum avail why = !order->times ? AVAIL_NOT_ASKED : late ? AVAIL_REMOTE : known->no_times;
	for (size_t i = 0; i < n; i++) {
		struct pcpu_sample *pcpu = &sample->host.pcpus[i];
		pcpu->busy_ns = pcpu->idle_ns = vi64_absent(pcpu->online ? why : AVAIL_OFFLINE);
		pcpu->steal_ns = vi64_absent(AVAIL_REMOTE);
		pcpu->speed_pct = vf64_absent(AVAIL_REMOTE);
	}
	if (!ask)
		return 0;
	struct crew crew = {.c = conn, .s = sample, .params = known->cpu_params};
	crew_ask(&crew, (size_t)hands);
	return (int)n;
}

static int64_t memory_of(const virNodeMemoryStats *st, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (strcmp(st[i].field, name) == 0 && st[i].value < INT64_MAX / 8)
			return (int64_t)st[i].value;
	return -1;
}

bool host_memory(virConnectPtr conn, struct host_known *known, struct host_sample *host)
{
	virNodeMemoryStats st[PARAMS_MOST];
	int all = VIR_NODE_MEMORY_STATS_ALL_CELLS, n = 0;
	if (!known->mem_params) {
		bool can = virNodeGetMemoryStats(conn, all, NULL, &n, 0) == 0;
		known->mem_params = can && n > 0 && n <= PARAMS_MOST ? n : -1;
	}
	n = known->mem_params;
	if (n < 0 || virNodeGetMemoryStats(conn, all, st, &n, 0) < 0)
		return false;
	int64_t total = memory_of(st, n, VIR_NODE_MEMORY_STATS_TOTAL),
		spare = memory_of(st, n, VIR_NODE_MEMORY_STATS_FREE);
	int64_t buffers = memory_of(st, n, VIR_NODE_MEMORY_STATS_BUFFERS),
		cached = memory_of(st, n, VIR_NODE_MEMORY_STATS_CACHED);
	if (total < 0 || spare < 0)
		return false;
	host->total_kib = vi64_ok(total);
	host->free_kib = vi64_ok(spare);
	/* The nearest that libvirt has; it counts shared memory as available. */
	host->available_kib = vi64_ok(spare + max_of(buffers, 0) + max_of(cached, 0));
	return true;
}

/* Drivers without memory statistics: less exact, but something. */
static void memory_plain(virConnectPtr conn, struct host_sample *host)
{
	virNodeInfo info;
	if (virNodeGetInfo(conn, &info) == 0 && info.memory <= INT64_MAX)
		host->total_kib = vi64_ok((int64_t)info.memory);
	else
		host->total_kib = vi64_absent(why_absent());
	unsigned long long spare = virNodeGetFreeMemory(conn);
	/* Bytes, says its manual; the test driver gives KiB all the same. */
	const char *type = virConnectGetType(conn);
	unsigned unit = type && strcasecmp(type, "test") == 0 ? 1 : 1024;
	/* Nothing at all is what a driver says that does not know. */
	host->free_kib = spare ? vi64_ok((int64_t)(spare / unit)) : vi64_absent(AVAIL_UNSUPPORTED);
	host->available_kib = host->free_kib;
}

int host_read(
	virConnectPtr conn, struct host_known *known, struct sample *sample, const struct host_order *order)
{
	int64_t call_ns = add_pcpus(conn, known, sample);
	int calls = 2 + read_times(conn, known, sample, call_ns, order);
	if (!host_memory(conn, known, &sample->host))
		memory_plain(conn, &sample->host);
	sample->host.psi_some_avg10 = sample->host.psi_full_avg10 = vf64_absent(AVAIL_REMOTE);
	return calls;
}
