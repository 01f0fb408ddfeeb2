/* SPDX-License-Identifier: MIT */
/* Graphs: cells from levels. Invariant: what is drawn stays until its cell moves on. Knows nothing of
 * snapshots and of what the levels mean. */
#include "graph.h"

#include <math.h>
#include <stdio.h>

#include "vmtop/minmax.h"

/* The mean of the points that share bucket b of `per` points; DRAW_NO_LEVEL: none known. Buckets are counted
 * from the first point ever. */
static uint8_t bucket(const struct series *s, uint64_t b, size_t per)
{
	unsigned sum = 0, n = 0;
	uint64_t from = max_of(b * per, s->first);
	for (uint64_t i = from; s->levels && i < (b + 1) * per && i < s->end; i++) {
		uint8_t l = s->levels[i % s->n * s->stride];
		sum += l == DRAW_NO_LEVEL ? 0 : l;
		n += l != DRAW_NO_LEVEL;
	}
	return n ? (uint8_t)((sum + n / 2) / n) : DRAW_NO_LEVEL;
}

/* Of one column, or half of one: where the lower quantity ends, and the upper one. */
struct pile {
	double lower, all; /* 0..100 */
	bool known;
};

static struct pile pile_at(const struct stack *s, uint64_t b, size_t per)
{
	uint8_t lower = bucket(&s->lower, b, per), upper = bucket(&s->upper, b, per);
	double scale = s->full > 0 ? 100 / s->full : 1;
	double low = lower == DRAW_NO_LEVEL ? 0 : lower * scale,
	       up = upper == DRAW_NO_LEVEL ? 0 : upper * scale;
	return (struct pile){
		fmin(low, 100), fmin(low + up, 100), lower != DRAW_NO_LEVEL || upper != DRAW_NO_LEVEL};
}

/* Dots from the bottom up to a level; what is there at all shows. */
static int dots_of(double level, int rows)
{
	int n = (int)lround(level * rows * 4 / 100);
	return level > 0 && n < 1 ? 1 : n;
}

/* Dots of one half of a braille cell: solid for the lower quantity, every second one for the upper. */
static uint32_t braille(const struct pile *p, int rows, int row, bool right, int *upper)
{
	static const uint8_t dots[2][4] = {{0x40, 0x04, 0x02, 0x01}, {0x80, 0x20, 0x10, 0x08}};
	uint32_t bits = 0;
	if (!p->known)
		return 0;
	int low = dots_of(p->lower, rows), all = dots_of(p->all, rows);
	low = low < 1 && all < 1 ? 1 : low;
	all = max_of(all, low);
	for (int i = 0; i < 4 && row * 4 + i < all; i++) {
		bool above = row * 4 + i >= low;
		*upper += above ? 1 : -1;
		bits |= above && (i + right) % 2 ? 0 : dots[right][i];
	}
	return bits;
}

/* A row of text holds its share of the 100: how much of it is filled, in percent. */
static double part(double level, int rows, int row)
{
	return fmin(fmax((level - 100.0 * row / rows) * rows, 0), 100);
}

static uint32_t cell_of_line(const struct screen *to, const struct pile *p, bool upper)
{
	bool plain = to->ascii || to->console || to->graph == GRAPH_ASCII;
	if (!upper)
		return draw_level(to, p->all);
	if (plain)
		return p->all - p->lower < 50 ? 'w' : 'W';
	return p->all < 34 ? 0x2591 : p->all < 67 ? 0x2592 : 0x2593;
}

/* One cell of a graph that has a level a column; `row` counts from the bottom. */
static uint32_t cell(const struct screen *to, const struct pile *p, int rows, int row, bool *upper)
{
	double low = part(p->lower, rows, row), all = part(p->all, rows, row);
	*upper = all - low > low;
	if (rows == 1)
		return cell_of_line(to, p, *upper);
	if (all <= 0 && row > 0)
		return 0;
	if (*upper)
		return to->ascii || to->graph == GRAPH_ASCII ? ':'
		       : to->console || all >= 50            ? 0x2592
							     : 0x2591;
	if (to->ascii || to->graph == GRAPH_ASCII)
		return low >= 50 ? '#' : '.';
	if (to->console)
		return low >= 75 ? 0x2588 : 0x2584;
	return draw_level(to, low);
}

