/* SPDX-License-Identifier: MIT */
/* Rates from two readings, and who is who over time. Invariants: an object keeps its slot while it lives, a
 * reused slot has another birth; after a failed update everything is as before; nothing is allocated unless
 * something was added. Must not know: policies, libvirt, clocks other than those in the sample.
 *
 * Two readings are kept. The newer one is the base of the next rates; when the next sample comes too soon
 * after it (somebody pressed a key), rates reach back to the older one instead, and the base stays. */
#include "vmtop/model.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "model_priv.h"
#include "vmtop/array.h"
#include "vmtop/config.h"
#include "vmtop/err.h"

static const double min_window_s = 0.5; /* vcpu.N.time advances in 10 ms steps: 2 % of this */
enum { MIN_READINGS = 4 };              /* a window lasts at least so many readings */

/* Counters of a VM that become rates per second: its field in the sample, its field in the model. */
#define VM_COUNTERS(X)                                                                                       \
	X(mem.swap_in_kib, swap_in_kib_s)                                                                    \
	X(mem.swap_out_kib, swap_out_kib_s)                                                                  \
	X(io.rd_reqs, rd_reqs_s)                                                                             \
	X(io.wr_reqs, wr_reqs_s)                                                                             \
	X(io.rd_bytes, rd_bytes_s)                                                                           \
	X(io.wr_bytes, wr_bytes_s)                                                                           \
	X(io.rx_bytes, rx_bytes_s)                                                                           \
	X(io.tx_bytes, tx_bytes_s)                                                                           \
	X(io.rx_pkts, rx_pkts_s)                                                                             \
	X(io.tx_pkts, tx_pkts_s)                                                                             \
	X(facts.helper_ns, helper_ns_s)                                                                      \
	X(facts.helper_delay_ns, helper_delay_ns_s)                                                          \
	X(facts.throttled_ns, throttled_ns_s)                                                                \
	X(facts.polled_ns, polled_ns_s)                                                                      \
	X(facts.disk_ns, disk_ns_s)                                                                          \
	X(facts.exits, exits_s)                                                                              \
	X(facts.disk_reqs, disk_reqs_s)

static const struct {
	size_t from, to;
} vm_counters[] = {
#define ROW(from, to) {offsetof(struct vm_sample, from), offsetof(struct vm_rate, to)},
	VM_COUNTERS(ROW)
#undef ROW
};
_Static_assert(sizeof vm_counters / sizeof *vm_counters == VM_COUNTERS_N, "each has a past");

/* --- memory ------------------------------------------------------------------------------------------- */

static bool past_grow(struct past *past, const struct sample *sample)
{
	return array_grow(&past->vms, &past->cap_vms, sample->n_vms, sizeof *past->vms) &&
	       array_grow(&past->vcpus, &past->cap_vcpus, sample->n_vcpus, sizeof *past->vcpus) &&
	       array_grow(&past->pcpus, &past->cap_pcpus, sample->host.n_pcpus, sizeof *past->pcpus);
}

static bool model_grow(struct model *model, const struct sample *sample)
{
	struct model_state *state = model->state;
	return past_grow(&state->past[!state->last], sample) &&
	       array_grow(&state->vcpu_slots.free, &state->vcpu_slots.cap,
		       state->vcpu_slots.n + sample->n_vcpus, sizeof(uint32_t)) &&
	       array_grow(&state->vm_slots.free, &state->vm_slots.cap, state->vm_slots.n + sample->n_vms,
		       sizeof(uint32_t)) &&
	       array_grow(&model->vcpus, &state->cap_vcpus, sample->n_vcpus, sizeof *model->vcpus) &&
	       array_grow(&model->vms, &state->cap_vms, sample->n_vms, sizeof *model->vms) &&
	       array_grow(&model->pcpus, &state->cap_pcpus, sample->host.n_pcpus, sizeof *model->pcpus);
}

int model_init(struct model *model, const struct config *cfg, struct err *err)
{
	memset(model, 0, sizeof *model);
	model->state = calloc(1, sizeof *model->state);
	if (!model->state)
		return err_set(err, ERR_NOMEM, "out of memory");
	model_tune(model, cfg);
	return 0;
}

