/* SPDX-License-Identifier: MIT */
/* A cluster's configuration and what crm_simulate says of it, as text: read, and edited. Pure but for the
 * definitions of guests. */
#ifndef VMTOP_BACKEND_CLUSTER_XML_H
#define VMTOP_BACKEND_CLUSTER_XML_H

#include "vmtop/cluster.h"

/* From the configuration, and from crm_simulate's answer to it. c->cib is not touched. */
int cluster_read(struct cluster *c, const char *cib, const char *simulated, struct err *e);
/* What it would do. */
int cluster_read_actions(struct cluster_actions *to, const char *simulated, struct err *e);
/* The configuration with a demand; without what any vmtop wrote. To be freed; NULL: e says why. */
char *cluster_with(const char *cib, const struct cluster *c, const struct cluster_demand *d,
	const struct cluster_mark *m, struct err *e);
char *cluster_without(const char *cib, struct err *e);
/* In how many sets of the configuration a writer is named. */
size_t cluster_written(const char *cib, const struct cluster_mark *m);
/* The start of the ids that name a writer. */
void cluster_mark_id(const struct cluster_mark *m, char *buf, size_t len);

#endif
