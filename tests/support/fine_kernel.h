/* SPDX-License-Identifier: MIT */
/* Threads on pCPUs, step by step: an oracle for the simulator's formulas that shares nothing with them. */
#ifndef VMTOP_FINE_KERNEL_H
#define VMTOP_FINE_KERNEL_H

#include <stdint.h>

enum { FINE_THREADS = 64, FINE_PCPUS = 32 };

struct fine_thread {
	double duty;   /* share of the time it would run alone: it computes and sleeps, 40 ms on average */
	uint32_t cpus; /* bit mask */
};

/* Share of the time that each waits, over this many seconds. */
void fine_kernel(const struct fine_thread *threads, int n, int pcpus, double seconds, double *wait);

#endif
