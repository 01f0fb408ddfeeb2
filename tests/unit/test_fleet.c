/* SPDX-License-Identifier: MIT */
/* Rows of a fleet: targets, parts put together, states by age, what is wrong, order; and hosts watched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/fleets.h"
#include "vmtop/fleet_rows.h"
#include "vmtop/fleet_watch.h"
#include "vmtop/settings.h"
#include "vmtop/snapshot.h"

#define SECOND INT64_C(1000000000)

static void target(const char *text, const char *name, const char *uri)
{
	char n[FLEET_NAME], u[FLEET_URI];
	int rc = fleet_target(text, n, u);
	assert_int_equal(rc, uri ? 0 : -1);
	if (!uri)
		return;
	assert_string_equal(n, name);
	assert_string_equal(u, uri);
}

static void test_targets(void **state)
{
	(void)state;
	char longest[FLEET_URI + 10] = "qemu:";
	memset(longest + 5, 'x', sizeof longest - 6);
	target("qemu:///system", "", "qemu:///system");
	target("db1=qemu+ssh://root@10.0.0.1/system", "db1", "qemu+ssh://root@10.0.0.1/system");
	target("  db1 \t qemu:///system ", "db1", "qemu:///system");
	target("qemu+unix:///system?socket=/run/x=y", "", "qemu+unix:///system?socket=/run/x=y");
	target("a=sim:demo", "a", "sim:demo");
	target("db1", "", NULL);
	target("=sim:demo", "", NULL);
	target("a b sim:demo", "", NULL);
	target("", "", NULL);
	target(longest, "", NULL);
	memset(longest, 'x', sizeof longest - 1);
	memcpy(longest + 300, "=sim:demo", 10);
	target(longest, "", NULL);
}

static void test_config_lines(void **state)
{
	(void)state;
	struct config *cfg = calloc(1, sizeof *cfg);
	const struct setting *s = setting_by_key("fleet_host");
	struct err e = ERR_INIT;
	assert_int_equal(setting_apply(cfg, s, "a sim:demo", &e), 0);
	assert_int_equal(setting_apply(cfg, s, "b=sim:cpu1", &e), 0);
	assert_int_equal(setting_apply(cfg, s, "sim:mem1", &e), 0);
	assert_string_equal(cfg->fleet_hosts, "a sim:demo\nb sim:cpu1\nsim:mem1\n");
	assert_int_equal(setting_apply(cfg, s, "nonsense", &e), -1);
	assert_string_equal(e.msg, "bad value 'nonsense', expected a name and a URI, or a URI");
	int n = 0;
	while (setting_apply(cfg, s, "some-name qemu+ssh://root@a-host.example.org/system", &e) == 0)
		n++;
	assert_in_range(n, 500, 700); /* bounded, and some hundred hosts fit */
	assert_int_equal(setting_apply(cfg, s, "", &e), 0);
	assert_string_equal(cfg->fleet_hosts, "");
	free(cfg);
}

static void test_states_by_age(void **state)
{
	(void)state;
	struct fleet *f = fleet_made(4, 3);
	assert_int_equal(f->hosts[0].state, FLEET_OK);
	assert_int_equal(f->hosts[1].state, FLEET_LATE); /* 40 s without an answer */
	assert_string_equal(f->hosts[1].trouble, "no answer for 40 s");
	assert_true(fleet_age_s(f, &f->hosts[1]) < 0);
	assert_int_equal(f->hosts[2].state, FLEET_LOST);
	assert_true(fleet_age_s(f, &f->hosts[2]) == 42);
	fleet_settle(f, 107 * SECOND, 0); /* nine seconds: three readings and a moment */
	assert_int_equal(f->hosts[0].state, FLEET_OK);
	fleet_settle(f, 109 * SECOND, 0);
	assert_int_equal(f->hosts[0].state, FLEET_LATE);
	assert_string_equal(f->hosts[0].trouble, "no answer for 10 s");
	f->hosts[1].trouble[0] = '\0';
	fleet_settle(f, 65 * SECOND, 0);
	assert_int_equal(f->hosts[1].state, FLEET_OPENING);
	fleet_free(f);
}

