/* SPDX-License-Identifier: MIT */
/* The moves of minmove: which vCPUs may move now, the plan with the fewest moves that pays, and what is said
 * about each. Invariant: a task is moved at most once in a plan, and no plan raises the deviation or the
 * highest load. Knows nothing of triggers and waits. */
#include <math.h>
#include <string.h>

#include "minmove.h"
#include "vmtop/config.h"
#include "vmtop/minmax.h"

static bool task_dwells(const struct memory *m, int64_t now_ns)
{
	return (double)(now_ns - m->moved_ns) < m->dwell_s * (double)S_NS;
}

static bool is_tiny(const struct place_work *w, uint32_t t)
{
	int u = w->home[t];
	return !w->p->forced && w->d[t] < TINY_PCT && u >= 0 && w->s[u] * w->ic[u] <= 100;
}

/* Who floats and is restless is left to the kernel, which spreads it faster than any plan. */
static bool is_left(const struct minmove *s, uint32_t t)
{
	const struct place_problem *p = s->w.p;
	const struct memory *m = task_memory(s, t);
	bool floats = !p->tasks[s->w.id[t]].pinned;
	return !p->forced && floats && (m->restless || p->now_ns < m->floats_until_ns);
}

size_t minmove_free(struct minmove *s)
{
	const struct place_work *w = &s->w;
	for (uint32_t t = 0; t < w->n; t++) {
		struct memory *m = task_memory(s, t);
		if (!m->bound || !m->restless || !w->p->tasks[w->id[t]].pinned || w->home[t] < 0)
			continue;
		struct place_move *k = &s->moves[s->n_moves++];
		*k = (struct place_move){.task = w->id[t],
			.from = w->home[t],
			.to = w->home[t],
			.partner = PLACE_NONE,
			.aim = PLACE_ALLOWED};
		why_set(&k->why, REASON_FREE,
			"its usage jumped %.0f times of late: no place is right for long", m->swings);
	}
	return s->n_moves;
}

/* A vCPU whose demand has changed a lot may move although it dwells, once per dwell. */
size_t minmove_mark_still(struct minmove *s)
{
	struct place_work *w = &s->w;
	size_t n = 0;
	for (uint32_t t = 0; t < w->n; t++) {
		struct memory *m = task_memory(s, t);
		bool dwells = !w->p->forced && task_dwells(m, w->p->now_ns);
		m->waive = dwells && !m->waived && fabs(w->d[t] - m->moved_demand) > 25;
		bool rests = !w->p->forced && relief_rests(&s->relief, w, t);
		w->still[t] = (dwells && !m->waive) || is_tiny(w, t) || rests || is_left(s, t);
		w->node_bound[t] |= m->waive && w->home[t] >= 0;
		n += dwells && !m->waive;
	}
	return n;
}

/* What a plan has to lower F by, per cost. Where much deviation has to stay, small gains are not worth a
 * move.
 */
static double worth_of(const struct place_work *w, const struct look *k)
{
	const struct config *cfg = w->p->cfg;
	return squared(cfg->min_gain_pct * fmax(1, k->limit / minmove_band(cfg, w->p) / 2));
}

bool minmove_overload(struct minmove *s, const struct look *k)
{
	struct place_work *w = &s->w;
	bool any = false;
	for (size_t j = 0; j < w->m && !any; j++)
		any = w->s[j] * w->ic[j] > 100;
	if (!any)
		return false;
	struct place_goal g = {.min_score = worth_of(w, k), .max_steps = 2, .overload = true};
	place_greedy(w, &g);
	bool curable = w->n_steps > 0;
	place_reset(w);
	return curable;
}

/* Percent of unit u at the start of the plan. Whole numbers: a plan has many moves, and printing fractions
 * took longer than finding them. */
static int load_whole(const struct place_work *w, int u)
{
	return (int)lrint(w->s0[u] * w->ic[u]);
}

