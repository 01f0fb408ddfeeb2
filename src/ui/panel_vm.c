/* SPDX-License-Identifier: MIT */
/* One VM in depth: every vCPU with its numbers, pin, rule and last minutes; its memory; its disks and
 * networks. */
#include <stdio.h>
#include <string.h>

#include "view_private.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

enum { VCPU_FIXED = 58 }; /* columns of a vCPU line before the history */

static void percent(char buf[8], struct vf64 x)
{
	if (vf64_has(x))
		snprintf(buf, 8, "%5.1f", x.v);
	else
		snprintf(buf, 8, "    -");
}

static void set_text(char *buf, size_t len, const struct cpuset *set, const struct snapshot *snap)
{
	struct cpuset online, cut = *set;
	sample_online(&snap->sample, &online);
	cpuset_and(&cut, &online);
	if (cpuset_equal(&cut, &online))
		snprintf(buf, len, "any");
	else if (cpuset_format(set, buf, len) >= len)
		snprintf(buf, len, "%d pCPU%s", cpuset_count(set), text_s((size_t)cpuset_count(set)));
}

static void vcpu_note(const struct vcpu_status *status, char *buf, size_t len)
{
	if (status->cpu == REASON_NONE)
		buf[0] = '\0';
	else if (status->held_for_s > 0)
		snprintf(buf, len, "%s %.0f s", reason_key(status->cpu), status->held_for_s);
	else
		snprintf(buf, len, "%s", reason_key(status->cpu));
}

static void vcpu_head(const struct view *view, struct screen *scr, struct rect area)
{
	char lately[32];
	screen_fill(scr, area.row, area.col, area.cols, STYLE_HEADER, ' ');
	screen_text(scr, area.row, area.col, area.cols, STYLE_HEADER,
		" vCPU   USE%  WAIT%  NEED%  ON node  PINNED     ALLOWED   ");
	if (area.cols > VCPU_FIXED + 16)
		screen_right(scr, area.row, area.col + VCPU_FIXED + 1, area.cols - VCPU_FIXED - 1,
			STYLE_HEADER,
			trend_head(view, scr, "", area.cols - VCPU_FIXED - 1, lately, sizeof lately));
}

static void vcpu_line(const struct view *view, const struct snapshot *snap, size_t vm, size_t k,
	struct screen *scr, struct rect area)
{
	const struct vm_sample *m = &snap->sample.vms[vm];
	size_t i = m->first_vcpu + k;
	const struct vcpu_sample *vcpu = &snap->sample.vcpus[i];
	const struct vcpu_rate *rate = &snap->vcpu_rates[i];
	char use[8], wait[8], want[8], on[12] = "-", node[12] = "-", pins[16] = "-", rule[16], note[48];
	percent(use, rate->usage_pct);
	percent(wait, rate->wait_pct);
	percent(want, rate->demand_pct);
	if (vi64_has(vcpu->pcpu)) {
		const struct pcpu_sample *pcpu = sample_pcpu(&snap->sample, (int)vcpu->pcpu.v);
		snprintf(on, sizeof on, "%d", (int)vcpu->pcpu.v);
		if (pcpu && pcpu->node >= 0)
			snprintf(node, sizeof node, "%d", pcpu->node);
	}
	if (vcpu->affinity_avail == AVAIL_OK)
		set_text(pins, sizeof pins, &vcpu->affinity, snap);
	set_text(rule, sizeof rule, &vcpu->allowed, snap);
	vcpu_note(&snap->vcpu_status[i], note, sizeof note);
	bool cursor = vcpu->id == view->map.vcpu && view_focus(view) == FOCUS_VCPUS;
	enum style style = cursor ? STYLE_SELECTED : vcpu->online ? STYLE_NORMAL : STYLE_DIM;
	if (cursor)
		screen_fill(scr, area.row, area.col, min_of(area.cols, VCPU_FIXED), style, ' ');
	screen_printf(scr, area.row, area.col, area.cols, style, "%c%4d  %s  %s  %s %4s %4s  %-10.10s %-9.9s",
		cursor ? '>' : ' ', vcpu->id, use, wait, want, on, node, pins, rule);
	if (!cursor && vf64_has(rate->usage_pct))
		screen_style(scr, area.row, area.col + 7, 5, draw_load_style(rate->usage_pct.v));
	if (!cursor && draw_waits(rate->wait_pct))
		screen_style(scr, area.row, area.col + 14, 5, STYLE_WAIT);
	int left = area.cols - VCPU_FIXED - 1, spark = left > 16 ? (note[0] ? left - 20 : left) : 0;
	const struct history_vm *hist = history_find(&view->hist, m->uuid);
	if (spark > 0 && hist && k < hist->n) {
		struct stack trend = {history_of_vcpu(&view->hist, hist, k, VCPU_RUN),
			history_of_vcpu(&view->hist, hist, k, VCPU_WAIT), STYLE_WAIT, 100};
		graph_draw(scr, (struct rect){area.row, area.col + VCPU_FIXED + 1, 1, spark}, &trend,
			TREND_SPAN);
	}
	if (note[0] && left > 4)
		draw_cut(scr, area.row, area.col + area.cols - (left > 16 ? 19 : left), left > 16 ? 19 : left,
			STYLE_WARN, note);
}

