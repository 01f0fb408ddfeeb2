/* SPDX-License-Identifier: MIT */
/* A cluster's configuration and what crm_simulate says of it, as text: read, and edited. Pure but for the
 * definitions of guests. */
#ifndef VMTOP_BACKEND_CLUSTER_XML_H
#define VMTOP_BACKEND_CLUSTER_XML_H

#include "vmtop/cluster.h"

/* From the configuration, and from crm_simulate's answer to it. cluster->cib is not touched. */
int cluster_read(struct cluster *cluster, const char *cib, const char *simulated, struct err *err);
/* What it would do. */
int cluster_read_actions(struct cluster_actions *to, const char *simulated, struct err *err);
/* The configuration with a demand; without what any vmtop wrote. To be freed; NULL: err says why. */
char *cluster_with(const char *cib, const struct cluster *cluster, const struct cluster_demand *demand,
	const struct cluster_mark *mark, struct err *err);
char *cluster_without(const char *cib, struct err *err);
/* In how many sets of the configuration a writer is named. */
size_t cluster_written(const char *cib, const struct cluster_mark *mark);
/* The start of the ids that name a writer. */
void cluster_mark_id(const struct cluster_mark *mark, char *buf, size_t len);

#endif
