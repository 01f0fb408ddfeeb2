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

static uint32_t search_random(struct search *s, uint32_t below)
{
	s->random = s->random * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(s->random >> 8) * below >> 24);
}

static double task_cost(const struct search *s, uint32_t t)
{
	const struct place_work *w = s->w;
	return w->at[t] == w->home[t] ? 0 : place_cost(w, t, w->home[t], w->at[t]);
}

static void task_put(struct search *s, uint32_t t, int z)
{
	struct place_work *w = s->w;
	s->cost -= task_cost(s, t);
	s->moved -= w->at[t] != w->home[t];
	s->f -= place_gain(w, w->d[t], w->at[t], z);
	place_add(w, w->at[t], -w->d[t]);
	place_add(w, z, w->d[t]);
	w->at[t] = z;
	s->moved += z != w->home[t];
	s->cost += task_cost(s, t);
}

static bool tabu(const struct search *s, uint32_t t)
{
	return s->w->tmp[t] > s->round;
}

/* Task t from where it is to the lowest unit of a range, `base` being F now. */
static void take_try(
	const struct search *s, uint32_t t, uint32_t lo, uint32_t hi, uint32_t drop, struct change *best)
{
	const struct place_work *w = s->w;
	int z = place_lowest(w, lo, hi), a = w->at[t];
	if (!w->wide[t] || w->node_bound[t])
		z = place_lowest_ok(w, t, lo, hi);
	if (z < 0 || z == a || z == w->home[t])
		return;
	double f = s->f - place_gain(w, w->d[t], a, z);
	if (f >= best->f || s->cost - task_cost(s, t) + place_cost(w, t, w->home[t], z) > s->allowed + EPS)
		return;
	*best = (struct change){drop, t, z, f};
}

static void takes_try(struct search *s, uint32_t t, uint32_t drop, struct change *best)
{
	const struct place_work *w = s->w;
	int a = w->home[t];
	take_try(s, t, 0, (uint32_t)w->m, drop, best);
	if (w->one_zone)
		return;
	take_try(s, t, w->node_lo[a], w->node_hi[a], drop, best);
	take_try(s, t, w->llc_lo[a], w->llc_hi[a], drop, best);
}

/* With moved task t back home (or t UINT32_MAX), the best other one to move instead. */
static void replace_try(struct search *s, uint32_t t, struct change *best)
{
	struct place_work *w = s->w;
	int to = t == UINT32_MAX ? PLACE_NONE : w->at[t];
	if (t != UINT32_MAX)
		task_put(s, t, w->home[t]);
	if (s->moved < s->max_steps)
		for (uint32_t u = 0; u < w->n; u++)
			if (u != t && w->at[u] == w->home[u] && w->home[u] >= 0 && !w->still[u] &&
				!tabu(s, u))
				takes_try(s, u, t, best);
	s->left -= min_of(s->left, w->n);
	if (t != UINT32_MAX)
		task_put(s, t, to);
}

static struct change best_change(struct search *s)
{
	const struct place_work *w = s->w;
	struct change best = {UINT32_MAX, UINT32_MAX, PLACE_NONE, INFINITY};
	replace_try(s, UINT32_MAX, &best);
	for (uint32_t t = 0; t < w->n; t++) {
		if (w->at[t] == w->home[t] || tabu(s, t))
			continue;
		takes_try(s, t, UINT32_MAX, &best);
		replace_try(s, t, &best);
	}
	return best;
}

static void change_do(struct search *s, const struct change *x)
{
	struct place_work *w = s->w;
	if (x->drop != UINT32_MAX) {
		task_put(s, x->drop, w->home[x->drop]);
		w->tmp[x->drop] = s->round + 4 + search_random(s, 8);
	}
	task_put(s, x->take, x->to);
	w->tmp[x->take] = s->round + 2 + search_random(s, 4);
}

/* Takes the move out that F misses least. */
static void drop_one(struct search *s)
{
	const struct place_work *w = s->w;
	uint32_t worst = UINT32_MAX;
	double least = -INFINITY;
	for (uint32_t t = 0; t < w->n; t++) {
		if (w->at[t] == w->home[t])
			continue;
		double gain = place_gain(w, w->d[t], w->at[t], w->home[t]);
		if (gain > least) {
			least = gain;
			worst = t;
		}
	}
	if (worst != UINT32_MAX)
		task_put(s, worst, w->home[worst]);
}

static void plan_keep(struct search *s)
{
	struct place_work *w = s->w;
	memcpy(w->best, w->at, w->n * sizeof(*w->best));
	s->allowed = s->cost - s->least_cost;
	s->max_steps = s->moved;
}

static void search_begin(struct search *s, const struct place_goal *g, size_t effort)
{
	struct place_work *w = s->w;
	s->f = place_f(w);
	s->goal_f = fmax(g->f, s->f) + EPS;
	s->least_moves = place_bound_moves(w, s->goal_f);
	s->least_cost = (w->one_zone ? 1 : 0.5) * w->min_weight;
	s->left = effort;
	s->random = 1;
	for (uint32_t t = 0; t < w->n; t++) {
		w->tmp[t] = 0;
		s->moved += w->at[t] != w->home[t];
		s->cost += task_cost(s, t);
	}
	plan_keep(s);
	s->f = place_f(w);
}

bool place_search(struct place_work *w, const struct place_goal *g, size_t effort)
{
	struct search s = {.w = w};
	search_begin(&s, g, effort);
	bool better = false;
	while (s.left && s.moved > 0) {
		if (s.f <= s.goal_f && s.cost <= s.allowed + EPS) {
			plan_keep(&s);
			better = true;
			if (s.moved <= s.least_moves)
				break;
		}
		while (s.cost > s.allowed + EPS && s.moved > 0)
			drop_one(&s);
		struct change x = best_change(&s);
		if (x.take != UINT32_MAX)
			change_do(&s, &x);
		s.round++;
	}
	place_steps_to(w, w->best);
	return better;
}
