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

#include "array.h"
#include "model_guest.h"
#include "vmtop/config.h"
#include "vmtop/demand.h"
#include "vmtop/err.h"

static const double min_window_s = 0.5; /* vcpu.N.time advances in 10 ms steps: 2 % of this */
enum { MIN_READINGS = 4 };              /* a window lasts at least so many readings */

enum { NEW_BASE, OLD_BASE, BASES };

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
	X(io.tx_pkts, tx_pkts_s)

static const struct {
	size_t from, to;
} vm_counters[] = {
#define ROW(from, to) {offsetof(struct vm_sample, from), offsetof(struct vm_rate, to)},
	VM_COUNTERS(ROW)
#undef ROW
};
enum { N_VM_COUNTERS = sizeof vm_counters / sizeof *vm_counters };

struct vcpu_past {
	int id;
	uint32_t slot, birth;
	int pcpu; /* it counted there last; -1 unknown */
	struct vi64 time[BASES], delay[BASES];
	struct demand demand;
};
struct vm_past {
	uint8_t uuid[UUID_BYTES];
	int id;
	uint32_t slot, birth;
	int64_t first_seen_ns;
	size_t first_vcpu, n_vcpus;
	struct vi64 cpu_time;
	struct vi64 counter[N_VM_COUNTERS][BASES];
	struct guest_past guest;
};
struct pcpu_past {
	int id;
	struct vi64 busy[BASES], idle[BASES];
	struct vf64 background_pct; /* smoothed */
};

struct past {
	struct vm_past *vms;
	struct vcpu_past *vcpus;
	struct pcpu_past *pcpus;
	size_t n_vms, n_vcpus, n_pcpus;
	size_t cap_vms, cap_vcpus, cap_pcpus;
};

/* Numbers given out and taken back; the free ones are a stack. */
struct slots {
	uint32_t *free;
	size_t n_free, cap, n;
};

struct model_state {
	struct past past[2]; /* of the last sample, and being built */
	int last;
	int64_t base_ns[BASES];
	bool has_base[BASES];
	struct slots vcpu_slots, vm_slots;
	uint32_t births;
	double smooth_s;
	size_t cap_vcpus, cap_vms, cap_pcpus; /* of the arrays in struct model */
};

/* From which readings the rates of this sample come. */
struct window {
	double s;     /* 0: no rates */
	int base;     /* index of the base that it starts at */
	bool advance; /* this sample becomes the new base */
};

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

static uint32_t slot_take(struct slots *s)
{
	return s->n_free ? s->free[--s->n_free] : (uint32_t)s->n++;
}

static void slot_give(struct slots *s, uint32_t slot)
{
	s->free[s->n_free++] = slot;
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

/* Growth of a counter over the window; absent with the reason. */
static struct vf64 growth(struct vi64 now, const struct vi64 base[BASES], const struct window *w)
{
	if (!vi64_has(now))
		return vf64_absent(now.avail);
	if (w->s <= 0 || !vi64_has(base[w->base]))
		return vf64_absent(base[NEW_BASE].avail == AVAIL_RESET ? AVAIL_RESET : AVAIL_FIRST);
	if (now.v < base[w->base].v)
		return vf64_absent(AVAIL_RESET);
	return vf64_ok((double)(now.v - base[w->base].v));
}

static void remember(struct vi64 base[BASES], struct vi64 now, const struct window *w)
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
		.wait_pct = vf64_has(r->wait_pct) ? r->wait_pct.v : -1,
		.cap_pct = vf64_has(vm->quota_pct) ? vm->quota_pct.v : 100,
	};
	/* Windows that overlap would count the same time twice. */
	if (w->advance || !p->demand.known)
		demand_update(&p->demand, &reading, smooth_s);
	return vf64_ok(p->demand.smooth_pct);
}

static enum avail vcpu_silent(const struct vm_sample *vm, const struct vcpu_sample *v)
{
	return vm->hung_since_ns ? AVAIL_HUNG : !v->online ? AVAIL_OFFLINE : AVAIL_OK;
}

