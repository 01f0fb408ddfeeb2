/* SPDX-License-Identifier: MIT */
/* The CPU controller: states the placement problem, asks the policy, turns its moves into pins and says why.
 * Invariants: a pin lies inside the allowed set and on usable pCPUs, changes something, and names a vCPU that
 * may be steered; a preview and a round that only watches leave no trace that a later round could see, but
 * for the deviations that were seen. Must not know: how a policy decides, libvirt, names of VMs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu_problem.h"
#include "vmtop/array.h"
#include "vmtop/config.h"
#include "vmtop/err.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

static const struct cpu_policy_ops *const policies[] = {
#define POLICY_OPS(id, name, ops, help) [id] = &(ops),
	CPU_POLICY_TABLE(POLICY_OPS)
#undef POLICY_OPS
};

/* A policy object with the problem it was given last. Previews have one of their own: they are planned
 * between a round and the news of what became of it. */
struct side {
	void *policy;
	struct cpu_problem prob;
	struct place_result res;
	size_t *action_of; /* by move: index of its action in the plan; SIZE_MAX: it changed nothing */
	bool *done;        /* by move */
	size_t *last_move; /* by task, of those that move */
	size_t cap_action_of, cap_done, cap_last_move;
};

/* Where a vCPU was before our last pin, by slot. */
struct was {
	uint32_t birth;
	bool known;
	struct cpuset cpus;
};

struct cpu_ctl {
	struct was *was;
	size_t cap_was;
	const struct cpu_policy_ops *ops;
	struct side rounds, previews;
	enum reason last;
};

