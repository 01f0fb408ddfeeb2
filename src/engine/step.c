/* SPDX-License-Identifier: MIT */
/* One step: sample -> model -> plan -> apply. Invariant: data flows one way; what a step decided is in
 * en->plan with reasons and outcomes. Knows no libvirt and no screen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "priv.h"
#include "vmtop/array.h"
#include "vmtop/clock.h"
#include "vmtop/record.h"
#include "vmtop/text.h"

static const struct vm_memo *memo_of(void *arg, const struct vm_sample *vm)
{
	const struct engine *engine = arg;
	const struct vm_record *rec = ledger_find(&engine->changes.ledger, vm->uuid);
	return rec ? &rec->memo : NULL;
}

static const struct cpuset *found_of(void *arg, const struct vm_sample *vm, int vcpu)
{
	const struct engine *engine = arg;
	const struct vm_record *rec = ledger_find(&engine->changes.ledger, vm->uuid);
	const struct vcpu_record *v = rec ? record_vcpu(rec, vcpu) : NULL;
	return v ? &v->found : NULL;
}

static int build_rules(struct engine *engine)
{
	const struct rules_memo memo = {memo_of, found_of, engine};
	return rules_build(&engine->rules, &engine->cfg, &engine->sample, &memo);
}

/* An error is said once, until another one comes or it is over. */
static void say_error(struct engine *engine, const struct err *err)
{
	talk_notice(&engine->talk, "%.190s", err->msg);
	talk_once(&engine->talk, LOG_ERROR, err->msg);
}

/* A recorder that failed is closed, so that R can begin another recording. In batch mode its error is kept:
 * the output ends the run with it. */
static void drop_lost_recording(struct engine *engine)
{
	talk_notice(&engine->talk, "%.250s", engine->status.text);
	engine_uses(engine, backend_record_end(engine->backend));
}

static void refresh_status(struct engine *engine)
{
	char before[sizeof engine->status.text];
	memcpy(before, engine->status.text, sizeof before);
	engine->backend->ops->status(engine->backend, &engine->status);
	bool news = strcmp(before, engine->status.text) != 0 && *engine->status.text;
	if (news && engine->status.link == LINK_OK && engine->course->live)
		talk_event(&engine->talk, LOG_EVENT, "%s", engine->status.text);
	if (engine->status.recording_lost && !engine->cfg.batch)
		drop_lost_recording(engine);
	if (engine->status.readonly)
		auto_pause_all(engine, PAUSE_READONLY, "the connection is read-only now");
}

/* A guest that runs dry does not wait for the next cycle: it is looked for whenever guests have new figures.
 */
static bool early_look(const struct engine *engine, int64_t slack)
{
	int64_t period = engine->cfg.stats_period_s > 0 ? engine->cfg.stats_period_s : 2;
	return engine->pace.tick && !engine->pace.memory_due && engine->cfg.auto_memory &&
	       mem_ctl_watchful(engine->mem) &&
	       engine->pace.start_ns - engine->pace.last_guests_ns >= period * 1000000000 - slack;
}

/* Guest statistics cost more than all else, and guests fill them in every few seconds only: they are asked
 * for once a memory cycle, or when a round of it is to be made now, and between while a guest could run dry.
 * Else the backend shows those it has. */
static unsigned groups_now(struct engine *engine)
{
	int64_t slack = (int64_t)(engine->cfg.delay_s * 1e8);
	unsigned groups = engine->groups | (engine->cfg.auto_memory ? SAMPLE_BALLOON : 0);
	engine->pace.memory_due =
		engine->pace.tick && engine->pace.start_ns >= engine->pace.next_memory_ns - slack;
	engine->pace.memory_early = early_look(engine, slack);
	if (!engine->pace.memory_due && !engine->pace.memory_early && !engine->want_fresh &&
		engine->have_sample)
		groups &= ~(unsigned)SAMPLE_BALLOON;
	if (engine->want_fresh)
		groups |= SAMPLE_BALLOON;
	engine->want_fresh = false;
	/* What the host does besides its VMs is a load to be balanced too. */
	if (engine->cfg.auto_cpu || engine->wish.rebalance || engine->wish.preview)
		groups |= SAMPLE_PCPUS;
	if (engine->cfg.auto_cpu || engine->cfg.auto_memory || engine->wish.rebalance || engine->wish.memory)
		groups |= SAMPLE_STEER;
	groups |= engine->wish.memory ? SAMPLE_BALLOON : 0;
	if (groups & SAMPLE_BALLOON)
		engine->pace.last_guests_ns = engine->pace.start_ns;
	return groups | (engine->pace.tick ? SAMPLE_REGULAR : 0);
}

