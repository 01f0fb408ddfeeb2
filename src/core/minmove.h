/* SPDX-License-Identifier: MIT */
/* Inside of the policy minmove: what it remembers, and what its parts tell each other in a round. */
#ifndef VMTOP_CORE_MINMOVE_H
#define VMTOP_CORE_MINMOVE_H

#include "place.h"
#include "relief.h"

#define S_NS INT64_C(1000000000)

enum {
	CHECK_ROUNDS = 2,
	FAILS_BEFORE_SLOW = 2,
	SLOW_CAP_S = 3600,
	IDLE_PCT = 1,
	TINY_PCT = 3, /* who wants less is not worth a pin, unless its unit cannot serve all */
	MEAN_MOST_S = 60,
	SEARCH_PER_MS = 100000,
	SEARCH_TASKS = 512,
	KEPT_ROUNDS = 4,
	RESTLESS_DWELLS = 20,
	SWING_PCT = 25,  /* a jump of usage from one round to the next that is no noise */
	SWINGS_S = 120,  /* ... forgotten within so long */
	SWINGS_MOST = 8, /* with so many it is restless, until half of them are left */
	FLOATS_S = 600,
	FLOATS_MOST_S = 4 * 3600,
	RESTLESS_FACTOR = 4, /* a burst costs two moves: when it comes and when it goes */
};

/* What is remembered of a task between rounds, by slot. */
struct memory {
	uint32_t birth;
	int found_unit;      /* in the best placement known */
	double found_demand; /* then */
	double seen_demand;  /* in the round before */
	int seen;            /* rounds since it came or its demand jumped */
	double mean, mean_s; /* of its demand, over so long: since it came or jumped, a minute at most */
	double moved_demand; /* at its last move */
	int64_t moved_ns;
	double dwell_s;       /* 0: never moved */
	bool waived;          /* the last move was made within the dwell */
	bool waive;           /* so would be the one that is planned */
	double usage, swings; /* usage in the round before, -1: none; how often it jumped lately */
	bool restless;        /* its load does not last long enough for a place of its own */
	bool bound;           /* it floated until we gave it a place */
	double floats_s;      /* how long it was to be left to the kernel last; twice as long the next time */
	int64_t floats_until_ns;
	uint32_t move; /* 1 + index of its move in the plan; 0: none */
};

struct minmove {
	struct place_work work;
	struct memory *slots;
	size_t cap_slots;
	struct place_move *moves;
	size_t cap_moves, n_moves;
	size_t found_tasks, found_units; /* what the search for found was made for */
	int kept_rounds;                 /* rounds since that search */
	bool proven;                     /* there is no better one */
	int64_t looked_ns;               /* when the numbers were worked out last */

	int64_t mean_ns; /* when the means were taken last */
	int above;       /* rounds in a row with a trigger */
	int cooldown;    /* rounds still to wait */
	bool rejected;   /* the cool-down follows a plan that was not worth it */
	double rejected_sigma;
	int check_in; /* rounds until the gain of the last plan is checked; 0: none */
	double check_q, check_gain;
	double plan_q, plan_gain; /* of the plan that was returned last, by the demands as they were given */
	double plan_sigma;        /* what it leads to, as in struct look */
	int fails;
	double worth;  /* what a plan has to lower F by, per cost */
	double slow_s; /* > 0: wait this long between rounds that act */
	int64_t acted_ns;
	struct relief relief; /* what is done while no granularity was asked for; and who judges what is */
	bool taking_back;     /* the moves returned last are its */
	bool freeing;         /* those returned last let vCPUs float again */
};

/* Everything about this round. Demands that are alike are taken as equal, but for q. */
struct look {
	double sigma, q, bound, found, limit, goal_f, core, found_core;
	bool above, cores, overload, alike; /* cores: above because of them */
	size_t dwelling;
};

/* Slots of tasks that have gone are forgotten when another birth comes. */
static inline struct memory *task_memory(const struct minmove *mini, uint32_t task)
{
	return &mini->slots[mini->work.prob->tasks[mini->work.id[task]].slot];
}

static inline double squared(double x)
{
	return x * x;
}

/* minmove_found.c: what is attainable */

/* The deviation up to which nothing is done, by granularity. */
double minmove_band(const struct config *cfg, const struct place_problem *prob);
/* Fills all of look but overload and dwelling; leaves the workspace as the demands were given. */
void minmove_look(struct minmove *mini, struct look *look);
/* The best placement known into w.best; false: there is none that still fits. */
bool minmove_found_recall(struct minmove *mini);

/* minmove_plan.c: the moves */

/* Tasks that are nowhere, or where they must not be, get a unit; the plan then starts from there. */
void minmove_strays(struct minmove *mini, bool act);
/* Lets those float again that are restless and did so before. How many. */
size_t minmove_free(struct minmove *mini);
/* Marks what may not move now, and returns how many. */
size_t minmove_mark_still(struct minmove *mini);
/* A unit above 100 % with a task that fits elsewhere and leaves that one 10 points below. */
bool minmove_overload(struct minmove *mini, const struct look *look);
/* Makes a plan; false: it is not worth its moves, and the workspace is as before. */
bool minmove_make(struct minmove *mini, const struct look *look);
/* The plan that was made, as moves of the result. */
void minmove_moves(struct minmove *mini);

#endif
