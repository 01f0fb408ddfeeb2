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

static int slots_room(struct relief *r, const struct place_problem *p)
{
	size_t n = p->n_slots, had = r->cap_slots;
	for (size_t i = 0; i < p->n_tasks; i++)
		n = p->tasks[i].slot >= n ? (size_t)p->tasks[i].slot + 1 : n;
	if (!array_grow(&r->slots, &r->cap_slots, n, sizeof *r->slots))
		return -1;
	memset(r->slots + had, 0, (r->cap_slots - had) * sizeof *r->slots);
	return 0;
}

int relief_room(struct relief *r, const struct place_work *w)
{
	if (slots_room(r, w->p) < 0 || !array_grow(&r->at, &r->cap_at, w->n, sizeof *r->at) ||
		!array_grow(&r->by_busy, &r->cap_by_busy, w->m, sizeof *r->by_busy) ||
		!array_grow(&r->first, &r->cap_first, w->m, sizeof *r->first) ||
		!array_grow(&r->next, &r->cap_next, w->n, sizeof *r->next) ||
		!array_grow(&r->moves, &r->cap_moves, w->n, sizeof *r->moves) ||
		!array_grow(&r->picks, &r->cap_picks, w->n, sizeof *r->picks))
		return -1;
	for (size_t i = 0; i < r->cap_slots; i++)
		r->slots[i].task = 0;
	for (size_t i = 0; i < w->p->n_tasks; i++) {
		const struct place_task *t = &w->p->tasks[i];
		struct relief_memory *m = &r->slots[t->slot];
		if (m->birth != t->birth || !m->since_ns)
			*m = (struct relief_memory){.birth = t->birth, .since_ns = w->p->now_ns};
		m->task = (uint32_t)i + 1;
	}
	return 0;
}

double relief_wait(double d, double others)
{
	return d <= 0 || others <= 0 ? 0 : d * others / (1 + d * others);
}

static bool alone(const struct place_work *w, int unit)
{
	return unit >= 0 && w->p->units[unit].alone;
}

/* Does its affinity leave the kernel a choice where it is? */
static bool floats(const struct place_work *w, uint32_t t)
{
	return !w->p->tasks[w->id[t]].pinned && !alone(w, w->home[t]);
}

static int lowest_in(const struct place_work *w, const struct cpuset *set)
{
	int best = PLACE_NONE;
	CPUSET_EACH(u, set)
	{
		if (u < (int)w->m && (best < 0 || w->h[u] < w->h[best]))
			best = u;
	}
	return best;
}

static bool has_all(const struct place_task *t)
{
	return !t->room || !t->allowed || cpuset_subset(t->allowed, t->room);
}

bool relief_floats(const struct place_work *w, uint32_t t)
{
	return floats(w, t) && has_all(&w->p->tasks[w->id[t]]);
}

/* Those that float go where the least is, as the kernel would put them: the largest first. */
void relief_model(struct relief *r, struct place_work *w)
{
	r->n_float = 0;
	for (uint32_t t = 0; t < w->n; t++)
		r->at[t] = floats(w, t) ? PLACE_NONE : w->home[t];
	place_set(w, r->at);
	for (size_t i = 0; i < w->n; i++) {
		uint32_t t = w->order[i];
		const struct place_task *task = &w->p->tasks[w->id[t]];
		if (r->at[t] >= 0)
			continue;
		r->n_float++;
		r->at[t] =
			has_all(task) ? place_lowest_ok(w, t, 0, (uint32_t)w->m) : lowest_in(w, task->room);
		if (r->at[t] >= 0)
			place_add(w, r->at[t], w->d[t]);
	}
}

bool relief_curable(const struct relief *r, const struct place_work *w, uint32_t t)
{
	const struct place_task *task = &w->p->tasks[w->id[t]];
	if (r->at[t] < 0 || task->capped || w->d[t] < IDLE_PCT)
		return false;
	return alone(w, r->at[t]) || !has_all(task);
}

/* As reported; without a report, by the loads, but only of a vCPU that is bound to one unit. */
static double wait_now(const struct relief *r, const struct place_work *w, uint32_t t)
{
	const struct place_task *task = &w->p->tasks[w->id[t]];
	if (task->wait_pct >= 0)
		return fmin(1, task->wait_pct / 100);
	if (!task->pinned || r->at[t] < 0)
		return 0;
	int u = r->at[t];
	return relief_wait(relief_part(w, t, u), fmax(0, w->s[u] - w->d[t]) * w->ic[u] / 100);
}

/* What t would wait if it floated too: by the loads where `to` has the most room, or as those do that float
 * already, whichever is less. */
static double wait_free(const struct relief *r, const struct place_work *w, uint32_t t, int to)
{
	double d = relief_part(w, t, to), there = relief_wait(d, fmax(0, w->s[to]) * w->ic[to] / 100);
	return alone(w, to) ? there : fmin(there, d * r->float_share);
}

/* A pCPU that does clearly more than the one that it has all of, and is nearly idle; PLACE_NONE. To be slow
 * is as bad as to wait. */
