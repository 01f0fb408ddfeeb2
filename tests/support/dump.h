/* SPDX-License-Identifier: MIT */
/* A screen as text. */
#ifndef TESTS_DUMP_H
#define TESTS_DUMP_H

#include "vmtop/screen.h"

/* Copies `from` onto `scr` with its top left corner at row, col, as the terminal lays overlays; clips. */
void screen_blit(struct screen *scr, const struct screen *from, int row, int col);
/* Dumps as text, trailing blanks cut, one line a row: what golden tests compare. The caller frees it. */
char *screen_dump(const struct screen *scr);

#endif
