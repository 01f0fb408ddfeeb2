/* SPDX-License-Identifier: MIT */
/* Time of one frame: a new snapshot taken in (sorting, history) and drawn, without a terminal. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "support/bigsnap.h"
#include "vmtop/view.h"

enum { FRAMES = 101 };

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

static double median(double *t)
{
	qsort(t, FRAMES, sizeof *t, by_size);
	return t[FRAMES / 2];
}

static void measure(int vms, int pcpus, int rows, int cols)
{
	static double feed[FRAMES], draw[FRAMES];
	static const int keys[] = {'0', '1', '2', '3', '4'};
	struct config cfg = {.delay_s = 2};
	struct view *v = view_new(&cfg);
	struct snapshot *s = bigsnap_new(vms, pcpus);
	struct screen to;
	struct command c;
	if (!v || screen_init(&to, rows, cols) < 0)
		abort();
	printf("%5d %6d  %3dx%-3d", vms, pcpus, cols, rows);
	for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
		view_key(v, keys[k], s, &c);
		for (int i = 0; i < FRAMES; i++) {
			bigsnap_tick(s);
			double t = now_ms();
			view_feed(v, s);
			feed[i] = now_ms() - t;
			t = now_ms();
			view_draw(v, s, &to, 0, 0);
			draw[i] = now_ms() - t;
		}
		if (!k)
			printf("  %8.3f", median(feed));
		printf(" %8.3f", median(draw));
	}
	putchar('\n');
	screen_done(&to);
	view_free(v);
	bigsnap_free(s);
}

int main(void)
{
	static const int hosts[][2] = {{3, 2}, {40, 64}, {1000, 512}};
	struct utsname u;
	uname(&u);
	printf("time of one frame in ms, target 2 with 1,000 VMs: what is new taken in, and the view drawn\n"
	       "median of %d, on %ld CPUs, %s %s\n",
		FRAMES, sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release);
	printf("  VMs  pCPUs   size    take in overview    pCPUs   memory      log       VM\n");
	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		measure(hosts[i][0], hosts[i][1], 24, 80);
		measure(hosts[i][0], hosts[i][1], 50, 160);
	}
	return 0;
}
