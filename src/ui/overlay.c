/* SPDX-License-Identifier: MIT */
/* Overlays: help, question, prompt, lists. Each fills a grid of its own, sized to what it has to say and to
 * the screen. Invariant: help comes from the key and column tables, so it cannot differ from what the keys
 * do. */
#include <stdio.h>
#include <string.h>

#include "view_private.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

enum { LIST_LINE = 76 };

bool overlay_box(struct screen *to, int rows, int cols, int want_rows, int want_cols, int *row, int *col)
{
	int r = min_of(want_rows, rows), c = min_of(want_cols, cols);
	if (screen_resize(to, r, c) < 0)
		return false;
	*row = (rows - to->rows) / 2;
	*col = (cols - to->cols) / 2;
	return true;
}

void sheet_add(struct sheet *h, const char *left, const char *text, enum style st)
{
	int col = left ? 2 + h->keys : 2, width = h->cols - col - 2;
	int rows = width > 4 ? draw_wrapped_rows(h->measure, width, text) : 1;
	rows = max_of(rows, 1);
	for (int i = 0; h->to && i < rows; i++) {
		int row = h->n + i - h->top + 1;
		if (row < 1 || row >= h->to->rows - 1)
			continue;
		if (left && i == 0)
			screen_text(h->to, row, 2, h->keys - 1, STYLE_KEY, left);
		draw_wrapped_row(h->to, row, col, width, st, text, i);
	}
	h->n += rows;
}

static bool question_draw(const struct view *v, struct screen *to, int rows, int cols, int *row, int *col)
{
	int width = min_of(cols, 64), lines = 1;
	int text = screen_columns(to, v->question);
	lines += width > 8 ? text / (width - 8) + 1 : 2;
	if (!overlay_box(to, rows, cols, lines + 3, width, row, col))
		return false;
	draw_frame(to, v->ask_exit ? "Quit" : "Sure?");
	draw_wrapped(to, (struct rect){1, 3, to->rows - 3, to->cols - 6}, STYLE_NORMAL, v->question);
	const char *answers =
		v->ask_exit ? "y put back · n leave as it is · Esc stay" : "y yes · any other key: no";
	screen_text(to, to->rows - 2, 3, to->cols - 6, STYLE_BOLD, answers);
	return true;
}

static void prompt_label(const struct view *v, const struct snapshot *s, char *buf, size_t len)
{
	size_t vm;
	char name[60] = "", has[16] = "-", floor_text[16] = "-", max[16] = "-";
	if (rows_selected(v, s, &vm)) {
		text_escape(name, sizeof name, s->sample.vms[vm].name);
		if (vi64_has(s->sample.vms[vm].mem.balloon_kib))
			text_kib(has, sizeof has, s->sample.vms[vm].mem.balloon_kib.v);
		if (vi64_has(s->vm_status[vm].mem.floor_kib))
			text_kib(floor_text, sizeof floor_text, s->vm_status[vm].mem.floor_kib.v);
		if (vi64_has(s->sample.vms[vm].mem.max_kib))
			text_kib(max, sizeof max, s->sample.vms[vm].mem.max_kib.v);
	}
	switch (v->prompt) {
	case PROMPT_INTERVAL:
		snprintf(buf, len, "Interval in seconds (0.2 to 3600): ");
		break;
	case PROMPT_SEARCH:
		snprintf(buf, len, "Search: ");
		break;
	case PROMPT_FILTER:
		snprintf(buf, len, "Filter (empty: all): ");
		break;
	case PROMPT_NOTE:
		snprintf(buf, len, "Mark: ");
		break;
	case PROMPT_BALLOON:
		if (v->n_marks)
			snprintf(buf, len, "Balloon of each of the %zu marked VM%s: ", v->n_marks,
				text_s(v->n_marks));
		else
			snprintf(buf, len, "Balloon of %s (has %s, floor %s, max %s): ", name, has,
				floor_text, max);
		break;
	case PROMPT_GO:
		snprintf(buf, len, "Go to (90, 2m, -3m, +30s, 14:05): ");
		break;
	case PROMPT_RECORD:
		snprintf(buf, len, "Record into the new file: ");
		break;
	case PROMPT_COMMAND:
		snprintf(buf, len, ":");
		break;
	case PROMPT_CPUS:
		snprintf(buf, len, "pCPUs for %s vCPU %d: ", name, v->map.vcpu);
		break;
	}
}

