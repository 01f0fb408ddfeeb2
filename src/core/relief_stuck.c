/* SPDX-License-Identifier: MIT */
/* Where the kernel fails those that float: it does not balance over parts of a host whose cpusets forbid it,
 * and it tolerates some imbalance between NUMA nodes. A vCPU that keeps waiting while a pCPU of its own
 * affinity idles gets the widest affinity that leads out, for ten minutes; then it is as found again.
 * Invariant: nobody is bound to one pCPU here. Knows nothing of pins that others made. */
#include <math.h>

#include "minmove.h"
#include "relief.h"

/* Much longer than a kernel that balances ever needs. */
static const double stuck_s = 10, stuck_wait = .1;
enum { IDLE_BUSY_PCT = 20, FORGET_S = 60, NARROW_S = 600, NARROW_MOST_S = 4 * 3600 };

/* By what the host measured: where it says nothing, nothing is claimed of the kernel. */
static bool idle(const struct place_work *w, int u)
{
	double busy = w->p->units[u].busy_pct;
	return busy >= 0 && busy < IDLE_BUSY_PCT && !w->p->units[u].alone;
}

/* The idle unit that is nearest among those that it may use; PLACE_NONE. */
static int idle_for(const struct place_work *w, uint32_t t)
{
	int best = PLACE_NONE;
	for (int u = 0; u < (int)w->m; u++) {
		if (u == w->home[t] || !idle(w, u) || !place_ok(w, t, u))
			continue;
		if (best < 0 || place_distance(w, w->home[t], u) < place_distance(w, w->home[t], best))
			best = u;
	}
	return best;
}

void relief_stuck_watch(struct relief *r, const struct place_work *w, double dt_s)
{
	bool any = false;
	for (int u = 0; u < (int)w->m && !any; u++)
		any = idle(w, u);
	for (uint32_t t = 0; t < w->n; t++) {
		struct relief_memory *m = relief_memory_of(r, w, t);
		const struct place_task *task = &w->p->tasks[w->id[t]];
		bool waits = any && w->home[t] >= 0 && relief_floats(w, t) && !task->capped &&
			     task->wait_pct >= 100 * stuck_wait && idle_for(w, t) >= 0;
		m->stuck_s = m->stuck_s * exp(-dt_s / FORGET_S) + (waits ? dt_s : 0);
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

static void add_way_out(struct relief *r, const struct place_work *w, uint32_t t)
{
	const struct place_unit *u = w->p->units;
	int from = w->home[t], to = idle_for(w, t);
	if (to < 0)
		return;
	struct place_move *k = &r->moves[r->n_moves++];
	*k = (struct place_move){.task = w->id[t], .from = from, .to = to, .partner = PLACE_NONE};
	k->aim = way_out(w, t, to);
	why_set(&k->why, REASON_MOVE,
		"waited %.0f %% of the last minute on pCPU %d, where the kernel leaves it although pCPU %d "
		"is idle",
		100 * relief_memory_of(r, w, t)->wait, u[from].cpu, u[to].cpu);
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
