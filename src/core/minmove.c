/* SPDX-License-Identifier: MIT */
/* The policy `minmove`: when to act, and how little. Each round works out the deviation now, the best
 * placement known and a bound below which none can be; acts only when that says there is something to win,
 * with the fewest moves, and then keeps still for a while. The formulas are in vmtop(1), POLICIES.
 *
 * Invariant: nothing is remembered as done before applied() says so. Knows no VMs, pins or hosts. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "minmove.h"
#include "vmtop/array.h"
#include "vmtop/config.h"
#include "vmtop/text.h"

static void *minmove_create(const struct config *cfg)
{
	(void)cfg;
	return calloc(1, sizeof(struct minmove));
}

static void minmove_destroy(void *state)
{
	struct minmove *mini = state;
	if (!mini)
		return;
	place_done(&mini->work);
	relief_done(&mini->relief);
	free(mini->slots);
	free(mini->moves);
	free(mini);
}

/* As array_grow(), and what was added is zero. */
static int zeroed_grow(void *array, size_t *cap, size_t need, size_t size)
{
	size_t had = *cap;
	if (!array_grow(array, cap, need, size))
		return -1;
	memset(*(char **)array + had * size, 0, (*cap - had) * size);
	return 0;
}

static int state_load(struct minmove *mini, const struct place_problem *prob)
{
	size_t n_slots = prob->n_slots;
	for (size_t i = 0; i < prob->n_tasks; i++)
		if (prob->tasks[i].slot >= n_slots)
			n_slots = (size_t)prob->tasks[i].slot + 1;
	if (zeroed_grow(&mini->slots, &mini->cap_slots, n_slots, sizeof(*mini->slots)) < 0 ||
		zeroed_grow(&mini->moves, &mini->cap_moves, prob->n_tasks, sizeof(*mini->moves)) < 0 ||
		place_load(&mini->work, prob) < 0)
		return -1;
	for (uint32_t task = 0; task < mini->work.n_tasks; task++) {
		struct memory *mem = task_memory(mini, task);
		uint32_t birth = prob->tasks[mini->work.id[task]].birth;
		if (mem->birth != birth || mem->found_unit >= (int)prob->n_units)
			*mem = (struct memory){.birth = birth, .found_unit = PLACE_NONE, .usage = -1};
		mem->move = 0;
	}
	return 0;
}

static void mean_begin(struct memory *mem, double pct, double elapsed_s)
{
	mem->mean = pct;
	mem->mean_s = elapsed_s;
}

static void mean_go_on(struct memory *mem, double pct, double dt_s)
{
	const double same = .05; /* of a constant load: that is no noise */
	mem->mean_s = fmin(MEAN_MOST_S, mem->mean_s + dt_s);
	mem->mean += fabs(pct - mem->mean) < same ? pct - mem->mean
						  : fmin(1, dt_s / mem->mean_s) * (pct - mem->mean);
}

/* What a vCPU wants now is noise around what it wants: a placement is made for the mean since its load last
 * changed. */
static void means_take(struct minmove *mini)
{
	struct place_work *work = &mini->work;
	double dt_s = mini->mean_ns ? (double)(work->prob->now_ns - mini->mean_ns) / (double)S_NS
				    : work->prob->elapsed_s;
	for (uint32_t task = 0; task < work->n_tasks; task++) {
		struct memory *mem = task_memory(mini, task);
		double limit = fmax(5, 3 * work->prob->tasks[work->id[task]].scatter_pct);
		double off = fabs(work->raw[task] - mem->mean);
		if (mem->mean_s <= 0 || off > limit)
			mean_begin(mem, work->raw[task], work->prob->elapsed_s);
		else if (dt_s > 0)
			mean_go_on(mem, work->raw[task], dt_s);
		work->raw[task] = mem->mean;
	}
	mini->mean_ns = work->prob->now_ns;
	place_demands(work);
}

static void swing_take(struct memory *mem, double usage, double dt_s)
{
	mem->swings *= exp(-dt_s / SWINGS_S);
	mem->swings += mem->usage >= 0 && fabs(usage - mem->usage) > SWING_PCT;
	mem->usage = usage;
	mem->restless = mem->swings >= (mem->restless ? SWINGS_MOST / 2 : SWINGS_MOST);
}

