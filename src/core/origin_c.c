/* SPDX-License-Identifier: MIT */
/* The preset origin-c: load of a pCPU is the usage of the vCPUs mapped to it; above a standard deviation of 5
 * % of the mean the vCPUs are placed anew, by usage, descending, each on the pCPU with the least assigned so
 * far. With a mean of 0 the host is balanced.
 *
 * Differences from the design (man/origin-deviations.txt says why):
 * - a vCPU that may not be moved stays and counts as already assigned;
 * - a vCPU goes to the least assigned of the pCPUs it is allowed on;
 * - only pins that change something are made. */
#include <stdio.h>

#include "origin.h"
#include "vmtop/config.h"

static void collect_vcpus(struct origin *origin, const struct place_problem *prob)
{
	for (size_t i = 0; i < prob->n_tasks; i++)
		if (prob->tasks[i].fixed == REASON_NONE)
			origin->items[origin->n_items++] =
				(struct origin_item){prob->tasks[i].usage_pct, i, 1};
}

static int origin_c_plan(void *state, const struct place_problem *prob, bool act, struct place_result *out)
{
	struct origin *origin = state;
	double mean;
	char measure[100];
	if (origin_begin(origin, prob, out, &mean) < 0)
		return -1;
	double sd = out->stddev_pct, limit = mean * prob->cfg->origin_c_sd_pct / 100;
	out->limit_pct = limit;
	bool above = mean > 0 && sd > limit;
	snprintf(measure, sizeof measure, "sd %.1f %% %s %.1f %% (%g %% of the mean %.1f %%)", sd,
		above ? ">" : "<=", limit, prob->cfg->origin_c_sd_pct, mean);
	if (!above && !prob->forced) {
		why_set(&out->why, REASON_BALANCED, "%s", measure);
		return 0;
	}
	collect_vcpus(origin, prob);
	if (!origin->n_items) {
		why_set(&out->why, REASON_NOTHING_ALLOWED, "%s: no vCPU may be moved", measure);
		return 0;
	}
	origin_greedy_round(origin, prob, act, measure, out);
	return 0;
}

const struct cpu_policy_ops cpu_policy_origin_c = {
	.create = origin_create,
	.destroy = origin_destroy,
	.crosses = true,
	.plan = origin_c_plan,
};
