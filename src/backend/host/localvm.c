/* SPDX-License-Identifier: MIT */
/* VMs of this machine, seen from /proc. Invariant: reads only; a process or thread counts only as long as its
 * start time is the one it was found with; text that a process may choose is never trusted to be short,
 * unique or well formed. Must not know: libvirt. */
#include "localvm.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procfile.h"
#include "vmtop/array.h"
#include "vmtop/minmax.h"

enum { PATH_BYTES = 512, FILE_BYTES = 4096, CMDLINE_BYTES = 256 << 10, VCPU_ID_MOST = 65535 };
enum {
	FIELD_UTIME = 14,
	FIELD_STIME = 15,
	FIELD_THREADS = 20,
	FIELD_START = 22,
	FIELD_RSS = 24,
	FIELD_CPU = 39
};

void local_root_init(struct local_root *lr, const char *root)
{
	char path[PATH_BYTES], text[32];
	lr->root = root;
	snprintf(path, sizeof path, "%s/proc/self", root);
	ssize_t n = readlink(path, text, sizeof text - 1);
	text[max_of(n, 0)] = '\0';
	lr->own_pids = n > 0 && strtol(text, NULL, 10) == (long)getpid();
	snprintf(lr->pids, sizeof lr->pids, "/run/libvirt/qemu");
}

void local_root_session(struct local_root *root, const char *runtime)
{
	static const char tail[] = "/libvirt/qemu/run";
	if (strlen(runtime) + sizeof tail <= sizeof root->pids)
		snprintf(root->pids, sizeof root->pids, "%s%s", runtime, tail);
}

void local_vm_done(struct local_vm *vm)
{
	free(vm->vcpus);
	free(vm->helpers);
	memset(vm, 0, sizeof *vm);
}

/* The tail of a stat file of a process (tid 0) or thread, provided that it began then. start < 0: whichever.
 */
static const char *stat_of(
	const struct local_root *root, pid_t pid, pid_t tid, int64_t *start, char *buf, size_t len)
{
	char path[PATH_BYTES];
	int64_t began;
	if (tid)
		snprintf(path, sizeof path, "%s/proc/%d/task/%d/stat", root->root, (int)pid, (int)tid);
	else
		snprintf(path, sizeof path, "%s/proc/%d/stat", root->root, (int)pid);
	const char *tail = procfile_read(path, buf, len) > 0 ? procfile_tail(buf) : NULL;
	if (!tail || !procfile_field(tail, FIELD_START, &began) || (*start >= 0 && began != *start))
		return NULL;
	*start = began;
	return tail;
}

int local_process(const struct local_root *root, const struct local_vm *vm, struct local_process *to)
{
	char text[FILE_BYTES];
	int64_t start = vm->start, user, system, rss;
	const char *tail = vm->pid ? stat_of(root, vm->pid, 0, &start, text, sizeof text) : NULL;
	if (!tail || !procfile_field(tail, FIELD_UTIME, &user) ||
		!procfile_field(tail, FIELD_STIME, &system) ||
		!procfile_field(tail, FIELD_THREADS, &to->threads) || !procfile_field(tail, FIELD_RSS, &rss))
		return -1;
	int64_t tick_ns = INT64_C(1000000000) / sysconf(_SC_CLK_TCK), page_kib = sysconf(_SC_PAGESIZE) / 1024;
	if (user < 0 || system < 0 || rss < 0 || rss > INT64_MAX / page_kib ||
		user > INT64_MAX / tick_ns / 2 || system > INT64_MAX / tick_ns / 2)
		return -1;
	to->state = tail[0];
	to->cpu_ns = (user + system) * tick_ns;
	to->rss_kib = rss * page_kib;
	return 0;
}

/* ---- one thread ---- */

