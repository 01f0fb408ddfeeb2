/* SPDX-License-Identifier: MIT */
/* Host pCPUs: a bar each while they fit, else a heat strip of one cell each by node and LLC. Invariant: no
 * pCPU is dropped without a word. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "view_private.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

enum { BAR_MIN = 19, STRIP_LABEL = 8, MEMORY_BAR = 40 };

/* How the heat strip is laid out. When there are more pCPUs than cells, `share` neighbours have one cell: the
 * busiest shows, so that a hot pCPU is never lost in a mean. */
struct strip {
	int row, col, cols, label, share;
	bool flow; /* nodes follow one another instead of starting a line each, and no gaps */
};

static void strip_next(struct strip *t, const struct unit *u, const struct unit *before)
{
	bool node = before && before->node != u->node,
	     llc = before && (before->llc != u->llc || before->lesser != u->lesser);
	if (!before)
		t->col = t->label;
	else if (node && !t->flow)
		t->row++, t->col = t->label;
	else
		t->col += 1 + (!t->flow && llc && u->n == 1);
	if (t->col >= t->cols)
		t->row++, t->col = t->label;
}

static int strip_label(int cols)
{
	return cols > 40 ? STRIP_LABEL : 0;
}

static int strip_rows(const struct units *units, int cols, bool flow, int share)
{
	struct strip t = {.cols = cols, .flow = flow, .label = strip_label(cols)};
	for (size_t i = 0; i < units->n; i += (size_t)share)
		strip_next(&t, &units->list[i], i ? &units->list[i - (size_t)share] : NULL);
	return units->n ? t.row + 1 : 0;
}

/* The roomiest layout that fits into the rows. */
static struct strip strip_fit(const struct units *units, int cols, int rows)
{
	struct strip t = {.cols = cols, .label = strip_label(cols), .share = 1};
	if (strip_rows(units, cols, false, 1) <= rows)
		return t;
	t.flow = true;
	while (strip_rows(units, cols, true, t.share) > rows && (size_t)t.share < units->n)
		t.share *= 2;
	return t;
}

static int bar_columns(const struct units *units, int cols)
{
	int n = cols / BAR_MIN;
	int most = (int)units->n;
	n = clamp(n, 1, most);
	if (n > 1 && n < most) /* even rows look calmer: 8 units are 4 + 4, not 5 + 3 */
		for (int rows = (most + n - 1) / n; n > 1 && (most + n - 2) / (n - 1) == rows; n--)
			;
	return max_of(n, 1);
}

static int bar_rows(const struct units *units, int cols)
{
	int n = bar_columns(units, cols);
	return ((int)units->n + n - 1) / n;
}

int pcpus_rows(const struct units *units, int cols, int most, int by_node)
{
	int bars = bar_rows(units, cols), lines = strip_rows(units, cols, false, 1);
	if (bars <= most || !most)
		return min_of(bars, most);
	if (lines <= max_of(by_node, most))
		return lines;
	struct strip t = strip_fit(units, cols, most);
	int n = strip_rows(units, cols, t.flow, t.share);
	return min_of(n, most);
}

/* Where the selected VM runs, or is pinned to. */
static void lit_cpus(const struct snapshot *s, long vm, struct cpuset *lit)
{
	cpuset_clear(lit);
	if (vm < 0)
		return;
	const struct vm_sample *m = &s->sample.vms[vm];
	for (size_t i = 0; i < m->n_vcpus; i++) {
		const struct vcpu_sample *c = &s->sample.vcpus[m->first_vcpu + i];
		if (c->affinity_avail == AVAIL_OK && c->pinned)
			cpuset_or(lit, &c->affinity);
		else if (vi64_has(c->pcpu))
			cpuset_add(lit, (int)c->pcpu.v);
	}
}

static bool crowded(const struct unit *u)
{
	return vf64_has(u->demand_pct) && u->demand_pct.v > 105;
}

static void draw_bar(const struct unit *u, bool lit, bool room, struct screen *to, struct rect at, int label)
{
	char text[48] = "";
	screen_right(to, at.row, at.col, label, lit ? STYLE_HERE : STYLE_DIM, u->label);
	int col = at.col + label + 1, width = at.cols - label - 1;
	if (!u->online || u->isolated) {
		screen_text(to, at.row, col, width, STYLE_DIM, u->online ? "isolated" : "offline");
		return;
	}
	struct meter m = {.tick = -1, .text = text, .first_style = STYLE_DIM, .second_style = STYLE_DIM};
	if (vf64_has(u->busy_pct)) {
		double load = vf64_has(u->load_pct) ? fmin(u->load_pct.v, u->busy_pct.v) : u->busy_pct.v;
		m.first = load;
		m.second = u->busy_pct.v - load;
		m.first_style = draw_load_style(u->busy_pct.v);
		snprintf(text, sizeof text, "%3.0f%%", u->busy_pct.v);
	} else if (vf64_has(u->load_pct)) {
		m.first = u->load_pct.v;
		m.first_style = draw_load_style(m.first);
		snprintf(text, sizeof text, "%3.0f%%", m.first);
	} else {
		snprintf(text, sizeof text, "   -");
	}
	if (room)
		strcat(text, "     ");
	draw_meter(to, at.row, col, width, &m);
	if (room && crowded(u)) {
		snprintf(text, sizeof text, "▲%.0f", u->demand_pct.v);
		screen_text(to, at.row, at.col + at.cols - 4, 4, STYLE_WAIT, text);
	}
}

