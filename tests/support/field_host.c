/* SPDX-License-Identifier: MIT */
/* See field_host.h. Whoever is bound to one pCPU shares it evenly, and waits for the rest; a hypervisor below
 * takes its part first. */
#include "support/field_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/backend/host/capacity.h"
#include "../../src/backend/libvirt/libvirt_rows.h"
#include "support/proctree.h"

enum { VCPUS_MOST = 32, PID_FIRST = 1000, PID_STEP = 100 };
#define SECOND INT64_C(1000000000)
#define TICK   (SECOND / 100)
#define WALL   INT64_C(1767225600000000000) /* the first of January 2026 */

struct field_host {
	struct backend base;
	struct field f;
	virConnectPtr conn;
	struct lv_reader *rd;
	struct topology topology;
	int64_t now_ns, done_ns; /* the clock, and up to when things have happened */
	int64_t busy[CPUSET_CPUS], idle[CPUSET_CPUS], stolen[CPUSET_CPUS];
	struct proctree_vcpu vcpus[FIELD_GUESTS][VCPUS_MOST];
	char allowed[FIELD_GUESTS][VCPUS_MOST][CPUSET_CPUS * 5];
};

static struct field_host *host_of(struct backend *b)
{
	return (struct field_host *)b;
}

/* ---- what happens ---- */

static double wanted(const struct field_host *h, int cpu)
{
	double sum = 0;
	for (int i = 0; i < FIELD_GUESTS && h->f.kind->guests[i].name; i++)
		for (int v = 0; v < h->f.kind->guests[i].vcpus; v++)
			if (h->vcpus[i][v].pcpu == cpu)
				sum += h->f.kind->guests[i].load_pct / 100.;
	return sum;
}

static void pass(struct field_host *h, int64_t ns)
{
	double there = 1 - h->f.kind->steal_pct / 100., want;
	for (int i = 0; i < FIELD_GUESTS && h->f.kind->guests[i].name; i++)
		for (int v = 0; v < h->f.kind->guests[i].vcpus; v++) {
			struct proctree_vcpu *c = &h->vcpus[i][v];
			double mine = h->f.kind->guests[i].load_pct / 100. * (double)ns;
			want = wanted(h, c->pcpu);
			double got = want > there ? mine * there / want : mine;
			c->time_ns += (int64_t)got;
			c->delay_ns += (int64_t)(mine - got);
		}
	for (size_t i = 0; i < h->f.n_cpus; i++) {
		int id = h->f.cpus[i].id;
		want = wanted(h, id);
		int64_t busy = (int64_t)((want > there ? there : want) * (double)ns);
		int64_t stolen = want > 0 ? (int64_t)((1 - there) * (double)ns) : 0;
		h->busy[id] += busy;
		h->stolen[id] += stolen;
		h->idle[id] += ns - busy - stolen;
	}
}

/* ---- what is told of it ---- */

static void write_stat(const struct field_host *h)
{
	char *text = NULL;
	size_t n;
	FILE *to = open_memstream(&text, &n);
	assert_non_null(to);
	fputs("cpu  1 0 1 1 0 0 0 0 0 0\n", to);
	for (size_t i = 0; i < h->f.n_cpus; i++) {
		int id = h->f.cpus[i].id;
		if (h->f.cpus[i].online)
			fprintf(to, "cpu%d %lld 0 0 %lld 0 0 0 %lld 0 0\n", id,
				(long long)(h->busy[id] / TICK), (long long)(h->idle[id] / TICK),
				(long long)(h->stolen[id] / TICK));
	}
	fputs("intr 1 2 3\nctxt 1\n", to);
	fclose(to);
	proctree_write(h->f.root, "proc/stat", text, -1);
	free(text);
}

static void write_guest(const struct field_host *h, int i)
{
	const struct field_guest *g = &h->f.kind->guests[i];
	char uuid[40], path[64], group[400];
	int pid = PID_FIRST + i * PID_STEP;
	int64_t ran = 0;
	for (int v = 0; v < g->vcpus; v++)
		ran += h->vcpus[i][v].time_ns;
	snprintf(uuid, sizeof uuid, "%08x-0000-4000-8000-00000000000%d", i + 1, i);
	proctree_vm(h->f.root,
		&(struct proctree_vm){.pid = pid,
			.uuid = uuid,
			.vcpus = g->vcpus,
			.start = 5000,
			.user = ran / TICK,
			.rss_pages = 65536,
			.each = h->vcpus[i]},
		0, 0);
	proctree_pid(h->f.root, g->name, pid);
	if (!h->f.kind->group)
		return;
	int n = 0;
	/* each %s is the guest's name */
	for (const char *p = h->f.kind->group; *p && n < (int)sizeof group - 64; p++)
		if (p[0] == '%' && p[1] == 's' && p++)
			n += snprintf(group + n, sizeof group - (size_t)n, "%s", g->name);
		else
			group[n++] = *p;
	group[n] = '\0';
	snprintf(path, sizeof path, "proc/%d/cgroup", pid);
	proctree_write(h->f.root, path, group, -1);
}

