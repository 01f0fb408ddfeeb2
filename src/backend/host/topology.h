/* SPDX-License-Identifier: MIT */
/* The shape of a host from its capabilities XML: node, socket, core and last-level cache of each pCPU. */
#ifndef VMTOP_BACKEND_TOPOLOGY_H
#define VMTOP_BACKEND_TOPOLOGY_H

#include "vmtop/sample.h"

struct topology_cpu {
	int id, node, socket; /* -1 unknown */
	int core, llc;        /* host-wide, dense from 0; -1 unknown */
	int capacity;         /* as in pcpu_sample, of this machine; capacity_read() */
};
struct topology_node {
	int id;
	struct vi64 total_kib;
};
struct topology {
	struct topology_cpu *cpus; /* sorted by id */
	size_t n_cpus;
	struct topology_node nodes[MAX_NODES];
	size_t n_nodes;
	bool has_llc; /* every pCPU that has a core has a cache too */
};

/* On failure topo is untouched. A host without cells gives an empty topology. */
int topology_parse(struct topology *topo, const char *capabilities, struct err *err);
void topology_done(struct topology *topo);
/* Fills node, socket, core, llc and, where the host is this machine, capacity of the sample's pCPUs, and its
 * node list where that is still empty. */
void topology_apply(const struct topology *topo, struct sample *sample);

#endif
