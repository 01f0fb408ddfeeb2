/* SPDX-License-Identifier: MIT */
/* Recordings: every value comes back, whole ticks only whatever kills the writer, files are private and new,
 * old ticks go, what is no recording is refused with one line. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/recorded.h"
#include "vmtop/engine.h"
#include "vmtop/record.h"
#include "vmtop/scenario.h"
#include "vmtop/settings.h"

static void config(struct config *cfg, const char *name)
{
	char path[256];
	config_defaults(cfg);
	cfg->batch = true;
	cfg->delay_s = 1;
	snprintf(cfg->record, sizeof cfg->record, "%s", recorded_path(path, name));
}

static struct backend *sim(const char *name)
{
	struct err e = ERR_INIT;
	struct scenario *s =
		strchr(name, '\n') ? scenario_parse("test", name, strlen(name), &e) : scenario_open(name, &e);
	struct backend *b = s ? backend_sim_new(s, true, &e) : NULL;
	if (!b)
		fail_msg("%s", e.msg);
	return b;
}

static void advance(struct backend *b, double s)
{
	b->ops->wait(b, b->ops->now(b) + (int64_t)(s * 1e9), -1);
}

static struct backend *replay(const char *path)
{
	struct config cfg;
	struct err e = ERR_INIT;
	config_defaults(&cfg);
	cfg.batch = true;
	snprintf(cfg.replay, sizeof cfg.replay, "%s", path);
	struct backend *b = backend_replay_open(&cfg, &e);
	if (!b)
		fail_msg("%s", e.msg);
	return b;
}

/* What tells why a VM is slow: some of it comes and goes, and the busiest thread is now this one, now that.
 */
static void slow_facts(struct vm_facts *f, unsigned n)
{
	snprintf(f->helper, sizeof f->helper, n % 5 < 2 ? "vhost-%u" : "emulator", n % 3);
	f->helper_ns = vi64_ok(n * INT64_C(1000003));
	f->helper_delay_ns = vi64_ok(n * INT64_C(70));
	f->helper_pcpu = n % 4 ? vi64_ok(n % 8) : vi64_absent(AVAIL_NONE);
	f->swapped_kib = vi64_ok(n % 16 * 4096);
	f->throttled_ns = n % 32 < 20 ? vi64_ok(n * INT64_C(11)) : vi64_absent(AVAIL_UNSUPPORTED);
	f->weight = vi64_ok(n % 64 < 40 ? 100 : 400);
	f->cpu_shares = n % 48 < 40 ? vi64_ok(n % 32 < 20 ? 1024 : 4096) : vi64_absent(AVAIL_UNSUPPORTED);
	f->psi_cpu = vf64_ok(n % 7 * .37);
	f->psi_memory = n % 11 ? vf64_ok(0) : vf64_absent(AVAIL_DENIED);
	f->psi_io = vf64_ok(99.99);
	f->exits = n % 50 == 49 ? vi64_ok(3) : vi64_ok(n * INT64_C(1009));
	f->polled_ns = vi64_ok(n);
}

/* A simulated host whose VMs also have caps that several of them share, which come, change and go; of some
 * nothing is known of why they are slow. */
static const struct backend_ops *uncapped;

static int capped_sample(struct backend *b, unsigned groups, struct sample *to, struct err *e)
{
	static unsigned n;
	n++;
	if (uncapped->sample(b, groups, to, e) < 0)
		return -1;
	for (size_t i = 0; i < to->n_vms; i++) {
		struct vm_sample *vm = &to->vms[i];
		vm->group_quota_pct = (n + i) % 8 < 3 ? vf64_absent(AVAIL_NONE) : vf64_ok(50 + n / 16);
		/* As large as a name of a group gets, and two that differ in the last bit. */
		vm->quota_group = vf64_has(vm->group_quota_pct) && i % 3 ? UINT64_MAX / 2 - i % 2 : 0;
		if (i % 3)
			slow_facts(&vm->facts, n + (unsigned)i);
		else if (n % 64 < 32)
			memset(&vm->facts, 0, sizeof vm->facts);
	}
	for (size_t i = 0; i < to->host.n_pcpus; i += 2)
		to->host.pcpus[i].speed_pct = n % 6 ? vf64_ok(97.5 - n % 3) : vf64_absent(AVAIL_UNSUPPORTED);
	return 0;
}

