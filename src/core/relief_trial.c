/* SPDX-License-Identifier: MIT */
/* Did a change help? For a while after each plan the waiting of those that it touched, and of all, is
 * compared with before, per second that they wanted to run. What did not help is taken back and rests, twice
 * as long each time. Invariant: nothing is taken back to where it would wait longer than where it is. Knows
 * nothing of how a plan is made. */
#include <math.h>
#include <string.h>

#include "minmove.h"
#include "relief.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

enum {
	SETTLE_ROUNDS = 2,
	SPAN_S = 30,
	SPAN_ROUNDS = 8,
	EXTENSIONS = 3,
	REST_S = 600,
	REST_MOST_S = 4 * 3600
};

static const struct place_task *task_of(
	const struct relief *relief, const struct place_problem *prob, uint32_t slot, uint32_t birth)
{
	const struct relief_memory *mem = slot < relief->cap_slots ? &relief->slots[slot] : NULL;
	bool here = mem && mem->birth == birth && mem->task > 0 && mem->task <= prob->n_tasks;
	const struct place_task *task = here ? &prob->tasks[mem->task - 1] : NULL;
	return task && task->slot == slot ? task : NULL;
}

/* All that wants to run on the host, vCPUs or not. */
static double wanted_by_others(const struct place_problem *prob)
{
	double sum = 0;
	for (size_t unit = 0; unit < prob->n_units; unit++)
		sum += fmax(0, prob->units[unit].background_pct) / 100;
	return sum;
}

static double per(double wait, double want)
{
	return want > 1e-9 ? wait / want : 0;
}

static void add_all(struct relief_trial *trial, const struct place_problem *prob, double dt_s)
{
	double wait = 0, want = wanted_by_others(prob);
	for (size_t i = 0; i < prob->n_tasks; i++) {
		wait += fmax(0, prob->tasks[i].wait_pct) / 100;
		want += prob->tasks[i].demand_pct / 100;
	}
	trial->wait_all_s += dt_s * wait;
	trial->want_all_s += dt_s * want;
	trial->all_sum += per(wait, want);
	trial->all_squares += per(wait, want) * per(wait, want);
	trial->rounds++;
	trial->span_s += dt_s;
}

static void trial_add(
	struct relief *relief, struct relief_trial *trial, const struct place_problem *prob, double dt_s)
{
	for (size_t i = 0; i < trial->n; i++) {
		const struct place_task *task =
			task_of(relief, prob, trial->touched[i].slot, trial->touched[i].birth);
		if (!task)
			continue;
		trial->wait_touched_s += dt_s * fmax(0, task->wait_pct) / 100;
		trial->want_touched_s += dt_s * task->demand_pct / 100;
	}
	add_all(trial, prob, dt_s);
}

static bool differs(double before, double after)
{
	return fabs(after - before) > .25 * fmax(before, .05);
}

enum verdict { TELLS_GOOD, TELLS_BAD, TELLS_NOTHING };

/* How far apart the means of two spans are by chance alone. Rounds that follow each other are alike: two
 * count as one. */
static double scatter(const struct relief_trial *trial)
{
	double n = trial->rounds, mean = n > 0 ? trial->all_sum / n : 0;
	double var = n > 1 ? fmax(0, trial->all_squares / n - mean * mean) : 0;
	return n > 1 ? sqrt(2 * var / (n / 2)) : 0;
}

static enum verdict trial_verdict(const struct relief_trial *trial)
{
	double touched = per(trial->wait_touched_s, trial->want_touched_s),
	       all = per(trial->wait_all_s, trial->want_all_s);
	bool helped = trial->placed ? touched <= 1.25 * trial->before_touched + .05
				    : touched <= .75 * trial->before_touched;
	bool spoilt = trial->placed
			      ? all > 1.25 * trial->before_all + .05
			      : all - trial->before_all > fmax(.1 * trial->before_all + .01, scatter(trial));
	if (trial->placed && !(spoilt && !helped)) /* the deviation is what it was made for */
		return TELLS_GOOD;
	if (helped && !spoilt)
		return TELLS_GOOD;
	/* Another load than before: not comparable. */
	if (differs(trial->want_all, trial->want_all_s / trial->span_s) ||
		differs(trial->want_touched, trial->want_touched_s / trial->span_s))
		return TELLS_NOTHING;
	return TELLS_BAD;
}

