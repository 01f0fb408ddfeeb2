/* SPDX-License-Identifier: MIT */
/* VMs found in a made-up /proc, in hostile ones, and in this machine's own. */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/backend/host/localvm.h"
#include "../../src/backend/libvirt/libvirt_stats.h"
#include "../support/proctree.h"

#define UUID  "0000abcd-1111-2222-3333-444455556666"
#define OTHER "99999999-1111-2222-3333-444455556666"

static char root[200];
static struct local_root lr;
static struct local_vm vm;

static int setup(void **state)
{
	(void)state;
	memset(&vm, 0, sizeof vm);
	if (proctree_begin(root, sizeof root) < 0)
		return -1;
	proctree_pid(root, "x", 700);
	local_root_init(&lr, root);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	local_vm_done(&vm);
	proctree_end(root);
	return 0;
}

static const struct proctree_vm plain = {
	.pid = 700, .uuid = UUID, .vcpus = 3, .start = 4242, .user = 10, .system = 20, .rss_pages = 512};

static size_t find_named(const char *name)
{
	struct local_wanted want = {.name = name, .vm = &vm};
	uuid_parse(want.uuid, UUID);
	return local_find(&lr, &want, 1);
}

static size_t find(void)
{
	return find_named("x");
}

static void overwrite(const char *file, const char *text)
{
	char path[200];
	snprintf(path, sizeof path, "proc/700/%s", file);
	proctree_write(root, path, text, -1);
}

static void test_find(void **state)
{
	(void)state;
	struct local_process p;
	struct local_thread t;
	proctree_vm(root, &plain, 1000000, 5000);
	proctree_vm(root, &(struct proctree_vm){.pid = 800, .uuid = OTHER, .vcpus = 1}, 1, 1);
	proctree_write(root, "proc/900/cmdline", "vi\0-uuid\0not-a-uuid", 18);
	proctree_write(root, "proc/901/cmdline", "tail\0-uuid", 10);
	overwrite("cgroup", "0::/machine.slice/machine-qemu\\x2d1.scope/libvirt/emulator\n");
	proctree_write(root, "sys/fs/cgroup/machine.slice/cpuset.cpus.effective", "0-2\n", -1);
	assert_false(lr.own_pids);
	assert_int_equal(find(), 1);
	assert_int_equal(vm.pid, 700);
	assert_int_equal(vm.start, 4242);
	assert_int_equal(vm.n_vcpus, 3);
	assert_int_equal(vm.threads, 4);
	assert_int_equal(vm.vcpus[2].id, 2);
	assert_int_equal(vm.vcpus[2].tid, 703);
	assert_true(vm.has_cgroup);
	assert_int_equal(cpuset_count(&vm.cgroup), 3);
	assert_int_equal(local_process(&lr, &vm, &p), 0);
	assert_int_equal(p.state, 'S');
	assert_int_equal(p.cpu_ns, 30 * (INT64_C(1000000000) / sysconf(_SC_CLK_TCK)));
	assert_int_equal(p.rss_kib, 512 * (sysconf(_SC_PAGESIZE) / 1024));
	assert_int_equal(local_thread(&lr, &vm, &vm.vcpus[2], &t), 0);
	assert_int_equal(t.time_ns, 1000002);
	assert_int_equal(t.delay_ns, 5002);
	assert_int_equal(t.pcpu, 2);
	assert_int_equal(cpuset_count(&t.affinity), 4);
}

/* A process may call itself anything: what counts comes after the last bracket. */
static void test_hostile_names(void **state)
{
	(void)state;
	static const char *const names[] = {
		"a) R 1 (b", ") S 0 0 0 0 0", "))))", "CPU 0/KVM) T 9 9 9", "\n) Z", "  "};
	struct local_process p;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct proctree_vm odd = plain;
		odd.comm = names[i];
		proctree_vm(root, &odd, 1, 1);
		assert_int_equal(find(), 1);
		assert_int_equal(vm.n_vcpus, 3);
		assert_int_equal(local_process(&lr, &vm, &p), 0);
		assert_int_equal(p.state, 'S');
		assert_int_equal(p.threads, 4);
		local_vm_done(&vm);
	}
}

