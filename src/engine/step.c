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
	const struct engine *en = arg;
	const struct vm_record *r = ledger_find(&en->changes.ledger, vm->uuid);
	return r ? &r->memo : NULL;
}

static const struct cpuset *found_of(void *arg, const struct vm_sample *vm, int vcpu)
{
	const struct engine *en = arg;
	const struct vm_record *r = ledger_find(&en->changes.ledger, vm->uuid);
	const struct vcpu_record *v = r ? record_vcpu(r, vcpu) : NULL;
	return v ? &v->found : NULL;
}

static int build_rules(struct engine *en)
{
	const struct rules_memo memo = {memo_of, found_of, en};
	return rules_build(&en->rules, &en->cfg, &en->sample, &memo);
}

/* An error is said once, until another one comes or it is over. */
static void say_error(struct engine *en, const struct err *e)
{
	talk_notice(&en->talk, "%.190s", e->msg);
	talk_once(&en->talk, LOG_ERROR, e->msg);
}

/* A recorder that failed is closed, so that R can begin another recording. In batch mode its error is kept:
 * the output ends the run with it. */
static void drop_lost_recording(struct engine *en)
{
	talk_notice(&en->talk, "%.250s", en->status.text);
	engine_uses(en, backend_record_end(en->b));
}

static void refresh_status(struct engine *en)
{
	char before[sizeof en->status.text];
	memcpy(before, en->status.text, sizeof before);
	en->b->ops->status(en->b, &en->status);
	bool news = strcmp(before, en->status.text) != 0 && *en->status.text;
	if (news && en->status.link == LINK_OK && en->course->live)
		talk_event(&en->talk, LOG_EVENT, "%s", en->status.text);
	if (en->status.recording_lost && !en->cfg.batch)
		drop_lost_recording(en);
	if (en->status.readonly)
		auto_pause_all(en, PAUSE_READONLY, "the connection is read-only now");
}

/* A guest that runs dry does not wait for the next cycle: it is looked for whenever guests have new figures.
 */
static bool early_look(const struct engine *en, int64_t slack)
{
	int64_t period = en->cfg.stats_period_s > 0 ? en->cfg.stats_period_s : 2;
	return en->pace.tick && !en->pace.memory_due && en->cfg.auto_memory && mem_ctl_watchful(en->mem) &&
	       en->pace.start_ns - en->pace.last_guests_ns >= period * 1000000000 - slack;
}

/* Guest statistics cost more than all else, and guests fill them in every few seconds only: they are asked
 * for once a memory cycle, or when a round of it is to be made now, and between while a guest could run dry.
 * Else the backend shows those it has. */
static unsigned groups_now(struct engine *en)
{
	int64_t slack = (int64_t)(en->cfg.delay_s * 1e8);
	unsigned groups = en->groups | (en->cfg.auto_memory ? SAMPLE_BALLOON : 0);
	en->pace.memory_due = en->pace.tick && en->pace.start_ns >= en->pace.next_memory_ns - slack;
	en->pace.memory_early = early_look(en, slack);
	if (!en->pace.memory_due && !en->pace.memory_early && !en->want_fresh && en->have_sample)
		groups &= ~(unsigned)SAMPLE_BALLOON;
	if (en->want_fresh)
		groups |= SAMPLE_BALLOON;
	en->want_fresh = false;
	/* What the host does besides its VMs is a load to be balanced too. */
	if (en->cfg.auto_cpu || en->wish.rebalance || en->wish.preview)
		groups |= SAMPLE_PCPUS;
	if (en->cfg.auto_cpu || en->cfg.auto_memory || en->wish.rebalance || en->wish.memory)
		groups |= SAMPLE_STEER;
	groups |= en->wish.memory ? SAMPLE_BALLOON : 0;
	if (groups & SAMPLE_BALLOON)
		en->pace.last_guests_ns = en->pace.start_ns;
	return groups | (en->pace.tick ? SAMPLE_REGULAR : 0);
}

