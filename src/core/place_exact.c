/* SPDX-License-Identifier: MIT */
/* Small problems, exactly, by branch and bound: the best placement from scratch, and the cheapest plan to a
 * goal. Both work on the loads of the workspace, deepest recursion one level a task, and give up after a
 * fixed number of nodes; then the answer is the best so far, and not known to be the best there is. */
#include <math.h>
#include <string.h>

#include "place.h"

enum { NODES = 100000 };
#define EPS 1e-7

struct branch {
	struct place_work *w;
	const struct place_goal *goal;
	size_t nodes;
	double best_f, best_cost, cost, volume, least_cost;
	int steps;
	int placed[PLACE_EXACT_TASKS], best[PLACE_EXACT_TASKS];
	int waiting[PLACE_EXACT_UNITS]; /* tasks at home on a unit that have not been decided */
	bool better, plain;             /* plain: every task may go everywhere */
};

bool place_exact_fits(const struct place_work *w)
{
	return w->n <= PLACE_EXACT_TASKS && w->m <= PLACE_EXACT_UNITS;
}

static bool all_wide(const struct place_work *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (!w->wide[i] || w->node_bound[i])
			return false;
	return true;
}

/* Units in the order of h into out[], lowest first. */
static void units_by_load(const struct place_work *w, int *out)
{
	for (int u = 0; u < (int)w->m; u++) {
		int i = u;
		for (; i > 0 && w->h[out[i - 1]] > w->h[u]; i--)
			out[i] = out[i - 1];
		out[i] = u;
	}
}

/* Q when `volume` is poured as a liquid over the loads there are. */
static double poured_q(const struct place_work *w, double volume, const int *by_load)
{
	double size = 0, q = 0;
	size_t j = 0;
	for (; j < w->m; j++) {
		int u = by_load[j];
		if (size > 0 && w->s[u] * w->ic[u] * size >= volume)
			break;
		size += 1 / w->ic[u];
		volume += w->s[u];
	}
	double dev = volume / size - w->mean;
	q = dev * dev * size;
	for (; j < w->m; j++) {
		dev = w->s[by_load[j]] * w->ic[by_load[j]] - w->mean;
		q += dev * dev / w->ic[by_load[j]];
	}
	return q;
}

/* Nothing tells the units apart: same load, same neighbours. */
static bool units_alike(const struct place_work *w, int a, int b)
{
	const struct place_unit *x = &w->p->units[a], *y = &w->p->units[b];
	return fabs(w->h[a] - w->h[b]) < EPS && fabs(w->s[a] - w->s[b]) < EPS && x->llc == y->llc &&
	       x->node == y->node && w->ic[a] == w->ic[b] && w->icc[w->core[a]] == w->icc[w->core[b]];
}

static void found_branch(struct branch *b, size_t depth)
{
	struct place_work *w = b->w;
	int by_load[PLACE_EXACT_UNITS];
	if (b->nodes == 0 || b->best_f <= b->goal->f)
		return;
	b->nodes--;
	if (depth == w->n) {
		double f = place_f(w);
		if (f < b->best_f - EPS) {
			b->best_f = f;
			memcpy(b->best, b->placed, sizeof(b->best));
			b->better = true;
		}
		return;
	}
	units_by_load(w, by_load);
	if (poured_q(w, b->volume, by_load) >= b->best_f - EPS)
		return;
	uint32_t t = w->order[depth];
	b->volume -= w->d[t];
	for (size_t j = 0; j < w->m; j++) {
		int u = by_load[j];
		if (!place_ok(w, t, u) || (j > 0 && b->plain && units_alike(w, u, by_load[j - 1])))
			continue;
		b->placed[t] = u;
		place_add(w, u, w->d[t]);
		found_branch(b, depth + 1);
		place_add(w, u, -w->d[t]);
	}
	b->volume += w->d[t];
}

double place_exact_found(struct place_work *w, double f, double enough_f, bool *proven)
{
	struct place_goal goal = {.f = enough_f};
	struct branch b = {.w = w, .goal = &goal, .nodes = NODES, .best_f = f, .plain = all_wide(w)};
	for (size_t i = 0; i < w->n; i++) {
		w->try[i] = PLACE_NONE;
		b.volume += w->d[i];
	}
	place_set(w, w->try);
	found_branch(&b, 0);
	if (b.better)
		memcpy(w->best, b.best, w->n * sizeof(*w->best));
	*proven = b.nodes > 0 && b.best_f > enough_f;
	return b.best_f;
}

/* No `moves` further moves have a lower Q: each can cure one unit above and one below the mean at most, and
 * one above only when a task is left to leave it. */
static double certificate_q(const struct branch *b, int moves)
{
	const struct place_work *w = b->w;
	double over[PLACE_EXACT_UNITS], under[PLACE_EXACT_UNITS], q = 0;
	int n_over = 0, n_under = 0;
	for (int u = 0; u < (int)w->m; u++) {
		double dev = w->s[u] * w->ic[u] - w->mean, sq = dev * dev / w->ic[u];
		double *list = dev > 0 ? over : under;
		int *n = dev > 0 ? &n_over : &n_under, i;
		q += sq;
		if (dev > 0 && b->waiting[u] == 0)
			continue;
		for (i = (*n)++; i > 0 && list[i - 1] < sq; i--)
			list[i] = list[i - 1];
		list[i] = sq;
	}
	for (int i = 0; i < moves; i++)
		q -= (i < n_over ? over[i] : 0) + (i < n_under ? under[i] : 0);
	return q;
}