/* For a /proc whose ids are another PID namespace's, where a system call would ask for somebody else. */
static int affinity_from_status(
	const struct local_root *root, const struct local_vm *vm, pid_t tid, struct cpuset *set)
{
	static const char key[] = "\nCpus_allowed_list:\t";
	char path[PATH_BYTES], text[2 * FILE_BYTES];
	snprintf(path, sizeof path, "%s/proc/%d/task/%d/status", root->root, (int)vm->pid, (int)tid);
	char *p = procfile_read(path, text, sizeof text) > 0 ? strstr(text, key) : NULL;
	if (!p)
		return -1;
	p += strlen(key);
	p[strcspn(p, "\n")] = '\0';
	return cpuset_parse_clipped(set, p);
}

static int affinity(const struct local_root *root, const struct local_vm *vm, pid_t tid, struct cpuset *set)
{
	unsigned char map[1024]; /* as wide as any kernel's: it refuses a narrower one */
	if (!root->own_pids)
		return affinity_from_status(root, vm, tid, set);
	memset(map, 0, sizeof map);
	if (sched_getaffinity(tid, sizeof map, (cpu_set_t *)(void *)map) < 0)
		return -1;
	cpuset_from_map(set, map, sizeof map);
	return 0;
}

static int times(const struct local_root *root, pid_t pid, pid_t tid, struct local_thread *to)
{
	char path[PATH_BYTES], text[128];
	int64_t v[2];
	snprintf(path, sizeof path, "%s/proc/%d/task/%d/schedstat", root->root, (int)pid, (int)tid);
	if (procfile_read(path, text, sizeof text) <= 0 || procfile_numbers(text, v, 2) != 2 || v[0] < 0 ||
		v[1] < 0)
		return -1;
	to->time_ns = v[0];
	to->delay_ns = v[1];
	return 0;
}

int local_thread(const struct local_root *root, const struct local_vm *vm, const struct local_vcpu *vcpu,
	struct local_thread *to)
{
	char text[FILE_BYTES];
	int64_t start = vcpu->start, cpu;
	if (times(root, vm->pid, vcpu->tid, to) < 0 || affinity(root, vm, vcpu->tid, &to->affinity) < 0)
		return -1;
	/* Last, so that its start time speaks for what was read before. */
	const char *tail = stat_of(root, vm->pid, vcpu->tid, &start, text, sizeof text);
	if (!tail || !procfile_field(tail, FIELD_CPU, &cpu) || cpu < 0 || cpu >= CPUSET_CPUS ||
		cpuset_empty(&to->affinity))
		return -1;
	to->pcpu = (int)cpu;
	return 0;
}

/* ---- finding them ---- */

/* QEMU names the thread of a vCPU "CPU 3/KVM" or "CPU 3/TCG". */
static bool vcpu_name(char *comm, int *id)
{
	char *end;
	comm[strcspn(comm, "\n")] = '\0';
	if (strncmp(comm, "CPU ", 4) != 0 || !isdigit((unsigned char)comm[4]))
		return false;
	long n = strtol(comm + 4, &end, 10);
	*id = (int)n;
	return n <= VCPU_ID_MOST && (strcmp(end, "/KVM") == 0 || strcmp(end, "/TCG") == 0);
}

static pid_t dir_pid(const struct dirent *entry)
{
	long n = isdigit((unsigned char)entry->d_name[0]) ? strtol(entry->d_name, NULL, 10) : 0;
	return n > 0 && n < INT32_MAX ? (pid_t)n : 0;
}

/* In its place by id. -1: there is one with this id already, or memory is out. */
static int add_thread(struct local_vm *vm, const struct local_vcpu *v)
{
	if (!array_grow(&vm->vcpus, &vm->cap_vcpus, vm->n_vcpus + 1, sizeof *vm->vcpus))
		return -1;
	struct local_vcpu *p = vm->vcpus;
	size_t at = vm->n_vcpus;
	while (at > 0 && p[at - 1].id > v->id)
		at--;
	if (at > 0 && p[at - 1].id == v->id)
		return -1;
	memmove(p + at + 1, p + at, (vm->n_vcpus - at) * sizeof *p);
	p[at] = *v;
	vm->n_vcpus++;
	return 0;
}

