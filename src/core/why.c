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

const char *reason_key(enum reason r)
{
	return (unsigned)r < REASON_COUNT ? rows[r].key : "none";
}

const char *reason_text(enum reason r)
{
	return (unsigned)r < REASON_COUNT ? rows[r].text : rows[REASON_NONE].text;
}

void why_set(struct why *w, enum reason code, const char *fmt, ...)
{
	w->code = code;
	if (!fmt) {
		snprintf(w->text, sizeof w->text, "%s", reason_text(code));
		return;
	}
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(w->text, sizeof w->text, fmt, ap);
	va_end(ap);
}