static void test_parts(void **state)
{
	(void)state;
	struct fleet *f = fleet_new(), *part = fleet_made(3, 5);
	assert_int_equal(fleet_put(f, part), 0);
	assert_int_equal(fleet_put(f, part), 0);
	assert_int_equal(f->n_hosts, 6);
	assert_int_equal(f->n_vms, 20);
	for (size_t i = 0; i < f->n_vms; i++)
		assert_int_equal(f->vms[i].host, i < 5 ? 0 : i < 10 ? 2 : i < 15 ? 3 : 5);
	for (size_t i = 0; i < f->n_hosts; i++)
		for (size_t k = 0; k < f->hosts[i].n_vms; k++)
			assert_int_equal(f->vms[f->hosts[i].first_vm + k].host, i);
	fleet_free(part);
	part = fleet_new();
	assert_int_equal(fleet_put(f, part), 0); /* nothing */
	fleet_free(part);
	fleet_free(f);
}

static void test_sum(void **state)
{
	(void)state;
	struct fleet *f = fleet_new();
	fleet_add_host(f);
	fleet_sum(f, 0);
	assert_false(vf64_has(f->hosts[0].wait_pct)); /* nobody there who could wait */
	for (int i = 0; i < 3; i++) {
		struct fleet_vm *vm = fleet_add_vm(f);
		snprintf(vm->name, sizeof vm->name, "vm%d", i);
		snprintf(vm->why, sizeof vm->why, "wait");
		vm->wait_pct = i == 2 ? vf64_absent(AVAIL_REMOTE) : vf64_ok(9 + i);
		vm->score_pct = i == 2 ? vf64_absent(AVAIL_REMOTE) : vf64_ok(20 * i);
	}
	fleet_sum(f, 0);
	assert_true(f->hosts[0].wait_pct.v == 19);
	assert_int_equal(f->hosts[0].waiting.v, 1);
	assert_true(f->hosts[0].score_pct.v == 20);
	assert_string_equal(f->hosts[0].worst, "vm1");
	assert_string_equal(f->hosts[0].why, "wait");
	fleet_free(f);
}

static void test_alerts(void **state)
{
	(void)state;
	char text[400];
	struct fleet *f = fleet_made(1, 0);
	fleet_alerts(f, text, sizeof text);
	assert_string_equal(text, "");
	fleet_free(f);
	f = fleet_made(5, 0);
	strcpy(f->hosts[0].memory, "hard");
	strcpy(f->hosts[0].name, "a\033[2Jb");
	f->hosts[3].alarms[ALARM_SWAPPING] = 1;
	f->hosts[4].alarms[ALARM_SWAPPING] = 4;
	fleet_alerts(f, text, sizeof text);
	assert_string_equal(text,
		"LOST 1: kvm003 · LATE 1: kvm002 · MEMORY HARD 1: a\\x1b[2Jb · SWAPPING 5 on kvm005 and 1 more host");
	char small[12];
	fleet_alerts(f, small, sizeof small);
	assert_true(strlen(small) < sizeof small);
	fleet_free(f);
}

/* Rows in the order of a column, by their numbers. */
static void ordered(struct fleet *f, enum fleet_kind k, const char *column, bool reverse, const char *want)
{
	size_t rows[16], n = fleet_count(f, k);
	char got[64] = "";
	for (size_t i = 0; i < n; i++)
		rows[i] = i;
	assert_int_equal(fleet_sort(f, k, (size_t)fleet_column_find(k, column), reverse, rows, n), 0);
	for (size_t i = 0; i < n; i++)
		snprintf(got + strlen(got), sizeof got - strlen(got), "%zu", rows[i]);
	assert_string_equal(got, want);
}

