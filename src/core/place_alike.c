/* SPDX-License-Identifier: MIT */
/* Fresh estimates are noisy, and an exact search would build its plan on that noise. So on small hosts vCPUs
 * that differ by no more than their estimates may be off, and are clearly apart from all others, count as
 * equal: each with the mean of its group. Invariant: sums and the order of demands stay. */
#include <string.h>

#include "place.h"

/* The group that begins at place i of the order: its end, and whether it stands apart from what follows. */
static size_t group_end(const struct place_work *w, size_t i)
{
	size_t j = i + 1;
	for (; j < w->n; j++) {
		uint32_t a = w->order[j - 1], b = w->order[j];
		if (w->raw[a] - w->raw[b] > 1.5 * (w->unsure[a] + w->unsure[b]))
			break;
	}
	return j;
}

static bool group_is_clear(const struct place_work *w, size_t i, size_t j)
{
	double top = w->raw[w->order[i]], low = w->raw[w->order[j - 1]], unsure = w->unsure[w->order[i]];
	double widest = 5 * unsure; /* of a group, and what has to lie between it and others */
	if (j - i < 2 || top - low > widest)
		return false;
	return (i == 0 || w->raw[w->order[i - 1]] - top > widest) &&
	       (j == w->n || low - w->raw[w->order[j]] > widest);
}

bool place_alike(struct place_work *w)
{
	bool any = false;
	for (size_t i = 0, j; i < w->n; i = j) {
		j = group_end(w, i);
		if (!group_is_clear(w, i, j))
			continue;
		double sum = 0;
		for (size_t k = i; k < j; k++)
			sum += w->raw[w->order[k]];
		for (size_t k = i; k < j; k++)
			w->d[w->order[k]] = sum / (double)(j - i);
		any = true;
	}
	return any;
}

void place_plain(struct place_work *w)
{
	memcpy(w->d, w->raw, w->n * sizeof(*w->d));
}
