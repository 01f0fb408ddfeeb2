/* SPDX-License-Identifier: MIT */
/* Control groups, from /proc/PID/cgroup and what is mounted below /sys/fs/cgroup. Invariant: reads only; a
 * file that is missing or strange limits nothing. Must not know: libvirt, samples of others. */
#include "cgroup.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procfile.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

enum { TEXT_BYTES = 4096, FILE_PATH = CGROUP_PATH + 64 };

/* Is `name` among words separated by commas? */
static bool lists(const char *words, size_t n, const char *name)
{
	size_t len = strlen(name);
	for (const char *w = words, *end = words + n; w < end; w += strcspn(w, ",:") + 1)
		if (strncmp(w, name, len) == 0 && (w[len] == ',' || w[len] == ':'))
			return true;
	return false;
}

/* libvirt's own groups below a machine's: what they hold is what was asked for, vmtop's pins included. */
static bool is_part(const char *name)
{
	static const char *const parts[] = {"emulator", "vcpu", "iothread"};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		size_t n = strlen(parts[i]);
		if (strncmp(name, parts[i], n) == 0 && strspn(name + n, "0123456789") == strlen(name + n))
			return true;
	}
	return false;
}

/* Cuts the last component off; false: at the mount. */
static bool climb(char *path, size_t top)
{
	char *last = strrchr(path, '/');
	if (!last || (size_t)(last - path) < top)
		return false;
	*last = '\0';
	return true;
}

/* "/a/b" below a mount. A path that leads out of what is mounted here ("/..") is not to be had. */
static void dir_set(struct cgroup_dir *dir, const char *root, const char *mount, const char *path, bool v2)
{
	size_t n = strcspn(path, "\n");
	int top = snprintf(dir->path, sizeof dir->path, "%s/sys/fs/cgroup%s", root, mount);
	if (top < 0 || (size_t)top + n >= sizeof dir->path || memmem(path, n, "/..", 3)) {
		dir->path[0] = '\0';
		return;
	}
	dir->top = (size_t)top;
	dir->v2 = v2;
	n -= n == 1; /* "/" */
	memcpy(dir->path + top, path, n);
	dir->path[(size_t)top + n] = '\0';
	char *last = strrchr(dir->path, '/');
	if (n && last && is_part(last + 1))
		climb(dir->path, dir->top);
}

static bool is_there(const char *root, const char *path)
{
	char full[FILE_PATH];
	snprintf(full, sizeof full, "%s%s", root, path);
	return access(full, F_OK) == 0;
}

/* "N:controllers:/path"; without controllers it is the hierarchy of version 2, which has those that no other
 * has. */
static void read_line(const char *root, const char *line, struct cgroup_dirs *to)
{
	const char *words = strchr(line, ':'), *path = words ? strchr(words + 1, ':') : NULL;
	if (!path || path[1] != '/')
		return;
	size_t n = (size_t)(path - ++words);
	const char *mount = text_if(is_there(root, "/sys/fs/cgroup/unified"), "/unified");
	const struct {
		const char *name;
		struct cgroup_dir *dir;
	} all[] = {{"cpuset", &to->cpuset}, {"cpu", &to->cpu}, {"memory", &to->memory}};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		char own[16];
		snprintf(own, sizeof own, "/%s", all[i].name);
		if (n == 0 && !all[i].dir->path[0])
			dir_set(all[i].dir, root, mount, path + 1, true);
		if (lists(words, n, all[i].name))
			dir_set(all[i].dir, root, own, path + 1, false);
	}
}

void cgroup_find(const char *root, pid_t pid, struct cgroup_dirs *to)
{
	char path[FILE_PATH], text[TEXT_BYTES];
	memset(to, 0, sizeof *to);
	snprintf(path, sizeof path, "%s/proc/%d/cgroup", root, (int)pid);
	if (procfile_read(path, text, sizeof text) <= 0)
		return;
	for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
		read_line(root, line, to);
}

/* The kernel keeps a group's set inside those above it, so the nearest that has one tells them all. */
bool cgroup_cpus(const struct cgroup_dir *d, struct cpuset *cpus)
{
	char dir[CGROUP_PATH], file[FILE_PATH];
	memcpy(dir, d->path, sizeof dir);
	if (!dir[0])
		return false;
	do {
		snprintf(file, sizeof file, "%s/%s", dir, d->v2 ? "cpuset.cpus.effective" : "cpuset.cpus");
		if (procfile_list(file, cpus) && !cpuset_empty(cpus))
			return true;
	} while (climb(dir, d->top));
	return false;
}

