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
static void state_words(const struct view *v, const struct snapshot *s, double age_s, char *buf, size_t len)
{
	double late = max_of(s->delay_s * 2, s->delay_s + 2);
	static const char *const links[] = {[LINK_OK] = "",
		[LINK_CONNECTING] = "CONNECTING ",
		[LINK_LOST] = "RECONNECTING ",
		[LINK_SLOW] = "SLOW "};
	static const char *const moments[] = {
		[MOMENT_NOW] = "", [MOMENT_PLAYED] = "REPLAY ", [MOMENT_KEPT] = "PAST "};
	const char *edits = v->editor.on ? "PIN EDITOR " : "";
	const char *reads = s->readonly ? "READ-ONLY " : "";
	char stale[32] = "";
	if (!s->first && !v->paused && s->moment == MOMENT_NOW && age_s > late)
		snprintf(stale, sizeof stale, "STALE %.0f s ", age_s);
	snprintf(buf, len, "%s%s%s%s%s%s%s%s", links[s->backend.link], stale, v->paused ? "PAUSED " : "",
		s->over ? "ENDED " : "", s->preview ? "PREVIEW " : edits, s->dry_run ? "DRY-RUN " : "",
		s->backend.recording[0] ? "REC " : "", s->moment == MOMENT_NOW ? reads : moments[s->moment]);
	size_t n = strlen(buf);
	if (n && n < len)
		buf[n - 1] = '\0';
}

static void auto_words(const struct snapshot *s, char *buf, size_t len)
{
	if (s->auto_cpu == s->auto_memory)
		snprintf(buf, len, "%s", s->auto_cpu ? "AUTO" : "MANUAL");
	else
		snprintf(buf, len, "%s", s->auto_cpu ? "AUTO cpu" : "AUTO mem");
}

static int put(struct screen *to, int row, int col, enum style st, const char *text)
{
	return col < to->cols ? col + screen_text(to, row, col, to->cols - col, st, text) : col;
}

/* Whole or not at all: half a number misleads. */
static int put_whole(struct screen *to, int row, int col, enum style st, const char *text)
{
	return col + screen_columns(to, text) <= to->cols ? put(to, row, col, st, text) : col;
}

