/* SPDX-License-Identifier: MIT */
/* Graphs: cells from levels. Invariant: what is drawn stays until its cell moves on. Knows nothing of
 * snapshots and of what the levels mean. */
#include "graph.h"

#include <math.h>
#include <stdio.h>

#include "vmtop/minmax.h"

/* The mean of the points that share bucket b of `per` points; DRAW_NO_LEVEL: none known. Buckets are counted
 * from the first point ever. */
static uint8_t bucket(const struct series *series, uint64_t b, size_t per)
{
	unsigned sum = 0, n = 0;
	uint64_t from = max_of(b * per, series->first);
	for (uint64_t i = from; series->levels && i < (b + 1) * per && i < series->end; i++) {
		uint8_t l = series->levels[i % series->n * series->stride];
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

static struct pile pile_at(const struct stack *stack, uint64_t b, size_t per)
{
	uint8_t lower = bucket(&stack->lower, b, per), upper = bucket(&stack->upper, b, per);
	double scale = stack->full > 0 ? 100 / stack->full : 1;
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
static uint32_t braille(const struct pile *pile, int rows, int row, bool right, int *upper)
{
	static const uint8_t dots[2][4] = {{0x40, 0x04, 0x02, 0x01}, {0x80, 0x20, 0x10, 0x08}};
	uint32_t bits = 0;
	if (!pile->known)
		return 0;
	int low = dots_of(pile->lower, rows), all = dots_of(pile->all, rows);
	if (low < 1 && all < 1)
		low = 1;
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

static uint32_t cell_of_line(const struct screen *scr, const struct pile *pile, bool upper)
{
	bool plain = scr->ascii || scr->console || scr->graph == GRAPH_ASCII;
	if (!upper)
		return draw_level(scr, pile->all);
	if (plain)
		return pile->all - pile->lower < 50 ? 'w' : 'W';
	return pile->all < 34 ? 0x2591 : pile->all < 67 ? 0x2592 : 0x2593;
}

/* One cell of a graph that has a level a column; `row` counts from the bottom. */
static uint32_t cell(const struct screen *scr, const struct pile *pile, int rows, int row, bool *upper)
{
	double low = part(pile->lower, rows, row), all = part(pile->all, rows, row);
	*upper = all - low > low;
	if (rows == 1)
		return cell_of_line(scr, pile, *upper);
	if (all <= 0 && row > 0)
		return 0;
	if (*upper)
		return scr->ascii || scr->graph == GRAPH_ASCII ? ':'
		       : scr->console || all >= 50             ? 0x2592
							       : 0x2591;
	if (scr->ascii || scr->graph == GRAPH_ASCII)
		return low >= 50 ? '#' : '.';
	if (scr->console)
		return low >= 75 ? 0x2588 : 0x2584;
	return draw_level(scr, low);
}

static void column(struct screen *scr, struct rect area, int col, const struct pile pile[2], bool dots,
	enum style upper_style)
{
	bool second = pile[1].known && (!pile[0].known || pile[1].all > pile[0].all);
	const struct pile *most = &pile[second];
	for (int r = 0; r < area.rows && most->known; r++) {
		int over = 0;
		uint32_t bits = braille(&pile[0], area.rows, r, false, &over);
		bits |= braille(&pile[1], area.rows, r, true, &over);
		bool upper = over > 0;
		uint32_t ch = dots ? (bits ? 0x2800 + bits : 0) : cell(scr, most, area.rows, r, &upper);
		if (ch)
			screen_fill(scr, area.row + area.rows - 1 - r, col, 1,
				upper ? upper_style : draw_load_style(most->lower), ch);
	}
}

static bool dotted(const struct screen *scr)
{
	return (scr->graph == GRAPH_AUTO || scr->graph == GRAPH_BRAILLE) && !scr->ascii && !scr->console;
}

static size_t points_a_half(const struct screen *scr, int cols, size_t span)
{
	size_t halves = (size_t)max_of(cols, 1) * (dotted(scr) ? 2 : 1);
	size_t per = (span + halves - 1) / halves;
	return max_of(per, 1);
}

size_t graph_points(const struct screen *scr, int cols, size_t span)
{
	return points_a_half(scr, cols, span) * (size_t)max_of(cols, 1) * (dotted(scr) ? 2 : 1);
}

void graph_draw(struct screen *scr, struct rect area, const struct stack *stack, size_t span)
{
	bool dots = dotted(scr);
	size_t cells = (size_t)max_of(area.cols, 0), half = dots ? 2 : 1;
	uint64_t end = stack->lower.end;
	if (!cells || end <= stack->lower.first)
		return;
	size_t per = points_a_half(scr, area.cols, span);
	uint64_t last = (end - 1) / per / half; /* the cell that holds the newest */
	for (size_t i = 0; i < cells && i <= last; i++) {
		uint64_t b = (last - i) * half;
		struct pile pile[2] = {pile_at(stack, b, per), {0, 0, false}};
		if (dots)
			pile[1] = pile_at(stack, b + 1, per);
		column(scr, area, area.col + area.cols - 1 - (int)i, pile, dots, stack->upper_style);
	}
}

const char *graph_sign(const struct screen *scr, bool upper)
{
	if (dotted(scr))
		return upper ? "⢕" : "⣿";
	if (scr->ascii || scr->graph == GRAPH_ASCII)
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
static void draw_axis(struct screen *scr, struct rect area, double span_s, bool past)
{
	char age[24] = "-";
	graph_age(age + 1, sizeof age - 1, span_s);
	screen_text(scr, area.row, area.col, area.cols, STYLE_DIM, age);
	if (area.cols >= 30) {
		graph_age(age + 1, sizeof age - 1, span_s / 2);
		screen_text(scr, area.row, area.col + area.cols / 2, area.cols / 2, STYLE_DIM, age);
	}
	if (area.cols >= 14)
		screen_right(scr, area.row, area.col + area.cols - 4, 4, STYLE_DIM, past ? "then" : "now");
}

void graph_panel(struct screen *scr, struct rect area, const struct graph_of *g)
{
	struct rect in = {area.row + 1, area.col + GRAPH_SCALE, area.rows - 2, area.cols - GRAPH_SCALE};
	draw_title(scr, (struct rect){area.row, area.col, 1, area.cols}, false, g->title, g->now);
	if (in.rows < 1 || in.cols < 4)
		return;
	screen_right(scr, in.row, area.col, GRAPH_SCALE - 1, STYLE_DIM, g->top);
	if (in.rows > 1)
		screen_right(scr, in.row + in.rows - 1, area.col, GRAPH_SCALE - 1, STYLE_DIM, "0");
	screen_fill(scr, in.row + in.rows - 1, in.col, in.cols, STYLE_FRAME, draw_glyph(scr, GLYPH_TROUGH));
	int mark = g->mark >= 0 && g->mark <= 100 ? in.rows - 1 - (int)(g->mark * in.rows / 100.01) : -1;
	if (mark >= 0) /* behind the graph; at its left end it shows always */
		screen_fill(
			scr, in.row + mark, in.col - 1, in.cols + 1, STYLE_WARN, draw_glyph(scr, GLYPH_LINE));
	graph_draw(scr, in, &g->stack, g->span);
	draw_axis(scr, (struct rect){in.row + in.rows, in.col, 1, in.cols}, g->span_s, g->past);
}
