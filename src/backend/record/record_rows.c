/* SPDX-License-Identifier: MIT */
/* Rows of a tick as virtual tables, so that one INSERT ... SELECT writes them all: a statement for each row
 * costs several times as much. Column 0 is the id, column 1 the key, then the fields of the group. Invariant:
 * a counter is the difference to the row before, NULL where there is none. Reads r->rows, changes nothing. */
#include <stdlib.h>
#include <string.h>

#include "record_priv.h"

static const struct {
	const char *name, *columns;
	const struct rec_group *group;
} sources[] = {
	[SOURCE_PCPU] = {"now_pcpu", "CREATE TABLE x(id, pcpu, busy_ns, idle_ns, steal_ns, speed_pct)",
		&rec_pcpu},
	[SOURCE_VM] = {"now_vm",
		"CREATE TABLE x(id, vm_key, cpu_time_ns, balloon_kib, unused_kib, usable_kib, guest_kib,"
		" caches_kib, rss_kib, swap_in_kib, swap_out_kib, major_faults, stats_age_ns)",
		&rec_vm},
	[SOURCE_VM_IO] = {"now_vm_io",
		"CREATE TABLE x(id, vm_key, rd_reqs, wr_reqs, rd_bytes, wr_bytes, rx_bytes, tx_bytes,"
		" rx_pkts, tx_pkts)",
		&rec_vm_io},
	[SOURCE_VM_WHY] = {"now_vm_why",
		"CREATE TABLE x(id, vm_key, helper_run_ns, helper_wait_ns, helper_pcpu, swapped_kib,"
		" throttled_ns, psi_cpu_pct, psi_memory_pct, psi_io_pct, exits, polled_ns, disk_ns,"
		" disk_reqs)",
		&rec_vm_why},
	[SOURCE_VCPU] = {"now_vcpu", "CREATE TABLE x(id, vcpu_key, run_ns, wait_ns, pcpu)", &rec_vcpu},
};

struct source {
	sqlite3_vtab base;
	struct record *r;
	enum rec_source which;
};
struct cursor {
	sqlite3_vtab_cursor base;
	size_t at;
};

/* What sqlite3_create_module() is told for each: the record and which of its tables it is. */
struct source_arg {
	struct record *r;
	enum rec_source which;
};

static int source_connect(
	sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **to, char **error)
{
	const struct source_arg *arg = aux;
	(void)argc;
	(void)argv;
	(void)error;
	int rc = sqlite3_declare_vtab(db, sources[arg->which].columns);
	struct source *source = rc == SQLITE_OK ? calloc(1, sizeof *source) : NULL;
	if (!source)
		return rc == SQLITE_OK ? SQLITE_NOMEM : rc;
	source->r = arg->r;
	source->which = arg->which;
	*to = &source->base;
	return SQLITE_OK;
}

static int source_disconnect(sqlite3_vtab *vtab)
{
	free(vtab);
	return SQLITE_OK;
}

static int source_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
	(void)vtab;
	info->estimatedCost = 1e6;
	return SQLITE_OK;
}

static int source_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **to)
{
	(void)vtab;
	struct cursor *cursor = calloc(1, sizeof *cursor);
	if (!cursor)
		return SQLITE_NOMEM;
	*to = &cursor->base;
	return SQLITE_OK;
}

static int source_close(sqlite3_vtab_cursor *cursor)
{
	free(cursor);
	return SQLITE_OK;
}

static int source_filter(sqlite3_vtab_cursor *cursor, int n, const char *text, int argc, sqlite3_value **argv)
{
	(void)n;
	(void)text;
	(void)argc;
	(void)argv;
	((struct cursor *)cursor)->at = 0;
	return SQLITE_OK;
}

static int source_next(sqlite3_vtab_cursor *cursor)
{
	((struct cursor *)cursor)->at++;
	return SQLITE_OK;
}

static int source_eof(sqlite3_vtab_cursor *cursor)
{
	const struct source *source = (const struct source *)cursor->pVtab;
	return ((struct cursor *)cursor)->at >= source->r->n_rows[source->which];
}

static int source_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *id)
{
	*id = (sqlite3_int64)((struct cursor *)cursor)->at;
	return SQLITE_OK;
}

/* No result set means NULL. */
static void field_result(sqlite3_context *to, const struct record *rec, const struct rec_row *row,
	const struct rec_field *field)
{
	const struct vi64 *v = rec_vi64_of(row->now, field);
	if (rec_avail(row->now, field) != AVAIL_OK)
		return;
	if (field->type == REC_REAL) {
		sqlite3_result_double(to, rec_vf64_of(row->now, field)->v);
		return;
	}
	if (field->type == REC_GAUGE) {
		sqlite3_result_int64(to, v->v);
	} else if (field->type == REC_AGE) {
		sqlite3_result_int64(to, rec->wall_ns - v->v);
	} else if (row->prev) {
		const struct vi64 *old = rec_vi64_of(row->prev, field);
		int64_t d;
		if (vi64_has(*old) && !__builtin_sub_overflow(v->v, old->v, &d))
			sqlite3_result_int64(to, d);
	}
}

static int source_column(sqlite3_vtab_cursor *cursor, sqlite3_context *to, int column)
{
	const struct cursor *c = (const struct cursor *)cursor;
	const struct source *source = (const struct source *)cursor->pVtab;
	const struct rec_row *row = &source->r->rows[source->which][c->at];
	if (column == 0)
		sqlite3_result_int64(to, source->r->tick << REC_TICK_SHIFT | (sqlite3_int64)c->at);
	else if (column == 1)
		sqlite3_result_int64(to, row->key);
	else
		field_result(to, source->r, row, &sources[source->which].group->fields[column - 2]);
	return SQLITE_OK;
}

static const sqlite3_module source_module = {
	.xConnect = source_connect,
	.xBestIndex = source_index,
	.xDisconnect = source_disconnect,
	.xOpen = source_open,
	.xClose = source_close,
	.xFilter = source_filter,
	.xNext = source_next,
	.xEof = source_eof,
	.xColumn = source_column,
	.xRowid = source_rowid,
};

int record_rows_open(struct record *rec)
{
	for (int i = 0; i < SOURCE_COUNT; i++) {
		struct source_arg *arg = malloc(sizeof *arg);
		if (!arg)
			return -1;
		*arg = (struct source_arg){rec, (enum rec_source)i};
		if (sqlite3_create_module_v2(rec->db, sources[i].name, &source_module, arg, free) !=
			SQLITE_OK)
			return -1;
	}
	return 0;
}
