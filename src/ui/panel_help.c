/* SPDX-License-Identifier: MIT */
/* Help for the place where one is: what the panel shows, the keys that mean something here, the columns of
 * its table. Invariant: keys and columns come from their tables, so help cannot differ from what they do. */
#include <stdio.h>
#include <string.h>

#include "vmtop/minmax.h"
#include "vmtop/text.h"

#include "view_private.h"

enum { HELP_KEYS = 14, HELP_WIDTH = 80 };

/* What one looks at; the signs are those of draw.c. */
static const char *const panel_help[] = {
	[FOCUS_TABLE] =
		"A row a VM. USE has a bar for each vCPU, in the colour of waiting where it waits 10 % "
		"or more for a pCPU. CPU%, WAIT% and NEED% are sums over the vCPUs in percent of one "
		"pCPU; I makes it percent of the host (CPU%H). WAIT% has that colour from a sum of 10 % of a "
		"pCPU on, CPU% has colours by its share of 100 % for each vCPU. A - is a value that is not "
		"known: the "
		"VM's own view says why.",
	[FOCUS_MAP] = "A row a vCPU, a column a pCPU (! merges them). The marks are told in the last line. "
		      "Left and "
		      "Right choose a pCPU, the line below tells who is on it. E edits pins by hand.",
	[FOCUS_LOG] =
		"What was decided, by whom and why, newest at the bottom. Up scrolls back and stays "
		"there while "
		"new lines come; End goes back to the newest. The graphs above are of the host: the best "
		"deviation found and, on top, how far the actual one is above it; waiting on top of "
		"running; memory in use. A line is the limit, or what leaves the reserve. The timeline has a "
		"sign for each event: b pin, m balloon, u undone, a AUTO on or off, + and - a VM came or "
		"went, ' mark, ! fault.",
	[FOCUS_WHY] = "Why one VM suffers: the causes that were found, the heaviest first, each with the "
		      "numbers behind it, "
		      "since when it is seen, and what would cure it. A bar is what of the VM's speed a "
		      "cause is thought to "
		      "cost. w goes on to the next VM that suffers, Left and Right to the next of the table. "
		      "What cannot be "
		      "read accuses nobody: the last line names it.",
	[FOCUS_PLAN] =
		"What a rebalance would do: moves first, then pins in place, which keep a vCPU where it "
		"runs. A line "
		"tells from where to where, what both pCPUs are asked for before and after the whole "
		"plan, how long "
		"the vCPU waits, and the deviation up to this line. x leaves a line out; y does the "
		"rest; Esc drops it all.",
	[FOCUS_VCPUS] =
		"One VM: each vCPU with its use, wait and demand in percent of a pCPU, where it runs, its "
		"pin "
		"and the pCPUs it may use; then memory and traffic, graphs with waiting on top of running "
		"and the rest of the balloon on top of what is used, and what was decided about it.",
};

static const char *view_name(enum view_id id)
{
	static const char *const names[VIEW_COUNT] = {
		"overview", "pCPUs", "memory", "decisions", "VM", "why", "plan"};
	return names[id];
}

static void add_columns(const struct view *view, struct sheet *sheet)
{
	const struct table *table = view_table_of(view);
	sheet_add(sheet, NULL, "", STYLE_NORMAL);
	sheet_add(sheet, NULL, "Columns of this table", STYLE_TITLE);
	for (int i = 0; i < table->n_cols; i++)
		sheet_add(sheet, column_at(table->cols[i])->head, column_at(table->cols[i])->help,
			STYLE_NORMAL);
	sheet_add(sheet, NULL, "", STYLE_NORMAL);
	sheet_add(sheet, NULL, "More columns (F2 shows them)", STYLE_TITLE);
	for (size_t i = 0; i < column_count(); i++)
		if (!memchr(table->cols, (int)i, (size_t)table->n_cols))
			sheet_add(sheet, column_at(i)->head, column_at(i)->help, STYLE_NORMAL);
}

/* The signs are those of this screen. */
static void add_words(const struct view *view, struct sheet *sheet)
{
	char word[32];
	sheet_add(sheet, NULL, "", STYLE_NORMAL);
	sheet_add(sheet, NULL, "Words and signs", STYLE_TITLE);
	for (size_t i = 0; i < help_words(); i++) {
		const char *help = help_word(sheet->measure, i, view->id, word, sizeof word);
		if (help)
			sheet_add(sheet, word, help, STYLE_NORMAL);
	}
}

static enum key_place help_place(struct view *view, const struct snapshot *snap)
{
	enum overlay over = view->over.kind;
	view->over.kind = view->over.under;
	enum key_place place = view_place(view, snap);
	view->over.kind = over;
	return place;
}

static int help_text(
	const struct view *view, const struct snapshot *snap, enum key_place place, struct sheet *sheet)
{
	bool views = (place & (IN_LISTS | IN_EDIT)) == 0;
	sheet->n = 0;
	if (views)
		sheet_add(sheet, NULL, panel_help[view_focus(view)], STYLE_NORMAL);
	for (enum key_section sec = KEYS_MOVE; sec < KEYS_SECTIONS; sec++) {
		bool head = false;
		for (size_t i = 0; i < key_count(); i++) {
			const struct key_row *key = key_at(i);
			if (key->section != sec || !key->help[0] || !key_in(key, place) ||
				key_find(key->keys[0], place, snap->readonly) != key)
				continue;
			if (!head && sheet->n)
				sheet_add(sheet, NULL, "", STYLE_NORMAL);
			if (!head)
				sheet_add(sheet, NULL, key_section_text(sec), STYLE_TITLE);
			head = true;
			sheet_add(sheet, key->name, key->help, STYLE_NORMAL);
		}
	}
	if (!(place & IN_LISTS))
		add_words(view, sheet);
	if (views && (view_focus(view) == FOCUS_TABLE || view->id == VIEW_OVERVIEW))
		add_columns(view, sheet);
	return sheet->n;
}

static void help_title(
	const struct view *view, const struct snapshot *snap, enum key_place place, char *buf, size_t len)
{
	const char *where = view_name(view->id);
	if (place == IN_EDIT)
		where = "pin editor";
	else if (place == IN_SETUP)
		where = "setup";
	else if (place == IN_SORT)
		where = "sort";
	else if (place == IN_PREVIEW)
		where = "preview";
	snprintf(buf, len, "Help: %s%s", where,
		text_if(snap->readonly, " (read-only: keys that steer are off)"));
}

bool help_draw(struct view *view, const struct snapshot *snap, struct screen *scr, int rows, int cols,
	int *row, int *col)
{
	char title[80];
	enum key_place place = help_place(view, snap);
	struct sheet count = {.measure = scr, .keys = HELP_KEYS, .cols = min_of(cols, HELP_WIDTH)};
	int n = help_text(view, snap, place, &count);
	if (!overlay_box(scr, rows, cols, n + 2, HELP_WIDTH, row, col))
		return false;
	int page = view->over.page = scr->rows - 2;
	if (view->over.row + page > n)
		view->over.row = excess(n, page);
	help_title(view, snap, place, title, sizeof title);
	draw_frame(scr, title);
	struct sheet sheet = {
		.to = scr, .measure = scr, .keys = HELP_KEYS, .cols = scr->cols, .top = view->over.row};
	help_text(view, snap, place, &sheet);
	if (n > page) {
		snprintf(title, sizeof title, " %d-%d of %d · Up Down PgUp PgDn · other keys close ",
			view->over.row + 1, view->over.row + page, n);
		screen_right(scr, scr->rows - 1, 0, scr->cols - 2, STYLE_DIM, title);
	}
	return true;
}
