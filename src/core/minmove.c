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

#include "place.h"
#include "vmtop/config.h"

#define S_NS INT64_C(1000000000)

enum {
	CHECK_ROUNDS = 2,
	FAILS_BEFORE_SLOW = 2,
	SLOW_CAP_S = 3600,
	IDLE_PCT = 1,
	SEARCH_PER_MS = 100000,
	SEARCH_TASKS = 512,
	KEPT_ROUNDS = 4,
	RESTLESS_DWELLS = 20,
	RESTLESS_FACTOR = 4, /* a burst costs two moves: when it comes and when it goes */
};

/* What is remembered of a task between rounds, by slot. */
struct memory {
	uint32_t birth;
	int found_unit;      /* in the best placement known */
	double found_demand; /* then */
	double seen_demand;  /* in the round before */
	int seen;            /* rounds since it came or its demand jumped */
	double moved_demand; /* at its last move */
	int64_t moved_ns;
	double dwell_s; /* 0: never moved */
	bool waived;    /* the last move was made within the dwell */
	bool waive;     /* so would be the one that is planned */
};

struct minmove {
	struct place_work w;
	struct memory *slots;
	size_t cap_slots;
	struct place_move *moves;
	size_t cap_moves, n_moves;
	size_t found_tasks, found_units; /* what the search for found was made for */
	int kept_rounds;                 /* rounds since that search */

	int above;     /* rounds in a row with a trigger */
	int cooldown;  /* rounds still to wait */
	bool rejected; /* the cool-down follows a plan that was not worth it */
	double rejected_sigma;
	int check_in; /* rounds until the gain of the last plan is checked; 0: none */
	double check_q, check_gain;
	double plan_q, plan_gain; /* of the plan that was returned last */
	int fails;
	double worth;  /* what a plan has to lower F by, per cost */
	double slow_s; /* > 0: wait this long between rounds that act */
	int64_t acted_ns;
};

/* Everything about this round. */
struct look {
	double sigma, q, bound, found, limit, goal_f, core, found_core;
	double plan_sigma; /* with demands that are alike taken as equal */
	bool above, overload, alike;
	size_t dwelling;
};

static void *minmove_create(const struct config *cfg)
{
	(void)cfg;
	return calloc(1, sizeof(struct minmove));
}

static void minmove_destroy(void *state)
{
	struct minmove *s = state;
	if (!s)
		return;
	place_done(&s->w);
	free(s->slots);
	free(s->moves);
	free(s);
}

static int array_grow(void **a, size_t *cap, size_t need, size_t size)
{
	if (need <= *cap)
		return 0;
	size_t n = *cap * 2 > need ? *cap * 2 : need;
	void *more = realloc(*a, n * size);
	if (!more)
		return -1;
	memset((char *)more + *cap * size, 0, (n - *cap) * size);
	*a = more;
	*cap = n;
	return 0;
}

/* Slots of tasks that have gone are forgotten when another birth comes. */
static struct memory *task_memory(struct minmove *s, uint32_t t)
{
	return &s->slots[s->w.p->tasks[s->w.id[t]].slot];
}

static int state_load(struct minmove *s, const struct place_problem *p)
{
	size_t n_slots = p->n_slots;
	for (size_t i = 0; i < p->n_tasks; i++)
		if (p->tasks[i].slot >= n_slots)
			n_slots = (size_t)p->tasks[i].slot + 1;
	/* A stray that is placed, pinned and moved on in one plan comes up three times. */
	if (array_grow((void **)&s->slots, &s->cap_slots, n_slots, sizeof(*s->slots)) < 0 ||
		array_grow((void **)&s->moves, &s->cap_moves, 3 * p->n_tasks, sizeof(*s->moves)) < 0 ||
		place_load(&s->w, p) < 0)
		return -1;
	for (uint32_t t = 0; t < s->w.n; t++) {
		struct memory *m = task_memory(s, t);
		uint32_t birth = p->tasks[s->w.id[t]].birth;
		if (m->birth != birth || m->found_unit >= (int)p->n_units)
			*m = (struct memory){.birth = birth, .found_unit = PLACE_NONE};
	}
	return 0;
}

