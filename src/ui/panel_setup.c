/* SPDX-License-Identifier: MIT */
/* The setup panel: settings first, then the columns of the table in view, shown ones first and in their
 * order. Invariant: what it changes is seen at once and kept only by W; policies go to the engine as
 * commands. */
#include <stdio.h>
#include <string.h>

#include "view_private.h"
#include "vmtop/theme.h"

enum { SETUP_WIDTH = 80, SETTINGS = 9 };

struct choice {
	const char *head, *text;
	/* Value now as a word; the next one in direction `by`. */
	const char *(*name)(const struct view *v);
	void (*step)(struct view *v, int by);
};

static int cycle(int at, int by, int n)
{
	return (at + by + n) % n;
}

static const char *cpu_name(const struct view *view)
{
	return cpu_policy_name((enum cpu_policy_id)view->setup.cpu_policy);
}

/* What decides over guests changes only after a question. */
static void ask_policy(struct view *view, enum command_kind kind, int number, const char *what,
	const char *is, const char *will)
{
	struct command cmd = {.kind = kind, .number = number};
	enum overlay from = view->over.kind; /* back to the setup, or to the view */
	if (view->yes) {
		setup_took(view, &cmd);
		view_send(view, &cmd);
		return;
	}
	ask_question(view, &cmd, "%s: %s instead of %s? It decides from the next round on, also under AUTO.",
		what, will, is);
	view->over.under = from;
}

void setup_took(struct view *view, const struct command *cmd)
{
	if (cmd->kind == CMD_CPU_POLICY)
		view->setup.cpu_policy = (int)cmd->number;
	else if (cmd->kind == CMD_MEM_POLICY)
		view->setup.mem_policy = (int)cmd->number;
	else if (cmd->kind == CMD_GRANULARITY)
		view->setup.granularity = (enum granularity)cmd->number;
}

static void ask_cpu(struct view *view, int to)
{
	ask_policy(view, CMD_CPU_POLICY, to, "CPU policy", cpu_name(view),
		cpu_policy_name((enum cpu_policy_id)to));
}

static const char *mem_name(const struct view *view)
{
	return mem_policy_name((enum mem_policy_id)view->setup.mem_policy);
}

static void ask_memory(struct view *view, int to)
{
	ask_policy(view, CMD_MEM_POLICY, to, "Memory policy", mem_name(view),
		mem_policy_name((enum mem_policy_id)to));
}

static const char *gran_name(const struct view *view)
{
	return granularity_name(view->setup.granularity);
}

static void ask_granularity(struct view *view, int to)
{
	ask_policy(view, CMD_GRANULARITY, to, "What a vCPU is pinned to", gran_name(view),
		granularity_name((enum granularity)to));
}

static void cpu_step(struct view *view, int by)
{
	ask_cpu(view, cycle(view->setup.cpu_policy, by, CPU_POLICY_COUNT));
}

static void mem_step(struct view *view, int by)
{
	ask_memory(view, cycle(view->setup.mem_policy, by, MEM_POLICY_COUNT));
}

static void gran_step(struct view *view, int by)
{
	ask_granularity(view, cycle((int)view->setup.granularity, by, GRAN_NODE + 1));
}

void setup_policy(struct view *view, const struct config *cfg)
{
	if ((int)cfg->cpu_policy != view->setup.cpu_policy)
		ask_cpu(view, (int)cfg->cpu_policy);
	else if ((int)cfg->mem_policy != view->setup.mem_policy)
		ask_memory(view, (int)cfg->mem_policy);
	else if (cfg->granularity != view->setup.granularity)
		ask_granularity(view, (int)cfg->granularity);
}

static const char *theme_name(const struct view *view)
{
	return theme_at((size_t)view->setup.theme)->name;
}

static void theme_step(struct view *view, int by)
{
	view->setup.theme = cycle(view->setup.theme, by, (int)theme_count());
}

static const char *graph_name(const struct view *view)
{
	static const char *const names[] = {"auto", "braille", "block", "ascii"};
	return names[view->graph];
}

static void graph_step(struct view *view, int by)
{
	view->graph = (enum graph)cycle((int)view->graph, by, GRAPH_ASCII + 1);
}

