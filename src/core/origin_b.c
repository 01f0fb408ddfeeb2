/* SPDX-License-Identifier: MIT */
/* The preset origin-b: load of a pCPU is what the host measured; when the standard deviation is above 5
 * points and not below that of the previous iteration, whether that one acted or not, the vCPUs are dealt by
 * usage, descending, in a zig-zag over the sorted pCPUs from a position that moves on by one each time. With
 * 4 pCPUs and position 2: 2 3 0 1, then 1 0 3 2.
 *
 * Differences from the design (man/origin-deviations.txt says why):
 * - where the host does not measure its pCPUs, the usage of the vCPUs mapped to them is taken, and said so;
 * - an iteration is a sample: a second round on the same sample compares with the same previous one;
 * - a vCPU that may not be moved is not dealt and its turn goes to the next;
 * - only pins that change something are made. */
#include <stdio.h>

#include "origin.h"
#include "vmtop/config.h"
#include "vmtop/text.h"

/* Unit of the k-th turn of the dealing. */
static size_t dealt(size_t k, size_t position, size_t m)
{
	size_t i = k % m;
	return (position + (k / m % 2 ? m - 1 - i : i)) % m;
}

/* Two rows of turns visit every unit. */
static int deal_to(const struct origin *origin, const struct place_task *task, size_t k)
{
	for (size_t i = 0; i < 2 * origin->n_open; i++) {
		size_t unit = origin->open[dealt(k + i, origin->position % origin->n_open, origin->n_open)];
		if (origin_allowed(task, unit))
			return (int)unit;
	}
	return -1;
}

/* The host's own figures in place of mapped usage; false: it has none. */
static bool measured_load(struct origin *origin, const struct place_problem *prob, struct place_result *out)
{
	double mean;
	for (size_t unit = 0; unit < prob->n_units; unit++)
		if (prob->units[unit].busy_pct < 0)
			return false;
	for (size_t unit = 0; unit < prob->n_units; unit++)
		origin->load[unit] = prob->units[unit].busy_pct;
	out->stddev_pct = out->after_pct = origin_stddev(origin, &mean);
	return true;
}

static void deal(struct origin *origin, const struct place_problem *prob)
{
	for (size_t i = 0; i < prob->n_tasks; i++)
		if (prob->tasks[i].fixed == REASON_NONE)
			origin->items[origin->n_items++] =
				(struct origin_item){prob->tasks[i].usage_pct, i, 1};
	origin_sort(origin);
	for (size_t k = 0; k < origin->n_items; k++)
		origin->to[origin->items[k].first] = deal_to(origin, &prob->tasks[origin->items[k].first], k);
	origin->position = (origin->position + 1) % origin->n_open;
}

static bool any_movable(const struct place_problem *prob)
{
	for (size_t i = 0; prob->n_units && i < prob->n_tasks; i++)
		if (prob->tasks[i].fixed == REASON_NONE)
			return true;
	return false;
}

/* The deviation of the iteration before this one; remembers this one. */
static double previous_sd(struct origin *origin, const struct place_problem *prob, double sd)
{
	if (origin->now_ns != prob->now_ns) {
		origin->previous_sd = origin->now_sd;
		origin->now_ns = prob->now_ns;
	}
	origin->now_sd = sd;
	return origin->previous_sd;
}

static int origin_b_plan(void *state, const struct place_problem *prob, bool act, struct place_result *out)
{
	struct origin *origin = state;
	double mean, limit = prob->cfg->origin_b_sd_points;
	char measure[140];
	if (origin_begin(origin, prob, out, &mean) < 0)
		return -1;
	bool measured = measured_load(origin, prob, out);
	double sd = out->stddev_pct, before = previous_sd(origin, prob, sd);
	bool above = sd > limit, falling = sd < before;
	out->limit_pct = limit;
	snprintf(measure, sizeof measure, "sd %.1f %% %s %.1f %%%s%s", sd, above ? ">" : "<=", limit,
		text_if(above && falling, ", but falling"),
		text_if(!measured, " by usage (the host measures no pCPU load)"));
	if (!prob->forced && (!above || falling))
		why_set(&out->why, above ? REASON_FALLING : REASON_BALANCED, "%s", measure);
	else if (!any_movable(prob))
		why_set(&out->why, REASON_NOTHING_ALLOWED, "%s: no vCPU may be moved", measure);
	else if (!act)
		why_set(&out->why, REASON_ZIGZAG, "%s", measure);
	else {
		deal(origin, prob);
		origin_moves(origin, prob, REASON_ZIGZAG, out);
		origin_acted(origin, REASON_ZIGZAG, measure, out);
	}
	return 0;
}

static void origin_b_mirror(void *to, const void *from)
{
	struct origin *t = to;
	const struct origin *f = from;
	t->position = f->position;
	t->previous_sd = f->previous_sd;
	t->now_sd = f->now_sd;
	t->now_ns = f->now_ns;
}

const struct cpu_policy_ops cpu_policy_origin_b = {
	.create = origin_create,
	.destroy = origin_destroy,
	.crosses = true,
	.plan = origin_b_plan,
	.mirror = origin_b_mirror,
};
