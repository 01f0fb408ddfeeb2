/* SPDX-License-Identifier: MIT */
/* vmtop fleet --auto=fleet. */
#ifndef VMTOP_CLI_FLEET_AUTO_H
#define VMTOP_CLI_FLEET_AUTO_H

#include "output.h"
#include "vmtop/config.h"
#include "vmtop/fleet.h"

struct fleet_auto_run;

/* On a node of a cluster that may be steered now. NULL: err says what is missing. Both must last as long. */
struct fleet_auto_run *fleet_auto_open(
	const struct config *cfg, const struct output *to, bool json, struct err *err);
/* One look at the fleet: what is due is done and told. > 0: go on; 0: the reader has gone; -1: unfit. */
int fleet_auto_turn(struct fleet_auto_run *run, const struct fleet *fleet, struct err *err);
/* What Pacemaker would do now; nothing is written. The same. */
int fleet_auto_preview(struct fleet_auto_run *run, const struct fleet *fleet, struct err *err);
/* Takes away what is written; -1: it could not. err may be NULL. */
int fleet_auto_close(struct fleet_auto_run *run, struct err *err);

#endif
