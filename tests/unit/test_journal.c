/* SPDX-License-Identifier: MIT */
/* Ledger and journal: as found is written once, survives a crash, a torn tail and garbage, and is locked. */
#include <pthread.h>
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

#include "../../src/changes/boot.h"
#include "../../src/changes/journal.h"
#include "support/descriptors.h"
#include "support/state_home.h"
#include "vmtop/err.h"

static const uint8_t uuid_a[UUID_BYTES] = {1, 2, 3}, uuid_b[UUID_BYTES] = {9};

static struct journal_doubts doubts; /* of the last load() */

static int load(const char *uri, struct ledger *l, struct err *e)
{
	return journal_load(uri, l, &doubts, e);
}

static struct cpuset cpus(const char *text)
{
	struct cpuset s;
	assert_int_equal(cpuset_parse(&s, text, NULL), 0);
	return s;
}

static void expect_cpus(const struct cpuset *s, const char *want)
{
	char text[64];
	cpuset_format(s, text, sizeof text);
	assert_string_equal(text, want);
}

static void ledger_keeps_what_was_found(void **state)
{
	(void)state;
	struct ledger l = {0};
	struct vm_record *b = ledger_get(&l, uuid_b, "b");
	assert_non_null(b);
	struct vm_record *a = ledger_get(&l, uuid_a, "a");
	assert_int_equal(l.n, 2);
	assert_string_equal(l.vms[0].name, "a");
	assert_ptr_equal(ledger_get(&l, uuid_a, "other"), a);
	assert_int_equal(record_changes(a), 0);
	assert_non_null(record_vcpu_get(a, 3));
	assert_int_equal(record_changes(a), 1);
	assert_null(record_vcpu(a, 0));
	/* Gone: forgotten at once unless it was changed, then after a week. */
	ledger_forget(&l);
	assert_int_equal(l.n, 1);
	ledger_age(&l, (LEDGER_GONE_S - 1) * INT64_C(1000000000));
	ledger_age(&l, -5);
	ledger_forget(&l);
	assert_int_equal(l.n, 1);
	assert_null(ledger_overdue(&l));
	ledger_age(&l, 1000000000);
	assert_ptr_equal(ledger_overdue(&l), &l.vms[0]);
	ledger_forget(&l);
	assert_int_equal(l.n, 0);
	ledger_done(&l);
}

static void ledger_of_the_gone_is_bounded(void **state)
{
	(void)state;
	struct ledger l = {0};
	for (int i = 0; i < 3 * LEDGER_GONE_MAX; i++) {
		uint8_t uuid[UUID_BYTES] = {(uint8_t)(i >> 8), (uint8_t)i, 7};
		struct vm_record *r = ledger_get(&l, uuid, "x");
		assert_non_null(record_vcpu_get(r, 0));
		r->away_ns = 9000 - i;
		r->here = i == 5;
	}
	ledger_forget(&l);
	assert_int_equal(l.n, LEDGER_GONE_MAX + 1); /* the newest, and the one that is here */
	int64_t longest = 0;
	for (size_t i = 0; i < l.n; i++)
		if (!l.vms[i].here && l.vms[i].away_ns > longest)
			longest = l.vms[i].away_ns;
	assert_int_equal(longest, 9000 - 2 * LEDGER_GONE_MAX);
	ledger_done(&l);
}

/* What the user asked for outlives a guest that goes and comes: any of it. */
static void what_was_asked_for_is_remembered(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		struct ledger l = {0};
		struct vm_record *r = ledger_get(&l, uuid_a, "a");
		r->memo.held = i == 1;
		r->memo.exclude_cpu = i == 2;
		r->memo.exclude_memory = i == 3;
		r->memo.stay_on_node = i == 4;
		ledger_forget(&l);
		assert_int_equal(l.n, i > 0);
		ledger_done(&l);
	}
}

/* Whoever is here is not away, however long a run is; and a time never runs over. */
static void who_is_here_is_not_away(void **state)
{
	(void)state;
	struct vm_record vms[3] = {{.here = true}, {.away_ns = 5}, {.away_ns = INT64_MAX - 2}};
	struct ledger l = {.vms = vms, .n = 3};
	ledger_age(&l, 7);
	ledger_age(&l, -3);
	assert_int_equal(vms[0].away_ns, 0);
	assert_int_equal(vms[1].away_ns, 12);
	assert_int_equal(vms[2].away_ns, INT64_MAX - 2);
}

