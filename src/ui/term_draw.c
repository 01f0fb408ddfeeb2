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
static short pair_of(const struct terminal *t, short style, short fg, short bg)
{
	for (short i = 0; i < style; i++) {
		short f, b;
		if (t->pair[i] && pair_content(t->pair[i], &f, &b) == OK && f == fg && b == bg)
			return t->pair[i];
	}
	return init_pair((short)(style + 1), fg, bg) == OK ? (short)(style + 1) : 0;
}

void term_theme(struct terminal *t, const char *name)
{
	const struct theme *theme = theme_find(name);
	t->drawn.rows = 0;
	theme = theme ? theme : theme_find(NULL);
	bool color = t->color && theme->looks;
	const struct look *looks = theme->looks ? theme->looks : theme_find(NULL)->looks;
	for (short i = 0; i < STYLE_COUNT; i++) {
		const struct look *l = &looks[i];
		bool rich = COLORS >= 256;
		short fg = rich ? l->fg : l->fg8, bg = rich ? l->bg : l->bg8;
		t->attr[i] = attributes(color ? l->attr : l->mono);
		t->pair[i] = 0;
		/* Grey is dim where there are only eight colours. */
		if (color && !rich && l->fg8 < 0 && l->fg >= 0)
			t->attr[i] |= A_DIM;
		if (color && (fg >= 0 || bg >= 0))
			t->pair[i] = pair_of(t, i, fg, bg);
		t->unseen[i] = (!color || bg < 0) && !(t->attr[i] & (A_REVERSE | A_UNDERLINE));
	}
}

static enum style style_of(const struct cell *c)
{
	return c->style < STYLE_COUNT ? c->style : STYLE_NORMAL;
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
static struct gap gap_at(const struct terminal *t, const struct cell *c, int i, int cols)
{
	struct gap g = {i - 1, i, STYLE_COUNT};
	while (g.to < cols && c[g.to].ch == ' ')
		g.to++;
	if (g.from < 0 || g.to == cols || g.to - g.from > GAP)
		return g;
	enum style before = style_of(&c[g.from]);
	if (t->unseen[before] && (before == style_of(&c[g.to]) || g.to - g.from <= 3))
		g.sent = before;
	return g;
}

/* A row of cells as ncurses takes them, wide characters once. */
static void draw_row(const struct terminal *t, WINDOW *w, const struct screen *s, int row, cchar_t *line)
{
	const struct cell *c = &s->cells[(size_t)row * (size_t)s->cols];
	struct gap gap = {-1, -1, STYLE_COUNT};
	int n = 0;
	for (int i = 0; i < s->cols; i++) {
		if (c[i].ch == 0)
			continue;
		if (c[i].ch == ' ' && i >= gap.to)
			gap = gap_at(t, c, i, s->cols);
		wchar_t text[2 + TEXT_MARKS] = {(wchar_t)c[i].ch};
		for (int k = 0; k < TEXT_MARKS; k++)
			text[1 + k] = (wchar_t)c[i].mark[k];
		enum style st = style_of(&c[i]);
		if (c[i].ch == ' ' && gap.sent != STYLE_COUNT && t->unseen[st])
			st = gap.sent;
		if (setcchar(&line[n], text, t->attr[st], t->pair[st], NULL) == OK)
			n++;
	}
	mvwadd_wchnstr(w, row, 0, line, n);
}

static void draw_window(const struct terminal *t, WINDOW *w, const struct screen *s)
{
	cchar_t *line = calloc((size_t)s->cols, sizeof *line);
	if (!line)
		return;
	werase(w);
	for (int r = 0; r < s->rows; r++)
		draw_row(t, w, s, r, line);
	free(line);
}

/* The base: only rows that differ from what stdscr holds already. */
static void draw_base(struct terminal *t, const struct screen *s)
{
	size_t row = (size_t)s->cols * sizeof *s->cells;
	if (t->drawn.rows != s->rows || t->drawn.cols != s->cols) {
		draw_window(t, stdscr, s);
	} else {
		cchar_t *line = calloc((size_t)s->cols, sizeof *line);
		for (int r = 0; line && r < s->rows; r++) {
			size_t at = (size_t)r * (size_t)s->cols;
			if (memcmp(&t->drawn.cells[at], &s->cells[at], row))
				draw_row(t, stdscr, s, r, line);
		}
		free(line);
	}
	if (screen_resize(&t->drawn, s->rows, s->cols) == 0)
		memcpy(t->drawn.cells, s->cells, row * (size_t)s->rows);
	else
		t->drawn.rows = 0;
}

static void place_overlay(struct terminal *t, const struct screen *over, int row, int col)
{
	int rows = 0, cols = 0, y = -1, x = -1;
	if (t->over) {
		getmaxyx(t->over, rows, cols);
		getbegyx(t->over, y, x);
	}
	if (t->over && over && rows == over->rows && cols == over->cols && y == row && x == col)
		return;
	if (t->panel)
		del_panel(t->panel);
	if (t->over)
		delwin(t->over);
	t->panel = NULL;
	t->over = over ? newwin(over->rows, over->cols, row, col) : NULL;
	if (t->over)
		t->panel = new_panel(t->over);
}

void term_draw(struct terminal *t, const struct screen *base, const struct screen *over, int row, int col)
{
	bool whole = t->drawn.rows == 0; /* then every mode is set, whatever the terminal was left in */
	draw_base(t, base);
	place_overlay(t, over, row, col);
	if (t->over && over)
		draw_window(t, t->over, over);
	if (t->panel)
		update_panels();
	else
		wnoutrefresh(stdscr); /* the panel library takes stdscr along only when it has a panel */
	bool cursor = over && over->cursor_row >= 0 && t->over;
	curs_set(cursor);
	if (cursor) {
		wmove(t->over, over->cursor_row, over->cursor_col);
		wnoutrefresh(t->over);
	}
	doupdate();
	out_take(&t->out, t->sync ? SYNC_BEGIN : "", t->sync ? SYNC_END : "", whole ? NULL : thrift);
	out_flush(&t->out);
}
