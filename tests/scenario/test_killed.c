/* SPDX-License-Identifier: MIT */
/* Killed (SIGKILL) while it steers: before, half-way through and after every call that writes the journal,
 * after every change that was made, and at random moments, also twice in a row. Shown: --restore then puts
 * everything back as it was found. The host lives in the process that is killed, so what was changed on it is
 * kept in shared memory and done again to a fresh host. VMTOP_KILLS=200 sets another number of random rounds.
 * Linked with --wrap for the calls (Makefile). */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/run_scenario.h"
#include "support/spy.h"

ssize_t __real_write(int fd, const void *p, size_t n);
int __real_fdatasync(int fd);
int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
ssize_t __wrap_write(int fd, const void *p, size_t n);
int __wrap_fdatasync(int fd);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);

static const char scenario[] = "host\n\tpcpus 4\n\tmemory 6G\n"
			       "vm a x3\n\tload 60%\n\tpin 0\n\tmemory 512M max 1G\n"
			       "vm b\n\tvcpus 2\n\tload 30%\n\tmemory 512M max 1G\n\tstats 3\n"
			       "vm c\n\tload 55%\n\tplace 0\n\tmemory 1G max 2G\n"
			       "at 3s stop a-2\nat 5s start a-2\n";

/* What was changed on the host: the last change of each object. Shared with those that are killed. */
enum { OBJECTS = 64 };
static struct truth {
	size_t n;
	struct action last[OBJECTS];
} * truth;

/* After one call is before the next. */
enum when { BEFORE, HALF, WHENS, FULL }; /* FULL: not killed, but from there on the disk is full */
static struct {
	bool counting;
	long calls, at; /* killed in call number `at`; 0: in none */
	enum when when;
} killer;

/* What was written and is not on disk yet; changes that were made meanwhile. */
static int unsynced_fd = -1;
static long unsynced_changes, synced_changes;

static void is_synced(void *arg, const struct action *a, size_t n)
{
	(void)arg;
	(void)a;
	*(unsynced_fd >= 0 ? &unsynced_changes : &synced_changes) += (long)n;
}

/* In memory where that can be had: thousands of journals. */
static char folder[] = "/dev/shm/vmtop-test-XXXXXX", on_disk[] = "/tmp/vmtop-test-XXXXXX";
static const char *state_home;
static struct spy host;
static struct config cfg;

static bool now_is(enum when when)
{
	return killer.counting && killer.calls == killer.at && killer.when == when;
}

static void die_if(bool die)
{
	if (die)
		kill(getpid(), SIGKILL);
}

static void called(void)
{
	killer.calls += killer.counting;
	die_if(now_is(BEFORE));
}

ssize_t __wrap_write(int fd, const void *p, size_t n)
{
	called();
	if (killer.counting && killer.at && killer.when == FULL && killer.calls >= killer.at) {
		ssize_t part = killer.calls == killer.at ? __real_write(fd, p, n / 2) : -1;
		errno = ENOSPC;
		return part;
	}
	if (now_is(HALF)) {
		ssize_t half = __real_write(fd, p, n / 2);
		die_if(half >= 0);
	}
	unsynced_fd = fd;
	return __real_write(fd, p, n);
}

int __wrap_fdatasync(int fd)
{
	called();
	int rc = __real_fdatasync(fd);
	unsynced_fd = -1;
	die_if(now_is(HALF));
	return rc;
}

int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	called();
	int rc = __real_renameat(from_dir, from, to_dir, to);
	die_if(now_is(HALF));
	return rc;
}

static void keep_truth(void *arg, const struct action *a)
{
	(void)arg;
	size_t i = 0;
	while (i < truth->n && (truth->last[i].kind != a->kind || truth->last[i].vcpu != a->vcpu ||
				       uuid_compare(truth->last[i].uuid, a->uuid) != 0))
		i++;
	if (i == OBJECTS)
		abort();
	truth->last[i] = *a;
	truth->n += i == truth->n;
	called(); /* between a change and its answer is a place to die in too */
}

