/* SPDX-License-Identifier: MIT */
/* The header and the footer. Invariant: every state is a word (MANUAL, AUTO, STALE 12 s), never a colour
 * alone, and the words are the last to go when the screen is small. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "view_private.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

enum { FOOTER_KEYS = 40 };
_Static_assert(1 << VIEW_COUNT == AT_ANY + 1, "enum key_view has the views in their order");

/* What stands at the right end of the first line, most urgent first. */
static void state_words(
	const struct view *view, const struct snapshot *snap, double age_s, char *buf, size_t len)
{
	double late = max_of(snap->delay_s * 2, snap->delay_s + 2);
	static const char *const links[] = {[LINK_OK] = "",
		[LINK_CONNECTING] = "CONNECTING ",
		[LINK_LOST] = "RECONNECTING ",
		[LINK_SLOW] = "SLOW "};
	static const char *const moments[] = {
		[MOMENT_NOW] = "", [MOMENT_PLAYED] = "REPLAY ", [MOMENT_KEPT] = "PAST "};
	const char *edits = text_if(view->editor.on, "PIN EDITOR ");
	const char *reads = text_if(snap->readonly, "READ-ONLY ");
	char stale[32] = "";
	if (!snap->first && !view->paused && snap->moment == MOMENT_NOW && age_s > late)
		snprintf(stale, sizeof stale, "STALE %.0f s ", age_s);
	snprintf(buf, len, "%s%s%s%s%s%s%s%s", links[snap->backend.link], stale,
		text_if(view->paused, "PAUSED "), text_if(snap->over, "ENDED "),
		snap->preview ? "PREVIEW " : edits, text_if(snap->dry_run, "DRY-RUN "),
		text_if(snap->backend.recording[0], "REC "),
		snap->moment == MOMENT_NOW ? reads : moments[snap->moment]);
	size_t n = strlen(buf);
	if (n && n < len)
		buf[n - 1] = '\0';
}

static void auto_words(const struct snapshot *snap, char *buf, size_t len)
{
	if (snap->auto_cpu == snap->auto_memory)
		snprintf(buf, len, "%s", snap->auto_cpu ? "AUTO" : "MANUAL");
	else
		snprintf(buf, len, "%s", snap->auto_cpu ? "AUTO cpu" : "AUTO mem");
}

static int put(struct screen *scr, int row, int col, enum style style, const char *text)
{
	return col < scr->cols ? col + screen_text(scr, row, col, scr->cols - col, style, text) : col;
}

/* Whole or not at all: half a number misleads. */
static int put_whole(struct screen *scr, int row, int col, enum style style, const char *text)
{
	return col + screen_columns(scr, text) <= scr->cols ? put(scr, row, col, style, text) : col;
}

/* When the data was taken: with its date where that is not now. */
static void when_text(const struct snapshot *snap, char *buf, size_t len)
{
	time_t t = (time_t)(snap->sample.wall_ns / 1000000000);
	struct tm tm;
	if (snap->first)
		snprintf(buf, len, "no data yet");
	else if (!localtime_r(&t, &tm) ||
		 !strftime(buf, len, snap->moment == MOMENT_NOW ? "%T" : "%F %T", &tm))
		snprintf(buf, len, "-");
}

/* Parts of the first line; HEAD_LOAD also counts the VMs. */
enum {
	HEAD_WHO = 1,
	HEAD_STEERS = 2,
	HEAD_RULE = 4, /* how many run */
	HEAD_ODD = 8,  /* how many do not */
	HEAD_EVERY = 16,
	HEAD_LOAD = 32,
	HEAD_WHEN = 64
};
enum { HUNG = VM_SUSPENDED + 1, VM_KINDS };

/* "14 VMs: 12 running, 1 paused, 1 hung", or "14 VMs running"; without the running ones, or the number alone,
 * where there is little room. */
static void count_text(const struct snapshot *snap, unsigned parts, char *buf, size_t len)
{
	size_t of[VM_KINDS] = {0}, all = snap->sample.n_vms;
	for (size_t i = 0; i < all; i++)
		of[snap->sample.vms[i].hung_since_ns ? HUNG : snap->sample.vms[i].state]++;
	int n = snprintf(buf, len, "%zu VM%s", all, text_s(all));
	const char *sep = ": ";
	for (int i = 0; parts & HEAD_ODD && i < VM_KINDS && (size_t)n < len; i++) {
		const char *word = i == HUNG ? "hung" : vm_state_text((enum vm_state)i);
		if (!of[i] || (!(parts & HEAD_RULE) && i == VM_RUNNING && of[i] < all))
			continue;
		if (of[i] == all)
			n += snprintf(buf + n, len - (size_t)n, " %s", word);
		else
			n += snprintf(buf + n, len - (size_t)n, "%s%zu %s", sep, of[i], word);
		sep = ", ";
	}
}

