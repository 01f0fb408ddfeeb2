/* SPDX-License-Identifier: MIT */
/* What an hour that one can go back to costs: snapshots of busy hosts at 2 s, the memory that keeps them, the
 * time to take one in and to show one again. Every vCPU and guest moves at every tick: real hosts need less.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../src/ui/history.h"
#include "../src/ui/tape.h"
#include "support/bigsnap.h"

enum { HOUR = 1800 };

static double now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void measure(int vms, int pcpus)
{
	static double feed[HOUR];
	struct tape *t = tape_new(HISTORY_POINTS, TAPE_BYTES);
	struct snapshot *s = bigsnap_new(vms, pcpus);
	if (!t)
		abort();
	for (int i = 0; i < HOUR; i++) {
		bigsnap_tick(s);
		double at = now_ms();
		tape_feed(t, s);
		feed[i] = now_ms() - at;
	}
	uint64_t kept = tape_end(t) - tape_first(t);
	double at = now_ms();
	snapshot_free(tape_read(t, tape_end(t) - 1));
	double read = now_ms() - at;
	qsort(feed, HOUR, sizeof *feed, by_size);
	printf("%5d %6zu %6d %9.1f %8zu %9.3f %9.3f %9.3f\n", vms, s->sample.n_vcpus, pcpus,
		(double)tape_bytes(t) / 1048576, (size_t)(kept * 2 / 60), feed[HOUR / 2],
		feed[HOUR * 99 / 100], read);
	tape_free(t);
	bigsnap_free(s);
}

int main(void)
{
	static const int hosts[][2] = {{10, 16}, {40, 64}, {200, 128}, {1000, 512}};
	printf("an hour to go back to, %d ticks of 2 s, at most %d MiB: what it takes\n"
	       "  VMs  vCPUs  pCPUs       MiB  minutes  take in, median and 99 %%, and show again, ms\n",
		HOUR, TAPE_BYTES >> 20);
	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
		measure(hosts[i][0], hosts[i][1]);
	return 0;
}