static const char *spark_name(const struct view *view)
{
	return view->sparklines ? "yes" : "no";
}

static void spark_step(struct view *view, int by)
{
	(void)by;
	view->sparklines = !view->sparklines;
}

static const char *offline_name(const struct view *view)
{
	return view->units.hide_offline ? "hidden" : "shown";
}

static void offline_step(struct view *view, int by)
{
	(void)by;
	view->units.hide_offline = !view->units.hide_offline;
	view->units.stale = true;
}

static const char *of_name(const struct view *view)
{
	return view->of_host ? "the whole host" : "one pCPU";
}

static void of_step(struct view *view, int by)
{
	(void)by;
	view->of_host = !view->of_host;
}

static const char *columns_name(const struct view *view)
{
	const struct table *table = view_table_of(view);
	if (table->ordered)
		return "chosen, in this order";
	return table->chosen ? "the best that fit of the chosen" : "the best that fit";
}

/* Back to what the screen chooses; the other way is to change a column. */
static void columns_step(struct view *view, int by)
{
	(void)by;
	table_defaults(view_table(view), view->id == VIEW_MEMORY);
}

static const struct choice choices[SETTINGS] = {
	{"CPU", "policy that places vCPUs", cpu_name, cpu_step},
	{"memory", "policy that sizes balloons", mem_name, mem_step},
	{"pin to", "what a vCPU is pinned to", gran_name, gran_step},
	{"theme", "colours", theme_name, theme_step},
	{"graphs", "what curves are drawn with", graph_name, graph_step},
	{"sparklines", "the last minutes of each VM in its row", spark_name, spark_step},
	{"offline", "pCPUs that are switched off", offline_name, offline_step},
	{"percent of", "what 100 % of CPU is", of_name, of_step},
	{"columns", "Enter goes back to the best that fit", columns_name, columns_step},
};

static const struct {
	int first;
	const char *title;
} sections[] = {
	{0, "Steering"}, {3, "Screen"}, {SETTINGS, ""}, /* names the table */
};
enum { SECTIONS = sizeof sections / sizeof sections[0] };

static int setup_count(void)
{
	return SETTINGS + (int)column_count();
}

/* The line of the panel on which item i stands, titles counted. */
static int line_of(int i)
{
	int line = i;
	for (int k = 0; k < SECTIONS; k++)
		line += sections[k].first <= i;
	return line;
}

static int place_of(const struct table *table, int column)
{
	for (int i = 0; i < table->n_cols; i++)
		if (table->cols[i] == column)
			return i;
	return -1;
}

/* The column of row i of the list: shown ones in their order, then the others as the table has them. */
static int column_of(const struct table *table, int i)
{
	if (i < table->n_cols)
		return table->cols[i];
	for (int c = 0, n = table->n_cols; c < (int)column_count(); c++)
		if (place_of(table, c) < 0 && n++ == i)
			return c;
	return 0;
}

void setup_open(struct view *view, const struct snapshot *snap)
{
	view->setup.cpu_policy = (int)snap->cpu_policy;
	view->setup.mem_policy = (int)snap->mem_policy;
	view->over.kind = OVER_SETUP;
	view->over.row = view->over.top = 0;
}

static void column_toggle(struct table *table, bool memory, int column)
{
	int at = place_of(table, column);
	if (at < 0 && table->n_cols < (int)sizeof table->cols)
		table->cols[table->n_cols++] = (uint8_t)column;
	else if (at >= 0 && table->n_cols > 1)
		memmove(&table->cols[at], &table->cols[at + 1], (size_t)(--table->n_cols - at));
	table_chosen(table, memory);
}

/* The cursor goes along. */
static void column_shift(struct view *view, struct table *table, int column, int by)
{
	int at = place_of(table, column), to = at + by;
	if (at < 0 || to < 0 || to >= table->n_cols)
		return;
	table->cols[at] = table->cols[to];
	table->cols[to] = (uint8_t)column;
	table_chosen(table, view->id == VIEW_MEMORY);
	view->over.row += by;
}

static void sort_here(struct view *view, struct table *table, int column, const struct snapshot *snap)
{
	table->reverse = table->sort == column && !table->reverse;
	table->sort = column;
	table->sorted = true;
	view->rows_stale = true;
	rows_update(view, snap);
}

