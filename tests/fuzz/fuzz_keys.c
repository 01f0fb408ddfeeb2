/* SPDX-License-Identifier: MIT */
/* The view under any sequence of keys, sizes, clicks and snapshots. An input is bytes: one that is a
 * character of ASCII is that key; the others are named keys, sizes, ticks of time and hosts that change. What
 * holds: no crash, nothing on the grid that could steer a terminal, no half of a wide character, nothing left
 * of an earlier drawing, and no command without a meaning. */
#include "fuzz.h"
#include "support/bigsnap.h"
#include "vmtop/text.h"
#include "vmtop/view.h"

struct rig {
	struct config cfg;
	struct view *v;
	struct snapshot *s;
	struct screen base, again, over;
	int rows, cols, readings;
};

/* Drawing is what takes the time; an input that ends where it matters draws there. */
enum { MAX_STEPS = 120, DRAW_EACH = 16 };

static void check(const struct screen *s)
{
	for (int r = 0; r < s->rows; r++)
		for (int c = 0; c < s->cols; c++) {
			const struct cell *x = &s->cells[r * s->cols + c];
			FUZZ_HOLDS(x->style < STYLE_COUNT);
			FUZZ_HOLDS(x->ch ? x->ch >= 0x20 && (x->ch < 0x7f || x->ch >= 0xa0)
					 : c > 0 && text_width(x[-1].ch) == 2);
			FUZZ_HOLDS(!s->ascii || x->ch < 0x80);
			FUZZ_HOLDS(text_width(x->ch) != 2 || (c + 1 < s->cols && x[1].ch == 0));
		}
}

static void draw(struct rig *g)
{
	int row = -1, col = -1;
	FUZZ_HOLDS(screen_resize(&g->base, g->rows, g->cols) == 0);
	view_draw(g->v, g->s, &g->base, 0, 0);
	check(&g->base);
	if (view_overlay(g->v, g->s, &g->over, g->rows, g->cols, &row, &col)) {
		FUZZ_HOLDS(row >= 0 && col >= 0 && row + g->over.rows <= g->rows &&
			   col + g->over.cols <= g->cols);
		check(&g->over);
	}
}

/* Over something else it comes out the same. */
static void draw_over(struct rig *g)
{
	draw(g);
	FUZZ_HOLDS(screen_resize(&g->again, g->rows, g->cols) == 0);
	for (int i = 0; i < g->rows * g->cols; i++)
		g->again.cells[i] = (struct cell){.ch = '#', .style = STYLE_BAD};
	view_draw(g->v, g->s, &g->again, 0, 0);
	for (int i = 0; i < g->rows * g->cols; i++)
		FUZZ_HOLDS(g->base.cells[i].ch == g->again.cells[i].ch &&
			   g->base.cells[i].style == g->again.cells[i].style);
}

static void press(struct rig *g, int key)
{
	struct command c;
	for (bool more = view_key(g->v, key, g->s, &c); more; more = view_more(g->v, &c)) {
		FUZZ_HOLDS(c.kind != CMD_NONE);
		FUZZ_HOLDS(c.kind != CMD_PIN || !cpuset_empty(&c.cpus));
		if (c.kind == CMD_PREVIEW)
			g->s->preview = true;
		if (c.kind == CMD_PREVIEW_APPLY || c.kind == CMD_PREVIEW_DROP)
			g->s->preview = false;
	}
}

static void another_host(struct rig *g, unsigned which)
{
	static const int hosts[][2] = {{0, 1}, {1, 1}, {3, 2}, {20, 8}, {12, 64}};
	uint64_t seq = g->s->seq;
	const int *h = hosts[which % (sizeof hosts / sizeof hosts[0])];
	bigsnap_free(g->s);
	g->s = bigsnap_new(h[0], h[1]);
	g->s->seq = seq + 1;
	g->s->first = which % 7 == 6;
	view_feed(g->v, g->s);
}

static void step(struct rig *g, unsigned byte)
{
	if (byte < 0x80) {
		press(g, (int)byte);
	} else if (byte < 0xa0) {
		press(g, VK_UP + (int)(byte - 0x80) % (VK_END_OF_KEYS - VK_UP + 1));
	} else if (byte < 0xc0) {
		g->rows = 1 + (int)((byte - 0xa0) * (byte - 0xa0)) / 20;
	} else if (byte < 0xe0) {
		g->cols = 1 + (int)((byte - 0xc0) * (byte - 0xc0)) / 7;
	} else if (byte < 0xe8) {
		another_host(g, byte - 0xe0);
	} else if (byte < 0xf0) {
		view_mouse(g->v, (int)(byte - 0xe8) * 4, 3, VK_CLICK + (int)byte % 3, g->s);
	} else if (byte < 0xf8) {
		g->base.ascii = g->again.ascii = g->over.ascii = byte & 1;
		g->s->readonly = byte & 2;
	} else if (!view_paused(g->v)) {
		bigsnap_tick(g->s);
		view_feed(g->v, g->s);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rig g = {.rows = 24, .cols = 80};
	config_defaults(&g.cfg);
	g.v = view_new(&g.cfg);
	g.s = bigsnap_new(20, 8);
	FUZZ_HOLDS(g.v && screen_init(&g.base, 1, 1) == 0 && screen_init(&g.again, 1, 1) == 0 &&
		   screen_init(&g.over, 1, 1) == 0);
	view_feed(g.v, g.s);
	for (size_t i = 0; i < size && i < MAX_STEPS; i++) {
		step(&g, data[i]);
		if (i % DRAW_EACH == DRAW_EACH - 1)
			draw(&g);
	}
	draw_over(&g);
	view_free(g.v);
	bigsnap_free(g.s);
	screen_done(&g.base);
	screen_done(&g.again);
	screen_done(&g.over);
	return 0;
}
