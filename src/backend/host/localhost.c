/* SPDX-License-Identifier: MIT */
/* Facts of this machine from /proc and /sys. Invariant: reads only, every buffer bounded, a file that is
 * missing or strange is an absent value. Must not know: libvirt. */
#include "localhost.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmtop/minmax.h"

#include "procfile.h"

enum { PATH_BYTES = 512, FILE_BYTES = 4096, STAT_BYTES = 1 << 20 };

static bool read_list(const char *root, const char *file, struct cpuset *set)
{
	char path[PATH_BYTES];
	snprintf(path, sizeof path, "%s%s", root, file);
	return procfile_list(path, set);
}

/* ---- pCPUs ---- */

/* "cpu7 user nice system idle iowait irq softirq steal ...", the last three not on every kernel. Time stolen
 * by a hypervisor below this one is neither busy nor idle, as libvirt counts it too. */
static void read_cpu_line(const char *line, struct sample *sample)
{
	enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, FIELDS };
	int64_t v[FIELDS] = {0}, tick_ns = INT64_C(1000000000) / sysconf(_SC_CLK_TCK);
	char *end;
	unsigned long id = strtoul(line + 3, &end, 10);
	int n = *end == ' ' ? procfile_numbers(end, v, FIELDS) : 0;
	if (id >= CPUSET_CPUS || n <= IOWAIT)
		return;
	for (int i = 0; i < FIELDS; i++)
		if (v[i] < 0 || v[i] > INT64_MAX / tick_ns / FIELDS)
			return;
	struct pcpu_sample *pcpu = sample_add_pcpu(sample, (int)id);
	if (!pcpu)
		return;
	pcpu->online = true;
	/* user contains guest time already */
	pcpu->busy_ns = vi64_ok((v[USER] + v[NICE] + v[SYSTEM] + v[IRQ] + v[SOFTIRQ]) * tick_ns);
	pcpu->idle_ns = vi64_ok((v[IDLE] + v[IOWAIT]) * tick_ns);
	pcpu->steal_ns = n > STEAL ? vi64_ok(v[STEAL] * tick_ns) : vi64_absent(AVAIL_UNSUPPORTED);
}

