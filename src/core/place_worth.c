/* SPDX-License-Identifier: MIT */
/* What a placement and a move are worth: distances, costs, gains and the measures Q and F. Invariant: reads
 * the loads of the workspace and changes nothing. Knows no policy and no thresholds. */
#include <math.h>

#include "place.h"

bool place_ok(const struct place_work *w, uint32_t t, int u)
{
	if (!w->wide[t] && !cpuset_has(w->allowed[t], u))
		return false;
	return !w->node_bound[t] || w->p->units[w->home[t]].node == w->p->units[u].node;
}

double place_distance(const struct place_work *w, int a, int b)
{
	const struct place_unit *u = w->p->units;
	if (u[a].node != u[b].node && u[a].node >= 0 && u[b].node >= 0)
		return 4;
	return u[a].llc != u[b].llc && u[a].llc >= 0 && u[b].llc >= 0 ? 2 : 1;
}

static bool on_memory(const struct place_work *w, uint64_t nodes, int u)
{
	int node = w->p->units[u].node;
	return node < 0 || node >= 64 || (nodes >> node & 1);
}

double place_cost_far(const struct place_work *w, uint32_t t, int from, int to)
{
	const struct place_task *task = &w->p->tasks[w->id[t]];
	double cost = w->weight[t] * place_distance(w, from, to);
	if (!task->mem_nodes)
		return cost;
	bool was = on_memory(w, task->mem_nodes, from), is = on_memory(w, task->mem_nodes, to);
	if (was == is)
		return cost;
	return is ? cost / 2 : cost * 2;
}

bool place_safe(const struct place_work *w, double p, int a, int z)
{
	double la = w->s[a] * w->ic[a], lz = w->s[z] * w->ic[z];
	if (lz + p * w->ic[z] > la + 1e-9)
		return false;
	return !w->smt || 2 * p * (la - lz) - p * p * (w->ic[a] + w->ic[z]) >= -1e-9;
}

double place_q(const struct place_work *w)
{
	double q = 0, mean = 0;
	for (size_t j = 0; j < w->m; j++)
		mean += w->s[j];
	mean /= w->pcpus;
	for (size_t j = 0; j < w->m; j++) {
		double dev = w->s[j] * w->ic[j] - mean;
		q += dev * dev / w->ic[j];
	}
	return q;
}

double place_q_core(const struct place_work *w)
{
	double q = 0, mean = 0;
	if (!w->smt)
		return 0;
	for (size_t j = 0; j < w->m; j++)
		mean += w->s[j];
	mean /= w->pcpus;
	for (size_t j = 0; j < w->m; j++) { /* each thread counts a share of its core */
		double dev = w->sc[w->core[j]] * w->icc[w->core[j]] - mean;
		q += dev * dev;
	}
	return q;
}

double place_f(const struct place_work *w)
{
	return place_q(w) + place_q_core(w);
}

double place_sigma(const struct place_work *w, double q)
{
	return q > 0 && w->pcpus > 0 ? sqrt(q / w->pcpus) : 0;
}

double place_steps_cost(const struct place_work *w)
{
	double cost = 0;
	for (size_t i = 0; i < w->n_steps; i++)
		cost += place_cost(w, w->steps[i].task, w->steps[i].from, w->steps[i].to);
	return cost;
}
