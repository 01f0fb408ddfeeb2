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
static int name_width(const struct fleet_view *v, const struct fleet *f, const struct screen *to)
{
	const struct fleet_list *l = &v->lists[v->kind];
	int want = NAME_LEAST, most = max_of(to->cols / 3, NAME_LEAST);
	char name[1400];
	for (size_t i = l->top; i < l->n && i < l->top + (size_t)v->page && want < most; i++) {
		text_escape(name, sizeof name, fleet_name(f, v->kind, l->rows[i]));
		int n = draw_columns(to, name) + 1;
		want = max_of(n, want);
	}
	return min_of(want, most);
}

/* A column that is sorted by is shown, whatever its rank. */
static int rank_of(const struct fleet_view *v, size_t i)
{
	bool sorted = (int)i == v->lists[v->kind].sort && i > 0;
	int rank = fleet_table(v->kind)->columns[i].rank;
	return !strcmp(fleet_table(v->kind)->columns[i].key, "need") ? rank : sorted ? 2 : rank;
}

static void choose(const struct fleet_view *v, int cols, int name, struct layout *p)
{
	const struct fleet_table *t = fleet_table(v->kind);
	bool in[64] = {false};
	int left = cols - name;
	*p = (struct layout){.name = name};
	for (int rank = 2; rank < 32; rank++)
		for (size_t i = 1; i < t->n; i++) {
			if (rank_of(v, i) != rank || t->columns[i].width + GAP > left)
				continue;
			left -= t->columns[i].width + GAP;
			in[i] = true;
		}
	for (size_t i = 1; i < t->n; i++)
		if (in[i]) {
			p->cols[p->n] = (uint8_t)i;
			p->width[p->n++] = t->columns[i].width;
		}
	/* What is left over goes to a long text at the end, else to the name. */
	if (p->n && t->columns[p->cols[p->n - 1]].left)
		p->width[p->n - 1] += left;
	else
		p->name += left;
}

