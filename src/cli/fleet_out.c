/* SPDX-License-Identifier: MIT */
/* A fleet as text, JSON or CSV, from the tables of its columns. Invariant: a row is a line whatever a host or
 * a VM is called; what is not known is "-", null or empty. */
#include "fleet_out.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "vmtop/fleet_propose.h"
#include "vmtop/text.h"

void fleet_columns_help(FILE *to, enum fleet_kind k)
{
	const struct fleet_table *t = fleet_table(k);
	for (size_t i = 0; i < t->n; i++)
		fprintf(to, "%-10s %-8s %s\n", t->columns[i].key, t->columns[i].head, t->columns[i].help);
}

/* NULL: out of memory. */
static size_t *sorted(const struct fleet_out *o, const struct fleet *f, enum fleet_kind k)
{
	size_t n = fleet_count(f, k), *rows = calloc(n + 1, sizeof *rows);
	for (size_t i = 0; rows && i < n; i++)
		rows[i] = i;
	enum fleet_kind shown = o->vms ? FLEET_VMS : FLEET_HOSTS;
	int by = k == shown ? o->sort : fleet_column_find(k, fleet_table(k)->sort);
	if (rows && fleet_sort(f, k, (size_t)by, false, rows, n) == 0)
		return rows;
	free(rows);
	return NULL;
}

/* ---- text ---- */

static int width_of(const struct fleet *f, enum fleet_kind k, size_t column)
{
	const struct column *c = &fleet_table(k)->columns[column];
	int width = c->width;
	for (size_t i = 0; c->type == VALUE_TEXT && i < fleet_count(f, k); i++) {
		struct value v;
		char text[4 * VM_NAME_BYTES];
		fleet_value(f, k, column, i, &v);
		value_format(text, sizeof text, &v);
		int w = out_columns(text);
		if (w > width)
			width = w < OUT_WIDTH_MAX ? w : OUT_WIDTH_MAX;
	}
	return width;
}

static void text_row(FILE *to, const struct fleet *f, enum fleet_kind k, const int *widths, const size_t *row)
{
	const struct fleet_table *t = fleet_table(k);
	char line[8192] = "", text[4 * VM_NAME_BYTES];
	for (size_t i = 0; i < t->n; i++) {
		const struct column *c = &t->columns[i];
		struct value v;
		if (!c->rank)
			continue;
		snprintf(text, sizeof text, "%s", c->head);
		if (row) {
			fleet_value(f, k, i, *row, &v);
			value_format(text, sizeof text, &v);
		}
		out_cell(line, sizeof line, text, widths[i], c->left, false);
	}
	out_line(to, line);
}

static void text_write_fleet(
	FILE *to, const struct fleet_out *o, const struct fleet *f, enum fleet_kind k, const size_t *rows)
{
	char time[48], alerts[400];
	int widths[64];
	text_time(time, sizeof time, f->wall_ns);
	fleet_alerts(f, alerts, sizeof alerts);
	fprintf(to, "%s%s: %zu host%s, %zu VM%s\n%s%s", o->outputs ? "\n" : "", time, f->n_hosts,
		text_s(f->n_hosts), f->n_vms, text_s(f->n_vms), alerts, *alerts ? "\n" : "");
	if (f->trouble[0]) {
		char text[4 * FLEET_TEXT];
		text_safe(text, sizeof text, f->trouble);
		fprintf(to, "%s\n", text);
	}
	for (size_t i = 0; i < fleet_table(k)->n; i++)
		widths[i] = width_of(f, k, i);
	text_row(to, f, k, widths, NULL);
	for (size_t i = 0; i < fleet_count(f, k); i++)
		text_row(to, f, k, widths, &rows[i]);
}

