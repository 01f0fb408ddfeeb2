/* SPDX-License-Identifier: MIT */
/* bench_fleet [prom:URL]: a fleet of 1,000 hosts with 30,000 VMs over HTTP: how long a refresh takes from the
 * first byte asked for to rows, how long a frame, how much memory; and hosts watched directly. The server is
 * a thread here that has its answers ready, in the shape and size of Prometheus's own; with a URL, a real one
 * (bench/fleet_prom starts it). */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "times.h"
#include "vmtop/fleet_view.h"
#include "vmtop/fleet_watch.h"
#include "vmtop/prom.h"
#include "vmtop/screen.h"
#include "vmtop/settings.h"
#include "vmtop/view.h"

enum { HOSTS = 1000, VMS = 30, ROUNDS = 9 };

static long rss_mib(void)
{
	long pages = 0, all = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	if (f && fscanf(f, "%ld %ld", &all, &pages) != 2)
		pages = 0;
	if (f)
		fclose(f);
	return pages * sysconf(_SC_PAGESIZE) >> 20;
}

/* ---- answers ---- */

/* Of each host: its name and time, and all that it tells. */
static struct answer {
	char *names, *all;
	size_t names_len, all_len;
} answers[HOSTS];

static void series(FILE *to, const char *name, int host, const char *labels, double value)
{
	fprintf(to, "%s{instance=\"kvm%04d.example.org:9177\",job=\"vmtop\"%s} %.13g 1700000000123\n", name,
		host, labels, value);
}

/* stamp: of this refresh. */
static void host_names(FILE *to, int h, double stamp)
{
	char labels[300];
	snprintf(labels, sizeof labels,
		",host=\"kvm%04d.example.org\",uri=\"qemu:///system\",hypervisor=\"QEMU\","
		"source=\"libvirt\",version=\"0.2.0\"",
		h);
	series(to, "vmtop_host_info", h, labels, 1);
	series(to, "vmtop_host_sample_timestamp_seconds", h, "", stamp);
}

static void host_tells(FILE *to, int h)
{
	static const char *const names[] = {"connected", "busy_ratio", "deviation_ratio", "memory_bytes",
		"memory_available_bytes", "pcpus"};
	static const char *const states[] = {"ok", "soft", "hard"};
	char labels[64], name[64];
	for (int i = 0; i < 3; i++) {
		snprintf(labels, sizeof labels, ",state=\"%s\"", states[i]);
		series(to, "vmtop_host_memory_state", h, labels, i == 0);
	}
	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof name, "vmtop_host_%s", names[i]);
		series(to, name, h, "", 0.25 * i + 0.5);
	}
}

static void vm_tells(FILE *to, int h, int i)
{
	static const char *const names[] = {"cpu_ratio", "wait_ratio", "suffering_ratio", "running",
		"memory_balloon_bytes", "vcpus", "wanted_max_ratio"};
	char labels[200], name[64];
	int n = snprintf(labels, sizeof labels,
		",uuid=\"%08x-0000-4000-8000-%012x\",vm=\"customer-%04d-web-%02d\"", h, i, h, i);
	for (int k = 0; k < 7; k++) {
		snprintf(name, sizeof name, "vmtop_vm_%s", names[k]);
		series(to, name, h, labels, k == 2 && i % 10 ? 0 : (double)((h * 7 + i * 13) % 100) / 100);
	}
	snprintf(labels + n, sizeof labels - (size_t)n, ",cause=\"wait\",alarm=\"starving\"");
	if (i % 10 == 0)
		series(to, "vmtop_vm_cause_info", h, labels, 1);
}

static void make_answer(int h, double stamp)
{
	struct answer *a = &answers[h];
	free(a->names);
	free(a->all);
	FILE *to = open_memstream(&a->names, &a->names_len);
	host_names(to, h, stamp);
	fclose(to);
	to = open_memstream(&a->all, &a->all_len);
	host_names(to, h, stamp);
	host_tells(to, h);
	for (int i = 0; i < VMS; i++)
		vm_tells(to, h, i);
	fclose(to);
}

static void make_answers(void)
{
	size_t sum = 0;
	for (int h = 0; h < HOSTS; h++) {
		make_answer(h, 1699999990);
		sum += answers[h].all_len;
	}
	printf("%d hosts, %d VMs, %.1f MiB of answers\n", HOSTS, HOSTS * VMS, (double)sum / (1 << 20));
}

/* A twelfth of the hosts were scraped since: as in 5 s of the 60 between two scrapes. */
static void news(int round)
{
	for (int h = round % 12; h < HOSTS; h += 12)
		make_answer(h, 1699999990 + round + 1);
}

