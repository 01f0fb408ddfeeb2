/* SPDX-License-Identifier: MIT */
/* The rules of two peers, written anew for benches from their published policies: oVirt MoM's
 * mom-balloon.policy and Proxmox VE's auto-ballooning. They decide on a toy host; never part of the program.
 */
#ifndef TESTS_SUPPORT_MEM_PEERS_H
#define TESTS_SUPPORT_MEM_PEERS_H

#include "support/mem_toy.h"

enum { PEER_GUESTS = 8, PEER_LEAST_MIB = 1024 /* smallest balloon that both are configured with */ };

/* Forgets the averages of the last run. */
void peers_begin(void);
/* Each is called every 5 s on a new sample and appends its orders to t->plan. */
void mom_decide(struct toy *t);
void pve_decide(struct toy *t);

#endif
