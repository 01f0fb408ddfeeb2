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

static void *carve(struct carver *carver, size_t n, size_t size)
{
	const size_t align = alignof(max_align_t);
	carver->used = (carver->used + align - 1) / align * align;
	void *p = carver->base ? carver->base + carver->used : NULL;
	carver->used += n * size;
	return p;
}

static void *carve_copy(struct carver *carver, const void *from, size_t n, size_t size)
{
	void *p = carve(carver, n, size);
	if (p && from && n)
		memcpy(p, from, n * size);
	return p;
}

/* Why a vCPU stays where it is, as far as it is known without asking the policy. */
static enum reason vcpu_reason(const struct engine *engine, size_t k)
{
	if (engine->rules.vcpus[k].cpu != REASON_NONE)
		return engine->rules.vcpus[k].cpu;
	int n = cpuset_count(&engine->model.vcpus[k].target);
	if (n == 0)
		return REASON_NOTHING_ALLOWED;
	return n == 1 ? REASON_SINGLE : REASON_NONE;
}

/* A VM none of whose vCPUs has a choice shows their reason. */
static enum reason vm_reason(
	const struct engine *engine, const struct vm_sample *vm, const struct vm_rule *rule)
{
	if (rule->cpu != REASON_NONE || !vm->n_vcpus)
		return rule->cpu;
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++)
		if (vcpu_reason(engine, k) == REASON_NONE)
			return REASON_NONE;
	return vcpu_reason(engine, vm->first_vcpu);
}

static void fill_vm_status(const struct engine *engine, struct snapshot *snap)
{
	for (size_t i = 0; i < snap->sample.n_vms; i++) {
		const struct vm_rule *rule = &engine->rules.vms[i];
		struct vm_status *status = &snap->vm_status[i];
		status->target_kib = vi64_if(rule->target_kib >= 0, rule->target_kib, AVAIL_NONE);
		status->target_age_s = (double)rule->target_age_ns / 1e9;
		status->cpu = vm_reason(engine, &snap->sample.vms[i], rule);
		status->held_for_s = rule->held_for_s;
		status->stay_on_node = rule->stay_on_node;
		status->mem = engine->mem_status[i];
		if (i < engine->n_suffering)
			status->suffer = engine->suffering[i];
		snap->n_eligible_cpu += status->cpu == REASON_NONE;
		snap->n_eligible_memory += rule->memory == REASON_NONE && status->mem.eligible;
	}
	for (size_t i = 0; i < snap->sample.n_vcpus; i++)
		snap->vcpu_status[i] = (struct vcpu_status){
			.cpu = vcpu_reason(engine, i), .held_for_s = engine->rules.vcpus[i].held_for_s};
}

static void fill_ghosts(const struct engine *engine, struct snapshot *snap)
{
	const struct preview *preview = &engine->changes.preview;
	snap->preview = preview->shown;
	snap->preview_after_pct = preview->after_pct;
	for (size_t i = 0; preview->shown && i < preview->plan.n; i++) {
		const struct action *action = &preview->plan.actions[i];
		if (action->outcome == OUTCOME_SKIPPED)
			continue;
		snap->n_preview_pins++;
		const struct vm_sample *vm = sample_vm_by_uuid(&snap->sample, action->uuid);
		const struct vcpu_sample *vcpu = vm && action->kind == ACTION_PIN
							 ? sample_vcpu(&snap->sample, vm, action->vcpu)
							 : NULL;
		if (!vcpu)
			continue;
		struct vcpu_status *status = &snap->vcpu_status[vcpu - snap->sample.vcpus];
		status->ghost = true;
		status->ghost_to = action->to;
	}
}

static void carve_sample(const struct engine *engine, struct carver *carver, struct snapshot *snap)
{
	const struct sample *from = &engine->sample;
	struct sample to = *from;
	to.vms = carve_copy(carver, from->vms, from->n_vms, sizeof *from->vms);
	to.vcpus = carve_copy(carver, from->vcpus, from->n_vcpus, sizeof *from->vcpus);
	to.host.pcpus = carve_copy(carver, from->host.pcpus, from->host.n_pcpus, sizeof *from->host.pcpus);
	to.cap_vms = to.cap_vcpus = to.cap_pcpus = 0;
	struct vcpu_rate *vcpus = carve_copy(carver, engine->model.vcpus, from->n_vcpus, sizeof *vcpus);
	struct vm_rate *vms = carve_copy(carver, engine->model.vms, from->n_vms, sizeof *vms);
	struct pcpu_rate *pcpus = carve_copy(carver, engine->model.pcpus, from->host.n_pcpus, sizeof *pcpus);
	struct vm_status *vm_status = carve(carver, from->n_vms, sizeof *vm_status);
	struct vcpu_status *vcpu_status = carve(carver, from->n_vcpus, sizeof *vcpu_status);
	if (!snap)
		return;
	snap->sample = to;
	snap->vcpu_rates = vcpus;
	snap->vm_rates = vms;
	snap->pcpu_rates = pcpus;
	snap->vm_status = vm_status;
	snap->vcpu_status = vcpu_status;
}

