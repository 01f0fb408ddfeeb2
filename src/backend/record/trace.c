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

void settle_feed(struct settle *settle, double at_s, bool within)
{
	const double enough_s = 10;
	if (!within)
		settle->since_s = -1;
	else if (settle->since_s < 0)
		settle->since_s = at_s;
	if (settle->found_s < 0 && settle->since_s >= 0 && at_s - settle->since_s >= enough_s)
		settle->found_s = settle->since_s;
}

static struct backend *open_batch(const struct config *cfg, struct err *err)
{
	struct config *c = malloc(sizeof *c);
	if (!c) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	*c = *cfg;
	c->batch = true;
	struct backend *backend = backend_replay_open(c, err);
	free(c);
	return backend;
}

/* Ticks that are not later than the one before are left out, here and in the second pass. */
static int count_ticks(const struct config *cfg, size_t *n, struct err *err)
{
	struct err end = ERR_INIT;
	struct sample sample;
	struct backend *backend = open_batch(cfg, err);
	int64_t last = INT64_MIN;
	if (!backend)
		return -1;
	sample_init(&sample);
	*n = 0;
	while (backend->ops->wait(backend, 0, -1) != WAKE_END &&
		backend->ops->sample(backend, 0, &sample, &end) == 0) {
		*n += sample.time_ns > last;
		last = max_of(sample.time_ns, last);
	}
	sample_done(&sample);
	backend->ops->close(backend);
	return 0;
}

static float *series(struct trace *trace, float initial)
{
	trace->bytes += (trace->n + 1) * sizeof(float);
	float *f = trace->bytes <= TRACE_BYTES ? malloc((trace->n + 1) * sizeof *f) : NULL;
	for (size_t i = 0; f && i <= trace->n; i++)
		f[i] = initial;
	return f;
}

static struct trace_vm *find_vm(struct trace *trace, const uint8_t uuid[UUID_BYTES], size_t hint)
{
	if (hint < trace->n_vms && uuid_compare(trace->vms[hint].first.uuid, uuid) == 0)
		return &trace->vms[hint];
	for (size_t i = 0; i < trace->n_vms; i++)
		if (uuid_compare(trace->vms[i].first.uuid, uuid) == 0)
			return &trace->vms[i];
	if (!array_grow(&trace->vms, &trace->cap_vms, trace->n_vms + 1, sizeof *trace->vms))
		return NULL;
	struct trace_vm *vm = &trace->vms[trace->n_vms];
	*vm = (struct trace_vm){.base_kib = -1, .top_vcpu = -1};
	vm->present = series(trace, 0);
	vm->used_kib = series(trace, -1);
	if (!vm->present || !vm->used_kib) {
		free(vm->present);
		free(vm->used_kib);
		return NULL;
	}
	trace->n_vms++;
	return vm;
}

static struct trace_vcpu *find_vcpu(struct trace *trace, size_t vm, const struct vcpu_sample *v, size_t hint)
{
	if (hint < trace->n_vcpus && trace->vcpus[hint].vm == vm && trace->vcpus[hint].id == v->id)
		return &trace->vcpus[hint];
	for (size_t i = 0; i < trace->n_vcpus; i++)
		if (trace->vcpus[i].vm == vm && trace->vcpus[i].id == v->id)
			return &trace->vcpus[i];
	if (!array_grow(&trace->vcpus, &trace->cap_vcpus, trace->n_vcpus + 1, sizeof *trace->vcpus))
		return NULL;
	struct trace_vcpu *p = &trace->vcpus[trace->n_vcpus];
	*p = (struct trace_vcpu){.vm = vm,
		.id = v->id,
		.pin = v->affinity,
		.allowed = v->allowed,
		.pcpu = vi64_has(v->pcpu) ? (int)v->pcpu.v : -1,
		.want = series(trace, 0)};
	if (!p->want)
		return NULL;
	trace->n_vcpus++;
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

static void vm_memory(struct trace_vm *to, const struct vm_rate *rate, size_t at)
{
	if (!vi64_has(rate->used_kib) || rate->used_kib.v <= 0)
		return;
	to->used_kib[at] = (float)rate->used_kib.v;
	if (to->base_kib < 0 || (double)rate->used_kib.v < to->base_kib)
		to->base_kib = (double)rate->used_kib.v;
}

static double want_of(const struct vcpu_rate *rate)
{
	double pct = vf64_has(rate->demand_pct)  ? rate->demand_pct.v
		     : vf64_has(rate->usage_pct) ? rate->usage_pct.v
						 : 0;
	return fmin(1, fmax(0, pct / 100));
}

static int add_vms(struct trace *trace, const struct sample *sample, const struct model *model, size_t at)
{
	for (size_t i = 0; i < sample->n_vms; i++) {
		const struct vm_sample *vm = &sample->vms[i];
		struct trace_vm *to = find_vm(trace, vm->uuid, i);
		if (!to)
			return -1;
		size_t index = (size_t)(to - trace->vms);
		vm_first_seen(to, vm);
		to->present[at] = vm->state == VM_RUNNING || vm->state == VM_BLOCKED;
		vm_memory(to, &model->vms[i], at);
		for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++) {
			const struct vcpu_sample *v = &sample->vcpus[k];
			if (v->id < 0 || v->id >= SCN_VM_VCPUS)
				continue;
			struct trace_vcpu *c = find_vcpu(trace, index, v, k);
			if (!c)
				return -1;
			c->want[at] = (float)want_of(&model->vcpus[k]);
			trace->vms[index].top_vcpu = max_of(v->id, trace->vms[index].top_vcpu);
		}
	}
	return 0;
}

