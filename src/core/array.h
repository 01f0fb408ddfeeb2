/* SPDX-License-Identifier: MIT */
/* Arrays that only grow. Private to src/core. */
#ifndef VMTOP_CORE_ARRAY_H
#define VMTOP_CORE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

/* *array is a pointer to elements of `size` bytes with room for *cap: makes room for `want` and some more, so
 * that it is seldom. Never NULL afterwards, also for nothing. false: out of memory, and all is as before. */
bool array_grow(void *array, size_t *cap, size_t want, size_t size);

#endif
