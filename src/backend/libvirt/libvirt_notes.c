/* SPDX-License-Identifier: MIT */
/* Notes on VMs that outlive a link. Invariant: a pin is foreign unless we asked for that very map on that
 * vCPU a moment ago. Must not know: libvirt. */
#include "libvirt_notes.h"
#include "vmtop/array.h"
#include "vmtop/minmax.h"

#include <stdlib.h>
#include <string.h>

void notes_done(struct notes *notes)
{
	for (size_t i = 0; i < notes->n; i++)
		free(notes->vms[i].pins);
	free(notes->vms);
	memset(notes, 0, sizeof *notes);
}

struct vm_note *note_find(const struct notes *notes, const uint8_t uuid[UUID_BYTES])
{
	return UUID_FIND(uuid, notes->vms, notes->n, struct vm_note);
}

struct vm_note *note_get(struct notes *notes, const uint8_t uuid[UUID_BYTES])
{
	struct vm_note *vm = note_find(notes, uuid);
	if (vm)
		return vm;
	if (!array_grow(&notes->vms, &notes->cap, notes->n + 1, sizeof *vm))
		return NULL;
	size_t at = UUID_PLACE(uuid, notes->vms, notes->n, struct vm_note);
	vm = &notes->vms[at];
	memmove(vm + 1, vm, (notes->n++ - at) * sizeof *vm);
	memset(vm, 0, sizeof *vm);
	memcpy(vm->uuid, uuid, UUID_BYTES);
	vm->id = -1;
	return vm;
}

static struct pin_note *find_pin(const struct vm_note *vm, int vcpu)
{
	for (size_t i = 0; i < vm->n_pins; i++)
		if (vm->pins[i].vcpu == vcpu)
			return &vm->pins[i];
	return NULL;
}

static struct pin_note *pin_get(struct vm_note *vm, int vcpu)
{
	struct pin_note *pin = vm ? find_pin(vm, vcpu) : NULL;
	if (pin || !vm)
		return pin;
	pin = array_more(&vm->pins, &vm->n_pins, &vm->cap_pins, SIZE_MAX, sizeof *pin);
	if (pin)
		pin->vcpu = vcpu;
	return pin;
}

static struct pin_note *get_pin(struct notes *notes, const uint8_t uuid[UUID_BYTES], int vcpu)
{
	return pin_get(note_get(notes, uuid), vcpu);
}

void note_asked(struct notes *notes, const uint8_t uuid[UUID_BYTES], int vcpu, const struct cpuset *map,
	int64_t now_ns)
{
	struct pin_note *pin = get_pin(notes, uuid, vcpu);
	if (!pin)
		return;
	pin->asked = *map;
	pin->asked_ns = now_ns;
}

void note_refused(struct notes *notes, const uint8_t uuid[UUID_BYTES], int vcpu, const struct cpuset *map,
	int64_t now_ns)
{
	struct pin_note *pin = get_pin(notes, uuid, vcpu);
	if (!pin)
		return;
	pin->refused = *map;
	pin->refused_ns = now_ns;
	pin->seen_ns = 0;
}

bool note_pin_event(struct notes *notes, const uint8_t uuid[UUID_BYTES], int vcpu, const struct cpuset *map,
	int64_t time_ns)
{
	struct pin_note *pin = get_pin(notes, uuid, vcpu);
	if (!pin)
		return true;
	bool may_come = time_ns - pin->asked_ns < ECHO_NS || note_find(notes, uuid)->unknown_call;
	if (pin->asked_ns && may_come && cpuset_equal(&pin->asked, map))
		return false;
	/* What a sample has shown already is no second pin. */
	bool news = !pin->seen_ns || !pin->foreign_ns || time_ns - pin->foreign_ns >= ECHO_NS ||
		    !cpuset_equal(&pin->seen, map);
	if (news)
		pin->foreign_ns = time_ns;
	return true;
}

