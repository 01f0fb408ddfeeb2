/* SPDX-License-Identifier: MIT */
/* Strokes that several panels share. Private to src/ui. */
#ifndef UI_DRAW_H
#define UI_DRAW_H

#include "vmtop/columns.h"
#include "vmtop/screen.h"

struct rect {
	int row, col, rows, cols;
};

enum glyph {
	GLYPH_LINE,     /* frames and titles */
	GLYPH_BAR,      /* filled part of a bar */
	GLYPH_BAR2,     /* second filled part */
	GLYPH_TROUGH,   /* rest of a bar */
	GLYPH_TICK,     /* a limit inside a bar */
	GLYPH_ALLOWED,  /* pin map: may run here */
	GLYPH_PINNED,   /* pinned here, runs elsewhere */
	GLYPH_PIN_HERE, /* pinned here and runs here */
	GLYPH_HERE,     /* runs here, not pinned */
	GLYPH_GHOST,    /* a plan puts it here */
	GLYPH_CURSOR,   /* marks a row without colour */
	GLYPH_UP,
	GLYPH_DOWN,
	GLYPH_VLINE,
	GLYPH_TOP_LEFT,
	GLYPH_TOP_RIGHT,
	GLYPH_BOTTOM_LEFT,
	GLYPH_BOTTOM_RIGHT,
	GLYPH_COUNT
};

uint32_t draw_glyph(const struct screen *scr, enum glyph glyph);
/* 0..100 as one cell: eighths of a block, shades, or a digit (tenths) in ASCII. */
uint32_t draw_level(const struct screen *scr, double pct);
enum style draw_load_style(double pct);

/* "── title ───────── right ─" */
void draw_title(struct screen *scr, struct rect area, bool focused, const char *title, const char *right);
/* A bar of two parts in percent of the whole, with text at its right end. first + second may exceed 100. */
struct meter {
	double first, second;
	enum style first_style, second_style;
	double tick; /* < 0: none */
	const char *text;
};
void draw_meter(struct screen *scr, int row, int col, int width, const struct meter *meter);
/* A frame around the whole of `to` with a title. */
void draw_frame(struct screen *scr, const char *title);
/* Text broken at blanks over at most `rows` lines; returns the lines used. */
int draw_wrapped(struct screen *scr, struct rect area, enum style style, const char *text);
/* Lines that it would need. */
int draw_wrapped_rows(const struct screen *scr, int cols, const char *text);
/* One of these lines. */
void draw_wrapped_row(
	struct screen *scr, int row, int col, int width, enum style style, const char *text, int which);
/* Waiting from here on has the colour of waiting, of a vCPU and of the sum of a VM's alike: percent of one
 * pCPU, whatever the numbers are shown in. */
bool draw_waits(struct vf64 wait_pct);
/* As screen_columns(), and quick where a byte is a column. */
int draw_columns(const struct screen *scr, const char *text);
/* A name that is too long loses its middle, so that names that differ at their ends never read alike. */
void draw_name_cut(const struct screen *scr, int width, const char *name, char *buf, size_t len);
void draw_name(struct screen *scr, int row, int col, int width, enum style style, const char *name);
/* Clipped to the width with an ellipsis when it does not fit. */
void draw_cut(struct screen *scr, int row, int col, int width, enum style style, const char *text);

#endif
