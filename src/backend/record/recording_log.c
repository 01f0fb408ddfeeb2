/* SPDX-License-Identifier: MIT */
/* The decision log of a recording, line by line. Knows nothing of ticks. */
#include <stdio.h>
#include <string.h>

#include "recording.h"
#include "vmtop/err.h"
#include "vmtop/record.h"

void rec_line_read(sqlite3_stmt *stmt, struct log_line *line)
{
	memset(line, 0, sizeof *line);
	line->wall_ns = rec_int(stmt, 0);
	line->kind = (enum log_kind)rec_word(rec_log_kind, LOG_MARK, rec_text(stmt, 1), LOG_EVENT);
	snprintf(line->vm, sizeof line->vm, "%s", rec_text(stmt, 2));
	line->vcpu = sqlite3_column_int(stmt, 3);
	line->memory = sqlite3_column_int(stmt, 4);
	line->outcome = rec_outcome(rec_text(stmt, 5));
	snprintf(line->text, sizeof line->text, "%s", rec_text(stmt, 6));
	line->reason = rec_reason(rec_text(stmt, 7));
}

int recording_log(
	const char *path, void (*each)(const struct log_line *line, void *arg), void *arg, struct err *err)
{
	sqlite3 *db;
	sqlite3_stmt *stmt = NULL;
	int rc;
	if (recording_open(path, &db, err) < 0)
		return -1;
	rc = sqlite3_prepare_v2(db, "SELECT " REC_LOG_COLUMNS " FROM log ORDER BY rowid", -1, &stmt, NULL);
	while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct log_line line;
		rec_line_read(stmt, &line);
		each(&line, arg);
		rc = SQLITE_OK;
	}
	if (rc != SQLITE_DONE)
		err_set(err, ERR_RUNTIME, "%.200s is a damaged recording: %s", path, sqlite3_errmsg(db));
	sqlite3_finalize(stmt);
	sqlite3_close_v2(db);
	return rc == SQLITE_DONE ? 0 : -1;
}
