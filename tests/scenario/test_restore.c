/* SPDX-License-Identifier: MIT */
/* Put back as found: after an orderly end, a crash at any moment, restarts and hot-plug in between, beside
 * changes of others. The whole engine on a simulated host, with a real journal. */
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

#include "../../src/changes/journal.h"
#include "support/run_scenario.h"
#include "support/spy.h"
#include "support/state_home.h"
#include "vmtop/text.h"

static struct spy host;
static struct config cfg;

/* Four VMs on one pCPU: two or three of them must move. */
#define CROWD "host\n\tpcpus 4\n\tmemory 16G\nvm a x4\n\tload 60%\n\tpin 0\n\tmemory 512M max 2G\n\tstats 2\n"

static void begin(const char *scenario)
{
	spy_open(&host, scenario);
	run_config(&cfg, true, false, 1);
	cfg.cpu_policy = CPU_POLICY_ORIGIN_C; /* acts at once */
}

static const char *journal_file(void)
{
	static char path[JOURNAL_PATH];
	assert_int_equal(journal_path(path, sizeof path, "sim:test"), 0);
	return path;
}

static void all_on(const char *want)
{
	for (int i = 1; i <= 4; i++) {
		char name[8];
		snprintf(name, sizeof name, "a-%d", i);
		assert_string_equal(spy_pin(&host, name, 0), want);
	}
}

/* --restore as the program does it; returns what it printed. */
static const char *restore(const char *pattern, int want)
{
	static char *text;
	size_t len;
	struct err e = ERR_INIT;
	free(text);
	text = NULL;
	FILE *out = open_memstream(&text, &len);
	assert_non_null(out);
	int rc = engine_restore_journal(&cfg, &host.base, pattern, out, -1, &e);
	fclose(out);
	if (rc != want)
		fail_msg("restore: %d, %s", rc, e.msg);
	return text;
}

static int lines_of(const char *text)
{
	int n = 0;
	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void orderly_end_puts_back(void **state)
{
	(void)state;
	begin(CROWD);
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 5);
	assert_string_not_equal(spy_pin(&host, "a-4", 0), "0");
	assert_int_equal(access(journal_file(), F_OK), 0);
	struct snapshot *s = engine_snapshot(en);
	assert_int_equal(s->n_changed, 3);
	snapshot_free(s);
	assert_true(engine_wants_restore(en));
	engine_leave(en, true);
	s = engine_snapshot(en); /* outputs print what was put back */
	assert_int_equal(s->n_actions, 3);
	assert_int_equal(s->actions[0].why.code, REASON_RESTORE);
	assert_int_equal(s->n_changed, 0);
	snapshot_free(s);
	assert_non_null(spy_logged(en, "end: 3 changes put back"));
	engine_free(en);
	all_on("0");
	assert_int_equal(access(journal_file(), F_OK), -1); /* nothing more to say */
	spy_free(&host);
}

static void kept_changes_are_restored_later(void **state)
{
	(void)state;
	begin(CROWD);
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 5);
	engine_leave(en, false); /* on_exit = keep */
	engine_free(en);
	assert_string_not_equal(spy_pin(&host, "a-4", 0), "0");
	/* The next start says it and goes on from what was found before both. */
	en = spy_engine(&host, &cfg);
	assert_non_null(spy_logged(en, "an earlier vmtop left its changes on up to 3 VMs"));
	spy_run(en, 5);
	engine_free(en);
	const char *said = restore(NULL, 0);
	assert_non_null(strstr(said, "a-4: pin of vCPU 0 back to 0, done\n"));
	assert_non_null(strstr(said, "3 changes put back\n"));
	assert_int_equal(lines_of(said), 4); /* each change once, and the sum: no line twice in other words */
	all_on("0");
	assert_non_null(strstr(restore(NULL, 0), "nothing to put back"));
	spy_free(&host);
}

