/* SPDX-License-Identifier: MIT */
/* A recording as a workload: the simulated host wants what the recorded one wanted, begins as it began, and a
 * policy makes of it what it would have made. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/recorded.h"
#include "vmtop/engine.h"
#include "vmtop/record.h"
#include "vmtop/scenario.h"
#include "vmtop/settings.h"
#include "vmtop/subcommand.h"
#include "vmtop/trace.h"

static void config(struct config *cfg, double delay_s)
{
	config_defaults(cfg);
	cfg->batch = true;
	cfg->granularity = GRAN_CPU;
	cfg->delay_s = delay_s;
}

/* Records a scenario without steering and reads it back as a trace. */
static struct trace *traced(struct config *cfg, const char *scenario, int steps)
{
	struct err e = ERR_INIT;
	char path[256];
	snprintf(cfg->record, sizeof cfg->record, "%s", recorded_path(path, "trace.rec"));
	unlink(path);
	recorded_run(cfg, scenario, steps, NULL, NULL);
	cfg->record[0] = '\0';
	snprintf(cfg->replay, sizeof cfg->replay, "%s", path);
	struct trace *t = trace_read(cfg, 5, &e);
	if (!t)
		fail_msg("%s", e.msg);
	cfg->replay[0] = '\0';
	return t;
}

struct outcome_of_run {
	struct sim_report report;
	double mean_pct, final_pct;
	struct snapshot *last;
};

static struct outcome_of_run run(const struct trace *t, const struct config *base, int cpu, int memory)
{
	struct config cfg = *base;
	struct err e = ERR_INIT;
	struct outcome_of_run o = {.mean_pct = 0};
	int n = 0;
	cfg.auto_cpu = cpu >= 0;
	cfg.auto_memory = memory >= 0;
	cfg.cpu_policy = (enum cpu_policy_id)(cpu >= 0 ? cpu : 0);
	cfg.mem_policy = (enum mem_policy_id)(memory >= 0 ? memory : 0);
	cfg.on_exit = ON_EXIT_KEEP;
	struct backend *b = trace_backend(t, 1, INFINITY, &e);
	assert_non_null(b);
	struct engine *en = engine_new(&cfg, b, &e);
	assert_non_null(en);
	do {
		engine_step(en, &e);
		sim_report_get(b, &o.report);
		o.mean_pct += o.final_pct = o.report.stddev_pct;
		n++;
	} while (engine_wait(en, -1));
	o.mean_pct /= n;
	sim_report_get(b, &o.report);
	o.last = engine_snapshot(en);
	engine_free(en);
	return o;
}

/* What was recorded without steering comes out again without steering. */
static void test_same_demand(void **state)
{
	(void)state;
	static const char *const scenarios[] = {"cpu1", "cpu7", "multi", "demo"};
	for (size_t i = 0; i < 4; i++) {
		struct config cfg;
		config(&cfg, 1);
		struct trace *t = traced(&cfg, scenarios[i], 90);
		const struct trace_facts *f = trace_facts(t);
		assert_int_equal(f->ticks, 90);
		assert_int_equal(f->pins, 0);
		struct outcome_of_run o = run(t, &cfg, -1, -1);
		if (fabs(o.mean_pct - f->mean_pct) > 4)
			fail_msg("%s: deviation %.1f recorded, %.1f in the trace", scenarios[i], f->mean_pct,
				o.mean_pct);
		assert_int_equal(o.report.pins, 0);
		assert_int_equal(o.last->sample.host.n_pcpus, f->pcpus);
		snapshot_free(o.last);
		trace_free(t);
	}
}

/* Case 1 of the course: eight VMs on one pCPU of four. Six moves are enough, and nobody starves after them.
 */
static void test_policies_differ(void **state)
{
	(void)state;
	struct config cfg;
	config(&cfg, 1);
	struct trace *t = traced(&cfg, "cpu1", 60);
	struct outcome_of_run none = run(t, &cfg, -1, -1), minmove = run(t, &cfg, CPU_POLICY_MINMOVE, -1),
			      c = run(t, &cfg, CPU_POLICY_ORIGIN_C, -1);
	assert_true(none.final_pct > 20 && minmove.final_pct < 5 && c.final_pct < 5);
	assert_in_range(minmove.report.pins, 6, 9);
	if (minmove.report.waiting_vcpu_s > none.report.waiting_vcpu_s * .7)
		fail_msg("waits %.0f s, %.0f without", minmove.report.waiting_vcpu_s,
			none.report.waiting_vcpu_s);
	snapshot_free(none.last);
	snapshot_free(minmove.last);
	snapshot_free(c.last);
	/* The same again gives the same. */
	struct outcome_of_run again = run(t, &cfg, CPU_POLICY_MINMOVE, -1);
	assert_true(again.mean_pct == minmove.mean_pct && again.report.pins == minmove.report.pins);
	snapshot_free(again.last);
	trace_free(t);
}

