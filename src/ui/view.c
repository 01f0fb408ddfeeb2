/* SPDX-License-Identifier: MIT */
/* The view: which panels stand where. Invariant: drawing changes nothing but scroll positions, never reads a
 * clock and keeps no pointer to the snapshot. Keys are in view_keys.c. */
#include "vmtop/view.h"
#include "vmtop/minmax.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view_private.h"
#include "vmtop/settings.h"
#include "vmtop/text.h"
#include "vmtop/theme.h"

/* The memory view has a set and ranks of its own: why a guest is as it is matters more there. */
static const char memory_set[] =
	"name,state,balloon,target,max,used,usable,low,high,floor,age,rss,swapin,memwhy";
static const uint8_t memory_rank[] = {1, 10, 2, 5, 7, 3, 6, 8, 9, 13, 11, 12, 14, 4};

/* Of each column, 0: not in the default set. Returns how many that set has, in its order in cols[]. */
static int default_set(bool memory, uint8_t cols[64], uint8_t rank[64])
{
	int n = 0;
	memset(rank, 0, 64);
	if (memory)
		n = column_parse(memory_set, cols, 64, NULL);
	for (size_t i = 0; !memory && i < column_count(); i++)
		if (column_at(i)->rank)
			cols[n++] = (uint8_t)i;
	for (int i = 0; i < n; i++)
		rank[cols[i]] = memory ? memory_rank[i] : column_at(cols[i])->rank;
	return n;
}

void table_defaults(struct table *t, bool memory)
{
	t->n_cols = default_set(memory, t->cols, t->rank);
	t->left = 0;
	t->chosen = t->ordered = false;
}

/* Some hidden and some added: the best of them that fit are shown, as before. In another order: as they
 * stand.
 */
void table_chosen(struct table *t, bool memory)
{
	uint8_t set[64];
	int n = default_set(memory, set, t->rank), at = 0;
	t->chosen = true;
	t->ordered = false;
	for (int i = 0; i < t->n_cols; i++) {
		if (!t->rank[t->cols[i]]) {
			t->rank[t->cols[i]] = 1;
			continue;
		}
		while (at < n && set[at] != t->cols[i])
			at++;
		t->ordered = t->ordered || at == n;
	}
}

static void table_columns(struct table *t, bool memory, const char *list)
{
	int n = list[0] ? column_parse(list, t->cols, sizeof t->cols, NULL) : 0;
	t->n_cols = n > 0 ? n : t->n_cols;
	if (n > 0)
		table_chosen(t, memory);
}

/* What the configuration says of the screen. */
static void screen_settings(struct view *v, const struct config *cfg)
{
	v->mouse = cfg->mouse;
	v->sparklines = cfg->sparklines;
	v->units.hide_offline = cfg->hide_offline;
	v->tall = cfg->tall;
	v->graph = cfg->graph;
	v->units.merge = cfg->merge;
	v->of_host = cfg->of_host;
	for (size_t i = 0; i < theme_count(); i++)
		if (!strcmp(theme_at(i)->name, cfg->theme))
			v->setup.theme = (int)i;
	table_defaults(&v->main, false);
	table_defaults(&v->memory, true);
	table_columns(&v->main, false, cfg->columns);
	table_columns(&v->memory, true, cfg->memory_columns);
	int cpu = column_find("cpu"), sort = cfg->sort[0] ? column_find(cfg->sort) : -1;
	v->main.sort = sort >= 0 ? sort : cpu;
	v->main.reverse = cfg->sort_reverse;
	v->main.sorted = v->main.sort != cpu || cfg->sort_reverse;
	v->rows_stale = v->units.stale = true;
}

void view_take(struct view *v, const struct config *c, const struct setting *set)
{
	struct table memory = v->memory;
	bool sort = set && !strcmp(set->key, "sort");
	screen_settings(v, c);
	v->id = set ? v->id : (enum view_id)c->view;
	v->memory.sort = memory.sort;
	v->memory.reverse = memory.reverse;
	v->memory.sorted = memory.sorted;
	v->main.sorted = v->main.sorted || sort;
	if (set && !strcmp(set->key, "delay"))
		view_send(v, &(struct command){.kind = CMD_INTERVAL, .number = c->delay_s});
	else if (set)
		setup_policy(v, c);
}