/* One memory cycle later; ticks that were missed are not made up for. */
static void memory_next(struct engine *engine)
{
	int64_t cycle = (int64_t)(mem_cycle_s(&engine->cfg) * 1e9),
		next = engine->pace.next_memory_ns + cycle;
	engine->pace.next_memory_ns = next > engine->pace.start_ns ? next : engine->pace.start_ns + cycle;
}

static int step_sample(struct engine *engine, struct err *err)
{
	engine->pace.start_ns = engine->backend->ops->now(engine->backend);
	engine->pace.due = false;
	int rc = engine->backend->ops->sample(engine->backend, groups_now(engine), &engine->incoming, err);
	refresh_status(engine);
	trouble_step(
		&engine->trouble, &engine->talk, &engine->status, engine->pace.start_ns, rc < 0 ? err : NULL);
	if (rc < 0)
		return -1;
	struct sample old = engine->sample;
	engine->sample = engine->incoming;
	engine->incoming = old;
	engine->talk.said_last[0] = '\0';
	engine->have_sample = true;
	talk_clock(&engine->talk, &engine->sample);
	if (engine->pace.memory_due)
		memory_next(engine);
	engine->pace.last_sample_ns = engine->backend->ops->now(engine->backend);
	return 0;
}

/* Who suffers, and why. */
static int judge_guests(struct engine *engine)
{
	const struct suffer_look look = {
		&engine->sample, engine->model.vcpus, engine->model.vms, engine->model.pcpus};
	engine->suffering = suffer_update(engine->suffer, &look, engine->model.n_vm_slots);
	engine->n_suffering = engine->suffering ? engine->sample.n_vms : 0;
	return engine->suffering ? 0 : -1;
}

static int step_model(struct engine *engine, struct err *err)
{
	bool first = engine->model.samples == 0;
	/* In virtual time a second look at the same moment tells nothing new. */
	bool again = !first && engine->sample.time_ns == engine->model.time_ns &&
		     engine->sample.n_vms == engine->model.n_vms &&
		     engine->sample.n_vcpus == engine->model.n_vcpus;
	if (!again && model_update(&engine->model, &engine->sample, err) < 0) {
		/* The model is as before, so the sample must be. */
		struct sample fresh = engine->sample;
		engine->sample = engine->incoming;
		engine->incoming = fresh;
		engine->have_sample = !first;
		say_error(engine, err);
		return -1;
	}
	if (!again && judge_guests(engine) < 0)
		return err_set(err, ERR_NOMEM, "out of memory");
	changes_watch(&engine->changes, first);
	if (!array_grow(&engine->mem_status, &engine->cap_mem_status, engine->sample.n_vms,
		    sizeof *engine->mem_status))
		return err_set(err, ERR_NOMEM, "out of memory");
	if (engine->sample.n_vms)
		memset(engine->mem_status, 0, engine->sample.n_vms * sizeof *engine->mem_status);
	if (build_rules(engine) < 0)
		return err_set(err, ERR_NOMEM, "out of memory");
	return 0;
}

int engine_look(struct engine *engine, struct err *err)
{
	return step_sample(engine, err) < 0 ? -1 : step_model(engine, err);
}

static struct round round_of(struct engine *engine, enum round_mode mode)
{
	return (struct round){.sample = &engine->sample,
		.model = &engine->model,
		.rules = &engine->rules,
		.cfg = &engine->cfg,
		.mode = mode};
}

static enum round_mode cpu_mode(struct engine *engine, bool previewed)
{
	if (engine->status.link != LINK_OK) /* what is seen may be old, and nothing could be done about it */
		return ROUND_WATCH;
	if (previewed || engine->course->shown) /* a policy's pins would meet those of the preview */
		return ROUND_WATCH;
	if (engine->wish.rebalance)
		return ROUND_FORCED;
	return engine->cfg.auto_cpu && engine->pace.tick ? ROUND_AUTO : ROUND_WATCH;
}

