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

int screen_init(struct screen *s, int rows, int cols)
{
	memset(s, 0, sizeof *s);
	return screen_resize(s, rows, cols);
}

void screen_done(struct screen *s)
{
	free(s->cells);
	memset(s, 0, sizeof *s);
}

int screen_resize(struct screen *s, int rows, int cols)
{
	rows = max_of(rows, 1);
	cols = max_of(cols, 1);
	if (!s->cells || rows != s->rows || cols != s->cols) {
		struct cell *c = reallocarray(s->cells, (size_t)rows * (size_t)cols, sizeof *c);
		if (!c)
			return -1;
		s->cells = c;
		s->rows = rows;
		s->cols = cols;
	}
	screen_erase(s);
	return 0;
}

void screen_erase(struct screen *s)
{
	for (size_t i = 0; i < (size_t)s->rows * (size_t)s->cols; i++)
		s->cells[i] = (struct cell){.ch = ' ', .style = STYLE_NORMAL};
	s->cursor_row = s->cursor_col = -1;
}

static struct cell *cell_at(const struct screen *s, int row, int col)
{
	if (row < 0 || col < 0 || row >= s->rows || col >= s->cols)
		return NULL;
	return &s->cells[(size_t)row * (size_t)s->cols + (size_t)col];
}

/* Before a cell is overwritten: the other half of a wide character that stood there becomes a blank. */
static void unsplit(struct screen *s, int row, int col)
{
	struct cell *c = cell_at(s, row, col), *l = cell_at(s, row, col - 1), *r = cell_at(s, row, col + 1);
	if (c && c->ch == 0 && l)
		l->ch = ' ';
	if (r && r->ch == 0)
		r->ch = ' ';
}

static void put(struct screen *s, int row, int col, uint32_t ch, int width, enum style st)
{
	struct cell *c = cell_at(s, row, col);
	if (!c)
		return;
	unsplit(s, row, col);
	if (width == 2 && !cell_at(s, row, col + 1))
		ch = ' ', width = 1;
	*c = (struct cell){.ch = ch, .style = (uint8_t)st};
	if (width == 2) {
		unsplit(s, row, col + 1);
		*cell_at(s, row, col + 1) = (struct cell){.ch = 0, .style = (uint8_t)st};
	}
}

static enum text_charset charset_of(const struct screen *s)
{
	if (s->ascii)
		return TEXT_ASCII;
	return s->console ? TEXT_CONSOLE : TEXT_UTF8;
}

/* What stands for one character: itself (NULL), or a text in ASCII. Bars and frames of our own on the console
 * are no text: they come through screen_fill(). */
static const char *stand_in(const struct screen *s, uint32_t ch, unsigned char byte, int *marks, char buf[16])
{
	const char *alt = text_stand_in(ch, byte, charset_of(s), buf);
	bool mark = !alt && text_width(ch) == 0;
	*marks = alt ? TEXT_MARKS : mark ? *marks + 1 : 0;
	if (!mark || *marks <= TEXT_MARKS)
		return alt;
	snprintf(buf, 16, "\\u{%04x}", (unsigned)ch);
	return buf;
}

static void put_mark(struct cell *c, uint32_t ch)
{
	for (int i = 0; c && i < TEXT_MARKS; i++)
		if (!c->mark[i]) {
			c->mark[i] = ch;
			return;
		}
}

/* Walks text; draws when `draw`. Returns the columns used, at most width. */
static int walk(struct screen *s, int row, int col, int width, enum style st, const char *text, bool draw)
{
	int used = 0, marks = TEXT_MARKS;
	char buf[16];
	for (const char *p = text; *p;) {
		uint32_t ch;
		size_t n = text_decode(p, &ch);
		const char *alt = stand_in(s, ch, (unsigned char)*p, &marks, buf);
		p += n ? n : 1;
		int w = alt ? (int)strlen(alt) : text_width(ch);
		if (used + w > width)
			break;
		struct cell *last = used ? cell_at(s, row, col + used - 1) : NULL;
		if (last && last->ch == 0)
			last = cell_at(s, row, col + used - 2);
		if (draw && alt)
			for (int i = 0; i < w; i++)
				put(s, row, col + used + i, (unsigned char)alt[i], 1, st);
		else if (draw && w > 0)
			put(s, row, col + used, ch, w, st);
		else if (draw)
			put_mark(last, ch);
		used += w;
	}
	return used;
}