/* ---- what is attainable ---- */

static double squared(double x)
{
	return x * x;
}

static double band_of(const struct config *cfg, const struct place_problem *p)
{
	bool single = true;
	for (size_t j = 0; j < p->n_units; j++)
		single &= p->units[j].n_cpus <= 1;
	if (single)
		return cfg->act_above_pct;
	switch (cfg->granularity) {
	case GRAN_CORE:
		return cfg->core_band_pct;
	case GRAN_NODE:
		return cfg->node_band_pct;
	default:
		return cfg->llc_band_pct;
	}
}

/* The stored placement as it would be now; false: it has holes or is not allowed any more. */
static bool found_recall(struct minmove *s)
{
	struct place_work *w = &s->w;
	bool good = w->m == s->found_units;
	for (uint32_t t = 0; t < w->n && good; t++) {
		w->best[t] = task_memory(s, t)->found_unit;
		good = w->best[t] >= 0 && place_ok(w, t, w->best[t]);
	}
	return good;
}

/* Have demands left the noise in which the last search was made? */
static bool found_stale(const struct minmove *s)
{
	const struct place_work *w = &s->w;
	if (w->n != s->found_tasks)
		return true;
	double moved = 0, noise = 0;
	for (uint32_t t = 0; t < w->n; t++) {
		const struct place_task *task = &w->p->tasks[w->id[t]];
		moved += fabs(w->d[t] - s->slots[task->slot].found_demand);
		noise += fmax(1, 2 * task->scatter_pct);
	}
	return moved > noise;
}

static void found_store(struct minmove *s)
{
	struct place_work *w = &s->w;
	for (uint32_t t = 0; t < w->n; t++) {
		task_memory(s, t)->found_unit = w->best[t];
		task_memory(s, t)->found_demand = w->d[t];
	}
	s->found_tasks = w->n;
	s->found_units = w->m;
}

/* best[] and its loads are set afterwards. Urgent: a decision hangs on it, so noise is no excuse to keep the
 * old one on a host that is quickly searched. */
static void found_update(struct minmove *s, double enough_f, bool urgent)
{
	struct place_work *w = &s->w;
	double kept = INFINITY;
	if (found_recall(s)) {
		place_set(w, w->best);
		kept = place_f(w);
		bool turn = place_exact_fits(w) || ++s->kept_rounds >= KEPT_ROUNDS;
		bool matters = urgent && turn && w->n <= SEARCH_TASKS;
		if (kept <= enough_f || (!matters && !found_stale(s)))
			return;
	}
	s->kept_rounds = 0;
	double f = place_found(w, enough_f);
	if (f > enough_f && place_exact_fits(w))
		f = place_exact_found(w, f, enough_f);
	if (f < kept) {
		found_store(s);
	} else {
		found_recall(s);
		for (uint32_t t = 0; t < w->n; t++)
			task_memory(s, t)->found_demand = w->d[t];
	}
	place_set(w, w->best);
}

/* Where to stop: at 3 %, or where the best placement known is, give or take the same noise. */
static double goal_sigma(double stop, double found)
{
	double near = fmin(sqrt(squared(found) + squared(stop)), 1.05 * found);
	return fmax(stop, near);
}

/* How far an estimate may be off: its scatter at first, and less with every reading; a jump begins anew. On
 * large hosts this averages out. */
static bool alike_find(struct minmove *s)
{
	enum { SETTLED = 8 };
	struct place_work *w = &s->w;
	bool any = false;
	for (uint32_t t = 0; t < w->n && w->n <= PLACE_EXACT_TASKS; t++) {
		struct memory *m = task_memory(s, t);
		double scatter = w->p->tasks[w->id[t]].scatter_pct;
		bool jumped = fabs(w->raw[t] - m->seen_demand) > fmax(5, 3 * scatter);
		m->seen = jumped ? 0 : m->seen < SETTLED ? m->seen + 1 : SETTLED;
		m->seen_demand = w->raw[t];
		w->unsure[t] = m->seen < SETTLED ? scatter * pow(0.84, m->seen) : 0;
		any |= w->unsure[t] > 0;
	}
	return any && place_alike(w);
}