static void text_write_plan(
	FILE *to, const struct fleet_out *o, const struct fleet *f, const struct fleet_proposal *p)
{
	char text[4096];
	fleet_proposal_text(p, text, sizeof text);
	fprintf(to, "\n%s%s\n", text, p->plan.n && !o->carry ? "; nothing is carried out" : "");
	fleet_proposal_unsure(f, p, text, sizeof text);
	fprintf(to, "%s%s", text, *text ? "\n" : "");
	for (size_t i = 0; i < p->plan.n; i++) {
		fleet_move_text(f, p, i, text, sizeof text);
		fprintf(to, "%3zu. %s\n", i + 1, text);
		fleet_move_command(f, p, i, text, sizeof text);
		if (*text)
			fprintf(to, "     %s\n", text);
	}
}

/* ---- CSV ---- */

static void csv_write_fleet(
	FILE *to, const struct fleet_out *o, const struct fleet *f, enum fleet_kind k, const size_t *rows)
{
	const struct fleet_table *t = fleet_table(k);
	char time[48];
	text_time(time, sizeof time, f->wall_ns);
	for (size_t i = 0; !o->outputs && i < t->n; i++)
		fprintf(to, "%s,%s%s", i ? "" : "time", t->columns[i].key, i + 1 < t->n ? "" : "\r\n");
	for (size_t r = 0; r < fleet_count(f, k); r++) {
		fputs(time, to);
		for (size_t i = 0; i < t->n; i++) {
			struct value v;
			fleet_value(f, k, i, rows[r], &v);
			fputc(',', to);
			csv_value(to, &v);
		}
		fputs("\r\n", to);
	}
}

/* ---- JSON ---- */

static json_t *json_value(const struct value *v)
{
	char text[3 * VM_NAME_BYTES];
	if (v->avail != AVAIL_OK || !isfinite(v->num))
		return json_null();
	if (v->type == VALUE_TEXT) {
		text_utf8(text, sizeof text, v->text);
		return json_string(text);
	}
	if (v->type == VALUE_INT || v->type == VALUE_KIB)
		return json_integer(llround(v->num));
	return json_real(round(v->num * 1000) / 1000);
}

/* Keys carry their units: load_pct, available_kib, age_s. */
static void json_key(const struct column *c, char *buf, size_t len)
{
	static const char *const ends[][2] = {{"%", "_pct"}, {"KiB", "_kib"}, {"s", "_s"}};
	const char *end = "";
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		if (strcmp(c->unit, ends[i][0]) == 0)
			end = ends[i][1];
	snprintf(buf, len, "%s%s", c->key, end);
}

/* NULL: out of memory, here and below. */
static json_t *json_row(const struct fleet *f, enum fleet_kind k, size_t row)
{
	const struct fleet_table *t = fleet_table(k);
	json_t *o = json_object();
	for (size_t i = 0; o && i < t->n; i++) {
		struct value v;
		char key[64];
		fleet_value(f, k, i, row, &v);
		json_key(&t->columns[i], key, sizeof key);
		if (json_object_set_new(o, key, json_value(&v)) < 0) {
			json_decref(o);
			o = NULL;
		}
	}
	return o;
}

static json_t *json_rows(const struct fleet_out *o, const struct fleet *f, enum fleet_kind k)
{
	size_t *rows = sorted(o, f, k);
	json_t *list = rows ? json_array() : NULL;
	for (size_t i = 0; list && i < fleet_count(f, k); i++)
		if (json_array_append_new(list, json_row(f, k, rows[i])) < 0) {
			json_decref(list);
			list = NULL;
		}
	free(rows);
	return list;
}