static struct backend *capped(struct backend *b)
{
	static struct backend_ops ops;
	uncapped = b->ops;
	ops = *b->ops;
	ops.sample = capped_sample;
	b->ops = &ops;
	return b;
}

/* Records `ticks` samples of a scenario with every group now and then, and reads them back. */
static void round_trip(const char *scenario, int ticks, double step_s)
{
	struct config cfg;
	struct err e = ERR_INIT;
	config(&cfg, "trip.rec");
	unlink(cfg.record);
	struct sample *seen = calloc((size_t)ticks, sizeof *seen), got;
	struct backend *b = backend_record(capped(sim(scenario)), &cfg, &e);
	assert_non_null(b);
	int n = 0;
	for (int i = 0; i < ticks; i++) {
		unsigned groups = i % 7 == 3 ? SAMPLE_BALLOON | SAMPLE_BLOCK | SAMPLE_NET : SAMPLE_BALLOON;
		sample_init(&seen[n]);
		if (b->ops->sample(b, groups | SAMPLE_REGULAR, &seen[n], &e) == 0)
			n++; /* a sample that fails is no tick */
		else
			sample_done(&seen[n]);
		advance(b, step_s);
	}
	b->ops->close(b);
	b = replay(cfg.record);
	sample_init(&got);
	assert_true(n > ticks / 2);
	for (int i = 0; i < n; i++) {
		if (b->ops->sample(b, 0, &got, &e) < 0)
			fail_msg("tick %d: %s", i, e.msg);
		const char *d = recorded_differs(&seen[i], &got);
		if (d)
			fail_msg("%.20s, tick %d: %s", scenario, i, d);
		sample_done(&seen[i]);
	}
	assert_int_equal(b->ops->sample(b, 0, &got, &e), -1);
	sample_done(&got);
	b->ops->close(b);
	free(seen);
}

static void test_every_value_comes_back(void **state)
{
	(void)state;
	round_trip("demo", 200, 1);
	round_trip("churn", 300, 2);
	round_trip("hidden", 60, .5);
	round_trip("sparse", 140, 2);
	round_trip("mem4", 200, 2);
	round_trip("host\n\tpcpus 6\n\tcapacity 60% 4-5\nvm a x8\n\tload 70%\n", 20, 2);
}

static void forget_why(struct sample *s)
{
	for (size_t i = 0; i < s->n_vms; i++)
		memset(&s->vms[i].facts, 0, sizeof s->vms[i].facts);
	for (size_t i = 0; i < s->host.n_pcpus; i++) {
		s->host.pcpus[i].steal_ns = vi64_absent(AVAIL_NONE);
		s->host.pcpus[i].speed_pct = vf64_absent(AVAIL_NONE);
	}
}

static void forget_shares(struct sample *s)
{
	for (size_t i = 0; i < s->n_vms; i++)
		s->vms[i].facts.cpu_shares = vi64_absent(AVAIL_NONE);
}

/* Files of before: what they cannot tell is not known, in no tick, and all else is there. */
static void written_before(const char *how)
{
	struct config cfg;
	struct err e = ERR_INIT;
	struct sample seen[3], got;
	config(&cfg, "older.rec");
	unlink(cfg.record);
	sample_init(&got);
	struct backend *b = backend_record(capped(sim("demo")), &cfg, &e);
	for (int i = 0; i < 3; i++) {
		sample_init(&seen[i]);
		assert_int_equal(b->ops->sample(b, SAMPLE_BALLOON | SAMPLE_REGULAR, &seen[i], &e), 0);
		if (strstr(how, "cpu_shares"))
			forget_shares(&seen[i]);
		else
			forget_why(&seen[i]);
		for (size_t v = 0; strstr(how, "quota") && v < seen[i].n_vms; v++) {
			seen[i].vms[v].group_quota_pct = vf64_absent(AVAIL_NONE);
			seen[i].vms[v].quota_group = 0;
		}
		advance(b, 1);
	}
	b->ops->close(b);
	recorded_spoil(cfg.record, how);
	b = replay(cfg.record);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(b->ops->sample(b, 0, &got, &e), 0);
		const char *d = recorded_differs(&seen[i], &got);
		if (d)
			fail_msg("tick %d: %s", i, d);
		sample_done(&seen[i]);
	}
	b->ops->close(b);
	sample_done(&got);
}

