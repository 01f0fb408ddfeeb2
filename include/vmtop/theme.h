/* SPDX-License-Identifier: MIT */
/* How a style looks, as a table: one row a style and theme. Pure; the terminal turns rows into attributes. */
#ifndef VMTOP_THEME_H
#define VMTOP_THEME_H

#include <stddef.h>
#include <stdint.h>

#include "vmtop/style.h"

enum look_attr {
	LOOK_BOLD = 1 << 0,
	LOOK_DIM = 1 << 1,
	LOOK_REVERSE = 1 << 2,
	LOOK_UNDERLINE = 1 << 3,
};

struct look {
	int16_t fg, bg;  /* of 256 colours; -1: the terminal's own */
	int8_t fg8, bg8; /* of 8 colours; -1 as above */
	uint8_t attr;    /* enum look_attr, with colour */
	uint8_t mono;    /* enum look_attr, without colour */
};

struct theme {
	const char *name; /* config: theme = NAME */
	const char *help;
	const struct look *looks; /* STYLE_COUNT of them; NULL: the mono attributes of the default */
};

size_t theme_count(void);
const struct theme *theme_at(size_t i);
/* NULL or empty: the default theme; unknown: NULL. */
const struct theme *theme_find(const char *name);

#endif
