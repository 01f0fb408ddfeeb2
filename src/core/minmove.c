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
	struct minmove *s = state;
	if (!s)
		return;
	place_done(&s->w);
	relief_done(&s->relief);
	free(s->slots);
	free(s->moves);
	free(s);
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

static int state_load(struct minmove *s, const struct place_problem *p)
{
	size_t n_slots = p->n_slots;
	for (size_t i = 0; i < p->n_tasks; i++)
		if (p->tasks[i].slot >= n_slots)
			n_slots = (size_t)p->tasks[i].slot + 1;
	if (zeroed_grow(&s->slots, &s->cap_slots, n_slots, sizeof(*s->slots)) < 0 ||
		zeroed_grow(&s->moves, &s->cap_moves, p->n_tasks, sizeof(*s->moves)) < 0 ||
		place_load(&s->w, p) < 0)
		return -1;
	for (uint32_t t = 0; t < s->w.n; t++) {
		struct memory *m = task_memory(s, t);
		uint32_t birth = p->tasks[s->w.id[t]].birth;
		if (m->birth != birth || m->found_unit >= (int)p->n_units)
			*m = (struct memory){.birth = birth, .found_unit = PLACE_NONE, .usage = -1};
		m->move = 0;
	}
	return 0;
}

static void mean_begin(struct memory *m, double pct, double elapsed_s)
{
	m->mean = pct;
	m->mean_s = elapsed_s;
}

static void mean_go_on(struct memory *m, double pct, double dt_s)
{
	const double same = .05; /* of a constant load: that is no noise */
	m->mean_s = fmin(MEAN_MOST_S, m->mean_s + dt_s);
	m->mean += fabs(pct - m->mean) < same ? pct - m->mean : fmin(1, dt_s / m->mean_s) * (pct - m->mean);
}

/* What a vCPU wants now is noise around what it wants: a placement is made for the mean since its load last
 * changed. */
static void means_take(struct minmove *s)
{
	struct place_work *w = &s->w;
	double dt_s = s->mean_ns ? (double)(w->p->now_ns - s->mean_ns) / (double)S_NS : w->p->elapsed_s;
	for (uint32_t t = 0; t < w->n; t++) {
		struct memory *m = task_memory(s, t);
		double limit = fmax(5, 3 * w->p->tasks[w->id[t]].scatter_pct);
		double off = fabs(w->raw[t] - m->mean);
		if (m->mean_s <= 0 || off > limit)
			mean_begin(m, w->raw[t], w->p->elapsed_s);
		else if (dt_s > 0)
			mean_go_on(m, w->raw[t], dt_s);
		w->raw[t] = m->mean;
	}
	s->mean_ns = w->p->now_ns;
	place_demands(w);
}

static void swing_take(struct memory *m, double usage, double dt_s)
{
	m->swings *= exp(-dt_s / SWINGS_S);
	m->swings += m->usage >= 0 && fabs(usage - m->usage) > SWING_PCT;
	m->usage = usage;
	m->restless = m->swings >= (m->restless ? SWINGS_MOST / 2 : SWINGS_MOST);
}

/* Whose load comes and goes from round to round has no place that is right for long. */
static void swings_take(struct minmove *s)
{
	const struct place_problem *p = s->w.p;
	double dt_s = s->mean_ns ? (double)(p->now_ns - s->mean_ns) / (double)S_NS : p->elapsed_s;
	for (uint32_t t = 0; t < s->w.n && dt_s > 0; t++)
		swing_take(task_memory(s, t), p->tasks[s->w.id[t]].usage_pct, dt_s);
}

static const char *numbers_text(const struct look *k, char *buf, size_t len)
{
	snprintf(buf, len, "deviation %.1f %%, found %.1f %%, no plan below %.1f %%, limit %.1f %%", k->sigma,
		k->found, k->bound, k->limit);
	return buf;
}

static void verdict_set(struct place_result *out, const struct look *k, enum reason code, const char *more)
{
	char n[100];
	why_set(&out->why, code, "%s%s", numbers_text(k, n, sizeof(n)), more);
}

/* What there is to cure although the deviation is within its limit. */
static const char *cause_text(const struct look *k)
{
	if (k->sigma > k->limit)
		return "";
	if (k->cores)
		return "; cores differ";
	return k->overload ? "; a pCPU is wanted by more than it gives" : "";
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
	double band = minmove_band(s->w.p->cfg, s->w.p);
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
	verdict_set(out, k, dwell ? REASON_DWELL : REASON_NOT_WORTH, cause_text(k));
}

/* Plans, and takes it or leaves it. */
static void act_round(struct minmove *s, const struct look *k, struct place_result *out)
{
	struct place_work *w = &s->w;
	if (!minmove_make(s, k)) {
		plan_reject(s, k, out);
		return;
	}
	minmove_moves(s);
	if (!w->p->forced)
		s->cooldown = w->p->cfg->cooldown_rounds;
	out->after_pct = s->plan_sigma;
	char n[100];
	why_set(&out->why, REASON_MOVE, "%zu move%s to %.1f %%; %s%s", w->n_steps, text_s(w->n_steps),
		out->after_pct, numbers_text(k, n, sizeof(n)), cause_text(k));
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
		verdict_set(out, k, REASON_MANUAL, cause_text(k));
	else if (cool)
		verdict_set(out, k, REASON_COOLDOWN, cause_text(k));
	else if (!p->forced && s->above < 2)
		verdict_set(out, k, REASON_CONFIRM, cause_text(k));
	else
		act_round(s, k, out);
}

