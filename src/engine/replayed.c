/* SPDX-License-Identifier: MIT */
/* What a recording asks of the engine. Invariant: without --replan the plan, the verdicts and the log are the
 * recorded ones and nothing is decided here; with it the policies run on the recorded samples, and the
 * commands given then come at the same places. */
#include <stdlib.h>
#include <string.h>

#include "priv.h"
#include "vmtop/record.h"

bool replay_shows(const struct engine *en)
{
	return en->status.replay && !en->cfg.replan;
}

bool replay_refuses(struct engine *en, const struct command *c)
{
	if (!en->status.replay || c->kind == CMD_NONE || c->kind == CMD_QUIT || c->kind == CMD_GROUPS ||
		c->kind == CMD_REPLAY)
		return false;
	notice_set(en, "a recording cannot be changed; vmtop compare runs other policies on it");
	return true;
}

/* After a jump the history means nothing; the samples before the place make it anew. */
static void forget_all(struct engine *en)
{
	struct err e = ERR_INIT;
	model_forget(&en->model);
	if (engine_controllers(en, &e) < 0)
		notice_set(en, "%.190s", e.msg);
	for (size_t i = 0; i < en->ledger.n; i++) {
		struct vm_record *r = &en->ledger.vms[i];
		memset(&r->memo, 0, sizeof r->memo);
		r->memo.target_kib = -1;
		r->here = false;
	}
	en->log.n = 0;
}

void replay_seek(struct engine *en, const struct command *c)
{
	int lead = en->core->ops->seek ? en->core->ops->seek(en->core, c) : -1;
	en->b->ops->status(en->b, &en->status);
	if (lead < 0)
		return;
	forget_all(en);
	en->rewound = true;
	en->lead = lead;
	en->due = true;
	en->tick = false;
}

/* Wishes of then make plans only when plans are made. */
static bool worth_obeying(const struct engine *en, enum command_kind kind)
{
	switch (kind) {
	case CMD_HOLD:
	case CMD_EXCLUDE:
	case CMD_STAY_ON_NODE:
	case CMD_CPU_POLICY:
	case CMD_MEM_POLICY:
	case CMD_GRANULARITY:
	case CMD_INTERVAL:
		return true;
	default:
		return en->cfg.replan;
	}
}

static void obey_recorded(struct engine *en)
{
	struct command c;
	bool due = en->due, tick = en->tick;
	while (en->core->ops->commands && en->core->ops->commands(en->core, &c))
		if (worth_obeying(en, c.kind))
			engine_obey(en, &c);
	en->due = due; /* the recording says when there was a sample */
	en->tick = tick;
}

int replay_catch_up(struct engine *en, struct err *e)
{
	if (!en->status.replay)
		return 0;
	if (en->rewound) {
		en->rewound = false;
		for (; en->lead > 0; en->lead--)
			if (engine_look(en, e) < 0)
				return -1;
		en->due = true;
	}
	if (en->due)
		obey_recorded(en);
	return 0;
}

void replay_lines(struct engine *en)
{
	struct log_line *lines = en->core->ops->logged ? calloc(SNAPSHOT_LOG, sizeof *lines) : NULL;
	size_t n = lines ? en->core->ops->logged(en->core, lines, SNAPSHOT_LOG) : 0;
	for (size_t i = 0; i < n; i++) {
		if (en->cfg.replan && lines[i].kind != LOG_MARK)
			continue;
		struct log_line *to = log_add(en, lines[i].kind);
		uint64_t seq = to->seq;
		*to = lines[i];
		to->seq = seq;
	}
	free(lines);
}

/* A target that was set then is shown as ours, as it was. */
static void remember_targets(struct engine *en)
{
	for (size_t i = 0; i < en->plan.n; i++) {
		const struct action *a = &en->plan.actions[i];
		const struct vm_sample *vm = &en->sample.vms[a->vm];
		struct vm_record *r = a->kind == ACTION_BALLOON && a->outcome == OUTCOME_DONE
					      ? ledger_get(&en->ledger, vm->uuid, vm->name)
					      : NULL;
		if (!r)
			continue;
		r->memo.target_kib = a->to_kib;
		r->memo.target_ns = en->sample.time_ns;
	}
}

/* The memory controller follows balloons that it ordered; what it says of a guest depends on that. */
static void tell_controller(struct engine *en)
{
	struct round r = {&en->sample, &en->model, &en->rules, &en->cfg, ROUND_AUTO};
	for (size_t i = 0; i < en->plan.n; i++)
		if (en->plan.actions[i].kind != ACTION_PIN) {
			mem_ctl_applied(en->mem, &r, &en->plan);
			return;
		}
}

int replay_decisions(struct engine *en, struct err *e)
{
	struct decision d;
	plan_reset(&en->plan);
	int have = en->core->ops->played(en->core, &en->sample, &d, &en->plan);
	if (have < 0)
		return err_set(e, ERR_NOMEM, "out of memory");
	remember_targets(en);
	tell_controller(en);
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