/* When the data was taken: with its date where that is not now. */
static void when_text(const struct snapshot *s, char *buf, size_t len)
{
	time_t t = (time_t)(s->sample.wall_ns / 1000000000);
	struct tm tm;
	if (s->first)
		snprintf(buf, len, "no data yet");
	else if (!localtime_r(&t, &tm) || !strftime(buf, len, s->moment == MOMENT_NOW ? "%T" : "%F %T", &tm))
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
static void count_text(const struct snapshot *s, unsigned parts, char *buf, size_t len)
{
	size_t of[VM_KINDS] = {0}, all = s->sample.n_vms;
	for (size_t i = 0; i < all; i++)
		of[s->sample.vms[i].hung_since_ns ? HUNG : s->sample.vms[i].state]++;
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

static void head_text(const struct snapshot *s, unsigned parts, char *buf, size_t len)
{
	char uri[300], part[160];
	const struct claim_status *c = &s->backend.claim;
	text_escape(uri, sizeof uri, s->backend.uri);
	size_t n = (size_t)snprintf(buf, len, " %s", uri);
	if (parts & HEAD_EVERY)
		n += (size_t)snprintf(buf + n, len - n, " · every %g s", s->delay_s);
	when_text(s, part, sizeof part);
	if (parts & HEAD_WHEN)
		n += (size_t)snprintf(buf + n, len - n, " · %s", part);
	count_text(s, parts, part, sizeof part);
	if (parts & HEAD_LOAD && !s->first)
		n += (size_t)snprintf(buf + n, len - n, " · %s", part);
	if (parts & HEAD_LOAD && !s->first && vf64_has(s->busy_pct))
		n += (size_t)snprintf(buf + n, len - n, " · busy %.0f %%", s->busy_pct.v);
	if (parts & HEAD_STEERS && c->state == CLAIM_OURS)
		snprintf(buf + n, len - n, " · %s%ssteers", parts & HEAD_WHO ? c->who : "",
			parts & HEAD_WHO ? ", " : "");
}

/* The longest of several ways to say it that fits: what goes first is who steers, then how many run, then how
 * often is looked. buf has room for all parts. */
static void identity_text(const struct snapshot *s, const struct screen *to, int room, char *buf, size_t len)
{
	enum { CORE = HEAD_STEERS | HEAD_LOAD | HEAD_WHEN };
	static const unsigned ways[] = {CORE | HEAD_WHO | HEAD_RULE | HEAD_ODD | HEAD_EVERY,
		CORE | HEAD_RULE | HEAD_ODD | HEAD_EVERY, CORE | HEAD_ODD | HEAD_EVERY, CORE | HEAD_ODD,
		CORE | HEAD_EVERY, CORE, HEAD_STEERS | HEAD_WHEN, HEAD_WHEN, 0};
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		head_text(s, ways[i], buf, len);
		if (screen_columns(to, buf) <= room)
			return;
	}
}

/* host URI · every 2 s · 14:05:31 · 7 VMs running · busy 55 %      READ-ONLY */
static void identity_line(
	const struct view *v, const struct snapshot *s, struct screen *to, int rows, double age_s)
{
	char words[160], brief[32], text[900], host[160]; /* text has room for all parts of it */
	state_words(v, s, age_s, words, sizeof words);
	auto_words(s, brief, sizeof brief);
	if (rows == 1) { /* the lines that would say it are not there */
		size_t n = strlen(words);
		snprintf(words + n, sizeof words - n, "%s%s", n ? " " : "", brief);
	}
	int right = screen_columns(to, words);
	int room = to->cols - (right ? right + 1 : 0);
	text_escape(host, sizeof host, s->sample.host.hostname);
	int col = to->cols >= 60 ? put(to, 0, 0, STYLE_TITLE, "vmtop ") : 0;
	col = col < room ? col + screen_text(to, 0, col, room - col, STYLE_BOLD, host[0] ? host : "vmtop")
			 : col;
	identity_text(s, to, room - col, text, sizeof text);
	draw_cut(to, 0, col, room - col, STYLE_DIM, text);
	enum style st = s->backend.link == LINK_LOST || strstr(words, "STALE") ? STYLE_BAD : STYLE_WARN;
	if (right)
		screen_right(to, 0, right < to->cols ? to->cols - right : 0, right,
			words[0] == 'M' ? STYLE_DIM : st, words);
}

/* "sd 12.3 % over its limit of 5.0 % · best found 3.9 % · no plan below 3.2 %" */
static int certificate(const struct snapshot *s, struct screen *to, int row, int col)
{
	const struct cpu_verdict *c = &s->cpu;
	char text[sizeof c->why.text + 20];
	if (!vf64_has(c->stddev_pct)) {
		snprintf(text, sizeof text, "deviation -: %s",
			c->why.text[0] ? c->why.text : avail_text(c->stddev_pct.avail));
		draw_cut(to, row, col, to->cols - col, STYLE_DIM, text);
		return to->cols;
	}
	bool over = vf64_has(c->limit_pct) && c->stddev_pct.v > c->limit_pct.v;
	snprintf(text, sizeof text, "deviation %.1f %%", c->stddev_pct.v);
	col = put(to, row, col, over ? STYLE_WARN : STYLE_GOOD, text);
	if (vf64_has(c->limit_pct)) {
		snprintf(text, sizeof text, to->cols < 100 ? " %s %.1f %%" : " %s limit %.1f %%",
			over ? "over" : "within", c->limit_pct.v);
		col = put_whole(to, row, col, over ? STYLE_WARN : STYLE_NORMAL, text);
	}
	if (s->preview && vf64_has(s->preview_after_pct)) {
		snprintf(text, sizeof text, " → %.1f %% after %d pin%s", s->preview_after_pct.v,
			s->n_preview_pins, text_s(s->n_preview_pins));
		col = put_whole(to, row, col, STYLE_GHOST, text);
	}
	if (vf64_has(c->found_pct)) {
		snprintf(text, sizeof text, " · best found %.1f %%", c->found_pct.v);
		col = put_whole(to, row, col, STYLE_NORMAL, text);
	}
	if (vf64_has(c->bound_pct)) {
		snprintf(text, sizeof text, " · no plan below %.1f %%", c->bound_pct.v);
		col = put_whole(to, row, col, STYLE_NORMAL, text);
	}
	return col;
}

static int mode_words(struct screen *to, int row, const char *what, bool on, bool waits, const char *policy)
{
	char text[80];
	int col = put(to, row, 0, STYLE_DIM, what);
	if (on)
		col = put(to, row, col, STYLE_GOOD, "AUTO   ");
	else if (waits)
		col = put(to, row, col, STYLE_WARN, "WAITS  ");
	else
		col = put(to, row, col, STYLE_BOLD, "MANUAL ");
	snprintf(text, sizeof text, "%s", policy);
	int width = to->cols >= 100 ? 19 : to->cols >= 60 ? 17 : 0;
	if (width)
		draw_cut(to, row, col, width - 1, STYLE_DIM, text);
	return col + width;
}

static void cpu_line(const struct snapshot *s, struct screen *to, int row)
{
	char policy[64];
	if (s->granularity == GRAN_AUTO) /* nobody is bound to anything */
		snprintf(policy, sizeof policy, "%s", cpu_policy_name(s->cpu_policy));
	else
		snprintf(policy, sizeof policy, "%s per %s", cpu_policy_name(s->cpu_policy),
			granularity_name(s->granularity));
	int col = mode_words(to, row, "CPU ", s->auto_cpu, s->waits_cpu, policy);
	col = certificate(s, to, row, col);
	if (col + 24 < to->cols && s->auto_cpu && s->cpu.why.code != REASON_NONE) {
		char text[240];
		snprintf(
			text, sizeof text, " · %s", reason_text(s->cpu.why.code)); /* the numbers are there */
		draw_cut(to, row, col, to->cols - col, STYLE_DIM, text);
	}
}

static const char *memory_state(enum host_mem_state st)
{
	if (st == HOST_MEM_HARD)
		return "HARD";
	return st == HOST_MEM_SOFT ? "SOFT" : "OK";
}

static void memory_line(const struct snapshot *s, struct screen *to, int row)
{
	const struct host_sample *h = &s->sample.host;
	int col =
		mode_words(to, row, "MEM ", s->auto_memory, s->waits_memory, mem_policy_name(s->mem_policy));
	if (!vi64_has(h->total_kib) || !vi64_has(h->available_kib) || h->total_kib.v <= 0) {
		enum avail why = vi64_has(h->total_kib) ? h->available_kib.avail : h->total_kib.avail;
		screen_printf(to, row, col, to->cols - col, STYLE_DIM, "host memory -: %s", avail_text(why));
		return;
	}
	char total[16], avail[16], reserve[16], text[120];
	text_kib(total, sizeof total, h->total_kib.v);
	text_kib(avail, sizeof avail, h->available_kib.v);
	double used = 100.0 * (double)(h->total_kib.v - h->available_kib.v) / (double)h->total_kib.v;
	int bar = to->cols >= 110 ? 30 : to->cols >= 70 ? 12 : 0;
	bool tense = s->memory.state != HOST_MEM_OK;
	struct meter m = {
		.first = used, .tick = -1, .first_style = tense ? STYLE_HIGH : draw_load_style(used)};
	if (vi64_has(s->memory.reserve_kib))
		m.tick = 100 - 100.0 * (double)s->memory.reserve_kib.v / (double)h->total_kib.v;
	if (bar) {
		draw_meter(to, row, col, bar, &m);
		col += bar + 1;
	}
	col = put(to, row, col, tense ? STYLE_BAD : STYLE_GOOD, memory_state(s->memory.state));
	snprintf(text, sizeof text, " · %s of %s free", avail, total);
	col = put_whole(to, row, col, STYLE_NORMAL, text);
	if (vi64_has(s->memory.reserve_kib)) {
		text_kib(reserve, sizeof reserve, s->memory.reserve_kib.v);
		snprintf(text, sizeof text, " · reserve %s", reserve);
		put_whole(to, row, col, STYLE_DIM, text);
	}
}

/* What the user must know now: our own word first, then the engine's, then the connection's. */
static const char *notice(const struct view *v, const struct snapshot *s, char *buf, size_t len)
{
	const struct claim_status *c = &s->backend.claim;
	if (v->message[0])
		return v->message;
	if (s->notice[0])
		return s->notice;
	if (s->backend.text[0])
		return s->backend.text;
	if (c->state == CLAIM_OTHER) {
		snprintf(buf, len, "%s steers this host", c->who);
		return buf;
	}
	return s->sample.note;
}

enum { ALERT_ROW = 3, ROWS_WITH_ALERT = 12, ROWS_WITH_WORD = 6 };

int header_rows(int rows)
{
	if (rows >= ROWS_WITH_ALERT)
		return ALERT_ROW + 1;
	return rows >= 8 ? 2 : 1;
}

static void word_draw(const char *word, struct screen *to, int row, int col)
{
	char text[300];
	text_safe(text, sizeof text, word);
	draw_cut(to, row, col, to->cols - col, STYLE_WARN, text);
}

/* Who suffers, and the word behind it: a row that is there whether there is something to say or not. */
static void alert_line(const struct view *v, const struct snapshot *s, struct screen *to)
{
	char buf[200];
	const char *word = notice(v, s, buf, sizeof buf);
	int col = s->first ? 0 : alert_draw(s, to, ALERT_ROW, word[0] ? to->cols / 2 : to->cols);
	if (word[0] && col)
		col += screen_text(to, ALERT_ROW, col, to->cols - col, STYLE_DIM, " · ");
	if (word[0])
		word_draw(word, to, ALERT_ROW, col);
}

void header_draw(const struct view *v, const struct snapshot *s, struct screen *to, int rows, double age_s)
{
	identity_line(v, s, to, rows, age_s);
	if (rows >= 2 && !s->first)
		cpu_line(s, to, 1);
	if (rows >= 3 && !s->first)
		memory_line(s, to, 2);
	if (rows > ALERT_ROW)
		alert_line(v, s, to);
}

static int footer_width(const struct screen *to, const struct key_row *k)
{
	return screen_columns(to, k->footer) + 1 + screen_columns(to, k->label);
}

int footer_keys_draw(struct screen *to, const struct key_row *const *keys, int n, int *ends)
{
	int fit = 0, used = -1, col = 0;
	while (fit < n && used + 1 + footer_width(to, keys[fit]) <= to->cols)
		used += 1 + footer_width(to, keys[fit++]);
	int gap = used + fit - 1 <= to->cols ? 2 : 1;
	for (int i = 0; i < fit; i++) {
		col += screen_text(to, to->rows - 1, col, to->cols - col, STYLE_KEY, keys[i]->footer) + 1;
		col += screen_text(to, to->rows - 1, col, to->cols - col, STYLE_KEY_TEXT, keys[i]->label);
		if (ends)
			ends[i] = col;
		col += gap;
	}
	return fit;
}

/* The first keys of the view that fit; room between them only when all do. A small screen has the word there
 * instead, so that nothing else moves for it. */
void footer_draw(struct view *v, const struct snapshot *s, struct screen *to)
{
	char buf[200];
	const struct key_row *keys[FOOTER_KEYS];
	const char *word = notice(v, s, buf, sizeof buf);
	if (word[0] && to->rows >= ROWS_WITH_WORD && to->rows < ROWS_WITH_ALERT) {
		word_draw(word, to, to->rows - 1, 0);
		return;
	}
	int n = (int)key_footer(view_place(v, s), 1U << v->id, s->readonly, keys, FOOTER_KEYS);
	v->hit.n_foot = footer_keys_draw(to, keys, n, v->hit.foot_end);
	v->hit.foot_row = to->rows - 1;
	for (int i = 0; i < v->hit.n_foot; i++)
		v->hit.foot[i] = keys[i]->keys[0];
}
