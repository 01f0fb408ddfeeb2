/* SPDX-License-Identifier: MIT */
/* vmtop fleet --auto=fleet. */
#ifndef VMTOP_CLI_FLEET_AUTO_H
#define VMTOP_CLI_FLEET_AUTO_H

#include "output.h"
#include "vmtop/config.h"
#include "vmtop/fleet.h"

struct fleet_auto_run;

/* On a node of a cluster that may be steered now. NULL: e says what is missing. Both must last as long. */
struct fleet_auto_run *fleet_auto_open(
	const struct config *cfg, const struct output *to, bool json, struct err *e);
/* One look at the fleet: what is due is done and told. > 0: go on; 0: the reader has gone; -1: unfit. */
int fleet_auto_turn(struct fleet_auto_run *r, const struct fleet *f, struct err *e);
/* What Pacemaker would do now; nothing is written. The same. */
int fleet_auto_preview(struct fleet_auto_run *r, const struct fleet *f, struct err *e);
/* Takes away what is written; -1: it could not. e may be NULL. */
int fleet_auto_close(struct fleet_auto_run *r, struct err *e);

#endif
