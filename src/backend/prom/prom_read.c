/* SPDX-License-Identifier: MIT */
/* A reader of JSON that knows one shape: {"status", "data": {"resultType": "vector", "result": [...]}}. It
 * makes no tree, for an answer about 30,000 VMs has millions of nodes. Invariant: it never reads beyond the
 * text, whatever stands in it; depth and lengths are bounded. */
#include "prom_read.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH = 32, NUMBER = 64 };

struct reader {
	const char *p, *end;
	bool bad;
	struct prom_series *series;
	void (*each)(void *arg, const struct prom_series *s);
	void *arg;
	char status[16], type[16], error[200];
};

static void blanks(struct reader *reader)
{
	while (reader->p < reader->end &&
		(*reader->p == ' ' || *reader->p == '\t' || *reader->p == '\n' || *reader->p == '\r'))
		reader->p++;
}

static bool take(struct reader *reader, char c)
{
	blanks(reader);
	if (reader->p >= reader->end || *reader->p != c)
		return false;
	reader->p++;
	return true;
}

static void expect(struct reader *reader, char c)
{
	if (!take(reader, c))
		reader->bad = true;
}

static unsigned hex4(struct reader *reader)
{
	unsigned x = 0;
	for (int i = 0; i < 4; i++, reader->p++) {
		char c = reader->p < reader->end ? *reader->p : '\0';
		unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
			     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
			     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
						    : 16;
		if (d == 16) {
			reader->bad = true;
			return 0;
		}
		x = x << 4 | d;
	}
	return x;
}

/* One character of a string as bytes of UTF-8; a zero byte and half a surrogate become U+FFFD. */
static size_t escaped(struct reader *reader, char to[4])
{
	static const char from[] = "\"\\/bfnrt", is[] = "\"\\/\b\f\n\r\t";
	char c = reader->p < reader->end ? *reader->p++ : '\0';
	const char *at = c ? strchr(from, c) : NULL;
	if (at) {
		to[0] = is[at - from];
		return 1;
	}
	uint32_t ch = c == 'u' ? hex4(reader) : 0;
	reader->bad |= c != 'u';
	if (ch >= 0xd800 && ch < 0xdc00 && reader->end - reader->p > 2 && reader->p[0] == '\\' &&
		reader->p[1] == 'u') {
		reader->p += 2;
		uint32_t low = hex4(reader);
		ch = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((ch - 0xd800) << 10) + (low - 0xdc00)
						   : 0xfffd;
	}
	if (!ch || (ch >= 0xd800 && ch < 0xe000))
		ch = 0xfffd;
	size_t n = ch < 0x80 ? 1 : ch < 0x800 ? 2 : ch < 0x10000 ? 3 : 4;
	uint32_t rest = ch;
	for (size_t i = n; i-- > 1; rest >>= 6)
		to[i] = (char)(0x80 | (rest & 0x3f));
	to[0] = (char)(n == 1 ? rest : (0xf00U >> n & 0xffU) | rest);
	return n;
}

/* Into `to`, or nowhere; cut where it is too long. */
static void string(struct reader *reader, char *to, size_t room)
{
	size_t n = 0;
	expect(reader, '"');
	while (!reader->bad && reader->p < reader->end && *reader->p != '"') {
		char one[4] = {*reader->p};
		size_t k = 1;
		if ((unsigned char)*reader->p < 0x20)
			reader->bad = true;
		else if (*reader->p++ == '\\')
			k = escaped(reader, one);
		if (to && n + k < room) {
			memcpy(to + n, one, k);
			n += k;
		} else {
			room = 0;
		}
	}
	if (to)
		to[n] = '\0';
	expect(reader, '"');
}

static void skip(struct reader *reader, int depth);

/* Members, or values where `list`; each by fn, which takes the value of a key. */
static void members(
	struct reader *reader, int depth, void (*fn)(struct reader *reader, const char *key, int depth))
{
	char key[32];
	expect(reader, '{');
	if (depth > DEPTH)
		reader->bad = true;
	if (reader->bad || take(reader, '}'))
		return;
	do {
		blanks(reader);
		string(reader, key, sizeof key);
		expect(reader, ':');
		if (reader->bad)
			return;
		fn(reader, key, depth + 1);
	} while (!reader->bad && take(reader, ','));
	expect(reader, '}');
}

static void skip_member(struct reader *reader, const char *key, int depth)
{
	(void)key;
	skip(reader, depth);
}