/* The helpers of the list before, so that what was read of them is kept. */
struct helpers_before {
	const struct local_helper *was;
	size_t n;
};

/* Without room it is left out. */
static void add_helper(const struct local_root *root, struct local_vm *vm, const struct helpers_before *old,
	pid_t pid, pid_t tid, const char *name)
{
	char text[FILE_BYTES];
	struct local_helper helper = {.pid = pid, .tid = tid, .start = -1};
	if (vm->n_helpers == HELPERS_MOST || !stat_of(root, pid, tid, &helper.start, text, sizeof text))
		return;
	if (!vm->helpers && !(vm->helpers = calloc(HELPERS_MOST, sizeof *vm->helpers)))
		return;
	snprintf(helper.name, sizeof helper.name, "%.15s", name);
	for (size_t i = 0; i < old->n; i++)
		if (old->was[i].tid == tid && old->was[i].start == helper.start)
			helper = old->was[i];
	vm->helpers[vm->n_helpers++] = helper;
}

static int add_one(
	const struct local_root *root, struct local_vm *vm, const struct helpers_before *old, pid_t tid)
{
	char path[PATH_BYTES], text[FILE_BYTES];
	struct local_vcpu vcpu = {.tid = tid, .start = -1};
	snprintf(path, sizeof path, "%s/proc/%d/task/%d/comm", root->root, (int)vm->pid, (int)tid);
	if (procfile_read(path, text, sizeof text) <= 0)
		return 0;
	if (!vcpu_name(text, &vcpu.id)) {
		add_helper(root, vm, old, vm->pid, tid, text);
		return 0;
	}
	return stat_of(root, vm->pid, tid, &vcpu.start, text, sizeof text) ? add_thread(vm, &vcpu) : 0;
}

/* "vhost-4711" works for process 4711; before kernel 6.4 it is a process of its own, in QEMU's group. */
static void add_kernel_helpers(
	const struct local_root *root, struct local_vm *vm, const struct helpers_before *old)
{
	pid_t pids[HELPERS_MOST];
	size_t n = cgroup_processes(&vm->groups.cpu, pids, HELPERS_MOST);
	char path[PATH_BYTES], text[64], mine[32];
	snprintf(mine, sizeof mine, "vhost-%d", (int)vm->pid);
	for (size_t i = 0; i < n; i++) {
		snprintf(path, sizeof path, "%s/proc/%d/comm", root->root, (int)pids[i]);
		if (pids[i] == vm->pid || procfile_read(path, text, sizeof text) <= 0)
			continue;
		text[strcspn(text, "\n")] = '\0';
		if (strcmp(text, mine) == 0)
			add_helper(root, vm, old, pids[i], pids[i], text);
	}
}

static int list_threads(const struct local_root *root, struct local_vm *vm, const struct helpers_before *old)
{
	char path[PATH_BYTES];
	int rc = 0;
	snprintf(path, sizeof path, "%s/proc/%d/task", root->root, (int)vm->pid);
	DIR *dir = opendir(path);
	if (!dir)
		return -1;
	for (struct dirent *entry; rc == 0 && (entry = readdir(dir));)
		if (dir_pid(entry))
			rc = add_one(root, vm, old, dir_pid(entry));
	closedir(dir);
	add_kernel_helpers(root, vm, old);
	return rc;
}

int local_threads(const struct local_root *root, struct local_vm *vm)
{
	struct local_process proc;
	vm->n_vcpus = 0;
	if (local_process(root, vm, &proc) < 0)
		return -1;
	struct local_helper *was = vm->helpers;
	struct helpers_before old = {was, vm->n_helpers};
	vm->helpers = NULL;
	vm->n_helpers = 0;
	vm->threads = proc.threads;
	int rc = list_threads(root, vm, &old);
	free(was);
	return rc == 0 && vm->n_vcpus ? 0 : -1;
}

