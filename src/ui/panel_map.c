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

static size_t map_total(const struct view *view, const struct snapshot *snap)
{
	size_t n = 0;
	for (size_t i = 0; i < view->n_rows; i++)
		n += snap->sample.vms[view->names[i]].n_vcpus;
	return n;
}

/* Row of the selected vCPU; that of the VM's first when the vCPU is gone. */
static size_t map_row(const struct view *view, const struct snapshot *snap)
{
	size_t n = 0;
	for (size_t i = 0; i < view->n_rows; i++) {
		const struct vm_sample *vm = &snap->sample.vms[view->names[i]];
		if (view->has_sel && !uuid_compare(vm->uuid, view->sel)) {
			for (size_t k = 0; k < vm->n_vcpus; k++)
				if (snap->sample.vcpus[vm->first_vcpu + k].id == view->map.vcpu)
					return n + k;
			return n;
		}
		n += vm->n_vcpus;
	}
	return 0;
}

static int label_width(const struct view *view)
{
	int w = 1;
	for (size_t i = 0; i < view->units.n; i++)
		w = max_of((int)strlen(view->units.list[i].label), w);
	return w;
}

/* What nothing else takes goes to names that are cut: of so many columns to spare, those that they need. */
static int more_for_names(
	const struct view *view, const struct snapshot *snap, const struct screen *scr, int have, int spare)
{
	int want = have;
	for (size_t i = 0; i < view->n_rows && spare > 0; i++) {
		char name[VM_NAME_BYTES * 4];
		text_escape(name, sizeof name, snap->sample.vms[view->names[i]].name);
		int n = draw_columns(scr, name) + IDS;
		want = max_of(n, want);
	}
	return clamp(spare, 0, want - have);
}

static void map_measure(const struct view *view, const struct snapshot *snap, const struct screen *scr,
	struct rect area, struct map *map)
{
	int labels = label_width(view), n = (int)view->units.n;
	map->name = min_of(area.cols / 3, NAMES);
	int room = area.cols - map->name - 1;
	map->cell = n * 3 <= room && labels <= 2 ? 3 : n * 2 <= room ? 2 : 1;
	map->head = labels < map->cell ? 1 : labels;
	if (map->head > 1 && area.rows - 1 - map->head < 3)
		map->head = 0; /* no room for heads of several rows */
	map->cols = room / map->cell;
	map->cols = min_of(map->cols, n);
	map->name += more_for_names(
		view, snap, scr, map->name, area.cols - (map->name + 1 + map->cols * map->cell) - NUMBERS);
	int end = map->name + 1 + map->cols * map->cell;
	map->numbers = area.cols - end >= NUMBERS ? end + 1 : 0;
	map->rows = area.rows - 1 - map->head - (area.rows >= 9);
	map->rows = max_of(map->rows, 0);
	map->total = map_total(view, snap);
}

