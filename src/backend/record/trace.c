/* SPDX-License-Identifier: MIT */
/* Reads a recording into a trace: two passes, the first counts ticks. Invariant: an interval holds what the
 * tick at its end says of it, as the estimator of the recorded settings sees it. Plays the recording as any
 * other reader does; knows no table of it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace_priv.h"
#include "vmtop/array.h"
#include "vmtop/err.h"
#include "vmtop/minmax.h"
#include "vmtop/model.h"
#include "vmtop/plan.h"
#include "vmtop/record.h"
#include "vmtop/text.h"

enum { TRACE_BYTES = 1 << 30 };
static const double qemu_kib = 32 * 1024; /* what the simulator adds to each guest */

void settle_feed(struct settle *s, double at_s, bool within)
{
	const double enough_s = 10;
	if (!within)
		s->since_s = -1;
	else if (s->since_s < 0)
		s->since_s = at_s;
	if (s->found_s < 0 && s->since_s >= 0 && at_s - s->since_s >= enough_s)
		s->found_s = s->since_s;
}

static struct backend *open_batch(const struct config *cfg, struct err *e)
{
	struct config *c = malloc(sizeof *c);
	if (!c) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	*c = *cfg;
	c->batch = true;
	struct backend *b = backend_replay_open(c, e);
	free(c);
	return b;
}

/* Ticks that are not later than the one before are left out, here and in the second pass. */
static int count_ticks(const struct config *cfg, size_t *n, struct err *e)
{
	struct err end = ERR_INIT;
	struct sample s;
	struct backend *b = open_batch(cfg, e);
	int64_t last = INT64_MIN;
	if (!b)
		return -1;
	sample_init(&s);
	*n = 0;
	while (b->ops->wait(b, 0, -1) != WAKE_END && b->ops->sample(b, 0, &s, &end) == 0) {
		*n += s.time_ns > last;
		last = max_of(s.time_ns, last);
	}
	sample_done(&s);
	b->ops->close(b);
	return 0;
}

static float *series(struct trace *t, float initial)
{
	t->bytes += (t->n + 1) * sizeof(float);
	float *f = t->bytes <= TRACE_BYTES ? malloc((t->n + 1) * sizeof *f) : NULL;
	for (size_t i = 0; f && i <= t->n; i++)
		f[i] = initial;
	return f;
}

static struct trace_vm *find_vm(struct trace *t, const uint8_t uuid[UUID_BYTES], size_t hint)
{
	if (hint < t->n_vms && uuid_compare(t->vms[hint].first.uuid, uuid) == 0)
		return &t->vms[hint];
	for (size_t i = 0; i < t->n_vms; i++)
		if (uuid_compare(t->vms[i].first.uuid, uuid) == 0)
			return &t->vms[i];
	if (!array_grow(&t->vms, &t->cap_vms, t->n_vms + 1, sizeof *t->vms))
		return NULL;
	struct trace_vm *p = &t->vms[t->n_vms];
	*p = (struct trace_vm){.base_kib = -1, .top_vcpu = -1};
	p->present = series(t, 0);
	p->used_kib = series(t, -1);
	if (!p->present || !p->used_kib) {
		free(p->present);
		free(p->used_kib);
		return NULL;
	}
	t->n_vms++;
	return p;
}

static struct trace_vcpu *find_vcpu(struct trace *t, size_t vm, const struct vcpu_sample *v, size_t hint)
{
	if (hint < t->n_vcpus && t->vcpus[hint].vm == vm && t->vcpus[hint].id == v->id)
		return &t->vcpus[hint];
	for (size_t i = 0; i < t->n_vcpus; i++)
		if (t->vcpus[i].vm == vm && t->vcpus[i].id == v->id)
			return &t->vcpus[i];
	if (!array_grow(&t->vcpus, &t->cap_vcpus, t->n_vcpus + 1, sizeof *t->vcpus))
		return NULL;
	struct trace_vcpu *p = &t->vcpus[t->n_vcpus];
	*p = (struct trace_vcpu){.vm = vm,
		.id = v->id,
		.pin = v->affinity,
		.allowed = v->allowed,
		.pcpu = vi64_has(v->pcpu) ? (int)v->pcpu.v : -1,
		.want = series(t, 0)};
	if (!p->want)
		return NULL;
	t->n_vcpus++;
	return p;
}