/* Whose load comes and goes from round to round has no place that is right for long. */
static void swings_take(struct minmove *mini)
{
	const struct place_problem *prob = mini->work.prob;
	double dt_s = mini->mean_ns ? (double)(prob->now_ns - mini->mean_ns) / (double)S_NS : prob->elapsed_s;
	for (uint32_t task = 0; task < mini->work.n_tasks && dt_s > 0; task++)
		swing_take(task_memory(mini, task), prob->tasks[mini->work.id[task]].usage_pct, dt_s);
}

static const char *numbers_text(const struct look *look, char *buf, size_t len)
{
	snprintf(buf, len, "deviation %.1f %%, found %.1f %%, no plan below %.1f %%, limit %.1f %%",
		look->sigma, look->found, look->bound, look->limit);
	return buf;
}

static void verdict_set(struct place_result *out, const struct look *look, enum reason code, const char *more)
{
	char n[100];
	why_set(&out->why, code, "%s%s", numbers_text(look, n, sizeof(n)), more);
}

/* What there is to cure although the deviation is within its limit. */
static const char *cause_text(const struct look *look)
{
	if (look->sigma > look->limit)
		return "";
	if (look->cores)
		return "; cores differ";
	return text_if(look->overload, "; a pCPU is wanted by more than it gives");
}

/* Why nothing can be moved at all, or REASON_NONE. */
static enum reason nobody_moves(const struct minmove *mini)
{
	const struct place_problem *prob = mini->work.prob;
	if (prob->n_tasks == 0)
		return REASON_NO_VMS;
	if (mini->work.n_tasks > 0)
		return REASON_NONE;
	for (size_t i = 0; i < prob->n_tasks; i++)
		if (prob->tasks[i].fixed == REASON_HELD || prob->tasks[i].fixed == REASON_FOREIGN)
			return REASON_HELD;
	return REASON_NOTHING_ALLOWED;
}

/* The verdict of a round without a trigger. */
static void verdict_quiet(const struct minmove *mini, const struct look *look, struct place_result *out)
{
	double band = minmove_band(mini->work.prob->cfg, mini->work.prob);
	enum reason nobody = nobody_moves(mini);
	if (nobody == REASON_NO_VMS)
		why_set(&out->why, nobody, NULL);
	else if (look->sigma <= band)
		verdict_set(out, look, REASON_BALANCED, "");
	else if (nobody != REASON_NONE)
		verdict_set(out, look, nobody, "");
	else if (look->found <= 1.02 * look->bound && look->bound > band)
		verdict_set(out, look, REASON_UNATTAINABLE, "");
	else
		verdict_set(out, look, REASON_NO_BETTER, "");
}

/* Counts down, and ends early a wait that began with a rejected plan when things have become worse since. */
static bool cooling(struct minmove *mini, const struct look *look)
{
	const struct place_problem *prob = mini->work.prob;
	if (mini->rejected && look->sigma > mini->rejected_sigma + prob->cfg->stop_at_pct)
		mini->cooldown = 0;
	if (mini->cooldown > 0) {
		mini->cooldown--;
		return true;
	}
	mini->rejected = false;
	return mini->slow_s > 0 && (double)(prob->now_ns - mini->acted_ns) < mini->slow_s * (double)S_NS;
}

/* Two rounds after acting: did it help? */
static void gain_check(struct minmove *mini, const struct look *look)
{
	if (mini->check_in == 0 || --mini->check_in > 0)
		return;
	if (mini->check_q - look->q >= mini->check_gain / 4) {
		mini->fails = 0;
		mini->slow_s = 0;
	} else if (++mini->fails >= FAILS_BEFORE_SLOW) {
		mini->slow_s = fmin(SLOW_CAP_S, fmax(30, 2 * mini->slow_s));
	}
}

static void plan_reject(struct minmove *mini, const struct look *look, struct place_result *out)
{
	const struct config *cfg = mini->work.prob->cfg;
	bool dwell = mini->work.n_steps == 0 && look->dwelling > 0;
	place_reset(&mini->work);
	if (!mini->work.prob->forced) {
		mini->cooldown = cfg->cooldown_rejected_rounds;
		mini->rejected = true;
		mini->rejected_sigma = look->sigma;
	}
	verdict_set(out, look, dwell ? REASON_DWELL : REASON_NOT_WORTH, cause_text(look));
}

