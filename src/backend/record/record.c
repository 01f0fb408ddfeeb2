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

static void close_db(struct record *r)
{
	for (int i = 0; i < ST_COUNT; i++)
		sqlite3_finalize(r->st[i]);
	memset(r->st, 0, sizeof r->st);
	sqlite3_close_v2(r->db);
	r->db = NULL;
}

static void give_up(struct record *r, const char *what)
{
	if (!r->db)
		return;
	snprintf(r->trouble, sizeof r->trouble, "recording stopped: %.60s: %.80s", r->path,
		what ? what : sqlite3_errmsg(r->db));
	close_db(r);
}

int record_step(struct record *r, enum rec_statement which)
{
	if (!r->db)
		return -1;
	int rc = sqlite3_step(r->st[which]);
	if (rc == SQLITE_DONE || rc == SQLITE_ROW) {
		sqlite3_reset(r->st[which]);
		return 0;
	}
	give_up(r, NULL);
	return -1;
}

void record_bind_text(sqlite3_stmt *st, int at, const char *raw)
{
	char safe[VM_NAME_BYTES * 3 + 4096];
	text_utf8(safe, sizeof safe, raw);
	sqlite3_bind_text(st, at, safe, -1, SQLITE_TRANSIENT);
}

void record_bind_word(sqlite3_stmt *st, int at, const char *word)
{
	sqlite3_bind_text(st, at, word, -1, SQLITE_STATIC);
}

void record_bind_i64(sqlite3_stmt *st, int at, struct vi64 v)
{
	if (vi64_has(v))
		sqlite3_bind_int64(st, at, v.v);
	else
		sqlite3_bind_null(st, at);
}

void record_bind_f64(sqlite3_stmt *st, int at, struct vf64 v)
{
	if (vf64_has(v))
		sqlite3_bind_double(st, at, v.v);
	else
		sqlite3_bind_null(st, at);
}

