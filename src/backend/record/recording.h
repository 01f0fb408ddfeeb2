/* SPDX-License-Identifier: MIT */
/* The recording's schema, shared by writer (record*.c) and reader (replay*.c). vmtop-recording(5) describes
 * it.
 *
 * Two kinds of tables: *_tick holds a row per object and tick (counters as the difference to that object's
 * row before, gauges as they are), *_fact a row only when something changed, with the totals of the counters
 * as of that tick. NULL is absent; the reason for it is in the newest fact's `absent` list,
 * "column:reason,column:reason". A counter's first row has no difference: NULL, and the total is in the fact
 * of that tick. At a key tick all facts are written anew, so that reading may begin there. The id of a *_tick
 * row is tick << 20 plus its number in the tick: the rows of a tick are found without an index. */
#ifndef VMTOP_RECORDING_H
#define VMTOP_RECORDING_H

#include <sqlite3.h>
#include <stddef.h>

#include "vmtop/plan.h"
#include "vmtop/sample.h"

struct config;
struct err;
struct log_line;
struct setting;

enum {
	RECORDING_APPLICATION_ID = 0x766d7470, /* "vmtp" */
	RECORDING_SCHEMA = 1,
	REC_PAGE_BYTES = 8192,
	REC_TICK_SHIFT = 20,
	REC_KEY_TICKS = 64,     /* a key tick at least so often, */
	REC_KEY_ROWS = 1 << 17, /* or after so many rows, */
	REC_KEY_APART = 8,      /* but never more often */
	ABSENT_TEXT = 1024,
	REC_CPUS_TEXT = 8192,
	REC_FIELDS_MAX = 24,
	REC_ISOLATED = 1 << 0, /* of pcpu_fact.isolated */
	REC_NOHZ_FULL = 1 << 1,
};

enum rec_type {
	REC_COUNTER,
	REC_GAUGE,
	REC_REAL, /* struct vf64, all others struct vi64 */
	REC_AGE,  /* a time, written as how long it was before the tick's wall_ns */
};

/* A value of a sample's struct that goes into a table. */
struct rec_field {
	const char *column;
	size_t at;
	enum rec_type type;
	bool kib; /* memory: bounded as rec_kib() says */
};
struct rec_group {
	const struct rec_field *fields;
	size_t n;
};

/* Columns of *_tick after id and key, and of *_fact after its own ones: totals, or values that rarely change.
 */
extern const struct rec_group rec_host, rec_pcpu, rec_vm, rec_vm_seldom, rec_vm_io, rec_vm_why,
	rec_vm_why_seldom, rec_vcpu;

extern const char recording_schema_sql[], recording_views_sql[];

enum avail rec_avail(const void *object, const struct rec_field *field);
struct vi64 *rec_vi64(void *object, const struct rec_field *field);
const struct vi64 *rec_vi64_of(const void *object, const struct rec_field *field);
struct vf64 *rec_vf64(void *object, const struct rec_field *field);
const struct vf64 *rec_vf64_of(const void *object, const struct rec_field *field);

/* "unused_kib:no-period,..." of the fields that are absent, groups one after the other; "" when all are
 * there. */
void rec_absent(const void *object, const struct rec_group *const *groups, size_t n, char buf[ABSENT_TEXT]);
/* The other way: the reason for one column, AVAIL_OK when the list does not have it. */
enum avail rec_absent_reason(const char *list, const char *column);
/* Groups whose absence a VM's fact states, and its fact of why it is slow. */
enum { REC_VM_GROUPS = 3, REC_WHY_GROUPS = 2 };
extern const struct rec_group *const rec_vm_groups[REC_VM_GROUPS], *const rec_why_groups[REC_WHY_GROUPS];

/* A line of the decision log, from a row of these columns. */
#define REC_LOG_COLUMNS "wall_ns, kind, vm, vcpu, memory, outcome, text, reason"
void rec_line_read(sqlite3_stmt *stmt, struct log_line *line);

/* Words in tables that stand for enums. */
const char *rec_log_kind(int kind);
const char *rec_memory_state(int state);
/* The other way. rec_word: index of the word among names(0) .. names(last), else `none`. */
int rec_word(const char *(*names)(int), int last, const char *word, int none);
enum reason rec_reason(const char *key);
enum outcome rec_outcome(const char *text);

/* A setting of a recording that a replay takes over: what steers, nothing else. */
bool rec_setting(const struct setting *setting);
/* Puts the settings that were read again for the n-th time onto cfg. -1: there is nothing of that number. */
int rec_change_read(sqlite3 *db, int64_t change, struct config *cfg);

/* recording_check.c: sets what no recording needs out of reach, and how long a question may take in a file of
 * so many bytes. An SQLite result. */
int recording_harmless(sqlite3 *db, int64_t bytes);
/* Refuses what vmtop does not write: views, triggers, virtual tables, computed columns, ... */
int recording_check(sqlite3 *db, const char *path, struct err *err);
/* Opens a file for reading and checks that it is a recording of this schema: regular, id, version, entries.
 */
int recording_open(const char *path, sqlite3 **db, struct err *err);
/* A number of a column, within what can be added and subtracted without overflow: a file may hold anything.
 * KiB also within what can be told in bytes and summed over VMs. */
int64_t rec_int(sqlite3_stmt *stmt, int column);
int64_t rec_kib(sqlite3_stmt *stmt, int column);
/* The same: it fits into an integer, and sums of its square are finite. */
double rec_real(sqlite3_stmt *stmt, int column);
/* Text of a column, never NULL. */
const char *rec_text(sqlite3_stmt *stmt, int column);

#endif