static void test_thread_names(void **state)
{
	(void)state;
	static const struct {
		const char *comm;
		size_t vcpus; /* of this process then */
	} rows[] = {
		{"CPU 7/TCG\n", 3},
		{"CPU 7/KVMx\n", 2},
		{"CPU 7/\n", 2},
		{"CPU /KVM\n", 2},
		{"CPU -1/KVM\n", 2},
		{"CPU 99999/KVM\n", 2},
		{"CPU 99999999999999999999/KVM\n", 2},
		{"CPU 7\n", 2},
		{"IO mon_iothread\n", 2},
		{"", 2},
		{"CPU 1/KVM\n", 0 /* two with one id: neither is believed */},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		proctree_vm(root, &plain, 1, 1);
		overwrite("task/701/comm", rows[i].comm);
		assert_int_equal(find(), rows[i].vcpus ? 1 : 0);
		assert_int_equal(vm.n_vcpus, rows[i].vcpus);
		local_vm_done(&vm);
	}
	for (int tid = 701; tid <= 703; tid++) {
		char file[32];
		snprintf(file, sizeof file, "task/%d/comm", tid);
		overwrite(file, "ALL CPUs/TCG\n");
	}
	assert_int_equal(find(), 0); /* one thread for all vCPUs: not to be told apart */
}

/* Others carry the same UUID, with lower ids and higher ones: only libvirt's file counts. */
static void test_twins(void **state)
{
	(void)state;
	struct proctree_vm twin = plain;
	for (twin.pid = 600; twin.pid <= 800; twin.pid += 200)
		proctree_vm(root, &twin, 1, 1);
	assert_int_equal(find(), 0); /* and it is not here yet */
	proctree_vm(root, &plain, 1, 1);
	assert_int_equal(find(), 1);
	assert_int_equal(vm.pid, 700);
	/* the file is of a VM of the same name that is another */
	twin.pid = 700;
	twin.uuid = OTHER;
	proctree_vm(root, &twin, 1, 1);
	assert_int_equal(find(), 0);
}

/* Nothing but a plain file that only its owner or root could have put there. */
static void test_pid_files(void **state)
{
	(void)state;
	static const char *const odd[] = {
		"", "0", "-700", "700x", "x700", " ", "99999999999999999999", "4294967996", "7 00", "701"};
	char path[300], folder[300], to[300];
	snprintf(path, sizeof path, "%s/run/libvirt/qemu/x.pid", root);
	snprintf(folder, sizeof folder, "%s/run/libvirt/qemu", root);
	snprintf(to, sizeof to, "%s/run/libvirt/qemu/y.pid", root);
	proctree_vm(root, &plain, 1, 1);
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		proctree_write(root, "run/libvirt/qemu/x.pid", odd[i], -1);
		assert_int_equal(find(), 0);
	}
	proctree_pid(root, "x", 700);
	proctree_write(root, "run/libvirt/qemu/y.pid", "700\n", -1);
	assert_int_equal(find(), 1);
	assert_int_equal(find_named("y"), 1);
	assert_int_equal(find_named(""), 0);
	assert_int_equal(find_named("../qemu/x"), 0);
	char longest[600];
	memset(longest, 'x', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	assert_int_equal(find_named(longest), 0);
	chmod(path, 0664);
	assert_int_equal(find(), 0);
	chmod(path, 0644);
	chmod(folder, 0777);
	assert_int_equal(find(), 0);
	chmod(folder, 0755);
	assert_int_equal(find(), 1);
	unlink(path);
	assert_int_equal(symlink(to, path), 0);
	assert_int_equal(find(), 0);
	unlink(path);
	assert_int_equal(mkfifo(path, 0644), 0);
	assert_int_equal(find(), 0);
	unlink(path);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(find(), 0);
}

