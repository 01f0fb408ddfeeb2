/* SPDX-License-Identifier: MIT */
/* pCPUs and the host as a whole: how busy, by which vCPUs, and what else runs there. Invariant: time of a
 * vCPU that is not known yet, or that wandered, never passes for background. */
#include <math.h>
#include <string.h>

#include "model_priv.h"

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
	struct vf64 busy = model_growth(busy_now, p->busy, w), idle = model_growth(idle_now, p->idle, w);
	model_remember(p->busy, busy_now, w);
	model_remember(p->idle, idle_now, w);
	if (!vf64_has(busy))
		return busy;
	double whole = vf64_has(idle) ? busy.v + idle.v : w->s * 1e9;
	return vf64_ok(whole > 0 ? fmin(100, 100 * busy.v / whole) : 0);
}

static struct vf64 steal_of(struct pcpu_past *p, const struct pcpu_sample *c, const struct window *w)
{
	struct vi64 now = c->online ? c->steal_ns : vi64_absent(AVAIL_OFFLINE);
	struct vf64 steal = model_growth(now, p->steal, w);
	model_remember(p->steal, now, w);
	return vf64_has(steal) ? vf64_ok(fmin(100, steal.v / w->s / 1e7)) : steal;
}

/* Must be called before the past of the vCPU learns its new pCPU. */
void model_tally_vcpu(struct tally *t, const struct vcpu_sample *v, const struct vcpu_rate *r, int before)
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
	r->background_pct = vf64_ok(vf64_or(p->background_pct, 0));
}

void model_pcpu_rates(struct model *m, struct past *now, const struct sample *s, const struct tally *t,
	const struct window *w)
{
	for (size_t i = 0; i < m->n_pcpus; i++) {
		m->pcpus[i].busy_pct = busy_of(&now->pcpus[i], &s->host.pcpus[i], w);
		m->pcpus[i].steal_pct = steal_of(&now->pcpus[i], &s->host.pcpus[i], w);
	}
	double scale = unsure_scale(m, s, t);
	for (size_t i = 0; i < m->n_pcpus; i++) {
		const struct pcpu_sample *c = &s->host.pcpus[i];
		struct pcpu_rate *r = &m->pcpus[i];
		enum avail why = w->s > 0 ? AVAIL_OK : AVAIL_FIRST;
		if (!c->online)
			why = AVAIL_OFFLINE;
		background_of(r, &now->pcpus[i], t, scale, w, m->state->smooth_s);
		double rest = vf64_or(r->background_pct, 0);
		r->n_vcpus = t->n[c->id];
		r->load_pct = why == AVAIL_OK ? vf64_ok(t->ran[c->id]) : vf64_absent(why);
		r->demand_pct = why == AVAIL_OK ? vf64_ok(t->wants[c->id] + rest) : vf64_absent(why);
	}
}

void model_host_rates(struct model *m, const struct window *w)
{
	double busy = 0, load = 0, squares = 0;
	size_t n_busy = 0, n_load = 0;
	for (size_t i = 0; i < m->n_pcpus; i++) {
		const struct pcpu_rate *r = &m->pcpus[i];
		if (vf64_has(r->busy_pct)) {
			busy += r->busy_pct.v;
			n_busy++;
		}
		if (vf64_has(r->load_pct)) {
			load += r->load_pct.v;
			n_load++;
		}
	}
	double mean = n_load ? load / (double)n_load : 0;
	for (size_t i = 0; i < m->n_pcpus; i++)
		if (vf64_has(m->pcpus[i].load_pct))
			squares += (m->pcpus[i].load_pct.v - mean) * (m->pcpus[i].load_pct.v - mean);
	enum avail why = w->s <= 0 ? AVAIL_FIRST : AVAIL_UNSUPPORTED;
	m->busy_pct = n_busy ? vf64_ok(busy / (double)n_busy) : vf64_absent(why);
	m->load_stddev_pct = n_load ? vf64_ok(sqrt(squares / (double)n_load)) : vf64_absent(why);
}
