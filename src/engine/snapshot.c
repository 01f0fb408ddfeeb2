/* SPDX-License-Identifier: MIT */
/* Builds snapshots: one block that holds copies of all a reader may see. Invariant: no pointer leads out of
 * the block but to snapshots that it owns, so that it can be handed to another thread and freed there. */
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "priv.h"

/* Hands out parts of the block; with base NULL it only counts. */
struct carver {
	char *base;
	size_t used;
};

static void *carve(struct carver *c, size_t n, size_t size)
{
	const size_t align = alignof(max_align_t);
	c->used = (c->used + align - 1) / align * align;
	void *p = c->base ? c->base + c->used : NULL;
	c->used += n * size;
	return p;
}

static void *carve_copy(struct carver *c, const void *from, size_t n, size_t size)
{
	void *p = carve(c, n, size);
	if (p && from && n)
		memcpy(p, from, n * size);
	return p;
}

/* Why a vCPU stays where it is, as far as it is known without asking the policy. */
static enum reason vcpu_reason(const struct engine *en, size_t k)
{
	if (en->rules.vcpus[k].cpu != REASON_NONE)
		return en->rules.vcpus[k].cpu;
	int n = cpuset_count(&en->model.vcpus[k].target);
	if (n == 0)
		return REASON_NOTHING_ALLOWED;
	return n == 1 ? REASON_SINGLE : REASON_NONE;
}

/* A VM none of whose vCPUs has a choice shows their reason. */
static enum reason vm_reason(const struct engine *en, const struct vm_sample *vm, const struct vm_rule *r)
{
	if (r->cpu != REASON_NONE || !vm->n_vcpus)
		return r->cpu;
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++)
		if (vcpu_reason(en, k) == REASON_NONE)
			return REASON_NONE;
	return vcpu_reason(en, vm->first_vcpu);
}

static void fill_vm_status(const struct engine *en, struct snapshot *s)
{
	for (size_t i = 0; i < s->sample.n_vms; i++) {
		const struct vm_rule *r = &en->rules.vms[i];
		struct vm_status *st = &s->vm_status[i];
		st->target_kib = r->target_kib >= 0 ? vi64_ok(r->target_kib) : vi64_absent(AVAIL_NONE);
		st->target_age_s = (double)r->target_age_ns / 1e9;
		st->cpu = vm_reason(en, &s->sample.vms[i], r);
		st->held_for_s = r->held_for_s;
		st->stay_on_node = r->stay_on_node;
		st->mem = en->mem_status[i];
		if (i < en->n_suffering)
			st->suffer = en->suffering[i];
		s->n_eligible_cpu += st->cpu == REASON_NONE;
		s->n_eligible_memory += r->memory == REASON_NONE && st->mem.eligible;
	}
	for (size_t i = 0; i < s->sample.n_vcpus; i++)
		s->vcpu_status[i] = (struct vcpu_status){
			.cpu = vcpu_reason(en, i), .held_for_s = en->rules.vcpus[i].held_for_s};
}

static void fill_ghosts(const struct engine *en, struct snapshot *s)
{
	const struct preview *p = &en->changes.preview;
	s->preview = p->shown;
	s->preview_after_pct = p->after_pct;
	for (size_t i = 0; p->shown && i < p->plan.n; i++) {
		const struct action *a = &p->plan.actions[i];
		if (a->outcome == OUTCOME_SKIPPED)
			continue;
		s->n_preview_pins++;
		const struct vm_sample *vm = sample_vm_by_uuid(&s->sample, a->uuid);
		const struct vcpu_sample *v =
			vm && a->kind == ACTION_PIN ? sample_vcpu(&s->sample, vm, a->vcpu) : NULL;
		if (!v)
			continue;
		struct vcpu_status *st = &s->vcpu_status[v - s->sample.vcpus];
		st->ghost = true;
		st->ghost_to = a->to;
	}
}

static void carve_sample(const struct engine *en, struct carver *c, struct snapshot *s)
{
	const struct sample *from = &en->sample;
	struct sample to = *from;
	to.vms = carve_copy(c, from->vms, from->n_vms, sizeof *from->vms);
	to.vcpus = carve_copy(c, from->vcpus, from->n_vcpus, sizeof *from->vcpus);
	to.host.pcpus = carve_copy(c, from->host.pcpus, from->host.n_pcpus, sizeof *from->host.pcpus);
	to.cap_vms = to.cap_vcpus = to.cap_pcpus = 0;
	struct vcpu_rate *vcpus = carve_copy(c, en->model.vcpus, from->n_vcpus, sizeof *vcpus);
	struct vm_rate *vms = carve_copy(c, en->model.vms, from->n_vms, sizeof *vms);
	struct pcpu_rate *pcpus = carve_copy(c, en->model.pcpus, from->host.n_pcpus, sizeof *pcpus);
	struct vm_status *vm_status = carve(c, from->n_vms, sizeof *vm_status);
	struct vcpu_status *vcpu_status = carve(c, from->n_vcpus, sizeof *vcpu_status);
	if (!s)
		return;
	s->sample = to;
	s->vcpu_rates = vcpus;
	s->vm_rates = vms;
	s->pcpu_rates = pcpus;
	s->vm_status = vm_status;
	s->vcpu_status = vcpu_status;
}