/* A user's libvirt is believed about that user's processes only, root's about all. */
static void test_owners(void **state)
{
	(void)state;
	char file[300], folder[300], process[300];
	if (geteuid() != 0)
		skip(); /* files of other users can be made by root alone */
	snprintf(file, sizeof file, "%s/run/libvirt/qemu/x.pid", root);
	snprintf(folder, sizeof folder, "%s/run/libvirt/qemu", root);
	snprintf(process, sizeof process, "%s/proc/700", root);
	proctree_vm(root, &plain, 1, 1);
	static const struct {
		uid_t file, folder, process;
		size_t found;
	} rows[] = {{0, 0, 0, 1}, {0, 0, 64055, 1}, {1001, 1001, 1001, 1}, {1001, 0, 1001, 1},
		{1001, 1001, 0, 0}, {1001, 1001, 1002, 0}, {0, 1001, 0, 0}, {1002, 1001, 1002, 0}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(chown(file, rows[i].file, 0), 0);
		assert_int_equal(chown(folder, rows[i].folder, 0), 0);
		assert_int_equal(chown(process, rows[i].process, 0), 0);
		assert_int_equal(find(), rows[i].found);
	}
}

static void test_session(void **state)
{
	(void)state;
	proctree_vm(root, &plain, 1, 1);
	local_root_session(&lr, "/run/user/1000");
	assert_int_equal(find(), 0);
	proctree_write(root, "run/user/1000/libvirt/qemu/run/x.pid", "700", -1);
	assert_int_equal(find(), 1);
}

static void test_reused(void **state)
{
	(void)state;
	struct local_process p;
	struct local_thread t;
	struct proctree_vm next = plain;
	proctree_vm(root, &plain, 1, 1);
	assert_int_equal(find(), 1);
	next.start += 100;
	proctree_vm(root, &next, 9, 9);
	assert_int_equal(local_process(&lr, &vm, &p), -1);
	assert_int_equal(local_thread(&lr, &vm, &vm.vcpus[0], &t), -1);
	assert_int_equal(local_threads(&lr, &vm), -1);
}

/* Whatever is cut, missing or absurd: the thread cannot be read, and nothing else happens. */
static void test_broken_files(void **state)
{
	(void)state;
	static const struct {
		const char *file, *text;
	} rows[] = {
		{"task/701/schedstat", ""},
		{"task/701/schedstat", "12"},
		{"task/701/schedstat", "12 x"},
		{"task/701/schedstat", "-5 7 1"},
		{"task/701/schedstat", "99999999999999999999 1 1"},
		{"task/701/stat", ""},
		{"task/701/stat", "701 (CPU 0/KVM"},
		{"task/701/stat", "701 (CPU 0/KVM)"},
		{"task/701/stat", "701 (CPU 0/KVM) S 1 1 1 0 -1 0 5 0 0 0 10 20 0 0 20 0 4 0 4243 1 1 1"},
		{"task/701/status", "Name:\tx\n"},
		{"task/701/status", "\nCpus_allowed_list:\t\n"},
		{"task/701/status", "\nCpus_allowed_list:\t3-\n"},
	};
	struct local_thread t;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		proctree_vm(root, &plain, 1, 1);
		assert_int_equal(find(), 1);
		assert_int_equal(local_thread(&lr, &vm, &vm.vcpus[0], &t), 0);
		overwrite(rows[i].file, rows[i].text);
		assert_int_equal(local_thread(&lr, &vm, &vm.vcpus[0], &t), -1);
		assert_int_equal(local_thread(&lr, &vm, &vm.vcpus[1], &t), 0);
		local_vm_done(&vm);
	}
}

static void add_param(virTypedParameterPtr *p, int *n, int *cap, const char *name, int64_t v)
{
	assert_int_equal(virTypedParamsAddULLong(p, n, cap, name, (unsigned long long)v), 0);
}

/* The record that the bulk call would give for `plain`. */
static unsigned fill_by_record(struct sample *s)
{
	virTypedParameterPtr p = NULL;
	int n = 0, cap = 0;
	char name[64];
	virTypedParamsAddInt(&p, &n, &cap, "state.state", VIR_DOMAIN_RUNNING);
	add_param(&p, &n, &cap, "cpu.time", 30 * (INT64_C(1000000000) / sysconf(_SC_CLK_TCK)));
	for (int i = 0; i < plain.vcpus; i++) {
		snprintf(name, sizeof name, "vcpu.%d.state", i);
		virTypedParamsAddInt(&p, &n, &cap, name, VIR_VCPU_RUNNING);
		snprintf(name, sizeof name, "vcpu.%d.time", i);
		add_param(&p, &n, &cap, name, 123456789012 + i);
		snprintf(name, sizeof name, "vcpu.%d.delay", i);
		add_param(&p, &n, &cap, name, 98765432109 + i);
	}
	add_param(&p, &n, &cap, "balloon.rss", 512 * (sysconf(_SC_PAGESIZE) / 1024));
	unsigned seen = stats_fill(s, p, n);
	virTypedParamsFree(p, n);
	return seen;
}

