/* SPDX-License-Identifier: MIT */
/* What a recording costs: 1,000 VMs of 4 vCPUs on 128 pCPUs, every one busy, memory statistics that change
 * each tick, 600 ticks of 2 s. Time of a tick beside taking the sample, bytes of the file, and reading back;
 * first as where nothing is known of why a VM is slow (a remote host), then with all of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "support/recorded.h"
#include "times.h"
#include "vmtop/backend.h"
#include "vmtop/err.h"
#include "vmtop/record.h"
#include "vmtop/settings.h"

enum { VMS = 1000, VCPUS = 4, PCPUS = 128, TICKS = 600, TARGET_BYTES = 40, TARGET_FILE_BYTES = 60 };
static const double target_ms = 5, tick_s = 2;

struct host {
	struct backend base;
	struct sample s;
	unsigned seed;
	bool facts; /* why a VM is slow is known */
};

static unsigned draw(struct host *h, unsigned below)
{
	h->seed = h->seed * 1664525 + 1013904223;
	return (h->seed >> 8) % below;
}

static void host_build(struct host *h)
{
	struct err e = ERR_INIT;
	struct sample *s = &h->s;
	sample_init(s);
	s->time_ns = INT64_C(500000000000000);
	s->wall_ns = INT64_C(1770000000000000000);
	s->host.total_kib = vi64_ok(INT64_C(1) << 30);
	s->host.available_kib = s->host.free_kib = vi64_ok(INT64_C(1) << 28);
	for (int i = 0; i < PCPUS; i++)
		*sample_add_pcpu(s, i) = (struct pcpu_sample){.id = i,
			.online = true,
			.node = i / 64,
			.core = i / 2,
			.llc = i / 16,
			.busy_ns = vi64_ok(1),
			.idle_ns = vi64_ok(1)};
	for (int i = 0; i < VMS; i++) {
		uint8_t uuid[UUID_BYTES] = {(uint8_t)(i >> 8), (uint8_t)i};
		struct vm_sample *vm = sample_add_vm(s, uuid);
		snprintf(vm->name, sizeof vm->name, "guest-%04d", i);
		vm->id = i + 1;
		vm->state = VM_RUNNING;
		vm->cpu_time_ns = vi64_ok(INT64_C(86400000000000));
		vm->mem = (struct vm_memory){.balloon_device = true,
			.max_kib = vi64_ok(8 << 20),
			.balloon_kib = vi64_ok(4 << 20),
			.available_kib = vi64_ok(4 << 20),
			.rss_kib = vi64_ok(4300000),
			.swap_in_kib = vi64_ok(100),
			.swap_out_kib = vi64_ok(100),
			.major_faults = vi64_ok(1000),
			.period_s = vi64_ok(2)};
		for (int k = 0; k < VCPUS; k++) {
			struct vcpu_sample *v = sample_add_vcpu(s, k);
			v->online = true;
			v->time_ns = v->delay_ns = vi64_ok(INT64_C(86400000000000));
			cpuset_add(&v->affinity, (i * VCPUS + k) % PCPUS);
			cpuset_fill(&v->allowed, CPUSET_CPUS);
			v->affinity_avail = AVAIL_OK;
			v->pinned = true;
		}
	}
	sample_finish(s, &e);
}

/* Each tick some are throttled, press, swap; all run threads beside their vCPUs, leave guest mode, use disks.
 */
static void facts_advance(struct host *h, struct vm_facts *f)
{
	snprintf(f->helper, sizeof f->helper, "%s", draw(h, 20) ? "emulator" : "vhost");
	f->helper_ns = vi64_ok(f->helper_ns.v + draw(h, 200000000));
	f->helper_delay_ns = vi64_ok(f->helper_delay_ns.v + draw(h, 4000000));
	f->helper_pcpu = vi64_ok(draw(h, PCPUS));
	f->swapped_kib = vi64_ok(draw(h, 10) ? 0 : 4 * draw(h, 100000));
	f->throttled_ns = vi64_ok(f->throttled_ns.v + (draw(h, 10) ? 0 : draw(h, 1000000000)));
	f->weight = vi64_ok(100);
	f->psi_cpu = vf64_ok(draw(h, 2) ? 0 : draw(h, 10000) / 100.);
	f->psi_memory = f->psi_io = vf64_ok(draw(h, 5) ? 0 : draw(h, 10000) / 100.);
	f->exits = vi64_ok(f->exits.v + draw(h, 20000));
	f->polled_ns = vi64_ok(f->polled_ns.v + draw(h, 100000000));
	f->disk_ns = vi64_ok(f->disk_ns.v + draw(h, 100000000));
	f->disk_reqs = vi64_ok(f->disk_reqs.v + draw(h, 300));
}

