/* SPDX-License-Identifier: MIT */
/* What the files of the engine share: its controllers, its backend, the next step, lines for the log.
 * Invariant: calls nothing of the engine's other files. */
#include <stdarg.h>
#include <stdio.h>

#include "priv.h"
#include "vmtop/text.h"

int engine_controllers(struct engine *engine, struct err *err)
{
	struct cpu_ctl *cpu = cpu_ctl_new(&engine->cfg, err);
	struct mem_ctl *mem = cpu ? mem_ctl_new(&engine->cfg, err) : NULL;
	if (!mem) {
		cpu_ctl_free(cpu);
		return -1;
	}
	cpu_ctl_free(engine->cpu);
	mem_ctl_free(engine->mem);
	engine->cpu = cpu;
	engine->mem = mem;
	return 0;
}

void engine_uses(struct engine *engine, struct backend *backend)
{
	engine->backend = engine->talk.backend = engine->changes.backend = backend;
	backend->ops->status(backend, &engine->status);
}

void engine_soon(struct engine *engine)
{
	if (!engine->pace.due)
		engine->pace.tick = false;
	engine->pace.due = true;
}

bool engine_asked(const struct engine *engine)
{
	return wish_any(&engine->wish) || engine->changes.n_asked;
}

void engine_complain(struct engine *engine, const char *fmt, ...)
{
	char text[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	talk_event(&engine->talk, LOG_ERROR, "%s", text);
}

void engine_announce(struct engine *engine, const char *what)
{
	talk_event(&engine->talk, LOG_EVENT, "%s: CPU %s %s, memory %s %s, every %g s%s", what,
		engine->cfg.auto_cpu ? "AUTO" : "MANUAL", cpu_policy_name(engine->cfg.cpu_policy),
		engine->cfg.auto_memory ? "AUTO" : "MANUAL", mem_policy_name(engine->cfg.mem_policy),
		engine->cfg.delay_s, text_if(engine->cfg.dry_run, ", dry run"));
}