/* Four guests that eat at once: the recorded need makes the balloons grow. */
static void test_memory(void **state)
{
	(void)state;
	struct config cfg;
	config(&cfg, 2);
	cfg.stats_period_s = 2;
	struct trace *t = traced(&cfg,
		"host\n\tpcpus 4\n\tmemory 12G\n\tused 1G\nvm eater x4\n\tmemory 512M max 2G\n\tbase 150M\n"
		"\tswap 4G\n\tstats 2\n\tload 5%\n\teat 18M/s to 1200M after 20s hold 40s\n",
		80);
	assert_true(trace_facts(t)->has_memory);
	struct outcome_of_run none = run(t, &cfg, -1, -1), wm = run(t, &cfg, -1, MEM_POLICY_WATERMARK);
	assert_int_equal(none.report.balloons, 0);
	assert_in_range(wm.report.balloons, 4, 40); /* each grows, and few more are needed */
	assert_true(wm.report.starved_guest_s <= none.report.starved_guest_s);
	assert_int_equal(wm.report.oom_kills, 0);
	snapshot_free(none.last);
	snapshot_free(wm.last);
	trace_free(t);
}

/* VMs that come, go, gain and lose vCPUs; topology, rules and names. */
static void test_layout(void **state)
{
	(void)state;
	struct config cfg;
	config(&cfg, 2);
	struct trace *t = traced(&cfg, "churn", 120);
	struct outcome_of_run o = run(t, &cfg, CPU_POLICY_MINMOVE, -1);
	assert_true(trace_facts(t)->vms >= o.last->sample.n_vms && o.last->sample.n_vms > 0);
	snapshot_free(o.last);
	trace_free(t);
	config(&cfg, 1);
	t = traced(&cfg,
		"host\n\tpcpus 8\n\tnodes 2\n\tsmt 2\n\tmemory 16G\nvm \"a\\xffb*\"\n\tvcpus 2\n\tload 50%\n"
		"\tcpuset 4-7\n\tpin 5\nvm \"a?\"\n\tvcpus 1\n\tload 20%\n",
		10);
	o = run(t, &cfg, -1, -1);
	const struct sample *s = &o.last->sample;
	assert_int_equal(s->n_vms, 2);
	assert_int_equal(s->host.n_nodes, 2);
	for (size_t i = 0; i < s->n_vms; i++) {
		const struct vcpu_sample *v = &s->vcpus[s->vms[i].first_vcpu];
		if (s->vms[i].n_vcpus == 2) {
			assert_int_equal(cpuset_first(&v->affinity), 5);
			assert_int_equal(cpuset_count(&v->affinity), 1);
			assert_int_equal(cpuset_first(&v->allowed), 4);
			assert_int_equal(cpuset_count(&v->allowed), 4);
		}
	}
	assert_int_equal(s->host.pcpus[7].node, 1);
	snapshot_free(o.last);
	trace_free(t);
}

static void test_too_short(void **state)
{
	(void)state;
	struct config cfg;
	struct err e = ERR_INIT;
	char path[256];
	config(&cfg, 1);
	snprintf(cfg.record, sizeof cfg.record, "%s", recorded_path(path, "short.rec"));
	recorded_run(&cfg, "cpu1", 2, NULL, NULL);
	snprintf(cfg.replay, sizeof cfg.replay, "%s", path);
	assert_null(trace_read(&cfg, 5, &e));
	assert_non_null(strstr(e.msg, "is too short: 2 ticks, and at least three are needed"));
}

/* Neither compare nor report makes numbers of a host that has no pCPUs. */
static void test_no_pcpus(void **state)
{
	(void)state;
	struct config cfg;
	struct err e = ERR_INIT;
	char path[256], dir[256];
	config(&cfg, 1);
	snprintf(cfg.record, sizeof cfg.record, "%s", recorded_path(path, "bare.rec"));
	recorded_run(&cfg, "cpu1", 6, NULL, NULL);
	recorded_spoil(path, "DELETE FROM pcpu_fact; DELETE FROM pcpu_tick");
	snprintf(cfg.replay, sizeof cfg.replay, "%s", path);
	assert_null(trace_read(&cfg, 5, &e));
	assert_non_null(strstr(e.msg, "holds no pCPU that VMs may use"));
	struct sub_line line = {.words = {path, recorded_path(dir, "report")}, .n_words = 2};
	assert_int_equal(report_run(&line, &e), -1);
	assert_non_null(strstr(e.msg, "nothing to draw: 6 ticks, 0 pCPUs"));
}

static void test_settle(void **state)
{
	(void)state;
	struct settle s = {-1, -1};
	for (int i = 0; i < 60; i++)
		settle_feed(&s, i, (i >= 5 && i < 12) || i >= 20);
	assert_true(s.found_s == 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_demand),
		cmocka_unit_test(test_policies_differ),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_too_short),
		cmocka_unit_test(test_no_pcpus),
		cmocka_unit_test(test_settle),
	};
	return cmocka_run_group_tests(tests, NULL, recorded_teardown);
}
