/* SPDX-License-Identifier: MIT */
/* What a recording asks of the engine. Invariant: without --replan the plan, the verdicts and the log are the
 * recorded ones, whatever is decided here; with it the policies run on the recorded samples, and the
 * commands given then come at the same places. */
#include <stdlib.h>
#include <string.h>

#include "priv.h"
#include "vmtop/record.h"

static const struct replay_ops *ops_of(const struct engine *engine)
{
	return engine->core->ops->replay;
}

static bool refuses(struct engine *engine, const struct command *cmd)
{
	if (cmd->kind == CMD_NONE || cmd->kind == CMD_QUIT || cmd->kind == CMD_GROUPS ||
		cmd->kind == CMD_REPLAY)
		return false;
	talk_notice(&engine->talk, "a recording cannot be changed; vmtop compare runs other policies on it");
	return true;
}

/* After a jump the history means nothing; the samples before the place make it anew. */
static void forget_all(struct engine *engine)
{
	struct err err = ERR_INIT;
	if (engine->jump.begun) {
		engine->cfg = *engine->jump.begun;
		engine->stats_on = engine->cfg.stats_period_s > 0;
	}
	model_forget(&engine->model);
	if (engine_controllers(engine, &err) < 0)
		talk_notice(&engine->talk, "%.190s", err.msg);
	for (size_t i = 0; i < engine->changes.ledger.n; i++) {
		struct vm_record *rec = &engine->changes.ledger.vms[i];
		memset(&rec->memo, 0, sizeof rec->memo);
		rec->here = false;
	}
	engine->talk.log.n = 0;
}

static void seek(struct engine *engine, const struct command *cmd)
{
	int lead = ops_of(engine)->seek(engine->core, cmd);
	engine->backend->ops->status(engine->backend, &engine->status);
	if (lead < 0)
		return;
	forget_all(engine);
	snapshot_free(engine_run_up(engine));
	engine->jump.rewound = true;
	engine->jump.lead = lead;
	engine->pace.due = true;
	engine->pace.tick = false;
}

static void configure(struct engine *engine, const struct command *cmd)
{
	struct config *cfg = malloc(sizeof *cfg);
	if (!cfg)
		return;
	*cfg = engine->cfg;
	if (ops_of(engine)->settings(engine->core, (int64_t)cmd->number, cfg) == 0)
		engine_configure(engine, cfg);
	free(cfg);
}

static void plays(struct engine *engine, const struct command *cmd)
{
	if (cmd->kind == CMD_REPLAY)
		seek(engine, cmd);
	else
		configure(engine, cmd);
}

static void obey_recorded(struct engine *engine)
{
	struct command cmd;
	bool due = engine->pace.due, tick = engine->pace.tick;
	while (ops_of(engine)->commands(engine->core, &cmd))
		engine_obey(engine, &cmd);
	engine->pace.due = due; /* the recording says when there was a sample */
	engine->pace.tick = tick;
}

/* A sample on the way to the place that was asked for. Out of memory: the graphs lack it. */
static int run_up(struct engine *engine, struct err *err)
{
	struct decision decision;
	if (engine_look(engine, err) < 0)
		return -1;
	plan_reset(&engine->scratch);
	int have = ops_of(engine)->played(engine->core, &engine->sample, &decision, &engine->scratch);
	struct snapshot *snap = engine_snapshot(engine);
	if (!snap)
		return 0;
	snap->cpu = have > 0 ? decision.cpu : (struct cpu_verdict){.why.code = REASON_NONE};
	snap->n_actions = snap->n_log = 0;
	*(engine->jump.run_up ? engine->jump.run_up_end : &engine->jump.run_up) = snap;
	engine->jump.run_up_end = &snap->next;
	return 0;
}

struct snapshot *engine_run_up(struct engine *engine)
{
	struct snapshot *first = engine->jump.run_up;
	engine->jump.run_up = NULL;
	return first;
}