int relief_larger(const struct relief *r, const struct place_work *w, uint32_t t)
{
	enum { ALL_PCT = 95, IDLE_MOST_PCT = 20 };
	const struct place_task *task = &w->p->tasks[w->id[t]];
	int from = r->at[t], best = PLACE_NONE;
	if (from < 0 || w->equal || task->usage_pct < ALL_PCT || !relief_curable(r, w, t))
		return PLACE_NONE;
	for (int u = 0; u < (int)w->m; u++) {
		bool larger = w->ic[u] < .95 * w->ic[from] && w->s[u] * w->ic[u] < IDLE_MOST_PCT;
		if (larger && place_ok(w, t, u) && (best < 0 || w->h[u] < w->h[best]))
			best = u;
	}
	return best;
}

/* By how much less it would have waited on the pCPU with the most room, or spread by the kernel. */
static double spare_of(const struct relief *r, const struct place_work *w, uint32_t t)
{
	int to = place_lowest_ok(w, t, 0, (uint32_t)w->m);
	if (to < 0 || (to == r->at[t] && (alone(w, to) || r->float_share >= 1)))
		return 0;
	return fmax(0, wait_now(r, w, t) - luck * wait_free(r, w, t, to) - noise);
}

/* How those fare that have all that they may use. The kernel is better at it than any model of it. */
static void floats_judge(struct relief *r, const struct place_work *w)
{
	double wait = 0, want = 0;
	for (uint32_t t = 0; t < w->n; t++) {
		const struct place_task *task = &w->p->tasks[w->id[t]];
		if (!relief_floats(w, t) || task->capped || task->wait_pct < 0)
			continue;
		wait += task->wait_pct;
		want += w->d[t];
	}
	r->float_share = want > RELIEF_SPARE * 100 ? fmin(1, wait / want) : 1;
}

/* A mean over the last minute, but over less when its waiting began later: what is compared with afterwards
 * must not be diluted by the calm before. */
static double part_of(const struct relief_memory *m, int64_t now_ns, double dt_s)
{
	double age_s = (double)(now_ns - max_of(m->run_ns, m->since_ns)) / (double)S_NS;
	return age_s <= dt_s ? 1 : fmax(1 - exp(-dt_s / MEAN_S), dt_s / age_s);
}

static void means_update(struct relief *r, const struct place_problem *p, double dt_s)
{
	double wait = 0, want = 0, share = r->last_ns ? 1 - exp(-dt_s / MEAN_S) : 1;
	for (size_t i = 0; i < p->n_tasks; i++) {
		const struct place_task *t = &p->tasks[i];
		struct relief_memory *m = &r->slots[t->slot];
		double waits = fmax(0, t->wait_pct) / 100, wants = t->demand_pct / 100;
		double part = part_of(m, p->now_ns, dt_s);
		m->wait += part * (waits - m->wait);
		m->want += part * (wants - m->want);
		wait += waits;
		want += wants;
	}
	for (size_t u = 0; u < p->n_units; u++)
		want += fmax(0, p->units[u].background_pct) / 100;
	r->wait_all += share * (wait - r->wait_all);
	r->want_all += share * (want - r->want_all);
}

static void owed_update(struct relief_memory *m, int64_t now_ns, double dt_s)
{
	enum { FORGOTTEN_PER_S = 20 }; /* a twentieth of a second is nothing to remember */
	bool begins = m->owed_s * FORGOTTEN_PER_S < 1 && m->spare > 0;
	m->owed_s = m->owed_s * exp(-dt_s / OWED_S) + m->spare * dt_s;
	if (begins)
		m->run_ns = now_ns - (int64_t)(dt_s * (double)S_NS);
}

static double since_last(const struct relief *r, const struct place_problem *p)
{
	double dt_s = r->last_ns ? (double)(p->now_ns - r->last_ns) / (double)S_NS : p->elapsed_s;
	return fmax(0, fmin(dt_s, 2 * p->elapsed_s));
}

double relief_means(struct relief *r, const struct place_work *w)
{
	double dt_s = since_last(r, w->p);
	memcpy(r->at, w->home, w->n * sizeof *r->at);
	means_update(r, w->p, dt_s);
	r->last_ns = w->p->now_ns;
	return dt_s;
}

double relief_watch(struct relief *r, struct place_work *w)
{
	const struct place_problem *p = w->p;
	double dt_s = since_last(r, p);
	r->n_waiting = r->n_curable = r->n_slow = 0;
	r->worst_wait = 0;
	floats_judge(r, w);
	for (uint32_t t = 0; t < w->n; t++) {
		struct relief_memory *m = relief_memory_of(r, w, t);
		double wait = wait_now(r, w, t);
		m->spare = relief_curable(r, w, t) ? spare_of(r, w, t) : 0;
		int larger = relief_larger(r, w, t);
		r->n_slow += larger >= 0;
		if (larger >= 0)
			m->spare = fmax(m->spare, 1 - w->ic[larger] / w->ic[r->at[t]]);
		owed_update(m, p->now_ns, dt_s);
		r->n_waiting += wait >= RELIEF_SPARE;
		r->n_curable += m->spare >= RELIEF_SPARE;
		r->worst_wait = fmax(r->worst_wait, wait);
	}
	relief_stuck_watch(r, w, dt_s);
	means_update(r, p, dt_s);
	r->last_ns = p->now_ns;
	return dt_s;
}