/* How long it has been away goes on counting between runs, by the boot clock alone. */
static void ages_outlive_a_run(void **state)
{
	(void)state;
	const int64_t day_ns = INT64_C(86400000000000);
	struct ledger l = {0}, back = {0};
	struct vm_record *r = ledger_get(&l, uuid_a, "a");
	struct cpuset found = cpus("0-3");
	char boot[BOOT_NAME], text[600], *at;
	size_t len;
	boot_name(boot);
	vcpu_found(record_vcpu_get(r, 0), &found, false);
	r->seen_s = 1; /* whatever the wall clock said */
	r->away_ns = 2 * day_ns;
	char *line = journal_line(JOURNAL_FOUND, r, 0, &len);
	assert_null(journal_take_line(&back, line, len));
	assert_in_range(back.vms[0].away_ns, 2 * day_ns, 2 * day_ns + INT64_C(60000000000));
	snprintf(text, sizeof text, "%.*s", (int)len, line);
	free(line);
	at = strstr(text, "\"up_s\":");
	assert_non_null(at);
	assert_non_null(strstr(at, boot));
	/* Written when this machine was booted: it has been up since. */
	char same[700], other[700];
	const char *rest = strchr(at, ',');
	snprintf(same, sizeof same, "%.*s\"up_s\":0%s", (int)(at - text), text, rest);
	assert_null(journal_take_line(&back, same, strlen(same)));
	assert_true(back.vms[0].away_ns >=
		    2 * day_ns + boot_seconds() * INT64_C(1000000000) - INT64_C(60000000000));
	/* Of another boot: nobody knows for how long it was off. */
	snprintf(other, sizeof other, "%.*s\"up_s\":0,\"boot\":\"x\"%s", (int)(at - text), text,
		strchr(strstr(rest, boot), '"') + 1);
	assert_null(journal_take_line(&back, other, strlen(other)));
	assert_int_equal(back.vms[0].away_ns, 2 * day_ns);
	snprintf(other, sizeof other, "%.*s\"up_s\":9000000000%s", (int)(at - text), text, rest);
	assert_null(journal_take_line(&back, other, strlen(other)));
	assert_int_equal(back.vms[0].away_ns, 2 * day_ns); /* that is yet to come */
	ledger_done(&l);
	ledger_done(&back);
}

/* Whose pin is it? */
static void ours_is_what_we_wrote(void **state)
{
	(void)state;
	struct cpuset online = cpus("0-3"), found = cpus("0-3"), one = cpus("1"), two = cpus("2");
	struct cpuset wide = cpus("1,9"), off = cpus("8"), three = cpus("3");
	struct vcpu_record v = {0};
	vcpu_found(&v, &found, false);
	assert_true(vcpu_as_found(&v));
	vcpu_will(&v, &one);
	assert_true(vcpu_ours(&v, &one, &online));   /* it was made */
	assert_true(vcpu_ours(&v, &found, &online)); /* it was not */
	assert_false(vcpu_ours(&v, &two, &online));  /* somebody else's */
	vcpu_is(&v, &one);
	assert_false(vcpu_ours(&v, &found, &online));
	assert_false(vcpu_as_found(&v));
	vcpu_is(&v, &wide); /* offline pCPUs do not read back */
	assert_true(vcpu_ours(&v, &one, &online));
	vcpu_is(&v, &off); /* the kernel moved it when its pCPU went offline */
	assert_true(vcpu_ours(&v, &three, &online));
}

static struct vm_memory balloon_at(int64_t mib, int64_t max_mib)
{
	return (struct vm_memory){.balloon_kib = vi64_ok(mib << 10), .max_kib = vi64_ok(max_mib << 10)};
}

/* Asked for 600 MiB, and it is there; then it goes where nobody of us sent it. */
static void balloons_that_go_astray(void **state)
{
	(void)state;
	const int64_t s = 1000000000;
	struct ledger l = {0};
	struct vm_record *r = ledger_get(&l, uuid_a, "a");
	struct vm_memory m = balloon_at(1000, 2048);
	assert_false(balloon_ours_now(r, &m, s));
	assert_int_equal(balloon_going(r, &m, s), 1000 << 10);
	r->found_kib = 1000 << 10;
	balloon_will(r, 600 << 10);
	balloon_watch_asked(&r->memo.balloon, 1000 << 10, 600 << 10, s, false);
	m = balloon_at(700, 2048);
	assert_true(balloon_look(r, &m, 3 * s));
	assert_true(balloon_ours_now(r, &m, 3 * s));
	assert_int_equal(balloon_going(r, &m, 3 * s), 600 << 10);
	m = balloon_at(600, 2048);
	assert_true(balloon_look(r, &m, 20 * s));
	m.balloon_kib = vi64_absent(AVAIL_HUNG); /* however long it does not answer, it is where it was */
	assert_true(balloon_look(r, &m, 5 * s) && balloon_look(r, &m, 20 * s));
	m = balloon_at(900, 2048);
	assert_true(balloon_look(r, &m, 21 * s)); /* one odd reading */
	assert_false(balloon_ours_now(r, &m, 21 * s));
	assert_int_equal(balloon_going(r, &m, 21 * s), 900 << 10);
	assert_false(balloon_look(r, &m, 23 * s));
	/* All that it may have: perhaps it reboots. */
	r->astray_ns = 0;
	m = balloon_at(2048, 2048);
	assert_true(balloon_look(r, &m, 30 * s));
	assert_true(balloon_look(r, &m, 100 * s));
	assert_true(balloon_ours_now(r, &m, 100 * s));
	assert_false(balloon_look(r, &m, 121 * s));
	assert_false(balloon_ours_now(r, &m, 121 * s));
	ledger_done(&l);
}

