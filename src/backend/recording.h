/* SPDX-License-Identifier: MIT */
/* The recording's schema, shared by writer (record.c) and reader (replay.c). vmtop-recording(5) describes it.
 *
 * Two kinds of tables: *_tick holds a row per object and tick (counters as the difference to that object's
 * row before, gauges as they are), *_fact a row only when something changed. NULL is absent; the reason for
 * it is in the fact's `absent` list, "column:reason,column:reason". The id of a *_tick row is tick << 20 plus
 * its number in the tick: rows of a tick are found without an index. */
#ifndef VMTOP_RECORDING_H
#define VMTOP_RECORDING_H

#include <stddef.h>

#include "vmtop/sample.h"

enum { RECORDING_APPLICATION_ID = 0x766d7470, RECORDING_SCHEMA = 1, REC_TICK_SHIFT = 20, ABSENT_TEXT = 512 };

enum rec_type { REC_COUNTER, REC_GAUGE, REC_REAL };

/* A value of a sample's struct that goes into a tick table: struct vi64, or struct vf64 for REC_REAL. */
struct rec_field {
	const char *column;
	size_t at;
	enum rec_type type;
};

extern const struct rec_field rec_host_fields[], rec_pcpu_fields[], rec_vm_fields[], rec_vcpu_fields[];
extern const size_t n_rec_host_fields, n_rec_pcpu_fields, n_rec_vm_fields, n_rec_vcpu_fields;
enum { REC_FIELDS_MAX = 40 };

extern const char recording_schema_sql[];

enum avail rec_avail(const void *object, const struct rec_field *f);
/* "unused_kib:no-period,..." of the fields that are absent; "" when all are there. */
void rec_absent(const void *object, const struct rec_field *f, size_t n, char buf[ABSENT_TEXT]);
/* The other way: the reason for one column, AVAIL_NONE when the list does not have it. */
enum avail rec_absent_reason(const char *list, const char *column);

#endif