static bool view_alloc(struct view *v)
{
	v->marks = calloc(MARKS_MAX, sizeof *v->marks);
	v->editor.staged = calloc(STAGED_MAX, sizeof *v->editor.staged);
	v->queue = calloc(QUEUE_MAX, sizeof *v->queue);
	v->layouts = calloc(CFG_LAYOUTS, sizeof *v->layouts);
	return v->marks && v->editor.staged && v->queue && v->layouts;
}

struct view *view_new(const struct config *cfg)
{
	struct view *v = calloc(1, sizeof *v);
	if (!v || !view_alloc(v)) {
		view_free(v);
		return NULL;
	}
	v->delay_s = cfg->delay_s;
	v->yes = cfg->yes;
	v->esc_quits = cfg->esc_quits;
	v->memory.sort = column_find("balloon");
	v->on_exit = cfg->on_exit;
	if (cfg->show_patterns && cfg->n_patterns) {
		v->patterns = calloc(cfg->n_patterns, sizeof *v->patterns);
		v->n_patterns = v->patterns ? cfg->n_patterns : 0;
		if (v->patterns)
			memcpy(v->patterns, cfg->patterns, cfg->n_patterns * sizeof *v->patterns);
	}
	v->map.cpu = -1;
	v->setup.granularity = cfg->granularity;
	v->setup.cpu_policy = (int)cfg->cpu_policy;
	v->setup.mem_policy = (int)cfg->mem_policy;
	v->hosts = strdup(cfg->fleet_hosts);
	screen_settings(v, cfg);
	v->id = (enum view_id)cfg->view;
	v->n_layouts = cfg->n_layouts;
	memcpy(v->layouts, cfg->layouts, cfg->n_layouts * sizeof *v->layouts);
	if (cfg->layout[0])
		line_layout(v, cfg->layout);
	return v;
}

void view_free(struct view *v)
{
	if (!v)
		return;
	if (v->has_filter)
		regfree(&v->filter_re);
	if (v->has_search)
		regfree(&v->search_re);
	history_done(&v->hist);
	tape_free(v->back.tape);
	snapshot_free(v->back.shown);
	free(v->back.log);
	free(v->hosts);
	free(v->layouts);
	free(v->patterns);
	free(v->rows);
	free(v->names);
	free(v->keys);
	free(v->marks);
	free(v->units.list);
	free(v->plan.list);
	free(v->editor.staged);
	free(v->queue);
	free(v);
}

void view_say(struct view *v, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(v->message, sizeof v->message, fmt, ap);
	va_end(ap);
}

void view_tell(struct view *v, const char *text)
{
	view_say(v, "%s", text);
}

void view_feed(struct view *v, const struct snapshot *s)
{
	view_receive(v, s);
	view_keep(v, s);
}

void view_receive(struct view *v, const struct snapshot *s)
{
	v->delay_s = s->delay_s;
	v->steers = !s->readonly;
	v->n_asked += s->preview && !v->previewing;
	plan_feed(v, s);
	v->previewing = s->preview;
	past_events(&v->back, s);
	for (const struct snapshot *before = s->run_up; before; before = before->next)
		history_feed(&v->hist, before);
	uint64_t points = v->hist.count;
	history_feed(&v->hist, s);
	if (v->back.shown) { /* it stays where it is */
		v->hist.back += v->hist.count > points;
		return;
	}
	if (v->over.kind != OVER_SETUP) {
		v->setup.cpu_policy = (int)s->cpu_policy;
		v->setup.mem_policy = (int)s->mem_policy;
	}
	v->rows_stale = true;
	rows_unmark_gone(v, s);
	rows_update(v, s);
	units_update(&v->units, s);
	if (v->map.cpu >= 0 && units_find(&v->units, v->map.cpu) < 0)
		v->map.cpu = -1;
}

bool view_typing(const struct view *v)
{
	return v->over.kind == OVER_PROMPT;
}

