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
	struct place_work *work;
	const struct place_goal *goal;
	size_t nodes;
	double best_f, best_cost, cost, volume, least_cost;
	int steps;
	int placed[PLACE_EXACT_TASKS], best[PLACE_EXACT_TASKS];
	int waiting[PLACE_EXACT_UNITS]; /* tasks at home on a unit that have not been decided */
	bool better, plain;             /* plain: every task may go everywhere */
};

bool place_exact_fits(const struct place_work *work)
{
	return work->n_tasks <= PLACE_EXACT_TASKS && work->n_units <= PLACE_EXACT_UNITS;
}

static bool all_wide(const struct place_work *work)
{
	for (size_t i = 0; i < work->n_tasks; i++)
		if (!work->wide[i] || work->node_bound[i])
			return false;
	return true;
}

/* Units in the order of h into out[], lowest first. */
static void units_by_load(const struct place_work *work, int *out)
{
	for (int unit = 0; unit < (int)work->n_units; unit++) {
		int i = unit;
		for (; i > 0 && work->level[out[i - 1]] > work->level[unit]; i--)
			out[i] = out[i - 1];
		out[i] = unit;
	}
}

/* Q when `volume` is poured as a liquid over the loads there are. */
static double poured_q(const struct place_work *work, double volume, const int *by_load)
{
	double size = 0, q = 0;
	size_t j = 0;
	for (; j < work->n_units; j++) {
		int unit = by_load[j];
		if (size > 0 && work->load[unit] * work->inv[unit] * size >= volume)
			break;
		size += 1 / work->inv[unit];
		volume += work->load[unit];
	}
	double dev = volume / size - work->mean;
	q = dev * dev * size;
	for (; j < work->n_units; j++) {
		dev = work->load[by_load[j]] * work->inv[by_load[j]] - work->mean;
		q += dev * dev / work->inv[by_load[j]];
	}
	return q;
}

/* Nothing tells the units apart: same load, same neighbours. */
static bool units_alike(const struct place_work *work, int a, int b)
{
	const struct place_unit *x = &work->prob->units[a], *y = &work->prob->units[b];
	return fabs(work->level[a] - work->level[b]) < EPS && fabs(work->load[a] - work->load[b]) < EPS &&
	       x->llc == y->llc && x->node == y->node && work->inv[a] == work->inv[b] &&
	       work->core_inv[work->core[a]] == work->core_inv[work->core[b]];
}

static void found_branch(struct branch *branch, size_t depth)
{
	struct place_work *work = branch->work;
	int by_load[PLACE_EXACT_UNITS];
	if (branch->nodes == 0 || branch->best_f <= branch->goal->f)
		return;
	branch->nodes--;
	if (depth == work->n_tasks) {
		double f = place_f(work);
		if (f < branch->best_f - EPS) {
			branch->best_f = f;
			memcpy(branch->best, branch->placed, sizeof(branch->best));
			branch->better = true;
		}
		return;
	}
	units_by_load(work, by_load);
	if (poured_q(work, branch->volume, by_load) >= branch->best_f - EPS)
		return;
	uint32_t task = work->order[depth];
	branch->volume -= work->demand[task];
	for (size_t j = 0; j < work->n_units; j++) {
		int unit = by_load[j];
		if (!place_ok(work, task, unit) ||
			(j > 0 && branch->plain && units_alike(work, unit, by_load[j - 1])))
			continue;
		branch->placed[task] = unit;
		place_add(work, unit, work->demand[task]);
		found_branch(branch, depth + 1);
		place_add(work, unit, -work->demand[task]);
	}
	branch->volume += work->demand[task];
}

double place_exact_found(struct place_work *work, double f, double enough_f, bool *proven)
{
	struct place_goal goal = {.f = enough_f};
	struct branch branch = {
		.work = work, .goal = &goal, .nodes = NODES, .best_f = f, .plain = all_wide(work)};
	for (size_t i = 0; i < work->n_tasks; i++) {
		work->try[i] = PLACE_NONE;
		branch.volume += work->demand[i];
	}
	place_set(work, work->try);
	found_branch(&branch, 0);
	if (branch.better)
		memcpy(work->best, branch.best, work->n_tasks * sizeof(*work->best));
	*proven = branch.nodes > 0 && branch.best_f > enough_f;
	return branch.best_f;
}

/* No `moves` further moves have a lower Q: each can cure one unit above and one below the mean at most, and
 * one above only when a task is left to leave it. */