static void move_text(const struct minmove *s, const struct place_step *x, enum reason code, struct why *why)
{
	const struct place_work *w = &s->w;
	const struct place_unit *u = w->p->units;
	int demand = (int)lrint(w->d[x->task]);
	if (x->from < 0 || x->from == x->to)
		why_set(why, code, "demand %d %%, on pCPU %d at %d %%", demand, u[x->to].cpu,
			load_whole(w, x->to));
	else
		why_set(why, code, "demand %d %%, from pCPU %d at %d %% to pCPU %d at %d %%", demand,
			u[x->from].cpu, load_whole(w, x->from), u[x->to].cpu, load_whole(w, x->to));
}

/* One move a task: a stray that the plan moves on goes there at once, and keeps its reason. */
static void move_add(struct minmove *s, const struct place_step *x, enum reason code)
{
	struct memory *mem = task_memory(s, x->task);
	struct place_step whole = *x;
	if (mem->move) {
		code = s->moves[mem->move - 1].why.code;
		whole.from = s->moves[mem->move - 1].from;
	} else {
		mem->move = (uint32_t)++s->n_moves;
	}
	struct place_move *m = &s->moves[mem->move - 1];
	*m = (struct place_move){
		.task = s->w.id[x->task], .from = whole.from, .to = whole.to, .partner = PLACE_NONE};
	move_text(s, &whole, code, &m->why);
}

static void steps_add(struct minmove *s)
{
	const struct place_step *steps = s->w.steps;
	for (size_t i = 0; i < s->w.n_steps; i++)
		move_add(s, &steps[i], steps[i].partner < 0 ? REASON_MOVE : REASON_SWAP);
	for (size_t i = 0; i < s->w.n_steps; i++)
		if (steps[i].partner >= 0)
			s->moves[task_memory(s, steps[i].task)->move - 1].partner =
				(int)task_memory(s, steps[steps[i].partner].task)->move - 1;
}

/* First assignments: an unpinned task that stays is pinned where it runs. One that is idle is left to the
 * host's own scheduler. */
static void assign_add(struct minmove *s)
{
	struct place_work *w = &s->w;
	for (uint32_t t = 0; t < w->n; t++) {
		const struct place_task *task = &w->p->tasks[w->id[t]];
		if (task->pinned || w->d[t] < IDLE_PCT || w->at[t] != w->home[t] || w->home[t] < 0 ||
			task_memory(s, t)->move || is_left(s, t))
			continue;
		move_add(s, &(struct place_step){t, w->home[t], w->home[t], -1}, REASON_ASSIGN);
	}
}

void minmove_strays(struct minmove *s, bool act)
{
	struct place_work *w = &s->w;
	for (size_t i = 0; i < w->n; i++) {
		uint32_t t = w->order[i];
		int from = w->home[t];
		if (from >= 0 && place_ok(w, t, from))
			continue;
		if (from < 0 && w->d[t] < IDLE_PCT)
			continue;
		int to = place_lowest_ok(w, t, 0, (uint32_t)w->m);
		if (to < 0)
			continue;
		if (from >= 0)
			place_add(w, from, -w->d[t]);
		place_add(w, to, w->d[t]);
		w->home[t] = to;
		if (act)
			move_add(s, &(struct place_step){t, from, to, -1},
				from < 0 ? REASON_ASSIGN : REASON_LEAVE);
	}
	place_reset(w);
}

/* The plan pays as a whole: (5 %)^2 per cost. */
static bool steps_worth(const struct minmove *s, double before_f)
{
	const struct place_work *w = &s->w;
	double least = s->worth * place_steps_cost(w);
	return w->n_steps > 0 && before_f - place_f(w) >= least * (1 - 1e-9);
}

static size_t moves_allowed(const struct place_problem *p)
{
	if (p->cfg->max_moves > 0)
		return (size_t)p->cfg->max_moves;
	return max_of(p->n_units / 4, 8);
}

/* A cheaper plan to the same deviation: exactly where that is possible, else by search; the step-wise one
 * stays when the other does not pay. */
static void plan_refine(struct minmove *s, const struct place_goal *g)
{
	struct place_work *w = &s->w;
	double effort = w->p->cfg->search_ms * SEARCH_PER_MS;
	if (place_exact_fits(w))
		place_exact_plan(w, g);
	else if (w->n <= SEARCH_TASKS && effort > 0)
		place_search(w, g, (size_t)effort);
	place_prune(w, g->min_score);
}

