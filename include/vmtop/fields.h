/* SPDX-License-Identifier: MIT */
/* The table of output fields: one row for each key of a JSON line. The writers, the manual's list of keys and
 * the test of names all come from it; within JSON schema 1 a row may be added, never renamed, removed or
 * retyped. The rows of metrics.h are of the same make. Pure. */
#ifndef VMTOP_FIELDS_H
#define VMTOP_FIELDS_H

#include "vmtop/tally.h"

/* What is looked at: the snapshot, the index of a pCPU, VM, vCPU or action in its array, and for metrics what
 * was tallied up to it. */
struct field_at {
	const struct snapshot *snap;
	size_t index; /* of the VM, vCPU, pCPU ... */
	const struct tally *tally;
};

enum field_kind {
	FIELD_NULL, /* not known */
	FIELD_INT,  /* num */
	FIELD_REAL, /* real; finite */
	FIELD_BOOL, /* num */
	FIELD_TEXT, /* text: raw, from the snapshot, a constant or buf */
	FIELD_CPUS, /* cpus */
};

struct field_value {
	enum field_kind kind;
	int64_t num;
	double real;
	const char *text;
	const struct cpuset *cpus;
	char buf[400];
};

/* Where a member stands that is taken as it is. */
enum field_base {
	FIELD_COMPUTED, /* by get() */
	FIELD_OF_SNAPSHOT,
	FIELD_OF_PCPU,
	FIELD_OF_PCPU_RATE,
	FIELD_OF_VM,
	FIELD_OF_VM_RATE,
	FIELD_OF_VM_STATUS,
	FIELD_OF_VCPU,
	FIELD_OF_VCPU_RATE,
	FIELD_OF_ACTION,
	FIELD_OF_TALLY,
	FIELD_OF_VM_TALLY,
	FIELD_OF_VCPU_TALLY,
	FIELD_OF_PCPU_TALLY,
};

struct field {
	const char *key, *unit, *help; /* unit as in the column table; help: one line */
	enum field_base base;
	size_t at;
	char type;    /* of the member: 'f' vf64, 'i' vi64, 'n' int, 'l' int64_t, 'b' bool, 't' char array */
	bool or_null; /* a negative number or an empty text is not known */
	void (*get)(const struct field_at *at, struct field_value *v);      /* *v is FIELD_NULL */
	const struct field_set *set;                                        /* an object, or a list of them */
	void (*range)(const struct field_at *at, size_t *first, size_t *n); /* of a list */
};

struct field_set {
	const struct field *fields;
	size_t n;
};

extern const struct field_set json_fields; /* of a line */
extern const struct field_set why_fields;  /* of a VM, for vmtop why */

void field_get(const struct field *field, const struct field_at *at, struct field_value *val);
/* Every leaf below the set, with its path: "vms[].memory.max_kib". */
void fields_each(const struct field_set *set,
	void (*leaf)(const char *path, const struct field *field, void *arg), void *arg);

#endif
