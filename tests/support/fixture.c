/* SPDX-License-Identifier: MIT */
/* Hosts and VMs for tests. Fails by assertion: a test that cannot be set up is a broken test. */
#include "support/fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#undef NDEBUG
#include <assert.h>

void fx_config(struct config *c)
{
	memset(c, 0, sizeof *c);
	c->delay_s = 2;
	c->cpu_policy = CPU_POLICY_ORIGIN_C;
	c->granularity = GRAN_CPU;
	c->foreign_hold_s = 600;
	c->origin_a_sd_points = c->origin_b_sd_points = c->origin_c_sd_pct = 5;
	c->act_above_pct = 5;
	c->stop_at_pct = 3;
	c->core_band_pct = 5;
	c->llc_band_pct = 10;
	c->node_band_pct = 17;
	c->demand_ewma_s = 4;
	c->min_gain_pct = 5;
	c->dwell_llc_s = 30;
	c->dwell_node_s = 60;
	c->dwell_cross_s = 300;
	c->dwell_max_s = 60;
	c->cooldown_rounds = 3;
	c->cooldown_rejected_rounds = 10;
	c->memory_cycle_s = 5;
	c->mem_threshold_kib = 100 * 1024;
	c->mem_claim_pct = 10;
	c->mem_min_pct = 12.5;
	c->mem_min_kib = 128 * 1024;
	c->mem_head_pct = 15;
	c->mem_decay_s = 60;
	c->mem_growth_s = 15;
	c->mem_hold_s = 60;
	c->mem_boot_s = 30;
	c->sample_deadline_s = 2;
	c->change_deadline_s = 5;
}

void fx_init(struct fixture *f, const struct fx_host *h)
{
	memset(f, 0, sizeof *f);
	fx_config(&f->cfg);
	sample_init(&f->s);
	plan_init(&f->plan);
	assert(model_init(&f->m, &f->cfg, &f->e) == 0);
	f->load = calloc(FX_VCPUS, sizeof *f->load);
	f->rules.vms = calloc(FX_VCPUS, sizeof *f->rules.vms);
	f->rules.vcpus = calloc(FX_VCPUS, sizeof *f->rules.vcpus);
	assert(f->load && f->rules.vms && f->rules.vcpus);
	f->rules.cap_vms = f->rules.cap_vcpus = FX_VCPUS;
	for (size_t i = 0; i < FX_VCPUS; i++)
		f->rules.vms[i] = (struct vm_rule){
			.cpu_weight = 1, .mem_shares = 1, .target_kib = -1, .held_for_s = -1};
	int nodes = h->nodes ? h->nodes : 1, smt = h->smt ? h->smt : 1, step = h->id_step ? h->id_step : 1;
	for (int i = 0; i < h->pcpus; i++) {
		struct pcpu_sample *p = sample_add_pcpu(&f->s, i * step);
		assert(p);
		p->online = true;
		p->node = (int)((long)i * nodes / h->pcpus);
		p->socket = p->node;
		p->core = i / smt;
		p->llc = h->llc_cpus ? i / h->llc_cpus : -1;
		p->busy_ns = p->idle_ns = vi64_ok(0);
	}
	f->s.host.has_llc = h->llc_cpus > 0;
	f->s.host.n_nodes = (size_t)nodes;
	for (int i = 0; i < nodes; i++)
		f->s.host.nodes[i].id = i;
	f->s.time_ns = INT64_C(1000000000);
	f->s.wall_ns = INT64_C(1700000000000000000);
	f->s.took_ns = 1000000;
}

void fx_done(struct fixture *f)
{
	model_done(&f->m);
	sample_done(&f->s);
	plan_done(&f->plan);
	free(f->load);
	free(f->rules.vms);
	free(f->rules.vcpus);
}

static void number_uuid(uint8_t uuid[UUID_BYTES], unsigned number)
{
	memset(uuid, 0, UUID_BYTES);
	for (int i = 0; i < 4; i++)
		uuid[i] = (uint8_t)(number >> (24 - 8 * i));
}

size_t fx_vm_index(const struct fixture *f, unsigned number)
{
	uint8_t uuid[UUID_BYTES];
	number_uuid(uuid, number);
	const struct vm_sample *vm = sample_vm_by_uuid(&f->s, uuid);
	assert(vm);
	return (size_t)(vm - f->s.vms);
}

struct vm_sample *fx_vm_sample(struct fixture *f, unsigned number)
{
	return &f->s.vms[fx_vm_index(f, number)];
}