static void carve_log(const struct engine *engine, struct carver *carver, struct snapshot *snap)
{
	const struct log_ring *ring = &engine->talk.log;
	struct log_line *lines = carve(carver, ring->n, sizeof *lines);
	if (!snap)
		return;
	for (size_t i = 0; i < ring->n; i++)
		lines[i] = ring->lines[(ring->first + i) % SNAPSHOT_LOG];
	snap->log = lines;
	snap->n_log = ring->n;
}

static enum granularity granularity_in_force(const struct engine *engine)
{
	return cpu_ctl_granularity(engine->cpu, &engine->cfg);
}

static void count_changes(const struct engine *engine, const struct vm_record *rec, struct snapshot *snap)
{
	int n = record_changes(rec);
	snap->n_changed += n;
	snap->n_periods += rec->period.wrote >= 0;
	const struct vm_sample *vm = sample_vm_by_uuid(&engine->sample, rec->uuid);
	if (!vm || vm->id < 0)
		snap->n_changed_away += n;
}

static void fill_modes(const struct engine *engine, struct snapshot *snap)
{
	int64_t now = engine->backend->ops->now(engine->backend);
	snap->first = !engine->have_sample;
	snap->elapsed_s = engine->model.elapsed_s;
	snap->age_s = engine->have_sample ? (double)(now - engine->sample.time_ns) / 1e9 : 0;
	snap->tick = engine->pace.tick;
	snap->cost = engine->cost;
	snap->busy_pct = engine->model.busy_pct;
	snap->load_stddev_pct = engine->model.load_stddev_pct;
	snap->cpu = engine->cpu_verdict;
	snap->memory = engine->mem_verdict;
	snap->auto_cpu = engine->cfg.auto_cpu;
	snap->auto_memory = engine->cfg.auto_memory;
	snap->waits_cpu = engine->changes.waits.cpu;
	snap->waits_memory = engine->changes.waits.memory;
	snap->dry_run = engine->cfg.dry_run;
	snap->readonly = engine->cfg.readonly || engine->status.readonly || !engine->course->live;
	snap->cpu_policy = engine->cfg.cpu_policy;
	snap->mem_policy = engine->cfg.mem_policy;
	snap->granularity = granularity_in_force(engine);
	snap->delay_s = engine->cfg.delay_s;
	snap->n_undo = undo_count(&engine->changes);
	snap->n_rebalance_pins = engine->n_rebalance;
	snap->n_memory_changes = engine->n_memory;
	for (size_t i = 0; i < engine->changes.ledger.n; i++)
		count_changes(engine, &engine->changes.ledger.vms[i], snap);
	snap->left_behind = engine->changes.inherited && !engine->changes.journal && snap->n_changed > 0;
	snap->heard_ns = engine->wish.heard_ns;
	snap->waits = engine_asked(engine) && !engine->wish.said_waiting;
	snap->backend = engine->status;
	snap->leave_seq = engine->leave_seq;
	if (now < engine->talk.notice_until_ns)
		snprintf(snap->notice, sizeof snap->notice, "%s", engine->talk.notice);
}

struct snapshot *engine_snapshot(const struct engine *engine)
{
	const struct timeline *timeline = engine->course->timeline(engine);
	const struct plan *ghosts = &engine->changes.preview.plan;
	struct carver count = {NULL, sizeof(struct snapshot)};
	carve_sample(engine, &count, NULL);
	carve_copy(&count, NULL, engine->plan.n, sizeof *engine->plan.actions);
	size_t n_ghosts = engine->changes.preview.shown ? ghosts->n : 0;
	carve_copy(&count, NULL, n_ghosts, sizeof *ghosts->actions);
	carve_log(engine, &count, NULL);
	carve(&count, timeline != NULL, sizeof *timeline);
	char *block = calloc(1, count.used);
	if (!block)
		return NULL;
	struct carver carver = {block, sizeof(struct snapshot)};
	struct snapshot *snap = (struct snapshot *)(void *)block;
	carve_sample(engine, &carver, snap);
	snap->actions =
		carve_copy(&carver, engine->plan.actions, engine->plan.n, sizeof *engine->plan.actions);
	snap->n_actions = engine->plan.n;
	snap->ghosts = carve_copy(&carver, ghosts->actions, n_ghosts, sizeof *ghosts->actions);
	snap->n_ghosts = n_ghosts;
	carve_log(engine, &carver, snap);
	snap->timeline = timeline ? carve_copy(&carver, timeline, 1, sizeof *timeline) : NULL;
	snap->seq = engine->seq;
	snap->source = engine->core->ops->source;
	snap->moment = engine->course->moment;
	fill_modes(engine, snap);
	if (engine->have_sample && engine->rules.n_vms == snap->sample.n_vms &&
		engine->rules.n_vcpus == snap->sample.n_vcpus) {
		fill_vm_status(engine, snap);
		fill_ghosts(engine, snap);
	}
	return snap;
}

void snapshot_free(struct snapshot *snap)
{
	while (snap) {
		struct snapshot *next = snap->run_up ? snap->run_up : snap->next;
		free(snap);
		snap = next;
	}
}
