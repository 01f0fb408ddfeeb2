/* SPDX-License-Identifier: MIT */
/* Runs a load with and without the controller and tells them apart by the simulator's own totals. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/loads.h"
#include "vmtop/config.h"
#include "vmtop/engine.h"
#include "vmtop/scenario.h"

static struct backend *open_load(const char *name, const char *text, unsigned seed, double seconds)
{
	struct err e = ERR_INIT;
	struct scenario *s = text[0] ? scenario_parse(name, text, strlen(text), &e) : scenario_open(name, &e);
	if (!s)
		fail_msg("%s", e.msg);
	s->seed = seed;
	s->end_ns = (int64_t)(seconds * 1e9);
	struct backend *b = backend_sim_new(s, true, &e);
	if (!b)
		fail_msg("%s: %s", name, e.msg);
	return b;
}

void harm_run(const char *name, const char *text, unsigned seed, double seconds, enum harm_policy p,
	struct harm *to)
{
	struct err e = ERR_INIT;
	struct config *cfg = calloc(1, sizeof *cfg);
	struct sim_report r;
	double half_s = 0;
	assert_non_null(cfg);
	config_defaults(cfg);
	cfg->batch = cfg->yes = cfg->virtual_time = true;
	cfg->on_exit = ON_EXIT_KEEP;
	cfg->auto_cpu = cfg->auto_memory = p == HARM_AUTO;
	struct backend *b = open_load(name, text, seed, seconds);
	struct engine *en = engine_new(cfg, b, &e);
	if (!en)
		fail_msg("%s: %s", name, e.msg);
	do {
		engine_step(en, &e);
		sim_report_get(b, &r);
		if (r.time_s <= seconds / 2)
			half_s = r.waiting_vcpu_s;
	} while (engine_wait(en, -1));
	sim_report_get(b, &r);
	*to = (struct harm){.waiting_s = r.waiting_vcpu_s,
		.late_s = r.waiting_vcpu_s - half_s,
		.starved_s = r.starved_vcpu_s,
		.work_s = r.work_vcpu_s,
		.starved_guest_s = r.starved_guest_s,
		.overcommit_s = r.overcommit_s,
		.kills = r.oom_kills,
		.pins = r.pins,
		.balloons = r.balloons};
	engine_free(en);
	free(cfg);
}

static void complain(struct harm_pair *to, const char *what, double is, double most)
{
	size_t n = strlen(to->why);
	snprintf(to->why + n, sizeof to->why - n, "%s%s %.1f, at most %.1f", n ? "; " : "", what, is, most);
}

void harm_judge(const struct load *l, unsigned seed, double seconds, struct harm_pair *to)
{
	const char *name = l->shipped ? l->shipped : l->name;
	*to = (struct harm_pair){.why = ""};
	harm_run(name, l->text, seed, seconds, HARM_MANUAL, &to->manual);
	harm_run(name, l->text, seed, seconds, HARM_AUTO, &to->with);
	const struct harm *m = &to->manual, *w = &to->with;
	if (w->waiting_s > 1.02 * m->waiting_s + 1)
		complain(to, "waits", w->waiting_s, 1.02 * m->waiting_s + 1);
	if (w->kills > m->kills)
		complain(to, "kills", (double)w->kills, (double)m->kills);
	if (w->starved_guest_s > m->starved_guest_s)
		complain(to, "starved guests", w->starved_guest_s, m->starved_guest_s);
	if (!l->curable)
		return;
	harm_run(name, l->best, seed, seconds, HARM_MANUAL, &to->best);
	if (w->late_s > 1.1 * to->best.late_s + 1)
		complain(to, "in the second half waits", w->late_s, 1.1 * to->best.late_s + 1);
}
