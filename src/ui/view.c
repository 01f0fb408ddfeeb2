/* SPDX-License-Identifier: MIT */
/* The view: which panels stand where. Invariant: drawing changes nothing but scroll positions, never reads a
 * clock and keeps no pointer to the snapshot. Keys are in view_keys.c. */
#include "vmtop/view.h"
#include "vmtop/minmax.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view_private.h"
#include "vmtop/text.h"

static bool view_alloc(struct view *view)
{
	view->marks = calloc(MARKS_MAX, sizeof *view->marks);
	view->editor.staged = calloc(STAGED_MAX, sizeof *view->editor.staged);
	view->queue = calloc(QUEUE_MAX, sizeof *view->queue);
	view->layouts = calloc(CFG_LAYOUTS, sizeof *view->layouts);
	return view->marks && view->editor.staged && view->queue && view->layouts;
}

struct view *view_new(const struct config *cfg)
{
	struct view *view = calloc(1, sizeof *view);
	if (!view || !view_alloc(view)) {
		view_free(view);
		return NULL;
	}
	view->delay_s = cfg->delay_s;
	view->yes = cfg->yes;
	view->esc_quits = cfg->esc_quits;
	view->memory.sort = column_find("balloon");
	view->on_exit = cfg->on_exit;
	if (cfg->show_patterns && cfg->n_patterns) {
		view->patterns = calloc(cfg->n_patterns, sizeof *view->patterns);
		view->n_patterns = view->patterns ? cfg->n_patterns : 0;
		if (view->patterns)
			memcpy(view->patterns, cfg->patterns, cfg->n_patterns * sizeof *view->patterns);
	}
	view->map.cpu = -1;
	view->setup.granularity = cfg->granularity;
	view->setup.cpu_policy = (int)cfg->cpu_policy;
	view->setup.mem_policy = (int)cfg->mem_policy;
	view->hosts = strdup(cfg->fleet_hosts);
	view_take(view, cfg, NULL);
	view->n_layouts = cfg->n_layouts;
	memcpy(view->layouts, cfg->layouts, cfg->n_layouts * sizeof *view->layouts);
	if (cfg->layout[0])
		line_layout(view, cfg->layout);
	return view;
}

void view_free(struct view *view)
{
	if (!view)
		return;
	if (view->has_filter)
		regfree(&view->filter_re);
	if (view->has_search)
		regfree(&view->search_re);
	history_done(&view->hist);
	tape_free(view->back.tape);
	snapshot_free(view->back.shown);
	free(view->back.log);
	free(view->hosts);
	free(view->layouts);
	free(view->patterns);
	free(view->rows);
	free(view->names);
	free(view->keys);
	free(view->marks);
	free(view->units.list);
	free(view->plan.list);
	free(view->editor.staged);
	free(view->queue);
	free(view);
}

void view_feed(struct view *view, const struct snapshot *snap)
{
	view_receive(view, snap);
	view_keep(view, snap);
}

void view_receive(struct view *view, const struct snapshot *snap)
{
	view->delay_s = snap->delay_s;
	view->steers = !snap->readonly;
	view->n_asked += snap->preview && !view->previewing;
	plan_feed(view, snap);
	view->previewing = snap->preview;
	past_events(&view->back, snap);
	for (const struct snapshot *before = snap->run_up; before; before = before->next)
		history_feed(&view->hist, before);
	uint64_t points = view->hist.count;
	history_feed(&view->hist, snap);
	if (view->back.shown) { /* it stays where it is */
		view->hist.back += view->hist.count > points;
		return;
	}
	if (view->over.kind != OVER_SETUP) {
		view->setup.cpu_policy = (int)snap->cpu_policy;
		view->setup.mem_policy = (int)snap->mem_policy;
	}
	view->rows_stale = true;
	rows_unmark_gone(view, snap);
	rows_update(view, snap);
	units_update(&view->units, snap);
	if (view->map.cpu >= 0 && units_find(&view->units, view->map.cpu) < 0)
		view->map.cpu = -1;
}

bool view_typing(const struct view *view)
{
	return view->over.kind == OVER_PROMPT;
}

bool view_paused(const struct view *view)
{
	return view->paused;
}

enum { GRAPHS_MOST = 12 }; /* rows of the host's graphs, unless room is left over */

/* Of the memory above the log: by the room alone, so that no word moves a row. */
static int memory_rows(const struct snapshot *snap, int rows)
{
	enum { LEAST = 11, SHORT = 6, ROOMY = 18, WHOLE = 7, NODES_MOST = 4 };
	int nodes = snap->sample.host.n_nodes > 1 ? (int)snap->sample.host.n_nodes : 0;
	if (rows < ROOMY)
		return rows >= LEAST ? SHORT : 0;
	return WHOLE + min_of(nodes, NODES_MOST);
}