int map_cols(
	const struct view *view, const struct snapshot *snap, const struct screen *scr, int cols, int beside)
{
	int cell = label_width(view) <= 2 ? 3 : 2, want = NAMES + 1 + (int)view->units.n * cell + NUMBERS + 1;
	want += more_for_names(view, snap, scr, NAMES, cols - beside - want);
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

static void draw_heads(const struct view *view, const struct map *map, struct screen *scr, struct rect area)
{
	if (map->numbers && map->head)
		screen_text(
			scr, area.row + map->head, area.col + map->numbers, 14, STYLE_DIM, "  USE%  WAIT%");
	for (int i = 0; i < map->cols; i++) {
		const struct unit *unit = &view->units.list[view->map.left + (size_t)i];
		int col = area.col + map->name + 1 + i * map->cell, len = (int)strlen(unit->label);
		enum style style = cpuset_has(&unit->cpus, view->map.cpu) ? STYLE_SORTED : STYLE_DIM;
		if (map->head == 1 && len < map->cell)
			screen_text(scr, area.row + 1, col, map->cell, style, unit->label);
		for (int r = 0; map->head >= len && (map->head > 1 || map->cell == 1) && r < len; r++)
			screen_fill(scr, area.row + 1 + map->head - len + r, col, 1, style,
				(unsigned char)unit->label[r]);
	}
}

/* Where a plan puts it: staged by hand, or a preview of the engine. NULL: nowhere new. */
static const struct cpuset *ghost_of(
	const struct view *view, const struct snapshot *snap, const struct vm_sample *vm, size_t vcpu)
{
	const struct staged *staged = edit_find(&view->editor, vm->uuid, snap->sample.vcpus[vcpu].id);
	if (staged)
		return &staged->to;
	return snap->preview && snap->vcpu_status[vcpu].ghost ? &snap->vcpu_status[vcpu].ghost_to : NULL;
}

static void draw_cell(const struct unit *unit, const struct vcpu_sample *vcpu, const struct cpuset *ghost,
	struct screen *scr, int row, int col)
{
	bool known = vcpu->affinity_avail == AVAIL_OK;
	bool here = vi64_has(vcpu->pcpu) && cpuset_has(&unit->cpus, (int)vcpu->pcpu.v);
	bool pin = known && vcpu->pinned && cpuset_intersects(&vcpu->affinity, &unit->cpus);
	bool may = cpuset_intersects(&vcpu->allowed, &unit->cpus) && unit->online && !unit->isolated;
	enum glyph glyph = pin && here ? GLYPH_PIN_HERE
			   : pin       ? GLYPH_PINNED
			   : here      ? GLYPH_HERE
				       : GLYPH_ALLOWED;
	enum style style = here ? STYLE_HERE : pin ? STYLE_PIN : STYLE_ALLOWED;
	if (ghost && cpuset_intersects(ghost, &unit->cpus))
		glyph = GLYPH_GHOST, style = STYLE_GHOST;
	else if (ghost && pin)
		style = STYLE_DIM;
	if (glyph != GLYPH_ALLOWED || may)
		screen_fill(scr, row, col, 1, style, draw_glyph(scr, glyph));
}

/* What it uses and how long it waits, where the map leaves room. */
static void draw_numbers(const struct vcpu_rate *rate, struct screen *scr, int row, int col)
{
	bool use = vf64_has(rate->usage_pct), wait = vf64_has(rate->wait_pct);
	if (use)
		screen_printf(
			scr, row, col, 7, draw_load_style(rate->usage_pct.v), "%6.1f", rate->usage_pct.v);
	if (wait)
		screen_printf(scr, row, col + 7, 7, draw_waits(rate->wait_pct) ? STYLE_WAIT : STYLE_DIM,
			"%6.1f", rate->wait_pct.v);
}

static void draw_row(const struct view *view, const struct snapshot *snap, const struct map *map, size_t vm,
	size_t k, bool first, struct screen *scr, struct rect area)
{
	const struct vm_sample *sample = &snap->sample.vms[vm];
	size_t vcpu = sample->first_vcpu + k;
	const struct vcpu_sample *c = &snap->sample.vcpus[vcpu];
	bool mine = view->has_sel && !uuid_compare(sample->uuid, view->sel);
	bool cursor = mine && c->id == view->map.vcpu && view_focus(view) == FOCUS_MAP;
	char name[1400], id[16];
	snprintf(id, sizeof id, "%d", c->id);
	int ids = max_of((int)strlen(id), 3);
	enum style style = cursor ? STYLE_SELECTED : mine ? STYLE_BOLD : STYLE_NORMAL;
	if (cursor)
		screen_fill(scr, area.row, area.col, map->name, STYLE_SELECTED, ' ');
	text_escape(name, sizeof name, sample->name);
	if (first || cursor)
		draw_name(scr, area.row, area.col + 1, map->name - 1 - ids, style, name);
	screen_right(scr, area.row, area.col + map->name - ids, ids, cursor ? style : STYLE_DIM, id);
	if (map->numbers)
		draw_numbers(&snap->vcpu_rates[vcpu], scr, area.row, area.col + map->numbers);
	const struct cpuset *ghost = ghost_of(view, snap, sample, vcpu);
	for (int i = 0; i < map->cols; i++) {
		const struct unit *unit = &view->units.list[view->map.left + (size_t)i];
		int col = area.col + map->name + 1 + i * map->cell;
		draw_cell(unit, c, ghost, scr, area.row, col);
		if (cursor && cpuset_has(&unit->cpus, view->map.cpu))
			screen_style(scr, area.row, col, 1, STYLE_SELECTED);
	}
}

static void draw_rows(const struct view *view, const struct snapshot *snap, const struct map *map,
	struct screen *scr, struct rect area)
{
	size_t n = 0;
	int row = 0;
	for (size_t i = 0; i < view->n_rows && row < map->rows; i++) {
		const struct vm_sample *sample = &snap->sample.vms[view->names[i]];
		for (size_t k = 0; k < sample->n_vcpus && row < map->rows; k++, n++) {
			if (n < view->map.top)
				continue;
			draw_row(view, snap, map, view->names[i], k, k == 0 || n == view->map.top, scr,
				(struct rect){area.row + 1 + map->head + row, area.col, 1, area.cols});
			row++;
		}
	}
}

static void draw_legend(struct screen *scr, struct rect area)
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
	int col = area.col + 1;
	for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
		int need = 2 + (int)strlen(marks[i].text);
		if (col + need > area.col + area.cols)
			break;
		screen_fill(scr, area.row, col, 1, marks[i].st, draw_glyph(scr, marks[i].g));
		screen_text(scr, area.row, col + 2, need - 2, STYLE_DIM, marks[i].text);
		col += need + 2;
	}
}