void model_tune(struct model *model, const struct config *cfg)
{
	model->state->smooth_s = cfg->demand_ewma_s;
}

void model_done(struct model *model)
{
	struct model_state *state = model->state;
	for (int i = 0; state && i < 2; i++) {
		free(state->past[i].vms);
		free(state->past[i].vcpus);
		free(state->past[i].pcpus);
	}
	if (state) {
		free(state->vcpu_slots.free);
		free(state->vm_slots.free);
	}
	free(state);
	free(model->vcpus);
	free(model->vms);
	free(model->pcpus);
	memset(model, 0, sizeof *model);
}

void model_forget(struct model *model)
{
	struct model_state *state = model->state;
	struct past *past = &state->past[state->last];
	past->n_vms = past->n_vcpus = past->n_pcpus = 0;
	state->vcpu_slots.n_free = state->vcpu_slots.n = state->vm_slots.n_free = state->vm_slots.n = 0;
	state->has_base[NEW_BASE] = state->has_base[OLD_BASE] = false;
	model->samples = 0;
	model->time_ns = 0;
	model->elapsed_s = model->window_s = 0;
	model->n_vcpus = model->n_vms = model->n_pcpus = model->n_slots = model->n_vm_slots = 0;
	model->busy_pct = model->load_stddev_pct = vf64_absent(AVAIL_FIRST);
}

/* --- rates -------------------------------------------------------------------------------------------- */

struct vf64 model_growth(struct vi64 now, const struct vi64 base[BASES], const struct window *window)
{
	if (!vi64_has(now))
		return vf64_absent(now.avail);
	if (window->s <= 0 || !vi64_has(base[window->base]))
		return vf64_absent(base[NEW_BASE].avail == AVAIL_RESET ? AVAIL_RESET : AVAIL_FIRST);
	if (now.v < base[window->base].v)
		return vf64_absent(AVAIL_RESET);
	return vf64_ok((double)(now.v - base[window->base].v));
}

void model_remember(struct vi64 base[BASES], struct vi64 now, const struct window *window)
{
	if (!window->advance)
		return;
	base[OLD_BASE] = base[NEW_BASE];
	base[NEW_BASE] = now;
	if (vi64_has(now) && vi64_has(base[OLD_BASE]) && now.v < base[OLD_BASE].v)
		base[OLD_BASE] = vi64_absent(AVAIL_RESET);
}

static struct vf64 percent(struct vf64 ns, const struct window *window)
{
	if (vf64_has(ns))
		ns.v = fmin(100, ns.v / window->s / 1e7);
	return ns;
}

static bool vm_runs(const struct vm_sample *vm)
{
	return vm->state == VM_NOSTATE || vm->state == VM_RUNNING || vm->state == VM_BLOCKED ||
	       vm->state == VM_SHUTDOWN;
}

static struct vf64 demand_of(struct vcpu_past *past, const struct vcpu_rate *rate, const struct vm_sample *vm,
	const struct window *window, double smooth_s)
{
	if (!vm_runs(vm)) {
		demand_reset(&past->demand);
		return vf64_absent(AVAIL_PAUSED);
	}
	if (!vf64_has(rate->usage_pct))
		return vf64_absent(rate->usage_pct.avail);
	struct demand_reading reading = {
		.window_s = window->s,
		.ran_pct = rate->usage_pct.v,
		.wait_pct = vf64_or(rate->wait_pct, -1),
		.cap_pct = vf64_or(vm->quota_pct, 100),
	};
	/* Windows that overlap would count the same time twice. */
	if (window->advance || !past->demand.known)
		demand_update(&past->demand, &reading, smooth_s);
	return vf64_ok(past->demand.smooth_pct);
}

static enum avail vcpu_silent(const struct vm_sample *vm, const struct vcpu_sample *vcpu)
{
	if (vm->hung_since_ns)
		return AVAIL_HUNG;
	return vcpu->online ? AVAIL_OK : AVAIL_OFFLINE;
}

