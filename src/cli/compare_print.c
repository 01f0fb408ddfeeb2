/* SPDX-License-Identifier: MIT */
/* The tables and the JSON of vmtop compare. With several seeds the text shows of each column the median, and
 * below it the seed that did worst. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "compare.h"
#include "vmtop/snapshot.h"
#include "vmtop/text.h"

static const char *cpu_name(const struct run *run)
{
	if (run->recorded)
		return "recorded";
	return run->cpu == COMPARE_NONE ? "none" : cpu_policy_name((enum cpu_policy_id)run->cpu);
}

static const char *memory_name(const struct run *run)
{
	if (run->recorded)
		return "recorded";
	return run->memory == COMPARE_NONE ? "none" : mem_policy_name((enum mem_policy_id)run->memory);
}

static double mean_of(const struct run *run)
{
	return run->mean_pct;
}
static double final_of(const struct run *run)
{
	return run->final_pct;
}
static double balanced_of(const struct run *run)
{
	return run->balanced_s;
}
static double pins_of(const struct run *run)
{
	return (double)run->is.pins;
}
static double starved_of(const struct run *run)
{
	return run->is.starved_vcpu_s;
}
static double waiting_of(const struct run *run)
{
	return run->is.waiting_vcpu_s;
}
static double work_of(const struct run *run)
{
	return run->is.work_vcpu_s;
}
static double balloons_of(const struct run *run)
{
	return (double)run->is.balloons;
}
static double starved_guest_of(const struct run *run)
{
	return run->is.starved_guest_s;
}
static double killed_of(const struct run *run)
{
	return (double)run->is.oom_kills;
}
static double overcommit_of(const struct run *run)
{
	return run->is.overcommit_s;
}

static const struct {
	const char *over, *under;
	int width, digits;
	bool recorded; /* known of a recording itself */
	double (*of)(const struct run *r);
	const char *key; /* of JSON */
} columns[] = {
	{"mean", "dev. %", 7, 1, true, mean_of, "mean_stddev_pct"},
	{"final", "dev. %", 7, 1, true, final_of, "final_stddev_pct"},
	{"balanced", "after s", 8, 1, true, balanced_of, "balanced_after_s"},
	{"pins", "", 6, 0, true, pins_of, "pins"},
	{"starved", "vCPU-s", 9, 1, false, starved_of, "starved_vcpu_s"},
	{"waiting", "vCPU-s", 9, 1, false, waiting_of, "waiting_vcpu_s"},
	{"work", "vCPU-s", 10, 1, false, work_of, "work_vcpu_s"},
	{"balloon", "calls", 8, 0, true, balloons_of, "balloon_calls"},
	{"starved", "guest-s", 9, 1, false, starved_guest_of, "starved_guest_s"},
	{"oom", "kills", 6, 0, false, killed_of, "oom_kills"},
	{"overcom.", "s", 9, 1, false, overcommit_of, "overcommit_s"},
};
enum { N_COLUMNS = sizeof columns / sizeof *columns };

