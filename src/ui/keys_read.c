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

static int take(struct keys_reader *reader, unsigned char b, struct key_event *event);

void keys_read_init(struct keys_reader *reader, const struct key_names *names, bool mouse)
{
	*reader = (struct keys_reader){.names = names, .mouse = mouse, .last_ms = INT64_MIN / 2};
	reader->doubt_until_ms = INT64_MIN / 2;
}

static void keep(struct keys_reader *reader, unsigned char b)
{
	if (reader->n < sizeof reader->buf)
		reader->buf[reader->n] = (char)b;
	reader->n++;
}

static void doubt(struct keys_reader *reader)
{
	reader->doubt_until_ms = reader->last_ms + KEYS_SURE_MS;
}

static void ground(struct keys_reader *reader)
{
	reader->state = KEYS_GROUND;
	reader->n = 0;
	reader->ends_string = reader->c1 = reader->alt = reader->in_char = false;
	memset(&reader->mb, 0, sizeof reader->mb);
}

/* The sequence is broken: what comes next may be the rest of it. */
static int broken(struct keys_reader *reader)
{
	ground(reader);
	doubt(reader);
	return VK_NONE;
}

static void begin(struct keys_reader *reader)
{
	bool in_string = reader->state == KEYS_STRING;
	ground(reader);
	reader->state = KEYS_ESCAPE;
	reader->told = false;
	reader->ends_string = in_string;
	reader->first_ms = reader->last_ms;
	keep(reader, ESC);
}

/* A whole sequence by its bytes after ESC [ or ESC O, of which `at` are the introducer. */
static int named(struct keys_reader *reader, size_t at, struct key_event *event)
{
	const char *body = reader->buf + at;
	size_t n = reader->n - at;
	int key = VK_NONE;
	if (at == 2 && reader->buf[1] == '[') {
		if (n == 4 && !memcmp(body, "200~", 4))
			reader->pasting = true;
		else if (n == 4 && !memcmp(body, "201~", 4)) {
			reader->pasting = false;
			doubt(reader);
		} else if (body[n - 1] == 'm' || body[n - 1] == 'M' || body[0] == 'M')
			key = reader->mouse ? keys_name_mouse(body, n, &event->row, &event->col) : VK_NONE;
		else if (!(key = keys_name_csi(body, n)))
			event->doubtful = (key = keys_name_coded(body, n)) != VK_NONE;
	} else if (at == 2 && reader->buf[1] == 'O') {
		key = keys_name_ss3(body, n);
	}
	return key;
}

