/* SPDX-License-Identifier: MIT */
/* The decision log of a recording, line by line. */
#include <stdio.h>
#include <string.h>

#include "recording.h"
#include "vmtop/err.h"
#include "vmtop/record.h"

static void read_line(sqlite3_stmt *st, struct log_line *l)
{
	memset(l, 0, sizeof *l);
	l->wall_ns = rec_int(st, 0);
	for (int k = LOG_ACTION; k <= LOG_MARK; k++)
		if (strcmp(rec_log_kind(k), rec_text(st, 1)) == 0)
			l->kind = (enum log_kind)k;
	snprintf(l->vm, sizeof l->vm, "%s", rec_text(st, 2));
	l->vcpu = sqlite3_column_int(st, 3);
	for (enum reason r = REASON_NONE; r < REASON_COUNT; r++)
		if (strcmp(reason_key(r), rec_text(st, 4)) == 0)
			l->reason = r;
	l->memory = sqlite3_column_int(st, 5);
	for (enum outcome o = OUTCOME_PLANNED; o <= OUTCOME_UNKNOWN; o++)
		if (strcmp(outcome_text(o), rec_text(st, 6)) == 0)
			l->outcome = o;
	snprintf(l->text, sizeof l->text, "%s", rec_text(st, 7));
}

int recording_log(
	const char *path, void (*each)(const struct log_line *line, void *arg), void *arg, struct err *e)
{
	sqlite3 *db;
	sqlite3_stmt *st = NULL;
	int rc;
	if (recording_open(path, &db, e) < 0)
		return -1;
	rc = sqlite3_prepare_v2(db,
		"SELECT wall_ns, kind, vm, vcpu, reason, memory, outcome, text FROM log ORDER BY rowid", -1,
		&st, NULL);
	while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct log_line line;
		read_line(st, &line);
		each(&line, arg);
		rc = SQLITE_OK;
	}
	if (rc != SQLITE_DONE)
		err_set(e, ERR_RUNTIME, "%.200s is a damaged recording: %s", path, sqlite3_errmsg(db));
	sqlite3_finalize(st);
	sqlite3_close_v2(db);
	return rc == SQLITE_DONE ? 0 : -1;
}
