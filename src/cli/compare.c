/* SPDX-License-Identifier: MIT */
/* vmtop compare: each policy on a simulated host that wants what the recorded one wanted. Invariant: every
 * run sees the same demand, host and start; they differ in policy alone. Nothing real is touched. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/engine.h"
#include "vmtop/record.h"
#include "vmtop/scenario.h"
#include "vmtop/settings.h"
#include "vmtop/subcommand.h"
#include "vmtop/text.h"
#include "vmtop/trace.h"

enum { RUNS_MAX = 64, NONE = -1 };

struct run {
	int cpu, memory; /* policy, NONE */
	double mean_pct, final_pct, balanced_s;
	long pins, balloons;
	double starved_vcpu_s, waiting_vcpu_s, starved_guest_s;
	int64_t least_available_kib;
	bool recorded; /* the recording itself: only some numbers are known */
};

struct comparison {
	struct config cfg;
	struct trace *trace;
	struct run runs[RUNS_MAX];
	size_t n;
	bool json;
};

static const char *cpu_name(const struct run *r)
{
	return r->recorded      ? "recorded"
	       : r->cpu == NONE ? "none"
				: cpu_policy_name((enum cpu_policy_id)r->cpu);
}

static const char *memory_name(const struct run *r)
{
	return r->recorded         ? "recorded"
	       : r->memory == NONE ? "none"
				   : mem_policy_name((enum mem_policy_id)r->memory);
}

static int policy_by_name(const char *name, bool memory)
{
	for (int i = 0; i < (memory ? (int)MEM_POLICY_COUNT : (int)CPU_POLICY_COUNT); i++)
		if (strcmp(name, memory ? mem_policy_name((enum mem_policy_id)i)
					: cpu_policy_name((enum cpu_policy_id)i)) == 0)
			return i;
	return NONE;
}

static int add_run(struct comparison *c, int cpu, int memory, struct err *e)
{
	for (size_t i = 0; i < c->n; i++)
		if (!c->runs[i].recorded && c->runs[i].cpu == cpu && c->runs[i].memory == memory)
			return 0;
	if (c->n == RUNS_MAX)
		return err_set(e, ERR_USAGE, "compare: more than %d runs", RUNS_MAX);
	c->runs[c->n++] = (struct run){.cpu = cpu, .memory = memory};
	return 0;
}

/* Without names: nothing, and each policy alone. Else each named CPU policy with each named memory policy. */
static int choose_runs(
	struct comparison *c, const int *cpu, size_t n_cpu, const int *mem, size_t n_mem, struct err *e)
{
	static const int none = NONE;
	int r = add_run(c, NONE, NONE, e);
	for (int i = CPU_POLICY_MINMOVE; r == 0 && !n_cpu && !n_mem && i < CPU_POLICY_COUNT; i++)
		r = add_run(c, i, NONE, e);
	for (int i = MEM_POLICY_WATERMARK;
		r == 0 && !n_cpu && !n_mem && i < MEM_POLICY_COUNT && trace_facts(c->trace)->has_memory; i++)
		r = add_run(c, NONE, i, e);
	if (!n_cpu && n_mem) {
		cpu = &none;
		n_cpu = 1;
	} else if (n_cpu && !n_mem) {
		mem = &none;
		n_mem = 1;
	}
	for (size_t i = 0; r == 0 && i < n_cpu; i++)
		for (size_t k = 0; r == 0 && k < n_mem; k++)
			r = add_run(c, cpu[i], mem[k], e);
	return r;
}

static void run_config(struct config *to, const struct comparison *c, const struct run *r)
{
	*to = c->cfg;
	to->replay[0] = to->record[0] = '\0';
	to->batch = to->yes = true;
	to->dry_run = to->readonly = false;
	to->on_exit = ON_EXIT_KEEP;
	to->auto_cpu = r->cpu != NONE;
	to->auto_memory = r->memory != NONE;
	to->cpu_policy = (enum cpu_policy_id)(r->cpu != NONE ? r->cpu : 0);
	to->mem_policy = (enum mem_policy_id)(r->memory != NONE ? r->memory : 0);
}

