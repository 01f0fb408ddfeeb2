/* SPDX-License-Identifier: MIT */
/* A fleet on the screen: a line of what it is, one of what is wrong, the table, keys. Invariant: each state
 * is a word, never a colour alone; the name is always there, and the columns that fit are the best ones. */
#include <stdio.h>
#include <string.h>

#include "fleet_private.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

enum { NAME_LEAST = 9, GAP = 1, FOOTER_MOST = 16, HELP_KEYS = 13, HELP_WIDTH = 80, LIST_LINE = 80 };
enum { ROWS_WITH_HEAD = 3, ROWS_WITH_KEYS = 5, ROWS_WITH_ALERT = 6, ROWS_WITH_AUTO = 7 };

/* Columns that are shown, in their order; the name is not among them. */
struct layout {
	uint8_t cols[64];
	int width[64], n, name;
};

/* Of the rows that are seen. */
static int name_width(const struct fleet_view *view, const struct fleet *fleet, const struct screen *scr)
{
	const struct fleet_list *list = &view->lists[view->kind];
	int want = NAME_LEAST, most = max_of(scr->cols / 3, NAME_LEAST);
	char name[1400];
	for (size_t i = list->top; i < list->n && i < list->top + (size_t)view->page && want < most; i++) {
		text_escape(name, sizeof name, fleet_name(fleet, view->kind, list->rows[i]));
		int n = draw_columns(scr, name) + 1;
		want = max_of(n, want);
	}
	return min_of(want, most);
}

/* A column that is sorted by is shown, whatever its rank. */
static int rank_of(const struct fleet_view *view, size_t i)
{
	bool sorted = (int)i == view->lists[view->kind].sort && i > 0;
	int rank = fleet_table(view->kind)->columns[i].rank;
	return !strcmp(fleet_table(view->kind)->columns[i].key, "need") ? rank : sorted ? 2 : rank;
}

static void choose(const struct fleet_view *view, int cols, int name, struct layout *layout)
{
	const struct fleet_table *table = fleet_table(view->kind);
	bool in[64] = {false};
	int left = cols - name;
	*layout = (struct layout){.name = name};
	for (int rank = 2; rank < 32; rank++)
		for (size_t i = 1; i < table->n; i++) {
			if (rank_of(view, i) != rank || table->columns[i].width + GAP > left)
				continue;
			left -= table->columns[i].width + GAP;
			in[i] = true;
		}
	for (size_t i = 1; i < table->n; i++)
		if (in[i]) {
			layout->cols[layout->n] = (uint8_t)i;
			layout->width[layout->n++] = table->columns[i].width;
		}
	/* What is left over goes to a long text at the end, else to the name. */
	if (layout->n && table->columns[layout->cols[layout->n - 1]].left)
		layout->width[layout->n - 1] += left;
	else
		layout->name += left;
}

static void draw_head(const struct fleet_view *view, const struct layout *layout, struct screen *scr, int row)
{
	const struct fleet_table *table = fleet_table(view->kind);
	const struct fleet_list *list = &view->lists[view->kind];
	screen_fill(scr, row, 0, scr->cols, STYLE_HEADER, ' ');
	for (int i = -1, col = 1; i < layout->n; i++) {
		size_t at = i < 0 ? 0 : layout->cols[i];
		const struct column *column = &table->columns[at];
		int width = i < 0 ? layout->name - 1 : layout->width[i];
		bool sorted = (int)at == list->sort;
		enum style style = sorted ? STYLE_SORTED : STYLE_HEADER;
		if (column->left)
			screen_text(scr, row, col, width, style, column->head);
		else
			screen_right(scr, row, col, width, style, column->head);
		if (sorted) {
			int n = screen_columns(scr, column->head);
			screen_fill(scr, row, column->left ? col + n : col + width - n - 1, 1, style,
				draw_glyph(scr, column->ascending != list->reverse ? GLYPH_UP : GLYPH_DOWN));
		}
		col += width + GAP;
	}
}

static enum style score_style(struct vf64 score)
{
	if (!vf64_has(score) || score.v <= 0)
		return STYLE_NORMAL;
	return score.v >= 30 ? STYLE_BAD : STYLE_WARN;
}

