/* SPDX-License-Identifier: MIT */
/* Strokes that several panels share: bars, levels, titles, frames. Knows nothing of snapshots. */
#include "draw.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "vmtop/text.h"

/* The console of the kernel has the characters of the old PC and few others. */
static const struct {
	uint32_t wide, console, ascii;
} glyphs[GLYPH_COUNT] = {
	[GLYPH_LINE] = {0x2500, 0x2500, '-'},
	[GLYPH_BAR] = {0x25a0, 0x25a0, '|'},
	[GLYPH_BAR2] = {0x25aa, 0x2592, '+'},
	[GLYPH_TROUGH] = {0x00b7, 0x00b7, '.'},
	[GLYPH_TICK] = {0x2502, 0x2502, '!'},
	[GLYPH_ALLOWED] = {0x00b7, 0x00b7, '.'},
	[GLYPH_PINNED] = {0x25a1, 0x25cb, 'p'},
	[GLYPH_PIN_HERE] = {0x25a0, 0x25a0, 'P'},
	[GLYPH_HERE] = {0x25cf, 0x2022, 'o'},
	[GLYPH_GHOST] = {'+', '+', '+'},
	[GLYPH_CURSOR] = {0x203a, 0x25ba, '>'},
	[GLYPH_UP] = {0x2191, 0x2191, '+'},
	[GLYPH_DOWN] = {0x2193, 0x2193, '-'},
	[GLYPH_VLINE] = {0x2502, 0x2502, '|'},
	[GLYPH_TOP_LEFT] = {0x256d, 0x250c, '+'},
	[GLYPH_TOP_RIGHT] = {0x256e, 0x2510, '+'},
	[GLYPH_BOTTOM_LEFT] = {0x2570, 0x2514, '+'},
	[GLYPH_BOTTOM_RIGHT] = {0x256f, 0x2518, '+'},
};

uint32_t draw_glyph(const struct screen *to, enum glyph g)
{
	if (to->ascii)
		return glyphs[g].ascii;
	return to->console ? glyphs[g].console : glyphs[g].wide;
}

uint32_t draw_level(const struct screen *to, double pct)
{
	static const uint32_t shades[] = {0x00b7, 0x2591, 0x2592, 0x2593, 0x2588};
	pct = fmin(fmax(pct, 0), 100);
	if (to->ascii || to->graph == GRAPH_ASCII)
		return (uint32_t)('0' + (int)fmin(9, pct / 10));
	if (to->console)
		return shades[(int)fmin(4, pct / 20)];
	return 0x2581 + (uint32_t)fmin(7, pct * 8 / 100);
}

enum style draw_load_style(double pct)
{
	if (pct < 60)
		return STYLE_LOW;
	return pct < 90 ? STYLE_MID : STYLE_HIGH;
}

bool draw_waits(struct vf64 wait_pct)
{
	return vf64_has(wait_pct) && wait_pct.v >= 10;
}

void draw_cut(struct screen *to, int row, int col, int width, enum style st, const char *text)
{
	if (width <= 0)
		return;
	if (screen_columns(to, text) <= width) {
		screen_text(to, row, col, width, st, text);
		return;
	}
	int n = screen_text(to, row, col, width - 1, st, text);
	screen_text(to, row, col + n, 1, st, "…");
}

int draw_columns(const struct screen *to, const char *text)
{
	const char *p = text;
	while (*p && !((unsigned char)*p & 0x80) && (unsigned char)*p >= ' ')
		p++;
	return *p ? screen_columns(to, text) : (int)(p - text);
}

void draw_name_cut(const struct screen *to, int width, const char *name, char *buf, size_t len)
{
	int all = draw_columns(to, name), head = width / 2, tail = width - head - 1;
	size_t bytes = strlen(name);
	if (tail < 1 || all <= width) {
		snprintf(buf, len, "%s", name);
		return;
	}
	if (all == (int)bytes) { /* a byte a column: nothing to measure */
		snprintf(buf, len, "%.*s…%s", head, name, name + bytes - tail);
		return;
	}
	const char *begin = name, *end = name;
	uint32_t ch;
	size_t n = 0;
	while (screen_columns(to, end) > tail)
		end += text_decode(end, &ch);
	while (*begin) {
		bytes = text_decode(begin, &ch);
		if (n + bytes + 8 > len)
			break;
		memcpy(buf + n, begin, bytes);
		buf[n + bytes] = '\0';
		if (screen_columns(to, buf) > head)
			break;
		n += bytes;
		begin += bytes;
	}
	snprintf(buf + n, len - n, "…%s", end);
}

void draw_name(struct screen *to, int row, int col, int width, enum style st, const char *name)
{
	char text[1400];
	draw_name_cut(to, width, name, text, sizeof text);
	draw_cut(to, row, col, width, st, text);
}