static void host_advance(struct host *h)
{
	struct sample *s = &h->s;
	int64_t dt = (int64_t)(tick_s * 1e9) + draw(h, 2000000);
	s->time_ns += dt;
	s->wall_ns += dt;
	s->took_ns = 40000000 + draw(h, 10000000);
	for (size_t i = 0; i < s->host.n_pcpus; i++) {
		int64_t busy = draw(h, 1000000) * (dt / 1000000);
		s->host.pcpus[i].busy_ns.v += busy;
		s->host.pcpus[i].idle_ns.v += dt - busy;
		if (h->facts) {
			s->host.pcpus[i].steal_ns = vi64_ok(0);
			s->host.pcpus[i].speed_pct = vf64_ok(80 + draw(h, 20));
		}
	}
	for (size_t i = 0; i < s->n_vcpus; i++) {
		s->vcpus[i].time_ns.v += draw(h, 200) * 10000000 + draw(h, 10000000);
		s->vcpus[i].delay_ns.v += draw(h, 4) ? draw(h, 30000000) : draw(h, 900000000);
		s->vcpus[i].pcpu = vi64_ok(draw(h, PCPUS));
	}
	for (size_t i = 0; i < s->n_vms; i++) {
		struct vm_memory *m = &s->vms[i].mem;
		if (h->facts)
			facts_advance(h, &s->vms[i].facts);
		s->vms[i].cpu_time_ns.v += draw(h, 2000000000) * INT64_C(3);
		m->usable_kib = vi64_ok(1 << 20 | draw(h, 1 << 20));
		m->unused_kib = vi64_ok(m->usable_kib.v - draw(h, 1 << 18));
		m->caches_kib = vi64_ok(1 << 17 | draw(h, 1 << 17));
		m->rss_kib.v = 4300000 + draw(h, 4096);
		m->major_faults.v += draw(h, 3);
		m->last_update_ns = vi64_ok((s->wall_ns / 1000000000 - 1) * 1000000000);
		if (draw(h, 100) == 0)
			m->balloon_kib.v = (3 << 20) + draw(h, 1 << 20);
	}
}

static int host_sample(struct backend *b, unsigned groups, struct sample *to, struct err *e)
{
	(void)groups;
	return sample_copy(to, &((struct host *)b)->s) < 0 ? err_set(e, ERR_NOMEM, "out of memory") : 0;
}
static void host_apply(struct backend *b, struct action *a, size_t n)
{
	(void)b;
	(void)a;
	(void)n;
}
static enum wake host_wait(struct backend *b, int64_t until_ns, int fd)
{
	(void)until_ns;
	(void)fd;
	host_advance((struct host *)b);
	return WAKE_TIMER;
}
static void host_close(struct backend *b)
{
	sample_done(&((struct host *)b)->s);
}
static int64_t host_now(struct backend *b)
{
	return ((struct host *)b)->s.time_ns;
}
static void host_status(struct backend *b, struct backend_status *st)
{
	(void)b;
	memset(st, 0, sizeof *st);
	snprintf(st->uri, sizeof st->uri, "bench:");
}

static void print_times(const char *what, double *ms, int n)
{
	qsort(ms, (size_t)n, sizeof *ms, compare_ms);
	printf("%-34s %7.2f %7.2f %7.2f", what, ms[n / 2], ms[n * 99 / 100], ms[n - 1]);
}

/* What is not recorder: the fake host's own copy and its next tick. */
static double inner_ms(struct host *h)
{
	struct sample s;
	struct err e = ERR_INIT;
	double best = 1e9;
	sample_init(&s);
	for (int i = 0; i < 20; i++) {
		double t = clock_ms(CLOCK_THREAD_CPUTIME_ID);
		host_sample(&h->base, 0, &s, &e);
		t = clock_ms(CLOCK_THREAD_CPUTIME_ID) - t;
		best = t < best ? t : best;
	}
	sample_done(&s);
	return best;
}

