/* SPDX-License-Identifier: MIT */
/* Since when: graphs of the host, and of one VM. What ran and what waited stand one above the other, as do
 * what a guest uses and the rest of its balloon. Invariant: scales are fixed, so that nothing
 * jumps, but for that of the deviation, which knows no bound: it has three steps. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "view_private.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

enum { NARROW = 38, ALL = 100 };

static void size_text(char buf[16], struct vi64 kib)
{
	if (vi64_has(kib))
		text_kib(buf, 16, kib.v);
	else
		snprintf(buf, 16, "-");
}

/* "64G" rather than "64.0G", "23G" rather than "23.5": the scale has four columns, and a unit. */
static const char *scale_text(char buf[16], struct vi64 kib)
{
	size_text(buf, kib);
	char *point = strchr(buf, '.');
	if (point && (point[1] == '0' || strlen(buf) > 4))
		memmove(point, point + 2, strlen(point + 2) + 1);
	return buf;
}

static void percent_text(char buf[16], uint8_t level)
{
	if (level == DRAW_NO_LEVEL)
		snprintf(buf, 16, "-");
	else
		snprintf(buf, 16, "%d %%", level);
}

static void panel(const struct view *view, struct screen *scr, struct rect area, struct graph_of *g)
{
	g->span = GRAPH_SPAN;
	g->past = view->hist.back > 0;
	g->span_s = history_span_s(
		&view->hist, graph_points(scr, area.cols - GRAPH_SCALE, g->span), view->delay_s);
	graph_panel(scr, area, g);
}

/* "CPU █ ran 45 %, ▒ waited 12 %" */
static void cpu_panel(
	const struct view *view, const char *what, struct stack stack, struct screen *scr, struct rect area)
{
	char ran[16], waited[16], title[120];
	percent_text(ran, history_now(&stack.lower));
	percent_text(waited, history_now(&stack.upper));
	snprintf(title, sizeof title, "%s %s ran %s %s waited %s", what, graph_sign(scr, false), ran,
		graph_sign(scr, true), waited);
	panel(view, scr, area, &(struct graph_of){.title = title, .top = "100%", .stack = stack, .mark = -1});
}

void vm_graphs_draw(
	const struct view *view, const struct snapshot *snap, size_t vm, struct screen *scr, struct rect area)
{
	const struct history_vm *hist = history_find(&view->hist, snap->sample.vms[vm].uuid);
	const struct vm_memory *mem = &snap->sample.vms[vm].mem;
	if (!hist)
		return;
	int half = (area.cols - 2) / 2;
	struct stack cpu = {history_of_vm(&view->hist, hist, VM_RUN),
		history_of_vm(&view->hist, hist, VM_WAIT), STYLE_WAIT, ALL};
	struct stack memory = {history_of_vm(&view->hist, hist, VM_USED),
		history_of_vm(&view->hist, hist, VM_BALLOON), STYLE_DIM, ALL};
	cpu_panel(view, "CPU", cpu, scr, (struct rect){area.row, area.col, area.rows, half});
	char used[16], balloon[16], max[16], title[120];
	size_text(used, snap->vm_rates[vm].used_kib);
	size_text(balloon, mem->balloon_kib);
	snprintf(title, sizeof title, "Memory %s used %s %s balloon %s", graph_sign(scr, false), used,
		graph_sign(scr, true), balloon);
	panel(view, scr, (struct rect){area.row, area.col + half + 2, area.rows, area.cols - half - 2},
		&(struct graph_of){
			.title = title, .top = scale_text(max, mem->max_kib), .stack = memory, .mark = -1});
}

