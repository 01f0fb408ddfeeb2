/* SPDX-License-Identifier: MIT */
/* In each step of half a millisecond as many of the runnable threads run as their sets allow, those first
 * that ran the least: a maximum matching of threads and pCPUs. */
#include "support/fine_kernel.h"

#include <math.h>
#include <stdbool.h>

struct fine {
	const struct fine_thread *threads;
	int n, pcpus;
	bool on[FINE_THREADS];
	double left[FINE_THREADS]; /* of the computing or sleeping that is on */
	double ran[FINE_THREADS];  /* virtual: caught up on waking */
	double wait[FINE_THREADS];
	int owner[FINE_PCPUS];
	uint64_t random;
};

static const double step_s = .0005, cycle_s = .04;

static double draw(struct fine *f, double mean)
{
	f->random = f->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return -mean * log(1 - (double)(f->random >> 11) / 9007199254740992.0);
}

static void wake(struct fine *f, int i)
{
	double least = INFINITY;
	for (int k = 0; k < f->n; k++)
		if (f->on[k] && f->ran[k] < least)
			least = f->ran[k];
	if (least < INFINITY && f->ran[i] < least)
		f->ran[i] = least;
	f->on[i] = true;
	f->left[i] = draw(f, f->threads[i].duty * cycle_s);
}

static bool match(struct fine *f, int i, uint32_t *seen)
{
	for (int c = 0; c < f->pcpus; c++) {
		if (!(f->threads[i].cpus >> c & 1) || (*seen >> c & 1))
			continue;
		*seen |= UINT32_C(1) << c;
		if (f->owner[c] < 0 || match(f, f->owner[c], seen)) {
			f->owner[c] = i;
			return true;
		}
	}
	return false;
}

static int runnable(struct fine *f, int *order)
{
	int n = 0;
	for (int i = 0; i < f->n; i++) {
		if (!f->on[i] && (f->left[i] -= step_s) <= 0)
			wake(f, i);
		if (!f->on[i])
			continue;
		int at = n++;
		for (; at > 0 && f->ran[order[at - 1]] > f->ran[i]; at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
	return n;
}

static void run(struct fine *f, int i)
{
	f->ran[i] += step_s;
	f->left[i] -= step_s;
	if (f->left[i] > 0 || f->threads[i].duty >= 1)
		return;
	f->on[i] = false;
	f->left[i] = draw(f, (1 - f->threads[i].duty) * cycle_s);
}

static void one_step(struct fine *f)
{
	int order[FINE_THREADS], n = runnable(f, order);
	bool runs[FINE_THREADS] = {false};
	for (int c = 0; c < f->pcpus; c++)
		f->owner[c] = -1;
	for (int k = 0; k < n; k++) {
		uint32_t seen = 0;
		match(f, order[k], &seen);
	}
	for (int c = 0; c < f->pcpus; c++)
		if (f->owner[c] >= 0)
			runs[f->owner[c]] = true;
	for (int k = 0; k < n; k++) {
		if (runs[order[k]])
			run(f, order[k]);
		else
			f->wait[order[k]] += step_s;
	}
}

void fine_kernel(const struct fine_thread *threads, int n, int pcpus, double seconds, double *wait)
{
	struct fine f = {.threads = threads, .n = n, .pcpus = pcpus, .random = 1};
	for (int i = 0; i < n; i++)
		f.left[i] = draw(&f, cycle_s);
	for (double t = 0; t < seconds; t += step_s)
		one_step(&f);
	for (int i = 0; i < n; i++)
		wait[i] = f.wait[i] / seconds;
}
