/* SPDX-License-Identifier: MIT */
/* What time it is outside, of a clock that is never set. Whoever may run in virtual time asks its backend
 * instead, and core is told. */
#ifndef VMTOP_CLOCK_H
#define VMTOP_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_of(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int64_t clock_ns(void)
{
	return clock_of(CLOCK_MONOTONIC);
}
static inline int64_t clock_ms(void)
{
	return clock_ns() / 1000000;
}
static inline double clock_s(void)
{
	return (double)clock_ns() / 1e9;
}

/* That of the wall, which jumps. */
static inline int64_t clock_wall_ns(void)
{
	return clock_of(CLOCK_REALTIME);
}

#endif
