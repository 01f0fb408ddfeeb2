/* SPDX-License-Identifier: MIT */
/* Where the kernel fails those that float: it does not balance over parts of a host whose cpusets forbid it,
 * and it tolerates some imbalance between NUMA nodes. A vCPU that keeps waiting while a pCPU of its own
 * affinity idles gets the widest affinity that leads out, for ten minutes; then it is as found again.
 * Invariant: nobody is bound to one pCPU here. Knows nothing of pins that others made. */
#include <math.h>

#include "minmove.h"
#include "relief.h"

/* Much longer than a kernel that balances ever needs; and by so much less it has to wait elsewhere. */
static const double stuck_s = 10, margin = .05;
enum { FULL_PCT = 90, FORGET_S = 60, NARROW_S = 600, NARROW_MOST_S = 4 * 3600 };

/* By what the host measured: where it says nothing, nothing is claimed of the kernel. */
static void units_by_busy(struct relief *relief, const struct place_work *work)
{
	relief->n_by_busy = 0;
	for (int unit = 0; unit < (int)work->n_units; unit++) {
		if (work->prob->units[unit].busy_pct < 0 || work->prob->units[unit].alone)
			continue;
		size_t i = relief->n_by_busy++;
		for (; i > 0 &&
			work->prob->units[relief->by_busy[i - 1]].busy_pct > work->prob->units[unit].busy_pct;
			i--)
			relief->by_busy[i] = relief->by_busy[i - 1];
		relief->by_busy[i] = unit;
	}
}

/* The least busy unit of those that it may use; PLACE_NONE: where it is, or not known. */
static int roomiest(const struct relief *relief, const struct place_work *work, uint32_t task)
{
	for (size_t i = 0; i < relief->n_by_busy; i++)
		if (place_ok(work, task, relief->by_busy[i]))
			return relief->by_busy[i] == work->home[task] ? PLACE_NONE : relief->by_busy[i];
	return PLACE_NONE;
}

/* By how much less it would wait where there is the most room. */
static double spare_there(const struct relief *relief, const struct place_work *work, uint32_t t)
{
	const struct place_task *task = &work->prob->tasks[work->id[t]];
	if (work->home[t] < 0 || task->capped || task->wait_pct < 100 * margin || !relief_floats(work, t))
		return 0;
	int to = roomiest(relief, work, t);
	if (to < 0 || work->prob->units[to].busy_pct > FULL_PCT) /* how many share a full one is not known */
		return 0;
	double there = relief_wait(relief_part(work, t, to), work->prob->units[to].busy_pct / 100);
	return task->wait_pct / 100 - there - margin;
}

void relief_stuck_watch(struct relief *relief, const struct place_work *work, double dt_s)
{
	units_by_busy(relief, work);
	relief->n_stuck = 0;
	for (uint32_t task = 0; task < work->n_tasks; task++) {
		struct relief_memory *mem = relief_memory_of(relief, work, task);
		bool stuck = spare_there(relief, work, task) > 0;
		relief->n_stuck += stuck;
		mem->stuck_s = mem->stuck_s * exp(-dt_s / FORGET_S) + (stuck ? dt_s : 0);
	}
}

/* The widest: the other node, the other LLC, or all but where it is. */
static enum place_aim way_out(const struct place_work *work, uint32_t task, int to)
{
	const struct place_unit *from = &work->prob->units[work->home[task]], *there = &work->prob->units[to];
	if (from->node >= 0 && there->node >= 0 && from->node != there->node)
		return PLACE_NODE;
	if (from->llc >= 0 && there->llc >= 0 && from->llc != there->llc)
		return PLACE_LLC;
	return PLACE_ASIDE;
}

/* One away from each pCPU and one to each in a round: the next look tells whether that was enough. */
static bool taken(const struct relief *relief, int from, int to)
{
	for (size_t i = 0; i < relief->n_moves; i++)
		if (relief->moves[i].from == from || relief->moves[i].to == to)
			return true;
	return false;
}

static void add_way_out(struct relief *relief, const struct place_work *work, uint32_t task)
{
	const struct place_unit *unit = work->prob->units;
	int from = work->home[task], to = roomiest(relief, work, task);
	if (to < 0 || taken(relief, from, to) || spare_there(relief, work, task) <= 0)
		return;
	struct place_move *move = &relief->moves[relief->n_moves++];
	*move = (struct place_move){.task = work->id[task], .from = from, .to = to, .partner = PLACE_NONE};
	move->aim = way_out(work, task, to);
	why_set(&move->why, REASON_MOVE,
		"waited %.0f %% of the last minute on pCPU %d, where the kernel leaves it although pCPU %d is %.0f %% busy",
		100 * relief_memory_of(relief, work, task)->wait, unit[from].cpu, unit[to].cpu,
		unit[to].busy_pct);
}

static void add_back(struct relief *relief, const struct place_work *work, uint32_t task)
{
	struct place_move *move = &relief->moves[relief->n_moves++];
	*move = (struct place_move){.task = work->id[task],
		.from = work->home[task],
		.to = work->home[task],
		.partner = PLACE_NONE,
		.aim = PLACE_BACK};
	why_set(&move->why, REASON_FREE, "as found again: the reason for a narrower affinity is %.0f min old",
		relief_memory_of(relief, work, task)->narrow_s / 60);
}

void relief_stuck_plan(struct relief *relief, const struct place_work *work, size_t most)
{
	for (uint32_t task = 0; task < work->n_tasks && relief->n_moves < most; task++) {
		const struct relief_memory *mem = relief_memory_of(relief, work, task);
		bool rests =
			mem->in_trial || (!work->prob->forced && work->prob->now_ns < mem->rest_until_ns);
		if (mem->narrow_ns && work->prob->now_ns >= mem->narrow_ns && !mem->in_trial &&
			work->home[task] >= 0)
			add_back(relief, work, task);
		else if (!rests && mem->stuck_s >= stuck_s)
			add_way_out(relief, work, task);
	}
}

void relief_stuck_applied(struct relief_memory *mem, const struct place_move *move, int64_t now_ns)
{
	bool narrower = move->aim == PLACE_NODE || move->aim == PLACE_LLC || move->aim == PLACE_ASIDE;
	mem->stuck_s = 0;
	if (!narrower) {
		mem->narrow_ns = 0;
		return;
	}
	mem->narrow_s = fmin(NARROW_MOST_S, fmax(NARROW_S, 2 * mem->narrow_s));
	mem->narrow_ns = now_ns + (int64_t)(mem->narrow_s * (double)S_NS);
}
