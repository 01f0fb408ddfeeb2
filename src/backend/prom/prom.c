/* SPDX-License-Identifier: MIT */
/* The connection to a Prometheus. First it is asked which hosts there are and how old what it knows of them
 * is, then for all of those that have news, some hundreds at most: the others are read by the next fetch. So
 * a refresh costs as much as there is news, and never much at once. By federation, which hands series out as
 * they are stored; by queries, which cost more, where there is none (Thanos, Mimir, a proxy that forbids it).
 */
#include "vmtop/prom.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "prom_fold.h"

enum { TIMEOUT_S = 30, URL = 2048 };
enum { ANSWER_MOST = 256 << 20 }; /* all answers of a fetch together */
/* By queries so often, before federation is tried again. */
enum { BY_QUERIES = 100 };
/* Of a fetch; and of a request, of which some go at the same time. Proxies take a URL of 8 KiB. */
enum { HOSTS_A_FETCH = 256, HOSTS_A_REQUEST = 64, REQUESTS = 32, URL_NAMES = 6000 };

enum way { FEDERATION, QUERY, WAYS };

struct prom {
	struct http *http;
	double scrape_s;
	char hosts_url[WAYS][URL], all_url[WAYS][URL]; /* all: of some hosts, without their names */
	size_t by_queries;
	size_t next, read; /* the first host that is looked at; how many were read one after the other */
	bool more;
	struct prom_rows was; /* of the last answer; f NULL: none */
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
	char names[1024], all[1100];
	size_t base = strlen(uri);
	prom_names(names, sizeof names);
	snprintf(all, sizeof all, "{__name__=~\"%s\",instance=~\"", names);
	while (base > 5 && uri[base - 1] == '/')
		base--;
	for (size_t way = 0; way < WAYS; way++) {
		snprintf(p->hosts_url[way], URL, "%.*s%s", (int)base - 5, uri + 5, paths[way]);
		memcpy(p->all_url[way], p->hosts_url[way], URL);
		if (http_escape(p->hosts_url[way], URL,
			    "{__name__=~\"vmtop_host_info|vmtop_host_sample_timestamp_seconds\"}") < 0 ||
			http_escape(p->all_url[way], URL, all) < 0)
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

void prom_close(struct prom *p)
{
	if (!p)
		return;
	prom_rows_done(&p->was);
	http_free(p->http);
	free(p);
}

/* -1: e says what went wrong with the first that has no answer; refused: it was told so. */
static int get(struct prom *p, const char *const *urls, size_t n, struct http_answer *got, bool *refused,
	struct err *e)
{
	int rc = 0;
	if (n)
		http_get(p->http, urls, n, got, TIMEOUT_S, ANSWER_MOST / n);
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (got[i].text)
			continue;
		*e = got[i].err;
		*refused = got[i].status != 0 && got[i].status != 200;
		rc = -1;
	}
	return rc;
}

/* ---- which hosts are read ---- */

struct picked {
	bool *asked; /* by host */
	size_t n, news;
	size_t requests, named; /* hosts that the last request names */
	char url[REQUESTS][URL_NAMES + 8 * PROM_TEXT];
};

/* As it stands in a regular expression within quotes. What is no plain character may be any: then it may name
 * others too, which are read as well. */
static void name_text(char *to, size_t room, const char *name)
{
	bool cut = strlen(name) + 1 == PROM_TEXT;
	size_t n = 0;
	for (; *name; name++) {
		bool word = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
			    (*name >= '0' && *name <= '9') || strchr(":-_/", *name);
		bool dot = *name == '.' || *name == '[' || *name == ']';
		if ((*name & 0xc0) == 0x80) /* the rest of a character */
			continue;
		n += (size_t)snprintf(to + n, room - n, "%s%c", dot ? "\\\\" : "", word || dot ? *name : '.');
	}
	snprintf(to + n, room - n, "%s", cut ? ".*" : "");
}

/* false: there is no room for it. */
static bool pick(struct picked *c, const char *begin, const char *instance)
{
	char text[3 * PROM_TEXT + 4] = "|";
	bool full =
		c->named == HOSTS_A_REQUEST || (c->requests && strlen(c->url[c->requests - 1]) >= URL_NAMES);
	bool first = !c->requests || full;
	if (first && c->requests == REQUESTS)
		return false;
	if (first) {
		snprintf(c->url[c->requests++], sizeof *c->url, "%s", begin);
		c->named = 0;
	}
	name_text(text + !first, sizeof text - 1, instance);
	c->named++;
	return http_escape(c->url[c->requests - 1], sizeof *c->url, text) == 0;
}

/* From where the last fetch ended, so that each has its turn. NULL: out of memory. */
static struct picked *pick_hosts(struct prom *p, enum way way, const struct prom_rows *now)
{
	size_t n = now->f->n_hosts, from = n ? p->next % n : 0;
	struct picked *c = calloc(1, sizeof *c);
	if (c && !(c->asked = calloc(n + 1, sizeof *c->asked))) {
		free(c);
		return NULL;
	}
	for (size_t k = 0; c && k < n; k++) {
		size_t i = (from + k) % n;
		if (!prom_rows_news(now, i, &p->was))
			continue;
		c->news++;
		if (c->n == HOSTS_A_FETCH || !pick(c, p->all_url[way], now->of[i].key))
			continue;
		c->asked[i] = true;
		c->n++;
		p->next = i + 1;
	}
	for (size_t i = 0; c && i < c->requests; i++)
		http_escape(c->url[i], sizeof *c->url, "\"}");
	return c;
}

static void picked_free(struct picked *c)
{
	if (c)
		free(c->asked);
	free(c);
}

/* ---- a fetch ---- */

static int read_picked(struct prom *p, enum way way, const struct picked *c, const struct prom_moment *m,
	const struct prom_text *hosts, size_t n_hosts, struct prom_rows *to, bool *refused, struct err *e)
{
	const char *urls[REQUESTS];
	struct http_answer got[REQUESTS] = {{.text = NULL}};
	struct prom_text texts[REQUESTS + 1] = {*hosts};
	const struct prom_kept kept = {&p->was, c->asked, n_hosts};
	for (size_t i = 0; i < c->requests; i++)
		urls[i] = c->url[i];
	int rc = get(p, urls, c->requests, got, refused, e);
	for (size_t i = 0; i < c->requests; i++)
		texts[i + 1] = (struct prom_text){got[i].text, got[i].len, way == FEDERATION};
	if (rc == 0) {
		rc = prom_rows_read(to, texts, c->requests + 1, m, &kept, e);
		*refused = rc < 0 && e->code != ERR_NOMEM;
	}
	for (size_t i = 0; i < c->requests; i++)
		free(got[i].text);
	return rc;
}

/* Those that always have news, for want of a time, would be read without end. */
static void count_more(struct prom *p, const struct picked *c, size_t n_hosts)
{
	p->read += c->n;
	p->more = c->n < c->news && p->read < n_hosts;
	p->read = p->more ? p->read : 0;
}

static int read_hosts(struct prom *p, enum way way, const struct prom_moment *m,
	const struct http_answer *answer, struct prom_rows *to, bool *refused, struct err *e)
{
	const struct prom_text hosts = {answer->text, answer->len, way == FEDERATION};
	struct prom_rows now = {.f = NULL};
	int rc = prom_rows_read(&now, &hosts, 1, m, NULL, e);
	*refused = rc < 0 && e->code != ERR_NOMEM;
	if (rc < 0)
		return rc;
	struct picked *c = pick_hosts(p, way, &now);
	rc = c ? read_picked(p, way, c, m, &hosts, now.f->n_hosts, to, refused, e)
	       : err_set(e, ERR_NOMEM, "out of memory");
	if (rc == 0)
		count_more(p, c, now.f->n_hosts);
	picked_free(c);
	prom_rows_done(&now);
	return rc;
}

/* What later answers are compared with: the caller may write to his own. */
static void keep_rows(struct prom *p, struct prom_rows *rows)
{
	prom_rows_done(&p->was);
	struct fleet *copy = fleet_new();
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
	const char *url = p->hosts_url[way];
	struct http_answer hosts = {.text = NULL};
	struct prom_rows rows = {.f = NULL};
	p->more = false;
	int rc = get(p, &url, 1, &hosts, refused, e);
	if (rc == 0)
		rc = read_hosts(p, way, m, &hosts, &rows, refused, e);
	if (rc == 0)
		keep_rows(p, &rows);
	free(hosts.text);
	return rc == 0 ? rows.f : NULL;
}

struct fleet *prom_fetch(struct prom *p, int64_t now_ns, int64_t wall_ns, struct err *e)
{
	bool refused = false;
	const struct prom_moment m = {p->scrape_s, now_ns, wall_ns};
	struct fleet *f = fetch(p, p->by_queries ? QUERY : FEDERATION, &m, &refused, e);
	if (!f && refused && !p->by_queries) {
		p->by_queries = BY_QUERIES;
		*e = (struct err)ERR_INIT;
		f = fetch(p, QUERY, &m, &refused, e);
	}
	p->by_queries -= p->by_queries > 0;
	return f;
}

bool prom_more(const struct prom *p)
{
	return p->more;
}