/* The deviations now, of the best placement known, and of any; as the demands were given. */
static void look_at_numbers(struct minmove *s, struct look *k)
{
	struct place_work *w = &s->w;
	place_set(w, w->best);
	k->found = fmin(place_sigma(w, place_q(w)), k->sigma);
	k->found_core = place_sigma(w, place_q_core(w));
	k->bound = fmin(k->bound, k->found); /* rounding */
	place_reset(w);
}

static void look_at(struct minmove *s, struct look *k)
{
	struct place_work *w = &s->w;
	const struct config *cfg = w->p->cfg;
	double band = band_of(cfg, w->p), stop = cfg->stop_at_pct * band / cfg->act_above_pct;
	k->q = place_q(w);
	k->sigma = place_sigma(w, k->q);
	k->core = place_sigma(w, place_q_core(w));
	k->bound = place_sigma(w, place_bound_q(w));
	if ((k->alike = alike_find(s)))
		place_reset(w);
	double now_f = place_f(w), enough = w->pcpus * squared(stop / 3);
	k->plan_sigma = place_sigma(w, place_q(w));
	found_update(s, fmax(enough, place_bound_q(w) * squared(1.02)), k->plan_sigma > band);
	double found_f = fmin(place_f(w), now_f), found = fmin(place_sigma(w, place_q(w)), k->plan_sigma);
	place_plain(w);
	look_at_numbers(s, k);
	k->limit = fmax(band, 1.15 * k->found);
	k->above = k->plan_sigma > fmax(band, 1.15 * found) ||
		   (w->smt && k->core > cfg->core_band_pct && k->core > 1.15 * k->found_core);
	k->goal_f = w->pcpus * squared(goal_sigma(stop, place_sigma(w, found_f)));
}

/* ---- when ---- */

static bool task_dwells(const struct memory *m, int64_t now_ns)
{
	return m->dwell_s > 0 && (double)(now_ns - m->moved_ns) < m->dwell_s * (double)S_NS;
}

/* Marks what may not move now. A vCPU whose demand has changed a lot may, once per dwell. Returns how many.
 */
static size_t still_mark(struct minmove *s)
{
	struct place_work *w = &s->w;
	size_t n = 0;
	for (uint32_t t = 0; t < w->n; t++) {
		struct memory *m = task_memory(s, t);
		bool dwells = !w->p->forced && task_dwells(m, w->p->now_ns);
		m->waive = dwells && !m->waived && fabs(w->d[t] - m->moved_demand) > 25;
		w->still[t] = dwells && !m->waive;
		w->node_bound[t] |= m->waive && w->home[t] >= 0;
		n += w->still[t];
	}
	return n;
}

/* A unit above 100 % with a task that fits elsewhere and leaves that one 10 points below. */
static bool overload_curable(struct minmove *s)
{
	struct place_work *w = &s->w;
	bool any = false;
	for (size_t j = 0; j < w->m && !any; j++)
		any = w->s[j] * w->ic[j] > 100;
	if (!any)
		return false;
	struct place_goal g = {
		.min_score = squared(w->p->cfg->min_gain_pct), .max_steps = 2, .overload = true};
	place_greedy(w, &g);
	bool curable = w->n_steps > 0;
	place_reset(w);
	return curable;
}

/* ---- the round ---- */

static const char *numbers_text(const struct look *k, char *buf, size_t len)
{
	snprintf(buf, len, "%.1f %%, found %.1f %%, no plan below %.1f %%, limit %.1f %%", k->sigma, k->found,
		k->bound, k->limit);
	return buf;
}