static void print_number(double v, size_t column, bool known)
{
	if (known && v >= 0)
		printf(" %*.*f", columns[column].width, columns[column].digits, v);
	else
		printf(" %*s", columns[column].width, "-");
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Of a column over the seeds of a policy. A run that never was balanced counts as the latest. */
static double median(const struct run *run, size_t n, size_t column, double *scratch)
{
	for (size_t i = 0; i < n; i++) {
		double v = columns[column].of(&run[i]);
		scratch[i] = v < 0 ? INFINITY : v;
	}
	qsort(scratch, n, sizeof *scratch, by_value);
	double v = (scratch[(n - 1) / 2] + scratch[n / 2]) / 2;
	return isfinite(v) ? v : -1;
}

/* Who killed most, else who let most wait or starve. */
static bool is_worse(const struct run *a, const struct run *b)
{
	if (a->is.oom_kills != b->is.oom_kills)
		return a->is.oom_kills > b->is.oom_kills;
	return a->is.waiting_vcpu_s + a->is.starved_guest_s > b->is.waiting_vcpu_s + b->is.starved_guest_s;
}

static void print_run(const struct run *run)
{
	for (size_t k = 0; k < N_COLUMNS; k++)
		print_number(columns[k].of(run), k, columns[k].recorded || !run->recorded);
	printf("\n");
}

/* Median and worst of the seeds of one policy. */
static void print_seeds(const struct run *run, size_t n)
{
	double scratch[64];
	size_t worst = 0;
	if (n > sizeof scratch / sizeof *scratch)
		return;
	for (size_t i = 1; i < n; i++)
		if (is_worse(&run[i], &run[worst]))
			worst = i;
	printf("%-10s %-10s", cpu_name(run), memory_name(run));
	for (size_t k = 0; k < N_COLUMNS; k++)
		print_number(median(run, n, k, scratch), k, true);
	printf("\n  worst: seed %-7llu", (unsigned long long)run[worst].seed);
	print_run(&run[worst]);
}

static void print_head(const struct comparison *cmp, const struct input *input)
{
	char name[300], host[300];
	text_escape(name, sizeof name, input->name);
	text_escape(host, sizeof host, input->is.host);
	printf("%s: %s, %zu VM%s, %zu vCPU%s, %zu pCPU%s, %.0f s", name, host, input->is.vms,
		text_s(input->is.vms), input->is.vcpus, text_s(input->is.vcpus), input->is.pcpus,
		text_s(input->is.pcpus), input->is.seconds);
	if (input->trace)
		printf(" in %zu tick%s", input->is.ticks, text_s(input->is.ticks));
	printf("; limit %g %%", input->cfg.act_above_pct);
	if (cmp->n_seeds > 1)
		printf("; medians of %zu seed%s", cmp->n_seeds, text_s(cmp->n_seeds));
	printf("\n\n%-10s %-10s", "CPU", "memory");
	for (size_t k = 0; k < N_COLUMNS; k++)
		printf(" %*s", columns[k].width, columns[k].over);
	printf("\n%-10s %-10s", "policy", "policy");
	for (size_t k = 0; k < N_COLUMNS; k++)
		printf(" %*s", columns[k].width, columns[k].under);
	printf("\n");
}

void compare_print(const struct comparison *cmp)
{
	for (size_t i = 0, n; i < cmp->n; i += n) {
		const struct run *run = &cmp->runs[i];
		n = run->recorded ? 1 : cmp->n_seeds;
		if (i == 0 || run->input != run[-1].input) {
			printf("%s", text_if(i, "\n"));
			print_head(cmp, &cmp->inputs[run->input]);
		}
		if (n > 1) {
			print_seeds(run, n);
			continue;
		}
		printf("%-10s %-10s", cpu_name(run), memory_name(run));
		print_run(run);
	}
}

static json_t *json_number(double v, int digits, bool known)
{
	if (!known || v < 0 || !isfinite(v))
		return json_null();
	return digits ? json_real(round(v * 1000) / 1000) : json_integer((json_int_t)v);
}

static json_t *json_text(const char *s)
{
	char text[CFG_TEXT * 3];
	text_utf8(text, sizeof text, s);
	return json_string(text);
}

static json_t *json_run(const struct comparison *cmp, const struct run *run)
{
	json_t *obj = json_pack("{s:o, s:o, s:s, s:s}", "input", json_text(cmp->inputs[run->input].name),
		"seed", run->recorded ? json_null() : json_integer((json_int_t)run->seed), "cpu_policy",
		cpu_name(run), "memory_policy", memory_name(run));
	for (size_t k = 0; obj && k < N_COLUMNS; k++)
		json_object_set_new(obj, columns[k].key,
			json_number(columns[k].of(run), columns[k].digits,
				columns[k].recorded || !run->recorded));
	if (obj)
		json_object_set_new(obj, "least_available_kib",
			run->recorded ? json_null() : json_integer(run->is.min_available_kib));
	return obj;
}

static json_t *json_input(const struct input *input)
{
	const struct trace_facts *facts = &input->is;
	return json_pack("{s:o, s:s, s:o, s:f, s:o, s:I, s:I, s:I, s:f}", "input", json_text(input->name),
		"kind", input->trace ? "recording" : "scenario", "host", json_text(facts->host), "seconds",
		facts->seconds, "ticks", input->trace ? json_integer((json_int_t)facts->ticks) : json_null(),
		"vms", (json_int_t)facts->vms, "vcpus", (json_int_t)facts->vcpus, "pcpus",
		(json_int_t)facts->pcpus, "limit_pct", input->cfg.act_above_pct);
}

/* One input's facts are also at the top, as they were when there could be only one. */
static void lone_input(json_t *obj, const struct input *input)
{
	json_t *facts = json_input(input);
	if (input->trace)
		json_object_set_new(obj, "recording", json_text(input->name));
	json_object_del(facts, "input");
	json_object_del(facts, "kind");
	json_object_update(obj, facts);
	json_decref(facts);
}

int compare_print_json(const struct comparison *cmp, struct err *err)
{
	json_t *obj = json_pack("{s:i}", "schema", 1), *inputs = json_array(), *runs = json_array();
	if (obj && cmp->n_inputs == 1)
		lone_input(obj, &cmp->inputs[0]);
	for (size_t i = 0; inputs && i < cmp->n_inputs; i++)
		json_array_append_new(inputs, json_input(&cmp->inputs[i]));
	for (size_t i = 0; runs && i < cmp->n; i++)
		json_array_append_new(runs, json_run(cmp, &cmp->runs[i]));
	json_object_set_new(obj, "inputs", inputs);
	json_object_set_new(obj, "runs", runs);
	char *text =
		obj ? json_dumps(obj, JSON_INDENT(1) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9)) : NULL;
	json_decref(obj);
	if (!text)
		return err_set(err, ERR_NOMEM, "out of memory");
	puts(text);
	free(text);
	return 0;
}
