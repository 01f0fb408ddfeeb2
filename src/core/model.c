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

static bool past_grow(struct past *p, const struct sample *s)
{
	return array_grow(&p->vms, &p->cap_vms, s->n_vms, sizeof *p->vms) &&
	       array_grow(&p->vcpus, &p->cap_vcpus, s->n_vcpus, sizeof *p->vcpus) &&
	       array_grow(&p->pcpus, &p->cap_pcpus, s->host.n_pcpus, sizeof *p->pcpus);
}

static bool model_grow(struct model *m, const struct sample *s)
{
	struct model_state *st = m->state;
	return past_grow(&st->past[!st->last], s) &&
	       array_grow(&st->vcpu_slots.free, &st->vcpu_slots.cap, st->vcpu_slots.n + s->n_vcpus,
		       sizeof(uint32_t)) &&
	       array_grow(
		       &st->vm_slots.free, &st->vm_slots.cap, st->vm_slots.n + s->n_vms, sizeof(uint32_t)) &&
	       array_grow(&m->vcpus, &st->cap_vcpus, s->n_vcpus, sizeof *m->vcpus) &&
	       array_grow(&m->vms, &st->cap_vms, s->n_vms, sizeof *m->vms) &&
	       array_grow(&m->pcpus, &st->cap_pcpus, s->host.n_pcpus, sizeof *m->pcpus);
}

int model_init(struct model *m, const struct config *cfg, struct err *e)
{
	memset(m, 0, sizeof *m);
	m->state = calloc(1, sizeof *m->state);
	if (!m->state)
		return err_set(e, ERR_NOMEM, "out of memory");
	model_tune(m, cfg);
	return 0;
}

void model_tune(struct model *m, const struct config *cfg)
{
	m->state->smooth_s = cfg->demand_ewma_s;
}

void model_done(struct model *m)
{
	struct model_state *st = m->state;
	for (int i = 0; st && i < 2; i++) {
		free(st->past[i].vms);
		free(st->past[i].vcpus);
		free(st->past[i].pcpus);
	}
	if (st) {
		free(st->vcpu_slots.free);
		free(st->vm_slots.free);
	}
	free(st);
	free(m->vcpus);
	free(m->vms);
	free(m->pcpus);
	memset(m, 0, sizeof *m);
}

void model_forget(struct model *m)
{
	struct model_state *st = m->state;
	struct past *p = &st->past[st->last];
	p->n_vms = p->n_vcpus = p->n_pcpus = 0;
	st->vcpu_slots.n_free = st->vcpu_slots.n = st->vm_slots.n_free = st->vm_slots.n = 0;
	st->has_base[NEW_BASE] = st->has_base[OLD_BASE] = false;
	m->samples = 0;
	m->time_ns = 0;
	m->elapsed_s = m->window_s = 0;
	m->n_vcpus = m->n_vms = m->n_pcpus = m->n_slots = m->n_vm_slots = 0;
	m->busy_pct = m->load_stddev_pct = vf64_absent(AVAIL_FIRST);
}

/* --- rates -------------------------------------------------------------------------------------------- */

struct vf64 model_growth(struct vi64 now, const struct vi64 base[BASES], const struct window *w)
{
	if (!vi64_has(now))
		return vf64_absent(now.avail);
	if (w->s <= 0 || !vi64_has(base[w->base]))
		return vf64_absent(base[NEW_BASE].avail == AVAIL_RESET ? AVAIL_RESET : AVAIL_FIRST);
	if (now.v < base[w->base].v)
		return vf64_absent(AVAIL_RESET);
	return vf64_ok((double)(now.v - base[w->base].v));
}

void model_remember(struct vi64 base[BASES], struct vi64 now, const struct window *w)
{
	if (!w->advance)
		return;
	base[OLD_BASE] = base[NEW_BASE];
	base[NEW_BASE] = now;
	if (vi64_has(now) && vi64_has(base[OLD_BASE]) && now.v < base[OLD_BASE].v)
		base[OLD_BASE] = vi64_absent(AVAIL_RESET);
}

static struct vf64 percent(struct vf64 ns, const struct window *w)
{
	if (vf64_has(ns))
		ns.v = fmin(100, ns.v / w->s / 1e7);
	return ns;
}

static bool vm_runs(const struct vm_sample *vm)
{
	return vm->state == VM_NOSTATE || vm->state == VM_RUNNING || vm->state == VM_BLOCKED ||
	       vm->state == VM_SHUTDOWN;
}

