/* SPDX-License-Identifier: MIT */
/* Ledger and journal: as found is written once, survives a crash, a torn tail and garbage, and is locked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/engine/journal.h"
#include "vmtop/err.h"

static char folder[] = "/tmp/vmtop-test-XXXXXX";
static const uint8_t uuid_a[UUID_BYTES] = {1, 2, 3}, uuid_b[UUID_BYTES] = {9};

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	return setenv("XDG_STATE_HOME", folder, 1);
}

static int remove_folder(void **state)
{
	(void)state;
	char path[256];
	snprintf(path, sizeof path, "%s/vmtop", folder);
	rmdir(path);
	return rmdir(folder);
}

/* VM 7 stops and starts again as 9: only what is still as we wrote it is ours. */
static void another_life_forgets(void **state)
{
	(void)state;
	struct ledger l = {0};
	struct vm_sample vm = {.id = 7,
		.mem = {.balloon_device = true, .balloon_kib = vi64_ok(4 << 20), .period_s = vi64_ok(0)}};
	for (int saved = 0; saved < 2; saved++) {
		struct vm_record *r = ledger_get(&l, saved ? uuid_b : uuid_a, "a");
		vm.id = 7;
		record_seen(r, &vm);
		r->found_kib = 4 << 20;
		r->wrote_kib = r->memo.target_kib = 2 << 20;
		r->period_found = 0;
		r->period_wrote = 2;
		record_seen(r, &vm);
		assert_int_equal(r->memo.target_kib, 2 << 20);
		vm.id = 9;
		vm.mem.period_s = vi64_absent(AVAIL_NONE); /* its XML is not read yet */
		record_seen(r, &vm);
		assert_int_equal(r->memo.target_kib, -1);
		assert_int_equal(r->wrote_kib, 2 << 20);
		vm.mem.period_s = vi64_ok(saved ? 2 : 0);
		vm.mem.balloon_kib = vi64_ok(saved ? 2 << 20 : 4 << 20);
		record_seen(r, &vm);
		assert_int_equal(r->wrote_kib, saved ? 2 << 20 : -1);
		assert_int_equal(r->found_kib, saved ? 4 << 20 : -1);
		assert_int_equal(r->period_wrote, saved ? 2 : -1);
		assert_int_equal(record_changed(r), saved);
	}
	ledger_done(&l);
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
	assert_false(record_changed(a));
	assert_non_null(record_vcpu_get(a, 3));
	assert_true(record_changed(a));
	assert_null(record_vcpu(a, 0));
	/* Gone: forgotten at once unless it was changed, then after an hour. */
	ledger_forget(&l, 0);
	assert_int_equal(l.n, 1);
	ledger_forget(&l, INT64_C(3599000000000));
	assert_int_equal(l.n, 1);
	ledger_forget(&l, INT64_C(3601000000000));
	assert_int_equal(l.n, 0);
	ledger_done(&l);
}

static void write_one(struct journal *j, struct ledger *l)
{
	struct err e = ERR_INIT;
	struct vm_record *r = ledger_get(l, uuid_a, "name \"with\"\n\xff bytes");
	struct vcpu_record *v = record_vcpu_get(r, 2);
	assert_int_equal(cpuset_parse(&v->found, "0-3,700", &e), 0);
	v->found_pinned = true;
	assert_int_equal(journal_found_vcpu(j, r, v, &e), 0);
	assert_int_equal(journal_sync(j, &e), 0);
	assert_int_equal(cpuset_parse(&v->wrote, "1", &e), 0);
	assert_int_equal(journal_wrote_vcpu(j, r, v), 0);
	r->found_kib = 524288;
	r->period_found = 0;
	assert_int_equal(journal_found_vm(j, r, &e), 0);
	r->wrote_kib = 600000;
	r->period_wrote = 2;
	assert_int_equal(journal_wrote_vm(j, r), 0);
}

static void check_loaded(const char *uri)
{
	struct err e = ERR_INIT;
	struct ledger l = {0};
	char cpus[64];
	assert_int_equal(journal_load(uri, &l, &e), 1);
	assert_int_equal(l.n, 1);
	const struct vm_record *r = &l.vms[0];
	assert_memory_equal(r->uuid, uuid_a, UUID_BYTES);
	assert_int_equal(r->n_vcpus, 1);
	cpuset_format(&r->vcpus[0].found, cpus, sizeof cpus);
	assert_string_equal(cpus, "0-3,700");
	assert_true(r->vcpus[0].found_pinned);
	cpuset_format(&r->vcpus[0].wrote, cpus, sizeof cpus);
	assert_string_equal(cpus, "1");
	assert_int_equal(r->found_kib, 524288);
	assert_int_equal(r->wrote_kib, 600000);
	assert_int_equal(r->period_found, 0);
	assert_int_equal(r->period_wrote, 2);
	ledger_done(&l);
}

static void journal_survives_a_crash(void **state)
{
	(void)state;
	static const char uri[] = "qemu:///system?x=../..";
	struct err e = ERR_INIT;
	struct ledger l = {0};
	char path[1024];
	struct stat st;
	assert_int_equal(journal_load(uri, &l, &e), 0);
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

	/* A torn last line, garbage and a second "found" change nothing. */
	FILE *f = fopen(path, "a");
	assert_non_null(f);
	fputs("garbage\n{\"found\":{\"uuid\":5}}\n"
	      "{\"found\":{\"uuid\":\"01020300-0000-0000-0000-000000000000\",\"name\":\"x\",\"vcpu\":2,"
	      "\"cpus\":\"9\"}}\n"
	      "{\"wrote\":{\"uuid\":\"01020300-0000-0000-0000-000000000000\",\"name\":\"x\",\"vcpu\":2,\"cp",
		f);
	fclose(f);
	check_loaded(uri);
	ledger_done(&l);
	journal_close(j, true);
	assert_int_equal(journal_load(uri, &l, &e), 0);
}

static void journal_follows_no_symlink(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	struct ledger l = {0};
	char path[1024], target[256];
	snprintf(target, sizeof target, "%s/target", folder);
	assert_int_equal(journal_path(path, sizeof path, "sym"), 0);
	assert_int_equal(symlink(target, path), 0);
	assert_null(journal_open("sym", &e));
	assert_non_null(strstr(e.msg, path));
	assert_int_equal(access(target, F_OK), -1);
	assert_int_equal(journal_load("sym", &l, &e), -1);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_life_forgets),
		cmocka_unit_test(ledger_keeps_what_was_found),
		cmocka_unit_test(journal_survives_a_crash),
		cmocka_unit_test(journal_follows_no_symlink),
	};
	return cmocka_run_group_tests_name("journal", tests, make_folder, remove_folder);
}
