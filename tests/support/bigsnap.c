/* SPDX-License-Identifier: MIT */
/* Made-up snapshots. Numbers come from a fixed generator, so that golden screens stay the same. */
#include "bigsnap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB    INT64_C(1024)
#define GIB    (INT64_C(1024) * MIB)
#define SECOND INT64_C(1000000000)

const char *const bigsnap_hostile[] = {
	"esc\033[31mred\007",
	"line\nbreak\ttab",
	"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e-\xe6\x9c\xac\xe7\x95\xaa", /* wide */
	"e\xcc\x81tude\xcc\x81",                                         /* combining */
	"rtl\xe2\x80\xae"
	"gpj",         /* override */
	"bad\xff\xfe", /* not UTF-8 */
	"007",
	"a-very-long-name-that-goes-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-"
	"and-on-"
	"and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-"
	"and-on-"
	"and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-"
	"and-on",
};
const size_t bigsnap_n_hostile = sizeof bigsnap_hostile / sizeof bigsnap_hostile[0];

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

/* The same everywhere, unlike rand(). */
static unsigned dice(unsigned *seed, unsigned n)
{
	*seed = *seed * 1103515245U + 12345U;
	return (*seed >> 16) % n;
}

static void add_pcpus(struct snapshot *s, int n)
{
	int nodes = n >= 8 ? 2 : 1;
	for (int i = 0; i < n; i++) {
		struct pcpu_sample *p = must(sample_add_pcpu(&s->sample, i));
		p->online = n < 8 || i != n - 1;
		p->isolated = n >= 8 && i == n - 2;
		p->node = i * nodes / n;
		p->core = i / 2;
		p->llc = i / 8;
	}
	for (int i = 0; i < nodes; i++)
		s->sample.host.nodes[i] =
			(struct node_sample){i, vi64_ok(64 / nodes * GIB), vi64_ok((10 + i) * GIB)};
	s->sample.host.n_nodes = (size_t)nodes;
	s->sample.host.has_llc = true;
}

static void add_vcpus(struct snapshot *s, int vm, int pcpus, unsigned *seed)
{
	int n = 1 + vm % 4;
	for (int k = 0; k < n; k++) {
		struct vcpu_sample *c = must(sample_add_vcpu(&s->sample, k + (k == 3)));
		int at = (int)dice(seed, (unsigned)pcpus);
		c->online = true;
		c->pcpu = vi64_ok(at);
		cpuset_fill(&c->allowed, CPUSET_CPUS);
		c->pinned = vm % 3 != 0;
		if (c->pinned) {
			cpuset_add(&c->affinity, at);
			cpuset_add(&c->affinity, (at + vm % 2) % pcpus);
		} else {
			cpuset_fill(&c->affinity, pcpus);
		}
		c->affinity_avail = AVAIL_OK;
	}
}

static void add_vm(struct snapshot *s, int i, int pcpus, unsigned *seed)
{
	uint8_t uuid[UUID_BYTES] = {(uint8_t)(i * 37), (uint8_t)(i >> 8), (uint8_t)i, 0x40};
	struct vm_sample *m = must(sample_add_vm(&s->sample, uuid));
	m->id = i + 1;
	m->state = VM_RUNNING;
	if (i >= 8 && (size_t)(i - 8) < bigsnap_n_hostile)
		snprintf(m->name, sizeof m->name, "%s", bigsnap_hostile[i - 8]);
	else
		snprintf(m->name, sizeof m->name, "%s%d",
			i % 3 == 0   ? "web-"
			: i % 3 == 1 ? "db"
				     : "runner-",
			i);
	m->cpu_time_ns = vi64_ok((int64_t)dice(seed, 100000) * SECOND);
	m->mem.balloon_device = true;
	m->mem.max_kib = vi64_ok(4 * GIB);
	m->mem.balloon_kib = vi64_ok((1 + dice(seed, 4)) * GIB);
	m->mem.usable_kib = vi64_ok(200 * MIB + dice(seed, 500) * MIB);
	m->mem.unused_kib = vi64_ok(100 * MIB + dice(seed, 100) * MIB);
	m->mem.rss_kib = vi64_ok(2 * GIB + dice(seed, 500) * MIB);
	m->mem.period_s = vi64_ok(2);
	if (i == 3)
		m->hung_since_ns = s->sample.time_ns - 12 * SECOND;
	if (i == 4)
		m->state = VM_PAUSED;
	if (i == 6) {
		m->mem.usable_kib = vi64_absent(AVAIL_NO_PERIOD);
		m->mem.unused_kib = vi64_absent(AVAIL_NO_PERIOD);
	}
	add_vcpus(s, i, pcpus, seed);
}