/* A number or a word, as text. */
static void word(struct reader *reader, char *to, size_t room)
{
	size_t n = 0;
	blanks(reader);
	for (; reader->p < reader->end && *reader->p &&
		strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", *reader->p);
		reader->p++)
		if (n + 1 < room)
			to[n++] = *reader->p;
	to[n] = '\0';
	reader->bad |= n == 0;
}

static void skip(struct reader *reader, int depth)
{
	char text[NUMBER];
	blanks(reader);
	if (depth > DEPTH || reader->p >= reader->end) {
		reader->bad = true;
	} else if (*reader->p == '"') {
		string(reader, NULL, 0);
	} else if (*reader->p == '{') {
		members(reader, depth, skip_member);
	} else if (take(reader, '[')) {
		if (take(reader, ']'))
			return;
		do
			skip(reader, depth + 1);
		while (!reader->bad && take(reader, ','));
		expect(reader, ']');
	} else {
		word(reader, text, sizeof text);
	}
}

int prom_label(const char *name, size_t len)
{
	static const char *const names[PROM_LABELS] = {
		"__name__", "instance", "host", "uri", "version", "vm", "uuid", "state", "cause", "who"};
	for (int i = 0; i < PROM_LABELS; i++)
		if (strlen(names[i]) == len && memcmp(name, names[i], len) == 0) /* a NUL may stand in name */
			return i;
	return -1;
}

static void read_label(struct reader *reader, const char *key, int depth)
{
	int i = prom_label(key, strlen(key));
	(void)depth;
	string(reader, i < 0 ? NULL : reader->series->label[i], PROM_TEXT);
}

/* [time, "value"] */
static void read_value(struct reader *reader)
{
	char text[NUMBER], *end;
	expect(reader, '[');
	word(reader, text, sizeof text);
	expect(reader, ',');
	string(reader, text, sizeof text);
	expect(reader, ']');
	reader->series->value = strtod(text, &end);
	reader->bad |= end == text || *end;
}

static void read_series_member(struct reader *reader, const char *key, int depth)
{
	if (strcmp(key, "metric") == 0)
		members(reader, depth, read_label);
	else if (strcmp(key, "value") == 0)
		read_value(reader);
	else
		skip(reader, depth);
}

static void read_result(struct reader *reader, int depth)
{
	expect(reader, '[');
	if (reader->bad || take(reader, ']'))
		return;
	do {
		for (int i = 0; i < PROM_LABELS; i++)
			reader->series->label[i][0] = '\0';
		reader->series->value = strtod("nan", NULL);
		members(reader, depth + 1, read_series_member);
		if (!reader->bad)
			reader->each(reader->arg, reader->series);
	} while (!reader->bad && take(reader, ','));
	expect(reader, ']');
}

static void read_data_member(struct reader *reader, const char *key, int depth)
{
	if (strcmp(key, "resultType") == 0)
		string(reader, reader->type, sizeof reader->type);
	else if (strcmp(key, "result") == 0 && strcmp(reader->type, "vector") == 0)
		read_result(reader, depth);
	else
		skip(reader, depth);
}

static void read_answer_member(struct reader *reader, const char *key, int depth)
{
	if (strcmp(key, "status") == 0)
		string(reader, reader->status, sizeof reader->status);
	else if (strcmp(key, "error") == 0)
		string(reader, reader->error, sizeof reader->error);
	else if (strcmp(key, "data") == 0 && reader->p < reader->end &&
		 (blanks(reader), reader->p < reader->end) && *reader->p == '{')
		members(reader, depth, read_data_member);
	else
		skip(reader, depth);
}

static int judge(const struct reader *reader, struct err *err)
{
	if (reader->error[0])
		return err_set(err, ERR_RUNTIME, "Prometheus says: %s", reader->error);
	if (reader->bad || reader->p != reader->end)
		return err_set(err, ERR_RUNTIME, "this is no answer of a Prometheus, or only a part of one");
	if (strcmp(reader->status, "success") != 0 || strcmp(reader->type, "vector") != 0)
		return err_set(err, ERR_RUNTIME, "Prometheus answers something else than a vector");
	return 0;
}

int prom_read(const char *text, size_t len, void (*each)(void *arg, const struct prom_series *series),
	void *arg, struct err *err)
{
	struct reader reader = {.p = text, .end = text + len, .each = each, .arg = arg};
	reader.series = calloc(1, sizeof *reader.series);
	if (!reader.series)
		return err_set(err, ERR_NOMEM, "out of memory");
	members(&reader, 0, read_answer_member);
	blanks(&reader);
	free(reader.series);
	return judge(&reader, err);
}