/* As found moves along with a DIMM, and with nothing else. */
static void a_dimm_is_plugged(void **state)
{
	(void)state;
	struct ledger l = {0};
	struct vm_record *r = ledger_get(&l, uuid_a, "a");
	struct vm_memory m = balloon_at(1000, 2048);
	assert_false(balloon_plugged(r, &m));
	r->found_kib = 1000 << 10;
	balloon_will(r, 600 << 10);
	balloon_watch_asked(&r->memo.balloon, 1000 << 10, 600 << 10, 1, false);
	m = balloon_at(800, 2048);
	assert_false(balloon_plugged(r, &m));
	m = balloon_at(1000, 2304); /* 256 MiB, and it went on by 56 */
	assert_true(balloon_plugged(r, &m));
	assert_int_equal(r->found_kib, 1256 << 10);
	assert_int_equal(r->wrote_kib, 856 << 10);
	assert_int_equal(r->memo.balloon.target_kib, 856 << 10);
	assert_true(balloon_ours_now(r, &m, 2));
	m = balloon_at(1000, 4096); /* the maximum alone */
	assert_false(balloon_plugged(r, &m));
	assert_int_equal(r->found_kib, 1256 << 10);
	ledger_done(&l);
}

static void balloons_on_their_way_are_ours(void **state)
{
	(void)state;
	struct ledger l = {0};
	struct vm_record *r = ledger_get(&l, uuid_a, "a");
	assert_false(balloon_ours(r, 512 << 10, true));
	r->found_kib = 512 << 10;
	balloon_will(r, 800 << 10);
	balloon_will(r, 600 << 10);
	assert_true(balloon_ours(r, 750 << 10, true)); /* still on its way down */
	assert_false(balloon_ours(r, 900 << 10, true));
	assert_false(balloon_ours(r, 400 << 10, true));
	assert_true(balloon_ours(r, 600 << 10, false));
	assert_false(balloon_ours(r, 750 << 10, false)); /* a new life that began elsewhere */
	record_drop_balloon(r);                          /* somebody else set it */
	assert_false(balloon_ours(r, 600 << 10, true));
	ledger_done(&l);
}

static void note(struct journal *j, enum journal_word word, const struct vm_record *r, int object)
{
	struct err e = ERR_INIT;
	assert_int_equal(journal_note(j, word, r, object, &e), 0);
}

static void write_one(struct journal *j, struct ledger *l)
{
	struct err e = ERR_INIT;
	struct vm_record *r = ledger_get(l, uuid_a, "name \"with\"\n\xff bytes");
	struct vcpu_record *v = record_vcpu_get(r, 2);
	struct cpuset found = cpus("0-3,700"), one = cpus("1"), two = cpus("2");
	r->life = 17;
	r->seen_s = 1767225600;
	vcpu_found(v, &found, true);
	note(j, JOURNAL_FOUND, r, 2);
	vcpu_will(v, &one);
	note(j, JOURNAL_WILL, r, 2);
	vcpu_is(v, &one);
	vcpu_will(v, &two);
	note(j, JOURNAL_WILL, r, 2);
	assert_int_equal(journal_sync(j, &e), 0);
	r->found_kib = 524288;
	note(j, JOURNAL_FOUND, r, JOURNAL_BALLOON);
	balloon_will(r, 700000);
	note(j, JOURNAL_WILL, r, JOURNAL_BALLOON);
	balloon_will(r, 600000);
	note(j, JOURNAL_WILL, r, JOURNAL_BALLOON);
	r->period.found = 0;
	note(j, JOURNAL_FOUND, r, JOURNAL_PERIOD);
	kept_will(&r->period, 2);
	note(j, JOURNAL_WILL, r, JOURNAL_PERIOD);
	r->shares.found = 100;
	note(j, JOURNAL_FOUND, r, JOURNAL_SHARES);
	kept_will(&r->shares, 400);
	note(j, JOURNAL_WILL, r, JOURNAL_SHARES);
	kept_is(&r->shares, 400);
	kept_will(&r->shares, 800);
	note(j, JOURNAL_WILL, r, JOURNAL_SHARES);
}

