/* SPDX-License-Identifier: MIT */
/* The overlay of what vmtop itself costs. Invariant: measured figures only; what was not measured is "-". */
#include <stdio.h>
#include <string.h>

#include "view_private.h"

enum { COST_WIDTH = 72, COST_LEFT = 9, COST_NUM = 11, COST_LINES = 8 };

struct cost_line {
	const char *name;
	char num[32];
	char text[80];
};

static void ms(char *buf, size_t len, int64_t ns)
{
	snprintf(buf, len, "%.2f ms", (double)ns / 1e6);
}

static int fill(const struct own_cost *own, const struct snapshot *snap, struct cost_line *line)
{
	const struct sample *sample = &snap->sample;
	int n = 0;
	line[n] = (struct cost_line){.name = "calls"};
	ms(line[n].num, sizeof line[n].num, sample->cost.rpc_ns);
	snprintf(line[n++].text, sizeof line->text, "waiting for %d answer%s of the hypervisor",
		sample->cost.calls, text_s((size_t)sample->cost.calls));
	line[n] = (struct cost_line){.name = "sample"};
	ms(line[n].num, sizeof line[n].num, sample->took_ns);
	snprintf(line[n++].text, sizeof line->text, "all of it; VMs: %d from /proc, %d by bulk call",
		sample->cost.n_local, sample->cost.n_bulk);
	line[n] = (struct cost_line){.name = "plan", .text = "rates, rules, plans"};
	ms(line[n++].num, sizeof line->num, snap->cost.plan_ns);
	line[n] = (struct cost_line){.name = "apply", .text = "waiting for changes"};
	ms(line[n++].num, sizeof line->num, snap->cost.apply_ns);
	line[n] = (struct cost_line){.name = "draw", .text = "the last frame"};
	ms(line[n++].num, sizeof line->num, own->draw_ns);
	line[n] = (struct cost_line){.name = "terminal", .num = "-", .text = "sent for the last frame"};
	if (vi64_has(own->bytes))
		snprintf(line[n].num, sizeof line->num, "%lld bytes", (long long)own->bytes.v);
	n++;
	line[n] = (struct cost_line){
		.name = "CPU", .num = "-", .text = "of one pCPU, all threads, since the start"};
	if (own->since_ns > 0)
		snprintf(line[n].num, sizeof line->num, "%.2f %%",
			100.0 * (double)own->cpu_ns / (double)own->since_ns);
	return n + 1;
}

bool cost_draw(const struct own_cost *own, const struct snapshot *snap, struct screen *scr, int rows,
	int cols, int *row, int *col)
{
	struct cost_line lines[COST_LINES];
	int n = fill(own, snap, lines);
	if (!overlay_box(scr, rows, cols, n + 2, COST_WIDTH, row, col))
		return false;
	draw_frame(scr, "What vmtop costs, a tick");
	for (int i = 0; i < n && i < scr->rows - 2; i++) {
		int left = 2 + COST_LEFT + COST_NUM + 2;
		screen_text(scr, 1 + i, 2, COST_LEFT, STYLE_KEY, lines[i].name);
		screen_right(scr, 1 + i, 2 + COST_LEFT, COST_NUM, STYLE_NORMAL, lines[i].num);
		draw_cut(scr, 1 + i, left, scr->cols - left - 1, STYLE_DIM, lines[i].text);
	}
	return true;
}

void view_cost(struct view *view, const struct own_cost *cost)
{
	view->own = *cost;
}

bool view_wants_cost(const struct view *view)
{
	return view->over.kind == OVER_COST;
}
