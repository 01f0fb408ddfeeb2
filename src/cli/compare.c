/* SPDX-License-Identifier: MIT */
/* vmtop compare: each policy on a simulated host, a scenario's or one that wants what a recorded one wanted.
 * Invariant: every run of an input and seed sees the same demand, host and start; they differ in policy
 * alone, and one of them steers nothing. Totals are the simulator's truth. Nothing real is touched. */
#include "compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/array.h"
#include "vmtop/engine.h"
#include "vmtop/minmax.h"
#include "vmtop/quantity.h"
#include "vmtop/record.h"
#include "vmtop/settings.h"
#include "vmtop/subcommand.h"
#include "vmtop/text.h"

enum { RUNS_MAX = 10000 };
static const double scenario_s = 600; /* when neither it nor the command line has an end */

/* What the command line asks for. */
struct wanted {
	int cpu[SUB_WORDS], memory[SUB_WORDS];
	size_t n_cpu, n_memory;
	uint64_t seeds[SUB_WORDS];
	size_t n_seeds;
};

static int policy_by_name(const char *name, bool memory)
{
	for (int i = 0; i < (memory ? (int)MEM_POLICY_COUNT : (int)CPU_POLICY_COUNT); i++)
		if (strcmp(name, memory ? mem_policy_name((enum mem_policy_id)i)
					: cpu_policy_name((enum cpu_policy_id)i)) == 0)
			return i;
	return COMPARE_NONE;
}

static struct run *add_run(struct comparison *cmp, const struct run *r, struct err *err)
{
	if (cmp->n == RUNS_MAX) {
		err_set(err, ERR_USAGE, "compare: more than %d runs", RUNS_MAX);
		return NULL;
	}
	struct run *run = array_more(&cmp->runs, &cmp->n, &cmp->cap, RUNS_MAX, sizeof *run);
	if (run)
		*run = *r;
	else
		err_set(err, ERR_NOMEM, "out of memory");
	return run;
}

static bool planned(const struct comparison *cmp, const struct run *run)
{
	for (size_t i = 0; i < cmp->n; i++)
		if (!cmp->runs[i].recorded && cmp->runs[i].input == run->input &&
			cmp->runs[i].cpu == run->cpu && cmp->runs[i].memory == run->memory)
			return true;
	return false;
}

/* This pair of policies, once for each seed. */
static int add_runs(struct comparison *cmp, size_t input, int cpu, int memory, const struct wanted *wanted,
	struct err *err)
{
	struct run run = {.input = input, .cpu = cpu, .memory = memory, .seed = cmp->inputs[input].seed};
	if (planned(cmp, &run))
		return 0;
	for (size_t i = 0; i < cmp->n_seeds; i++) {
		if (wanted->n_seeds)
			run.seed = wanted->seeds[i];
		if (!add_run(cmp, &run, err))
			return -1;
	}
	return 0;
}

/* Without names each policy alone, those of memory where there is something to steer; else each named CPU
 * policy with each named memory policy. Nothing at all comes first, always. */
static int plan_input(struct comparison *cmp, size_t input, const struct wanted *wanted, struct err *err)
{
	static const int none = COMPARE_NONE;
	const struct trace_facts *facts = &cmp->inputs[input].is;
	const int *cpu = wanted->n_cpu ? wanted->cpu : &none,
		  *memory = wanted->n_memory ? wanted->memory : &none;
	size_t n_cpu = max_of(wanted->n_cpu, 1), n_memory = max_of(wanted->n_memory, 1);
	bool all = !wanted->n_cpu && !wanted->n_memory;
	struct run recorded = {.input = input, .recorded = true, .mean_pct = facts->mean_pct};
	recorded.final_pct = facts->final_pct;
	recorded.balanced_s = facts->balanced_s;
	recorded.is.pins = facts->pins;
	recorded.is.balloons = facts->balloons;
	if (cmp->inputs[input].trace && !add_run(cmp, &recorded, err))
		return -1;
	int r = add_runs(cmp, input, COMPARE_NONE, COMPARE_NONE, wanted, err);
	for (int i = 0; r == 0 && all && i < CPU_POLICY_COUNT; i++)
		r = add_runs(cmp, input, i, COMPARE_NONE, wanted, err);
	for (int i = 0; r == 0 && all && facts->has_memory && i < MEM_POLICY_COUNT; i++)
		r = add_runs(cmp, input, COMPARE_NONE, i, wanted, err);
	for (size_t i = 0; r == 0 && i < n_cpu; i++)
		for (size_t k = 0; r == 0 && k < n_memory; k++)
			r = add_runs(cmp, input, cpu[i], memory[k], wanted, err);
	return r;
}