static void vm_first_seen(struct trace_vm *to, const struct vm_sample *vm)
{
	bool fresh = to->first.name[0] == '\0' && to->first.id == 0;
	struct vm_memory had = to->first.mem;
	if (fresh) {
		to->first = *vm;
	} else if (!vi64_has(had.balloon_kib) && vi64_has(vm->mem.balloon_kib)) {
		to->first.mem.balloon_kib = vm->mem.balloon_kib;
		to->first.mem.max_kib = vm->mem.max_kib;
	}
	if (!vi64_has(to->first.mem.caches_kib))
		to->first.mem.caches_kib = vm->mem.caches_kib;
	if (!vi64_has(to->first.mem.usable_kib))
		to->first.mem.usable_kib = vm->mem.usable_kib;
}

static void vm_memory(struct trace_vm *to, const struct vm_rate *r, size_t at)
{
	if (!vi64_has(r->used_kib) || r->used_kib.v <= 0)
		return;
	to->used_kib[at] = (float)r->used_kib.v;
	if (to->base_kib < 0 || (double)r->used_kib.v < to->base_kib)
		to->base_kib = (double)r->used_kib.v;
}

static double want_of(const struct vcpu_rate *r)
{
	double pct = vf64_has(r->demand_pct) ? r->demand_pct.v : vf64_has(r->usage_pct) ? r->usage_pct.v : 0;
	return fmin(1, fmax(0, pct / 100));
}

static int add_vms(struct trace *t, const struct sample *s, const struct model *m, size_t at)
{
	for (size_t i = 0; i < s->n_vms; i++) {
		const struct vm_sample *vm = &s->vms[i];
		struct trace_vm *to = find_vm(t, vm->uuid, i);
		if (!to)
			return -1;
		size_t index = (size_t)(to - t->vms);
		vm_first_seen(to, vm);
		to->present[at] = vm->state == VM_RUNNING || vm->state == VM_BLOCKED;
		vm_memory(to, &m->vms[i], at);
		for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++) {
			const struct vcpu_sample *v = &s->vcpus[k];
			if (v->id < 0 || v->id >= SCN_VM_VCPUS)
				continue;
			struct trace_vcpu *c = find_vcpu(t, index, v, k);
			if (!c)
				return -1;
			c->want[at] = (float)want_of(&m->vcpus[k]);
			t->vms[index].top_vcpu = max_of(v->id, t->vms[index].top_vcpu);
		}
	}
	return 0;
}

static int add_pcpus(struct trace *t, const struct sample *s, const struct model *m, size_t at)
{
	for (size_t i = 0; i < s->host.n_pcpus; i++) {
		const struct pcpu_sample *p = &s->host.pcpus[i];
		size_t k = i < t->n_pcpus && t->pcpus[i].first.id == p->id ? i : 0;
		while (k < t->n_pcpus && t->pcpus[k].first.id != p->id)
			k++;
		if (k == t->n_pcpus) {
			if (!array_grow(&t->pcpus, &t->cap_pcpus, k + 1, sizeof *t->pcpus))
				return -1;
			t->pcpus[k] = (struct trace_pcpu){.first = *p, .background = series(t, 0)};
			if (!t->pcpus[k].background)
				return -1;
			t->n_pcpus++;
		}
		if (vf64_has(m->pcpus[i].background_pct))
			t->pcpus[k].background[at] =
				(float)fmin(1, fmax(0, m->pcpus[i].background_pct.v / 100));
	}
	return 0;
}