static struct vf64 demand_of(struct vcpu_past *p, const struct vcpu_rate *r, const struct vm_sample *vm,
	const struct window *w, double smooth_s)
{
	if (!vm_runs(vm)) {
		demand_reset(&p->demand);
		return vf64_absent(AVAIL_PAUSED);
	}
	if (!vf64_has(r->usage_pct))
		return vf64_absent(r->usage_pct.avail);
	struct demand_reading reading = {
		.window_s = w->s,
		.ran_pct = r->usage_pct.v,
		.wait_pct = vf64_or(r->wait_pct, -1),
		.cap_pct = vf64_or(vm->quota_pct, 100),
	};
	/* Windows that overlap would count the same time twice. */
	if (w->advance || !p->demand.known)
		demand_update(&p->demand, &reading, smooth_s);
	return vf64_ok(p->demand.smooth_pct);
}

static enum avail vcpu_silent(const struct vm_sample *vm, const struct vcpu_sample *v)
{
	if (vm->hung_since_ns)
		return AVAIL_HUNG;
	return v->online ? AVAIL_OK : AVAIL_OFFLINE;
}

static void vcpu_rates(struct vcpu_past *p, struct vcpu_rate *r, const struct vm_sample *vm,
	const struct vcpu_sample *v, const struct window *w, double smooth_s)
{
	enum avail silent = vcpu_silent(vm, v);
	struct vi64 time = silent == AVAIL_OK ? v->time_ns : vi64_absent(silent);
	struct vi64 delay = silent == AVAIL_OK ? v->delay_ns : vi64_absent(silent);
	r->usage_pct = percent(model_growth(time, p->time, w), w);
	r->wait_pct = percent(model_growth(delay, p->delay, w), w);
	if (r->usage_pct.avail == AVAIL_RESET) {
		r->wait_pct = r->usage_pct;
		demand_reset(&p->demand);
	}
	r->demand_pct = demand_of(p, r, vm, w, smooth_s);
	r->capped = false;
	r->scatter_pct = p->demand.scatter_pct;
	r->slot = p->slot;
	r->birth = p->birth;
	model_remember(p->time, time, w);
	model_remember(p->delay, delay, w);
}

static void vm_counter_rates(
	struct vm_past *p, struct vm_rate *r, const struct vm_sample *vm, const struct window *w)
{
	for (size_t i = 0; i < VM_COUNTERS_N; i++) {
		const struct vi64 *now =
			(const struct vi64 *)(const void *)((const char *)vm + vm_counters[i].from);
		struct vf64 *rate = (struct vf64 *)(void *)((char *)r + vm_counters[i].to);
		*rate = model_growth(*now, p->counter[i], w);
		if (vf64_has(*rate))
			rate->v /= w->s;
		model_remember(p->counter[i], *now, w);
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

static struct window window_of(const struct model_state *st, const struct sample *s)
{
	if (!st->has_base[NEW_BASE])
		return (struct window){0, NEW_BASE, true};
	double since = (double)(s->time_ns - st->base_ns[NEW_BASE]) / 1e9;
	if (since >= fmax(min_window_s, MIN_READINGS * (double)s->took_ns / 1e9))
		return (struct window){since, NEW_BASE, true};
	if (!st->has_base[OLD_BASE])
		return (struct window){0, NEW_BASE, false};
	return (struct window){(double)(s->time_ns - st->base_ns[OLD_BASE]) / 1e9, OLD_BASE, false};
}

static void vm_rates(struct model *m, struct past *now, const struct sample *s, size_t i,
	const struct cpuset *online, const struct window *w)
{
	const struct vm_sample *vm = &s->vms[i];
	struct vm_past *p = &now->vms[i];
	struct vm_rate *r = &m->vms[i];
	*r = (struct vm_rate){.first_seen_ns = p->first_seen_ns, .slot = p->slot, .birth = p->birth};
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++) {
		struct vcpu_rate *vr = &m->vcpus[k];
		vcpu_rates(&now->vcpus[k], vr, vm, &s->vcpus[k], w, m->state->smooth_s);
		vr->target = s->vcpus[k].allowed;
		cpuset_and(&vr->target, online);
		add_present(&r->cpu_pct, vr->usage_pct);
		add_present(&r->wait_pct, vr->wait_pct);
		add_present(&r->demand_pct, vr->demand_pct);
	}
	vm_counter_rates(p, r, vm, w);
	guest_rates(&p->guest, r, &vm->mem, s->time_ns, s->wall_ns);
}

static bool same_group(const struct vm_sample *a, const struct vm_sample *b)
{
	return a == b || (a->quota_group && a->quota_group == b->quota_group);
}

static void cap_vm(struct model *m, const struct vm_sample *vm, size_t i, double by)
{
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++) {
		m->vcpus[k].demand_pct.v *= by;
		m->vcpus[k].capped = true;
	}
	m->vms[i].demand_pct.v *= by;
}

