/* SPDX-License-Identifier: MIT */
/* A grid of cells that the view fills and the terminal copies. Pure: no ncurses here. */
#ifndef VMTOP_SCREEN_H
#define VMTOP_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmtop/config.h"
#include "vmtop/style.h"
#include "vmtop/text.h"

struct cell {
	uint32_t ch;               /* Unicode; 0: right half of a wide character */
	uint32_t mark[TEXT_MARKS]; /* combining marks; 0: none */
	uint8_t style;             /* enum style */
};

struct screen {
	int rows, cols;
	struct cell *cells;         /* rows * cols */
	int cursor_row, cursor_col; /* -1: hidden */
	bool ascii;                 /* only ASCII may be drawn */
	bool console;               /* only what the kernel's own console has */
	enum graph graph;           /* auto: braille where neither of these is set */
};

int screen_init(struct screen *scr, int rows, int cols); /* -1: out of memory */
void screen_done(struct screen *scr);
int screen_resize(struct screen *scr, int rows, int cols);
void screen_erase(struct screen *scr);
/* All clip at the edges. text is UTF-8; control and invalid bytes are shown escaped. Returns columns used. */
int screen_text(struct screen *scr, int row, int col, int width, enum style style, const char *text);
int screen_printf(struct screen *scr, int row, int col, int width, enum style style, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
void screen_fill(struct screen *scr, int row, int col, int width, enum style style, uint32_t ch);
void screen_style(struct screen *scr, int row, int col, int width, enum style style);
/* Aligned to the right end of width; text that does not fit is cut at its end. */
void screen_right(struct screen *scr, int row, int col, int width, enum style style, const char *text);
/* Columns that screen_text() would use, were there room. */
int screen_columns(const struct screen *scr, const char *text);

#endif