/* Plans, and takes it or leaves it. */
static void act_round(struct minmove *mini, const struct look *look, struct place_result *out)
{
	struct place_work *work = &mini->work;
	if (!minmove_make(mini, look)) {
		plan_reject(mini, look, out);
		return;
	}
	minmove_moves(mini);
	if (!work->prob->forced)
		mini->cooldown = work->prob->cfg->cooldown_rounds;
	out->after_pct = mini->plan_sigma;
	char n[100];
	why_set(&out->why, REASON_MOVE, "%zu move%s to %.1f %%; %s%s", work->n_steps, text_s(work->n_steps),
		out->after_pct, numbers_text(look, n, sizeof(n)), cause_text(look));
}

static void round_decide(struct minmove *mini, struct look *look, bool act, struct place_result *out)
{
	const struct place_problem *prob = mini->work.prob;
	bool trigger = look->above || look->overload;
	if (!prob->forced)
		gain_check(mini, look);
	bool cool = !prob->forced && cooling(mini, look);
	if (!prob->forced)
		mini->above = trigger ? mini->above + 1 : 0;
	if (nobody_moves(mini) != REASON_NONE ||
		(!trigger && (!prob->forced || look->sigma <= prob->cfg->stop_at_pct)))
		verdict_quiet(mini, look, out);
	else if (!act)
		verdict_set(out, look, REASON_MANUAL, cause_text(look));
	else if (cool)
		verdict_set(out, look, REASON_COOLDOWN, cause_text(look));
	else if (!prob->forced && mini->above < 2)
		verdict_set(out, look, REASON_CONFIRM, cause_text(look));
	else
		act_round(mini, look, out);
}

static int relieve(struct minmove *mini, const struct look *look, bool act, struct place_result *out)
{
	char n[100];
	bool within = look->sigma <= minmove_band(mini->work.prob->cfg, mini->work.prob);
	enum reason nobody = nobody_moves(mini);
	if (relief_round(&mini->relief, &mini->work, numbers_text(look, n, sizeof(n)), within, act, out) < 0)
		return -1;
	if (nobody != REASON_NONE && !within)
		verdict_set(out, look, nobody, "");
	out->moves = mini->relief.moves;
	out->n_moves = mini->relief.n_moves;
	return 0;
}

/* Did the placements made lately make anybody wait? True: they are taken back. */
static bool judge(struct minmove *mini, bool act, struct place_result *out)
{
	struct relief *relief = &mini->relief;
	double dt_s = relief_means(relief, &mini->work);
	relief->n_moves = 0;
	mini->taking_back =
		!mini->work.prob->forced && relief_review(relief, &mini->work, act, dt_s, &out->why);
	out->moves = relief->moves;
	out->n_moves = relief->n_moves;
	return mini->taking_back;
}

static bool set_free(struct minmove *mini, bool act, struct place_result *out)
{
	mini->freeing = act && !mini->work.prob->forced && minmove_free(mini) > 0;
	if (!mini->freeing)
		return false;
	why_set(&out->why, REASON_FREE, "%zu of %zu vCPU%s left to the kernel again: %s load comes and goes",
		mini->n_moves, mini->work.prob->n_tasks, text_s(mini->work.prob->n_tasks),
		mini->n_moves == 1 ? "its" : "their");
	out->moves = mini->moves;
	out->n_moves = mini->n_moves;
	return true;
}

static int minmove_plan(void *state, const struct place_problem *prob, bool act, struct place_result *out)
{
	struct minmove *mini = state;
	struct look look = {0};
	*out = (struct place_result){.found_pct = -1, .bound_pct = -1};
	mini->n_moves = 0;
	mini->freeing = false;
	if (prob->n_units == 0) {
		why_set(&out->why, REASON_NO_DATA, NULL);
		return 0;
	}
	if (state_load(mini, prob) < 0)
		return -1;
	if (!prob->relief) {
		swings_take(mini);
		means_take(mini);
		if (set_free(mini, act, out))
			return 0;
	}
	minmove_strays(mini, act && !prob->relief);
	minmove_look(mini, &look);
	out->stddev_pct = out->after_pct = look.sigma;
	out->found_pct = look.found;
	out->bound_pct = look.bound;
	out->limit_pct = look.limit;
	if (prob->relief)
		return relieve(mini, &look, act, out);
	if (relief_room(&mini->relief, &mini->work) < 0)
		return -1;
	if (judge(mini, act, out))
		return 0;
	look.dwelling = minmove_mark_still(mini);
	look.overload = minmove_overload(mini, &look);
	round_decide(mini, &look, act, out);
	out->moves = mini->moves;
	out->n_moves = mini->n_moves;
	return 0;
}

