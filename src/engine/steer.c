/* SPDX-License-Identifier: MIT */
/* Between a step and the room of changes: what AUTO does goes there and comes back, and the controllers hear
 * what became of their plans. */
#include "priv.h"

/* What AUTO does, to and from the changes. */
static struct steering steering_of(const struct engine *engine)
{
	return (struct steering){engine->cfg.auto_cpu, engine->cfg.auto_memory, engine->stats_on};
}

static void steer(struct engine *engine, const struct steering *on)
{
	engine->cfg.auto_cpu = on->cpu;
	engine->cfg.auto_memory = on->memory;
	engine->stats_on = on->stats;
}

void steer_claim(struct engine *engine)
{
	struct steering on = steering_of(engine);
	bool again = owner_step(&engine->changes, &on);
	steer(engine, &on);
	if (again)
		engine_announce(engine, "nobody else steers this host any more");
}

static bool of_memory(enum action_kind kind)
{
	return kind == ACTION_BALLOON || kind == ACTION_PERIOD;
}

static bool plan_has(const struct plan *plan, bool memory)
{
	for (size_t i = 0; i < plan->n; i++)
		if (of_memory(plan->actions[i].kind) == memory)
			return true;
	return false;
}

void steer_apply(struct engine *engine, const struct round *cpu, const struct round *memory)
{
	struct err err = ERR_INIT;
	struct steering on = steering_of(engine);
	if (!engine->plan.n)
		return;
	if (engine->cfg.dry_run) {
		changes_dry(&engine->changes);
		return;
	}
	enum carried how = changes_carry_out(&engine->changes, &on, &err);
	steer(engine, &on);
	if (how == NO_JOURNAL)
		auto_pause_all(engine, PAUSE_JOURNAL, err.msg);
	if (cpu && plan_has(&engine->plan, false)) {
		cpu_ctl_applied(engine->cpu, cpu, &engine->plan);
		shares_ctl_applied(engine->shares, cpu, &engine->plan);
	}
	if (memory && plan_has(&engine->plan, true))
		mem_ctl_applied(engine->mem, memory, &engine->plan);
}
