/* SPDX-License-Identifier: MIT */
/* Arrays that only grow, and places in sorted ones. */
#ifndef VMTOP_ARRAY_H
#define VMTOP_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

/* *array is a pointer to elements of `size` bytes with room for *cap: makes room for `want` and some more, so
 * that it is seldom. Never NULL afterwards, also for nothing. false: out of memory, and all is as before. */
bool array_grow(void *array, size_t *cap, size_t want, size_t size);
/* The same for one more after *n elements, which is counted, zeroed and returned. NULL: out of memory, or
 * there are `most` already. */
void *array_more(void *array, size_t *n, size_t *cap, size_t most, size_t size);

/* As bsearch(), but where the key is or would have to stand: the first of n sorted elements that does not
 * come before it. */
static inline size_t array_place(const void *key, const void *items, size_t n, size_t size,
	int (*compare)(const void *key, const void *item))
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (compare(key, (const char *)items + mid * size) > 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

#endif
