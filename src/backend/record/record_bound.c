/* SPDX-License-Identifier: MIT */
/* How long and how large a recording gets. Invariant: what goes is the oldest, and lies before a key tick, so
 * that what is left can be read. Commands and settings stay: they are few, and later ticks depend on them. */
#include <stdio.h>

#include "vmtop/minmax.h"

#include "record_priv.h"

/* A row with its share of pages; so that what goes at once is a small part of the room. */
enum { ROW_BYTES = 64, ROOM_PART = 8, ROOM_LEAST_KIB = 4096, FEW = 3, SPARE_PART = 16, LOG_PAGES = 1000 };

int64_t record_room(int64_t size_kib)
{
	return (max_of(size_kib, ROOM_LEAST_KIB)) * 1024;
}

int record_log_pages(const struct record *rec)
{
	int64_t most = rec->room / SPARE_PART / REC_PAGE_BYTES;
	return most > 0 && most < LOG_PAGES ? (int)most : LOG_PAGES;
}

static size_t most_rows(const struct record *rec)
{
	int64_t most = rec->room / ROOM_PART / ROW_BYTES;
	return most > 0 && most < REC_KEY_ROWS ? (size_t)most : REC_KEY_ROWS;
}

/* Often enough that few rows lie on the way to a place, and that a file from which old ticks go never holds
 * much more than was asked for. */
bool record_key_is_due(const struct record *rec, const struct sample *sample)
{
	double since_s = (double)(sample->time_ns - rec->key_time_ns) / 1e9;
	int64_t ticks = rec->tick - rec->key_tick;
	size_t rows = sample->host.n_pcpus + 3 * sample->n_vms + sample->n_vcpus;
	bool far = ticks >= REC_KEY_TICKS || (size_t)ticks * rows >= most_rows(rec);
	bool old = rec->keep_s > 0 && since_s > rec->keep_s / 8;
	return rec->key_tick == 0 || (ticks >= REC_KEY_APART && (far || old));
}

static int64_t query_value(struct record *rec, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int64_t v = 0;
	if (rec->db && sqlite3_prepare_v2(rec->db, sql, -1, &stmt, NULL) == SQLITE_OK &&
		sqlite3_step(stmt) == SQLITE_ROW)
		v = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return v;
}

/* VMs of which no tick tells any more: in a host on which they come and go, they would add up. */
static void forget_names(struct record *rec)
{
	record_execute(rec, "DELETE FROM vcpu WHERE vcpu_key NOT IN (SELECT vcpu_key FROM vcpu_fact)");
	record_execute(rec, "DELETE FROM vm WHERE vm_key NOT IN (SELECT vm_key FROM vm_fact)"
			    " AND vm_key NOT IN (SELECT vm_key FROM action WHERE vm_key IS NOT NULL)"
			    " AND vm_key NOT IN (SELECT vm_key FROM vcpu)");
}

static void forget_before(struct record *rec, int64_t first)
{
	static const char *const by_id[] = {
		"vcpu_tick", "vm_tick", "vm_io_tick", "vm_why_tick", "vm_why_fact", "pcpu_tick", "node_tick"};
	static const char *const by_tick[] = {
		"tick", "decision", "action", "log", "vm_fact", "vcpu_fact", "pcpu_fact"};
	char sql[160];
	for (size_t i = 0; i < sizeof by_id / sizeof *by_id; i++) {
		snprintf(sql, sizeof sql, "DELETE FROM %s WHERE id < %lld", by_id[i],
			(long long)first << REC_TICK_SHIFT);
		record_execute(rec, sql);
	}
	for (size_t i = 0; i < sizeof by_tick / sizeof *by_tick; i++) {
		snprintf(sql, sizeof sql, "DELETE FROM %s WHERE tick < %lld", by_tick[i], (long long)first);
		record_execute(rec, sql);
	}
	rec->first_tick = first;
}

/* --record-keep: ticks go a few at a time, so that no tick pays for many, and only below a key tick. */
static void forget_old(struct record *rec, const struct sample *sample)
{
	char sql[160];
	int64_t last = sample->time_ns - (int64_t)(rec->keep_s * 1e9);
	if (rec->keep_s <= 0)
		return;
	snprintf(
		sql, sizeof sql, "SELECT max(tick) FROM tick WHERE key AND time_ns <= %lld", (long long)last);
	int64_t key = query_value(rec, sql);
	if (rec->first_tick < key)
		forget_before(rec, key - rec->first_tick > FEW ? rec->first_tick + FEW : key);
}

static int64_t used_bytes(struct record *rec)
{
	int64_t pages = query_value(rec, "PRAGMA page_count") - query_value(rec, "PRAGMA freelist_count");
	return pages * REC_PAGE_BYTES;
}

static bool has_room(struct record *rec)
{
	/* The pages of the next tick are taken before those of the oldest are free. */
	int64_t most = rec->room - rec->room / SPARE_PART;
	int64_t others = rec->others ? record_others_bytes(rec) : 0;
	rec->others = others > 0;
	return used_bytes(rec) + others <= most;
}

/* --record-size: recordings of earlier runs go first, then ticks of this one. The file keeps its free pages
 * and fills them again. Where few large ticks follow many small ones, it takes more and more of them. */
static void forget_for_room(struct record *rec)
{
	int64_t n = FEW;
	while (rec->db && rec->room > 0 && !has_room(rec)) {
		if (rec->others && record_others_drop(rec))
			continue;
		if (rec->first_tick >= rec->key_tick)
			return;
		forget_before(rec, rec->key_tick - rec->first_tick > n ? rec->first_tick + n : rec->key_tick);
		n *= 2;
	}
}

void record_forget(struct record *rec, const struct sample *sample)
{
	forget_old(rec, sample);
	forget_for_room(rec);
	if (rec->key && rec->first_tick > 1 && rec->room > 0)
		forget_names(rec);
}
