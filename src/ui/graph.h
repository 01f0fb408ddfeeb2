/* SPDX-License-Identifier: MIT */
/* Graphs over time: two quantities, one above the other, that differ by their characters as well as by
 * colour, with a scale and a time axis. Private to src/ui. */
#ifndef UI_GRAPH_H
#define UI_GRAPH_H

#include "draw.h"

/* Levels, 0..100 as a rule, over time in a ring of n, a row of `stride` bytes a point; DRAW_NO_LEVEL: not
 * known. Point i is at i % n. */
enum { DRAW_NO_LEVEL = 255 };
struct series {
	const uint8_t *levels;
	size_t stride, n;
	uint64_t first, end; /* points that are there: first <= i < end */
};

/* `upper` stands above `lower`; levels NULL: there is none. */
struct stack {
	struct series lower, upper;
	enum style upper_style;
	double full; /* the level at full height; not given: 100 */
};
/* Newest to the right; one row makes a sparkline. At least `span` points are shown: where there is less room,
 * neighbours are shown as their mean. */
void graph_draw(struct screen *scr, struct rect area, const struct stack *stack, size_t span);
/* Points that it shows in so many columns. */
size_t graph_points(const struct screen *scr, int cols, size_t span);
/* A character of the upper quantity, for a legend; and of the lower one. */
const char *graph_sign(const struct screen *scr, bool upper);
/* "90 s", "7 min", "1.5 h" */
void graph_age(char *buf, size_t len, double s);

/* A graph below a line that says what it is, its scale at the left, time below it. */
struct graph_of {
	const char *title, *now; /* left, right */
	const char *top;         /* of the scale: at most four columns */
	struct stack stack;
	double mark;   /* level of a line across, < 0: none */
	double span_s; /* of graph_points() */
	bool past;     /* it does not end now */
	size_t span;
};
enum { GRAPH_SCALE = 5, GRAPH_SPAN = 300 };
void graph_panel(struct screen *scr, struct rect area, const struct graph_of *g);

#endif
