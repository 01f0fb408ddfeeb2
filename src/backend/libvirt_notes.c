/* SPDX-License-Identifier: MIT */
/* Notes on VMs that outlive a link. Invariant: a pin is foreign unless we asked for that very map on that
 * vCPU a moment ago. Must not know: libvirt. */
#include "libvirt_notes.h"

#include <stdlib.h>
#include <string.h>

void notes_done(struct notes *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->vms[i].pins);
	free(t->vms);
	memset(t, 0, sizeof *t);
}

struct vm_note *note_find(const struct notes *t, const uint8_t uuid[UUID_BYTES])
{
	for (size_t i = 0; i < t->n; i++)
		if (uuid_compare(t->vms[i].uuid, uuid) == 0)
			return &t->vms[i];
	return NULL;
}

struct vm_note *note_get(struct notes *t, const uint8_t uuid[UUID_BYTES])
{
	struct vm_note *vm = note_find(t, uuid);
	if (vm)
		return vm;
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 16;
		vm = reallocarray(t->vms, cap, sizeof *vm);
		if (!vm)
			return NULL;
		t->vms = vm;
		t->cap = cap;
	}
	vm = &t->vms[t->n++];
	memset(vm, 0, sizeof *vm);
	memcpy(vm->uuid, uuid, UUID_BYTES);
	return vm;
}

static struct pin_note *find_pin(const struct vm_note *vm, int vcpu)
{
	for (size_t i = 0; i < vm->n_pins; i++)
		if (vm->pins[i].vcpu == vcpu)
			return &vm->pins[i];
	return NULL;
}

static struct pin_note *get_pin(struct notes *t, const uint8_t uuid[UUID_BYTES], int vcpu)
{
	struct vm_note *vm = note_get(t, uuid);
	struct pin_note *pin = vm ? find_pin(vm, vcpu) : NULL;
	if (pin || !vm)
		return pin;
	pin = reallocarray(vm->pins, vm->n_pins + 1, sizeof *pin);
	if (!pin)
		return NULL;
	vm->pins = pin;
	pin = &vm->pins[vm->n_pins++];
	*pin = (struct pin_note){.vcpu = vcpu};
	return pin;
}

void note_asked(
	struct notes *t, const uint8_t uuid[UUID_BYTES], int vcpu, const struct cpuset *map, int64_t now_ns)
{
	struct pin_note *pin = get_pin(t, uuid, vcpu);
	if (!pin)
		return;
	pin->asked = *map;
	pin->asked_ns = now_ns;
}

bool note_pin_event(
	struct notes *t, const uint8_t uuid[UUID_BYTES], int vcpu, const struct cpuset *map, int64_t time_ns)
{
	struct pin_note *pin = get_pin(t, uuid, vcpu);
	if (!pin)
		return true;
	if (pin->asked_ns && time_ns - pin->asked_ns < ECHO_NS && cpuset_equal(&pin->asked, map))
		return false;
	pin->foreign_ns = time_ns;
	return true;
}

static void forget_gone(struct notes *t, const struct sample *s)
{
	size_t n = 0;
	for (size_t i = 0; i < t->n; i++) {
		if (sample_vm_by_uuid(s, t->vms[i].uuid))
			t->vms[n++] = t->vms[i];
		else
			free(t->vms[i].pins);
	}
	t->n = n;
}

static void apply_pins(const struct vm_note *note, struct sample *s, const struct vm_sample *vm)
{
	for (size_t i = 0; i < vm->n_vcpus; i++) {
		struct vcpu_sample *v = &s->vcpus[vm->first_vcpu + i];
		const struct pin_note *pin = find_pin(note, v->id);
		if (pin && pin->foreign_ns)
			v->foreign_pin_ns = vi64_ok(pin->foreign_ns);
	}
}

void notes_apply(struct notes *t, struct sample *s)
{
	for (size_t i = 0; i < s->n_vms; i++) {
		struct vm_sample *vm = &s->vms[i];
		struct vm_note *note = vm->hung_since_ns ? note_get(t, vm->uuid) : note_find(t, vm->uuid);
		if (!note)
			continue;
		if (!vm->hung_since_ns)
			note->hung_ns = 0;
		else if (!note->hung_ns)
			note->hung_ns = vm->hung_since_ns;
		vm->hung_since_ns = note->hung_ns;
		apply_pins(note, s, vm);
	}
	forget_gone(t, s);
}
