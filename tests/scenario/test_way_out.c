/* SPDX-License-Identifier: MIT */
/* The way out while the hypervisor is away, slow, or does only a part of what is asked: everything is put
 * back or it is said. The whole engine on a simulated host, with a real journal. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/changes/journal.h"
#include "support/run_scenario.h"
#include "support/spy.h"
#include "support/state_home.h"

static struct spy host;
static struct config cfg;

/* Four VMs on one pCPU: three of them move; one has its statistics switched on. */
#define CROWD "host\n\tpcpus 4\n\tmemory 16G\nvm a x4\n\tload 60%\n\tpin 0\n\tmemory 512M max 2G\n\tstats 2\n"

static struct engine *steered(void)
{
	spy_open(&host, CROWD);
	run_config(&cfg, true, false, 1);
	cfg.cpu_policy = CPU_POLICY_ORIGIN_C; /* acts at once */
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 5);
	assert_string_not_equal(spy_pin(&host, "a-4", 0), "0");
	return en;
}

static bool have_journal(void)
{
	char path[JOURNAL_PATH];
	assert_int_equal(journal_path(path, sizeof path, "sim:test"), 0);
	return access(path, F_OK) == 0;
}

static int pins_back(void)
{
	int n = 0;
	for (int i = 1; i <= 4; i++) {
		char name[8];
		snprintf(name, sizeof name, "a-%d", i);
		n += strcmp(spy_pin(&host, name, 0), "0") == 0;
	}
	return n;
}

static void down(double for_s)
{
	host.down_from_s = spy_now_s(&host);
	host.down_until_s = host.down_from_s + for_s;
}

static int count_logged(struct engine *en, const char *part)
{
	struct snapshot *s = engine_snapshot(en);
	int n = 0;
	for (size_t i = 0; i < s->n_log; i++)
		n += strstr(s->log[i].text, part) != NULL;
	snapshot_free(s);
	return n;
}

/* libvirtd is stopped for five seconds, or killed and started again. */
static void it_comes_back(void **state)
{
	(void)state;
	struct engine *en = steered();
	down(5);
	assert_int_equal(engine_leave(en, true), 0);
	assert_int_equal(pins_back(), 4);
	assert_non_null(spy_logged(en, "end: 3 changes put back"));
	assert_non_null(spy_logged(en, "end: 3 changes still to be put back: call"));
	assert_true(spy_now_s(&host) - host.down_until_s < 1);
	struct snapshot *s = engine_snapshot(en);
	for (size_t i = 0; i < s->n_log; i++)
		assert_true(*s->log[i].text); /* what went well is no error without words */
	snapshot_free(s);
	engine_free(en);
	assert_false(have_journal());
	spy_free(&host);
}

/* The deadline ends it; what is left is named, with how to mend it, and the journal has it. */
static void it_stays_away(void **state)
{
	(void)state;
	struct engine *en = steered();
	snprintf(cfg.uri, sizeof cfg.uri, "qemu:///system");
	down(1000);
	double begun = spy_now_s(&host);
	assert_int_equal(engine_leave(en, true), -1);
	double took = spy_now_s(&host) - begun;
	assert_true(took >= cfg.restore_deadline_s && took < cfg.restore_deadline_s + 2);
	const struct err *left = engine_left(en);
	assert_int_equal(err_exit_status(left), 1);
	assert_non_null(strstr(left->msg, "3 changes could not be put back"));
	assert_non_null(strstr(left->msg, "--restore does it later"));
	assert_int_equal(count_logged(en, "not put back: a-"), 3);
	assert_true(count_logged(en, "still to be put back") < 8); /* told, not chattered */
	engine_free(en);
	assert_true(have_journal());
	assert_int_equal(pins_back(), 1);
	host.down_until_s = 0;
	struct err e = ERR_INIT;
	cfg.auto_cpu = false;
	assert_int_equal(engine_restore_journal(&cfg, &host.base, NULL, stderr, -1, &e), 0);
	assert_int_equal(pins_back(), 4);
	assert_false(have_journal());
	spy_free(&host);
}

/* Whoever waits is told at once, and the same reason again after ten seconds. */
static void the_same_reason_is_told_every_ten_seconds(void **state)
{
	(void)state;
	struct engine *en = steered();
	down(1000);
	assert_int_equal(engine_leave(en, true), -1); /* after 45 s */
	assert_int_equal(count_logged(en, "3 changes still to be put back"), 5);
	engine_free(en);
	host.down_until_s = 0;
	en = spy_engine(&host, &cfg);
	assert_int_equal(engine_leave(en, true), 0);
	engine_free(en);
	spy_free(&host);
}

/* The reason is another one at each try. */
static void another_reason(void *arg, struct engine *en)
{
	(void)arg, (void)en;
	host.calls++;
}