static void draw_head(const struct fleet_view *v, const struct layout *p, struct screen *to, int row)
{
	const struct fleet_table *t = fleet_table(v->kind);
	const struct fleet_list *l = &v->lists[v->kind];
	screen_fill(to, row, 0, to->cols, STYLE_HEADER, ' ');
	for (int i = -1, col = 1; i < p->n; i++) {
		size_t at = i < 0 ? 0 : p->cols[i];
		const struct column *c = &t->columns[at];
		int width = i < 0 ? p->name - 1 : p->width[i];
		bool sorted = (int)at == l->sort;
		enum style st = sorted ? STYLE_SORTED : STYLE_HEADER;
		if (c->left)
			screen_text(to, row, col, width, st, c->head);
		else
			screen_right(to, row, col, width, st, c->head);
		if (sorted) {
			int n = screen_columns(to, c->head);
			screen_fill(to, row, c->left ? col + n : col + width - n - 1, 1, st,
				draw_glyph(to, c->ascending != l->reverse ? GLYPH_UP : GLYPH_DOWN));
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

static enum style host_style(const struct fleet_host *h, const char *key, const struct value *val)
{
	bool away = h->state == FLEET_LATE || h->state == FLEET_LOST;
	if (!strcmp(key, "state") || !strcmp(key, "what"))
		return away ? STYLE_BAD : !strcmp(key, "what") ? score_style(h->score_pct) : STYLE_DIM;
	if (away)
		return STYLE_DIM; /* of before */
	if (!strcmp(key, "suffers") || !strcmp(key, "why") || !strcmp(key, "worst"))
		return score_style(h->score_pct);
	if (!strcmp(key, "memory"))
		return !strcmp(h->memory, "hard")   ? STYLE_BAD
		       : !strcmp(h->memory, "soft") ? STYLE_WARN
						    : STYLE_NORMAL;
	if (!strcmp(key, "load"))
		return draw_load_style(val->num);
	if (!strcmp(key, "hung"))
		return val->num > 0 ? STYLE_BAD : STYLE_NORMAL;
	return !strcmp(key, "wait") && draw_waits(h->wait_pct) ? STYLE_WAIT : STYLE_NORMAL;
}

static enum style vm_style(const struct fleet_vm *vm, const struct fleet_host *h, const char *key)
{
	if (h->state == FLEET_LATE || h->state == FLEET_LOST)
		return STYLE_DIM;
	if (!strcmp(key, "state"))
		return !strcmp(vm->state, "HUNG") ? STYLE_BAD : STYLE_DIM;
	if (!strcmp(key, "suffers") || !strcmp(key, "why"))
		return score_style(vm->score_pct);
	return !strcmp(key, "wait") && draw_waits(vm->wait_pct) ? STYLE_WAIT : STYLE_NORMAL;
}

static enum style cell_style(const struct fleet_view *v, const struct fleet *f, size_t row,
	const struct column *c, const struct value *val)
{
	if (val->avail != AVAIL_OK)
		return STYLE_DIM;
	if (v->kind == FLEET_HOSTS)
		return host_style(&f->hosts[row], c->key, val);
	return vm_style(&f->vms[row], &f->hosts[f->vms[row].host], c->key);
}

/* What stands before a name: ! for whoever needs somebody. */
static bool needs(const struct fleet_view *v, const struct fleet *f, size_t row)
{
	if (v->kind == FLEET_HOSTS)
		return fleet_need(&f->hosts[row]) > 0;
	return vf64_has(f->vms[row].score_pct) && f->vms[row].score_pct.v > 0;
}

static void draw_row(const struct fleet_view *v, const struct fleet *f, const struct layout *p, size_t at,
	struct screen *to, int y)
{
	const struct fleet_list *l = &v->lists[v->kind];
	size_t row = l->rows[at];
	bool selected = at == l->at, need = needs(v, f, row);
	char text[1400];
	if (selected)
		screen_fill(to, y, 0, to->cols, STYLE_SELECTED, ' ');
	enum style st = selected ? STYLE_SELECTED : need ? STYLE_WARN : STYLE_NORMAL;
	screen_fill(to, y, 0, 1, st, need ? '!' : selected ? draw_glyph(to, GLYPH_CURSOR) : ' ');
	text_escape(text, sizeof text, fleet_name(f, v->kind, row));
	draw_name(to, y, 1, p->name - 1, st, text);
	for (int i = 0, col = p->name + GAP; i < p->n; i++) {
		const struct column *c = &fleet_table(v->kind)->columns[p->cols[i]];
		struct value val;
		fleet_value(f, v->kind, p->cols[i], row, &val);
		value_format(text, sizeof text, &val);
		st = cell_style(v, f, row, c, &val);
		st = selected && st != STYLE_BAD ? STYLE_SELECTED : st;
		if (c->left)
			draw_cut(to, y, col, p->width[i], st, text);
		else
			screen_right(to, y, col, p->width[i], st, text);
		col += p->width[i] + GAP;
	}
}

static void draw_title_line(const struct fleet_view *v, const struct fleet *f, struct screen *to)
{
	char text[200], where[80];
	const struct fleet_list *l = &v->lists[v->kind];
	size_t all = fleet_count(f, v->kind), last = l->top + (size_t)max_of(v->page, 0);
	int col = screen_text(to, 0, 0, to->cols, STYLE_TITLE, "vmtop fleet");
	snprintf(text, sizeof text, " · %zu host%s · %zu VM%s · every %g s", f->n_hosts, text_s(f->n_hosts),
		f->n_vms, text_s(f->n_vms), v->delay_s);
	last = min_of(last, l->n);
	int n = v->has_filter ? snprintf(where, sizeof where, "FILTER %zu of %zu ", l->n, all) : 0;
	where[n] = '\0';
	if (l->n > (size_t)max_of(v->page, 0) && l->n)
		snprintf(where + n, sizeof where - (size_t)n, "%zu-%zu of %zu", l->top + 1, last, l->n);
	int right = screen_columns(to, where);
	draw_cut(to, 0, col, to->cols - col - (right ? right + 1 : 0), STYLE_DIM, text);
	if (right && right < to->cols - col)
		screen_right(to, 0, to->cols - right, right, v->has_filter ? STYLE_WARN : STYLE_DIM, where);
}

/* A word for the user, else what is wrong. */
static void draw_alert(const struct fleet_view *v, const struct fleet *f, struct screen *to, int row)
{
	char text[400], safe[800];
	bool moves = fleet_moves_line(v, text, sizeof text);
	if (!moves)
		fleet_alerts(f, text, sizeof text);
	const char *word = v->message[0] ? v->message : f->trouble[0] && !moves ? f->trouble : text;
	text_safe(safe, sizeof safe, word);
	draw_cut(to, row, 0, to->cols, v->message[0] || moves ? STYLE_WARN : STYLE_BAD, safe);
}

/* What runs unattended is seen at any time. */
static void draw_auto(const struct fleet_view *v, struct screen *to, int row)
{
	char text[FLEET_SAID_LINE + 16];
	if (fleet_auto_line(v, text, sizeof text))
		draw_cut(to, row, 0, to->cols, STYLE_TITLE, text);
}

static void draw_empty(const struct fleet_view *v, const struct fleet *f, struct screen *to, int row)
{
	const struct fleet_table *t = fleet_table(v->kind);
	char filter[200];
	text_safe(filter, sizeof filter, v->filter);
	if (fleet_count(f, v->kind))
		screen_printf(to, row, 1, to->cols - 1, STYLE_DIM, "no %s matches %s (\\ changes it)",
			t->word, filter);
	else
		screen_printf(to, row, 1, to->cols - 1, STYLE_DIM, "no %s yet", t->word);
}

void fleet_view_draw(struct fleet_view *v, const struct fleet *f, struct screen *to)
{
	const struct key_row *keys[FOOTER_MOST];
	struct fleet_list *l = &v->lists[v->kind];
	struct layout p;
	int footer = to->rows >= ROWS_WITH_KEYS, y = 0, title = to->rows >= ROWS_WITH_KEYS - 1;
	int alert = to->rows >= ROWS_WITH_ALERT, head = to->rows >= ROWS_WITH_HEAD;
	v->now_ns = f->now_ns;
	int unattended = v->said && to->rows >= ROWS_WITH_AUTO;
	v->first_row = title + alert + unattended + head;
	v->page = to->rows - v->first_row - footer;
	if (l->top + (size_t)v->page > l->n)
		l->top = l->n > (size_t)v->page ? l->n - (size_t)v->page : 0;
	if (l->at < l->top || l->at >= l->top + (size_t)v->page)
		l->top = l->at < l->top ? l->at : l->at - (size_t)v->page + 1;
	if (title)
		draw_title_line(v, f, to);
	y += title;
	if (alert)
		draw_alert(v, f, to, y);
	y += alert;
	if (unattended)
		draw_auto(v, to, y);
	choose(v, to->cols, name_width(v, f, to), &p);
	if (head)
		draw_head(v, &p, to, y + unattended);
	if (!l->n)
		draw_empty(v, f, to, v->first_row);
	for (int i = 0; i < v->page && l->top + (size_t)i < l->n; i++)
		draw_row(v, f, &p, l->top + (size_t)i, to, v->first_row + i);
	if (footer)
		footer_keys_draw(to, keys, (int)key_footer(IN_FLEET, 0, true, keys, FOOTER_MOST), NULL);
}

/* ---- over it ---- */

static int help_text(const struct fleet_view *v, struct sheet *h)
{
	const struct fleet_table *t = fleet_table(v->kind);
	h->n = 0;
	sheet_add(h, NULL,
		"A row a host, the one that needs somebody most on top: LOST, LATE, memory hard, then by how "
		"much its worst VM suffers. Numbers of a host that does not answer are of before; AGE says "
		"how old. Nothing is changed from here but by y in a plan (v).",
		STYLE_NORMAL);
	sheet_add(h, NULL, "", STYLE_NORMAL);
	for (size_t i = 0; i < key_count(); i++) {
		const struct key_row *k = key_at(i);
		const char *help = strncmp(k->help, "fleet: ", 7) == 0 ? k->help + 7 : k->help;
		if (k->help[0] && k->where & IN_FLEET)
			sheet_add(h, k->name, help, STYLE_NORMAL);
	}
	sheet_add(h, NULL, "", STYLE_NORMAL);
	sheet_add(h, NULL, "Columns (the one that is sorted by is always shown)", STYLE_TITLE);
	for (size_t i = 0; i < t->n; i++)
		sheet_add(h, t->columns[i].head, t->columns[i].help, STYLE_NORMAL);
	return h->n;
}

/* A line each; numbered ones are moves. */
static int plan_text(const struct fleet_view *v, struct sheet *h)
{
	char line[1024];
	h->n = 0;
	for (const char *at = v->plan ? v->plan : "out of memory"; *at; at += *at == '\n') {
		size_t n = strcspn(at, "\n");
		snprintf(line, sizeof line, "%.*s", (int)n, at);
		sheet_add(h, NULL, line, h->n == 0 ? STYLE_TITLE : STYLE_NORMAL);
		at += n;
	}
	return h->n;
}

static bool sheet_over(struct fleet_view *v, struct screen *to, int rows, int cols, int *row, int *col)
{
	static const struct {
		int (*text)(const struct fleet_view *v, struct sheet *h);
		const char *title, *more;
	} sheets[] = {
		[FLEET_OVER_HELP] = {help_text, "Help: fleet", " Up Down scroll · other keys close "},
		[FLEET_OVER_PLAN] = {plan_text, "Plan: moves between hosts",
			" Up Down scroll · other keys close "},
		[FLEET_OVER_AUTO] = {fleet_auto_text, "Unattended moves, by Pacemaker",
			" Up Down scroll · other keys close "},
		[FLEET_OVER_MOVES] = {fleet_moves_text, "Moves between hosts", " Up Down scroll "},
	};
	struct sheet count = {.measure = to, .keys = HELP_KEYS, .cols = min_of(cols, HELP_WIDTH)};
	int n = sheets[v->over].text(v, &count);
	if (!overlay_box(to, rows, cols, n + 2, HELP_WIDTH, row, col))
		return false;
	int page = to->rows - 2;
	v->over_row = v->over_row + page > n ? (n > page ? n - page : 0) : v->over_row;
	draw_frame(to, sheets[v->over].title);
	struct sheet h = {.to = to, .measure = to, .keys = HELP_KEYS, .cols = to->cols, .top = v->over_row};
	sheets[v->over].text(v, &h);
	if (n > page)
		screen_right(to, to->rows - 1, 0, to->cols - 2, STYLE_DIM, sheets[v->over].more);
	return true;
}

static bool sort_over(struct fleet_view *v, struct screen *to, int rows, int cols, int *row, int *col)
{
	const struct fleet_table *t = fleet_table(v->kind);
	if (!overlay_box(to, rows - 2 > 3 ? rows - 2 : rows, cols, (int)t->n + 2, LIST_LINE, row, col))
		return false;
	draw_frame(to, "Sort by");
	int page = to->rows - 2;
	v->over_top = v->over_row < v->over_top           ? v->over_row
		      : v->over_row >= v->over_top + page ? v->over_row - page + 1
							  : v->over_top;
	for (int i = 0; i < page && v->over_top + i < (int)t->n; i++) {
		int at = v->over_top + i;
		list_row(to, 1 + i, at == v->over_row, v->lists[v->kind].sort == at, t->columns[at].head,
			t->columns[at].help);
	}
	screen_right(to, to->rows - 1, 0, to->cols - 2, STYLE_DIM, " Enter sorts · Esc closes ");
	return true;
}

bool fleet_view_overlay(struct fleet_view *v, struct screen *to, int rows, int cols, int *row, int *col)
{
	if (v->over >= FLEET_OVER_HELP && v->over <= FLEET_OVER_MOVES)
		return sheet_over(v, to, rows, cols, row, col);
	if (v->over == FLEET_OVER_SORT)
		return sort_over(v, to, rows, cols, row, col);
	if (v->over == FLEET_OVER_NONE || screen_resize(to, 1, cols) < 0)
		return false;
	*row = rows - 1;
	*col = 0;
	typed_draw(to, v->over == FLEET_OVER_FILTER ? "Filter (empty: all): " : "Search: ", &v->line);
	return true;
}
