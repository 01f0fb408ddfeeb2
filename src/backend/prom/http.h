/* SPDX-License-Identifier: MIT */
/* HTTP, as much of it as is needed: several GETs at once, each bounded in time and size. Private to
 * src/backend; only http.c knows libcurl. */
#ifndef BACKEND_HTTP_H
#define BACKEND_HTTP_H

#include <stddef.h>

#include "vmtop/err.h"

struct http;
struct http_answer {
	char *text; /* and a zero byte behind; the caller frees it. NULL: there is none */
	size_t len;
	long status;    /* of HTTP; 0: there was no answer */
	struct err err; /* why */
};

/* token: sent as a bearer's, with https or to this machine alone; "" none. ca_file: "" the system's. */
struct http *http_new(const char *token, const char *ca_file, struct err *err);
void http_free(struct http *http);
/* All of them, in at most timeout_s and most_bytes each. No redirect is followed. */
void http_get(struct http *http, const char *const *urls, size_t n, struct http_answer *to, double timeout_s,
	size_t most_bytes);
/* Appends text with what a URL may not hold escaped. -1: there is no room. */
int http_escape(char *url, size_t len, const char *text);

#endif