static void draw_bars(const struct units *units, const struct cpuset *lit, struct screen *to, struct rect at)
{
	int n = bar_columns(units, at.cols), label = 2;
	bool room = false;
	for (size_t i = 0; i < units->n; i++) {
		int len = (int)strlen(units->list[i].label);
		label = max_of(len, label);
		room = room || crowded(&units->list[i]);
	}
	for (size_t i = 0; i < units->n; i++) {
		int row = (int)i / n, slot = (int)i % n;
		int from = slot * (at.cols + 2) / n, end = (slot + 1) * (at.cols + 2) / n - 2;
		if (row < at.rows)
			draw_bar(&units->list[i], cpuset_intersects(&units->list[i].cpus, lit),
				room && end - from >= 22, to,
				(struct rect){at.row + row, at.col + from, 1, end - from}, label);
	}
}

/* Neighbours that share a cell: the busiest of them, and all their pCPUs. */
static struct unit hottest(const struct units *units, size_t from, int share)
{
	struct unit u = units->list[from];
	for (size_t i = from; i < from + (size_t)share && i < units->n; i++) {
		const struct unit *x = &units->list[i];
		struct cpuset cpus = u.cpus;
		cpuset_or(&cpus, &x->cpus);
		if (x->online && (!u.online || x->busy_pct.v > u.busy_pct.v))
			u = *x;
		u.cpus = cpus;
	}
	return u;
}

/* The memory of a node beside its pCPUs: a bar and words, or what is free of it. */
static void draw_memory(const struct node_sample *n, struct screen *to, int row, int col, int cols)
{
	char free_text[16], total[16], text[48];
	if (!vi64_has(n->free_kib) || !vi64_has(n->total_kib) || n->total_kib.v <= 0)
		return;
	text_kib(free_text, sizeof free_text, n->free_kib.v);
	text_kib(total, sizeof total, n->total_kib.v);
	int words = snprintf(text, sizeof text, " %s of %s free", free_text, total);
	int bar = min_of(cols - words, MEMORY_BAR);
	double used = 100.0 * (double)(n->total_kib.v - n->free_kib.v) / (double)n->total_kib.v;
	struct meter m = {.first = used, .tick = -1, .first_style = draw_load_style(used)};
	if (bar >= 8) {
		draw_meter(to, row, col, bar, &m);
		screen_text(to, row, col + bar, words, STYLE_NORMAL, text);
	} else if (cols >= (int)strlen(free_text))
		screen_right(to, row, col, cols, STYLE_DIM, free_text);
}

/* Where each node begins a line, and nothing else stands behind its cells. */
static void strip_memory(
	const struct units *units, const struct snapshot *s, struct screen *to, struct rect at)
{
	struct strip t = strip_fit(units, at.cols, at.rows), all = t;
	int edge = 0;
	if (t.flow || !t.label)
		return;
	for (size_t i = 0; i < units->n; i++) {
		strip_next(&all, &units->list[i], i ? &units->list[i - 1] : NULL);
		edge = max_of(all.col + 2, edge);
	}
	for (size_t i = 0; i < units->n; i++) {
		strip_next(&t, &units->list[i], i ? &units->list[i - 1] : NULL);
		for (size_t k = 0;
			k < s->sample.host.n_nodes && (!i || units->list[i - 1].node != units->list[i].node);
			k++)
			if (s->sample.host.nodes[k].id == units->list[i].node)
				draw_memory(&s->sample.host.nodes[k], to, at.row + t.row, at.col + edge,
					at.cols - edge);
	}
}

static void strip_mark(
	const struct strip *t, const struct unit *u, bool node, struct screen *to, struct rect at)
{
	if (!t->flow && node && u->node < 0) /* what is offline belongs to none */
		screen_text(to, at.row + t->row, at.col, t->label - 1, STYLE_DIM, "no node");
	else if (!t->flow && node)
		screen_printf(to, at.row + t->row, at.col, t->label - 1, STYLE_DIM, "node %d", u->node);
	else if (t->share > 1)
		screen_printf(
			to, at.row + t->row, at.col, t->label - 1, STYLE_DIM, "%4sx%d", u->label, t->share);
	else
		screen_printf(to, at.row + t->row, at.col, t->label - 1, STYLE_DIM, "%6s", u->label);
}

static void draw_strip(const struct units *units, const struct cpuset *lit, struct screen *to, struct rect at)
{
	struct strip t = strip_fit(units, at.cols, at.rows);
	for (size_t i = 0; i < units->n; i += (size_t)t.share) {
		const struct unit *before = i ? &units->list[i - (size_t)t.share] : NULL;
		struct unit u = hottest(units, i, t.share);
		int row = t.row;
		strip_next(&t, &units->list[i], before);
		if (t.label && (!before || t.row != row))
			strip_mark(
				&t, &units->list[i], !before || before->node != units->list[i].node, to, at);
		struct vf64 x = vf64_has(u.busy_pct) ? u.busy_pct : u.load_pct;
		bool on = cpuset_intersects(&u.cpus, lit);
		enum style st = crowded(&u) ? STYLE_WAIT : on ? STYLE_LIT : draw_load_style(x.v);
		uint32_t ch = !u.online ? 'x' : !vf64_has(x) ? '-' : draw_level(to, x.v);
		screen_fill(
			to, at.row + t.row, at.col + t.col, 1, vf64_has(x) && u.online ? st : STYLE_DIM, ch);
	}
}

void pcpus_draw(
	const struct units *units, const struct snapshot *s, struct screen *to, struct rect at, long vm)
{
	struct cpuset lit;
	if (at.rows < 1 || at.cols < 4 || !units->n)
		return;
	lit_cpus(s, vm, &lit);
	if (bar_rows(units, at.cols) <= at.rows)
		draw_bars(units, &lit, to, at);
	else {
		draw_strip(units, &lit, to, at);
		strip_memory(units, s, to, at);
	}
}