static void check_loaded(const char *uri)
{
	struct err e = ERR_INIT;
	struct ledger l = {0};
	assert_int_equal(load(uri, &l, &e), 1);
	assert_int_equal(l.n, 1);
	const struct vm_record *r = &l.vms[0];
	assert_memory_equal(r->uuid, uuid_a, UUID_BYTES);
	assert_int_equal(r->life, 17);
	assert_int_equal(r->seen_s, 1767225600);
	assert_int_equal(r->n_vcpus, 1);
	expect_cpus(&r->vcpus[0].found, "0-3,700");
	assert_true(r->vcpus[0].found_pinned);
	expect_cpus(&r->vcpus[0].wrote, "2"); /* killed before the answer: either of the two */
	expect_cpus(&r->vcpus[0].before, "1");
	assert_true(r->vcpus[0].unsure);
	assert_int_equal(r->found_kib, 524288);
	assert_int_equal(r->wrote_kib, 600000);
	assert_int_equal(r->low_kib, 524288);
	assert_int_equal(r->high_kib, 700000);
	assert_int_equal(r->period.found, 0);
	assert_int_equal(r->period.wrote, 2);
	assert_true(kept_ours(&r->period, 2) && kept_ours(&r->period, 0) && !kept_ours(&r->period, 5));
	assert_int_equal(r->shares.found, 100);
	assert_true(kept_ours(&r->shares, 800) && kept_ours(&r->shares, 400) && !kept_ours(&r->shares, 100));
	ledger_done(&l);
}

static long file_size(const char *path)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return (long)st.st_size;
}

static void journal_survives_a_crash(void **state)
{
	(void)state;
	static const char uri[] = "qemu:///system?x=../..";
	struct err e = ERR_INIT;
	struct ledger l = {0};
	char path[JOURNAL_PATH];
	struct stat st;
	assert_int_equal(load(uri, &l, &e), 0);
	assert_int_equal(journal_owner(uri), 0);
	struct journal *j = journal_open(uri, &e);
	assert_non_null(j);
	assert_int_equal(journal_path(path, sizeof path, uri), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	write_one(j, &l);
	check_loaded(uri); /* readable while it is being written */

	struct err second = ERR_INIT;
	assert_null(journal_open(uri, &second));
	assert_non_null(strstr(second.msg, "steers this host already"));
	char pid[32];
	snprintf(pid, sizeof pid, "process id %d", (int)getpid());
	assert_non_null(strstr(second.msg, pid));
	assert_int_equal(journal_owner(uri), getpid());

	/* A torn last line, garbage, a set for a vCPU that was never found: nothing changes. */
	FILE *f = fopen(path, "a");
	assert_non_null(f);
	fputs("garbage\n{\"found\":{\"uuid\":5}}\n"
	      "{\"wrote\":{\"uuid\":\"01020300-0000-0000-0000-000000000000\",\"name\":\"x\",\"id\":17,"
	      "\"at\":1767225600,\"vcpu\":3,\"cpus\":\"9\"}}\n"
	      "{\"wrote\":{\"uuid\":\"01020300-0000-0000-0000-000000000000\",\"name\":\"x\",\"vcpu\":2,\"cp",
		f);
	fclose(f);
	check_loaded(uri);
	journal_close(j, false);

	/* The next run goes on behind the torn line, and writes the file anew. */
	j = journal_open(uri, &e);
	assert_non_null(j);
	check_loaded(uri);
	long before = file_size(path);
	struct ledger again = {0};
	assert_int_equal(load(uri, &again, &e), 1);
	assert_int_equal(journal_compact(j, &again, true, &e), 0);
	assert_true(file_size(path) < before);
	check_loaded(uri);
	assert_int_equal(journal_owner(uri), getpid()); /* the lock went over */
	note(j, JOURNAL_FORGOT, &again.vms[0], 2);
	note(j, JOURNAL_FORGOT, &again.vms[0], JOURNAL_SHARES);
	ledger_done(&l);
	assert_int_equal(load(uri, &l, &e), 1);
	assert_int_equal(record_changes(&l.vms[0]), 2);
	note(j, JOURNAL_FORGOT, &again.vms[0], JOURNAL_VM);
	ledger_done(&l);
	assert_int_equal(load(uri, &l, &e), 1);
	assert_int_equal(record_changes(&l.vms[0]), 0);
	ledger_done(&again);
	ledger_done(&l);
	journal_close(j, true);
	assert_int_equal(load(uri, &l, &e), 0);
}

/* A long run does not make a long file. */
static void journal_stays_small(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	struct ledger l = {0};
	char path[JOURNAL_PATH];
	struct journal *j = journal_open("small", &e);
	assert_non_null(j);
	write_one(j, &l);
	struct vm_record *r = &l.vms[0];
	struct cpuset at[2] = {cpus("1"), cpus("2")};
	long most = 0;
	assert_int_equal(journal_path(path, sizeof path, "small"), 0);
	for (int i = 0; i < 5000; i++) {
		vcpu_is(&r->vcpus[0], &at[i % 2]);
		vcpu_will(&r->vcpus[0], &at[(i + 1) % 2]);
		note(j, JOURNAL_WILL, r, 2);
		assert_int_equal(journal_compact(j, &l, false, &e), 0);
		most = file_size(path) > most ? file_size(path) : most;
	}
	assert_true(most <= 257 << 10);
	assert_true(most > 200 << 10); /* and not at every change */
	ledger_done(&l);
	journal_close(j, true);
}

/* Of whatever was opened nothing stays open, however often: it runs for weeks. */
static void no_descriptor_is_left(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	char boot[BOOT_NAME];
	int before = open_files();
	for (int i = 0; i < 3; i++) {
		boot_name(boot);
		assert_true(*boot);
		struct journal *j = journal_open("weeks", &e);
		assert_non_null(j);
		assert_true(journal_any());
		journal_close(j, true);
	}
	assert_int_equal(open_files(), before);
}

static void limit(rlim_t bytes)
{
	struct rlimit was;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){bytes, was.rlim_max}), 0);
}