/* To look first: what would be put back is told, and neither VMs nor the journal know of it. */
static void dry_run_puts_nothing_back(void **state)
{
	(void)state;
	begin(CROWD "at 10s pin a-3 0,3\n");
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 5);
	engine_command(en, &(struct command){.kind = CMD_AUTO_CPU});
	engine_leave(en, false);
	engine_free(en);
	cfg.auto_cpu = false;
	en = spy_engine(&host, &cfg);
	spy_run(en, 10);
	engine_free(en);
	struct stat before, after;
	assert_int_equal(stat(journal_file(), &before), 0);
	long changes = host.changes;
	cfg.dry_run = true;
	const char *said = restore(NULL, 0);
	assert_non_null(strstr(said, "a-4: pin of vCPU 0 back to 0, planned\n"));
	assert_non_null(strstr(said, "2 changes would be put back; 1 changed by somebody else since"));
	assert_int_equal(host.changes, changes);
	assert_int_equal(stat(journal_file(), &after), 0);
	assert_int_equal(before.st_size, after.st_size);
	assert_int_equal(before.st_ino, after.st_ino);
	cfg.dry_run = false;
	assert_non_null(strstr(restore(NULL, 0), "2 changes put back; 1 changed by somebody else since"));
	assert_string_equal(spy_pin(&host, "a-4", 0), "0");
	assert_string_equal(spy_pin(&host, "a-3", 0), "0,3");
	spy_free(&host);
}

/* Killed just before and just after the calls of a step: the journal as it was then. */
static char copy_before[JOURNAL_PATH + 8], copy_after[JOURNAL_PATH + 8];

static void copy_file(const char *to)
{
	char buf[8192];
	FILE *in = fopen(journal_file(), "re"), *out = fopen(to, "we");
	assert_non_null(in);
	assert_non_null(out);
	for (size_t n; (n = fread(buf, 1, sizeof buf, in)) > 0;)
		fwrite(buf, 1, n, out);
	fclose(in);
	fclose(out);
}

static void killed_before(void *arg, const struct action *a, size_t n)
{
	(void)arg, (void)a, (void)n;
	copy_file(copy_before);
}

static void killed_after(void *arg, const struct action *a, size_t n)
{
	(void)arg, (void)a, (void)n;
	copy_file(copy_after);
}

static void crash_between_call_and_answer(void **state)
{
	(void)state;
	for (int after = 0; after < 2; after++) {
		begin(CROWD);
		snprintf(copy_before, sizeof copy_before, "%s.before", journal_file());
		snprintf(copy_after, sizeof copy_after, "%s.after", journal_file());
		host.before = killed_before;
		host.after = killed_after;
		struct engine *en = spy_engine(&host, &cfg);
		spy_run(en, 3);
		engine_free(en);
		host.before = host.after = NULL;
		/* Both journals know pins that are in force now, though no answer was written. */
		assert_int_equal(rename(after ? copy_after : copy_before, journal_file()), 0);
		assert_non_null(strstr(restore(NULL, 0), "3 changes put back"));
		all_on("0");
		assert_int_equal(host.n_marks, 0);
		unlink(copy_before);
		unlink(copy_after);
		spy_free(&host);
	}
}

/* A pin by hand whose call fails, killed before that was known: the journal has it as something that may have
 * been made. */
static void pin_and_die(struct engine *en, int pcpu)
{
	struct snapshot *s = engine_snapshot(en);
	struct command c = {.kind = CMD_PIN};
	memcpy(c.uuid, s->sample.vms[0].uuid, UUID_BYTES);
	snapshot_free(s);
	cpuset_add(&c.cpus, pcpu);
	engine_command(en, &c);
	host.before = killed_before;
	host.fail_at = host.calls + 2; /* after the sample */
	spy_run(en, 1);
	host.before = NULL;
	engine_free(en);
	assert_int_equal(rename(copy_before, journal_file()), 0);
}

/* Killed twice in the call that pins it anew: what it was found as is still known, and the pin that is in
 * force is still known as ours. */
static void killed_twice_in_a_call(void **state)
{
	(void)state;
	begin("host\n\tpcpus 4\nvm a\n\tload 60%\n\tpin 0\n");
	cfg.auto_cpu = false;
	snprintf(copy_before, sizeof copy_before, "%s.before", journal_file());
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 2);
	pin_and_die(en, 1);
	assert_string_equal(spy_pin(&host, "a", 0), "0");
	unlink(journal_file());
	en = spy_engine(&host, &cfg);
	spy_run(en, 2);
	struct snapshot *s = engine_snapshot(en);
	struct command c = {.kind = CMD_PIN};
	memcpy(c.uuid, s->sample.vms[0].uuid, UUID_BYTES);
	snapshot_free(s);
	cpuset_add(&c.cpus, 1);
	engine_command(en, &c);
	spy_run(en, 2);
	assert_string_equal(spy_pin(&host, "a", 0), "1");
	for (int pcpu = 2; pcpu < 4; pcpu++) {
		pin_and_die(en, pcpu);
		assert_string_equal(spy_pin(&host, "a", 0), "1");
		en = spy_engine(&host, &cfg);
		spy_run(en, 2);
	}
	engine_free(en);
	assert_non_null(strstr(restore(NULL, 0), "1 change put back\n"));
	assert_string_equal(spy_pin(&host, "a", 0), "0");
	spy_free(&host);
}

