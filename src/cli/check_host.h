/* SPDX-License-Identifier: MIT */
/* What --check says of the machine itself. Each fills a line; empty: there is nothing to say. */
#ifndef VMTOP_CLI_CHECK_HOST_H
#define VMTOP_CLI_CHECK_HOST_H

#include "vmtop/snapshot.h"

/* Sockets, cores, threads, caches, and pCPUs of a lesser kind. */
void check_host_shape(const struct snapshot *snap, char *to, size_t len);
/* Where vCPUs may be put, and which pCPUs are left out and why. */
void check_host_room(const struct snapshot *snap, char *to, size_t len);
/* Guests that rules or control groups keep on fewer pCPUs, or below a quota of a whole group. */
void check_host_bounds(const struct snapshot *snap, char *to, size_t len);

#endif
