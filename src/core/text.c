/* SPDX-License-Identifier: MIT */
/* Hostile text made safe, and sizes and times as people write them.
 * Invariant: every function terminates its output, writes at most len bytes and never cuts inside a
 * character. Knows nothing about locales: text is UTF-8 or it is escaped. */
#include "vmtop/text.h"

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

/* Characters that are valid but hide or rearrange what stands around them. */
static bool text_deceives(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || c == 0x200b || c == 0x200e ||
	       c == 0x200f || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	       (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
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

size_t text_escape(char *buf, size_t len, const char *raw)
{
	size_t used = 0, n;
	uint32_t c;
	if (!len)
		return 0;
	buf[0] = '\0';
	for (; (n = text_decode(raw, &c)) > 0; raw += n) {
		char piece[16];
		if (c != UINT32_MAX && !text_deceives(c)) {
			if (!text_append(buf, len, &used, raw, n))
				break;
			continue;
		}
		int w = c == UINT32_MAX || c < 0x80
				? snprintf(piece, sizeof piece, "\\x%02x", (unsigned char)*raw)
				: snprintf(piece, sizeof piece, "\\u{%04x}", (unsigned)c);
		if (!text_append(buf, len, &used, piece, (size_t)w))
			break;
	}
	return used;
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
	return n < 0 || !len ? 0 : (size_t)n < len ? (size_t)n : len - 1;
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

int text_parse_kib(const char *s, int64_t *kib)
{
	static const char unit[] = "KMGTPE";
	if (!(*s >= '0' && *s <= '9'))
		return -1;
	size_t digits = strspn(s, "0123456789.");
	char number[32];
	if (digits >= sizeof number)
		return -1;
	memcpy(number, s, digits);
	number[digits] = '\0';
	double v = 0, scale = 0.1;
	char *point = strchr(number, '.');
	if (point && (strchr(point + 1, '.') || !point[1]))
		return -1;
	for (const char *p = number; *p && *p != '.'; p++) /* not strtod(): its point depends on the locale */
		v = v * 10 + (*p - '0');
	for (const char *p = point ? point + 1 : ""; *p; p++, scale /= 10)
		v += (*p - '0') * scale;
	s += digits + strspn(s + digits, " ");
	if (*s) {
		const char *at = strchr(unit, *s >= 'a' && *s <= 'z' ? *s - 'a' + 'A' : *s);
		if (!at)
			return -1;
		s++;
		bool decimal =
			*s == 'B' || *s == 'b'; /* as in libvirt: kB is 1000 bytes, KiB and K are 1024 */
		if (strcmp(s, "") != 0 && strcmp(s, "iB") != 0 && strcmp(s, "i") != 0 && !(decimal && !s[1]))
			return -1;
		v *= pow(decimal ? 1000 : 1024, (double)(at - unit + 1)) / 1024;
	}
	if (!(v < 9e15))
		return -1;
	*kib = (int64_t)llround(v);
	return 0;
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
	return text_fit(snprintf(buf, len, "%s.%03d%.3s:%s", day, ms < 0 ? 0 : ms, zone, zone + 3), len);
}

const char *text_s(size_t n)
{
	return n == 1 ? "" : "s";
}