/* A disk that is full in the middle of a line: what was written of it goes, and the next line is whole. */
static void a_full_disk_leaves_no_half_lines(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	struct ledger l = {0};
	char path[JOURNAL_PATH];
	signal(SIGXFSZ, SIG_IGN);
	struct journal *j = journal_open("full", &e);
	assert_non_null(j);
	assert_int_equal(journal_path(path, sizeof path, "full"), 0);
	write_one(j, &l);
	long before = file_size(path);
	for (rlim_t room = 0; room < 20; room += 10) {
		limit((rlim_t)before + room);
		assert_int_equal(journal_note(j, JOURNAL_WROTE, &l.vms[0], 2, &e), -1);
		assert_non_null(strstr(e.msg, "cannot write the journal"));
		assert_non_null(strstr(e.msg, room ? "No space left" : "File too large"));
		assert_int_equal(file_size(path), before);
	}
	limit((rlim_t)40); /* nor can it be written anew: the old one stays as it is */
	e = (struct err)ERR_INIT;
	assert_int_equal(journal_compact(j, &l, true, &e), -1);
	assert_non_null(strstr(e.msg, "cannot write the journal"));
	assert_int_equal(file_size(path), before);
	limit(RLIM_INFINITY);
	note(j, JOURNAL_WILL, &l.vms[0], JOURNAL_BALLOON);
	check_loaded("full");
	assert_int_equal(doubts.n, 0);
	/* In place of the journal there is a folder: it says so. */
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	e = (struct err)ERR_INIT;
	assert_int_equal(journal_compact(j, &l, true, &e), -1);
	assert_non_null(strstr(e.msg, "cannot write anew the journal"));
	assert_int_equal(rmdir(path), 0);
	signal(SIGXFSZ, SIG_DFL);
	ledger_done(&l);
	journal_close(j, true);
}

static void *comes_and_goes(void *arg)
{
	const int *over = arg;
	while (!__atomic_load_n(over, __ATOMIC_ACQUIRE)) {
		struct err e = ERR_INIT;
		struct journal *j = journal_open("busy", &e);
		if (j)
			journal_close(j, true);
	}
	return NULL;
}

/* While another one opens and removes it all the time: whoever has it has the one that others will see. */
static void who_has_it_has_the_one_of_that_name(void **state)
{
	(void)state;
	pthread_t other;
	char path[JOURNAL_PATH];
	int over = 0;
	assert_int_equal(journal_path(path, sizeof path, "busy"), 0);
	assert_int_equal(pthread_create(&other, NULL, comes_and_goes, &over), 0);
	for (int i = 0; i < 2000; i++) {
		struct err e = ERR_INIT;
		struct journal *j = journal_open("busy", &e);
		if (!j)
			continue;
		assert_int_equal(access(path, F_OK), 0);
		journal_close(j, true);
	}
	__atomic_store_n(&over, 1, __ATOMIC_RELEASE);
	pthread_join(other, NULL);
	unlink(path);
}

/* The file may be removed by its last owner between our open and our lock: then it is opened again. Here: a
 * journal that was removed while open is no journal. */