static void run_loop(struct engine *en, const struct backend *b, struct run *r, double limit_pct)
{
	struct sim_report report;
	struct settle settle = {-1, -1};
	double sum = 0;
	long ticks = 0;
	do {
		struct err e = ERR_INIT;
		engine_step(en, &e);
		sim_report_get(b, &report);
		if (report.time_s <= 0)
			continue;
		sum += r->final_pct = report.stddev_pct;
		ticks++;
		settle_feed(&settle, report.time_s, report.stddev_pct <= limit_pct);
	} while (engine_wait(en, -1));
	sim_report_get(b, &report);
	r->mean_pct = ticks ? sum / (double)ticks : 0;
	r->balanced_s = settle.found_s;
	r->pins = report.pins;
	r->balloons = report.balloons;
	r->starved_vcpu_s = report.starved_vcpu_s;
	r->waiting_vcpu_s = report.waiting_vcpu_s;
	r->starved_guest_s = report.starved_guest_s;
	r->least_available_kib = report.min_available_kib;
}

static int run_one(const struct comparison *c, struct run *r, struct err *e)
{
	struct config *cfg = malloc(sizeof *cfg);
	struct backend *b = cfg ? trace_backend(c->trace, e) : NULL;
	if (!b) {
		free(cfg);
		return e->msg[0] ? -1 : err_set(e, ERR_NOMEM, "out of memory");
	}
	run_config(cfg, c, r);
	struct engine *en = engine_new(cfg, b, e);
	if (en)
		run_loop(en, b, r, c->cfg.act_above_pct);
	engine_free(en);
	free(cfg);
	return en ? 0 : -1;
}

static void print_number(double v, int width, bool known)
{
	if (known && v >= 0)
		printf(" %*.1f", width, v);
	else
		printf(" %*s", width, "-");
}

static void print_table(const struct comparison *c)
{
	const struct trace_facts *f = trace_facts(c->trace);
	char host[300];
	text_escape(host, sizeof host, f->host);
	printf("%s: %zu VMs, %zu vCPUs, %zu pCPUs, %.0f s in %zu ticks; limit %g %%\n\n", host, f->vms,
		f->vcpus, f->pcpus, f->seconds, f->ticks, c->cfg.act_above_pct);
	printf("%-10s %-10s %7s %7s %8s %6s %9s %9s %8s %9s\n", "CPU", "memory", "mean", "final", "balanced",
		"pins", "starved", "waiting", "balloon", "starved");
	printf("%-10s %-10s %7s %7s %8s %6s %9s %9s %8s %9s\n", "policy", "policy", "dev. %", "dev. %",
		"after s", "", "vCPU-s", "vCPU-s", "calls", "guest-s");
	for (size_t i = 0; i < c->n; i++) {
		const struct run *r = &c->runs[i];
		printf("%-10s %-10s", cpu_name(r), memory_name(r));
		print_number(r->mean_pct, 7, true);
		print_number(r->final_pct, 7, true);
		print_number(r->balanced_s, 8, true);
		printf(" %6ld", r->pins);
		print_number(r->starved_vcpu_s, 9, !r->recorded);
		print_number(r->waiting_vcpu_s, 9, !r->recorded);
		printf(" %8ld", r->balloons);
		print_number(r->starved_guest_s, 9, !r->recorded);
		printf("\n");
	}
}

static json_t *json_number(double v, bool known)
{
	return known && v >= 0 && isfinite(v) ? json_real(round(v * 1000) / 1000) : json_null();
}

static json_t *json_run(const struct run *r)
{
	bool sim = !r->recorded;
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:I, s:o, s:o, s:I, s:o, s:o}", "cpu_policy", cpu_name(r),
		"memory_policy", memory_name(r), "mean_stddev_pct", json_number(r->mean_pct, true),
		"final_stddev_pct", json_number(r->final_pct, true), "balanced_after_s",
		json_number(r->balanced_s, true), "pins", (json_int_t)r->pins, "starved_vcpu_s",
		json_number(r->starved_vcpu_s, sim), "waiting_vcpu_s", json_number(r->waiting_vcpu_s, sim),
		"balloon_calls", (json_int_t)r->balloons, "starved_guest_s",
		json_number(r->starved_guest_s, sim), "least_available_kib",
		sim ? json_integer(r->least_available_kib) : json_null());
}