/* Killed when its marks were written and no pin was made; put back by hand since. No mark outlives the
 * record. */
static void marks_without_pins_go(void **state)
{
	(void)state;
	begin(CROWD "at 5s pin a-1 0\nat 5s pin a-2 0\nat 5s pin a-3 0\nat 5s pin a-4 0\n");
	snprintf(copy_before, sizeof copy_before, "%s.before", journal_file());
	host.before = killed_before;
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 3);
	engine_free(en);
	host.before = NULL;
	assert_int_equal(rename(copy_before, journal_file()), 0);
	assert_int_equal(host.n_marks, 3);
	cfg.auto_cpu = false;
	en = spy_engine(&host, &cfg);
	spy_run(en, 5);
	all_on("0");
	assert_int_equal(host.n_marks, 3); /* who only looks on takes nothing away */
	host.marks_stay = 2;               /* it is tried again */
	engine_leave(en, true);
	engine_free(en);
	restore(NULL, 0);
	assert_int_equal(host.n_marks, 0);
	assert_int_equal(access(journal_file(), F_OK), -1);
	spy_free(&host);
}

/* A pin that somebody else has set since is not ours, nor is it marked so. */
static void marks_of_others_pins_go(void **state)
{
	(void)state;
	begin(CROWD "at 10s pin a-3 0,3\n");
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 5);
	assert_int_equal(host.n_marks, 3);
	engine_command(en, &(struct command){.kind = CMD_AUTO_CPU});
	spy_run(en, 10);
	host.marks_stay = 1;
	engine_leave(en, true);
	assert_non_null(spy_logged(en, "1 changed by somebody else since"));
	engine_free(en);
	assert_string_equal(spy_pin(&host, "a-3", 0), "0,3");
	assert_int_equal(host.n_marks, 0);
	spy_free(&host);
}

/* A new life has the pins of its definition; somebody else's pin stays; a VM that is away is kept. */
static void others_and_new_lives_are_left_alone(void **state)
{
	(void)state;
	begin(CROWD
		"at 10s stop a-2\nat 12s start a-2\nat 10s pin a-3 0,3\nat 10s stop a-4\nat 30s start a-4\n");
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 5);
	assert_string_not_equal(spy_pin(&host, "a-2", 0), "0");
	assert_string_not_equal(spy_pin(&host, "a-4", 0), "0");
	engine_command(en, &(struct command){.kind = CMD_AUTO_CPU});
	spy_run(en, 10);
	engine_leave(en, true);
	assert_non_null(spy_logged(en, "1 changed by somebody else since"));
	assert_non_null(spy_logged(en, "1 VM is not here"));
	engine_free(en);
	assert_string_equal(spy_pin(&host, "a-3", 0), "0,3");
	assert_int_equal(access(journal_file(), F_OK), 0); /* for a-4 */
	/* It comes back with the pins of its definition: nothing is ours any more. */
	en = spy_engine(&host, &cfg);
	engine_command(en, &(struct command){.kind = CMD_AUTO_CPU});
	spy_run(en, 25);
	struct snapshot *s = engine_snapshot(en);
	assert_int_equal(s->n_changed, 0);
	snapshot_free(s);
	engine_free(en);
	spy_free(&host);
	unlink(journal_file());
}

/* A saved VM that is brought back is not yet pinned at first: only once it runs its pins tell whose they are.
 */
static void a_vm_from_disk_gets_its_pins_late(void **state)
{
	(void)state;
	begin("host\n\tpcpus 2\n\tbalancer off\nvm a x2\n\tload 60%\n\tpin 0\n"
	      "at 10s stop a-2\nat 12s start a-2\nat 12s pause a-2\nat 14s pin a-2 1\nat 16s resume a-2\n"
	      "at 10s stop a-1\nat 12s start a-1\nat 12s pause a-1\nat 14s pin a-1 1\nat 16s resume a-1\n");
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 5);
	const char *moved = strcmp(spy_pin(&host, "a-2", 0), "1") == 0 ? "a-2" : "a-1";
	assert_string_equal(spy_pin(&host, moved, 0), "1");
	engine_command(en, &(struct command){.kind = CMD_AUTO_CPU});
	spy_run(en, 8);
	assert_string_equal(spy_pin(&host, moved, 0), "0");
	spy_run(en, 8);
	assert_string_equal(spy_pin(&host, moved, 0), "1");
	engine_leave(en, true);
	engine_free(en);
	assert_string_equal(spy_pin(&host, moved, 0), "0");
	assert_int_equal(access(journal_file(), F_OK), -1);
	spy_free(&host);
}