static int relieve(struct minmove *s, const struct look *k, bool act, struct place_result *out)
{
	char n[100];
	bool within = k->sigma <= minmove_band(s->w.p->cfg, s->w.p);
	enum reason nobody = nobody_moves(s);
	if (relief_round(&s->relief, &s->w, numbers_text(k, n, sizeof(n)), within, act, out) < 0)
		return -1;
	if (nobody != REASON_NONE && !within)
		verdict_set(out, k, nobody, "");
	out->moves = s->relief.moves;
	out->n_moves = s->relief.n_moves;
	return 0;
}

/* Did the placements made lately make anybody wait? True: they are taken back. */
static bool judge(struct minmove *s, bool act, struct place_result *out)
{
	struct relief *r = &s->relief;
	double dt_s = relief_means(r, &s->w);
	r->n_moves = 0;
	s->taking_back = !s->w.p->forced && relief_review(r, &s->w, act, dt_s, &out->why);
	out->moves = r->moves;
	out->n_moves = r->n_moves;
	return s->taking_back;
}

static bool set_free(struct minmove *s, bool act, struct place_result *out)
{
	s->freeing = act && !s->w.p->forced && minmove_free(s) > 0;
	if (!s->freeing)
		return false;
	why_set(&out->why, REASON_FREE, "%zu of %zu vCPU%s left to the kernel again: %s load comes and goes",
		s->n_moves, s->w.p->n_tasks, text_s(s->w.p->n_tasks), s->n_moves == 1 ? "its" : "their");
	out->moves = s->moves;
	out->n_moves = s->n_moves;
	return true;
}

static int minmove_plan(void *state, const struct place_problem *p, bool act, struct place_result *out)
{
	struct minmove *s = state;
	struct look k = {0};
	*out = (struct place_result){.found_pct = -1, .bound_pct = -1};
	s->n_moves = 0;
	s->freeing = false;
	if (p->n_units == 0) {
		why_set(&out->why, REASON_NO_DATA, NULL);
		return 0;
	}
	if (state_load(s, p) < 0)
		return -1;
	if (!p->relief) {
		swings_take(s);
		means_take(s);
		if (set_free(s, act, out))
			return 0;
	}
	minmove_strays(s, act && !p->relief);
	minmove_look(s, &k);
	out->stddev_pct = out->after_pct = k.sigma;
	out->found_pct = k.found;
	out->bound_pct = k.bound;
	out->limit_pct = k.limit;
	if (p->relief)
		return relieve(s, &k, act, out);
	if (relief_room(&s->relief, &s->w) < 0)
		return -1;
	if (judge(s, act, out))
		return 0;
	k.dwelling = minmove_mark_still(s);
	k.overload = minmove_overload(s, &k);
	round_decide(s, &k, act, out);
	out->moves = s->moves;
	out->n_moves = s->n_moves;
	return 0;
}

static double dwell_for(const struct place_work *w, const struct config *cfg, int from, int to)
{
	double d = place_distance(w, from, to);
	if (d >= 4)
		return cfg->dwell_cross_s;
	return d >= 2 ? cfg->dwell_node_s : cfg->dwell_llc_s;
}

/* Moved again soon: what the last move was made for did not last, so the next one has to wait longer; after a
 * calm time the dwell shrinks again. */
static double dwell_next(const struct memory *m, const struct place_problem *p, double usual_s)
{
	double since_s = (double)(p->now_ns - m->moved_ns) / (double)S_NS;
	if (m->dwell_s <= 0)
		return usual_s;
	if (since_s < RESTLESS_DWELLS * m->dwell_s)
		return fmax(usual_s, fmin(p->cfg->dwell_max_s, RESTLESS_FACTOR * m->dwell_s));
	return fmax(usual_s, m->dwell_s / 2);
}

/* Who floated until now has a place of ours; or the other way round, for ten minutes, twice as long each
 * time. */
static void note_bound(struct minmove *s, const struct place_problem *p, const bool *done)
{
	for (size_t i = 0; i < s->n_moves; i++) {
		const struct place_task *t = &p->tasks[s->moves[i].task];
		struct memory *m = &s->slots[t->slot];
		if (!done[i])
			continue;
		m->bound = !s->freeing && (m->bound || !t->pinned);
		if (!s->freeing)
			continue;
		if (t->slot < s->relief.cap_slots) /* an open trial must not bind it again */
			s->relief.slots[t->slot].in_trial = false;
		m->floats_s = fmin(FLOATS_MOST_S, fmax(FLOATS_S, 2 * m->floats_s));
		m->floats_until_ns = p->now_ns + (int64_t)(m->floats_s * (double)S_NS);
	}
}

/* The dwell starts with an improving move. After a waived one it is twice as long and not waived again, so
 * that no rhythm of the load costs more than a pin per dwell. */
static void minmove_applied(void *state, const struct place_problem *p, const bool *done)
{
	struct minmove *s = state;
	size_t moved = 0, planned = 0;
	if (p->relief || s->taking_back) {
		relief_applied(&s->relief, p, done);
		return;
	}
	note_bound(s, p, done);
	if (s->freeing)
		return;
	relief_placed(&s->relief, p, s->moves, s->n_moves, done);
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
