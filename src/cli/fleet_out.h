/* SPDX-License-Identifier: MIT */
/* Outputs of a fleet. */
#ifndef VMTOP_CLI_FLEET_OUT_H
#define VMTOP_CLI_FLEET_OUT_H

#include <stdio.h>

#include "vmtop/config.h"
#include "vmtop/err.h"
#include "vmtop/fleet_rows.h"

struct fleet_out {
	enum out_format format; /* text, JSON or CSV */
	bool vms;               /* these instead of the hosts; JSON: too */
	int sort;               /* column of what is shown */
	bool plan;              /* and what moves would help, */
	bool carry;             /* which are carried out then */
	long outputs;           /* so far */
};

/* One output. -1: out of memory. */
int fleet_write(FILE *to, const struct fleet_out *o, const struct fleet *fleet, struct err *err);
void fleet_columns_help(FILE *out, enum fleet_kind kind);

#endif
