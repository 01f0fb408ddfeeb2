/* SPDX-License-Identifier: MIT */
/* Between the reader and the view. Invariant: a key that would send a command is given on only when no byte
 * came KEYS_ALONE_MS before or after it, it is no pasted text, nothing speaks for its being a part of an
 * escape sequence, and what it answers was on the screen. Knows no terminal and no clock. */
#include "keys_guard.h"

#include <stdio.h>

void keys_guard_init(struct keys_guard *g, const struct key_names *names, bool mouse)
{
	*g = (struct keys_guard){.seen_ms = INT64_MIN / 2};
	keys_read_init(&g->reader, names, mouse);
}

static void refuse(struct keys_guard *g, const struct key_event *ev, enum keys_refusal why)
{
	g->refused = why;
	g->refused_key = ev->key;
}

void keys_guard_put(struct keys_guard *g, const unsigned char *bytes, size_t n, int64_t now_ms)
{
	g->bytes = bytes;
	g->n_bytes = n;
	g->bytes_ms = now_ms;
	/* However late it is read: that it came too late to matter is not known. */
	if (g->has_held && n)
		refuse(g, &g->held, KEYS_BURST);
	g->has_held = g->has_held && !n;
}

/* Pasted text is for the line that is being typed, and its controls not even for that. */
static enum keys_refusal judge_pasted(const struct view *v, int key)
{
	if (!view_typing(v))
		return KEYS_PASTED;
	return key >= 0x20 && key < VK_BASE ? KEYS_TAKEN : KEYS_IGNORED;
}

static enum keys_refusal judge(const struct keys_guard *g, const struct view *v, const struct snapshot *s,
	const struct key_event *ev)
{
	if (ev->pasted)
		return judge_pasted(v, ev->key);
	if (!view_sends(v, ev->key, s))
		return KEYS_TAKEN;
	unsigned asked = view_asked(v, s);
	if (ev->doubtful)
		return KEYS_DOUBT;
	if (ev->pause_ms < KEYS_ALONE_MS || g->n_bytes)
		return KEYS_BURST;
	return asked && (asked != g->seen || ev->at_ms - g->seen_ms < KEYS_SEEN_MS) ? KEYS_UNSEEN
										    : KEYS_TAKEN;
}

bool keys_guard_next(
	struct keys_guard *g, const struct view *v, const struct snapshot *s, struct key_event *ev)
{
	while (g->n_bytes) {
		g->n_bytes--;
		if (!keys_read_byte(&g->reader, *g->bytes++, g->bytes_ms, ev))
			continue;
		enum keys_refusal why = judge(g, v, s, ev);
		if (why != KEYS_TAKEN) {
			refuse(g, ev, why);
		} else if (!ev->pasted && view_sends(v, ev->key, s)) {
			g->held = *ev;
			g->has_held = true;
		} else {
			return true;
		}
	}
	return false;
}

/* From the last byte of the key on. */
static int64_t held_until(const struct keys_guard *g)
{
	return g->reader.last_ms + KEYS_ALONE_MS;
}

bool keys_guard_idle(struct keys_guard *g, int64_t now_ms, struct key_event *ev)
{
	if (g->has_held && now_ms >= held_until(g)) {
		*ev = g->held;
		g->has_held = false;
		return true;
	}
	bool any = keys_read_idle(&g->reader, now_ms, ev);
	if (g->reader.gave_up)
		refuse(g, &(struct key_event){0}, KEYS_LOST);
	g->reader.gave_up = false;
	return any;
}

int64_t keys_guard_due(const struct keys_guard *g)
{
	int64_t due = keys_read_due(&g->reader);
	if (!g->has_held)
		return due;
	return due >= 0 && due < held_until(g) ? due : held_until(g);
}

void keys_guard_seen(struct keys_guard *g, unsigned asked, int64_t now_ms)
{
	if (asked != g->seen)
		g->seen_ms = now_ms;
	g->seen = asked;
}

bool keys_guard_word(struct keys_guard *g, char *buf, size_t len)
{
	static const char *const words[] = {
		[KEYS_BURST] = "came together with other keys, as pasted text does; press it alone",
		[KEYS_DOUBT] = "came right after Esc or in an escape sequence; press it again",
		[KEYS_UNSEEN] = "came before the question could be read",
	};
	enum keys_refusal why = g->refused;
	int key = g->refused_key;
	const char *name = key == VK_ENTER ? "Enter" : key == ' ' ? "Space" : "the key";
	char letter[2] = {(char)key, '\0'};
	g->refused = KEYS_TAKEN;
	if (why == KEYS_PASTED)
		snprintf(buf, len, "pasted text is not taken for keys");
	else if (why == KEYS_LOST)
		snprintf(buf, len, "keys right after Esc were taken for an escape sequence of the terminal");
	else if (why != KEYS_TAKEN && why != KEYS_IGNORED)
		snprintf(buf, len, "%s did nothing: it %s", key > ' ' && key < 0x7f ? letter : name,
			words[why]);
	return why != KEYS_TAKEN && why != KEYS_IGNORED;
}
