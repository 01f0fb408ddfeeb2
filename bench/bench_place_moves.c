/* SPDX-License-Identifier: MIT */
/* How many moves minmove's solvers need to bring a random start (uniform demand, 60 % mean load) to a
 * deviation of 5 %, against the fewest that cbc proves necessary for the same. Argument: instances of each
 * size (100). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "../src/core/place.h"
#include "support/place_gen.h"
#include "support/place_oracle.h"

enum { TARGET_PCT = 5, CBC_SECONDS = 60, PER_MS = 100000 };
enum way { FAST, SEARCH_2MS, SEARCH_50MS, WAYS };

static const char *const way_names[] = {"fast path", "with search_ms = 2 (default)", "with search_ms = 50"};
static const size_t efforts[] = {0, 2 * PER_MS, 50 * PER_MS};
static const int targets_pct[] = {20, 20, 10}; /* moves above the proven minimum, on average */

static double cpu_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

struct tally {
	int n, beyond, optimal, missed;
	double sum, worst, ms;
};

/* All instances of a size. */
struct size_run {
	struct tally way[WAYS];
	int n, unproven, least_gap; /* moves known less moves proven, summed over those without a proof */
	double cbc_s, cbc_worst_s;
};

static void tally_add(struct tally *t, size_t moves, bool reached, int least, double ms)
{
	double ratio = least > 0 ? (double)moves / least : 1;
	t->ms += ms;
	t->n++;
	if (!reached) {
		t->missed++;
		return;
	}
	t->sum += ratio;
	t->worst = fmax(t->worst, ratio);
	t->optimal += (int)moves == least;
	t->beyond += (double)moves > 1.5 * least + 1;
}

static void tally_print(const char *name, int target_pct, const struct tally *t)
{
	int n = t->n - t->missed;
	printf("  %-28s %7.1f %7d %9.2f %8d %8d %8d %9.3f\n", name, n ? 100 * (t->sum / n - 1) : NAN,
		target_pct, t->worst, t->optimal, t->beyond, t->missed, t->n ? t->ms / t->n : NAN);
}

static double wall_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct oracle_moves proof(struct size_run *r, const struct place_case *c, int known)
{
	double t0 = wall_s();
	struct oracle_moves x = oracle_cbc_moves(c, TARGET_PCT, known, CBC_SECONDS);
	double took = wall_s() - t0;
	r->cbc_s += took;
	r->cbc_worst_s = fmax(r->cbc_worst_s, took);
	return x;
}

static void instance(struct size_run *r, struct place_work *w, size_t n, size_t m, uint64_t seed)
{
	struct place_case c;
	size_t moves[WAYS];
	double ms[WAYS];
	bool reached[WAYS];
	int known = -1;
	place_case_init(&c, n, m);
	place_case_random(&c, seed, SHAPE_UNIFORM, 60);
	struct place_goal g = {.f = (double)m * TARGET_PCT * TARGET_PCT, .min_score = 0.5, .max_steps = n};
	for (int i = 0; i < WAYS; i++) {
		place_load(w, &c.p);
		double t0 = cpu_ms();
		place_greedy(w, &g);
		if (efforts[i])
			place_search(w, &g, efforts[i]);
		ms[i] = cpu_ms() - t0;
		moves[i] = w->n_steps;
		reached[i] = place_q(w) <= g.f * (1 + 1e-6);
		if (reached[i] && (known < 0 || (int)moves[i] < known))
			known = (int)moves[i];
	}
	struct oracle_moves x = proof(r, &c, known);
	r->n++;
	if (x.least == x.known)
		for (int i = 0; i < WAYS; i++)
			tally_add(&r->way[i], moves[i], reached[i], x.least, ms[i]);
	else
		r->unproven++, r->least_gap += x.known - x.least;
	place_case_done(&c);
}

static void instances(size_t n, size_t m, int count)
{
	struct place_work w = {0};
	struct size_run r = {0};
	for (int i = 0; i < count; i++)
		instance(&r, &w, n, m, (uint64_t)i + 1);
	printf("%zu vCPUs x %zu pCPUs: %d instances, %d proven in %.2f s each (%.2f at most), %d not in %d s",
		n, m, r.n, r.n - r.unproven, r.cbc_s / r.n, r.cbc_worst_s, r.unproven, CBC_SECONDS);
	if (r.unproven)
		printf(" (best known less best bound: %.1f moves)", (double)r.least_gap / r.unproven);
	putchar('\n');
	for (int i = 0; i < WAYS; i++)
		tally_print(way_names[i], targets_pct[i], &r.way[i]);
	place_done(&w);
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 100;
	struct utsname u;
	uname(&u);
	printf("host: %ld CPUs, %s %s\n", sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release);
	if (!oracle_have_cbc()) {
		printf("skipped: cbc (package coinor-cbc) is not installed, so nothing can be proven\n");
		return 0;
	}
	printf("moves to a deviation of %d %%: percent above the proven minimum on average, the target, the "
	       "worst "
	       "ratio;\ninstances solved with the minimum, beyond 1.5 x minimum + 1, not brought to %d %%; "
	       "CPU ms\n"
	       "  %-28s %7s %7s %9s %8s %8s %8s %9s\n",
		TARGET_PCT, TARGET_PCT, "", "above", "target", "worst", "minimal", "beyond", "missed", "ms");
	instances(32, 8, count);
	instances(64, 16, count);
	return 0;
}
