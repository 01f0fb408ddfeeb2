/* SPDX-License-Identifier: MIT */
/* Who is who from sample to sample: VMs by UUID, vCPUs by number, pCPUs by id. Invariant: an object keeps its
 * slot while it lives, and a reused slot has another birth. Knows nothing of rates. */
#include <string.h>

#include "model_priv.h"

static uint32_t slot_take(struct slots *slots)
{
	return slots->n_free ? slots->free[--slots->n_free] : (uint32_t)slots->n++;
}

static void slot_give(struct slots *slots, uint32_t slot)
{
	slots->free[slots->n_free++] = slot;
}

/* A counter below its last reading, or another domain id: not the same run of the VM. */
static bool vm_restarted(const struct vm_past *past, const struct vm_sample *vm, const struct vcpu_past *old,
	const struct vcpu_sample *vcpu)
{
	if (past->id >= 0 && vm->id >= 0 && past->id != vm->id)
		return true;
	if (vi64_has(past->cpu_time) && vi64_has(vm->cpu_time_ns) && vm->cpu_time_ns.v < past->cpu_time.v)
		return true;
	/* vCPU 0 cannot be unplugged: when its time goes back, all of them started again. */
	return past->n_vcpus && vm->n_vcpus && old->id == vcpu->id && vi64_has(vcpu->time_ns) &&
	       vi64_has(old->time[NEW_BASE]) && vcpu->time_ns.v < old->time[NEW_BASE].v;
}

static bool same_vcpus(const struct vm_past *past, const struct vcpu_past *old, const struct vm_sample *vm,
	const struct vcpu_sample *vcpu)
{
	if (past->n_vcpus != vm->n_vcpus)
		return false;
	for (size_t i = 0; i < vm->n_vcpus; i++)
		if (old[i].id != vcpu[i].id)
			return false;
	return true;
}

static void vm_gone(struct model_state *state, const struct vm_past *past, const struct vcpu_past *vcpus)
{
	slot_give(&state->vm_slots, past->slot);
	for (size_t i = 0; i < past->n_vcpus; i++)
		slot_give(&state->vcpu_slots, vcpus[i].slot);
}

static struct vcpu_past vcpu_born(struct model_state *state, int id, enum avail why)
{
	struct vcpu_past past = {.id = id, .slot = UINT32_MAX, .birth = ++state->births, .pcpu = -1};
	past.time[NEW_BASE] = past.delay[NEW_BASE] = vi64_absent(why);
	return past;
}

/* Takes over what is known of the vCPUs of a VM that was there before. `plugged`: the set of vCPUs changed,
 * so the load is shared out anew and what each wanted says nothing. */
static void join_vcpus(struct model_state *state, const struct vcpu_past *old, size_t n_old,
	struct vcpu_past *now, const struct vcpu_sample *vcpu, size_t n, bool plugged)
{
	size_t j = 0;
	for (size_t i = 0; i < n; i++) {
		for (; j < n_old && old[j].id < vcpu[i].id; j++)
			slot_give(&state->vcpu_slots, old[j].slot);
		if (j == n_old || old[j].id != vcpu[i].id) {
			now[i] = vcpu_born(state, vcpu[i].id, AVAIL_FIRST);
			continue;
		}
		now[i] = old[j++];
		if (vi64_has(vcpu[i].time_ns) && vi64_has(now[i].time[NEW_BASE]) &&
			vcpu[i].time_ns.v < now[i].time[NEW_BASE].v) {
			slot_give(&state->vcpu_slots, now[i].slot);
			now[i] = vcpu_born(state, vcpu[i].id, AVAIL_RESET);
		}
		if (plugged)
			demand_reset(&now[i].demand);
	}
	for (; j < n_old; j++)
		slot_give(&state->vcpu_slots, old[j].slot);
}

static void vm_born(struct model_state *state, struct vm_past *now, struct vcpu_past *vcpus,
	const struct vm_sample *vm, const struct vcpu_sample *vcpu, int64_t time_ns, enum avail why)
{
	memset(now, 0, sizeof *now);
	now->slot = UINT32_MAX;
	now->birth = ++state->births;
	now->first_seen_ns = time_ns;
	for (size_t i = 0; i < VM_COUNTERS_N; i++)
		now->counter[i][NEW_BASE] = vi64_absent(why);
	for (size_t i = 0; i < vm->n_vcpus; i++)
		vcpus[i] = vcpu_born(state, vcpu[i].id, why);
}

static void join_vm(struct model_state *state, const struct past *old, const struct vm_past *match,
	struct past *now, const struct sample *sample, const struct vm_sample *vm)
{
	struct vm_past *to = &now->vms[vm - sample->vms];
	struct vcpu_past *vcpus = now->vcpus + vm->first_vcpu;
	const struct vcpu_sample *vcpu = vm->n_vcpus ? sample->vcpus + vm->first_vcpu : NULL;
	if (!match) {
		vm_born(state, to, vcpus, vm, vcpu, sample->time_ns, AVAIL_FIRST);
	} else {
		const struct vcpu_past *past = old->vcpus + match->first_vcpu;
		if (vm_restarted(match, vm, past, vcpu)) {
			vm_gone(state, match, past);
			vm_born(state, to, vcpus, vm, vcpu, sample->time_ns, AVAIL_RESET);
		} else {
			*to = *match;
			join_vcpus(state, past, match->n_vcpus, vcpus, vcpu, vm->n_vcpus,
				!same_vcpus(match, past, vm, vcpu));
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
void model_join_vms(
	struct model_state *state, const struct past *old, struct past *now, const struct sample *sample)
{
	size_t j = 0;
	for (size_t i = 0; i < sample->n_vms; i++) {
		const struct vm_sample *vm = &sample->vms[i];
		for (; j < old->n_vms && uuid_compare(old->vms[j].uuid, vm->uuid) < 0; j++)
			vm_gone(state, &old->vms[j], old->vcpus + old->vms[j].first_vcpu);
		bool same = j < old->n_vms && uuid_compare(old->vms[j].uuid, vm->uuid) == 0;
		join_vm(state, old, same ? &old->vms[j] : NULL, now, sample, vm);
		j += same;
	}
	for (; j < old->n_vms; j++)
		vm_gone(state, &old->vms[j], old->vcpus + old->vms[j].first_vcpu);
	now->n_vms = sample->n_vms;
	now->n_vcpus = sample->n_vcpus;
	for (size_t i = 0; i < sample->n_vms; i++) {
		struct vm_past *past = &now->vms[i];
		if (past->slot == UINT32_MAX)
			past->slot = slot_take(&state->vm_slots);
		for (size_t k = past->first_vcpu; k < past->first_vcpu + past->n_vcpus; k++)
			if (now->vcpus[k].slot == UINT32_MAX)
				now->vcpus[k].slot = slot_take(&state->vcpu_slots);
	}
}

void model_join_pcpus(const struct past *old, struct past *now, const struct sample *sample)
{
	size_t j = 0;
	for (size_t i = 0; i < sample->host.n_pcpus; i++) {
		int id = sample->host.pcpus[i].id;
		while (j < old->n_pcpus && old->pcpus[j].id < id)
			j++;
		if (j < old->n_pcpus && old->pcpus[j].id == id)
			now->pcpus[i] = old->pcpus[j];
		else
			now->pcpus[i] = (struct pcpu_past){.id = id};
	}
	now->n_pcpus = sample->host.n_pcpus;
}
