/* SPDX-License-Identifier: MIT */
/* pCPUs and the host as a whole: how busy, by which vCPUs, and what else runs there. Invariant: time of a
 * vCPU that is not known yet, or that wandered, never passes for background. */
#include <math.h>
#include <string.h>

#include "model_priv.h"

int model_vcpu_pcpu(const struct vcpu_sample *vcpu)
{
	if (vcpu->affinity_avail == AVAIL_OK) {
		int only = cpuset_first(&vcpu->affinity);
		if (only >= 0 && cpuset_next(&vcpu->affinity, only) < 0)
			return only;
	}
	return vi64_has(vcpu->pcpu) && vcpu->pcpu.v >= 0 && vcpu->pcpu.v < CPUSET_CPUS ? (int)vcpu->pcpu.v
										       : -1;
}

static struct vf64 busy_of(
	struct pcpu_past *past, const struct pcpu_sample *pcpu, const struct window *window)
{
	struct vi64 off = vi64_absent(AVAIL_OFFLINE);
	struct vi64 busy_now = pcpu->online ? pcpu->busy_ns : off,
		    idle_now = pcpu->online ? pcpu->idle_ns : off;
	struct vf64 busy = model_growth(busy_now, past->busy, window),
		    idle = model_growth(idle_now, past->idle, window);
	model_remember(past->busy, busy_now, window);
	model_remember(past->idle, idle_now, window);
	if (!vf64_has(busy))
		return busy;
	double whole = vf64_has(idle) ? busy.v + idle.v : window->s * 1e9;
	return vf64_ok(whole > 0 ? fmin(100, 100 * busy.v / whole) : 0);
}

static struct vf64 steal_of(
	struct pcpu_past *past, const struct pcpu_sample *pcpu, const struct window *window)
{
	struct vi64 now = pcpu->online ? pcpu->steal_ns : vi64_absent(AVAIL_OFFLINE);
	struct vf64 steal = model_growth(now, past->steal, window);
	model_remember(past->steal, now, window);
	return vf64_has(steal) ? vf64_ok(fmin(100, steal.v / window->s / 1e7)) : steal;
}

/* Must be called before the past of the vCPU learns its new pCPU. */
void model_tally_vcpu(
	struct tally *tally, const struct vcpu_sample *vcpu, const struct vcpu_rate *rate, int before)
{
	int at = model_vcpu_pcpu(vcpu);
	if (at < 0)
		return;
	tally->n[at]++;
	if (vf64_has(rate->usage_pct))
		tally->ran[at] += rate->usage_pct.v;
	else if (rate->usage_pct.avail == AVAIL_FIRST || rate->usage_pct.avail == AVAIL_RESET)
		cpuset_add(&tally->newcomers, at);
	if (vf64_has(rate->demand_pct))
		tally->wants[at] += rate->demand_pct.v;
	bool moved = before >= 0 && before != at;
	bool floats = vcpu->affinity_avail != AVAIL_OK ||
		      cpuset_next(&vcpu->affinity, cpuset_first(&vcpu->affinity)) >= 0;
	if (moved)
		cpuset_add(&tally->unsure, before);
	if (moved || floats)
		cpuset_add(&tally->unsure, at);
	if (floats && vcpu->affinity_avail == AVAIL_OK)
		cpuset_or(&tally->unsure, &vcpu->affinity);
}

/* Busy less what vCPUs ran there. Where vCPUs moved about in the window, one pCPU's share looks too big and
 * another's too small; only their sum is known, so the shares are scaled to it. */
static double unsure_scale(const struct model *model, const struct sample *sample, const struct tally *tally)
{
	double sum = 0, apparent = 0;
	for (size_t i = 0; i < model->n_pcpus; i++) {
		int id = sample->host.pcpus[i].id;
		if (!cpuset_has(&tally->unsure, id) || !vf64_has(model->pcpus[i].busy_pct))
			continue;
		double rest = model->pcpus[i].busy_pct.v - tally->ran[id];
		sum += rest;
		apparent += fmax(0, rest);
	}
	return apparent > 0 ? fmax(0, sum) / apparent : 0;
}

static void background_of(struct pcpu_rate *rate, struct pcpu_past *past, const struct tally *tally,
	double scale, const struct window *window, double smooth_s)
{
	if (!vf64_has(rate->busy_pct)) {
		rate->background_pct = past->background_pct = vf64_absent(rate->busy_pct.avail);
		return;
	}
	double now = fmax(0, rate->busy_pct.v - tally->ran[past->id]);
	if (cpuset_has(&tally->unsure, past->id))
		now *= scale;
	/* A newcomer's time would pass for background, now and for as long as the average remembers. */
	bool known = vf64_has(past->background_pct), newcomer = cpuset_has(&tally->newcomers, past->id);
	if (!known && !newcomer)
		past->background_pct = vf64_ok(now);
	else if (known && !newcomer && window->advance)
		past->background_pct.v += (1 - exp(-window->s / smooth_s)) * (now - past->background_pct.v);
	rate->background_pct = vf64_ok(vf64_or(past->background_pct, 0));
}

void model_pcpu_rates(struct model *model, struct past *now, const struct sample *sample,
	const struct tally *tally, const struct window *window)
{
	for (size_t i = 0; i < model->n_pcpus; i++) {
		model->pcpus[i].busy_pct = busy_of(&now->pcpus[i], &sample->host.pcpus[i], window);
		model->pcpus[i].steal_pct = steal_of(&now->pcpus[i], &sample->host.pcpus[i], window);
	}
	double scale = unsure_scale(model, sample, tally);
	for (size_t i = 0; i < model->n_pcpus; i++) {
		const struct pcpu_sample *pcpu = &sample->host.pcpus[i];
		struct pcpu_rate *rate = &model->pcpus[i];
		enum avail why = window->s > 0 ? AVAIL_OK : AVAIL_FIRST;
		if (!pcpu->online)
			why = AVAIL_OFFLINE;
		background_of(rate, &now->pcpus[i], tally, scale, window, model->state->smooth_s);
		double rest = vf64_or(rate->background_pct, 0);
		rate->n_vcpus = tally->n[pcpu->id];
		rate->load_pct = why == AVAIL_OK ? vf64_ok(tally->ran[pcpu->id]) : vf64_absent(why);
		rate->demand_pct =
			why == AVAIL_OK ? vf64_ok(tally->wants[pcpu->id] + rest) : vf64_absent(why);
	}
}

void model_host_rates(struct model *model, const struct window *window)
{
	double busy = 0, load = 0, squares = 0;
	size_t n_busy = 0, n_load = 0;
	for (size_t i = 0; i < model->n_pcpus; i++) {
		const struct pcpu_rate *rate = &model->pcpus[i];
		if (vf64_has(rate->busy_pct)) {
			busy += rate->busy_pct.v;
			n_busy++;
		}
		if (vf64_has(rate->load_pct)) {
			load += rate->load_pct.v;
			n_load++;
		}
	}
	double mean = n_load ? load / (double)n_load : 0;
	for (size_t i = 0; i < model->n_pcpus; i++)
		if (vf64_has(model->pcpus[i].load_pct))
			squares += (model->pcpus[i].load_pct.v - mean) * (model->pcpus[i].load_pct.v - mean);
	enum avail why = window->s <= 0 ? AVAIL_FIRST : AVAIL_UNSUPPORTED;
	model->busy_pct = n_busy ? vf64_ok(busy / (double)n_busy) : vf64_absent(why);
	model->load_stddev_pct = n_load ? vf64_ok(sqrt(squares / (double)n_load)) : vf64_absent(why);
}