void typed_draw(struct screen *to, const char *label, const struct typed *t)
{
	char line[LINE_MAX_BYTES * 4];
	int at = to->rows - 1;
	text_safe(line, sizeof line, t->text);
	int used = screen_text(to, at, 0, to->cols - 1, STYLE_TITLE, label);
	int room = to->cols - 1 - used;
	const char *tail = line; /* the end is what one is typing */
	while (*tail && screen_columns(to, tail) > room)
		do
			tail++;
		while (((unsigned char)*tail & 0xc0) == 0x80);
	used += screen_text(to, at, used, room, t->filled ? STYLE_SELECTED : STYLE_BOLD, tail);
	to->cursor_row = at;
	to->cursor_col = used < to->cols ? used : to->cols - 1;
}

static bool prompt_draw(const struct view *v, const struct snapshot *s, struct screen *to, int rows, int cols,
	int *row, int *col)
{
	char label[160], hint[400];
	bool hints = v->prompt == PROMPT_COMMAND && rows > 1; /* a line above it for what could be typed */
	if (screen_resize(to, hints + 1, cols) < 0)
		return false;
	*row = rows - to->rows;
	*col = 0;
	if (hints) {
		line_hint(v, hint, sizeof hint);
		draw_cut(to, 0, 0, cols, STYLE_DIM, hint);
	}
	prompt_label(v, s, label, sizeof label);
	typed_draw(to, label, &v->line);
	return true;
}

void list_row(struct screen *to, int row, bool cursor, bool on, const char *left, const char *text)
{
	enum style st = cursor ? STYLE_SELECTED : STYLE_NORMAL;
	if (cursor)
		screen_fill(to, row, 1, to->cols - 2, st, ' ');
	screen_fill(to, row, 2, 1, cursor ? st : STYLE_GOOD, on ? '*' : ' ');
	screen_text(to, row, 4, 10, cursor ? st : STYLE_BOLD, left);
	draw_cut(to, row, 15, to->cols - 17, cursor ? st : STYLE_DIM, text);
}

static int list_top(struct view *v, int page)
{
	if (v->over.row < v->over.top)
		v->over.top = v->over.row;
	if (v->over.row >= v->over.top + page)
		v->over.top = v->over.row - page + 1;
	return v->over.top;
}

static bool sort_draw(struct view *v, struct screen *to, int rows, int cols, int *row, int *col)
{
	if (!overlay_box(to, rows - 2 > 3 ? rows - 2 : rows, cols, (int)column_count() + 2, LIST_LINE + 4,
		    row, col))
		return false;
	draw_frame(to, "Sort by");
	int page = v->over.page = to->rows - 2, top = list_top(v, page);
	for (int i = 0; i < page && top + i < (int)column_count(); i++) {
		const struct column *c = column_at((size_t)(top + i));
		list_row(to, 1 + i, top + i == v->over.row, view_table(v)->sort == top + i, c->head, c->help);
	}
	screen_right(to, to->rows - 1, 0, to->cols - 2, STYLE_DIM, " Enter sorts · Esc closes ");
	return true;
}

bool view_overlay(
	struct view *v, const struct snapshot *s, struct screen *to, int rows, int cols, int *row, int *col)
{
	s = view_seen(v, s);
	switch (v->over.kind) {
	case OVER_NONE:
		return false;
	case OVER_HELP:
		return help_draw(v, s, to, rows, cols, row, col);
	case OVER_QUESTION:
		return question_draw(v, to, rows, cols, row, col);
	case OVER_PROMPT:
		return prompt_draw(v, s, to, rows, cols, row, col);
	case OVER_SORT:
		return sort_draw(v, to, rows, cols, row, col);
	case OVER_SETUP:
		return setup_draw(v, s, to, rows, cols, row, col);
	case OVER_COST:
		return cost_draw(&v->own, s, to, rows, cols, row, col);
	}
	return false;
}
