/* SPDX-License-Identifier: MIT */
/* How many moves minmove's solvers need to bring a random start (uniform demand, 60 % mean load) to a
 * deviation of 5 %, against the proven minimum to the same deviation (cbc). Argument: instances of each size
 * (12; 100 takes about half an hour, nearly all of it in cbc). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "../src/core/place.h"
#include "support/place_gen.h"
#include "support/place_oracle.h"

enum { TARGET_PCT = 5, CBC_SECONDS = 20, PER_MS = 100000 };
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
	int n, worse, optimal;
	double sum, worst, ms;
};

static void tally_add(struct tally *t, size_t moves, int least, double ms)
{
	double ratio = least > 0 ? (double)moves / least : 1;
	t->n++;
	t->sum += ratio;
	t->worst = fmax(t->worst, ratio);
	t->optimal += (int)moves == least;
	t->worse += (double)moves > 1.5 * least + 1;
	t->ms += ms;
}

static void tally_print(const char *name, int target_pct, const struct tally *t)
{
	if (t->n)
		printf("  %-30s %6.1f %% above the minimum (target %d), worst %.2f x, optimal %3d of %3d, "
		       "beyond 1.5 x + "
		       "1: %d, "
		       "%7.3f ms\n",
			name, 100 * (t->sum / t->n - 1), target_pct, t->worst, t->optimal, t->n, t->worse,
			t->ms / t->n);
}

/* Returns false when cbc had not enough time. */
static bool instance(struct place_work *w, size_t n, size_t m, uint64_t seed, struct tally *tally)
{
	struct place_case c;
	bool proven = false;
	size_t moves[WAYS];
	double ms[WAYS];
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
	}
	double reached = fmax(TARGET_PCT, place_sigma(w, place_q(w)));
	int least = oracle_cbc_moves(&c, reached, CBC_SECONDS, &proven);
	for (int i = 0; i < WAYS && proven; i++)
		tally_add(&tally[i], moves[i], least, ms[i]);
	place_case_done(&c);
	return proven;
}

static void instances(size_t n, size_t m, int count)
{
	struct place_work w = {0};
	struct tally tally[WAYS] = {{0}};
	int unproven = 0;
	for (int i = 0; i < count; i++)
		unproven += !instance(&w, n, m, (uint64_t)i + 1, tally);
	printf("%zu vCPUs x %zu pCPUs to %d %%: %d instances, %d without a proof in %d s\n", n, m, TARGET_PCT,
		count, unproven, CBC_SECONDS);
	for (int i = 0; i < WAYS; i++)
		tally_print(way_names[i], targets_pct[i], &tally[i]);
	place_done(&w);
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 12;
	struct utsname u;
	uname(&u);
	printf("host: %ld CPUs, %s %s\n", sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release);
	if (!oracle_have_cbc()) {
		printf("skipped: cbc (package coinor-cbc) is not installed, so nothing can be proven\n");
		return 0;
	}
	instances(32, 8, count);
	instances(64, 16, count);
	return 0;
}
