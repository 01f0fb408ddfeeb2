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

static void set_text(char *buf, size_t len, const struct cpuset *set, const struct snapshot *s)
{
	struct cpuset online, cut = *set;
	sample_online(&s->sample, &online);
	cpuset_and(&cut, &online);
	if (cpuset_equal(&cut, &online))
		snprintf(buf, len, "any");
	else if (cpuset_format(set, buf, len) >= len)
		snprintf(buf, len, "%d pCPU%s", cpuset_count(set), text_s((size_t)cpuset_count(set)));
}

static void vcpu_note(const struct vcpu_status *st, char *buf, size_t len)
{
	if (st->cpu == REASON_NONE)
		buf[0] = '\0';
	else if (st->held_for_s > 0)
		snprintf(buf, len, "%s %.0f s", reason_key(st->cpu), st->held_for_s);
	else
		snprintf(buf, len, "%s", reason_key(st->cpu));
}

static void vcpu_head(const struct view *v, struct screen *to, struct rect at)
{
	char lately[32];
	screen_fill(to, at.row, at.col, at.cols, STYLE_HEADER, ' ');
	screen_text(to, at.row, at.col, at.cols, STYLE_HEADER,
		" vCPU   USE%  WAIT%  NEED%  ON node  PINNED     ALLOWED   ");
	if (at.cols > VCPU_FIXED + 16)
		screen_right(to, at.row, at.col + VCPU_FIXED + 1, at.cols - VCPU_FIXED - 1, STYLE_HEADER,
			trend_head(v, to, "", at.cols - VCPU_FIXED - 1, lately, sizeof lately));
}

static void vcpu_line(const struct view *v, const struct snapshot *s, size_t vm, size_t k, struct screen *to,
	struct rect at)
{
	const struct vm_sample *m = &s->sample.vms[vm];
	size_t i = m->first_vcpu + k;
	const struct vcpu_sample *c = &s->sample.vcpus[i];
	const struct vcpu_rate *r = &s->vcpu_rates[i];
	char use[8], wait[8], want[8], on[12] = "-", node[12] = "-", pins[16] = "-", rule[16], note[48];
	percent(use, r->usage_pct);
	percent(wait, r->wait_pct);
	percent(want, r->demand_pct);
	if (vi64_has(c->pcpu)) {
		const struct pcpu_sample *p = sample_pcpu(&s->sample, (int)c->pcpu.v);
		snprintf(on, sizeof on, "%d", (int)c->pcpu.v);
		if (p && p->node >= 0)
			snprintf(node, sizeof node, "%d", p->node);
	}
	if (c->affinity_avail == AVAIL_OK)
		set_text(pins, sizeof pins, &c->affinity, s);
	set_text(rule, sizeof rule, &c->allowed, s);
	vcpu_note(&s->vcpu_status[i], note, sizeof note);
	bool cursor = c->id == v->map.vcpu && view_focus(v) == FOCUS_VCPUS;
	enum style st = cursor ? STYLE_SELECTED : c->online ? STYLE_NORMAL : STYLE_DIM;
	if (cursor)
		screen_fill(to, at.row, at.col, min_of(at.cols, VCPU_FIXED), st, ' ');
	screen_printf(to, at.row, at.col, at.cols, st, "%c%4d  %s  %s  %s %4s %4s  %-10.10s %-9.9s",
		cursor ? '>' : ' ', c->id, use, wait, want, on, node, pins, rule);
	if (!cursor && vf64_has(r->usage_pct))
		screen_style(to, at.row, at.col + 7, 5, draw_load_style(r->usage_pct.v));
	if (!cursor && draw_waits(r->wait_pct))
		screen_style(to, at.row, at.col + 14, 5, STYLE_WAIT);
	int left = at.cols - VCPU_FIXED - 1, spark = left > 16 ? (note[0] ? left - 20 : left) : 0;
	const struct history_vm *h = history_find(&v->hist, m->uuid);
	if (spark > 0 && h && k < h->n) {
		struct stack trend = {history_of_vcpu(&v->hist, h, k, VCPU_RUN),
			history_of_vcpu(&v->hist, h, k, VCPU_WAIT), STYLE_WAIT, 100};
		graph_draw(to, (struct rect){at.row, at.col + VCPU_FIXED + 1, 1, spark}, &trend, TREND_SPAN);
	}
	if (note[0] && left > 4)
		draw_cut(to, at.row, at.col + at.cols - (left > 16 ? 19 : left), left > 16 ? 19 : left,
			STYLE_WARN, note);
}

static void draw_vcpus(struct view *v, const struct snapshot *s, size_t vm, struct screen *to, struct rect at)
{
	const struct vm_sample *m = &s->sample.vms[vm];
	size_t page = at.rows > 1 ? (size_t)at.rows - 1 : 0, sel = 0;
	for (size_t k = 0; k < m->n_vcpus; k++)
		if (s->sample.vcpus[m->first_vcpu + k].id == v->map.vcpu)
			sel = k;
	if (sel < v->vm_top)
		v->vm_top = sel;
	if (page && sel >= v->vm_top + page)
		v->vm_top = sel - page + 1;
	if (v->vm_top + page > m->n_vcpus)
		v->vm_top = m->n_vcpus > page ? m->n_vcpus - page : 0;
	vcpu_head(v, to, at);
	for (size_t i = 0; i < page && v->vm_top + i < m->n_vcpus; i++)
		vcpu_line(
			v, s, vm, v->vm_top + i, to, (struct rect){at.row + 1 + (int)i, at.col, 1, at.cols});
}

