/* SPDX-License-Identifier: MIT */
/* What moves between the hosts of a fleet would help, from its rows. Proposes only. A host of which too
 * little is known neither gives nor takes. Of what VMs need of a host only pins and disks are known here, and
 * not of every source: whoever carries a move out checks all of it, and libvirt refuses what cannot be. */
#ifndef VMTOP_FLEET_PROPOSE_H
#define VMTOP_FLEET_PROPOSE_H

#include "vmtop/fleet.h"
#include "vmtop/fleet_plan.h"

/* Of a host's memory that is not for guests: itself, page cache, their QEMUs. */
enum { FLEET_RESERVE_PART = 16 };

struct fleet_proposal {
	struct fleet_unit *units;        /* by host of the fleet */
	struct fleet_task *tasks;        /* by VM */
	size_t n_units, n_tasks, unseen; /* unseen: hosts of which too little is known to plan with */
	struct fleet_plan plan;
};

/* Zeroed before the first use; the caller ends it. -1: out of memory. */
int fleet_propose(const struct fleet *fleet, struct fleet_proposal *to);
void fleet_proposal_done(struct fleet_proposal *proposal);

/* A host's demand as percent of its pCPUs once so many moves of the plan are done. */
double fleet_proposal_load(const struct fleet_proposal *proposal, size_t host, size_t moves);
/* "db 2: host-a -> host-b, wants 2.1 pCPUs, has 4.0 GiB; host-a 112 -> 91 %, host-b 40 -> 61 %": before it
 * and after it, once those before it are done. Names escaped. */
void fleet_move_text(
	const struct fleet *fleet, const struct fleet_proposal *proposal, size_t move, char *buf, size_t len);
/* One line on the whole: that nothing is to be done, how many are helped, who cannot be. */
void fleet_proposal_text(const struct fleet_proposal *proposal, char *buf, size_t len);
/* What was not compared for the moves, in one line; empty: there is no move. */
void fleet_proposal_unsure(
	const struct fleet *fleet, const struct fleet_proposal *proposal, char *buf, size_t len);
/* What a person types to carry it out, "" where a name or URI is not plain enough to be typed, or is no
 * libvirt's. */
void fleet_move_command(
	const struct fleet *fleet, const struct fleet_proposal *proposal, size_t move, char *buf, size_t len);

#endif
