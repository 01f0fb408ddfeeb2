/* SPDX-License-Identifier: MIT */
/* The same deviation with fewer moves: a tabu search around a plan that works. It takes the least useful move
 * out and then exchanges moves, one at a time, for others of no more cost until the goal is met again. Its
 * effort is counted in evaluations, not in time, so the answer does not depend on the machine. Invariant:
 * best[] is always a plan that meets the goal. */
#include <math.h>
#include <string.h>

#include "vmtop/minmax.h"

#include "place.h"

#define EPS 1e-7

struct search {
	struct place_work *work;
	double goal_f, f, cost, allowed; /* now, and what a better plan may cost */
	double least_cost;
	size_t moved, least_moves, max_steps;
	size_t left; /* evaluations */
	uint32_t round, random;
};

struct change {
	uint32_t drop, take; /* UINT32_MAX: none */
	int to;
	double f;
};

static uint32_t search_random(struct search *search, uint32_t below)
{
	search->random = search->random * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(search->random >> 8) * below >> 24);
}

static double task_cost(const struct search *search, uint32_t task)
{
	const struct place_work *work = search->work;
	return work->at[task] == work->home[task] ? 0
						  : place_cost(work, task, work->home[task], work->at[task]);
}

static void task_put(struct search *search, uint32_t task, int z)
{
	struct place_work *work = search->work;
	search->cost -= task_cost(search, task);
	search->moved -= work->at[task] != work->home[task];
	search->f -= place_gain(work, work->demand[task], work->at[task], z);
	place_add(work, work->at[task], -work->demand[task]);
	place_add(work, z, work->demand[task]);
	work->at[task] = z;
	search->moved += z != work->home[task];
	search->cost += task_cost(search, task);
}

static bool tabu(const struct search *search, uint32_t task)
{
	return search->work->tmp[task] > search->round;
}

/* Task task from where it is to the lowest unit of a range, `base` being F now. */
static void take_try(const struct search *search, uint32_t task, uint32_t lo, uint32_t hi, uint32_t drop,
	struct change *best)
{
	const struct place_work *work = search->work;
	int z = place_lowest(work, lo, hi), a = work->at[task];
	if (!work->wide[task] || work->node_bound[task])
		z = place_lowest_ok(work, task, lo, hi);
	if (z < 0 || z == a || z == work->home[task])
		return;
	double f = search->f - place_gain(work, work->demand[task], a, z);
	if (f >= best->f ||
		search->cost - task_cost(search, task) + place_cost(work, task, work->home[task], z) >
			search->allowed + EPS)
		return;
	*best = (struct change){drop, task, z, f};
}

static void takes_try(struct search *search, uint32_t task, uint32_t drop, struct change *best)
{
	const struct place_work *work = search->work;
	int a = work->home[task];
	take_try(search, task, 0, (uint32_t)work->n_units, drop, best);
	if (work->one_zone)
		return;
	take_try(search, task, work->node_lo[a], work->node_hi[a], drop, best);
	take_try(search, task, work->llc_lo[a], work->llc_hi[a], drop, best);
}

/* With moved task task back home (or task UINT32_MAX), the best other one to move instead. */
static void replace_try(struct search *search, uint32_t task, struct change *best)
{
	struct place_work *work = search->work;
	int to = task == UINT32_MAX ? PLACE_NONE : work->at[task];
	if (task != UINT32_MAX)
		task_put(search, task, work->home[task]);
	if (search->moved < search->max_steps)
		for (uint32_t u = 0; u < work->n_tasks; u++)
			if (u != task && work->at[u] == work->home[u] && work->home[u] >= 0 &&
				!work->still[u] && !tabu(search, u))
				takes_try(search, u, task, best);
	search->left -= min_of(search->left, work->n_tasks);
	if (task != UINT32_MAX)
		task_put(search, task, to);
}

static struct change best_change(struct search *search)
{
	const struct place_work *work = search->work;
	struct change best = {UINT32_MAX, UINT32_MAX, PLACE_NONE, INFINITY};
	replace_try(search, UINT32_MAX, &best);
	for (uint32_t task = 0; task < work->n_tasks; task++) {
		if (work->at[task] == work->home[task] || tabu(search, task))
			continue;
		takes_try(search, task, UINT32_MAX, &best);
		replace_try(search, task, &best);
	}
	return best;
}

static void change_do(struct search *search, const struct change *change)
{
	struct place_work *work = search->work;
	if (change->drop != UINT32_MAX) {
		task_put(search, change->drop, work->home[change->drop]);
		work->tmp[change->drop] = search->round + 4 + search_random(search, 8);
	}
	task_put(search, change->take, change->to);
	work->tmp[change->take] = search->round + 2 + search_random(search, 4);
}

/* Takes the move out that F misses least. */
static void drop_one(struct search *search)
{
	const struct place_work *work = search->work;
	uint32_t worst = UINT32_MAX;
	double least = -INFINITY;
	for (uint32_t task = 0; task < work->n_tasks; task++) {
		if (work->at[task] == work->home[task])
			continue;
		double gain = place_gain(work, work->demand[task], work->at[task], work->home[task]);
		if (gain > least) {
			least = gain;
			worst = task;
		}
	}
	if (worst != UINT32_MAX)
		task_put(search, worst, work->home[worst]);
}

static void plan_keep(struct search *search)
{
	struct place_work *work = search->work;
	memcpy(work->best, work->at, work->n_tasks * sizeof(*work->best));
	search->allowed = search->cost - search->least_cost;
	search->max_steps = search->moved;
}

static void search_begin(struct search *search, const struct place_goal *goal, size_t effort)
{
	struct place_work *work = search->work;
	search->f = place_f(work);
	search->goal_f = fmax(goal->f, search->f) + EPS;
	search->least_moves = place_bound_moves(work, search->goal_f);
	search->least_cost = (work->one_zone ? 1 : 0.5) * work->min_weight;
	search->left = effort;
	search->random = 1;
	for (uint32_t task = 0; task < work->n_tasks; task++) {
		work->tmp[task] = 0;
		search->moved += work->at[task] != work->home[task];
		search->cost += task_cost(search, task);
	}
	plan_keep(search);
	search->f = place_f(work);
}

bool place_search(struct place_work *work, const struct place_goal *goal, size_t effort)
{
	struct search search = {.work = work};
	search_begin(&search, goal, effort);
	bool better = false;
	while (search.left && search.moved > 0) {
		if (search.f <= search.goal_f && search.cost <= search.allowed + EPS) {
			plan_keep(&search);
			better = true;
			if (search.moved <= search.least_moves)
				break;
		}
		while (search.cost > search.allowed + EPS && search.moved > 0)
			drop_one(&search);
		struct change change = best_change(&search);
		if (change.take != UINT32_MAX)
			change_do(&search, &change);
		search.round++;
	}
	place_steps_to(work, work->best);
	return better;
}