static int add_pcpus(struct trace *trace, const struct sample *sample, const struct model *model, size_t at)
{
	for (size_t i = 0; i < sample->host.n_pcpus; i++) {
		const struct pcpu_sample *pcpu = &sample->host.pcpus[i];
		size_t k = i < trace->n_pcpus && trace->pcpus[i].first.id == pcpu->id ? i : 0;
		while (k < trace->n_pcpus && trace->pcpus[k].first.id != pcpu->id)
			k++;
		if (k == trace->n_pcpus) {
			if (!array_grow(&trace->pcpus, &trace->cap_pcpus, k + 1, sizeof *trace->pcpus))
				return -1;
			trace->pcpus[k] = (struct trace_pcpu){.first = *pcpu, .background = series(trace, 0)};
			if (!trace->pcpus[k].background)
				return -1;
			trace->n_pcpus++;
		}
		if (vf64_has(model->pcpus[i].background_pct))
			trace->pcpus[k].background[at] =
				(float)fmin(1, fmax(0, model->pcpus[i].background_pct.v / 100));
	}
	return 0;
}

/* What is neither free nor a guest's, as the simulator counts. */
static void add_host(struct trace *trace, const struct sample *sample, size_t at)
{
	double guests = 0;
	for (size_t i = 0; i < sample->n_vms; i++)
		if (vi64_has(sample->vms[i].mem.balloon_kib))
			guests += (double)sample->vms[i].mem.balloon_kib.v + qemu_kib;
	if (vi64_has(sample->host.total_kib) && vi64_has(sample->host.available_kib))
		trace->host_kib[at] =
			(float)((double)(sample->host.total_kib.v - sample->host.available_kib.v) - guests);
	if (at == 0 || !vi64_has(trace->host.total_kib)) {
		trace->host = sample->host;
		trace->host.pcpus = NULL;
	}
}

static double deviation(const struct sample *sample, const struct model *model)
{
	double sum = 0, squares = 0;
	int n = 0;
	for (size_t i = 0; i < sample->host.n_pcpus; i++) {
		if (!sample->host.pcpus[i].online || !vf64_has(model->pcpus[i].demand_pct))
			continue;
		sum += model->pcpus[i].demand_pct.v;
		squares += model->pcpus[i].demand_pct.v * model->pcpus[i].demand_pct.v;
		n++;
	}
	return n ? sqrt(fmax(0, squares / n - sum / n * (sum / n))) : 0;
}

