/* SPDX-License-Identifier: MIT */
/* Words of a scenario line and the values in them. Invariant: a false return has filled the error with the
 * line, what was found and what was expected. Must not know what the statements mean. */
#include "scenario_text.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/array.h"
#include "vmtop/quantity.h"

bool reader_fail(struct reader *reader, const char *fmt, ...)
{
	char what[sizeof reader->e->msg];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	for (char *p = what; *p; p++) /* the text is somebody else's */
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	if (reader->usage)
		err_set(reader->e, ERR_USAGE, "%s:%d: %s; expected: %s", reader->name, reader->line, what,
			reader->usage);
	else
		err_set(reader->e, ERR_USAGE, "%s:%d: %s", reader->name, reader->line, what);
	return false;
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *p = c ? strchr(digits, c | 0x20) : NULL;
	return p ? (int)(p - digits) : -1;
}

/* One escape of a quoted word at *p (after the backslash); -1: not one. */
static int read_escape(const char **p, const char *end)
{
	if (*p >= end)
		return -1;
	char c = *(*p)++;
	switch (c) {
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case '"':
	case '\\':
		return c;
	case 'x':
		break;
	default:
		return -1;
	}
	int hi = *p < end ? hex_digit((*p)[0]) : -1, lo = *p + 1 < end ? hex_digit((*p)[1]) : -1;
	*p += 2;
	return hi < 0 || lo < 0 || hi + lo == 0 ? -1 : hi * 16 + lo;
}

