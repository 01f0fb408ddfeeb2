/* SPDX-License-Identifier: MIT */
/* What a command does to the engine: the functions that the command table names. Invariant: commands change
 * settings and wishes only; what they lead to happens in the next step. */
#include <stdio.h>
#include <stdlib.h>

#include "priv.h"
#include "vmtop/minmax.h"
#include "vmtop/record.h"
#include "vmtop/text.h"

void engine_soon(struct engine *en)
{
	if (!en->pace.due)
		en->pace.tick = false;
	en->pace.due = true;
}

static struct vm_record *record_for(struct engine *en, const struct command *c)
{
	const struct vm_sample *vm = sample_vm_by_uuid(&en->sample, c->uuid);
	return vm ? ledger_get(&en->changes.ledger, vm->uuid, vm->name) : NULL;
}

static void set_hold(struct engine *en, const struct command *c)
{
	struct vm_record *r = record_for(en, c);
	char name[128];
	if (!r)
		return;
	r->memo.held = c->on;
	if (!c->on) {
		r->memo.fail_until_ns = 0;
		r->memo.released_ns = en->sample.time_ns;
		r->memo.rival_until_ns = 0;
		r->rivalries = 0;
		r->n_fought = 0;
	}
	text_escape(name, sizeof name, r->name);
	talk_event(&en->talk, LOG_EVENT, "%s %s", name, c->on ? "held: AUTO leaves it alone" : "released");
}

static void set_flag(struct engine *en, const struct command *c)
{
	struct vm_record *r = record_for(en, c);
	char name[128];
	if (!r)
		return;
	text_escape(name, sizeof name, r->name);
	if (c->kind == CMD_EXCLUDE) {
		r->memo.exclude_cpu = c->on;
		talk_event(&en->talk, LOG_EVENT, "%s %s CPU steering", name,
			c->on ? "excluded from" : "back in");
	} else {
		r->memo.stay_on_node = c->on;
		talk_event(&en->talk, LOG_EVENT, "%s %s", name,
			c->on ? "stays on its NUMA node" : "may leave its NUMA node");
	}
}

static void set_auto(struct engine *en, const struct command *c)
{
	bool *mode = c->kind == CMD_AUTO_CPU ? &en->cfg.auto_cpu : &en->cfg.auto_memory;
	if (c->on && !changes_allowed(&en->changes))
		return;
	*mode = c->on;
	*(c->kind == CMD_AUTO_CPU ? &en->changes.waits.cpu : &en->changes.waits.memory) = false;
	auto_settled(en, c->kind == CMD_AUTO_CPU ? PAUSE_CPU : PAUSE_MEMORY);
	en->pace.next_memory_ns = en->b->ops->now(en->b);
	talk_event(&en->talk, LOG_EVENT, "%s: %s", c->kind == CMD_AUTO_CPU ? "CPU" : "memory",
		c->on ? "AUTO" : "MANUAL");
}

static void set_policy(struct engine *en, const struct command *c)
{
	struct config before = en->cfg;
	struct err e = ERR_INIT;
	int n = (int)c->number;
	if (c->kind == CMD_CPU_POLICY)
		en->cfg.cpu_policy = (enum cpu_policy_id)n;
	else if (c->kind == CMD_MEM_POLICY)
		en->cfg.mem_policy = (enum mem_policy_id)n;
	else
		en->cfg.granularity = (enum granularity)n;
	if (engine_controllers(en, &e) < 0) {
		en->cfg = before;
		talk_notice(&en->talk, "%.190s", e.msg);
		return;
	}
	talk_event(&en->talk, LOG_EVENT, "policy: CPU %s, memory %s, granularity %s",
		cpu_policy_name(en->cfg.cpu_policy), mem_policy_name(en->cfg.mem_policy),
		granularity_name(en->cfg.granularity));
}

static void set_interval(struct engine *en, const struct command *c)
{
	if (!(c->number >= 0.2 && c->number <= 3600))
		return;
	en->cfg.delay_s = c->number;
	int64_t next = en->pace.start_ns + (int64_t)(c->number * 1e9), now = en->b->ops->now(en->b);
	en->pace.next_tick_ns = max_of(next, now);
}

