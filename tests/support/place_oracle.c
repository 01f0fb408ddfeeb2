/* SPDX-License-Identifier: MIT */
/* Proven optima by enumeration. */
#include "place_oracle.h"

#include <math.h>

enum { MAX_M = 32 };

struct walk {
	const struct place_case *c;
	double load[MAX_M], mean, best_q, target_q;
	int fewest;
};

static double walk_q(const struct walk *w)
{
	double q = 0;
	for (size_t j = 0; j < w->c->p.n_units; j++)
		q += (w->load[j] - w->mean) * (w->load[j] - w->mean);
	return q;
}

static void walk_on(struct walk *w, size_t t, int moves)
{
	if (w->fewest >= 0 && moves >= w->fewest && w->target_q >= 0)
		return;
	if (t == w->c->p.n_tasks) {
		double q = walk_q(w);
		w->best_q = fmin(w->best_q, q);
		if (q <= w->target_q * (1 + 1e-9) + 1e-9)
			w->fewest = moves;
		return;
	}
	const struct place_task *task = &w->c->tasks[t];
	for (int u = 0; u < (int)w->c->p.n_units; u++) {
		if (!cpuset_has(task->allowed, u))
			continue;
		double before = w->load[u];
		w->load[u] += task->demand_pct;
		walk_on(w, t + 1, moves + (u != task->unit));
		w->load[u] = before;
	}
}

static struct walk walk_all(const struct place_case *c, double target_q)
{
	struct walk w = {.c = c, .best_q = INFINITY, .target_q = target_q, .fewest = -1};
	for (size_t j = 0; j < c->p.n_units; j++)
		w.mean += w.load[j] = c->units[j].background_pct;
	for (size_t i = 0; i < c->p.n_tasks; i++)
		w.mean += c->tasks[i].demand_pct;
	w.mean /= (double)c->p.n_units;
	walk_on(&w, 0, 0);
	return w;
}

double oracle_best_sigma(const struct place_case *c)
{
	return sqrt(walk_all(c, -1).best_q / (double)c->p.n_units);
}

int oracle_fewest_moves(const struct place_case *c, double target)
{
	return walk_all(c, target * target * (double)c->p.n_units).fewest;
}
