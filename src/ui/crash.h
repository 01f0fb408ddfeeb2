/* SPDX-License-Identifier: MIT */
/* The terminal given back when the program dies of a fault. Private to src/ui. */
#ifndef UI_CRASH_H
#define UI_CRASH_H

#include <stddef.h>
#include <termios.h>

enum { CRASH_BYTES = 256 };

/* From now on a fault writes these bytes to fd and sets the keyboard's modes before it takes its course. */
void crash_install(int fd, const struct termios *tty, const char *leave, size_t n);
void crash_remove(void);

#endif