static void run_config(struct config *to, const struct input *input, const struct run *run)
{
	*to = input->cfg;
	to->replay[0] = to->record[0] = '\0';
	to->batch = to->yes = to->virtual_time = true;
	to->dry_run = to->readonly = false;
	to->on_exit = ON_EXIT_KEEP;
	to->auto_cpu = run->cpu != COMPARE_NONE;
	to->auto_memory = run->memory != COMPARE_NONE;
	to->cpu_policy = (enum cpu_policy_id)(run->cpu != COMPARE_NONE ? run->cpu : 0);
	to->mem_policy = (enum mem_policy_id)(run->memory != COMPARE_NONE ? run->memory : 0);
}

static void run_loop(struct engine *engine, const struct backend *backend, struct run *run, double limit_pct)
{
	struct settle settle = {-1, -1};
	double sum = 0;
	long ticks = 0;
	do {
		struct err err = ERR_INIT;
		engine_step(engine, &err);
		sim_report_get(backend, &run->is);
		if (run->is.time_s <= 0)
			continue;
		sum += run->final_pct = run->is.stddev_pct;
		ticks++;
		settle_feed(&settle, run->is.time_s, run->is.stddev_pct <= limit_pct);
	} while (engine_wait(engine, -1));
	sim_report_get(backend, &run->is);
	run->mean_pct = ticks ? sum / (double)ticks : 0;
	run->balanced_s = settle.found_s;
}

/* The host of an input, to the end of the run. */
static struct backend *open_host(const struct input *input, uint64_t seed, struct err *err)
{
	if (input->trace)
		return trace_backend(input->trace, seed, input->is.seconds, err);
	struct scenario *scn = scenario_open(input->what, err);
	if (!scn)
		return NULL;
	scn->seed = seed;
	scn->end_ns = (int64_t)(input->is.seconds * 1e9);
	return backend_sim_new(scn, true, err);
}

static int run_one(const struct comparison *cmp, struct run *run, struct err *err)
{
	const struct input *input = &cmp->inputs[run->input];
	struct config *cfg = malloc(sizeof *cfg);
	struct backend *backend = cfg ? open_host(input, run->seed, err) : NULL;
	if (!backend) {
		free(cfg);
		return err->msg[0] ? -1 : err_set(err, ERR_NOMEM, "out of memory");
	}
	run_config(cfg, input, run);
	struct engine *engine = engine_new(cfg, backend, err);
	if (engine)
		run_loop(engine, backend, run, input->cfg.act_above_pct);
	engine_free(engine);
	free(cfg);
	return engine ? 0 : -1;
}

static int take_setting(
	struct config *cfg, const char *option, const char *key, const char *value, struct err *err)
{
	return setting_apply(cfg, setting_by_key(key), value, err) < 0
		       ? err_prefix(err, "compare: %s", option)
		       : 0;
}

static int take_set(struct config *cfg, const char *value, struct err *err)
{
	char key[48], option[60];
	const char *equals = strchr(value, '=');
	snprintf(key, sizeof key, "%.*s", (int)strcspn(value, "="), value);
	if (!equals || !setting_by_key(key)) {
		char shown[128];
		text_escape(shown, sizeof shown, value);
		return err_set(
			err, ERR_USAGE, "compare: --set: unknown key in '%.60s', see vmtop.conf(5)", shown);
	}
	snprintf(option, sizeof option, "--set %s", key);
	return take_setting(cfg, option, key, equals + 1, err);
}

static int take_seed(struct wanted *wanted, const char *value, struct err *err)
{
	char shown[64];
	int64_t seed;
	if (quantity_whole(value, 0, INT64_MAX, &seed)) {
		wanted->seeds[wanted->n_seeds++] = (uint64_t)seed;
		return 0;
	}
	text_escape(shown, sizeof shown, value);
	return err_set(
		err, ERR_USAGE, "compare: option --seed: bad value '%s', expected a whole number", shown);
}

/* What the command line says, onto the input's own configuration. */
static int take_line(const struct sub_line *line, struct config *cfg, struct err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < line->n_values; i++) {
		const char *value = line->values[i].value;
		switch (line->values[i].option) {
		case COMPARE_GRANULARITY:
			r = take_setting(cfg, "--granularity", "granularity", value, err);
			break;
		case COMPARE_END:
			r = take_setting(cfg, "--end-time", "end_time", value, err);
			break;
		case COMPARE_SET:
			r = take_set(cfg, value, err);
			break;
		default:
			break;
		}
	}
	return r;
}

