/* SPDX-License-Identifier: MIT */
/* The moves of minmove: which vCPUs may move now, the plan with the fewest moves that pays, and what is said
 * about each. Invariant: a task is moved at most once in a plan, and no plan raises the deviation or the
 * highest load. Knows nothing of triggers and waits. */
#include <math.h>
#include <string.h>

#include "minmove.h"
#include "vmtop/config.h"
#include "vmtop/minmax.h"

static bool task_dwells(const struct memory *mem, int64_t now_ns)
{
	return (double)(now_ns - mem->moved_ns) < mem->dwell_s * (double)S_NS;
}

static bool is_tiny(const struct place_work *work, uint32_t task)
{
	int unit = work->home[task];
	return !work->prob->forced && work->demand[task] < TINY_PCT && unit >= 0 &&
	       work->load[unit] * work->inv[unit] <= 100;
}

/* Who floats and is restless is left to the kernel, which spreads it faster than any plan. */
static bool is_left(const struct minmove *mini, uint32_t task)
{
	const struct place_problem *prob = mini->work.prob;
	const struct memory *mem = task_memory(mini, task);
	bool floats = !prob->tasks[mini->work.id[task]].pinned;
	return !prob->forced && floats && (mem->restless || prob->now_ns < mem->floats_until_ns);
}

size_t minmove_free(struct minmove *mini)
{
	const struct place_work *work = &mini->work;
	for (uint32_t task = 0; task < work->n_tasks; task++) {
		struct memory *mem = task_memory(mini, task);
		if (!mem->bound || !mem->restless || !work->prob->tasks[work->id[task]].pinned ||
			work->home[task] < 0)
			continue;
		struct place_move *move = &mini->moves[mini->n_moves++];
		*move = (struct place_move){.task = work->id[task],
			.from = work->home[task],
			.to = work->home[task],
			.partner = PLACE_NONE,
			.aim = PLACE_ALLOWED};
		why_set(&move->why, REASON_FREE,
			"its usage jumped %.0f times of late: no place is right for long", mem->swings);
	}
	return mini->n_moves;
}

/* A vCPU whose demand has changed a lot may move although it dwells, once per dwell. */
size_t minmove_mark_still(struct minmove *mini)
{
	struct place_work *work = &mini->work;
	size_t n = 0;
	for (uint32_t task = 0; task < work->n_tasks; task++) {
		struct memory *mem = task_memory(mini, task);
		bool dwells = !work->prob->forced && task_dwells(mem, work->prob->now_ns);
		mem->waive = dwells && !mem->waived && fabs(work->demand[task] - mem->moved_demand) > 25;
		bool rests = !work->prob->forced && relief_rests(&mini->relief, work, task);
		work->still[task] =
			(dwells && !mem->waive) || is_tiny(work, task) || rests || is_left(mini, task);
		work->node_bound[task] |= mem->waive && work->home[task] >= 0;
		n += dwells && !mem->waive;
	}
	return n;
}

/* What a plan has to lower F by, per cost. Where much deviation has to stay, small gains are not worth a
 * move.
 */
static double worth_of(const struct place_work *work, const struct look *look)
{
	const struct config *cfg = work->prob->cfg;
	return squared(cfg->min_gain_pct * fmax(1, look->limit / minmove_band(cfg, work->prob) / 2));
}

bool minmove_overload(struct minmove *mini, const struct look *look)
{
	struct place_work *work = &mini->work;
	bool any = false;
	for (size_t j = 0; j < work->n_units && !any; j++)
		any = work->load[j] * work->inv[j] > 100;
	if (!any)
		return false;
	struct place_goal goal = {.min_score = worth_of(work, look), .max_steps = 2, .overload = true};
	place_greedy(work, &goal);
	bool curable = work->n_steps > 0;
	place_reset(work);
	return curable;
}

/* Percent of unit unit at the start of the plan. Whole numbers: a plan has many moves, and printing fractions
 * took longer than finding them. */
static int load_whole(const struct place_work *work, int unit)
{
	return (int)lrint(work->start_load[unit] * work->inv[unit]);
}