static void test_written_before_a_column_came(void **state)
{
	static const char why[] =
		"DROP TABLE vm_why_fact; DROP TABLE vm_why_tick;"
		"ALTER TABLE pcpu_fact DROP COLUMN steal_ns; UPDATE pcpu_fact SET absent = '';"
		"ALTER TABLE pcpu_tick DROP COLUMN steal_ns;"
		"ALTER TABLE pcpu_tick DROP COLUMN speed_pct";
	char older[600];
	(void)state;
	written_before(why);
	written_before("ALTER TABLE vm_why_fact DROP COLUMN cpu_shares;"
		       "UPDATE vm_why_fact SET absent = replace(absent, 'cpu_shares:unsupported', '')");
	snprintf(older, sizeof older,
		"%s; ALTER TABLE vm_fact DROP COLUMN quota_group;"
		"ALTER TABLE vm_fact DROP COLUMN group_quota_pct;"
		"ALTER TABLE pcpu_fact DROP COLUMN capacity",
		why);
	written_before(older);
}

static void test_file_is_private_and_new(void **state)
{
	(void)state;
	struct config cfg;
	struct err e = ERR_INIT;
	struct stat st;
	char path[CFG_TEXT + 16];
	config(&cfg, "private.rec");
	mode_t old = umask(0);
	struct backend *b = backend_record(sim("cpu1"), &cfg, &e);
	umask(old);
	assert_non_null(b);
	struct sample s;
	sample_init(&s);
	assert_int_equal(b->ops->sample(b, 0, &s, &e), 0);
	sample_done(&s);
	static const char *const tails[] = {"", "-wal", "-shm"};
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s%s", cfg.record, tails[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	b->ops->close(b);
	assert_int_equal(stat(path, &st), -1); /* one file is left */
	assert_null(backend_record(sim("cpu1"), &cfg, &e));
	assert_non_null(strstr(e.msg, "it exists already"));

	config(&cfg, "link.rec");
	assert_int_equal(symlink("elsewhere", cfg.record), 0);
	assert_null(backend_record(sim("cpu1"), &cfg, &e));
	assert_int_equal(stat(recorded_path(path, "elsewhere"), &st), -1);

	config(&cfg, "leftover.rec");
	snprintf(path, sizeof path, "%s-wal", cfg.record);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_null(backend_record(sim("cpu1"), &cfg, &e));
	assert_non_null(strstr(e.msg, "-wal of an older one"));
}

/* A reader of its own process counts while ticks are written: it sees each whole, as soon as it is over. */
static void test_readable_while_written(void **state)
{
	(void)state;
	struct config cfg;
	struct err e = ERR_INIT;
	struct sample s;
	config(&cfg, "live.rec");
	struct backend *b = backend_record(sim("demo"), &cfg, &e), *r = NULL;
	assert_non_null(b);
	sample_init(&s);
	for (int i = 1; i <= 20; i++) {
		assert_int_equal(b->ops->sample(b, SAMPLE_BALLOON, &s, &e), 0);
		assert_int_equal(recorded_int(cfg.record, "SELECT count(*) FROM tick"), i - 1);
		advance(b, 1);
		assert_int_equal(recorded_int(cfg.record, "SELECT count(*) FROM tick"), i);
		assert_int_equal(recorded_int(cfg.record, "SELECT count(*) FROM vcpu_tick WHERE id >> 20 = "
							  "(SELECT max(tick) FROM tick)"),
			(long long)s.n_vcpus);
		if (i == 2)
			r = replay(cfg.record);
	}
	struct sample got;
	sample_init(&got);
	for (int i = 1; i <= 20; i++) /* a replay follows a file that grows */
		assert_int_equal(r->ops->sample(r, 0, &got, &e), 0);
	assert_null(recorded_differs(&s, &got));
	sample_done(&s);
	sample_done(&got);
	r->ops->close(r);
	b->ops->close(b);
}

