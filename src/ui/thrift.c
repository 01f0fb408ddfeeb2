/* SPDX-License-Identifier: MIT */
/* Back to plain text takes ncurses eleven bytes: the colour off, the line-drawing set off, all attributes
 * off. The last of them does it all, for that set is never switched on. Invariant: a terminal shows the same
 * picture. Knows nothing of cells. */
#include "thrift.h"

#include <stdbool.h>
#include <string.h>

static const struct {
	const char *said, *enough;
} shorter[] = {
	{"\033[39;49m\033(B\033[m", "\033[m"},
	{"\033[39m\033(B\033[m", "\033[m"},
	{"\033[49m\033(B\033[m", "\033[m"},
	{"\033(B\033[m", "\033[m"},
	{"\033(B\033[0", "\033[0"},          /* ends with "m", or with attributes */
	{"\033[39;49m\033[m\017", "\033[m"}, /* tmux, screen */
	{"\033[39m\033[m\017", "\033[m"},
	{"\033[49m\033[m\017", "\033[m"},
	{"\033[m\017", "\033[m"},
};

static bool begins(const char *bytes, size_t n, const char *with)
{
	size_t len = strlen(with);
	return len <= n && memcmp(bytes, with, len) == 0;
}

/* How much of the bytes a shorter sequence replaces; 0: it stays as it is. */
static size_t replaced(const char *bytes, size_t n, const char **by)
{
	for (size_t i = 0; i < sizeof shorter / sizeof *shorter; i++)
		if (begins(bytes, n, shorter[i].said)) {
			*by = shorter[i].enough;
			return strlen(shorter[i].said);
		}
	return 0;
}

size_t thrift(char *bytes, size_t n)
{
	size_t to = 0;
	for (size_t at = 0; at < n;) {
		const char *by;
		size_t skip = bytes[at] == '\033' ? replaced(bytes + at, n - at, &by) : 0;
		if (skip) {
			memcpy(bytes + to, by, strlen(by));
			to += strlen(by);
			at += skip;
		} else {
			bytes[to++] = bytes[at++];
		}
	}
	return to;
}