static void forget_gone(struct notes *notes, const struct sample *sample)
{
	size_t n = 0;
	for (size_t i = 0; i < notes->n; i++) {
		if (sample_vm_by_uuid(sample, notes->vms[i].uuid))
			notes->vms[n++] = notes->vms[i];
		else
			free(notes->vms[i].pins);
	}
	notes->n = n;
}

static bool runs(const struct vm_sample *vm)
{
	return vm->state == VM_RUNNING || vm->state == VM_BLOCKED;
}

/* Ours: what was asked for since the last sample, or just before it, as far as it reads back. */
static bool is_ours(const struct pin_note *pin, const struct cpuset *affinity)
{
	return pin->asked_ns && pin->asked_ns + ECHO_NS >= pin->seen_ns &&
	       cpuset_subset(affinity, &pin->asked);
}

/* taskset, numad, a hook: it comes without an event. The kernel itself changes affinities when pCPUs come and
 * go and when the cpuset around a machine changes. */
static void watch_pin(struct pin_note *pin, const struct vcpu_sample *vcpu, int64_t now_ns, bool host_changed)
{
	enum { STILL = 2 };
	if (vcpu->affinity_avail != AVAIL_OK) {
		pin->seen_ns = 0;
		return;
	}
	bool known = pin->seen_ns && !host_changed && cpuset_equal(&pin->allowed, &vcpu->allowed);
	bool changed = known && !cpuset_equal(&pin->seen, &vcpu->affinity);
	bool told = pin->foreign_ns > pin->seen_ns; /* by an event */
	if (changed && pin->still >= STILL && !told && !is_ours(pin, &vcpu->affinity))
		pin->foreign_ns = now_ns;
	if (known)
		pin->still = changed ? 1 : min_of(pin->still + 1, STILL);
	else
		pin->still = 0;
	pin->seen = vcpu->affinity;
	pin->allowed = vcpu->allowed;
	pin->seen_ns = now_ns;
}

/* Where the host's limits by now say so themselves, they say it better. */
static void leave_out(struct pin_note *pin, struct vcpu_sample *vcpu, int64_t now_ns)
{
	if (!pin->refused_ns)
		return;
	if (now_ns - pin->refused_ns >= REFUSED_NS || !cpuset_subset(&pin->refused, &vcpu->allowed))
		pin->refused_ns = 0;
	else
		cpuset_andnot(&vcpu->allowed, &pin->refused);
}

static void apply_pins(
	struct vm_note *note, struct sample *sample, const struct vm_sample *vm, bool host_changed)
{
	bool watched = runs(vm) && !vm->hung_since_ns && note->id == vm->id;
	for (size_t i = 0; i < vm->n_vcpus; i++) {
		struct vcpu_sample *vcpu = &sample->vcpus[vm->first_vcpu + i];
		struct pin_note *pin = pin_get(note, vcpu->id);
		if (!pin)
			continue;
		if (watched)
			watch_pin(pin, vcpu, sample->time_ns, host_changed);
		else
			pin->seen_ns = 0;
		if (pin->foreign_ns)
			vcpu->foreign_pin_ns = vi64_ok(pin->foreign_ns);
		leave_out(pin, vcpu, sample->time_ns);
	}
	note->id = vm->id;
}

void notes_apply(struct notes *notes, struct sample *sample)
{
	struct cpuset online;
	sample_online(sample, &online);
	bool host_changed = !cpuset_equal(&online, &notes->online);
	notes->online = online;
	for (size_t i = 0; i < sample->n_vms; i++) {
		struct vm_sample *vm = &sample->vms[i];
		struct vm_note *note = note_get(notes, vm->uuid);
		if (!note)
			continue;
		if (!vm->hung_since_ns)
			note->hung_ns = 0;
		else if (!note->hung_ns)
			note->hung_ns = vm->hung_since_ns;
		vm->hung_since_ns = note->hung_ns;
		apply_pins(note, sample, vm, host_changed);
	}
	forget_gone(notes, sample);
}