/* The selected VM, -1: none. */
static long chosen(const struct view *view, const struct snapshot *snap)
{
	size_t vm;
	return rows_selected(view, snap, &vm) ? (long)vm : -1;
}

/* Pin map, memory and log side by side or stacked, whatever the room allows. */
static void draw_lower(struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area)
{
	view->sight |= 1U << FOCUS_MAP | 1U << FOCUS_LOG; /* where there is room for one, Tab changes it */
	if (area.cols < 60) {
		if (view_focus(view) == FOCUS_MAP)
			map_draw(view, snap, scr, area);
		else
			log_draw(view, snap, scr, area, NULL);
		return;
	}
	int want = 19 + (int)view->units.n * 3, map = area.cols * 2 / 5;
	if (map > want)
		map = max_of(want, 36);
	int right = area.cols - map - 2, memory = memory_rows(snap, area.rows);
	struct rect side = {area.row, area.col + map + 2, area.rows, right};
	map_draw(view, snap, scr, (struct rect){area.row, area.col, area.rows, map});
	if (right >= 130) { /* three side by side */
		int half = right / 2 - 1;
		memory_draw(
			snap, scr, (struct rect){side.row, side.col, side.rows, half}, chosen(view, snap));
		log_draw(view, snap, scr,
			(struct rect){side.row, side.col + half + 2, side.rows, right - half - 2}, NULL);
		return;
	}
	if (memory)
		memory_draw(snap, scr, (struct rect){side.row, side.col, memory, right}, chosen(view, snap));
	log_draw(
		view, snap, scr, (struct rect){side.row + memory, side.col, side.rows - memory, right}, NULL);
}

/* Rows that the pin map can fill, and the memory beside it. */
static int lower_want(const struct view *view, const struct snapshot *snap)
{
	int n = 5, memory = 10 + (int)snap->sample.host.n_nodes;
	for (size_t i = 0; i < view->n_rows && n < 200; i++)
		n += (int)snap->sample.vms[view->rows[i]].n_vcpus;
	return max_of(n, memory);
}

/* What the lower panels leave of `rows`: for graphs of the host, and below them why the selected VM is as it
 * is, with its graphs. By what there is, not by what is said, so that nothing moves when something is. */
static void share_rows(const struct view *view, const struct snapshot *snap, int rows, int *host, int *guest)
{
	int spare = rows - lower_want(view, snap);
	*host = rows >= 2 * GRAPHS_MOST ? GRAPHS_MOST : 0;
	*guest = *host && spare - *host >= 10 ? spare - *host : 0;
	if (*guest > GRAPHS_MOST) {
		*host += (*guest - GRAPHS_MOST) / 2;
		*guest -= (*guest - GRAPHS_MOST) / 2;
	}
}

static void draw_guest(
	const struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area)
{
	size_t vm;
	int why = area.cols >= 120 ? (area.cols + 2) / 3 : 0;
	if (!rows_selected(view, snap, &vm))
		return;
	if (why)
		why_body(snap, vm, false, scr, (struct rect){area.row, area.col, area.rows, why - 2});
	vm_graphs_draw(
		view, snap, vm, scr, (struct rect){area.row, area.col + why, area.rows, area.cols - why});
}

static void draw_overview(
	struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area)
{
	if (view->tall) {
		table_draw(view, snap, scr, area);
		return;
	}
	int cpus = area.rows >= 6
			   ? pcpus_rows(&view->units, area.cols, max_of(area.rows / 5, 1), area.rows / 4)
			   : 0;
	if (cpus) {
		pcpus_draw(&view->units, snap, scr, (struct rect){area.row, area.col, cpus, area.cols},
			chosen(view, snap));
		area.row += cpus;
		area.rows -= cpus;
	}
	int want = table_rows(view), lower = 0, host = 0, guest = 0;
	if (area.rows >= 12) {
		lower = area.rows - want - 1;
		int least = area.rows / 3, most = area.rows - 5;
		lower = clamp(lower, least, most);
	}
	table_draw(view, snap, scr, (struct rect){area.row, area.col, area.rows - lower, area.cols});
	share_rows(view, snap, lower, &host, &guest);
	int top = area.row + area.rows - lower;
	if (host)
		host_graphs_draw(view, snap, scr, (struct rect){top, area.col, host, area.cols});
	if (guest)
		draw_guest(view, snap, scr, (struct rect){top + host, area.col, guest, area.cols});
	top += host + guest;
	if (lower)
		draw_lower(view, snap, scr, (struct rect){top, area.col, lower - host - guest, area.cols});
}