/* The same numbers both ways. */
static void test_side_by_side(void **state)
{
	(void)state;
	struct local_process p;
	struct local_thread t;
	struct sample s;
	uint8_t uuid[UUID_BYTES] = {1};
	assert_int_equal(virInitialize(), 0);
	sample_init(&s);
	sample_add_vm(&s, uuid);
	assert_int_equal(fill_by_record(&s), SEEN_VCPU | SEEN_DELAY | SEEN_CPU | SEEN_BALLOON | SEEN_RSS);
	proctree_vm(root, &plain, 123456789012, 98765432109);
	assert_int_equal(find(), 1);
	assert_int_equal(vm.n_vcpus, s.vms[0].n_vcpus);
	for (size_t i = 0; i < vm.n_vcpus; i++) {
		const struct vcpu_sample *v = sample_vcpu(&s, &s.vms[0], vm.vcpus[i].id);
		assert_non_null(v);
		assert_true(v->online);
		assert_int_equal(local_thread(&lr, &vm, &vm.vcpus[i], &t), 0);
		assert_int_equal(t.time_ns, v->time_ns.v);
		assert_int_equal(t.delay_ns, v->delay_ns.v);
	}
	assert_int_equal(local_process(&lr, &vm, &p), 0);
	assert_int_equal(p.cpu_ns, s.vms[0].cpu_time_ns.v);
	assert_int_equal(p.rss_kib, s.vms[0].mem.rss_kib.v);
	sample_done(&s);
}

/* ---- this machine ---- */

/* A process that looks like a machine: its arguments hold the UUID, its thread has a vCPU's name, and it
 * stops once it is ready. libvirt's has the pid file open and locked. */
