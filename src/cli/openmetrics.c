/* SPDX-License-Identifier: MIT */
/* OpenMetrics text: one exposition a tick, ended by "# EOF". Every numeric column of the column table and
 * every host metric of the field table is one, in base units (bytes, seconds). Invariant: an absent value has
 * no line; a name has no control characters.
 */
#include <math.h>
#include <string.h>

#include "vmtop/batch.h"
#include "vmtop/columns.h"
#include "vmtop/fields.h"
#include "vmtop/text.h"

static void label(FILE *to, const char *name, const char *raw)
{
	char clean[4 * VM_NAME_BYTES];
	text_safe_utf8(clean, sizeof clean, raw);
	fprintf(to, "%s=\"", name);
	for (const char *p = clean; *p; p++) {
		if (*p == '\\' || *p == '"')
			fputc('\\', to);
		fputc(*p, to);
	}
	fputc('"', to);
}

struct unit {
	const char *name, *suffix;
	double factor;
};

static const struct unit *unit_of(const char *name)
{
	static const struct unit units[] = {
		{"%", "_percent", 1},
		{"KiB", "_bytes", 1024},
		{"s", "_seconds", 1},
		{"1/s", "_per_second", 1},
		{"KiB/s", "_bytes_per_second", 1024},
		{"B/s", "_bytes_per_second", 1},
		{"", "", 1},
	};
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (strcmp(units[i].name, name) == 0)
			return &units[i];
	return &units[6];
}

static void family(FILE *to, const char *name, const char *suffix, const char *help)
{
	fprintf(to, "# TYPE %s%s gauge\n# HELP %s%s ", name, suffix, name, suffix);
	for (const char *p = help; *p; p++)
		fprintf(to, strchr("\\\"", *p) ? "\\%c" : "%c", *p);
	fputc('\n', to);
}

static bool number_of(const struct field *f, const struct field_at *at, double *to)
{
	struct field_value v;
	field_get(f, at, &v);
	*to = (v.kind == FIELD_REAL ? v.real : (double)v.num) * unit_of(f->unit)->factor;
	return v.kind != FIELD_NULL;
}

static void host_values(FILE *to, const struct snapshot *s)
{
	double x;
	for (size_t i = 0; i < host_metrics.n; i++) {
		const struct field *f = &host_metrics.fields[i];
		if (!number_of(f, &(struct field_at){.s = s}, &x))
			continue;
		family(to, f->key, "", f->help);
		fprintf(to, "%s %.10g\n", f->key, x);
	}
}

static void pcpu_values(FILE *to, const struct snapshot *s)
{
	double x;
	for (size_t i = 0; i < pcpu_metrics.n; i++) {
		const struct field *f = &pcpu_metrics.fields[i];
		family(to, f->key, "", f->help);
		for (size_t p = 0; p < s->sample.host.n_pcpus; p++)
			if (number_of(f, &(struct field_at){s, p}, &x))
				fprintf(to, "%s{pcpu=\"%d\"} %.10g\n", f->key, s->sample.host.pcpus[p].id, x);
	}
}

static void vm_values(struct batch_out *o, const struct snapshot *s, const struct column *c)
{
	const struct unit *u = unit_of(c->unit);
	struct column_env env = {.s = s};
	struct value v;
	char name[64];
	snprintf(name, sizeof name, "vmtop_vm_%s", c->key);
	family(o->to, name, u->suffix, c->help);
	for (size_t vm = 0; vm < s->sample.n_vms; vm++) {
		char uuid[UUID_TEXT];
		column_get(c, &env, vm, &v);
		if (v.avail != AVAIL_OK || !isfinite(v.num))
			continue;
		uuid_format(s->sample.vms[vm].uuid, uuid);
		fprintf(o->to, "%s%s{", name, u->suffix);
		label(o->to, "vm", s->sample.vms[vm].name);
		fprintf(o->to, ",uuid=\"%s\"} %.12g\n", uuid, v.num * u->factor);
	}
}

int openmetrics_write(struct batch_out *o, const struct snapshot *s, struct err *e)
{
	(void)e;
	host_values(o->to, s);
	pcpu_values(o->to, s);
	for (int i = 0; i < o->n_columns; i++) {
		const struct column *c = column_at(o->columns[i]);
		if (c->type != VALUE_TEXT)
			vm_values(o, s, c);
	}
	fputs("# EOF\n", o->to);
	return 0;
}
