/* SPDX-License-Identifier: MIT */
/* The terminal given back when the program dies of a fault. Private to src/ui. */
#ifndef UI_CRASH_H
#define UI_CRASH_H

#include <stddef.h>
#include <termios.h>

enum { CRASH_BYTES = 256 };

/* From now on a fault sets the keyboard's modes before it takes its course. tty_fd is the terminal. */
void crash_install(int tty_fd, const struct termios *tty);
/* ... and writes these bytes to fd, which may be one that does not wait for a line. */
void crash_leaves(int fd, const char *leave, size_t n);
void crash_remove(void);

#endif