/* What is neither free nor a guest's, as the simulator counts. */
static void add_host(struct trace *t, const struct sample *s, size_t at)
{
	double guests = 0;
	for (size_t i = 0; i < s->n_vms; i++)
		if (vi64_has(s->vms[i].mem.balloon_kib))
			guests += (double)s->vms[i].mem.balloon_kib.v + qemu_kib;
	if (vi64_has(s->host.total_kib) && vi64_has(s->host.available_kib))
		t->host_kib[at] = (float)((double)(s->host.total_kib.v - s->host.available_kib.v) - guests);
	if (at == 0 || !vi64_has(t->host.total_kib)) {
		t->host = s->host;
		t->host.pcpus = NULL;
	}
}

static double deviation(const struct sample *s, const struct model *m)
{
	double sum = 0, squares = 0;
	int n = 0;
	for (size_t i = 0; i < s->host.n_pcpus; i++) {
		if (!s->host.pcpus[i].online || !vf64_has(m->pcpus[i].demand_pct))
			continue;
		sum += m->pcpus[i].demand_pct.v;
		squares += m->pcpus[i].demand_pct.v * m->pcpus[i].demand_pct.v;
		n++;
	}
	return n ? sqrt(fmax(0, squares / n - sum / n * (sum / n))) : 0;
}

static void count_actions(struct trace *t, struct backend *b, const struct sample *s, struct plan *p)
{
	struct decision d;
	plan_reset(p);
	if (b->ops->replay->played(b, s, &d, p) < 0)
		return;
	for (size_t i = 0; i < p->n; i++) {
		bool done = p->actions[i].outcome == OUTCOME_DONE;
		t->facts.pins += done && p->actions[i].kind == ACTION_PIN;
		t->facts.balloons += done && p->actions[i].kind == ACTION_BALLOON;
	}
}

struct reading {
	struct sample s;
	struct model m;
	struct plan p;
	struct settle settle;
	int64_t first_ns;
	double sum_pct;
	size_t ticks;
};

/* Tick number k ends interval k - 1. */
static int add_tick(struct trace *t, struct backend *b, struct reading *r, double limit_pct, struct err *e)
{
	if (r->ticks && r->s.time_ns <= r->m.time_ns)
		return 0;
	if (model_update(&r->m, &r->s, e) < 0)
		return -1;
	if (r->ticks == 0)
		r->first_ns = r->s.time_ns;
	size_t at = r->ticks ? r->ticks - 1 : 0;
	if (r->ticks++ < t->n)
		t->at_ns[r->ticks - 1] = r->s.time_ns - r->first_ns;
	if (at >= t->n && t->n)
		return 0; /* it grew since the first pass */
	count_actions(t, b, &r->s, &r->p);
	add_host(t, &r->s, at);
	if (add_vms(t, &r->s, &r->m, at) < 0 || add_pcpus(t, &r->s, &r->m, at) < 0)
		return err_set(e, ERR_NOMEM,
			"out of memory for so many vCPUs and ticks: --record-keep makes shorter recordings");
	t->facts.seconds = (double)(r->s.time_ns - r->first_ns) / 1e9;
	if (r->ticks > 1) {
		t->facts.final_pct = deviation(&r->s, &r->m);
		r->sum_pct += t->facts.final_pct;
		settle_feed(&r->settle, t->facts.seconds, t->facts.final_pct <= limit_pct);
	}
	return 0;
}

