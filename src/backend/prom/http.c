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
	bool over; /* all of it has come, or an error */
	char why[CURL_ERROR_SIZE];
};

struct http *http_new(const char *token, const char *ca_file, struct err *err)
{
	struct http *http = calloc(1, sizeof *http);
	if (!http || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(http);
		err_set(err, ERR_RUNTIME, "libcurl cannot be used");
		return NULL;
	}
	snprintf(http->token, sizeof http->token, "%s", token);
	snprintf(http->ca_file, sizeof http->ca_file, "%s", ca_file);
	http->multi = curl_multi_init();
	if (!http->multi) {
		http_free(http);
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	curl_multi_setopt(http->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)ABREAST);
	return http;
}

void http_free(struct http *http)
{
	if (!http)
		return;
	if (http->multi)
		curl_multi_cleanup(http->multi);
	explicit_bzero(http->token, sizeof http->token);
	curl_global_cleanup();
	free(http);
}

static size_t on_data(char *data, size_t one, size_t n, void *arg)
{
	struct transfer *transfer = arg;
	struct http_answer *answer = transfer->to;
	n *= one;
	if (n > transfer->most - answer->len) {
		err_set(&answer->err, ERR_RUNTIME, "the answer is larger than %zu MiB", transfer->most >> 20);
		return 0;
	}
	if (!array_grow(&answer->text, &transfer->cap, answer->len + n + 1, 1)) {
		err_set(&answer->err, ERR_NOMEM, "out of memory");
		return 0;
	}
	memcpy(answer->text + answer->len, data, n);
	answer->len += n;
	answer->text[answer->len] = '\0';
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

/* libcurl keeps a copy of it. false: there is no memory for that. */
static bool set_text(CURL *easy, CURLoption option, const char *text)
{
	return curl_easy_setopt(easy, option, text) != CURLE_OUT_OF_MEMORY;
}

static CURL *begin(const struct http *http, struct transfer *transfer, const char *url, double timeout_s)
{
	CURL *easy = curl_easy_init();
	if (!easy)
		return NULL;
	bool set = set_text(easy, CURLOPT_URL, url) && set_text(easy, CURLOPT_PROTOCOLS_STR, "http,https") &&
		   set_text(easy, CURLOPT_USERAGENT, "vmtop/" VMTOP_VERSION);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(timeout_s * 1e3));
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->why);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, (char *)transfer);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 262144L);
	if (*http->ca_file)
		set &= set_text(easy, CURLOPT_CAINFO, http->ca_file);
	if (*http->token && may_have_token(url)) {
		curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
		set &= set_text(easy, CURLOPT_XOAUTH2_BEARER, http->token);
	}
	if (set)
		return easy;
	curl_easy_cleanup(easy);
	return NULL;
}

static void drop(struct http_answer *answer)
{
	free(answer->text);
	answer->text = NULL;
	answer->len = 0;
}

/* A Prometheus says in the answer why it refuses; something else says it by a status alone. */
static void ended(struct transfer *transfer, CURLcode rc)
{
	struct http_answer *answer = transfer->to;
	transfer->over = true;
	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &answer->status);
	if (rc != CURLE_OK && !answer->err.code)
		err_set(&answer->err, ERR_RUNTIME, "%s",
			*transfer->why ? transfer->why : curl_easy_strerror(rc));
	else if (rc == CURLE_OK && answer->status != 200 && !(answer->text && *answer->text == '{'))
		err_set(&answer->err, ERR_RUNTIME, "HTTP status %ld", answer->status);
	else if (rc == CURLE_OK && !answer->text && !(answer->text = calloc(1, 1)))
		err_set(&answer->err, ERR_NOMEM, "out of memory");
	if (answer->err.code)
		drop(answer);
}

static void run(struct http *http)
{
	int left = 1, n;
	while (left) {
		if (curl_multi_perform(http->multi, &left) != CURLM_OK)
			return;
		for (CURLMsg *m; (m = curl_multi_info_read(http->multi, &n)) != NULL;) {
			char *t = NULL;
			curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
			if (m->msg == CURLMSG_DONE && t)
				ended((struct transfer *)(void *)t, m->data.result);
		}
		if (left && curl_multi_poll(http->multi, NULL, 0, 1000, NULL) != CURLM_OK)
			return;
	}
}

void http_get(struct http *http, const char *const *urls, size_t n, struct http_answer *to, double timeout_s,
	size_t most_bytes)
{
	struct transfer *transfer = calloc(n, sizeof *transfer);
	for (size_t i = 0; i < n; i++) {
		to[i] = (struct http_answer){.text = NULL};
		if (!transfer || !(transfer[i].easy = begin(http, &transfer[i], urls[i], timeout_s))) {
			err_set(&to[i].err, ERR_NOMEM, "out of memory");
			continue;
		}
		transfer[i].to = &to[i];
		transfer[i].most = most_bytes;
		curl_multi_add_handle(http->multi, transfer[i].easy);
	}
	if (transfer)
		run(http);
	for (size_t i = 0; transfer && i < n; i++) {
		if (!transfer[i].easy)
			continue;
		curl_multi_remove_handle(http->multi, transfer[i].easy);
		curl_easy_cleanup(transfer[i].easy);
		if (!transfer[i].over) { /* libcurl gave up in the middle: a part is no answer */
			drop(&to[i]);
			err_set(&to[i].err, ERR_RUNTIME, "no answer");
		}
	}
	free(transfer);
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