/* By its structure the sequence is at its end; terminfo may know a longer one. */
static int whole(struct keys_reader *reader, struct key_event *event)
{
	bool fits = reader->n <= sizeof reader->buf, more = false;
	int key = fits ? keys_name_known(reader->names, reader->buf, reader->n, &more) : VK_NONE;
	if (more) {
		reader->state = KEYS_NAMED;
		return VK_NONE;
	}
	if (!key && fits && reader->n > 2)
		key = named(reader, 2, event);
	event->doubtful = event->doubtful || reader->told;
	ground(reader);
	return reader->pasting ? VK_NONE : key;
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

static int take_escape(struct keys_reader *reader, unsigned char b, struct key_event *event)
{
	bool told = reader->told;
	if (reader->ends_string && b == '\\') {
		ground(reader);
		return VK_NONE;
	}
	if (introduces(b, &reader->state)) {
		keep(reader, b);
		return VK_NONE;
	}
	if (b == CAN || b == SUB)
		return broken(reader);
	if (told) { /* Escape was a key of its own; this one still is in doubt */
		ground(reader);
		reader->first_ms = reader->last_ms;
		reader->pause_ms = reader->gap_ms;
		event->doubtful = true;
		return take(reader, b, event);
	}
	if (b >= 0x80) {
		ground(reader);
		reader->alt = true;
		return take(reader, b, event);
	}
	keep(reader, b);
	if (b >= 0x20 && b < 0x30) {
		reader->state = KEYS_NF;
		return VK_NONE;
	}
	/* with Alt: one key, which means nothing here */
	return whole(reader, event);
}

/* xterm's reports of three, of two and of six bytes that may have any value. */
static bool raw_follows(struct keys_reader *reader, unsigned char last)
{
	bool more;
	if (reader->n != 3 || keys_name_known(reader->names, reader->buf, reader->n, &more))
		return false;
	reader->raw_left = last == 'M' ? 3 : last == 't' ? 2 : last == 'T' ? 6 : 0;
	reader->raw_last = 0;
	if (reader->raw_left)
		reader->state = KEYS_RAW;
	return reader->raw_left > 0;
}

/* rxvt ends the keys that come with Shift by a byte that by the standard is none of the end. */
static bool rxvt_shift(const struct keys_reader *reader, unsigned char b)
{
	if (b != '$' || reader->n < 4 || reader->n > 5)
		return false;
	for (size_t i = 2; i + 1 < reader->n; i++)
		if (reader->buf[i] < '0' || reader->buf[i] > '9')
			return false;
	return true;
}

static int take_csi(struct keys_reader *reader, unsigned char b, struct key_event *event)
{
	if (b >= 0x80)
		return broken(reader);
	if (b < 0x20 || b == 0x7f)
		return VK_NONE;
	keep(reader, b);
	if (b < 0x40)
		return rxvt_shift(reader, b) ? whole(reader, event) : VK_NONE;
	if (b == '[' && reader->n == 3) {
		reader->state = KEYS_ONE;
		return VK_NONE;
	}
	return raw_follows(reader, b) ? VK_NONE : whole(reader, event);
}

static int take_ss3(struct keys_reader *reader, unsigned char b, struct key_event *event)
{
	keep(reader, b);
	return (b >= '0' && b <= '9') || b == ';' ? VK_NONE : whole(reader, event);
}

/* Letters and signs after Escape and signs: sets of characters are chosen so. */
static int take_nf(struct keys_reader *reader, unsigned char b, struct key_event *event)
{
	keep(reader, b);
	return b >= 0x20 && b < 0x30 ? VK_NONE : whole(reader, event);
}

static int take_one(struct keys_reader *reader, unsigned char b, struct key_event *event)
{
	keep(reader, b);
	return whole(reader, event);
}

static int take_string(struct keys_reader *reader, unsigned char b, struct key_event *event)
{
	(void)event;
	if ((b == BEL && reader->buf[1] == ']') || (b == C1_END && reader->c1))
		ground(reader);
	return VK_NONE;
}

/* Where coordinates come as UTF-8 two bytes are one of them. */
static int take_raw(struct keys_reader *reader, unsigned char b, struct key_event *event)
{
	bool second = reader->raw_last >= 0xc2 && reader->raw_last < 0xe0 && b >= 0x80 && b < 0xc0;
	reader->raw_last = second ? 0 : b;
	keep(reader, b);
	if (!second)
		reader->raw_left--;
	return reader->raw_left ? VK_NONE : whole(reader, event);
}

static int take_named(struct keys_reader *reader, unsigned char b, struct key_event *event)
{
	bool more = false;
	keep(reader, b);
	int key = keys_name_known(reader->names, reader->buf, reader->n, &more);
	if (more)
		return VK_NONE;
	if (!key)
		return broken(reader);
	event->doubtful = reader->told;
	ground(reader);
	return reader->pasting ? VK_NONE : key;
}

/* A control of eight bits is Escape and a byte of seven. */
static int take_c1(struct keys_reader *reader, unsigned char c, struct key_event *event)
{
	begin(reader);
	reader->c1 = true;
	enum keys_state to;
	if (introduces((unsigned char)(c - 0x40), &to))
		return take_escape(reader, (unsigned char)(c - 0x40), event);
	ground(reader);
	return VK_NONE;
}

static int take_char(struct keys_reader *reader, unsigned char b, struct key_event *event)
{
	wchar_t wc = 0;
	char c = (char)b;
	bool inside = reader->in_char, alt = reader->alt;
	size_t rc = mbrtowc(&wc, &c, 1, &reader->mb);
	if (rc == (size_t)-2) {
		if (!inside)
			reader->first_ms = reader->last_ms;
		reader->in_char = true;
		return VK_NONE;
	}
	ground(reader);
	if (rc != (size_t)-1)
		return wc >= 0x80 && wc < 0xa0 ? take_c1(reader, (unsigned char)wc, event)
		       : alt                   ? VK_NONE
					       : (int)wc;
	if (!inside && b >= 0x80 && b < 0xa0)
		return take_c1(reader, b, event);
	doubt(reader);
	return inside ? take(reader, b, event) : VK_NONE;
}

static int take_ground(struct keys_reader *reader, unsigned char b, struct key_event *event)
{
	bool more = false;
	char c = (char)b;
	if (b < 0x20 && !reader->pasting)
		keys_name_known(reader->names, &c, 1, &more);
	if (more) {
		reader->state = KEYS_NAMED;
		reader->told = false;
		keep(reader, b);
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
		return b < 0x20 ? b : take_char(reader, b, event);
	}
}

/* Escape begins anew wherever it comes, CAN and SUB end what there is. */
static int take(struct keys_reader *reader, unsigned char b, struct key_event *event)
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
	if (b < 0x20 && reader->in_char)
		broken(reader);
	if (b == ESC) {
		begin(reader);
		return VK_NONE;
	}
	if ((b == CAN || b == SUB) && reader->state != KEYS_GROUND)
		return broken(reader);
	return states[reader->state](reader, b, event);
}

