/* SPDX-License-Identifier: MIT */
/* Guests that are stacked on hosts of the field are cured by pins that such a host can bear: never on a pCPU
 * that is offline, isolated or outside their control groups; within the node, and the cache where that has
 * room; on the larger kind first. In the simulator, over the topology of each kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/field.h"
#include "support/run_scenario.h"

enum { SECONDS = 120 };

struct seen {
	struct field f;
	const char *room;          /* where db may be put */
	const char *begins, *ends; /* of the reason */
	int pins;
};

static void look(void *arg, const struct snapshot *s)
{
	struct seen *x = arg;
	x->pins += field_plan_fits(&x->f, s, x->room);
	for (size_t i = 0; i < s->n_actions; i++) {
		const struct action *a = &s->actions[i];
		const char *why = a->why.text, *end = strstr(why, x->ends);
		if (a->kind == ACTION_PIN && !strcmp(s->sample.vms[a->vm].name, "db") &&
			(strncmp(why, x->begins, strlen(x->begins)) != 0 || !end))
			fail_msg("%s: the reason is \"%s\"", x->f.kind->name, why);
	}
}

/* What all waited, in vCPU-seconds. Whoever is at work at the end has a core of its own. */
static double run(struct seen *x, enum granularity by, bool act)
{
	struct config cfg;
	struct run r;
	char *text = field_scenario(&x->f);
	run_config(&cfg, act, false, 2);
	cfg.granularity = by;
	run_scenario(&r, &(struct run_options){
				 .scenario = text, .cfg = &cfg, .seconds = SECONDS, .look = look, .arg = x});
	assert_string_equal(r.broken, "");
	assert_int_equal(r.failed, 0);
	double waiting = r.report.waiting_vcpu_s;
	if (act && by == GRAN_CPU)
		field_cores_apart(&x->f, &r.last->sample, "db");
	run_done(&r);
	free(text);
	return waiting;
}

static void cured(enum granularity by, const char *begins, const char *ends)
{
	for (size_t i = 0; i < n_field_kinds; i++) {
		const struct field_kind *kind = &field_kinds[i];
		static struct seen x;
		x = (struct seen){.begins = begins, .ends = ends};
		field_make(&x.f, kind);
		x.room = by == GRAN_AUTO && kind->room ? kind->room : kind->cure;
		double manual = run(&x, by, false);
		assert_int_equal(x.pins, 0);
		double waited = run(&x, by, true);
		if (getenv("VMTOP_FIELD"))
			printf("%-18s waited %3.0f s, with AUTO %2.0f s, %d pins\n", kind->name, manual,
				waited, x.pins);
		if (manual < 200 || waited > 20 || x.pins < 2 || x.pins > 4)
			fail_msg("%s: waits %.0f s, in MANUAL %.0f s; %d pins", kind->name, waited, manual,
				x.pins);
	}
}

static void by_the_kernel(void **state)
{
	(void)state;
	cured(GRAN_AUTO, "waited ", " %: all that it may use, and the kernel chooses");
}

static void by_pcpu(void **state)
{
	(void)state;
	cured(GRAN_CPU, "demand ", " % to pCPU ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_the_kernel),
		cmocka_unit_test(by_pcpu),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