static void test_order(void **state)
{
	(void)state;
	struct fleet *f = fleet_made(5, 0);
	f->hosts[4].score_pct = vf64_ok(50);
	strcpy(f->hosts[3].memory, "soft");
	ordered(f, FLEET_HOSTS, "need", false, "21430");
	ordered(f, FLEET_HOSTS, "need", true, "03412");
	ordered(f, FLEET_HOSTS, "name", false, "01234");
	ordered(f, FLEET_HOSTS, "LOAD%", false, "24301"); /* absent is the least */
	strcpy(f->hosts[4].name, f->hosts[0].name);       /* twice the same name: as they came */
	ordered(f, FLEET_HOSTS, "name", false, "04123");
	assert_int_equal(fleet_column_find(FLEET_HOSTS, "frob"), -1);
	fleet_free(f);
	f = fleet_new();
	ordered(f, FLEET_VMS, "suffers", false, "");
	fleet_free(f);
}

/* Many VMs, most of them alike: numbers one after the other give the order that comparing gives. */
static void test_order_by_rank(void **state)
{
	(void)state;
	enum { N = 3000 };
	static const char *const columns[] = {"suffers", "cpu", "name", "host", "balloon", "state"};
	struct fleet *f = fleet_new();
	unsigned x = 1;
	fleet_add_host(f);
	for (int i = 0; i < N; i++) {
		struct fleet_vm *vm = fleet_add_vm(f);
		x = x * 1103515245 + 12345;
		snprintf(vm->name, sizeof vm->name, "customer-%03u", x >> 16 & 511);
		vm->score_pct = x >> 20 & 7 ? vf64_ok(0) : vf64_ok((int)(x >> 24) - 100);
		vm->cpu_pct = x >> 17 & 15 ? vf64_ok((double)(x >> 8) / 77) : vf64_absent(AVAIL_NONE);
		vm->balloon_kib = vi64_ok(x >> 12 & 3);
		snprintf(vm->state, sizeof vm->state, "%s", x >> 18 & 1 ? "running" : "paused");
	}
	assert_int_equal(fleet_rank(f), 0);
	for (size_t c = 0; c < 2 * sizeof columns / sizeof *columns; c++) {
		static size_t slow[N], fast[N];
		size_t column = (size_t)fleet_column_find(FLEET_VMS, columns[c / 2]);
		for (size_t i = 0; i < N; i++)
			slow[i] = fast[i] = i;
		f->vms_ns = 0;
		assert_int_equal(fleet_sort(f, FLEET_VMS, column, c % 2, slow, N), 0);
		f->vms_ns = 1;
		assert_int_equal(fleet_sort(f, FLEET_VMS, column, c % 2, fast, N), 0);
		assert_memory_equal(slow, fast, sizeof slow);
	}
	fleet_free(f);
}

/* Hosts go by themselves, however the VMs are ranked. */
static void test_ranks_are_of_vms(void **state)
{
	(void)state;
	struct fleet *f = fleet_new();
	for (int i = 0; i < 3; i++) {
		struct fleet_host *h = fleet_add_host(f);
		snprintf(h->name, sizeof h->name, "h%d", i);
		h->load_pct = vf64_ok(50);
		struct fleet_vm *vm = fleet_add_vm(f);
		snprintf(vm->name, sizeof vm->name, "vm%d", 9 - i);
	}
	assert_int_equal(fleet_rank(f), 0);
	f->vms_ns = 1;
	ordered(f, FLEET_HOSTS, "LOAD%", false, "012");
	ordered(f, FLEET_VMS, "name", false, "210");
	fleet_free(f);
}

