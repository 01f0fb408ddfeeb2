/* SPDX-License-Identifier: MIT */
/* Who is helped, and how: as few as possible, those first for whom it takes away the most waiting. A wider
 * affinity leaves the rest to the kernel; on pCPUs that it does not balance, a vCPU is moved to one.
 * Invariant: by the loads as they are, no change makes all together wait longer. Knows nothing of what comes
 * after. */
#include <math.h>
#include <stdlib.h>

#include "minmove.h"
#include "relief.h"
#include "vmtop/config.h"
#include "vmtop/minmax.h"

/* A second of waiting that need not have been, and at least this part of the time; several samples, so that
 * one odd reading moves nobody. */
static const double owed_s = 2, gain_least = .01;
enum { SAMPLES_LEAST = 3 };

/* What those at a pCPU wait together; long waits weigh more, so that the starved come first. */
static double weigh(double wait)
{
	return wait * (1 + wait);
}

static bool rests(const struct relief_memory *m, const struct place_problem *p)
{
	return m->in_trial || (!p->forced && p->now_ns < m->rest_until_ns);
}

static bool may_pick(const struct relief *r, const struct place_work *w, uint32_t t)
{
	const struct relief_memory *m = relief_memory_of(r, w, t);
	if (!relief_curable(r, w, t) || rests(m, w->p))
		return false;
	return m->owed_s >= owed_s / 4 || (w->p->forced && m->spare > 0);
}

/* One of them at least has waited long enough for a change. */
static bool anyone_ripe(const struct relief *r, const struct place_work *w)
{
	for (uint32_t t = 0; t < w->n; t++) {
		const struct relief_memory *m = relief_memory_of(r, w, t);
		double seen_s = (double)(w->p->now_ns - m->since_ns) / (double)S_NS;
		bool ripe = w->p->forced ? m->spare > 0
					 : m->owed_s >= owed_s &&
						   seen_s >= (SAMPLES_LEAST - 1.25) * w->p->elapsed_s;
		if (ripe && may_pick(r, w, t))
			return true;
	}
	return false;
}

/* What all on unit u wait together, with `t` counted in or left out. The fixed load counts as one of them. */
static double pain_at(const struct relief *r, const struct place_work *w, int u, uint32_t t, bool with)
{
	double own = relief_part(w, t, u), fixed = fmin(1, w->fixed[u] * w->ic[u] / 100);
	bool there = r->at[t] == u;
	double load = w->s[u] * w->ic[u] / 100;
	if (with && !there)
		load += own;
	if (!with && there)
		load -= own;
	double sum = weigh(relief_wait(fixed, load - fixed));
	for (int32_t i = r->first[u]; i >= 0; i = r->next[i])
		if ((uint32_t)i != t)
			sum += weigh(relief_wait(
				relief_part(w, (uint32_t)i, u), load - relief_part(w, (uint32_t)i, u)));
	return sum + (with ? weigh(relief_wait(own, load - own)) : 0);
}

/* What is won when t leaves its unit for `to`. */
static double gain_of(const struct relief *r, const struct place_work *w, uint32_t t, int to)
{
	int from = r->at[t];
	double won = pain_at(r, w, from, t, true) - pain_at(r, w, from, t, false);
	double lost = pain_at(r, w, to, t, true) - pain_at(r, w, to, t, false);
	return (won - lost) / w->weight[t];
}

/* The same as those that float already let one hope. The model knows pCPUs, not how well the kernel uses all
 * of them together. */
static double hope_of(const struct relief *r, const struct place_work *w, uint32_t t, int to)
{
	double free = relief_part(w, t, to) * r->float_share, wait = relief_memory_of(r, w, t)->wait;
	if (w->p->units[to].alone || free > .75 * wait) /* less would not count as help afterwards */
		return 0;
	if (w->s[to] * w->ic[to] >= 100) /* where all is taken others would wait for it */
		return 0;
	return (weigh(wait) - weigh(free)) / 2 / w->weight[t];
}

static void link_in(struct relief *r, uint32_t t, int unit)
{
	r->at[t] = unit;
	r->next[t] = r->first[unit];
	r->first[unit] = (int32_t)t;
}

static void units_fill(struct relief *r, const struct place_work *w)
{
	for (size_t u = 0; u < w->m; u++)
		r->first[u] = -1;
	for (uint32_t t = 0; t < w->n; t++)
		if (r->at[t] >= 0)
			link_in(r, t, r->at[t]);
}