/* The child writes a line for each tick that is over; then it is killed in the middle of anything. */
static int killed_run(const char *path, unsigned us)
{
	int fd[2], told = 0;
	char c;
	assert_int_equal(pipe(fd), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct config cfg;
		struct err e = ERR_INIT;
		struct sample s;
		config_defaults(&cfg);
		snprintf(cfg.record, sizeof cfg.record, "%s", path);
		struct backend *b = backend_record(sim("demo"), &cfg, &e);
		sample_init(&s);
		for (;;) {
			b->ops->sample(b, SAMPLE_BALLOON | SAMPLE_REGULAR, &s, &e);
			advance(b, 1);
			if (write(fd[1], "t", 1) != 1)
				_exit(1);
		}
	}
	close(fd[1]);
	assert_int_equal(read(fd[0], &c, 1), 1);
	nanosleep(&(struct timespec){0, (long)us * 1000}, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (told = 1; read(fd[0], &c, 1) == 1;)
		told++;
	close(fd[0]);
	return told;
}

static void test_killed_at_any_moment(void **state)
{
	(void)state;
	unsigned seed = 12345;
	int kills = getenv("VMTOP_KILLS") ? atoi(getenv("VMTOP_KILLS")) : 15;
	for (int i = 0; i < kills; i++) {
		char path[256], name[32];
		struct err e = ERR_INIT;
		struct sample got;
		snprintf(name, sizeof name, "killed%d.rec", i);
		recorded_path(path, name);
		seed = seed * 1103515245 + 12345;
		int told = killed_run(path, (seed >> 16 & 8191) * (i % 5 == 4 ? 20 : 1)), n = 0;
		struct backend *b = replay(path);
		sample_init(&got);
		while (b->ops->sample(b, 0, &got, &e) == 0) {
			n++;
			assert_true(got.n_vcpus > 0 && got.host.n_pcpus > 0);
		}
		sample_done(&got);
		b->ops->close(b);
		/* All that was over is there; at most one more, whose end nobody heard of. */
		if (n != told && n != told + 1)
			fail_msg("%s: %d ticks of %d", path, n, told);
		assert_int_equal(recorded_int(path, "SELECT count(*) FROM pragma_integrity_check WHERE "
						    "integrity_check = 'ok'"),
			1);
	}
}

static void test_keep_bounds_it(void **state)
{
	(void)state;
	struct config cfg;
	struct err e = ERR_INIT;
	struct sample s, got;
	struct stat half, full;
	config(&cfg, "keep.rec");
	cfg.record_keep_s = 60;
	struct backend *b = backend_record(sim("churn"), &cfg, &e);
	assert_non_null(b);
	sample_init(&s);
	for (int i = 0; i < 1200; i++) {
		b->ops->sample(b, SAMPLE_BALLOON | SAMPLE_REGULAR, &s, &e);
		advance(b, 1);
		if (i == 599)
			stat(cfg.record, &half);
	}
	stat(cfg.record, &full);
	b->ops->close(b);
	int64_t left = recorded_int(cfg.record, "SELECT count(*) FROM tick");
	assert_in_range(left, 60, 80);
	assert_int_equal(recorded_int(cfg.record, "SELECT count(DISTINCT id >> 20) FROM vcpu_tick"), left);
	assert_true(full.st_size <= half.st_size * 3 / 2);
	/* What is left can be read, to the very last value. */
	b = replay(cfg.record);
	sample_init(&got);
	int64_t n = 0;
	while (b->ops->sample(b, 0, &got, &e) == 0)
		n++;
	assert_in_range(n, 60, left);
	assert_null(recorded_differs(&s, &got));
	sample_done(&s);
	sample_done(&got);
	b->ops->close(b);
}

static void write_file(const char *path, const void *bytes, size_t n)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	assert_int_equal(write(fd, bytes, n), (ssize_t)n);
	close(fd);
}

static void refused(const char *path, const char *words)
{
	struct config cfg;
	struct err e = ERR_INIT;
	config_defaults(&cfg);
	snprintf(cfg.replay, sizeof cfg.replay, "%s", path);
	assert_null(backend_replay_open(&cfg, &e));
	assert_int_equal(err_exit_status(&e), 1);
	if (!strstr(e.msg, words) || strchr(e.msg, '\n'))
		fail_msg("%s: says %s", words, e.msg);
}