/* One memory cycle later; ticks that were missed are not made up for. */
static void memory_next(struct engine *en)
{
	int64_t cycle = (int64_t)(mem_cycle_s(&en->cfg) * 1e9), next = en->pace.next_memory_ns + cycle;
	en->pace.next_memory_ns = next > en->pace.start_ns ? next : en->pace.start_ns + cycle;
}

static int step_sample(struct engine *en, struct err *e)
{
	en->pace.start_ns = en->b->ops->now(en->b);
	en->pace.due = false;
	int rc = en->b->ops->sample(en->b, groups_now(en), &en->incoming, e);
	refresh_status(en);
	trouble_step(&en->trouble, &en->talk, &en->status, en->pace.start_ns, rc < 0 ? e : NULL);
	if (rc < 0)
		return -1;
	struct sample old = en->sample;
	en->sample = en->incoming;
	en->incoming = old;
	en->talk.said_last[0] = '\0';
	en->have_sample = true;
	talk_clock(&en->talk, &en->sample);
	if (en->pace.memory_due)
		memory_next(en);
	en->pace.last_sample_ns = en->b->ops->now(en->b);
	return 0;
}

/* Who suffers, and why. */
static int judge_guests(struct engine *en)
{
	const struct suffer_look look = {&en->sample, en->model.vcpus, en->model.vms, en->model.pcpus};
	en->suffering = suffer_update(en->suffer, &look, en->model.n_vm_slots);
	en->n_suffering = en->suffering ? en->sample.n_vms : 0;
	return en->suffering ? 0 : -1;
}

static int step_model(struct engine *en, struct err *e)
{
	bool first = en->model.samples == 0;
	/* In virtual time a second look at the same moment tells nothing new. */
	bool again = !first && en->sample.time_ns == en->model.time_ns &&
		     en->sample.n_vms == en->model.n_vms && en->sample.n_vcpus == en->model.n_vcpus;
	if (!again && model_update(&en->model, &en->sample, e) < 0) {
		/* The model is as before, so the sample must be. */
		struct sample fresh = en->sample;
		en->sample = en->incoming;
		en->incoming = fresh;
		en->have_sample = !first;
		say_error(en, e);
		return -1;
	}
	if (!again && judge_guests(en) < 0)
		return err_set(e, ERR_NOMEM, "out of memory");
	changes_watch(&en->changes, first);
	if (!array_grow(&en->mem_status, &en->cap_mem_status, en->sample.n_vms, sizeof *en->mem_status))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (en->sample.n_vms)
		memset(en->mem_status, 0, en->sample.n_vms * sizeof *en->mem_status);
	if (build_rules(en) < 0)
		return err_set(e, ERR_NOMEM, "out of memory");
	return 0;
}

int engine_look(struct engine *en, struct err *e)
{
	return step_sample(en, e) < 0 ? -1 : step_model(en, e);
}

static struct round round_of(struct engine *en, enum round_mode mode)
{
	return (struct round){.sample = &en->sample,
		.model = &en->model,
		.rules = &en->rules,
		.cfg = &en->cfg,
		.mode = mode};
}

static enum round_mode cpu_mode(struct engine *en, bool previewed)
{
	if (en->status.link != LINK_OK) /* what is seen may be old, and nothing could be done about it */
		return ROUND_WATCH;
	if (previewed || en->course->shown) /* a policy's pins would meet those of the preview */
		return ROUND_WATCH;
	if (en->wish.rebalance)
		return ROUND_FORCED;
	return en->cfg.auto_cpu && en->pace.tick ? ROUND_AUTO : ROUND_WATCH;
}

/* What is done with a vCPU by its pin. */
enum pin_kind { PIN_MOVES, PIN_STAYS, PIN_FREES, PIN_KINDS };

