/* SPDX-License-Identifier: MIT */
/* Recordings: a good one, made here, gets cells overwritten as the input says, then is played, with jumps,
 * through the whole engine. (A file of random bytes would not get past SQLite.) */
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include "fuzz.h"
#include "vmtop/engine.h"
#include "vmtop/record.h"
#include "vmtop/scenario.h"

static const char scenario[] = "host\n\tpcpus 4\n\tmemory 8G\n"
			       "vm a\n\tvcpus 2\n\tload 80%\n\tpin 0\n\tmemory 512M max 1G\n\tstats 2\n"
			       "vm b\n\tload 50%\n\tmemory 512M max 1G\n";

static char *whole; /* the good recording */
static size_t whole_size;

static void make(struct config *cfg)
{
	struct err e = ERR_INIT;
	char folder[] = "/tmp/vmtop-fuzz-XXXXXX";
	FUZZ_HOLDS(mkdtemp(folder));
	snprintf(cfg->record, sizeof cfg->record, "%s/r.vmrec", folder);
	struct scenario *s = scenario_parse("fuzz", scenario, sizeof scenario - 1, &e);
	struct backend *b = s ? backend_sim_new(s, true, &e) : NULL;
	b = b ? backend_record(b, cfg, &e) : NULL;
	struct engine *en = b ? engine_new(cfg, b, &e) : NULL;
	if (!en)
		fprintf(stderr, "%s\n", e.msg);
	FUZZ_HOLDS(en);
	for (int i = 0; i < 6; i++) {
		engine_step(en, &e);
		engine_wait(en, -1);
	}
	engine_free(en);
	FILE *f = fopen(cfg->record, "re");
	FUZZ_HOLDS(f && fseek(f, 0, SEEK_END) == 0);
	whole_size = (size_t)ftell(f);
	whole = malloc(whole_size);
	rewind(f);
	FUZZ_HOLDS(whole && fread(whole, 1, whole_size, f) == whole_size);
	fclose(f);
	unlink(cfg->record);
	rmdir(folder);
}

static const char *const hostile[] = {"NULL", "-1", "0", "1e308", "-1e308", "9223372036854775807",
	"-9223372036854775808", "4294967296", "1048576", "''", "'x'", "x'ff00ff'", "randomblob(2000)",
	"'0-1023,5'", "'\x1b[2J'", "zeroblob(40)", "'nan'", "tick + 1", "0.5", "-2"};

/* Four bytes a change: table, column, row, value. */
static void damage(sqlite3 *db, const uint8_t *d)
{
	char table[64] = "", column[64] = "", sql[400];
	sqlite3_stmt *st = NULL;
	snprintf(sql, sizeof sql,
		"SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = "
		"'table'"
		" ORDER BY m.name, c.cid LIMIT 1 OFFSET %d",
		d[0] % 128);
	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
		snprintf(table, sizeof table, "%s", (const char *)sqlite3_column_text(st, 0));
		snprintf(column, sizeof column, "%s", (const char *)sqlite3_column_text(st, 1));
	}
	sqlite3_finalize(st);
	if (!*table)
		return;
	if (d[3] == 255)
		snprintf(sql, sizeof sql, "DELETE FROM \"%s\" LIMIT 1", table);
	else
		snprintf(sql, sizeof sql, "UPDATE OR IGNORE \"%s\" SET \"%s\" = %s %s", table, column,
			hostile[d[3] % (sizeof hostile / sizeof *hostile)], d[2] & 1 ? "" : "LIMIT 1");
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) { /* built without LIMIT in UPDATE */
		char *limit = strstr(sql, "LIMIT 1");
		if (limit)
			*limit = '\0';
		sqlite3_exec(db, sql, NULL, NULL, NULL);
	}
}

static void play(struct config *cfg, const uint8_t *jumps, size_t n)
{
	struct err e = ERR_INIT;
	struct backend *b = backend_replay_open(cfg, &e);
	struct engine *en = b ? engine_new(cfg, b, &e) : NULL;
	FUZZ_HOLDS(en || e.msg[0]);
	for (size_t i = 0; en && i < 8; i++) {
		engine_step(en, &e);
		snapshot_free(engine_snapshot(en));
		if (i < n && jumps[i] & 1) {
			struct command c = {.kind = CMD_REPLAY, .number = (double)(jumps[i] / 2) - 64};
			snprintf(c.text, sizeof c.text, "%s", jumps[i] & 2 ? "step" : "go");
			engine_command(en, &c);
		}
		if (!engine_wait(en, -1))
			break;
	}
	engine_free(en);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *cfg = malloc(sizeof *cfg);
	sqlite3 *db = NULL;
	char path[] = "/dev/shm/vmtop-fuzz-XXXXXX";
	FUZZ_HOLDS(cfg);
	config_defaults(cfg);
	cfg->batch = cfg->auto_cpu = true;
	if (!whole)
		make(cfg);
	int fd = mkstemp(path);
	FUZZ_HOLDS(fd >= 0 && write(fd, whole, whole_size) == (ssize_t)whole_size);
	close(fd);
	FUZZ_HOLDS(sqlite3_open(path, &db) == SQLITE_OK);
	sqlite3_exec(db, "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; BEGIN", NULL, NULL, NULL);
	size_t at = 0;
	for (; at + 4 <= size && at < 64; at += 4)
		damage(db, data + at);
	sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	sqlite3_close(db);
	cfg->record[0] = '\0';
	snprintf(cfg->replay, sizeof cfg->replay, "%s", path);
	play(cfg, data + at, size - at);
	unlink(path);
	free(cfg);
	return 0;
}
