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

enum style suffer_style(const struct suffering *x)
{
	if (!x->n)
		return STYLE_NORMAL;
	return x->score_pct >= 30 ? STYLE_BAD : STYLE_WARN;
}

bool alert_any(const struct snapshot *s)
{
	for (size_t i = 0; i < s->sample.n_vms; i++)
		if (s->vm_status[i].suffer.n)
			return true;
	return false;
}

/* The order of the alert line: by alarm, then by score, then by index. */
static bool worse(const struct snapshot *s, size_t a, size_t b)
{
	const struct suffering *x = &s->vm_status[a].suffer, *y = &s->vm_status[b].suffer;
	enum alarm of_x = cause_alarm(x->found[0].cause), of_y = cause_alarm(y->found[0].cause);
	if (of_x != of_y)
		return of_x < of_y;
	return x->score_pct > y->score_pct || (x->score_pct >= y->score_pct && a < b);
}

bool alert_worst(const struct view *v, const struct snapshot *s, size_t n, size_t *row)
{
	for (size_t i = 0; i < v->n_rows; i++) {
		size_t above = 0;
		if (!s->vm_status[v->rows[i]].suffer.n)
			continue;
		for (size_t k = 0; k < v->n_rows; k++)
			above += k != i && s->vm_status[v->rows[k]].suffer.n &&
				 worse(s, v->rows[k], v->rows[i]);
		if (above != n)
			continue;
		*row = i;
		return true;
	}
	return false;
}

static bool in_alarm(const struct snapshot *s, size_t vm, enum alarm a)
{
	const struct suffering *x = &s->vm_status[vm].suffer;
	return x->n && cause_alarm(x->found[0].cause) == a;
}

static enum style alarm_style(enum alarm a)
{
	return a <= ALARM_SHORT ? STYLE_BAD : STYLE_WARN;
}

/* Of those in an alarm the one that comes after `last`, the worst first; below 0: nobody. */
static long next_worst(const struct snapshot *s, enum alarm a, long last)
{
	long best = -1;
	for (size_t i = 0; i < s->sample.n_vms; i++)
		if (in_alarm(s, i, a) && (last < 0 || worse(s, (size_t)last, i)) &&
			(best < 0 || worse(s, i, (size_t)best)))
			best = (long)i;
	return best;
}

/* ": NAME NAME +3", the worst first, as many as fit before `end`; nothing where none does. */
static int put_names(
	const struct snapshot *s, struct screen *to, int row, int col, int end, enum alarm a, int n)
{
	long vm = -1;
	for (int told = 0; told < n && (vm = next_worst(s, a, vm)) >= 0; told++) {
		char name[VM_NAME_BYTES], more[24];
		text_escape(name, sizeof name, s->sample.vms[vm].name);
		int want = screen_columns(to, name), sign = told ? 1 : 2;
		int room = end - col - sign - (told + 1 < n ? MORE : 0);
		if (told == 0 && want > room && room >= NAME_LEAST)
			want = room; /* a name that no row holds whole loses its middle */
		if (told >= NAMES_MOST || want > room) {
			snprintf(more, sizeof more, " +%d", n - told);
			return told ? col + screen_text(to, row, col, end - col, STYLE_NORMAL, more) : col;
		}
		if (!told)
			screen_text(to, row, col, 1, alarm_style(a), ":");
		draw_name(to, row, col + sign, want, STYLE_NORMAL, name);
		col += sign + want;
	}
	return col;
}

struct alarms {
	int n[ALARM_COUNT], width[ALARM_COUNT]; /* VMs; columns of " · SWAPPING 3" */
	int after;                              /* of those not drawn yet, all columns */
};

static void alarm_text(enum alarm a, int n, bool first, char buf[48])
{
	snprintf(buf, 48, "%s%s %d", first ? "" : " · ", alarm_word(a), n);
}

static void count_alarms(const struct snapshot *s, const struct screen *to, struct alarms *x)
{
	bool first = true;
	*x = (struct alarms){.after = 0};
	for (enum alarm a = 0; a < ALARM_COUNT; a++) {
		char text[48];
		for (size_t i = 0; i < s->sample.n_vms; i++)
			x->n[a] += in_alarm(s, i, a);
		if (!x->n[a])
			continue;
		alarm_text(a, x->n[a], first, text);
		x->width[a] = screen_columns(to, text);
		x->after += x->width[a];
		first = false;
	}
}

