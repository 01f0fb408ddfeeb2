/* SPDX-License-Identifier: MIT */
/* proc_same URI [ROUNDS]: the same VMs read twice, through /proc and through the hypervisor's calls alone,
 * side by side. Each round reads proc, calls, proc: a counter of the middle reading must lie between those
 * around it, give or take the 10 ms steps in which the hypervisor counts run time. Prints each difference;
 * status 1 when there was one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../src/backend/libvirt/libvirt_priv.h"
#include "vmtop/config.h"
#include "vmtop/err.h"

enum { STEP_MS = 20, WARM_ROUNDS = 2 };

static int differences, compared;

static struct backend *open_one(const char *uri, bool use_proc)
{
	static struct config cfg;
	struct err e = ERR_INIT;
	config_defaults(&cfg);
	cfg.sample_deadline_s = 10;
	snprintf(cfg.uri, sizeof cfg.uri, "%s", uri);
	struct backend *b = backend_libvirt_open(&cfg, &e);
	if (!b) {
		fprintf(stderr, "%s\n", e.msg);
		exit(2);
	}
	((struct lv *)b)->use_proc = use_proc;
	return b;
}

static void take(struct backend *b, struct sample *s)
{
	struct err e = ERR_INIT;
	if (b->ops->sample(b, SAMPLE_BALLOON | SAMPLE_PCPUS, s, &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		exit(2);
	}
}

static void differ(const char *who, int n, const char *what, int64_t a, int64_t b, int64_t c)
{
	printf("%s %d %s: /proc %lld, calls %lld, /proc %lld\n", who, n, what, (long long)a, (long long)b,
		(long long)c);
	differences++;
}

/* Counters: a <= b <= c. */
static void between(const char *who, int n, const char *what, const struct vi64 v[3], int64_t slack)
{
	compared++;
	if (!vi64_has(v[0]) || !vi64_has(v[1]) || !vi64_has(v[2]) || v[1].v < v[0].v - slack ||
		v[1].v > v[2].v + slack)
		differ(who, n, what, vi64_has(v[0]) ? v[0].v : -1, vi64_has(v[1]) ? v[1].v : -1,
			vi64_has(v[2]) ? v[2].v : -1);
}

/* Facts: the same, the same reason for absence included, unless they moved under our hands. */
static void equal(const char *who, int n, const char *what, const struct vi64 v[3])
{
	compared++;
	bool still = v[0].avail == v[2].avail && v[0].v == v[2].v;
	if (still && (v[1].avail != v[0].avail || (vi64_has(v[1]) && v[1].v != v[0].v)))
		differ(who, n, what, vi64_has(v[0]) ? v[0].v : -(int64_t)v[0].avail,
			vi64_has(v[1]) ? v[1].v : -(int64_t)v[1].avail, v[2].v);
}

static void compare_vcpu(const char *name, const struct vcpu_sample *v[3])
{
	int64_t step = INT64_C(1000000) * STEP_MS;
	const struct vi64 time[3] = {v[0]->time_ns, v[1]->time_ns, v[2]->time_ns},
			  delay[3] = {v[0]->delay_ns, v[1]->delay_ns, v[2]->delay_ns};
	between(name, v[0]->id, "run time", time, step);
	between(name, v[0]->id, "run-queue delay", delay, 0);
	compared += 3;
	if (v[1]->affinity_avail != AVAIL_OK || v[0]->affinity_avail != AVAIL_OK ||
		!cpuset_equal(&v[0]->affinity, &v[1]->affinity))
		differ(name, v[0]->id, "affinity", cpuset_count(&v[0]->affinity),
			cpuset_count(&v[1]->affinity), 0);
	if (v[0]->pinned != v[1]->pinned || v[0]->online != v[1]->online)
		differ(name, v[0]->id, "pinned or online", v[0]->pinned, v[1]->pinned, v[2]->pinned);
	if (!vi64_has(v[0]->pcpu) || !vi64_has(v[1]->pcpu) || !cpuset_has(&v[1]->affinity, (int)v[0]->pcpu.v))
		differ(name, v[0]->id, "pCPU", v[0]->pcpu.v, v[1]->pcpu.v, v[2]->pcpu.v);
}