/* Who is there at first did not just appear; who comes and goes is said, by the name that it has then. */
static void who_comes_and_goes_is_said(void **state)
{
	(void)state;
	begin(CROWD "at 4s stop a-2\nat 6s start a-2\nat 10s stop a-4\n");
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 3);
	assert_null(spy_logged(en, "appeared"));
	assert_null(spy_logged(en, "is gone"));
	spy_run(en, 2);
	assert_non_null(spy_logged(en, "a-2 is gone"));
	spy_run(en, 3);
	assert_non_null(spy_logged(en, "a-2 appeared"));
	host.name = "b";
	spy_run(en, 4);
	assert_non_null(spy_logged(en, "b is gone"));
	assert_null(spy_logged(en, "a-4 is gone"));
	host.name = NULL;
	engine_leave(en, true);
	engine_free(en);
	unlink(journal_file());
	spy_free(&host);
}

/* Who else may pin or balloon here is said, each once. */
static void others_are_said_once(void **state)
{
	static const char *const lines[] = {"numad runs on this host: it moves guests too",
		"MoM runs on this host: it balloons guests too",
		"Proxmox's pvestatd runs on this host: it balloons guests too",
		"another vmtop runs on this host",
		"4 VMs are of OpenStack: pins of flavors are rules here, and nova may set them anew"};
	(void)state;
	begin(CROWD);
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 2);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		assert_null(spy_logged(en, lines[i]));
	host.others = OTHER_NUMAD | OTHER_MOM | OTHER_PROXMOX | OTHER_VMTOP;
	host.openstack = true;
	spy_run(en, 5);
	struct snapshot *s = engine_snapshot(en);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		int n = 0;
		for (size_t k = 0; k < s->n_log; k++)
			n += strstr(s->log[k].text, lines[i]) != NULL;
		assert_int_equal(n, 1);
	}
	snapshot_free(s);
	engine_leave(en, true);
	engine_free(en);
	spy_free(&host);
}

static void unplugged_vcpus_are_forgotten(void **state)
{
	(void)state;
	begin("host\n\tpcpus 4\nvm a\n\tvcpus 4\n\tload 60%\n\tpin 0\nat 10s vcpus a 2\n");
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 5);
	engine_command(en, &(struct command){.kind = CMD_AUTO_CPU});
	spy_run(en, 10);
	engine_leave(en, true);
	engine_free(en);
	assert_string_equal(spy_pin(&host, "a", 0), "0");
	assert_string_equal(spy_pin(&host, "a", 1), "0");
	assert_int_equal(access(journal_file(), F_OK), -1);
	spy_free(&host);
}

/* What was never pinned gets pCPUs that came since, too. */
static void never_pinned_is_wide_again(void **state)
{
	(void)state;
	begin("host\n\tpcpus 4\n\toffline 3\n\tbalancer off\nvm a x4\n\tload 60%\n\tplace 0\nat 10s online "
	      "3\n");
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 5);
	assert_int_not_equal(strlen(spy_pin(&host, "a-1", 0)), 0);
	bool moved = strlen(spy_pin(&host, "a-4", 0)) == 1;
	assert_true(moved);
	engine_command(en, &(struct command){.kind = CMD_AUTO_CPU});
	spy_run(en, 10);
	engine_leave(en, true);
	engine_free(en);
	assert_string_equal(spy_pin(&host, "a-4", 0), "0-3");
	assert_int_equal(access(journal_file(), F_OK), -1);
	spy_free(&host);
}

static void balloons_and_periods_go_back(void **state)
{
	(void)state;
	begin("host\n\tpcpus 4\n\tmemory 16G\n"
	      "vm a x2\n\tmemory 512M max 2G\n\teat 15M/s to 1500M after 10s hold 200s\n"
	      "vm b\n\tmemory 512M max 2G\n\tstats 3\n\teat 15M/s to 1500M after 10s hold 200s\n"
	      "at 61s balloon b 1900M\n");
	run_config(&cfg, false, true, 1);
	cfg.memory_cycle_s = 2;
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 60);
	assert_true(spy_balloon_mib(&host, "a-1") > 700);
	assert_true(spy_balloon_mib(&host, "b") > 700);
	engine_command(en, &(struct command){.kind = CMD_AUTO_MEMORY});
	spy_run(en, 4);
	engine_leave(en, true);
	/* Not below what the guests use, whatever they had; and never over somebody else's order. */
	assert_non_null(spy_logged(en, "a-1 balloon: "));
	assert_non_null(spy_logged(en, "outside its floor and maximum"));
	assert_non_null(spy_logged(en, "a-1 statistics period: 2 s -> 0 s"));
	assert_null(spy_logged(en, "b statistics period"));
	engine_free(en);
	spy_free(&host);
	assert_int_equal(access(journal_file(), F_OK), -1);
}

