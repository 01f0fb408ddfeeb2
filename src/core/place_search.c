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
	struct place_work *w;
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

static double task_cost(const struct search *search, uint32_t t)
{
	const struct place_work *work = search->w;
	return work->at[t] == work->home[t] ? 0 : place_cost(work, t, work->home[t], work->at[t]);
}

static void task_put(struct search *search, uint32_t t, int z)
{
	struct place_work *work = search->w;
	search->cost -= task_cost(search, t);
	search->moved -= work->at[t] != work->home[t];
	search->f -= place_gain(work, work->d[t], work->at[t], z);
	place_add(work, work->at[t], -work->d[t]);
	place_add(work, z, work->d[t]);
	work->at[t] = z;
	search->moved += z != work->home[t];
	search->cost += task_cost(search, t);
}

static bool tabu(const struct search *search, uint32_t t)
{
	return search->w->tmp[t] > search->round;
}

/* Task t from where it is to the lowest unit of a range, `base` being F now. */
static void take_try(
	const struct search *search, uint32_t t, uint32_t lo, uint32_t hi, uint32_t drop, struct change *best)
{
	const struct place_work *work = search->w;
	int z = place_lowest(work, lo, hi), a = work->at[t];
	if (!work->wide[t] || work->node_bound[t])
		z = place_lowest_ok(work, t, lo, hi);
	if (z < 0 || z == a || z == work->home[t])
		return;
	double f = search->f - place_gain(work, work->d[t], a, z);
	if (f >= best->f || search->cost - task_cost(search, t) + place_cost(work, t, work->home[t], z) >
				    search->allowed + EPS)
		return;
	*best = (struct change){drop, t, z, f};
}

static void takes_try(struct search *search, uint32_t t, uint32_t drop, struct change *best)
{
	const struct place_work *work = search->w;
	int a = work->home[t];
	take_try(search, t, 0, (uint32_t)work->m, drop, best);
	if (work->one_zone)
		return;
	take_try(search, t, work->node_lo[a], work->node_hi[a], drop, best);
	take_try(search, t, work->llc_lo[a], work->llc_hi[a], drop, best);
}

/* With moved task t back home (or t UINT32_MAX), the best other one to move instead. */
static void replace_try(struct search *search, uint32_t t, struct change *best)
{
	struct place_work *work = search->w;
	int to = t == UINT32_MAX ? PLACE_NONE : work->at[t];
	if (t != UINT32_MAX)
		task_put(search, t, work->home[t]);
	if (search->moved < search->max_steps)
		for (uint32_t u = 0; u < work->n; u++)
			if (u != t && work->at[u] == work->home[u] && work->home[u] >= 0 && !work->still[u] &&
				!tabu(search, u))
				takes_try(search, u, t, best);
	search->left -= min_of(search->left, work->n);
	if (t != UINT32_MAX)
		task_put(search, t, to);
}

static struct change best_change(struct search *search)
{
	const struct place_work *work = search->w;
	struct change best = {UINT32_MAX, UINT32_MAX, PLACE_NONE, INFINITY};
	replace_try(search, UINT32_MAX, &best);
	for (uint32_t t = 0; t < work->n; t++) {
		if (work->at[t] == work->home[t] || tabu(search, t))
			continue;
		takes_try(search, t, UINT32_MAX, &best);
		replace_try(search, t, &best);
	}
	return best;
}

static void change_do(struct search *search, const struct change *change)
{
	struct place_work *work = search->w;
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
	const struct place_work *work = search->w;
	uint32_t worst = UINT32_MAX;
	double least = -INFINITY;
	for (uint32_t t = 0; t < work->n; t++) {
		if (work->at[t] == work->home[t])
			continue;
		double gain = place_gain(work, work->d[t], work->at[t], work->home[t]);
		if (gain > least) {
			least = gain;
			worst = t;
		}
	}
	if (worst != UINT32_MAX)
		task_put(search, worst, work->home[worst]);
}

static void plan_keep(struct search *search)
{
	struct place_work *work = search->w;
	memcpy(work->best, work->at, work->n * sizeof(*work->best));
	search->allowed = search->cost - search->least_cost;
	search->max_steps = search->moved;
}

static void search_begin(struct search *search, const struct place_goal *goal, size_t effort)
{
	struct place_work *work = search->w;
	search->f = place_f(work);
	search->goal_f = fmax(goal->f, search->f) + EPS;
	search->least_moves = place_bound_moves(work, search->goal_f);
	search->least_cost = (work->one_zone ? 1 : 0.5) * work->min_weight;
	search->left = effort;
	search->random = 1;
	for (uint32_t t = 0; t < work->n; t++) {
		work->tmp[t] = 0;
		search->moved += work->at[t] != work->home[t];
		search->cost += task_cost(search, t);
	}
	plan_keep(search);
	search->f = place_f(work);
}

bool place_search(struct place_work *work, const struct place_goal *goal, size_t effort)
{
	struct search search = {.w = work};
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
