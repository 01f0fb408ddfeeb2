/* SPDX-License-Identifier: MIT */
/* Errors as values. Invariant: a filled error always has a code and a message. */
#include "vmtop/err.h"
#include "vmtop/minmax.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	if (!e)
		return -1;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	e->code = code;
	return -1;
}

int err_prefix(struct err *e, const char *fmt, ...)
{
	if (!e)
		return -1;
	char head[sizeof e->msg], old[sizeof e->msg];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(head, sizeof head, fmt, ap);
	va_end(ap);
	memcpy(old, e->msg, sizeof old);
	size_t n = strlen(head);
	if (n > sizeof e->msg - 3)
		n = sizeof e->msg - 3;
	memcpy(e->msg, head, n);
	memcpy(e->msg + n, ": ", 3);
	size_t room = sizeof e->msg - n - 3, want = strlen(old);
	memcpy(e->msg + n + 2, old, min_of(want, room));
	e->msg[n + 2 + min_of(want, room)] = '\0';
	return -1;
}

int err_exit_status(const struct err *e)
{
	switch (e->code) {
	case ERR_NONE:
		return 0;
	case ERR_USAGE:
		return 2;
	case ERR_CONNECT:
	case ERR_AWAY:
		return 3;
	default:
		return 1;
	}
}