/* Those from VM i on that share its cap want no more than that, however long their vCPUs wait for it. */
static void cap_group(struct model *m, const struct sample *s, size_t i)
{
	double wants = 0, ran = 0, most = s->vms[i].group_quota_pct.v;
	for (size_t j = i; j < s->n_vms; j++) {
		if (!same_group(&s->vms[j], &s->vms[i]))
			continue;
		wants += vf64_or(m->vms[j].demand_pct, 0);
		ran += vf64_or(m->vms[j].cpu_pct, 0);
	}
	if (wants <= most && ran < .9 * most)
		return;
	for (size_t j = i; j < s->n_vms; j++)
		if (same_group(&s->vms[j], &s->vms[i]))
			cap_vm(m, &s->vms[j], j, wants > most ? most / wants : 1);
}

static void cap_groups(struct model *m, const struct sample *s)
{
	for (size_t i = 0; i < s->n_vms; i++) {
		size_t first = 0;
		if (!vf64_has(s->vms[i].group_quota_pct))
			continue;
		while (!same_group(&s->vms[first], &s->vms[i]))
			first++;
		if (first == i)
			cap_group(m, s, i);
	}
}

/* Which pCPU each vCPU counts to, and what it is remembered for. */
static void tally_vcpus(const struct model *m, struct past *now, const struct sample *s, struct tally *t)
{
	for (size_t i = 0; i < s->n_vms; i++)
		for (size_t k = s->vms[i].first_vcpu; k < s->vms[i].first_vcpu + s->vms[i].n_vcpus; k++) {
			model_tally_vcpu(t, &s->vcpus[k], &m->vcpus[k], now->vcpus[k].pcpu);
			now->vcpus[k].pcpu = model_vcpu_pcpu(&s->vcpus[k]);
		}
}

/* A sample that named a VM twice has vCPUs that belong to none: they have no rates. */
static void vcpus_without_vm(struct model *m, const struct sample *s)
{
	size_t owned = 0;
	for (size_t i = 0; i < s->n_vms; i++)
		owned += s->vms[i].n_vcpus;
	if (owned != s->n_vcpus)
		memset(m->vcpus, 0, s->n_vcpus * sizeof *m->vcpus);
}

static void base_advance(struct model_state *st, const struct sample *s, const struct window *w)
{
	if (!w->advance)
		return;
	st->base_ns[OLD_BASE] = st->base_ns[NEW_BASE];
	st->has_base[OLD_BASE] = st->has_base[NEW_BASE];
	st->base_ns[NEW_BASE] = s->time_ns;
	st->has_base[NEW_BASE] = true;
}

int model_update(struct model *m, const struct sample *s, struct err *e)
{
	struct model_state *st = m->state;
	if (m->samples && s->time_ns <= m->time_ns)
		return err_set(e, ERR_RUNTIME, "the sample is not later than the one before it");
	if (!model_grow(m, s))
		return err_set(e, ERR_NOMEM, "out of memory");
	struct past *old = &st->past[st->last], *now = &st->past[!st->last];
	struct window w = window_of(st, s);
	struct tally t = {0};
	struct cpuset online;
	sample_online(s, &online);
	vcpus_without_vm(m, s);
	model_join_vms(st, old, now, s);
	model_join_pcpus(old, now, s);
	m->n_vms = s->n_vms;
	m->n_vcpus = s->n_vcpus;
	m->n_pcpus = s->host.n_pcpus;
	for (size_t i = 0; i < s->n_vms; i++)
		vm_rates(m, now, s, i, &online, &w);
	cap_groups(m, s);
	tally_vcpus(m, now, s, &t);
	model_pcpu_rates(m, now, s, &t, &w);
	model_host_rates(m, &w);
	m->elapsed_s = m->samples ? (double)(s->time_ns - m->time_ns) / 1e9 : 0;
	m->window_s = w.s;
	m->time_ns = s->time_ns;
	m->samples++;
	m->n_slots = st->vcpu_slots.n;
	m->n_vm_slots = st->vm_slots.n;
	base_advance(st, s, &w);
	st->last = !st->last;
	return 0;
}
