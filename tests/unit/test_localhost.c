/* SPDX-License-Identifier: MIT */
/* Facts from a made-up /proc and /sys, and from this process itself. */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/backend/localhost.h"

#define ROOT "tests/unit/data/host"
#define UUID "0000abcd-1111-2222-3333-444455556666"

static const int64_t tick_ms = 10; /* the tree's numbers are in clock ticks of 10 ms */

static void test_host(void **state)
{
	(void)state;
	struct sample s;
	sample_init(&s);
	assert_int_equal(sysconf(_SC_CLK_TCK), 1000 / tick_ms);
	assert_int_equal(localhost_host(ROOT, &s), 0);
	assert_int_equal(sample_finish(&s, NULL), 0);
	/* 0 and 2 are online; 1 and 3 are present; 5000 and the cut line are not taken */
	assert_int_equal(s.host.n_pcpus, 4);
	const struct pcpu_sample *p = s.host.pcpus;
	assert_true(p[0].online && !p[1].online && p[2].online && !p[3].online);
	assert_int_equal(p[0].busy_ns.v, (500 + 10 + 200 + 3 + 7 + 5) * tick_ms * 1000000);
	assert_int_equal(p[0].idle_ns.v, (4000 + 50) * tick_ms * 1000000);
	assert_int_equal(p[1].busy_ns.avail, AVAIL_OFFLINE);
	assert_false(p[0].isolated);
	assert_true(p[2].isolated);
	assert_int_equal(p[0].node, 0);
	assert_int_equal(p[3].node, 1);
	assert_int_equal(s.host.total_kib.v, 16384000);
	assert_int_equal(s.host.available_kib.v, 8192000);
	assert_int_equal(s.host.free_kib.v, 1024000);
	assert_float_equal(s.host.psi_some_avg10.v, 12.5, 0.001);
	assert_float_equal(s.host.psi_full_avg10.v, 3.25, 0.001);
	assert_int_equal(s.host.n_nodes, 2);
	assert_int_equal(s.host.nodes[1].free_kib.v, 524000);
	sample_done(&s);
}

static void test_no_proc(void **state)
{
	(void)state;
	struct sample s;
	sample_init(&s);
	assert_int_equal(localhost_host("tests/unit/data/nowhere", &s), -1);
	assert_int_equal(s.host.n_pcpus, 0);
	sample_done(&s);
}

static void test_find(void **state)
{
	(void)state;
	struct local_vm a = {0}, b = {0}, *vms[] = {&a, &b};
	uint8_t uuids[2][UUID_BYTES] = {{0}};
	uuid_parse(uuids[0], UUID);
	uuid_parse(uuids[1], "99999999-1111-2222-3333-444455556666");
	assert_int_equal(localhost_find(ROOT, uuids, vms, 2), 1);
	assert_int_equal(a.pid, 700);
	assert_int_equal(b.pid, 0);
	assert_int_equal(a.n_vcpus, 2);
	assert_int_equal(local_vm_tid(&a, 0), 701);
	assert_int_equal(local_vm_tid(&a, 3), 702); /* ids are sparse */
	assert_int_equal(local_vm_tid(&a, 1), 0);
	/* the name of the process holds a bracket and spaces; the state and the fields come after the last
	 * one */
	assert_int_equal(localhost_state(ROOT, &a), 'S');
	assert_int_equal(localhost_pcpu(ROOT, &a, 701), 2);
	assert_int_equal(localhost_pcpu(ROOT, &a, 702), 0);
	assert_int_equal(localhost_pcpu(ROOT, &a, 799), -1);
	char list[32];
	cpuset_format(&a.cgroup, list, sizeof list);
	assert_true(a.has_cgroup);
	assert_string_equal(list, "0-2");
	/* another process under the same pid is not it */
	a.start++;
	assert_int_equal(localhost_state(ROOT, &a), 0);
	assert_int_equal(localhost_threads(ROOT, &a), -1);
	local_vm_done(&a);
}

/* A process that looks like a machine: its arguments hold the UUID, its thread has a vCPU's name. */
static pid_t make_machine(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		execlp("sh", "qemu", "-c", "kill -STOP $$", "-uuid", UUID, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static void test_stopped_process(void **state)
{
	(void)state;
	int ready[2];
	char c;
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NAME, "CPU 1/TCG");
		if (write(ready[1], "x", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	struct local_vm vm = {.pid = pid};
	char path[64], text[512], *tail;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof text, f));
	fclose(f);
	tail = strrchr(text, ')');
	for (int i = 2; i < 22; i++)
		tail = strchr(tail + 1, ' ');
	vm.start = strtoull(tail, NULL, 10);
	assert_int_equal(localhost_threads("", &vm), 0);
	assert_int_equal(local_vm_tid(&vm, 1), pid);
	struct cpuset s, mine;
	assert_int_equal(localhost_affinity(pid, &s), 0);
	assert_int_equal(localhost_affinity(0, &mine), 0);
	assert_true(cpuset_equal(&s, &mine));
	assert_in_range(localhost_pcpu("", &vm, pid), 0, CPUSET_CPUS - 1);
	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	assert_int_equal(localhost_state("", &vm), 'T');
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(localhost_state("", &vm), 0);
	assert_int_equal(localhost_threads("", &vm), -1);
	local_vm_done(&vm);
	close(ready[0]);
	close(ready[1]);
}

static void test_find_here(void **state)
{
	(void)state;
	struct local_vm a = {0}, *vms[] = {&a};
	uint8_t uuids[1][UUID_BYTES];
	pid_t pid = make_machine();
	uuid_parse(uuids[0], UUID);
	for (int i = 0; i < 200 && !a.pid; i++) {
		localhost_find("", uuids, vms, 1);
		usleep(5000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(a.pid, pid);
	local_vm_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_no_proc),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_stopped_process),
		cmocka_unit_test(test_find_here),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
