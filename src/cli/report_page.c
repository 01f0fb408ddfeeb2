/* SPDX-License-Identifier: MIT */
/* The page of a report. Invariant: text from outside is escaped twice, once for what cannot be seen and once
 * for HTML; the page needs nothing but the files beside it. */
#include <string.h>

#include "report.h"
#include "vmtop/text.h"

static void html(FILE *file, const char *raw)
{
	char safe[2400];
	text_safe_utf8(safe, sizeof safe, raw);
	for (const char *p = safe; *p; p++)
		switch (*p) {
		case '&':
			fputs("&amp;", file);
			break;
		case '<':
			fputs("&lt;", file);
			break;
		case '>':
			fputs("&gt;", file);
			break;
		case '"':
			fputs("&quot;", file);
			break;
		case '\'':
			fputs("&#39;", file);
			break;
		default:
			fputc(*p, file);
		}
}

static void cell(FILE *file, const char *text)
{
	fputs("<td>", file);
	html(file, text);
	fputs("</td>", file);
}

static void figure(FILE *file, const char *name, const char *caption)
{
	fprintf(file,
		"<figure><img src=\"%s.svg\" alt=\"%s\"><figcaption>%s (<a href=\"%s.png\">PNG</a>, "
		"<a href=\"%s.svg\">SVG</a>)</figcaption></figure>\n",
		name, caption, caption, name, name);
}

static void figures(const struct report *report, FILE *file)
{
	if (!report->figures) {
		fputs("<p>gnuplot was not installed: there are no figures. <code>gnuplot report.gp</code> in "
		      "this "
		      "folder draws them.</p>\n",
			file);
		return;
	}
	for (size_t i = 0; i < n_report_figures; i++)
		if (report_has_figure(report, &report_figures[i]))
			figure(file, report_figures[i].name, report_figures[i].caption);
}

static void what(const struct action *action, char *from, char *to, size_t len)
{
	if (action->kind == ACTION_PIN) {
		cpuset_format(&action->from, from, len);
		cpuset_format(&action->to, to, len);
	} else if (action->kind == ACTION_BALLOON) {
		text_kib(from, len, action->from_kib);
		text_kib(to, len, action->to_kib);
	} else {
		const char *unit = text_if(action->kind == ACTION_PERIOD, " s");
		snprintf(from, len, "%d%s", action->from_s, unit);
		snprintf(to, len, "%d%s", action->to_s, unit);
	}
}

static void decisions(const struct report *report, FILE *file)
{
	fprintf(file, "<h2>Decisions</h2>\n<p>%zu in all.", report->n_rows + report->more_rows);
	if (report->more_rows)
		fprintf(file, " The first %zu are below; the recording holds the rest.", report->n_rows);
	fputs("</p>\n<table><thead><tr><th>time</th><th>VM</th><th>vCPU</th><th>what</th><th>from</"
	      "th><th>to</th>"
	      "<th>reason</th><th>why</th><th>outcome</th></tr></thead><tbody>\n",
		file);
	for (size_t i = 0; i < report->n_rows; i++) {
		const struct report_row *row = &report->rows[i];
		char time[48], from[512], to[512], vcpu[16] = "", outcome[400];
		text_time(time, sizeof time, row->wall_ns);
		what(&row->a, from, to, sizeof from);
		if (row->a.vcpu >= 0)
			snprintf(vcpu, sizeof vcpu, "%d", row->a.vcpu);
		snprintf(outcome, sizeof outcome, "%s%s%s", outcome_text(row->a.outcome),
			text_if(*row->a.error, ": "), row->a.error);
		const char *const cells[] = {time, row->vm, vcpu, action_kind_text(row->a.kind), from, to,
			reason_key(row->a.why.code), row->a.why.text, outcome};
		fputs("<tr>", file);
		for (size_t k = 0; k < sizeof cells / sizeof *cells; k++)
			cell(file, cells[k]);
		fputs("</tr>\n", file);
	}
	fputs("</tbody></table>\n", file);
}

static void marks(const struct report *report, FILE *file)
{
	if (!report->n_marks)
		return;
	fputs("<h2>Marks</h2>\n<table><thead><tr><th>seconds</th><th>mark</th></tr></thead><tbody>\n", file);
	for (size_t i = 0; i < report->n_marks; i++) {
		fprintf(file, "<tr><td>%.1f</td>", report->marks[i].at_s);
		cell(file, report->marks[i].text);
		fputs("</tr>\n", file);
	}
	fputs("</tbody></table>\n", file);
}

int report_page(const struct report *report, struct err *err)
{
	FILE *file = report_create(report, "index.html", err);
	char start[48];
	if (!file)
		return -1;
	text_time(start, sizeof start, report->start_wall_ns);
	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>vmtop "
	      "report</title>\n<style>"
	      "body{font-family:sans-serif;max-width:1240px;margin:1em auto;padding:0 1em}"
	      "img{max-width:100%;height:auto}figure{margin:1em 0}figcaption{color:#555}"
	      "table{border-collapse:collapse;font-size:85%}td,th{border:1px solid #ccc;padding:2px 6px;"
	      "text-align:left;vertical-align:top}</style></head><body>\n<h1>",
		file);
	html(file, text_or(report->host, "vmtop report"));
	fputs("</h1>\n<p>", file);
	html(file, report->uri);
	fprintf(file, "<br>from %s, %.0f s in %zu tick%s on %zu pCPU%s<br>", start,
		report->ticks[report->n_ticks - 1].at_s, report->n_ticks, text_s(report->n_ticks),
		report->n_pcpus, text_s(report->n_pcpus));
	html(file, report->policies);
	fputs("</p>\n", file);
	figures(report, file);
	marks(report, file);
	decisions(report, file);
	fputs("<p>Numbers: ticks.tsv, pcpus.tsv", file);
	fputs(report_has_memory(report) ? ", guest1.tsv and so on." : ".", file);
	fputs("</p>\n</body></html>\n", file);
	return report_close(file, "index.html", err);
}
