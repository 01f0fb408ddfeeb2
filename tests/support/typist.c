/* SPDX-License-Identifier: MIT */
#include "support/typist.h"

#include <stdio.h>
#include <string.h>

#include "vmtop/text.h"

/* Last, for they define words as common as "columns". */
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <term.h>

#include "../../src/ui/term_keys.h"

static const char *const terms[TYPIST_TERMS] = {"xterm-256color", "xterm", "linux", "screen-256color",
	"tmux-256color", "rxvt", "vt100", "vt220", "ansi", "sun"};

const char *typist_term(unsigned i)
{
	return terms[i % TYPIST_TERMS];
}

/* Reading a description costs more than all else: each is read once. */
static bool names_of(struct key_names *names, const char *term)
{
	static struct key_names known[TYPIST_TERMS];
	static bool have[TYPIST_TERMS];
	int bad;
	for (size_t i = 0; i < TYPIST_TERMS; i++) {
		if (strcmp(terms[i], term) != 0)
			continue;
		if (!have[i] && setupterm(term, 1, &bad) == OK) {
			term_key_names(&known[i]);
			del_curterm(cur_term);
			have[i] = true;
		}
		*names = known[i];
		return have[i];
	}
	return false;
}

bool typist_open(struct typist *t, const char *term)
{
	struct config cfg = {.delay_s = 2};
	*t = (struct typist){.now_ms = 1000000};
	t->v = view_new(&cfg);
	t->s = bigsnap_new(16, 8);
	view_feed(t->v, t->s);
	bool known = names_of(&t->names, term);
	keys_guard_init(&t->guard, &t->names, false);
	return known;
}

void typist_close(struct typist *t)
{
	view_free(t->v);
	bigsnap_free(t->s);
}

/* Controls inside of a sequence are no part of it and do not end it, but for Escape, CAN and SUB. */
static size_t skip(const unsigned char *b, size_t n, size_t i, unsigned from, unsigned to)
{
	for (; i < n; i++) {
		bool control = (b[i] < 0x20 && b[i] != 0x1b && b[i] != 0x18 && b[i] != 0x1a) || b[i] == 0x7f;
		if (!control && (b[i] < from || b[i] >= to))
			break;
	}
	return i;
}

/* How long the sequence is that begins here, by its bytes alone; 0: none begins. Not by states, but by
 * looking at the whole, so that it does not repeat the mistakes of the reader. */
static size_t span(const unsigned char *b, size_t n)
{
	if (n < 2 || b[0] != 0x1b)
		return 0;
	size_t i = 2;
	if (b[1] == '[') {
		i = skip(b, n, i, 0x30, 0x40);
		i = skip(b, n, i, 0x20, 0x30);
		return i < n && b[i] >= 0x40 && b[i] < 0x7f ? i + 1 : i;
	}
	if (b[1] == 'O' || b[1] == 'N')
		return n < 3 ? n : 3;
	if (strchr("]P_^X", b[1]) && b[1]) {
		for (; i < n; i++)
			if ((b[i] == 7 && b[1] == ']') || b[i] == 0x18 || b[i] == 0x1a || b[i] == 0x1b)
				return b[i] == 0x1b && i + 1 < n && b[i + 1] == '\\' ? i + 2 : i;
		return n;
	}
	return 2;
}

/* The byte is inside of a sequence whose bytes came without a long pause. */
static bool inside_sequence(const struct typist *t, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		size_t n = span(t->bytes + i, t->n - i), k = i + 1;
		while (k <= at && t->at_ms[k] - t->at_ms[k - 1] < KEYS_SURE_MS)
			k++;
		if (i + n > at && k > at)
			return true;
	}
	return false;
}

/* Escape alone came shortly before. */
static bool after_escape(const struct typist *t, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (t->bytes[i] == 0x1b && t->at_ms[i + 1] - t->at_ms[i] > KEYS_ESC_MS &&
			t->at_ms[at] - t->at_ms[i] < KEYS_SURE_MS)
			return true;
	return false;
}

/* A sequence that stands still so long is given up, and what comes then is a key of its own; sooner where its
 * Escape was given out as a key already. */
static bool held_together(const struct typist *t, size_t first)
{
	bool told = t->at_ms[first + 1] - t->at_ms[first] > KEYS_ESC_MS;
	int64_t still_ms = told ? KEYS_SURE_MS : KEYS_SEQUENCE_MS;
	for (size_t i = first + 1; i < t->n; i++)
		if (t->at_ms[i] - t->at_ms[i - 1] >= still_ms)
			return false;
	return true;
}

