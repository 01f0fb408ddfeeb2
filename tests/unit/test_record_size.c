/* SPDX-License-Identifier: MIT */
/* Recordings of a bounded size: what is on disk stays below it for as long as it runs, on a host that grows
 * and over many runs; what is left can be read; nothing else is removed. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/recorded.h"
#include "vmtop/backend.h"
#include "vmtop/err.h"
#include "vmtop/record.h"
#include "vmtop/scenario.h"
#include "vmtop/settings.h"

enum { SIZE = 4 << 20 };

static void config(struct config *cfg, const char *name)
{
	char path[256];
	config_defaults(cfg);
	cfg->batch = true;
	cfg->delay_s = 1;
	cfg->record_size_kib = SIZE / 1024;
	snprintf(cfg->record, sizeof cfg->record, "%s", recorded_path(path, name));
}

static struct backend *sim(const char *text)
{
	struct err e = ERR_INIT;
	struct scenario *s = scenario_parse("test", text, strlen(text), &e);
	struct backend *b = s ? backend_sim_new(s, true, &e) : NULL;
	if (!b)
		fail_msg("%s", e.msg);
	return b;
}

static int64_t size_of(const char *path)
{
	struct stat s;
	return stat(path, &s) == 0 ? s.st_size : -1;
}

/* Takes samples; the write-ahead log stays small. Returns the most bytes that the file had. */
static int64_t run(struct backend *b, const char *path, int ticks, struct sample *s)
{
	int64_t most = 0;
	struct err e = ERR_INIT;
	char wal[CFG_TEXT + 8];
	snprintf(wal, sizeof wal, "%s-wal", path);
	for (int i = 0; i < ticks; i++) {
		b->ops->sample(b, SAMPLE_BALLOON | SAMPLE_REGULAR, s, &e);
		b->ops->wait(b, b->ops->now(b) + INT64_C(1000000000), -1);
		int64_t now = size_of(path);
		assert_true(size_of(wal) <= SIZE / 4);
		most = now > most ? now : most;
	}
	return most;
}

/* All that is left can be read, to the very last value. */
static int64_t read_to_end(const char *path, const struct sample *last)
{
	struct config cfg;
	struct err e = ERR_INIT;
	struct sample got;
	int64_t n = 0;
	config_defaults(&cfg);
	cfg.batch = true;
	snprintf(cfg.replay, sizeof cfg.replay, "%s", path);
	struct backend *b = backend_replay_open(&cfg, &e);
	if (!b)
		fail_msg("%s", e.msg);
	sample_init(&got);
	while (b->ops->sample(b, 0, &got, &e) == 0)
		n++;
	assert_null(recorded_differs(last, &got));
	sample_done(&got);
	b->ops->close(b);
	return n;
}

#define SMALL                                                                                                \
	"host\n\tpcpus 8\n\tmemory 256G\nvm a x20\n\tload 40% noise 20%\n\tmemory 512M max 1G\n\tstats 2\n"
#define CROWD "vm crowd x150\n\tload 20% noise 10%\n\tmemory 512M max 1G\n\tstart 1500s\n"

static void stays_below(void **state)
{
	(void)state;
	struct config cfg;
	struct err e = ERR_INIT;
	struct sample s;
	config(&cfg, "long.rec");
	struct backend *b = backend_record(sim(SMALL), &cfg, &e);
	assert_non_null(b);
	sample_init(&s);
	int64_t most = run(b, cfg.record, 3000, &s);
	b->ops->close(b);
	assert_in_range(most, SIZE / 2, SIZE);
	int64_t left = recorded_int(cfg.record, "SELECT count(*) FROM tick");
	assert_in_range(left, 200, 2900);
	assert_in_range(read_to_end(cfg.record, &s), left - 64, left);
	assert_int_equal(recorded_int(cfg.record, "SELECT max(tick) FROM tick"), 3000);
	sample_done(&s);
}

/* Eight times as many guests at once: small ticks make room for large ones. */
static void stays_below_on_a_host_that_grows(void **state)
{
	(void)state;
	struct config cfg;
	struct err e = ERR_INIT;
	struct sample s;
	config(&cfg, "grows.rec");
	struct backend *b = backend_record(sim(SMALL CROWD), &cfg, &e);
	assert_non_null(b);
	sample_init(&s);
	int64_t most = run(b, cfg.record, 1900, &s);
	b->ops->close(b);
	assert_int_equal(s.n_vms, 170);
	assert_in_range(most, SIZE / 2, SIZE);
	assert_in_range(read_to_end(cfg.record, &s), 20, 1000);
	sample_done(&s);
}

/* A VM that comes and goes under a new UUID each time leaves nothing behind once its ticks have gone. */
static void forgets_names(void **state)
{
	(void)state;
	struct config cfg;
	struct err e = ERR_INIT;
	struct sample s;
	config(&cfg, "names.rec");
	struct backend *b = backend_record(
		sim(SMALL "vm brief\n\tload 10%\n\tmemory 512M max 1G\nat 20s stop brief\n"), &cfg, &e);
	assert_non_null(b);
	sample_init(&s);
	run(b, cfg.record, 30, &s);
	assert_int_equal(recorded_int(cfg.record, "SELECT count(*) FROM vm WHERE name = 'brief'"), 1);
	run(b, cfg.record, 3000, &s);
	b->ops->close(b);
	sample_done(&s);
	assert_int_equal(recorded_int(cfg.record, "SELECT count(*) FROM vm WHERE name = 'brief'"), 0);
	assert_int_equal(recorded_int(cfg.record, "SELECT count(*) FROM vm"), 20);
	assert_int_equal(recorded_int(cfg.record, "SELECT count(*) FROM vcpu"), 20);
}

