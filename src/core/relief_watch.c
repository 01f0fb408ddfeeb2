/* SPDX-License-Identifier: MIT */
/* Who waits for a pCPU, and who of those need not. Invariant: a vCPU that already has every pCPU that it may
 * use owes nothing to its affinity, and counts only where the kernel does not balance. Knows nothing of
 * plans.
 */
#include <math.h>
#include <string.h>

#include "minmove.h"
#include "relief.h"
#include "vmtop/array.h"
#include "vmtop/minmax.h"

enum { MEAN_S = 60, OWED_S = 300 };
/* Waiting that is not worth a word: measured delays of quiet hosts are about this large. And by so much the
 * pCPU with the most room just now looks better than it is: of several that are alike, one always does. */
static const double noise = .01, luck = 1.15;

static int slots_room(struct relief *relief, const struct place_problem *prob)
{
	size_t n = prob->n_slots, had = relief->cap_slots;
	for (size_t i = 0; i < prob->n_tasks; i++)
		n = prob->tasks[i].slot >= n ? (size_t)prob->tasks[i].slot + 1 : n;
	if (!array_grow(&relief->slots, &relief->cap_slots, n, sizeof *relief->slots))
		return -1;
	memset(relief->slots + had, 0, (relief->cap_slots - had) * sizeof *relief->slots);
	return 0;
}

int relief_room(struct relief *relief, const struct place_work *work)
{
	if (slots_room(relief, work->prob) < 0 ||
		!array_grow(&relief->at, &relief->cap_at, work->n_tasks, sizeof *relief->at) ||
		!array_grow(&relief->by_busy, &relief->cap_by_busy, work->n_units, sizeof *relief->by_busy) ||
		!array_grow(&relief->first, &relief->cap_first, work->n_units, sizeof *relief->first) ||
		!array_grow(&relief->next, &relief->cap_next, work->n_tasks, sizeof *relief->next) ||
		!array_grow(&relief->moves, &relief->cap_moves, work->n_tasks, sizeof *relief->moves) ||
		!array_grow(&relief->picks, &relief->cap_picks, work->n_tasks, sizeof *relief->picks))
		return -1;
	for (size_t i = 0; i < relief->cap_slots; i++)
		relief->slots[i].task = 0;
	for (size_t i = 0; i < work->prob->n_tasks; i++) {
		const struct place_task *task = &work->prob->tasks[i];
		struct relief_memory *mem = &relief->slots[task->slot];
		if (mem->birth != task->birth || !mem->since_ns)
			*mem = (struct relief_memory){.birth = task->birth, .since_ns = work->prob->now_ns};
		mem->task = (uint32_t)i + 1;
	}
	return 0;
}

double relief_wait(double d, double others)
{
	return d <= 0 || others <= 0 ? 0 : d * others / (1 + d * others);
}

static bool alone(const struct place_work *work, int unit)
{
	return unit >= 0 && work->prob->units[unit].alone;
}

/* Does its affinity leave the kernel a choice where it is? */
static bool floats(const struct place_work *work, uint32_t task)
{
	return !work->prob->tasks[work->id[task]].pinned && !alone(work, work->home[task]);
}

static int lowest_in(const struct place_work *work, const struct cpuset *set)
{
	int best = PLACE_NONE;
	CPUSET_EACH(u, set)
	{
		if (u < (int)work->n_units && (best < 0 || work->level[u] < work->level[best]))
			best = u;
	}
	return best;
}

static bool has_all(const struct place_task *task)
{
	return !task->room || !task->allowed || cpuset_subset(task->allowed, task->room);
}

bool relief_floats(const struct place_work *work, uint32_t task)
{
	return floats(work, task) && has_all(&work->prob->tasks[work->id[task]]);
}

