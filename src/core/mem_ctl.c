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

void mem_levels_fill(struct mem_levels *l, const struct config *cfg, int64_t host_kib)
{
	int64_t r = reserve_of(cfg, host_kib);
	l->reserve = r;
	l->crisis = max_of(r / 4, MEM_HOST_LEAST);
	l->hard_in = min_of(max_of(r / 2, MEM_HOST_LEAST), r);
	l->hard_out = min_of(max_of(r / 4 * 3, l->hard_in + MEM_HOST_LEAST / 8), r);
	l->soft_in = 2 * r;
	l->soft_out = kib_pct(r, 240);
}

struct mem_ctl *mem_ctl_new(const struct config *cfg, struct err *e)
{
	struct mem_ctl *c = calloc(1, sizeof *c);
	(void)cfg;
	if (!c) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	c->guards = MEM_GUARD_ALL;
	return c;
}

void mem_ctl_free(struct mem_ctl *c)
{
	if (!c)
		return;
	free(c->memo);
	free(c->guest);
	free(c->list);
	free(c->few);
	free(c);
}

void mem_ctl_guards(struct mem_ctl *c, unsigned guards)
{
	c->guards = guards;
}

static int ctl_room(struct mem_ctl *c, size_t n, struct err *e)
{
	if (array_grow(&c->memo, &c->cap_memo, n, sizeof *c->memo) &&
		array_grow(&c->guest, &c->cap_guest, n, sizeof *c->guest) &&
		array_grow(&c->list, &c->cap_list, n, sizeof(struct mem_guest *)) &&
		array_grow(&c->few, &c->cap_few, n, sizeof(struct mem_guest *)))
		return 0;
	return err_set(e, ERR_NOMEM, "out of memory for %zu guest%s", n, text_s(n));
}

/* --- the cycle's beginning: guests and host as they are --- */

static void guests_fill(struct mem_ctl *c)
{
	static const struct vm_rate no_rate;
	const struct round *r = c->r;
	c->n = r->sample->n_vms;
	for (size_t i = 0, k = 0; i < c->n; i++) {
		struct mem_guest *g = &c->guest[i];
		memset(g, 0, sizeof *g);
		g->vm = &r->sample->vms[i];
		g->rate = i < r->model->n_vms ? &r->model->vms[i] : &no_rate;
		g->rule = i < r->rules->n_vms ? &r->rules->vms[i] : NULL;
		g->to_kib = -1;
		while (k < c->n_memo && uuid_compare(c->memo[k].uuid, g->vm->uuid) < 0)
			k++;
		bool known = k < c->n_memo && uuid_compare(c->memo[k].uuid, g->vm->uuid) == 0;
		if (known)
			g->m = c->memo[k];
		mem_guest_observe(c, g, known);
	}
}

/* What guests had when they were found is theirs: the host swapped for it then, and may again. Whoever lets
 * idle memory be taken always wants the host to have its least. */
static int64_t spill(const struct mem_ctl *c)
{
	const struct vi64 swap = c->r->sample->host.swap_free_kib;
	bool may = vi64_has(swap) && c->r->cfg->reclaim == RECLAIM_PRESSURE;
	return may ? max_of(swap.v - c->levels.hard_out, 0) : 0;
}

/* With what all were found with the host has its least left. */
static bool holds_all(const struct mem_ctl *c)
{
	int64_t left = c->free_kib - MEM_HOST_LEAST;
	for (size_t i = 0; i < c->n; i++)
		left += c->guest[i].promised - mem_found(&c->guest[i]);
	return left >= 0;
}

static void host_fill(struct mem_ctl *c)
{
	const struct host_sample *h = &c->r->sample->host;
	int64_t flight = 0;
	c->coming_kib = c->granted_kib = 0;
	for (size_t i = 0; i < c->n; i++) {
		const struct mem_guest *g = &c->guest[i];
		flight += mem_guest_in_flight(g);
		if (g->moving)
			c->coming_kib += max_of(g->balloon - g->m.asked_kib, 0);
	}
	c->host_known = vi64_has(h->total_kib) && vi64_has(h->available_kib) && h->total_kib.v > 0;
	mem_levels_fill(&c->levels, c->r->cfg, c->host_known ? h->total_kib.v : 0);
	c->free_kib = c->host_known ? h->available_kib.v : 0;
	if (mem_guarded(c, MEM_GUARD_FLIGHT))
		c->free_kib -= flight;
	c->pool_kib = max_of(c->free_kib - c->levels.reserve, 0);
	c->own_kib = max_of(c->free_kib - MEM_HOST_LEAST, 0);
	c->spill_kib = spill(c);
	c->fits = holds_all(c);
	c->owed_kib = c->r->cfg->reclaim == RECLAIM_PRESSURE ? vi64_or(h->swap_used_kib, 0) : 0;
	mem_scopes_fill(c);
	if (!mem_guarded(c, MEM_GUARD_HOST))
		c->pool_kib = c->host_known ? h->total_kib.v : 0;
}

