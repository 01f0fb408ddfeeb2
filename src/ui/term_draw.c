/* SPDX-License-Identifier: MIT */
/* Cells to ncurses, and what they look like. Invariant: after term_draw() the terminal shows the grid it was
 * given, or will as soon as the line takes it. Knows nothing of what the cells mean. */
#include <stdlib.h>
#include <string.h>

#include "term_private.h"
#include "thrift.h"
#include "vmtop/theme.h"

enum { GAP = 8 }; /* blanks between two words, at most; more are passed over */

static attr_t attributes(unsigned look)
{
	return (look & LOOK_BOLD ? A_BOLD : 0) | (look & LOOK_DIM ? A_DIM : 0) |
	       (look & LOOK_REVERSE ? A_REVERSE : 0) | (look & LOOK_UNDERLINE ? A_UNDERLINE : 0);
}

bool term_colors(const struct config *cfg)
{
	const char *no = getenv("NO_COLOR");
	if (cfg->no_color || (no && no[0]) || !has_colors())
		return false;
	start_color();
	return use_default_colors() == OK && COLOR_PAIRS > STYLE_COUNT;
}

/* The pair of these colours: of another style, if it has them already, for ncurses sends a colour anew with
 * each change of the pair. */
static short pair_of(const struct terminal *term, short style, short fg, short bg)
{
	for (short i = 0; i < style; i++) {
		short f, b;
		if (term->pair[i] && pair_content(term->pair[i], &f, &b) == OK && f == fg && b == bg)
			return term->pair[i];
	}
	return init_pair((short)(style + 1), fg, bg) == OK ? (short)(style + 1) : 0;
}

void term_theme(struct terminal *term, const char *name)
{
	const struct theme *theme = theme_find(name);
	term->drawn.rows = 0;
	if (!theme)
		theme = theme_find(NULL);
	bool color = term->color && theme->looks;
	const struct look *looks = theme->looks ? theme->looks : theme_find(NULL)->looks;
	for (short i = 0; i < STYLE_COUNT; i++) {
		const struct look *look = &looks[i];
		bool rich = COLORS >= 256;
		short fg = rich ? look->fg : look->fg8, bg = rich ? look->bg : look->bg8;
		term->attr[i] = attributes(color ? look->attr : look->mono);
		term->pair[i] = 0;
		/* Grey is dim where there are only eight colours. */
		if (color && !rich && look->fg8 < 0 && look->fg >= 0)
			term->attr[i] |= A_DIM;
		if (color && (fg >= 0 || bg >= 0))
			term->pair[i] = pair_of(term, i, fg, bg);
		term->unseen[i] = (!color || bg < 0) && !(term->attr[i] & (A_REVERSE | A_UNDERLINE));
	}
}

static enum style style_of(const struct cell *cell)
{
	return cell->style < STYLE_COUNT ? cell->style : STYLE_NORMAL;
}

/* Blanks from `from` + 1 to `to` - 1, between two words; to below 0: none looked at yet. */
struct gap {
	int from, to;
	enum style sent; /* STYLE_COUNT: each blank in its own */
};

/* Which style the blanks of a gap are sent in. Nothing of a style is seen on blanks without background and
 * line: between two words they take that of the word before, or colours would be switched off and on again
 * for them. Where the words differ that goes for one blank or two alone: more would have to be sent anew with
 * the word. */
static struct gap gap_at(const struct terminal *term, const struct cell *cell, int i, int cols)
{
	struct gap gap = {i - 1, i, STYLE_COUNT};
	while (gap.to < cols && cell[gap.to].ch == ' ')
		gap.to++;
	if (gap.from < 0 || gap.to == cols || gap.to - gap.from > GAP)
		return gap;
	enum style before = style_of(&cell[gap.from]);
	if (term->unseen[before] && (before == style_of(&cell[gap.to]) || gap.to - gap.from <= 3))
		gap.sent = before;
	return gap;
}