static bool read_number(const char *dir, const char *name, int64_t *v)
{
	char file[FILE_PATH], text[64];
	snprintf(file, sizeof file, "%s/%s", dir, name);
	return procfile_read(file, text, sizeof text) > 0 && procfile_numbers(text, v, 1) == 1;
}

/* "60000 100000", or "max 100000" for none; in version 1 two files, and -1 for none. */
static bool read_quota(const char *dir, bool v2, int64_t v[2])
{
	char file[FILE_PATH], text[64];
	if (!v2)
		return read_number(dir, "cpu.cfs_quota_us", &v[0]) &&
		       read_number(dir, "cpu.cfs_period_us", &v[1]);
	snprintf(file, sizeof file, "%s/cpu.max", dir);
	return procfile_read(file, text, sizeof text) > 0 && procfile_numbers(text, v, 2) == 2;
}

/* Not 0, which is no group. */
static uint64_t name_of(const char *dir)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	for (const char *p = dir; *p; p++)
		h = (h ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
	return (h >> 1) | 1;
}

struct vf64 cgroup_quota(const struct cgroup_dir *d, uint64_t *group)
{
	char dir[CGROUP_PATH];
	struct vf64 least = vf64_absent(AVAIL_NONE);
	memcpy(dir, d->path, sizeof dir);
	*group = 0;
	if (!dir[0])
		return least;
	do {
		int64_t v[2];
		if (!read_quota(dir, d->v2, v) || v[0] <= 0 || v[1] <= 0)
			continue;
		double pct = 100 * (double)v[0] / (double)v[1];
		if (vf64_has(least) && pct >= least.v)
			continue;
		least = vf64_ok(pct);
		*group = name_of(dir);
	} while (climb(dir, d->top));
	return least;
}

/* ---- memory ---- */

/* The group that libvirt or systemd made for one machine, or one of its groups below that. */
static bool of_machine(const char *dir, size_t top)
{
	static const char *const begins[] = {"/machine-qemu", "/qemu-"};
	for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
		if (strstr(dir + top, begins[i]))
			return true;
	return strstr(dir + top, ".libvirt-qemu") != NULL;
}

static void lower(struct vi64 *least, int64_t bytes)
{
	/* Version 1 says "no limit" by the largest multiple of a page. */
	if (bytes >= 0 && bytes / 1024 < SAMPLE_KIB_MOST && (!vi64_has(*least) || bytes / 1024 < least->v))
		*least = vi64_ok(bytes / 1024);
}

static struct vi64 limit_at(const char *dir, bool v2)
{
	static const char *const names[2][2] = {
		{"memory.limit_in_bytes", NULL}, {"memory.max", "memory.high"}};
	struct vi64 least = vi64_absent(AVAIL_NONE);
	int64_t bytes;
	for (int i = 0; i < 2 && names[v2][i]; i++)
		if (read_number(dir, names[v2][i], &bytes))
			lower(&least, bytes);
	return least;
}

void cgroup_memory(const struct cgroup_dir *d, struct cgroup_memory *to)
{
	char dir[CGROUP_PATH];
	*to = (struct cgroup_memory){vi64_absent(AVAIL_NONE), vi64_absent(AVAIL_NONE), 0};
	memcpy(dir, d->path, sizeof dir);
	if (!dir[0])
		return;
	do {
		struct vi64 here = limit_at(dir, d->v2);
		bool own = of_machine(dir, d->top);
		struct vi64 *least = own ? &to->own_kib : &to->around_kib;
		if (!vi64_has(here) || (vi64_has(*least) && here.v >= least->v))
			continue;
		*least = here;
		if (!own)
			to->group = name_of(dir);
	} while (climb(dir, d->top));
}

/* ---- what the machine feels of it ---- */

/* "throttled_usec 5" of version 2, "throttled_time 5000" of version 1. */
static bool read_throttled(const char *dir, bool v2, int64_t *ns)
{
	char file[FILE_PATH], text[TEXT_BYTES];
	const char *key = v2 ? "throttled_usec " : "throttled_time ";
	int64_t unit = v2 ? 1000 : 1, v;
	snprintf(file, sizeof file, "%s/cpu.stat", dir);
	const char *at = procfile_read(file, text, sizeof text) > 0 ? strstr(text, key) : NULL;
	if (!at || procfile_numbers(at + strlen(key), &v, 1) != 1 || v < 0 || v > SAMPLE_NS_MOST / unit)
		return false;
	*ns = v * unit;
	return true;
}

