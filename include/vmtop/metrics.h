/* SPDX-License-Identifier: MIT */
/* The table of metrics: sets of rows that share their labels. A row's key is the name of the metric; its type
 * is told by the end of the name (_total: a counter, _info: always 1, else a gauge) and its unit by the row,
 * in which the name ends too: s and ns are written as seconds, KiB and B as bytes, % as a ratio. The writer,
 * the manual's section and the test of names come from it. Pure. */
#ifndef VMTOP_METRICS_H
#define VMTOP_METRICS_H

#include "vmtop/fields.h"

enum { METRIC_LABELS = 6 };

struct metric_label {
	const char *name;
	const char *raw; /* hostile; NULL: in buf */
	char buf[64];
};

struct metric_labels {
	int n;
	struct metric_label of[METRIC_LABELS];
};

struct metric_set {
	const char *what;   /* for people: what each series is about */
	const char *labels; /* for people: "vm, uuid, vcpu"; empty: none */
	struct field_set rows;
	size_t (*count)(const struct field_at *at); /* series of each row; NULL: one */
	void (*label)(const struct field_at *at, struct metric_labels *to); /* of series at->i */
	bool of_vcpus;                                                      /* may be limited or left out */
};

extern const struct metric_set metric_sets[];
extern const size_t n_metric_sets;

enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_INFO };
enum metric_type metric_type(const struct field *field);
const char *metric_type_name(enum metric_type type);
const char *metric_unit(const struct field *field); /* "seconds", "bytes", "ratio"; empty: none */
/* The number in that unit. false: not known. */
bool metric_value(const struct field *field, const struct field_at *at, double *to);

#endif
