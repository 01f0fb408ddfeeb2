/* SPDX-License-Identifier: MIT */
/* Made-up snapshots of any size for screen tests and benches: the same arguments give the same snapshot. */
#ifndef TESTS_BIGSNAP_H
#define TESTS_BIGSNAP_H

#include "vmtop/snapshot.h"

/* vms VMs of 1 to 4 vCPUs on pcpus pCPUs (two threads a core, eight a LLC, two nodes from 8 pCPUs on). From
 * the fourth VM on every kind of trouble occurs: hung, paused, held, no statistics, hostile names. Aborts
 * when memory is out. */
struct snapshot *bigsnap_new(int vms, int pcpus);
/* As time goes on: numbers move a little, seq and time advance. */
void bigsnap_tick(struct snapshot *s);
/* A plan that moves the first vCPU of each VM one pCPU on and pins the second where it runs; the third line
 * is left out. Or none. */
void bigsnap_preview(struct snapshot *s, bool on);
void bigsnap_free(struct snapshot *s);

extern const char *const bigsnap_hostile[];
extern const size_t bigsnap_n_hostile;

#endif
