/* SPDX-License-Identifier: MIT */
/* Who suffers, in one line, and why one VM does, in a panel. Invariant: the alert line has its row whether
 * there is something to say or not; colours go by one scale, and a word says the same. */
#include <stdio.h>
#include <string.h>

#include "view_private.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

enum {
	BAR = 22,
	NAME_LEAST = 9,
	NAMES_MOST = 4,
	MORE = 4,
	REST = 10,
	ROOMY = 9, /* rows below the title, from which on a verdict is not cut */
	ROOM_FOR_KEY = 60,
	NARROW = 100,
	GRAPHS_LEAST = 6,
	GRAPHS_MOST = 14
};
#define ALERT_KEY       " · w tells why"
#define ALERT_KEY_SHORT " · w: why" /* on a narrow screen names are worth more */

enum style suffer_style(const struct suffering *hurt)
{
	if (!hurt->n)
		return STYLE_NORMAL;
	return hurt->score_pct >= 30 ? STYLE_BAD : STYLE_WARN;
}

bool alert_any(const struct snapshot *snap)
{
	for (size_t i = 0; i < snap->sample.n_vms; i++)
		if (snap->vm_status[i].suffer.n)
			return true;
	return false;
}

/* The order of the alert line: by alarm, then by score, then by index. */
static bool worse(const struct snapshot *snap, size_t a, size_t b)
{
	const struct suffering *x = &snap->vm_status[a].suffer, *y = &snap->vm_status[b].suffer;
	enum alarm of_x = cause_alarm(x->found[0].cause), of_y = cause_alarm(y->found[0].cause);
	if (of_x != of_y)
		return of_x < of_y;
	return x->score_pct > y->score_pct || (x->score_pct >= y->score_pct && a < b);
}

bool alert_worst(const struct view *view, const struct snapshot *snap, size_t n, size_t *row)
{
	for (size_t i = 0; i < view->n_rows; i++) {
		size_t above = 0;
		if (!snap->vm_status[view->rows[i]].suffer.n)
			continue;
		for (size_t k = 0; k < view->n_rows; k++)
			above += k != i && snap->vm_status[view->rows[k]].suffer.n &&
				 worse(snap, view->rows[k], view->rows[i]);
		if (above != n)
			continue;
		*row = i;
		return true;
	}
	return false;
}

static bool in_alarm(const struct snapshot *snap, size_t vm, enum alarm alarm)
{
	const struct suffering *hurt = &snap->vm_status[vm].suffer;
	return hurt->n && cause_alarm(hurt->found[0].cause) == alarm;
}

static enum style alarm_style(enum alarm alarm)
{
	return alarm <= ALARM_SHORT ? STYLE_BAD : STYLE_WARN;
}

/* Of those in an alarm the one that comes after `last`, the worst first; below 0: nobody. */
static long next_worst(const struct snapshot *snap, enum alarm alarm, long last)
{
	long best = -1;
	for (size_t i = 0; i < snap->sample.n_vms; i++)
		if (in_alarm(snap, i, alarm) && (last < 0 || worse(snap, (size_t)last, i)) &&
			(best < 0 || worse(snap, i, (size_t)best)))
			best = (long)i;
	return best;
}

/* ": NAME NAME +3", the worst first, as many as fit before `end`; nothing where none does. */
static int put_names(
	const struct snapshot *snap, struct screen *scr, int row, int col, int end, enum alarm alarm, int n)
{
	long vm = -1;
	for (int told = 0; told < n && (vm = next_worst(snap, alarm, vm)) >= 0; told++) {
		char name[VM_NAME_BYTES], more[24];
		text_escape(name, sizeof name, snap->sample.vms[vm].name);
		int want = screen_columns(scr, name), sign = told ? 1 : 2;
		int room = end - col - sign - (told + 1 < n ? MORE : 0);
		if (told == 0 && want > room && room >= NAME_LEAST)
			want = room; /* a name that no row holds whole loses its middle */
		if (told >= NAMES_MOST || want > room) {
			snprintf(more, sizeof more, " +%d", n - told);
			return told ? col + screen_text(scr, row, col, end - col, STYLE_NORMAL, more) : col;
		}
		if (!told)
			screen_text(scr, row, col, 1, alarm_style(alarm), ":");
		draw_name(scr, row, col + sign, want, STYLE_NORMAL, name);
		col += sign + want;
	}
	return col;
}