/* ---- the server ---- */

static void say(FILE *to, const char *request)
{
	const char *at = strstr(request, "instance");
	if (!at) {
		for (int h = 0; h < HOSTS; h++)
			fwrite(answers[h].names, 1, answers[h].names_len, to);
		return;
	}
	while ((at = strstr(at, "kvm")) != NULL) {
		int h = atoi(at += 3);
		fwrite(answers[h].all, 1, answers[h].all_len, to);
	}
}

static bool read_request(int c, char *request, size_t room)
{
	size_t at = 0;
	for (ssize_t n; at + 1 < room && (n = read(c, request + at, room - 1 - at)) > 0;) {
		at += (size_t)n;
		request[at] = '\0';
		if (strstr(request, "\r\n\r\n"))
			return true;
	}
	return false;
}

static void *serve_one(void *arg)
{
	int c = (int)(intptr_t)arg;
	char request[16384], head[200];
	while (read_request(c, request, sizeof request)) {
		char *text = NULL;
		size_t len = 0;
		FILE *to = open_memstream(&text, &len);
		say(to, request);
		fclose(to);
		int k = snprintf(head, sizeof head,
			"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n", len);
		bool told = write(c, head, (size_t)k) >= 0;
		for (size_t at = 0; told && at < len;) {
			ssize_t w = write(c, text + at, len - at);
			told = w > 0;
			at += told ? (size_t)w : 0;
		}
		free(text);
	}
	close(c);
	return NULL;
}

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	for (int c; (c = accept(fd, NULL, NULL)) >= 0;) {
		pthread_t t;
		if (pthread_create(&t, NULL, serve_one, (void *)(intptr_t)c) == 0)
			pthread_detach(t);
	}
	return NULL;
}

static int start_server(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	pthread_t t;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 64) < 0 ||
		getsockname(fd, (struct sockaddr *)&a, &len) < 0 ||
		pthread_create(&t, NULL, serve, (void *)(intptr_t)fd) != 0)
		exit(1);
	return ntohs(a.sin_port);
}

/* ---- measuring ---- */

static void tell(const char *what, double *ms)
{
	qsort(ms, ROUNDS, sizeof *ms, compare_ms);
	printf("%-44s median %7.2f ms, worst %7.2f ms\n", what, ms[ROUNDS / 2], ms[ROUNDS - 1]);
}

static struct fleet *refresh(struct prom *p, double *took, double *cpu)
{
	struct err e = ERR_INIT;
	struct timespec wall;
	clock_gettime(CLOCK_REALTIME, &wall);
	double t = clock_ms(CLOCK_MONOTONIC), own = clock_ms(CLOCK_THREAD_CPUTIME_ID);
	struct fleet *f = prom_fetch(p, INT64_C(1000000000000), wall.tv_sec * INT64_C(1000000000), &e);
	*took = clock_ms(CLOCK_MONOTONIC) - t;
	*cpu = clock_ms(CLOCK_THREAD_CPUTIME_ID) - own;
	if (!f) {
		printf("no answer: %s\n", e.msg);
		exit(1);
	}
	fleet_settle(f, INT64_C(1000000000000), wall.tv_sec * INT64_C(1000000000));
	return f;
}

/* One after the other, until the rows of all hosts are there. */
static struct fleet *first_refreshes(struct prom *p)
{
	struct fleet *f = NULL;
	double took, cpu, all = 0;
	do {
		fleet_free(f);
		f = refresh(p, &took, &cpu);
		all += took;
		size_t read = 0;
		for (size_t i = 0; i < f->n_hosts; i++)
			read += f->hosts[i].readings > 0;
		printf("%zu hosts, %zu of them read, %zu VMs after %.0f ms: this refresh %.0f ms\n",
			f->n_hosts, read, f->n_vms, all, took);
	} while (prom_more(p));
	return f;
}

