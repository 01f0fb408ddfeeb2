/* SPDX-License-Identifier: MIT */
/* A Prometheus as a source of rows: what it answers, what it should not have answered, what may be opened.
 * And over a real socket: nothing, half an answer, too much of one, none at all, a redirect. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../src/backend/prom/http.h"
#include "vmtop/prom.h"
#include "vmtop/settings.h"

#define SECOND INT64_C(1000000000)
#define NOW    (1000 * SECOND)
#define WALL   (INT64_C(1700000000) * SECOND)
#define VECTOR "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":["
#define UUID   "09248ee2-185e-4c46-b0e9-59d53b57572e"

static char *read_file(const char *path, size_t *len)
{
	char *text = calloc(1, 65536);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	*len = fread(text, 1, 65535, f);
	fclose(f);
	return text;
}

static struct fleet *fold(const char *text, size_t len, struct err *e)
{
	return prom_fold(&(struct prom_text){.text = text, .len = len}, 1, 60, NOW, WALL, e);
}

static void test_rows(void **state)
{
	(void)state;
	size_t len;
	struct err e = ERR_INIT;
	char *text = read_file("tests/fuzz/corpus/prom/vector", &len);
	struct fleet *f = fold(text, len, &e);
	assert_non_null(f);
	assert_int_equal(f->n_hosts, 1);
	assert_int_equal(f->n_vms, 1);
	assert_string_equal(f->hosts[0].name, "h1");
	assert_string_equal(f->hosts[0].uri, "qemu+ssh://h1/system"); /* its own libvirt, not ours */
	assert_string_equal(f->hosts[0].version, "0.1.0");
	assert_true(f->hosts[0].load_pct.v == 50);
	assert_string_equal(f->vms[0].name, "aA\xf0\x9f\x98\x80\"");
	assert_false(vf64_has(f->vms[0].cpu_pct)); /* NaN: not known */
	fleet_free(f);
	/* Each beginning of it is an error, none a crash or half a fleet. */
	for (size_t n = 0; n < len; n++) {
		char *part = malloc(n ? n : 1);
		memcpy(part, text, n);
		assert_null(fold(part, n, &e));
		free(part);
	}
	free(text);
}

static void bad(const char *text, const char *why)
{
	struct err e = ERR_INIT;
	assert_null(fold(text, strlen(text), &e));
	if (!strstr(e.msg, why))
		fail_msg("%s: %s", text, e.msg);
}

static void test_what_is_no_answer(void **state)
{
	(void)state;
	char deep[4096] = "{\"status\":";
	memset(deep + 10, '[', sizeof deep - 11);
	bad("", "no answer of a Prometheus");
	bad("<html>", "no answer of a Prometheus");
	bad("[]", "no answer of a Prometheus");
	bad("{}", "something else than a vector");
	bad("{\"status\":\"success\"}", "something else than a vector");
	bad("{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[]}}",
		"else than a vector");
	bad("{\"status\":\"error\",\"error\":\"too many samples\"}", "Prometheus says: too many samples");
	bad(VECTOR "]}}x", "no answer");
	bad(VECTOR "1]}}", "no answer");
	bad(VECTOR "{\"metric\":[],\"value\":[1,\"1\"]}]}}", "no answer");
	bad(VECTOR "{\"metric\":{\"instance\":7},\"value\":[1,\"1\"]}]}}", "no answer");
	bad(VECTOR "{\"metric\":{},\"value\":[1,1]}]}}", "no answer");
	bad(VECTOR "{\"metric\":{},\"value\":[1,\"one\"]}]}}", "no answer");
	bad(VECTOR "{\"metric\":{},\"value\":[]}]}}", "no answer");
	bad(VECTOR "{\"metric\":{\"a\":\"\\q\"},\"value\":[1,\"1\"]}]}}", "no answer");
	bad(VECTOR "{\"metric\":{\"a\":\"\\u12\"},\"value\":[1,\"1\"]}]}}", "no answer");
	bad(deep, "no answer");
}

