/* SPDX-License-Identifier: MIT */
#include "support/dump.h"

#include <stdlib.h>

void screen_blit(struct screen *scr, const struct screen *from, int row, int col)
{
	for (int r = 0; r < from->rows && row + r < scr->rows; r++) {
		struct cell *to = &scr->cells[(row + r) * scr->cols + col];
		screen_fill(scr, row + r, col, from->cols, STYLE_NORMAL,
			' '); /* nor half a wide character beside it */
		for (int c = 0; c < from->cols && col + c < scr->cols; c++)
			to[c] = from->cells[r * from->cols + c];
	}
	if (from->cursor_row >= 0) {
		scr->cursor_row = row + from->cursor_row;
		scr->cursor_col = col + from->cursor_col;
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

char *screen_dump(const struct screen *scr)
{
	char *out = malloc((size_t)scr->rows * ((size_t)scr->cols * 4 * (1 + TEXT_MARKS) + 1) + 1);
	if (!out)
		return NULL;
	size_t at = 0;
	for (int r = 0; r < scr->rows; r++) {
		size_t end = at;
		for (int c = 0; c < scr->cols; c++) {
			const struct cell *cell = &scr->cells[r * scr->cols + c];
			if (cell->ch == 0)
				continue;
			at += encode(out + at, cell->ch);
			for (int i = 0; i < TEXT_MARKS && cell->mark[i]; i++)
				at += encode(out + at, cell->mark[i]);
			if (cell->ch != ' ')
				end = at;
		}
		at = end;
		out[at++] = '\n';
	}
	out[at] = '\0';
	return out;
}
