/* SPDX-License-Identifier: MIT */
/* Host facts through libvirt, for hosts whose /proc is not ours. Invariant: a driver without a call gives
 * absent values with the reason. Must not know: domains. */
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "libvirt_reader.h"
#include "link.h"

enum { PARAMS_MOST = 32 };

static enum avail why_absent(void)
{
	return connect_unsupported() ? AVAIL_UNSUPPORTED : AVAIL_NONE;
}

static void add_pcpus(virConnectPtr c, struct sample *s)
{
	unsigned char *map = NULL;
	unsigned online;
	virNodeInfo info;
	int in_map = virNodeGetCPUMap(c, &map, &online, 0), n = in_map;
	/* The map may be missing, or (test driver) narrower than the host. */
	if (virNodeGetInfo(c, &info) == 0 && (int)VIR_NODEINFO_MAXCPUS(info) > n)
		n = (int)VIR_NODEINFO_MAXCPUS(info);
	for (int i = 0; i < n && i < CPUSET_CPUS; i++) {
		struct pcpu_sample *p = sample_add_pcpu(s, i);
		if (p)
			p->online = !map || i >= in_map || VIR_CPU_USED(map, i);
	}
	free(map);
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

/* Asks how many parameters there are (the driver wants exactly as many), which also tells what a call costs.
 * Returns 0 with the reason when the times cannot be had, or not for all pCPUs within the budget. */
static int times_params(virConnectPtr c, size_t n_cpus, int64_t budget_ns, enum avail *why)
{
	int want = 0;
	int64_t start = clock_ns();
	bool can = virNodeGetCPUStats(c, VIR_NODE_CPU_STATS_ALL_CPUS, NULL, &want, 0) == 0;
	*why = can ? AVAIL_NONE : why_absent();
	if (!can || want <= 0 || want > PARAMS_MOST)
		return 0;
	if ((clock_ns() - start) * (int64_t)n_cpus > budget_ns) {
		*why = AVAIL_REMOTE;
		return 0;
	}
	return want;
}

static void read_times(virConnectPtr c, struct sample *s, int64_t budget_ns)
{
	virNodeCPUStats st[PARAMS_MOST];
	enum avail why;
	int want = times_params(c, s->host.n_pcpus, budget_ns, &why);
	for (size_t i = 0; i < s->host.n_pcpus; i++) {
		struct pcpu_sample *p = &s->host.pcpus[i];
		int n = want;
		p->busy_ns = p->idle_ns = vi64_absent(p->online ? why : AVAIL_OFFLINE);
		if (want && p->online && virNodeGetCPUStats(c, p->id, st, &n, 0) == 0)
			sum_times(p, st, n);
	}
}

static int64_t memory_of(const virNodeMemoryStats *st, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (strcmp(st[i].field, name) == 0 && st[i].value < INT64_MAX / 8)
			return (int64_t)st[i].value;
	return -1;
}

bool host_memory(virConnectPtr c, struct host_sample *h)
{
	virNodeMemoryStats st[PARAMS_MOST];
	int n = 0;
	if (virNodeGetMemoryStats(c, VIR_NODE_MEMORY_STATS_ALL_CELLS, NULL, &n, 0) < 0 || n <= 0 ||
		n > PARAMS_MOST || virNodeGetMemoryStats(c, VIR_NODE_MEMORY_STATS_ALL_CELLS, st, &n, 0) < 0)
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
	h->available_kib = vi64_ok(spare + (buffers > 0 ? buffers : 0) + (cached > 0 ? cached : 0));
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
	h->free_kib = spare ? vi64_ok((int64_t)(spare / unit)) : vi64_absent(why_absent());
	h->available_kib = h->free_kib;
}

void host_read(virConnectPtr c, struct sample *s, int64_t budget_ns)
{
	add_pcpus(c, s);
	read_times(c, s, budget_ns);
	if (!host_memory(c, &s->host))
		memory_plain(c, &s->host);
	s->host.psi_some_avg10 = s->host.psi_full_avg10 = vf64_absent(AVAIL_REMOTE);
}