static void vcpu_rates(struct vcpu_past *past, struct vcpu_rate *rate, const struct vm_sample *vm,
	const struct vcpu_sample *vcpu, const struct window *window, double smooth_s)
{
	enum avail silent = vcpu_silent(vm, vcpu);
	struct vi64 time = silent == AVAIL_OK ? vcpu->time_ns : vi64_absent(silent);
	struct vi64 delay = silent == AVAIL_OK ? vcpu->delay_ns : vi64_absent(silent);
	rate->usage_pct = percent(model_growth(time, past->time, window), window);
	rate->wait_pct = percent(model_growth(delay, past->delay, window), window);
	if (rate->usage_pct.avail == AVAIL_RESET) {
		rate->wait_pct = rate->usage_pct;
		demand_reset(&past->demand);
	}
	rate->demand_pct = demand_of(past, rate, vm, window, smooth_s);
	rate->capped = false;
	rate->scatter_pct = past->demand.scatter_pct;
	rate->slot = past->slot;
	rate->birth = past->birth;
	model_remember(past->time, time, window);
	model_remember(past->delay, delay, window);
}

static void vm_counter_rates(
	struct vm_past *past, struct vm_rate *r, const struct vm_sample *vm, const struct window *window)
{
	for (size_t i = 0; i < VM_COUNTERS_N; i++) {
		const struct vi64 *now =
			(const struct vi64 *)(const void *)((const char *)vm + vm_counters[i].from);
		struct vf64 *rate = (struct vf64 *)(void *)((char *)r + vm_counters[i].to);
		*rate = model_growth(*now, past->counter[i], window);
		if (vf64_has(*rate))
			rate->v /= window->s;
		model_remember(past->counter[i], *now, window);
	}
}

/* Sum of those that are there; when there is none, the reason of the last. */
static void add_present(struct vf64 *sum, struct vf64 x)
{
	if (vf64_has(x))
		*sum = vf64_ok((vf64_has(*sum) ? sum->v : 0) + x.v);
	else if (!vf64_has(*sum))
		*sum = x;
}

/* --- update ------------------------------------------------------------------------------------------- */

static struct window window_of(const struct model_state *state, const struct sample *sample)
{
	if (!state->has_base[NEW_BASE])
		return (struct window){0, NEW_BASE, true};
	double since = (double)(sample->time_ns - state->base_ns[NEW_BASE]) / 1e9;
	if (since >= fmax(min_window_s, MIN_READINGS * (double)sample->took_ns / 1e9))
		return (struct window){since, NEW_BASE, true};
	if (!state->has_base[OLD_BASE])
		return (struct window){0, NEW_BASE, false};
	return (struct window){(double)(sample->time_ns - state->base_ns[OLD_BASE]) / 1e9, OLD_BASE, false};
}

static void vm_rates(struct model *model, struct past *now, const struct sample *sample, size_t i,
	const struct cpuset *online, const struct window *window)
{
	const struct vm_sample *vm = &sample->vms[i];
	struct vm_past *past = &now->vms[i];
	struct vm_rate *r = &model->vms[i];
	*r = (struct vm_rate){.first_seen_ns = past->first_seen_ns, .slot = past->slot, .birth = past->birth};
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++) {
		struct vcpu_rate *vr = &model->vcpus[k];
		vcpu_rates(&now->vcpus[k], vr, vm, &sample->vcpus[k], window, model->state->smooth_s);
		vr->target = sample->vcpus[k].allowed;
		cpuset_and(&vr->target, online);
		add_present(&r->cpu_pct, vr->usage_pct);
		add_present(&r->wait_pct, vr->wait_pct);
		add_present(&r->demand_pct, vr->demand_pct);
	}
	vm_counter_rates(past, r, vm, window);
	guest_rates(&past->guest, r, &vm->mem, sample->time_ns, sample->wall_ns);
}

static bool same_group(const struct vm_sample *a, const struct vm_sample *b)
{
	return a == b || (a->quota_group && a->quota_group == b->quota_group);
}

static void cap_vm(struct model *model, const struct vm_sample *vm, size_t i, double by)
{
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++) {
		model->vcpus[k].demand_pct.v *= by;
		model->vcpus[k].capped = true;
	}
	model->vms[i].demand_pct.v *= by;
}

