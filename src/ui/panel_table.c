/* SPDX-License-Identifier: MIT */
/* The VM table, from the column table. Invariant: the name is always there; the columns that fit are the best
 * ones, in their order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view_private.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

enum {
	NAME_MIN = 9,
	NAME_FAIR = 22,
	NAME_STEP = 8,
	NAME_SEEN = 1400,
	CUT_MOST = 1024,
	TREND_MIN = 12,
	TEXT_MIN = 16,
	GAP = 1
};

struct plan_of_table {
	uint8_t cols[64];
	int width[64];
	int n, name, trend; /* columns of the name with its mark, and of the last minutes (0: none) */
};

static bool is_name(int c)
{
	return !strcmp(column_at((size_t)c)->key, "name");
}

/* What a column must have; a long text lives with less. */
static int least_width(const struct column *column)
{
	return column->left && column->width > TEXT_MIN ? column->width * 3 / 4 : column->width;
}

/* Columns that the longest name takes, `most` at most. */
static int longest_name(
	const struct view *view, const struct snapshot *snap, const struct screen *scr, int most)
{
	int want = NAME_MIN;
	char name[1400];
	for (size_t i = 0; i < view->n_rows && want < most; i++) {
		text_escape(name, sizeof name, snap->sample.vms[view->rows[i]].name);
		int n = draw_columns(scr, name) + 1;
		want = max_of(n, want);
	}
	return min_of(want, most);
}

