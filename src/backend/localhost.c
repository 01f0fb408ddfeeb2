/* SPDX-License-Identifier: MIT */
/* Facts of this machine from /proc and /sys. Invariant: reads only, every buffer bounded, a file that is
 * missing or strange is an absent value. Must not know: libvirt. */
#include "localhost.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmtop/err.h"

enum { PATH_BYTES = 512, FILE_BYTES = 4096, CMDLINE_BYTES = 256 << 10, STAT_BYTES = 1 << 20 };

/* Reads at most len-1 bytes of a file; -1 when it cannot be read. Always terminates. */
static ssize_t slurp(const char *path, char *buf, size_t len)
{
	size_t n = 0;
	buf[0] = '\0';
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	for (ssize_t got; n < len - 1 && (got = read(fd, buf + n, len - 1 - n)) > 0;)
		n += (size_t)got;
	close(fd);
	buf[n] = '\0';
	return (ssize_t)n;
}

static bool read_list(const char *root, const char *file, struct cpuset *s)
{
	char path[PATH_BYTES], text[FILE_BYTES];
	snprintf(path, sizeof path, "%s%s", root, file);
	cpuset_clear(s);
	if (slurp(path, text, sizeof text) < 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	return cpuset_parse(s, text, NULL) == 0;
}

/* ---- pCPUs ---- */

static void read_cpu_line(const char *line, const struct cpuset *isolated, struct sample *s)
{
	unsigned id;
	long long user, nice, system, idle, iowait, irq = 0, softirq = 0, steal = 0;
	int n = sscanf(line, "cpu%u %lld %lld %lld %lld %lld %lld %lld %lld", &id, &user, &nice, &system,
		&idle, &iowait, &irq, &softirq, &steal);
	if (n < 6 || id >= CPUSET_CPUS)
		return;
	struct pcpu_sample *p = sample_add_pcpu(s, (int)id);
	if (!p)
		return;
	int64_t tick_ns = INT64_C(1000000000) / sysconf(_SC_CLK_TCK);
	p->online = true;
	p->isolated = cpuset_has(isolated, (int)id);
	/* user contains guest time already */
	p->busy_ns = vi64_ok((user + nice + system + irq + softirq + steal) * tick_ns);
	p->idle_ns = vi64_ok((idle + iowait) * tick_ns);
}

static int read_stat(const char *root, const struct cpuset *isolated, struct sample *s)
{
	char path[PATH_BYTES];
	char *text = malloc(STAT_BYTES);
	snprintf(path, sizeof path, "%s/proc/stat", root);
	if (!text || slurp(path, text, STAT_BYTES) < 0) {
		free(text);
		return -1;
	}
	for (char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
		if (strncmp(line, "cpu", 3) == 0 && isdigit((unsigned char)line[3]))
			read_cpu_line(line, isolated, s);
	free(text);
	return s->host.n_pcpus ? 0 : -1;
}

/* A pCPU that is present but not in /proc/stat is offline. */
static void add_offline(const char *root, struct sample *s)
{
	struct cpuset present, online;
	sample_online(s, &online);
	if (!read_list(root, "/sys/devices/system/cpu/present", &present))
		return;
	cpuset_andnot(&present, &online);
	CPUSET_EACH(cpu, &present)
	{
		struct pcpu_sample *p = sample_add_pcpu(s, cpu);
		if (p)
			p->busy_ns = p->idle_ns = vi64_absent(AVAIL_OFFLINE);
	}
}

/* ---- memory ---- */

/* "Key:   123 kB" anywhere in text. */
static struct vi64 field_kib(const char *text, const char *key)
{
	const char *p = strstr(text, key);
	return p ? vi64_ok(strtoll(p + strlen(key), NULL, 10)) : vi64_absent(AVAIL_UNSUPPORTED);
}

static void read_meminfo(const char *root, struct host_sample *h)
{
	char path[PATH_BYTES], text[FILE_BYTES];
	snprintf(path, sizeof path, "%s/proc/meminfo", root);
	slurp(path, text, sizeof text);
	h->total_kib = field_kib(text, "MemTotal:");
	h->free_kib = field_kib(text, "MemFree:");
	h->available_kib = field_kib(text, "MemAvailable:");
}

static struct vf64 psi_avg10(const char *text, const char *kind)
{
	double v;
	const char *p = strstr(text, kind);
	return p && sscanf(p, "%*4s avg10=%lf", &v) == 1 ? vf64_ok(v) : vf64_absent(AVAIL_UNSUPPORTED);
}

static void read_psi(const char *root, struct host_sample *h)
{
	char path[PATH_BYTES], text[FILE_BYTES];
	snprintf(path, sizeof path, "%s/proc/pressure/memory", root);
	slurp(path, text, sizeof text);
	h->psi_some_avg10 = psi_avg10(text, "some");
	h->psi_full_avg10 = psi_avg10(text, "full");
}

static void read_node(const char *root, int id, struct sample *s)
{
	char path[PATH_BYTES], text[FILE_BYTES];
	struct cpuset cpus;
	snprintf(path, sizeof path, "%s/sys/devices/system/node/node%d/meminfo", root, id);
	if (s->host.n_nodes == MAX_NODES || slurp(path, text, sizeof text) < 0)
		return;
	s->host.nodes[s->host.n_nodes++] =
		(struct node_sample){id, field_kib(text, "MemTotal:"), field_kib(text, "MemFree:")};
	snprintf(path, sizeof path, "/sys/devices/system/node/node%d/cpulist", id);
	if (!read_list(root, path, &cpus))
		return;
	for (size_t i = 0; i < s->host.n_pcpus; i++)
		if (cpuset_has(&cpus, s->host.pcpus[i].id))
			s->host.pcpus[i].node = id;
}

int localhost_host(const char *root, struct sample *s)
{
	struct cpuset isolated, nohz, nodes;
	read_list(root, "/sys/devices/system/cpu/isolated", &isolated);
	if (read_list(root, "/sys/devices/system/cpu/nohz_full", &nohz))
		cpuset_or(&isolated, &nohz);
	if (read_stat(root, &isolated, s) < 0)
		return -1;
	add_offline(root, s);
	read_meminfo(root, &s->host);
	read_psi(root, &s->host);
	if (read_list(root, "/sys/devices/system/node/online", &nodes))
		CPUSET_EACH(id, &nodes)
	if (id < MAX_NODES)
		read_node(root, id, s);
	return 0;
}

/* ---- processes ---- */

/* Text after the last ')' of a stat file: field 3 (state) and on. NULL: no such process. */
static const char *stat_tail(const char *path, char *buf, size_t len)
{
	const char *p = slurp(path, buf, len) > 0 ? strrchr(buf, ')') : NULL;
	return p && p[1] == ' ' ? p + 2 : NULL;
}

/* Field number n (as in proc(5)) of a stat tail, which begins with field 3. */
static bool stat_field(const char *tail, int n, long long *v)
{
	for (int i = 3; tail && i < n; i++) {
		tail = strchr(tail, ' ');
		tail = tail ? tail + 1 : NULL;
	}
	return tail && sscanf(tail, "%lld", v) == 1;
}

void local_vm_done(struct local_vm *vm)
{
	free(vm->vcpus);
	memset(vm, 0, sizeof *vm);
}

char localhost_state(const char *root, const struct local_vm *vm)
{
	char path[PATH_BYTES], text[FILE_BYTES];
	long long start;
	snprintf(path, sizeof path, "%s/proc/%d/stat", root, (int)vm->pid);
	const char *tail = vm->pid ? stat_tail(path, text, sizeof text) : NULL;
	return tail && stat_field(tail, 22, &start) && (uint64_t)start == vm->start ? tail[0] : 0;
}

int localhost_pcpu(const char *root, const struct local_vm *vm, pid_t tid)
{
	char path[PATH_BYTES], text[FILE_BYTES];
	long long cpu;
	snprintf(path, sizeof path, "%s/proc/%d/task/%d/stat", root, (int)vm->pid, (int)tid);
	const char *tail = stat_tail(path, text, sizeof text);
	return tail && stat_field(tail, 39, &cpu) && cpu >= 0 && cpu < CPUSET_CPUS ? (int)cpu : -1;
}

int localhost_affinity(pid_t tid, struct cpuset *s)
{
	unsigned char map[1024]; /* as wide as any kernel's: it refuses a narrower one */
	memset(map, 0, sizeof map);
	if (sched_getaffinity(tid, sizeof map, (cpu_set_t *)(void *)map) < 0)
		return -1;
	cpuset_from_map(s, map, sizeof map);
	return 0;
}

pid_t local_vm_tid(const struct local_vm *vm, int id)
{
	for (size_t i = 0; i < vm->n_vcpus; i++)
		if (vm->vcpus[i].id == id)
			return vm->vcpus[i].tid;
	return 0;
}

static int add_thread(struct local_vm *vm, int id, pid_t tid)
{
	struct local_vcpu *p = reallocarray(vm->vcpus, vm->n_vcpus + 1, sizeof *p);
	if (!p)
		return -1;
	vm->vcpus = p;
	p[vm->n_vcpus++] = (struct local_vcpu){id, tid};
	return 0;
}

/* QEMU names the thread of a vCPU "CPU 3/KVM" or "CPU 3/TCG". */
static bool vcpu_name(const char *comm, int *id)
{
	unsigned n;
	char kind[8];
	if (sscanf(comm, "CPU %5u/%7s", &n, kind) != 2)
		return false;
	*id = (int)n;
	return true;
}

static pid_t dir_pid(const struct dirent *d)
{
	return isdigit((unsigned char)d->d_name[0]) ? (pid_t)strtol(d->d_name, NULL, 10) : 0;
}

int localhost_threads(const char *root, struct local_vm *vm)
{
	char path[PATH_BYTES], comm[64];
	int id;
	if (!localhost_state(root, vm))
		return -1;
	snprintf(path, sizeof path, "%s/proc/%d/task", root, (int)vm->pid);
	DIR *dir = opendir(path);
	if (!dir)
		return -1;
	vm->n_vcpus = 0;
	for (struct dirent *d; (d = readdir(dir));) {
		pid_t tid = dir_pid(d);
		snprintf(path, sizeof path, "%s/proc/%d/task/%d/comm", root, (int)vm->pid, (int)tid);
		if (tid && slurp(path, comm, sizeof comm) > 0 && vcpu_name(comm, &id))
			add_thread(vm, id, tid);
	}
	closedir(dir);
	return 0;
}

/* libvirt puts a machine into its scope; the scope's parent bounds every pin below it. */
static void read_cgroup(const char *root, struct local_vm *vm)
{
	char path[PATH_BYTES + FILE_BYTES], text[FILE_BYTES];
	snprintf(path, sizeof path, "%s/proc/%d/cgroup", root, (int)vm->pid);
	vm->has_cgroup = false;
	if (slurp(path, text, sizeof text) < 0 || strncmp(text, "0::/", 4) != 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	char *inner = strstr(text, "/libvirt/");
	if (inner)
		*inner = '\0';
	char *scope = strrchr(text, '/');
	if (!scope || strstr(text, "/.."))
		return;
	*scope = '\0';
	snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpuset.cpus.effective", text + strlen("0::"));
	vm->has_cgroup = read_list(root, path, &vm->cgroup) && !cpuset_empty(&vm->cgroup);
}

/* The argument after "-uuid" in a command line of NUL-separated arguments. */
static bool cmdline_uuid(const char *args, size_t n, uint8_t uuid[UUID_BYTES])
{
	const char *end = args + n;
	for (const char *p = args; p < end; p += strlen(p) + 1) {
		const char *value = p + strlen(p) + 1;
		if (strcmp(p, "-uuid") == 0 && value < end)
			return uuid_parse(uuid, value) == 0;
	}
	return false;
}

/* Is this process one of those looked for? Its index, or n. */
static size_t whose(const char *root, pid_t pid, uint8_t (*uuids)[UUID_BYTES], size_t n, char *buf)
{
	char path[PATH_BYTES];
	uint8_t uuid[UUID_BYTES];
	snprintf(path, sizeof path, "%s/proc/%d/cmdline", root, (int)pid);
	ssize_t len = slurp(path, buf, CMDLINE_BYTES);
	if (len <= 0 || !cmdline_uuid(buf, (size_t)len, uuid))
		return n;
	size_t i = 0;
	while (i < n && uuid_compare(uuid, uuids[i]) != 0)
		i++;
	return i;
}

static bool adopt(const char *root, pid_t pid, struct local_vm *vm)
{
	char path[PATH_BYTES], text[FILE_BYTES];
	long long start;
	snprintf(path, sizeof path, "%s/proc/%d/stat", root, (int)pid);
	const char *tail = stat_tail(path, text, sizeof text);
	if (!tail || !stat_field(tail, 22, &start))
		return false;
	local_vm_done(vm);
	vm->pid = pid;
	vm->start = (uint64_t)start;
	read_cgroup(root, vm);
	return localhost_threads(root, vm) == 0;
}

size_t localhost_find(const char *root, uint8_t (*uuids)[UUID_BYTES], struct local_vm **vms, size_t n)
{
	char path[PATH_BYTES];
	char *buf = malloc(CMDLINE_BYTES);
	snprintf(path, sizeof path, "%s/proc", root);
	DIR *dir = n && buf ? opendir(path) : NULL;
	size_t found = 0;
	for (struct dirent *d; dir && found < n && (d = readdir(dir));) {
		pid_t pid = dir_pid(d);
		size_t i = pid ? whose(root, pid, uuids, n, buf) : n;
		if (i < n && !vms[i]->pid && adopt(root, pid, vms[i]))
			found++;
	}
	if (dir)
		closedir(dir);
	free(buf);
	return found;
}