/* The least of three scales that holds all of what `cols` columns show. */
static int deviation_top(const struct view *view, const struct screen *scr, int cols)
{
	struct series found = history_of_host(&view->hist, HOST_FOUND);
	struct series excess = history_of_host(&view->hist, HOST_EXCESS);
	uint64_t points = graph_points(scr, cols, GRAPH_SPAN);
	uint64_t from = found.end - found.first > points ? found.end - points : found.first;
	int most = 0;
	for (uint64_t i = from; i < found.end; i++) {
		uint8_t a = found.levels[i % found.n * found.stride];
		uint8_t b = excess.levels[i % excess.n * excess.stride];
		int sum = (a == DRAW_NO_LEVEL ? 0 : a) + (b == DRAW_NO_LEVEL ? 0 : b);
		most = max_of(sum, most);
	}
	if (most <= 50)
		return 50;
	return most <= 100 ? 100 : DEVIATION_MOST;
}

/* "Deviation 50.2 ⣿ best 25.3 limit 29.1" */
static void deviation_title(
	const struct cpu_verdict *verdict, const struct screen *scr, int digits, char *title, size_t len)
{
	int n = snprintf(title, len, "Deviation ");
	if (vf64_has(verdict->stddev_pct))
		n += snprintf(title + n, len - (size_t)n, "%.1f", verdict->stddev_pct.v);
	else
		n += snprintf(title + n, len - (size_t)n, "-");
	if (vf64_has(verdict->found_pct))
		n += snprintf(title + n, len - (size_t)n, " %s best %.*f", graph_sign(scr, false), digits,
			verdict->found_pct.v);
	if (vf64_has(verdict->limit_pct))
		snprintf(title + n, len - (size_t)n, " limit %.*f", digits, verdict->limit_pct.v);
}

static void deviation_panel(
	const struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area)
{
	enum { TITLE_FRAME = 4 };
	const struct cpu_verdict *verdict = &snap->cpu;
	char title[120], top[8];
	deviation_title(verdict, scr, 1, title, sizeof title);
	if (screen_columns(scr, title) > area.cols - TITLE_FRAME) /* a tenth is worth less than the limit */
		deviation_title(verdict, scr, 0, title, sizeof title);
	int full = deviation_top(view, scr, area.cols - GRAPH_SCALE);
	snprintf(top, sizeof top, "%d%%", full);
	panel(view, scr, area,
		&(struct graph_of){.title = title,
			.top = top,
			.stack = {history_of_host(&view->hist, HOST_FOUND),
				history_of_host(&view->hist, HOST_EXCESS), STYLE_WARN, full},
			.mark = vf64_has(verdict->limit_pct) ? verdict->limit_pct.v * 100 / full : -1});
}

static void memory_panel(
	const struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area)
{
	const struct host_sample *host = &snap->sample.host;
	struct vi64 reserve = snap->memory.reserve_kib;
	char free_text[16], total[16], title[120];
	size_text(free_text, host->available_kib);
	int n = snprintf(title, sizeof title, "Memory free %s", free_text);
	if (vf64_has(host->psi_some_avg10))
		snprintf(title + n, sizeof title - (size_t)n, " pressure %.1f %%", host->psi_some_avg10.v);
	bool both = vi64_has(reserve) && vi64_has(host->total_kib) && host->total_kib.v > 0;
	panel(view, scr, area,
		&(struct graph_of){.title = title,
			.top = scale_text(total, host->total_kib),
			.stack = {.lower = history_of_host(&view->hist, HOST_USED)},
			.mark = both ? 100 - 100.0 * (double)reserve.v / (double)host->total_kib.v : -1});
}

/* Of the host: the deviation beside what is reachable and the limit, what ran and waited, memory. As many as
 * have room. */
void host_graphs_draw(
	const struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area)
{
	int n = area.cols / NARROW;
	n = clamp(n, 1, 3);
	for (int i = 0; i < n; i++) {
		int from = (area.cols + 2) * i / n, end = (area.cols + 2) * (i + 1) / n - 2;
		struct rect part = {area.row, area.col + from, area.rows, end - from};
		if (i == 0)
			deviation_panel(view, snap, scr, part);
		else if (i == 1)
			cpu_panel(view, "pCPUs",
				(struct stack){history_of_host(&view->hist, HOST_BUSY),
					history_of_host(&view->hist, HOST_WAIT), STYLE_WAIT, ALL},
				scr, part);
		else
			memory_panel(view, snap, scr, part);
	}
}
