/* SPDX-License-Identifier: MIT */
/* Regular expressions as they are typed, character by character. Invariant: none is compiled that the C
 * library would blow up: it copies what is repeated, so 25 plus signs in a row are a gigabyte, and a back
 * reference makes matching exponential. Knows no VMs. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/minmax.h"

#include "view_private.h"

/* Parts of a compiled pattern; what a line holds without repetition stays far below. */
enum { PARTS_MOST = 1000, GROUPS_MOST = 40 };

/* What is open: parts of each group so far, and of what was read last, which a repetition repeats. */
struct estimate {
	size_t group[GROUPS_MOST], last;
	int deep;
};

/* From "[" to its "]", or to the end. */
static const char *bracket_end(const char *p)
{
	p += p[1] == '^' ? 2 : 1;
	p += *p == ']';
	for (; *p && *p != ']'; p++) {
		if (*p != '[' || !p[1] || !strchr(":.=", p[1]))
			continue;
		const char end[] = {p[1], ']', '\0'}, *q = strstr(p + 2, end);
		if (!q)
			return p + strlen(p);
		p = q + 1;
	}
	return p;
}

/* How often "{2,5}" repeats; *p goes to its end. */
static size_t repeats(const char **p)
{
	char *end;
	unsigned long least = strtoul(*p + 1, &end, 10), most = least;
	if (*end == ',')
		most = strtoul(end + 1, &end, 10);
	if (*end == '}')
		*p = end;
	most = max_of(most, least);
	return most > PARTS_MOST ? PARTS_MOST + 1 : max_of(most, 1);
}

static void add_part(struct estimate *estimate)
{
	estimate->group[estimate->deep] += estimate->last;
	estimate->last = 1;
}

/* Takes one element in; false when there is no saying how large it is. */
static bool take(struct estimate *estimate, const char **p)
{
	switch (**p) {
	case '(':
		add_part(estimate);
		if (estimate->deep + 1 == GROUPS_MOST)
			return false;
		estimate->group[++estimate->deep] = estimate->last = 0;
		return true;
	case ')':
		add_part(estimate);
		if (estimate->deep)
			estimate->last += estimate->group[estimate->deep--];
		return true;
	case '{':
		estimate->last *= repeats(p) + 1;
		return true;
	case '+':
		estimate->last *= 2;
		return true;
	case '*':
	case '?':
		estimate->last++;
		return true;
	case '\\':
		if (isdigit((unsigned char)(*p)[1])) /* a back reference */
			return false;
		*p += (*p)[1] != '\0';
		break;
	case '[':
		*p = bracket_end(*p);
		break;
	default:
		break;
	}
	add_part(estimate);
	return true;
}

static bool is_small(const char *p)
{
	struct estimate estimate = {.last = 0};
	for (; *p; p++) {
		if (!take(&estimate, &p) || estimate.last + estimate.group[estimate.deep] > PARTS_MOST)
			return false;
		if (!*p)
			break;
	}
	return true;
}

bool pattern_set(regex_t *re, bool *has, char *kept, const char *text)
{
	regex_t fresh;
	if (!is_small(text) || (text[0] && regcomp(&fresh, text, REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0))
		return false;
	if (*has)
		regfree(re);
	*has = text[0] != '\0';
	if (*has)
		*re = fresh;
	snprintf(kept, LINE_MAX_BYTES, "%s", text);
	return true;
}
