/* SPDX-License-Identifier: MIT */
/* What metrics cost on a host of 1,000 VMs: the tally of a step, the copies that a listener gets, and one
 * text. */
#include <stdio.h>
#include <stdlib.h>

#include "../src/cli/exposition.h"
#include "support/bigsnap.h"
#include "times.h"

enum { ROUNDS = 20, VMS = 1000, PCPUS = 128 };

static double since_ms(double *start)
{
	double now = clock_ms(CLOCK_THREAD_CPUTIME_ID), took = now - *start;
	*start = now;
	return took;
}

static double median(double *of)
{
	qsort(of, ROUNDS, sizeof *of, compare_ms);
	return of[ROUNDS / 2];
}

int main(void)
{
	static double see[ROUNDS], copy[ROUNDS], text[ROUNDS];
	struct snapshot *s = bigsnap_new(VMS, PCPUS);
	struct tally *t = tally_new();
	size_t len = 0, series = 0;
	char *out = NULL;
	for (int i = 0; i < ROUNDS; i++) {
		bigsnap_tick(s);
		double at = clock_ms(CLOCK_THREAD_CPUTIME_ID);
		if (!t || tally_see(t, s) < 0)
			return 1;
		see[i] = since_ms(&at);
		tally_free(tally_copy(t));
		copy[i] = since_ms(&at);
		free(out);
		out = NULL;
		FILE *to = open_memstream(&out, &len);
		if (!to || exposition_write(to, &(struct exposition){s, t, true, 4096}) < 0)
			return 1;
		fclose(to);
		text[i] = since_ms(&at);
	}
	for (const char *p = out; *p; p++)
		series += *p == '\n' && p[1] != '#';
	printf("%d VMs, %zu vCPUs: %zu series in %.1f MB\n", VMS, t->n_vcpus, series, (double)len / 1e6);
	printf("CPU of the median: %.2f ms to tally a step, %.2f ms to copy it, %.0f ms to write a text\n",
		median(see), median(copy), median(text));
	free(out);
	tally_free(t);
	bigsnap_free(s);
	return 0;
}
