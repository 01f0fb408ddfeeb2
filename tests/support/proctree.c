/* SPDX-License-Identifier: MIT */
/* A made-up /proc in a folder of its own. Invariant: writes below its folder only. */
#include "proctree.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 512, TEXT_BYTES = 2048 };

int proctree_begin(char *root, size_t len)
{
	const char *tmp = getenv("TMPDIR");
	snprintf(root, len, "%s/vmtop-proc.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	return mkdtemp(root) ? 0 : -1;
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void proctree_end(const char *root)
{
	nftw(root, drop, 16, FTW_DEPTH | FTW_PHYS);
}

void proctree_write(const char *root, const char *path, const char *text, long n)
{
	char full[PATH_BYTES];
	snprintf(full, sizeof full, "%s/%s", root, path);
	FILE *f = fopen(full, "w");
	for (char *p = full + strlen(root) + 1; !f && (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		mkdir(full, 0700);
	}
	if (!f)
		f = fopen(full, "w");
	if (!f)
		abort();
	fwrite(text, 1, n < 0 ? strlen(text) : (size_t)n, f);
	fchmod(fileno(f), 0644); /* whatever the umask */
	fclose(f);
}

void proctree_pid(const char *root, const char *name, int pid)
{
	char path[PATH_BYTES], text[32];
	snprintf(path, sizeof path, "run/libvirt/qemu/%s.pid", name);
	snprintf(text, sizeof text, "%d", pid);
	proctree_write(root, path, text, -1);
}

static void stat_text(
	char *buf, int tid, const char *comm, const struct proctree_vm *vm, int64_t start, int cpu)
{
	snprintf(buf, TEXT_BYTES,
		"%d (%s) %c 1 1 1 0 -1 4194560 5 0 0 0 %lld %lld 0 0 20 0 %d 0 %lld 1000000 %lld "
		"18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 %d 0 0 0 0 0\n",
		tid, comm, vm->state ? vm->state : 'S', (long long)vm->user, (long long)vm->system,
		vm->vcpus + 1, (long long)start, (long long)vm->rss_pages, cpu);
}

static void thread(const char *root, const struct proctree_vm *vm, int n, int64_t time_ns, int64_t delay_ns)
{
	char path[PATH_BYTES], text[TEXT_BYTES], comm[32];
	struct proctree_vcpu v = {time_ns + n, delay_ns + n, n % 4, "0-3"};
	if (vm->each)
		v = vm->each[n];
	int tid = vm->pid + 1 + n;
	snprintf(comm, sizeof comm, "CPU %d/KVM", n);
	snprintf(path, sizeof path, "proc/%d/task/%d/stat", vm->pid, tid);
	stat_text(text, tid, comm, vm, vm->start + 1 + n, v.pcpu);
	proctree_write(root, path, text, -1);
	snprintf(path, sizeof path, "proc/%d/task/%d/comm", vm->pid, tid);
	snprintf(text, sizeof text, "%s\n", comm);
	proctree_write(root, path, text, -1);
	snprintf(path, sizeof path, "proc/%d/task/%d/schedstat", vm->pid, tid);
	snprintf(text, sizeof text, "%lld %lld 77\n", (long long)v.time_ns, (long long)v.delay_ns);
	proctree_write(root, path, text, -1);
	snprintf(path, sizeof path, "proc/%d/task/%d/status", vm->pid, tid);
	snprintf(text, sizeof text,
		"Name:\tCPU\nCpus_allowed:\tf\nCpus_allowed_list:\t%s\nMems_allowed:\t1\n", v.allowed);
	proctree_write(root, path, text, -1);
}

void proctree_vm(const char *root, const struct proctree_vm *vm, int64_t time_ns, int64_t delay_ns)
{
	char path[PATH_BYTES], text[TEXT_BYTES];
	const char *comm = vm->comm ? vm->comm : "qemu-system-x86";
	snprintf(path, sizeof path, "proc/%d/stat", vm->pid);
	stat_text(text, vm->pid, comm, vm, vm->start, 1);
	proctree_write(root, path, text, -1);
	snprintf(path, sizeof path, "proc/%d/task/%d/comm", vm->pid, vm->pid);
	proctree_write(root, path, comm, -1);
	for (int n = 0; n < vm->vcpus; n++)
		thread(root, vm, n, time_ns, delay_ns);
	int len = snprintf(text, sizeof text, "qemu%c-name%cx%c-uuid%c%s%c-S%c", 0, 0, 0, 0, vm->uuid, 0, 0);
	snprintf(path, sizeof path, "proc/%d/cmdline", vm->pid);
	proctree_write(root, path, text, len);
}

void proctree_uuid(int i, char text[40])
{
	/* not in the order of the numbers, as real ones are not */
	snprintf(text, 40, "%08x-0000-4000-8000-%012x", (unsigned)i * 2654435761U, i);
}

static void host_files(const char *root)
{
	proctree_write(root, "proc/stat",
		"cpu  8 0 8 8 0 0 0 0\ncpu0 1 0 1 1 0 0 0 0\ncpu1 1 0 1 1 0 0 0 0\n"
		"cpu2 1 0 1 1 0 0 0 0\ncpu3 1 0 1 1 0 0 0 0\n",
		-1);
	proctree_write(root, "proc/meminfo",
		"MemTotal: 8388608 kB\nMemFree: 4194304 kB\nMemAvailable: 5000000 kB\n", -1);
	proctree_write(root, "sys/devices/system/cpu/present", "0-3\n", -1);
}

void proctree_host(const char *root, int vms, int vcpus, int extra, char *uri, size_t len)
{
	char path[PATH_BYTES], uuid[40];
	snprintf(path, sizeof path, "%s/node.xml", root);
	FILE *f = fopen(path, "w");
	if (!f)
		abort();
	fputs("<node><cpu><mhz>2000</mhz><model>x</model><active>4</active><nodes>1</nodes><sockets>1</"
	      "sockets>"
	      "<cores>4</cores><threads>1</threads></cpu><memory>8388608</memory>\n",
		f);
	for (int i = 0; i < vms; i++) {
		char name[16];
		snprintf(name, sizeof name, "vm-%d", i);
		proctree_uuid(i, uuid);
		proctree_pid(root, name, 1000 + i * (vcpus + extra + 1));
		fprintf(f,
			"<domain type='test'><name>vm-%d</name><uuid>%s</uuid><memory>1048576</memory>"
			"<currentMemory>524288</currentMemory><vcpu "
			"current='%d'>%d</vcpu><os><type>hvm</type></os></domain>\n",
			i, uuid, vcpus, vcpus + extra);
		proctree_vm(root,
			&(struct proctree_vm){.pid = 1000 + i * (vcpus + extra + 1),
				.uuid = uuid,
				.vcpus = vcpus,
				.start = 5000 + i,
				.user = 30,
				.system = 10,
				.rss_pages = 256},
			1000000 * (i + 1), 5000);
	}
	fputs("</node>\n", f);
	fclose(f);
	host_files(root);
	snprintf(uri, len, "test://%s/node.xml", root);
}
