/* SPDX-License-Identifier: MIT */
/* What a placement and a move are worth: distances, costs, gains and the measures Q and F. Invariant: reads
 * the loads of the workspace and changes nothing. Knows no policy and no thresholds. */
#include <math.h>

#include "place.h"

bool place_ok(const struct place_work *work, uint32_t task, int unit)
{
	if (!work->wide[task] && !cpuset_has(work->allowed[task], unit))
		return false;
	return !work->node_bound[task] ||
	       work->prob->units[work->home[task]].node == work->prob->units[unit].node;
}

double place_distance(const struct place_work *work, int a, int b)
{
	const struct place_unit *unit = work->prob->units;
	if (unit[a].node != unit[b].node && unit[a].node >= 0 && unit[b].node >= 0)
		return 4;
	return unit[a].llc != unit[b].llc && unit[a].llc >= 0 && unit[b].llc >= 0 ? 2 : 1;
}

static bool on_memory(const struct place_work *work, uint64_t nodes, int unit)
{
	int node = work->prob->units[unit].node;
	return node < 0 || node >= 64 || (nodes >> node & 1);
}

double place_cost_far(const struct place_work *work, uint32_t t, int from, int to)
{
	const struct place_task *task = &work->prob->tasks[work->id[t]];
	double cost = work->weight[t] * place_distance(work, from, to);
	if (!task->mem_nodes)
		return cost;
	bool was = on_memory(work, task->mem_nodes, from), is = on_memory(work, task->mem_nodes, to);
	if (was == is)
		return cost;
	return is ? cost / 2 : cost * 2;
}

bool place_safe(const struct place_work *work, double p, int a, int z)
{
	double la = work->load[a] * work->inv[a], lz = work->load[z] * work->inv[z];
	if (lz + p * work->inv[z] > la + 1e-9)
		return false;
	return !work->smt || 2 * p * (la - lz) - p * p * (work->inv[a] + work->inv[z]) >= -1e-9;
}

double place_q(const struct place_work *work)
{
	double q = 0, mean = 0;
	for (size_t j = 0; j < work->n_units; j++)
		mean += work->load[j];
	mean /= work->pcpus;
	for (size_t j = 0; j < work->n_units; j++) {
		double dev = work->load[j] * work->inv[j] - mean;
		q += dev * dev / work->inv[j];
	}
	return q;
}

double place_q_core(const struct place_work *work)
{
	double q = 0, mean = 0;
	if (!work->smt)
		return 0;
	for (size_t j = 0; j < work->n_units; j++)
		mean += work->load[j];
	mean /= work->pcpus;
	for (size_t j = 0; j < work->n_units; j++) { /* each thread counts a share of its core */
		double dev = work->core_load[work->core[j]] * work->core_inv[work->core[j]] - mean;
		q += dev * dev;
	}
	return q;
}

double place_f(const struct place_work *work)
{
	return place_q(work) + place_q_core(work);
}

double place_sigma(const struct place_work *work, double q)
{
	return q > 0 && work->pcpus > 0 ? sqrt(q / work->pcpus) : 0;
}

double place_steps_cost(const struct place_work *work)
{
	double cost = 0;
	for (size_t i = 0; i < work->n_steps; i++)
		cost += place_cost(work, work->steps[i].task, work->steps[i].from, work->steps[i].to);
	return cost;
}
