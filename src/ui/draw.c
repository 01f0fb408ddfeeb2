/* SPDX-License-Identifier: MIT */
/* Strokes that several panels share: bars, levels, titles, frames. Knows nothing of snapshots. */
#include "draw.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "vmtop/minmax.h"
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

uint32_t draw_glyph(const struct screen *scr, enum glyph glyph)
{
	if (scr->ascii)
		return glyphs[glyph].ascii;
	return scr->console ? glyphs[glyph].console : glyphs[glyph].wide;
}

uint32_t draw_level(const struct screen *scr, double pct)
{
	static const uint32_t shades[] = {0x00b7, 0x2591, 0x2592, 0x2593, 0x2588};
	pct = fmin(fmax(pct, 0), 100);
	if (scr->ascii || scr->graph == GRAPH_ASCII)
		return (uint32_t)('0' + (int)fmin(9, pct / 10));
	if (scr->console)
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

void draw_cut(struct screen *scr, int row, int col, int width, enum style style, const char *text)
{
	if (width <= 0)
		return;
	if (screen_columns(scr, text) <= width) {
		screen_text(scr, row, col, width, style, text);
		return;
	}
	int n = screen_text(scr, row, col, width - 1, style, text);
	screen_text(scr, row, col + n, 1, style, "…");
}

int draw_columns(const struct screen *scr, const char *text)
{
	const char *p = text;
	while (*p && !((unsigned char)*p & 0x80) && (unsigned char)*p >= ' ')
		p++;
	return *p ? screen_columns(scr, text) : (int)(p - text);
}

void draw_name_cut(const struct screen *scr, int width, const char *name, char *buf, size_t len)
{
	int all = draw_columns(scr, name), head = width / 2, tail = width - head - 1;
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
	while (screen_columns(scr, end) > tail)
		end += text_decode(end, &ch);
	while (*begin) {
		bytes = text_decode(begin, &ch);
		if (n + bytes + 8 > len)
			break;
		memcpy(buf + n, begin, bytes);
		buf[n + bytes] = '\0';
		if (screen_columns(scr, buf) > head)
			break;
		n += bytes;
		begin += bytes;
	}
	snprintf(buf + n, len - n, "…%s", end);
}

void draw_name(struct screen *scr, int row, int col, int width, enum style style, const char *name)
{
	char text[1400];
	draw_name_cut(scr, width, name, text, sizeof text);
	draw_cut(scr, row, col, width, style, text);
}

void draw_title(struct screen *scr, struct rect area, bool focused, const char *title, const char *right)
{
	screen_fill(scr, area.row, area.col, area.cols, STYLE_FRAME, draw_glyph(scr, GLYPH_LINE));
	if (area.cols < 6)
		return;
	char text[200];
	snprintf(text, sizeof text, " %s ", title);
	draw_cut(scr, area.row, area.col + 1, area.cols - 2, focused ? STYLE_TITLE : STYLE_BOLD, text);
	int used = 1 + screen_columns(scr, text), want = right ? screen_columns(scr, right) : 0;
	if (!want || used + want + 4 > area.cols)
		return;
	snprintf(text, sizeof text, " %s ", right);
	screen_text(scr, area.row, area.col + area.cols - want - 3, want + 2, STYLE_DIM, text);
}

void draw_meter(struct screen *scr, int row, int col, int width, const struct meter *meter)
{
	int text = meter->text ? screen_columns(scr, meter->text) : 0;
	int bar = width - (text ? text + 1 : 0);
	if (bar < 3) {
		screen_right(scr, row, col, width, meter->first_style, text_or(meter->text, ""));
		return;
	}
	int a = (int)lround(fmin(fmax(meter->first, 0), 100) * bar / 100);
	int b = (int)lround(fmin(fmax(meter->first + meter->second, 0), 100) * bar / 100) - a;
	if (a == 0 && meter->first >= 1)
		a = 1;
	if (a + b > bar)
		b = bar - a;
	screen_fill(scr, row, col, a, meter->first_style, draw_glyph(scr, GLYPH_BAR));
	if (b > 0)
		screen_fill(scr, row, col + a, b, meter->second_style, draw_glyph(scr, GLYPH_BAR2));
	else
		b = 0;
	screen_fill(scr, row, col + a + b, bar - a - b, STYLE_FRAME, draw_glyph(scr, GLYPH_TROUGH));
	if (meter->tick >= 0 && meter->tick < 100)
		screen_fill(scr, row, col + (int)(meter->tick * bar / 100), 1, STYLE_WARN,
			draw_glyph(scr, GLYPH_TICK));
	if (text)
		screen_text(scr, row, col + bar + 1, text, meter->first_style, meter->text);
}

void draw_frame(struct screen *scr, const char *title)
{
	int r = scr->rows - 1, c = scr->cols - 1;
	screen_fill(scr, 0, 0, scr->cols, STYLE_FRAME, draw_glyph(scr, GLYPH_LINE));
	screen_fill(scr, r, 0, scr->cols, STYLE_FRAME, draw_glyph(scr, GLYPH_LINE));
	for (int i = 1; i < r; i++) {
		screen_fill(scr, i, 0, 1, STYLE_FRAME, draw_glyph(scr, GLYPH_VLINE));
		screen_fill(scr, i, c, 1, STYLE_FRAME, draw_glyph(scr, GLYPH_VLINE));
	}
	screen_fill(scr, 0, 0, 1, STYLE_FRAME, draw_glyph(scr, GLYPH_TOP_LEFT));
	screen_fill(scr, 0, c, 1, STYLE_FRAME, draw_glyph(scr, GLYPH_TOP_RIGHT));
	screen_fill(scr, r, 0, 1, STYLE_FRAME, draw_glyph(scr, GLYPH_BOTTOM_LEFT));
	screen_fill(scr, r, c, 1, STYLE_FRAME, draw_glyph(scr, GLYPH_BOTTOM_RIGHT));
	if (title && title[0])
		screen_printf(scr, 0, 2, scr->cols - 4, STYLE_TITLE, " %s ", title);
}

/* Bytes of text that fit into width columns, cut at a blank when there is one. */
static size_t line_bytes(const struct screen *scr, const char *text, int width)
{
	size_t fit = 0, blank = 0;
	for (int cols = 0; text[fit];) {
		char one[8] = "";
		uint32_t ch;
		size_t n = text_decode(text + fit, &ch);
		n = max_of(n, 1);
		memcpy(one, text + fit, n);
		cols += screen_columns(scr, one);
		if (cols > width)
			return blank ? blank : fit ? fit : n;
		fit += n;
		if (text[fit] == '\0' ||
			(text[fit] == ' ' && text[fit + 1] != '%')) /* a number keeps its unit */
			blank = fit;
	}
	return fit;
}

int draw_wrapped(struct screen *scr, struct rect area, enum style style, const char *text)
{
	int row = 0;
	for (; row < area.rows && *text; row++) {
		size_t n = line_bytes(scr, text, area.cols);
		if (!n)
			break;
		if (row + 1 == area.rows) /* the last line that there is: says when more would come */
			draw_cut(scr, area.row + row, area.col, area.cols, style, text);
		else
			screen_printf(scr, area.row + row, area.col, area.cols, style, "%.*s", (int)n, text);
		text += n;
		text += strspn(text, " ");
	}
	return row;
}

int draw_wrapped_rows(const struct screen *scr, int cols, const char *text)
{
	int row = 0;
	for (; *text; row++) {
		size_t n = line_bytes(scr, text, cols);
		if (!n)
			break;
		text += n;
		text += strspn(text, " ");
	}
	return row;
}

void draw_wrapped_row(
	struct screen *scr, int row, int col, int width, enum style style, const char *text, int which)
{
	for (int i = 0; *text; i++) {
		size_t n = line_bytes(scr, text, width);
		if (!n)
			break;
		if (i == which) {
			screen_printf(scr, row, col, width, style, "%.*s", (int)n, text);
			break;
		}
		text += n;
		text += strspn(text, " ");
	}
}
