/* SPDX-License-Identifier: MIT */
/* The decision log of a recording, line by line. Knows nothing of ticks. */
#include <stdio.h>
#include <string.h>

#include "recording.h"
#include "vmtop/err.h"
#include "vmtop/record.h"

void rec_line_read(sqlite3_stmt *st, struct log_line *l)
{
	memset(l, 0, sizeof *l);
	l->wall_ns = rec_int(st, 0);
	l->kind = (enum log_kind)rec_word(rec_log_kind, LOG_MARK, rec_text(st, 1), LOG_EVENT);
	snprintf(l->vm, sizeof l->vm, "%s", rec_text(st, 2));
	l->vcpu = sqlite3_column_int(st, 3);
	l->memory = sqlite3_column_int(st, 4);
	l->outcome = rec_outcome(rec_text(st, 5));
	snprintf(l->text, sizeof l->text, "%s", rec_text(st, 6));
	l->reason = rec_reason(rec_text(st, 7));
}

int recording_log(
	const char *path, void (*each)(const struct log_line *line, void *arg), void *arg, struct err *e)
{
	sqlite3 *db;
	sqlite3_stmt *st = NULL;
	int rc;
	if (recording_open(path, &db, e) < 0)
		return -1;
	rc = sqlite3_prepare_v2(db, "SELECT " REC_LOG_COLUMNS " FROM log ORDER BY rowid", -1, &st, NULL);
	while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct log_line line;
		rec_line_read(st, &line);
		each(&line, arg);
		rc = SQLITE_OK;
	}
	if (rc != SQLITE_DONE)
		err_set(e, ERR_RUNTIME, "%.200s is a damaged recording: %s", path, sqlite3_errmsg(db));
	sqlite3_finalize(st);
	sqlite3_close_v2(db);
	return rc == SQLITE_DONE ? 0 : -1;
}