bool view_paused(const struct view *v)
{
	return v->paused;
}

static const enum focus panels[VIEW_COUNT][3] = {
	[VIEW_OVERVIEW] = {FOCUS_TABLE, FOCUS_MAP, FOCUS_LOG},
	[VIEW_PCPUS] = {FOCUS_MAP, FOCUS_MAP, FOCUS_LOG},
	[VIEW_MEMORY] = {FOCUS_TABLE, FOCUS_TABLE, FOCUS_LOG},
	[VIEW_LOG] = {FOCUS_LOG, FOCUS_LOG, FOCUS_LOG},
	[VIEW_VM] = {FOCUS_VCPUS, FOCUS_VCPUS, FOCUS_LOG},
	[VIEW_WHY] = {FOCUS_WHY, FOCUS_WHY, FOCUS_WHY},
	[VIEW_PLAN] = {FOCUS_PLAN, FOCUS_PLAN, FOCUS_PLAN},
};

void view_focus_on(struct view *v, enum focus f)
{
	for (int i = 0; i < 3 && !v->editor.on; i++)
		if (panels[v->id][i] == f) {
			v->focus[v->id] = i;
			return;
		}
}

void view_sight(struct view *v, enum focus f, struct rect at)
{
	v->sight |= 1U << f;
	v->hit.panel[f] = at;
}

enum focus view_focus(const struct view *v)
{
	if (v->editor.on)
		return FOCUS_MAP;
	return panels[v->id][v->focus[v->id]];
}

enum key_place view_place(const struct view *v, const struct snapshot *s)
{
	if (v->over.kind == OVER_SETUP || v->over.kind == OVER_SORT)
		return v->over.kind == OVER_SETUP ? IN_SETUP : IN_SORT;
	if (s->moment == MOMENT_KEPT)
		return IN_PAST;
	if (v->editor.on)
		return IN_EDIT;
	if (s->moment == MOMENT_PLAYED)
		return IN_REPLAY;
	return s->preview ? IN_PREVIEW : IN_VIEWS;
}

enum { GRAPHS_MOST = 12 }; /* rows of the host's graphs, unless room is left over */

/* Of the memory above the log: by the room alone, so that no word moves a row. */
static int memory_rows(const struct snapshot *s, int rows)
{
	enum { LEAST = 11, SHORT = 6, ROOMY = 18, WHOLE = 7, NODES_MOST = 4 };
	int nodes = s->sample.host.n_nodes > 1 ? (int)s->sample.host.n_nodes : 0;
	if (rows < ROOMY)
		return rows >= LEAST ? SHORT : 0;
	return WHOLE + min_of(nodes, NODES_MOST);
}

/* The selected VM, -1: none. */
static long chosen(const struct view *v, const struct snapshot *s)
{
	size_t vm;
	return rows_selected(v, s, &vm) ? (long)vm : -1;
}

/* Pin map, memory and log side by side or stacked, whatever the room allows. */
static void draw_lower(struct view *v, const struct snapshot *s, struct screen *to, struct rect at)
{
	v->sight |= 1U << FOCUS_MAP | 1U << FOCUS_LOG; /* where there is room for one, Tab changes it */
	if (at.cols < 60) {
		if (view_focus(v) == FOCUS_MAP)
			map_draw(v, s, to, at);
		else
			log_draw(v, s, to, at, NULL);
		return;
	}
	int want = 19 + (int)v->units.n * 3, map = at.cols * 2 / 5;
	if (map > want)
		map = max_of(want, 36);
	int right = at.cols - map - 2, memory = memory_rows(s, at.rows);
	struct rect side = {at.row, at.col + map + 2, at.rows, right};
	map_draw(v, s, to, (struct rect){at.row, at.col, at.rows, map});
	if (right >= 130) { /* three side by side */
		int half = right / 2 - 1;
		memory_draw(s, to, (struct rect){side.row, side.col, side.rows, half}, chosen(v, s));
		log_draw(v, s, to, (struct rect){side.row, side.col + half + 2, side.rows, right - half - 2},
			NULL);
		return;
	}
	if (memory)
		memory_draw(s, to, (struct rect){side.row, side.col, memory, right}, chosen(v, s));
	log_draw(v, s, to, (struct rect){side.row + memory, side.col, side.rows - memory, right}, NULL);
}

