/* SPDX-License-Identifier: MIT */
/* New settings for a running engine. Invariant: what was decided by the connection or the output at the start
 * does not change, and controllers that need not be new keep what they know. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "priv.h"

void engine_complain(struct engine *en, const char *fmt, ...)
{
	char text[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	talk_event(&en->talk, LOG_ERROR, "%s", text);
}

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

void engine_configure(struct engine *en, const struct config *cfg)
{
	struct err e = ERR_INIT;
	struct config *was = malloc(sizeof *was);
	if (!was) {
		engine_complain(en, "the settings stay as they are: out of memory");
		return;
	}
	*was = en->cfg;
	en->cfg = *cfg;
	keep_what_stays(&en->cfg, was);
	bool other = cfg->cpu_policy != was->cpu_policy || cfg->mem_policy != was->mem_policy ||
		     cfg->granularity != was->granularity;
	if (other && engine_controllers(en, &e) < 0) {
		en->cfg = *was;
		engine_complain(en, "the settings stay as they are: %s", e.msg);
		free(was);
		return;
	}
	if ((cfg->auto_cpu || cfg->auto_memory) && !changes_allowed(&en->changes))
		en->cfg.auto_cpu = en->cfg.auto_memory = false;
	model_tune(&en->model, &en->cfg);
	backend_configured(en->b, was, &en->cfg);
	free(was);
	auto_settled(en, PAUSE_CPU);
	auto_settled(en, PAUSE_MEMORY);
	en->pauses.stats = false;
	en->stats_on = cfg->stats_period_s > 0;
	en->changes.waits = (struct steering){false, false, false};
	engine_obey(en, &(struct command){.kind = CMD_INTERVAL, .number = cfg->delay_s});
	engine_announce(en, "settings read again");
}

void engine_announce(struct engine *en, const char *what)
{
	talk_event(&en->talk, LOG_EVENT, "%s: CPU %s %s, memory %s %s, every %g s%s", what,
		en->cfg.auto_cpu ? "AUTO" : "MANUAL", cpu_policy_name(en->cfg.cpu_policy),
		en->cfg.auto_memory ? "AUTO" : "MANUAL", mem_policy_name(en->cfg.mem_policy), en->cfg.delay_s,
		en->cfg.dry_run ? ", dry run" : "");
}
