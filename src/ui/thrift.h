/* SPDX-License-Identifier: MIT */
/* Fewer bytes for the same picture. Pure, private to src/ui. */
#ifndef UI_THRIFT_H
#define UI_THRIFT_H

#include <stddef.h>

/* Shortens in place what ncurses made of a frame; returns the bytes that are left. */
size_t thrift(char *bytes, size_t n);

#endif
