/* SPDX-License-Identifier: MIT */
/* New settings for a running engine. Invariant: what was decided by the connection or the output at the start
 * does not change, and controllers that need not be new keep what they know. */
#include <stdlib.h>
#include <string.h>

#include "priv.h"

/* What was settled before the engine began. */
static void keep_what_stays(struct config *to, const struct config *was)
{
	memcpy(to->uri, was->uri, sizeof to->uri);
	memcpy(to->record, was->record, sizeof to->record);
	memcpy(to->replay, was->replay, sizeof to->replay);
	memcpy(to->listen, was->listen, sizeof to->listen);
	to->record_keep_s = was->record_keep_s;
	to->record_size_kib = was->record_size_kib;
	to->virtual_time = was->virtual_time;
	to->readonly = was->readonly;
	to->format = was->format;
	to->batch = was->batch;
	to->iterations = was->iterations;
	to->end_after_s = was->end_after_s;
}

void engine_configure(struct engine *engine, const struct config *cfg)
{
	struct err err = ERR_INIT;
	struct config *was = malloc(sizeof *was);
	if (!was) {
		engine_complain(engine, "the settings stay as they are: out of memory");
		return;
	}
	*was = engine->cfg;
	engine->cfg = *cfg;
	keep_what_stays(&engine->cfg, was);
	bool other = cfg->cpu_policy != was->cpu_policy || cfg->mem_policy != was->mem_policy ||
		     cfg->granularity != was->granularity;
	if (other && engine_controllers(engine, &err) < 0) {
		engine->cfg = *was;
		engine_complain(engine, "the settings stay as they are: %s", err.msg);
		free(was);
		return;
	}
	if ((cfg->auto_cpu || cfg->auto_memory) && !changes_allowed(&engine->changes))
		engine->cfg.auto_cpu = engine->cfg.auto_memory = false;
	model_tune(&engine->model, &engine->cfg);
	backend_configured(engine->backend, was, &engine->cfg);
	free(was);
	auto_settled(engine, PAUSE_CPU);
	auto_settled(engine, PAUSE_MEMORY);
	engine->pauses.stats = false;
	engine->stats_on = cfg->stats_period_s > 0;
	engine->changes.waits = (struct steering){false, false, false};
	engine_obey(engine, &(struct command){.kind = CMD_INTERVAL, .number = cfg->delay_s});
	engine_announce(engine, "settings read again");
}
