/* SPDX-License-Identifier: MIT */
/* Sets of pCPU ids and their text form. Invariant: a set never holds an id outside 0 .. CPUSET_CPUS-1. */
#include "vmtop/cpuset.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "vmtop/err.h"
#include "vmtop/minmax.h"

void cpuset_clear(struct cpuset *s)
{
	memset(s, 0, sizeof *s);
}

void cpuset_fill(struct cpuset *s, int n)
{
	cpuset_clear(s);
	if (n > CPUSET_CPUS)
		n = CPUSET_CPUS;
	for (int i = 0; i < n / 64; i++)
		s->w[i] = UINT64_MAX;
	if (n > 0 && n % 64)
		s->w[n / 64] = (UINT64_C(1) << (n % 64)) - 1;
}

bool cpuset_equal(const struct cpuset *a, const struct cpuset *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

bool cpuset_empty(const struct cpuset *s)
{
	for (size_t i = 0; i < CPUSET_WORDS; i++)
		if (s->w[i])
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

int cpuset_count(const struct cpuset *s)
{
	int n = 0;
	for (size_t i = 0; i < CPUSET_WORDS; i++)
		n += __builtin_popcountll(s->w[i]);
	return n;
}

int cpuset_first(const struct cpuset *s)
{
	return cpuset_next(s, -1);
}

int cpuset_next(const struct cpuset *s, int after)
{
	int from = after + 1;
	if (from < 0)
		from = 0;
	if (from >= CPUSET_CPUS)
		return -1;
	size_t i = (size_t)from / 64;
	uint64_t word = s->w[i] & (~UINT64_C(0) << (from % 64));
	while (!word) {
		if (++i == CPUSET_WORDS)
			return -1;
		word = s->w[i];
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

void cpuset_from_map(struct cpuset *s, const unsigned char *map, size_t len)
{
	cpuset_clear(s);
	for (size_t b = 0; b < len && b < CPUSET_CPUS / 8; b++)
		s->w[b / 8] |= (uint64_t)map[b] << (b % 8 * 8);
}

void cpuset_to_map(const struct cpuset *s, unsigned char *map, size_t len)
{
	memset(map, 0, len);
	for (size_t b = 0; b < len && b < CPUSET_CPUS / 8; b++)
		map[b] = (unsigned char)(s->w[b / 8] >> (b % 8 * 8));
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

static int parse(struct cpuset *s, const char *text, bool clip, struct err *e)
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
			return err_set(e, ERR_USAGE,
				"not a CPU list at \"%.20s\" (expected something like 0-3,7; ids 0..%d)",
				lo < 0 || hi < 0 ? p : text, CPUSET_CPUS - 1);
		for (int c = lo; c <= hi; c++)
			cpuset_add(exclude ? &out : &in, c);
		if (*p == ',') {
			p = skip_space(p + 1);
			if (!*p)
				return err_set(e, ERR_USAGE, "CPU list ends with a comma");
		}
	}
	cpuset_andnot(&in, &out);
	*s = in;
	return 0;
}

int cpuset_parse(struct cpuset *s, const char *text, struct err *e)
{
	return parse(s, text, false, e);
}

int cpuset_parse_clipped(struct cpuset *s, const char *text)
{
	return parse(s, text, true, NULL);
}

size_t cpuset_format(const struct cpuset *s, char *buf, size_t len)
{
	size_t need = 0;
	char item[32];
	if (len)
		buf[0] = '\0';
	for (int lo = cpuset_first(s); lo >= 0;) {
		int hi = lo;
		while (cpuset_has(s, hi + 1))
			hi++;
		int n = snprintf(item, sizeof item, "%s%d", need ? "," : "", lo);
		if (hi > lo)
			n += snprintf(item + n, sizeof item - (size_t)n, "-%d", hi);
		if (need + (size_t)n < len)
			memcpy(buf + need, item, (size_t)n + 1);
		need += (size_t)n;
		lo = cpuset_next(s, hi);
	}
	return need;
}