/* Could this branch still hold a cheaper plan, or an equally cheap one that ends lower? */
static bool branch_hopeless(const struct branch *b, size_t depth)
{
	double room = (b->best_cost - b->cost) / b->least_cost + EPS;
	int left = (int)(b->w->n - depth), moves = room > left ? left : (int)room;
	if (b->steps + moves > (int)b->goal->max_steps)
		moves = (int)b->goal->max_steps - b->steps;
	double q = certificate_q(b, moves);
	if (q > b->goal->f + EPS)
		return true;
	bool only_equal = room < left + 1 && moves == (int)room && fabs(room - EPS - moves) < EPS;
	return only_equal && q >= b->best_f - EPS &&
	       (moves == 0 || certificate_q(b, moves - 1) > b->goal->f + EPS);
}

static void plan_leaf(struct branch *b)
{
	double f = place_f(b->w);
	bool cheaper = b->cost < b->best_cost - EPS;
	if (f > b->goal->f + EPS || (!cheaper && (b->cost > b->best_cost + EPS || f >= b->best_f - EPS)))
		return;
	b->best_cost = b->cost;
	b->best_f = f;
	b->better = true;
	memcpy(b->best, b->placed, sizeof(b->best));
}

/* Task t and the one before it in the order are interchangeable. */
static bool twins(const struct branch *b, size_t depth)
{
	const struct place_work *w = b->w;
	if (depth == 0 || !b->plain)
		return false;
	uint32_t t = w->order[depth], u = w->order[depth - 1];
	const struct place_task *x = &w->p->tasks[w->id[t]], *y = &w->p->tasks[w->id[u]];
	return fabs(w->d[t] - w->d[u]) < EPS && w->home[t] == w->home[u] && w->still[t] == w->still[u] &&
	       x->weight == y->weight && x->mem_nodes == y->mem_nodes;
}

static void plan_branch(struct branch *b, size_t depth);

static void plan_stay(struct branch *b, size_t depth)
{
	uint32_t t = b->w->order[depth];
	b->placed[t] = b->w->home[t];
	plan_branch(b, depth + 1);
}

static void plan_moves(struct branch *b, size_t depth)
{
	struct place_work *w = b->w;
	uint32_t t = w->order[depth];
	int by_load[PLACE_EXACT_UNITS], from = w->home[t], last = PLACE_NONE;
	bool twin = twins(b, depth);
	int floor = twin ? b->placed[w->order[depth - 1]] : PLACE_NONE;
	if (w->still[t] || from < 0 || (twin && floor == from))
		return;
	units_by_load(w, by_load);
	for (size_t j = 0; j < w->m; j++) {
		int u = by_load[j];
		if (u == from || !place_ok(w, t, u))
			continue;
		bool same = b->plain && last >= 0 && b->waiting[u] == 0 && b->waiting[last] == 0 &&
			    units_alike(w, u, last);
		last = u;
		if (same)
			continue;
		double cost = place_cost(w, t, from, u);
		b->placed[t] = u;
		b->cost += cost;
		b->steps++;
		place_add(w, from, -w->d[t]);
		place_add(w, u, w->d[t]);
		plan_branch(b, depth + 1);
		place_add(w, u, -w->d[t]);
		place_add(w, from, w->d[t]);
		b->steps--;
		b->cost -= cost;
	}
}

static void plan_branch(struct branch *b, size_t depth)
{
	struct place_work *w = b->w;
	if (b->nodes == 0)
		return;
	b->nodes--;
	if (depth == w->n) {
		plan_leaf(b);
		return;
	}
	if (branch_hopeless(b, depth))
		return;
	int from = w->home[w->order[depth]];
	bool over = from >= 0 && w->s[from] * w->ic[from] > w->mean;
	if (from >= 0)
		b->waiting[from]--;
	if (over)
		plan_moves(b, depth);
	plan_stay(b, depth);
	if (!over)
		plan_moves(b, depth);
	if (from >= 0)
		b->waiting[from]++;
}

bool place_exact_plan(struct place_work *w, const struct place_goal *g)
{
	struct branch b = {.w = w,
		.goal = g,
		.nodes = NODES,
		.best_f = INFINITY,
		.best_cost = INFINITY,
		.plain = all_wide(w) && !w->smt};
	if (place_f(w) <= g->f + EPS) { /* what the steps so far reach must be beaten */
		b.best_cost = place_steps_cost(w);
		b.best_f = place_f(w);
	}
	b.least_cost = (w->one_zone ? 1 : 0.5) * w->min_weight;
	place_set(w, w->home);
	for (size_t i = 0; i < w->n; i++)
		if (w->home[i] >= 0)
			b.waiting[w->home[i]]++;
	plan_branch(&b, 0);
	if (!b.better) {
		place_set(w, w->at);
		return false;
	}
	memcpy(w->best, b.best, w->n * sizeof(*w->best));
	place_steps_to(w, w->best);
	return true;
}
