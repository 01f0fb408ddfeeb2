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
	const struct relief *r, const struct place_problem *p, uint32_t slot, uint32_t birth)
{
	const struct relief_memory *m = slot < r->cap_slots ? &r->slots[slot] : NULL;
	bool here = m && m->birth == birth && m->task > 0 && m->task <= p->n_tasks;
	const struct place_task *t = here ? &p->tasks[m->task - 1] : NULL;
	return t && t->slot == slot ? t : NULL;
}

/* All that wants to run on the host, vCPUs or not. */
static double wanted_by_others(const struct place_problem *p)
{
	double sum = 0;
	for (size_t u = 0; u < p->n_units; u++)
		sum += fmax(0, p->units[u].background_pct) / 100;
	return sum;
}

static double per(double wait, double want)
{
	return want > 1e-9 ? wait / want : 0;
}

static void add_all(struct relief_trial *x, const struct place_problem *p, double dt_s)
{
	double wait = 0, want = wanted_by_others(p);
	for (size_t i = 0; i < p->n_tasks; i++) {
		wait += fmax(0, p->tasks[i].wait_pct) / 100;
		want += p->tasks[i].demand_pct / 100;
	}
	x->wait_all_s += dt_s * wait;
	x->want_all_s += dt_s * want;
	x->all_sum += per(wait, want);
	x->all_squares += per(wait, want) * per(wait, want);
	x->rounds++;
	x->span_s += dt_s;
}

static void trial_add(struct relief *r, struct relief_trial *x, const struct place_problem *p, double dt_s)
{
	for (size_t i = 0; i < x->n; i++) {
		const struct place_task *t = task_of(r, p, x->touched[i].slot, x->touched[i].birth);
		if (!t)
			continue;
		x->wait_touched_s += dt_s * fmax(0, t->wait_pct) / 100;
		x->want_touched_s += dt_s * t->demand_pct / 100;
	}
	add_all(x, p, dt_s);
}

static bool differs(double before, double after)
{
	return fabs(after - before) > .25 * fmax(before, .05);
}

enum verdict { TELLS_GOOD, TELLS_BAD, TELLS_NOTHING };

/* How far apart the means of two spans are by chance alone. Rounds that follow each other are alike: two
 * count as one. */
static double scatter(const struct relief_trial *x)
{
	double n = x->rounds, mean = n > 0 ? x->all_sum / n : 0;
	double var = n > 1 ? fmax(0, x->all_squares / n - mean * mean) : 0;
	return n > 1 ? sqrt(2 * var / (n / 2)) : 0;
}

static enum verdict trial_verdict(const struct relief_trial *x)
{
	double touched = per(x->wait_touched_s, x->want_touched_s), all = per(x->wait_all_s, x->want_all_s);
	bool helped =
		x->placed ? touched <= 1.25 * x->before_touched + .05 : touched <= .75 * x->before_touched;
	bool spoilt = x->placed ? all > 1.25 * x->before_all + .05
				: all - x->before_all > fmax(.1 * x->before_all + .01, scatter(x));
	if (x->placed && !(spoilt && !helped)) /* the deviation is what it was made for */
		return TELLS_GOOD;
	if (helped && !spoilt)
		return TELLS_GOOD;
	/* Another load than before: not comparable. */
	if (differs(x->want_all, x->want_all_s / x->span_s) ||
		differs(x->want_touched, x->want_touched_s / x->span_s))
		return TELLS_NOTHING;
	return TELLS_BAD;
}

static void trial_close(struct relief *r, struct relief_trial *x, const struct place_problem *p)
{
	for (size_t i = 0; i < x->n; i++) {
		if (!task_of(r, p, x->touched[i].slot, x->touched[i].birth))
			continue;
		r->slots[x->touched[i].slot].in_trial = false;
		r->slots[x->touched[i].slot].owed_s = 0;
	}
	x->open = false;
}