size_t fx_vcpu_index(const struct fixture *f, unsigned number, int vcpu)
{
	const struct vm_sample *vm = &f->s.vms[fx_vm_index(f, number)];
	const struct vcpu_sample *v = sample_vcpu(&f->s, vm, vcpu);
	assert(v);
	return (size_t)(v - f->s.vcpus);
}

struct vcpu_sample *fx_vcpu(struct fixture *f, unsigned number, int vcpu)
{
	return &f->s.vcpus[fx_vcpu_index(f, number, vcpu)];
}

const struct vcpu_rate *fx_vcpu_rate(const struct fixture *f, unsigned number, int vcpu)
{
	return &f->m.vcpus[fx_vcpu_index(f, number, vcpu)];
}

/* Shifts n vCPUs from index `at` down to `first`. */
static void sift_vcpus(struct fixture *f, size_t first, size_t at, size_t n)
{
	struct sample *s = &f->s;
	struct vcpu_sample *moved = malloc((n + 1) * sizeof *moved);
	assert(moved);
	memcpy(moved, s->vcpus + at, n * sizeof *moved);
	memmove(s->vcpus + first + n, s->vcpus + first, (at - first) * sizeof *moved);
	memcpy(s->vcpus + first, moved, n * sizeof *moved);
	memmove(f->load + first + n, f->load + first, (at - first) * sizeof *f->load);
	memset(f->load + first, 0, n * sizeof *f->load);
	free(moved);
}

/* Shifts a new last VM and its vCPUs to their place in the order of UUIDs. */
static void sift_last_vm(struct fixture *f)
{
	struct sample *s = &f->s;
	size_t to = s->n_vms - 1, at = s->vms[to].first_vcpu, n = s->vms[to].n_vcpus;
	struct vm_sample last = s->vms[to];
	while (to > 0 && uuid_compare(s->vms[to - 1].uuid, last.uuid) > 0)
		to--;
	size_t first = to < s->n_vms - 1 ? s->vms[to].first_vcpu : at;
	if (n)
		sift_vcpus(f, first, at, n);
	memmove(s->vms + to + 1, s->vms + to, (s->n_vms - 1 - to) * sizeof *s->vms);
	last.first_vcpu = first;
	s->vms[to] = last;
	for (size_t i = to + 1; i < s->n_vms; i++)
		s->vms[i].first_vcpu += n;
}

unsigned fx_vm(struct fixture *f, unsigned number, int vcpus)
{
	uint8_t uuid[UUID_BYTES];
	number_uuid(uuid, number);
	assert(!sample_vm_by_uuid(&f->s, uuid) && f->s.n_vcpus + (size_t)vcpus <= FX_VCPUS);
	struct vm_sample *vm = sample_add_vm(&f->s, uuid);
	assert(vm);
	vm->id = (int)number;
	vm->state = VM_RUNNING;
	vm->cpu_time_ns = vi64_ok(0);
	for (int i = 0; i < vcpus; i++) {
		struct vcpu_sample *v = sample_add_vcpu(&f->s, i);
		assert(v);
		v->online = true;
		v->time_ns = v->delay_ns = vi64_ok(0);
		v->pcpu = vi64_ok(0);
		sample_online(&f->s, &v->affinity);
		v->affinity_avail = AVAIL_OK;
		cpuset_fill(&v->allowed, CPUSET_CPUS);
	}
	sift_last_vm(f);
	f->rules.n_vms = f->s.n_vms;
	f->rules.n_vcpus = f->s.n_vcpus;
	return number;
}

void fx_remove_vm(struct fixture *f, unsigned number)
{
	struct sample *s = &f->s;
	size_t at = fx_vm_index(f, number), first = s->vms[at].first_vcpu, n = s->vms[at].n_vcpus;
	size_t rest = s->n_vcpus - first - n;
	if (s->vcpus)
		memmove(s->vcpus + first, s->vcpus + first + n, rest * sizeof *s->vcpus);
	memmove(f->load + first, f->load + first + n, rest * sizeof *f->load);
	memmove(s->vms + at, s->vms + at + 1, (s->n_vms - at - 1) * sizeof *s->vms);
	s->n_vms--;
	s->n_vcpus -= n;
	for (size_t i = at; i < s->n_vms; i++)
		s->vms[i].first_vcpu -= n;
	f->rules.n_vms = s->n_vms;
	f->rules.n_vcpus = s->n_vcpus;
}