static void record(struct backend *b, double inner, double *cpu, double *wall)
{
	struct sample s;
	struct err e = ERR_INIT;
	sample_init(&s);
	for (int i = 0; i < TICKS; i++) {
		double c = clock_ms(CLOCK_THREAD_CPUTIME_ID), w = clock_ms(CLOCK_MONOTONIC);
		b->ops->sample(b, SAMPLE_BALLOON | SAMPLE_REGULAR, &s, &e);
		/* The tick is committed by the wait, whose own part is the host's advance. */
		double hc = clock_ms(CLOCK_THREAD_CPUTIME_ID), hw = clock_ms(CLOCK_MONOTONIC);
		host_advance((struct host *)backend_innermost(b));
		hc = clock_ms(CLOCK_THREAD_CPUTIME_ID) - hc;
		hw = clock_ms(CLOCK_MONOTONIC) - hw;
		b->ops->wait(b, 0, -1);
		cpu[i] = clock_ms(CLOCK_THREAD_CPUTIME_ID) - c - 2 * hc - inner;
		wall[i] = clock_ms(CLOCK_MONOTONIC) - w - 2 * hw - inner;
	}
	sample_done(&s);
}

static void print_bytes(const char *path)
{
	struct stat st;
	stat(path, &st);
	double rows = (double)TICKS * VMS * VCPUS;
	int64_t vcpu = recorded_int(path, "SELECT sum(pgsize) FROM dbstat WHERE name = 'vcpu_tick'");
	int64_t vm = recorded_int(path, "SELECT sum(pgsize) FROM dbstat WHERE name = 'vm_tick'");
	printf("\n%-34s %10.0f\n", "bytes a tick, whole file", (double)st.st_size / TICKS);
	printf("%-34s %10.1f   target %d\n", "bytes a vCPU row", (double)vcpu / rows, TARGET_BYTES);
	int64_t why = recorded_int(path,
		"SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name IN ('vm_why_tick', 'vm_why_fact')");
	printf("%-34s %10.1f\n", "bytes a VM row", (double)vm / TICKS / VMS);
	printf("%-34s %10.1f\n", "bytes a VM, why it is slow", (double)why / TICKS / VMS);
	printf("%-34s %10.1f   target %d\n", "whole file by vCPU rows", (double)st.st_size / rows,
		TARGET_FILE_BYTES);
}

static void read_back(const char *path, double *ms)
{
	struct config cfg;
	struct err e = ERR_INIT;
	struct sample s;
	config_defaults(&cfg);
	cfg.batch = true;
	snprintf(cfg.replay, sizeof cfg.replay, "%s", path);
	struct backend *b = backend_replay_open(&cfg, &e);
	int n = 0;
	sample_init(&s);
	for (; b && n < TICKS; n++) {
		double t = clock_ms(CLOCK_THREAD_CPUTIME_ID);
		if (b->ops->sample(b, 0, &s, &e) < 0)
			break;
		ms[n] = clock_ms(CLOCK_THREAD_CPUTIME_ID) - t;
	}
	print_times("replay: read a tick, CPU ms", ms, n);
	printf("\n");
	sample_done(&s);
	if (b)
		b->ops->close(b);
}

static int measure(bool facts)
{
	static const struct backend_ops ops = {.sample = host_sample,
		.apply = host_apply,
		.wait = host_wait,
		.close = host_close,
		.now = host_now,
		.status = host_status};
	static double cpu[TICKS], wall[TICKS];
	struct host h = {.base = {&ops}, .seed = 1, .facts = facts};
	struct config cfg;
	struct err e = ERR_INIT;
	char path[256];
	printf("\n%s\n", facts ? "all is known of why VMs are slow" : "nothing is known of why VMs are slow");
	config_defaults(&cfg);
	snprintf(cfg.record, sizeof cfg.record, "%s", recorded_path(path, "bench.rec"));
	host_build(&h);
	host_advance(&h);
	double inner = inner_ms(&h);
	struct backend *b = backend_record(&h.base, &cfg, &e);
	if (!b) {
		fprintf(stderr, "%s\n", e.msg);
		return 1;
	}
	record(b, inner, cpu, wall);
	double close_ms = clock_ms(CLOCK_MONOTONIC);
	b->ops->close(b);
	close_ms = clock_ms(CLOCK_MONOTONIC) - close_ms;
	printf("%-34s %7s %7s %7s\n", "", "median", "99 %", "worst");
	print_times("record: a tick, CPU ms", cpu, TICKS);
	printf("   target %.0f (median)\n", target_ms);
	print_times("record: a tick, wall ms", wall, TICKS);
	printf("\n%-34s %7.0f", "record: close, ms", close_ms);
	print_bytes(cfg.record);
	read_back(cfg.record, cpu);
	recorded_clean();
	return 0;
}

int main(void)
{
	struct utsname u;
	uname(&u);
	printf("host: %ld CPUs, %s %s; %d VMs x %d vCPUs, %d pCPUs, %d ticks; SQLite %s\n",
		sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release, VMS, VCPUS, PCPUS, TICKS,
		sqlite3_libversion());
	int before = measure(false), with = measure(true);
	return before || with;
}
