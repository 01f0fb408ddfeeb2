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

static int fill(const struct own_cost *own, const struct snapshot *s, struct cost_line *l)
{
	const struct sample *sm = &s->sample;
	int n = 0;
	l[n] = (struct cost_line){.name = "calls"};
	ms(l[n].num, sizeof l[n].num, sm->cost.rpc_ns);
	snprintf(l[n++].text, sizeof l->text, "waiting for %d answer%s of the hypervisor", sm->cost.calls,
		text_s((size_t)sm->cost.calls));
	l[n] = (struct cost_line){.name = "sample"};
	ms(l[n].num, sizeof l[n].num, sm->took_ns);
	snprintf(l[n++].text, sizeof l->text, "all of it; VMs: %d from /proc, %d by bulk call",
		sm->cost.n_local, sm->cost.n_bulk);
	l[n] = (struct cost_line){.name = "plan", .text = "rates, rules, plans"};
	ms(l[n++].num, sizeof l->num, s->cost.plan_ns);
	l[n] = (struct cost_line){.name = "apply", .text = "waiting for changes"};
	ms(l[n++].num, sizeof l->num, s->cost.apply_ns);
	l[n] = (struct cost_line){.name = "draw", .text = "the last frame"};
	ms(l[n++].num, sizeof l->num, own->draw_ns);
	l[n] = (struct cost_line){.name = "terminal", .num = "-", .text = "sent for the last frame"};
	if (vi64_has(own->bytes))
		snprintf(l[n].num, sizeof l->num, "%lld bytes", (long long)own->bytes.v);
	n++;
	l[n] = (struct cost_line){
		.name = "CPU", .num = "-", .text = "of one pCPU, all threads, since the start"};
	if (own->since_ns > 0)
		snprintf(l[n].num, sizeof l->num, "%.2f %%",
			100.0 * (double)own->cpu_ns / (double)own->since_ns);
	return n + 1;
}

bool cost_draw(const struct own_cost *own, const struct snapshot *s, struct screen *to, int rows, int cols,
	int *row, int *col)
{
	struct cost_line lines[COST_LINES];
	int n = fill(own, s, lines);
	if (!overlay_box(to, rows, cols, n + 2, COST_WIDTH, row, col))
		return false;
	draw_frame(to, "What vmtop costs, a tick");
	for (int i = 0; i < n && i < to->rows - 2; i++) {
		int left = 2 + COST_LEFT + COST_NUM + 2;
		screen_text(to, 1 + i, 2, COST_LEFT, STYLE_KEY, lines[i].name);
		screen_right(to, 1 + i, 2 + COST_LEFT, COST_NUM, STYLE_NORMAL, lines[i].num);
		draw_cut(to, 1 + i, left, to->cols - left - 1, STYLE_DIM, lines[i].text);
	}
	return true;
}

void view_cost(struct view *v, const struct own_cost *c)
{
	v->own = *c;
}

bool view_wants_cost(const struct view *v)
{
	return v->over.kind == OVER_COST;
}
