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

static void strip_next(struct strip *strip, const struct unit *unit, const struct unit *before)
{
	bool node = before && before->node != unit->node,
	     llc = before && (before->llc != unit->llc || before->lesser != unit->lesser);
	if (!before)
		strip->col = strip->label;
	else if (node && !strip->flow)
		strip->row++, strip->col = strip->label;
	else
		strip->col += 1 + (!strip->flow && llc && unit->n == 1);
	if (strip->col >= strip->cols)
		strip->row++, strip->col = strip->label;
}

static int strip_label(int cols)
{
	return cols > 40 ? STRIP_LABEL : 0;
}

static int strip_rows(const struct units *units, int cols, bool flow, int share)
{
	struct strip strip = {.cols = cols, .flow = flow, .label = strip_label(cols)};
	for (size_t i = 0; i < units->n; i += (size_t)share)
		strip_next(&strip, &units->list[i], i ? &units->list[i - (size_t)share] : NULL);
	return units->n ? strip.row + 1 : 0;
}

/* The roomiest layout that fits into the rows. */
static struct strip strip_fit(const struct units *units, int cols, int rows)
{
	struct strip strip = {.cols = cols, .label = strip_label(cols), .share = 1};
	if (strip_rows(units, cols, false, 1) <= rows)
		return strip;
	strip.flow = true;
	while (strip_rows(units, cols, true, strip.share) > rows && (size_t)strip.share < units->n)
		strip.share *= 2;
	return strip;
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
	struct strip strip = strip_fit(units, cols, most);
	int n = strip_rows(units, cols, strip.flow, strip.share);
	return min_of(n, most);
}

/* Where the selected VM runs, or is pinned to. */
static void lit_cpus(const struct snapshot *snap, long vm, struct cpuset *lit)
{
	cpuset_clear(lit);
	if (vm < 0)
		return;
	const struct vm_sample *m = &snap->sample.vms[vm];
	for (size_t i = 0; i < m->n_vcpus; i++) {
		const struct vcpu_sample *vcpu = &snap->sample.vcpus[m->first_vcpu + i];
		if (vcpu->affinity_avail == AVAIL_OK && vcpu->pinned)
			cpuset_or(lit, &vcpu->affinity);
		else if (vi64_has(vcpu->pcpu))
			cpuset_add(lit, (int)vcpu->pcpu.v);
	}
}

static bool crowded(const struct unit *unit)
{
	return vf64_has(unit->demand_pct) && unit->demand_pct.v > 105;
}

static void draw_bar(
	const struct unit *unit, bool lit, bool room, struct screen *scr, struct rect area, int label)
{
	char text[48] = "";
	screen_right(scr, area.row, area.col, label, lit ? STYLE_HERE : STYLE_DIM, unit->label);
	int col = area.col + label + 1, width = area.cols - label - 1;
	if (!unit->online || unit->isolated) {
		screen_text(scr, area.row, col, width, STYLE_DIM, unit->online ? "isolated" : "offline");
		return;
	}
	struct meter meter = {.tick = -1, .text = text, .first_style = STYLE_DIM, .second_style = STYLE_DIM};
	if (vf64_has(unit->busy_pct)) {
		double load = vf64_has(unit->load_pct) ? fmin(unit->load_pct.v, unit->busy_pct.v)
						       : unit->busy_pct.v;
		meter.first = load;
		meter.second = unit->busy_pct.v - load;
		meter.first_style = draw_load_style(unit->busy_pct.v);
		snprintf(text, sizeof text, "%3.0f%%", unit->busy_pct.v);
	} else if (vf64_has(unit->load_pct)) {
		meter.first = unit->load_pct.v;
		meter.first_style = draw_load_style(meter.first);
		snprintf(text, sizeof text, "%3.0f%%", meter.first);
	} else {
		snprintf(text, sizeof text, "   -");
	}
	if (room)
		strcat(text, "     ");
	draw_meter(scr, area.row, col, width, &meter);
	if (room && crowded(unit)) {
		snprintf(text, sizeof text, "▲%.0f", unit->demand_pct.v);
		screen_text(scr, area.row, area.col + area.cols - 4, 4, STYLE_WAIT, text);
	}
}

