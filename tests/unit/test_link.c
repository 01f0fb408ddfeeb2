/* SPDX-License-Identifier: MIT */
/* A link over libvirt's in-process test driver: requests, deadlines, giving up, events, failing to open. */
#include <poll.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/backend/libvirt/link.h"
#include "vmtop/clock.h"

#define MS INT64_C(1000000)

static int notify_fd;
static struct link *l;

/* A request that waits until it is let through, as a call on a hung guest does. */
struct gate {
	struct request r;
	sem_t *open, *dropped;
	int64_t answer;
};

static void gate_run(struct request *r, virConnectPtr c)
{
	struct gate *g = (struct gate *)r;
	if (g->open)
		sem_wait(g->open);
	g->answer = virConnectNumOfDomains(c);
}

static void gate_drop(struct request *r)
{
	struct gate *g = (struct gate *)r;
	if (g->dropped)
		sem_post(g->dropped);
	free(g);
}

static struct gate *gate_new(sem_t *open, sem_t *dropped)
{
	struct gate *g = calloc(1, sizeof *g);
	assert_non_null(g);
	g->r.run = gate_run;
	g->r.drop = gate_drop;
	g->open = open;
	g->dropped = dropped;
	return g;
}

static int64_t in(int64_t ms)
{
	return clock_ns() + ms * MS;
}

static int setup(void **state)
{
	(void)state;
	struct connect_wish wish = {.uri = "test:///default"};
	struct err e = ERR_INIT;
	notify_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	l = link_start(&wish, true, notify_fd, &e);
	assert_non_null(l);
	assert_int_equal(link_wait_open(l, in(5000), &e), PHASE_OPEN);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	link_free(l, in(2000));
	close(notify_fd);
	return 0;
}

static void test_result(void **state)
{
	(void)state;
	assert_string_equal(link_result(l)->driver, "TEST");
	assert_string_equal(link_result(l)->uri, "test:///default");
	assert_false(link_result(l)->readonly);
	assert_false(link_result(l)->local);
}

static void test_answer(void **state)
{
	(void)state;
	struct gate *g = gate_new(NULL, NULL);
	link_submit(l, &g->r);
	assert_true(link_await(l, &g->r, in(2000)));
	assert_true(link_finished(l, &g->r));
	assert_int_equal(g->answer, 1);
	assert_int_equal(link_give_up(l, &g->r), GAVE_UP_DONE);
	free(g);
}

static void test_deadline(void **state)
{
	(void)state;
	sem_t open, dropped;
	sem_init(&open, 0, 0);
	sem_init(&dropped, 0, 0);
	struct gate *stuck = gate_new(&open, &dropped), *behind = gate_new(NULL, &dropped);
	link_submit(l, &stuck->r);
	link_submit(l, &behind->r);
	int64_t start = clock_ns();
	assert_false(link_await(l, &stuck->r, in(50)));
	int64_t took = clock_ns() - start;
	assert_in_range(took / MS, 49, 1000);
	/* the one behind never began: it is known to have done nothing */
	assert_int_equal(link_give_up(l, &behind->r), GAVE_UP_QUEUED);
	assert_int_equal(sem_trywait(&dropped), 0);
	assert_int_equal(link_give_up(l, &stuck->r), GAVE_UP_BEGUN);
	assert_int_equal(sem_trywait(&dropped), -1);
	/* a parked link ends when its call returns, not before */
	link_leave(l);
	assert_false(link_reap(l));
	sem_post(&open);
	sem_wait(&dropped);
	bool ended = false;
	for (int i = 0; i < 400 && !ended; i++) {
		ended = link_reap(l);
		if (!ended)
			poll(NULL, 0, 5);
	}
	assert_true(ended);
	l = NULL;
}

static void test_free_while_stuck(void **state)
{
	(void)state;
	sem_t open, dropped;
	sem_init(&open, 0, 0);
	sem_init(&dropped, 0, 0);
	struct gate *stuck = gate_new(&open, &dropped);
	link_submit(l, &stuck->r);
	assert_false(link_await(l, &stuck->r, in(20)));
	assert_int_equal(link_give_up(l, &stuck->r), GAVE_UP_BEGUN);
	int64_t start = clock_ns();
	link_free(l, in(50));
	assert_in_range((clock_ns() - start) / MS, 0, 1000);
	l = NULL;
	sem_post(&open);
	sem_wait(&dropped);
	poll(NULL, 0, 50); /* the worker frees the rest by itself */
}

