/* SPDX-License-Identifier: MIT */
/* A set of pCPU ids, 0 .. CPUSET_CPUS-1. A plain value: copy it, compare it, no owner.
 * Ids at or above CPUSET_CPUS cannot be held; the backends say so once and leave such pCPUs out. */
#ifndef VMTOP_CPUSET_H
#define VMTOP_CPUSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef CPUSET_CPUS
#define CPUSET_CPUS 1024
#endif
#define CPUSET_WORDS (CPUSET_CPUS / 64)

struct err;

struct cpuset {
	uint64_t w[CPUSET_WORDS];
};

static inline bool cpuset_has(const struct cpuset *set, int cpu)
{
	return cpu >= 0 && cpu < CPUSET_CPUS && (set->w[cpu / 64] >> (cpu % 64) & 1);
}
static inline void cpuset_add(struct cpuset *set, int cpu)
{
	if (cpu >= 0 && cpu < CPUSET_CPUS)
		set->w[cpu / 64] |= UINT64_C(1) << (cpu % 64);
}
static inline void cpuset_del(struct cpuset *set, int cpu)
{
	if (cpu >= 0 && cpu < CPUSET_CPUS)
		set->w[cpu / 64] &= ~(UINT64_C(1) << (cpu % 64));
}

void cpuset_clear(struct cpuset *set);
void cpuset_fill(struct cpuset *set, int n); /* exactly 0 .. n-1 */
bool cpuset_equal(const struct cpuset *a, const struct cpuset *b);
bool cpuset_empty(const struct cpuset *set);
bool cpuset_subset(const struct cpuset *inner, const struct cpuset *outer);
bool cpuset_intersects(const struct cpuset *a, const struct cpuset *b);
int cpuset_count(const struct cpuset *set);
int cpuset_first(const struct cpuset *set);           /* -1 when empty */
int cpuset_next(const struct cpuset *set, int after); /* smallest id > after, or -1 */
void cpuset_and(struct cpuset *to, const struct cpuset *with);
void cpuset_or(struct cpuset *to, const struct cpuset *with);
void cpuset_andnot(struct cpuset *to, const struct cpuset *without);

/* libvirt's maps: bit c of byte c/8 is pCPU c, little end first. */
void cpuset_from_map(struct cpuset *set, const unsigned char *map, size_t len);
void cpuset_to_map(const struct cpuset *set, unsigned char *map, size_t len);

/* "0-3,7" as in the kernel and libvirt ("^4" excludes, as in libvirt's cpuset attribute).
 * Parsing refuses ids >= CPUSET_CPUS, reversed ranges, empty items and trailing text.
 * The empty string parses to the empty set. */
int cpuset_parse(struct cpuset *set, const char *text, struct err *err);
/* The same for a list of the kernel's or libvirt's: ids that a set cannot hold are left out, not refused. */
int cpuset_parse_clipped(struct cpuset *set, const char *text);
/* Always terminates; returns the length that was needed, like snprintf. Empty set: "". */
size_t cpuset_format(const struct cpuset *set, char *buf, size_t len);

#define CPUSET_EACH(cpu, set) for (int cpu = cpuset_first(set); cpu >= 0; cpu = cpuset_next(set, cpu))

#endif