static void rest(struct relief_memory *m, int64_t now_ns)
{
	m->rest_s = fmin(REST_MOST_S, fmax(REST_S, 2 * m->rest_s));
	m->rest_until_ns = now_ns + (int64_t)(m->rest_s * (double)S_NS);
	m->owed_s = 0;
}

/* Not only those that were touched: what did not help them will not help their neighbours either. */
static void all_rest(struct relief *r, const struct relief_trial *x, const struct place_work *w)
{
	for (uint32_t t = 0; t < w->n; t++) {
		struct relief_memory *m = relief_memory_of(r, w, t);
		bool near = m->in_trial;
		for (size_t i = 0; i < x->n && !near; i++)
			near = x->touched[i].from == w->home[t];
		if (near && w->p->now_ns >= m->rest_until_ns)
			rest(m, w->p->now_ns);
	}
}

static void none_rests(struct relief *r, const struct relief_trial *x)
{
	for (size_t i = 0; i < x->n; i++)
		r->slots[x->touched[i].slot].rest_s = 0;
}

/* Where it was it would wait longer than it does now: other things have changed since. */
static bool back_is_worse(const struct relief *r, const struct place_work *w, uint32_t t, int unit)
{
	if (unit < 0 || (size_t)unit >= w->m)
		return true;
	double d = relief_part(w, t, unit);
	double others = (w->s[unit] - (r->at[t] == unit ? w->d[t] : 0)) * w->ic[unit] / 100;
	return relief_wait(d, others) > relief_memory_of(r, w, t)->wait + .02;
}

static void take_back(struct relief *r, const struct place_work *w, const struct relief_trial *x)
{
	double touched = per(x->wait_touched_s, x->want_touched_s), all = per(x->wait_all_s, x->want_all_s);
	for (size_t i = 0; i < x->n; i++)
		r->slots[x->touched[i].slot].back = 1 + x->touched[i].from;
	for (uint32_t t = 0; t < w->n; t++) {
		struct relief_memory *m = relief_memory_of(r, w, t);
		int from = m->back - 1;
		if (!m->back || !m->in_trial || back_is_worse(r, w, t, from))
			continue;
		struct place_move *k = &r->moves[r->n_moves++];
		*k = (struct place_move){.task = w->id[t],
			.from = r->at[t],
			.to = from,
			.partner = PLACE_NONE,
			.aim = PLACE_BACK};
		why_set(&k->why, REASON_TAKE_BACK,
			"the change %s: waits %.0f %% of what it wants, before %.0f %%; all %.0f %%, before %.0f %%",
			x->placed ? "made it worse" : "did not help", 100 * touched, 100 * x->before_touched,
			100 * all, 100 * x->before_all);
	}
	for (size_t i = 0; i < x->n; i++)
		r->slots[x->touched[i].slot].back = 0;
}

static void trial_extend(struct relief_trial *x, const struct place_problem *p)
{
	int64_t span = x->until_ns - x->from_ns;
	x->extended++;
	x->from_ns = p->now_ns;
	x->until_ns = p->now_ns + 2 * span;
	x->wait_touched_s = x->wait_all_s = x->want_touched_s = x->want_all_s = x->span_s = 0;
	x->all_sum = x->all_squares = 0;
	x->rounds = 0;
}

/* Returns whether moves were made. */
static bool trial_end(struct relief *r, struct relief_trial *x, const struct place_work *w, struct why *why)
{
	enum verdict v = trial_verdict(x);
	if (v == TELLS_NOTHING && x->extended < EXTENSIONS) {
		trial_extend(x, w->p);
		return false;
	}
	r->n_moves = 0;
	if (v == TELLS_BAD)
		take_back(r, w, x);
	if (r->n_moves)
		why_set(why, REASON_TAKE_BACK, "%zu of %zu change%s taken back: %.130s", r->n_moves, x->n,
			text_s(x->n), r->moves[0].why.text);
	if (v == TELLS_BAD)
		all_rest(r, x, w);
	else
		none_rests(r, x);
	trial_close(r, x, w->p);
	return r->n_moves > 0;
}