static int read_all(struct trace *t, const struct config *cfg, double limit_pct, struct err *e)
{
	struct err end = ERR_INIT;
	struct reading r = {.settle = {-1, -1}};
	struct backend *b = open_batch(cfg, e);
	if (!b || model_init(&r.m, cfg, e) < 0) {
		if (b)
			b->ops->close(b);
		return -1;
	}
	struct backend_status st;
	b->ops->status(b, &st);
	snprintf(t->facts.uri, sizeof t->facts.uri, "%s", st.uri);
	sample_init(&r.s);
	plan_init(&r.p);
	int rc = 0;
	while (rc == 0 && b->ops->wait(b, 0, -1) != WAKE_END && b->ops->sample(b, 0, &r.s, &end) == 0)
		rc = add_tick(t, b, &r, limit_pct, e);
	t->facts.ticks = r.ticks;
	t->facts.mean_pct = r.ticks > 1 ? r.sum_pct / (double)(r.ticks - 1) : 0;
	t->facts.balanced_s = r.settle.found_s;
	sample_done(&r.s);
	plan_done(&r.p);
	model_done(&r.m);
	b->ops->close(b);
	return rc;
}

/* A gap in a guest's statistics keeps what was known before it; before the first ones, the first. */
static void fill_gaps(struct trace *t)
{
	for (size_t i = 0; i < t->n_vms; i++) {
		struct trace_vm *vm = &t->vms[i];
		double half =
			vi64_has(vm->first.mem.balloon_kib) ? (double)vm->first.mem.balloon_kib.v / 2 : 0;
		float last = -1;
		for (size_t k = 0; k < t->n && last < 0; k++)
			last = vm->used_kib[k];
		t->facts.has_memory |= last >= 0;
		last = last < 0 ? (float)half : last;
		for (size_t k = 0; k <= t->n; k++)
			last = vm->used_kib[k] = vm->used_kib[k] < 0 ? last : vm->used_kib[k];
		vm->base_kib = vm->base_kib < 0 ? half : vm->base_kib;
	}
}

static int lay_out(struct trace *t)
{
	for (size_t i = 0; i < t->n_vms; i++) {
		struct trace_vm *vm = &t->vms[i];
		vm->vcpus = calloc((size_t)(vm->top_vcpu + 2), sizeof *vm->vcpus);
		if (!vm->vcpus)
			return -1;
		vm->is = (struct scn_vm_trace){vm->present, vm->used_kib, vm->vcpus};
	}
	return 0;
}

struct trace *trace_read(const struct config *cfg, double limit_pct, struct err *e)
{
	size_t ticks = 0;
	if (count_ticks(cfg, &ticks, e) < 0)
		return NULL;
	if (ticks < 3) {
		err_set(e, ERR_RUNTIME, "%.200s is too short: %zu tick%s, and at least three are needed",
			cfg->replay, ticks, text_s(ticks));
		return NULL;
	}
	struct trace *t = calloc(1, sizeof *t);
	if (t) {
		t->n = ticks - 1;
		t->at_ns = calloc(ticks, sizeof *t->at_ns);
		t->host_kib = calloc(ticks, sizeof *t->host_kib);
	}
	if (!t || !t->at_ns || !t->host_kib || read_all(t, cfg, limit_pct, e) < 0 ||
		trace_runs(t, cfg->replay, e) < 0 || lay_out(t) < 0) {
		if (!e->msg[0])
			err_set(e, ERR_NOMEM, "out of memory");
		trace_free(t);
		return NULL;
	}
	fill_gaps(t);
	snprintf(t->facts.host, sizeof t->facts.host, "%s", t->host.hostname);
	t->facts.vms = t->n_vms;
	t->facts.vcpus = t->n_vcpus;
	t->facts.pcpus = t->n_pcpus;
	return t;
}

void trace_free(struct trace *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n_vms; i++) {
		free(t->vms[i].present);
		free(t->vms[i].used_kib);
		free(t->vms[i].vcpus);
	}
	for (size_t i = 0; i < t->n_vcpus; i++)
		free(t->vcpus[i].want);
	for (size_t i = 0; i < t->n_pcpus; i++)
		free(t->pcpus[i].background);
	free(t->vms);
	free(t->vcpus);
	free(t->pcpus);
	free(t->at_ns);
	free(t->host_kib);
	free(t);
}

const struct trace_facts *trace_facts(const struct trace *t)
{
	return &t->facts;
}
