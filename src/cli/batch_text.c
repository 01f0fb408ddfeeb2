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

int batch_columns(struct batch_out *o, struct err *e)
{
	if (o->cfg->columns[0]) {
		o->n_columns = column_parse(o->cfg->columns, o->columns, sizeof o->columns, e);
		return o->n_columns < 0 ? err_prefix(e, "columns") : 0;
	}
	bool all = o->cfg->format == OUT_CSV || o->cfg->format == OUT_OPENMETRICS;
	o->n_columns = 0;
	for (size_t i = 0; i < column_count(); i++) {
		const struct column *c = column_at(i);
		if (all ? (c->group & ~(unsigned)SAMPLE_BALLOON) == 0 : c->rank > 0)
			o->columns[o->n_columns++] = (uint8_t)i;
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
		left && pad > 0 && !last ? pad : 0, "", last ? "" : " ");
}

void out_line(FILE *to, const char *line)
{
	size_t n = strlen(line);
	while (n && line[n - 1] == ' ')
		n--;
	fprintf(to, "%.*s\n", (int)n, line);
}

static int column_width(const struct batch_out *o, const struct snapshot *s, int i)
{
	const struct column *c = column_at(o->columns[i]);
	struct column_env env = {.snap = s};
	struct value v;
	char text[4 * VM_NAME_BYTES];
	int width = c->width;
	for (size_t vm = 0; c->type == VALUE_TEXT && vm < s->sample.n_vms; vm++) {
		column_get(c, &env, vm, &v);
		value_format(text, sizeof text, &v);
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

static void head_lines(FILE *to, const struct snapshot *s)
{
	char time[48], host[160], uri[300], sd[24], limit[24], avail[8] = "-", total[8] = "-";
	text_time(time, sizeof time, s->sample.wall_ns);
	text_escape(host, sizeof host, s->sample.host.hostname);
	text_escape(uri, sizeof uri, s->backend.uri);
	number_or_dash(sd, sizeof sd, s->cpu.stddev_pct);
	number_or_dash(limit, sizeof limit, s->cpu.limit_pct);
	if (vi64_has(s->sample.host.available_kib))
		text_kib(avail, sizeof avail, s->sample.host.available_kib.v);
	if (vi64_has(s->sample.host.total_kib))
		text_kib(total, sizeof total, s->sample.host.total_kib.v);
	fprintf(to, "%s %s %s: %zu VM%s, %zu pCPU%s, %s of %s available\n", time, host, uri, s->sample.n_vms,
		text_s(s->sample.n_vms), s->sample.host.n_pcpus, text_s(s->sample.host.n_pcpus), avail,
		total);
	fprintf(to, "CPU %s %s, deviation %s (limit %s); memory %s %s\n", mode_word(s->auto_cpu, s->dry_run),
		cpu_policy_name(s->cpu_policy), sd, limit, mode_word(s->auto_memory, s->dry_run),
		mem_policy_name(s->mem_policy));
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

static struct row *rows_sorted(const struct batch_out *o, const struct snapshot *s)
{
	int sort = column_find(o->cfg->sort);
	const struct column *c = column_at(sort < 0 ? 0 : (size_t)sort);
	struct column_env env = {.snap = s};
	struct row *rows = calloc(s->sample.n_vms + 1, sizeof *rows);
	for (size_t i = 0; rows && i < s->sample.n_vms; i++) {
		rows[i].vm = i;
		rows[i].ascending = c->ascending;
		column_get(c, &env, i, &rows[i].key);
	}
	if (rows)
		qsort(rows, s->sample.n_vms, sizeof *rows, row_compare);
	return rows;
}

static void table(const struct batch_out *o, const struct snapshot *s, const struct row *rows)
{
	char line[4096] = "", text[4 * VM_NAME_BYTES];
	int widths[64];
	struct column_env env = {.snap = s};
	struct value v;
	for (int i = 0; i < o->n_columns; i++) {
		const struct column *c = column_at(o->columns[i]);
		widths[i] = column_width(o, s, i);
		out_cell(line, sizeof line, c->head, widths[i], c->left, i == o->n_columns - 1);
	}
	out_line(o->to, line);
	for (size_t r = 0; r < s->sample.n_vms; r++) {
		line[0] = '\0';
		for (int i = 0; i < o->n_columns; i++) {
			const struct column *c = column_at(o->columns[i]);
			column_get(c, &env, rows[r].vm, &v);
			value_format(text, sizeof text, &v);
			out_cell(line, sizeof line, text, widths[i], c->left, i == o->n_columns - 1);
		}
		out_line(o->to, line);
	}
}

int text_write_log(struct batch_out *o, const struct snapshot *s, struct err *e)
{
	(void)e;
	for (size_t i = 0; i < s->n_log; i++) {
		char time[48], text[sizeof s->log[i].text];
		if (s->log[i].seq <= o->log_seen)
			continue;
		o->log_seen = s->log[i].seq;
		text_time(time, sizeof time, s->log[i].wall_ns);
		text_safe(text, sizeof text, s->log[i].text);
		fprintf(o->to, "%.8s %s\n", strchr(time, 'T') ? strchr(time, 'T') + 1 : "-", text);
	}
	return 0;
}

/* Whether the lines go to systemd's journal: children of a service inherit the variable, so that it names the
 * stream by device and inode. */
static bool goes_to_journal(const struct batch_out *o)
{
	const char *named = getenv("JOURNAL_STREAM");
	struct stat st;
	char is[64];
	if (!named || !o->out || fstat(o->out->fd, &st) < 0)
		return false;
	snprintf(is, sizeof is, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	return strcmp(named, is) == 0;
}

/* The journal has the time, and reads how urgent a line is from its beginning. */
int log_write(struct batch_out *o, const struct snapshot *s, struct err *e)
{
	(void)e;
	bool journal = goes_to_journal(o);
	for (size_t i = 0; i < s->n_log; i++) {
		const struct log_line *l = &s->log[i];
		char time[48], text[sizeof l->text];
		if (l->seq <= o->log_seen)
			continue;
		o->log_seen = l->seq;
		bool bad = l->kind == LOG_ERROR ||
			   (l->kind == LOG_ACTION &&
				   (l->outcome == OUTCOME_FAILED || l->outcome == OUTCOME_UNKNOWN));
		text_time(time, sizeof time, l->wall_ns);
		text_safe(text, sizeof text, l->text);
		fprintf(o->to, "%s%s%s\n", journal ? bad ? "<4>" : "<6>" : time, journal ? "" : " ", text);
	}
	return 0;
}

int text_write(struct batch_out *o, const struct snapshot *s, struct err *e)
{
	struct row *rows = rows_sorted(o, s);
	if (!rows)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (o->ticks)
		fputc('\n', o->to);
	head_lines(o->to, s);
	table(o, s, rows);
	free(rows);
	return text_write_log(o, s, e);
}
