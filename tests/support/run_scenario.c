/* SPDX-License-Identifier: MIT */
/* Drives engine_step() over the simulator and books what happened. */
#include "support/run_scenario.h"
#include "support/plan_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmtop/engine.h"

void run_config(struct config *cfg, bool cpu, bool memory, double delay_s)
{
	config_defaults(cfg);
	cfg->auto_cpu = cpu;
	cfg->auto_memory = memory;
	cfg->delay_s = delay_s;
	cfg->batch = true;
	cfg->yes = true;
	cfg->granularity = GRAN_CPU; /* the policies by deviation; relief has tests of its own */
}

struct backend *run_open(const char *scenario)
{
	struct err e = ERR_INIT;
	struct scenario *s = strchr(scenario, '\n') ? scenario_parse("test", scenario, strlen(scenario), &e)
						    : scenario_open(scenario, &e);
	struct backend *b = s ? backend_sim_new(s, true, &e) : NULL;
	if (!b)
		fail_msg("%s", e.msg);
	return b;
}

static struct run_vm *book_vm(struct run *r, const struct vm_sample *vm)
{
	for (size_t i = 0; i < r->n_vms; i++)
		if (strncmp(r->vms[i].name, vm->name, sizeof r->vms[i].name) == 0)
			return &r->vms[i];
	if (r->n_vms == RUN_VMS)
		return NULL;
	struct run_vm *v = &r->vms[r->n_vms++];
	snprintf(v->name, sizeof v->name, "%.60s", vm->name);
	v->start = (double)vm->mem.balloon_kib.v / 1024;
	v->t_fell_s = -1;
	v->least_usable_at_cut_kib = INT64_MAX;
	v->target_kib = vm->mem.balloon_kib.v;
	return v;
}

static void book_size(struct run *r, struct run_vm *v, double mib, double t_s)
{
	v->end = mib;
	if (mib > v->peak) {
		v->peak = v->least = mib;
		v->t_peak_s = t_s;
		v->t_fell_s = -1;
		v->rose_again = false;
	}
	if (mib < v->least)
		v->least = mib;
	if (v->t_fell_s < 0 && mib <= r->fall_to_mib && mib < v->peak)
		v->t_fell_s = t_s;
}

static void book_order(struct run_vm *v, const struct vm_sample *vm, const struct action *a)
{
	bool up = a->to_kib > v->target_kib;
	v->turns += v->direction && up != (v->direction > 0);
	v->direction = up ? 1 : -1;
	if (up) {
		v->ups++;
		v->rose_again = v->least < v->peak;
	} else {
		double cut =
			(double)(vm->mem.balloon_kib.v - a->to_kib) * 100 / (double)vm->mem.balloon_kib.v;
		int64_t left = vm->mem.usable_kib.v - (vm->mem.balloon_kib.v - a->to_kib);
		v->downs++;
		if (cut > v->biggest_cut_pct)
			v->biggest_cut_pct = cut;
		if (vi64_has(vm->mem.usable_kib) && left < v->least_usable_at_cut_kib)
			v->least_usable_at_cut_kib = left;
	}
	v->target_kib = a->to_kib;
}

static void book_actions(struct run *r, const struct snapshot *s, struct run_tick *t)
{
	for (size_t i = 0; i < s->n_actions; i++) {
		const struct action *a = &s->actions[i];
		r->failed += a->outcome != OUTCOME_DONE;
		if (a->outcome != OUTCOME_DONE)
			continue;
		t->pins += a->kind == ACTION_PIN;
		t->balloons += a->kind == ACTION_BALLOON;
		r->periods += a->kind == ACTION_PERIOD;
		struct run_vm *v = a->kind == ACTION_BALLOON ? book_vm(r, &s->sample.vms[a->vm]) : NULL;
		if (v)
			book_order(v, &s->sample.vms[a->vm], a);
	}
	struct plan p = {s->actions, s->n_actions, s->n_actions};
	const char *broken = plan_check(&p, &s->sample);
	if (broken && !r->broken[0])
		snprintf(r->broken, sizeof r->broken, "%.1f s: %s", t->t_s, broken);
	r->pins += t->pins;
	r->balloons += t->balloons;
	if (t->pins)
		r->last_pin_s = t->t_s;
	if (t->balloons)
		r->last_balloon_s = t->t_s;
}

