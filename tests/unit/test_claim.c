/* SPDX-License-Identifier: MIT */
/* One controller per client machine, and what one host is called however its URI is spelt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/backend/connect.h"
#include "../../src/engine/claim.h"

static char host[64];

static int name_host(void **state)
{
	(void)state;
	snprintf(host, sizeof host, "test://%d/system", (int)getpid());
	return 0;
}

static void test_one_at_a_time(void **state)
{
	(void)state;
	assert_int_equal(claim_owner(host), 0);
	int first = claim_take(host);
	assert_true(first >= 0);
	assert_int_equal(claim_owner(host), getpid());
	assert_int_equal(claim_take(host), -1);
	assert_int_equal(claim_owner("test://other/system"), 0);
	close(first);
	assert_int_equal(claim_owner(host), 0);
	int second = claim_take(host);
	assert_true(second >= 0);
	close(second);
}

/* It is gone with the process, however that ended. */
static void test_ends_with_the_process(void **state)
{
	(void)state;
	int ready[2];
	char c;
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		bool ok = claim_take(host) >= 0 && write(ready[1], "", 1) == 1;
		for (; ok;)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(claim_owner(host), pid);
	assert_int_equal(claim_take(host), -1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(claim_owner(host), 0);
	close(ready[0]);
	close(ready[1]);
}

/* Whoever asks must not use up the room for those who ask. */
static void test_many_ask(void **state)
{
	(void)state;
	int claim = claim_take(host);
	for (int i = 0; i < 500; i++) {
		assert_int_equal(claim_owner(host), getpid());
		if (i % 50 == 0)
			claim_tidy(claim);
	}
	for (int i = 0; i < 100; i++)
		claim_owner(host);
	assert_int_equal(claim_owner(host), -1); /* somebody, at least */
	claim_tidy(claim);
	claim_tidy(claim);
	assert_int_equal(claim_owner(host), getpid());
	close(claim);
}

/* Root yields to root alone. */
static void test_others_do_not_keep_root_out(void **state)
{
	(void)state;
	int ready[2];
	char c = 0;
	if (geteuid() != 0)
		return; /* nobody else to be */
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		bool ok = setuid(65534) == 0 && claim_take(host) >= 0 && write(ready[1], "", 1) == 1;
		for (; ok;)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(claim_owner(host), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
}

static void test_names_of_hosts(void **state)
{
	static const char *const rows[][2] = {
		{"qemu:///system", "qemu:///system"},
		{"qemu+unix:///system", "qemu:///system"},
		{"qemu+ssh://localhost/system", "qemu:///system"},
		{"qemu+ssh://root@127.0.0.1/system", "qemu:///system"},
		{"qemu+tls://[::1]/system", "qemu:///system"},
		{"qemu+ssh://admin@node7/system", "qemu://node7/system"},
		{"qemu+tls://node7/system?no_tty=1", "qemu://node7/system"},
		/* A port, a socket, a command may lead to another machine. */
		{"qemu+tcp://localhost:16510/system", "qemu://localhost:16510/system"},
		{"qemu+unix:///system?socket=/run/x", "qemu:///system?socket=/run/x"},
		{"qemu+ext://x/system?command=a", "qemu://x/system?command=a"},
		{"test:///default", "test:///default"},
		{"", ""},
		{"strange", "strange"},
		{"qemu+ssh:", "qemu+ssh:"},
		{"qemu+ssh://node7", "qemu://node7"},
	};
	char name[64], small[8];
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		connect_host_name(name, sizeof name, rows[i][0]);
		assert_string_equal(name, rows[i][1]);
	}
	connect_host_name(small, sizeof small, "qemu+ssh://node7/system");
	assert_string_equal(small, "qemu://");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_at_a_time),
		cmocka_unit_test(test_ends_with_the_process),
		cmocka_unit_test(test_many_ask),
		cmocka_unit_test(test_others_do_not_keep_root_out),
		cmocka_unit_test(test_names_of_hosts),
	};
	return cmocka_run_group_tests_name("claim", tests, name_host, NULL);
}
