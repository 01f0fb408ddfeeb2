/* SPDX-License-Identifier: MIT */
#include "vmtop/quantity.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* More digits than this say nothing in a double. */
enum { DIGITS_MOST = 30 };

/* The number at the start of text; returns what follows it, NULL: there is none. */
static const char *number(const char *text, double *v)
{
	size_t n = strspn(text, "0123456789."), digits = 0, after = 0;
	double x = 0;
	bool point = false;
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '.' && (point || i + 1 == n))
			return NULL;
		point |= text[i] == '.';
		if (text[i] == '.')
			continue;
		x = x * 10 + (text[i] - '0');
		digits++;
		after += point;
	}
	if (!digits || digits > DIGITS_MOST)
		return NULL;
	*v = x / pow(10, (double)after);
	return text + n;
}

struct unit {
	const char *name;
	double worth;
};

/* One of n units, or false. */
static bool with_unit(const char *text, const struct unit *units, size_t n, double *to)
{
	double v;
	const char *rest = number(text, &v);
	for (size_t i = 0; rest && i < n; i++)
		if (strcmp(rest, units[i].name) == 0) {
			*to = v * units[i].worth;
			return true;
		}
	return false;
}

bool quantity_seconds(const char *text, double *s)
{
	static const struct unit units[] = {
		{"", 1}, {"s", 1}, {"ms", 1e-3}, {"m", 60}, {"min", 60}, {"h", 3600}, {"d", 86400}};
	return with_unit(text, units, sizeof units / sizeof *units, s);
}

bool quantity_percent(const char *text, double *pct)
{
	static const struct unit units[] = {{"", 1}, {"%", 1}, {" %", 1}};
	return with_unit(text, units, sizeof units / sizeof *units, pct);
}

/* What a unit of size is worth in KiB; 0: it is none. */
static double worth_kib(const char *unit)
{
	static const char letters[] = "kmgtpe";
	if (!*unit)
		return 1;
	char small = (char)(*unit >= 'A' && *unit <= 'Z' ? *unit - 'A' + 'a' : *unit);
	const char *at = strchr(letters, small), *ending = unit + 1;
	bool decimal = strcmp(ending, "B") == 0 || strcmp(ending, "b") == 0;
	if (!at || (*ending && !decimal && strcmp(ending, "i") != 0 && strcmp(ending, "iB") != 0))
		return 0;
	return pow(decimal ? 1000 : 1024, (double)(at - letters + 1)) / 1024;
}

bool quantity_kib(const char *text, double *kib)
{
	double v;
	const char *rest = number(text, &v);
	if (!rest)
		return false;
	double worth = worth_kib(rest + strspn(rest, " "));
	if (worth <= 0 || !(v * worth < 9e15))
		return false;
	*kib = round(v * worth);
	return true;
}

bool quantity_whole(const char *text, int64_t lo, int64_t hi, int64_t *v)
{
	int64_t x = 0;
	size_t n = strspn(text, "0123456789");
	for (size_t i = 0; i < n; i++)
		if (__builtin_mul_overflow(x, 10, &x) || __builtin_add_overflow(x, text[i] - '0', &x))
			return false;
	if (!n || text[n] || x < lo || x > hi)
		return false;
	*v = x;
	return true;
}
