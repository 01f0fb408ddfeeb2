/* SPDX-License-Identifier: MIT */
/* Unattended moves between hosts, by Pacemaker: what demand of which guests and what capacity of which nodes
 * is written, when, and whether what Pacemaker would make of it is harmless. Pure.
 *
 * Only against suffering: capacity of a node where nobody waits is never below what its guests want, so that
 * none of them has to leave. A node above its capacity would have Pacemaker stop guests that fit nowhere:
 * hence nothing is written of which crm_simulate says more than live migrations that help. */
#ifndef VMTOP_FLEET_AUTO_H
#define VMTOP_FLEET_AUTO_H

#include "vmtop/cluster.h"
#include "vmtop/config.h"
#include "vmtop/fleet_propose.h"

#define FLEET_AUTO_NONE SIZE_MAX

/* A fleet and a cluster side by side. */
struct fleet_auto {
	const struct fleet *fleet;
	const struct fleet_proposal *proposal;
	const struct cluster *cluster;
	const struct config *cfg;
	size_t *host;  /* by node: its host, or none */
	size_t *guest; /* by VM: its resource, or none */
	bool *over;    /* by host: its guests want more than it has */
	struct cluster_demand demand;
	size_t n_given, n_over; /* guests with demand; hosts in need that have one */
};

/* -1: out of memory. All but `to` must last as long. */
int fleet_auto_make(struct fleet_auto *to, const struct fleet *fleet, const struct fleet_proposal *proposal,
	const struct cluster *cluster, const struct config *cfg);
void fleet_auto_done(struct fleet_auto *pair);

/* A host that is no node of the cluster, or a setting that keeps Pacemaker from heeding demand. true: so. */
bool fleet_auto_unfit(const struct fleet_auto *pair, char *buf, size_t len);
/* Why a VM gets no demand, and whose job it is; false: it does. */
bool fleet_auto_left(const struct fleet_auto *pair, size_t vm, char *buf, size_t len);
/* Why this must not be written; false: it may. */
bool fleet_auto_refuses(
	const struct fleet_auto *pair, const struct cluster_trial *trial, char *buf, size_t len);
/* "vm-db (db): host-a -> host-b" */
void fleet_auto_action_text(
	const struct fleet_auto *pair, const struct cluster_action *action, char *buf, size_t len);

/* ---- when ---- */

struct fleet_auto_kept { /* of the last try */
	char name[CLUSTER_NAME];
	size_t node; /* of a guest; of a node none */
	struct cluster_load load;
};

struct fleet_auto_pace {
	double after_s, rest_s;
	int64_t over_ns, rest_ns; /* since when a host is in need, until when nothing is tried; 0: not */
	struct fleet_auto_kept *kept;
	size_t n_kept;
	char version[48]; /* of the cluster's configuration */
};
/* Somebody has been in need long enough, and the last try is long enough ago. */
bool fleet_auto_due(struct fleet_auto_pace *pace, bool over, int64_t now_ns);
/* Demand differs from the last try by more than a wobble, or somebody has configured the cluster since. */
bool fleet_auto_changed(const struct fleet_auto_pace *pace, const struct fleet_auto *pair);
/* -1: out of memory. */
int fleet_auto_tried(struct fleet_auto_pace *pace, const struct fleet_auto *pair, int64_t now_ns);
/* Nothing was written: it is tried again once it has rested, for what kept it may be over by then. */
void fleet_auto_refused(struct fleet_auto_pace *pace, int64_t now_ns);
/* What vmtop has changed itself is no reason for another try. */
void fleet_auto_settled(struct fleet_auto_pace *pace, const struct cluster *cluster);
void fleet_auto_pace_done(struct fleet_auto_pace *pace);

#endif