static void fill_vcpus(struct snapshot *s, size_t vm, unsigned *seed)
{
	const struct vm_sample *m = &s->sample.vms[vm];
	struct vm_rate *r = &s->vm_rates[vm];
	bool silent = m->hung_since_ns != 0;
	*r = (struct vm_rate){.cpu_pct = vf64_ok(0), .wait_pct = vf64_ok(0), .demand_pct = vf64_ok(0)};
	for (size_t k = 0; k < m->n_vcpus; k++) {
		struct vcpu_rate *v = &s->vcpu_rates[m->first_vcpu + k];
		double use = m->state == VM_PAUSED ? 0 : dice(seed, 1000) / 10.0,
		       wait = dice(seed, 4) ? 1 : 25;
		v->usage_pct = silent ? vf64_absent(AVAIL_HUNG) : vf64_ok(use);
		v->wait_pct = silent ? vf64_absent(AVAIL_HUNG) : vf64_ok(m->state == VM_PAUSED ? 0 : wait);
		v->demand_pct = silent ? vf64_absent(AVAIL_HUNG) : vf64_ok(use * 1.1);
		r->cpu_pct.v += use;
		r->wait_pct.v += v->wait_pct.v;
		r->demand_pct.v += use * 1.1;
	}
	if (silent)
		r->cpu_pct = r->wait_pct = r->demand_pct = vf64_absent(AVAIL_HUNG);
	r->age_s = vf64_ok(1);
	r->used_kib = vi64_ok(m->mem.balloon_kib.v - m->mem.usable_kib.v);
	if (!vi64_has(m->mem.usable_kib)) {
		r->used_kib = vi64_absent(m->mem.usable_kib.avail);
		r->age_s = vf64_absent(m->mem.usable_kib.avail);
	}
	r->rd_bytes_s = r->rx_bytes_s = vf64_absent(AVAIL_NOT_ASKED);
}

static void fill_status(struct snapshot *s, size_t vm)
{
	const struct vm_sample *m = &s->sample.vms[vm];
	struct vm_status *st = &s->vm_status[vm];
	*st = (struct vm_status){.target_kib = vi64_absent(AVAIL_NONE)};
	st->mem.eligible = vi64_has(s->vm_rates[vm].used_kib);
	st->mem.lo_kib = st->mem.hi_kib = s->vm_rates[vm].used_kib;
	st->mem.floor_kib = vi64_ok(512 * MIB);
	why_set(&st->mem.why, st->mem.eligible ? REASON_MEM_OK : REASON_NO_STATS, NULL);
	st->cpu = m->hung_since_ns ? REASON_HUNG : m->state == VM_PAUSED ? REASON_NOT_RUNNING : REASON_NONE;
	if (m->id == 6) {
		st->cpu = REASON_HELD;
		st->held_for_s = 540;
		st->target_kib = vi64_ok(2 * GIB);
		st->target_age_s = 12;
	}
	for (size_t k = 0; k < m->n_vcpus; k++)
		s->vcpu_status[m->first_vcpu + k].cpu = st->cpu;
}

static void fill_pcpus(struct snapshot *s, unsigned *seed)
{
	for (size_t i = 0; i < s->sample.host.n_pcpus; i++) {
		struct pcpu_rate *p = &s->pcpu_rates[i];
		double busy = dice(seed, 1000) / 10.0;
		*p = (struct pcpu_rate){
			.busy_pct = vf64_ok(busy), .load_pct = vf64_ok(busy * .8), .n_vcpus = 1};
		p->demand_pct = vf64_ok(busy > 90 ? 140 : busy);
		if (!s->sample.host.pcpus[i].online)
			p->busy_pct = p->load_pct = p->demand_pct = vf64_absent(AVAIL_OFFLINE);
	}
}

static void fill_rates(struct snapshot *s, unsigned seed)
{
	for (size_t i = 0; i < s->sample.n_vms; i++) {
		fill_vcpus(s, i, &seed);
		fill_status(s, i);
	}
	fill_pcpus(s, &seed);
}

static void fill_log(struct snapshot *s)
{
	static const struct {
		enum log_kind kind;
		enum outcome outcome;
		const char *text;
	} lines[] = {
		{LOG_EVENT, OUTCOME_DONE, "connected to qemu:///system"},
		{LOG_ROUND, OUTCOME_DONE, "above the limit once; a second sample must confirm it"},
		{LOG_ACTION, OUTCOME_DONE, "db1 vCPU 0: 0-1 → 1 · lowers the deviation from 26.2 % to 4.1 %"},
		{LOG_ACTION, OUTCOME_FAILED, "db1 vCPU 1: 0 → 3 failed: cannot set affinity"},
		{LOG_ACTION, OUTCOME_UNKNOWN, "web-3 balloon: 2.0G → 1.8G"},
		{LOG_MARK, OUTCOME_DONE, "load test begins"},
		{LOG_ERROR, OUTCOME_DONE, "connection lost: end of file; trying again"},
	};
	size_t n = sizeof lines / sizeof lines[0];
	s->log = must(calloc(n, sizeof *s->log));
	for (size_t i = 0; i < n; i++) {
		struct log_line *l = &s->log[i];
		*l = (struct log_line){
			.seq = i + 1, .kind = lines[i].kind, .outcome = lines[i].outcome, .vcpu = -1};
		l->wall_ns = s->sample.wall_ns + (int64_t)i * SECOND;
		snprintf(l->text, sizeof l->text, "%s", lines[i].text);
		if (l->kind == LOG_ACTION && s->sample.n_vms) {
			memcpy(l->uuid, s->sample.vms[0].uuid, UUID_BYTES);
			snprintf(l->vm, sizeof l->vm, "%s", s->sample.vms[0].name);
		}
	}
	s->n_log = n;
}

