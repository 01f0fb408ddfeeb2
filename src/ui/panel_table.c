/* SPDX-License-Identifier: MIT */
/* The VM table, from the column table. Invariant: the name is always there; the columns that fit are the best
 * ones, in their order. */
#include <stdio.h>
#include <string.h>

#include "view_private.h"
#include "vmtop/text.h"

enum { NAME_MIN = 9, NAME_FAIR = 22, TREND_MIN = 13, TEXT_MIN = 16, GAP = 1 };

struct plan_of_table {
	uint8_t cols[64];
	int n, name_width, last_width;
	int least; /* that the name needs, marks included */
};

static bool is_name(int c)
{
	return !strcmp(column_at((size_t)c)->key, "name");
}

/* Takes columns best first until the width is spent, then puts them into the table's order. */
static void choose_best(const struct table *t, int width, struct plan_of_table *p)
{
	bool in[64] = {false};
	int left = width - p->least;
	for (int rank = 1; rank < 64; rank++)
		for (int i = 0; i < t->n_cols; i++) {
			const struct column *c = column_at(t->cols[i]);
			bool mine = c->rank == rank && !is_name(t->cols[i]);
			if (!mine || c->width + GAP > left)
				continue;
			left -= c->width + GAP;
			in[i] = true;
		}
	for (int i = 0; i < t->n_cols; i++)
		if (in[i])
			p->cols[p->n++] = t->cols[i];
	p->name_width = p->least + left;
}

static void choose_in_order(const struct table *t, int width, struct plan_of_table *p)
{
	int left = width - p->least, skip = t->left;
	for (int i = 0; i < t->n_cols; i++) {
		const struct column *c = column_at(t->cols[i]);
		if (is_name(t->cols[i]) || skip-- > 0)
			continue;
		if (c->width + GAP > left) {
			if (c->left && left > TEXT_MIN) { /* what is left of the line, for as much as fits */
				p->cols[p->n++] = t->cols[i];
				left = 0;
			}
			break;
		}
		left -= c->width + GAP;
		p->cols[p->n++] = t->cols[i];
	}
	p->name_width = p->least + left;
}

static int longest_name(const struct view *v, const struct snapshot *s, const struct screen *to)
{
	int most = NAME_MIN;
	char name[1400];
	for (size_t i = 0; i < v->n_rows && most < NAME_FAIR; i++) {
		text_escape(name, sizeof name, s->sample.vms[v->rows[i]].name);
		int n = screen_columns(to, name) + 1;
		most = n > most ? n : most;
	}
	return most < NAME_FAIR ? most : NAME_FAIR;
}

static void choose(const struct table *t, int width, int least, struct plan_of_table *p)
{
	*p = (struct plan_of_table){.least = least};
	int most = width < 60 ? NAME_MIN : width < 100 ? NAME_FAIR - 6 : NAME_FAIR;
	if (p->least > most)
		p->least = most;
	if (t->chosen || t->left)
		choose_in_order(t, width, p);
	else
		choose_best(t, width, p);
	if (p->n == 0) {
		p->name_width = width;
		return;
	}
	/* What the name does not need goes to a last text column. */
	const struct column *last = column_at(p->cols[p->n - 1]);
	int used = p->name_width + GAP;
	for (int i = 0; i + 1 < p->n; i++)
		used += column_at(p->cols[i])->width + GAP;
	p->last_width = used + last->width > width ? width - used : last->width;
	int spare = p->name_width - p->least;
	if (spare > 0 && (last->left || spare >= TREND_MIN)) { /* more for the last text, or for the trend */
		p->last_width += last->left ? spare : 0;
		p->name_width = p->least;
	}
}

/* Room that no column wants shows the last minutes of CPU use. */
static int trend_width(const struct plan_of_table *p, int cols)
{
	int used = p->name_width + GAP;
	for (int i = 0; i < p->n; i++)
		used += (i == p->n - 1 ? p->last_width : column_at(p->cols[i])->width) + GAP;
	int spare = cols - used - GAP;
	return spare < TREND_MIN - 1 ? 0 : spare < HISTORY_POINTS ? spare : HISTORY_POINTS;
}

