/* SPDX-License-Identifier: MIT */
/* The terminal: ncurses behind six functions. One thread. Private to src/ui. */
#ifndef UI_TERM_H
#define UI_TERM_H

#include <sys/types.h>

#include "vmtop/config.h"
#include "vmtop/err.h"
#include "vmtop/screen.h"

struct terminal;

/* Takes the terminal over. NULL with err: it cannot be used (TERM unset, dumb, unknown). */
struct terminal *term_open(const struct config *cfg, struct err *err);
/* Gives it back as it was; accepts NULL. */
void term_close(struct terminal *term);
/* Signals that a screen hears, readable from now on instead of handled; -1: errno says why. */
int term_signals(void);
void term_size(const struct terminal *term, int *rows, int *cols);
/* What was typed, after poll() told these events of standard input. -1: it has ended, so leave instead of
 * spinning. */
ssize_t term_read(unsigned char *bytes, size_t len, short events);
bool term_ascii(const struct terminal *term);
/* It has only the characters of the kernel's own console. */
bool term_console(const struct terminal *term);
enum graph term_graph(const struct terminal *term);
/* Takes another theme; the next draw shows it. */
void term_theme(struct terminal *term, const char *name);
/* Takes the new size from the kernel. */
void term_resize(struct terminal *term);
/* Everything is sent anew with the next draw. */
void term_redraw(struct terminal *term);
/* A frame has not gone out yet: no other is to be drawn before *fd, when it takes more, and term_flush() have
 * sent it. */
bool term_busy(const struct terminal *term, int *fd);
void term_flush(struct terminal *term);
/* base covers the terminal; over (NULL: none) stands on it at row, col. */
void term_draw(struct terminal *term, const struct screen *base, const struct screen *over, int row, int col);
/* What keys send by terminfo. */
struct key_names;
const struct key_names *term_names(const struct terminal *term);
/* All that was drawn has left for the screen. */
bool term_shown(const struct terminal *term);
/* Gives the terminal back, stops the process, and takes it again when continued. */
void term_suspend(struct terminal *term);
/* Gives the terminal to another program; term_resume() takes it again. */
void term_lend(struct terminal *term);
void term_mouse(struct terminal *term, bool on);
/* After a stop that was not ours, or another program. */
void term_resume(struct terminal *term);

#endif