/* What is done with a vCPU by its pin. */
enum pin_kind { PIN_MOVES, PIN_STAYS, PIN_FREES, PIN_KINDS };

static enum pin_kind pin_kind(const struct engine *engine, const struct action *action)
{
	const struct vm_sample *vm = sample_vm_by_uuid(&engine->sample, action->uuid);
	const struct vcpu_sample *vcpu = vm ? sample_vcpu(&engine->sample, vm, action->vcpu) : NULL;
	if (vcpu && vi64_has(vcpu->pcpu) && !cpuset_has(&action->to, (int)vcpu->pcpu.v))
		return PIN_MOVES;
	return cpuset_count(&action->to) > cpuset_count(&action->from) ? PIN_FREES : PIN_STAYS;
}

/* "rebalanced: 2 vCPUs moved, 3 pinned where they run, deviation 108.9 -> 1.9 %", or why nothing is done. */
static void rebalance_text(const struct engine *engine, size_t first, size_t pins, char *buf, size_t len)
{
	static const char *const words[PIN_KINDS] = {
		"moved", "pinned where they run", "given more pCPUs for the kernel to choose from"};
	const struct cpu_verdict *verdict = &engine->cpu_verdict;
	size_t of[PIN_KINDS] = {0}, n = 0;
	bool known = vf64_has(verdict->stddev_pct) && vf64_has(verdict->limit_pct);
	for (size_t i = first; i < first + pins; i++)
		of[pin_kind(engine, &engine->plan.actions[i])]++;
	if (!pins && verdict->why.code == REASON_BALANCED && known &&
		verdict->stddev_pct.v <= verdict->limit_pct.v) {
		snprintf(buf, len, "no action: %.1f %% is within the limit of %.1f %%", verdict->stddev_pct.v,
			verdict->limit_pct.v);
		return;
	}
	n = (size_t)snprintf(
		buf, len, "%s%s", pins ? "rebalanced: " : "no action: ", pins ? "" : verdict->why.text);
	const char *sep = "";
	for (int k = 0; k < PIN_KINDS && n < len; k++)
		if (of[k]) {
			const char *noun = of[k] == 1 ? "vCPU " : "vCPUs ";
			n += (size_t)snprintf(buf + n, len - n, "%s%zu %s", sep, of[k], *sep ? "" : noun);
			n += (size_t)snprintf(buf + n, n < len ? len - n : 0, "%s", words[k]);
			sep = ", ";
		}
	if (pins && n < len && known && vf64_has(verdict->after_pct) &&
		verdict->after_pct.v < verdict->stddev_pct.v)
		snprintf(buf + n, len - n, ", deviation %.1f -> %.1f %%", verdict->stddev_pct.v,
			verdict->after_pct.v);
	else if (pins && n < len)
		snprintf(buf + n, len - n, "; %s", verdict->why.text);
}

/* A forced round before the second sample waits for it, and says so once. */
static void forced_cpu_done(struct engine *engine, size_t first, size_t pins)
{
	char text[sizeof engine->cpu_verdict.why.text + 160];
	if (engine->cpu_verdict.why.code == REASON_FIRST) {
		if (!engine->wish.said_waiting)
			talk_event(&engine->talk, LOG_ROUND, "rebalance: waiting for the second sample");
		engine->wish.said_waiting = true;
		return;
	}
	engine->wish.rebalance = engine->wish.said_waiting = false;
	rebalance_text(engine, first, pins, text, sizeof text);
	talk_event(&engine->talk, LOG_ROUND, "%s", text);
	talk_notice(&engine->talk, "%.280s", text);
}

/* The screen did not ask because few moves were planned when b was pressed; by now there may be more than it
 * may make unasked. */
static int hold_back(struct engine *engine, struct err *err)
{
	struct round round = round_of(engine, ROUND_PREVIEW);
	struct cpu_verdict verdict;
	memset(&verdict, 0, sizeof verdict);
	plan_reset(&engine->scratch);
	if (cpu_ctl_plan(engine->cpu, &round, &engine->scratch, &verdict, err) < 0)
		return -1;
	if (engine->scratch.n > engine->wish.rebalance_most) {
		engine->wish.rebalance = engine->wish.said_waiting = false;
		talk_notice(&engine->talk,
			"not rebalanced: by now %zu vCPU%s would move; press b again, and it asks",
			engine->scratch.n, text_s(engine->scratch.n));
	}
	plan_reset(&engine->scratch);
	return 0;
}