static void journal_of_a_removed_file_is_new(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	char path[JOURNAL_PATH];
	struct journal *first = journal_open("gone", &e);
	assert_non_null(first);
	assert_int_equal(journal_path(path, sizeof path, "gone"), 0);
	unlink(path);
	struct journal *second = journal_open("gone", &e);
	assert_non_null(second);
	assert_int_equal(access(path, F_OK), 0);
	journal_close(first, false);
	journal_close(second, true);
	assert_int_equal(access(path, F_OK), -1);
}

static bool stands(const char *path, const char *end, bool make)
{
	char name[JOURNAL_PATH + 16];
	snprintf(name, sizeof name, "%s%s", path, end);
	FILE *f = make ? fopen(name, "w") : NULL;
	if (f)
		fclose(f);
	return access(name, F_OK) == 0;
}

/* Killed while it was written anew: what is left of that goes, and nothing else. And whether any journal is
 * there at all is known without its name. */
static void leftovers_are_swept(void **state)
{
	static const char *const stay[] = {".abcde", ".abcdefg", "-abcdef", "xabcdef", ".abcdef.journal"};
	(void)state;
	struct err e = ERR_INIT;
	struct ledger l = {0};
	char path[JOURNAL_PATH], name[JOURNAL_PATH + 16];
	assert_false(journal_any());
	struct journal *j = journal_open("swept", &e);
	assert_non_null(j);
	assert_true(journal_any());
	journal_close(j, false);
	assert_int_equal(journal_path(path, sizeof path, "swept"), 0);
	assert_true(stands(path, ".abcdef", true));
	for (size_t i = 0; i < sizeof stay / sizeof *stay; i++)
		assert_true(stands(path, stay[i], true));
	j = journal_open("swept", &e);
	assert_non_null(j);
	assert_int_equal(journal_compact(j, &l, true, &e), 0);
	assert_false(stands(path, ".abcdef", false));
	for (size_t i = 0; i < sizeof stay / sizeof *stay; i++) {
		assert_true(stands(path, stay[i], false));
		snprintf(name, sizeof name, "%s%s", path, stay[i]);
		unlink(name);
	}
	journal_close(j, true);
	assert_false(journal_any());
}

/* Without write permission for somebody else's folder, and never into one. */
static void folders_of_others_are_not_used(void **state)
{
	(void)state;
	char path[JOURNAL_PATH], other[128], deep[160];
	if (geteuid() != 0)
		skip();
	snprintf(other, sizeof other, "%s/other", state_home());
	snprintf(deep, sizeof deep, "%s/not/there/yet", other);
	assert_int_equal(mkdir(other, 0700), 0);
	assert_int_equal(chown(other, 65534, 65534), 0);
	setenv("XDG_STATE_HOME", deep, 1); /* as sudo -E hands it on */
	setenv("HOME", other, 1);
	assert_int_equal(journal_path(path, sizeof path, "x"), 0);
	assert_int_equal(strncmp(path, "/var/lib/vmtop/", 15), 0);
	snprintf(deep, sizeof deep, "%s/not/made/yet", state_home()); /* ours, as what it will be made in */
	setenv("XDG_STATE_HOME", deep, 1);
	assert_int_equal(journal_path(path, sizeof path, "x"), 0);
	assert_memory_equal(path, deep, strlen(deep));
	/* Below a file of ours it is ours as well: to make it fails, and says why. In a circle nobody knows.
	 */
	snprintf(deep, sizeof deep, "%s/file", state_home());
	fclose(fopen(deep, "w"));
	snprintf(deep, sizeof deep, "%s/file/below", state_home());
	setenv("XDG_STATE_HOME", deep, 1);
	assert_int_equal(journal_path(path, sizeof path, "x"), 0);
	assert_memory_equal(path, deep, strlen(deep));
	deep[strlen(deep) - strlen("/below")] = '\0';
	unlink(deep);
	assert_int_equal(symlink(deep, deep), 0);
	strcat(deep, "/below");
	setenv("XDG_STATE_HOME", deep, 1);
	assert_int_equal(journal_path(path, sizeof path, "x"), 0);
	assert_int_equal(strncmp(path, "/var/lib/vmtop/", 15), 0);
	deep[strlen(deep) - strlen("/below")] = '\0';
	unlink(deep);
	setenv("XDG_STATE_HOME", "/no-such-folder-of-vmtop", 1); /* right below the root */
	assert_int_equal(journal_path(path, sizeof path, "x"), 0);
	assert_int_equal(strncmp(path, "/no-such-folder-of-vmtop/", 25), 0);
	setenv("XDG_STATE_HOME", state_home(), 1);
	assert_int_equal(journal_path(path, sizeof path, "x"), 0);
	assert_int_equal(strncmp(path, state_home(), strlen(state_home())), 0);
	assert_int_equal(rmdir(other), 0);
}

