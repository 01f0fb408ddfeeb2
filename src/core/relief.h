/* SPDX-License-Identifier: MIT */
/* Inside of the policy minmove, as it is by default: relief. Nobody is bound to a pCPU. A vCPU that keeps
 * waiting although a pCPU that it may use has room gets a wider affinity, and the kernel spreads it; where
 * the kernel does not balance (isolated pCPUs) it is moved. Each change is looked at again and taken back
 * when nobody waits less for it.
 *
 * Waiting here is a share of time, 0 to 1. */
#ifndef VMTOP_CORE_RELIEF_H
#define VMTOP_CORE_RELIEF_H

#include "place.h"
#include "vmtop/minmax.h"

enum {
	RELIEF_TRIALS = 8,
	RELIEF_TOUCHED = 256, /* the largest plan of one round */
};
#define RELIEF_SPARE .05 /* waiting that is worth a word */

/* What is remembered of a vCPU between rounds, by slot. */
struct relief_memory {
	uint32_t birth;
	int64_t since_ns;      /* first round in which it was seen, or its last change */
	double wait, want;     /* means over the last minute */
	double spare;          /* how much of this round's waiting a wider affinity would have spared it */
	double owed_s;         /* the same, added up; forgotten within minutes */
	int64_t rest_until_ns; /* a change did not help it: left alone until then */
	double rest_s;         /* how long that rest was; the next one is twice as long */
	double stuck_s;        /* it floats, and waited so long while a pCPU that it may use had room */
	int64_t narrow_ns;     /* until then a narrower affinity keeps it out of there; 0: it does not */
	double narrow_s;       /* how long that was meant to be; the next time twice as long */
	int64_t run_ns;        /* since when it owes without a pause */
	bool in_trial;
	uint32_t task; /* 1 + its index in the problem of this round; 0: not there */
	int back;      /* 1 + unit to which it is to be taken back */
};

/* One plan that was carried out, until it is known whether it helped. */
struct relief_trial {
	bool open;
	bool placed; /* by deviation: it need not help, but must not harm */
	size_t n;
	struct {
		uint32_t slot, birth;
		int from; /* unit before */
	} touched[RELIEF_TOUCHED];
	int64_t from_ns, until_ns; /* looked at between these */
	int extended;
	double before_touched, before_all; /* waiting per wanted second */
	double want_touched, want_all; /* before: vCPUs wanted, to see whether the load is still the same */
	double wait_touched_s, wait_all_s, want_touched_s, want_all_s, span_s; /* since */
	double all_sum, all_squares; /* of what all wait per wanted second, round by round */
	int rounds;
};

struct relief {
	struct relief_memory *slots;
	size_t cap_slots;
	struct relief_trial trials[RELIEF_TRIALS];
	bool placing; /* what was just applied was made by deviation */
	struct place_move *moves;
	size_t cap_moves, n_moves;
	int *at; /* by task of the workspace: the unit where the kernel would run it; PLACE_NONE */
	size_t cap_at;
	int32_t *first, *next; /* tasks by unit, as lists */
	size_t cap_first, cap_next;
	int *by_busy; /* units, the least busy first; those that the host measured */
	size_t cap_by_busy, n_by_busy;
	struct relief_pick *picks;
	size_t cap_picks, n_picks;
	int64_t last_ns;                               /* the round before */
	double wait_all, want_all;                     /* means over the last minute, all vCPUs */
	size_t n_float, n_waiting, n_curable, n_stuck; /* of this round */
	size_t n_slow; /* have all of a lesser pCPU while a larger one is idle */
	double worst_wait;
	double float_share; /* of what they want, those that float wait now; 1: none is there to judge by */
};

/* A vCPU that may be helped. */
struct relief_pick {
	uint32_t task; /* of the workspace */
	int from, to;  /* units; `to` has the most room of those that it may use */
	double gain;   /* of waiting, weighted */
	bool hope;     /* by what others get that float, not by the loads */
	bool larger;   /* it does not wait: its pCPU is a lesser one */
};

