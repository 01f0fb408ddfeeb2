/* SPDX-License-Identifier: MIT */
/* Pins staged by hand. Invariant: a staged set is never empty and lies inside what the vCPU is allowed and
 * the host has; nothing is changed before it is applied. */
#include <string.h>

#include "view_private.h"

const struct staged *edit_find(const struct editor *e, const uint8_t uuid[UUID_BYTES], int vcpu)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->staged[i].vcpu == vcpu && !uuid_compare(e->staged[i].uuid, uuid))
			return &e->staged[i];
	return NULL;
}

static void edit_remove(struct editor *e, const uint8_t uuid[UUID_BYTES], int vcpu)
{
	const struct staged *g = edit_find(e, uuid, vcpu);
	if (g)
		e->staged[g - e->staged] = e->staged[--e->n];
}

void edit_set(struct view *v, const uint8_t uuid[UUID_BYTES], int vcpu, const struct cpuset *to)
{
	edit_remove(&v->editor, uuid, vcpu);
	if (cpuset_empty(to))
		return;
	if (v->editor.n == STAGED_MAX) {
		view_say(v, "apply (y) first: %d at most can be staged", STAGED_MAX);
		return;
	}
	struct staged *g = &v->editor.staged[v->editor.n++];
	memcpy(g->uuid, uuid, UUID_BYTES);
	g->vcpu = vcpu;
	g->to = *to;
}

bool edit_allowed(const struct snapshot *s, const struct vcpu_sample *c, struct cpuset *may)
{
	sample_online(&s->sample, may);
	cpuset_and(may, &c->allowed);
	return !cpuset_empty(may);
}

void edit_toggle(struct view *v, const struct snapshot *s)
{
	size_t vm;
	const struct vcpu_sample *c = edit_vcpu(v, s, &vm);
	long unit = units_find(&v->units, v->map.cpu);
	struct cpuset may, now, want;
	if (!c || unit < 0)
		return;
	const uint8_t *uuid = s->sample.vms[vm].uuid;
	want = v->units.list[unit].cpus;
	edit_allowed(s, c, &may);
	cpuset_and(&want, &may);
	if (cpuset_empty(&want)) {
		view_say(v, "%s %s is not in the allowed set of vCPU %d", merge_text(v->units.merge),
			v->units.list[unit].label, c->id);
		return;
	}
	const struct staged *g = edit_find(&v->editor, uuid, c->id);
	cpuset_clear(&now);
	if (g)
		now = g->to;
	else if (c->affinity_avail == AVAIL_OK && c->pinned)
		now = c->affinity;
	if (cpuset_subset(&want, &now))
		cpuset_andnot(&now, &want);
	else
		cpuset_or(&now, &want);
	edit_set(v, uuid, c->id, &now);
}

void edit_apply(struct view *v)
{
	for (size_t i = 0; i < v->editor.n; i++) {
		struct command c = {
			.kind = CMD_PIN, .vcpu = v->editor.staged[i].vcpu, .cpus = v->editor.staged[i].to};
		memcpy(c.uuid, v->editor.staged[i].uuid, UUID_BYTES);
		view_send(v, &c);
	}
	edit_drop(v);
}

void edit_drop(struct view *v)
{
	v->editor.n = 0;
	if (v->editor.on)
		v->id = v->editor.from;
	v->editor.on = false;
}
