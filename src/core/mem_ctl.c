/* SPDX-License-Identifier: MIT */
/* The memory controller: a cycle from sample, model and rules to balloon targets, through one of two
 * policies. Invariants: a policy only wishes; every target passes the guards here, is paid from memory that
 * the host has been seen to have, and is ordered once. A cycle works on copies, so that ROUND_WATCH and
 * ROUND_PREVIEW leave no trace; what was really ordered is learned in mem_ctl_applied(). Knows no clock and
 * no hypervisor. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mem_priv.h"
#include "vmtop/array.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

/* A balloon's size is told once a second, and a guest on a busy host may pause for as long. */
static const double STUCK_S = 4;
enum { GIB = 1024 * MIB };

const struct mem_policy_ops *mem_policy(const struct config *cfg)
{
#define POLICY_OPS(id, name, ops, help) [id] = &(ops),
	static const struct mem_policy_ops *const policies[] = {MEM_POLICY_TABLE(POLICY_OPS)};
#undef POLICY_OPS
	return policies[(unsigned)cfg->mem_policy < MEM_POLICY_COUNT ? cfg->mem_policy : 0];
}

double mem_cycle_s(const struct config *cfg)
{
	if (cfg->memory_cycle_s > 0)
		return max_of(cfg->memory_cycle_s, 0.2);
	return mem_policy(cfg)->cycle_s;
}

/* 5 % of the host, but not of a large one: 5 % of 1 TiB would be 51 GiB of idle memory. */
static int64_t reserve_of(const struct config *cfg, int64_t host)
{
	if (cfg->host_reserve_kib > 0)
		return max_of(cfg->host_reserve_kib, MEM_HOST_LEAST);
	if (mem_policy(cfg)->least_reserve)
		return MEM_HOST_LEAST;
	int64_t r = max_of(kib_pct(host, 5), min_of(GIB, kib_pct(host, 12.5)));
	return max_of(min_of(r, 16 * (int64_t)GIB), MEM_HOST_LEAST + MEM_HOST_LEAST / 4);
}

void mem_levels_fill(struct mem_levels *levels, const struct config *cfg, int64_t host_kib)
{
	int64_t r = reserve_of(cfg, host_kib);
	levels->reserve = r;
	levels->crisis = max_of(r / 4, MEM_HOST_LEAST);
	levels->hard_in = min_of(max_of(r / 2, MEM_HOST_LEAST), r);
	levels->hard_out = min_of(max_of(r / 4 * 3, levels->hard_in + MEM_HOST_LEAST / 8), r);
	levels->soft_in = 2 * r;
	levels->soft_out = kib_pct(r, 240);
}

struct mem_ctl *mem_ctl_new(const struct config *cfg, struct err *err)
{
	struct mem_ctl *ctl = calloc(1, sizeof *ctl);
	(void)cfg;
	if (!ctl) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	ctl->guards = MEM_GUARD_ALL;
	return ctl;
}

void mem_ctl_free(struct mem_ctl *ctl)
{
	if (!ctl)
		return;
	free(ctl->memo);
	free(ctl->guest);
	free(ctl->list);
	free(ctl->few);
	free(ctl);
}

void mem_ctl_guards(struct mem_ctl *ctl, unsigned guards)
{
	ctl->guards = guards;
}

static int ctl_room(struct mem_ctl *ctl, size_t n, struct err *err)
{
	if (array_grow(&ctl->memo, &ctl->cap_memo, n, sizeof *ctl->memo) &&
		array_grow(&ctl->guest, &ctl->cap_guest, n, sizeof *ctl->guest) &&
		array_grow(&ctl->list, &ctl->cap_list, n, sizeof(struct mem_guest *)) &&
		array_grow(&ctl->few, &ctl->cap_few, n, sizeof(struct mem_guest *)))
		return 0;
	return err_set(err, ERR_NOMEM, "out of memory for %zu guest%s", n, text_s(n));
}

/* --- the cycle's beginning: guests and host as they are --- */

static void guests_fill(struct mem_ctl *ctl)
{
	static const struct vm_rate no_rate;
	const struct round *round = ctl->r;
	ctl->n = round->sample->n_vms;
	for (size_t i = 0, k = 0; i < ctl->n; i++) {
		struct mem_guest *guest = &ctl->guest[i];
		memset(guest, 0, sizeof *guest);
		guest->vm = &round->sample->vms[i];
		guest->rate = i < round->model->n_vms ? &round->model->vms[i] : &no_rate;
		guest->rule = i < round->rules->n_vms ? &round->rules->vms[i] : NULL;
		guest->to_kib = -1;
		while (k < ctl->n_memo && uuid_compare(ctl->memo[k].uuid, guest->vm->uuid) < 0)
			k++;
		bool known = k < ctl->n_memo && uuid_compare(ctl->memo[k].uuid, guest->vm->uuid) == 0;
		if (known)
			guest->m = ctl->memo[k];
		mem_guest_observe(ctl, guest, known);
	}
}