static void compare_memory(const char *name, const struct vm_memory *m[3])
{
	static const struct {
		const char *what;
		size_t at;
	} rows[] = {
		{"max", offsetof(struct vm_memory, max_kib)},
		{"balloon", offsetof(struct vm_memory, balloon_kib)},
		{"rss", offsetof(struct vm_memory, rss_kib)},
		{"period", offsetof(struct vm_memory, period_s)},
		{"unused", offsetof(struct vm_memory, unused_kib)},
		{"usable", offsetof(struct vm_memory, usable_kib)},
		{"last update", offsetof(struct vm_memory, last_update_ns)},
	};
	for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
		struct vi64 v[3];
		for (int i = 0; i < 3; i++)
			memcpy(&v[i], (const char *)m[i] + rows[r].at, sizeof v[i]);
		equal(name, -1, rows[r].what, v);
	}
}

static void compare_vm(const struct sample *s, size_t i)
{
	const struct vm_sample *vm[3] = {&s[0].vms[i], NULL, NULL};
	for (int k = 1; k < 3; k++) {
		vm[k] = sample_vm_by_uuid(&s[k], vm[0]->uuid);
		if (!vm[k] || vm[k]->n_vcpus != vm[0]->n_vcpus) {
			differ(vm[0]->name, -1, "vCPUs", (int64_t)vm[0]->n_vcpus,
				vm[k] ? (int64_t)vm[k]->n_vcpus : -1, k);
			return;
		}
	}
	const struct vi64 time[3] = {vm[0]->cpu_time_ns, vm[1]->cpu_time_ns, vm[2]->cpu_time_ns};
	between(vm[0]->name, -1, "CPU time", time, INT64_C(1000000) * STEP_MS);
	if (vm[0]->state != vm[1]->state || vm[0]->flags != vm[1]->flags || vm[0]->id != vm[1]->id)
		differ(vm[0]->name, -1, "state, flags or id", vm[0]->state, vm[1]->state, vm[2]->state);
	compare_memory(vm[0]->name, (const struct vm_memory *[3]){&vm[0]->mem, &vm[1]->mem, &vm[2]->mem});
	for (size_t k = 0; k < vm[0]->n_vcpus; k++) {
		const struct vcpu_sample *v[3];
		for (int n = 0; n < 3; n++)
			v[n] = &s[n].vcpus[vm[n]->first_vcpu + k];
		compare_vcpu(vm[0]->name, v);
	}
}

static void compare_host(const struct sample *s)
{
	for (size_t i = 0; i < s[0].host.n_pcpus && i < s[1].host.n_pcpus; i++) {
		const struct vi64 busy[3] = {s[0].host.pcpus[i].busy_ns, s[1].host.pcpus[i].busy_ns,
			s[2].host.pcpus[i].busy_ns},
				  idle[3] = {s[0].host.pcpus[i].idle_ns, s[1].host.pcpus[i].idle_ns,
					  s[2].host.pcpus[i].idle_ns};
		between("pCPU", s[0].host.pcpus[i].id, "busy", busy, INT64_C(1000000) * STEP_MS);
		between("pCPU", s[0].host.pcpus[i].id, "idle", idle, INT64_C(1000000) * STEP_MS);
	}
	compared += 2;
	if (s[0].host.n_pcpus != s[1].host.n_pcpus || s[0].host.total_kib.v != s[1].host.total_kib.v)
		differ("host", -1, "pCPUs or memory", (int64_t)s[0].host.n_pcpus, (int64_t)s[1].host.n_pcpus,
			0);
	if (!s[0].host.local || s[1].host.local || s[0].cost.n_bulk || s[1].cost.n_local)
		differ("host", -1, "VMs by bulk call", s[0].cost.n_bulk, s[1].cost.n_bulk, s[2].cost.n_bulk);
	if (s[0].n_vms != s[1].n_vms)
		differ("host", -1, "VMs", (int64_t)s[0].n_vms, (int64_t)s[1].n_vms, (int64_t)s[2].n_vms);
}

int main(int argc, char **argv)
{
	struct backend *here = open_one(argc > 1 ? argv[1] : "", true),
		       *there = open_one(argc > 1 ? argv[1] : "", false);
	struct sample s[3];
	for (int i = 0; i < 3; i++)
		sample_init(&s[i]);
	int rounds = argc > 2 ? atoi(argv[2]) : 3;
	for (int r = -WARM_ROUNDS; r < rounds; r++) {
		take(here, &s[0]);
		take(there, &s[1]);
		take(here, &s[2]);
		for (size_t i = 0; r >= 0 && i < s[0].n_vms; i++)
			compare_vm(s, i);
		if (r >= 0)
			compare_host(s);
		nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
	}
	bool any = s[0].n_vms > 0;
	printf("%zu VMs, %d values compared, %d differ\n", s[0].n_vms, compared, differences);
	for (int i = 0; i < 3; i++)
		sample_done(&s[i]);
	here->ops->close(here);
	there->ops->close(there);
	return any && !differences ? 0 : 1;
}
