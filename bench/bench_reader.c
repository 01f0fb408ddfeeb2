/* SPDX-License-Identifier: MIT */
/* CPU time of one sample by number of VMs: a whole reading over libvirt's test driver with a made-up /proc
 * (as on this machine), and over the test driver alone (as on another, a driver with gaps). One vCPU each.
 * Linear means that a VM costs the same among 1,000 as among 100. Two seconds of other work lie between two
 * ticks of a real run: every reading begins with the processor's caches full of something else. */
#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "../src/backend/libvirt/libvirt_rows.h"
#include "../src/backend/libvirt/link.h"
#include "../tests/support/proctree.h"
#include "vmtop/err.h"

enum { TICKS = 21, HOSTS = 5, CACHES = 48 << 20, CACHE_LINE = 64 };

static const int sizes[HOSTS] = {10, 50, 100, 200, 1000};

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double cpu_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void fill_caches(void)
{
	static volatile char other[CACHES];
	for (size_t i = 0; i < CACHES; i += CACHE_LINE)
		other[i]++;
}

static void silent(void *data, virErrorPtr error)
{
	(void)data;
	(void)error;
}

struct result {
	double first_ms, tick_us;
};

static struct result read_ticks(virConnectPtr c, const char *root, bool proc, int vms)
{
	struct connect_result host = {.driver = "QEMU", .hostname = "here", .local = true};
	struct read_order o = {.groups = SAMPLE_PCPUS, .budget_ns = INT64_C(5000000000), .use_proc = proc};
	struct err e = ERR_INIT;
	struct result r = {0};
	double t[TICKS];
	struct lv_reader *rd = lv_reader_new(&host, &e);
	if (!rd)
		abort();
	local_root_init(&rd->proc, root);
	for (int i = -1; i < TICKS; i++) {
		fill_caches();
		double start = cpu_us();
		if (lv_reader_run(rd, c, &o, &e) < 0 || rd->sample.n_vms != (size_t)vms ||
			(proc && rd->sample.cost.n_bulk)) {
			fprintf(stderr, "no full sample: %s\n", e.msg);
			exit(1);
		}
		if (i < 0)
			r.first_ms = (cpu_us() - start) / 1e3;
		else
			t[i] = cpu_us() - start;
	}
	lv_reader_free(rd);
	qsort(t, TICKS, sizeof *t, by_size);
	r.tick_us = t[TICKS / 2];
	return r;
}

static void measure(int vms, struct result *proc, struct result *driver)
{
	char root[200], uri[300];
	if (proctree_begin(root, sizeof root) < 0)
		abort();
	proctree_host(root, vms, 1, 0, uri, sizeof uri);
	virConnectPtr c = virConnectOpen(uri);
	if (!c)
		abort();
	*proc = read_ticks(c, root, true, vms);
	*driver = read_ticks(c, root, false, vms);
	virConnectClose(c);
	proctree_end(root);
}

static void verdict(const char *what, const struct result *r)
{
	double many = (r[HOSTS - 1].tick_us - r[2].tick_us) / (sizes[HOSTS - 1] - sizes[2]);
	double few = (r[2].tick_us - r[0].tick_us) / (sizes[2] - sizes[0]);
	printf("%s: a VM more costs %.1f us from 10 to 100, %.1f us from 100 to 1000: %.2f x (linear: target "
	       "1.5, %s)\n",
		what, few, many, many / few, many <= 1.5 * few ? "met" : "MISSED");
}

int main(void)
{
	struct result proc[HOSTS], driver[HOSTS];
	struct utsname u;
	uname(&u);
	virSetErrorFunc(NULL, silent);
	printf("CPU time of a sample, median of %d, on %ld CPUs, %s %s\n", TICKS,
		sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release);
	puts("  VMs   /proc: first ms  tick us  us a VM   driver: first ms  tick us  us a VM");
	for (int i = 0; i < HOSTS; i++) {
		measure(sizes[i], &proc[i], &driver[i]);
		printf("%5d %17.1f %8.0f %8.1f %18.1f %8.0f %8.1f\n", sizes[i], proc[i].first_ms,
			proc[i].tick_us, proc[i].tick_us / sizes[i], driver[i].first_ms, driver[i].tick_us,
			driver[i].tick_us / sizes[i]);
	}
	verdict("/proc", proc);
	verdict("driver", driver);
	return 0;
}