/* How many are in each alarm comes before the names, of which the worst have room first. */
int alert_draw(const struct snapshot *s, struct screen *to, int row, int cols)
{
	struct alarms x;
	char text[48];
	const char *key = cols < NARROW ? ALERT_KEY_SHORT : ALERT_KEY;
	int col = 0, left = 0, end = cols;
	bool named = true;
	count_alarms(s, to, &x);
	/* Who sees an alarm for the first time does not know the key. */
	end -= cols >= ROOM_FOR_KEY ? screen_columns(to, key) : 0;
	for (enum alarm a = 0; a < ALARM_COUNT; a++) {
		if (!x.n[a])
			continue;
		x.after -= x.width[a];
		if (left || col + x.width[a] + (x.after ? REST : 0) > end) {
			left += x.n[a];
			continue;
		}
		alarm_text(a, x.n[a], !col, text);
		col += screen_text(to, row, col, end - col, alarm_style(a), text);
		int names = named ? put_names(s, to, row, col, end - x.after, a, x.n[a]) : col;
		named = names > col; /* those of a lesser alarm would read as if they were the worst */
		col = names;
	}
	snprintf(text, sizeof text, col ? " · %d more" : "%d suffer", left);
	if (left)
		col += screen_text(to, row, col, cols - col, STYLE_WARN, text);
	if (col && col + screen_columns(to, key) <= cols)
		col += screen_text(to, row, col, cols - col, STYLE_DIM, key);
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
static int draw_finding(
	const struct snapshot *s, size_t vm, const struct finding *f, struct screen *to, struct rect at)
{
	struct suffer_look look = snapshot_look(s);
	char text[400], weight[16], since[32];
	int row = 0;
	snprintf(weight, sizeof weight, "%3.0f%%", f->weight_pct);
	for_text(since, sizeof since, (double)(s->sample.time_ns - f->since_ns) / 1e9);
	enum style st = f->weight_pct >= 30 ? STYLE_BAD : STYLE_WARN;
	struct meter m = {.first = f->weight_pct, .tick = -1, .first_style = st, .text = weight};
	int bar = at.cols >= 60 ? BAR : 0, col = at.col + 1;
	if (bar)
		draw_meter(to, at.row, col, bar, &m);
	col += bar ? bar + 1 : 0;
	int head = snprintf(text, sizeof text, "%s · %s", cause_key(f->cause), since);
	snprintf(text + head, sizeof text - (size_t)head, " · %s", cause_text(f->cause));
	bool whole = screen_columns(to, text) <= at.col + at.cols - col;
	if (!whole) /* what it is stands below then, with nothing cut */
		text[head] = '\0';
	draw_cut(to, at.row, col, at.col + at.cols - col, st, text);
	struct rect in = {at.row + ++row, at.col + 3, at.rows - 1, at.cols - 3};
	if (!whole && in.rows > 0)
		row += draw_wrapped(to, in, st, cause_text(f->cause));
	suffer_evidence(&look, vm, f, text, sizeof text);
	in = (struct rect){at.row + row, at.col + 3, at.rows - row, at.cols - 3};
	if (in.rows > 0)
		row += draw_wrapped(to, in, STYLE_NORMAL, text);
	char cure[420];
	suffer_cure(&look, vm, f, text, sizeof text);
	snprintf(cure, sizeof cure, "cure: %s", text);
	in = (struct rect){at.row + row, at.col + 3, at.rows - row, at.cols - 3};
	if (in.rows > 0)
		row += draw_wrapped(to, in, STYLE_DIM, cure);
	return row;
}

static int draw_verdict(const struct snapshot *s, size_t vm, struct screen *to, struct rect at)
{
	const struct suffering *x = &s->vm_status[vm].suffer;
	char text[200];
	suffer_verdict(x, text, sizeof text);
	/* Where rows are few the causes are worth more than its end. */
	struct rect in = {at.row, at.col + 1, at.rows >= ROOMY ? at.rows : 1, at.cols - 1};
	return draw_wrapped(to, in, x->n ? suffer_style(x) : STYLE_GOOD, text);
}

static int draw_unknown(const struct snapshot *s, size_t vm, struct screen *to, struct rect at)
{
	struct suffer_look look = snapshot_look(s);
	char list[300], text[340];
	suffer_unknown(&look, vm, list, sizeof list);
	if (!list[0] || at.rows < 1)
		return 0;
	snprintf(text, sizeof text, "not known here: %s", list);
	return draw_wrapped(to, (struct rect){at.row, at.col + 1, at.rows, at.cols - 1}, STYLE_DIM, text);
}

int why_body(const struct snapshot *s, size_t vm, bool focused, struct screen *to, struct rect at)
{
	const struct suffering *x = &s->vm_status[vm].suffer;
	char name[80], title[120];
	int row = 1;
	text_escape(name, sizeof name, s->sample.vms[vm].name);
	snprintf(title, sizeof title, "Why: %s", name);
	draw_title(to, (struct rect){at.row, at.col, 1, at.cols}, focused, title,
		s->sample.vms[vm].hung_since_ns ? "not answering" : vm_state_text(s->sample.vms[vm].state));
	if (row < at.rows)
		row += draw_verdict(s, vm, to, (struct rect){at.row + row, at.col, at.rows - row, at.cols});
	for (int i = 0; i < x->n && row + 1 < at.rows; i++) {
		row += at.rows >= 12; /* a line between, where there is room */
		row += draw_finding(
			s, vm, &x->found[i], to, (struct rect){at.row + row, at.col, at.rows - row, at.cols});
	}
	row += at.rows - row > 2;
	int n = draw_unknown(s, vm, to, (struct rect){at.row + row, at.col, at.rows - row, at.cols});
	return row + n + (n > 0);
}

void why_draw(struct view *v, const struct snapshot *s, struct screen *to, struct rect at)
{
	size_t vm;
	if (!rows_selected(v, s, &vm)) {
		screen_text(to, at.row, at.col + 1, at.cols - 1, STYLE_DIM, "no VM is selected");
		return;
	}
	view_sight(v, FOCUS_WHY, at);
	v->groups |= SAMPLE_BALLOON | SAMPLE_BLOCK;
	int used = why_body(s, vm, true, to, at), room = at.rows - used;
	if (room >= GRAPHS_LEAST) /* since when */
		vm_graphs_draw(v, s, vm, to,
			(struct rect){at.row + used, at.col + 1, min_of(room, GRAPHS_MOST), at.cols - 2});
}
