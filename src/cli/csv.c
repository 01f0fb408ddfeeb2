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

static void csv_text(FILE *out, const char *raw)
{
	char clean[4 * VM_NAME_BYTES];
	text_safe_utf8(clean, sizeof clean, raw);
	fputs(is_formula(clean) ? "\"'" : "\"", out);
	for (const char *p = clean; *p; p++) {
		if (*p == '"')
			fputc('"', out);
		fputc(*p, out);
	}
	fputc('"', out);
}

void csv_value(FILE *out, const struct value *val)
{
	if (val->avail != AVAIL_OK || !isfinite(val->num))
		return;
	if (val->type == VALUE_TEXT)
		csv_text(out, val->text);
	else
		fprintf(out, "%.10g", round(val->num * 1000) / 1000);
}

static const char *const row_fields[] = {"time", "elapsed_s", "host"};

/* A VM's column that is called like one of the row's own (time) is told apart. */
static void csv_head(const struct batch_out *out)
{
	size_t n = sizeof row_fields / sizeof *row_fields;
	for (size_t i = 0; i < n; i++)
		fprintf(out->to, "%s%s", text_if(i, ","), row_fields[i]);
	for (int i = 0; i < out->n_columns; i++) {
		const char *key = column_at(out->columns[i])->key;
		bool twice = false;
		for (size_t k = 0; k < n; k++)
			twice = twice || strcmp(key, row_fields[k]) == 0;
		fprintf(out->to, ",%s%s", text_if(twice, "vm_"), key);
	}
	fputs("\r\n", out->to);
}

int csv_write(struct batch_out *out, const struct snapshot *snap, struct err *err)
{
	(void)err;
	char time[48];
	struct column_env env = {.snap = snap};
	struct value val;
	if (!out->headed)
		csv_head(out);
	out->headed = true;
	text_time(time, sizeof time, snap->sample.wall_ns);
	for (size_t vm = 0; vm < snap->sample.n_vms; vm++) {
		fprintf(out->to, "%s,", time);
		if (snap->elapsed_s > 0)
			fprintf(out->to, "%.3f", snap->elapsed_s);
		fputc(',', out->to);
		csv_text(out->to, snap->sample.host.hostname);
		for (int i = 0; i < out->n_columns; i++) {
			fputc(',', out->to);
			column_get(column_at(out->columns[i]), &env, vm, &val);
			csv_value(out->to, &val);
		}
		fputs("\r\n", out->to);
	}
	return 0;
}