void draw_title(struct screen *to, struct rect at, bool focused, const char *title, const char *right)
{
	screen_fill(to, at.row, at.col, at.cols, STYLE_FRAME, draw_glyph(to, GLYPH_LINE));
	if (at.cols < 6)
		return;
	char text[200];
	snprintf(text, sizeof text, " %s ", title);
	draw_cut(to, at.row, at.col + 1, at.cols - 2, focused ? STYLE_TITLE : STYLE_BOLD, text);
	int used = 1 + screen_columns(to, text), want = right ? screen_columns(to, right) : 0;
	if (!want || used + want + 4 > at.cols)
		return;
	snprintf(text, sizeof text, " %s ", right);
	screen_text(to, at.row, at.col + at.cols - want - 3, want + 2, STYLE_DIM, text);
}

void draw_meter(struct screen *to, int row, int col, int width, const struct meter *m)
{
	int text = m->text ? screen_columns(to, m->text) : 0;
	int bar = width - (text ? text + 1 : 0);
	if (bar < 3) {
		screen_right(to, row, col, width, m->first_style, m->text ? m->text : "");
		return;
	}
	int a = (int)lround(fmin(fmax(m->first, 0), 100) * bar / 100);
	int b = (int)lround(fmin(fmax(m->first + m->second, 0), 100) * bar / 100) - a;
	if (a == 0 && m->first >= 1)
		a = 1;
	b = a + b > bar ? bar - a : b;
	screen_fill(to, row, col, a, m->first_style, draw_glyph(to, GLYPH_BAR));
	if (b > 0)
		screen_fill(to, row, col + a, b, m->second_style, draw_glyph(to, GLYPH_BAR2));
	else
		b = 0;
	screen_fill(to, row, col + a + b, bar - a - b, STYLE_FRAME, draw_glyph(to, GLYPH_TROUGH));
	if (m->tick >= 0 && m->tick < 100)
		screen_fill(
			to, row, col + (int)(m->tick * bar / 100), 1, STYLE_WARN, draw_glyph(to, GLYPH_TICK));
	if (text)
		screen_text(to, row, col + bar + 1, text, m->first_style, m->text);
}

void draw_frame(struct screen *to, const char *title)
{
	int r = to->rows - 1, c = to->cols - 1;
	screen_fill(to, 0, 0, to->cols, STYLE_FRAME, draw_glyph(to, GLYPH_LINE));
	screen_fill(to, r, 0, to->cols, STYLE_FRAME, draw_glyph(to, GLYPH_LINE));
	for (int i = 1; i < r; i++) {
		screen_fill(to, i, 0, 1, STYLE_FRAME, draw_glyph(to, GLYPH_VLINE));
		screen_fill(to, i, c, 1, STYLE_FRAME, draw_glyph(to, GLYPH_VLINE));
	}
	screen_fill(to, 0, 0, 1, STYLE_FRAME, draw_glyph(to, GLYPH_TOP_LEFT));
	screen_fill(to, 0, c, 1, STYLE_FRAME, draw_glyph(to, GLYPH_TOP_RIGHT));
	screen_fill(to, r, 0, 1, STYLE_FRAME, draw_glyph(to, GLYPH_BOTTOM_LEFT));
	screen_fill(to, r, c, 1, STYLE_FRAME, draw_glyph(to, GLYPH_BOTTOM_RIGHT));
	if (title && title[0])
		screen_printf(to, 0, 2, to->cols - 4, STYLE_TITLE, " %s ", title);
}

/* Bytes of text that fit into width columns, cut at a blank when there is one. */
static size_t line_bytes(const struct screen *to, const char *text, int width)
{
	size_t fit = 0, blank = 0;
	for (int cols = 0; text[fit];) {
		char one[8] = "";
		uint32_t ch;
		size_t n = text_decode(text + fit, &ch);
		n = n ? n : 1;
		memcpy(one, text + fit, n);
		cols += screen_columns(to, one);
		if (cols > width)
			return blank ? blank : fit ? fit : n;
		fit += n;
		if (text[fit] == '\0' ||
			(text[fit] == ' ' && text[fit + 1] != '%')) /* a number keeps its unit */
			blank = fit;
	}
	return fit;
}

int draw_wrapped(struct screen *to, struct rect at, enum style st, const char *text)
{
	int row = 0;
	for (; row < at.rows && *text; row++) {
		size_t n = line_bytes(to, text, at.cols);
		if (!n)
			break;
		if (row + 1 == at.rows) /* the last line that there is: says when more would come */
			draw_cut(to, at.row + row, at.col, at.cols, st, text);
		else
			screen_printf(to, at.row + row, at.col, at.cols, st, "%.*s", (int)n, text);
		text += n;
		text += strspn(text, " ");
	}
	return row;
}

int draw_wrapped_rows(const struct screen *to, int cols, const char *text)
{
	int row = 0;
	for (; *text; row++) {
		size_t n = line_bytes(to, text, cols);
		if (!n)
			break;
		text += n;
		text += strspn(text, " ");
	}
	return row;
}

void draw_wrapped_row(
	struct screen *to, int row, int col, int width, enum style st, const char *text, int which)
{
	for (int i = 0; *text; i++) {
		size_t n = line_bytes(to, text, width);
		if (!n)
			break;
		if (i == which) {
			screen_printf(to, row, col, width, st, "%.*s", (int)n, text);
			break;
		}
		text += n;
		text += strspn(text, " ");
	}
}
