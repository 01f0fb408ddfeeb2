/* SPDX-License-Identifier: MIT */
/* The connection to a Prometheus. It is asked by metric, never by host, so that a thousand hosts cost as many
 * requests as one: by federation, which hands series out as they are stored; by queries, which cost several
 * times as much, where there is none (Thanos, Mimir, a proxy that forbids it). */
#include "vmtop/prom.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"

enum { TIMEOUT_S = 30, URL = 2048, ASKS = PROM_ASKS };
enum { ANSWER_MOST = 256 << 20 };
/* By queries so often, before federation is tried again. */
enum { BY_QUERIES = 100 };

enum way { FEDERATION, QUERY, WAYS };

struct prom {
	struct http *http;
	double scrape_s;
	char urls[WAYS][ASKS][URL];
	struct http_answer kept[ASKS]; /* of what is asked for by turns */
	size_t turn, by_queries;
};

static int read_token(const char *path, char *token, size_t len, struct err *e)
{
	token[0] = '\0';
	FILE *f = *path ? fopen(path, "re") : NULL;
	if (*path && !f)
		return err_set(e, ERR_USAGE, "the token file %.200s cannot be read", path);
	size_t n = f ? fread(token, 1, len - 1, f) : 0;
	token[n] = '\0';
	token[strcspn(token, "\r\n")] = '\0';
	if (f)
		fclose(f);
	return 0;
}

static int make_urls(struct prom *p, const char *uri, struct err *e)
{
	static const char *const paths[WAYS] = {"/federate?match%5B%5D=", "/api/v1/query?query="};
	size_t base = strlen(uri);
	while (base > 5 && uri[base - 1] == '/')
		base--;
	for (size_t i = 0; i < (size_t)WAYS * ASKS; i++) {
		const struct prom_ask *a = prom_ask(i % ASKS);
		char *url = p->urls[i / ASKS][i % ASKS];
		snprintf(url, URL, "%.*s%s", (int)base - 5, uri + 5, paths[i / ASKS]);
		if (http_escape(url, URL, i / ASKS == FEDERATION ? a->match : a->query) < 0)
			return err_set(e, ERR_USAGE, "the URL of this Prometheus is too long");
	}
	return 0;
}

struct prom *prom_open(const char *uri, const struct config *cfg, struct err *e)
{
	char token[4096];
	struct prom *p = calloc(1, sizeof *p);
	int rc = p ? read_token(cfg->fleet_token_file, token, sizeof token, e)
		   : err_set(e, ERR_NOMEM, "out of memory");
	if (rc == 0)
		rc = make_urls(p, uri, e);
	if (rc == 0)
		p->http = http_new(token, cfg->fleet_ca_file, e);
	explicit_bzero(token, sizeof token);
	if (p && p->http) {
		p->scrape_s = cfg->fleet_scrape_s;
		return p;
	}
	free(p);
	return NULL;
}

static void free_answers(struct http_answer a[ASKS])
{
	for (size_t i = 0; i < ASKS; i++) {
		free(a[i].text);
		a[i] = (struct http_answer){.text = NULL};
	}
}

void prom_close(struct prom *p)
{
	if (!p)
		return;
	free_answers(p->kept);
	http_free(p->http);
	free(p);
}

/* All at first; then what hardly changes one after the other. */
static bool due(const struct prom *p, size_t i)
{
	size_t slow = 0, at = 0;
	for (size_t k = 0; k < ASKS; k++) {
		at += k < i && prom_ask(k)->slow;
		slow += prom_ask(k)->slow;
	}
	return !prom_ask(i)->slow || !p->kept[i].text || p->turn % slow == at;
}

/* What is due. -1: e says what went wrong with the first that has no answer; refused: it was told so. */
static int ask(struct prom *p, enum way way, struct http_answer got[ASKS], bool *refused, struct err *e)
{
	const char *urls[ASKS];
	struct http_answer some[ASKS];
	size_t which[ASKS], n = 0;
	int rc = 0;
	for (size_t i = 0; i < ASKS; i++)
		if (due(p, i)) {
			urls[n] = p->urls[way][i];
			which[n++] = i;
		}
	http_get(p->http, urls, n, some, TIMEOUT_S, ANSWER_MOST / ASKS);
	for (size_t i = 0; i < n; i++) {
		got[which[i]] = some[i];
		if (some[i].text || rc < 0)
			continue;
		*e = some[i].err;
		*refused = some[i].status != 0 && some[i].status != 200;
		rc = -1;
	}
	return rc;
}

static struct fleet *fetch(
	struct prom *p, enum way way, int64_t now_ns, int64_t wall_ns, bool *refused, struct err *e)
{
	struct http_answer got[ASKS] = {{.text = NULL}};
	struct prom_text texts[ASKS];
	struct fleet *f = NULL;
	int rc = ask(p, way, got, refused, e);
	for (size_t i = 0; i < ASKS; i++) {
		const struct http_answer *a = got[i].text ? &got[i] : &p->kept[i];
		texts[i] = (struct prom_text){a->text, a->len, way == FEDERATION, a != &got[i]};
	}
	if (rc == 0) {
		f = prom_fold(texts, p->scrape_s, now_ns, wall_ns, e);
		*refused = !f && e->code != ERR_NOMEM;
	}
	for (size_t i = 0; f && i < ASKS; i++)
		if (prom_ask(i)->slow && got[i].text) {
			free(p->kept[i].text);
			p->kept[i] = got[i];
			got[i].text = NULL;
		}
	free_answers(got);
	return f;
}

struct fleet *prom_fetch(struct prom *p, int64_t now_ns, int64_t wall_ns, struct err *e)
{
	bool refused = false;
	struct fleet *f = fetch(p, p->by_queries ? QUERY : FEDERATION, now_ns, wall_ns, &refused, e);
	if (!f && refused && !p->by_queries) {
		free_answers(p->kept);
		p->by_queries = BY_QUERIES;
		*e = (struct err)ERR_INIT;
		f = fetch(p, QUERY, now_ns, wall_ns, &refused, e);
	}
	p->turn++;
	if (p->by_queries && --p->by_queries == 0)
		free_answers(p->kept); /* they are not of the kind that comes next */
	return f;
}
