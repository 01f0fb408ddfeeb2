/* SPDX-License-Identifier: MIT */
/* vmtop fleet --plan --carry-out. */
#ifndef VMTOP_CLI_FLEET_CARRY_H
#define VMTOP_CLI_FLEET_CARRY_H

#include "output.h"
#include "vmtop/config.h"
#include "vmtop/fleet.h"

struct carry_order {
	const struct config *cfg;
	const struct output *to;
	bool json, yes; /* yes: do not ask */
	int signals;    /* readable when one came */
};

/* Nobody could be asked: ERR_USAGE, before anything is begun. */
int fleet_carry_check(bool yes, struct err *err);
/* The moves of f's plan. -1: not all of them were done. */
int fleet_carry(const struct carry_order *order, const struct fleet *fleet, struct err *err);

#endif