/* Those from VM i on that share its cap want no more than that, however long their vCPUs wait for it. */
static void cap_group(struct model *model, const struct sample *sample, size_t i)
{
	double wants = 0, ran = 0, most = sample->vms[i].group_quota_pct.v;
	for (size_t j = i; j < sample->n_vms; j++) {
		if (!same_group(&sample->vms[j], &sample->vms[i]))
			continue;
		wants += vf64_or(model->vms[j].demand_pct, 0);
		ran += vf64_or(model->vms[j].cpu_pct, 0);
	}
	if (wants <= most && ran < .9 * most)
		return;
	for (size_t j = i; j < sample->n_vms; j++)
		if (same_group(&sample->vms[j], &sample->vms[i]))
			cap_vm(model, &sample->vms[j], j, wants > most ? most / wants : 1);
}

static void cap_groups(struct model *model, const struct sample *sample)
{
	for (size_t i = 0; i < sample->n_vms; i++) {
		size_t first = 0;
		if (!vf64_has(sample->vms[i].group_quota_pct))
			continue;
		while (!same_group(&sample->vms[first], &sample->vms[i]))
			first++;
		if (first == i)
			cap_group(model, sample, i);
	}
}

/* Which pCPU each vCPU counts to, and what it is remembered for. */
static void tally_vcpus(
	const struct model *model, struct past *now, const struct sample *sample, struct tally *tally)
{
	for (size_t i = 0; i < sample->n_vms; i++)
		for (size_t k = sample->vms[i].first_vcpu;
			k < sample->vms[i].first_vcpu + sample->vms[i].n_vcpus; k++) {
			model_tally_vcpu(tally, &sample->vcpus[k], &model->vcpus[k], now->vcpus[k].pcpu);
			now->vcpus[k].pcpu = model_vcpu_pcpu(&sample->vcpus[k]);
		}
}

/* A sample that named a VM twice has vCPUs that belong to none: they have no rates. */
static void vcpus_without_vm(struct model *model, const struct sample *sample)
{
	size_t owned = 0;
	for (size_t i = 0; i < sample->n_vms; i++)
		owned += sample->vms[i].n_vcpus;
	if (owned != sample->n_vcpus)
		memset(model->vcpus, 0, sample->n_vcpus * sizeof *model->vcpus);
}

static void base_advance(struct model_state *state, const struct sample *sample, const struct window *window)
{
	if (!window->advance)
		return;
	state->base_ns[OLD_BASE] = state->base_ns[NEW_BASE];
	state->has_base[OLD_BASE] = state->has_base[NEW_BASE];
	state->base_ns[NEW_BASE] = sample->time_ns;
	state->has_base[NEW_BASE] = true;
}

int model_update(struct model *model, const struct sample *sample, struct err *err)
{
	struct model_state *state = model->state;
	if (model->samples && sample->time_ns <= model->time_ns)
		return err_set(err, ERR_RUNTIME, "the sample is not later than the one before it");
	if (!model_grow(model, sample))
		return err_set(err, ERR_NOMEM, "out of memory");
	struct past *old = &state->past[state->last], *now = &state->past[!state->last];
	struct window window = window_of(state, sample);
	struct tally tally = {0};
	struct cpuset online;
	sample_online(sample, &online);
	vcpus_without_vm(model, sample);
	model_join_vms(state, old, now, sample);
	model_join_pcpus(old, now, sample);
	model->n_vms = sample->n_vms;
	model->n_vcpus = sample->n_vcpus;
	model->n_pcpus = sample->host.n_pcpus;
	for (size_t i = 0; i < sample->n_vms; i++)
		vm_rates(model, now, sample, i, &online, &window);
	cap_groups(model, sample);
	tally_vcpus(model, now, sample, &tally);
	model_pcpu_rates(model, now, sample, &tally, &window);
	model_host_rates(model, &window);
	model->elapsed_s = model->samples ? (double)(sample->time_ns - model->time_ns) / 1e9 : 0;
	model->window_s = window.s;
	model->time_ns = sample->time_ns;
	model->samples++;
	model->n_slots = state->vcpu_slots.n;
	model->n_vm_slots = state->vm_slots.n;
	base_advance(state, sample, &window);
	state->last = !state->last;
	return 0;
}
