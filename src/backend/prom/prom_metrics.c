/* SPDX-License-Identifier: MIT */
/* A reader of metrics as text: a line a series, name{label="value",...} value [time]. Invariant: it never
 * reads beyond the text, whatever stands in it; a line that was cut off is an error. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "prom_read.h"

enum { NUMBER = 64 };

struct reader {
	const char *p, *end;
	struct prom_series *s;
};

static bool at(const struct reader *r, char c)
{
	return r->p < r->end && *r->p == c;
}

static bool take(struct reader *r, char c)
{
	bool is = at(r, c);
	r->p += is;
	return is;
}

/* Up to one of these characters, or the end. */
static size_t word(struct reader *r, const char *ends, char *to, size_t room)
{
	const char *from = r->p;
	while (r->p < r->end && *r->p && !strchr(ends, *r->p))
		r->p++;
	size_t n = (size_t)(r->p - from), kept = n < room ? n : room - 1;
	memcpy(to, from, kept);
	to[kept] = '\0';
	return n;
}

/* In quotes; cut where it is too long. to: NULL, nowhere. */
static bool quoted(struct reader *r, char *to)
{
	size_t n = 0;
	if (!take(r, '"'))
		return false;
	for (; r->p < r->end && *r->p != '"' && *r->p != '\n'; r->p++) {
		char c = *r->p;
		if (c == '\\' && r->p + 1 < r->end)
			c = *++r->p == 'n' ? '\n' : *r->p;
		if (to && n + 1 < PROM_TEXT)
			to[n++] = c;
	}
	if (to)
		to[n] = '\0';
	return take(r, '"');
}

static bool labels(struct reader *r)
{
	while (!take(r, '}')) {
		const char *name = r->p;
		while (r->p < r->end && *r->p != '=' && *r->p != '\n')
			r->p++;
		int i = prom_label(name, (size_t)(r->p - name));
		if (!take(r, '=') || !quoted(r, i < 0 ? NULL : r->s->label[i]))
			return false;
		if (!take(r, ',') && !at(r, '}'))
			return false;
	}
	return true;
}

static bool number(struct reader *r, double *to)
{
	char text[NUMBER], *end;
	size_t n = word(r, " \n", text, sizeof text);
	*to = strtod(text, &end);
	return n > 0 && n < sizeof text && !*end;
}

static bool series(struct reader *r)
{
	double time;
	for (int i = 0; i < PROM_LABELS; i++)
		r->s->label[i][0] = '\0';
	if (word(r, "{ \n", r->s->label[PROM_NAME], PROM_TEXT) == 0)
		return false;
	if (take(r, '{') && !labels(r))
		return false;
	return take(r, ' ') && number(r, &r->s->value) && (!take(r, ' ') || number(r, &time)) &&
	       take(r, '\n');
}

int prom_read_metrics(const char *text, size_t len, void (*each)(void *arg, const struct prom_series *s),
	void *arg, struct err *e)
{
	struct reader r = {.p = text, .end = text + len};
	bool good = true;
	r.s = calloc(1, sizeof *r.s);
	if (!r.s)
		return err_set(e, ERR_NOMEM, "out of memory");
	while (good && r.p < r.end) {
		const char *line = memchr(r.p, '\n', (size_t)(r.end - r.p));
		if (line && (*r.p == '#' || line == r.p)) {
			r.p = line + 1;
			continue;
		}
		good = line && series(&r);
		if (good)
			each(arg, r.s);
	}
	free(r.s);
	return good ? 0
		    : err_set(e, ERR_RUNTIME, "these are no metrics of a Prometheus, or only a part of them");
}
