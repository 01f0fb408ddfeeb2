/* SPDX-License-Identifier: MIT */
/* The header and the footer. Invariant: every state is a word (MANUAL, AUTO, STALE 12 s), never a colour
 * alone, and the words are the last to go when the screen is small. */
#include <stdio.h>
#include <string.h>

#include "view_private.h"
#include "vmtop/text.h"

enum { KEY_RANKS = 32 };

/* What stands at the right end of the first line, most urgent first. */
static void state_words(const struct view *v, const struct snapshot *s, double age_s, char *buf, size_t len)
{
	double late = s->delay_s * 2 > s->delay_s + 2 ? s->delay_s * 2 : s->delay_s + 2;
	const char *link = s->backend.link == LINK_LOST         ? "RECONNECTING "
			   : s->backend.link == LINK_CONNECTING ? "CONNECTING "
			   : s->backend.link == LINK_SLOW       ? "SLOW "
								: "";
	char stale[32] = "";
	if (!s->first && !v->paused && !s->backend.replay && !v->past && age_s > late)
		snprintf(stale, sizeof stale, "STALE %.0f s ", age_s);
	snprintf(buf, len, "%s%s%s%s%s%s%s%s", link, stale, v->paused ? "PAUSED " : "",
		s->over ? "ENDED " : "",
		s->preview ? "PREVIEW "
		: v->edit  ? "PIN EDITOR "
			   : "",
		s->dry_run ? "DRY-RUN " : "", s->backend.recording[0] ? "REC " : "",
		v->past             ? "PAST "
		: s->backend.replay ? "REPLAY "
		: s->readonly       ? "READ-ONLY "
				    : "");
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

static void age_text(const struct view *v, const struct snapshot *s, double age_s, char *buf, size_t len)
{
	if (s->first)
		snprintf(buf, len, "no data yet");
	else if (s->backend.replay || v->past)
		text_time(buf, len, s->sample.wall_ns);
	else if (age_s <= s->delay_s)
		snprintf(buf, len, "data < %g s old", s->delay_s);
	else
		snprintf(buf, len, "data %.0f s old", age_s);
}

/* The longest of several ways to say it that fits. */
static void identity_text(const struct view *v, const struct snapshot *s, double age_s,
	const struct screen *to, int room, char *buf, size_t len)
{
	char uri[300], age[48], tail[4][240];
	const struct claim_status *c = &s->backend.claim;
	text_escape(uri, sizeof uri, s->backend.uri);
	age_text(v, s, age_s, age, sizeof age);
	snprintf(tail[0], sizeof tail[0], " · %s · %s, steers", age, c->who);
	snprintf(tail[1], sizeof tail[1], " · %s · steers", age);
	snprintf(tail[2], sizeof tail[2], " · %s", age);
	tail[3][0] = '\0';
	for (int i = c->state == CLAIM_OURS ? 0 : 2; i < 4; i++) {
		snprintf(buf, len, " %s · every %g s%s", uri, s->delay_s, tail[i]);
		if (screen_columns(to, buf) <= room)
			return;
	}
}

/* host · URI · every 2 s · data < 2 s old                 READ-ONLY */
static void identity_line(
	const struct view *v, const struct snapshot *s, struct screen *to, int rows, double age_s)
{
	char words[160], brief[32], text[600], host[160];
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
	identity_text(v, s, age_s, to, room - col, text, sizeof text);
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
	col = put(to, row, col,
		on      ? STYLE_GOOD
		: waits ? STYLE_WARN
			: STYLE_BOLD,
		on      ? "AUTO   "
		: waits ? "WAITS  "
			: "MANUAL ");
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
	return st == HOST_MEM_HARD ? "HARD" : st == HOST_MEM_SOFT ? "SOFT" : "OK";
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
	return rows >= ROWS_WITH_ALERT ? ALERT_ROW + 1 : rows >= 8 ? 2 : 1;
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

/* What the key would do, were it pressed now. */
static bool footer_has(const struct key_row *k, enum key_place where, bool readonly)
{
	return key_in(k, where) && key_find(k->keys[0], where, readonly) == k;
}

/* Columns that the keys of rank 1..most take, with `gap` blanks between them. */
static int footer_width(const struct screen *to, enum key_place where, bool readonly, int most, int gap)
{
	int n = -gap;
	for (size_t i = 0; i < key_count(); i++) {
		const struct key_row *k = key_at(i);
		if (footer_has(k, where, readonly) && k->rank && k->rank <= most)
			n += screen_columns(to, k->footer) + screen_columns(to, k->label) + 1 + gap;
	}
	return n;
}

/* The most important keys that fit; room between them only when all do. A small screen has the word there
 * instead, so that nothing else moves for it. */
void footer_draw(const struct view *v, const struct snapshot *s, struct screen *to)
{
	char buf[200];
	enum key_place where = view_place(v, s);
	const char *word = notice(v, s, buf, sizeof buf);
	if (word[0] && to->rows >= ROWS_WITH_WORD && to->rows < ROWS_WITH_ALERT) {
		word_draw(word, to, to->rows - 1, 0);
		return;
	}
	int most = 0, col = 0;
	while (most < KEY_RANKS && footer_width(to, where, s->readonly, most + 1, 1) <= to->cols)
		most++;
	int gap = footer_width(to, where, s->readonly, most, 2) <= to->cols ? 2 : 1;
	for (int rank = 1; rank <= most; rank++)
		for (size_t i = 0; i < key_count(); i++) {
			const struct key_row *k = key_at(i);
			if (!footer_has(k, where, s->readonly) || k->rank != rank)
				continue;
			col += screen_text(to, to->rows - 1, col, to->cols - col, STYLE_KEY, k->footer) + 1;
			col += screen_text(to, to->rows - 1, col, to->cols - col, STYLE_KEY_TEXT, k->label);
			col += gap;
		}
}