void local_limits(struct local_vm *vm)
{
	enum { QUOTA_EACH = 4 }; /* a step at each level, and nothing fails when it is late */
	vm->has_cgroup = cgroup_cpus(&vm->groups.cpuset, &vm->cgroup);
	if (vm->looks++ % QUOTA_EACH != 0)
		return;
	vm->quota_pct = cgroup_quota(&vm->groups.cpu, &vm->quota_group);
	cgroup_memory(&vm->groups.memory, &vm->memory);
}

/* ---- why it is slow ---- */

/* What each ran and waited since it was read last; who is gone keeps what it had, and leaves the list. */
static void read_helpers(const struct local_root *root, struct local_vm *vm, struct vm_facts *to)
{
	int64_t most = -1;
	size_t n = 0, busiest = 0;
	for (size_t i = 0; i < vm->n_helpers; i++) {
		struct local_helper *helper = &vm->helpers[i];
		struct local_thread thread;
		if (times(root, helper->pid, helper->tid, &thread) < 0) {
			/* One that came in its place, a migration's perhaps, leaves their number alone. */
			if (helper->pid == vm->pid)
				vm->threads = LIST_AGAIN;
			continue;
		}
		int64_t ran = helper->read && thread.time_ns > helper->time_ns
				      ? thread.time_ns - helper->time_ns
				      : 0;
		int64_t waited = helper->read && thread.delay_ns > helper->delay_ns
					 ? thread.delay_ns - helper->delay_ns
					 : 0;
		vm->helper_ns += ran < SAMPLE_NS_MOST - vm->helper_ns ? ran : 0;
		vm->helper_delay_ns += waited < SAMPLE_NS_MOST - vm->helper_delay_ns ? waited : 0;
		helper->read = true;
		helper->time_ns = thread.time_ns;
		helper->delay_ns = thread.delay_ns;
		if (ran + waited > most) {
			most = ran + waited;
			busiest = n;
		}
		vm->helpers[n++] = *helper;
	}
	vm->n_helpers = n;
	to->helper_ns = vi64_ok(vm->helper_ns);
	to->helper_delay_ns = vi64_ok(vm->helper_delay_ns);
	if (!n)
		return;
	char text[FILE_BYTES];
	struct local_helper *helper = &vm->helpers[busiest];
	int64_t cpu, start = helper->start;
	const char *tail = stat_of(root, helper->pid, helper->tid, &start, text, sizeof text);
	if (tail && procfile_field(tail, FIELD_CPU, &cpu) && cpu >= 0 && cpu < CPUSET_CPUS)
		to->helper_pcpu = vi64_ok(cpu);
	memcpy(to->helper, helper->name, sizeof to->helper);
}

bool local_sends(const struct local_root *root, const struct local_vm *vm)
{
	static const char *const names[] = {"live_migration", "mig/src/", "bg_snapshot", "mig/snapshot"};
	char text[FILE_BYTES];
	for (size_t i = 0; i < vm->n_helpers; i++) {
		const struct local_helper *helper = &vm->helpers[i];
		int64_t start = helper->start;
		bool sends = false;
		for (size_t k = 0; k < sizeof names / sizeof *names; k++)
			sends = sends || strncmp(helper->name, names[k], strlen(names[k])) == 0;
		if (sends && stat_of(root, helper->pid, helper->tid, &start, text, sizeof text))
			return true;
	}
	return false;
}

static struct vi64 swapped(const struct local_root *root, const struct local_vm *vm)
{
	static const char key[] = "\nVmSwap:";
	char path[PATH_BYTES], text[FILE_BYTES];
	int64_t kib;
	snprintf(path, sizeof path, "%s/proc/%d/status", root->root, (int)vm->pid);
	const char *at = procfile_read(path, text, sizeof text) > 0 ? strstr(text, key) : NULL;
	if (!at || procfile_numbers(at + strlen(key), &kib, 1) != 1 || kib < 0)
		return vi64_absent(AVAIL_UNSUPPORTED);
	return vi64_ok(kib);
}