static void trial_close(struct relief *relief, struct relief_trial *trial, const struct place_problem *prob)
{
	for (size_t i = 0; i < trial->n; i++) {
		if (!task_of(relief, prob, trial->touched[i].slot, trial->touched[i].birth))
			continue;
		relief->slots[trial->touched[i].slot].in_trial = false;
		relief->slots[trial->touched[i].slot].owed_s = 0;
	}
	trial->open = false;
}

static void rest(struct relief_memory *mem, int64_t now_ns)
{
	mem->rest_s = fmin(REST_MOST_S, fmax(REST_S, 2 * mem->rest_s));
	mem->rest_until_ns = now_ns + (int64_t)(mem->rest_s * (double)S_NS);
	mem->owed_s = 0;
}

/* Not only those that were touched: what did not help them will not help their neighbours either. */
static void all_rest(struct relief *relief, const struct relief_trial *trial, const struct place_work *work)
{
	for (uint32_t task = 0; task < work->n_tasks; task++) {
		struct relief_memory *mem = relief_memory_of(relief, work, task);
		bool near = mem->in_trial;
		for (size_t i = 0; i < trial->n && !near; i++)
			near = trial->touched[i].from == work->home[task];
		if (near && work->prob->now_ns >= mem->rest_until_ns)
			rest(mem, work->prob->now_ns);
	}
}

static void none_rests(struct relief *relief, const struct relief_trial *trial)
{
	for (size_t i = 0; i < trial->n; i++)
		relief->slots[trial->touched[i].slot].rest_s = 0;
}

/* Where it was it would wait longer than it does now: other things have changed since. */
static bool back_is_worse(const struct relief *relief, const struct place_work *work, uint32_t task, int unit)
{
	if (unit < 0 || (size_t)unit >= work->n_units)
		return true;
	double d = relief_part(work, task, unit);
	double others = (work->load[unit] - (relief->at[task] == unit ? work->demand[task] : 0)) *
			work->inv[unit] / 100;
	return relief_wait(d, others) > relief_memory_of(relief, work, task)->wait + .02;
}

static void take_back(struct relief *relief, const struct place_work *work, const struct relief_trial *trial)
{
	double touched = per(trial->wait_touched_s, trial->want_touched_s),
	       all = per(trial->wait_all_s, trial->want_all_s);
	for (size_t i = 0; i < trial->n; i++)
		relief->slots[trial->touched[i].slot].back = 1 + trial->touched[i].from;
	for (uint32_t task = 0; task < work->n_tasks; task++) {
		struct relief_memory *mem = relief_memory_of(relief, work, task);
		int from = mem->back - 1;
		if (!mem->back || !mem->in_trial || back_is_worse(relief, work, task, from))
			continue;
		struct place_move *move = &relief->moves[relief->n_moves++];
		*move = (struct place_move){.task = work->id[task],
			.from = relief->at[task],
			.to = from,
			.partner = PLACE_NONE,
			.aim = PLACE_BACK};
		why_set(&move->why, REASON_TAKE_BACK,
			"the change %s: waits %.0f %% of what it wants, before %.0f %%; all %.0f %%, before %.0f %%",
			trial->placed ? "made it worse" : "did not help", 100 * touched,
			100 * trial->before_touched, 100 * all, 100 * trial->before_all);
	}
	for (size_t i = 0; i < trial->n; i++)
		relief->slots[trial->touched[i].slot].back = 0;
}

static void trial_extend(struct relief_trial *trial, const struct place_problem *prob)
{
	int64_t span = trial->until_ns - trial->from_ns;
	trial->extended++;
	trial->from_ns = prob->now_ns;
	trial->until_ns = prob->now_ns + 2 * span;
	trial->wait_touched_s = trial->wait_all_s = trial->want_touched_s = trial->want_all_s =
		trial->span_s = 0;
	trial->all_sum = trial->all_squares = 0;
	trial->rounds = 0;
}

/* Returns whether moves were made. */
static bool trial_end(
	struct relief *relief, struct relief_trial *trial, const struct place_work *work, struct why *why)
{
	enum verdict verdict = trial_verdict(trial);
	if (verdict == TELLS_NOTHING && trial->extended < EXTENSIONS) {
		trial_extend(trial, work->prob);
		return false;
	}
	relief->n_moves = 0;
	if (verdict == TELLS_BAD)
		take_back(relief, work, trial);
	if (relief->n_moves)
		why_set(why, REASON_TAKE_BACK, "%zu of %zu change%s taken back: %.130s", relief->n_moves,
			trial->n, text_s(trial->n), relief->moves[0].why.text);
	if (verdict == TELLS_BAD)
		all_rest(relief, trial, work);
	else
		none_rests(relief, trial);
	trial_close(relief, trial, work->prob);
	return relief->n_moves > 0;
}

