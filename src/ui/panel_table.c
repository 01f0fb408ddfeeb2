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
static int least_width(const struct column *c)
{
	return c->left && c->width > TEXT_MIN ? c->width * 3 / 4 : c->width;
}

/* Columns that the longest name takes, `most` at most. */
static int longest_name(const struct view *v, const struct snapshot *s, const struct screen *to, int most)
{
	int want = NAME_MIN;
	char name[1400];
	for (size_t i = 0; i < v->n_rows && want < most; i++) {
		text_escape(name, sizeof name, s->sample.vms[v->rows[i]].name);
		int n = draw_columns(to, name) + 1;
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
static uint64_t cut_number(const struct screen *to, const char *name, int cols)
{
	char seen[NAME_SEEN];
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	if (draw_columns(to, name) <= cols)
		return 0;
	draw_name_cut(to, cols, name, seen, sizeof seen);
	for (const char *p = seen; *p; p++)
		h = (h ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
	return h | 1;
}

/* Two names that are cut to this width read alike. Of more cut names than there is room for, nothing is said.
 */
static bool read_alike(const struct view *v, const struct snapshot *s, const struct screen *to, int cols)
{
	uint64_t cut[CUT_MOST];
	size_t n = 0;
	for (size_t i = 0; i < v->n_rows; i++) {
		char name[1400];
		text_escape(name, sizeof name, s->sample.vms[v->rows[i]].name);
		uint64_t x = cut_number(to, name, cols);
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
static int name_width(struct view *v, const struct snapshot *s, const struct screen *to, int cols)
{
	struct named *n = &v->named;
	if (n->seq == v->rows_seq && n->rows == v->n_rows && n->cols == cols && n->width)
		return n->width; /* of the frame before: names come with a sample */
	int longest = longest_name(v, s, to, cols / 2), width = fair_name(cols);
	while (width < longest && read_alike(v, s, to, width - 1))
		width += NAME_STEP;
	width = min_of(width, longest);
	*n = (struct named){v->rows_seq, v->n_rows, cols, width};
	return width;
}

/* The columns with that which the rows are sorted by: what the order says must be seen. */
static int with_sort(const struct table *t, uint8_t cols[65])
{
	memcpy(cols, t->cols, (size_t)t->n_cols);
	if (t->sort < 0 || memchr(t->cols, t->sort, (size_t)t->n_cols))
		return t->n_cols;
	cols[t->n_cols] = (uint8_t)t->sort;
	return t->n_cols + 1;
}

/* Takes columns best first until the width is spent, then puts them into the table's order. Returns what is
 * left. */
static int choose_best(const struct table *t, int left, struct plan_of_table *p)
{
	uint8_t cols[65];
	bool in[65] = {false};
	int n = with_sort(t, cols);
	for (int rank = 0; rank < 64; rank++)
		for (int i = 0; i < n; i++) {
			const struct column *c = column_at(cols[i]);
			int mine = cols[i] == t->sort ? 0 : t->rank[cols[i]];
			if (mine != rank || is_name(cols[i]) || least_width(c) + GAP > left)
				continue;
			left -= least_width(c) + GAP;
			in[i] = true;
		}
	for (int i = 0; i < n; i++)
		if (in[i])
			p->cols[p->n++] = cols[i];
	return left;
}

/* From the column on to which one has scrolled; that of the order stays. */
static int choose_in_order(const struct table *t, int left, struct plan_of_table *p)
{
	uint8_t cols[65];
	int skip = t->left, n = with_sort(t, cols);
	bool full = false; /* one had no room: none comes after it */
	int keep = t->sort >= 0 && !is_name(t->sort) ? least_width(column_at((size_t)t->sort)) + GAP : 0;
	for (int i = 0; i < n; i++) {
		const struct column *c = column_at(cols[i]);
		bool sorted = cols[i] == t->sort;
		if (is_name(cols[i]) || (skip-- > 0 && !sorted))
			continue;
		full = full || least_width(c) + GAP > left - (sorted ? 0 : keep);
		if (full && !(sorted && keep <= left))
			continue;
		left -= least_width(c) + GAP;
		keep = sorted ? 0 : keep;
		p->cols[p->n++] = cols[i];
	}
	return left;
}

/* The last minutes of CPU or memory have a place of their own where the columns are the default ones, else
 * what these leave. */
static int trend_room(const struct view *v, const struct table *t, int cols)
{
	if (!v->sparklines || t->ordered)
		return 0;
	if (v->id == VIEW_MEMORY)
		return cols < 140 ? 0 : TREND_MIN + 8;
	return cols < 70 ? 0 : TREND_MIN;
}

/* Room that is left over goes to long texts, then to the trend, then to the name. */
static void choose(const struct view *v, const struct table *t, int cols, int name, struct plan_of_table *p)
{
	*p = (struct plan_of_table){.name = name};
	int trend = trend_room(v, t, cols), left = cols - name - trend;
	left = t->ordered || t->left ? choose_in_order(t, left, p) : choose_best(t, left, p);
	for (int i = 0; i < p->n; i++)
		p->width[i] = least_width(column_at(p->cols[i]));
	for (int i = 0; i < p->n && left > 0; i++) {
		const struct column *c = column_at(p->cols[i]);
		int want = c->width - p->width[i] + (c->width > TEXT_MIN && i == p->n - 1 ? cols : 0);
		int more = min_of(want, left);
		p->width[i] += more;
		left -= more;
	}
	if (v->sparklines && p->n && trend + left >= TREND_MIN) {
		p->trend = trend + left - GAP;
		left = p->trend > HISTORY_POINTS ? p->trend - HISTORY_POINTS : 0;
		p->trend -= left;
	}
	p->name += left;
}

/* "CPU LAST 2 MIN", without the word where that has no room. */
const char *trend_head(
	const struct view *v, const struct screen *to, const char *what, int cols, char *buf, size_t len)
{
	char age[24];
	graph_age(age, sizeof age, (double)graph_points(to, cols, TREND_SPAN) * v->delay_s);
	int n = snprintf(buf, len, "%sLAST %s", what, age);
	for (char *p = buf; *p; p++)
		*p = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
	return n > cols ? buf + strlen(what) : buf;
}

static void draw_head(struct view *v, const struct table *t, const struct plan_of_table *p, struct screen *to,
	struct rect at)
{
	char lately[32];
	screen_fill(to, at.row, at.col, at.cols, STYLE_HEADER, ' ');
	for (int i = -1, col = at.col + 1; i < p->n; i++) {
		const struct column *c =
			i < 0 ? column_at((size_t)column_find("name")) : column_at(p->cols[i]);
		int width = i < 0 ? p->name - 1 : p->width[i];
		bool sorted = t->sort >= 0 && c == column_at((size_t)t->sort);
		enum style st = sorted ? STYLE_SORTED : STYLE_HEADER;
		char text[16];
		bool host = v->of_host && c->type == VALUE_PCT; /* CPU%H: of the host */
		snprintf(text, sizeof text, "%s%s", c->head, host ? "H" : "");
		if (c->left)
			screen_text(to, at.row, col, width, st, text);
		else
			screen_right(to, at.row, col, width, st, text);
		if (sorted) {
			int n = screen_columns(to, text);
			int arrow = c->left ? col + n : col + width - n - 1;
			bool up = c->ascending != t->reverse;
			screen_fill(to, at.row, arrow, 1, st, draw_glyph(to, up ? GLYPH_UP : GLYPH_DOWN));
		}
		col += width + GAP;
		v->hit.heads[v->hit.n_heads] = i < 0 ? (uint8_t)column_find("name") : p->cols[i];
		v->hit.head_end[v->hit.n_heads++] = col;
	}
	if (p->trend)
		screen_right(to, at.row, at.col + at.cols - p->trend, p->trend, STYLE_HEADER,
			trend_head(v, to, v->id == VIEW_MEMORY ? "USED " : "CPU ", p->trend, lately,
				sizeof lately));
}

/* A cell a vCPU; more vCPUs than cells: the busiest of each share of them. */
static void draw_bars(const struct snapshot *s, size_t vm, struct screen *to, int row, int col, int width)
{
	const struct vm_sample *m = &s->sample.vms[vm];
	int n = (int)m->n_vcpus, cells = min_of(n, width);
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
			screen_fill(to, row, col + i, 1,
				draw_waits(wait) ? STYLE_WAIT : draw_load_style(use.v),
				draw_level(to, use.v));
	}
}

/* What must be seen on the selected row too. */
static bool is_alarm(const struct column *c, const struct snapshot *s, size_t vm)
{
	return (!strcmp(c->key, "why") && s->vm_status[vm].suffer.n) ||
	       (!strcmp(c->key, "state") && s->sample.vms[vm].hung_since_ns);
}

static enum style cell_style(
	const struct column *c, const struct snapshot *s, size_t vm, const struct value *val)
{
	const struct vm_sample *m = &s->sample.vms[vm];
	if (val->avail != AVAIL_OK)
		return STYLE_DIM;
	if (!strcmp(c->key, "state"))
		return m->hung_since_ns ? STYLE_BAD : !strncmp(val->text, "HELD", 4) ? STYLE_WARN : STYLE_DIM;
	if (!strcmp(c->key, "why") || !strcmp(c->key, "suffers"))
		return suffer_style(&s->vm_status[vm].suffer);
	if (!strcmp(c->key, "wait") && draw_waits(s->vm_rates[vm].wait_pct))
		return STYLE_WAIT;
	if (!strcmp(c->key, "cpu") && m->n_vcpus) {
		double each = s->vm_rates[vm].cpu_pct.v / (double)m->n_vcpus;
		if (each >= 90)
			return STYLE_HIGH;
		return each >= 60 ? STYLE_MID : STYLE_NORMAL;
	}
	if (!strcmp(c->key, "pins") && strcmp(val->text, "any"))
		return STYLE_PIN;
	if (!strcmp(c->key, "id") || !strcmp(c->key, "max") || !strcmp(c->key, "note") ||
		!strcmp(c->key, "pins") || !strcmp(c->key, "memwhy") || !strcmp(c->key, "time"))
		return STYLE_DIM;
	return STYLE_NORMAL;
}

/* A row that is held says which key lets go of it. */
static void say_release(const struct view *v, const struct column *c, char *text, size_t len)
{
	if (strcmp(text, "HELD") != 0 || !v->steers)
		return;
	if (!strcmp(c->key, "state"))
		snprintf(text, len, "HELD (H)");
	else if (!strcmp(c->key, "note"))
		snprintf(text, len, "H releases");
}

static void draw_cell(const struct view *v, const struct column *c, const struct column_env *env, size_t vm,
	struct screen *to, struct rect at, bool selected)
{
	struct value val;
	char text[1400];
	if (!strcmp(c->key, "bars")) {
		draw_bars(env->snap, vm, to, at.row, at.col, at.cols);
		if (selected)
			screen_style(to, at.row, at.col, at.cols, STYLE_SELECTED);
		return;
	}
	column_get(c, env, vm, &val);
	value_format(text, sizeof text, &val);
	say_release(v, c, text, sizeof text);
	enum style st = cell_style(c, env->snap, vm, &val);
	if (selected && !is_alarm(c, env->snap, vm))
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
	if (!h)
		return;
	bool memory = v->id == VIEW_MEMORY;
	struct stack trend = {
		.lower = history_of_vm(&v->hist, h, memory ? VM_USED : VM_RUN), .upper_style = STYLE_WAIT};
	if (!memory)
		trend.upper = history_of_vm(&v->hist, h, VM_WAIT);
	graph_draw(to, at, &trend, TREND_SPAN);
}

static void draw_row(struct view *v, const struct snapshot *s, const struct plan_of_table *p, size_t row,
	struct screen *to, struct rect at)
{
	size_t vm = v->rows[row];
	struct column_env env = {.snap = s, .of_host = v->of_host};
	bool selected = v->has_sel && row == v->sel_row && v->over.kind != OVER_SORT;
	bool marked = rows_marked(v, s->sample.vms[vm].uuid);
	char name[1400];
	if (selected)
		screen_fill(to, at.row, at.col, at.cols, STYLE_SELECTED, ' ');
	text_escape(name, sizeof name, s->sample.vms[vm].name);
	const struct suffering *x = &s->vm_status[vm].suffer;
	uint32_t lead = marked ? '*' : x->n ? '!' : selected ? draw_glyph(to, GLYPH_CURSOR) : ' ';
	enum style st = selected ? STYLE_SELECTED : marked ? STYLE_MARKED : suffer_style(x);
	screen_fill(to, at.row, at.col, 1, st, lead);
	draw_name(to, at.row, at.col + 1, p->name - 1, st, name);
	for (int i = 0, col = at.col + p->name + GAP; i < p->n; i++) {
		const struct column *c = column_at(p->cols[i]);
		int width = p->width[i];
		draw_cell(v, c, &env, vm, to, (struct rect){at.row, col, 1, width}, selected);
		col += width + GAP;
	}
	if (p->trend)
		draw_trend(v, s, vm, to, (struct rect){at.row, at.col + at.cols - p->trend, 1, p->trend});
	if (selected)
		screen_style(to, at.row, at.col + at.cols - p->trend, p->trend, STYLE_SELECTED);
}

static void draw_empty(const struct view *v, const struct snapshot *s, struct screen *to, struct rect at)
{
	if (at.rows < 1)
		return;
	if (s->sample.n_vms)
		screen_printf(to, at.row, at.col + 1, at.cols - 1, STYLE_DIM,
			"none of %zu VM%s matches %s (\\ changes it)", s->sample.n_vms,
			text_s(s->sample.n_vms), v->has_filter ? v->filter : "the names given");
	else
		screen_text(to, at.row, at.col + 1, at.cols - 1, STYLE_DIM, "no running VM");
}

static bool limited(const struct view *v)
{
	return v->has_filter || v->n_patterns;
}

/* The last line has something to say besides which rows are seen. */
static bool says(const struct view *v)
{
	return limited(v) || v->follow || v->n_marks;
}

int table_rows(const struct view *v)
{
	return 1 + (v->n_rows ? (int)v->n_rows : 1) + says(v);
}

/* "12-31 of 40" when rows are out of sight, and what limits them, in the last line. */
static void draw_range(const struct view *v, const struct snapshot *s, struct screen *to, struct rect at)
{
	char text[160] = "", name[80];
	size_t last = v->top + (size_t)v->page;
	bool part = v->top > 0 || last < v->n_rows;
	int n = 0;
	if (v->follow)
		n = snprintf(text, sizeof text, "FOLLOW ");
	if (v->n_marks)
		n += snprintf(text + n, sizeof text - (size_t)n, "%zu MARKED ", v->n_marks);
	if (v->has_filter) {
		text_safe(name, sizeof name, v->filter);
		n += snprintf(text + n, sizeof text - (size_t)n, "FILTER %.40s, %zu of %zu VM%s ", name,
			v->n_rows, s->sample.n_vms, text_s(s->sample.n_vms));
	} else if (v->n_patterns) {
		n += snprintf(text + n, sizeof text - (size_t)n, "%zu of %zu VM%s, those that were named ",
			v->n_rows, s->sample.n_vms, text_s(s->sample.n_vms));
	}
	if (part)
		snprintf(text + n, sizeof text - (size_t)n, "%zu-%zu of %zu", v->n_rows ? v->top + 1 : 0,
			min_of(last, v->n_rows), v->n_rows);
	screen_right(to, at.row, at.col, at.cols, limited(v) ? STYLE_WARN : STYLE_DIM, text);
}

void table_draw(struct view *v, const struct snapshot *s, struct screen *to, struct rect at)
{
	if (at.rows < 1)
		return;
	view_sight(v, FOCUS_TABLE, at);
	struct plan_of_table p;
	choose(v, view_table(v), at.cols, name_width(v, s, to, at.cols), &p);
	for (int i = 0; i < p.n; i++)
		v->groups |= column_at(p.cols[i])->group;
	if (view_table(v)->sort >= 0)
		v->groups |= column_at((size_t)view_table(v)->sort)->group;
	int head = at.rows >= 2;
	bool range = at.rows >= 8 ? says(v) || v->n_rows > (size_t)(at.rows - head) : at.rows >= 4 && says(v);
	v->page = at.rows - head - range;
	v->hit.rows = (struct rect){at.row + head, at.col, v->page, at.cols};
	if (v->top + (size_t)v->page > v->n_rows)
		v->top = v->n_rows > (size_t)v->page ? v->n_rows - (size_t)v->page : 0;
	if (head)
		draw_head(v, view_table(v), &p, to, at);
	if (range)
		draw_range(v, s, to, (struct rect){at.row + at.rows - 1, at.col, 1, at.cols});
	if (!v->n_rows)
		draw_empty(v, s, to, (struct rect){at.row + head, at.col, at.rows - head, at.cols});
	for (int i = 0; i < v->page && v->top + (size_t)i < v->n_rows; i++)
		draw_row(v, s, &p, v->top + (size_t)i, to,
			(struct rect){at.row + head + i, at.col, 1, at.cols});
}
