/* SPDX-License-Identifier: MIT */
/* The same as test_faults for what comes from elsewhere: the answers of a Prometheus over a socket, a cluster
 * by Pacemaker's commands, definitions of guests, the costs of moves. Every single allocation fails once,
 * also those of libcurl and libxml2. Invariant: no crash, no leak, and either the whole answer or an error
 * that says why: never a part that is told as all of it. */
#include <curl/curl.h>
#include <libxml/parser.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/backend/host/child.h"
#include "../../src/backend/host/cluster_xml.h"
#include "../../src/backend/host/pacemaker.h"
#include "../../src/backend/libvirt/domneeds.h"
#include "../../src/backend/libvirt/owner.h"
#include "support/commands.h"
#include "support/descriptors.h"
#include "support/faulty_heap.h"
#include "vmtop/config.h"
#include "vmtop/dirtyrate.h"
#include "vmtop/mover.h"
#include "vmtop/prom.h"

#define DATA "tests/unit/data/pacemaker/"

/* Allocations of the libraries fail only where it is about them: they make thousands. What they themselves
 * lose then is not counted. */
static bool libraries;

static bool lib_fails(void)
{
	return libraries && fails();
}

static void *lib_malloc(size_t n)
{
	return lib_fails() ? NULL : __real_malloc(n);
}

static void *lib_calloc(size_t n, size_t size)
{
	return lib_fails() ? NULL : __real_calloc(n, size);
}

static void *lib_realloc(void *p, size_t n)
{
	return lib_fails() ? NULL : __real_realloc(p, n);
}

#ifdef __SANITIZE_ADDRESS__
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libxml2\n";
}
#endif

static char *lib_strdup(const char *text)
{
	size_t n = strlen(text) + 1;
	char *to = lib_malloc(n);
	return to ? memcpy(to, text, n) : NULL;
}

int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg)
{
	return __real_pthread_create(t, a, fn, arg);
}

static struct err e;

/* For want of memory, and it says so. */
static void no_memory(void)
{
	if (e.code == ERR_NONE || !*e.msg)
		fail_msg("allocation %ld fails, and nothing is said", heap.fail_at);
	if (strstr(e.msg, "malformed") || strstr(e.msg, "too long"))
		fail_msg("allocation %ld fails, and it says: %s", heap.fail_at, e.msg);
}

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	char *text = __real_calloc(1, 100000);
	assert_true(text && fread(text, 1, 99999, f) > 0);
	fclose(f);
	return text;
}

static void (*run_now)(void);

static void run_xml(void)
{
	run_now();
	xmlResetLastError(); /* libxml2 keeps its words */
}

/* Those of the libraries too. */
static long all_allocations(void (*run)(void))
{
	run_now = run;
	libraries = true;
	long n = each_allocation_of(run_xml, NULL);
	libraries = false;
	return n;
}

/* ---- a Prometheus ---- */

enum { BODY_MOST = 1 << 20 };
static char *body; /* of every answer: many guests, so that it comes in pieces */
static size_t body_len;
static int server_fd, server_port;
enum { SERVER_VMS = 3000 };

static void *serve(void *arg)
{
	(void)arg;
	char line[20000];
	for (int c; (c = accept(server_fd, NULL, NULL)) >= 0; close(c)) {
		if (read(c, line, sizeof line) <= 0)
			continue;
		int n = snprintf(line, sizeof line,
			"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", body_len);
		if (write(c, line, (size_t)n) == n)
			for (size_t at = 0; at < body_len;) {
				ssize_t k = send(c, body + at, body_len - at, MSG_NOSIGNAL);
				if (k <= 0)
					break;
				at += (size_t)k;
			}
	}
	return NULL;
}

static pthread_t server;

static void server_start(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	body = __real_calloc(1, BODY_MOST);
	assert_non_null(body);
	FILE *to = fmemopen(body, BODY_MOST, "w");
	fputs("vmtop_host_info{instance=\"a\",host=\"h1\"} 1\nvmtop_host_pcpus{instance=\"a\"} 4\n", to);
	for (int i = 0; i < SERVER_VMS; i++)
		fprintf(to,
			"vmtop_vm_cpu_ratio{instance=\"a\",uuid=\"09248ee2-185e-4c46-b0e9-59d53b57%04x\"} 0.25\n",
			i);
	body_len = (size_t)ftell(to);
	fclose(to);
	server_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server_fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(server_fd, 16), 0);
	assert_int_equal(getsockname(server_fd, (struct sockaddr *)&a, &len), 0);
	server_port = ntohs(a.sin_port);
	assert_int_equal(pthread_create(&server, NULL, serve, NULL), 0);
}