/* Recordings called like cfg->record in its folder, and their bytes. */
static int count(const struct config *cfg, int64_t *bytes)
{
	char dir[CFG_TEXT], path[CFG_TEXT + 300];
	int n = 0;
	snprintf(dir, sizeof dir, "%s", cfg->record);
	const char *name = strrchr(cfg->record, '/') + 1;
	*strrchr(dir, '/') = '\0';
	DIR *d = opendir(dir);
	assert_non_null(d);
	*bytes = 0;
	for (struct dirent *f; (f = readdir(d));)
		if (strncmp(f->d_name, name, strlen(name)) == 0) {
			snprintf(path, sizeof path, "%s/%s", dir, f->d_name);
			*bytes += size_of(path);
			n++;
		}
	closedir(d);
	return n;
}

/* The path that is written, as the status says it. */
static const char *path_of(struct backend *b, char path[CFG_TEXT])
{
	struct backend_status st = {0};
	b->ops->status(b, &st);
	snprintf(path, CFG_TEXT, "%s", st.recording);
	return path;
}

static void runs_share_it(void **state)
{
	(void)state;
	struct config cfg;
	struct err e = ERR_INIT;
	struct sample s;
	char path[CFG_TEXT], first[CFG_TEXT] = "";
	int64_t bytes;
	config(&cfg, "runs.rec");
	sample_init(&s);
	for (int i = 0; i < 8; i++) {
		struct backend *b = backend_record(sim(SMALL), &cfg, &e);
		if (!b)
			fail_msg("%s", e.msg);
		path_of(b, path);
		snprintf(first, sizeof first, "%s", i == 0 ? path : first);
		assert_int_equal(strcmp(path, first) == 0, i == 0);
		run(b, path, 400, &s);
		b->ops->close(b);
		read_to_end(path, &s);
		assert_in_range(count(&cfg, &bytes), 1, i + 1);
		assert_in_range(bytes, 1, SIZE);
		usleep(10000); /* whoever was written later shows it */
	}
	assert_int_equal(size_of(first), -1); /* the oldest has gone */
	assert_true(count(&cfg, &bytes) > 1);
	sample_done(&s);
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* A process that records into the same files, until *done is closed; its path. */
static pid_t writes(const struct config *cfg, char path[CFG_TEXT], int *done)
{
	int ready[2], end[2];
	char byte;
	assert_int_equal(pipe(ready) | pipe(end), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err e = ERR_INIT;
		struct sample s;
		close(end[1]);
		sample_init(&s);
		struct backend *b = backend_record(sim(SMALL), cfg, &e);
		run(b, path_of(b, path), 30, &s);
		if (write(ready[1], path, CFG_TEXT) == CFG_TEXT && read(end[0], &byte, 1) == 0)
			b->ops->close(b);
		_exit(0);
	}
	close(ready[1]);
	close(end[0]);
	assert_int_equal(read(ready[0], path, CFG_TEXT), CFG_TEXT);
	close(ready[0]);
	*done = end[1];
	return pid;
}

/* A file that is no recording, one that another process writes, names that are not as vmtop makes them: all
 * stay. */
static void nothing_else_goes(void **state)
{
	(void)state;
	static const char *const names[] = {"mine.rec.20260101T000000Z", "mine.rec.old",
		"mine.rec.20260101T000000Z-1", "mine.record", "mine.rec.20260101T0000Z"};
	struct config cfg;
	struct err e = ERR_INIT;
	struct sample s;
	char path[256], text[CFG_TEXT], next[CFG_TEXT], other[CFG_TEXT];
	int64_t bytes;
	config(&cfg, "mine.rec");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		write_text(recorded_path(path, names[i]), "a text");
	write_text(cfg.record, "another text");
	sample_init(&s);
	struct backend *b = backend_record(sim(SMALL), &cfg, &e);
	assert_non_null(b);
	run(b, path_of(b, text), 3000, &s);
	b->ops->close(b);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_int_equal(size_of(recorded_path(path, names[i])), 6);
	assert_int_equal(size_of(cfg.record), 12);
	assert_int_equal(count(&cfg, &bytes), 7);

	/* The next one wants the room of that run, and not of another that still goes on. */
	int done;
	pid_t writer = writes(&cfg, other, &done);
	b = backend_record(sim(SMALL), &cfg, &e);
	assert_non_null(b);
	run(b, path_of(b, next), 2000, &s);
	assert_int_equal(size_of(text), -1);
	assert_true(size_of(other) > 0);
	close(done);
	assert_int_equal(waitpid(writer, NULL, 0), writer);
	run(b, next, 600, &s);
	assert_int_equal(size_of(other), -1);
	b->ops->close(b);
	sample_done(&s);
}

/* Without a bound a file that is there is an error, as ever. */
static void without_a_bound(void **state)
{
	(void)state;
	struct config cfg;
	struct err e = ERR_INIT;
	config(&cfg, "once.rec");
	cfg.record_size_kib = 0;
	struct backend *b = backend_record(sim(SMALL), &cfg, &e);
	assert_non_null(b);
	b->ops->close(b);
	assert_null(backend_record(sim(SMALL), &cfg, &e));
	assert_non_null(strstr(e.msg, "it exists already"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stays_below),
		cmocka_unit_test(stays_below_on_a_host_that_grows),
		cmocka_unit_test(forgets_names),
		cmocka_unit_test(runs_share_it),
		cmocka_unit_test(nothing_else_goes),
		cmocka_unit_test(without_a_bound),
	};
	return cmocka_run_group_tests(tests, NULL, recorded_teardown);
}