static void book(struct run *r, const struct snapshot *s, const struct sim_report *report)
{
	struct run_tick *t = &r->ticks[r->n < RUN_TICKS ? r->n++ : RUN_TICKS - 1];
	*t = (struct run_tick){
		.t_s = report->time_s, .true_pct = report->stddev_pct, .load_pct = s->load_stddev_pct};
	t->cpu = s->cpu.why.code;
	t->memory = s->memory.why.code;
	memcpy(t->cpu_text, s->cpu.why.text, sizeof t->cpu_text);
	t->available_kib = s->sample.host.available_kib.v;
	for (size_t i = 0; i < s->sample.n_vms; i++) {
		const struct vm_sample *vm = &s->sample.vms[i];
		struct run_vm *v = vi64_has(vm->mem.balloon_kib) ? book_vm(r, vm) : NULL;
		if (v)
			book_size(r, v, (double)vm->mem.balloon_kib.v / 1024, t->t_s);
	}
	book_actions(r, s, t);
	r->report = *report;
}

static bool run_step(struct run *r, const struct run_options *o, struct engine *en, const struct backend *b)
{
	struct err e = ERR_INIT;
	struct sim_report report;
	engine_step(en, &e); /* a step without a sample is data too */
	struct snapshot *s = engine_snapshot(en);
	assert_non_null(s);
	assert_int_equal(sim_report_get(b, &report), 0);
	if (!s->first)
		book(r, s, &report);
	if (o->look)
		o->look(o->arg, s);
	snapshot_free(r->last);
	r->last = s;
	return report.time_s < o->seconds;
}

void run_scenario(struct run *r, const struct run_options *o)
{
	struct err e = ERR_INIT;
	struct backend *b = run_open(o->scenario);
	struct engine *en = engine_new(o->cfg, b, &e);
	if (!en)
		fail_msg("%s", e.msg);
	memset(r, 0, sizeof *r);
	r->fall_to_mib = o->fall_to_mib > 0 ? o->fall_to_mib : 450;
	r->last_pin_s = r->last_balloon_s = -1;
	r->ticks = calloc(RUN_TICKS, sizeof *r->ticks);
	assert_non_null(r->ticks);
	double press = o->press_b_s;
	while (run_step(r, o, en, b)) {
		if (press > 0 && r->report.time_s >= press) {
			struct command c = {.kind = CMD_REBALANCE};
			engine_command(en, &c);
			press = 0;
		}
		if (!engine_wait(en, -1))
			break;
	}
	engine_free(en);
	if (r->broken[0])
		fail_msg("%s: %s", o->scenario, r->broken);
}

void run_done(struct run *r)
{
	snapshot_free(r->last);
	free(r->ticks);
	memset(r, 0, sizeof *r);
}

double run_settled_s(const struct run *r, double limit_pct)
{
	double since = -1;
	for (size_t i = 0; i < r->n; i++) {
		if (r->ticks[i].true_pct > limit_pct)
			since = -1;
		else if (since < 0)
			since = r->ticks[i].t_s;
	}
	return since;
}

const struct run_vm *run_vm(const struct run *r, const char *name)
{
	for (size_t i = 0; i < r->n_vms; i++)
		if (strcmp(r->vms[i].name, name) == 0)
			return &r->vms[i];
	fail_msg("no VM %s in this run", name);
	return NULL;
}

const char *run_per_pcpu(const struct run *r, char *buf, size_t len)
{
	const struct sample *s = &r->last->sample;
	size_t at = 0;
	buf[0] = '\0';
	for (size_t p = 0; p < s->host.n_pcpus; p++) {
		int n = 0;
		for (size_t i = 0; i < s->n_vcpus; i++)
			n += s->vcpus[i].pcpu.v == s->host.pcpus[p].id;
		if (at < len)
			at += (size_t)snprintf(buf + at, len - at, "%s%d", p ? " " : "", n);
	}
	return buf;
}
