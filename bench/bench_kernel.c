/* SPDX-License-Identifier: MIT */
/* The simulated kernel beside that of this machine: processes that compute and sleep, on CPUs 0 and 1, what
 * each waited by /proc/self/schedstat, and what the simulator says. Only as good as the machine is quiet:
 * whatever else runs adds to the real waiting. */
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../src/backend/sim/sim.h"
#include "support/fine_kernel.h"

enum { MOST = 6 };
static const double seconds = 4, cycle_s = .04;

static const struct {
	const char *name;
	struct fine_thread threads[MOST];
	int n;
} cases[] = {
	{"2 x 43 % on one CPU", {{.43, 1}, {.43, 1}}, 2},
	{"3 x 60 % floating", {{.6, 3}, {.6, 3}, {.6, 3}}, 3},
	{"4 x 40 % floating", {{.4, 3}, {.4, 3}, {.4, 3}, {.4, 3}}, 4},
	{"4 x 60 % floating", {{.6, 3}, {.6, 3}, {.6, 3}, {.6, 3}}, 4},
	{"6 x 30 % floating", {{.3, 3}, {.3, 3}, {.3, 3}, {.3, 3}, {.3, 3}, {.3, 3}}, 6},
	{"60 % on each, 2 x 50 % floating", {{.6, 1}, {.6, 2}, {.5, 3}, {.5, 3}}, 4},
	{"3 x 100 % on one, one floating", {{1, 1}, {1, 1}, {1, 1}, {1, 3}}, 4},
};

static double now(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double waited(void)
{
	unsigned long long ran = 0, delay = 0;
	FILE *f = fopen("/proc/self/schedstat", "r");
	if (f && fscanf(f, "%llu %llu", &ran, &delay) != 2)
		delay = 0;
	if (f)
		fclose(f);
	return (double)delay / 1e9;
}

static void nap(double s)
{
	struct timespec t = {.tv_sec = (time_t)s, .tv_nsec = (long)((s - floor(s)) * 1e9)};
	nanosleep(&t, NULL);
}

/* In a process of its own. Returns the share of the time that it waited. */
static double loop(const struct fine_thread *t, int seed)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	for (int c = 0; c < 2; c++)
		if (t->cpus >> c & 1)
			CPU_SET(c, &set);
	sched_setaffinity(0, sizeof set, &set);
	srand48(seed);
	nap(.2 + cycle_s * drand48());
	double begin = now(CLOCK_MONOTONIC), before = waited();
	while (now(CLOCK_MONOTONIC) < begin + seconds) {
		double end = now(CLOCK_THREAD_CPUTIME_ID) - t->duty * cycle_s * log(1 - drand48());
		while (now(CLOCK_THREAD_CPUTIME_ID) < end && now(CLOCK_MONOTONIC) < begin + seconds)
			;
		if (t->duty < 1)
			nap(-(1 - t->duty) * cycle_s * log(1 - drand48()));
	}
	return (waited() - before) / (now(CLOCK_MONOTONIC) - begin);
}

static void real(const struct fine_thread *threads, int n, double *wait)
{
	double *shared =
		mmap(NULL, MOST * sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		exit(1);
	fflush(stdout);
	for (int i = 0; i < n; i++)
		if (fork() == 0) {
			shared[i] = loop(&threads[i], i + 1);
			_exit(0);
		}
	while (wait3(NULL, 0, NULL) > 0)
		;
	memcpy(wait, shared, (size_t)n * sizeof *wait);
	munmap(shared, MOST * sizeof *shared);
}

static void simulated(const struct fine_thread *threads, int n, double *wait)
{
	static const char *const pins[] = {"", "0", "1", "0-1"};
	char text[1024] = "host\n pcpus 2\n";
	struct err e = ERR_INIT;
	for (int i = 0; i < n; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "vm v%d\n load %g%%\n pin %s\n", i,
			threads[i].duty * 100, pins[threads[i].cpus & 3]);
	struct scenario *scn = scenario_parse("bench", text, strlen(text), &e);
	struct backend *b = scn ? backend_sim_new(scn, true, &e) : NULL;
	if (!b) {
		fprintf(stderr, "%s\n", e.msg);
		exit(1);
	}
	struct sim *s = (struct sim *)(void *)b;
	sim_advance(s, INT64_C(10000000000));
	for (int i = 0; i < n; i++)
		wait[i] = s->threads[s->vms[i].first_thread].delay_ns / 10e9;
	b->ops->close(b);
}

int main(void)
{
	printf("percent of the time that each waits; %ld CPUs online\n%-34s %s\n",
		sysconf(_SC_NPROCESSORS_ONLN), "", "real | simulated");
	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		double is[MOST], sim[MOST];
		real(cases[k].threads, cases[k].n, is);
		simulated(cases[k].threads, cases[k].n, sim);
		printf("%-34s", cases[k].name);
		for (int i = 0; i < cases[k].n; i++)
			printf(" %.1f", 100 * is[i]);
		printf(" |");
		for (int i = 0; i < cases[k].n; i++)
			printf(" %.1f", 100 * sim[i]);
		printf("\n");
	}
	return 0;
}