static int plan_shares(struct engine *engine, const struct round *round, struct err *err)
{
	struct why why;
	if (shares_ctl_plan(engine->shares, round, &engine->plan, &why, err) < 0)
		return -1;
	if (why.code != engine->shares_why && why.code != REASON_NONE)
		talk_event(&engine->talk, LOG_ROUND, "CPU shares: %s", why.text);
	engine->shares_why = why.code;
	return 0;
}

static int plan_cpu(struct engine *engine, struct round *round, bool previewed, struct err *err)
{
	size_t before = engine->plan.n;
	if (engine->wish.rebalance && engine->wish.rebalance_most && hold_back(engine, err) < 0)
		return -1;
	*round = round_of(engine, cpu_mode(engine, previewed));
	if (cpu_ctl_plan(engine->cpu, round, &engine->plan, &engine->cpu_verdict, err) < 0)
		return -1;
	size_t pins = engine->plan.n - before;
	if (plan_shares(engine, round, err) < 0)
		return -1;
	if (round->mode == ROUND_FORCED)
		forced_cpu_done(engine, before, pins);
	else if (round->mode == ROUND_AUTO && engine->cpu_verdict.new_line)
		talk_event(&engine->talk, LOG_ROUND, "CPU: %s", engine->cpu_verdict.why.text);
	return 0;
}

static enum round_mode memory_mode(struct engine *engine)
{
	if (engine->status.link != LINK_OK)
		return ROUND_WATCH;
	if (engine->wish.memory)
		return ROUND_FORCED;
	bool look = engine->pace.memory_due || engine->pace.memory_early;
	return engine->cfg.auto_memory && look ? ROUND_AUTO : ROUND_WATCH;
}

static int plan_memory(struct engine *engine, struct round *round, struct err *err)
{
	size_t before = engine->plan.n;
	struct why last = engine->mem_verdict.why;
	*round = round_of(engine, memory_mode(engine));
	round->early = round->mode == ROUND_AUTO && !engine->pace.memory_due;
	if (mem_ctl_plan(engine->mem, round, &engine->plan, engine->mem_status, &engine->mem_verdict, err) <
		0)
		return -1;
	bool between = round->mode == ROUND_WATCH || (round->early && engine->plan.n == before);
	if (between && engine->cfg.auto_memory && last.code != REASON_NONE)
		engine->mem_verdict.why = last; /* what the last cycle did */
	if (round->mode != ROUND_WATCH)
		changes_foreign_balloons(&engine->changes, engine->mem_status);
	if (round->mode == ROUND_FORCED) {
		engine->wish.memory = false;
		talk_event(&engine->talk, LOG_ROUND, "memory cycle: %s%s",
			text_if(engine->plan.n <= before, "no action: "), engine->mem_verdict.why.text);
	} else if (round->mode == ROUND_AUTO && !between && engine->mem_verdict.new_line) {
		talk_event(&engine->talk, LOG_ROUND, "memory: %s", engine->mem_verdict.why.text);
	}
	return 0;
}

/* What `b` and `B` would do now, for their questions and for ghosts. */
int engine_plan_ahead(struct engine *engine, struct err *err)
{
	if (engine->cfg.batch && !engine->wish.preview)
		return 0;
	struct round round = round_of(engine, ROUND_PREVIEW);
	struct cpu_verdict v;
	struct mem_verdict m;
	memset(&v, 0, sizeof v);
	memset(&m, 0, sizeof m);
	plan_reset(&engine->scratch);
	if (cpu_ctl_plan(engine->cpu, &round, &engine->scratch, &v, err) < 0)
		return -1;
	engine->n_rebalance = v.why.code == REASON_FIRST ? -1 : (int)engine->scratch.n;
	if (engine->wish.preview) {
		engine->wish.preview = false;
		preview_begin(&engine->changes, &engine->scratch, v.after_pct);
		talk_event(&engine->talk, LOG_ROUND, "preview: %d pin%s, %s", engine->n_rebalance,
			text_s((size_t)engine->n_rebalance), v.why.text);
		if (!engine->changes.preview.shown)
			talk_notice(&engine->talk, "preview: nothing to move, %.270s", v.why.text);
	}
	plan_reset(&engine->scratch);
	struct mem_status *unused = calloc(engine->sample.n_vms + 1, sizeof *unused);
	int rc = unused ? mem_ctl_plan(engine->mem, &round, &engine->scratch, unused, &m, err) : -1;
	free(unused);
	engine->n_memory = rc < 0 ? -1 : (int)engine->scratch.n;
	return rc;
}

