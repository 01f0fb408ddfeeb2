/* SPDX-License-Identifier: MIT */
/* Record: a backend around another one that writes every sample and every action into an SQLite file.
 * Invariant: one transaction a tick, so that a reader and a crash see whole ticks only; a recording that
 * cannot be written is given up with one line and never disturbs what it records. */
#include "vmtop/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record_priv.h"
#include "vmtop/command.h"
#include "vmtop/text.h"

static const char *const statement_sql[] = {
	[ST_TICK] = "INSERT INTO tick VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[ST_NODE] = "INSERT INTO node_tick VALUES(?,?,?,?)",
	[ST_PCPU_FACT] = "INSERT INTO pcpu_fact VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[ST_VM_ADD] = "INSERT OR IGNORE INTO vm(uuid, name) VALUES(?,?)",
	[ST_VM_KEY] = "SELECT vm_key FROM vm WHERE uuid = ?",
	[ST_VM_FACT] =
		"INSERT INTO vm_fact VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[ST_VM_WHY_FACT] = "INSERT INTO vm_why_fact VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[ST_VCPU_ADD] = "INSERT OR IGNORE INTO vcpu(vm_key, vcpu) VALUES(?,?)",
	[ST_VCPU_KEY] = "SELECT vcpu_key FROM vcpu WHERE vm_key = ? AND vcpu = ?",
	[ST_VCPU_FACT] = "INSERT INTO vcpu_fact VALUES(?,?,?,?,?,?,?,?,?,?,?)",
	[ST_CPUS_ADD] = "INSERT OR IGNORE INTO cpus(list) VALUES(?)",
	[ST_CPUS_KEY] = "SELECT cpus_key FROM cpus WHERE list = ?",
	[ST_PCPU_ROWS] = "INSERT INTO pcpu_tick SELECT * FROM now_pcpu",
	[ST_VM_ROWS] = "INSERT INTO vm_tick SELECT * FROM now_vm",
	[ST_VM_IO_ROWS] = "INSERT INTO vm_io_tick SELECT * FROM now_vm_io",
	[ST_VM_WHY_ROWS] = "INSERT INTO vm_why_tick SELECT * FROM now_vm_why",
	[ST_VCPU_ROWS] = "INSERT INTO vcpu_tick SELECT * FROM now_vcpu",
	[ST_ACTION] = "INSERT INTO action VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[ST_LOG] = "INSERT INTO log VALUES(?,?,?,?,?,?,?,?,?)",
	[ST_COMMAND] = "INSERT INTO command VALUES(?,?,?,?,?,?,?,?,?)",
	[ST_DECISION] = "INSERT OR REPLACE INTO decision VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[ST_META] = "INSERT OR REPLACE INTO meta VALUES(?,?)",
	[ST_CONFIG] = "INSERT OR REPLACE INTO config VALUES(?,?)",
	[ST_VM_CONFIG] = "INSERT INTO vm_config(pattern, key, value) VALUES(?,?,?)",
	[ST_SETTING] = "INSERT INTO setting(change, pattern, key, value) VALUES(?,?,?,?)",
};

static void close_db(struct record *rec)
{
	for (int i = 0; i < ST_COUNT; i++)
		sqlite3_finalize(rec->st[i]);
	memset(rec->st, 0, sizeof rec->st);
	sqlite3_close_v2(rec->db);
	rec->db = NULL;
}

static void give_up(struct record *rec, const char *what)
{
	if (!rec->db)
		return;
	snprintf(rec->trouble, sizeof rec->trouble, "recording stopped: %.60s: %.80s", rec->path,
		what ? what : sqlite3_errmsg(rec->db));
	close_db(rec);
}

int record_step(struct record *rec, enum rec_statement which)
{
	if (!rec->db)
		return -1;
	int rc = sqlite3_step(rec->st[which]);
	if (rc == SQLITE_DONE || rc == SQLITE_ROW) {
		sqlite3_reset(rec->st[which]);
		return 0;
	}
	give_up(rec, NULL);
	return -1;
}

void record_bind_text(sqlite3_stmt *stmt, int at, const char *raw)
{
	char safe[VM_NAME_BYTES * 3 + 4096];
	text_utf8(safe, sizeof safe, raw);
	sqlite3_bind_text(stmt, at, safe, -1, SQLITE_TRANSIENT);
}