static void server_stop(void)
{
	shutdown(server_fd, SHUT_RDWR);
	pthread_join(server, NULL);
	close(server_fd);
	free(body);
}

static struct config cfg;

/* All of its guests, or an error. */
static bool fetch_once(void)
{
	char uri[64];
	bool got = false;
	e = (struct err)ERR_INIT;
	snprintf(uri, sizeof uri, "prom:http://127.0.0.1:%d", server_port);
	struct prom *p = prom_open(uri, &cfg, &e);
	struct fleet *f = p ? prom_fetch(p, 1000000000, INT64_C(1700000000000000000), &e) : NULL;
	if (f) {
		assert_int_equal(f->n_hosts, 1);
		assert_int_equal(f->n_vms, SERVER_VMS);
		got = true;
	} else {
		no_memory();
	}
	fleet_free(f);
	prom_close(p);
	return got;
}

static void fetch(void)
{
	fetch_once();
}

static void a_fleet_of_a_prometheus_is_whole_or_none(void **state)
{
	(void)state;
	config_defaults(&cfg);
	server_start();
	assert_true(fetch_once());
	long own = each_allocation_of(fetch, NULL);
	long all = all_allocations(fetch);
	/* With a thread of the server in this process descriptors are not counted: the server stops first. */
	print_message("%ld allocations to read a Prometheus, %ld with those of libcurl\n", own, all);
	assert_true(own > 10 && all > own);
	server_stop();
}

/* ---- a cluster ---- */

static char *cib, *look, *migrate, *marked;
static const struct cluster_mark mark = {.node = 1, .pid = 77, .start = 88, .until_s = 1900000000};
static struct cluster whole; /* read while all was well */
static char *edited;         /* and made then */

static void read_once(void)
{
	struct cluster c = {.cib = NULL};
	e = (struct err)ERR_INIT;
	if (cluster_read(&c, cib, look, &e) < 0) {
		no_memory();
	} else {
		assert_string_equal(c.stop, whole.stop);
		assert_string_equal(c.strategy, whole.strategy);
		assert_string_equal(c.version, whole.version);
		assert_int_equal(c.n_nodes, whole.n_nodes);
		assert_int_equal(c.n_guests, whole.n_guests);
		for (size_t i = 0; i < c.n_nodes; i++) {
			assert_string_equal(c.nodes[i].name, whole.nodes[i].name);
			assert_string_equal(c.nodes[i].id, whole.nodes[i].id);
		}
		for (size_t i = 0; i < c.n_guests; i++) {
			assert_string_equal(c.guests[i].resource, whole.guests[i].resource);
			assert_string_equal(c.guests[i].why, whole.guests[i].why);
			assert_int_equal(c.guests[i].node, whole.guests[i].node);
		}
	}
	cluster_done(&c);
}

/* With its end in every set, so that it goes by itself; or not at all. */
static void edit_once(void)
{
	struct cluster_load nodes[2] = {{95, 4096}, {90, 2048}}, guests[2] = {{60, 64}, {-1, 64}};
	struct cluster_demand d = {nodes, guests};
	e = (struct err)ERR_INIT;
	char *text = cluster_with(cib, &whole, &d, &mark, &e);
	if (text)
		assert_string_equal(text, edited);
	else
		no_memory();
	free(text);
}

static void take_away_once(void)
{
	e = (struct err)ERR_INIT;
	char *text = cluster_without(marked, &e);
	if (text)
		assert_null(strstr(text, "vmtop-until."));
	else
		no_memory();
	free(text);
	size_t n = cluster_written(marked, &mark);
	assert_true(n == SIZE_MAX || n > 0); /* never: there is nothing of ours */
}

static void actions_once(void)
{
	struct cluster_actions a = {.list = NULL};
	e = (struct err)ERR_INIT;
	if (cluster_read_actions(&a, migrate, &e) < 0) {
		no_memory();
	} else {
		assert_int_equal(a.n, 1);
		assert_string_equal(a.list[0].resource, "vm-c2");
		assert_true(*a.list[0].from && *a.list[0].to);
	}
	cluster_actions_done(&a);
}

/* A guest of the cluster is never taken for nobody's. */
static void owner_once(void)
{
	struct pacemaker_question q = {.vm = "c2", .target = "host2", .target_host = "host2", .root = ""};
	struct move_look to = {.found = true};
	pacemaker_read(&q, cib, &to);
	if (strcmp(to.resource, "vm-c2") == 0)
		assert_string_equal(to.node, "host2");
	else
		assert_non_null(strstr(to.owner, "cannot be read"));
}

