/* SPDX-License-Identifier: MIT */
/* Pins staged by hand. Invariant: a staged set is never empty and lies inside what the vCPU is allowed and
 * the host has; nothing is changed before it is applied. */
#include <string.h>

#include "view_private.h"

const struct staged *edit_find(const struct editor *editor, const uint8_t uuid[UUID_BYTES], int vcpu)
{
	for (size_t i = 0; i < editor->n; i++)
		if (editor->staged[i].vcpu == vcpu && !uuid_compare(editor->staged[i].uuid, uuid))
			return &editor->staged[i];
	return NULL;
}

static void edit_remove(struct editor *editor, const uint8_t uuid[UUID_BYTES], int vcpu)
{
	const struct staged *staged = edit_find(editor, uuid, vcpu);
	if (staged)
		editor->staged[staged - editor->staged] = editor->staged[--editor->n];
}

void edit_set(struct view *view, const uint8_t uuid[UUID_BYTES], int vcpu, const struct cpuset *to)
{
	edit_remove(&view->editor, uuid, vcpu);
	if (cpuset_empty(to))
		return;
	if (view->editor.n == STAGED_MAX) {
		view_say(view, "apply (y) first: %d at most can be staged", STAGED_MAX);
		return;
	}
	struct staged *staged = &view->editor.staged[view->editor.n++];
	memcpy(staged->uuid, uuid, UUID_BYTES);
	staged->vcpu = vcpu;
	staged->to = *to;
}

bool edit_allowed(const struct snapshot *snap, const struct vcpu_sample *vcpu, struct cpuset *may)
{
	sample_online(&snap->sample, may);
	cpuset_and(may, &vcpu->allowed);
	return !cpuset_empty(may);
}

void edit_toggle(struct view *view, const struct snapshot *snap)
{
	size_t vm;
	const struct vcpu_sample *vcpu = edit_vcpu(view, snap, &vm);
	long unit = units_find(&view->units, view->map.cpu);
	struct cpuset may, now, want;
	if (!vcpu || unit < 0)
		return;
	const uint8_t *uuid = snap->sample.vms[vm].uuid;
	want = view->units.list[unit].cpus;
	edit_allowed(snap, vcpu, &may);
	cpuset_and(&want, &may);
	if (cpuset_empty(&want)) {
		view_say(view, "%s %s is not in the allowed set of vCPU %d", merge_text(view->units.merge),
			view->units.list[unit].label, vcpu->id);
		return;
	}
	const struct staged *staged = edit_find(&view->editor, uuid, vcpu->id);
	cpuset_clear(&now);
	if (staged)
		now = staged->to;
	else if (vcpu->affinity_avail == AVAIL_OK && vcpu->pinned)
		now = vcpu->affinity;
	if (cpuset_subset(&want, &now))
		cpuset_andnot(&now, &want);
	else
		cpuset_or(&now, &want);
	edit_set(view, uuid, vcpu->id, &now);
}

void edit_apply(struct view *view)
{
	for (size_t i = 0; i < view->editor.n; i++) {
		struct command cmd = {.kind = CMD_PIN,
			.vcpu = view->editor.staged[i].vcpu,
			.cpus = view->editor.staged[i].to};
		memcpy(cmd.uuid, view->editor.staged[i].uuid, UUID_BYTES);
		view_send(view, &cmd);
	}
	edit_drop(view);
}

void edit_drop(struct view *view)
{
	view->editor.n = 0;
	if (view->editor.on)
		view->id = view->editor.from;
	view->editor.on = false;
}

const struct vcpu_sample *edit_vcpu(const struct view *view, const struct snapshot *snap, size_t *vm)
{
	if (!rows_selected(view, snap, vm))
		return NULL;
	const struct vm_sample *m = &snap->sample.vms[*vm];
	const struct vcpu_sample *vcpu = sample_vcpu(&snap->sample, m, view->map.vcpu);
	if (vcpu || !m->n_vcpus)
		return vcpu;
	return &snap->sample.vcpus[m->first_vcpu];
}