static void verdict_set(struct place_result *out, const struct look *k, enum reason code, const char *more)
{
	char n[100];
	why_set(&out->why, code, "%s%s", numbers_text(k, n, sizeof(n)), more);
}

/* Why nothing can be moved at all, or REASON_NONE. */
static enum reason nobody_moves(const struct minmove *s)
{
	const struct place_problem *p = s->w.p;
	if (p->n_tasks == 0)
		return REASON_NO_VMS;
	if (s->w.n > 0)
		return REASON_NONE;
	for (size_t i = 0; i < p->n_tasks; i++)
		if (p->tasks[i].fixed == REASON_HELD || p->tasks[i].fixed == REASON_FOREIGN)
			return REASON_HELD;
	return REASON_NOTHING_ALLOWED;
}

/* The verdict of a round without a trigger. */
static void verdict_quiet(const struct minmove *s, const struct look *k, struct place_result *out)
{
	double band = band_of(s->w.p->cfg, s->w.p);
	enum reason nobody = nobody_moves(s);
	if (nobody == REASON_NO_VMS)
		why_set(&out->why, nobody, NULL);
	else if (k->sigma <= band)
		verdict_set(out, k, REASON_BALANCED, "");
	else if (nobody != REASON_NONE)
		verdict_set(out, k, nobody, "");
	else if (k->found <= 1.02 * k->bound && k->bound > band)
		verdict_set(out, k, REASON_UNATTAINABLE, "");
	else
		verdict_set(out, k, REASON_NO_BETTER, "");
}

/* Counts down, and ends early a wait that began with a rejected plan when things have become worse since. */
static bool cooling(struct minmove *s, const struct look *k)
{
	const struct place_problem *p = s->w.p;
	if (s->rejected && k->sigma > s->rejected_sigma + p->cfg->stop_at_pct)
		s->cooldown = 0;
	if (s->cooldown > 0) {
		s->cooldown--;
		return true;
	}
	s->rejected = false;
	return s->slow_s > 0 && (double)(p->now_ns - s->acted_ns) < s->slow_s * (double)S_NS;
}

/* Two rounds after acting: did it help? */
static void gain_check(struct minmove *s, const struct look *k)
{
	if (s->check_in == 0 || --s->check_in > 0)
		return;
	if (s->check_q - k->q >= s->check_gain / 4) {
		s->fails = 0;
		s->slow_s = 0;
	} else if (++s->fails >= FAILS_BEFORE_SLOW) {
		s->slow_s = fmin(SLOW_CAP_S, fmax(30, 2 * s->slow_s));
	}
}

static void move_text(const struct minmove *s, const struct place_step *x, enum reason code, struct why *why)
{
	const struct place_work *w = &s->w;
	const struct place_unit *u = w->p->units;
	double from = x->from >= 0 ? w->s0[x->from] * w->ic[x->from] : 0;
	if (x->from < 0 || x->from == x->to)
		why_set(why, code, "demand %.0f %%, on pCPU %d at %.0f %%", w->d[x->task], u[x->to].cpu,
			w->s0[x->to] * w->ic[x->to]);
	else
		why_set(why, code, "demand %.0f %%, from pCPU %d at %.0f %% to pCPU %d at %.0f %%",
			w->d[x->task], u[x->from].cpu, from, u[x->to].cpu, w->s0[x->to] * w->ic[x->to]);
}

static void move_add(struct minmove *s, const struct place_step *x, enum reason code, int partner)
{
	struct place_move *m = &s->moves[s->n_moves++];
	m->task = s->w.id[x->task];
	m->from = x->from;
	m->to = x->to;
	m->partner = partner;
	move_text(s, x, code, &m->why);
}

static void steps_add(struct minmove *s)
{
	size_t base = s->n_moves;
	for (size_t i = 0; i < s->w.n_steps; i++) {
		const struct place_step *x = &s->w.steps[i];
		if (x->from != x->to)
			move_add(s, x, x->partner < 0 ? REASON_MOVE : REASON_SWAP,
				x->partner < 0 ? -1 : (int)base + x->partner);
	}
}

