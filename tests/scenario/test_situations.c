/* SPDX-License-Identifier: MIT */
/* minmove on the simulated hosts on which the bench compares policies: how soon it settles near what is
 * attainable, with how many pins, and that it rests then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/situations.h"

enum { NEVER = 100000 };

struct expected {
	const char *name;
	double settle_s;   /* at the latest; NEVER: loads change faster than pins are worth */
	double final_pct;  /* true deviation at the end, at most */
	int pins;          /* at most */
	double last_pin_s; /* at the latest */
};

/* Readings are 2 s apart: rates at 2 s, confirmed at 4 s. */
static const struct expected expected[] = {
	{"hidden overload", 4, 5, 3, 4},
	{"hidden, quiet first", 6, 5, 3, 66},
	{"starved heavy vCPUs", 4, 17.6, 4, 4},  /* 95 + 35, 2 x 95 .. : no better one */
	{"indivisible, 5 x 60 %", 0, 26, 0, -1}, /* one pCPU has two whatever is done */
	{"square waves", 4, 5, 4, 4},
	{"bursts", NEVER, 30, 400, NEVER}, /* 20 s each: shorter than the 30 s that a vCPU rests */
	{"multi-vCPU VMs", 60, 5, 30, 120},
	{"VMs leave and arrive", NEVER, 15, 80, NEVER},
	{"12 pCPUs", 20, 40, 20, 60},
	{"96 pCPUs", 30, 30, 80, 150},
	{"512 pCPUs", 30, 20, 400, NEVER},
	{"sparse CPU ids", 4, 18.3, 5, 4},
	{"3-vCPU cpuset", 4, 22, 5, 4},
	{"2 nodes, all on one", 4, 5, 6, 4},
	{"2 nodes, memory apart", 4, 22, 4, 4},
	{"demo, an hour", NEVER, 20, 1500, NEVER},
};

static void check(const struct expected *x)
{
	const struct situation *s = situation_find(x->name);
	struct config cfg;
	struct situation_result r;
	run_config(&cfg, true, false, s->delay_s);
	cfg.granularity = GRAN_CPU;
	situation_run(s, &cfg, -1, &r);
	if (x->settle_s < NEVER && (r.settle_s < 0 || r.settle_s > x->settle_s + .01))
		fail_msg("%s: settled after %.0f s", x->name, r.settle_s);
	if (r.final_pct > x->final_pct)
		fail_msg(
			"%s: ends at %.2f %%, %.2f %% is attainable", x->name, r.final_pct, r.attainable_pct);
	if (r.pins > x->pins)
		fail_msg("%s: %d pins", x->name, r.pins);
	if (r.last_pin_s > x->last_pin_s + .01)
		fail_msg("%s: a pin at %.0f s", x->name, r.last_pin_s);
}

static void test_situations(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
		check(&expected[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_situations)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
