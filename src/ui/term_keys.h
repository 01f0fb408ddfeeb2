/* SPDX-License-Identifier: MIT */
/* Keys of ncurses as keys of the view. Private to src/ui. */
#ifndef UI_TERM_KEYS_H
#define UI_TERM_KEYS_H

/* enum view_key; VK_END_OF_KEYS: a key without a meaning. */
int term_named(int curses_code);
/* The mouse event that waits, and where it was. */
int term_mouse(int *row, int *col);

#endif