static enum style host_style(const struct fleet_host *host, const char *key, const struct value *val)
{
	bool away = host->state == FLEET_LATE || host->state == FLEET_LOST;
	if (!strcmp(key, "state") || !strcmp(key, "what"))
		return away ? STYLE_BAD : !strcmp(key, "what") ? score_style(host->score_pct) : STYLE_DIM;
	if (away)
		return STYLE_DIM; /* of before */
	if (!strcmp(key, "suffers") || !strcmp(key, "why") || !strcmp(key, "worst"))
		return score_style(host->score_pct);
	if (!strcmp(key, "memory"))
		return !strcmp(host->memory, "hard")   ? STYLE_BAD
		       : !strcmp(host->memory, "soft") ? STYLE_WARN
						       : STYLE_NORMAL;
	if (!strcmp(key, "load"))
		return draw_load_style(val->num);
	if (!strcmp(key, "hung"))
		return val->num > 0 ? STYLE_BAD : STYLE_NORMAL;
	return !strcmp(key, "wait") && draw_waits(host->wait_pct) ? STYLE_WAIT : STYLE_NORMAL;
}

static enum style vm_style(const struct fleet_vm *vm, const struct fleet_host *host, const char *key)
{
	if (host->state == FLEET_LATE || host->state == FLEET_LOST)
		return STYLE_DIM;
	if (!strcmp(key, "state"))
		return !strcmp(vm->state, "HUNG") ? STYLE_BAD : STYLE_DIM;
	if (!strcmp(key, "suffers") || !strcmp(key, "why"))
		return score_style(vm->score_pct);
	return !strcmp(key, "wait") && draw_waits(vm->wait_pct) ? STYLE_WAIT : STYLE_NORMAL;
}

static enum style cell_style(const struct fleet_view *view, const struct fleet *fleet, size_t row,
	const struct column *column, const struct value *val)
{
	if (val->avail != AVAIL_OK)
		return STYLE_DIM;
	if (view->kind == FLEET_HOSTS)
		return host_style(&fleet->hosts[row], column->key, val);
	return vm_style(&fleet->vms[row], &fleet->hosts[fleet->vms[row].host], column->key);
}

/* What stands before a name: ! for whoever needs somebody. */
static bool needs(const struct fleet_view *view, const struct fleet *fleet, size_t row)
{
	if (view->kind == FLEET_HOSTS)
		return fleet_need(&fleet->hosts[row]) > 0;
	return vf64_has(fleet->vms[row].score_pct) && fleet->vms[row].score_pct.v > 0;
}

static void draw_row(const struct fleet_view *view, const struct fleet *fleet, const struct layout *layout,
	size_t at, struct screen *scr, int y)
{
	const struct fleet_list *list = &view->lists[view->kind];
	size_t row = list->rows[at];
	bool selected = at == list->at, need = needs(view, fleet, row);
	char text[1400];
	if (selected)
		screen_fill(scr, y, 0, scr->cols, STYLE_SELECTED, ' ');
	enum style style = selected ? STYLE_SELECTED : need ? STYLE_WARN : STYLE_NORMAL;
	screen_fill(scr, y, 0, 1, style, need ? '!' : selected ? draw_glyph(scr, GLYPH_CURSOR) : ' ');
	text_escape(text, sizeof text, fleet_name(fleet, view->kind, row));
	draw_name(scr, y, 1, layout->name - 1, style, text);
	for (int i = 0, col = layout->name + GAP; i < layout->n; i++) {
		const struct column *column = &fleet_table(view->kind)->columns[layout->cols[i]];
		struct value val;
		fleet_value(fleet, view->kind, layout->cols[i], row, &val);
		value_format(text, sizeof text, &val);
		style = cell_style(view, fleet, row, column, &val);
		style = selected && style != STYLE_BAD ? STYLE_SELECTED : style;
		if (column->left)
			draw_cut(scr, y, col, layout->width[i], style, text);
		else
			screen_right(scr, y, col, layout->width[i], style, text);
		col += layout->width[i] + GAP;
	}
}

static void draw_title_line(const struct fleet_view *view, const struct fleet *fleet, struct screen *scr)
{
	char text[200], where[80];
	const struct fleet_list *list = &view->lists[view->kind];
	size_t all = fleet_count(fleet, view->kind), last = list->top + (size_t)max_of(view->page, 0);
	int col = screen_text(scr, 0, 0, scr->cols, STYLE_TITLE, "vmtop fleet");
	snprintf(text, sizeof text, " · %zu host%s · %zu VM%s · every %g s", fleet->n_hosts,
		text_s(fleet->n_hosts), fleet->n_vms, text_s(fleet->n_vms), view->delay_s);
	last = min_of(last, list->n);
	int n = view->has_filter ? snprintf(where, sizeof where, "FILTER %zu of %zu ", list->n, all) : 0;
	where[n] = '\0';
	if (list->n > (size_t)max_of(view->page, 0) && list->n)
		snprintf(where + n, sizeof where - (size_t)n, "%zu-%zu of %zu", list->top + 1, last, list->n);
	int right = screen_columns(scr, where);
	draw_cut(scr, 0, col, scr->cols - col - (right ? right + 1 : 0), STYLE_DIM, text);
	if (right && right < scr->cols - col)
		screen_right(
			scr, 0, scr->cols - right, right, view->has_filter ? STYLE_WARN : STYLE_DIM, where);
}