static void count_actions(
	struct trace *trace, struct backend *backend, const struct sample *sample, struct plan *plan)
{
	struct decision decision;
	plan_reset(plan);
	if (backend->ops->replay->played(backend, sample, &decision, plan) < 0)
		return;
	for (size_t i = 0; i < plan->n; i++) {
		bool done = plan->actions[i].outcome == OUTCOME_DONE;
		trace->facts.pins += done && plan->actions[i].kind == ACTION_PIN;
		trace->facts.balloons += done && plan->actions[i].kind == ACTION_BALLOON;
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
static int add_tick(struct trace *trace, struct backend *backend, struct reading *reading, double limit_pct,
	struct err *err)
{
	if (reading->ticks && reading->s.time_ns <= reading->m.time_ns)
		return 0;
	if (model_update(&reading->m, &reading->s, err) < 0)
		return -1;
	if (reading->ticks == 0)
		reading->first_ns = reading->s.time_ns;
	size_t at = reading->ticks ? reading->ticks - 1 : 0;
	if (reading->ticks++ < trace->n)
		trace->at_ns[reading->ticks - 1] = reading->s.time_ns - reading->first_ns;
	if (at >= trace->n && trace->n)
		return 0; /* it grew since the first pass */
	count_actions(trace, backend, &reading->s, &reading->p);
	add_host(trace, &reading->s, at);
	if (add_vms(trace, &reading->s, &reading->m, at) < 0 ||
		add_pcpus(trace, &reading->s, &reading->m, at) < 0)
		return err_set(err, ERR_NOMEM,
			"out of memory for so many vCPUs and ticks: --record-keep makes shorter recordings");
	trace->facts.seconds = (double)(reading->s.time_ns - reading->first_ns) / 1e9;
	if (reading->ticks > 1) {
		trace->facts.final_pct = deviation(&reading->s, &reading->m);
		reading->sum_pct += trace->facts.final_pct;
		settle_feed(&reading->settle, trace->facts.seconds, trace->facts.final_pct <= limit_pct);
	}
	return 0;
}

static int read_all(struct trace *trace, const struct config *cfg, double limit_pct, struct err *err)
{
	struct err end = ERR_INIT;
	struct reading reading = {.settle = {-1, -1}};
	struct backend *backend = open_batch(cfg, err);
	if (!backend || model_init(&reading.m, cfg, err) < 0) {
		if (backend)
			backend->ops->close(backend);
		return -1;
	}
	struct backend_status status;
	backend->ops->status(backend, &status);
	snprintf(trace->facts.uri, sizeof trace->facts.uri, "%s", status.uri);
	sample_init(&reading.s);
	plan_init(&reading.p);
	int rc = 0;
	while (rc == 0 && backend->ops->wait(backend, 0, -1) != WAKE_END &&
		backend->ops->sample(backend, 0, &reading.s, &end) == 0)
		rc = add_tick(trace, backend, &reading, limit_pct, err);
	trace->facts.ticks = reading.ticks;
	trace->facts.mean_pct = reading.ticks > 1 ? reading.sum_pct / (double)(reading.ticks - 1) : 0;
	trace->facts.balanced_s = reading.settle.found_s;
	sample_done(&reading.s);
	plan_done(&reading.p);
	model_done(&reading.m);
	backend->ops->close(backend);
	return rc;
}

/* A gap in a guest's statistics keeps what was known before it; before the first ones, the first. */
static void fill_gaps(struct trace *trace)
{
	for (size_t i = 0; i < trace->n_vms; i++) {
		struct trace_vm *vm = &trace->vms[i];
		double half =
			vi64_has(vm->first.mem.balloon_kib) ? (double)vm->first.mem.balloon_kib.v / 2 : 0;
		float last = -1;
		for (size_t k = 0; k < trace->n && last < 0; k++)
			last = vm->used_kib[k];
		trace->facts.has_memory |= last >= 0;
		if (last < 0)
			last = (float)half;
		for (size_t k = 0; k <= trace->n; k++)
			last = vm->used_kib[k] = vm->used_kib[k] < 0 ? last : vm->used_kib[k];
		if (vm->base_kib < 0)
			vm->base_kib = half;
	}
}

static int lay_out(struct trace *trace)
{
	for (size_t i = 0; i < trace->n_vms; i++) {
		struct trace_vm *vm = &trace->vms[i];
		vm->vcpus = calloc((size_t)(vm->top_vcpu + 2), sizeof *vm->vcpus);
		if (!vm->vcpus)
			return -1;
		vm->is = (struct scn_vm_trace){vm->present, vm->used_kib, vm->vcpus};
	}
	return 0;
}

struct trace *trace_read(const struct config *cfg, double limit_pct, struct err *err)
{
	size_t ticks = 0;
	if (count_ticks(cfg, &ticks, err) < 0)
		return NULL;
	if (ticks < 3) {
		err_set(err, ERR_RUNTIME, "%.200s is too short: %zu tick%s, and at least three are needed",
			cfg->replay, ticks, text_s(ticks));
		return NULL;
	}
	struct trace *trace = calloc(1, sizeof *trace);
	if (trace) {
		trace->n = ticks - 1;
		trace->at_ns = calloc(ticks, sizeof *trace->at_ns);
		trace->host_kib = calloc(ticks, sizeof *trace->host_kib);
	}
	if (!trace || !trace->at_ns || !trace->host_kib || read_all(trace, cfg, limit_pct, err) < 0 ||
		trace_runs(trace, cfg->replay, err) < 0 || lay_out(trace) < 0) {
		if (!err->msg[0])
			err_set(err, ERR_NOMEM, "out of memory");
		trace_free(trace);
		return NULL;
	}
	fill_gaps(trace);
	snprintf(trace->facts.host, sizeof trace->facts.host, "%s", trace->host.hostname);
	trace->facts.vms = trace->n_vms;
	trace->facts.vcpus = trace->n_vcpus;
	trace->facts.pcpus = trace->n_pcpus;
	return trace;
}

void trace_free(struct trace *trace)
{
	if (!trace)
		return;
	for (size_t i = 0; i < trace->n_vms; i++) {
		free(trace->vms[i].present);
		free(trace->vms[i].used_kib);
		free(trace->vms[i].vcpus);
	}
	for (size_t i = 0; i < trace->n_vcpus; i++)
		free(trace->vcpus[i].want);
	for (size_t i = 0; i < trace->n_pcpus; i++)
		free(trace->pcpus[i].background);
	free(trace->vms);
	free(trace->vcpus);
	free(trace->pcpus);
	free(trace->at_ns);
	free(trace->host_kib);
	free(trace);
}

const struct trace_facts *trace_facts(const struct trace *trace)
{
	return &trace->facts;
}
