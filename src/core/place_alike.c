/* SPDX-License-Identifier: MIT */
/* Fresh estimates are noisy, and an exact search would build its plan on that noise. So on small hosts vCPUs
 * that differ by no more than their estimates may be off, and are clearly apart from all others, count as
 * equal: each with the mean of its group. Invariant: sums and the order of demands stay. */
#include <string.h>

#include "place.h"

/* The group that begins at place i of the order: its end, and whether it stands apart from what follows. */
static size_t group_end(const struct place_work *work, size_t i)
{
	size_t j = i + 1;
	for (; j < work->n_tasks; j++) {
		uint32_t a = work->order[j - 1], b = work->order[j];
		if (work->raw[a] - work->raw[b] > 1.5 * (work->unsure[a] + work->unsure[b]))
			break;
	}
	return j;
}

static bool group_is_clear(const struct place_work *work, size_t i, size_t j)
{
	double top = work->raw[work->order[i]], low = work->raw[work->order[j - 1]],
	       unsure = work->unsure[work->order[i]];
	double widest = 5 * unsure; /* of a group, and what has to lie between it and others */
	if (j - i < 2 || top - low > widest)
		return false;
	return (i == 0 || work->raw[work->order[i - 1]] - top > widest) &&
	       (j == work->n_tasks || low - work->raw[work->order[j]] > widest);
}

bool place_alike(struct place_work *work)
{
	bool any = false;
	for (size_t i = 0, j; i < work->n_tasks; i = j) {
		j = group_end(work, i);
		if (!group_is_clear(work, i, j))
			continue;
		double sum = 0;
		for (size_t k = i; k < j; k++)
			sum += work->raw[work->order[k]];
		for (size_t k = i; k < j; k++)
			work->demand[work->order[k]] = sum / (double)(j - i);
		any = true;
	}
	return any;
}

void place_plain(struct place_work *work)
{
	memcpy(work->demand, work->raw, work->n_tasks * sizeof(*work->demand));
}
