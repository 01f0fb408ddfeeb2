/* SPDX-License-Identifier: MIT */
/* The three numbers of minmove: the deviation now, of the best placement known, and the bound below which
 * none can be. The best placement known is kept while demands stay within their noise. Invariant: bound <=
 * found <= now. Knows nothing of moves and rounds. */
#include <math.h>

#include "minmove.h"
#include "vmtop/config.h"
#include "vmtop/minmax.h"

double minmove_band(const struct config *cfg, const struct place_problem *p)
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
bool minmove_found_recall(struct minmove *s)
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
 * old one on a host that is quickly searched. Again: the same moment was looked at already, so that the
 * answer is the same too. s->proven: there is no better one. */
static void found_update(struct minmove *s, const struct place_enough *e, bool urgent, bool again)
{
	struct place_work *w = &s->w;
	double kept = INFINITY;
	if (minmove_found_recall(s)) {
		place_set(w, w->best);
		kept = place_f(w);
		bool turn = !again && (place_exact_fits(w) || ++s->kept_rounds >= KEPT_ROUNDS);
		bool matters = urgent && turn && w->n <= SEARCH_TASKS;
		if (kept <= e->f || (!matters && !found_stale(s))) {
			s->proven &= again;
			return;
		}
	}
	s->kept_rounds = 0;
	s->proven = false;
	double f = place_found(w, e);
	if (f > e->f && place_exact_fits(w))
		f = place_exact_found(w, f, e->f, &s->proven);
	if (f < kept) {
		found_store(s);
	} else {
		minmove_found_recall(s);
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

/* The same demands at the same time as at the last look: a preview, or a look between two samples. */
static bool seen_already(const struct minmove *s)
{
	const struct place_work *w = &s->w;
	bool same = s->looked_ns == w->p->now_ns;
	for (uint32_t t = 0; t < w->n && same; t++)
		same = task_memory(s, t)->seen_demand == w->raw[t];
	return same;
}

/* How far an estimate may be off: its scatter at first, and less with every reading; a jump begins anew. On
 * large hosts this averages out. */
static bool alike_find(struct minmove *s, bool again)
{
	enum { SETTLED = 8 };
	struct place_work *w = &s->w;
	bool any = false, few = w->n <= PLACE_EXACT_TASKS;
	for (uint32_t t = 0; t < w->n; t++) {
		struct memory *m = task_memory(s, t);
		double scatter = w->p->tasks[w->id[t]].scatter_pct;
		bool jumped = fabs(w->raw[t] - m->seen_demand) > fmax(5, 3 * scatter);
		if (!again)
			m->seen = jumped ? 0 : min_of(m->seen + 1, SETTLED);
		m->seen_demand = w->raw[t];
		w->unsure[t] = few && m->seen < SETTLED ? scatter * pow(0.84, m->seen) : 0;
		any |= w->unsure[t] > 0;
	}
	return any && place_alike(w);
}

/* The numbers are those that the trigger goes by, and the only ones that are shown: demands that are alike
 * count as equal in all of them. Only what a plan won is checked by the demands as they were given. */
void minmove_look(struct minmove *s, struct look *k)
{
	struct place_work *w = &s->w;
	const struct config *cfg = w->p->cfg;
	double band = minmove_band(cfg, w->p), stop = cfg->stop_at_pct * band / cfg->act_above_pct;
	k->q = place_q(w);
	bool again = seen_already(s);
	s->looked_ns = w->p->now_ns;
	if ((k->alike = alike_find(s, again)))
		place_reset(w);
	double now_f = place_f(w), good = squared(stop / 3), bound_q = place_bound_q(w);
	struct place_enough enough = {fmax(w->pcpus * good, bound_q * squared(1.02)), good / 10};
	k->sigma = place_sigma(w, place_q(w));
	k->core = place_sigma(w, place_q_core(w));
	found_update(s, &enough, k->sigma > band, again);
	double found_f = fmin(place_f(w), now_f);
	k->found = fmin(place_sigma(w, place_q(w)), k->sigma);
	k->found_core = place_sigma(w, place_q_core(w));
	k->bound = s->proven && !w->smt ? k->found : fmin(place_sigma(w, bound_q), k->found); /* rounding */
	place_plain(w);
	place_reset(w);
	k->limit = fmax(band, 1.15 * k->found);
	k->cores = w->smt && k->core > cfg->core_band_pct && k->core > 1.15 * k->found_core;
	k->above = k->sigma > k->limit || k->cores;
	k->goal_f = w->pcpus * squared(goal_sigma(stop, place_sigma(w, found_f)));
}