bool relief_review(
	struct relief *relief, const struct place_work *work, bool act, double dt_s, struct why *why)
{
	for (size_t i = 0; i < RELIEF_TRIALS; i++) {
		struct relief_trial *trial = &relief->trials[i];
		if (!trial->open)
			continue;
		if (!act) { /* the user has taken over */
			trial_close(relief, trial, work->prob);
			continue;
		}
		if (work->prob->now_ns < trial->from_ns)
			continue;
		trial_add(relief, trial, work->prob, dt_s);
		if (work->prob->now_ns >= trial->until_ns && trial_end(relief, trial, work, why))
			return true;
	}
	return false;
}

bool relief_settling(const struct relief *relief, int64_t now_ns)
{
	size_t open = 0;
	for (size_t i = 0; i < RELIEF_TRIALS; i++) {
		open += relief->trials[i].open;
		if (relief->trials[i].open && !relief->trials[i].extended &&
			now_ns < relief->trials[i].from_ns)
			return true;
	}
	return open == RELIEF_TRIALS;
}

static struct relief_trial *trial_free(struct relief *relief)
{
	for (size_t i = 0; i < RELIEF_TRIALS; i++)
		if (!relief->trials[i].open)
			return &relief->trials[i];
	return &relief->trials[0]; /* only a forced round gets here: the oldest judgement is given up */
}

static void touched_add(
	struct relief *relief, struct relief_trial *trial, const struct place_task *task, int from)
{
	struct relief_memory *mem = &relief->slots[task->slot];
	trial->touched[trial->n].slot = task->slot;
	trial->touched[trial->n].birth = task->birth;
	trial->touched[trial->n++].from = from;
	trial->before_touched += mem->wait;
	trial->want_touched += mem->want;
	mem->in_trial = true;
	mem->since_ns = relief->last_ns;
}

static void forget_owed(struct relief *relief, const struct place_problem *prob)
{
	for (size_t i = 0; i < prob->n_tasks; i++)
		relief->slots[prob->tasks[i].slot].owed_s = 0;
}

bool relief_rests(const struct relief *relief, const struct place_work *work, uint32_t task)
{
	const struct relief_memory *mem = relief_memory_of(relief, work, task);
	return work->prob->now_ns < mem->rest_until_ns;
}

void relief_placed(struct relief *relief, const struct place_problem *prob, const struct place_move *moves,
	size_t n, const bool *done)
{
	relief->n_moves = min_of(n, RELIEF_TOUCHED);
	relief->n_moves = min_of(relief->n_moves, relief->cap_moves);
	if (relief->n_moves)
		memcpy(relief->moves, moves, relief->n_moves * sizeof *moves);
	relief->placing = true;
	relief_applied(relief, prob, done);
	relief->placing = false;
	relief->n_moves = 0;
}

void relief_applied(struct relief *relief, const struct place_problem *prob, const bool *done)
{
	struct relief_trial *trial = trial_free(relief);
	if (trial->open)
		trial_close(relief, trial, prob);
	*trial = (struct relief_trial){.placed = relief->placing,
		.before_all = per(relief->wait_all, relief->want_all),
		.want_all = relief->want_all};
	for (size_t i = 0; i < relief->n_moves; i++) {
		const struct place_move *move = &relief->moves[i];
		if (done[i])
			relief_stuck_applied(
				&relief->slots[prob->tasks[move->task].slot], move, prob->now_ns);
		if (done[i] && move->aim != PLACE_BACK)
			touched_add(relief, trial, &prob->tasks[move->task], move->from);
	}
	if (!trial->n)
		return;
	trial->before_touched = per(trial->before_touched, trial->want_touched);
	double round_s = fmax(prob->elapsed_s, .2), span_s = fmax(SPAN_S, SPAN_ROUNDS * round_s);
	trial->from_ns = prob->now_ns + (int64_t)(SETTLE_ROUNDS * round_s * (double)S_NS);
	trial->until_ns = trial->from_ns + (int64_t)((trial->placed ? 2 : 1) * span_s * (double)S_NS);
	trial->open = true;
	forget_owed(relief, prob);
}