static enum pin_kind pin_kind(const struct engine *en, const struct action *a)
{
	const struct vm_sample *vm = sample_vm_by_uuid(&en->sample, a->uuid);
	const struct vcpu_sample *v = vm ? sample_vcpu(&en->sample, vm, a->vcpu) : NULL;
	if (v && vi64_has(v->pcpu) && !cpuset_has(&a->to, (int)v->pcpu.v))
		return PIN_MOVES;
	return cpuset_count(&a->to) > cpuset_count(&a->from) ? PIN_FREES : PIN_STAYS;
}

/* "rebalanced: 2 vCPUs moved, 3 pinned where they run, deviation 108.9 -> 1.9 %", or why nothing is done. */
static void rebalance_text(const struct engine *en, size_t first, size_t pins, char *buf, size_t len)
{
	static const char *const words[PIN_KINDS] = {
		"moved", "pinned where they run", "given more pCPUs for the kernel to choose from"};
	const struct cpu_verdict *v = &en->cpu_verdict;
	size_t of[PIN_KINDS] = {0}, n = 0;
	bool known = vf64_has(v->stddev_pct) && vf64_has(v->limit_pct);
	for (size_t i = first; i < first + pins; i++)
		of[pin_kind(en, &en->plan.actions[i])]++;
	if (!pins && v->why.code == REASON_BALANCED && known && v->stddev_pct.v <= v->limit_pct.v) {
		snprintf(buf, len, "no action: %.1f %% is within the limit of %.1f %%", v->stddev_pct.v,
			v->limit_pct.v);
		return;
	}
	n = (size_t)snprintf(
		buf, len, "%s%s", pins ? "rebalanced: " : "no action: ", pins ? "" : v->why.text);
	const char *sep = "";
	for (int k = 0; k < PIN_KINDS && n < len; k++)
		if (of[k]) {
			const char *noun = of[k] == 1 ? "vCPU " : "vCPUs ";
			n += (size_t)snprintf(buf + n, len - n, "%s%zu %s", sep, of[k], *sep ? "" : noun);
			n += (size_t)snprintf(buf + n, n < len ? len - n : 0, "%s", words[k]);
			sep = ", ";
		}
	if (pins && n < len && known && vf64_has(v->after_pct) && v->after_pct.v < v->stddev_pct.v)
		snprintf(buf + n, len - n, ", deviation %.1f -> %.1f %%", v->stddev_pct.v, v->after_pct.v);
	else if (pins && n < len)
		snprintf(buf + n, len - n, "; %s", v->why.text);
}

/* A forced round before the second sample waits for it, and says so once. */
static void forced_cpu_done(struct engine *en, size_t first, size_t pins)
{
	char text[sizeof en->cpu_verdict.why.text + 160];
	if (en->cpu_verdict.why.code == REASON_FIRST) {
		if (!en->wish.said_waiting)
			talk_event(&en->talk, LOG_ROUND, "rebalance: waiting for the second sample");
		en->wish.said_waiting = true;
		return;
	}
	en->wish.rebalance = en->wish.said_waiting = false;
	rebalance_text(en, first, pins, text, sizeof text);
	talk_event(&en->talk, LOG_ROUND, "%s", text);
	talk_notice(&en->talk, "%.280s", text);
}

/* The screen did not ask because few moves were planned when b was pressed; by now there may be more than it
 * may make unasked. */
static int hold_back(struct engine *en, struct err *e)
{
	struct round r = round_of(en, ROUND_PREVIEW);
	struct cpu_verdict v;
	memset(&v, 0, sizeof v);
	plan_reset(&en->scratch);
	if (cpu_ctl_plan(en->cpu, &r, &en->scratch, &v, e) < 0)
		return -1;
	if (en->scratch.n > en->wish.rebalance_most) {
		en->wish.rebalance = en->wish.said_waiting = false;
		talk_notice(&en->talk,
			"not rebalanced: by now %zu vCPU%s would move; press b again, and it asks",
			en->scratch.n, text_s(en->scratch.n));
	}
	plan_reset(&en->scratch);
	return 0;
}