struct cpu_ctl *cpu_ctl_new(const struct config *cfg, struct err *e)
{
	if ((size_t)cfg->cpu_policy >= sizeof policies / sizeof *policies) {
		err_set(e, ERR_USAGE, "no such CPU policy");
		return NULL;
	}
	struct cpu_ctl *c = calloc(1, sizeof *c);
	if (c) {
		c->ops = policies[cfg->cpu_policy];
		c->rounds.policy = c->ops->create(cfg);
		c->previews.policy = c->ops->create(cfg);
	}
	if (!c || !c->rounds.policy || !c->previews.policy) {
		cpu_ctl_free(c);
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	return c;
}

static void side_done(struct cpu_ctl *c, struct side *s)
{
	c->ops->destroy(s->policy);
	cpu_problem_done(&s->prob);
	free(s->action_of);
	free(s->done);
	free(s->last_move);
}

void cpu_ctl_free(struct cpu_ctl *c)
{
	if (!c)
		return;
	side_done(c, &c->rounds);
	side_done(c, &c->previews);
	free(c->was);
	free(c);
}

/* --- granularity -------------------------------------------------------------------------------------- */

enum granularity cpu_ctl_granularity(const struct cpu_ctl *c, const struct config *cfg)
{
	return c && !c->ops->any_unit ? GRAN_CPU : cfg->granularity;
}

/* --- moves to pins ------------------------------------------------------------------------------------ */

static bool side_room(struct side *s, size_t moves, size_t tasks)
{
	return array_grow(&s->action_of, &s->cap_action_of, moves, sizeof *s->action_of) &&
	       array_grow(&s->done, &s->cap_done, moves, sizeof *s->done) &&
	       array_grow(&s->last_move, &s->cap_last_move, tasks, sizeof *s->last_move);
}

/* Would the pin change where the vCPU may run? pCPUs that are offline do not count. Inside of the unit that
 * it is to go to, a narrower affinity is good enough; who gets more room gets all of it. */
static bool pin_changes(
	const struct cpu_problem *b, const struct vcpu_sample *v, const struct cpuset *to, enum place_aim aim)
{
	if (v->affinity_avail != AVAIL_OK)
		return true;
	struct cpuset real = v->affinity;
	cpuset_and(&real, &b->online);
	if (cpuset_empty(&real) || !cpuset_subset(&real, to))
		return true;
	return aim != PLACE_UNIT && !cpuset_subset(to, &real);
}

/* Where it was, as long as that holds a pCPU on which it may be. */
static void target_back(const struct cpu_ctl *c, const struct cpu_problem *b, size_t t, struct cpuset *to)
{
	const struct place_task *task = &b->tasks[t];
	const struct was *was = task->slot < c->cap_was ? &c->was[task->slot] : NULL;
	cpuset_clear(to);
	if (was && was->known && was->birth == task->birth &&
		cpuset_intersects(&was->cpus, &b->sets[b->origins[t].set].cpus))
		*to = was->cpus;
}

/* Appends the pin of a task to where the move says. 1: done, 0: it would change nothing or is not allowed,
 * -1: no memory. */
static int pin_add(const struct cpu_ctl *c, const struct cpu_problem *b, const struct round *r,
	const struct place_move *m, struct plan *plan)
{
	const struct task_origin *o = &b->origins[m->task];
	const struct vcpu_sample *v = &r->sample->vcpus[o->vcpu];
	struct cpuset to;
	if (m->to < 0 || (size_t)m->to >= b->p.n_units || b->tasks[m->task].fixed != REASON_NONE)
		return 0;
	if (m->aim == PLACE_BACK)
		target_back(c, b, m->task, &to);
	else
		cpu_problem_target(b, m, &to);
	if (cpuset_empty(&to) || !pin_changes(b, v, &to, m->aim))
		return 0;
	struct action *a = plan_add(plan, ACTION_PIN);
	if (!a)
		return -1;
	memcpy(a->uuid, r->sample->vms[o->vm].uuid, UUID_BYTES);
	a->vm = o->vm;
	a->vcpu = v->id;
	a->from = v->affinity;
	a->to = to;
	a->from_pinned = v->pinned;
	a->why = m->why;
	return 1;
}

/* A policy may move a task on after it has moved it: its last move is the one that becomes a pin. */
static int moves_to_pins(const struct cpu_ctl *c, struct side *s, const struct round *r, struct plan *plan)
{
	size_t n = s->res.n_moves, tasks = s->prob.p.n_tasks;
	if (!side_room(s, n, tasks))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (s->res.moves[i].task < tasks)
			s->last_move[s->res.moves[i].task] = i;
	for (size_t i = 0; i < n; i++) {
		const struct place_move *m = &s->res.moves[i];
		s->action_of[i] = plan->n;
		bool counts = m->task < tasks && s->last_move[m->task] == i;
		int rc = counts ? pin_add(c, &s->prob, r, m, plan) : 0;
		if (rc < 0)
			return -1;
		if (!rc)
			s->action_of[i] = SIZE_MAX;
	}
	return 0;
}

/* --- leaving pCPUs that are gone ---------------------------------------------------------------------- */

/* Of those who stay. */
static void sum_loads(struct cpu_problem *b)
{
	for (size_t u = 0; u < b->p.n_units; u++)
		b->unit_load[u] = b->units[u].background_pct;
	for (size_t i = 0; i < b->p.n_tasks; i++)
		if (b->tasks[i].unit >= 0 && !b->origins[i].leaving)
			b->unit_load[b->tasks[i].unit] += b->tasks[i].demand_pct;
}

static int least_loaded(const struct cpu_problem *b, const struct allowed_set *set)
{
	int best = -1;
	CPUSET_EACH(u, &set->units)
	{
		if (best < 0 ||
			b->unit_load[u] * b->units[best].capacity < b->unit_load[best] * b->units[u].capacity)
			best = u;
	}
	return best;
}

/* The policy takes a task that leaves as given. */
static void task_leaves(struct cpu_problem *b, size_t t, int to)
{
	struct place_task *task = &b->tasks[t];
	b->unit_load[to] += task->demand_pct;
	task->unit = to;
	task->pinned = true;
	task->fixed = REASON_LEAVE;
}

/* The one that wants most, of those that are still to leave. */
static size_t next_to_leave(const struct cpu_problem *b)
{
	size_t best = b->p.n_tasks;
	for (size_t i = 0; i < b->p.n_tasks; i++)
		if (b->origins[i].leaving && b->tasks[i].fixed == REASON_NONE &&
			(best == b->p.n_tasks || b->tasks[i].demand_pct > b->tasks[best].demand_pct))
			best = i;
	return best;
}

static size_t most_moves(const struct config *cfg, size_t units)
{
	enum { FEW = 8 };
	return cfg->max_moves > 0 ? (size_t)cfg->max_moves : max_of(units / 4, FEW);
}

/* Those for whom there was no room in this round stay for now; no policy may do more. */
static void rest_stays(struct cpu_problem *b)
{
	for (size_t i = next_to_leave(b); i < b->p.n_tasks; i = next_to_leave(b))
		b->tasks[i].fixed = REASON_LEAVE;
}

/* Moves vCPUs out that are pinned where they may not be any more: a pCPU that is offline, or one that a rule
 * forbids. Those have some place to be. */
static int leave_first(
	const struct cpu_ctl *c, struct side *s, const struct round *r, struct plan *plan, size_t *n)
{
	struct cpu_problem *b = &s->prob;
	if (!b->n_leaving)
		return 0;
	sum_loads(b);
	for (size_t left = most_moves(r->cfg, b->p.n_units); left > 0; left--) {
		size_t i = next_to_leave(b);
		if (i == b->p.n_tasks)
			return 0;
		int to = least_loaded(b, &b->sets[b->origins[i].set]);
		struct place_move m = {.task = i, .to = to};
		m.aim = b->p.relief && !b->units[to].alone ? PLACE_ALLOWED : PLACE_UNIT;
		why_set(&m.why, REASON_LEAVE, "none of its pCPUs is online and allowed; to %s pCPU %d",
			m.aim == PLACE_UNIT ? "the least loaded," : "all that it may use, now",
			b->units[to].cpu);
		int rc = pin_add(c, b, r, &m, plan);
		if (rc < 0)
			return -1;
		*n += (size_t)rc;
		task_leaves(b, i, to);
	}
	rest_stays(b);
	return 0;
}

/* --- verdict ------------------------------------------------------------------------------------------ */

static bool is_hold(enum reason r)
{
	return r == REASON_HELD || r == REASON_FOREIGN;
}

/* Why no policy was asked; REASON_NONE: there is something to ask about. */
static enum reason nothing_to_plan(const struct cpu_problem *b, const struct round *r, struct why *why)
{
	size_t held = 0, blind = 0, fresh = 0, n = b->p.n_tasks;
	if (r->model->window_s <= 0) {
		why_set(why, REASON_FIRST, NULL);
		return why->code;
	}
	for (size_t i = 0; i < n; i++) {
		held += is_hold(b->tasks[i].fixed);
		blind += b->tasks[i].fixed == REASON_NO_DATA;
		fresh += b->tasks[i].fixed == REASON_FIRST;
	}
	if (!n)
		why_set(why, REASON_NO_VMS, NULL);
	else if (blind == n)
		why_set(why, REASON_NO_DATA, NULL);
	else if (fresh == n)
		why_set(why, REASON_FIRST, NULL);
	else if (!b->p.n_units)
		why_set(why, REASON_NOTHING_ALLOWED, "no pCPU is left to place vCPUs on");
	else if (held == n)
		why_set(why, REASON_HELD, "all %zu vCPU%s %s held", n, text_s(n), n == 1 ? "is" : "are");
	else
		why->code = REASON_NONE;
	return why->code;
}

static struct vf64 known(double x)
{
	return x >= 0 ? vf64_ok(x) : vf64_absent(AVAIL_UNSUPPORTED);
}

static bool says_act(enum reason r)
{
	return r == REASON_GREEDY || r == REASON_ZIGZAG || r == REASON_MOVE || r == REASON_SWAP ||
	       r == REASON_ASSIGN || r == REASON_FREE || r == REASON_TAKE_BACK;
}

static void verdict_from(
	const struct place_result *res, enum round_mode mode, size_t pins, struct cpu_verdict *v)
{
	v->stddev_pct = known(res->stddev_pct);
	v->limit_pct = known(res->limit_pct);
	v->found_pct = known(res->found_pct);
	v->bound_pct = known(res->bound_pct);
	v->why = res->why;
	if (pins)
		v->after_pct = known(res->after_pct);
	if (mode == ROUND_WATCH && says_act(res->why.code))
		why_set(&v->why, REASON_MANUAL, "%.240s; AUTO is off", res->why.text);
	else if (!pins && says_act(res->why.code))
		why_set(&v->why, REASON_NO_BETTER, "%.200s; no pin would change anything", res->why.text);
}

static void verdict_left(size_t left, struct cpu_verdict *v)
{
	char policy[200];
	snprintf(policy, sizeof policy, "%.199s", v->why.text);
	why_set(&v->why, REASON_LEAVE, "%zu vCPU%s moved off pCPUs not online or allowed any more%s%s", left,
		text_s(left), policy[0] ? "; " : "", policy);
}

/* --- rounds ------------------------------------------------------------------------------------------- */

static int ask_policy(
	struct cpu_ctl *c, struct side *s, const struct round *r, struct plan *plan, struct cpu_verdict *v)
{
	bool act = r->mode != ROUND_WATCH;
	size_t before = plan->n, left = 0;
	s->res = (struct place_result){.found_pct = -1, .bound_pct = -1};
	if (act && leave_first(c, s, r, plan, &left) < 0)
		return -1;
	if (r->mode == ROUND_PREVIEW && c->ops->mirror)
		c->ops->mirror(s->policy, c->rounds.policy);
	if (c->ops->plan(s->policy, &s->prob.p, act, &s->res) < 0 || moves_to_pins(c, s, r, plan) < 0)
		return -1;
	verdict_from(&s->res, r->mode, plan->n - before - left, v);
	if (left)
		verdict_left(left, v);
	return 0;
}

/* How far between NUMA nodes the policy moves. */
static enum node_reach reach_of(const struct cpu_policy_ops *ops)
{
	if (ops->crosses)
		return NODES_CROSS;
	return ops->relieves ? NODES_RELIEF : NODES_STAY;
}

int cpu_ctl_plan(
	struct cpu_ctl *c, const struct round *r, struct plan *plan, struct cpu_verdict *v, struct err *e)
{
	bool preview = r->mode == ROUND_PREVIEW;
	struct side *s = preview ? &c->previews : &c->rounds;
	struct cpu_verdict out = {0};
	size_t before = plan->n;
	s->res.n_moves = 0;
	if (cpu_problem_build(&s->prob, r, cpu_ctl_granularity(c, r->cfg), reach_of(c->ops)) < 0)
		return err_set(e, ERR_NOMEM, "out of memory");
	enum reason nothing = nothing_to_plan(&s->prob, r, &out.why);
	struct why why = out.why;
	/* Where all are held nothing moves, but the numbers are there. */
	bool ask = nothing == REASON_NONE || nothing == REASON_HELD;
	if (ask && ask_policy(c, s, r, plan, &out) < 0) {
		plan->n = before;
		s->res.n_moves = 0;
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	if (nothing != REASON_NONE)
		out.why = why;
	if (!preview) {
		out.new_line = out.why.code != c->last || r->mode == ROUND_FORCED;
		c->last = out.why.code;
	}
	*v = out;
	return 0;
}

static bool action_done(const struct side *s, const struct plan *plan, size_t move)
{
	size_t at = s->action_of[move];
	return at == SIZE_MAX /* it was there already */ || plan->actions[at].outcome == OUTCOME_DONE;
}

static void remember_was(struct cpu_ctl *c, const struct place_task *t, const struct action *a)
{
	struct was *was = &c->was[t->slot];
	*was = (struct was){.birth = t->birth, .known = true, .cpus = a->from};
}

static bool was_room(struct cpu_ctl *c, size_t n)
{
	size_t had = c->cap_was;
	if (!array_grow(&c->was, &c->cap_was, n, sizeof *c->was))
		return false;
	memset(c->was + had, 0, (c->cap_was - had) * sizeof *c->was);
	return true;
}

void cpu_ctl_applied(struct cpu_ctl *c, const struct round *r, const struct plan *plan)
{
	struct side *s = &c->rounds;
	(void)r;
	if (!c->ops->applied || !s->res.n_moves)
		return;
	bool room = was_room(c, s->prob.p.n_slots); /* without it nothing can be taken back */
	for (size_t i = 0; i < s->res.n_moves; i++) {
		s->done[i] = action_done(s, plan, i);
		if (s->done[i] && room && s->action_of[i] != SIZE_MAX && s->res.moves[i].aim != PLACE_BACK)
			remember_was(
				c, &s->prob.tasks[s->res.moves[i].task], &plan->actions[s->action_of[i]]);
	}
	c->ops->applied(s->policy, &s->prob.p, s->done);
	s->res.n_moves = 0;
}
