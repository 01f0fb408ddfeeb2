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
#include "vmtop/minmax.h"
#include "vmtop/text.h"

void fleet_columns_help(FILE *out, enum fleet_kind kind)
{
	const struct fleet_table *table = fleet_table(kind);
	for (size_t i = 0; i < table->n; i++)
		fprintf(out, "%-10s %-8s %s\n", table->columns[i].key, table->columns[i].head,
			table->columns[i].help);
}

/* NULL: out of memory. */
static size_t *sorted(const struct fleet_out *out, const struct fleet *fleet, enum fleet_kind kind)
{
	size_t n = fleet_count(fleet, kind), *rows = calloc(n + 1, sizeof *rows);
	for (size_t i = 0; rows && i < n; i++)
		rows[i] = i;
	enum fleet_kind shown = out->vms ? FLEET_VMS : FLEET_HOSTS;
	int by = kind == shown ? out->sort : fleet_column_find(kind, fleet_table(kind)->sort);
	if (rows && fleet_sort(fleet, kind, (size_t)by, false, rows, n) == 0)
		return rows;
	free(rows);
	return NULL;
}

/* ---- text ---- */

static int width_of(const struct fleet *fleet, enum fleet_kind kind, size_t column)
{
	const struct column *c = &fleet_table(kind)->columns[column];
	int width = c->width;
	for (size_t i = 0; c->type == VALUE_TEXT && i < fleet_count(fleet, kind); i++) {
		struct value val;
		char text[4 * VM_NAME_BYTES];
		fleet_value(fleet, kind, column, i, &val);
		value_format(text, sizeof text, &val);
		int w = out_columns(text);
		if (w > width)
			width = min_of(w, OUT_WIDTH_MAX);
	}
	return width;
}

static void text_row(
	FILE *out, const struct fleet *fleet, enum fleet_kind kind, const int *widths, const size_t *row)
{
	const struct fleet_table *table = fleet_table(kind);
	char line[8192] = "", text[4 * VM_NAME_BYTES];
	for (size_t i = 0; i < table->n; i++) {
		const struct column *column = &table->columns[i];
		struct value val;
		if (!column->rank)
			continue;
		snprintf(text, sizeof text, "%s", column->head);
		if (row) {
			fleet_value(fleet, kind, i, *row, &val);
			value_format(text, sizeof text, &val);
		}
		out_cell(line, sizeof line, text, widths[i], column->left, false);
	}
	out_line(out, line);
}

static void text_write_fleet(FILE *to, const struct fleet_out *o, const struct fleet *fleet,
	enum fleet_kind kind, const size_t *rows)
{
	char time[48], alerts[400];
	int widths[64];
	text_time(time, sizeof time, fleet->wall_ns);
	fleet_alerts(fleet, alerts, sizeof alerts);
	fprintf(to, "%s%s: %zu host%s, %zu VM%s\n%s%s", text_if(o->outputs, "\n"), time, fleet->n_hosts,
		text_s(fleet->n_hosts), fleet->n_vms, text_s(fleet->n_vms), alerts, text_if(*alerts, "\n"));
	if (fleet->trouble[0]) {
		char text[4 * FLEET_TEXT];
		text_safe(text, sizeof text, fleet->trouble);
		fprintf(to, "%s\n", text);
	}
	for (size_t i = 0; i < fleet_table(kind)->n; i++)
		widths[i] = width_of(fleet, kind, i);
	text_row(to, fleet, kind, widths, NULL);
	for (size_t i = 0; i < fleet_count(fleet, kind); i++)
		text_row(to, fleet, kind, widths, &rows[i]);
}

static void text_write_plan(
	FILE *to, const struct fleet_out *o, const struct fleet *fleet, const struct fleet_proposal *proposal)
{
	char text[4096];
	fleet_proposal_text(proposal, text, sizeof text);
	fprintf(to, "\n%s%s\n", text, text_if(proposal->plan.n && !o->carry, "; nothing is carried out"));
	fleet_proposal_unsure(fleet, proposal, text, sizeof text);
	fprintf(to, "%s%s", text, text_if(*text, "\n"));
	for (size_t i = 0; i < proposal->plan.n; i++) {
		fleet_move_text(fleet, proposal, i, text, sizeof text);
		fprintf(to, "%3zu. %s\n", i + 1, text);
		fleet_move_command(fleet, proposal, i, text, sizeof text);
		if (*text)
			fprintf(to, "     %s\n", text);
	}
}