/* Rows that the pin map can fill, and the memory beside it. */
static int lower_want(const struct view *v, const struct snapshot *s)
{
	int n = 5, memory = 10 + (int)s->sample.host.n_nodes;
	for (size_t i = 0; i < v->n_rows && n < 200; i++)
		n += (int)s->sample.vms[v->rows[i]].n_vcpus;
	return max_of(n, memory);
}

/* What the lower panels leave of `rows`: for graphs of the host, and below them why the selected VM is as it
 * is, with its graphs. By what there is, not by what is said, so that nothing moves when something is. */
static void share_rows(const struct view *v, const struct snapshot *s, int rows, int *host, int *guest)
{
	int spare = rows - lower_want(v, s);
	*host = rows >= 2 * GRAPHS_MOST ? GRAPHS_MOST : 0;
	*guest = *host && spare - *host >= 10 ? spare - *host : 0;
	if (*guest > GRAPHS_MOST) {
		*host += (*guest - GRAPHS_MOST) / 2;
		*guest -= (*guest - GRAPHS_MOST) / 2;
	}
}

static void draw_guest(const struct view *v, const struct snapshot *s, struct screen *to, struct rect at)
{
	size_t vm;
	int why = at.cols >= 120 ? (at.cols + 2) / 3 : 0;
	if (!rows_selected(v, s, &vm))
		return;
	if (why)
		why_body(s, vm, false, to, (struct rect){at.row, at.col, at.rows, why - 2});
	vm_graphs_draw(v, s, vm, to, (struct rect){at.row, at.col + why, at.rows, at.cols - why});
}

static void draw_overview(struct view *v, const struct snapshot *s, struct screen *to, struct rect at)
{
	if (v->tall) {
		table_draw(v, s, to, at);
		return;
	}
	int cpus = at.rows >= 6 ? pcpus_rows(&v->units, at.cols, max_of(at.rows / 5, 1), at.rows / 4) : 0;
	if (cpus) {
		pcpus_draw(&v->units, s, to, (struct rect){at.row, at.col, cpus, at.cols}, chosen(v, s));
		at.row += cpus;
		at.rows -= cpus;
	}
	int want = table_rows(v), lower = 0, host = 0, guest = 0;
	if (at.rows >= 12) {
		lower = at.rows - want - 1;
		int least = at.rows / 3, most = at.rows - 5;
		lower = clamp(lower, least, most);
	}
	table_draw(v, s, to, (struct rect){at.row, at.col, at.rows - lower, at.cols});
	share_rows(v, s, lower, &host, &guest);
	int top = at.row + at.rows - lower;
	if (host)
		host_graphs_draw(v, s, to, (struct rect){top, at.col, host, at.cols});
	if (guest)
		draw_guest(v, s, to, (struct rect){top + host, at.col, guest, at.cols});
	top += host + guest;
	if (lower)
		draw_lower(v, s, to, (struct rect){top, at.col, lower - host - guest, at.cols});
}

/* "pCPU 3 · node 0 · 93 % busy · 140 % wanted · on it now: db1/0 web1/2 and 3 more" */
static void unit_text(const struct view *v, const struct snapshot *s, char *buf, size_t len, size_t most)
{
	const struct unit *u = &v->units.list[units_find(&v->units, v->map.cpu)];
	size_t n = (size_t)snprintf(
		buf, len, "%s %s · node %d · ", merge_text(v->units.merge), u->label, u->node);
	if (vf64_has(u->busy_pct))
		n += (size_t)snprintf(buf + n, len - n, "%.0f %% busy · ", u->busy_pct.v);
	if (vf64_has(u->demand_pct))
		n += (size_t)snprintf(buf + n, len - n, "%.0f %% wanted · ", u->demand_pct.v);
	size_t on = 0, told = 0;
	for (size_t vm = 0; vm < s->sample.n_vms; vm++) {
		const struct vm_sample *m = &s->sample.vms[vm];
		for (size_t k = 0; k < m->n_vcpus; k++) {
			const struct vcpu_sample *c = &s->sample.vcpus[m->first_vcpu + k];
			if (!vi64_has(c->pcpu) || !cpuset_has(&u->cpus, (int)c->pcpu.v))
				continue;
			char name[64];
			text_escape(name, sizeof name, m->name);
			if (told == on++ && n + strlen(name) + 30 <= most)
				n += (size_t)snprintf(buf + n, len - n, "%s%s/%d",
					told++ ? " " : "on it now: ", name, c->id);
		}
	}
	if (!on)
		snprintf(buf + n, len - n, "no vCPU on it now");
	else if (on > told)
		snprintf(buf + n, len - n, "%s and %zu more", told ? "" : "on it now:", on - told);
}

