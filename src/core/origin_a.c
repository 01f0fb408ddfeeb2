/* SPDX-License-Identifier: MIT */
/* The preset origin-a: load of a pCPU is the usage of the vCPUs mapped to it; at a standard deviation of 5
 * points or more whole VMs are placed anew, by usage, descending, each on the pCPU with the least assigned so
 * far. The first sample is only stored: usage needs two, and the controller calls no policy before that.
 *
 * Differences from the design (man/origin-deviations.txt says why):
 * - a VM of which a vCPU may not be moved, or whose vCPUs have no pCPU in common, is left alone;
 * - what is left alone counts as already assigned;
 * - only pins that change something are made. */
#include <stdio.h>

#include "origin.h"
#include "vmtop/config.h"
#include "vmtop/text.h"

static bool vm_movable(const struct place_problem *prob, size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++)
		if (prob->tasks[i].fixed != REASON_NONE)
			return false;
	for (size_t unit = 0; unit < prob->n_units; unit++) {
		size_t in = first;
		while (in < first + n && origin_allowed(&prob->tasks[in], unit))
			in++;
		if (in == first + n)
			return true;
	}
	return false;
}

/* Tasks are sorted by VM. */
static size_t collect_vms(struct origin *origin, const struct place_problem *prob)
{
	size_t left_alone = 0;
	for (size_t i = 0, n; i < prob->n_tasks; i += n) {
		double usage = 0;
		for (n = 0; i + n < prob->n_tasks && prob->tasks[i + n].vm == prob->tasks[i].vm; n++)
			usage += prob->tasks[i + n].usage_pct;
		if (vm_movable(prob, i, n))
			origin->items[origin->n_items++] = (struct origin_item){usage, i, n};
		else
			left_alone++;
	}
	return left_alone;
}

static int origin_a_plan(void *state, const struct place_problem *prob, bool act, struct place_result *out)
{
	struct origin *origin = state;
	double mean, limit = prob->cfg->origin_a_sd_points;
	char measure[100];
	if (origin_begin(origin, prob, out, &mean) < 0)
		return -1;
	double sd = out->stddev_pct;
	out->limit_pct = limit;
	bool above = sd >= limit;
	snprintf(measure, sizeof measure, "sd %.1f %% %s %.1f %%", sd, above ? ">=" : "<", limit);
	if (!above && !prob->forced) {
		why_set(&out->why, REASON_BALANCED, "%s", measure);
		return 0;
	}
	size_t alone = collect_vms(origin, prob);
	if (!origin->n_items) {
		why_set(&out->why, REASON_NOTHING_ALLOWED, "%s: %zu VM%s, none can move as a whole", measure,
			alone, text_s(alone));
		return 0;
	}
	origin_greedy_round(origin, prob, act, measure, out);
	return 0;
}

const struct cpu_policy_ops cpu_policy_origin_a = {
	.create = origin_create,
	.destroy = origin_destroy,
	.crosses = true,
	.plan = origin_a_plan,
	.whole_vm = true,
};
