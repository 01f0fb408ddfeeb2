/* SPDX-License-Identifier: MIT */
/* The pin map: a row a vCPU, a column a pCPU. Invariant: heads stay in place while it scrolls both ways, and
 * its title says which part is shown. */
#include <stdio.h>
#include <string.h>

#include "view_private.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

enum { NAMES = 18, IDS = 4, NUMBERS = 16 }; /* columns of a name's vCPU, and of use and wait */

struct map {
	int name, cell, head; /* columns of the row heads and of a cell; rows of the column heads */
	int cols, rows;       /* cells shown */
	int numbers;          /* where use and wait stand, 0: no room */
	size_t total;         /* vCPUs */
};

static size_t map_total(const struct view *v, const struct snapshot *s)
{
	size_t n = 0;
	for (size_t i = 0; i < v->n_rows; i++)
		n += s->sample.vms[v->names[i]].n_vcpus;
	return n;
}

/* Row of the selected vCPU; that of the VM's first when the vCPU is gone. */
static size_t map_row(const struct view *v, const struct snapshot *s)
{
	size_t n = 0;
	for (size_t i = 0; i < v->n_rows; i++) {
		const struct vm_sample *m = &s->sample.vms[v->names[i]];
		if (v->has_sel && !uuid_compare(m->uuid, v->sel)) {
			for (size_t k = 0; k < m->n_vcpus; k++)
				if (s->sample.vcpus[m->first_vcpu + k].id == v->map.vcpu)
					return n + k;
			return n;
		}
		n += m->n_vcpus;
	}
	return 0;
}

static int label_width(const struct view *v)
{
	int w = 1;
	for (size_t i = 0; i < v->units.n; i++)
		w = max_of((int)strlen(v->units.list[i].label), w);
	return w;
}

/* What nothing else takes goes to names that are cut: of so many columns to spare, those that they need. */
static int more_for_names(
	const struct view *v, const struct snapshot *s, const struct screen *to, int have, int spare)
{
	int want = have;
	for (size_t i = 0; i < v->n_rows && spare > 0; i++) {
		char name[VM_NAME_BYTES * 4];
		text_escape(name, sizeof name, s->sample.vms[v->names[i]].name);
		int n = draw_columns(to, name) + IDS;
		want = max_of(n, want);
	}
	return clamp(spare, 0, want - have);
}

static void map_measure(const struct view *v, const struct snapshot *s, const struct screen *to,
	struct rect at, struct map *m)
{
	int labels = label_width(v), n = (int)v->units.n;
	m->name = min_of(at.cols / 3, NAMES);
	int room = at.cols - m->name - 1;
	m->cell = n * 3 <= room && labels <= 2 ? 3 : n * 2 <= room ? 2 : 1;
	m->head = labels < m->cell ? 1 : labels;
	if (m->head > 1 && at.rows - 1 - m->head < 3)
		m->head = 0; /* no room for heads of several rows */
	m->cols = room / m->cell;
	m->cols = min_of(m->cols, n);
	m->name += more_for_names(v, s, to, m->name, at.cols - (m->name + 1 + m->cols * m->cell) - NUMBERS);
	int end = m->name + 1 + m->cols * m->cell;
	m->numbers = at.cols - end >= NUMBERS ? end + 1 : 0;
	m->rows = at.rows - 1 - m->head - (at.rows >= 9);
	m->rows = max_of(m->rows, 0);
	m->total = map_total(v, s);
}

int map_cols(const struct view *v, const struct snapshot *s, const struct screen *to, int cols, int beside)
{
	int cell = label_width(v) <= 2 ? 3 : 2, want = NAMES + 1 + (int)v->units.n * cell + NUMBERS + 1;
	want += more_for_names(v, s, to, NAMES, cols - beside - want);
	return min_of(want, cols);
}

static size_t scroll_to(size_t top, size_t want, int page, size_t total)
{
	if (page < 1 || total <= (size_t)page)
		return 0;
	if (want < top)
		top = want;
	if (want >= top + (size_t)page)
		top = want - (size_t)page + 1;
	return top + (size_t)page > total ? total - (size_t)page : top;
}

static void draw_heads(const struct view *v, const struct map *m, struct screen *to, struct rect at)
{
	if (m->numbers && m->head)
		screen_text(to, at.row + m->head, at.col + m->numbers, 14, STYLE_DIM, "  USE%  WAIT%");
	for (int i = 0; i < m->cols; i++) {
		const struct unit *u = &v->units.list[v->map.left + (size_t)i];
		int col = at.col + m->name + 1 + i * m->cell, len = (int)strlen(u->label);
		enum style st = cpuset_has(&u->cpus, v->map.cpu) ? STYLE_SORTED : STYLE_DIM;
		if (m->head == 1 && len < m->cell)
			screen_text(to, at.row + 1, col, m->cell, st, u->label);
		for (int r = 0; m->head >= len && (m->head > 1 || m->cell == 1) && r < len; r++)
			screen_fill(
				to, at.row + 1 + m->head - len + r, col, 1, st, (unsigned char)u->label[r]);
	}
}

