/* SPDX-License-Identifier: MIT */
/* What one round of minmove costs: the first, a quiet one, one that acts; by size and shape of demand; and
 * whether rounds without anything new allocate. CPU time, medians of several runs. */
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "support/place_gen.h"

enum { RUNS = 15, ROUNDS = 24, KINDS = 3 };
enum kind { FIRST, QUIET, ACTS };

static const struct cpu_policy_ops *const P = &cpu_policy_minmove;

static double now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

struct times {
	double us[RUNS * ROUNDS];
	size_t n;
};

static double at(struct times *t, double q)
{
	if (t->n == 0)
		return NAN;
	qsort(t->us, t->n, sizeof(*t->us), compare);
	return t->us[(size_t)(q * (double)(t->n - 1) + 0.5)];
}

struct row {
	struct times t[KINDS];
	size_t moves, allocated;
	double before, after;
};

/* One host over some rounds with noise of 2 %, so that nothing can be kept from the round before. */
static void run(struct row *row, size_t n, size_t m, enum place_shape shape, uint64_t seed, double search_ms,
	bool *done)
{
	struct place_case c;
	struct place_result r;
	place_case_init(&c, n, m);
	place_case_random(&c, seed, shape, 60);
	c.cfg.search_ms = search_ms;
	row->before = place_case_sigma(&c);
	row->moves = 0;
	void *s = P->create(&c.cfg);
	double *base = calloc(n, sizeof(*base));
	for (size_t i = 0; i < n; i++)
		base[i] = c.tasks[i].demand_pct;
	for (int i = 0; i < ROUNDS; i++) {
		for (size_t t = 0; t < n; t++)
			c.tasks[t].demand_pct =
				fmin(100, base[t] * (1 + 0.02 * place_random_normal(&c.seed)));
		size_t heap = mallinfo2().uordblks;
		double t0 = now_us();
		P->plan(s, &c.p, true, &r);
		double t1 = now_us();
		row->allocated += i > 0 && mallinfo2().uordblks != heap;
		memset(done, 1, r.n_moves);
		P->applied(s, &c.p, done);
		struct times *to = &row->t[i == 0 ? FIRST : r.n_moves ? ACTS : QUIET];
		to->us[to->n++] = t1 - t0;
		row->moves += place_case_apply(&c, &r, 2);
	}
	row->after = place_case_sigma(&c);
	P->destroy(s);
	free(base);
	place_case_done(&c);
}

/* What a round may take, in microseconds; NAN: nothing was promised. */
static double target_us(size_t n, size_t m, enum place_shape shape)
{
	if (n == 64 && m == 16)
		return 50;
	if (n == 10000 && m == 1024)
		return shape == SHAPE_HEAVY ? 10000 : 5000;
	return NAN;
}

static void size_run(size_t n, size_t m, enum place_shape shape, const char *name, double search_ms)
{
	struct row row = {0};
	bool *done = calloc(n, 1);
	int runs = n > 20000 ? 3 : RUNS;
	for (int i = 0; i < runs; i++)
		run(&row, n, m, shape, (uint64_t)i + 1, search_ms, done);
	printf("%7zu %6zu  %-12s %6.0f %9.1f %9.1f %9.1f %9.1f %9.1f %8.0f  %7zu  %5.1f -> %4.1f  %4zu\n", n,
		m, name, search_ms, at(&row.t[FIRST], 0.5), at(&row.t[QUIET], 0.5), at(&row.t[QUIET], 1),
		at(&row.t[ACTS], 0.5), at(&row.t[ACTS], 1), target_us(n, m, shape), row.moves, row.before,
		row.after, row.allocated);
	free(done);
}

int main(void)
{
	static const struct {
		size_t n, m;
	} curve[] = {{10, 4}, {32, 8}, {64, 16}, {100, 32}, {316, 64}, {1000, 128}, {3162, 512},
		{10000, 1024}, {31623, 1024}, {100000, 1024}};
	static const char *const names[] = {"uniform", "bimodal", "heavy-tailed"};
	struct utsname u;
	uname(&u);
	printf("host: %ld CPUs, %s %s; microseconds a round; search: search_ms\n",
		sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release);
	printf("  vCPUs  pCPUs  demand       search     first     quiet     worst      acts     worst   "
	       "target    moves  "
	       "deviation"
	       "      allocations\n");
	for (size_t i = 0; i < sizeof(curve) / sizeof(curve[0]); i++)
		for (int shape = 0; shape < 3; shape++)
			for (int search = 0; search <= (curve[i].n <= 512 ? 2 : 0); search += 2)
				size_run(curve[i].n, curve[i].m, (enum place_shape)shape, names[shape],
					search);
	return 0;
}