void record_bind_word(sqlite3_stmt *stmt, int at, const char *word)
{
	sqlite3_bind_text(stmt, at, word, -1, SQLITE_STATIC);
}

void record_bind_i64(sqlite3_stmt *stmt, int at, struct vi64 v)
{
	if (vi64_has(v))
		sqlite3_bind_int64(stmt, at, v.v);
	else
		sqlite3_bind_null(stmt, at);
}

void record_bind_f64(sqlite3_stmt *stmt, int at, struct vf64 v)
{
	if (vf64_has(v))
		sqlite3_bind_double(stmt, at, v.v);
	else
		sqlite3_bind_null(stmt, at);
}

void record_execute(struct record *rec, const char *sql)
{
	if (rec->db && sqlite3_exec(rec->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		give_up(rec, NULL);
}

static void begin(struct record *rec)
{
	if (rec->writing || !rec->db)
		return;
	record_execute(rec, "BEGIN IMMEDIATE");
	rec->writing = true;
}

static void commit(struct record *rec)
{
	if (rec->writing)
		record_execute(rec, "COMMIT");
	rec->writing = false;
}

/* A tick is begun by its sample and ends with the next one or with the wait, so that what was decided on it
 * is in the same transaction. */
static int record_sample(struct backend *backend, unsigned groups, struct sample *to, struct err *err)
{
	struct record *rec = (struct record *)backend;
	if (rec->inner->ops->sample(rec->inner, groups, to, err) < 0)
		return -1;
	commit(rec);
	begin(rec);
	if (!rec->db)
		return 0;
	rec->tick++;
	rec->over = false;
	rec->key = record_key_is_due(rec, to);
	if (rec->key) {
		rec->key_tick = rec->tick;
		rec->key_time_ns = to->time_ns;
	}
	if (record_sample_write(rec, to, groups & SAMPLE_REGULAR) < 0)
		give_up(rec, "out of memory");
	else
		record_forget(rec, to);
	return 0;
}

static void record_apply(struct backend *backend, struct action *actions, size_t n)
{
	struct record *rec = (struct record *)backend;
	rec->inner->ops->apply(rec->inner, actions, n); /* what became of them comes with the decision */
}

static void record_note(struct backend *backend, const struct log_line *line)
{
	struct record *rec = (struct record *)backend;
	begin(rec);
	if (rec->db)
		record_log_write(rec, line);
}

static void record_obeyed(struct backend *backend, const struct command *cmd)
{
	struct record *rec = (struct record *)backend;
	begin(rec);
	if (rec->db)
		record_command_write(rec, cmd, rec->inner->ops->now(rec->inner));
}

static void record_decided(struct backend *backend, const struct decision *decision)
{
	struct record *rec = (struct record *)backend;
	begin(rec);
	if (rec->db && rec->tick && !decision->leaving)
		record_decision_write(rec, decision);
	for (size_t i = 0; i < decision->n_actions && rec->db && rec->tick; i++)
		record_action_write(rec, &decision->actions[i], i);
	rec->over = true;
}

static void record_configured(struct backend *backend, const struct config *was, const struct config *now)
{
	struct record *rec = (struct record *)backend;
	begin(rec);
	if (rec->db && record_settings_write(rec, was, now))
		record_obeyed(
			backend, &(struct command){.kind = CMD_CONFIGURE, .number = (double)rec->changes});
}

static enum wake record_wait(struct backend *backend, int64_t until_ns, int fd)
{
	struct record *rec = (struct record *)backend;
	commit(rec);
	return rec->inner->ops->wait(rec->inner, until_ns, fd);
}

static void end(struct record *rec)
{
	commit(rec);
	/* One file is left, without the write-ahead log beside it, unless somebody reads it. */
	if (rec->db)
		sqlite3_exec(rec->db, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE", NULL,
			NULL, NULL);
	close_db(rec);
	sample_done(&rec->prev);
	for (int i = 0; i < SOURCE_COUNT; i++)
		free(rec->rows[i]);
	free(rec->order);
	free(rec->vm_keys);
	free(rec->vcpu_keys);
	free(rec);
}

static void record_close(struct backend *backend)
{
	struct backend *inner = ((struct record *)backend)->inner;
	end((struct record *)backend);
	inner->ops->close(inner);
}

/* The engine's first look at the clock is the time from which it counts memory cycles: a replay needs it. */
static int64_t record_now(struct backend *backend)
{
	struct record *rec = (struct record *)backend;
	int64_t now = rec->begun_ns = rec->inner->ops->now(rec->inner);
	if (rec->start_ns < 0 && rec->db) {
		char text[32];
		rec->start_ns = now;
		snprintf(text, sizeof text, "%lld", (long long)now);
		begin(rec);
		if (rec->db) {
			record_bind_word(rec->st[ST_META], 1, "start_ns");
			record_bind_text(rec->st[ST_META], 2, text);
			record_step(rec, ST_META);
		}
		commit(rec);
	}
	return now;
}

static void record_status(struct backend *backend, struct backend_status *status)
{
	struct record *rec = (struct record *)backend;
	rec->inner->ops->status(rec->inner, status);
	status->recording_lost = *rec->trouble;
	snprintf(status->recording, sizeof status->recording, "%.199s", rec->db ? rec->path : "");
	if (*rec->trouble && !*status->text)
		snprintf(status->text, sizeof status->text, "%.150s", rec->trouble);
}

static struct backend *record_inner(const struct backend *backend)
{
	return ((const struct record *)backend)->inner;
}

static const struct backend_ops record_ops = {
	.sample = record_sample,
	.apply = record_apply,
	.wait = record_wait,
	.close = record_close,
	.now = record_now,
	.status = record_status,
	.note = record_note,
	.obeyed = record_obeyed,
	.decided = record_decided,
	.configured = record_configured,
	.inner = record_inner,
};

static int open_db(struct record *rec, struct err *err)
{
	char head[320];
	snprintf(head, sizeof head,
		"PRAGMA page_size = %d; PRAGMA application_id = %d; PRAGMA user_version = %d;"
		"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 33554432;"
		"PRAGMA wal_autocheckpoint = %d",
		REC_PAGE_BYTES, RECORDING_APPLICATION_ID, RECORDING_SCHEMA, record_log_pages(rec));
	bool ok = sqlite3_open_v2(rec->path, &rec->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ==
			  SQLITE_OK &&
		  sqlite3_exec(rec->db, head, NULL, NULL, NULL) == SQLITE_OK &&
		  sqlite3_exec(rec->db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK &&
		  sqlite3_exec(rec->db, recording_schema_sql, NULL, NULL, NULL) == SQLITE_OK &&
		  sqlite3_exec(rec->db, recording_views_sql, NULL, NULL, NULL) == SQLITE_OK &&
		  record_rows_open(rec) == 0;
	for (int i = 0; ok && i < ST_COUNT; i++)
		ok = sqlite3_prepare_v3(rec->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &rec->st[i],
			     NULL) == SQLITE_OK;
	rec->writing = ok;
	return ok ? 0
		  : err_set(err, ERR_RUNTIME, "cannot write the recording %.200s: %s", rec->path,
			    rec->db ? sqlite3_errmsg(rec->db) : "out of memory");
}

struct backend *backend_record_end(struct backend *backend)
{
	if (backend->ops != &record_ops)
		return backend;
	struct backend *inner = ((struct record *)backend)->inner;
	end((struct record *)backend);
	return inner;
}

struct backend *backend_record(struct backend *inner, const struct config *cfg, struct err *err)
{
	struct backend *backend = backend_record_begin(inner, cfg, err);
	if (!backend)
		inner->ops->close(inner);
	return backend;
}

struct backend *backend_record_begin(struct backend *inner, const struct config *cfg, struct err *err)
{
	struct record *rec = calloc(1, sizeof *rec);
	if (!rec) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	rec->base.ops = &record_ops;
	rec->inner = inner;
	rec->keep_s = cfg->record_keep_s;
	rec->room = cfg->record_size_kib > 0 ? record_room(cfg->record_size_kib) : 0;
	rec->start_ns = -1;
	rec->over = true;
	rec->first_tick = 1;
	/* SQLite takes names that begin with "file:" for something else. */
	snprintf(rec->name, sizeof rec->name, "%s%s", text_if(*cfg->record != '/', "./"), cfg->record);
	sample_init(&rec->prev);
	if (record_file_new(rec, err) < 0 || open_db(rec, err) < 0) {
		end(rec);
		return NULL;
	}
	record_head_write(rec, cfg);
	commit(rec);
	return &rec->base;
}
