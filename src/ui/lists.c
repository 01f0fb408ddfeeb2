/* SPDX-License-Identifier: MIT */
/* What overlays are made of: their box, lists with a cursor, text that scrolls. */
#include "view_private.h"
#include "vmtop/minmax.h"

bool overlay_box(struct screen *scr, int rows, int cols, int want_rows, int want_cols, int *row, int *col)
{
	int r = min_of(want_rows, rows), c = min_of(want_cols, cols);
	if (screen_resize(scr, r, c) < 0)
		return false;
	*row = (rows - scr->rows) / 2;
	*col = (cols - scr->cols) / 2;
	return true;
}

void sheet_add(struct sheet *sheet, const char *left, const char *text, enum style style)
{
	int col = left ? 2 + sheet->keys : 2, width = sheet->cols - col - 2;
	int rows = width > 4 ? draw_wrapped_rows(sheet->measure, width, text) : 1;
	rows = max_of(rows, 1);
	for (int i = 0; sheet->to && i < rows; i++) {
		int row = sheet->n + i - sheet->top + 1;
		if (row < 1 || row >= sheet->to->rows - 1)
			continue;
		if (left && i == 0)
			screen_text(sheet->to, row, 2, sheet->keys - 1, STYLE_KEY, left);
		draw_wrapped_row(sheet->to, row, col, width, style, text, i);
	}
	sheet->n += rows;
}

void list_row(struct screen *scr, int row, bool cursor, bool on, const char *left, const char *text)
{
	enum style style = cursor ? STYLE_SELECTED : STYLE_NORMAL;
	if (cursor)
		screen_fill(scr, row, 1, scr->cols - 2, style, ' ');
	screen_fill(scr, row, 2, 1, cursor ? style : STYLE_GOOD, on ? '*' : ' ');
	screen_text(scr, row, 4, 10, cursor ? style : STYLE_BOLD, left);
	draw_cut(scr, row, 15, scr->cols - 17, cursor ? style : STYLE_DIM, text);
}

bool list_key(struct view *view, const struct key_row *key, int n)
{
	int page = view->over.page > 1 ? view->over.page - 1 : 10;
	const struct {
		enum key_action a;
		int by;
	} steps[] = {{KEY_UP, -1}, {KEY_DOWN, 1}, {KEY_PAGE_UP, -page}, {KEY_PAGE_DOWN, page},
		{KEY_FIRST, -100000}, {KEY_LAST, 100000}};
	for (size_t i = 0; key && i < sizeof steps / sizeof steps[0]; i++)
		if (steps[i].a == key->action) {
			int to = view->over.row + steps[i].by;
			view->over.row = clamp(to, 0, n - 1);
			return true;
		}
	return false;
}
