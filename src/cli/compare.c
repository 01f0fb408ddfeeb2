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

static struct run *add_run(struct comparison *c, const struct run *r, struct err *e)
{
	if (c->n == RUNS_MAX) {
		err_set(e, ERR_USAGE, "compare: more than %d runs", RUNS_MAX);
		return NULL;
	}
	struct run *run = array_more(&c->runs, &c->n, &c->cap, RUNS_MAX, sizeof *run);
	if (run)
		*run = *r;
	else
		err_set(e, ERR_NOMEM, "out of memory");
	return run;
}

static bool planned(const struct comparison *c, const struct run *r)
{
	for (size_t i = 0; i < c->n; i++)
		if (!c->runs[i].recorded && c->runs[i].input == r->input && c->runs[i].cpu == r->cpu &&
			c->runs[i].memory == r->memory)
			return true;
	return false;
}

/* This pair of policies, once for each seed. */
static int add_runs(
	struct comparison *c, size_t input, int cpu, int memory, const struct wanted *w, struct err *e)
{
	struct run r = {.input = input, .cpu = cpu, .memory = memory, .seed = c->inputs[input].seed};
	if (planned(c, &r))
		return 0;
	for (size_t i = 0; i < c->n_seeds; i++) {
		r.seed = w->n_seeds ? w->seeds[i] : r.seed;
		if (!add_run(c, &r, e))
			return -1;
	}
	return 0;
}

/* Without names each policy alone, those of memory where there is something to steer; else each named CPU
 * policy with each named memory policy. Nothing at all comes first, always. */
static int plan_input(struct comparison *c, size_t input, const struct wanted *w, struct err *e)
{
	static const int none = COMPARE_NONE;
	const struct trace_facts *f = &c->inputs[input].is;
	const int *cpu = w->n_cpu ? w->cpu : &none, *memory = w->n_memory ? w->memory : &none;
	size_t n_cpu = w->n_cpu ? w->n_cpu : 1, n_memory = w->n_memory ? w->n_memory : 1;
	bool all = !w->n_cpu && !w->n_memory;
	struct run recorded = {.input = input, .recorded = true, .mean_pct = f->mean_pct};
	recorded.final_pct = f->final_pct;
	recorded.balanced_s = f->balanced_s;
	recorded.is.pins = f->pins;
	recorded.is.balloons = f->balloons;
	if (c->inputs[input].trace && !add_run(c, &recorded, e))
		return -1;
	int r = add_runs(c, input, COMPARE_NONE, COMPARE_NONE, w, e);
	for (int i = 0; r == 0 && all && i < CPU_POLICY_COUNT; i++)
		r = add_runs(c, input, i, COMPARE_NONE, w, e);
	for (int i = 0; r == 0 && all && f->has_memory && i < MEM_POLICY_COUNT; i++)
		r = add_runs(c, input, COMPARE_NONE, i, w, e);
	for (size_t i = 0; r == 0 && i < n_cpu; i++)
		for (size_t k = 0; r == 0 && k < n_memory; k++)
			r = add_runs(c, input, cpu[i], memory[k], w, e);
	return r;
}

static void run_config(struct config *to, const struct input *in, const struct run *r)
{
	*to = in->cfg;
	to->replay[0] = to->record[0] = '\0';
	to->batch = to->yes = to->virtual_time = true;
	to->dry_run = to->readonly = false;
	to->on_exit = ON_EXIT_KEEP;
	to->auto_cpu = r->cpu != COMPARE_NONE;
	to->auto_memory = r->memory != COMPARE_NONE;
	to->cpu_policy = (enum cpu_policy_id)(r->cpu != COMPARE_NONE ? r->cpu : 0);
	to->mem_policy = (enum mem_policy_id)(r->memory != COMPARE_NONE ? r->memory : 0);
}

static void run_loop(struct engine *en, const struct backend *b, struct run *r, double limit_pct)
{
	struct settle settle = {-1, -1};
	double sum = 0;
	long ticks = 0;
	do {
		struct err e = ERR_INIT;
		engine_step(en, &e);
		sim_report_get(b, &r->is);
		if (r->is.time_s <= 0)
			continue;
		sum += r->final_pct = r->is.stddev_pct;
		ticks++;
		settle_feed(&settle, r->is.time_s, r->is.stddev_pct <= limit_pct);
	} while (engine_wait(en, -1));
	sim_report_get(b, &r->is);
	r->mean_pct = ticks ? sum / (double)ticks : 0;
	r->balanced_s = settle.found_s;
}

/* The host of an input, to the end of the run. */
static struct backend *open_host(const struct input *in, uint64_t seed, struct err *e)
{
	if (in->trace)
		return trace_backend(in->trace, seed, in->is.seconds, e);
	struct scenario *scn = scenario_open(in->what, e);
	if (!scn)
		return NULL;
	scn->seed = seed;
	scn->end_ns = (int64_t)(in->is.seconds * 1e9);
	return backend_sim_new(scn, true, e);
}

static int run_one(const struct comparison *c, struct run *r, struct err *e)
{
	const struct input *in = &c->inputs[r->input];
	struct config *cfg = malloc(sizeof *cfg);
	struct backend *b = cfg ? open_host(in, r->seed, e) : NULL;
	if (!b) {
		free(cfg);
		return e->msg[0] ? -1 : err_set(e, ERR_NOMEM, "out of memory");
	}
	run_config(cfg, in, r);
	struct engine *en = engine_new(cfg, b, e);
	if (en)
		run_loop(en, b, r, in->cfg.act_above_pct);
	engine_free(en);
	free(cfg);
	return en ? 0 : -1;
}

