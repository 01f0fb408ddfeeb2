/* SPDX-License-Identifier: MIT */
/* The connection to a Prometheus. It is asked by metric, never by host, so that a thousand hosts cost as many
 * requests as one: by federation, which hands series out as they are stored; by queries, which cost several
 * times as much, where there is none (Thanos, Mimir, a proxy that forbids it). */
#include "vmtop/prom.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "prom_fold.h"

enum { TIMEOUT_S = 30, URL = 2048, ASKS = PROM_ASKS };
enum { ANSWER_MOST = 256 << 20 };
/* By queries so often, before federation is tried again. */
enum { BY_QUERIES = 100 };
/* Hosts named in one URL fill it so far: proxies take 8 KiB. Where more than that have news, all are asked.
 */
enum { URL_NAMES = 6000, CHUNKS = 32, NEWS_PART = 2 };

enum way { FEDERATION, QUERY, WAYS };

struct prom {
	struct http *http;
	double scrape_s;
	char urls[WAYS][ASKS][URL];
	struct http_answer kept[ASKS]; /* of what is asked for by turns */
	size_t turn, by_queries;
	char vms_url[URL];    /* of the VMs of some hosts, without these */
	struct prom_rows was; /* of the last answer by federation; f NULL: none */
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
	static const char vms[] =
		"{__name__=~\"vmtop_vm_(cause_info|cpu_ratio|wait_ratio|suffering_ratio|running|"
		"memory_balloon_bytes|vcpus|wanted_max_ratio)|instance_vm:vmtop_vm_wanted:max1h\",instance=~\"";
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
	snprintf(p->vms_url, URL, "%.*s%s", (int)base - 5, uri + 5, paths[FEDERATION]);
	return http_escape(p->vms_url, URL, vms) < 0
		       ? err_set(e, ERR_USAGE, "the URL of this Prometheus is too long")
		       : 0;
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
	prom_rows_done(&p->was);
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

/* -1: e says what went wrong with the first that has no answer; refused: it was told so. */
static int get(struct prom *p, const char *const *urls, size_t n, struct http_answer *got, bool *refused,
	struct err *e)
{
	int rc = 0;
	http_get(p->http, urls, n, got, TIMEOUT_S, ANSWER_MOST / ASKS);
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (got[i].text)
			continue;
		*e = got[i].err;
		*refused = got[i].status != 0 && got[i].status != 200;
		rc = -1;
	}
	return rc;
}

/* What is due and has no answer yet. */
static int ask(struct prom *p, enum way way, struct http_answer got[ASKS], bool *refused, struct err *e)
{
	const char *urls[ASKS];
	struct http_answer some[ASKS] = {{.text = NULL}};
	size_t which[ASKS], n = 0;
	for (size_t i = 0; i < ASKS; i++)
		if (!got[i].text && due(p, i)) {
			urls[n] = p->urls[way][i];
			which[n++] = i;
		}
	int rc = get(p, urls, n, some, refused, e);
	for (size_t i = 0; i < n; i++)
		got[which[i]] = some[i];
	return rc;
}

static int fetch_all(struct prom *p, enum way way, const struct prom_moment *m, struct http_answer got[ASKS],
	struct prom_rows *to, bool *refused, struct err *e)
{
	struct prom_text texts[ASKS];
	int rc = ask(p, way, got, refused, e);
	for (size_t i = 0; i < ASKS; i++) {
		const struct http_answer *a = got[i].text ? &got[i] : &p->kept[i];
		texts[i] = (struct prom_text){a->text, a->len, way == FEDERATION, a != &got[i]};
	}
	if (rc == 0) {
		rc = prom_rows_read(to, texts, ASKS, m, NULL, e);
		*refused = rc < 0 && e->code != ERR_NOMEM;
	}
	for (size_t i = 0; rc == 0 && i < ASKS; i++)
		if (prom_ask(i)->slow && got[i].text) {
			free(p->kept[i].text);
			p->kept[i] = got[i];
			got[i].text = NULL;
		}
	return rc;
}

/* ---- only what is new ---- */

/* Of the hosts that have news. */
struct chunks {
	char url[CHUNKS][URL_NAMES + 4 * PROM_TEXT];
	size_t n;
};

/* As it stands in a regular expression within quotes. false: no plain name. */
static bool add_name(char *url, size_t len, const char *name, bool first)
{
	char text[2 * PROM_TEXT + 2] = "|";
	size_t n = first ? 0 : 1;
	for (; *name && n + 4 < sizeof text; name++) {
		bool word = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
			    (*name >= '0' && *name <= '9') || strchr(":-_/", *name);
		if (!word && *name != '.' && *name != '[' && *name != ']')
			return false;
		n += (size_t)snprintf(text + n, sizeof text - n, word ? "%c" : "\\\\%c", *name);
	}
	text[n] = '\0';
	return http_escape(url, len, text) == 0;
}

