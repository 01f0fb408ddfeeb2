/* SPDX-License-Identifier: MIT */
/* Another program on the terminal for a while. Private to src/ui. */
#ifndef UI_ASIDE_H
#define UI_ASIDE_H

#include "vmtop/config.h"

/* "man PAGE", "host NAME" or "host URI": runs it to its end on a terminal that was given back before. Returns
 * NULL, or why it did not run, in buf. */
const char *aside_run(const struct config *cfg, const char *what, char *buf, size_t len);

#endif