struct alarms {
	int n[ALARM_COUNT], width[ALARM_COUNT]; /* VMs; columns of " · SWAPPING 3" */
	int after;                              /* of those not drawn yet, all columns */
};

static void alarm_text(enum alarm alarm, int n, bool first, char buf[48])
{
	snprintf(buf, 48, "%s%s %d", text_if(!first, " · "), alarm_word(alarm), n);
}

static void count_alarms(const struct snapshot *snap, const struct screen *scr, struct alarms *alarms)
{
	bool first = true;
	*alarms = (struct alarms){.after = 0};
	for (enum alarm alarm = 0; alarm < ALARM_COUNT; alarm++) {
		char text[48];
		for (size_t i = 0; i < snap->sample.n_vms; i++)
			alarms->n[alarm] += in_alarm(snap, i, alarm);
		if (!alarms->n[alarm])
			continue;
		alarm_text(alarm, alarms->n[alarm], first, text);
		alarms->width[alarm] = screen_columns(scr, text);
		alarms->after += alarms->width[alarm];
		first = false;
	}
}

/* How many are in each alarm comes before the names, of which the worst have room first. */
int alert_draw(const struct snapshot *snap, struct screen *scr, int row, int cols)
{
	struct alarms alarms;
	char text[48];
	const char *key = cols < NARROW ? ALERT_KEY_SHORT : ALERT_KEY;
	int col = 0, left = 0, end = cols;
	bool named = true;
	count_alarms(snap, scr, &alarms);
	/* Who sees an alarm for the first time does not know the key. */
	end -= cols >= ROOM_FOR_KEY ? screen_columns(scr, key) : 0;
	for (enum alarm alarm = 0; alarm < ALARM_COUNT; alarm++) {
		if (!alarms.n[alarm])
			continue;
		alarms.after -= alarms.width[alarm];
		if (left || col + alarms.width[alarm] + (alarms.after ? REST : 0) > end) {
			left += alarms.n[alarm];
			continue;
		}
		alarm_text(alarm, alarms.n[alarm], !col, text);
		col += screen_text(scr, row, col, end - col, alarm_style(alarm), text);
		int names = named ? put_names(snap, scr, row, col, end - alarms.after, alarm, alarms.n[alarm])
				  : col;
		named = names > col; /* those of a lesser alarm would read as if they were the worst */
		col = names;
	}
	snprintf(text, sizeof text, col ? " · %d more" : "%d suffer", left);
	if (left)
		col += screen_text(scr, row, col, cols - col, STYLE_WARN, text);
	if (col && col + screen_columns(scr, key) <= cols)
		col += screen_text(scr, row, col, cols - col, STYLE_DIM, key);
	return col;
}

static void for_text(char *buf, size_t len, double s)
{
	if (s < 90)
		snprintf(buf, len, "for %.0f s", max_of(s, 0));
	else if (s < 5400)
		snprintf(buf, len, "for %.0f min", s / 60);
	else
		snprintf(buf, len, "for %.1f h", s / 3600);
}