static enum host_mem_state host_state(const struct mem_ctl *c)
{
	const struct host_sample *h = &c->r->sample->host;
	const struct mem_levels *l = &c->levels;
	if (!c->host_known)
		return c->state;
	bool was_hard = c->state == HOST_MEM_HARD, was_soft = c->state != HOST_MEM_OK;
	if (c->free_kib < (was_hard ? l->hard_out : l->hard_in))
		return HOST_MEM_HARD;
	if (vf64_has(h->psi_full_avg10) && h->psi_full_avg10.v >= c->r->cfg->mem_psi_hard_pct)
		return HOST_MEM_HARD;
	if (c->free_kib < (was_soft ? l->soft_out : l->soft_in))
		return HOST_MEM_SOFT;
	if (vf64_has(h->psi_some_avg10) && h->psi_some_avg10.v >= c->r->cfg->mem_psi_soft_pct)
		return HOST_MEM_SOFT;
	return HOST_MEM_OK;
}

/* What the host has, and what it can still swap out: pages that guests do not use, for as long as there are
 * any, which hurts nobody. Not known: no swap. */
static bool host_runs_out(const struct mem_ctl *c)
{
	const struct vi64 swap = c->r->sample->host.swap_free_kib;
	int64_t have = c->free_kib + vi64_or(swap, 0);
	return have < (c->crisis == CRISIS_DIRE ? c->levels.hard_out : c->levels.crisis);
}

/* HARD alone is how many a host stands for weeks; this is one that is about to swap. */
static enum mem_crisis host_crisis(const struct mem_ctl *c)
{
	const struct vf64 full = c->r->sample->host.psi_full_avg10;
	if (!c->host_known)
		return CRISIS_NONE;
	if (c->r->cfg->reclaim == RECLAIM_PROACTIVE && c->next_state == HOST_MEM_HARD)
		return CRISIS_DIRE;
	if (host_runs_out(c))
		return CRISIS_DIRE;
	return vf64_has(full) && full.v >= c->r->cfg->mem_psi_hard_pct ? CRISIS_SLOW : CRISIS_NONE;
}

static bool guest_order(struct mem_ctl *c, struct mem_guest *g, struct plan *plan)
{
	if (!mem_would_act(c, g))
		return true;
	int64_t to = mem_target(c, g);
	struct action *a = plan_add(plan, ACTION_BALLOON);
	if (!a)
		return false;
	memcpy(a->uuid, g->vm->uuid, sizeof a->uuid);
	a->vm = (size_t)(g - c->guest);
	a->from_kib = g->target;
	a->to_kib = to;
	a->why = g->why;
	int64_t cost = max_of(to - g->promised, 0);
	c->pool_kib = max_of(c->pool_kib - cost, 0);
	c->own_kib -= cost;
	mem_scope_spend(c, g, cost);
	g->called = true;
	return true;
}

/* Shrinks first: should the round be cut short, the host has gained. */
static int orders_issue(struct mem_ctl *c, struct plan *plan, struct err *e)
{
	for (int grow = 0; grow < 2; grow++)
		for (size_t i = 0; i < c->n; i++) {
			struct mem_guest *g = &c->guest[i];
			if ((g->to_kib > g->target) != grow)
				continue;
			if (!guest_order(c, g, plan))
				return err_set(e, ERR_NOMEM, "out of memory for the plan");
		}
	return 0;
}

/* A target that the balloon does not follow is taken back, so that nobody waits for it and nothing stays
 * promised. */
static void let_go_of_stuck(struct mem_ctl *c, struct mem_guest *g)
{
	double still = (double)(c->r->sample->time_ns - max_of(g->m.moved_ns, g->m.asked_ns)) / 1e9;
	char to[16], at[16];
	double limit = fmax(2 * c->cycle_s - 0.5, STUCK_S);
	if (!mem_guarded(c, MEM_GUARD_PROGRESS) || !g->eligible || !g->moving ||
		(g->grow_only && g->m.asked_why == REASON_USER) || still < limit)
		return;
	text_kib(to, sizeof to, g->m.asked_kib);
	text_kib(at, sizeof at, g->balloon);
	g->let_go = true;
	g->to_kib = g->balloon;
	why_set(&g->why, REASON_STOP_TARGET, "asked %s, still at %s after %.0f s: target set to what it has",
		to, at, still);
}

/* --- the cycle --- */

static void crisis_note(struct mem_ctl *c)
{
	int64_t now = c->r->sample->time_ns;
	if (c->next_crisis && !c->crisis) {
		bool again = c->crisis_ns && (double)(now - c->crisis_ns) / 1e9 < CRISIS_AGAIN_S;
		double rest = c->r->cfg->mem_hold_s;
		c->rest_s = again ? fmin(4 * fmax(c->rest_s, rest), CALM_MOST_S) : rest;
		c->crisis_ns = now;
	}
	c->crisis = c->next_crisis;
}

static void commit(struct mem_ctl *c, const struct mem_verdict *v, bool acts)
{
	for (size_t i = 0; i < c->n; i++)
		c->memo[i] = c->guest[i].m;
	c->n_memo = c->n;
	c->state = c->next_state;
	crisis_note(c);
	if (c->state == HOST_MEM_HARD)
		c->calm_ns = 0;
	else if (!c->calm_ns)
		c->calm_ns = c->r->sample->time_ns;
	if (acts || !c->r->early)
		c->last_why = v->why.code;
}