/* What guests had when they were found is theirs: the host swapped for it then, and may again. Whoever lets
 * idle memory be taken always wants the host to have its least. */
static int64_t spill(const struct mem_ctl *ctl)
{
	const struct vi64 swap = ctl->r->sample->host.swap_free_kib;
	bool may = vi64_has(swap) && ctl->r->cfg->reclaim == RECLAIM_PRESSURE;
	return may ? max_of(swap.v - ctl->levels.hard_out, 0) : 0;
}

/* With what all were found with the host has its least left. */
static bool holds_all(const struct mem_ctl *ctl)
{
	int64_t left = ctl->free_kib - MEM_HOST_LEAST;
	for (size_t i = 0; i < ctl->n; i++)
		left += ctl->guest[i].promised - mem_found(&ctl->guest[i]);
	return left >= 0;
}

static void host_fill(struct mem_ctl *ctl)
{
	const struct host_sample *host = &ctl->r->sample->host;
	int64_t flight = 0;
	ctl->coming_kib = ctl->granted_kib = 0;
	for (size_t i = 0; i < ctl->n; i++) {
		const struct mem_guest *guest = &ctl->guest[i];
		flight += mem_guest_in_flight(guest);
		if (guest->moving)
			ctl->coming_kib += max_of(guest->balloon - guest->m.asked_kib, 0);
	}
	ctl->host_known = vi64_has(host->total_kib) && vi64_has(host->available_kib) && host->total_kib.v > 0;
	mem_levels_fill(&ctl->levels, ctl->r->cfg, ctl->host_known ? host->total_kib.v : 0);
	ctl->free_kib = ctl->host_known ? host->available_kib.v : 0;
	if (mem_guarded(ctl, MEM_GUARD_FLIGHT))
		ctl->free_kib -= flight;
	ctl->pool_kib = max_of(ctl->free_kib - ctl->levels.reserve, 0);
	ctl->own_kib = max_of(ctl->free_kib - MEM_HOST_LEAST, 0);
	ctl->spill_kib = spill(ctl);
	ctl->fits = holds_all(ctl);
	ctl->owed_kib = ctl->r->cfg->reclaim == RECLAIM_PRESSURE ? vi64_or(host->swap_used_kib, 0) : 0;
	mem_scopes_fill(ctl);
	if (!mem_guarded(ctl, MEM_GUARD_HOST))
		ctl->pool_kib = ctl->host_known ? host->total_kib.v : 0;
}

static enum host_mem_state host_state(const struct mem_ctl *ctl)
{
	const struct host_sample *host = &ctl->r->sample->host;
	const struct mem_levels *levels = &ctl->levels;
	if (!ctl->host_known)
		return ctl->state;
	bool was_hard = ctl->state == HOST_MEM_HARD, was_soft = ctl->state != HOST_MEM_OK;
	if (ctl->free_kib < (was_hard ? levels->hard_out : levels->hard_in))
		return HOST_MEM_HARD;
	if (vf64_has(host->psi_full_avg10) && host->psi_full_avg10.v >= ctl->r->cfg->mem_psi_hard_pct)
		return HOST_MEM_HARD;
	if (ctl->free_kib < (was_soft ? levels->soft_out : levels->soft_in))
		return HOST_MEM_SOFT;
	if (vf64_has(host->psi_some_avg10) && host->psi_some_avg10.v >= ctl->r->cfg->mem_psi_soft_pct)
		return HOST_MEM_SOFT;
	return HOST_MEM_OK;
}

/* What the host has, and what it can still swap out: pages that guests do not use, for as long as there are
 * any, which hurts nobody. Not known: no swap. */
static bool host_runs_out(const struct mem_ctl *ctl)
{
	const struct vi64 swap = ctl->r->sample->host.swap_free_kib;
	int64_t have = ctl->free_kib + vi64_or(swap, 0);
	return have < (ctl->crisis == CRISIS_DIRE ? ctl->levels.hard_out : ctl->levels.crisis);
}

