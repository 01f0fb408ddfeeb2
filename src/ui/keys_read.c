/* SPDX-License-Identifier: MIT */
/* The reader of a terminal's bytes: one state, one byte at a time. Invariant: once Escape or a control of
 * eight bits has begun a sequence no byte of it is given out as a key, whether the sequence is known or not
 * and however long it takes; a bare Escape is given out early, and what might belong to it stays doubtful
 * until it is certain that it does not. Knows no terminal, no clock and no meaning of a key.
 *
 * Why not libtermkey (0.22, tried): it takes APC and SOS apart into keys even when they come whole, makes
 * a plain key of what kitty sends for one, and never tells Escape from the begin of a sequence unless it is
 * forced to after a wait; forced, it gives the bytes of a sequence that comes in pieces out as keys: of ESC ]
 * 1 1 ; r g b : b / b, cut in two, fifteen. Nor has it a word for a key that is in doubt. */
#include "keys_read.h"

#include <string.h>

#include "vmtop/view.h"

enum { ESC = 0x1b, CAN = 0x18, SUB = 0x1a, BEL = 0x07, C1_END = 0x9c };

static int take(struct keys_reader *r, unsigned char b, struct key_event *ev);

void keys_read_init(struct keys_reader *r, const struct key_names *names, bool mouse)
{
	*r = (struct keys_reader){.names = names, .mouse = mouse, .last_ms = INT64_MIN / 2};
	r->doubt_until_ms = INT64_MIN / 2;
}

static void keep(struct keys_reader *r, unsigned char b)
{
	if (r->n < sizeof r->buf)
		r->buf[r->n] = (char)b;
	r->n++;
}

static void doubt(struct keys_reader *r)
{
	r->doubt_until_ms = r->last_ms + KEYS_SURE_MS;
}

static void ground(struct keys_reader *r)
{
	r->state = KEYS_GROUND;
	r->n = 0;
	r->ends_string = r->c1 = r->alt = r->in_char = false;
	memset(&r->mb, 0, sizeof r->mb);
}

/* The sequence is broken: what comes next may be the rest of it. */
static int broken(struct keys_reader *r)
{
	ground(r);
	doubt(r);
	return VK_NONE;
}

static void begin(struct keys_reader *r)
{
	bool in_string = r->state == KEYS_STRING;
	ground(r);
	r->state = KEYS_ESCAPE;
	r->told = false;
	r->ends_string = in_string;
	r->first_ms = r->last_ms;
	keep(r, ESC);
}

/* A whole sequence by its bytes after ESC [ or ESC O, of which `at` are the introducer. */
static int named(struct keys_reader *r, size_t at, struct key_event *ev)
{
	const char *body = r->buf + at;
	size_t n = r->n - at;
	int key = VK_NONE;
	if (at == 2 && r->buf[1] == '[') {
		if (n == 4 && !memcmp(body, "200~", 4))
			r->pasting = true;
		else if (n == 4 && !memcmp(body, "201~", 4)) {
			r->pasting = false;
			doubt(r);
		} else if (body[n - 1] == 'm' || body[n - 1] == 'M' || body[0] == 'M')
			key = r->mouse ? keys_name_mouse(body, n, &ev->row, &ev->col) : VK_NONE;
		else if (!(key = keys_name_csi(body, n)))
			ev->doubtful = (key = keys_name_coded(body, n)) != VK_NONE;
	} else if (at == 2 && r->buf[1] == 'O') {
		key = keys_name_ss3(body, n);
	}
	return key;
}

/* By its structure the sequence is at its end; terminfo may know a longer one. */
static int whole(struct keys_reader *r, struct key_event *ev)
{
	bool fits = r->n <= sizeof r->buf, more = false;
	int key = fits ? keys_name_known(r->names, r->buf, r->n, &more) : VK_NONE;
	if (more) {
		r->state = KEYS_NAMED;
		return VK_NONE;
	}
	if (!key && fits && r->n > 2)
		key = named(r, 2, ev);
	ev->doubtful = ev->doubtful || r->told;
	ground(r);
	return r->pasting ? VK_NONE : key;
}

/* What comes after Escape to begin something longer. */
static bool introduces(unsigned char b, enum keys_state *to)
{
	switch (b) {
	case '[':
		*to = KEYS_CSI;
		return true;
	case 'O':
		*to = KEYS_SS3;
		return true;
	case 'N':
		*to = KEYS_ONE;
		return true;
	case ']': /* OSC, DCS, APC, PM, SOS */
	case 'P':
	case '_':
	case '^':
	case 'X':
		*to = KEYS_STRING;
		return true;
	default:
		return false;
	}
}