/* A change by hand waits for the sample of the next step. */
static void ask(struct engine *en, const struct command *c)
{
	if (!manual_ask(&en->changes, c) && en->course->live) /* in a jump all that was asked comes at once */
		talk_notice(&en->talk, "too many changes at once: the last was not taken, give it again");
	engine_soon(en);
}

static void ask_change(struct engine *en, const struct command *c)
{
	if (changes_allowed(&en->changes))
		ask(en, c);
}

static void want_period(struct engine *en, const struct command *c)
{
	if (!changes_allowed(&en->changes))
		return;
	en->stats_on = c->on;
	ask(en, c);
}

static void want_rebalance(struct engine *en, const struct command *c)
{
	if (!changes_allowed(&en->changes))
		return;
	en->wish.rebalance = true;
	en->wish.rebalance_most = c->number > 0 ? (size_t)c->number : 0;
	engine_soon(en);
}

static void want_memory(struct engine *en, const struct command *c)
{
	(void)c;
	if (!changes_allowed(&en->changes))
		return;
	en->wish.memory = true;
	engine_soon(en);
}

static void want_apply(struct engine *en, const struct command *c)
{
	(void)c;
	if (!changes_allowed(&en->changes))
		return;
	en->wish.apply = en->changes.preview.shown;
	engine_soon(en);
}

static void want_preview(struct engine *en, const struct command *c)
{
	(void)c;
	en->wish.preview = true;
	engine_soon(en);
}

static void drop_preview(struct engine *en, const struct command *c)
{
	(void)c;
	preview_drop(&en->changes);
}

static void leave_out(struct engine *en, const struct command *c)
{
	preview_leave_out(&en->changes, c->uuid, c->vcpu, c->on);
}

static void want_sample(struct engine *en, const struct command *c)
{
	(void)c;
	en->want_fresh = true;
	engine_soon(en);
}

static void set_groups(struct engine *en, const struct command *c)
{
	unsigned groups = c->number >= 0 ? (unsigned)c->number : 0;
	groups |= *en->cfg.listen ? SAMPLE_BALLOON | SAMPLE_PCPUS : 0; /* metrics have them all */
	en->want_fresh = groups & ~en->groups & SAMPLE_BALLOON || en->want_fresh;
	en->groups = groups;
}

static void add_mark(struct engine *en, const struct command *c)
{
	char text[240];
	text_escape(text, sizeof text, c->text);
	talk_event(&en->talk, LOG_MARK, "mark: %s", text);
}

static void end_recording(struct engine *en)
{
	if (*en->status.recording)
		talk_event(&en->talk, LOG_EVENT, "recording ends: %s", en->status.recording);
	engine_uses(en, backend_record_end(en->b));
}

/* Between two steps: the layers below do not notice. It begins with the settings that are in force now. */
static void set_record(struct engine *en, const struct command *c)
{
	struct err e = ERR_INIT;
	struct config *cfg = c->on ? malloc(sizeof *cfg) : NULL;
	struct backend *b = NULL;
	end_recording(en);
	if (cfg) {
		*cfg = en->cfg;
		snprintf(cfg->record, sizeof cfg->record, "%s", c->text);
		b = backend_record_begin(en->b, cfg, &e);
		free(cfg);
	}
	engine_uses(en, b ? b : en->b);
	if (b) {
		talk_event(&en->talk, LOG_EVENT, "recording begins: %s", en->status.recording);
		engine_soon(en); /* however soon it ends, it holds something */
	} else if (c->on)
		talk_notice(&en->talk, "not recorded: %.250s", e.code ? e.msg : "out of memory");
}

static void set_quit(struct engine *en, const struct command *c)
{
	en->quit = true;
	en->quit_restore = c->on;
}

static void nothing(struct engine *en, const struct command *c)
{
	(void)en;
	(void)c;
}

#define OBEY(kind, obey, word, late, choice) [kind] = (obey),
static void (*const obeys[COMMAND_COUNT])(struct engine *en, const struct command *c) = {COMMAND_TABLE(OBEY)};
#undef OBEY

void engine_obey(struct engine *en, const struct command *c)
{
	if ((unsigned)c->kind < COMMAND_COUNT)
		obeys[c->kind](en, c);
}

void engine_command(struct engine *en, const struct command *c)
{
	if (en->course->refuses(en, c))
		return;
	backend_obeyed(en->b, c);
	engine_obey(en, c);
}