/* A word for the user, else what is wrong. */
static void draw_alert(const struct fleet_view *view, const struct fleet *fleet, struct screen *scr, int row)
{
	char text[400], safe[800];
	bool moves = fleet_moves_line(view, text, sizeof text);
	if (!moves)
		fleet_alerts(fleet, text, sizeof text);
	const char *word = view->message[0]              ? view->message
			   : fleet->trouble[0] && !moves ? fleet->trouble
							 : text;
	text_safe(safe, sizeof safe, word);
	draw_cut(scr, row, 0, scr->cols, view->message[0] || moves ? STYLE_WARN : STYLE_BAD, safe);
}

/* What runs unattended is seen at any time. */
static void draw_auto(const struct fleet_view *view, struct screen *scr, int row)
{
	char text[FLEET_SAID_LINE + 16];
	if (fleet_auto_line(view, text, sizeof text))
		draw_cut(scr, row, 0, scr->cols, STYLE_TITLE, text);
}

static void draw_empty(const struct fleet_view *view, const struct fleet *fleet, struct screen *scr, int row)
{
	const struct fleet_table *table = fleet_table(view->kind);
	char filter[200];
	text_safe(filter, sizeof filter, view->filter);
	if (fleet_count(fleet, view->kind))
		screen_printf(scr, row, 1, scr->cols - 1, STYLE_DIM, "no %s matches %s (\\ changes it)",
			table->word, filter);
	else
		screen_printf(scr, row, 1, scr->cols - 1, STYLE_DIM, "no %s yet", table->word);
}

void fleet_view_draw(struct fleet_view *view, const struct fleet *fleet, struct screen *scr)
{
	const struct key_row *keys[FOOTER_MOST];
	struct fleet_list *list = &view->lists[view->kind];
	struct layout layout;
	int footer = scr->rows >= ROWS_WITH_KEYS, y = 0, title = scr->rows >= ROWS_WITH_KEYS - 1;
	int alert = scr->rows >= ROWS_WITH_ALERT, head = scr->rows >= ROWS_WITH_HEAD;
	view->now_ns = fleet->now_ns;
	int unattended = view->said && scr->rows >= ROWS_WITH_AUTO;
	view->first_row = title + alert + unattended + head;
	view->page = scr->rows - view->first_row - footer;
	if (list->top + (size_t)view->page > list->n)
		list->top = excess(list->n, (size_t)view->page);
	if (list->at < list->top || list->at >= list->top + (size_t)view->page)
		list->top = list->at < list->top ? list->at : list->at - (size_t)view->page + 1;
	if (title)
		draw_title_line(view, fleet, scr);
	y += title;
	if (alert)
		draw_alert(view, fleet, scr, y);
	y += alert;
	if (unattended)
		draw_auto(view, scr, y);
	choose(view, scr->cols, name_width(view, fleet, scr), &layout);
	if (head)
		draw_head(view, &layout, scr, y + unattended);
	if (!list->n)
		draw_empty(view, fleet, scr, view->first_row);
	for (int i = 0; i < view->page && list->top + (size_t)i < list->n; i++)
		draw_row(view, fleet, &layout, list->top + (size_t)i, scr, view->first_row + i);
	if (footer)
		footer_keys_draw(scr, keys, (int)key_footer(IN_FLEET, 0, true, keys, FOOTER_MOST), NULL);
}

/* ---- over it ---- */