static void head_text(const struct snapshot *snap, unsigned parts, char *buf, size_t len)
{
	char uri[300], part[160];
	const struct claim_status *status = &snap->backend.claim;
	text_escape(uri, sizeof uri, snap->backend.uri);
	size_t n = (size_t)snprintf(buf, len, " %s", uri);
	if (parts & HEAD_EVERY)
		n += (size_t)snprintf(buf + n, len - n, " · every %g s", snap->delay_s);
	when_text(snap, part, sizeof part);
	if (parts & HEAD_WHEN)
		n += (size_t)snprintf(buf + n, len - n, " · %s", part);
	count_text(snap, parts, part, sizeof part);
	if (parts & HEAD_LOAD && !snap->first)
		n += (size_t)snprintf(buf + n, len - n, " · %s", part);
	if (parts & HEAD_LOAD && !snap->first && vf64_has(snap->busy_pct))
		n += (size_t)snprintf(buf + n, len - n, " · busy %.0f %%", snap->busy_pct.v);
	if (parts & HEAD_STEERS && status->state == CLAIM_OURS)
		snprintf(buf + n, len - n, " · %s%ssteers", parts & HEAD_WHO ? status->who : "",
			text_if(parts & HEAD_WHO, ", "));
}

/* The longest of several ways to say it that fits: what goes first is who steers, then how many run, then how
 * often is looked. buf has room for all parts. */
static void identity_text(
	const struct snapshot *snap, const struct screen *scr, int room, char *buf, size_t len)
{
	enum { CORE = HEAD_STEERS | HEAD_LOAD | HEAD_WHEN };
	static const unsigned ways[] = {CORE | HEAD_WHO | HEAD_RULE | HEAD_ODD | HEAD_EVERY,
		CORE | HEAD_RULE | HEAD_ODD | HEAD_EVERY, CORE | HEAD_ODD | HEAD_EVERY, CORE | HEAD_ODD,
		CORE | HEAD_EVERY, CORE, HEAD_STEERS | HEAD_WHEN, HEAD_WHEN, 0};
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		head_text(snap, ways[i], buf, len);
		if (screen_columns(scr, buf) <= room)
			return;
	}
}

/* host URI · every 2 s · 14:05:31 · 7 VMs running · busy 55 %      READ-ONLY */
static void identity_line(
	const struct view *view, const struct snapshot *snap, struct screen *scr, int rows, double age_s)
{
	char words[160], brief[32], text[900], host[160]; /* text has room for all parts of it */
	state_words(view, snap, age_s, words, sizeof words);
	auto_words(snap, brief, sizeof brief);
	if (rows == 1) { /* the lines that would say it are not there */
		size_t n = strlen(words);
		snprintf(words + n, sizeof words - n, "%s%s", text_if(n, " "), brief);
	}
	int right = screen_columns(scr, words);
	int room = scr->cols - (right ? right + 1 : 0);
	text_escape(host, sizeof host, snap->sample.host.hostname);
	int col = scr->cols >= 60 ? put(scr, 0, 0, STYLE_TITLE, "vmtop ") : 0;
	if (col < room)
		col += screen_text(scr, 0, col, room - col, STYLE_BOLD, text_or(host, "vmtop"));
	identity_text(snap, scr, room - col, text, sizeof text);
	draw_cut(scr, 0, col, room - col, STYLE_DIM, text);
	enum style style = snap->backend.link == LINK_LOST || strstr(words, "STALE") ? STYLE_BAD : STYLE_WARN;
	if (right)
		screen_right(scr, 0, right < scr->cols ? scr->cols - right : 0, right,
			words[0] == 'M' ? STYLE_DIM : style, words);
}

