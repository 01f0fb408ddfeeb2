/* SPDX-License-Identifier: MIT */
/* The grid of cells. Invariant: every write clips, a wide character never stands half, and on an ASCII grid
 * every cell is ASCII. Knows nothing of terminals and of what is drawn. */
#include "vmtop/screen.h"
#include "vmtop/minmax.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/text.h"

int screen_init(struct screen *scr, int rows, int cols)
{
	memset(scr, 0, sizeof *scr);
	return screen_resize(scr, rows, cols);
}

void screen_done(struct screen *scr)
{
	free(scr->cells);
	memset(scr, 0, sizeof *scr);
}

int screen_resize(struct screen *scr, int rows, int cols)
{
	rows = max_of(rows, 1);
	cols = max_of(cols, 1);
	if (!scr->cells || rows != scr->rows || cols != scr->cols) {
		struct cell *cell = reallocarray(scr->cells, (size_t)rows * (size_t)cols, sizeof *cell);
		if (!cell)
			return -1;
		scr->cells = cell;
		scr->rows = rows;
		scr->cols = cols;
	}
	screen_erase(scr);
	return 0;
}

void screen_erase(struct screen *scr)
{
	for (size_t i = 0; i < (size_t)scr->rows * (size_t)scr->cols; i++)
		scr->cells[i] = (struct cell){.ch = ' ', .style = STYLE_NORMAL};
	scr->cursor_row = scr->cursor_col = -1;
}

static struct cell *cell_at(const struct screen *scr, int row, int col)
{
	if (row < 0 || col < 0 || row >= scr->rows || col >= scr->cols)
		return NULL;
	return &scr->cells[(size_t)row * (size_t)scr->cols + (size_t)col];
}

/* Before a cell is overwritten: the other half of a wide character that stood there becomes a blank. */
static void unsplit(struct screen *scr, int row, int col)
{
	struct cell *c = cell_at(scr, row, col), *l = cell_at(scr, row, col - 1),
		    *r = cell_at(scr, row, col + 1);
	if (c && c->ch == 0 && l)
		l->ch = ' ';
	if (r && r->ch == 0)
		r->ch = ' ';
}

static void put(struct screen *scr, int row, int col, uint32_t ch, int width, enum style style)
{
	struct cell *cell = cell_at(scr, row, col);
	if (!cell)
		return;
	unsplit(scr, row, col);
	if (width == 2 && !cell_at(scr, row, col + 1))
		ch = ' ', width = 1;
	*cell = (struct cell){.ch = ch, .style = (uint8_t)style};
	if (width == 2) {
		unsplit(scr, row, col + 1);
		*cell_at(scr, row, col + 1) = (struct cell){.ch = 0, .style = (uint8_t)style};
	}
}

static enum text_charset charset_of(const struct screen *scr)
{
	if (scr->ascii)
		return TEXT_ASCII;
	return scr->console ? TEXT_CONSOLE : TEXT_UTF8;
}

/* What stands for one character: itself (NULL), or a text in ASCII. Bars and frames of our own on the console
 * are no text: they come through screen_fill(). */
static const char *stand_in(
	const struct screen *scr, uint32_t ch, unsigned char byte, int *marks, char buf[16])
{
	const char *alt = text_stand_in(ch, byte, charset_of(scr), buf);
	bool mark = !alt && text_width(ch) == 0;
	*marks = alt ? TEXT_MARKS : mark ? *marks + 1 : 0;
	if (!mark || *marks <= TEXT_MARKS)
		return alt;
	snprintf(buf, 16, "\\u{%04x}", (unsigned)ch);
	return buf;
}

static void put_mark(struct cell *cell, uint32_t ch)
{
	for (int i = 0; cell && i < TEXT_MARKS; i++)
		if (!cell->mark[i]) {
			cell->mark[i] = ch;
			return;
		}
}

/* Walks text; draws when `draw`. Returns the columns used, at most width. */
static int walk(
	struct screen *scr, int row, int col, int width, enum style style, const char *text, bool draw)
{
	int used = 0, marks = TEXT_MARKS;
	char buf[16];
	for (const char *p = text; *p;) {
		uint32_t ch;
		size_t n = text_decode(p, &ch);
		const char *alt = stand_in(scr, ch, (unsigned char)*p, &marks, buf);
		p += max_of(n, 1);
		int w = alt ? (int)strlen(alt) : text_width(ch);
		if (used + w > width)
			break;
		struct cell *last = used ? cell_at(scr, row, col + used - 1) : NULL;
		if (last && last->ch == 0)
			last = cell_at(scr, row, col + used - 2);
		if (draw && alt)
			for (int i = 0; i < w; i++)
				put(scr, row, col + used + i, (unsigned char)alt[i], 1, style);
		else if (draw && w > 0)
			put(scr, row, col + used, ch, w, style);
		else if (draw)
			put_mark(last, ch);
		used += w;
	}
	return used;
}

int screen_text(struct screen *scr, int row, int col, int width, enum style style, const char *text)
{
	return walk(scr, row, col, width, style, text, true);
}

int screen_columns(const struct screen *scr, const char *text)
{
	struct screen measure = {.ascii = scr->ascii, .console = scr->console};
	return walk(&measure, -1, 0, 1 << 20, STYLE_NORMAL, text, false);
}

void screen_right(struct screen *scr, int row, int col, int width, enum style style, const char *text)
{
	int n = screen_columns(scr, text);
	if (n < width)
		screen_text(scr, row, col + width - n, n, style, text);
	else
		screen_text(scr, row, col, width, style, text);
}

int screen_printf(struct screen *scr, int row, int col, int width, enum style style, const char *fmt, ...)
{
	char buf[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	return screen_text(scr, row, col, width, style, buf);
}

void screen_fill(struct screen *scr, int row, int col, int width, enum style style, uint32_t ch)
{
	if (scr->ascii && ch >= 0x80)
		ch = '?';
	for (int i = 0; i < width && col + i < scr->cols; i++)
		put(scr, row, col + i, ch, 1, style);
}

void screen_style(struct screen *scr, int row, int col, int width, enum style style)
{
	for (int i = 0; i < width && col + i < scr->cols; i++) {
		struct cell *cell = cell_at(scr, row, col + i);
		if (cell)
			cell->style = (uint8_t)style;
	}
}