/* ---- the backend ---- */

static int host_sample(struct backend *b, unsigned groups, struct sample *to, struct err *e)
{
	struct field_host *h = host_of(b);
	struct read_order o = {.groups = groups, .budget_ns = 20 * SECOND, .use_proc = true};
	pass(h, h->now_ns - h->done_ns);
	h->done_ns = h->now_ns;
	write_stat(h);
	for (int i = 0; i < FIELD_GUESTS && h->f.kind->guests[i].name; i++)
		write_guest(h, i);
	if (lv_reader_run(h->rd, h->conn, &o, e) < 0 || sample_copy(to, lv_reader_sample(h->rd)) < 0)
		return -1;
	memset(&to->cost, 0, sizeof to->cost);
	to->took_ns = 0;
	to->time_ns = h->now_ns;
	to->wall_ns = WALL + h->now_ns;
	topology_apply(&h->topology, to);
	return sample_finish(to, e);
}

static void host_apply(struct backend *b, struct action *actions, size_t n)
{
	(void)b;
	if (n)
		fail_msg("a dry run changed something: %s", actions[0].why.text);
}

static enum wake host_wait(struct backend *b, int64_t until_ns, int fd)
{
	(void)fd;
	if (until_ns > host_of(b)->now_ns)
		host_of(b)->now_ns = until_ns;
	return WAKE_TIMER;
}

static int64_t host_now(struct backend *b)
{
	return host_of(b)->now_ns;
}

static void host_status(struct backend *b, struct backend_status *st)
{
	(void)b;
	memset(st, 0, sizeof *st);
	snprintf(st->uri, sizeof st->uri, "qemu:///system");
}

static void host_close(struct backend *b)
{
	struct field_host *h = host_of(b);
	topology_done(&h->topology);
	lv_reader_free(h->rd);
	virConnectClose(h->conn);
	proctree_end(h->f.root);
	free(h);
}

static void place_guests(struct field_host *h)
{
	struct cpuset s;
	for (int i = 0; i < FIELD_GUESTS && h->f.kind->guests[i].name; i++)
		for (int v = 0; v < h->f.kind->guests[i].vcpus; v++) {
			const struct field_guest *g = &h->f.kind->guests[i];
			struct proctree_vcpu *c = &h->vcpus[i][v];
			c->pcpu = field_place(&h->f, g, v);
			c->allowed = h->allowed[i][v];
			cpuset_clear(&s);
			if (g->on)
				cpuset_add(&s, c->pcpu);
			else
				field_usable(&h->f, &s);
			cpuset_format(&s, h->allowed[i][v], sizeof h->allowed[i][v]);
		}
}

static void open_driver(struct field_host *h)
{
	char uri[300];
	struct err e = ERR_INIT;
	struct connect_result here = {.driver = "QEMU", .hostname = "field", .local = true};
	char *xml = field_node_xml(&h->f), *capabilities = field_capabilities(&h->f);
	proctree_write(h->f.root, "node.xml", xml, -1);
	snprintf(uri, sizeof uri, "test://%s/node.xml", h->f.root);
	h->conn = virConnectOpen(uri);
	h->rd = lv_reader_new(&here, &e);
	if (!h->conn || !h->rd || topology_parse(&h->topology, capabilities, &e) < 0)
		fail_msg("%s: %s", h->f.kind->name, e.msg);
	local_root_init(&h->rd->proc, h->f.root);
	capacity_read(h->f.root, &h->topology);
	free(xml);
	free(capabilities);
}

struct backend *field_host_open(const struct field_kind *kind)
{
	static const struct backend_ops ops = {
		.sample = host_sample,
		.apply = host_apply,
		.wait = host_wait,
		.close = host_close,
		.now = host_now,
		.status = host_status,
	};
	struct field_host *h = calloc(1, sizeof *h);
	assert_non_null(h);
	h->base.ops = &ops;
	h->now_ns = h->done_ns = SECOND;
	field_make(&h->f, kind);
	assert_int_equal(proctree_begin(h->f.root, sizeof h->f.root), 0);
	field_write(&h->f);
	place_guests(h);
	open_driver(h);
	return &h->base;
}