static void draw_unit_line(const struct view *v, const struct snapshot *s, struct screen *to, struct rect at)
{
	char text[800];
	if (units_find(&v->units, v->map.cpu) < 0) {
		draw_cut(to, at.row, at.col, at.cols, STYLE_DIM,
			"Left and Right choose a pCPU and tell who is on it");
		return;
	}
	size_t room = (size_t)at.rows * (size_t)at.cols;
	unit_text(v, s, text, sizeof text, min_of(room, sizeof text - 64));
	draw_wrapped(to, at, STYLE_NORMAL, text);
}

enum { LOG_MIN = 60, LOG_LEAST = 10 }; /* columns of a log beside the map, rows of one below graphs */

/* The strip may have as many rows as it needs for a cell a pCPU, as long as the map keeps half. */
static void draw_pcpus(struct view *v, const struct snapshot *s, struct screen *to, struct rect at)
{
	if (v->tall) {
		map_draw(v, s, to, at);
		return;
	}
	int most = max_of(at.rows * 2 / 5, 1);
	if (v->editor.on && at.rows - most < 4)
		most = 0;
	int cpus = most ? pcpus_rows(&v->units, at.cols, most, at.rows / 2) : 0;
	pcpus_draw(&v->units, s, to, (struct rect){at.row, at.col, cpus, at.cols}, chosen(v, s));
	int line = at.rows - cpus >= 10 ? 2 : at.rows - cpus >= 5;
	struct rect map = {
		at.row + cpus, at.col, at.rows - cpus - line, map_cols(v, s, to, at.cols, LOG_MIN + 2)};
	int spare = map.rows - lower_want(v, s), graphs = spare >= GRAPHS_MOST ? spare : 0;
	map.rows -= graphs;
	if (graphs)
		host_graphs_draw(v, s, to, (struct rect){map.row + map.rows, at.col, graphs, at.cols});
	if (map.cols + LOG_MIN <= at.cols)
		log_draw(v, s, to,
			(struct rect){map.row, map.col + map.cols + 2, map.rows, at.cols - map.cols - 2},
			NULL);
	else
		map.cols = at.cols;
	map_draw(v, s, to, map);
	if (line)
		draw_unit_line(v, s, to, (struct rect){at.row + at.rows - line, at.col, line, at.cols});
}

/* The table, the host and the selected VM below, and what was decided where the table leaves room. */
static void draw_memory(struct view *v, const struct snapshot *s, struct screen *to, struct rect at)
{
	if (v->tall) {
		table_draw(v, s, to, at);
		return;
	}
	int want = 6 + (at.cols >= 50 ? (int)s->sample.host.n_nodes : 0), table = table_rows(v);
	int lower = at.rows >= 10 ? min_of(at.rows / 3, want) : 0;
	int log = lower && at.rows - lower - table >= 4 ? at.rows - lower - table : 0;
	table = at.rows - lower - log;
	table_draw(v, s, to, (struct rect){at.row, at.col, table, at.cols});
	if (lower)
		memory_draw(s, to, (struct rect){at.row + table, at.col, lower, at.cols}, chosen(v, s));
	int guest = log >= 2 * GRAPHS_MOST ? log - LOG_LEAST : 0;
	if (guest)
		draw_guest(v, s, to, (struct rect){at.row + table + lower, at.col, guest, at.cols});
	if (log)
		log_draw(v, s, to,
			(struct rect){at.row + table + lower + guest, at.col, log - guest, at.cols}, NULL);
}

