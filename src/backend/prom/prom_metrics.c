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
	struct prom_series *series;
};

static bool at(const struct reader *reader, char c)
{
	return reader->p < reader->end && *reader->p == c;
}

static bool take(struct reader *reader, char c)
{
	bool is = at(reader, c);
	reader->p += is;
	return is;
}

/* Up to one of these characters, or the end. */
static size_t word(struct reader *reader, const char *ends, char *to, size_t room)
{
	const char *from = reader->p;
	while (reader->p < reader->end && *reader->p && !strchr(ends, *reader->p))
		reader->p++;
	size_t n = (size_t)(reader->p - from), kept = n < room ? n : room - 1;
	memcpy(to, from, kept);
	to[kept] = '\0';
	return n;
}

/* In quotes; cut where it is too long. to: NULL, nowhere. */
static bool quoted(struct reader *reader, char *to)
{
	size_t n = 0;
	if (!take(reader, '"'))
		return false;
	for (; reader->p < reader->end && *reader->p != '"' && *reader->p != '\n'; reader->p++) {
		char c = *reader->p;
		if (c == '\\' && reader->p + 1 < reader->end)
			c = *++reader->p == 'n' ? '\n' : *reader->p;
		if (to && n + 1 < PROM_TEXT)
			to[n++] = c;
	}
	if (to)
		to[n] = '\0';
	return take(reader, '"');
}

static bool labels(struct reader *reader)
{
	while (!take(reader, '}')) {
		const char *name = reader->p;
		while (reader->p < reader->end && *reader->p != '=' && *reader->p != '\n')
			reader->p++;
		int i = prom_label(name, (size_t)(reader->p - name));
		if (!take(reader, '=') || !quoted(reader, i < 0 ? NULL : reader->series->label[i]))
			return false;
		if (!take(reader, ',') && !at(reader, '}'))
			return false;
	}
	return true;
}

static bool number(struct reader *reader, double *to)
{
	char text[NUMBER], *end;
	size_t n = word(reader, " \n", text, sizeof text);
	*to = strtod(text, &end);
	return n > 0 && n < sizeof text && !*end;
}

static bool series(struct reader *reader)
{
	double time;
	for (int i = 0; i < PROM_LABELS; i++)
		reader->series->label[i][0] = '\0';
	if (word(reader, "{ \n", reader->series->label[PROM_NAME], PROM_TEXT) == 0)
		return false;
	if (take(reader, '{') && !labels(reader))
		return false;
	return take(reader, ' ') && number(reader, &reader->series->value) &&
	       (!take(reader, ' ') || number(reader, &time)) && take(reader, '\n');
}

int prom_read_metrics(const char *text, size_t len, void (*each)(void *arg, const struct prom_series *s),
	void *arg, struct err *err)
{
	struct reader reader = {.p = text, .end = text + len};
	bool good = true;
	reader.series = calloc(1, sizeof *reader.series);
	if (!reader.series)
		return err_set(err, ERR_NOMEM, "out of memory");
	while (good && reader.p < reader.end) {
		const char *line = memchr(reader.p, '\n', (size_t)(reader.end - reader.p));
		if (line && (*reader.p == '#' || line == reader.p)) {
			reader.p = line + 1;
			continue;
		}
		good = line && series(&reader);
		if (good)
			each(arg, reader.series);
	}
	free(reader.series);
	return good ? 0
		    : err_set(err, ERR_RUNTIME,
			      "these are no metrics of a Prometheus, or only a part of them");
}