static void a_cluster_is_read_whole_or_not(void **state)
{
	(void)state;
	struct cluster_load nodes[2] = {{95, 4096}, {90, 2048}}, guests[2] = {{60, 64}, {-1, 64}};
	struct cluster_demand d = {nodes, guests};
	cib = slurp(DATA "cib.xml");
	look = slurp(DATA "look.xml");
	migrate = slurp(DATA "migrate.xml");
	marked = slurp(DATA "marked.xml");
	e = (struct err)ERR_INIT;
	assert_int_equal(cluster_read(&whole, cib, look, &e), 0);
	edited = cluster_with(cib, &whole, &d, &mark, &e);
	assert_non_null(edited);
	long reading = all_allocations(read_once), editing = all_allocations(edit_once),
	     taking = all_allocations(take_away_once), acting = all_allocations(actions_once),
	     asking = all_allocations(owner_once);
	print_message("%ld allocations to read a cluster, %ld to edit it, %ld to take that away, %ld and %ld "
		      "for its answers\n",
		reading, editing, taking, acting, asking);
	assert_true(reading > 500 && editing > 500 && taking > 500 && acting > 50 && asking > 200);
	free(edited);
}

/* ---- commands ---- */

static struct cluster_self self = {.mark = {.node = 1, .pid = 77, .start = 88}, .node = "host1"};

static void stand_ins(void)
{
	char cwd[2048], path[3000];
	assert_non_null(getcwd(cwd, sizeof cwd));
	commands_put(
		"cibadmin", "#!/bin/sh\n[ $1 = --query ] && exec cat $DATA_DIR/" DATA "cib.xml\nexit 0\n");
	commands_put("crm_simulate",
		"#!/bin/sh\nfor w; do case $w in\n--output-to=*) exec cat $DATA_DIR/" DATA
		"look.xml >${w#*=} ;;\nesac; done\n");
	snprintf(path, sizeof path, "%s:/usr/bin:/bin", commands_dir());
	setenv("PATH", path, 1);
	setenv("DATA_DIR", cwd, 1);
}

static bool look_at_cluster(void)
{
	struct cluster c = {.cib = NULL};
	e = (struct err)ERR_INIT;
	int rc = cluster_look(&c, &self, 1000, &e);
	if (rc < 0)
		no_memory();
	else
		assert_int_equal(c.n_guests, whole.n_guests);
	cluster_done(&c);
	return rc == 0;
}

static void cluster_once(void)
{
	look_at_cluster();
}

/* What says more than can be kept is ended, not waited for, and half of it is not taken for all. */
static void child_once(void)
{
	static const char *const argv[] = {"sh", "-c", "head -c 400000 /dev/zero | tr '\\0' x", NULL};
	struct child c;
	if (!child_start(&c, argv, 1 << 20, 30))
		return;
	child_wait(&c);
	if (c.status == 0)
		assert_int_equal(c.n, 400000);
	else
		assert_true(c.no_memory);
	child_done(&c);
}

static bool ask_pacemaker(void)
{
	struct pacemaker_question q = {.vm = "c2", .target = "host2", .target_host = "host2", .root = ""};
	struct move_look to = {.found = true};
	pacemaker_look(&q, &to);
	if (*to.resource)
		return true;
	assert_non_null(strstr(to.owner, "cannot be read"));
	return false;
}

static void ask_once(void)
{
	ask_pacemaker();
}

/* Without a descriptor for it: the command is there, so the guest may be its. */
static void no_pipe_to_pacemaker(void)
{
	struct rlimit was;
	int free_one = dup(STDOUT_FILENO);
	close(free_one);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)free_one, was.rlim_max}), 0);
	bool asked = ask_pacemaker();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_false(asked);
}

static void commands_are_waited_for_in_spite_of_it(void **state)
{
	(void)state;
	stand_ins();
	assert_true(look_at_cluster());
	long looking = each_allocation_of(cluster_once, NULL), saying = each_allocation_of(child_once, NULL),
	     asking = each_allocation_of(ask_once, NULL);
	print_message(
		"%ld allocations around the commands of a cluster, %ld for what one says, %ld to ask it\n",
		looking, saying, asking);
	assert_true(looking > 5 && saying > 2 && asking > 0);
	assert_true(needs_files(look_at_cluster) >= 4);
	no_pipe_to_pacemaker();
	commands_real();
}

/* ---- definitions ---- */

static const char domain[] =
	"<domain type='kvm'><name>a</name><uuid>09248ee2-185e-4c46-b0e9-59d53b57572e</uuid>"
	"<metadata><n:instance xmlns:n='http://openstack.org/xmlns/libvirt/nova/1.1'/></metadata>"
	"<memory unit='KiB'>4194304</memory><vcpu placement='static' cpuset='0-3'>2</vcpu>"
	"<cputune><vcpupin vcpu='0' cpuset='1'/><emulatorpin cpuset='9'/></cputune>"
	"<memoryBacking><hugepages><page size='2' unit='MiB'/></hugepages></memoryBacking>"
	"<os><type arch='x86_64'>hvm</type></os>"
	"<cpu mode='custom' match='exact'><model>Haswell</model><feature policy='require' name='vmx'/></cpu>"
	"<devices><disk type='file'><source file='/nowhere/a.img'/></disk></devices></domain>";