/* Another reason is told soon, but not at each of the tries, which are half a second apart. */
static void a_new_reason_is_told_soon(void **state)
{
	(void)state;
	struct engine *en = steered();
	engine_watch(en, &(struct leave_watch){-1, another_reason, NULL});
	down(1000);
	assert_int_equal(engine_leave(en, true), -1);
	assert_in_range(count_logged(en, "3 changes still to be put back"), 29, 31);
	engine_free(en);
	host.down_until_s = 0;
	en = spy_engine(&host, &cfg);
	assert_int_equal(engine_leave(en, true), 0);
	engine_free(en);
	spy_free(&host);
}

/* What is seen of the guests on the way out. */
static void pins_unknown(void *arg, struct sample *s)
{
	(void)arg;
	for (size_t i = 0; i < s->n_vcpus; i++)
		s->vcpus[i].affinity_avail = AVAIL_DENIED;
}

static void monitors_hang(void *arg, struct sample *s)
{
	(void)arg;
	for (size_t i = 0; i < s->n_vms; i++)
		s->vms[i].hung_since_ns = s->time_ns;
}

/* Nothing could be tried: why is said all the same. */
static void why_it_is_left_is_said(void **state)
{
	static const struct {
		void (*sampled)(void *arg, struct sample *s);
		const char *words;
	} cases[] = {{pins_unknown, "3 changes could not be put back: its present state is not known yet; "},
		{monitors_hang, "3 changes could not be put back: its monitor does not answer; "}};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct engine *en = steered();
		host.sampled = cases[i].sampled;
		assert_int_equal(engine_leave(en, true), -1);
		if (!strstr(engine_left(en)->msg, cases[i].words))
			fail_msg("not \"%s\": %s", cases[i].words, engine_left(en)->msg);
		host.sampled = NULL;
		assert_int_equal(engine_leave(en, true), 0);
		engine_free(en);
		spy_free(&host);
	}
}

/* What failed is said in its own words, not as a state that is not known. */
static void a_failed_call_is_the_reason(void **state)
{
	(void)state;
	struct engine *en = steered();
	engine_free(en);
	cfg.restore_deadline_s = 0;
	en = spy_engine(&host, &cfg);
	host.fail_at = host.calls + 2;
	assert_int_equal(engine_leave(en, true), -1);
	assert_non_null(strstr(engine_left(en)->msg, "1 change could not be put back: call "));
	engine_free(en);
	en = spy_engine(&host, &cfg);
	assert_int_equal(engine_leave(en, true), 0);
	engine_free(en);
	spy_free(&host);
}

static void no_deadline_is_one_try(void **state)
{
	(void)state;
	struct engine *en = steered();
	engine_free(en);
	cfg.restore_deadline_s = 0;
	en = spy_engine(&host, &cfg);
	down(3);
	assert_int_equal(engine_leave(en, true), -1);
	assert_true(spy_now_s(&host) - host.down_from_s < 0.1);
	engine_free(en);
	host.down_until_s = 0;
	en = spy_engine(&host, &cfg);
	assert_int_equal(engine_leave(en, true), 0);
	engine_free(en);
	assert_int_equal(pins_back(), 4);
	spy_free(&host);
}

/* Each call of the farewell fails once, and its answer is lost once: as found all the same. */
static void each_call_fails_once(void **state)
{
	(void)state;
	for (int unknown = 0; unknown < 2; unknown++)
		for (long k = 1;; k++) {
			struct engine *en = steered();
			host.fail_at = host.calls + k;
			host.unknown = unknown;
			assert_int_equal(engine_leave(en, true), 0);
			assert_int_equal(pins_back(), 4);
			assert_non_null(spy_logged(en, "end: 3 changes put back"));
			engine_free(en);
			assert_false(have_journal());
			bool failed = host.failed;
			spy_free(&host);
			if (!failed)
				break;
			assert_true(k < 100);
		}
}

static void quit_into(int fd, int n)
{
	struct command c = {.kind = CMD_QUIT};
	for (int i = 0; i < n; i++)
		assert_int_equal(write(fd, &c, sizeof c), sizeof c);
}

/* One more signal, or the end of the pipe, leaves what is left at once and with the same words. */
static void nobody_waits_any_longer(void **state)
{
	(void)state;
	for (int closed = 0; closed < 2; closed++) {
		int fd[2];
		struct engine *en = steered();
		assert_int_equal(pipe2(fd, O_NONBLOCK | O_CLOEXEC), 0);
		engine_watch(en, &(struct leave_watch){fd[0], NULL, NULL});
		if (closed)
			close(fd[1]);
		else
			quit_into(fd[1], 1);
		down(1000);
		assert_int_equal(engine_leave(en, true), -1);
		assert_true(spy_now_s(&host) - host.down_from_s < 1);
		assert_non_null(strstr(engine_left(en)->msg, "3 changes could not be put back"));
		engine_free(en);
		assert_true(have_journal());
		close(fd[0]);
		if (!closed)
			close(fd[1]);
		host.down_until_s = 0;
		en = spy_engine(&host, &cfg);
		assert_int_equal(engine_leave(en, true), 0);
		engine_free(en);
		spy_free(&host);
	}
}

