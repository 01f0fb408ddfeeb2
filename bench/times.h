/* SPDX-License-Identifier: MIT */
/* Clocks of benches in milliseconds, and the order of figures. */
#ifndef BENCH_TIMES_H
#define BENCH_TIMES_H

#include <time.h>

static inline double clock_ms(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* For qsort() over doubles. */
static inline int compare_ms(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

#endif