static void carve_log(const struct engine *en, struct carver *c, struct snapshot *s)
{
	const struct log_ring *l = &en->talk.log;
	struct log_line *lines = carve(c, l->n, sizeof *lines);
	if (!s)
		return;
	for (size_t i = 0; i < l->n; i++)
		lines[i] = l->lines[(l->first + i) % SNAPSHOT_LOG];
	s->log = lines;
	s->n_log = l->n;
}

static enum granularity granularity_in_force(const struct engine *en)
{
	return cpu_ctl_granularity(en->cpu, &en->cfg);
}

static void count_changes(const struct engine *en, const struct vm_record *r, struct snapshot *s)
{
	int n = record_changes(r);
	s->n_changed += n;
	s->n_periods += r->period.wrote >= 0;
	const struct vm_sample *vm = sample_vm_by_uuid(&en->sample, r->uuid);
	if (!vm || vm->id < 0)
		s->n_changed_away += n;
}

static void fill_modes(const struct engine *en, struct snapshot *s)
{
	int64_t now = en->b->ops->now(en->b);
	s->first = !en->have_sample;
	s->elapsed_s = en->model.elapsed_s;
	s->age_s = en->have_sample ? (double)(now - en->sample.time_ns) / 1e9 : 0;
	s->tick = en->pace.tick;
	s->cost = en->cost;
	s->busy_pct = en->model.busy_pct;
	s->load_stddev_pct = en->model.load_stddev_pct;
	s->cpu = en->cpu_verdict;
	s->memory = en->mem_verdict;
	s->auto_cpu = en->cfg.auto_cpu;
	s->auto_memory = en->cfg.auto_memory;
	s->waits_cpu = en->changes.waits.cpu;
	s->waits_memory = en->changes.waits.memory;
	s->dry_run = en->cfg.dry_run;
	s->readonly = en->cfg.readonly || en->status.readonly || !en->course->live;
	s->cpu_policy = en->cfg.cpu_policy;
	s->mem_policy = en->cfg.mem_policy;
	s->granularity = granularity_in_force(en);
	s->delay_s = en->cfg.delay_s;
	s->n_undo = undo_count(&en->changes);
	s->n_rebalance_pins = en->n_rebalance;
	s->n_memory_changes = en->n_memory;
	for (size_t i = 0; i < en->changes.ledger.n; i++)
		count_changes(en, &en->changes.ledger.vms[i], s);
	s->left_behind = en->changes.inherited && !en->changes.journal && s->n_changed > 0;
	s->heard_ns = en->wish.heard_ns;
	s->waits = engine_asked(en) && !en->wish.said_waiting;
	s->backend = en->status;
	s->leave_seq = en->leave_seq;
	if (now < en->talk.notice_until_ns)
		snprintf(s->notice, sizeof s->notice, "%s", en->talk.notice);
}

struct snapshot *engine_snapshot(const struct engine *en)
{
	const struct timeline *t = en->course->timeline(en);
	const struct plan *ghosts = &en->changes.preview.plan;
	struct carver count = {NULL, sizeof(struct snapshot)};
	carve_sample(en, &count, NULL);
	carve_copy(&count, NULL, en->plan.n, sizeof *en->plan.actions);
	size_t n_ghosts = en->changes.preview.shown ? ghosts->n : 0;
	carve_copy(&count, NULL, n_ghosts, sizeof *ghosts->actions);
	carve_log(en, &count, NULL);
	carve(&count, t != NULL, sizeof *t);
	char *block = calloc(1, count.used);
	if (!block)
		return NULL;
	struct carver c = {block, sizeof(struct snapshot)};
	struct snapshot *s = (struct snapshot *)(void *)block;
	carve_sample(en, &c, s);
	s->actions = carve_copy(&c, en->plan.actions, en->plan.n, sizeof *en->plan.actions);
	s->n_actions = en->plan.n;
	s->ghosts = carve_copy(&c, ghosts->actions, n_ghosts, sizeof *ghosts->actions);
	s->n_ghosts = n_ghosts;
	carve_log(en, &c, s);
	s->timeline = t ? carve_copy(&c, t, 1, sizeof *t) : NULL;
	s->seq = en->seq;
	s->source = en->core->ops->source;
	s->moment = en->course->moment;
	fill_modes(en, s);
	if (en->have_sample && en->rules.n_vms == s->sample.n_vms && en->rules.n_vcpus == s->sample.n_vcpus) {
		fill_vm_status(en, s);
		fill_ghosts(en, s);
	}
	return s;
}

void snapshot_free(struct snapshot *s)
{
	while (s) {
		struct snapshot *next = s->run_up ? s->run_up : s->next;
		free(s);
		s = next;
	}
}