static int plan_shares(struct engine *en, const struct round *r, struct err *e)
{
	struct why why;
	if (shares_ctl_plan(en->shares, r, &en->plan, &why, e) < 0)
		return -1;
	if (why.code != en->shares_why && why.code != REASON_NONE)
		talk_event(&en->talk, LOG_ROUND, "CPU shares: %s", why.text);
	en->shares_why = why.code;
	return 0;
}

static int plan_cpu(struct engine *en, struct round *r, bool previewed, struct err *e)
{
	size_t before = en->plan.n;
	if (en->wish.rebalance && en->wish.rebalance_most && hold_back(en, e) < 0)
		return -1;
	*r = round_of(en, cpu_mode(en, previewed));
	if (cpu_ctl_plan(en->cpu, r, &en->plan, &en->cpu_verdict, e) < 0)
		return -1;
	size_t pins = en->plan.n - before;
	if (plan_shares(en, r, e) < 0)
		return -1;
	if (r->mode == ROUND_FORCED)
		forced_cpu_done(en, before, pins);
	else if (r->mode == ROUND_AUTO && en->cpu_verdict.new_line)
		talk_event(&en->talk, LOG_ROUND, "CPU: %s", en->cpu_verdict.why.text);
	return 0;
}

static enum round_mode memory_mode(struct engine *en)
{
	if (en->status.link != LINK_OK)
		return ROUND_WATCH;
	if (en->wish.memory)
		return ROUND_FORCED;
	bool look = en->pace.memory_due || en->pace.memory_early;
	return en->cfg.auto_memory && look ? ROUND_AUTO : ROUND_WATCH;
}

static int plan_memory(struct engine *en, struct round *r, struct err *e)
{
	size_t before = en->plan.n;
	struct why last = en->mem_verdict.why;
	*r = round_of(en, memory_mode(en));
	r->early = r->mode == ROUND_AUTO && !en->pace.memory_due;
	if (mem_ctl_plan(en->mem, r, &en->plan, en->mem_status, &en->mem_verdict, e) < 0)
		return -1;
	bool between = r->mode == ROUND_WATCH || (r->early && en->plan.n == before);
	if (between && en->cfg.auto_memory && last.code != REASON_NONE)
		en->mem_verdict.why = last; /* what the last cycle did */
	if (r->mode != ROUND_WATCH)
		changes_foreign_balloons(&en->changes, en->mem_status);
	if (r->mode == ROUND_FORCED) {
		en->wish.memory = false;
		talk_event(&en->talk, LOG_ROUND, "memory cycle: %s%s",
			en->plan.n > before ? "" : "no action: ", en->mem_verdict.why.text);
	} else if (r->mode == ROUND_AUTO && !between && en->mem_verdict.new_line) {
		talk_event(&en->talk, LOG_ROUND, "memory: %s", en->mem_verdict.why.text);
	}
	return 0;
}

/* What `b` and `B` would do now, for their questions and for ghosts. */
int engine_plan_ahead(struct engine *en, struct err *e)
{
	if (en->cfg.batch && !en->wish.preview)
		return 0;
	struct round r = round_of(en, ROUND_PREVIEW);
	struct cpu_verdict v;
	struct mem_verdict m;
	memset(&v, 0, sizeof v);
	memset(&m, 0, sizeof m);
	plan_reset(&en->scratch);
	if (cpu_ctl_plan(en->cpu, &r, &en->scratch, &v, e) < 0)
		return -1;
	en->n_rebalance = v.why.code == REASON_FIRST ? -1 : (int)en->scratch.n;
	if (en->wish.preview) {
		en->wish.preview = false;
		preview_begin(&en->changes, &en->scratch, v.after_pct);
		talk_event(&en->talk, LOG_ROUND, "preview: %d pin%s, %s", en->n_rebalance,
			text_s((size_t)en->n_rebalance), v.why.text);
		if (!en->changes.preview.shown)
			talk_notice(&en->talk, "preview: nothing to move, %.270s", v.why.text);
	}
	plan_reset(&en->scratch);
	struct mem_status *unused = calloc(en->sample.n_vms + 1, sizeof *unused);
	int rc = unused ? mem_ctl_plan(en->mem, &r, &en->scratch, unused, &m, e) : -1;
	free(unused);
	en->n_memory = rc < 0 ? -1 : (int)en->scratch.n;
	return rc;
}

