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

bool fleet_auto_due(struct fleet_auto_pace *pace, bool over, int64_t now_ns)
{
	if (!over)
		pace->over_ns = 0;
	else if (!pace->over_ns)
		pace->over_ns = now_ns;
	return over && now_ns - pace->over_ns >= (int64_t)(pace->after_s * SECOND) && now_ns >= pace->rest_ns;
}

static bool differs(long a, long b)
{
	long most = max_of(b / WOBBLE_PART, WOBBLE);
	return (a < 0) != (b < 0) || a - b > most || b - a > most;
}

static bool kept_as(
	const struct fleet_auto_pace *pace, const char *name, size_t node, struct cluster_load load)
{
	for (size_t i = 0; i < pace->n_kept; i++) {
		const struct fleet_auto_kept *kept = &pace->kept[i];
		if (strcmp(kept->name, name) == 0 &&
			(kept->node == CLUSTER_NOWHERE) == (node == CLUSTER_NOWHERE))
			return kept->node == node && !differs(load.cpu, kept->load.cpu) &&
			       !differs(load.mem_mib, kept->load.mem_mib);
	}
	return false;
}

bool fleet_auto_changed(const struct fleet_auto_pace *pace, const struct fleet_auto *pair)
{
	const struct cluster *cluster = pair->cluster;
	size_t same = 0;
	for (size_t i = 0; i < cluster->n_nodes; i++)
		same += kept_as(pace, cluster->nodes[i].name, CLUSTER_NOWHERE, pair->demand.nodes[i]);
	for (size_t i = 0; i < cluster->n_guests; i++)
		same += pair->demand.guests[i].cpu >= 0 &&
			kept_as(pace, cluster->guests[i].resource, cluster->guests[i].node,
				pair->demand.guests[i]);
	return same != pace->n_kept || same != cluster->n_nodes + pair->n_given ||
	       strcmp(pace->version, cluster->version) != 0;
}

int fleet_auto_tried(struct fleet_auto_pace *pace, const struct fleet_auto *pair, int64_t now_ns)
{
	const struct cluster *cluster = pair->cluster;
	struct fleet_auto_kept *kept = calloc(cluster->n_nodes + cluster->n_guests + 1, sizeof *kept),
			       *k = kept;
	if (!kept)
		return -1;
	for (size_t i = 0; i < cluster->n_nodes; i++, k++) {
		memcpy(k->name, cluster->nodes[i].name, sizeof k->name);
		k->node = CLUSTER_NOWHERE;
		k->load = pair->demand.nodes[i];
	}
	for (size_t i = 0; i < cluster->n_guests; i++) {
		if (pair->demand.guests[i].cpu < 0)
			continue;
		memcpy(k->name, cluster->guests[i].resource, sizeof k->name);
		k->node = cluster->guests[i].node;
		k->load = pair->demand.guests[i];
		k++;
	}
	free(pace->kept);
	pace->kept = kept;
	pace->n_kept = (size_t)(k - kept);
	pace->rest_ns = now_ns + (int64_t)(pace->rest_s * SECOND);
	fleet_auto_settled(pace, cluster);
	return 0;
}

void fleet_auto_refused(struct fleet_auto_pace *pace, int64_t now_ns)
{
	pace->n_kept = 0;
	pace->version[0] = '\0';
	pace->rest_ns = now_ns + (int64_t)(pace->rest_s * SECOND);
}

void fleet_auto_settled(struct fleet_auto_pace *pace, const struct cluster *cluster)
{
	memcpy(pace->version, cluster->version, sizeof pace->version);
}

void fleet_auto_pace_done(struct fleet_auto_pace *pace)
{
	free(pace->kept);
	*pace = (struct fleet_auto_pace){.kept = NULL};
}
