/* SPDX-License-Identifier: MIT */
/* Watches the hosts of a fleet: a thread for each connection, which reads and never changes anything. One
 * that hangs keeps its own row from growing younger, and nobody else. */
#ifndef VMTOP_FLEET_WATCH_H
#define VMTOP_FLEET_WATCH_H

#include "vmtop/config.h"
#include "vmtop/err.h"
#include "vmtop/fleet.h"

struct fleet_watch;

/* The hosts are cfg->fleet_hosts. Nobody is asked for a password. */
struct fleet_watch *fleet_watch_start(const struct config *cfg, struct err *err);
int fleet_watch_fd(const struct fleet_watch *watch); /* readable: something new is known */
/* All that is known now; the caller owns it. NULL: out of memory. */
struct fleet *fleet_watch_take(struct fleet_watch *watch);
/* Ends the threads. -1: some hang over their host and are left behind; the caller may _exit(), or
 * call again. */
int fleet_watch_stop(struct fleet_watch *watch, double timeout_s);

struct snapshot;
/* What a snapshot tells of its host, into a part that has this host alone. -1: out of memory. */
int fleet_fold(struct fleet *part, const struct snapshot *snap, int64_t now_ns);

#endif
