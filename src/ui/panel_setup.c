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

static const char *cpu_name(const struct view *v)
{
	return cpu_policy_name((enum cpu_policy_id)v->setup.cpu_policy);
}

/* What decides over guests changes only after a question. */
static void ask_policy(struct view *v, enum command_kind kind, int number, const char *what, const char *is,
	const char *will)
{
	struct command c = {.kind = kind, .number = number};
	enum overlay from = v->over.kind; /* back to the setup, or to the view */
	if (v->yes) {
		setup_took(v, &c);
		view_send(v, &c);
		return;
	}
	ask_question(v, &c, "%s: %s instead of %s? It decides from the next round on, also under AUTO.", what,
		will, is);
	v->over.under = from;
}

void setup_took(struct view *v, const struct command *c)
{
	if (c->kind == CMD_CPU_POLICY)
		v->setup.cpu_policy = (int)c->number;
	else if (c->kind == CMD_MEM_POLICY)
		v->setup.mem_policy = (int)c->number;
	else if (c->kind == CMD_GRANULARITY)
		v->setup.granularity = (enum granularity)c->number;
}

static void ask_cpu(struct view *v, int to)
{
	ask_policy(v, CMD_CPU_POLICY, to, "CPU policy", cpu_name(v), cpu_policy_name((enum cpu_policy_id)to));
}

static const char *mem_name(const struct view *v)
{
	return mem_policy_name((enum mem_policy_id)v->setup.mem_policy);
}

static void ask_memory(struct view *v, int to)
{
	ask_policy(
		v, CMD_MEM_POLICY, to, "Memory policy", mem_name(v), mem_policy_name((enum mem_policy_id)to));
}

static const char *gran_name(const struct view *v)
{
	return granularity_name(v->setup.granularity);
}

static void ask_granularity(struct view *v, int to)
{
	ask_policy(v, CMD_GRANULARITY, to, "What a vCPU is pinned to", gran_name(v),
		granularity_name((enum granularity)to));
}

static void cpu_step(struct view *v, int by)
{
	ask_cpu(v, cycle(v->setup.cpu_policy, by, CPU_POLICY_COUNT));
}

static void mem_step(struct view *v, int by)
{
	ask_memory(v, cycle(v->setup.mem_policy, by, MEM_POLICY_COUNT));
}

static void gran_step(struct view *v, int by)
{
	ask_granularity(v, cycle((int)v->setup.granularity, by, GRAN_NODE + 1));
}

void setup_policy(struct view *v, const struct config *c)
{
	if ((int)c->cpu_policy != v->setup.cpu_policy)
		ask_cpu(v, (int)c->cpu_policy);
	else if ((int)c->mem_policy != v->setup.mem_policy)
		ask_memory(v, (int)c->mem_policy);
	else if (c->granularity != v->setup.granularity)
		ask_granularity(v, (int)c->granularity);
}

static const char *theme_name(const struct view *v)
{
	return theme_at((size_t)v->setup.theme)->name;
}

static void theme_step(struct view *v, int by)
{
	v->setup.theme = cycle(v->setup.theme, by, (int)theme_count());
}

static const char *graph_name(const struct view *v)
{
	static const char *const names[] = {"auto", "braille", "block", "ascii"};
	return names[v->graph];
}

static void graph_step(struct view *v, int by)
{
	v->graph = (enum graph)cycle((int)v->graph, by, GRAPH_ASCII + 1);
}

static const char *spark_name(const struct view *v)
{
	return v->sparklines ? "yes" : "no";
}

static void spark_step(struct view *v, int by)
{
	(void)by;
	v->sparklines = !v->sparklines;
}

static const char *offline_name(const struct view *v)
{
	return v->units.hide_offline ? "hidden" : "shown";
}

static void offline_step(struct view *v, int by)
{
	(void)by;
	v->units.hide_offline = !v->units.hide_offline;
	v->units.stale = true;
}

static const char *of_name(const struct view *v)
{
	return v->of_host ? "the whole host" : "one pCPU";
}