/* What is well formed and means nothing is left out. */
static void test_odd_series(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	const char *text = VECTOR
		"{\"metric\":{\"__name__\":\"vmtop_host_busy_ratio\"},\"value\":[1,\"1\"]},"
		"{\"metric\":{\"__name__\":\"frob\",\"instance\":\"a\"},\"value\":[1,\"1\"]},"
		"{\"metric\":{\"__name__\":\"vmtop_vm_cpu_ratio\",\"instance\":\"a\",\"uuid\":\"x\"},\"value\":[1,\"1\"]},"
		"{\"metric\":{\"__name__\":\"vmtop_host_busy_ratio\",\"instance\":\"a\"},\"value\":[1,\"+Inf\"]},"
		"{\"metric\":{\"__name__\":\"vmtop_host_pcpus\",\"instance\":\"a\"},\"value\":[1,\"1e300\"]},"
		"{\"metric\":{\"__name__\":\"vmtop_host_sample_timestamp_seconds\",\"instance\":\"a\"},\"value\":[1,\"1699999400\"]},"
		"{\"metric\":{\"__name__\":\"vmtop_host_connected\",\"instance\":\"a\"},\"value\":[1,\"0\"]},"
		"{\"metric\":{\"__name__\":\"vmtop_host_sample_timestamp_seconds\",\"instance\":\"b\"},\"value\":[1,\"NaN\"]},"
		"{\"metric\":{\"__name__\":\"vmtop_host_sample_timestamp_seconds\",\"instance\":\"c\"},\"value\":[1,\"9e99\"]},"
		"{\"metric\":{\"__name__\":\"vmtop_vm_running\",\"instance\":\"a\",\"uuid\":\"" UUID
		"\",\"vm\":\"v\"},\"value\":[1,\"1\"]},"
		"{\"metric\":{\"__name__\":\"vmtop_vm_running\",\"instance\":\"b\",\"uuid\":\"" UUID
		"\",\"vm\":\"v\"},\"value\":[1,\"0\"]}"
		"]}}";
	struct fleet *f = fold(text, strlen(text), &e);
	assert_non_null(f);
	assert_int_equal(f->n_hosts, 3);
	assert_false(vf64_has(f->hosts[0].load_pct) || vi64_has(f->hosts[0].pcpus));
	assert_int_equal(f->hosts[0].state, FLEET_LOST);
	fleet_settle(f, NOW, WALL);
	assert_true(fabs(fleet_age_s(f, &f->hosts[0]) - 600) < 1); /* a stale series ages */
	assert_true(fleet_age_s(f, &f->hosts[1]) < 0);
	assert_true(fleet_age_s(f, &f->hosts[2]) <= 0); /* a clock that is ahead: not older than now */
	assert_int_equal(f->n_vms, 2); /* the same UUID on two hosts, as in a migration, is two rows */
	assert_int_equal(f->hosts[0].running.v, 1);
	assert_int_equal(f->hosts[1].paused.v, 1);
	fleet_free(f);
}

/* ---- metrics as text ---- */

static struct fleet *fold_metrics(const char *text, struct err *e)
{
	*e = (struct err)ERR_INIT;
	return prom_fold(&(struct prom_text){text, strlen(text), true}, 1, 60, NOW, WALL, e);
}