static json_t *json_move(const struct fleet *f, const struct fleet_proposal *p, size_t move)
{
	const struct fleet_move *m = &p->plan.moves[move];
	char vm[3 * VM_NAME_BYTES], from[3 * FLEET_NAME], to[3 * FLEET_NAME], uuid[UUID_TEXT];
	text_utf8(vm, sizeof vm, f->vms[m->task].name);
	text_utf8(from, sizeof from, f->hosts[m->from].name);
	text_utf8(to, sizeof to, f->hosts[m->to].name);
	uuid_format(f->vms[m->task].uuid, uuid);
	struct vf64 dirty = f->vms[m->task].dirty_mib_s;
	return json_pack("{s:s,s:s,s:s,s:s,s:f,s:I,s:[ff],s:[ff],s:o}", "vm", vm, "uuid", uuid, "from", from,
		"to", to, "wants_pct", round(p->tasks[m->task].cpu * 1000) / 10, "memory_kib",
		(json_int_t)(p->tasks[m->task].mem_mib * 1024), "from_load_pct",
		round(fleet_proposal_load(p, m->from, 0)), round(fleet_proposal_load(p, m->from, p->plan.n)),
		"to_load_pct", round(fleet_proposal_load(p, m->to, 0)),
		round(fleet_proposal_load(p, m->to, p->plan.n)), "written_mib_s",
		vf64_has(dirty) ? json_real(dirty.v) : json_null());
}

static json_t *json_plan(const struct fleet *f, const struct fleet_proposal *p)
{
	char text[400], unsure[200];
	json_t *moves = json_array();
	fleet_proposal_text(p, text, sizeof text);
	fleet_proposal_unsure(f, p, unsure, sizeof unsure);
	for (size_t i = 0; moves && i < p->plan.n; i++)
		if (json_array_append_new(moves, json_move(f, p, i)) < 0) {
			json_decref(moves);
			moves = NULL;
		}
	return json_pack("{s:s,s:s?,s:I,s:I,s:o}", "text", text, "unsure", *unsure ? unsure : NULL,
		"overloaded", (json_int_t)p->plan.overloaded, "cured", (json_int_t)p->plan.cured, "moves",
		moves);
}

static int json_write_fleet(FILE *to, const struct fleet_out *o, const struct fleet *f,
	const struct fleet_proposal *p, struct err *e)
{
	char time[48], alerts[400], trouble[3 * FLEET_TEXT];
	text_time(time, sizeof time, f->wall_ns);
	fleet_alerts(f, alerts, sizeof alerts);
	text_utf8(trouble, sizeof trouble, f->trouble);
	json_t *root = json_pack("{s:i,s:s,s:s?,s:s?,s:o}", "schema", 1, "time", time, "alerts",
		*alerts ? alerts : NULL, "trouble", *trouble ? trouble : NULL, "hosts",
		json_rows(o, f, FLEET_HOSTS));
	bool bad = !root || (o->vms && json_object_set_new(root, "vms", json_rows(o, f, FLEET_VMS)) < 0) ||
		   (p && json_object_set_new(root, "plan", json_plan(f, p)) < 0);
	char *line = bad ? NULL : json_dumps(root, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9));
	json_decref(root);
	if (!line)
		return err_set(e, ERR_NOMEM, "out of memory");
	fprintf(to, "%s\n", line);
	free(line);
	return 0;
}

static int write_rows(FILE *to, const struct fleet_out *o, const struct fleet *f,
	const struct fleet_proposal *p, struct err *e)
{
	enum fleet_kind k = o->vms ? FLEET_VMS : FLEET_HOSTS;
	if (o->format == OUT_JSON)
		return json_write_fleet(to, o, f, p, e);
	size_t *rows = sorted(o, f, k);
	if (!rows)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (o->format == OUT_CSV)
		csv_write_fleet(to, o, f, k, rows);
	else
		text_write_fleet(to, o, f, k, rows);
	if (p && o->format == OUT_TEXT)
		text_write_plan(to, o, f, p);
	free(rows);
	return 0;
}

int fleet_write(FILE *to, const struct fleet_out *o, const struct fleet *f, struct err *e)
{
	struct fleet_proposal p = {.n_units = 0};
	int rc = o->plan && fleet_propose(f, &p) < 0 ? err_set(e, ERR_NOMEM, "out of memory")
						     : write_rows(to, o, f, o->plan ? &p : NULL, e);
	fleet_proposal_done(&p);
	return rc;
}