static void of_step(struct view *v, int by)
{
	(void)by;
	v->of_host = !v->of_host;
}

static const char *columns_name(const struct view *v)
{
	const struct table *t = view_table_of(v);
	if (t->ordered)
		return "chosen, in this order";
	return t->chosen ? "the best that fit of the chosen" : "the best that fit";
}

/* Back to what the screen chooses; the other way is to change a column. */
static void columns_step(struct view *v, int by)
{
	(void)by;
	table_defaults(view_table(v), v->id == VIEW_MEMORY);
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

static int place_of(const struct table *t, int column)
{
	for (int i = 0; i < t->n_cols; i++)
		if (t->cols[i] == column)
			return i;
	return -1;
}

/* The column of row i of the list: shown ones in their order, then the others as the table has them. */
static int column_of(const struct table *t, int i)
{
	if (i < t->n_cols)
		return t->cols[i];
	for (int c = 0, n = t->n_cols; c < (int)column_count(); c++)
		if (place_of(t, c) < 0 && n++ == i)
			return c;
	return 0;
}

void setup_open(struct view *v, const struct snapshot *s)
{
	v->setup.cpu_policy = (int)s->cpu_policy;
	v->setup.mem_policy = (int)s->mem_policy;
	v->over.kind = OVER_SETUP;
	v->over.row = v->over.top = 0;
}

static void column_toggle(struct table *t, bool memory, int column)
{
	int at = place_of(t, column);
	if (at < 0 && t->n_cols < (int)sizeof t->cols)
		t->cols[t->n_cols++] = (uint8_t)column;
	else if (at >= 0 && t->n_cols > 1)
		memmove(&t->cols[at], &t->cols[at + 1], (size_t)(--t->n_cols - at));
	table_chosen(t, memory);
}

/* The cursor goes along. */
static void column_shift(struct view *v, struct table *t, int column, int by)
{
	int at = place_of(t, column), to = at + by;
	if (at < 0 || to < 0 || to >= t->n_cols)
		return;
	t->cols[at] = t->cols[to];
	t->cols[to] = (uint8_t)column;
	table_chosen(t, v->id == VIEW_MEMORY);
	v->over.row += by;
}

static void sort_here(struct view *v, struct table *t, int column, const struct snapshot *s)
{
	t->reverse = t->sort == column && !t->reverse;
	t->sort = column;
	t->sorted = true;
	v->rows_stale = true;
	rows_update(v, s);
}

void setup_key(struct view *v, const struct key_row *k, int key, const struct snapshot *s)
{
	struct table *t = view_table(v);
	int at = v->over.row, column = at < SETTINGS ? -1 : column_of(t, at - SETTINGS);
	(void)key;
	if (!k || list_key(v, k, setup_count()))
		return;
	switch (k->action) {
	case KEY_CHOOSE:
	case KEY_CHOOSE_BACK:
		if (column < 0)
			choices[at].step(v, k->action == KEY_CHOOSE ? 1 : -1);
		else
			column_toggle(t, v->id == VIEW_MEMORY, column);
		break;
	case KEY_SHIFT_UP:
	case KEY_SHIFT_DOWN:
		if (column >= 0)
			column_shift(v, t, column, k->action == KEY_SHIFT_UP ? -1 : 1);
		break;
	case KEY_SORT_HERE:
		if (column >= 0)
			sort_here(v, t, column, s);
		break;
	case KEY_SAVE:
		view_send_kind(v, CMD_SAVE, true);
		break;
	case KEY_CLOSE:
		v->over.kind = OVER_NONE;
		break;
	default:
		view_no_action(v, k);
	}
}

static void column_row(const struct view *v, struct screen *to, int row, int i)
{
	const struct table *t = view_table_of(v);
	int column = column_of(t, i);
	const struct column *c = column_at((size_t)column);
	bool cursor = v->over.row == SETTINGS + i;
	list_row(to, row, cursor, place_of(t, column) >= 0, c->head, c->help);
	if (t->sort == column)
		screen_fill(to, row, 4 + screen_columns(to, c->head), 1,
			cursor ? STYLE_SELECTED : STYLE_SORTED,
			draw_glyph(to, c->ascending != t->reverse ? GLYPH_UP : GLYPH_DOWN));
}

static void choice_row(const struct view *v, struct screen *to, int row, int i)
{
	bool cursor = v->over.row == i;
	enum style st = cursor ? STYLE_SELECTED : STYLE_BOLD;
	list_row(to, row, cursor, false, choices[i].head, "");
	int n = screen_text(to, row, 15, to->cols - 17, st, choices[i].name(v));
	int col = 15 + (n < 22 ? 22 : n + 1);
	draw_cut(to, row, col, to->cols - col - 2, cursor ? st : STYLE_DIM, choices[i].text);
}

bool setup_draw(
	struct view *v, const struct snapshot *s, struct screen *to, int rows, int cols, int *row, int *col)
{
	(void)s;
	int lines = line_of(setup_count() - 1) + 1;
	if (!overlay_box(to, rows - 2 > 3 ? rows - 2 : rows, cols, lines + 2, SETUP_WIDTH, row, col))
		return false;
	int page = v->over.page = to->rows - 2, cursor = line_of(v->over.row),
	    first = v->over.row ? cursor : 0;
	if (first < v->over.top)
		v->over.top = first;
	if (cursor >= v->over.top + page)
		v->over.top = cursor - page + 1;
	draw_frame(to, "Setup");
	for (int k = 0; k < SECTIONS; k++) {
		int at = line_of(sections[k].first) - 1 - v->over.top;
		const char *title = sections[k].title[0]   ? sections[k].title
				    : v->id == VIEW_MEMORY ? "Columns of the memory view"
							   : "Columns of the overview";
		if (at >= 0 && at < page)
			screen_text(to, 1 + at, 2, to->cols - 4, STYLE_TITLE, title);
	}
	for (int i = 0; i < setup_count(); i++) {
		int at = line_of(i) - v->over.top;
		if (at >= 0 && at < page && i < SETTINGS)
			choice_row(v, to, 1 + at, i);
		else if (at >= 0 && at < page)
			column_row(v, to, 1 + at, i - SETTINGS);
	}
	if (v->message[0]) /* the line for it is under the panel */
		screen_printf(to, to->rows - 1, 2, to->cols - 4, STYLE_WARN, " %s ", v->message);
	else
		screen_right(to, to->rows - 1, 0, to->cols - 2, STYLE_DIM, " ? help · W saves · Esc closes ");
	return true;
}

static void columns_text(const struct table *t, char *buf, size_t len)
{
	size_t n = 0;
	buf[0] = '\0';
	for (int i = 0; t->chosen && i < t->n_cols && n < len; i++)
		n += (size_t)snprintf(buf + n, len - n, "%s%s", i ? "," : "", column_at(t->cols[i])->key);
}

void view_setup(const struct view *v, struct config *to)
{
	to->delay_s = v->delay_s;
	to->cpu_policy = (enum cpu_policy_id)v->setup.cpu_policy;
	to->mem_policy = (enum mem_policy_id)v->setup.mem_policy;
	to->granularity = v->setup.granularity;
	to->graph = v->graph;
	to->sparklines = v->sparklines;
	to->of_host = v->of_host;
	to->mouse = v->mouse;
	to->hide_offline = v->units.hide_offline;
	to->tall = v->tall;
	to->view = v->id <= VIEW_LOG ? (enum first_view)v->id : FIRST_OVERVIEW;
	to->merge = v->units.merge;
	to->sort_reverse = v->main.reverse;
	snprintf(to->theme, sizeof to->theme, "%s", view_theme(v));
	if (v->main.sort >= 0)
		snprintf(to->sort, sizeof to->sort, "%s", column_at((size_t)v->main.sort)->key);
	columns_text(&v->main, to->columns, sizeof to->columns);
	columns_text(&v->memory, to->memory_columns, sizeof to->memory_columns);
}

const char *view_theme(const struct view *v)
{
	return theme_at((size_t)v->setup.theme)->name;
}
