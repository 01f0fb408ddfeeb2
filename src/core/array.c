/* SPDX-License-Identifier: MIT */
/* Arrays that only grow. Invariant: a failure changes nothing. */
#include "vmtop/array.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

bool array_grow(void *array, size_t *cap, size_t want, size_t size)
{
	void **p = array;
	if (*p && want <= *cap)
		return true;
	size_t n = want + want / 2 + 8;
	void *bigger = reallocarray(*p, n, size);
	if (!bigger)
		return false;
	*p = bigger;
	*cap = n;
	return true;
}

void *array_more(void *array, size_t *n, size_t *cap, size_t most, size_t size)
{
	if (*n >= most || !array_grow(array, cap, *n + 1, size))
		return NULL;
	void *item = *(char **)array + (*n)++ * size;
	return memset(item, 0, size);
}