static void draw_head(const struct table *t, const struct plan_of_table *p, struct screen *to, struct rect at)
{
	screen_fill(to, at.row, at.col, at.cols, STYLE_HEADER, ' ');
	for (int i = -1, col = at.col + 1; i < p->n; i++) {
		const struct column *c =
			i < 0 ? column_at((size_t)column_find("name")) : column_at(p->cols[i]);
		int width = i < 0 ? p->name_width - 1 : i == p->n - 1 ? p->last_width : c->width;
		bool sorted = t->sort >= 0 && c == column_at((size_t)t->sort);
		enum style st = sorted ? STYLE_SORTED : STYLE_HEADER;
		if (c->left)
			screen_text(to, at.row, col, width, st, c->head);
		else
			screen_right(to, at.row, col, width, st, c->head);
		if (sorted) {
			int n = screen_columns(to, c->head);
			int arrow = c->left ? col + n : col + width - n - 1;
			bool up = c->ascending != t->reverse;
			screen_fill(to, at.row, arrow, 1, st, draw_glyph(to, up ? GLYPH_UP : GLYPH_DOWN));
		}
		col += width + GAP;
	}
	if (trend_width(p, at.cols))
		screen_text(to, at.row, at.col + at.cols - trend_width(p, at.cols), 12, STYLE_HEADER,
			"LAST MINUTES");
}

/* A cell a vCPU; more vCPUs than cells: the busiest of each share of them. */
static void draw_bars(const struct snapshot *s, size_t vm, struct screen *to, int row, int col, int width)
{
	const struct vm_sample *m = &s->sample.vms[vm];
	int n = (int)m->n_vcpus, cells = n < width ? n : width;
	for (int i = 0; i < cells; i++) {
		struct vf64 use = {0, AVAIL_NONE}, wait = {0, AVAIL_NONE};
		for (int k = i * n / cells; k < (i + 1) * n / cells; k++) {
			const struct vcpu_rate *r = &s->vcpu_rates[m->first_vcpu + (size_t)k];
			if (vf64_has(r->usage_pct) && r->usage_pct.v >= use.v)
				use = r->usage_pct;
			if (vf64_has(r->wait_pct) && r->wait_pct.v >= wait.v)
				wait = r->wait_pct;
		}
		if (!vf64_has(use))
			screen_fill(to, row, col + i, 1, STYLE_DIM, '-');
		else
			screen_fill(to, row, col + i, 1, wait.v >= 10 ? STYLE_WAIT : draw_load_style(use.v),
				draw_level(to, use.v));
	}
}

static enum style cell_style(
	const struct column *c, const struct snapshot *s, size_t vm, const struct value *val)
{
	const struct vm_sample *m = &s->sample.vms[vm];
	if (val->avail != AVAIL_OK)
		return STYLE_DIM;
	if (!strcmp(c->key, "state"))
		return m->hung_since_ns ? STYLE_BAD : !strncmp(val->text, "HELD", 4) ? STYLE_WARN : STYLE_DIM;
	if (!strcmp(c->key, "wait") && m->n_vcpus && val->num / (double)m->n_vcpus >= 10)
		return STYLE_WAIT;
	if (!strcmp(c->key, "cpu") && m->n_vcpus) {
		double each = s->vm_rates[vm].cpu_pct.v / (double)m->n_vcpus;
		return each >= 90 ? STYLE_HIGH : each >= 60 ? STYLE_MID : STYLE_NORMAL;
	}
	if (!strcmp(c->key, "pins") && strcmp(val->text, "any"))
		return STYLE_PIN;
	if (!strcmp(c->key, "id") || !strcmp(c->key, "max") || !strcmp(c->key, "note") ||
		!strcmp(c->key, "pins") || !strcmp(c->key, "memwhy") || !strcmp(c->key, "time"))
		return STYLE_DIM;
	return STYLE_NORMAL;
}

static void draw_cell(struct view *v, const struct column *c, const struct column_env *env, size_t vm,
	struct screen *to, struct rect at, bool selected)
{
	struct value val;
	char text[1400];
	(void)v;
	if (!strcmp(c->key, "bars")) {
		draw_bars(env->s, vm, to, at.row, at.col, at.cols);
		return;
	}
	column_get(c, env, vm, &val);
	value_format(text, sizeof text, &val);
	enum style st = cell_style(c, env->s, vm, &val);
	if (selected)
		st = STYLE_SELECTED;
	if (c->left)
		draw_cut(to, at.row, at.col, at.cols, st, text);
	else
		screen_right(to, at.row, at.col, at.cols, st, text);
}

