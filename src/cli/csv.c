/* SPDX-License-Identifier: MIT */
/* CSV in long form: a row per time and VM, columns from the column table, quoted as in RFC 4180.
 * Invariant: every row is a line with as many fields as the heading, whatever a VM is called, and none is
 * taken for a formula; unknown is empty. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "output.h"
#include "vmtop/batch.h"
#include "vmtop/columns.h"
#include "vmtop/text.h"

/* A spreadsheet takes such a cell for a formula, also behind spaces and in wide characters. */
static bool is_formula(const char *text)
{
	static const char *const signs[] = {"=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"};
	text += strspn(text, " ");
	for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
		if (strncmp(text, signs[i], strlen(signs[i])) == 0)
			return true;
	return false;
}

static void csv_text(FILE *to, const char *raw)
{
	char clean[4 * VM_NAME_BYTES];
	text_safe_utf8(clean, sizeof clean, raw);
	fputs(is_formula(clean) ? "\"'" : "\"", to);
	for (const char *p = clean; *p; p++) {
		if (*p == '"')
			fputc('"', to);
		fputc(*p, to);
	}
	fputc('"', to);
}

void csv_value(FILE *to, const struct value *v)
{
	if (v->avail != AVAIL_OK || !isfinite(v->num))
		return;
	if (v->type == VALUE_TEXT)
		csv_text(to, v->text);
	else
		fprintf(to, "%.10g", round(v->num * 1000) / 1000);
}

static const char *const row_fields[] = {"time", "elapsed_s", "host"};

/* A VM's column that is called like one of the row's own (time) is told apart. */
static void csv_head(const struct batch_out *o)
{
	size_t n = sizeof row_fields / sizeof *row_fields;
	for (size_t i = 0; i < n; i++)
		fprintf(o->to, "%s%s", i ? "," : "", row_fields[i]);
	for (int i = 0; i < o->n_columns; i++) {
		const char *key = column_at(o->columns[i])->key;
		bool twice = false;
		for (size_t k = 0; k < n; k++)
			twice = twice || strcmp(key, row_fields[k]) == 0;
		fprintf(o->to, ",%s%s", twice ? "vm_" : "", key);
	}
	fputs("\r\n", o->to);
}

int csv_write(struct batch_out *o, const struct snapshot *s, struct err *e)
{
	(void)e;
	char time[48];
	struct column_env env = {.snap = s};
	struct value v;
	if (!o->headed)
		csv_head(o);
	o->headed = true;
	text_time(time, sizeof time, s->sample.wall_ns);
	for (size_t vm = 0; vm < s->sample.n_vms; vm++) {
		fprintf(o->to, "%s,", time);
		if (s->elapsed_s > 0)
			fprintf(o->to, "%.3f", s->elapsed_s);
		fputc(',', o->to);
		csv_text(o->to, s->sample.host.hostname);
		for (int i = 0; i < o->n_columns; i++) {
			fputc(',', o->to);
			column_get(column_at(o->columns[i]), &env, vm, &v);
			csv_value(o->to, &v);
		}
		fputs("\r\n", o->to);
	}
	return 0;
}
