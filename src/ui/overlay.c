/* SPDX-License-Identifier: MIT */
/* Overlays: help, question, prompt, lists. Each fills a grid of its own, sized to what it has to say and to
 * the screen. Invariant: help comes from the key and column tables, so it cannot differ from what the keys
 * do. */
#include <stdio.h>

#include "view_private.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

enum { LIST_LINE = 76 };

static bool question_draw(const struct view *view, struct screen *scr, int rows, int cols, int *row, int *col)
{
	int width = min_of(cols, 64), lines = 1;
	int text = screen_columns(scr, view->question);
	lines += width > 8 ? text / (width - 8) + 1 : 2;
	if (!overlay_box(scr, rows, cols, lines + 3, width, row, col))
		return false;
	draw_frame(scr, view->ask_exit ? "Quit" : "Sure?");
	draw_wrapped(scr, (struct rect){1, 3, scr->rows - 3, scr->cols - 6}, STYLE_NORMAL, view->question);
	const char *answers =
		view->ask_exit ? "y put back · n leave as it is · Esc stay" : "y yes · any other key: no";
	screen_text(scr, scr->rows - 2, 3, scr->cols - 6, STYLE_BOLD, answers);
	return true;
}

static void prompt_label(const struct view *view, const struct snapshot *snap, char *buf, size_t len)
{
	size_t vm;
	char name[60] = "", has[16] = "-", floor_text[16] = "-", max[16] = "-";
	if (rows_selected(view, snap, &vm)) {
		text_escape(name, sizeof name, snap->sample.vms[vm].name);
		if (vi64_has(snap->sample.vms[vm].mem.balloon_kib))
			text_kib(has, sizeof has, snap->sample.vms[vm].mem.balloon_kib.v);
		if (vi64_has(snap->vm_status[vm].mem.floor_kib))
			text_kib(floor_text, sizeof floor_text, snap->vm_status[vm].mem.floor_kib.v);
		if (vi64_has(snap->sample.vms[vm].mem.max_kib))
			text_kib(max, sizeof max, snap->sample.vms[vm].mem.max_kib.v);
	}
	switch (view->prompt) {
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
		if (view->n_marks)
			snprintf(buf, len, "Balloon of each of the %zu marked VM%s: ", view->n_marks,
				text_s(view->n_marks));
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
		snprintf(buf, len, "pCPUs for %s vCPU %d: ", name, view->map.vcpu);
		break;
	}
}

static bool prompt_draw(const struct view *view, const struct snapshot *snap, struct screen *scr, int rows,
	int cols, int *row, int *col)
{
	char label[160], hint[400];
	bool hints = view->prompt == PROMPT_COMMAND && rows > 1; /* a line above it for what could be typed */
	if (screen_resize(scr, hints + 1, cols) < 0)
		return false;
	*row = rows - scr->rows;
	*col = 0;
	if (hints) {
		line_hint(view, hint, sizeof hint);
		draw_cut(scr, 0, 0, cols, STYLE_DIM, hint);
	}
	prompt_label(view, snap, label, sizeof label);
	typed_draw(scr, label, &view->line);
	return true;
}

static int list_top(struct view *view, int page)
{
	if (view->over.row < view->over.top)
		view->over.top = view->over.row;
	if (view->over.row >= view->over.top + page)
		view->over.top = view->over.row - page + 1;
	return view->over.top;
}

static bool sort_draw(struct view *view, struct screen *scr, int rows, int cols, int *row, int *col)
{
	if (!overlay_box(scr, rows - 2 > 3 ? rows - 2 : rows, cols, (int)column_count() + 2, LIST_LINE + 4,
		    row, col))
		return false;
	draw_frame(scr, "Sort by");
	int page = view->over.page = scr->rows - 2, top = list_top(view, page);
	for (int i = 0; i < page && top + i < (int)column_count(); i++) {
		const struct column *column = column_at((size_t)(top + i));
		list_row(scr, 1 + i, top + i == view->over.row, view_table(view)->sort == top + i,
			column->head, column->help);
	}
	screen_right(scr, scr->rows - 1, 0, scr->cols - 2, STYLE_DIM, " Enter sorts · Esc closes ");
	return true;
}

bool view_overlay(struct view *view, const struct snapshot *snap, struct screen *scr, int rows, int cols,
	int *row, int *col)
{
	snap = view_seen(view, snap);
	switch (view->over.kind) {
	case OVER_NONE:
		return false;
	case OVER_HELP:
		return help_draw(view, snap, scr, rows, cols, row, col);
	case OVER_QUESTION:
		return question_draw(view, scr, rows, cols, row, col);
	case OVER_PROMPT:
		return prompt_draw(view, snap, scr, rows, cols, row, col);
	case OVER_SORT:
		return sort_draw(view, scr, rows, cols, row, col);
	case OVER_SETUP:
		return setup_draw(view, snap, scr, rows, cols, row, col);
	case OVER_COST:
		return cost_draw(&view->own, snap, scr, rows, cols, row, col);
	}
	return false;
}