static int step_plan(struct engine *en, struct round *cpu, struct round *memory, struct err *e)
{
	bool previewed = en->wish.apply;
	if (previewed) {
		en->wish.apply = false;
		if (preview_apply(&en->changes) < 0)
			return err_set(e, ERR_NOMEM, "out of memory");
	}
	if (manual_plan(&en->changes, en->stats_on || en->cfg.auto_memory) < 0)
		return err_set(e, ERR_NOMEM, "out of memory");
	/* Changes by hand hold their VMs: the rules are built anew, so that no policy plans for the same VM.
	 */
	if (en->plan.n && build_rules(en) < 0)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (plan_cpu(en, cpu, previewed, e) < 0 || plan_memory(en, memory, e) < 0)
		return -1;
	return en->course->decide(en, e);
}

/* For recorders. */
static void tell_decision(struct engine *en)
{
	struct decision d = {.actions = en->plan.actions,
		.n_actions = en->plan.n,
		.auto_cpu = en->cfg.auto_cpu,
		.auto_memory = en->cfg.auto_memory,
		.dry_run = en->cfg.dry_run,
		.cpu_policy = en->cfg.cpu_policy,
		.mem_policy = en->cfg.mem_policy,
		.granularity = cpu_ctl_granularity(en->cpu, &en->cfg),
		.delay_s = en->cfg.delay_s,
		.cpu = en->cpu_verdict,
		.memory = en->mem_verdict};
	backend_decided(en->b, &d);
}

bool engine_asked(const struct engine *en)
{
	return wish_any(&en->wish) || en->changes.n_asked;
}

/* What was asked by key is dropped, or too old. */
static void forget_what_is_over(struct engine *en, bool sampled)
{
	if (!wish_over(&en->wish, &en->talk, en->changes.n_asked > 0, sampled))
		return;
	for (size_t i = 0; i < en->changes.n_asked; i++)
		if (en->changes.asked[i].kind == CMD_STATS_PERIOD && en->changes.asked[i].on)
			en->stats_on = false;
	en->changes.n_asked = 0;
}

static int one_step(struct engine *en, struct err *e)
{
	struct round cpu, memory;
	plan_reset(&en->plan);
	en->seq++;
	if (en->course->before(en, e) < 0)
		return -1;
	if (!en->pace.due) {
		en->pace.tick = false; /* only modes changed: the snapshot shows them */
		return 0;
	}
	bool have = step_sample(en, e) == 0;
	forget_what_is_over(en, have);
	if (!have)
		return -1;
	int64_t sampled = clock_ns();
	if (step_model(en, e) < 0)
		return -1;
	en->course->lines(en);
	steer_claim(en);
	if (step_plan(en, &cpu, &memory, e) < 0) {
		plan_reset(&en->plan); /* half a plan is none */
		say_error(en, e);
		return -1;
	}
	int64_t planned = clock_ns();
	steer_apply(en, cpu.mode == ROUND_WATCH || en->foreign_plan ? NULL : &cpu,
		memory.mode == ROUND_WATCH ? NULL : &memory);
	en->cost = (struct step_cost){planned - sampled, clock_ns() - planned};
	tell_decision(en);
	return 0;
}

void engine_seen_by(struct engine *en, void (*see)(void *arg, const struct engine *en), void *arg)
{
	en->see = see;
	en->seer = arg;
}

int engine_step(struct engine *en, struct err *e)
{
	struct err why = ERR_INIT;
	int rc = one_step(en, &why);
	if (rc < 0 && e)
		*e = why;
	en->course->after(en, rc < 0 ? &why : NULL);
	if (en->see)
		en->see(en->seer, en);
	return rc;
}