/* A user without a folder for state has one at home, wherever HOME says that is; else where the system does.
 */
static void a_users_journal_is_at_home(void **state)
{
	(void)state;
	char path[JOURNAL_PATH], home[128], want[200];
	snprintf(home, sizeof home, "%s/home", state_home());
	snprintf(want, sizeof want, "%s/.local/state/vmtop/", home);
	assert_int_equal(mkdir(home, 0700), 0);
	bool root = geteuid() == 0;
	if (root) {
		assert_int_equal(chown(home, 65534, 65534), 0);
		assert_int_equal(chmod(state_home(), 0711), 0);
		assert_int_equal(seteuid(65534), 0);
	}
	unsetenv("XDG_STATE_HOME");
	setenv("HOME", home, 1);
	assert_int_equal(journal_path(path, sizeof path, "x"), 0);
	assert_memory_equal(path, want, strlen(want));
	setenv("HOME", "not/a/home", 1);
	assert_int_equal(journal_path(path, sizeof path, "x"), 0);
	assert_int_equal(*path, '/');
	assert_null(strstr(path, "not/a/home"));
	if (root)
		assert_int_equal(seteuid(0), 0);
	setenv("XDG_STATE_HOME", state_home(), 1);
	assert_int_equal(chmod(state_home(), 0700), 0);
	assert_int_equal(rmdir(home), 0);
}

#define HEAD(word) "{\"" word "\":{\"uuid\":\"01020300-0000-0000-0000-000000000000\",\"name\":\"x\","
#define AT         HEAD("found") "\"id\":17,\"at\":1767225600,"

/* Each line that cannot be is refused with a word and changes nothing; the good ones beside it count. */
static void impossible_lines_are_refused(void **state)
{
	static const struct {
		const char *line, *why;
	} rows[] = {
		{AT "\"vcpu\":1048576,\"cpus\":\"0\"}}", "no guest has such a vCPU"},
		{AT "\"vcpu\":4096,\"cpus\":\"0\"}}", "no guest has such a vCPU"},
		{AT "\"vcpu\":-1,\"cpus\":\"0\"}}", "no guest has such a vCPU"},
		{AT "\"vcpu\":true,\"cpus\":\"0\"}}", "no guest has such a vCPU"},
		{AT "\"vcpu\":\"1\",\"cpus\":\"0\"}}", "no guest has such a vCPU"},
		{AT "\"vcpu\":1e3,\"cpus\":\"0\"}}", "no guest has such a vCPU"},
		{AT "\"vcpu\":1,\"cpus\":\"\"}}", "no list of pCPUs"},
		{AT "\"vcpu\":1,\"cpus\":\"many\"}}", "no list of pCPUs"},
		{AT "\"vcpu\":1,\"cpus\":7}}", "no list of pCPUs"},
		{AT "\"vcpu\":1}}", "no list of pCPUs"},
		{AT "\"balloon_kib\":0}}", "no guest has such a size"},
		{AT "\"balloon_kib\":9223372036854775807}}", "no guest has such a size"},
		{AT "\"period_s\":-1}}", "no guest has such a period"},
		{AT "\"period_s\":3601}}", "no guest has such a period"},
		{AT "\"colour\":1}}", "it is about nothing"},
		{HEAD("found") "\"id\":17,\"at\":9223372036854775807,\"vcpu\":1,\"cpus\":\"0\"}}",
			"no such time"},
		{HEAD("found") "\"id\":17,\"at\":-5,\"vcpu\":1,\"cpus\":\"0\"}}", "no such time"},
		{HEAD("found") "\"id\":17,\"vcpu\":1,\"cpus\":\"0\"}}", "no such time"},
		{HEAD("found") "\"id\":4294967296,\"at\":1,\"vcpu\":1,\"cpus\":\"0\"}}",
			"no guest has such an id"},
		{HEAD("lost") "\"id\":17,\"at\":1,\"vcpu\":1,\"cpus\":\"0\"}}", "not understood"},
		{"{\"found\":{\"uuid\":\"no\",\"name\":\"x\"}}", "it names no guest"},
		{"{\"found\":{\"uuid\":\"01020300-0000-0000-0000-000000000000\"}}", "it names no guest"},
		{"{\"found\":[]}", "it names no guest"},
		{"{\"found\":{},\"will\":{}}", "not understood"},
		{"[]", "not understood"},
		{"", "not understood"},
		{"\x01\xff", "not understood"},
	};
	struct err e = ERR_INIT;
	char path[JOURNAL_PATH];
	(void)state;
	struct journal *j = journal_open("odd", &e);
	assert_non_null(j);
	assert_int_equal(journal_path(path, sizeof path, "odd"), 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct ledger l = {0};
		FILE *f = fopen(path, "w");
		assert_non_null(f);
		fprintf(f,
			"{\"vmtop\":1,\"pid\":1,\"uri\":\"x\"}\n" AT "\"vcpu\":3,\"cpus\":\"0-1\"}}\n%s\n" AT
			"\"vcpu\":4,\"cpus\":\"2\"}}\n",
			rows[i].line);
		fclose(f);
		assert_int_equal(load("odd", &l, &e), 1);
		assert_int_equal(doubts.n, 1);
		assert_int_equal(doubts.lines[0], 3);
		assert_string_equal(doubts.why[0], rows[i].why);
		assert_int_equal(l.n, 1);
		assert_int_equal(record_changes(&l.vms[0]), 2);
		assert_int_equal(l.vms[0].seen_s, 1767225600);
		ledger_done(&l);
	}
	journal_close(j, true);
}