static int catch_up(struct engine *engine, struct err *err)
{
	if (engine->jump.rewound) {
		engine->jump.rewound = false;
		for (; engine->jump.lead > 0; engine->jump.lead--)
			if (run_up(engine, err) < 0)
				return -1;
		engine->pace.due = true;
	}
	if (engine->pace.due)
		obey_recorded(engine);
	return 0;
}

static void recorded_lines(struct engine *engine)
{
	struct log_line *lines = calloc(SNAPSHOT_LOG, sizeof *lines);
	size_t n = lines ? ops_of(engine)->logged(engine->core, lines, SNAPSHOT_LOG) : 0;
	for (size_t i = 0; i < n; i++) {
		if (engine->cfg.replan && lines[i].kind != LOG_MARK)
			continue;
		struct log_line *to = talk_line(&engine->talk, lines[i].kind);
		uint64_t seq = to->seq;
		*to = lines[i];
		to->seq = seq;
	}
	free(lines);
}

/* The policies have planned, so that their memory is what it was then; what was recorded takes the place of
 * their plan. After a jump, or with another version, the two may differ. */
static int recorded_decisions(struct engine *engine, struct err *err)
{
	struct decision decision;
	plan_reset(&engine->scratch);
	int have = ops_of(engine)->played(engine->core, &engine->sample, &decision, &engine->scratch);
	if (have < 0)
		return err_set(err, ERR_NOMEM, "out of memory");
	engine->foreign_plan = !plan_same(&engine->plan, &engine->scratch);
	struct plan swap = engine->plan;
	engine->plan = engine->scratch;
	engine->scratch = swap;
	if (!have)
		return 0;
	engine->cfg.auto_cpu = decision.auto_cpu;
	engine->cfg.auto_memory = decision.auto_memory;
	engine->cfg.dry_run = decision.dry_run;
	if (decision.delay_s > 0)
		engine->cfg.delay_s = decision.delay_s;
	engine->cpu_verdict = decision.cpu;
	engine->mem_verdict = decision.memory;
	return 0;
}

static const struct timeline *whole_timeline(const struct engine *engine)
{
	return ops_of(engine)->timeline(engine->core);
}

/* A recording has no AUTO that could pause. */
static void nothing_after(struct engine *engine, const struct err *err)
{
	(void)engine;
	(void)err;
}

static bool refuses_nothing(struct engine *engine, const struct command *cmd)
{
	(void)engine;
	(void)cmd;
	return false;
}

static void plays_nothing(struct engine *engine, const struct command *cmd)
{
	(void)engine;
	(void)cmd;
}

static int nothing_before(struct engine *engine, struct err *err)
{
	(void)engine;
	(void)err;
	return 0;
}

static void no_lines(struct engine *engine)
{
	(void)engine;
}

static const struct timeline *no_timeline(const struct engine *engine)
{
	(void)engine;
	return NULL;
}

const struct course *course_of(const struct engine *engine)
{
	static const struct course host = {.live = true,
		.refuses = refuses_nothing,
		.plays = plays_nothing,
		.before = nothing_before,
		.lines = no_lines,
		.decide = engine_plan_ahead,
		.after = auto_step,
		.timeline = no_timeline};
	static const struct course shown = {.moment = MOMENT_PLAYED,
		.shown = true,
		.refuses = refuses,
		.plays = plays,
		.before = catch_up,
		.lines = recorded_lines,
		.decide = recorded_decisions,
		.after = nothing_after,
		.timeline = whole_timeline};
	static const struct course anew = {.moment = MOMENT_PLAYED,
		.refuses = refuses,
		.plays = plays,
		.before = catch_up,
		.lines = recorded_lines,
		.decide = engine_plan_ahead,
		.after = nothing_after,
		.timeline = whole_timeline};
	if (!ops_of(engine))
		return &host;
	return engine->cfg.replan ? &anew : &shown;
}