/* relief_watch.c: who waits, and who of those need not */

int relief_room(struct relief *relief, const struct place_work *work);
/* Where the kernel would run everybody, given the affinities: into at[] and the loads of work. */
void relief_model(struct relief *relief, struct place_work *work);
/* Takes the waiting of this round into account; returns how long the round was. After relief_model(). */
double relief_watch(struct relief *relief, struct place_work *work);
/* Only that, where everybody is on the unit where it counts. */
double relief_means(struct relief *relief, const struct place_work *work);
/* Share of time that task would run on unit unit alone, in the capacity of that unit. */
static inline double relief_part(const struct place_work *work, uint32_t task, int unit)
{
	double part = work->demand[task] * work->inv[unit] / 100;
	return min_of(part, 1);
}
/* The larger pCPU that task is to have; PLACE_NONE: it needs none, or there is none. */
int relief_larger(const struct relief *relief, const struct place_work *work, uint32_t task);
/* Share of time that a task of demand d waits beside others that want `others`, both in pCPUs. */
double relief_wait(double d, double others);
/* May the affinity of task be made wider, or be moved because the kernel does not balance where it is? */
bool relief_curable(const struct relief *relief, const struct place_work *work, uint32_t task);
static inline struct relief_memory *relief_memory_of(
	const struct relief *relief, const struct place_work *work, uint32_t task)
{
	return &relief->slots[work->prob->tasks[work->id[task]].slot];
}

/* Floats, and may use every pCPU that it may be put on: its waiting is the kernel's own choice. */
bool relief_floats(const struct place_work *work, uint32_t task);

/* relief_stuck.c: where the kernel fails those that float */

/* Notes who waits although a pCPU of its affinity has more room. */
void relief_stuck_watch(struct relief *relief, const struct place_work *work, double dt_s);
/* Adds to moves[] those that are stuck, with the widest affinity without where they are stuck, and those
 * whose time with a narrower one is over, back to what was found. */
void relief_stuck_plan(struct relief *relief, const struct place_work *work, size_t most);
/* A plan was carried out for t. */
void relief_stuck_applied(struct relief_memory *mem, const struct place_move *move, int64_t now_ns);

/* relief_plan.c: who is helped, and how */

/* Fills moves[]. After relief_watch(); changes at[] and the loads. */
void relief_plan(struct relief *relief, struct place_work *work);

/* relief_trial.c: did it help? */

/* Adds this round to the open trials. The moves that take back one that failed go to moves[], and `why` says
 * what was seen; false: none is to be taken back. */
bool relief_review(
	struct relief *relief, const struct place_work *work, bool act, double dt_s, struct why *why);
/* A change was made a moment ago, or too many are being looked at: no new plan yet. */
bool relief_settling(const struct relief *relief, int64_t now_ns);
/* The moves of the last plan with done[i] were carried out. */
void relief_applied(struct relief *relief, const struct place_problem *prob, const bool *done);
/* The same for moves that were made by deviation; no more than RELIEF_TOUCHED of them are judged. After
 * relief_room() for the problem that they were made for. */
void relief_placed(struct relief *relief, const struct place_problem *prob, const struct place_move *moves,
	size_t n, const bool *done);
/* A change did it no good: it is to be left alone for now. */
bool relief_rests(const struct relief *relief, const struct place_work *work, uint32_t task);

/* relief.c: a round */

/* Fills moves[] and out->why. `numbers` says the deviation in words, `within`: it is at its limit or below.
 * -1: out of memory. */
int relief_round(struct relief *relief, struct place_work *work, const char *numbers, bool within, bool act,
	struct place_result *out);
void relief_done(struct relief *relief);
/* `to` knows what `from` knows of each vCPU; not its trials. -1: out of memory. */
int relief_mirror(struct relief *to, const struct relief *from);

#endif