/* Each column of both tables answers for each row, and keys and heads are told apart. */
static void test_columns(void **state)
{
	(void)state;
	struct fleet *f = fleet_made(4, 2);
	for (enum fleet_kind k = 0; k < FLEET_KINDS; k++) {
		const struct fleet_table *t = fleet_table(k);
		assert_true(fleet_column_find(k, t->sort) >= 0);
		for (size_t c = 0; c < t->n; c++) {
			assert_int_equal(fleet_column_find(k, t->columns[c].key), c);
			assert_true((int)strlen(t->columns[c].head) <= t->columns[c].width);
			for (size_t d = 0; d < c; d++)
				assert_string_not_equal(t->columns[c].head, t->columns[d].head);
			for (size_t i = 0; i < fleet_count(f, k); i++) {
				struct value v;
				fleet_value(f, k, c, i, &v);
				assert_int_equal(v.type, t->columns[c].type);
			}
		}
	}
	fleet_free(f);
}

/* ---- hosts watched ---- */

static struct fleet_watch *watch(const char *const *hosts)
{
	struct err e = ERR_INIT;
	struct config *cfg = malloc(sizeof *cfg);
	config_defaults(cfg);
	cfg->delay_s = 0.2;
	cfg->auto_cpu = cfg->auto_memory = cfg->yes = true; /* what is watched is not steered for all that */
	for (; *hosts; hosts++)
		assert_int_equal(setting_apply(cfg, setting_by_key("fleet_host"), *hosts, &e), 0);
	struct fleet_watch *w = fleet_watch_start(cfg, &e);
	free(cfg);
	assert_non_null(w);
	return w;
}

/* Until hosts[i] has so many readings or is lost, at most ten seconds. */
static struct fleet *look(struct fleet_watch *w, size_t i, long readings)
{
	for (int n = 0; n < 100; n++) {
		struct fleet *f = fleet_watch_take(w);
		assert_non_null(f);
		if (f->hosts[i].readings >= readings || f->hosts[i].state == FLEET_LOST)
			return f;
		fleet_free(f);
		poll(&(struct pollfd){.fd = fleet_watch_fd(w), .events = POLLIN}, 1, 100);
	}
	fail_msg("host %zu does not answer", i);
	return NULL;
}

static void test_watch(void **state)
{
	(void)state;
	static const char *const hosts[] = {
		"a sim:cpu1", "sim:demo", "gone qemu+unix:///system?socket=/nonexistent/s", NULL};
	struct fleet_watch *w = watch(hosts);
	fleet_free(look(w, 2, 1));
	fleet_free(look(w, 1, 2));
	struct fleet *f = look(w, 0, 2);
	assert_int_equal(f->n_hosts, 3);
	assert_string_equal(f->hosts[0].name, "a");
	assert_string_equal(f->hosts[0].uri, "sim:cpu1");
	assert_string_equal(f->hosts[1].name, "kvm1.example"); /* as it calls itself */
	assert_int_equal(f->hosts[2].state, FLEET_LOST);
	assert_non_null(strstr(f->hosts[2].trouble, "/nonexistent/s"));
	assert_true(fleet_age_s(f, &f->hosts[2]) < 0);
	assert_true(vf64_has(f->hosts[0].load_pct) && vf64_has(f->hosts[0].score_pct));
	assert_int_equal(f->hosts[0].running.v, f->hosts[0].n_vms);
	assert_int_equal(f->n_vms, f->hosts[0].n_vms + f->hosts[1].n_vms);
	assert_true(fleet_age_s(f, &f->hosts[0]) < 5);
	assert_string_equal(f->hosts[0].controller, "");
	fleet_free(f);
	assert_int_equal(fleet_watch_stop(w, 10), 0);
}

/* A socket that takes the connection and never says a word. */
static int silent_socket(char *path, size_t len)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(path, len, "/tmp/vmtop-silent-%d", (int)getpid());
	snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void test_a_hung_host_holds_nobody_up(void **state)
{
	(void)state;
	char path[64], hung[128];
	int fd = silent_socket(path, sizeof path);
	snprintf(hung, sizeof hung, "hung qemu+unix:///system?socket=%s", path);
	const char *const hosts[] = {hung, "a sim:cpu1", NULL};
	struct fleet_watch *w = watch(hosts);
	struct fleet *f = look(w, 1, 18); /* 4 s: the hung one is late by then */
	assert_int_equal(f->hosts[0].state, FLEET_LATE);
	assert_non_null(strstr(f->hosts[0].trouble, "no answer for "));
	assert_true(fleet_age_s(f, &f->hosts[1]) < 1);
	fleet_free(f);
	assert_int_equal(fleet_watch_stop(w, 0.5), -1); /* its thread hangs: the program may only end */
	close(fd);
	unlink(path); /* the connection is gone now, and with it what the thread waited for */
	assert_int_equal(fleet_watch_stop(w, 20), 0);
}