static int print_json(const struct comparison *c, struct err *e)
{
	const struct trace_facts *f = trace_facts(c->trace);
	char host[512], file[CFG_TEXT * 3];
	text_utf8(host, sizeof host, f->host);
	text_utf8(file, sizeof file, c->cfg.replay);
	json_t *runs = json_array();
	for (size_t i = 0; runs && i < c->n; i++)
		json_array_append_new(runs, json_run(&c->runs[i]));
	json_t *o = json_pack("{s:i, s:s, s:s, s:f, s:I, s:I, s:I, s:I, s:f, s:o}", "schema", 1, "recording",
		file, "host", host, "seconds", f->seconds, "ticks", (json_int_t)f->ticks, "vms",
		(json_int_t)f->vms, "vcpus", (json_int_t)f->vcpus, "pcpus", (json_int_t)f->pcpus, "limit_pct",
		c->cfg.act_above_pct, "runs", runs);
	char *text = o ? json_dumps(o, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
	json_decref(o);
	if (!text)
		return err_set(e, ERR_NOMEM, "out of memory");
	puts(text);
	free(text);
	return 0;
}

/* What the command line says, onto the recording's own configuration. */
static int take_line(struct comparison *c, const struct sub_line *line, int *cpu, size_t *n_cpu, int *mem,
	size_t *n_mem, struct err *e)
{
	enum { OPT_CPU, OPT_MEMORY, OPT_SET, OPT_JSON };
	for (size_t i = 0; i < line->n_values; i++) {
		const char *value = line->values[i].value;
		char key[48];
		const struct setting *s;
		switch (line->values[i].option) {
		case OPT_CPU:
			cpu[(*n_cpu)++] = policy_by_name(value, false);
			break;
		case OPT_MEMORY:
			mem[(*n_mem)++] = policy_by_name(value, true);
			break;
		case OPT_SET:
			snprintf(key, sizeof key, "%.*s", (int)strcspn(value, "="), value);
			s = strchr(value, '=') ? setting_by_key(key) : NULL;
			if (!s)
				return err_set(e, ERR_USAGE,
					"compare: --set: unknown key in '%.60s', see vmtop.conf(5)", value);
			if (setting_apply(&c->cfg, s, strchr(value, '=') + 1, e) < 0)
				return err_prefix(e, "compare: --set %s", key);
			break;
		default:
			c->json = true;
		}
	}
	return 0;
}

static int compare(struct comparison *c, const struct sub_line *line, struct err *e)
{
	int cpu[SUB_WORDS], mem[SUB_WORDS];
	size_t n_cpu = 0, n_mem = 0;
	config_defaults(&c->cfg);
	snprintf(c->cfg.replay, sizeof c->cfg.replay, "%s", line->words[0]);
	if (recording_config(line->words[0], &c->cfg, e) < 0 ||
		take_line(c, line, cpu, &n_cpu, mem, &n_mem, e) < 0)
		return -1;
	c->trace = trace_read(&c->cfg, c->cfg.act_above_pct, e);
	if (!c->trace)
		return -1;
	const struct trace_facts *f = trace_facts(c->trace);
	c->runs[c->n++] = (struct run){.recorded = true,
		.mean_pct = f->mean_pct,
		.final_pct = f->final_pct,
		.balanced_s = f->balanced_s,
		.pins = f->pins,
		.balloons = f->balloons};
	if (choose_runs(c, cpu, n_cpu, mem, n_mem, e) < 0)
		return -1;
	for (size_t i = 1; i < c->n; i++)
		if (run_one(c, &c->runs[i], e) < 0)
			return -1;
	if (c->json)
		return print_json(c, e);
	print_table(c);
	return 0;
}

int compare_run(const struct sub_line *line, struct err *e)
{
	struct comparison *c = calloc(1, sizeof *c);
	if (!c)
		return err_set(e, ERR_NOMEM, "out of memory");
	int r = compare(c, line, e);
	trace_free(c->trace);
	free(c);
	if (r == 0 && fflush(stdout) != 0)
		return err_set(e, ERR_RUNTIME, "cannot write to standard output");
	return r;
}