static void size_comes_late(void *arg, struct sample *s)
{
	(void)arg;
	double now_s = spy_now_s(&host);
	for (size_t i = 0; i < s->n_vms && now_s > 61 && now_s < 65; i++)
		s->vms[i].mem.balloon_kib = vi64_absent(AVAIL_HUNG);
}

/* Stopped and started again: its size is not ours any more, and statistics are turned on once more. The same
 * when its size is not known at first. */
static void another_life(bool late)
{
	begin("host\n\tpcpus 4\n\tmemory 16G\nvm a\n\tmemory 1G max 2G\nat 60s stop a\nat 62s start a\n");
	run_config(&cfg, false, true, 1);
	cfg.reclaim = RECLAIM_PROACTIVE;
	host.sampled = late ? size_comes_late : NULL;
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 59);
	struct snapshot *s = engine_snapshot(en);
	assert_int_equal(s->n_changed, 2);
	assert_true(vi64_has(s->vm_status[0].target_kib));
	snapshot_free(s);
	assert_true(spy_balloon_mib(&host, "a") < 900);
	spy_run(en, 7);
	s = engine_snapshot(en);
	assert_int_equal(s->n_changed, 1); /* the period, anew */
	assert_false(vi64_has(s->vm_status[0].target_kib));
	assert_int_equal(s->sample.vms[0].mem.period_s.v, 2);
	snapshot_free(s);
	engine_leave(en, true);
	engine_free(en);
	assert_true(spy_balloon_mib(&host, "a") > 1000);
	assert_int_equal(access(journal_file(), F_OK), -1);
	spy_free(&host);
}

static void memory_of_another_life(void **state)
{
	(void)state;
	another_life(false);
	another_life(true);
}

/* Beside a vmtop that steers: its VM is as found, it sees no rival, and it leaves the VM alone. */
static void release_beside_a_running_vmtop(void **state)
{
	(void)state;
	begin(CROWD);
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 5);
	assert_string_not_equal(spy_pin(&host, "a-4", 0), "0");
	const char *said = restore("a-4", 0);
	assert_non_null(strstr(said, "a-4: pin of vCPU 0 back to 0, done\n1 change put back\n"));
	assert_non_null(strstr(said, "leaves them alone for 600 s"));
	assert_string_equal(spy_pin(&host, "a-4", 0), "0");
	assert_string_not_equal(spy_pin(&host, "a-3", 0), "0");
	/* A second one only watches. */
	struct engine *second = spy_engine(&host, &cfg);
	assert_non_null(spy_logged(second, "steers this host; this one watches"));
	long before = host.changes;
	spy_run(second, 5);
	assert_int_equal(host.changes, before);
	struct snapshot *s = engine_snapshot(second);
	assert_int_equal(s->n_changed, 0);
	assert_false(s->auto_cpu);
	snapshot_free(s);
	engine_leave(second, true);
	engine_free(second);
	assert_string_not_equal(spy_pin(&host, "a-3", 0), "0");
	/* --restore works whoever steers, and says who does. */
	said = restore(NULL, 0);
	assert_non_null(strstr(said, "2 changes put back"));
	assert_non_null(strstr(said, "steers this host; this one watches"));
	all_on("0");
	engine_leave(en, true);
	engine_free(en);
	all_on("0");
	assert_int_equal(access(journal_file(), F_OK), -1);
	spy_free(&host);
}

