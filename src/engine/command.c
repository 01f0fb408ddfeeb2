/* SPDX-License-Identifier: MIT */
/* What a command does to the engine: the functions that the command table names. Invariant: commands change
 * settings and wishes only; what they lead to happens in the next step. */
#include <stdio.h>
#include <stdlib.h>

#include "priv.h"
#include "vmtop/minmax.h"
#include "vmtop/record.h"
#include "vmtop/text.h"

static struct vm_record *record_for(struct engine *engine, const struct command *cmd)
{
	const struct vm_sample *vm = sample_vm_by_uuid(&engine->sample, cmd->uuid);
	return vm ? ledger_get(&engine->changes.ledger, vm->uuid, vm->name) : NULL;
}

static void set_hold(struct engine *engine, const struct command *cmd)
{
	struct vm_record *rec = record_for(engine, cmd);
	char name[128];
	if (!rec)
		return;
	rec->memo.held = cmd->on;
	if (!cmd->on) {
		rec->memo.fail_until_ns = 0;
		rec->memo.released_ns = engine->sample.time_ns;
		rec->memo.rival_until_ns = 0;
		rec->rivalries = 0;
		rec->n_fought = 0;
	}
	text_escape(name, sizeof name, rec->name);
	talk_event(
		&engine->talk, LOG_EVENT, "%s %s", name, cmd->on ? "held: AUTO leaves it alone" : "released");
}

static void set_flag(struct engine *engine, const struct command *cmd)
{
	struct vm_record *rec = record_for(engine, cmd);
	char name[128];
	if (!rec)
		return;
	text_escape(name, sizeof name, rec->name);
	if (cmd->kind == CMD_EXCLUDE) {
		rec->memo.exclude_cpu = cmd->on;
		talk_event(&engine->talk, LOG_EVENT, "%s %s CPU steering", name,
			cmd->on ? "excluded from" : "back in");
	} else {
		rec->memo.stay_on_node = cmd->on;
		talk_event(&engine->talk, LOG_EVENT, "%s %s", name,
			cmd->on ? "stays on its NUMA node" : "may leave its NUMA node");
	}
}

static void set_auto(struct engine *engine, const struct command *cmd)
{
	bool *mode = cmd->kind == CMD_AUTO_CPU ? &engine->cfg.auto_cpu : &engine->cfg.auto_memory;
	if (cmd->on && !changes_allowed(&engine->changes))
		return;
	*mode = cmd->on;
	*(cmd->kind == CMD_AUTO_CPU ? &engine->changes.waits.cpu : &engine->changes.waits.memory) = false;
	auto_settled(engine, cmd->kind == CMD_AUTO_CPU ? PAUSE_CPU : PAUSE_MEMORY);
	engine->pace.next_memory_ns = engine->backend->ops->now(engine->backend);
	talk_event(&engine->talk, LOG_EVENT, "%s: %s", cmd->kind == CMD_AUTO_CPU ? "CPU" : "memory",
		cmd->on ? "AUTO" : "MANUAL");
}

static void set_policy(struct engine *engine, const struct command *cmd)
{
	struct config before = engine->cfg;
	struct err err = ERR_INIT;
	int n = (int)cmd->number;
	if (cmd->kind == CMD_CPU_POLICY)
		engine->cfg.cpu_policy = (enum cpu_policy_id)n;
	else if (cmd->kind == CMD_MEM_POLICY)
		engine->cfg.mem_policy = (enum mem_policy_id)n;
	else
		engine->cfg.granularity = (enum granularity)n;
	if (engine_controllers(engine, &err) < 0) {
		engine->cfg = before;
		talk_notice(&engine->talk, "%.190s", err.msg);
		return;
	}
	talk_event(&engine->talk, LOG_EVENT, "policy: CPU %s, memory %s, granularity %s",
		cpu_policy_name(engine->cfg.cpu_policy), mem_policy_name(engine->cfg.mem_policy),
		granularity_name(engine->cfg.granularity));
}

static void set_interval(struct engine *engine, const struct command *cmd)
{
	if (!(cmd->number >= 0.2 && cmd->number <= 3600))
		return;
	engine->cfg.delay_s = cmd->number;
	int64_t next = engine->pace.start_ns + (int64_t)(cmd->number * 1e9),
		now = engine->backend->ops->now(engine->backend);
	engine->pace.next_tick_ns = max_of(next, now);
}

/* A change by hand waits for the sample of the next step. */
static void ask(struct engine *engine, const struct command *cmd)
{
	if (!manual_ask(&engine->changes, cmd) &&
		engine->course->live) /* in a jump all that was asked comes at once */
		talk_notice(&engine->talk, "too many changes at once: the last was not taken, give it again");
	engine_soon(engine);
}