static void test_metrics(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	struct fleet *f = fold_metrics(
		"# TYPE vmtop_host_info untyped\n\n"
		"vmtop_host_info{host=\"h1\",instance=\"a:1\",uri=\"qemu:///system\",version=\"0.2\"} 1 1700000000000\n"
		"vmtop_host_pcpus{instance=\"a:1\"} 4\n"
		"vmtop_host_busy_ratio{instance=\"a:1\",} 0.5 1700000000000\n"
		"vmtop_vm_cpu_ratio{instance=\"a:1\",uuid=\"" UUID
		"\",vm=\"a\\\"b\\\\c\\nd}, \",other=\"\\\"\"} NaN 1\n"
		"vmtop_vm_wait_ratio{instance=\"a:1\",uuid=\"" UUID "\"} 0 1\n"
		"vmtop_vm_suffering_ratio{instance=\"a:1\",uuid=\"" UUID "\"} +Inf 1\n"
		"vmtop_vm_cause_info{instance=\"a:1\",uuid=\"" UUID "\",cause=\"hung\"} 1\n"
		"vmtop_vm_running{instance=\"a:1\",uuid=\"" UUID "\"} 0\n"
		"up 1\n",
		&e);
	assert_non_null(f);
	assert_int_equal(f->n_hosts, 1);
	assert_int_equal(f->n_vms, 1);
	assert_string_equal(f->hosts[0].name, "h1");
	assert_int_equal(f->hosts[0].pcpus.v, 4);
	assert_true(f->hosts[0].load_pct.v == 50);
	assert_int_equal(f->hosts[0].hung.v, 1);
	assert_string_equal(f->vms[0].name, "a\"b\\c\nd}, ");
	assert_string_equal(f->vms[0].state, "HUNG"); /* which is told by its cause */
	assert_false(vf64_has(f->vms[0].cpu_pct) || vf64_has(f->vms[0].score_pct));
	assert_true(vf64_has(f->vms[0].wait_pct) && f->vms[0].wait_pct.v <= 0);
	assert_int_equal(f->vms[0].rank, 1);
	assert_true(f->peaks_s <= 0);
	fleet_free(f);
	f = fold_metrics("", &e); /* nothing is scraped yet */
	assert_non_null(f);
	assert_int_equal(f->n_hosts, 0);
	fleet_free(f);
}

static void test_what_are_no_metrics(void **state)
{
	(void)state;
	static const char *const rows[] = {"a", "a 1", "a{ 1\n", "a{b} 1\n", "a{b=c} 1\n", "a{b=\"c} 1\n",
		"a{b=\"c\"d=\"e\"} 1\n", "a{b=\"c\"}\n", "a{b=\"c\"} \n", "a{b=\"c\"} one\n",
		"a{b=\"c\"} 1 x\n", "a{b=\"c\"} 1 1 1\n", "a{b=\"c\"}1\n", "{b=\"c\"} 1\n", " a 1\n",
		"a 1\r\n", "<html>\n", "{\"status\":\"success\"}\n", "a{b=\"c\\", "# of a", "a 1\n# of a"};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err e;
		char *exact = malloc(strlen(rows[i]));
		memcpy(exact, rows[i], strlen(rows[i]));
		e = (struct err)ERR_INIT;
		struct fleet *f =
			prom_fold(&(struct prom_text){exact, strlen(rows[i]), true}, 1, 60, NOW, WALL, &e);
		if (f || !strstr(e.msg, "no metrics"))
			fail_msg("%s: %s", rows[i], e.msg);
		free(exact);
	}
}