/* What names get before any column. */
static int fair_name(int cols)
{
	if (cols < 60)
		return NAME_MIN;
	if (cols < 100)
		return NAME_FAIR - 6;
	return cols < 160 ? NAME_FAIR : NAME_FAIR + 10;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* What is left to see of a name in so many columns, as a number; 0: all of it. */
static uint64_t cut_number(const struct screen *scr, const char *name, int cols)
{
	char seen[NAME_SEEN];
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	if (draw_columns(scr, name) <= cols)
		return 0;
	draw_name_cut(scr, cols, name, seen, sizeof seen);
	for (const char *p = seen; *p; p++)
		h = (h ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
	return h | 1;
}

/* Two names that are cut to this width read alike. Of more cut names than there is room for, nothing is said.
 */
static bool read_alike(
	const struct view *view, const struct snapshot *snap, const struct screen *scr, int cols)
{
	uint64_t cut[CUT_MOST];
	size_t n = 0;
	for (size_t i = 0; i < view->n_rows; i++) {
		char name[1400];
		text_escape(name, sizeof name, snap->sample.vms[view->rows[i]].name);
		uint64_t x = cut_number(scr, name, cols);
		if (x && n == CUT_MOST)
			return false;
		if (x)
			cut[n++] = x;
	}
	qsort(cut, n, sizeof *cut, by_value);
	for (size_t i = 1; i < n; i++)
		if (cut[i] == cut[i - 1])
			return true;
	return false;
}

/* Names are cut in the middle, but not so far that two of them read alike. */
static int name_width(struct view *view, const struct snapshot *snap, const struct screen *scr, int cols)
{
	struct named *n = &view->named;
	if (n->seq == view->rows_seq && n->rows == view->n_rows && n->cols == cols && n->width)
		return n->width; /* of the frame before: names come with a sample */
	int longest = longest_name(view, snap, scr, cols / 2), width = fair_name(cols);
	while (width < longest && read_alike(view, snap, scr, width - 1))
		width += NAME_STEP;
	width = min_of(width, longest);
	*n = (struct named){view->rows_seq, view->n_rows, cols, width};
	return width;
}

/* The columns with that which the rows are sorted by: what the order says must be seen. */
static int with_sort(const struct table *table, uint8_t cols[65])
{
	memcpy(cols, table->cols, (size_t)table->n_cols);
	if (table->sort < 0 || memchr(table->cols, table->sort, (size_t)table->n_cols))
		return table->n_cols;
	cols[table->n_cols] = (uint8_t)table->sort;
	return table->n_cols + 1;
}

/* Takes columns best first until the width is spent, then puts them into the table's order. Returns what is
 * left. */
static int choose_best(const struct table *table, int left, struct plan_of_table *plan)
{
	uint8_t cols[65];
	bool in[65] = {false};
	int n = with_sort(table, cols);
	for (int rank = 0; rank < 64; rank++)
		for (int i = 0; i < n; i++) {
			const struct column *column = column_at(cols[i]);
			int mine = cols[i] == table->sort ? 0 : table->rank[cols[i]];
			if (mine != rank || is_name(cols[i]) || least_width(column) + GAP > left)
				continue;
			left -= least_width(column) + GAP;
			in[i] = true;
		}
	for (int i = 0; i < n; i++)
		if (in[i])
			plan->cols[plan->n++] = cols[i];
	return left;
}

/* From the column on to which one has scrolled; that of the order stays. */
static int choose_in_order(const struct table *table, int left, struct plan_of_table *plan)
{
	uint8_t cols[65];
	int skip = table->left, n = with_sort(table, cols);
	bool full = false; /* one had no room: none comes after it */
	int keep = table->sort >= 0 && !is_name(table->sort)
			   ? least_width(column_at((size_t)table->sort)) + GAP
			   : 0;
	for (int i = 0; i < n; i++) {
		const struct column *column = column_at(cols[i]);
		bool sorted = cols[i] == table->sort;
		if (is_name(cols[i]) || (skip-- > 0 && !sorted))
			continue;
		full = full || least_width(column) + GAP > left - (sorted ? 0 : keep);
		if (full && !(sorted && keep <= left))
			continue;
		left -= least_width(column) + GAP;
		if (sorted)
			keep = 0;
		plan->cols[plan->n++] = cols[i];
	}
	return left;
}

/* The last minutes of CPU or memory have a place of their own where the columns are the default ones, else
 * what these leave. */
static int trend_room(const struct view *view, const struct table *table, int cols)
{
	if (!view->sparklines || table->ordered)
		return 0;
	if (view->id == VIEW_MEMORY)
		return cols < 140 ? 0 : TREND_MIN + 8;
	return cols < 70 ? 0 : TREND_MIN;
}

/* Room that is left over goes to long texts, then to the trend, then to the name. */
static void choose(
	const struct view *view, const struct table *table, int cols, int name, struct plan_of_table *plan)
{
	*plan = (struct plan_of_table){.name = name};
	int trend = trend_room(view, table, cols), left = cols - name - trend;
	left = table->ordered || table->left ? choose_in_order(table, left, plan)
					     : choose_best(table, left, plan);
	for (int i = 0; i < plan->n; i++)
		plan->width[i] = least_width(column_at(plan->cols[i]));
	for (int i = 0; i < plan->n && left > 0; i++) {
		const struct column *column = column_at(plan->cols[i]);
		int want = column->width - plan->width[i] +
			   (column->width > TEXT_MIN && i == plan->n - 1 ? cols : 0);
		int more = min_of(want, left);
		plan->width[i] += more;
		left -= more;
	}
	if (view->sparklines && plan->n && trend + left >= TREND_MIN) {
		plan->trend = trend + left - GAP;
		left = excess(plan->trend, HISTORY_POINTS);
		plan->trend -= left;
	}
	plan->name += left;
}

/* "CPU LAST 2 MIN", without the word where that has no room. */
const char *trend_head(
	const struct view *view, const struct screen *scr, const char *what, int cols, char *buf, size_t len)
{
	char age[24];
	graph_age(age, sizeof age, (double)graph_points(scr, cols, TREND_SPAN) * view->delay_s);
	int n = snprintf(buf, len, "%sLAST %s", what, age);
	for (char *p = buf; *p; p++)
		*p = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
	return n > cols ? buf + strlen(what) : buf;
}

static void draw_head(struct view *view, const struct table *table, const struct plan_of_table *plan,
	struct screen *scr, struct rect area)
{
	char lately[32];
	screen_fill(scr, area.row, area.col, area.cols, STYLE_HEADER, ' ');
	for (int i = -1, col = area.col + 1; i < plan->n; i++) {
		const struct column *column =
			i < 0 ? column_at((size_t)column_find("name")) : column_at(plan->cols[i]);
		int width = i < 0 ? plan->name - 1 : plan->width[i];
		bool sorted = table->sort >= 0 && column == column_at((size_t)table->sort);
		enum style style = sorted ? STYLE_SORTED : STYLE_HEADER;
		char text[16];
		bool host = view->of_host && column->type == VALUE_PCT; /* CPU%H: of the host */
		snprintf(text, sizeof text, "%s%s", column->head, text_if(host, "H"));
		if (column->left)
			screen_text(scr, area.row, col, width, style, text);
		else
			screen_right(scr, area.row, col, width, style, text);
		if (sorted) {
			int n = screen_columns(scr, text);
			int arrow = column->left ? col + n : col + width - n - 1;
			bool up = column->ascending != table->reverse;
			screen_fill(
				scr, area.row, arrow, 1, style, draw_glyph(scr, up ? GLYPH_UP : GLYPH_DOWN));
		}
		col += width + GAP;
		view->hit.heads[view->hit.n_heads] = i < 0 ? (uint8_t)column_find("name") : plan->cols[i];
		view->hit.head_end[view->hit.n_heads++] = col;
	}
	if (plan->trend)
		screen_right(scr, area.row, area.col + area.cols - plan->trend, plan->trend, STYLE_HEADER,
			trend_head(view, scr, view->id == VIEW_MEMORY ? "USED " : "CPU ", plan->trend, lately,
				sizeof lately));
}

/* A cell a vCPU; more vCPUs than cells: the busiest of each share of them. */
static void draw_bars(const struct snapshot *snap, size_t vm, struct screen *scr, int row, int col, int width)
{
	const struct vm_sample *m = &snap->sample.vms[vm];
	int n = (int)m->n_vcpus, cells = min_of(n, width);
	for (int i = 0; i < cells; i++) {
		struct vf64 use = {0, AVAIL_NONE}, wait = {0, AVAIL_NONE};
		for (int k = i * n / cells; k < (i + 1) * n / cells; k++) {
			const struct vcpu_rate *rate = &snap->vcpu_rates[m->first_vcpu + (size_t)k];
			if (vf64_has(rate->usage_pct) && rate->usage_pct.v >= use.v)
				use = rate->usage_pct;
			if (vf64_has(rate->wait_pct) && rate->wait_pct.v >= wait.v)
				wait = rate->wait_pct;
		}
		if (!vf64_has(use))
			screen_fill(scr, row, col + i, 1, STYLE_DIM, '-');
		else
			screen_fill(scr, row, col + i, 1,
				draw_waits(wait) ? STYLE_WAIT : draw_load_style(use.v),
				draw_level(scr, use.v));
	}
}

/* What must be seen on the selected row too. */
static bool is_alarm(const struct column *column, const struct snapshot *snap, size_t vm)
{
	return (!strcmp(column->key, "why") && snap->vm_status[vm].suffer.n) ||
	       (!strcmp(column->key, "state") && snap->sample.vms[vm].hung_since_ns);
}

static enum style cell_style(
	const struct column *column, const struct snapshot *snap, size_t vm, const struct value *val)
{
	const struct vm_sample *m = &snap->sample.vms[vm];
	if (val->avail != AVAIL_OK)
		return STYLE_DIM;
	if (!strcmp(column->key, "state"))
		return m->hung_since_ns ? STYLE_BAD : !strncmp(val->text, "HELD", 4) ? STYLE_WARN : STYLE_DIM;
	if (!strcmp(column->key, "why") || !strcmp(column->key, "suffers"))
		return suffer_style(&snap->vm_status[vm].suffer);
	if (!strcmp(column->key, "wait") && draw_waits(snap->vm_rates[vm].wait_pct))
		return STYLE_WAIT;
	if (!strcmp(column->key, "cpu") && m->n_vcpus) {
		double each = snap->vm_rates[vm].cpu_pct.v / (double)m->n_vcpus;
		if (each >= 90)
			return STYLE_HIGH;
		return each >= 60 ? STYLE_MID : STYLE_NORMAL;
	}
	if (!strcmp(column->key, "pins") && strcmp(val->text, "any"))
		return STYLE_PIN;
	if (!strcmp(column->key, "id") || !strcmp(column->key, "max") || !strcmp(column->key, "note") ||
		!strcmp(column->key, "pins") || !strcmp(column->key, "memwhy") ||
		!strcmp(column->key, "time"))
		return STYLE_DIM;
	return STYLE_NORMAL;
}

/* A row that is held says which key lets go of it. */
static void say_release(const struct view *view, const struct column *column, char *text, size_t len)
{
	if (strcmp(text, "HELD") != 0 || !view->steers)
		return;
	if (!strcmp(column->key, "state"))
		snprintf(text, len, "HELD (H)");
	else if (!strcmp(column->key, "note"))
		snprintf(text, len, "H releases");
}

static void draw_cell(const struct view *view, const struct column *column, const struct column_env *env,
	size_t vm, struct screen *scr, struct rect area, bool selected)
{
	struct value val;
	char text[1400];
	if (!strcmp(column->key, "bars")) {
		draw_bars(env->snap, vm, scr, area.row, area.col, area.cols);
		if (selected)
			screen_style(scr, area.row, area.col, area.cols, STYLE_SELECTED);
		return;
	}
	column_get(column, env, vm, &val);
	value_format(text, sizeof text, &val);
	say_release(view, column, text, sizeof text);
	enum style style = cell_style(column, env->snap, vm, &val);
	if (selected && !is_alarm(column, env->snap, vm))
		style = STYLE_SELECTED;
	if (column->left)
		draw_cut(scr, area.row, area.col, area.cols, style, text);
	else
		screen_right(scr, area.row, area.col, area.cols, style, text);
}

static void draw_trend(
	const struct view *view, const struct snapshot *snap, size_t vm, struct screen *scr, struct rect area)
{
	const struct history_vm *hist = history_find(&view->hist, snap->sample.vms[vm].uuid);
	if (!hist)
		return;
	bool memory = view->id == VIEW_MEMORY;
	struct stack trend = {.lower = history_of_vm(&view->hist, hist, memory ? VM_USED : VM_RUN),
		.upper_style = STYLE_WAIT};
	if (!memory)
		trend.upper = history_of_vm(&view->hist, hist, VM_WAIT);
	graph_draw(scr, area, &trend, TREND_SPAN);
}

static void draw_row(struct view *view, const struct snapshot *snap, const struct plan_of_table *plan,
	size_t row, struct screen *scr, struct rect area)
{
	size_t vm = view->rows[row];
	struct column_env env = {.snap = snap, .of_host = view->of_host};
	bool selected = view->has_sel && row == view->sel_row && view->over.kind != OVER_SORT;
	bool marked = rows_marked(view, snap->sample.vms[vm].uuid);
	char name[1400];
	if (selected)
		screen_fill(scr, area.row, area.col, area.cols, STYLE_SELECTED, ' ');
	text_escape(name, sizeof name, snap->sample.vms[vm].name);
	const struct suffering *hurt = &snap->vm_status[vm].suffer;
	uint32_t lead = marked ? '*' : hurt->n ? '!' : selected ? draw_glyph(scr, GLYPH_CURSOR) : ' ';
	enum style style = selected ? STYLE_SELECTED : marked ? STYLE_MARKED : suffer_style(hurt);
	screen_fill(scr, area.row, area.col, 1, style, lead);
	draw_name(scr, area.row, area.col + 1, plan->name - 1, style, name);
	for (int i = 0, col = area.col + plan->name + GAP; i < plan->n; i++) {
		const struct column *column = column_at(plan->cols[i]);
		int width = plan->width[i];
		draw_cell(view, column, &env, vm, scr, (struct rect){area.row, col, 1, width}, selected);
		col += width + GAP;
	}
	if (plan->trend)
		draw_trend(view, snap, vm, scr,
			(struct rect){area.row, area.col + area.cols - plan->trend, 1, plan->trend});
	if (selected)
		screen_style(scr, area.row, area.col + area.cols - plan->trend, plan->trend, STYLE_SELECTED);
}

static void draw_empty(
	const struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area)
{
	if (area.rows < 1)
		return;
	if (snap->sample.n_vms)
		screen_printf(scr, area.row, area.col + 1, area.cols - 1, STYLE_DIM,
			"none of %zu VM%s matches %s (\\ changes it)", snap->sample.n_vms,
			text_s(snap->sample.n_vms), view->has_filter ? view->filter : "the names given");
	else
		screen_text(scr, area.row, area.col + 1, area.cols - 1, STYLE_DIM, "no running VM");
}

static bool limited(const struct view *view)
{
	return view->has_filter || view->n_patterns;
}

/* The last line has something to say besides which rows are seen. */
static bool says(const struct view *view)
{
	return limited(view) || view->follow || view->n_marks;
}

int table_rows(const struct view *view)
{
	return 1 + (view->n_rows ? (int)view->n_rows : 1) + says(view);
}

/* "12-31 of 40" when rows are out of sight, and what limits them, in the last line. */
static void draw_range(
	const struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area)
{
	char text[160] = "", name[80];
	size_t last = view->top + (size_t)view->page;
	bool part = view->top > 0 || last < view->n_rows;
	int n = 0;
	if (view->follow)
		n = snprintf(text, sizeof text, "FOLLOW ");
	if (view->n_marks)
		n += snprintf(text + n, sizeof text - (size_t)n, "%zu MARKED ", view->n_marks);
	if (view->has_filter) {
		text_safe(name, sizeof name, view->filter);
		n += snprintf(text + n, sizeof text - (size_t)n, "FILTER %.40s, %zu of %zu VM%s ", name,
			view->n_rows, snap->sample.n_vms, text_s(snap->sample.n_vms));
	} else if (view->n_patterns) {
		n += snprintf(text + n, sizeof text - (size_t)n, "%zu of %zu VM%s, those that were named ",
			view->n_rows, snap->sample.n_vms, text_s(snap->sample.n_vms));
	}
	if (part)
		snprintf(text + n, sizeof text - (size_t)n, "%zu-%zu of %zu",
			view->n_rows ? view->top + 1 : 0, min_of(last, view->n_rows), view->n_rows);
	screen_right(scr, area.row, area.col, area.cols, limited(view) ? STYLE_WARN : STYLE_DIM, text);
}

void table_draw(struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area)
{
	if (area.rows < 1)
		return;
	view_sight(view, FOCUS_TABLE, area);
	struct plan_of_table plan;
	choose(view, view_table(view), area.cols, name_width(view, snap, scr, area.cols), &plan);
	for (int i = 0; i < plan.n; i++)
		view->groups |= column_at(plan.cols[i])->group;
	if (view_table(view)->sort >= 0)
		view->groups |= column_at((size_t)view_table(view)->sort)->group;
	int head = area.rows >= 2;
	bool range = area.rows >= 8 ? says(view) || view->n_rows > (size_t)(area.rows - head)
				    : area.rows >= 4 && says(view);
	view->page = area.rows - head - range;
	view->hit.rows = (struct rect){area.row + head, area.col, view->page, area.cols};
	if (view->top + (size_t)view->page > view->n_rows)
		view->top = excess(view->n_rows, (size_t)view->page);
	if (head)
		draw_head(view, view_table(view), &plan, scr, area);
	if (range)
		draw_range(view, snap, scr, (struct rect){area.row + area.rows - 1, area.col, 1, area.cols});
	if (!view->n_rows)
		draw_empty(view, snap, scr,
			(struct rect){area.row + head, area.col, area.rows - head, area.cols});
	for (int i = 0; i < view->page && view->top + (size_t)i < view->n_rows; i++)
		draw_row(view, snap, &plan, view->top + (size_t)i, scr,
			(struct rect){area.row + head + i, area.col, 1, area.cols});
}