/* HARD alone is how many a host stands for weeks; this is one that is about to swap. */
static enum mem_crisis host_crisis(const struct mem_ctl *ctl)
{
	const struct vf64 full = ctl->r->sample->host.psi_full_avg10;
	if (!ctl->host_known)
		return CRISIS_NONE;
	if (ctl->r->cfg->reclaim == RECLAIM_PROACTIVE && ctl->next_state == HOST_MEM_HARD)
		return CRISIS_DIRE;
	if (host_runs_out(ctl))
		return CRISIS_DIRE;
	return vf64_has(full) && full.v >= ctl->r->cfg->mem_psi_hard_pct ? CRISIS_SLOW : CRISIS_NONE;
}

static bool guest_order(struct mem_ctl *ctl, struct mem_guest *guest, struct plan *plan)
{
	if (!mem_would_act(ctl, guest))
		return true;
	int64_t to = mem_target(ctl, guest);
	struct action *action = plan_add(plan, ACTION_BALLOON);
	if (!action)
		return false;
	memcpy(action->uuid, guest->vm->uuid, sizeof action->uuid);
	action->vm = (size_t)(guest - ctl->guest);
	action->from_kib = guest->target;
	action->to_kib = to;
	action->why = guest->why;
	int64_t cost = max_of(to - guest->promised, 0);
	ctl->pool_kib = max_of(ctl->pool_kib - cost, 0);
	ctl->own_kib -= cost;
	mem_scope_spend(ctl, guest, cost);
	guest->called = true;
	return true;
}

/* Shrinks first: should the round be cut short, the host has gained. */
static int orders_issue(struct mem_ctl *ctl, struct plan *plan, struct err *err)
{
	for (int grow = 0; grow < 2; grow++)
		for (size_t i = 0; i < ctl->n; i++) {
			struct mem_guest *guest = &ctl->guest[i];
			if ((guest->to_kib > guest->target) != grow)
				continue;
			if (!guest_order(ctl, guest, plan))
				return err_set(err, ERR_NOMEM, "out of memory for the plan");
		}
	return 0;
}

/* A target that the balloon does not follow is taken back, so that nobody waits for it and nothing stays
 * promised. */
static void let_go_of_stuck(struct mem_ctl *ctl, struct mem_guest *guest)
{
	double still = (double)(ctl->r->sample->time_ns - max_of(guest->m.moved_ns, guest->m.asked_ns)) / 1e9;
	char to[16], at[16];
	double limit = fmax(2 * ctl->cycle_s - 0.5, STUCK_S);
	if (!mem_guarded(ctl, MEM_GUARD_PROGRESS) || !guest->eligible || !guest->moving ||
		(guest->grow_only && guest->m.asked_why == REASON_USER) || still < limit)
		return;
	text_kib(to, sizeof to, guest->m.asked_kib);
	text_kib(at, sizeof at, guest->balloon);
	guest->let_go = true;
	guest->to_kib = guest->balloon;
	why_set(&guest->why, REASON_STOP_TARGET,
		"asked %s, still at %s after %.0f s: target set to what it has", to, at, still);
}

/* --- the cycle --- */

static void crisis_note(struct mem_ctl *ctl)
{
	int64_t now = ctl->r->sample->time_ns;
	if (ctl->next_crisis && !ctl->crisis) {
		bool again = ctl->crisis_ns && (double)(now - ctl->crisis_ns) / 1e9 < CRISIS_AGAIN_S;
		double rest = ctl->r->cfg->mem_hold_s;
		ctl->rest_s = again ? fmin(4 * fmax(ctl->rest_s, rest), CALM_MOST_S) : rest;
		ctl->crisis_ns = now;
	}
	ctl->crisis = ctl->next_crisis;
}

static void commit(struct mem_ctl *ctl, const struct mem_verdict *verdict, bool acts)
{
	for (size_t i = 0; i < ctl->n; i++)
		ctl->memo[i] = ctl->guest[i].m;
	ctl->n_memo = ctl->n;
	ctl->state = ctl->next_state;
	crisis_note(ctl);
	if (ctl->state == HOST_MEM_HARD)
		ctl->calm_ns = 0;
	else if (!ctl->calm_ns)
		ctl->calm_ns = ctl->r->sample->time_ns;
	if (acts || !ctl->r->early)
		ctl->last_why = verdict->why.code;
}

/* It may run dry and be given more, or has what the host may want back. */
static bool worth_watching(const struct mem_guest *guest)
{
	return guest->eligible && (guest->promised < guest->max || guest->promised > mem_found(guest));
}

