/* SPDX-License-Identifier: MIT */
/* Does the memory coordinator harm anybody? Loads drawn by number, under the defaults and AUTO, beside the
 * same without: bench_harm_mem [SECONDS [FROM [TO]]]; an hour of 0 to 239 when not given. A load is WORSE
 * that kills more, starves its guests longer, or has the host short for longer than without. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/loads.h"

struct sum {
	int loads, worse;
	struct harm manual, with;
};

static void add(struct harm *to, const struct harm *h)
{
	to->kills += h->kills;
	to->starved_guest_s += h->starved_guest_s;
	to->overcommit_s += h->overcommit_s;
	to->balloons += h->balloons;
}

static bool is_worse(const struct harm *m, const struct harm *w)
{
	return w->kills > m->kills || w->starved_guest_s > m->starved_guest_s + 1 ||
	       w->overcommit_s > m->overcommit_s + 1;
}

static void print(const char *name, const struct harm *m, const struct harm *w, const char *verdict)
{
	printf("%-20s %8ld %8ld %10.0f %10.0f %8.0f %8.0f %8ld  %s\n", name, m->kills, w->kills,
		m->starved_guest_s, w->starved_guest_s, m->overcommit_s, w->overcommit_s, w->balloons,
		verdict);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 3600;
	unsigned from = argc > 2 ? (unsigned)atoi(argv[2]) : 0, to = argc > 3 ? (unsigned)atoi(argv[3]) : 239;
	static const char *const kinds[] = {"fits", "given", "over"};
	struct sum sums[3] = {{.loads = 0}};
	if (seconds <= 0 || to < from) {
		fprintf(stderr, "usage: bench_harm_mem [SECONDS [FROM [TO]]]\n");
		return 2;
	}
	printf("memory AUTO beside MANUAL, %.0f s a load; those that are worse\n", seconds);
	printf("%-20s %8s %8s %10s %10s %8s %8s %8s\n", "load", "kills", "AUTO", "starved s", "AUTO",
		"short s", "AUTO", "balloons");
	for (unsigned i = from; i <= to; i++) {
		static struct load l;
		struct sum *s = &sums[i % 3];
		struct harm m, w;
		memory_load_get(i, &l);
		harm_run(l.name, l.text, i, seconds, HARM_MANUAL, &m);
		harm_run(l.name, l.text, i, seconds, HARM_AUTO, &w);
		add(&s->manual, &m);
		add(&s->with, &w);
		s->loads++;
		s->worse += is_worse(&m, &w);
		if (is_worse(&m, &w) || getenv("BENCH_ALL"))
			print(l.name, &m, &w, is_worse(&m, &w) ? "WORSE" : "");
	}
	for (int k = 0; k < 3; k++) {
		char verdict[40];
		snprintf(verdict, sizeof verdict, "%d of %d WORSE", sums[k].worse, sums[k].loads);
		print(kinds[k], &sums[k].manual, &sums[k].with, verdict);
	}
	return 0;
}