static void frames(const struct fleet *f, int key, const char *what)
{
	double feed[ROUNDS], again[ROUNDS], draw[ROUNDS];
	char text[80];
	struct screen s;
	struct fleet_view *v = fleet_view_new(2);
	if (!v || screen_init(&s, 60, 200) < 0)
		exit(1);
	fleet_view_feed(v, f);
	fleet_view_key(v, key, f);
	for (int i = 0; i < ROUNDS; i++) {
		double t = clock_ms(CLOCK_MONOTONIC);
		struct fleet now = *f; /* read anew */
		now.vms_ns = i + 1;
		fleet_view_feed(v, &now);
		feed[i] = clock_ms(CLOCK_MONOTONIC) - t;
		t = clock_ms(CLOCK_MONOTONIC);
		fleet_view_feed(v, &now);
		again[i] = clock_ms(CLOCK_MONOTONIC) - t;
		screen_erase(&s);
		t = clock_ms(CLOCK_MONOTONIC);
		fleet_view_draw(v, f, &s);
		draw[i] = clock_ms(CLOCK_MONOTONIC) - t;
	}
	snprintf(text, sizeof text, "  new rows in order, %s", what);
	tell(text, feed);
	snprintf(text, sizeof text, "  the same rows a second later, %s", what);
	tell(text, again);
	snprintf(text, sizeof text, "  a frame of 200x60, %s", what);
	tell(text, draw);
	fleet_view_free(v);
	screen_done(&s);
}

/* url: NULL, our own server. */
static void bench_prom(const char *url)
{
	double ms[ROUNDS], cpu[ROUNDS], put[ROUNDS];
	char uri[300];
	struct err e = ERR_INIT;
	struct config *cfg = malloc(sizeof *cfg);
	config_defaults(cfg);
	if (!url)
		make_answers();
	snprintf(uri, sizeof uri, "%s", url ? url : "");
	if (!url)
		snprintf(uri, sizeof uri, "prom:http://127.0.0.1:%d", start_server());
	struct prom *p = prom_open(uri, cfg, &e);
	long before = rss_mib();
	if (!p) {
		printf("no Prometheus: %s\n", e.msg);
		exit(1);
	}
	struct fleet *f = first_refreshes(p);
	for (int i = 0; i < ROUNDS; i++) {
		fleet_free(f);
		if (url)
			poll(NULL, 0, 5000); /* as the fleet does */
		else
			news(i);
		f = refresh(p, &ms[i], &cpu[i]);
		double t = clock_ms(CLOCK_MONOTONIC);
		struct fleet *all = fleet_new();
		fleet_share(all, f);
		put[i] = clock_ms(CLOCK_MONOTONIC) - t;
		fleet_free(all);
	}
	tell("later ones: asked, answered, read, rows", ms);
	tell("  of it CPU time of our own", cpu);
	tell("  handed to the screen", put);
	frames(f, 'r', "hosts"); /* reversed: the order is of no matter */
	frames(f, VK_TAB, "VMs");
	printf("rows take %.1f MiB; the program grew by %ld MiB, answers of the server not counted\n",
		(double)(f->n_hosts * sizeof *f->hosts + f->n_vms * sizeof *f->vms) / (1 << 20),
		rss_mib() - before);
	fleet_free(f);
	prom_close(p);
	free(cfg);
}

/* 16 hosts of 23 VMs each, simulated, directly. */
static void bench_direct(void)
{
	struct err e = ERR_INIT;
	struct config *cfg = malloc(sizeof *cfg);
	config_defaults(cfg);
	for (int i = 0; i < 16; i++)
		setting_apply(cfg, setting_by_key("fleet_host"), "sim:demo", &e);
	long before = rss_mib();
	struct fleet_watch *w = fleet_watch_start(cfg, &e);
	double cpu = 0, oldest = 0, end = clock_ms(CLOCK_MONOTONIC) + 14000,
	       from = clock_ms(CLOCK_MONOTONIC) + 6000, begin = 0;
	for (bool warm = false; w && clock_ms(CLOCK_MONOTONIC) < end; poll(NULL, 0, 100)) {
		struct fleet *f = fleet_watch_take(w);
		if (!warm && clock_ms(CLOCK_MONOTONIC) >= from) {
			warm = true;
			cpu = clock_ms(CLOCK_PROCESS_CPUTIME_ID);
			begin = clock_ms(CLOCK_MONOTONIC);
		}
		for (size_t i = 0; warm && i < f->n_hosts; i++)
			oldest =
				fleet_age_s(f, &f->hosts[i]) > oldest ? fleet_age_s(f, &f->hosts[i]) : oldest;
		fleet_free(f);
	}
	printf("16 hosts directly, every 2 s: the oldest row %.1f s, %.1f %% of a CPU, %ld MiB more\n",
		oldest,
		(clock_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (clock_ms(CLOCK_MONOTONIC) - begin) * 100,
		rss_mib() - before);
	if (w)
		fleet_watch_stop(w, 5);
	free(cfg);
}

int main(int argc, char **argv)
{
	bench_prom(argc > 1 ? argv[1] : NULL);
	if (argc == 1)
		bench_direct();
	return 0;
}
