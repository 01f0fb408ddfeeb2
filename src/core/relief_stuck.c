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
static void units_by_busy(struct relief *r, const struct place_work *w)
{
	r->n_by_busy = 0;
	for (int u = 0; u < (int)w->m; u++) {
		if (w->p->units[u].busy_pct < 0 || w->p->units[u].alone)
			continue;
		size_t i = r->n_by_busy++;
		for (; i > 0 && w->p->units[r->by_busy[i - 1]].busy_pct > w->p->units[u].busy_pct; i--)
			r->by_busy[i] = r->by_busy[i - 1];
		r->by_busy[i] = u;
	}
}

/* The least busy unit of those that it may use; PLACE_NONE: where it is, or not known. */
static int roomiest(const struct relief *r, const struct place_work *w, uint32_t t)
{
	for (size_t i = 0; i < r->n_by_busy; i++)
		if (place_ok(w, t, r->by_busy[i]))
			return r->by_busy[i] == w->home[t] ? PLACE_NONE : r->by_busy[i];
	return PLACE_NONE;
}

/* By how much less it would wait where there is the most room. */
static double spare_there(const struct relief *r, const struct place_work *w, uint32_t t)
{
	const struct place_task *task = &w->p->tasks[w->id[t]];
	if (w->home[t] < 0 || task->capped || task->wait_pct < 100 * margin || !relief_floats(w, t))
		return 0;
	int to = roomiest(r, w, t);
	if (to < 0 || w->p->units[to].busy_pct > FULL_PCT) /* how many share a full one is not known */
		return 0;
	double there = relief_wait(relief_part(w, t, to), w->p->units[to].busy_pct / 100);
	return task->wait_pct / 100 - there - margin;
}

void relief_stuck_watch(struct relief *r, const struct place_work *w, double dt_s)
{
	units_by_busy(r, w);
	r->n_stuck = 0;
	for (uint32_t t = 0; t < w->n; t++) {
		struct relief_memory *m = relief_memory_of(r, w, t);
		bool stuck = spare_there(r, w, t) > 0;
		r->n_stuck += stuck;
		m->stuck_s = m->stuck_s * exp(-dt_s / FORGET_S) + (stuck ? dt_s : 0);
	}
}

/* The widest: the other node, the other LLC, or all but where it is. */
static enum place_aim way_out(const struct place_work *w, uint32_t t, int to)
{
	const struct place_unit *from = &w->p->units[w->home[t]], *there = &w->p->units[to];
	if (from->node >= 0 && there->node >= 0 && from->node != there->node)
		return PLACE_NODE;
	if (from->llc >= 0 && there->llc >= 0 && from->llc != there->llc)
		return PLACE_LLC;
	return PLACE_ASIDE;
}

/* One away from each pCPU and one to each in a round: the next look tells whether that was enough. */
static bool taken(const struct relief *r, int from, int to)
{
	for (size_t i = 0; i < r->n_moves; i++)
		if (r->moves[i].from == from || r->moves[i].to == to)
			return true;
	return false;
}

static void add_way_out(struct relief *r, const struct place_work *w, uint32_t t)
{
	const struct place_unit *u = w->p->units;
	int from = w->home[t], to = roomiest(r, w, t);
	if (to < 0 || taken(r, from, to) || spare_there(r, w, t) <= 0)
		return;
	struct place_move *k = &r->moves[r->n_moves++];
	*k = (struct place_move){.task = w->id[t], .from = from, .to = to, .partner = PLACE_NONE};
	k->aim = way_out(w, t, to);
	why_set(&k->why, REASON_MOVE,
		"waited %.0f %% of the last minute on pCPU %d, where the kernel leaves it although pCPU %d is %.0f %% busy",
		100 * relief_memory_of(r, w, t)->wait, u[from].cpu, u[to].cpu, u[to].busy_pct);
}

static void add_back(struct relief *r, const struct place_work *w, uint32_t t)
{
	struct place_move *k = &r->moves[r->n_moves++];
	*k = (struct place_move){.task = w->id[t],
		.from = w->home[t],
		.to = w->home[t],
		.partner = PLACE_NONE,
		.aim = PLACE_BACK};
	why_set(&k->why, REASON_FREE, "as found again: the reason for a narrower affinity is %.0f min old",
		relief_memory_of(r, w, t)->narrow_s / 60);
}

void relief_stuck_plan(struct relief *r, const struct place_work *w, size_t most)
{
	for (uint32_t t = 0; t < w->n && r->n_moves < most; t++) {
		const struct relief_memory *m = relief_memory_of(r, w, t);
		bool rests = m->in_trial || (!w->p->forced && w->p->now_ns < m->rest_until_ns);
		if (m->narrow_ns && w->p->now_ns >= m->narrow_ns && !m->in_trial && w->home[t] >= 0)
			add_back(r, w, t);
		else if (!rests && m->stuck_s >= stuck_s)
			add_way_out(r, w, t);
	}
}

void relief_stuck_applied(struct relief_memory *m, const struct place_move *k, int64_t now_ns)
{
	bool narrower = k->aim == PLACE_NODE || k->aim == PLACE_LLC || k->aim == PLACE_ASIDE;
	m->stuck_s = 0;
	if (!narrower) {
		m->narrow_ns = 0;
		return;
	}
	m->narrow_s = fmin(NARROW_MOST_S, fmax(NARROW_S, 2 * m->narrow_s));
	m->narrow_ns = now_ns + (int64_t)(m->narrow_s * (double)S_NS);
}
