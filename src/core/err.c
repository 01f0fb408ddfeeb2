/* SPDX-License-Identifier: MIT */
/* Errors as values. Invariant: a filled error always has a code and a message. */
#include "vmtop/err.h"
#include "vmtop/minmax.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	if (!err)
		return -1;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof err->msg, fmt, ap);
	va_end(ap);
	err->code = code;
	return -1;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
	if (!err)
		return -1;
	char head[sizeof err->msg], old[sizeof err->msg];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(head, sizeof head, fmt, ap);
	va_end(ap);
	memcpy(old, err->msg, sizeof old);
	size_t n = strlen(head);
	if (n > sizeof err->msg - 3)
		n = sizeof err->msg - 3;
	memcpy(err->msg, head, n);
	memcpy(err->msg + n, ": ", 3);
	size_t room = sizeof err->msg - n - 3, want = strlen(old);
	memcpy(err->msg + n + 2, old, min_of(want, room));
	err->msg[n + 2 + min_of(want, room)] = '\0';
	return -1;
}

int err_exit_status(const struct err *err)
{
	switch (err->code) {
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