/* KVM's counters of a machine are in PID-FD of debugfs: for root alone, and not everywhere. */
static void find_kvm(const struct local_root *root, struct local_vm *vm)
{
	char path[PATH_BYTES], begin[32];
	snprintf(path, sizeof path, "%s/sys/kernel/debug/kvm", root->root);
	size_t n = (size_t)snprintf(begin, sizeof begin, "%d-", (int)vm->pid);
	DIR *dir = opendir(path);
	vm->kvm[0] = '\0';
	for (struct dirent *entry; dir && (entry = readdir(dir));)
		if (strncmp(entry->d_name, begin, n) == 0)
			snprintf(vm->kvm, sizeof vm->kvm, "/sys/kernel/debug/kvm/%.32s", entry->d_name);
	if (dir)
		closedir(dir);
}

static struct vi64 kvm_count(const struct local_root *root, const struct local_vm *vm, const char *name)
{
	char path[2 * PATH_BYTES], text[64];
	int64_t v;
	snprintf(path, sizeof path, "%s%s/%s", root->root, vm->kvm, name);
	if (!vm->kvm[0] || procfile_read(path, text, sizeof text) <= 0 ||
		procfile_numbers(text, &v, 1) != 1 || v < 0)
		return vi64_absent(AVAIL_NONE);
	return vi64_ok(v);
}

static void read_kvm(const struct local_root *root, const struct local_vm *vm, struct vm_facts *to)
{
	struct vi64 exits = kvm_count(root, vm, "exits"),
		    served = kvm_count(root, vm, "halt_poll_success_ns"),
		    vain = kvm_count(root, vm, "halt_poll_fail_ns");
	if (vi64_has(exits))
		to->exits = exits;
	if (vi64_has(served) && vi64_has(vain) && served.v <= SAMPLE_NS_MOST && vain.v <= SAMPLE_NS_MOST)
		to->polled_ns = vi64_ok(served.v + vain.v);
}

/* What may hold back one that waits. */
static void read_holds(struct local_vm *vm)
{
	cgroup_weight(&vm->groups.cpu, &vm->facts.weight, &vm->facts.cpu_shares);
	vm->throttles = vi64_has(cgroup_throttled_ns(&vm->groups.cpu));
}

/* What does not change from one reading to the next. */
static void read_gauges(const struct local_root *root, struct local_vm *vm)
{
	struct vm_facts *facts = &vm->facts;
	facts->swapped_kib = swapped(root, vm);
	facts->psi_cpu = cgroup_pressure(&vm->groups.cpu, "cpu");
	facts->psi_memory = cgroup_pressure(&vm->groups.cpu, "memory");
	facts->psi_io = cgroup_pressure(&vm->groups.cpu, "io");
	read_holds(vm);
}