static double dwell_for(const struct place_work *work, const struct config *cfg, int from, int to)
{
	double d = place_distance(work, from, to);
	if (d >= 4)
		return cfg->dwell_cross_s;
	return d >= 2 ? cfg->dwell_node_s : cfg->dwell_llc_s;
}

/* Moved again soon: what the last move was made for did not last, so the next one has to wait longer; after a
 * calm time the dwell shrinks again. */
static double dwell_next(const struct memory *mem, const struct place_problem *prob, double usual_s)
{
	double since_s = (double)(prob->now_ns - mem->moved_ns) / (double)S_NS;
	if (mem->dwell_s <= 0)
		return usual_s;
	if (since_s < RESTLESS_DWELLS * mem->dwell_s)
		return fmax(usual_s, fmin(prob->cfg->dwell_max_s, RESTLESS_FACTOR * mem->dwell_s));
	return fmax(usual_s, mem->dwell_s / 2);
}

/* Who floated until now has a place of ours; or the other way round, for ten minutes, twice as long each
 * time. */
static void note_bound(struct minmove *mini, const struct place_problem *prob, const bool *done)
{
	for (size_t i = 0; i < mini->n_moves; i++) {
		const struct place_task *task = &prob->tasks[mini->moves[i].task];
		struct memory *mem = &mini->slots[task->slot];
		if (!done[i])
			continue;
		mem->bound = !mini->freeing && (mem->bound || !task->pinned);
		if (!mini->freeing)
			continue;
		if (task->slot < mini->relief.cap_slots) /* an open trial must not bind it again */
			mini->relief.slots[task->slot].in_trial = false;
		mem->floats_s = fmin(FLOATS_MOST_S, fmax(FLOATS_S, 2 * mem->floats_s));
		mem->floats_until_ns = prob->now_ns + (int64_t)(mem->floats_s * (double)S_NS);
	}
}

/* The dwell starts with an improving move. After a waived one it is twice as long and not waived again, so
 * that no rhythm of the load costs more than a pin per dwell. */
static void minmove_applied(void *state, const struct place_problem *prob, const bool *done)
{
	struct minmove *mini = state;
	size_t moved = 0, planned = 0;
	if (prob->relief || mini->taking_back) {
		relief_applied(&mini->relief, prob, done);
		return;
	}
	note_bound(mini, prob, done);
	if (mini->freeing)
		return;
	relief_placed(&mini->relief, prob, mini->moves, mini->n_moves, done);
	for (size_t i = 0; i < mini->n_moves; i++) {
		const struct place_move *move = &mini->moves[i];
		if (move->why.code != REASON_MOVE && move->why.code != REASON_SWAP)
			continue;
		planned++;
		if (!done[i])
			continue;
		moved++;
		const struct place_task *task = &prob->tasks[move->task];
		struct memory *mem = &mini->slots[task->slot];
		mem->dwell_s = dwell_next(mem, prob, dwell_for(&mini->work, prob->cfg, move->from, move->to));
		mem->moved_ns = prob->now_ns;
		mem->moved_demand = task->demand_pct;
		mem->waived = mem->waive;
	}
	if (!moved)
		return;
	mini->acted_ns = prob->now_ns;
	mini->check_in = CHECK_ROUNDS;
	mini->check_q = mini->plan_q;
	mini->check_gain = mini->plan_gain * (double)moved / (double)planned;
}

/* How long tasks have been seen and the best placement known shape a forced plan too. */
static void minmove_mirror(void *to, const void *from)
{
	struct minmove *t = to;
	const struct minmove *f = from;
	if (relief_mirror(&t->relief, &f->relief) < 0 ||
		zeroed_grow(&t->slots, &t->cap_slots, f->cap_slots, sizeof(*t->slots)) < 0)
		return; /* it plans as one that has seen nothing yet */
	if (f->cap_slots)
		memcpy(t->slots, f->slots, f->cap_slots * sizeof(*t->slots));
	t->found_tasks = f->found_tasks;
	t->found_units = f->found_units;
	t->kept_rounds = f->kept_rounds;
	t->proven = f->proven;
	t->looked_ns = f->looked_ns;
	t->mean_ns = f->mean_ns;
}

const struct cpu_policy_ops cpu_policy_minmove = {
	.create = minmove_create,
	.destroy = minmove_destroy,
	.plan = minmove_plan,
	.applied = minmove_applied,
	.any_unit = true,
	.relieves = true,
	.mirror = minmove_mirror,
};