/* Those that float go where the least is, as the kernel would put them: the largest first. */
void relief_model(struct relief *relief, struct place_work *work)
{
	relief->n_float = 0;
	for (uint32_t t = 0; t < work->n_tasks; t++)
		relief->at[t] = floats(work, t) ? PLACE_NONE : work->home[t];
	place_set(work, relief->at);
	for (size_t i = 0; i < work->n_tasks; i++) {
		uint32_t t = work->order[i];
		const struct place_task *task = &work->prob->tasks[work->id[t]];
		if (relief->at[t] >= 0)
			continue;
		relief->n_float++;
		relief->at[t] = has_all(task) ? place_lowest_ok(work, t, 0, (uint32_t)work->n_units)
					      : lowest_in(work, task->room);
		if (relief->at[t] >= 0)
			place_add(work, relief->at[t], work->demand[t]);
	}
}

bool relief_curable(const struct relief *relief, const struct place_work *work, uint32_t t)
{
	const struct place_task *task = &work->prob->tasks[work->id[t]];
	if (relief->at[t] < 0 || task->capped || work->demand[t] < IDLE_PCT)
		return false;
	return alone(work, relief->at[t]) || !has_all(task);
}

/* As reported; without a report, by the loads, but only of a vCPU that is bound to one unit. */
static double wait_now(const struct relief *relief, const struct place_work *work, uint32_t t)
{
	const struct place_task *task = &work->prob->tasks[work->id[t]];
	if (task->wait_pct >= 0)
		return fmin(1, task->wait_pct / 100);
	if (!task->pinned || relief->at[t] < 0)
		return 0;
	int unit = relief->at[t];
	return relief_wait(relief_part(work, t, unit),
		fmax(0, work->load[unit] - work->demand[t]) * work->inv[unit] / 100);
}

/* What task would wait if it floated too: by the loads where `to` has the most room, or as those do that
 * float already, whichever is less. */
static double wait_free(const struct relief *relief, const struct place_work *work, uint32_t task, int to)
{
	double d = relief_part(work, task, to),
	       there = relief_wait(d, fmax(0, work->load[to]) * work->inv[to] / 100);
	return alone(work, to) ? there : fmin(there, d * relief->float_share);
}

/* A pCPU that does clearly more than the one that it has all of, and is nearly idle; PLACE_NONE. To be slow
 * is as bad as to wait. */
int relief_larger(const struct relief *relief, const struct place_work *work, uint32_t t)
{
	enum { ALL_PCT = 95, IDLE_MOST_PCT = 20 };
	const struct place_task *task = &work->prob->tasks[work->id[t]];
	int from = relief->at[t], best = PLACE_NONE;
	if (from < 0 || work->equal || task->usage_pct < ALL_PCT || !relief_curable(relief, work, t))
		return PLACE_NONE;
	for (int unit = 0; unit < (int)work->n_units; unit++) {
		bool larger = work->inv[unit] < .95 * work->inv[from] &&
			      work->load[unit] * work->inv[unit] < IDLE_MOST_PCT;
		if (larger && place_ok(work, t, unit) && (best < 0 || work->level[unit] < work->level[best]))
			best = unit;
	}
	return best;
}

/* By how much less it would have waited on the pCPU with the most room, or spread by the kernel. */
static double spare_of(const struct relief *relief, const struct place_work *work, uint32_t task)
{
	int to = place_lowest_ok(work, task, 0, (uint32_t)work->n_units);
	if (to < 0 || (to == relief->at[task] && (alone(work, to) || relief->float_share >= 1)))
		return 0;
	return fmax(0, wait_now(relief, work, task) - luck * wait_free(relief, work, task, to) - noise);
}

/* How those fare that have all that they may use. The kernel is better at it than any model of it. */
static void floats_judge(struct relief *relief, const struct place_work *work)
{
	double wait = 0, want = 0;
	for (uint32_t t = 0; t < work->n_tasks; t++) {
		const struct place_task *task = &work->prob->tasks[work->id[t]];
		if (!relief_floats(work, t) || task->capped || task->wait_pct < 0)
			continue;
		wait += task->wait_pct;
		want += work->demand[t];
	}
	relief->float_share = want > RELIEF_SPARE * 100 ? fmin(1, wait / want) : 1;
}