/* ---- CSV ---- */

static void csv_write_fleet(FILE *to, const struct fleet_out *o, const struct fleet *fleet,
	enum fleet_kind kind, const size_t *rows)
{
	const struct fleet_table *table = fleet_table(kind);
	char time[48];
	text_time(time, sizeof time, fleet->wall_ns);
	for (size_t i = 0; !o->outputs && i < table->n; i++)
		fprintf(to, "%s,%s%s", text_if(!i, "time"), table->columns[i].key,
			text_if(i + 1 >= table->n, "\r\n"));
	for (size_t r = 0; r < fleet_count(fleet, kind); r++) {
		fputs(time, to);
		for (size_t i = 0; i < table->n; i++) {
			struct value val;
			fleet_value(fleet, kind, i, rows[r], &val);
			fputc(',', to);
			csv_value(to, &val);
		}
		fputs("\r\n", to);
	}
}

/* ---- JSON ---- */

static json_t *json_value(const struct value *val)
{
	char text[3 * VM_NAME_BYTES];
	if (val->avail != AVAIL_OK || !isfinite(val->num))
		return json_null();
	if (val->type == VALUE_TEXT) {
		text_utf8(text, sizeof text, val->text);
		return json_string(text);
	}
	if (val->type == VALUE_INT || val->type == VALUE_KIB)
		return json_integer(llround(val->num));
	return json_real(round(val->num * 1000) / 1000);
}

/* Keys carry their units: load_pct, available_kib, age_s. */
static void json_key(const struct column *column, char *buf, size_t len)
{
	static const char *const ends[][2] = {{"%", "_pct"}, {"KiB", "_kib"}, {"s", "_s"}};
	const char *end = "";
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		if (strcmp(column->unit, ends[i][0]) == 0)
			end = ends[i][1];
	snprintf(buf, len, "%s%s", column->key, end);
}

/* NULL: out of memory, here and below. */
static json_t *json_row(const struct fleet *fleet, enum fleet_kind kind, size_t row)
{
	const struct fleet_table *table = fleet_table(kind);
	json_t *obj = json_object();
	for (size_t i = 0; obj && i < table->n; i++) {
		struct value val;
		char key[64];
		fleet_value(fleet, kind, i, row, &val);
		json_key(&table->columns[i], key, sizeof key);
		if (json_object_set_new(obj, key, json_value(&val)) < 0) {
			json_decref(obj);
			obj = NULL;
		}
	}
	return obj;
}

static json_t *json_rows(const struct fleet_out *out, const struct fleet *fleet, enum fleet_kind kind)
{
	size_t *rows = sorted(out, fleet, kind);
	json_t *list = rows ? json_array() : NULL;
	for (size_t i = 0; list && i < fleet_count(fleet, kind); i++)
		if (json_array_append_new(list, json_row(fleet, kind, rows[i])) < 0) {
			json_decref(list);
			list = NULL;
		}
	free(rows);
	return list;
}

