/* SPDX-License-Identifier: MIT */
/* Scenarios: any text is refused with its line or makes a host on which the whole engine, both controllers
 * on, runs without breaking the invariants of plans. */
#include "fuzz.h"
#include "support/plan_check.h"
#include "vmtop/engine.h"
#include "vmtop/scenario.h"

enum { STEPS = 12, BIG = 64 };

static void run(struct scenario *s)
{
	struct config *cfg = malloc(sizeof *cfg);
	struct err e = ERR_INIT;
	FUZZ_HOLDS(cfg);
	config_defaults(cfg);
	cfg->auto_cpu = cfg->auto_memory = cfg->batch = true;
	cfg->delay_s = 3;
	struct backend *b = backend_sim_new(s, true, &e);
	struct engine *en = b ? engine_new(cfg, b, &e) : NULL;
	for (int i = 0; en && i < STEPS; i++) {
		engine_step(en, &e);
		struct snapshot *snap = engine_snapshot(en);
		FUZZ_HOLDS(snap);
		struct plan p = {snap->actions, snap->n_actions, snap->n_actions};
		const char *broken = plan_check(&p, &snap->sample);
		if (broken)
			fprintf(stderr, "%s\n", broken);
		FUZZ_HOLDS(!broken);
		snapshot_free(snap);
		if (!engine_wait(en, -1))
			break;
	}
	if (en)
		engine_leave(en, true);
	engine_free(en);
	free(cfg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	char *text = fuzz_text(data, size);
	struct scenario *s = scenario_parse("fuzz", text, size, &e);
	free(text);
	FUZZ_HOLDS(s || e.msg[0]);
	if (!s)
		return 0;
	if (s->n_vcpus > BIG || s->n_pcpus > BIG) /* takes long and finds nothing new */
		scenario_free(s);
	else
		run(s);
	return 0;
}
