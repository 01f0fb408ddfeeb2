/* SPDX-License-Identifier: MIT */
/* Recordings: a good one, made here, gets cells overwritten as the input says, then everything that reads
 * recordings reads it: the player, with jumps and with --replan, through the whole engine onto the screen and
 * into every output; compare's trace with the policies on it; the log; the settings. (A file of random bytes
 * would not get past SQLite.) */
#include <fcntl.h>
#include <math.h>
#include <sqlite3.h>
#include <unistd.h>

#include "fuzz.h"
#include "vmtop/batch.h"
#include "vmtop/engine.h"
#include "vmtop/options.h"
#include "vmtop/record.h"
#include "vmtop/scenario.h"
#include "vmtop/text.h"
#include "vmtop/trace.h"
#include "vmtop/view.h"

static const char scenario[] = "host\n\tpcpus 4\n\tnodes 2\n\tmemory 8G\n"
			       "vm a\n\tvcpus 2\n\tload 80%\n\tpin 0\n\tmemory 512M max 1G\n\tstats 2\n"
			       "vm b\n\tload 50%\n\tmemory 512M max 1G\n";

/* The good recording, and its cells. */
enum { CELLS = 256, NAME = 32, STEPS = 8 };
static struct {
	unsigned char *file;
	size_t size;
	struct {
		char table[NAME], column[NAME];
	} cells[CELLS];
	size_t n_cells;
} good;

static void list_cells(const char *path)
{
	sqlite3 *db;
	sqlite3_stmt *st;
	FUZZ_HOLDS(sqlite3_open(path, &db) == SQLITE_OK);
	FUZZ_HOLDS(sqlite3_prepare_v2(db,
			   "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c"
			   " WHERE m.type = 'table' ORDER BY m.name, c.cid",
			   -1, &st, NULL) == SQLITE_OK);
	for (; good.n_cells < CELLS && sqlite3_step(st) == SQLITE_ROW; good.n_cells++) {
		snprintf(good.cells[good.n_cells].table, NAME, "%s", sqlite3_column_text(st, 0));
		snprintf(good.cells[good.n_cells].column, NAME, "%s", sqlite3_column_text(st, 1));
	}
	sqlite3_finalize(st);
	sqlite3_close(db);
	FUZZ_HOLDS(good.n_cells > 128 && good.n_cells < CELLS);
}

static void read_whole(const char *path)
{
	FILE *f = fopen(path, "re");
	FUZZ_HOLDS(f && fseek(f, 0, SEEK_END) == 0);
	good.size = (size_t)ftell(f);
	good.file = malloc(good.size);
	rewind(f);
	FUZZ_HOLDS(good.file && fread(good.file, 1, good.size, f) == good.size);
	fclose(f);
}

/* With commands and marks, so that every table has rows. */
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
		if (i == 2)
			engine_command(en, &(struct command){.kind = CMD_REBALANCE});
		if (i == 3)
			engine_command(en, &(struct command){.kind = CMD_MARK, .text = "here"});
		engine_wait(en, -1);
	}
	engine_free(en);
	read_whole(cfg->record);
	list_cells(cfg->record);
	unlink(cfg->record);
	rmdir(folder);
	cfg->record[0] = '\0';
}

static const char *const hostile[] = {"NULL", "-1", "0", "1e308", "-1e308", "9223372036854775807",
	"-9223372036854775808", "4294967296", "1048576", "''", "'x'", "x'ff00ff'", "randomblob(2000)",
	"'0-1023,5'", "'\x1b[2J'", "zeroblob(40)", "'nan'", "tick + 1", "0.5", "-2", "9e999", "-9e999",
	"2147483648", "63", "1000000000000000000"};

/* Four bytes a change: column, more of it and how it is read, row, value. */
static void damage(sqlite3 *db, const uint8_t *d)
{
	size_t i = ((size_t)(d[0] % 128) + (d[1] & 0x80)) % good.n_cells;
	const char *table = good.cells[i].table, *column = good.cells[i].column;
	char sql[400], which[160] = "";
	if (!(d[2] & 1))
		snprintf(which, sizeof which, " WHERE rowid IN (SELECT rowid FROM \"%s\" LIMIT 1 OFFSET %d)",
			table, d[2] / 2 % 16);
	if (d[3] == 255)
		snprintf(sql, sizeof sql, "DELETE FROM \"%s\"%s", table, which);
	else
		snprintf(sql, sizeof sql, "UPDATE OR IGNORE \"%s\" SET \"%s\" = %s%s", table, column,
			hostile[d[3] % (sizeof hostile / sizeof *hostile)], which);
	sqlite3_exec(db, sql, NULL, NULL, NULL); /* a value may not fit there */
}

/* The damage is done in memory; what comes of it is a file, as the readers want it. */
static size_t damaged_file(char *path, const uint8_t *data, size_t size)
{
	sqlite3 *db;
	sqlite3_int64 n = 0;
	size_t at = 0;
	int fd = mkstemp(path);
	unsigned char *copy = sqlite3_malloc64(good.size);
	FUZZ_HOLDS(fd >= 0 && copy && sqlite3_open(":memory:", &db) == SQLITE_OK);
	memcpy(copy, good.file, good.size);
	FUZZ_HOLDS(sqlite3_deserialize(db, "main", copy, (sqlite3_int64)good.size, (sqlite3_int64)good.size,
			   SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE) == SQLITE_OK);
	sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
	for (; at + 4 <= size && at < 64; at += 4)
		damage(db, data + at);
	sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	unsigned char *file = sqlite3_serialize(db, "main", &n, SQLITE_SERIALIZE_NOCOPY);
	FUZZ_HOLDS(file && n > 0 && write(fd, file, (size_t)n) == (ssize_t)n);
	sqlite3_close(db);
	close(fd);
	return at;
}