bool relief_review(struct relief *r, const struct place_work *w, bool act, double dt_s, struct why *why)
{
	for (size_t i = 0; i < RELIEF_TRIALS; i++) {
		struct relief_trial *x = &r->trials[i];
		if (!x->open)
			continue;
		if (!act) { /* the user has taken over */
			trial_close(r, x, w->p);
			continue;
		}
		if (w->p->now_ns < x->from_ns)
			continue;
		trial_add(r, x, w->p, dt_s);
		if (w->p->now_ns >= x->until_ns && trial_end(r, x, w, why))
			return true;
	}
	return false;
}

bool relief_settling(const struct relief *r, int64_t now_ns)
{
	size_t open = 0;
	for (size_t i = 0; i < RELIEF_TRIALS; i++) {
		open += r->trials[i].open;
		if (r->trials[i].open && !r->trials[i].extended && now_ns < r->trials[i].from_ns)
			return true;
	}
	return open == RELIEF_TRIALS;
}

static struct relief_trial *trial_free(struct relief *r)
{
	for (size_t i = 0; i < RELIEF_TRIALS; i++)
		if (!r->trials[i].open)
			return &r->trials[i];
	return &r->trials[0]; /* only a forced round gets here: the oldest judgement is given up */
}

static void touched_add(struct relief *r, struct relief_trial *x, const struct place_task *t, int from)
{
	struct relief_memory *m = &r->slots[t->slot];
	x->touched[x->n].slot = t->slot;
	x->touched[x->n].birth = t->birth;
	x->touched[x->n++].from = from;
	x->before_touched += m->wait;
	x->want_touched += m->want;
	m->in_trial = true;
	m->since_ns = r->last_ns;
}

static void forget_owed(struct relief *r, const struct place_problem *p)
{
	for (size_t i = 0; i < p->n_tasks; i++)
		r->slots[p->tasks[i].slot].owed_s = 0;
}

bool relief_rests(const struct relief *r, const struct place_work *w, uint32_t t)
{
	const struct relief_memory *m = relief_memory_of(r, w, t);
	return w->p->now_ns < m->rest_until_ns;
}

void relief_placed(struct relief *r, const struct place_problem *p, const struct place_move *moves, size_t n,
	const bool *done)
{
	r->n_moves = min_of(n, RELIEF_TOUCHED);
	r->n_moves = min_of(r->n_moves, r->cap_moves);
	if (r->n_moves)
		memcpy(r->moves, moves, r->n_moves * sizeof *moves);
	r->placing = true;
	relief_applied(r, p, done);
	r->placing = false;
	r->n_moves = 0;
}

void relief_applied(struct relief *r, const struct place_problem *p, const bool *done)
{
	struct relief_trial *x = trial_free(r);
	if (x->open)
		trial_close(r, x, p);
	*x = (struct relief_trial){
		.placed = r->placing, .before_all = per(r->wait_all, r->want_all), .want_all = r->want_all};
	for (size_t i = 0; i < r->n_moves; i++) {
		const struct place_move *k = &r->moves[i];
		if (done[i])
			relief_stuck_applied(&r->slots[p->tasks[k->task].slot], k, p->now_ns);
		if (done[i] && k->aim != PLACE_BACK)
			touched_add(r, x, &p->tasks[k->task], k->from);
	}
	if (!x->n)
		return;
	x->before_touched = per(x->before_touched, x->want_touched);
	double round_s = fmax(p->elapsed_s, .2), span_s = fmax(SPAN_S, SPAN_ROUNDS * round_s);
	x->from_ns = p->now_ns + (int64_t)(SETTLE_ROUNDS * round_s * (double)S_NS);
	x->until_ns = x->from_ns + (int64_t)((x->placed ? 2 : 1) * span_s * (double)S_NS);
	x->open = true;
	forget_owed(r, p);
}
