/* SPDX-License-Identifier: MIT */
/* Settings that are read again in the middle of a run: what counts from then on, and what stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/run_scenario.h"
#include "vmtop/engine.h"

static struct engine *begin(struct config *cfg, const char *scenario)
{
	struct err e = ERR_INIT;
	struct engine *en = engine_new(cfg, run_open(scenario), &e);
	if (!en)
		fail_msg("%s", e.msg);
	return en;
}

static struct snapshot *steps(struct engine *en, int n)
{
	struct err e = ERR_INIT;
	for (int i = 0; i < n; i++) {
		assert_int_equal(engine_step(en, &e), 0);
		assert_true(engine_wait(en, -1));
	}
	return engine_snapshot(en);
}

static double demand_after(bool again)
{
	struct config cfg;
	run_config(&cfg, false, false, 1);
	cfg.demand_ewma_s = 1000;
	struct engine *en = begin(&cfg, "vm a\n load 20%\nat 10s load a 23%\n");
	snapshot_free(steps(en, 8));
	cfg.demand_ewma_s = 0.1;
	if (again)
		engine_configure(en, &cfg);
	struct snapshot *s = steps(en, 8);
	double demand = s->vcpu_rates[0].demand_pct.v;
	snapshot_free(s);
	engine_free(en);
	return demand;
}

static void the_smoothing_of_demand_counts_at_once(void **state)
{
	(void)state;
	assert_float_equal(demand_after(false), 20, .3);
	assert_float_equal(demand_after(true), 23, .3);
}

static void what_belongs_to_the_start_stays(void **state)
{
	(void)state;
	struct config cfg;
	run_config(&cfg, false, false, 1);
	cfg.readonly = true;
	struct engine *en = begin(&cfg, "vm a\n load 20%\n");
	cfg.readonly = false;
	cfg.auto_cpu = cfg.auto_memory = true;
	cfg.delay_s = 3;
	cfg.cpu_policy = CPU_POLICY_ORIGIN_B;
	engine_configure(en, &cfg);
	struct snapshot *s = steps(en, 2);
	assert_true(s->readonly);
	assert_false(s->auto_cpu || s->auto_memory);
	assert_int_equal(s->cpu_policy, CPU_POLICY_ORIGIN_B);
	assert_float_equal(s->delay_s, 3, 0);
	assert_non_null(strstr(s->log[s->n_log - 1].text, "settings read again: CPU MANUAL origin-b"));
	snapshot_free(s);
	engine_free(en);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_smoothing_of_demand_counts_at_once),
		cmocka_unit_test(what_belongs_to_the_start_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
