/* SPDX-License-Identifier: MIT */
/* Reasons: keys and texts from the one table in why.h, and the record that carries one. */
#include "vmtop/why.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
	const char *key, *text;
} rows[] = {
#define ROW(code, key, text) [code] = {key, text},
	REASON_TABLE(ROW)
#undef ROW
};

const char *reason_key(enum reason reason)
{
	return (unsigned)reason < REASON_COUNT ? rows[reason].key : "none";
}

const char *reason_text(enum reason reason)
{
	return (unsigned)reason < REASON_COUNT ? rows[reason].text : rows[REASON_NONE].text;
}

void why_set(struct why *why, enum reason code, const char *fmt, ...)
{
	why->code = code;
	if (!fmt) {
		snprintf(why->text, sizeof why->text, "%s", reason_text(code));
		return;
	}
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why->text, sizeof why->text, fmt, ap);
	va_end(ap);
}