static bool read_quoted(struct reader *reader, const char **p, const char *end, char **to)
{
	for ((*p)++; *p < end && **p != '"';) {
		int c = (unsigned char)*(*p)++;
		if (c == '\\')
			c = read_escape(p, end);
		if (c < 0)
			return reader_fail(
				reader, "unknown escape in a quoted word (known: \\n \\t \\\" \\\\ \\xNN)");
		*(*to)++ = (char)c;
	}
	if (*p >= end)
		return reader_fail(reader, "a quote is not closed");
	(*p)++;
	return true;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

bool reader_split(struct reader *reader, const char *line, size_t len)
{
	reader->n = reader->at = 0;
	reader->usage = NULL;
	if (len >= SCN_LINE)
		return reader_fail(reader, "line of %zu bytes, at most %d are read", len, SCN_LINE - 1);
	if (memchr(line, '\0', len))
		return reader_fail(reader, "a zero byte; this is not a text file");
	const char *p = line, *end = line + len;
	char *to = reader->text; /* a word never grows: escapes shrink, and every word had a separator */
	for (;;) {
		while (p < end && is_space(*p))
			p++;
		if (p >= end || *p == '#')
			return true;
		if (reader->n == SCN_WORDS)
			return reader_fail(reader, "more than %d words on one line", SCN_WORDS);
		reader->quoted[reader->n] = *p == '"';
		reader->word[reader->n] = to;
		if (reader->quoted[reader->n] && !read_quoted(reader, &p, end, &to))
			return false;
		while (!reader->quoted[reader->n] && p < end && !is_space(*p))
			*to++ = *p++;
		if (p < end && !is_space(*p))
			return reader_fail(reader, "no space after a quoted word");
		*to++ = '\0';
		reader->n++;
	}
}

const char *reader_peek(const struct reader *reader)
{
	return reader->at < reader->n ? reader->word[reader->at] : NULL;
}

bool reader_accept(struct reader *reader, const char *word)
{
	if (reader->at >= reader->n || reader->quoted[reader->at] ||
		strcmp(reader->word[reader->at], word) != 0)
		return false;
	reader->at++;
	return true;
}

bool want_word(struct reader *reader, const char **word, const char *what)
{
	if (reader->at >= reader->n)
		return reader_fail(reader, "%s is missing", what);
	*word = reader->word[reader->at++];
	return true;
}

static bool want_end(struct reader *reader)
{
	return reader->at >= reader->n ||
	       reader_fail(reader, "\"%.40s\" is too much", reader->word[reader->at]);
}

/* A quantity, at most max; above zero if !zero_ok. */
static bool want_quantity(struct reader *reader, double *v, bool (*read)(const char *text, double *v),
	double max, bool zero_ok, const char *what)
{
	const char *w = "";
	double x;
	if (!want_word(reader, &w, what))
		return false;
	if (!read(w, &x))
		return reader_fail(reader, "\"%.40s\" is not %s", w, what);
	if (x > max || (x <= 0 && !zero_ok))
		return reader_fail(reader, "\"%.40s\" is out of range", w);
	*v = x;
	return true;
}

bool want_time(struct reader *reader, int64_t *ns, bool zero_ok)
{
	double s = 0;
	if (!want_quantity(reader, &s, quantity_seconds, 86400.0 * 3650, zero_ok,
		    "a time (like 500ms, 10s, 5min, 2h)"))
		return false;
	*ns = llround(s * 1e9);
	return true;
}

/* Here a size has a unit: who writes 512 means 512M. */
static bool read_size(const char *text, double *kib)
{
	return *text && !isdigit((unsigned char)text[strlen(text) - 1]) && quantity_kib(text, kib);
}

bool want_size(struct reader *reader, int64_t *kib)
{
	double v = 0;
	if (!want_quantity(reader, &v, read_size, 1e12, true, "a size (like 512M, 4G)"))
		return false;
	*kib = (int64_t)v;
	return true;
}

/* "20M" of "20M/s"; of "16-21M/s" 16M or 21M. */
static bool read_rate(const char *text, bool low, double *kib_s)
{
	const char *dash = strchr(text, '-'), *high = dash ? dash + 1 : text;
	const char *unit = high + strspn(high, "0123456789."), *end = strstr(unit, "/s");
	char word[64];
	if (!end || end[2])
		return false;
	if (low && dash)
		snprintf(word, sizeof word, "%.*s%.*s", (int)(dash - text), text, (int)(end - unit), unit);
	else
		snprintf(word, sizeof word, "%.*s", (int)(end - high), high);
	return read_size(word, kib_s);
}

bool want_rates(struct reader *reader, int64_t *lo, int64_t *hi)
{
	const char *what = "a rate (like 20M/s or 16-21M/s)", *w = "";
	double from, to;
	if (!want_word(reader, &w, what))
		return false;
	if (!read_rate(w, true, &from) || !read_rate(w, false, &to))
		return reader_fail(reader, "\"%.40s\" is not %s", w, what);
	if (from > to || to <= 0 || to > 1e9)
		return reader_fail(reader, "\"%.40s\" is out of range", w);
	*lo = (int64_t)from;
	*hi = (int64_t)to;
	return true;
}

bool want_level(struct reader *reader, double *level, double max)
{
	double pct = 0;
	if (!want_quantity(reader, &pct, quantity_percent, max * 100, true, "a share of a pCPU (like 50%)"))
		return false;
	*level = pct * .01;
	return true;
}

bool want_int(struct reader *reader, int *v, int lo, int hi)
{
	const char *w = "";
	int64_t x;
	if (!want_word(reader, &w, "a number"))
		return false;
	if (!quantity_whole(w, lo, hi, &x))
		return reader_fail(reader, "\"%.40s\" is not a whole number from %d to %d", w, lo, hi);
	*v = (int)x;
	return true;
}

bool want_cpus(struct reader *reader, struct cpuset *set)
{
	const char *w = "";
	struct err err = ERR_INIT;
	if (!want_word(reader, &w, "a list (like 0-3,7)"))
		return false;
	if (cpuset_parse(set, w, &err) < 0)
		return reader_fail(reader, "%.120s", err.msg);
	return !cpuset_empty(set) || reader_fail(reader, "the list is empty");
}

void *reader_grow(struct reader *reader, void **items, size_t *n, size_t *cap, size_t max, size_t size,
	const char *what)
{
	if (*n >= max) {
		reader_fail(reader, "more than %zu %s", max, what);
		return NULL;
	}
	void *item = array_more(items, n, cap, max, size);
	if (!item)
		err_set(reader->e, ERR_NOMEM, "out of memory for the scenario");
	return item;
}

bool want_set(struct reader *reader, int *index)
{
	struct cpuset set;
	if (!want_cpus(reader, &set))
		return false;
	struct scenario *scn = reader->scn;
	void *items = scn->sets;
	struct cpuset *to =
		reader_grow(reader, &items, &scn->n_sets, &scn->cap_sets, SCN_SETS, sizeof *to, "CPU lists");
	scn->sets = items;
	if (!to)
		return false;
	*to = set;
	*index = (int)scn->n_sets - 1;
	return true;
}

bool scenario_reader_run(
	struct reader *reader, const struct statement *table, const char *word, const char *where)
{
	char known[240] = "";
	for (const struct statement *stmt = table; stmt->word; stmt++) {
		if (strcmp(stmt->word, word) == 0) {
			reader->usage = stmt->usage;
			return stmt->read(reader) && want_end(reader);
		}
		size_t n = strlen(known);
		snprintf(known + n, sizeof known - n, " %s", stmt->word);
	}
	reader->usage = NULL;
	return reader_fail(reader, "unknown word \"%.40s\"; %s:%s", word, where, known);
}