/* "sd 12.3 % over its limit of 5.0 % · best found 3.9 % · no plan below 3.2 %" */
static int certificate(const struct snapshot *snap, struct screen *scr, int row, int col)
{
	const struct cpu_verdict *verdict = &snap->cpu;
	char text[sizeof verdict->why.text + 20];
	if (!vf64_has(verdict->stddev_pct)) {
		snprintf(text, sizeof text, "deviation -: %s",
			text_or(verdict->why.text, avail_text(verdict->stddev_pct.avail)));
		draw_cut(scr, row, col, scr->cols - col, STYLE_DIM, text);
		return scr->cols;
	}
	bool over = vf64_has(verdict->limit_pct) && verdict->stddev_pct.v > verdict->limit_pct.v;
	snprintf(text, sizeof text, "deviation %.1f %%", verdict->stddev_pct.v);
	col = put(scr, row, col, over ? STYLE_WARN : STYLE_GOOD, text);
	if (vf64_has(verdict->limit_pct)) {
		snprintf(text, sizeof text, scr->cols < 100 ? " %s %.1f %%" : " %s limit %.1f %%",
			over ? "over" : "within", verdict->limit_pct.v);
		col = put_whole(scr, row, col, over ? STYLE_WARN : STYLE_NORMAL, text);
	}
	if (snap->preview && vf64_has(snap->preview_after_pct)) {
		snprintf(text, sizeof text, " → %.1f %% after %d pin%s", snap->preview_after_pct.v,
			snap->n_preview_pins, text_s(snap->n_preview_pins));
		col = put_whole(scr, row, col, STYLE_GHOST, text);
	}
	if (vf64_has(verdict->found_pct)) {
		snprintf(text, sizeof text, " · best found %.1f %%", verdict->found_pct.v);
		col = put_whole(scr, row, col, STYLE_NORMAL, text);
	}
	if (vf64_has(verdict->bound_pct)) {
		snprintf(text, sizeof text, " · no plan below %.1f %%", verdict->bound_pct.v);
		col = put_whole(scr, row, col, STYLE_NORMAL, text);
	}
	return col;
}

static int mode_words(struct screen *scr, int row, const char *what, bool on, bool waits, const char *policy)
{
	char text[80];
	int col = put(scr, row, 0, STYLE_DIM, what);
	if (on)
		col = put(scr, row, col, STYLE_GOOD, "AUTO   ");
	else if (waits)
		col = put(scr, row, col, STYLE_WARN, "WAITS  ");
	else
		col = put(scr, row, col, STYLE_BOLD, "MANUAL ");
	snprintf(text, sizeof text, "%s", policy);
	int width = scr->cols >= 100 ? 19 : scr->cols >= 60 ? 17 : 0;
	if (width)
		draw_cut(scr, row, col, width - 1, STYLE_DIM, text);
	return col + width;
}

static void cpu_line(const struct snapshot *snap, struct screen *scr, int row)
{
	char policy[64];
	if (snap->granularity == GRAN_AUTO) /* nobody is bound to anything */
		snprintf(policy, sizeof policy, "%s", cpu_policy_name(snap->cpu_policy));
	else
		snprintf(policy, sizeof policy, "%s per %s", cpu_policy_name(snap->cpu_policy),
			granularity_name(snap->granularity));
	int col = mode_words(scr, row, "CPU ", snap->auto_cpu, snap->waits_cpu, policy);
	col = certificate(snap, scr, row, col);
	if (col + 24 < scr->cols && snap->auto_cpu && snap->cpu.why.code != REASON_NONE) {
		char text[240];
		snprintf(text, sizeof text, " · %s",
			reason_text(snap->cpu.why.code)); /* the numbers are there */
		draw_cut(scr, row, col, scr->cols - col, STYLE_DIM, text);
	}
}

static const char *memory_state(enum host_mem_state state)
{
	if (state == HOST_MEM_HARD)
		return "HARD";
	return state == HOST_MEM_SOFT ? "SOFT" : "OK";
}

static void memory_line(const struct snapshot *snap, struct screen *scr, int row)
{
	const struct host_sample *host = &snap->sample.host;
	int col = mode_words(
		scr, row, "MEM ", snap->auto_memory, snap->waits_memory, mem_policy_name(snap->mem_policy));
	if (!vi64_has(host->total_kib) || !vi64_has(host->available_kib) || host->total_kib.v <= 0) {
		enum avail why =
			vi64_has(host->total_kib) ? host->available_kib.avail : host->total_kib.avail;
		screen_printf(
			scr, row, col, scr->cols - col, STYLE_DIM, "host memory -: %s", avail_text(why));
		return;
	}
	char total[16], avail[16], reserve[16], text[120];
	text_kib(total, sizeof total, host->total_kib.v);
	text_kib(avail, sizeof avail, host->available_kib.v);
	double used = 100.0 * (double)(host->total_kib.v - host->available_kib.v) / (double)host->total_kib.v;
	int bar = scr->cols >= 110 ? 30 : scr->cols >= 70 ? 12 : 0;
	bool tense = snap->memory.state != HOST_MEM_OK;
	struct meter meter = {
		.first = used, .tick = -1, .first_style = tense ? STYLE_HIGH : draw_load_style(used)};
	if (vi64_has(snap->memory.reserve_kib))
		meter.tick = 100 - 100.0 * (double)snap->memory.reserve_kib.v / (double)host->total_kib.v;
	if (bar) {
		draw_meter(scr, row, col, bar, &meter);
		col += bar + 1;
	}
	col = put(scr, row, col, tense ? STYLE_BAD : STYLE_GOOD, memory_state(snap->memory.state));
	snprintf(text, sizeof text, " · %s of %s free", avail, total);
	col = put_whole(scr, row, col, STYLE_NORMAL, text);
	if (vi64_has(snap->memory.reserve_kib)) {
		text_kib(reserve, sizeof reserve, snap->memory.reserve_kib.v);
		snprintf(text, sizeof text, " · reserve %s", reserve);
		put_whole(scr, row, col, STYLE_DIM, text);
	}
}

