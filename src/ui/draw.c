/* SPDX-License-Identifier: MIT */
/* Strokes that several panels share: bars, levels, titles, frames. Knows nothing of snapshots. */
#include "draw.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
	uint32_t wide, ascii;
} glyphs[GLYPH_COUNT] = {
	[GLYPH_LINE] = {0x2500, '-'},
	[GLYPH_BAR] = {0x25a0, '|'},
	[GLYPH_BAR2] = {0x25aa, '+'},
	[GLYPH_TROUGH] = {0x00b7, '.'},
	[GLYPH_TICK] = {0x2502, '!'},
	[GLYPH_ALLOWED] = {0x00b7, '.'},
	[GLYPH_PINNED] = {0x25a1, 'p'},
	[GLYPH_PIN_HERE] = {0x25a0, 'P'},
	[GLYPH_HERE] = {0x25cf, 'o'},
	[GLYPH_GHOST] = {'+', '+'},
	[GLYPH_CURSOR] = {0x203a, '>'},
	[GLYPH_UP] = {0x2191, '+'},
	[GLYPH_DOWN] = {0x2193, '-'},
	[GLYPH_VLINE] = {0x2502, '|'},
	[GLYPH_TOP_LEFT] = {0x256d, '+'},
	[GLYPH_TOP_RIGHT] = {0x256e, '+'},
	[GLYPH_BOTTOM_LEFT] = {0x2570, '+'},
	[GLYPH_BOTTOM_RIGHT] = {0x256f, '+'},
};

uint32_t draw_glyph(const struct screen *to, enum glyph g)
{
	return to->ascii ? glyphs[g].ascii : glyphs[g].wide;
}

uint32_t draw_level(const struct screen *to, double pct)
{
	pct = fmin(fmax(pct, 0), 100);
	if (to->ascii)
		return (uint32_t)('0' + (int)fmin(9, pct / 10));
	return 0x2581 + (uint32_t)fmin(7, pct * 8 / 100);
}

enum style draw_load_style(double pct)
{
	if (pct < 60)
		return STYLE_LOW;
	return pct < 90 ? STYLE_MID : STYLE_HIGH;
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

void draw_spark(
	struct screen *to, int row, int col, int width, const uint8_t *levels, size_t n, size_t newest)
{
	for (int i = 0; i < width && (size_t)i < n; i++) {
		uint8_t l = levels[(newest + n - (size_t)i) % n];
		if (l != DRAW_NO_LEVEL)
			screen_fill(to, row, col + width - 1 - i, 1, draw_load_style(l), draw_level(to, l));
	}
}

void draw_graph(struct screen *to, struct rect at, const uint8_t *levels, size_t n, size_t newest)
{
	for (int i = 0; i < at.cols && (size_t)i < n; i++) {
		uint8_t l = levels[(newest + n - (size_t)i) % n];
		if (l == DRAW_NO_LEVEL)
			continue;
		for (int r = 0; r < at.rows; r++) { /* from the bottom: each row holds its share of the 100 */
			double part = (l - 100.0 * r / at.rows) * at.rows;
			if (part <= 0 && r > 0)
				break;
			uint32_t ch = to->ascii ? (part >= 50 ? '#' : '.') : draw_level(to, part);
			screen_fill(to, at.row + at.rows - 1 - r, at.col + at.cols - 1 - i, 1,
				draw_load_style(l), ch);
		}
	}
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
	char part[512];
	size_t fit = 0, blank = 0;
	for (size_t n = 1; n <= strlen(text) && n < sizeof part; n++) {
		if (((unsigned char)text[n] & 0xc0) == 0x80)
			continue;
		memcpy(part, text, n);
		part[n] = '\0';
		if (screen_columns(to, part) > width)
			return blank ? blank : fit ? fit : n;
		fit = n;
		if (text[n] == ' ' || text[n] == '\0')
			blank = n;
	}
	return fit;
}

int draw_wrapped(struct screen *to, struct rect at, enum style st, const char *text)
{
	int row = 0;
	while (row < at.rows && *text) {
		size_t n = line_bytes(to, text, at.cols);
		if (!n)
			break;
		screen_printf(to, at.row + row++, at.col, at.cols, st, "%.*s", (int)n, text);
		text += n;
		while (*text == ' ')
			text++;
	}
	return row;
}