/* It may run dry and be given more, or has what the host may want back. */
static bool worth_watching(const struct mem_guest *g)
{
	return g->eligible && (g->promised < g->max || g->promised > mem_found(g));
}

int mem_ctl_plan(struct mem_ctl *c, const struct round *r, struct plan *plan, struct mem_status *status,
	struct mem_verdict *v, struct err *e)
{
	size_t first = plan->n;
	if (ctl_room(c, r->sample->n_vms, e) < 0)
		return -1;
	if (!c->born_ns)
		c->born_ns = r->sample->time_ns;
	c->r = r;
	c->cycle_s = mem_cycle_s(r->cfg);
	c->unused_only = mem_policy(r->cfg)->unused_only;
	guests_fill(c);
	host_fill(c);
	c->next_state = host_state(c);
	c->next_crisis = host_crisis(c);
	if (c->host_known)
		mem_policy(r->cfg)->decide(c);
	for (size_t i = 0; i < c->n && !r->early; i++)
		let_go_of_stuck(c, &c->guest[i]);
	if (r->mode != ROUND_WATCH && orders_issue(c, plan, e) < 0) {
		plan->n = first;
		return -1;
	}
	mem_tell_round(c, plan, first, v);
	for (size_t i = 0; i < c->n; i++)
		mem_tell_guest(c, &c->guest[i], &status[i]);
	c->watchful = false;
	for (size_t i = 0; i < c->n && mem_policy(r->cfg)->between; i++)
		c->watchful |= worth_watching(&c->guest[i]);
	if (r->mode == ROUND_AUTO || r->mode == ROUND_FORCED)
		commit(c, v, plan->n > first);
	c->r = NULL;
	return 0;
}

bool mem_ctl_watchful(const struct mem_ctl *c)
{
	return c->watchful;
}

static struct mem_memo *memo_find(struct mem_ctl *c, const uint8_t uuid[UUID_BYTES])
{
	return UUID_FIND(uuid, c->memo, c->n_memo, struct mem_memo);
}

static void memo_asked(struct mem_memo *m, const struct action *a, int64_t now_ns)
{
	int64_t add = a->to_kib - max_of(a->from_kib, m->balloon_kib);
	int64_t back = max_of(a->from_kib, m->balloon_kib) - max_of(a->to_kib, m->balloon_kib);
	balloon_watch_asked(&m->watch, m->balloon_kib, a->to_kib, now_ns, a->outcome == OUTCOME_UNKNOWN);
	m->asked_from_kib = m->balloon_kib;
	m->asked_kib = a->to_kib;
	m->asked_ns = now_ns;
	m->given_up = false;
	m->asked_why = a->why.code;
	m->moved_kib = m->balloon_kib;
	m->moved_ns = now_ns;
	m->acted_update_ns = m->update_ns;
	m->unseen_kib = max_of(m->unseen_kib - max_of(back, 0), 0); /* promised, never taken */
	if (add > 0) {
		m->grew_ns = now_ns;
		m->unseen_kib += add;
		m->grant_ns = now_ns;
	} else if (a->why.code == REASON_SHARES) { /* decided by whom it belongs to: no mistake to undo */
		m->before_shrink_kib = 0;
		m->found_kib = a->to_kib;
	} else if (a->to_kib < m->balloon_kib) {
		m->before_shrink_kib = max_of(m->before_shrink_kib, m->balloon_kib);
	}
}

/* What it had may be old by the time it is set: the balloon goes on for a moment, and comes back. That is our
 * doing too, but nobody waits for it. */
static void memo_let_go(struct mem_memo *m, const struct action *a, int64_t now_ns)
{
	double again = m->strikes < 2 ? 60 : 600;
	m->unseen_kib = max_of(m->unseen_kib - max_of(m->asked_kib - m->balloon_kib, 0), 0);
	balloon_watch_asked(&m->watch, m->balloon_kib, a->to_kib, now_ns, a->outcome == OUTCOME_UNKNOWN);
	m->asked_kib = a->to_kib;
	m->asked_ns = now_ns;
	m->given_up = true;
	m->strikes++;
	m->no_donor_until_ns = now_ns + (int64_t)60 * 1000000000;
	if (m->strikes >= 2)
		m->uncooperative_until_ns = now_ns + (int64_t)(again * 1e9);
}

void mem_ctl_applied(struct mem_ctl *c, const struct round *r, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		const struct action *a = &plan->actions[i];
		struct mem_memo *m = a->kind == ACTION_BALLOON ? memo_find(c, a->uuid) : NULL;
		if (!m || a->vm >= r->sample->n_vms ||
			(a->outcome != OUTCOME_DONE && a->outcome != OUTCOME_UNKNOWN))
			continue;
		if (a->why.code == REASON_STOP_TARGET)
			memo_let_go(m, a, r->sample->time_ns);
		else
			memo_asked(m, a, r->sample->time_ns);
	}
}
