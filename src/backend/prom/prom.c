/* SPDX-License-Identifier: MIT */
/* The connection to a Prometheus. First it is asked which hosts there are and how old what it knows of them
 * is, then for all of those that have news, some hundreds at most: the others are read by the next fetch. So
 * a refresh costs as much as there is news, and never much at once. By federation, which hands series out as
 * they are stored; by queries, which cost more, where there is none (Thanos, Mimir, a proxy that forbids it).
 */
#include "vmtop/prom.h"
#include "vmtop/text.h"

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

static int read_token(const char *path, char *token, size_t len, struct err *err)
{
	token[0] = '\0';
	FILE *file = *path ? fopen(path, "re") : NULL;
	if (*path && !file)
		return err_set(err, ERR_USAGE, "the token file %.200s cannot be read", path);
	size_t n = file ? fread(token, 1, len - 1, file) : 0;
	token[n] = '\0';
	token[strcspn(token, "\r\n")] = '\0';
	if (file)
		fclose(file);
	return 0;
}

static int make_urls(struct prom *prom, const char *uri, struct err *err)
{
	static const char *const paths[WAYS] = {"/federate?match%5B%5D=", "/api/v1/query?query="};
	char names[1024], all[1100];
	size_t base = strlen(uri);
	prom_names(names, sizeof names);
	snprintf(all, sizeof all, "{__name__=~\"%s\",instance=~\"", names);
	while (base > 5 && uri[base - 1] == '/')
		base--;
	for (size_t way = 0; way < WAYS; way++) {
		snprintf(prom->hosts_url[way], URL, "%.*s%s", (int)base - 5, uri + 5, paths[way]);
		memcpy(prom->all_url[way], prom->hosts_url[way], URL);
		if (http_escape(prom->hosts_url[way], URL,
			    "{__name__=~\"vmtop_host_info|vmtop_host_sample_timestamp_seconds\"}") < 0 ||
			http_escape(prom->all_url[way], URL, all) < 0)
			return err_set(err, ERR_USAGE, "the URL of this Prometheus is too long");
	}
	return 0;
}

struct prom *prom_open(const char *uri, const struct config *cfg, struct err *err)
{
	char token[4096];
	struct prom *prom = calloc(1, sizeof *prom);
	int rc = prom ? read_token(cfg->fleet_token_file, token, sizeof token, err)
		      : err_set(err, ERR_NOMEM, "out of memory");
	if (rc == 0)
		rc = make_urls(prom, uri, err);
	if (rc == 0)
		prom->http = http_new(token, cfg->fleet_ca_file, err);
	explicit_bzero(token, sizeof token);
	if (prom && prom->http) {
		prom->scrape_s = cfg->fleet_scrape_s;
		return prom;
	}
	free(prom);
	return NULL;
}

void prom_close(struct prom *prom)
{
	if (!prom)
		return;
	prom_rows_done(&prom->was);
	http_free(prom->http);
	free(prom);
}

/* -1: err says what went wrong with the first that has no answer; refused: it was told so. */
static int get(struct prom *prom, const char *const *urls, size_t n, struct http_answer *got, bool *refused,
	struct err *err)
{
	int rc = 0;
	if (n)
		http_get(prom->http, urls, n, got, TIMEOUT_S, ANSWER_MOST / n);
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (got[i].text)
			continue;
		*err = got[i].err;
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
		n += (size_t)snprintf(
			to + n, room - n, "%s%c", text_if(dot, "\\\\"), word || dot ? *name : '.');
	}
	snprintf(to + n, room - n, "%s", text_if(cut, ".*"));
}

/* false: there is no room for it. */
static bool pick(struct picked *picked, const char *begin, const char *instance)
{
	char text[3 * PROM_TEXT + 4] = "|";
	bool full = picked->named == HOSTS_A_REQUEST ||
		    (picked->requests && strlen(picked->url[picked->requests - 1]) >= URL_NAMES);
	bool first = !picked->requests || full;
	if (first && picked->requests == REQUESTS)
		return false;
	if (first) {
		snprintf(picked->url[picked->requests++], sizeof *picked->url, "%s", begin);
		picked->named = 0;
	}
	name_text(text + !first, sizeof text - 1, instance);
	picked->named++;
	return http_escape(picked->url[picked->requests - 1], sizeof *picked->url, text) == 0;
}

