/* SPDX-License-Identifier: MIT */
/* A what-if of one host: its vCPUs at their peaks, put on its pCPUs one after the other, the largest first,
 * as a kernel with time to balance would. Sums alone do not tell: eight vCPUs of 90 % fill eight pCPUs though
 * 80 % of one is left.
 */
#include <math.h>
#include <stdlib.h>

#include "vmtop/fleet_plan.h"

enum { PCPUS_MOST = 1024 };

/* Those with the least choice first, then the largest. */
static int first_served(const void *a, const void *b)
{
	const struct fleet_part *x = a, *y = b;
	int m = x->pins ? __builtin_popcountll(x->pins) : PCPUS_MOST,
	    n = y->pins ? __builtin_popcountll(y->pins) : PCPUS_MOST;
	return m != n ? (m > n) - (m < n) : (x->cpu < y->cpu) - (x->cpu > y->cpu);
}

/* The emptiest is at the top; this one has got more. */
static void sift(double *bins, size_t n, size_t at)
{
	for (size_t i = at, k; (k = 2 * i + 1) < n; i = k) {
		k += k + 1 < n && bins[k + 1] < bins[k];
		if (bins[i] <= bins[k])
			return;
		double swap = bins[i];
		bins[i] = bins[k];
		bins[k] = swap;
	}
}

/* On the emptiest of those that it may use. A pin beyond them all binds nobody. */
static double *own_bin(double *bins, size_t n, uint64_t pins)
{
	double *best = NULL;
	for (size_t i = 0; i < n && i < 64; i++)
		if (pins >> i & 1 && (!best || bins[i] < *best))
			best = &bins[i];
	return best ? best : bins;
}

/* false: a pCPU has more than that. Those with pins come first; then the order of the pCPUs is lost. */
static bool put_all(const struct fleet_part *parts, size_t n, double *bins, size_t pcpus, double most)
{
	size_t i = 0;
	for (; i < n && parts[i].pins; i++) {
		double *bin = own_bin(bins, pcpus, parts[i].pins);
		*bin += parts[i].cpu;
		if (*bin > most)
			return false;
	}
	for (size_t k = pcpus; k-- > 0;)
		sift(bins, pcpus, k);
	for (; i < n; i++) {
		bins[0] += parts[i].cpu;
		if (bins[0] > most)
			return false;
		sift(bins, pcpus, 0);
	}
	return true;
}

bool fleet_fits(struct fleet_part *parts, size_t n, size_t pcpus, double own, double most)
{
	double bins[PCPUS_MOST], sum = 0, largest = 0;
	bool pinned = false;
	const double slack = 1e-9;
	for (size_t i = 0; i < n; i++) {
		parts[i].cpu =
			fmin(parts[i].cpu, most - own); /* one that is always busy may have a pCPU alone */
		sum += parts[i].cpu;
		largest = fmax(largest, parts[i].cpu);
		pinned |= parts[i].pins != 0;
	}
	if (!pcpus || own + sum / (double)pcpus > most + slack)
		return false;
	/* Whoever comes finds a pCPU that has no more than the mean. */
	if (pcpus > PCPUS_MOST || (!pinned && own + sum / (double)pcpus + largest <= most))
		return true;
	qsort(parts, n, sizeof *parts, first_served);
	for (size_t i = 0; i < pcpus; i++)
		bins[i] = own;
	return put_all(parts, n, bins, pcpus, most + slack);
}
