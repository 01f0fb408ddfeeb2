/* SPDX-License-Identifier: MIT */
/* What the terminal's own files share: term.c takes and gives back, term_draw.c copies cells. Private to
 * them. */
#ifndef UI_TERM_PRIVATE_H
#define UI_TERM_PRIVATE_H

#include <stdio.h>
#include <termios.h>

#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <panel.h>

#include "crash.h"
#include "out.h"
#include "term.h"
#include "term_keys.h"

#define SYNC_BEGIN  "\033[?2026h"
#define SYNC_END    "\033[?2026l"
#define PASTE_START "\033[?2004h"
#define PASTE_STOP  "\033[?2004l"
#define MOUSE_START "\033[?1000h\033[?1006h"
#define MOUSE_STOP  "\033[?1006l\033[?1000l"

struct terminal {
	SCREEN *screen;
	FILE *file; /* what ncurses believes to be the terminal */
	WINDOW *over;
	PANEL *panel;
	attr_t attr[STYLE_COUNT];
	short pair[STYLE_COUNT];
	bool unseen[STYLE_COUNT]; /* on a blank */
	bool ascii, console, color, sync;
	const char *on, *off; /* the modes that we switch on, and the same off again */
	struct key_names names;
	struct out out;
	struct screen drawn;           /* what stdscr holds; no rows: not known */
	struct termios before, during; /* the keyboard's modes outside and inside vmtop */
	char leave[CRASH_BYTES];       /* the bytes that give the terminal back */
	size_t n_leave;
};

/* Colours may be used; starts them. */
bool term_colors(const struct config *cfg);

#endif