static void draw_part(const struct view *view, const struct map *map, struct screen *scr, struct rect area)
{
	char title[48], part[120] = "";
	size_t rows = (size_t)map->rows, cols = (size_t)map->cols;
	snprintf(title, sizeof title, view->units.merge == MERGE_NONE ? "Pin map" : "Pin map by %s",
		merge_text(view->units.merge));
	int n = 0;
	if (cols < view->units.n)
		n = snprintf(part, sizeof part, "%ss %zu-%zu of %zu", merge_text(view->units.merge),
			view->map.left, view->map.left + cols - (cols > 0), view->units.n);
	if (view->units.n_hidden && (size_t)n < sizeof part)
		n += snprintf(part + n, sizeof part - (size_t)n, "%s%zu offline hidden", text_if(n, " · "),
			view->units.n_hidden);
	if (rows < map->total && (size_t)n < sizeof part)
		snprintf(part + n, sizeof part - (size_t)n, "%svCPUs %zu-%zu of %zu", text_if(n, " · "),
			view->map.top + 1, view->map.top + rows, map->total);
	draw_title(scr, area, view_focus(view) == FOCUS_MAP, title, text_or(part, NULL));
}

void map_draw(struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area)
{
	struct map map;
	if (area.rows < 3 || area.cols < 12 || !view->units.n)
		return;
	view_sight(view, FOCUS_MAP, area);
	map_measure(view, snap, scr, area, &map);
	view->hit.cells = (struct rect){
		area.row + 1 + map.head, area.col + map.name + 1, map.rows, map.cols * map.cell};
	view->hit.cell = map.cell;
	view->map.rows = map.rows;
	view->map.cols = map.cols;
	long unit = units_find(&view->units, view->map.cpu);
	view->map.top = scroll_to(view->map.top, map_row(view, snap), map.rows, map.total);
	view->map.left =
		scroll_to(view->map.left, unit < 0 ? view->map.left : (size_t)unit, map.cols, view->units.n);
	draw_part(view, &map, scr, area);
	draw_heads(view, &map, scr, area);
	draw_rows(view, snap, &map, scr, area);
	if (area.rows >= 9)
		draw_legend(scr, (struct rect){area.row + area.rows - 1, area.col, 1, area.cols});
}

void map_select(struct view *view, const struct snapshot *snap, size_t n)
{
	for (size_t i = 0; i < view->n_rows; i++) {
		const struct vm_sample *vm = &snap->sample.vms[view->names[i]];
		if (n >= vm->n_vcpus) {
			n -= vm->n_vcpus;
			continue;
		}
		for (size_t row = 0; row < view->n_rows; row++)
			if (view->rows[row] == view->names[i])
				rows_select(view, snap, row);
		view->map.vcpu = snap->sample.vcpus[vm->first_vcpu + n].id;
		return;
	}
}
