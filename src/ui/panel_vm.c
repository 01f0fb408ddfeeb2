/* SPDX-License-Identifier: MIT */
/* One VM in depth: every vCPU with its numbers, pin, rule and last minutes; its memory; its disks and
 * networks. */
#include <stdio.h>
#include <string.h>

#include "view_private.h"
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
		snprintf(buf, len, "%d pCPUs", cpuset_count(set));
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

static void vcpu_head(struct screen *to, struct rect at)
{
	screen_fill(to, at.row, at.col, at.cols, STYLE_HEADER, ' ');
	screen_text(to, at.row, at.col, at.cols, STYLE_HEADER,
		" vCPU   USE%  WAIT%  WANT%  ON node  PINNED     ALLOWED   ");
	if (at.cols > VCPU_FIXED + 16)
		screen_text(to, at.row, at.col + VCPU_FIXED + 1, at.cols - VCPU_FIXED, STYLE_HEADER,
			"LAST MINUTES");
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
	bool cursor = c->id == v->map_vcpu && view_focus(v) == FOCUS_VCPUS;
	enum style st = cursor ? STYLE_SELECTED : c->online ? STYLE_NORMAL : STYLE_DIM;
	if (cursor)
		screen_fill(to, at.row, at.col, at.cols < VCPU_FIXED ? at.cols : VCPU_FIXED, st, ' ');
	screen_printf(to, at.row, at.col, at.cols, st, "%c%4d  %s  %s  %s %4s %4s  %-10.10s %-9.9s",
		cursor ? '>' : ' ', c->id, use, wait, want, on, node, pins, rule);
	if (!cursor && vf64_has(r->usage_pct))
		screen_style(to, at.row, at.col + 7, 5, draw_load_style(r->usage_pct.v));
	if (!cursor && vf64_has(r->wait_pct) && r->wait_pct.v >= 10)
		screen_style(to, at.row, at.col + 14, 5, STYLE_WAIT);
	int left = at.cols - VCPU_FIXED - 1, spark = left > 16 ? (note[0] ? left - 20 : left) : 0;
	const struct history_vm *h = history_find(&v->hist, m->uuid);
	if (spark > 0 && h && k < h->n)
		draw_spark(to, at.row, at.col + VCPU_FIXED + 1,
			spark < HISTORY_POINTS ? spark : HISTORY_POINTS, v->hist.lines[h->first + k].at,
			HISTORY_POINTS, v->hist.newest);
	if (note[0] && left > 4)
		draw_cut(to, at.row, at.col + at.cols - (left > 16 ? 19 : left), left > 16 ? 19 : left,
			STYLE_WARN, note);
}

static void draw_vcpus(struct view *v, const struct snapshot *s, size_t vm, struct screen *to, struct rect at)
{
	const struct vm_sample *m = &s->sample.vms[vm];
	size_t page = at.rows > 1 ? (size_t)at.rows - 1 : 0, sel = 0;
	for (size_t k = 0; k < m->n_vcpus; k++)
		if (s->sample.vcpus[m->first_vcpu + k].id == v->map_vcpu)
			sel = k;
	if (sel < v->vm_top)
		v->vm_top = sel;
	if (page && sel >= v->vm_top + page)
		v->vm_top = sel - page + 1;
	if (v->vm_top + page > m->n_vcpus)
		v->vm_top = m->n_vcpus > page ? m->n_vcpus - page : 0;
	vcpu_head(to, at);
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
	struct column_env env = {s, false};
	size_t at = 0;
	buf[0] = '\0';
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

/* The VM's last minutes, in the room that its vCPUs leave: CPU to the left, memory to the right. */
static void draw_graphs(
	const struct view *v, const struct snapshot *s, size_t vm, struct screen *to, struct rect at)
{
	const struct history_vm *h = history_find(&v->hist, s->sample.vms[vm].uuid);
	if (!h || at.rows < 4 || at.cols < 40)
		return;
	size_t i = (size_t)(h - v->hist.vms);
	int half = at.cols / 2 - 1;
	int wide = half < HISTORY_POINTS ? half : HISTORY_POINTS;
	draw_title(to, (struct rect){at.row, at.col, 1, half}, false, "CPU, mean of its vCPUs", NULL);
	draw_graph(to, (struct rect){at.row + 1, at.col + half - wide, at.rows - 1, wide}, v->hist.cpu[i].at,
		HISTORY_POINTS, v->hist.newest);
	struct rect right = {at.row, at.col + half + 2, 1, at.cols - half - 2};
	draw_title(to, right, false, "memory used of its maximum", NULL);
	wide = right.cols < HISTORY_POINTS ? right.cols : HISTORY_POINTS;
	draw_graph(to, (struct rect){at.row + 1, at.col + at.cols - wide, at.rows - 1, wide},
		v->hist.mem[i].at, HISTORY_POINTS, v->hist.newest);
}

static void draw_name(
	const struct view *v, const struct snapshot *s, size_t vm, struct screen *to, struct rect at)
{
	const struct vm_sample *m = &s->sample.vms[vm];
	struct column_env env = {s, v->of_host};
	struct value state;
	char name[1400], title[1600], uuid[UUID_TEXT], word[64];
	text_escape(name, sizeof name, m->name);
	uuid_format(m->uuid, uuid);
	column_get(column_at((size_t)column_find("state")), &env, vm, &state);
	value_format(word, sizeof word, &state);
	snprintf(title, sizeof title, "%.60s · %s · %zu vCPUs", name, word, m->n_vcpus);
	draw_title(to, at, true, title, at.cols > 90 ? uuid : NULL);
}

void vm_draw(struct view *v, const struct snapshot *s, struct screen *to, struct rect at)
{
	size_t vm;
	if (!rows_selected(v, s, &vm)) {
		screen_text(to, at.row, at.col + 1, at.cols - 1, STYLE_DIM, "no VM is selected");
		return;
	}
	int facts = at.rows >= 12 ? 4 : at.rows >= 7 ? 2 : 0;
	int log = at.rows >= 18 ? (at.rows - 6) / 3 : 0;
	draw_name(v, s, vm, to, at);
	int body = at.rows - 1 - facts - log, vcpus = 1 + (int)s->sample.vms[vm].n_vcpus;
	int graph = body - vcpus - 1 < 10 ? body - vcpus - 1 : 10;
	if (graph >= 4)
		draw_graphs(v, s, vm, to, (struct rect){at.row + 1 + body - graph, at.col, graph, at.cols});
	else
		graph = 0;
	draw_vcpus(v, s, vm, to, (struct rect){at.row + 1, at.col, body - graph, at.cols});
	if (facts)
		draw_facts(s, vm, to, (struct rect){at.row + at.rows - log - facts, at.col, facts, at.cols});
	if (log)
		log_draw(v, s, to, (struct rect){at.row + at.rows - log, at.col, log, at.cols}, v->sel);
}
