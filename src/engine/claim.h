/* SPDX-License-Identifier: MIT */
/* One controller per client machine: a claim on a host that is steered. The journal's lock knows one folder
 * of one user; a claim is seen by every user of this machine. */
#ifndef VMTOP_CLAIM_H
#define VMTOP_CLAIM_H

/* A descriptor to be closed at the end, or -1: somebody else has it, or it cannot be had here. */
int claim_take(const char *host);
/* Whose it is: a process id, -1 somebody unknown, 0 nobody who counts. */
long claim_owner(const char *host);
/* Forgets those who asked; now and then, while it is held. */
void claim_tidy(int claim);

#endif