static void draw_trend(
	const struct view *v, const struct snapshot *s, size_t vm, struct screen *to, struct rect at)
{
	const struct history_vm *h = history_find(&v->hist, s->sample.vms[vm].uuid);
	if (h)
		draw_spark(to, at.row, at.col, at.cols, v->hist.cpu[h - v->hist.vms].at, HISTORY_POINTS,
			v->hist.newest);
}

static void draw_row(struct view *v, const struct snapshot *s, const struct plan_of_table *p, size_t row,
	struct screen *to, struct rect at)
{
	size_t vm = v->rows[row];
	struct column_env env = {s, v->of_host};
	bool selected = v->has_sel && row == v->sel_row && v->over != OVER_SORT;
	bool marked = rows_marked(v, s->sample.vms[vm].uuid);
	char name[1400];
	if (selected)
		screen_fill(to, at.row, at.col, at.cols, STYLE_SELECTED, ' ');
	text_escape(name, sizeof name, s->sample.vms[vm].name);
	uint32_t lead = marked ? '*' : selected ? draw_glyph(to, GLYPH_CURSOR) : ' ';
	enum style st = selected ? STYLE_SELECTED : marked ? STYLE_MARKED : STYLE_NORMAL;
	screen_fill(to, at.row, at.col, 1, st, lead);
	draw_cut(to, at.row, at.col + 1, p->name_width - 1, st, name);
	for (int i = 0, col = at.col + p->name_width + GAP; i < p->n; i++) {
		const struct column *c = column_at(p->cols[i]);
		int width = i == p->n - 1 ? p->last_width : c->width;
		draw_cell(v, c, &env, vm, to, (struct rect){at.row, col, 1, width}, selected);
		col += width + GAP;
	}
	int trend = trend_width(p, at.cols);
	if (trend)
		draw_trend(v, s, vm, to, (struct rect){at.row, at.col + at.cols - trend, 1, trend});
}

static void draw_empty(const struct view *v, const struct snapshot *s, struct screen *to, struct rect at)
{
	if (at.rows < 1)
		return;
	if (s->sample.n_vms)
		screen_printf(to, at.row, at.col + 1, at.cols - 1, STYLE_DIM,
			"none of %zu VMs matches the filter %s (\\ changes it)", s->sample.n_vms, v->filter);
	else
		screen_text(to, at.row, at.col + 1, at.cols - 1, STYLE_DIM, "no running VM");
}

/* "12-31 of 40" when rows are out of sight, over the last columns of the head. */
static void draw_range(const struct view *v, const struct snapshot *s, struct screen *to, struct rect at)
{
	char text[120];
	size_t last = v->top + (size_t)v->page;
	bool part = v->top > 0 || last < v->n_rows;
	if ((!part && !v->has_filter) || at.cols < 60)
		return;
	int n = snprintf(text, sizeof text, " %zu-%zu of %zu", v->n_rows ? v->top + 1 : 0,
		last < v->n_rows ? last : v->n_rows, v->n_rows);
	if (v->has_filter && n > 0 && (size_t)n < sizeof text)
		snprintf(text + n, sizeof text - (size_t)n, " (%zu VMs, filter %.40s)", s->sample.n_vms,
			v->filter);
	screen_right(to, at.row, at.col, at.cols, STYLE_DIM, text);
}

void table_draw(struct view *v, const struct snapshot *s, struct screen *to, struct rect at)
{
	if (at.rows < 1)
		return;
	struct plan_of_table p;
	choose(view_table(v), at.cols, longest_name(v, s, to), &p);
	int head = at.rows >= 2;
	bool range = at.rows >= 8 && (v->has_filter || v->n_rows > (size_t)(at.rows - head));
	v->page = at.rows - head - range;
	v->table_row = at.row + head;
	if (v->top + (size_t)v->page > v->n_rows)
		v->top = v->n_rows > (size_t)v->page ? v->n_rows - (size_t)v->page : 0;
	if (head)
		draw_head(view_table(v), &p, to, at);
	if (range)
		draw_range(v, s, to, (struct rect){at.row + at.rows - 1, at.col, 1, at.cols});
	if (!v->n_rows)
		draw_empty(v, s, to, (struct rect){at.row + head, at.col, at.rows - head, at.cols});
	for (int i = 0; i < v->page && v->top + (size_t)i < v->n_rows; i++)
		draw_row(v, s, &p, v->top + (size_t)i, to,
			(struct rect){at.row + head + i, at.col, 1, at.cols});
}