static void fill_verdicts(struct snapshot *s)
{
	s->cpu.stddev_pct = vf64_ok(26.2);
	s->cpu.limit_pct = vf64_ok(5);
	s->cpu.found_pct = vf64_ok(3.9);
	s->cpu.bound_pct = vf64_ok(3.2);
	why_set(&s->cpu.why, REASON_CONFIRM, NULL);
	s->memory.reserve_kib = vi64_ok(1 * GIB);
	s->memory.free_kib = vi64_ok(9 * GIB);
	why_set(&s->memory.why, REASON_MEM_OK, NULL);
	s->busy_pct = vf64_ok(55);
	s->load_stddev_pct = vf64_ok(26.2);
}

struct snapshot *bigsnap_new(int vms, int pcpus)
{
	struct snapshot *s = must(calloc(1, sizeof *s));
	unsigned seed = 42;
	sample_init(&s->sample);
	s->seq = 1;
	s->sample.time_ns = 1000 * SECOND;
	s->sample.wall_ns = INT64_C(1750000000) * SECOND;
	snprintf(s->sample.host.hostname, sizeof s->sample.host.hostname, "kvm7");
	s->sample.host.total_kib = vi64_ok(64 * GIB);
	s->sample.host.available_kib = vi64_ok(21 * GIB);
	add_pcpus(s, pcpus);
	for (int i = 0; i < vms; i++)
		add_vm(s, i, pcpus, &seed);
	if (sample_finish(&s->sample, NULL) < 0)
		abort();
	s->vcpu_rates = must(calloc(s->sample.n_vcpus + 1, sizeof *s->vcpu_rates));
	s->vcpu_status = must(calloc(s->sample.n_vcpus + 1, sizeof *s->vcpu_status));
	s->vm_rates = must(calloc(s->sample.n_vms + 1, sizeof *s->vm_rates));
	s->vm_status = must(calloc(s->sample.n_vms + 1, sizeof *s->vm_status));
	s->pcpu_rates = must(calloc(s->sample.host.n_pcpus + 1, sizeof *s->pcpu_rates));
	fill_rates(s, seed);
	fill_log(s);
	fill_verdicts(s);
	s->elapsed_s = s->delay_s = 2;
	s->granularity = GRAN_CPU;
	s->n_eligible_cpu = vms > 3 ? vms - 3 : vms;
	s->n_eligible_memory = s->n_eligible_cpu;
	s->n_rebalance_pins = 3;
	snprintf(s->backend.uri, sizeof s->backend.uri, "qemu:///system");
	return s;
}

void bigsnap_tick(struct snapshot *s)
{
	s->seq++;
	s->sample.time_ns += 2 * SECOND;
	s->sample.wall_ns += 2 * SECOND;
	fill_rates(s, (unsigned)s->seq * 7919U);
}

static void plan_pin(struct snapshot *s, size_t vm, size_t k, int to)
{
	const struct vcpu_sample *v = &s->sample.vcpus[k];
	struct action *a = &s->ghosts[s->n_ghosts];
	*a = (struct action){.kind = ACTION_PIN, .vm = vm, .vcpu = v->id, .from = v->affinity};
	memcpy(a->uuid, s->sample.vms[vm].uuid, UUID_BYTES);
	cpuset_add(&a->to, to);
	snprintf(a->why.text, sizeof a->why.text, "demand 40 %%, to pCPU %d at 12 %%", to);
	if (s->n_ghosts++ == 2) {
		a->outcome = OUTCOME_SKIPPED;
		return;
	}
	s->n_preview_pins++;
	s->vcpu_status[k].ghost = true;
	s->vcpu_status[k].ghost_to = a->to;
}

void bigsnap_preview(struct snapshot *s, bool on)
{
	s->preview = on;
	s->preview_after_pct = vf64_ok(4.1);
	s->n_ghosts = 0;
	s->n_preview_pins = 0;
	if (!on)
		return;
	free(s->ghosts);
	s->ghosts = calloc(2 * s->sample.n_vms + 1, sizeof *s->ghosts);
	if (!s->ghosts)
		abort();
	for (size_t i = 0; i < s->sample.n_vms; i++) {
		size_t k = s->sample.vms[i].first_vcpu;
		for (size_t n = 0; n < 2 && n < s->sample.vms[i].n_vcpus; n++) {
			struct vi64 at = s->sample.vcpus[k + n].pcpu;
			if (vi64_has(at))
				plan_pin(s, i, k + n, (int)(at.v + !n) % 8);
		}
	}
}

void bigsnap_free(struct snapshot *s)
{
	if (!s)
		return;
	free(s->ghosts);
	sample_done(&s->sample);
	free(s->vcpu_rates);
	free(s->vcpu_status);
	free(s->vm_rates);
	free(s->vm_status);
	free(s->pcpu_rates);
	free(s->log);
	free(s);
}