/* --restore waits for a hypervisor that is away, too. */
static void restore_waits(void **state)
{
	(void)state;
	char *text = NULL;
	size_t len;
	struct err e = ERR_INIT;
	engine_free(steered());
	cfg.auto_cpu = false;
	FILE *out = open_memstream(&text, &len);
	down(1000);
	assert_int_equal(engine_restore_journal(&cfg, &host.base, NULL, out, -1, &e), -1);
	fclose(out);
	assert_non_null(strstr(text, "not put back: a-4: vCPU 0\n"));
	assert_non_null(strstr(e.msg, "3 changes could not be put back"));
	free(text);
	text = NULL;
	out = open_memstream(&text, &len);
	down(5);
	assert_int_equal(engine_restore_journal(&cfg, &host.base, NULL, out, -1, &e), 0);
	fclose(out);
	assert_non_null(strstr(text, "still to be put back"));
	assert_non_null(strstr(text, "3 changes put back\n"));
	free(text);
	assert_int_equal(pins_back(), 4);
	assert_false(have_journal());
	spy_free(&host);
}

/* A disk that has become full keeps nothing from being put back. */
static void full_disk_puts_back(void **state)
{
	(void)state;
	struct rlimit was, none;
	struct engine *en = steered();
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	none = (struct rlimit){0, was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	int rc = engine_leave(en, true);
	setrlimit(RLIMIT_FSIZE, &was);
	assert_int_equal(rc, 0);
	assert_int_equal(pins_back(), 4);
	engine_free(en);
	assert_false(have_journal());
	spy_free(&host);
}

/* A journal that cannot be opened will not be there in half a second either: it is said at once. */
static void without_a_journal_it_is_over_at_once(void **state)
{
	char dir[256];
	(void)state;
	snprintf(dir, sizeof dir, "%s/vmtop", state_home());
	engine_free(steered());
	struct engine *en = spy_engine(&host, &cfg);
	double begun = spy_now_s(&host);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(engine_leave(en, true), -1);
	assert_int_equal(chmod(dir, 0700), 0);
	assert_true(spy_now_s(&host) - begun < 0.1);
	assert_non_null(strstr(engine_left(en)->msg, "others may write to the folder"));
	engine_free(en);
	en = spy_engine(&host, &cfg);
	assert_int_equal(engine_leave(en, true), 0);
	engine_free(en);
	spy_free(&host);
}

static void pin_by_hand(struct engine *en, size_t vm)
{
	struct snapshot *s = engine_snapshot(en);
	struct command c = {.kind = CMD_PIN};
	memcpy(c.uuid, s->sample.vms[vm].uuid, UUID_BYTES);
	cpuset_add(&c.cpus, 1);
	snapshot_free(s);
	engine_command(en, &c);
	spy_run(en, 1);
}

static size_t changed(struct engine *en)
{
	struct snapshot *s = engine_snapshot(en);
	size_t n = s->n_changed;
	snapshot_free(s);
	return n;
}

/* The disk fills up in the middle of a run: what is refused then is not counted as made. */
static void full_disk_refuses_changes(void **state)
{
	char path[JOURNAL_PATH];
	struct rlimit was, full;
	struct stat st;
	(void)state;
	spy_open(&host, CROWD);
	run_config(&cfg, false, false, 1);
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 2);
	pin_by_hand(en, 0);
	assert_int_equal(changed(en), 1);
	assert_int_equal(journal_path(path, sizeof path, "sim:test"), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	full = (struct rlimit){(rlim_t)st.st_size, was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
	pin_by_hand(en, 1);
	setrlimit(RLIMIT_FSIZE, &was);
	assert_non_null(spy_logged(en, "nothing was changed: cannot write the journal"));
	assert_int_equal(changed(en), 1);
	assert_int_equal(host.changes, 1);
	assert_int_equal(engine_leave(en, true), 0);
	assert_int_equal(pins_back(), 4);
	engine_free(en);
	spy_free(&host);
}

int main(void)
{
	signal(SIGXFSZ, SIG_IGN);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_comes_back),
		cmocka_unit_test(it_stays_away),
		cmocka_unit_test(the_same_reason_is_told_every_ten_seconds),
		cmocka_unit_test(a_new_reason_is_told_soon),
		cmocka_unit_test(why_it_is_left_is_said),
		cmocka_unit_test(a_failed_call_is_the_reason),
		cmocka_unit_test(no_deadline_is_one_try),
		cmocka_unit_test(each_call_fails_once),
		cmocka_unit_test(nobody_waits_any_longer),
		cmocka_unit_test(restore_waits),
		cmocka_unit_test(without_a_journal_it_is_over_at_once),
		cmocka_unit_test(full_disk_puts_back),
		cmocka_unit_test(full_disk_refuses_changes),
	};
	return cmocka_run_group_tests(tests, state_home_make, state_home_remove);
}
