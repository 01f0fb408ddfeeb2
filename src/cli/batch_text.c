/* SPDX-License-Identifier: MIT */
/* Which columns a batch output has, and batch text: for each tick one line about the host, the VM table, and
 * what was decided since the last tick. Invariant: one line a VM whatever it is called; no line ends in
 * blanks. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "output.h"
#include "vmtop/batch.h"
#include "vmtop/columns.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

int batch_columns(struct batch_out *out, struct err *err)
{
	if (out->cfg->columns[0]) {
		out->n_columns = column_parse(out->cfg->columns, out->columns, sizeof out->columns, err);
		return out->n_columns < 0 ? err_prefix(err, "columns") : 0;
	}
	bool all = out->cfg->format == OUT_CSV || out->cfg->format == OUT_OPENMETRICS;
	out->n_columns = 0;
	for (size_t i = 0; i < column_count(); i++) {
		const struct column *column = column_at(i);
		if (all ? (column->group & ~(unsigned)SAMPLE_BALLOON) == 0 : column->rank > 0)
			out->columns[out->n_columns++] = (uint8_t)i;
	}
	return 0;
}

int out_columns(const char *text)
{
	int w = 0, add;
	uint32_t ch;
	for (size_t n; (n = text_decode(text, &ch)) > 0; text += n)
		w += (add = text_width(ch)) > 0 ? add : 0;
	return w;
}

/* Pads on the side that is not aligned; text wider than the column pushes the rest to the right. */
void out_cell(char *line, size_t len, const char *text, int width, bool left, bool last)
{
	int pad = width - out_columns(text);
	size_t used = strlen(line);
	snprintf(line + used, len - used, "%*s%s%*s%s", !left && pad > 0 ? pad : 0, "", text,
		left && pad > 0 && !last ? pad : 0, "", text_if(!last, " "));
}

void out_line(FILE *out, const char *line)
{
	size_t n = strlen(line);
	while (n && line[n - 1] == ' ')
		n--;
	fprintf(out, "%.*s\n", (int)n, line);
}

static int column_width(const struct batch_out *out, const struct snapshot *snap, int i)
{
	const struct column *column = column_at(out->columns[i]);
	struct column_env env = {.snap = snap};
	struct value val;
	char text[4 * VM_NAME_BYTES];
	int width = column->width;
	for (size_t vm = 0; column->type == VALUE_TEXT && vm < snap->sample.n_vms; vm++) {
		column_get(column, &env, vm, &val);
		value_format(text, sizeof text, &val);
		int w = out_columns(text);
		if (w > width)
			width = min_of(w, OUT_WIDTH_MAX);
	}
	return width;
}

static void number_or_dash(char *buf, size_t len, struct vf64 v)
{
	if (vf64_has(v))
		snprintf(buf, len, "%.1f %%", v.v);
	else
		snprintf(buf, len, "-");
}

static const char *mode_word(bool automatic, bool dry)
{
	return automatic ? dry ? "AUTO (dry run)" : "AUTO" : "MANUAL";
}

static void head_lines(FILE *out, const struct snapshot *snap)
{
	char time[48], host[160], uri[300], sd[24], limit[24], avail[8] = "-", total[8] = "-";
	text_time(time, sizeof time, snap->sample.wall_ns);
	text_escape(host, sizeof host, snap->sample.host.hostname);
	text_escape(uri, sizeof uri, snap->backend.uri);
	number_or_dash(sd, sizeof sd, snap->cpu.stddev_pct);
	number_or_dash(limit, sizeof limit, snap->cpu.limit_pct);
	if (vi64_has(snap->sample.host.available_kib))
		text_kib(avail, sizeof avail, snap->sample.host.available_kib.v);
	if (vi64_has(snap->sample.host.total_kib))
		text_kib(total, sizeof total, snap->sample.host.total_kib.v);
	fprintf(out, "%s %s %s: %zu VM%s, %zu pCPU%s, %s of %s available\n", time, host, uri,
		snap->sample.n_vms, text_s(snap->sample.n_vms), snap->sample.host.n_pcpus,
		text_s(snap->sample.host.n_pcpus), avail, total);
	fprintf(out, "CPU %s %s, deviation %s (limit %s); memory %s %s\n",
		mode_word(snap->auto_cpu, snap->dry_run), cpu_policy_name(snap->cpu_policy), sd, limit,
		mode_word(snap->auto_memory, snap->dry_run), mem_policy_name(snap->mem_policy));
}