static void pass(double seconds)
{
	host.base.ops->wait(&host.base, host.base.ops->now(&host.base) + (int64_t)(seconds * 1e9), -1);
}

/* The host as the dead one left it. */
static void same_host(void)
{
	spy_open(&host, scenario);
	run_config(&cfg, true, true, 1);
	cfg.cpu_policy = CPU_POLICY_ORIGIN_C;
	cfg.memory_cycle_s = 2;
	cfg.search_ms = 0; /* nothing hangs on the clock of this machine */
	for (size_t i = 0; i < truth->n; i++) {
		struct action again = truth->last[i];
		host.sim->ops->apply(host.sim, &again, 1);
	}
}

/* A life: both controllers, a preview, changes by hand, undo, another policy. */
static void live(double seconds)
{
	struct err e = ERR_INIT;
	host.made = keep_truth;
	struct engine *en = engine_new(&cfg, &host.base, &e);
	if (!en)
		_exit(1);
	killer.counting = true;
	for (int i = 0; i < (int)seconds; i++) {
		if (i == 4)
			engine_command(en, &(struct command){.kind = CMD_UNDO});
		if (i == 6)
			engine_command(
				en, &(struct command){.kind = CMD_CPU_POLICY, .number = CPU_POLICY_ORIGIN_A});
		if (i == 7)
			engine_command(en, &(struct command){.kind = CMD_REBALANCE});
		engine_step(en, &e);
		if (!engine_wait(en, -1))
			break;
	}
	engine_leave(en, false);
	engine_free(en);
}