static int take_setting(
	struct config *cfg, const char *option, const char *key, const char *value, struct err *e)
{
	return setting_apply(cfg, setting_by_key(key), value, e) < 0 ? err_prefix(e, "compare: %s", option)
								     : 0;
}

static int take_set(struct config *cfg, const char *value, struct err *e)
{
	char key[48], option[60];
	const char *equals = strchr(value, '=');
	snprintf(key, sizeof key, "%.*s", (int)strcspn(value, "="), value);
	if (!equals || !setting_by_key(key)) {
		char shown[128];
		text_escape(shown, sizeof shown, value);
		return err_set(
			e, ERR_USAGE, "compare: --set: unknown key in '%.60s', see vmtop.conf(5)", shown);
	}
	snprintf(option, sizeof option, "--set %s", key);
	return take_setting(cfg, option, key, equals + 1, e);
}

static int take_seed(struct wanted *w, const char *value, struct err *e)
{
	char shown[64];
	int64_t seed;
	if (quantity_whole(value, 0, INT64_MAX, &seed)) {
		w->seeds[w->n_seeds++] = (uint64_t)seed;
		return 0;
	}
	text_escape(shown, sizeof shown, value);
	return err_set(
		e, ERR_USAGE, "compare: option --seed: bad value '%s', expected a whole number", shown);
}

/* What the command line says, onto the input's own configuration. */
static int take_line(const struct sub_line *line, struct config *cfg, struct err *e)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < line->n_values; i++) {
		const char *value = line->values[i].value;
		switch (line->values[i].option) {
		case COMPARE_GRANULARITY:
			r = take_setting(cfg, "--granularity", "granularity", value, e);
			break;
		case COMPARE_END:
			r = take_setting(cfg, "--end-time", "end_time", value, e);
			break;
		case COMPARE_SET:
			r = take_set(cfg, value, e);
			break;
		default:
			break;
		}
	}
	return r;
}

static int take_wanted(const struct sub_line *line, struct wanted *w, bool *json, struct err *e)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < line->n_values; i++) {
		const char *value = line->values[i].value;
		switch (line->values[i].option) {
		case COMPARE_CPU:
			w->cpu[w->n_cpu++] = policy_by_name(value, false);
			break;
		case COMPARE_MEMORY:
			w->memory[w->n_memory++] = policy_by_name(value, true);
			break;
		case COMPARE_SEED:
			r = take_seed(w, value, e);
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
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(head, 1, sizeof head, f) : 0;
	if (f)
		fclose(f);
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

static int open_scenario(struct input *in, struct err *e)
{
	struct scenario *scn = scenario_open(in->what, e);
	if (!scn)
		return -1;
	in->seed = scn->seed;
	in->is = (struct trace_facts){.vms = scn->n_vms, .vcpus = scn->n_vcpus, .pcpus = scn->n_pcpus};
	in->is.seconds = scn->end_ns ? (double)scn->end_ns / 1e9 : scenario_s;
	in->is.has_memory = steers_memory(scn);
	snprintf(in->is.host, sizeof in->is.host, "%s", scn->hostname);
	scenario_free(scn);
	if (in->cfg.end_after_s > 0)
		in->is.seconds = in->cfg.end_after_s;
	return 0;
}

static int open_recording(struct input *in, struct err *e)
{
	in->seed = 1;
	in->trace = trace_read(&in->cfg, in->cfg.act_above_pct, e);
	if (!in->trace)
		return -1;
	in->is = *trace_facts(in->trace);
	if (in->cfg.end_after_s > 0 && in->cfg.end_after_s < in->is.seconds)
		in->is.seconds = in->cfg.end_after_s;
	return 0;
}

static int open_input(struct input *in, const char *name, const struct sub_line *line, struct err *e)
{
	bool shipped = strncmp(name, "sim:", 4) == 0, text = shipped || is_text(name);
	in->name = name;
	in->what = shipped ? name + 4 : name;
	config_defaults(&in->cfg);
	if (!text) {
		snprintf(in->cfg.replay, sizeof in->cfg.replay, "%s", name);
		if (recording_config(name, &in->cfg, e) < 0)
			return -1;
		in->cfg.end_after_s = 0;
	}
	if (take_line(line, &in->cfg, e) < 0)
		return -1;
	return text ? open_scenario(in, e) : open_recording(in, e);
}

static int compare(struct comparison *c, const struct sub_line *line, struct err *e)
{
	struct wanted w = {.n_cpu = 0};
	if (take_wanted(line, &w, &c->json, e) < 0)
		return -1;
	c->n_seeds = w.n_seeds ? w.n_seeds : 1;
	c->inputs = calloc(line->n_words, sizeof *c->inputs);
	if (!c->inputs)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (; c->n_inputs < line->n_words; c->n_inputs++)
		if (open_input(&c->inputs[c->n_inputs], line->words[c->n_inputs], line, e) < 0 ||
			plan_input(c, c->n_inputs, &w, e) < 0)
			return -1;
	for (size_t i = 0; i < c->n; i++)
		if (!c->runs[i].recorded && run_one(c, &c->runs[i], e) < 0)
			return -1;
	if (c->json)
		return compare_print_json(c, e);
	compare_print(c);
	return 0;
}

int compare_run(const struct sub_line *line, struct err *e)
{
	struct comparison c = {.n = 0};
	int r = compare(&c, line, e);
	for (size_t i = 0; c.inputs && i < line->n_words; i++)
		trace_free(c.inputs[i].trace);
	free(c.inputs);
	free(c.runs);
	if (r == 0 && fflush(stdout) != 0)
		return err_set(e, ERR_RUNTIME, "cannot write to standard output");
	return r;
}
