/* SPDX-License-Identifier: MIT */
/* The only file that knows libcurl. Invariant: http and https, nothing else, and no redirect; an answer never
 * takes more room or time than was given to it. */
#include "http.h"
#include "vmtop/array.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ABREAST = 4 };

struct http {
	CURLM *multi;
	char token[4096], ca_file[512];
};

struct transfer {
	CURL *easy;
	struct http_answer *to;
	size_t cap, most;
	char why[CURL_ERROR_SIZE];
};

struct http *http_new(const char *token, const char *ca_file, struct err *e)
{
	struct http *h = calloc(1, sizeof *h);
	if (!h || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(h);
		err_set(e, ERR_RUNTIME, "libcurl cannot be used");
		return NULL;
	}
	snprintf(h->token, sizeof h->token, "%s", token);
	snprintf(h->ca_file, sizeof h->ca_file, "%s", ca_file);
	h->multi = curl_multi_init();
	if (!h->multi) {
		http_free(h);
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	curl_multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)ABREAST);
	return h;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	if (h->multi)
		curl_multi_cleanup(h->multi);
	explicit_bzero(h->token, sizeof h->token);
	curl_global_cleanup();
	free(h);
}

static size_t on_data(char *data, size_t one, size_t n, void *arg)
{
	struct transfer *t = arg;
	struct http_answer *a = t->to;
	n *= one;
	if (n > t->most - a->len) {
		err_set(&a->err, ERR_RUNTIME, "the answer is larger than %zu MiB", t->most >> 20);
		return 0;
	}
	if (!array_grow(&a->text, &t->cap, a->len + n + 1, 1)) {
		err_set(&a->err, ERR_NOMEM, "out of memory");
		return 0;
	}
	memcpy(a->text + a->len, data, n);
	a->len += n;
	a->text[a->len] = '\0';
	return n;
}

static bool may_have_token(const char *url)
{
	static const char *const safe[] = {
		"https://", "http://127.0.0.1:", "http://localhost:", "http://[::1]:"};
	for (size_t i = 0; i < sizeof safe / sizeof *safe; i++)
		if (strncmp(url, safe[i], strlen(safe[i])) == 0)
			return true;
	return false;
}

static CURL *begin(const struct http *h, struct transfer *t, const char *url, double timeout_s)
{
	CURL *c = curl_easy_init();
	if (!c)
		return NULL;
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(timeout_s * 1e3));
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->why);
	curl_easy_setopt(c, CURLOPT_PRIVATE, (char *)t);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 262144L);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "vmtop/" VMTOP_VERSION);
	if (*h->ca_file)
		curl_easy_setopt(c, CURLOPT_CAINFO, h->ca_file);
	if (*h->token && may_have_token(url)) {
		curl_easy_setopt(c, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
		curl_easy_setopt(c, CURLOPT_XOAUTH2_BEARER, h->token);
	}
	return c;
}

/* A Prometheus says in the answer why it refuses; something else says it by a status alone. */
static void ended(struct transfer *t, CURLcode rc)
{
	struct http_answer *a = t->to;
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &a->status);
	if (rc != CURLE_OK && !a->err.code)
		err_set(&a->err, ERR_RUNTIME, "%s", *t->why ? t->why : curl_easy_strerror(rc));
	else if (rc == CURLE_OK && a->status != 200 && !(a->text && *a->text == '{'))
		err_set(&a->err, ERR_RUNTIME, "HTTP status %ld", a->status);
	else if (rc == CURLE_OK && !a->text && !(a->text = calloc(1, 1)))
		err_set(&a->err, ERR_NOMEM, "out of memory");
	if (!a->err.code)
		return;
	free(a->text);
	a->text = NULL;
	a->len = 0;
}

static void run(struct http *h)
{
	int left = 1, n;
	while (left) {
		if (curl_multi_perform(h->multi, &left) != CURLM_OK)
			return;
		for (CURLMsg *m; (m = curl_multi_info_read(h->multi, &n)) != NULL;) {
			char *t = NULL;
			curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
			if (m->msg == CURLMSG_DONE && t)
				ended((struct transfer *)(void *)t, m->data.result);
		}
		if (left && curl_multi_poll(h->multi, NULL, 0, 1000, NULL) != CURLM_OK)
			return;
	}
}

void http_get(struct http *h, const char *const *urls, size_t n, struct http_answer *to, double timeout_s,
	size_t most_bytes)
{
	struct transfer *t = calloc(n, sizeof *t);
	for (size_t i = 0; i < n; i++) {
		to[i] = (struct http_answer){.text = NULL};
		if (!t || !(t[i].easy = begin(h, &t[i], urls[i], timeout_s))) {
			err_set(&to[i].err, ERR_NOMEM, "out of memory");
			continue;
		}
		t[i].to = &to[i];
		t[i].most = most_bytes;
		curl_multi_add_handle(h->multi, t[i].easy);
	}
	if (t)
		run(h);
	for (size_t i = 0; t && i < n; i++) {
		if (!t[i].easy)
			continue;
		curl_multi_remove_handle(h->multi, t[i].easy);
		curl_easy_cleanup(t[i].easy);
		if (!to[i].text && !to[i].err.code)
			err_set(&to[i].err, ERR_RUNTIME, "no answer");
	}
	free(t);
}

int http_escape(char *url, size_t len, const char *text)
{
	size_t n = strlen(url);
	for (; *text; text++) {
		bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
			     (*text >= '0' && *text <= '9') || *text == '_' || *text == '-' || *text == '.';
		if (n + 4 > len)
			return -1;
		n += (size_t)snprintf(url + n, len - n, plain ? "%c" : "%%%02X", (unsigned char)*text);
	}
	return 0;
}
