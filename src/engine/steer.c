/* SPDX-License-Identifier: MIT */
/* Between a step and the room of changes: what AUTO does goes there and comes back, and the controllers hear
 * what became of their plans. */
#include "priv.h"

/* What AUTO does, to and from the changes. */
static struct steering steering_of(const struct engine *en)
{
	return (struct steering){en->cfg.auto_cpu, en->cfg.auto_memory, en->stats_on};
}

static void steer(struct engine *en, const struct steering *on)
{
	en->cfg.auto_cpu = on->cpu;
	en->cfg.auto_memory = on->memory;
	en->stats_on = on->stats;
}

void steer_claim(struct engine *en)
{
	struct steering on = steering_of(en);
	bool again = owner_step(&en->changes, &on);
	steer(en, &on);
	if (again)
		engine_announce(en, "nobody else steers this host any more");
}

static bool of_memory(enum action_kind k)
{
	return k == ACTION_BALLOON || k == ACTION_PERIOD;
}

static bool plan_has(const struct plan *p, bool memory)
{
	for (size_t i = 0; i < p->n; i++)
		if (of_memory(p->actions[i].kind) == memory)
			return true;
	return false;
}

void steer_apply(struct engine *en, const struct round *cpu, const struct round *memory)
{
	struct err e = ERR_INIT;
	struct steering on = steering_of(en);
	if (!en->plan.n)
		return;
	if (en->cfg.dry_run) {
		changes_dry(&en->changes);
		return;
	}
	enum carried how = changes_carry_out(&en->changes, &on, &e);
	steer(en, &on);
	if (how == NO_JOURNAL)
		auto_pause_all(en, PAUSE_JOURNAL, e.msg);
	if (cpu && plan_has(&en->plan, false)) {
		cpu_ctl_applied(en->cpu, cpu, &en->plan);
		shares_ctl_applied(en->shares, cpu, &en->plan);
	}
	if (memory && plan_has(&en->plan, true))
		mem_ctl_applied(en->mem, memory, &en->plan);
}