/* One cause: a bar with its weight, what it is, evidence and cure. Returns the rows used. */
static int draw_finding(const struct snapshot *snap, size_t vm, const struct finding *finding,
	struct screen *scr, struct rect area)
{
	struct suffer_look look = snapshot_look(snap);
	char text[400], weight[16], since[32];
	int row = 0;
	snprintf(weight, sizeof weight, "%3.0f%%", finding->weight_pct);
	for_text(since, sizeof since, (double)(snap->sample.time_ns - finding->since_ns) / 1e9);
	enum style style = finding->weight_pct >= 30 ? STYLE_BAD : STYLE_WARN;
	struct meter meter = {.first = finding->weight_pct, .tick = -1, .first_style = style, .text = weight};
	int bar = area.cols >= 60 ? BAR : 0, col = area.col + 1;
	if (bar)
		draw_meter(scr, area.row, col, bar, &meter);
	col += bar ? bar + 1 : 0;
	int head = snprintf(text, sizeof text, "%s · %s", cause_key(finding->cause), since);
	snprintf(text + head, sizeof text - (size_t)head, " · %s", cause_text(finding->cause));
	bool whole = screen_columns(scr, text) <= area.col + area.cols - col;
	if (!whole) /* what it is stands below then, with nothing cut */
		text[head] = '\0';
	draw_cut(scr, area.row, col, area.col + area.cols - col, style, text);
	struct rect in = {area.row + ++row, area.col + 3, area.rows - 1, area.cols - 3};
	if (!whole && in.rows > 0)
		row += draw_wrapped(scr, in, style, cause_text(finding->cause));
	suffer_evidence(&look, vm, finding, text, sizeof text);
	in = (struct rect){area.row + row, area.col + 3, area.rows - row, area.cols - 3};
	if (in.rows > 0)
		row += draw_wrapped(scr, in, STYLE_NORMAL, text);
	char cure[420];
	suffer_cure(&look, vm, finding, text, sizeof text);
	snprintf(cure, sizeof cure, "cure: %s", text);
	in = (struct rect){area.row + row, area.col + 3, area.rows - row, area.cols - 3};
	if (in.rows > 0)
		row += draw_wrapped(scr, in, STYLE_DIM, cure);
	return row;
}

static int draw_verdict(const struct snapshot *snap, size_t vm, struct screen *scr, struct rect area)
{
	const struct suffering *hurt = &snap->vm_status[vm].suffer;
	char text[200];
	suffer_verdict(hurt, text, sizeof text);
	/* Where rows are few the causes are worth more than its end. */
	struct rect in = {area.row, area.col + 1, area.rows >= ROOMY ? area.rows : 1, area.cols - 1};
	return draw_wrapped(scr, in, hurt->n ? suffer_style(hurt) : STYLE_GOOD, text);
}

static int draw_unknown(const struct snapshot *snap, size_t vm, struct screen *scr, struct rect area)
{
	struct suffer_look look = snapshot_look(snap);
	char list[300], text[340];
	suffer_unknown(&look, vm, list, sizeof list);
	if (!list[0] || area.rows < 1)
		return 0;
	snprintf(text, sizeof text, "not known here: %s", list);
	return draw_wrapped(
		scr, (struct rect){area.row, area.col + 1, area.rows, area.cols - 1}, STYLE_DIM, text);
}

int why_body(const struct snapshot *snap, size_t vm, bool focused, struct screen *scr, struct rect area)
{
	const struct suffering *hurt = &snap->vm_status[vm].suffer;
	char name[80], title[120];
	int row = 1;
	text_escape(name, sizeof name, snap->sample.vms[vm].name);
	snprintf(title, sizeof title, "Why: %s", name);
	draw_title(scr, (struct rect){area.row, area.col, 1, area.cols}, focused, title,
		snap->sample.vms[vm].hung_since_ns ? "not answering"
						   : vm_state_text(snap->sample.vms[vm].state));
	if (row < area.rows)
		row += draw_verdict(
			snap, vm, scr, (struct rect){area.row + row, area.col, area.rows - row, area.cols});
	for (int i = 0; i < hurt->n && row + 1 < area.rows; i++) {
		row += area.rows >= 12; /* a line between, where there is room */
		row += draw_finding(snap, vm, &hurt->found[i], scr,
			(struct rect){area.row + row, area.col, area.rows - row, area.cols});
	}
	row += area.rows - row > 2;
	int n = draw_unknown(
		snap, vm, scr, (struct rect){area.row + row, area.col, area.rows - row, area.cols});
	return row + n + (n > 0);
}

void why_draw(struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area)
{
	size_t vm;
	if (!rows_selected(view, snap, &vm)) {
		screen_text(scr, area.row, area.col + 1, area.cols - 1, STYLE_DIM, "no VM is selected");
		return;
	}
	view_sight(view, FOCUS_WHY, area);
	view->groups |= SAMPLE_BALLOON | SAMPLE_BLOCK;
	int used = why_body(snap, vm, true, scr, area), room = area.rows - used;
	if (room >= GRAPHS_LEAST) /* since when */
		vm_graphs_draw(view, snap, vm, scr,
			(struct rect){
				area.row + used, area.col + 1, min_of(room, GRAPHS_MOST), area.cols - 2});
}