static void test_no_host(void **state)
{
	(void)state;
	static const char *const hosts[] = {NULL};
	struct fleet_watch *w = watch(hosts);
	struct fleet *f = fleet_watch_take(w);
	assert_int_equal(f->n_hosts, 0);
	fleet_free(f);
	assert_int_equal(fleet_watch_stop(w, 1), 0);
}

/* Both have the same rows until one writes; whoever ends first takes nothing from the other. */
static void test_rows_are_shared(void **state)
{
	(void)state;
	struct fleet *part = fleet_new(), *a = fleet_new(), *b = fleet_new();
	assert_non_null(fleet_add_host(part));
	for (int i = 0; i < 100; i++)
		assert_non_null(fleet_add_vm(part));
	part->vms[7].name[0] = 'x';
	assert_int_equal(fleet_share(a, part), 0);
	assert_int_equal(fleet_share(b, part), 0);
	assert_ptr_equal(a->vms, part->vms);
	assert_ptr_equal(b->vms, part->vms);
	assert_int_equal(a->hosts[0].n_vms, 100);
	fleet_free(part);
	assert_int_equal(fleet_own_vms(a), 0);
	a->vms[7].name[0] = 'y';
	assert_int_equal(b->vms[7].name[0], 'x');
	struct fleet_vm *last = b->vms;
	assert_int_equal(fleet_own_vms(b), 0); /* nobody else has them any more */
	assert_ptr_equal(b->vms, last);
	assert_int_equal(fleet_put(b, a), 0);
	assert_int_equal(b->n_vms, 200);
	assert_int_equal(b->vms[107].name[0], 'y');
	assert_int_equal(b->vms[107].host, 1);
	fleet_free(a);
	fleet_free(b);
}

/* A Prometheus that does not answer has no VMs to share. */
static void test_no_rows_are_shared(void **state)
{
	(void)state;
	struct fleet *part = fleet_new(), *f = fleet_new();
	assert_non_null(fleet_add_host(part));
	assert_int_equal(fleet_share(f, part), 0);
	assert_int_equal(fleet_own_vms(f), 0);
	assert_int_equal(fleet_put(f, part), 0);
	assert_int_equal(f->n_hosts, 2);
	assert_int_equal(f->n_vms, 0);
	fleet_free(part);
	fleet_free(f);
}

/* A host that has not told anything yet has not told that it is empty. */
static void test_not_read_is_not_zero(void **state)
{
	(void)state;
	struct snapshot *s = calloc(1, sizeof *s);
	assert_non_null(s);
	for (int first = 0; first < 2; first++) {
		struct fleet *part = fleet_new();
		s->first = first;
		assert_int_equal(fleet_fold(part, s, 1), 0);
		const struct fleet_host *h = &part->hosts[0];
		const struct vi64 *told[] = {&h->running, &h->paused, &h->off, &h->hung, &h->pcpus};
		for (int i = 0; i < 5; i++)
			assert_int_equal(vi64_has(*told[i]), !first);
		fleet_free(part);
	}
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_config_lines),
		cmocka_unit_test(test_states_by_age),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_rows_are_shared),
		cmocka_unit_test(test_no_rows_are_shared),
		cmocka_unit_test(test_sum),
		cmocka_unit_test(test_alerts),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_order_by_rank),
		cmocka_unit_test(test_ranks_are_of_vms),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_no_host),
		cmocka_unit_test(test_not_read_is_not_zero),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_a_hung_host_holds_nobody_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