int screen_text(struct screen *s, int row, int col, int width, enum style st, const char *text)
{
	return walk(s, row, col, width, st, text, true);
}

int screen_columns(const struct screen *s, const char *text)
{
	struct screen measure = {.ascii = s->ascii, .console = s->console};
	return walk(&measure, -1, 0, 1 << 20, STYLE_NORMAL, text, false);
}

void screen_right(struct screen *s, int row, int col, int width, enum style st, const char *text)
{
	int n = screen_columns(s, text);
	if (n < width)
		screen_text(s, row, col + width - n, n, st, text);
	else
		screen_text(s, row, col, width, st, text);
}

int screen_printf(struct screen *s, int row, int col, int width, enum style st, const char *fmt, ...)
{
	char buf[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	return screen_text(s, row, col, width, st, buf);
}

void screen_fill(struct screen *s, int row, int col, int width, enum style st, uint32_t ch)
{
	if (s->ascii && ch >= 0x80)
		ch = '?';
	for (int i = 0; i < width && col + i < s->cols; i++)
		put(s, row, col + i, ch, 1, st);
}

void screen_style(struct screen *s, int row, int col, int width, enum style st)
{
	for (int i = 0; i < width && col + i < s->cols; i++) {
		struct cell *c = cell_at(s, row, col + i);
		if (c)
			c->style = (uint8_t)st;
	}
}

void screen_blit(struct screen *to, const struct screen *from, int row, int col)
{
	for (int r = 0; r < from->rows; r++)
		for (int c = 0; c < from->cols; c++) {
			struct cell *d = cell_at(to, row + r, col + c);
			if (!d)
				continue;
			unsplit(to, row + r, col + c);
			*d = *cell_at(from, r, c);
		}
	if (from->cursor_row >= 0) {
		to->cursor_row = row + from->cursor_row;
		to->cursor_col = col + from->cursor_col;
	}
}

static size_t encode(char *out, uint32_t ch)
{
	if (ch < 0x80) {
		out[0] = (char)ch;
		return 1;
	}
	if (ch < 0x800) {
		out[0] = (char)(0xc0 | ch >> 6);
		out[1] = (char)(0x80 | (ch & 0x3f));
		return 2;
	}
	if (ch < 0x10000) {
		out[0] = (char)(0xe0 | ch >> 12);
		out[1] = (char)(0x80 | (ch >> 6 & 0x3f));
		out[2] = (char)(0x80 | (ch & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | ch >> 18);
	out[1] = (char)(0x80 | (ch >> 12 & 0x3f));
	out[2] = (char)(0x80 | (ch >> 6 & 0x3f));
	out[3] = (char)(0x80 | (ch & 0x3f));
	return 4;
}

char *screen_dump(const struct screen *s)
{
	char *out = malloc((size_t)s->rows * ((size_t)s->cols * 4 * (1 + TEXT_MARKS) + 1) + 1);
	if (!out)
		return NULL;
	size_t at = 0;
	for (int r = 0; r < s->rows; r++) {
		size_t end = at;
		for (int c = 0; c < s->cols; c++) {
			const struct cell *x = cell_at(s, r, c);
			if (x->ch == 0)
				continue;
			at += encode(out + at, x->ch);
			for (int i = 0; i < TEXT_MARKS && x->mark[i]; i++)
				at += encode(out + at, x->mark[i]);
			if (x->ch != ' ')
				end = at;
		}
		at = end;
		out[at++] = '\n';
	}
	out[at] = '\0';
	return out;
}
