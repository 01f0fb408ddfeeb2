/* SPDX-License-Identifier: MIT */
/* Descriptors of the test itself: how many are open, and what happens when there are too few. */
#ifndef TESTS_SUPPORT_DESCRIPTORS_H
#define TESTS_SUPPORT_DESCRIPTORS_H

#include <stdbool.h>

int open_files(void);
/* Calls run() with one descriptor more each time until it returns true; nothing may stay open. Returns how
 * many it took. */
int needs_files(bool (*run)(void));

#endif