static void move_text(
	const struct minmove *mini, const struct place_step *step, enum reason code, struct why *why)
{
	const struct place_work *work = &mini->work;
	const struct place_unit *unit = work->prob->units;
	int demand = (int)lrint(work->demand[step->task]);
	if (step->from < 0 || step->from == step->to)
		why_set(why, code, "demand %d %%, on pCPU %d at %d %%", demand, unit[step->to].cpu,
			load_whole(work, step->to));
	else
		why_set(why, code, "demand %d %%, from pCPU %d at %d %% to pCPU %d at %d %%", demand,
			unit[step->from].cpu, load_whole(work, step->from), unit[step->to].cpu,
			load_whole(work, step->to));
}

/* One move a task: a stray that the plan moves on goes there at once, and keeps its reason. */
static void move_add(struct minmove *mini, const struct place_step *step, enum reason code)
{
	struct memory *mem = task_memory(mini, step->task);
	struct place_step whole = *step;
	if (mem->move) {
		code = mini->moves[mem->move - 1].why.code;
		whole.from = mini->moves[mem->move - 1].from;
	} else {
		mem->move = (uint32_t)++mini->n_moves;
	}
	struct place_move *move = &mini->moves[mem->move - 1];
	*move = (struct place_move){
		.task = mini->work.id[step->task], .from = whole.from, .to = whole.to, .partner = PLACE_NONE};
	move_text(mini, &whole, code, &move->why);
}

static void steps_add(struct minmove *mini)
{
	const struct place_step *steps = mini->work.steps;
	for (size_t i = 0; i < mini->work.n_steps; i++)
		move_add(mini, &steps[i], steps[i].partner < 0 ? REASON_MOVE : REASON_SWAP);
	for (size_t i = 0; i < mini->work.n_steps; i++)
		if (steps[i].partner >= 0)
			mini->moves[task_memory(mini, steps[i].task)->move - 1].partner =
				(int)task_memory(mini, steps[steps[i].partner].task)->move - 1;
}

/* First assignments: an unpinned task that stays is pinned where it runs. One that is idle is left to the
 * host's own scheduler. */
static void assign_add(struct minmove *mini)
{
	struct place_work *work = &mini->work;
	for (uint32_t t = 0; t < work->n_tasks; t++) {
		const struct place_task *task = &work->prob->tasks[work->id[t]];
		if (task->pinned || work->demand[t] < IDLE_PCT || work->at[t] != work->home[t] ||
			work->home[t] < 0 || task_memory(mini, t)->move || is_left(mini, t))
			continue;
		move_add(mini, &(struct place_step){t, work->home[t], work->home[t], -1}, REASON_ASSIGN);
	}
}

void minmove_strays(struct minmove *mini, bool act)
{
	struct place_work *work = &mini->work;
	for (size_t i = 0; i < work->n_tasks; i++) {
		uint32_t task = work->order[i];
		int from = work->home[task];
		if (from >= 0 && place_ok(work, task, from))
			continue;
		if (from < 0 && work->demand[task] < IDLE_PCT)
			continue;
		int to = place_lowest_ok(work, task, 0, (uint32_t)work->n_units);
		if (to < 0)
			continue;
		if (from >= 0)
			place_add(work, from, -work->demand[task]);
		place_add(work, to, work->demand[task]);
		work->home[task] = to;
		if (act)
			move_add(mini, &(struct place_step){task, from, to, -1},
				from < 0 ? REASON_ASSIGN : REASON_LEAVE);
	}
	place_reset(work);
}

/* The plan pays as a whole: (5 %)^2 per cost. */
static bool steps_worth(const struct minmove *mini, double before_f)
{
	const struct place_work *work = &mini->work;
	double least = mini->worth * place_steps_cost(work);
	return work->n_steps > 0 && before_f - place_f(work) >= least * (1 - 1e-9);
}

static size_t moves_allowed(const struct place_problem *prob)
{
	if (prob->cfg->max_moves > 0)
		return (size_t)prob->cfg->max_moves;
	return max_of(prob->n_units / 4, 8);
}

/* A cheaper plan to the same deviation: exactly where that is possible, else by search; the step-wise one
 * stays when the other does not pay. */
static void plan_refine(struct minmove *mini, const struct place_goal *goal)
{
	struct place_work *work = &mini->work;
	double effort = work->prob->cfg->search_ms * SEARCH_PER_MS;
	if (place_exact_fits(work))
		place_exact_plan(work, goal);
	else if (work->n_tasks <= SEARCH_TASKS && effort > 0)
		place_search(work, goal, (size_t)effort);
	place_prune(work, goal->min_score);
}

/* What the steps win, less what they have to win. */
static double steps_net(const struct minmove *mini, double before_f)
{
	return before_f - place_f(&mini->work) - mini->worth * place_steps_cost(&mini->work);
}

