/* SPDX-License-Identifier: MIT */
/* Carries moves between hosts out, in a thread of its own; the screen or the command line looks on. */
#ifndef VMTOP_CARRY_H
#define VMTOP_CARRY_H

#include "vmtop/config.h"
#include "vmtop/err.h"
#include "vmtop/mover.h"

struct fleet;
struct fleet_proposal;

/* The moves of a plan. false: out of memory; the caller ends them. */
bool carry_moves(struct moves *to, const struct fleet *fleet, const struct fleet_proposal *proposal,
	const char *peers);

/* One turn: what is due, done by these hands, and told. How long nothing will be due, in ms; 0: come again at
 * once; < 0: it is over. */
int carry_turn(struct moves *moves, struct mover *by, int64_t now_ns);

struct carry;
/* Both are taken over. NULL: err says why, and both have been given back. */
struct carry *carry_start(struct moves *moves, struct mover *by, struct err *err);
int carry_fd(const struct carry *carry); /* readable: something is new */
/* How it stands, true: with something new since. The pointer is good until the next call. */
bool carry_look(struct carry *carry, const struct moves **ms, bool *over);
/* No further move begins, and the one that runs is aborted. */
void carry_abort(struct carry *carry);
/* false: its thread hangs over a host, and is left behind: the caller may only _exit(). */
bool carry_end(struct carry *carry, double timeout_s);

#endif