/* Where a plan puts it: staged by hand, or a preview of the engine. NULL: nowhere new. */
static const struct cpuset *ghost_of(
	const struct view *v, const struct snapshot *s, const struct vm_sample *m, size_t vcpu)
{
	const struct staged *g = edit_find(&v->editor, m->uuid, s->sample.vcpus[vcpu].id);
	if (g)
		return &g->to;
	return s->preview && s->vcpu_status[vcpu].ghost ? &s->vcpu_status[vcpu].ghost_to : NULL;
}

static void draw_cell(const struct unit *u, const struct vcpu_sample *c, const struct cpuset *ghost,
	struct screen *to, int row, int col)
{
	bool known = c->affinity_avail == AVAIL_OK;
	bool here = vi64_has(c->pcpu) && cpuset_has(&u->cpus, (int)c->pcpu.v);
	bool pin = known && c->pinned && cpuset_intersects(&c->affinity, &u->cpus);
	bool may = cpuset_intersects(&c->allowed, &u->cpus) && u->online && !u->isolated;
	enum glyph g = pin && here ? GLYPH_PIN_HERE : pin ? GLYPH_PINNED : here ? GLYPH_HERE : GLYPH_ALLOWED;
	enum style st = here ? STYLE_HERE : pin ? STYLE_PIN : STYLE_ALLOWED;
	if (ghost && cpuset_intersects(ghost, &u->cpus))
		g = GLYPH_GHOST, st = STYLE_GHOST;
	else if (ghost && pin)
		st = STYLE_DIM;
	if (g != GLYPH_ALLOWED || may)
		screen_fill(to, row, col, 1, st, draw_glyph(to, g));
}

/* What it uses and how long it waits, where the map leaves room. */
static void draw_numbers(const struct vcpu_rate *r, struct screen *to, int row, int col)
{
	bool use = vf64_has(r->usage_pct), wait = vf64_has(r->wait_pct);
	if (use)
		screen_printf(to, row, col, 7, draw_load_style(r->usage_pct.v), "%6.1f", r->usage_pct.v);
	if (wait)
		screen_printf(to, row, col + 7, 7, draw_waits(r->wait_pct) ? STYLE_WAIT : STYLE_DIM, "%6.1f",
			r->wait_pct.v);
}

static void draw_row(const struct view *v, const struct snapshot *s, const struct map *m, size_t vm, size_t k,
	bool first, struct screen *to, struct rect at)
{
	const struct vm_sample *x = &s->sample.vms[vm];
	size_t vcpu = x->first_vcpu + k;
	const struct vcpu_sample *c = &s->sample.vcpus[vcpu];
	bool mine = v->has_sel && !uuid_compare(x->uuid, v->sel);
	bool cursor = mine && c->id == v->map.vcpu && view_focus(v) == FOCUS_MAP;
	char name[1400], id[16];
	snprintf(id, sizeof id, "%d", c->id);
	int ids = max_of((int)strlen(id), 3);
	enum style st = cursor ? STYLE_SELECTED : mine ? STYLE_BOLD : STYLE_NORMAL;
	if (cursor)
		screen_fill(to, at.row, at.col, m->name, STYLE_SELECTED, ' ');
	text_escape(name, sizeof name, x->name);
	if (first || cursor)
		draw_name(to, at.row, at.col + 1, m->name - 1 - ids, st, name);
	screen_right(to, at.row, at.col + m->name - ids, ids, cursor ? st : STYLE_DIM, id);
	if (m->numbers)
		draw_numbers(&s->vcpu_rates[vcpu], to, at.row, at.col + m->numbers);
	const struct cpuset *ghost = ghost_of(v, s, x, vcpu);
	for (int i = 0; i < m->cols; i++) {
		const struct unit *u = &v->units.list[v->map.left + (size_t)i];
		int col = at.col + m->name + 1 + i * m->cell;
		draw_cell(u, c, ghost, to, at.row, col);
		if (cursor && cpuset_has(&u->cpus, v->map.cpu))
			screen_style(to, at.row, col, 1, STYLE_SELECTED);
	}
}

