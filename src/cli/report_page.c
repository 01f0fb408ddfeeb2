/* SPDX-License-Identifier: MIT */
/* The page of a report. Invariant: text from outside is escaped twice, once for what cannot be seen and once
 * for HTML; the page needs nothing but the files beside it. */
#include <string.h>

#include "report.h"
#include "vmtop/text.h"

static void html(FILE *f, const char *raw)
{
	char safe[2400];
	text_safe_utf8(safe, sizeof safe, raw);
	for (const char *p = safe; *p; p++)
		switch (*p) {
		case '&':
			fputs("&amp;", f);
			break;
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '"':
			fputs("&quot;", f);
			break;
		case '\'':
			fputs("&#39;", f);
			break;
		default:
			fputc(*p, f);
		}
}

static void cell(FILE *f, const char *text)
{
	fputs("<td>", f);
	html(f, text);
	fputs("</td>", f);
}

static void figure(FILE *f, const char *name, const char *caption)
{
	fprintf(f,
		"<figure><img src=\"%s.svg\" alt=\"%s\"><figcaption>%s (<a href=\"%s.png\">PNG</a>, "
		"<a href=\"%s.svg\">SVG</a>)</figcaption></figure>\n",
		name, caption, caption, name, name);
}

static void figures(const struct report *r, FILE *f)
{
	if (!r->figures) {
		fputs("<p>gnuplot was not installed: there are no figures. <code>gnuplot report.gp</code> in "
		      "this "
		      "folder draws them.</p>\n",
			f);
		return;
	}
	for (size_t i = 0; i < n_report_figures; i++)
		if (report_has_figure(r, &report_figures[i]))
			figure(f, report_figures[i].name, report_figures[i].caption);
}

static void what(const struct action *a, char *from, char *to, size_t len)
{
	if (a->kind == ACTION_PIN) {
		cpuset_format(&a->from, from, len);
		cpuset_format(&a->to, to, len);
	} else if (a->kind == ACTION_BALLOON) {
		text_kib(from, len, a->from_kib);
		text_kib(to, len, a->to_kib);
	} else {
		const char *unit = a->kind == ACTION_PERIOD ? " s" : "";
		snprintf(from, len, "%d%s", a->from_s, unit);
		snprintf(to, len, "%d%s", a->to_s, unit);
	}
}

static void decisions(const struct report *r, FILE *f)
{
	fprintf(f, "<h2>Decisions</h2>\n<p>%zu in all.", r->n_rows + r->more_rows);
	if (r->more_rows)
		fprintf(f, " The first %zu are below; the recording holds the rest.", r->n_rows);
	fputs("</p>\n<table><thead><tr><th>time</th><th>VM</th><th>vCPU</th><th>what</th><th>from</"
	      "th><th>to</th>"
	      "<th>reason</th><th>why</th><th>outcome</th></tr></thead><tbody>\n",
		f);
	for (size_t i = 0; i < r->n_rows; i++) {
		const struct report_row *row = &r->rows[i];
		char time[48], from[512], to[512], vcpu[16] = "", outcome[400];
		text_time(time, sizeof time, row->wall_ns);
		what(&row->a, from, to, sizeof from);
		if (row->a.vcpu >= 0)
			snprintf(vcpu, sizeof vcpu, "%d", row->a.vcpu);
		snprintf(outcome, sizeof outcome, "%s%s%s", outcome_text(row->a.outcome),
			*row->a.error ? ": " : "", row->a.error);
		const char *const cells[] = {time, row->vm, vcpu, action_kind_text(row->a.kind), from, to,
			reason_key(row->a.why.code), row->a.why.text, outcome};
		fputs("<tr>", f);
		for (size_t k = 0; k < sizeof cells / sizeof *cells; k++)
			cell(f, cells[k]);
		fputs("</tr>\n", f);
	}
	fputs("</tbody></table>\n", f);
}

static void marks(const struct report *r, FILE *f)
{
	if (!r->n_marks)
		return;
	fputs("<h2>Marks</h2>\n<table><thead><tr><th>seconds</th><th>mark</th></tr></thead><tbody>\n", f);
	for (size_t i = 0; i < r->n_marks; i++) {
		fprintf(f, "<tr><td>%.1f</td>", r->marks[i].at_s);
		cell(f, r->marks[i].text);
		fputs("</tr>\n", f);
	}
	fputs("</tbody></table>\n", f);
}

int report_page(const struct report *r, struct err *e)
{
	FILE *f = report_create(r, "index.html", e);
	char start[48];
	if (!f)
		return -1;
	text_time(start, sizeof start, r->start_wall_ns);
	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>vmtop "
	      "report</title>\n<style>"
	      "body{font-family:sans-serif;max-width:1240px;margin:1em auto;padding:0 1em}"
	      "img{max-width:100%;height:auto}figure{margin:1em 0}figcaption{color:#555}"
	      "table{border-collapse:collapse;font-size:85%}td,th{border:1px solid #ccc;padding:2px 6px;"
	      "text-align:left;vertical-align:top}</style></head><body>\n<h1>",
		f);
	html(f, *r->host ? r->host : "vmtop report");
	fputs("</h1>\n<p>", f);
	html(f, r->uri);
	fprintf(f, "<br>from %s, %.0f s in %zu tick%s on %zu pCPU%s<br>", start,
		r->ticks[r->n_ticks - 1].at_s, r->n_ticks, text_s(r->n_ticks), r->n_pcpus,
		text_s(r->n_pcpus));
	html(f, r->policies);
	fputs("</p>\n", f);
	figures(r, f);
	marks(r, f);
	decisions(r, f);
	fputs("<p>Numbers: ticks.tsv, pcpus.tsv", f);
	fputs(report_has_memory(r) ? ", guest1.tsv and so on." : ".", f);
	fputs("</p>\n</body></html>\n", f);
	return report_close(f, "index.html", e);
}