static int help_text(const struct fleet_view *view, struct sheet *sheet)
{
	const struct fleet_table *table = fleet_table(view->kind);
	sheet->n = 0;
	sheet_add(sheet, NULL,
		"A row a host, the one that needs somebody most on top: LOST, LATE, memory hard, then by how "
		"much its worst VM suffers. Numbers of a host that does not answer are of before; AGE says "
		"how old. Nothing is changed from here but by y in a plan (v).",
		STYLE_NORMAL);
	sheet_add(sheet, NULL, "", STYLE_NORMAL);
	for (size_t i = 0; i < key_count(); i++) {
		const struct key_row *key = key_at(i);
		const char *help = strncmp(key->help, "fleet: ", 7) == 0 ? key->help + 7 : key->help;
		if (key->help[0] && key->where & IN_FLEET)
			sheet_add(sheet, key->name, help, STYLE_NORMAL);
	}
	sheet_add(sheet, NULL, "", STYLE_NORMAL);
	sheet_add(sheet, NULL, "Columns (the one that is sorted by is always shown)", STYLE_TITLE);
	for (size_t i = 0; i < table->n; i++)
		sheet_add(sheet, table->columns[i].head, table->columns[i].help, STYLE_NORMAL);
	return sheet->n;
}

/* A line each; numbered ones are moves. */
static int plan_text(const struct fleet_view *view, struct sheet *sheet)
{
	char line[1024];
	sheet->n = 0;
	for (const char *at = view->plan ? view->plan : "out of memory"; *at; at += *at == '\n') {
		size_t n = strcspn(at, "\n");
		snprintf(line, sizeof line, "%.*s", (int)n, at);
		sheet_add(sheet, NULL, line, sheet->n == 0 ? STYLE_TITLE : STYLE_NORMAL);
		at += n;
	}
	return sheet->n;
}

static bool sheet_over(struct fleet_view *view, struct screen *scr, int rows, int cols, int *row, int *col)
{
	static const struct {
		int (*text)(const struct fleet_view *view, struct sheet *sheet);
		const char *title, *more;
	} sheets[] = {
		[FLEET_OVER_HELP] = {help_text, "Help: fleet", " Up Down scroll · other keys close "},
		[FLEET_OVER_PLAN] = {plan_text, "Plan: moves between hosts",
			" Up Down scroll · other keys close "},
		[FLEET_OVER_AUTO] = {fleet_auto_text, "Unattended moves, by Pacemaker",
			" Up Down scroll · other keys close "},
		[FLEET_OVER_MOVES] = {fleet_moves_text, "Moves between hosts", " Up Down scroll "},
	};
	struct sheet count = {.measure = scr, .keys = HELP_KEYS, .cols = min_of(cols, HELP_WIDTH)};
	int n = sheets[view->over].text(view, &count);
	if (!overlay_box(scr, rows, cols, n + 2, HELP_WIDTH, row, col))
		return false;
	int page = scr->rows - 2;
	if (view->over_row + page > n)
		view->over_row = excess(n, page);
	draw_frame(scr, sheets[view->over].title);
	struct sheet sheet = {
		.to = scr, .measure = scr, .keys = HELP_KEYS, .cols = scr->cols, .top = view->over_row};
	sheets[view->over].text(view, &sheet);
	if (n > page)
		screen_right(scr, scr->rows - 1, 0, scr->cols - 2, STYLE_DIM, sheets[view->over].more);
	return true;
}

static bool sort_over(struct fleet_view *view, struct screen *scr, int rows, int cols, int *row, int *col)
{
	const struct fleet_table *table = fleet_table(view->kind);
	if (!overlay_box(scr, rows - 2 > 3 ? rows - 2 : rows, cols, (int)table->n + 2, LIST_LINE, row, col))
		return false;
	draw_frame(scr, "Sort by");
	int page = scr->rows - 2;
	view->over_top = view->over_row < view->over_top           ? view->over_row
			 : view->over_row >= view->over_top + page ? view->over_row - page + 1
								   : view->over_top;
	for (int i = 0; i < page && view->over_top + i < (int)table->n; i++) {
		int at = view->over_top + i;
		list_row(scr, 1 + i, at == view->over_row, view->lists[view->kind].sort == at,
			table->columns[at].head, table->columns[at].help);
	}
	screen_right(scr, scr->rows - 1, 0, scr->cols - 2, STYLE_DIM, " Enter sorts · Esc closes ");
	return true;
}

bool fleet_view_overlay(struct fleet_view *view, struct screen *scr, int rows, int cols, int *row, int *col)
{
	if (view->over >= FLEET_OVER_HELP && view->over <= FLEET_OVER_MOVES)
		return sheet_over(view, scr, rows, cols, row, col);
	if (view->over == FLEET_OVER_SORT)
		return sort_over(view, scr, rows, cols, row, col);
	if (view->over == FLEET_OVER_NONE || screen_resize(scr, 1, cols) < 0)
		return false;
	*row = rows - 1;
	*col = 0;
	typed_draw(scr, view->over == FLEET_OVER_FILTER ? "Filter (empty: all): " : "Search: ", &view->line);
	return true;
}