/* "pCPU 3 · node 0 · 93 % busy · 140 % wanted · on it now: db1/0 web1/2 and 3 more" */
static void unit_text(
	const struct view *view, const struct snapshot *snap, char *buf, size_t len, size_t most)
{
	const struct unit *unit = &view->units.list[units_find(&view->units, view->map.cpu)];
	size_t n = (size_t)snprintf(
		buf, len, "%s %s · node %d · ", merge_text(view->units.merge), unit->label, unit->node);
	if (vf64_has(unit->busy_pct))
		n += (size_t)snprintf(buf + n, len - n, "%.0f %% busy · ", unit->busy_pct.v);
	if (vf64_has(unit->demand_pct))
		n += (size_t)snprintf(buf + n, len - n, "%.0f %% wanted · ", unit->demand_pct.v);
	size_t on = 0, told = 0;
	for (size_t vm = 0; vm < snap->sample.n_vms; vm++) {
		const struct vm_sample *m = &snap->sample.vms[vm];
		for (size_t k = 0; k < m->n_vcpus; k++) {
			const struct vcpu_sample *vcpu = &snap->sample.vcpus[m->first_vcpu + k];
			if (!vi64_has(vcpu->pcpu) || !cpuset_has(&unit->cpus, (int)vcpu->pcpu.v))
				continue;
			char name[64];
			text_escape(name, sizeof name, m->name);
			if (told == on++ && n + strlen(name) + 30 <= most)
				n += (size_t)snprintf(buf + n, len - n, "%s%s/%d",
					told++ ? " " : "on it now: ", name, vcpu->id);
		}
	}
	if (!on)
		snprintf(buf + n, len - n, "no vCPU on it now");
	else if (on > told)
		snprintf(buf + n, len - n, "%s and %zu more", text_if(!told, "on it now:"), on - told);
}

static void draw_unit_line(
	const struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area)
{
	char text[800];
	if (units_find(&view->units, view->map.cpu) < 0) {
		draw_cut(scr, area.row, area.col, area.cols, STYLE_DIM,
			"Left and Right choose a pCPU and tell who is on it");
		return;
	}
	size_t room = (size_t)area.rows * (size_t)area.cols;
	unit_text(view, snap, text, sizeof text, min_of(room, sizeof text - 64));
	draw_wrapped(scr, area, STYLE_NORMAL, text);
}

enum { LOG_MIN = 60, LOG_LEAST = 10 }; /* columns of a log beside the map, rows of one below graphs */

/* The strip may have as many rows as it needs for a cell a pCPU, as long as the map keeps half. */
static void draw_pcpus(struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area)
{
	if (view->tall) {
		map_draw(view, snap, scr, area);
		return;
	}
	int most = max_of(area.rows * 2 / 5, 1);
	if (view->editor.on && area.rows - most < 4)
		most = 0;
	int cpus = most ? pcpus_rows(&view->units, area.cols, most, area.rows / 2) : 0;
	pcpus_draw(&view->units, snap, scr, (struct rect){area.row, area.col, cpus, area.cols},
		chosen(view, snap));
	int line = area.rows - cpus >= 10 ? 2 : area.rows - cpus >= 5;
	struct rect map = {area.row + cpus, area.col, area.rows - cpus - line,
		map_cols(view, snap, scr, area.cols, LOG_MIN + 2)};
	int spare = map.rows - lower_want(view, snap), graphs = spare >= GRAPHS_MOST ? spare : 0;
	map.rows -= graphs;
	if (graphs)
		host_graphs_draw(
			view, snap, scr, (struct rect){map.row + map.rows, area.col, graphs, area.cols});
	if (map.cols + LOG_MIN <= area.cols)
		log_draw(view, snap, scr,
			(struct rect){map.row, map.col + map.cols + 2, map.rows, area.cols - map.cols - 2},
			NULL);
	else
		map.cols = area.cols;
	map_draw(view, snap, scr, map);
	if (line)
		draw_unit_line(view, snap, scr,
			(struct rect){area.row + area.rows - line, area.col, line, area.cols});
}