int mem_ctl_plan(struct mem_ctl *ctl, const struct round *round, struct plan *plan, struct mem_status *status,
	struct mem_verdict *verdict, struct err *err)
{
	size_t first = plan->n;
	if (ctl_room(ctl, round->sample->n_vms, err) < 0)
		return -1;
	if (!ctl->born_ns)
		ctl->born_ns = round->sample->time_ns;
	ctl->r = round;
	ctl->cycle_s = mem_cycle_s(round->cfg);
	ctl->unused_only = mem_policy(round->cfg)->unused_only;
	guests_fill(ctl);
	host_fill(ctl);
	ctl->next_state = host_state(ctl);
	ctl->next_crisis = host_crisis(ctl);
	if (ctl->host_known)
		mem_policy(round->cfg)->decide(ctl);
	for (size_t i = 0; i < ctl->n && !round->early; i++)
		let_go_of_stuck(ctl, &ctl->guest[i]);
	if (round->mode != ROUND_WATCH && orders_issue(ctl, plan, err) < 0) {
		plan->n = first;
		return -1;
	}
	mem_tell_round(ctl, plan, first, verdict);
	for (size_t i = 0; i < ctl->n; i++)
		mem_tell_guest(ctl, &ctl->guest[i], &status[i]);
	ctl->watchful = false;
	for (size_t i = 0; i < ctl->n && mem_policy(round->cfg)->between; i++)
		ctl->watchful |= worth_watching(&ctl->guest[i]);
	if (round->mode == ROUND_AUTO || round->mode == ROUND_FORCED)
		commit(ctl, verdict, plan->n > first);
	ctl->r = NULL;
	return 0;
}

bool mem_ctl_watchful(const struct mem_ctl *ctl)
{
	return ctl->watchful;
}

static struct mem_memo *memo_find(struct mem_ctl *ctl, const uint8_t uuid[UUID_BYTES])
{
	return UUID_FIND(uuid, ctl->memo, ctl->n_memo, struct mem_memo);
}

static void memo_asked(struct mem_memo *memo, const struct action *action, int64_t now_ns)
{
	int64_t add = action->to_kib - max_of(action->from_kib, memo->balloon_kib);
	int64_t back =
		max_of(action->from_kib, memo->balloon_kib) - max_of(action->to_kib, memo->balloon_kib);
	balloon_watch_asked(
		&memo->watch, memo->balloon_kib, action->to_kib, now_ns, action->outcome == OUTCOME_UNKNOWN);
	memo->asked_from_kib = memo->balloon_kib;
	memo->asked_kib = action->to_kib;
	memo->asked_ns = now_ns;
	memo->given_up = false;
	memo->asked_why = action->why.code;
	memo->moved_kib = memo->balloon_kib;
	memo->moved_ns = now_ns;
	memo->acted_update_ns = memo->update_ns;
	memo->unseen_kib = max_of(memo->unseen_kib - max_of(back, 0), 0); /* promised, never taken */
	if (add > 0) {
		memo->grew_ns = now_ns;
		memo->unseen_kib += add;
		memo->grant_ns = now_ns;
	} else if (action->why.code ==
		   REASON_SHARES) { /* decided by whom it belongs to: no mistake to undo */
		memo->before_shrink_kib = 0;
		memo->found_kib = action->to_kib;
	} else if (action->to_kib < memo->balloon_kib) {
		memo->before_shrink_kib = max_of(memo->before_shrink_kib, memo->balloon_kib);
	}
}

/* What it had may be old by the time it is set: the balloon goes on for a moment, and comes back. That is our
 * doing too, but nobody waits for it. */
static void memo_let_go(struct mem_memo *memo, const struct action *action, int64_t now_ns)
{
	double again = memo->strikes < 2 ? 60 : 600;
	memo->unseen_kib = max_of(memo->unseen_kib - max_of(memo->asked_kib - memo->balloon_kib, 0), 0);
	balloon_watch_asked(
		&memo->watch, memo->balloon_kib, action->to_kib, now_ns, action->outcome == OUTCOME_UNKNOWN);
	memo->asked_kib = action->to_kib;
	memo->asked_ns = now_ns;
	memo->given_up = true;
	memo->strikes++;
	memo->no_donor_until_ns = now_ns + (int64_t)60 * 1000000000;
	if (memo->strikes >= 2)
		memo->uncooperative_until_ns = now_ns + (int64_t)(again * 1e9);
}

void mem_ctl_applied(struct mem_ctl *ctl, const struct round *round, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		const struct action *action = &plan->actions[i];
		struct mem_memo *memo = action->kind == ACTION_BALLOON ? memo_find(ctl, action->uuid) : NULL;
		if (!memo || action->vm >= round->sample->n_vms ||
			(action->outcome != OUTCOME_DONE && action->outcome != OUTCOME_UNKNOWN))
			continue;
		if (action->why.code == REASON_STOP_TARGET)
			memo_let_go(memo, action, round->sample->time_ns);
		else
			memo_asked(memo, action, round->sample->time_ns);
	}
}
