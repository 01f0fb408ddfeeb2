/* SPDX-License-Identifier: MIT */
/* Bytes of a terminal to keys, by the structure that ECMA-48 gives them: what begins like an escape sequence
 * is taken to its end and is one key, one event, or nothing, however slowly it comes. Pure: times are given,
 * and no terminal is asked. Private to src/ui. */
#ifndef UI_KEYS_READ_H
#define UI_KEYS_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wchar.h>

enum {
	KEYS_ESC_MS = 25,        /* Escape alone so long is the key */
	KEYS_SURE_MS = 1000,     /* ... but what follows within this time may still belong to it */
	KEYS_SEQUENCE_MS = 3000, /* a sequence that stands still so long is given up */
	KEYS_SEQUENCE_MAX = 32,  /* bytes kept of one; a longer one is swallowed all the same */
	KEYS_NAME_BYTES = 12,
	KEYS_NAMES_MAX = 64
};

/* What terminfo says that a key sends. */
struct key_name {
	char bytes[KEYS_NAME_BYTES];
	size_t n;
	int key;
};
struct key_names {
	struct key_name rows[KEYS_NAMES_MAX];
	size_t n;
};

struct key_event {
	int key;       /* a character or enum view_key */
	int row, col;  /* with VK_CLICK and the wheel */
	bool pasted;   /* the terminal says that it is pasted text */
	bool doubtful; /* perhaps a part of a sequence, or named by a code instead of typed: steers nothing */
	int64_t pause_ms; /* nothing had come for so long before it */
	int64_t at_ms;    /* when its first byte came */
};

enum keys_state {
	KEYS_GROUND,
	KEYS_ESCAPE, /* after Escape */
	KEYS_CSI,
	KEYS_SS3,
	KEYS_NF,  /* after Escape and a sign */
	KEYS_ONE, /* one byte more */
	KEYS_STRING,
	KEYS_RAW,  /* so many bytes of any value */
	KEYS_NAMED /* inside what terminfo says that a key sends */
};

struct keys_reader {
	const struct key_names *names;
	bool mouse; /* reports are wanted; else they are swallowed */
	enum keys_state state;
	char buf[KEYS_SEQUENCE_MAX]; /* the sequence from its Escape on */
	size_t n;                    /* its length, also beyond what is kept */
	bool told;                   /* its Escape was given out as a key already */
	bool ends_string;            /* its Escape came inside a string */
	bool c1;                     /* it began with a control of eight bits */
	bool alt;                    /* a character of several bytes after Escape */
	bool pasting;
	bool in_char; /* inside a character of several bytes */
	bool gave_up; /* a sequence after a bare Escape had no end: the keys in it are lost */
	int raw_left;
	unsigned char raw_last;
	mbstate_t mb;
	int64_t last_ms, gap_ms;    /* of the byte that came last */
	int64_t first_ms, pause_ms; /* of the first byte of what is being read */
	int64_t doubt_until_ms;
};

/* names: what terminfo knows, kept by the caller; may be empty. Characters are those of the locale. */
void keys_read_init(struct keys_reader *reader, const struct key_names *names, bool mouse);
/* A byte that came at now_ms; true: that made *event. */
bool keys_read_byte(struct keys_reader *reader, unsigned char byte, int64_t now_ms, struct key_event *event);
/* Nothing has come up to now_ms: Escape alone becomes the key, what stands still is given up. true: that made
 * *event. */
bool keys_read_idle(struct keys_reader *reader, int64_t now_ms, struct key_event *event);
/* When keys_read_idle() has something to do; -1: never. */
int64_t keys_read_due(const struct keys_reader *reader);

/* keys_name.c: what a whole sequence, or the code of a coded key, stands for; VK_NONE: nothing here. */
int keys_name_csi(const char *body, size_t n); /* between ESC [ and its end, both included from after [ */
int keys_name_ss3(const char *body, size_t n);
int keys_name_coded(const char *body, size_t n);
/* A report of the mouse: VK_CLICK or the wheel with its place, from 0; VK_NONE: of no interest. */
int keys_name_mouse(const char *body, size_t n, int *row, int *col);
/* Plain bytes among terminfo's: the key; VK_NONE and *more: they may become one. */
int keys_name_known(const struct key_names *names, const char *bytes, size_t n, bool *more);

#endif
