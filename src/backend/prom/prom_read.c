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
	struct prom_series *s;
	void (*each)(void *arg, const struct prom_series *s);
	void *arg;
	char status[16], type[16], error[200];
};

static void blanks(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
		r->p++;
}

static bool take(struct reader *r, char c)
{
	blanks(r);
	if (r->p >= r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

static void expect(struct reader *r, char c)
{
	if (!take(r, c))
		r->bad = true;
}

static unsigned hex4(struct reader *r)
{
	unsigned x = 0;
	for (int i = 0; i < 4; i++, r->p++) {
		char c = r->p < r->end ? *r->p : '\0';
		unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
			     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
			     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
						    : 16;
		if (d == 16) {
			r->bad = true;
			return 0;
		}
		x = x << 4 | d;
	}
	return x;
}

/* One character of a string as bytes of UTF-8; a zero byte and half a surrogate become U+FFFD. */
static size_t escaped(struct reader *r, char to[4])
{
	static const char from[] = "\"\\/bfnrt", is[] = "\"\\/\b\f\n\r\t";
	char c = r->p < r->end ? *r->p++ : '\0';
	const char *at = c ? strchr(from, c) : NULL;
	if (at) {
		to[0] = is[at - from];
		return 1;
	}
	uint32_t ch = c == 'u' ? hex4(r) : 0;
	r->bad |= c != 'u';
	if (ch >= 0xd800 && ch < 0xdc00 && r->end - r->p > 2 && r->p[0] == '\\' && r->p[1] == 'u') {
		r->p += 2;
		uint32_t low = hex4(r);
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
static void string(struct reader *r, char *to, size_t room)
{
	size_t n = 0;
	expect(r, '"');
	while (!r->bad && r->p < r->end && *r->p != '"') {
		char one[4] = {*r->p};
		size_t k = 1;
		if ((unsigned char)*r->p < 0x20)
			r->bad = true;
		else if (*r->p++ == '\\')
			k = escaped(r, one);
		if (to && n + k < room) {
			memcpy(to + n, one, k);
			n += k;
		} else {
			room = 0;
		}
	}
	if (to)
		to[n] = '\0';
	expect(r, '"');
}

static void skip(struct reader *r, int depth);

/* Members, or values where `list`; each by fn, which takes the value of a key. */
static void members(struct reader *r, int depth, void (*fn)(struct reader *r, const char *key, int depth))
{
	char key[32];
	expect(r, '{');
	if (depth > DEPTH)
		r->bad = true;
	if (r->bad || take(r, '}'))
		return;
	do {
		blanks(r);
		string(r, key, sizeof key);
		expect(r, ':');
		if (r->bad)
			return;
		fn(r, key, depth + 1);
	} while (!r->bad && take(r, ','));
	expect(r, '}');
}

static void skip_member(struct reader *r, const char *key, int depth)
{
	(void)key;
	skip(r, depth);
}

/* A number or a word, as text. */
static void word(struct reader *r, char *to, size_t room)
{
	size_t n = 0;
	blanks(r);
	for (; r->p < r->end && *r->p &&
		strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", *r->p);
		r->p++)
		if (n + 1 < room)
			to[n++] = *r->p;
	to[n] = '\0';
	r->bad |= n == 0;
}

static void skip(struct reader *r, int depth)
{
	char text[NUMBER];
	blanks(r);
	if (depth > DEPTH || r->p >= r->end) {
		r->bad = true;
	} else if (*r->p == '"') {
		string(r, NULL, 0);
	} else if (*r->p == '{') {
		members(r, depth, skip_member);
	} else if (take(r, '[')) {
		if (take(r, ']'))
			return;
		do
			skip(r, depth + 1);
		while (!r->bad && take(r, ','));
		expect(r, ']');
	} else {
		word(r, text, sizeof text);
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

static void read_label(struct reader *r, const char *key, int depth)
{
	int i = prom_label(key, strlen(key));
	(void)depth;
	string(r, i < 0 ? NULL : r->s->label[i], PROM_TEXT);
}

/* [time, "value"] */
static void read_value(struct reader *r)
{
	char text[NUMBER], *end;
	expect(r, '[');
	word(r, text, sizeof text);
	expect(r, ',');
	string(r, text, sizeof text);
	expect(r, ']');
	r->s->value = strtod(text, &end);
	r->bad |= end == text || *end;
}

static void read_series_member(struct reader *r, const char *key, int depth)
{
	if (strcmp(key, "metric") == 0)
		members(r, depth, read_label);
	else if (strcmp(key, "value") == 0)
		read_value(r);
	else
		skip(r, depth);
}

static void read_result(struct reader *r, int depth)
{
	expect(r, '[');
	if (r->bad || take(r, ']'))
		return;
	do {
		for (int i = 0; i < PROM_LABELS; i++)
			r->s->label[i][0] = '\0';
		r->s->value = strtod("nan", NULL);
		members(r, depth + 1, read_series_member);
		if (!r->bad)
			r->each(r->arg, r->s);
	} while (!r->bad && take(r, ','));
	expect(r, ']');
}

static void read_data_member(struct reader *r, const char *key, int depth)
{
	if (strcmp(key, "resultType") == 0)
		string(r, r->type, sizeof r->type);
	else if (strcmp(key, "result") == 0 && strcmp(r->type, "vector") == 0)
		read_result(r, depth);
	else
		skip(r, depth);
}

static void read_answer_member(struct reader *r, const char *key, int depth)
{
	if (strcmp(key, "status") == 0)
		string(r, r->status, sizeof r->status);
	else if (strcmp(key, "error") == 0)
		string(r, r->error, sizeof r->error);
	else if (strcmp(key, "data") == 0 && r->p < r->end && (blanks(r), r->p < r->end) && *r->p == '{')
		members(r, depth, read_data_member);
	else
		skip(r, depth);
}

static int judge(const struct reader *r, struct err *e)
{
	if (r->error[0])
		return err_set(e, ERR_RUNTIME, "Prometheus says: %s", r->error);
	if (r->bad || r->p != r->end)
		return err_set(e, ERR_RUNTIME, "this is no answer of a Prometheus, or only a part of one");
	if (strcmp(r->status, "success") != 0 || strcmp(r->type, "vector") != 0)
		return err_set(e, ERR_RUNTIME, "Prometheus answers something else than a vector");
	return 0;
}

int prom_read(const char *text, size_t len, void (*each)(void *arg, const struct prom_series *s), void *arg,
	struct err *e)
{
	struct reader r = {.p = text, .end = text + len, .each = each, .arg = arg};
	r.s = calloc(1, sizeof *r.s);
	if (!r.s)
		return err_set(e, ERR_NOMEM, "out of memory");
	members(&r, 0, read_answer_member);
	blanks(&r);
	free(r.s);
	return judge(&r, e);
}