/* From where the last fetch ended, so that each has its turn. NULL: out of memory. */
static struct picked *pick_hosts(struct prom *prom, enum way way, const struct prom_rows *now)
{
	size_t n = now->fleet->n_hosts, from = n ? prom->next % n : 0;
	struct picked *picked = calloc(1, sizeof *picked);
	if (picked && !(picked->asked = calloc(n + 1, sizeof *picked->asked))) {
		free(picked);
		return NULL;
	}
	for (size_t k = 0; picked && k < n; k++) {
		size_t i = (from + k) % n;
		if (!prom_rows_news(now, i, &prom->was))
			continue;
		picked->news++;
		if (picked->n == HOSTS_A_FETCH || !pick(picked, prom->all_url[way], now->of[i].key))
			continue;
		picked->asked[i] = true;
		picked->n++;
		prom->next = i + 1;
	}
	for (size_t i = 0; picked && i < picked->requests; i++)
		http_escape(picked->url[i], sizeof *picked->url, "\"}");
	return picked;
}

static void picked_free(struct picked *picked)
{
	if (picked)
		free(picked->asked);
	free(picked);
}

/* ---- a fetch ---- */

static int read_picked(struct prom *prom, enum way way, const struct picked *picked,
	const struct prom_moment *moment, const struct prom_text *hosts, size_t n_hosts, struct prom_rows *to,
	bool *refused, struct err *err)
{
	const char *urls[REQUESTS];
	struct http_answer got[REQUESTS] = {{.text = NULL}};
	struct prom_text texts[REQUESTS + 1] = {*hosts};
	const struct prom_kept kept = {&prom->was, picked->asked, n_hosts};
	for (size_t i = 0; i < picked->requests; i++)
		urls[i] = picked->url[i];
	int rc = get(prom, urls, picked->requests, got, refused, err);
	for (size_t i = 0; i < picked->requests; i++)
		texts[i + 1] = (struct prom_text){got[i].text, got[i].len, way == FEDERATION};
	if (rc == 0) {
		rc = prom_rows_read(to, texts, picked->requests + 1, moment, &kept, err);
		*refused = rc < 0 && err->code != ERR_NOMEM;
	}
	for (size_t i = 0; i < picked->requests; i++)
		free(got[i].text);
	return rc;
}

/* Those that always have news, for want of a time, would be read without end. */
static void count_more(struct prom *prom, const struct picked *picked, size_t n_hosts)
{
	prom->read += picked->n;
	prom->more = picked->n < picked->news && prom->read < n_hosts;
	if (!prom->more)
		prom->read = 0;
}

static int read_hosts(struct prom *prom, enum way way, const struct prom_moment *moment,
	const struct http_answer *answer, struct prom_rows *to, bool *refused, struct err *err)
{
	const struct prom_text hosts = {answer->text, answer->len, way == FEDERATION};
	struct prom_rows now = {.fleet = NULL};
	int rc = prom_rows_read(&now, &hosts, 1, moment, NULL, err);
	*refused = rc < 0 && err->code != ERR_NOMEM;
	if (rc < 0)
		return rc;
	struct picked *picked = pick_hosts(prom, way, &now);
	rc = picked ? read_picked(prom, way, picked, moment, &hosts, now.fleet->n_hosts, to, refused, err)
		    : err_set(err, ERR_NOMEM, "out of memory");
	if (rc == 0)
		count_more(prom, picked, now.fleet->n_hosts);
	picked_free(picked);
	prom_rows_done(&now);
	return rc;
}

/* What later answers are compared with: the caller may write to his own. */
static void keep_rows(struct prom *prom, struct prom_rows *rows)
{
	prom_rows_done(&prom->was);
	struct fleet *copy = fleet_new();
	if (copy && fleet_put(copy, rows->fleet) == 0) {
		prom->was = (struct prom_rows){copy, rows->of};
		rows->of = NULL;
	} else {
		fleet_free(copy);
	}
	free(rows->of);
}

static struct fleet *fetch(
	struct prom *prom, enum way way, const struct prom_moment *moment, bool *refused, struct err *err)
{
	const char *url = prom->hosts_url[way];
	struct http_answer hosts = {.text = NULL};
	struct prom_rows rows = {.fleet = NULL};
	prom->more = false;
	int rc = get(prom, &url, 1, &hosts, refused, err);
	if (rc == 0)
		rc = read_hosts(prom, way, moment, &hosts, &rows, refused, err);
	if (rc == 0)
		keep_rows(prom, &rows);
	free(hosts.text);
	return rc == 0 ? rows.fleet : NULL;
}

struct fleet *prom_fetch(struct prom *prom, int64_t now_ns, int64_t wall_ns, struct err *err)
{
	bool refused = false;
	const struct prom_moment moment = {prom->scrape_s, now_ns, wall_ns};
	struct fleet *fleet = fetch(prom, prom->by_queries ? QUERY : FEDERATION, &moment, &refused, err);
	if (!fleet && refused && !prom->by_queries) {
		prom->by_queries = BY_QUERIES;
		*err = (struct err)ERR_INIT;
		fleet = fetch(prom, QUERY, &moment, &refused, err);
	}
	prom->by_queries -= prom->by_queries > 0;
	return fleet;
}

bool prom_more(const struct prom *prom)
{
	return prom->more;
}