/* A folder that others can write to, or one above it: what is in it is not believed, and it is said. */
static void open_folders_are_not_believed(void **state)
{
	struct err e = ERR_INIT;
	struct ledger l = {0};
	char dir[256], moved[256];
	(void)state;
	snprintf(dir, sizeof dir, "%s/vmtop", state_home());
	struct journal *j = journal_open("open", &e);
	assert_non_null(j);
	assert_int_equal(load("open", &l, &e), 1);
	for (int above = 0; above < 2; above++) {
		const char *which = above ? state_home() : dir;
		assert_int_equal(chmod(which, 0777), 0);
		e = (struct err)ERR_INIT;
		assert_int_equal(load("open", &l, &e), -1);
		assert_non_null(strstr(e.msg, "others may write to"));
		assert_non_null(strstr(e.msg, dir));
		assert_null(journal_open("open2", &e));
		assert_int_equal(
			chmod(which, 01777), 0); /* sticky is enough above, where each name is its owner's */
		assert_int_equal(load("open", &l, &e), above ? 1 : -1);
		assert_int_equal(chmod(which, 0700), 0);
		assert_int_equal(load("open", &l, &e), 1);
	}
	snprintf(moved, sizeof moved, "%s/moved", state_home());
	assert_int_equal(rename(dir, moved), 0);
	assert_int_equal(symlink(moved, dir), 0);
	assert_int_equal(load("open", &l, &e), -1);
	assert_non_null(strstr(e.msg, "it is a link"));
	assert_int_equal(unlink(dir), 0);
	assert_int_equal(rename(moved, dir), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(dir, 65534, 65534), 0);
		assert_int_equal(load("open", &l, &e), -1);
		assert_non_null(strstr(e.msg, "belongs to user 65534"));
		assert_int_equal(chown(dir, 0, 0), 0);
	}
	ledger_done(&l);
	journal_close(j, true);
}

static void journal_follows_no_symlink(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	struct ledger l = {0};
	char path[1024], target[256];
	snprintf(target, sizeof target, "%s/target", state_home());
	assert_int_equal(journal_path(path, sizeof path, "sym"), 0);
	assert_int_equal(symlink(target, path), 0);
	assert_null(journal_open("sym", &e));
	assert_non_null(strstr(e.msg, path));
	assert_int_equal(access(target, F_OK), -1);
	assert_int_equal(load("sym", &l, &e), -1);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ledger_keeps_what_was_found),
		cmocka_unit_test(ledger_of_the_gone_is_bounded),
		cmocka_unit_test(what_was_asked_for_is_remembered),
		cmocka_unit_test(ages_outlive_a_run),
		cmocka_unit_test(ours_is_what_we_wrote),
		cmocka_unit_test(balloons_on_their_way_are_ours),
		cmocka_unit_test(balloons_that_go_astray),
		cmocka_unit_test(a_dimm_is_plugged),
		cmocka_unit_test(journal_survives_a_crash),
		cmocka_unit_test(journal_stays_small),
		cmocka_unit_test(who_is_here_is_not_away),
		cmocka_unit_test(no_descriptor_is_left),
		cmocka_unit_test(a_full_disk_leaves_no_half_lines),
		cmocka_unit_test(who_has_it_has_the_one_of_that_name),
		cmocka_unit_test(leftovers_are_swept),
		cmocka_unit_test(journal_of_a_removed_file_is_new),
		cmocka_unit_test(folders_of_others_are_not_used),
		cmocka_unit_test(a_users_journal_is_at_home),
		cmocka_unit_test(impossible_lines_are_refused),
		cmocka_unit_test(open_folders_are_not_believed),
		cmocka_unit_test(journal_follows_no_symlink),
	};
	return cmocka_run_group_tests_name("journal", tests, state_home_make, state_home_remove);
}
