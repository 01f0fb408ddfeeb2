/* SPDX-License-Identifier: MIT */
/* The column table: one row per thing that can be said about a VM. The VM table on the screen, batch text,
 * CSV, OpenMetrics, `-o`, `--columns`, their help and the manual's COLUMNS section all come from it. Pure. */
#ifndef VMTOP_COLUMNS_H
#define VMTOP_COLUMNS_H

#include "vmtop/snapshot.h"

enum value_type {
	VALUE_TEXT,    /* text[], raw: escape before showing */
	VALUE_INT,     /* num */
	VALUE_PCT,     /* num: percent of a pCPU, or of the host with column_env.of_host */
	VALUE_SHARE,   /* num: 0..100 percent of something else */
	VALUE_KIB,     /* num */
	VALUE_KIB_S,   /* num: KiB per second */
	VALUE_RATE,    /* num: per second */
	VALUE_BYTES_S, /* num: bytes per second */
	VALUE_SECONDS, /* num */
	VALUE_AGE,     /* num: seconds, shown whole */
};

struct value {
	enum value_type type;
	enum avail avail; /* AVAIL_OK, else why there is none */
	double num;
	char text[VM_NAME_BYTES];
};

struct fleet;

struct column_env {
	const struct snapshot *snap; /* of the columns of a VM table */
	bool of_host;                /* percent of the whole host instead of percent of one pCPU */
	const struct fleet *fleet;   /* of those of a fleet's tables; vm is then the index of a row */
};

struct column {
	const char *key;  /* config, -o, --columns */
	const char *head; /* at most `width` columns */
	const char *unit; /* for the manual: "%", "KiB", "1/s", ... */
	const char *help; /* one line */
	int width;        /* terminal columns; the name takes what is left over */
	bool left;        /* text is aligned to the left */
	bool ascending;   /* sorts upwards at first */
	uint8_t rank; /* default set of the screen: 1 is the last to go when it gets narrow; 0: not in the set
		       */
	unsigned group; /* enum sample_group that must be fetched for it; 0: always there */
	enum value_type type;
	/* vm is an index of env->s->sample.vms; *v is zeroed and has its type. */
	void (*get)(const struct column_env *env, size_t vm, struct value *v);
};

size_t column_count(void);
const struct column *column_at(size_t i);
/* By key or head, without regard to case; -1: no such column. */
int column_find(const char *name);
void column_get(const struct column *column, const struct column_env *env, size_t vm, struct value *val);

/* AUTO keeps its hands off because of a hold, of the VM or of one of its vCPUs. */
bool column_held(const struct snapshot *snap, size_t vm);

/* "name,cpu,wait" into indices; at most cap, doubles dropped. Returns how many, or -1 with err naming the bad
 * one. */
int column_parse(const char *list, uint8_t *out, size_t cap, struct err *err);

/* What a cell shows, unpadded: "-" when absent; raw text comes out escaped. */
void value_format(char *buf, size_t len, const struct value *val);
/* < 0, 0, > 0 in ascending order; absent is below everything. */
int value_compare(const struct value *a, const struct value *b);

#endif
