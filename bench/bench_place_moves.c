/* SPDX-License-Identifier: MIT */
/* How many moves minmove's solvers need, against the proven minimum to the same deviation (cbc) and against
 * the bound that no plan can beat. Random starts at 32 x 8 and 64 x 16. Argument: instances of each size
 * (100). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "../src/core/place.h"
#include "support/place_gen.h"
#include "support/place_oracle.h"

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#define T (getenv("T") ? atof(getenv("T")) : 5)
struct tally {
	int n, worse;
	double sum, worst, seconds;
};

static void tally_add(struct tally *t, size_t moves, int least, double seconds)
{
	double ratio = least ? (double)moves / least : 1;
	t->n++;
	t->sum += ratio;
	t->worst = fmax(t->worst, ratio);
	t->worse += (double)moves > 1.5 * least + 1;
	t->seconds += seconds;
}

static void tally_print(const char *name, const struct tally *t)
{
	printf("  %-34s %6.1f %% above  worst %5.2f x  beyond 1.5 x + 1: %d  %8.3f ms\n", name,
		100 * (t->sum / t->n - 1), t->worst, t->worse, 1000 * t->seconds / t->n);
}

static void instances(size_t n, size_t m, int count)
{
	static const char *const shapes[] = {"uniform", "bimodal", "heavy-tailed"};
	struct place_work w = {0};
	struct tally fast = {0}, deep = {0}, bound = {0};
	int unproven = 0;
	for (int i = 0; i < count; i++) {
		struct place_case c;
		place_case_init(&c, n, m);
		place_case_random(&c, (uint64_t)i + 1, SHAPE_UNIFORM, 60);
		place_load(&w, &c.p);
		struct place_goal g = {.f = (double)m * T * T, .min_score = 0.5, .max_steps = n};
		double t0 = now_s();
		place_greedy(&w, &g);
		double t1 = now_s(), reached = fmax(T, place_sigma(&w, place_q(&w)));
		size_t moves = w.n_steps;
		double t2 = now_s();
		if (getenv("EFFORT"))
			place_search(&w, &g, (size_t)atol(getenv("EFFORT")));
		double t3 = now_s();
		size_t fewer = w.n_steps;
		if (place_sigma(&w, place_q(&w)) > reached + 1e-6)
			printf("BAD\n");
		bool proven = false;
		int least = oracle_have_cbc() ? oracle_cbc_moves(&c, reached, 20, &proven) : -1;
		int low = (int)place_bound_moves(&w, reached * reached * (double)m);
		if (proven) {
			tally_add(&fast, moves, least, t1 - t0);
			tally_add(&bound, (size_t)least, low, 0);
			tally_add(&deep, fewer, least, t3 - t2);
		} else {
			unproven++;
		}
		if (getenv("VERBOSE"))
			printf("%s %zu reached %.2f moves %zu cbc %d%s low %d\n", shapes[0], n, reached,
				moves, least, proven ? "" : " (unproven)", low);
		place_case_done(&c);
	}
	printf("%zu vCPUs x %zu pCPUs, %d instances, %d without a proof\n", n, m, count, unproven);
	tally_print("fast path over the minimum", &fast);
	tally_print("search over the minimum", &deep);
	tally_print("minimum over the simple bound", &bound);
	place_done(&w);
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 100;
	struct utsname u;
	uname(&u);
	printf("host: %ld CPUs, %s %s\n", sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release);
	if (argc < 3)
		instances(32, 8, count);
	instances(64, 16, count);
	return 0;
}