static void draw_rows(const struct view *v, const struct snapshot *s, const struct map *m, struct screen *to,
	struct rect at)
{
	size_t n = 0;
	int row = 0;
	for (size_t i = 0; i < v->n_rows && row < m->rows; i++) {
		const struct vm_sample *x = &s->sample.vms[v->names[i]];
		for (size_t k = 0; k < x->n_vcpus && row < m->rows; k++, n++) {
			if (n < v->map.top)
				continue;
			draw_row(v, s, m, v->names[i], k, k == 0 || n == v->map.top, to,
				(struct rect){at.row + 1 + m->head + row, at.col, 1, at.cols});
			row++;
		}
	}
}

static void draw_legend(struct screen *to, struct rect at)
{
	static const struct {
		enum glyph g;
		enum style st;
		const char *text;
	} marks[] = {
		{GLYPH_PIN_HERE, STYLE_HERE, "pinned, runs here"},
		{GLYPH_PINNED, STYLE_PIN, "pinned"},
		{GLYPH_HERE, STYLE_HERE, "runs here"},
		{GLYPH_ALLOWED, STYLE_ALLOWED, "may run"},
		{GLYPH_GHOST, STYLE_GHOST, "planned"},
	};
	int col = at.col + 1;
	for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
		int need = 2 + (int)strlen(marks[i].text);
		if (col + need > at.col + at.cols)
			break;
		screen_fill(to, at.row, col, 1, marks[i].st, draw_glyph(to, marks[i].g));
		screen_text(to, at.row, col + 2, need - 2, STYLE_DIM, marks[i].text);
		col += need + 2;
	}
}

static void draw_part(const struct view *v, const struct map *m, struct screen *to, struct rect at)
{
	char title[48], part[120] = "";
	size_t rows = (size_t)m->rows, cols = (size_t)m->cols;
	snprintf(title, sizeof title, v->units.merge == MERGE_NONE ? "Pin map" : "Pin map by %s",
		merge_text(v->units.merge));
	int n = 0;
	if (cols < v->units.n)
		n = snprintf(part, sizeof part, "%ss %zu-%zu of %zu", merge_text(v->units.merge), v->map.left,
			v->map.left + cols - (cols > 0), v->units.n);
	if (v->units.n_hidden && (size_t)n < sizeof part)
		n += snprintf(part + n, sizeof part - (size_t)n, "%s%zu offline hidden", n ? " · " : "",
			v->units.n_hidden);
	if (rows < m->total && (size_t)n < sizeof part)
		snprintf(part + n, sizeof part - (size_t)n, "%svCPUs %zu-%zu of %zu", n ? " · " : "",
			v->map.top + 1, v->map.top + rows, m->total);
	draw_title(to, at, view_focus(v) == FOCUS_MAP, title, part[0] ? part : NULL);
}

void map_draw(struct view *v, const struct snapshot *s, struct screen *to, struct rect at)
{
	struct map m;
	if (at.rows < 3 || at.cols < 12 || !v->units.n)
		return;
	view_sight(v, FOCUS_MAP, at);
	map_measure(v, s, to, at, &m);
	v->hit.cells = (struct rect){at.row + 1 + m.head, at.col + m.name + 1, m.rows, m.cols * m.cell};
	v->hit.cell = m.cell;
	v->map.rows = m.rows;
	v->map.cols = m.cols;
	long unit = units_find(&v->units, v->map.cpu);
	v->map.top = scroll_to(v->map.top, map_row(v, s), m.rows, m.total);
	v->map.left = scroll_to(v->map.left, unit < 0 ? v->map.left : (size_t)unit, m.cols, v->units.n);
	draw_part(v, &m, to, at);
	draw_heads(v, &m, to, at);
	draw_rows(v, s, &m, to, at);
	if (at.rows >= 9)
		draw_legend(to, (struct rect){at.row + at.rows - 1, at.col, 1, at.cols});
}

void map_select(struct view *v, const struct snapshot *s, size_t n)
{
	for (size_t i = 0; i < v->n_rows; i++) {
		const struct vm_sample *m = &s->sample.vms[v->names[i]];
		if (n >= m->n_vcpus) {
			n -= m->n_vcpus;
			continue;
		}
		for (size_t row = 0; row < v->n_rows; row++)
			if (v->rows[row] == v->names[i])
				rows_select(v, s, row);
		v->map.vcpu = s->sample.vcpus[m->first_vcpu + n].id;
		return;
	}
}

const struct vcpu_sample *edit_vcpu(const struct view *v, const struct snapshot *s, size_t *vm)
{
	if (!rows_selected(v, s, vm))
		return NULL;
	const struct vm_sample *m = &s->sample.vms[*vm];
	const struct vcpu_sample *c = sample_vcpu(&s->sample, m, v->map.vcpu);
	if (c || !m->n_vcpus)
		return c;
	return &s->sample.vcpus[m->first_vcpu];
}