static void test_what_is_no_recording(void **state)
{
	(void)state;
	struct config cfg;
	char path[256];
	refused(recorded_path(path, "none.rec"), "No such file");
	mkdir(recorded_path(path, "folder"), 0700);
	refused(path, "not a regular file");
	write_file(recorded_path(path, "empty.rec"), "", 0);
	refused(path, "is not a vmtop recording");
	unsigned char noise[20000];
	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = (unsigned char)(i * 7919 >> 3);
	write_file(recorded_path(path, "noise.rec"), noise, sizeof noise);
	refused(path, "is not a readable recording");

	config(&cfg, "whole.rec");
	recorded_run(&cfg, "demo", 20, NULL, NULL);
	FILE *f = fopen(cfg.record, "r");
	static unsigned char bytes[4 << 20];
	size_t n = fread(bytes, 1, sizeof bytes, f);
	fclose(f);
	assert_in_range(n, 50000, sizeof bytes - 1);
	/* A cut-off file is refused, or its whole ticks are read; never a crash. */
	for (size_t cut = 0; cut < n; cut += n / 37) {
		struct config c;
		struct err e = ERR_INIT;
		struct sample s;
		write_file(recorded_path(path, "cut.rec"), bytes, cut);
		config_defaults(&c);
		snprintf(c.replay, sizeof c.replay, "%s", path);
		struct backend *b = backend_replay_open(&c, &e);
		sample_init(&s);
		for (int i = 0; b && i < 25 && b->ops->sample(b, 0, &s, &e) == 0; i++)
			;
		sample_done(&s);
		if (b)
			b->ops->close(b);
		assert_true(e.msg[0] != '\0' && !strchr(e.msg, '\n'));
	}
	bytes[60 + 3] = 9; /* user_version */
	write_file(recorded_path(path, "future.rec"), bytes, n);
	refused(path, "has recording schema 9; this vmtop reads schema 1");
	bytes[60 + 3] = 1;
	bytes[68] = 0; /* application_id */
	write_file(recorded_path(path, "other.rec"), bytes, n);
	refused(path, "is not a vmtop recording");
}

/* Bytes changed at random places: any answer but a crash. */
static void test_damaged(void **state)
{
	(void)state;
	struct config cfg;
	char path[256];
	config(&cfg, "damage.rec");
	recorded_run(&cfg, "cpu5", 10, NULL, NULL);
	static unsigned char bytes[1 << 20];
	FILE *f = fopen(cfg.record, "r");
	size_t n = fread(bytes, 1, sizeof bytes, f);
	fclose(f);
	unsigned seed = 1;
	recorded_path(path, "damaged.rec");
	for (int i = 0; i < 60; i++) {
		static unsigned char copy[sizeof bytes];
		struct err e = ERR_INIT;
		struct config c;
		memcpy(copy, bytes, n);
		for (int k = 0; k < 200; k++) {
			seed = seed * 1103515245 + 12345;
			copy[100 + (seed >> 4) % (n - 100)] = (unsigned char)(seed >> 24);
		}
		write_file(path, copy, n);
		config_defaults(&c);
		c.batch = true;
		snprintf(c.replay, sizeof c.replay, "%s", path);
		struct backend *b = backend_replay_open(&c, &e);
		struct engine *en = b ? engine_new(&c, b, &e) : NULL;
		for (int k = 0; en && k < 12 && engine_step(en, &e) == 0 && engine_wait(en, -1); k++)
			;
		engine_free(en);
	}
}