/* Of the last minutes, as vmtop tells it, or of an hour, where a rule records it. */
static void test_peaks(void **state)
{
	(void)state;
	struct err e;
	struct fleet *f = fold_metrics("vmtop_vm_cpu_ratio{instance=\"a\",uuid=\"" UUID "\"} 0.5\n"
				       "vmtop_vm_wanted_max_ratio{instance=\"a\",uuid=\"" UUID "\"} 0.75\n"
				       "vmtop_vm_vcpus{instance=\"a\",uuid=\"" UUID "\"} 2\n",
		&e);
	assert_non_null(f);
	assert_true(fabs(f->vms[0].peak_pct.v - 75) < 1e-9 && f->vms[0].vcpus.v == 2);
	assert_true(fabs(f->peaks_s - 120) < 1e-9);
	fleet_free(f);
	f = fold_metrics("instance_vm:vmtop_vm_wanted:max1h{instance=\"a\",uuid=\"" UUID "\"} 2\n"
			 "vmtop_vm_wanted_max_ratio{instance=\"a\",uuid=\"" UUID "\"} 0.75\n"
			 "instance_vm:vmtop_vm_wanted:max1h{instance=\"b\",uuid=\"" UUID "\"} 1\n"
			 "vmtop_host_pcpus{instance=\"b\"} 4\n",
		&e);
	assert_non_null(f);
	assert_int_equal(f->n_vms, 1); /* it was on b in that hour */
	assert_int_equal(f->hosts[1].n_vms, 0);
	assert_int_equal(f->hosts[1].running.v, 0);
	assert_true(fabs(f->vms[0].peak_pct.v - 200) < 1e-9);
	assert_true(fabs(f->peaks_s - 3600) < 1e-9);
	fleet_free(f);
	f = fold_metrics("vmtop_vm_vcpus{instance=\"a\",uuid=\"" UUID "\"} 1e9\n"
			 "vmtop_vm_wanted_max_ratio{instance=\"a\",uuid=\"" UUID "\"} NaN\n"
			 "vmtop_vm_wanted_max_ratio{instance=\"a\",uuid=\"" UUID "\"} -1\n",
		&e);
	assert_non_null(f);
	assert_false(vi64_has(f->vms[0].vcpus) || vf64_has(f->vms[0].peak_pct)); /* no such numbers */
	fleet_free(f);
}

/* Labels come from the network, and a URI of libvirt may name a command that is run here. */
static void test_what_may_be_opened(void **state)
{
	(void)state;
	static const char *const rows[][3] = {
		{"h1", "qemu:///system", "qemu+ssh://h1/system"},
		{"h1", "qemu+ssh://root@h2.example.org/system", "qemu+ssh://root@h2.example.org/system"},
		{"h1", "qemu+tls://10.0.0.1:16514/system", "qemu+tls://10.0.0.1:16514/system"},
		{"h1", "sim:demo", "sim:demo"},
		{"h1", "sim:/etc/passwd", ""},
		{"h1", "qemu+ssh://h/system?command=/tmp/x", ""},
		{"h1", "qemu+ext:///system?command=/tmp/x", ""},
		{"h1", "qemu+ext://h/system", ""},
		{"h1", "qemu+unix:///system?socket=/tmp/x", ""},
		{"h1", "qemu+ssh://-oProxyCommand=x/system", ""},
		{"-oProxyCommand=x", "qemu:///system", ""},
		{"-h", "qemu:///system", ""},
		{"a b", "qemu:///system", ""},
		{"", "qemu:///system", ""},
		{"h1", "test:///tmp/x.xml", ""},
		{"h1", "qemu://h", ""},
		{"h1", "qemu", ""},
		{"h1", "", ""},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char to[FLEET_URI];
		prom_uri(rows[i][0], rows[i][1], to);
		assert_string_equal(to, rows[i][2]);
	}
}

/* ---- over a socket ---- */

enum behaviour { NOTHING, HALF, GARBAGE, ENDLESS, REDIRECT, SILENT, WELL, QUERIES_ONLY, METRICS };
struct server {
	int fd, port;
	enum behaviour how;
	pthread_t thread;
	char request[16384];           /* the last one */
	atomic_int federated, queried; /* requests */
	atomic_int stamp, others;      /* times of b:1, of the others; 0: they tell none */
	atomic_int hosts;              /* so many, the first three of which have names of their own */
	atomic_bool empty;             /* b:1 has no VMs any more */
};

static void say(int c, const char *text)
{
	if (write(c, text, strlen(text)) < 0)
		return;
}

static const char *host_name(int i, char text[32])
{
	static const char *const first[] = {"a", "b:1", "c.d"};
	snprintf(text, 32, "h%03d", i);
	return i < 3 ? first[i] : text;
}

