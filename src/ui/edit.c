/* SPDX-License-Identifier: MIT */
/* Pins staged by hand. Invariant: a staged set is never empty and lies inside what the vCPU is allowed and
 * the host has; nothing is changed before it is applied. */
#include <string.h>

#include "view_private.h"

const struct staged *edit_find(const struct view *v, const uint8_t uuid[UUID_BYTES], int vcpu)
{
	for (size_t i = 0; i < v->n_staged; i++)
		if (v->staged[i].vcpu == vcpu && !uuid_compare(v->staged[i].uuid, uuid))
			return &v->staged[i];
	return NULL;
}

static void edit_remove(struct view *v, const uint8_t uuid[UUID_BYTES], int vcpu)
{
	const struct staged *g = edit_find(v, uuid, vcpu);
	if (g)
		v->staged[g - v->staged] = v->staged[--v->n_staged];
}

void edit_set(struct view *v, const uint8_t uuid[UUID_BYTES], int vcpu, const struct cpuset *to)
{
	edit_remove(v, uuid, vcpu);
	if (cpuset_empty(to))
		return;
	if (v->n_staged == STAGED_MAX) {
		view_say(v, "apply (y) first: %d at most can be staged", STAGED_MAX);
		return;
	}
	struct staged *g = &v->staged[v->n_staged++];
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
	long unit = units_find(v, v->map_cpu);
	struct cpuset may, now, want;
	if (!c || unit < 0)
		return;
	const uint8_t *uuid = s->sample.vms[vm].uuid;
	want = v->units[unit].cpus;
	edit_allowed(s, c, &may);
	cpuset_and(&want, &may);
	if (cpuset_empty(&want)) {
		view_say(v, "%s %s is not in the allowed set of vCPU %d", merge_text(v->merge),
			v->units[unit].label, c->id);
		return;
	}
	const struct staged *g = edit_find(v, uuid, c->id);
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
	for (size_t i = 0; i < v->n_staged; i++) {
		struct command c = {.kind = CMD_PIN, .vcpu = v->staged[i].vcpu, .cpus = v->staged[i].to};
		memcpy(c.uuid, v->staged[i].uuid, UUID_BYTES);
		view_send(v, &c);
	}
	edit_drop(v);
}

void edit_drop(struct view *v)
{
	v->n_staged = 0;
	if (v->edit)
		v->id = v->edit_from;
	v->edit = false;
}