static void suspend_run(struct request *r, virConnectPtr c)
{
	virDomainPtr dom = virDomainLookupByName(c, "test");
	r->rc = dom ? virDomainSuspend(dom) : -1;
	virDomainFree(dom);
}

static void test_events(void **state)
{
	(void)state;
	struct gate *g = gate_new(NULL, NULL);
	struct link_event ev[4];
	struct pollfd p = {notify_fd, POLLIN, 0};
	uint8_t uuid[UUID_BYTES];
	g->r.run = suspend_run;
	link_submit(l, &g->r);
	assert_true(link_await(l, &g->r, in(2000)));
	assert_int_equal(g->r.rc, 0);
	size_t n = 0;
	for (int i = 0; i < 200 && !n; i++) {
		uint64_t count;
		poll(&p, 1, 10);
		if (read(notify_fd, &count, sizeof count) > 0)
			n = link_events(l, ev, 4);
	}
	assert_int_equal(n, 1);
	assert_int_equal(ev[0].kind, EVENT_LIFECYCLE);
	uuid_parse(uuid, "6695eb01-f6a4-8304-79aa-97f2502e193f");
	assert_memory_equal(ev[0].uuid, uuid, UUID_BYTES);
	assert_in_range(clock_ns() - ev[0].time_ns, 0, 5000 * MS);
	assert_int_equal(link_events(l, ev, 4), 0);
	free(g);
}

/* ERR_NONE: whichever. */
static void expect_failure(const char *uri, enum err_code code, const char *part)
{
	struct connect_wish wish = {.readonly = true};
	struct err e = ERR_INIT;
	strncpy(wish.uri, uri, sizeof wish.uri - 1);
	struct link *bad = link_start(&wish, false, notify_fd, &e);
	assert_non_null(bad);
	assert_int_equal(link_wait_open(bad, in(5000), &e), PHASE_FAILED);
	assert_int_equal(err_exit_status(&e), 3);
	assert_true(!code || e.code == code);
	assert_non_null(strstr(e.msg, part));
	assert_null(strchr(e.msg, '\n'));
	link_free(bad, in(2000));
}

static void test_cannot_open(void **state)
{
	(void)state;
	expect_failure("test:///no/such/file.xml", ERR_CONNECT, "/no/such/file.xml");
	expect_failure("nonsense:///", ERR_NONE, "nonsense:///"); /* libvirtd is asked too, if it is there */
	expect_failure("qemu+unix:///system?socket=/no/such/socket", ERR_AWAY,
		"is libvirtd or virtqemud running here?");
}

static void test_uris(void **state)
{
	(void)state;
	assert_true(connect_uri_local("qemu:///system"));
	assert_true(connect_uri_local("qemu+unix:///system?socket=/x"));
	assert_true(connect_uri_local(""));
	assert_false(connect_uri_local("qemu+ssh://host/system"));
	assert_false(connect_uri_local("qemu://host/system"));
	char uri[64] = "qemu+ssh://host/system";
	connect_no_tty(uri, sizeof uri);
	assert_string_equal(uri, "qemu+ssh://host/system?no_tty=1");
	connect_no_tty(uri, sizeof uri);
	assert_string_equal(uri, "qemu+ssh://host/system?no_tty=1");
	char two[64] = "qemu+libssh2://h/system?a=b";
	connect_no_tty(two, sizeof two);
	assert_string_equal(two, "qemu+libssh2://h/system?a=b&no_tty=1");
	char full[25] = "qemu+ssh://host/system";
	connect_no_tty(full, sizeof full);
	assert_string_equal(full, "qemu+ssh://host/system");
	char local[64] = "qemu:///system";
	connect_no_tty(local, sizeof local);
	assert_string_equal(local, "qemu:///system");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {T(test_result), T(test_answer), T(test_deadline),
		T(test_free_while_stuck), T(test_events), T(test_cannot_open), cmocka_unit_test(test_uris)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
