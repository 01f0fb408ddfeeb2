/* SPDX-License-Identifier: MIT */
/* When demand is written for Pacemaker: not at the first wait, not again at once, and not for the same again.
 */
#include <stdlib.h>
#include <string.h>

#include "vmtop/fleet_auto.h"
#include "vmtop/minmax.h"

#define SECOND 1000000000.

/* Hundredths of a pCPU, or a part of what it was. */
enum { WOBBLE = 10, WOBBLE_PART = 5 };

bool fleet_auto_due(struct fleet_auto_pace *p, bool over, int64_t now_ns)
{
	if (!over)
		p->over_ns = 0;
	else if (!p->over_ns)
		p->over_ns = now_ns;
	return over && now_ns - p->over_ns >= (int64_t)(p->after_s * SECOND) && now_ns >= p->rest_ns;
}

static bool differs(long a, long b)
{
	long most = max_of(b / WOBBLE_PART, WOBBLE);
	return (a < 0) != (b < 0) || a - b > most || b - a > most;
}

static bool kept_as(const struct fleet_auto_pace *p, const char *name, size_t node, struct cluster_load load)
{
	for (size_t i = 0; i < p->n_kept; i++) {
		const struct fleet_auto_kept *k = &p->kept[i];
		if (strcmp(k->name, name) == 0 && (k->node == CLUSTER_NOWHERE) == (node == CLUSTER_NOWHERE))
			return k->node == node && !differs(load.cpu, k->load.cpu) &&
			       !differs(load.mem_mib, k->load.mem_mib);
	}
	return false;
}

bool fleet_auto_changed(const struct fleet_auto_pace *p, const struct fleet_auto *a)
{
	const struct cluster *c = a->cluster;
	size_t same = 0;
	for (size_t i = 0; i < c->n_nodes; i++)
		same += kept_as(p, c->nodes[i].name, CLUSTER_NOWHERE, a->demand.nodes[i]);
	for (size_t i = 0; i < c->n_guests; i++)
		same += a->demand.guests[i].cpu >= 0 &&
			kept_as(p, c->guests[i].resource, c->guests[i].node, a->demand.guests[i]);
	return same != p->n_kept || same != c->n_nodes + a->n_given || strcmp(p->version, c->version) != 0;
}

int fleet_auto_tried(struct fleet_auto_pace *p, const struct fleet_auto *a, int64_t now_ns)
{
	const struct cluster *c = a->cluster;
	struct fleet_auto_kept *kept = calloc(c->n_nodes + c->n_guests + 1, sizeof *kept), *k = kept;
	if (!kept)
		return -1;
	for (size_t i = 0; i < c->n_nodes; i++, k++) {
		memcpy(k->name, c->nodes[i].name, sizeof k->name);
		k->node = CLUSTER_NOWHERE;
		k->load = a->demand.nodes[i];
	}
	for (size_t i = 0; i < c->n_guests; i++) {
		if (a->demand.guests[i].cpu < 0)
			continue;
		memcpy(k->name, c->guests[i].resource, sizeof k->name);
		k->node = c->guests[i].node;
		k->load = a->demand.guests[i];
		k++;
	}
	free(p->kept);
	p->kept = kept;
	p->n_kept = (size_t)(k - kept);
	p->rest_ns = now_ns + (int64_t)(p->rest_s * SECOND);
	fleet_auto_settled(p, c);
	return 0;
}

void fleet_auto_refused(struct fleet_auto_pace *p, int64_t now_ns)
{
	p->n_kept = 0;
	p->version[0] = '\0';
	p->rest_ns = now_ns + (int64_t)(p->rest_s * SECOND);
}

void fleet_auto_settled(struct fleet_auto_pace *p, const struct cluster *c)
{
	memcpy(p->version, c->version, sizeof p->version);
}

void fleet_auto_pace_done(struct fleet_auto_pace *p)
{
	free(p->kept);
	*p = (struct fleet_auto_pace){.kept = NULL};
}