static struct move_needs needs;
static struct dom_cpu needed;

static void needs_once(void)
{
	static struct move_needs n;
	static struct dom_cpu cpu;
	e = (struct err)ERR_INIT;
	if (domneeds_read(&n, &cpu, domain, NULL, &e) < 0) {
		no_memory();
		return;
	}
	assert_memory_equal(&n.pins, &needs.pins, sizeof n.pins);
	assert_int_equal(n.disks, needs.disks);
	assert_int_equal(n.n_pages, needs.n_pages);
	assert_int_equal(n.pages[0].need_kib, needs.pages[0].need_kib);
	assert_string_equal(cpu.xml, needed.xml);
	assert_string_equal(cpu.arch, needed.arch);
}

/* Whose it is is told, or that this is not known. */
static void owned_once(void)
{
	char words[200];
	e = (struct err)ERR_INIT;
	owner_of(domain, words, sizeof words);
	if (!*words)
		fail_msg("allocation %ld fails, and it is nobody's", heap.fail_at);
}

static void a_definition_is_understood_or_refused(void **state)
{
	(void)state;
	e = (struct err)ERR_INIT;
	assert_int_equal(domneeds_read(&needs, &needed, domain, NULL, &e), 0);
	assert_true(needs.n_pages == 1 && *needed.xml && cpuset_has(&needs.pins, 9));
	long asking = all_allocations(needs_once), owning = all_allocations(owned_once);
	print_message("%ld allocations for what a guest needs, %ld for whose it is\n", asking, owning);
	assert_true(asking > 100 && owning > 100);
}

/* ---- hosts ---- */

static const char test_driver[] = "test:///default", its_uuid[] = "6695eb01-f6a4-8304-79aa-97f2502e193f";

/* The look before a move, at libvirt's own test driver: the guest, or why it cannot be seen. */
static void mover_once(void)
{
	struct move m = {.state = MOVE_WAITS};
	struct move_look to;
	e = (struct err)ERR_INIT;
	struct mover *by = mover_libvirt(&cfg, &e);
	if (!by) {
		no_memory();
		return;
	}
	snprintf(m.from.uri, sizeof m.from.uri, "%s", test_driver);
	snprintf(m.to.uri, sizeof m.to.uri, "%s", test_driver);
	assert_int_equal(uuid_parse(m.uuid, its_uuid), 0);
	by->ops->look(by, &m, &to);
	if (!to.found && !*to.error)
		fail_msg("allocation %ld fails, and the guest is said to be gone", heap.fail_at);
	if (to.found && !*to.error)
		assert_true(to.running);
	by->ops->close(by);
}

/* Dirty rates are not told there: they are absent, whatever fails, and never 0. */
static void rates_once(void)
{
	struct dirty_ask ask = {.mib_s = vf64_ok(0)};
	snprintf(ask.uri, sizeof ask.uri, "%s", test_driver);
	assert_int_equal(uuid_parse(ask.uuid, its_uuid), 0);
	dirty_rates(&ask, 1, 10);
	assert_false(vf64_has(ask.mib_s));
}

static void a_guest_is_looked_at_or_it_is_said_why_not(void **state)
{
	(void)state;
	config_defaults(&cfg);
	mover_once(); /* what libvirt makes once */
	long looking = each_allocation_of(mover_once, NULL), asking = each_allocation_of(rates_once, NULL);
	print_message("%ld allocations to look at a guest, %ld to ask how fast it writes\n", looking, asking);
	assert_true(looking >= 3 && asking >= 1); /* libvirt makes some once and for all, or not */
}

int main(void)
{
	is_main = true;
	xmlMemSetup(__real_free, lib_malloc, lib_realloc, lib_strdup);
	curl_global_init_mem(
		CURL_GLOBAL_DEFAULT, lib_malloc, __real_free, lib_realloc, lib_strdup, lib_calloc);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fleet_of_a_prometheus_is_whole_or_none),
		cmocka_unit_test(a_cluster_is_read_whole_or_not),
		cmocka_unit_test(commands_are_waited_for_in_spite_of_it),
		cmocka_unit_test(a_definition_is_understood_or_refused),
		cmocka_unit_test(a_guest_is_looked_at_or_it_is_said_why_not),
	};
	return cmocka_run_group_tests_name("faults far", tests, commands_begin, commands_end);
}
