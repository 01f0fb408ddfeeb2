/* SPDX-License-Identifier: MIT */
/* Arrays that only grow: the room of what the core works with. Invariant: a failure changes nothing. */
#include "array.h"

#include <stdlib.h>

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