static void vcpu_rates(struct vcpu_past *p, struct vcpu_rate *r, const struct vm_sample *vm,
	const struct vcpu_sample *v, const struct window *w, double smooth_s)
{
	enum avail silent = vcpu_silent(vm, v);
	struct vi64 time = silent == AVAIL_OK ? v->time_ns : vi64_absent(silent);
	struct vi64 delay = silent == AVAIL_OK ? v->delay_ns : vi64_absent(silent);
	r->usage_pct = percent(growth(time, p->time, w), w);
	r->wait_pct = percent(growth(delay, p->delay, w), w);
	if (r->usage_pct.avail == AVAIL_RESET) {
		r->wait_pct = r->usage_pct;
		demand_reset(&p->demand);
	}
	r->demand_pct = demand_of(p, r, vm, w, smooth_s);
	r->scatter_pct = p->demand.scatter_pct;
	r->slot = p->slot;
	r->birth = p->birth;
	remember(p->time, time, w);
	remember(p->delay, delay, w);
	p->pcpu = model_vcpu_pcpu(v);
}

static void vm_counter_rates(
	struct vm_past *p, struct vm_rate *r, const struct vm_sample *vm, const struct window *w)
{
	for (size_t i = 0; i < N_VM_COUNTERS; i++) {
		const struct vi64 *now =
			(const struct vi64 *)(const void *)((const char *)vm + vm_counters[i].from);
		struct vf64 *rate = (struct vf64 *)(void *)((char *)r + vm_counters[i].to);
		*rate = growth(*now, p->counter[i], w);
		if (vf64_has(*rate))
			rate->v /= w->s;
		remember(p->counter[i], *now, w);
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

/* --- who is who --------------------------------------------------------------------------------------- */

/* A counter below its last reading, or another domain id: not the same run of the VM. */
static bool vm_restarted(const struct vm_past *p, const struct vm_sample *vm, const struct vcpu_past *old,
	const struct vcpu_sample *v)
{
	if (p->id >= 0 && vm->id >= 0 && p->id != vm->id)
		return true;
	if (vi64_has(p->cpu_time) && vi64_has(vm->cpu_time_ns) && vm->cpu_time_ns.v < p->cpu_time.v)
		return true;
	/* vCPU 0 cannot be unplugged: when its time goes back, all of them started again. */
	return p->n_vcpus && vm->n_vcpus && old->id == v->id && vi64_has(v->time_ns) &&
	       vi64_has(old->time[NEW_BASE]) && v->time_ns.v < old->time[NEW_BASE].v;
}

static bool same_vcpus(const struct vm_past *p, const struct vcpu_past *old, const struct vm_sample *vm,
	const struct vcpu_sample *v)
{
	if (p->n_vcpus != vm->n_vcpus)
		return false;
	for (size_t i = 0; i < vm->n_vcpus; i++)
		if (old[i].id != v[i].id)
			return false;
	return true;
}

static void vm_gone(struct model_state *st, const struct vm_past *p, const struct vcpu_past *vcpus)
{
	slot_give(&st->vm_slots, p->slot);
	for (size_t i = 0; i < p->n_vcpus; i++)
		slot_give(&st->vcpu_slots, vcpus[i].slot);
}

static struct vcpu_past vcpu_born(struct model_state *st, int id, enum avail why)
{
	struct vcpu_past p = {.id = id, .slot = UINT32_MAX, .birth = ++st->births, .pcpu = -1};
	p.time[NEW_BASE] = p.delay[NEW_BASE] = vi64_absent(why);
	return p;
}

/* Takes over what is known of the vCPUs of a VM that was there before. `plugged`: the set of vCPUs changed,
 * so the load is shared out anew and what each wanted says nothing. */
static void join_vcpus(struct model_state *st, const struct vcpu_past *old, size_t n_old,
	struct vcpu_past *now, const struct vcpu_sample *v, size_t n, bool plugged)
{
	size_t j = 0;
	for (size_t i = 0; i < n; i++) {
		for (; j < n_old && old[j].id < v[i].id; j++)
			slot_give(&st->vcpu_slots, old[j].slot);
		if (j == n_old || old[j].id != v[i].id) {
			now[i] = vcpu_born(st, v[i].id, AVAIL_FIRST);
			continue;
		}
		now[i] = old[j++];
		if (vi64_has(v[i].time_ns) && vi64_has(now[i].time[NEW_BASE]) &&
			v[i].time_ns.v < now[i].time[NEW_BASE].v) {
			slot_give(&st->vcpu_slots, now[i].slot);
			now[i] = vcpu_born(st, v[i].id, AVAIL_RESET);
		}
		if (plugged)
			demand_reset(&now[i].demand);
	}
	for (; j < n_old; j++)
		slot_give(&st->vcpu_slots, old[j].slot);
}

static void vm_born(struct model_state *st, struct vm_past *now, struct vcpu_past *vcpus,
	const struct vm_sample *vm, const struct vcpu_sample *v, int64_t time_ns, enum avail why)
{
	memset(now, 0, sizeof *now);
	now->slot = UINT32_MAX;
	now->birth = ++st->births;
	now->first_seen_ns = time_ns;
	for (size_t i = 0; i < N_VM_COUNTERS; i++)
		now->counter[i][NEW_BASE] = vi64_absent(why);
	for (size_t i = 0; i < vm->n_vcpus; i++)
		vcpus[i] = vcpu_born(st, v[i].id, why);
}

static void join_vm(struct model_state *st, const struct past *old, const struct vm_past *match,
	struct past *now, const struct sample *s, const struct vm_sample *vm)
{
	struct vm_past *to = &now->vms[vm - s->vms];
	struct vcpu_past *vcpus = now->vcpus + vm->first_vcpu;
	const struct vcpu_sample *v = vm->n_vcpus ? s->vcpus + vm->first_vcpu : NULL;
	if (!match) {
		vm_born(st, to, vcpus, vm, v, s->time_ns, AVAIL_FIRST);
	} else {
		const struct vcpu_past *ov = old->vcpus + match->first_vcpu;
		if (vm_restarted(match, vm, ov, v)) {
			vm_gone(st, match, ov);
			vm_born(st, to, vcpus, vm, v, s->time_ns, AVAIL_RESET);
		} else {
			*to = *match;
			join_vcpus(
				st, ov, match->n_vcpus, vcpus, v, vm->n_vcpus, !same_vcpus(match, ov, vm, v));
		}
	}
	memcpy(to->uuid, vm->uuid, UUID_BYTES);
	if (vm->id >= 0)
		to->id = vm->id;
	else if (!match)
		to->id = -1;
	to->first_vcpu = vm->first_vcpu;
	to->n_vcpus = vm->n_vcpus;
	if (vi64_has(vm->cpu_time_ns))
		to->cpu_time = vm->cpu_time_ns;
}

/* Both lists are sorted by UUID. Slots of those that are gone are freed before new ones are taken, so that
 * the numbers stay dense. */
static void join_vms(struct model_state *st, const struct past *old, struct past *now, const struct sample *s)
{
	size_t j = 0;
	for (size_t i = 0; i < s->n_vms; i++) {
		const struct vm_sample *vm = &s->vms[i];
		for (; j < old->n_vms && uuid_compare(old->vms[j].uuid, vm->uuid) < 0; j++)
			vm_gone(st, &old->vms[j], old->vcpus + old->vms[j].first_vcpu);
		bool same = j < old->n_vms && uuid_compare(old->vms[j].uuid, vm->uuid) == 0;
		join_vm(st, old, same ? &old->vms[j] : NULL, now, s, vm);
		j += same;
	}
	for (; j < old->n_vms; j++)
		vm_gone(st, &old->vms[j], old->vcpus + old->vms[j].first_vcpu);
	now->n_vms = s->n_vms;
	now->n_vcpus = s->n_vcpus;
	for (size_t i = 0; i < s->n_vms; i++) {
		struct vm_past *p = &now->vms[i];
		if (p->slot == UINT32_MAX)
			p->slot = slot_take(&st->vm_slots);
		for (size_t k = p->first_vcpu; k < p->first_vcpu + p->n_vcpus; k++)
			if (now->vcpus[k].slot == UINT32_MAX)
				now->vcpus[k].slot = slot_take(&st->vcpu_slots);
	}
}

static void join_pcpus(const struct past *old, struct past *now, const struct sample *s)
{
	size_t j = 0;
	for (size_t i = 0; i < s->host.n_pcpus; i++) {
		int id = s->host.pcpus[i].id;
		while (j < old->n_pcpus && old->pcpus[j].id < id)
			j++;
		if (j < old->n_pcpus && old->pcpus[j].id == id)
			now->pcpus[i] = old->pcpus[j];
		else
			now->pcpus[i] = (struct pcpu_past){.id = id};
	}
	now->n_pcpus = s->host.n_pcpus;
}

/* --- pCPUs -------------------------------------------------------------------------------------------- */

int model_vcpu_pcpu(const struct vcpu_sample *v)
{
	if (v->affinity_avail == AVAIL_OK) {
		int only = cpuset_first(&v->affinity);
		if (only >= 0 && cpuset_next(&v->affinity, only) < 0)
			return only;
	}
	return vi64_has(v->pcpu) && v->pcpu.v >= 0 && v->pcpu.v < CPUSET_CPUS ? (int)v->pcpu.v : -1;
}

static struct vf64 busy_of(struct pcpu_past *p, const struct pcpu_sample *c, const struct window *w)
{
	struct vi64 off = vi64_absent(AVAIL_OFFLINE);
	struct vi64 busy_now = c->online ? c->busy_ns : off, idle_now = c->online ? c->idle_ns : off;
	struct vf64 busy = growth(busy_now, p->busy, w), idle = growth(idle_now, p->idle, w);
	remember(p->busy, busy_now, w);
	remember(p->idle, idle_now, w);
	if (!vf64_has(busy))
		return busy;
	double whole = vf64_has(idle) ? busy.v + idle.v : w->s * 1e9;
	return vf64_ok(whole > 0 ? fmin(100, 100 * busy.v / whole) : 0);
}

/* What is being summed up per pCPU; indexed by pCPU id. */
struct tally {
	double ran[CPUSET_CPUS], wants[CPUSET_CPUS];
	int n[CPUSET_CPUS];
	struct cpuset unsure;    /* pCPUs over which a vCPU's time cannot be told apart */
	struct cpuset newcomers; /* pCPUs with a vCPU whose usage is not known yet */
};

/* Must be called before the past of the vCPU learns its new pCPU. */
static void tally_vcpu(struct tally *t, const struct vcpu_sample *v, const struct vcpu_rate *r, int before)
{
	int at = model_vcpu_pcpu(v);
	if (at < 0)
		return;
	t->n[at]++;
	if (vf64_has(r->usage_pct))
		t->ran[at] += r->usage_pct.v;
	else if (r->usage_pct.avail == AVAIL_FIRST || r->usage_pct.avail == AVAIL_RESET)
		cpuset_add(&t->newcomers, at);
	if (vf64_has(r->demand_pct))
		t->wants[at] += r->demand_pct.v;
	bool moved = before >= 0 && before != at;
	bool floats =
		v->affinity_avail != AVAIL_OK || cpuset_next(&v->affinity, cpuset_first(&v->affinity)) >= 0;
	if (moved)
		cpuset_add(&t->unsure, before);
	if (moved || floats)
		cpuset_add(&t->unsure, at);
	if (floats && v->affinity_avail == AVAIL_OK)
		cpuset_or(&t->unsure, &v->affinity);
}

/* Busy less what vCPUs ran there. Where vCPUs moved about in the window, one pCPU's share looks too big and
 * another's too small; only their sum is known, so the shares are scaled to it. */
static double unsure_scale(const struct model *m, const struct sample *s, const struct tally *t)
{
	double sum = 0, apparent = 0;
	for (size_t i = 0; i < m->n_pcpus; i++) {
		int id = s->host.pcpus[i].id;
		if (!cpuset_has(&t->unsure, id) || !vf64_has(m->pcpus[i].busy_pct))
			continue;
		double rest = m->pcpus[i].busy_pct.v - t->ran[id];
		sum += rest;
		apparent += fmax(0, rest);
	}
	return apparent > 0 ? fmax(0, sum) / apparent : 0;
}

static void background_of(struct pcpu_rate *r, struct pcpu_past *p, const struct tally *t, double scale,
	const struct window *w, double smooth_s)
{
	if (!vf64_has(r->busy_pct)) {
		r->background_pct = p->background_pct = vf64_absent(r->busy_pct.avail);
		return;
	}
	double now = fmax(0, r->busy_pct.v - t->ran[p->id]);
	if (cpuset_has(&t->unsure, p->id))
		now *= scale;
	/* A newcomer's time would pass for background, now and for as long as the average remembers. */
	bool known = vf64_has(p->background_pct), newcomer = cpuset_has(&t->newcomers, p->id);
	if (!known && !newcomer)
		p->background_pct = vf64_ok(now);
	else if (known && !newcomer && w->advance)
		p->background_pct.v += (1 - exp(-w->s / smooth_s)) * (now - p->background_pct.v);
	r->background_pct = vf64_ok(vf64_has(p->background_pct) ? p->background_pct.v : 0);
}

static void pcpu_rates(struct model *m, struct past *now, const struct sample *s, const struct tally *t,
	const struct window *w)
{
	for (size_t i = 0; i < m->n_pcpus; i++)
		m->pcpus[i].busy_pct = busy_of(&now->pcpus[i], &s->host.pcpus[i], w);
	double scale = unsure_scale(m, s, t);
	for (size_t i = 0; i < m->n_pcpus; i++) {
		const struct pcpu_sample *c = &s->host.pcpus[i];
		struct pcpu_rate *r = &m->pcpus[i];
		enum avail why = !c->online ? AVAIL_OFFLINE : w->s <= 0 ? AVAIL_FIRST : AVAIL_OK;
		background_of(r, &now->pcpus[i], t, scale, w, m->state->smooth_s);
		double rest = vf64_has(r->background_pct) ? r->background_pct.v : 0;
		r->n_vcpus = t->n[c->id];
		r->load_pct = why == AVAIL_OK ? vf64_ok(t->ran[c->id]) : vf64_absent(why);
		r->demand_pct = why == AVAIL_OK ? vf64_ok(t->wants[c->id] + rest) : vf64_absent(why);
	}
}

static void host_rates(struct model *m, const struct sample *s, const struct window *w)
{
	double busy = 0, load = 0, squares = 0;
	size_t n_busy = 0, n_load = 0;
	for (size_t i = 0; i < m->n_pcpus; i++) {
		const struct pcpu_rate *r = &m->pcpus[i];
		if (vf64_has(r->busy_pct)) {
			busy += r->busy_pct.v;
			n_busy++;
		}
		if (vf64_has(r->load_pct) && !s->host.pcpus[i].isolated) {
			load += r->load_pct.v;
			n_load++;
		}
	}
	double mean = n_load ? load / (double)n_load : 0;
	for (size_t i = 0; i < m->n_pcpus; i++)
		if (vf64_has(m->pcpus[i].load_pct) && !s->host.pcpus[i].isolated)
			squares += (m->pcpus[i].load_pct.v - mean) * (m->pcpus[i].load_pct.v - mean);
	enum avail why = w->s <= 0 ? AVAIL_FIRST : AVAIL_UNSUPPORTED;
	m->busy_pct = n_busy ? vf64_ok(busy / (double)n_busy) : vf64_absent(why);
	m->load_stddev_pct = n_load ? vf64_ok(sqrt(squares / (double)n_load)) : vf64_absent(why);
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

static void vm_rates(struct model *m, struct past *now, const struct sample *s, size_t i, struct tally *t,
	const struct cpuset *usable, const struct window *w)
{
	const struct vm_sample *vm = &s->vms[i];
	struct vm_past *p = &now->vms[i];
	struct vm_rate *r = &m->vms[i];
	*r = (struct vm_rate){.first_seen_ns = p->first_seen_ns, .slot = p->slot, .birth = p->birth};
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++) {
		struct vcpu_rate *vr = &m->vcpus[k];
		int before = now->vcpus[k].pcpu;
		vcpu_rates(&now->vcpus[k], vr, vm, &s->vcpus[k], w, m->state->smooth_s);
		tally_vcpu(t, &s->vcpus[k], vr, before);
		vr->target = s->vcpus[k].allowed;
		cpuset_and(&vr->target, usable);
		add_present(&r->cpu_pct, vr->usage_pct);
		add_present(&r->wait_pct, vr->wait_pct);
		add_present(&r->demand_pct, vr->demand_pct);
	}
	vm_counter_rates(p, r, vm, w);
	guest_rates(&p->guest, r, &vm->mem, s->time_ns, s->wall_ns);
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
	struct cpuset usable;
	sample_usable(s, &usable);
	vcpus_without_vm(m, s);
	join_vms(st, old, now, s);
	join_pcpus(old, now, s);
	m->n_vms = s->n_vms;
	m->n_vcpus = s->n_vcpus;
	m->n_pcpus = s->host.n_pcpus;
	for (size_t i = 0; i < s->n_vms; i++)
		vm_rates(m, now, s, i, &t, &usable, &w);
	pcpu_rates(m, now, s, &t, &w);
	host_rates(m, s, &w);
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
