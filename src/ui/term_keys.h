/* SPDX-License-Identifier: MIT */
/* What terminfo knows of the keys of this terminal. Private to src/ui. */
#ifndef UI_TERM_KEYS_H
#define UI_TERM_KEYS_H

#include "keys_read.h"

/* After ncurses has read the description of the terminal. */
void term_key_names(struct key_names *names);
/* It speaks as ECMA-48 says, so that a private mode which it does not know is no text for it. */
bool term_takes_modes(void);

#endif