/* What cannot be is named line by line, and all else goes back. */
static void impossible_lines(void **state)
{
	(void)state;
	begin(CROWD);
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 5);
	struct snapshot *s = engine_snapshot(en);
	char uuid[UUID_TEXT];
	for (size_t i = 0; i < s->sample.n_vms; i++)
		if (strcmp(s->sample.vms[i].name, "a-4") == 0)
			uuid_format(s->sample.vms[i].uuid, uuid);
	snapshot_free(s);
	engine_leave(en, false);
	engine_free(en);
	FILE *f = fopen(journal_file(), "a");
	assert_non_null(f);
	fprintf(f,
		"{\"found\":{\"uuid\":\"%s\",\"name\":\"a-4\",\"id\":1,\"at\":1,\"vcpu\":1048576,\"cpus\":"
		"\"0\"}}\n",
		uuid);
	fprintf(f, "{\"forgot\":{\"uuid\":\"%s\",\"name\":\"a-4\",\"id\":1,\"at\":9223372036854775807}}\n",
		uuid);
	fprintf(f,
		"{\"found\":{\"uuid\":\"%s\",\"name\":\"a-4\",\"id\":-1,\"at\":1,\"vcpu\":7,\"cpus\":\"0\"}}"
		"\n",
		uuid);
	fprintf(f,
		"{\"found\":{\"uuid\":\"%s\",\"name\":\"a-4\",\"id\":-1,\"at\":1,\"vcpu\":0,\"cpus\":\"900\"}"
		"}\n",
		uuid);
	fclose(f);
	const char *said = restore(NULL, 0);
	assert_non_null(strstr(said, " of the journal is not used: no guest has such a vCPU\n"));
	assert_non_null(strstr(said, " of the journal is not used: no such time\n"));
	assert_non_null(strstr(said, "a-4 has no vCPU 7: nothing to put back there\n"));
	assert_non_null(strstr(said,
		"a-4 vCPU 0: found on pCPU 900, which this host does not have: its pin stays as it is\n"));
	assert_non_null(strstr(said, "2 changes put back"));
	assert_string_equal(spy_pin(&host, "a-3", 0), "0");
	assert_non_null(strstr(restore(NULL, 0), "nothing to put back"));
	spy_free(&host);
}

/* What is wrong with a line is said once, though the journal is read again before the first change. */
static void a_doubt_is_said_once(void **state)
{
	(void)state;
	begin(CROWD);
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 5);
	engine_leave(en, false);
	engine_free(en);
	FILE *f = fopen(journal_file(), "ae");
	assert_non_null(f);
	fputs("{\"lost\":{}}\n", f);
	fclose(f);
	en = spy_engine(&host, &cfg);
	engine_command(en, &(struct command){.kind = CMD_RESTORE});
	spy_run(en, 3);
	struct snapshot *s = engine_snapshot(en);
	int n = 0;
	for (size_t i = 0; i < s->n_log; i++)
		n += strstr(s->log[i].text, " of the journal is not used: not understood") != NULL;
	assert_int_equal(n, 1);
	snapshot_free(s);
	engine_leave(en, true);
	engine_free(en);
	all_on("0");
	spy_free(&host);
}

/* A journal that may have been taken away is not taken for none. */
static void an_open_folder_is_no_empty_one(void **state)
{
	char dir[256];
	struct err e = ERR_INIT;
	(void)state;
	snprintf(dir, sizeof dir, "%s/vmtop", state_home());
	begin(CROWD);
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 5);
	engine_leave(en, false);
	engine_free(en);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(engine_restore_journal(&cfg, &host.base, NULL, stderr, -1, &e), -1);
	assert_non_null(strstr(e.msg, "others may write to the folder"));
	assert_non_null(strstr(e.msg, "chmod go-w"));
	assert_int_equal(chmod(dir, 0700), 0);
	assert_non_null(strstr(restore(NULL, 0), "3 changes put back"));
	spy_free(&host);
}

/* A VM that the hypervisor no longer knows takes its changes with it; one that is only off does not. */
static void the_gone_are_closed(void **state)
{
	(void)state;
	static const enum known all[] = {KNOWN_YES, KNOWN_SAVED, KNOWN_NOT, KNOWN_UNSURE, KNOWN_ENDED};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		enum known known = all[i];
		begin(CROWD "at 8s stop a-4\n");
		struct engine *en = spy_engine(&host, &cfg);
		spy_run(en, 5);
		assert_string_not_equal(spy_pin(&host, "a-4", 0), "0");
		host.known = known;
		spy_run(en, 10);
		engine_free(en); /* as after a crash */
		const char *said = restore(NULL, 0);
		if (known == KNOWN_ENDED)
			assert_non_null(strstr(
				said, "a-4 has ended, and its 1 change with it: nothing to put back\n"));
		else
			assert_non_null(strstr(said, "not here"));
		assert_int_equal(access(journal_file(), F_OK), known != KNOWN_ENDED ? 0 : -1);
		unlink(journal_file());
		spy_free(&host);
	}
	/* A running one closes them after a while: a VM may have been saved to a file. */
	begin(CROWD "at 8s stop a-4\n");
	struct engine *en = spy_engine(&host, &cfg);
	host.known = KNOWN_ENDED;
	spy_run(en, 300);
	assert_null(spy_logged(en, "has ended"));
	spy_run(en, 400);
	assert_non_null(spy_logged(en, "a-4 has ended, and its 1 change with it: nothing to put back"));
	engine_leave(en, true);
	engine_free(en);
	assert_int_equal(access(journal_file(), F_OK), -1);
	spy_free(&host);
}

