/* SPDX-License-Identifier: MIT */
/* Values of columns as people read them, and their order. Invariant: what is absent is "-" and below
 * everything. Knows nothing of screens, files and formats. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "vmtop/columns.h"
#include "vmtop/text.h"

/* 999 -> "999", 12345 -> "12.1K": at most 5 columns. */
static void format_scaled(char *buf, size_t len, double x)
{
	static const char units[] = " KMGTPE";
	size_t u = 0;
	while (fabs(x) >= 999.5 && u + 2 < sizeof units) {
		x /= 1024;
		u++;
	}
	if (u)
		snprintf(buf, len, fabs(x) < 9.95 ? "%.1f%c" : "%.0f%c", x, units[u]);
	else
		snprintf(buf, len, x > 0 && x < 9.95 && x != floor(x) ? "%.1f" : "%.0f", x);
}

/* "12.3", "1:02", "3:04:05", "12d03h" */
static void format_seconds(char *buf, size_t len, double s)
{
	long t = (long)s;
	if (t < 60)
		snprintf(buf, len, "%.1f", s);
	else if (t < 3600)
		snprintf(buf, len, "%ld:%02ld", t / 60, t % 60);
	else if (t < 86400)
		snprintf(buf, len, "%ld:%02ld:%02ld", t / 3600, t / 60 % 60, t % 60);
	else
		snprintf(buf, len, "%ldd%02ldh", t / 86400, t / 3600 % 24);
}

void value_format(char *buf, size_t len, const struct value *val)
{
	if (val->avail != AVAIL_OK) {
		snprintf(buf, len, "-");
		return;
	}
	switch (val->type) {
	case VALUE_TEXT:
		text_escape(buf, len, val->text);
		break;
	case VALUE_INT:
		snprintf(buf, len, "%.0f", val->num);
		break;
	case VALUE_PCT:
	case VALUE_SHARE:
		snprintf(buf, len, "%.1f", fmax(0, val->num));
		break;
	case VALUE_KIB:
		text_kib(buf, len, (int64_t)val->num);
		break;
	case VALUE_KIB_S:
		format_scaled(buf, len, val->num * 1024);
		break;
	case VALUE_RATE:
	case VALUE_BYTES_S:
		format_scaled(buf, len, val->num);
		break;
	case VALUE_SECONDS:
		format_seconds(buf, len, val->num);
		break;
	case VALUE_AGE:
		snprintf(buf, len, "%.0fs", val->num);
		break;
	}
}

int value_compare(const struct value *a, const struct value *b)
{
	bool x = a->avail == AVAIL_OK, y = b->avail == AVAIL_OK;
	if (!x || !y)
		return x - y;
	if (a->type == VALUE_TEXT)
		return strcmp(a->text, b->text);
	return (a->num > b->num) - (a->num < b->num);
}
