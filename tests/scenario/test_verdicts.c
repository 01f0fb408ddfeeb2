/* SPDX-License-Identifier: MIT */
/* What a round says and leaves alone: each reason of minmove for not moving, in the verdict and in the JSON
 * of the same tick; a dry run that plans and logs but changes nothing; pins to whole units at each
 * granularity. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "support/run_scenario.h"
#include "vmtop/batch.h"

struct verdict_case {
	enum reason code;
	const char *scenario, *text;
	double min_gain_pct; /* 0: the default */
	int pins;
};

static const struct verdict_case cases[] = {
	{REASON_BALANCED, "cpu3", "0.0 %, found 0.0 %, no plan below 0.0 %, limit 5.0 %", 0, 0},
	/* two pCPUs have nothing whatever is done */
	{REASON_UNATTAINABLE, "host\n pcpus 8\nvm a x6\n load 60%\n pin each 0-5\n",
		"26.0 %, found 26.0 %, no plan below 26.0 %", 0, 0},
	/* one pCPU has three of them; that it must be so is more than the bound knows */
	{REASON_NO_BETTER, "host\n pcpus 8\nvm a x17\n load 30%\n pin each 0-7\n",
		"9.9 %, found 9.9 %, no plan below 0.0 %", 0, 0},
	/* eight moves a round, then three rounds of rest */
	{REASON_COOLDOWN, "host\n pcpus 4\nvm a x20\n load 15%\n pin 0\n", "found 0.0 %", 0, 15},
	{REASON_NOTHING_ALLOWED, "host\n pcpus 2\nvm a x4\n load 20%\n cpuset 0\n", "40.0 %", 0, 0},
	{REASON_HELD,
		"host\n pcpus 2\nvm a x4\n load 20%\n pin 0\nat 1s pin a-1 0\nat 1s pin a-2 0\n"
		"at 1s pin a-3 0\nat 1s pin a-4 0\n",
		"all 4 vCPUs are held", 0, 0},
	/* a swap would level it, and gain 36 per move: less than 10 x 10 */
	{REASON_NOT_WORTH, "host\n pcpus 2\nvm a x2\n load 28%\n pin 0\nvm b x2\n load 22%\n pin 1\n",
		"6.0 %, found 0.0 %", 10, 0},
};

struct seen {
	const struct verdict_case *c;
	int ticks;
};

/* The verdict as programs get it. */
static void check_json(const struct snapshot *s, const struct verdict_case *c)
{
	struct config cfg = {.format = OUT_JSON};
	struct err e = ERR_INIT;
	char *text = NULL;
	size_t len = 0;
	struct batch_out o = {.to = open_memstream(&text, &len), .cfg = &cfg};
	assert_int_equal(json_write(&o, s, &e), 0);
	fclose(o.to);
	json_t *root = json_loads(text, 0, NULL);
	const json_t *cpu = json_object_get(json_object_get(root, "host"), "cpu");
	assert_string_equal(json_string_value(json_object_get(cpu, "verdict")), reason_key(c->code));
	assert_true(json_is_real(json_object_get(cpu, "load_stddev_pct")));
	json_decref(root);
	free(text);
}

static void look_verdict(void *arg, const struct snapshot *s)
{
	struct seen *x = arg;
	if (s->first || s->cpu.why.code != x->c->code)
		return;
	x->ticks++;
	if (!strstr(s->cpu.why.text, x->c->text))
		fail_msg("%s: \"%s\" lacks \"%s\"", reason_key(x->c->code), s->cpu.why.text, x->c->text);
	assert_int_equal(s->n_actions, 0);
	check_json(s, x->c);
}

static void test_reasons(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct verdict_case *c = &cases[i];
		struct seen x = {.c = c};
		struct config cfg;
		struct run r;
		run_config(&cfg, true, false, 2);
		if (c->min_gain_pct > 0)
			cfg.min_gain_pct = c->min_gain_pct;
		run_scenario(&r, &(struct run_options){.scenario = c->scenario,
					 .cfg = &cfg,
					 .seconds = 60,
					 .look = look_verdict,
					 .arg = &x});
		if (x.ticks < 3)
			fail_msg("%s: seen %d times, the last is %s: %s", reason_key(c->code), x.ticks,
				reason_key(r.ticks[r.n - 1].cpu), r.ticks[r.n - 1].cpu_text);
		if (r.pins != c->pins)
			fail_msg("%s: %d pins", reason_key(c->code), r.pins);
		run_done(&r);
	}
}

/* --- in one breath: who was moved, how, and what it changed ------------------------------------------- */