/* The table, the host and the selected VM below, and what was decided where the table leaves room. */
static void draw_memory(struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area)
{
	if (view->tall) {
		table_draw(view, snap, scr, area);
		return;
	}
	int want = 6 + (area.cols >= 50 ? (int)snap->sample.host.n_nodes : 0), table = table_rows(view);
	int lower = area.rows >= 10 ? min_of(area.rows / 3, want) : 0;
	int log = lower && area.rows - lower - table >= 4 ? area.rows - lower - table : 0;
	table = area.rows - lower - log;
	table_draw(view, snap, scr, (struct rect){area.row, area.col, table, area.cols});
	if (lower)
		memory_draw(snap, scr, (struct rect){area.row + table, area.col, lower, area.cols},
			chosen(view, snap));
	int guest = log >= 2 * GRAPHS_MOST ? log - LOG_LEAST : 0;
	if (guest)
		draw_guest(
			view, snap, scr, (struct rect){area.row + table + lower, area.col, guest, area.cols});
	if (log)
		log_draw(view, snap, scr,
			(struct rect){area.row + table + lower + guest, area.col, log - guest, area.cols},
			NULL);
}

static void draw_log(struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area)
{
	int top = area.rows >= 10 && !view->tall
			  ? verdicts_draw(snap, scr, (struct rect){area.row, area.col, 4, area.cols})
			  : 0;
	int time = area.rows - top >= 14 && snap->moment == MOMENT_NOW && !view->tall ? TIMELINE_ROWS : 0;
	if (time)
		timeline_draw(view, snap, scr, (struct rect){area.row + top, area.col, time, area.cols});
	top += time;
	int graphs = area.rows - top >= 14 && !view->tall ? (area.rows - top) / 2 : 0;
	graphs = min_of(graphs, GRAPHS_MOST);
	if (graphs)
		host_graphs_draw(view, snap, scr, (struct rect){area.row + top, area.col, graphs, area.cols});
	top += graphs;
	log_draw(view, snap, scr, (struct rect){area.row + top, area.col, area.rows - top, area.cols}, NULL);
}

static void draw_plan(struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area)
{
	view_sight(view, FOCUS_PLAN, area);
	plan_draw(&view->plan, snap, scr, area);
}

static void draw_waiting(const struct snapshot *snap, struct screen *scr, struct rect area)
{
	const char *text = text_or(snap->backend.text, "waiting for the first sample");
	draw_wrapped(scr,
		(struct rect){
			area.row + area.rows / 3, area.col + 2, area.rows - area.rows / 3, area.cols - 4},
		STYLE_NORMAL, text);
}

void view_draw(struct view *view, const struct snapshot *snap, struct screen *scr, int64_t now_ns,
	int64_t received_ns)
{
	static void (*const body[VIEW_COUNT])(struct view *, const struct snapshot *, struct screen *,
		struct rect) = {[VIEW_OVERVIEW] = draw_overview,
		[VIEW_PCPUS] = draw_pcpus,
		[VIEW_MEMORY] = draw_memory,
		[VIEW_LOG] = draw_log,
		[VIEW_VM] = vm_draw,
		[VIEW_WHY] = why_draw,
		[VIEW_PLAN] = draw_plan};
	snap = view_seen(view, snap);
	double age_s = snap->age_s + (double)(now_ns - received_ns) / 1e9;
	screen_erase(scr);
	scr->graph = view->graph ? view->graph : scr->graph;
	view->sight = view->groups = 0;
	memset(&view->hit, 0, sizeof view->hit);
	rows_update(view, snap);
	if (view->units.stale && !snap->first) {
		view->units.stale = false;
		units_update(&view->units, snap);
	}
	int head = header_rows(scr->rows), foot = scr->rows >= 5;
	header_draw(view, snap, scr, head, age_s);
	int time = scr->rows >= 16 && snap->moment != MOMENT_NOW ? TIMELINE_ROWS : 0;
	struct rect area = {head, 0, scr->rows - head - foot - time, scr->cols};
	if (time)
		timeline_draw(view, snap, scr, (struct rect){head + area.rows, 0, time, scr->cols});
	if (area.rows > 0 && snap->first)
		draw_waiting(snap, scr, area);
	else if (area.rows > 0)
		body[view->id](view, snap, scr, area);
	if (foot)
		footer_draw(view, snap, scr);
	if (view->focus[view->id] && view->sight && !(view->sight & 1U << view_focus(view))) {
		view->focus[view->id] =
			0; /* its panel has no room any more; the cursor shows in the first one */
		view_draw(view, snap, scr, now_ns, received_ns);
	}
}

bool view_wants_mouse(const struct view *view)
{
	return view->mouse;
}

unsigned view_groups(const struct view *view)
{
	/* Without a column of a VM in sight no guest is asked. */
	unsigned guests = view->id == VIEW_PCPUS || view->id == VIEW_LOG ? 0 : SAMPLE_BALLOON;
	return SAMPLE_PCPUS | guests | view->groups;
}
