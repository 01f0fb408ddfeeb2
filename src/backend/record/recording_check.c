/* SPDX-License-Identifier: MIT */
/* What may be in a recording, which may come from anywhere: plain tables, and of indexes and views those that
 * vmtop makes, word for word. Invariant: nothing in the file is run, and no question to it goes on for longer
 * than its size explains: a view, a trigger, a computed column or a table that points to itself could. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "recording.h"
#include "vmtop/err.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

enum { OPS_AT_ONCE = 10000, SCHEMA_ENTRIES = 256 };
#define OPS_LEAST INT64_C(64000000) /* about a second */
#define OPS_BYTE  4

/* Steps of SQLite's machine that one question may take. */
struct budget {
	int64_t ops, left;
	bool spent;
};

static int count_ops(void *arg)
{
	struct budget *budget = arg;
	budget->left -= OPS_AT_ONCE;
	budget->spent |= budget->left < 0;
	return budget->spent;
}

static int next_question(unsigned what, void *arg, void *statement, void *text)
{
	struct budget *budget = arg;
	(void)what, (void)statement, (void)text;
	budget->left = budget->ops;
	return 0;
}

static void never_called(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	(void)n, (void)v;
	sqlite3_result_null(ctx);
}

/* The budget lives as long as the connection: as the argument of a function that nobody calls. */
static int set_budget(sqlite3 *db, int64_t bytes)
{
	struct budget *budget = calloc(1, sizeof *budget);
	if (!budget)
		return SQLITE_NOMEM;
	budget->ops = budget->left = OPS_LEAST + max_of(bytes, 0) * OPS_BYTE;
	int rc = sqlite3_create_function_v2(
		db, "vmtop_budget", 0, SQLITE_UTF8, budget, never_called, NULL, NULL, free);
	if (rc != SQLITE_OK)
		return rc; /* SQLite has freed it */
	sqlite3_progress_handler(db, OPS_AT_ONCE, count_ops, budget);
	return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, next_question, budget);
}