static void io_text(const struct snapshot *s, size_t vm, char *buf, size_t len)
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
	struct column_env env = {.snap = s, .of_host = false};
	size_t at = 0;
	const struct vm_rate *r = &s->vm_rates[vm];
	buf[0] = '\0';
	if (!vf64_has(r->rd_bytes_s) && !vf64_has(r->rx_bytes_s)) {
		bool soon =
			r->rd_bytes_s.avail == AVAIL_NOT_ASKED; /* it is asked for since this view is open */
		snprintf(buf, len, "-: %s",
			soon ? "comes with the next samples" : avail_text(r->rd_bytes_s.avail));
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

static void draw_facts(const struct snapshot *s, size_t vm, struct screen *to, struct rect at)
{
	const struct vm_status *st = &s->vm_status[vm];
	char text[700];
	int row = 0;
	truth_text(s, vm, text, sizeof text);
	screen_text(to, at.row, at.col + 1, 8, STYLE_DIM, "memory");
	row += draw_wrapped(to, (struct rect){at.row, at.col + 9, at.rows, at.cols - 9}, STYLE_NORMAL, text);
	if (row < at.rows) {
		io_text(s, vm, text, sizeof text);
		screen_text(to, at.row + row, at.col + 1, 8, STYLE_DIM, "traffic");
		draw_cut(to, at.row + row++, at.col + 9, at.cols - 9, STYLE_NORMAL, text);
	}
	if (row < at.rows && st->cpu != REASON_NONE) {
		screen_text(to, at.row + row, at.col + 1, 8, STYLE_DIM, "AUTO");
		draw_cut(to, at.row + row, at.col + 9, at.cols - 9, STYLE_WARN, reason_text(st->cpu));
	}
}

static void draw_identity(
	const struct view *v, const struct snapshot *s, size_t vm, struct screen *to, struct rect at)
{
	const struct vm_sample *m = &s->sample.vms[vm];
	struct column_env env = {.snap = s, .of_host = v->of_host};
	struct value state;
	char name[61], title[200], uuid[UUID_TEXT], word[64];
	text_escape(name, sizeof name, m->name);
	uuid_format(m->uuid, uuid);
	column_get(column_at((size_t)column_find("state")), &env, vm, &state);
	value_format(word, sizeof word, &state);
	snprintf(title, sizeof title, "%s · %s · %zu vCPU%s", name, word, m->n_vcpus, text_s(m->n_vcpus));
	draw_title(to, at, true, title, at.cols > 90 ? uuid : NULL);
}

struct vm_plan {
	int vcpus, facts, graph, log;
};

static int log_lines(const struct snapshot *s, const uint8_t *uuid)
{
	int n = 0;
	for (size_t i = 0; i < s->n_log; i++)
		n += s->log[i].vm[0] && !uuid_compare(s->log[i].uuid, uuid);
	return n;
}

/* vCPUs first, then the facts, then graphs, then what was decided; who has little to say leaves room. */
static void plan_rows(const struct snapshot *s, size_t vm, struct rect at, struct vm_plan *p)
{
	const struct vm_sample *m = &s->sample.vms[vm];
	int rows = at.rows - 1, want = 1 + (int)m->n_vcpus, said = 1 + log_lines(s, m->uuid);
	*p = (struct vm_plan){0};
	p->facts = rows >= 11 ? 4 : rows >= 6 ? 2 : 0;
	int log = rows >= 17 ? max_of(said, 2) : 0, most = (rows - p->facts) / 3;
	p->log = min_of(log, most);
	rows -= p->facts + p->log;
	p->vcpus = min_of(want, rows);
	rows -= p->vcpus;
	p->graph = rows < 5 || at.cols < 40 ? 0 : rows;
	rows -= p->graph;
	if (p->log || rows >= 2)
		p->log += rows;
	else
		p->vcpus += rows;
}

void vm_draw(struct view *v, const struct snapshot *s, struct screen *to, struct rect at)
{
	size_t vm;
	if (!rows_selected(v, s, &vm)) {
		screen_text(to, at.row, at.col + 1, at.cols - 1, STYLE_DIM, "no VM is selected");
		return;
	}
	view_sight(v, FOCUS_VCPUS, at);
	v->groups |= SAMPLE_BLOCK | SAMPLE_NET;
	draw_identity(v, s, vm, to, at);
	struct vm_plan p;
	plan_rows(s, vm, at, &p);
	int row = at.row + 1;
	draw_vcpus(v, s, vm, to, (struct rect){row, at.col, p.vcpus, at.cols});
	row += p.vcpus;
	if (p.facts)
		draw_facts(s, vm, to, (struct rect){row, at.col, p.facts, at.cols});
	row += p.facts;
	if (p.graph)
		vm_graphs_draw(v, s, vm, to, (struct rect){row, at.col, p.graph, at.cols});
	row += p.graph;
	if (p.log)
		log_draw(v, s, to, (struct rect){row, at.col, p.log, at.cols}, v->sel);
}