static json_t *json_move(const struct fleet *fleet, const struct fleet_proposal *proposal, size_t move)
{
	const struct fleet_move *m = &proposal->plan.moves[move];
	char vm[3 * VM_NAME_BYTES], from[3 * FLEET_NAME], to[3 * FLEET_NAME], uuid[UUID_TEXT];
	text_utf8(vm, sizeof vm, fleet->vms[m->task].name);
	text_utf8(from, sizeof from, fleet->hosts[m->from].name);
	text_utf8(to, sizeof to, fleet->hosts[m->to].name);
	uuid_format(fleet->vms[m->task].uuid, uuid);
	struct vf64 dirty = fleet->vms[m->task].dirty_mib_s;
	return json_pack("{s:s,s:s,s:s,s:s,s:f,s:I,s:[ff],s:[ff],s:o}", "vm", vm, "uuid", uuid, "from", from,
		"to", to, "wants_pct", round(proposal->tasks[m->task].cpu * 1000) / 10, "memory_kib",
		(json_int_t)(proposal->tasks[m->task].mem_mib * 1024), "from_load_pct",
		round(fleet_proposal_load(proposal, m->from, 0)),
		round(fleet_proposal_load(proposal, m->from, proposal->plan.n)), "to_load_pct",
		round(fleet_proposal_load(proposal, m->to, 0)),
		round(fleet_proposal_load(proposal, m->to, proposal->plan.n)), "written_mib_s",
		vf64_has(dirty) ? json_real(dirty.v) : json_null());
}

static json_t *json_plan(const struct fleet *fleet, const struct fleet_proposal *proposal)
{
	char text[400], unsure[200];
	json_t *moves = json_array();
	fleet_proposal_text(proposal, text, sizeof text);
	fleet_proposal_unsure(fleet, proposal, unsure, sizeof unsure);
	for (size_t i = 0; moves && i < proposal->plan.n; i++)
		if (json_array_append_new(moves, json_move(fleet, proposal, i)) < 0) {
			json_decref(moves);
			moves = NULL;
		}
	return json_pack("{s:s,s:s?,s:I,s:I,s:o}", "text", text, "unsure", text_or(unsure, NULL),
		"overloaded", (json_int_t)proposal->plan.overloaded, "cured",
		(json_int_t)proposal->plan.cured, "moves", moves);
}

static int json_write_fleet(FILE *to, const struct fleet_out *o, const struct fleet *fleet,
	const struct fleet_proposal *proposal, struct err *err)
{
	char time[48], alerts[400], trouble[3 * FLEET_TEXT];
	text_time(time, sizeof time, fleet->wall_ns);
	fleet_alerts(fleet, alerts, sizeof alerts);
	text_utf8(trouble, sizeof trouble, fleet->trouble);
	json_t *root = json_pack("{s:i,s:s,s:s?,s:s?,s:o}", "schema", 1, "time", time, "alerts",
		text_or(alerts, NULL), "trouble", text_or(trouble, NULL), "hosts",
		json_rows(o, fleet, FLEET_HOSTS));
	bool bad = !root ||
		   (o->vms && json_object_set_new(root, "vms", json_rows(o, fleet, FLEET_VMS)) < 0) ||
		   (proposal && json_object_set_new(root, "plan", json_plan(fleet, proposal)) < 0);
	char *line = bad ? NULL : json_dumps(root, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9));
	json_decref(root);
	if (!line)
		return err_set(err, ERR_NOMEM, "out of memory");
	fprintf(to, "%s\n", line);
	free(line);
	return 0;
}

static int write_rows(FILE *to, const struct fleet_out *o, const struct fleet *fleet,
	const struct fleet_proposal *proposal, struct err *err)
{
	enum fleet_kind kind = o->vms ? FLEET_VMS : FLEET_HOSTS;
	if (o->format == OUT_JSON)
		return json_write_fleet(to, o, fleet, proposal, err);
	size_t *rows = sorted(o, fleet, kind);
	if (!rows)
		return err_set(err, ERR_NOMEM, "out of memory");
	if (o->format == OUT_CSV)
		csv_write_fleet(to, o, fleet, kind, rows);
	else
		text_write_fleet(to, o, fleet, kind, rows);
	if (proposal && o->format == OUT_TEXT)
		text_write_plan(to, o, fleet, proposal);
	free(rows);
	return 0;
}

int fleet_write(FILE *to, const struct fleet_out *o, const struct fleet *fleet, struct err *err)
{
	struct fleet_proposal proposal = {.n_units = 0};
	int rc = o->plan && fleet_propose(fleet, &proposal) < 0
			 ? err_set(err, ERR_NOMEM, "out of memory")
			 : write_rows(to, o, fleet, o->plan ? &proposal : NULL, err);
	fleet_proposal_done(&proposal);
	return rc;
}