int recording_harmless(sqlite3 *db, int64_t bytes)
{
	static const struct {
		int which, on;
	} switches[] = {{SQLITE_DBCONFIG_DEFENSIVE, 1}, {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
		{SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_ENABLE_VIEW, 0}};
	static const struct {
		int which, most;
	} limits[] = {{SQLITE_LIMIT_LENGTH, 1 << 20}, {SQLITE_LIMIT_SQL_LENGTH, 16 << 10},
		{SQLITE_LIMIT_COLUMN, 256}, {SQLITE_LIMIT_EXPR_DEPTH, 64}, {SQLITE_LIMIT_COMPOUND_SELECT, 4},
		{SQLITE_LIMIT_ATTACHED, 0}, {SQLITE_LIMIT_WORKER_THREADS, 0}};
	for (size_t i = 0; i < sizeof switches / sizeof *switches; i++)
		sqlite3_db_config(db, switches[i].which, switches[i].on, NULL);
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
		sqlite3_limit(db, limits[i].which, limits[i].most);
	return set_budget(db, bytes);
}

/* ---- what is in it ---- */

/* "holds the view \"x\"", with the name as it may be shown. */
static int refuse(struct err *err, const char *path, const char *what, const char *name)
{
	char shown[64];
	text_escape(shown, sizeof shown, name);
	return err_set(err, ERR_RUNTIME, "%.150s is not as vmtop records: it holds %s \"%s\"; not read", path,
		what, shown);
}

/* The same entry, word for word, is among those that vmtop makes. */
static bool is_ours(sqlite3 *ours, sqlite3_stmt *entry)
{
	sqlite3_stmt *stmt = NULL;
	bool same = false;
	if (sqlite3_prepare_v2(ours, "SELECT 1 FROM sqlite_schema WHERE type = ?1 AND name = ?2 AND sql = ?3",
		    -1, &stmt, NULL) == SQLITE_OK) {
		for (int i = 0; i < 3; i++)
			sqlite3_bind_value(stmt, i + 1, sqlite3_column_value(entry, i));
		same = sqlite3_step(stmt) == SQLITE_ROW;
	}
	sqlite3_finalize(stmt);
	return same;
}

/* of: NULL all columns, else the one of that name. */
static sqlite3_stmt *columns_of(sqlite3 *db, const char *table, const char *of)
{
	sqlite3_stmt *stmt = NULL;
	if (sqlite3_prepare_v2(db,
		    "SELECT name, hidden, type, \"notnull\", dflt_value, pk FROM pragma_table_xinfo(?1)"
		    " WHERE ?2 IS NULL OR name = ?2 COLLATE NOCASE",
		    -1, &stmt, NULL) == SQLITE_OK) {
		sqlite3_bind_text(stmt, 1, table, -1, SQLITE_TRANSIENT);
		sqlite3_bind_text(stmt, 2, of, -1, SQLITE_TRANSIENT);
	}
	return stmt;
}

/* Other versions may have more and fewer; those that are known are as they always were. */
static bool as_known(sqlite3 *ours, const char *table, sqlite3_stmt *column)
{
	sqlite3_stmt *want = columns_of(ours, table, rec_text(column, 0));
	bool same = want != NULL;
	if (same && sqlite3_step(want) == SQLITE_ROW)
		for (int i = 0; i < sqlite3_column_count(want); i++)
			same = same && strcmp(rec_text(column, i), rec_text(want, i)) == 0;
	sqlite3_finalize(want);
	return same;
}

static const char *wrong_columns(sqlite3 *db, sqlite3 *ours, const char *table)
{
	sqlite3_stmt *got = columns_of(db, table, NULL);
	const char *what = got ? NULL : "a table that cannot be read,";
	while (!what && sqlite3_step(got) == SQLITE_ROW) {
		if (sqlite3_column_int(got, 1))
			what = "a computed column, in";
		else if (!as_known(ours, table, got))
			what = "other columns than it should, in";
	}
	sqlite3_finalize(got);
	return what;
}

/* SQLite goes by the text alone, whatever the columns beside it say. */
static bool plain_table(const char *name, const char *sql)
{
	static const char head[] = "CREATE TABLE ";
	size_t n = strlen(name);
	return strncmp(sql, head, sizeof head - 1) == 0 && strncmp(sql + sizeof head - 1, name, n) == 0 &&
	       sql[sizeof head - 1 + n] == '(' && strncmp(name, "sqlite_", 7) != 0;
}

/* type, name, sql. NULL: it may be there. */
static const char *wrong_entry(sqlite3 *db, sqlite3 *ours, sqlite3_stmt *entry)
{
	static const char *const others[] = {"index", "view", "trigger"};
	static const char *const what[] = {"the index", "the view", "the trigger"};
	const char *type = rec_text(entry, 0), *name = rec_text(entry, 1);
	if (strcmp(type, "table") == 0)
		return plain_table(name, rec_text(entry, 2)) ? wrong_columns(db, ours, name) : "the table";
	if (strcmp(type, "index") == 0 && sqlite3_column_type(entry, 2) == SQLITE_NULL)
		return NULL; /* of a UNIQUE column: over columns alone */
	if (is_ours(ours, entry))
		return NULL;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (strcmp(type, others[i]) == 0)
			return what[i];
	return "something of unknown kind,";
}

static int check_entries(sqlite3 *db, sqlite3 *ours, const char *path, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, "SELECT type, name, sql FROM sqlite_schema", -1, &stmt, NULL);
	int n = 0;
	while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *what =
			++n > SCHEMA_ENTRIES ? "too many tables, after" : wrong_entry(db, ours, stmt);
		rc = SQLITE_OK;
		if (what) {
			refuse(err, path, what, rec_text(stmt, 1));
			break;
		}
	}
	if (rc != SQLITE_DONE && rc != SQLITE_OK)
		err_set(err, ERR_RUNTIME, "%.200s is a damaged recording: %.90s", path, sqlite3_errmsg(db));
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? 0 : -1;
}

int recording_check(sqlite3 *db, const char *path, struct err *err)
{
	sqlite3 *ours = NULL;
	int rc = -1;
	if (sqlite3_open_v2(":memory:", &ours, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
			SQLITE_OK ||
		sqlite3_exec(ours, recording_schema_sql, NULL, NULL, NULL) != SQLITE_OK ||
		sqlite3_exec(ours, recording_views_sql, NULL, NULL, NULL) != SQLITE_OK)
		err_set(err, ERR_NOMEM, "out of memory for reading %.200s", path);
	else
		rc = check_entries(db, ours, path, err);
	sqlite3_close_v2(ours);
	return rc;
}