/* A row of cells as ncurses takes them, wide characters once. */
static void draw_row(const struct terminal *term, WINDOW *w, const struct screen *scr, int row, cchar_t *line)
{
	const struct cell *cell = &scr->cells[(size_t)row * (size_t)scr->cols];
	struct gap gap = {-1, -1, STYLE_COUNT};
	int n = 0;
	for (int i = 0; i < scr->cols; i++) {
		if (cell[i].ch == 0)
			continue;
		if (cell[i].ch == ' ' && i >= gap.to)
			gap = gap_at(term, cell, i, scr->cols);
		wchar_t text[2 + TEXT_MARKS] = {(wchar_t)cell[i].ch};
		for (int k = 0; k < TEXT_MARKS; k++)
			text[1 + k] = (wchar_t)cell[i].mark[k];
		enum style style = style_of(&cell[i]);
		if (cell[i].ch == ' ' && gap.sent != STYLE_COUNT && term->unseen[style])
			style = gap.sent;
		if (setcchar(&line[n], text, term->attr[style], term->pair[style], NULL) == OK)
			n++;
	}
	mvwadd_wchnstr(w, row, 0, line, n);
}

static void draw_window(const struct terminal *term, WINDOW *w, const struct screen *scr)
{
	cchar_t *line = calloc((size_t)scr->cols, sizeof *line);
	if (!line)
		return;
	werase(w);
	for (int r = 0; r < scr->rows; r++)
		draw_row(term, w, scr, r, line);
	free(line);
}

/* The base: only rows that differ from what stdscr holds already. */
static void draw_base(struct terminal *term, const struct screen *scr)
{
	size_t row = (size_t)scr->cols * sizeof *scr->cells;
	if (term->drawn.rows != scr->rows || term->drawn.cols != scr->cols) {
		draw_window(term, stdscr, scr);
	} else {
		cchar_t *line = calloc((size_t)scr->cols, sizeof *line);
		for (int r = 0; line && r < scr->rows; r++) {
			size_t at = (size_t)r * (size_t)scr->cols;
			if (memcmp(&term->drawn.cells[at], &scr->cells[at], row))
				draw_row(term, stdscr, scr, r, line);
		}
		free(line);
	}
	if (screen_resize(&term->drawn, scr->rows, scr->cols) == 0)
		memcpy(term->drawn.cells, scr->cells, row * (size_t)scr->rows);
	else
		term->drawn.rows = 0;
}

static void place_overlay(struct terminal *term, const struct screen *over, int row, int col)
{
	int rows = 0, cols = 0, y = -1, x = -1;
	if (term->over) {
		getmaxyx(term->over, rows, cols);
		getbegyx(term->over, y, x);
	}
	if (term->over && over && rows == over->rows && cols == over->cols && y == row && x == col)
		return;
	if (term->panel)
		del_panel(term->panel);
	if (term->over)
		delwin(term->over);
	term->panel = NULL;
	term->over = over ? newwin(over->rows, over->cols, row, col) : NULL;
	if (term->over)
		term->panel = new_panel(term->over);
}

void term_draw(struct terminal *term, const struct screen *base, const struct screen *over, int row, int col)
{
	bool whole = term->drawn.rows == 0; /* then every mode is set, whatever the terminal was left in */
	draw_base(term, base);
	place_overlay(term, over, row, col);
	if (term->over && over)
		draw_window(term, term->over, over);
	if (term->panel)
		update_panels();
	else
		wnoutrefresh(stdscr); /* the panel library takes stdscr along only when it has a panel */
	bool cursor = over && over->cursor_row >= 0 && term->over;
	curs_set(cursor);
	if (cursor) {
		wmove(term->over, over->cursor_row, over->cursor_col);
		wnoutrefresh(term->over);
	}
	doupdate();
	out_take(&term->out, term->sync ? SYNC_BEGIN : "", term->sync ? SYNC_END : "", whole ? NULL : thrift);
	out_flush(&term->out);
}