static int take_escape(struct keys_reader *r, unsigned char b, struct key_event *ev)
{
	bool told = r->told;
	if (r->ends_string && b == '\\') {
		ground(r);
		return VK_NONE;
	}
	if (introduces(b, &r->state)) {
		keep(r, b);
		return VK_NONE;
	}
	if (b == CAN || b == SUB)
		return broken(r);
	if (told) { /* Escape was a key of its own; this one still is in doubt */
		ground(r);
		r->first_ms = r->last_ms;
		r->pause_ms = r->gap_ms;
		ev->doubtful = true;
		return take(r, b, ev);
	}
	if (b >= 0x80) {
		ground(r);
		r->alt = true;
		return take(r, b, ev);
	}
	keep(r, b);
	if (b >= 0x20 && b < 0x30) {
		r->state = KEYS_NF;
		return VK_NONE;
	}
	/* with Alt: one key, which means nothing here */
	return whole(r, ev);
}

/* xterm's reports of three, of two and of six bytes that may have any value. */
static bool raw_follows(struct keys_reader *r, unsigned char last)
{
	bool more;
	if (r->n != 3 || keys_name_known(r->names, r->buf, r->n, &more))
		return false;
	r->raw_left = last == 'M' ? 3 : last == 't' ? 2 : last == 'T' ? 6 : 0;
	r->raw_last = 0;
	if (r->raw_left)
		r->state = KEYS_RAW;
	return r->raw_left > 0;
}

/* rxvt ends the keys that come with Shift by a byte that by the standard is none of the end. */
static bool rxvt_shift(const struct keys_reader *r, unsigned char b)
{
	if (b != '$' || r->n < 4 || r->n > 5)
		return false;
	for (size_t i = 2; i + 1 < r->n; i++)
		if (r->buf[i] < '0' || r->buf[i] > '9')
			return false;
	return true;
}

static int take_csi(struct keys_reader *r, unsigned char b, struct key_event *ev)
{
	if (b >= 0x80)
		return broken(r);
	if (b < 0x20 || b == 0x7f)
		return VK_NONE;
	keep(r, b);
	if (b < 0x40)
		return rxvt_shift(r, b) ? whole(r, ev) : VK_NONE;
	if (b == '[' && r->n == 3) {
		r->state = KEYS_ONE;
		return VK_NONE;
	}
	return raw_follows(r, b) ? VK_NONE : whole(r, ev);
}

static int take_ss3(struct keys_reader *r, unsigned char b, struct key_event *ev)
{
	keep(r, b);
	return (b >= '0' && b <= '9') || b == ';' ? VK_NONE : whole(r, ev);
}

/* Letters and signs after Escape and signs: sets of characters are chosen so. */
static int take_nf(struct keys_reader *r, unsigned char b, struct key_event *ev)
{
	keep(r, b);
	return b >= 0x20 && b < 0x30 ? VK_NONE : whole(r, ev);
}

static int take_one(struct keys_reader *r, unsigned char b, struct key_event *ev)
{
	keep(r, b);
	return whole(r, ev);
}

static int take_string(struct keys_reader *r, unsigned char b, struct key_event *ev)
{
	(void)ev;
	if ((b == BEL && r->buf[1] == ']') || (b == C1_END && r->c1))
		ground(r);
	return VK_NONE;
}

/* Where coordinates come as UTF-8 two bytes are one of them. */
static int take_raw(struct keys_reader *r, unsigned char b, struct key_event *ev)
{
	bool second = r->raw_last >= 0xc2 && r->raw_last < 0xe0 && b >= 0x80 && b < 0xc0;
	r->raw_last = second ? 0 : b;
	keep(r, b);
	if (!second)
		r->raw_left--;
	return r->raw_left ? VK_NONE : whole(r, ev);
}

static int take_named(struct keys_reader *r, unsigned char b, struct key_event *ev)
{
	bool more = false;
	keep(r, b);
	int key = keys_name_known(r->names, r->buf, r->n, &more);
	if (more)
		return VK_NONE;
	if (!key)
		return broken(r);
	ev->doubtful = r->told;
	ground(r);
	return r->pasting ? VK_NONE : key;
}

/* A control of eight bits is Escape and a byte of seven. */
static int take_c1(struct keys_reader *r, unsigned char c, struct key_event *ev)
{
	begin(r);
	r->c1 = true;
	enum keys_state to;
	if (introduces((unsigned char)(c - 0x40), &to))
		return take_escape(r, (unsigned char)(c - 0x40), ev);
	ground(r);
	return VK_NONE;
}