/* A mean over the last minute, but over less when its waiting began later: what is compared with afterwards
 * must not be diluted by the calm before. */
static double part_of(const struct relief_memory *mem, int64_t now_ns, double dt_s)
{
	double age_s = (double)(now_ns - max_of(mem->run_ns, mem->since_ns)) / (double)S_NS;
	return age_s <= dt_s ? 1 : fmax(1 - exp(-dt_s / MEAN_S), dt_s / age_s);
}

static void means_update(struct relief *relief, const struct place_problem *prob, double dt_s)
{
	double wait = 0, want = 0, share = relief->last_ns ? 1 - exp(-dt_s / MEAN_S) : 1;
	for (size_t i = 0; i < prob->n_tasks; i++) {
		const struct place_task *task = &prob->tasks[i];
		struct relief_memory *mem = &relief->slots[task->slot];
		double waits = fmax(0, task->wait_pct) / 100, wants = task->demand_pct / 100;
		double part = part_of(mem, prob->now_ns, dt_s);
		mem->wait += part * (waits - mem->wait);
		mem->want += part * (wants - mem->want);
		wait += waits;
		want += wants;
	}
	for (size_t unit = 0; unit < prob->n_units; unit++)
		want += fmax(0, prob->units[unit].background_pct) / 100;
	relief->wait_all += share * (wait - relief->wait_all);
	relief->want_all += share * (want - relief->want_all);
}

static void owed_update(struct relief_memory *mem, int64_t now_ns, double dt_s)
{
	enum { FORGOTTEN_PER_S = 20 }; /* a twentieth of a second is nothing to remember */
	bool begins = mem->owed_s * FORGOTTEN_PER_S < 1 && mem->spare > 0;
	mem->owed_s = mem->owed_s * exp(-dt_s / OWED_S) + mem->spare * dt_s;
	if (begins)
		mem->run_ns = now_ns - (int64_t)(dt_s * (double)S_NS);
}

static double since_last(const struct relief *relief, const struct place_problem *prob)
{
	double dt_s =
		relief->last_ns ? (double)(prob->now_ns - relief->last_ns) / (double)S_NS : prob->elapsed_s;
	return fmax(0, fmin(dt_s, 2 * prob->elapsed_s));
}

double relief_means(struct relief *relief, const struct place_work *work)
{
	double dt_s = since_last(relief, work->prob);
	memcpy(relief->at, work->home, work->n_tasks * sizeof *relief->at);
	means_update(relief, work->prob, dt_s);
	relief->last_ns = work->prob->now_ns;
	return dt_s;
}

double relief_watch(struct relief *relief, struct place_work *work)
{
	const struct place_problem *prob = work->prob;
	double dt_s = since_last(relief, prob);
	relief->n_waiting = relief->n_curable = relief->n_slow = 0;
	relief->worst_wait = 0;
	floats_judge(relief, work);
	for (uint32_t task = 0; task < work->n_tasks; task++) {
		struct relief_memory *mem = relief_memory_of(relief, work, task);
		double wait = wait_now(relief, work, task);
		mem->spare = relief_curable(relief, work, task) ? spare_of(relief, work, task) : 0;
		int larger = relief_larger(relief, work, task);
		relief->n_slow += larger >= 0;
		if (larger >= 0)
			mem->spare = fmax(mem->spare, 1 - work->inv[larger] / work->inv[relief->at[task]]);
		owed_update(mem, prob->now_ns, dt_s);
		relief->n_waiting += wait >= RELIEF_SPARE;
		relief->n_curable += mem->spare >= RELIEF_SPARE;
		relief->worst_wait = fmax(relief->worst_wait, wait);
	}
	relief_stuck_watch(relief, work, dt_s);
	means_update(relief, prob, dt_s);
	relief->last_ns = prob->now_ns;
	return dt_s;
}