/* First assignments: an unpinned task that stays is pinned where it runs. One that is idle is left to the
 * host's own scheduler. */
static void assign_add(struct minmove *s)
{
	struct place_work *w = &s->w;
	for (uint32_t t = 0; t < w->n; t++) {
		const struct place_task *task = &w->p->tasks[w->id[t]];
		if (task->pinned || w->d[t] < IDLE_PCT || w->at[t] != w->home[t] || w->home[t] < 0)
			continue;
		move_add(s, &(struct place_step){t, w->home[t], w->home[t], -1}, REASON_ASSIGN, -1);
	}
}

/* Tasks that are nowhere, or where they must not be, get the lowest unit that is allowed; the plan then
 * starts from there. */
static void strays_place(struct minmove *s, bool act)
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
				from < 0 ? REASON_ASSIGN : REASON_LEAVE, -1);
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
	return p->n_units / 4 > 8 ? p->n_units / 4 : 8;
}

static void plan_reject(struct minmove *s, const struct look *k, struct place_result *out)
{
	const struct config *cfg = s->w.p->cfg;
	bool dwell = s->w.n_steps == 0 && k->dwelling > 0;
	place_reset(&s->w);
	if (!s->w.p->forced) {
		s->cooldown = cfg->cooldown_rejected_rounds;
		s->rejected = true;
		s->rejected_sigma = k->sigma;
	}
	verdict_set(out, k, dwell ? REASON_DWELL : REASON_NOT_WORTH, "");
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

static void plan_steps(struct minmove *s, const struct look *k)
{
	struct place_work *w = &s->w;
	const struct config *cfg = w->p->cfg;
	double before = place_f(w);
	s->worth = squared(cfg->min_gain_pct);
	if (k->above) /* where much deviation has to stay, small gains are not worth a move */
		s->worth *= squared(k->limit / band_of(cfg, w->p));
	struct place_goal g = {
		.f = k->goal_f,
		.min_score = s->worth / 2,
		.max_steps = w->n <= SEARCH_TASKS ? w->n : moves_allowed(w->p),
	};
	if (!k->above && k->overload) {
		g.overload = true;
		g.min_score = s->worth;
	}
	place_greedy(w, &g);
	if (g.overload || before <= g.f)
		return;
	plan_refine(s, &g);
	if (steps_worth(s, before))
		return;
	place_reset(w);
	still_mark(s);
	place_greedy(w, &g);
}

/* Leaves the loads as the demands were given. */
static bool plan_make(struct minmove *s, const struct look *k)
{
	struct place_work *w = &s->w;
	double q = place_q(w);
	if (k->alike && place_alike(w))
		place_reset(w);
	double f = place_f(w);
	plan_steps(s, k);
	bool worth = steps_worth(s, f);
	if (worth)
		place_cut(w, moves_allowed(w->p));
	place_plain(w);
	place_set(w, w->home);
	memcpy(w->s0, w->s, w->m * sizeof(*w->s0));
	place_set(w, w->at);
	s->plan_q = q;
	s->plan_gain = q - place_q(w);
	return worth && s->plan_gain > -1e-6;
}

/* Plans, and takes it or leaves it. */
static void act_round(struct minmove *s, const struct look *k, struct place_result *out)
{
	struct place_work *w = &s->w;
	if (!plan_make(s, k)) {
		plan_reject(s, k, out);
		return;
	}
	assign_add(s);
	steps_add(s);
	if (!w->p->forced)
		s->cooldown = w->p->cfg->cooldown_rounds;
	out->after_pct = place_sigma(w, place_q(w));
	char n[100];
	why_set(&out->why, REASON_MOVE, "%zu moves to %.1f %%; %s", w->n_steps, out->after_pct,
		numbers_text(k, n, sizeof(n)));
}

static void round_decide(struct minmove *s, struct look *k, bool act, struct place_result *out)
{
	const struct place_problem *p = s->w.p;
	bool trigger = k->above || k->overload;
	if (!p->forced)
		gain_check(s, k);
	bool cool = !p->forced && cooling(s, k);
	if (!p->forced)
		s->above = trigger ? s->above + 1 : 0;
	if (nobody_moves(s) != REASON_NONE || (!trigger && (!p->forced || k->sigma <= p->cfg->stop_at_pct)))
		verdict_quiet(s, k, out);
	else if (!act)
		verdict_set(out, k, REASON_MANUAL, "");
	else if (cool)
		verdict_set(out, k, REASON_COOLDOWN, "");
	else if (!p->forced && s->above < 2)
		verdict_set(out, k, REASON_CONFIRM, "");
	else
		act_round(s, k, out);
}

static int minmove_plan(void *state, const struct place_problem *p, bool act, struct place_result *out)
{
	struct minmove *s = state;
	struct look k = {0};
	*out = (struct place_result){.found_pct = -1, .bound_pct = -1};
	s->n_moves = 0;
	if (state_load(s, p) < 0)
		return -1;
	if (p->n_units == 0) {
		why_set(&out->why, REASON_NO_DATA, NULL);
		return 0;
	}
	double before = place_sigma(&s->w, place_q(&s->w));
	strays_place(s, act);
	look_at(s, &k);
	still_mark(s);
	k.overload = overload_curable(s);
	k.dwelling = still_mark(s);
	out->after_pct = k.sigma;
	round_decide(s, &k, act, out);
	out->stddev_pct = before;
	out->found_pct = k.found;
	out->bound_pct = k.bound;
	out->limit_pct = k.limit;
	out->moves = s->moves;
	out->n_moves = s->n_moves;
	return 0;
}

static double dwell_for(const struct place_work *w, const struct config *cfg, int from, int to)
{
	double d = place_distance(w, from, to);
	return d >= 4 ? cfg->dwell_cross_s : d >= 2 ? cfg->dwell_node_s : cfg->dwell_llc_s;
}

/* Moved again soon: what the last move was made for did not last, so the next one has to wait longer; after a
 * calm time the dwell shrinks again. */
static double dwell_next(const struct memory *m, const struct place_problem *p, double usual_s)
{
	double since_s = (double)(p->now_ns - m->moved_ns) / (double)S_NS;
	if (m->dwell_s <= 0)
		return usual_s;
	if (since_s < RESTLESS_DWELLS * m->dwell_s)
		return fmin(SLOW_CAP_S, fmax(usual_s, RESTLESS_FACTOR * m->dwell_s));
	return fmax(usual_s, m->dwell_s / 2);
}

/* The dwell starts with an improving move. After a waived one it is twice as long and not waived again, so
 * that no rhythm of the load costs more than a pin per dwell. */
static void minmove_applied(void *state, const struct place_problem *p, const bool *done)
{
	struct minmove *s = state;
	size_t moved = 0, planned = 0;
	for (size_t i = 0; i < s->n_moves; i++) {
		const struct place_move *m = &s->moves[i];
		if (m->why.code != REASON_MOVE && m->why.code != REASON_SWAP)
			continue;
		planned++;
		if (!done[i])
			continue;
		moved++;
		const struct place_task *t = &p->tasks[m->task];
		struct memory *mem = &s->slots[t->slot];
		mem->dwell_s = dwell_next(mem, p, dwell_for(&s->w, p->cfg, m->from, m->to));
		mem->moved_ns = p->now_ns;
		mem->moved_demand = t->demand_pct;
		mem->waived = mem->waive;
	}
	if (!moved)
		return;
	s->acted_ns = p->now_ns;
	s->check_in = CHECK_ROUNDS;
	s->check_q = s->plan_q;
	s->check_gain = s->plan_gain * (double)moved / (double)planned;
}

const struct cpu_policy_ops cpu_policy_minmove = {
	.name = "minmove",
	.create = minmove_create,
	.destroy = minmove_destroy,
	.plan = minmove_plan,
	.applied = minmove_applied,
};