/* As it stands in a URL, between those before and after it. */
static bool named(const char *request, const char *host)
{
	static const char *const between[][2] = {
		{"%22", "%22"}, {"%22", "%7C"}, {"%7C", "%7C"}, {"%7C", "%22"}};
	char word[64], text[100];
	snprintf(word, sizeof word, "%s", host);
	if (!strcmp(host, "b:1"))
		snprintf(word, sizeof word, "b%%3A1");
	if (!strcmp(host, "c.d"))
		snprintf(word, sizeof word, "c%%5C%%5C.d");
	for (int i = 0; i < 4; i++) {
		snprintf(text, sizeof text, "%s%s%s", between[i][0], word, between[i][1]);
		if (strstr(request, text))
			return true;
	}
	return false;
}

/* Which there are, or all that those tell which are named. Of them b:1 tells something new. */
static void say_hosts(const struct server *s, int c)
{
	bool all = !strstr(s->request, "instance");
	char text[400], name[32];
	for (int i = 0; i < s->hosts; i++) {
		const char *host = host_name(i, name);
		int stamp = i == 1 ? s->stamp : s->others;
		if (!all && !named(s->request, host))
			continue;
		snprintf(text, sizeof text,
			"vmtop_host_info{instance=\"%s\",host=\"%s\"} 1\n"
			"vmtop_host_sample_timestamp_seconds{instance=\"%s\"} %d\n",
			host, host, host, stamp);
		if (!stamp) /* of no time */
			strchr(text, '\n')[1] = '\0';
		say(c, text);
		if (all || (i == 1 && s->empty))
			continue;
		snprintf(text, sizeof text,
			"vmtop_host_busy_ratio{instance=\"%s\"} 0.5\n"
			"vmtop_vm_cpu_ratio{instance=\"%s\",uuid=\"" UUID "\"} 0.25\n"
			"vmtop_vm_memory_balloon_bytes{instance=\"%s\",uuid=\"" UUID "\"} %d\n",
			host, host, host, i == 1 ? 2048 : 1024);
		say(c, text);
	}
}

static void serve_one(struct server *s, int c)
{
	static char block[65536];
	ssize_t n = read(c, s->request, sizeof s->request - 1);
	s->request[n > 0 ? n : 0] = '\0';
	s->federated += strncmp(s->request, "GET /federate?", 14) == 0;
	s->queried += strncmp(s->request, "GET /api/", 9) == 0;
	switch (s->how) {
	case NOTHING:
		break;
	case HALF:
		say(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" VECTOR);
		break;
	case GARBAGE:
		say(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
		break;
	case ENDLESS:
		say(c, "HTTP/1.1 200 OK\r\n\r\n");
		memset(block, ' ', sizeof block);
		while (write(c, block, sizeof block) > 0)
			;
		break;
	case REDIRECT:
		say(c, "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n");
		break;
	case SILENT:
		usleep(1500000);
		break;
	case METRICS:
		say(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
		say_hosts(s, c);
		break;
	case QUERIES_ONLY:
		if (strncmp(s->request, "GET /federate?", 14) == 0) {
			say(c, "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\nno such page\n");
			break;
		}
		__attribute__((fallthrough));
	case WELL:
		say(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" VECTOR "]}}");
		break;
	}
	close(c);
}

static void *serve(void *arg)
{
	struct server *s = arg;
	for (int c; (c = accept(s->fd, NULL, NULL)) >= 0;)
		serve_one(s, c);
	return NULL;
}

static void server_start(struct server *s, enum behaviour how)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	memset(s, 0, sizeof *s);
	s->how = how;
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(s->fd, 16), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &len), 0);
	s->port = ntohs(a.sin_port);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
}

/* One of the words, which '|' parts. */
static bool says(const char *text, const char *words)
{
	char one[64];
	for (size_t n; *words; words += n + (words[n] == '|')) {
		n = strcspn(words, "|");
		snprintf(one, sizeof one, "%.*s", (int)n, words);
		if (strstr(text, one))
			return true;
	}
	return false;
}

