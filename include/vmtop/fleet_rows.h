/* SPDX-License-Identifier: MIT */
/* The tables of a fleet: a row of this file's tables is all there is to a column of hosts, or of the VMs of
 * all hosts. Screen, text, CSV, JSON, help and the manual come from it. Pure. */
#ifndef VMTOP_FLEET_ROWS_H
#define VMTOP_FLEET_ROWS_H

#include "vmtop/columns.h"
#include "vmtop/fleet.h"

enum fleet_kind { FLEET_HOSTS, FLEET_VMS, FLEET_KINDS };

struct fleet_table {
	const char *word; /* "host", "VM" */
	const char *sort; /* key of the column it is sorted by at first */
	const struct column *columns;
	size_t n;
};

const struct fleet_table *fleet_table(enum fleet_kind kind);
size_t fleet_count(const struct fleet *fleet, enum fleet_kind kind);
/* By key or head, without regard to case; -1: no such column. */
int fleet_column_find(enum fleet_kind kind, const char *name);
void fleet_value(
	const struct fleet *fleet, enum fleet_kind kind, size_t column, size_t row, struct value *val);
/* Its name, raw: of the host, or the VM. */
const char *fleet_name(const struct fleet *fleet, enum fleet_kind kind, size_t row);

/* Rows in order: rows[0..n) are indices, and come out sorted. Ties stay as they were given. -1: out of
 * memory, and the order is what it was. */
int fleet_sort(
	const struct fleet *fleet, enum fleet_kind kind, size_t column, bool reverse, size_t *rows, size_t n);

#endif
