/* SPDX-License-Identifier: MIT */
/* Does the controller harm anybody? Every load under the defaults, AUTO for CPU and memory, beside the same
 * without: bench_harm [SECONDS [SEEDS [NAME]]]; an hour and six seeds when not given. A run is BAD that
 * waits longer than 1.02 x MANUAL + 1 s, kills or starves more, or leaves what can be cured. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/loads.h"

struct total {
	int loads, bad_loads, runs, bad_runs;
	double worst; /* waiting over what is allowed */
	char worst_at[80];
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void load_run(const struct load *l, double seconds, int seeds, struct total *t)
{
	enum { SEEDS = 64 };
	double manual[SEEDS], with[SEEDS];
	char why[240] = "";
	long pins = 0;
	int bad = 0;
	for (int k = 0; k < seeds; k++) {
		struct harm_pair p;
		harm_judge(l, (unsigned)k + 1, seconds, &p);
		manual[k] = p.manual.waiting_s;
		with[k] = p.with.waiting_s;
		pins = p.with.pins > pins ? p.with.pins : pins;
		bad += p.why[0] != '\0';
		if (p.why[0] && !why[0])
			snprintf(why, sizeof why, "seed %d: %s", k + 1, p.why);
		double over = p.with.waiting_s / (1.02 * p.manual.waiting_s + 1);
		if (over > t->worst) {
			t->worst = over;
			snprintf(t->worst_at, sizeof t->worst_at, "%s, seed %d", l->name, k + 1);
		}
	}
	qsort(manual, (size_t)seeds, sizeof *manual, by_value);
	qsort(with, (size_t)seeds, sizeof *with, by_value);
	printf("%-30s %10.1f %10.1f %6ld  %s%s\n", l->name, manual[seeds / 2], with[seeds / 2], pins,
		bad ? "BAD " : "ok", why);
	fflush(stdout);
	t->loads++;
	t->bad_loads += bad > 0;
	t->runs += seeds;
	t->bad_runs += bad;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 3600;
	int seeds = argc > 2 ? atoi(argv[2]) : 6;
	struct total t = {.worst = 0};
	if (seconds <= 0 || seeds < 1 || seeds > 64) {
		fprintf(stderr, "usage: bench_harm [SECONDS [SEEDS [NAME]]]\n");
		return 2;
	}
	printf("AUTO beside MANUAL, %.0f s, %d seeds: median vCPU-seconds of waiting, most pins\n", seconds,
		seeds);
	printf("%-30s %10s %10s %6s\n", "load", "MANUAL", "AUTO", "pins");
	for (size_t i = 0; i < load_count(); i++) {
		static struct load l;
		load_get(i, &l);
		if (argc < 4 || strstr(l.name, argv[3]))
			load_run(&l, seconds, seeds, &t);
	}
	printf("%d of %d loads, %d of %d runs are worse than they may be; most waiting for what is allowed: "
	       "%.2f "
	       "(%s)\n",
		t.bad_loads, t.loads, t.bad_runs, t.runs, t.worst, t.worst_at);
	return 0;
}
