/* SPDX-License-Identifier: MIT */
/* Inside of the placement solvers: one workspace that holds the problem in the form in which they need it.
 * Knows units, tasks and numbers; nothing of VMs, rounds or thresholds. All memory is in the workspace and
 * grows only when a problem is larger than any before.
 *
 * Two measures. Q = sum over units of pCPUs * (L - mean)^2 = pCPUs * sigma^2, what is shown. F = Q plus the
 * same sum over physical cores, when units are SMT threads: it is what the solvers lower, so that cores are
 * balanced before threads. Without SMT F is Q. A move of p from a to z changes F by -(2p (H_a - H_z) - p^2
 * (k_a + k_z)). */
#ifndef VMTOP_CORE_PLACE_H
#define VMTOP_CORE_PLACE_H

#include "vmtop/placement.h"

enum { PLACE_NONE = -1, PLACE_EXACT_TASKS = 16, PLACE_EXACT_UNITS = 16, PLACE_RENAME_UNITS = 64 };

struct place_step {
	uint32_t task; /* index into the workspace, not into the problem */
	int from, to;
	int partner; /* index in steps of the other half of a swap, -1 */
};

struct place_work {
	const struct place_problem *prob;
	size_t n_tasks, n_units; /* free tasks, units */
	size_t cap_n, cap_m;     /* what the arrays hold */
	double pcpus, total, mean;
	double min_weight;  /* of the tasks, at most 1 */
	double widest;      /* pCPUs of the largest unit */
	bool smt, one_zone; /* units are threads of shared cores; no distances */
	bool equal;         /* all units of one size */
	bool in_order;      /* positions are numbers of units */

	/* free tasks: those that may be moved as far as the user is concerned */
	double *raw;    /* demand as it was given, >= 0 */
	double *unsure; /* by how much it may be off; set by the caller of place_alike() */
	double *demand; /* demand that is planned with */
	double *weight; /* > 0 */
	uint32_t *id;   /* index in the problem */
	int *home, *at; /* unit at the start and now; PLACE_NONE */
	const struct cpuset **allowed;
	uint32_t *lo, *hi;   /* the units allowed lie at positions lo .. hi-1 */
	uint8_t *exact;      /* and all of those are allowed */
	uint8_t *few;        /* or so few that they are looked at one by one */
	uint8_t *wide;       /* allowed on every unit */
	uint8_t *node_bound; /* may not leave its node */
	uint8_t *still;      /* not to be moved in this round */
	uint32_t *order;     /* largest demand first */
	uint32_t *seg;       /* tasks by home unit, smallest demand first: seg[first[u] .. first[u + 1]) */
	uint32_t *key, *tmp; /* for sorting */
	int *best, *other, *try, *start; /* whole placements under comparison */
	struct place_step *steps;
	size_t n_steps;

	/* units */
	double *fixed;                /* load that nobody moves */
	double *load;                 /* load now, percent of one pCPU, not divided */
	double *start_load;           /* load at the start of the plan */
	double *inv;                  /* 1 / pCPUs */
	double *level;                /* what a move sees: see above */
	int *core;                    /* number of the physical core in sc[] */
	double *core_load, *core_inv; /* per core: load, 1 / threads or 0 without SMT */
	uint32_t *first;              /* m + 1 */
	uint32_t *pos, *unit_at; /* units in the order of node, LLC, core: ranges below are of positions */
	uint32_t *llc_lo, *llc_hi, *node_lo, *node_hi; /* by unit */
	uint32_t *tree;                                /* of positions: which has the lowest h */
	size_t leaves;
	double *score; /* by unit: heap of sources */
	uint32_t *heap, *heap_at;
	double *sorted;
};

/* Makes room for prob and reads it in. -1: out of memory (the workspace stays usable). */
int place_load(struct place_work *work, const struct place_problem *prob);
void place_done(struct place_work *work);
/* After the caller has changed raw[]: loads and orders by that. All tasks are at home again. */
void place_demands(struct place_work *work);

/* Makes d[] equal for tasks that are alike as far as one can know, and says whether there are any;
 * place_plain() takes that back. Loads are as before: reset or set them afterwards. */
bool place_alike(struct place_work *work);
void place_plain(struct place_work *work);

/* Puts every task back to home[] and works out loads, order, segments and tree. */
void place_reset(struct place_work *work);
/* Loads of the placement `unit` (PLACE_NONE: nowhere) into s, sc, h and the tree. */
void place_set(struct place_work *work, const int *unit);
double place_q(const struct place_work *work);      /* of the loads now */
double place_q_core(const struct place_work *work); /* same over physical cores; 0 without SMT */
double place_f(const struct place_work *work);
double place_sigma(const struct place_work *work, double q);
/* May task task be on unit unit: allowed set and node. */
bool place_ok(const struct place_work *work, uint32_t task, int unit);
/* Distance 1, 2 or 4 between units, times the task's weight, doubled when it leaves its memory's node and
 * halved when it comes home. */