static int step_plan(struct engine *engine, struct round *cpu, struct round *memory, struct err *err)
{
	bool previewed = engine->wish.apply;
	if (previewed) {
		engine->wish.apply = false;
		if (preview_apply(&engine->changes) < 0)
			return err_set(err, ERR_NOMEM, "out of memory");
	}
	if (manual_plan(&engine->changes, engine->stats_on || engine->cfg.auto_memory) < 0)
		return err_set(err, ERR_NOMEM, "out of memory");
	/* Changes by hand hold their VMs: the rules are built anew, so that no policy plans for the same VM.
	 */
	if (engine->plan.n && build_rules(engine) < 0)
		return err_set(err, ERR_NOMEM, "out of memory");
	if (plan_cpu(engine, cpu, previewed, err) < 0 || plan_memory(engine, memory, err) < 0)
		return -1;
	return engine->course->decide(engine, err);
}

/* For recorders. */
static void tell_decision(struct engine *engine)
{
	struct decision decision = {.actions = engine->plan.actions,
		.n_actions = engine->plan.n,
		.auto_cpu = engine->cfg.auto_cpu,
		.auto_memory = engine->cfg.auto_memory,
		.dry_run = engine->cfg.dry_run,
		.cpu_policy = engine->cfg.cpu_policy,
		.mem_policy = engine->cfg.mem_policy,
		.granularity = cpu_ctl_granularity(engine->cpu, &engine->cfg),
		.delay_s = engine->cfg.delay_s,
		.cpu = engine->cpu_verdict,
		.memory = engine->mem_verdict};
	backend_decided(engine->backend, &decision);
}

/* What was asked by key is dropped, or too old. */
static void forget_what_is_over(struct engine *engine, bool sampled)
{
	if (!wish_over(&engine->wish, &engine->talk, engine->changes.n_asked > 0, sampled))
		return;
	for (size_t i = 0; i < engine->changes.n_asked; i++)
		if (engine->changes.asked[i].kind == CMD_STATS_PERIOD && engine->changes.asked[i].on)
			engine->stats_on = false;
	engine->changes.n_asked = 0;
}

static int one_step(struct engine *engine, struct err *err)
{
	struct round cpu, memory;
	plan_reset(&engine->plan);
	engine->seq++;
	if (engine->course->before(engine, err) < 0)
		return -1;
	if (!engine->pace.due) {
		engine->pace.tick = false; /* only modes changed: the snapshot shows them */
		return 0;
	}
	bool have = step_sample(engine, err) == 0;
	forget_what_is_over(engine, have);
	if (!have)
		return -1;
	int64_t sampled = clock_ns();
	if (step_model(engine, err) < 0)
		return -1;
	engine->course->lines(engine);
	steer_claim(engine);
	if (step_plan(engine, &cpu, &memory, err) < 0) {
		plan_reset(&engine->plan); /* half a plan is none */
		say_error(engine, err);
		return -1;
	}
	int64_t planned = clock_ns();
	steer_apply(engine, cpu.mode == ROUND_WATCH || engine->foreign_plan ? NULL : &cpu,
		memory.mode == ROUND_WATCH ? NULL : &memory);
	engine->cost = (struct step_cost){planned - sampled, clock_ns() - planned};
	tell_decision(engine);
	return 0;
}

void engine_seen_by(struct engine *engine, void (*see)(void *arg, const struct engine *engine), void *arg)
{
	engine->see = see;
	engine->seer = arg;
}

int engine_step(struct engine *engine, struct err *err)
{
	struct err why = ERR_INIT;
	int rc = one_step(engine, &why);
	if (rc < 0 && err)
		*err = why;
	engine->course->after(engine, rc < 0 ? &why : NULL);
	if (engine->see)
		engine->see(engine->seer, engine);
	return rc;
}