/* In the model alone: the affinity is not changed here. */
static void relocate(struct relief *r, struct place_work *w, uint32_t t, int to)
{
	int32_t *link = &r->first[r->at[t]];
	while (*link != (int32_t)t)
		link = &r->next[*link];
	*link = r->next[t];
	place_add(w, r->at[t], -w->d[t]);
	place_add(w, to, w->d[t]);
	link_in(r, t, to);
}

static int by_gain(const void *a, const void *b)
{
	const struct relief_pick *x = a, *y = b;
	if (x->gain != y->gain)
		return x->gain < y->gain ? 1 : -1;
	return (x->task > y->task) - (x->task < y->task);
}

static void picks_find(struct relief *r, const struct place_work *w)
{
	r->n_picks = 0;
	for (uint32_t t = 0; t < w->n; t++) {
		if (!may_pick(r, w, t))
			continue;
		int larger = relief_larger(r, w, t);
		if (larger >= 0) {
			double lost = 1 - w->ic[larger] / w->ic[r->at[t]];
			r->picks[r->n_picks++] = (struct relief_pick){t, r->at[t], larger, lost, false, true};
			continue;
		}
		int to = place_lowest_ok(w, t, 0, (uint32_t)w->m);
		if (to < 0)
			continue;
		double sure = to == r->at[t] ? 0 : gain_of(r, w, t, to),
		       gain = fmax(sure, hope_of(r, w, t, to));
		if (gain >= gain_least)
			r->picks[r->n_picks++] =
				(struct relief_pick){t, r->at[t], to, gain, sure < gain_least, false};
	}
	qsort(r->picks, r->n_picks, sizeof *r->picks, by_gain);
}

static void move_add(struct relief *r, const struct place_work *w, const struct relief_pick *k)
{
	const struct place_unit *u = w->p->units;
	const struct relief_memory *m = relief_memory_of(r, w, k->task);
	struct place_move *x = &r->moves[r->n_moves++];
	bool one = u[k->to].alone;
	*x = (struct place_move){.task = w->id[k->task],
		.from = k->from,
		.to = k->to,
		.partner = PLACE_NONE,
		.aim = one ? PLACE_UNIT : PLACE_ALLOWED};
	int from_load = (int)lrint(w->s[k->from] * w->ic[k->from]),
	    to_load = (int)lrint(w->s[k->to] * w->ic[k->to]);
	if (k->larger)
		why_set(&x->why, one ? REASON_MOVE : REASON_FREE,
			"has all of pCPU %d, which does %.0f %% of what pCPU %d does, and that is at %d %%: %s",
			u[k->from].cpu, 100 * u[k->from].capacity / u[k->to].capacity, u[k->to].cpu, to_load,
			one ? "so it goes there" : "all that it may use, and the kernel chooses");
	else if (one)
		why_set(&x->why, REASON_MOVE,
			"waited %.0f %% of the last minute; the kernel does not balance pCPU %d at %d %%, so to pCPU %d at %d %%",
			100 * m->wait, u[k->from].cpu, from_load, u[k->to].cpu, to_load);
	else
		why_set(&x->why, REASON_FREE,
			"waited %.0f %% of the last minute on pCPU %d at %d %% while pCPU %d was at %d %%: all that it may use, and the kernel chooses",
			100 * m->wait, u[k->from].cpu, from_load, u[k->to].cpu, to_load);
}

static size_t moves_most(const struct place_problem *p)
{
	size_t n = p->cfg->max_moves > 0 ? (size_t)p->cfg->max_moves : max_of(p->n_units / 4, 8);
	return min_of(n, RELIEF_TOUCHED);
}

/* After those before it in the plan. One hope a pCPU at a time: when one has left, the others may be well. */
static bool still_worth(struct relief *r, const struct place_work *w, const struct relief_pick *k)
{
	if (!k->hope)
		return k->to != k->from && gain_of(r, w, k->task, k->to) >= gain_least;
	for (size_t i = 0; i < r->n_moves; i++)
		if (r->moves[i].from == k->from)
			return false;
	return true;
}

void relief_plan(struct relief *r, struct place_work *w)
{
	size_t most = moves_most(w->p);
	r->n_moves = 0;
	relief_stuck_plan(r, w, most);
	if (!anyone_ripe(r, w))
		return;
	units_fill(r, w);
	picks_find(r, w);
	for (size_t i = 0; i < r->n_picks && r->n_moves < most; i++) {
		struct relief_pick *k = &r->picks[i];
		k->to = k->larger ? relief_larger(r, w, k->task)
				  : place_lowest_ok(w, k->task, 0, (uint32_t)w->m);
		if (k->to < 0 || (!k->larger && !still_worth(r, w, k)))
			continue;
		move_add(r, w, k);
		relocate(r, w, k->task, k->to);
	}
}