static void draw_bars(
	const struct units *units, const struct cpuset *lit, struct screen *scr, struct rect area)
{
	int n = bar_columns(units, area.cols), label = 2;
	bool room = false;
	for (size_t i = 0; i < units->n; i++) {
		int len = (int)strlen(units->list[i].label);
		label = max_of(len, label);
		room = room || crowded(&units->list[i]);
	}
	for (size_t i = 0; i < units->n; i++) {
		int row = (int)i / n, slot = (int)i % n;
		int from = slot * (area.cols + 2) / n, end = (slot + 1) * (area.cols + 2) / n - 2;
		if (row < area.rows)
			draw_bar(&units->list[i], cpuset_intersects(&units->list[i].cpus, lit),
				room && end - from >= 22, scr,
				(struct rect){area.row + row, area.col + from, 1, end - from}, label);
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
static void draw_memory(const struct node_sample *n, struct screen *scr, int row, int col, int cols)
{
	char free_text[16], total[16], text[48];
	if (!vi64_has(n->free_kib) || !vi64_has(n->total_kib) || n->total_kib.v <= 0)
		return;
	text_kib(free_text, sizeof free_text, n->free_kib.v);
	text_kib(total, sizeof total, n->total_kib.v);
	int words = snprintf(text, sizeof text, " %s of %s free", free_text, total);
	int bar = min_of(cols - words, MEMORY_BAR);
	double used = 100.0 * (double)(n->total_kib.v - n->free_kib.v) / (double)n->total_kib.v;
	struct meter meter = {.first = used, .tick = -1, .first_style = draw_load_style(used)};
	if (bar >= 8) {
		draw_meter(scr, row, col, bar, &meter);
		screen_text(scr, row, col + bar, words, STYLE_NORMAL, text);
	} else if (cols >= (int)strlen(free_text))
		screen_right(scr, row, col, cols, STYLE_DIM, free_text);
}

/* Where each node begins a line, and nothing else stands behind its cells. */
static void strip_memory(
	const struct units *units, const struct snapshot *snap, struct screen *scr, struct rect area)
{
	struct strip strip = strip_fit(units, area.cols, area.rows), all = strip;
	int edge = 0;
	if (strip.flow || !strip.label)
		return;
	for (size_t i = 0; i < units->n; i++) {
		strip_next(&all, &units->list[i], i ? &units->list[i - 1] : NULL);
		edge = max_of(all.col + 2, edge);
	}
	for (size_t i = 0; i < units->n; i++) {
		strip_next(&strip, &units->list[i], i ? &units->list[i - 1] : NULL);
		for (size_t k = 0; k < snap->sample.host.n_nodes &&
				   (!i || units->list[i - 1].node != units->list[i].node);
			k++)
			if (snap->sample.host.nodes[k].id == units->list[i].node)
				draw_memory(&snap->sample.host.nodes[k], scr, area.row + strip.row,
					area.col + edge, area.cols - edge);
	}
}

static void strip_mark(
	const struct strip *strip, const struct unit *unit, bool node, struct screen *scr, struct rect area)
{
	if (!strip->flow && node && unit->node < 0) /* what is offline belongs to none */
		screen_text(scr, area.row + strip->row, area.col, strip->label - 1, STYLE_DIM, "no node");
	else if (!strip->flow && node)
		screen_printf(scr, area.row + strip->row, area.col, strip->label - 1, STYLE_DIM, "node %d",
			unit->node);
	else if (strip->share > 1)
		screen_printf(scr, area.row + strip->row, area.col, strip->label - 1, STYLE_DIM, "%4sx%d",
			unit->label, strip->share);
	else
		screen_printf(scr, area.row + strip->row, area.col, strip->label - 1, STYLE_DIM, "%6s",
			unit->label);
}

static void draw_strip(
	const struct units *units, const struct cpuset *lit, struct screen *scr, struct rect area)
{
	struct strip strip = strip_fit(units, area.cols, area.rows);
	for (size_t i = 0; i < units->n; i += (size_t)strip.share) {
		const struct unit *before = i ? &units->list[i - (size_t)strip.share] : NULL;
		struct unit unit = hottest(units, i, strip.share);
		int row = strip.row;
		strip_next(&strip, &units->list[i], before);
		if (strip.label && (!before || strip.row != row))
			strip_mark(&strip, &units->list[i], !before || before->node != units->list[i].node,
				scr, area);
		struct vf64 x = vf64_has(unit.busy_pct) ? unit.busy_pct : unit.load_pct;
		bool on = cpuset_intersects(&unit.cpus, lit);
		enum style style = crowded(&unit) ? STYLE_WAIT : on ? STYLE_LIT : draw_load_style(x.v);
		uint32_t ch = !unit.online ? 'x' : !vf64_has(x) ? '-' : draw_level(scr, x.v);
		screen_fill(scr, area.row + strip.row, area.col + strip.col, 1,
			vf64_has(x) && unit.online ? style : STYLE_DIM, ch);
	}
}

void pcpus_draw(
	const struct units *units, const struct snapshot *snap, struct screen *scr, struct rect area, long vm)
{
	struct cpuset lit;
	if (area.rows < 1 || area.cols < 4 || !units->n)
		return;
	lit_cpus(snap, vm, &lit);
	if (bar_rows(units, area.cols) <= area.rows)
		draw_bars(units, &lit, scr, area);
	else {
		draw_strip(units, &lit, scr, area);
		strip_memory(units, snap, scr, area);
	}
}