double place_cost_far(const struct place_work *work, uint32_t task, int from, int to);
static inline double place_cost(const struct place_work *work, uint32_t task, int from, int to)
{
	return work->one_zone ? work->weight[task] : place_cost_far(work, task, from, to);
}
double place_distance(const struct place_work *work, int a, int b);
/* By how much F falls when p goes from a to z; negative: rises. Here, because the solvers spend their time in
 * it. */
static inline double place_gain(const struct place_work *work, double p, int a, int z)
{
	if (work->core[a] == work->core[z])
		return 2 * p * (work->load[a] * work->inv[a] - work->load[z] * work->inv[z]) -
		       p * p * (work->inv[a] + work->inv[z]);
	double k =
		work->inv[a] + work->inv[z] + work->core_inv[work->core[a]] + work->core_inv[work->core[z]];
	return 2 * p * (work->level[a] - work->level[z]) - p * p * k;
}

/* No p, of either sign, has a higher gain; give or take rounding. */
static inline double place_gain_most(const struct place_work *work, int a, int z)
{
	bool one = work->core[a] == work->core[z];
	double d = one ? work->load[a] * work->inv[a] - work->load[z] * work->inv[z]
		       : work->level[a] - work->level[z];
	double k = work->inv[a] + work->inv[z] +
		   (one ? 0 : work->core_inv[work->core[a]] + work->core_inv[work->core[z]]);
	return d * d / k * (1 + 1e-12);
}

/* Neither sigma nor the highest load rises when p goes from a to z. */
bool place_safe(const struct place_work *work, double p, int a, int z);
/* Adds p (which may be negative) to the load of unit. */
void place_add(struct place_work *work, int unit, double p);
/* Carries out task task -> unit z, and books it in steps. */
void place_take(struct place_work *work, uint32_t task, int z, int partner);
/* Unit with the lowest h among positions lo .. hi-1. */
int place_lowest(const struct place_work *work, uint32_t lo, uint32_t hi);
/* The same among those where task may be; PLACE_NONE. */
int place_lowest_ok(const struct place_work *work, uint32_t task, uint32_t lo, uint32_t hi);

/* No placement has a lower Q. */
double place_bound_q(struct place_work *work);
/* No plan of k moves has a lower Q than the overs and unders that it cannot touch: smallest k that could
 * reach q. */
size_t place_bound_moves(struct place_work *work, double q);

/* When a placement from scratch is good enough. Zeroed: when nothing more gains. */
struct place_enough {
	double f;    /* no need to go on at or below */
	double gain; /* exchanges that gain no more are left */
};
/* From scratch, ignoring where tasks are: the best of several heuristics into best[]; returns its F. */
double place_found(struct place_work *work, const struct place_enough *enough);
double place_lpt(struct place_work *work, int *unit);
double place_multifit(struct place_work *work, int *unit);
/* Exchange by exchange from a whole placement, until that is enough or the budget is spent; returns its F. */
double place_descend(struct place_work *work, int *unit, const struct place_enough *enough, size_t budget);

struct place_goal {
	double f;         /* stop at or below */
	double min_score; /* each step must lower F by this much per cost */
	size_t max_steps;
	bool overload; /* only away from units above 100 % */
};
/* From home[] with few moves towards goal; the result is in steps and the loads. */
void place_greedy(struct place_work *work, const struct place_goal *goal);
/* Cost of the steps there are. */
double place_steps_cost(const struct place_work *work);

/* Turns the whole placement `unit` into steps from home[], those that gain most first; two steps that only
 * together lower F become a swap. */
void place_steps_to(struct place_work *work, const int *unit);

/* Renames units of one size, place and fixed load in a whole placement, so that as many tasks as possible are
 * at home. Only on hosts of up to PLACE_RENAME_UNITS units, without SMT, where all tasks may go everywhere.
 */
void place_rename(struct place_work *work, int *unit);

/* The same, but those tasks stay at home without whose step F would be higher by less than min_score per
 * cost. They do so in unit[] too. */
void place_steps_worth(struct place_work *work, int *unit, double min_score);

/* Takes out steps without which F would be higher by less than min_score per cost. */
void place_prune(struct place_work *work, double min_score);
/* Keeps the first steps only; never half a swap. */
void place_cut(struct place_work *work, size_t steps);

bool place_exact_fits(const struct place_work *work);
/* best[] has F f: looks for the placement with the lowest F, and leaves it in best[]. proven: there is none
 * below what it returns. */
double place_exact_found(struct place_work *work, double f, double enough_f, bool *proven);
/* The cheapest plan to goal (ties: the one that ends lowest), better than the steps there are; false: none
 * was found, and the steps are as before. */
bool place_exact_plan(struct place_work *work, const struct place_goal *goal);
/* Looks for a cheaper plan that ends as low as the steps there are (or at the goal); the best is in steps.
 * Effort is in evaluations: a million takes about 10 ms. Returns whether it is cheaper. */
bool place_search(struct place_work *work, const struct place_goal *goal, size_t effort);

#endif