static int take_char(struct keys_reader *r, unsigned char b, struct key_event *ev)
{
	wchar_t wc = 0;
	char c = (char)b;
	bool inside = r->in_char, alt = r->alt;
	size_t rc = mbrtowc(&wc, &c, 1, &r->mb);
	if (rc == (size_t)-2) {
		if (!inside)
			r->first_ms = r->last_ms;
		r->in_char = true;
		return VK_NONE;
	}
	ground(r);
	if (rc != (size_t)-1)
		return wc >= 0x80 && wc < 0xa0 ? take_c1(r, (unsigned char)wc, ev) : alt ? VK_NONE : (int)wc;
	if (!inside && b >= 0x80 && b < 0xa0)
		return take_c1(r, b, ev);
	doubt(r);
	return inside ? take(r, b, ev) : VK_NONE;
}

static int take_ground(struct keys_reader *r, unsigned char b, struct key_event *ev)
{
	bool more = false;
	char c = (char)b;
	if (b < 0x20 && !r->pasting)
		keys_name_known(r->names, &c, 1, &more);
	if (more) {
		r->state = KEYS_NAMED;
		r->told = false;
		keep(r, b);
		return VK_NONE;
	}
	switch (b) {
	case 0:
		return VK_NONE;
	case '\t':
		return VK_TAB;
	case '\r':
	case '\n':
		return VK_ENTER;
	case 0x7f:
	case '\b':
		return VK_BACKSPACE;
	default:
		return b < 0x20 ? b : take_char(r, b, ev);
	}
}

/* Escape begins anew wherever it comes, CAN and SUB end what there is. */
static int take(struct keys_reader *r, unsigned char b, struct key_event *ev)
{
	static int (*const states[])(struct keys_reader *, unsigned char, struct key_event *) = {
		[KEYS_GROUND] = take_ground,
		[KEYS_ESCAPE] = take_escape,
		[KEYS_CSI] = take_csi,
		[KEYS_SS3] = take_ss3,
		[KEYS_NF] = take_nf,
		[KEYS_ONE] = take_one,
		[KEYS_STRING] = take_string,
		[KEYS_RAW] = take_raw,
		[KEYS_NAMED] = take_named,
	};
	if (b < 0x20 && r->in_char)
		broken(r);
	if (b == ESC) {
		begin(r);
		return VK_NONE;
	}
	if ((b == CAN || b == SUB) && r->state != KEYS_GROUND)
		return broken(r);
	return states[r->state](r, b, ev);
}

bool keys_read_byte(struct keys_reader *r, unsigned char byte, int64_t now_ms, struct key_event *ev)
{
	bool fresh = r->state == KEYS_GROUND && !r->in_char;
	r->gap_ms = now_ms - r->last_ms;
	r->last_ms = now_ms;
	if (fresh) {
		r->first_ms = now_ms;
		r->pause_ms = r->gap_ms;
	}
	*ev = (struct key_event){0};
	ev->key = take(r, byte, ev);
	ev->pasted = r->pasting;
	ev->doubtful = ev->doubtful || now_ms < r->doubt_until_ms;
	ev->at_ms = r->first_ms;
	ev->pause_ms = r->pause_ms;
	return ev->key != VK_NONE;
}

int64_t keys_read_due(const struct keys_reader *r)
{
	if (r->state == KEYS_ESCAPE && !r->told)
		return r->last_ms + KEYS_ESC_MS;
	if (r->state != KEYS_GROUND)
		return r->last_ms + (r->told || r->ends_string ? KEYS_SURE_MS : KEYS_SEQUENCE_MS);
	return r->in_char || r->pasting ? r->last_ms + KEYS_SEQUENCE_MS : -1;
}

bool keys_read_idle(struct keys_reader *r, int64_t now_ms, struct key_event *ev)
{
	int64_t due = keys_read_due(r);
	if (due < 0 || now_ms < due)
		return false;
	if (r->state == KEYS_ESCAPE && !r->told) {
		r->told = true;
		doubt(r);
		*ev = (struct key_event){.key = VK_ESC, .at_ms = r->first_ms, .pause_ms = r->pause_ms};
		return !r->ends_string && !r->pasting;
	}
	bool in_sequence = r->state != KEYS_GROUND && r->state != KEYS_ESCAPE;
	r->gave_up = r->gave_up || (in_sequence && r->told);
	r->pasting = false;
	ground(r);
	if (in_sequence)
		r->doubt_until_ms = now_ms + KEYS_SURE_MS;
	return false;
}
