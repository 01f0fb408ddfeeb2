/* SPDX-License-Identifier: MIT */
/* Placement from scratch on the families of Franca et al. and Frangioni et al. for P||Cmax: how often the
 * highest load meets its lower bound, and the mean gap, for LPT, MULTIFIT, LDM and what minmove calls
 * `found`. These families are judged by the highest load; minmove minimises the sum of squares, which is
 * given as well. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "../src/core/place.h"
#include "support/place_gen.h"

enum { MAX_M = 25, SEEDS = 10 };
enum way { LPT, MULTIFIT, LDM, FOUND, WAYS };
static const char *const way_names[] = {"LPT", "MULTIFIT", "LDM", "found"};

static double cpu_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int descending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x < y) - (x > y);
}

/* Largest differencing method: the two partial schedules with the widest spread are joined, high against low.
 */
static double ldm_top(const double *jobs, size_t n, int m, double *loads)
{
	double(*part)[MAX_M] = calloc(n, sizeof(*part));
	size_t left = n;
	for (size_t i = 0; i < n; i++)
		part[i][0] = jobs[i];
	while (left > 1) {
		size_t a = 0, b = 1;
		for (size_t i = 0; i < left; i++) {
			double spread = part[i][0] - part[i][m - 1];
			if (i == a || i == b)
				continue;
			if (part[a][0] - part[a][m - 1] < part[b][0] - part[b][m - 1]) {
				size_t t = a;
				a = b;
				b = t;
			}
			if (spread > part[b][0] - part[b][m - 1])
				b = i;
		}
		for (int j = 0; j < m; j++)
			part[a][j] += part[b][m - 1 - j];
		qsort(part[a], (size_t)m, sizeof(double), descending);
		memmove(part[b], part[--left], sizeof(part[b]));
		if (a == left)
			a = b;
	}
	memcpy(loads, part[0], (size_t)m * sizeof(double));
	free(part);
	return loads[0];
}

struct tally {
	int n, hits[WAYS];
	double gap[WAYS], sigma[WAYS], ms[WAYS];
};

static double top_of(const double *s, int m)
{
	double top = 0;
	for (int j = 0; j < m; j++)
		top = fmax(top, s[j]);
	return top;
}

static double sigma_of(const double *s, int m)
{
	double mean = 0, q = 0;
	for (int j = 0; j < m; j++)
		mean += s[j] / m;
	for (int j = 0; j < m; j++)
		q += (s[j] - mean) * (s[j] - mean);
	return 100 * sqrt(q / m) / mean; /* percent of the mean */
}

/* Integers: the mean rounded up, the largest, and the two that must share when there are more jobs than
 * units. */
static double lower_bound(const double *d, size_t n, int m)
{
	double sum = 0, *sorted = calloc(n, sizeof(*sorted));
	memcpy(sorted, d, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), descending);
	for (size_t i = 0; i < n; i++)
		sum += sorted[i];
	double lb = fmax(ceil(sum / m - 1e-9), sorted[0]);
	if (n > (size_t)m)
		lb = fmax(lb, sorted[m - 1] + sorted[m]);
	free(sorted);
	return lb;
}

static void place_by(struct place_work *w, enum way way, const double *jobs, size_t n, int m, double *loads)
{
	if (way == LDM) {
		ldm_top(jobs, n, m, loads);
		return;
	}
	if (way == FOUND) {
		bool proven;
		double f = place_found(w, &(struct place_enough){0});
		if (place_exact_fits(w))
			place_exact_found(w, f, 0, &proven);
	} else {
		place_lpt(w, w->best);
		if (way == MULTIFIT)
			place_multifit(w, w->best);
	}
	place_set(w, w->best);
	memcpy(loads, w->load, (size_t)m * sizeof(*loads));
}

static void instance(struct place_work *w, struct place_case *c, struct tally *t)
{
	size_t n = c->p.n_tasks;
	int m = (int)c->p.n_units;
	double *jobs = calloc(n, sizeof(*jobs)), loads[MAX_M];
	for (size_t i = 0; i < n; i++)
		jobs[i] = c->tasks[i].demand_pct;
	double lb = lower_bound(jobs, n, m);
	t->n++;
	for (int way = 0; way < WAYS; way++) {
		place_load(w, &c->p);
		double t0 = cpu_ms();
		place_by(w, (enum way)way, jobs, n, m, loads);
		t->ms[way] += cpu_ms() - t0;
		t->hits[way] += top_of(loads, m) <= lb + 1e-6;
		t->gap[way] += top_of(loads, m) / lb - 1;
		t->sigma[way] += sigma_of(loads, m);
	}
	free(jobs);
}

static void draw(struct place_case *c, bool uniform, int b, uint64_t seed)
{
	size_t n = c->p.n_tasks, high = (size_t)ceil(0.99 * (double)n) - 1;
	c->seed = seed;
	for (size_t i = 0; i < n; i++) {
		double lo = 1, hi = b;
		if (!uniform) {
			lo = i < high ? 0.9 * (b - 1) : 1;
			hi = i < high ? b : 0.2 * (b - 1);
		}
		c->tasks[i].demand_pct = floor(lo + place_random(&c->seed) * (floor(hi) - lo + 1));
	}
}

static void family(bool uniform, size_t n, struct tally *all)
{
	static const int ms[] = {5, 10, 25}, bs[] = {100, 1000, 10000};
	struct place_work w = {0};
	struct tally t = {0};
	for (size_t i = 0; i < (n == 10 ? 1 : 3); i++)
		for (size_t k = 0; k < 3; k++)
			for (uint64_t seed = 1; seed <= SEEDS; seed++) {
				struct place_case c;
				place_case_init(&c, n, (size_t)ms[i]);
				draw(&c, uniform, bs[k],
					seed * 1000 + n + (uint64_t)ms[i] * 7 + (uint64_t)bs[k]);
				instance(&w, &c, &t);
				instance(&w, &c, all);
				place_case_done(&c);
			}
	place_done(&w);
	for (int way = 0; way < WAYS; way++)
		printf("%-12s n %5zu  %-9s hits %3d of %3d  gap %8.4f %%  deviation %8.4f %% of the mean  "
		       "%8.3f ms\n",
			uniform ? "uniform" : "non-uniform", n, way_names[way], t.hits[way], t.n,
			100 * t.gap[way] / t.n, t.sigma[way] / t.n, t.ms[way] / t.n);
}

int main(void)
{
	static const size_t ns[] = {10, 50, 100, 500, 1000};
	struct tally all = {0};
	struct utsname u;
	uname(&u);
	printf("host: %ld CPUs, %s %s\n", sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release);
	for (int uniform = 1; uniform >= 0; uniform--)
		for (size_t i = 0; i < sizeof(ns) / sizeof(ns[0]); i++)
			family(uniform, ns[i], &all);
	for (int way = 0; way < WAYS; way++)
		printf("all %d: %-9s hits %3d  mean gap %.4f %%  deviation %.4f %% of the mean\n", all.n,
			way_names[way], all.hits[way], 100 * all.gap[way] / all.n, all.sigma[way] / all.n);
	return 0;
}