static void asks(enum behaviour how, const char *why)
{
	struct server s;
	struct err e = ERR_INIT;
	struct http_answer a;
	char url[64];
	server_start(&s, how);
	snprintf(url, sizeof url, "http://127.0.0.1:%d/", s.port);
	struct http *h = http_new("secret", "", &e);
	assert_non_null(h);
	http_get(h, (const char *const[]){url}, 1, &a, 1, 4 << 20);
	if (why) {
		assert_null(a.text);
		if (!says(a.err.msg, why))
			fail_msg("%d: %s", (int)how, a.err.msg);
	} else {
		assert_non_null(a.text);
		assert_non_null(strstr(s.request, "Authorization: Bearer secret"));
	}
	free(a.text);
	http_free(h);
	server_stop(&s);
}

static void test_http(void **state)
{
	(void)state;
	asks(NOTHING, "Empty reply");
	asks(HALF, "remaining|missing"); /* outstanding read data remaining; since curl 8.14: 940 bytes
					    missing */
	asks(ENDLESS, "larger than 4 MiB");
	asks(REDIRECT, "HTTP status 302");
	asks(SILENT, "timed out");
	asks(WELL, NULL);
}

static void test_fetch(void **state)
{
	(void)state;
	struct server s;
	struct err e = ERR_INIT;
	struct config *cfg = malloc(sizeof *cfg);
	char uri[64];
	config_defaults(cfg);
	server_start(&s, METRICS);
	snprintf(uri, sizeof uri, "prom:http://127.0.0.1:%d//", s.port);
	struct prom *p = prom_open(uri, cfg, &e);
	assert_non_null(p);
	s.hosts = 1;
	for (int i = 0; i < 4; i++) {
		struct fleet *f = prom_fetch(p, NOW, WALL, &e);
		assert_non_null(f);
		assert_int_equal(f->n_vms, 1);
		assert_int_equal(f->vms[0].balloon_kib.v, 1);
		fleet_free(f);
	}
	assert_int_equal(s.federated, 4 * 2); /* without a time it has news each time */
	assert_int_equal(s.queried, 0);
	/* No federation: found out once, and then it is left alone. */
	s.how = QUERIES_ONLY;
	s.federated = 0;
	for (int i = 0; i < 3; i++) {
		struct fleet *f = prom_fetch(p, NOW, WALL, &e);
		assert_non_null(f);
		assert_int_equal(f->n_vms, 0);
		fleet_free(f);
	}
	assert_int_equal(s.federated, 1); /* the first, of the hosts */
	assert_int_equal(s.queried, 3);   /* there are none, then */
	assert_non_null(strstr(s.request, "GET /api/v1/query?query="));
	s.how = GARBAGE;
	assert_null(prom_fetch(p, NOW, WALL, &e));
	assert_non_null(strstr(e.msg, "no answer of a Prometheus"));
	server_stop(&s);
	assert_null(prom_fetch(p, NOW, WALL, &e));
	assert_non_null(strstr(e.msg, "connect"));
	prom_close(p);
	snprintf(cfg->fleet_token_file, sizeof cfg->fleet_token_file, "/nonexistent/token");
	assert_null(prom_open(uri, cfg, &e));
	assert_non_null(strstr(e.msg, "/nonexistent/token"));
	free(cfg);
}

