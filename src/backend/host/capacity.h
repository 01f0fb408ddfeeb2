/* SPDX-License-Identifier: MIT */
/* How much each pCPU of this machine does beside the largest. `root` as in localhost.h. */
#ifndef VMTOP_BACKEND_CAPACITY_H
#define VMTOP_BACKEND_CAPACITY_H

#include "topology.h"

/* Fills capacity of the pCPUs: PCPU_LARGEST or less; 0 where this machine does not tell. */
void capacity_read(const char *root, struct topology *topo);

#endif
