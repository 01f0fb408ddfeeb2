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

static const char *cpu_name(const struct run *r)
{
	if (r->recorded)
		return "recorded";
	return r->cpu == COMPARE_NONE ? "none" : cpu_policy_name((enum cpu_policy_id)r->cpu);
}

static const char *memory_name(const struct run *r)
{
	if (r->recorded)
		return "recorded";
	return r->memory == COMPARE_NONE ? "none" : mem_policy_name((enum mem_policy_id)r->memory);
}

static double mean_of(const struct run *r)
{
	return r->mean_pct;
}
static double final_of(const struct run *r)
{
	return r->final_pct;
}
static double balanced_of(const struct run *r)
{
	return r->balanced_s;
}
static double pins_of(const struct run *r)
{
	return (double)r->is.pins;
}
static double starved_of(const struct run *r)
{
	return r->is.starved_vcpu_s;
}
static double waiting_of(const struct run *r)
{
	return r->is.waiting_vcpu_s;
}
static double work_of(const struct run *r)
{
	return r->is.work_vcpu_s;
}
static double balloons_of(const struct run *r)
{
	return (double)r->is.balloons;
}
static double starved_guest_of(const struct run *r)
{
	return r->is.starved_guest_s;
}
static double killed_of(const struct run *r)
{
	return (double)r->is.oom_kills;
}
static double overcommit_of(const struct run *r)
{
	return r->is.overcommit_s;
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
static double median(const struct run *r, size_t n, size_t column, double *scratch)
{
	for (size_t i = 0; i < n; i++) {
		double v = columns[column].of(&r[i]);
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

static void print_run(const struct run *r)
{
	for (size_t k = 0; k < N_COLUMNS; k++)
		print_number(columns[k].of(r), k, columns[k].recorded || !r->recorded);
	printf("\n");
}

/* Median and worst of the seeds of one policy. */
static void print_seeds(const struct run *r, size_t n)
{
	double scratch[64];
	size_t worst = 0;
	if (n > sizeof scratch / sizeof *scratch)
		return;
	for (size_t i = 1; i < n; i++)
		if (is_worse(&r[i], &r[worst]))
			worst = i;
	printf("%-10s %-10s", cpu_name(r), memory_name(r));
	for (size_t k = 0; k < N_COLUMNS; k++)
		print_number(median(r, n, k, scratch), k, true);
	printf("\n  worst: seed %-7llu", (unsigned long long)r[worst].seed);
	print_run(&r[worst]);
}

static void print_head(const struct comparison *c, const struct input *in)
{
	char name[300], host[300];
	text_escape(name, sizeof name, in->name);
	text_escape(host, sizeof host, in->is.host);
	printf("%s: %s, %zu VM%s, %zu vCPU%s, %zu pCPU%s, %.0f s", name, host, in->is.vms, text_s(in->is.vms),
		in->is.vcpus, text_s(in->is.vcpus), in->is.pcpus, text_s(in->is.pcpus), in->is.seconds);
	if (in->trace)
		printf(" in %zu tick%s", in->is.ticks, text_s(in->is.ticks));
	printf("; limit %g %%", in->cfg.act_above_pct);
	if (c->n_seeds > 1)
		printf("; medians of %zu seed%s", c->n_seeds, text_s(c->n_seeds));
	printf("\n\n%-10s %-10s", "CPU", "memory");
	for (size_t k = 0; k < N_COLUMNS; k++)
		printf(" %*s", columns[k].width, columns[k].over);
	printf("\n%-10s %-10s", "policy", "policy");
	for (size_t k = 0; k < N_COLUMNS; k++)
		printf(" %*s", columns[k].width, columns[k].under);
	printf("\n");
}

void compare_print(const struct comparison *c)
{
	for (size_t i = 0, n; i < c->n; i += n) {
		const struct run *r = &c->runs[i];
		n = r->recorded ? 1 : c->n_seeds;
		if (i == 0 || r->input != r[-1].input) {
			printf("%s", i ? "\n" : "");
			print_head(c, &c->inputs[r->input]);
		}
		if (n > 1) {
			print_seeds(r, n);
			continue;
		}
		printf("%-10s %-10s", cpu_name(r), memory_name(r));
		print_run(r);
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

static json_t *json_run(const struct comparison *c, const struct run *r)
{
	json_t *o = json_pack("{s:o, s:o, s:s, s:s}", "input", json_text(c->inputs[r->input].name), "seed",
		r->recorded ? json_null() : json_integer((json_int_t)r->seed), "cpu_policy", cpu_name(r),
		"memory_policy", memory_name(r));
	for (size_t k = 0; o && k < N_COLUMNS; k++)
		json_object_set_new(o, columns[k].key,
			json_number(
				columns[k].of(r), columns[k].digits, columns[k].recorded || !r->recorded));
	if (o)
		json_object_set_new(o, "least_available_kib",
			r->recorded ? json_null() : json_integer(r->is.min_available_kib));
	return o;
}

static json_t *json_input(const struct input *in)
{
	const struct trace_facts *f = &in->is;
	return json_pack("{s:o, s:s, s:o, s:f, s:o, s:I, s:I, s:I, s:f}", "input", json_text(in->name),
		"kind", in->trace ? "recording" : "scenario", "host", json_text(f->host), "seconds",
		f->seconds, "ticks", in->trace ? json_integer((json_int_t)f->ticks) : json_null(), "vms",
		(json_int_t)f->vms, "vcpus", (json_int_t)f->vcpus, "pcpus", (json_int_t)f->pcpus, "limit_pct",
		in->cfg.act_above_pct);
}

/* One input's facts are also at the top, as they were when there could be only one. */
static void lone_input(json_t *o, const struct input *in)
{
	json_t *facts = json_input(in);
	if (in->trace)
		json_object_set_new(o, "recording", json_text(in->name));
	json_object_del(facts, "input");
	json_object_del(facts, "kind");
	json_object_update(o, facts);
	json_decref(facts);
}

int compare_print_json(const struct comparison *c, struct err *e)
{
	json_t *o = json_pack("{s:i}", "schema", 1), *inputs = json_array(), *runs = json_array();
	if (o && c->n_inputs == 1)
		lone_input(o, &c->inputs[0]);
	for (size_t i = 0; inputs && i < c->n_inputs; i++)
		json_array_append_new(inputs, json_input(&c->inputs[i]));
	for (size_t i = 0; runs && i < c->n; i++)
		json_array_append_new(runs, json_run(c, &c->runs[i]));
	json_object_set_new(o, "inputs", inputs);
	json_object_set_new(o, "runs", runs);
	char *text = o ? json_dumps(o, JSON_INDENT(1) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9)) : NULL;
	json_decref(o);
	if (!text)
		return err_set(e, ERR_NOMEM, "out of memory");
	puts(text);
	free(text);
	return 0;
}