static struct cpuset parse(const char *cpus)
{
	struct cpuset set;
	assert(cpuset_parse(&set, cpus, NULL) == 0);
	return set;
}

static void set_affinity(struct fixture *f, struct vcpu_sample *v, const struct cpuset *to)
{
	struct cpuset online;
	sample_online(&f->s, &online);
	v->affinity = *to;
	v->pinned = !cpuset_subset(&online, to);
	if (!vi64_has(v->pcpu) || !cpuset_has(to, (int)v->pcpu.v))
		v->pcpu = vi64_ok(cpuset_first(to));
}

void fx_pin(struct fixture *f, unsigned number, int vcpu, const char *cpus)
{
	struct cpuset to = parse(cpus);
	set_affinity(f, fx_vcpu(f, number, vcpu), &to);
	fx_vcpu(f, number, vcpu)->pcpu = vi64_ok(cpuset_first(&to));
}

void fx_allow(struct fixture *f, unsigned number, int vcpu, const char *cpus)
{
	fx_vcpu(f, number, vcpu)->allowed = parse(cpus);
}

void fx_runs_on(struct fixture *f, unsigned number, int vcpu, int pcpu)
{
	fx_vcpu(f, number, vcpu)->pcpu = vi64_ok(pcpu);
}

void fx_load(struct fixture *f, unsigned number, int vcpu, double usage_pct, double wait_pct)
{
	f->load[fx_vcpu_index(f, number, vcpu)] = (struct fx_vcpu){usage_pct, wait_pct};
}

void fx_background(struct fixture *f, int pcpu, double pct)
{
	f->background[pcpu] = pct;
}

void fx_start(struct fixture *f)
{
	assert(model_update(&f->m, &f->s, &f->e) == 0);
}

static void add_ns(struct vi64 *counter, double ns)
{
	if (vi64_has(*counter))
		counter->v += (int64_t)llround(ns);
}

void fx_advance(struct fixture *f, double seconds)
{
	double busy[CPUSET_CPUS], ns = seconds * 1e9;
	memcpy(busy, f->background, sizeof busy);
	for (size_t i = 0; i < f->s.n_vcpus; i++) {
		struct vcpu_sample *v = &f->s.vcpus[i];
		add_ns(&v->time_ns, f->load[i].usage_pct / 100 * ns);
		add_ns(&v->delay_ns, f->load[i].wait_pct / 100 * ns);
		if (model_vcpu_pcpu(v) >= 0)
			busy[model_vcpu_pcpu(v)] += f->load[i].usage_pct;
	}
	for (size_t i = 0; i < f->s.host.n_pcpus; i++) {
		struct pcpu_sample *p = &f->s.host.pcpus[i];
		double pct = busy[p->id] > 100 ? 100 : busy[p->id];
		add_ns(&p->busy_ns, pct / 100 * ns);
		add_ns(&p->idle_ns, (100 - pct) / 100 * ns);
	}
	f->s.time_ns += (int64_t)llround(ns);
	f->s.wall_ns += (int64_t)llround(ns);
	fx_start(f);
}

const struct round *fx_round(struct fixture *f, enum round_mode mode)
{
	plan_reset(&f->plan);
	f->round = (struct round){
		.sample = &f->s, .model = &f->m, .rules = &f->rules, .cfg = &f->cfg, .mode = mode};
	return &f->round;
}

void fx_apply(struct fixture *f)
{
	for (size_t i = 0; i < f->plan.n; i++) {
		struct action *a = &f->plan.actions[i];
		if (a->kind != ACTION_PIN)
			continue;
		const struct vm_sample *vm = &f->s.vms[a->vm];
		const struct vcpu_sample *v = sample_vcpu(&f->s, vm, a->vcpu);
		assert(v);
		set_affinity(f, &f->s.vcpus[v - f->s.vcpus], &a->to);
		a->outcome = OUTCOME_DONE;
	}
}

int fx_on_pcpu(const struct fixture *f, int pcpu)
{
	int n = 0;
	for (size_t i = 0; i < f->s.n_vcpus; i++)
		n += model_vcpu_pcpu(&f->s.vcpus[i]) == pcpu;
	return n;
}

uint32_t fx_random(struct fx_random *r, uint32_t below)
{
	/* splitmix64 */
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return below ? (uint32_t)((z >> 32) * below >> 32) : 0;
}

double fx_random_real(struct fx_random *r, double lo, double hi)
{
	return lo + (hi - lo) * fx_random(r, UINT32_MAX) / (double)UINT32_MAX;
}
