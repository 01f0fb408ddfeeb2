/* SPDX-License-Identifier: MIT */
/* Guests that are resources of a Pacemaker cluster (ocf:heartbeat:VirtualDomain), and their moves: through
 * its own commands where this machine is a node of it, never behind its back. */
#ifndef VMTOP_BACKEND_PACEMAKER_H
#define VMTOP_BACKEND_PACEMAKER_H

#include "child.h"
#include "vmtop/moves.h"

/* What the cluster knows of one guest. target, target_host: names of the host it is to go to, as the fleet
 * and as that host itself have it. Sets resource and node, or owner: why it may not be moved; neither: it is
 * no resource. */
struct pacemaker_question {
	const char *vm;
	const uint8_t *uuid;
	const char *target, *target_host;
	const char *root; /* before /run; "" but in tests */
	bool local;       /* the guest is on this machine */
};
void pacemaker_look(const struct pacemaker_question *ask, struct move_look *to);
/* The same from the cluster's configuration, as XML. */
void pacemaker_read(const struct pacemaker_question *ask, const char *cib, struct move_look *to);

/* One move: the constraint, waiting, the constraint taken away, waiting. */
struct pacemaker_move {
	char resource[MOVE_OWNER], node[MOVE_OWNER];
	struct child child;
	int step;
	bool moved;
	char said[MOVE_TEXT]; /* the first that failed */
};
void pacemaker_begin(struct pacemaker_move *move, const char *resource, const char *node);
/* true: it is over, and said is filled. */
bool pacemaker_poll(struct pacemaker_move *move);
void pacemaker_done(struct pacemaker_move *move);

#endif