/* In a process of its own. Returns how many calls it made before it was through, or 0: it was killed. */
static long life(long at, enum when when, int kill_after_us)
{
	static long *calls;
	int status;
	if (!calls)
		calls = mmap(NULL, sizeof *calls, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(calls, MAP_FAILED);
	*calls = 0;
	same_host();
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		killer.at = at;
		killer.when = when;
		live(12);
		*calls = killer.calls;
		_exit(0);
	}
	if (kill_after_us) {
		struct timespec t = {.tv_nsec = kill_after_us * 1000L};
		nanosleep(&t, NULL);
		kill(child, SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
	spy_free(&host);
	return *calls;
}

static void look(struct sample *to)
{
	struct err e = ERR_INIT;
	sample_init(to);
	assert_int_equal(host.sim->ops->sample(host.sim, SAMPLE_BALLOON, to, &e), 0);
}

static void expect_same(const struct sample *is, const struct sample *was, const char *label)
{
	assert_int_equal(is->n_vms, was->n_vms);
	assert_int_equal(is->n_vcpus, was->n_vcpus);
	for (size_t i = 0; i < is->n_vcpus; i++)
		if (!cpuset_equal(&is->vcpus[i].affinity, &was->vcpus[i].affinity))
			fail_msg("%s: vCPU %zu is not where it was", label, i);
	for (size_t i = 0; i < is->n_vms; i++) {
		const struct vm_memory *a = &is->vms[i].mem, *b = &was->vms[i].mem;
		if (a->period_s.v != b->period_s.v)
			fail_msg("%s: %s has a statistics period of %d s", label, is->vms[i].name,
				(int)a->period_s.v);
		if (llabs(a->balloon_kib.v - b->balloon_kib.v) > 2048)
			fail_msg("%s: %s has %d MiB", label, is->vms[i].name, (int)(a->balloon_kib.v / 1024));
	}
}

/* vmtop --restore after it; nothing is left to be done by a second one. */
static void restored(const struct sample *was, const char *label)
{
	struct err e = ERR_INIT;
	struct sample is;
	char *text = NULL;
	size_t len;
	same_host();
	pass(30);
	FILE *out = open_memstream(&text, &len);
	assert_non_null(out);
	if (engine_restore_journal(&cfg, &host.base, NULL, out, -1, &e) != 0)
		fail_msg("%s: %s", label, e.msg);
	fclose(out);
	free(text);
	pass(30);
	look(&is);
	expect_same(&is, was, label);
	sample_done(&is);
	spy_free(&host);
	truth->n = 0;
}

static void as_found(struct sample *was)
{
	truth->n = 0;
	same_host();
	look(was);
	spy_free(&host);
}

static void killed_in_every_call(void **state)
{
	(void)state;
	struct sample was;
	as_found(&was);
	long n = life(0, BEFORE, 0);
	assert_true(n > 30);
	assert_true(truth->n > 5);
	restored(&was, "never killed");
	for (long at = 1; at <= n; at++)
		for (enum when when = BEFORE; when < WHENS; when++) {
			char label[64];
			snprintf(label, sizeof label, "call %ld, %s", at,
				when == BEFORE ? "before"
				: when == HALF ? "half"
					       : "after");
			life(at, when, 0);
			restored(&was, label);
		}
	print_message("%ld calls\n", n);
	sample_done(&was);
}

/* No change without a journal: what was done when the disk had become full can be put back too. */
static void full_disk(void **state)
{
	(void)state;
	struct sample was;
	size_t least = OBJECTS;
	as_found(&was);
	long n = life(0, BEFORE, 0);
	restored(&was, "with room");
	for (long at = 1; at <= n; at += 1 + n / 24) {
		char label[64];
		snprintf(label, sizeof label, "full at call %ld", at);
		assert_true(life(at, FULL, 0) > 0);
		least = truth->n < least ? truth->n : least;
		restored(&was, label);
	}
	assert_int_equal(least, 0); /* without room for the first line nothing is changed */
	sample_done(&was);
}

/* The power of this machine may fail while the guests of another one live on: every change of theirs, not the
 * first alone, is on disk before it is made. */
static void on_disk_before_it_is_done(void **state)
{
	(void)state;
	struct sample was;
	as_found(&was);
	same_host();
	host.before = is_synced;
	live(12);
	assert_int_equal(unsynced_changes, 0);
	assert_true(synced_changes > 8);
	killer.counting = false;
	spy_free(&host);
	restored(&was, "remote");
	sample_done(&was);
}

static void killed_at_random(void **state)
{
	(void)state;
	const char *asked = getenv("VMTOP_KILLS");
	long rounds = asked ? atol(asked) : 20;
	struct sample was;
	struct timespec a, b;
	unsigned seed = 1;
	as_found(&was);
	clock_gettime(CLOCK_MONOTONIC, &a);
	life(0, BEFORE, 0);
	clock_gettime(CLOCK_MONOTONIC, &b);
	restored(&was, "never killed");
	long whole_us = (b.tv_sec - a.tv_sec) * 1000000 + (b.tv_nsec - a.tv_nsec) / 1000;
	for (long i = 0; i < rounds; i++) {
		char label[64];
		snprintf(label, sizeof label, "random round %ld", i);
		for (long lives = 1 + i % 3; lives > 0; lives--) {
			seed = seed * 1103515245u + 12345;
			life(0, BEFORE, 1 + (int)((seed >> 8) % (unsigned long)(whole_us + 1)));
		}
		restored(&was, label);
	}
	sample_done(&was);
}

static int begin(void **state)
{
	(void)state;
	truth = mmap(NULL, sizeof *truth, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	state_home = mkdtemp(folder);
	if (!state_home)
		state_home = mkdtemp(on_disk);
	return truth != MAP_FAILED && state_home ? setenv("XDG_STATE_HOME", state_home, 1) : -1;
}

/* Nothing is left, not even a journal or one that was being written anew. */
static int end(void **state)
{
	(void)state;
	char path[300];
	snprintf(path, sizeof path, "%s/vmtop", state_home);
	rmdir(path);
	return rmdir(state_home);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_in_every_call),
		cmocka_unit_test(full_disk),
		cmocka_unit_test(on_disk_before_it_is_done),
		cmocka_unit_test(killed_at_random),
	};
	return cmocka_run_group_tests_name("killed", tests, begin, end);
}
