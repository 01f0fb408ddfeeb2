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

struct cpu_ctl *cpu_ctl_new(const struct config *cfg, struct err *err)
{
	if ((size_t)cfg->cpu_policy >= sizeof policies / sizeof *policies) {
		err_set(err, ERR_USAGE, "no such CPU policy");
		return NULL;
	}
	struct cpu_ctl *ctl = calloc(1, sizeof *ctl);
	if (ctl) {
		ctl->ops = policies[cfg->cpu_policy];
		ctl->rounds.policy = ctl->ops->create(cfg);
		ctl->previews.policy = ctl->ops->create(cfg);
	}
	if (!ctl || !ctl->rounds.policy || !ctl->previews.policy) {
		cpu_ctl_free(ctl);
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	return ctl;
}

static void side_done(struct cpu_ctl *ctl, struct side *side)
{
	ctl->ops->destroy(side->policy);
	cpu_problem_done(&side->prob);
	free(side->action_of);
	free(side->done);
	free(side->last_move);
}

void cpu_ctl_free(struct cpu_ctl *ctl)
{
	if (!ctl)
		return;
	side_done(ctl, &ctl->rounds);
	side_done(ctl, &ctl->previews);
	free(ctl->was);
	free(ctl);
}

/* --- granularity -------------------------------------------------------------------------------------- */

enum granularity cpu_ctl_granularity(const struct cpu_ctl *ctl, const struct config *cfg)
{
	return ctl && !ctl->ops->any_unit ? GRAN_CPU : cfg->granularity;
}

/* --- moves to pins ------------------------------------------------------------------------------------ */

static bool side_room(struct side *side, size_t moves, size_t tasks)
{
	return array_grow(&side->action_of, &side->cap_action_of, moves, sizeof *side->action_of) &&
	       array_grow(&side->done, &side->cap_done, moves, sizeof *side->done) &&
	       array_grow(&side->last_move, &side->cap_last_move, tasks, sizeof *side->last_move);
}

/* Would the pin change where the vCPU may run? pCPUs that are offline do not count. Inside of the unit that
 * it is to go to, a narrower affinity is good enough; who gets more room gets all of it. */
static bool pin_changes(const struct cpu_problem *prob, const struct vcpu_sample *vcpu,
	const struct cpuset *to, enum place_aim aim)
{
	if (vcpu->affinity_avail != AVAIL_OK)
		return true;
	struct cpuset real = vcpu->affinity;
	cpuset_and(&real, &prob->online);
	if (cpuset_empty(&real) || !cpuset_subset(&real, to))
		return true;
	return aim != PLACE_UNIT && !cpuset_subset(to, &real);
}

/* Where it was, as long as that holds a pCPU on which it may be. */
static void target_back(
	const struct cpu_ctl *ctl, const struct cpu_problem *prob, size_t t, struct cpuset *to)
{
	const struct place_task *task = &prob->tasks[t];
	const struct was *was = task->slot < ctl->cap_was ? &ctl->was[task->slot] : NULL;
	cpuset_clear(to);
	if (was && was->known && was->birth == task->birth &&
		cpuset_intersects(&was->cpus, &prob->sets[prob->origins[t].set].cpus))
		*to = was->cpus;
}

/* Appends the pin of a task to where the move says. 1: done, 0: it would change nothing or is not allowed,
 * -1: no memory. */
static int pin_add(const struct cpu_ctl *ctl, const struct cpu_problem *prob, const struct round *round,
	const struct place_move *move, struct plan *plan)
{
	const struct task_origin *origin = &prob->origins[move->task];
	const struct vcpu_sample *vcpu = &round->sample->vcpus[origin->vcpu];
	struct cpuset to;
	if (move->to < 0 || (size_t)move->to >= prob->place.n_units ||
		prob->tasks[move->task].fixed != REASON_NONE)
		return 0;
	if (move->aim == PLACE_BACK)
		target_back(ctl, prob, move->task, &to);
	else
		cpu_problem_target(prob, move, &to);
	if (cpuset_empty(&to) || !pin_changes(prob, vcpu, &to, move->aim))
		return 0;
	struct action *action = plan_add(plan, ACTION_PIN);
	if (!action)
		return -1;
	memcpy(action->uuid, round->sample->vms[origin->vm].uuid, UUID_BYTES);
	action->vm = origin->vm;
	action->vcpu = vcpu->id;
	action->from = vcpu->affinity;
	action->to = to;
	action->from_pinned = vcpu->pinned;
	action->why = move->why;
	return 1;
}

/* A policy may move a task on after it has moved it: its last move is the one that becomes a pin. */
static int moves_to_pins(
	const struct cpu_ctl *ctl, struct side *side, const struct round *round, struct plan *plan)
{
	size_t n = side->res.n_moves, tasks = side->prob.place.n_tasks;
	if (!side_room(side, n, tasks))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (side->res.moves[i].task < tasks)
			side->last_move[side->res.moves[i].task] = i;
	for (size_t i = 0; i < n; i++) {
		const struct place_move *move = &side->res.moves[i];
		side->action_of[i] = plan->n;
		bool counts = move->task < tasks && side->last_move[move->task] == i;
		int rc = counts ? pin_add(ctl, &side->prob, round, move, plan) : 0;
		if (rc < 0)
			return -1;
		if (!rc)
			side->action_of[i] = SIZE_MAX;
	}
	return 0;
}

/* --- leaving pCPUs that are gone ---------------------------------------------------------------------- */

/* Of those who stay. */
static void sum_loads(struct cpu_problem *prob)
{
	for (size_t u = 0; u < prob->place.n_units; u++)
		prob->unit_load[u] = prob->units[u].background_pct;
	for (size_t i = 0; i < prob->place.n_tasks; i++)
		if (prob->tasks[i].unit >= 0 && !prob->origins[i].leaving)
			prob->unit_load[prob->tasks[i].unit] += prob->tasks[i].demand_pct;
}

static int least_loaded(const struct cpu_problem *prob, const struct allowed_set *set)
{
	int best = -1;
	CPUSET_EACH(u, &set->units)
	{
		if (best < 0 || prob->unit_load[u] * prob->units[best].capacity <
					prob->unit_load[best] * prob->units[u].capacity)
			best = u;
	}
	return best;
}

/* The policy takes a task that leaves as given. */
static void task_leaves(struct cpu_problem *prob, size_t t, int to)
{
	struct place_task *task = &prob->tasks[t];
	prob->unit_load[to] += task->demand_pct;
	task->unit = to;
	task->pinned = true;
	task->fixed = REASON_LEAVE;
}

/* The one that wants most, of those that are still to leave. */
static size_t next_to_leave(const struct cpu_problem *prob)
{
	size_t best = prob->place.n_tasks;
	for (size_t i = 0; i < prob->place.n_tasks; i++)
		if (prob->origins[i].leaving && prob->tasks[i].fixed == REASON_NONE &&
			(best == prob->place.n_tasks ||
				prob->tasks[i].demand_pct > prob->tasks[best].demand_pct))
			best = i;
	return best;
}

static size_t most_moves(const struct config *cfg, size_t units)
{
	enum { FEW = 8 };
	return cfg->max_moves > 0 ? (size_t)cfg->max_moves : max_of(units / 4, FEW);
}

/* Those for whom there was no room in this round stay for now; no policy may do more. */
static void rest_stays(struct cpu_problem *prob)
{
	for (size_t i = next_to_leave(prob); i < prob->place.n_tasks; i = next_to_leave(prob))
		prob->tasks[i].fixed = REASON_LEAVE;
}

/* Moves vCPUs out that are pinned where they may not be any more: a pCPU that is offline, or one that a rule
 * forbids. Those have some place to be. */
static int leave_first(
	const struct cpu_ctl *ctl, struct side *side, const struct round *round, struct plan *plan, size_t *n)
{
	struct cpu_problem *prob = &side->prob;
	if (!prob->n_leaving)
		return 0;
	sum_loads(prob);
	for (size_t left = most_moves(round->cfg, prob->place.n_units); left > 0; left--) {
		size_t i = next_to_leave(prob);
		if (i == prob->place.n_tasks)
			return 0;
		int to = least_loaded(prob, &prob->sets[prob->origins[i].set]);
		struct place_move move = {.task = i, .to = to};
		move.aim = prob->place.relief && !prob->units[to].alone ? PLACE_ALLOWED : PLACE_UNIT;
		why_set(&move.why, REASON_LEAVE, "none of its pCPUs is online and allowed; to %s pCPU %d",
			move.aim == PLACE_UNIT ? "the least loaded," : "all that it may use, now",
			prob->units[to].cpu);
		int rc = pin_add(ctl, prob, round, &move, plan);
		if (rc < 0)
			return -1;
		*n += (size_t)rc;
		task_leaves(prob, i, to);
	}
	rest_stays(prob);
	return 0;
}

/* --- verdict ------------------------------------------------------------------------------------------ */

static bool is_hold(enum reason reason)
{
	return reason == REASON_HELD || reason == REASON_FOREIGN;
}

/* Why no policy was asked; REASON_NONE: there is something to ask about. */
static enum reason nothing_to_plan(const struct cpu_problem *prob, const struct round *round, struct why *why)
{
	size_t held = 0, blind = 0, fresh = 0, n = prob->place.n_tasks;
	if (round->model->window_s <= 0) {
		why_set(why, REASON_FIRST, NULL);
		return why->code;
	}
	for (size_t i = 0; i < n; i++) {
		held += is_hold(prob->tasks[i].fixed);
		blind += prob->tasks[i].fixed == REASON_NO_DATA;
		fresh += prob->tasks[i].fixed == REASON_FIRST;
	}
	if (!n)
		why_set(why, REASON_NO_VMS, NULL);
	else if (blind == n)
		why_set(why, REASON_NO_DATA, NULL);
	else if (fresh == n)
		why_set(why, REASON_FIRST, NULL);
	else if (!prob->place.n_units)
		why_set(why, REASON_NOTHING_ALLOWED, "no pCPU is left to place vCPUs on");
	else if (held == n)
		why_set(why, REASON_HELD, "all %zu vCPU%s %s held", n, text_s(n), n == 1 ? "is" : "are");
	else
		why->code = REASON_NONE;
	return why->code;
}

static struct vf64 known(double x)
{
	return vf64_if(x >= 0, x, AVAIL_UNSUPPORTED);
}

static bool says_act(enum reason reason)
{
	return reason == REASON_GREEDY || reason == REASON_ZIGZAG || reason == REASON_MOVE ||
	       reason == REASON_SWAP || reason == REASON_ASSIGN || reason == REASON_FREE ||
	       reason == REASON_TAKE_BACK;
}

static void verdict_from(
	const struct place_result *res, enum round_mode mode, size_t pins, struct cpu_verdict *verdict)
{
	verdict->stddev_pct = known(res->stddev_pct);
	verdict->limit_pct = known(res->limit_pct);
	verdict->found_pct = known(res->found_pct);
	verdict->bound_pct = known(res->bound_pct);
	verdict->why = res->why;
	if (pins)
		verdict->after_pct = known(res->after_pct);
	if (mode == ROUND_WATCH && says_act(res->why.code))
		why_set(&verdict->why, REASON_MANUAL, "%.240s; AUTO is off", res->why.text);
	else if (!pins && says_act(res->why.code))
		why_set(&verdict->why, REASON_NO_BETTER, "%.200s; no pin would change anything",
			res->why.text);
}

static void verdict_left(size_t left, struct cpu_verdict *verdict)
{
	char policy[200];
	snprintf(policy, sizeof policy, "%.199s", verdict->why.text);
	why_set(&verdict->why, REASON_LEAVE, "%zu vCPU%s moved off pCPUs not online or allowed any more%s%s",
		left, text_s(left), text_if(policy[0], "; "), policy);
}

/* --- rounds ------------------------------------------------------------------------------------------- */

static int ask_policy(struct cpu_ctl *ctl, struct side *side, const struct round *round, struct plan *plan,
	struct cpu_verdict *verdict)
{
	bool act = round->mode != ROUND_WATCH;
	size_t before = plan->n, left = 0;
	side->res = (struct place_result){.found_pct = -1, .bound_pct = -1};
	if (act && leave_first(ctl, side, round, plan, &left) < 0)
		return -1;
	if (round->mode == ROUND_PREVIEW && ctl->ops->mirror)
		ctl->ops->mirror(side->policy, ctl->rounds.policy);
	if (ctl->ops->plan(side->policy, &side->prob.place, act, &side->res) < 0 ||
		moves_to_pins(ctl, side, round, plan) < 0)
		return -1;
	verdict_from(&side->res, round->mode, plan->n - before - left, verdict);
	if (left)
		verdict_left(left, verdict);
	return 0;
}

/* How far between NUMA nodes the policy moves. */
static enum node_reach reach_of(const struct cpu_policy_ops *ops)
{
	if (ops->crosses)
		return NODES_CROSS;
	return ops->relieves ? NODES_RELIEF : NODES_STAY;
}

int cpu_ctl_plan(struct cpu_ctl *ctl, const struct round *round, struct plan *plan,
	struct cpu_verdict *verdict, struct err *err)
{
	bool preview = round->mode == ROUND_PREVIEW;
	struct side *side = preview ? &ctl->previews : &ctl->rounds;
	struct cpu_verdict out = {0};
	size_t before = plan->n;
	side->res.n_moves = 0;
	if (cpu_problem_build(&side->prob, round, cpu_ctl_granularity(ctl, round->cfg), reach_of(ctl->ops)) <
		0)
		return err_set(err, ERR_NOMEM, "out of memory");
	enum reason nothing = nothing_to_plan(&side->prob, round, &out.why);
	struct why why = out.why;
	/* Where all are held nothing moves, but the numbers are there. */
	bool ask = nothing == REASON_NONE || nothing == REASON_HELD;
	if (ask && ask_policy(ctl, side, round, plan, &out) < 0) {
		plan->n = before;
		side->res.n_moves = 0;
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	if (nothing != REASON_NONE)
		out.why = why;
	if (!preview) {
		out.new_line = out.why.code != ctl->last || round->mode == ROUND_FORCED;
		ctl->last = out.why.code;
	}
	*verdict = out;
	return 0;
}

static bool action_done(const struct side *side, const struct plan *plan, size_t move)
{
	size_t at = side->action_of[move];
	return at == SIZE_MAX /* it was there already */ || plan->actions[at].outcome == OUTCOME_DONE;
}

static void remember_was(struct cpu_ctl *ctl, const struct place_task *task, const struct action *action)
{
	struct was *was = &ctl->was[task->slot];
	*was = (struct was){.birth = task->birth, .known = true, .cpus = action->from};
}

static bool was_room(struct cpu_ctl *ctl, size_t n)
{
	size_t had = ctl->cap_was;
	if (!array_grow(&ctl->was, &ctl->cap_was, n, sizeof *ctl->was))
		return false;
	memset(ctl->was + had, 0, (ctl->cap_was - had) * sizeof *ctl->was);
	return true;
}

void cpu_ctl_applied(struct cpu_ctl *ctl, const struct round *round, const struct plan *plan)
{
	struct side *side = &ctl->rounds;
	(void)round;
	if (!ctl->ops->applied || !side->res.n_moves)
		return;
	bool room = was_room(ctl, side->prob.place.n_slots); /* without it nothing can be taken back */
	for (size_t i = 0; i < side->res.n_moves; i++) {
		side->done[i] = action_done(side, plan, i);
		if (side->done[i] && room && side->action_of[i] != SIZE_MAX &&
			side->res.moves[i].aim != PLACE_BACK)
			remember_was(ctl, &side->prob.tasks[side->res.moves[i].task],
				&plan->actions[side->action_of[i]]);
	}
	ctl->ops->applied(side->policy, &side->prob.place, side->done);
	side->res.n_moves = 0;
}