bool keys_read_byte(struct keys_reader *reader, unsigned char byte, int64_t now_ms, struct key_event *event)
{
	bool fresh = reader->state == KEYS_GROUND && !reader->in_char;
	reader->gap_ms = now_ms - reader->last_ms;
	reader->last_ms = now_ms;
	if (fresh) {
		reader->first_ms = now_ms;
		reader->pause_ms = reader->gap_ms;
	}
	*event = (struct key_event){0};
	event->key = take(reader, byte, event);
	event->pasted = reader->pasting;
	event->doubtful = event->doubtful || now_ms < reader->doubt_until_ms;
	event->at_ms = reader->first_ms;
	event->pause_ms = reader->pause_ms;
	return event->key != VK_NONE;
}

int64_t keys_read_due(const struct keys_reader *reader)
{
	if (reader->state == KEYS_ESCAPE && !reader->told)
		return reader->last_ms + KEYS_ESC_MS;
	if (reader->state != KEYS_GROUND)
		return reader->last_ms +
		       (reader->told || reader->ends_string ? KEYS_SURE_MS : KEYS_SEQUENCE_MS);
	return reader->in_char || reader->pasting ? reader->last_ms + KEYS_SEQUENCE_MS : -1;
}

bool keys_read_idle(struct keys_reader *reader, int64_t now_ms, struct key_event *event)
{
	int64_t due = keys_read_due(reader);
	if (due < 0 || now_ms < due)
		return false;
	if (reader->state == KEYS_ESCAPE && !reader->told) {
		reader->told = true;
		doubt(reader);
		*event = (struct key_event){
			.key = VK_ESC, .at_ms = reader->first_ms, .pause_ms = reader->pause_ms};
		return !reader->ends_string && !reader->pasting;
	}
	bool in_sequence = reader->state != KEYS_GROUND && reader->state != KEYS_ESCAPE;
	reader->gave_up = reader->gave_up || (in_sequence && reader->told);
	reader->pasting = false;
	ground(reader);
	if (in_sequence)
		reader->doubt_until_ms = now_ms + KEYS_SURE_MS;
	return false;
}