struct row {
	size_t vm;
	struct value key;
	bool ascending;
};

static int row_compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int c = value_compare(&x->key, &y->key);
	if (!x->ascending)
		c = -c;
	return c ? c : x->vm < y->vm ? -1 : 1; /* samples are sorted by UUID: stable */
}

static struct row *rows_sorted(const struct batch_out *out, const struct snapshot *snap)
{
	int sort = column_find(out->cfg->sort);
	const struct column *column = column_at((size_t)max_of(sort, 0));
	struct column_env env = {.snap = snap};
	struct row *rows = calloc(snap->sample.n_vms + 1, sizeof *rows);
	for (size_t i = 0; rows && i < snap->sample.n_vms; i++) {
		rows[i].vm = i;
		rows[i].ascending = column->ascending;
		column_get(column, &env, i, &rows[i].key);
	}
	if (rows)
		qsort(rows, snap->sample.n_vms, sizeof *rows, row_compare);
	return rows;
}

static void table(const struct batch_out *out, const struct snapshot *snap, const struct row *rows)
{
	char line[4096] = "", text[4 * VM_NAME_BYTES];
	int widths[64];
	struct column_env env = {.snap = snap};
	struct value val;
	for (int i = 0; i < out->n_columns; i++) {
		const struct column *column = column_at(out->columns[i]);
		widths[i] = column_width(out, snap, i);
		out_cell(line, sizeof line, column->head, widths[i], column->left, i == out->n_columns - 1);
	}
	out_line(out->to, line);
	for (size_t r = 0; r < snap->sample.n_vms; r++) {
		line[0] = '\0';
		for (int i = 0; i < out->n_columns; i++) {
			const struct column *column = column_at(out->columns[i]);
			column_get(column, &env, rows[r].vm, &val);
			value_format(text, sizeof text, &val);
			out_cell(line, sizeof line, text, widths[i], column->left, i == out->n_columns - 1);
		}
		out_line(out->to, line);
	}
}

int text_write_log(struct batch_out *out, const struct snapshot *snap, struct err *err)
{
	(void)err;
	for (size_t i = 0; i < snap->n_log; i++) {
		char time[48], text[sizeof snap->log[i].text];
		if (snap->log[i].seq <= out->log_seen)
			continue;
		out->log_seen = snap->log[i].seq;
		text_time(time, sizeof time, snap->log[i].wall_ns);
		text_safe(text, sizeof text, snap->log[i].text);
		fprintf(out->to, "%.8s %s\n", strchr(time, 'T') ? strchr(time, 'T') + 1 : "-", text);
	}
	return 0;
}

/* Whether the lines go to systemd's journal: children of a service inherit the variable, so that it names the
 * stream by device and inode. */
static bool goes_to_journal(const struct batch_out *out)
{
	const char *named = getenv("JOURNAL_STREAM");
	struct stat st;
	char is[64];
	if (!named || !out->out || fstat(out->out->fd, &st) < 0)
		return false;
	snprintf(is, sizeof is, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	return strcmp(named, is) == 0;
}

/* The journal has the time, and reads how urgent a line is from its beginning. */
int log_write(struct batch_out *out, const struct snapshot *snap, struct err *err)
{
	(void)err;
	bool journal = goes_to_journal(out);
	for (size_t i = 0; i < snap->n_log; i++) {
		const struct log_line *line = &snap->log[i];
		char time[48], text[sizeof line->text];
		if (line->seq <= out->log_seen)
			continue;
		out->log_seen = line->seq;
		bool bad = line->kind == LOG_ERROR ||
			   (line->kind == LOG_ACTION &&
				   (line->outcome == OUTCOME_FAILED || line->outcome == OUTCOME_UNKNOWN));
		text_time(time, sizeof time, line->wall_ns);
		text_safe(text, sizeof text, line->text);
		fprintf(out->to, "%s%s%s\n", journal ? bad ? "<4>" : "<6>" : time, text_if(!journal, " "),
			text);
	}
	return 0;
}

int text_write(struct batch_out *out, const struct snapshot *snap, struct err *err)
{
	struct row *rows = rows_sorted(out, snap);
	if (!rows)
		return err_set(err, ERR_NOMEM, "out of memory");
	if (out->ticks)
		fputc('\n', out->to);
	head_lines(out->to, snap);
	table(out, snap, rows);
	free(rows);
	return text_write_log(out, snap, err);
}
