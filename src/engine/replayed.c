/* SPDX-License-Identifier: MIT */
/* What a recording asks of the engine. Invariant: without --replan the plan, the verdicts and the log are the
 * recorded ones, whatever is decided here; with it the policies run on the recorded samples, and the
 * commands given then come at the same places. */
#include <stdlib.h>
#include <string.h>

#include "priv.h"
#include "vmtop/record.h"

static const struct replay_ops *ops_of(const struct engine *en)
{
	return en->core->ops->replay;
}

static bool refuses(struct engine *en, const struct command *c)
{
	if (c->kind == CMD_NONE || c->kind == CMD_QUIT || c->kind == CMD_GROUPS || c->kind == CMD_REPLAY)
		return false;
	talk_notice(&en->talk, "a recording cannot be changed; vmtop compare runs other policies on it");
	return true;
}

/* After a jump the history means nothing; the samples before the place make it anew. */
static void forget_all(struct engine *en)
{
	struct err e = ERR_INIT;
	if (en->jump.begun) {
		en->cfg = *en->jump.begun;
		en->stats_on = en->cfg.stats_period_s > 0;
	}
	model_forget(&en->model);
	if (engine_controllers(en, &e) < 0)
		talk_notice(&en->talk, "%.190s", e.msg);
	for (size_t i = 0; i < en->changes.ledger.n; i++) {
		struct vm_record *r = &en->changes.ledger.vms[i];
		memset(&r->memo, 0, sizeof r->memo);
		r->here = false;
	}
	en->talk.log.n = 0;
}

void replay_seek(struct engine *en, const struct command *c)
{
	int lead = ops_of(en) ? ops_of(en)->seek(en->core, c) : -1;
	en->b->ops->status(en->b, &en->status);
	if (lead < 0)
		return;
	forget_all(en);
	snapshot_free(engine_run_up(en));
	en->jump.rewound = true;
	en->jump.lead = lead;
	en->pace.due = true;
	en->pace.tick = false;
}

void replay_configure(struct engine *en, const struct command *c)
{
	struct config *cfg = ops_of(en) ? malloc(sizeof *cfg) : NULL;
	if (!cfg)
		return;
	*cfg = en->cfg;
	if (ops_of(en)->settings(en->core, (int64_t)c->number, cfg) == 0)
		engine_configure(en, cfg);
	free(cfg);
}

static void obey_recorded(struct engine *en)
{
	struct command c;
	bool due = en->pace.due, tick = en->pace.tick;
	while (ops_of(en)->commands(en->core, &c))
		engine_obey(en, &c);
	en->pace.due = due; /* the recording says when there was a sample */
	en->pace.tick = tick;
}

/* A sample on the way to the place that was asked for. Out of memory: the graphs lack it. */
static int run_up(struct engine *en, struct err *e)
{
	struct decision d;
	if (engine_look(en, e) < 0)
		return -1;
	plan_reset(&en->scratch);
	int have = ops_of(en)->played(en->core, &en->sample, &d, &en->scratch);
	struct snapshot *s = engine_snapshot(en);
	if (!s)
		return 0;
	s->cpu = have > 0 ? d.cpu : (struct cpu_verdict){.why.code = REASON_NONE};
	s->n_actions = s->n_log = 0;
	*(en->jump.run_up ? en->jump.run_up_end : &en->jump.run_up) = s;
	en->jump.run_up_end = &s->next;
	return 0;
}

struct snapshot *engine_run_up(struct engine *en)
{
	struct snapshot *first = en->jump.run_up;
	en->jump.run_up = NULL;
	return first;
}

static int catch_up(struct engine *en, struct err *e)
{
	if (en->jump.rewound) {
		en->jump.rewound = false;
		for (; en->jump.lead > 0; en->jump.lead--)
			if (run_up(en, e) < 0)
				return -1;
		en->pace.due = true;
	}
	if (en->pace.due)
		obey_recorded(en);
	return 0;
}

static void recorded_lines(struct engine *en)
{
	struct log_line *lines = calloc(SNAPSHOT_LOG, sizeof *lines);
	size_t n = lines ? ops_of(en)->logged(en->core, lines, SNAPSHOT_LOG) : 0;
	for (size_t i = 0; i < n; i++) {
		if (en->cfg.replan && lines[i].kind != LOG_MARK)
			continue;
		struct log_line *to = talk_line(&en->talk, lines[i].kind);
		uint64_t seq = to->seq;
		*to = lines[i];
		to->seq = seq;
	}
	free(lines);
}

/* The policies have planned, so that their memory is what it was then; what was recorded takes the place of
 * their plan. After a jump, or with another version, the two may differ. */
static int recorded_decisions(struct engine *en, struct err *e)
{
	struct decision d;
	plan_reset(&en->scratch);
	int have = ops_of(en)->played(en->core, &en->sample, &d, &en->scratch);
	if (have < 0)
		return err_set(e, ERR_NOMEM, "out of memory");
	en->foreign_plan = !plan_same(&en->plan, &en->scratch);
	struct plan swap = en->plan;
	en->plan = en->scratch;
	en->scratch = swap;
	if (!have)
		return 0;
	en->cfg.auto_cpu = d.auto_cpu;
	en->cfg.auto_memory = d.auto_memory;
	en->cfg.dry_run = d.dry_run;
	en->cfg.delay_s = d.delay_s > 0 ? d.delay_s : en->cfg.delay_s;
	en->cpu_verdict = d.cpu;
	en->mem_verdict = d.memory;
	return 0;
}

static const struct timeline *whole_timeline(const struct engine *en)
{
	return ops_of(en)->timeline(en->core);
}

/* A recording has no AUTO that could pause. */
static void nothing_after(struct engine *en, const struct err *e)
{
	(void)en;
	(void)e;
}

static bool refuses_nothing(struct engine *en, const struct command *c)
{
	(void)en;
	(void)c;
	return false;
}

static int nothing_before(struct engine *en, struct err *e)
{
	(void)en;
	(void)e;
	return 0;
}

static void no_lines(struct engine *en)
{
	(void)en;
}

static const struct timeline *no_timeline(const struct engine *en)
{
	(void)en;
	return NULL;
}

const struct course *course_of(const struct engine *en)
{
	static const struct course host = {.live = true,
		.refuses = refuses_nothing,
		.before = nothing_before,
		.lines = no_lines,
		.decide = engine_plan_ahead,
		.after = auto_step,
		.timeline = no_timeline};
	static const struct course shown = {.moment = MOMENT_PLAYED,
		.shown = true,
		.refuses = refuses,
		.before = catch_up,
		.lines = recorded_lines,
		.decide = recorded_decisions,
		.after = nothing_after,
		.timeline = whole_timeline};
	static const struct course anew = {.moment = MOMENT_PLAYED,
		.refuses = refuses,
		.before = catch_up,
		.lines = recorded_lines,
		.decide = engine_plan_ahead,
		.after = nothing_after,
		.timeline = whole_timeline};
	if (!ops_of(en))
		return &host;
	return en->cfg.replan ? &anew : &shown;
}