void record_execute(struct record *r, const char *sql)
{
	if (r->db && sqlite3_exec(r->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		give_up(r, NULL);
}

static void begin(struct record *r)
{
	if (r->writing || !r->db)
		return;
	record_execute(r, "BEGIN IMMEDIATE");
	r->writing = true;
}

static void commit(struct record *r)
{
	if (r->writing)
		record_execute(r, "COMMIT");
	r->writing = false;
}

/* A tick is begun by its sample and ends with the next one or with the wait, so that what was decided on it
 * is in the same transaction. */
static int record_sample(struct backend *b, unsigned groups, struct sample *to, struct err *e)
{
	struct record *r = (struct record *)b;
	if (r->inner->ops->sample(r->inner, groups, to, e) < 0)
		return -1;
	commit(r);
	begin(r);
	if (!r->db)
		return 0;
	r->tick++;
	r->over = false;
	r->key = record_key_is_due(r, to);
	if (r->key) {
		r->key_tick = r->tick;
		r->key_time_ns = to->time_ns;
	}
	if (record_sample_write(r, to, groups & SAMPLE_REGULAR) < 0)
		give_up(r, "out of memory");
	else
		record_forget(r, to);
	return 0;
}

static void record_apply(struct backend *b, struct action *actions, size_t n)
{
	struct record *r = (struct record *)b;
	r->inner->ops->apply(r->inner, actions, n); /* what became of them comes with the decision */
}

static void record_note(struct backend *b, const struct log_line *line)
{
	struct record *r = (struct record *)b;
	begin(r);
	if (r->db)
		record_log_write(r, line);
}

static void record_obeyed(struct backend *b, const struct command *c)
{
	struct record *r = (struct record *)b;
	begin(r);
	if (r->db)
		record_command_write(r, c, r->inner->ops->now(r->inner));
}

static void record_decided(struct backend *b, const struct decision *d)
{
	struct record *r = (struct record *)b;
	begin(r);
	if (r->db && r->tick && !d->leaving)
		record_decision_write(r, d);
	for (size_t i = 0; i < d->n_actions && r->db && r->tick; i++)
		record_action_write(r, &d->actions[i], i);
	r->over = true;
}

static void record_configured(struct backend *b, const struct config *was, const struct config *now)
{
	struct record *r = (struct record *)b;
	begin(r);
	if (r->db && record_settings_write(r, was, now))
		record_obeyed(b, &(struct command){.kind = CMD_CONFIGURE, .number = (double)r->changes});
}

static enum wake record_wait(struct backend *b, int64_t until_ns, int fd)
{
	struct record *r = (struct record *)b;
	commit(r);
	return r->inner->ops->wait(r->inner, until_ns, fd);
}

static void end(struct record *r)
{
	commit(r);
	/* One file is left, without the write-ahead log beside it, unless somebody reads it. */
	if (r->db)
		sqlite3_exec(r->db, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE", NULL,
			NULL, NULL);
	close_db(r);
	sample_done(&r->prev);
	for (int i = 0; i < SOURCE_COUNT; i++)
		free(r->rows[i]);
	free(r->order);
	free(r->vm_keys);
	free(r->vcpu_keys);
	free(r);
}

static void record_close(struct backend *b)
{
	struct backend *inner = ((struct record *)b)->inner;
	end((struct record *)b);
	inner->ops->close(inner);
}

/* The engine's first look at the clock is the time from which it counts memory cycles: a replay needs it. */
static int64_t record_now(struct backend *b)
{
	struct record *r = (struct record *)b;
	int64_t now = r->begun_ns = r->inner->ops->now(r->inner);
	if (r->start_ns < 0 && r->db) {
		char text[32];
		r->start_ns = now;
		snprintf(text, sizeof text, "%lld", (long long)now);
		begin(r);
		if (r->db) {
			record_bind_word(r->st[ST_META], 1, "start_ns");
			record_bind_text(r->st[ST_META], 2, text);
			record_step(r, ST_META);
		}
		commit(r);
	}
	return now;
}

static void record_status(struct backend *b, struct backend_status *st)
{
	struct record *r = (struct record *)b;
	r->inner->ops->status(r->inner, st);
	st->recording_lost = *r->trouble;
	snprintf(st->recording, sizeof st->recording, "%.199s", r->db ? r->path : "");
	if (*r->trouble && !*st->text)
		snprintf(st->text, sizeof st->text, "%.150s", r->trouble);
}

static struct backend *record_inner(const struct backend *b)
{
	return ((const struct record *)b)->inner;
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

static int open_db(struct record *r, struct err *e)
{
	char head[320];
	snprintf(head, sizeof head,
		"PRAGMA page_size = %d; PRAGMA application_id = %d; PRAGMA user_version = %d;"
		"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 33554432;"
		"PRAGMA wal_autocheckpoint = %d",
		REC_PAGE_BYTES, RECORDING_APPLICATION_ID, RECORDING_SCHEMA, record_log_pages(r));
	bool ok = sqlite3_open_v2(r->path, &r->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ==
			  SQLITE_OK &&
		  sqlite3_exec(r->db, head, NULL, NULL, NULL) == SQLITE_OK &&
		  sqlite3_exec(r->db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK &&
		  sqlite3_exec(r->db, recording_schema_sql, NULL, NULL, NULL) == SQLITE_OK &&
		  sqlite3_exec(r->db, recording_views_sql, NULL, NULL, NULL) == SQLITE_OK &&
		  record_rows_open(r) == 0;
	for (int i = 0; ok && i < ST_COUNT; i++)
		ok = sqlite3_prepare_v3(r->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &r->st[i],
			     NULL) == SQLITE_OK;
	r->writing = ok;
	return ok ? 0
		  : err_set(e, ERR_RUNTIME, "cannot write the recording %.200s: %s", r->path,
			    r->db ? sqlite3_errmsg(r->db) : "out of memory");
}

struct backend *backend_record_end(struct backend *b)
{
	if (b->ops != &record_ops)
		return b;
	struct backend *inner = ((struct record *)b)->inner;
	end((struct record *)b);
	return inner;
}

struct backend *backend_record(struct backend *inner, const struct config *cfg, struct err *e)
{
	struct backend *b = backend_record_begin(inner, cfg, e);
	if (!b)
		inner->ops->close(inner);
	return b;
}

struct backend *backend_record_begin(struct backend *inner, const struct config *cfg, struct err *e)
{
	struct record *r = calloc(1, sizeof *r);
	if (!r) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	r->base.ops = &record_ops;
	r->inner = inner;
	r->keep_s = cfg->record_keep_s;
	r->room = cfg->record_size_kib > 0 ? record_room(cfg->record_size_kib) : 0;
	r->start_ns = -1;
	r->over = true;
	r->first_tick = 1;
	/* SQLite takes names that begin with "file:" for something else. */
	snprintf(r->name, sizeof r->name, "%s%s", *cfg->record == '/' ? "" : "./", cfg->record);
	sample_init(&r->prev);
	if (record_file_new(r, e) < 0 || open_db(r, e) < 0) {
		end(r);
		return NULL;
	}
	record_head_write(r, cfg);
	commit(r);
	return &r->base;
}
