/* SPDX-License-Identifier: MIT */
/* Inside the recorder, shared by record*.c only. */
#ifndef VMTOP_RECORD_PRIV_H
#define VMTOP_RECORD_PRIV_H

#include "recording.h"
#include "vmtop/backend.h"
#include "vmtop/record.h"

enum rec_statement {
	ST_TICK,
	ST_NODE,
	ST_PCPU_FACT,
	ST_VM_ADD,
	ST_VM_KEY,
	ST_VM_FACT,
	ST_VM_WHY_FACT,
	ST_VCPU_ADD,
	ST_VCPU_KEY,
	ST_VCPU_FACT,
	ST_CPUS_ADD,
	ST_CPUS_KEY,
	/* one statement a tick: all rows of a table out of a virtual one */
	ST_PCPU_ROWS,
	ST_VM_ROWS,
	ST_VM_IO_ROWS,
	ST_VM_WHY_ROWS,
	ST_VCPU_ROWS,
	ST_ACTION,
	ST_LOG,
	ST_COMMAND,
	ST_DECISION,
	ST_META,
	ST_CONFIG,
	ST_VM_CONFIG,
	ST_SETTING,
	ST_COUNT
};

enum rec_source { SOURCE_PCPU, SOURCE_VM, SOURCE_VM_IO, SOURCE_VM_WHY, SOURCE_VCPU, SOURCE_COUNT };

/* What a row of a *_tick table is made of. prev: the object in the tick before, NULL: it is new. */
struct rec_row {
	const void *now, *prev;
	int64_t key;
};

struct rec_order {
	size_t first_vcpu, vm;
};

struct record {
	struct backend base;
	struct backend *inner;
	sqlite3 *db; /* NULL: given up */
	sqlite3_stmt *st[ST_COUNT];
	struct sample prev; /* what was written last, to write differences and changes only */
	struct rec_row *rows[SOURCE_COUNT];
	size_t n_rows[SOURCE_COUNT], cap_rows[SOURCE_COUNT];
	struct rec_order *order; /* of writing */
	size_t cap_order;
	int64_t *vm_keys, *vcpu_keys; /* parallel to prev */
	size_t cap_vm_keys, cap_vcpu_keys;
	int64_t tick, key_tick, key_time_ns; /* the newest one, and the newest key tick */
	int64_t wall_ns;                     /* of the tick being written */
	int64_t first_tick;                  /* oldest one kept */
	int64_t begun_ns;                    /* what now() said last: the engine asks before it samples */
	int64_t start_ns;                    /* what now() said first, -1: not asked yet */
	bool key;                            /* this tick is a key tick */
	bool over;    /* the newest tick's step is over: what comes now is of the next */
	bool writing; /* a transaction is open */
	double keep_s;
	int64_t room;             /* bytes that all may take that is recorded under this name; 0: any */
	bool others;              /* there may be recordings of earlier runs */
	int64_t changes;          /* how often settings were read again */
	char name[CFG_TEXT + 16]; /* as it was asked for */
	char path[CFG_TEXT + 48]; /* the file that is written */
	char trouble[200];
};

int record_step(struct record *rec, enum rec_statement which);
void record_bind_text(sqlite3_stmt *stmt, int at, const char *raw);
void record_bind_word(sqlite3_stmt *stmt, int at, const char *word); /* a string of a table: no copy */
void record_bind_i64(sqlite3_stmt *stmt, int at, struct vi64 v);
void record_bind_f64(sqlite3_stmt *stmt, int at, struct vf64 v);

void record_execute(struct record *rec, const char *sql);

/* record_bound.c: what has to go so that the recording stays as long, and as large, as it was asked for. */
int64_t record_room(int64_t size_kib);
int record_log_pages(const struct record *rec); /* with so many the write-ahead log is put into the file */
bool record_key_is_due(const struct record *rec, const struct sample *sample);
void record_forget(struct record *rec, const struct sample *sample);

/* record_file.c: makes the file rec->path, a new one. One that is there already is an error, or, where the
 * size of all is bounded, stays beside a new one of another name. */
int record_file_new(struct record *rec, struct err *err);
/* Recordings of earlier runs under the same name: their bytes; removes the one written longest ago that
 * nobody writes, false: there is none. */
int64_t record_others_bytes(const struct record *rec);
bool record_others_drop(const struct record *rec);

/* record_rows.c: makes the virtual tables now_pcpu, now_vm, now_vm_io, now_vm_why, now_vcpu. */
int record_rows_open(struct record *rec);
/* record_sample.c: writes all of a sample; keeps it as prev. */
int record_sample_write(struct record *rec, const struct sample *sample, bool regular);
/* record_notes.c: configuration, actions, log lines, commands and decisions of the tick written last. */
void record_head_write(struct record *rec, const struct config *cfg);
/* What is other than it was becomes change number rec->changes; false: nothing is. */
bool record_settings_write(struct record *rec, const struct config *was, const struct config *now);
void record_action_write(struct record *rec, const struct action *action, size_t n);
void record_log_write(struct record *rec, const struct log_line *line);
void record_command_write(struct record *rec, const struct command *cmd, int64_t now_ns);
void record_decision_write(struct record *rec, const struct decision *decision);

#endif
