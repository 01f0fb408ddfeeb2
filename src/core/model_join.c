/* SPDX-License-Identifier: MIT */
/* Who is who from sample to sample: VMs by UUID, vCPUs by number, pCPUs by id. Invariant: an object keeps its
 * slot while it lives, and a reused slot has another birth. Knows nothing of rates. */
#include <string.h>

#include "model_priv.h"

static uint32_t slot_take(struct slots *s)
{
	return s->n_free ? s->free[--s->n_free] : (uint32_t)s->n++;
}

static void slot_give(struct slots *s, uint32_t slot)
{
	s->free[s->n_free++] = slot;
}

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
	for (size_t i = 0; i < VM_COUNTERS_N; i++)
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
void model_join_vms(struct model_state *st, const struct past *old, struct past *now, const struct sample *s)
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

void model_join_pcpus(const struct past *old, struct past *now, const struct sample *s)
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