/* What the steps win, less what they have to win. */
static double steps_net(const struct minmove *s, double before_f)
{
	return before_f - place_f(&s->w) - s->worth * place_steps_cost(&s->w);
}

/* Move by move one can get stuck above the goal. The best placement known, with its units renamed so that
 * most tasks are there already, is taken instead when it is worth more. */
static void plan_from_found(struct minmove *s, const struct place_goal *g, double before)
{
	struct place_work *w = &s->w;
	double net = steps_net(s, before);
	memcpy(w->try, w->at, w->n * sizeof(*w->try));
	if (!minmove_found_recall(s))
		return;
	place_rename(w, w->best);
	for (uint32_t t = 0; t < w->n; t++)
		if (w->still[t] || !place_ok(w, t, w->best[t]))
			w->best[t] = w->home[t];
	place_steps_worth(w, w->best, g->min_score);
	if (steps_net(s, before) <= net)
		place_steps_to(w, w->try);
}

/* Goes on from where the plan ends, as if all had been there from the start; false: nothing more pays. */
static bool plan_on(struct minmove *s, const struct place_goal *g)
{
	struct place_work *w = &s->w;
	memcpy(w->start, w->home, w->n * sizeof(*w->start));
	memcpy(w->home, w->at, w->n * sizeof(*w->home));
	place_reset(w);
	double before = place_f(w);
	place_greedy(w, g);
	if (!g->overload)
		plan_from_found(s, g, before);
	bool more = w->n_steps > 0 && (g->overload || steps_net(s, before) >= 0);
	memcpy(w->best, more ? w->at : w->home, w->n * sizeof(*w->best));
	memcpy(w->home, w->start, w->n * sizeof(*w->home));
	place_steps_to(w, w->best);
	return more;
}

static double highest_load(const struct place_work *w, const double *s)
{
	double top = 0;
	for (size_t j = 0; j < w->m; j++)
		top = fmax(top, s[j] * w->ic[j]);
	return top;
}

/* To the goal, or as near as pays. */
static bool plan_level(struct minmove *s, const struct place_goal *g)
{
	enum { PASSES = 4 };
	struct place_work *w = &s->w;
	double before = place_f(w), top = highest_load(w, w->s);
	place_greedy(w, g);
	if (before <= g->f)
		return false;
	if (w->n <= SEARCH_TASKS && place_f(w) > g->f)
		plan_from_found(s, g, before);
	for (int i = 0; i < PASSES && w->n <= SEARCH_TASKS && place_f(w) > g->f; i++)
		if (!plan_on(s, g))
			break;
	plan_refine(s, g);
	if (steps_worth(s, before) && highest_load(w, w->s) <= top + 1e-6)
		return true;
	place_reset(w);
	minmove_mark_still(s);
	place_greedy(w, g);
	return steps_worth(s, before);
}

static bool plan_steps(struct minmove *s, const struct look *k)
{
	struct place_work *w = &s->w;
	size_t most = w->n <= SEARCH_TASKS ? w->n : moves_allowed(w->p);
	s->worth = worth_of(w, k);
	struct place_goal g = {.f = k->goal_f, .min_score = s->worth / 2, .max_steps = most};
	struct place_goal cure = {.min_score = s->worth, .max_steps = most, .overload = true};
	if (k->above || !k->overload) {
		bool worth = plan_level(s, &g);
		if (worth && k->overload)
			plan_on(s, &cure);
		return worth;
	}
	place_greedy(w, &cure);
	return w->n_steps > 0;
}

bool minmove_make(struct minmove *s, const struct look *k)
{
	struct place_work *w = &s->w;
	double q = place_q(w);
	if (k->alike && place_alike(w))
		place_reset(w);
	bool worth = plan_steps(s, k);
	if (worth)
		place_cut(w, moves_allowed(w->p));
	s->plan_sigma = place_sigma(w, place_q(w));
	place_plain(w);
	place_set(w, w->home);
	memcpy(w->s0, w->s, w->m * sizeof(*w->s0));
	place_set(w, w->at);
	s->plan_q = q;
	s->plan_gain = q - place_q(w);
	return worth && s->plan_gain > -1e-6;
}

void minmove_moves(struct minmove *s)
{
	assign_add(s);
	steps_add(s);
}