static int take_wanted(const struct sub_line *line, struct wanted *wanted, bool *json, struct err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < line->n_values; i++) {
		const char *value = line->values[i].value;
		switch (line->values[i].option) {
		case COMPARE_CPU:
			wanted->cpu[wanted->n_cpu++] = policy_by_name(value, false);
			break;
		case COMPARE_MEMORY:
			wanted->memory[wanted->n_memory++] = policy_by_name(value, true);
			break;
		case COMPARE_SEED:
			r = take_seed(wanted, value, err);
			break;
		case COMPARE_JSON:
			*json = true;
			break;
		default:
			break;
		}
	}
	return r;
}

/* A text is a scenario, whatever its name, and what is named like one; what else cannot be read is left to
 * the reader of recordings, which says why. */
static bool is_text(const char *path)
{
	char head[512];
	size_t len = strlen(path);
	if (len > 4 && strcmp(path + len - 4, ".scn") == 0)
		return true;
	FILE *file = fopen(path, "re");
	size_t n = file ? fread(head, 1, sizeof head, file) : 0;
	if (file)
		fclose(file);
	return n > 0 && !memchr(head, '\0', n) && strncmp(head, "SQLite", min_of(n, 6)) != 0;
}

static bool steers_memory(const struct scenario *scn)
{
	for (size_t i = 0; i < scn->n_vms; i++)
		if (scn->vms[i].eat.rate_hi_kib_s > 0 || scn->vms[i].period_s > 0)
			return true;
	for (size_t i = 0; i < scn->n_ev; i++)
		if (scn->ev[i].kind == EV_EAT)
			return true;
	return false;
}

static int open_scenario(struct input *input, struct err *err)
{
	struct scenario *scn = scenario_open(input->what, err);
	if (!scn)
		return -1;
	input->seed = scn->seed;
	input->is = (struct trace_facts){.vms = scn->n_vms, .vcpus = scn->n_vcpus, .pcpus = scn->n_pcpus};
	input->is.seconds = scn->end_ns ? (double)scn->end_ns / 1e9 : scenario_s;
	input->is.has_memory = steers_memory(scn);
	snprintf(input->is.host, sizeof input->is.host, "%s", scn->hostname);
	scenario_free(scn);
	if (input->cfg.end_after_s > 0)
		input->is.seconds = input->cfg.end_after_s;
	return 0;
}

static int open_recording(struct input *input, struct err *err)
{
	input->seed = 1;
	input->trace = trace_read(&input->cfg, input->cfg.act_above_pct, err);
	if (!input->trace)
		return -1;
	input->is = *trace_facts(input->trace);
	if (input->cfg.end_after_s > 0 && input->cfg.end_after_s < input->is.seconds)
		input->is.seconds = input->cfg.end_after_s;
	return 0;
}

static int open_input(struct input *input, const char *name, const struct sub_line *line, struct err *err)
{
	bool shipped = strncmp(name, "sim:", 4) == 0, text = shipped || is_text(name);
	input->name = name;
	input->what = shipped ? name + 4 : name;
	config_defaults(&input->cfg);
	if (!text) {
		snprintf(input->cfg.replay, sizeof input->cfg.replay, "%s", name);
		if (recording_config(name, &input->cfg, err) < 0)
			return -1;
		input->cfg.end_after_s = 0;
	}
	if (take_line(line, &input->cfg, err) < 0)
		return -1;
	return text ? open_scenario(input, err) : open_recording(input, err);
}

static int compare(struct comparison *cmp, const struct sub_line *line, struct err *err)
{
	struct wanted wanted = {.n_cpu = 0};
	if (take_wanted(line, &wanted, &cmp->json, err) < 0)
		return -1;
	cmp->n_seeds = max_of(wanted.n_seeds, 1);
	cmp->inputs = calloc(line->n_words, sizeof *cmp->inputs);
	if (!cmp->inputs)
		return err_set(err, ERR_NOMEM, "out of memory");
	for (; cmp->n_inputs < line->n_words; cmp->n_inputs++)
		if (open_input(&cmp->inputs[cmp->n_inputs], line->words[cmp->n_inputs], line, err) < 0 ||
			plan_input(cmp, cmp->n_inputs, &wanted, err) < 0)
			return -1;
	for (size_t i = 0; i < cmp->n; i++)
		if (!cmp->runs[i].recorded && run_one(cmp, &cmp->runs[i], err) < 0)
			return -1;
	if (cmp->json)
		return compare_print_json(cmp, err);
	compare_print(cmp);
	return 0;
}

int compare_run(const struct sub_line *line, struct err *err)
{
	struct comparison cmp = {.n = 0};
	int r = compare(&cmp, line, err);
	for (size_t i = 0; cmp.inputs && i < line->n_words; i++)
		trace_free(cmp.inputs[i].trace);
	free(cmp.inputs);
	free(cmp.runs);
	if (r == 0 && fflush(stdout) != 0)
		return err_set(err, ERR_RUNTIME, "cannot write to standard output");
	return r;
}