/* Every output, and the screen in a view that the input chooses. */
static void show(const struct config *cfg, const struct snapshot *s, int key)
{
	static int (*const writers[])(struct batch_out *, const struct snapshot *, struct err *) = {
		text_write, log_write, json_write, csv_write, openmetrics_write};
	struct err e = ERR_INIT;
	struct batch_out o = {.cfg = cfg};
	struct command c;
	struct screen grid;
	struct view *v = view_new(cfg);
	FUZZ_HOLDS(v && screen_init(&grid, 30, 100) == 0 && batch_columns(&o, &e) == 0);
	o.to = fopen("/dev/null", "we");
	FUZZ_HOLDS(o.to);
	for (size_t i = 0; i < sizeof writers / sizeof *writers; i++)
		if (writers[i](&o, s, &e) < 0)
			fprintf(stderr, "output %zu: %s\n", i, e.msg);
	FUZZ_HOLDS(!e.code);
	fclose(o.to);
	tally_free(o.tally);
	view_feed(v, s);
	view_key(v, key, s, &c);
	view_draw(v, s, &grid, s->sample.time_ns, 0);
	for (int i = 0; i < grid.rows * grid.cols; i++)
		FUZZ_HOLDS(grid.cells[i].ch == 0 || (grid.cells[i].ch >= 0x20 && grid.cells[i].ch != 0x7f));
	view_free(v);
	screen_done(&grid);
}

static void jump(struct engine *en, uint8_t byte)
{
	static const char *const how[] = {"go", "step", "at", "play"};
	struct command c = {.kind = CMD_REPLAY, .number = (double)(byte / 8) - 16};
	snprintf(c.text, sizeof c.text, "%s", how[byte / 2 % 4]);
	engine_command(en, &c);
}

static void play(struct config *cfg, const uint8_t *jumps, size_t n, bool shown)
{
	struct err e = ERR_INIT;
	struct backend *b = backend_replay_open(cfg, &e);
	struct engine *en = b ? engine_new(cfg, b, &e) : NULL;
	FUZZ_HOLDS(en || e.msg[0]);
	for (size_t i = 0; en && i < STEPS; i++) {
		engine_step(en, &e);
		struct snapshot *s = engine_snapshot(en);
		FUZZ_HOLDS(s);
		if (shown)
			show(cfg, s, i < n && jumps[i] < 0x80 ? jumps[i] : '0' + (int)(i % 5));
		snapshot_free(s);
		if (i < n && jumps[i] & 1)
			jump(en, jumps[i]);
		if (!engine_wait(en, -1))
			break;
	}
	engine_free(en);
}

/* What vmtop compare does, and each policy for a few steps only. */
static void compare(struct config *cfg, unsigned policy)
{
	struct err e = ERR_INIT;
	struct trace *t = trace_read(cfg, cfg->act_above_pct, &e);
	FUZZ_HOLDS(t || e.msg[0]);
	struct backend *b = t ? trace_backend(t, 1, INFINITY, &e) : NULL;
	FUZZ_HOLDS(!t || b || e.msg[0]);
	cfg->replay[0] = '\0';
	cfg->auto_memory = true;
	cfg->cpu_policy = (enum cpu_policy_id)(policy % (CPU_POLICY_ORIGIN_C + 1));
	cfg->mem_policy = (enum mem_policy_id)(policy % (MEM_POLICY_ORIGIN_C + 1));
	struct engine *en = b ? engine_new(cfg, b, &e) : NULL;
	for (int i = 0; en && i < STEPS; i++) {
		engine_step(en, &e);
		if (!engine_wait(en, -1))
			break;
	}
	engine_free(en);
	trace_free(t);
}

static void take_line(const struct log_line *line, void *arg)
{
	*(size_t *)arg += strlen(line->text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *cfg = malloc(sizeof *cfg);
	struct err e = ERR_INIT;
	char path[] = "/dev/shm/vmtop-fuzz-XXXXXX";
	size_t told = 0;
	FUZZ_HOLDS(cfg);
	config_defaults(cfg);
	cfg->batch = cfg->auto_cpu = true;
	cfg->on_exit = ON_EXIT_KEEP;
	if (!good.file)
		make(cfg);
	size_t at = damaged_file(path, data, size);
	unsigned how = size > 1 ? data[1] % 8 : 0;
	if (how & 1 && recording_config(path, cfg, &e) < 0)
		FUZZ_HOLDS(e.msg[0]);
	snprintf(cfg->replay, sizeof cfg->replay, "%s", path);
	cfg->replan = how & 2;
	if (how == 7)
		FUZZ_HOLDS(recording_log(path, take_line, &told, &e) == 0 || e.msg[0]);
	if (how == 6)
		compare(cfg, size > 2 ? data[2] : 0);
	else
		play(cfg, data + at, size - at, how & 4);
	unlink(path);
	free(cfg);
	return 0;
}