static void test_rebalance_line(void **state)
{
	static const struct {
		const char *scenario;
		enum granularity per;
		const char *line;
	} rows[] = {
		{"cpu1", GRAN_CPU, "rebalanced: 6 vCPUs moved, deviation 207.8 -> 0.0 %"},
		{"cpu1", GRAN_AUTO,
			"rebalanced: 6 vCPUs given more pCPUs for the kernel to choose from, deviation 207.8 -> 0.0 %"},
		{"cpu3", GRAN_CPU, "no action: 0.0 % is within the limit of 5.0 %"},
		{"host\n pcpus 8\nvm a x6\n load 60%\n pin each 0-5\n", GRAN_CPU, "no action: "},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct config cfg;
		struct run r;
		bool said = false;
		run_config(&cfg, false, false, 2);
		cfg.granularity = rows[i].per;
		run_scenario(&r,
			&(struct run_options){
				.scenario = rows[i].scenario, .cfg = &cfg, .seconds = 10, .press_b_s = 5});
		for (size_t k = 0; k < r.last->n_log; k++)
			said |= !strncmp(r.last->log[k].text, rows[i].line, strlen(rows[i].line));
		for (size_t k = 0; k < r.last->n_log && !said; k++)
			print_error("%s\n", r.last->log[k].text);
		if (!said)
			fail_msg("%s: no line \"%s\"", rows[i].scenario, rows[i].line);
		run_done(&r);
	}
}

/* --- dry run ------------------------------------------------------------------------------------------ */

struct dry {
	size_t planned, others;
};

static void look_dry(void *arg, const struct snapshot *s)
{
	struct dry *d = arg;
	for (size_t i = 0; i < s->n_actions; i++)
		*(s->actions[i].outcome == OUTCOME_PLANNED ? &d->planned : &d->others) += 1;
}

static void test_dry_run(void **state)
{
	(void)state;
	for (enum cpu_policy_id p = CPU_POLICY_MINMOVE; p <= CPU_POLICY_ORIGIN_C; p++) {
		struct config cfg;
		struct run r;
		struct dry d = {0};
		size_t lines = 0;
		char per_pcpu[64];
		run_config(&cfg, true, true, 1);
		cfg.cpu_policy = p;
		cfg.dry_run = true;
		run_scenario(&r,
			&(struct run_options){
				.scenario = "cpu1", .cfg = &cfg, .seconds = 60, .look = look_dry, .arg = &d});
		assert_true(d.planned >= 6);
		assert_int_equal(d.others, 0);
		assert_int_equal(r.pins + r.balloons, 0);
		assert_string_equal(run_per_pcpu(&r, per_pcpu, sizeof per_pcpu), "8 0 0 0");
		for (size_t i = 0; i < r.last->n_log; i++)
			if (strstr(r.last->log[i].text, "vCPU 0: 0 -> ")) {
				/* What it would do, not only what it is. */
				assert_non_null(strstr(r.last->log[i].text, "it waits "));
				assert_non_null(strstr(r.last->log[i].text, " %, pCPU 0: "));
				lines++;
			}
		assert_true(lines >= 6);
		assert_true(r.last->dry_run);
		run_done(&r);
	}
}

/* --- granularity -------------------------------------------------------------------------------------- */

static int unit_of(const struct pcpu_sample *c, enum granularity g)
{
	return g == GRAN_CORE ? c->core : g == GRAN_LLC ? c->llc : g == GRAN_NODE ? c->node : c->id;
}

/* All pCPUs of one unit, and no others. */
static void look_units(void *arg, const struct snapshot *s)
{
	enum granularity g = *(enum granularity *)arg;
	for (size_t i = 0; i < s->n_actions; i++) {
		const struct cpuset *to = &s->actions[i].to;
		const struct pcpu_sample *first = NULL;
		for (size_t k = 0; k < s->sample.host.n_pcpus && !first; k++)
			if (cpuset_has(to, s->sample.host.pcpus[k].id))
				first = &s->sample.host.pcpus[k];
		assert_non_null(first);
		for (size_t k = 0; k < s->sample.host.n_pcpus; k++) {
			const struct pcpu_sample *c = &s->sample.host.pcpus[k];
			assert_int_equal(cpuset_has(to, c->id), unit_of(c, g) == unit_of(first, g));
		}
	}
}

static void test_whole_units(void **state)
{
	(void)state;
	static const struct {
		enum granularity g;
		int cpus;
	} rows[] = {{GRAN_CPU, 1}, {GRAN_CORE, 2}, {GRAN_LLC, 4}, {GRAN_NODE, 8}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct config cfg;
		struct run r;
		enum granularity g = rows[i].g;
		run_config(&cfg, true, false, 2);
		cfg.granularity = g;
		cfg.cross_node = true;
		run_scenario(
			&r, &(struct run_options){.scenario = "host\n pcpus 16\n smt 2\n llc 4\n nodes 2\n"
							      "vm a x16\n load 50%\n pin each 0-3\n",
				    .cfg = &cfg,
				    .seconds = 120,
				    .look = look_units,
				    .arg = &g});
		assert_true(r.pins >= 6); /* a node may keep one more than the other */
		size_t whole = 0;
		for (size_t k = 0; k < r.last->sample.n_vcpus; k++)
			whole += cpuset_count(&r.last->sample.vcpus[k].affinity) == rows[i].cpus;
		assert_true(whole >= 6);
		assert_int_equal(r.ticks[r.n - 1].cpu, REASON_BALANCED);
		run_done(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_rebalance_line),
		cmocka_unit_test(test_dry_run),
		cmocka_unit_test(test_whole_units),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
