/* SPDX-License-Identifier: MIT */
/* What goes to the terminal. ncurses writes a frame into memory; from there it goes out as fast as the line
 * takes it and never faster: nothing here blocks. Private to src/ui. */
#ifndef UI_OUT_H
#define UI_OUT_H

#include <stdbool.h>
#include <stddef.h>

struct out {
	int fd;  /* the terminal, opened again so that not to block is a property of ours alone */
	int mem; /* a file in memory that stands where ncurses believes the terminal to be */
	bool own;
	char *buf; /* what waits: buf[at..len) */
	size_t at, len, room;
};

/* From now on what is written to curses_fd, a copy of tty_fd, is collected. -1: out of memory or files. */
int out_open(struct out *out, int tty_fd, int curses_fd);
void out_done(struct out *out);
void out_add(struct out *out, const char *text);
/* Takes over what ncurses wrote, between two marks; nothing written, no marks. `shorten`, unless NULL, makes
 * it fewer bytes in place and returns how many. */
void out_take(
	struct out *out, const char *before, const char *after, size_t (*shorten)(char *bytes, size_t n));
/* Forgets what ncurses wrote since the last take. */
size_t out_discard(struct out *out, char *copy, size_t room);
/* Sends what the line takes now. true: nothing waits any more. */
bool out_flush(struct out *out);
bool out_waits(const struct out *out);
/* Sends all, but for no longer than this. */
bool out_drain(struct out *out, int ms);
/* Throws away what waits, here and in the kernel, for a line that has stopped: only `last` still goes out, as
 * far as there is room. */
void out_cut(struct out *out, const char *last, size_t n);

#endif