/* Where the key begins that ends with the last byte: itself, or the sequence that it ends. */
static size_t key_start(const struct typist *t)
{
	size_t last = t->n - 1;
	for (size_t i = 0; i < last; i++) {
		size_t n = span(t->bytes + i, t->n - i);
		if (n > 2 && i + n == t->n && held_together(t, i))
			return i;
	}
	return last;
}

static void complain(struct typist *t, const char *why, const struct command *c)
{
	if (!t->wrong[0])
		snprintf(t->wrong, sizeof t->wrong, "command %d, byte %zu of %zu: %s", (int)c->kind, t->n,
			t->n, why);
}

static void judge(struct typist *t, const struct command *c, unsigned asked)
{
	size_t last = t->n - 1, first = key_start(t);
	if (t->now_ms - t->at_ms[last] < KEYS_ALONE_MS)
		complain(t, "it did not wait for what comes after the key", c);
	if (first > 0 && t->at_ms[first] - t->at_ms[first - 1] < KEYS_ALONE_MS)
		complain(t, "something came right before the key", c);
	if (first == last && (inside_sequence(t, last) || after_escape(t, last)))
		complain(t, "the key belongs to an escape sequence", c);
	if (asked && (asked != t->shown || t->at_ms[first] - t->shown_ms < KEYS_SEEN_MS))
		complain(t, "what it answers was not to be read", c);
}

/* What a stray byte may do: nothing that lasts. */
static bool harmless(const struct command *c)
{
	return c->kind == CMD_PREVIEW_DROP || c->kind == CMD_REPLAY || (c->kind == CMD_QUIT && !c->on);
}

static void give(struct typist *t, const struct key_event *ev)
{
	struct command c;
	unsigned asked = view_asked(t->v, t->s);
	t->keys++;
	t->key = ev->key;
	if (ev->key >= VK_CLICK && ev->key <= VK_WHEEL_DOWN) {
		view_mouse(t->v, ev->row, ev->col, ev->key, t->s);
		return;
	}
	for (bool more = view_key(t->v, ev->key, t->s, &c); more; more = view_more(t->v, &c)) {
		t->last = c;
		if (!harmless(&c)) {
			t->commands++;
			judge(t, &c, asked);
		}
		if (c.kind == CMD_PREVIEW || c.kind == CMD_PREVIEW_APPLY || c.kind == CMD_PREVIEW_DROP) {
			t->s->preview = c.kind == CMD_PREVIEW;
			view_feed(t->v, t->s);
		}
	}
}

/* What the loop does between two waits: a frame goes out. */
static void show(struct typist *t)
{
	unsigned asked = view_asked(t->v, t->s);
	if (t->blind)
		return;
	if (asked != t->shown)
		t->shown_ms = t->now_ms;
	t->shown = asked;
	keys_guard_seen(&t->guard, asked, t->now_ms);
}

void typist_wait(struct typist *t, int64_t ms)
{
	struct key_event ev;
	int64_t until = t->now_ms + ms;
	for (int64_t due; (due = keys_guard_due(&t->guard)) >= 0 && due < until;) {
		t->now_ms = due > t->now_ms ? due : t->now_ms;
		while (keys_guard_idle(&t->guard, t->now_ms, &ev))
			give(t, &ev);
		show(t);
	}
	t->now_ms = until;
}

void typist_bytes(struct typist *t, const char *bytes, size_t n)
{
	struct key_event ev;
	const unsigned char *b = (const unsigned char *)bytes;
	keys_guard_put(&t->guard, b, n, t->now_ms);
	for (size_t i = 0; i < n && t->n < TYPIST_BYTES; i++) {
		t->bytes[t->n] = b[i];
		t->at_ms[t->n++] = t->now_ms;
	}
	while (keys_guard_next(&t->guard, t->v, t->s, &ev))
		give(t, &ev);
	show(t);
}

void typist_slowly(struct typist *t, const char *bytes, size_t n, int64_t gap_ms)
{
	for (size_t i = 0; i < n; i++) {
		typist_wait(t, gap_ms);
		typist_bytes(t, bytes + i, 1);
	}
}

void typist_keys(struct typist *t, const char *keys)
{
	typist_slowly(t, keys, strlen(keys), 400);
	typist_wait(t, 400);
}