/* A file of another version with the same schema: settings and words that this one does not know. */
static void test_other_version(void **state)
{
	(void)state;
	struct config cfg, back;
	struct err e = ERR_INIT;
	sqlite3 *db = NULL;
	config(&cfg, "other-version.rec");
	cfg.cpu_policy = CPU_POLICY_ORIGIN_B;
	cfg.act_above_pct = 7.25;
	cfg.n_vm = 1;
	strcpy(cfg.vm[0].pattern, "vm*");
	cfg.vm[0].mem_min_kib = 262144;
	recorded_run(&cfg, "cpu1", 5, NULL, NULL);
	assert_int_equal(sqlite3_open(cfg.record, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				 "UPDATE meta SET value = '9.9.9' WHERE key = 'vmtop_version';"
				 "INSERT INTO meta VALUES('colour', 'blue'); INSERT INTO config "
				 "VALUES('new_key', '1');"
				 "UPDATE config SET value = 'newest' WHERE key = 'memory_policy';"
				 "UPDATE decision SET cpu_reason = 'unheard-of', cpu_policy = 'newest';"
				 "ALTER TABLE tick ADD COLUMN more INT; CREATE TABLE extra(a);",
				 NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(db);
	config_defaults(&back);
	assert_int_equal(recording_config(cfg.record, &back, &e), 0);
	assert_int_equal(back.cpu_policy, CPU_POLICY_ORIGIN_B);
	assert_true(back.act_above_pct == 7.25 && back.delay_s == 1);
	assert_int_equal(back.n_vm, 1);
	assert_int_equal(back.vm[0].mem_min_kib, 262144);
	assert_string_equal(back.record, "");
	struct backend *b = replay(cfg.record);
	struct sample s;
	sample_init(&s);
	for (int i = 0; i < 5; i++)
		assert_int_equal(b->ops->sample(b, 0, &s, &e), 0);
	sample_done(&s);
	b->ops->close(b);
}

static const struct {
	const char *sql, *words;
} spoilt[] = {
	{"CREATE VIEW more AS WITH RECURSIVE a(x) AS (SELECT 1 UNION ALL SELECT x FROM a) SELECT x "
	 "FROM a",
		"the view \"more\""},
	{"ALTER TABLE tick RENAME TO t; CREATE VIEW tick AS SELECT * FROM t", "\"t"},
	{"DROP VIEW marks; CREATE VIEW marks AS SELECT 1", "the view \"marks\""},
	{"DROP TABLE meta; CREATE VIEW meta AS WITH RECURSIVE a(key, value) AS (SELECT 1, 2 UNION "
	 "ALL "
	 "SELECT * FROM a) SELECT * FROM a",
		"the view \"meta\""},
	{"DROP TABLE config; CREATE VIEW config AS WITH RECURSIVE a(key, value) AS (SELECT 1, 2 "
	 "UNION ALL "
	 "SELECT * FROM a) SELECT * FROM a",
		"the view \"config\""},
	{"CREATE TRIGGER t AFTER INSERT ON log BEGIN DELETE FROM log; END", "the trigger \"t\""},
	{"CREATE TRIGGER \"a\x1b[2J\nb\" INSTEAD OF INSERT ON marks BEGIN SELECT 1; END",
		"the trigger \"a\\x1b[2J"},
	{"CREATE VIRTUAL TABLE v USING fts5(a)", "v"},
	{"CREATE VIRTUAL TABLE r USING rtree(a, b, c)", "r"},
	{"ALTER TABLE tick ADD COLUMN more AS (abs(tick))", "a computed column, in \"tick\""},
	{"DROP TABLE vm_config; CREATE TABLE vm_config(n INTEGER PRIMARY KEY, pattern AS (key), key, "
	 "value)",
		"\"vm_config\""},
	{"DROP TABLE vm_config; CREATE TABLE vm_config(n TEXT PRIMARY KEY, pattern TEXT, key TEXT, "
	 "value "
	 "TEXT)",
		"other columns than it should, in \"vm_config\""},
	{"ALTER TABLE log RENAME COLUMN text TO t; ALTER TABLE log ADD COLUMN text INT", "in \"log\""},
	{"CREATE INDEX late ON log(abs(wall_ns))", "the index \"late\""},
	{"CREATE INDEX late ON log(wall_ns) WHERE text LIKE 'x%'", "the index \"late\""},
	{"ANALYZE", "the table \"sqlite_stat1\""},
	{"PRAGMA writable_schema = 1; INSERT INTO sqlite_schema VALUES('table', 'x', 'x', 0, 'CREATE "
	 "VIEW x "
	 "AS SELECT 1')",
		"malformed database schema (x)"},
	{"PRAGMA writable_schema = 1; UPDATE sqlite_schema SET name = 'other', tbl_name = 'other' "
	 "WHERE name "
	 "= 'setting'",
		"other"},
	{"PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = replace(sql, 'value TEXT', "
	 "'value TEXT "
	 "DEFAULT (' || hex(zeroblob(50000)) || ')') WHERE name = 'setting'",
		"too big"},
};

/* Recordings come from anywhere, and an SQLite file can hold more than tables. */
static void test_only_plain_tables(void **state)
{
	(void)state;
	static unsigned char bytes[1 << 20];
	struct config cfg, back;
	char path[256];
	config(&cfg, "schema.rec");
	recorded_run(&cfg, "cpu1", 3, NULL, NULL);
	FILE *f = fopen(cfg.record, "r");
	size_t n = fread(bytes, 1, sizeof bytes, f);
	fclose(f);
	recorded_path(path, "spoiled.rec");
	for (size_t i = 0; i < sizeof spoilt / sizeof *spoilt; i++) {
		struct err e = ERR_INIT;
		write_file(path, bytes, n);
		recorded_spoil(path, spoilt[i].sql);
		refused(path, spoilt[i].words);
		config_defaults(&back);
		assert_int_equal(recording_config(path, &back, &e), -1);
		assert_int_equal(recording_log(path, NULL, NULL, &e), -1);
	}
}

static void test_many_tables(void **state)
{
	(void)state;
	struct config cfg;
	char *sql = malloc(2000 * 40), *to = sql;
	config(&cfg, "many.rec");
	recorded_run(&cfg, "cpu1", 3, NULL, NULL);
	for (int i = 0; i < 2000; i++)
		to += sprintf(to, "CREATE TABLE t%d(a);", i);
	recorded_spoil(cfg.record, sql);
	free(sql);
	refused(cfg.record, "too many tables");
}

static void put32(unsigned char *to, size_t v)
{
	for (int i = 0; i < 4; i++)
		to[i] = (unsigned char)(v >> (24 - 8 * i));
}

/* A page of a table whose children are all the page after it. */
static void fill_inner_page(unsigned char *page, size_t bytes, size_t number)
{
	enum { CELLS = 1000, CELL = 5 };
	memset(page, 0, bytes);
	page[0] = 5;
	page[3] = CELLS >> 8;
	page[4] = CELLS & 255;
	size_t at = bytes - CELLS * CELL;
	page[5] = (unsigned char)(at >> 8);
	page[6] = (unsigned char)at;
	put32(page + 8, number + 1);
	for (int i = 0; i < CELLS; i++, at += CELL) {
		page[12 + 2 * i] = (unsigned char)(at >> 8);
		page[13 + 2 * i] = (unsigned char)at;
		put32(page + at, number + 1);
		page[at + 4] = 1;
	}
}

static void count_line(const struct log_line *line, void *arg)
{
	(void)line;
	++*(int64_t *)arg;
}

/* Pages that name one page a thousand times, four deep: 10^12 rows in 200 KB. Read by a budget, not for ever.
 */
static void test_endless_table(void **state)
{
	(void)state;
	enum { PAGE = 8192, DEEP = 4 };
	static unsigned char bytes[4 << 20];
	struct config cfg;
	struct err e = ERR_INIT;
	int64_t lines = 0;
	config(&cfg, "endless.rec");
	cfg.auto_cpu = true;
	recorded_run(&cfg, "demo", 5, NULL, NULL);
	size_t root =
		(size_t)recorded_int(cfg.record, "SELECT rootpage FROM sqlite_schema WHERE name = 'log'");
	FILE *f = fopen(cfg.record, "r");
	size_t n = fread(bytes, 1, sizeof bytes - (DEEP + 1) * PAGE, f), pages = n / PAGE;
	fclose(f);
	memcpy(bytes + (pages + DEEP) * PAGE, bytes + (root - 1) * PAGE, PAGE);
	for (size_t i = 0; i < DEEP; i++)
		fill_inner_page(bytes + (pages + i) * PAGE, PAGE, pages + i + 1);
	fill_inner_page(bytes + (root - 1) * PAGE, PAGE, pages);
	put32(bytes + 28, pages + DEEP + 1);
	write_file(cfg.record, bytes, (pages + DEEP + 1) * PAGE);
	assert_int_equal(recording_log(cfg.record, count_line, &lines, &e), -1);
	assert_non_null(strstr(e.msg, "interrupted"));
	assert_true(lines > 1000);
}

/* A disk that is full ends the recording with one word, not what is recorded. */
static void test_gives_up(void **state)
{
	(void)state;
	struct config cfg;
	struct err e = ERR_INIT;
	struct backend_status st;
	struct sample s;
	config(&cfg, "gives-up.rec");
	struct backend *b = backend_record(sim("demo"), &cfg, &e);
	assert_non_null(b);
	sqlite3 *db = NULL; /* somebody takes a table away */
	assert_int_equal(sqlite3_open(cfg.record, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DROP TABLE vm_tick", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	sample_init(&s);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(b->ops->sample(b, SAMPLE_BALLOON, &s, &e), 0);
		assert_true(s.n_vms > 0);
		advance(b, 1);
	}
	b->ops->status(b, &st);
	assert_non_null(strstr(st.text, "recording stopped"));
	sample_done(&s);
	b->ops->close(b);
}

static void steps(struct engine *en, int n)
{
	struct err e = ERR_INIT;
	for (int i = 0; i < n; i++) {
		assert_int_equal(engine_step(en, &e), 0);
		assert_true(engine_wait(en, -1));
	}
}

static void record_key(struct engine *en, const char *path)
{
	struct command c = {.kind = CMD_RECORD, .on = path != NULL};
	snprintf(c.text, sizeof c.text, "%.159s", path ? path : "");
	engine_command(en, &c);
}

static bool recording(const struct engine *en, const char *notice)
{
	struct snapshot *s = engine_snapshot(en);
	bool on = s->backend.recording[0];
	if (notice && !strstr(s->notice, notice))
		fail_msg("not \"%s\" but: %s", notice, s->notice);
	snapshot_free(s);
	return on;
}

/* A key begins and ends it in the middle of a run: each file holds what was between, and is one whole file.
 */
static void test_begun_by_key(void **state)
{
	(void)state;
	struct config cfg;
	struct err e = ERR_INIT;
	char first[256], second[256], wal[300];
	config(&cfg, "none.rec");
	cfg.record[0] = '\0';
	cfg.batch = false;
	struct engine *en = engine_new(&cfg, sim("demo"), &e);
	assert_non_null(en);
	steps(en, 5);
	record_key(en, recorded_path(first, "first.rec"));
	assert_true(recording(en, NULL));
	steps(en, 4);
	record_key(en, NULL);
	assert_false(recording(en, NULL));
	snprintf(wal, sizeof wal, "%s-wal", first);
	assert_int_equal(access(wal, F_OK), -1);
	assert_int_equal(recorded_int(first, "SELECT count(*) FROM tick"), 4);
	assert_int_equal(recorded_int(first, "SELECT count(*) FROM log WHERE text LIKE 'recording %'"), 2);
	struct backend *b = replay(first);
	b->ops->close(b);
	record_key(en, first); /* never over another */
	assert_false(recording(en, "it exists already"));
	steps(en, 20); /* said for a while */
	assert_false(recording(en, NULL));
	record_key(en, recorded_path(second, "second.rec"));
	steps(en, 1);
	recorded_spoil(second, "DROP TABLE vm_tick"); /* a disk that is full: one word, then as without */
	steps(en, 2);
	assert_false(recording(en, "recording stopped"));
	steps(en, 20);
	struct snapshot *s = engine_snapshot(en);
	assert_string_equal(s->notice, "");
	assert_string_equal(s->backend.text, "");
	snapshot_free(s);
	engine_free(en);
}

/* Where a tick has thousands of rows, reading may begin more often: what lies on the way is read row by row.
 */
static void test_key_ticks_of_a_large_host(void **state)
{
	(void)state;
	struct config cfg;
	static const struct {
		const char *scenario;
		int keys;
	} hosts[] = {{"demo", 1}, {"big512", 2}};
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		char name[32];
		snprintf(name, sizeof name, "keys%zu.rec", i);
		config(&cfg, name);
		recorded_run(&cfg, hosts[i].scenario, 40, NULL, NULL);
		assert_int_equal(recorded_int(cfg.record, "SELECT count(*) FROM tick"), 40);
		assert_int_equal(
			recorded_int(cfg.record, "SELECT count(*) FROM tick WHERE key"), hosts[i].keys);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_value_comes_back),
		cmocka_unit_test(test_written_before_a_column_came),
		cmocka_unit_test(test_file_is_private_and_new),
		cmocka_unit_test(test_readable_while_written),
		cmocka_unit_test(test_killed_at_any_moment),
		cmocka_unit_test(test_keep_bounds_it),
		cmocka_unit_test(test_what_is_no_recording),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_other_version),
		cmocka_unit_test(test_only_plain_tables),
		cmocka_unit_test(test_many_tables),
		cmocka_unit_test(test_endless_table),
		cmocka_unit_test(test_gives_up),
		cmocka_unit_test(test_begun_by_key),
		cmocka_unit_test(test_key_ticks_of_a_large_host),
	};
	return cmocka_run_group_tests(tests, NULL, recorded_teardown);
}