/* false: too many, or one that cannot be named: all are asked. */
static bool chunks_make(struct chunks *c, const struct prom *p, const struct prom_rows *now)
{
	size_t news = 0;
	bool first = true;
	for (size_t i = 0; i < now->f->n_hosts; i++) {
		if (!prom_rows_news(now, i, &p->was))
			continue;
		if (first && c->n == CHUNKS)
			return false;
		char *url = c->url[c->n];
		if (first)
			memcpy(url, p->vms_url, strlen(p->vms_url) + 1);
		if (++news > now->f->n_hosts / NEWS_PART ||
			!add_name(url, sizeof *c->url, now->of[i].key, first))
			return false;
		first = strlen(url) >= URL_NAMES;
		if (first && http_escape(url, sizeof *c->url, "\"}") < 0)
			return false;
		c->n += first;
	}
	return first || http_escape(c->url[c->n++], sizeof *c->url, "\"}") == 0;
}

static int fetch_chunks(struct prom *p, const struct chunks *c, const struct prom_moment *m,
	const struct http_answer *hosts, struct prom_rows *to, bool *refused, struct err *e)
{
	const char *urls[CHUNKS];
	struct http_answer got[CHUNKS] = {{.text = NULL}};
	struct prom_text texts[CHUNKS + 1] = {{hosts->text, hosts->len, true, false}};
	for (size_t i = 0; i < c->n; i++)
		urls[i] = c->url[i];
	int rc = get(p, urls, c->n, got, refused, e);
	for (size_t i = 0; i < c->n; i++)
		texts[i + 1] = (struct prom_text){got[i].text, got[i].len, true, false};
	if (rc == 0) {
		rc = prom_rows_read(to, texts, c->n + 1, m, &p->was, e);
		*refused = rc < 0 && e->code != ERR_NOMEM;
	}
	for (size_t i = 0; i < c->n; i++)
		free(got[i].text);
	return rc;
}

/* 1: got has the hosts, and the others are to be asked for. */
static int fetch_news(struct prom *p, const struct prom_moment *m, struct http_answer got[ASKS],
	struct prom_rows *to, bool *refused, struct err *e)
{
	const char *url = p->urls[FEDERATION][0];
	struct prom_rows hosts = {.f = NULL};
	if (get(p, &url, 1, &got[0], refused, e) < 0)
		return -1;
	const struct prom_text text = {got[0].text, got[0].len, true, false};
	int rc = prom_rows_read(&hosts, &text, 1, m, NULL, e);
	*refused = rc < 0 && e->code != ERR_NOMEM;
	struct chunks *c = rc == 0 ? calloc(1, sizeof *c) : NULL;
	if (rc == 0)
		rc = c && chunks_make(c, p, &hosts) ? fetch_chunks(p, c, m, &got[0], to, refused, e) : 1;
	if (rc == 0) /* they tell of before what was asked for just now */
		free_answers(p->kept);
	free(c);
	prom_rows_done(&hosts);
	return rc;
}

/* What later answers are compared with: the caller may write to his own. */
static void keep_rows(struct prom *p, enum way way, struct prom_rows *rows)
{
	prom_rows_done(&p->was);
	struct fleet *copy = way == FEDERATION ? fleet_new() : NULL;
	if (copy && fleet_put(copy, rows->f) == 0) {
		p->was = (struct prom_rows){copy, rows->of};
		rows->of = NULL;
	} else {
		fleet_free(copy);
	}
	free(rows->of);
}

static struct fleet *fetch(
	struct prom *p, enum way way, const struct prom_moment *m, bool *refused, struct err *e)
{
	struct http_answer got[ASKS] = {{.text = NULL}};
	struct prom_rows rows = {.f = NULL};
	int rc = way == FEDERATION && p->was.f ? fetch_news(p, m, got, &rows, refused, e) : 1;
	if (rc > 0)
		rc = fetch_all(p, way, m, got, &rows, refused, e);
	if (rc == 0)
		keep_rows(p, way, &rows);
	free_answers(got);
	return rc == 0 ? rows.f : NULL;
}

struct fleet *prom_fetch(struct prom *p, int64_t now_ns, int64_t wall_ns, struct err *e)
{
	bool refused = false;
	const struct prom_moment m = {p->scrape_s, now_ns, wall_ns};
	struct fleet *f = fetch(p, p->by_queries ? QUERY : FEDERATION, &m, &refused, e);
	if (!f && refused && !p->by_queries) {
		free_answers(p->kept);
		p->by_queries = BY_QUERIES;
		*e = (struct err)ERR_INIT;
		f = fetch(p, QUERY, &m, &refused, e);
	}
	p->turn++;
	if (p->by_queries && --p->by_queries == 0)
		free_answers(p->kept); /* they are not of the kind that comes next */
	return f;
}
