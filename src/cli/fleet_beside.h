/* SPDX-License-Identifier: MIT */
/* vmtop fleet --auto=fleet beside the fleet's screen: a process of its own, which a screen that hangs or is
 * killed does not hold up. */
#ifndef VMTOP_CLI_FLEET_BESIDE_H
#define VMTOP_CLI_FLEET_BESIDE_H

#include <sys/types.h>

#include "vmtop/err.h"

struct fleet_beside {
	pid_t pid; /* 0: none */
	int fd;    /* what it says; -1: none */
};

/* argv: NULL at its end. */
int fleet_beside_start(struct fleet_beside *beside, const char *const *argv, struct err *err);
/* Asks it to go, and prints what it still says. -1: it ended with an error, or does not end. */
int fleet_beside_stop(struct fleet_beside *beside, struct err *err);

#endif
