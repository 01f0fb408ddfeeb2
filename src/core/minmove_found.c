/* SPDX-License-Identifier: MIT */
/* The three numbers of minmove: the deviation now, of the best placement known, and the bound below which
 * none can be. The best placement known is kept while demands stay within their noise. Invariant: bound <=
 * found <= now. Knows nothing of moves and rounds. */
#include <math.h>

#include "minmove.h"
#include "vmtop/config.h"
#include "vmtop/minmax.h"

double minmove_band(const struct config *cfg, const struct place_problem *prob)
{
	bool single = true;
	for (size_t j = 0; j < prob->n_units; j++)
		single &= prob->units[j].n_cpus <= 1;
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
bool minmove_found_recall(struct minmove *mini)
{
	struct place_work *work = &mini->work;
	bool good = work->n_units == mini->found_units;
	for (uint32_t task = 0; task < work->n_tasks && good; task++) {
		work->best[task] = task_memory(mini, task)->found_unit;
		good = work->best[task] >= 0 && place_ok(work, task, work->best[task]);
	}
	return good;
}

/* Have demands left the noise in which the last search was made? */
static bool found_stale(const struct minmove *mini)
{
	const struct place_work *work = &mini->work;
	if (work->n_tasks != mini->found_tasks)
		return true;
	double moved = 0, noise = 0;
	for (uint32_t t = 0; t < work->n_tasks; t++) {
		const struct place_task *task = &work->prob->tasks[work->id[t]];
		moved += fabs(work->demand[t] - mini->slots[task->slot].found_demand);
		noise += fmax(1, 2 * task->scatter_pct);
	}
	return moved > noise;
}

static void found_store(struct minmove *mini)
{
	struct place_work *work = &mini->work;
	for (uint32_t task = 0; task < work->n_tasks; task++) {
		task_memory(mini, task)->found_unit = work->best[task];
		task_memory(mini, task)->found_demand = work->demand[task];
	}
	mini->found_tasks = work->n_tasks;
	mini->found_units = work->n_units;
}

/* best[] and its loads are set afterwards. Urgent: a decision hangs on it, so noise is no excuse to keep the
 * old one on a host that is quickly searched. Again: the same moment was looked at already, so that the
 * answer is the same too. mini->proven: there is no better one. */
static void found_update(struct minmove *mini, const struct place_enough *enough, bool urgent, bool again)
{
	struct place_work *work = &mini->work;
	double kept = INFINITY;
	if (minmove_found_recall(mini)) {
		place_set(work, work->best);
		kept = place_f(work);
		bool turn = !again && (place_exact_fits(work) || ++mini->kept_rounds >= KEPT_ROUNDS);
		bool matters = urgent && turn && work->n_tasks <= SEARCH_TASKS;
		if (kept <= enough->f || (!matters && !found_stale(mini))) {
			mini->proven &= again;
			return;
		}
	}
	mini->kept_rounds = 0;
	mini->proven = false;
	double f = place_found(work, enough);
	if (f > enough->f && place_exact_fits(work))
		f = place_exact_found(work, f, enough->f, &mini->proven);
	if (f < kept) {
		found_store(mini);
	} else {
		minmove_found_recall(mini);
		for (uint32_t task = 0; task < work->n_tasks; task++)
			task_memory(mini, task)->found_demand = work->demand[task];
	}
	place_set(work, work->best);
}

/* Where to stop: at 3 %, or where the best placement known is, give or take the same noise. */
static double goal_sigma(double stop, double found)
{
	double near = fmin(sqrt(squared(found) + squared(stop)), 1.05 * found);
	return fmax(stop, near);
}

/* The same demands at the same time as at the last look: a preview, or a look between two samples. */
static bool seen_already(const struct minmove *mini)
{
	const struct place_work *work = &mini->work;
	bool same = mini->looked_ns == work->prob->now_ns;
	for (uint32_t task = 0; task < work->n_tasks && same; task++)
		same = task_memory(mini, task)->seen_demand == work->raw[task];
	return same;
}

/* How far an estimate may be off: its scatter at first, and less with every reading; a jump begins anew. On
 * large hosts this averages out. */
static bool alike_find(struct minmove *mini, bool again)
{
	enum { SETTLED = 8 };
	struct place_work *work = &mini->work;
	bool any = false, few = work->n_tasks <= PLACE_EXACT_TASKS;
	for (uint32_t task = 0; task < work->n_tasks; task++) {
		struct memory *mem = task_memory(mini, task);
		double scatter = work->prob->tasks[work->id[task]].scatter_pct;
		bool jumped = fabs(work->raw[task] - mem->seen_demand) > fmax(5, 3 * scatter);
		if (!again)
			mem->seen = jumped ? 0 : min_of(mem->seen + 1, SETTLED);
		mem->seen_demand = work->raw[task];
		work->unsure[task] = few && mem->seen < SETTLED ? scatter * pow(0.84, mem->seen) : 0;
		any |= work->unsure[task] > 0;
	}
	return any && place_alike(work);
}

/* The numbers are those that the trigger goes by, and the only ones that are shown: demands that are alike
 * count as equal in all of them. Only what a plan won is checked by the demands as they were given. */
void minmove_look(struct minmove *mini, struct look *look)
{
	struct place_work *work = &mini->work;
	const struct config *cfg = work->prob->cfg;
	double band = minmove_band(cfg, work->prob), stop = cfg->stop_at_pct * band / cfg->act_above_pct;
	look->q = place_q(work);
	bool again = seen_already(mini);
	mini->looked_ns = work->prob->now_ns;
	if ((look->alike = alike_find(mini, again)))
		place_reset(work);
	double now_f = place_f(work), good = squared(stop / 3), bound_q = place_bound_q(work);
	struct place_enough enough = {fmax(work->pcpus * good, bound_q * squared(1.02)), good / 10};
	look->sigma = place_sigma(work, place_q(work));
	look->core = place_sigma(work, place_q_core(work));
	found_update(mini, &enough, look->sigma > band, again);
	double found_f = fmin(place_f(work), now_f);
	look->found = fmin(place_sigma(work, place_q(work)), look->sigma);
	look->found_core = place_sigma(work, place_q_core(work));
	look->bound = mini->proven && !work->smt
			      ? look->found
			      : fmin(place_sigma(work, bound_q), look->found); /* rounding */
	place_plain(work);
	place_reset(work);
	look->limit = fmax(band, 1.15 * look->found);
	look->cores = work->smt && look->core > cfg->core_band_pct && look->core > 1.15 * look->found_core;
	look->above = look->sigma > look->limit || look->cores;
	look->goal_f = work->pcpus * squared(goal_sigma(stop, place_sigma(work, found_f)));
}
