/* SPDX-License-Identifier: MIT */
/* The hands of moves between hosts: each function does one thing for one move (moves.h), in the caller's
 * thread, and waits for no host longer than its deadline. libvirt's is mover_libvirt(); tests have their own.
 */
#ifndef VMTOP_MOVER_H
#define VMTOP_MOVER_H

#include "vmtop/config.h"
#include "vmtop/err.h"
#include "vmtop/moves.h"

struct mover;

struct mover_ops {
	/* What holds right now. Connects, read-write, to the hosts of this move alone. */
	void (*look)(struct mover *mv, const struct move *m, struct move_look *to);
	/* Begins the migration, and returns at once. */
	void (*begin)(struct mover *mv, const struct move *m);
	/* true: it is over; said is what went wrong, empty: nothing. false: it runs on, and p is how far, as
	 * far as is known. */
	bool (*poll)(struct mover *mv, const struct move *m, struct move_progress *p, char said[MOVE_TEXT]);
	/* Asks for the end of what runs. May be refused when it comes too early: then it is asked again. */
	void (*abort)(struct mover *mv, const struct move *m);
	void (*find)(struct mover *mv, const struct move *m, struct move_found *to);
	void (*close)(struct mover *mv);
};

struct mover {
	const struct mover_ops *ops;
};

/* Nothing is connected yet. cfg must last as long. */
struct mover *mover_libvirt(const struct config *cfg, struct err *err);

#endif