static void ask_change(struct engine *engine, const struct command *cmd)
{
	if (changes_allowed(&engine->changes))
		ask(engine, cmd);
}

static void want_period(struct engine *engine, const struct command *cmd)
{
	if (!changes_allowed(&engine->changes))
		return;
	engine->stats_on = cmd->on;
	ask(engine, cmd);
}

static void want_rebalance(struct engine *engine, const struct command *cmd)
{
	if (!changes_allowed(&engine->changes))
		return;
	engine->wish.rebalance = true;
	engine->wish.rebalance_most = cmd->number > 0 ? (size_t)cmd->number : 0;
	engine_soon(engine);
}

static void want_memory(struct engine *engine, const struct command *cmd)
{
	(void)cmd;
	if (!changes_allowed(&engine->changes))
		return;
	engine->wish.memory = true;
	engine_soon(engine);
}

static void want_apply(struct engine *engine, const struct command *cmd)
{
	(void)cmd;
	if (!changes_allowed(&engine->changes))
		return;
	engine->wish.apply = engine->changes.preview.shown;
	engine_soon(engine);
}

static void want_preview(struct engine *engine, const struct command *cmd)
{
	(void)cmd;
	engine->wish.preview = true;
	engine_soon(engine);
}

static void drop_preview(struct engine *engine, const struct command *cmd)
{
	(void)cmd;
	preview_drop(&engine->changes);
}

static void leave_out(struct engine *engine, const struct command *cmd)
{
	preview_leave_out(&engine->changes, cmd->uuid, cmd->vcpu, cmd->on);
}

static void want_sample(struct engine *engine, const struct command *cmd)
{
	(void)cmd;
	engine->want_fresh = true;
	engine_soon(engine);
}

static void set_groups(struct engine *engine, const struct command *cmd)
{
	unsigned groups = cmd->number >= 0 ? (unsigned)cmd->number : 0;
	groups |= *engine->cfg.listen ? SAMPLE_BALLOON | SAMPLE_PCPUS : 0; /* metrics have them all */
	engine->want_fresh = groups & ~engine->groups & SAMPLE_BALLOON || engine->want_fresh;
	engine->groups = groups;
}

static void add_mark(struct engine *engine, const struct command *cmd)
{
	char text[240];
	text_escape(text, sizeof text, cmd->text);
	talk_event(&engine->talk, LOG_MARK, "mark: %s", text);
}

static void end_recording(struct engine *engine)
{
	if (*engine->status.recording)
		talk_event(&engine->talk, LOG_EVENT, "recording ends: %s", engine->status.recording);
	engine_uses(engine, backend_record_end(engine->backend));
}

/* Between two steps: the layers below do not notice. It begins with the settings that are in force now. */
static void set_record(struct engine *engine, const struct command *cmd)
{
	struct err err = ERR_INIT;
	struct config *cfg = cmd->on ? malloc(sizeof *cfg) : NULL;
	struct backend *backend = NULL;
	end_recording(engine);
	if (cfg) {
		*cfg = engine->cfg;
		snprintf(cfg->record, sizeof cfg->record, "%s", cmd->text);
		backend = backend_record_begin(engine->backend, cfg, &err);
		free(cfg);
	}
	engine_uses(engine, backend ? backend : engine->backend);
	if (backend) {
		talk_event(&engine->talk, LOG_EVENT, "recording begins: %s", engine->status.recording);
		engine_soon(engine); /* however soon it ends, it holds something */
	} else if (cmd->on)
		talk_notice(&engine->talk, "not recorded: %.250s", err.code ? err.msg : "out of memory");
}

static void set_quit(struct engine *engine, const struct command *cmd)
{
	engine->quit = true;
	engine->quit_restore = cmd->on;
}

/* Of a recording. */
static void play(struct engine *engine, const struct command *cmd)
{
	engine->course->plays(engine, cmd);
}

static void nothing(struct engine *engine, const struct command *cmd)
{
	(void)engine;
	(void)cmd;
}

#define OBEY(kind, obey, word, late, choice) [kind] = (obey),
static void (*const obeys[COMMAND_COUNT])(struct engine *en, const struct command *c) = {COMMAND_TABLE(OBEY)};
#undef OBEY

void engine_obey(struct engine *engine, const struct command *cmd)
{
	if ((unsigned)cmd->kind < COMMAND_COUNT)
		obeys[cmd->kind](engine, cmd);
}

void engine_command(struct engine *engine, const struct command *cmd)
{
	if (engine->course->refuses(engine, cmd))
		return;
	backend_obeyed(engine->backend, cmd);
	engine_obey(engine, cmd);
}