static void draw_log(struct view *v, const struct snapshot *s, struct screen *to, struct rect at)
{
	int top = at.rows >= 10 && !v->tall ? verdicts_draw(s, to, (struct rect){at.row, at.col, 4, at.cols})
					    : 0;
	int time = at.rows - top >= 14 && s->moment == MOMENT_NOW && !v->tall ? TIMELINE_ROWS : 0;
	if (time)
		timeline_draw(v, s, to, (struct rect){at.row + top, at.col, time, at.cols});
	top += time;
	int graphs = at.rows - top >= 14 && !v->tall ? (at.rows - top) / 2 : 0;
	graphs = min_of(graphs, GRAPHS_MOST);
	if (graphs)
		host_graphs_draw(v, s, to, (struct rect){at.row + top, at.col, graphs, at.cols});
	top += graphs;
	log_draw(v, s, to, (struct rect){at.row + top, at.col, at.rows - top, at.cols}, NULL);
}

static void draw_plan(struct view *v, const struct snapshot *s, struct screen *to, struct rect at)
{
	view_sight(v, FOCUS_PLAN, at);
	plan_draw(&v->plan, s, to, at);
}

static void draw_waiting(const struct snapshot *s, struct screen *to, struct rect at)
{
	const char *text = s->backend.text[0] ? s->backend.text : "waiting for the first sample";
	draw_wrapped(to, (struct rect){at.row + at.rows / 3, at.col + 2, at.rows - at.rows / 3, at.cols - 4},
		STYLE_NORMAL, text);
}

void view_draw(
	struct view *v, const struct snapshot *s, struct screen *to, int64_t now_ns, int64_t received_ns)
{
	static void (*const body[VIEW_COUNT])(struct view *, const struct snapshot *, struct screen *,
		struct rect) = {[VIEW_OVERVIEW] = draw_overview,
		[VIEW_PCPUS] = draw_pcpus,
		[VIEW_MEMORY] = draw_memory,
		[VIEW_LOG] = draw_log,
		[VIEW_VM] = vm_draw,
		[VIEW_WHY] = why_draw,
		[VIEW_PLAN] = draw_plan};
	s = view_seen(v, s);
	double age_s = s->age_s + (double)(now_ns - received_ns) / 1e9;
	screen_erase(to);
	to->graph = v->graph ? v->graph : to->graph;
	v->sight = v->groups = 0;
	memset(&v->hit, 0, sizeof v->hit);
	rows_update(v, s);
	if (v->units.stale && !s->first) {
		v->units.stale = false;
		units_update(&v->units, s);
	}
	int head = header_rows(to->rows), foot = to->rows >= 5;
	header_draw(v, s, to, head, age_s);
	int time = to->rows >= 16 && s->moment != MOMENT_NOW ? TIMELINE_ROWS : 0;
	struct rect at = {head, 0, to->rows - head - foot - time, to->cols};
	if (time)
		timeline_draw(v, s, to, (struct rect){head + at.rows, 0, time, to->cols});
	if (at.rows > 0 && s->first)
		draw_waiting(s, to, at);
	else if (at.rows > 0)
		body[v->id](v, s, to, at);
	if (foot)
		footer_draw(v, s, to);
	if (v->focus[v->id] && v->sight && !(v->sight & 1U << view_focus(v))) {
		v->focus[v->id] = 0; /* its panel has no room any more; the cursor shows in the first one */
		view_draw(v, s, to, now_ns, received_ns);
	}
}

bool view_wants_mouse(const struct view *v)
{
	return v->mouse;
}

unsigned view_groups(const struct view *v)
{
	/* Without a column of a VM in sight no guest is asked. */
	unsigned guests = v->id == VIEW_PCPUS || v->id == VIEW_LOG ? 0 : SAMPLE_BALLOON;
	return SAMPLE_PCPUS | guests | v->groups;
}
