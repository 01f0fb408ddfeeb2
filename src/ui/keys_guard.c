/* SPDX-License-Identifier: MIT */
/* Between the reader and the view. Invariant: a key that would send a command is given on only when no byte
 * came KEYS_ALONE_MS before or after it, it is no pasted text, nothing speaks for its being a part of an
 * escape sequence, and what it answers was on the screen. Knows no terminal and no clock. */
#include "keys_guard.h"

#include <stdio.h>

void keys_guard_init(struct keys_guard *guard, const struct key_names *names, bool mouse)
{
	*guard = (struct keys_guard){.seen_ms = INT64_MIN / 2};
	keys_read_init(&guard->reader, names, mouse);
}

static void refuse(struct keys_guard *guard, const struct key_event *event, enum keys_refusal why)
{
	guard->refused = why;
	guard->refused_key = event->key;
}

void keys_guard_put(struct keys_guard *guard, const unsigned char *bytes, size_t n, int64_t now_ms)
{
	guard->bytes = bytes;
	guard->n_bytes = n;
	guard->bytes_ms = now_ms;
	/* However late it is read: that it came too late to matter is not known. */
	if (guard->has_held && n)
		refuse(guard, &guard->held, KEYS_BURST);
	guard->has_held = guard->has_held && !n;
}

/* Pasted text is for the line that is being typed, and its controls not even for that. */
static enum keys_refusal judge_pasted(const struct view *view, int key)
{
	if (!view_typing(view))
		return KEYS_PASTED;
	return key >= 0x20 && key < VK_BASE ? KEYS_TAKEN : KEYS_IGNORED;
}

static enum keys_refusal judge(const struct keys_guard *guard, const struct view *view,
	const struct snapshot *snap, const struct key_event *event)
{
	if (event->pasted)
		return judge_pasted(view, event->key);
	if (!view_sends(view, event->key, snap))
		return KEYS_TAKEN;
	unsigned asked = view_asked(view, snap);
	if (event->doubtful)
		return KEYS_DOUBT;
	if (event->pause_ms < KEYS_ALONE_MS || guard->n_bytes)
		return KEYS_BURST;
	return asked && (asked != guard->seen || event->at_ms - guard->seen_ms < KEYS_SEEN_MS) ? KEYS_UNSEEN
											       : KEYS_TAKEN;
}

bool keys_guard_next(struct keys_guard *guard, const struct view *view, const struct snapshot *snap,
	struct key_event *event)
{
	while (guard->n_bytes) {
		guard->n_bytes--;
		if (!keys_read_byte(&guard->reader, *guard->bytes++, guard->bytes_ms, event))
			continue;
		enum keys_refusal why = judge(guard, view, snap, event);
		if (why != KEYS_TAKEN) {
			refuse(guard, event, why);
		} else if (!event->pasted && view_sends(view, event->key, snap)) {
			guard->held = *event;
			guard->has_held = true;
		} else {
			return true;
		}
	}
	return false;
}

/* From the last byte of the key on. */
static int64_t held_until(const struct keys_guard *guard)
{
	return guard->reader.last_ms + KEYS_ALONE_MS;
}

bool keys_guard_idle(struct keys_guard *guard, int64_t now_ms, struct key_event *event)
{
	if (guard->has_held && now_ms >= held_until(guard)) {
		*event = guard->held;
		guard->has_held = false;
		return true;
	}
	bool any = keys_read_idle(&guard->reader, now_ms, event);
	if (guard->reader.gave_up)
		refuse(guard, &(struct key_event){0}, KEYS_LOST);
	guard->reader.gave_up = false;
	return any;
}

int64_t keys_guard_due(const struct keys_guard *guard)
{
	int64_t due = keys_read_due(&guard->reader);
	if (!guard->has_held)
		return due;
	return due >= 0 && due < held_until(guard) ? due : held_until(guard);
}

void keys_guard_seen(struct keys_guard *guard, unsigned asked, int64_t now_ms)
{
	if (asked != guard->seen)
		guard->seen_ms = now_ms;
	guard->seen = asked;
}

bool keys_guard_word(struct keys_guard *guard, char *buf, size_t len)
{
	static const char *const words[] = {
		[KEYS_BURST] = "came together with other keys, as pasted text does; press it alone",
		[KEYS_DOUBT] = "came right after Esc or in an escape sequence; press it again",
		[KEYS_UNSEEN] = "came before the question could be read",
	};
	enum keys_refusal why = guard->refused;
	int key = guard->refused_key;
	const char *name = key == VK_ENTER ? "Enter" : key == ' ' ? "Space" : "the key";
	char letter[2] = {(char)key, '\0'};
	guard->refused = KEYS_TAKEN;
	if (why == KEYS_PASTED)
		snprintf(buf, len, "pasted text is not taken for keys");
	else if (why == KEYS_LOST)
		snprintf(buf, len, "keys right after Esc were taken for an escape sequence of the terminal");
	else if (why != KEYS_TAKEN && why != KEYS_IGNORED)
		snprintf(buf, len, "%s did nothing: it %s", key > ' ' && key < 0x7f ? letter : name,
			words[why]);
	return why != KEYS_TAKEN && why != KEYS_IGNORED;
}