static int read_stat(const char *root, struct sample *sample)
{
	char path[PATH_BYTES];
	char *text = malloc(STAT_BYTES);
	snprintf(path, sizeof path, "%s/proc/stat", root);
	if (!text || procfile_read(path, text, STAT_BYTES) < 0) {
		free(text);
		return -1;
	}
	for (char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
		if (strncmp(line, "cpu", 3) == 0 && isdigit((unsigned char)line[3]))
			read_cpu_line(line, sample);
	free(text);
	return sample->host.n_pcpus ? 0 : -1;
}

/* A pCPU that is present but not in /proc/stat is offline. */
static void add_offline(const char *root, struct sample *sample)
{
	struct cpuset present, online;
	sample_online(sample, &online);
	if (!read_list(root, "/sys/devices/system/cpu/present", &present))
		return;
	cpuset_andnot(&present, &online);
	CPUSET_EACH(cpu, &present)
	{
		struct pcpu_sample *pcpu = sample_add_pcpu(sample, cpu);
		if (pcpu)
			pcpu->busy_ns = pcpu->idle_ns = pcpu->steal_ns = vi64_absent(AVAIL_OFFLINE);
	}
}

/* Of these only isolation takes a pCPU from the load balancer. */
static void read_isolation(const char *root, struct sample *sample)
{
	struct cpuset isolated, parted, nohz;
	read_list(root, "/sys/devices/system/cpu/isolated", &isolated);
	if (read_list(root, "/sys/fs/cgroup/cpuset.cpus.isolated", &parted)) /* cgroups do it at run time */
		cpuset_or(&isolated, &parted);
	read_list(root, "/sys/devices/system/cpu/nohz_full", &nohz);
	for (size_t i = 0; i < sample->host.n_pcpus; i++) {
		struct pcpu_sample *pcpu = &sample->host.pcpus[i];
		pcpu->isolated = cpuset_has(&isolated, pcpu->id);
		pcpu->nohz_full = cpuset_has(&nohz, pcpu->id);
	}
}

/* ---- frequency ---- */

static int64_t freq_khz(const char *root, int id, const char *name)
{
	char path[PATH_BYTES], text[64];
	int64_t v;
	snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%d/cpufreq/%s", root, id, name);
	bool ok = procfile_read(path, text, sizeof text) > 0 && procfile_numbers(text, &v, 1) == 1;
	return ok && v > 0 && v < INT64_C(1000000000) ? v : 0;
}

/* What it is made for: what it holds with all cores at work where the driver tells, else its highest. */
static int64_t full_khz(const char *root, int id)
{
	int64_t base = freq_khz(root, id, "base_frequency");
	return base ? base : freq_khz(root, id, "cpuinfo_max_freq");
}

/* Whole percent say enough, and are a byte in a recording. Some in each reading, in turn: on large hosts
 * asking all of them costs more than all else. */
void localhost_speed(const char *root, struct localhost_speeds *speeds, struct sample *sample)
{
	size_t n = sample->host.n_pcpus, ask = speeds->none ? 0 : min_of(n, SPEEDS_EACH);
	for (size_t i = 0; i < ask; i++) {
		int id = sample->host.pcpus[(speeds->turn + i) % n].id;
		if (!speeds->full_khz[id])
			speeds->full_khz[id] = full_khz(root, id);
		speeds->now_khz[id] = freq_khz(root, id, "scaling_cur_freq");
	}
	speeds->none |= n > 0 && !speeds->turn &&
			!speeds->full_khz[sample->host.pcpus[0].id]; /* as in most virtual machines */
	speeds->turn = n ? (speeds->turn + ask) % n : 0;
	for (size_t i = 0; i < n; i++) {
		struct pcpu_sample *pcpu = &sample->host.pcpus[i];
		int64_t full = speeds->full_khz[pcpu->id], now = speeds->now_khz[pcpu->id];
		bool known = pcpu->online && full && now;
		pcpu->speed_pct = known ? vf64_ok((double)((100 * now + full / 2) / full))
					: vf64_absent(pcpu->online ? AVAIL_UNSUPPORTED : AVAIL_OFFLINE);
	}
}

/* ---- memory ---- */

/* "Key:   123 kB" anywhere in text. */
static struct vi64 field_kib(const char *text, const char *key)
{
	const char *p = strstr(text, key);
	return p ? vi64_ok(strtoll(p + strlen(key), NULL, 10)) : vi64_absent(AVAIL_UNSUPPORTED);
}

/* "name type value", a line each. -1: no such row. */
static int64_t arc_row(const char *text, const char *name)
{
	size_t len = strlen(name);
	for (const char *p = text; p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
		if (strncmp(p, name, len) == 0 && (p[len] == ' ' || p[len] == '\t')) {
			long long v = -1;
			return sscanf(p + len, "%*s %lld", &v) == 1 ? v : -1;
		}
	return -1;
}

/* The cache of ZFS shrinks to its minimum when memory is wanted; the kernel does not count it as available.
 */
static struct vi64 arc_spare(const char *root)
{
	char path[PATH_BYTES], text[4 * FILE_BYTES];
	snprintf(path, sizeof path, "%s/proc/spl/kstat/zfs/arcstats", root);
	if (procfile_read(path, text, sizeof text) < 0)
		return vi64_absent(AVAIL_NONE);
	int64_t size = arc_row(text, "size"), least = arc_row(text, "c_min");
	bool sane = size > 0 && least >= 0 && size > least && size / 1024 < SAMPLE_KIB_MOST / 2;
	return vi64_ok(sane ? (size - least) / 1024 : 0);
}

static struct vi64 swap_used(struct vi64 total, struct vi64 left)
{
	if (!vi64_has(total))
		return total;
	if (!vi64_has(left))
		return left;
	return vi64_ok(max_of(total.v - left.v, 0));
}

static void read_meminfo(const char *root, struct host_sample *host)
{
	char path[PATH_BYTES], text[FILE_BYTES];
	snprintf(path, sizeof path, "%s/proc/meminfo", root);
	procfile_read(path, text, sizeof text);
	host->total_kib = field_kib(text, "MemTotal:");
	host->free_kib = field_kib(text, "MemFree:");
	host->available_kib = field_kib(text, "MemAvailable:");
	host->swap_free_kib = field_kib(text, "SwapFree:");
	host->swap_used_kib = swap_used(field_kib(text, "SwapTotal:"), host->swap_free_kib);
	host->arc_kib = arc_spare(root);
	if (vi64_has(host->available_kib) && vi64_has(host->arc_kib))
		host->available_kib.v += host->arc_kib.v;
}

struct vi64 localhost_total_kib(const char *root)
{
	struct host_sample host;
	memset(&host, 0, sizeof host);
	read_meminfo(root, &host);
	return host.total_kib;
}

static struct vf64 psi_avg10(const char *text, const char *kind)
{
	double v;
	const char *p = strstr(text, kind);
	return p && sscanf(p, "%*4s avg10=%lf", &v) == 1 ? vf64_ok(v) : vf64_absent(AVAIL_UNSUPPORTED);
}

static void read_psi(const char *root, struct host_sample *host)
{
	char path[PATH_BYTES], text[FILE_BYTES];
	snprintf(path, sizeof path, "%s/proc/pressure/memory", root);
	procfile_read(path, text, sizeof text);
	host->psi_some_avg10 = psi_avg10(text, "some");
	host->psi_full_avg10 = psi_avg10(text, "full");
}

/* Free, and what the kernel gives up for whoever asks on this node: the files in its page cache. */
static struct vi64 node_free(const char *text)
{
	struct vi64 sum = field_kib(text, "MemFree:");
	static const char *const more[] = {"Active(file):", "Inactive(file):"};
	for (size_t i = 0; i < 2 && vi64_has(sum); i++) {
		struct vi64 v = field_kib(text, more[i]);
		sum.v += vi64_has(v) && v.v > 0 && v.v < SAMPLE_KIB_MOST ? v.v : 0;
	}
	return sum;
}

static void read_node(const char *root, int id, struct sample *sample)
{
	char path[PATH_BYTES], text[FILE_BYTES];
	struct cpuset cpus;
	snprintf(path, sizeof path, "%s/sys/devices/system/node/node%d/meminfo", root, id);
	if (sample->host.n_nodes == MAX_NODES || procfile_read(path, text, sizeof text) < 0)
		return;
	sample->host.nodes[sample->host.n_nodes++] =
		(struct node_sample){id, field_kib(text, "MemTotal:"), node_free(text)};
	snprintf(path, sizeof path, "/sys/devices/system/node/node%d/cpulist", id);
	if (!read_list(root, path, &cpus))
		return;
	for (size_t i = 0; i < sample->host.n_pcpus; i++)
		if (cpuset_has(&cpus, sample->host.pcpus[i].id))
			sample->host.pcpus[i].node = id;
}

int localhost_host(const char *root, struct sample *sample)
{
	struct cpuset nodes;
	if (read_stat(root, sample) < 0)
		return -1;
	add_offline(root, sample);
	read_isolation(root, sample);
	sample->host.has_isolation = true;
	read_meminfo(root, &sample->host);
	read_psi(root, &sample->host);
	if (read_list(root, "/sys/devices/system/node/online", &nodes))
		CPUSET_EACH(id, &nodes)
	if (id < MAX_NODES)
		read_node(root, id, sample);
	return 0;
}