void setup_key(struct view *view, const struct key_row *k, int key, const struct snapshot *snap)
{
	struct table *table = view_table(view);
	int at = view->over.row, column = at < SETTINGS ? -1 : column_of(table, at - SETTINGS);
	(void)key;
	if (!k || list_key(view, k, setup_count()))
		return;
	switch (k->action) {
	case KEY_CHOOSE:
	case KEY_CHOOSE_BACK:
		if (column < 0)
			choices[at].step(view, k->action == KEY_CHOOSE ? 1 : -1);
		else
			column_toggle(table, view->id == VIEW_MEMORY, column);
		break;
	case KEY_SHIFT_UP:
	case KEY_SHIFT_DOWN:
		if (column >= 0)
			column_shift(view, table, column, k->action == KEY_SHIFT_UP ? -1 : 1);
		break;
	case KEY_SORT_HERE:
		if (column >= 0)
			sort_here(view, table, column, snap);
		break;
	case KEY_SAVE:
		view_send_kind(view, CMD_SAVE, true);
		break;
	case KEY_CLOSE:
		view->over.kind = OVER_NONE;
		break;
	default:
		view_no_action(view, k);
	}
}

static void column_row(const struct view *view, struct screen *scr, int row, int i)
{
	const struct table *table = view_table_of(view);
	int column = column_of(table, i);
	const struct column *c = column_at((size_t)column);
	bool cursor = view->over.row == SETTINGS + i;
	list_row(scr, row, cursor, place_of(table, column) >= 0, c->head, c->help);
	if (table->sort == column)
		screen_fill(scr, row, 4 + screen_columns(scr, c->head), 1,
			cursor ? STYLE_SELECTED : STYLE_SORTED,
			draw_glyph(scr, c->ascending != table->reverse ? GLYPH_UP : GLYPH_DOWN));
}

static void choice_row(const struct view *view, struct screen *scr, int row, int i)
{
	bool cursor = view->over.row == i;
	enum style style = cursor ? STYLE_SELECTED : STYLE_BOLD;
	list_row(scr, row, cursor, false, choices[i].head, "");
	int n = screen_text(scr, row, 15, scr->cols - 17, style, choices[i].name(view));
	int col = 15 + (n < 22 ? 22 : n + 1);
	draw_cut(scr, row, col, scr->cols - col - 2, cursor ? style : STYLE_DIM, choices[i].text);
}

bool setup_draw(struct view *view, const struct snapshot *snap, struct screen *scr, int rows, int cols,
	int *row, int *col)
{
	(void)snap;
	int lines = line_of(setup_count() - 1) + 1;
	if (!overlay_box(scr, rows - 2 > 3 ? rows - 2 : rows, cols, lines + 2, SETUP_WIDTH, row, col))
		return false;
	int page = view->over.page = scr->rows - 2, cursor = line_of(view->over.row),
	    first = view->over.row ? cursor : 0;
	if (first < view->over.top)
		view->over.top = first;
	if (cursor >= view->over.top + page)
		view->over.top = cursor - page + 1;
	draw_frame(scr, "Setup");
	for (int k = 0; k < SECTIONS; k++) {
		int at = line_of(sections[k].first) - 1 - view->over.top;
		const char *title = sections[k].title[0]      ? sections[k].title
				    : view->id == VIEW_MEMORY ? "Columns of the memory view"
							      : "Columns of the overview";
		if (at >= 0 && at < page)
			screen_text(scr, 1 + at, 2, scr->cols - 4, STYLE_TITLE, title);
	}
	for (int i = 0; i < setup_count(); i++) {
		int at = line_of(i) - view->over.top;
		if (at >= 0 && at < page && i < SETTINGS)
			choice_row(view, scr, 1 + at, i);
		else if (at >= 0 && at < page)
			column_row(view, scr, 1 + at, i - SETTINGS);
	}
	if (view->message[0]) /* the line for it is under the panel */
		screen_printf(scr, scr->rows - 1, 2, scr->cols - 4, STYLE_WARN, " %s ", view->message);
	else
		screen_right(
			scr, scr->rows - 1, 0, scr->cols - 2, STYLE_DIM, " ? help · W saves · Esc closes ");
	return true;
}
