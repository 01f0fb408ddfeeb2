/* SPDX-License-Identifier: MIT */
/* Hostile text made safe, and sizes and times as people write them.
 * Invariant: every function terminates its output, writes at most len bytes and never cuts inside a
 * character. Knows nothing about locales but what it was told: text is UTF-8 or it is escaped. */
#include "vmtop/text.h"
#include "vmtop/minmax.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

size_t text_decode(const char *s, uint32_t *ch)
{
	const unsigned char *u = (const unsigned char *)s;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = u[0] < 0x80 ? 1 : u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : 2;
	*ch = u[0] ? UINT32_MAX : 0;
	if (!u[0])
		return 0;
	if (n == 1) {
		*ch = u[0];
		return 1;
	}
	if (u[0] < 0xc2 || u[0] > 0xf4)
		return 1;
	uint32_t c = u[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 1;
		c = c << 6 | (u[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 1;
	*ch = c;
	return n;
}

static enum text_charset charset = TEXT_UTF8;

void text_charset_set(enum text_charset c)
{
	charset = c;
}

enum text_charset text_charset(void)
{
	return charset;
}

/* Valid characters that hide, rearrange what stands around them, or look like a blank or like nothing. */
static bool text_deceives(uint32_t c)
{
	static const struct {
		uint32_t from, to;
	} bad[] = {{0, 0x1f}, {0x7f, 0xa0}, {0xad, 0xad}, {0x34f, 0x34f}, {0x61c, 0x61c}, {0x115f, 0x1160},
		{0x1680, 0x1680}, {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x2000, 0x200f}, {0x2028, 0x202f},
		{0x205f, 0x206f}, {0x2800, 0x2800}, {0x3000, 0x3000}, {0x3164, 0x3164}, {0xfe00, 0xfe0f},
		{0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xfff9, 0xfffb}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
		{0xe0000, 0xe0fff}};
	for (size_t i = 0; i < sizeof bad / sizeof *bad && bad[i].from <= c; i++)
		if (c <= bad[i].to)
			return true;
	return text_width(c) < 0;
}

static bool text_shows(uint32_t c, enum text_charset set)
{
	/* of both code page 437 and Latin-1 */
	static const char console[] = "\xc7\xfc\xe9\xe2\xe4\xe0\xe5\xe7\xea\xeb\xe8\xef\xee\xec\xc4\xc5\xc9"
				      "\xe6\xc6\xf4\xf6\xf2\xfb\xf9\xff\xd6\xdc\xe1\xed\xf3\xfa\xf1\xd1\xdf";
	if (c == UINT32_MAX || text_deceives(c))
		return false;
	if (c < 0x80 || set == TEXT_UTF8)
		return true;
	return set == TEXT_CONSOLE && c < 0x100 && strchr(console, (int)c);
}

static int text_code(uint32_t c, unsigned char byte, char buf[16])
{
	return c == UINT32_MAX || c < 0x80 ? snprintf(buf, 16, "\\x%02x", byte)
					   : snprintf(buf, 16, "\\u{%04x}", (unsigned)c);
}

/* What our own texts use, where it cannot be shown. */
static const struct {
	uint32_t ch;
	const char *ascii;
	bool console; /* the kernel's console has it */
} plain[] = {
	{0x00b7, "-", true},  /* middle dot */
	{0x2026, "~", false}, /* ellipsis */
	{0x2192, "->", true},
	{0x2190, "<-", true},
	{0x2191, "^", true},
	{0x2193, "v", true},
	{0x03c3, "sd", true},
	{0x2264, "<=", true},
	{0x2265, ">=", true},
	{0x00d7, "x", true},
	{0x2013, "-", false},
	{0x2014, "-", false},
	{0x25b2, "^", true},
	{0x25bc, "v", true},
};

const char *text_stand_in(uint32_t ch, unsigned char byte, enum text_charset set, char buf[16])
{
	for (size_t i = 0; i < sizeof plain / sizeof *plain && set != TEXT_UTF8; i++)
		if (plain[i].ch == ch)
			return set == TEXT_ASCII || !plain[i].console ? plain[i].ascii : NULL;
	if (text_shows(ch, set))
		return NULL;
	text_code(ch, byte, buf);
	return buf;
}

/* Appends all of piece or nothing; false: no room. */
static bool text_append(char *buf, size_t len, size_t *used, const char *piece, size_t n)
{
	if (len - *used <= n)
		return false;
	memcpy(buf + *used, piece, n);
	*used += n;
	buf[*used] = '\0';
	return true;
}

/* A mark needs something to stand on, and a cell has room for so many. */
static bool marks_fit(uint32_t c, int *marks)
{
	bool mark = c != UINT32_MAX && text_width(c) == 0;
	*marks = mark ? *marks + 1 : 0;
	return !mark || *marks <= TEXT_MARKS;
}

/* The character at p of raw as it is shown: *from points to it, or to piece. Returns its bytes. */
static size_t escaped(
	const char *raw, const char *p, size_t n, uint32_t c, int *marks, const char **from, char piece[16])
{
	bool blank = c == ' ' && (p == raw || !p[1]), fits = marks_fit(c, marks);
	*from = p;
	if (c != '\\' && text_shows(c, charset) && !blank && fits)
		return n;
	*marks = TEXT_MARKS; /* the next one would stand on the escape */
	*from = piece;
	if (c == '\\')
		return (size_t)snprintf(piece, 16, "\\\\");
	return (size_t)text_code(c, (unsigned char)*p, piece);
}

/* What begins below head or at tail and above; a sign stands for what lies between. Returns the bytes of all
 * of it. */
static size_t escape(char *buf, size_t len, const char *raw, size_t head, size_t tail)
{
	size_t at = 0, used = 0, n, w;
	int marks = TEXT_MARKS;
	bool gap = false;
	uint32_t c;
	for (const char *p = raw; (n = text_decode(p, &c)) > 0; p += n, at += w) {
		const char *from;
		char piece[16];
		w = escaped(raw, p, n, c, &marks, &from, piece);
		bool in = !gap && at + w <= head;
		if (in || at >= tail)
			text_append(buf, len, &used, from, w);
		else if (!gap && tail != SIZE_MAX)
			text_append(buf, len, &used, "~", 1);
		gap |= !in;
	}
	return at;
}

/* Most names are letters and digits, and a frame escapes thousands of them: they need no second look. Bytes
 * of a text that is shown as it is; SIZE_MAX: something in it may not be. */
static size_t shown_as_is(const char *raw)
{
	size_t n = 0;
	while (raw[n] > ' ' && raw[n] < 0x7f && raw[n] != '\\')
		n++;
	return raw[n] ? SIZE_MAX : n;
}

size_t text_escape(char *buf, size_t len, const char *raw)
{
	enum { FEW = 16 };
	if (!len)
		return 0;
	size_t plain_bytes = shown_as_is(raw);
	if (plain_bytes < len) {
		memcpy(buf, raw, plain_bytes + 1);
		return plain_bytes;
	}
	buf[0] = '\0';
	size_t room = len - 1, all = escape(buf, 1, raw, 0, SIZE_MAX);
	bool whole = all <= room, ends = !whole && room >= FEW;
	escape(buf, len, raw, ends ? room / 2 : room, ends ? all - (room - room / 2 - 1) : SIZE_MAX);
	return strlen(buf);
}

static size_t safe(char *buf, size_t len, const char *text, enum text_charset set)
{
	size_t used = 0, n;
	uint32_t c;
	if (!len)
		return 0;
	buf[0] = '\0';
	for (; (n = text_decode(text, &c)) > 0; text += n) {
		char piece[16];
		const char *alt = text_stand_in(c, (unsigned char)*text, set, piece);
		if (!text_append(buf, len, &used, alt ? alt : text, alt ? strlen(alt) : n))
			break;
	}
	return used;
}

size_t text_safe(char *buf, size_t len, const char *text)
{
	return safe(buf, len, text, charset);
}

size_t text_safe_utf8(char *buf, size_t len, const char *text)
{
	return safe(buf, len, text, TEXT_UTF8);
}

size_t text_utf8(char *buf, size_t len, const char *raw)
{
	size_t used = 0, n;
	uint32_t c;
	if (!len)
		return 0;
	buf[0] = '\0';
	for (; (n = text_decode(raw, &c)) > 0; raw += n) {
		bool bad = c == UINT32_MAX;
		if (!text_append(buf, len, &used, bad ? "\xef\xbf\xbd" : raw, bad ? 3 : n))
			break;
	}
	return used;
}

static size_t text_fit(int n, size_t len)
{
	return n < 0 || !len ? 0 : min_of((size_t)n, len - 1);
}

size_t text_kib(char *buf, size_t len, int64_t kib)
{
	static const char unit[] = "KMGTPE";
	double v = (double)kib;
	size_t u = 0;
	while (fabs(v) >= 1023.5 && u + 1 < sizeof unit - 1) {
		v /= 1024;
		u++;
	}
	/* One digit after the point where it says something and fits. */
	bool fine = u > 0 && fabs(v) < (u == 1 ? 9.95 : 99.95);
	return text_fit(snprintf(buf, len, fine ? "%.1f%c" : "%.0f%c", v, unit[u]), len);
}

size_t text_time(char *buf, size_t len, int64_t wall_ns)
{
	time_t t = (time_t)(wall_ns / 1000000000);
	struct tm tm;
	char day[32], zone[16];
	if (!localtime_r(&t, &tm) || !strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm) ||
		!strftime(zone, sizeof zone, "%z", &tm) || strlen(zone) < 5)
		return text_fit(snprintf(buf, len, "-"), len);
	int ms = (int)(wall_ns / 1000000 % 1000);
	return text_fit(snprintf(buf, len, "%s.%03d%.3s:%s", day, max_of(ms, 0), zone, zone + 3), len);
}

const char *text_s(size_t n)
{
	return text_if(n != 1, "s");
}

const char *text_if(bool said, const char *text)
{
	return said ? text : "";
}

const char *text_or(const char *text, const char *otherwise)
{
	return text && *text ? text : otherwise;
}