static void draw_vcpus(
	struct view *view, const struct snapshot *snap, size_t vm, struct screen *scr, struct rect area)
{
	const struct vm_sample *m = &snap->sample.vms[vm];
	size_t page = (size_t)excess(area.rows, 1), sel = 0;
	for (size_t k = 0; k < m->n_vcpus; k++)
		if (snap->sample.vcpus[m->first_vcpu + k].id == view->map.vcpu)
			sel = k;
	if (sel < view->vm_top)
		view->vm_top = sel;
	if (page && sel >= view->vm_top + page)
		view->vm_top = sel - page + 1;
	if (view->vm_top + page > m->n_vcpus)
		view->vm_top = excess(m->n_vcpus, page);
	vcpu_head(view, scr, area);
	for (size_t i = 0; i < page && view->vm_top + i < m->n_vcpus; i++)
		vcpu_line(view, snap, vm, view->vm_top + i, scr,
			(struct rect){area.row + 1 + (int)i, area.col, 1, area.cols});
}

static void io_text(const struct snapshot *snap, size_t vm, char *buf, size_t len)
{
	static const struct {
		const char *key, *text;
	} parts[] = {
		{"rdby", "disk reads %s B/s"},
		{"rdrq", " (%s/s)"},
		{"wrby", ", writes %s B/s"},
		{"wrrq", " (%s/s)"},
		{"rxby", " · net in %s B/s"},
		{"txby", ", out %s B/s"},
	};
	struct column_env env = {.snap = snap, .of_host = false};
	size_t at = 0;
	const struct vm_rate *rate = &snap->vm_rates[vm];
	buf[0] = '\0';
	if (!vf64_has(rate->rd_bytes_s) && !vf64_has(rate->rx_bytes_s)) {
		bool soon = rate->rd_bytes_s.avail ==
			    AVAIL_NOT_ASKED; /* it is asked for since this view is open */
		snprintf(buf, len, "-: %s",
			soon ? "comes with the next samples" : avail_text(rate->rd_bytes_s.avail));
		return;
	}
	for (size_t i = 0; i < sizeof parts / sizeof parts[0] && at < len; i++) {
		struct value val;
		char text[32], part[64];
		column_get(column_at((size_t)column_find(parts[i].key)), &env, vm, &val);
		value_format(text, sizeof text, &val);
		const char *put = strstr(parts[i].text, "%s");
		snprintf(part, sizeof part, "%.*s%s%s", (int)(put - parts[i].text), parts[i].text, text,
			put + 2);
		at += (size_t)snprintf(buf + at, len - at, "%s", part);
	}
}

