/* SPDX-License-Identifier: MIT */
/* Sets of pCPU ids and their text form. Invariant: a set never holds an id outside 0 .. CPUSET_CPUS-1. */
#include "vmtop/cpuset.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "vmtop/err.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

void cpuset_clear(struct cpuset *set)
{
	memset(set, 0, sizeof *set);
}

void cpuset_fill(struct cpuset *set, int n)
{
	cpuset_clear(set);
	if (n > CPUSET_CPUS)
		n = CPUSET_CPUS;
	for (int i = 0; i < n / 64; i++)
		set->w[i] = UINT64_MAX;
	if (n > 0 && n % 64)
		set->w[n / 64] = (UINT64_C(1) << (n % 64)) - 1;
}

bool cpuset_equal(const struct cpuset *a, const struct cpuset *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

bool cpuset_empty(const struct cpuset *set)
{
	for (size_t i = 0; i < CPUSET_WORDS; i++)
		if (set->w[i])
			return false;
	return true;
}

bool cpuset_subset(const struct cpuset *inner, const struct cpuset *outer)
{
	for (size_t i = 0; i < CPUSET_WORDS; i++)
		if (inner->w[i] & ~outer->w[i])
			return false;
	return true;
}

bool cpuset_intersects(const struct cpuset *a, const struct cpuset *b)
{
	for (size_t i = 0; i < CPUSET_WORDS; i++)
		if (a->w[i] & b->w[i])
			return true;
	return false;
}

int cpuset_count(const struct cpuset *set)
{
	int n = 0;
	for (size_t i = 0; i < CPUSET_WORDS; i++)
		n += __builtin_popcountll(set->w[i]);
	return n;
}

int cpuset_first(const struct cpuset *set)
{
	return cpuset_next(set, -1);
}

int cpuset_next(const struct cpuset *set, int after)
{
	int from = after + 1;
	if (from < 0)
		from = 0;
	if (from >= CPUSET_CPUS)
		return -1;
	size_t i = (size_t)from / 64;
	uint64_t word = set->w[i] & (~UINT64_C(0) << (from % 64));
	while (!word) {
		if (++i == CPUSET_WORDS)
			return -1;
		word = set->w[i];
	}
	return (int)(i * 64) + __builtin_ctzll(word);
}

void cpuset_and(struct cpuset *to, const struct cpuset *with)
{
	for (size_t i = 0; i < CPUSET_WORDS; i++)
		to->w[i] &= with->w[i];
}

void cpuset_or(struct cpuset *to, const struct cpuset *with)
{
	for (size_t i = 0; i < CPUSET_WORDS; i++)
		to->w[i] |= with->w[i];
}

void cpuset_andnot(struct cpuset *to, const struct cpuset *without)
{
	for (size_t i = 0; i < CPUSET_WORDS; i++)
		to->w[i] &= ~without->w[i];
}

void cpuset_from_map(struct cpuset *set, const unsigned char *map, size_t len)
{
	cpuset_clear(set);
	for (size_t b = 0; b < len && b < CPUSET_CPUS / 8; b++)
		set->w[b / 8] |= (uint64_t)map[b] << (b % 8 * 8);
}

void cpuset_to_map(const struct cpuset *set, unsigned char *map, size_t len)
{
	memset(map, 0, len);
	for (size_t b = 0; b < len && b < CPUSET_CPUS / 8; b++)
		map[b] = (unsigned char)(set->w[b / 8] >> (b % 8 * 8));
}

/* Reads a pCPU id at *p; one that a set cannot hold is CPUSET_CPUS. -1: there is none. */
static int parse_id(const char **p)
{
	int v = isdigit((unsigned char)**p) ? 0 : -1;
	for (; isdigit((unsigned char)**p); (*p)++)
		v = v < CPUSET_CPUS / 10 + 1 ? v * 10 + (**p - '0') : CPUSET_CPUS;
	return min_of(v, CPUSET_CPUS);
}

static const char *skip_space(const char *p)
{
	while (isspace((unsigned char)*p))
		p++;
	return p;
}

static int parse(struct cpuset *set, const char *text, bool clip, struct err *err)
{
	struct cpuset in, out;
	cpuset_clear(&in);
	cpuset_clear(&out);
	const char *p = skip_space(text);
	while (*p) {
		bool exclude = *p == '^';
		if (exclude)
			p++;
		int lo = parse_id(&p), hi = lo;
		if (lo >= 0 && *p == '-') {
			p++;
			hi = parse_id(&p);
		}
		p = skip_space(p);
		if (lo < 0 || hi < lo || (hi == CPUSET_CPUS && !clip) || (*p && *p != ','))
			return err_set(err, ERR_USAGE,
				"not a CPU list at \"%.20s\" (expected something like 0-3,7; ids 0..%d)",
				lo < 0 || hi < 0 ? p : text, CPUSET_CPUS - 1);
		for (int c = lo; c <= hi; c++)
			cpuset_add(exclude ? &out : &in, c);
		if (*p == ',') {
			p = skip_space(p + 1);
			if (!*p)
				return err_set(err, ERR_USAGE, "CPU list ends with a comma");
		}
	}
	cpuset_andnot(&in, &out);
	*set = in;
	return 0;
}

int cpuset_parse(struct cpuset *set, const char *text, struct err *err)
{
	return parse(set, text, false, err);
}

int cpuset_parse_clipped(struct cpuset *set, const char *text)
{
	return parse(set, text, true, NULL);
}

size_t cpuset_format(const struct cpuset *set, char *buf, size_t len)
{
	size_t need = 0;
	char item[32];
	if (len)
		buf[0] = '\0';
	for (int lo = cpuset_first(set); lo >= 0;) {
		int hi = lo;
		while (cpuset_has(set, hi + 1))
			hi++;
		int n = snprintf(item, sizeof item, "%s%d", text_if(need, ","), lo);
		if (hi > lo)
			n += snprintf(item + n, sizeof item - (size_t)n, "-%d", hi);
		if (need + (size_t)n < len)
			memcpy(buf + need, item, (size_t)n + 1);
		need += (size_t)n;
		lo = cpuset_next(set, hi);
	}
	return need;
}