static pid_t make_machine(bool locks)
{
	char path[300];
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
	snprintf(path, sizeof path, "%s/run/libvirt/qemu/x.pid", root);
	pid_t pid = fork();
	if (pid == 0) {
		int fd = locks ? open(path, O_RDWR) : -1;
		if (locks && (fd < 0 || fcntl(fd, F_SETLK, &lock) < 0))
			_exit(126);
		execlp("sh", "qemu", "-c", "printf 'CPU 1/TCG' >/proc/$$/comm; kill -STOP $$", "-uuid", UUID,
			(char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, WUNTRACED);
	return pid;
}

static void end_machine(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Pid files for what is real lie in the made-up tree. */
static void here_is(pid_t pid)
{
	local_root_init(&lr, "");
	assert_true(lr.own_pids);
	proctree_pid(root, "x", pid);
	snprintf(lr.pids, sizeof lr.pids, "%s/run/libvirt/qemu", root);
}

static void test_here(void **state)
{
	(void)state;
	struct local_process p;
	struct local_thread t;
	struct cpuset mine;
	cpu_set_t now;
	pid_t forger = make_machine(false), pid = make_machine(true);
	here_is(pid);
	assert_int_equal(find(), 1);
	assert_int_equal(vm.pid, pid);
	assert_int_equal(vm.n_vcpus, 1);
	assert_int_equal(vm.vcpus[0].id, 1);
	assert_int_equal(local_process(&lr, &vm, &p), 0);
	assert_int_equal(p.state, 'T');
	assert_in_range(p.rss_kib, 1, 1 << 20);
	assert_int_equal(local_thread(&lr, &vm, &vm.vcpus[0], &t), 0);
	assert_in_range(t.time_ns, 1, INT64_C(10000000000));
	assert_int_equal(sched_getaffinity(0, sizeof now, &now), 0);
	cpuset_from_map(&mine, (const unsigned char *)&now, sizeof now);
	assert_true(cpuset_equal(&t.affinity, &mine));
	assert_true(cpuset_has(&mine, t.pcpu));
	/* The same with ids that are not ours: from the status file. */
	lr.own_pids = false;
	assert_int_equal(local_thread(&lr, &vm, &vm.vcpus[0], &t), 0);
	assert_true(cpuset_equal(&t.affinity, &mine));
	end_machine(forger);
	end_machine(pid);
	assert_int_equal(local_process(&lr, &vm, &p), -1);
	assert_int_equal(local_thread(&lr, &vm, &vm.vcpus[0], &t), -1);
	assert_int_equal(local_threads(&lr, &vm), -1);
}

/* The file's number alone is a number: it may have been given to another process since. */
static void test_lock(void **state)
{
	(void)state;
	pid_t forger = make_machine(false);
	here_is(forger);
	assert_int_equal(find(), 0);
	pid_t pid = make_machine(true);
	assert_int_equal(find(), 0);
	here_is(pid);
	assert_int_equal(find(), 1);
	assert_int_equal(vm.pid, pid);
	end_machine(pid);
	here_is(forger);
	assert_int_equal(find(), 0);
	end_machine(forger);
}

static void helper(int pid, int tid, const char *name, int64_t ran, int64_t waited)
{
	char path[100], text[300];
	snprintf(path, sizeof path, "proc/%d/task/%d/comm", pid, tid);
	snprintf(text, sizeof text, "%s\n", name);
	proctree_write(root, path, text, -1);
	snprintf(path, sizeof path, "proc/%d/task/%d/stat", pid, tid);
	snprintf(text, sizeof text,
		"%d (%s) S 1 1 1 0 -1 4194560 5 0 0 0 1 1 0 0 20 0 5 0 %d 1000000 5 "
		"18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 %d 0 0 0 0 0\n",
		tid, name, tid, tid % 10);
	proctree_write(root, path, text, -1);
	snprintf(path, sizeof path, "proc/%d/task/%d/schedstat", pid, tid);
	snprintf(text, sizeof text, "%lld %lld 1\n", (long long)ran, (long long)waited);
	proctree_write(root, path, text, -1);
}

static struct vm_facts facts(bool helpers)
{
	struct vm_facts f;
	memset(&f, 0, sizeof f);
	local_limits(&vm);
	local_facts(&lr, &vm, helpers, &f);
	return f;
}

/* Threads that are no vCPUs: summed from the first look on, the busiest by name; who goes takes nothing back,
 * and a thread of the kernel that works for another process is none of them. */
static void test_helpers(void **state)
{
	(void)state;
	proctree_vm(root, &plain, 1000, 1000);
	overwrite("cgroup", "0::/machine.slice/machine-qemu\\x2d1.scope/libvirt/emulator\n");
	proctree_write(root,
		"sys/fs/cgroup/machine.slice/machine-qemu\\x2d1.scope/libvirt/emulator/cgroup.procs",
		"700\n710\n711\n712\n", -1);
	helper(700, 700, "qemu-system-x86", 1000, 10);
	helper(700, 705, "IO iothread1", 5000, 50);
	helper(710, 710, "vhost-700", 7000, 70);
	proctree_write(root, "proc/710/comm", "vhost-700\n", -1);
	helper(711, 711, "vhost-7001", 1, 1);
	proctree_write(root, "proc/711/comm", "vhost-7001\n", -1);
	assert_int_equal(find(), 1);
	assert_int_equal(vm.n_helpers, 3);
	struct vm_facts f = facts(true);
	assert_int_equal(f.helper_ns.v, 0);
	helper(700, 705, "IO iothread1", 5400, 50);
	helper(710, 710, "vhost-700", 7100, 90);
	f = facts(true);
	assert_int_equal(f.helper_ns.v, 500);
	assert_int_equal(f.helper_delay_ns.v, 20);
	assert_string_equal(f.helper, "IO iothread1");
	assert_int_equal(f.helper_pcpu.v, 5);
	assert_int_equal(facts(false).helper_ns.avail, AVAIL_NOT_ASKED);
	/* One more, listed before one that is known; then one is gone. */
	helper(700, 704, "worker", 100, 0);
	assert_int_equal(local_threads(&lr, &vm), 0);
	assert_int_equal(vm.n_helpers, 4);
	helper(700, 705, "IO iothread1", 5500, 50);
	assert_int_equal(facts(true).helper_ns.v, 600);
	proctree_write(root, "proc/700/task/705/schedstat", "", -1);
	helper(700, 704, "worker", 130, 0);
	assert_true(vm.threads != LIST_AGAIN);
	assert_int_equal(facts(true).helper_ns.v, 630);
	assert_int_equal(vm.n_helpers, 3);
	assert_true(vm.threads == LIST_AGAIN); /* another may have come in its place */
	helper(700, 704, "worker", 7, 0);      /* another one by now */
	assert_int_equal(facts(true).helper_ns.v, 630);
}

/* libvirt's own word for a job is "ok" nearly all the time that one runs: QEMU's threads tell. */
static void test_sends(void **state)
{
	static const struct {
		const char *name;
		bool sends;
	} rows[] = {{"live_migration", true}, {"mig/src/main", true}, {"mig/src/rp-thr", true},
		{"bg_snapshot", true}, {"mig/dst/main", false}, {"worker", false},
		{"IO mon_iothread", false}};
	(void)state;
	proctree_vm(root, &plain, 1000, 1000);
	helper(700, 700, "qemu-system-x86", 1000, 10);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		helper(700, 704, rows[i].name, 100, 0);
		assert_int_equal(find(), 1);
		assert_int_equal(local_sends(&lr, &vm), rows[i].sends);
	}
	helper(700, 704, "live_migration", 100, 0);
	assert_int_equal(find(), 1);
	proctree_write(root, "proc/700/task/704/stat", "", -1);
	assert_false(local_sends(&lr, &vm)); /* it has ended, and the list has not been made again */
}

/* A quota that comes while the VM waits is seen at the next look; without that one look in four is enough. */
static void test_quota_in_time(void **state)
{
	static const char max[] = "sys/fs/cgroup/machine.slice/machine-qemu\\x2d1.scope/cpu.max";
	(void)state;
	proctree_vm(root, &plain, 1000, 1000);
	overwrite("cgroup", "0::/machine.slice/machine-qemu\\x2d1.scope/libvirt/emulator\n");
	proctree_write(root, max, "max 100000\n", -1);
	assert_int_equal(find(), 1);
	facts(true);
	assert_false(vf64_has(vm.quota_pct));
	proctree_write(root, max, "30000 100000\n", -1);
	facts(true);
	assert_false(vf64_has(vm.quota_pct));
	vm.watch = true;
	facts(true);
	assert_float_equal(vm.quota_pct.v, 30, 1e-9);
}

static void test_facts(void **state)
{
	(void)state;
	proctree_vm(root, &plain, 1000, 1000);
	overwrite("status", "Name:\tVmSwap: 9 kB\nVmRSS:\t 12 kB\nVmSwap:\t   2048 kB\n");
	overwrite("cgroup", "0::/machine.slice/machine-qemu\\x2d1.scope/libvirt/emulator\n");
	proctree_write(root, "sys/fs/cgroup/machine.slice/machine-qemu\\x2d1.scope/memory.pressure",
		"some avg10=33.00 avg60=0 avg300=0 total=0\n", -1);
	proctree_write(root, "sys/kernel/debug/kvm/7000-9/exits", "5\n", -1);
	proctree_write(root, "sys/kernel/debug/kvm/700-13/exits", "123\n", -1);
	proctree_write(root, "sys/kernel/debug/kvm/700-13/halt_poll_success_ns", "40\n", -1);
	proctree_write(root, "sys/kernel/debug/kvm/700-13/halt_poll_fail_ns", "2\n", -1);
	assert_int_equal(find(), 1);
	struct vm_facts f = facts(true);
	assert_int_equal(f.swapped_kib.v, 2048);
	assert_float_equal(f.psi_memory.v, 33, 1e-9);
	assert_false(vf64_has(f.psi_cpu) || vi64_has(f.throttled_ns) || vi64_has(f.weight));
	assert_int_equal(f.exits.v, 123);
	assert_int_equal(f.polled_ns.v, 42);
	overwrite("status", "Name:\tx\n"); /* a kernel without swap */
	facts(true);
	assert_int_equal(facts(true).swapped_kib.avail, AVAIL_UNSUPPORTED);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {T(test_find), T(test_hostile_names), T(test_thread_names),
		T(test_twins), T(test_reused), T(test_broken_files), T(test_side_by_side), T(test_here),
		T(test_pid_files), T(test_owners), T(test_session), T(test_lock), T(test_helpers),
		T(test_sends), T(test_quota_in_time), T(test_facts)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
