/* SPDX-License-Identifier: MIT */
/* Made-up fleets. */
#ifndef TESTS_FLEETS_H
#define TESTS_FLEETS_H

#include "vmtop/fleet.h"

/* n hosts with vms VMs each: "kvm001", ...; settled at 100 s. Of the first three, as far as there are so
 * many, one is well, one hangs at connect, and one has been lost. */
struct fleet *fleet_made(size_t n, size_t vms);

#endif
