/* SPDX-License-Identifier: MIT */
/* Which keys count. A key that makes the engine do something counts only when a person pressed it: alone,
 * with nothing right before or after it, and, where something is asked, after that was to be seen. Everything
 * else that comes acts on the screen at most. Pure. Private to src/ui. */
#ifndef UI_KEYS_GUARD_H
#define UI_KEYS_GUARD_H

#include "keys_read.h"
#include "vmtop/view.h"

enum {
	KEYS_ALONE_MS = 100, /* no other byte so long before and after */
	KEYS_SEEN_MS = 300   /* what is asked has been on the screen for so long */
};

enum keys_refusal { KEYS_TAKEN, KEYS_BURST, KEYS_DOUBT, KEYS_UNSEEN, KEYS_PASTED, KEYS_IGNORED, KEYS_LOST };

struct keys_guard {
	struct keys_reader reader;
	const unsigned char *bytes; /* that came and were not read yet */
	size_t n_bytes;
	int64_t bytes_ms;
	struct key_event held; /* a key that counts if nothing follows it */
	bool has_held;
	unsigned seen; /* what view_asked() said of the frame that is on the screen */
	int64_t seen_ms;
	enum keys_refusal refused; /* the last key that did not count, and why; until it is told */
	int refused_key;
};

void keys_guard_init(struct keys_guard *guard, const struct key_names *names, bool mouse);
/* Bytes that came by now_ms; they are not copied and are to be taken by keys_guard_next() before others. */
void keys_guard_put(struct keys_guard *guard, const unsigned char *bytes, size_t n, int64_t now_ms);
/* The next key for the view among these bytes. false: that was all. */
bool keys_guard_next(struct keys_guard *guard, const struct view *view, const struct snapshot *snap,
	struct key_event *event);
/* The same when it is certain that nothing has come up to now_ms. */
bool keys_guard_idle(struct keys_guard *guard, int64_t now_ms, struct key_event *event);
/* When keys_guard_idle() has something to do; -1: never. */
int64_t keys_guard_due(const struct keys_guard *guard);
/* A frame that asks this (view_asked()) has gone out to the terminal. */
void keys_guard_seen(struct keys_guard *guard, unsigned asked, int64_t now_ms);
/* Why the last key did not count, once, for the user; false: all did. */
bool keys_guard_word(struct keys_guard *guard, char *buf, size_t len);

#endif