void local_facts(const struct local_root *root, struct local_vm *vm, bool helpers, struct vm_facts *to)
{
	enum { GAUGES_EACH = 2 }; /* each costs a file or more, and says little in less time */
	struct vi64 exits = to->exits, polled = to->polled_ns, disk = to->disk_ns, reqs = to->disk_reqs;
	if (vm->looks % GAUGES_EACH == 1 || !vm->facts.swapped_kib.avail)
		read_gauges(root, vm);
	else if (vm->watch)
		read_holds(vm);
	if (vm->watch) /* a quota that came just now is the cause, and must not be late */
		vm->quota_pct = cgroup_quota(&vm->groups.cpu, &vm->quota_group);
	*to = vm->facts;
	to->exits = exits;
	to->polled_ns = polled;
	to->disk_ns = disk;
	to->disk_reqs = reqs;
	read_kvm(root, vm, to);
	if (vm->throttles)
		to->throttled_ns = cgroup_throttled_ns(&vm->groups.cpu);
	if (helpers)
		read_helpers(root, vm, to);
	else
		to->helper_ns = to->helper_delay_ns = vi64_absent(AVAIL_NOT_ASKED);
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

/* ---- which process libvirt started ---- */

/* Nobody but root and its owner could have put it there. */
static bool kept_by(const struct stat *st, uid_t owner)
{
	return (st->st_uid == 0 || st->st_uid == owner) && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

/* Opens the pid file of a VM; -1: there is none that can be believed. */
static int open_pid_file(const struct local_root *root, const char *name, struct stat *st)
{
	char path[2 * PATH_BYTES];
	struct stat folder;
	int n = snprintf(path, sizeof path, "%s%s", root->root, root->pids);
	if (strchr(name, '/') || stat(path, &folder) < 0)
		return -1;
	int more = snprintf(path + n, sizeof path - (size_t)n, "/%s.pid", name);
	if (more >= (int)sizeof path - n)
		return -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0 && fstat(fd, st) == 0 && S_ISREG(st->st_mode) && kept_by(st, st->st_uid) &&
		kept_by(&folder, st->st_uid))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static pid_t read_pid(int fd)
{
	char text[16];
	ssize_t n = read(fd, text, sizeof text - 1);
	text[max_of(n, 0)] = '\0';
	text[strcspn(text, "\n")] = '\0';
	long pid = strtol(text, NULL, 10);
	return text[strspn(text, "0123456789")] || pid > INT32_MAX ? 0 : (pid_t)pid;
}

/* QEMU inherits the file from libvirt with a lock on it, which ends with the process and not before. */
static bool is_holder(const struct local_root *root, int fd, pid_t pid)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (!root->own_pids)
		return true; /* the kernel would answer with an id that is none of these */
	return fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK && lock.l_pid == pid;
}

static bool is_owned(const struct local_root *root, pid_t pid, uid_t owner)
{
	char path[PATH_BYTES];
	struct stat st;
	snprintf(path, sizeof path, "%s/proc/%d", root->root, (int)pid);
	return owner == 0 || (stat(path, &st) == 0 && st.st_uid == owner);
}

static bool has_uuid(const struct local_root *root, pid_t pid, const uint8_t wanted[UUID_BYTES], char *buf)
{
	char path[PATH_BYTES];
	uint8_t uuid[UUID_BYTES];
	snprintf(path, sizeof path, "%s/proc/%d/cmdline", root->root, (int)pid);
	ssize_t n = procfile_read(path, buf, CMDLINE_BYTES);
	return n > 0 && cmdline_uuid(buf, (size_t)n, uuid) && uuid_compare(uuid, wanted) == 0;
}

/* What is read of the process counts as long as it began at `start`: the threads are listed last. */
static bool find_process(
	const struct local_root *root, const struct local_wanted *want, char *buf, pid_t *pid, int64_t *start)
{
	struct stat st;
	int fd = open_pid_file(root, want->name, &st);
	if (fd < 0)
		return false;
	*pid = read_pid(fd);
	*start = -1;
	bool found = *pid > 0 && stat_of(root, *pid, 0, start, buf, CMDLINE_BYTES) &&
		     is_holder(root, fd, *pid) && is_owned(root, *pid, st.st_uid) &&
		     has_uuid(root, *pid, want->uuid, buf);
	close(fd);
	return found;
}

static bool adopt(const struct local_root *root, const struct local_wanted *want, char *buf)
{
	pid_t pid;
	int64_t start;
	if (!find_process(root, want, buf, &pid, &start))
		return false;
	local_vm_done(want->vm);
	want->vm->pid = pid;
	want->vm->start = start;
	cgroup_find(root->root, pid, &want->vm->groups);
	local_limits(want->vm);
	find_kvm(root, want->vm);
	if (local_threads(root, want->vm) == 0)
		return true;
	local_vm_done(want->vm);
	return false;
}

size_t local_find(const struct local_root *root, struct local_wanted *want, size_t n)
{
	char *buf = malloc(CMDLINE_BYTES);
	size_t found = 0;
	for (size_t i = 0; buf && i < n; i++)
		found += adopt(root, &want[i], buf);
	free(buf);
	return found;
}