/* Hosts that have told nothing since are not asked for, and keep their VMs. */
static void test_only_what_is_new(void **state)
{
	(void)state;
	struct server s;
	struct err e = ERR_INIT;
	struct config *cfg = malloc(sizeof *cfg);
	char uri[64];
	config_defaults(cfg);
	server_start(&s, METRICS);
	s.hosts = 3;
	s.stamp = s.others = 1699999000;
	snprintf(uri, sizeof uri, "prom:http://127.0.0.1:%d", s.port);
	struct prom *p = prom_open(uri, cfg, &e);
	assert_non_null(p);
	const int requests[] = {2, 1, 2, 1, 2, 1}, vms[] = {3, 3, 3, 3, 2, 2};
	for (int i = 0; i < 6; i++) {
		s.federated = 0;
		s.stamp += i == 2 || i == 4;
		s.empty = i == 4;
		struct fleet *f = prom_fetch(p, NOW, WALL, &e);
		assert_non_null(f);
		assert_int_equal(s.federated, requests[i]);
		assert_int_equal(f->n_hosts, 3);
		assert_int_equal(f->n_vms, vms[i]);
		assert_int_equal(f->hosts[0].n_vms, 1);
		assert_int_equal(f->hosts[0].running.v, 1);
		assert_int_equal(f->vms[0].balloon_kib.v, 1);
		assert_int_equal(f->hosts[1].running.v, vms[i] - 2);
		assert_int_equal(f->vms[vms[i] - 1].host, 2);
		assert_true(f->peaks_s <= 0 && f->hosts[2].load_pct.v == 50);
		if (vms[i] == 3)
			assert_true(fabs(f->vms[1].cpu_pct.v - 25) < 1e-9 && f->vms[1].balloon_kib.v == 2);
		fleet_free(f);
	}
	server_stop(&s);
	prom_close(p);
	free(cfg);
}

/* Of many hosts some hundreds are read at once, and the others have names until it is their turn. */
static void test_many_at_once(void **state)
{
	(void)state;
	struct server s;
	struct err e = ERR_INIT;
	struct config *cfg = malloc(sizeof *cfg);
	char uri[64];
	config_defaults(cfg);
	server_start(&s, METRICS);
	s.hosts = 600;
	s.stamp = s.others = 1699999000;
	snprintf(uri, sizeof uri, "prom:http://127.0.0.1:%d", s.port);
	struct prom *p = prom_open(uri, cfg, &e);
	assert_non_null(p);
	/* All that they tell; then nobody has news; then all have; then none tells when. */
	static const struct {
		int stamp, vms, requests;
		bool more;
	} rounds[] = {{1699999000, 256, 5, true}, {1699999000, 512, 5, true}, {1699999000, 600, 3, false},
		{1699999000, 600, 1, false}, {1699999060, 600, 5, true}, {1699999060, 600, 5, true},
		{1699999060, 600, 3, false}, {1699999060, 600, 1, false}, {0, 600, 5, true},
		{0, 600, 5, true}, {0, 600, 5, false}, {0, 600, 5, true}};
	for (size_t i = 0; i < sizeof rounds / sizeof *rounds; i++) {
		size_t read = 0, busy = 0;
		s.federated = 0;
		s.stamp = s.others = rounds[i].stamp;
		struct fleet *f = prom_fetch(p, NOW, WALL, &e);
		assert_non_null(f);
		assert_int_equal(s.federated, rounds[i].requests);
		assert_true(prom_more(p) == rounds[i].more);
		assert_int_equal(f->n_hosts, 600);
		assert_int_equal(f->n_vms, rounds[i].vms);
		for (size_t h = 0; h < f->n_hosts; h++) {
			read += f->hosts[h].readings > 1 && vi64_has(f->hosts[h].running);
			busy += vf64_has(f->hosts[h].load_pct);
			assert_true(f->hosts[h].name[0] != '\0');
		}
		assert_int_equal(read, rounds[i].vms);
		assert_int_equal(busy, rounds[i].vms);
		fleet_free(f);
	}
	server_stop(&s);
	prom_close(p);
	free(cfg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_what_is_no_answer),
		cmocka_unit_test(test_odd_series),
		cmocka_unit_test(test_metrics),
		cmocka_unit_test(test_what_are_no_metrics),
		cmocka_unit_test(test_peaks),
		cmocka_unit_test(test_what_may_be_opened),
		cmocka_unit_test(test_http),
		cmocka_unit_test(test_fetch),
		cmocka_unit_test(test_only_what_is_new),
		cmocka_unit_test(test_many_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