/* What the user must know now: our own word first, then the engine's, then the connection's. */
static const char *notice(const struct view *view, const struct snapshot *snap, char *buf, size_t len)
{
	const struct claim_status *status = &snap->backend.claim;
	if (view->message[0])
		return view->message;
	if (snap->notice[0])
		return snap->notice;
	if (snap->backend.text[0])
		return snap->backend.text;
	if (status->state == CLAIM_OTHER) {
		snprintf(buf, len, "%s steers this host", status->who);
		return buf;
	}
	return snap->sample.note;
}

enum { ALERT_ROW = 3, ROWS_WITH_ALERT = 12, ROWS_WITH_WORD = 6 };

int header_rows(int rows)
{
	if (rows >= ROWS_WITH_ALERT)
		return ALERT_ROW + 1;
	return rows >= 8 ? 2 : 1;
}

static void word_draw(const char *word, struct screen *scr, int row, int col)
{
	char text[300];
	text_safe(text, sizeof text, word);
	draw_cut(scr, row, col, scr->cols - col, STYLE_WARN, text);
}

/* Who suffers, and the word behind it: a row that is there whether there is something to say or not. */
static void alert_line(const struct view *view, const struct snapshot *snap, struct screen *scr)
{
	char buf[200];
	const char *word = notice(view, snap, buf, sizeof buf);
	int col = snap->first ? 0 : alert_draw(snap, scr, ALERT_ROW, word[0] ? scr->cols / 2 : scr->cols);
	if (word[0] && col)
		col += screen_text(scr, ALERT_ROW, col, scr->cols - col, STYLE_DIM, " · ");
	if (word[0])
		word_draw(word, scr, ALERT_ROW, col);
}

void header_draw(
	const struct view *view, const struct snapshot *snap, struct screen *scr, int rows, double age_s)
{
	identity_line(view, snap, scr, rows, age_s);
	if (rows >= 2 && !snap->first)
		cpu_line(snap, scr, 1);
	if (rows >= 3 && !snap->first)
		memory_line(snap, scr, 2);
	if (rows > ALERT_ROW)
		alert_line(view, snap, scr);
}

static int footer_width(const struct screen *scr, const struct key_row *key)
{
	return screen_columns(scr, key->footer) + 1 + screen_columns(scr, key->label);
}

int footer_keys_draw(struct screen *scr, const struct key_row *const *keys, int n, int *ends)
{
	int fit = 0, used = -1, col = 0;
	while (fit < n && used + 1 + footer_width(scr, keys[fit]) <= scr->cols)
		used += 1 + footer_width(scr, keys[fit++]);
	int gap = used + fit - 1 <= scr->cols ? 2 : 1;
	for (int i = 0; i < fit; i++) {
		col += screen_text(scr, scr->rows - 1, col, scr->cols - col, STYLE_KEY, keys[i]->footer) + 1;
		col += screen_text(scr, scr->rows - 1, col, scr->cols - col, STYLE_KEY_TEXT, keys[i]->label);
		if (ends)
			ends[i] = col;
		col += gap;
	}
	return fit;
}

/* The first keys of the view that fit; room between them only when all do. A small screen has the word there
 * instead, so that nothing else moves for it. */
void footer_draw(struct view *view, const struct snapshot *snap, struct screen *scr)
{
	char buf[200];
	const struct key_row *keys[FOOTER_KEYS];
	const char *word = notice(view, snap, buf, sizeof buf);
	if (word[0] && scr->rows >= ROWS_WITH_WORD && scr->rows < ROWS_WITH_ALERT) {
		word_draw(word, scr, scr->rows - 1, 0);
		return;
	}
	int n = (int)key_footer(view_place(view, snap), 1U << view->id, snap->readonly, keys, FOOTER_KEYS);
	view->hit.n_foot = footer_keys_draw(scr, keys, n, view->hit.foot_end);
	view->hit.foot_row = scr->rows - 1;
	for (int i = 0; i < view->hit.n_foot; i++)
		view->hit.foot[i] = keys[i]->keys[0];
}