static double certificate_q(const struct branch *branch, int moves)
{
	const struct place_work *work = branch->work;
	double over[PLACE_EXACT_UNITS], under[PLACE_EXACT_UNITS], q = 0;
	int n_over = 0, n_under = 0;
	for (int unit = 0; unit < (int)work->n_units; unit++) {
		double dev = work->load[unit] * work->inv[unit] - work->mean,
		       sq = dev * dev / work->inv[unit];
		double *list = dev > 0 ? over : under;
		int *n = dev > 0 ? &n_over : &n_under, i;
		q += sq;
		if (dev > 0 && branch->waiting[unit] == 0)
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
static bool branch_hopeless(const struct branch *branch, size_t depth)
{
	double room = (branch->best_cost - branch->cost) / branch->least_cost + EPS;
	int left = (int)(branch->work->n_tasks - depth), moves = room > left ? left : (int)room;
	if (branch->steps + moves > (int)branch->goal->max_steps)
		moves = (int)branch->goal->max_steps - branch->steps;
	double q = certificate_q(branch, moves);
	if (q > branch->goal->f + EPS)
		return true;
	bool only_equal = room < left + 1 && moves == (int)room && fabs(room - EPS - moves) < EPS;
	return only_equal && q >= branch->best_f - EPS &&
	       (moves == 0 || certificate_q(branch, moves - 1) > branch->goal->f + EPS);
}

static void plan_leaf(struct branch *branch)
{
	double f = place_f(branch->work);
	bool cheaper = branch->cost < branch->best_cost - EPS;
	if (f > branch->goal->f + EPS ||
		(!cheaper && (branch->cost > branch->best_cost + EPS || f >= branch->best_f - EPS)))
		return;
	branch->best_cost = branch->cost;
	branch->best_f = f;
	branch->better = true;
	memcpy(branch->best, branch->placed, sizeof(branch->best));
}

/* Task t and the one before it in the order are interchangeable. */
static bool twins(const struct branch *branch, size_t depth)
{
	const struct place_work *work = branch->work;
	if (depth == 0 || !branch->plain)
		return false;
	uint32_t task = work->order[depth], other = work->order[depth - 1];
	const struct place_task *x = &work->prob->tasks[work->id[task]],
				*y = &work->prob->tasks[work->id[other]];
	return fabs(work->demand[task] - work->demand[other]) < EPS &&
	       work->home[task] == work->home[other] && work->still[task] == work->still[other] &&
	       x->weight == y->weight && x->mem_nodes == y->mem_nodes;
}

static void plan_branch(struct branch *branch, size_t depth);

static void plan_stay(struct branch *branch, size_t depth)
{
	uint32_t task = branch->work->order[depth];
	branch->placed[task] = branch->work->home[task];
	plan_branch(branch, depth + 1);
}

static void plan_moves(struct branch *branch, size_t depth)
{
	struct place_work *work = branch->work;
	uint32_t task = work->order[depth];
	int by_load[PLACE_EXACT_UNITS], from = work->home[task], last = PLACE_NONE;
	bool twin = twins(branch, depth);
	int floor = twin ? branch->placed[work->order[depth - 1]] : PLACE_NONE;
	if (work->still[task] || from < 0 || (twin && floor == from))
		return;
	units_by_load(work, by_load);
	for (size_t j = 0; j < work->n_units; j++) {
		int unit = by_load[j];
		if (unit == from || !place_ok(work, task, unit))
			continue;
		bool same = branch->plain && last >= 0 && branch->waiting[unit] == 0 &&
			    branch->waiting[last] == 0 && units_alike(work, unit, last);
		last = unit;
		if (same)
			continue;
		double cost = place_cost(work, task, from, unit);
		branch->placed[task] = unit;
		branch->cost += cost;
		branch->steps++;
		place_add(work, from, -work->demand[task]);
		place_add(work, unit, work->demand[task]);
		plan_branch(branch, depth + 1);
		place_add(work, unit, -work->demand[task]);
		place_add(work, from, work->demand[task]);
		branch->steps--;
		branch->cost -= cost;
	}
}

static void plan_branch(struct branch *branch, size_t depth)
{
	struct place_work *work = branch->work;
	if (branch->nodes == 0)
		return;
	branch->nodes--;
	if (depth == work->n_tasks) {
		plan_leaf(branch);
		return;
	}
	if (branch_hopeless(branch, depth))
		return;
	int from = work->home[work->order[depth]];
	bool over = from >= 0 && work->load[from] * work->inv[from] > work->mean;
	if (from >= 0)
		branch->waiting[from]--;
	if (over)
		plan_moves(branch, depth);
	plan_stay(branch, depth);
	if (!over)
		plan_moves(branch, depth);
	if (from >= 0)
		branch->waiting[from]++;
}

bool place_exact_plan(struct place_work *work, const struct place_goal *goal)
{
	struct branch branch = {.work = work,
		.goal = goal,
		.nodes = NODES,
		.best_f = INFINITY,
		.best_cost = INFINITY,
		.plain = all_wide(work) && !work->smt};
	if (place_f(work) <= goal->f + EPS) { /* what the steps so far reach must be beaten */
		branch.best_cost = place_steps_cost(work);
		branch.best_f = place_f(work);
	}
	branch.least_cost = (work->one_zone ? 1 : 0.5) * work->min_weight;
	place_set(work, work->home);
	for (size_t i = 0; i < work->n_tasks; i++)
		if (work->home[i] >= 0)
			branch.waiting[work->home[i]]++;
	plan_branch(&branch, 0);
	if (!branch.better) {
		place_set(work, work->at);
		return false;
	}
	memcpy(work->best, branch.best, work->n_tasks * sizeof(*work->best));
	place_steps_to(work, work->best);
	return true;
}