static bool has_quota(const char *dir, bool v2)
{
	int64_t v[2];
	return read_quota(dir, v2, v) && v[0] > 0 && v[1] > 0;
}

static void add_throttled(const char *dir, bool v2, struct vi64 *sum)
{
	int64_t ns;
	if (!has_quota(dir, v2) || !read_throttled(dir, v2, &ns))
		return;
	int64_t so_far = vi64_has(*sum) ? sum->v : 0;
	*sum = vi64_ok(so_far > SAMPLE_NS_MOST - ns ? SAMPLE_NS_MOST : so_far + ns);
}

struct vi64 cgroup_throttled_ns(const struct cgroup_dir *d)
{
	struct vi64 sum = vi64_absent(AVAIL_NONE);
	char dir[CGROUP_PATH];
	DIR *groups = d->path[0] ? opendir(d->path) : NULL;
	if (!groups)
		return sum;
	for (struct dirent *entry; (entry = readdir(groups));) {
		int n = snprintf(dir, sizeof dir, "%.600s/%.100s", d->path, entry->d_name);
		if (strncmp(entry->d_name, "vcpu", 4) == 0 && is_part(entry->d_name) && n < (int)sizeof dir)
			add_throttled(dir, d->v2, &sum);
	}
	closedir(groups);
	memcpy(dir, d->path, sizeof dir);
	do {
		if (of_machine(dir, d->top))
			add_throttled(dir, d->v2, &sum);
	} while (climb(dir, d->top));
	return sum;
}

void cgroup_weight(const struct cgroup_dir *d, struct vi64 *weight, struct vi64 *shares)
{
	char dir[CGROUP_PATH];
	*weight = *shares = vi64_absent(AVAIL_NONE);
	memcpy(dir, d->path, sizeof dir);
	if (!dir[0])
		return;
	do {
		int64_t v;
		if (!of_machine(dir, d->top) || !read_number(dir, d->v2 ? "cpu.weight" : "cpu.shares", &v) ||
			v < CPU_SHARES_LEAST || v > CPU_SHARES_MOST)
			continue;
		*shares = vi64_ok(v);
		if (!d->v2)
			v = (v * 100 + 512) / 1024;
		*weight = vi64_ok(max_of(v, 1));
	} while (climb(dir, d->top));
}

/* The nearest group that has it: a controller need not reach down to libvirt's own groups. */
struct vf64 cgroup_pressure(const struct cgroup_dir *d, const char *of)
{
	char dir[CGROUP_PATH], file[FILE_PATH], text[256];
	double v;
	memcpy(dir, d->path, sizeof dir);
	if (!dir[0] || !d->v2)
		return vf64_absent(AVAIL_UNSUPPORTED);
	while (of_machine(dir, d->top)) {
		snprintf(file, sizeof file, "%s/%s.pressure", dir, of);
		if (procfile_read(file, text, sizeof text) > 0 && sscanf(text, "some avg10=%lf", &v) == 1 &&
			v >= 0 && v <= 100)
			return vf64_ok(v);
		if (!climb(dir, d->top))
			break;
	}
	return vf64_absent(AVAIL_UNSUPPORTED);
}

static size_t read_pids(const char *file, pid_t *pids, size_t most)
{
	char text[TEXT_BYTES];
	size_t n = 0;
	if (procfile_read(file, text, sizeof text) <= 0)
		return 0;
	for (char *p = text, *end; n < most; p = end) {
		long v = strtol(p, &end, 10);
		if (end == p)
			break;
		if (*end && v > 0 && v <= INT32_MAX) /* the last may be cut short */
			pids[n++] = (pid_t)v;
	}
	return n;
}

size_t cgroup_processes(const struct cgroup_dir *dir, pid_t *pids, size_t most)
{
	static const char *const places[] = {"emulator/cgroup.procs", "cgroup.procs"};
	char file[FILE_PATH];
	size_t n = 0;
	for (size_t i = 0; dir->path[0] && of_machine(dir->path, dir->top) && i < 2 && !n; i++) {
		snprintf(file, sizeof file, "%s/%s", dir->path, places[i]);
		n = read_pids(file, pids, most);
	}
	return n;
}