/* Neither a wrong wall clock nor a corrected one makes a VM that is away older or younger. */
static void the_wall_clock_jumps(void **state)
{
	(void)state;
	const int64_t day_ns = INT64_C(86400000000000);
	const struct command hourly = {.kind = CMD_INTERVAL, .number = 3600};
	for (int saved = 0; saved < 2; saved++) {
		begin(CROWD "at 8s stop a-4\n");
		host.known = saved ? KNOWN_SAVED : KNOWN_NOT;
		struct engine *en = spy_engine(&host, &cfg);
		spy_run(en, 15);
		static const int jumps[] = {30, -60, 4000, -4000, 0};
		for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
			host.wall_jump_ns = jumps[i] * day_ns;
			spy_run(en, 5);
		}
		host.wall_jump_ns = -4000 * day_ns;
		engine_command(en, &hourly);
		spy_run(en, 6.5 * 86400);
		assert_null(spy_logged(en, "has not been on this host for a week"));
		spy_run(en, 86400);
		assert_int_equal(spy_logged(en, "a-4 has not been on this host for a week") != NULL, !saved);
		engine_leave(en, true);
		engine_free(en);
		assert_int_equal(access(journal_file(), F_OK), saved ? 0 : -1);
		unlink(journal_file());
		spy_free(&host);
	}
}

/* The longest time that a journal has for a VM that is away. */
static long away_s_in(const char *path)
{
	char line[4096];
	long longest = -1;
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		const char *at = strstr(line, "\"away_s\":");
		long s = at ? strtol(at + 9, NULL, 10) : -1;
		longest = s > longest ? s : longest;
	}
	fclose(f);
	return longest;
}

/* How long a VM has been away is written down every few hours: a run that is killed does not begin anew. */
static void ages_outlive_a_kill(void **state)
{
	(void)state;
	const struct command hourly = {.kind = CMD_INTERVAL, .number = 3600};
	begin(CROWD "at 8s stop a-4\n");
	host.known = KNOWN_NOT;
	struct engine *en = spy_engine(&host, &cfg);
	spy_run(en, 15);
	engine_command(en, &hourly);
	spy_run(en, 86400);
	assert_in_range(away_s_in(journal_file()), 17 * 3600, 25 * 3600);
	engine_free(en);
	unlink(journal_file());
	spy_free(&host);
}

/* Nothing that could steer a terminal, break a line or a quoted value. */
static void harmless(const char *text, bool lines)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if ((*p < 0x20 && !(lines && *p == '\n')) || *p == 0x7f)
			fail_msg("byte 0x%02x in: %s", *p, text);
	assert_null(strstr(text, "\xc2\x9b"));     /* CSI of 8 bits */
	assert_null(strstr(text, "\xe2\x80\xae")); /* right-to-left override */
	for (const char *p = text; *p;) {
		uint32_t ch;
		p += text_decode(p, &ch);
		assert_int_not_equal(ch, UINT32_MAX);
	}
}

/* A VM may be called anything. */
static void hostile_names(void **state)
{
	static const char *const names[] = {"\x1b[2J\x1b]0;gone\x07\r\n\t\"',;--", "\xff\xfe\xc3(\xc2\x9b",
		"\342\200\256evil'); DROP TABLE vm;--", "%s%n%d {\"forgot\":{}}", ""};
	(void)state;
	for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
		begin(CROWD "at 4s stop a-1\nat 6s start a-1\n");
		host.name = names[k];
		struct engine *en = spy_engine(&host, &cfg);
		spy_run(en, 8);
		engine_leave(en, false);
		struct snapshot *s = engine_snapshot(en);
		assert_true(s->n_log > 6);
		for (size_t i = 0; i < s->n_log; i++)
			harmless(s->log[i].text, false);
		harmless(s->notice, false);
		snapshot_free(s);
		engine_free(en);
		const char *said = restore(NULL, 0);
		harmless(said, true);
		assert_non_null(strstr(said, "changes put back"));
		all_on("0");
		spy_free(&host);
	}
}