static void draw_facts(const struct snapshot *snap, size_t vm, struct screen *scr, struct rect area)
{
	const struct vm_status *status = &snap->vm_status[vm];
	char text[700];
	int row = 0;
	truth_text(snap, vm, text, sizeof text);
	screen_text(scr, area.row, area.col + 1, 8, STYLE_DIM, "memory");
	row += draw_wrapped(
		scr, (struct rect){area.row, area.col + 9, area.rows, area.cols - 9}, STYLE_NORMAL, text);
	if (row < area.rows) {
		io_text(snap, vm, text, sizeof text);
		screen_text(scr, area.row + row, area.col + 1, 8, STYLE_DIM, "traffic");
		draw_cut(scr, area.row + row++, area.col + 9, area.cols - 9, STYLE_NORMAL, text);
	}
	if (row < area.rows && status->cpu != REASON_NONE) {
		screen_text(scr, area.row + row, area.col + 1, 8, STYLE_DIM, "AUTO");
		draw_cut(scr, area.row + row, area.col + 9, area.cols - 9, STYLE_WARN,
			reason_text(status->cpu));
	}
}

static void draw_identity(
	const struct view *view, const struct snapshot *snap, size_t vm, struct screen *scr, struct rect area)
{
	const struct vm_sample *m = &snap->sample.vms[vm];
	struct column_env env = {.snap = snap, .of_host = view->of_host};
	struct value state;
	char name[61], title[200], uuid[UUID_TEXT], word[64];
	text_escape(name, sizeof name, m->name);
	uuid_format(m->uuid, uuid);
	column_get(column_at((size_t)column_find("state")), &env, vm, &state);
	value_format(word, sizeof word, &state);
	snprintf(title, sizeof title, "%s · %s · %zu vCPU%s", name, word, m->n_vcpus, text_s(m->n_vcpus));
	draw_title(scr, area, true, title, area.cols > 90 ? uuid : NULL);
}

struct vm_plan {
	int vcpus, facts, graph, log;
};

static int log_lines(const struct snapshot *snap, const uint8_t *uuid)
{
	int n = 0;
	for (size_t i = 0; i < snap->n_log; i++)
		n += snap->log[i].vm[0] && !uuid_compare(snap->log[i].uuid, uuid);
	return n;
}

/* vCPUs first, then the facts, then graphs, then what was decided; who has little to say leaves room. */
static void plan_rows(const struct snapshot *snap, size_t vm, struct rect area, struct vm_plan *plan)
{
	const struct vm_sample *m = &snap->sample.vms[vm];
	int rows = area.rows - 1, want = 1 + (int)m->n_vcpus, said = 1 + log_lines(snap, m->uuid);
	*plan = (struct vm_plan){0};
	plan->facts = rows >= 11 ? 4 : rows >= 6 ? 2 : 0;
	int log = rows >= 17 ? max_of(said, 2) : 0, most = (rows - plan->facts) / 3;
	plan->log = min_of(log, most);
	rows -= plan->facts + plan->log;
	plan->vcpus = min_of(want, rows);
	rows -= plan->vcpus;
	plan->graph = rows < 5 || area.cols < 40 ? 0 : rows;
	rows -= plan->graph;
	if (plan->log || rows >= 2)
		plan->log += rows;
	else
		plan->vcpus += rows;
}

void vm_draw(struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area)
{
	size_t vm;
	if (!rows_selected(view, snap, &vm)) {
		screen_text(scr, area.row, area.col + 1, area.cols - 1, STYLE_DIM, "no VM is selected");
		return;
	}
	view_sight(view, FOCUS_VCPUS, area);
	view->groups |= SAMPLE_BLOCK | SAMPLE_NET;
	draw_identity(view, snap, vm, scr, area);
	struct vm_plan plan;
	plan_rows(snap, vm, area, &plan);
	int row = area.row + 1;
	draw_vcpus(view, snap, vm, scr, (struct rect){row, area.col, plan.vcpus, area.cols});
	row += plan.vcpus;
	if (plan.facts)
		draw_facts(snap, vm, scr, (struct rect){row, area.col, plan.facts, area.cols});
	row += plan.facts;
	if (plan.graph)
		vm_graphs_draw(view, snap, vm, scr, (struct rect){row, area.col, plan.graph, area.cols});
	row += plan.graph;
	if (plan.log)
		log_draw(view, snap, scr, (struct rect){row, area.col, plan.log, area.cols}, view->sel);
}