/* Move by move one can get stuck above the goal. The best placement known, with its units renamed so that
 * most tasks are there already, is taken instead when it is worth more. */
static void plan_from_found(struct minmove *mini, const struct place_goal *goal, double before)
{
	struct place_work *work = &mini->work;
	double net = steps_net(mini, before);
	memcpy(work->try, work->at, work->n_tasks * sizeof(*work->try));
	if (!minmove_found_recall(mini))
		return;
	place_rename(work, work->best);
	for (uint32_t task = 0; task < work->n_tasks; task++)
		if (work->still[task] || !place_ok(work, task, work->best[task]))
			work->best[task] = work->home[task];
	place_steps_worth(work, work->best, goal->min_score);
	if (steps_net(mini, before) <= net)
		place_steps_to(work, work->try);
}

/* Goes on from where the plan ends, as if all had been there from the start; false: nothing more pays. */
static bool plan_on(struct minmove *mini, const struct place_goal *goal)
{
	struct place_work *work = &mini->work;
	memcpy(work->start, work->home, work->n_tasks * sizeof(*work->start));
	memcpy(work->home, work->at, work->n_tasks * sizeof(*work->home));
	place_reset(work);
	double before = place_f(work);
	place_greedy(work, goal);
	if (!goal->overload)
		plan_from_found(mini, goal, before);
	bool more = work->n_steps > 0 && (goal->overload || steps_net(mini, before) >= 0);
	memcpy(work->best, more ? work->at : work->home, work->n_tasks * sizeof(*work->best));
	memcpy(work->home, work->start, work->n_tasks * sizeof(*work->home));
	place_steps_to(work, work->best);
	return more;
}

static double highest_load(const struct place_work *work, const double *s)
{
	double top = 0;
	for (size_t j = 0; j < work->n_units; j++)
		top = fmax(top, s[j] * work->inv[j]);
	return top;
}

/* To the goal, or as near as pays. */
static bool plan_level(struct minmove *mini, const struct place_goal *goal)
{
	enum { PASSES = 4 };
	struct place_work *work = &mini->work;
	double before = place_f(work), top = highest_load(work, work->load);
	place_greedy(work, goal);
	if (before <= goal->f)
		return false;
	if (work->n_tasks <= SEARCH_TASKS && place_f(work) > goal->f)
		plan_from_found(mini, goal, before);
	for (int i = 0; i < PASSES && work->n_tasks <= SEARCH_TASKS && place_f(work) > goal->f; i++)
		if (!plan_on(mini, goal))
			break;
	plan_refine(mini, goal);
	if (steps_worth(mini, before) && highest_load(work, work->load) <= top + 1e-6)
		return true;
	place_reset(work);
	minmove_mark_still(mini);
	place_greedy(work, goal);
	return steps_worth(mini, before);
}

static bool plan_steps(struct minmove *mini, const struct look *look)
{
	struct place_work *work = &mini->work;
	size_t most = work->n_tasks <= SEARCH_TASKS ? work->n_tasks : moves_allowed(work->prob);
	mini->worth = worth_of(work, look);
	struct place_goal goal = {.f = look->goal_f, .min_score = mini->worth / 2, .max_steps = most};
	struct place_goal cure = {.min_score = mini->worth, .max_steps = most, .overload = true};
	if (look->above || !look->overload) {
		bool worth = plan_level(mini, &goal);
		if (worth && look->overload)
			plan_on(mini, &cure);
		return worth;
	}
	place_greedy(work, &cure);
	return work->n_steps > 0;
}

bool minmove_make(struct minmove *mini, const struct look *look)
{
	struct place_work *work = &mini->work;
	double q = place_q(work);
	if (look->alike && place_alike(work))
		place_reset(work);
	bool worth = plan_steps(mini, look);
	if (worth)
		place_cut(work, moves_allowed(work->prob));
	mini->plan_sigma = place_sigma(work, place_q(work));
	place_plain(work);
	place_set(work, work->home);
	memcpy(work->start_load, work->load, work->n_units * sizeof(*work->start_load));
	place_set(work, work->at);
	mini->plan_q = q;
	mini->plan_gain = q - place_q(work);
	return worth && mini->plan_gain > -1e-6;
}

void minmove_moves(struct minmove *mini)
{
	assign_add(mini);
	steps_add(mini);
}