enum spoilt { FOLDER_IS_A_FILE, IS_A_LINK, IS_A_FOLDER, IS_HUGE, IS_NEWER, IS_FOREIGN, SPOILT };

/* The journal cannot be kept, in one of several ways. Returns what is in the way. */
static const char *spoil(enum spoilt how)
{
	static char path[JOURNAL_PATH];
	if (how == FOLDER_IS_A_FILE) {
		snprintf(path, sizeof path, "%s/file", state_home());
		fclose(fopen(path, "w"));
		setenv("XDG_STATE_HOME", path, 1);
		return path;
	}
	snprintf(path, sizeof path, "%s", journal_file());
	assert_int_equal(journal_folders(path), 0);
	if (how == IS_A_LINK)
		assert_int_equal(symlink("/dev/null", path), 0);
	if (how == IS_A_FOLDER)
		assert_int_equal(mkdir(path, 0700), 0);
	FILE *f = how >= IS_HUGE ? fopen(path, "w") : NULL;
	if (how == IS_NEWER)
		fputs("{\"vmtop\":1,\"pid\":1}\n{\"vmtop\":2,\"pid\":1}\n", f);
	if (f)
		fclose(f);
	if (how == IS_HUGE)
		assert_int_equal(truncate(path, 65 << 20), 0);
	if (how == IS_FOREIGN)
		assert_int_equal(chown(path, 65534, 65534), 0);
	return path;
}

/* Said in one line, AUTO is off, and nothing is touched. */
static void no_journal_no_change(void **state)
{
	(void)state;
	static const char *const words[] = {
		[FOLDER_IS_A_FILE] = "nothing was changed: cannot create the folder",
		[IS_A_LINK] = "cannot read the journal",
		[IS_A_FOLDER] = "cannot read the journal",
		[IS_HUGE] = "too large",
		[IS_NEWER] = "of a newer vmtop",
		[IS_FOREIGN] = "belongs to another user"};
	char home[256];
	snprintf(home, sizeof home, "%s", state_home());
	for (enum spoilt how = 0; how < (geteuid() == 0 ? SPOILT : IS_FOREIGN); how++) {
		begin(CROWD);
		const char *path = spoil(how);
		struct engine *en = spy_engine(&host, &cfg);
		spy_run(en, 5);
		assert_int_equal(host.changes, 0);
		all_on("0");
		if (!spy_logged(en, words[how]))
			fail_msg("case %d does not say it", (int)how);
		struct snapshot *s = engine_snapshot(en);
		assert_false(s->auto_cpu);
		assert_int_equal(s->n_changed, 0);
		snapshot_free(s);
		engine_free(en);
		setenv("XDG_STATE_HOME", home, 1);
		assert_int_equal(remove(path), 0);
		spy_free(&host);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orderly_end_puts_back),
		cmocka_unit_test(kept_changes_are_restored_later),
		cmocka_unit_test(dry_run_puts_nothing_back),
		cmocka_unit_test(crash_between_call_and_answer),
		cmocka_unit_test(killed_twice_in_a_call),
		cmocka_unit_test(marks_without_pins_go),
		cmocka_unit_test(marks_of_others_pins_go),
		cmocka_unit_test(others_and_new_lives_are_left_alone),
		cmocka_unit_test(a_vm_from_disk_gets_its_pins_late),
		cmocka_unit_test(who_comes_and_goes_is_said),
		cmocka_unit_test(others_are_said_once),
		cmocka_unit_test(unplugged_vcpus_are_forgotten),
		cmocka_unit_test(never_pinned_is_wide_again),
		cmocka_unit_test(balloons_and_periods_go_back),
		cmocka_unit_test(memory_of_another_life),
		cmocka_unit_test(release_beside_a_running_vmtop),
		cmocka_unit_test(impossible_lines),
		cmocka_unit_test(a_doubt_is_said_once),
		cmocka_unit_test(an_open_folder_is_no_empty_one),
		cmocka_unit_test(the_gone_are_closed),
		cmocka_unit_test(the_wall_clock_jumps),
		cmocka_unit_test(ages_outlive_a_kill),
		cmocka_unit_test(hostile_names),
		cmocka_unit_test(no_journal_no_change),
	};
	return cmocka_run_group_tests_name("restore", tests, state_home_make, state_home_remove);
}