static void column(
	struct screen *to, struct rect at, int col, const struct pile p[2], bool dots, enum style upper_style)
{
	bool second = p[1].known && (!p[0].known || p[1].all > p[0].all);
	const struct pile *most = &p[second];
	for (int r = 0; r < at.rows && most->known; r++) {
		int over = 0;
		uint32_t bits = braille(&p[0], at.rows, r, false, &over);
		bits |= braille(&p[1], at.rows, r, true, &over);
		bool upper = over > 0;
		uint32_t ch = dots ? (bits ? 0x2800 + bits : 0) : cell(to, most, at.rows, r, &upper);
		if (ch)
			screen_fill(to, at.row + at.rows - 1 - r, col, 1,
				upper ? upper_style : draw_load_style(most->lower), ch);
	}
}

static bool dotted(const struct screen *to)
{
	return (to->graph == GRAPH_AUTO || to->graph == GRAPH_BRAILLE) && !to->ascii && !to->console;
}

static size_t points_a_half(const struct screen *to, int cols, size_t span)
{
	size_t halves = (size_t)max_of(cols, 1) * (dotted(to) ? 2 : 1);
	size_t per = (span + halves - 1) / halves;
	return per ? per : 1;
}

size_t graph_points(const struct screen *to, int cols, size_t span)
{
	return points_a_half(to, cols, span) * (size_t)max_of(cols, 1) * (dotted(to) ? 2 : 1);
}

void graph_draw(struct screen *to, struct rect at, const struct stack *s, size_t span)
{
	bool dots = dotted(to);
	size_t cells = at.cols > 0 ? (size_t)at.cols : 0, half = dots ? 2 : 1;
	uint64_t end = s->lower.end;
	if (!cells || end <= s->lower.first)
		return;
	size_t per = points_a_half(to, at.cols, span);
	uint64_t last = (end - 1) / per / half; /* the cell that holds the newest */
	for (size_t i = 0; i < cells && i <= last; i++) {
		uint64_t b = (last - i) * half;
		struct pile p[2] = {pile_at(s, b, per), {0, 0, false}};
		if (dots)
			p[1] = pile_at(s, b + 1, per);
		column(to, at, at.col + at.cols - 1 - (int)i, p, dots, s->upper_style);
	}
}

const char *graph_sign(const struct screen *to, bool upper)
{
	if (dotted(to))
		return upper ? "⢕" : "⣿";
	if (to->ascii || to->graph == GRAPH_ASCII)
		return upper ? ":" : "#";
	return upper ? "▒" : "█";
}

void graph_age(char *buf, size_t len, double s)
{
	if (s < 119.5)
		snprintf(buf, len, "%.0f s", s);
	else if (s < 7170)
		snprintf(buf, len, "%.0f min", s / 60);
	else
		snprintf(buf, len, "%.1f h", s / 3600);
}

/* "-10 min        -5 min        now" */
static void draw_axis(struct screen *to, struct rect at, double span_s, bool past)
{
	char age[24] = "-";
	graph_age(age + 1, sizeof age - 1, span_s);
	screen_text(to, at.row, at.col, at.cols, STYLE_DIM, age);
	if (at.cols >= 30) {
		graph_age(age + 1, sizeof age - 1, span_s / 2);
		screen_text(to, at.row, at.col + at.cols / 2, at.cols / 2, STYLE_DIM, age);
	}
	if (at.cols >= 14)
		screen_right(to, at.row, at.col + at.cols - 4, 4, STYLE_DIM, past ? "then" : "now");
}

void graph_panel(struct screen *to, struct rect at, const struct graph_of *g)
{
	struct rect in = {at.row + 1, at.col + GRAPH_SCALE, at.rows - 2, at.cols - GRAPH_SCALE};
	draw_title(to, (struct rect){at.row, at.col, 1, at.cols}, false, g->title, g->now);
	if (in.rows < 1 || in.cols < 4)
		return;
	screen_right(to, in.row, at.col, GRAPH_SCALE - 1, STYLE_DIM, g->top);
	if (in.rows > 1)
		screen_right(to, in.row + in.rows - 1, at.col, GRAPH_SCALE - 1, STYLE_DIM, "0");
	screen_fill(to, in.row + in.rows - 1, in.col, in.cols, STYLE_FRAME, draw_glyph(to, GLYPH_TROUGH));
	int mark = g->mark >= 0 && g->mark <= 100 ? in.rows - 1 - (int)(g->mark * in.rows / 100.01) : -1;
	if (mark >= 0) /* behind the graph; at its left end it shows always */
		screen_fill(
			to, in.row + mark, in.col - 1, in.cols + 1, STYLE_WARN, draw_glyph(to, GLYPH_LINE));
	graph_draw(to, in, &g->stack, g->span);
	draw_axis(to, (struct rect){in.row + in.rows, in.col, 1, in.cols}, g->span_s, g->past);
}
